"""Server that always responds with JSON: results must equal those decoded from MessagePack."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pandas as pd
import pytest
from influx_proto import BOOL, FLOAT, INT, MEASUREMENT, STR, TAG, TIMEINT, QueryError, lineprotocol

from tests.servers.influxd import Server
from tests.servers.proxy import JSONOnly

NS = 1_700_000_000_123_456_789


@lineprotocol
class Cpu(NamedTuple):
    measurement: MEASUREMENT
    time: TIMEINT
    host: TAG
    big: INT
    load: FLOAT | None
    note: STR
    on: BOOL


OBJECTS = [
    Cpu("cpu", NS + n, "ab"[n % 2], 2**53 + 1 + n, None if n == 3 else n / 10 + 0.05, f"é{n}", n < 4) for n in range(10)
]
STATEMENT = "SELECT * FROM cpu"


@pytest.fixture
def server(influxd: Server) -> Iterator[JSONOnly]:
    with JSONOnly(influxd.url) as server:
        yield server


@pytest.fixture
def client(connect: Callable[..., Any], server: JSONOnly, influxd: Server, database: str) -> Any:
    client = connect(server.url, database=database, **influxd.settings)
    client.write(OBJECTS)
    return client


@pytest.fixture
def packed(client: Any, connect: Callable[..., Any], influxd: Server, database: str) -> Any:
    """Return a client for the same data on the server itself, which responds with MessagePack."""
    return connect(influxd.url, database=database)


def test_client_requested_messagepack(client: Any, server: JSONOnly) -> None:
    client.query(STATEMENT)
    assert b"accept: application/x-msgpack" in server.heads[-1].lower()


def test_query(client: Any, packed: Any) -> None:
    assert client.query(STATEMENT) == packed.query(STATEMENT)
    assert next(iter(client.query(STATEMENT).points()))["big"] == 2**53 + 1
    assert client.query("SELECT * FROM nothing").series == []


def test_several_statements_and_times_as_text(client: Any, packed: Any) -> None:
    statements = f"{STATEMENT} GROUP BY host; SHOW MEASUREMENTS"
    assert client.query(statements, epoch=None) == packed.query(statements, epoch=None)


def test_chunks_and_points(client: Any, packed: Any) -> None:
    with client.query_chunks(STATEMENT, chunk_size=3) as chunks:
        found = list(chunks)
    with packed.query_chunks(STATEMENT, chunk_size=3) as chunks:
        assert found == list(chunks)
    assert len(found) == 4
    with client.query_points(STATEMENT, chunk_size=3) as points, packed.query_points(STATEMENT) as others:
        assert list(points) == list(others)


def test_dataframes(client: Any, packed: Any) -> None:
    frame = client.query_dataframe(STATEMENT)
    pd.testing.assert_frame_equal(frame, packed.query_dataframe(STATEMENT))
    assert frame.index[0] == pd.Timestamp(NS, tz="UTC")
    assert list(frame["big"]) == [each.big for each in OBJECTS]
    grouped = f"{STATEMENT} GROUP BY host; SELECT count(load) FROM cpu"
    for mine, other in zip(client.query_dataframes(grouped), packed.query_dataframes(grouped), strict=True):
        pd.testing.assert_frame_equal(mine, other)


def test_dataframe_chunks(client: Any, packed: Any) -> None:
    with client.query_dataframe_chunks(STATEMENT, chunk_size=3) as frames:
        found = list(frames)
    with packed.query_dataframe_chunks(STATEMENT, chunk_size=3) as others:
        for mine, other in zip(found, others, strict=True):
            pd.testing.assert_frame_equal(mine, other)
    assert len(found) == 4


def test_whole_floats_are_integers_in_json(client: Any, packed: Any) -> None:
    """influxd writes 2.0 as 2. Objects do not need this: their class declares the type."""
    client.write([Cpu("whole", NS + n, "a", n, float(n), "", on=True) for n in range(3)])
    statement = "SELECT load FROM whole"
    assert packed.query_dataframe(statement)["load"].dtype == "float64"
    assert client.query_dataframe(statement)["load"].dtype == "int64"
    [first, *_] = client.query_as(Cpu, "SELECT * FROM whole")
    assert isinstance(first.load, float)


def test_objects(client: Any) -> None:
    assert client.query_as(Cpu, STATEMENT) == OBJECTS


def test_administration(client: Any, packed: Any) -> None:
    assert client.show_measurements() == packed.show_measurements()
    assert client.show_databases() == packed.show_databases()


def test_errors(client: Any) -> None:
    with pytest.raises(QueryError, match=r"(error parsing|failed to parse) query"):
        client.query("SELECT")
