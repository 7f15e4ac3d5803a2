"""Vectorized reader of cells of text formats, which reads cells at many offsets at a time.

Numbers are copied to an array of one JSON number each, padded with spaces, and decoded together.
"""

from __future__ import annotations

import struct
from contextlib import suppress
from typing import Any, Final

import msgspec
import numpy as np

from .._gc_pause import gc_paused
from .._result.column import Fragment, make_fragment
from .cells import CellSource, Flags, Offsets
from .timestamp_columns import read_spans

_COMMA, _SPACE, _MINUS, _POINT, _ZERO, _E = b", -.0e"
#: `true`, and the first 4 bytes of `false`.
_TRUE, _FALS = (np.uint32(int.from_bytes(word, "little")) for word in (b"true", b"fals"))
#: The longest cell that is decoded together with others; a float has up to 25 characters in most formats.
_MAX_NUMBER_SIZE: Final = 40


class TextCells(CellSource):
    """The bytes of a response in a text format, from which cells are read."""

    def cells(self, begins: Offsets, lengths: Offsets) -> list[str]:
        """Return the cells at these offsets."""
        return list(map(self.decode, begins.tolist(), (begins + lengths).tolist()))

    def _changes(self, begins: Offsets, lengths: Offsets) -> Flags:
        """Return for each cell but the first whether it differs from the cell before it."""
        found: Flags = lengths[1:] != lengths[:-1]
        for at in range(0, int(lengths.max()), 8):
            words = self.words(np.minimum(begins + at, self.size), lengths - at)
            found |= words[1:] != words[:-1]
        return found

    def group_begins(self, *columns: tuple[Offsets, Offsets]) -> list[int]:
        """Return the first of each group of consecutive rows that have the same cells in these columns.

        Args:
            columns: the offsets and the lengths of the cells of each column.
        """
        is_new = np.zeros(len(columns[0][0]), np.bool_)
        is_new[0] = True
        for begins, lengths in columns:
            is_new[1:] |= self._changes(begins, lengths)
        found: list[int] = np.flatnonzero(is_new).tolist()
        return found

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

    def times(self, begins: Offsets, lengths: Offsets) -> Fragment | None:
        """Return the nanoseconds of timestamps since 1970, or None if they have to be read one at a time."""
        times: Any = read_spans(self.bytes, begins, lengths)
        return None if times is None else Fragment(len(begins), "int", memoryview(times), None)

    def booleans(self, begins: Offsets, lengths: Offsets) -> Any:
        """Return the values, 0 or 1, of cells `true` and `false`, or None if there are others."""
        words = self.gather("<u4", begins)
        is_true = (words == _TRUE) & (lengths == 4)
        is_false = (words == _FALS) & (lengths == 5) & (self.bytes[begins + 4] == _E)
        return is_true.view(np.uint8) if (is_true | is_false).all() else None

    def joined(self, begins: Offsets, lengths: Offsets) -> bytearray | None:
        """Return cells as the items of a JSON array, padded with spaces, or None if one is long."""
        size = int(lengths.max())
        if size > _MAX_NUMBER_SIZE:
            return None
        window = f"V{size + 1}"
        windows: Any = np.ndarray((len(self.padded) - size,), window, self.padded, strides=(1,))[begins]
        # By length: a mask of the bytes of a cell, and the bytes after it. A mask of all cells takes twice as long.
        masks = np.tri(size + 1, size + 1, -1, np.uint8) * np.uint8(255)
        padding = ~masks & np.uint8(_SPACE)
        padding[:, -1] = _COMMA
        items = bytearray(b"[") * int(windows.nbytes + 1)
        cells = windows.view(np.uint8)
        cells &= masks.view(window)[lengths].ravel().view(np.uint8)
        np.bitwise_or(cells, padding.view(window)[lengths].ravel().view(np.uint8), np.frombuffer(items, np.uint8)[1:])
        items[-1:] = b"]"
        return items

    def have_spaces(self, joined: bytearray, lengths: Offsets) -> bool:
        """Return whether cells have spaces, which JSON ignores, apart from the padding of `joined`."""
        padding = len(lengths) * int(lengths.max()) - int(lengths.sum())
        return int(np.count_nonzero(np.frombuffer(joined, np.uint8) == _SPACE)) != padding

    def integers(self, begins: Offsets, lengths: Offsets) -> Any:
        """Return the integers in int64, or None if they have to be read otherwise."""
        if not self.cells(begins[:1], lengths[:1])[0].removeprefix("-").isdigit():  # the usual cell of another type
            return None
        is_negative = self.bytes[begins] == _MINUS
        if is_negative.any():
            begins, lengths = begins + is_negative, lengths - is_negative
        size = int(lengths.max())
        if lengths.min() < 1 or size > 19 or ((lengths > 1) & (self.bytes[begins] == _ZERO)).any():
            return None
        digits: Any = size if lengths.min() == size else lengths
        values = np.zeros(len(begins), np.uint64)
        for at in range(0, size, 8):
            count = np.clip(digits - at, 0, 8)
            words = self.gather("<u8", begins + at)
            words ^= _ZEROS
            words *= _SHIFTS[count]  # without the bytes after the integer, and with zeros before it
            if ((words | (words + _SIXES)) & _HIGH).any():
                return None
            # Each step joins neighbouring numbers: of 1 digit, of 2 digits, of 4 digits.
            words = (words * np.uint64(2561)) >> np.uint64(8) & np.uint64(0x00FF00FF00FF00FF)
            words = (words * np.uint64(6553601)) >> np.uint64(16) & np.uint64(0x0000FFFF0000FFFF)
            words = (words * np.uint64(42949672960001)) >> np.uint64(32)
            values *= _TENS[count]
            values += words
        found = values.view(np.int64)
        if found.min() < 0 or not found[is_negative].all():  # beyond int64, or `-0`
            return None
        return np.negative(found, out=found, where=is_negative)

    def scalars(self, begins: Offsets, lengths: Offsets, decoder: msgspec.json.Decoder[Any]) -> Fragment | None:
        """Return JSON's numbers, booleans and null, or None if a cell is something else.

        Args:
            begins: the offsets of the cells.
            lengths: their lengths.
            decoder: decodes a list of cells that are not of one type.
        """
        found = self.integers_or_booleans(begins, lengths)
        if found is not None:
            return found
        joined = self.joined(begins, lengths)
        return None if joined is None else read_numbers(joined, len(begins), decoder)

    def integers_or_booleans(self, begins: Offsets, lengths: Offsets) -> Fragment | None:
        """Return a column of integers in int64 or of booleans, or None if it has to be read otherwise."""
        booleans = self.booleans(begins, lengths) if self.bytes[begins[0]] in b"tf" else None
        if booleans is not None:
            return Fragment(len(begins), "bool", memoryview(booleans), None)
        integers = self.integers(begins, lengths)
        return None if integers is None else Fragment(len(begins), "int", memoryview(integers), None)


