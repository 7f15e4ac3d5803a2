"""The parts of the adapter that do no I/O: the connection pool's settings, requests, responses and errors."""

from __future__ import annotations

import ssl
from threading import Lock
from typing import Any, TypedDict

import httpx
from influx_proto import __version__
from influx_proto.adapter import (
    MAX_CONNECTIONS,
    Headers,
    InfluxDBError,
    ProtocolError,
    Request,
    Settings,
    Timeout,
    TransportError,
    no_free_connection,
    pool_wait,
)

USER_AGENT = f"influx-proto/{__version__} httpx/{httpx.__version__}"

#: The exceptions that `map_exception` maps. Sockets and anyio's timeouts raise the built-in ones.
LIBRARY_ERRORS = (httpx.HTTPError, httpx.StreamError, OSError)


class PoolOptions(TypedDict):
    """The arguments that `httpx.HTTPTransport` and `httpx.AsyncHTTPTransport` share."""

    verify: ssl.SSLContext | bool
    trust_env: bool
    limits: httpx.Limits
    uds: str | None
    proxy: httpx.Proxy | None


def pool_options(settings: Settings) -> PoolOptions:
    """Return the arguments of the connection pool that a client's settings ask for."""
    proxy = settings.proxy
    return {
        # httpx builds a context from `verify` even if it does not need one; without TLS it builds the cheapest.
        "verify": settings.tls.context(ssl.create_default_context) if settings.server.ssl else False,
        "trust_env": False,  # the core has read the environment already
        "limits": httpx.Limits(
            max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS, keepalive_expiry=60
        ),
        "uds": settings.unix_socket,
        "proxy": None if proxy is None else httpx.Proxy(proxy.url, headers=proxy.headers),
    }


class RequestTracker:
    """Follows one request through the pool's trace events, to know what a failure means."""

    def __init__(self, settings: Settings) -> None:
        self._opened = "start_tls.complete" if settings.server.ssl else "connect_tcp.complete"
        self.is_connecting = False
        #: Whether the request uses a connection that has served another request.
        self.is_reused = True
        self.has_response = False

    def trace(self, event: str, _: dict[str, Any]) -> None:
        """Receive an event such as `connection.connect_tcp.started`."""
        event = event.replace("unix_socket", "tcp")
        if event.endswith("connect_tcp.started"):
            self.is_connecting, self.is_reused = True, False
        elif event.endswith(self._opened):
            self.is_connecting = False

    async def atrace(self, event: str, info: dict[str, Any]) -> None:
        """Receive an event from an async pool."""
        self.trace(event, info)


def httpx_request(
    request: Request, settings: Settings, body: httpx.SyncByteStream | httpx.AsyncByteStream, trace: object
) -> httpx.Request:
    """Return the request to send, with the body as a stream that fits the pool."""
    timeout = request.timeout
    # The core has percent-encoded the target; httpx leaves what is encoded as it is.
    url = settings.server.origin + request.target
    waits = {"connect": timeout.connect, "read": timeout.idle, "write": timeout.idle, "pool": pool_wait(timeout)}
    extensions = {"timeout": waits, "trace": trace}
    headers = [("Host", settings.server.netloc), *request.headers]
    if request.size is None:
        headers.append(("Transfer-Encoding", "chunked"))
    elif request.size or request.method != "GET":
        headers.append(("Content-Length", str(request.size)))
    return httpx.Request(request.method, url, headers=headers, stream=body, extensions=extensions)


def response_headers(response: httpx.Response) -> Headers:
    """Return a response's headers, which `Headers` decodes."""
    return Headers(response.headers.raw)


def map_exception(error: Exception, settings: Settings, timeout: Timeout, tracker: RequestTracker) -> InfluxDBError:
    """Map an exception of httpx to one of the core."""
    address = settings.address
    text = _reason(error)
    if isinstance(error, httpx.PoolTimeout):
        return no_free_connection(address, timeout)
    if tracker.is_connecting:
        if isinstance(error, httpx.TimeoutException):
            text = f"no connection within {timeout.connect} s"
        return TransportError(f"cannot connect to {address}: {text}", maybe_received=False)
    if isinstance(error, httpx.TimeoutException):
        return TransportError(f"{address} sent nothing for {timeout.idle} s")
    if not tracker.has_response:
        return TransportError(f"no response from {address}: {text}", was_idle=tracker.is_reused)
    if isinstance(error, httpx.RemoteProtocolError):
        return ProtocolError(f"the response of {address} is truncated or malformed: {text}", retryable=True)
    return TransportError(f"{address} closed the connection: {text}")


def _reason(error: BaseException) -> str:
    """Return the text of the innermost exception that has one: httpx wraps those of other libraries."""
    cause = error.__cause__ or error.__context__
    return (_reason(cause) if cause else "") or str(error)


class ConcurrentSender:
    """Counts the requests in flight, so that closing lets them finish."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._count = 0
        self._is_closed = False

    def begin(self) -> None:
        """Count a request; raise RuntimeError if the client is closed."""
        with self._lock:
            if self._is_closed:
                raise RuntimeError("this client is closed; create a new one")
            self._count += 1

    def end(self) -> bool:
        """Forget a request; return whether the pool is to be closed now."""
        with self._lock:
            self._count -= 1
            return self._is_closed and not self._count

    def close(self) -> bool:
        """Let no further request begin; return whether the pool is to be closed now."""
        with self._lock:
            self._is_closed = True
            return not self._count
