"""What writes an object that is what the annotations of its class promise: one compiled expression.

What all points of a class have in common, escaped names and constant tags, becomes one format; what differs becomes its
arguments, by the shortest way to the text of a value that keeps the promise of its annotation. Where one does not, with
None that was not announced, with numpy's numbers, with something wrong, the object goes to the `Plan`.

What takes the attributes of many objects is compiled as well, for `columnar`.

No text of a schema becomes code. The code contains the name of an attribute only if it is a plain identifier, as nearly
all are; `getattr` reads any other, with the name as a value that the code refers to.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache, partial
from types import CodeType
from typing import Any, Final

from ..._errors import SerializationError
from ..._line_protocol.escape import SHORT_LINE, SUSPICIOUS, string_value
from ..._line_protocol.options import FieldOptions
from ..._line_protocol.values import FIRST_INTEGER, LAST_INTEGER, FieldValueEncoder, number_encoder
from ..._time import FIRST, LAST, to_nanoseconds, unit
from .plan import FIELD_TYPES, Piece, Plan
from .schema import Kind


def compile_line(plan: Plan) -> Callable[[Any], bytes | None]:
    """Give the function that gives the line of an object, or None where no field has a value.

    It raises SerializationError: a value is not what it must be, or cannot be written.
    """
    return _Source(plan).function()


def compile_columns(names: Iterable[str]) -> Callable[[Sequence[Any]], Sequence[Sequence[Any]]]:
    """Give the function that gives the values of attributes of many objects, attribute by attribute.

    It takes half the time of `operator.attrgetter`.
    """
    found: dict[str, Any] = {}
    columns = "".join(f"[{_attribute_code(name, found)} for o in objects], " for name in names)
    exec(_code(f"def columns(objects):\n    return ({columns})\n"), found)  # noqa: S102 - see `_attribute_code`
    function: Callable[[Sequence[Any]], Sequence[Sequence[Any]]] = found["columns"]
    return function


#: Names that Python reads as the very same attribute; it normalizes other letters.
_PLAIN_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def _attribute_code(name: str, values: dict[str, Any]) -> str:
    """Return the code that reads an attribute of `o`.

    Args:
        name: the name, whatever it contains.
        values: what the code refers to; a name that does not become code is added to it.
    """
    if type(name) is str and _PLAIN_NAME.fullmatch(name) and not keyword.iskeyword(name):
        return f"o.{name}"
    constant = f"n{len(values)}"
    values[constant] = str.__str__(name)
    return f"getattr(o, {constant})"


@lru_cache(maxsize=512)
def _code(source: str) -> CodeType:
    return compile(source, "<lineprotocol>", "exec")


class _Source:
    """The function that is compiled for a class, as text while it is being made."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._unit = unit(plan.precision)
        #: All that the code refers to.
        self._globals: dict[str, object] = {
            "Decimal": Decimal,
            "NAMES": plan.names,
            "SUSPICIOUS": SUSPICIOUS,
            "TAGS": plan.tag_values,
            "datetime": datetime,
            "decimal": FieldValueEncoder(FieldOptions()).text,
            "digits": number_encoder(),
            "general": plan.line,
            "missed": (SerializationError, AttributeError),
            "nanoseconds": partial(to_nanoseconds, precision=plan.precision),
            "string": string_value,
        }
        #: The format of the line, and its arguments.
        self._format = b""
        self._arguments: list[str] = []
        #: What must be true of the values for the expression to hold.
        self._conditions: list[str] = []
        self._variables = {attribute: f"v{n}" for n, attribute in enumerate(plan.schema.attributes)}

    def function(self) -> Callable[[Any], bytes | None]:
        """Compile it."""
        plan = self._plan
        if plan.measurement is None:
            self._literal(plan.names[plan.default_name])
        else:
            self._add(plan.measurement)
        for tag in plan.tags:
            if isinstance(tag, bytes):
                self._literal(tag)
            else:
                self._add(tag)
        between = self._add_fields()
        if plan.time is not None:
            self._add(plan.time)
        lines = [
            *self._values(),
            *between,
            f"if {' and '.join(self._conditions) or 'True'}:",
            f"    line = {self._constant(self._format)} % ({''.join(one + ', ' for one in self._arguments)})",
            f"    if len(line) <= {SHORT_LINE} and SUSPICIOUS not in line:",
            "        return line",
        ]
        body = "".join(f"        {line}\n" for line in lines)
        source = f"def line(o):\n    try:\n{body}    except missed:\n        pass\n    return general(o)\n"
        exec(_code(source), self._globals)  # noqa: S102 - see the head of this module for what can be in it
        function: Callable[[Any], bytes | None] = self._globals["line"]  # type: ignore[assignment]  # just defined
        return function

    def _values(self) -> list[str]:
        variables = {attribute.name: variable for attribute, variable in self._variables.items()}
        lines = []
        if fields := self._plan.schema.tuple_fields:
            lines.append(f"{', '.join(variables.pop(name, '_') for name in fields)}, = o")
        return lines + [f"{variable} = {_attribute_code(name, self._globals)}" for name, variable in variables.items()]

    def _add_fields(self) -> list[str]:
        """Add the fields; give the lines of code that stand before the expression.

        A field that is always there settles on which side of the others their commas are.
        """
        fields = self._plan.fields
        if not fields:
            self._literal(b" " + self._plan.placeholder[1:])
            return []
        first = next((n for n, field in enumerate(fields) if self._fast_code(field, required=True)), None)
        if first is None:
            pieces = [self._optional(field) for field in fields]
            self._conditions.append("fields")
            self._literal(b" ")
            self._arguments.append("fields[1:]")
            self._format += b"%b"
            return [f"fields = {self._constant(b'%b' * len(pieces))} % ({''.join(one + ', ' for one in pieces)})"]
        self._literal(b" ")
        for field in fields[:first]:
            self._format += b"%b"
            self._arguments.append(self._optional(field, comma_after=True))
        self._add(fields[first], before=fields[first].before[1:])
        for field in fields[first + 1 :]:
            self._add(field)
        return []

    def _literal(self, text: bytes) -> None:
        self._format += text.replace(b"%", b"%%")

    def _constant(self, value: object) -> str:
        name = f"c{len(self._globals)}"
        self._globals[name] = value
        return name

    def _add(self, piece: Piece, before: bytes | None = None) -> None:
        fast = self._fast_code(piece, required=True)
        if fast is None:
            self._format += b"%b"
            self._arguments.append(self._optional(piece))
            return
        condition, text, after = fast
        self._conditions.append(condition)
        self._literal(piece.before if before is None else before)
        self._format += b"%b" + after
        self._arguments.append(text)

    def _optional(self, piece: Piece, *, comma_after: bool = False) -> str:
        """Give the code for a piece that may be missing, with what is before it."""
        variable = self._variables[piece.attribute]
        general = f"{self._constant(piece.comma_after() if comma_after else piece)}({variable})"
        fast = self._fast_code(piece)
        if fast is None:
            return general
        condition, text, after = fast
        before = piece.before[1:] if comma_after else piece.before
        if comma_after:
            after += b","
        code = f"{self._constant(before)} + {text}" if before else text
        if after:
            code += f" + {self._constant(after)}"
        return f"({code} if {condition} else {general})"

    def _fast_code(self, piece: Piece, *, required: bool = False) -> tuple[str, str, bytes] | None:
        """Give what a value is that keeps the promise of its annotation, the code for its text, and what is behind.

        Nothing for an attribute whose values have to be looked at; with `required`, for one that may be missing either.
        """
        attribute = piece.attribute
        if attribute.optional and required:
            return None
        if attribute.kind in FIELD_TYPES and attribute not in self._plan.usual:
            return None
        enum = ""
        if attribute.kind in {Kind.TAGENUM, Kind.ENUM}:
            if not attribute.has_names:
                return None
            enum = self._constant(attribute.enum)
        condition, text, after = _CONDITIONS[attribute.kind]
        values = {
            "v": self._variables[attribute],
            "enum": enum,
            "unit": self._unit,
            "first": -(-FIRST // self._unit),
            "last": LAST // self._unit,
        }
        return condition.format_map(values), text.format_map(values), after


#: What a value is that keeps the promise of its annotation, the code for its text, and what is behind that.
_CONDITIONS: Final = {
    Kind.MEASUREMENT: ("type({v}) is str", "NAMES[{v}]", b""),
    Kind.TIMEINT: ("type({v}) is int and {first} <= {v} <= {last}", "digits({v} * {unit})", b""),
    Kind.TIMESTR: ("type({v}) is str", "digits(nanoseconds({v}))", b""),
    Kind.TIMEDT: ("type({v}) is datetime", "digits(nanoseconds({v}))", b""),
    Kind.TAG: ("type({v}) is str and {v}", "TAGS[{v}]", b""),
    Kind.TAGENUM: ("type({v}) is {enum}", "TAGS[{v}.name]", b""),
    Kind.BOOL: ("({v} is True or {v} is False)", '(b"true" if {v} else b"false")', b""),
    Kind.INT: (f"type({{v}}) is int and {FIRST_INTEGER} <= {{v}} <= {LAST_INTEGER}", "digits({v})", b"i"),
    Kind.DECIMAL: ("type({v}) is Decimal and {v}.is_finite()", "decimal({v})", b""),
    Kind.FLOAT: ("type({v}) is float and {v} - {v} == 0.0", "digits({v})", b""),  # neither infinite nor NaN
    Kind.STR: ("type({v}) is str", "string({v})", b""),
    Kind.ENUM: ("type({v}) is {enum}", "string({v}.name)", b""),
}