def read_numbers(joined: bytearray, count: int, decoder: msgspec.json.Decoder[Any]) -> Fragment | None:
    """Return the items of a JSON array, or None if there are other than `count` items, or others than scalars."""
    with suppress(Exception):  # not only floats
        if np.count_nonzero(np.frombuffer(joined, np.uint8) == _POINT) == count:
            floats: list[float] = gc_paused(FLOATS.decode, joined)
            return Fragment(count, "float", pack_floats(floats), None) if len(floats) == count else None
    with suppress(Exception):
        cells: list[Any] = gc_paused(decoder.decode, joined)
        return make_fragment(cells) if len(cells) == count else None
    return None


def pack_floats(floats: list[float]) -> memoryview[float]:
    """Return a memoryview of the floats, in a third of the time of an `array`."""
    return memoryview(struct.pack(f"{len(floats)}d", *floats)).cast("d")


FLOATS: Final = msgspec.json.Decoder(list[float])
#: Constants for 8 digits in an integer, by the number of digits.
_HIGH, _ZEROS, _SIXES = (np.uint64(0x0101010101010101 * byte) for byte in (0xF0, 0x30, 0x06))
_SHIFTS: Final = np.array([(1 << (64 - 8 * count)) % (1 << 64) for count in range(9)], np.uint64)
_TENS: Final = np.array([10**count for count in range(9)], np.uint64)
