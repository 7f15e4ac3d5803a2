"""Outcome of one `write` to a batch writer."""

from __future__ import annotations

from typing import Final

from .._errors import InfluxDBError, RejectedLine
from .._repr import counted

#: Limits of the rejected lines that are kept for reports, in a receipt and for `flush`: their number and characters.
KEPT_LINES: Final = 10_000
KEPT_SIZE: Final = 10_000_000


class Receipt:
    """Outcome of one `write` to a batch writer, updated in the background."""

    __module__ = "influx_proto"  # exported lazily, so `set_public_module` does not see it

    def __init__(self) -> None:
        #: Number of lines.
        self.lines = 0
        #: Lines that the server rejected, at most 10 000 of them or 10 MB.
        self.rejected: list[RejectedLine] = []
        #: Number of lines that the server rejected, including those that `rejected` has no room for.
        self.rejected_count = 0
        #: Why lines could not be delivered; the writer returned them as undelivered.
        self.error: InfluxDBError | None = None

    @property
    def done(self) -> bool:
        """Whether the outcome of every line is known. Lines that stay in a spool are never done."""
        return False

    def __repr__(self) -> str:
        state = "pending" if not self.done else "failed" if self.error else "rejected" if self.rejected else "stored"
        return f"<Receipt of {counted(self.lines, 'line')}, {state}>"


class OpenReceipt(Receipt):
    """A receipt, and how the writer updates it."""

    def __init__(self) -> None:
        super().__init__()
        #: The task or thread that wrote the lines; None if it does not matter.
        self.caller: object = None
        #: Whether a `flush` raised its failure.
        self.is_reported = False
        #: Whether all lines of the `write` were added.
        self.is_complete = False
        self._completed_lines = 0
        #: Characters in `rejected`.
        self.rejected_size = 0

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
