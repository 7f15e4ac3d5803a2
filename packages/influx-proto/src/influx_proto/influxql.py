"""InfluxQL text: quoting what users give, and telling reads from statements that change something.

No user text is ever pasted into a statement: what the client itself composes goes through the `quote_...` functions
here, and values in queries go through bind parameters.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final, TypeAlias, TypeVar

from ._errors import SerializationError
from ._policy import TypePolicy
from ._shown import shown
from ._time import to_nanoseconds
from ._values import FieldTexts

__all__ = [
    "Duration",
    "encode_bind_parameters",
    "is_read",
    "quote_duration",
    "quote_identifier",
    "quote_regex",
    "quote_string",
    "quote_time",
]

#: How long something is: a `timedelta`, whole seconds, or as InfluxQL writes it (`"1h30m"`).
Duration: TypeAlias = timedelta | int | str

ValueT = TypeVar("ValueT")

#: A comment or quoted text. One that does not end reaches to the end of the query, so that nothing is read twice.
_QUOTED_OR_COMMENT = re.compile(
    r"""--[^\n]*+(?P<end>) | /\*(?:[^*]|\*(?!/))*+(?:\*/(?P<end_>))?
    | "(?:[^"\\]|\\.)*+(?:"(?P<end__>))? | '(?:[^'\\]|\\.)*+(?:'(?P<end___>))?""",
    re.DOTALL | re.VERBOSE,
)
#: What a statement is made of: a comment, quoted text, a word, or any other sign.
_LEXEME = re.compile(rf"(?:{_QUOTED_OR_COMMENT.pattern}) | (?P<word>\w++) | (?P<sign>\S)", re.DOTALL | re.VERBOSE)
_REGEX_LITERAL = re.compile(r"/(?:[^/\\\n]|\\.)*+/")
#: Words before a regular expression; after any other a slash divides.
_BEFORE_REGEX = frozenset({"SELECT", "FROM", "BY", "WHERE", "AND", "OR", "IN", "DISTINCT"})
_READ = re.compile(r"[\s;]*(?:SELECT|SHOW|EXPLAIN)\b", re.IGNORECASE)
_ONLY_SHOW = re.compile(r"(?:[\s;]*+SHOW\b[^;]*+)*+[\s;]*+", re.IGNORECASE)
_DIAGNOSTICS = re.compile(r"\bSHOW\s+DIAGNOSTICS\b", re.IGNORECASE)
_CHANGE = re.compile(r"\b(?:ALTER|CREATE|DELETE|DROP|GRANT|INTO|KILL|REVOKE|SET)\b", re.IGNORECASE)

#: InfluxQL's units in nanoseconds, the longest that is written first.
_UNITS: Final = {
    "d": 86_400_000_000_000,
    "h": 3_600_000_000_000,
    "m": 60_000_000_000,
    "s": 1_000_000_000,
    "ms": 1_000_000,
    "u": 1_000,
    "ns": 1,
    "w": 7 * 86_400_000_000_000,
    "\N{MICRO SIGN}": 1_000,
}
_DURATION: Final = re.compile("([0-9]+)(ns|ms|[usmhdw\N{MICRO SIGN}])")
_LONGEST: Final = 2**63 - 1

_FLOATS: Final = FieldTexts(TypePolicy())

#: What cannot stand in a regular expression between slashes, escaped or not, and what stands there instead.
_IN_REGEX: Final = re.compile(r"\\(.)?|[/\n\r\0]", re.DOTALL)
_REGEX_ESCAPES: Final = {"/": r"\/", "\n": r"\n", "\r": r"\r", "\0": r"\x00"}

_REGEX_FLAGS: Final = {re.IGNORECASE: "i", re.MULTILINE: "m", re.DOTALL: "s"}


def quote_identifier(name: str) -> str:
    r"""Quote the name of a database, measurement, tag, field, user or policy: `a"b` becomes `"a\"b"`.

    Raises:
        TypeError: it is no str.
        ValueError: it is empty, which no name in InfluxDB can be, or has a character that InfluxQL cannot express.
    """
    text = _checked(name, "an InfluxQL identifier")
    if not text:
        msg = "an InfluxQL identifier must not be empty"
        raise ValueError(msg)
    return f'"{_escape(text, quote=chr(34))}"'


def quote_string(text: str) -> str:
    r"""Quote a string literal, such as a tag's value or a password: `it's` becomes `'it\'s'`.

    Raises:
        TypeError: it is no str.
        ValueError: it has a character in it that InfluxQL cannot express; a bind parameter can.
    """
    return f"'{_escape(_checked(text, 'an InfluxQL string'), quote=chr(39))}'"


