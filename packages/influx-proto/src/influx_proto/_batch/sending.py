"""Delivery of a batch: with retries, and with other lines as a probe if the server fails on this batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from .._encode.batch import Batch
from .._errors import InfluxDBError, PartialWriteError, RejectedLine, UndeliveredLines
from .._runtime.flow import Flow
from .._runtime.settings import Settings
from .._runtime.transport import Clock
from .._write.delivery import deliver_accepted
from .._write.request import Target, resolve_target, write_flow
from .batcher import Sealed


class BatchSender:
    """Creates the flows that deliver batches, and returns those that were not delivered.

    Args:
        settings: settings of the client.
        clock: clock of the client.
        peek_next: returns the batch after the one in flight for 0, the n-th line after it for n, or None.
    """

    def __init__(
        self, settings: Settings, clock: Clock, peek_next: Callable[[int], tuple[Target, Batch] | None]
    ) -> None:
        self._settings = settings
        #: The same settings, without retries.
        self._settings_once = replace(settings, retry=replace(settings.retry, attempts=1))
        self._clock = clock
        self._peek_next = peek_next
        #: How many probes have failed since the last one that was accepted, or since all lines were tried.
        self._failed_probes = 0

    def deliver(self, sealed: Sealed) -> Flow[list[RejectedLine]]:
        """Send a batch, and return the lines that the server rejected."""

        def send(batch: Batch) -> Flow[bool]:
            return self._send(sealed.target, batch, self._settings)

        def once(batch: Batch) -> Flow[bool]:
            return self._send(sealed.target, batch, self._settings_once)

        return deliver_accepted(sealed.batch, send, once=once, probe=self._probe)

    def _send(self, target: Target, batch: Batch, settings: Settings) -> Flow[bool]:
        return write_flow(batch, target, settings, self._clock)

    def _probe(self) -> Flow[bool]:
        """Send lines after those in flight, which are sent again later; return whether they were stored.

        The server may fail on these lines as well. So after a failure, the next probes send other ones, one at a time.
        """
        next_lines = self._peek_next(self._failed_probes) or self._peek_next(0)
        if next_lines is None:
            return False
        try:
            yield from self._send(*next_lines, self._settings_once)
        except PartialWriteError:
            pass
        except InfluxDBError:
            self._failed_probes = self._failed_probes + 1 if self._peek_next(self._failed_probes + 1) else 0
            return False
        self._failed_probes = 0
        return True

    def backoff(self, error: InfluxDBError | None = None) -> float:
        """Return the seconds before the next attempt: those that the server requests in the error, or random ones."""
        retry = self._settings.retry
        requested = None if error is None else retry.server_delay(error)
        return retry.max_backoff * (1 + retry.random()) / 2 if requested is None else requested

    def as_error(self, failure: BaseException) -> InfluxDBError:
        """Return an exception of `deliver` as one of this library."""
        if isinstance(failure, InfluxDBError):
            return failure
        error = InfluxDBError(f"sending lines failed: {failure!r}")
        error.__cause__ = failure
        return error

    def as_undelivered(self, sealed: Sealed) -> UndeliveredLines:
        """Return the lines of a batch with the database or bucket that they were written to."""
        params, _ = resolve_target(sealed.target, self._settings)
        names, batch = dict(params), sealed.batch
        return UndeliveredLines(
            names.get("db"), names.get("rp"), batch.precision, batch.data, batch.lines,
            names.get("bucket"), names.get("org"),
        )  # fmt: skip
