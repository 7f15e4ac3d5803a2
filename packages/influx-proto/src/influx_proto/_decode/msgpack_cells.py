"""Cells of MessagePack documents, looked at in many places of the bytes at a time.

The first byte of a cell tells its type and size; values of one size are gathered through a view of the bytes.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import pandas as pd

from .._result.column import DictionaryStrings, Fragment, FragmentDType
from .msgpack_format import SIZES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Places: TypeAlias = NDArray[np.intp]
    Bytes: TypeAlias = NDArray[np.uint8]
    Flags: TypeAlias = NDArray[np.bool_]

#: Views look this far beyond a cell.
_PADDING: Final = bytes(64)

#: Longer strings are not compared eight bytes at a time, but made one by one.
_LONGEST_COMPARED: Final = 32

_NIL, _FALSE, _TRUE, _FLOAT64, _UINT64 = 0xC0, 0xC2, 0xC3, 0xCB, 0xCF


class _Type(Enum):
    """What a cell is."""

    NIL = 0
    INT = 1
    FLOAT = 2
    BOOL = 3
    STR = 4
    OTHER = 5


class CellSource:
    """The bytes of documents."""

    def __init__(self, data: bytes) -> None:
        self.size = len(data)
        self._padded = data + _PADDING
        self._bytes = np.frombuffer(self._padded, np.uint8)

    def find(self, pattern: bytes, begin: int, end: int) -> Places:
        """Find where a pattern of some bytes stands between these two places."""
        data = self._bytes[begin:end]
        found = data[: len(data) - len(pattern) + 1] == pattern[0]
        for number, byte in enumerate(pattern[1:], 1):
            found &= data[number : number + len(found)] == byte
        return np.flatnonzero(found) + begin

    def ends(self, offsets: Places, width: int) -> Places:
        """Give where rows of this many cells end; anything, where there are none."""
        for _ in range(width):
            offsets = np.minimum(offsets, self.size)
            offsets = offsets + self._sizes(offsets, self._bytes[offsets])
        return offsets

    def column(self, offsets: Places) -> tuple[Fragment, Places | int] | None:
        """Read the cells at these places; give them and their sizes, or None if they are not of one type."""
        if offsets.max() >= self.size:
            return None
        tags = self._bytes[offsets]
        first = int(tags[0])
        if first in _FIXED and (tags == first).all():
            present = [first]
            sizes: Places | int = SIZES[first]
        else:
            present = np.flatnonzero(np.bincount(tags, minlength=256)).tolist()
            sizes = self._sizes(offsets, tags)
        types = {_TYPES[tag] for tag in present} - {_Type.NIL}
        if len(types) > 1 or _Type.OTHER in types:
            return None
        missing = tags == _NIL if _NIL in present else None
        [kind] = types or {_Type.NIL}
        match kind:
            case _Type.NIL:
                return _piece(tags, None, None, missing), sizes
            case _Type.BOOL:
                return _piece(tags, "bool", tags == _TRUE, missing), sizes
            case _Type.FLOAT:
                return _piece(tags, "float", self._floats(offsets, missing), missing), sizes
            case _Type.INT:
                values = self._integers(offsets, tags, present)
                return None if values is None else (_piece(tags, "int", values, missing), sizes)
            case _:
                return self._strings(offsets, tags, sizes, missing), sizes

    def _sizes(self, offsets: Places, tags: Bytes) -> Places:
        sizes = _SIZES[tags]
        for tag, kind, head in _LONG_STRINGS:
            long = np.flatnonzero(tags == tag)
            if len(long):
                sizes[long] = self._gathered(kind, offsets[long] + 1).astype(np.intp) + head
        return sizes

    def _floats(self, offsets: Places, missing: Flags | None) -> Any:
        values = self._gathered(">f8", offsets + 1)
        if missing is not None:
            values[missing] = np.nan
        return values

    def _integers(self, offsets: Places, tags: Bytes, present: list[int]) -> Any:
        if len(present) == 1 and present[0] in _WIDE:
            values = self._gathered(_WIDE[present[0]], offsets + 1).astype(np.int64, copy=False)
        else:
            values = tags.astype(np.int8).astype(np.int64)  # which small integers are themselves
            values[tags == _NIL] = 0
            for tag in present:
                if tag in _WIDE:
                    at = np.flatnonzero(tags == tag)
                    values[at] = self._gathered(_WIDE[tag], offsets[at] + 1)
        if _UINT64 in present and (values < 0)[tags == _UINT64].any():  # beyond int64
            return None
        return values

    def _strings(self, offsets: Places, tags: Bytes, sizes: Places | int, missing: Flags | None) -> Fragment:
        heads = np.ones(len(tags), np.intp)
        for tag, _, head in _LONG_STRINGS:
            heads[tags == tag] = head
        begins, lengths = offsets + heads, sizes - heads
        if missing is None:
            distinct, codes = self._texts(begins, lengths)
        else:
            there = np.flatnonzero(~missing)
            distinct, codes_there = self._texts(begins[there], lengths[there])
            codes = np.full(len(tags), len(distinct), np.intc)
            codes[there] = codes_there
            distinct.append(None)
        texts = DictionaryStrings([(distinct, _view(codes))])
        # Those that hardly ever repeat are not worth counting together.
        return _piece(tags, "str", texts if 2 * len(distinct) <= len(tags) else list(texts), missing)

    def _texts(self, begins: Places, lengths: Places) -> tuple[list[str | None], NDArray[np.intc]]:
        """Make strings, each distinct one once where they are short enough to be compared as numbers.

        Returns:
            The strings, and for each place the number of its string.
        """
        longest = int(lengths.max())
        if longest > _LONGEST_COMPARED:
            first, codes = np.arange(len(begins)), np.arange(len(begins))
        else:
            codes = self._compared(begins, lengths, longest)
            first = np.zeros(int(codes.max()) + 1, np.intp)
            first[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)  # of several assignments the last one holds
        spans = zip(begins[first].tolist(), (begins + lengths)[first].tolist(), strict=True)
        return [self._padded[begin:end].decode("utf-8", "replace") for begin, end in spans], codes.astype(np.intc)

    def _compared(self, begins: Places, lengths: Places, longest: int) -> Places:
        """Number the distinct strings."""
        codes: Any = lengths
        for at in range(0, longest, 8):
            window = self._gathered(">u8", begins + at) & _MASKS[np.clip(lengths - at, 0, 8)]
            if longest < 8:  # the length has room in the byte that is free
                window |= lengths.astype(np.uint64)
                return np.asarray(pd.factorize(window)[0])
            window_codes, windows = pd.factorize(window)
            codes = pd.factorize(codes * len(windows) + window_codes)[0]
        return codes if longest else np.zeros_like(lengths)

    def _gathered(self, kind: str, offsets: Places) -> Any:
        """Give the numbers at these places, in the machine's own form."""
        dtype = np.dtype(kind)
        view: Any = np.ndarray((len(self._padded) - dtype.itemsize + 1,), dtype, self._padded, strides=(1,))
        return view[offsets].astype(dtype.newbyteorder("="), copy=False)


