"""Many objects of one class at a time: column by column, which takes half the time of object by object.

A column whose values all are what the annotation promises becomes texts at once; one that has None among them becomes
whole pieces, `,key=value` or nothing. A run with anything out of the ordinary is given back, to be written object by
object: what an error is, and which objects are passed over, is not decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, groupby, islice, repeat
from operator import attrgetter
from typing import Any, Final, NamedTuple, TypeAlias

from ._errors import SerializationError
from ._escape import SHORT_LINE, SUSPICIOUS, string_value
from ._object_plan import FIELD_TYPES, Piece, Plan
from ._policy import TypePolicy
from ._schema import PLAIN, Attribute, Kind
from ._time import FIRST, LAST, to_nanoseconds, unit
from ._values import FIRST_INTEGER, LAST_INTEGER, FieldTexts, number_json

__all__ = ["Lines", "Run", "RunEncoder", "with_runs"]

#: How many objects are written at a time: enough that what is done once for all of them does not count, and few enough
#: that they stay in the processor's caches.
_LONGEST_RUN: Final = 500
#: Series that are remembered.
_REMEMBERED: Final = 65536

#: Fewer are faster one by one.
_SHORTEST_RUN: Final = 8


class Run(NamedTuple):
    """The lines of many objects of one class."""

    data: bytes
    lines: int
    timed: bool


#: Gives the lines of many objects, and whether all have a time; or None, if they have to be written one by one.
Lines: TypeAlias = Callable[[Sequence[Any]], tuple[bytes, bool] | None]


def with_runs(
    items: Iterable[object], lines_of: Callable[[type], Lines | None], room: Callable[[], int]
) -> Iterator[object]:
    """Give the values of an iterable, many objects of one decorated class as a run.

    Only what cannot change any more: of an iterable that makes its values as it is read, each is written before the
    next is asked for, unless it is a tuple. And only where the first is such an object, to do no harm to all others.

    Args:
        items: the values.
        lines_of: gives what writes many objects of a class; None if the class is not decorated.
        room: gives how many lines a run may have now.
    """
    values = iter(items)
    made = type(items) in {list, tuple}
    for first in values:
        rest = chain((first,), values)
        return _runs(rest, lines_of, room, made=made) if lines_of(type(first)) is not None else rest
    return values


def _runs(
    values: Iterable[object], lines_of: Callable[[type], Lines | None], room: Callable[[], int], *, made: bool
) -> Iterator[object]:
    for kind, group in groupby(values, type):
        lines = lines_of(kind) if made or issubclass(kind, tuple) else None
        if lines is None:
            yield from group
            continue
        while run := list(islice(group, min(_LONGEST_RUN, room()))):
            found = lines(run) if len(run) >= _SHORTEST_RUN else None
            if found is None:
                yield from run
            else:
                yield Run(found[0], len(run), found[1])


class RunEncoder:
    """Turns runs of objects of a class to lines."""

    def __init__(self, plan: Plan) -> None:
        names = [attribute.name for attribute in plan.schema.attributes]
        self._getters = [attrgetter(name) for name in names]
        fields = plan.schema.tuple_fields
        self._unpack = set(names) <= {*fields}
        if self._unpack:
            names = list(fields)
        self._index = {name: n for n, name in enumerate(names)}
        self._series = _Series(plan)
        self._fields = [_Column(plan, field) for field in plan.fields]
        self._time = None if plan.time is None else _Column(plan, plan.time)
        self._placeholder = plan.placeholder

    def lines(self, objects: Sequence[Any]) -> tuple[bytes, bool] | None:
        """Give the lines of a run, and whether all have a time; None if it has to be written object by object."""
        try:
            return self._lines(objects)
        except (SerializationError, AttributeError):
            return None

    def _lines(self, objects: Sequence[Any]) -> tuple[bytes, bool] | None:
        values: Sequence[Sequence[Any]]
        if self._unpack:
            values = list(zip(*objects, strict=True))
        else:
            values = [list(map(get, objects)) for get in self._getters]
        line = _Line()
        line.add(self._series.texts([values[self._index[name]] for name in self._series.names], len(objects)), b"%b ")
        if not self._add_fields(line, values):
            return None
        timed = False
        if self._time is not None:
            times = values[self._index[self._time.name]]
            texts, around = self._time.texts(times)
            line.add(texts, around)
            timed = around is not None or None not in times
        data = line.data()
        return None if data is None else (data, timed)

    def _add_fields(self, line: _Line, values: Sequence[Sequence[Any]]) -> bool:
        """Add the fields, if each object has one. One that all have settles where the commas of the others are."""
        if not self._fields:
            line.text(self._placeholder[1:])
            return True
        found = [field.texts(values[self._index[field.name]]) for field in self._fields]
        first = next((n for n, (_, around) in enumerate(found) if around is not None), None)
        if first is None:
            joined = [b"".join(pieces) for pieces in zip(*(texts for texts, _ in found), strict=True)]
            if b"" in joined:
                return False
            line.add([fields[1:] for fields in joined], None)
            return True
        for n, (texts, around) in enumerate(found):
            if n < first:
                line.add([piece[1:] + b"," if piece else b"" for piece in texts], None)
            else:
                line.add(texts, around[1:] if n == first and around is not None else around)
        return True


class _Line:
    """The format of the lines of a run, and its arguments."""

    def __init__(self) -> None:
        self._format = b""
        self._arguments: list[Iterable[bytes]] = []

    def text(self, text: bytes) -> None:
        """Add what is the same in all lines."""
        self._format += text.replace(b"%", b"%%")

    def add(self, texts: Iterable[bytes], around: bytes | None) -> None:
        """Add a column: what is in the format around each text, or nothing where the texts are whole."""
        self._format += b"%b" if around is None else around
        self._arguments.append(texts)

    def data(self) -> bytes | None:
        """Give the lines, unless one is so long that it has to be looked at."""
        lines = list(map(self._format.__mod__, zip(*self._arguments, strict=True)))
        data = b"\n".join(lines)
        return data if len(data) <= SHORT_LINE or max(map(len, lines)) <= SHORT_LINE else None


class _Series(dict[tuple[Any, ...], bytes]):
    """The series of objects, measurement and tags, by the values of their attributes."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        constant = plan.names[plan.default_name] if plan.measurement is None else plan.measurement
        self._parts = [constant, *plan.tags]
        pieces = [part for part in self._parts if isinstance(part, Piece)]
        self.names = [piece.attribute.name for piece in pieces]
        # Values of one class each, and None: of others, some equal those of another class and are written otherwise.
        self._kinds = [{piece.attribute.enum or str, type(None)} for piece in pieces]

    def texts(self, columns: Sequence[Sequence[Any]], count: int) -> Iterable[bytes]:
        """Give the series of each object; raises SerializationError where one cannot be written, or not at once."""
        if not columns:
            return repeat(self[()], count)
        for values, kinds in zip(columns, self._kinds, strict=True):
            if not kinds.issuperset(map(type, values)):
                msg = "these have to be looked at one by one"
                raise SerializationError(msg)
        return map(self.__getitem__, zip(*columns, strict=True))

    def __missing__(self, key: tuple[Any, ...]) -> bytes:
        values = iter(key)
        series = b"".join([part(next(values)) if isinstance(part, Piece) else part for part in self._parts])
        if SUSPICIOUS in series:  # may hide the end of the line, together with what comes after it
            msg = "this has to be looked at with its fields"
            raise SerializationError(msg)
        if len(self) >= _REMEMBERED:
            self.clear()
        self[key] = series
        return series


