"""Outcome of one `write` to a batch writer."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Final

from .._errors import InfluxDBError, RejectedLine
from .._public_names import exported_by
from .._repr import counted

#: Limits of the rejected lines that are kept for reports, in a receipt and for `flush`: their number and characters.
KEPT_LINES: Final = 10_000
KEPT_SIZE: Final = 10_000_000


class ReceiptBase:
    """Outcome of one `write` to a batch writer, updated in the background."""

    #: Number of lines.
    lines: int
    #: Lines that the server rejected, at most 10 000 of them or 10 MB.
    rejected: list[RejectedLine]
    #: Number of lines that the server rejected, including those that `rejected` has no room for.
    rejected_count: int
    #: Why lines could not be delivered; the writer returned them as undelivered.
    error: InfluxDBError | None

    @property
    def done(self) -> bool:
        """Whether the outcome of every line is known. Lines that stay in a spool are never done."""
        return False

    def __repr__(self) -> str:
        state = "pending" if not self.done else "failed" if self.error else "rejected" if self.rejected else "stored"
        return f"<Receipt of {counted(self.lines, 'line')}, {state}>"


@exported_by("influx_proto")
class Receipt(ReceiptBase):
    """Outcome of one `write` to a `BatchWriter`, updated in the background."""

    def wait(self, timeout: float | None = None) -> None:
        """Wait until all lines of this `write` are stored.

        Waiting does not flush the lines; they are sent when their batch is full, due, or flushed. A failure is raised
        by every call, and no longer by `flush` and on exit.

        Args:
            timeout: maximum number of seconds to wait; None waits indefinitely.

        Raises:
            PartialWriteError: the server rejected lines.
            TransportError: the timeout is over; the lines remain pending.
            BufferFullError: a callback of the writer waits for lines that are pending; it would deadlock.
            InfluxDBError: lines could not be stored for another reason, or the writer was closed before.
        """
        raise NotImplementedError


@exported_by("influx_proto")
class AsyncReceipt(ReceiptBase):
    """Outcome of one `write` to an `AsyncBatchWriter`, updated in the background; `await` waits for it."""

    def __await__(self) -> Generator[Any, Any, None]:
        """Wait until all lines of this `write` are stored.

        Waiting does not flush the lines; they are sent when their batch is full, due, or flushed. A failure is raised
        each time the receipt is awaited, and no longer by `flush` and on exit.

        Raises:
            PartialWriteError: the server rejected lines.
            InfluxDBError: lines could not be stored for another reason, or the writer was closed before.
        """
        raise NotImplementedError


class Omitted:
    """Rejected lines that are counted, but not kept for `flush`."""

    def __init__(self) -> None:
        self.lines = 0
        #: The count that these lines were moved to.
        self.moved_to: Omitted | None = None

    def move_to(self, other: Omitted) -> None:
        """Move the lines to another count, which is never moved itself."""
        other.lines += self.lines
        self.lines = 0
        self.moved_to = other

    def remove(self, lines: int) -> None:
        """Remove lines that were raised in another way."""
        (self.moved_to or self).lines -= lines


class OpenReceipt(ReceiptBase):
    """A receipt, and how the writer updates it."""

    # The defaults are attributes of the class, since every `write` creates a receipt.

    lines = 0
    rejected_count = 0
    error: InfluxDBError | None = None
    #: The task or thread that wrote the lines; None if it does not matter.
    caller: object = None
    #: Whether a `flush`, or waiting for the receipt, raised its failure.
    is_reported: bool = False
    #: Whether all lines of the `write` were added.
    is_complete: bool = False
    #: Where its rejected lines are counted if `flush` no longer has them.
    omitted: Omitted | None = None
    _completed_lines: int = 0
    #: Characters in `rejected`.
    rejected_size: int = 0

    def __init__(self) -> None:
        self.rejected = []

    @property
    def done(self) -> bool:
        """Whether the outcome of every line is known. Lines that stay in a spool are never done."""
        return self.is_complete and self._completed_lines >= self.lines

    def add_rejected(self, rejected: RejectedLine) -> None:
        """Count a rejected line, and keep it if there is room."""
        self.rejected_count += 1
        size = len(rejected.line) + len(rejected.reason)
        if len(self.rejected) < KEPT_LINES and (not self.rejected or self.rejected_size + size <= KEPT_SIZE):
            self.rejected.append(rejected)
            self.rejected_size += size

    def complete_lines(self, lines: int) -> None:
        """Count lines with a known outcome."""
        self._completed_lines += lines

    def add_note(self, error: BaseException) -> None:
        """Add the number of accepted lines to an error of the `write`."""
        if self.lines:
            error.add_note(f"lines that were accepted before: {self.lines}")
