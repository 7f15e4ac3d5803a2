"""The rows of tables to lines, all rows of a slice at once and column by column: what the ways to do so have in common.

A line is an LF, the series, the fields and the time. Before each field stands a comma, or a space where the row has no
field before it, so nothing has to be put right at the end where cells are missing. Rows without a field are left out.

What is present of a column is said by an array of booleans, or by None where all cells are. What is out of the ordinary
is given back, to be written row by row: what an error is, is not decided here.

Imports numpy, so it is imported only to write a table.
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

#: Up to so many texts are few beside the rows.
FEW: Final = 1000

#: The longest text of a number.
_LONGEST_NUMBER: Final = 25

#: Up to here each integer has a float of its own.
_EXACT: Final = 2**53


class _Choice(NamedTuple):
    """Few texts, and for each line the place of its own among them."""

    texts: tuple[bytes, ...]
    places: Any


_NO_CHOICE: Final = _Choice((b"",), np.int32(0))


class Line(ABC):
    """Collects what lines consist of, from their beginning to their end: pieces, each a text for each line.

    What of them are constants and choices of few texts, and beside each other, is made one choice, since each piece
    costs something in each line.
    """

    def __init__(self) -> None:
        self._longest = 0
        #: What comes before the next piece: a choice, and behind it what is the same in all lines.
        self._choice = _NO_CHOICE
        self._same = b""

    def same(self, text: bytes) -> None:
        """Add what is the same in all lines."""
        self._same += text

    def choose(self, texts: tuple[bytes, ...], places: Any) -> None:
        """Add a choice of texts.

        Args:
            texts: the texts.
            places: for each line the place of its own among them.
        """
        if len(self._choice.texts) * len(texts) > FEW:
            self._end_choice()
        before = self._choice
        places = before.places * np.int32(len(texts)) + places
        self._choice = _Choice(_pairs(before.texts, texts, self._same), places)
        self._same = b""

    def where(self, present: Any, text: bytes) -> None:
        """Add a text to some lines.

        Args:
            present: which; None for all.
            text: the text.
        """
        if present is None or not text:
            self.same(text)
        else:
            self.choose((b"", text), present)

    def key(self, key: bytes, present: Any, earlier: Any) -> None:
        """Add the key of a field, and what stands before it: a comma, or a space where it is the first of its line.

        Args:
            key: the key with all up to the value.
            present: the lines that have the field; None for all.
            earlier: those that have one before it.
        """
        first, later = b" " + key, b"," + key
        if isinstance(earlier, bool):
            self.where(present, later if earlier else first)
        elif present is None:
            self.choose((first, later), earlier)
        else:
            self.choose((b"", first, later), present * (earlier + np.int32(1)))

    def numbers(self, values: Any, present: Any) -> None:
        """Add numbers.

        Args:
            values: the number of each line.
            present: the lines that it is added to; None for all. The values of the others are not looked at.
        """
        self._end_choice()
        self._longest += _LONGEST_NUMBER
        self._add_numbers(values, present)

    def joined(self, kept: Any) -> bytes | None:
        """Give the lines but for their first byte; None if one may be too long for that.

        Args:
            kept: which of them; None for all.
        """
        self._end_choice()
        return None if self._longest > SHORT_LINE else self._joined(kept)

    def _end_choice(self) -> None:
        texts, places = self._choice
        texts = _pairs(texts, (b"",), self._same)
        self._choice = _NO_CHOICE
        self._same = b""
        if texts != _NO_CHOICE.texts:
            self._longest += max(map(len, texts))
            self._add_choice(texts, places)

    @abstractmethod
    def _add_choice(self, texts: tuple[bytes, ...], places: Any) -> None:
        """Add a piece of few texts; if there is only one, it has one place for all lines."""

    @abstractmethod
    def _add_numbers(self, values: Any, present: Any) -> None: ...

    @abstractmethod
    def _joined(self, kept: Any) -> bytes: ...


@lru_cache(maxsize=32)  # nearly all slices of a table have the same few texts
def _pairs(left: tuple[bytes, ...], right: tuple[bytes, ...], between: bytes) -> tuple[bytes, ...]:
    """Give each text of one kind followed by each of another."""
    return tuple([one + between + other for one in left for other in right])


class Field(Protocol):
    """The cells of a field."""

    @property
    def present(self) -> Any:
        """Which cells there are."""

    def write(self, line: Any, key: bytes, earlier: Any) -> None:
        """Add the field to lines.

        Args:
            line: where it is added.
            key: the field key with the `=`.
            earlier: the lines that have a field before it.
        """


@dataclass(frozen=True, slots=True)
class CodedField:
    """The cells of a field of which there are few."""

    present: Any
    #: The text of each that there is; None is missing.
    texts: Sequence[bytes | None]
    #: For each row the place of its text.
    places: Any

    @classmethod
    def of(cls, texts: Sequence[bytes | None], places: Any) -> CodedField:
        """Make one of texts and places."""
        present = np.array([text is not None for text in texts])[places] if None in texts else None
        return cls(present, texts, places)

    def write(self, line: Line, key: bytes, earlier: Any) -> None:
        """Add the field to lines; see `Field`."""
        line.key(key, self.present, earlier)
        line.choose(tuple([text or b"" for text in self.texts]), self.places)


@dataclass(frozen=True, slots=True)
class Numbers:
    """The cells of a field of numbers."""

    present: Any
    #: A number for each row; those of the rows that have none are not looked at.
    values: Any
    #: The letter behind integers that tells their type.
    sign: bytes = b""

    @classmethod
    def floats(cls, values: Any, texts: FieldValueEncoder) -> Numbers:
        """Make one of floats of 64 bits, of which NaN are missing.

        Raises:
            NotColumnar: they have to be encoded one at a time.
        """
        finite = np.isfinite(values)
        if finite.all():
            return cls(None, values)
        if not texts.omits_infinite and np.isinf(values).any():
            raise NotColumnar
        return cls(finite, values)

    @classmethod
    def integers(cls, values: Any, present: Any, texts: FieldValueEncoder) -> Numbers:
        """Make one of integers.

        Raises:
            NotColumnar: they have to be encoded one at a time.
        """
        first, last = int(values.min()), int(values.max())
        match texts.integer_type:
            case "float":
                if max(-first, last) > _EXACT:
                    raise NotColumnar
                return cls(present, values.astype(np.float64))
            case "unsigned" if first >= 0:
                return cls(present, values, b"u")
            case None | "integer" if last <= LAST_INTEGER:
                return cls(present, values, b"i")
            case _:
                raise NotColumnar

    def write(self, line: Line, key: bytes, earlier: Any) -> None:
        """Add the field to lines; see `Field`."""
        line.key(key, self.present, earlier)
        line.numbers(self.values, self.present)
        line.where(self.present, self.sign)


class ColumnLines(ABC):
    """Writes the slices of a table.

    Args:
        points: how each row is written by itself.
        measurement: the measurement.
        tags: by name, the places of the columns that are tags.
        fields: the same for fields, in their order.

    Raises:
        SerializationError: the names cannot be written, or not without looking at each row.
    """

    def __init__(
        self, points: PointEncoder, measurement: str, tags: Mapping[str, int], fields: Mapping[str, int]
    ) -> None:
        self._points = points
        self._tags = tags
        self._name, self._keys = points.shape((measurement, *tags))
        if SUSPICIOUS in self._name + b"".join(before + without for _, before, without in self._keys):
            raise NotColumnar
        self._fields = [(at, *points.fields[name]) for name, at in fields.items()]
        self._texts: dict[int, FieldValueEncoder] = {at: texts for at, _, texts in self._fields}

    def lines(self, rows: Slice) -> tuple[bytes, int] | None:
        """Give the lines of a slice, and how many there are; None if it has to be written row by row."""
        try:
            times = _times(rows)
            columns = [
                self._column(reader, rows.start, rows.stop, self._texts.get(at))
                for at, reader in enumerate(rows.columns)
            ]
            line = self._line()
            self._add_series(line, columns)
            earlier: Any = False  # the rows that have a field already
            for at, key, texts in self._fields:
                field = self._field(columns[at], texts)
                field.write(line, key, earlier)
                earlier = True if earlier is True or field.present is None else field.present | earlier
            kept = None if earlier is True or earlier.all() else earlier
            line.same(b" ")
            line.numbers(times, None)
            data = line.joined(kept)
        except Exception:  # noqa: BLE001 - whatever a library raises, the rows say what is an error
            return None
        return None if data is None else (data, len(times) if kept is None else int(kept.sum()))

    @abstractmethod
    def _column(self, reader: Reader, start: int, stop: int, texts: FieldValueEncoder | None) -> Any:
        """Read a column.

        Args:
            reader: the column.
            start: the first row.
            stop: the row after the last.
            texts: how the cells are written; None for those of a tag.
        """

    @abstractmethod
    def _field(self, column: Any, texts: FieldValueEncoder) -> Field: ...

    @abstractmethod
    def _line(self) -> Line: ...

    @abstractmethod
    def _add_tag(self, line: Any, column: Any, before: bytes, without: bytes) -> None: ...

    def _add_series(self, line: Line, columns: Sequence[Any]) -> None:
        line.same(b"\n" + self._name)
        for key, before, without in self._keys:
            at = self._tags.get(key)
            if at is None:
                line.same(without)
            else:
                self._add_tag(line, columns[at], before, without)

    def _tag_texts(self, values: Iterable[Any], before: bytes, without: bytes) -> list[bytes]:
        """Give what stands in a line for each of some values of a tag."""
        texts = [self._points.tag_text(value) for value in values]
        if any(text is not None and SUSPICIOUS in text for text in texts):
            raise NotColumnar
        return [without if text is None else before + text for text in texts]


def field_of_array(column: Any, texts: FieldValueEncoder) -> Field:
    """Make a field of an array of numpy with booleans, integers or floats of 64 bits; what is masked is missing.

    Raises:
        NotColumnar: the cells have to be encoded one at a time.
    """
    values, present = (column.data, ~column.mask) if isinstance(column, np.ma.MaskedArray) else (column, None)
    match values.dtype.kind:
        case "b":
            found = [texts.encode(False), texts.encode(True)]
            if present is None:
                return CodedField(None, found, values)
            return CodedField(present, [*found, None], np.where(present, values, np.int32(2)))
        case "i" | "u":
            return Numbers.integers(values, present, texts)
        case "f" if values.dtype == np.float64 and float in texts.default_types:
            return Numbers.floats(values, texts)
        case _:
            raise NotColumnar


def distinct(column: Codes) -> tuple[list[Any], Any]:
    """Give the distinct cells of a column, and for each row the place of its cell among them."""
    codes = column.codes.astype(np.intp)
    codes += 1  # from 0 on
    found = np.flatnonzero(np.bincount(codes))
    places = np.zeros(int(found[-1]) + 1, np.int32)
    places[found] = np.arange(len(found))
    return column.cells(found - 1), places[codes]


def _times(rows: Slice) -> Any:
    found = rows.times.array(rows.start, rows.stop)
    if found is None:
        raise NotColumnar
    counts, unit = found
    if int(counts.min()) * unit < FIRST or int(counts.max()) * unit > LAST:
        raise NotColumnar
    return counts if unit == 1 else counts * unit
