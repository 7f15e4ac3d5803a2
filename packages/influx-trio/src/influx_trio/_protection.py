"""Protection from KeyboardInterrupt, which trio otherwise raises at any line of the main task."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

import trio

MethodT = TypeVar("MethodT", bound=Callable[..., Awaitable[Any]])


def protected(method: MethodT) -> MethodT:
    """Return a coroutine method in which KeyboardInterrupt is raised only where it waits, like a cancellation."""

    @functools.wraps(method)
    @trio.lowlevel.enable_ki_protection
    async def call(*args: Any, **kwargs: Any) -> Any:
        return await method(*args, **kwargs)

    return cast("MethodT", call)
