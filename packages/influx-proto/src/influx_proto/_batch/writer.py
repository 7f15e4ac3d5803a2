"""Batch writer of the sync clients, which delivers in a background thread, the sender.

A signal handler may raise `KeyboardInterrupt` in the main thread after any call returns, but not in other threads. So
`write` adds lines in one step, and a second background thread, the call thread, makes all other changes for callers,
which wait. It also accesses the files of a spool. Callers only use operations that a signal handler cannot interrupt
halfway: a `with` statement of a lock implemented in C, `SimpleQueue`, and the first call in a `finally` block.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Generator
from functools import partial
from queue import SimpleQueue
from typing import Any, Self

from .._public_names import exported_by
from .._runtime.flow import Attempt, execute, run
from .._runtime.settings import Settings
from .._runtime.transport import SpoolFiles, Threads, Transport
from .base import BatchWriterBase
from .batcher import Sealed
from .calls import Call, get
from .encoding import BatchEncoding
from .options import BatchOptions
from .receipt import OpenReceipt, Receipt
from .signature import as_write_operation, with_arguments_of
from .waiting import Step, cannot_wait


class _OpenSyncReceipt(OpenReceipt, Receipt):
    def __init__(self, writer: BatchWriter) -> None:
        self.rejected = []
        self._writer: Any = writer

    def wait(self, timeout: float | None = None) -> None:
        self._writer._wait_for(self, timeout)  # noqa: SLF001 - the receipt is a part of the writer


@exported_by("influx_proto")
class BatchWriter(BatchWriterBase):
    """Writes in batches, in a background thread: `with client.batch_writer() as writer: ...`.

    Several threads may use it at the same time.
    """

    #: A generator that is closed in the block can wait, unlike a coroutine.
    _DELIVERING = (Exception, SystemExit, GeneratorExit)

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
        #: The thread that delivers batches, and the one that runs calls.
        self._sender_thread: object = None
        self._call_thread: object = None
        #: Calls for the call thread; None makes it check its waiting calls again.
        self._calls: SimpleQueue[Call | None] = SimpleQueue()  # replaced by `__enter__`
        self._is_running_calls = False
        self._has_waiting_calls = False
        #: Closes the writer without waiting for pending lines.
        self._abort_call: Call | None = None
        self._wakeups: SimpleQueue[None] = SimpleQueue()

    @with_arguments_of(as_write_operation)
    def write(self, data: object, encoding: BatchEncoding) -> Receipt:
        self._check_process()  # before the lock, which a forked process may have inherited locked
        receipt = _OpenSyncReceipt(self)
        target = encoding.target
        try:
            with self._lock:
                self._check_entered()
                self._receipts.begin(receipt, self._threads.caller())
            # The lock is not held while the caller's data is read, which may take long.
            for batch in encoding.batches(data):
                self._check_process()
                try:
                    with self._lock:
                        is_added = self._add_if_room(target, batch, receipt)
                    if not is_added:
                        self._call(self._accept(target, batch, receipt))
                finally:
                    self._reports.make_calls()
        except BaseException as error:
            receipt.add_note(error)
            raise
        finally:
            receipt.is_complete = True  # first in `finally`, so that no signal handler can prevent it
            if self._has_waiting_calls or self._is_draining:
                self._calls.put(None)  # a thread may wait for this in `__exit__`
            if receipt.done:
                self._calls.put(Call(self._check_receipt(receipt)))
        return receipt

    def flush(self, *, timeout: float | None = None) -> None:
        """Wait until all lines written before are stored.

        A failure belongs to the thread that wrote the lines, and its next `flush` raises it. `flush` also raises the
        failures of threads that have ended and, in a thread that has not written any lines, those of all others.
        Exiting the `with` block raises the failures that no `flush` has raised. Receipts are not affected: each has
        the outcome of its lines.

        Args:
            timeout: maximum number of seconds to wait; None waits indefinitely.

        Raises:
            TransportError: the timeout is over; the lines remain pending.
            PartialWriteError: the server rejected lines.
            CallbackError: a callback raised an exception since the last `flush`.
            SpoolError: another program deleted files of the spool; their lines remain pending.
            InfluxDBError: lines could not be stored for another reason.
        """
        self._check_process()
        self._call(self._flush_steps(timeout, self._threads.caller()))

    def _wait_for(self, receipt: OpenReceipt, timeout: float | None) -> None:
        steps = self._wait_steps(receipt, timeout)
        if receipt.done and (self._is_forked or not (receipt.error or receipt.rejected)):
            for _ in steps:
                pass
            return
        self._check_process()
        self._call(steps)  # a failure also changes what `flush` raises

    def __enter__(self) -> Self:
        self._check_process()
        self._check_open()
        if self._is_running_calls or self._is_entered:
            raise RuntimeError("this batch writer was already entered")
        try:
            self._abort_call = Call(self._exit_steps(KeyboardInterrupt()))
            self._calls = SimpleQueue()
            self._is_running_calls = True
            self._start(partial(self._run_calls, self._calls))
            self._call(self._enter_steps())
            self._reports.make_calls()
            return self  # noqa: TRY300 - an interruption here also closes the writer
        except BaseException:
            self._calls.put(self._abort_call)
            self._reports.make_calls()
            raise

    def __exit__(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        is_left_to_thread = is_shutdown = False
        try:
            is_shutdown = sys.is_finalizing()
            if is_shutdown:
                raise _interpreter_shutdown()
            # The garbage collector may close a generator with the block in any thread.
            if self._interrupts_writer() or self._is_sender():
                self._start(partial(self.__exit__, _type, error, _traceback))
                is_left_to_thread = True
            elif not self._is_forked:  # in a fork, the lines and the spool belong to the parent
                self._call(self._exit_steps(error))
        finally:
            if not is_left_to_thread and not is_shutdown:
                self._calls.put(self._abort_call)  # in case of an interruption before the call was queued
                if not self._is_forked:
                    if self._is_running_calls and self._abort_call is not None:
                        self._abort_call.outcome.get()
                    self._reports.make_calls()

    def _call(self, steps: Generator[Step]) -> None:
        """Run steps in the call thread and wait for their end; an interruption of the caller also ends them."""
        if sys.is_finalizing():
            raise _interpreter_shutdown()
        if self._interrupts_writer():
            raise cannot_wait()
        call = Call(steps, may_wait=not self._reports.is_in_callback)
        try:
            if not self._queue_call(call):
                self._finish_call(call)
            error = call.outcome.get()
        except BaseException as interruption:
            call.interruption = interruption
            if self._queue_call(call):  # queuing the call twice is harmless
                call.outcome.get()
            raise
        if error is not None:
            try:
                raise error
            finally:
                del error, call  # break the reference cycle with the traceback

    def _interrupts_writer(self) -> bool:
        """Return whether the current code is a signal handler or `__del__` for which the call thread waits."""
        return self._threads.caller() is self._call_thread or self._threads.holds_lock()

    def _queue_call(self, call: Call) -> bool:
        with self._lock:
            if self._is_running_calls:
                self._calls.put(call)
            return self._is_running_calls

    def _run_calls(self, queue: SimpleQueue[Call | None]) -> None:
        """Run the steps of queued calls until the writer is closed."""
        self._call_thread = self._threads.caller()
        calls: dict[Call, None] = {}
        while self._is_running_calls:
            due = min((call.due for call in calls), default=math.inf)
            if (queued := get(queue, due - self._clock.now())) is not None:
                calls[queued] = None
            while not queue.empty():
                if (queued := queue.get()) is not None:
                    calls[queued] = None
            with self._lock:
                for call in tuple(calls):
                    if call.advance(self._clock.now()):
                        del calls[call]
                self._has_waiting_calls = bool(calls)
        while not queue.empty():
            if (queued := queue.get()) is not None:
                calls[queued] = None
        for call in calls:
            self._finish_call(call)

    def _finish_call(self, call: Call) -> None:
        """Run the steps of a call on a closed writer; a step that would wait raises `RuntimeError`."""
        with self._lock:
            if not call.advance(self._clock.now()):
                call.interruption = RuntimeError("this batch writer is closed")
                call.advance(self._clock.now())

    def _enter_steps(self) -> Generator[Step]:
        try:
            yield from self._start_accepting()
            self._start(self._deliver_batches)
        except BaseException:
            self._is_running_calls = False
            if self._is_entered:  # there cannot be another thread
                self._open = False
                if self._spool is not None:
                    self._spool.close()
            raise
        while self._sender_thread is None:  # a finalizer that it runs before could wait for itself
            yield None

    def _flush_steps(self, timeout: float | None, caller: object) -> Generator[Step]:
        yield from self._check_spool()
        yield from self._wait_until_flushed(timeout)
        self._raise_failures(caller)

    def _wait_steps(self, receipt: OpenReceipt, timeout: float | None) -> Generator[Step]:
        for seconds in self._receipts.wait_for(receipt, self._clock, timeout):
            if self._crash is not None:
                raise self._crash
            yield seconds

    def _check_receipt(self, receipt: OpenReceipt) -> Generator[Step]:
        self._receipts.check(receipt)
        yield from ()

    def _exit_steps(self, error: BaseException | None) -> Generator[Step]:
        try:
            if self._is_entered:
                yield from self._wait_until_drained(error)
        except BaseException as interruption:
            error = interruption
            raise
        finally:
            try:
                if self._is_entered and self._open:
                    yield from self._check_spool()
                if self._is_entered and self._open:  # the abort call may repeat these steps
                    self._close(error)
            finally:
                if self._spool is not None:
                    self._spool.close()
                self._is_running_calls = False
                self._wake()

    def _check_open(self) -> None:
        if self._crash is not None:
            raise self._crash
        super()._check_open()

    def _wake(self) -> None:
        """Make the sender and the waiting calls check the state again; the lock must be held."""
        self._wake_sender()
        if self._has_waiting_calls:
            self._calls.put(None)

    def _wake_sender(self) -> None:
        if self._wakeups.empty():
            self._wakeups.put(None)

    def _deliver_batches(self) -> None:
        """Deliver batches until the writer is closed."""
        self._sender_thread = self._threads.caller()
        self._calls.put(None)  # `__enter__` waits for this
        try:
            while self._open:
                if (sealed := self._wait_for_batch()) is None:
                    continue
                try:
                    rejected = run(self._sender.deliver(sealed), self._transport, self._execute_if_open)
                except Exception as error:  # noqa: BLE001 - every error is reported, and delivery continues
                    with self._lock:
                        self._handle_failure(sealed, error)
                        self._clean_up()
                else:
                    with self._lock:
                        self._handle_success(sealed, rejected)
                        self._clean_up()
                self._make_reports()
        except BaseException as error:  # noqa: BLE001 - raised in the threads that wait
            with self._lock:
                self._crash = error
                self._wake()

    def _is_sender(self) -> bool:
        return self._threads.caller() is self._sender_thread

    def _is_interruption(self, error: BaseException) -> bool:
        # No signal handler raises in the sender.
        return not (isinstance(error, Exception) or self._is_sender())

    def _execute_if_open(self, attempt: Attempt, transport: Transport) -> object:
        """Execute an attempt, or raise after exit: a late retry could replace newer values of the points."""
        self._check_open()
        return execute(attempt, transport)

    def _clean_up(self) -> None:
        for step in self._clean_up_spool():
            if callable(step):
                step()
        self._wake()

    def _make_reports(self) -> None:
        if self._reports.is_pending:
            self._reports.make_calls()
            self._calls.put(None)  # a thread may wait for this in `__exit__`

    def _wait_for_batch(self) -> Sealed | None:
        """Return the next batch, or None after waiting until one may be due."""
        with self._lock:
            now = self._clock.now()
            sealed = self._batcher.take(now)
            self._sender_due = -math.inf if sealed is not None else self._batcher.due
        if sealed is None:
            self._make_reports()  # the thread that had to make them may have been interrupted
            get(self._wakeups, self._sender_due - now)
        return sealed


def _interpreter_shutdown() -> RuntimeError:
    """Return the error for a wait while the interpreter shuts down: other threads do not run any more."""
    return RuntimeError(
        "the interpreter is shutting down, so pending lines cannot be delivered; exit the batch writer before"
    )
