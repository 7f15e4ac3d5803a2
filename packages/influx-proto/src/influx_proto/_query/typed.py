"""Rows of a query's answer as objects of a decorated class: the way back.

A column, or a group tag where there is no such column, gives the value of the attribute of its name; the column `time`
that of the one that is the time; the name of the series that of the one that is the measurement. What the class does
not ask for is passed over: constant tags, the placeholder, aggregates of other names. An attribute whose annotation
allows None is None where there is no value; any other has the default of the constructor, or else there is an error.

What comes back is equal to what was written, with these exceptions, which are InfluxDB's and Python's:

- a `DECIMAL` is stored as a 64-bit float, and comes back as the shortest digits of that;
- a `TIMEDT` is in UTC and cut to microseconds, which are the finest that `datetime` has;
- a `TIMESTR` is text as InfluxDB writes it, in UTC: `2009-11-10T23:00:00Z`;
- an empty tag is a missing one;
- a `TAG` that was no text is text.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from functools import partial
from typing import Any, Final, Generic, NoReturn, TypeVar

from .._encode.classes.schema import Attribute, Kind, Schema, schema_of
from .._errors import SchemaError, SerializationError
from .._line_protocol.values import encode_float
from .._repr import short_repr
from .._result.result import QueryResult, Series
from .._time import from_nanoseconds, to_nanoseconds, to_rfc3339

T = TypeVar("T")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def instances(cls: type[T], result: QueryResult) -> list[T]:
    """Make an object of each row of an answer.

    Args:
        cls: a class decorated with `@lineprotocol`.
        result: the answer to a query. It has the times to the nanosecond unless a coarser `epoch` was asked for.

    Returns:
        The objects, in the order of the rows, of all series of all statements.

    Raises:
        SchemaError: the class is not decorated; has a `TAGENUM` or `ENUM` that does not say which class its members are
            of; or has a constructor that needs what is no attribute of the point.
        SerializationError: a value is not what its annotation says, or there is none for an attribute that must have
            one; says which series, row and attribute. It is a `ValueError`.
    """
    rows = _Rows(cls, result.epoch)
    return [instance for series in result.series for instance in rows.of(series)]


class _Rows(Generic[T]):
    """Makes objects of rows.

    Args:
        cls: their class.
        epoch: the unit of times that are integers.

    Raises:
        SchemaError: see `instances`.
    """

    def __init__(self, cls: type[T], epoch: str | None) -> None:
        schema = schema_of(cls)
        if schema is None:
            name = cls.__name__ if isinstance(cls, type) else short_repr(cls)
            msg = f"{name} is not decorated with @lineprotocol, so it is not known what its attributes are"
            raise SchemaError(msg)
        self._cls = cls
        self._schema = schema
        self._make, self._names, self._defaults = _constructor(cls, schema)
        self._readers: dict[Attribute, Callable[[Any], object]] = {}
        for attribute in schema.attributes:
            if attribute.kind in {Kind.TAGENUM, Kind.ENUM} and attribute.enum is None:
                msg = (
                    f"{cls.__name__}: of which Enum is {attribute.name!r}? Members can be read back where the "
                    f"annotation says it: Annotated[Color, {attribute.kind.name}]"
                )
                raise SchemaError(msg)
            if attribute is schema.time:
                self._readers[attribute] = partial(_TIME_READERS[attribute.kind], precision=epoch or "ns")
            else:
                self._readers[attribute] = (
                    _member_reader(attribute.enum) if attribute.enum else _READERS[attribute.kind]
                )

    def of(self, series: Series) -> list[T]:
        """Make the objects of a series."""
        sources = [(attribute, name, *self._source(attribute, series)) for attribute, name in self._names.items()]
        made = []
        for number, row in enumerate(series.values):
            arguments = {}
            for attribute, name, index, constant in sources:
                value = constant if index is None else row[index]
                if value is not None and not (value == "" and attribute.kind in _NEVER_EMPTY):
                    try:
                        arguments[name] = self._readers[attribute](value)
                    except SerializationError as error:
                        self._fail(attribute, series, number, str(error))
                elif attribute.optional:
                    arguments[name] = None
                elif name not in self._defaults:
                    what = "has no value" if index is not None else "is neither a column nor a group tag"
                    self._fail(attribute, series, number, f"{what}, and its annotation does not allow None")
            made.append(self._make(arguments))
        return made

    def _source(self, attribute: Attribute, series: Series) -> tuple[int | None, str | None]:
        """Find where the values of an attribute are: in a column, or the same in all rows."""
        if attribute is self._schema.measurement:
            return None, series.name
        name = "time" if attribute is self._schema.time else attribute.name
        if name in series.columns:
            # Of columns of the same name the last one, as where rows are made dicts.
            return len(series.columns) - 1 - series.columns[::-1].index(name), None
        return None, series.tags.get(name)

    def _fail(self, attribute: Attribute, series: Series, number: int, why: str) -> NoReturn:
        msg = (
            f"row {number} of measurement {short_repr(series.name)} is no {self._cls.__name__}: "
            f"attribute {attribute.name!r} {why}"
        )
        raise SerializationError(msg) from None


#: Kinds of which nothing is as good as an empty text, which is how a missing group tag is told.
_NEVER_EMPTY: Final = {Kind.MEASUREMENT, Kind.TAG, Kind.TAGENUM}


def _constructor(
    cls: type[T], schema: Schema
) -> tuple[Callable[[dict[str, Any]], T], dict[Attribute, str], frozenset[str]]:
    """Find out how objects are made.

    Returns:
        What makes one of arguments by name; the names that attributes have there; and those that may be left out.
    """
    attributes = {attribute.name: attribute for attribute in schema.attributes}
    parameters = inspect.signature(cls).parameters.values()
    if not parameters and cls.__init__ is object.__init__:  # annotations, and nothing else
        own = {attribute: name for name, attribute in attributes.items()}
        return _maker(cls), own, frozenset(name for name in attributes if hasattr(cls, name))
    # attrs takes `_name` as `name`, or whatever the class says.
    aliases = {field.alias: field.name for field in getattr(cls, "__attrs_attrs__", ())}
    names = {}
    defaults: set[str] = set()
    others = False
    for parameter in parameters:
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            others = True
            continue
        attribute = attributes.get(aliases.get(parameter.name, parameter.name))
        optional = parameter.default is not inspect.Parameter.empty
        if attribute is not None and parameter.kind is not inspect.Parameter.POSITIONAL_ONLY:
            names[attribute] = parameter.name
            if optional:
                defaults.add(parameter.name)
        elif not optional and parameter.kind is not inspect.Parameter.VAR_POSITIONAL:
            msg = (
                f"a {cls.__name__} cannot be made of a row: its constructor needs {parameter.name!r}, which is no "
                "attribute of the point"
            )
            raise SchemaError(msg)
    if others:
        names |= {attribute: name for name, attribute in attributes.items() if attribute not in names}
    return lambda arguments: cls(**arguments), names, frozenset(defaults)


def _maker(cls: type[T]) -> Callable[[dict[str, Any]], T]:
    def make(values: dict[str, Any]) -> T:
        made = cls()
        for name, value in values.items():
            setattr(made, name, value)
        return made

    return make


def _member_reader(enum: type[Enum]) -> Callable[[Any], object]:
    members = enum.__members__

    def read(value: object) -> object:
        found = members.get(value) if isinstance(value, str) else None
        if found is None:
            msg = f"is {short_repr(value)}, which is the name of no {enum.__name__}"
            raise SerializationError(msg)
        return found

    return read


def _nanoseconds(value: object, precision: str) -> int:
    ns = to_nanoseconds(value, precision)
    assert ns is not None  # noqa: S101 - for the type checkers: None is not read
    return ns


def _read_datetime(value: object, precision: str) -> datetime:
    return _EPOCH + timedelta(microseconds=from_nanoseconds(_nanoseconds(value, precision), "us"))


def _read_time_text(value: object, precision: str) -> str:
    return to_rfc3339(_nanoseconds(value, precision))


def _read_float(value: object) -> float:
    # JSON has one kind of number, so a float that is whole may come as an integer.
    return float(value) if type(value) is int else _plain(float)(value)


def _read_decimal(value: object) -> Decimal:
    text = encode_float(_read_float(value))
    return Decimal("NaN") if text is None else Decimal(text.decode())


def _plain(kind: type[T]) -> Callable[[object], T]:
    def read(value: object) -> T:
        if type(value) is not kind:
            msg = f"is {short_repr(value)}, which is no {kind.__name__}"
            raise SerializationError(msg)
        return value

    return read


_READERS: Final[dict[Kind, Callable[[Any], object]]] = {
    Kind.MEASUREMENT: _plain(str),
    Kind.TAG: _plain(str),
    Kind.BOOL: _plain(bool),
    Kind.INT: _plain(int),
    Kind.DECIMAL: _read_decimal,
    Kind.FLOAT: _read_float,
    Kind.STR: _plain(str),
}

_TIME_READERS: Final[dict[Kind, Callable[..., object]]] = {
    Kind.TIMEINT: _nanoseconds,
    Kind.TIMESTR: _read_time_text,
    Kind.TIMEDT: _read_datetime,
}
