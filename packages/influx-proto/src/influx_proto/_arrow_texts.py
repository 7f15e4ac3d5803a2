"""Columns to texts, all rows at once, by pyarrow and orjson. Imports both, so it is imported only to write a table.

Texts are Arrow's binary arrays: one buffer with all texts, and where each begins. orjson writes a column of numbers to
one buffer with a comma after each, which is such an array already; and the comma's place is taken by the byte that has
to follow the number in its line. The digits are those that all floats of influx_proto have, only that orjson puts a `+`
before exponents.

What is present of a column is said by an array of booleans, or by None where all cells are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np
import orjson
import pyarrow as pa  # type: ignore[import-untyped]  # it has no types
import pyarrow.compute as pc  # type: ignore[import-untyped]  # as above

from ._escape import SHORT_LINE, STRING_ESCAPED, TAG_ESCAPED, TAG_UNCERTAIN

__all__ = [
    "FEW",
    "Choice",
    "CodedField",
    "Field",
    "Line",
    "at_places",
    "binary",
    "coded_field",
    "compute",
    "distinct",
    "escaped_tags",
    "field_of_texts",
    "float_field",
    "integer_field",
    "is_plain",
    "numbers",
    "string_field",
    "widened",
]

#: Its functions are made when it is imported, so no type checker knows them.
compute: Final[Any] = pc

_COMMA: Final = ord(",")
_BINARY: Final = pa.binary()

#: The longest text of a number, and the byte after it.
_LONGEST_NUMBER: Final = 26

#: Up to so many texts are few beside the rows.
FEW: Final = 1000


class Choice(NamedTuple):
    """Few texts, and for each row the place of its own among them."""

    texts: tuple[bytes, ...]
    places: Any


class Line:
    """Collects what lines consist of, from their beginning to their end: constants, and arrays with a text a line.

    What stands beside a choice of few texts is made part of them, since each piece more costs something in each line.
    """

    def __init__(self) -> None:
        self._pieces: list[Any] = []
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
            self._choice = Choice(_pairs((self._same,), texts, b""), places)
        else:
            places = before.places * np.int32(len(texts)) + places
            self._choice = Choice(_pairs(before.texts, texts, self._same), places)
        self._same = b""

    def add(self, texts: Any, longest: int | None = None) -> None:
        """Add an array of texts; where it is not said how long they can be, it is looked up."""
        self._take()
        if self._same:
            self._append(self._same, len(self._same))
            self._same = b""
        self._append(texts, _longest(texts) if longest is None else longest)

    def joined(self, kept: Any) -> bytes | None:
        """Give the lines but for the last byte, the last piece being an array; None if one may be too long for that.

        Args:
            kept: which of them; None for all.
        """
        if self._longest > SHORT_LINE:
            return None
        lines = compute.binary_join_element_wise(*self._pieces, b"", null_handling="replace", null_replacement="")
        if kept is not None:
            lines = lines.filter(pa.array(kept))
            if not len(lines):
                return b""
        data = lines.buffers()[2]
        found: bytes = data.slice(0, data.size - 1).to_pybytes()
        return found

    def _take(self) -> None:
        if self._choice is None:
            return
        texts, places = self._choice
        texts = _pairs(texts, (b"",), self._same)
        self._choice = None
        self._same = b""
        self._append(at_places(_few(texts), places), max(map(len, texts)))

    def _append(self, piece: Any, longest: int) -> None:
        self._pieces.append(piece)
        self._longest += longest


# Nearly all slices of a table have the same few texts.


@lru_cache(maxsize=32)
def _pairs(left: tuple[bytes, ...], right: tuple[bytes, ...], between: bytes) -> tuple[bytes, ...]:
    return tuple([one + between + other for one in left for other in right])


@lru_cache(maxsize=32)
def _few(texts: tuple[bytes, ...]) -> Any:
    return pa.array(texts, _BINARY)


@dataclass(frozen=True, slots=True)
class Field:
    """The cells of a field, to be written behind its key."""

    #: Which cells there are.
    present: Any
    #: Makes their texts, from the byte that follows each of them (or one for all) and from how many cells are present
    #: before each row (None where all are).
    texts: Callable[[Any, Any], Any]
    #: Whether those bytes are in the texts.
    separated: bool = False
    #: What is on both sides of each text.
    quote: bytes = b""
    longest: int | None = None

    def write(self, line: Line, key: bytes, after: Any) -> None:
        """Add the field to a line.

        Args:
            line: where it is added.
            key: the field key with the `=`.
            after: the byte that follows in each row, or one for all.
        """
        before = None
        if self.present is None:
            line.same(key + self.quote)
        else:
            before = _counted(self.present)
            line.add(_repeated(key + self.quote, before), len(key) + 1)
            if not isinstance(after, int):
                after = after[self.present]
        texts = self.texts(after, before)
        line.add(texts, self.longest)
        if self.separated:
            return
        if before is None and isinstance(after, int):
            line.same(self.quote + bytes([after]))
        else:
            line.add(_ended(self.quote, after, np.arange(len(texts) + 1) if before is None else before), 2)


@dataclass(frozen=True, slots=True)
class CodedField:
    """The cells of a field of which there are few; as `Field`."""

    present: Any
    #: The text of each that there is; None is missing.
    texts: Sequence[bytes | None]
    #: For each row the place of its text.
    places: Any

    def write(self, line: Line, key: bytes, after: Any) -> None:
        """Add the field to a line; see `Field`."""
        places = self.places
        if isinstance(after, int):
            ends = [bytes([after])]
        else:
            ends = [b",", b" "]
            places = places + np.int32(len(self.texts)) * (after == ord(" "))
        line.choose(
            Choice(tuple([b"" if text is None else key + text + end for end in ends for text in self.texts]), places)
        )


def numbers(values: Any, after: Any, before: Any = None) -> Any:
    """Give the texts of finite numbers.

    Args:
        values: the numbers, all present, in one piece.
        after: the byte that is put behind each of them, or one for all.
        before: how many of them are before each row, and all of them; None if there is one in each row.
    """
    if not len(values):
        return pa.nulls(len(before) - 1, _BINARY)
    data = orjson.dumps(values, option=orjson.OPT_SERIALIZE_NUMPY)
    if b"+" in data:
        data = data.replace(b"+", b"")
    text = np.frombuffer(data, np.uint8).copy()
    width, rest = divmod(len(data) - 1, len(values))
    if not rest and (text[width:-1:width] == _COMMA).all():  # all of one length, as times are
        ends = np.arange(0, len(data), width, dtype=np.int32)
    else:
        ends = np.empty(len(values) + 1, np.int32)
        ends[0] = 0
        ends[1:-1] = np.flatnonzero(text == _COMMA)
        ends[-1] = len(text) - 1
    text[ends[1:]] = after
    ends += 1  # where each begins, then
    return _array(text, ends if before is None else ends[before])


def float_field(values: Any) -> Field:
    """Write floats of 64 bits; what is not finite is missing."""
    finite = np.isfinite(values)
    if finite.all():
        return Field(None, lambda after, _: numbers(values, after), separated=True, longest=_LONGEST_NUMBER)
    return Field(
        finite,
        lambda after, before: numbers(values[finite], after, before),
        separated=True,
        longest=_LONGEST_NUMBER,
    )


def widened(values: Any) -> Any:
    """Give floats of 32 bits as those of 64 bits that have the same shortest digits; what is not finite is NaN."""
    finite = np.isfinite(values)
    wide = np.full(len(values), np.nan)
    wide[finite] = orjson.loads(orjson.dumps(values[finite], option=orjson.OPT_SERIALIZE_NUMPY))
    return wide


def integer_field(values: Any, present: Any, sign: bytes) -> Field:
    """Write integers with the letter behind them that tells their type."""
    if present is not None:
        values = values[present]
    return Field(present, lambda _, before: numbers(values, ord(sign), before), longest=_LONGEST_NUMBER)


def string_field(texts: Any) -> Field:
    """Write strings; missing ones are null."""
    present = texts.is_valid().to_numpy(zero_copy_only=False) if texts.null_count else None
    data = _content(texts)
    array = texts
    for sign in STRING_ESCAPED:
        if sign.encode() in data:
            array = compute.replace_substring(array, sign, "\\" + sign)
    return _known(present, array, b'"')


def coded_field(texts: Sequence[bytes | None], places: Any) -> CodedField | Field:
    """Write cells of some distinct texts, each by its place among them; None is missing."""
    present = np.array([text is not None for text in texts])[places] if None in texts else None
    if len(texts) <= FEW:
        return CodedField(present, texts, places)
    return _known(present, at_places(pa.array(texts, _BINARY), places))


def field_of_texts(texts: Sequence[bytes | None]) -> Field:
    """Write cells whose texts are known; None is missing."""
    present = np.array([text is not None for text in texts]) if None in texts else None
    return _known(present, pa.array(texts, _BINARY))


def is_plain(values: Any) -> bool:
    """Whether tag values, which are binary or null, stand for themselves: all there, and nothing to escape."""
    if values.null_count or not np.diff(_ends(values)).all():
        return False
    data = _content(values)
    return not any(sign.encode() in data for sign in TAG_UNCERTAIN + TAG_ESCAPED)


def _known(present: Any, texts: Any, quote: bytes = b"") -> Field:
    return Field(present, lambda _after, _before: texts, quote=quote)


def escaped_tags(values: Any) -> Any | None:
    """Escape tag values, which are binary or null; an empty one is null. None if one has to be looked at."""
    data = _content(values)
    if any(sign.encode() in data for sign in TAG_UNCERTAIN):
        return None
    for sign in TAG_ESCAPED:
        if sign.encode() in data:
            values = compute.replace_substring(values, sign, "\\" + sign)
    return compute.if_else(compute.equal(values, b""), None, values)


def distinct(codes: Any) -> tuple[Any, Any]:
    """Find which codes there are, and for each row the place of its code among them; -1 is a code as well."""
    codes = codes.astype(np.intp)
    codes += 1
    found = np.flatnonzero(np.bincount(codes))
    places = np.zeros(int(found[-1]) + 1, np.int32)
    places[found] = np.arange(len(found))
    return found - 1, places[codes]


def at_places(texts: Any, places: Any) -> Any:
    """Give for each row the text at its place."""
    return texts.take(pa.array(places))


def binary(texts: Any) -> Any:
    """Give texts of any of Arrow's kinds as those all others are here."""
    return texts.cast(_BINARY)


