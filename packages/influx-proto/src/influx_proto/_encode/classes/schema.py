"""Schema of a decorated class, read from its annotations.

Each annotation is an `Annotated` alias of a plain type, so to a type checker `host: TAG` is a `str`:

- `MEASUREMENT` (`str`): the measurement. The default is the name of the class.
- `TIMEINT` (`int`), `TIMESTR` (`str`), `TIMEDT` (`datetime`): the timestamp.
- `TAG` (`str`), `TAGENUM` (`Enum`): tags.
- `BOOL`, `INT`, `DECIMAL`, `FLOAT`, `STR`, `ENUM`: fields of that type.

`X | None` and `Optional[X]` allow an attribute to be missing. `Annotated[Color, TAGENUM]` accepts only members of
`Color`, and query results are read back as members. A plain `TAGENUM` or `ENUM` accepts members of every `Enum` and
cannot be read back.
"""

from __future__ import annotations

import dataclasses
import inspect
import keyword
import types
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from enum import Enum, Flag
from typing import Annotated, Any, ClassVar, Final, TypeAlias, Union, get_args, get_origin, get_type_hints

from ..._errors import SchemaError, SerializationError
from ..._line_protocol.escape import escape_field_key, escape_measurement, escape_tag_key
from ..._line_protocol.values import TagValueEncoder
from ..._repr import short_repr

#: The attribute of a decorated class that holds its schema.
ATTRIBUTE: Final = "__lineprotocol__"


class Kind(Enum):
    """Role of an attribute in a point."""

    MEASUREMENT = "MEASUREMENT"
    TIMEINT = "TIMEINT"
    TIMESTR = "TIMESTR"
    TIMEDT = "TIMEDT"
    TAG = "TAG"
    TAGENUM = "TAGENUM"
    BOOL = "BOOL"
    INT = "INT"
    DECIMAL = "DECIMAL"
    FLOAT = "FLOAT"
    STR = "STR"
    ENUM = "ENUM"


MEASUREMENT: TypeAlias = Annotated[str, Kind.MEASUREMENT]
#: The timestamp as an integer, in the `precision` of the write; nanoseconds by default.
TIMEINT: TypeAlias = Annotated[int, Kind.TIMEINT]
#: The timestamp as a string, preferably in ISO 8601.
TIMESTR: TypeAlias = Annotated[str, Kind.TIMESTR]
#: The timestamp as a `datetime`; a naive one is in UTC.
TIMEDT: TypeAlias = Annotated[datetime, Kind.TIMEDT]
TAG: TypeAlias = Annotated[str, Kind.TAG]
#: A tag with the name of an `Enum` member.
TAGENUM: TypeAlias = Annotated[Enum, Kind.TAGENUM]
BOOL: TypeAlias = Annotated[bool, Kind.BOOL]
INT: TypeAlias = Annotated[int, Kind.INT]
#: A float field encoded with all digits of a `Decimal`; InfluxDB stores a 64-bit float.
DECIMAL: TypeAlias = Annotated[Decimal, Kind.DECIMAL]
FLOAT: TypeAlias = Annotated[float, Kind.FLOAT]
STR: TypeAlias = Annotated[str, Kind.STR]
#: A string field with the name of an `Enum` member.
ENUM: TypeAlias = Annotated[Enum, Kind.ENUM]

#: The type that type checkers see for each annotation.
PLAIN: Final[dict[Kind, type]] = {get_args(alias)[1]: get_args(alias)[0] for alias in (
    MEASUREMENT, TIMEINT, TIMESTR, TIMEDT, TAG, TAGENUM, BOOL, INT, DECIMAL, FLOAT, STR, ENUM,
)}  # fmt: skip

_TIMES: Final = {Kind.TIMEINT, Kind.TIMESTR, Kind.TIMEDT}
_TAGS: Final = {Kind.TAG, Kind.TAGENUM}
_ENUMS: Final = {Kind.TAGENUM, Kind.ENUM}


