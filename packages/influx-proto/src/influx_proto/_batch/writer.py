"""The batch writer of sync clients, which delivers in a thread; `base` has what both batch writers share."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from typing import Self

from .._errors import BufferFullError
from .._runtime.flow import run
from .._runtime.settings import Settings
from .._runtime.transport import Signal, Transport
from .._write.operation import WriteOperation
from .base import BatchWriterBase, Step
from .batcher import Receipt, Sealed
from .options import BatchOptions
from .signature import as_write_operation, with_arguments_of
from .spool.log import SpoolFiles


class BatchWriter(BatchWriterBase):
    """Writes in batches, in a thread beside the caller's: `with client.batch_writer() as writer: ...`.

    It may be used from several threads at once.
    """

    __module__ = "influx_proto"  # exported lazily, so `set_public_module` does not see it

    def __init__(
        self,
        settings: Settings,
        transport: Transport,
        options: BatchOptions,
        signal: Signal,
        start: Callable[[Callable[[], None]], object],
        files: SpoolFiles | None = None,
    ) -> None:
        super().__init__(settings, transport, options, signal.notify, signal, signal.has_ended, files)
        self._transport = transport
        self._signal = signal
        self._start = start
        self._crash: BaseException | None = None

    @with_arguments_of(as_write_operation)
    def write(self, writes: WriteOperation) -> Receipt:
        self._check_process()  # before the lock, which a thread that the fork does not have may hold
        with self._signal:
            receipt = self._receipt(self._signal.caller())
        try:
            # The lock is not held while the caller's data are read, which may take any time.
            for batch in writes.batches(self._settings, self._clock, eager=True):
                self._check_process()
                try:
                    with self._signal:
                        self._do(self._put(writes, batch, receipt))
                finally:
                    self._reports.make()
        except BaseException as error:
            self._stopped(receipt, error)
            raise
        finally:
            if not self._is_forked:
                with self._signal:
                    self._complete(receipt)
        return receipt

    def flush(self, *, timeout: float | None = None) -> None:
        """Wait until everything that was written before is stored.

        A failure belongs to the thread that wrote the lines, and its next `flush` raises it. `flush` also raises the
        failures of threads that have ended and, in a thread that has written nothing itself, those of all others.
        Exiting the `with` block raises the failures that no `flush` has raised. Receipts are not affected: each has
        the outcome of its own lines.

        Args:
            timeout: for how many seconds at the most; None for as long as it takes.

        Raises:
            TransportError: the time is over; what is pending stays so.
            PartialWriteError: the server rejected lines.
            CallbackError: a callback raised since the last report.
            InfluxDBError: lines could not be stored for another reason.
        """
        self._check_process()
        with self._signal:
            for seconds in self._flushed(timeout):
                self._wait(seconds)
            self._report(self._signal.caller())

    def __enter__(self) -> Self:
        self._check_process()
        try:
            with self._signal:
                self._do(self._entered())
        finally:
            self._reports.make()
        self._start(self._run)
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if self._is_forked:
            return  # the lines and the spool are the parent's
        try:
            with self._signal:
                try:
                    for seconds in self._leaving(error):
                        self._wait(seconds)
                except BaseException as interruption:
                    error = interruption
                    raise
                finally:
                    try:
                        self._end(error)
                    finally:
                        if self._spool is not None:
                            self._spool.close()
                        self._signal.notify()
        finally:
            self._reports.make()

    def _do(self, steps: Generator[Step]) -> None:
        try:
            for step in steps:
                if callable(step):
                    step()
                else:
                    self._wait(step)
        finally:
            steps.close()

    def _wait(self, seconds: float | None) -> None:
        self._check_open()
        if self._reports.is_within:
            msg = "a callback or log handler of the batch writer cannot wait for the writer, which waits for it"
            raise BufferFullError(msg)
        self._signal.wait(seconds)
        self._check_open()

    def _check_open(self) -> None:
        if self._crash is not None:
            raise self._crash
        super()._check_open()

    def _run(self) -> None:
        """Deliver, until the writer is closed."""
        try:
            while (sealed := self._next()) is not None:
                try:
                    rejected = run(self._delivery(sealed), self._transport)
                except Exception as error:  # noqa: BLE001 - whatever it is, it is reported, and other lines are sent
                    with self._signal:
                        self._delivery_failed(sealed, error)
                        self._clean_up()
                else:
                    with self._signal:
                        self._delivery_succeeded(sealed, rejected)
                        self._clean_up()
                self._reports.make()
                with self._signal:
                    self._signal.notify()  # leaving waits for the reports
        except BaseException as error:  # noqa: BLE001 - it is raised to those who wait, in their threads
            with self._signal:
                self._crash = error
                self._signal.notify()

    def _clean_up(self) -> None:
        self._do(self._cleaned_up())
        self._signal.notify()

    def _next(self) -> Sealed | None:
        with self._signal:
            while self._open:
                now = self._clock.now()
                sealed = self._batcher.take(now)
                if sealed is not None:
                    return sealed
                due = self._batcher.due
                self._signal.wait(None if due == math.inf else max(due - now, 0.0))
            return None
