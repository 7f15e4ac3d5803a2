"""MessagePack format: sizes of items, ends of messages, and the extension that InfluxDB uses for timestamps."""

from __future__ import annotations

import struct
from typing import Final

from .._errors import ProtocolError
from .._time import format_seconds


def decode_extension(code: int, data: memoryview) -> str:
    """Return a timestamp in RFC 3339; it is encoded as whole seconds since 1970, rounded down, and nanoseconds."""
    if code != 5 or len(data) != 12:
        raise ProtocolError(f"unsupported MessagePack extension {code} with {len(data)} bytes")
    seconds, nanoseconds = _TIME.unpack(data)
    return format_seconds(seconds, nanoseconds)


_TIME: Final = struct.Struct(">qi")

# Tables by the first byte of an item: the size of the item in bytes (SIZES), or else the number of bytes of the length
# that follows (WIDTH) and, if that length counts members instead of bytes, the number of items a member (ITEMS).

SIZES: Final = [0] * 256
WIDTH: Final = [0] * 256
ITEMS: Final = [0] * 256
COUNT: Final = [0] * 256  # number of items inside, if the first byte contains it


def _fill_tables() -> None:
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


_fill_tables()


class ItemWalker:
    """Walks over the items of one message to find its end; it can wait for more bytes at any position."""

    def __init__(self, at: int = 0) -> None:
        self.at = at
        self._pending = 1  # number of items until the message is complete

    def advance(self, data: bytes | bytearray) -> bool:
        """Walk over all complete items and return whether the message is complete; `at` is then its end."""
        at, pending, length = self.at, self._pending, len(data)
        while pending and at < length:
            first = data[at]
            if size := SIZES[first]:
                end = at + size
                inside = COUNT[first]
            elif width := WIDTH[first]:
                end = at + 1 + width
                number = int.from_bytes(data[at + 1 : end], "big")
                inside = number * ITEMS[first]
                if not ITEMS[first]:
                    end += number + (0xC7 <= first <= 0xC9)  # the length of an extension excludes its type
            else:
                raise ProtocolError(f"the response is not MessagePack: an item begins with the invalid byte {first:#x}")
            if end > length:
                break
            at = end
            pending += inside - 1
        self.at, self._pending = at, pending
        return not pending
