"""Column-wise encoder of tables with pyarrow and orjson, imported only when a table is written.

Fragments are Arrow binary arrays: one buffer with all bytes, and the offsets of the fragments in it. orjson encodes a
column of numbers into one buffer with commas between them, which needs only offsets to become such an array. Its number
format is that of `number_encoder`, except for a `+` before exponents.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from itertools import accumulate
from typing import Any, Final

import numpy as np
import orjson
import pyarrow as pa  # type: ignore[import-untyped]  # no type hints
import pyarrow.compute as pc  # type: ignore[import-untyped]  # no type hints

from ..._line_protocol.escape import STRING_ESCAPED, TAG_ESCAPED, TAG_UNCERTAIN
from ..._line_protocol.values import FieldValueEncoder
from ..grouping import NotColumnar
from .line_builder import MAX_CHOICES, CodedField, Field, LineBuilder, NumberField, make_array_field
from .model import Codes, Reader
from .read_arrow import is_text
from .vectorized import SliceEncoder, find_distinct

#: Typed as Any, since pyarrow creates the functions on import and type checkers do not find them.
compute: Final[Any] = pc

_BINARY: Final = pa.binary()
_COMMA: Final = ord(",")

#: Decimals with at least this many digits may exceed the range of floats.
_MAX_DIGITS: Final = 300

#: Numbers from the first up to the second have the same format with 32 bits as with 64 bits.
_FIRST_PLAIN: Final = 1e-4
_END_PLAIN: Final = 1e12


class ArrowLineBuilder(LineBuilder):
    """Builder of lines from Arrow arrays of fragments.

    It concatenates all fragments to one array, and then takes those of each line in order.
    """

    def __init__(self) -> None:
        super().__init__()
        #: The fragments of all choices, after an empty one for missing values.
        self._choices = [b""]
        self._arrays: list[Any] = []
        self._count = 0  # fragments in the arrays
        #: For each column: whether it is a choice; the index of each line's fragment among the choices or in the
        #: arrays, or one index for all lines; and the lines that have a fragment.
        self._columns: list[tuple[bool, Any, Any]] = []

    def add_fragments(self, fragments: Any, indices: Any = None, present: Any = None) -> None:
        """Add fragments of any length.

        Args:
            fragments: the fragments as an Arrow binary array.
            indices: for each line the index of its fragment; None if there is one fragment per line.
            present: the lines that have a fragment; None for all.
        """
        self._end_choice()
        self._longest += int(np.diff(_offsets(fragments)).max())
        self._append(fragments, np.arange(len(fragments), dtype=np.int32) if indices is None else indices, present)

    def add_block(self, keys: Sequence[bytes], block: NumberField, earlier: Any) -> None:
        """Add several fields of numbers; see `LineBuilder`."""
        if block.present is not None and block.suffix:
            super().add_block(keys, block, earlier)
            return
        self._end_choice()
        rows, count = block.values.shape
        later = np.ones((rows, count), bool)  # whether there is a field before each field
        later[:, 0] = earlier
        if block.present is not None and earlier is not True:
            later[:, 1:] = block.present[:, :-1]
            later = np.logical_or.accumulate(later, axis=1)
        first, *rest = keys
        fragments = [b" " + key for key in keys] + [b"," + first] + [block.suffix + b"," + key for key in rest]
        indices = np.empty((rows, count, 2), np.int32)
        indices[:, :, 0] = later * np.int32(count) + np.arange(count, dtype=np.int32)
        indices[:, :, 1] = np.arange(0, 2 * rows * count, 2, dtype=np.int32).reshape(rows, count) + len(fragments)
        numbers = _encode_numbers(block.values.ravel())
        self._append(
            pa.concat_arrays([_make_array(tuple(fragments)), numbers]),
            indices.reshape(rows, 2 * count),
            None if block.present is None else np.repeat(block.present, 2, axis=1),
        )
        self.add_constant(block.suffix)

    def _append_choice(self, fragments: tuple[bytes, ...], indices: Any) -> None:
        self._columns.append((True, indices + np.int32(len(self._choices)), None))
        self._choices += fragments

    def _append_numbers(self, values: Any, present: Any) -> None:
        fragments = _encode_numbers(values)
        self._append(fragments, np.arange(0, len(fragments), 2, dtype=np.int32), present)

    def _append(self, fragments: Any, indices: Any, present: Any) -> None:
        self._columns.append((False, indices + np.int32(self._count), present))
        self._arrays.append(fragments)
        self._count += len(fragments)

    def _join(self, kept: Any) -> tuple[bytes, Any]:
        choices = np.int32(len(self._choices))
        widths = [indices.shape[1] if indices.ndim == 2 else 1 for _, indices, _ in self._columns]
        all_indices = np.empty((len(self._columns[-1][1]), sum(widths)), np.int32)
        for (is_choice, indices, present), width, stop in zip(self._columns, widths, accumulate(widths), strict=True):
            shifted = indices if is_choice else indices + choices
            found = shifted if present is None else shifted * present
            all_indices[:, stop - width : stop] = found if found.ndim == 2 else found.reshape(-1, 1)
        if kept is not None:
            all_indices = all_indices[kept]
            if not len(all_indices):
                return b"", None
        fragments = pa.concat_arrays([_make_array(tuple(self._choices)), *self._arrays])
        lines = compute.take(fragments, pa.array(all_indices.ravel()), boundscheck=False)
        begins = _offsets(lines)[:: sum(widths)]
        return _read_bytes(lines, skipped=1), begins[1:] - (begins[0] + 1)


@lru_cache(maxsize=32)  # nearly all slices of a table have the same choices
def _make_array(fragments: tuple[bytes, ...]) -> Any:
    return pa.array(fragments, _BINARY)


@dataclass(frozen=True, slots=True)
class EncodedField:
    """Field with values as an array of fragments."""

    present: Any
    encoded: Any
    #: For each row the index of its value; None if there is one value per row.
    indices: Any = None
    #: The quote before and after each value.
    quote: bytes = b""

    def write(self, line: ArrowLineBuilder, key: bytes, earlier: Any) -> None:
        """Add the field to the lines; see `Field`."""
        line.add_key(key + self.quote, self.present, earlier)
        line.add_fragments(self.encoded, self.indices, self.present)
        line.add_if_present(self.present, self.quote)


def _encode_numbers(values: Any) -> Any:
    """Return the encoded numbers with a comma after each but the last; those of NaN and infinities are undefined."""
    data = orjson.dumps(np.ascontiguousarray(values), option=orjson.OPT_SERIALIZE_NUMPY)
    if b"+" in data:
        data = data.replace(b"+", b"")
    separators = _find_separators(np.frombuffer(data, np.uint8), len(values))
    offsets = np.empty(2 * len(values), np.int32)
    np.add(separators[:-1], 1, out=offsets[::2])
    offsets[1::2] = separators[1:]
    return pa.Array.from_buffers(_BINARY, len(offsets) - 1, [None, pa.py_buffer(offsets), pa.py_buffer(data)])


def _find_separators(data: Any, count: int) -> Any:
    """Return the positions of the brackets and commas in a JSON array of numbers."""
    width, rest = divmod(len(data) - 1, count)
    if not rest and (data[width:-1:width] == _COMMA).all():  # numbers of equal length, such as timestamps
        return np.arange(0, len(data), width, dtype=np.int32)
    separators = np.empty(count + 1, np.int32)
    separators[0] = 0
    separators[1:-1] = np.flatnonzero(data == _COMMA)
    separators[-1] = len(data) - 1
    return separators


def _make_narrow_field(values: Any, encoder: FieldValueEncoder) -> EncodedField:
    """Return the field for 32-bit floats, with NaN as missing values."""
    present = NumberField.from_floats(values, encoder).present
    encoded = _encode_numbers(values)
    indices = np.arange(0, len(encoded), 2, dtype=np.int32)
    sizes = np.abs(values)
    others = np.flatnonzero(((sizes < _FIRST_PLAIN) & (sizes > 0) | (sizes >= _END_PLAIN)) & np.isfinite(values))
    if len(others):
        # The 64-bit floats with the same shortest digits, since 32-bit floats have another format with exponents.
        wide = orjson.loads(orjson.dumps(values[others], option=orjson.OPT_SERIALIZE_NUMPY))
        indices[others] = np.arange(len(encoded), len(encoded) + 2 * len(others), 2)
        encoded = pa.concat_arrays([encoded, _encode_numbers(np.array(wide))])
    return EncodedField(present, encoded, indices)


def _make_decimal_field(digits: Any, read_cells: Callable[[], list[Any]], encoder: FieldValueEncoder) -> EncodedField:
    """Return the field for decimals as strings; null is missing. `read_cells` returns the decimals."""
    digits = to_binary(digits)
    # The exponent is written only for very small or large decimals; decimals of Python can also be NaN or infinite.
    if _find_special(digits, "EeIN") or int(np.diff(_offsets(digits)).max()) >= _MAX_DIGITS:
        return make_encoded_field([encoder[type(cell)](cell) for cell in read_cells()])
    return EncodedField(_find_present(digits), digits)


def make_string_field(strings: Any) -> EncodedField:
    """Return the field for strings as a binary array; null is missing."""
    return EncodedField(_find_present(strings), _escape(strings, _find_special(strings, STRING_ESCAPED)), quote=b'"')


def _find_present(array: Any) -> Any:
    """Return a boolean array with whether each cell is not null; None if no cell is null."""
    return array.is_valid().to_numpy(zero_copy_only=False) if array.null_count else None


def make_coded_field(encoded: Sequence[bytes | None], indices: Any) -> Field:
    """Return the field for encoded distinct values and the index of each row; None is missing."""
    field = CodedField.from_encoded(encoded, indices)
    return field if len(encoded) <= MAX_CHOICES else EncodedField(field.present, pa.array(encoded, _BINARY), indices)


def make_encoded_field(encoded: Sequence[bytes | None]) -> EncodedField:
    """Return the field for the encoded values of all rows; None is missing."""
    present = np.array([value is not None for value in encoded]) if None in encoded else None
    return EncodedField(present, pa.array(encoded, _BINARY))


def _find_special(strings: Any, characters: str) -> str:
    """Return those characters that occur in a binary array."""
    data = _read_bytes(strings)
    return "".join(character for character in characters if character.encode() in data)


def _escape(strings: Any, characters: str) -> Any:
    """Return a binary array with a backslash before each of these characters, the first of which may be a backslash."""
    for character in characters:
        strings = compute.replace_substring(strings, character, "\\" + character)
    return strings


def to_binary(strings: Any) -> Any:
    """Return strings of any Arrow string type as a binary array."""
    return strings.cast(_BINARY)


def _to_valid_binary(strings: Any) -> Any:
    """Return strings as a binary array after a check.

    Raises:
        NotColumnar: a string is not valid UTF-8.
    """
    converted = to_binary(strings)
    if not _read_bytes(converted).isascii():
        try:
            strings.validate(full=True)
        except pa.ArrowInvalid:
            raise NotColumnar from None
    return converted


def _read_bytes(fragments: Any, skipped: int = 0) -> bytes:
    """Return the concatenated fragments without the first bytes.

    The offsets define the first and the last byte, since the buffer may have more bytes.
    """
    offsets = _offsets(fragments)
    data = fragments.buffers()[2]
    begin, end = int(offsets[0]) + skipped, int(offsets[-1])
    content: bytes = b"" if data is None else data.slice(begin, end - begin).to_pybytes()
    return content


def _offsets(fragments: Any) -> Any:
    begin = fragments.offset
    return np.frombuffer(fragments.buffers()[1], np.int32)[begin : begin + len(fragments) + 1]


_TEXT: Final = {str, type(None)}
_DECIMALS: Final = {Decimal, type(None)}


class ArrowSliceEncoder(SliceEncoder):
    """Encoder of the slices of a table; see `SliceEncoder`."""

    def _read_column(self, reader: Reader, start: int, stop: int, encoder: FieldValueEncoder | None) -> Any:
        """Return a column as an Arrow or masked array if it can be encoded from that, as `Codes`, or as cells."""
        column = reader.array(start, stop)
        if isinstance(column, Codes) or (isinstance(column, np.ma.MaskedArray) and encoder is not None):
            return column
        if isinstance(column, np.ndarray):
            column = pa.array(column)
        if column is None:
            cells = reader.cells(start, stop)
            are_texts = reader.has_texts or _TEXT.issuperset(map(type, cells))
            if not are_texts or not (encoder is None or str in encoder.default_types):
                return list(cells)
            column = to_binary(pa.array(cells, pa.string()))
        elif is_text(column.type):
            column = _to_valid_binary(column)
        return column if _is_encodable(column.type, encoder) else list(reader.cells(start, stop))

    def _make_field(self, column: Any, encoder: FieldValueEncoder) -> Field:
        if isinstance(column, list):
            cells: list[Any] = column
            if not _DECIMALS.issuperset(map(type, cells)) or Decimal not in encoder.default_types:
                return make_encoded_field([encoder[type(cell)](cell) for cell in cells])
            digits = [None if cell is None else str(cell) for cell in cells]
            return _make_decimal_field(pa.array(digits, pa.string()), lambda: cells, encoder)
        if isinstance(column, Codes):
            distinct, indices = find_distinct(column)
            return make_coded_field([encoder[type(cell)](cell) for cell in distinct], indices)
        if isinstance(column, pa.Array):
            if pa.types.is_binary(column.type):
                return make_string_field(column)
            if pa.types.is_decimal(column.type):
                return _make_decimal_field(column.cast(pa.string()), column.to_pylist, encoder)
            if pa.types.is_float32(column.type):
                return _make_narrow_field(column.to_numpy(zero_copy_only=False), encoder)
            column = _to_numpy(column)
        return make_array_field(column, encoder)

    def _new_line(self) -> ArrowLineBuilder:
        return ArrowLineBuilder()

    def _add_tag(self, line: ArrowLineBuilder, column: Any, before: bytes, without: bytes) -> None:
        values: Any = column
        indices: Any = None
        if isinstance(column, Codes):
            values, indices = find_distinct(column)
        values = _many_texts_as_array(values)
        is_array = isinstance(values, pa.Array)
        is_text = is_array and pa.types.is_binary(values.type)
        special = _find_special(values, TAG_UNCERTAIN + TAG_ESCAPED) if is_text else None
        if is_array and indices is None and special != "":
            coded = compute.dictionary_encode(values, null_encoding="encode")  # process each distinct value once
            values, indices = coded.dictionary, coded.indices.to_numpy()
        if special == "" or (special is not None and len(values) > MAX_CHOICES and set(special) <= set(TAG_ESCAPED)):
            present = np.diff(_offsets(values)) > 0  # an empty tag value is missing
            if values.null_count:
                present &= values.is_valid().to_numpy(zero_copy_only=False)
            if present.all():
                present = None
                line.add_constant(before)
            else:
                present = present if indices is None else present[indices]
                line.add_choice((without, before), present)
            line.add_fragments(_escape(values, special), indices, present)
            return
        if is_array:
            values = (values.cast(pa.string()) if is_text else values).to_pylist()
        encoded = self._encode_tags(values, before, without)
        if indices is None:
            indices = np.arange(len(encoded), dtype=np.int32)
        if len(encoded) <= MAX_CHOICES:
            line.add_choice(tuple(encoded), indices)
        else:
            line.add_fragments(pa.array(encoded, _BINARY), indices)


def _many_texts_as_array(values: Any) -> Any:
    """Return a long list of strings, which may be None, as an Arrow array, and other values unchanged."""
    if isinstance(values, list) and len(values) > MAX_CHOICES and _TEXT.issuperset(map(type, values)):
        return to_binary(pa.array(values, pa.string()))
    return values


def _to_numpy(column: Any) -> Any:
    """Return booleans, integers or floats as a numpy array for `make_array_field`."""
    if pa.types.is_floating(column.type):
        return column.to_numpy(zero_copy_only=False)  # null becomes NaN
    if not column.null_count:
        return column.to_numpy(zero_copy_only=False)
    missing = column.is_null().to_numpy(zero_copy_only=False)
    values = column.fill_null(False if pa.types.is_boolean(column.type) else 0).to_numpy(zero_copy_only=False)
    return np.ma.array(values, mask=missing, copy=False)


def _is_encodable(dtype: Any, encoder: FieldValueEncoder | None) -> bool:
    """Return whether arrays of an Arrow type can be encoded directly; otherwise the cells are encoded."""
    types = pa.types
    if types.is_boolean(dtype):
        return True
    if types.is_binary(dtype):
        return encoder is None or str in encoder.default_types
    if types.is_integer(dtype):
        return encoder is None or encoder.integer_type in {None, "float", "integer", "unsigned"}
    if types.is_float32(dtype) or types.is_float64(dtype) or types.is_decimal(dtype):
        return encoder is not None and float in encoder.default_types
    return False
