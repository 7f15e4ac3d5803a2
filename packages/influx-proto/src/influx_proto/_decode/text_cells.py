"""Vectorized reader of cells of text formats, which reads cells at many offsets at a time.

Numbers are copied to an array of one JSON number each, padded with spaces, and decoded together.
"""

from __future__ import annotations

import re
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from .._gc_pause import gc_paused
from .._result.column import Fragment, make_fragment
from .cells import CellSource
from .timestamps import read_spans

if TYPE_CHECKING:
    from .cells import Offsets

_COMMA, _SPACE, _E = b", e"
#: `true`, and the first 4 bytes of `false`.
_TRUE, _FALS = (np.uint32(int.from_bytes(word, "little")) for word in (b"true", b"fals"))
#: The longest cell that is decoded together with others; a float has up to 25 characters in most formats.
_MAX_NUMBER_SIZE: Final = 40


class TextCells(CellSource):
    """The bytes of a response in a text format, from which cells are read."""

    def cells(self, begins: Offsets, lengths: Offsets) -> list[str]:
        """Return the cells at these offsets."""
        return list(map(self.decode, begins.tolist(), (begins + lengths).tolist()))

    def spans(self, separators: Offsets, width: int, gap: int) -> tuple[Offsets, Offsets]:
        """Return the begins and ends of the cells of each column.

        Args:
            separators: the offsets of the bytes after each cell, `width` for each row.
            width: the number of columns.
            gap: the number of bytes between the separator after a row and the next row.
        """
        ends = np.ascontiguousarray(separators.reshape(-1, width).T)
        begins = np.empty_like(ends)
        begins[0, 0] = 0
        begins[0, 1:] = ends[-1, :-1] + 1 + gap
        begins[1:] = ends[:-1] + 1
        return begins, ends

    def times(self, begins: Offsets, lengths: Offsets) -> Any:
        """Return the nanoseconds of timestamps since 1970, or None if they have to be read one at a time."""
        return read_spans(self.bytes, begins, lengths)

    def booleans(self, begins: Offsets, lengths: Offsets) -> Any:
        """Return the values, 0 or 1, of cells `true` and `false`, or None if there are others."""
        words = self.gather("<u4", begins)
        is_true = (words == _TRUE) & (lengths == 4)
        is_false = (words == _FALS) & (lengths == 5) & (self.bytes[begins + 4] == _E)
        return is_true.view(np.uint8) if (is_true | is_false).all() else None

    def joined(self, begins: Offsets, lengths: Offsets) -> bytes | None:
        """Return cells as the items of a JSON array, padded with spaces, or None if one is long."""
        size = int(lengths.max())
        if size > _MAX_NUMBER_SIZE:
            return None
        window = f"V{size + 1}"
        # By length: a mask of the bytes of a cell, and the bytes after it. A mask of all cells takes twice as long.
        masks = np.tri(size + 1, size + 1, -1, np.uint8) * np.uint8(255)
        padding = ~masks & np.uint8(_SPACE)
        padding[:, -1] = _COMMA
        cells = self.gather(window, begins).view(np.uint8)
        cells &= masks.view(window)[lengths].ravel().view(np.uint8)
        cells |= padding.view(window)[lengths].ravel().view(np.uint8)
        items: bytes = cells.tobytes()
        return b"[" + items[:-1] + b"]"

    def have_spaces(self, joined: bytes, lengths: Offsets) -> bool:
        """Return whether cells have spaces, which JSON ignores, apart from the padding of `joined`."""
        padding = len(lengths) * int(lengths.max()) - int(lengths.sum())
        return int(np.count_nonzero(np.frombuffer(joined, np.uint8) == _SPACE)) != padding

    def timestamps(self, begins: Offsets, lengths: Offsets) -> Any:
        """Return integers of 17 to 19 digits each, as those of nanoseconds, or None if there are others."""
        size = int(lengths[0])
        if not 17 <= size <= 19 or (lengths != size).any():
            return None
        values = np.zeros(len(begins), np.int64)
        for at, weight in ((0, 10 ** (size - 8)), (8, 10 ** (size - 16)), (size - 8, 1)):
            words = self.gather("<u8", begins + at)
            if ((words & _HIGH) != _ZEROS).any() or (((words + _SIXES) & _HIGH) != _ZEROS).any():
                return None
            # Each step joins neighbouring numbers: of 1 digit, of 2 digits, of 4 digits.
            words &= ~_HIGH
            words = (words * np.uint64(2561)) >> np.uint64(8) & np.uint64(0x00FF00FF00FF00FF)
            words = (words * np.uint64(6553601)) >> np.uint64(16) & np.uint64(0x0000FFFF0000FFFF)
            words = (words * np.uint64(42949672960001)) >> np.uint64(32)
            if at == 0 and (words.min() < 10_000_000 or (size == 19 and words.max() >= 92_233_720)):
                return None  # a leading zero, or possibly beyond int64
            if at == size - 8:
                words %= np.uint64(10 ** (size - 16))
            values += words.astype(np.int64) * weight
        return values

    def scalars(self, begins: Offsets, lengths: Offsets, decoder: msgspec.json.Decoder[Any]) -> Fragment | None:
        """Return JSON's numbers, booleans and null, or None if a cell is something else.

        Args:
            begins: the offsets of the cells.
            lengths: their lengths.
            decoder: decodes a list of cells that are not of one type.
        """
        times = self.timestamps(begins, lengths)
        if times is not None:
            return Fragment(len(begins), "int", memoryview(times), None)
        if self.bytes[begins[0]] in b"tf":
            booleans = self.booleans(begins, lengths)
            if booleans is not None:
                return Fragment(len(begins), "bool", memoryview(booleans), None)
        joined = self.joined(begins, lengths)
        return None if joined is None else read_numbers(joined, len(begins), decoder)


def read_numbers(joined: bytes, count: int, decoder: msgspec.json.Decoder[Any]) -> Fragment | None:
    """Return the items of a JSON array, or None if there are other than `count` items, or others than scalars."""
    with suppress(Exception):  # not of one type, or integers beyond int64
        if b"." not in joined and not joined.translate(None, b"0123456789-, []"):
            integers: list[int] = gc_paused(INTEGERS.decode, joined)
            return Fragment(count, "int", _packed("q", integers), None) if len(integers) == count else None
        if joined.count(b".") == count:
            floats: list[float] = gc_paused(FLOATS.decode, joined)
            return Fragment(count, "float", _packed("d", floats), None) if len(floats) == count else None
    with suppress(Exception):
        cells: list[Any] = gc_paused(decoder.decode, joined)
        return make_fragment(cells) if len(cells) == count else None
    return None


def _packed(type_code: str, numbers: list[Any]) -> Any:
    """Return a memoryview of the numbers, in a third of the time of an `array`."""
    view: Any = memoryview(struct.pack(f"{len(numbers)}{type_code}", *numbers))
    return view.cast(type_code)


#: A number that JSON reads as an integer, but InfluxDB prints for a float.
NEGATIVE_ZERO: Final = re.compile(rb"-0[ ,\]]")
FLOATS: Final = msgspec.json.Decoder(list[float])
INTEGERS: Final = msgspec.json.Decoder(list[int])
#: Constants for 8 digits in an integer.
_HIGH, _ZEROS, _SIXES = (np.uint64(0x0101010101010101 * byte) for byte in (0xF0, 0x30, 0x06))
