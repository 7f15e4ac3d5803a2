"""Requests to the HTTP APIs for administration, and the receiver of their responses."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, Generic, TypeVar

from .._errors import ProtocolError, ResponseError
from .._http.error_response import error_from_response, error_message, is_web_page, not_influxdb
from .._http.messages import Headers, Repeat, Request, add_params
from .._http.timeout import TimeoutLike, as_timeout
from .._influxql.quote import Duration, duration_ns, quoted
from .._repr import short_repr
from .._runtime.op import Op

T = TypeVar("T")
ValueT = TypeVar("ValueT")

#: Messages of a 404 response for an unknown path: of InfluxDB 1.x, and of 2.x with and without a web page.
_UNKNOWN_PATH: Final = frozenset({"404 page not found", "path not found", "no assets included in binary"})
_JSON: Final = (("Content-Type", "application/json"),)
_SECOND: Final = 1_000_000_000


def api_op(
    method: str,
    path: str,
    read: Callable[[bytes], T],
    *,
    servers: str,
    params: Iterable[tuple[str, str]] = (),
    document: Mapping[str, Any] | None = None,
    timeout: TimeoutLike | None = None,
) -> Op[T]:
    """Return an operation of one request to an HTTP API.

    Args:
        method: the HTTP method.
        path: the path, percent-encoded.
        read: returns the result from the body of a successful response.
        servers: the servers with this path, and the operation for other servers, for the error of a server without it.
        params: the parameters of the URL.
        document: the body, which is sent as JSON.
        timeout: replaces the client's timeout for this call, in seconds, as `(connect, idle)` or as a `Timeout`.
    """
    request = Request(
        method,
        add_params(path, params),
        headers=() if document is None else _JSON,
        body=b"" if document is None else json.dumps(document, ensure_ascii=False).encode(),
        repeat=Repeat.ALWAYS if method == "GET" else Repeat.NEVER,
    )
    return Op(request, partial(APIReceiver, read, path, servers), as_timeout(timeout))


class APIReceiver(Generic[T]):
    """Receives the response of an HTTP API."""

    def __init__(self, read: Callable[[bytes], T], path: str, servers: str, status: int, headers: Headers) -> None:
        self._read = read
        self._path = path
        self._servers = servers
        self._status = status
        self._headers = headers
        self._body = bytearray()

    def feed(self, data: bytes) -> None:
        """Receive body bytes."""
        self._body += data

    def close(self) -> T:
        """Return the result at the end of the response, or raise the error that the response describes."""
        body = bytes(self._body)
        if is_unknown_path(self._path, self._status, self._headers, body):
            raise ResponseError(self._status, f"the server has no {self._path}; {self._servers}", self._headers, body)
        if self._status not in {200, 201, 204}:
            raise error_from_response(ResponseError, self._status, self._headers, body)
        if is_web_page(self._headers):
            raise not_influxdb(self._status, self._headers, body)
        try:
            return self._read(body)
        except (ValueError, RecursionError):
            raise not_influxdb(self._status, self._headers, body) from None


def is_unknown_path(path: str, status: int, headers: Mapping[str, str], body: bytes) -> bool:
    """Return whether a response means that the server does not have this path."""
    if status == 200:  # the web page of InfluxDB 2, at all paths that do not belong to its API
        return is_web_page(headers) and "X-Influxdb-Version" in headers
    message = error_message(headers, body).strip().lower()
    if status == 404:
        # InfluxDB 3 has the paths below /api/v3, where this message means that an object does not exist.
        return message in _UNKNOWN_PATH or (message == "not found" and not path.startswith("/api/v3/"))
    return status == 405 or (status == 400 and "unsupported path requested" in message)  # the latter: VictoriaMetrics


def ignore_body(_body: bytes) -> None:
    """Return None, for responses without a result."""


def read_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object of a response."""
    return expect(json.loads(body), dict, "a JSON object")


def expect(value: object, expected: type[ValueT], description: str) -> ValueT:
    """Return a value of a response if it has the expected type.

    Raises:
        ProtocolError: it does not.
    """
    if isinstance(value, expected):
        return value
    msg = f"the response is not structured like InfluxDB's: expected {description}, got {short_repr(value)}"
    raise ProtocolError(msg)


def whole_seconds(argument: str, duration: Duration) -> int:
    """Return the seconds of a duration; 0 for `"INF"`, as the HTTP APIs represent it.

    Raises:
        TypeError: `duration` has another type.
        ValueError: `duration` is not a positive number of whole seconds, or not a duration.
    """
    if isinstance(duration, str) and duration.upper() == "INF":
        return 0
    ns = quoted(argument, lambda value: str(duration_ns(value)), duration)
    seconds, rest = divmod(int(ns), _SECOND)
    if rest or not seconds:
        raise ValueError(f"{argument}: must be a positive number of whole seconds, not {short_repr(duration)}")
    return seconds


def read_seconds(value: object) -> timedelta | None:
    """Return a number of seconds of a response as a duration; None for 0 or a missing value."""
    seconds = expect(0 if value is None else value, int, "a number of seconds")
    try:
        return timedelta(seconds=seconds) if seconds else None
    except OverflowError:
        raise ProtocolError(f"invalid number of seconds {short_repr(value)} in the response") from None


def read_timestamp(value: object) -> datetime | None:
    """Return a time of a response, truncated to microseconds; None for a missing time and for Go's zero time."""
    if value is None or value == "":
        return None
    try:
        found = datetime.fromisoformat(expect(value, str, "a time"))
    except ValueError:
        raise ProtocolError(f"invalid time {short_repr(value)} in the response") from None
    return None if found.year == 1 else found
