"""Columnar encoding of tables, by pyarrow and orjson or by numpy: the same bytes and errors as row by row."""

from __future__ import annotations

import datetime as dt
import enum
import math
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa  # type: ignore[import-untyped]  # no type hints
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from influx_proto import SerializationError, serialize, serialize_batches
from influx_proto._encode.frames import encoder as _table
from influx_proto._encode.frames import read_pandas, vectorized_arrow
from influx_proto._encode.frames.line_builder import MAX_CHOICES
from influx_proto._encode.frames.vectorized import SliceEncoder


@contextmanager
def without_modules(*modules: str) -> Iterator[pytest.MonkeyPatch]:
    """Make imports of our modules fail, as if their libraries were not installed."""
    with pytest.MonkeyPatch.context() as patch:
        for module in modules:
            patch.setitem(sys.modules, f"influx_proto._encode.frames.{module}", None)
        yield patch


@contextmanager
def watch_slices() -> Iterator[list[bool]]:
    """Encode slices of any length by columns; yield a list with whether each slice was encoded."""
    written: list[bool] = []
    lines = SliceEncoder.encode

    def watch(self: Any, rows: Any) -> Any:
        written.append(False)
        found = lines(self, rows)
        written[-1] = found is not None
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_table, "_FEW", 1)
        patch.setattr(SliceEncoder, "encode", watch)
        yield written


def outcome(data: object, options: dict[str, Any]) -> bytes | str:
    try:
        return serialize(data, "m", **options)
    except SerializationError as error:
        return str(error)


def encode_on_all_paths(data: Any, options: dict[str, Any]) -> tuple[bytes | str, bool, bool]:
    """Encode on all paths; return the outcome, and whether pyarrow and numpy each encoded all of it."""
    with without_modules("vectorized_arrow", "vectorized_numpy") as patch:
        patch.setattr(_table, "_MIN_COLUMNAR", 1)
        many_at_a_time = outcome(data, options)
        patch.setattr(_table, "_MIN_COLUMNAR", 1000)
        expected = outcome(data, options)
    assert many_at_a_time == expected
    with watch_slices() as by_arrow:
        assert outcome(data, options) == expected
    with without_modules("vectorized_arrow"), watch_slices() as by_numpy:
        assert outcome(data, options) == expected
    return expected, all(by_arrow) and bool(by_arrow), all(by_numpy) and bool(by_numpy)


def encode_on_both_paths(data: Any, options: dict[str, Any]) -> tuple[bytes | str, bool]:
    """Encode on all paths; return the outcome, and whether pyarrow encoded all of it."""
    return encode_on_all_paths(data, options)[:2]


def frame(index: Any = None, /, **columns: Any) -> pd.DataFrame:
    built = pd.DataFrame(columns)
    built.index = pd.DatetimeIndex(np.arange(1, len(built) + 1).view("M8[ns]")) if index is None else index
    return built


def objects(cells: list[Any]) -> pd.Series[Any]:
    """Return a column of dtype object, which pandas does not convert to strings."""
    return pd.Series(cells, dtype=object, index=pd.DatetimeIndex(np.arange(1, len(cells) + 1).view("M8[ns]")))


def encode_fast(data: Any, **options: Any) -> bytes | str:
    """Encode on all paths, and check that pyarrow encoded all of it."""
    found, written = encode_on_both_paths(data, options)
    assert written
    return found


# Random tables

FLOATS = st.floats() | st.sampled_from([
    0.0,
    -0.0,
    5e-324,
    1e15,
    1e16,
    1e17,
    1e21,
    123456789012345678.0,
    1e-5,
    1e-7,
    1e300,
])
FINITE = st.floats(allow_infinity=False)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.text(
    st.sampled_from('"\\ ,=\nab[]'), max_size=5
)
TAGS = st.text(st.sampled_from("ab ,=é[]"), max_size=4)
UNUSUAL_TAGS = st.text(st.sampled_from('a\\ ,=\n\r"'), max_size=4)
INTS = st.integers(-(2**63), 2**63 - 1) | st.integers(-1000, 1000)
UNSIGNED = st.integers(0, 2**64 - 1) | st.integers(0, 1000)
SMALL = st.integers(0, 100)
SINGLES = st.floats(width=32)

#: By dtype: the cells, and whether they may be missing.
#: Values that pandas uses for missing cells.
MARKERS = st.sampled_from([math.nan, pd.NA, pd.NaT])


class Color(enum.Enum):
    RED = 1
    BLUE = 2


class Letter(enum.StrEnum):
    A = "alpha"
    B = 'b"'


