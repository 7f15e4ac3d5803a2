"""Bind parameters, as the JSON that InfluxDB reads."""

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
from .quote import LONGEST, duration_ns, encodable, quote_time, quoted, regex_text

_FLOATS: Final = FieldValueEncoder(FieldOptions())


def encode_bind_parameters(params: Mapping[str, object]) -> str:
    """Encode bind parameters (`$name` in the query) as the JSON that InfluxDB reads.

    What can be bound:

    - `str`, `bool`, `int` and `float`, and numpy's kinds of these. A float is written with a decimal point, without
      which the server takes a number for an integer;
    - `decimal.Decimal`: its digits, as a float;
    - members of an `Enum`: their value where they are also `str` or `int`, and otherwise their name;
    - `datetime` (naive means UTC), `date`, `numpy.datetime64` and `pandas.Timestamp`: nanoseconds since 1970 UTC, which
      compare with `time` exactly;
    - from InfluxDB 1.8 on: `timedelta`, for `time > now() - $age` and `GROUP BY time($every)`; and Python's patterns,
      for `host =~ $pattern`, see `quote_regex`.

    Raises:
        TypeError: a name or value is of another type.
        ValueError: a number is infinite or not a number, or an integer of more than 64 bits; a time is out of range.
    """
    pairs: list[str] = []
    for name, value in check_mapping("params", params).items():
        if not isinstance(name, str):
            msg = f"params: names must be str, not {type(name).__name__}"
            raise TypeError(msg)
        pairs.append(f"{quoted('params', _json_text, name)}:{quoted(f'params: {name!r}', _bound, value)}")
    return "{" + ",".join(pairs) + "}"


def _json_text(text: str) -> str:
    import json  # noqa: PLC0415 - not needed by those who bind nothing

    return json.dumps(encodable(text), ensure_ascii=False)


def _bound(value: object) -> str:
    value = _plain(value)
    if isinstance(value, str):
        return _json_text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        if not -LONGEST - 1 <= value <= LONGEST:
            msg = f"{short_repr(value)} does not fit into 64 bits"
            raise ValueError(msg)
        return str(int(value))
    if isinstance(value, timedelta):
        return f'{{"duration":{duration_ns(value)}}}'
    if isinstance(value, re.Pattern):
        return f'{{"regex":{_json_text(regex_text(value))}}}'
    if isinstance(value, float | Decimal) or _is_numpy(value, "floating"):
        return _bound_float(value)
    msg = f"a {type(value).__name__} cannot be bound: only text, numbers, booleans, times, durations and patterns can"
    raise TypeError(msg)


def _plain(value: Any) -> Any:
    """Return a member's value or name, a time's nanoseconds, and Python's integers and booleans for numpy's."""
    if isinstance(value, Enum):
        return str.__str__(value) if isinstance(value, str) else int(value) if isinstance(value, int) else value.name
    if isinstance(value, date) or _is_numpy(value, "datetime64"):
        return int(quote_time(value))
    if _is_numpy(value, "bool_") or (_is_numpy(value, "integer") and not _is_numpy(value, "timedelta64")):
        return value.item()
    return value


def _is_numpy(value: object, kind: str) -> bool:
    numpy = sys.modules.get("numpy")  # without it there can be no value of its kinds
    return numpy is not None and isinstance(value, getattr(numpy, kind))


def _bound_float(value: Any) -> str:
    """Give the digits that line protocol has for it, with the decimal point that makes it a float here."""
    text = _FLOATS[type(value)](value) if math.isfinite(value) else None
    if text is None:
        msg = f"{value} is nothing that InfluxQL can express"
        raise ValueError(msg)
    mantissa, exponent, power = text.decode().partition("e")
    return f"{mantissa if '.' in mantissa else mantissa + '.0'}{exponent}{power}"
