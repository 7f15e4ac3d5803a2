"""Frames and Arrow tables, written to a real server and read back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa  # type: ignore[import-untyped]  # it has no types
import pytest
from influx_proto import SerializationError

from tests.servers.scripted import ScriptedServer, reply

NS = 1_700_000_000_000_000_999


@pytest.fixture
def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "host": pd.Categorical(["a b,c=d", None, "é"]),
            "f": [0.1, np.nan, 1e300],
            "f4": np.array([0.1, 2, np.nan], dtype="f4"),
            "i": [2**63 - 1, -(2**63), 0],
            "n": pd.array([1, None, 3], dtype="Int64"),
            "b": [True, False, True],
            "s": ['x ,y "z" \\', "", "a\nb"],
            "o": np.array([1, "two", None], dtype=object),
        },
        index=pd.DatetimeIndex(np.array([NS, NS + 1, NS + 2]).view("M8[ns]")).tz_localize("Europe/Berlin"),
    )


def points(client: Any) -> list[dict[str, Any]]:
    return [
        {key: value for key, value in point.items() if value is not None} for point in client.select_all("m").points()
    ]


def test_frame_round_trip(client: Any, frame: pd.DataFrame) -> None:
    assert client.write(frame, "m", tag_columns=["host"], region="eu") is True
    found = points(client)
    first = NS - 3600 * 10**9  # the wall-clock time in Berlin, in UTC
    assert found == [
        {"time": first, "host": "a b,c=d", "region": "eu", "f": 0.1, "f4": 0.1, "i": 2**63 - 1, "n": 1, "b": True,
         "s": 'x ,y "z" \\', "o": "1"},
        {"time": first + 1, "region": "eu", "f4": 2.0, "i": -(2**63), "b": False, "s": "", "o": "two"},
        {"time": first + 2, "host": "é", "region": "eu", "f": 1e300, "i": 0, "n": 3, "b": True, "s": "a\nb"},
    ]  # fmt: skip
    assert [type(found[0][key]) for key in ("f", "f4", "i", "n", "b", "s")] == [float, float, int, int, bool, str]


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_arrow_data_is_stored_like_the_frame(client: Any, frame: pd.DataFrame, library: str) -> None:
    frame = frame.astype({"o": "str"})
    data: Any = pl.DataFrame(frame.assign(time=frame.index).reset_index(drop=True))
    if library == "pyarrow":
        data = data.to_arrow()
    client.write(frame, "m", tag_columns=["host"])
    expected = points(client)
    client.drop_measurement("m")
    client.write(data, "m", tag_columns=["host"])
    assert points(client) == expected
    assert len(expected) == 3


@pytest.mark.parametrize("kind", ["pandas", "pyarrow", "polars", "series"])
@pytest.mark.parametrize("in_background", [False, pytest.param(True, marks=pytest.mark.needs("background"))])
def test_times_in_a_column_and_series(client: Any, kind: str, in_background: bool) -> None:
    data: Any = pd.DataFrame({"when": pd.to_datetime([1, 2], unit="s"), "v": [0.5, 1.5]})
    options = {"time_column": "when"}
    match kind:
        case "pyarrow":
            data = pa.Table.from_pandas(data)
        case "polars":
            data = pl.DataFrame(data)
        case "series":
            data, options = data.set_index("when")["v"], {}
    if in_background:
        with client.batch_writer() as writer:
            writer.write(data, "m", **options)
    else:
        client.write(data, "m", **options)
    assert points(client) == [{"time": 10**9, "v": 0.5}, {"time": 2 * 10**9, "v": 1.5}]


def test_any_unit_of_the_index_and_precision_of_the_write(client: Any) -> None:
    times = ["1969-12-31T23:59:59", "1970-01-01", "2024-07-01"]
    units: list[Any] = ["s", "ms", "us", "ns"]
    for unit in units:
        index = pd.DatetimeIndex(times).as_unit(unit)
        client.write(pd.DataFrame({unit: [1, 2, 3]}, index=index), "m", precision="ms")
    found = points(client)
    assert [point["time"] for point in found] == [-(10**9), 0, 1719792000 * 10**9]
    assert found[2] == {"time": 1719792000 * 10**9, "s": 3, "ms": 3, "us": 3, "ns": 3}


def test_index_with_several_utc_offsets(client: Any) -> None:
    zones = [dt.timezone(dt.timedelta(hours=hours)) for hours in (1, 2)]
    index = pd.Index([dt.datetime(2024, 3, 31, 3, tzinfo=zone) for zone in zones], dtype=object)
    client.write(pd.DataFrame({"v": [1, 2]}, index=index), "m")
    assert [(point["time"], point["v"]) for point in points(client)] == [
        (1711846800 * 10**9, 2), (1711850400 * 10**9, 1)
    ]  # fmt: skip


def test_rows_without_fields_and_empty_frames(client: Any, frame: pd.DataFrame) -> None:
    assert client.write(pd.DataFrame(), "m") is True
    assert client.write(frame[:0], "m", tag_columns=["host"]) is True
    assert client.write(frame[["host", "f"]], "m", tag_columns=["host"]) is True
    assert [point["f"] for point in points(client)] == [0.1, 1e300]


def test_many_rows_in_batches(connect: Callable[..., Any]) -> None:
    count = 25_000
    index = pd.DatetimeIndex(np.arange(count).view("M8[ns]"))
    with ScriptedServer([reply(204)]) as server:
        client = connect(server.url, database="db")
        client.write(
            [pd.DataFrame({"v": np.arange(count)}, index=index), pd.DataFrame({"v": [-1]}, index=index[:1])], "m"
        )
        bodies = [request.body for request in server.requests]
    assert b"\n".join(bodies) == b"\n".join([b"m v=%di %d" % (row, row) for row in range(count)] + [b"m v=-1i 0"])
    assert all(body.count(b"\n") < 10_000 for body in bodies)


def test_unwritable_frame_is_not_sent(connect: Callable[..., Any], frame: pd.DataFrame) -> None:
    with ScriptedServer([reply(204)]) as server:
        client = connect(server.url, database="db")
        for bad in (frame.reset_index(drop=True), frame.assign(f=[0.0, np.inf, 0.0]), frame.assign(t=frame.index)):
            with pytest.raises(SerializationError, match="measurement 'm'"):
                client.write(bad, "m", tag_columns=["host"])
        assert not server.requests


def test_frames_from_an_async_iterable(client: Any, driver: Any) -> None:
    async def arriving() -> Any:
        for number in range(3):
            yield pd.DataFrame({"v": [number]}, index=pd.DatetimeIndex([number]))

    if driver.backend is None:
        with pytest.raises(SerializationError, match="async client"):
            client.write(arriving(), "m")
        return
    assert client.write(arriving(), "m") is True
    assert [point["v"] for point in points(client)] == [0, 1, 2]
