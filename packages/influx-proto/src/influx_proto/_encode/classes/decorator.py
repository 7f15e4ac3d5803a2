"""Decorator `@lineprotocol` and the encoders for objects of decorated classes.

A class is read once (`schema`). For each set of write options there is a plan (`plan`), which encodes any object or
raises the error for it. Two fast paths are derived from the plan: a compiled expression for one object (`codegen`) and
columns for many (`columnar`). All of them encode values with the functions for mappings, so the bytes are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, TypeVar, overload

from ..._errors import SchemaError, SerializationError
from ..._line_protocol.options import DEFAULT, FieldOptions
from ..._line_protocol.values import TagValueEncoder
from ..._repr import short_repr
from ..grouping import GroupEncoder
from .codegen import compile_line
from .columnar import ClassColumns
from .plan import Plan
from .schema import ATTRIBUTE, Schema, read_schema, schema_of

T = TypeVar("T")


@overload
def lineprotocol(
    cls: type[T],
    /,
    *,
    schema: Mapping[str, object] | None = None,
    extra_tags: Mapping[str, object] | None = None,
    placeholder: bool = False,
    rm_none: bool = True,
) -> type[T]: ...


@overload
def lineprotocol(
    *,
    schema: Mapping[str, object] | None = None,
    extra_tags: Mapping[str, object] | None = None,
    placeholder: bool = False,
    rm_none: bool = True,
) -> Callable[[type[T]], type[T]]: ...


def lineprotocol(
    cls: type[Any] | None = None,
    /,
    *,
    schema: Mapping[str, object] | None = None,
    extra_tags: Mapping[str, object] | None = None,
    placeholder: bool = False,
    rm_none: bool = True,
) -> Any:
    """Make the objects of a class points, which can be written, alone or in iterables, and read back.

    The class may be a `NamedTuple`, a dataclass, an attrs class, a `msgspec.Struct`, or any other class with
    annotations. Each annotation declares the role of the attribute: `MEASUREMENT`, `TIMEINT`, `TIMESTR`, `TIMEDT`,
    `TAG`, `TAGENUM`, `BOOL`, `INT`, `DECIMAL`, `FLOAT`, `STR` or `ENUM`. `| None` declares that the value may be
    missing, which also encodes faster than an undeclared None. A `ClassVar` is not part of the point::

        @lineprotocol
        class Trade(NamedTuple):
            time: TIMEDT
            venue: TAG
            price: FLOAT
            size: INT | None

    The class gets a method `to_lineprotocol()`, which returns the line of an object as bytes; integer timestamps are in
    nanoseconds. Type checkers do not see methods that a decorator adds; `serialize(object)` returns the same line.

    A value must have the annotated type or the corresponding type of numpy: an `INT` rejects `1.5`, a `STR` rejects
    `5`. A `FLOAT` accepts integers and encodes them as floats. A `TAG` accepts every value that a tag of a mapping may
    have.

    Args:
        cls: the class. Without it a decorator is returned.
        schema: annotations by attribute name, instead of those of the class:
            `lineprotocol(namedtuple("Trade", "venue price"), schema={"venue": TAG, "price": FLOAT})`.
        extra_tags: tags of all points of the class; an attribute of the same name takes precedence if it has a value.
        placeholder: write a field `_=true` if no other field has a value, so that the point is not skipped.
        rm_none: omit every None. False raises for None if the annotation does not allow it.

    Raises:
        SchemaError: the class does not describe a point: no annotations, two measurements, two timestamps, no field,
            another annotation, or a name or tag that cannot be encoded.
    """

    def decorate(cls: type[Any]) -> type[Any]:
        if not isinstance(cls, type):
            raise SchemaError(f"@lineprotocol decorates classes, got {short_repr(cls)}")
        for name, given in (("schema", schema), ("extra_tags", extra_tags)):
            if given is not None and not isinstance(given, Mapping):
                raise SchemaError(f"{name}: must be a mapping, not {type(given).__name__}")
        found = read_schema(cls, schema, extra_tags or {}, placeholder=placeholder, rm_none=rm_none)
        encode = _compiled(found, None, (), "ns", DEFAULT).line

        def to_lineprotocol(self: Any) -> bytes:
            """Return the line of this point. Integer timestamps are in nanoseconds.

            Raises:
                SerializationError: a value has a wrong type or cannot be encoded, or no field has a value.
            """
            if type(self) is not cls:
                schema_of(type(self))
            line = encode(self)
            if line is None:
                raise SerializationError(_no_field(found))
            return line

        try:
            setattr(cls, ATTRIBUTE, found)
            cls.to_lineprotocol = to_lineprotocol
        except TypeError as error:
            raise SchemaError(str(error)) from None
        return cls

    return decorate if cls is None else decorate(cls)


@dataclass(frozen=True, slots=True)
class ObjectEncoder:
    """Functions that encode the objects of a class with the options of a write."""

    #: Returns the line, or None if no field has a value. Raises SerializationError.
    line: Callable[[Any], bytes | None]
    #: Returns the lines of many objects (at least one), and whether all have a timestamp; None if an object is not
    #: eligible for the fast path.
    lines: GroupEncoder
    #: Returns the timestamp of an object, or None.
    time: Callable[[Any], object]
    #: The error message for an object without a field.
    no_field: str


def object_encoder(
    kind: type, name: str | None, tags: Mapping[str, object], precision: str, field_options: FieldOptions
) -> ObjectEncoder | None:
    """Return the encoder for objects of a class with the options of a write; None if the class is not decorated.

    Args:
        kind: the class.
        name: the default measurement.
        tags: tags for all points, already checked.
        precision: the unit of integer timestamps.
        field_options: how field values are encoded.

    Raises:
        SchemaError: the class adds annotations to a decorated base class.
    """
    schema = schema_of(kind)
    if schema is None:
        return None
    encoder = TagValueEncoder()
    constant = ((str.__str__(key), encoder.encode(value)) for key, value in tags.items())
    encoded_tags = tuple((key, value) for key, value in constant if value is not None)
    return _compiled(schema, name, encoded_tags, precision, field_options)


@lru_cache(maxsize=512)
def _compiled(
    schema: Schema, name: str | None, tags: tuple[tuple[str, bytes], ...], precision: str, field_options: FieldOptions
) -> ObjectEncoder:
    plan = Plan(schema, name, tags, precision, field_options)
    time = partial(_attribute, name=schema.time.name) if schema.time else _no_time
    return ObjectEncoder(compile_line(plan), ClassColumns(plan).lines, time, _no_field(schema))


def _attribute(point: object, name: str) -> object:
    return getattr(point, name)  # `attrgetter` would split a name at dots


def _no_time(_point: object) -> None:
    return None


def _no_field(schema: Schema) -> str:
    return f"this {schema.cls.__name__} has no field with a value"
