"""The way to a server over trio's streams."""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import trio
from influx_proto.adapter import Request, Response, Settings, TransportError

from ._connection import Connection

_log = logging.getLogger("influx_trio")

#: Connections kept open for later requests; more are opened where more requests are under way at once.
_IDLE_CONNECTIONS = 10


class TrioTransport:
    """Sends requests over connections of its own, which are reused."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._idle: list[Connection] = []
        self._closed = False

    @asynccontextmanager
    async def open(self, request: Request) -> AsyncGenerator[Response[AsyncIterator[bytes]]]:
        """Send a request; give its answer as it arrives."""
        timeout = self._settings.timeout
        deadline = float("inf") if timeout.total is None else trio.current_time() + timeout.total
        connection = await self._idle_connection() or await self._connect()
        try:
            yield await connection.exchange(request, deadline)
        finally:
            if connection.is_reusable and len(self._idle) < _IDLE_CONNECTIONS and not self._closed:
                connection.reuse()
                self._idle.append(connection)
            else:
                await connection.aclose()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await trio.sleep(seconds)

    def now(self) -> float:
        """Read trio's clock."""
        return trio.current_time()

    def time_ns(self) -> int:
        """Read the time of day."""
        return time.time_ns()

    async def aclose(self) -> None:
        """Close the idle connections; those in use close when their exchange ends."""
        self._closed = True
        while self._idle:
            await self._idle.pop().aclose()

    async def _idle_connection(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_stale:
                return connection
            await connection.aclose()
        return None

    async def _connect(self) -> Connection:
        server = self._settings.server
        seconds = self._settings.timeout.connect
        try:
            with trio.fail_after(float("inf") if seconds is None else seconds):
                tcp = await trio.open_tcp_stream(server.host, server.port)
                stream = await self._start_tls(tcp) if server.ssl else tcp
        except trio.TooSlowError as error:
            msg = f"cannot connect to {server.netloc}: no answer within {seconds} s"
            raise TransportError(msg, maybe_received=False) from error
        except OSError as error:
            msg = f"cannot connect to {server.netloc}: {error.__cause__ or error}"
            raise TransportError(msg, maybe_received=False) from error
        _log.debug("connected to %s", server.netloc)
        return Connection(stream, tcp.socket.fileno(), self._settings)

    async def _start_tls(self, stream: trio.abc.Stream) -> trio.SSLStream[trio.abc.Stream]:
        server = self._settings.server
        # InfluxDB closes without TLS's goodbye; the framing of HTTP tells whether an answer is whole.
        secured = trio.SSLStream(
            stream, _ssl_context(self._settings), server_hostname=server.host, https_compatible=True
        )
        try:
            await secured.do_handshake()
        except trio.BrokenResourceError as error:
            await trio.aclose_forcefully(stream)
            msg = f"cannot talk TLS with {server.netloc}: {error.__cause__ or error}"
            raise TransportError(msg, maybe_received=False) from error
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise
        return secured


def _ssl_context(settings: Settings) -> ssl.SSLContext:
    cafile = settings.verify if isinstance(settings.verify, str) else None
    context = ssl.create_default_context(cafile=cafile)
    if settings.verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if settings.cert is not None:
        context.load_cert_chain(*([settings.cert] if isinstance(settings.cert, str) else settings.cert))
    return context
