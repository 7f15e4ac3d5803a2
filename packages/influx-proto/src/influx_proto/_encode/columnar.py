"""Column-wise encoding of points: values into encoded columns, and columns into lines."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple, TypeAlias

from .._line_protocol.escape import SHORT_LINE, encode_string
from .._line_protocol.options import FieldOptions
from .._line_protocol.values import FieldValueEncoder, number_encoder
from .._time import FIRST, LAST, to_nanoseconds
from .grouping import TooLong, collect_classes

#: Maximum size of the strings in a group, in bytes. The encoder needs about four times as much.
GROUP_BYTES: Final = 1_000_000

#: Encodes values that are all of one class; returns None if one of them is not eligible for the fast path.
_EncodeValues: TypeAlias = Callable[[Sequence[Any]], Sequence[bytes] | None]


class ColumnFormat(NamedTuple):
    """Encoder for many values of one class."""

    encode: _EncodeValues
    #: The suffix of each encoded value.
    after: bytes = b""
    #: Encodes values of the class some of which are missing, such as NaN; missing values become b"".
    encode_sparse: _EncodeValues | None = None
    #: Whether encoded values have a maximum length, such as those of numbers.
    are_short: bool = False


class Column(NamedTuple):
    """Encoded values of one attribute or key of many points."""

    encoded: Sequence[bytes]
    #: The prefix and suffix of each value; None if the values include them, in which case missing values are b"".
    affixes: tuple[bytes, bytes] | None = None
    #: The size of all values in bytes; 0 if they have a maximum length.
    size: int = 0


def read_column(
    values: Sequence[Any],
    formats: Mapping[type, ColumnFormat],
    before: bytes,
    encode_one: Callable[[Any], bytes],
    *,
    may_lack: bool = True,
) -> Column:
    """Encode the values of a column.

    Args:
        values: the values.
        formats: the formats of the expected classes.
        before: the prefix of each encoded value.
        encode_one: encodes any value, with its prefix and suffix.
        may_lack: whether None is encoded as b"".

    Raises:
        TooLong: the values are too long.
        SerializationError: a value cannot be encoded.
    """
    classes = collect_classes(values)
    if any(issubclass(cls, str) for cls in classes) and _measure_strings(values) > GROUP_BYTES:
        raise TooLong
    lacks = may_lack and len(classes) == 2 and type(None) in classes
    if lacks:
        classes.remove(type(None))
    if len(classes) == 1 and (expected := formats.get(classes.pop())) is not None:
        found = [value for value in values if value is not None] if lacks else values
        encoded = expected.encode(found)
        if encoded is not None and not lacks:
            size = 0 if expected.are_short else sum(map(len, encoded))
            return Column(encoded, (before, expected.after), size)
        if encoded is None and expected.encode_sparse is not None:
            encoded = expected.encode_sparse(found)
        if encoded is not None:
            rest = iter(encoded)
            if lacks:
                encoded = [b"" if value is None else next(rest) for value in values]
            after = expected.after
            return _with_affixes([before + each + after if each else b"" for each in encoded])
    return _with_affixes([encode_one(value) for value in values])


def _measure_strings(values: Sequence[object]) -> int:
    return sum(str.__len__(value) for value in values if isinstance(value, str))


def _with_affixes(encoded: Sequence[bytes]) -> Column:
    return Column(encoded, size=sum(map(len, encoded)))


def limit_size(columns: Iterable[Column]) -> list[Column]:
    """Return the columns of a group. Raises TooLong if they are too long together."""
    found = []
    size = 0
    for column in columns:
        size += column.size
        if size > GROUP_BYTES:
            raise TooLong
        found.append(column)
    return found


def build_line_columns(series: Sequence[bytes], fields: Sequence[Column], time: Column | None) -> LineColumns | None:
    """Return the columns of complete lines, or None if a point has no field with a value.

    Raises:
        TooLong: the series are too long together.
    """
    if not fields:
        return None
    if sum(map(len, series)) > GROUP_BYTES:
        raise TooLong
    line = LineColumns()
    line.add(Column(series))
    line.end = b" "
    first = next((n for n, field in enumerate(fields) if field.affixes is not None), None)
    if first is None:
        joined = [b"".join(fragments) for fragments in zip(*(field.encoded for field in fields), strict=True)]
        if b"" in joined:
            return None
        line.add(Column([fragment[1:] for fragment in joined]))
    else:
        # Commas stand after the fields before the first field that all points have, and before the fields after it.
        for n, field in enumerate(fields):
            if n < first:
                line.add(Column([fragment[1:] + b"," if fragment else b"" for fragment in field.encoded]))
            elif n == first and field.affixes is not None:
                line.add(field._replace(affixes=(field.affixes[0][1:], field.affixes[1])))
            else:
                line.add(field)
    if time is not None:
        line.add(time)
    return line


class LineColumns:
    """Columns of lines, and the constant bytes before each column and at the end of a line."""

    __slots__ = ("columns", "end")

    def __init__(self) -> None:
        self.columns: list[tuple[bytes, Column]] = []
        self.end = b""

    def add(self, column: Column) -> None:
        """Add a column."""
        before, after = column.affixes or (b"", b"")
        self.columns.append((self.end + before, column))
        self.end = after

    def have_short_keys(self) -> bool:
        """Return whether no line can have a series, the first column, and a field key whose size must be checked."""
        (before, series), *fields = self.columns
        longest = [
            # A column without affixes includes the field key in each value.
            len(before) + (max(map(len, column.encoded)) if column.affixes is None else 0)
            for before, column in fields
        ]
        return len(before) + max(map(len, series.encoded)) + max(longest, default=0) <= SHORT_LINE

    def interleave(self) -> tuple[list[bytes], int]:
        """Return the fragments of all lines, each line with an LF at its end, and the number of fragments per line."""
        line: list[bytes] = []
        places = []
        for before, _ in self.columns:
            if before:
                line.append(before)
            places.append(len(line))
            line.append(b"")
        line.append(self.end + b"\n")
        width = len(line)
        fragments = line * len(self.columns[0][1].encoded)
        for place, (_, column) in zip(places, self.columns, strict=True):
            fragments[place::width] = column.encoded
        return fragments, width


def join_lines(line: LineColumns) -> bytes | None:
    """Return the lines separated by LFs; None if the size of a key must be checked."""
    fragments, _ = line.interleave()
    fragments[-1] = line.end
    data = b"".join(fragments)
    return data if len(data) <= SHORT_LINE or line.have_short_keys() else None


def list_lines(line: LineColumns) -> list[bytes] | None:
    """Return the lines as a list; None if the size of a key must be checked."""
    if not line.have_short_keys():
        return None
    fragments, width = line.interleave()
    fragments[width - 1 :: width] = [line.end] * (len(fragments) // width)
    return [b"".join(fragments[at : at + width]) for at in range(0, len(fragments), width)]


def _encode_numbers(values: Sequence[Any]) -> list[bytes]:
    return number_encoder()(values)[1:-1].split(b",")


def _encode_floats(values: Sequence[Any]) -> list[bytes] | None:
    data = number_encoder()(values)
    return None if b"n" in data else data[1:-1].split(b",")  # NaN and infinite floats are `null`


def _encode_sparse_floats(values: Sequence[Any]) -> list[bytes] | None:
    if math.inf in values or -math.inf in values:
        return None
    return number_encoder()(values)[1:-1].replace(b"null", b"").split(b",")


def _encode_integers(values: Sequence[Any]) -> list[bytes] | None:
    try:
        struct.pack(f"{len(values)}q", *values)  # the fastest check for integers of more than 64 bits
    except struct.error:
        return None
    return _encode_numbers(values)


def _encode_strings(values: Sequence[Any]) -> list[bytes]:
    return [encode_string(value) for value in values]


def _encode_booleans(values: Sequence[Any]) -> list[bytes]:
    return [b"true" if value else b"false" for value in values]


def _encode_decimals(values: Sequence[Any]) -> list[bytes] | None:
    return [_encode_decimal(value) for value in values] if all(value.is_finite() for value in values) else None


_encode_decimal: Final[Callable[[Any], Any]] = FieldValueEncoder(FieldOptions())[Decimal]

#: The formats of fields without a type override, by the class of their values.
FIELD_FORMATS: Final[Mapping[type, ColumnFormat]] = {
    float: ColumnFormat(_encode_floats, encode_sparse=_encode_sparse_floats, are_short=True),
    int: ColumnFormat(_encode_integers, b"i", are_short=True),
    bool: ColumnFormat(_encode_booleans, are_short=True),
    str: ColumnFormat(_encode_strings),
    Decimal: ColumnFormat(_encode_decimals),
}


def build_integer_time_format(unit: int) -> ColumnFormat:
    """Return the format of integer timestamps; `unit` is the length of their unit in nanoseconds."""

    def encode(values: Sequence[Any]) -> list[bytes] | None:
        if min(values) * unit < FIRST or max(values) * unit > LAST:
            return None
        return _encode_numbers(values if unit == 1 else [value * unit for value in values])

    return ColumnFormat(encode, are_short=True)


def _encode_times(values: Sequence[Any]) -> list[bytes]:
    return _encode_numbers([to_nanoseconds(value) for value in values])


#: The format of timestamps that are str or `datetime`.
TIME_FORMAT: Final = ColumnFormat(_encode_times, are_short=True)
