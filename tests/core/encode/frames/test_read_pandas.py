"""pandas frames as input: every cell is encoded as in a mapping, or an error names its position and cause."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]  # no type hints
import pytest
from hypothesis import given
from hypothesis import strategies as st
from influx_proto import SerializationError, serialize, serialize_batches
from influx_proto._encode.encoder import Encoder
from influx_proto._encode.points import PointEncoder
from influx_proto.ops import write, write_batches

NS = 1_700_000_000_000_000_999
NAIVE = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - naive means UTC
LATE = dt.datetime(9999, 1, 1, tzinfo=dt.UTC)


def frame(index: Any = None, /, **columns: Any) -> pd.DataFrame:
    """Return a frame whose rows are at 1, 2, 3... ns unless `index` is passed."""
    built = pd.DataFrame(columns)
    built.index = pd.DatetimeIndex(np.arange(1, len(built) + 1).view("M8[ns]")) if index is None else index
    return built


def one(value: Any, dtype: Any, **options: Any) -> bytes:
    """Return the encoded value of a single field."""
    series = pd.Series([value], dtype=dtype, index=pd.DatetimeIndex(["1970-01-01"]))
    return serialize(series.to_frame("v"), "m", **options).removeprefix(b"m v=").removesuffix(b" 0")


def inferred(data: object, **options: Any) -> bytes:
    return serialize(data, "m", object_columns="infer", **options)


# Cases that go wrong silently in other libraries


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin"])
@pytest.mark.parametrize("precision", ["ns", "s"])
def test_index_of_any_unit_and_zone(unit: Any, zone: str | None, precision: str) -> None:
    index = pd.DatetimeIndex(["1969-12-31T23:59:59", "1970-01-01", "2024-07-01T12:00:00"]).as_unit(unit)
    if zone is not None:
        index = index.tz_localize("UTC").tz_convert(zone)
    lines = serialize(frame(index, v=[1, 2, 3]), "m", precision=precision)
    assert lines == b"m v=1i -1000000000\nm v=2i 0\nm v=3i 1719835200000000000"


def test_nanoseconds_are_exact() -> None:
    index = pd.DatetimeIndex(np.array([NS, -NS, 2**63 - 2]).view("M8[ns]"))
    assert serialize(frame(index, v=[1, 2, 3]), "m") == b"m v=1i %d\nm v=2i -%d\nm v=3i %d" % (NS, NS, 2**63 - 2)
    objects = pd.Index([pd.Timestamp(NS), pd.Timestamp(NS, tz="Asia/Tokyo")], dtype=object)
    assert serialize(frame(objects, v=[1, 2]), "m") == b"m v=1i %d\nm v=2i %d" % (NS, NS)


def test_naive_times_are_utc_also_in_summer() -> None:
    index = pd.DatetimeIndex(["2024-07-01"])
    assert serialize(frame(index, v=[1]), "m") == b"m v=1i 1719792000000000000"


def test_index_with_several_utc_offsets() -> None:
    berlin = dt.timezone(dt.timedelta(hours=2))
    index = pd.Index(
        [dt.datetime(1970, 1, 1, 2, tzinfo=berlin), pd.Timestamp("1970-01-01T05:30+05:30"), NAIVE],
        dtype=object,
    )
    assert serialize(frame(index, v=[1, 2, 3]), "m") == b"m v=1i 0\nm v=2i 0\nm v=3i 0"


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        # commas in strings next to missing cells
        ({"a": [1.0, math.nan], "s": ["x ,y", "p ,q"]}, b'm a=1.0,s="x ,y" 1\nm s="p ,q" 2'),
        # names that contain parts of "time"
        ({"t": [1], "ti": [2], "me": [3]}, b"m t=1i,ti=2i,me=3i 1"),
        ({"_a": [math.nan, 1], "é": [1, math.nan]}, "m é=1.0 1\nm _a=1.0 2".encode()),
        # Arrow numbers are numbers
        ({"v": pd.array([1.5, None], dtype="double[pyarrow]"), "w": [1, 1]}, b"m v=1.5,w=1i 1\nm w=1i 2"),
        # integers stay integers, booleans booleans
        ({"i": np.array([5]), "b": np.array([True]), "c": np.array([-5], "i1")}, b"m i=5i,b=true,c=-5i 1"),
        # falsy values are not missing
        ({"f": [0.0], "i": [0], "b": [False], "s": [""]}, b'm f=0.0,i=0i,b=false,s="" 1'),
        # rows without any field
        ({"a": [math.nan, 1.0, math.nan]}, b"m a=1.0 2"),
        ({"a": [None, None], "b": [math.nan, math.nan]}, b""),
        # line feeds and quotes in strings are kept
        ({"s": ['a\nb "c" \\']}, b'm s="a\nb \\"c\\" \\\\" 1'),
    ],
)
def test_cells(columns: dict[str, Any], expected: bytes) -> None:
    assert serialize(frame(**columns), "m") == expected


def test_tags_next_to_missing_ones_are_escaped() -> None:
    data = frame(t=["a b,c=d", None, ""], v=[1, 2, 3])
    expected = b"m\\,\\ n,t=a\\ b\\,c\\=d v=1i 1\nm\\,\\ n v=2i 2\nm\\,\\ n v=3i 3"
    for dtype in (data["t"].dtype, "object", "category", "string", pd.ArrowDtype(pa.string())):
        assert serialize(data.astype({"t": dtype}), "m, n", tag_columns=["t"]) == expected


# Types


@pytest.mark.parametrize(
    ("value", "dtype", "text"),
    [
        (0.1, "float16", b"0.1"),
        (0.1, "float32", b"0.1"),
        (0.1, "Float32", b"0.1"),
        (0.1, "float[pyarrow]", b"0.1"),
        (0.1, "halffloat[pyarrow]", b"0.1"),
        (0.1, "float64", b"0.1"),
        (0.1, "Float64", b"0.1"),
        (3, "float64", b"3.0"),
        (1e300, "double[pyarrow]", b"1e300"),
        (-(2**63), "int64", b"-9223372036854775808i"),
        (2**63 - 1, "Int64", b"9223372036854775807i"),
        (255, "uint8", b"255i"),
        (255, "UInt8", b"255i"),
        (255, "uint8[pyarrow]", b"255i"),
        (255, "uint64", b"255i"),
        (True, "bool", b"true"),
        (False, "boolean", b"false"),
        (True, "bool[pyarrow]", b"true"),
        ("a", "str", b'"a"'),
        ("a", "string", b'"a"'),
        ("a", "string[pyarrow]", b'"a"'),
        ("a", pd.ArrowDtype(pa.string()), b'"a"'),
        ("a", pd.ArrowDtype(pa.large_string()), b'"a"'),
        ("a", "category", b'"a"'),
        (5, "category", b"5i"),
        (0.5, "category", b"0.5"),
        (True, "category", b"true"),
        ("a", pd.ArrowDtype(pa.dictionary(pa.int8(), pa.string())), b'"a"'),
        (Decimal("1.50"), pd.ArrowDtype(pa.decimal128(9, 2)), b"1.50"),
        ("a", "object", b'"a"'),
        (5, "object", b'"5"'),
        (True, "object", b'"True"'),
        (1.5, "object", b'"1.5"'),
        (math.inf, "object", b'"inf"'),
        (Decimal("1.50"), "object", b'"1.50"'),
        (dt.date(2024, 1, 1), "object", b'"2024-01-01"'),
        ([1, 2], "object", b'"[1, 2]"'),
        *((None, dtype, b"") for dtype in ("float64", "Int64", "boolean", "str", "string", "object", "category",
                                           "int64[pyarrow]", "Float32", pd.ArrowDtype(pa.null()))),
        *((value, "object", b"") for value in (math.nan, pd.NA, pd.NaT, np.datetime64("NaT", "ns"), Decimal("NaN"),
                                               Decimal("sNaN"), np.float32("nan"))),
    ],
)  # fmt: skip
def test_types(value: Any, dtype: Any, text: bytes) -> None:
    assert one(value, dtype) == text


@pytest.mark.parametrize(
    ("value", "dtype", "options", "text"),
    [
        (2**64 - 1, "uint64", {"unsigned": True}, b"18446744073709551615u"),
        (5, "uint64", {"unsigned": True}, b"5u"),
        (5, "UInt64", {"unsigned": True}, b"5u"),
        (5, "uint64[pyarrow]", {"unsigned": True}, b"5u"),
        (5, pd.CategoricalDtype(pd.Index([5], dtype="u8")), {"unsigned": True}, b"5u"),
        (5, "uint32", {"unsigned": True}, b"5i"),
        (5, "uint64", {"unsigned": True, "integers_as_floats": True}, b"5.0"),
        (5, "uint64", {"unsigned": True, "field_types": {"v": "integer"}}, b"5i"),
        (5, "Int64", {"integers_as_floats": True}, b"5.0"),
        (5, "int64", {"field_types": {"v": "float"}}, b"5.0"),
        (5, "int64", {"field_types": {"v": "string"}}, b'"5"'),
        (5.0, "float64", {"field_types": {"v": "integer"}}, b"5i"),
        (16777216.0, "float32", {"field_types": {"v": "integer"}}, b"16777216i"),
        (5, "object", {"field_types": {"v": "integer"}}, b"5i"),
        (5.5, "object", {"field_types": {"v": "string"}}, b'"5.5"'),
        (math.inf, "float64", {"nonfinite": "omit"}, b""),
        (math.inf, "float32", {"nonfinite": "omit"}, b""),
    ],
)
def test_type_policy(value: Any, dtype: Any, options: dict[str, Any], text: bytes) -> None:
    assert one(value, dtype, **options) == text


def test_numbers_as_tags() -> None:
    data = frame(i=[1, 2], b=[True, False], n=pd.array([1, None], dtype="Int64"), o=[1, None], v=[1, 2])
    data["o"] = data["o"].astype(object)
    assert serialize(data[["i", "b", "n", "v"]], "m", tag_columns=["n", "i", "b"]) == (
        b"m,b=True,i=1,n=1 v=1i 1\nm,b=False,i=2 v=2i 2"
    )
    with pytest.raises(SerializationError, match=r"row 0 .*'m', tag 'v': a tag value must be a str, not float \(1.0\)"):
        serialize(frame(v=[1.0], w=[1]), "m", tag_columns=["v"])


def test_object_columns_as_tags_are_strings() -> None:
    data = frame(t=pd.Series([1, "a", None, 1.5], dtype=object), v=[1, 2, 3, 4])
    assert serialize(data, "m", tag_columns=["t"]) == b"m,t=1 v=1i 1\nm,t=a v=2i 2\nm v=3i 3\nm,t=1.5 v=4i 4"


@pytest.mark.parametrize(
    ("cells", "texts"),
    [
        ([1, None, np.int8(2)], [b"1i", b"", b"2i"]),
        ([1.5, Decimal("2.50"), math.nan], [b"1.5", b"2.50", b""]),
        ([True, np.False_], [b"true", b"false"]),
        (["a", ""], [b'"a"', b'""']),
    ],
)
def test_object_columns_by_their_own_types(cells: list[Any], texts: list[bytes]) -> None:
    data = frame(v=pd.Series(cells, dtype=object))
    expected = [b"m v=%b %d" % (text, time) for time, text in enumerate(texts, 1) if text]
    assert inferred(data) == b"\n".join(expected)


@pytest.mark.parametrize("cells", [[1, 1.5], [1, True], ["1", 1], [True, "True"], [None, 1, "a"]])
def test_object_columns_of_mixed_types(cells: list[Any]) -> None:
    data = frame(v=pd.Series(cells, dtype=object))
    row = len(cells) - 1
    with pytest.raises(SerializationError, match=rf"^row {row} \(1970.*Z\): measurement 'm', field 'v': .* has type "):
        inferred(data)


def test_object_columns_of_mixed_types_with_a_policy() -> None:
    data = frame(v=pd.Series([1, 1.5], dtype=object))
    assert inferred(data, integers_as_floats=True) == inferred(data, field_types={"v": "float"})
    assert inferred(data, field_types={"v": "float"}) == b"m v=1.0 1\nm v=1.5 2"
    # Tags are strings for every type
    tags = frame(t=pd.Series([1, "a", True], dtype=object), v=[1, 2, 3])
    assert inferred(tags, tag_columns=["t"]) == b"m,t=1 v=1i 1\nm,t=a v=2i 2\nm,t=True v=3i 3"
    with pytest.raises(SerializationError, match=r"^row 0 .*field 'v': unsupported field type list"):
        inferred(frame(v=[[1]]))


@pytest.mark.parametrize(
    ("argument", "error"), [({"object_columns": "guess"}, ValueError), ({"tag_columns": "host"}, TypeError)]
)
def test_invalid_arguments(argument: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match=f"^{next(iter(argument))}: "):
        Encoder("m", **argument)


# Errors

TIMES = pd.date_range("2024-01-01", periods=2)


@pytest.mark.parametrize(
    ("data", "options", "why"),
    [
        (pd.DataFrame({"v": [1]}), {}, r"DatetimeIndex, not a RangeIndex of int64; .*set_index"),
        (pd.DataFrame({"v": [1]}, index=TIMES[:1]).reset_index(), {}, r"DatetimeIndex, not a RangeIndex of int64; .*"),
        (pd.DataFrame({"v": [1]}, index=[5]), {}, r"not a Index of int64; .*to_datetime\(frame.index, unit="),
        (pd.DataFrame({"v": [1]}, index=[0.5]), {}, "Index of float64; .*unit="),
        (pd.DataFrame({"v": [1]}, index=["2024-01-01"]), {}, "Index of .*; .*to_datetime"),
        (pd.DataFrame({"v": [1, 2]}, index=pd.Index([NAIVE, 5], dtype=object)), {}, "Index of obj"),
        (pd.DataFrame({"v": [1, 2]}, index=pd.MultiIndex.from_product([TIMES, ["a"]])), {}, "MultiIndex.*reset_index"),
        (pd.DataFrame({"v": [1, 2]}, index=TIMES.to_period("D")), {}, "PeriodIndex.*to_timestamp"),
        (frame(pd.DatetimeIndex(["2024", None]), v=[1, 2]), {}, "^row 1: measurement 'm': the row has no timestamp"),
        (frame(pd.Index([pd.Timestamp("2024"), pd.NaT], dtype=object), v=[1, 2]), {}, "^row 1: .* no time"),
        (frame(pd.DatetimeIndex(np.array(["9999"], "M8[s]")), v=[1]), {}, "^row 0: .*'m': timestamp .* outside"),
        (frame(pd.Index([LATE], dtype=object), v=[1]), {}, r"^row 0 \(9999-.*timestamp .* outside"),
        (frame(time=[1]), {}, "measurement 'm', field 'time': a field cannot be called 'time'"),
        (frame(v=[1]), {"tag_columns": ["host", "v"]}, "measurement 'm': tag_columns: .*'host'; the columns are 'v'"),
        (frame(v=[1]).rename(columns={"v": 5}), {}, r"must be a str, not int \(5\)"),
        (frame(v=[1]).rename(columns={"v": ("a", "b")}), {}, "must be a str, not tuple"),
        (pd.DataFrame([[1, 2]], columns=["v", "v"], index=TIMES[:1]), {}, "two columns have the name 'v'"),
        (frame(v=[1.0, math.inf]), {}, r"^row 1 \(1970-01-01T00:00:00.000000002Z\): measurement 'm', field 'v': .*inf"),
        (frame(v=np.array([1, 2**63], "u8")), {}, "^row 1 .*'m', field 'v': 9223372036854775808 .*unsigned=True"),
        (frame(v=TIMES), {}, "measurement 'm': column 'v': .*datetime64.*convert it to integers"),
        (frame(v=TIMES.tz_localize("UTC")), {}, "column 'v': .*datetime64.*convert it to integers"),
        (frame(v=TIMES.to_period("D")), {}, "column 'v': .*period"),
        (frame(v=TIMES - TIMES[0]), {}, "column 'v': .*timedelta64.*total_seconds"),
        (frame(v=[1j]), {}, "column 'v': .*complex128"),
        (frame(v=pd.cut(pd.Series([1, 2]), 2).array), {}, "column 'v': .*interval"),
        (frame(v=pd.arrays.SparseArray([1, 2])), {}, "column 'v': .*Sparse"),
        (frame(v=pd.Series([b"a"], dtype=pd.ArrowDtype(pa.binary())).array), {}, "column 'v': .*binary"),
        (frame(v=pd.Series([[1]], dtype=pd.ArrowDtype(pa.list_(pa.int8()))).array), {}, "column 'v': .*list"),
        (frame(v=TIMES.astype("timestamp[ns][pyarrow]")), {}, "column 'v': .*timestamp.*integers or strings"),
        (frame(t=TIMES, v=[1, 2]), {"tag_columns": ["t"]}, "column 't': .*datetime64"),
        (frame(t=["a\n"], v=[1]), {"tag_columns": ["t"]}, "^row 0 .*'m', tag 't': .*line feed"),
        (frame(v=["a"]), {"field_types": {"v": "float"}}, "^row 0 .*field 'v': .*cannot be written as float"),
    ],
)  # fmt: skip
def test_errors(data: pd.DataFrame, options: dict[str, Any], why: str) -> None:
    with pytest.raises(SerializationError, match=why):
        serialize(data, "m", **options)


def test_measurement_is_required() -> None:
    with pytest.raises(SerializationError, match=r"^measurement: required to write a table; pass"):
        serialize(frame(v=[1]))
    with pytest.raises(SerializationError, match=r"^the index of the frame must be a DatetimeIndex"):
        serialize(pd.DataFrame({"v": [1]}))


def test_columns_are_not_a_frame() -> None:
    with pytest.raises(SerializationError, match="cannot write a DatetimeIndex"):
        serialize(TIMES, "m")


class Lookalike:
    """A frame of another library, whose iterator yields column names."""

    def __dataframe__(self) -> object:
        raise NotImplementedError

    def __iter__(self) -> Iterator[str]:
        return iter(["v"])


class Series(Lookalike):
    """A column of another library."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        raise NotImplementedError


