"""What batch writers run in the background: a task, a condition to wait for, and calls in a thread."""

from __future__ import annotations

import inspect
import math
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import trio

from ._errors import first_exception


class Signal:
    """Condition that wakes all tasks waiting for it."""

    def __init__(self) -> None:
        self._event = trio.Event()

    def notify(self) -> None:
        """Wake all waiting tasks."""
        self._event.set()
        self._event = trio.Event()

    async def wait(self, seconds: float | None) -> None:
        """Wait for `notify`, at most for the given seconds."""
        with trio.move_on_after(math.inf if seconds is None else seconds):
            await self._event.wait()

    def caller(self) -> object:
        """Return the current task."""
        return trio.lowlevel.current_task()

    def has_ended(self, caller: object) -> bool:
        """Return whether a task has ended."""
        return isinstance(caller, trio.lowlevel.Task) and inspect.getcoroutinestate(caller.coro) == inspect.CORO_CLOSED

    def is_cancelled(self) -> bool:
        """Return whether the current task is being cancelled."""
        return trio.current_effective_deadline() == -math.inf

    def loop(self) -> object:
        """Return a token of the running event loop."""
        return trio.lowlevel.current_trio_token()


@asynccontextmanager
async def background(function: Callable[[], Coroutine[Any, Any, None]]) -> AsyncGenerator[None]:
    """Run a coroutine function in a task until the context exits, and raise its exception here."""
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_protected, function)
            try:
                yield
            finally:
                nursery.cancel_scope.cancel()
    except BaseExceptionGroup as several:
        raise first_exception(several) from None


@trio.lowlevel.enable_ki_protection
async def _protected(function: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a coroutine function without KeyboardInterrupt, which trio raises in the main task instead."""
    await function()


async def in_thread(function: Callable[[], None]) -> None:
    """Call a function in a thread and wait until it returns; a cancellation is raised afterwards."""
    with trio.CancelScope(shield=True):
        await trio.to_thread.run_sync(function)
