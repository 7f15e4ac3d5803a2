"""The rows of tables to lines with numpy alone: numbers and booleans, and few tags.

Lines are written as one JSON array of numbers and of the texts between them, and in the end the array's own bytes are
dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import compress
from typing import Any, Final

import msgspec
import numpy as np

from ..._line_protocol.values import FieldValueEncoder, number_encoder
from ..grouping import NotColumnar
from .model import Codes, Reader
from .vectorized import FEW, CodedField, ColumnLines, Field, Line, distinct, field_of_array


class NumpyLines(ColumnLines):
    """Writes the slices of a table; see `ColumnLines`."""

    def _column(self, reader: Reader, start: int, stop: int, texts: FieldValueEncoder | None) -> Any:
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
            raise NotColumnar
        if len(cells) > FEW:
            raise NotColumnar
        return cells, places

    def _field(self, column: Any, texts: FieldValueEncoder) -> Field:
        if isinstance(column, tuple):
            cells, places = column
            return CodedField.of([texts.encode(cell) for cell in cells], places)
        return field_of_array(column, texts)

    def _line(self) -> _JsonLine:
        return _JsonLine()

    def _add_tag(self, line: _JsonLine, column: Any, before: bytes, without: bytes) -> None:
        cells, places = column
        line.choose(tuple(self._tag_texts(cells, before, without)), places)


def _distinct_texts(cells: Sequence[Any]) -> tuple[list[Any], Any]:
    """Give the distinct cells of a column of texts, and for each row the place of its cell among them."""
    if not {str, type(None)}.issuperset(map(type, cells)):  # others may equal a text and be written otherwise
        raise NotColumnar
    known = {cell: place for place, cell in enumerate(dict.fromkeys(cells))}
    return list(known), np.array([known[cell] for cell in cells], np.int32)


class _JsonLine(Line):
    """Makes lines of a JSON array of numbers, with the texts between them in it as they are."""

    def __init__(self) -> None:
        super().__init__()
        #: Each a list with what there is in each line, or one text for all.
        self._pieces: list[Any] = []

    def _add_choice(self, texts: tuple[bytes, ...], places: Any) -> None:
        raw = _raw(texts)
        self._pieces.append(raw[0] if len(texts) == 1 else raw[places].tolist())

    def _add_numbers(self, values: Any, present: Any) -> None:
        cells = values.tolist()
        if present is not None:
            for at in np.flatnonzero(~present).tolist():
                cells[at] = _NOTHING
        self._pieces.append(cells)

    def _joined(self, kept: Any) -> bytes:
        columns = self._pieces
        if kept is not None:
            kept = kept.tolist()
            columns = [list(compress(each, kept)) if isinstance(each, list) else each for each in columns]
        count = len(columns[-1])
        if not count:
            return b""
        everything = columns * count
        for at, column in enumerate(columns):
            if isinstance(column, list):
                everything[at :: len(columns)] = column
        everything[0] = msgspec.Raw(bytes(everything[0])[1:])
        return number_encoder()(everything).translate(_SHOWN, _JSON)


#: An array's own bytes, and what stands for them in texts until these are dropped: bytes that UTF-8 has not.
_JSON: Final = b"[],"
_HIDING: Final = b"\xfd\xfe\xff"
_HIDDEN: Final = bytes.maketrans(_JSON, _HIDING)
_SHOWN: Final = bytes.maketrans(_HIDING, _JSON)

_NOTHING: Final = msgspec.Raw()


@lru_cache(maxsize=32)  # nearly all slices of a table have the same texts
def _raw(texts: tuple[bytes, ...]) -> Any:
    return np.fromiter([msgspec.Raw(text.translate(_HIDDEN)) for text in texts], object, len(texts))
