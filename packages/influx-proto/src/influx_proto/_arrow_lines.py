"""The rows of tables to lines, all rows of a slice at once and column by column; imports pyarrow, as `_arrow_texts`.

A line is the series, the fields and the time. Behind each field stands a comma, or a space where the row has no field
after it, so nothing has to be put right at the end where cells are missing. Rows without a field are left out.

What is out of the ordinary is given back, to be written row by row: what an error is, is not decided here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NoReturn

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # it has no types

from ._arrow_texts import (
    FEW,
    Choice,
    CodedField,
    Field,
    Line,
    at_places,
    binary,
    coded_field,
    compute,
    distinct,
    escaped_tags,
    field_of_texts,
    float_field,
    integer_field,
    is_plain,
    numbers,
    string_field,
    widened,
)
from ._errors import SerializationError
from ._escape import SUSPICIOUS
from ._points import PointEncoder
from ._slices import Codes, Reader, Slice
from ._time import FIRST, LAST
from ._values import LAST_INTEGER, FieldTexts

__all__ = ["ArrowLines"]

_TEXT: Final = {str, type(None)}

#: Up to here each integer has a float of its own.
_EXACT: Final = 2**53

_SPACE: Final = ord(" ")
_COMMA: Final = ord(",")
_LF: Final = ord("\n")


class ArrowLines:
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
            _look_at_each()
        self._fields = [(at, *points.fields[name]) for name, at in fields.items()]
        self._texts: dict[int, FieldTexts] = {at: texts for at, _, texts in self._fields}

    def lines(self, rows: Slice) -> tuple[bytes, int] | None:
        """Give the lines of a slice, and how many there are; None if it has to be written row by row."""
        try:
            return self._lines(rows)
        except (SerializationError, UnicodeEncodeError, pa.ArrowException):
            return None

    def _lines(self, rows: Slice) -> tuple[bytes, int] | None:
        times = _times(rows)
        columns = [_column(rows, reader, self._texts.get(at)) for at, reader in enumerate(rows.columns)]
        fields = [_field(columns[at], texts) for at, _, texts in self._fields]
        ends, kept = _bytes_after(fields)
        line = Line()
        self._add_series(line, columns)
        line.same(b" ")
        for (_, key, _), field, after in zip(self._fields, fields, ends, strict=True):
            field.write(line, key, after)
        line.add(numbers(times, _LF), 20)
        data = line.joined(kept)
        return None if data is None else (data, len(times) if kept is None else int(kept.sum()))

    def _add_series(self, line: Line, columns: Sequence[Any]) -> None:
        line.same(self._name)
        for key, before, without in self._keys:
            at = self._tags.get(key)
            if at is None:
                line.same(without)
                continue
            column = columns[at]
            if isinstance(column, pa.Array) and pa.types.is_binary(column.type) and is_plain(column):
                line.same(before)
                line.add(column)
                continue
            values, places = _distinct_cells(column)
            escaped = escaped_tags(_binary(values)) if len(values) > FEW and _are_texts(values) else None
            if escaped is not None:
                pieces = compute.fill_null(compute.binary_join_element_wise(before, escaped, b""), without)
                line.add(at_places(pieces, places))
                continue
            texts = self._tag_texts(values, before, without)
            if len(texts) <= FEW:
                line.choose(Choice(tuple(texts), places))
            else:
                line.add(at_places(pa.array(texts, pa.binary()), places))

    def _tag_texts(self, values: Any, before: bytes, without: bytes) -> list[bytes]:
        """Give what stands in a line for each of some values of a tag."""
        if not isinstance(values, list):
            values = values.cast(pa.string()).to_pylist()
        texts = [self._points.tag_text(value) for value in values]
        if any(text is not None and SUSPICIOUS in text for text in texts):
            _look_at_each()
        return [without if text is None else before + text for text in texts]


def _are_texts(values: Any) -> bool:
    return not isinstance(values, list) or _TEXT.issuperset(map(type, values))


def _binary(values: Any) -> Any:
    return binary(pa.array(values, pa.string())) if isinstance(values, list) else values


def _look_at_each() -> NoReturn:
    msg = "these have to be looked at one by one"
    raise SerializationError(msg)


def _times(rows: Slice) -> Any:
    found = rows.times.array(rows.start, rows.stop)
    if found is None:
        _look_at_each()
    counts, unit = found
    if int(counts.min()) * unit < FIRST or int(counts.max()) * unit > LAST:
        _look_at_each()
    return counts if unit == 1 else counts * unit


def _column(rows: Slice, reader: Reader, texts: FieldTexts | None) -> Any:
    """Read a column: as an array where its texts are made of it, as codes, or as cells.

    Args:
        rows: which rows.
        reader: the column.
        texts: how the cells are written; None for those of a tag.
    """
    column = reader.array(rows.start, rows.stop)
    if isinstance(column, Codes):
        return column
    if column is None:
        cells = reader.cells(rows.start, rows.stop)
        if not _TEXT.issuperset(map(type, cells)) or not (texts is None or str in texts.natural):
            return list(cells)
        column = pa.array(cells, pa.string())
    types = pa.types
    kind = column.type
    if types.is_string(kind) or types.is_large_string(kind) or str(kind) == "string_view":
        if texts is None or str in texts.natural:
            return binary(column)
    elif types.is_boolean(kind):
        return column
    elif types.is_integer(kind):
        if texts is None or texts.number in {None, "float", "integer", "unsigned"}:
            return column
    elif (types.is_float32(kind) or types.is_float64(kind)) and texts is not None and float in texts.natural:
        return column
    return list(reader.cells(rows.start, rows.stop))


def _distinct_cells(column: Any) -> tuple[Any, Any]:
    """Give the distinct cells of a column, and for each row the place of its cell among them."""
    if isinstance(column, list):
        return column, np.arange(len(column), dtype=np.int32)
    if isinstance(column, Codes):
        codes, places = distinct(column.codes)
        return column.cells(codes), places
    encoded = compute.dictionary_encode(column, null_encoding="encode")
    cells = encoded.dictionary
    return cells if pa.types.is_binary(cells.type) else cells.to_pylist(), encoded.indices.to_numpy()


def _field(column: Any, texts: FieldTexts) -> Field | CodedField:
    if isinstance(column, list):
        return field_of_texts([texts[type(cell)](cell) for cell in column])
    if isinstance(column, Codes):
        codes, places = distinct(column.codes)
        return coded_field([texts[type(cell)](cell) for cell in column.cells(codes)], places)
    types = pa.types
    if types.is_binary(column.type):
        return string_field(column)
    if types.is_floating(column.type):
        values = column.to_numpy(zero_copy_only=False)  # missing ones are NaN
        field = float_field(values if values.dtype.itemsize == 8 else widened(values))
        if field.present is not None and not texts.omits_infinite and np.isinf(values).any():
            _look_at_each()
        return field
    present = column.is_valid().to_numpy(zero_copy_only=False) if column.null_count else None
    if types.is_boolean(column.type):
        values = column if present is None else column.fill_null(False)
        places = values.to_numpy(zero_copy_only=False).astype(np.int32)
        both = [texts.text(False), texts.text(True)]
        return (
            coded_field(both, places) if present is None else coded_field([*both, None], np.where(present, places, 2))
        )
    return _integers((column if present is None else column.fill_null(0)).to_numpy(), present, texts)


def _integers(values: Any, present: Any, texts: FieldTexts) -> Field | CodedField:
    first, last = int(values.min()), int(values.max())
    match texts.number:
        case "float":
            if max(-first, last) > _EXACT:
                _look_at_each()
            return float_field(values.astype(np.float64) if present is None else np.where(present, values, np.nan))
        case "unsigned":
            if first < 0:
                _look_at_each()
            return integer_field(values, present, b"u")
        case _:
            if last > LAST_INTEGER:
                _look_at_each()
            return integer_field(values, present, b"i")


def _bytes_after(fields: Sequence[Field | CodedField]) -> tuple[list[Any], Any]:
    """Give for each field the byte that follows it in each row, or one for all rows; and which rows have a field.

    The latter is None where all have one.
    """
    found: list[Any] = []
    more: Any = False  # whether there are fields after this one
    for field in reversed(fields):
        if isinstance(more, bool):
            found.append(_COMMA if more else _SPACE)
        else:
            found.append(np.where(more, np.uint8(_COMMA), np.uint8(_SPACE)))
        more = True if more is True or field.present is None else field.present | more
    return found[::-1], None if more is True or more.all() else more
