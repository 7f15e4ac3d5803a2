"""The way to a server over requests."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from http.client import BadStatusLine

import requests
from influx_proto.adapter import Headers, InfluxDBError, ProtocolError, Request, Response, Settings, TransportError
from urllib3.exceptions import NameResolutionError, NewConnectionError

_log = logging.getLogger("influx_requests")

_PIECE = 64 * 1024


class RequestsTransport:
    """Sends requests through a `requests.Session`."""

    def __init__(self, settings: Settings, session: requests.Session | None) -> None:
        self._settings = settings
        self._is_own = session is None
        self._session = requests.Session() if session is None else session
        # Unless the caller's session authenticates by itself, an entry in ~/.netrc must not replace our credentials.
        self._auth = _as_it_is if self._session.auth is None else None

    @contextmanager
    def open(self, request: Request) -> Generator[Response[Iterator[bytes]]]:
        """Send a request; give its answer as it arrives."""
        server, timeout = self._settings.server, self._settings.timeout
        deadline = None if timeout.total is None else time.monotonic() + timeout.total
        try:
            prepared = self._session.prepare_request(
                requests.Request(
                    request.method,
                    server.origin,
                    headers=dict(request.headers),
                    data=request.body if isinstance(request.body, bytes) else iter(request.body),
                    auth=self._auth,
                )
            )
            prepared.url = server.origin + request.target  # as it stands: requests would encode parts of it anew
            answer = self._session.send(
                prepared,
                stream=True,
                allow_redirects=False,
                timeout=(timeout.connect, timeout.idle),
                verify=self._settings.verify,
                cert=self._settings.cert,
            )
        except requests.RequestException as error:
            raise _translated(error, self._settings) from error
        _log.debug("%s answered HTTP %d", server.netloc, answer.status_code)
        with answer:
            # HTTP's header fields are bytes; what InfluxDB puts into them is UTF-8.
            headers = Headers((name, value.encode("latin-1").decode(errors="replace"))
                              for name, value in answer.headers.items())  # fmt: skip
            yield Response(answer.status_code, headers, _Body(answer, self._settings, deadline))

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
        """Close the session, unless it is the caller's."""
        if self._is_own:
            self._session.close()


class _Body:
    """The pieces of an answer's body as they arrive."""

    def __init__(self, answer: requests.Response, settings: Settings, deadline: float | None) -> None:
        self._pieces: Iterator[bytes] = answer.iter_content(_PIECE)
        self._settings = settings
        self._deadline = deadline

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._deadline is not None and time.monotonic() > self._deadline:
            msg = f"{self._settings.server.netloc} did not finish within {self._settings.timeout.total} s"
            raise TransportError(msg)
        try:
            return next(self._pieces)
        except requests.RequestException as error:
            raise _translated(error, self._settings) from error


def _as_it_is(prepared: requests.PreparedRequest) -> requests.PreparedRequest:
    return prepared


def _translated(error: requests.RequestException, settings: Settings) -> InfluxDBError:
    """Say the library's exception as one of ours, by what lies at its bottom."""
    where = settings.server.netloc
    causes = list(_causes(error))
    reason = str(causes[-1]) or repr(causes[-1])
    if isinstance(error, requests.ConnectTimeout):
        msg = f"cannot connect to {where}: no answer within {settings.timeout.connect} s"
        return TransportError(msg, maybe_received=False)
    if any(isinstance(cause, (NewConnectionError, NameResolutionError)) for cause in causes):
        return TransportError(f"cannot connect to {where}: {reason}", maybe_received=False)
    if isinstance(error, requests.exceptions.SSLError):
        return TransportError(f"cannot talk TLS with {where}: {reason}", maybe_received=False)
    if isinstance(error, requests.Timeout) or any(isinstance(cause, TimeoutError) for cause in causes):
        return TransportError(f"{where} was silent for {settings.timeout.idle} s")
    if any(isinstance(cause, ConnectionResetError) for cause in causes):
        return TransportError(f"{where} broke the connection: {reason}")
    if any(isinstance(cause, BadStatusLine) and not isinstance(cause, ConnectionError) for cause in causes):
        return ProtocolError(f"what {where} answers is no HTTP: {reason}")
    if isinstance(error, (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError)):
        return ProtocolError(f"the answer of {where} is cut short or garbled: {reason}", retryable=True)
    return TransportError(f"{where}: {reason}")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Walk from the library's exception down to what happened: requests and urllib3 wrap several times."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        wrapped = [argument for argument in cause.args if isinstance(argument, BaseException)]
        cause = cause.__cause__ or cause.__context__ or (wrapped[0] if wrapped else None)
