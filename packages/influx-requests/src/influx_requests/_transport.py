"""Transport over requests."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from queue import Empty, SimpleQueue
from typing import Any

import requests
from influx_proto.adapter import (
    MAX_CONNECTIONS,
    Headers,
    Request,
    Response,
    Settings,
    Timeout,
    TransportError,
    no_free_connection,
    pool_wait,
)

from ._connection import SettingsAdapter, current
from ._errors import LIBRARY_ERRORS, map_exception

_CHUNK = 64 * 1024
_NEVER: Any = object()


class RequestsTransport:
    """Sends requests through a `requests.Session`."""

    def __init__(self, settings: Settings, session: requests.Session | None) -> None:
        self._settings = settings
        self._is_own = session is None
        self._session = self._create_session() if session is None else session
        # Unless the caller's session authenticates by itself, an entry in ~/.netrc must not replace our credentials.
        self._auth = _unchanged if self._session.auth is None else None
        self._process = os.getpid()
        self._slots = _new_slots()
        self._closed = False

    @contextmanager
    def open(self, request: Request) -> Generator[Response[Iterator[bytes]]]:
        """Send a request and return its response, whose body arrives while it is read."""
        timeout = request.timeout
        deadline = math.inf if timeout.total is None else time.monotonic() + timeout.total
        session = self._usable_session()
        slots = self._slots
        taken: list[None] = []
        try:
            if self._is_own:
                self._take_slot(slots, taken, timeout)
            with self._response(session, request, deadline) as response:
                # HTTP's headers are bytes; InfluxDB writes UTF-8 into them.
                headers = Headers((name, value.encode("latin-1").decode(errors="replace"))
                                  for name, value in response.headers.items())  # fmt: skip
                body: Iterator[bytes] = _Body(response, self._settings, timeout, deadline)
                if response.status_code == 204 and "Transfer-Encoding" in response.headers:
                    body = iter(())  # a 204 has no body, whatever its headers say; the connection is closed
                yield Response(response.status_code, headers, body)
        finally:
            if taken:
                slots.put(None)  # no signal handler can prevent the first call here

    def _take_slot(self, slots: SimpleQueue[None], taken: list[None], timeout: Timeout) -> None:
        """Wait until fewer than `MAX_CONNECTIONS` requests are in flight; append what must be put back."""
        free = iter(partial(slots.get, timeout=pool_wait(timeout)), _NEVER)
        try:
            # One call takes it and notes that: a signal handler can raise between two.
            taken.extend(islice(free, 1))
        except Empty as error:
            raise no_free_connection(self._settings.address, timeout) from error

    def _response(self, session: requests.Session, request: Request, deadline: float) -> requests.Response:
        current.deadline, current.idle = deadline, request.timeout.idle
        try:
            return self._send(session, request)
        except LIBRARY_ERRORS as error:
            if not isinstance(error, requests.HTTPError) or error.response is None:
                raise map_exception(error, self._settings, request.timeout, deadline) from error
            return error.response  # a hook of the caller's session raises for non-2xx responses
        finally:
            current.deadline = math.inf

    sleep = staticmethod(time.sleep)
    now = staticmethod(time.monotonic)
    time_ns = staticmethod(time.time_ns)

    def close(self) -> None:
        """Close the session, unless it is the caller's; requests in flight in other threads complete."""
        self._closed = True
        if self._is_own:
            self._session.close()

    def _create_session(self) -> requests.Session:
        session = _Session()
        session.trust_env = False  # the core reads the environment for all adapters
        adapter = SettingsAdapter(self._settings)
        session.mount("http://", adapter)
        session.mount("https://", adapter)
        return session

    def _usable_session(self) -> requests.Session:
        if self._closed:
            raise RuntimeError("this client is closed; create a new one")
        if self._process != os.getpid():
            if not self._is_own:
                raise RuntimeError("the session of this client is from before a fork; create one for each process")
            self._process = os.getpid()
            self._slots = _new_slots()
            self._session = self._create_session()  # the parent still uses the connections of the other session
        return self._session

    def _send(self, session: requests.Session, request: Request) -> requests.Response:
        timeout = request.timeout
        prepared = self._prepare(session, request)
        connect, read = _shortest(timeout.connect, timeout.total), _shortest(timeout.idle, timeout.total)
        return session.send(
            prepared,
            allow_redirects=False,
            timeout=(connect, read),
            **self._send_options(session),
        )

    def _prepare(self, session: requests.Session, request: Request) -> requests.PreparedRequest:
        """Return the request for requests, with the headers, credentials and cookies of the caller's session.

        Our own session has none: to let requests merge them would take a fifth of the time of a small write.
        """
        origin = self._settings.server.origin
        headers = dict(request.headers)
        data = request.body if isinstance(request.body, bytes) else iter(request.body)
        if self._is_own:
            prepared = requests.PreparedRequest()
            prepared.prepare_method(request.method)
            prepared.prepare_headers(headers)
            prepared.prepare_body(data, None)
        else:
            prepared = session.prepare_request(
                requests.Request(request.method, origin, headers=headers, data=data, auth=self._auth)
            )
        prepared.url = origin + request.target  # unchanged: requests would encode parts of it again
        return prepared

    def _send_options(self, session: requests.Session) -> dict[str, Any]:
        if not self._is_own:
            return dict(session.merge_environment_settings(self._settings.server.origin, {}, True, None, None))
        proxy = self._settings.proxy
        return {"stream": True, "proxies": {} if proxy is None else dict.fromkeys(("http", "https"), proxy.url)}


def _new_slots() -> SimpleQueue[None]:
    """Return a queue with an item for each request that may be in flight."""
    slots: SimpleQueue[None] = SimpleQueue()
    for _ in range(MAX_CONNECTIONS):
        slots.put(None)
    return slots


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return None: requests would build the next request of a redirect, and fail if it cannot."""


class _Body:
    """Iterator over the chunks of a response's body as they arrive."""

    def __init__(self, response: requests.Response, settings: Settings, timeout: Timeout, deadline: float) -> None:
        raw: Any = response.raw
        #: An adapter of the caller's session may return responses without `read1`.
        self._read: Callable[..., bytes] = getattr(raw, "read1", None) or raw.read
        self._settings = settings
        self._timeout = timeout
        self._deadline = deadline

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._deadline < math.inf and time.monotonic() > self._deadline:
            msg = f"the request to {self._settings.address} did not complete within {self._timeout.total} s"
            raise TransportError(msg)
        try:
            # One of requests' own methods waits until a chunk is full, and all of them remove the content encoding.
            chunk = self._read(_CHUNK, decode_content=False)
        except LIBRARY_ERRORS as error:
            raise map_exception(error, self._settings, self._timeout, self._deadline) from error
        if not chunk:
            raise StopIteration
        return chunk


def _shortest(*seconds: float | None) -> float | None:
    return min((each for each in seconds if each is not None), default=None)


def _unchanged(prepared: requests.PreparedRequest) -> requests.PreparedRequest:
    return prepared
