"""MessagePack item by item: sizes, ends of messages, and the extension that InfluxDB uses for times."""

from __future__ import annotations

import struct
from typing import Final

from .._errors import ProtocolError
from .._time import to_rfc3339


def extension(code: int, data: memoryview) -> str:
    """Read a time: whole seconds since 1970, rounded down, and the nanoseconds after them."""
    if code != 5 or len(data) != 12:
        raise ProtocolError(f"InfluxDB's MessagePack has no extension {code} of {len(data)} bytes")
    seconds, nanoseconds = _TIME.unpack(data)
    return to_rfc3339(seconds * 1_000_000_000 + nanoseconds)


_TIME: Final = struct.Struct(">qi")

# What the first byte of an item says: how many bytes the item has (SIZES), or in how many bytes its length follows
# (WIDTH), and for a length of items instead of bytes how many of them make one (ITEMS).

SIZES: Final = [0] * 256
WIDTH: Final = [0] * 256
ITEMS: Final = [0] * 256
COUNT: Final = [0] * 256  # items inside, where the first byte tells it


def _describe() -> None:
    for byte in (*range(0x80), *range(0xE0, 0x100), 0xC0, 0xC2, 0xC3):  # small integers, nil, booleans
        SIZES[byte] = 1
    for low in range(16):  # maps and arrays
        SIZES[0x80 | low] = SIZES[0x90 | low] = 1
        COUNT[0x80 | low] = 2 * low
        COUNT[0x90 | low] = low
    for low in range(32):  # strings
        SIZES[0xA0 | low] = 1 + low
    for byte, size in enumerate((4, 8, 1, 2, 4, 8, 1, 2, 4, 8), 0xCA):  # floats, unsigned and signed integers
        SIZES[byte] = 1 + size
    for power in range(5):  # extensions of 1, 2, 4, 8, 16 bytes and their type
        SIZES[0xD4 + power] = 2 + (1 << power)
    for first in (0xC4, 0xC7, 0xD9):  # bytes, extensions, strings
        for power in range(3):
            WIDTH[first + power] = 1 << power
    for first, items in ((0xDC, 1), (0xDE, 2)):  # arrays, maps
        for power in range(2):
            WIDTH[first + power] = 2 << power
            ITEMS[first + power] = items


_describe()


class Walk:
    """A walk over the items of one message, that can wait for more bytes anywhere."""

    def __init__(self, at: int = 0) -> None:
        self.at = at
        self._missing = 1  # items until the message is complete

    def over(self, data: bytes | bytearray) -> bool:
        """Go as far as the bytes reach, and say whether the message is complete; `at` is then its end."""
        at, missing, length = self.at, self._missing, len(data)
        while missing and at < length:
            first = data[at]
            if size := SIZES[first]:
                end = at + size
                inside = COUNT[first]
            elif width := WIDTH[first]:
                end = at + 1 + width
                number = int.from_bytes(data[at + 1 : end], "big")
                inside = number * ITEMS[first]
                if not ITEMS[first]:
                    end += number + (0xC7 <= first <= 0xC9)  # an extension's type is not counted in its length
            else:
                raise ProtocolError(f"the answer is not MessagePack: it has a byte {first:#x}")
            if end > length:
                break
            at = end
            missing += inside - 1
        self.at, self._missing = at, missing
        return not missing
