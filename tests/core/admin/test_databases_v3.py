"""Databases of InfluxDB 3: the requests, and the results read from responses.

The statuses are those that influxdb3/tests/server/configure.rs of InfluxDB 3.10 asserts.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from influx_proto import Op, ProtocolError, ResponseError, admin
from influx_proto._http.messages import Repeat
from influx_proto.admin import Database

PATH = "/api/v3/configure/database"
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("op", "method", "target", "document"),
    [
        (admin.list_databases_v3(), "GET", f"{PATH}?format=json", None),
        (admin.list_databases_v3(deleted=True), "GET", f"{PATH}?format=json&show_deleted=true", None),
        (admin.create_database_v3("d"), "POST", PATH, {"db": "d"}),
        (admin.create_database_v3("d", retention="INF"), "POST", PATH, {"db": "d"}),
        (admin.create_database_v3("d", retention="1h30m"), "POST", PATH, {"db": "d", "retention_period": "5400s"}),
        (admin.update_database_v3("d", retention="30d"), "PUT", PATH, {"db": "d", "retention_period": "2592000s"}),
        (admin.update_database_v3("d", retention="INF"), "PUT", PATH, {"db": "d"}),
        (admin.drop_database_v3("a b"), "DELETE", f"{PATH}?db=a%20b", None),
        (admin.drop_database_v3("d", hard_delete_at="now"), "DELETE", f"{PATH}?db=d&hard_delete_at=now", None),
        (admin.drop_database_v3("d", hard_delete_at=datetime(2027, 1, 1, tzinfo=UTC)), "DELETE",
         f"{PATH}?db=d&hard_delete_at=2027-01-01T00%3A00%3A00Z", None),
    ],
)  # fmt: skip
def test_requests(op: Op[Any], method: str, target: str, document: object) -> None:
    assert (op.request.method, op.request.target) == (method, target)
    assert op.request.repeat is (Repeat.ALWAYS if method == "GET" else Repeat.NEVER)
    if document is None:
        assert (op.request.body, op.request.headers) == (b"", ())
    else:
        assert isinstance(op.request.body, bytes)
        assert json.loads(op.request.body) == document
        assert op.request.headers == (("Content-Type", "application/json"),)


def test_list() -> None:
    body = b'[{"iox::database":"_internal","deleted":false},{"iox::database":"d-20261130T120000","deleted":true}]'
    assert admin.list_databases_v3().read(200, JSON, body) == [
        Database(name="_internal"),
        Database(name="d-20261130T120000", deleted=True),
    ]
    assert admin.list_databases_v3().read(200, JSON, b'[{"iox::database":"d"}]') == [Database(name="d")]
    assert admin.list_databases_v3().read(200, JSON, b"[]") == []


CHANGES: list[Op[None]] = [
    admin.create_database_v3("d"),
    admin.update_database_v3("d", retention="1d"),
    admin.drop_database_v3("d"),
]


@pytest.mark.parametrize("op", CHANGES)
def test_success(op: Op[None]) -> None:
    assert op.read(200, {}, b"") is None


@pytest.mark.parametrize("op", CHANGES)
@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (
            409,
            b"attempted to create a resource that already exists",
            "attempted to create a resource that already exists",
        ),
        (404, b"Not found", "Not found"),  # the database; InfluxDB 3 has the path
        (422, b'{"error":"too many databases"}', "too many databases"),
        (400, b'{"error":"invalid character in database or rp name"}', "invalid character in database or rp name"),
    ],
)
def test_errors(op: Op[None], status: int, body: bytes, message: str) -> None:
    with pytest.raises(ResponseError) as raised:
        op.read(status, {}, body)
    assert (raised.value.status, raised.value.message) == (status, message)


@pytest.mark.parametrize("op", [*CHANGES, admin.list_databases_v3()])
@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (404, {}, b"404 page not found\n"),  # InfluxDB 1.x
        (404, JSON, b'{"code":"not found","message":"path not found"}'),
        (
            404,
            {"X-Influxdb-Version": "v2.7.12"},
            b"no assets included in binary",
        ),  # recorded from a build without web page
        (200, {"X-Influxdb-Version": "v2.7.12", "Content-Type": "text/html; charset=utf-8"}, b"<!doctype html>"),
    ],
)
def test_other_servers(op: Op[Any], status: int, headers: dict[str, str], body: bytes) -> None:
    with pytest.raises(ResponseError, match=r"^the server has no /api/v3/.*; for InfluxDB 1.x call create_database, "):
        op.read(status, headers, body)


@pytest.mark.parametrize("body", [b"", b"{}", b"[5]", b'[{"database":"d"}]', b'[{"iox::database":"d","deleted":1}]'])
def test_malformed_lists(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        admin.list_databases_v3().read(200, JSON, body)


@pytest.mark.parametrize(
    ("build", "error", "match"),
    [
        (lambda: admin.create_database_v3(5), TypeError, "^db: "),  # type: ignore[arg-type]  # on purpose
        (lambda: admin.create_database_v3("d", retention="1ms"), ValueError, "^retention: must be a positive number"),
        (lambda: admin.update_database_v3("d", retention=None), TypeError, "^retention: "),  # type: ignore[arg-type]  # on purpose
        (lambda: admin.drop_database_v3("d", hard_delete_at="later"), ValueError, "^hard_delete_at: "),
        (lambda: admin.list_databases_v3(deleted=1), TypeError, "^deleted: "),  # type: ignore[arg-type]  # on purpose
    ],
)
def test_wrong_arguments(build: Callable[[], Op[Any]], error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        build()
