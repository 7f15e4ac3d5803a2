"""Senders of the batches of a large write, in the background while the next batch is encoded.

One sender keeps the order of the batches. Several senders are faster, since the server stores their batches
concurrently, in any order: of two values of one point either may be stored last. A sender is a thread or task that the
adapter starts.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

    from .._encode.batch import Batch
    from .._runtime.transport import AsyncSignal, Background, Signal


class _State:
    """The state that the writer and its senders share. Generators yield each time the caller has to wait."""

    def __init__(self, senders: int) -> None:
        self._senders = senders
        self._pending: Batch | None = None
        self._started = 0
        self._sending = 0
        self._is_over = False
        self._error: BaseException | None = None

    def _needs_sender(self) -> bool:
        is_needed = self._started < self._senders and self._sending == self._started
        self._started += is_needed
        return is_needed

    def _put(self, batch: Batch) -> Iterator[None]:
        """Accept a batch. Yields until a sender takes it, since encoding the next one might delay that."""
        if self._error is None:
            self._pending = batch
        while self._pending is not None:
            yield None
        if self._error is not None:
            raise self._error

    def _idle(self) -> Iterator[None]:
        """Yield until a batch is pending or the write is over."""
        while self._pending is None and not self._is_over:
            yield None

    def _take(self) -> Batch | None:
        batch, self._pending = self._pending, None
        self._sending += batch is not None
        return batch

    def _sent(self, error: BaseException | None) -> None:
        self._sending -= 1
        if error is not None:
            self._error = self._error or error
            self._pending = None

    def _end(self, error: BaseException | None) -> Iterator[None]:
        """Yield until all batches are sent, unless the write was cancelled. Raises the first error of a sender."""
        self._is_over = True
        self._pending = None  # only a cancelled `put` leaves a pending batch
        while self._sending and (error is None or isinstance(error, Exception)):
            yield None
        if self._error is None or self._error is error:
            return
        if error is None:
            raise self._error
        error.add_note(f"an earlier batch failed as well: {self._error}")  # the caller's error takes precedence


class ConcurrentSender(_State):
    """Sends batches in threads.

    Args:
        senders: the maximum number of batches in flight.
        send: sends a batch.
        signal: a lock and condition.
        start: starts a thread.
    """

    def __init__(
        self,
        senders: int,
        send: Callable[[Batch], object],
        signal: Signal,
        start: Callable[[Callable[[], None]], object],
    ) -> None:
        super().__init__(senders)
        self._send = send
        self._signal = signal
        self._start = start

    def put(self, batch: Batch) -> None:
        """Pass a batch to a sender, and wait until it is being sent. Raises the error of an earlier batch."""
        with self._signal:
            if self._needs_sender():
                self._start(self._run)
            for _ in self._put(batch):
                self._signal.notify()
                self._signal.wait(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        with self._signal:
            for _ in self._end(error):
                self._signal.notify()
                self._signal.wait(None)
            self._signal.notify()

    def _run(self) -> None:
        while (batch := self._next()) is not None:
            error: BaseException | None = None
            try:
                self._send(batch)
            except BaseException as raised:  # noqa: BLE001 - the writer's thread raises it
                error = raised
            with self._signal:
                self._sent(error)
                self._signal.notify()

    def _next(self) -> Batch | None:
        with self._signal:
            for _ in self._idle():
                self._signal.wait(None)
            batch = self._take()
            self._signal.notify()
            return batch


class AsyncConcurrentSender(_State):
    """Sends batches in tasks.

    Args:
        senders: the maximum number of batches in flight.
        send: sends a batch.
        signal: a condition.
        background: runs a task while its context is open.
    """

    def __init__(
        self, senders: int, send: Callable[[Batch], Awaitable[object]], signal: AsyncSignal, background: Background
    ) -> None:
        super().__init__(senders)
        self._send = send
        self._signal = signal
        self._background = background
        self._stack = AsyncExitStack()

    async def put(self, batch: Batch) -> None:
        """Pass a batch to a sender, and wait until it is being sent. Raises the error of an earlier batch."""
        if self._needs_sender():
            await self._stack.enter_async_context(self._background(self._run))
        for _ in self._put(batch):
            self._signal.notify()
            await self._signal.wait(None)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        try:
            for _ in self._end(error):
                self._signal.notify()
                await self._signal.wait(None)
        finally:
            await self._stack.aclose()

    async def _run(self) -> None:
        while True:
            for _ in self._idle():
                await self._signal.wait(None)
            batch = self._take()
            if batch is None:
                return
            self._signal.notify()
            error: Exception | None = None
            try:
                await self._send(batch)
            except Exception as raised:  # noqa: BLE001 - the writer's task raises it
                error = raised
            self._sent(error)
            self._signal.notify()
