"""Working HTTP proxy: absolute targets for http, CONNECT for https. It records the request heads.

with Proxy() as proxy, InfluxDBClient(..., proxy=proxy.url) as client:
    ...
assert proxy.heads[0].startswith(b"GET http://")

`JSONOnly(url)` is a variant that makes a server always respond with JSON.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Self
from urllib.parse import urlsplit

_AUTH_REQUIRED = (
    b"HTTP/1.1 407 Proxy Authentication Required\r\n"
    b"Content-Type: text/html\r\nContent-Length: 6\r\nConnection: close\r\n\r\n<html>"
)


class Proxy:
    """Proxy on a free port of 127.0.0.1, with a thread for each direction of each connection.

    With `credentials`, it rejects requests without this `Proxy-Authorization` value.
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
        thread = threading.Thread(target=target, args=args, daemon=True)  # type: ignore[arg-type]  # a function
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
                client.sendall(_AUTH_REQUIRED)
                client.shutdown(socket.SHUT_WR)
                return
            method, target, version = line.split(b" ")
            if method == b"CONNECT":
                host, _, port = target.decode().rpartition(":")
                try:
                    server = self._connect(host.strip("[]"), int(port))
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
        """Forward one request. The server closes the connection after its response: no second request is forwarded."""
        parts = urlsplit(target.decode())
        assert parts.scheme == "http", target
        server = self._connect(parts.hostname or "", parts.port or 80)
        path = parts._replace(scheme="", netloc="").geturl().encode()
        kept = [field for field in fields if not field.lower().startswith((b"proxy-authorization:", b"connection:"))]
        server.sendall(b"\r\n".join([b" ".join((method, path, version)), *kept, b"Connection: close", b"", rest]))
        return server

    def _connect(self, host: str, port: int) -> socket.socket:
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
    """The server at `upstream`, without the clients' `Accept` headers, so that it responds with JSON."""

    def __init__(self, upstream: str) -> None:
        super().__init__()
        self._upstream = upstream.rstrip("/").encode()

    def _forward(self, method: bytes, target: bytes, version: bytes, fields: list[bytes], rest: bytes) -> socket.socket:
        kept = [field for field in fields if not field.lower().startswith(b"accept:")]
        return super()._forward(method, self._upstream + target, version, kept, rest)
