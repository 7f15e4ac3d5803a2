"""Rows as objects of decorated classes: a round trip, or an error that names the cause."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Annotated, Any, NamedTuple

import attrs
import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from influx_proto import ProtocolError, QueryResult, SchemaError, SerializationError, ops
from influx_proto._encode.classes.decorator import lineprotocol
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
from influx_proto._query.typed import instances


class Color(Enum):
    RED = "#f00"
    CRIMSON = "#f00"  # noqa: PIE796 - an alias
    BLUE = "#00f"


class Mood(StrEnum):
    GOOD = "good"


@lineprotocol
class Tuple(NamedTuple):
    name: MEASUREMENT
    at: TIMEINT
    host: TAG
    tint: Annotated[Color, TAGENUM] | None
    on: BOOL
    number: INT | None
    price: DECIMAL
    load: FLOAT
    note: STR
    mood: Annotated[Mood, ENUM]


@lineprotocol
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    name: MEASUREMENT
    at: TIMEINT
    host: TAG
    tint: Annotated[Color, TAGENUM] | None
    on: BOOL
    number: INT | None
    price: DECIMAL
    load: FLOAT
    note: STR
    mood: Annotated[Mood, ENUM]


@lineprotocol
@attrs.frozen
class Attrs:
    name: MEASUREMENT
    at: TIMEINT
    host: TAG
    tint: Annotated[Color, TAGENUM] | None
    on: BOOL
    number: INT | None
    price: DECIMAL
    load: FLOAT
    note: STR
    mood: Annotated[Mood, ENUM]


@lineprotocol
class Struct(msgspec.Struct):
    name: MEASUREMENT
    at: TIMEINT
    host: TAG
    tint: Annotated[Color, TAGENUM] | None
    on: BOOL
    number: INT | None
    price: DECIMAL
    load: FLOAT
    note: STR
    mood: Annotated[Mood, ENUM]


@lineprotocol
class Model(pydantic.BaseModel):
    name: MEASUREMENT
    at: TIMEINT
    host: TAG
    tint: Annotated[Color, TAGENUM] | None
    on: BOOL
    number: INT | None
    price: DECIMAL
    load: FLOAT
    note: STR
    mood: Annotated[Mood, ENUM]


@lineprotocol
class Plain:
    name: MEASUREMENT
    at: TIMEINT
    host: TAG
    tint: Annotated[Color, TAGENUM] | None
    on: BOOL
    number: INT | None
    price: DECIMAL
    load: FLOAT
    note: STR
    mood: Annotated[Mood, ENUM]


CLASSES: list[Any] = [Tuple, Data, Attrs, Struct, Model, Plain]
NAMES = list(Plain.__annotations__)
COLUMNS = ["time", "number", "host", "load", "mood", "note", "on", "price", "tint", "unasked"]
ROWS: list[list[Any]] = [
    [1, -5, "a", 0.5, "GOOD", "", True, 1.1, "RED", None],
    [-1, None, "b", 5.0, "GOOD", "x", False, 1e30, None, 7],
]
EXPECTED = [
    ("m", 1, "a", Color.RED, True, -5, Decimal("1.1"), 0.5, "", Mood.GOOD),
    ("m", -1, "b", None, False, None, Decimal("1e30"), 5.0, "x", Mood.GOOD),
]


def data(fields: list[tuple[str, Any]]) -> Any:
    return lineprotocol(dataclasses.make_dataclass("P", fields))


def make_result(*series: dict[str, Any], epoch: str | None = "ns") -> QueryResult:
    return QueryResult([{"statement_id": 0, "series": list(series)}], epoch=epoch)


def read_one(
    cls: type[Any], values: dict[str, Any], tags: dict[str, str] | None = None, epoch: str | None = "ns"
) -> Any:
    """Return the object built from one row."""
    series: dict[str, Any] = {"name": "m", "columns": list(values), "values": [list(values.values())]}
    if tags is not None:
        series["tags"] = tags
    [instance] = instances(cls, make_result(series, epoch=epoch))
    return instance


@pytest.mark.parametrize("cls", CLASSES)
def test_all_classes(cls: Any) -> None:
    objects = instances(cls, make_result({"name": "m", "columns": COLUMNS, "values": ROWS}))
    assert [type(one) for one in objects] == [cls, cls]
    assert [tuple(getattr(one, name) for name in NAMES) for one in objects] == EXPECTED
    assert [[type(getattr(one, name)) for name in NAMES] for one in objects] == [
        [type(value) for value in values] for values in EXPECTED
    ]


@pytest.mark.parametrize("cls", CLASSES)
def test_group_tags(cls: Any) -> None:
    columns = [name for name in COLUMNS if name not in {"host", "tint"}]
    rows = [[row[COLUMNS.index(name)] for name in columns] for row in ROWS]
    objects = instances(
        cls,
        make_result(
            {"name": "m", "tags": {"host": "a", "tint": "BLUE"}, "columns": columns, "values": rows},
            {"name": "n", "tags": {"host": "b", "tint": ""}, "columns": columns, "values": rows[:1]},
        ),
    )
    assert [(one.name, one.host, one.tint) for one in objects] == [
        ("m", "a", Color.BLUE),
        ("m", "a", Color.BLUE),
        ("n", "b", None),
    ]


def test_precedence_of_columns_and_group_tags() -> None:
    cls = data([("x", INT), ("host", TAG)])
    series = {"name": "m", "tags": {"host": "a"}, "columns": ["time", "host", "x", "x"], "values": [[1, "b", 2, 3]]}
    assert instances(cls, make_result(series)) == [cls(3, "b")]


def test_several_and_no_statements() -> None:
    cls = data([("x", INT)])
    series = {"name": "m", "columns": ["time", "x"], "values": [[0, 1]]}
    result = QueryResult([{"series": [series]}, {}, {"series": [series, {"name": "n", "columns": ["time", "x"]}]}])
    assert instances(cls, result) == [cls(1), cls(1)]
    assert instances(cls, QueryResult([{}])) == []


@pytest.mark.parametrize(
    ("annotation", "value", "epoch", "expected"),
    [
        (TIMEINT, 1_000_000_001, "ns", 1_000_000_001),
        (TIMEINT, 5, "s", 5_000_000_000),
        (TIMEINT, 5, "u", 5_000),
        (TIMEINT, "1970-01-01T00:00:01.000000001Z", None, 1_000_000_001),
        (TIMEDT, 1_000_001_999, "ns", datetime(1970, 1, 1, 0, 0, 1, 1, tzinfo=UTC)),
        (TIMEDT, -1, "ns", datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)),
        (TIMEDT, 5, "ms", datetime(1970, 1, 1, 0, 0, 0, 5000, tzinfo=UTC)),
        (TIMESTR, 1_000_000_001, "ns", "1970-01-01T00:00:01.000000001Z"),
        (TIMESTR, "1970-01-01T00:00:01Z", None, "1970-01-01T00:00:01Z"),
        (TIMEDT | None, 0, "ns", datetime(1970, 1, 1, tzinfo=UTC)),
    ],
)
def test_times(annotation: Any, value: object, epoch: str | None, expected: object) -> None:
    cls = data([("at", annotation), ("x", INT)])
    instance = read_one(cls, {"time": value, "x": 1}, epoch=epoch)
    assert instance == cls(expected, 1)
    assert type(instance.at) is type(expected)


@given(st.integers(-9223372036854775806, 9223372036854775806))
def test_every_time(ns: int) -> None:
    assert read_one(At, {"time": ns, "x": 1}) == At(
        datetime(1970, 1, 1, tzinfo=UTC) + ns // 1000 * datetime.resolution, 1
    )


@lineprotocol
class At(NamedTuple):
    at: TIMEDT
    x: INT


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_decimal_has_the_shortest_digits(value: float) -> None:
    assert read_one(Price, {"time": 0, "price": value}).price == Decimal(repr(value))


@lineprotocol
class Price(NamedTuple):
    price: DECIMAL


def test_whole_floats_in_json() -> None:
    cls = data([("x", FLOAT), ("y", DECIMAL)])
    instance = read_one(cls, {"time": 0, "x": 5, "y": 7})
    assert instance == cls(5.0, Decimal(7))
    assert type(instance.x) is float


@pytest.mark.parametrize(
    ("annotation", "value", "message"),
    [
        (INT, 1.0, r"attribute 'x' is 1\.0, expected int"),
        (INT, True, r"attribute 'x' is True, expected int"),
        (FLOAT, "1", r"attribute 'x' is '1', expected float"),
        (FLOAT, False, r"attribute 'x' is False, expected float"),
        (DECIMAL, "1", r"attribute 'x' is '1', expected float"),
        (BOOL, 1, r"attribute 'x' is 1, expected bool"),
        (STR, 1, r"attribute 'x' is 1, expected str"),
        (Annotated[Color, ENUM], "GREEN", r"attribute 'x' is 'GREEN', which is not the name of a member of Color"),
        (Annotated[Color, ENUM], 5, r"attribute 'x' is 5, which is not the name of a member of Color"),
        (Annotated[Color, ENUM], None, r"attribute 'x' has no value, and its annotation does not allow None"),
        (INT, None, r"attribute 'x' has no value, and its annotation does not allow None"),
    ],
)
def test_values_that_do_not_match_the_annotation(annotation: Any, value: object, message: str) -> None:
    cls = data([("x", annotation)])
    series = {"name": "m", "columns": ["time", "x"], "values": [[0, None], [0, value]]}
    optional = data([("x", annotation | None)])
    with pytest.raises(SerializationError, match=f"cannot create P from row 0 of measurement 'm': {message}"):
        read_one(cls, {"time": 0, "x": value})
    if value is not None:
        with pytest.raises(ValueError, match=f"cannot create P from row 1 of measurement 'm': {message}"):
            instances(optional, make_result(series))


def test_enum_aliases() -> None:
    cls = data([("x", Annotated[Color, ENUM])])
    assert read_one(cls, {"time": 0, "x": "CRIMSON"}) == cls(Color.RED)


def test_missing_column() -> None:
    for annotation in (INT, TAG, TIMEDT):
        cls = data([("x", INT), ("y", annotation)])
        with pytest.raises(SerializationError, match="attribute 'y' is neither a column nor a group tag"):
            read_one(cls, {"x": 5})
        cls = data([("x", INT), ("y", annotation | None)])
        assert read_one(cls, {"x": 5}) == cls(5, None)


def test_empty_tag_is_missing() -> None:
    cls = data([("x", STR), ("host", TAG)])
    with pytest.raises(SerializationError, match="attribute 'host' is neither a column nor"):
        read_one(cls, {"x": ""}, {"host": ""})
    assert read_one(cls, {"x": ""}, {"host": "a"}) == cls("", "a")


def test_defaults() -> None:
    @lineprotocol(schema={"x": INT | None, "y": INT})
    @dataclasses.dataclass
    class P:
        x: int | None = 5
        y: int = 6
        z: str = "no part of the point"

    with pytest.raises(SerializationError, match="attribute 'y' has no value, and its annotation does not allow None"):
        read_one(P, {"time": 0, "x": None, "y": None})
    assert read_one(P, {"time": 0}) == P(None, 6)
    assert read_one(P, {"time": 0, "x": 1, "y": 2}) == P(1, 2)


def test_missing_values() -> None:
    """The annotation decides about a null; a default is only for a column that the result does not have."""

    @lineprotocol(schema={"host": TAG, "x": INT, "y": FLOAT | None})
    @dataclasses.dataclass
    class P:
        x: int
        host: str = "none"
        y: float | None = 0.5

    assert read_one(P, {"time": 0, "x": 1}) == P(1, "none", None)
    assert read_one(P, {"time": 0, "x": 1, "y": None}, {"host": ""}) == P(1, "none", None)
    assert read_one(P, {"time": 0, "x": 1, "y": 2}, {"host": "a"}) == P(1, "a", 2.0)
    for missing in ("host", "x"):
        cells = {"time": 0, "x": 1, "host": "a", missing: None}
        with pytest.raises(SerializationError, match=f"attribute '{missing}' has no value, and its annotation"):
            read_one(P, cells)


def test_first_row_with_an_error() -> None:
    cls = data([("x", INT), ("y", STR)])
    series = {"name": "m", "columns": ["x", "y"], "values": [[1, "a"], [2, 5], ["b", "c"]]}
    with pytest.raises(SerializationError, match="from row 1 of measurement 'm': attribute 'y' is 5, expected str"):
        instances(cls, make_result(series))
    with pytest.raises(ProtocolError, match="a row that does not match its columns"):
        instances(cls, make_result({**series, "values": [[1, "a"], [2]]}))


def test_constructors() -> None:
    @lineprotocol
    @attrs.define
    class Private:
        _x: INT
        y: INT = attrs.field(alias="why")

    assert read_one(Private, {"_x": 1, "y": 2}) == Private(x=1, why=2)

    @lineprotocol
    @dataclasses.dataclass
    class Computed:
        x: INT
        y: INT = dataclasses.field(init=False, default=7)

    assert read_one(Computed, {"x": 1, "y": 2}) == Computed(1)

    @lineprotocol(schema={"x": INT, "y": INT | None})
    class Anything:
        def __init__(self, x: int, *rest: int, **values: int | None) -> None:
            self.x, self.rest, self.values = x, rest, values

    instance = read_one(Anything, {"x": 1, "y": 2})
    assert (instance.x, instance.rest, instance.values) == (1, (), {"y": 2})

    @lineprotocol
    class Defaults:
        x: INT = 5
        y: INT

    instance = read_one(Defaults, {"y": 2})
    assert (instance.x, instance.y) == (5, 2)


def test_classes_that_cannot_be_constructed() -> None:
    class Undecorated(NamedTuple):
        x: int

    with pytest.raises(SchemaError, match="Undecorated is not decorated with @lineprotocol"):
        read_one(Undecorated, {"x": 1})
    with pytest.raises(SchemaError, match=r"^'SELECT 1' is not decorated with @lineprotocol"):
        ops.query_as("SELECT 1", Undecorated)  # type: ignore[arg-type]  # in the wrong order

    for annotation, name in ((ENUM, "ENUM"), (TAGENUM | None, "TAGENUM")):
        cls = data([("x", INT), ("y", annotation)])
        with pytest.raises(SchemaError, match=rf"P: attribute 'y' .*Annotated\[Color, {name}\]"):
            read_one(cls, {"x": 1})

    @lineprotocol(schema={"x": INT})
    @dataclasses.dataclass
    class Needy:
        x: int
        other: str

    with pytest.raises(SchemaError, match="cannot create Needy from a row: its constructor requires 'other'"):
        read_one(Needy, {"x": 1})
