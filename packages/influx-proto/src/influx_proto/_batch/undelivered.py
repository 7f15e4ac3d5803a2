"""Limit of the lines that a batch writer returned as undelivered and its caller has not removed."""

from __future__ import annotations

from .._errors import BufferFullError, InfluxDBError, UndeliveredError, UndeliveredLines
from .._repr import counted
from .options import BatchOptions


class UndeliveredLimit:
    """Counts undelivered lines.

    Args:
        options: options of the writer; undelivered lines have the limits of pending ones.
    """

    def __init__(self, options: BatchOptions) -> None:
        self._options = options
        self._lines = self._size = 0

    @property
    def is_reached(self) -> bool:
        """Whether there are too many lines, unless the caller has removed some."""
        return self._options.is_full(self._lines, self._size)

    @property
    def is_empty(self) -> bool:
        """Whether no lines were counted."""
        return not self._lines

    def add(self, lines: UndeliveredLines) -> None:
        """Count lines that were returned as undelivered."""
        self._lines += lines.lines
        self._size += len(lines.data)

    def check(self, undelivered: list[UndeliveredLines], last_error: InfluxDBError | None) -> UndeliveredError | None:
        """Raise `BufferFullError`, or drop lines and return an error with them, if there are too many.

        Args:
            undelivered: the lines, from which the caller may have removed some.
            last_error: why they are undelivered.
        """
        if not self.is_reached:
            return None
        self._lines = sum(lines.lines for lines in undelivered)
        self._size = sum(len(lines.data) for lines in undelivered)
        if not self.is_reached:
            return None
        kept = f"{counted(self._lines, 'line')} ({self._size} bytes)"
        msg = f"{kept} are undelivered ({last_error}); remove them from the writer's `undelivered`"
        if self._options.when_full != "drop_oldest":
            raise BufferFullError(msg)
        dropped: list[UndeliveredLines] = []
        while self.is_reached:
            dropped.append(undelivered.pop(0))
            self._lines -= dropped[-1].lines
            self._size -= len(dropped[-1].data)
        return UndeliveredError(dropped, BufferFullError(msg))
