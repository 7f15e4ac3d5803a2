"""The blocking and the awaiting batch writer: `_batch_base` says what they do, here is how they wait."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import AsyncExitStack, aclosing, nullcontext
from typing import Literal, Self

from ._arguments import joined_tags
from ._batch_base import BatchWriterBase, Step
from ._batch_options import BatchOptions
from ._batcher import Receipt, Sealed
from ._errors import BufferFullError
from ._flow import AsyncTransport, Transport, arun, run
from ._policy import FieldType, ObjectColumns
from ._settings import Settings
from ._signals import AsyncSignal, Background, InThread, Signal
from ._spool import SpoolFiles

__all__ = ["AsyncBatchWriter", "AsyncSignal", "Background", "BatchWriter", "InThread", "Signal"]


class BatchWriter(BatchWriterBase):
    """Writes in batches, in a thread beside the caller's: `with client.batch_writer() as writer: ...`.

    It may be used from several threads at once.
    """

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

    def write(
        self,
        data: object,
        measurement: str | None = None,
        *,
        db: str | None = None,
        rp: str | None = None,
        precision: str | None = None,
        tag_columns: Iterable[str] = (),
        object_columns: ObjectColumns = "str",
        tags: Mapping[str, object] | None = None,
        unsigned: bool | None = None,
        nonfinite: Literal["raise", "omit"] | None = None,
        field_types: Mapping[str, FieldType] | None = None,
        integers_as_floats: bool | None = None,
        **extra_tags: object,
    ) -> Receipt:
        """Take over anything that a client's `write` takes, waiting while the buffer is full.

        Points and lines without a time get the client's when they are accepted. The arguments are those of `write`,
        those apart that are about how it is sent.

        Returns:
            What will have become of it; `flush` waits for that.

        Raises:
            SerializationError: something cannot be written as it is; what came before it is accepted.
            SpoolError: lines could not be kept in the spool, and were not accepted.
            RuntimeError: the writer is closed, or was not entered.
        """
        writes = self._writes(
            data,
            measurement,
            db=db,
            rp=rp,
            precision=precision,
            tag_columns=tag_columns,
            object_columns=object_columns,
            tags=joined_tags(tags, extra_tags),
            unsigned=unsigned,
            nonfinite=nonfinite,
            field_types=field_types,
            integers_as_floats=integers_as_floats,
        )
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
                        self._not_delivered(sealed, error)
                        self._tidy()
                else:
                    with self._signal:
                        self._delivered(sealed, rejected)
                        self._tidy()
                self._reports.make()
                with self._signal:
                    self._signal.notify()  # leaving waits for the reports
        except BaseException as error:  # noqa: BLE001 - it is raised to those who wait, in their threads
            with self._signal:
                self._crash = error
                self._signal.notify()

    def _tidy(self) -> None:
        self._do(self._tidied())
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


class AsyncBatchWriter(BatchWriterBase):
    """Writes in batches, in a task beside the caller's: `async with client.batch_writer() as writer: ...`.

    It may be used from several tasks at once.
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

    async def write(
        self,
        data: object,
        measurement: str | None = None,
        *,
        db: str | None = None,
        rp: str | None = None,
        precision: str | None = None,
        tag_columns: Iterable[str] = (),
        object_columns: ObjectColumns = "str",
        tags: Mapping[str, object] | None = None,
        unsigned: bool | None = None,
        nonfinite: Literal["raise", "omit"] | None = None,
        field_types: Mapping[str, FieldType] | None = None,
        integers_as_floats: bool | None = None,
        **extra_tags: object,
    ) -> Receipt:
        """Take over anything that a client's `write` takes, waiting while the buffer is full.

        Points and lines without a time get the client's when they are accepted. The arguments are those of `write`,
        those apart that are about how it is sent.

        Returns:
            What will have become of it; `flush` waits for that.

        Raises:
            SerializationError: something cannot be written as it is; what came before it is accepted.
            SpoolError: lines could not be kept in the spool, and were not accepted.
            RuntimeError: the writer is closed, or was not entered.
        """
        writes = self._writes(
            data,
            measurement,
            db=db,
            rp=rp,
            precision=precision,
            tag_columns=tag_columns,
            object_columns=object_columns,
            tags=joined_tags(tags, extra_tags),
            unsigned=unsigned,
            nonfinite=nonfinite,
            field_types=field_types,
            integers_as_floats=integers_as_floats,
        )
        self._check_process()  # a fork has no current task
        receipt = self._receipt(self._signal.caller())
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
            self._stack.push_async_callback(self._tidy)
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

    async def _tidy(self) -> None:
        """Delete from the spool what is settled; for the last batch nobody may have."""
        if self._spool is not None and not self._spool.busy:
            await self._do(self._tidied())

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
                self._not_delivered(sealed, error)
            else:
                self._delivered(sealed, rejected)
            self._reports.make()
            await self._do(self._tidied())
            self._signal.notify()