def quote_regex(pattern: str | re.Pattern[str]) -> str:
    r"""Quote a regular expression: `^/var` becomes `/^\/var/`.

    InfluxDB searches, as `re.search` does; what must match as a whole needs `^` and `$`. Its expressions are Go's
    (RE2): they know no backreferences and no looking ahead or behind, which the server refuses, and their `\d`, `\w`,
    `\s` and `\b` are about ASCII only.

    Args:
        pattern: the expression as RE2 has it, or one of Python's, whose flags `re.IGNORECASE`, `re.MULTILINE` and
            `re.DOTALL` go with it.

    Raises:
        TypeError: it is neither, or a pattern of bytes.
        ValueError: it ends in a lone backslash, begins with a `*`, or has the flag `re.VERBOSE`, which RE2 lacks.
    """
    text = _regex_text(pattern)
    if text.startswith("*"):  # with the slash before it, it would begin a comment
        msg = "an InfluxQL regular expression must not begin with '*': there is nothing to repeat"
        raise ValueError(msg)
    return f"/{_IN_REGEX.sub(_escape_in_regex, text)}/"


def quote_duration(duration: Duration) -> str:
    """Give a duration as InfluxQL writes it: `timedelta(hours=36)` becomes `36h`.

    Args:
        duration: a `timedelta`, whole seconds, or InfluxQL's own text: `"90m"`, `"1h30m"`, and `"INF"` for without end.

    Raises:
        TypeError: it is none of these.
        ValueError: it is negative, longer than the 292 years that InfluxDB can count, or no such text.
    """
    if isinstance(duration, str) and duration.upper() == "INF":
        return "INF"
    ns = _duration_ns(duration)
    unit = next(unit for unit, size in _UNITS.items() if ns % size == 0) if ns else "s"
    return f"{ns // _UNITS[unit]}{unit}"


def quote_time(time: object, precision: str = "ns") -> str:
    """Give a time as InfluxQL is sure to understand it: in nanoseconds since 1970 UTC.

    Args:
        time: a `datetime` (naive means UTC), a `date`, `numpy.datetime64`, `pandas.Timestamp`, text in ISO 8601 or
            whatever else `pandas.Timestamp` can read, or an integer.
        precision: the unit of integers.

    Raises:
        SerializationError: the value tells no time, or one that InfluxDB cannot store.
        ValueError: there is no such precision.
    """
    ns = to_nanoseconds(time, precision)
    if ns is None:
        msg = f"{shown(time)} is no time"
        raise SerializationError(msg)
    return str(ns)


def quoted(argument: str, quote: Callable[[ValueT], str], value: ValueT) -> str:
    """Quote the value of an argument; errors begin with the argument's name."""
    try:
        return quote(value)
    except (TypeError, ValueError) as error:
        kind = ValueError if isinstance(error, ValueError) else TypeError
        msg = f"{argument}: {error}"
        raise kind(msg) from None


def _checked(text: object, what: str) -> str:
    # The messages do not show the text: it may be a password.
    if not isinstance(text, str):
        msg = f"{what} must be a str, not {type(text).__name__}"
        raise TypeError(msg)
    for at, sign in enumerate(text):
        # The scanner takes NUL for the end of the query, and CR for LF, which must not stand in quotes.
        if sign in "\0\r" or "\ud800" <= sign <= "\udfff":
            msg = f"{what} must not contain {sign!a}, which is at index {at}"
            raise ValueError(msg)
    return str.__str__(text)  # of subclasses, the text itself


def _escape(text: str, quote: str) -> str:
    # The scanner knows these escapes and no other; a doubled quote is none.
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace(quote, "\\" + quote)


def _regex_text(pattern: object) -> str:
    if isinstance(pattern, str):
        text, flags = pattern, ""
    elif isinstance(pattern, re.Pattern) and isinstance(pattern.pattern, str):
        if pattern.flags & re.VERBOSE:
            msg = "InfluxQL has no verbose regular expressions (re.VERBOSE): write it without"
            raise ValueError(msg)
        text = pattern.pattern
        flags = "".join(letter for flag, letter in _REGEX_FLAGS.items() if pattern.flags & flag)
    else:
        kind = "a pattern of bytes" if isinstance(pattern, re.Pattern) else type(pattern).__name__
        msg = f"an InfluxQL regular expression must be a str or a pattern of re, not {kind}"
        raise TypeError(msg)
    return f"(?{flags}){_encodable(text)}" if flags else _encodable(text)


def _escape_in_regex(found: re.Match[str]) -> str:
    if found[0] == "\\":
        msg = "an InfluxQL regular expression must not end in a lone backslash"
        raise ValueError(msg)
    # A sign that was escaped before: Python's `re.escape` does that to LF.
    return _REGEX_ESCAPES.get(found[1] or found[0], found[0])


def _encodable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        msg = f"the text has a lone surrogate, at index {error.start}"
        raise ValueError(msg) from None
    return text


