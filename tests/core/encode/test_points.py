"""Points as mappings: one line each, in nanoseconds, with only the data of the point."""

from __future__ import annotations

import contextlib
import enum
import math
from collections import UserDict
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from influx_proto import SerializationError
from influx_proto._encode.points import PointEncoder, point_encoder
from influx_proto._line_protocol.options import FieldOptions


class Key(enum.StrEnum):
    HOST = "host"


def line(
    point: Mapping[str, Any],
    name: Any = None,
    tags: Any = MappingProxyType({}),
    precision: str = "ns",
    **policy: Any,
) -> str | None:
    encoder = PointEncoder(name, tags, precision, FieldOptions(**policy))
    first, second = encoder.line(point), encoder.line(point)
    assert first == second  # a cached key set gives the same line as a new one
    # Including one cached by another write.
    assert point_encoder(name, tags, precision, FieldOptions(**policy)).line(point) == first
    return None if first is None else first.decode()


@pytest.mark.parametrize(
    ("point", "expected"),
    [
        ({"measurement": "m", "fields": {"v": 1}}, "m v=1i"),
        ({"measurement": "m", "fields": {"v": 1}, "time": 0}, "m v=1i 0"),
        ({"measurement": "m", "fields": {"v": 1}, "time": None, "tags": None}, "m v=1i"),
        ({"measurement": "m", "fields": {"v": 1}, "time": -5, "tags": {}}, "m v=1i -5"),
        ({"measurement": "m", "fields": {"v": 1}, "time": datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)},
         "m v=1i 1000000000"),
        ({"measurement": "m", "fields": {"v": 1}, "time": pd.Timestamp(123456789)}, "m v=1i 123456789"),
        ({"measurement": "m", "fields": {"v": 1}, "time": np.int64(7)}, "m v=1i 7"),
        ({"measurement": "m", "fields": {"v": 1}, "time": "1970-01-01T00:00:00.000000003Z"}, "m v=1i 3"),
        ({"measurement": "m", "tags": {"b": "1", "a": "2", "B": "3", "é": "4"}, "fields": {"v": 1}},
         "m,B=3,a=2,b=1,é=4 v=1i"),
        ({"measurement": "m", "tags": {"a": None, "b": "", "c": math.nan, "d": pd.NA}, "fields": {"v": 1}}, "m v=1i"),
        ({"measurement": "m", "tags": {"a": 0, "b": False, "c": Key.HOST}, "fields": {"v": 1}},
         "m,a=0,b=False,c=host v=1i"),
        ({"measurement": "m", "tags": {Key.HOST: "a"}, "fields": {Key.HOST: 1}}, "m,host=a host=1i"),
        ({"measurement": "a b,c", "tags": {"d e": "f=g"}, "fields": {"h i": "j"}}, 'a\\ b\\,c,d\\ e=f\\=g h\\ i="j"'),
        ({"measurement": "m", "fields": {"b": 1, "a": 0.5, "c": False, "d": "", "e": None, "f": math.nan}},
         'm b=1i,a=0.5,c=false,d=""'),
        ({"measurement": "m", "fields": {"v": 1}, "whatever": object()}, "m v=1i"),
        ({"measurement": "m", "fields": {"v": None}}, None),
        ({"measurement": "m", "fields": {}}, None),
        ({"measurement": "m", "fields": None}, None),
        (UserDict({"measurement": "m", "tags": UserDict({"a": "b"}), "fields": UserDict({"v": 1})}), "m,a=b v=1i"),
        (MappingProxyType({"measurement": "m", "fields": MappingProxyType({"v": 1})}), "m v=1i"),
        ({"measurement": "m", "tags": {"v": "tag"}, "fields": {"v": "field"}}, 'm,v=tag v="field"'),
    ],
)  # fmt: skip
def test_points(point: Mapping[str, Any], expected: str | None) -> None:
    assert line(point) == expected


def test_default_measurement() -> None:
    assert line({"fields": {"v": 1}}, "m") == "m v=1i"
    assert line({"measurement": None, "fields": {"v": 1}}, "m") == "m v=1i"
    assert line({"measurement": "n", "fields": {"v": 1}}, "m") == "n v=1i"


