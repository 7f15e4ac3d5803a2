"""JSON encoder for bind parameters."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final

from .._checks import check_mapping
from .._line_protocol.options import FieldOptions
from .._line_protocol.values import FieldValueEncoder
from .._repr import short_repr
from .quote import INT64_MAX, check_encodable, duration_ns, quote_time, quoted, regex_text

_FLOATS: Final = FieldValueEncoder(FieldOptions())


def encode_bind_parameters(params: Mapping[str, object]) -> str:
    """Encode bind parameters (`$name` in the query) as JSON.

    Supported types:

    - `str`, `bool`, `int` and `float`, and the equivalent numpy scalars. A float is always written with a decimal
      point, since the server reads a number without one as an integer;
    - `decimal.Decimal`: its digits, as a float;
    - members of an `Enum`: the value if the member is a `str` or `int`, otherwise the name;
    - `datetime` (naive means UTC), `date`, `numpy.datetime64` and `pandas.Timestamp`: nanoseconds since 1970 UTC, which
      compare exactly with `time`;
    - with InfluxDB 1.8 or later: `timedelta`, for `time > now() - $age` and `GROUP BY time($every)`; and patterns of
      `re`, for `host =~ $pattern`, see `quote_regex`.

    Raises:
        TypeError: a name or value has an unsupported type.
        ValueError: a float is infinite or NaN, an integer does not fit into 64 bits, or a time is out of range.
    """
    pairs = [
        f"{quoted('params', _encode_str, name)}:{quoted(f'params: {name!r}', _encode_value, value)}"
        for name, value in named_values(params)
    ]
    return "{" + ",".join(pairs) + "}"


def named_values(params: Mapping[str, object]) -> list[tuple[str, object]]:
    """Return the parameters after checking that their names are str."""
    pairs = list(check_mapping("params", params).items())
    for name, _ in pairs:
        if not isinstance(name, str):
            raise TypeError(f"params: names must be str, not {type(name).__name__}")
    return pairs


def _encode_str(text: str) -> str:
    import json  # noqa: PLC0415 - only needed with bind parameters

    return json.dumps(check_encodable(text), ensure_ascii=False)


def _encode_value(value: object) -> str:
    value = _to_builtin(value)
    if isinstance(value, str):
        return _encode_str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        if not -INT64_MAX - 1 <= value <= INT64_MAX:
            raise ValueError(f"{short_repr(value)} does not fit into 64 bits")
        return str(int(value))
    if isinstance(value, timedelta):
        return f'{{"duration":{duration_ns(value)}}}'
    if isinstance(value, re.Pattern):
        return f'{{"regex":{_encode_str(regex_text(value))}}}'
    if isinstance(value, float | Decimal) or is_numpy(value, "floating"):
        return _encode_float(value)
    raise TypeError(
        f"unsupported type {type(value).__name__!r}; bind a str, bool, number, Enum member, time, timedelta or "
        "re.Pattern"
    )


def _to_builtin(value: Any) -> Any:
    """Return the value or name of an Enum member, the nanoseconds of a time, and the int or bool of a numpy scalar."""
    if isinstance(value, Enum):
        return str.__str__(value) if isinstance(value, str) else int(value) if isinstance(value, int) else value.name
    if isinstance(value, date) or is_numpy(value, "datetime64"):
        return int(quote_time(value))
    if is_numpy(value, "bool_") or (is_numpy(value, "integer") and not is_numpy(value, "timedelta64")):
        return value.item()
    return value


def is_numpy(value: object, *type_names: str) -> bool:
    """Return whether a value has one of these types of numpy."""
    numpy = sys.modules.get("numpy")  # no value can be of its types before it is imported
    return numpy is not None and any(isinstance(value, getattr(numpy, name)) for name in type_names)


def _encode_float(value: Any) -> str:
    """Return a float in line protocol, with a decimal point, without which the server would read an integer."""
    encoded = _FLOATS[type(value)](value) if math.isfinite(value) else None
    if encoded is None:
        raise ValueError(f"InfluxQL cannot express {value}; bind a finite number")
    mantissa, exponent, power = encoded.decode().partition("e")
    return f"{mantissa if '.' in mantissa else mantissa + '.0'}{exponent}{power}"