def _content(texts: Any) -> bytes:
    """Give all texts one after the other."""
    ends = _ends(texts)
    data = texts.buffers()[2]
    found: bytes = b"" if data is None else data.slice(ends[0], ends[-1] - ends[0]).to_pybytes()
    return found


def _ends(texts: Any) -> Any:
    return np.frombuffer(texts.buffers()[1], np.int32)[texts.offset : texts.offset + len(texts) + 1]


def _longest(texts: Any) -> int:
    return int(np.diff(_ends(texts)).max())


def _array(text: Any, ends: Any) -> Any:
    return pa.Array.from_buffers(_BINARY, len(ends) - 1, [None, pa.py_buffer(ends), pa.py_buffer(text)])


def _counted(present: Any) -> Any:
    before = np.zeros(len(present) + 1, np.int32)
    np.cumsum(present, out=before[1:])
    return before


def _repeated(text: bytes, before: Any) -> Any:
    return _array(text * int(before[-1]), before * np.int32(len(text)))


def _ended(text: bytes, after: Any, before: Any) -> Any:
    """Give a text followed by a byte of its own for each cell that is present."""
    width = len(text) + 1
    matrix = np.empty((int(before[-1]), width), np.uint8)
    matrix[:, :-1] = np.frombuffer(text, np.uint8)
    matrix[:, -1] = after
    return _array(matrix, before.astype(np.int32) * np.int32(width))
