"""Where requests' connections come from: our TLS, unix sockets, and what is known of a connection that breaks."""

from __future__ import annotations

import socket
import ssl
from http.client import HTTPException
from typing import Any

from influx_proto.adapter import MAX_CONNECTIONS, Settings
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPResponse, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection


class IdleConnectionError(ConnectionError):
    """A kept connection ended before the first byte of an answer."""


class NotConnectedError(OSError):
    """There was no connection to be had; nothing was sent to the server."""


class _Connection(HTTPConnection):
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
        """Send; a server that hangs up meanwhile may have said why."""
        try:
            super().send(data)
        except (ConnectionResetError, ssl.SSLEOFError) as error:
            raise BrokenPipeError from error  # on which urllib3 looks for an answer, as it should

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as urllib3's own
        """Wait for the head of an answer."""
        try:
            answer = super().getresponse()
        except (ConnectionError, ssl.SSLEOFError) as error:  # http.client's own for "closed" is a ConnectionError
            if self._was_used:
                raise IdleConnectionError(str(error)) from error
            raise
        self._was_used = True
        return answer

    def close(self) -> None:
        """Close; urllib3 may open it anew."""
        self._was_used = False
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
