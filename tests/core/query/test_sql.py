"""Requests and responses of SQL, without a server."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from influx_proto import (
    FLOAT,
    INT,
    MEASUREMENT,
    TAG,
    TIMEDT,
    DatabaseNotFound,
    Headers,
    Op,
    ProtocolError,
    QueryError,
    QueryTooLarge,
    ResponseError,
    Server,
    StreamOp,
    lineprotocol,
    ops,
)
from influx_proto._http.messages import Repeat
from influx_proto._runtime.settings import Settings

JSON_LINES = {"Content-Type": "application/jsonl"}
#: SERVERS.md 4.7: keys of null values are omitted, times have no zone, whole floats keep `.0`.
BODY = (
    b'{"host":"a","time":"2065-01-07T17:28:51","load":82.0,"n":1}\n'
    b'{"host":"b","time":"2065-01-07T17:28:51.000000001","n":2}\n'
)
NS = 2_998_574_931_000_000_000


class Color(Enum):
    RED = 1


class Name(StrEnum):
    A = "a"


class Number(IntEnum):
    ONE = 1


def sent(op: Op[Any] | StreamOp[Any], **settings: Any) -> dict[str, Any]:
    request = Settings(**settings).complete(op.request)
    assert isinstance(request.body, bytes)
    found: dict[str, Any] = json.loads(request.body)
    return found


def items(op: StreamOp[Any], body: bytes) -> list[Any]:
    decoder = op.decoder(200, Headers(JSON_LINES))
    return [*decoder.feed(body), *decoder.close()]


def test_request() -> None:
    op = ops.query_sql("SELECT 1", db="db")
    assert (op.request.method, op.request.target) == ("POST", "/api/v3/query_sql")
    assert op.request.headers == (("Content-Type", "application/json"),)
    assert op.request.repeat is Repeat.ALWAYS
    assert sent(op) == {"db": "db", "q": "SELECT 1", "format": "jsonl"}
    assert sent(op, database="other", bucket="b")["db"] == "db"


def test_database_of_the_client() -> None:
    for op in (
        ops.query_sql("SELECT $x", params={"x": "é"}),
        ops.query_points("SELECT $x", params={"x": "é"}, language="sql"),
    ):
        assert sent(op, database="a") == {"db": "a", "q": "SELECT $x", "format": "jsonl", "params": {"x": "é"}}
        assert sent(op, bucket="b/rp")["db"] == "b/rp"
        assert sent(op, database="a", bucket="b")["db"] == "a"
        with pytest.raises(ValueError, match=r"^db: .*database="):
            sent(op)
        completed = Server().complete(op.request, db="a")
        assert isinstance(completed.body, bytes)
        assert json.loads(completed.body)["db"] == "a"


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (None, None),
        (True, True),
        (np.bool_(False), False),
        (5, 5),
        (np.int8(-5), -5),
        (2**64 - 1, 2**64 - 1),
        (82.0, 82.0),
        (np.float32(0.5), 0.5),
        (Decimal("1.5"), 1.5),
        ("a'; DROP", "a'; DROP"),
        (np.str_("x"), "x"),
        (Color.RED, "RED"),
        (Name.A, "a"),
        (Number.ONE, 1),
        (datetime(2020, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))), "2020-01-01T00:00:00Z"),
        (datetime(2020, 1, 1, 0, 0, 0, 5, tzinfo=UTC).replace(tzinfo=None), "2020-01-01T00:00:00.000005Z"),
        (date(2020, 1, 1), "2020-01-01T00:00:00Z"),
        (np.datetime64(1, "ns"), "1970-01-01T00:00:00.000000001Z"),
        (pd.Timestamp(1, tz=UTC), "1970-01-01T00:00:00.000000001Z"),
    ],
)
def test_params(value: object, encoded: object) -> None:
    found = sent(ops.query_sql("SELECT $x", db="db", params={"x": value}))["params"]["x"]
    assert found == encoded
    assert type(found) is type(encoded)
    assert b"82.0" in json.dumps(found).encode() or value != 82.0  # a float stays one


@pytest.mark.parametrize("value", [b"a", [1], {"a": 1}, timedelta(1), object(), 1j])
def test_unsupported_params(value: object) -> None:
    with pytest.raises(TypeError, match=r"^params: 'x': unsupported type '\w+'"):
        ops.query_sql("SELECT $x", db="db", params={"x": value})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), Decimal("Infinity"), 2**64, -(2**63) - 1, "\ud800"])
def test_params_out_of_range(value: object) -> None:
    with pytest.raises(ValueError, match=r"^params: 'x': "):
        ops.query_sql("SELECT $x", db="db", params={"x": value})


@pytest.mark.parametrize("params", [{1: 2}, [("x", 1)]])
def test_params_of_a_wrong_type(params: Any) -> None:
    with pytest.raises(TypeError, match=r"^params: "):
        ops.query_sql("SELECT $x", db="db", params=params)


def test_invalid_arguments() -> None:
    with pytest.raises(ValueError, match=r"^q: the query is empty"):
        ops.query_sql(" ; ")
    with pytest.raises(ValueError, match=r"^db: must not be empty"):
        ops.query_sql("SELECT 1", db="")
    with pytest.raises(ValueError, match=r"^params: 'a b' is not a name"):
        ops.query_sql("SELECT 1", db="db", params={"a b": 1})
    with pytest.raises(ValueError, match=r"^language: must be one of influxql, sql, flux"):
        ops.query_points("SELECT 1", language="SQL")  # type: ignore[arg-type]  # on purpose
    for name, value in {"rp": "x", "format": "json", "epoch": "s"}.items():
        with pytest.raises(ValueError, match=f"^{name}: only InfluxQL"):
            ops.query_points("SELECT 1", language="sql", **{name: value})  # type: ignore[arg-type]  # on purpose


def test_result() -> None:
    result = ops.query_sql("SELECT 1", db="db").read(200, JSON_LINES, BODY)
    [series] = result.series
    assert (series.name, dict(series.tags)) == ("", {})
    assert list(result.points()) == [
        {"time": NS, "host": "a", "load": 82.0, "n": 1},
        {"time": NS + 1, "host": "b", "load": None, "n": 2},
    ]
    assert type(series.values[0][series.columns.index("load")]) is float
    frame = result.to_pandas()
    assert isinstance(frame.index, pd.DatetimeIndex)
    assert frame.index.tz is not None
    assert frame.index[1] == pd.Timestamp(NS + 1, tz="UTC")
    assert list(frame.columns) == ["host", "load", "n"]
    assert frame["n"].dtype == "int64"
    assert frame["load"].dtype == "float64"


def test_result_without_rows() -> None:
    result = ops.query_sql("SELECT 1", db="db").read(200, JSON_LINES, b"")
    assert result.series == []
    frame = ops.query_dataframe("SELECT 1", db="db", language="sql").read(200, JSON_LINES, b"")
    assert len(frame) == 0
    assert isinstance(frame.index, pd.DatetimeIndex)
    assert frame.index.tz is not None


def test_result_without_times() -> None:
    body = b'{"count(*)":3}\n'
    assert list(ops.query_sql("SELECT 1", db="db").read(200, JSON_LINES, body).points()) == [{"count(*)": 3}]
    frame = ops.query_dataframe("SELECT 1", db="db", language="sql").read(200, JSON_LINES, body)
    assert list(frame["count(*)"]) == [3]


def test_columns_that_begin_later() -> None:
    """A column that is null in the first rows appears only where it has a value (4.7)."""
    rows = [b'{"time":"2065-01-07T17:28:51","a":1}\n'] * 15_000
    rows += [b'{"time":"2065-01-07T17:28:52","a":1,"b":"x"}\n'] * 2
    body = b"".join(rows)
    result = ops.query_sql("SELECT 1", db="db").read(200, JSON_LINES, body)
    [series] = result.series
    assert series.columns == ("time", "a", "b")
    assert (series.values[0], series.values[-1]) == ([NS, 1, None], [NS + 10**9, 1, "x"])
    frame = ops.query_dataframe("SELECT 1", db="db", language="sql").read(200, JSON_LINES, body)
    assert frame["b"].notna().sum() == 2
    pd.testing.assert_frame_equal(frame, result.to_pandas())


@pytest.mark.parametrize("size", [1, 2, 3, 10])
def test_chunk_size(size: int) -> None:
    body = b"".join(b'{"time":"2065-01-07T17:28:51","a":%d}\n' % n for n in range(5))
    chunks = items(ops.query_chunks("SELECT 1", db="db", chunk_size=size, language="sql"), body)
    sizes = [len(chunk.series[0].values) for chunk in chunks]
    assert sizes == [len(range(5)[at : at + size]) for at in range(0, 5, size)]
    assert [point["a"] for chunk in chunks for point in chunk.points()] == list(range(5))
    frames = items(ops.query_dataframe_chunks("SELECT 1", db="db", chunk_size=size, language="sql"), body)
    assert [len(frame) for frame in frames] == sizes
    points = items(ops.query_points("SELECT 1", db="db", chunk_size=size, language="sql"), body)
    assert [point["a"] for point in points] == list(range(5))


@lineprotocol
class Cpu(NamedTuple):
    measurement: MEASUREMENT
    time: TIMEDT
    host: TAG
    load: FLOAT | None
    n: INT


def test_objects() -> None:
    body = BODY.replace(b'{"host', b'{"measurement":"cpu","host')
    found = ops.query_as(Cpu, "SELECT 'cpu' AS measurement, * FROM cpu", db="db", language="sql").read(
        200, JSON_LINES, body
    )
    assert found[0] == Cpu("cpu", datetime(2065, 1, 7, 17, 28, 51, tzinfo=UTC), "a", 82.0, 1)
    assert found[1].load is None


PLAN = b"error while planning query: Error during planning: table 'public.iox.nope' not found"
FILES = (
    b"External error: Query would scan 500 Parquet files, exceeding the file limit. Please specify a smaller time range"
)


@pytest.mark.parametrize(
    ("status", "headers", "body", "error_class", "retryable"),
    [
        (500, {}, PLAN, QueryError, False),  # 4.3: up to 3.9.0
        (400, {}, PLAN, QueryError, False),  # 4.3: 3.9.1 and later
        (500, {}, b"Schema error: No field named x.", QueryError, False),  # 4.3
        (500, {}, b"SQL error: ParserError", QueryError, False),  # 10
        (405, {}, b"This feature is not implemented: DDL", QueryError, False),  # 4.3
        (500, {}, FILES, QueryTooLarge, False),  # 4.3
        (500, {}, b"Query would exceed file limit of 432 parquet files. Please", QueryTooLarge, False),  # 4.3
        (404, {}, b'{"error":"query error: database not found: x"}', DatabaseNotFound, False),  # 4.3
        (403, {}, b"", QueryError, False),  # 4.3: empty body
        (500, {}, b"connection reset", QueryError, True),
        (503, {}, b"", QueryError, True),
        (404, {}, b"404 page not found\n", QueryError, False),  # 1.13.2, recorded
        (404, {}, b"Not found", QueryError, False),
        (400, {}, b"unsupported path requested: /api/v3/query_sql", QueryError, False),  # 6.1
    ],
)
def test_errors(
    status: int, headers: dict[str, str], body: bytes, error_class: type[ResponseError], retryable: bool
) -> None:
    with pytest.raises(error_class) as caught:
        ops.query_sql("SELECT 1", db="db").read(status, headers, body)
    assert isinstance(caught.value, QueryError)
    assert caught.value.retryable is retryable
    assert caught.value.message


def test_servers_without_sql() -> None:
    for body in (b"404 page not found\n", b"Not found"):
        with pytest.raises(QueryError, match=r"SQL needs InfluxDB 3 Core or Enterprise; use query\(\) for InfluxQL"):
            ops.query_sql("SELECT 1", db="db").read(404, {}, body)
    page = b"<!doctype html><html></html>"
    with pytest.raises(ProtocolError, match="SQL needs InfluxDB 3"):
        ops.query_sql("SELECT 1", db="db").read(200, {"Content-Type": "text/html; charset=utf-8"}, page)