@dataclasses.dataclass(frozen=True, slots=True)
class Attribute:
    """Attribute that is part of the point."""

    name: str
    kind: Kind
    #: Whether its annotation allows None.
    optional: bool
    #: The `Enum` class of a `TAGENUM` or `ENUM`, if the annotation names one.
    enum: type[Enum] | None

    @property
    def has_names(self) -> bool:
        """Whether all values are members of one `Enum` and have names; combined flags have none."""
        return self.enum is not None and not issubclass(self.enum, Flag)


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Schema:
    """Schema of a decorated class; two schemas are never equal."""

    cls: type
    measurement: Attribute | None
    time: Attribute | None
    tags: tuple[Attribute, ...]
    fields: tuple[Attribute, ...]
    #: Tags of all points of the class: escaped values by key.
    extra_tags: Mapping[str, bytes]
    #: Whether a point without any field gets the field `_=true`.
    placeholder: bool
    #: Whether None is always omitted, even if the annotation does not allow it.
    rm_none: bool

    @property
    def tuple_fields(self) -> tuple[str, ...]:
        """The field names of a namedtuple class, if its objects can be unpacked."""
        cls: Any = self.cls
        if not issubclass(self.cls, tuple) or cls.__iter__ is not tuple.__iter__:
            return ()
        return tuple(getattr(cls, "_fields", ()))

    @property
    def attributes(self) -> Iterator[Attribute]:
        """Yield all attributes: measurement, time, tags, fields."""
        if self.measurement is not None:
            yield self.measurement
        if self.time is not None:
            yield self.time
        yield from self.tags
        yield from self.fields


def schema_of(cls: type) -> Schema | None:
    """Return the schema of a decorated class or of its subclass; None for any other class.

    Raises:
        SchemaError: a subclass adds annotations, which the inherited schema does not include.
    """
    schema: object = getattr(cls, ATTRIBUTE, None)
    if not isinstance(schema, Schema):
        return None
    for base in cls.__mro__:
        if ATTRIBUTE in vars(base):
            break
        if inspect.get_annotations(base):
            raise SchemaError(
                f"{base.__name__} adds annotations that the schema inherited from {schema.cls.__name__} does not "
                "include; decorate it with @lineprotocol as well"
            )
    return schema


def read_schema(
    cls: type,
    schema: Mapping[str, object] | None,
    extra_tags: Mapping[str, object],
    *,
    placeholder: bool,
    rm_none: bool,
) -> Schema:
    """Return the schema of a class.

    Args:
        cls: the class.
        schema: annotations by attribute name, instead of those of the class.
        extra_tags: tags of all points.
        placeholder: see `Schema`.
        rm_none: see `Schema`.

    Raises:
        SchemaError: the class does not describe a point.
    """
    class_name = cls.__name__
    attributes = [
        attribute
        for name, annotation in _annotations(cls, schema).items()
        if (attribute := _attribute(class_name, name, annotation)) is not None
    ]
    measurements = [attribute for attribute in attributes if attribute.kind is Kind.MEASUREMENT]
    times = [attribute for attribute in attributes if attribute.kind in _TIMES]
    for what, found in (("measurement", measurements), ("time", times)):
        if len(found) > 1:
            names = " and ".join(repr(attribute.name) for attribute in found)
            raise SchemaError(f"{class_name} has more than one {what}: {names}")
    tags = tuple(attribute for attribute in attributes if attribute.kind in _TAGS)
    rest = {*measurements, *times, *tags}
    fields = tuple(attribute for attribute in attributes if attribute not in rest)
    if not fields and not placeholder:
        raise SchemaError(f"{class_name} has no field; annotate an attribute as BOOL, INT, DECIMAL, FLOAT, STR or ENUM")
    try:
        escape_measurement(cls.__name__)
        for attribute in tags:
            escape_tag_key(attribute.name)
        for attribute in fields:
            escape_field_key(attribute.name)
        encoder = TagValueEncoder()
        constant = {_plain_key(key): encoder.encode(value) for key, value in extra_tags.items()}
    except SerializationError as error:
        raise SchemaError(f"{class_name}: {error}") from None
    return Schema(
        cls,
        next(iter(measurements), None),
        next(iter(times), None),
        tags,
        fields,
        {key: value for key, value in constant.items() if value is not None},
        placeholder,
        rm_none,
    )


