"""Results as pandas and polars DataFrames and as Arrow tables."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa  # type: ignore[import-untyped]  # no type hints
import pytest
from hypothesis import given
from hypothesis import strategies as st
from influx_proto import Headers, ProtocolError, QueryError, QueryResult, ops
from influx_proto._result.column import Cells
from influx_proto._result.table import Tables, distinct
from influx_proto._result.to_pandas import ChunkFrames, to_frame, to_pandas, to_pandas_list
from influx_proto._time import to_nanoseconds, unit

from tests.core.result.conftest import one, result, select_results
from tests.core.result.test_result import chunks_of

MAX, MIN = (1 << 63) - 1, -(1 << 63)
STR = pd.Series(["a"]).dtype


def column(*cells: Any) -> pd.Series[Any]:
    return result(one("time v", *([1, cell] for cell in cells))).to_pandas()["v"]


def nanoseconds(frame: pd.DataFrame) -> list[int]:
    assert isinstance(frame.index, pd.DatetimeIndex)
    return frame.index.asi8.tolist()


# Types


@pytest.mark.parametrize(
    ("cells", "dtype", "expected"),
    [
        ([1, -1], "int64", [1, -1]),
        ([MIN, MAX], "int64", [MIN, MAX]),
        ([MAX, None, MIN], "Int64", [MAX, pd.NA, MIN]),
        ([MAX + 1, 0], "uint64", [MAX + 1, 0]),
        ([2 * MAX + 1, None], "UInt64", [2 * MAX + 1, pd.NA]),
        ([MAX + 1, -1], "object", [MAX + 1, -1]),
        ([1.0, 2.0], "float64", [1.0, 2.0]),
        ([1.5, None], "float64", [1.5, np.nan]),
        ([float("inf"), -0.0], "float64", [float("inf"), -0.0]),
        ([1, 2.5, None], "float64", [1.0, 2.5, np.nan]),
        ([True, False], "bool", [True, False]),
        ([True, None], "boolean", [True, pd.NA]),
        (["a", ""], STR, ["a", ""]),
        (["2020-01-01", "1"], STR, ["2020-01-01", "1"]),
        ([None, None], "float64", [np.nan, np.nan]),
        ([1, "a", None, True], "object", [1, "a", None, True]),
        ([["http://a"], None], "object", [["http://a"], None]),
        ([1, True], "object", [1, True]),
    ],
)
def test_types(cells: list[Any], dtype: Any, expected: list[Any]) -> None:
    found = column(*cells)
    assert found.dtype == dtype
    for cell, value in zip(found.array, expected, strict=True):
        assert cell is value or cell == value or (cell != cell and value != value)
        if dtype == "object":
            assert type(cell) is type(value)


def test_missing_strings() -> None:
    found = column("a", None)
    assert found.dtype == STR
    assert found.iloc[0] == "a"
    assert found.isna().tolist() == [False, True]


def test_integers_and_floats_become_floats_only_if_exact() -> None:
    assert column(1 << 53, 0.5).tolist() == [2.0**53, 0.5]
    # The server prints all zeros of such floats in JSON.
    assert column(12345678901234567000, 0.5).tolist() == [12345678901234567000.0, 0.5]
    exact = column((1 << 53) + 1, 0.5)
    assert exact.dtype == object
    assert exact.tolist() == [(1 << 53) + 1, 0.5]


BIG = 25_000  # cells: more than one portion


@pytest.mark.parametrize(
    ("parts", "dtype"),
    [
        ([1, 2], "int64"),
        ([1, None], "Int64"),
        ([None, 1, None], "Int64"),
        ([1, 0.5], "float64"),
        ([0.5, 1], "float64"),
        ([1, None, 0.5], "float64"),
        ([1, MAX + 1], "uint64"),
        ([None, 1, MAX + 1], "UInt64"),
        ([-1, MAX + 1], "object"),
        ([MAX, 0.5], "object"),
        ([True, None], "boolean"),
        ([True, 1, None], "object"),
        (["a", None, 1], "object"),
        ([None, None], "float64"),
    ],
)
def test_type_depends_on_the_whole_column(parts: list[Any], dtype: str) -> None:
    """Cells are packed in portions, which may have different types."""
    cells = [cell for part in parts for cell in [part] * BIG]
    found = column(*cells)
    assert found.dtype == dtype
    assert found.astype(object).where(found.notna(), None).tolist() == cells


@given(st.lists(st.lists(st.none() | st.integers(-9, 9) | st.floats(-9, 9) | st.booleans() | st.text(max_size=1))))
def test_all_types_in_all_portions(portions: list[list[Any]]) -> None:
    collected = Cells()
    everything: list[Any] = []
    for portion in portions:
        collected.extend(len(everything), portion)
        collected._pack_cells()
        everything += portion
    found = collected.finish("v", len(everything))
    assert found.cells() == everything
    if found.dtype == "other":
        assert list(map(type, found.cells())) == list(map(type, everything))


# Times


def test_times_are_nanoseconds_in_utc() -> None:
    frame = result(one("time v", [MIN + 2, 1], [0, 1], [MAX - 1, 1])).to_pandas()
    assert frame.index.dtype == "datetime64[ns, UTC]"
    assert frame.index.name == "time"
    assert nanoseconds(frame) == [MIN + 2, 0, MAX - 1]


@pytest.mark.parametrize("epoch", ["ns", "u", "ms", "s", "m", "h"])
def test_times_in_other_units(epoch: str) -> None:
    frame = result(one("time v", [-1, 1], [400_000, 1]), epoch=epoch).to_pandas()
    assert nanoseconds(frame) == [-unit(epoch), 400_000 * unit(epoch)]


def test_rfc3339_times() -> None:
    texts = ["1970-01-01T00:00:00Z", "1969-12-31T23:59:59.999999999Z", "2020-07-01T02:00:00.5+02:00"]
    frame = result(one("time v", *([text, 1] for text in texts)), epoch=None).to_pandas()
    assert nanoseconds(frame) == [0, -1, to_nanoseconds("2020-07-01T00:00:00.5Z")]


@pytest.mark.parametrize("cell", [None, 1.5, True, []])
def test_invalid_times(cell: Any) -> None:
    with pytest.raises(ProtocolError, match="invalid timestamp in the column time: "):
        result(one("time v", [cell, 1])).to_pandas()


def test_times_out_of_range() -> None:
    with pytest.raises(ProtocolError, match="does not fit into int64 nanoseconds"):
        result(one("time v", [1_600_000_000_000_000_000, 1]), epoch="s").to_pandas()


# Structure


def test_all_series_in_one_frame() -> None:
    frame = result(
        one("time v", [3, 1], [5, None], host="b", region=""),
        one("time v", host="none", region=""),
        one("time v", [1, 2], host="a", region=""),
    ).to_pandas()
    expected = pd.DataFrame(
        {
            "host": pd.Categorical(["b", "b", "a"], categories=["a", "b"]),
            "region": pd.Categorical(["", "", ""]),
            "v": pd.array([1, None, 2], "Int64"),
        },
        index=pd.DatetimeIndex(pd.to_datetime([3, 5, 1], utc=True, unit="ns"), name="time"),
    )
    pd.testing.assert_frame_equal(frame, expected)


def test_tag_order_is_independent_of_the_server() -> None:
    there, back = (
        {"name": "m", "tags": tags, "columns": ["time"]} for tags in ({"a": "", "b": ""}, {"b": "", "a": ""})
    )
    for series in (there, back):
        assert result(series).to_pandas().columns.tolist() == ["a", "b"]


def test_no_rows() -> None:
    frame = result(one("time a b")).to_pandas()
    assert frame.shape == (0, 2)
    assert frame.columns.tolist() == ["a", "b"]
    assert frame.index.dtype == "datetime64[ns, UTC]"
    assert frame.index.name == "time"


def test_no_series() -> None:
    frame = result().to_pandas()
    assert frame.shape == (0, 0)
    assert frame.index.dtype == "datetime64[ns, UTC]"
    assert frame.index.name == "time"


def test_categories_of_no_rows_are_strings() -> None:
    tag = result(one("time v", host="a")).to_pandas()["host"]
    assert tag.dtype == pd.CategoricalDtype(pd.Index(["a"])[:0])
    assert len(tag) == 0


MEASUREMENTS = [
    # argument, names of the series, whether there is a column
    (None, ["m"], False),
    (None, ["m", "m"], False),
    (None, ["m", "n"], True),
    (True, ["m"], True),
    (True, ["m", "n"], True),
    (True, [], True),
    (False, ["m", "n"], False),
]


@pytest.mark.parametrize(("measurement", "names", "there"), MEASUREMENTS)
def test_measurement_column(measurement: bool | None, names: list[str], there: bool) -> None:
    whole = result(*(one("time v", [1, 2], name=name) for name in names))
    frame = whole.to_pandas(measurement_column=measurement)
    assert ("measurement" in frame) == there
    if there:
        assert frame["measurement"].tolist() == names
        assert isinstance(frame["measurement"].dtype, pd.CategoricalDtype)
    for columns in (
        whole.to_arrow(measurement_column=measurement).column_names,
        whole.to_polars(measurement_column=measurement).columns,
    ):
        assert columns == ["time", *frame.columns]


@pytest.mark.parametrize("cells", [[None, -1, 1 << 63], [1 << 63, None, -1], [None, 1, 1 << 64]], ids=repr)
def test_missing_values_beside_integers_of_no_dtype(cells: list[int | None]) -> None:
    whole = result(one("time v", *([time, cell] for time, cell in enumerate(cells))))
    assert whole.to_pandas()["v"].tolist() == cells


SHOW_RESULTS = [
    # columns, names of the series, columns of the frame
    ("name", ["databases"], ["name"]),
    ("name", ["measurements"], ["name"]),
    ("user admin", [""], ["user", "admin"]),
    ("name duration default", [""], ["name", "duration", "default"]),
    ("name duration default", ["retention_policies"], ["name", "duration", "default"]),
    ("tagKey", ["cpu"], ["measurement", "tagKey"]),
    ("tagKey", ["cpu", "mem"], ["measurement", "tagKey"]),
    ("fieldKey fieldType", ["cpu"], ["measurement", "fieldKey", "fieldType"]),
    ("key value", ["cpu", "mem"], ["measurement", "key", "value"]),
    ("id database retention_policy", ["d", "e"], ["id", "database", "retention_policy"]),
    ("id database", ["shard groups"], ["id", "database"]),
    ("name query", ["d", "e"], ["database", "name", "query"]),
    (
        "retention_policy name mode destinations",
        ["d"],
        ["database", "retention_policy", "name", "mode", "destinations"],
    ),
    ("qid query database", [""], ["qid", "query", "database"]),
    ("count", ["cpu", "mem"], ["measurement", "count"]),
    ("count", [""], ["count"]),
    ("key", [""], ["key"]),
]


@pytest.mark.parametrize(("columns", "names", "expected"), SHOW_RESULTS)
@pytest.mark.parametrize("rows", [2, 0])
def test_results_without_times(columns: str, names: list[str], expected: list[str], rows: int) -> None:
    """The columns depend only on the statement, not on the number of rows."""
    row = ["x"] * len(columns.split())
    frame = result(*(one(columns, *[row] * rows, name=name) for name in names)).to_pandas()
    assert frame.columns.tolist() == expected
    assert isinstance(frame.index, pd.RangeIndex)
    assert len(frame) == rows * len(names)
    for label in {"measurement", "database"} & set(expected) - set(columns.split()):
        assert frame[label].tolist() == [name for name in names for _ in range(rows)]


def test_series_of_different_columns() -> None:
    """SHOW STATS returns such series."""
    frame = result(
        one("a b", [1, 2], name="runtime"),
        one("b c", [3, 4.5], name="shard", id="7"),
    ).to_pandas()
    assert frame.columns.tolist() == ["measurement", "id", "a", "b", "c"]
    assert frame["measurement"].tolist() == ["runtime", "shard"]
    assert frame["id"].isna().tolist() == [True, False]
    assert frame["a"].tolist() == [1, pd.NA]
    assert frame["b"].tolist() == [2, 3]
    assert frame["c"].isna().tolist() == [True, False]


def test_rows_with_and_without_times_are_not_mixed() -> None:
    with pytest.raises(ProtocolError, match="series with and without a column time"):
        result(one("time v", [1, 2]), one("v", [1])).to_pandas()


@pytest.mark.parametrize("row", [[1], [1, 2, 3], []])
def test_rows_of_a_wrong_length(row: list[Any]) -> None:
    for rows in ([row], [[1, 2], row]):
        with pytest.raises(ProtocolError, match="series 'm' has a row that does not match its columns"):
            result(one("time v", *rows)).to_pandas()


# Names


def test_clashing_column_names() -> None:
    frame = result(
        one("time host v v_1 v time", [1, 2, 3, 4, 5, 6], host="a", measurement="b", name="m"),
        one("time host v v_1 v time", [1, 2, 3, 4, 5, 6], host="a", measurement="b", name="n"),
    ).to_pandas()
    assert frame.iloc[1].to_dict() == {
        "measurement_1": "n", "host_1": "a", "measurement": "b", "host": 2, "v": 3, "v_1": 4, "v_2": 5, "time_1": 6,
    }  # fmt: skip


@given(st.lists(st.sampled_from(["a", "a_1", "a_2", "a_1_1", "time"])), st.sets(st.sampled_from(["time", "a", "a_1"])))
def test_distinct_names(names: list[str], taken: set[str]) -> None:
    found = distinct(names, taken)
    assert len({*found, *taken}) == len(found) + len(taken)
    for position, (name, new) in enumerate(zip(names, found, strict=True)):
        assert new.startswith(name)
        assert (name == new) == (name not in taken and name not in names[:position])


# Statements


TWO = QueryResult([
    {"statement_id": 0, "series": [one("time v", [1, 2])]},
    {"statement_id": 1},
    {"statement_id": 2, "series": [one("name", ["d"], name="databases")]},
])


def test_one_frame_per_statement() -> None:
    first, second, third = to_pandas_list(TWO)
    assert first["v"].tolist() == [2]
    assert second.empty
    assert third["name"].tolist() == ["d"]
    assert to_pandas_list(QueryResult([])) == []


@pytest.mark.parametrize("convert", ["to_pandas", "to_polars", "to_arrow"])
@pytest.mark.parametrize("several", [TWO, QueryResult([])])
def test_single_table_rejects_several_statements(convert: str, several: QueryResult) -> None:
    with pytest.raises(
        ValueError, match=f"must have one statement, not {len(several['results'])}; .*query_dataframes.*to_pandas_list"
    ):
        getattr(several, convert)()


# Chunks


def frames_of_chunks(whole: QueryResult, size: int, *, measurement_column: bool | None = None) -> list[pd.DataFrame]:
    frames = ChunkFrames(measurement_column=measurement_column)
    return [frame for chunk in chunks_of(whole, size) for frame in frames.add(chunk)]


@given(select_results(), st.integers(1, 3))
def test_joined_chunks_equal_the_whole_frame(whole: QueryResult, size: int) -> None:
    collector = Tables()
    for chunk in chunks_of(whole, size):
        collector.add(chunk)
    [frame] = map(to_frame, collector.finish())
    pd.testing.assert_frame_equal(frame, to_pandas(whole), check_exact=True)


@pytest.mark.parametrize("size", [4096, 1_000_000])
@pytest.mark.parametrize("operation", ["query", "query_dataframes", "query_dataframe"])
def test_failed_statement_after_packed_rows(operation: str, size: int) -> None:
    def document(first: int, *, more: bool) -> dict[str, Any]:
        rows = [[first + n, float(n)] for n in range(10_000)]
        series = {"name": "m", "columns": ["time", "v"], "values": rows, **({"partial": True} if more else {})}
        return {"results": [{"statement_id": 0, "series": [series], **({"partial": True} if more else {})}]}

    documents = [document(n * 10_000, more=n < 2) for n in range(3)]
    documents.append({"results": [{"statement_id": 1, "error": "boom"}]})
    body = b"".join(map(msgspec.msgpack.encode, documents))
    q = "SELECT v FROM m" if operation == "query_dataframe" else "SELECT v FROM m; SELECT boom"
    receiver = getattr(ops, operation)(q).receiver(200, Headers({"Content-Type": "application/x-msgpack"}))
    with pytest.raises(QueryError, match="boom") as caught:
        for at in range(0, len(body), size):
            receiver.feed(body[at : at + size])
        receiver.close()
    partial = caught.value.partial_result
    assert (None if partial is None else [len(one.values) for one in partial.series]) == (
        [30_000] if operation == "query" else None
    )


MALFORMED = [
    b'{"name":"m","columns":["time","v"],"values":[[1]]}',
    b'{"name":"m","columns":["time","v"],"values":[[1,2,3]]}',
    b'{"name":"m","columns":["time","v"],"values":[5]}',
    b'{"name":"m","columns":["time","v"],"values":5}',
    b'{"name":"m","columns":5,"values":[[1,2]]}',
    b'{"name":"m","columns":["time","v"],"values":[[1,2]],"tags":["a"]}',
    b'{"name":"m","columns":["time","v"],"values":[["x",2]]}',
]


@pytest.mark.parametrize("series", MALFORMED)
def test_malformed_results(series: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    body = b'{"results":[{"series":[%b]}]}\n' % series
    with pytest.raises(ProtocolError):
        ops.query_dataframe("SELECT v FROM m").read(200, headers, body)
    for epoch in ("ns", None):
        with contextlib.suppress(ProtocolError):  # other types of results may accept it
            found = ops.query("SELECT v FROM m", epoch=epoch).read(200, headers, body)
            assert repr(found)
            assert found._repr_html_()
        decoder = ops.query_points("SELECT v FROM m", epoch=epoch).decoder(200, Headers(headers))
        with contextlib.suppress(ProtocolError):
            assert decoder.feed(body)


@given(select_results(), st.integers(1, 3))
def test_frames_of_chunks_have_all_rows(whole: QueryResult, size: int) -> None:
    frames = frames_of_chunks(whole, size, measurement_column=True)
    assert sum(map(len, frames)) == sum(len(series.values) for series in whole.series)
    for frame in frames:
        assert set(frame.columns) == set(to_pandas(whole, measurement_column=True).columns)


# pandas 2 warns that columns without values will affect the result type in pandas 3. Here the type is the same.
CONCATENATED = pytest.mark.filterwarnings("ignore:The behavior of DataFrame concatenation:FutureWarning")


@CONCATENATED
@given(select_results(), st.integers(1, 3))
def test_concatenated_frames_of_chunks_equal_the_points(whole: QueryResult, size: int) -> None:
    points = list(whole.points())
    if not points:
        return
    joined = pd.concat(frames_of_chunks(whole, size))
    assert nanoseconds(joined) == [point["time"] for point in points]
    for name in points[0].keys() - {"time"}:
        for cell, missing, point in zip(joined[name].tolist(), joined[name].isna(), points, strict=True):
            assert missing if point[name] is None else same(cell, point[name])


@given(select_results(), st.integers(1, 3))
def test_column_type_is_stable_across_chunks(whole: QueryResult, size: int) -> None:
    frames = frames_of_chunks(whole, size)
    for name in {column for series in whole.series for column in series.columns[1:]}:
        types = [frame[name].dtype for frame in frames]
        valued = [not frame[name].isna().all() for frame in frames]
        before = valued.index(True) if any(valued) else len(frames)
        assert {str(found) for found in types[:before]} <= {"object"}
        assert len(set(types[before:])) <= 1


@CONCATENATED
@pytest.mark.parametrize(
    ("cells", "types"),
    [
        ([MAX, None, MIN], ["Int64", "Int64", "Int64"]),
        ([None, MAX], ["object", "Int64"]),
        ([True, None], ["boolean", "boolean"]),
        (["a", None], [STR, STR]),
        ([1.5, None, 2.5], ["float64", "float64", "float64"]),
        ([2 * MAX, 1, None], ["UInt64", "UInt64", "UInt64"]),
        # JSON writes whole floats without a decimal point.
        ([1.5, 2], ["float64", "float64"]),
        ([2, 1.5, 3], ["Int64", "float64", "float64"]),
        # pandas would convert these to floats, which are not exact.
        ([MAX, 1.5, MIN], ["Int64", "object", "Int64"]),
        ([1.5, MAX], ["float64", "object"]),
        ([1, 2 * MAX], ["Int64", "object"]),
        ([2 * MAX, -1], ["UInt64", "object"]),
        ([2 * MAX, 1.5], ["UInt64", "object"]),
        ([1, True, "a"], ["Int64", "object", "object"]),
        ([True, 1], ["boolean", "object"]),
        ([["http://a"], 1], ["object", "object"]),
    ],
)
def test_types_of_chunks(cells: list[Any], types: list[Any]) -> None:
    frames = frames_of_chunks(result(one("time v", *([1, cell] for cell in cells))), 1)
    assert [frame["v"].dtype for frame in frames] == types
    for found, cell in zip(pd.concat(frames)["v"], cells, strict=True):
        assert pd.isna(found) if cell is None else found == cell


def test_statements_do_not_share_the_types_of_chunks() -> None:
    both = QueryResult([
        {"statement_id": 0, "series": [one("time v", [1, 1])]},
        {"statement_id": 1, "series": [one("time v", [1, "a"])]},
    ])
    assert [frame["v"].dtype for frame in frames_of_chunks(both, 1)] == ["Int64", STR]


def test_chunks_of_several_statements() -> None:
    collector = Tables()
    for chunk in chunks_of(TWO, 1):
        collector.add(chunk)
    for frame, expected in zip(map(to_frame, collector.finish()), to_pandas_list(TWO), strict=True):
        pd.testing.assert_frame_equal(frame, expected)
    assert [len(frame) for frame in frames_of_chunks(TWO, 1)] == [1, 1]


def test_several_entries_for_one_statement() -> None:
    """SHOW TAG KEYS returns such a result."""
    collector = Tables()
    for name in ("m", "n"):
        collector.add(result(one("tagKey", ["a"], name=name)))
    [frame] = map(to_frame, collector.finish())
    assert frame["measurement"].tolist() == ["m", "n"]


# Cell by cell


def same(cell: object, expected: object) -> bool:
    return type(cell) is type(expected) and repr(cell) == repr(expected)


@given(select_results())
def test_pandas_cell_by_cell(whole: QueryResult) -> None:
    frame = whole.to_pandas()
    points = list(whole.points())
    assert len(frame) == len(points)
    assert nanoseconds(frame) == [point["time"] for point in points]
    if not points:
        return
    assert set(frame.columns) - {"measurement"} == points[0].keys() - {"time"}
    for name in points[0].keys() - {"time"}:
        found = frame[name]
        for cell, missing, point in zip(found.tolist(), found.isna(), points, strict=True):
            assert missing if point[name] is None else same(cell, point[name])


@given(select_results())
def test_arrow_and_polars_cell_by_cell(whole: QueryResult) -> None:
    table, frame = whole.to_arrow(), whole.to_polars()
    table.validate(full=True)
    assert table.schema.field("time").type == pa.timestamp("ns", "UTC")
    assert frame.schema["time"] == pl.Datetime("ns", "UTC")
    points = list(whole.points())
    assert table.column_names == frame.columns
    assert table["time"].cast(pa.int64()).to_pylist() == frame["time"].cast(pl.Int64).to_list()
    assert frame["time"].cast(pl.Int64).to_list() == [point["time"] for point in points]
    for name in points[0].keys() - {"time"} if points else ():
        for cells in (table[name].to_pylist(), frame[name].to_list()):
            for cell, point in zip(cells, points, strict=True):
                assert same(cell, point[name])


def test_types_of_arrow_and_polars() -> None:
    whole = result(one("time i u f b s n", [1, 1, 1 << 63, 1.0, True, "a", None], name="x", host="a"))
    table, frame = whole.to_arrow(measurement_column=True), whole.to_polars(measurement_column=True)
    dictionary = pa.dictionary(pa.int32(), pa.string())
    assert dict(zip(table.schema.names, table.schema.types, strict=True)) == {
        "time": pa.timestamp("ns", "UTC"),
        "measurement": dictionary,
        "host": dictionary,
        "i": pa.int64(),
        "u": pa.uint64(),
        "f": pa.float64(),
        "b": pa.bool_(),
        "s": pa.string(),
        "n": pa.float64(),
    }
    assert frame.schema == {
        "time": pl.Datetime("ns", "UTC"),
        "measurement": pl.Categorical(),
        "host": pl.Categorical(),
        "i": pl.Int64(),
        "u": pl.UInt64(),
        "f": pl.Float64(),
        "b": pl.Boolean(),
        "s": pl.String(),
        "n": pl.Float64(),
    }
    assert table["n"].null_count == frame["n"].null_count() == 1


def test_cells_without_a_type_in_arrow_and_polars() -> None:
    lists = result(one("name destinations", ["s", ["http://a", "http://b"]], name="d"))
    assert lists.to_arrow()["destinations"].to_pylist() == [["http://a", "http://b"]]
    assert lists.to_polars()["destinations"].to_list() == [["http://a", "http://b"]]
    mixed = result(one("time v", [1, 2], [1, "a"]))
    for convert in (mixed.to_arrow, mixed.to_polars):
        with pytest.raises(ValueError, match=r"column 'v' has values of types int and str, .*to_pandas"):
            convert()


def test_missing_tag_in_arrow_and_polars() -> None:
    whole = result(one("a", [1], name="runtime"), one("a", [2], name="shard", id="7"))
    assert whole.to_arrow()["id"].to_pylist() == whole.to_polars()["id"].to_list() == [None, "7"]


@pytest.mark.parametrize(
    ("convert", "unneeded"),
    [
        ("to_pandas", {"polars"}),
        ("to_arrow", {"pandas", "polars", "numpy"}),
        ("to_polars", {"pandas", "pyarrow", "numpy"}),
    ],
)
def test_libraries_are_independent(convert: str, unneeded: set[str]) -> None:
    code = f"""if True:
        import sys
        sys.modules.update(dict.fromkeys({unneeded!r}))
        from influx_proto import QueryResult
        columns, row = ["time", "i", "f", "b", "s"], [1, 2, 3.5, True, "x"]
        series = {{"name": "m", "tags": {{"a": "b"}}, "columns": columns, "values": [row, [1] + 4 * [None], row]}}
        table = QueryResult([{{"series": [series]}}]).{convert}()
        assert len(table) == 3
    """
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


@pytest.mark.parametrize("build", [ops.query_dataframe, ops.query_dataframes, ops.query_dataframe_chunks])
def test_without_pandas(build: Callable[[str], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is raised before a request is sent."""
    monkeypatch.setitem(sys.modules, "pandas", None)  # makes importing it fail
    with pytest.raises(ImportError, match="DataFrames need pandas; install pandas"):
        build("SELECT v FROM m")
