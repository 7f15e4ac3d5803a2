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
from influx_proto.adapter import MAX_CONNECTIONS, Headers, Request, Response, Settings, Timeout
from yarl import URL

from ._errors import FOREIGN, translated
from ._way import TCPConnector, UnixConnector, Way, is_small

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
        self._under_way = 0
        self._closed = False
        proxy = settings.proxy
        #: What a request through a proxy has besides; one without TLS tells the proxy itself who we are.
        self._proxy: dict[str, Any] = {} if proxy is None else {"proxy": proxy.url, "proxy_headers": proxy.headers}
        self._headers = tuple(proxy.headers.items()) if proxy is not None and not settings.server.ssl else ()
        self._origin = settings.server.origin

    def open(self, request: Request) -> AbstractAsyncContextManager[Response[AsyncIterator[bytes]]]:
        """Send a request; give its answer as it arrives."""
        return _Exchange(self, request)

    async def send(self, request: Request) -> aiohttp.ClientResponse:
        """Send a request; give its answer, after which `done` is to be called."""
        session = self._opened_session()
        timeout = request.timeout
        way = Way(timeout.idle)
        patience = way.begin()
        self._under_way += 1
        try:
            async with patience:
                return await session.request(
                    request.method,
                    # yarl would encode parts of it anew
                    URL(self._origin + request.target, encoded=True),
                    headers=request.headers + self._headers,
                    data=way.data(request.body),
                    allow_redirects=False,
                    auto_decompress=False,
                    raise_for_status=False,  # a session of the caller's may have it otherwise
                    timeout=_client_timeout(timeout, is_own=self._is_own),
                    **self._proxy,
                )
        except BaseException as error:
            await self.done()
            if isinstance(error, FOREIGN):
                raise translated(error, self._settings, timeout, patience, way) from error
            raise
        finally:
            way.end()

    def arriving(self, content: aiohttp.StreamReader, timeout: Timeout) -> AsyncIterator[bytes]:
        """Give the body of an answer as it arrives."""
        return _Arriving(content, self._settings, timeout)

    async def done(self) -> None:
        """Take note that an exchange has ended."""
        self._under_way -= 1
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

    async def _close_when_done(self) -> None:
        if self._closed and self._is_own and self._session is not None and not self._under_way:
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
            _log.debug("opened a session for %s", self._settings.where)
        return self._session

    def _made_session(self) -> aiohttp.ClientSession:
        pool: dict[str, Any] = {"limit": MAX_CONNECTIONS, "keepalive_timeout": _KEEP}
        path = self._settings.unix_socket
        return aiohttp.ClientSession(
            connector=TCPConnector(ssl=self._context or True, **pool) if path is None else UnixConnector(path, **pool),
            cookie_jar=aiohttp.DummyCookieJar(),
            max_line_size=_LONGEST_FIELD,
            max_field_size=_LONGEST_FIELD,
        )


@functools.lru_cache(maxsize=16)
def _client_timeout(timeout: Timeout, *, is_own: bool) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(
        total=timeout.total,
        sock_connect=timeout.connect,
        # In a session of our own `Way` measures this, at less cost.
        sock_read=None if is_own else timeout.idle,
        ceil_threshold=math.inf,  # no time is rounded up
    )


class _Exchange:
    """One request and its answer; no generator, which would cost a small write a tenth of its time."""

    def __init__(self, transport: AiohttpTransport, request: Request) -> None:
        self._transport = transport
        self._request = request

    async def __aenter__(self) -> Response[AsyncIterator[bytes]]:
        answer = self._answer = await self._transport.send(self._request)
        body = self._transport.arriving(answer.content, self._request.timeout)
        return Response(answer.status, Headers(answer.raw_headers), body)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        answer = self._answer
        try:
            if not answer.closed or not is_small(self._request.body):  # or else it is over on both sides
                await answer.__aexit__(kind, error, traceback)
        finally:
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
        patience: asyncio.Timeout | None = None
        try:
            piece = content.read_nowait()
            if not piece and not content.at_eof():
                async with asyncio.timeout(self._timeout.idle) as patience:
                    piece = await content.readany()
        except FOREIGN as error:
            raise translated(error, self._settings, self._timeout, patience) from error
        if not piece:
            raise StopAsyncIteration
        return piece