CELL_TYPES: list[tuple[Any, st.SearchStrategy[Any], bool]] = [
    ("float64", FLOATS, True),
    ("float64", FINITE, False),
    ("float32", SINGLES, True),
    ("float16", st.floats(width=16), True),
    ("Float64", FINITE, True),
    ("Float32", SINGLES, True),
    ("double[pyarrow]", FINITE, True),
    ("float[pyarrow]", SINGLES, True),
    ("int64", INTS, False),
    ("int8", SMALL, False),
    ("uint64", UNSIGNED, False),
    ("uint16", SMALL, False),
    ("Int64", INTS, True),
    ("UInt64", UNSIGNED, True),
    ("Int16", SMALL, True),
    ("int64[pyarrow]", INTS, True),
    ("uint64[pyarrow]", UNSIGNED, True),
    ("bool", st.booleans(), False),
    ("boolean", st.booleans(), True),
    ("bool[pyarrow]", st.booleans(), True),
    ("str", TEXTS, True),
    ("string", TEXTS, True),
    ("string[pyarrow]", TEXTS, True),
    ("string[python]", TEXTS, True),
    ("object", TEXTS, True),
    ("object", SMALL | INTS, True),
    ("object", FLOATS, True),
    ("object", st.booleans(), True),
    ("object", st.decimals(-(10**9), 10**9, places=4) | st.just(Decimal("NaN")), True),
    ("object", st.decimals(allow_infinity=False) | st.just(Decimal("-" + "1" * 301)), True),
    ("object", st.tuples(SMALL) | st.dates() | MARKERS, True),
    ("object", TEXTS | SMALL | st.floats() | st.just(pd.NaT) | st.just(pd.NA) | st.just(Decimal("NaN")), True),
    ("object", TEXTS | MARKERS, True),
    ("object", SMALL | INTS | MARKERS, True),
    ("object", FLOATS | MARKERS, True),
    ("object", st.booleans() | MARKERS, True),
    ("object", FLOATS.map(np.float64) | MARKERS, True),
    ("object", SINGLES.map(np.float32) | MARKERS, True),
    ("object", SMALL.map(np.int8) | MARKERS, True),
    ("object", INTS.map(np.int64) | MARKERS, True),
    ("object", st.booleans().map(np.bool_) | MARKERS, True),
    ("object", st.sampled_from(Color) | MARKERS, True),
    ("object", st.sampled_from(Letter) | MARKERS, True),
    ("category", TEXTS, True),
    ("category", SMALL, True),
    ("category", FLOATS, False),
    (pd.ArrowDtype(pa.string()), TEXTS, True),
    (pd.ArrowDtype(pa.large_string()), TEXTS, True),
    (pd.ArrowDtype(pa.dictionary(pa.int8(), pa.string())), TEXTS, True),
    (pd.ArrowDtype(pa.decimal128(20, 4)), st.decimals(-(10**9), 10**9, places=4), True),
]  # fmt: skip
TAG_TYPES: list[tuple[Any, st.SearchStrategy[Any], bool]] = [
    ("str", TAGS, True),
    ("str", TAGS.filter(bool), False),
    ("str", UNUSUAL_TAGS, True),
    ("object", TAGS, True),
    ("object", TAGS | SMALL | st.booleans(), True),
    ("category", TAGS, True),
    ("category", UNUSUAL_TAGS, True),
    ("category", SMALL, True),
    ("int64", INTS, False),
    ("Int64", SMALL, True),
    ("bool", st.booleans(), False),
    ("boolean", st.booleans(), True),
    ("float64", FLOATS, True),
    (pd.ArrowDtype(pa.string()), TAGS, True),
    (pd.ArrowDtype(pa.dictionary(pa.int8(), pa.string())), TAGS, True),
]
POLICIES = st.fixed_dictionaries(
    {},
    optional={
        "unsigned": st.booleans(),
        "nonfinite": st.sampled_from(["raise", "omit"]),
        "integers_as_floats": st.booleans(),
        "object_columns": st.sampled_from(["str", "infer"]),
        "field_types": st.dictionaries(
            st.sampled_from(["field 0", "field 1"]),
            st.sampled_from(["float", "integer", "unsigned", "string", "boolean"]),
            max_size=1,
        ),
        "tags": st.dictionaries(st.sampled_from(["tag 0", "tag 1", "region", "a b"]), TAGS, max_size=2),
    },
)