@pytest.mark.parametrize(("cls", "why"), [(Lookalike, "cannot write a Lookalike"), (Series, "cannot read a Series as")])
def test_frames_of_other_libraries_are_rejected(cls: type, why: str) -> None:
    with pytest.raises(SerializationError, match=why):
        serialize(cls(), "m")


# Frames as a whole


@pytest.mark.parametrize(
    "data",
    [pd.DataFrame(), pd.DataFrame(index=TIMES), pd.DataFrame({"v": []}), frame(v=[1.0])[:0],
     pd.DataFrame(columns=["v", "w"])],
)  # fmt: skip
def test_empty_frames(data: pd.DataFrame) -> None:
    assert serialize(data, "m") == b""


def test_tags_for_all_rows() -> None:
    data = frame(host=["a", None], v=[1, 2])
    assert serialize(data, "m", tag_columns=["host"], tags={"z": "1", "host": "x"}, a=2) == (
        b"m,a=2,host=a,z=1 v=1i 1\nm,a=2,host=x,z=1 v=2i 2"
    )


def test_row_order_is_kept() -> None:
    data = frame(b=[1, 2], a=[3, 4], c=["x", "y"])[::-1]
    assert serialize(data, "m", tag_columns=["c"]) == b"m,c=y b=2i,a=4i 2\nm,c=x b=1i,a=3i 1"


