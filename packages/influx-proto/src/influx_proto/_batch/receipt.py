"""Outcome of one `write` to a batch writer."""

from __future__ import annotations

from .._errors import InfluxDBError, RejectedLine


class Receipt:
    """What has become of one `write` to a batch writer."""

    __module__ = "influx_proto"  # exported lazily, so `set_public_module` does not see it

    def __init__(self) -> None:
        #: How many lines it has.
        self.lines = 0
        #: Lines that the server does not store; all others were stored.
        self.rejected: list[RejectedLine] = []
        #: Why lines could not be delivered; these were handed back by the writer.
        self.error: InfluxDBError | None = None
        #: The task or thread that wrote the lines; None where it does not matter.
        self.caller: object = None
        #: Whether a failure was raised by a `flush`.
        self.is_reported = False
        #: Whether all lines of the `write` were added.
        self.is_complete = False
        self._settled = 0

    @property
    def done(self) -> bool:
        """Whether it is known of every line what has become of it; never, if some stay in a spool."""
        return self.is_complete and self._settled >= self.lines

    def __repr__(self) -> str:
        state = "pending" if not self.done else "failed" if self.error else "rejected" if self.rejected else "stored"
        return f"<{type(self).__name__} of {self.lines} lines, {state}>"

    def completed(self, lines: int) -> None:
        """Count lines of which it is known what has become of them."""
        self._settled += lines
