"""Batches: the lines of one write request, their number, precision and timestamps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from .._line_protocol.split import is_point, lines

#: Default limits of a batch: the number of lines that InfluxDB writes fastest, and a size well below the 25 MB above
#: which InfluxDB rejects requests in its default configuration.
BATCH_LINES: Final = 10_000
BATCH_BYTES: Final = 8_000_000


@dataclass(slots=True)  # not frozen: frozen instances take several times as long to create in every small write
class Batch:
    """Lines that are sent in one request."""

    #: The lines, separated by LFs.
    data: bytes
    #: The number of lines.
    lines: int
    #: The unit of the timestamps, as a query parameter of InfluxDB. Raw line protocol has the precision of the caller,
    #: all other lines have `ns`.
    precision: str
    #: Whether every line has a timestamp, so that sending the batch twice is idempotent.
    timed: bool

    def __iter__(self) -> Iterator[bytes]:
        """Iterate over the points, without the blank lines and comments of raw line protocol."""
        return (self.data[begin:end] for begin, end in self._spans())

    def placed(self) -> Iterator[tuple[int, bytes]]:
        """Iterate over the points, each with the offset of its first byte."""
        return ((begin, self.data[begin:end]) for begin, end in self._spans())

    def halves(self) -> tuple[Batch, Batch] | None:
        """Split the batch into two at the end of a line; return None if it has only one point."""
        spans = list(self._spans())
        count = len(spans) // 2
        if not count:
            return None
        first, second = self.data[: spans[count - 1][1]], self.data[spans[count][0] :]
        return (
            Batch(first, count, self.precision, self.timed),
            Batch(second, len(spans) - count, self.precision, self.timed),
        )

    def _spans(self) -> Iterator[tuple[int, int]]:
        return ((begin, end) for begin, end in lines(self.data) if is_point(self.data[begin:end]))
