"""Arrow data as input: polars and pyarrow tables, and any object with a C stream, read by either library."""

from __future__ import annotations

import datetime as dt
import math
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import product
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa  # type: ignore[import-untyped]  # no type hints
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from influx_proto import SerializationError, serialize, serialize_batches
from influx_proto._encode.frames import encoder as _table
from influx_proto._encode.frames import read_arrow

NS = 1_700_000_000_000_000_999


class Stream:
    """A table of another library: an object with only a C stream."""

    def __init__(self, table: Any) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)


def identity(table: Any) -> Any:
    return table


def to_polars(table: Any) -> Any:
    return pl.DataFrame(table)


#: The forms of one table, each with whether pyarrow is available.
TABLE_FORMS: dict[str, tuple[Callable[[Any], Any], bool]] = {
    "pyarrow": (identity, True),
    "polars": (to_polars, True),
    "stream": (Stream, True),
    "stream of polars": (lambda table: Stream(to_polars(table)), True),
    "reader": (lambda table: table.to_reader(), True),
    "polars alone": (to_polars, False),
    "stream by polars": (Stream, False),
}


@pytest.fixture(params=TABLE_FORMS)
def table_form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], Any]:
    build, has_pyarrow = TABLE_FORMS[request.param]
    if not has_pyarrow:
        hide_pyarrow(monkeypatch)
    return build


