"""The protocol core over an HTTP stack of your own: here the standard library's `http.client`.

Everything that is InfluxDB's comes from `influx_proto`; what is left is how to send a request and read the answer.
The conformance suite of this repository runs over this client as it does over the three adapters.
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager

from influx_proto.adapter import Client, Headers, ProtocolError, Request, Response, Settings, TransportError


class HTTPClientTransport:
    """Opens a connection for each request: simple, and as good as any for a script."""

    def __init__(self, settings: Settings) -> None:
        self.server, self.timeout = settings.server, settings.timeout

    @contextmanager
    def open(self, request: Request) -> Generator[Response[Iterator[bytes]]]:
        """Send a request; give its answer as it arrives."""
        kind = http.client.HTTPSConnection if self.server.ssl else http.client.HTTPConnection
        with closing(kind(self.server.host, self.server.port, timeout=self.timeout.connect)) as connection:
            try:
                connection.connect()
            except OSError as error:
                msg = f"cannot connect to {self.server.netloc}: {error}"
                raise TransportError(msg, maybe_received=False) from error
            connection.sock.settimeout(self.timeout.idle)
            with self.translated():
                connection.request(request.method, request.target, request.body, dict(request.headers))
                answer = connection.getresponse()
            with answer:
                yield Response(answer.status, Headers(answer.getheaders()), Body(self, answer))

    @contextmanager
    def translated(self) -> Generator[None]:
        """Turn the library's exceptions into InfluxDB's."""
        where = self.server.netloc
        try:
            yield
        except TimeoutError as error:
            raise TransportError(f"{where} was silent for {self.timeout.idle} s") from error
        except OSError as error:  # a connection that is closed before the answer is among them
            raise TransportError(f"{where} broke the connection: {error}") from error
        except (http.client.HTTPException, ValueError) as error:
            raise ProtocolError(f"the answer of {where} is cut short or no HTTP: {error!r}", retryable=True) from error

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


class Body:
    """The pieces of an answer's body as they arrive."""

    def __init__(self, transport: HTTPClientTransport, answer: http.client.HTTPResponse) -> None:
        self.transport, self.answer = transport, answer

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        with self.transport.translated():
            piece = self.answer.read1(65536)
            if not piece and self.answer.length:  # http.client does not mind a body that is shorter than announced
                raise http.client.IncompleteRead(b"", self.answer.length)
        if not piece:
            raise StopIteration
        return piece


class InfluxDBClient(Client[None]):
    """A blocking client for InfluxDB over `http.client`."""

    def _make_transport(self, settings: Settings, session: None) -> HTTPClientTransport:  # noqa: ARG002 - there are none
        return HTTPClientTransport(settings)


if __name__ == "__main__":
    with InfluxDBClient.from_env() as client:
        print(client.ping())
        print(client.show_databases())
