"""Bulk encoding of mappings: the same bytes and errors as one at a time, for any mix of points."""

from __future__ import annotations

import itertools
import math
from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from influx_proto import SerializationError, serialize, serialize_batches
from influx_proto._encode.encoder import Encoder
from influx_proto._encode.points import PointEncoder

NOON = datetime(2020, 1, 1, 12, tzinfo=UTC)


class Color(Enum):
    RED = 1


def points(count: int, **more: Any) -> list[dict[str, Any]]:
    return [
        {
            "measurement": "weather",
            "tags": {"station": f"s{n % 3}", "city": "New York"},
            "fields": {"a": n / 3, "b": n, "c": n % 2 == 0, "d": f'"{n}"', "e": Decimal(n) / 8},
            "time": n,
            **more,
        }
        for n in range(count)
    ]


def encode_singly(many: list[dict[str, Any]], **options: Any) -> bytes:
    """Encode an iterator, which is read point by point and never encoded by columns."""
    return serialize(iter(many), **options)


def outcome(data: object, **options: Any) -> bytes | str:
    try:
        return serialize(data, **options)
    except SerializationError as error:
        return str(error)


@pytest.fixture
def columns_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def unexpected(self: PointEncoder, point: object) -> bytes:
        raise AssertionError(point)

    monkeypatch.setattr(PointEncoder, "line", unexpected)


COMMON_POINT = points(1)[0]
#: Values, most of which are not eligible for the fast path.
FIELD_VALUES = st.sampled_from([
    None, 0.5, 1.5, 7, -7, True, "text", 'a"\\', "", math.nan, math.inf, 2**63, 2**64, Decimal("1.50"), Decimal("NaN"),
    np.float32(0.1), np.int64(3), np.uint64(2**63), np.bool_(1), Color.RED, object(), b"bytes", "\ud800",
])  # fmt: skip
TAG_VALUES = st.sampled_from(["a", "b c", "", None, 5, True, 1.5, "a\n", "back\\", "\\ ", Color.RED])
TIMES = st.sampled_from([
    None, 0, 1, -1, 2**62, 2**63, True, 1.5, NOON, NOON.replace(tzinfo=None), NOON.date(), "2020-01-01T00:00:00.5Z",
    "yesterday", np.array([1, 2]), np.datetime64("NaT", "ns"), np.datetime64("2020-01-01T00", "h"),
])  # fmt: skip
VARIANTS = st.builds(
    lambda base, replaced: {**base, **replaced},
    st.just(COMMON_POINT),
    st.fixed_dictionaries(
        {},
        optional={
            "measurement": st.sampled_from(["weather", "other", "", None, "#", 5, Color.RED]),
            "tags": st.dictionaries(st.sampled_from(["station", "city", "", "time"]), TAG_VALUES) | st.none(),
            "fields": st.dictionaries(st.sampled_from(["a", "b", "c", "time"]), FIELD_VALUES) | st.none(),
            "time": TIMES,
        },
    ),
)


@given(
    variants=st.lists(VARIANTS, min_size=1, max_size=3),
    every=st.integers(1, 5),
    options=st.fixed_dictionaries(
        {},
        optional={
            "measurement": st.just("default"),
            "tags": st.dictionaries(st.sampled_from(["city", "zone"]), st.sampled_from(["x y", 1])),
            "precision": st.sampled_from(["ns", "ms"]),
            "nonfinite": st.just("omit"),
            "unsigned": st.just(True),
            "integers_as_floats": st.just(True),
            "field_types": st.dictionaries(
                st.sampled_from(["a", "b", "d"]), st.sampled_from(["float", "integer", "unsigned", "string", "boolean"])
            ),
        },
    ),
)
def test_bulk_encoding_equals_single_encoding(
    variants: list[dict[str, Any]], every: int, options: dict[str, Any]
) -> None:
    many = points(12)
    for n, variant in enumerate(variants * 8):
        many.insert(n * every, variant)
    assert outcome(many, **options) == outcome(iter(many), **options)


@given(st.lists(st.tuples(FIELD_VALUES, FIELD_VALUES, TAG_VALUES, TIMES), min_size=8, max_size=20))
def test_columns_of_anything(rows: list[tuple[Any, ...]]) -> None:
    many = [{"measurement": "m", "tags": {"t": t}, "fields": {"a": a, "b": b}, "time": time} for a, b, t, time in rows]
    assert outcome(many) == outcome(iter(many))


