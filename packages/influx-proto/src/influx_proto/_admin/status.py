"""Ping, health and readiness of a server."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, Generic, TypeVar

from .._errors import ProtocolError, ResponseError
from .._http.error_response import ErrorReceiver, not_influxdb
from .._http.messages import Headers, Request
from .._http.timeout import TimeoutLike, as_timeout
from .._influxql.quote import go_duration_ns
from .._public_names import exported_by
from .._runtime.op import Op
from .http_api import APIReceiver, expect, read_object, read_timestamp

T = TypeVar("T")

#: The size up to which the body of a response to a ping is read; that of InfluxDB 3 has about 150 bytes.
_PING_LIMIT: Final = 4096
_HEALTH_SERVERS: Final = "InfluxDB 1.8 or later, InfluxDB 2 and InfluxDB 3 have it; call ping"
_READY_SERVERS: Final = "InfluxDB 2 and InfluxDB 3 Enterprise 3.10 or later have it; call health"


@exported_by("influx_proto")
class ServerInfo(Headers):
    """The headers of the response to a ping, and the product and version that the response names."""

    __slots__ = ("_document",)

    def __init__(
        self,
        fields: Mapping[str, str] | Iterable[tuple[str, str] | tuple[bytes, bytes]] = (),
        document: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(fields)
        #: The body of the response of InfluxDB 3.
        self._document = document or {}

    @property
    def version(self) -> str | None:
        """The server's version as reported (`1.8.10`, `1.6.7~rc0`, `v2.7.1`); None if it does not report one."""
        return self.get("X-Influxdb-Version") or self.get("X-Geminidb-Version") or self._text("version")

    @property
    def build(self) -> str | None:
        """`OSS`, `ENT`, `Core`, `Enterprise` or `cloud2`; None if the server does not report it."""
        return self.get("X-Influxdb-Build") or self.get("X-Geminidb-Build")

    @property
    def product(self) -> str | None:
        """The name of the product; None if the response does not identify it.

        `InfluxDB 1`, `InfluxDB 1 Enterprise`, `InfluxDB 2`, `InfluxDB 3 Core` and `InfluxDB 3 Enterprise`, or another
        name that InfluxDB 3 reports; `InfluxDB Cloud` for Cloud Dedicated, Serverless, TSM and InfluxDB Clustered;
        `openGemini` and `Telegraf`. VictoriaMetrics, GreptimeDB and QuestDB do not identify themselves.
        """
        if name := self._text("product_name"):
            return name
        if "X-Geminidb-Version" in self or "X-Geminidb-Build" in self:
            return "openGemini"
        build = self.build
        if build is None:
            return None  # QuestDB also reports the version of InfluxDB 2
        if name := _PRODUCTS.get(build.lower()):
            return name
        major = (self.version or "").removeprefix("v").partition(".")[0]
        edition = {"ENT": " Enterprise", "OSS": ""}.get(build, f" {build}")
        return f"InfluxDB {major}{edition}" if major.isdecimal() else f"InfluxDB{edition}"

    def _text(self, name: str) -> str | None:
        value = self._document.get(name)
        return value if isinstance(value, str) and value else None


#: The products of values of `X-Influxdb-Build` that do not name an edition.
_PRODUCTS: Final = {"cloud2": "InfluxDB Cloud", "telegraf": "Telegraf"}


class PingReceiver:
    """Receives the response to a ping: 204, or from InfluxDB 3 a 200 with JSON."""

    def __init__(self, status: int, headers: Headers) -> None:
        self._status = status
        self._headers = headers
        self._error_receiver = None if status in {200, 204} else ErrorReceiver(ResponseError, status, headers)
        self._body_start = b""

    def feed(self, data: bytes) -> None:
        """Receive body bytes."""
        if self._error_receiver is not None:
            self._error_receiver.feed(data)
        elif len(self._body_start) < _PING_LIMIT:
            self._body_start += data[:_PING_LIMIT]

    def close(self) -> ServerInfo:
        """Return the headers at the end of the response."""
        if self._error_receiver is not None:
            self._error_receiver.close()
        info = ServerInfo(self._headers, _document(self._body_start))
        # VictoriaMetrics responds 204 without a version; a web server at this address responds 200 with a page.
        if self._status == 200 and info.version is None:
            raise not_influxdb(self._status, self._headers, self._body_start)
        return info


