"""Classes whose objects are points: the decorator, and how a write finds what encodes its objects.

A class is read once (`schema`). For each set of options with which its objects are written there is a plan
(`plan`), which knows how anything is written or why it is not; and made of it, what is fast: an expression for
a single object (`codegen`), and columns for many (`columnar`). All of them take the texts of values from where
mappings take them, so the bytes are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, TypeVar, overload

from ..._errors import SchemaError, SerializationError
from ..._line_protocol.options import FieldOptions
from ..._line_protocol.values import TagValueEncoder
from ..._repr import short_repr
from ..grouping import Lines
from .codegen import compile_line
from .columnar import ClassColumns
from .plan import Options, Plan
from .schema import ATTRIBUTE, Schema, read_schema, schema_of

T = TypeVar("T")


@overload
def lineprotocol(cls: type[T], /) -> type[T]: ...


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

    The class may be a `NamedTuple`, a dataclass, of attrs, a `msgspec.Struct`, or any other with annotations. Each
    annotation says what the attribute is in the point: `MEASUREMENT`, `TIMEINT`, `TIMESTR`, `TIMEDT`, `TAG`, `TAGENUM`,
    `BOOL`, `INT`, `DECIMAL`, `FLOAT`, `STR` or `ENUM`. With `| None` it may be missing, which is also faster to write
    than None where none was announced. A `ClassVar` is no part of the point::

        @lineprotocol
        class Trade(NamedTuple):
            time: TIMEDT
            venue: TAG
            price: FLOAT
            size: INT | None

    The class gets a method `to_lineprotocol()`, which gives an object's line as bytes, with times that are integers in
    nanoseconds. Type checkers do not see what a decorator adds; `serialize(object)` gives the same and is seen.

    A value must be what the annotation says, numpy's kinds included: an `INT` is no `1.5`, a `STR` no `5`. A `FLOAT`
    may be an integer, and is then written as a float; a `TAG` may be whatever a tag of a mapping may be.

    Args:
        cls: the class; left out, a decorator comes back.
        schema: the annotations by the names of the attributes, where the class has none or other ones:
            `lineprotocol(namedtuple("Trade", "venue price"), schema={"venue": TAG, "price": FLOAT})`.
        extra_tags: tags of all points of the class; an attribute of the same name wins where it has a value.
        placeholder: write a field `_`, which is true, where no other has a value, so that the point is kept.
        rm_none: leave None out wherever it is. False makes None an error where the annotation does not allow it.

    Raises:
        SchemaError: the class does not describe a point: no annotations, two measurements, two times, no field, an
            annotation that is none of the above, or a name or tag that cannot be written.
    """

    def decorate(cls: type[Any]) -> type[Any]:
        if not isinstance(cls, type):
            msg = f"@lineprotocol is for classes, not for {short_repr(cls)}"
            raise SchemaError(msg)
        for name, given in (("schema", schema), ("extra_tags", extra_tags)):
            if given is not None and not isinstance(given, Mapping):
                msg = f"{name}: must be a mapping, not {type(given).__name__}"
                raise SchemaError(msg)
        found = read_schema(cls, schema, extra_tags or {}, placeholder=placeholder, rm_none=rm_none)
        encode = _compiled(found, Options(None, (), "ns", unsigned=False, nonfinite="raise", floats=False)).line

        def to_lineprotocol(self: Any) -> bytes:
            """Give the line of this point; times that are integers are taken for nanoseconds.

            Raises:
                SerializationError: a value is not what its annotation says, or cannot be written; or there is none.
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
    """How the objects of a class are written under the options of a write."""

    #: Gives the line, or None where no field has a value. Raises SerializationError.
    line: Callable[[Any], bytes | None]
    #: Gives the lines of many objects (at least one), and whether all have a time; or None, if they have to be written
    #: one by one, because of an error or because one has no field.
    lines: Lines
    #: Gives an object's time, None where it has none.
    time: Callable[[Any], object]
    #: What is said of an object without a field.
    no_field: str


def object_encoder(
    kind: type, name: str | None, tags: Mapping[str, object], precision: str, field_options: FieldOptions
) -> ObjectEncoder | None:
    """Give the encoder for objects of a class under the options of a write; None if the class is not decorated.

    Args:
        kind: the class.
        name: the measurement of points that name none.
        tags: tags for all points, checked already.
        precision: the unit of times that are integers.
        field_options: how field values are encoded.

    Raises:
        SchemaError: the class inherits from a decorated one, with more annotations.
    """
    schema = schema_of(kind)
    if schema is None:
        return None
    texts = TagValueEncoder()
    constant = ((str.__str__(key), texts.text(value)) for key, value in tags.items())
    options = Options(
        name,
        tuple((key, text) for key, text in constant if text is not None),
        precision,
        field_options.unsigned,
        field_options.nonfinite,
        field_options.integers_as_floats,
        frozenset(field_options.field_types.items()),
    )
    return _compiled(schema, options)


@lru_cache(maxsize=512)
def _compiled(schema: Schema, options: Options) -> ObjectEncoder:
    plan = Plan(schema, options)
    time = partial(_attribute, name=schema.time.name) if schema.time else _no_time
    return ObjectEncoder(compile_line(plan), ClassColumns(plan).lines, time, _no_field(schema))


def _attribute(point: object, name: str) -> object:
    return getattr(point, name)  # not by `attrgetter`, to which a dot in a name has a meaning


def _no_time(_point: object) -> None:
    return None


def _no_field(schema: Schema) -> str:
    return f"this {schema.cls.__name__} has no field with a value"
