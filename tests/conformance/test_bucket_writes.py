"""Writes to a bucket through /api/v2/write, and InfluxQL queries of the bucket, on the server of the session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from influx_proto import DatabaseNotFound, PartialWriteError, WriteError

from tests.servers.influxd import Server

pytestmark = pytest.mark.needs("api_v2_write")

NS = 1_700_000_000_000_000_000


@pytest.fixture
def client(connect: Callable[..., Any], influxd: Server, database: str) -> Any:
    return connect(influxd.url, bucket=database)


def points(client: Any) -> list[list[Any]]:
    return [row for series in client.query("SELECT v FROM m").series for row in series.values]


def test_write_and_query(client: Any) -> None:
    assert client.write([{"measurement": "m", "time": NS + n, "fields": {"v": n}} for n in range(3)])
    assert points(client) == [[NS + n, n] for n in range(3)]


@pytest.mark.parametrize(("precision", "unit"), [("ns", 1), ("u", 10**3), ("ms", 10**6), ("s", 10**9)])
def test_precisions(client: Any, precision: str, unit: int) -> None:
    """The endpoint has no unit longer than a second, and another name for microseconds."""
    assert client.write(f"m v=1 {NS // unit}", precision=precision)
    assert points(client) == [[NS // unit * unit, 1.0]]


def test_bucket_of_a_call(connect: Callable[..., Any], influxd: Server, database: str) -> None:
    client = connect(influxd.url, gzip=True)
    assert client.write([f"m v={n} {n}" for n in range(2000)], bucket=database)
    assert client.query("SELECT count(v) FROM m", db=database).series[0].values == [[0, 2000]]


def test_missing_bucket(client: Any) -> None:
    with pytest.raises(DatabaseNotFound) as caught:
        client.write("m v=1 1", bucket="nowhere")
    assert caught.value.retryable is False


def test_invalid_lines_are_found(client: Any) -> None:
    good = [f"m v={n} {n}" for n in range(50)]
    with pytest.raises(WriteError) as caught:
        client.write([*good[:20], "m v= 1", *good[20:], "bad 1"], find_rejected=True)
    assert [line for line, _ in caught.value.rejected] == ["m v= 1", "bad 1"]
    assert points(client) == [[n, n] for n in range(50)]


def test_field_type_conflict(client: Any) -> None:
    client.write("m v=1.5 1")
    with pytest.raises(PartialWriteError, match="field type conflict") as caught:
        client.write("m v=2.5 2\nm v=3i 3")
    assert caught.value.dropped == 1
    assert points(client) == [[1, 1.5], [2, 2.5]]


@pytest.mark.needs("background")
def test_batch_writer(client: Any) -> None:
    with client.batch_writer(max_lines=40) as writer:
        receipt = writer.write([
            *(f"m v={n} {n}" for n in range(60)),
            "bad 1",
            *(f"m v={n} {n}" for n in range(60, 100)),
        ])
        with pytest.raises(PartialWriteError):
            writer.flush()
    assert [line for line, _ in receipt.rejected] == ["bad 1"]
    assert (writer.rejected, writer.undelivered) == (1, [])
    assert points(client) == [[n, n] for n in range(100)]