class _Column:
    """How the values of an attribute become texts."""

    def __init__(self, plan: Plan, piece: Piece) -> None:
        self.name = piece.attribute.name
        self._piece = piece
        #: The class that values are expected to be of, and what gives their texts then.
        self._kind, self._texts = _texter(plan, piece.attribute)
        self._after = b"i" if piece.attribute.kind is Kind.INT else b""
        self._around = piece.before.replace(b"%", b"%%") + b"%b" + self._after

    def texts(self, values: Sequence[Any]) -> tuple[Iterable[bytes], bytes | None]:
        """Give the texts of the values, and what is around them in the format; None where it is with the texts.

        Raises:
            SerializationError: there is a value that cannot be written.
        """
        kinds = set(map(type, values))
        if kinds == {self._kind}:
            texts = self._texts(values)
            if texts is not None:
                return texts, self._around
        elif kinds == {self._kind, type(None)} and self._piece.may_lack:
            texts = self._texts([value for value in values if value is not None])
            if texts is not None:
                before, after, rest = self._piece.before, self._after, iter(texts)
                return [b"" if value is None else before + next(rest) + after for value in values], None
        return [self._piece(value) for value in values], None


#: Gives the texts of values that are all of the expected class; None if one of them has to be looked at.
_Texter: TypeAlias = Callable[[Sequence[Any]], Iterable[bytes] | None]


def _texter(plan: Plan, attribute: Attribute) -> tuple[type | None, _Texter]:
    """Give the class that values are expected to be of, and what gives their texts; no class if there is none."""
    if attribute.kind in FIELD_TYPES and attribute not in plan.usual:
        return None, _nothing
    match attribute.kind:
        case Kind.ENUM:
            if not attribute.has_names:
                return None, _nothing
            return attribute.enum, lambda values: [string_value(value.name) for value in values]
        case Kind.TIMEINT:
            return int, partial(_times, unit(plan.precision))
        case Kind.TIMEDT | Kind.TIMESTR:
            return PLAIN[attribute.kind], lambda values: _numbers([to_nanoseconds(value) for value in values])
        case kind:
            return PLAIN[kind], _FIELDS[kind]


def _nothing(_values: Sequence[Any]) -> None:
    return None


def _numbers(values: Sequence[Any]) -> list[bytes]:
    return number_json(values)[1:-1].split(b",")


def _floats(values: Sequence[Any]) -> list[bytes] | None:
    data = number_json(values)
    return None if b"n" in data else data[1:-1].split(b",")  # `null` stands for NaN, and for what is infinite


def _integers(values: Sequence[Any]) -> list[bytes] | None:
    return _numbers(values) if min(values) >= FIRST_INTEGER and max(values) <= LAST_INTEGER else None


def _times(size: int, values: Sequence[Any]) -> list[bytes] | None:
    if min(values) * size < FIRST or max(values) * size > LAST:
        return None
    return _numbers(values if size == 1 else [value * size for value in values])


def _decimals(values: Sequence[Any]) -> list[bytes] | None:
    return [_decimal(value) for value in values] if all(value.is_finite() for value in values) else None


_decimal: Final[Callable[[Any], Any]] = FieldTexts(TypePolicy()).text

_FIELDS: Final[dict[Kind, _Texter]] = {
    Kind.BOOL: partial(map, {True: b"true", False: b"false"}.__getitem__),
    Kind.INT: _integers,
    Kind.DECIMAL: _decimals,
    Kind.FLOAT: _floats,
    Kind.STR: partial(map, string_value),
}