def test_callers_frame_is_not_altered() -> None:
    data = frame(TIMES.tz_localize("Europe/Berlin"), v=[1.5, math.nan], t=["a", None], o=[1, 2], c=["x", "y"])
    data = data.astype({"o": object, "c": "category"})
    data.index.name = "when"
    before = data.copy(deep=True)
    serialize(data, "m", tag_columns=["t", "c"])
    pd.testing.assert_frame_equal(data, before, check_freq=True)


def test_frames_mixed_with_other_input() -> None:
    """Row numbers in errors include the preceding input."""
    first, last = ({"measurement": "m", "fields": {"v": number}, "time": number} for number in (0, 3))
    data: list[Any] = [first, frame(v=[1, 2]), last, frame(v=[4])]
    assert serialize(data, "m") == b"m v=0i 0\nm v=1i 1\nm v=2i 2\nm v=3i 3\nm v=4i 1"
    with pytest.raises(SerializationError, match=r"^row 5: cannot write"):
        serialize([*data, object()], "m")
    with pytest.raises(SerializationError, match=r"^row 6 "):
        serialize([*data, frame(v=[1.0, math.inf])], "m")
    with pytest.raises(SerializationError, match=r"^row 2: cannot write"):
        serialize([frame(v=[math.nan, math.nan]), object()], "m")


