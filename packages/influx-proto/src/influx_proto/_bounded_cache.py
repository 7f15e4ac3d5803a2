"""Cache that is cleared when it is full."""

from __future__ import annotations

from typing import TypeVar

KeyT = TypeVar("KeyT")
ValueT = TypeVar("ValueT")


class BoundedCache(dict[KeyT, ValueT]):
    """A dict with a maximum size, for values that can be recomputed.

    When it is full, all entries are removed: for data that repeats in cycles, no eviction order is better.

    Args:
        capacity: maximum number of entries.
    """

    def __init__(self, capacity: int) -> None:
        super().__init__()
        self._capacity = capacity

    def remember(self, key: KeyT, value: ValueT) -> ValueT:
        """Store the value and return it."""
        if len(self) >= self._capacity:
            self.clear()
        self[key] = value
        return value
