"""Conversion of rows of a query result to objects of a decorated class.

The value of an attribute comes from the column with its name, or from the group tag with its name if there is no such
column. The time attribute is read from the column `time`, the measurement attribute from the name of the series, which
results of SQL do not have: there, it is a column too. All other columns and tags are ignored: constant tags, the
placeholder, aggregates with other names.

The annotation decides what a missing value means. An attribute `X | None` is None. For any other attribute, the default
of the constructor applies if the series has neither a column nor a group tag for it; without a default it is an error.
A null in its column is always an error.

The objects are equal to those that were written, with these exceptions:

- a `DECIMAL` is stored as a 64-bit float, and read as the shortest digits of that float;
- a `TIMEDT` is in UTC and truncated to microseconds, the resolution of `datetime`;
- a `TIMESTR` is in InfluxDB's format, in UTC: `2009-11-10T23:00:00Z`;
- an empty tag is missing;
- a `TAG` is always a str.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from enum import Enum
from functools import partial
from itertools import repeat, takewhile
from operator import itemgetter
from typing import Any, Final, Generic, NoReturn, TypeVar

from .._encode.classes.schema import PLAIN, Attribute, Kind, Schema, schema_of
from .._errors import SchemaError, SerializationError
from .._line_protocol.values import encode_float
from .._repr import short_repr
from .._result.result import QueryResult
from .._result.series import Series
from .._result.shape import malformed_row
from .._time import FIRST, LAST, point_nanoseconds, to_datetime, to_rfc3339

T = TypeVar("T")


def instances(cls: type[T], result: QueryResult) -> list[T]:
    """Create an object of each row of a result.

    Args:
        cls: a class decorated with `@lineprotocol`.
        result: the result of a query. Its timestamps are exact to the nanosecond unless its `epoch` is coarser.

    Returns:
        The objects, in the order of the rows, of all series of all statements.

    Raises:
        SchemaError: the class is not decorated, has a `TAGENUM` or `ENUM` without an Enum class, or has a constructor
            that requires an argument that is not an attribute of the point.
        SerializationError: a value does not match its annotation, or a required attribute has no value. The message
            names the series, row and attribute. It is a `ValueError`.
    """
    reader = _RowReader(cls, result.epoch)
    return [instance for series in result.series for instance in reader.read(series)]


class _RowReader(Generic[T]):
    """Creates objects of rows.

    Args:
        cls: the class of the objects.
        epoch: the unit of integer timestamps.

    Raises:
        SchemaError: see `instances`.
    """

    def __init__(self, cls: type[T], epoch: str | None) -> None:
        schema = schema_of(cls)
        if schema is None:
            name = cls.__name__ if isinstance(cls, type) else short_repr(cls)
            raise SchemaError(f"{name} is not decorated with @lineprotocol; only rows of decorated classes can be read")
        self._cls = cls
        self._schema = schema
        self._epoch = epoch
        self._columns: tuple[str, ...] | None = None  # of the last series
        self._indices: list[int | None] = []  # of its columns, for each attribute
        self._make, self._names, self._defaults, self._positional = _constructor(cls, schema)
        self._readers: dict[Attribute, Callable[[Any], object]] = {}
        for attribute in schema.attributes:
            if attribute.kind in {Kind.TAGENUM, Kind.ENUM} and attribute.enum is None:
                raise SchemaError(
                    f"{cls.__name__}: attribute {attribute.name!r} has no Enum class; annotate it as "
                    f"Annotated[Color, {attribute.kind.name}]"
                )
            if attribute is schema.time:
                self._readers[attribute] = partial(_TIME_READERS[attribute.kind], precision=epoch or "ns")
            else:
                self._readers[attribute] = (
                    _member_reader(attribute.enum) if attribute.enum else _READERS[attribute.kind]
                )

    def read(self, series: Series) -> list[T]:
        """Return the objects of a series."""
        rows = series.values
        if not rows:
            return []
        if set(map(len, rows)) != {len(series.columns)}:
            raise malformed_row(series.name, series.columns)
        if series.columns != self._columns:
            self._columns = series.columns
            self._indices = [self._index(attribute, series.columns) for attribute in self._names]
        columns: dict[str, Iterable[Any]] = {}
        errors = []
        for (attribute, name), index in zip(self._names.items(), self._indices, strict=True):
            is_measurement = attribute is self._schema.measurement and series.name
            try:
                if index is not None and not is_measurement:
                    columns[name] = self._read_column(attribute, [row[index] for row in rows])
                elif (constant := self._read_constant(attribute, name, series)) is not _DEFAULT:
                    columns[name] = repeat(constant, len(rows))
            except _CellError as error:
                errors.append((error.row, attribute, str(error)))
        if errors:
            row, attribute, problem = min(errors, key=itemgetter(0))
            self._fail(attribute, series, row, problem)
        if columns and tuple(columns) == self._positional[: len(columns)]:
            return list(map(self._cls, *columns.values()))
        make = self._make
        cells = zip(*columns.values(), strict=True) if columns else repeat((), len(rows))
        return [make(dict(zip(columns, row, strict=True))) for row in cells]

    def _read_column(self, attribute: Attribute, cells: list[Any]) -> Iterable[Any]:
        """Return the values of the cells of a column.

        Raises:
            _CellError: a cell does not match the annotation.
        """
        types = set(map(type, cells))
        if attribute is self._schema.time:
            is_unchanged = attribute.kind is Kind.TIMEINT and self._epoch in {None, "ns"} and types == {int}
            if is_unchanged and min(cells) >= FIRST and max(cells) <= LAST:
                return cells
        elif attribute.enum is None:
            if attribute.optional:
                types.discard(type(None))
            is_unchanged = types == {_UNCHANGED.get(attribute.kind)}
            if is_unchanged and not (attribute.kind in _NEVER_EMPTY and "" in cells):
                return cells
        values: list[Any] = []
        for cell in cells:
            values.append(self._read_cell(attribute, cell, len(values)))
        return values

    def _read_cell(self, attribute: Attribute, cell: Any, row: int) -> object:
        if not _is_missing(attribute, cell):
            try:
                return self._readers[attribute](cell)
            except SerializationError as error:
                raise _CellError(row, str(error)) from None
        if attribute.optional:
            return None
        raise _CellError(row, "has no value, and its annotation does not allow None")

    def _read_constant(self, attribute: Attribute, name: str, series: Series) -> object:
        """Return the value of an attribute for all rows: that of the measurement or of a group tag, or `_DEFAULT`."""
        is_measurement = attribute is self._schema.measurement and series.name
        value = series.name if is_measurement else series.tags.get(_column_name(attribute, self._schema))
        if not _is_missing(attribute, value) or attribute.optional:
            return self._read_cell(attribute, value, 0)
        if name in self._defaults:
            return _DEFAULT
        raise _CellError(0, "is neither a column nor a group tag, and its annotation does not allow None")

    def _index(self, attribute: Attribute, columns: tuple[str, ...]) -> int | None:
        """Return the index of the last column with the values of an attribute, as in a dict of the row, or None."""
        name = _column_name(attribute, self._schema)
        return len(columns) - 1 - columns[::-1].index(name) if name in columns else None

    def _fail(self, attribute: Attribute, series: Series, number: int, problem: str) -> NoReturn:
        raise SerializationError(
            f"cannot create {self._cls.__name__} from row {number} of measurement {short_repr(series.name)}: "
            f"attribute {attribute.name!r} {problem}"
        ) from None


def _column_name(attribute: Attribute, schema: Schema) -> str:
    return "time" if attribute is schema.time else attribute.name


def _is_missing(attribute: Attribute, value: object) -> bool:
    return value is None or (value == "" and attribute.kind in _NEVER_EMPTY)


class _CellError(SerializationError):
    """A cell of a column does not match the annotation of its attribute."""

    def __init__(self, row: int, problem: str) -> None:
        super().__init__(problem)
        self.row = row


#: The constructor's default applies.
_DEFAULT: Final = object()
#: The types of values that are returned unchanged.
_UNCHANGED: Final[dict[Kind, type]] = {
    kind: PLAIN[kind] for kind in (Kind.MEASUREMENT, Kind.TAG, Kind.BOOL, Kind.INT, Kind.FLOAT, Kind.STR)
}
#: Kinds of attributes for which an empty string means a missing value: group tags have no other representation of it.
_NEVER_EMPTY: Final = {Kind.MEASUREMENT, Kind.TAG, Kind.TAGENUM}


def _constructor(
    cls: type[T], schema: Schema
) -> tuple[Callable[[dict[str, Any]], T], dict[Attribute, str], frozenset[str], tuple[str, ...]]:
    """Inspect the constructor of a class.

    Returns:
        A function that creates an object of keyword arguments; the argument names of attributes; the names of arguments
        with a default; and the names of all arguments that can be positional, in order.
    """
    attributes = {attribute.name: attribute for attribute in schema.attributes}
    parameters = inspect.signature(cls).parameters.values()
    if not parameters and cls.__init__ is object.__init__:  # only annotations
        own = {attribute: name for name, attribute in attributes.items()}
        return _attribute_setter(cls), own, frozenset(name for name in attributes if hasattr(cls, name)), ()
    # attrs passes the attribute `_name` as argument `name`, or under the alias that the class defines.
    aliases = {field.alias: field.name for field in getattr(cls, "__attrs_attrs__", ())}
    names = {}
    defaults: set[str] = set()
    has_var_keyword = False
    for parameter in parameters:
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            has_var_keyword = True
            continue
        attribute = attributes.get(aliases.get(parameter.name, parameter.name))
        has_default = parameter.default is not inspect.Parameter.empty
        if attribute is not None and parameter.kind is not inspect.Parameter.POSITIONAL_ONLY:
            names[attribute] = parameter.name
            if has_default:
                defaults.add(parameter.name)
        elif not has_default and parameter.kind is not inspect.Parameter.VAR_POSITIONAL:
            raise SchemaError(
                f"cannot create {cls.__name__} from a row: its constructor requires {parameter.name!r}, which is not "
                "an attribute of the point"
            )
    if has_var_keyword:
        names |= {attribute: name for name, attribute in attributes.items() if attribute not in names}
    positional = tuple(
        parameter.name for parameter in takewhile(lambda each: each.kind is each.POSITIONAL_OR_KEYWORD, parameters)
    )
    return lambda arguments: cls(**arguments), names, frozenset(defaults), positional


def _attribute_setter(cls: type[T]) -> Callable[[dict[str, Any]], T]:
    def make(values: dict[str, Any]) -> T:
        instance = cls()
        for name, value in values.items():
            setattr(instance, name, value)
        return instance

    return make


def _member_reader(enum: type[Enum]) -> Callable[[Any], object]:
    members = enum.__members__

    def read(value: object) -> object:
        found = members.get(value) if isinstance(value, str) else None
        if found is None:
            raise SerializationError(f"is {short_repr(value)}, which is not the name of a member of {enum.__name__}")
        return found

    return read


def _read_float(value: object) -> float:
    # JSON does not distinguish integers and floats, so a whole float may arrive as an integer.
    return float(value) if type(value) is int else _type_checker(float)(value)


def _read_decimal(value: object) -> Decimal:
    digits = encode_float(_read_float(value))
    return Decimal("NaN") if digits is None else Decimal(digits.decode())


def _type_checker(expected: type[T]) -> Callable[[object], T]:
    def read(value: object) -> T:
        if type(value) is not expected:
            raise SerializationError(f"is {short_repr(value)}, expected {expected.__name__}")
        return value

    return read


_READERS: Final[dict[Kind, Callable[[Any], object]]] = {
    **{kind: _type_checker(expected) for kind, expected in _UNCHANGED.items()},
    Kind.DECIMAL: _read_decimal,
    Kind.FLOAT: _read_float,
}


def _read_time_string(value: Any, precision: str) -> str:
    return to_rfc3339(point_nanoseconds(value, precision))


def _read_datetime(value: Any, precision: str) -> datetime:
    return to_datetime(point_nanoseconds(value, precision))


_TIME_READERS: Final[dict[Kind, Callable[..., object]]] = {
    Kind.TIMEINT: point_nanoseconds,
    Kind.TIMESTR: _read_time_string,
    Kind.TIMEDT: _read_datetime,
}
