"""How an object that is a point is written, whatever is in it: an attribute after the other.

This is what objects go through that are not what the annotations of their class promise; where a value does not fit, it
is found here which and why. The texts of values come from where mappings take them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Final, Literal

from ..._bounded_cache import BoundedCache
from ..._errors import SerializationError
from ..._line_protocol.escape import TAG_VALUES, before_tag, check_line, field_key, measurement
from ..._line_protocol.options import FieldOptions, FieldType
from ..._line_protocol.values import FieldValueEncoder, TagValueEncoder, number_encoder
from ..._repr import short_repr
from ..._time import to_nanoseconds
from .schema import Attribute, Kind, Schema

#: Measurements and classes of values that are remembered.
_REMEMBERED: Final = 4096

#: The type of field that each kind is.
FIELD_TYPES: Final[dict[Kind, FieldType]] = {
    Kind.BOOL: "boolean",
    Kind.INT: "integer",
    Kind.DECIMAL: "float",
    Kind.FLOAT: "float",
    Kind.STR: "string",
    Kind.ENUM: "string",
}


@dataclass(frozen=True, slots=True)
class Options:
    """What a write says about all its points, in a form that can be looked up."""

    name: str | None
    tags: tuple[tuple[str, bytes], ...]
    precision: str
    unsigned: bool
    nonfinite: Literal["raise", "omit"]
    floats: bool
    pins: frozenset[tuple[str, FieldType]] = frozenset()


class Plan:
    """How objects of a class are written whatever is in them, a value after the other."""

    def __init__(self, schema: Schema, options: Options) -> None:
        pins = dict(options.pins)
        field_options = FieldOptions(options.unsigned, options.nonfinite, pins, options.floats)
        self.schema = schema
        self.names = _Names()
        self.tag_values = TAG_VALUES
        self.default_name = schema.cls.__name__ if options.name is None else options.name
        self.precision = options.precision
        self.measurement = None if schema.measurement is None else Piece(self, schema.measurement, self._name_text)
        constant = {**dict(options.tags), **schema.extra_tags}
        whole = {key: before_tag(key) + text for key, text in constant.items()}
        own = {
            tag.name: Piece(
                self, tag, _by_name(TagValueEncoder(), tag), before_tag(tag.name), without=whole.get(tag.name, b"")
            )
            for tag in schema.tags
        }
        #: In the order of the line: what differs, and what is the same in every point.
        self.tags: list[Piece | bytes] = [own[key] if key in own else whole[key] for key in sorted({*own, *whole})]
        self.fields: list[Piece] = []
        #: Fields that are written as their kind is, without a choice of the caller's.
        self.usual: set[Attribute] = set()
        for field in schema.fields:
            pin = pins.get(field.name)
            default_type = FIELD_TYPES[field.kind]
            if pin in {None, default_type} and not (options.floats and pin is None and field.kind is Kind.INT):
                self.usual.add(field)
            text = _by_name(FieldValueEncoder(field_options, pin), field)
            before = b",%b=" % field_key(field.name).encode()
            self.fields.append(Piece(self, field, _of_floats(text) if field.kind is Kind.FLOAT else text, before))
        true = FieldValueEncoder(field_options, pins.get("_")).text(value=True) if schema.placeholder else None
        self.placeholder = b"" if true is None else b",_=" + true
        self.time = None if schema.time is None else Piece(self, schema.time, self._time_text, b" ")

    def line(self, point: object) -> bytes | None:
        """Give the line, or None where no field has a value.

        Raises:
            SerializationError: a value is not what it must be, or cannot be written.
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

    def _name_text(self, value: str | None) -> bytes:
        return self.names[self.default_name if value is None else str.__str__(value)]

    def _time_text(self, value: object) -> bytes | None:
        ns = to_nanoseconds(value, self.precision)
        if ns is None and value is not None:
            # Left out, it would be stored with the time of the server: a wrong one, where the caller had none.
            msg = "the time is NaT; a point that is to get the server's time has None for it"
            raise SerializationError(msg)
        return None if ns is None else number_encoder()(ns)


