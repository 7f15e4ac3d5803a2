"""What batch writers run in the background: a task, a condition to wait for, and calls in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any


class Signal:
    """Condition that wakes all tasks waiting for it."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def notify(self) -> None:
        """Wake all waiting tasks."""
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self, seconds: float | None) -> None:
        """Wait for `notify`, at most for the given seconds."""
        event = self._event
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            pass

    def caller(self) -> object:
        """Return the current task."""
        return asyncio.current_task()

    def has_ended(self, caller: object) -> bool:
        """Return whether a task has ended."""
        return isinstance(caller, asyncio.Task) and caller.done()

    def is_cancelled(self) -> bool:
        """Return whether the current task is being cancelled."""
        task = asyncio.current_task()
        return task is not None and task.cancelling() > 0

    def loop(self) -> object:
        """Return the running event loop."""
        return asyncio.get_running_loop()


@asynccontextmanager
async def background(function: Callable[[], Coroutine[Any, Any, None]]) -> AsyncGenerator[None]:
    """Run a coroutine function in a task until the context exits, and raise its exception here."""
    try:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(function())
            try:
                yield
            finally:
                task.cancel()
    except BaseExceptionGroup as several:
        raise _first(several) from None


def _first(error: BaseException) -> BaseException:
    """Return the first exception of a group; callers of a client do not expect groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def in_thread(function: Callable[[], None]) -> None:
    """Call a function in a thread and wait until it returns; a cancellation is raised afterwards."""
    done = asyncio.get_running_loop().run_in_executor(None, function)
    cancelled: asyncio.CancelledError | None = None
    while not done.done():
        try:
            await asyncio.wait([done])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled from done.exception()
    done.result()
