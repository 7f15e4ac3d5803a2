"""Decorated classes: all kinds of classes, all types, invalid schemas, and the same bytes as mappings."""

from __future__ import annotations

import builtins
import collections
import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum, Flag, IntEnum, StrEnum
from typing import Annotated, Any, ClassVar, Final, Literal, NamedTuple, NewType, Optional

import attrs
import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from influx_proto import SchemaError, SerializationError, serialize, serialize_batches
from influx_proto._encode.classes.decorator import lineprotocol, object_encoder
from influx_proto._encode.classes.plan import Plan
from influx_proto._encode.classes.schema import (
    BOOL,
    DECIMAL,
    ENUM,
    FLOAT,
    INT,
    MEASUREMENT,
    STR,
    TAG,
    TAGENUM,
    TIMEDT,
    TIMEINT,
    TIMESTR,
)
from influx_proto._encode.encoder import Encoder
from influx_proto._line_protocol.options import FieldOptions

#: Type checkers reject a namedtuple outside an assignment; `Any` avoids that.
named: Any = collections.namedtuple  # noqa: PYI024 - the form to test
typed: Any = NamedTuple

NOON = datetime(2020, 1, 1, 12, tzinfo=UTC)
NOON_NS = 1577880000000000000


class Color(Enum):
    RED = "#f00"
    LIGHT_BLUE = "#88f"


class Level(IntEnum):
    LOW = 1


class Text(StrEnum):
    A = "a"


class Bits(Flag):
    ONE = 1
    TWO = 2


ANNOTATIONS: dict[str, Any] = {
    "name": MEASUREMENT,
    "time": TIMEINT,
    "host": TAG,
    "shade": TAGENUM,
    "tint": Annotated[Color, TAGENUM],
    "on": BOOL,
    "count": INT,
    "price": DECIMAL,
    "load": FLOAT,
    "note": STR,
    "color": ENUM,
    "paint": Annotated[Color, ENUM],
}
VALUES: dict[str, Any] = {
    "name": "m, 1",
    "time": NOON_NS,
    "host": "a b",
    "shade": Level.LOW,
    "tint": Color.LIGHT_BLUE,
    "on": False,
    "count": -5,
    "price": Decimal("1.50"),
    "load": 0.1,
    "note": 'say "%s"\n\\',
    "color": Color.RED,
    "paint": Color.RED,
}
LINE = (
    b"m\\,\\ 1,host=a\\ b,shade=LOW,tint=LIGHT_BLUE "
    b'on=false,count=-5i,price=1.50,load=0.1,note="say \\"%s\\"\n\\\\",color="RED",paint="RED" 1577880000000000000'
)


def optional(annotations: dict[str, Any]) -> dict[str, Any]:
    return {name: annotation | None for name, annotation in annotations.items()}


def plain_class(annotations: dict[str, Any]) -> type:
    def init(self: Any, **values: Any) -> None:
        vars(self).update(values)

    return type("Point", (), {"__annotations__": dict(annotations), "__init__": init})


def functional(annotations: dict[str, Any]) -> Any:
    return lineprotocol(named("Point", list(annotations)), schema=annotations)


MAKERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "NamedTuple": lambda annotations: lineprotocol(typed("Point", list(annotations.items()))),
    "dataclass": lambda annotations: lineprotocol(dataclasses.make_dataclass("Point", annotations.items())),
    "slots": lambda annotations: lineprotocol(
        dataclasses.make_dataclass("Point", annotations.items(), slots=True, frozen=True)
    ),
    "outside": lambda annotations: dataclasses.dataclass(slots=True)(lineprotocol(plain(annotations))),
    "attrs": lambda annotations: lineprotocol(attrs.define(plain(annotations))),
    "msgspec": lambda annotations: lineprotocol(msgspec.defstruct("Point", list(annotations.items()))),
    "plain": lambda annotations: lineprotocol(plain_class(annotations)),
    "functional": functional,
}


def plain(annotations: dict[str, Any]) -> type:
    return type("Point", (), {"__annotations__": dict(annotations)})


@pytest.fixture(params=MAKERS, ids=str)
def make(request: pytest.FixtureRequest) -> Callable[[dict[str, Any]], Any]:
    found: Callable[[dict[str, Any]], Any] = MAKERS[request.param]
    return found


def class_with(annotation: Any, **options: Any) -> Any:
    """Return a class with one attribute `x`, and a required field in case `x` is not a field."""
    return lineprotocol(named("P", ["x"]), schema={"x": annotation}, **options)


# Classes and types


def test_all_types_in_all_classes(make: Callable[[dict[str, Any]], Any]) -> None:
    for kinds in (ANNOTATIONS, optional(ANNOTATIONS)):
        point = make(kinds)(**VALUES)
        assert point.to_lineprotocol() == LINE
        assert serialize(point) == LINE
        assert serialize([point, iter([point])]) == LINE + b"\n" + LINE


def test_each_attribute_may_be_missing(make: Callable[[dict[str, Any]], Any]) -> None:
    for kinds in (ANNOTATIONS, optional(ANNOTATIONS)):
        cls = make(kinds)
        for name in ANNOTATIONS:
            assert serialize(cls(**{**VALUES, name: None})) == serialize(mapping({**VALUES, name: None}, "Point"))


