"""The client whose operations are coroutines."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Self, cast

from .._http.timeout import Timeout
from .._runtime.flow import arun
from .._runtime.op import Operation
from .._runtime.settings import Settings
from .._runtime.stream import StreamOp, aopen_stream
from .._runtime.transport import AsyncTransport
from .._write.operation import WriteOperation
from .base import BaseClient, SessionT, T
from .binding import BoundAsyncClient

if TYPE_CHECKING:
    from types import TracebackType

    from .._batch.async_writer import AsyncBatchWriter
    from .._batch.options import BatchOptions
    from .._batch.spool.log import SpoolFiles
    from .._runtime.transport import AsyncSignal, Background, InThread


class AsyncClient(BaseClient[SessionT], BoundAsyncClient):
    """The awaiting face. An adapter says how its transport is made."""

    _transport: AsyncTransport

    @abstractmethod
    def _make_transport(self, settings: Settings, session: SessionT | None) -> AsyncTransport:
        """Make the transport, which opens nothing yet; there may be no event loop."""

    async def execute(self, operation: Operation[T], *, timeout: float | Timeout | None = None) -> T:
        """Execute an operation, such as an `Op` that you built yourself.

        Args:
            operation: what a builder of `ops` or `admin` returns.
            timeout: replaces the client's timeout, in seconds or as a `Timeout`, unless the operation has its own.
        """
        settings = self._settings_for(timeout)
        if isinstance(operation, WriteOperation):  # as above, and may have to wait for its data
            return cast("T", await operation.arun(settings, self._transport, self._background))
        return await arun(operation.flow(settings, self._transport), self._transport)

    def stream(
        self, op: StreamOp[T], *, timeout: float | Timeout | None = None
    ) -> AbstractAsyncContextManager[AsyncIterator[T]]:
        """Open a stream, such as a `StreamOp` that you built yourself.

        Args:
            op: what a builder of streams returns.
            timeout: replaces the client's timeout, in seconds or as a `Timeout`, unless the stream has its own.
        """
        return aopen_stream(op, self._settings_for(timeout), self._transport)

    def _new_batch_writer(self, options: BatchOptions) -> AsyncBatchWriter:
        from .._batch.async_writer import AsyncBatchWriter  # noqa: PLC0415 - not needed by those who do without

        files = None if options.spool is None else self._spool_files(os.fspath(options.spool.directory))
        needed = self._needed(self._background())
        return AsyncBatchWriter(self._settings_for(None), self._transport, options, *needed, files)

    def _background(self) -> tuple[AsyncSignal, Background] | None:
        """Give a signal, and how to run a task beside the caller's."""
        return None

    def _spool_files(self, directory: str) -> tuple[SpoolFiles, InThread]:
        """Give the files of a directory, in which a batch writer is to keep lines, and how to use them in a thread."""
        msg = f"{type(self).__name__} cannot keep lines in {directory}: it has no spool"
        raise TypeError(msg)

    async def aclose(self) -> None:
        """Close the connections; afterwards every operation raises RuntimeError. Closing again does nothing."""
        if not self._closed:
            self._closed = True
            await self._transport.aclose()

    async def __aenter__(self) -> Self:
        self._settings_for(None)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()