def _document(body: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def ping(*, timeout: TimeoutLike | None = None) -> Op[ServerInfo]:
    """Check that the server is reachable, and return its product and version.

    Args:
        timeout: replaces the client's timeout for this call, in seconds, as `(connect, idle)` or as a `Timeout`.

    Returns:
        The headers of the response, with `.product`, `.version` and `.build`.

    Raises:
        AuthenticationError: the server requires credentials for `/ping`, as InfluxDB 3 does.
        ProtocolError: the response is not from InfluxDB.
    """
    # GET, because InfluxDB 3 has no HEAD.
    return Op(Request("GET", "/ping"), PingReceiver, as_timeout(timeout))


@exported_by("influx_proto.admin")
@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The health of a server, or of a part of it."""

    #: `pass` if it is healthy; `fail`, or `starting` for a server that is not ready yet.
    status: str
    #: The name of the server or part, such as `influxdb`.
    name: str = ""
    #: Details.
    message: str = ""
    #: The server's version as reported; None for a part, and for InfluxDB 3.
    version: str | None = None
    #: The health of the server's parts.
    checks: tuple[Health, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the server is healthy."""
        return self.status == "pass"


@exported_by("influx_proto.admin")
@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """Whether a server is ready for requests."""

    #: `ready`, or another status such as `starting`.
    status: str
    #: When the server started; None if it does not report it.
    started: datetime | None = None
    #: How long the server has been running; None if it does not report it.
    up: timedelta | None = None

    @property
    def ok(self) -> bool:
        """Whether the server is ready."""
        return self.status == "ready"


def health(*, timeout: TimeoutLike | None = None) -> Op[Health]:
    """Return the health of the server.

    A server that reports a failure with status 503 is a result too, which is not retried: check `.ok`.

    Args:
        timeout: replaces the client's timeout for this call, in seconds, as `(connect, idle)` or as a `Timeout`.

    Raises:
        ResponseError: the server does not report its health (InfluxDB before 1.8, InfluxDB Cloud).
        AuthenticationError: the server requires credentials for `/health`, as InfluxDB 3 does.
        ServerUnavailable: a proxy in front of the server responds.
        ProtocolError: the response is not from InfluxDB.
    """
    return _report_op("/health", _read_health, _HEALTH_SERVERS, timeout)


def ready(*, timeout: TimeoutLike | None = None) -> Op[Readiness]:
    """Return whether the server is ready for requests, and since when it is running.

    A server that is starting responds with status 503. This is a result too, which is not retried: check `.ok`.

    Args:
        timeout: replaces the client's timeout for this call, in seconds, as `(connect, idle)` or as a `Timeout`.

    Raises:
        ResponseError: the server does not report whether it is ready (InfluxDB 1.x, InfluxDB 3 Core).
        AuthenticationError: the server requires credentials for `/ready`.
        ServerUnavailable: a proxy in front of the server responds.
        ProtocolError: the response is not from InfluxDB.
    """
    return _report_op("/ready", _read_readiness, _READY_SERVERS, timeout)


def _report_op(path: str, read: Callable[[bytes], T], servers: str, timeout: TimeoutLike | None) -> Op[T]:
    receiver = partial(_ReportReceiver, read, path, servers)
    return Op(Request("GET", path), receiver, as_timeout(timeout))


class _ReportReceiver(APIReceiver[T], Generic[T]):
    """Receives a report of the server's state, which has the status 503 if the server is not available."""

    def close(self) -> T:
        if self._status == 503 and isinstance((_document(bytes(self._body)) or {}).get("status"), str):
            return self._read(bytes(self._body))
        return super().close()


def _read_health(body: bytes) -> Health:
    if body.strip().upper() == b"OK":  # InfluxDB 3
        return Health(status="pass")
    return _health(read_object(body))


def _health(fields: Mapping[str, Any]) -> Health:
    checks = expect(fields.get("checks") or [], list, "a list of checks")
    return Health(
        status=expect(fields.get("status"), str, "a status"),
        name=expect(fields.get("name") or "", str, "a name"),
        message=expect(fields.get("message") or "", str, "a message"),
        version=expect(fields.get("version") or "", str, "a version") or None,
        checks=tuple(_health(expect(each, dict, "a check")) for each in checks),
    )


def _read_readiness(body: bytes) -> Readiness:
    if body.strip().upper() in {b"OK", b"READY", b""}:
        return Readiness(status="ready")
    fields = read_object(body)
    up = expect(fields.get("up") or "", str, "a duration")
    try:
        duration = timedelta(microseconds=go_duration_ns(up) // 1_000) if up else None
    except (ValueError, OverflowError):
        raise ProtocolError(f"invalid duration {up[:40]!r} in the response") from None
    return Readiness(
        status=expect(fields.get("status"), str, "a status"),
        started=read_timestamp(fields.get("started")),
        up=duration,
    )