@st.composite
def frames(draw: st.DrawFn) -> tuple[pd.DataFrame, dict[str, Any]]:
    """A frame, and the options of its write."""
    unit = draw(st.sampled_from(["s", "ms", "us", "ns"]))
    ns = {"s": 10**9, "ms": 10**6, "us": 1000, "ns": 1}[unit]
    rows = draw(st.integers(1, 6))
    moments = st.integers(-(2**63) // ns + 1, 2**63 // ns - 1)
    if draw(st.integers(0, 9)) == 0:
        moments |= st.just(-(2**63))  # NaT
    times = draw(st.lists(moments, min_size=rows, max_size=rows))
    index = pd.DatetimeIndex(np.array(times, "i8").view(f"M8[{unit}]"))
    columns: dict[str, pd.Series[Any]] = {}
    for what, kinds in (("tag", TAG_TYPES), ("field", CELL_TYPES)):
        chosen = draw(st.lists(st.sampled_from(kinds), min_size=what == "field", max_size=4))
        for number, (dtype, values, missing) in enumerate(chosen):
            cells = draw(st.lists(st.none() | values if missing else values, min_size=rows, max_size=rows))
            series: pd.Series[Any] = pd.Series(cells, dtype=dtype, index=index)
            if dtype == "category" and draw(st.booleans()):
                series = series.cat.remove_categories(series.cat.categories[:1]).cat.as_ordered()
            columns[f"{what} {number}"] = series
    names = draw(st.permutations(list(columns)))
    options = draw(POLICIES)
    options["tag_columns"] = [name for name in names if name.startswith("tag")]
    return pd.DataFrame({name: columns[name] for name in names}, index=index), options


@settings(deadline=None)  # the first use imports libraries
@given(frames(), st.sampled_from([1, MAX_CHOICES]))
def test_same_bytes_and_errors_for_any_frame(case: tuple[pd.DataFrame, dict[str, Any]], choices: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vectorized_arrow, "MAX_CHOICES", choices)
        encode_on_both_paths(*case)


@settings(deadline=None)  # the first use imports libraries
@given(frames(), st.booleans())
def test_same_bytes_and_errors_for_polars_and_arrow(case: tuple[pd.DataFrame, dict[str, Any]], polars: bool) -> None:
    data, options = case
    options.pop("object_columns", None)
    try:
        table = pa.Table.from_pandas(data.rename_axis("time").reset_index(), preserve_index=False)
        if polars:
            table = pl.DataFrame(table)
    except (
        pa.ArrowException,
        pl.exceptions.PolarsError,
    ):  # polars and pyarrow cannot convert object columns with several types
        return
    encode_on_both_paths(table, options)


@pytest.mark.parametrize("width", [1, 200])  # 200 characters are measured individually
@settings(deadline=None)
@given(st.lists(st.none() | st.integers(0, 999), min_size=1, max_size=6))
def test_few_of_many_distinct_values(width: int, codes: list[int | None]) -> None:
    values = [f"host {n:0{width}}" for n in range(1000)]
    hosts = pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), pa.array(values))
    table = pa.table({"time": pa.array(range(len(codes)), pa.timestamp("ns")), "host": hosts, "v": codes})
    options = {"tag_columns": ["host"]}
    enum = pl.Series([None if code is None else values[code] for code in codes], dtype=pl.Enum(values))
    expected = encode_on_both_paths(table, options)[0]
    assert encode_on_both_paths(pl.DataFrame(table).with_columns(enum.alias("host")), options)[0] == expected
    categories = pd.Categorical.from_codes([-1 if code is None else code for code in codes], pd.Index(values))
    index = pd.DatetimeIndex(np.arange(len(codes)).view("M8[ns]"))
    for limit in (500, 2000):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(read_pandas, "_FEW_CATEGORIES", limit)
            data = frame(index, host=categories, v=pd.array(codes, "Int64"))
            assert encode_on_both_paths(data, options)[0] == expected
    many = pa.Table.from_batches(table.to_batches(max_chunksize=1))  # all batches share a dictionary
    assert encode_on_both_paths(many, options)[0] == expected


def test_batches_with_a_dictionary_of_nulls() -> None:
    nulls = pa.DictionaryArray.from_arrays(pa.array([0, 0], pa.int8()), pa.nulls(1))
    table = pa.table({"time": pa.array([1, 2], pa.timestamp("ns")), "n": nulls, "v": [1, 2]})
    assert (
        encode_on_both_paths(pa.Table.from_batches(table.to_batches(max_chunksize=1)), {})[0] == b"m v=1i 1\nm v=2i 2"
    )


def array_of(kind: Any, cells: list[Any]) -> Any:
    """An array of a type, with values that nothing checks: text of invalid UTF-8, and any time that fits."""
    if kind in TEXT_OF:
        return pa.Array.from_buffers(kind, len(cells), pa.array(cells, TEXT_OF[kind]).buffers())
    if pa.types.is_dictionary(kind):
        distinct = list(dict.fromkeys(cells))
        codes = pa.array([distinct.index(cell) for cell in cells], kind.index_type)
        return pa.DictionaryArray.from_arrays(codes, array_of(kind.value_type, distinct))
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return pa.array(cells, pa.int32() if kind == pa.date32() else pa.int64()).view(kind)
    return pa.array(cells, kind)


