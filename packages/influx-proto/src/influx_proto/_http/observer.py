"""What is told of every exchange: to the log at its debug level, and to an observer of the caller's."""

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
    """One request and its answer. Never a header or a body, which may hold secrets.

    Attributes:
        server: host and port, or what else is meant by the server in an error's text.
        method: `GET` or `POST`.
        target: path and query string, percent-encoded.
        attempt: 1 for the first attempt of a request, 2 for the next.
        sent: the length of the request's body in bytes; None for a body that is sent as it is made.
        status: the HTTP status; None before there is one.
        received: bytes of the answer's body so far, as they came over the wire.
        seconds: how long it took, to the end of the answer; 0 before.
        error: what it ended with. A refusal of the server that is read in the answer is one as well.
        note: for an observer to keep what belongs to this exchange, such as a span.
    """

    __slots__ = (
        "_began", "_listens", "_now", "_watch", "attempt", "error", "method", "note", "received", "seconds", "sent",
        "server", "status", "target",
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
        """What was asked for: `ping`, `write` or `query`."""
        return operation(self.target)

    def __enter__(self) -> Self:
        log = logger()
        self._listens = self._watch is not None or (log is not None and log.isEnabledFor(_DEBUG))
        if self._listens:
            self._began = self._now()
        if self._watch is not None:
            self._watch.notify("started", self)
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if not self._listens:
            return
        self.seconds = self._now() - self._began
        self.error = error
        if self._watch is not None:
            self._watch.notify("ended", self)
        if (log := logger()) is not None:
            log.debug("%r", self)

    def __repr__(self) -> str:
        if self.status is not None:
            outcome = f"HTTP {self.status}"
        else:
            outcome = "no answer" if self.error is None else f"no answer ({type(self.error).__name__})"
        sent = "a stream" if self.sent is None else self.sent
        took = f"in {self.seconds * 1000:.1f} ms, bytes sent: {sent}, received: {self.received}"
        return f"{self.method} {self.target}: {outcome} {took}"


@dataclass(frozen=True, slots=True)
class Retry:
    """That a request is tried again: which, why, and when."""

    #: Host and port, or what else is meant by the server in an error's text.
    server: str
    #: `ping`, `write` or `query`.
    operation: str
    error: InfluxDBError
    #: The number of the attempt that failed, as `Exchange` has it. An attempt over a kept connection that the server
    #: had closed counts as well, which it does not for a `RetryPolicy`.
    attempt: int
    #: Seconds until the next one.
    wait: float


class Observer:
    """Is told what a client does: `InfluxDBClient(..., observer=MyObserver())`. Override what you want to know.

    The methods are called in the thread or task that waits for the exchange, and hold it up, so they should be quick.
    What they raise is logged, and stops nothing.
    """

    def started(self, exchange: Exchange, /) -> None:
        """A request is about to be sent."""

    def ended(self, exchange: Exchange, /) -> None:
        """Its answer has been read, or will not be; of a stream, when it is left."""

    def retrying(self, retry: Retry, /) -> None:
        """An attempt has failed, and another follows."""


class Watch:
    """An observer, and the server that is observed."""

    def __init__(self, observer: Observer, server: str) -> None:
        self._observer = observer
        self.server = server

    def notify(self, what: str, about: Exchange | Retry) -> None:
        """Call the observer."""
        try:
            getattr(self._observer, what)(about)
        except Exception:  # to watch must not change what happens
            import logging  # noqa: PLC0415 - nobody needed it so far

            logging.getLogger("influx_proto").exception("%r failed in %s", self._observer, what)


def operation(target: str) -> str:
    """Return the operation that a request's target names: `ping`, `write` or `query`."""
    return target.partition("?")[0].rpartition("/")[2]


def logger() -> Logger | None:
    """Give the logger; None where nobody has imported `logging`, and so nobody listens."""
    return None if "logging" not in sys.modules else _logger()


@cache
def _logger() -> Logger:
    return cast("Logger", sys.modules["logging"].getLogger("influx_proto"))
