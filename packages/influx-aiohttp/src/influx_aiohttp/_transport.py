"""The way to a server over aiohttp."""

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

from ._errors import is_library_error, map_exception
from ._tracking import RequestTracker, TCPConnector, UnixConnector, is_small

_log = logging.getLogger("influx_aiohttp")

#: Seconds after which an idle connection is closed: before most servers, and firewalls on the way, would do so.
_KEEP = 60.0
#: InfluxDB puts the text of an error into a header, and proxies add their own.
_LONGEST_FIELD = 64 * 1024


class AiohttpTransport:
    """Sends requests through an `aiohttp.ClientSession`, which is made when it is first needed."""

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
        self._places = asyncio.Semaphore(MAX_CONNECTIONS) if self._is_own else None
        #: Whether our connector knows the connections, which the first response shows.
        self._is_reported = False
        self._closed = False
        proxy = settings.proxy
        #: What a request through a proxy has besides; one without TLS tells the proxy itself who we are.
        self._proxy: dict[str, Any] = {} if proxy is None else {"proxy": proxy.url, "proxy_headers": proxy.headers}
        self._headers = tuple(proxy.headers.items()) if proxy is not None and not settings.server.ssl else ()
        self._origin = settings.server.origin

    def open(self, request: Request) -> AbstractAsyncContextManager[Response[AsyncIterator[bytes]]]:
        """Send a request; give its answer as it arrives."""
        return _Exchange(self, request)

    async def send(self, request: Request) -> tuple[aiohttp.ClientResponse, RequestTracker]:
        """Send a request; return its response and its way; `done` of both is to be called after the exchange."""
        session = self._opened_session()
        timeout = request.timeout
        total = await self._wait_in_line(timeout)
        began = time.monotonic()
        tracker = RequestTracker(timeout.idle)
        timeout_scope = tracker.begin()
        headers, data = tracker.parts(request.body)
        try:
            async with timeout_scope:
                response = await session.request(
                    request.method,
                    # yarl would encode parts of it anew
                    URL(self._origin + request.target, encoded=True),
                    headers=request.headers + headers + self._headers,
                    data=data,
                    allow_redirects=False,
                    auto_decompress=False,
                    raise_for_status=False,  # a session of the caller's may have it otherwise
                    timeout=self._client_timeout(timeout, total),
                    **self._proxy,
                )
        except BaseException as error:
            await self.done()
            if self._has_waited_for_pool(error, timeout, began):
                raise no_free_connection(self._settings.address, timeout, self._session_limit()) from error
            if is_library_error(error) and isinstance(error, Exception):
                raise map_exception(error, self._settings, timeout, timeout_scope, tracker) from error
            raise
        finally:
            tracker.end()
        if not self._is_reported and self._is_own:
            self._check(tracker)
        return response, tracker

    def arriving(self, content: aiohttp.StreamReader, timeout: Timeout) -> AsyncIterator[bytes]:
        """Give the body of an answer as it arrives."""
        return _Arriving(content, self._settings, timeout)

    async def done(self) -> None:
        """Take note that an exchange has ended."""
        if self._places is not None:
            self._places.release()
        self._in_flight -= 1
        if self._closed:
            await self._close_when_done()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)

    def now(self) -> float:
        """Read the monotonic clock."""
        return time.monotonic()

    def time_ns(self) -> int:
        """Read the time of day."""
        return time.time_ns()

    async def aclose(self) -> None:
        """Close the session, unless it is the caller's: at once, or when what is under way has ended."""
        self._closed = True
        await self._close_when_done()

    async def _wait_in_line(self, timeout: Timeout) -> float | None:
        """Wait for the right to use a connection; return what is left of the time for the whole attempt."""
        self._in_flight += 1
        total = timeout.total
        if self._places is None:
            return total
        began = time.monotonic()
        try:
            if not self._places.locked():
                await self._places.acquire()
                return total
            async with asyncio.timeout(pool_wait(timeout)):
                await self._places.acquire()
        except BaseException as error:
            self._in_flight -= 1
            await self._close_when_done()
            if isinstance(error, TimeoutError):
                raise no_free_connection(self._settings.address, timeout) from error
            raise
        return None if total is None else max(total - (time.monotonic() - began), 0.001)

    def _client_timeout(self, timeout: Timeout, total: float | None) -> aiohttp.ClientTimeout:
        connect = timeout.connect if self._is_own else _sum(timeout.pool, timeout.connect)
        return _client_timeout(connect, timeout.connect, None if self._is_reported else timeout.idle, total)

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

    def _check(self, tracker: RequestTracker) -> None:
        """Rely on our connector from now on, or never again keep a connection of which nothing is known."""
        if tracker.has_connection:
            self._is_reported = True
        elif ("Connection", "close") not in self._headers:
            self._headers += (("Connection", "close"),)
            _log.warning(
                "aiohttp %s or the event loop does not let influx-aiohttp watch connections; each request opens one",
                aiohttp.__version__,
            )

    async def _close_when_done(self) -> None:
        if self._closed and self._is_own and self._session is not None and not self._in_flight:
            await self._session.close()

    def _opened_session(self) -> aiohttp.ClientSession:
        if self._closed:
            msg = "this client is closed; make a new one"
            raise RuntimeError(msg)
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        elif self._loop is not loop:
            msg = "this client was first used in another event loop; make one client for each"
            raise RuntimeError(msg)
        if self._session is None:
            self._session = self._made_session()
            _log.debug("opened a session for %s", self._settings.address)
        return self._session

    def _made_session(self) -> aiohttp.ClientSession:
        pool: dict[str, Any] = {"limit": 0, "keepalive_timeout": _KEEP}  # no limit: see `_places`
        path = self._settings.unix_socket
        return aiohttp.ClientSession(
            connector=TCPConnector(ssl=self._context or True, **pool) if path is None else UnixConnector(path, **pool),
            cookie_jar=aiohttp.DummyCookieJar(),
            max_line_size=_LONGEST_FIELD,
            max_field_size=_LONGEST_FIELD,
        )


