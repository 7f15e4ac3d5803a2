"""Protection from KeyboardInterrupt, which trio otherwise raises at any line of the main task."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, TypeVar

import trio

P = ParamSpec("P")
T = TypeVar("T")
SelfT = TypeVar("SelfT")


def protected(
    method: Callable[Concatenate[SelfT, P], Awaitable[T]],
) -> Callable[Concatenate[SelfT, P], Coroutine[Any, Any, T]]:
    """Return a coroutine method in which KeyboardInterrupt is raised only where it waits, like a cancellation."""

    @trio.lowlevel.enable_ki_protection
    async def call(self: SelfT, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await method(self, *args, **kwargs)

    return functools.wraps(method)(call)
