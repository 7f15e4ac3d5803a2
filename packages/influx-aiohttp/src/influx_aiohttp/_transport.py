"""Transport over aiohttp."""

from __future__ import annotations

import asyncio
import functools
import logging
import math
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any

import aiohttp
from influx_proto.adapter import (
    MAX_CONNECTIONS,
    Headers,
    Request,
    Response,
    Settings,
    Timeout,
    no_free_connection,
    pool_wait,
)
from yarl import URL

from ._errors import LIBRARY_ERRORS, is_parser_error, map_exception
from ._tracking import RequestTracker, TCPConnector, UnixConnector, is_small

_log = logging.getLogger("influx_aiohttp")

#: Seconds after which an idle connection is closed: before most servers and firewalls close it.
_KEEP_ALIVE = 60.0
#: InfluxDB puts the text of an error into a header, and proxies add their own.
_MAX_HEADER = 64 * 1024


class AiohttpTransport:
    """Sends requests through an `aiohttp.ClientSession`, which it creates when it is first needed."""

    def __init__(self, settings: Settings, session: aiohttp.ClientSession | None) -> None:
        self._settings = settings
        self._is_own = session is None
        self._session = session
        self._context = (
            settings.tls.context(ssl.create_default_context) if settings.server.ssl and self._is_own else None
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._in_flight = 0
        #: aiohttp's own limit would count the wait for a free connection as a part of connecting.
        self._slots = asyncio.Semaphore(MAX_CONNECTIONS) if self._is_own else None
        #: Whether our connector reports connections, which the first response shows.
        self._is_tracking = False
        self._closed = False
        proxy = settings.proxy
        #: Arguments for a proxy. A request without TLS authenticates to the proxy itself.
        self._proxy: dict[str, Any] = {} if proxy is None else {"proxy": proxy.url, "proxy_headers": proxy.headers}
        self._headers = tuple(proxy.headers.items()) if proxy is not None and not settings.server.ssl else ()
        self._origin = settings.server.origin

    def open(self, request: Request) -> AbstractAsyncContextManager[Response[AsyncIterator[bytes]]]:
        """Send a request and return its response, whose body arrives while it is read."""
        return _Exchange(self, request, self._settings)

    async def send(self, request: Request) -> tuple[aiohttp.ClientResponse, RequestTracker]:
        """Send a request; return its response and its tracker. Call `release` when the exchange has ended."""
        session = self._usable_session()
        timeout = request.timeout
        total = await self._acquire(timeout)
        began = time.monotonic()
        timeout_scope = asyncio.timeout(None)
        tracker = RequestTracker(timeout.idle, timeout_scope)
        headers, data = tracker.encode_body(request.body)
        try:
            async with timeout_scope:
                response = await session.request(
                    request.method,
                    URL(self._origin + request.target, encoded=True),  # yarl would encode parts of it again
                    headers=request.headers + headers + self._headers,
                    data=data,
                    allow_redirects=False,
                    auto_decompress=False,
                    raise_for_status=False,  # the caller's session may be configured otherwise
                    timeout=self._client_timeout(timeout, total),
                    **self._proxy,
                )
        except BaseException as error:
            await self.release()
            if self._has_waited_for_pool(error, timeout, began):
                raise no_free_connection(self._settings.address, timeout, self._session_limit()) from error
            if isinstance(error, LIBRARY_ERRORS) or (isinstance(error, Exception) and is_parser_error(error)):
                if tracker.was_idle and isinstance(session.connector, TCPConnector | UnixConnector):
                    # After a restart of a proxy or a suspension of this machine, the others are broken, too.
                    session.connector.replace_connections()
                raise map_exception(error, self._settings, timeout, timeout_scope, tracker) from error
            raise
        finally:
            tracker.stop_idle_timeout()
        if not self._is_tracking and self._is_own:
            self._check_tracking(tracker)
        return response, tracker

    async def release(self) -> None:
        """Release the connection of an exchange that has ended."""
        if self._slots is not None:
            self._slots.release()
        self._in_flight -= 1
        if self._closed:
            await self._close_when_idle()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)

    now = staticmethod(time.monotonic)
    time_ns = staticmethod(time.time_ns)

    async def aclose(self) -> None:
        """Close the session, unless it is the caller's: now, or when the requests in flight have ended."""
        self._closed = True
        await self._close_when_idle()

    async def _acquire(self, timeout: Timeout) -> float | None:
        """Wait until a connection may be used; return the time that remains for the attempt."""
        self._in_flight += 1
        total = timeout.total
        if self._slots is None:
            return total
        began = time.monotonic()
        try:
            if self._in_flight <= MAX_CONNECTIONS:  # each of them needs one slot at most, so one is free
                await self._slots.acquire()
                return total
            async with asyncio.timeout(pool_wait(timeout)):
                await self._slots.acquire()
        except BaseException as error:
            self._in_flight -= 1
            await self._close_when_idle()
            if isinstance(error, TimeoutError):
                raise no_free_connection(self._settings.address, timeout) from error
            raise
        return None if total is None else max(total - (time.monotonic() - began), 0.001)

    def _client_timeout(self, timeout: Timeout, total: float | None) -> aiohttp.ClientTimeout:
        connect = timeout.connect if self._is_own else _sum(timeout.pool, timeout.connect)
        return _client_timeout(connect, timeout.connect, None if self._is_tracking else timeout.idle, total)

    def _has_waited_for_pool(self, error: BaseException, timeout: Timeout, began: float) -> bool:
        """Return whether a request waited in vain for a connection of the caller's session.

        aiohttp raises the same exception if the server does not accept the connection, but sooner.
        """
        limit = _sum(timeout.pool, timeout.connect)
        if self._is_own or limit is None or not isinstance(error, aiohttp.ConnectionTimeoutError):
            return False
        return bool(self._session_limit()) and time.monotonic() - began >= limit

    def _session_limit(self) -> int:
        """Return how many connections to the server the session allows; 0 if it sets no limit."""
        connector = None if self._session is None else self._session.connector
        limits = () if connector is None else (connector.limit, connector.limit_per_host)
        return min((limit for limit in limits if limit), default=0)

    def _check_tracking(self, tracker: RequestTracker) -> None:
        """Rely on our connector from now on, or stop reusing connections if it does not report them."""
        if tracker.has_connection:
            self._is_tracking = True
        elif ("Connection", "close") not in self._headers:
            self._headers += (("Connection", "close"),)
            _log.warning(
                "aiohttp %s or the event loop does not let influx-aiohttp watch connections; each request opens one",
                aiohttp.__version__,
            )

    async def _close_when_idle(self) -> None:
        if self._closed and self._is_own and self._session is not None and not self._in_flight:
            await self._session.close()

    def _usable_session(self) -> aiohttp.ClientSession:
        if self._closed:
            raise RuntimeError("this client is closed; create a new one")
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        elif self._loop is not loop:
            raise RuntimeError("this client was first used in another event loop; create one client for each loop")
        if self._session is None:
            self._session = self._create_session()
            _log.debug("opened a session for %s", self._settings.address)
        return self._session

    def _create_session(self) -> aiohttp.ClientSession:
        pool: dict[str, Any] = {"limit": 0, "keepalive_timeout": _KEEP_ALIVE}  # no limit: see `_slots`
        path = self._settings.unix_socket
        return aiohttp.ClientSession(
            connector=TCPConnector(ssl=self._context or True, **pool) if path is None else UnixConnector(path, **pool),
            cookie_jar=aiohttp.DummyCookieJar(),
            max_line_size=_MAX_HEADER,
            max_field_size=_MAX_HEADER,
        )


