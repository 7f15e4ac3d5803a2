"""The protocol core over an HTTP stack of your own: here the standard library's `http.client`.

Everything that is InfluxDB's comes from `influx_proto`; what is left is how to send a request and read the answer.
The conformance suite of this repository runs over this client as it does over the three adapters.
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
    """Opens a connection for each request: simple, and as good as any for a script."""

    def __init__(self, settings: Settings) -> None:
        if settings.proxy is not None or settings.unix_socket is not None:
            raise NotImplementedError("proxy, unix_socket: this client knows neither")
        self.server, self.address = settings.server, settings.address
        self.kind: Callable[..., http.client.HTTPConnection] = http.client.HTTPConnection
        if self.server.ssl:
            self.kind = partial(http.client.HTTPSConnection, context=settings.tls.context(ssl.create_default_context))

    @contextmanager
    def open(self, request: Request) -> Generator[Response[Iterator[bytes]]]:
        """Send a request; give its answer as it arrives."""
        connect, idle = request.timeout.connect, request.timeout.idle
        if request.timeout.total is not None:
            raise NotImplementedError("timeout: this client knows no total")
        with closing(self.kind(self.server.host, self.server.port, timeout=connect)) as connection:
            try:
                connection.connect()
            except OSError as error:
                raise TransportError(f"cannot connect to {self.address}: {error}", maybe_received=False) from error
            connection.sock.settimeout(idle)
            with self.translated(idle):
                connection.request(request.method, request.target, request.body, dict(request.headers))
                answer = connection.getresponse()
            with answer:
                pieces = iter(()) if answer.status == 204 else iter(lambda: self.piece(answer, idle), b"")
                yield Response(answer.status, Headers(answer.getheaders()), pieces)

    def piece(self, answer: http.client.HTTPResponse, idle: float | None) -> bytes:
        """Read the next piece of a body."""
        with self.translated(idle):
            piece = answer.read1(65536)
            if not piece and answer.length:  # http.client does not mind a body that is shorter than announced
                raise http.client.IncompleteRead(b"", answer.length)
        return piece

    @contextmanager
    def translated(self, idle: float | None) -> Generator[None]:
        """Turn the library's exceptions into InfluxDB's."""
        try:
            yield
        except TimeoutError as error:
            raise TransportError(f"{self.address} sent and accepted nothing for {idle} s") from error
        except OSError as error:  # a connection that is closed before the answer is among them
            raise TransportError(f"the connection to {self.address} broke: {error}") from error
        except (http.client.HTTPException, ValueError) as error:
            msg = f"the answer of {self.address} is cut short or no HTTP: {error!r}"
            raise ProtocolError(msg, retryable=True) from error

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    def now(self) -> float:
        """Read the monotonic clock."""
        return time.monotonic()

    def time_ns(self) -> int:
        """Read the time of day."""
        return time.time_ns()

    def close(self) -> None:
        """Do nothing: no connection stays open between requests."""


class InfluxDBClient(Client[None]):
    """A blocking client for InfluxDB over `http.client`."""

    def _make_transport(self, settings: Settings, session: None) -> HTTPClientTransport:  # noqa: ARG002 - there are none
        return HTTPClientTransport(settings)


if __name__ == "__main__":
    with InfluxDBClient.from_env() as client:
        print(client.ping())
        print(client.show_databases())
