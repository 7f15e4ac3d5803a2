"""Objects of decorated classes against a real InfluxDB: written and read back equal."""

from __future__ import annotations

import dataclasses
from collections import namedtuple
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, NamedTuple

import attrs
import msgspec
import pytest
from influx_proto import SerializationError
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
    BLUE = "#00f"


@lineprotocol
class Tuple(NamedTuple):
    time: TIMEINT
    host: TAG
    tint: Annotated[Color, TAGENUM] | None
    on: BOOL | None
    number: INT | None
    price: DECIMAL | None
    load: FLOAT
    note: STR | None
    paint: Annotated[Color, ENUM] | None


@lineprotocol(extra_tags={"origin": "a test"})
@dataclasses.dataclass(frozen=True, slots=True)
class Data:
    name: MEASUREMENT
    host: TAG
    tint: Annotated[Color, TAGENUM] | None
    on: BOOL | None
    number: INT | None
    price: DECIMAL | None
    load: FLOAT
    note: STR | None
    paint: Annotated[Color, ENUM] | None
    at: TIMEDT = datetime(1970, 1, 1, tzinfo=UTC)


@lineprotocol
@attrs.frozen
class Attrs:
    time: TIMESTR
    host: TAG
    tint: Annotated[Color, TAGENUM] | None
    on: BOOL | None
    number: INT | None
    price: DECIMAL | None
    load: FLOAT
    note: STR | None
    paint: Annotated[Color, ENUM] | None


@lineprotocol
class Struct(msgspec.Struct, kw_only=True):
    time: TIMEINT
    host: TAG
    tint: Annotated[Color, TAGENUM] | None = None
    on: BOOL | None = None
    number: INT | None = None
    price: DECIMAL | None = None
    load: FLOAT
    note: STR | None = None
    paint: Annotated[Color, ENUM] | None = None


@lineprotocol
class Plain:
    time: TIMEINT
    host: TAG
    tint: Annotated[Color, TAGENUM] | None
    on: BOOL | None
    number: INT | None
    price: DECIMAL | None
    load: FLOAT
    note: STR | None
    paint: Annotated[Color, ENUM] | None

    def __init__(self, **values: Any) -> None:
        vars(self).update(values)

    def __eq__(self, other: object) -> bool:
        return vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]  # as for any class that defines __eq__


Functional: Any = namedtuple(  # noqa: PYI024 - the form to test
    "Functional", ["time", "host", "tint", "on", "number", "price", "load", "note", "paint"]
)
lineprotocol(
    Functional,
    schema={
        "time": TIMEINT,
        "host": TAG,
        "tint": Annotated[Color, TAGENUM] | None,
        "on": BOOL | None,
        "number": INT | None,
        "price": DECIMAL | None,
        "load": FLOAT,
        "note": STR | None,
        "paint": Annotated[Color, ENUM] | None,
    },
)

COMPLETE_VALUES = {
    "host": "a, b=c",
    "tint": Color.RED,
    "on": False,
    "number": -(2**63),
    "price": Decimal("19.99"),
    "load": 0.1,
    "note": 'say "%s"\n\\ \N{SNOWMAN}',
    "paint": Color.BLUE,
}
REQUIRED_VALUES = {**dict.fromkeys(COMPLETE_VALUES), "host": "b", "load": 5.0}

TIMES: dict[Any, tuple[str, list[object]]] = {
    Tuple: ("time", [1, 1577880000123456789]),
    Data: ("at", [datetime(1969, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)]),
    Attrs: ("time", ["1970-01-01T00:00:00.000000001Z", "2020-01-01T12:00:00Z"]),
    Struct: ("time", [1, 1577880000123456789]),
    Plain: ("time", [-1, 0]),
    Functional: ("time", [1, 2]),
}


@pytest.mark.parametrize("cls", TIMES, ids=lambda cls: cls.__name__)
def test_round_trip(client: Any, cls: Any) -> None:
    name, [first, second] = TIMES[cls]
    own = {"name": "m"} if cls is Data else {}
    written = [cls(**COMPLETE_VALUES, **own, **{name: first}), cls(**REQUIRED_VALUES, **own, **{name: second})]
    client.write(written)
    measurement = '"m"' if cls is Data else f'"{cls.__name__}"'
    for q in (f"SELECT * FROM {measurement}", f"SELECT * FROM {measurement} GROUP BY host, tint"):
        assert instances(cls, client.query(q)) == written
    if isinstance(first, datetime):  # this class's times have a lower precision
        return
    assert instances(cls, client.query(f"SELECT * FROM {measurement}", epoch=None)) == written


def test_write_options(client: Any) -> None:
    @lineprotocol(placeholder=True)
    class P(NamedTuple):
        time: TIMEINT
        host: TAG | None
        x: INT | None

    client.write([P(1, None, 5), [P(2, "a", None)]], "other", precision="s", tags={"host": "all"})
    result = client.query("SELECT * FROM other")
    assert instances(P, result) == [P(1_000_000_000, "all", 5), P(2_000_000_000, "a", None)]
    assert instances(P, client.query("SELECT * FROM other", epoch="s")) == instances(P, result)


def test_error_names_the_object(client: Any) -> None:
    cls: Any = Functional
    good = cls(0, **COMPLETE_VALUES)
    with pytest.raises(
        SerializationError, match=r"row 1: .*'Functional', attribute 'load' .*: expected FLOAT, got str"
    ):
        client.write([good, good._replace(load="0.1")])
    assert client.show_measurements().series == []