TEXT_OF = {pa.string(): pa.binary(), pa.large_string(): pa.large_binary()}
BYTES = st.binary(max_size=4) | st.sampled_from([
    b"a",
    "é".encode(),
    b"\xff",
    b"\xc3",
    b"\xed\xa0\x80",
    b"a b",
    b"",
    b"\\",
])
INT32 = st.integers(-(2**31), 2**31 - 1) | st.integers(0, 100_000)
ARROW_TIMES: list[tuple[Any, st.SearchStrategy[Any]]] = [
    *[(pa.timestamp(unit, zone), INTS) for unit in ("s", "ms", "us", "ns") for zone in (None, "Asia/Tokyo")],
    (pa.date32(), INT32),
    (pa.date64(), INT32.map(lambda day: day * 86_400_000)),
    (pa.int64(), INTS),
    (pa.int32(), INT32),
    (pa.uint64(), UNSIGNED),
]
ARROW_KINDS: list[tuple[Any, st.SearchStrategy[Any]]] = [
    *[(kind, st.none() | BYTES) for kind in TEXT_OF],
    (pa.dictionary(pa.int8(), pa.string()), BYTES),
    (pa.dictionary(pa.int32(), pa.large_string()), BYTES),
    (pa.float64(), st.none() | FLOATS),
    (pa.uint64(), st.none() | UNSIGNED),
    (pa.decimal128(38, 2), st.none() | st.decimals(-(10**9), 10**9, places=2)),
]


@st.composite
def arrow_tables(draw: st.DrawFn) -> tuple[Any, dict[str, Any]]:
    """A table of Arrow with cells that cannot be written, and how it is written."""
    rows = draw(st.integers(1, 6))

    def column(kinds: list[tuple[Any, st.SearchStrategy[Any]]]) -> Any:
        kind, cells = draw(st.sampled_from(kinds))
        small = draw(st.booleans())  # otherwise nearly no table is written
        cells = st.integers(0, 9) if small and (pa.types.is_temporal(kind) or pa.types.is_integer(kind)) else cells
        return array_of(kind, draw(st.lists(cells, min_size=rows, max_size=rows)))

    tags = [f"tag {number}" for number in range(draw(st.integers(0, 2)))]
    fields = [f"field {number}" for number in range(draw(st.integers(1, 3)))]
    names = draw(st.permutations([*tags, *fields, "when"]))
    kinds = {"t": ARROW_KINDS[:4], "f": ARROW_KINDS, "w": ARROW_TIMES}
    table = pa.table({name: column(kinds[name[0]]) for name in names})
    options = {"tag_columns": tags, "time_column": "when", "precision": draw(st.sampled_from(["ns", "s"]))}
    return table, options


@settings(deadline=None)  # what is imported at first use takes its time
@given(arrow_tables(), st.sampled_from(["pyarrow", "polars", "pandas"]))
def test_the_same_bytes_and_errors_for_damaged_tables(case: tuple[Any, dict[str, Any]], library: str) -> None:
    table, options = case
    expected = encode_on_both_paths(table, options)[0]
    if library == "polars":
        assert encode_on_both_paths(pl.DataFrame(table), options)[0] == expected
    elif library == "pandas":
        data = pd.DataFrame({name: pd.arrays.ArrowExtensionArray(table[name]) for name in table.column_names})
        assert encode_on_both_paths(data, options)[0] == expected


@settings(deadline=None)  # the first use imports libraries
@given(st.lists(st.one_of(st.floats(), SINGLES), min_size=1), st.sampled_from(["float64", "float32"]))
@example([1e16, -1e16, 1e-5, 1e-6, 9.5e-6, 1e22, 5e-324, 1.7976931348623157e308, 2.0**53, 1e15, -0.0], "float64")
@example([1e12, 1e13, 1e15, 1e16, 1e17, 1e-5, 1e-6, 1e38, 1e-45, 16777216.0, 0.1, -0.0], "float32")
def test_float_digits(values: list[float], dtype: str) -> None:
    with np.errstate(over="ignore"):
        array = np.array(values).astype(dtype)
    encode_on_both_paths(frame(v=array), {"nonfinite": "omit"})
    encode_on_both_paths(frame(v=array), {})


# Input for the fast path

MANY_ROWS: dict[str, Any] = {
    "float64": [0.5, 1e16],
    "float32": np.array([0.1, 1e-6], "f4"),
    "missing": [math.nan, 1.0],
    "Float64": pd.array([None, 1.5], "Float64"),
    "int64": [1, -(2**63)],
    "uint64": np.array([0, 2**63 - 1], "u8"),
    "Int64": pd.array([1, None], "Int64"),
    "bool": [True, False],
    "boolean": pd.array([True, None], "boolean"),
    "str": ['a "b"', "\\"],
    "none": [None, "x"],
    "object": objects(["a", None]),
    "objects": objects(["a", 1.5]),
    "category": pd.Categorical(["a", None], categories=["a", "never\nused"]),
    "numbers": pd.Categorical([1.5, 2]),
    "arrow": pd.Series(["a", None], dtype=pd.ArrowDtype(pa.string())).array,
    "decimal": pd.Series([Decimal("1.50"), None], dtype=pd.ArrowDtype(pa.decimal128(9, 2))).array,
    "dictionary": pd.Series(["a", None], dtype=pd.ArrowDtype(pa.dictionary(pa.int8(), pa.string()))).array,
    "time zone": [1, 2],
}


