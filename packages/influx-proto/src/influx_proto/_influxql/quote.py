"""Quoting of names, strings, regular expressions, durations and times."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final, TypeAlias, TypeVar

from .._errors import SerializationError
from .._repr import short_repr
from .._time import to_nanoseconds

#: A `timedelta`, an int of seconds, or an InfluxQL duration (`"1h30m"`).
Duration: TypeAlias = timedelta | int | str

T = TypeVar("T")
ValueT = TypeVar("ValueT")


#: Units of durations in nanoseconds. `quote_duration` uses the first one that divides the duration.
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
    "us": 1_000,
    "\N{MICRO SIGN}s": 1_000,
}
_DURATION: Final = re.compile("([0-9]++)(ns|ms|[usmhdw\N{MICRO SIGN}])")
#: Go's format, which the server uses in results of SHOW statements.
_GO_DURATION: Final = re.compile(r"([0-9]++(?:\.[0-9]++)?)(ns|ms|[u\N{MICRO SIGN}]s|[smh])")
INT64_MAX: Final = 2**63 - 1


#: Characters that a regular expression literal cannot contain, escaped or not, and their replacements.
_IN_REGEX: Final = re.compile(r"\\(.)?|[/\n\r\0]", re.DOTALL)
_REGEX_ESCAPES: Final = {"/": r"\/", "\n": r"\n", "\r": r"\r", "\0": r"\x00"}

_REGEX_FLAGS: Final = {re.IGNORECASE: "i", re.MULTILINE: "m", re.DOTALL: "s"}


def quote_identifier(name: str) -> str:
    r"""Quote the name of a database, measurement, tag, field, user or policy: `a"b` becomes `"a\"b"`.

    Raises:
        TypeError: the name is not a str.
        ValueError: the name is empty, or contains a character that InfluxQL cannot express.
    """
    checked = _checked(name, "an InfluxQL identifier")
    if not checked:
        raise ValueError("an InfluxQL identifier must not be empty")
    return f'"{_escape(checked, quote=chr(34))}"'


def quote_string(text: str) -> str:
    r"""Quote a string literal, such as a tag's value or a password: `it's` becomes `'it\'s'`.

    Raises:
        TypeError: `text` is not a str.
        ValueError: `text` contains a character that InfluxQL cannot express. Use a bind parameter instead.
    """
    return f"'{_escape(_checked(text, 'an InfluxQL string'), quote=chr(39))}'"


def quote_regex(pattern: str | re.Pattern[str]) -> str:
    r"""Quote a regular expression: `^/var` becomes `/^\/var/`.

    InfluxDB searches, like `re.search`; use `^` and `$` to match a whole value. It uses Go's regular expressions (RE2):
    the server rejects backreferences, lookahead and lookbehind, and `\d`, `\w`, `\s` and `\b` match ASCII only.

    Args:
        pattern: an expression in RE2 syntax, or a compiled pattern of `re`. The flags `re.IGNORECASE`, `re.MULTILINE`
            and `re.DOTALL` are kept.

    Raises:
        TypeError: `pattern` is neither, or a pattern of bytes.
        ValueError: the expression ends in a lone backslash, begins with `*`, or has the flag `re.VERBOSE`, which RE2
            does not support.
    """
    expression = regex_text(pattern)
    if expression.startswith("*"):  # `/*` would begin a comment
        raise ValueError("an InfluxQL regular expression must not begin with '*', which would have no operand")
    quoted_pattern = _IN_REGEX.sub(_escape_in_regex, expression)
    # InfluxDB reads a backslash before the closing slash as its escape, even after another backslash, so an empty group
    # separates the two.
    return f"/{quoted_pattern}(?:)/" if quoted_pattern.endswith("\\") else f"/{quoted_pattern}/"


def quote_duration(duration: Duration) -> str:
    """Return a duration in InfluxQL: `timedelta(hours=36)` becomes `36h`.

    Args:
        duration: a `timedelta`, an int of seconds, or an InfluxQL duration: `"90m"`, `"1h30m"`, `"INF"` for infinite.

    Raises:
        TypeError: `duration` has another type.
        ValueError: `duration` is negative, longer than InfluxDB's maximum of 292 years, or not an InfluxQL duration.
    """
    if isinstance(duration, str) and duration.upper() == "INF":
        return "INF"
    ns = duration_ns(duration)
    unit = next(unit for unit, size in _UNITS.items() if ns % size == 0) if ns else "s"
    return f"{ns // _UNITS[unit]}{unit}"


def quote_time(time: object, precision: str = "ns") -> str:
    """Return a time in InfluxQL, as integer nanoseconds since 1970 UTC.

    Args:
        time: a `datetime` (naive means UTC), a `date`, `numpy.datetime64`, `pandas.Timestamp`, a str in ISO 8601 or
            another format that `pandas.Timestamp` reads, or an integer.
        precision: the unit of integers.

    Raises:
        SerializationError: the value is not a time, or out of InfluxDB's range.
        ValueError: the precision is unknown.
    """
    ns = to_nanoseconds(time, precision)
    if ns is None:
        raise SerializationError(f"{short_repr(time)} is not a time")
    return str(ns)


def quoted(argument: str, quote: Callable[[ValueT], T], value: ValueT) -> T:
    """Quote the value of an argument, or encode it otherwise; errors begin with the argument's name."""
    try:
        return quote(value)
    except (TypeError, ValueError) as error:
        error_class = ValueError if isinstance(error, ValueError) else TypeError
        raise error_class(f"{argument}: {error}") from None


def _checked(text: object, what: str) -> str:
    # The messages do not quote the text: it may be a password.
    if not isinstance(text, str):
        raise TypeError(f"{what} must be a str, not {type(text).__name__}")
    for index, character in enumerate(text):
        # InfluxDB's scanner ends the query at NUL, and reads CR as LF, which quotes must not contain.
        if character in "\0\r" or "\ud800" <= character <= "\udfff":
            raise ValueError(f"{what} must not contain {character!a}, found at index {index}")
    return str.__str__(text)  # a subclass may override __str__


def _escape(text: str, quote: str) -> str:
    # InfluxDB's scanner supports only these escapes; a doubled quote is not an escape.
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace(quote, "\\" + quote)


def regex_text(pattern: object) -> str:
    """Return the regular expression of a pattern, with its flags as a group."""
    if isinstance(pattern, str):
        expression, flags = pattern, ""
    elif isinstance(pattern, re.Pattern) and isinstance(pattern.pattern, str):
        if pattern.flags & re.VERBOSE:
            raise ValueError("InfluxQL does not support re.VERBOSE; compile the pattern without it")
        expression = pattern.pattern
        flags = "".join(letter for flag, letter in _REGEX_FLAGS.items() if pattern.flags & flag)
    else:
        found = "a pattern of bytes" if isinstance(pattern, re.Pattern) else type(pattern).__name__
        raise TypeError(f"an InfluxQL regular expression must be a str or a pattern of re, not {found}")
    return f"(?{flags}){check_encodable(expression)}" if flags else check_encodable(expression)


def _escape_in_regex(found: re.Match[str]) -> str:
    if found[0] == "\\":
        raise ValueError("an InfluxQL regular expression must not end in a lone backslash")
    # The character may already be escaped: `re.escape` escapes LF, for example.
    return _REGEX_ESCAPES.get(found[1] or found[0], found[0])


def check_encodable(text: str) -> str:
    """Return the text. Raises `ValueError` if UTF-8 cannot encode it."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        msg = f"the string contains a lone surrogate at index {error.start}, which UTF-8 cannot encode"
        raise ValueError(msg) from None
    return text


def duration_ns(duration: object) -> int:
    """Return the nanoseconds of a duration; see `quote_duration` for the argument and errors."""
    if isinstance(duration, timedelta):
        ns = _timedelta_ns(duration)
    elif isinstance(duration, int) and not isinstance(duration, bool):
        ns = duration * _UNITS["s"]
    elif isinstance(duration, str):
        ns = _parse_duration(_DURATION, duration)
    else:
        raise TypeError(f"a duration must be a timedelta, an int of seconds or a str, not {type(duration).__name__}")
    if not 0 <= ns <= INT64_MAX:
        raise ValueError(f"the duration {short_repr(duration)} is {'negative' if ns < 0 else 'longer than 292 years'}")
    return ns


def go_duration_ns(text: str) -> int:
    """Return the nanoseconds of a duration in Go's format: `168h0m0s`, `1m0.5s`, `12.345ms`.

    Raises:
        ValueError: the duration is malformed.
    """
    return _parse_duration(_GO_DURATION, text)


def _parse_duration(component: re.Pattern[str], text: str) -> int:
    if re.fullmatch(f"(?:{component.pattern})++", text) is None:
        raise ValueError(f"{short_repr(text)} is not a duration; write integers with units, such as 1h30m")
    ns = 0
    for number, unit in component.findall(text):
        whole, _, fraction = number.partition(".")
        # 20 digits are too many for any unit, and `int` rejects several thousand.
        digits = (whole.lstrip("0")[:20] or "0") + fraction[:20]
        ns += int(digits) * _UNITS[unit] // 10 ** len(fraction[:20])
    return ns


def _timedelta_ns(duration: Any) -> int:
    pandas: Any = sys.modules.get("pandas")
    # pandas.Timedelta holds nanoseconds, which its base class truncates.
    if pandas is not None and isinstance(duration, pandas.Timedelta):
        return int(duration.as_unit("ns").value)
    return int(duration // timedelta(microseconds=1)) * 1_000
