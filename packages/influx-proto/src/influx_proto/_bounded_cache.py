"""A cache that forgets everything when it is full."""

from __future__ import annotations

from typing import TypeVar

KeyT = TypeVar("KeyT")
ValueT = TypeVar("ValueT")


class BoundedCache(dict[KeyT, ValueT]):
    """A dict with a largest size, for values that can be made again.

    Clearing it as a whole is simple, and no other order of eviction does better with data that repeats in cycles.

    Args:
        capacity: the number of entries at most.
    """

    def __init__(self, capacity: int) -> None:
        super().__init__()
        self._capacity = capacity

    def remember(self, key: KeyT, value: ValueT) -> ValueT:
        """Return the value, after storing it."""
        if len(self) >= self._capacity:
            self.clear()
        self[key] = value
        return value
