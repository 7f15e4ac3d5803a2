"""Results of a real InfluxDB as frames, over every client."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from influx_proto import QueryError, iterpoints, ops
from influx_proto._result.table import Tables
from influx_proto._result.to_pandas import ChunkFrames, to_frame

MAX, MIN = (1 << 63) - 1, -(1 << 63)
STR = pd.Series(["a"]).dtype

LINES = f"""\
cpu,host=a,region=eu n={MAX}i,f=1,ok=true,s="x" 1000000000000000001
cpu,host=a,region=eu f=2,s="" 1000000000000000002
cpu,host=b n={MIN}i,ok=false 1000000000000000003
mem,host=a n=7i,free=10i 1000000000000000004
"""


@pytest.fixture
def filled(client: Any) -> Any:
    client.write(LINES)
    return client


def ns(*times: int) -> list[int]:
    return [1_000_000_000_000_000_000 + time for time in times]


def test_types(filled: Any) -> None:
    frame = filled.query("SELECT n, f, ok, s, host, region FROM cpu").to_pandas()
    assert frame.dtypes.to_dict() == {
        "n": pd.Int64Dtype(), "f": np.dtype("float64"), "ok": pd.BooleanDtype(), "s": STR, "host": STR, "region": STR,
    }  # fmt: skip
    assert frame.index.equals(pd.DatetimeIndex(ns(1, 2, 3), tz="UTC"))
    assert frame.index.name == "time"
    assert frame["n"].tolist() == [MAX, pd.NA, MIN]
    assert frame["f"].tolist()[:2] == [1.0, 2.0]
    assert frame["ok"].tolist() == [True, pd.NA, False]
    assert frame["s"].tolist()[:2] == ["x", ""]
    assert frame["region"].isna().tolist() == [False, False, True]
    assert filled.query("SELECT n FROM cpu WHERE host = 'b'").to_pandas()["n"].dtype == "int64"
    assert filled.query("SELECT f FROM cpu").to_pandas()["f"].dtype == "float64"


@pytest.mark.parametrize("epoch", ["ns", "u", "ms", "s", "m", "h", None])
@pytest.mark.parametrize("response_format", ["msgpack", "json", "csv"])
def test_times_in_all_units_and_formats(filled: Any, epoch: str | None, response_format: str) -> None:
    """The unit of the times is known only from the request."""
    found = filled.query("SELECT f FROM cpu WHERE f = 1", epoch=epoch, format=response_format)
    assert found.epoch == epoch
    size = {"ns": 1, "u": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9, None: 1}[epoch]
    assert found.to_pandas().index.asi8.tolist() == [ns(1)[0] // size * size]


@pytest.mark.parametrize("response_format", ["msgpack", "json", "csv"])
def test_times_in_a_time_zone(filled: Any, response_format: str) -> None:
    """`tz()` shifts `GROUP BY time(1d)`. Times are in UTC in every format, although JSON has the offset of the zone."""
    query = partial(filled.query, epoch=None, format=response_format)
    found = query("SELECT f FROM cpu tz('Europe/Berlin')")
    assert found.series[0].values == query("SELECT f FROM cpu").series[0].values
    assert found.to_pandas().index.asi8.tolist() == ns(1, 2)
    days = query("SELECT count(f) FROM cpu GROUP BY time(1d) tz('Europe/Berlin')")
    assert {row[0][10:] for row in days.series[0].values} <= {"T22:00:00Z", "T23:00:00Z"}


def test_group_by(filled: Any) -> None:
    found = filled.query("SELECT n FROM cpu GROUP BY host, region, nothing")
    frame = found.to_pandas()
    assert frame.columns.tolist() == ["host", "nothing", "region", "n"]
    assert frame["host"].tolist() == ["a", "b"]
    assert frame["region"].tolist() == ["eu", ""]
    assert frame["nothing"].tolist() == ["", ""]
    assert frame["n"].tolist() == [MAX, MIN]
    for tag in ("host", "nothing", "region"):
        assert isinstance(frame[tag].dtype, pd.CategoricalDtype)
    assert found.to_polars().drop("time").rows() == found.to_polars().select("host", "nothing", "region", "n").rows()
    assert found.to_arrow().column_names == ["time", *frame.columns]
    assert found.to_polars()["host"].dtype == pl.Categorical()


def test_several_measurements(filled: Any) -> None:
    frame = filled.query("SELECT n, free FROM cpu, mem").to_pandas()
    assert frame["measurement"].tolist() == ["cpu", "cpu", "mem"]
    assert frame["n"].tolist() == [MAX, MIN, 7]
    assert frame["free"].tolist() == [pd.NA, pd.NA, 10]
    assert "measurement" not in filled.query("SELECT n FROM cpu").to_pandas()
    assert filled.query("SELECT n FROM cpu").to_pandas(measurement_column=True)["measurement"].tolist() == [
        "cpu",
        "cpu",
    ]


def test_clashing_column_names(filled: Any) -> None:
    frame = filled.query("SELECT n AS host, f AS host, s AS time FROM cpu GROUP BY host").to_pandas()
    assert frame.columns.tolist() == ["host_2", "host", "host_1", "time_1"]
    assert frame["host_2"].tolist() == ["a", "a", "b"]
    assert frame["host"].tolist() == [MAX, pd.NA, MIN]


@pytest.mark.parametrize("response_format", ["msgpack", "json", "csv"])
@pytest.mark.parametrize(
    "q", ["SELECT n FROM nothing", "SELECT n FROM cpu WHERE time < 0", "SHOW TAG KEYS FROM nothing"]
)
def test_empty_results(filled: Any, q: str, response_format: str) -> None:
    found = filled.query(q, format=response_format)
    assert found["results"] == [{"statement_id": 0}]
    for frame in (found.to_pandas(), filled.query_dataframe(q, format=response_format)):
        assert frame.empty
        assert frame.index.dtype == "datetime64[ns, UTC]"
        assert frame.index.name == "time"


def test_columns_without_values(filled: Any) -> None:
    frame = filled.query("SELECT f, nothing FROM cpu").to_pandas()
    assert frame["nothing"].dtype == "float64"
    assert frame["nothing"].isna().all()


@pytest.mark.needs("administration")
def test_show_statements(filled: Any, database: str) -> None:
    def show(q: str) -> pd.DataFrame:
        frame: pd.DataFrame = filled.query(q).to_pandas()
        assert isinstance(frame.index, pd.RangeIndex)
        return frame

    assert show("SHOW MEASUREMENTS").to_dict("list") == {"name": ["cpu", "mem"]}
    assert show("SHOW FIELD KEYS FROM mem").to_dict("list") == {
        "measurement": ["mem", "mem"], "fieldKey": ["free", "n"], "fieldType": ["integer", "integer"],
    }  # fmt: skip
    assert show("SHOW TAG KEYS").to_dict("list") == {
        "measurement": ["cpu", "cpu", "mem"], "tagKey": ["host", "region", "host"],
    }  # fmt: skip
    assert show("SHOW TAG VALUES WITH KEY = host").to_dict("list") == {
        "measurement": ["cpu", "cpu", "mem"], "key": ["host"] * 3, "value": ["a", "b", "a"],
    }  # fmt: skip
    assert show("SHOW SERIES FROM mem").to_dict("list") == {"key": ["mem,host=a"]}
    assert show("SHOW RETENTION POLICIES").columns.tolist()[0] == "name"
    assert show("SHOW DATABASES").columns.tolist() == ["name"]
    assert database in show("SHOW DATABASES")["name"].tolist()
    assert show("SHOW USERS").columns.tolist() == ["user", "admin"]
    assert show("SHOW SHARDS").columns.tolist()[:3] == ["id", "database", "retention_policy"]
    assert database in show("SHOW SHARDS")["database"].tolist()
    assert {"qid", "query", "database"} <= set(show("SHOW QUERIES").columns)
    assert show("SHOW TAG KEY CARDINALITY").to_dict("list") == {"measurement": ["cpu", "mem"], "count": [2, 1]}
    assert "measurement" in show("SHOW STATS")
    assert show("EXPLAIN SELECT * FROM cpu").columns.tolist() == ["QUERY PLAN"]


@pytest.mark.needs("administration")
def test_show_continuous_queries(filled: Any, database: str) -> None:
    filled.query(
        f'CREATE CONTINUOUS QUERY q ON "{database}" BEGIN SELECT mean(f) INTO m FROM cpu GROUP BY time(1h) END'
    )
    frame = filled.query("SHOW CONTINUOUS QUERIES").to_pandas()
    assert frame.columns.tolist() == ["database", "name", "query"]
    assert frame.set_index("database").loc[database, "name"] == "q"


@pytest.mark.needs("administration")
def test_show_subscriptions(filled: Any, database: str) -> None:
    filled.query(f"CREATE SUBSCRIPTION s ON \"{database}\".autogen DESTINATIONS ANY 'http://127.0.0.1:9'")
    found = filled.query("SHOW SUBSCRIPTIONS")
    filled.query(f'DROP SUBSCRIPTION s ON "{database}".autogen')
    frame = found.to_pandas()
    assert frame["database"].tolist() == [database]
    assert frame["destinations"].tolist() == [["http://127.0.0.1:9"]]
    assert found.to_arrow()["destinations"].to_pylist() == found.to_polars()["destinations"].to_list()


def test_several_statements(filled: Any) -> None:
    found = filled.query("SELECT n FROM cpu; SELECT n FROM nothing; SHOW MEASUREMENTS")
    assert [len(frame) for frame in found.to_pandas_list()] == [2, 0, 2]
    assert [series.statement_id for series in found.series] == [0, 2]
    with pytest.raises(ValueError, match="one statement, not 3"):
        found.to_pandas()


def test_chunks(filled: Any) -> None:
    q = "SELECT n, f FROM cpu GROUP BY host; SELECT n FROM nothing; SHOW TAG KEYS"
    collector, each = Tables(), ChunkFrames()
    frames: list[pd.DataFrame] = []
    with filled.query_chunks(q, chunk_size=1) as chunks:
        for chunk in chunks:
            collector.add(chunk)
            frames += each.add(chunk)
    for frame, expected in zip(map(to_frame, collector.finish()), filled.query(q).to_pandas_list(), strict=True):
        pd.testing.assert_frame_equal(frame, expected)
    assert [len(frame) for frame in frames] == [1, 1, 1, 2, 1]


def test_dataframe_methods(filled: Any) -> None:
    q = "SELECT n, f FROM cpu GROUP BY host"
    expected = filled.query(q).to_pandas()
    for response_format in ("msgpack", "json"):
        found = filled.query_dataframe(q, format=response_format)
        pd.testing.assert_frame_equal(found, expected, check_dtype=response_format == "msgpack")
    several = f"{q}; SHOW MEASUREMENTS"
    first, second = filled.query_dataframes(several)
    pd.testing.assert_frame_equal(first, expected)
    assert second["name"].tolist() == ["cpu", "mem"]
    with pytest.raises(ValueError, match="one statement, not 2"):
        filled.query_dataframe(several)
    with filled.query_dataframe_chunks(q, chunk_size=1) as frames:
        joined = pd.concat(frames)
    assert joined["f"].dropna().tolist() == expected["f"].dropna().tolist()
    assert joined["n"].dtype == "Int64"
    assert joined["n"].tolist() == expected["n"].tolist()
    assert filled.query_dataframe("SELECT n FROM nothing").empty


def test_dataframe_errors(filled: Any) -> None:
    with pytest.raises(QueryError, match="database not found") as caught:
        filled.query_dataframe("SELECT n FROM nowhere..cpu")
    assert caught.value.statement_id == 0
    with pytest.raises(ValueError, match=r"^format: must be one of msgpack, json, csv, not 'xml'"):
        filled.query("SHOW USERS", format="xml")


def test_iterpoints(filled: Any) -> None:
    def parse(time: int, n: int, *, meta: dict[str, Any]) -> Any:
        return meta["tags"]["host"], meta["name"], meta["columns"], meta["statement_id"], n, time

    found = filled.query("SELECT n FROM mem GROUP BY host")
    assert list(iterpoints(found, parse)) == [("a", "mem", ["time", "n"], 0, 7, ns(4)[0])]


@pytest.mark.needs("administration")
def test_warnings_are_kept(filled: Any, database: str) -> None:
    """The statement is sent with GET, which our clients never do for statements with side effects."""
    op = ops.query("SHOW DATABASES")
    target = op.request.target.replace("SHOW", "DROP").replace("DATABASES", "DATABASE%20nothing")
    found = filled.execute(replace(op, request=replace(op.request, target=target)))
    [message] = found["results"][0]["messages"]
    assert message["level"] == "warning"
    assert message["text"] in repr(found)


def test_repr(filled: Any) -> None:
    text = repr(filled.query("SELECT n, s FROM cpu GROUP BY host"))
    assert text.startswith("<QueryResult: 1 statement, 2 series, 3 rows>\n  cpu (host=a): 2 rows\n    time ")
    assert str(MAX) in text
