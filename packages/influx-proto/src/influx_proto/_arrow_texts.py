"""Columns to texts, all rows at once, by pyarrow and orjson. Imports both, so it is imported only to write a table.

Texts are Arrow's binary arrays: one buffer with all texts, and where each begins. orjson writes a column of numbers to
one buffer with a comma after each, which is such an array already; and the comma's place is taken by the byte that has
to follow the number in its line. The digits are those that all floats of influx_proto have, only that orjson puts a `+`
before exponents.

"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
import orjson
import pyarrow as pa  # type: ignore[import-untyped]  # it has no types
import pyarrow.compute as pc  # type: ignore[import-untyped]  # as above

from ._column_lines import FEW, LONGEST_NUMBER, CodedField, Field, Line, ends_of_numbers
from ._escape import SHORT_LINE, STRING_ESCAPED, TAG_ESCAPED, TAG_UNCERTAIN

__all__ = [
    "ArrowLine",
    "at_places",
    "binary",
    "coded_field",
    "compute",
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

_BINARY: Final = pa.binary()


class ArrowLine(Line):
    """Makes lines of arrays of texts."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[Any] = []

    def joined(self, kept: Any) -> bytes | None:
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

    def add_unmeasured(self, texts: Any) -> None:
        """Add a column of texts, and look up how long they are."""
        self.add(texts, int(np.diff(_ends(texts)).max()))

    def _append(self, texts: Any) -> None:
        self._pieces.append(texts)

    def _append_same(self, text: bytes) -> None:
        self._pieces.append(text)

    def _append_choice(self, texts: tuple[bytes, ...], places: Any) -> None:
        self._pieces.append(at_places(_array_of(texts), places))


@lru_cache(maxsize=32)  # nearly all slices of a table have the same few texts
def _array_of(texts: tuple[bytes, ...]) -> Any:
    return pa.array(texts, _BINARY)


@dataclass(frozen=True, slots=True)
class ArrowField:
    """The cells of a field as an array of texts."""

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

    def write(self, line: ArrowLine, key: bytes, after: Any) -> None:
        """Add the field to a line; see `Field`."""
        before = None
        if self.present is None:
            line.same(key + self.quote)
        else:
            before = _counted(self.present)
            line.add(_repeated(key + self.quote, before), len(key) + 1)
            if not isinstance(after, int):
                after = after[self.present]
        texts = self.texts(after, before)
        if self.longest is None:
            line.add_unmeasured(texts)
        else:
            line.add(texts, self.longest)
        if self.separated:
            return
        if before is None and isinstance(after, int):
            line.same(self.quote + bytes([after]))
        else:
            line.add(_ended(self.quote, after, np.arange(len(texts) + 1) if before is None else before), 2)


def numbers(values: Any, after: Any, before: Any = None) -> Any:
    """Give the texts of finite numbers.

    Args:
        values: the numbers, all present.
        after: the byte that is put behind each of them, or one for all.
        before: how many of them are before each row, and all of them; None if there is one in each row.
    """
    if not len(values):
        return pa.nulls(len(before) - 1, _BINARY)
    data = orjson.dumps(np.ascontiguousarray(values), option=orjson.OPT_SERIALIZE_NUMPY)
    if b"+" in data:
        data = data.replace(b"+", b"")
    text = np.frombuffer(data, np.uint8).copy()
    ends = ends_of_numbers(text, len(values))
    text[ends[1:]] = after
    ends += 1  # where each begins, then
    return _array(text, ends if before is None else ends[before])


def float_field(values: Any) -> ArrowField:
    """Write floats of 64 bits; what is not finite is missing."""
    finite = np.isfinite(values)
    if finite.all():
        return ArrowField(None, lambda after, _: numbers(values, after), separated=True, longest=LONGEST_NUMBER)
    return ArrowField(
        finite,
        lambda after, before: numbers(values[finite], after, before),
        separated=True,
        longest=LONGEST_NUMBER,
    )


def widened(values: Any) -> Any:
    """Give floats of 32 bits as those of 64 bits that have the same shortest digits; what is not finite is NaN."""
    finite = np.isfinite(values)
    wide = np.full(len(values), np.nan)
    wide[finite] = orjson.loads(orjson.dumps(values[finite], option=orjson.OPT_SERIALIZE_NUMPY))
    return wide


def integer_field(values: Any, present: Any, sign: bytes) -> ArrowField:
    """Write integers with the letter behind them that tells their type."""
    if present is not None:
        values = values[present]
    return ArrowField(present, lambda _, before: numbers(values, ord(sign), before), longest=LONGEST_NUMBER)


def string_field(texts: Any) -> ArrowField:
    """Write strings; missing ones are null."""
    present = texts.is_valid().to_numpy(zero_copy_only=False) if texts.null_count else None
    data = _content(texts)
    array = texts
    for sign in STRING_ESCAPED:
        if sign.encode() in data:
            array = compute.replace_substring(array, sign, "\\" + sign)
    return _known(present, array, b'"')


def coded_field(texts: Sequence[bytes | None], places: Any) -> Field:
    """Write cells of some distinct texts, each by its place among them; None is missing."""
    field = CodedField.of(texts, places)
    return field if len(texts) <= FEW else _known(field.present, at_places(pa.array(texts, _BINARY), places))


def field_of_texts(texts: Sequence[bytes | None]) -> ArrowField:
    """Write cells whose texts are known; None is missing."""
    present = np.array([text is not None for text in texts]) if None in texts else None
    return _known(present, pa.array(texts, _BINARY))


def is_plain(values: Any) -> bool:
    """Whether tag values, which are binary or null, stand for themselves: all there, and nothing to escape."""
    if values.null_count or not np.diff(_ends(values)).all():
        return False
    data = _content(values)
    return not any(sign.encode() in data for sign in TAG_UNCERTAIN + TAG_ESCAPED)


def _known(present: Any, texts: Any, quote: bytes = b"") -> ArrowField:
    return ArrowField(present, lambda _after, _before: texts, quote=quote)


def escaped_tags(values: Any) -> Any | None:
    """Escape tag values, which are binary or null; an empty one is null. None if one has to be looked at."""
    data = _content(values)
    if any(sign.encode() in data for sign in TAG_UNCERTAIN):
        return None
    for sign in TAG_ESCAPED:
        if sign.encode() in data:
            values = compute.replace_substring(values, sign, "\\" + sign)
    return compute.if_else(compute.equal(values, b""), None, values)


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
