"""Transport over h11 and trio's streams."""

from __future__ import annotations

import functools
import logging
import math
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import h11
import trio
from influx_proto.adapter import Headers, Request, Response, Settings, Timeout, no_free_connection, pool_wait

from ._connect import connect
from ._connection import Connection
from ._errors import LIBRARY_ERRORS, first_exception, map_exception
from ._pool import NoFreeConnectionError, Pool
from ._watchdog import Watchdog

_log = logging.getLogger("influx_trio")


class TrioTransport:
    """Sends requests over a pool of connections."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._context = settings.tls.context(ssl.create_default_context) if settings.server.ssl else None
        self._pool = Pool()
        self._watchdog = Watchdog()
        #: The core adds a `Host` without the zone of an IPv6 address.
        self._host = () if "%" in settings.server.host else (("Host", settings.server.netloc),)
        #: h11 checks each header of a request; small writes repeat the same head.
        self._make_head = functools.lru_cache(maxsize=64)(_make_head)

    def open(self, request: Request) -> AbstractAsyncContextManager[Response[AsyncIterator[bytes]]]:
        """Send a request and return its response, whose body arrives while it is read."""
        return _Exchange(self, request)

    async def send(self, request: Request) -> tuple[Connection, Response[AsyncIterator[bytes]]]:
        """Send a request; return its connection and response. Call `release` when the exchange has ended."""
        settings, timeout = self._settings, request.timeout
        if self._watchdog.is_new_run():
            self._pool.close_idle()  # their idle times are on the clock of another run
        deadline = math.inf if timeout.total is None else trio.current_time() + timeout.total
        wait = pool_wait(timeout)

        async def open_connection() -> Connection:
            connected_by = math.inf if timeout.connect is None else trio.current_time() + timeout.connect
            with trio.fail_at(min(connected_by, deadline)):
                connection = await connect(settings, self._context, self._watchdog)
            _log.debug("connected to %s", settings.address)
            return connection

        try:
            connection = await self._pool.acquire(open_connection, math.inf if wait is None else wait)
        except NoFreeConnectionError as error:
            raise no_free_connection(settings.address, timeout) from error
        except LIBRARY_ERRORS as error:
            raise map_exception(error, settings, timeout, deadline) from error
        try:
            try:
                response = await connection.exchange(self._head(request), request, deadline)
            except LIBRARY_ERRORS as error:
                if connection.was_used and not connection.received:
                    self._pool.close_idle()  # after a restart of a proxy or a suspension, the others are broken, too
                raise map_exception(error, settings, timeout, deadline, connection) from error
        except BaseException:
            self.release(connection)
            raise
        body = _Body(connection, settings, timeout, deadline)
        return connection, Response(response.status_code, Headers(response.headers.raw_items()), body)

    def release(self, connection: Connection) -> None:
        """Release the connection of an exchange that has ended."""
        self._pool.release(connection)

    sleep = staticmethod(trio.sleep)
    now = staticmethod(trio.current_time)
    time_ns = staticmethod(time.time_ns)

    @trio.lowlevel.enable_ki_protection
    async def aclose(self) -> None:
        """Close the idle connections; those in use are closed when their exchange ends."""
        self._pool.close()
        self._watchdog.close()
        await trio.lowlevel.checkpoint()

    def _head(self, request: Request) -> h11.Request:
        server, proxy = self._settings.server, self._settings.proxy
        target, headers = request.target, request.headers
        if proxy is not None and not server.ssl:  # without a tunnel the proxy needs the whole URL
            target = server.origin + target
            headers += tuple(proxy.headers.items())
        size = 0 if request.method == "GET" else request.size
        return self._make_head(request.method, target, self._host + headers, size)


def _make_head(method: str, target: str, headers: tuple[tuple[str, str], ...], size: int | None) -> h11.Request:
    """Return the head of a request; without a size its body is sent in chunks."""
    if size is None:
        headers += (("Transfer-Encoding", "chunked"),)
    elif method != "GET":
        headers += (("Content-Length", str(size)),)
    return h11.Request(method=method, target=target, headers=list(headers))


async def _completed() -> None:
    pass


class _Exchange:
    """Context manager of one request and its response; a generator would slow small writes down by a tenth.

    Trio raises KeyboardInterrupt at any line of the main task. Protected code raises it only where it waits, like a
    cancellation, so the pool stays consistent.
    """

    def __init__(self, transport: TrioTransport, request: Request) -> None:
        self._transport = transport
        self._request = request
        self._connection: Connection | None = None

    @trio.lowlevel.enable_ki_protection
    async def __aenter__(self) -> Response[AsyncIterator[bytes]]:
        try:
            self._connection, response = await self._transport.send(self._request)
        except BaseExceptionGroup as several:  # raised by a nursery if KeyboardInterrupt or a cancellation ends it
            raise first_exception(several) from None
        return response

    # Not a coroutine function: an interruption before the first step of its coroutine would keep the connection.
    @trio.lowlevel.enable_ki_protection
    def __aexit__(self, *_: object) -> Any:  # a coroutine, whose type mypy and pyright call by different names
        self._release()
        return _completed()

    def __del__(self) -> None:
        """Release the connection if an interruption came before the block was entered."""
        if self._connection is not None and trio.lowlevel.in_trio_run():
            self._release()

    def _release(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._transport.release(connection)


class _Body:
    """Iterator over the chunks of a response's body as they arrive; unlike a generator it needs no closing."""

    def __init__(self, connection: Connection, settings: Settings, timeout: Timeout, deadline: float) -> None:
        self._connection = connection
        self._context = (settings, timeout, deadline)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    @trio.lowlevel.enable_ki_protection
    async def __anext__(self) -> bytes:
        try:
            chunk = await self._connection.receive()
        except LIBRARY_ERRORS as error:
            raise map_exception(error, *self._context, self._connection) from error
        if not chunk:
            raise StopAsyncIteration
        return chunk
