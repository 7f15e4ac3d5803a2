"""Points as mappings: `{"measurement": "cpu", "time": ..., "tags": {...}, "fields": {...}}`, each to one line.

`measurement`, `time` and `tags` may be missing; keys other than these four mean nothing here. Tags are sorted by their
key, which saves the server from doing it. Tags that are given for all points join those of the point, where the
point's own win; one that is missing or empty is no tag.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NoReturn

from .._bounded_cache import BoundedCache
from .._errors import SerializationError
from .._line_protocol.escape import (
    SHORT_LINE,
    SUSPICIOUS,
    TAG_VALUES,
    before_tag,
    check_line,
    field_key,
    measurement,
    tag_key,
)
from .._line_protocol.options import FieldOptions
from .._line_protocol.values import FieldValueEncoder, TagValueEncoder, number_encoder
from .._repr import short_repr
from .._time import FIRST, LAST, to_nanoseconds, unit

#: Series, shapes and field keys that are remembered. Where there are more, all are forgotten and learned anew.
_REMEMBERED: Final = 4096
#: Bytes of a series that is remembered, since it stays as long as the process.
_LONGEST_REMEMBERED: Final = 512


class PointEncoder:
    """Turns mappings to lines.

    Args:
        name: the measurement of points that name none.
        tags: tags for all points.
        precision: the unit of times that are bare integers.
        field_options: how field values are encoded.

    Raises:
        SerializationError: the measurement or the tags cannot be written.
        ValueError: there is no such precision.
    """

    def __init__(
        self, name: str | None, tags: Mapping[str, object], precision: str, field_options: FieldOptions
    ) -> None:
        #: The measurement of points that name none.
        self.name = name
        self._precision = precision
        self._unit = unit(precision)
        self._number = number_encoder()
        #: Of each field key what there is to know.
        self.fields = Fields(field_options)
        self._tag_texts = TagValueEncoder()
        self._tag_values = TAG_VALUES
        if name is not None:
            measurement(name)
        if not isinstance(tags, Mapping):
            self._reject_type("tags", tags)
        #: Tags for all points, each with its whole text.
        self._common: dict[str, bytes] = {}
        for key, value in tags.items():
            try:
                text = self._tag_texts.encode(value)
                if text is not None:
                    self._common[key] = before_tag(key) + text
            except SerializationError as error:
                msg = f"tag {short_repr(key)} for all points: {error}"
                raise SerializationError(msg) from None
        #: Series by measurement, tag keys and tag values, where all of these are str.
        self._known: BoundedCache[tuple[str, ...], bytes] = BoundedCache(_REMEMBERED)
        #: By measurement and tag keys: the measurement's text, and in the order of the line each key, the text before
        #: its value, and the text where the point has no value for it.
        self._shapes: BoundedCache[tuple[str, ...], tuple[bytes, list[tuple[str, bytes, bytes]]]] = BoundedCache(
            _REMEMBERED
        )

    def line(self, point: Mapping[str, Any]) -> bytes | None:
        """Give the line of a point, or None if no field is left when those without a value are left out.

        Raises:
            SerializationError: the point cannot be written; says which measurement and field or tag, and why.
        """
        name = point.get("measurement")
        if name is None:
            name = self.name
        fields = point.get("fields")
        if type(fields) is not dict and not isinstance(fields, Mapping):
            if fields is None and "fields" in point:
                return None
            self._reject_fields(point, fields, name)
        series = self._series(name, point.get("tags"))
        text = self._field_set(name, fields)
        if not text:
            return None
        time = point.get("time")
        if time is None:
            line = b"%b %b" % (series, text)
        else:
            if type(time) is not int or not FIRST <= (ns := time * self._unit) <= LAST:
                ns = self._time(time, name)
            line = b" ".join((series, text, self._number(ns)))
        if len(line) > SHORT_LINE or SUSPICIOUS in line:
            try:
                check_line(line)
            except SerializationError as error:
                raise _located(error, name) from None
        return line

    def _field_set(self, name: object, fields: Mapping[str, Any]) -> bytes:
        """Give the fields that have a value, with commas between them."""
        parts: list[bytes] = []
        key: object = None
        plan = self.fields
        plain_float = plan.plain_float
        number = self._number
        try:
            for key, value in fields.items():
                before, texts = plan[key]
                kind = type(value)
                text: bytes | None
                # Most values are floats, and a call more for each of them can be felt.
                if kind is not float or texts is not plain_float or (text := number(value)) == b"null":
                    text = texts[kind](value)
                if text is not None:
                    parts.append(before + text)
        except SerializationError as error:
            raise _located(error, name, "field", key) from None
        return b",".join(parts)

    def _series(self, name: Any, tags: Any) -> bytes:
        """Give measurement and tags; most points are of a series that was there before."""
        if type(name) is not str:
            name = self._plain_name(name)
        if tags is None:
            tags = _NOTHING
        elif type(tags) is not dict and not isinstance(tags, Mapping):
            self._reject_type("tags", tags, name)
        values = [*tags.values()]
        for value in values:
            # Another type may equal a text, or another type, and be written otherwise.
            if type(value) is not str:
                return self.make_series(name, tags)
        key = (name, *tags, *values)
        series = self._known.get(key)
        if series is None:
            series = self.make_series(name, tags)
            if len(series) <= _LONGEST_REMEMBERED:
                self._known.remember(key, series)
        return series

    def make_series(self, name: str, tags: Mapping[str, Any]) -> bytes:
        """Give measurement and tags, tags for all points among them.

        Raises:
            SerializationError: they cannot be written.
        """
        line, keys = self.shape((name, *tags))
        get = tags.get
        key = ""
        try:
            for key, before, without in keys:
                text = self.tag_text(get(key))
                line += without if text is None else before + text
        except SerializationError as error:
            raise _located(error, name, "tag", key) from None
        return line

    def tag_text(self, value: Any) -> bytes | None:
        """Give the escaped text of a tag value, or None where it is missing or empty.

        Raises:
            SerializationError: it cannot be written.
        """
        if type(value) is str and value:
            return self._tag_values[value]
        return self._tag_texts[type(value)](value)

    def shape(self, shape: tuple[str, ...]) -> tuple[bytes, list[tuple[str, bytes, bytes]]]:
        """Give what all series of a measurement with the same tag keys have in common.

        Args:
            shape: the measurement and the tag keys.

        Returns:
            The measurement's text, and in the order of the line each key, tags for all points among them, with the text
            before its value and the text where a point has no value for it.

        Raises:
            SerializationError: these cannot be written.
        """
        found = self._shapes.get(shape)
        return self._learn(shape) if found is None else found

    def _learn(self, shape: tuple[str, ...]) -> tuple[bytes, list[tuple[str, bytes, bytes]]]:
        name, *own = shape
        key: Any = _NOTHING
        try:
            text = measurement(name).encode()
            common = self._common
            for key in own:
                tag_key(key)
            keys = [(key, before_tag(key), common.get(key, b"")) for key in sorted({*own, *common})]
        except SerializationError as error:
            raise (_located(error, name) if key is _NOTHING else _located(error, name, "tag", key)) from None
        return self._shapes.remember(shape, (text, keys))

    def time_text(self, time: object) -> bytes:
        """Give the text of a point's time, with the space before it; nothing where it has none.

        Raises:
            SerializationError: it tells no time.
        """
        return b"" if time is None else b" " + self._number(self._time(time, None))

    def _time(self, time: Any, name: object) -> int:
        try:
            found = to_nanoseconds(time, self._precision)
        except SerializationError as error:
            raise _located(error, name) from None
        if found is None:
            # Left out, it would be stored with the time of the server: a wrong one, where the caller had none.
            msg = "the time is NaT; a point that is to get the server's time has None for it, or no time at all"
            raise _located(SerializationError(msg), name)
        return found

    def _plain_name(self, name: object) -> str:
        if name is None:
            msg = "the point has no measurement, and none is given for all points"
            raise SerializationError(msg)
        if isinstance(name, str):
            return str.__str__(name)
        msg = f"a measurement must be a str, not {type(name).__name__} ({short_repr(name)})"
        raise SerializationError(msg)

    def _reject_fields(self, point: Mapping[str, Any], fields: object, name: object) -> NoReturn:
        if fields is not None:
            self._reject_type("fields", fields, name)
        keys = ", ".join(short_repr(key) for key in list(point)[:10])
        msg = f"a {type(point).__name__} without 'fields' is no point; its keys are {keys or 'none'}"
        raise _located(SerializationError(msg), name)

    def _reject_type(self, what: str, value: object, name: object = None) -> NoReturn:
        msg = f"{what} must be a mapping, not {type(value).__name__} ({short_repr(value)})"
        raise _located(SerializationError(msg), name)


def point_encoder(
    name: str | None, tags: Mapping[str, object], precision: str, field_options: FieldOptions
) -> PointEncoder:
    """Give an encoder of points: where it can, one that was there before, and knows most of what small writes repeat.

    Arguments and errors are those of `PointEncoder`.
    """
    # As above, what is no `str` exactly may equal one and yet be written otherwise.
    texts = tuple(tags.items()) if isinstance(tags, Mapping) else None
    if texts is None or type(name) not in _NAMES or not all(type(key) is type(value) is str for key, value in texts):
        return PointEncoder(name, tags, precision, field_options)
    return _learned(name, texts, precision, field_options)


@lru_cache(maxsize=16)
def _learned(
    name: str | None, tags: tuple[tuple[str, str], ...], precision: str, field_options: FieldOptions
) -> PointEncoder:
    return PointEncoder(name, dict(tags), precision, field_options)


class Fields(BoundedCache[Any, tuple[bytes, FieldValueEncoder]]):
    """By field key: the text before the value, and the texts of values."""

    def __init__(self, field_options: FieldOptions) -> None:
        super().__init__(_REMEMBERED)
        self._any = FieldValueEncoder(field_options)
        #: The texts by which a float is what JSON has for it; not so where it is pinned to another type.
        self.plain_float = self._any
        self._pinned = {key: FieldValueEncoder(field_options, pin) for key, pin in field_options.field_types.items()}

    def __missing__(self, key: object) -> tuple[bytes, FieldValueEncoder]:
        found = field_key(key).encode() + b"=", self._pinned.get(key, self._any) if isinstance(key, str) else self._any
        return self.remember(key, found)


_NOTHING: Final[Mapping[str, Any]] = {}
_NAMES: Final = (str, type(None))


def _located(error: SerializationError, name: object, what: str = "", key: object = None) -> SerializationError:
    where = "" if name is None else f"measurement {short_repr(name)}"
    if what:
        where += f", {what} {short_repr(key)}"
    return SerializationError(f"{where}: {error}" if where else str(error))
