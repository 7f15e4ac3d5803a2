"""The interface for adapters, and the contract between an adapter and the core.

An adapter subclasses `Client` (sync code) or `AsyncClient` (async code). Its `_make_transport` returns a `Transport` or
an `AsyncTransport`, which opens requests, sleeps, reads the clocks and closes. It opens nothing yet, because an async
client may be created before its event loop runs. It raises `NotImplementedError` for a setting that the adapter does
not support, and names the setting. `session` is the `session=` argument of the client; an adapter without sessions
raises `TypeError` for one.

**The request.** The core has completed the request before it calls `open(request)`: path prefix, `db=`,
percent-encoding, compression, credentials. The core calls a token function before each attempt, just before `open`; the
adapter never does.

- Send `request.method` and, byte for byte, `request.target` to `settings.server`.
- Send the headers of `request.headers`. They include `User-Agent`, `Accept`, `Accept-Encoding`, `Authorization` and
  `Content-Encoding`, where they apply, and the caller's own. No name occurs twice. Send no defaults of the library,
  cookies or credentials from `~/.netrc` with them.
- Add `Host`, and the framing: `Content-Length` if `request.size` is a number, also `Content-Length: 0` for a POST, and
  `Transfer-Encoding: chunked` otherwise. A GET has neither.
- `request.body` is bytes, or an iterable of bytes, which may contain empty ones. It is a sync iterable for async
  adapters too, and does not block; call `iter` on it once in each `open`. Its exceptions pass unchanged.
- Connect as `settings.unix_socket` and `settings.proxy` say, and with TLS if `settings.server.ssl`, with the context
  that `settings.tls.context(ssl.create_default_context)` returns. The core has read the environment; the library must
  not. `proxy.headers` are for the proxy alone: with TLS they belong to `CONNECT`, otherwise to the request.
- Do not follow redirects, retry or decompress. The core does all of it.
- `open` is called concurrently by several threads or tasks. `MAX_CONNECTIONS` limits the connections of a client;
  further requests wait.
- `user_agent`, an attribute of the client class, is `name/version` of the adapter and its library, separated by a
  space.

**The response.** `open` is a context manager. It yields a `Response` as soon as status and headers have arrived.

- Pass the headers to `Headers` as pairs of bytes if the library has them: `Headers` decodes UTF-8 and replaces invalid
  bytes. If the library decodes headers as Latin-1, encode them back. Repeated headers need no merging. Skip 1xx
  responses.
- `body` is an iterator (an async iterator for async clients) of the body's bytes as they arrive, without transfer
  encoding and with content encoding. Implement it as a class with `__next__` or `__anext__`: a generator that is not
  exhausted would leak.
- An async stream may be iterated, and closed, in another task than the one that opened it. Do not keep a cancel scope,
  task group or `asyncio.timeout` open across the `yield`.
- On exit, keep the connection if the body was read to its end. Close it otherwise, also on an exception or
  cancellation.
- Bytes that follow a response do not belong to the next one: close such a connection.
- An early response is read while the body is still being sent.

**Timeouts.** `request.timeout` is in seconds; None waits indefinitely.

- `connect` covers name resolution, TCP, the proxy's response to `CONNECT` and TLS. Waiting for a free connection of the
  pool is not connecting.
- `pool` covers the wait for a free connection. `pool_wait(timeout)` returns the lesser of `pool` and `total`. When it
  has expired, raise the error that `no_free_connection(settings.address, timeout)` returns.
- `idle` covers each wait for the server: to accept the next part of the request, to begin the response, to continue it.
- `total` covers one attempt: from the call of `open`, with waiting for the pool and connecting, to the end of the body.
  It includes the time that the caller of a stream spends on its items, and excludes backoff.

**Errors.** Raise one of these for every exception of the library, with that exception as `__cause__`. The message
contains `settings.address`, and the seconds of the timeout that expired or the message of the innermost cause.

- `TransportError(message, maybe_received=False)` for a failure before the connection was open: DNS, TCP, TLS, the
  proxy, `connect`.
- The error that `proxy_rejected(settings.address, status, reason)` returns for a proxy that rejects a `CONNECT`.
- `TransportError(message, was_idle=True)` if a reused connection ended before the first byte of the response. The core
  repeats such a request once, immediately, if it is idempotent. If the library does not report that, omit it: the
  request then counts as an attempt, which `RetryPolicy` may repeat. Never set it for a new connection.
- `TransportError(message)` for every other failure and timeout of a connection.
- `ProtocolError(message, retryable=True)` for a truncated or malformed response, `ProtocolError(message)` for data that
  is not HTTP.
- `RuntimeError` from `open` after `close`.

Cancellation and `KeyboardInterrupt` pass unchanged.

**Closing.** `close()` or `aclose()` returns without waiting for requests and streams in flight, which finish normally.
It closes idle connections; the others close when their requests end. A session that the caller passed stays open.
The core calls it once.

**Background tasks.** Batch writers, and `write` with `in_flight`, need `_background`. It is called once for each
writer, and for an async client within the event loop. Without it the client does not support batch writers.

- Sync: `_background()` returns a `Threads`, and a function that runs a function in a daemon thread and returns at once.
  `threads.lock` is a `threading.RLock` or another lock that is implemented in C: a signal handler that raises
  `KeyboardInterrupt` cannot run between its `__enter__` and the block of the `with` statement (it can in CPython
  3.14, whose own locks are not safe from it either). `threads.holds_lock()`
  returns whether the current thread holds it: then a signal handler or a `__del__` method that writes must not wait.
- Async: `_background()` returns an `AsyncSignal`, and a function that takes a coroutine function and returns an async
  context manager: a task runs it while the context is open, and is cancelled on exit. The core may run several such
  tasks concurrently. It exits a context in the task that entered it. The core calls `notify` in the thread of the event
  loop, without a lock. `wait` sees each `notify` that follows its call; a `notify` without waiting tasks is lost.
- `caller()` of both returns the current thread or task, as an object that can be referenced weakly, and
  `has_ended(caller)` whether it has ended. `flush` raises the errors of lines that its caller wrote.
- `is_cancelled()` of an `AsyncSignal` returns whether the current task is being cancelled. If it is not, the core
  treats a cancellation as an error of the callback or token function that raised it. `loop()` returns the running event
  loop, or another object that is the same within one event loop.
- A spool needs `_spool_files(directory)` too. It returns a `SpoolFiles`, and for an async client also an `InThread`,
  which runs a blocking function in a thread. `InThread` returns only after the function has, even if the caller is
  cancelled.

The conformance suite in `tests/conformance` tests all of this.
"""

from ._batch.spool.directory import SpoolDirectory
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
from ._runtime.transport import (
    MAX_CONNECTIONS,
    AsyncSignal,
    AsyncTransport,
    Background,
    InThread,
    SpoolFiles,
    Threads,
    Transport,
    no_free_connection,
    pool_wait,
    proxy_rejected,
)

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
    "SpoolDirectory",
    "SpoolFiles",
    "Threads",
    "Timeout",
    "Transport",
    "TransportError",
    "arun",
    "no_free_connection",
    "pool_wait",
    "proxy_rejected",
    "run",
]

set_public_module(__name__, globals())