def test_tags_for_all_points() -> None:
    common = {"host": "h 1", "rack": 5, "none": None}
    assert line({"fields": {"v": 1}}, "m", common) == "m,host=h\\ 1,rack=5 v=1i"
    assert line({"fields": {"v": 1}, "tags": {"a": "b"}}, "m", common) == "m,a=b,host=h\\ 1,rack=5 v=1i"
    assert line({"fields": {"v": 1}, "tags": {"rack": "6"}}, "m", common) == "m,host=h\\ 1,rack=6 v=1i"
    # A missing tag value does not override another one.
    assert line({"fields": {"v": 1}, "tags": {"rack": None, "host": ""}}, "m", common) == "m,host=h\\ 1,rack=5 v=1i"


def test_measurement_of_a_str_subclass() -> None:
    assert line({"measurement": Key.HOST, "fields": {"v": 1}}) == "host v=1i"
    assert line({"measurement": np.str_("a b"), "fields": {"v": 1}}) == "a\\ b v=1i"


def test_precision_of_integer_times() -> None:
    assert line({"fields": {"v": 1}, "time": 7}, "m", precision="ms") == "m v=1i 7000000"
    assert line({"fields": {"v": 1}, "time": "1970-01-01"}, "m", precision="ms") == "m v=1i 0"


def test_field_types() -> None:
    point = {"fields": {"a": 1, "b": 1, "c": math.inf}}
    policy: dict[str, Any] = {"field_types": {"a": "float"}, "nonfinite": "omit"}
    assert line(point, "m", **policy) == "m a=1.0,b=1i"
    assert line(point, "m", **policy, integers_as_floats=True) == "m a=1.0,b=1.0"


def test_equal_values_of_different_types_stay_different() -> None:
    encoder = PointEncoder("m", {}, "ns", FieldOptions())
    for value, text in [("1", b"1"), (1, b"1"), (True, b"True"), (Key.HOST, b"host"), ("host", b"host")] * 2:
        assert encoder.line({"tags": {"t": value}, "fields": {"v": 1}}) == b"m,t=%b v=1i" % text


@pytest.mark.parametrize(
    ("point", "parts"),
    [
        ({"fields": {"v": 1}}, ["no measurement"]),
        ({"measurement": 5, "fields": {"v": 1}}, ["measurement", "str, not int"]),
        ({"measurement": ["m"], "fields": {"v": 1}}, ["measurement", "str, not list"]),
        ({"measurement": "", "fields": {"v": 1}}, ["measurement", "is empty"]),
        ({"measurement": "#m", "fields": {"v": 1}}, ["measurement '#m'", "comment"]),
        ({"measurement": "m"}, ["without 'fields'", "'measurement'"]),
        ({}, ["without 'fields'", "none"]),
        ({"measurement": "m", "fields": [1]}, ["measurement 'm'", "fields must be a mapping, not list"]),
        ({"measurement": "m", "tags": "a=b", "fields": {"v": 1}}, ["measurement 'm'", "tags must be a mapping, not s"]),
        ({"measurement": "m", "tags": {1: "a"}, "fields": {"v": 1}}, ["measurement 'm', tag 1", "not int"]),
        ({"measurement": "m", "tags": {"a": "b", None: "a"}, "fields": {"v": 1}}, ["tag None", "not NoneType"]),
        ({"measurement": "m", "tags": {"t": "a\nb"}, "fields": {"v": 1}}, ["measurement 'm', tag 't'", "line feed"]),
        ({"measurement": "m", "tags": {"t": 1.5}, "fields": {"v": 1}}, ["measurement 'm', tag 't'", "float"]),
        ({"measurement": "m", "tags": {"time": "x"}, "fields": {"v": 1}}, ["measurement 'm', tag 'time'"]),
        ({"measurement": "m", "fields": {"v": 1, "w": math.inf}}, ["measurement 'm', field 'w'", "infinite"]),
        ({"measurement": "m", "fields": {"v": b"x"}}, ["measurement 'm', field 'v'", "bytes"]),
        ({"measurement": "m", "fields": {"v": 2**63}}, ["measurement 'm', field 'v'", "unsigned=True"]),
        ({"measurement": "m", "fields": {"time": 1}}, ["measurement 'm', field 'time'"]),
        ({"measurement": "m", "fields": {5: 1}}, ["measurement 'm', field 5", "not int"]),
        ({"measurement": "m", "fields": {(): 1}}, ["measurement 'm', field ()", "not tuple"]),
        ({"measurement": "m", "fields": {"v": 1}, "time": 1.5}, ["measurement 'm'", "timestamp", "float"]),
        ({"measurement": "m", "fields": {"v": 1}, "time": True}, ["measurement 'm'", "timestamp", "bool"]),
        ({"measurement": "m", "fields": {"v": 1}, "time": 2**63}, ["measurement 'm'", "outside"]),
        ({"measurement": "m", "fields": {"v": 1}, "time": pd.NaT}, ["measurement 'm'", "NaT"]),
        ({"measurement": "m" * 65535, "fields": {"v": 1}}, ["measurement 'mmm", "at most 65535"]),
        ({"measurement": "m", "tags": {"a\\ b": '"x'}, "fields": {"v": 1}}, ["measurement 'm'", "end of the line"]),
    ],
)  # fmt: skip
def test_errors_name_position_and_cause(point: Mapping[str, Any], parts: list[str]) -> None:
    with pytest.raises(SerializationError) as raised:
        line(point)
    for part in parts:
        assert part in str(raised.value)
    assert len(str(raised.value)) < 400