def test_subclass_of_a_frame() -> None:
    class Mine(pd.DataFrame):
        pass

    assert serialize(Mine(frame(v=[1])), "m") == b"m v=1i 1"


def test_batches_are_bounded_and_lazy() -> None:
    count = 12_345
    data = frame(v=np.arange(count), f=np.where(np.arange(count) % 3, 1.0, np.nan))
    whole = serialize(data, "m")
    cases: list[dict[str, Any]] = [{"max_lines": 10}, {"max_lines": 2500}, {"max_bytes": 1000}, {}]
    for limits in cases:
        batches = list(serialize_batches(data, "m", **limits))
        assert b"\n".join(batches) == whole
        assert all(batch.count(b"\n") < limits.get("max_lines", 10_000) for batch in batches)
        assert all(len(batch) <= limits.get("max_bytes", 8_000_000) for batch in batches)
    data.iloc[-1, 1] = math.inf
    lazily = serialize_batches(data, "m", max_lines=1000)
    assert whole.startswith(next(lazily))
    with pytest.raises(SerializationError, match=r"^row 12344 "):
        list(lazily)


# The same bytes as rows as mappings

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
TAGS = st.text(st.sampled_from('ab ,="é\U0001f600'), max_size=4)
FLOATS = st.floats(allow_infinity=False)
SINGLES = st.floats(width=32, allow_infinity=False)
INTS = st.integers(-(2**63), 2**63 - 1)
UNSIGNED = st.integers(0, 2**64 - 1)