def _sum(pool: float | None, connect: float | None) -> float | None:
    return None if pool is None or connect is None else pool + connect


@functools.lru_cache(maxsize=16)
def _client_timeout(
    connect: float | None, sock_connect: float | None, sock_read: float | None, total: float | None
) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(
        total=total,
        connect=connect,  # the lookup of the name, all addresses, TLS, and the proxy's consent
        sock_connect=sock_connect,
        sock_read=sock_read,  # None where `RequestTracker` measures it, at less cost
        ceil_threshold=math.inf,  # no time is rounded up
    )


class _Exchange:
    """One request and its answer; no generator, which would cost a small write a tenth of its time."""

    def __init__(self, transport: AiohttpTransport, request: Request) -> None:
        self._transport = transport
        self._request = request

    async def __aenter__(self) -> Response[AsyncIterator[bytes]]:
        response, self._tracking = await self._transport.send(self._request)
        self._answer = response
        body = self._transport.arriving(response.content, self._request.timeout)
        return Response(response.status, Headers(response.raw_headers), body)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        response = self._answer
        try:
            if not response.closed or not is_small(self._request.body):  # or else it is over on both sides
                await response.__aexit__(kind, error, traceback)
        finally:
            self._tracking.done()
            await self._transport.done()


class _Arriving:
    """The pieces of an answer's body as they arrive."""

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
            piece = content.read_nowait()
            if not piece and not content.at_eof():
                async with asyncio.timeout(self._timeout.idle) as timeout_scope:
                    piece = await content.readany()
        except Exception as error:
            if is_library_error(error):
                raise map_exception(error, self._settings, self._timeout, timeout_scope) from error
            raise
        if not piece:
            raise StopAsyncIteration
        return piece
