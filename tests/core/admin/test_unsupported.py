"""Statements that a server does not execute: the note on the error."""

from __future__ import annotations

import json
from typing import Any

import pytest
from influx_proto import Op, QueryError, admin, ops

V2 = {"Content-Type": "application/json", "X-Influxdb-Version": "v2.7.12", "X-Influxdb-Build": "OSS"}
V3 = {"Content-Type": "application/json", "cluster-uuid": "3a8b8f0e-0000-4000-8000-000000000000"}

# From v1/coordinator/statement_executor.go of InfluxDB 2, and from the planner and the parser of InfluxDB 3.
CREATE_DATABASE = "not implemented: CREATE DATABASE"
CREATE_USER = "not implemented: CREATE USER"
NOT_PLANNED = "error while planning query: This feature is not implemented: {}"
NOT_PARSED = "invalid CREATE statement, expected DATABASE at pos 7"


def notes(op: Op[Any], headers: dict[str, str], message: str, status: int = 200) -> list[str]:
    body = {"error": message} if status != 200 else {"results": [{"statement_id": 0, "error": message}]}
    with pytest.raises(QueryError) as raised:
        op.read(status, headers, json.dumps(body).encode())
    assert raised.value.message == message
    return getattr(raised.value, "__notes__", [])


@pytest.mark.parametrize(
    ("op", "headers", "message", "note"),
    [
        (ops.create_database("d"), V2, CREATE_DATABASE,
         "InfluxDB 2 does not execute CREATE DATABASE; call create_bucket"),
        (ops.create_database("d"), {"Content-Type": "application/json"}, CREATE_DATABASE,
         "InfluxDB 2 does not execute CREATE DATABASE; call create_bucket"),
        (ops.create_database("d"), V3, NOT_PLANNED.format("CREATE DATABASE"),
         "InfluxDB 3 does not execute CREATE DATABASE; call create_database_v3"),
        (ops.drop_database("d"), V3, NOT_PARSED, "InfluxDB 3 does not execute DROP DATABASE; call drop_database_v3"),
        (admin.alter_retention_policy("p", "d", default=True), V2, "not implemented: ALTER RETENTION POLICY",
         "InfluxDB 2 does not execute ALTER RETENTION POLICY; call update_bucket"),
        (admin.create_user("u", "p"), V2, CREATE_USER, "only InfluxDB 1.x executes this statement"),
        (admin.create_user("u", "p"), V3, NOT_PARSED, "only InfluxDB 1.x executes this statement"),
        (admin.grant("read", "d", "u"), V2, "not implemented: GRANT", "only InfluxDB 1.x executes this statement"),
        (admin.list_shards(), V2, "invalid query", "only InfluxDB 1.x executes this statement"),
        (admin.series_cardinality(), V2, "not implemented: SHOW SERIES CARDINALITY",
         "only InfluxDB 1.x executes this statement"),
        (admin.series_cardinality(exact=True), V2, "not implemented: SHOW SERIES CARDINALITY",
         "only InfluxDB 1.x executes this statement"),
        (admin.delete("m", db="d"), V3, NOT_PLANNED.format("DELETE"),
         "only InfluxDB 1.x and 2 execute this statement"),
        (ops.drop_measurement("m"), V3, NOT_PLANNED.format("DROP MEASUREMENT"),
         "only InfluxDB 1.x and 2 execute this statement"),
    ],
)  # fmt: skip
def test_note(op: Op[Any], headers: dict[str, str], message: str, note: str) -> None:
    assert notes(op, headers, message) == [note]
    assert notes(op, headers, message, status=400) == [note]


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        (V2, "database not found: d"),
        (V3, "Database d not found"),
        ({"Content-Type": "application/json", "X-Influxdb-Version": "1.8.10"}, "error parsing query: found x at pos 1"),
        ({"Content-Type": "application/json", "X-Influxdb-Version": "1.8.10"}, "invalid query"),
    ],
)
def test_other_errors_have_no_note(headers: dict[str, str], message: str) -> None:
    assert notes(ops.create_database("d"), headers, message) == []
