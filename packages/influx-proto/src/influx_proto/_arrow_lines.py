"""The rows of tables to lines by way of Arrow's arrays. Imports pyarrow and orjson, as `_arrow_texts` does."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # it has no types

from ._arrow import is_text
from ._arrow_texts import (
    ArrowLine,
    binary,
    coded_field,
    compute,
    escaped_tags,
    field_of_texts,
    is_plain,
    string_field,
    widened,
)
from ._column_lines import FEW, ColumnLines, Field, distinct, field_of_array
from ._slices import Codes, Reader
from ._values import FieldTexts

__all__ = ["ArrowLines"]

_TEXT: Final = {str, type(None)}


class ArrowLines(ColumnLines):
    """Writes the slices of a table; see `ColumnLines`."""

    def _column(self, reader: Reader, start: int, stop: int, texts: FieldTexts | None) -> Any:
        """Read a column: as an array of either kind where its texts are made of it, as codes, or as cells."""
        column = reader.array(start, stop)
        if isinstance(column, Codes) or (isinstance(column, np.ma.MaskedArray) and texts is not None):
            return column
        if isinstance(column, np.ndarray):
            column = pa.array(column)
        if column is None:
            cells = reader.cells(start, stop)
            if not _TEXT.issuperset(map(type, cells)) or not (texts is None or str in texts.natural):
                return list(cells)
            column = pa.array(cells, pa.string())
        if is_text(column.type):
            column = binary(column)
        return column if _can_be_written(column.type, texts) else list(reader.cells(start, stop))

    def _field(self, column: Any, texts: FieldTexts) -> Field:
        if isinstance(column, list):
            return field_of_texts([texts[type(cell)](cell) for cell in column])
        if isinstance(column, Codes):
            cells, places = distinct(column)
            return coded_field([texts[type(cell)](cell) for cell in cells], places)
        if isinstance(column, pa.Array):
            if pa.types.is_binary(column.type):
                return string_field(column)
            column = _to_numpy(column)
        return field_of_array(column, texts)

    def _line(self) -> ArrowLine:
        return ArrowLine()

    def _add_tag(self, line: ArrowLine, column: Any, before: bytes, without: bytes) -> None:
        if isinstance(column, pa.Array) and pa.types.is_binary(column.type) and is_plain(column):
            line.same(before)
            line.texts(column)
            return
        values, places = _distinct_cells(column)
        escaped = escaped_tags(_binary(values)) if len(values) > FEW and _are_texts(values) else None
        if escaped is not None:
            pieces = compute.fill_null(compute.binary_join_element_wise(before, escaped, b""), without)
            line.texts(pieces, places)
            return
        texts = self._tag_texts(
            values if isinstance(values, list) else values.cast(pa.string()).to_pylist(), before, without
        )
        if len(texts) <= FEW:
            line.choose(tuple(texts), places)
        else:
            line.texts(pa.array(texts, pa.binary()), places)


def _to_numpy(column: Any) -> Any:
    """Give booleans, integers or floats as `field_of_array` has them."""
    if pa.types.is_floating(column.type):
        values = column.to_numpy(zero_copy_only=False)  # missing ones are NaN
        return values if values.dtype.itemsize == 8 else widened(values)
    if not column.null_count:
        return column.to_numpy(zero_copy_only=False)
    missing = column.is_null().to_numpy(zero_copy_only=False)
    values = column.fill_null(False if pa.types.is_boolean(column.type) else 0).to_numpy(zero_copy_only=False)
    return np.ma.array(values, mask=missing, copy=False)


def _can_be_written(kind: Any, texts: FieldTexts | None) -> bool:
    """Whether the texts of cells can be made of an array; there is no rule for all other types here."""
    types = pa.types
    if types.is_boolean(kind):
        return True
    if types.is_binary(kind):
        return texts is None or str in texts.natural
    if types.is_integer(kind):
        return texts is None or texts.number in {None, "float", "integer", "unsigned"}
    return (types.is_float32(kind) or types.is_float64(kind)) and texts is not None and float in texts.natural


def _are_texts(values: Any) -> bool:
    return not isinstance(values, list) or _TEXT.issuperset(map(type, values))


def _binary(values: Any) -> Any:
    return binary(pa.array(values, pa.string())) if isinstance(values, list) else values


def _distinct_cells(column: Any) -> tuple[Any, Any]:
    """Give the distinct cells of a column, and for each row the place of its cell among them."""
    if isinstance(column, list):
        return column, np.arange(len(column), dtype=np.int32)
    if isinstance(column, Codes):
        return distinct(column)
    encoded = compute.dictionary_encode(column, null_encoding="encode")
    cells = encoded.dictionary
    return cells if pa.types.is_binary(cells.type) else cells.to_pylist(), encoded.indices.to_numpy()