@pytest.mark.usefixtures("columns_only")
def test_ordinary_points_are_encoded_by_columns() -> None:
    """Both paths return the same bytes, so only this test checks which one is taken."""
    many = points(1000)
    expected = b"\n".join(
        b'weather,city=New\\ York,station=s%d a=%s,b=%di,c=%s,d="\\"%d\\"",e=%s %d'
        % (n % 3, repr(n / 3).encode(), n, b"false" if n % 2 else b"true", n, str(Decimal(n) / 8).encode(), n)
        for n in range(1000)
    )
    assert serialize(many) == expected
    assert serialize(tuple(many)) == expected
    lacking = [dict(point, tags=None, time=None, fields={"a": point["fields"]["a"]}) for point in many]
    assert serialize(lacking).startswith(b"weather a=0.0\nweather a=0.3333333333333333\n")
    with_dates = [dict(point, time=NOON + timedelta(seconds=point["time"])) for point in many]
    assert serialize(with_dates).endswith(b" 1577880999000000000")


@pytest.mark.usefixtures("columns_only")
def test_key_sets_may_alternate() -> None:
    """A client may alternate measurements, and a sensor may omit a value."""
    many = points(400)
    for point in many[::2]:
        point["measurement"] = "mem"
        point["fields"] = {"free": point["time"]}
    for point in many[::7]:
        point["fields"] = {**point["fields"], "late": None, "more": 1.5}
    data = serialize(many).split(b"\n")
    assert len(data) == 400
    assert data[1].startswith(b"weather,city=New\\ York,station=s1 a=0.3")
    assert data[2] == b"mem,city=New\\ York,station=s2 free=2i 2"
    assert data[7].startswith(b"weather,")
    assert data[7].endswith(b",more=1.5 7")
    assert data[14] == b"mem,city=New\\ York,station=s2 free=14i,more=1.5 14"


def test_error_names_the_row() -> None:
    many = points(1200)
    many[777] = {**many[777], "fields": {"a": object()}}
    with pytest.raises(SerializationError, match=r"^row 778: .*'weather', field 'a': unsupported field type object"):
        serialize(["m v=1", many])
    many[777] = {**COMMON_POINT, "tags": {"station": "a\n"}}
    with pytest.raises(SerializationError, match=r"^row 777: measurement 'weather', tag 'station': .* line feed"):
        serialize(many)


def test_lines_that_need_checks() -> None:
    many = points(20)
    many[3] = {**COMMON_POINT, "tags": {"station": "\\ "}, "fields": {'a"b': "x"}}
    assert outcome(many) == outcome(iter(many))
    many[3] = {**COMMON_POINT, "fields": {"a" * 70_000: 1}}
    for data in (many, [many[3]] * 20):
        with pytest.raises(SerializationError, match="at most 65535"):
            serialize(data)
    long = points(40, fields={"text": "x" * 70_000})  # long lines, but short keys
    assert serialize(long) == encode_singly(long)


def test_batches_are_filled_as_in_single_encoding() -> None:
    many = points(1000)
    batches = list(serialize_batches(many, max_lines=64))
    assert [batch.count(b"\n") + 1 for batch in batches] == [64] * 15 + [40]
    batches = list(serialize_batches(["m v=1i", *many], max_bytes=1000))
    assert all(len(batch) <= 1000 for batch in batches)
    assert b"\n".join(batches) == b"m v=1i\n" + encode_singly(many)


@pytest.mark.parametrize(("untimed", "timed"), [([], True), ([500], False), (range(1000), False)])
def test_whether_all_points_have_a_timestamp(untimed: list[int], timed: bool) -> None:
    many = points(1000)
    for n in untimed:
        many[n] = {**many[n], "time": None}
    assert [batch.timed for batch in Encoder().encode(many)] == [timed]


def test_stamped_points_are_encoded_singly() -> None:
    many = points(100, time=None)
    [batch] = Encoder(stamp=itertools.count(5).__next__).encode(many)
    assert [int(line.rpartition(b" ")[2]) for line in batch.data.split(b"\n")] == list(range(5, 105))


def test_other_mapping_classes_are_encoded_singly() -> None:
    many = points(20)
    assert serialize([OrderedDict(point) for point in many]) == serialize(many)
    assert serialize([{**point, "fields": OrderedDict(point["fields"])} for point in many]) == serialize(many)


def test_generator_may_reuse_one_mapping() -> None:
    def reused() -> Any:
        point = points(1)[0]
        for n in range(20):
            point["time"] = n
            yield point

    assert [int(line.rpartition(b" ")[2]) for line in serialize(reused()).split(b"\n")] == list(range(20))


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("influx_proto._encode.points_columnar._CACHED_KEY_SETS", 2)
    monkeypatch.setattr("influx_proto._encode.points_columnar._CACHED_SERIES", 3)
    encoder = Encoder()
    encode_group = encoder._find_group_encoder(dict)
    assert encode_group is not None
    for n in range(10):
        many = points(10, measurement=f"m{n}")
        for number, point in enumerate(many):
            point["tags"] = {"station": str(number)}
        list(encoder.encode(many))
        encoders = encode_group.__self__._encoders  # type: ignore[attr-defined]  # a bound method
        assert len(encoders) <= 2
        assert all(len(each._series) <= 3 for each in encoders.values())
