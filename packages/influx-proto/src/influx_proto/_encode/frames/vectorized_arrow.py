"""Slices of tables to lines by pyarrow and orjson, all rows at once. Imported only when a table is written.

Texts are Arrow's binary arrays: one buffer with all texts, and where each begins. orjson writes a column of numbers to
one buffer with commas between them, which is such an array already. The digits are those that all floats of
influx_proto have, only that orjson puts a `+` before exponents.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
import orjson
import pyarrow as pa  # type: ignore[import-untyped]  # it has no types
import pyarrow.compute as pc  # type: ignore[import-untyped]  # as above

from ..._line_protocol.escape import STRING_ESCAPED, TAG_ESCAPED, TAG_UNCERTAIN
from ..._line_protocol.values import FieldValueEncoder
from ..grouping import NotColumnar
from .model import Codes, Reader
from .read_arrow import is_text
from .vectorized import FEW, CodedField, ColumnLines, Field, Line, distinct, field_of_array

#: Its functions are made when it is imported, so no type checker knows them.
compute: Final[Any] = pc

_BINARY: Final = pa.binary()
_COMMA: Final = ord(",")


class ArrowLine(Line):
    """Makes lines of arrays of texts.

    All texts go into one array, of which those of the lines are taken, one after the other.
    """

    def __init__(self) -> None:
        super().__init__()
        #: The texts of all choices, and before them that of what is missing.
        self._few = [b""]
        self._arrays: list[Any] = []
        self._count = 0  # of the texts in them
        #: For each piece whether it is a choice; for each line the place of its text among those of its kind, or one
        #: place for all; and which lines have it.
        self._pieces: list[tuple[bool, Any, Any]] = []

    def texts(self, texts: Any, places: Any = None, present: Any = None) -> None:
        """Add texts of any length.

        Args:
            texts: the texts.
            places: for each line the place of its own among them; None where these are the lines' own.
            present: the lines that a text is added to; None for all.
        """
        self._end_choice()
        self._longest += int(np.diff(_ends(texts)).max())
        self._add(texts, np.arange(len(texts), dtype=np.int32) if places is None else places, present)

    def _add_choice(self, texts: tuple[bytes, ...], places: Any) -> None:
        self._pieces.append((True, places + np.int32(len(self._few)), None))
        self._few += texts

    def _add_numbers(self, values: Any, present: Any) -> None:
        texts = _numbers(values)
        self._add(texts, np.arange(0, len(texts), 2, dtype=np.int32), present)

    def _add(self, texts: Any, places: Any, present: Any) -> None:
        self._pieces.append((False, places + np.int32(self._count), present))
        self._arrays.append(texts)
        self._count += len(texts)

    def _joined(self, kept: Any) -> bytes:
        few = np.int32(len(self._few))
        all_places = np.empty((len(self._pieces[-1][1]), len(self._pieces)), np.int32)
        for at, (choice, places, present) in enumerate(self._pieces):
            found = places if choice else places + few
            all_places[:, at] = found if present is None else found * present
        if kept is not None:
            all_places = all_places[kept]
            if not len(all_places):
                return b""
        texts = pa.concat_arrays([_array_of(tuple(self._few)), *self._arrays])
        return _content(compute.take(texts, pa.array(all_places.ravel()), boundscheck=False), skipped=1)


@lru_cache(maxsize=32)  # nearly all slices of a table have the same few texts
def _array_of(texts: tuple[bytes, ...]) -> Any:
    return pa.array(texts, _BINARY)


@dataclass(frozen=True, slots=True)
class TextField:
    """The cells of a field as an array of texts."""

    present: Any
    texts: Any
    #: For each row the place of its text; None where they are the rows' own.
    places: Any = None
    #: What is on both sides of each text.
    quote: bytes = b""

    def write(self, line: ArrowLine, key: bytes, earlier: Any) -> None:
        """Add the field to lines; see `Field`."""
        line.key(key + self.quote, self.present, earlier)
        line.texts(self.texts, self.places, self.present)
        line.where(self.present, self.quote)


def _numbers(values: Any) -> Any:
    """Give the texts of numbers, and between each two a comma; what is not finite has any text."""
    data = orjson.dumps(np.ascontiguousarray(values), option=orjson.OPT_SERIALIZE_NUMPY)
    if b"+" in data:
        data = data.replace(b"+", b"")
    around = _around_numbers(np.frombuffer(data, np.uint8), len(values))
    begins = np.empty(2 * len(values), np.int32)
    np.add(around[:-1], 1, out=begins[::2])
    begins[1::2] = around[1:]
    return pa.Array.from_buffers(_BINARY, len(begins) - 1, [None, pa.py_buffer(begins), pa.py_buffer(data)])


def _around_numbers(text: Any, count: int) -> Any:
    """Give the places of the brackets and commas of a JSON array of numbers."""
    width, rest = divmod(len(text) - 1, count)
    if not rest and (text[width:-1:width] == _COMMA).all():  # all of one length, as times are
        return np.arange(0, len(text), width, dtype=np.int32)
    around = np.empty(count + 1, np.int32)
    around[0] = 0
    around[1:-1] = np.flatnonzero(text == _COMMA)
    around[-1] = len(text) - 1
    return around


def widened(values: Any) -> Any:
    """Give floats of 32 bits as those of 64 bits that have the same shortest digits."""
    finite = np.isfinite(values)
    wide = values.astype(np.float64)
    wide[finite] = orjson.loads(orjson.dumps(values[finite], option=orjson.OPT_SERIALIZE_NUMPY))
    return wide


def string_field(texts: Any) -> TextField:
    """Write strings; missing ones are null."""
    present = texts.is_valid().to_numpy(zero_copy_only=False) if texts.null_count else None
    data = _content(texts)
    array = texts
    for sign in STRING_ESCAPED:
        if sign.encode() in data:
            array = compute.replace_substring(array, sign, "\\" + sign)
    return TextField(present, array, quote=b'"')


def coded_field(texts: Sequence[bytes | None], places: Any) -> Field:
    """Write cells of some distinct texts, each by its place among them; None is missing."""
    field = CodedField.of(texts, places)
    return field if len(texts) <= FEW else TextField(field.present, pa.array(texts, _BINARY), places)


def field_of_texts(texts: Sequence[bytes | None]) -> TextField:
    """Write cells whose texts are known; None is missing."""
    present = np.array([text is not None for text in texts]) if None in texts else None
    return TextField(present, pa.array(texts, _BINARY))


def is_plain(values: Any) -> bool:
    """Whether tag values, which are binary or null, stand for themselves: all there, and nothing to escape."""
    if values.null_count or not np.diff(_ends(values)).all():
        return False
    data = _content(values)
    return not any(sign.encode() in data for sign in TAG_UNCERTAIN + TAG_ESCAPED)


def escaped_tags(values: Any) -> Any | None:
    """Escape tag values, which are binary or null; an empty one is null. None if one has to be looked at."""
    data = _content(values)
    if any(sign.encode() in data for sign in TAG_UNCERTAIN):
        return None
    for sign in TAG_ESCAPED:
        if sign.encode() in data:
            values = compute.replace_substring(values, sign, "\\" + sign)
    return compute.if_else(compute.equal(values, b""), None, values)


def binary(texts: Any) -> Any:
    """Give texts of any of Arrow's kinds as those all others are here."""
    return texts.cast(_BINARY)


