"""Timeouts of requests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, overload

from .._checks import check_seconds


@dataclass(frozen=True, slots=True)
class Timeout:
    """Timeouts of a request in seconds; None waits indefinitely.

    A response that keeps arriving may take any time unless `total` is set.
    """

    #: For connecting: name resolution, TCP, the proxy's response to `CONNECT`, and TLS. `influx_requests` applies it to
    #: each address of the host, without name resolution.
    connect: float | None = 10.0
    #: For each wait for the server: before the first chunk of the response, and between two chunks.
    idle: float | None = 120.0
    #: For one attempt, from the wait for a free connection to the end of the response; with the time that the reader of
    #: a stream spends on its items.
    total: float | None = None
    #: For a free connection, if as many as a client may open are in use.
    pool: float | None = 120.0

    def __post_init__(self) -> None:
        for name in ("connect", "idle", "total", "pool"):
            if (value := getattr(self, name)) is not None:
                check_seconds(name, value, is_positive=True)


#: What arguments accept as timeout, see `as_timeout`.
TimeoutLike: TypeAlias = float | tuple[float | None, float | None] | Timeout


@overload
def as_timeout(timeout: None) -> None: ...
@overload
def as_timeout(timeout: TimeoutLike) -> Timeout: ...
def as_timeout(timeout: TimeoutLike | None) -> Timeout | None:
    """Return the timeout that an argument stands for.

    A number of seconds sets every limit except `total`. A pair sets `connect` and `idle`, as in requests.
    """
    if timeout is None or isinstance(timeout, Timeout):
        return timeout
    if isinstance(timeout, tuple):
        if len(timeout) != 2:
            raise ValueError(f"timeout: a tuple must be (connect, idle), not {len(timeout)} values")
        return Timeout(connect=timeout[0], idle=timeout[1])
    value = check_seconds("timeout", timeout, is_positive=True)
    return Timeout(connect=value, idle=value, pool=value)