@pytest.mark.parametrize("name", MANY_ROWS)
def test_fields_are_written_by_arrow(name: str) -> None:
    alone = frame(v=MANY_ROWS[name])
    encode_fast(alone)
    encode_fast(pd.concat([alone, frame(w=[1.5, math.nan])], axis=1))
    encode_fast(frame(w=[1.5, math.nan], v=MANY_ROWS[name], x=["a", None]))
    encode_fast(frame(w=pd.array([None, 1], "Int64"), v=MANY_ROWS[name], x=pd.array([None, True], "boolean")))


INFERRED: list[list[Any]] = [
    [1.5, None, math.nan],
    [math.nan, None, 2.5],
    [1, None, -(2**63)],
    [True, None, False],
    ["a", None, 'b "c"\n'],
    [Decimal("1.50"), None, Decimal("NaN")],
    [Decimal("1.50"), None, Decimal("1E+2")],
    [None, None, None],
]


@pytest.mark.parametrize("cells", INFERRED)
def test_object_columns_of_one_class_are_encoded_by_columns(cells: list[Any]) -> None:
    for part in (cells, cells[::2]):
        data = frame(v=objects(part), w=[1.5] * len(part))
        _, arrow, numpy = encode_on_all_paths(data, {"object_columns": "infer"})
        assert arrow
        assert numpy == isinstance(cells[0], (bool, int, float))


@pytest.mark.parametrize(
    ("cells", "options"),
    [
        ([1, 2.5], {}),
        ([1, True], {}),
        ([1, 2**63], {"unsigned": True}),
        ([2**63, 2**63], {"unsigned": True}),
        ([1.5, math.inf], {}),
        ([math.inf, 1.5], {"nonfinite": "raise"}),
        ([np.float32(0.1), 0.5], {}),
    ],
)
def test_object_columns_of_several_types_are_encoded_row_by_row(cells: list[Any], options: dict[str, Any]) -> None:
    _, written = encode_on_both_paths(frame(v=objects(cells)), {"object_columns": "infer", **options})
    assert not written


@pytest.mark.parametrize("first", INFERRED)
@pytest.mark.parametrize("second", INFERRED)
def test_types_of_object_columns_are_compared_between_slices(first: list[Any], second: list[Any]) -> None:
    data = frame(v=objects([*first * 1000, *second * 1000]))
    found, _ = encode_on_both_paths(data, {"object_columns": "infer"})
    classes = {type(cell) for cell in [*first, *second] if cell is not None and cell == cell}
    assert isinstance(found, bytes) == (len({float if cls is Decimal else cls for cls in classes}) <= 1)


@pytest.mark.parametrize(
    "name",
    ["int64", "uint64", "Int64", "bool", "boolean", "none", "object", "objects", "category", "arrow", "dictionary"],
)
def test_tags_are_written_by_arrow(name: str) -> None:
    data = frame(t=MANY_ROWS[name], v=[1, 2], u=["b", "b"])
    if name == "objects":
        data["t"] = objects(["a", 5])
    encode_fast(data, tag_columns=["t"], tags={"t": "x y", "z": 1})
    encode_fast(data, tag_columns=["t", "u"])


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["a", "b"], b"m,t=a v=1i 1\nm,t=b v=2i 2"),
        (["a b", "c,d="], b"m,t=a\\ b v=1i 1\nm,t=c\\,d\\= v=2i 2"),
        (["", "é"], "m v=1i 1\nm,t=é v=2i 2".encode()),
        ([None, "\\a"], b"m v=1i 1\nm,t=\\a v=2i 2"),
    ],
)
def test_escapes_in_tags(cells: list[Any], expected: bytes) -> None:
    for dtype in ("str", "object", "category"):
        assert encode_fast(frame(t=pd.Series(cells, dtype=dtype).array, v=[1, 2]), tag_columns=["t"]) == expected


@pytest.mark.parametrize(
    "options",
    [
        {"unsigned": True},
        {"integers_as_floats": True},
        {"field_types": {"v": "float"}},
        {"field_types": {"v": "integer"}},
    ],
)
def test_integers_under_a_policy_are_written_by_arrow(options: dict[str, Any]) -> None:
    for column in (np.array([0, 2**53], "u8"), pd.array([5, None], "UInt64"), [0, 7]):
        encode_fast(frame(v=column), **options)
    assert encode_fast(frame(v=np.array([2**64 - 1], "u8")), unsigned=True) == b"m v=18446744073709551615u 1"


