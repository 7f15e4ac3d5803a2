"""Base class of the sync clients."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Self, cast

from .._http.timeout import TimeoutLike
from .._runtime.flow import run
from .._runtime.op import ConcurrentOperation, Operation
from .._runtime.settings import Settings
from .._runtime.stream import StreamContext, StreamOp
from .._runtime.transport import SpoolFiles, Threads, Transport
from .base import BaseClient, SessionT, T
from .binding import BoundClient

if TYPE_CHECKING:
    from .._batch.options import BatchOptions
    from .._batch.writer import BatchWriter


class Client(BaseClient[SessionT], BoundClient):
    """Base of sync clients; an adapter subclasses it and implements `_make_transport`."""

    _transport: Transport

    @abstractmethod
    def _make_transport(self, settings: Settings, session: SessionT | None) -> Transport:
        """Return the transport, which opens no connection yet."""

    def execute(self, operation: Operation[T], *, timeout: TimeoutLike | None = None) -> T:
        """Execute an operation, such as an `Op` that you built yourself.

        Args:
            operation: the result of a builder in `ops` or `admin`.
            timeout: overrides the client's timeout, unless the operation has its own.
        """
        settings = self._settings_for(timeout)
        if isinstance(operation, ConcurrentOperation):
            return cast("T", operation.run(settings, self._transport, self._background))
        return run(operation.flow(settings, self._transport), self._transport)

    def stream(self, op: StreamOp[T], *, timeout: TimeoutLike | None = None) -> AbstractContextManager[Iterator[T]]:
        """Open a stream, such as a `StreamOp` that you built yourself.

        Args:
            op: the result of a builder of streams.
            timeout: overrides the client's timeout, unless the stream has its own.
        """
        return StreamContext(op, self._settings_for(timeout), self._transport)

    def _new_batch_writer(self, options: BatchOptions) -> BatchWriter:
        from .._batch.writer import BatchWriter  # noqa: PLC0415 - imported only when it is needed

        files = None if options.spool is None else self._spool_files(os.fspath(options.spool.directory))
        background = self._required(self._background())
        return BatchWriter(self._settings_for(None), self._transport, options, *background, files)

    def _background(self) -> tuple[Threads, Callable[[Callable[[], None]], object]] | None:
        """Return the threads and a function that starts one, or None if the transport is not thread-safe."""
        return None

    def _spool_files(self, directory: str) -> SpoolFiles:
        """Return the files of a spool directory, without opening them."""
        raise TypeError(f"{type(self).__name__} does not support a spool (directory {directory}); remove spool=")

    def close(self) -> None:
        """Close the connections; afterwards every operation raises `RuntimeError`. Further calls have no effect."""
        if not self._closed:
            self._closed = True
            self._transport.close()

    def __enter__(self) -> Self:
        self._settings_for(None)
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()
