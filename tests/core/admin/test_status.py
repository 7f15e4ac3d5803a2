"""Ping, health and readiness, read from the responses of each server."""

from __future__ import annotations

import copy
import json
import pickle
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from influx_proto import (
    AuthenticationError,
    ProtocolError,
    ResponseError,
    ServerInfo,
    ServerUnavailable,
    admin,
    ops,
)
from influx_proto.admin import Health, Readiness

JSON = {"Content-Type": "application/json"}
TEXT = {"Content-Type": "text/plain; charset=utf-8"}

#: From influxdb3_types/src/http.rs (PingResponse) of InfluxDB 3.
PING_3 = json.dumps({
    "product_name": "InfluxDB 3 Enterprise", "version": "3.10.1", "revision": "abc",
    "process_id": "3a8b8f0e-0000-4000-8000-000000000000",
}).encode()  # fmt: skip


def headers(version: str | None = None, build: str | None = None, **more: str) -> dict[str, str]:
    fields = {"X-Influxdb-Version": version, "X-Influxdb-Build": build, **more}
    return {name.replace("_", "-"): value for name, value in fields.items() if value is not None}


@pytest.mark.parametrize(
    ("status", "fields", "body", "expected"),
    [
        (204, headers("1.6.7~rc0", "OSS"), b"", ("InfluxDB 1", "1.6.7~rc0", "OSS")),
        (204, headers("v1.12.4", "OSS"), b"", ("InfluxDB 1", "v1.12.4", "OSS")),
        (204, headers("1.12.4-c1.12.4", "ENT"), b"", ("InfluxDB 1 Enterprise", "1.12.4-c1.12.4", "ENT")),
        (204, headers("unknown", "OSS"), b"", ("InfluxDB", "unknown", "OSS")),  # built without a version
        (200, headers("1.8.10", "OSS", **JSON), b'{"version":"1.8.10"}', ("InfluxDB 1", "1.8.10", "OSS")),
        (204, headers("v2.7.12", "OSS"), b"", ("InfluxDB 2", "v2.7.12", "OSS")),
        (204, headers("v2.7.4"), b"", (None, "v2.7.4", None)),  # QuestDB
        (204, headers(None, "cloud2"), b"", ("InfluxDB Cloud", None, "cloud2")),
        (204, headers("2.0.0", "Cloud2"), b"", ("InfluxDB Cloud", "2.0.0", "Cloud2")),
        (200, headers("3.10.1", "Enterprise", **JSON), PING_3, ("InfluxDB 3 Enterprise", "3.10.1", "Enterprise")),
        (200, headers("3.9.0", "Core"), b"", ("InfluxDB 3 Core", "3.9.0", "Core")),
        (200, {}, PING_3, ("InfluxDB 3 Enterprise", "3.10.1", None)),  # before 3.1
        (200, JSON, b'{"version":"3.0.0","revision":"a"}', (None, "3.0.0", None)),
        (204, {}, b"", (None, None, None)),  # VictoriaMetrics, GreptimeDB
        (204, headers(X_Geminidb_Version="v1.3.0", X_Geminidb_Build="OSS"), b"", ("openGemini", "v1.3.0", "OSS")),
        (200, headers("1.0"), b"", (None, "1.0", None)),  # the v1 listener of Telegraf
        (204, headers("2.0", "telegraf"), b"", ("Telegraf", "2.0", "telegraf")),
    ],
)
def test_ping(status: int, fields: dict[str, str], body: bytes, expected: tuple[Any, Any, Any]) -> None:
    info = ops.ping().read(status, fields, body)
    assert (info.product, info.version, info.build) == expected
    for copied in (copy.copy(info), pickle.loads(pickle.dumps(info))):
        assert (copied.product, copied.version, copied.build, dict(copied)) == (*expected, dict(info))


def test_ping_is_a_get() -> None:
    """InfluxDB 3 responds with 404 to HEAD."""
    assert (ops.ping().request.method, ops.ping().request.target) == ("GET", "/ping")


def test_server_info_of_headers() -> None:
    info = ServerInfo({"x-influxdb-version": "1.8.10"})
    assert (info.version, info["X-Influxdb-Version"], info.product) == ("1.8.10", "1.8.10", None)


