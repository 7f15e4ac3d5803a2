"""What a class says about its points: the annotations that mean something to InfluxDB, and reading them.

Each annotation is an `Annotated` alias of a plain type, so to a type checker `host: TAG` is a `str` and nothing else:

- `MEASUREMENT` (`str`): the measurement. A class without one names its points after itself.
- `TIMEINT` (`int`), `TIMESTR` (`str`), `TIMEDT` (`datetime`): the time.
- `TAG` (`str`), `TAGENUM` (`Enum`): tags.
- `BOOL`, `INT`, `DECIMAL`, `FLOAT`, `STR`, `ENUM`: fields, of the type of that name.

`X | None` and `Optional[X]` allow an attribute to be missing. The last of those in `Annotated[Color, TAGENUM]` is about
the class before it: members of `Color` alone are written, and a query's answer is read back to them. A plain `TAGENUM`
or `ENUM` takes members of every `Enum`, and so cannot be read back.
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
from ..._line_protocol.escape import field_key, measurement, tag_key
from ..._line_protocol.values import TagValueEncoder
from ..._repr import short_repr

#: The attribute of a decorated class that holds its schema.
ATTRIBUTE: Final = "__lineprotocol__"


class Kind(Enum):
    """What an attribute is in a point."""

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
#: The time as an integer, in the unit that the write says: nanoseconds unless told otherwise.
TIMEINT: TypeAlias = Annotated[int, Kind.TIMEINT]
#: The time as text, best in ISO 8601.
TIMESTR: TypeAlias = Annotated[str, Kind.TIMESTR]
#: The time as a `datetime`; a naive one is in UTC.
TIMEDT: TypeAlias = Annotated[datetime, Kind.TIMEDT]
TAG: TypeAlias = Annotated[str, Kind.TAG]
#: A tag that is the name of an `Enum`'s member.
TAGENUM: TypeAlias = Annotated[Enum, Kind.TAGENUM]
BOOL: TypeAlias = Annotated[bool, Kind.BOOL]
INT: TypeAlias = Annotated[int, Kind.INT]
#: A float field written with all digits of a `Decimal`; InfluxDB stores it as a 64-bit float.
DECIMAL: TypeAlias = Annotated[Decimal, Kind.DECIMAL]
FLOAT: TypeAlias = Annotated[float, Kind.FLOAT]
STR: TypeAlias = Annotated[str, Kind.STR]
#: A string field that is the name of an `Enum`'s member.
ENUM: TypeAlias = Annotated[Enum, Kind.ENUM]

#: What each kind is to type checkers.
PLAIN: Final[dict[Kind, type]] = {get_args(alias)[1]: get_args(alias)[0] for alias in (
    MEASUREMENT, TIMEINT, TIMESTR, TIMEDT, TAG, TAGENUM, BOOL, INT, DECIMAL, FLOAT, STR, ENUM,
)}  # fmt: skip

_TIMES: Final = {Kind.TIMEINT, Kind.TIMESTR, Kind.TIMEDT}
_TAGS: Final = {Kind.TAG, Kind.TAGENUM}
_ENUMS: Final = {Kind.TAGENUM, Kind.ENUM}


@dataclasses.dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute that is part of the point."""

    name: str
    kind: Kind
    #: Whether its annotation allows None.
    optional: bool
    #: The class of its members where it is a `TAGENUM` or `ENUM` that says so.
    enum: type[Enum] | None

    @property
    def has_names(self) -> bool:
        """Whether it is of members of one `Enum` that all have names, as combined flags do not."""
        return self.enum is not None and not issubclass(self.enum, Flag)


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Schema:
    """What a class says about its points. Each is one of its own, whatever it says."""

    cls: type
    measurement: Attribute | None
    time: Attribute | None
    tags: tuple[Attribute, ...]
    fields: tuple[Attribute, ...]
    #: Tags of all points of the class, by key: the text of their value, escaped.
    extra_tags: Mapping[str, bytes]
    #: Whether a point without any field gets the field `_`, which is true.
    placeholder: bool
    #: Whether None is left out wherever it is, and not only where the annotation allows it.
    rm_none: bool

    @property
    def tuple_fields(self) -> tuple[str, ...]:
        """The names of a namedtuple's values, if its objects can be unpacked to them."""
        cls: Any = self.cls
        if not issubclass(self.cls, tuple) or cls.__iter__ is not tuple.__iter__:
            return ()
        return tuple(getattr(cls, "_fields", ()))

    @property
    def attributes(self) -> Iterator[Attribute]:
        """Give all attributes: measurement, time, tags, fields."""
        if self.measurement is not None:
            yield self.measurement
        if self.time is not None:
            yield self.time
        yield from self.tags
        yield from self.fields


def schema_of(cls: type) -> Schema | None:
    """Give the schema of a decorated class, or of one that inherits from one; None for any other class.

    Raises:
        SchemaError: the class has annotations of its own, of which the schema that it inherits knows nothing.
    """
    schema: object = getattr(cls, ATTRIBUTE, None)
    if not isinstance(schema, Schema):
        return None
    for base in cls.__mro__:
        if ATTRIBUTE in vars(base):
            break
        if inspect.get_annotations(base):
            msg = (
                f"{base.__name__} has annotations that its schema does not know, which it inherits from "
                f"{schema.cls.__name__}: decorate it with @lineprotocol as well"
            )
            raise SchemaError(msg)
    return schema


