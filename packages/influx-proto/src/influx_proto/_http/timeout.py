"""How long to wait for a server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import overload


@dataclass(frozen=True, slots=True)
class Timeout:
    """How long to wait for a server, in seconds; None waits for ever.

    A long answer that keeps coming is not cut unless `total` is given.
    """

    #: To reach the server: name lookup, TCP, a proxy's consent and TLS.
    connect: float | None = 10.0
    #: Between two pieces of an answer, the first included.
    idle: float | None = 120.0
    #: For one attempt from beginning to end.
    total: float | None = None
    #: For a free connection, if as many as a client may open are in use.
    pool: float | None = 120.0

    def __post_init__(self) -> None:
        for name in ("connect", "idle", "total", "pool"):
            seconds: object = getattr(self, name)
            if seconds is None:
                continue
            if not isinstance(seconds, (int, float)) or isinstance(seconds, bool) or not seconds > 0:
                msg = f"timeout: {name} must be a positive number of seconds or None, not {seconds!r}"
                raise ValueError(msg)


@overload
def as_timeout(timeout: None) -> None: ...
@overload
def as_timeout(timeout: float | Timeout) -> Timeout: ...
def as_timeout(timeout: float | Timeout | None) -> Timeout | None:
    """Return the timeout that a number of seconds stands for: every limit except `total`."""
    if timeout is None or isinstance(timeout, Timeout):
        return timeout
    return Timeout(connect=timeout, idle=timeout, pool=timeout)