def _plain_key(key: str) -> str:
    escape_tag_key(key)
    return str.__str__(key)


def _annotations(cls: type, schema: Mapping[str, object] | None) -> Mapping[str, object]:
    class_name = cls.__name__
    if schema is None:
        try:
            found: Mapping[str, object] = get_type_hints(cls, include_extras=True)
        except (NameError, TypeError, SyntaxError) as error:
            msg = f"the annotations of {class_name} cannot be read: {error}; pass them as schema="
            raise SchemaError(msg) from error
    else:
        found = schema
        known = getattr(cls, "_fields", None) if issubclass(cls, tuple) else None
        for name in found:
            _check_name(class_name, name)
            if known is not None and name not in known and not hasattr(cls, name):
                raise SchemaError(f"{class_name} has no attribute {name!r}; remove it from schema=")
    if not found:
        raise SchemaError(f"{class_name} has no annotations; add some, or pass schema=")
    return found


def _check_name(class_name: str, name: object) -> None:
    # Names become part of the compiled function in the form that Python normalizes them to.
    if (
        not isinstance(name, str)
        or not name.isidentifier()
        or keyword.iskeyword(name)
        or unicodedata.normalize("NFKC", name) != name
    ):
        raise SchemaError(f"{class_name}: {short_repr(name)} in schema= is not a valid attribute name")


def _attribute(class_name: str, name: str, annotation: Any) -> Attribute | None:
    """Return the attribute that an annotation declares; None if it declares no attribute of instances."""
    optional = False
    rest = annotation
    while True:
        origin = get_origin(rest)
        if rest is ClassVar or origin is ClassVar or rest is dataclasses.KW_ONLY or type(rest) is dataclasses.InitVar:
            return None
        if origin is Annotated:
            plain, *notes = get_args(rest)
            kinds = {kind for note in notes for kind in _kinds(note)}
            if len(kinds) > 1:
                names = " and ".join(sorted(kind.name for kind in kinds))
                raise SchemaError(f"{class_name}: attribute {name!r} is annotated as {names}; keep one of them")
            if kinds:
                without = _without_none(plain)
                [kind] = kinds
                enum = _checked_class(class_name, name, kind, plain if without is None else without)
                return Attribute(name, kind, optional or without is not None, enum)
            rest = plain
        elif origin is Final:
            [rest] = get_args(rest)
        elif (without := _without_none(rest)) is not None:
            optional = True
            rest = without
        else:
            known = ", ".join(kind.name for kind in Kind)
            msg = f"{class_name}: attribute {name!r} is annotated as {short_repr(annotation)}; use one of {known}"
            raise SchemaError(msg)


def _kinds(note: object) -> Iterator[Kind]:
    """Yield the kinds in the metadata of `Annotated`; our aliases are `Annotated` themselves."""
    for item in get_args(note)[1:] if get_origin(note) is Annotated else (note,):
        if isinstance(item, Kind):
            yield item


def _without_none(annotation: Any) -> Any:
    """Return `X` of `X | None`, or None for any other annotation."""
    if get_origin(annotation) not in {Union, types.UnionType}:
        return None
    others = [each for each in get_args(annotation) if each is not type(None)]
    return others[0] if len(others) == 1 else None


def _checked_class(class_name: str, name: str, kind: Kind, plain: object) -> type[Enum] | None:
    """Check the class in `Annotated[class, kind]`; `NewType`, `Literal` and the like are not checked."""
    if isinstance(plain, type) and plain is not Any:
        expected = PLAIN[kind]
        found = f"{class_name}: attribute {name!r} is annotated as {plain.__name__}, but {kind.name} requires"
        if kind not in _ENUMS and plain is not expected:
            raise SchemaError(f"{found} {expected.__name__}")
        if kind in _ENUMS:
            if not issubclass(plain, Enum):
                raise SchemaError(f"{found} an Enum class")
            return None if plain is Enum else plain
    return None
