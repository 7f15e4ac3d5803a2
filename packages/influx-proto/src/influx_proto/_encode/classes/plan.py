"""Encoder for any object of a decorated class, attribute by attribute.

It encodes the objects that are not eligible for the fast paths, and raises the errors for values of wrong types. Values
are encoded by the functions for mappings.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from enum import Enum
from functools import lru_cache, partial
from typing import Any, Final

from ..._bounded_cache import BoundedCache
from ..._errors import SerializationError
from ..._line_protocol.escape import TAG_VALUES, check_line, encode_tag_prefix, escape_field_key, escape_measurement
from ..._line_protocol.options import FieldOptions, FieldType
from ..._line_protocol.values import FieldValueEncoder, TagValueEncoder, number_encoder
from ..._repr import short_repr
from ..._time import point_nanoseconds
from .schema import Attribute, Kind, Schema

#: Cached measurements and classes of values.
_CACHE_SIZE: Final = 4096

#: The field type of each annotation.
FIELD_TYPES: Final[dict[Kind, FieldType]] = {
    Kind.BOOL: "boolean",
    Kind.INT: "integer",
    Kind.DECIMAL: "float",
    Kind.FLOAT: "float",
    Kind.STR: "string",
    Kind.ENUM: "string",
}


class Plan:
    """Encoder for the objects of a class with the options of a write.

    Args:
        schema: the schema of the class.
        name: the default measurement; None for the name of the class.
        tags: encoded tags for all points.
        precision: the unit of integer timestamps.
        field_options: how field values are encoded.
    """

    def __init__(
        self,
        schema: Schema,
        name: str | None,
        tags: Iterable[tuple[str, bytes]],
        precision: str,
        field_options: FieldOptions,
    ) -> None:
        self.schema = schema
        self.names = _MeasurementCache()
        self.tag_values = TAG_VALUES
        self.default_name = schema.cls.__name__ if name is None else name
        self.precision = precision
        self.measurement = (
            None if schema.measurement is None else Fragment(self, schema.measurement, self._encode_measurement)
        )
        constant = {**dict(tags), **schema.extra_tags}
        encoded = {key: encode_tag_prefix(key) + value for key, value in constant.items()}
        own = {
            tag.name: Fragment(
                self,
                tag,
                _by_name(TagValueEncoder(), tag),
                encode_tag_prefix(tag.name),
                without=encoded.get(tag.name, b""),
            )
            for tag in schema.tags
        }
        #: In the order of the line: fragments with a value, and constant tags.
        self.tags: list[Fragment | bytes] = [
            own[key] if key in own else encoded[key] for key in sorted({*own, *encoded})
        ]
        self.fields: list[Fragment] = []
        #: Fields without a type override.
        self.default_typed: set[Attribute] = set()
        for field in schema.fields:
            field_type = field_options.field_types.get(field.name)
            default_type = FIELD_TYPES[field.kind]
            if field_type in {None, default_type} and not (
                field_options.integers_as_floats and field_type is None and field.kind is Kind.INT
            ):
                self.default_typed.add(field)
            encode = _by_name(FieldValueEncoder(field_options, field_type), field)
            before = b",%b=" % escape_field_key(field.name).encode()
            self.fields.append(
                Fragment(self, field, _float_field(encode) if field.kind is Kind.FLOAT else encode, before)
            )
        self.placeholder = b""
        if schema.placeholder:
            true = FieldValueEncoder(field_options, field_options.field_types.get("_")).encode(value=True)
            self.placeholder = b"" if true is None else b",_=" + true
        self.time = None if schema.time is None else Fragment(self, schema.time, self._encode_time, b" ")

    def line(self, point: object) -> bytes | None:
        """Return the line, or None if no field has a value.

        Raises:
            SerializationError: a value has a wrong type or cannot be encoded.
        """
        name = b""
        try:
            series = name = self.measurement.of(point) if self.measurement else self.names[self.default_name]
            for tag in self.tags:
                series += tag if isinstance(tag, bytes) else tag.of(point)
            fields = b"".join([field.of(point) for field in self.fields]) or self.placeholder
            if not fields:
                return None
            line = b"%b %b%b" % (series, fields[1:], self.time.of(point) if self.time else b"")
            check_line(line)
        except SerializationError as error:
            msg = f"measurement {short_repr(name.decode())}, {error}" if name else str(error)
            raise SerializationError(msg) from None
        return line

    def _encode_measurement(self, value: str | None) -> bytes:
        return self.names[self.default_name if value is None else str.__str__(value)]

    def _encode_time(self, value: object) -> bytes | None:
        return None if value is None else number_encoder()(point_nanoseconds(value, self.precision))


class Fragment:
    """Part of a line that encodes one attribute."""

    def __init__(
        self,
        plan: Plan,
        attribute: Attribute,
        encode: Callable[[Any], bytes | None],
        before: bytes = b"",
        without: bytes = b"",
    ) -> None:
        self.attribute = attribute
        self._encode = encode
        self.before = before
        self._without = without
        self._cls = plan.schema.cls.__name__
        self._needed = not (plan.schema.rm_none or attribute.optional)
        self._accepts: Callable[[type], bool] = lru_cache(_CACHE_SIZE)(partial(_accepts, attribute))
        #: Whether the fragment is empty if the value is None.
        self.may_lack = not (self._needed or without or attribute.kind is Kind.MEASUREMENT)

    def comma_after(self) -> Callable[[Any], bytes]:
        """Return a function that encodes the field with its comma after it."""
        return lambda value: field[1:] + b"," if (field := self(value)) else b""

    def __call__(self, value: object) -> bytes:
        """Encode a value with its prefix, or return the fragment for a missing value."""
        if value is None and self._needed:
            msg = f"None is not allowed by its annotation ({self.attribute.kind.name}); add `| None` or set a value"
            raise SerializationError(msg)
        if not self._accepts(type(value)):
            if self.attribute.kind not in _MAY_LACK or not _is_missing(value):
                expected = self.attribute.kind.name if self.attribute.enum is None else self.attribute.enum.__name__
                raise SerializationError(f"expected {expected}, got {type(value).__name__} ({short_repr(value)})")
            value = None
        encoded = self._encode(value)
        return self._without if encoded is None else self.before + encoded

    def of(self, point: object) -> bytes:
        """Encode the attribute of an object; errors name the attribute."""
        name = self.attribute.name
        try:
            value = getattr(point, name)
        except AttributeError as error:
            raise SerializationError(f"attribute {name!r} of {self._cls}: {error}") from error
        try:
            return self(value)
        except SerializationError as error:
            raise SerializationError(f"attribute {name!r} of {self._cls}: {error}") from None


def _accepts(attribute: Attribute, cls: type) -> bool:
    """Return whether an attribute accepts values of a class."""
    if cls is type(None) or attribute.kind is Kind.TAG:  # the tag encoder checks it
        return True
    if attribute.kind in {Kind.TAGENUM, Kind.ENUM}:
        return issubclass(cls, attribute.enum or Enum)
    accepted, rejected = _CLASSES[attribute.kind]
    return _is_subclass(cls, accepted) and not _is_subclass(cls, rejected)


#: The classes that an annotation accepts, and their subclasses that it rejects; those of numpy by name.
_CLASSES: Final[dict[Kind, tuple[tuple[type | str, ...], tuple[type | str, ...]]]] = {
    Kind.MEASUREMENT: ((str,), ()),
    Kind.TIMEINT: ((int, "integer"), (bool, "timedelta64")),
    Kind.TIMESTR: ((str,), ()),
    Kind.TIMEDT: ((datetime, "datetime64"), ()),
    Kind.BOOL: ((bool, "bool_"), ()),
    Kind.INT: ((int, "integer"), (bool, "timedelta64")),
    Kind.DECIMAL: ((Decimal,), ()),
    Kind.FLOAT: ((float, "floating", int, "integer"), (bool, "timedelta64")),
    Kind.STR: ((str,), ()),
}

#: Attributes that NaN and the like omit; for a measurement or timestamp they are errors.
_MAY_LACK: Final = {Kind.TAGENUM, *FIELD_TYPES}

_ANYTHING: Final = FieldValueEncoder(FieldOptions())


def _is_subclass(cls: type, classes: Iterable[type | str]) -> bool:
    numpy = sys.modules.get("numpy")
    found = (getattr(numpy, each, ()) if isinstance(each, str) else each for each in classes)
    return issubclass(cls, tuple(found))


def _is_missing(value: object) -> bool:
    try:
        return _ANYTHING.encode(value) is None
    except SerializationError:
        return False


class _MeasurementCache(BoundedCache[str, bytes]):
    """Cache of escaped measurements."""

    def __init__(self) -> None:
        super().__init__(_CACHE_SIZE)

    def __missing__(self, name: str) -> bytes:
        return self.remember(name, escape_measurement(name).encode())


def _by_name(encoder: FieldValueEncoder | TagValueEncoder, attribute: Attribute) -> Callable[[Any], bytes | None]:
    """Return the function that encodes an attribute; a `TAGENUM` or `ENUM` is encoded by the name of the member."""
    if attribute.kind not in {Kind.TAGENUM, Kind.ENUM}:
        return encoder.encode
    return lambda value: encoder.encode_name(value) if isinstance(value, Enum) else encoder.encode(value)


def _float_field(encode: Callable[[Any], bytes | None]) -> Callable[[Any], bytes | None]:
    """Return the function that encodes a float field; integers with an exact float are encoded as floats."""
    exact = FieldValueEncoder(FieldOptions(), "float").encode

    def of(value: Any) -> bytes | None:
        if hasattr(value, "__index__"):
            value = float(exact(value) or "nan")
        return encode(value)

    return of