def test_invalid_arguments() -> None:
    with pytest.raises(SerializationError, match="tags must be a mapping"):
        line({}, tags=["a"])
    with pytest.raises(SerializationError, match=r"tag 'a' for all points: .*line feed"):
        line({}, tags={"a": "b\n"})
    with pytest.raises(SerializationError, match="tag 'time' for all points"):
        line({}, tags={"time": "b"})
    with pytest.raises(SerializationError, match="comment"):
        line({}, "#m")
    with pytest.raises(ValueError, match=r"^precision: "):
        line({}, precision="d")


def test_encoder_is_reused_only_for_equal_arguments() -> None:
    first = point_encoder("m", {"a": "1"}, "ns", FieldOptions(field_types={"v": "float"}))
    assert point_encoder("m", {"a": "1"}, "ns", FieldOptions(field_types={"v": "float"})) is first
    point = {"fields": {"v": 1}, "time": 5}
    others: list[tuple[Any, Any, str, FieldOptions, bytes]] = [
        ("m", {"a": "1"}, "ns", FieldOptions(), b"m,a=1 v=1i 5"),
        ("m", {"a": "1"}, "ns", FieldOptions(field_types={"w": "float"}), b"m,a=1 v=1i 5"),
        ("m", {"a": "1"}, "s", FieldOptions(integers_as_floats=True), b"m,a=1 v=1.0 5000000000"),
        ("m", {"a": 1}, "ns", FieldOptions(), b"m,a=1 v=1i 5"),
        ("m", {"a": True}, "ns", FieldOptions(), b"m,a=True v=1i 5"),
        ("m", {Key.HOST: Key.HOST}, "ns", FieldOptions(), b"m,host=host v=1i 5"),
        ("m", {"host": "host"}, "ns", FieldOptions(), b"m,host=host v=1i 5"),
        (Key.HOST, {}, "ns", FieldOptions(), b"host v=1i 5"),
    ]
    for name, tags, precision, policy, expected in [*others, *reversed(others)]:
        encoder = point_encoder(name, tags, precision, policy)
        assert encoder is not first
        assert encoder.line(point) == expected


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("influx_proto._encode.points._CACHE_SIZE", 3)
    monkeypatch.setattr("influx_proto._encode.points._CACHED_FIELDS", 3)
    encoder = PointEncoder("m", {}, "ns", FieldOptions())
    for number in range(10):
        assert encoder.line({"tags": {f"t{number}": "x"}, "fields": {f"f{number}": 1}}) is not None
        assert len(encoder._templates) <= 3
        assert len(encoder.fields) <= 3
    for length in (10, 100_000):
        with contextlib.suppress(SerializationError):  # the key is too long for the server
            encoder.line({"tags": {"t": "x" * length}, "fields": {"v": 1}})
    assert max(map(len, encoder._series.values())) < 100
