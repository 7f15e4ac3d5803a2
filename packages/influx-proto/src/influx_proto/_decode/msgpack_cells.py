"""Vectorized reader of MessagePack cells, which reads cells at many offsets at a time.

The first byte of a cell determines its type and size. Values of the same size are gathered through a view of the bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import pandas as pd

from .._result.column import DictionaryStrings, Fragment, FragmentDType, make_fragment
from .msgpack_format import SIZES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Offsets: TypeAlias = NDArray[np.intp]
    Bytes: TypeAlias = NDArray[np.uint8]
    Flags: TypeAlias = NDArray[np.bool_]

#: Added to the bytes, since views read up to this many bytes beyond a cell.
_PADDING: Final = bytes(64)

#: Maximum length of strings that are compared 8 bytes at a time; longer strings are decoded individually.
_MAX_COMPARED_LENGTH: Final = 32

_NIL, _FALSE, _TRUE, _FLOAT64, _UINT64 = 0xC0, 0xC2, 0xC3, 0xCB, 0xCF


class _Type(Enum):
    """The type of a cell."""

    NIL = 0
    INT = 1
    FLOAT = 2
    BOOL = 3
    STR = 4
    OTHER = 5


class CellSource:
    """The bytes of documents, from which cells are read."""

    def __init__(self, data: bytes | memoryview) -> None:
        self.size = len(data)
        self.padded = b"".join((data, _PADDING))
        self.bytes = np.frombuffer(self.padded, np.uint8)

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
                heads = np.ones(len(tags), np.intp)
                for tag, _, head in _LONG_STRINGS:
                    heads[tags == tag] = head
                strings = read_present(offsets + heads, sizes - heads, tags == _NIL, self.strings)
                return None if strings is None else (strings, sizes)

    def _sizes(self, offsets: Offsets, tags: Bytes) -> Offsets:
        sizes = _SIZES[tags]
        for tag, dtype, head in _LONG_STRINGS:
            long = np.flatnonzero(tags == tag)
            if len(long):
                sizes[long] = self._gather(dtype, offsets[long] + 1).astype(np.intp) + head
        return sizes

    def _read_floats(self, offsets: Offsets, missing: Flags | None) -> Any:
        values = self._gather(">f8", offsets + 1)
        if missing is not None:
            values[missing] = np.nan
        return values

    def _read_integers(self, offsets: Offsets, tags: Bytes, present: list[int]) -> Any:
        if len(present) == 1 and present[0] in _WIDE:
            values = self._gather(_WIDE[present[0]], offsets + 1).astype(np.int64, copy=False)
        else:
            values = tags.astype(np.int8).astype(np.int64)  # the tag of a small integer is its value
            values[tags == _NIL] = 0
            for tag in present:
                if tag in _WIDE:
                    at = np.flatnonzero(tags == tag)
                    values[at] = self._gather(_WIDE[tag], offsets[at] + 1)
        if _UINT64 in present and (values < 0)[tags == _UINT64].any():  # beyond int64
            return None
        return values

    def strings(self, begins: Offsets, lengths: Offsets) -> Fragment:
        """Return the strings at these offsets."""
        distinct, codes = self.decode_strings(begins, lengths)
        strings = DictionaryStrings([(distinct, _view(codes))])
        # A dictionary does not pay off if strings rarely repeat.
        return _fragment(begins, "str", strings if 2 * len(distinct) <= len(begins) else list(strings), None)

    def are(self, begins: Offsets, lengths: Offsets, literal: bytes) -> Flags:
        """Return for each string whether it is the literal."""
        found: Flags = lengths == len(literal)
        for at, byte in enumerate(literal) if found.any() else ():
            found &= self.bytes[begins + at] == byte
        return found

    def decode_strings(self, begins: Offsets, lengths: Offsets) -> tuple[list[str | None], NDArray[np.intc]]:
        """Decode strings, each distinct string only once if all are short enough to be compared as numbers.

        Returns:
            The strings, and for each offset the index of its string.
        """
        longest = int(lengths.max())
        if longest > _MAX_COMPARED_LENGTH:
            first, codes = np.arange(len(begins)), np.arange(len(begins))
        else:
            codes = self._factorize(begins, lengths, longest)
            first = np.zeros(int(codes.max()) + 1, np.intp)
            first[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)  # the last assignment to an index takes precedence
        spans = zip(begins[first].tolist(), (begins + lengths)[first].tolist(), strict=True)
        return [self.padded[begin:end].decode("utf-8", "replace") for begin, end in spans], codes.astype(np.intc)

    def _factorize(self, begins: Offsets, lengths: Offsets, longest: int) -> Offsets:
        """Return for each string the index of its distinct value."""
        codes: Any = lengths
        for at in range(0, longest, 8):
            window = self.words(begins + at, lengths - at)
            if longest < 8:  # the length fits into the unused byte
                window |= lengths.astype(np.uint64)
                return np.asarray(pd.factorize(window)[0])
            window_codes, windows = pd.factorize(window)
            codes = pd.factorize(codes * len(windows) + window_codes)[0]
        return codes if longest else np.zeros_like(lengths)

    def words(self, begins: Offsets, lengths: Offsets) -> Any:
        """Return the first 8 bytes of each string as an integer; those after the string are 0."""
        return self._gather(">u8", begins) & _MASKS[np.clip(lengths, 0, 8)]

    def _gather(self, type_code: str, offsets: Offsets) -> Any:
        """Return the numbers at these offsets in native byte order."""
        dtype = np.dtype(type_code)
        view: Any = np.ndarray((len(self.padded) - dtype.itemsize + 1,), dtype, self.padded, strides=(1,))
        return view[offsets].astype(dtype.newbyteorder("="), copy=False)


def read_present(
    begins: Offsets, lengths: Offsets, is_missing: Flags, read: Callable[[Offsets, Offsets], Fragment | None]
) -> Fragment | None:
    """Return a column some of whose cells may be missing; None if `read` returns None.

    Args:
        begins: the offsets of the cells.
        lengths: their lengths.
        is_missing: whether each cell is missing.
        read: returns the present cells.
    """
    if not is_missing.any():
        return read(begins, lengths)
    missing = bytearray(is_missing.tobytes())
    if 0 not in missing:
        return Fragment(len(missing), None, None, missing)
    present = np.flatnonzero(~is_missing)
    found = read(begins[present], lengths[present])
    if found is None:
        return None
    if isinstance(found.values, DictionaryStrings):
        [(distinct, indices)] = found.values.parts
        codes = np.full(len(missing), len(distinct), np.intc)
        codes[present] = indices
        return Fragment(len(missing), "str", DictionaryStrings([([*distinct, None], _view(codes))]), missing)
    if isinstance(found.values, memoryview):
        values = np.full(len(missing), np.nan if found.dtype == "float" else 0, found.values.format)
        values[present] = found.values
        return Fragment(len(missing), found.dtype, _view(values), missing)
    cells = iter(found.cells())
    return make_fragment([None if is_cell_missing else next(cells) for is_cell_missing in missing])


def _fragment(tags: Bytes | Offsets, dtype: FragmentDType | None, values: Any, missing: Flags | None) -> Fragment:
    if isinstance(values, np.ndarray):
        values = _view(values)
    return Fragment(len(tags), dtype, values, None if missing is None else bytearray(missing.tobytes()))


def _view(values: Any) -> memoryview:
    """Return a view of an array whose items are Python numbers; booleans are viewed as bytes."""
    return memoryview(values.view(np.uint8) if values.dtype == bool else values)


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
#: Masks of the first `count` of 8 bytes.
_MASKS: Final = np.array([(1 << 64) - (1 << (64 - 8 * count)) for count in range(9)], np.uint64)
