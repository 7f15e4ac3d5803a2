"""Steps of operations that may have to wait, and the order of the writes that wait for room in the buffer.

A large batch needs more room than a small one. Without an order, small writes would take all room that becomes free,
and the large one would wait indefinitely.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from .._errors import BufferFullError

#: Seconds to wait at most, None for no limit, 0 to let other calls begin; or a function that touches files.
Step: TypeAlias = float | Callable[[], None] | None


def cannot_wait() -> BufferFullError:
    """Return the error for code that would wait for itself: the batch writer waits until it returns."""
    return BufferFullError(
        "a callback, token function, observer or log handler of the batch writer, or a signal handler or `__del__` "
        "that interrupts it, cannot wait for the writer: it would deadlock"
    )


class WaitingWrites:
    """The writes that wait, the first one first.

    Args:
        notify: wakes them.
    """

    def __init__(self, notify: Callable[[], None]) -> None:
        self._notify = notify
        self._places: dict[Place, None] = {}

    @property
    def is_empty(self) -> bool:
        """Whether no writes wait."""
        return not self._places

    def is_first(self, place: Place) -> bool:
        """Return whether no other writes have waited longer."""
        return next(iter(self._places), place) is place

    def add(self, place: Place) -> None:
        """Add a write behind the others, unless it already waits."""
        self._places[place] = None

    def remove(self, place: Place) -> None:
        """Remove a write that has room or ended, so that the next one is the first."""
        if place in self._places:
            del self._places[place]
            self._notify()


class Place:
    """A write that may wait."""
