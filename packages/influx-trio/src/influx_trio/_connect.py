"""Open connections: TCP or a unix socket, directly or through a proxy, plain or TLS."""

from __future__ import annotations

import ssl

import h11
import trio
from influx_proto.adapter import Proxy, Settings

from ._connection import Connection
from ._socket import Socket
from ._watchdog import Watchdog


class ProxyRejectedError(Exception):
    """A proxy rejected the connection.

    Args:
        status: the status of its response.
        reason: the reason phrase.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(status, reason)
        self.status = status
        self.reason = reason


class ProxyClosedError(Exception):
    """A proxy closed the connection."""


async def connect(settings: Settings, context: ssl.SSLContext | None, watchdog: Watchdog) -> Connection:
    """Open a connection. On failure and on cancellation nothing stays open."""
    server, proxy = settings.server, settings.proxy
    if settings.unix_socket is not None:
        stream = await trio.open_unix_socket(settings.unix_socket)
    else:
        nearest = proxy or server
        stream = await trio.open_tcp_stream(nearest.host, nearest.port)
    socket = Socket(stream, watchdog)
    try:
        if context is None:
            return Connection(socket, socket)
        if proxy is not None:
            await _tunnel(socket, server.netloc, proxy)
        # InfluxDB closes without close_notify; the framing of HTTP shows whether a response is complete.
        secured = trio.SSLStream(socket, context, server_hostname=server.address, https_compatible=True)
        await secured.do_handshake()
        return Connection(secured, socket)
    except BaseException:
        socket.close()
        raise


async def _tunnel(stream: trio.abc.Stream, target: str, proxy: Proxy) -> None:
    """Ask a proxy for a tunnel to the server; all bytes after it come from the server."""
    http = h11.Connection(h11.CLIENT)
    headers = [("Host", target), *proxy.headers.items()]
    await stream.send_all(http.send(h11.Request(method="CONNECT", target=target, headers=headers)) or b"")
    await stream.send_all(http.send(h11.EndOfMessage()) or b"")
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            http.receive_data(bytes(await stream.receive_some()))
        elif isinstance(event, h11.Response):
            if event.status_code >= 300:
                raise ProxyRejectedError(event.status_code, event.reason.decode(errors="replace"))
            return
        elif not isinstance(event, h11.InformationalResponse):
            raise ProxyClosedError("the proxy closed the connection")