def same(value: Any) -> Any:
    return value


#: By dtype: the cells, whether they may be missing, and the equivalent value in a mapping.
CELL_TYPES: dict[Any, tuple[st.SearchStrategy[Any], bool, Callable[[Any], Any]]] = {
    "float64": (FLOATS, True, same),
    "float32": (SINGLES, True, np.float32),
    "Float64": (FLOATS, True, same),
    "Float32": (SINGLES, True, np.float32),
    "double[pyarrow]": (FLOATS, True, same),
    "float[pyarrow]": (SINGLES, True, np.float32),
    "int64": (INTS, False, np.int64),
    "int8": (st.integers(-128, 127), False, same),
    "Int64": (INTS, True, same),
    "int64[pyarrow]": (INTS, True, same),
    "uint64": (UNSIGNED, False, np.uint64),
    "UInt64": (UNSIGNED, True, np.uint64),
    "uint64[pyarrow]": (UNSIGNED, True, np.uint64),
    "uint16": (st.integers(0, 2**16 - 1), False, np.uint16),
    "bool": (st.booleans(), False, same),
    "boolean": (st.booleans(), True, same),
    "bool[pyarrow]": (st.booleans(), True, np.bool_),
    "str": (TEXTS, True, same),
    "string": (TEXTS, True, same),
    "object": (TEXTS, True, same),
    "category": (TEXTS, True, same),
    pd.ArrowDtype(pa.string()): (TEXTS, True, same),
}
TAG_TYPES: dict[Any, tuple[st.SearchStrategy[Any], bool, Callable[[Any], Any]]] = {
    "str": (TAGS, True, same),
    "object": (TAGS, True, same),
    "category": (TAGS, True, same),
    "int64": (INTS, False, same),
    "boolean": (st.booleans(), True, same),
}


