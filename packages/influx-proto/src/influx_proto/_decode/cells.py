"""Vectorized reader of cells, which reads strings and numbers at many offsets at a time.

Values of the same size are gathered through a view of the bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .._result.column import DictionaryStrings, Fragment, make_fragment

Offsets: TypeAlias = NDArray[np.intp]
Bytes: TypeAlias = NDArray[np.uint8]
Flags: TypeAlias = NDArray[np.bool_]

#: Added to the bytes, since views read up to this many bytes beyond a cell.
_PADDING: Final = bytes(64)

#: Maximum length of strings that are compared 8 bytes at a time; longer strings are decoded individually.
_MAX_COMPARED_LENGTH: Final = 32


class CellSource:
    """The bytes of a response, from which cells are read."""

    def __init__(self, data: bytes | memoryview) -> None:
        self.size = len(data)
        self.padded = b"".join((data, _PADDING))
        #: All bytes, including the padding.
        self.bytes: Bytes = np.frombuffer(self.padded, np.uint8)

    def decode(self, begin: int, end: int) -> str:
        """Return a string; bytes that are not UTF-8 become replacement characters."""
        return self.padded[begin:end].decode("utf-8", "replace")

    def gather(self, type_code: str, offsets: Offsets) -> Any:
        """Return the values of a numpy dtype at these offsets, in native byte order."""
        dtype = np.dtype(type_code)
        view: Any = np.ndarray((len(self.padded) - dtype.itemsize + 1,), dtype, self.padded, strides=(1,))
        return view[offsets].astype(dtype.newbyteorder("="), copy=False)

    def are_at(self, literal: bytes, offsets: Offsets) -> bool:
        """Return whether the literal is at each of the offsets."""
        for begin in range(0, len(literal), 8):
            part = literal[begin : begin + 8]
            words = self.gather("<u8", offsets + begin) & np.uint64((1 << (8 * len(part))) - 1)
            if (words != np.uint64(int.from_bytes(part, "little"))).any():
                return False
        return True

    def strings(self, begins: Offsets, lengths: Offsets) -> Fragment:
        """Return the strings at these offsets."""
        distinct, codes = self._decode_strings(begins, lengths)
        strings = DictionaryStrings([(distinct, memoryview(codes))])
        # A dictionary does not pay off if strings rarely repeat.
        return Fragment(len(begins), "str", strings if 2 * len(distinct) <= len(begins) else list(strings), None)

    def are(self, begins: Offsets, lengths: Offsets, literal: bytes) -> Flags:
        """Return for each string whether it is the literal."""
        found: Flags = lengths == len(literal)
        for at, byte in enumerate(literal) if found.any() else ():
            found &= self.bytes[begins + at] == byte
        return found

    def _decode_strings(self, begins: Offsets, lengths: Offsets) -> tuple[list[str | None], Any]:
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
        return [self.decode(begin, end) for begin, end in spans], codes.astype(np.intc)

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
        return self.gather(">u8", begins) & _MASKS[np.clip(lengths, 0, 8)]


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
        codes: Any = np.full(len(missing), len(distinct), np.intc)
        codes[present] = indices
        return Fragment(len(missing), "str", DictionaryStrings([([*distinct, None], memoryview(codes))]), missing)
    if isinstance(found.values, memoryview):
        values: Any = np.full(len(missing), np.nan if found.dtype == "float" else 0, found.values.format)
        values[present] = found.values
        return Fragment(len(missing), found.dtype, memoryview(values), missing)
    cells = iter(found.cells())
    return make_fragment([None if is_cell_missing else next(cells) for is_cell_missing in missing])


#: Masks of the first `count` of 8 bytes.
_MASKS: Final = np.array([(1 << 64) - (1 << (64 - 8 * count)) for count in range(9)], np.uint64)
