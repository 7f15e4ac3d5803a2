"""Vectorized reader of MessagePack cells, whose first byte determines their type and size."""

from __future__ import annotations

from enum import Enum
from typing import Any, Final

import numpy as np

from .._result.column import Fragment, FragmentDType
from .cells import Bytes, CellSource, Flags, Offsets, read_present
from .msgpack_format import SIZES

_NIL, _FALSE, _TRUE, _FLOAT64, _UINT64 = 0xC0, 0xC2, 0xC3, 0xCB, 0xCF


class _Type(Enum):
    """The type of a cell."""

    NIL = 0
    INT = 1
    FLOAT = 2
    BOOL = 3
    STR = 4
    OTHER = 5


class MessagePackCells(CellSource):
    """The bytes of documents, from which cells are read."""

    def find(self, pattern: bytes, begin: int, end: int) -> Offsets:
        """Return the offsets of a pattern between `begin` and `end`."""
        data = self.bytes[begin:end]
        is_match = data[: len(data) - len(pattern) + 1] == pattern[0]
        for index, byte in enumerate(pattern[1:], 1):
            is_match &= data[index : index + len(is_match)] == byte
        return np.flatnonzero(is_match) + begin

    def ends(self, offsets: Offsets, width: int) -> Offsets:
        """Return the ends of rows of `width` cells; the result is arbitrary for an offset without such a row."""
        for _ in range(width):
            offsets = np.minimum(offsets, self.size)
            offsets = offsets + self._sizes(offsets, self.bytes[offsets])
        return offsets

    def column(self, offsets: Offsets) -> tuple[Fragment, Offsets | int] | None:
        """Return the cells at these offsets and their sizes, or None if the cells differ in type."""
        if offsets.max() >= self.size:
            return None
        tags = self.bytes[offsets]
        first = int(tags[0])
        if first in _FIXED and (tags == first).all():
            present = [first]
            sizes: Offsets | int = SIZES[first]
        else:
            present = np.flatnonzero(np.bincount(tags, minlength=256)).tolist()
            sizes = self._sizes(offsets, tags)
        types = {_TYPES[tag] for tag in present} - {_Type.NIL}
        if len(types) > 1 or _Type.OTHER in types:
            return None
        missing = tags == _NIL if _NIL in present else None
        [cell_type] = types or {_Type.NIL}
        match cell_type:
            case _Type.NIL:
                return _fragment(tags, None, None, missing), sizes
            case _Type.BOOL:
                return _fragment(tags, "bool", tags == _TRUE, missing), sizes
            case _Type.FLOAT:
                return _fragment(tags, "float", self._read_floats(offsets, missing), missing), sizes
            case _Type.INT:
                values = self._read_integers(offsets, tags, present)
                return None if values is None else (_fragment(tags, "int", values, missing), sizes)
            case _:
                strings = self._read_strings(offsets, tags, sizes)
                return None if strings is None else (strings, sizes)

    def _sizes(self, offsets: Offsets, tags: Bytes) -> Offsets:
        sizes = _SIZES[tags]
        for tag, dtype, head in _LONG_STRINGS:
            long = np.flatnonzero(tags == tag)
            if len(long):
                sizes[long] = self.gather(dtype, offsets[long] + 1).astype(np.intp) + head
        return sizes

    def _read_floats(self, offsets: Offsets, missing: Flags | None) -> Any:
        values = self.gather(">f8", offsets + 1)
        if missing is not None:
            values[missing] = np.nan
        return values

    def _read_integers(self, offsets: Offsets, tags: Bytes, present: list[int]) -> Any:
        if len(present) == 1 and present[0] in _WIDE:
            values = self.gather(_WIDE[present[0]], offsets + 1).astype(np.int64, copy=False)
        else:
            values = tags.astype(np.int8).astype(np.int64)  # the tag of a small integer is its value
            values[tags == _NIL] = 0
            for tag in present:
                if tag in _WIDE:
                    at = np.flatnonzero(tags == tag)
                    values[at] = self.gather(_WIDE[tag], offsets[at] + 1)
        if _UINT64 in present and (values < 0)[tags == _UINT64].any():  # beyond int64
            return None
        return values

    def _read_strings(self, offsets: Offsets, tags: Bytes, sizes: Offsets | int) -> Fragment | None:
        heads = np.ones(len(tags), np.intp)
        for tag, _, head in _LONG_STRINGS:
            heads[tags == tag] = head
        return read_present(offsets + heads, sizes - heads, tags == _NIL, self.strings)


def _fragment(tags: Bytes, dtype: FragmentDType | None, values: Any, missing: Flags | None) -> Fragment:
    if isinstance(values, np.ndarray):
        array: Any = values.view(np.uint8) if values.dtype == bool else values  # booleans as bytes
        values = memoryview(array)
    return Fragment(len(tags), dtype, values, None if missing is None else bytearray(missing.tobytes()))


def _type(tag: int) -> _Type:
    """Return the type of a cell that begins with this byte."""
    if tag <= 0x7F or tag >= 0xE0 or tag in _WIDE:
        return _Type.INT
    if 0xA0 <= tag <= 0xBF or tag in {0xD9, 0xDA}:
        return _Type.STR
    types = {_NIL: _Type.NIL, _FALSE: _Type.BOOL, _TRUE: _Type.BOOL, _FLOAT64: _Type.FLOAT}
    return types.get(tag, _Type.OTHER)


#: Dtypes of integers that follow the first byte of their cell.
_WIDE: Final = {
    0xCC: ">u1", 0xCD: ">u2", 0xCE: ">u4", 0xCF: ">u8", 0xD0: ">i1", 0xD1: ">i2", 0xD2: ">i4", 0xD3: ">i8",
}  # fmt: skip
#: Cells of a fixed size larger than 1 byte; most columns consist of one of them only.
_FIXED: Final = {_FLOAT64, *_WIDE}
#: Strings whose length follows the first byte: that byte, the dtype of the length, and the size of both in bytes.
_LONG_STRINGS: Final = ((0xD9, ">u1", 2), (0xDA, ">u2", 3))
_TYPES: Final = [_type(tag) for tag in range(256)]
_SIZES: Final = np.array(SIZES, np.intp)
