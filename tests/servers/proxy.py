"""An HTTP proxy that works: absolute targets for http, CONNECT for https. It records the heads that it is sent.

with Proxy() as proxy, InfluxDBClient(..., proxy=proxy.url) as client:
    ...
assert proxy.heads[0].startswith(b"GET http://")

`JSONOnly(url)` is a server made of it, which answers JSON whatever it is asked for.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Self
from urllib.parse import urlsplit

_REFUSAL = (
    b"HTTP/1.1 407 Proxy Authentication Required\r\n"
    b"Content-Type: text/html\r\nContent-Length: 6\r\nConnection: close\r\n\r\n<html>"
)


class Proxy:
    """Serves on a free port of 127.0.0.1, a thread for each direction of each connection.

    With `credentials`, the value of a `Proxy-Authorization` header, it serves nobody else.
    """

    host = "127.0.0.1"

    def __init__(self, credentials: str | None = None) -> None:
        self._credentials = credentials
        self.heads: list[bytes] = []
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def __enter__(self) -> Self:
        self._listener = socket.create_server((self.host, 0))
        self.port: int = self._listener.getsockname()[1]
        self._start(self._accept)
        return self

    def __exit__(self, *exc_info: object) -> None:
        for each in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for each in (self._listener, *self._sockets):
            each.close()

    def _start(self, target: object, *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)  # type: ignore[arg-type]  # a function it is
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                accepted, _ = self._listener.accept()
                self._sockets.append(accepted)
                self._start(self._serve, accepted)

    def _serve(self, client: socket.socket) -> None:
        received = b""
        with client, contextlib.suppress(OSError):
            while b"\r\n\r\n" not in received:
                if not (data := client.recv(65536)):
                    return
                received += data
            head, _, rest = received.partition(b"\r\n\r\n")
            self.heads.append(head)
            line, *fields = head.split(b"\r\n")
            if self._credentials is not None and f": {self._credentials}".encode() not in head:
                client.sendall(_REFUSAL)
                client.shutdown(socket.SHUT_WR)
                return
            method, target, version = line.split(b" ")
            if method == b"CONNECT":
                host, _, port = target.decode().rpartition(":")
                try:
                    server = self._connected(host.strip("[]"), int(port))
                except ConnectionRefusedError:
                    client.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
                    return
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                server.sendall(rest)
            else:
                server = self._forward(method, target, version, fields, rest)
            self._start(self._copy, client, server)
            self._copy(server, client)

    def _forward(self, method: bytes, target: bytes, version: bytes, fields: list[bytes], rest: bytes) -> socket.socket:
        """Send one request on; the server closes after its answer, so that no other can come on this connection."""
        parts = urlsplit(target.decode())
        assert parts.scheme == "http", target
        server = self._connected(parts.hostname or "", parts.port or 80)
        path = parts._replace(scheme="", netloc="").geturl().encode()
        kept = [field for field in fields if not field.lower().startswith((b"proxy-authorization:", b"connection:"))]
        server.sendall(b"\r\n".join([b" ".join((method, path, version)), *kept, b"Connection: close", b"", rest]))
        return server

    def _connected(self, host: str, port: int) -> socket.socket:
        server = socket.create_connection((host, port), timeout=10)
        server.settimeout(None)
        self._sockets.append(server)
        return server

    @staticmethod
    def _copy(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)


class JSONOnly(Proxy):
    """The server at `upstream`, as if it knew no `Accept`: it is not told of it, and answers JSON."""

    def __init__(self, upstream: str) -> None:
        super().__init__()
        self._upstream = upstream.rstrip("/").encode()

    def _forward(self, method: bytes, target: bytes, version: bytes, fields: list[bytes], rest: bytes) -> socket.socket:
        kept = [field for field in fields if not field.lower().startswith(b"accept:")]
        return super()._forward(method, self._upstream + target, version, kept, rest)
