"""What an adapter supplies so that something runs in the background: signals, tasks and threads."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeAlias

__all__ = ["AsyncSignal", "Background", "InThread", "Signal"]


class Signal(Protocol):
    """A lock, and a bell that wakes all who wait for it."""

    def __enter__(self) -> object: ...
    def __exit__(self, *_: object) -> None: ...
    def notify(self) -> None:
        """Wake all who wait; the lock is held."""
        ...

    def wait(self, seconds: float | None) -> None:
        """Let go of the lock until somebody notifies, or for so many seconds; take it again."""
        ...

    def caller(self) -> object:
        """Return the current thread, as an object that can be referred to weakly."""
        ...

    def has_ended(self, caller: object, /) -> bool:
        """Return whether a thread has ended."""
        ...


class AsyncSignal(Protocol):
    """A bell that wakes all who wait for it."""

    def notify(self) -> None:
        """Wake all who wait."""
        ...

    async def wait(self, seconds: float | None) -> None:
        """Wait until somebody notifies, or for so many seconds."""
        ...

    def caller(self) -> object:
        """Return the current task, as an object that can be referred to weakly."""
        ...

    def has_ended(self, caller: object, /) -> bool:
        """Return whether a task has ended."""
        ...


#: Runs something beside the caller while its context is open, and ends it on leaving.
Background: TypeAlias = Callable[[Callable[[], Coroutine[Any, Any, None]]], AbstractAsyncContextManager[object]]

#: Calls a function where it may block, and returns when it has returned, never before. Who is cancelled meanwhile is so
#: afterwards; who was before gets it done all the same.
InThread: TypeAlias = Callable[[Callable[[], None]], Awaitable[None]]
