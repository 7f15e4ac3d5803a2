"""What an adapter may use: everything here, and nothing else of this package that is not public.

An adapter gives a face of the client (`Client` for blocking code, `AsyncClient` for awaiting code) the way to a
server: a `Transport` or `AsyncTransport`, which opens a request, sleeps, tells a monotonic time and closes.

`open(request)` is a context manager that

- sends `request.method`, `request.target` byte for byte, `request.headers` and `request.body` (bytes, or an iterable
  of bytes to be sent as it comes) to `settings.server`, and adds `Host` and the body's framing;
- goes the way that `settings.unix_socket` and `settings.proxy` say, and over TLS with the context that
  `settings.tls.context(ssl.create_default_context)` gives; what it cannot do it refuses when it is made;
- waits as long as `request.timeout` says, and no longer;
- follows no redirect and repeats nothing: both are decided in the core;
- gives a `Response`: status, `Headers`, and an iterator of the body's bytes as they arrive, without transfer coding
  but with their content coding, which the core removes. The iterator is an object of a class with `__next__` or
  `__anext__`, not a generator, so that leaving it early leaks nothing;
- on leaving reuses the connection if the body was read to its end, and closes it otherwise;
- turns every failure of the way into `TransportError`, with the library's exception as its cause, host and port in
  its text (`settings.where`), `maybe_received=False` where the server cannot have seen the request, and
  `was_idle=True` where a kept connection ended before the first byte of the answer; and bytes that are no HTTP, or
  a body that ends too early, into `ProtocolError(..., retryable=True)`.

A batch writer also needs a signal and something that runs beside its caller (`_background`), and for its spool the
files of a directory (`_spool_files`): a `SpoolFiles`, whose methods may block, and over an event loop how to call them
in a thread.

Closing lets what is under way finish; what would begin then raises RuntimeError.

The conformance suite in `tests/conformance` holds an adapter to all of this.
"""

from ._batch.spool.directory import SpoolDirectory
from ._batch.spool.log import SpoolFiles
from ._client.async_client import AsyncClient
from ._client.client import Client
from ._errors import InfluxDBError, ProtocolError, TransportError
from ._http.messages import Body, Headers, Request, Response
from ._http.proxy import Proxy
from ._http.server import Server
from ._http.timeout import Timeout
from ._public_names import set_public_module
from ._runtime.flow import arun, run
from ._runtime.settings import Settings
from ._runtime.transport import MAX_CONNECTIONS, AsyncSignal, AsyncTransport, Background, InThread, Signal, Transport

__all__ = [
    "MAX_CONNECTIONS",
    "AsyncClient",
    "AsyncSignal",
    "AsyncTransport",
    "Background",
    "Body",
    "Client",
    "Headers",
    "InThread",
    "InfluxDBError",
    "ProtocolError",
    "Proxy",
    "Request",
    "Response",
    "Server",
    "Settings",
    "Signal",
    "SpoolDirectory",
    "SpoolFiles",
    "Timeout",
    "Transport",
    "TransportError",
    "arun",
    "run",
]

set_public_module(__name__, globals())