def _duration_ns(duration: object) -> int:
    if isinstance(duration, timedelta):
        ns = _timedelta_ns(duration)
    elif isinstance(duration, int) and not isinstance(duration, bool):
        ns = duration * _UNITS["s"]
    elif isinstance(duration, str):
        parts = _DURATION.findall(duration)
        if not parts or "".join(number + unit for number, unit in parts) != duration:
            msg = f"{shown(duration)} is no duration as InfluxQL writes it: integers with units, such as 1h30m"
            raise ValueError(msg)
        ns = sum(int(number) * _UNITS[unit] for number, unit in parts)
    else:
        msg = f"a duration must be a timedelta, an int of seconds or a str, not {type(duration).__name__}"
        raise TypeError(msg)
    if not 0 <= ns <= _LONGEST:
        msg = f"the duration {shown(duration)} is {'negative' if ns < 0 else 'longer than InfluxDB can count'}"
        raise ValueError(msg)
    return ns


def _timedelta_ns(duration: Any) -> int:
    if hasattr(duration, "as_unit"):  # pandas' subclass, with nanoseconds that its base does not know of
        return int(duration.as_unit("ns").value)
    return int(duration // timedelta(microseconds=1)) * 1_000


def is_read(q: str) -> bool:
    """Say whether a query only reads.

    Where that cannot be told for certain without parsing InfluxQL whole, the answer is False: the query is then sent
    as a POST and not repeated, which is right for reads as well.
    """
    bare = _bare(q)
    # A slash divides or begins a regular expression, in which a quote is no quote. Only a parser could tell, so every
    # word counts, those inside quotes included.
    return _READ.match(bare) is not None and _CHANGE.search(q if "/" in bare else bare) is None


def is_empty(q: str) -> bool:
    """Say whether a query has no statement, but at the most comments."""
    return not _bare(q).strip("; \t\r\n")


def is_several(q: str) -> bool:
    """Say whether a query has more than one statement."""
    return bool(_bare(q).partition(";")[2].strip("; \t\r\n"))


def statement_count(q: str) -> int:
    """Count the statements of a query, by the semicolons outside of text, comments and regular expressions."""
    if ";" not in q:
        return 0 if is_empty(q) else 1
    count = at = 0
    has_words = is_operand = False
    while found := _LEXEME.search(q, at):
        at = found.end()
        word, sign = found["word"], found["sign"]
        if sign == ";":
            count += has_words
            has_words = is_operand = False
        elif sign is not None:
            has_words = True
            if sign == "/" and not is_operand and (literal := _REGEX_LITERAL.match(q, at - 1)):
                at = literal.end()
                is_operand = True
            else:
                is_operand = sign in ")*"
        elif word is not None or found[0][0] not in "-/":  # not a comment
            has_words = True
            is_operand = word is None or word.upper() not in _BEFORE_REGEX
    return count + has_words


def is_about_diagnostics(q: str) -> bool:
    """Say whether a query has SHOW DIAGNOSTICS among its statements, and none that selects values."""
    bare = _bare(q)
    return _DIAGNOSTICS.search(bare) is not None and _ONLY_SHOW.fullmatch(bare) is not None


def _bare(q: str) -> str:
    """Give a query without its comments, and with nothing between its quotes."""
    return _QUOTED_OR_COMMENT.sub(_blanked, q)


def _blanked(found: re.Match[str]) -> str:
    if found.lastindex is None:  # it does not end: the server rejects the query, and every word counts
        return found[0]
    return " " if found[0][0] in "-/" else "''"


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
    if not isinstance(params, Mapping):
        msg = f"params: must be a mapping of names to values, not {type(params).__name__}"
        raise TypeError(msg)
    pairs: list[str] = []
    for name, value in params.items():
        if not isinstance(name, str):
            msg = f"params: names must be str, not {type(name).__name__}"
            raise TypeError(msg)
        pairs.append(f"{quoted('params', _json_text, name)}:{quoted(f'params: {name!r}', _bound, value)}")
    return "{" + ",".join(pairs) + "}"


def _json_text(text: str) -> str:
    import json  # noqa: PLC0415 - not needed by those who bind nothing

    return json.dumps(_encodable(text), ensure_ascii=False)


def _bound(value: object) -> str:
    value = _plain(value)
    if isinstance(value, str):
        return _json_text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        if not -_LONGEST - 1 <= value <= _LONGEST:
            msg = f"{shown(value)} does not fit into 64 bits"
            raise ValueError(msg)
        return str(int(value))
    if isinstance(value, timedelta):
        return f'{{"duration":{_duration_ns(value)}}}'
    if isinstance(value, re.Pattern):
        return f'{{"regex":{_json_text(_regex_text(value))}}}'
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
