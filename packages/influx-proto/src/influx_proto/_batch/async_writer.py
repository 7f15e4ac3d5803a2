"""Batch writer of the async clients, which delivers in a background task."""

from __future__ import annotations

import math
from collections.abc import Generator
from contextlib import AsyncExitStack, aclosing, nullcontext
from typing import Any, Self

from .._encode.batch import Batch
from .._public_names import exported_by
from .._runtime.flow import arun
from .._runtime.settings import Settings
from .._runtime.transport import AsyncSignal, AsyncTransport, Background, InThread, SpoolFiles, is_interruption
from .._write.request import Target
from .base import BatchWriterBase
from .encoding import BatchEncoding
from .options import BatchOptions
from .receipt import AsyncReceipt, OpenReceipt
from .signature import as_write_operation, with_arguments_of
from .waiting import Step, cannot_wait


class _OpenAsyncReceipt(OpenReceipt, AsyncReceipt):
    def __init__(self, writer: AsyncBatchWriter) -> None:
        self.rejected = []
        self._writer: Any = writer

    def __await__(self) -> Generator[Any, Any, None]:
        waiting: Generator[Any, Any, None]
        waiting = self._writer._wait_for(self).__await__()  # noqa: SLF001 - the receipt is a part of the writer
        return waiting


@exported_by("influx_proto")
class AsyncBatchWriter(BatchWriterBase):
    """Writes in batches, in a background task: `async with client.batch_writer() as writer: ...`.

    Several tasks may use it at the same time.
    """

    def __init__(
        self,
        settings: Settings,
        transport: AsyncTransport,
        options: BatchOptions,
        signal: AsyncSignal,
        background: Background,
        files: tuple[SpoolFiles, InThread] | None = None,
    ) -> None:
        spool_files = files[0] if files else None
        super().__init__(settings, transport, options, signal.notify, nullcontext(), signal.has_ended, spool_files)
        self._transport = transport
        self._signal = signal
        self._background = background
        self._in_thread = files[1] if files else None
        self._stack = AsyncExitStack()
        #: The event loop in which the writer was entered.
        self._loop: object = None
        #: The task that is delivering a batch.
        self._sender_task: object = None

    @with_arguments_of(as_write_operation)
    async def write(self, data: Any, encoding: BatchEncoding) -> AsyncReceipt:
        self._check_process()  # a forked process has no current task
        receipt = _OpenAsyncReceipt(self)
        self._check_entered()
        self._check_loop()
        self._receipts.begin(receipt, self._signal.caller())
        try:
            if hasattr(data, "__aiter__"):
                async with aclosing(encoding.abatches(data)) as batches:
                    async for batch in batches:
                        await self._add_or_wait(encoding.target, batch, receipt)
            else:
                for batch in encoding.batches(data):
                    await self._add_or_wait(encoding.target, batch, receipt)
        except BaseException as error:
            receipt.add_note(error)
            raise
        finally:
            self._complete_write(receipt)
        return receipt

    async def _add_or_wait(self, target: Target, batch: Batch, receipt: OpenReceipt) -> None:
        self._check_process()
        try:
            if not self._add_if_room(target, batch, receipt):
                await self._run_steps(self._accept(target, batch, receipt))
        finally:
            self._reports.make_calls()

    def _is_sender(self) -> bool:
        return self._signal.caller() is self._sender_task

    def _is_interruption(self, error: BaseException) -> bool:
        return is_interruption(error, self._signal)

    def _wake_sender(self) -> None:
        if self._sender_due > -math.inf:
            self._sender_due = -math.inf
            self._signal.notify()

    async def flush(self, *, timeout: float | None = None) -> None:
        """Wait until all lines written before are stored.

        A failure belongs to the task that wrote the lines, and its next `flush` raises it. `flush` also raises the
        failures of tasks that have ended and, in a task that has not written any lines, those of all others. Exiting
        the `with` block raises the failures that no `flush` has raised. Receipts are not affected: each has the
        outcome of its lines.

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
        self._check_loop()
        try:
            await self._run_steps(self._check_spool())
        finally:
            self._reports.make_calls()
        for seconds in self._wait_until_flushed(timeout):
            await self._wait(seconds)
        self._raise_failures(self._signal.caller())

    async def _wait_for(self, receipt: OpenReceipt) -> None:
        if not receipt.done:
            self._check_process()
            self._check_loop()
        for seconds in self._receipts.wait_for(receipt, self._clock):
            await self._wait(seconds)

    async def _wait(self, seconds: float | None) -> None:
        """Wait until the state has changed, at most for the given seconds."""
        if self._is_sender():
            raise cannot_wait()
        await self._signal.wait(seconds)

    def _check_loop(self) -> None:
        """Raise in another event loop, whose tasks this one cannot wake."""
        if self._is_entered and self._loop is not self._signal.loop():
            raise RuntimeError("this batch writer was entered in another event loop; create one in each event loop")

    async def __aenter__(self) -> Self:
        self._check_process()
        was_entered = self._is_entered
        if not was_entered:
            self._loop = self._signal.loop()
        try:
            try:
                await self._run_steps(self._start_accepting())
            finally:
                self._reports.make_calls()
            if self._spool is not None:
                self._stack.push_async_callback(self._clean_up)
            await self._stack.enter_async_context(self._background(self._deliver_batches))
            return self  # noqa: TRY300 - an interruption here also closes the spool
        except BaseException:
            if self._is_entered and not was_entered:
                try:
                    await self._stack.aclose()
                finally:
                    if self._spool is not None:
                        self._spool.close()
            raise

    async def __aexit__(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        is_forked = False
        try:
            is_forked = self._is_forked
            for seconds in () if is_forked else self._wait_until_drained(error):
                await self._signal.wait(seconds)
        except BaseException as interruption:
            error = interruption
            raise
        finally:
            if not is_forked:  # in a fork, the lines and the spool belong to the parent
                self._open = False
                try:
                    await self._stack.aclose()
                finally:
                    try:
                        self._finish(error)
                    except KeyboardInterrupt as interruption:  # of asyncio, at any line after a second Ctrl-C
                        self._finish(interruption)
                        raise

    def _finish(self, error: BaseException | None) -> None:
        try:
            self._close(error)
        finally:
            if self._spool is not None:
                self._spool.close()
            self._signal.notify()  # other tasks may wait for room or for pending lines
            self._reports.make_calls()

    async def _clean_up(self) -> None:
        """Delete the completed segments of the spool, including those of the last batch, and check the others."""
        for steps in (self._clean_up_spool, self._check_spool):
            if self._spool is not None and not self._spool.is_busy:
                await self._run_steps(steps())

    async def _run_steps(self, steps: Generator[Step]) -> None:
        error: BaseException | None = None
        try:
            while True:
                try:
                    step = next(steps) if error is None else steps.throw(error)
                except StopIteration:
                    return
                error = None
                try:
                    if callable(step) and self._in_thread is not None:
                        await self._in_thread(step)
                    elif not callable(step) and step != 0:  # other calls begin while one waits for a thread
                        await self._wait(step)
                except BaseException as raised:  # noqa: BLE001 - raised in the steps, which may still touch files
                    error = raised
        finally:
            error = None  # break the reference cycle with the traceback
            steps.close()

    async def _deliver_batches(self) -> None:
        """Deliver batches until the task is cancelled."""
        while True:
            now = self._clock.now()
            sealed = self._batcher.take(now)
            if sealed is None:
                due = self._sender_due = self._batcher.due
                await self._signal.wait(None if due == math.inf else max(due - now, 0.0))
                continue
            self._sender_due = -math.inf
            self._sender_task = self._signal.caller()
            try:
                rejected = await arun(self._sender.deliver(sealed), self._transport)
            except BaseException as error:
                if self._is_interruption(error):
                    raise
                self._handle_failure(sealed, error)  # every other error is reported, and delivery continues
            else:
                self._handle_success(sealed, rejected)
            finally:
                self._sender_task = None
            self._reports.make_calls()
            await self._run_steps(self._clean_up_spool())
            self._signal.notify()
