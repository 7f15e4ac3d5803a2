"""Counters of a batch writer."""

from __future__ import annotations

from .batcher import Batcher


class Counters:
    """Numbers of lines by their state."""

    _batcher: Batcher

    @property
    def pending(self) -> int:
        """Number of lines that are not yet stored, rejected or undelivered."""
        return self._batcher.pending

    @property
    def pending_bytes(self) -> int:
        """Size of the pending lines, in bytes."""
        return self._batcher.pending_bytes

    @property
    def written(self) -> int:
        """Number of lines that were stored."""
        return self._batcher.written

    @property
    def rejected(self) -> int:
        """Number of lines that the server rejected."""
        return self._batcher.rejected

    @property
    def retried(self) -> int:
        """How often a batch was put back after all attempts of the retry policy failed."""
        return self._batcher.retried
