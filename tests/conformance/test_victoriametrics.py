"""Writes to VictoriaMetrics: its export returns the written data as far as it can store them.

docs/servers.md describes the differences from InfluxDB; these tests record them as observed.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import polars as pl
import pytest
from influx_proto import FLOAT, INT, MEASUREMENT, TAG, TIMEINT, PartialWriteError, lineprotocol

from tests.servers.victoriametrics import Sample, VictoriaMetrics

NS = 1_700_000_000_123_456_789
MS = NS // 10**6


@pytest.fixture(scope="module")
def victoriametrics() -> Iterator[VictoriaMetrics]:
    with VictoriaMetrics() as server:
        yield server


@pytest.fixture
def name() -> str:
    """Return a database name. The database need not be created: it is a label of the stored series."""
    return f"test_{uuid.uuid4().hex}"


@pytest.fixture
def client(connect: Callable[..., Any], victoriametrics: VictoriaMetrics, name: str) -> Any:
    return connect(victoriametrics.url, database=name)


def cpu(tags: dict[str, str], time_ms: int, **fields: float) -> list[Sample]:
    return [Sample(f"cpu_{field}", tuple(sorted(tags.items())), time_ms, value) for field, value in fields.items()]


def test_field_becomes_a_series_of_numbers(client: Any, victoriametrics: VictoriaMetrics, name: str) -> None:
    """Integers and booleans become floats, and timestamps milliseconds."""
    assert client.write({
        "measurement": "cpu",
        "time": NS,
        "tags": {"host": "a b,c=d", "Ort": "Zürich"},
        "fields": {"load": 0.25, "big": 2**53 - 1, "low": -(2**63), "value": -1.5e300, "on": True, "off": False},
    })
    expected = cpu(
        {"host": "a b,c=d", "Ort": "Zürich"}, MS,
        load=0.25, big=2**53 - 1, low=-(2**63), value=-1.5e300, on=1, off=0,
    )  # fmt: skip
    assert victoriametrics.samples(name) == sorted(expected)


def test_all_precisions(client: Any, victoriametrics: VictoriaMetrics, name: str) -> None:
    for number, (precision, divisor) in enumerate({"ns": 1, "u": 10**3, "ms": 10**6, "s": 10**9}.items()):
        client.write(f"cpu,n={number} load={number}.5 {NS // divisor}", precision=precision)
    assert victoriametrics.samples(name) == [
        Sample("cpu_load", (("n", str(n)),), MS if n < 3 else MS // 1000 * 1000, n + 0.5) for n in range(4)
    ]


@lineprotocol
class Cpu(NamedTuple):
    measurement: MEASUREMENT
    time: TIMEINT
    host: TAG
    load: FLOAT
    cores: INT | None = None


def test_objects(client: Any, victoriametrics: VictoriaMetrics, name: str) -> None:
    client.write([Cpu("cpu", NS, "a", 0.5, 4), Cpu("cpu", NS, "b", 1.5)])
    assert victoriametrics.samples(name) == sorted([
        *cpu({"host": "a"}, MS, load=0.5, cores=4),
        *cpu({"host": "b"}, MS, load=1.5),
    ])


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames(client: Any, victoriametrics: VictoriaMetrics, name: str, library: str) -> None:
    times = np.array([NS + n * 10**6 for n in range(3)]).view("M8[ns]")
    frame = pd.DataFrame(
        {"host": ["a", "b", None], "load": [0.5, np.nan, 2.5], "cores": [1, 2, 3]}, index=pd.DatetimeIndex(times)
    )
    data: Any = frame
    if library == "polars":
        data = pl.DataFrame({
            "time": times, "host": ["a", "b", None], "load": [0.5, None, 2.5], "cores": [1, 2, 3]
        })  # fmt: skip
    client.write(data, "cpu", tag_columns=["host"], region="eu")
    assert victoriametrics.samples(name) == sorted([
        *cpu({"host": "a", "region": "eu"}, MS, load=0.5, cores=1),
        *cpu({"host": "b", "region": "eu"}, MS + 1, cores=2),
        *cpu({"region": "eu"}, MS + 2, load=2.5, cores=3),
    ])


@pytest.mark.parametrize("gzip", [False, True])
def test_many_points_in_batches(
    connect: Callable[..., Any], victoriametrics: VictoriaMetrics, name: str, *, gzip: bool
) -> None:
    points = ({"measurement": "cpu", "time": NS + n * 10**6, "fields": {"n": n / 4}} for n in range(2500))
    assert connect(victoriametrics.url, database=name, gzip=gzip).write(points, max_lines=1000)
    assert victoriametrics.samples(name) == [Sample("cpu_n", (), MS + n, n / 4) for n in range(2500)]


@pytest.mark.needs("background")
def test_batch_writer(client: Any, victoriametrics: VictoriaMetrics, name: str) -> None:
    with client.batch_writer(max_lines=100) as writer:
        for n in range(250):
            writer.write({"measurement": "cpu", "time": NS + n * 10**6, "fields": {"n": n}})
        writer.flush()
        assert writer.written == 250
    assert victoriametrics.samples(name) == [Sample("cpu_n", (), MS + n, n) for n in range(250)]


def test_ping_without_a_version(client: Any) -> None:
    assert client.ping().version is None


def test_data_that_is_not_stored_unchanged(client: Any, victoriametrics: VictoriaMetrics, name: str) -> None:
    """VictoriaMetrics reports no error, as InfluxDB would, but responds with 204."""
    client.write({"measurement": "text", "time": NS, "fields": {"s": "words", "n": 1}})
    client.write({"measurement": "before_1970", "time": -(10**15), "fields": {"n": 1}})
    client.write({"measurement": "digits", "time": NS, "fields": {"i": 2**53 + 1, "f": 0.1 + 0.2}})
    for n in range(2):  # InfluxDB stores these as one point with the later value
        client.write({"measurement": "again", "time": NS, "fields": {"n": n}})
    assert victoriametrics.samples(name) == [
        Sample("again_n", (), MS, 0),
        Sample("again_n", (), MS, 1),
        Sample("digits_f", (), MS, 0.3),
        Sample("digits_i", (), MS, 2**53),
        Sample("text_n", (), MS, 1),
        Sample("text_s", (), MS, 0),
    ]


@pytest.mark.needs("lines_stored_in_part")
def test_line_after_an_invalid_one_is_stored(client: Any, victoriametrics: VictoriaMetrics, name: str) -> None:
    """Before version 1.105, the invalid line is not reported; later versions reject the whole body."""
    with suppress(PartialWriteError):
        assert client.write(b"bad field 1700000000123456789\nnext n=2 1700000000123456789", find_rejected=True)
    assert victoriametrics.samples(name) == [Sample("next_n", (), MS, 2)]


@pytest.mark.parametrize("statement", ["SHOW DATABASES", "CREATE DATABASE x", "SELECT * FROM cpu", "nonsense"])
def test_every_statement_returns_a_list_of_databases(client: Any, statement: str) -> None:
    [series] = client.query(statement).series
    assert (series.name, series.columns) == ("databases", ("name",))
