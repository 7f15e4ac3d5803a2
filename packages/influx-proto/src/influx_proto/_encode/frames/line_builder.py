"""Builder of the lines of a slice, and the fields that are added to them.

A line consists of an LF, the series, the fields and the timestamp. Each field is preceded by a comma, or by a space if
it is the first field of its row. So missing cells require no correction afterwards.

A boolean array marks the present cells of a column; None means that all cells are present.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple, Protocol

import numpy as np

from ..._line_protocol.escape import SHORT_LINE
from ..._line_protocol.values import LAST_INTEGER, FieldValueEncoder
from ..grouping import NotColumnar

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

    def add_block(self, keys: Sequence[bytes], block: NumberField, earlier: Any) -> None:
        """Add several fields of numbers.

        Args:
            keys: the key of each field, and the `=` after it.
            block: the numbers with a column for each field.
            earlier: the lines that have an earlier field.
        """
        for at, key in enumerate(keys):
            present = None if block.present is None or block.present[:, at].all() else block.present[:, at]
            NumberField(present, block.values[:, at], block.suffix).write(self, key, earlier)
            earlier = True if earlier is True or present is None else present | earlier

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
        case _:
            return make_number_field(values, present, encoder)


def make_number_field(values: Any, present: Any, encoder: FieldValueEncoder) -> NumberField:
    """Return the field for a numpy array of numbers, or several fields for an array with several columns.

    Raises:
        NotColumnar: the numbers must be encoded one at a time.
    """
    match values.dtype.kind:
        case "i" | "u":
            return NumberField.from_integers(values, present, encoder)
        case "f" if values.dtype == np.float64 and float in encoder.default_types:
            return NumberField.from_floats(values, encoder)
        case _:
            raise NotColumnar
