"""Decorated classes as type checkers see them. Never run: mypy and pyright check it in the sources and the wheels."""

from __future__ import annotations

import dataclasses
from collections import namedtuple
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, NamedTuple, Optional, assert_type

import attrs
import msgspec
from influx_proto import QueryResult, serialize
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
    RED = 1


class Mood(Enum):
    GOOD = 1


@lineprotocol
class Bare(NamedTuple):
    name: MEASUREMENT
    time: TIMEINT
    host: TAG
    tint: TAGENUM
    paint: Annotated[Color, TAGENUM] | None
    on: BOOL
    number: INT | None
    price: DECIMAL
    load: FLOAT
    note: Optional[STR]  # noqa: UP045 - the form to read
    mood: Annotated[Mood, ENUM]
    any_mood: ENUM = Mood.GOOD


@lineprotocol(extra_tags={"a": "b"}, placeholder=True)
@dataclasses.dataclass(frozen=True)
class Data:
    at: TIMEDT
    load: FLOAT | None = None


@lineprotocol
@attrs.frozen
class Attrs:
    at: TIMESTR
    load: FLOAT


@lineprotocol(rm_none=False)
class Struct(msgspec.Struct):
    load: FLOAT


Functional = namedtuple("Functional", "host load")  # noqa: PYI024 - the form to read  # pyright: ignore[reportUntypedNamedTuple]
lineprotocol(Functional, schema={"host": TAG | None, "load": FLOAT})


def attributes(bare: Bare, data: Data, other: Attrs, struct: Struct) -> None:
    assert_type(bare.name, str)
    assert_type(bare.time, int)
    assert_type(bare.host, str)
    assert_type(bare.tint, Enum)
    assert_type(bare.paint, Color | None)
    assert_type(bare.on, bool)
    assert_type(bare.number, int | None)
    assert_type(bare.price, Decimal)
    assert_type(bare.load, float)
    assert_type(bare.note, str | None)
    assert_type(bare.mood, Mood)
    assert_type(bare.any_mood, Enum)
    assert_type(data.at, datetime)
    assert_type(data.load, float | None)
    assert_type(other.at, str)
    assert_type(struct.load, float)


def check_construction(at: datetime) -> None:
    bare = Bare("m", 1, "h", Mood.GOOD, Color.RED, True, None, Decimal(1), 1, None, Mood.GOOD, Color.RED)
    assert_type(bare, Bare)
    assert_type(Data(at), Data)
    assert_type(serialize([bare, Data(at), Attrs("now", 1.5), Struct(1.5), Functional("a", 1.5)]), bytes)
    Data("now")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # must be rejected
    Bare("m", 1, "h", Mood.GOOD, Mood.GOOD, True, None, Decimal(1), 1, None, Mood.GOOD)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # must be rejected
    lineprotocol(Data, tags={})  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]  # must be rejected
    lineprotocol(5)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]  # must be rejected


def decorated_later() -> None:
    class Plain:
        load: FLOAT = 1.5

    assert_type(lineprotocol(Plain), type[Plain])
    assert_type(lineprotocol(Plain, placeholder=True), type[Plain])
    assert_type(lineprotocol(placeholder=True)(Plain), type[Plain])


def read_back(result: QueryResult) -> None:
    assert_type(instances(Bare, result), list[Bare])
    assert_type(instances(Data, result), list[Data])
    assert_type(instances(Struct, result)[0].load, float)
