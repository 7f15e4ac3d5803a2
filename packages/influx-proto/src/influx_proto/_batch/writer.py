"""The batch writer of sync clients, which delivers in a thread; `base` has what both batch writers share.

A signal handler may raise `KeyboardInterrupt` in the main thread after any call returns, but not in other threads. So
`write` adds lines in one step, and a second thread, the keeper, makes all other changes while their callers wait. It
also uses the files of a spool. Callers use only what a signal handler cannot interrupt halfway: a `with` statement of
a lock that is implemented in C, `SimpleQueue`, and the first call in a `finally` block.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from functools import partial
from queue import SimpleQueue
from typing import Self

from .._encode.batch import Batch
from .._runtime.flow import run
from .._runtime.settings import Settings
from .._runtime.transport import Threads, Transport
from .._write.operation import WriteOperation
from .base import BatchWriterBase, Step
from .batcher import Sealed
from .calls import Call, get
from .options import BatchOptions
from .receipt import OpenReceipt, Receipt
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
        threads: Threads,
        start: Callable[[Callable[[], None]], object],
        files: SpoolFiles | None = None,
    ) -> None:
        super().__init__(settings, transport, options, self._wake, threads.lock, threads.has_ended, files)
        self._transport = transport
        self._threads = threads
        self._start = start
        self._crash: BaseException | None = None
        #: What callers want to be done; None for another look at calls that wait.
        self._calls: SimpleQueue[Call | None] = SimpleQueue()  # replaced when it is entered
        self._is_keeping = False
        self._has_waiting_calls = False
        #: Ends the writer without waiting for anything.
        self._abandonment: Call | None = None
        self._wakeups: SimpleQueue[None] = SimpleQueue()
        #: When the sender looks for batches next.
        self._alarm = math.inf

    @with_arguments_of(as_write_operation)
    def write(self, writes: WriteOperation) -> Receipt:
        self._check_process()  # before the lock, which a thread that the fork does not have may hold
        receipt = OpenReceipt()
        try:
            with self._lock:
                self._begin(receipt, self._threads.caller())
            # The lock is not held while the caller's data are read, which may take any time.
            for batch in writes.batches(self._settings, self._clock, eager=True):
                self._check_process()
                try:
                    if not self._add_at_once(writes, batch, receipt):
                        self._call(self._put(writes, batch, receipt))
                finally:
                    self._reports.make()
        except BaseException as error:
            self._stopped(receipt, error)
            raise
        finally:
            receipt.is_complete = True  # which no signal handler can prevent
            if self._has_waiting_calls:
                self._calls.put(None)  # leaving waits for it
            if receipt.done:
                self._calls.put(Call(self._checked(receipt)))
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
        self._call(self._flush(timeout, self._threads.caller()))

    def __enter__(self) -> Self:
        self._check_process()
        self._check_open()
        if self._is_keeping or self._is_entered:
            msg = "this batch writer was entered already"
            raise RuntimeError(msg)
        try:
            self._abandonment = Call(self._leave(KeyboardInterrupt()))
            self._calls = SimpleQueue()
            self._is_keeping = True
            self._start(partial(self._keep, self._calls))
            self._call(self._enter())
            self._reports.make()
            return self  # noqa: TRY300 - an interruption here ends the writer also
        except BaseException:
            self._calls.put(self._abandonment)
            self._reports.make()
            raise

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        try:
            if not self._is_forked:  # or else the lines and the spool are the parent's
                self._call(self._leave(error))
        finally:
            self._calls.put(self._abandonment)  # for an interruption before the call was posted
            if not self._is_forked:
                if self._is_keeping and self._abandonment is not None:
                    self._abandonment.outcome.get()
                self._reports.make()

    def _add_at_once(self, writes: WriteOperation, batch: Batch, receipt: OpenReceipt) -> bool:
        """Add lines if there is room for them and no spool; return whether they were added."""
        if self._spool is not None:
            return False
        with self._lock:
            self._check_open()
            if self.options.is_full(self._handed_lines, self._handed_bytes) or not self._batcher.has_room(batch):
                return False
            now = self._clock.now()
            if now + self.options.max_delay < self._alarm or self._batcher.may_fill(batch):
                self._wake_sender()  # before the lines are added, so that an interruption cannot prevent it
            self._batcher.add(writes.target, batch, receipt, now)
            return True

    def _call(self, steps: Generator[Step]) -> None:
        """Wait until the steps are made; if the caller is interrupted, so are they, if they are waiting."""
        call = Call(steps, may_wait=not self._reports.is_within)
        try:
            if not self._posted(call):
                self._finish(call)
            error = call.outcome.get()
        except BaseException as interruption:
            call.interruption = interruption
            if self._posted(call):  # perhaps once more, which does no harm
                call.outcome.get()
            raise
        if error is not None:
            try:
                raise error
            finally:
                del error, call  # a cycle with the traceback

    def _posted(self, call: Call) -> bool:
        with self._lock:
            if self._is_keeping:
                self._calls.put(call)
            return self._is_keeping

    def _keep(self, queue: SimpleQueue[Call | None]) -> None:
        """Make the steps of calls, until the writer is closed."""
        calls: dict[Call, None] = {}
        while self._is_keeping:
            due = min((call.due for call in calls), default=math.inf)
            if (posted := get(queue, due - self._clock.now())) is not None:
                calls[posted] = None
            with self._lock:
                for call in tuple(calls):
                    if call.advance(self._clock.now()):
                        del calls[call]
                self._has_waiting_calls = bool(calls)
        while not queue.empty():
            if (posted := queue.get()) is not None:
                calls[posted] = None
        for call in calls:
            self._finish(call)

    def _finish(self, call: Call) -> None:
        """Make what steps can be made now that the writer is not open."""
        with self._lock:
            if not call.advance(self._clock.now()):
                call.interruption = RuntimeError("this batch writer is closed")
                call.advance(self._clock.now())

    def _enter(self) -> Generator[Step]:
        try:
            yield from self._entered()
            self._start(self._run)
        except BaseException:
            self._is_keeping = False
            raise

    def _flush(self, timeout: float | None, caller: object) -> Generator[Step]:
        yield from self._flushed(timeout)
        self._report(caller)

    def _checked(self, receipt: OpenReceipt) -> Generator[Step]:
        self._receipts.check(receipt)
        yield from ()

    def _leave(self, error: BaseException | None) -> Generator[Step]:
        try:
            if self._is_entered:
                yield from self._leaving(error)
        except BaseException as interruption:
            error = interruption
            raise
        finally:
            try:
                if self._is_entered:
                    self._end(error)
            finally:
                if self._spool is not None:
                    self._spool.close()
                self._is_keeping = False
                self._wake()

    def _check_open(self) -> None:
        if self._crash is not None:
            raise self._crash
        super()._check_open()

    def _wake(self) -> None:
        """Let the sender and those who wait look again; the lock is held."""
        self._wake_sender()
        if self._has_waiting_calls:
            self._calls.put(None)

    def _wake_sender(self) -> None:
        if self._wakeups.empty():
            self._wakeups.put(None)

    def _run(self) -> None:
        """Deliver, until the writer is closed."""
        try:
            while self._open:
                if (sealed := self._next()) is None:
                    continue
                try:
                    rejected = run(self._delivery(sealed), self._transport)
                except Exception as error:  # noqa: BLE001 - whatever it is, it is reported, and other lines are sent
                    with self._lock:
                        self._delivery_failed(sealed, error)
                        self._clean_up()
                else:
                    with self._lock:
                        self._delivery_succeeded(sealed, rejected)
                        self._clean_up()
                self._make_reports()
        except BaseException as error:  # noqa: BLE001 - it is raised to those who wait, in their threads
            with self._lock:
                self._crash = error
                self._wake()

    def _clean_up(self) -> None:
        for step in self._cleaned_up():
            if callable(step):
                step()
        self._wake()

    def _make_reports(self) -> None:
        if self._reports.is_pending:
            self._reports.make()
            self._calls.put(None)  # leaving waits for it

    def _next(self) -> Sealed | None:
        """Take the next batch, or wait for one."""
        with self._lock:
            now = self._clock.now()
            sealed = self._batcher.take(now)
            self._alarm = -math.inf if sealed is not None else self._batcher.due
        if sealed is None:
            self._make_reports()  # a thread that should have made them may have been interrupted
            get(self._wakeups, self._alarm - now)
        return sealed
