"""The batch writer of async clients, which delivers in a task; `base` has what both batch writers share."""

from __future__ import annotations

import math
from collections.abc import Generator
from contextlib import AsyncExitStack, aclosing, nullcontext
from typing import Self

from .._runtime.flow import arun
from .._runtime.settings import Settings
from .._runtime.transport import AsyncSignal, AsyncTransport, Background, InThread
from .._write.operation import WriteOperation
from .base import BatchWriterBase, Step
from .options import BatchOptions
from .receipt import OpenReceipt, Receipt
from .signature import as_write_operation, with_arguments_of
from .spool.log import SpoolFiles


class AsyncBatchWriter(BatchWriterBase):
    """Writes in batches, in a task beside the caller's: `async with client.batch_writer() as writer: ...`.

    It may be used from several tasks at once.
    """

    __module__ = "influx_proto"  # exported lazily, so `set_public_module` does not see it

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

    @with_arguments_of(as_write_operation)
    async def write(self, writes: WriteOperation) -> Receipt:
        self._check_process()  # a fork has no current task
        receipt = OpenReceipt()
        self._begin(receipt, self._signal.caller())
        try:
            async with aclosing(writes.abatches(self._settings, self._clock, eager=True)) as batches:
                async for batch in batches:
                    self._check_process()
                    try:
                        await self._do(self._put(writes, batch, receipt))
                    finally:
                        self._reports.make()
        except BaseException as error:
            self._stopped(receipt, error)
            raise
        finally:
            self._complete(receipt)
        return receipt

    async def flush(self, *, timeout: float | None = None) -> None:
        """Wait until everything that was written before is stored.

        A failure belongs to the task that wrote the lines, and its next `flush` raises it. `flush` also raises the
        failures of tasks that have ended and, in a task that has written nothing itself, those of all others. Exiting
        the `with` block raises the failures that no `flush` has raised. Receipts are not affected: each has the
        outcome of its own lines.

        Args:
            timeout: for how many seconds at the most; None for as long as it takes.

        Raises:
            TransportError: the time is over; what is pending stays so.
            PartialWriteError: the server rejected lines.
            CallbackError: a callback raised since the last report.
            InfluxDBError: lines could not be stored for another reason.
        """
        self._check_process()
        for seconds in self._flushed(timeout):
            await self._signal.wait(seconds)
        self._report(self._signal.caller())

    async def __aenter__(self) -> Self:
        self._check_process()
        try:
            await self._do(self._entered())
        finally:
            self._reports.make()
        if self._spool is not None:
            self._stack.callback(self._spool.close)
            self._stack.push_async_callback(self._clean_up)
        await self._stack.enter_async_context(self._background(self._run))
        return self

    async def __aexit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if self._is_forked:
            return  # the lines and the spool are the parent's
        try:
            for seconds in self._leaving(error):
                await self._signal.wait(seconds)
        except BaseException as interruption:
            error = interruption
            raise
        finally:
            self._open = False
            try:
                await self._stack.aclose()
            finally:
                try:
                    self._end(error)
                finally:
                    self._signal.notify()  # others may wait for room, or for what is pending
                    self._reports.make()

    async def _clean_up(self) -> None:
        """Delete from the spool what is settled; for the last batch nobody may have."""
        if self._spool is not None and not self._spool.busy:
            await self._do(self._cleaned_up())

    async def _do(self, steps: Generator[Step]) -> None:
        try:
            for step in steps:
                if callable(step) and self._in_thread is not None:
                    await self._in_thread(step)
                elif not callable(step):
                    await self._signal.wait(step)
        finally:
            steps.close()

    async def _run(self) -> None:
        """Deliver, until this is cancelled."""
        while True:
            now = self._clock.now()
            sealed = self._batcher.take(now)
            if sealed is None:
                due = self._batcher.due
                await self._signal.wait(None if due == math.inf else max(due - now, 0.0))
                continue
            try:
                rejected = await arun(self._delivery(sealed), self._transport)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is reported, and other lines are sent
                self._delivery_failed(sealed, error)
            else:
                self._delivery_succeeded(sealed, rejected)
            self._reports.make()
            await self._do(self._cleaned_up())
            self._signal.notify()
