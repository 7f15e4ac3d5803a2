"""Requests and responses of Flux, without a server. The responses were recorded from InfluxDB 1.13.2."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from influx_proto import DatabaseNotFound, Headers, QueryError, StreamOp, ops
from influx_proto._http.messages import Repeat
from influx_proto._runtime.settings import Settings

CSV = {"Content-Type": "text/csv; charset=utf-8"}
#: Two results, and an empty string that cannot be distinguished from null.
BODY = (
    b"#datatype,string,long,dateTime:RFC3339,dateTime:RFC3339,dateTime:RFC3339,long,string,string,string\r\n"
    b"#group,false,false,true,true,false,false,true,true,true\r\n"
    b"#default,one,,,,,,,,\r\n"
    b",result,table,_start,_stop,_time,_value,_field,_measurement,host\r\n"
    b",,0,2020-01-01T00:00:00Z,2026-11-30T12:59:30.482468124Z,2020-09-13T12:26:40.000000001Z,3,n,cpu,a\r\n"
    b",,1,2020-01-01T00:00:00Z,2026-11-30T12:59:30.482468124Z,2020-09-13T12:26:41Z,4,n,cpu,b\r\n"
    b"\r\n"
    b"#datatype,string,long,dateTime:RFC3339,dateTime:RFC3339,dateTime:RFC3339,string,string,string,string\r\n"
    b"#group,false,false,true,true,false,false,true,true,true\r\n"
    b"#default,two,,,,,,,,\r\n"
    b",result,table,_start,_stop,_time,_value,_field,_measurement,host\r\n"
    b",,0,2020-01-01T00:00:00Z,2026-11-30T12:59:30.482468124Z,2020-09-13T12:26:40.000000001Z,x,s,cpu,a\r\n"
    b",,1,2020-01-01T00:00:00Z,2026-11-30T12:59:30.482468124Z,2020-09-13T12:26:41Z,,s,cpu,b\r\n"
    b"\r\n\r\n"
)
ERROR = (
    b"\r\n#datatype,string,string\r\n#group,true,true\r\n#default,,\r\n,error,reference\r\n"
    b",runtime error: cannot divide by zero,\r\n"
)
NO_BUCKET = b'{"code":"not found","message":"failed to initialize execute state: could not find bucket \\"x\\""}'
FIRST = 1_600_000_000_000_000_001


def sent(q: str, **options: Any) -> dict[str, Any]:
    request = ops.query_flux(q, **options).request
    assert isinstance(request.body, bytes)
    found: dict[str, Any] = json.loads(request.body)
    return found


def init(value: object) -> Any:
    """Return the expression that a parameter is bound to."""
    [statement] = sent("x", params={"x": value})["extern"]["body"]
    assert statement["id"] == {"type": "Identifier", "name": "x"}
    return statement["init"]


def test_request() -> None:
    op = ops.query_flux('from(bucket: "b")', org="my org")
    assert (op.request.method, op.request.target) == ("POST", "/api/v2/query?org=my%20org")
    assert op.request.headers == (("Content-Type", "application/json"),)
    assert sent('from(bucket: "b")') == {
        "query": 'from(bucket: "b")',
        "type": "flux",
        "dialect": {"header": True, "annotations": ["datatype", "group", "default"]},
    }
    assert Settings(org="other").complete(op.request).target == op.request.target
    for each in (ops.query_flux("x"), ops.query_points("x", language="flux")):
        assert Settings(org="o").complete(each.request).target == "/api/v2/query?org=o"
        assert Settings().complete(each.request).target == "/api/v2/query"  # InfluxDB 1.x has no organizations


def test_params() -> None:
    assert init('a" ${1}') == {"type": "StringLiteral", "value": 'a" ${1}'}
    assert init(True) == {"type": "BooleanLiteral", "value": True}
    assert init(np.int64(5)) == {"type": "IntegerLiteral", "value": "5"}
    minus_5 = {"type": "UnaryExpression", "operator": "-", "argument": {"type": "IntegerLiteral", "value": "5"}}
    assert init(-5) == minus_5
    assert init(-(2**63)) == {"type": "IntegerLiteral", "value": str(-(2**63))}
    assert init(2**64 - 1) == {"type": "UnsignedIntegerLiteral", "value": str(2**64 - 1)}
    assert init(2.0) == {"type": "FloatLiteral", "value": 2.0}
    time = {"type": "DateTimeLiteral", "value": "2020-01-01T00:00:00Z"}
    assert init(datetime(2020, 1, 1, tzinfo=UTC)) == init(pd.Timestamp("2020-01-01")) == time
    assert init(re.compile("a|b", re.IGNORECASE)) == {"type": "RegexpLiteral", "value": "(?i)a|b"}
    assert init(["a", 1.5])["elements"] == [init("a"), init(1.5)]


def test_negative_durations() -> None:
    """A sign inside a duration literal, as influxdb-client sends it, has no effect on InfluxDB 1.13."""
    literal = {
        "type": "DurationLiteral",
        "values": [{"magnitude": 86400, "unit": "s"}, {"magnitude": 5000, "unit": "ns"}],
    }
    assert init(timedelta(days=1, microseconds=5)) == literal
    assert init(-timedelta(days=1, microseconds=5)) == {"type": "UnaryExpression", "operator": "-", "argument": literal}


@pytest.mark.parametrize("value", [None, b"a", {"a": 1}, {1}, object(), [None]])
def test_unsupported_params(value: object) -> None:
    with pytest.raises(TypeError, match=r"^params: 'x': unsupported type '\w+'"):
        sent("x", params={"x": value})


@pytest.mark.parametrize("value", [float("nan"), 2**64, "\ud800", [float("inf")]])
def test_params_out_of_range(value: object) -> None:
    with pytest.raises(ValueError, match=r"^params: 'x': "):
        sent("x", params={"x": value})


@pytest.mark.parametrize("name", ["", "1a", "a b", "a=1\nb", "é"])
def test_names_of_params(name: str) -> None:
    with pytest.raises(ValueError, match=r"^params: .* is not a name"):
        sent("x", params={name: 1})


def test_invalid_arguments() -> None:
    with pytest.raises(ValueError, match=r"^q: the query is empty"):
        ops.query_flux("\n")
    with pytest.raises(ValueError, match=r"^db: .*from\(bucket:"):
        ops.query_points("x", language="flux", db="db")
    with pytest.raises(ValueError, match=r"^rp: only InfluxQL"):
        ops.query_dataframe("x", language="flux", rp="rp")


@pytest.mark.parametrize(
    ("script", "repeat"),
    [
        ('from(bucket: "b") |> range(start: -1h)', Repeat.ALWAYS),
        ('import "array"\nimport s "strings"\nfrom(bucket: "total")', Repeat.ALWAYS),
        ('import "influxdata/influxdb/schema"\nschema.tagKeys(bucket: "b")', Repeat.ALWAYS),
        ('from(bucket: "b") |> to(bucket: "c")', Repeat.NEVER),
        ('f = to\nfrom(bucket: "b") |> f (bucket: "c")', Repeat.NEVER),
        ('from(bucket: "b") |> wideTo(bucket: "c")', Repeat.NEVER),
        ('import "http"\nhttp.post(url: "u")', Repeat.NEVER),
        ('import x "experimental"', Repeat.NEVER),
        ('import"sql"', Repeat.NEVER),
    ],
)
def test_only_reads_are_repeated(script: str, repeat: Repeat) -> None:
    assert ops.query_flux(script).request.repeat is repeat


def test_result() -> None:
    result = ops.query_flux("x").read(200, CSV, BODY)
    assert [each.get("result") for each in result["results"]] == ["one", "two"]
    assert [series.statement_id for series in result.series] == [0, 0, 1, 1]
    first = result.series[0]
    assert (first.name, first.tags["host"], first.columns) == ("cpu", "a", ("time", "_value"))
    assert [series.values for series in result.series] == [
        [[FIRST, 3]], [[FIRST + 10**9 - 1, 4]], [[FIRST, "x"]], [[FIRST + 10**9 - 1, None]],
    ]  # fmt: skip
    frames = ops.query_dataframes("x", language="flux").read(200, CSV, BODY)
    assert [list(frame["_value"].dropna()) for frame in frames] == [[3, 4], ["x"]]
    assert frames[0].index[0] == pd.Timestamp(FIRST, tz="UTC")
    with pytest.raises(ValueError, match="use query_dataframes"):
        ops.query_dataframe("x", language="flux").read(200, CSV, BODY)


def test_result_without_rows() -> None:
    for body in (b"\r\n", b"\r\n\r\n"):
        assert ops.query_flux("x").read(200, CSV, body).series == []
        frame = ops.query_dataframe("x", language="flux").read(200, CSV, body)
        assert len(frame) == 0
        assert isinstance(frame.index, pd.DatetimeIndex)
        assert frame.index.tz is not None


def read_items(op: StreamOp[Any], body: bytes) -> list[Any]:
    decoder = op.decoder(200, Headers(CSV))
    return [*decoder.feed(body), *decoder.close()]


def test_streams() -> None:
    points = read_items(ops.query_points("x", language="flux"), BODY)
    assert [(point["time"], point["_field"], point["_value"]) for point in points] == [
        (FIRST, "n", 3), (FIRST + 10**9 - 1, "n", 4), (FIRST, "s", "x"), (FIRST + 10**9 - 1, "s", None),
    ]  # fmt: skip
    assert len(read_items(ops.query_chunks("x", chunk_size=1, language="flux"), BODY)) == 4
    assert len(read_items(ops.query_dataframe_chunks("x", language="flux"), BODY)) == 4


def test_error_within_the_response() -> None:
    begin = BODY[: BODY.index(b"\r\n\r\n") + 2]
    with pytest.raises(QueryError, match=r"^runtime error: cannot divide by zero$") as caught:
        ops.query_flux("x").read(200, CSV, begin + ERROR)
    assert not caught.value.retryable
    assert caught.value.partial_result is not None
    assert len(caught.value.partial_result.series) == 2
    with pytest.raises(QueryError, match="divide by zero"):
        ops.query_dataframe("x", language="flux").read(200, CSV, begin + ERROR)


@pytest.mark.parametrize(
    ("status", "headers", "body", "error_class", "retryable"),
    [
        # InfluxDB 1.13.2, recorded: every error has status 500.
        (500, {}, b'{"error":"compilation failed: error @1:1-1:13: expected RPAREN, got EOF"}\n', QueryError, False),
        (500, CSV, b'{"error":"runtime error: cannot divide by zero"}\n', QueryError, False),
        (500, CSV, b'{"error":"failed to initialize execute state: no database"}\n', DatabaseNotFound, False),
        (500, {"X-Influxdb-Error": "x", "Content-Type": "text/csv"}, b"error\nx\n", QueryError, False),
        # InfluxDB 2.x: PROTOCOL.md 4.3.
        (400, {}, b'{"code":"invalid","message":"compilation failed: error @1:1-1:4"}', QueryError, False),
        (404, {}, NO_BUCKET, DatabaseNotFound, False),
        (500, {}, b'{"code":"internal error","message":"x"}', QueryError, True),
        (429, {}, b'{"code":"too many requests","message":"x"}', QueryError, True),
        (502, {"Content-Type": "text/html"}, b"<html>", QueryError, True),
    ],
)  # fmt: skip
def test_errors(
    status: int, headers: dict[str, str], body: bytes, error_class: type[Exception], retryable: bool
) -> None:
    with pytest.raises(error_class) as caught:
        ops.query_flux("x").read(status, headers, body)
    assert isinstance(caught.value, QueryError)
    assert caught.value.retryable is retryable


def test_servers_without_flux() -> None:
    disabled = (
        b'{"error":"Flux query service disabled. Verify flux-enabled=true in the [http] section of the InfluxDB '
        b'config."}'
    )
    with pytest.raises(QueryError, match=r"Verify flux-enabled=true") as caught:
        ops.query_flux("x").read(403, {"Content-Type": "application/json"}, disabled)  # 1.13.2, recorded
    assert type(caught.value) is QueryError
    for status, body in ((404, b"Not found"), (400, b"unsupported path requested: /api/v2/query")):
        with pytest.raises(QueryError, match=r"Flux needs InfluxDB 2.x, or 1.8 .*query_sql"):
            ops.query_flux("x").read(status, {}, body)
