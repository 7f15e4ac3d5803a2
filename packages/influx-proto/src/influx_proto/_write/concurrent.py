"""Concurrent delivery of the batches of a large write, while the next batch is encoded.

One sender keeps the order of the batches. Several are faster, since a server stores concurrent requests in parallel, in
any order: of two values of one point either may be the last. Senders are threads or tasks that an adapter starts.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from queue import SimpleQueue
from typing import TYPE_CHECKING, Self

from .._runtime.transport import is_interruption

if TYPE_CHECKING:
    from types import TracebackType

    from .._encode.batch import Batch
    from .._runtime.transport import AsyncSignal, Background


class ConcurrentSender:
    """Sends batches in threads.

    A signal handler may raise in the thread that calls `put`. Only `SimpleQueue` connects it to the other threads,
    because its methods cannot be interrupted halfway.

    Args:
        senders: the maximum number of batches in flight.
        send: sends a batch.
        start: starts a thread.
    """

    def __init__(
        self, senders: int, send: Callable[[Batch], object], start: Callable[[Callable[[], None]], object]
    ) -> None:
        self._senders = senders
        self._send = send
        self._start = start
        self._started = 0
        self._in_flight = 0
        #: Batches to send, and None at the end.
        self._batches: SimpleQueue[Batch | None] = SimpleQueue()
        #: An item for each batch that is no longer in flight.
        self._sent: SimpleQueue[None] = SimpleQueue()
        self._error: BaseException | None = None

    def put(self, batch: Batch) -> None:
        """Pass a batch to a free sender, waiting for one. Raises the error of an earlier batch."""
        if self._started < self._senders and self._sent.empty():
            self._started += 1
            self._start(self._run)
        else:
            self._wait()
        if self._error is not None:
            raise self._error
        self._in_flight += 1
        self._batches.put(batch)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        """Wait until all batches are stored, unless this thread was interrupted."""
        try:
            while self._in_flight and (error is None or isinstance(error, Exception)):
                self._wait()
        finally:
            self._batches.put(None)
        _raise_or_note(self._error, error)

    def _wait(self) -> None:
        self._sent.get()
        self._in_flight -= 1

    def _run(self) -> None:
        while (batch := self._batches.get()) is not None:
            try:
                self._send(batch)
            except BaseException as raised:  # noqa: BLE001 - the writer's thread raises it
                self._error = self._error or raised
            self._sent.put(None)
        self._batches.put(None)  # for the next sender


class AsyncConcurrentSender:
    """Sends batches in tasks.

    Args:
        senders: the maximum number of batches in flight.
        send: sends a batch.
        signal: the condition that connects the tasks.
        background: runs a task while its context is open.
    """

    def __init__(
        self, senders: int, send: Callable[[Batch], Awaitable[object]], signal: AsyncSignal, background: Background
    ) -> None:
        self._senders = senders
        self._send = send
        self._signal = signal
        self._background = background
        self._stack = AsyncExitStack()
        self._started = 0
        self._in_flight = 0
        #: The batch that the next free sender takes.
        self._next: Batch | None = None
        self._is_over = False
        self._error: BaseException | None = None

    async def put(self, batch: Batch) -> None:
        """Pass a batch to a free sender, waiting for one. Raises the error of an earlier batch."""
        if self._started < self._senders and self._in_flight == self._started:
            self._started += 1
            await self._stack.enter_async_context(self._background(self._run))
        if self._error is None:
            self._next = batch
        while self._next is not None:  # encoding the next batch could delay a sender
            await self._notify_and_wait()
        if self._error is not None:
            raise self._error

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        """Wait until all batches are stored, unless this task was cancelled."""
        self._is_over = True
        self._next = None  # set only if `put` was cancelled
        try:
            while self._in_flight and (error is None or isinstance(error, Exception)):
                await self._notify_and_wait()
            _raise_or_note(self._error, error)
        finally:
            await self._stack.aclose()

    async def _notify_and_wait(self) -> None:
        self._signal.notify()
        await self._signal.wait(None)

    async def _run(self) -> None:
        while True:
            while self._next is None:
                if self._is_over:
                    return
                await self._signal.wait(None)
            batch, self._next = self._next, None
            self._in_flight += 1
            self._signal.notify()
            try:
                await self._send(batch)
            except BaseException as raised:
                if is_interruption(raised, self._signal):
                    raise
                self._error = self._error or raised  # raised in the writer's task
                self._next = None
            finally:
                self._in_flight -= 1
            self._signal.notify()


def _raise_or_note(failure: BaseException | None, error: BaseException | None) -> None:
    """Raise the failure of a batch, or note it on the error with which the write ends, which takes precedence."""
    if failure is None or failure is error:
        return
    if error is None:
        raise failure
    error.add_note(f"an earlier batch failed as well: {failure}")
