"""Encoder for points as mappings: `{"measurement": "cpu", "time": ..., "tags": {...}, "fields": {...}}`.

`measurement`, `time` and `tags` are optional; other keys are ignored. Tags are sorted by key, so that the server need
not sort them. A tag of the point takes precedence over a tag for all points. Missing and empty tag values are omitted.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NoReturn, TypeAlias

from .._bounded_cache import BoundedCache
from .._errors import SerializationError
from .._line_protocol.escape import (
    SHORT_LINE,
    SUSPICIOUS,
    TAG_VALUES,
    check_line,
    encode_tag_prefix,
    escape_field_key,
    escape_measurement,
    escape_tag_key,
)
from .._line_protocol.options import FieldOptions
from .._line_protocol.split import BACKSLASH
from .._line_protocol.values import FieldValueEncoder, TagValueEncoder, number_encoder
from .._repr import short_repr
from .._time import FIRST, LAST, point_nanoseconds, unit

#: Cached series and key sets. A full cache is cleared.
_CACHE_SIZE: Final = 4096
#: Cached field keys: more than the columns of a table, since a cache that is too small for each row has no hits.
_CACHED_FIELDS: Final = 65536
#: The maximum size of a cached series or field key in bytes; it limits the memory of the caches.
MAX_CACHED_BYTES: Final = 512

#: The encoded measurement, and in the order of the line each tag key with the prefix of its value and the fragment for
#: a missing value.
_SeriesTemplate: TypeAlias = tuple[bytes, list[tuple[str, bytes, bytes]]]


class PointEncoder:
    """Encodes mappings as lines.

    Args:
        name: the default measurement.
        tags: tags for all points.
        precision: the unit of integer timestamps.
        field_options: how field values are encoded.

    Raises:
        SerializationError: the measurement or a tag cannot be encoded.
        ValueError: the precision is unknown.
    """

    def __init__(
        self, name: str | None, tags: Mapping[str, object], precision: str, field_options: FieldOptions
    ) -> None:
        #: The default measurement.
        self.name = name
        self._precision = precision
        self._unit = unit(precision)
        self._encode_number = number_encoder()
        self.fields = FieldCache(field_options)
        self._tag_encoder = TagValueEncoder()
        self._tag_values = TAG_VALUES
        if name is not None:
            escape_measurement(name)
        if not isinstance(tags, Mapping):
            self._reject_type("tags", tags)
        #: Encoded tags for all points, key and value.
        self._common_tags: dict[str, bytes] = {}
        for key, value in tags.items():
            try:
                encoded = self._tag_encoder.encode(value)
                if encoded is not None:
                    self._common_tags[key] = encode_tag_prefix(key) + encoded
            except SerializationError as error:
                raise SerializationError(f"tag {short_repr(key)} for all points: {error}") from None
        #: Series by measurement, tag keys and tag values, if all of these are str.
        self._series: BoundedCache[tuple[str, ...], bytes] = BoundedCache(_CACHE_SIZE)
        #: Templates by measurement and tag keys.
        self._templates: BoundedCache[tuple[str, ...], _SeriesTemplate] = BoundedCache(_CACHE_SIZE)

    def line(self, point: Mapping[str, Any]) -> bytes | None:
        """Return the line of a point, or None if no field has a value.

        Raises:
            SerializationError: the point cannot be encoded; the message names the measurement and the field or tag.
        """
        name = point.get("measurement")
        if name is None:
            name = self.name
        fields = point.get("fields")
        if type(fields) is not dict and not isinstance(fields, Mapping):
            if fields is None and "fields" in point:
                return None
            self._reject_fields(point, fields, name)
        series = self._find_series(name, point.get("tags"))
        field_set = self._encode_fields(name, fields)
        if not field_set:
            return None
        time = point.get("time")
        if time is None:
            line = b"%b %b" % (series, field_set)
        else:
            if type(time) is not int or not FIRST <= (ns := time * self._unit) <= LAST:
                ns = self._read_time(time, name)
            line = b" ".join((series, field_set, self._encode_number(ns)))
        if len(line) > SHORT_LINE or (BACKSLASH in line and SUSPICIOUS in line):
            try:
                check_line(line)
            except SerializationError as error:
                raise _locate(error, name) from None
        return line

    def _encode_fields(self, name: object, fields: Mapping[str, Any]) -> bytes:
        """Return the encoded fields that have a value, separated by commas."""
        fragments: list[bytes] = []
        key: object = None
        cache = self.fields
        default_encoder = cache.default_encoder
        encode_number = self._encode_number
        try:
            for key, value in fields.items():
                before, encoder = cache[key]
                cls = type(value)
                encoded: bytes | None
                # Most values are floats; inlining their encoding saves a measurable call for each value.
                if cls is not float or encoder is not default_encoder or (encoded := encode_number(value)) == b"null":
                    encoded = encoder[cls](value)
                if encoded is not None:
                    fragments.append(before + encoded)
        except SerializationError as error:
            raise _locate(error, name, "field", key) from None
        return b",".join(fragments)

    def _find_series(self, name: Any, tags: Any) -> bytes:
        """Return the encoded series, measurement and tags, from the cache if possible."""
        if type(name) is not str:
            name = self._check_name(name)
        if tags is None:
            tags = _NO_TAGS
        elif type(tags) is not dict and not isinstance(tags, Mapping):
            self._reject_type("tags", tags, name)
        values = [*tags.values()]
        for value in values:
            # Values of other types may be equal, but are encoded differently.
            if type(value) is not str:
                return self.encode_series(name, tags)
        key = (name, *tags, *values)
        series = self._series.get(key)
        if series is None:
            series = self.encode_series(name, tags)
            if len(series) <= MAX_CACHED_BYTES:
                self._series.remember(key, series)
        return series

    def encode_series(self, name: str, tags: Mapping[str, Any]) -> bytes:
        """Return the encoded measurement and tags, including the tags for all points.

        Raises:
            SerializationError: the measurement or a tag cannot be encoded.
        """
        series, keys = self.find_template((name, *tags))
        get = tags.get
        key = ""
        try:
            for key, before, without in keys:
                encoded = self.encode_tag(get(key))
                series += without if encoded is None else before + encoded
        except SerializationError as error:
            raise _locate(error, name, "tag", key) from None
        return series

    def encode_tag(self, value: Any) -> bytes | None:
        """Return the escaped tag value, or None if it is missing or empty.

        Raises:
            SerializationError: the value cannot be encoded.
        """
        if type(value) is str and value:
            return self._tag_values[value]
        return self._tag_encoder[type(value)](value)

    def find_template(self, key_set: tuple[str, ...]) -> _SeriesTemplate:
        """Return the encoded measurement and tag keys that series have in common.

        Args:
            key_set: the measurement and the tag keys.

        Returns:
            The encoded measurement, and in the order of the line each tag key, including the tags for all points, with
            the prefix of its value and the fragment for a missing value.

        Raises:
            SerializationError: the measurement or a tag key cannot be encoded.
        """
        found = self._templates.get(key_set)
        return self._build_template(key_set) if found is None else found

    def _build_template(self, key_set: tuple[str, ...]) -> _SeriesTemplate:
        name, *own = key_set
        key: Any = _NO_TAGS
        try:
            encoded = escape_measurement(name).encode()
            common = self._common_tags
            for key in own:
                escape_tag_key(key)
            keys = [(key, encode_tag_prefix(key), common.get(key, b"")) for key in sorted({*own, *common})]
        except SerializationError as error:
            raise (_locate(error, name) if key is _NO_TAGS else _locate(error, name, "tag", key)) from None
        return self._templates.remember(key_set, (encoded, keys))

    def encode_time(self, time: object) -> bytes:
        """Return the encoded timestamp with the space before it, or b"" for None.

        Raises:
            SerializationError: the value cannot be converted to a timestamp.
        """
        return b"" if time is None else b" " + self._encode_number(self._read_time(time, None))

    def _read_time(self, time: Any, name: object) -> int:
        try:
            return point_nanoseconds(time, self._precision)
        except SerializationError as error:
            raise _locate(error, name) from None

    def _check_name(self, name: object) -> str:
        if name is None:
            msg = "the point has no measurement; add the key 'measurement', or pass measurement= for all points"
            raise SerializationError(msg)
        if isinstance(name, str):
            return str.__str__(name)
        raise SerializationError(f"measurement must be a str, not {type(name).__name__} ({short_repr(name)})")

    def _reject_fields(self, point: Mapping[str, Any], fields: object, name: object) -> NoReturn:
        if fields is not None:
            self._reject_type("fields", fields, name)
        keys = ", ".join(short_repr(key) for key in list(point)[:10])
        msg = f"a {type(point).__name__} without 'fields' is not a point; its keys are {keys or 'none'}"
        raise _locate(SerializationError(msg), name)

    def _reject_type(self, what: str, value: object, name: object = None) -> NoReturn:
        msg = f"{what} must be a mapping, not {type(value).__name__} ({short_repr(value)})"
        raise _locate(SerializationError(msg), name)


def point_encoder(
    name: str | None, tags: Mapping[str, object], precision: str, field_options: FieldOptions
) -> PointEncoder:
    """Return an encoder of points, a cached one if possible, so that small writes share its caches.

    Arguments and errors are those of `PointEncoder`.
    """
    # Subclasses of str may be equal to a str, but encoded differently.
    if type(tags) is not dict or type(name) not in _NAME_TYPES:
        return PointEncoder(name, tags, precision, field_options)
    if tags and not all(type(key) is type(value) is str for key, value in tags.items()):
        return PointEncoder(name, tags, precision, field_options)
    return _cached_encoder(name, tuple(tags.items()), precision, field_options)


@lru_cache(maxsize=16)
def _cached_encoder(
    name: str | None, tags: tuple[tuple[str, str], ...], precision: str, field_options: FieldOptions
) -> PointEncoder:
    return PointEncoder(name, dict(tags), precision, field_options)


class FieldCache(BoundedCache[Any, tuple[bytes, FieldValueEncoder]]):
    """Cache by field key of the prefix of the value, and the encoder of values."""

    def __init__(self, field_options: FieldOptions) -> None:
        super().__init__(_CACHED_FIELDS)
        #: The encoder of fields without a type override; it encodes finite floats as JSON does.
        self.default_encoder = FieldValueEncoder(field_options)
        self._overrides = {
            key: FieldValueEncoder(field_options, field_type) for key, field_type in field_options.field_types.items()
        }

    def __missing__(self, key: object) -> tuple[bytes, FieldValueEncoder]:
        before = escape_field_key(key).encode() + b"="
        encoder = self._overrides.get(key, self.default_encoder) if isinstance(key, str) else self.default_encoder
        return self.remember(key, (before, encoder)) if len(before) <= MAX_CACHED_BYTES else (before, encoder)


_NO_TAGS: Final[Mapping[str, Any]] = {}
_NAME_TYPES: Final = (str, type(None))


def _locate(error: SerializationError, name: object, what: str = "", key: object = None) -> SerializationError:
    """Return the error with its measurement and tag or field in the message."""
    location = "" if name is None else f"measurement {short_repr(name)}"
    if what:
        location += f", {what} {short_repr(key)}"
    return SerializationError(f"{location}: {error}" if location else str(error))
