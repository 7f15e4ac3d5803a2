"""What an adapter may use: everything here, and nothing else of this package that is not public.

An adapter gives a face of the client (`Client` for blocking code, `AsyncClient` for awaiting code) the way to a
server: a `Transport` or `AsyncTransport`, which opens a request, sleeps, tells a monotonic time and closes.

`open(request)` is a context manager that

- sends `request.method`, `request.target` byte for byte, `request.headers` and `request.body` (bytes, or an iterable
  of bytes to be sent as it comes) to `settings.server`, and adds `Host` and the body's framing;
- follows no redirect and repeats nothing: both are decided in the core;
- gives a `Response`: status, `Headers`, and an iterator of the body's bytes as they arrive, without transfer and
  content codings. The iterator is an object of a class with `__next__` or `__anext__`, not a generator, so that
  leaving it early leaks nothing;
- on leaving reuses the connection if the body was read to its end, and closes it otherwise;
- turns every failure of the way into `TransportError`, with the library's exception as its cause, host and port in
  its text, and `maybe_received=False` where the server cannot have seen the request; and bytes that are no HTTP, or
  a body that ends too early, into `ProtocolError(..., retryable=True)`.

The conformance suite in `tests/conformance` holds an adapter to all of this.
"""

from ._client import AsyncClient, Client
from ._errors import InfluxDBError, ProtocolError, TransportError
from ._flow import AsyncTransport, Transport, arun, run
from ._server import Server
from ._settings import Settings, Timeout
from ._wire import Body, Headers, Request, Response

__all__ = [
    "AsyncClient",
    "AsyncTransport",
    "Body",
    "Client",
    "Headers",
    "InfluxDBError",
    "ProtocolError",
    "Request",
    "Response",
    "Server",
    "Settings",
    "Timeout",
    "Transport",
    "TransportError",
    "arun",
    "run",
]
