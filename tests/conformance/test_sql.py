"""SQL on InfluxDB 3, in all forms of results."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pandas as pd
import pytest
from influx_proto import (
    FLOAT,
    MEASUREMENT,
    TAG,
    TIMEINT,
    DatabaseNotFound,
    ProtocolError,
    QueryError,
    QueryTooLarge,
    RetryPolicy,
    lineprotocol,
)

from tests.servers.influx3 import ABORT, DATABASE, FILE_LIMIT, Influx3

NS = 2_998_574_931_000_000_000
# SERVERS.md 4.7: text without zone, whole floats with `.0`, keys of null values omitted.
LINES = [
    b'{"host":"a","time":"2065-01-07T17:28:51","load":82.0}\n',
    b'{"host":"b","time":"2065-01-07T17:28:51.000000001"}\n',
]
POINTS = [{"time": NS, "host": "a", "load": 82.0}, {"time": NS + 1, "host": "b", "load": None}]
STATEMENT = "SELECT * FROM cpu WHERE time > $since AND host = $host"
PARAMS = {"since": datetime(2020, 1, 1, tzinfo=UTC), "host": "a' OR 'x' = 'x", "n": None}


@lineprotocol
class Cpu(NamedTuple):
    measurement: MEASUREMENT
    time: TIMEINT
    host: TAG
    load: FLOAT | None


@pytest.fixture
def server() -> Iterator[Influx3]:
    jsonl, text = "application/jsonl", "text/plain"
    responses: dict[str, tuple[int, str, list[bytes]]] = {
        STATEMENT: (200, jsonl, [LINES[0][:20], LINES[0][20:] + LINES[1]]),
        "objects": (200, jsonl, [line.replace(b"{", b'{"measurement":"cpu",', 1) for line in LINES]),
        "nothing": (200, jsonl, []),
        "aborted": (200, jsonl, [LINES[0], ABORT]),
        "many files": (500, text, [FILE_LIMIT.encode()]),
        "planning": (500, text, [b"error while planning query: Error during planning: table 'nope' not found"]),
        "unavailable": (503, text, [b""]),
    }
    with Influx3(sql=responses) as server:
        yield server


@pytest.fixture
def client(connect: Callable[..., Any], server: Influx3) -> Any:
    return connect(server.url, database=DATABASE, retry=RetryPolicy(attempts=3, backoff=0.001))


def test_query(client: Any, server: Influx3) -> None:
    result = client.query_sql(STATEMENT, params=PARAMS)
    assert list(result.points()) == POINTS
    [(method, target, headers, body)] = server.requests
    assert (method, target, headers["content-type"]) == ("POST", "/api/v3/query_sql", "application/json")
    assert json.loads(body) == {
        "db": DATABASE,
        "q": STATEMENT,
        "format": "jsonl",
        "params": {"since": "2020-01-01T00:00:00Z", "host": "a' OR 'x' = 'x", "n": None},
    }


def test_all_forms(client: Any) -> None:
    frame = client.query_dataframe(STATEMENT, language="sql")
    assert frame.index.equals(pd.DatetimeIndex([NS, NS + 1], tz="UTC"))
    assert frame["load"].dtype == "float64"
    [other] = client.query_dataframes(STATEMENT, language="sql")
    pd.testing.assert_frame_equal(frame, other)
    with client.query_points(STATEMENT, language="sql") as points:
        assert list(points) == POINTS
    with client.query_chunks(STATEMENT, chunk_size=1, language="sql") as chunks:
        assert [point for chunk in chunks for point in chunk.points()] == POINTS
    with client.query_dataframe_chunks(STATEMENT, chunk_size=1, language="sql") as frames:
        assert [len(each) for each in frames] == [1, 1]
    assert client.query_as(Cpu, "objects", language="sql") == [Cpu("cpu", NS, "a", 82.0), Cpu("cpu", NS + 1, "b", None)]


def test_result_without_rows(client: Any) -> None:
    assert client.query_sql("nothing").series == []
    assert len(client.query_dataframe("nothing", language="sql")) == 0


def test_truncated_result(client: Any, server: Influx3) -> None:
    with pytest.raises(ProtocolError):
        client.query_sql("aborted")
    assert len(server.requests) == 3  # a read is retried
    with pytest.raises(ProtocolError), client.query_points("aborted", language="sql") as points:
        list(points)


def test_permanent_errors_are_not_retried(client: Any, server: Influx3) -> None:
    with pytest.raises(QueryTooLarge, match="exceeding the file limit"):
        client.query_sql("many files")
    with pytest.raises(QueryError, match="error while planning query"):
        client.query_sql("planning")
    with pytest.raises(DatabaseNotFound):
        client.query_sql(STATEMENT, db="nope")
    assert len(server.requests) == 3
    with pytest.raises(QueryError):
        client.query_sql("unavailable")
    assert len(server.requests) == 6


def test_no_database(connect: Callable[..., Any], server: Influx3) -> None:
    client = connect(server.url)
    with pytest.raises(ValueError, match=r"^db: .*pass db="):
        client.query_sql(STATEMENT)
    with pytest.raises(ValueError, match=r"^db: "), client.query_points(STATEMENT, language="sql") as points:
        next(points)
    assert server.requests == []
    assert list(client.query_sql(STATEMENT, db=DATABASE).points()) == POINTS
    assert list(connect(server.url, bucket=DATABASE).query_sql(STATEMENT).points()) == POINTS


def test_server_without_sql(client: Any, connect: Callable[..., Any], influxd: Any) -> None:
    with pytest.raises(QueryError, match="SQL needs InfluxDB 3 Core or Enterprise"):
        connect(influxd.url, database="db").query_sql("SELECT 1")
    with pytest.raises(QueryError, match="Flux needs InfluxDB 2"):
        client.query_flux("buckets()")
