"""A client for your own HTTP stack: here the standard library's `http.client`.

`influx_proto` implements the protocol; the transport sends a request and reads the response. The conformance suite of
this repository tests this client like the three adapters.
"""

from __future__ import annotations

import http.client
import ssl
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from functools import partial

from influx_proto.adapter import Client, Headers, ProtocolError, Request, Response, Settings, TransportError


class HTTPClientTransport:
    """Opens a connection for each request, which is simple and sufficient for a script."""

    def __init__(self, settings: Settings) -> None:
        if settings.proxy is not None or settings.unix_socket is not None:
            raise NotImplementedError("proxy and unix_socket are not supported by this client; omit them")
        self.server, self.address = settings.server, settings.address
        self.connect: Callable[..., http.client.HTTPConnection] = http.client.HTTPConnection
        if self.server.ssl:
            context = settings.tls.context(ssl.create_default_context)
            self.connect = partial(http.client.HTTPSConnection, context=context)

    @contextmanager
    def open(self, request: Request) -> Generator[Response[Iterator[bytes]]]:
        """Send a request and yield its response as it arrives."""
        idle = request.timeout.idle
        if request.timeout.total is not None:
            raise NotImplementedError("timeout: total is not supported by this client; use connect and idle")
        timeout = request.timeout.connect
        with closing(self.connect(self.server.host, self.server.port, timeout=timeout)) as connection:
            try:
                connection.connect()
            except OSError as error:
                raise TransportError(f"cannot connect to {self.address}: {error}", maybe_received=False) from error
            connection.sock.settimeout(idle)
            with self.mapped_exceptions(idle):
                connection.request(request.method, request.target, request.body, dict(request.headers))
                response = connection.getresponse()
            with response:
                chunks = iter(()) if response.status == 204 else iter(lambda: self.read_chunk(response, idle), b"")
                yield Response(response.status, Headers(response.getheaders()), chunks)

    def read_chunk(self, response: http.client.HTTPResponse, idle: float | None) -> bytes:
        """Read the next chunk of a body."""
        with self.mapped_exceptions(idle):
            chunk = response.read1(65536)
            if not chunk and response.length:  # http.client does not report a truncated body
                raise http.client.IncompleteRead(b"", response.length)
        return chunk

    @contextmanager
    def mapped_exceptions(self, idle: float | None) -> Generator[None]:
        """Map the library's exceptions to those of `influx_proto`."""
        try:
            yield
        except TimeoutError as error:
            raise TransportError(f"{self.address} sent and accepted nothing for {idle} s") from error
        except OSError as error:  # includes a connection that is closed before the response
            raise TransportError(f"the connection to {self.address} broke: {error}") from error
        except (http.client.HTTPException, ValueError) as error:
            msg = f"the response of {self.address} is truncated or malformed: {error!r}"
            raise ProtocolError(msg, retryable=True) from error

    def sleep(self, seconds: float) -> None:
        """Sleep for some seconds."""
        time.sleep(seconds)

    def now(self) -> float:
        """Return the time of the monotonic clock."""
        return time.monotonic()

    def time_ns(self) -> int:
        """Return the current time in nanoseconds since 1970."""
        return time.time_ns()

    def close(self) -> None:
        """Do nothing: no connection stays open between requests."""


class InfluxDBClient(Client[None]):
    """A sync client for InfluxDB that uses `http.client`."""

    def _make_transport(self, settings: Settings, session: None) -> HTTPClientTransport:  # noqa: ARG002 - sessions are not supported
        return HTTPClientTransport(settings)


if __name__ == "__main__":
    with InfluxDBClient.from_env() as client:
        print(client.ping())
        print(client.show_databases())
