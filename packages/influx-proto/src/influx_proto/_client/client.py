"""The client whose operations block."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Self, cast

from .._http.timeout import Timeout
from .._runtime.flow import run
from .._runtime.op import Operation
from .._runtime.settings import Settings
from .._runtime.stream import StreamOp, open_stream
from .._runtime.transport import Transport
from .._write.operation import WriteOperation
from .base import BaseClient, SessionT, T
from .binding import BoundClient

if TYPE_CHECKING:
    from types import TracebackType

    from .._batch.options import BatchOptions
    from .._batch.spool.log import SpoolFiles
    from .._batch.writer import BatchWriter
    from .._runtime.transport import Signal


class Client(BaseClient[SessionT], BoundClient):
    """The blocking face. An adapter says how its transport is made."""

    _transport: Transport

    @abstractmethod
    def _make_transport(self, settings: Settings, session: SessionT | None) -> Transport:
        """Make the transport, which opens nothing yet."""

    def execute(self, operation: Operation[T], *, timeout: float | Timeout | None = None) -> T:
        """Execute an operation, such as an `Op` that you built yourself.

        Args:
            operation: what a builder of `ops` or `admin` returns.
            timeout: replaces the client's timeout, in seconds or as a `Timeout`, unless the operation has its own.
        """
        settings = self._settings_for(timeout)
        if isinstance(operation, WriteOperation):  # which may send several requests at a time
            return cast("T", operation.run(settings, self._transport, self._background))
        return run(operation.flow(settings, self._transport), self._transport)

    def stream(self, op: StreamOp[T], *, timeout: float | Timeout | None = None) -> AbstractContextManager[Iterator[T]]:
        """Open a stream, such as a `StreamOp` that you built yourself.

        Args:
            op: what a builder of streams returns.
            timeout: replaces the client's timeout, in seconds or as a `Timeout`, unless the stream has its own.
        """
        return open_stream(op, self._settings_for(timeout), self._transport)

    def _new_batch_writer(self, options: BatchOptions) -> BatchWriter:
        from .._batch.writer import BatchWriter  # noqa: PLC0415 - not needed by those who do without

        files = None if options.spool is None else self._spool_files(os.fspath(options.spool.directory))
        needed = self._needed(self._background())
        return BatchWriter(self._settings_for(None), self._transport, options, *needed, files)

    def _background(self) -> tuple[Signal, Callable[[Callable[[], None]], object]] | None:
        """Give a signal, and how to start a thread beside the caller's, if the transport can be used from several."""
        return None

    def _spool_files(self, directory: str) -> SpoolFiles:
        """Give the files of a directory, in which a batch writer is to keep lines; nothing is done with them yet."""
        msg = f"{type(self).__name__} cannot keep lines in {directory}: it has no spool"
        raise TypeError(msg)

    def close(self) -> None:
        """Close the connections; afterwards every operation raises RuntimeError. Closing again does nothing."""
        if not self._closed:
            self._closed = True
            self._transport.close()

    def __enter__(self) -> Self:
        self._settings_for(None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