def mapping(values: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the mapping with the same meaning as an object with these values."""
    kinds: dict[str, set[Any]] = {"tags": {"host", "shade", "tint"}}
    # TAGENUM and ENUM are written by name, also for members that mappings write by value.
    values = {key: value.name or value if isinstance(value, Enum) else value for key, value in values.items()}
    return {
        "measurement": name if values.get("name") is None else values["name"],
        "time": values.get("time"),
        "tags": {key: value for key, value in values.items() if key in kinds["tags"]},
        "fields": {
            key: float(value) if key == "load" and type(value) is int else value
            for key, value in values.items()
            if key not in kinds["tags"] | {"name", "time"}
        },
    }


def test_times() -> None:
    for annotation, value in (
        (TIMEINT, NOON_NS),
        (TIMEINT, np.int64(NOON_NS)),
        (TIMEDT, NOON),
        (TIMEDT, NOON.replace(tzinfo=None)),
        (TIMEDT, pd.Timestamp(NOON)),
        (TIMEDT, np.datetime64("2020-01-01T12:00")),
        (TIMESTR, "2020-01-01T13:00:00+01:00"),
    ):
        for kind in (annotation, annotation | None):
            cls = lineprotocol(named("P", "t x"), schema={"t": kind, "x": INT})
            assert cls(value, 1).to_lineprotocol() == b"P x=1i %d" % NOON_NS
            assert cls(None, 1).to_lineprotocol() == b"P x=1i"
            with pytest.raises(SerializationError, match=r"'P', attribute 't' of P: .*NaT"):
                cls(pd.NaT if annotation is TIMEDT else np.datetime64("NaT", "ns"), 1).to_lineprotocol()
            with pytest.raises(SerializationError, match=r"'P', attribute 't' of P: .*1\.5"):
                cls(1.5, 1).to_lineprotocol()
            with pytest.raises(SerializationError, match=r"'P', attribute 't' of P: .*nan"):
                cls(math.nan, 1).to_lineprotocol()


def test_integer_times_have_the_precision_of_the_write() -> None:
    cls = lineprotocol(named("P", "t x"), schema={"t": TIMEINT, "x": INT})
    assert serialize(cls(-5, 1), precision="ms") == b"P x=1i -5000000"
    assert serialize(cls(9223372036, 1), precision="s") == b"P x=1i 9223372036000000000"
    assert cls(-9223372036854775806, 1).to_lineprotocol() == b"P x=1i -9223372036854775806"
    for time, precision in ((9223372037, "s"), (-9223372037, "s"), (2**63 - 1, "ns"), (-(2**63), "ns"), (2**70, "ns")):
        with pytest.raises(SerializationError, match=r"attribute 't' of P: timestamp .* is outside"):
            serialize(cls(time, 1), precision=precision)
    cls = lineprotocol(named("P", "t x"), schema={"t": TIMEDT, "x": INT})
    assert serialize(cls(NOON, 1), precision="h") == b"P x=1i %d" % NOON_NS


def test_string_annotations() -> None:
    @lineprotocol
    class Trade(NamedTuple):
        venue: TAG
        price: Optional[FLOAT]  # noqa: UP045 - the form to test
        size: Annotated[INT, "pieces"] | None = None

    assert serialize(Trade("x", 1.5)) == b"Trade,venue=x price=1.5"
    assert serialize(Trade("x", None, 5)) == b"Trade,venue=x size=5i"


def test_other_annotations_are_ignored() -> None:
    @lineprotocol
    @dataclasses.dataclass
    class P:
        shared: ClassVar[int] = 5
        bare: ClassVar = 5
        x: INT
        setting: dataclasses.InitVar[int]
        _: dataclasses.KW_ONLY
        y: Annotated[Optional[FLOAT], "doc"] = None  # noqa: UP045 - the form to test

    assert serialize(P(1, 2, y=3.5)) == b"P x=1i,y=3.5"


def test_annotations_that_are_not_classes() -> None:
    user = NewType("user", str)
    cls = lineprotocol(
        named("P", "u v x"),
        schema={"u": Annotated[user, TAG], "v": Annotated[Literal["a", "b"] | None, STR], "x": Annotated[Any, INT]},
    )
    assert serialize(cls(user("a"), "b", 1)) == b'P,u=a v="b",x=1i'


def test_properties_with_a_schema() -> None:
    @lineprotocol(schema={"total": INT})
    class P:
        parts = (1, 2)

        @property
        def total(self) -> int:
            return sum(self.parts)

    assert serialize(P()) == b"P total=3i"


def test_inheritance() -> None:
    class Base:
        host: TAG
        x: INT

        def __init__(self) -> None:
            self.host, self.x, self.y = "a", 1, 2

    decorated = lineprotocol(Base)

    class Silent(decorated):  # type: ignore[misc, valid-type]  # the undecorated class keeps its name
        pass

    class More(Base):
        y: INT

    assert serialize(Silent()) == b"Base,host=a x=1i"
    for write in (serialize, lambda point: point.to_lineprotocol()):
        with pytest.raises(SchemaError, match=r"More adds annotations .* Base .*; decorate"):
            write(More())
    assert serialize(lineprotocol(More)()) == b"More,host=a x=1i,y=2i"


def test_iterable_decorated_class_is_a_point() -> None:
    @lineprotocol
    class P:
        x: INT = 1

        def __iter__(self) -> Iterator[int]:
            raise AssertionError

    assert serialize([P(), P()]) == b"P x=1i\nP x=1i"


def test_tuple_with_a_custom_iterator() -> None:
    class Base(NamedTuple):
        x: int
        y: int

    class P(Base):
        def __iter__(self) -> Iterator[Any]:
            return iter(())

    assert serialize(lineprotocol(schema={"y": INT})(P)(1, 2)) == b"P y=2i"


def test_undecorated_tuple_is_rejected() -> None:
    with pytest.raises(SerializationError):
        serialize(typed("P", [("x", int)])(1))


# Values


ACCEPTED = [
    (BOOL, np.True_, b"true"),
    (INT, np.uint8(5), b"5i"),
    (INT, np.int64(-5), b"-5i"),
    (INT, 2**63 - 1, b"9223372036854775807i"),
    (INT, -(2**63), b"-9223372036854775808i"),
    (FLOAT, 5, b"5.0"),
    (FLOAT, np.int32(5), b"5.0"),
    (FLOAT, np.float32(0.1), b"0.1"),
    (FLOAT, np.float64(0.1), b"0.1"),
    (FLOAT, -0.0, b"-0.0"),
    (DECIMAL, Decimal("1.10"), b"1.10"),
    (STR, "", b'""'),
    (STR, np.str_("a"), b'"a"'),
    (ENUM, Level.LOW, b'"LOW"'),
    (INT, Level.LOW, b"1i"),
    (STR, Text.A, b'"a"'),
    (ENUM, Bits.ONE, b'"ONE"'),
    (Annotated[Bits, ENUM], Bits.ONE, b'"ONE"'),
]


@pytest.mark.parametrize(("annotation", "value", "text"), ACCEPTED)
def test_accepted(annotation: Any, value: object, text: bytes) -> None:
    for kind in (annotation, annotation | None):
        assert serialize(class_with(kind)(value)) == b"P x=" + text
    tag = lineprotocol(named("P", "t x"), schema={"t": annotation, "x": INT})
    assert serialize(tag(value, 1)) == b"P t=" + text + b",x=1i"


REJECTED = [
    (BOOL, 1, "expected BOOL, got int (1)"),
    (BOOL, "true", "expected BOOL, got str ('true')"),
    (INT, 1.5, "expected INT, got float (1.5)"),
    (INT, 1.0, "expected INT, got float (1.0)"),
    (INT, True, "expected INT, got bool (True)"),
    (INT, np.timedelta64(5, "s"), "expected INT, got "),
    (INT, 2**63, "does not fit into a 64-bit integer"),
    (FLOAT, True, "expected FLOAT, got bool (True)"),
    (FLOAT, "1.5", "expected FLOAT, got str ('1.5')"),
    (FLOAT, Decimal(1), "expected FLOAT, got Decimal (Decimal('1'))"),
    (FLOAT, 2**53 + 1, "no exact 64-bit float"),
    (FLOAT, math.inf, "infinite"),
    (DECIMAL, 1.5, "expected DECIMAL, got float (1.5)"),
    (DECIMAL, Decimal("-inf"), "infinite"),
    (DECIMAL, Decimal("1e400"), "too large"),
    (STR, 5, "expected STR, got int (5)"),
    (STR, b"a", "expected STR, got bytes (b'a')"),
    (STR, "\ud800", "lone surrogate"),
    (ENUM, "RED", "expected ENUM, got str ('RED')"),
    (ENUM, Bits(0), "has no name"),
    (Annotated[Color, ENUM], Level.LOW, "expected Color, got Level (<Level.LOW: 1>)"),
    (Annotated[Bits, ENUM], Bits(0), "has no name"),
]


@pytest.mark.parametrize(("annotation", "value", "message"), REJECTED)
def test_rejected_values(annotation: Any, value: object, message: str) -> None:
    for kind in (annotation, annotation | None):
        point = class_with(kind)(value)
        for write in (serialize, lambda point: point.to_lineprotocol()):
            with pytest.raises(SerializationError) as caught:
                write(point)
            assert str(caught.value).startswith("measurement 'P', attribute 'x' of P: ")
            assert message in str(caught.value)
        with pytest.raises(SerializationError, match=r"^row 1: measurement 'P', attribute 'x' of P: "):
            serialize(["m v=1", point])


def test_rejected_names_and_tags() -> None:
    cls = lineprotocol(
        named("P", "m t e x"),
        schema={"m": MEASUREMENT, "t": TAG, "e": Annotated[Color, TAGENUM], "x": INT},
    )
    good = cls("m", "t", Color.RED, 1)
    for values, message in (
        ({"m": ""}, "attribute 'm' of P: the measurement is empty"),
        ({"m": "a\n"}, "attribute 'm' of P: the measurement .* line feed"),
        ({"m": 5}, r"attribute 'm' of P: expected MEASUREMENT, got int \(5\)"),
        ({"m": math.nan}, r"attribute 'm' of P: expected MEASUREMENT, got float \(nan\)"),
        ({"t": "a\\"}, "measurement 'm', attribute 't' of P: .* backslash"),
        ({"t": 1.5}, "measurement 'm', attribute 't' of P: a tag value must be a str, not float"),
        ({"e": "RED"}, "measurement 'm', attribute 'e' of P: expected Color, got str"),
        ({"t": "a" * 70_000}, "measurement 'm', .* at most 65535"),
        ({"t": '\\ ,="', "x": 1}, None),
    ):
        point = good._replace(**values)
        if message is None:
            assert serialize(point) == serialize({
                "measurement": "m",
                "tags": {"t": values["t"], "e": "RED"},
                "fields": {"x": 1},
            })
            continue
        with pytest.raises(SerializationError, match=message):
            serialize(point)
    assert serialize(good._replace(t=5)) == b"m,e=RED,t=5 x=1i"
    assert serialize(good._replace(t=True)) == b"m,e=RED,t=True x=1i"
    assert serialize(good._replace(t=Level.LOW)) == b"m,e=RED,t=1 x=1i"
    assert serialize(good._replace(t="")) == b"m,e=RED x=1i"


MISSING = [None, math.nan, np.float32("nan"), pd.NA, pd.NaT, np.datetime64("NaT", "ns"), Decimal("NaN")]


@pytest.mark.parametrize("missing", MISSING, ids=repr)
def test_missing_values(missing: object) -> None:
    annotations = {name: kind for name, kind in ANNOTATIONS.items() if name not in {"name", "time"}}
    for kinds in (annotations, optional(annotations)):
        cls = functional(kinds)
        values = {name: value for name, value in VALUES.items() if name in kinds}
        for name in kinds:
            changed = {**values, name: missing}
            assert serialize(cls(**changed)) == serialize(mapping(changed, "Point"))


def test_no_field_left() -> None:
    for kind in (FLOAT, FLOAT | None):
        nothing = class_with(kind)(None)
        for write in (serialize, lambda point: point.to_lineprotocol()):
            with pytest.raises(SerializationError, match=r"this P has no field with a value"):
                write(nothing)
        assert serialize([nothing, class_with(kind)(1.5), nothing]) == b"P x=1.5"
        assert serialize([nothing]) == b""


def test_unset_attribute() -> None:
    @lineprotocol
    class P:
        x: INT

    with pytest.raises(SerializationError, match=r"measurement 'P', attribute 'x' of P: .*no attribute 'x'"):
        serialize(P())


# Options


def test_decorator_without_and_with_options_return_the_class() -> None:
    class P:
        x: INT

    assert lineprotocol(P) is P
    assert lineprotocol()(P) is P
    assert lineprotocol(P, placeholder=True) is P
    assert lineprotocol(placeholder=True)(P) is P


def test_extra_tags() -> None:
    @lineprotocol(extra_tags={"z%s": "a, b", "host": "unset", "n": 5, "gone": None, "empty": ""})
    class P(NamedTuple):
        host: TAG | None
        x: INT

    assert serialize(P("a", 1)) == b"P,host=a,n=5,z%s=a\\,\\ b x=1i"
    assert serialize(P(None, 1)) == b"P,host=unset,n=5,z%s=a\\,\\ b x=1i"
    # Tags of the object take precedence over those of the class, and these over those of the write.
    tags = {"host": "all", "n": 6, "dc": "eu"}
    assert serialize(P("a", 1), tags=tags) == b"P,dc=eu,host=a,n=5,z%s=a\\,\\ b x=1i"
    assert serialize(P("", 1), tags=tags) == b"P,dc=eu,host=unset,n=5,z%s=a\\,\\ b x=1i"
    assert serialize(P("a", 1), dc=True) == b"P,dc=True,host=a,n=5,z%s=a\\,\\ b x=1i"
    assert serialize(P("a", 1), dc=1) == b"P,dc=1,host=a,n=5,z%s=a\\,\\ b x=1i"


def test_tags_of_the_write_replace_missing_ones() -> None:
    cls = lineprotocol(named("P", "host x"), schema={"host": TAG, "x": INT})
    assert serialize(cls(None, 1), tags={"host": "all"}) == b"P,host=all x=1i"
    assert serialize(cls("a", 1), tags={"host": "all"}) == b"P,host=a x=1i"


def test_placeholder() -> None:
    for kind in (INT, INT | None):
        cls = class_with(kind, placeholder=True)
        assert serialize([cls(None), cls(5)]) == b"P _=true\nP x=5i"
        assert cls(None).to_lineprotocol() == b"P _=true"
    only_tags = class_with(TAG, placeholder=True)
    assert only_tags("a").to_lineprotocol() == b"P,x=a _=true"
    assert serialize(only_tags(None), field_types={"_": "string"}) == b'P _="true"'


def test_rm_none() -> None:
    cls = lineprotocol(
        named("P", "time host x y"),
        schema={"time": TIMEINT, "host": TAG, "x": INT | None, "y": FLOAT},
        rm_none=False,
    )
    assert cls(1, "a", None, 1.5).to_lineprotocol() == b"P,host=a y=1.5 1"
    assert cls(1, "", 5, math.nan).to_lineprotocol() == b"P x=5i 1"
    for point, name, kind in (
        (cls(None, "a", 1, 1.5), "time", "TIMEINT"),
        (cls(1, None, 1, 1.5), "host", "TAG"),
        (cls(1, "a", 1, None), "y", "FLOAT"),
    ):
        with pytest.raises(SerializationError, match=rf"attribute '{name}' of P: None .* \({kind}\); add"):
            point.to_lineprotocol()


def test_measurement() -> None:
    constant = class_with(INT)
    assert serialize(constant(1)) == b"P x=1i"
    assert serialize(constant(1), "a b") == b"a\\ b x=1i"
    for kind in (MEASUREMENT, MEASUREMENT | None):
        cls = lineprotocol(named("P", "m x"), schema={"m": kind, "x": INT})
        assert serialize([cls("a", 1), cls(None, 1)], "b") == b"a x=1i\nb x=1i"
        assert serialize([cls("a", 1), cls(None, 1)]) == b"a x=1i\nP x=1i"


def test_field_options() -> None:
    cls = lineprotocol(
        named("P", "i f s"),
        schema={"i": INT, "f": FLOAT, "s": STR},
    )
    assert serialize(cls(1, 2, "a"), integers_as_floats=True) == b'P i=1.0,f=2.0,s="a"'
    assert serialize(cls(2**63, 2.5, "a"), unsigned=True) == b'P i=9223372036854775808u,f=2.5,s="a"'
    assert serialize(cls(1, math.inf, "a"), nonfinite="omit") == b'P i=1i,s="a"'
    assert serialize(cls(1, 2.0, "a"), field_types={"i": "string", "f": "integer"}) == b'P i="1",f=2i,s="a"'
    assert serialize(cls(1, 2.0, "a"), field_types={"i": "integer"}, integers_as_floats=True) == b'P i=1i,f=2.0,s="a"'
    with pytest.raises(SerializationError, match=r"attribute 's' of P: .* cannot be written as boolean"):
        serialize(cls(1, 2.0, "a"), field_types={"s": "boolean"})


def test_field_order_with_missing_values() -> None:
    kinds: dict[str, Any] = {"a": INT | None, "b": INT | None, "c": INT, "d": INT | None, "e": INT | None}
    for schema in (kinds, optional(kinds)):
        cls = functional(schema)
        for bits in range(1, 32):
            values = {name: 1 if bits >> n & 1 else None for n, name in enumerate(kinds)}
            fields = ",".join(f"{name}=1i" for name, value in values.items() if value)
            assert cls(**values).to_lineprotocol() == b"Point " + fields.encode()


def test_valid_objects_take_the_fast_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both paths return the same bytes, so only this test checks that the fast one is taken."""

    def unexpected(self: Plan, point: object) -> bytes | None:
        raise AssertionError(point)

    monkeypatch.setattr(Plan, "line", unexpected)
    required = functional(ANNOTATIONS)
    some = functional(optional(ANNOTATIONS))
    assert required(**VALUES).to_lineprotocol() == LINE
    assert some(**VALUES).to_lineprotocol() == LINE
    assert some(**{**VALUES, "on": None, "host": None, "time": None, "count": None}).to_lineprotocol() == (
        b'm\\,\\ 1,shade=LOW,tint=LIGHT_BLUE price=1.50,load=0.1,note="say \\"%s\\"\n\\\\",color="RED",paint="RED"'
    )


# Same point, same bytes


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(strategy, strategy, st.sampled_from(MISSING))


NAMES = st.text(min_size=1, max_size=5) | st.text(alphabet='a\\ ,="#%', min_size=1, max_size=4)
COLORS = st.sampled_from(Color)
INTEGERS = st.integers(-(2**63) - 2, 2**64)
FLOATS = st.floats() | st.floats(width=32).map(np.float32) | st.integers(-(2**53), 2**53)
STRATEGIES: dict[str, st.SearchStrategy[Any]] = {
    "name": NAMES | st.none(),
    "time": st.integers(-(2**63), 2**63 - 1) | st.integers(-1000, 1000) | st.none(),
    "host": maybe(NAMES | st.just("") | st.integers() | st.booleans()),
    "shade": maybe(COLORS | st.sampled_from(Bits)),
    "tint": maybe(COLORS),
    "on": maybe(st.booleans() | st.booleans().map(np.bool_)),
    "count": maybe(INTEGERS | st.integers(0, 255).map(np.uint8) | st.integers(0, 2**64 - 1).map(np.uint64)),
    "price": maybe(st.decimals()),
    "load": maybe(FLOATS),
    "note": maybe(st.text(max_size=5)),
    "color": maybe(COLORS),
    "paint": maybe(COLORS),
}
CLASSES = [functional(ANNOTATIONS), functional(optional(ANNOTATIONS)),
           MAKERS["slots"](dict(reversed(ANNOTATIONS.items())))]  # fmt: skip


def outcome(data: object, **options: Any) -> bytes | None:
    try:
        return serialize(data, **options)
    except SerializationError:
        return None


@given(
    st.fixed_dictionaries(STRATEGIES),
    st.fixed_dictionaries(
        {},
        optional={
            "precision": st.sampled_from(["ns", "us", "ms", "s", "m", "h"]),
            "measurement": NAMES,
            "tags": st.dictionaries(st.sampled_from(["host", "tint", "other"]), NAMES | st.integers(0, 1)),
            "unsigned": st.booleans(),
            "nonfinite": st.sampled_from(["raise", "omit"]),
            "integers_as_floats": st.booleans(),
            "field_types": st.dictionaries(
                st.sampled_from(["on", "count", "load", "price", "note", "paint"]),
                st.sampled_from(["float", "integer", "unsigned", "string", "boolean"]),
                max_size=2,
            ),
        },
    ),
)
def test_same_point_gives_the_same_bytes(values: dict[str, Any], options: dict[str, Any]) -> None:
    kinds = list(CLASSES)
    for cls in kinds:
        ordered = {name: values[name] for name in (ANNOTATIONS if cls is not kinds[2] else reversed(ANNOTATIONS))}
        same = mapping(ordered, options.get("measurement", "Point"))
        for bulk in (False, True):
            assert outcome([cls(**values)] if bulk else cls(**values), **options) == outcome(
                [same] if bulk else same, **options
            )


# Bulk input


@given(
    st.lists(st.fixed_dictionaries(STRATEGIES), min_size=1, max_size=4),
    st.lists(st.sampled_from(["host", "tint", "on", "count", "load", "price", "time"]), max_size=2),
    st.sampled_from(["ns", "ms"]),
    st.booleans(),
)
def test_bulk_encoding_equals_single_encoding(
    rows: list[dict[str, Any]],
    rare: list[str],
    precision: str,
    omit: bool,
) -> None:
    """Most objects are eligible for columnar encoding; the others are mixed in."""
    many = [{**VALUES, "load": n / 3, "time": n} for n in range(12)]
    many += [{**VALUES, **{name: row[name] for name in rare}} for row in rows]
    options: dict[str, Any] = {"precision": precision, "nonfinite": "omit" if omit else "raise"}
    for cls in CLASSES[:2]:
        objects = [cls(**values) for values in many]
        single = [outcome([one], **options) for one in objects]
        together = outcome(objects, **options)
        assert together == (None if None in single else b"\n".join(line for line in single if line))


class MyInt(int):
    pass


class MyFloat(float):
    pass


class MyStr(str):
    __slots__ = ()


class FloatEnum(Enum):
    """msgspec.json encodes its value, line protocol its name."""

    A = 0.5


#: Values per column: ordinary ones, ordinary ones at a limit, and ones that are not eligible for the fast path.
COLUMNS: dict[str, list[Any]] = {
    "name": ["m", "m, 1", None, "", "#", MyStr("m"), "a\n", Color.RED],
    "time": [1, -(2**63) + 2, 2**63 - 2, -(2**63) + 1, 2**63 - 1, 2**64, None, True, MyInt(1), np.int64(1), 1.0],
    "host": ["a", "a b", "a,b=c", "back\\", "\\ ", "", None, MyStr("a"), 1, True, 1.0, "\ud800", Color.RED, Text.A],
    "tint": [Color.RED, Color.LIGHT_BLUE, None, Level.LOW, "RED"],
    "on": [True, False, None, 1, 0.0, np.bool_(1)],
    "count": [1, 0, -(2**63), 2**63 - 1, 2**63, -(2**63) - 1, 2**64, None, True, MyInt(1), np.int64(1), Level.LOW, 1.0],
    "price": [Decimal("1.50"), Decimal("-0"), Decimal("1E+50"), Decimal("NaN"), Decimal("Infinity"), None, 1, 1.5, "1"],
    "load": [0.5, -0.0, 5e-324, 1e16, -1e22, 1e-7, 1.7976931348623157e308, math.nan, math.inf, -math.inf, None, 1,
             2**53 + 1, True, MyFloat(0.5), np.float64(0.5), np.float32(0.1), Decimal("0.5"), FloatEnum.A,
             msgspec.Raw(b"0.5"), "0.5", [0.5]],
    "note": ["text", "", 'a "b"\\', "two\nlines", "\x00\u00e9\U0001f600", "\ud800", None, MyStr("a"), 1, b"a", Text.A],
    "paint": [Color.RED, Color.LIGHT_BLUE, None, Level.LOW, "RED"],
}  # fmt: skip
COLUMN_CLASSES = [make({name: ANNOTATIONS[name] for name in COLUMNS}) for make in (functional, MAKERS["slots"])]


POLICIES = [FieldOptions(), FieldOptions(nonfinite="omit"), FieldOptions(integers_as_floats=True)]


def check_columns(
    unusual: Mapping[str, Sequence[Any]], precision: str = "ns", policy: FieldOptions = POLICIES[0]
) -> None:
    """Columnar encoding must return the same bytes as row by row, or None; and always None if a row is an error."""
    columns = {name: values[:1] for name, values in COLUMNS.items()} | dict(unusual)
    for cls in COLUMN_CLASSES:
        objects = [cls(**{name: values[n % len(values)] for name, values in columns.items()}) for n in range(12)]
        encoder = object_encoder(cls, None, {}, precision, policy)
        assert encoder is not None
        together = encoder.lines(objects)
        try:
            lines = [encoder.line(each) for each in objects]
        except SerializationError:
            assert together is None
        else:
            timed = all(each.time is not None for each in objects)
            assert together in {None, (b"\n".join(line for line in lines if line), timed)}
            assert together is None or None not in lines


@pytest.mark.parametrize("name", COLUMNS)
def test_columns_of_each_pair(name: str) -> None:
    for pair in itertools.product(COLUMNS[name], repeat=2):
        for policy in POLICIES:
            check_columns({name: pair}, policy=policy)


@given(
    st.dictionaries(st.sampled_from(sorted(COLUMNS)), st.lists(st.integers(0, 50), min_size=1, max_size=4), max_size=3),
    st.sampled_from(["ns", "ms"]),
    st.sampled_from(POLICIES),
)
def test_columns_of_anything(unusual: dict[str, list[int]], precision: str, policy: FieldOptions) -> None:
    chosen = {name: [COLUMNS[name][at % len(COLUMNS[name])] for at in places] for name, places in unusual.items()}
    check_columns(chosen, precision, policy)


@pytest.mark.parametrize(
    ("name", "count"), [("time", 3), ("host", 3), ("count", 4), ("price", 3), ("load", 7), ("note", 5)]
)
def test_columnar_encoding_at_its_limits(name: str, count: int) -> None:
    for cls in COLUMN_CLASSES:
        first = {name: values[0] for name, values in COLUMNS.items()}
        objects = [cls(**{**first, name: value}) for value in COLUMNS[name][:count]]
        encoder = object_encoder(cls, None, {}, "ns", FieldOptions())
        assert encoder is not None
        assert encoder.lines(objects) == (b"\n".join(map(serialize, objects)), True)


def columns_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def unexpected(self: Any, *arguments: object) -> Any:
        raise AssertionError(arguments)

    monkeypatch.setattr(Encoder, "_add_object", unexpected)


def test_runs_are_encoded_by_columns(monkeypatch: pytest.MonkeyPatch, make: Callable[[dict[str, Any]], Any]) -> None:
    """Both paths return the same bytes, so only this test checks which one is taken."""
    columns_only(monkeypatch)
    kinds = {name: kind for name, kind in ANNOTATIONS.items() if name not in {"shade", "color"}}
    values = {name: value for name, value in VALUES.items() if name in kinds}
    same = serialize(mapping(values, "Point"))
    for annotations_of in (kinds, optional(kinds)):
        cls = make(annotations_of)
        assert serialize([cls(**values)] * 1000) == b"\n".join([same] * 1000)
        lacking = [{**values, name: None} for name in kinds]
        assert serialize([cls(**row) for row in lacking]) == b"\n".join(
            serialize(mapping(row, "Point")) for row in lacking
        )


def test_runs_with_only_optional_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    cls = functional({"a": INT | None, "b": FLOAT, "t": TIMEDT})
    objects = [cls(1, None, NOON), cls(None, 2.5, NOON)] * 5
    line = b"Point a=1i 1577880000000000000\nPoint b=2.5 1577880000000000000"
    nothing = [*objects, cls(None, None, NOON), *objects]
    assert serialize(nothing) == b"\n".join([line] * 10)
    columns_only(monkeypatch)
    assert serialize(objects) == b"\n".join([line] * 5)


def test_error_in_a_run_names_the_row() -> None:
    cls = functional({"x": INT, "t": TAG})
    objects = [cls(n, "a") for n in range(1200)]
    objects[777] = cls("1", "a")
    with pytest.raises(
        SerializationError, match=r"^row 779: measurement 'Point', attribute 'x' of Point: expected INT, got str"
    ):
        serialize(["m v=1", [["m v=1"], objects]])
    objects[777] = cls(1, "a\n")
    with pytest.raises(
        SerializationError, match=r"^row 777: measurement 'Point', attribute 't' of Point: .* line feed"
    ):
        serialize(objects)


def test_runs_with_a_trailing_backslash() -> None:
    cls = functional({"t": TAG, "x": STR})
    values = ["\\ ", "a\\ =", "b"]
    objects = [cls(value, 'a"b') for value in values] * 4
    assert serialize(objects) == b"\n".join(
        serialize({"measurement": "Point", "tags": {"t": one.t}, "fields": {"x": one.x}}) for one in objects
    )
    with pytest.raises(SerializationError, match=r"row 3: .* at most 65535"):
        serialize([*objects[:3], cls("a" * 70_000, ""), *objects])


def test_runs_respect_the_batch_limits() -> None:
    cls = functional({"x": INT, "t": TIMEINT | None})
    objects = [cls(n, n) for n in range(1000)]
    for items in (objects, iter(objects), tuple(objects)):
        batches = list(serialize_batches(items, max_lines=64))
        assert [batch.count(b"\n") + 1 for batch in batches] == [64] * 15 + [40]
    batches = list(serialize_batches(["m v=1i", *objects], max_bytes=1000))
    assert all(len(batch) <= 1000 for batch in batches)
    assert b"\n".join(batches) == b"m v=1i\n" + serialize(objects)
    assert [batch.timed for batch in Encoder().encode(objects)] == [True]
    assert [batch.timed for batch in Encoder().encode([*objects, cls(1, None)])] == [False]
    assert [batch.timed for batch in Encoder().encode([*objects, *[cls(1, None)] * 9])] == [False]


def test_mixed_types_in_one_input() -> None:
    first, second = functional({"x": INT}), class_with(FLOAT)
    items: list[Any] = [first(1)] * 10 + [second(2.5)] * 10 + ["m v=1"] + [first(1), second(2.5)] * 3
    assert serialize(items) == b"\n".join(serialize(item) for item in items)
    assert serialize([[], items, iter([])]) == serialize(items)


def test_reused_object() -> None:
    @lineprotocol
    @dataclasses.dataclass
    class P:
        x: INT

    def again() -> Iterator[P]:
        point = P(0)
        for point.x in range(20):
            yield point

    assert serialize(again()) == b"\n".join(b"P x=%di" % n for n in range(20))


def test_each_object_is_stamped() -> None:
    times = iter(range(100, 200))
    cls = functional({"x": INT, "t": TIMEINT | None})
    encoder = Encoder(stamp=lambda: next(times))
    [batch] = encoder.encode([cls(n, None if n % 2 else n) for n in range(20)])
    assert batch.timed
    assert [int(line.rpartition(b" ")[2]) for line in batch.data.split(b"\n")][:4] == [0, 100, 2, 101]


# Wrong schemas


class Undecorated:
    x: INT


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({}, "P has no annotations"),
        ({"a": MEASUREMENT, "b": MEASUREMENT, "x": INT}, "P has more than one measurement: 'a' and 'b'"),
        ({"a": TIMEINT, "b": TIMEDT, "x": INT}, "P has more than one time: 'a' and 'b'"),
        ({"a": TIMESTR | None, "b": TIMESTR, "x": INT}, "P has more than one time: 'a' and 'b'"),
        ({"a": MEASUREMENT, "b": TIMEINT, "x": TAG}, "P has no field"),
        ({"x": int}, "attribute 'x' is annotated as <class 'int'>; use one of MEASUREMENT, "),
        ({"x": INT, "a": int}, "attribute 'a' is annotated as"),
        ({"x": INT | STR}, "attribute 'x' is annotated as"),
        ({"x": INT | STR | None}, "attribute 'x' is annotated as"),
        ({"x": list[INT]}, "attribute 'x' is annotated as"),
        ({"x": "INT"}, "attribute 'x' is annotated as 'INT'"),
        ({"x": None}, "attribute 'x' is annotated as None"),
        ({"x": Annotated[int, "INT"]}, "attribute 'x' is annotated as"),
        ({"x": Annotated[INT, TAG]}, "attribute 'x' is annotated as INT and TAG"),
        ({"x": Annotated[int, TAG]}, "attribute 'x' is annotated as int, but TAG requires str"),
        ({"x": Annotated[str, ENUM]}, "attribute 'x' is annotated as str, but ENUM requires an Enum class"),
        ({"x": Annotated[bool | None, INT]}, "attribute 'x' is annotated as bool, but INT requires int"),
    ],
)
def test_invalid_annotations(schema: dict[str, Any], message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        lineprotocol(named("P", list(schema)), schema=schema)
    if schema.get("x", INT) in {"INT", None}:
        return  # as annotations of a class these have a different meaning
    with pytest.raises(SchemaError, match=message):
        lineprotocol(type("P", (), {"__annotations__": schema}))


@pytest.mark.parametrize(
    "name",
    [
        "a b",
        "a,b",
        "",
        "1",
        "a.b",
        "x=1i or __import__('os')",
        "class",
        "a\n",
        "\ufb01",
        5,
        None,
        "%s",
        "__import__('os').x",
    ],
)
def test_hostile_names(name: Any) -> None:
    with pytest.raises(SchemaError, match="is not a valid attribute name"):
        lineprotocol(Undecorated, schema={"x": INT, name: INT})


def test_duplicate_names() -> None:
    with pytest.raises(SchemaError, match="called 'time'"):
        one_field = {"__annotations__": {"time": INT}}
        lineprotocol(type("P", (), one_field))
    with pytest.raises(SchemaError, match="called 'time'"):
        lineprotocol(type("P", (), {"__annotations__": {"time": TAG, "x": INT}}))
    # Names of the compiled function's variables must not be special.
    names = ["o", "line", "general", "digits", "v0", "fields", "TAGS", "c9", "missed", "Größe", "_", "__x"]
    cls: Any = lineprotocol(type("P", (), {"__annotations__": dict.fromkeys(names, INT), **dict.fromkeys(names, 1)}))
    assert serialize(cls()) == ("P " + ",".join(f"{name}=1i" for name in names)).encode()


def test_invalid_options() -> None:
    for tags, message in (
        ({"time": "a"}, "P: a tag cannot be called 'time'"),
        ({"": "a"}, "P: the tag key is empty"),
        ({5: "a"}, "P: a tag key must be a str"),
        ({"a": 1.5}, "P: a tag value must be a str, not float"),
        ({"a": "b\n"}, "P: the tag value .* line feed"),
    ):
        with pytest.raises(SchemaError, match=message):
            class_with(INT, extra_tags=tags)
    with pytest.raises(SchemaError, match="P has no attribute 'y'"):
        lineprotocol(named("P", "x"), schema={"y": INT})
    with pytest.raises(SchemaError, match="decorates classes, got 5"):
        lineprotocol(5)  # type: ignore[call-overload]  # wrong on purpose
    with pytest.raises(SchemaError, match="immutable"):
        lineprotocol(int, schema={"real": INT})


def test_unresolvable_annotations() -> None:
    class P:
        x: Annotated[Hidden, ENUM]  # type: ignore[name-defined]  # noqa: F821 - undefined on purpose

    with pytest.raises(SchemaError, match=r"annotations of .*P cannot be read: name 'Hidden' is not defined"):
        lineprotocol(P)


def test_class_without_annotations() -> None:
    with pytest.raises(SchemaError, match="P has no annotations"):
        lineprotocol(type("P", (), {}))


def test_final_is_ignored() -> None:
    class P:
        x: Final[INT] = 5

    assert serialize(lineprotocol(P)()) == b"P x=5i"


@pytest.mark.parametrize("option", ["schema", "extra_tags"])
def test_options_of_a_wrong_type(option: str) -> None:
    with pytest.raises(SchemaError, match=f"^{option}: must be a mapping, not str"):
        lineprotocol(**{option: "x"})(type("P", (), {"__annotations__": {"x": INT}}))  # type: ignore[call-overload]  # on purpose


# Names are data


def with_names(field: str, tag: str, time: str) -> Any:
    """Return a class with annotations of the given names."""
    cls = type("Point", (), {"__annotations__": {field: FLOAT, tag: TAG, time: TIMEINT}})
    return lineprotocol(cls)


HOSTILE = [
    "x if HIT.append(1) else o.x", "x); HIT.append(1); (o.x", "x\n    HIT.append(1)", "class", "None", "\u2102", "a.b",
    "{v}", "%b", "c1", "o", "general", "'", '"', "x\r", "__x",
]  # fmt: skip


#: Any name except Python's own attributes such as `__dict__`, which cannot be set to a number.
NAMES = st.text(min_size=1).filter(lambda name: not hasattr(object(), name) and not name.startswith("__"))


@given(st.lists(NAMES | st.sampled_from(HOSTILE), min_size=3, max_size=3, unique=True), st.integers(1, 9))
@example(HOSTILE[:3], 8)
def test_names_never_become_code(names: list[str], count: int) -> None:
    seen: list[object] = []
    compiled: list[str] = []
    original = builtins.compile

    def watch(source: Any, *rest: Any) -> Any:
        compiled.append(str(source))
        return original(source, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(builtins, "HIT", seen, raising=False)
        patch.setattr(builtins, "compile", watch)
        try:
            cls = with_names(*names)
        except SchemaError:
            return  # line protocol cannot express such a name
        points = [cls() for _ in range(count * 4)]
        for number, point in enumerate(points):
            for name, value in zip(names, (number + 0.5, "v", number), strict=True):
                setattr(point, name, value)
        mappings = [
            {"measurement": "Point", "fields": {names[0]: n + 0.5}, "tags": {names[1]: "v"}, "time": n}
            for n in range(count * 4)
        ]
        assert serialize(points) == serialize(mappings)
        assert points[0].to_lineprotocol() == serialize(mappings[0])
    assert not seen
    for name in names:
        if len(name) > 8 and not (name.isascii() and name.isidentifier()):
            assert not any(name in source for source in compiled)
