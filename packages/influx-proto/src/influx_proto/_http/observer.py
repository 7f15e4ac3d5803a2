"""Notifications of exchanges and retries: records for an `Observer`, and debug messages in the log."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Self, cast

if TYPE_CHECKING:
    from logging import Logger

    from .._errors import InfluxDBError

_DEBUG = 10  # `logging.DEBUG`


class Exchange:
    """One attempt at a request, and its response, without headers and bodies, which may contain secrets.

    Attributes:
        server: the server as error messages name it: host and port, or the path of a Unix socket.
        method: `GET`, `POST`, `PUT`, `PATCH` or `DELETE`.
        target: path and query string, percent-encoded.
        attempt: 1 for the first attempt at a request, 2 for the next.
        sent: length of the request's body in bytes; None for a streamed body.
        status: the HTTP status; None until it arrives.
        received: number of bytes of the response's body received so far, before decompression.
        seconds: duration up to the end of the response; 0 until then.
        error: the exception that ended the exchange, also for an error that the response reports; None otherwise.
        note: free for the observer to store its own data for this exchange, such as a span.
    """

    __slots__ = (
        "_is_observed", "_now", "_started_at", "_watch", "attempt", "error", "method", "note", "received", "seconds",
        "sent", "server", "status", "target",
    )  # fmt: skip

    def __init__(
        self, method: str, target: str, size: int | None, watch: Watch | None, now: Callable[[], float], attempt: int
    ) -> None:
        self._now = now
        self._watch = watch
        self.server = "" if watch is None else watch.server
        self.method = method
        self.target = target
        self.attempt = attempt
        self.sent = size
        self.status: int | None = None
        self.received = 0
        self.seconds = 0.0
        self.error: BaseException | None = None
        self.note: Any = None

    @property
    def operation(self) -> str:
        """The operation: `ping`, `write`, `query`, or the endpoint of another API, such as `query_sql` or `buckets`."""
        return operation(self.target)

    def __enter__(self) -> Self:
        self._is_observed = self._watch is not None or ("logging" in sys.modules and _logger().isEnabledFor(_DEBUG))
        if self._is_observed:
            self._started_at = self._now()
        if self._watch is not None:
            self._watch.notify("started", self)
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if not self._is_observed:
            return
        self.seconds = self._now() - self._started_at
        self.error = error
        if self._watch is not None:
            self._watch.notify("ended", self)
        if (log := logger()) is not None:
            log.debug("%r", self)

    def __repr__(self) -> str:
        if self.status is not None:
            outcome = f"HTTP {self.status}"
        else:
            outcome = "no response" if self.error is None else f"no response ({type(self.error).__name__})"
        sent = "a stream" if self.sent is None else self.sent
        duration = f"in {self.seconds * 1000:.1f} ms"
        return f"{self.method} {self.target}: {outcome} {duration}, bytes sent: {sent}, received: {self.received}"


@dataclass(frozen=True, slots=True)
class Retry:
    """A retry of a request that is about to happen."""

    #: The server as error messages name it: host and port, or the path of a Unix socket.
    server: str
    #: The operation, as in `Exchange`.
    operation: str
    #: The error of the attempt that failed.
    error: InfluxDBError
    #: The number of the attempt that failed, as in `Exchange`. Unlike for `RetryPolicy`, an attempt over an idle
    #: connection that the server had closed counts.
    attempt: int
    #: Backoff in seconds until the next attempt.
    wait: float


class Observer:
    """Receives notifications of a client's requests: `InfluxDBClient(..., observer=MyObserver())`.

    Subclass it and override the methods you need. They run in the thread or task that waits for the exchange and delay
    it, so they should be fast. Exceptions they raise are logged and otherwise ignored.
    """

    def started(self, exchange: Exchange, /) -> None:
        """Called before a request is sent."""

    def ended(self, exchange: Exchange, /) -> None:
        """Called when the response has been read or the request has failed; for a stream, on exit."""

    def retrying(self, retry: Retry, /) -> None:
        """Called when an attempt has failed and another will follow."""


class Watch:
    """An observer together with the name of the observed server."""

    def __init__(self, observer: Observer, server: str) -> None:
        self._observer = observer
        self.server = server

    def notify(self, method: str, event: Exchange | Retry) -> None:
        """Call a method of the observer; log its exceptions."""
        try:
            getattr(self._observer, method)(event)
        except Exception:  # an observer must not change the outcome of the request
            import logging  # noqa: PLC0415 - imported only when it is needed

            logging.getLogger("influx_proto").exception("%r failed in %s", self._observer, method)


def operation(target: str) -> str:
    """Return the operation of a request target: the last part of the path, but not the ID of a bucket."""
    path, _, name = target.partition("?")[0].rpartition("/")
    return "buckets" if path.endswith("/api/v2/buckets") else name


def logger() -> Logger | None:
    """Return the logger, or None if the program has not imported `logging` and so has no handlers."""
    return None if "logging" not in sys.modules else _logger()


@cache
def _logger() -> Logger:
    return cast("Logger", sys.modules["logging"].getLogger("influx_proto"))
