"""Base class of the async clients."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Self, cast

from .._http.timeout import TimeoutLike
from .._runtime.flow import arun
from .._runtime.op import ConcurrentOperation, Operation
from .._runtime.settings import Settings
from .._runtime.stream import AsyncStreamContext, StreamOp
from .._runtime.transport import AsyncSignal, AsyncTransport, Background, InThread, SpoolFiles
from .base import BaseClient, SessionT, T
from .binding import BoundAsyncClient

if TYPE_CHECKING:
    from .._batch.async_writer import AsyncBatchWriter
    from .._batch.options import BatchOptions


class AsyncClient(BaseClient[SessionT], BoundAsyncClient):
    """Base of async clients; an adapter subclasses it and implements `_make_transport`."""

    _transport: AsyncTransport

    @abstractmethod
    def _make_transport(self, settings: Settings, session: SessionT | None) -> AsyncTransport:
        """Return the transport, which opens no connection yet; an event loop may not be running."""

    async def execute(self, operation: Operation[T], *, timeout: TimeoutLike | None = None) -> T:
        """Execute an operation, such as an `Op` that you built yourself.

        Args:
            operation: the result of a builder in `ops` or `admin`.
            timeout: overrides the client's timeout, unless the operation has its own.
        """
        settings = self._settings_for(timeout)
        if isinstance(operation, ConcurrentOperation):  # it may also wait for its data
            return cast("T", await self._run_concurrent(operation, settings))
        return await arun(operation.flow(settings, self._transport), self._transport)

    async def _run_concurrent(self, operation: ConcurrentOperation[T], settings: Settings) -> T:
        return await operation.arun(settings, self._transport, self._background)

    def stream(
        self, op: StreamOp[T], *, timeout: TimeoutLike | None = None
    ) -> AbstractAsyncContextManager[AsyncIterator[T]]:
        """Open a stream, such as a `StreamOp` that you built yourself.

        Args:
            op: the result of a builder of streams.
            timeout: overrides the client's timeout, unless the stream has its own.
        """
        return AsyncStreamContext(op, self._settings_for(timeout), self._transport)

    def _new_batch_writer(self, options: BatchOptions) -> AsyncBatchWriter:
        files = None if options.spool is None else self._spool_files(os.fspath(options.spool.directory))
        background = self._required(self._background())
        return self._batch_writer_class()(self._settings_for(None), self._transport, options, *background, files)

    def _batch_writer_class(self) -> type[AsyncBatchWriter]:
        """Return the class of batch writers."""
        from .._batch.async_writer import AsyncBatchWriter  # noqa: PLC0415 - imported only when it is needed

        return AsyncBatchWriter

    def _background(self) -> tuple[AsyncSignal, Background] | None:
        """Return a signal and a function that runs background tasks, or None if the adapter has neither."""
        return None

    def _spool_files(self, directory: str) -> tuple[SpoolFiles, InThread]:
        """Return the files of a spool directory, without opening them, and a function that runs code in a thread."""
        raise TypeError(f"{type(self).__name__} does not support a spool (directory {directory}); remove spool=")

    async def aclose(self) -> None:
        """Close the connections; afterwards every operation raises `RuntimeError`. Further calls have no effect."""
        if not self._closed:
            self._closed = True
            await self._transport.aclose()

    async def __aenter__(self) -> Self:
        self._settings_for(None)
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.aclose()
