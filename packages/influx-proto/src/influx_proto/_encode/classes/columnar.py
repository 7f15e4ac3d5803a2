"""Column-wise encoding of many objects of one class."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any, Final

from ..._bounded_cache import BoundedCache
from ..._errors import SerializationError
from ..._line_protocol.escape import SUSPICIOUS, encode_string
from ..._time import unit
from ..columnar import (
    FIELD_FORMATS,
    TIME_FORMAT,
    Column,
    ColumnFormat,
    build_integer_time_format,
    build_line_columns,
    join_lines,
    limit_size,
    read_column,
)
from ..grouping import NotColumnar, TooLong, collect_classes
from ..points import MAX_CACHED_BYTES
from .codegen import compile_columns
from .plan import FIELD_TYPES, Fragment, Plan
from .schema import PLAIN, Attribute, Kind

#: Cached series.
_CACHED_SERIES: Final = 65536


class ClassColumns:
    """Encodes groups of objects of one class, attribute by attribute."""

    def __init__(self, plan: Plan) -> None:
        names: Sequence[str] = [attribute.name for attribute in plan.schema.attributes]
        self._values: Callable[[Sequence[Any]], Sequence[Sequence[Any]]]
        fields = plan.schema.tuple_fields
        if set(names) <= {*fields}:
            names = fields
            self._values = _unpack
        else:
            self._values = compile_columns(names)
        self._index = {name: n for n, name in enumerate(names)}
        self._series = _Series(plan)
        self._fields = [_Column(plan, field) for field in plan.fields]
        self._time = None if plan.time is None else _Column(plan, plan.time)
        self._placeholder = plan.placeholder

    def lines(self, objects: Sequence[Any]) -> tuple[bytes, bool] | None:
        """Return the lines and whether all have a timestamp; None if a value is not eligible for the fast path.

        Raises:
            TooLong: the objects are too long together.
        """
        try:
            return self._lines(objects)
        except TooLong:
            raise
        except (NotColumnar, SerializationError, AttributeError):
            return None

    def _lines(self, objects: Sequence[Any]) -> tuple[bytes, bool] | None:
        values = self._values(objects)
        series = self._series.encode([values[self._index[name]] for name in self._series.names], len(objects))
        fields = limit_size(field.encode(values[self._index[field.name]]) for field in self._fields)
        if not fields:
            fields = [Column([b""] * len(objects), (self._placeholder, b""))]
        time = None
        timed = False
        if self._time is not None:
            times = values[self._index[self._time.name]]
            time = self._time.encode(times)
            timed = time.affixes is not None or None not in times
        line = build_line_columns(series, fields, time)
        data = None if line is None else join_lines(line)
        return None if data is None else (data, timed)


def _unpack(objects: Sequence[Any]) -> Sequence[Sequence[Any]]:
    return list(zip(*objects, strict=True))


class _Series(BoundedCache[tuple[Any, ...], bytes]):
    """Cache of encoded series, measurement and tags, by the values of the attributes."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(_CACHED_SERIES)
        constant = plan.names[plan.default_name] if plan.measurement is None else plan.measurement
        self._parts = [constant, *plan.tags]
        fragments = [part for part in self._parts if isinstance(part, Fragment)]
        self.names = [fragment.attribute.name for fragment in fragments]
        # Only one class each, and None: equal values of other classes are encoded differently.
        self._kinds = [{fragment.attribute.enum or str, type(None)} for fragment in fragments]

    def encode(self, columns: Sequence[Sequence[Any]], count: int) -> Sequence[bytes]:
        """Return the series of each object. Raises NotColumnar or SerializationError."""
        if not columns:
            return [self[()]] * count
        for values, kinds in zip(columns, self._kinds, strict=True):
            if not kinds >= collect_classes(values):
                raise NotColumnar
        return list(map(self.__getitem__, zip(*columns, strict=True)))

    def __missing__(self, key: tuple[Any, ...]) -> bytes:
        values = iter(key)
        series = b"".join([part(next(values)) if isinstance(part, Fragment) else part for part in self._parts])
        if SUSPICIOUS in series:  # together with the bytes after it, it may hide the end of the line
            raise NotColumnar
        return self.remember(key, series) if len(series) <= MAX_CACHED_BYTES else series


class _Column:
    """Encoder for the values of one attribute."""

    def __init__(self, plan: Plan, fragment: Fragment) -> None:
        self.name = fragment.attribute.name
        self._fragment = fragment
        self._formats = _formats(plan, fragment.attribute)

    def encode(self, values: Sequence[Any]) -> Column:
        """Encode the values. Raises SerializationError if a value cannot be encoded."""
        fragment = self._fragment
        return read_column(values, self._formats, fragment.before, fragment, may_lack=fragment.may_lack)


def _formats(plan: Plan, attribute: Attribute) -> Mapping[type, ColumnFormat]:
    """Return the expected class of the values and its format; empty if it is not eligible for the fast path."""
    if attribute.kind in FIELD_TYPES and attribute not in plan.default_typed:
        return {}
    match attribute.kind:
        case Kind.ENUM:
            if attribute.enum is None or not attribute.has_names:
                return {}
            return {attribute.enum: ColumnFormat(_encode_names)}
        case Kind.TIMEINT:
            return {int: build_integer_time_format(unit(plan.precision))}
        case Kind.TIMEDT | Kind.TIMESTR:
            return {PLAIN[attribute.kind]: TIME_FORMAT}
        case kind:
            return {PLAIN[kind]: FIELD_FORMATS[PLAIN[kind]]}


def _encode_names(members: Sequence[Enum]) -> list[bytes]:
    return [encode_string(member.name) for member in members]
