"""Times for points that have none, where the client gives them."""

from __future__ import annotations

from _thread import allocate_lock  # noqa: PLC2701 - as functools does, without the whole of `threading`
from collections.abc import Callable
from typing import Final

#: Nanoseconds by which a clock may be behind the last time and still be gone ahead of.
_BEHIND: Final = 1_000_000_000

_LOCK: Final = allocate_lock()


class Stamps:
    """The times of a client's clock, each later than all before: of two points of a series at one time, one is lost.

    A clock may stand for some milliseconds, or be set back by as much, and many points come meanwhile. One that is set
    back by more was wrong before.
    """

    def __init__(self) -> None:
        self._last = 0

    def next(self, clock: Callable[[], int]) -> int:
        """Give the next time, in nanoseconds since 1970."""
        now = clock()
        with _LOCK:
            self._last = self._last + 1 if 0 <= self._last - now < _BEHIND else now
            return self._last
