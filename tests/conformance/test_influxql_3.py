"""InfluxQL on InfluxDB 3, which has no MessagePack of the 1.x kind: clients request JSON instead."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pandas as pd
import pytest
from influx_proto import (
    FLOAT,
    MEASUREMENT,
    TAG,
    TIMEINT,
    DatabaseNotFound,
    QueryError,
    lineprotocol,
)

from tests.conformance.drivers import run_concurrently
from tests.servers.influx3 import DATABASE, INFLUXQL, NS, POSITIONAL, Influx3
from tests.servers.scripted import Behavior, Drip, Receive, ScriptedServer, reply, respond

STATEMENT = "SELECT * FROM cpu"
ROWS: list[list[Any]] = [[NS, "a", 0.5], [NS + 1, "b", 82], [NS + 2, "a", None]]
POINTS = [dict(zip(("time", "host", "load"), row, strict=True)) for row in ROWS]


@lineprotocol
class Cpu(NamedTuple):
    measurement: MEASUREMENT
    time: TIMEINT
    host: TAG
    load: FLOAT | None


@pytest.fixture(params=["3.6", "3.10"])
def server(request: pytest.FixtureRequest) -> Iterator[Influx3]:
    with Influx3(request.param) as server:
        yield server


@pytest.fixture
def client(connect: Callable[..., Any], server: Influx3) -> Any:
    return connect(server.url, database=DATABASE)


def stream(client: Any, method: str, **options: Any) -> list[Any]:
    with getattr(client, method)(STATEMENT, **options) as items:
        return list(items)


def test_fallback_happens_once(client: Any, server: Influx3) -> None:
    for _ in range(3):
        assert client.query(STATEMENT).series[0].values == ROWS
    client.db = DATABASE  # replaces the settings
    assert client.query(STATEMENT).series[0].values == ROWS
    assert server.accepts == ["x-msgpack"] + ["json"] * 4


def test_first_operation_is_a_stream(client: Any, server: Influx3) -> None:
    assert stream(client, "query_points") == POINTS
    assert len(stream(client, "query_chunks")) == 2
    assert server.accepts == ["x-msgpack", "json", "json"]


def test_all_forms(client: Any, server: Influx3) -> None:
    frame = client.query_dataframe(STATEMENT)
    assert list(frame["load"].dropna()) == [0.5, 82.0]
    assert frame.index[0] == pd.Timestamp(NS, tz="UTC")
    [other] = client.query_dataframes(STATEMENT)
    pd.testing.assert_frame_equal(frame, other)
    assert sum(map(len, stream(client, "query_dataframe_chunks"))) == 3
    assert client.query_as(Cpu, STATEMENT) == [Cpu("cpu", *row) for row in ROWS]
    assert server.accepts[:2] == ["x-msgpack", "json"]
    assert set(server.accepts[2:]) == {"json"}


def test_concurrent_queries(client: Any, server: Influx3) -> None:
    found = run_concurrently(*[lambda: client.query(STATEMENT) for _ in range(4)])
    assert all(result.series[0].values == ROWS for result in found)
    client.query(STATEMENT)
    assert server.accepts[-1] == "json"


@pytest.mark.parametrize("epoch", ["ns", "n", "us", "u", "ms", "s", None])
def test_names_of_epochs(client: Any, epoch: str | None) -> None:
    assert client.query(STATEMENT, epoch=epoch).series


def test_infinite_number_is_an_error(client: Any) -> None:
    """It replaces a document after others, so an incomplete result must not pass for a complete one."""
    with pytest.raises(QueryError, match=r"unsupported value: \+Inf") as caught:
        client.query("SELECT * FROM infinite")
    assert not caught.value.retryable
    assert caught.value.partial_result is not None
    with client.query_points("SELECT * FROM infinite") as points:
        assert [next(points), next(points)] == POINTS[:2]
        with pytest.raises(QueryError, match="unsupported value"):
            next(points)
    with pytest.raises(QueryError, match="unsupported value"):
        client.query_dataframe("SELECT * FROM infinite")


def test_unknown_database(client: Any, server: Influx3) -> None:
    with pytest.raises(DatabaseNotFound, match="nope") as caught:
        client.query(STATEMENT, db="nope")
    assert isinstance(caught.value, QueryError)
    assert not caught.value.retryable


def test_statement_that_the_server_does_not_have(client: Any, server: Influx3) -> None:
    with pytest.raises(QueryError, match="unsupported statement"):
        client.query("CREATE DATABASE db")
    assert [method for method, *_ in server.requests] == ["POST", "POST"]


@pytest.mark.parametrize("is_compressed", [False, True])
def test_first_bytes_of_a_stream(connect: Callable[..., Any], is_compressed: bool) -> None:
    """The stream falls back however few bytes of a response arrive at a time."""
    body = gzip.compress(POSITIONAL) if is_compressed else POSITIONAL
    headers = {"Content-Type": "application/x-msgpack"} | ({"Content-Encoding": "gzip"} if is_compressed else {})
    first: Behavior = [Receive(), Drip(respond(200, {**headers, "Connection": "close"}, body))]
    second = reply(200, {"Content-Type": "application/json"}, INFLUXQL[STATEMENT].encode())
    with ScriptedServer([first, second]) as server:
        assert stream(connect(server.url, gzip=True), "query_points") == POINTS
    assert [request.headers["accept"] for request in server.requests] == ["application/x-msgpack", "application/json"]
