"""Quoting of what users give: names, strings, patterns, durations and times."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final, TypeAlias, TypeVar

from .._errors import SerializationError
from .._repr import short_repr
from .._time import to_nanoseconds

#: How long something is: a `timedelta`, whole seconds, or as InfluxQL writes it (`"1h30m"`).
Duration: TypeAlias = timedelta | int | str

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
_DURATION: Final = re.compile("([0-9]+)(ns|ms|[usmhdw\N{MICRO SIGN}])")
#: Go's format, which the server uses in results of SHOW statements.
_GO_DURATION: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ns|ms|[u\N{MICRO SIGN}]s|[smh])")
LONGEST: Final = 2**63 - 1


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
    text = regex_text(pattern)
    if text.startswith("*"):  # with the slash before it, it would begin a comment
        msg = "an InfluxQL regular expression must not begin with '*': there is nothing to repeat"
        raise ValueError(msg)
    quoted_pattern = _IN_REGEX.sub(_escape_in_regex, text)
    # InfluxDB takes a backslash before the closing slash for its escape, even after another; the empty group separates.
    return f"/{quoted_pattern}(?:)/" if quoted_pattern.endswith("\\") else f"/{quoted_pattern}/"


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
    ns = duration_ns(duration)
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
        msg = f"{short_repr(time)} is no time"
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


def regex_text(pattern: object) -> str:
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
    return f"(?{flags}){encodable(text)}" if flags else encodable(text)


def _escape_in_regex(found: re.Match[str]) -> str:
    if found[0] == "\\":
        msg = "an InfluxQL regular expression must not end in a lone backslash"
        raise ValueError(msg)
    # A sign that was escaped before: Python's `re.escape` does that to LF.
    return _REGEX_ESCAPES.get(found[1] or found[0], found[0])


def encodable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        msg = f"the text has a lone surrogate, at index {error.start}"
        raise ValueError(msg) from None
    return text


def duration_ns(duration: object) -> int:
    if isinstance(duration, timedelta):
        ns = _timedelta_ns(duration)
    elif isinstance(duration, int) and not isinstance(duration, bool):
        ns = duration * _UNITS["s"]
    elif isinstance(duration, str):
        ns = _parse_duration(_DURATION, duration)
    else:
        msg = f"a duration must be a timedelta, an int of seconds or a str, not {type(duration).__name__}"
        raise TypeError(msg)
    if not 0 <= ns <= LONGEST:
        msg = f"the duration {short_repr(duration)} is {'negative' if ns < 0 else 'longer than InfluxDB can count'}"
        raise ValueError(msg)
    return ns


def go_duration_ns(text: str) -> int:
    """Return the nanoseconds of a duration in Go's format: `168h0m0s`, `1m0.5s`, `12.345ms`.

    Raises:
        ValueError: the duration is malformed.
    """
    return _parse_duration(_GO_DURATION, text)


def _parse_duration(component: re.Pattern[str], text: str) -> int:
    parts = component.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        msg = f"{short_repr(text)} is not a duration; write integers with units, such as 1h30m"
        raise ValueError(msg)
    ns = 0
    for number, unit in parts:
        whole, _, fraction = number.partition(".")
        ns += int(whole + fraction) * _UNITS[unit] // 10 ** len(fraction)
    return ns


def _timedelta_ns(duration: Any) -> int:
    pandas: Any = sys.modules.get("pandas")
    # pandas' subclass has nanoseconds that its base does not know of.
    if pandas is not None and isinstance(duration, pandas.Timedelta):
        return int(duration.as_unit("ns").value)
    return int(duration // timedelta(microseconds=1)) * 1_000