def test_separators_next_to_missing_cells() -> None:
    """Any subset of three fields of any two types is present; numpy encodes only types for which it has arrays."""
    present = [(a, b, c) for a in (0, 1) for b in (0, 1) for c in (0, 1)]
    by_numpy: list[Callable[[list[int]], Any]] = [
        lambda there: [1.5 if each else None for each in there],
        lambda there: pd.Categorical(["y" if each else None for each in there]),
        lambda there: list(range(len(there))),
        lambda there: [True] * len(there),
        lambda there: pd.array([5 if each else None for each in there], "Int64"),
        lambda there: pd.array([True if each else None for each in there], "boolean"),
    ]
    by_arrow: list[Callable[[list[int]], Any]] = [
        lambda there: ["x" if each else None for each in there],
    ]
    columns = [list(there) for there in zip(*present, strict=True)]
    kinds = [*by_numpy, *by_arrow]
    for one in kinds:
        for other in kinds:
            data = frame(a=one(columns[0]), b=other(columns[1]), c=one(columns[2]))
            found, arrow, numpy = encode_on_all_paths(data, {})
            assert isinstance(found, bytes)
            assert found.count(b"\n") == 7 - int((data.count(axis=1) == 0).sum())
            assert arrow
            assert numpy == (one in by_numpy and other in by_numpy)


def test_rows_without_any_field() -> None:
    """The slice also has other rows."""
    data = frame(
        t=pd.Categorical(["a", "b"] * 1500), v=np.repeat([1.5, math.nan, 2.5], 1000), w=[math.nan] * 2000 + [1.0] * 1000
    )
    assert encode_on_all_paths(data, {"tag_columns": ["t"]})[1:] == (True, True)
    batches = list(serialize_batches(data, "m", tag_columns=["t"], max_lines=1000))
    assert [batch.count(b"\n") + 1 for batch in batches] == [1000, 1000]


def test_many_combinations_of_values() -> None:
    """Each value is repeated in a block, and there are many combinations."""
    rows = np.arange(3000)
    data = frame(
        t=pd.Categorical(rows % 53), u=pd.Categorical([f"u {row % 59}" if row % 5 else None for row in rows]),
        v=pd.Categorical(rows * 7 % 61 / 4), w=pd.Categorical([str(row % 67) if row % 7 else None for row in rows]),
        x=rows % 3 > 0, y=np.where(rows % 11 > 0, rows / 8, math.nan), z=pd.Categorical([f"[{n}" for n in rows % 999])
    )  # fmt: skip
    for tags in (["t", "u"], ["t"], ["t", "u", "z"], []):
        assert encode_on_all_paths(data, {"tag_columns": tags})[1:] == (True, True)


def test_more_columns_than_are_cached() -> None:
    data = frame(**{f"v{n}": [n / 2, math.nan if n % 3 else 7.0, n] for n in range(150)})
    assert encode_on_all_paths(data, {})[1:] == (True, True)


def test_rows_without_a_field_are_omitted() -> None:
    assert encode_fast(frame(t=["a", "b", "c"], v=[None, 1.0, None]), tag_columns=["t"]) == b"m,t=b v=1.0 2"
    assert encode_fast(frame(t=["a", "b"], v=[None, math.nan]), tag_columns=["t"]) == b""


def test_columns_that_are_not_contiguous() -> None:
    matrix = np.arange(12.0).reshape(3, 4)
    data = pd.DataFrame(matrix, columns=list("abcd"), index=frame(v=[1, 2, 3]).index)
    data["n"], data["ok"], data["t"] = [1, 2, 3], [True, False, True], pd.Categorical(["x", "y", None])
    for part in (data[::-1], data[::2], data[["d", "a"]], data[::-2]):
        assert encode_on_all_paths(part, {"tag_columns": ["t"] if "t" in part else []})[1:] == (True, True)


@pytest.mark.parametrize("zone", [None, "Asia/Tokyo"])
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_times_of_any_unit_and_zone(unit: Any, zone: str | None) -> None:
    index = pd.DatetimeIndex(["1969-12-31T23:59:59", "2024-07-01"]).as_unit(unit)
    data = frame(index if zone is None else index.tz_localize("UTC").tz_convert(zone), v=[1, 2])
    assert encode_fast(data) == b"m v=1i -1000000000\nm v=2i 1719792000000000000"


