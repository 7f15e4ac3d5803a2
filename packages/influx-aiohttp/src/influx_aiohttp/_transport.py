"""The way to a server over aiohttp."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from influx_proto.adapter import MAX_CONNECTIONS, Headers, Request, Response, Settings, Timeout
from yarl import URL

from ._errors import FOREIGN, translated
from ._way import TCPConnector, UnixConnector, Way

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
        self._headers = proxy.headers if proxy is not None and not settings.server.ssl else {}

    @asynccontextmanager
    async def open(self, request: Request) -> AsyncGenerator[Response[AsyncIterator[bytes]]]:
        """Send a request; give its answer as it arrives."""
        session = self._opened_session()
        self._under_way += 1
        try:
            async with await self._send(session, request) as answer:
                headers = Headers((name.decode(errors="replace"), value.decode(errors="replace"))
                                  for name, value in answer.raw_headers)  # fmt: skip
                yield Response(answer.status, headers, _Arriving(answer, self._settings, request.timeout))
        finally:
            self._under_way -= 1
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

    async def _send(self, session: aiohttp.ClientSession, request: Request) -> aiohttp.ClientResponse:
        timeout = request.timeout
        way = Way(timeout.idle)
        try:
            async with way.patience:
                return await session.request(
                    request.method,
                    URL(
                        self._settings.server.origin + request.target, encoded=True
                    ),  # yarl would encode parts of it anew
                    headers=(*request.headers, *self._headers.items()),
                    data=way.data(request.body),
                    allow_redirects=False,
                    auto_decompress=False,
                    timeout=aiohttp.ClientTimeout(
                        total=timeout.total,
                        # Only this bounds a proxy's consent; it counts the wait for a free connection as well.
                        connect=timeout.connect if self._proxy else None,
                        sock_connect=timeout.connect,
                        sock_read=timeout.idle,
                    ),
                    **self._proxy,
                )
        except FOREIGN as error:
            raise translated(error, self._settings, timeout, way) from error


class _Arriving:
    """The pieces of an answer's body as they arrive."""

    def __init__(self, answer: aiohttp.ClientResponse, settings: Settings, timeout: Timeout) -> None:
        self._answer = answer
        self._settings = settings
        self._timeout = timeout

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            piece = await self._answer.content.readany()
        except FOREIGN as error:
            raise translated(error, self._settings, self._timeout) from error
        if not piece:
            raise StopAsyncIteration
        return piece
