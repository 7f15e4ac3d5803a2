"""The rows of a MessagePack answer as columns, many rows at a time, without an object for each cell.

A row is an array, and rows stand one behind the other. Where each begins is proposed by two bytes: the head of the
array, and the first byte of its first cell, which is alike in all rows if it is a time. From there all rows are walked
at once, a column after the other: the first byte of a cell tells its type and size, values of one size are gathered
through a view of the bytes, and the sizes lead to the next column.

The walk proves the proposal: the last column of each row must end where the next row begins, the document around the
rows must be whole without them, and a column must be of one type. What is not so is left to the ordinary decoder.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, overload

import numpy as np
import pandas as pd

from ._cells import Piece
from ._errors import ProtocolError
from ._msgpack import GARBLED, SIZES, Walk

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["PackedRows", "read_packed"]

_BEGINNING: Final = b"\x81\xa7results\x91"

#: Fewer are decoded faster one by one.
_FEWEST_ROWS: Final = 500

#: Views look this far beyond a cell.
_PADDING: Final = bytes(64)

#: Longer strings are not compared eight bytes at a time, but made one by one.
_LONGEST_COMPARED: Final = 32


class _Type(Enum):
    """What a cell is."""

    NIL = 0
    INT = 1
    FLOAT = 2
    BOOL = 3
    STR = 4
    OTHER = 5


class PackedRows(Sequence[list[Any]]):
    """Rows that are kept as columns; they are made when they are asked for."""

    def __init__(self, rows: int, columns: list[Piece]) -> None:
        self._rows = rows
        self.columns = columns

    def __len__(self) -> int:
        return self._rows

    @overload
    def __getitem__(self, index: int) -> list[Any]: ...
    @overload
    def __getitem__(self, index: slice) -> list[list[Any]]: ...
    def __getitem__(self, index: int | slice) -> list[Any]:
        return list(self)[index]

    def __iter__(self) -> Iterator[list[Any]]:
        return map(list, zip(*[piece.cells() for piece in self.columns], strict=True))


def read_packed(data: bytes, decode: Callable[[bytes], Any]) -> Any:
    """Decode a document whose rows are many, and of one series.

    Args:
        data: what is thought to be one document.
        decode: the ordinary decoder.

    Returns:
        The document, its `values` as `PackedRows`; None if it has to be decoded in the ordinary way, if it is one.
    """
    source = _Source(data)
    try:
        at = _find_values(source.padded)
        found = None if at is None else _read_rows(source, at)
        if found is None:
            return None
        rows, end = found
        document = decode(data[:at] + b"\x90" + data[end:])
    except (ProtocolError, *GARBLED):
        return None
    document["results"][0]["series"][0]["values"] = rows
    return document


def _find_values(data: bytes) -> int | None:
    """Find the `values` of the only series of the only result."""
    if not data.startswith(_BEGINNING):
        return None
    at = _find_entry(data, len(_BEGINNING), b"\xa6series")
    if at is None or data[at : at + 1] != b"\x91":
        return None
    return _find_entry(data, at + 1, b"\xa6values")


def _find_entry(data: bytes, at: int, key: bytes) -> int | None:
    """Find the value of a key in the map that begins at `at`."""
    count = data[at] & 0x0F if 0x80 <= data[at] <= 0x8F else 0
    at += 1
    for _ in range(count):
        found = data.startswith(key, at)
        at = _skip(data, at)
        if found:
            return at
        at = _skip(data, at)
    return None


def _skip(data: bytes, at: int) -> int:
    walk = Walk(at)
    walk.over(data)
    return walk.at


def _read_rows(source: _Source, at: int) -> tuple[PackedRows, int] | None:
    """Read the array of rows that begins at `at`; give it and where it ends."""
    data = source.padded
    count, begin = _array(data, at)
    if count < _FEWEST_ROWS:
        return None
    width, first_cell = _array(data, begin)
    if not width:
        return None
    starts = source.find(data[begin : first_cell + 1], begin)
    head = first_cell - begin
    if len(starts) != count:  # there are bytes that look like it within cells
        starts = _chained(starts, source.ends(starts + head, width))[:count]
    if len(starts) != count or starts[0] != begin:
        return None
    columns = []
    offsets = starts + head
    for _ in range(width):
        column = source.column(offsets)
        if column is None:
            return None
        piece, sizes = column
        columns.append(piece)
        offsets = offsets + sizes
    end = int(offsets[-1])
    if end > source.size or (offsets[:-1] != starts[1:]).any():
        return None
    return PackedRows(count, columns), end


def _array(data: bytes, at: int) -> tuple[int, int]:
    """Give how many items an array has and where they begin; 0 if there is none."""
    head = data[at]
    if 0x90 <= head <= 0x9F:
        return head & 0x0F, at + 1
    size = {0xDC: 2, 0xDD: 4}.get(head, 0)
    return int.from_bytes(data[at + 1 : at + 1 + size], "big"), at + 1 + size


def _chained(starts: NDArray[np.intp], ends: NDArray[np.intp]) -> NDArray[np.intp]:
    """Give the starts of rows each of which begins where the one before ends; what lies within a row is none."""
    following = np.searchsorted(starts, ends)
    # Most rows are followed by the next start; where it is another one, those between are jumped over.
    jumps = np.append(np.flatnonzero(following != np.arange(1, len(starts) + 1)), len(starts) - 1)
    kept = []
    at = 0
    while at < len(starts):
        jump = int(jumps[np.searchsorted(jumps, at)])
        kept.append(starts[at : jump + 1])
        at = max(int(following[jump]), jump + 1)
    return np.concatenate(kept) if kept else starts


class _Source:
    """The bytes of a document, looked at in many places at a time."""

    def __init__(self, data: bytes) -> None:
        self.size = len(data)
        self.padded = data + _PADDING
        self._bytes = np.frombuffer(self.padded, np.uint8)

    def find(self, pattern: bytes, begin: int) -> NDArray[np.intp]:
        """Find all places of a pattern of two to four bytes."""
        data = self._bytes[begin : self.size]
        found = data[: len(data) - len(pattern) + 1] == pattern[0]
        for number, byte in enumerate(pattern[1:], 1):
            found &= data[number : number + len(found)] == byte
        return np.flatnonzero(found) + begin

    def ends(self, offsets: NDArray[np.intp], width: int) -> NDArray[np.intp]:
        """Give where rows of this many cells end; anything, where there are none."""
        for _ in range(width):
            offsets = np.minimum(offsets, self.size)
            tags = self._bytes[offsets]
            sizes = _SIZES[tags]
            long = np.flatnonzero((tags == 0xD9) | (tags == 0xDA))
            sizes[long] = self._string_sizes(tags[long], offsets[long])
            offsets = offsets + sizes
        return offsets

    def column(self, offsets: NDArray[np.intp]) -> tuple[Piece, NDArray[np.intp]] | None:
        """Read the cells at these places; give them and their sizes, or None if they are not of one type."""
        if (offsets >= self.size).any():
            return None
        tags = self._bytes[offsets]
        counts = np.bincount(tags, minlength=256)
        present = np.flatnonzero(counts)
        types = {_TYPES[tag] for tag in present.tolist()}
        types.discard(_Type.NIL)
        if len(types) > 1 or _Type.OTHER in types:
            return None
        missing = bytearray((tags == 0xC0).tobytes()) if counts[0xC0] else None
        [kind] = types or {_Type.NIL}
        sizes = _SIZES[tags]
        match kind:
            case _Type.NIL:
                return Piece(len(tags), None, None, missing), sizes
            case _Type.BOOL:
                return Piece(len(tags), "bool", bytearray((tags == 0xC3).tobytes()), missing), sizes
            case _Type.FLOAT:
                return Piece(len(tags), "float", self._floats(offsets, tags), missing), sizes
            case _Type.INT:
                values = self._integers(offsets, tags, present.tolist())
                return None if values is None else (Piece(len(tags), "int", values, missing), sizes)
            case _:
                return self._strings(offsets, tags, missing)

    def _floats(self, offsets: NDArray[np.intp], tags: NDArray[np.uint8]) -> array[float]:
        values = self._gathered(">f8", offsets + 1)
        values[tags == 0xC0] = np.nan
        return array("d", values.tobytes())

    def _integers(self, offsets: NDArray[np.intp], tags: NDArray[np.uint8], present: list[int]) -> array[int] | None:
        if len(present) == 1 and present[0] in _WIDE:
            values = self._gathered(_WIDE[present[0]], offsets + 1).astype(np.int64)
        else:
            values = tags.astype(np.int8).astype(np.int64)  # which small integers are themselves
            values[tags == 0xC0] = 0
            for tag in present:
                if tag in _WIDE:
                    at = np.flatnonzero(tags == tag)
                    values[at] = self._gathered(_WIDE[tag], offsets[at] + 1)
        if 0xCF in present and (values < 0)[tags == 0xCF].any():  # beyond int64
            return None
        return array("q", values.tobytes())

    def _strings(
        self, offsets: NDArray[np.intp], tags: NDArray[np.uint8], missing: bytearray | None
    ) -> tuple[Piece, NDArray[np.intp]]:
        sizes = _SIZES[tags]
        long = np.flatnonzero((tags == 0xD9) | (tags == 0xDA))
        sizes[long] = self._string_sizes(tags[long], offsets[long])
        heads = np.ones_like(sizes)
        heads[long] = np.where(tags[long] == 0xD9, 2, 3)
        begins, lengths = offsets + heads, sizes - heads
        there = np.flatnonzero(tags != 0xC0) if missing else slice(None)
        values = np.full(len(tags), None, object)
        values[there] = self._texts(begins[there], lengths[there])
        return Piece(len(tags), "str", values.tolist(), missing), sizes

    def _string_sizes(self, tags: NDArray[np.uint8], offsets: NDArray[np.intp]) -> NDArray[np.intp]:
        """Give the sizes of strings whose length follows their first byte, in one byte or two."""
        short = self._bytes[offsets + 1].astype(np.intp)
        return np.where(tags == 0xD9, short + 2, (short << 8) + self._bytes[offsets + 2] + 3)

    def _texts(self, begins: NDArray[np.intp], lengths: NDArray[np.intp]) -> NDArray[np.object_]:
        """Make strings, each distinct one once where they are short enough to be compared as numbers."""
        longest = int(lengths.max())
        if longest > _LONGEST_COMPARED:
            spans = zip(begins.tolist(), (begins + lengths).tolist(), strict=True)
            return _objects([self._text(begin, end) for begin, end in spans])
        codes: Any = lengths
        for at in range(0, longest, 8):
            window = self._gathered(">u8", begins + at) & _MASKS[np.clip(lengths - at, 0, 8)]
            window_codes, windows = pd.factorize(window)
            codes, _ = pd.factorize(codes * len(windows) + window_codes)
        count = int(codes.max()) + 1 if longest else 1
        if not longest:
            codes = np.zeros_like(lengths)
        first = np.zeros(count, np.intp)
        first[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)  # of several assignments the last one holds
        spans = zip(begins[first].tolist(), (begins + lengths)[first].tolist(), strict=True)
        texts: NDArray[np.object_] = _objects([self._text(begin, end) for begin, end in spans])[codes]
        return texts

    def _text(self, begin: int, end: int) -> str:
        return self.padded[begin:end].decode("utf-8", "replace")

    def _gathered(self, kind: str, offsets: NDArray[np.intp]) -> Any:
        """Give the numbers at these places, in the machine's own form."""
        dtype = np.dtype(kind)
        view: Any = np.ndarray((len(self.padded) - dtype.itemsize + 1,), dtype, self.padded, strides=(1,))
        return view[offsets].astype(dtype.newbyteorder("="))


def _objects(values: list[str]) -> NDArray[np.object_]:
    found = np.empty(len(values), object)
    found[:] = values
    return found


def _type(tag: int) -> _Type:
    """Tell the type of a cell by its first byte."""
    if tag <= 0x7F or tag >= 0xE0 or tag in _WIDE:
        return _Type.INT
    if 0xA0 <= tag <= 0xBF or tag in {0xD9, 0xDA}:
        return _Type.STR
    known = {0xC0: _Type.NIL, 0xC2: _Type.BOOL, 0xC3: _Type.BOOL, 0xCB: _Type.FLOAT}
    return known.get(tag, _Type.OTHER)


#: Integers that follow their first byte.
_WIDE: Final = {
    0xCC: ">u1", 0xCD: ">u2", 0xCE: ">u4", 0xCF: ">u8", 0xD0: ">i1", 0xD1: ">i2", 0xD2: ">i4", 0xD3: ">i8",
}  # fmt: skip
_TYPES: Final = [_type(tag) for tag in range(256)]
_SIZES: Final = np.array(SIZES, np.intp)
#: The first bytes of eight, by how many of them.
_MASKS: Final = np.array([(1 << 64) - (1 << (64 - 8 * count)) for count in range(9)], np.uint64)