def read_schema(
    cls: type,
    schema: Mapping[str, object] | None,
    extra_tags: Mapping[str, object],
    *,
    placeholder: bool,
    rm_none: bool,
) -> Schema:
    """Read what a class says about its points.

    Args:
        cls: the class.
        schema: annotations by the name of the attribute, instead of the class's own.
        extra_tags: tags of all points.
        placeholder: see `Schema`.
        rm_none: see `Schema`.

    Raises:
        SchemaError: it does not describe a point.
    """
    where = cls.__name__
    attributes = [
        attribute
        for name, annotation in _annotations(cls, schema).items()
        if (attribute := _attribute(where, name, annotation)) is not None
    ]
    measurements = [attribute for attribute in attributes if attribute.kind is Kind.MEASUREMENT]
    times = [attribute for attribute in attributes if attribute.kind in _TIMES]
    for what, found in (("measurement", measurements), ("time", times)):
        if len(found) > 1:
            names = " and ".join(repr(attribute.name) for attribute in found)
            msg = f"{where} has more than one {what}: {names}"
            raise SchemaError(msg)
    tags = tuple(attribute for attribute in attributes if attribute.kind in _TAGS)
    rest = {*measurements, *times, *tags}
    fields = tuple(attribute for attribute in attributes if attribute not in rest)
    if not fields and not placeholder:
        msg = f"{where} has no field: no attribute is a BOOL, INT, DECIMAL, FLOAT, STR or ENUM, and a point needs one"
        raise SchemaError(msg)
    try:
        measurement(cls.__name__)
        for attribute in tags:
            tag_key(attribute.name)
        for attribute in fields:
            field_key(attribute.name)
        texts = TagValueEncoder()
        constant = {_plain_key(key): texts.text(value) for key, value in extra_tags.items()}
    except SerializationError as error:
        msg = f"{where}: {error}"
        raise SchemaError(msg) from None
    return Schema(
        cls,
        next(iter(measurements), None),
        next(iter(times), None),
        tags,
        fields,
        {key: text for key, text in constant.items() if text is not None},
        placeholder,
        rm_none,
    )


def _plain_key(key: str) -> str:
    tag_key(key)
    return str.__str__(key)


def _annotations(cls: type, schema: Mapping[str, object] | None) -> Mapping[str, object]:
    where = cls.__name__
    if schema is None:
        try:
            found: Mapping[str, object] = get_type_hints(cls, include_extras=True)
        except (NameError, TypeError, SyntaxError) as error:
            msg = f"the annotations of {where} cannot be read: {error} (schema= can say what they are)"
            raise SchemaError(msg) from error
    else:
        found = schema
        known = getattr(cls, "_fields", None) if issubclass(cls, tuple) else None
        for name in found:
            _check_name(where, name)
            if known is not None and name not in known and not hasattr(cls, name):
                msg = f"{where} has no attribute {name!r}, of which schema= tells"
                raise SchemaError(msg)
    if not found:
        msg = f"{where} has no schema: neither annotations nor schema= say what its attributes are in a point"
        raise SchemaError(msg)
    return found


def _check_name(where: str, name: object) -> None:
    # Names become part of the compiled function, in the form in which Python has them: nothing else may be a name.
    if (
        not isinstance(name, str)
        or not name.isidentifier()
        or keyword.iskeyword(name)
        or unicodedata.normalize("NFKC", name) != name
    ):
        msg = f"{where}: {short_repr(name)} in schema= is no name of an attribute"
        raise SchemaError(msg)


def _attribute(where: str, name: str, annotation: Any) -> Attribute | None:
    """Read an annotation; None if it is about no attribute of instances."""
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
                msg = f"{where}: attribute {name!r} is said to be {names}, of which it can be one"
                raise SchemaError(msg)
            if kinds:
                without = _without_none(plain)
                [kind] = kinds
                enum = _checked_class(where, name, kind, plain if without is None else without)
                return Attribute(name, kind, optional or without is not None, enum)
            rest = plain
        elif origin is Final:
            [rest] = get_args(rest)
        elif (without := _without_none(rest)) is not None:
            optional = True
            rest = without
        else:
            known = ", ".join(kind.name for kind in Kind)
            msg = f"{where}: attribute {name!r} is annotated as {short_repr(annotation)}, which is none of {known}"
            raise SchemaError(msg)


def _kinds(note: object) -> Iterator[Kind]:
    """Find what a note in `Annotated` says; it may be one of our aliases, which are `Annotated` themselves."""
    for one in get_args(note)[1:] if get_origin(note) is Annotated else (note,):
        if isinstance(one, Kind):
            yield one


def _without_none(annotation: Any) -> Any:
    """Give `X` of `X | None`, or None if it is something else."""
    if get_origin(annotation) not in {Union, types.UnionType}:
        return None
    rest = [one for one in get_args(annotation) if one is not type(None)]
    return rest[0] if len(rest) == 1 else None


def _checked_class(where: str, name: str, kind: Kind, plain: object) -> type[Enum] | None:
    """Check the class in `Annotated[class, kind]`; of what is no class (`NewType`, `Literal`) nothing is known."""
    if isinstance(plain, type) and plain is not Any:
        expected = PLAIN[kind]
        if kind not in _ENUMS and plain is not expected:
            msg = f"{where}: attribute {name!r} is a {plain.__name__}, but {kind.name} is for {expected.__name__}"
            raise SchemaError(msg)
        if kind in _ENUMS:
            if not issubclass(plain, Enum):
                msg = f"{where}: attribute {name!r} is a {plain.__name__}, but {kind.name} is for classes of Enum"
                raise SchemaError(msg)
            return None if plain is Enum else plain
    return None