def _sum(pool: float | None, connect: float | None) -> float | None:
    return None if pool is None or connect is None else pool + connect


@functools.lru_cache(maxsize=16)
def _client_timeout(
    connect: float | None, sock_connect: float | None, sock_read: float | None, total: float | None
) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(
        total=total,
        connect=connect,  # includes DNS, all addresses, TLS and the proxy
        sock_connect=sock_connect,
        sock_read=sock_read,  # None if `RequestTracker` measures it, at less cost
        ceil_threshold=math.inf,  # timeouts are not rounded up
    )


class _Exchange:
    """Context manager of one request and its response; a generator would slow small writes down by a tenth."""

    def __init__(self, transport: AiohttpTransport, request: Request, settings: Settings) -> None:
        self._transport = transport
        self._request = request
        self._settings = settings

    async def __aenter__(self) -> Response[AsyncIterator[bytes]]:
        self._response, self._tracker = await self._transport.send(self._request)
        response = self._response
        body = _Body(response.content, self._settings, self._request.timeout)
        return Response(response.status, Headers(response.raw_headers), body)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        response = self._response
        try:
            if not response.closed or not is_small(self._request.body):  # otherwise both sides have finished
                await response.__aexit__(kind, error, traceback)
        finally:
            self._tracker.complete()
            await self._transport.release()


class _Body:
    """Iterator over the chunks of a response's body as they arrive."""

    def __init__(self, content: aiohttp.StreamReader, settings: Settings, timeout: Timeout) -> None:
        self._content = content
        self._settings = settings
        self._timeout = timeout

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        content = self._content
        timeout_scope: asyncio.Timeout | None = None
        try:
            chunk = content.read_nowait()
            if not chunk and not content.at_eof():
                async with asyncio.timeout(self._timeout.idle) as timeout_scope:
                    chunk = await content.readany()
        except Exception as error:
            # If the program was suspended or blocked, the timeout expires together with the arrival of a chunk.
            is_late = timeout_scope is not None and timeout_scope.expired()
            chunk = content.read_nowait() if is_late and content.exception() is None else b""
            if chunk:
                return chunk
            if isinstance(error, LIBRARY_ERRORS) or is_parser_error(error):
                raise map_exception(error, self._settings, self._timeout, timeout_scope) from error
            raise
        if not chunk:
            raise StopAsyncIteration
        return chunk
