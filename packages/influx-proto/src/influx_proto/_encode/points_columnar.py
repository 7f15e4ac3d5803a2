"""Column-wise encoding of mappings, grouped by key set: the measurement, the tag keys and the field keys."""

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
    FIELD_FORMATS,
    GROUP_BYTES,
    TIME_FORMAT,
    Column,
    LineColumns,
    build_integer_time_format,
    build_line_columns,
    join_lines,
    limit_size,
    list_lines,
    read_column,
)
from .grouping import NotColumnar, TooLong, collect_classes
from .points import MAX_CACHED_BYTES, PointEncoder

#: Cached key sets, and cached series of each.
_CACHED_KEY_SETS: Final = 256
_CACHED_SERIES: Final = 4096

#: If a key set has fewer points on average, they are faster to encode one at a time.
_MIN_GROUP: Final = 8

_Points: TypeAlias = Sequence[dict[str, Any]]

#: The measurement, the tag keys and the field keys of a point.
_KeySet: TypeAlias = tuple[str, tuple[str, ...], tuple[str, ...]]


class PointColumns:
    """Encodes groups of mappings.

    Args:
        points: encodes single points.
        precision: the unit of integer timestamps.
    """

    def __init__(self, points: PointEncoder, precision: str) -> None:
        self._points = points
        self._precision = precision
        self._encoders: BoundedCache[_KeySet, KeySetEncoder] = BoundedCache(_CACHED_KEY_SETS)

    def lines(self, points: _Points) -> tuple[bytes, bool] | None:
        """Return the lines and whether all have a timestamp; None if a point is not eligible for the fast path.

        Raises:
            TooLong: the points are too long together.
        """
        key_sets = self._find_key_sets(points)
        if key_sets is None:
            return None
        try:
            if key_sets.count(key_sets[0]) == len(key_sets):
                columns, timed = self._build_columns(key_sets[0], points)
                data = None if columns is None else join_lines(columns)
                return None if data is None else (data, timed)
            return self._encode_mixed(key_sets, points)
        except TooLong:
            raise
        except (NotColumnar, SerializationError):
            return None

    def _find_key_sets(self, points: _Points) -> list[_KeySet] | None:
        """Return the key set of each point; None if a point is not eligible for the fast path."""
        key_sets = []
        for point in points:
            name = point.get("measurement")
            if name is None:
                name = self._points.name
            tags = point.get("tags")
            fields = point.get("fields")
            if type(name) is not str or type(fields) is not dict or not (tags is None or type(tags) is dict):
                return None
            key_sets.append((name, tuple(tags) if tags else (), tuple(fields)))
        return key_sets

    def _encode_mixed(self, key_sets: Sequence[_KeySet], points: _Points) -> tuple[bytes, bool] | None:
        """Encode points with different key sets, in their order."""
        groups: dict[_KeySet, list[int]] = {}
        for index, key_set in enumerate(key_sets):
            groups.setdefault(key_set, []).append(index)
        if len(groups) * _MIN_GROUP > len(points):
            return None
        lines = [b""] * len(points)
        size = 0
        all_timed = True
        for key_set, indexes in groups.items():
            columns, timed = self._build_columns(key_set, [points[index] for index in indexes])
            found = None if columns is None else list_lines(columns)
            if found is None:
                return None
            size += sum(map(len, found))
            if size > GROUP_BYTES:
                raise TooLong
            for index, line in zip(indexes, found, strict=True):
                lines[index] = line
            all_timed = all_timed and timed
        return b"\n".join(lines), all_timed

    def _build_columns(self, key_set: _KeySet, points: _Points) -> tuple[LineColumns | None, bool]:
        """Return the columns of points with one key set, and whether all have a timestamp."""
        encoder = self._encoders.get(key_set)
        if encoder is None:
            encoder = self._encoders.remember(key_set, KeySetEncoder(self._points, *key_set, self._precision))
        times = [point.get("time") for point in points]
        columns = encoder.build_columns(
            [tuple(point["tags"].values()) for point in points] if key_set[1] else None,
            zip(*[point["fields"].values() for point in points], strict=True),
            times,
        )
        return columns, type(None) not in collect_classes(times)


class KeySetEncoder:
    """Encodes points with one key set, column by column.

    Args:
        points: encodes single points.
        measurement: the measurement.
        tags: the tag keys.
        fields: the field keys.
        precision: the unit of integer timestamps.
    """

    def __init__(
        self, points: PointEncoder, measurement: str, tags: Sequence[str], fields: Sequence[str], precision: str
    ) -> None:
        self._series = _Series(points, measurement, tags)
        self._fields = [_Field(points, name) for name in fields]
        time_format = build_integer_time_format(unit(precision))
        self._time_formats = {int: time_format, str: TIME_FORMAT, datetime: TIME_FORMAT}
        self._encode_time = points.encode_time

    def build_columns(
        self, tags: Sequence[tuple[Any, ...]] | None, fields: Iterable[Sequence[Any]], times: Sequence[Any]
    ) -> LineColumns | None:
        """Return the columns of the lines, or None if a point has no field with a value.

        Args:
            tags: the tag values of each point; None if the points have no tags.
            fields: the values of each field.
            times: the timestamps.

        Raises:
            NotColumnar: a point cannot be encoded together with the others, or the points are too long together.
            SerializationError: a point cannot be encoded.
        """
        if tags is None:
            series = [self._series[()]] * len(times)
        else:
            # Values of other types may be equal, but are encoded differently.
            if not {str, type(None)}.issuperset(map(type, chain.from_iterable(tags))):
                raise NotColumnar
            series = list(map(self._series.__getitem__, tags))
        columns = limit_size(field.encode(values) for field, values in zip(self._fields, fields, strict=True))
        timed = collect_classes(times) != {type(None)}
        time = read_column(times, self._time_formats, b" ", self._encode_time) if timed else None
        return build_line_columns(series, columns, time)


class _Series(BoundedCache[tuple[str | None, ...], bytes]):
    """Cache of encoded series, measurement and tags, by the tag values."""

    def __init__(self, points: PointEncoder, measurement: str, keys: Sequence[str]) -> None:
        super().__init__(_CACHED_SERIES)
        self._points = points
        self._measurement = measurement
        self._keys = keys

    def __missing__(self, values: tuple[str | None, ...]) -> bytes:
        series = self._points.encode_series(self._measurement, dict(zip(self._keys, values, strict=True)))
        if SUSPICIOUS in series:  # together with the bytes after it, it may hide the end of the line
            raise NotColumnar
        return self.remember(values, series) if len(series) <= MAX_CACHED_BYTES else series


class _Field:
    """Encoder for the values of one field."""

    def __init__(self, points: PointEncoder, name: str) -> None:
        before, self._encoder = points.fields[name]
        self._before = b"," + before
        self._formats = {cls: FIELD_FORMATS[cls] for cls in self._encoder.default_types if cls in FIELD_FORMATS}

    def encode(self, values: Sequence[Any]) -> Column:
        """Return the encoded values. Raises SerializationError if a value cannot be encoded."""
        return read_column(values, self._formats, self._before, self._encode_one)

    def _encode_one(self, value: object) -> bytes:
        encoded = self._encoder[type(value)](value)
        return b"" if encoded is None else self._before + encoded
