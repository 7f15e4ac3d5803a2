"""The columns of a run of points: values to texts, and the texts of all columns to lines."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple, TypeAlias

from .._line_protocol.escape import SHORT_LINE, string_value
from .._line_protocol.options import FieldOptions
from .._line_protocol.values import FieldValueEncoder, number_encoder
from .._time import FIRST, LAST, to_nanoseconds
from .grouping import classes_of

#: Gives the texts of values that are all of one class; None if one of them has to be looked at.
_ValueEncoder: TypeAlias = Callable[[Sequence[Any]], Sequence[bytes] | None]


class ColumnFormat(NamedTuple):
    """How many values of one class become texts."""

    texts: _ValueEncoder
    #: What stands behind each text.
    after: bytes = b""
    #: The same where values are missing though they are of the class: their texts are nothing.
    sparse: _ValueEncoder | None = None
    #: How many bytes a text can have; None where there is no telling.
    longest: int | None = None


class Column(NamedTuple):
    """The texts of an attribute, or of a key, in each of many points."""

    texts: Sequence[bytes]
    #: What stands around each text; None where it is with the texts, which then are nothing where a value is missing.
    around: tuple[bytes, bytes] | None = None
    #: How many bytes a text can have; None where there is no telling.
    longest: int | None = None


def read_column(
    values: Sequence[Any],
    at_once: Mapping[type, ColumnFormat],
    before: bytes,
    whole: Callable[[Any], bytes],
    *,
    may_lack: bool = True,
) -> Column:
    """Turn values to texts.

    Args:
        values: the values.
        at_once: for classes of values that are expected, how they become texts.
        before: what stands before each text.
        whole: gives the text of any value, with what is around it.
        may_lack: whether there is just nothing where a value is None.

    Raises:
        SerializationError: a value cannot be written.
    """
    kinds = classes_of(values)
    lacks = may_lack and len(kinds) == 2 and type(None) in kinds
    if lacks:
        kinds.remove(type(None))
    if len(kinds) == 1 and (expected := at_once.get(kinds.pop())) is not None:
        found = [value for value in values if value is not None] if lacks else values
        texts = expected.texts(found)
        if texts is not None and not lacks:
            return Column(texts, (before, expected.after), expected.longest)
        if texts is None and expected.sparse is not None:
            texts = expected.sparse(found)
        if texts is not None:
            rest = iter(texts)
            if lacks:
                texts = [b"" if value is None else next(rest) for value in values]
            after = expected.after
            return Column([before + text + after if text else b"" for text in texts])
    return Column([whole(value) for value in values])


def line_columns(series: Sequence[bytes], fields: Sequence[Column], time: Column | None) -> LineColumns | None:
    """Give all that lines consist of, column by column; None if a point has no field."""
    if not fields:
        return None
    line = LineColumns()
    line.add(Column(series))
    line.end = b" "
    first = next((n for n, field in enumerate(fields) if field.around is not None), None)
    if first is None:
        joined = [b"".join(pieces) for pieces in zip(*(field.texts for field in fields), strict=True)]
        if b"" in joined:
            return None
        line.add(Column([pieces[1:] for pieces in joined]))
    else:
        # The first field that all points have settles on which side of the others their commas are.
        for n, field in enumerate(fields):
            if n < first:
                line.add(Column([piece[1:] + b"," if piece else b"" for piece in field.texts]))
            elif n == first and field.around is not None:
                line.add(field._replace(around=(field.around[0][1:], field.around[1])))
            else:
                line.add(field)
    if time is not None:
        line.add(time)
    return line


class LineColumns:
    """All that lines consist of: columns, and what is the same in all lines before each of them and at the end."""

    __slots__ = ("columns", "end")

    def __init__(self) -> None:
        self.columns: list[tuple[bytes, Column]] = []
        self.end = b""

    def add(self, column: Column) -> None:
        """Add a column."""
        before, after = column.around or (b"", b"")
        self.columns.append((self.end + before, column))
        self.end = after

    def are_short(self) -> bool:
        """Whether no line can be so long that it has to be looked at."""
        longest = len(self.end)
        for before, column in self.columns:
            longest += len(before) + (max(map(len, column.texts)) if column.longest is None else column.longest)
        return longest <= SHORT_LINE

    def pieces(self) -> tuple[list[bytes], int]:
        """Give what the lines are joined of, an LF behind each of them, and how many pieces a line has."""
        line: list[bytes] = []
        places = []
        for before, _ in self.columns:
            if before:
                line.append(before)
            places.append(len(line))
            line.append(b"")
        line.append(self.end + b"\n")
        width = len(line)
        pieces = line * len(self.columns[0][1].texts)
        for place, (_, column) in zip(places, self.columns, strict=True):
            pieces[place::width] = column.texts
        return pieces, width


def joined_lines(line: LineColumns) -> bytes | None:
    """Give the lines with LFs between them; None if one may be so long that it has to be looked at."""
    pieces, _ = line.pieces()
    pieces[-1] = line.end
    data = b"".join(pieces)
    return data if len(data) <= SHORT_LINE or line.are_short() else None


def separate_lines(line: LineColumns) -> list[bytes] | None:
    """Give the lines each by itself; None if one may be so long that it has to be looked at."""
    if not line.are_short():
        return None
    pieces, width = line.pieces()
    pieces[width - 1 :: width] = [line.end] * (len(pieces) // width)
    return [b"".join(pieces[at : at + width]) for at in range(0, len(pieces), width)]


def _numbers(values: Sequence[Any]) -> list[bytes]:
    return number_encoder()(values)[1:-1].split(b",")


def _floats(values: Sequence[Any]) -> list[bytes] | None:
    data = number_encoder()(values)
    return None if b"n" in data else data[1:-1].split(b",")  # `null` stands for NaN, and for what is infinite


def _sparse_floats(values: Sequence[Any]) -> list[bytes] | None:
    if math.inf in values or -math.inf in values:
        return None
    return number_encoder()(values)[1:-1].replace(b"null", b"").split(b",")


def _integers(values: Sequence[Any]) -> list[bytes] | None:
    try:
        struct.pack(f"{len(values)}q", *values)  # nothing else finds integers of more than 64 bits as fast
    except struct.error:
        return None
    return _numbers(values)


def _strings(values: Sequence[Any]) -> list[bytes]:
    return [string_value(value) for value in values]


def _booleans(values: Sequence[Any]) -> list[bytes]:
    return [b"true" if value else b"false" for value in values]


def _decimals(values: Sequence[Any]) -> list[bytes] | None:
    return [_decimal(value) for value in values] if all(value.is_finite() for value in values) else None


_decimal: Final[Callable[[Any], Any]] = FieldValueEncoder(FieldOptions()).encode

#: How fields are written whose type is that of their values.
FIELDS: Final[Mapping[type, ColumnFormat]] = {
    float: ColumnFormat(_floats, sparse=_sparse_floats, longest=25),
    int: ColumnFormat(_integers, b"i", longest=20),
    bool: ColumnFormat(_booleans, longest=5),
    str: ColumnFormat(_strings),
    Decimal: ColumnFormat(_decimals),
}


def integer_times(unit: int) -> ColumnFormat:
    """Give how times are written that are integers of a unit, which is in nanoseconds."""

    def texts(values: Sequence[Any]) -> list[bytes] | None:
        if min(values) * unit < FIRST or max(values) * unit > LAST:
            return None
        return _numbers(values if unit == 1 else [value * unit for value in values])

    return ColumnFormat(texts, longest=20)


def _times(values: Sequence[Any]) -> list[bytes]:
    return _numbers([to_nanoseconds(value) for value in values])


#: How times are written that are text or a `datetime`.
TIMES: Final = ColumnFormat(_times, longest=20)