def test_tables_of_arrow_and_polars() -> None:
    table = pa.table({
        "time": pa.array([1, 2], pa.timestamp("us", "UTC")),
        "t": pa.array(["a", None]).dictionary_encode(),
        "f": [0.5, None],
        "s": pa.array(["x", "y"], pa.large_string()),
        "n": pa.array([1, 2], pa.uint64()),
    })  # fmt: skip
    expected = b'm,t=a f=0.5,s="x",n=1i 1000\nm s="y",n=2i 2000'
    assert encode_fast(table, tag_columns=["t"]) == encode_fast(pl.DataFrame(table), tag_columns=["t"]) == expected
    assert encode_fast(pa.table({"time": [3], "v": [1]}), precision="s") == b"m v=1i 3000000000"
    days = pa.table({"time": pa.array([dt.date(1970, 1, 2)]), "v": [1]})
    assert encode_fast(days) == encode_fast(pl.DataFrame(days)) == b"m v=1i 86400000000000"


@pytest.mark.parametrize(
    "data",
    [
        frame(v=[0.1, 1e16], w=[1, -5], b=[True, False], u=np.array([0, 2**63 - 1], "u8"), x=[1.5, 2.5]),
        frame(v=[0.5, math.nan], w=[math.nan, math.nan]),
        frame(v=[math.nan, math.nan], w=[math.nan, 1]),
        frame(v=[1.5, math.nan], w=pd.Categorical([None, None])),
        frame(v=pd.array([None, 2**63 - 1], "Int64"), w=pd.array([None, 0], "UInt8"), x=pd.array([1, 2], "UInt64")),
        frame(
            v=pd.array([None, None], "Int64"), w=pd.array([None, False], "boolean"), x=pd.array([None, 1.5], "Float64")
        ),
        frame(v=pd.array([True, False], "boolean"), w=pd.array([-5, None], "Int16")),
        frame(t=pd.Categorical(["a b", None]), w=[1, 2]),
        frame(t=["a b", None], w=[1, 2]),
        frame(t=["a[b],\0", '"]'], **{"[w,]": [1, 2], "ÿý": pd.Categorical(["[1,2]", '"\\'])}),
        frame(t=objects(["a b", None]), w=[1, 2], v=pd.Categorical(["x", None]), x=[1.5, math.nan]),
    ],
)
def test_numbers_are_written_by_numpy_alone(data: pd.DataFrame) -> None:
    assert encode_on_all_paths(data, {"tag_columns": ["t"] if "t" in data else []})[1:] == (True, True)


@pytest.mark.parametrize(
    "data",
    [
        frame(t=[f"host {n}" for n in range(1001)], v=range(1001)),
        frame(t=pd.Categorical([f"host {n}" for n in range(1001)]), v=range(1001)),
        frame(t=[f"host{n}" if n % 7 else None for n in range(2000)], v=range(2000)),
        frame(t=pd.Series([f"{n},=" for n in range(1001)] + ["", None], dtype="str").to_numpy(), v=range(1003)),
        frame(t=["a"], v=["text"]),
    ],
)
def test_input_that_numpy_does_not_encode(data: pd.DataFrame) -> None:
    assert encode_on_all_paths(data, {"tag_columns": ["t"]})[1:] == (True, False)


# Input that is not eligible for the fast path


@pytest.mark.parametrize(
    ("data", "options"),
    [
        (frame(v=[1.0, math.inf]), {}),
        (frame(v=np.array([1, math.inf], "f4")), {}),
        (frame(v=np.array([1, 2**63], "u8")), {}),
        (frame(v=[1, 2**53 + 1]), {"integers_as_floats": True}),
        (frame(v=[1, -1]), {"field_types": {"v": "unsigned"}}),
        (frame(t=["a", "b\n"], v=[1, 2]), {"tag_columns": ["t"]}),
        (frame(t=["a", "b\\"], v=[1, 2]), {"tag_columns": ["t"]}),
        (frame(t=["a", "b\\ c"], v=[1, 2]), {"tag_columns": ["t"]}),
        (frame(t=[1.5, 2], v=[1, 2]), {"tag_columns": ["t"]}),
        (frame(t=objects([["a"]]), v=[1]), {"tag_columns": ["t"], "object_columns": "infer"}),
        (frame(pd.DatetimeIndex(["2024", None]), v=[1, 2]), {}),
        (frame(pd.DatetimeIndex(np.array(["9999"], "M8[s]")), v=[1]), {}),
        (frame(pd.Index([dt.datetime(2024, 1, 1, tzinfo=dt.UTC)], dtype=object), v=[1]), {}),
        (frame(v=np.array([1.5, 2], ">f8")), {}),
        (frame(t=["a" * 70_000], v=[1]), {"tag_columns": ["t"]}),
        (frame(v=objects(["a", "\ud800"])), {}),
        (pa.table({"time": pa.array([1, None], pa.timestamp("s")), "v": [1, 2]}), {}),
        (pa.table({"time": pa.array([2**64 - 1], pa.uint64()), "v": [1]}), {}),
    ],
)
def test_unusual_values_are_encoded_row_by_row(data: Any, options: dict[str, Any]) -> None:
    _, written = encode_on_both_paths(data, options)
    assert not written


