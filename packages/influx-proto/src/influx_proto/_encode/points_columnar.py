"""Many points at a time, in groups of one shape: the same measurement, keys of tags and keys of fields."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import chain
from typing import Any, Final, TypeAlias

from .._bounded_cache import BoundedCache
from .._errors import SerializationError
from .._line_protocol.escape import SUSPICIOUS
from .._time import unit
from .columnar import (
    FIELDS,
    TIMES,
    Column,
    LineColumns,
    integer_times,
    joined_lines,
    line_columns,
    read_column,
    separate_lines,
)
from .grouping import NotColumnar, classes_of
from .points import PointEncoder

#: Shapes, and of each the series, that are remembered.
_REMEMBERED_SHAPES: Final = 256
_REMEMBERED_SERIES: Final = 4096

#: With fewer points of a shape on average, one by one is faster.
_SMALLEST_GROUP: Final = 8

_Points: TypeAlias = Sequence[dict[str, Any]]


#: What makes a shape: the measurement, the keys of tags, the keys of fields.
_ShapeKey: TypeAlias = tuple[str, tuple[str, ...], tuple[str, ...]]


class PointColumns:
    """Turns runs of mappings to lines.

    Args:
        points: how each of them is written by itself.
        precision: the unit of times that are bare integers.
    """

    def __init__(self, points: PointEncoder, precision: str) -> None:
        self._points = points
        self._precision = precision
        self._shapes: BoundedCache[_ShapeKey, Shape] = BoundedCache(_REMEMBERED_SHAPES)

    def lines(self, points: _Points) -> tuple[bytes, bool] | None:
        """Give the lines of a run, and whether all have a time; None if it has to be written point by point."""
        keys = self._shape_keys(points)
        if keys is None:
            return None
        try:
            if keys.count(keys[0]) == len(keys):
                columns, timed = self._columns(keys[0], points)
                data = None if columns is None else joined_lines(columns)
                return None if data is None else (data, timed)
            return self._mixed(keys, points)
        except (NotColumnar, SerializationError):
            return None

    def _shape_keys(self, points: _Points) -> list[_ShapeKey] | None:
        """Give the shape of each point; None if there is one that has to be looked at."""
        keys = []
        for point in points:
            name = point.get("measurement")
            if name is None:
                name = self._points.name
            tags = point.get("tags")
            fields = point.get("fields")
            if type(name) is not str or type(fields) is not dict or not (tags is None or type(tags) is dict):
                return None
            keys.append((name, tuple(tags) if tags else (), tuple(fields)))
        return keys

    def _mixed(self, keys: Sequence[_ShapeKey], points: _Points) -> tuple[bytes, bool] | None:
        groups: dict[_ShapeKey, list[int]] = {}
        for number, key in enumerate(keys):
            groups.setdefault(key, []).append(number)
        if len(groups) * _SMALLEST_GROUP > len(points):
            return None
        lines = [b""] * len(points)
        all_timed = True
        for key, numbers in groups.items():
            columns, timed = self._columns(key, [points[number] for number in numbers])
            found = None if columns is None else separate_lines(columns)
            if found is None:
                return None
            for number, line in zip(numbers, found, strict=True):
                lines[number] = line
            all_timed = all_timed and timed
        return b"\n".join(lines), all_timed

    def _columns(self, key: _ShapeKey, points: _Points) -> tuple[LineColumns | None, bool]:
        """Give the columns of points of one shape, and whether all have a time."""
        shape = self._shapes.get(key)
        if shape is None:
            shape = self._shapes.remember(key, Shape(self._points, *key, self._precision))
        times = [point.get("time") for point in points]
        columns = shape.columns(
            [tuple(point["tags"].values()) for point in points] if key[1] else None,
            zip(*[point["fields"].values() for point in points], strict=True),
            times,
        )
        return columns, type(None) not in classes_of(times)


class Shape:
    """How points of one shape are written, column by column.

    Args:
        points: how each of them is written by itself.
        measurement: the measurement.
        tags: the keys of the tags.
        fields: the keys of the fields.
        precision: the unit of times that are bare integers.
    """

    def __init__(
        self, points: PointEncoder, measurement: str, tags: Sequence[str], fields: Sequence[str], precision: str
    ) -> None:
        self._series = _Series(points, measurement, tags)
        self._fields = [_Field(points, name) for name in fields]
        self._times = {int: integer_times(unit(precision)), str: TIMES, datetime: TIMES}
        self._time_text = points.time_text

    def columns(
        self, tags: Sequence[tuple[Any, ...]] | None, fields: Iterable[Sequence[Any]], times: Sequence[Any]
    ) -> LineColumns | None:
        """Give all that the lines consist of; None if a point has no field.

        Args:
            tags: the values of the tags, point by point; None where there are none.
            fields: the values of each field.
            times: the times.

        Raises:
            NotColumnar: a point cannot be encoded together with the others.
            SerializationError: a point cannot be encoded.
        """
        if tags is None:
            series = [self._series[()]] * len(times)
        else:
            # Another type may equal a text, or another type, and be written otherwise.
            if not {str, type(None)}.issuperset(map(type, chain.from_iterable(tags))):
                raise NotColumnar
            series = list(map(self._series.__getitem__, tags))
        columns = [field.texts(values) for field, values in zip(self._fields, fields, strict=True)]
        timed = classes_of(times) != {type(None)}
        time = read_column(times, self._times, b" ", self._time_text) if timed else None
        return line_columns(series, columns, time)


class _Series(BoundedCache[tuple[str | None, ...], bytes]):
    """Measurement and tags by the values of the tags."""

    def __init__(self, points: PointEncoder, measurement: str, keys: Sequence[str]) -> None:
        super().__init__(_REMEMBERED_SERIES)
        self._points = points
        self._measurement = measurement
        self._keys = keys

    def __missing__(self, values: tuple[str | None, ...]) -> bytes:
        series = self._points.make_series(self._measurement, dict(zip(self._keys, values, strict=True)))
        if SUSPICIOUS in series:  # may hide the end of the line, together with what comes after it
            raise NotColumnar
        return self.remember(values, series)


class _Field:
    """How the values of a field are written."""

    def __init__(self, points: PointEncoder, name: str) -> None:
        before, self._value_texts = points.fields[name]
        self._before = b"," + before
        self._at_once = {kind: FIELDS[kind] for kind in self._value_texts.default_types if kind in FIELDS}

    def texts(self, values: Sequence[Any]) -> Column:
        """Give the texts of values; raises SerializationError where one cannot be written."""
        return read_column(values, self._at_once, self._before, self._whole)

    def _whole(self, value: object) -> bytes:
        text = self._value_texts[type(value)](value)
        return b"" if text is None else self._before + text
