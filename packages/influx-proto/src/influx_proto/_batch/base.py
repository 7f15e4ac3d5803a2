"""What the blocking and the awaiting batch writer have in common.

A writer takes lines over at once, and something that runs beside its caller (a task, a thread) delivers them. What has
to be waited for is said here as generators, which yield how many seconds to wait at the most before they look again;
an adapter's signal does the waiting, and wakes all who wait when something has changed. Where there is a spool, they
also yield functions that touch its files, to be called where that holds nobody up; each is called to its end.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import TypeAlias

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
from .._runtime.settings import Settings
from .._runtime.transport import Clock
from .._write.delivery import ends_complete, partial_write
from .._write.operation import WriteOperation
from .._write.request import Target
from .batcher import Batcher, Sealed
from .options import BatchOptions
from .receipt import OpenReceipt
from .receipts import Receipts
from .reports import Reports, guarded
from .sending import BatchSender
from .spool.format import SpooledBatch
from .spool.log import SpoolFiles, SpoolLog

#: Wait for so many seconds, or until something has changed; or call what touches files.
Step: TypeAlias = float | Callable[[], None] | None


class BatchWriterBase:
    """What both writers know and decide."""

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
        self._reports = Reports(options.on_error, options.on_progress)
        self._settings = settings = guarded(settings, self._reports)
        self._clock = clock
        self._delivery = BatchSender(settings, clock, self._following).delivery
        #: How the writer batches and buffers.
        self.options = options
        self._notify = notify
        self._lock = lock
        self._batcher = Batcher(
            max_lines=options.max_lines,
            max_bytes=options.max_bytes,
            max_delay=options.max_delay,
            max_pending=options.max_pending,
            max_pending_bytes=options.max_pending_bytes,
            random=settings.retry.random,
        )
        self._spool: SpoolLog | None = None
        if options.spool is not None and files is not None:
            self._spool = SpoolLog(options.spool, files, settings.database, self._reports.log)
        self._process = os.getpid()
        self._open = True
        self._is_entered = False
        self._is_away = False
        self._last_error: InfluxDBError | None = None
        self._receipts = Receipts(has_ended)
        #: Lines that were handed back, because they could not be delivered.
        self.undelivered: list[UndeliveredLines] = []
        self._handed_lines = self._handed_bytes = 0

    @property
    def pending(self) -> int:
        """Lines of which it is not known yet whether they are stored."""
        return self._batcher.pending

    @property
    def pending_bytes(self) -> int:
        """Bytes of the lines that are `pending`."""
        return self._batcher.pending_bytes

    @property
    def written(self) -> int:
        """Lines that were stored."""
        return self._batcher.written

    @property
    def rejected(self) -> int:
        """Lines that the server refused."""
        return self._batcher.rejected

    @property
    def retried(self) -> int:
        """How often a batch was put back after all attempts of the retry policy had failed."""
        return self._batcher.retried

    def _begin(self, receipt: OpenReceipt, caller: object) -> None:
        self._check_process()
        self._check_entered()
        self._receipts.begin(receipt, caller)

    def _stopped(self, receipt: OpenReceipt, error: BaseException) -> None:
        if receipt.lines:
            error.add_note(f"lines that were accepted before: {receipt.lines}")

    def _complete(self, receipt: OpenReceipt) -> None:
        receipt.is_complete = True
        self._receipts.check(receipt)
        self._notify()  # leaving waits for it

    def _put(self, writes: WriteOperation, batch: Batch, receipt: OpenReceipt) -> Generator[Step]:
        """Take over a batch; yields while there is no room for it."""
        self._check_open()
        self._check_handed_back()
        while not self._has_room(writes.target, batch):
            yield from self._cleaned_up() if self._make_room(batch) else (None,)
            self._check_open()
        if self._spool is None:
            self._add(writes.target, batch, receipt)
            return
        add = partial(self._add, writes.target, batch, receipt)
        try:
            yield from self._spool.keep(writes.target, batch, add)
        finally:
            self._notify()  # somebody may wait for the files

    def _add(self, target: Target, batch: Batch, receipt: OpenReceipt, record: int | None = None) -> None:
        due = self._batcher.due
        self._batcher.add(target, batch, receipt, self._clock.now(), record)
        if self._batcher.due < due:
            self._notify()

    def _has_room(self, target: Target, batch: Batch) -> bool:
        if not self._batcher.has_room(batch):
            return False
        return self._spool is None or (not self._spool.busy and self._spool.has_room(target, batch))

    def _make_room(self, batch: Batch) -> bool:
        """Drop the oldest lines if that is wanted, and tell of it; raises if it is wanted not to wait."""
        if self._spool is not None and self._spool.busy:
            return False
        if self.options.when_full == "wait":
            if (last_error := self._batcher.last_error) is not None:
                msg = (
                    f"the batch writer keeps {self.pending} lines, which the server rejects requests for: {last_error}"
                )
                raise BufferFullError(msg) from last_error
            due = self._batcher.due
            self._batcher.seal()  # lines that wait for others would hold up these as well
            if self._batcher.due < due:
                self._notify()
            return False
        if self.options.when_full == "raise":
            kept = f"{self.pending} lines ({self.pending_bytes} bytes)"
            msg = f"the batch writer keeps {kept}, and has no room for {batch.lines} more"
            raise BufferFullError(msg if self._spool is None else f"{msg}; {self._spool.fill}")
        reason = BufferFullError("the batch writer dropped the oldest lines to make room for later ones")
        dropped = self._batcher.make_room(batch, reason)
        if not dropped and self._spool is not None:
            dropped = self._batcher.drop_oldest(reason)
        self._receipts_of_caller(*dropped)
        if dropped:
            self._reports.error(UndeliveredError([self._undelivered_lines(sealed) for sealed in dropped], reason))
        return bool(dropped)

    def _entered(self) -> Generator[Step]:
        """Begin to take lines over, and first those that an earlier writer left in the spool."""
        self._check_open()
        if self._is_entered:
            msg = "this batch writer was entered already"
            raise RuntimeError(msg)
        spool = self._spool
        if spool is None:
            self._is_entered = True
            return
        found: list[SpooledBatch] = []
        try:
            yield lambda: found.extend(spool.open())
        except GeneratorExit:  # whoever enters was cancelled, or it failed
            spool.close()
            raise
        self._is_entered = True
        receipt = OpenReceipt()
        self._receipts.begin(receipt, None)
        for kept in found:
            is_complete = ends_complete(kept.batch.data)
            self._batcher.add(kept.target, kept.batch, receipt, self._clock.now(), kept.number, is_complete=is_complete)
        self._batcher.seal()
        self._complete(receipt)
        if found:
            self._reports.log(logging.INFO, "found %d lines in the spool %s", receipt.lines, spool.directory)

    def _cleaned_up(self) -> Generator[Step]:
        """Delete from the spool what is settled."""
        spool = self._spool
        if spool is None or not spool.is_open:
            return
        while spool.busy:
            yield None
        try:
            yield from spool.clean_up()
        finally:
            self._notify()

    def _flushed(self, timeout: float | None) -> Iterator[float | None]:
        """Yield, until all that is there now is settled, for how long at the most; raises if that takes too long."""
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
                self._check_open()

    def _leaving(self, error: BaseException | None) -> Iterator[float | None]:
        """Yield, until all is settled or it takes too long; whoever was interrupted or cancelled leaves at once."""
        if error is not None and not isinstance(error, Exception):
            return
        deadline = self._clock.now() + self.options.exit_timeout
        self._batcher.release()
        failed_attempts: dict[int, int] = {}
        while (left := deadline - self._clock.now()) > 0:
            pending = self._batcher.seal()  # again and again: what others are writing still comes
            self._receipts.check_all()
            if not self._receipts.open and not self._reports.is_pending:
                return
            is_refused = {
                sealed.target
                for sealed in pending
                if sealed.failed_attempts > failed_attempts.setdefault(id(sealed), sealed.failed_attempts)
            }
            if (
                is_refused
                and is_refused.issuperset(sealed.target for sealed in pending)
                and all(receipt.is_complete for receipt in self._receipts.open)
            ):
                return  # waiting does not help, and the lines stay in the spool
            self._notify()
            yield None if left == math.inf else left
            self._check_open()

    def _following(self) -> tuple[Target, Batch] | None:
        with self._lock:
            return self._batcher.next

    def _delivery_succeeded(self, sealed: Sealed, rejected: list[RejectedLine]) -> None:
        if not self._open:
            return  # it was handed back meanwhile
        self._batcher.acknowledge(sealed, rejected)
        if self._is_away:
            self._is_away = False
            self._reports.log(
                logging.WARNING, "%s takes lines again; %d are pending", self._settings.address, self.pending
            )
        if rejected:
            self._reports.error(partial_write(rejected))
        self._after(sealed)

    def _delivery_failed(self, sealed: Sealed, failure: Exception) -> None:
        if not self._open:
            return
        if isinstance(failure, InfluxDBError):
            error = failure
        else:
            error = InfluxDBError(f"sending lines failed: {failure!r}")
            error.__cause__ = failure
        if isinstance(error, CallbackError):
            self._reports.failures.append(error)
        self._last_error = error
        if error.retryable:
            if not self._is_away:
                self._is_away = True
                self._reports.log(
                    logging.WARNING,
                    "%s takes no lines: %s; %d are pending",
                    self._settings.address,
                    error,
                    self.pending,
                )
            retry = self._settings.retry
            server_delay = retry.server_delay(error)
            self._batcher.put_back(
                sealed, self._clock.now() + (self._outage_backoff() if server_delay is None else server_delay)
            )
        elif self._spool is not None:
            if sealed.last_error is None:
                self._reports.log(
                    logging.WARNING,
                    "%s rejects requests; the lines stay in the spool: %s",
                    self._settings.address,
                    error,
                )
            self._batcher.hold(sealed, error, self._clock.now() + self._outage_backoff())
        else:
            self._batcher.fail(sealed, error)
            self.undelivered.append(self._undelivered_lines(sealed))
            if not self._handed_lines:
                self._reports.log(
                    logging.WARNING, "%s will not take lines, which are handed back: %s", self._settings.address, error
                )
            self._handed_lines += sealed.batch.lines
            self._handed_bytes += len(sealed.batch.data)
        self._reports.error(error)
        self._after(sealed)

    def _outage_backoff(self) -> float:
        retry = self._settings.retry
        return retry.max_backoff * (1 + retry.random()) / 2

    def _after(self, sealed: Sealed) -> None:
        """Look what has become of the receipts, and tell how far we are."""
        self._receipts_of_caller(sealed)
        self._reports.progress(self)

    def _receipts_of_caller(self, *several: Sealed) -> None:
        for sealed in several:
            if sealed.completed and self._spool is not None:
                self._spool.mark_completed(sealed.records)
            for receipt, *_ in sealed.parts:
                self._receipts.check(receipt)

    def _report(self, caller: object) -> None:
        """Raise the failures that concern a caller of `flush`."""
        self._receipts.check_all()
        self._receipts.report(caller)
        self._reports.raise_failure()

    def _end(self, error: BaseException | None) -> None:
        """Hand back what is pending, and raise what nobody was told; an error of the caller's own goes before."""
        self._open = False
        reason = self._last_error or InfluxDBError("the batch writer was left before the lines were delivered")
        if self._spool is None:
            self.undelivered += map(self._undelivered_lines, self._batcher.return_undelivered(reason))
        elif self.pending:
            last_error = self._batcher.last_error
            stay = f"{self.pending} lines stay in the spool {self._spool.directory}"
            self._reports.log(logging.WARNING, "%s: %s", stay, last_error or reason)
            if last_error is not None:
                if error is None:
                    last_error.add_note(stay)
                    raise last_error
                error.add_note(f"{stay}: {last_error}")
        if self.undelivered:
            lost = UndeliveredError(self.undelivered, reason)
            if error is None:
                raise lost from reason
            error.add_note(f"{lost}; they are in the batch writer's `undelivered`")
        elif error is None:
            self._receipts.report_all()
            self._reports.raise_failure()

    def _undelivered_lines(self, sealed: Sealed) -> UndeliveredLines:
        params, wants_db = sealed.target
        given = dict(params)
        db = self._settings.database if wants_db else given.get("db")
        return UndeliveredLines(db, given.get("rp"), sealed.batch.precision, sealed.batch.data, sealed.batch.lines)

    def _check_open(self) -> None:
        if not self._open:
            msg = "this batch writer is closed"
            raise RuntimeError(msg)

    def _check_handed_back(self) -> None:
        """See that what was handed back does not pile up, which waiting would not change."""
        is_full = self.options.is_full
        if not is_full(self._handed_lines, self._handed_bytes):
            return
        self._handed_lines = sum(some.lines for some in self.undelivered)  # some may have been taken from there
        self._handed_bytes = sum(len(some.data) for some in self.undelivered)
        if not is_full(self._handed_lines, self._handed_bytes):
            return
        handed = f"{self._handed_lines} lines ({self._handed_bytes} bytes)"
        msg = f"{handed} were handed back, and are in `undelivered` still: {self._last_error}"
        if self.options.when_full != "drop_oldest":
            raise BufferFullError(msg)
        dropped: list[UndeliveredLines] = []
        while is_full(self._handed_lines, self._handed_bytes):
            dropped.append(self.undelivered.pop(0))
            self._handed_lines -= dropped[-1].lines
            self._handed_bytes -= len(dropped[-1].data)
        self._reports.error(UndeliveredError(dropped, BufferFullError(msg)))

    @property
    def _is_forked(self) -> bool:
        """Whether this process is a fork of the one that the writer belongs to."""
        return self._process != os.getpid()

    def _check_process(self) -> None:
        if self._is_forked:
            msg = (
                f"this batch writer belongs to process {self._process}, of which this is a fork; "
                "create one in each process, after the fork"
            )
            raise RuntimeError(msg)

    def _check_entered(self) -> None:
        self._check_open()
        if not self._is_entered:
            msg = "this batch writer must be entered before it is written to: `with client.batch_writer() as writer:`"
            raise RuntimeError(msg)

    def __repr__(self) -> str:
        address, state = self._settings.address, "" if self._open else ", closed"
        return f"<{type(self).__name__} to {address}: {self.pending} pending, {self.written} written{state}>"
