"""Many objects of one class at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any, Final

from ..._bounded_cache import BoundedCache
from ..._errors import SerializationError
from ..._line_protocol.escape import SUSPICIOUS, string_value
from ..._time import unit
from ..columnar import FIELDS, TIMES, Column, ColumnFormat, integer_times, joined_lines, line_columns, read_column
from ..grouping import NotColumnar, classes_of
from .codegen import compile_columns
from .plan import FIELD_TYPES, Piece, Plan
from .schema import PLAIN, Attribute, Kind

#: Series that are remembered.
_REMEMBERED: Final = 65536


class ClassColumns:
    """Turns runs of objects of a class to lines."""

    def __init__(self, plan: Plan) -> None:
        names: Sequence[str] = [attribute.name for attribute in plan.schema.attributes]
        self._values: Callable[[Sequence[Any]], Sequence[Sequence[Any]]]
        fields = plan.schema.tuple_fields
        if set(names) <= {*fields}:
            names = fields
            self._values = _unpacked
        else:
            self._values = compile_columns(names)
        self._index = {name: n for n, name in enumerate(names)}
        self._series = _Series(plan)
        self._fields = [_Column(plan, field) for field in plan.fields]
        self._time = None if plan.time is None else _Column(plan, plan.time)
        self._placeholder = plan.placeholder

    def lines(self, objects: Sequence[Any]) -> tuple[bytes, bool] | None:
        """Give the lines of a run, and whether all have a time; None if it has to be written object by object."""
        try:
            return self._lines(objects)
        except (NotColumnar, SerializationError, AttributeError):
            return None

    def _lines(self, objects: Sequence[Any]) -> tuple[bytes, bool] | None:
        values = self._values(objects)
        series = self._series.texts([values[self._index[name]] for name in self._series.names], len(objects))
        fields = [field.texts(values[self._index[field.name]]) for field in self._fields]
        if not fields:
            fields = [Column([b""] * len(objects), (self._placeholder, b""), longest=0)]
        time = None
        timed = False
        if self._time is not None:
            times = values[self._index[self._time.name]]
            time = self._time.texts(times)
            timed = time.around is not None or None not in times
        line = line_columns(series, fields, time)
        data = None if line is None else joined_lines(line)
        return None if data is None else (data, timed)


def _unpacked(objects: Sequence[Any]) -> Sequence[Sequence[Any]]:
    return list(zip(*objects, strict=True))


class _Series(BoundedCache[tuple[Any, ...], bytes]):
    """The series of objects, measurement and tags, by the values of their attributes."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(_REMEMBERED)
        constant = plan.names[plan.default_name] if plan.measurement is None else plan.measurement
        self._parts = [constant, *plan.tags]
        pieces = [part for part in self._parts if isinstance(part, Piece)]
        self.names = [piece.attribute.name for piece in pieces]
        # Values of one class each, and None: of others, some equal those of another class and are written otherwise.
        self._kinds = [{piece.attribute.enum or str, type(None)} for piece in pieces]

    def texts(self, columns: Sequence[Sequence[Any]], count: int) -> Sequence[bytes]:
        """Give the series of each object; raises NotColumnar or SerializationError."""
        if not columns:
            return [self[()]] * count
        for values, kinds in zip(columns, self._kinds, strict=True):
            if not kinds >= classes_of(values):
                raise NotColumnar
        return list(map(self.__getitem__, zip(*columns, strict=True)))

    def __missing__(self, key: tuple[Any, ...]) -> bytes:
        values = iter(key)
        series = b"".join([part(next(values)) if isinstance(part, Piece) else part for part in self._parts])
        if SUSPICIOUS in series:  # may hide the end of the line, together with what comes after it
            raise NotColumnar
        return self.remember(key, series)


class _Column:
    """How the values of an attribute become texts."""

    def __init__(self, plan: Plan, piece: Piece) -> None:
        self.name = piece.attribute.name
        self._piece = piece
        self._at_once = _at_once(plan, piece.attribute)

    def texts(self, values: Sequence[Any]) -> Column:
        """Give the texts of the values; raises SerializationError where one cannot be written."""
        piece = self._piece
        return read_column(values, self._at_once, piece.before, piece, may_lack=piece.may_lack)


def _at_once(plan: Plan, attribute: Attribute) -> Mapping[type, ColumnFormat]:
    """Give the class that values are expected to be of, and how they become texts then; nothing if there is none."""
    if attribute.kind in FIELD_TYPES and attribute not in plan.usual:
        return {}
    match attribute.kind:
        case Kind.ENUM:
            if attribute.enum is None or not attribute.has_names:
                return {}
            return {attribute.enum: ColumnFormat(_names)}
        case Kind.TIMEINT:
            return {int: integer_times(unit(plan.precision))}
        case Kind.TIMEDT | Kind.TIMESTR:
            return {PLAIN[attribute.kind]: TIMES}
        case kind:
            return {PLAIN[kind]: FIELDS[PLAIN[kind]]}


def _names(members: Sequence[Enum]) -> list[bytes]:
    return [string_value(member.name) for member in members]