def _piece(tags: Bytes, kind: FragmentDType | None, values: Any, missing: Flags | None) -> Fragment:
    if isinstance(values, np.ndarray):
        values = _view(values)
    return Fragment(len(tags), kind, values, None if missing is None else bytearray(missing.tobytes()))


def _view(values: Any) -> memoryview:
    """Give the numbers of an array in a form whose items are Python's; truth values as bytes."""
    return memoryview(values.view(np.uint8) if values.dtype == bool else values)


def _type(tag: int) -> _Type:
    """Tell the type of a cell by its first byte."""
    if tag <= 0x7F or tag >= 0xE0 or tag in _WIDE:
        return _Type.INT
    if 0xA0 <= tag <= 0xBF or tag in {0xD9, 0xDA}:
        return _Type.STR
    known = {_NIL: _Type.NIL, _FALSE: _Type.BOOL, _TRUE: _Type.BOOL, _FLOAT64: _Type.FLOAT}
    return known.get(tag, _Type.OTHER)


#: Integers that follow their first byte.
_WIDE: Final = {
    0xCC: ">u1", 0xCD: ">u2", 0xCE: ">u4", 0xCF: ">u8", 0xD0: ">i1", 0xD1: ">i2", 0xD2: ">i4", 0xD3: ">i8",
}  # fmt: skip
#: What columns most often consist of alone.
_FIXED: Final = {_FLOAT64, *_WIDE}
#: Strings whose length follows their first byte: that byte, the form of the length, and the bytes of both.
_LONG_STRINGS: Final = ((0xD9, ">u1", 2), (0xDA, ">u2", 3))
_TYPES: Final = [_type(tag) for tag in range(256)]
_SIZES: Final = np.array(SIZES, np.intp)
#: The first bytes of eight, by how many of them.
_MASKS: Final = np.array([(1 << 64) - (1 << (64 - 8 * count)) for count in range(9)], np.uint64)
