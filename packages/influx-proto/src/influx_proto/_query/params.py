"""Parameters of SQL and Flux queries, encoded as JSON: the server binds them, so they are never part of the query."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final

from .._checks import check_str
from .._influxql.bind import is_numpy, named_values
from .._influxql.quote import INT64_MAX, duration_ns, quote_time, quoted, regex_text
from .._repr import short_repr
from .._time import to_rfc3339

#: A name of a parameter: in SQL and Flux a word, without quotes.
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def sql_params(params: Mapping[str, object]) -> dict[str, object]:
    """Return the values of SQL parameters as JSON values; times are RFC 3339 strings.

    Raises:
        TypeError: a name or value has an unsupported type.
        ValueError: a name is not a word, a float is infinite or NaN, or an integer does not fit into 64 bits.
    """
    return {name: quoted(f"params: {name!r}", _sql_value, value) for name, value in _checked(params)}


def flux_params(params: Mapping[str, object]) -> dict[str, object]:
    """Return a Flux file, as an abstract syntax tree, that assigns the parameters to variables.

    Raises:
        TypeError: a name or value has an unsupported type.
        ValueError: a name is not a word, a float is infinite or NaN, or an integer does not fit into 64 bits.
    """
    body = [
        {
            "type": "VariableAssignment",
            "id": {"type": "Identifier", "name": name},
            "init": quoted(f"params: {name!r}", _flux_expression, value),
        }
        for name, value in _checked(params)
    ]
    return {"type": "File", "package": None, "imports": None, "body": body}


def _checked(params: Mapping[str, object]) -> list[tuple[str, object]]:
    pairs = named_values(params)
    for name, _ in pairs:
        if not _NAME.fullmatch(name):
            raise ValueError(f"params: {name!r} is not a name; use ASCII letters, digits and underscores")
    return pairs


def _sql_value(value: object) -> object:
    value = _plain(value)
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if (time := _time(value)) is not None:
        return time
    raise TypeError(f"unsupported type {type(value).__name__!r}; bind None, a str, bool, number, Enum member or time")


def _flux_expression(value: object) -> dict[str, object]:
    value = _plain(value)
    if isinstance(value, str):
        return {"type": "StringLiteral", "value": value}
    if isinstance(value, bool):
        return {"type": "BooleanLiteral", "value": value}
    if isinstance(value, int):
        return _signed("IntegerLiteral" if value <= INT64_MAX else "UnsignedIntegerLiteral", value)
    if isinstance(value, float):
        return {"type": "FloatLiteral", "value": value}
    if (time := _time(value)) is not None:
        return {"type": "DateTimeLiteral", "value": time}
    if isinstance(value, timedelta):
        is_negative = value < timedelta(0)
        return _duration(duration_ns(abs(value)), is_negative=is_negative)
    if isinstance(value, re.Pattern):
        return {"type": "RegexpLiteral", "value": regex_text(value)}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return {"type": "ArrayExpression", "elements": [_flux_expression(item) for item in value]}
    raise TypeError(
        f"unsupported type {type(value).__name__!r}; bind a str, bool, number, Enum member, time, timedelta, "
        "re.Pattern, or a list of them"
    )


def _signed(literal: str, value: int) -> dict[str, object]:
    """Return the literal of a number; a negative one is the negation of a literal, as the parser of Flux reads it."""
    found: dict[str, object] = {"type": literal, "value": str(abs(value))}
    if value == -INT64_MAX - 1:  # its negation does not fit into 64 bits
        return {"type": literal, "value": str(value)}
    return _negated(found) if value < 0 else found


def _duration(ns: int, *, is_negative: bool) -> dict[str, object]:
    """Return the literal of a duration. Flux ignores the sign inside a literal, so it is a negation."""
    seconds, rest = divmod(ns, 1_000_000_000)
    values = [{"magnitude": seconds, "unit": "s"}, {"magnitude": rest, "unit": "ns"}]
    literal: dict[str, object] = {"type": "DurationLiteral", "values": values}
    return _negated(literal) if is_negative else literal


def _negated(literal: dict[str, object]) -> dict[str, object]:
    return {"type": "UnaryExpression", "operator": "-", "argument": literal}


def _plain(value: Any) -> Any:
    """Return the str, bool, int or float of an Enum member, Decimal, numpy scalar or subclass; others unchanged."""
    if isinstance(value, Enum):
        value = value.value if isinstance(value, str | int) else value.name
    if is_numpy(value, "bool_", "floating") or (is_numpy(value, "integer") and not is_numpy(value, "timedelta64")):
        value = value.item()
    if isinstance(value, str):
        return check_str("value", str.__str__(value))
    if isinstance(value, int) and not isinstance(value, bool):
        if not -INT64_MAX - 1 <= value <= 2 * INT64_MAX + 1:
            raise ValueError(f"{short_repr(value)} does not fit into 64 bits")
        return int(value)
    if isinstance(value, float | Decimal):
        if not math.isfinite(value):
            raise ValueError(f"JSON cannot express {value}; bind a finite number")
        return float(value)
    return value


def _time(value: Any) -> str | None:
    """Return a time in RFC 3339, in UTC, or None for any other value."""
    is_time = isinstance(value, date) or is_numpy(value, "datetime64")
    return to_rfc3339(int(quote_time(value))) if is_time else None
