"""The rows of tables to lines, all rows of a slice at once and column by column: what the ways to do so have in common.

A line is the series, the fields and the time. Behind each field stands a comma, or a space where the row has no field
after it, so nothing has to be put right at the end where cells are missing. Rows without a field are left out.

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

from ._errors import SerializationError
from ._escape import SUSPICIOUS
from ._points import PointEncoder
from ._slices import Codes, Reader, Slice
from ._time import FIRST, LAST
from ._values import LAST_INTEGER, FieldTexts

__all__ = [
    "COMMA",
    "FEW",
    "LF",
    "LONGEST_NUMBER",
    "Choice",
    "CodedField",
    "ColumnLines",
    "Field",
    "Line",
    "distinct",
    "ends_of_numbers",
    "integers",
    "pairs",
    "unusual",
]

#: Up to so many texts are few beside the rows.
FEW: Final = 1000

#: The longest text of a number, and the byte after it.
LONGEST_NUMBER: Final = 26

COMMA: Final = ord(",")
LF: Final = ord("\n")
_SPACE: Final = ord(" ")

#: Up to here each integer has a float of its own.
_EXACT: Final = 2**53


class Choice(NamedTuple):
    """Few texts, and for each row the place of its own among them."""

    texts: tuple[bytes, ...]
    places: Any


class Line(ABC):
    """Collects what lines consist of, from their beginning to their end: constants, and columns with a text a line.

    What stands beside a choice of few texts is made part of them, since each piece more costs something in each line.
    """

    def __init__(self) -> None:
        self._longest = 0
        #: What comes before the next piece: a choice, and behind it what is the same in all lines.
        self._choice: Choice | None = None
        self._same = b""

    def same(self, text: bytes) -> None:
        """Add what is the same in all lines."""
        self._same += text

    def choose(self, choice: Choice) -> None:
        """Add a choice of texts."""
        texts, places = choice
        before = self._choice
        if before is not None and len(before.texts) * len(texts) > FEW:
            self._take()
            before = None
        if before is None:
            self._choice = Choice(pairs((self._same,), texts, b""), places)
        else:
            places = before.places * np.int32(len(texts)) + places
            self._choice = Choice(pairs(before.texts, texts, self._same), places)
        self._same = b""

    def add(self, texts: Any, longest: int) -> None:
        """Add a column of texts, of which none is longer than said."""
        self._take()
        if self._same:
            self._longest += len(self._same)
            self._append_same(self._same)
            self._same = b""
        self._longest += longest
        self._append(texts)

    @abstractmethod
    def joined(self, kept: Any) -> bytes | None:
        """Give the lines but for the last byte, the last piece being a column; None if one may be too long for that.

        Args:
            kept: which of them; None for all.
        """

    def _take(self) -> None:
        if self._choice is None:
            return
        texts, places = self._choice
        texts = pairs(texts, (b"",), self._same)
        self._choice = None
        self._same = b""
        self._longest += max(map(len, texts))
        self._append_choice(texts, places)

    @abstractmethod
    def _append(self, texts: Any) -> None: ...

    @abstractmethod
    def _append_same(self, text: bytes) -> None: ...

    @abstractmethod
    def _append_choice(self, texts: tuple[bytes, ...], places: Any) -> None: ...


@lru_cache(maxsize=32)  # nearly all slices of a table have the same few texts
def pairs(left: tuple[bytes, ...], right: tuple[bytes, ...], between: bytes) -> tuple[bytes, ...]:
    """Give each text of one kind followed by each of another."""
    return tuple([one + between + other for one in left for other in right])


class Field(Protocol):
    """The cells of a field, to be written behind its key."""

    @property
    def present(self) -> Any:
        """Which cells there are."""

    def write(self, line: Any, key: bytes, after: Any) -> None:
        """Add the field to a line.

        Args:
            line: where it is added.
            key: the field key with the `=`.
            after: the byte that follows in each row, or one for all.
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

    def write(self, line: Line, key: bytes, after: Any) -> None:
        """Add the field to a line; see `Field`."""
        places = self.places
        if isinstance(after, int):
            ends = [bytes([after])]
        else:
            ends = [b",", b" "]
            places = places + np.int32(len(self.texts)) * (after == _SPACE)
        line.choose(
            Choice(tuple([b"" if text is None else key + text + end for end in ends for text in self.texts]), places)
        )


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
            raise unusual()
        self._fields = [(at, *points.fields[name]) for name, at in fields.items()]
        self._texts: dict[int, FieldTexts] = {at: texts for at, _, texts in self._fields}

    def lines(self, rows: Slice) -> tuple[bytes, int] | None:
        """Give the lines of a slice, and how many there are; None if it has to be written row by row."""
        try:
            times = _times(rows)
            columns = [
                self._column(reader, rows.start, rows.stop, self._texts.get(at))
                for at, reader in enumerate(rows.columns)
            ]
            fields = [self._field(columns[at], texts) for at, _, texts in self._fields]
            ends, kept = _bytes_after(fields)
            line = self._line()
            self._add_series(line, columns)
            line.same(b" ")
            for (_, key, _), field, after in zip(self._fields, fields, ends, strict=True):
                field.write(line, key, after)
            self._add_times(line, times)
            data = line.joined(kept)
        except (SerializationError, ImportError):  # the latter where only Arrow has arrays of such cells
            return None
        return None if data is None else (data, len(times) if kept is None else int(kept.sum()))

    @abstractmethod
    def _column(self, reader: Reader, start: int, stop: int, texts: FieldTexts | None) -> Any:
        """Read a column.

        Args:
            reader: the column.
            start: the first row.
            stop: the row after the last.
            texts: how the cells are written; None for those of a tag.
        """

    @abstractmethod
    def _field(self, column: Any, texts: FieldTexts) -> Field: ...

    @abstractmethod
    def _line(self) -> Line: ...

    @abstractmethod
    def _add_tag(self, line: Any, column: Any, before: bytes, without: bytes) -> None: ...

    @abstractmethod
    def _add_times(self, line: Any, times: Any) -> None: ...

    def _add_series(self, line: Line, columns: Sequence[Any]) -> None:
        line.same(self._name)
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
            raise unusual()
        return [without if text is None else before + text for text in texts]


