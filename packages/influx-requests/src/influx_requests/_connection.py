"""Connections for requests: our TLS, unix sockets, early responses, and specific exceptions for failures.

`SettingsAdapter` overrides methods that requests documents for subclasses, and uses subclasses of urllib3's
connections. These are checked when the first client is created: if they do not work with the installed urllib3, its
own connections are used, which detect less.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import logging
import math
import queue
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Mapping
from http.client import HTTPException, IncompleteRead
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector
from typing import Any

from influx_proto.adapter import MAX_CONNECTIONS, Settings
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPResponse, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from ._early_response import EarlyBytes, Source, remaining

_log = logging.getLogger("influx_requests")

_CHUNK = 64 * 1024
#: Raised by a non-blocking socket; by that of TLS also before it has a whole record.
_NOT_READY = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
#: Seconds after which the next request closes an idle connection: before most servers and firewalls close it.
_KEEP_ALIVE = 60.0


class IdleConnectionError(ConnectionError):
    """A kept connection ended before the first byte of a response."""


class NotConnectedError(OSError):
    """No connection could be opened; nothing was sent to the server."""


class HandshakeError(ssl.SSLError):
    """The TLS handshake failed; nothing was sent to the server."""


class _Current(threading.local):
    """The request that a thread sends."""

    #: When the exchange must be complete, on the monotonic clock; urllib3 has no timeout for all of it.
    deadline = math.inf
    #: The seconds without progress after which sending times out. urllib3 sends with the timeout for connecting.
    idle: float | None = None


current = _Current()


class _Connection(HTTPConnection):
    _was_used = False
    _is_cut_off = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._early = EarlyBytes()

    def _response(self, sock: Any, *args: Any, **kwargs: Any) -> http.client.HTTPResponse:
        """Create the response that http.client reads from a socket."""
        source: Any = Source(sock, self._early.take(), current.deadline)
        response = http.client.HTTPResponse(source, *args, **kwargs)
        if self._is_cut_off and self.sock is not None:
            # No request can follow one that was not sent to its end. The response's own file stays open.
            self.sock.close()
            self.sock = None
        return response

    #: What http.client calls for each response.
    response_class: Any = _response

    def connect(self) -> None:
        """Connect, through a proxy and with TLS if configured."""
        try:
            super().connect()
        except ssl.SSLError as error:
            raise HandshakeError(*error.args) from error
        except (OSError, HTTPException) as error:
            raise NotConnectedError(str(error)) from error

    def send(self, data: Any) -> None:
        """Send a body and receive meanwhile: a server that rejects it responds before it has read all of it."""
        try:
            if isinstance(self.sock, socket.socket):
                self._send_and_receive(self.sock, memoryview(data))
            else:  # not connected yet
                super().send(data)
        except (ConnectionError, ssl.SSLEOFError) as error:
            self._is_cut_off = True
            raise BrokenPipeError from error  # urllib3 then reads the response

    def _send_and_receive(self, sock: socket.socket, data: memoryview) -> None:
        timeout = sock.gettimeout()
        sock.settimeout(0)  # with another timeout, OpenSSL waits until all bytes of a call are sent
        try:
            with DefaultSelector() as selector:
                selector.register(sock, EVENT_READ | EVENT_WRITE)
                while data:
                    events = selector.select(remaining(current.deadline, current.idle))
                    if not events:
                        raise TimeoutError
                    if events[0][1] & EVENT_READ:
                        self._receive_early(sock)
                    if events[0][1] & EVENT_WRITE:
                        with contextlib.suppress(*_NOT_READY):
                            data = data[sock.send(data[:_CHUNK]) :]
        finally:
            sock.settimeout(timeout)

    def _receive_early(self, sock: socket.socket) -> None:
        """Receive what has arrived; raise `ConnectionAbortedError` if a response has begun or the server has closed."""
        with contextlib.suppress(*_NOT_READY):
            while True:
                received = sock.recv(_CHUNK)
                if self._early.feed(received) or not received:
                    raise ConnectionAbortedError

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as urllib3's own
        """Wait for the head of a response."""
        was_used = self._was_used
        try:
            response = super().getresponse()
        except (ConnectionError, ssl.SSLEOFError) as error:  # http.client's own for "closed" is a ConnectionError
            if was_used:
                raise IdleConnectionError(str(error)) from error
            raise
        self._was_used = self.sock is not None
        return response

    def close(self) -> None:
        """Close; urllib3 may open it again."""
        self._was_used = self._is_cut_off = False
        self._early.take()
        super().close()


class _TLSConnection(_Connection, HTTPSConnection):
    #: The context decides. The client has warned once if it does not verify; urllib3 would warn with every request.
    is_verified: Any = property(lambda _: True, lambda _, __: None)
    #: requests would also trust the CAs of certifi.
    ca_certs: Any = property(lambda _: None, lambda _, __: None)
    ca_cert_dir: Any = property(lambda _: None, lambda _, __: None)
    ca_cert_data: Any = property(lambda _: None, lambda _, __: None)


class _IdleConnections:
    """Stack of a pool's idle connections: a `LifoQueue` that never blocks.

    It has no lock that a signal handler could leave held when it raises within: each method changes it in one step.
    """

    def __init__(self, maxsize: int) -> None:
        self._connections: deque[tuple[Any, float]] = deque(maxlen=maxsize)

    def get(self, block: bool = False, timeout: float | None = None) -> Any:  # noqa: ARG002 - as LifoQueue
        """Return the connection that was put last, unless it was idle for too long; the others were idle for longer."""
        try:
            connection, idle_since = self._connections.pop()
        except IndexError:
            raise queue.Empty from None
        if time.monotonic() - idle_since > _KEEP_ALIVE:
            connection.close()
            self._close_all()
            raise queue.Empty
        return connection

    def put(self, item: Any, block: bool = False, timeout: float | None = None) -> None:  # noqa: ARG002 - as LifoQueue
        """Keep a connection for the next request. None stands for one that failed: then the others may be broken, too.

        After a restart of a proxy or a suspension of this machine they are.
        """
        if item is None:
            self._close_all()
        else:
            self._connections.append((item, time.monotonic()))

    def _close_all(self) -> None:
        with contextlib.suppress(IndexError):
            while True:
                self._connections.pop()[0].close()

    def qsize(self) -> int:
        """Return the number of connections."""
        return len(self._connections)


class _Pool(HTTPConnectionPool):
    ConnectionCls: Any = _Connection
    QueueCls: Any = _IdleConnections


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls: Any = _TLSConnection
    QueueCls: Any = _IdleConnections


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

    class UnixPool(_Pool):
        ConnectionCls: Any = UnixConnection

    return UnixPool


@functools.cache
def _are_connections_supported() -> bool:
    """Return whether the installed http.client and urllib3 read responses through `_Connection`."""
    provisional = b"HTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\n"
    status = 0
    try:
        status = _exchange(provisional + b"HTTP/1.1 204 No Content\r\nX: y\r\n\r\n")
        _exchange(provisional + b"HTTP/1.1 204 No Content\r\nX: y\r\n")
    except IncompleteRead:
        return status == 204
    except Exception:  # noqa: BLE001 - whatever a future release raises
        return False
    return False


def _exchange(response: bytes) -> int:
    ours, theirs = socket.socketpair()
    with ours, theirs, contextlib.closing(_Connection("localhost")) as connection:
        connection.sock = ours
        connection.request("GET", "/")
        theirs.sendall(response)
        theirs.shutdown(socket.SHUT_WR)
        return connection.getresponse().status


class SettingsAdapter(HTTPAdapter):
    """Connects as a client's settings specify; many threads may use it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._context = settings.tls.context(ssl.create_default_context) if settings.server.ssl else None
        path = settings.unix_socket
        self._pools = {"http": _Pool if path is None else _unix_pool(path), "https": _TLSPool}
        super().__init__(pool_maxsize=MAX_CONNECTIONS)  # the transport limits requests to as many

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Create the pools of direct connections."""
        super().init_poolmanager(*args, **kwargs, ssl_context=self._context)
        self._set_pools(getattr(self, "poolmanager", None))

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Return the pools of connections through a proxy."""
        manager = super().proxy_manager_for(proxy, **kwargs, ssl_context=self._context)
        self._set_pools(manager)
        return manager

    def proxy_headers(self, proxy: str) -> dict[str, str]:  # noqa: ARG002 - there is one
        """Return the credentials for the proxy."""
        return {} if self._settings.proxy is None else self._settings.proxy.headers

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Leave TLS to the context: requests would trust more CAs."""

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        """Leave TLS to the context."""
        host, _ = super().build_connection_pool_key_attributes(request, verify, cert)
        return host, {}

    def _set_pools(self, manager: Any) -> None:
        if getattr(manager, "pool_classes_by_scheme", None) is self._pools:
            return
        if _are_connections_supported() and _can_set_pools(manager, self._pools):
            return
        if self._settings.unix_socket is not None:  # urllib3 would connect to the server's host and port
            msg = f"unix_socket is not supported with urllib3 {_urllib3_version()}; install a version below it"
            raise NotImplementedError(msg)
        _warn()


def _can_set_pools(manager: Any, pools: Mapping[str, type[HTTPConnectionPool]]) -> bool:
    """Set the classes of a manager's connection pools; return whether the manager uses them."""
    try:
        before, manager.pool_classes_by_scheme = manager.pool_classes_by_scheme, pools
        if type(manager.connection_from_host("localhost", 1, scheme="http")) is pools["http"]:
            return True
        manager.pool_classes_by_scheme = before
    except AttributeError:  # there is no such attribute, or it is read-only
        pass
    finally:
        if manager is not None:
            manager.clear()
    return False


@functools.cache
def _warn() -> None:
    _log.warning(
        "urllib3 %s does not work with the connections of influx-requests, which uses urllib3's own: truncated headers "
        "and early responses are not detected, and a connection that the server closed costs one attempt",
        _urllib3_version(),
    )


def _urllib3_version() -> str:
    from importlib.metadata import version  # noqa: PLC0415 - it imports slowly

    return version("urllib3")
