"""Flux on InfluxDB 1.8 and later and 2.x, in all forms of results. The responses were recorded from InfluxDB 1.13.2."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from influx_proto import QueryError, RetryPolicy

from tests.servers.scripted import Behavior, Receive, ScriptedServer, Send, chunked, reply, respond

CSV = {"Content-Type": "text/csv; charset=utf-8"}
JSON = {"Content-Type": "application/json"}
TABLES = (
    b"#datatype,string,long,dateTime:RFC3339,dateTime:RFC3339,dateTime:RFC3339,long,string,string,string\r\n"
    b"#group,false,false,true,true,false,false,true,true,true\r\n"
    b"#default,one,,,,,,,,\r\n"
    b",result,table,_start,_stop,_time,_value,_field,_measurement,host\r\n"
    b",,0,2020-01-01T00:00:00Z,2026-11-30T12:59:30.482468124Z,2020-09-13T12:26:40.000000001Z,3,n,cpu,a\r\n"
    b",,1,2020-01-01T00:00:00Z,2026-11-30T12:59:30.482468124Z,2020-09-13T12:26:41Z,4,n,cpu,b\r\n"
    b"\r\n"
)
ERROR = (
    b"#datatype,string,string\r\n#group,true,true\r\n#default,,\r\n,error,reference\r\n"
    b",runtime error: cannot divide by zero,\r\n\r\n"
)
TIMES = [1_600_000_000_000_000_001, 1_600_000_001_000_000_000]
SCRIPT = 'from(bucket: "b") |> range(start: since) |> yield(name: "one")'
SOON = RetryPolicy(attempts=3, backoff=0.001)


def stream(*parts: bytes, end: bool = True) -> Behavior:
    head = respond(200, {**CSV, "Transfer-Encoding": "chunked", "Connection": "close"})
    return [Receive(), Send(head + chunked(*parts, end=end))]


def test_query(connect: Callable[..., Any]) -> None:
    with ScriptedServer([stream(TABLES + b"\r\n")]) as server:
        result = connect(server.url, org="my org", token="t").query_flux(SCRIPT, params={"since": 5})
    assert [(series.name, series.tags["host"], series.values) for series in result.series] == [
        ("cpu", "a", [[TIMES[0], 3]]),
        ("cpu", "b", [[TIMES[1], 4]]),
    ]
    [request] = server.requests
    assert (request.method, request.target) == ("POST", "/api/v2/query?org=my%20org")
    assert request.headers["content-type"] == "application/json"
    body = json.loads(request.body)
    assert (body["query"], body["type"]) == (SCRIPT, "flux")
    assert body["extern"]["body"][0]["init"] == {"type": "IntegerLiteral", "value": "5"}


def test_all_forms(connect: Callable[..., Any]) -> None:
    with ScriptedServer([stream(TABLES[:100], TABLES[100:], b"\r\n")]) as server:
        client = connect(server.url)
        frame = client.query_dataframe(SCRIPT, language="flux")
        assert frame.index.equals(pd.DatetimeIndex(TIMES, tz="UTC"))
        assert list(frame["_value"]) == [3, 4]
        [other] = client.query_dataframes(SCRIPT, language="flux")
        pd.testing.assert_frame_equal(frame, other)
        with client.query_points(SCRIPT, language="flux") as points:
            assert [(point["time"], point["host"], point["_value"]) for point in points] == [
                (TIMES[0], "a", 3),
                (TIMES[1], "b", 4),
            ]
        with client.query_chunks(SCRIPT, language="flux") as chunks:
            assert len(list(chunks)) == 2
        with client.query_dataframe_chunks(SCRIPT, language="flux") as frames:
            assert [len(each) for each in frames] == [1, 1]


def test_error_within_the_response(connect: Callable[..., Any]) -> None:
    with ScriptedServer([stream(TABLES, ERROR)]) as server:
        client = connect(server.url, retry=SOON)
        with pytest.raises(QueryError, match="cannot divide by zero") as caught:
            client.query_flux(SCRIPT)
        assert caught.value.partial_result is not None
        assert len(caught.value.partial_result.series) == 2
        with client.query_points(SCRIPT, language="flux") as points:
            assert [next(points)["_value"], next(points)["_value"]] == [3, 4]
            with pytest.raises(QueryError, match="cannot divide by zero"):
                next(points)
    assert len(server.requests) == 2  # not retried


def test_truncated_result(connect: Callable[..., Any]) -> None:
    with ScriptedServer([stream(TABLES[:-2]), stream(TABLES + b"\r\n")]) as server:
        result = connect(server.url, retry=SOON).query_flux(SCRIPT)
    assert len(result.series) == 2
    assert len(server.requests) == 2


def test_only_reads_are_retried(connect: Callable[..., Any]) -> None:
    unavailable = reply(503, JSON, b'{"code":"unavailable","message":"x"}')
    with ScriptedServer([unavailable, stream(b"\r\n")]) as server:
        client = connect(server.url, retry=SOON)
        with pytest.raises(QueryError, match="x"):
            client.query_flux(SCRIPT + ' |> to(bucket: "c")')
        assert client.query_flux(SCRIPT).series == []
    assert len(server.requests) == 2


def test_errors_of_1x_are_permanent(connect: Callable[..., Any]) -> None:
    body = b'{"error":"compilation failed: error @1:1-1:13: expected RPAREN, got EOF"}\n'
    with ScriptedServer([reply(500, JSON, body)]) as server:
        with pytest.raises(QueryError, match="compilation failed") as caught:
            connect(server.url, retry=SOON).query_flux("from(bucket:")
        assert not caught.value.retryable
    assert len(server.requests) == 1