class Piece:
    """What a line has of an attribute."""

    def __init__(
        self,
        plan: Plan,
        attribute: Attribute,
        text: Callable[[Any], bytes | None],
        before: bytes = b"",
        without: bytes = b"",
    ) -> None:
        self.attribute = attribute
        self._text = text
        self.before = before
        self._without = without
        self._cls = plan.schema.cls.__name__
        self._needed = not (plan.schema.rm_none or attribute.optional)
        self._accepts = _Accepted(attribute)
        #: Whether there is just nothing of it where the value is None.
        self.may_lack = not (self._needed or without or attribute.kind is Kind.MEASUREMENT)

    def comma_after(self) -> Callable[[Any], bytes]:
        """Give a function for a field that has its comma behind it."""
        return lambda value: text[1:] + b"," if (text := self(value)) else b""

    def __call__(self, value: object) -> bytes:
        """Give the text, with what is before it; or what there is where the value is missing."""
        if value is None and self._needed:
            msg = f"None, which its annotation ({self.attribute.kind.name}) does not allow"
            raise SerializationError(msg)
        if not self._accepts[type(value)]:
            if self.attribute.kind not in _MAY_LACK or not _is_missing(value):
                msg = f"a {type(value).__name__} ({short_repr(value)}) is no {self._accepts.name}"
                raise SerializationError(msg)
            value = None
        text = self._text(value)
        return self._without if text is None else self.before + text

    def of(self, point: object) -> bytes:
        """Give the text for an object; errors say which attribute it is."""
        name = self.attribute.name
        try:
            value = getattr(point, name)
        except AttributeError as error:
            msg = f"attribute {name!r} of {self._cls}: {error}"
            raise SerializationError(msg) from error
        try:
            return self(value)
        except SerializationError as error:
            msg = f"attribute {name!r} of {self._cls}: {error}"
            raise SerializationError(msg) from None


class _Accepted(BoundedCache[type, bool]):
    """Whether an attribute takes values of a class."""

    def __init__(self, attribute: Attribute) -> None:
        super().__init__(_REMEMBERED)
        self._kind = attribute.kind
        self._enum = attribute.enum or Enum
        #: What a value has to be.
        self.name = attribute.kind.name if attribute.enum is None else attribute.enum.__name__

    def __missing__(self, kind: type) -> bool:
        return self.remember(kind, self._find(kind))

    def _find(self, kind: type) -> bool:
        if kind is type(None):
            return True
        if self._kind is Kind.TAG:
            return True  # whatever a tag may be
        if self._kind in {Kind.TAGENUM, Kind.ENUM}:
            return issubclass(kind, self._enum)
        yes, no = _CLASSES[self._kind]
        return _is_one(kind, yes) and not _is_one(kind, no)


#: The classes that a kind takes, and those it does not although they are derived from them; numpy's by name.
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

#: What is left out also for NaN and the like; a time or measurement that is one of these is a mistake.
_MAY_LACK: Final = {Kind.TAGENUM, *FIELD_TYPES}

_ANYTHING: Final = FieldValueEncoder(FieldOptions())


def _is_one(kind: type, classes: Iterable[type | str]) -> bool:
    numpy = sys.modules.get("numpy")
    found = (getattr(numpy, one, ()) if isinstance(one, str) else one for one in classes)
    return issubclass(kind, tuple(found))


def _is_missing(value: object) -> bool:
    try:
        return _ANYTHING.text(value) is None
    except SerializationError:
        return False


class _Names(BoundedCache[str, bytes]):
    """Escaped measurements by plain ones."""

    def __init__(self) -> None:
        super().__init__(_REMEMBERED)

    def __missing__(self, name: str) -> bytes:
        return self.remember(name, measurement(name).encode())


def _by_name(texts: FieldValueEncoder | TagValueEncoder, attribute: Attribute) -> Callable[[Any], bytes | None]:
    """Return the function for an attribute's values: of a `TAGENUM` or `ENUM` the name of the member is written."""
    if attribute.kind not in {Kind.TAGENUM, Kind.ENUM}:
        return texts.text
    return lambda value: texts.name(value) if isinstance(value, Enum) else texts.text(value)


def _of_floats(text: Callable[[Any], bytes | None]) -> Callable[[Any], bytes | None]:
    """Give the function for a field of floats, where integers are floats as well, if they have an exact equal."""
    exact = FieldValueEncoder(FieldOptions(), "float").text

    def of(value: Any) -> bytes | None:
        if hasattr(value, "__index__"):
            value = float(exact(value) or "nan")
        return text(value)

    return of
