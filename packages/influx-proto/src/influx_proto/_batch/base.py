"""Base class of the sync and the async batch writer.

A writer accepts lines immediately, and a background thread or task delivers them. Operations that may have to wait are
generators of steps. A step is the maximum number of seconds to wait; an adapter's signal ends the wait early if the
state has changed. With a spool, a step may also be a function that touches files. Async writers call it in a thread,
and always wait until it returns.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager

from .._encode.batch import Batch
from .._errors import (
    BufferFullError,
    CallbackError,
    InfluxDBError,
    RejectedLine,
    TransportError,
    UndeliveredError,
    UndeliveredLines,
)
from .._repr import counted
from .._runtime.settings import Settings
from .._runtime.transport import Clock, SpoolFiles
from .._write.delivery import partial_write
from .._write.request import Target
from .._write.search import ends_complete
from .batcher import Batcher, Sealed
from .counters import Counters
from .encoding import BatchEncodings
from .options import BatchOptions
from .receipt import OpenReceipt
from .receipts import Receipts
from .reports import Reports, guard_callbacks
from .sending import BatchSender
from .spool.format import SpooledBatch
from .spool.log import SpoolLog
from .undelivered import UndeliveredLimit
from .waiting import Place, Step, WaitingWrites


class BatchWriterBase(Counters):
    """State and decisions that both batch writers share."""

    #: Exceptions in the block with which exit still delivers lines. Others cancel or interrupt it.
    _DELIVERING: tuple[type[BaseException], ...] = (Exception, SystemExit)

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        options: BatchOptions,
        notify: Callable[[], None],
        lock: AbstractContextManager[object],
        has_ended: Callable[[object], bool],
        files: SpoolFiles | None,
    ) -> None:
        self._reports = Reports(options.on_error, options.on_progress, self._is_interruption, self._is_sender)
        self._settings = settings = guard_callbacks(settings, self._reports)
        self._clock = clock
        self._sender = BatchSender(settings, clock, self._peek_next_batch)
        #: Options for batches and the buffer.
        self.options = options
        self._notify = notify
        self._waiting = WaitingWrites(notify)
        self._lock = lock
        self._batcher = Batcher(options, settings.retry.random)
        self._spool = SpoolLog(options.spool, files, settings, self._reports.log) if options.spool and files else None
        self._encodings = BatchEncodings(settings, clock)
        #: When the sender next checks for batches.
        self._sender_due = math.inf
        self._process = os.getpid()
        self._open = True
        self._is_entered = False
        self._is_draining = False
        self._is_failing = False
        self._last_error: InfluxDBError | None = None
        self._receipts = Receipts(has_ended)
        #: Lines that were returned as undelivered; the caller may remove them.
        self.undelivered: list[UndeliveredLines] = []
        self._undelivered_limit = UndeliveredLimit(options)

    def _complete_write(self, receipt: OpenReceipt) -> None:
        receipt.is_complete = True
        self._receipts.check(receipt)
        if self._is_draining:
            self._notify()  # a task waits for this in `__aexit__`

    def _add_if_room(self, target: Target, batch: Batch, receipt: OpenReceipt) -> bool:
        """Add a batch if there is room for it and no spool; return whether it was added."""
        if self._spool is not None:
            return False
        self._check_open()
        if self._undelivered_limit.is_reached or not self._batcher.has_room(batch):
            return False
        if not (self._waiting.is_empty or self._reports.is_in_callback):  # a callback cannot wait
            return False
        self._add(target, batch, receipt)
        return True

    def _accept(self, target: Target, batch: Batch, receipt: OpenReceipt) -> Generator[Step]:
        """Accept a batch; wait while the buffer or the spool is full."""
        self._check_open()
        # Waiting would not remove undelivered lines.
        if (dropped := self._undelivered_limit.check(self.undelivered, self._last_error)) is not None:
            self._reports.error(dropped)
        if self._spool is not None:
            return (yield from self._spool_batch(self._spool, target, batch, receipt))
        place = Place()
        try:
            while not (self._waiting.is_first(place) and self._batcher.has_room(batch)):
                yield from self._wait_for_room(place, batch)
                self._check_open()
            self._add(target, batch, receipt)
        finally:
            self._waiting.remove(place)

    def _spool_batch(self, spool: SpoolLog, target: Target, batch: Batch, receipt: OpenReceipt) -> Generator[Step]:
        def add(record: int) -> None:
            self._receipts.open[receipt] = None  # a cancelled `write` may have completed it
            self._add(target, batch, receipt, record)

        queued, place = spool.queue(target, batch, add), Place()
        try:
            yield 0.0
            while not queued.is_written:
                self._check_open()
                has_room = self._waiting.is_first(place) and self._batcher.has_room(batch) and spool.has_room(queued)
                if spool.is_busy or not has_room:
                    yield from self._wait_for_room(place, batch)
                    continue
                try:
                    yield from spool.write(queued, self._batcher.has_room)
                finally:
                    self._report_lost(spool)
                    self._notify()  # threads or tasks may wait for the files
        except BaseException:
            if queued.wait_until_written is not None:  # another task writes these lines; the caller needs the outcome
                yield queued.wait_until_written
            raise
        finally:
            spool.withdraw(queued)
            self._waiting.remove(place)

    def _add(self, target: Target, batch: Batch, receipt: OpenReceipt, record: int | None = None) -> None:
        now = self._clock.now()
        if now + self.options.max_delay < self._sender_due or self._batcher.may_fill(batch):
            self._wake_sender()  # before the lines are added, so that an interruption cannot prevent it
        self._batcher.add(target, batch, receipt, now, record)

    def _wake_sender(self) -> None:
        """Make the sender check for batches; a woken sender does not run before the lock is released."""
        raise NotImplementedError

    def _wait_for_room(self, place: Place, batch: Batch) -> Generator[Step]:
        """Make room for a batch if no writes have waited longer, or wait once."""
        if self._spool is None or not self._spool.is_busy:
            self._waiting.add(place)
            if self._waiting.is_first(place) and self._make_room(batch):
                yield from self._clean_up_spool()
                return
        yield None

    def _make_room(self, batch: Batch) -> bool:
        """Drop the oldest lines, raise, or return False to wait, according to `when_full`."""
        if self.options.when_full == "wait":
            if (last_error := self._batcher.last_error) is not None:
                kept = counted(self.pending, "line")
                msg = f"the batch writer keeps {kept}; the server rejects requests for them: {last_error}"
                raise BufferFullError(msg) from last_error
            due = self._batcher.due
            self._batcher.seal()  # the lines must not wait for a batch to fill up
            if self._batcher.due < due:
                self._notify()
            return False
        if self.options.when_full == "raise":
            kept = f"{counted(self.pending, 'line')} ({self.pending_bytes} bytes)"
            msg = f"the batch writer keeps {kept} and has no room for {batch.lines} more"
            raise BufferFullError(msg if self._spool is None else f"{msg}; {self._spool.usage}")
        reason = BufferFullError("the batch writer dropped the oldest lines to make room for new ones")
        dropped = self._batcher.make_room(batch, reason)
        if not dropped and self._spool is not None:
            dropped = self._batcher.drop_oldest(reason)
        self._update_receipts(*dropped)
        if dropped:
            self._notify()  # tasks or threads may wait for the receipts
            self._reports.error(UndeliveredError([self._sender.as_undelivered(sealed) for sealed in dropped], reason))
        return bool(dropped)

    def _start_accepting(self) -> Generator[Step]:
        """Start accepting lines, after adding the lines that an earlier writer left in the spool."""
        self._check_open()
        if self._is_entered:
            raise RuntimeError("this batch writer was already entered")
        if (spool := self._spool) is None:
            self._is_entered = True
            return
        found: list[SpooledBatch] = []
        try:
            yield lambda: found.extend(spool.open())
        except BaseException:  # the caller was cancelled, or opening the spool failed
            spool.close()
            raise
        self._is_entered = True
        receipt = OpenReceipt()
        self._receipts.begin(receipt, None)
        for spooled in found:
            is_complete = ends_complete(spooled.batch.data)
            self._batcher.add(
                spooled.target, spooled.batch, receipt, self._clock.now(), spooled.number, is_complete=is_complete
            )
        self._batcher.seal()
        self._complete_write(receipt)
        if found:
            self._reports.log(logging.INFO, "found %d pending lines in the spool %s", receipt.lines, spool.directory)

    def _clean_up_spool(self) -> Generator[Step]:
        """Delete the completed segments of the spool."""
        return self._use_spool(SpoolLog.clean_up)

    def _check_spool(self) -> Generator[Step]:
        """Report segments of the spool that were deleted."""
        return self._use_spool(SpoolLog.check)

    def _use_spool(self, steps: Callable[[SpoolLog], Generator[Step]]) -> Generator[Step]:
        if (spool := self._spool) is not None and spool.is_open:
            while spool.is_busy:
                yield None
            try:
                yield from steps(spool)
            finally:
                self._report_lost(spool)
                self._notify()

    def _report_lost(self, spool: SpoolLog) -> None:
        if (error := spool.take_error()) is not None:
            self._reports.log(logging.ERROR, "%s", error)
            self._reports.error(error)
            self._reports.failures.append(error)

    def _wait_until_flushed(self, timeout: float | None) -> Iterator[float | None]:
        """Wait until all lines pending now are completed; raise on errors and after the timeout."""
        waiting = [(sealed, sealed.failed_attempts) for sealed in self._batcher.seal()]
        self._batcher.release()
        self._notify()
        deadline = math.inf if timeout is None else self._clock.now() + timeout
        for sealed, failed_attempts in waiting:
            while not sealed.completed:
                if sealed.last_error is not None and sealed.failed_attempts > failed_attempts:
                    raise sealed.last_error
                self._reports.raise_failure()
                left = deadline - self._clock.now()
                if left <= 0:
                    msg = f"not all lines were stored within {timeout} s; {self.pending} are pending"
                    raise TransportError(msg) from self._last_error
                yield None if left == math.inf else left
                if not sealed.completed or sealed.is_undelivered:
                    self._check_open()

    def _wait_until_drained(self, error: BaseException | None) -> Iterator[float | None]:
        """Wait until all lines are completed, or `exit_timeout` is over; return at once after a cancellation."""
        if error is not None and not isinstance(error, self._DELIVERING):
            return
        self._is_draining = True
        deadline = self._clock.now() + self.options.exit_timeout
        self._batcher.release()
        failed_attempts: dict[int, int] = {}
        while (left := deadline - self._clock.now()) > 0:
            pending = self._batcher.seal()  # repeatedly, since other tasks or threads may still be writing
            self._receipts.check_all()
            if not self._receipts.open and not self._reports.is_pending:
                return
            rejected = {
                sealed.target
                for sealed in pending
                if sealed.failed_attempts > failed_attempts.setdefault(id(sealed), sealed.failed_attempts)
            }
            if (
                rejected
                and rejected.issuperset(sealed.target for sealed in pending)
                and all(receipt.is_complete for receipt in tuple(self._receipts.open))
            ):
                return  # waiting does not help: the server rejects all requests, and the lines stay in the spool
            self._notify()
            yield None if left == math.inf else left
            self._check_open()

    def _peek_next_batch(self, number: int) -> tuple[Target, Batch] | None:
        with self._lock:
            return self._batcher.peek_next(number)

    def _handle_success(self, sealed: Sealed, rejected: list[RejectedLine]) -> None:
        if not self._open:
            return  # after exit, the lines are already undelivered, or stay in the spool
        self._batcher.acknowledge(sealed, rejected)
        if self._is_failing:
            self._is_failing = False
            message = "writes to %s recovered; %s pending"
            self._reports.log(logging.WARNING, message, self._settings.address, counted(self.pending, "line"))
        if rejected:
            self._reports.error(partial_write(rejected))
        self._update_receipts(sealed)
        self._reports.progress(self)

    def _is_sender(self) -> bool:
        """Return whether the current thread or task is delivering a batch."""
        raise NotImplementedError

    def _is_interruption(self, error: BaseException) -> bool:
        """Return whether an exception in a callback interrupts the thread or task that makes the call."""
        raise NotImplementedError

    def _handle_failure(self, sealed: Sealed, failure: BaseException) -> None:
        if not self._open:
            return
        error = self._sender.as_error(failure)
        if isinstance(error, CallbackError):
            self._reports.failures.append(error)
        self._last_error = error
        if error.retryable:
            if not self._is_failing:
                self._is_failing = True
                message, pending = "writes to %s are failing: %s; %s pending", counted(self.pending, "line")
                self._reports.log(logging.WARNING, message, self._settings.address, error, pending)
            self._batcher.put_back(sealed, self._clock.now() + self._sender.backoff(error))
        elif self._spool is not None:
            if sealed.last_error is None:
                message = "%s rejects requests; the lines stay in the spool: %s"
                self._reports.log(logging.WARNING, message, self._settings.address, error)
            self._batcher.hold(sealed, error, self._clock.now() + self._sender.backoff())
        else:
            self.undelivered.append(self._sender.as_undelivered(sealed))
            self._batcher.fail(sealed, error)
            if self._undelivered_limit.is_empty:
                message = "writes to %s failed; the lines are returned as undelivered: %s"
                self._reports.log(logging.WARNING, message, self._settings.address, error)
            self._undelivered_limit.add(self.undelivered[-1])
        self._reports.error(error)
        self._update_receipts(sealed)
        self._reports.progress(self)

    def _update_receipts(self, *batches: Sealed) -> None:
        for sealed in batches:
            if sealed.completed and self._spool is not None:
                self._spool.mark_completed(sealed.records)
            for receipt, *_ in sealed.parts:
                self._receipts.check(receipt)

    def _raise_failures(self, caller: object) -> None:
        """Raise the failures that a `flush` by this caller raises."""
        self._receipts.check_all()
        self._receipts.report(caller)
        self._reports.raise_failure()

    def _close(self, error: BaseException | None) -> None:
        """Return pending lines as undelivered, and raise unreported failures if no `error` is being raised."""
        self._open = False
        spool = self._spool
        reason = (spool and spool.last_error) or self._last_error
        reason = reason or InfluxDBError("the batch writer was closed before the lines were delivered")
        returned = [each for each in self._batcher.seal() if not each.completed]
        returned = [each for each in returned if spool is None or spool.is_lost(each.records)]
        self.undelivered += [self._sender.as_undelivered(each) for each in returned]
        self._batcher.return_undelivered(reason, returned)
        if spool is not None and self.pending:
            last_error = self._batcher.last_error
            note = f"the spool {spool.directory} keeps {counted(self.pending, 'line')}"
            self._receipts.closed = InfluxDBError(f"the batch writer was closed before all lines were stored: {note}")
            self._receipts.closed.__cause__ = last_error or reason
            self._reports.log(logging.WARNING, "%s: %s", note, last_error or reason)
            if last_error is not None and error is not None:
                error.add_note(f"{note}: {last_error}")
            elif last_error is not None and not returned:
                last_error.add_note(note)
                raise last_error
        if self.undelivered:
            undelivered = UndeliveredError(self.undelivered, reason)
            if error is None:
                raise undelivered from reason
            self._reports.add_note(error, f"{undelivered}; they are in the batch writer's `undelivered`")
            return
        try:
            self._receipts.report_all()
            self._reports.raise_failure()
        except InfluxDBError as failure:
            if error is None:
                raise
            self._reports.add_note(error, f"the batch writer raised on exit: {failure}")

    def _check_open(self) -> None:
        if not self._open:
            raise RuntimeError("this batch writer is closed")

    @property
    def _is_forked(self) -> bool:
        """Whether this process was forked from the one that created the writer."""
        return self._process != os.getpid()

    def _check_process(self) -> None:
        if self._is_forked:
            problem = f"this batch writer was created in process {self._process}, before a fork"
            raise RuntimeError(f"{problem}; create one in each process, after the fork")

    def _check_entered(self) -> None:
        self._check_open()
        if not self._is_entered:
            msg = "this batch writer must be entered before writing: `with client.batch_writer() as writer:`"
            raise RuntimeError(msg)

    def __repr__(self) -> str:
        address, state = self._settings.address, "" if self._open else ", closed"
        return f"<{type(self).__name__} to {address}: {self.pending} pending, {self.written} written{state}>"