@st.composite
def frames(draw: st.DrawFn) -> tuple[pd.DataFrame, list[str], list[dict[str, Any]]]:
    """A frame, its tag columns, and its rows as mappings."""
    unit = draw(st.sampled_from(["s", "ms", "us", "ns"]))
    ns = {"s": 10**9, "ms": 10**6, "us": 1000, "ns": 1}[unit]
    times = draw(st.lists(st.integers(-(4 * 10**18) // ns, 4 * 10**18 // ns), min_size=1, max_size=6))
    index = pd.DatetimeIndex(np.array(times).view(f"M8[{unit}]"), tz=draw(st.sampled_from([None, "UTC", "Asia/Tokyo"])))
    if index.tz is not None:
        index = pd.DatetimeIndex(np.array(times).view(f"M8[{unit}]")).tz_localize("UTC").tz_convert(index.tz)
    columns: dict[str, pd.Series[Any]] = {}
    rows: list[dict[str, Any]] = [{"measurement": "m", "time": time * ns, "tags": {}, "fields": {}} for time in times]
    for what, kinds in (("tags", TAG_TYPES), ("fields", CELL_TYPES)):
        for number, dtype in enumerate(draw(st.lists(st.sampled_from(list(kinds)), max_size=5))):
            values, missing, plain = kinds[dtype]
            cells = draw(st.lists(st.none() | values if missing else values, min_size=len(times), max_size=len(times)))
            name = f"{what} {number}"
            columns[name] = pd.Series(cells, dtype=dtype, index=index)
            for row, cell in zip(rows, cells, strict=True):
                row[what][name] = None if cell is None else plain(cell)
    names = draw(st.permutations(list(columns)))
    for row in rows:
        row["fields"] = {name: row["fields"][name] for name in names if name in row["fields"]}
    return pd.DataFrame({name: columns[name] for name in names}, index=index), [n for n in names if n[0] == "t"], rows


@given(frames(), st.booleans())
def test_same_bytes_as_mappings(case: tuple[pd.DataFrame, list[str], list[dict[str, Any]]], wide: bool) -> None:
    data, tag_columns, rows = case
    policy: dict[str, Any] = {"unsigned": True} if wide else {"unsigned": True, "field_types": {"fields 0": "string"}}
    try:
        expected = serialize(iter(rows), **policy)  # an iterator is written row by row
    except SerializationError:  # a float in a field with the type override "string"
        with pytest.raises(SerializationError):
            serialize(data, "m", tag_columns=tag_columns, **policy)
        return
    assert serialize(data, "m", tag_columns=tag_columns, **policy) == expected


def test_slices_are_written_by_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Including missing cells. Both paths return the same bytes, so only this test checks which one is taken."""

    def unexpected(self: PointEncoder, point: object) -> bytes:
        raise AssertionError(point)

    data = pd.DataFrame(
        {
            "host": pd.Categorical(["a b", None, "c"] * 500),
            "x": [0.1, None, 2.0] * 500,
            "n": pd.array([1, None, 3] * 500, "Int64"),
            "ok": [True, False, True] * 500,
            "s": ["x", 'y"', None] * 500,
        },
        index=pd.date_range("1970-01-01", periods=1500, freq="ns"),
    )
    monkeypatch.setattr(PointEncoder, "line", unexpected)
    assert serialize(data, "m", tag_columns=["host"]).startswith(
        b'm,host=a\\ b x=0.1,n=1i,ok=true,s="x" 0\nm ok=false,s="y\\"" 1\nm,host=c x=2.0,n=3i,ok=true 2\n'
    )


def test_big_endian_unsigned_integers() -> None:
    values = np.array([1, 2**63], dtype="uint64")
    expected = serialize(pd.DataFrame({"v": values}, index=TIMES), "m", unsigned=True)
    assert serialize(pd.DataFrame({"v": values.astype(">u8")}, index=TIMES), "m", unsigned=True) == expected
    assert expected.startswith(b"m v=1u ")


# A Series.


@pytest.mark.parametrize("rows", [3, 300])
def test_a_series_is_a_frame_of_one_column(rows: int) -> None:
    data = frame(
        v=np.arange(rows) / 7, t=[f"host {row % 3}" for row in range(rows)], n=pd.array([None] * rows, "Int64")
    )
    for name in data:
        assert serialize(data[name], "m", tags={"a": "b"}) == serialize(data[[name]], "m", tags={"a": "b"})
    both = [data["v"], data["t"]]
    assert serialize(both, "m") == serialize(data[["v"]], "m") + b"\n" + serialize(data[["t"]], "m")


def test_a_series_of_objects_and_of_a_subclass() -> None:
    class Mine(pd.Series):
        pass

    times = frame(v=[1, 2]).index
    assert serialize(Mine([1, 2], index=times, name="v"), "m") == b"m v=1i 1\nm v=2i 2"
    cells = pd.Series([1, "a"], dtype=object, index=times, name="v")
    assert serialize(cells, "m") == b'm v="1" 1\nm v="a" 2'
    with pytest.raises(SerializationError, match=r"^row 1 \(1970.*field 'v': 'a' has type string"):
        inferred(cells)


@pytest.mark.parametrize(
    ("change", "options", "why"),
    [
        (lambda series: series.rename(None), {}, r"'m': the Series has no name, .*series.rename\('...'\)"),
        (lambda series: series.rename(5), {}, "'m': a column name must be a str, not int"),
        (lambda series: series.rename("time"), {}, "'m', field 'time'|cannot be called 'time'"),
        (lambda series: series.reset_index(drop=True), {}, "'m': the index of the frame must be a DatetimeIndex"),
        (lambda series: series, {"time_column": "v"}, "time_column: the timestamps of a Series are in its index"),
        (lambda series: series, {"tag_columns": ["t"]}, "tag_columns: missing column 't'"),
        (lambda series: series.astype("timedelta64[s]"), {}, "column 'v': .*timedelta64"),
        (lambda series: series.astype("float") * math.inf, {}, "^row 0 .*field 'v': .*infinite"),
    ],
)
def test_a_series_that_cannot_be_written(
    change: Callable[[pd.Series[Any]], pd.Series[Any]], options: dict[str, Any], why: str
) -> None:
    with pytest.raises(SerializationError, match=why):
        serialize(change(frame(v=[1, 2])["v"]), "m", **options)


# Times in a column.

SECONDS = [-1, 0, 1_700_000_000]
STAMPS = pd.DatetimeIndex(pd.to_datetime(SECONDS, unit="s"))
TIME_COLUMNS: dict[str, Any] = {
    "datetime64[s]": STAMPS.as_unit("s"),
    "datetime64[ns]": STAMPS.as_unit("ns"),
    "datetime64[us, zone]": STAMPS.tz_localize("UTC").tz_convert("Asia/Tokyo").as_unit("us"),
    "timestamp[ms][pyarrow]": STAMPS.as_unit("ms").astype("timestamp[ms][pyarrow]"),
    "timestamp[us, zone][pyarrow]": STAMPS.tz_localize("UTC").astype("timestamp[us, UTC][pyarrow]"),
    "int64": SECONDS,
    "int32": np.array(SECONDS, "i4"),
    "Int64": pd.array(SECONDS, "Int64"),
    "int64[pyarrow]": pd.array(SECONDS, "int64[pyarrow]"),
    "objects": pd.Series([stamp.to_pydatetime() for stamp in STAMPS], dtype=object),
    "objects with zones": pd.Series([stamp.tz_localize("UTC") for stamp in STAMPS], dtype=object),
}


@pytest.mark.parametrize("repeat", [1, 100])
@pytest.mark.parametrize("kind", TIME_COLUMNS)
def test_times_in_a_column(kind: str, repeat: int) -> None:
    data = pd.DataFrame({"t": ["a", "b", "c"], "when": TIME_COLUMNS[kind], "v": [1, 2, 3]})
    data = pd.concat([data] * repeat, ignore_index=True)
    before = data.copy(deep=True)
    lines = [b"m,t=%b v=%di %d" % (tag, v, seconds * 10**9) for tag, v, seconds in zip(
        [b"a", b"b", b"c"], [1, 2, 3], SECONDS, strict=True
    )]  # fmt: skip
    found = serialize(data, "m", time_column="when", precision="s", tag_columns=["t"])
    assert found == b"\n".join(lines * repeat)
    pd.testing.assert_frame_equal(data, before)
    assert [*serialize_batches([data], "m", time_column="when", precision="s", tag_columns=["t"])] == [found]


@pytest.mark.parametrize("dtype", [object, "date32[pyarrow]"])
def test_dates_in_a_column(dtype: Any) -> None:
    days = pd.Series([dt.date(1969, 12, 31), dt.date(1970, 1, 2)], dtype=dtype)
    data = pd.DataFrame({"day": days, "v": [1, 2]})
    assert serialize(data, "m", time_column="day") == b"m v=1i -86400000000000\nm v=2i 86400000000000"


def test_unsigned_integers_as_times() -> None:
    for dtype in ("uint8", "UInt8", "uint8[pyarrow]"):
        data = pd.DataFrame({"when": pd.Series([1, 255] * 100, dtype=dtype), "v": [1, 2] * 100})
        lines = serialize(data, "m", time_column="when", precision="h").split(b"\n")
        assert lines[:2] == [b"m v=1i 3600000000000", b"m v=2i 918000000000000"]


def test_the_index_is_not_read_beside_a_time_column() -> None:
    data = frame(when=[5, 6], v=[1, 2])
    assert serialize(data, "m", time_column="when") == b"m v=1i 5\nm v=2i 6"
    assert serialize(data.set_axis(["x", "y"]), "m", time_column="when") == b"m v=1i 5\nm v=2i 6"
    time = data.rename(columns={"when": "time"})
    assert serialize(time, "m", time_column="time") == b"m v=1i 5\nm v=2i 6"


@pytest.mark.parametrize("data", [pd.DataFrame({"when": [1]}), pd.DataFrame({"when": [], "v": []})])
def test_no_lines_of_a_frame_without_cells(data: pd.DataFrame) -> None:
    assert serialize(data, "m", time_column="when") == b""


@pytest.mark.parametrize("rows", [1, 200])
@pytest.mark.parametrize(
    ("time", "dtype", "why"),
    [
        (None, "datetime64[ns]", "the row has no timestamp"),
        (None, "timestamp[ns][pyarrow]", "the row has no timestamp"),
        (None, "Int64", "the row has no timestamp"),
        (None, "int64[pyarrow]", "the row has no timestamp"),
        (None, object, "the row has no timestamp"),
        (pd.NaT, object, "the row has no timestamp"),
        (2**63 - 1, "int64", "timestamp 9223372036854775807 is outside"),
        (2**63 - 1, "Int64", "timestamp 9223372036854775807 is outside"),
        (2**63 - 1, "int64[pyarrow]", "timestamp 9223372036854775807 is outside"),
        (2**64 - 1, "uint64", "timestamp 18446744073709551615 is outside"),
        (2**64 - 1, "UInt64", "timestamp 18446744073709551615 is outside"),
        (2**64 - 1, "uint64[pyarrow]", "timestamp 18446744073709551615 is outside"),
        (np.datetime64("9999-01-01"), "datetime64[s]", "timestamp 253370764800000000000 is outside"),
        (dt.date(9999, 1, 1), object, r"timestamp datetime.date\(9999, 1, 1\) is outside"),
        (LATE, object, "timestamp datetime.datetime.* is outside"),
        (dt.date(9999, 1, 1), "date32[pyarrow]", "timestamp 253370764800000000000 is outside"),
    ],
)
def test_a_time_column_without_a_time(time: Any, dtype: Any, why: str, rows: int) -> None:
    first: Any = 0 if "int" in str(dtype).lower() else dt.datetime(1970, 1, 1)  # noqa: DTZ001 - as NAIVE
    if dtype == "date32[pyarrow]":
        first = first.date()
    data = pd.DataFrame({"when": pd.Series([first] * (rows - 1) + [time], dtype=dtype), "v": range(rows)})
    with pytest.raises(SerializationError, match=rf"^row {rows - 1}\b.*measurement 'm': {why}"):
        serialize(data, "m", time_column="when")


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (["2024-01-01"], r"not (str|object); convert it, .*pandas.to_datetime\(frame\['when'\]"),
        (pd.Series(["2024-01-01", 1], dtype=object), "not object; convert it, "),
        (pd.array(["2024-01-01"], "string[pyarrow]"), "not string; convert it, "),
        (pd.Categorical(["2024-01-01"]), "not category; convert it"),
        (pd.Categorical([1]), "not category; convert it"),
        ([1.0], "not float64; convert it, "),
        (pd.array([1.0], "Float64"), "not Float64"),
        (pd.array([1.0], "double[pyarrow]"), "not double"),
        ([True], "not bool; "),
        (pd.array([True], "boolean"), "not boolean; "),
        (pd.array([True], "bool[pyarrow]"), "not bool; "),
        (pd.to_timedelta([1]), "not timedelta64"),
        (pd.PeriodIndex(["2024"], freq="D"), "not period"),
    ],
)
def test_a_column_without_times(values: Any, why: str) -> None:
    with pytest.raises(SerializationError, match=f"'m': column 'when': must have timestamps, dates or integers, {why}"):
        serialize(pd.DataFrame({"when": values, "v": 1}), "m", time_column="when")


def test_there_is_no_such_time_column() -> None:
    with pytest.raises(
        SerializationError, match=r"'m': missing time column 'when'; the columns are 'v'; pass time_column= to name"
    ):
        serialize(frame(v=[1]), "m", time_column="when")


@pytest.mark.parametrize("build", [serialize, serialize_batches, write, write_batches])
@pytest.mark.parametrize(
    ("time_column", "error", "why"),
    [
        (5, TypeError, r"must be a column name, not int \(5\)"),
        (["t"], TypeError, "not list"),
        ("t", ValueError, "'t' is also in tag_columns"),
    ],
)
def test_wrong_time_columns(build: Any, time_column: object, error: type[Exception], why: str) -> None:
    with pytest.raises(error, match=f"^time_column: .*{why}"):
        build(frame(t=["a"], v=[1]), "m", tag_columns=["t"], time_column=time_column)


# Names of columns.

ITERABLES: list[Callable[[list[str]], Any]] = [
    list,
    tuple,
    set,
    dict.fromkeys,
    iter,
    lambda names: (name for name in names),
    lambda names: pd.DataFrame(columns=names).columns,
    pd.Index,
    pd.Series,
    np.array,
    lambda names: np.array(names, dtype=object),
]


@pytest.mark.parametrize("build", [serialize, lambda *args, **options: b"\n".join(serialize_batches(*args, **options))])
@pytest.mark.parametrize("make", ITERABLES)
@pytest.mark.parametrize("names", [[], ["t"], ["t", "u"]])
def test_tag_columns_are_any_iterable(build: Any, make: Callable[[list[str]], Any], names: list[str]) -> None:
    data = frame(t=["a", "b"], u=["c", "d"], v=[1, 2])
    expected = serialize(data, "m", tag_columns=names)
    assert build(data, "m", tag_columns=make(names)) == expected
    assert build([data], "m", tag_columns=make(names)) == expected


def test_tag_columns_selected_by_dtype() -> None:
    data = frame(t=["a", "b"], v=[1, 2])
    tag_columns = data.select_dtypes(exclude="number").columns
    assert serialize(data, "m", tag_columns=tag_columns) == b"m,t=a v=1i 1\nm,t=b v=2i 2"


@pytest.mark.parametrize("build", [serialize, serialize_batches, write, write_batches])
@pytest.mark.parametrize(
    ("names", "why"),
    [
        ("t", "list or another iterable of column names, not 't'"),
        (b"t", "not b't'"),
        (None, "not None"),
        (5, "not 5"),
        (np.array("t"), "iterable of column names"),
        ([1], r"a column name must be a str, not int \(1\)"),
        (pd.Index([1, 2]), "must be a str, not int"),
        (pd.MultiIndex.from_tuples([("a", "b")]), r"must be a str, not tuple \(\('a', 'b'\)\)"),
        (["t", None], "must be a str, not NoneType"),
    ],
)
def test_tag_columns_that_are_no_names(build: Any, names: object, why: str) -> None:
    with pytest.raises(TypeError, match=f"^tag_columns: .*{why}"):
        build(frame(t=["a"], v=[1]), "m", tag_columns=names)