def hide_pyarrow(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(sys.modules, "pyarrow", None)  # makes importing it fail
    # The core may have imported it already.
    patch.setitem(sys.modules, "influx_proto._encode.frames.vectorized_arrow", None)


def table(time: Any = None, /, **columns: Any) -> Any:
    count = len(next(iter(columns.values()))) if columns else len(time)
    time = pa.array(range(1, count + 1), pa.timestamp("ns")) if time is None else time
    return pa.table({**columns, "time": time})


# Times


def test_timestamps(table_form: Callable[[Any], Any]) -> None:
    units = {"s": 10**9, "ms": 10**6, "us": 1000, "ns": 1}
    for (unit, ns), zone, precision in product(units.items(), (None, "UTC", "Europe/Berlin"), ("ns", "s")):
        times = pa.array([-(10**9) // ns, 0, NS // ns], pa.timestamp(unit, zone))
        expected = b"m v=1i -1000000000\nm v=2i 0\nm v=3i %d" % (NS // ns * ns)
        found = serialize(table_form(table(times, v=[1, 2, 3])), "m", precision=precision)
        assert found == expected, (unit, zone, precision)


def test_integer_times_have_the_precision_of_the_write(table_form: Callable[[Any], Any]) -> None:
    precisions = {"ns": 1, "u": 1000, "us": 1000, "s": 10**9, "h": 3600 * 10**9}
    for (precision, ns), column_type in product(precisions.items(), (pa.int64(), pa.int32(), pa.uint64())):
        data = table(pa.array([0, 7], column_type), v=[1, 2])
        found = serialize(table_form(data), "m", precision=precision)
        assert found == b"m v=1i 0\nm v=2i %d" % (7 * ns), (precision, column_type)


@pytest.mark.parametrize("rows", [2, 200])
def test_times_in_another_column(table_form: Callable[[Any], Any], rows: int) -> None:
    data = pa.table({
        "when": pa.array(range(rows), pa.timestamp("s")),
        "time of day": ["noon"] * rows,
        "v": range(rows),
    })
    lines = [b"m,time\\ of\\ day=noon v=%di %d" % (row, row * 10**9) for row in range(rows)]
    assert serialize(table_form(data), "m", time_column="when", tag_columns=["time of day"]) == b"\n".join(lines)
    with pytest.raises(
        SerializationError, match=r"missing time column 'time'; the columns are 'when', .*; pass time_column="
    ):
        serialize(table_form(data), "m")
    with pytest.raises(SerializationError, match="'m': column 'v': must have timestamps, dates or integers, not "):
        serialize(table_form(data.set_column(2, "v", pa.array([0.5] * rows))), "m", time_column="v")
    with pytest.raises(SerializationError, match="cannot be called 'time'"):
        serialize(table_form(data.rename_columns(["when", "time", "v"])), "m", time_column="when")


def test_dates(table_form: Callable[[Any], Any]) -> None:
    data = table(pa.array([dt.date(1969, 12, 31), dt.date(1970, 1, 2)]), v=[1, 2])
    assert serialize(table_form(data), "m", precision="s") == b"m v=1i -86400000000000\nm v=2i 86400000000000"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (pa.table({"v": [1], "Time": [1]}), "missing time column 'time'; the columns are 'v', 'Time'"),
        (pa.table({}), r"missing time column 'time'; the columns are \(none\)"),
        (pa.table({"v": [1], "time": ["2024-01-01"]}), "column 'time': .*timestamps, dates or integers, not .*tr"),
        (pa.table({"v": [1], "time": [1.0]}), "column 'time': .*not "),
        (pa.table({"v": [1], "time": pa.array([1], pa.duration("s"))}), "column 'time': .*not .*uration"),
        (table(pa.array([1, None], pa.timestamp("us")), v=[1, 2]), "^row 1: measurement 'm': the row has no timestamp"),
        (table(pa.array([1, None]), v=[1, 2]), "^row 1: .* no time"),
        (table(pa.array([2**62], pa.timestamp("us")), v=[1]), "^row 0: measurement 'm': timestamp .* outside"),
        (table(v=[1.0, math.inf]), r"^row 1 \(1970-01-01T00:00:00.000000002Z\): measurement 'm', field 'v': .*inf"),
        (table(v=pa.array([2**63], pa.uint64())), "^row 0 .*'m', field 'v': 9223372036854775808 .*unsigned=True"),
        (table(v=pa.array([1], pa.timestamp("s"))), "measurement 'm': column 'v': .*to integers or strings"),
        (table(v=pa.array([1], pa.timestamp("s", "UTC"))), "column 'v': .*integers or strings"),
        (table(v=pa.array([1], pa.duration("s"))), "column 'v': .*uration.*integers or strings"),
        (table(v=pa.array([1], pa.time64("us"))), "column 'v': .*integers or strings"),
        (table(v=pa.array([1], pa.date32())), "column 'v': .*integers or strings"),
        (table(v=pa.array([b"a"])), "column 'v': .*inary"),
        (table(v=pa.array([[1]])), "column 'v': .*ist"),
        (table(v=pa.array([{"a": 1}])), "column 'v': .*truct"),
    ],
)  # fmt: skip
def test_errors(table_form: Callable[[Any], Any], data: Any, why: str) -> None:
    with pytest.raises(SerializationError, match=why):
        serialize(table_form(data), "m")


def damaged(count: int, kind: Any = None) -> Any:
    """Strings of which the last one is not valid UTF-8, as other libraries export them."""
    kind = kind or pa.string()
    binary = pa.array([b"caf\xc3\xa9"] * (count - 1) + [b"caf\xe9"], BINARY[kind])
    return binary.view(kind)


BINARY = {pa.string(): pa.binary(), pa.large_string(): pa.large_binary(), pa.string_view(): pa.binary_view()}


@pytest.mark.parametrize("kind", [*BINARY, "dictionary"])
def test_text_that_is_not_utf8(table_form: Callable[[Any], Any], kind: Any) -> None:
    for rows, place in product((2, 99, 100, 2500), ("field", "tag")):
        if kind == "dictionary":
            column = pa.DictionaryArray.from_arrays(pa.array([0] * (rows - 1) + [1], pa.int32()), damaged(2))
        else:
            column = damaged(rows, kind)
        data = table_form(pa.table({"time": range(rows), "s": column, "v": range(rows)}))
        error = error_of(data, tag_columns=["s"] if place == "tag" else [])
        assert re.sub(r"\(1970.*?Z\)", "(time)", error) == (
            f"row {rows - 1} (time): measurement 'm', {place} 's': the string b'caf\\xe9' is not valid UTF-8 at index "
            "3; decode it with its own encoding, or replace the invalid bytes"
        )


def error_of(data: Any, **options: Any) -> str:
    """Return the message of the error for a table, or an empty string."""
    try:
        serialize(data, "m", **options)
    except SerializationError as error:
        return str(error)
    return ""


def test_a_character_in_halves() -> None:
    """Two strings of which only both together are valid."""
    halves = pa.Array.from_buffers(pa.string(), 200, pa.array([b"\xc3", b"\xa9"] * 100, pa.binary()).buffers())
    with pytest.raises(SerializationError, match=r"^row 0 .*'s': the string b'\\xc3' is not valid UTF-8 at index 0"):
        serialize(pa.table({"time": range(200), "s": halves}), "m")


def test_invalid_text_that_no_row_has() -> None:
    valid = damaged(300).slice(0, 299)
    assert serialize(pa.table({"time": range(299), "s": valid}), "m").count("café".encode()) == 299
    codes = pa.DictionaryArray.from_arrays(pa.array([0] * 300), damaged(2))
    assert serialize(pa.table({"time": range(300), "s": codes}), "m").count("café".encode()) == 300


@pytest.mark.parametrize("rows", [1, 200])
def test_a_code_without_a_cell(rows: int) -> None:
    codes = pa.DictionaryArray.from_arrays(pa.array([0] * (rows - 1) + [7]), pa.array(["a"]), safe=False)
    why = rf"^row {rows - 1} .*, field 's': reading the cell raises ArrowIndexError.*; correct the cell"
    with pytest.raises(SerializationError, match=why):
        serialize(pa.table({"time": range(rows), "s": codes}), "m")


def test_a_column_name_that_is_not_utf8(table_form: Callable[[Any], Any]) -> None:
    schema = pa.schema([pa.field("time", pa.int64()), pa.field(b"\xff", pa.int64())])
    data = pa.table([[1], [1]], schema=schema)
    try:
        data = table_form(data)
    except UnicodeDecodeError:  # polars does not make such a frame
        return
    with pytest.raises(SerializationError, match=r"column name b'\\xff' is not valid UTF-8|polars .* cannot read"):
        serialize(data, "m")


def test_times_that_influxdb_does_not_store(table_form: Callable[[Any], Any]) -> None:
    cases = [
        (pa.date32(), 2**31 - 1, 86400 * 10**9),
        (pa.date32(), -(2**31), 86400 * 10**9),
        (pa.date32(), 2932897, 86400 * 10**9),  # 10000-01-01
        (pa.date64(), 86400 * 10**3 * 2932897, 10**6),
        (pa.timestamp("ms"), 2**63 - 1, 10**6),
        (pa.timestamp("us", "UTC"), -(2**63), 10**3),
        (pa.int64(), 2**63 - 1, 1),
        (pa.uint64(), 2**64 - 1, 1),
    ]
    for (kind, last, ns), rows in product(cases, (1, 200)):
        width = {4: pa.int32(), 8: pa.uint64() if last >= 2**63 else pa.int64()}[kind.bit_width // 8]
        times = pa.array([0] * (rows - 1) + [last], width).view(kind)
        error = error_of(table_form(table(times, v=range(rows))))
        expected = f"row {rows - 1}: measurement 'm': timestamp {last * ns} is outside"
        assert error.startswith(expected), (kind, last, rows)


def test_a_type_that_polars_does_not_import(monkeypatch: pytest.MonkeyPatch) -> None:
    data = Stream(table(v=pa.array([1], pa.decimal256(76, 2))))
    assert serialize(data, "m") == b"m v=1.00 1"
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(SerializationError, match=r"polars .* cannot read a Stream as a table "):
        serialize(data, "m")


def test_names(table_form: Callable[[Any], Any]) -> None:
    with pytest.raises(SerializationError, match="'m': tag_columns: missing column 'host'; the columns are 'v'"):
        serialize(table_form(table(v=[1])), "m", tag_columns=["host"])
    with pytest.raises(SerializationError, match="missing column 'time'; the columns are 'v'"):
        serialize(table_form(table(v=[1])), "m", tag_columns=["time"])
    with pytest.raises(SerializationError, match=r"^measurement: required to write a table; pass"):
        serialize(table_form(table(v=[1])))


def test_duplicate_column_names() -> None:
    data = pa.table([pa.array([1]), pa.array([2]), pa.array([3])], names=["v", "v", "time"])
    with pytest.raises(SerializationError, match="'m': two columns have the name 'v'"):
        serialize(data, "m")


# Cells


@pytest.mark.parametrize(
    ("cells", "texts"),
    [
        (pa.array([0.1, math.nan, None, 1e300]), [b"0.1", b"", b"", b"1e300"]),
        (pa.array([0.1, math.nan, None, 1e30], pa.float32()), [b"0.1", b"", b"", b"1e30"]),
        (pa.array([True, False, None]), [b"true", b"false", b""]),
        (pa.array([-(2**63), 2**63 - 1, None, 0]), [b"-9223372036854775808i", b"9223372036854775807i", b"", b"0i"]),
        (pa.array([-128, 127], pa.int8()), [b"-128i", b"127i"]),
        (pa.array([255], pa.uint8()), [b"255i"]),
        (pa.array([5], pa.uint64()), [b"5i"]),
        (pa.array(["", None, 'a "b"\n,', "é\0"]), [b'""', b"", b'"a \\"b\\"\n,"', '"é\0"'.encode()]),
        (pa.array(["a"], pa.large_string()), [b'"a"']),
        (pa.array(["a"], getattr(pa, "string_view", pa.string)()), [b'"a"']),
        (pa.array(["a", None, "b", "a"]).dictionary_encode(), [b'"a"', b"", b'"b"', b'"a"']),
        (pa.array([Decimal("1.50"), None, Decimal("-0.01")]), [b"1.50", b"", b"-0.01"]),
        (pa.nulls(2), [b"", b""]),
    ],
)  # fmt: skip
def test_types(table_form: Callable[[Any], Any], cells: Any, texts: list[bytes]) -> None:
    lines = [b"m v=%b %d" % (text, time) for time, text in enumerate(texts, 1) if text]
    assert serialize(table_form(table(v=cells)), "m") == b"\n".join(lines)


@pytest.mark.parametrize("size", ["float16", "float32"])
def test_small_floats_have_their_shortest_digits(size: str) -> None:
    values = np.array([0.1, 1 / 3, 6e-8, 65504, -0.0, 1e-7], dtype=size)
    rows = [{"fields": {"v": value}, "time": time} for time, value in enumerate(values, 1)]
    data = table(v=pa.array(values))
    expected = serialize(rows, "m")
    assert serialize(data, "m") == expected
    # Not every pyarrow supports `dictionary_encode` for all of these.
    coded = pa.DictionaryArray.from_arrays(pa.array(range(6)), pa.array(values))
    assert serialize(table(v=coded), "m") == expected
    if size == "float32" or hasattr(pl, "Float16"):  # without Float16, polars converts the numbers
        assert serialize(pl.DataFrame({"v": values, "time": range(1, 7)}), "m") == expected
    assert b"v=0.1 " in expected


def test_types_that_only_polars_has() -> None:
    data = pl.DataFrame(
        {"time": [0], "e": ["a"], "c": ["b"], "o": [5], "u": [5]},
        schema_overrides={"e": pl.Enum(["a"]), "c": pl.Categorical, "o": pl.Int128, "u": pl.UInt16},
    )
    assert serialize(data, "m", tag_columns=["e", "c"]) == b"m,c=b,e=a o=5i,u=5i 0"
    with pytest.raises(SerializationError, match=r"column 'x': .* Object"):
        serialize(data.with_columns(pl.Series("x", [object()], dtype=pl.Object)), "m")


@pytest.mark.parametrize(
    ("cells", "options", "text"),
    [
        (pa.array([5], pa.uint64()), {"unsigned": True}, b"5u"),
        (pa.array([2**64 - 1], pa.uint64()), {"unsigned": True}, b"18446744073709551615u"),
        (pa.array([5], pa.uint32()), {"unsigned": True}, b"5i"),
        (pa.array([5], pa.uint64()), {"unsigned": True, "integers_as_floats": True}, b"5.0"),
        (pa.array([5]), {"field_types": {"v": "float"}}, b"5.0"),
        (pa.array([16777216.0], pa.float32()), {"field_types": {"v": "integer"}}, b"16777216i"),
    ],
)
def test_type_policy(table_form: Callable[[Any], Any], cells: Any, options: dict[str, Any], text: bytes) -> None:
    assert serialize(table_form(table(v=cells)), "m", **options) == b"m v=%b 1" % text


def test_tags(table_form: Callable[[Any], Any]) -> None:
    data = table(h=["a b,c=d", None, ""], i=[1, None, 3], b=[True, False, None], v=[1, 2, None])
    assert serialize(table_form(data), "m, n", tag_columns=["i", "h", "b"], tags={"h": "x"}, z=1) == (
        b"m\\,\\ n,b=True,h=a\\ b\\,c\\=d,i=1,z=1 v=1i 1\nm\\,\\ n,b=False,h=x,z=1 v=2i 2"
    )


# Tables as a whole


def test_empty_tables(table_form: Callable[[Any], Any]) -> None:
    assert serialize(table_form(table(v=[1, 2])[:0]), "m") == b""
    assert serialize(table_form(table(v=pa.nulls(2))), "m") == b""
    assert serialize(table_form(table([1, 2])), "m") == b""


def test_many_rows(table_form: Callable[[Any], Any]) -> None:
    data = table(v=range(2500))
    data = pa.concat_tables([data, data[:1], data])  # in three batches
    times = [*range(1, 2501), 1, *range(1, 2501)]
    expected = b"\n".join(b"m v=%di %d" % (time - 1, time) for time in times)
    assert serialize(table_form(data), "m") == expected
    batches = list(serialize_batches(table_form(data), "m", max_lines=100))
    assert [batch.count(b"\n") + 1 for batch in batches] == [100] * 50 + [1]
    assert b"\n".join(batches) == expected


def test_polars_column_name_with_a_nul() -> None:
    frame = pl.DataFrame({"time": range(200), "a\0b": range(200)})
    assert serialize(frame, "m") == b"\n".join(b"m a\0b=%di %d" % (n, n) for n in range(200))


def test_stream_is_read_lazily() -> None:
    read = 0

    def arriving() -> Iterator[Any]:
        nonlocal read
        while True:
            read += 1
            yield pa.record_batch({"v": [read] * 100, "time": range(100)})

    schema = pa.schema({"v": pa.int64(), "time": pa.int64()})
    batches = serialize_batches(pa.RecordBatchReader.from_batches(schema, arriving()), "m", max_lines=100)
    assert next(batches).startswith(b"m v=1i 0\n")
    assert next(batches).startswith(b"m v=2i 0\n")
    assert read <= 4


def test_tables_mixed_with_other_input(table_form: Callable[[Any], Any]) -> None:
    data = [
        {"measurement": "m", "fields": {"v": 0}, "time": 0},
        table_form(table(v=[1, 2])),
        [table_form(table(v=[3]))],
    ]
    assert serialize(data, "m") == b"m v=0i 0\nm v=1i 1\nm v=2i 2\nm v=3i 1"
    with pytest.raises(SerializationError, match=r"^row 3 .*infinite"):
        serialize([*data[:1], table_form(table(v=[1, 2])), table_form(table(v=[math.inf]))], "m")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (pa.chunked_array([[1]]), "measurement 'm': cannot read a ChunkedArray as a table"),
        (Stream(pl.Series([1])), "measurement 'm': cannot read a Stream as a table"),
        (pl.Series([1]), "cannot write a Series"),
        (pl.LazyFrame({"v": [1]}), "cannot write a LazyFrame"),
        (pa.array([1]), "cannot write an Int64Array"),
    ],
)
def test_invalid_tables(data: object, why: str) -> None:
    with pytest.raises(SerializationError, match=why):
        serialize(data, "m")


def test_invalid_tables_for_polars(monkeypatch: pytest.MonkeyPatch) -> None:
    data = Stream(pa.chunked_array([[1]]))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(SerializationError, match=r"polars .* cannot read a Stream as a table"):
        serialize(data, "m")


def test_without_polars_and_pyarrow(monkeypatch: pytest.MonkeyPatch) -> None:
    data = Stream(table(v=[1]))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(SerializationError, match="a table of type Stream requires pyarrow or polars; install pyarrow"):
        serialize(data, "m")


def test_small_floats_need_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    data = table(v=pa.array([1], pa.float32()))
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(SerializationError, match=r"column 'v': float32 .*numpy"):
        serialize(data, "m")


def test_polars_frames_need_no_other_library() -> None:
    code = """
import sys
sys.modules["pyarrow"] = sys.modules["numpy"] = sys.modules["pandas"] = None
import polars, influx_proto
frame = polars.DataFrame({"v": [1.5], "h": ["a"], "time": [0]})
print(influx_proto.serialize(frame, "m", tag_columns=["h"]))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "b'm,h=a v=1.5 0'\n"


def test_duckdb() -> None:
    relation = duckdb.sql(
        "SELECT make_timestamp_ns(range) AS time, 'h ' || range AS host, range / 3 AS v, range AS n, range = 0 AS ok, "
        "nullif(range, 1)::DECIMAL(10, 2) AS d FROM range(2)"
    )
    assert (
        serialize([relation, relation], "m", tag_columns=["host"]).split(b"\n")
        == [
            b"m,host=h\\ 0 v=0.0,n=0i,ok=true,d=0.00 0",
            b"m,host=h\\ 1 v=0.3333333333333333,n=1i,ok=false 1",
        ]
        * 2
    )


# The same bytes as rows as mappings

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
CELL_TYPES: list[tuple[Any, st.SearchStrategy[Any], Callable[[Any], Any]]] = [
    (pa.float64(), st.floats(allow_infinity=False), identity),
    (pa.float32(), st.floats(width=32, allow_infinity=False), np.float32),
    (pa.int64(), st.integers(-(2**63), 2**63 - 1), identity),
    (pa.uint64(), st.integers(0, 2**64 - 1), np.uint64),
    (pa.uint8(), st.integers(0, 255), identity),
    (pa.bool_(), st.booleans(), identity),
    (pa.string(), TEXTS, identity),
    (pa.dictionary(pa.int32(), pa.string()), TEXTS, identity),
    (pa.decimal128(20, 4), st.decimals(-(10**15), 10**15, places=4), identity),
]
TAG_TYPES: list[tuple[Any, st.SearchStrategy[Any], Callable[[Any], Any]]] = [
    (pa.string(), st.text(st.sampled_from('ab ,="é'), max_size=4), identity),
    (pa.dictionary(pa.int8(), pa.string()), st.text(st.sampled_from("ab ,="), max_size=4), identity),
    (pa.int16(), st.integers(-(2**15), 2**15 - 1), identity),
    (pa.bool_(), st.booleans(), identity),
]


@st.composite
def tables(draw: st.DrawFn) -> tuple[Any, list[dict[str, Any]]]:
    """A table, and its rows as mappings."""
    unit, ns = draw(st.sampled_from([("ms", 10**6), ("us", 1000), ("ns", 1)]))
    times = draw(st.lists(st.integers(-(4 * 10**18) // ns, 4 * 10**18 // ns), min_size=1, max_size=6))
    zone = draw(st.sampled_from([None, "UTC", "America/New_York"]))
    columns = {"time": pa.array(times, pa.timestamp(unit, zone))}
    rows: list[dict[str, Any]] = [{"measurement": "m", "time": time * ns, "tags": {}, "fields": {}} for time in times]
    for what, kinds in (("tags", TAG_TYPES), ("fields", CELL_TYPES)):
        for number, (column_type, values, plain) in enumerate(draw(st.lists(st.sampled_from(kinds), max_size=5))):
            cells = draw(st.lists(st.none() | values, min_size=len(times), max_size=len(times)))
            name = f"{what} {number}"
            columns[name] = pa.array(cells, column_type)
            for row, cell in zip(rows, cells, strict=True):
                row[what][name] = None if cell is None else plain(cell)
    names = draw(st.permutations(list(columns)))
    for row in rows:
        row["fields"] = {name: row["fields"][name] for name in names if name in row["fields"]}
    return pa.table({name: columns[name] for name in names}), rows


@given(case=tables())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_same_bytes_as_mappings(case: tuple[Any, list[dict[str, Any]]]) -> None:
    data, rows = case
    tag_columns = [name for name in data.column_names if name.startswith("tags")]
    expected = serialize(iter(rows), unsigned=True)
    for build, has_pyarrow in TABLE_FORMS.values():
        with pytest.MonkeyPatch.context() as patch:
            if not has_pyarrow:
                hide_pyarrow(patch)
            assert serialize(build(data), "m", tag_columns=tag_columns, unsigned=True) == expected


def failing_batches(count: int) -> Iterator[pa.RecordBatch]:
    for n in range(count):
        yield pa.record_batch({"time": pa.array([n, n + 1], pa.timestamp("s")), "v": [1.0, 2.0]})
    msg = "disk failure"
    raise RuntimeError(msg)


@pytest.mark.parametrize("wrap", [identity, Stream])
@pytest.mark.parametrize(("count", "rows"), [(0, "0 rows"), (3, "6 rows")])
def test_a_producer_that_fails_in_the_middle(wrap: Callable[[Any], Any], count: int, rows: str) -> None:
    schema = pa.schema({"time": pa.timestamp("s"), "v": pa.float64()})
    reader = wrap(pa.RecordBatchReader.from_batches(schema, failing_batches(count)))
    found: list[bytes] = []
    with pytest.raises(SerializationError, match=f"failed after {rows}: (.|\n)*disk failure") as caught:
        found.extend(serialize_batches(reader, "m", max_lines=2))
    assert len(found) == max(count - 1, 0)  # the last batch is not known to be full yet
    assert isinstance(caught.value.__cause__, pa.ArrowException)


def test_a_query_of_duckdb_that_fails_in_the_middle() -> None:
    cells = "CASE WHEN n = 250000 THEN error('division failed') ELSE n END"
    relation = duckdb.sql(f"SELECT to_timestamp(n) AS time, {cells} AS v FROM range(300000) t(n)")
    with pytest.raises(SerializationError, match="division failed"):
        serialize(relation, "m")


@pytest.mark.parametrize("index", [pa.int8(), pa.int32()])
@pytest.mark.parametrize("wrap", [identity, Stream])
def test_small_record_batches_are_encoded_together(
    index: Any, wrap: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if their dictionaries differ; together they can have more values than an int8 index."""
    names = [f"host {n}, é" if n % 7 else None for n in range(450)]
    data = pa.table({
        "time": pa.array(range(450)),
        "host": names,
        "s": [f'"{n}"\n' for n in range(450)],
        "v": [n / 8 if n % 5 else None for n in range(450)],
        "ok": [n % 2 == 0 for n in range(450)],
    })  # fmt: skip
    expected = serialize(data, "m", tag_columns=["host"])
    position = data.column_names.index("host")
    batches = []
    for start in range(0, 450, 30):
        part = data.slice(start, 30).combine_chunks()
        host = part["host"].combine_chunks().dictionary_encode().cast(pa.dictionary(index, pa.string()))
        batches += part.set_column(position, "host", host).to_batches()
        batches.append(batches[0].slice(0, 0))
    lengths: list[int] = []
    by_columns = _table._Rows.by_columns

    def watch(self: Any, part: Any) -> Any:
        lengths.append(part.stop - part.start)
        return by_columns(self, part)

    monkeypatch.setattr(_table._Rows, "by_columns", watch)
    table = pa.Table.from_batches(batches)
    assert serialize(wrap(table), "m", tag_columns=["host"]) == expected
    assert lengths == ([450] if index == pa.int32() else [])
    parts = list(serialize_batches(wrap(table), "m", tag_columns=["host"], max_lines=200))
    assert b"\n".join(parts) == expected
    assert [part.count(b",ok=") for part in parts] == [180, 180, 90]


def test_record_batches_with_long_strings_are_not_combined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_arrow, "SLICE_BYTES", 10_000)
    sizes: list[int] = []
    concatenate = read_arrow._concatenate

    def watch(batches: list[Any]) -> list[Any]:
        sizes.append(len(batches))
        return concatenate(batches)

    monkeypatch.setattr(read_arrow, "_concatenate", watch)
    data = pa.table({"time": range(20), "s": ["x" * 3000] * 20})
    assert serialize(Stream(pa.Table.from_batches(data.to_batches(max_chunksize=1))), "m") == serialize(data, "m")
    assert max(sizes) == 3