def _valid(texts: Any) -> Any:
    """Return strings as an array of binary type.

    Raises:
        NotColumnar: a string is not valid UTF-8.
    """
    found = binary(texts)
    if not _content(found).isascii():
        try:
            texts.validate(full=True)
        except pa.ArrowInvalid:
            raise NotColumnar from None
    return found


def _content(texts: Any, skipped: int = 0) -> bytes:
    """Give all texts one after the other, but for the first bytes.

    The offsets say where the texts begin and end; the buffer may be longer.
    """
    ends = _ends(texts)
    data = texts.buffers()[2]
    begin, end = int(ends[0]) + skipped, int(ends[-1])
    found: bytes = b"" if data is None else data.slice(begin, end - begin).to_pybytes()
    return found


def _ends(texts: Any) -> Any:
    return np.frombuffer(texts.buffers()[1], np.int32)[texts.offset : texts.offset + len(texts) + 1]


_TEXT: Final = {str, type(None)}


class ArrowLines(ColumnLines):
    """Writes the slices of a table; see `ColumnLines`."""

    def _column(self, reader: Reader, start: int, stop: int, texts: FieldValueEncoder | None) -> Any:
        """Read a column: as an array of either kind where its texts are made of it, as codes, or as cells."""
        column = reader.array(start, stop)
        if isinstance(column, Codes) or (isinstance(column, np.ma.MaskedArray) and texts is not None):
            return column
        if isinstance(column, np.ndarray):
            column = pa.array(column)
        if column is None:
            cells = reader.cells(start, stop)
            if not _TEXT.issuperset(map(type, cells)) or not (texts is None or str in texts.default_types):
                return list(cells)
            column = binary(pa.array(cells, pa.string()))
        elif is_text(column.type):
            column = _valid(column)
        return column if _can_be_written(column.type, texts) else list(reader.cells(start, stop))

    def _field(self, column: Any, texts: FieldValueEncoder) -> Field:
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


def _can_be_written(kind: Any, texts: FieldValueEncoder | None) -> bool:
    """Whether the texts of cells can be made of an array; there is no rule for all other types here."""
    types = pa.types
    if types.is_boolean(kind):
        return True
    if types.is_binary(kind):
        return texts is None or str in texts.default_types
    if types.is_integer(kind):
        return texts is None or texts.integer_type in {None, "float", "integer", "unsigned"}
    return (types.is_float32(kind) or types.is_float64(kind)) and texts is not None and float in texts.default_types


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
