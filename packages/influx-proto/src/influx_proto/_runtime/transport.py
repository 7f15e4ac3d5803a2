"""What an adapter supplies: transports, and what runs in the background."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any, Protocol, TypeAlias

from .._errors import TransportError
from .._http.messages import Request, Response
from .._http.timeout import Timeout

#: How many connections a client has at the most; further requests wait for one to be free.
MAX_CONNECTIONS = 100


def pool_wait(timeout: Timeout) -> float | None:
    """Return how many seconds a request may wait for a free connection; None waits indefinitely."""
    return min((seconds for seconds in (timeout.pool, timeout.total) if seconds is not None), default=None)


def no_free_connection(address: str, timeout: Timeout, limit: int = MAX_CONNECTIONS) -> TransportError:
    """Return the error for a request that waited for a free connection until `pool_wait` expired.

    Args:
        address: `settings.address`.
        timeout: that of the request.
        limit: how many connections there may be; other requests and streams use all of them.
    """
    seconds = pool_wait(timeout)
    name = "pool" if seconds == timeout.pool else "total"
    msg = (
        f"no free connection to {address} within {seconds} s: {limit} of {limit} connections are in use; "
        f"exit streams before other calls, make fewer calls at a time, or increase Timeout.{name}"
    )
    return TransportError(msg, maybe_received=False)


class Clock(Protocol):
    """The clocks of an adapter; every transport is one."""

    def now(self) -> float:
        """Read a monotonic clock, in seconds."""
        ...

    def time_ns(self) -> int:
        """Read the time of day, in nanoseconds since 1970 in UTC."""
        ...


class Transport(Clock, Protocol):
    """What a blocking adapter supplies: the way to a server."""

    def open(self, request: Request, /) -> AbstractContextManager[Response[Iterator[bytes]]]:
        """Send a request; give status, headers and body as they arrive, and let go of the connection on leaving."""
        ...

    def sleep(self, seconds: float, /) -> None:
        """Wait."""
        ...

    def close(self) -> None:
        """Close what was opened; afterwards `open` raises."""
        ...


class AsyncTransport(Clock, Protocol):
    """What an awaiting adapter supplies: the way to a server."""

    def open(self, request: Request, /) -> AbstractAsyncContextManager[Response[AsyncIterator[bytes]]]:
        """Send a request; give status, headers and body as they arrive, and let go of the connection on leaving."""
        ...

    async def sleep(self, seconds: float, /) -> None:
        """Wait."""
        ...

    async def aclose(self) -> None:
        """Close what was opened; afterwards `open` raises."""
        ...


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
