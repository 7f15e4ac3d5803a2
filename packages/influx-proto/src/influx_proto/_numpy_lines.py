"""The rows of tables to lines with numpy alone: numbers and booleans, and few tags.

Lines are rows of a matrix of bytes, in which each column of the table has as many as its longest text needs; NULs fill
up the others, and are dropped in the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from ._column_lines import (
    FEW,
    LF,
    LONGEST_NUMBER,
    Choice,
    CodedField,
    ColumnLines,
    Field,
    Line,
    distinct,
    ends_of_numbers,
    integers,
    unusual,
)
from ._escape import SHORT_LINE
from ._slices import Codes, Reader
from ._values import FieldTexts, number_encoder

__all__ = ["NumpyLines"]


class NumpyLines(ColumnLines):
    """Writes the slices of a table; see `ColumnLines`."""

    def _column(self, reader: Reader, start: int, stop: int, texts: FieldTexts | None) -> Any:
        try:
            column = reader.array(start, stop)
        except ImportError:
            column = None  # only Arrow has arrays of such cells
        if isinstance(column, Codes):
            cells, places = distinct(column)
        elif texts is None:
            cells, places = _distinct_texts(reader.cells(start, stop))
        elif isinstance(column, np.ndarray):
            return column
        else:
            raise unusual()
        if len(cells) > FEW:
            raise unusual()
        return cells, places

    def _field(self, column: Any, texts: FieldTexts) -> Field:
        if isinstance(column, tuple):
            cells, places = column
            return CodedField.of([texts.text(cell) for cell in cells], places)
        match column.dtype.kind:
            case "b":
                return CodedField(None, [texts.text(False), texts.text(True)], column.astype(np.int32))
            case "f" if column.dtype == np.float64 and float in texts.natural:
                return _floats(column, texts)
            case "i" | "u":
                values, sign = integers(column, None, texts)
                return _Numbers(None, values, sign) if sign else _floats(values, texts)
            case _:
                raise unusual()

    def _line(self) -> _PaddedLine:
        return _PaddedLine()

    def _add_tag(self, line: _PaddedLine, column: Any, before: bytes, without: bytes) -> None:
        if not isinstance(column, tuple):
            raise unusual()
        cells, places = column
        line.choose(Choice(tuple(self._tag_texts(cells, before, without)), places))

    def _add_times(self, line: _PaddedLine, times: Any) -> None:
        line.add(_numbers(times, LF), LONGEST_NUMBER)


def _distinct_texts(cells: Sequence[Any]) -> tuple[list[Any], Any]:
    """Give the distinct cells of a column of texts, and for each row the place of its cell among them."""
    if not {str, type(None)}.issuperset(map(type, cells)):  # others may equal a text and be written otherwise
        raise unusual()
    known = {cell: place for place, cell in enumerate(dict.fromkeys(cells))}
    return list(known), np.array([known[cell] for cell in cells], np.int32)


class _PaddedLine(Line):
    """Makes lines of matrices of bytes."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[Any] = []

    def joined(self, kept: Any) -> bytes | None:
        if self._longest > SHORT_LINE:
            return None
        matrix = np.empty((len(self._pieces[-1]), sum(piece.shape[-1] for piece in self._pieces)), np.uint8)
        at = 0
        for piece in self._pieces:
            end = at + piece.shape[-1]
            matrix[:, at:end] = piece
            at = end
        return (matrix if kept is None else matrix[kept]).tobytes().translate(None, b"\0")[:-1]

    def _append(self, texts: Any) -> None:
        self._pieces.append(texts)

    def _append_same(self, text: bytes) -> None:
        self._pieces.append(_matrix((text,))[0])

    def _append_choice(self, texts: tuple[bytes, ...], places: Any) -> None:
        self._pieces.append(_matrix(texts)[places])


@lru_cache(maxsize=32)  # nearly all slices of a table have the same texts
def _matrix(texts: tuple[bytes, ...]) -> Any:
    if any(b"\0" in text for text in texts):
        raise unusual()
    width = max(map(len, texts))
    return np.frombuffer(b"".join([text.ljust(width, b"\0") for text in texts]), np.uint8).reshape(len(texts), width)


@dataclass(frozen=True, slots=True)
class _Numbers:
    """A field of numbers."""

    present: Any
    #: Those that are present.
    values: Any
    #: The letter behind integers.
    sign: bytes

    def write(self, line: _PaddedLine, key: bytes, after: Any) -> None:
        """Add the field to a line; see `Field`."""
        present = self.present
        if present is None:
            line.same(key)
        else:
            line.add(_matrix((key,)) * present[:, None], len(key))
            if not isinstance(after, int):
                after = after[present]
        texts = _numbers(self.values, self.sign[0] if self.sign else after)
        if present is not None:
            spread = np.zeros((len(present), texts.shape[1]), np.uint8)
            spread[present] = texts
            texts = spread
        line.add(texts, LONGEST_NUMBER)
        if self.sign:
            line.same(bytes([after])) if isinstance(after, int) else line.add(after[:, None], 1)


def _floats(values: Any, texts: FieldTexts) -> _Numbers:
    finite = np.isfinite(values)
    if finite.all():
        return _Numbers(None, values, b"")
    if not texts.omits_infinite and np.isinf(values).any():
        raise unusual()
    return _Numbers(finite, values[finite], b"")


def _numbers(values: Any, after: Any) -> Any:
    """Give the texts of finite numbers, and the byte after each."""
    if not len(values):
        return np.empty((0, 1), np.uint8)
    data = number_encoder()(values.tolist())
    padded = np.empty(len(data) + LONGEST_NUMBER, np.uint8)
    text = padded[: len(data)]
    text[:] = np.frombuffer(data, np.uint8)
    ends = ends_of_numbers(text, len(values))
    text[ends[1:]] = after
    sizes = np.diff(ends)
    width = int(sizes.max())
    # Of each number so many bytes as the longest has, copied at once; and of these, those that are its own.
    windows = np.ndarray((len(data),), f"V{width}", padded, 0, (1,))
    matrix = windows[ends[:-1] + 1].view(np.uint8).reshape(-1, width)
    matrix &= _masks(width)[sizes]
    return matrix


@lru_cache(maxsize=LONGEST_NUMBER)
def _masks(width: int) -> Any:
    """Give for each size a row that has 255 up to it, and 0 beyond."""
    return np.where(np.arange(width) < np.arange(width + 1)[:, None], np.uint8(255), np.uint8(0))
