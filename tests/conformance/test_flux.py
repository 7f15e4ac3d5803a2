"""Flux on InfluxDB 1.8 and later and 2.x, in all forms of results.

The responses of the scripted server were recorded from InfluxDB 1.13.2.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from influx_proto import DatabaseNotFound, QueryError, RetryPolicy

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


# A real server

POINTS = [
    'cpu,host=a load=1.5,n=3i,s="x",on=true 1600000000000000001',
    'cpu,host=b load=2,n=-4i,s="" 1600000001000000000',
    "mem,host=a free=9223372036854775807i 1600000002000000000",
]
READ = "from(bucket: db) |> range(start: 2020-01-01T00:00:00Z)"
PIVOT = ' |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")'


@pytest.fixture
def filled(client: Any, database: str) -> tuple[Any, dict[str, str]]:
    """Return a client, and the parameters for a script that reads its database, which has points."""
    client.write(POINTS)
    return client, {"db": database}


@pytest.mark.needs("flux")
def test_types_of_a_real_server(filled: tuple[Any, Any]) -> None:
    client, params = filled
    found = {
        (series.name, series.tags["host"], series.tags["_field"]): series.values
        for series in client.query_flux(READ, params=params).series
    }
    assert found == {
        ("cpu", "a", "load"): [[TIMES[0], 1.5]],
        ("cpu", "a", "n"): [[TIMES[0], 3]],
        ("cpu", "a", "s"): [[TIMES[0], "x"]],
        ("cpu", "a", "on"): [[TIMES[0], True]],
        ("cpu", "b", "load"): [[TIMES[1], 2.0]],
        ("cpu", "b", "n"): [[TIMES[1], -4]],
        ("cpu", "b", "s"): [[TIMES[1], None]],
        ("mem", "a", "free"): [[1_600_000_002_000_000_000, 2**63 - 1]],
    }
    assert type(found["cpu", "b", "load"][0][1]) is float


@pytest.mark.needs("flux")
def test_forms_of_a_real_server(filled: tuple[Any, Any]) -> None:
    client, params = filled
    script = READ + ' |> filter(fn: (r) => r._measurement == "cpu")' + PIVOT
    frame = client.query_dataframe(script, params=params, language="flux")
    assert sorted(frame.index) == [pd.Timestamp(ns, tz="UTC") for ns in TIMES]
    assert sorted(frame["load"]) == [1.5, 2.0]
    with client.query_points(script, params=params, language="flux") as points:
        assert sorted((point["time"], point["host"], point["n"]) for point in points) == [
            (TIMES[0], "a", 3),
            (TIMES[1], "b", -4),
        ]
    twice = f'a = {READ}\na |> limit(n: 1) |> yield(name: "one")\na |> limit(n: 1) |> yield(name: "two")'
    result = client.query_flux(twice, params=params)
    assert sorted(each["result"] for each in result["results"]) == ["one", "two"]
    nothing = READ + ' |> filter(fn: (r) => r.host == "absent")'
    assert client.query_flux(nothing, params=params).series == []


@pytest.mark.needs("flux")
def test_params_of_a_real_server(client: Any) -> None:
    params = {
        "text": 'a" |> drop() \\ ${1 + 1} ☃\n',
        "least": -(2**63),
        "minus": -5,
        "most": 2**64 - 1,
        "number": 1.5,
        "small": -1e-300,
        "yes": True,
    }
    row = ", ".join(f"{name}: {name}" for name in params)
    script = f'import "array"\narray.from(rows: [{{{row}}}])'
    assert list(client.query_flux(script, params=params).points()) == [params]
    others = {
        "time": datetime(2020, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
        "age": timedelta(days=-1, microseconds=5),
        "none": timedelta(0),
        "pattern": re.compile("A.c", re.IGNORECASE),
        "several": ["x", "y"],
    }
    row = 't: string(v: time), a: string(v: age), n: string(v: none), p: "abc" =~ pattern, s: several[1]'
    script = f'import "array"\narray.from(rows: [{{{row}}}])'
    assert list(client.query_flux(script, params=others).points()) == [
        {"t": "2020-01-01T00:00:00.000001000Z", "a": "-23h59m59s999ms995us", "n": "0ns", "p": True, "s": "y"}
    ]


@pytest.mark.needs("flux")
def test_errors_of_a_real_server(filled: tuple[Any, Any]) -> None:
    client, params = filled
    for script in ("from(bucket:", READ + " |> map(fn: (r) => ({r with x: 1 / 0}))", "nothing"):
        with pytest.raises(QueryError) as caught:
            client.query_flux(script, params=params)
        assert not caught.value.retryable
    with pytest.raises(DatabaseNotFound):
        client.query_flux(READ, params={"db": "test_missing"})
