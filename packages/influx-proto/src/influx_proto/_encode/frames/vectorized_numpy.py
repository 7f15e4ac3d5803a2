"""Column-wise encoder of tables with numpy: fields of numbers and booleans, and tags with few distinct values.

msgspec encodes all lines as one JSON array of numbers and of raw fragments between them. Then the brackets and commas
of the array are removed.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import compress
from typing import Any, Final

import msgspec
import numpy as np

from ..._line_protocol.values import FieldValueEncoder, number_encoder
from ..grouping import NotColumnar
from .line_builder import MAX_CHOICES, CodedField, Field, LineBuilder, make_array_field
from .model import Codes, Reader
from .vectorized import SliceEncoder, find_distinct


class NumpySliceEncoder(SliceEncoder):
    """Encoder of the slices of a table; see `SliceEncoder`."""

    def _read_column(self, reader: Reader, start: int, stop: int, encoder: FieldValueEncoder | None) -> Any:
        try:
            column = reader.array(start, stop)
        except ImportError:
            column = None  # the array requires pyarrow
        if isinstance(column, Codes):
            cells, indices = find_distinct(column)
        elif encoder is None:
            cells, indices = _find_distinct_strings(reader, start, stop)
        elif isinstance(column, np.ndarray):
            return column
        else:
            raise NotColumnar
        if len(cells) > MAX_CHOICES:
            raise NotColumnar
        return cells, indices

    def _make_field(self, column: Any, encoder: FieldValueEncoder) -> Field:
        if isinstance(column, tuple):
            cells, indices = column
            return CodedField.from_encoded([encoder.encode(cell) for cell in cells], indices)
        return make_array_field(column, encoder)

    def _new_line(self) -> _JsonLineBuilder:
        return _JsonLineBuilder()

    def _add_tag(self, line: _JsonLineBuilder, column: Any, before: bytes, without: bytes) -> None:
        cells, indices = column
        line.add_choice(tuple(self._encode_tags(cells, before, without)), indices)


def _find_distinct_strings(reader: Reader, start: int, stop: int) -> tuple[list[Any], Any]:
    """Return the distinct cells of a string column, and for each row the index of its cell among them."""
    cells = reader.cells(start, stop)
    if not (reader.has_texts or _TEXT.issuperset(map(type, cells))):
        raise NotColumnar  # values of other classes may equal a str but are encoded differently
    known = {cell: index for index, cell in enumerate(dict.fromkeys(cells))}
    return list(known), np.array([known[cell] for cell in cells], np.int32)


class _JsonLineBuilder(LineBuilder):
    """Builder of lines as a JSON array of numbers, with raw fragments between them."""

    def __init__(self) -> None:
        super().__init__()
        #: Each item is a list with the fragment of each line, or one fragment for all lines.
        self._columns: list[Any] = []

    def _append_choice(self, fragments: tuple[bytes, ...], indices: Any) -> None:
        raw = _make_raw(fragments)
        self._columns.append(raw[0] if len(fragments) == 1 else raw[indices].tolist())

    def _append_numbers(self, values: Any, present: Any) -> None:
        cells = values.tolist()
        if present is not None:
            for at in np.flatnonzero(~present).tolist():
                cells[at] = _EMPTY
        self._columns.append(cells)

    def _join(self, kept: Any) -> tuple[bytes, None]:
        columns = self._columns
        if kept is not None:
            kept = kept.tolist()
            columns = [list(compress(column, kept)) if isinstance(column, list) else column for column in columns]
        count = len(columns[-1])
        if not count:
            return b"", None
        items = columns * count
        for at, column in enumerate(columns):
            if isinstance(column, list):
                items[at :: len(columns)] = column
        items[0] = msgspec.Raw(bytes(items[0])[1:])  # without the first LF
        return number_encoder()(items).translate(_UNMASK, _JSON), None


_TEXT: Final = {str, type(None)}

#: Bytes of JSON syntax. In fragments they are masked by bytes that never occur in UTF-8 until the syntax is removed.
_JSON: Final = b"[],"
_MASKS: Final = b"\xfd\xfe\xff"
_MASK: Final = bytes.maketrans(_JSON, _MASKS)
_UNMASK: Final = bytes.maketrans(_MASKS, _JSON)

_EMPTY: Final = msgspec.Raw()


@lru_cache(maxsize=32)  # nearly all slices of a table have the same fragments
def _make_raw(fragments: tuple[bytes, ...]) -> Any:
    return np.fromiter([msgspec.Raw(fragment.translate(_MASK)) for fragment in fragments], object, len(fragments))
