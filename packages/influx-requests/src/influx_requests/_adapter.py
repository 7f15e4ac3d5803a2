"""Where requests' connections come from: our TLS, unix sockets, and what is known of a connection that breaks."""

from __future__ import annotations

import http.client
import socket
import ssl
from http.client import HTTPException, IncompleteRead, RemoteDisconnected
from io import BufferedIOBase
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector
from typing import Any

from influx_proto.adapter import MAX_CONNECTIONS, Settings
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPResponse, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection


class IdleConnectionError(ConnectionError):
    """A kept connection ended before the first byte of an answer."""


class NotConnectedError(OSError):
    """There was no connection to be had; nothing was sent to the server."""


class _WholeLines:
    """The file of an answer's head: http.client takes its end in the middle for the end of the head."""

    def __init__(self, file: BufferedIOBase) -> None:
        self._file = file

    def readline(self, size: int) -> bytes:
        line = self._file.readline(size)
        if not line:
            msg = "closed within the head of the answer"
            raise RemoteDisconnected(msg)
        if not line.endswith(b"\n") and len(line) < size:
            raise IncompleteRead(line)
        return line

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


class _Answer(http.client.HTTPResponse):
    def begin(self) -> None:
        """Read the head, past any provisional ones."""
        file = self.fp
        self.fp: Any = _WholeLines(file)
        super().begin()
        while 102 <= self.status < 200:  # http.client knows of 100 only
            self.headers: Any = None
            super().begin()
        if self.fp is not None:
            self.fp = file


class _LastAnswer(_Answer):
    """The answer to a request that was not sent to its end, so that nothing can follow it."""

    def begin(self) -> None:
        """Read the head, and close the connection to others: the answer can still be read to its end."""
        super().begin()
        self.will_close = True


class _Connection(HTTPConnection):
    response_class: Any = _Answer
    _was_used = False

    def connect(self) -> None:
        """Connect, through a proxy and with TLS where that is asked for."""
        try:
            super().connect()
        except ssl.SSLError:
            raise
        except (OSError, HTTPException) as error:
            raise NotConnectedError(str(error)) from error

    def send(self, data: Any) -> None:
        """Send, and listen meanwhile: a server that refuses a body says so before it has read all of it."""
        try:
            if self.sock is None or isinstance(self.sock, ssl.SSLSocket):  # what comes there may be TLS's own
                super().send(data)
            else:
                self._send_listening(self.sock, memoryview(data))
        except (ConnectionError, ssl.SSLEOFError) as error:
            self.response_class = _LastAnswer
            raise BrokenPipeError from error  # on which urllib3 looks for an answer, as it should

    def _send_listening(self, sock: socket.socket, data: memoryview) -> None:
        with DefaultSelector() as selector:
            selector.register(sock, EVENT_READ | EVENT_WRITE)
            while data:
                events = selector.select(sock.gettimeout())
                if not events:
                    raise TimeoutError
                if events[0][1] & EVENT_READ:
                    raise ConnectionAbortedError
                data = data[sock.send(data) :]

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as urllib3's own
        """Wait for the head of an answer."""
        was_used = self._was_used
        try:
            answer = super().getresponse()
        except (ConnectionError, ssl.SSLEOFError) as error:  # http.client's own for "closed" is a ConnectionError
            if was_used:
                raise IdleConnectionError(str(error)) from error
            raise
        self._was_used = self.sock is not None
        return answer

    def close(self) -> None:
        """Close; urllib3 may open it anew."""
        self._was_used = False
        self.response_class = _Answer
        super().close()


class _TLSConnection(_Connection, HTTPSConnection):
    def connect(self) -> None:
        """Connect."""
        super().connect()
        self.is_verified = True  # or not: of that the client has warned once, and urllib3 would with every request


class _Pool(HTTPConnectionPool):
    ConnectionCls: Any = _Connection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls: Any = _TLSConnection


def _unix_pool(path: str) -> type[HTTPConnectionPool]:
    class UnixConnection(_Connection):
        def connect(self) -> None:
            """Connect."""
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.sock.settimeout(self.timeout)
            try:
                self.sock.connect(path)
            except OSError as error:
                self.close()
                raise NotConnectedError(str(error)) from error

    class UnixPool(HTTPConnectionPool):
        ConnectionCls: Any = UnixConnection

    return UnixPool


class SettingsAdapter(HTTPAdapter):
    """Connects as a client's settings say; many threads may use it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._context = settings.tls.context(ssl.create_default_context) if settings.server.ssl else None
        path = settings.unix_socket
        self._pools = {"http": _Pool if path is None else _unix_pool(path), "https": _TLSPool}
        super().__init__(pool_maxsize=MAX_CONNECTIONS, pool_block=True)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pools of direct connections."""
        super().init_poolmanager(*args, **kwargs, ssl_context=self._context)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Make the pools of connections through a proxy."""
        manager = super().proxy_manager_for(proxy, **kwargs, ssl_context=self._context)
        manager.pool_classes_by_scheme = self._pools
        return manager

    def proxy_headers(self, proxy: str) -> dict[str, str]:  # noqa: ARG002 - there is one
        """Tell the proxy who we are."""
        return {} if self._settings.proxy is None else self._settings.proxy.headers

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Leave TLS to the context: requests would trust others besides."""

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        """Leave TLS to the context."""
        host, _ = super().build_connection_pool_key_attributes(request, verify, cert)
        return host, {}
