"""Base classes of the column-wise encoders of tables, which encode all rows of a slice at once.

A line consists of an LF, the series, the fields and the timestamp. Each field is preceded by a comma, or by a space if
it is the first field of its row. So missing cells require no correction afterwards. Rows without a field are omitted.

A boolean array marks the present cells of a column; None means that all cells are present. Slices that are not eligible
for this fast path are encoded row by row, which also raises all errors.

This module imports numpy, so it is imported only when a table is written.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple, Protocol

import numpy as np

from ..._line_protocol.escape import SHORT_LINE, SUSPICIOUS
from ..._line_protocol.values import LAST_INTEGER, FieldValueEncoder
from ..._time import FIRST, LAST
from ..grouping import NotColumnar
from ..points import PointEncoder
from .model import Codes, Reader, Slice
from .split import Lines

#: Limit of distinct values that are encoded individually.
MAX_CHOICES: Final = 1000

#: All integers up to this one have an exact 64-bit float.
_MAX_EXACT_INTEGER: Final = 2**53


class _Choice(NamedTuple):
    """Fragments, and for each line the index of its fragment."""

    fragments: tuple[bytes, ...]
    indices: Any


_NO_CHOICE: Final = _Choice((b"",), np.int32(0))


class LineBuilder(ABC):
    """Collector of the fragments of all lines, from the series to the timestamp.

    Adjacent constants and choices are merged into one choice, since each fragment costs time in each line.
    """

    def __init__(self) -> None:
        #: The maximum length of the fragments before the pending choice.
        self._longest = 0
        #: The pending choice, and the constant after it.
        self._choice = _NO_CHOICE
        self._constant = b""

    def add_constant(self, fragment: bytes) -> None:
        """Add the same fragment to all lines."""
        self._constant += fragment

    def add_choice(self, fragments: tuple[bytes, ...], indices: Any) -> None:
        """Add one of several fragments to each line.

        Args:
            fragments: the fragments.
            indices: for each line the index of its fragment.
        """
        if len(self._choice.fragments) * len(fragments) > MAX_CHOICES:
            self._end_choice()
        before = self._choice
        indices = before.indices * np.int32(len(fragments)) + indices
        self._choice = _Choice(_join_pairs(before.fragments, fragments, self._constant), indices)
        self._constant = b""

    def add_if_present(self, present: Any, fragment: bytes) -> None:
        """Add a fragment to the lines that have a field.

        Args:
            present: the lines that have the field; None for all.
            fragment: the fragment.
        """
        if present is None or not fragment:
            self.add_constant(fragment)
        else:
            self.add_choice((b"", fragment), present)

    def add_key(self, key: bytes, present: Any, earlier: Any) -> None:
        """Add a field key after a comma, or after a space if the field is the first of its line.

        Args:
            key: the key, and everything else up to the value.
            present: the lines that have the field; None for all.
            earlier: the lines that have an earlier field.
        """
        first, later = b" " + key, b"," + key
        if isinstance(earlier, bool):
            self.add_if_present(present, later if earlier else first)
        elif present is None:
            self.add_choice((first, later), earlier)
        else:
            self.add_choice((b"", first, later), present * (earlier + np.int32(1)))

    def add_numbers(self, values: Any, present: Any) -> None:
        """Add numbers.

        Args:
            values: the number of each line.
            present: the lines that have a number; None for all. The values of other lines are ignored.
        """
        self._end_choice()
        self._append_numbers(values, present)

    def check_key_size(self, field_key: int) -> None:
        """Check the size of the series, which are the fragments added so far, together with a field key.

        Args:
            field_key: the length of the longest field key.

        Raises:
            NotColumnar: the size of each series must be checked.
        """
        series = self._longest + max(map(len, self._choice.fragments)) + len(self._constant) - len("\n")
        if series + field_key > SHORT_LINE:
            raise NotColumnar

    def join(self, kept: Any) -> tuple[bytes, Any]:
        """Return the lines without the first LF, and the index after each line, or None if it is unknown.

        Args:
            kept: the lines to return; None for all.
        """
        self._end_choice()
        return self._join(kept)

    def _end_choice(self) -> None:
        fragments, indices = self._choice
        fragments = _join_pairs(fragments, (b"",), self._constant)
        self._choice = _NO_CHOICE
        self._constant = b""
        if fragments != _NO_CHOICE.fragments:
            self._longest += max(map(len, fragments))
            self._append_choice(fragments, indices)

    @abstractmethod
    def _append_choice(self, fragments: tuple[bytes, ...], indices: Any) -> None:
        """Append a choice; if it has only one fragment, `indices` is a single index for all lines."""

    @abstractmethod
    def _append_numbers(self, values: Any, present: Any) -> None: ...

    @abstractmethod
    def _join(self, kept: Any) -> tuple[bytes, Any]: ...


@lru_cache(maxsize=32)  # nearly all slices of a table have the same fragments
def _join_pairs(left: tuple[bytes, ...], right: tuple[bytes, ...], between: bytes) -> tuple[bytes, ...]:
    """Return each left fragment joined with each right fragment."""
    return tuple([first + between + second for first in left for second in right])


class Field(Protocol):
    """The cells of a field."""

    @property
    def present(self) -> Any:
        """The rows that have the field; None for all."""

    def write(self, line: Any, key: bytes, earlier: Any) -> None:
        """Add the field to the lines.

        Args:
            line: the builder of the lines.
            key: the field key, and the `=` after it.
            earlier: the lines that have an earlier field.
        """


@dataclass(frozen=True, slots=True)
class CodedField:
    """Field with a limited number of distinct values."""

    present: Any
    #: The encoded distinct values; None for missing values.
    encoded: Sequence[bytes | None]
    #: For each row the index of its value.
    indices: Any

    @classmethod
    def from_encoded(cls, encoded: Sequence[bytes | None], indices: Any) -> CodedField:
        """Return the field for encoded distinct values and the index of each row."""
        present = np.array([value is not None for value in encoded])[indices] if None in encoded else None
        return cls(present, encoded, indices)

    def write(self, line: LineBuilder, key: bytes, earlier: Any) -> None:
        """Add the field to the lines; see `Field`."""
        line.add_key(key, self.present, earlier)
        line.add_choice(tuple([value or b"" for value in self.encoded]), self.indices)


@dataclass(frozen=True, slots=True)
class NumberField:
    """Field of numbers."""

    present: Any
    #: The number of each row; ignored in rows without the field.
    values: Any
    #: The type suffix of integers.
    suffix: bytes = b""

    @classmethod
    def from_floats(cls, values: Any, encoder: FieldValueEncoder) -> NumberField:
        """Return the field for 64-bit floats, with NaN as missing values.

        Raises:
            NotColumnar: the floats must be encoded one at a time.
        """
        finite = np.isfinite(values)
        if finite.all():
            return cls(None, values)
        if not encoder.omits_infinite and np.isinf(values).any():
            raise NotColumnar
        return cls(finite, values)

    @classmethod
    def from_integers(cls, values: Any, present: Any, encoder: FieldValueEncoder) -> NumberField:
        """Return the field for integers.

        Raises:
            NotColumnar: the integers must be encoded one at a time.
        """
        first, last = int(values.min()), int(values.max())
        match encoder.integer_type:
            case "float":
                if max(-first, last) > _MAX_EXACT_INTEGER:
                    raise NotColumnar
                return cls(present, values.astype(np.float64))
            case "unsigned" if first >= 0:
                return cls(present, values, b"u")
            case None | "integer" if last <= LAST_INTEGER:
                return cls(present, values, b"i")
            case _:
                raise NotColumnar

    def write(self, line: LineBuilder, key: bytes, earlier: Any) -> None:
        """Add the field to the lines; see `Field`."""
        line.add_key(key, self.present, earlier)
        line.add_numbers(self.values, self.present)
        line.add_if_present(self.present, self.suffix)


class SliceEncoder(ABC):
    """Column-wise encoder of the slices of a table.

    Args:
        points: the encoder of single rows.
        measurement: the measurement.
        tags: the positions of the tag columns by name.
        fields: the positions of the field columns by name, in the order of the fields.

    Raises:
        SerializationError: a name cannot be encoded.
        NotColumnar: the names require a check of each line.
    """

    def __init__(
        self, points: PointEncoder, measurement: str, tags: Mapping[str, int], fields: Mapping[str, int]
    ) -> None:
        self._points = points
        self._tags = tags
        self._name, self._keys = points.find_template((measurement, *tags))
        if SUSPICIOUS in self._name + b"".join(before + without for _, before, without in self._keys):
            raise NotColumnar
        self._fields = [(at, *points.fields[name]) for name, at in fields.items()]
        self._longest_key = max(len(key) for _, key, _ in self._fields) - len("=")
        self._encoders: dict[int, FieldValueEncoder] = {at: encoder for at, _, encoder in self._fields}

    def encode(self, rows: Slice) -> Lines | None:
        """Return the lines of a slice, or None if it must be encoded row by row."""
        try:
            times = _read_times(rows)
            columns = [
                self._read_column(reader, rows.start, rows.stop, self._encoders.get(at))
                for at, reader in enumerate(rows.columns)
            ]
            line = self._new_line()
            self._add_series(line, columns)
            line.check_key_size(self._longest_key)
            earlier: Any = False  # the rows that already have a field
            for at, key, encoder in self._fields:
                field = self._make_field(columns[at], encoder)
                field.write(line, key, earlier)
                earlier = True if earlier is True or field.present is None else field.present | earlier
            kept = None if earlier is True or earlier.all() else earlier
            line.add_constant(b" ")
            line.add_numbers(times, None)
            data, ends = line.join(kept)
        except Exception:  # noqa: BLE001 - the libraries raise any class; encoding row by row finds the error
            return None
        return Lines(data, len(times) if kept is None else int(kept.sum()), ends)

    @abstractmethod
    def _read_column(self, reader: Reader, start: int, stop: int, encoder: FieldValueEncoder | None) -> Any:
        """Read a column.

        Args:
            reader: the column.
            start: the first row.
            stop: the row after the last.
            encoder: the encoder of the field's values; None for a tag.
        """

    @abstractmethod
    def _make_field(self, column: Any, encoder: FieldValueEncoder) -> Field: ...

    @abstractmethod
    def _new_line(self) -> LineBuilder: ...

    @abstractmethod
    def _add_tag(self, line: Any, column: Any, before: bytes, without: bytes) -> None: ...

    def _add_series(self, line: LineBuilder, columns: Sequence[Any]) -> None:
        line.add_constant(b"\n" + self._name)
        for key, before, without in self._keys:
            at = self._tags.get(key)
            if at is None:
                line.add_constant(without)
            else:
                self._add_tag(line, columns[at], before, without)

    def _encode_tags(self, values: Iterable[Any], before: bytes, without: bytes) -> list[bytes]:
        """Return the encoded tags for some tag values: `before` and the value, or `without` for a missing value."""
        encoded = [self._points.encode_tag(value) for value in values]
        if any(value is not None and SUSPICIOUS in value for value in encoded):
            raise NotColumnar
        return [without if value is None else before + value for value in encoded]


def make_array_field(column: Any, encoder: FieldValueEncoder) -> Field:
    """Return the field for a numpy array of booleans, integers or 64-bit floats; masked cells are missing.

    Raises:
        NotColumnar: the cells must be encoded one at a time.
    """
    values, present = (column.data, ~column.mask) if isinstance(column, np.ma.MaskedArray) else (column, None)
    match values.dtype.kind:
        case "b":
            encoded = [encoder.encode(False), encoder.encode(True)]
            if present is None:
                return CodedField(None, encoded, values)
            return CodedField(present, [*encoded, None], np.where(present, values, np.int32(2)))
        case "i" | "u":
            return NumberField.from_integers(values, present, encoder)
        case "f" if values.dtype == np.float64 and float in encoder.default_types:
            return NumberField.from_floats(values, encoder)
        case _:
            raise NotColumnar


def find_distinct(column: Codes) -> tuple[list[Any], Any]:
    """Return the distinct cells of a column, and for each row the index of its cell among them."""
    codes = column.codes.astype(np.intp)
    codes += 1  # bincount requires non-negative integers
    used = np.flatnonzero(np.bincount(codes))
    indices = np.zeros(int(used[-1]) + 1, np.int32)
    indices[used] = np.arange(len(used))
    return column.cells(used - 1), indices[codes]


def _read_times(rows: Slice) -> Any:
    times = rows.times.array(rows.start, rows.stop)
    if times is None:
        raise NotColumnar
    counts, unit = times
    if int(counts.min()) * unit < FIRST or int(counts.max()) * unit > LAST:
        raise NotColumnar
    return counts if unit == 1 else counts * unit