@pytest.mark.parametrize(
    ("status", "fields", "body", "error"),
    [
        (401, {}, b'{"error": "the request was not authenticated"}', AuthenticationError),
        (400, {}, b'{"error": "Authorization header was malformed"}', ResponseError),
        (200, {"Content-Type": "text/html"}, b"<!doctype html>", ProtocolError),
        (200, JSON, b'{"version":5}', ProtocolError),
        (200, JSON, b'["version"]', ProtocolError),
        (200, JSON, b"[" * 5000, ProtocolError),
        (200, {}, b"", ProtocolError),
        (503, {}, b"", ServerUnavailable),
    ],
)
def test_failed_ping(status: int, fields: dict[str, str], body: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        ops.ping().read(status, fields, body)


# health

READY = "ready for queries and writes"


@pytest.mark.parametrize(
    ("status", "fields", "body", "expected"),
    [
        # Recorded from InfluxDB 1.13.2; some versions send it as text/plain.
        (200, TEXT, f'{{"checks":[],"message":"{READY}","name":"influxdb","status":"pass","version":"1.13.2"}}',
         Health(status="pass", name="influxdb", message=READY, version="1.13.2")),
        # From http/health.go and kit/check of InfluxDB 2.9.
        (503, JSON, ('{"name":"influxdb","message":"","status":"fail","checks":[{"name":"kv","status":"fail",'
         '"message":"closed"}],"version":"v2.9.1","commit":"abc"}'),
         Health(status="fail", name="influxdb", version="v2.9.1",
                checks=(Health(status="fail", name="kv", message="closed"),))),
        (503, JSON, '{"status":"starting"}', Health(status="starting")),
        # From health() of influxdb3_server/src/http.rs.
        (200, {}, "OK", Health(status="pass")),
    ],
    ids=["1.x", "2.9 failing", "2.9 starting", "3"],
)  # fmt: skip
def test_health(status: int, fields: dict[str, str], body: str, expected: Health) -> None:
    found = admin.health().read(status, fields, body.encode())
    assert found == expected
    assert found.ok is (status == 200)


@pytest.mark.parametrize(
    ("status", "fields", "body", "error", "match"),
    [
        (
            404,
            TEXT,
            b"404 page not found\n",
            ResponseError,
            "^the server has no /health; InfluxDB 1.8 or later, .* ping",
        ),
        (401, {}, b'{"error": "the request was not authenticated"}', AuthenticationError, "not authenticated"),
        (503, {"Content-Type": "text/html"}, b"<html><p>Busy", ServerUnavailable, "^Busy"),
        (503, {}, b"", ServerUnavailable, "503"),
        (503, JSON, b'{"status":5}', ServerUnavailable, "503"),
        (200, {"Content-Type": "text/html"}, b"<html>", ProtocolError, "not from InfluxDB"),
        (200, TEXT, b"fine", ProtocolError, "not from InfluxDB"),
        (200, JSON, b"{}", ProtocolError, "expected a status, got None"),
        (200, JSON, b'{"status":"pass","checks":5}', ProtocolError, "expected a list of checks"),
        (200, JSON, b'{"status":"pass","checks":[5]}', ProtocolError, "expected a check"),
        (200, JSON, b'{"status":"pass","checks":' + b"[" * 100_000, ProtocolError, "not from InfluxDB"),
    ],
)
def test_failed_health(status: int, fields: dict[str, str], body: bytes, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        admin.health().read(status, fields, body)


# ready


def test_ready() -> None:
    # From http/ready.go of InfluxDB 2.
    body = b'{"status":"ready","started":"2026-11-30T12:00:00.123456789Z","up":"14m45.911966424s"}\n'
    found = admin.ready().read(200, JSON, body)
    started = datetime(2026, 11, 30, 12, 0, 0, 123456, UTC)
    assert found == Readiness(
        status="ready", started=started, up=timedelta(minutes=14, seconds=45, microseconds=911966)
    )
    assert found.ok


def test_not_ready() -> None:
    # From the release notes of InfluxDB 2.9.
    found = admin.ready().read(503, JSON, b'{"status":"starting"}')
    assert found == Readiness(status="starting")
    assert not found.ok


@pytest.mark.parametrize("body", [b"OK", b"", b"ready\n"])
def test_ready_as_text(body: bytes) -> None:
    """The documentation of InfluxDB 3 Enterprise describes only the statuses."""
    assert admin.ready().read(200, {}, body).ok


@pytest.mark.parametrize(
    ("status", "fields", "body", "error", "match"),
    [
        (404, TEXT, b"404 page not found\n", ResponseError, "^the server has no /ready; InfluxDB 2 and .* call health"),
        (404, {}, b"Not found", ResponseError, "^the server has no /ready"),
        (503, {}, b"", ServerUnavailable, "503"),
        (200, JSON, b'{"status":"ready","up":"long"}', ProtocolError, "invalid duration 'long'"),
        (200, JSON, b'{"status":"ready","started":"x"}', ProtocolError, "invalid time 'x'"),
        (200, {"Content-Type": "text/html"}, b"<html>", ProtocolError, "not from InfluxDB"),
    ],
)
def test_failed_ready(status: int, fields: dict[str, str], body: bytes, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        admin.ready().read(status, fields, body)
