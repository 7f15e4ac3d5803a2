"""The batches of a large write on their way to the server, while the next one is made.

One at a time keeps their order. Several at a time are stored faster, since a server stores them beside each other, and
in any order: of two values of one point either may be the last. Senders are threads or tasks that an adapter starts.
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
    """What the one who makes batches and those who send them know of each other."""

    def __init__(self, senders: int) -> None:
        self._senders = senders
        self._waiting: Batch | None = None
        self._started = 0
        self._sending = 0
        self._is_over = False
        self._error: BaseException | None = None

    def _needs_sender(self) -> bool:
        is_needed = self._started < self._senders and self._sending == self._started
        self._started += is_needed
        return is_needed

    def _put(self, batch: Batch) -> Iterator[None]:
        """Take over a batch; yields until it is being sent, which making the next one might delay."""
        if self._error is None:
            self._waiting = batch
        while self._waiting is not None:
            yield None
        if self._error is not None:
            raise self._error

    def _idle(self) -> Iterator[None]:
        """Yield while there is no batch, and may be one to come."""
        while self._waiting is None and not self._is_over:
            yield None

    def _take(self) -> Batch | None:
        batch, self._waiting = self._waiting, None
        self._sending += batch is not None
        return batch

    def _sent(self, error: BaseException | None) -> None:
        self._sending -= 1
        if error is not None:
            self._error = self._error or error
            self._waiting = None

    def _end(self, error: BaseException | None) -> Iterator[None]:
        """Yield until all is stored that was put before; whoever was interrupted does not wait."""
        self._is_over = True
        self._waiting = None  # there is one only where somebody was interrupted while putting it
        while self._sending and (error is None or isinstance(error, Exception)):
            yield None
        if self._error is None or self._error is error:
            return
        if error is None:
            raise self._error
        error.add_note(f"a batch before failed as well: {self._error}")  # the caller's own goes before


class ConcurrentSender(_State):
    """Sends batches in threads.

    Args:
        senders: how many are sent at a time.
        send: sends a batch.
        signal: a lock and bell.
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
        """Hand over a batch, and wait until it is being sent. Raises what went wrong with an earlier one."""
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
            except BaseException as raised:  # noqa: BLE001 - it is raised to the one who writes, in their thread
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
        senders: how many are sent at a time.
        send: sends a batch.
        signal: a bell.
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
        """Hand over a batch, and wait until it is being sent. Raises what went wrong with an earlier one."""
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
            except Exception as raised:  # noqa: BLE001 - it is raised to the one who writes, in their task
                error = raised
            self._sent(error)
            self._signal.notify()
