"""Compiled functions that encode an object whose values have the types of its annotations.

The escaped names and constant tags of a class become one format string, and the values become its arguments. An object
with any other value, such as an unexpected None, a number of numpy or a value of a wrong type, is passed to the `Plan`.

The functions that read the attributes of many objects for `columnar` are compiled as well.

No string of a schema becomes code. The code contains the name of an attribute only if it is a plain identifier, as
nearly all are; any other attribute is read by `getattr`, with the name as a constant.
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
from ..._line_protocol.escape import SHORT_LINE, SUSPICIOUS, encode_string
from ..._line_protocol.options import FieldOptions
from ..._line_protocol.split import BACKSLASH
from ..._line_protocol.values import FIRST_INTEGER, LAST_INTEGER, FieldValueEncoder, number_encoder
from ..._time import FIRST, LAST, to_nanoseconds, unit
from .plan import FIELD_TYPES, Fragment, Plan
from .schema import Kind


def compile_line(plan: Plan) -> Callable[[Any], bytes | None]:
    """Return a function that encodes an object as a line, or returns None if no field has a value.

    The function raises SerializationError if a value has a wrong type or cannot be encoded.
    """
    return _Source(plan).function()


def compile_columns(names: Iterable[str]) -> Callable[[Sequence[Any]], Sequence[Sequence[Any]]]:
    """Return a function that reads attributes of many objects into one list for each attribute.

    It takes half the time of `operator.attrgetter`.
    """
    found: dict[str, Any] = {}
    columns = "".join(f"[{_attribute_code(name, found)} for o in objects], " for name in names)
    exec(_code(f"def columns(objects):\n    return ({columns})\n"), found)  # noqa: S102 - see `_attribute_code`
    function: Callable[[Sequence[Any]], Sequence[Sequence[Any]]] = found["columns"]
    return function


#: Names that Python does not normalize.
_PLAIN_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def _attribute_code(name: str, values: dict[str, Any]) -> str:
    """Return the code that reads an attribute of `o`.

    Args:
        name: the name, with any characters.
        values: the constants of the code; a name that does not become code is added.
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
    """Source code of the function that is compiled for a class."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._unit = unit(plan.precision)
        #: The constants of the code.
        self._globals: dict[str, object] = {
            "Decimal": Decimal,
            "NAMES": plan.names,
            "SUSPICIOUS": SUSPICIOUS,
            "TAGS": plan.tag_values,
            "datetime": datetime,
            "decimal": FieldValueEncoder(FieldOptions()).encode,
            "digits": number_encoder(),
            "general": plan.line,
            "not_eligible": (SerializationError, AttributeError),
            "nanoseconds": partial(to_nanoseconds, precision=plan.precision),
            "string": encode_string,
        }
        #: The format of the line, and its arguments.
        self._format = b""
        self._arguments: list[str] = []
        #: Conditions on the values for the fast path.
        self._conditions: list[str] = []
        self._variables = {attribute: f"v{n}" for n, attribute in enumerate(plan.schema.attributes)}

    def function(self) -> Callable[[Any], bytes | None]:
        """Compile the function."""
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
        statements = self._add_fields()
        if plan.time is not None:
            self._add(plan.time)
        lines = [
            *self._values(),
            *statements,
            f"if {' and '.join(self._conditions) or 'True'}:",
            f"    line = {self._constant(self._format)} % ({''.join(one + ', ' for one in self._arguments)})",
            f"    if len(line) <= {SHORT_LINE} and ({BACKSLASH} not in line or SUSPICIOUS not in line):",
            "        return line",
        ]
        body = "".join(f"        {line}\n" for line in lines)
        source = f"def line(o):\n    try:\n{body}    except not_eligible:\n        pass\n    return general(o)\n"
        exec(_code(source), self._globals)  # noqa: S102 - no string of a schema becomes code
        function: Callable[[Any], bytes | None] = self._globals["line"]  # type: ignore[assignment]  # just defined
        return function

    def _values(self) -> list[str]:
        variables = {attribute.name: variable for attribute, variable in self._variables.items()}
        lines = []
        if fields := self._plan.schema.tuple_fields:
            lines.append(f"{', '.join(variables.pop(name, '_') for name in fields)}, = o")
        return lines + [f"{variable} = {_attribute_code(name, self._globals)}" for name, variable in variables.items()]

    def _add_fields(self) -> list[str]:
        """Add the fields and return the statements before the expression.

        Commas stand after the fields before the first required field, and before the fields after it.
        """
        fields = self._plan.fields
        if not fields:
            self._literal(b" " + self._plan.placeholder[1:])
            return []
        first = next((n for n, field in enumerate(fields) if self._fast_code(field, required=True)), None)
        if first is None:
            values = [self._optional(field) for field in fields]
            self._conditions.append("fields")
            self._literal(b" ")
            self._arguments.append("fields[1:]")
            self._format += b"%b"
            return [f"fields = {self._constant(b'%b' * len(values))} % ({''.join(value + ', ' for value in values)})"]
        self._literal(b" ")
        for field in fields[:first]:
            self._format += b"%b"
            self._arguments.append(self._optional(field, comma_after=True))
        self._add(fields[first], before=fields[first].before[1:])
        for field in fields[first + 1 :]:
            self._add(field)
        return []

    def _literal(self, fragment: bytes) -> None:
        self._format += fragment.replace(b"%", b"%%")

    def _constant(self, value: object) -> str:
        name = f"c{len(self._globals)}"
        self._globals[name] = value
        return name

    def _add(self, fragment: Fragment, before: bytes | None = None) -> None:
        fast = self._fast_code(fragment, required=True)
        if fast is None:
            self._format += b"%b"
            self._arguments.append(self._optional(fragment))
            return
        condition, code, after = fast
        self._conditions.append(condition)
        self._literal(fragment.before if before is None else before)
        self._format += b"%b" + after
        self._arguments.append(code)

    def _optional(self, fragment: Fragment, *, comma_after: bool = False) -> str:
        """Return the code for a fragment that may be missing, with its prefix."""
        variable = self._variables[fragment.attribute]
        general = f"{self._constant(fragment.comma_after() if comma_after else fragment)}({variable})"
        fast = self._fast_code(fragment)
        if fast is None:
            return general
        condition, code, after = fast
        before = fragment.before[1:] if comma_after else fragment.before
        if comma_after:
            after += b","
        if before:
            code = f"{self._constant(before)} + {code}"
        if after:
            code += f" + {self._constant(after)}"
        return f"({code} if {condition} else {general})"

    def _fast_code(self, fragment: Fragment, *, required: bool = False) -> tuple[str, str, bytes] | None:
        """Return the condition for the fast path, the code for the encoded value, and the suffix.

        Returns None if the attribute is not eligible for the fast path, or if it may be missing and is `required`.
        """
        attribute = fragment.attribute
        if attribute.optional and required:
            return None
        if attribute.kind in FIELD_TYPES and attribute not in self._plan.default_typed:
            return None
        enum = ""
        if attribute.kind in {Kind.TAGENUM, Kind.ENUM}:
            if not attribute.has_names:
                return None
            enum = self._constant(attribute.enum)
        condition, code, after = _CONDITIONS[attribute.kind]
        values = {
            "v": self._variables[attribute],
            "enum": enum,
            "unit": self._unit,
            "first": -(-FIRST // self._unit),
            "last": LAST // self._unit,
        }
        return condition.format_map(values), code.format_map(values), after


#: The condition for the fast path, the code for the encoded value, and the suffix.
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
    Kind.FLOAT: ("type({v}) is float and {v} - {v} == 0.0", "digits({v})", b""),  # not infinite and not NaN
    Kind.STR: ("type({v}) is str", "string({v})", b""),
    Kind.ENUM: ("type({v}) is {enum}", "string({v}.name)", b""),
}
