"""Protocols that adapters implement: transports, signals, background tasks and the files of a spool."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any, Protocol, TypeAlias

from .._errors import TransportError
from .._http.messages import Request, Response
from .._http.timeout import Timeout

#: Maximum number of connections of a client; further requests wait for a free one.
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


#: The 4xx statuses of a proxy that may be temporary.
_TEMPORARY = frozenset({408, 425, 429})


def proxy_rejected(address: str, status: int, reason: str) -> TransportError:
    """Return the error for a proxy that rejects a `CONNECT`; a retry cannot succeed after most of the 4xx.

    Args:
        address: `settings.address`.
        status: the status of the proxy's response.
        reason: its reason phrase.
    """
    msg = f"cannot connect to {address}: the proxy responded with HTTP {status} {reason}".rstrip()
    is_temporary = not 400 <= status < 500 or status in _TEMPORARY
    return TransportError(msg, maybe_received=False, retryable=is_temporary)


class Clock(Protocol):
    """The clocks of an adapter; every transport implements them."""

    def now(self) -> float:
        """Return the time of a monotonic clock, in seconds."""
        ...

    def time_ns(self) -> int:
        """Return the time of day, in nanoseconds since 1970 in UTC."""
        ...


class Transport(Clock, Protocol):
    """Sends the requests of a sync client."""

    def open(self, request: Request, /) -> AbstractContextManager[Response[Iterator[bytes]]]:
        """Return a context manager that sends the request, yields the response, and releases the connection on exit."""
        ...

    def sleep(self, seconds: float, /) -> None:
        """Wait for a number of seconds."""
        ...

    def close(self) -> None:
        """Close the connections; afterwards `open` raises `RuntimeError`."""
        ...


class AsyncTransport(Clock, Protocol):
    """Sends the requests of an async client."""

    def open(self, request: Request, /) -> AbstractAsyncContextManager[Response[AsyncIterator[bytes]]]:
        """Return a context manager that sends the request, yields the response, and releases the connection on exit."""
        ...

    async def sleep(self, seconds: float, /) -> None:
        """Wait for a number of seconds."""
        ...

    async def aclose(self) -> None:
        """Close the connections; afterwards `open` raises `RuntimeError`."""
        ...


class Threads(Protocol):
    """Lock and identity of the threads that share a batch writer."""

    @property
    def lock(self) -> AbstractContextManager[object]:
        """A reentrant lock that a `with` statement acquires and releases in C, such as a `threading.RLock`."""
        ...

    def holds_lock(self) -> bool:
        """Return whether the current thread holds the lock."""
        ...

    def caller(self) -> object:
        """Return the current thread, as an object that supports weak references."""
        ...

    def has_ended(self, caller: object, /) -> bool:
        """Return whether a thread has ended."""
        ...


class AsyncSignal(Protocol):
    """A notification that wakes all waiting tasks."""

    def notify(self) -> None:
        """Wake all waiting tasks."""
        ...

    async def wait(self, seconds: float | None) -> None:
        """Wait until `notify` is called or the seconds have passed."""
        ...

    def caller(self) -> object:
        """Return the current task, as an object that supports weak references."""
        ...

    def has_ended(self, caller: object, /) -> bool:
        """Return whether a task has ended."""
        ...

    def is_cancelled(self) -> bool:
        """Return whether the current task is being cancelled."""
        ...

    def loop(self) -> object:
        """Return the running event loop."""
        ...


def is_interruption(error: BaseException, signal: AsyncSignal) -> bool:
    """Return whether an exception ends the current task.

    In asyncio, a function of the caller may raise the cancellation of another task whose result it requested. The
    current task must then continue like after any other error of that function.
    """
    if isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit):
        return True
    return not isinstance(error, Exception) and signal.is_cancelled()


#: Returns a context manager that runs a coroutine function in a background task, and cancels the task on exit.
Background: TypeAlias = Callable[[Callable[[], Coroutine[Any, Any, None]]], AbstractAsyncContextManager[object]]

#: Runs a blocking function in a thread, and returns only after the function has. If the caller is cancelled, before or
#: meanwhile, the function still runs to its end, and the cancellation is raised afterwards.
InThread: TypeAlias = Callable[[Callable[[], None]], Awaitable[None]]


class SpoolFiles(Protocol):
    """Files of a spool directory, by name. Every method may raise OSError."""

    def lock(self) -> None:
        """Create the directory if it does not exist, and lock it; raises BlockingIOError if it is already locked."""
        ...

    def unlock(self) -> None:
        """Unlock the directory if it is locked; does not block."""
        ...

    def names(self) -> list[str]:
        """Return the names of the files in the directory."""
        ...

    def sizes(self, names: Iterable[str]) -> dict[str, int]:
        """Return the sizes of those of the files that exist, in bytes."""
        ...

    def read(self, name: str) -> bytes:
        """Return the contents of a file."""
        ...

    def append(self, name: str, data: bytes, *, sync: bool) -> None:
        """Append all bytes to a file, and create it if it does not exist; with `sync`, call `fsync`."""
        ...

    def truncate(self, name: str, size: int) -> None:
        """Truncate a file to a size in bytes."""
        ...

    def rename(self, name: str, to: str) -> None:
        """Rename a file."""
        ...

    def delete(self, name: str) -> None:
        """Delete a file."""
        ...
