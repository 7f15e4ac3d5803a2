"""What one request carries: lines of line protocol, and what has to be known of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from .._line_protocol.split import is_point, lines

#: How much one request has if the caller does not say: what InfluxDB takes in fastest, and what leaves room below the
#: 25 MB that it refuses unless configured otherwise.
BATCH_LINES: Final = 10_000
BATCH_BYTES: Final = 8_000_000


@dataclass(slots=True)  # never altered; but a frozen one takes several times as long to make, for every small write
class Batch:
    """Lines that can be sent in one request."""

    #: The lines, an LF between them.
    data: bytes
    #: How many there are.
    lines: int
    #: The unit of their times by its name on the wire. Our own lines have `ns`, ready-made ones what the caller said.
    precision: str
    #: Whether every line has a time, so that sending it twice stores it once.
    timed: bool

    def __iter__(self) -> Iterator[bytes]:
        """Give each line that is a point; blank ones and comments among ready-made lines are none."""
        return (self.data[begin:end] for begin, end in self._spans())

    def placed(self) -> Iterator[tuple[int, bytes]]:
        """Yield each line that is a point, with the index at which it begins."""
        return ((begin, self.data[begin:end]) for begin, end in self._spans())

    def halves(self) -> tuple[Batch, Batch] | None:
        """Divide it between two lines, their order kept; None where there is only one."""
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