@pytest.mark.parametrize("dtype", ["str", "category", "object"])
@pytest.mark.parametrize(("field", "few"), [("v", 1), ("v" * 40_000, 2), ("é, " * 10_000, 3)])
def test_series_with_a_field_key_of_any_size(field: str, few: int, dtype: str) -> None:
    """The limit is 65535 bytes, with 4 bytes between them."""
    size = len(field.encode()) + field.count(",") + field.count(" ")
    for over in (-1, 0, 1):
        tag = "a" * (65535 - 4 - len("m,t=") - size + over)
        cells = pd.Series([tag] * few, dtype=dtype).array
        data = frame(t=cells, **{field: ["x" * 70_000] * few, "w": [1.5] * few})
        found, written = encode_on_both_paths(data, {"tag_columns": ["t"]})
        assert written == isinstance(found, bytes) == (over <= 0)


@pytest.mark.parametrize("missing", [False, True])
def test_lines_longer_than_the_limit_of_keys(missing: bool) -> None:
    """Also with more field keys than any cache has."""
    columns = {f"v{n}": [n / 8, math.nan if missing and n % 3 else 1.5] for n in range(5000)}
    assert encode_on_all_paths(pd.concat([frame(**columns), frame(s=["x" * 70_000, None])], axis=1), {})[1]
    assert encode_on_all_paths(frame(**columns), {})[1:] == (True, True)


@pytest.mark.parametrize(
    "data", [frame(time=[1]), frame(**{"a\\,": [1]}), frame(v=[1]).rename(columns={"v": "\n"}), frame()]
)
def test_invalid_names(data: pd.DataFrame) -> None:
    encode_on_both_paths(data, {})


def test_rows_with_only_tags() -> None:
    assert encode_on_both_paths(frame(t=["a"]), {"tag_columns": ["t"]}) == (b"", False)


# Many rows


def many(rows: int) -> pd.DataFrame:
    numbers = np.arange(rows)
    return frame(
        t=pd.Categorical([f"t {number % 7}" for number in range(rows)]),
        u=[f"host {number}" for number in numbers],
        f=np.where(numbers % 3 > 0, numbers / 7, np.nan),
        s=[f"text {number}" for number in numbers],
        n=numbers,
    )


def test_many_rows() -> None:
    data = many(25_000)
    found = encode_fast(data, tag_columns=["t", "u"])
    cases: list[dict[str, Any]] = [
        {"max_lines": 700},
        {"max_lines": 2500},
        {"max_lines": 15_000},
        {"max_bytes": 100_000},
    ]
    for limits in cases:
        batches = list(serialize_batches(data, "m", tag_columns=["t", "u"], **limits))
        assert b"\n".join(batches) == found
        assert all(batch.count(b"\n") < limits.get("max_lines", 10_000) for batch in batches)
    data.iloc[12_345, 2] = math.inf
    message, written = encode_on_both_paths(data, {"tag_columns": ["t", "u"]})
    assert isinstance(message, str)
    assert message.startswith("row 12345 ")
    assert not written


def test_slices_fill_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """No search for line ends in a slice is needed."""

    def unexpected(columns: object) -> bytes:
        raise AssertionError(columns)

    monkeypatch.setattr("influx_proto._encode.frames.encoder.join_lines", unexpected)
    for limit in (5000, 10_000, 15_000):
        batches = list(serialize_batches(many(30_000), "m", tag_columns=["t"], max_lines=limit))
        assert len(batches) == 30_000 // min(limit, 10_000) or limit == 15_000
        assert all(batch.count(b"\n") + 1 == 30_000 // len(batches) for batch in batches)


def test_same_bytes_without_the_libraries() -> None:
    code = """
import sys
for module in sys.argv[1:]:
    sys.modules[module] = None
import numpy, pandas, influx_proto
rows = 300
frame = pandas.DataFrame({"t": ["a b"] * rows, "v": numpy.arange(rows) / 7}, pandas.date_range("2024", periods=rows))
print(influx_proto.serialize(frame, "m", tag_columns=["t"]))
paths = [f"influx_proto._encode.frames.{name}" for name in ("vectorized_arrow", "vectorized_numpy")]
print(*[path in sys.modules for path in paths], file=sys.stderr)
"""
    found = [
        subprocess.run([sys.executable, "-c", code, *missing], capture_output=True, text=True, check=True)
        for missing in ([], ["orjson"], ["pyarrow"])
    ]
    assert len({run.stdout for run in found}) == 1
    assert [run.stderr.splitlines()[-1] for run in found] == ["True False", "False True", "False True"]