def unusual() -> SerializationError:
    """Make what is raised to give a slice back; nobody sees it."""
    return SerializationError("these have to be looked at one by one")


def distinct(column: Codes) -> tuple[list[Any], Any]:
    """Give the distinct cells of a column, and for each row the place of its cell among them."""
    codes = column.codes.astype(np.intp)
    codes += 1  # from 0 on
    found = np.flatnonzero(np.bincount(codes))
    places = np.zeros(int(found[-1]) + 1, np.int32)
    places[found] = np.arange(len(found))
    return column.cells(found - 1), places[codes]


def integers(values: Any, present: Any, texts: FieldTexts) -> tuple[Any, bytes]:
    """Give integers as they are written, and what follows each: nothing where that is as floats, NaN for missing ones.

    Raises:
        SerializationError: they have to be looked at one by one.
    """
    first, last = int(values.min()), int(values.max())
    match texts.number:
        case "float":
            if max(-first, last) > _EXACT:
                raise unusual()
            return values.astype(np.float64) if present is None else np.where(present, values, np.nan), b""
        case "unsigned" if first >= 0:
            return values, b"u"
        case None | "integer" if last <= LAST_INTEGER:
            return values, b"i"
        case _:
            raise unusual()


def ends_of_numbers(text: Any, count: int) -> Any:
    """Give where each number of a JSON array ends, the `[` before the first of them as well."""
    width, rest = divmod(len(text) - 1, count)
    if not rest and (text[width:-1:width] == COMMA).all():  # all of one length, as times are
        return np.arange(0, len(text), width, dtype=np.int32)
    ends = np.empty(count + 1, np.int32)
    ends[0] = 0
    ends[1:-1] = np.flatnonzero(text == COMMA)
    ends[-1] = len(text) - 1
    return ends


def _times(rows: Slice) -> Any:
    found = rows.times.array(rows.start, rows.stop)
    if found is None:
        raise unusual()
    counts, unit = found
    if int(counts.min()) * unit < FIRST or int(counts.max()) * unit > LAST:
        raise unusual()
    return counts if unit == 1 else counts * unit


def _bytes_after(fields: Sequence[Field]) -> tuple[list[Any], Any]:
    """Give for each field the byte that follows it in each row, or one for all rows; and which rows have a field.

    The latter is None where all have one.
    """
    found: list[Any] = []
    more: Any = False  # whether there are fields after this one
    for field in reversed(fields):
        if isinstance(more, bool):
            found.append(COMMA if more else _SPACE)
        else:
            found.append(np.where(more, np.uint8(COMMA), np.uint8(_SPACE)))
        more = True if more is True or field.present is None else field.present | more
    return found[::-1], None if more is True or more.all() else more
