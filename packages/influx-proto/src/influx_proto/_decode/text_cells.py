"""Vectorized reader of cells of text formats, which reads cells at many offsets at a time.

Numbers are copied to an array of one JSON number each, padded with spaces, and decoded together.
"""

from __future__ import annotations

from array import array
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from .._gc_pause import gc_paused
from .._result.column import Fragment, make_fragment
from .msgpack_cells import CellSource
from .timestamps import read_spans

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .msgpack_cells import Bytes, Flags, Offsets

_COMMA, _SPACE = b", "
#: The longest cell that is decoded together with others; a float has up to 25 characters in most formats.
_MAX_NUMBER_SIZE: Final = 40


class TextCells:
    """The bytes of a response in a text format, from which cells are read."""

    def __init__(self, data: bytes) -> None:
        self.source = CellSource(data)
        self._padded = data + bytes(64)
        self.bytes: Bytes = np.frombuffer(self._padded, np.uint8)

    def decode(self, begin: int, end: int) -> str:
        """Return a cell; bytes that are not UTF-8 become replacement characters."""
        return self._padded[begin:end].decode("utf-8", "replace")

    def cells(self, begins: Offsets, lengths: Offsets) -> list[str]:
        """Return the cells at these offsets."""
        return list(map(self.decode, begins.tolist(), (begins + lengths).tolist()))

    def are_at(self, literal: bytes, offsets: Offsets) -> bool:
        """Return whether the literal is at each of the offsets."""
        for begin in range(0, len(literal), 8):
            part = literal[begin : begin + 8]
            words: Any = np.ndarray((len(self._padded) - 7,), "<u8", self._padded, strides=(1,))[offsets + begin]
            words &= np.uint64((1 << (8 * len(part))) - 1)
            if (words != np.uint64(int.from_bytes(part, "little"))).any():
                return False
        return True

    def times(self, begins: Offsets, lengths: Offsets) -> NDArray[np.int64] | None:
        """Return the nanoseconds of timestamps since 1970, or None if they have to be read one at a time."""
        return read_spans(self.bytes, begins, lengths)

    def booleans(self, begins: Offsets, lengths: Offsets) -> Flags | None:
        """Return the values of cells `true` and `false`, or None if there are others."""
        is_true, is_false = (self.source.are(begins, lengths, literal) for literal in (b"true", b"false"))
        return is_true if (is_true | is_false).all() else None

    def joined(self, begins: Offsets, lengths: Offsets) -> bytes | None:
        """Return cells as the items of a JSON array, padded with spaces, or None if one is long or has a space."""
        size = int(lengths.max())
        if size > _MAX_NUMBER_SIZE:
            return None
        windows: Any = np.ndarray((len(self._padded) - size,), f"V{size + 1}", self._padded, strides=(1,))[begins]
        cells = windows.view(np.uint8).reshape(len(begins), size + 1)
        cells[np.arange(size + 1, dtype=np.uint8) >= lengths.astype(np.uint8)[:, None]] = _SPACE
        cells[:, -1] = _COMMA
        if np.count_nonzero(cells == _SPACE) != size * len(cells) - lengths.sum():
            return None
        return b"[" + cells.tobytes()[:-1] + b"]"

    def scalars(self, begins: Offsets, lengths: Offsets) -> Fragment | None:
        """Return JSON's numbers, booleans and null, or None if a cell is something else."""
        if self.bytes[begins[0]] in b"tf":
            booleans = self.booleans(begins, lengths)
            if booleans is not None:
                return Fragment(len(begins), "bool", memoryview(booleans.view(np.uint8)), None)
        joined = self.joined(begins, lengths)
        if joined is None:
            return None
        with suppress(Exception):  # not of one type, or integers beyond int64
            if not joined.translate(None, b"0123456789-, []"):
                integers: list[int] = gc_paused(INTEGERS.decode, joined)
                return (
                    Fragment(len(begins), "int", array("q", integers), None) if len(integers) == len(begins) else None
                )
            if joined.count(b".") == len(begins):
                floats: list[float] = gc_paused(FLOATS.decode, joined)
                return Fragment(len(begins), "float", array("d", floats), None) if len(floats) == len(begins) else None
        with suppress(Exception):
            cells: list[Any] = gc_paused(_SCALARS.decode, joined)
            return make_fragment(cells) if len(cells) == len(begins) else None
        return None


FLOATS: Final = msgspec.json.Decoder(list[float])
INTEGERS: Final = msgspec.json.Decoder(list[int])
_SCALARS: Final = msgspec.json.Decoder(list[int | float | bool | None])
