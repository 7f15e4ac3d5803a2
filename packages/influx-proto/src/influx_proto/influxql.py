"""InfluxQL text: quoting what users give, and telling reads from statements that change something.

No user text is ever pasted into a statement: identifiers and strings that the client itself composes go through the
functions here, and values in queries go through bind parameters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["encode_bind_parameters", "is_read", "quote_identifier", "quote_string"]

_QUOTED_OR_COMMENT = re.compile(
    r"""--[^\n]* | /\*.*?\*/ | "(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*'""",
    re.DOTALL | re.VERBOSE,
)
_READ = re.compile(r"[\s;]*(?:SELECT|SHOW|EXPLAIN)\b", re.IGNORECASE)
_CHANGE = re.compile(r"\b(?:ALTER|CREATE|DELETE|DROP|GRANT|INTO|KILL|REVOKE|SET)\b", re.IGNORECASE)


def quote_identifier(name: str) -> str:
    r"""Quote the name of a database, measurement, tag, field, user or policy: `a"b` becomes `"a\"b"`.

    Raises:
        TypeError: it is no str.
        ValueError: it is empty, which no name in InfluxDB can be.
    """
    if not isinstance(name, str):
        msg = f"an InfluxQL identifier must be a str, not {type(name).__name__}"
        raise TypeError(msg)
    if not name:
        msg = "an InfluxQL identifier must not be empty"
        raise ValueError(msg)
    return f'"{_escape(name, quote=chr(34))}"'


def quote_string(text: str) -> str:
    r"""Quote a string literal, such as a tag's value or a password: `it's` becomes `'it\'s'`.

    Raises:
        TypeError: it is no str.
    """
    if not isinstance(text, str):
        msg = f"an InfluxQL string must be a str, not {type(text).__name__}"
        raise TypeError(msg)
    return f"'{_escape(text, quote=chr(39))}'"


def _escape(text: str, quote: str) -> str:
    # The scanner knows these escapes and no other; a doubled quote is none.
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace(quote, "\\" + quote)


def is_read(q: str) -> bool:
    """Say whether a query only reads.

    Where that cannot be told for certain without parsing InfluxQL whole, the answer is False: the query is then sent
    as a POST and not repeated, which is right for reads as well.
    """
    plain = _QUOTED_OR_COMMENT.sub(" ", q)
    if "/" in plain:
        # A slash divides or begins a regular expression, in which a quote is no quote. Only a parser could tell, so
        # every word counts, those inside quotes included.
        plain = q
    return _READ.match(_QUOTED_OR_COMMENT.sub(" ", q)) is not None and _CHANGE.search(plain) is None


def encode_bind_parameters(params: Mapping[str, object]) -> str:
    """Encode bind parameters (`$name` in the query) as the JSON that InfluxDB reads.

    Values are str, int, float and bool. A float is written with a decimal point, without which the server takes a
    number for an integer.

    Raises:
        TypeError: a name or value is of another type.
        ValueError: a number is infinite or not a number, or an integer of more than 64 bits.
    """
    pairs: list[str] = []
    for name, value in params.items():
        if not isinstance(name, str):
            msg = f"params: names must be str, not {type(name).__name__}"
            raise TypeError(msg)
        pairs.append(f"{_json_text(name)}:{_bound(name, value)}")
    return "{" + ",".join(pairs) + "}"


def _json_text(text: str) -> str:
    import json  # noqa: PLC0415 - not needed by those who bind nothing

    return json.dumps(text, ensure_ascii=False)


def _bound(name: str, value: object) -> str:
    if isinstance(value, str):
        return _json_text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            msg = f"params: {name!r} is {value}, which does not fit 64 bits"
            raise ValueError(msg)
        return str(value)
    if isinstance(value, float):
        if value != value or value in {float("inf"), float("-inf")}:  # noqa: PLR0124 - NaN is not itself
            msg = f"params: {name!r} is {value}, which InfluxQL cannot express"
            raise ValueError(msg)
        text = repr(value)
        mantissa, exponent, power = text.partition("e")
        return text if "." in mantissa else f"{mantissa}.0{exponent}{power}"
    msg = f"params: {name!r} is a {type(value).__name__}; bind parameters are str, int, float or bool"
    raise TypeError(msg)
