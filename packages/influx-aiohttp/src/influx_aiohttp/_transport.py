"""The way to a server over aiohttp."""

from __future__ import annotations

import asyncio
import io
import logging
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import asynccontextmanager

import aiohttp
from influx_proto.adapter import (
    Body,
    Headers,
    InfluxDBError,
    ProtocolError,
    Request,
    Response,
    Settings,
    TransportError,
)
from yarl import URL

_log = logging.getLogger("influx_aiohttp")


class AiohttpTransport:
    """Sends requests through an `aiohttp.ClientSession`, which is made when it is first needed."""

    def __init__(self, settings: Settings, session: aiohttp.ClientSession | None) -> None:
        self._settings = settings
        self._is_own = session is None
        self._session = session
        self._loop: asyncio.AbstractEventLoop | None = None

    @asynccontextmanager
    async def open(self, request: Request) -> AsyncGenerator[Response[AsyncIterator[bytes]]]:
        """Send a request; give its answer as it arrives."""
        server = self._settings.server
        try:
            answer = await self._opened_session().request(
                request.method,
                URL(server.origin + request.target, encoded=True),  # as it stands: yarl would encode parts of it anew
                headers=request.headers,
                data=_data(request.body),
                allow_redirects=False,
                timeout=self._timeout,
            )
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise _translated(error, self._settings) from error
        _log.debug("%s answered HTTP %d", server.netloc, answer.status)
        async with answer:
            headers = Headers((name.decode(errors="replace"), value.decode(errors="replace"))
                              for name, value in answer.raw_headers)  # fmt: skip
            yield Response(answer.status, headers, _Arriving(answer, self._settings))

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
        """Close the session, unless it is the caller's."""
        if self._is_own and self._session is not None:
            await self._session.close()

    def _opened_session(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=_ssl_context(self._settings)),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
            _log.debug("opened a session for %s", self._settings.server.origin)
        if self._loop is None:
            self._loop = loop
        elif self._loop is not loop:
            msg = "this client was first used in another event loop; make one client for each"
            raise RuntimeError(msg)
        return self._session

    @property
    def _timeout(self) -> aiohttp.ClientTimeout:
        timeout = self._settings.timeout
        return aiohttp.ClientTimeout(total=timeout.total, sock_connect=timeout.connect, sock_read=timeout.idle)


class _Arriving:
    """The pieces of an answer's body as they arrive."""

    def __init__(self, answer: aiohttp.ClientResponse, settings: Settings) -> None:
        self._answer = answer
        self._settings = settings

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            piece = await self._answer.content.readany()
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise _translated(error, self._settings) from error
        if not piece:
            raise StopAsyncIteration
        return piece


def _data(body: Body) -> io.BytesIO | AsyncIterator[bytes] | None:
    if isinstance(body, bytes):
        return io.BytesIO(body) if body else None  # of a buffer aiohttp sends piece after piece, of bytes all at once
    return _pieces(body)


async def _pieces(body: Iterable[bytes]) -> AsyncIterator[bytes]:
    for piece in body:
        yield piece


def _ssl_context(settings: Settings) -> ssl.SSLContext | bool:
    if not settings.server.ssl:
        return True
    cafile = settings.verify if isinstance(settings.verify, str) else None
    context = ssl.create_default_context(cafile=cafile)
    if settings.verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if settings.cert is not None:
        context.load_cert_chain(*([settings.cert] if isinstance(settings.cert, str) else settings.cert))
    return context


def _translated(error: Exception, settings: Settings) -> InfluxDBError:
    """Say the library's exception as one of ours."""
    where = settings.server.netloc
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        msg = f"cannot connect to {where}: no answer within {settings.timeout.connect} s"
        return TransportError(msg, maybe_received=False)
    if isinstance(error, (aiohttp.ClientSSLError, aiohttp.ClientConnectorError)):
        what = "talk TLS with" if isinstance(error, aiohttp.ClientSSLError) else "connect to"
        return TransportError(f"cannot {what} {where}: {error.os_error}", maybe_received=False)
    if isinstance(error, aiohttp.SocketTimeoutError):
        return TransportError(f"{where} was silent for {settings.timeout.idle} s")
    if isinstance(error, asyncio.TimeoutError):
        return TransportError(f"{where} did not finish within {settings.timeout.total} s")
    if isinstance(error, aiohttp.ClientPayloadError):
        return ProtocolError(f"the answer of {where} is cut short or garbled: {_line(error)}", retryable=True)
    if isinstance(error, aiohttp.ClientResponseError):
        return ProtocolError(f"what {where} answers is no HTTP: {_line(error)}")
    return TransportError(f"{where} broke the connection: {_line(error)}")


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or repr(error)
