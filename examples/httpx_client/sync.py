"""The client for sync code, over `httpx.HTTPTransport`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Self

import httpx
from influx_proto.adapter import Client, Request, Response, Settings

from .shared import (
    LIBRARY_ERRORS,
    USER_AGENT,
    ConcurrentSender,
    RequestTracker,
    httpx_request,
    map_exception,
    pool_options,
    response_headers,
)


class HTTPXTransport:
    """Sends requests through a pool of httpx, without its redirects, cookies and logging."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pool = httpx.HTTPTransport(**pool_options(settings))
        self._in_flight = ConcurrentSender()

    @contextmanager
    def open(self, request: Request) -> Generator[Response[Iterator[bytes]]]:
        """Send a request; yield its response as soon as status and headers have arrived."""
        if request.timeout.total is not None:
            raise NotImplementedError("timeout: this client has no total; use connect and idle")
        tracker = RequestTracker(self._settings)

        @contextmanager
        def mapped() -> Generator[None]:
            try:
                yield
            except LIBRARY_ERRORS as error:
                raise map_exception(error, self._settings, request.timeout, tracker) from error

        self._in_flight.begin()
        try:
            with mapped():
                sent = httpx_request(request, self._settings, _RequestBody(request), tracker.trace)
                response = self._pool.handle_request(sent)
            tracker.has_response = True
            try:
                yield Response(response.status_code, response_headers(response), _ResponseBody(response, mapped))
            finally:
                response.close()  # keeps the connection if the body was read to its end
        finally:
            if self._in_flight.end():
                self._pool.close()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    def now(self) -> float:
        """Read the monotonic clock."""
        return time.monotonic()

    def time_ns(self) -> int:
        """Read the time of day."""
        return time.time_ns()

    def close(self) -> None:
        """Close the pool, when the requests in flight in other threads have ended."""
        if self._in_flight.close():
            self._pool.close()


class _RequestBody(httpx.SyncByteStream):
    """The chunks of a request's body."""

    def __init__(self, request: Request) -> None:
        self._body = request.body

    def __iter__(self) -> Iterator[bytes]:
        return iter([self._body] if isinstance(self._body, bytes) else self._body)


class _ResponseBody:
    """The chunks of a response's body as they arrive."""

    def __init__(self, response: httpx.Response, mapped: Callable[[], AbstractContextManager[None]]) -> None:
        self._chunks = response.iter_raw()
        self._mapped = mapped

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        with self._mapped():
            return next(self._chunks)


class Threads:
    """Lock and identity of the threads that share a batch writer."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._condition = threading.Condition(self.lock)

    def holds_lock(self) -> bool:
        """Return whether the current thread holds the lock."""
        try:
            self._condition.notify()  # it raises otherwise
        except RuntimeError:
            return False
        return True

    def caller(self) -> threading.Thread:
        """Return the current thread."""
        return threading.current_thread()

    def has_ended(self, caller: object) -> bool:
        """Return whether a thread has ended."""
        return isinstance(caller, threading.Thread) and not caller.is_alive()


def start(function: Callable[[], None]) -> None:
    """Run a function in a daemon thread, which does not keep the program from exiting."""
    threading.Thread(target=function, name="influxdb batch writer", daemon=True).start()


class InfluxDBClient(Client[None]):
    """A client for InfluxDB in sync code, over httpx."""

    user_agent = USER_AGENT

    def _make_transport(self, settings: Settings, session: None) -> HTTPXTransport:
        if session is not None:
            raise TypeError("session: this client keeps its own connections")
        if settings.unix_socket is not None:
            raise NotImplementedError("unix_socket: httpx leaves the socket open if it cannot connect")
        return HTTPXTransport(settings)

    def _background(self) -> tuple[Threads, Callable[[Callable[[], None]], None]]:
        return Threads(), start
