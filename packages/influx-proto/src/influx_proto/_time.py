"""Time is an integer: nanoseconds since 1970-01-01T00:00:00 UTC, leap seconds not counted. No float touches it.

Everything finer is floored, so that times before 1970 are cut in the same direction as those after it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any, Final

from ._errors import SerializationError
from ._repr import short_repr

#: The first and the last nanosecond that InfluxDB stores: int64 without its three extremes.
FIRST: Final = -9223372036854775806
LAST: Final = 9223372036854775806

_SECOND: Final = 1_000_000_000
_DAY: Final = 86_400 * _SECOND

#: Precisions by every name, each with its name on the wire (InfluxDB 1.x takes names it does not know for `ns`, and
#: knows no `us`) and its nanoseconds. Both letters that look like a micro sign are one to people.
_PRECISIONS: Final = {
    "ns": ("ns", 1),
    "n": ("ns", 1),
    "us": ("u", 1_000),
    "u": ("u", 1_000),
    "\N{MICRO SIGN}": ("u", 1_000),
    "\N{GREEK SMALL LETTER MU}": ("u", 1_000),
    "ms": ("ms", 1_000_000),
    "s": ("s", _SECOND),
    "m": ("m", 60 * _SECOND),
    "h": ("h", 3_600 * _SECOND),
}

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - UTC by definition; subtracting naive ones is faster
_EPOCH_ORDINAL: Final = _EPOCH.toordinal()
_MICROSECOND: Final = timedelta(microseconds=1)

#: numpy's units of datetime64 as a ratio to nanoseconds. Years and months are none, they go by way of days.
_NUMPY_UNITS: Final = {
    "W": (7 * _DAY, 1),
    "D": (_DAY, 1),
    "h": (3_600 * _SECOND, 1),
    "m": (60 * _SECOND, 1),
    "s": (_SECOND, 1),
    "ms": (1_000_000, 1),
    "us": (1_000, 1),
    "ns": (1, 1),
    "ps": (1, 1_000),
    "fs": (1, 1_000_000),
    "as": (1, 1_000_000_000),
}

#: A time of day with its zone, and a year: what a date that is not ISO 8601 must not be alone, and must have.
_CLOCK: Final = re.compile(r"\d{1,2}:\d\d\S*(?:\s*[+-]\d\d:?\d\d)?", re.ASCII)
#: The digits behind the seconds.
_FRACTION: Final = re.compile(r":\d\d[.,](\d+)", re.ASCII)
_YEAR: Final = re.compile(r"(?<!\d)\d{4}(?!\d)", re.ASCII)
#: An hour without minutes, and an offset in whole hours.
_HOUR: Final = re.compile(r"\d{1,2}\s*(?:[ap]\.?m\b|h)|(?:GMT|UTC)\s*[+-]\d{1,2}(?![\d:])", re.ASCII | re.IGNORECASE)
#: What tells a day or a month.
_MONTH: Final = r"(?<!\d)\d{1,2}(?!\d)|(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_DAY_OR_MONTH: Final = re.compile(_MONTH, re.ASCII | re.IGNORECASE)
#: A month or a quarter, of which pandas takes the first day.
_MONTH_ALONE: Final = re.compile(
    rf"\d{{4}}[-/ ](?:{_MONTH})|(?:{_MONTH})[-/ ]\d{{4}}|\d{{4}}-?Q[1-4]|[1-4]Q-?\d{{4}}", re.ASCII | re.IGNORECASE
)

#: The numbers of a date, and an offset apart; its words; and what follows an offset in parentheses, as its name.
_NUMBER: Final = re.compile(r"(?<![\d+])\d+", re.ASCII)
_WORD: Final = re.compile(r"[^\W\d_]+")
_MONTH_AND_CLOCK: Final = re.compile(r"\d{4}(?:-\d\d)?[Tt]", re.ASCII)
_ZONE_NAME: Final = re.compile(r"(?<=\d)\s*\([A-Za-z ]+\)\s*\Z")
#: A name before an offset. JavaScript's `GMT+0100` is east of Greenwich, that of POSIX and pandas is west of it.
_NAME_AND_OFFSET: Final = re.compile(r"([^\W\d_]+)\s*[+-]\s*\d")

#: Longer text is rejected: the search for the words of a date takes time that grows with the square of its length.
_LONGEST_TEXT: Final = 200

_MONTHS: Final = frozenset({"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"})
#: Words that a date may have, by their first letters and whole. Zones by other names depend on the machine.
_MONTHS_AND_DAYS: Final = _MONTHS | {"mon", "tue", "wed", "thu", "fri", "sat", "sun"}
_WORDS: Final = frozenset({"am", "pm", "a", "p", "m", "t", "z", "utc", "gmt", "st", "nd", "rd", "th", "of", "h", "s"})


def wire_precision(precision: object, argument: str = "precision") -> str:
    """Give the name that InfluxDB has for a precision: `ns`, `u`, `ms`, `s`, `m` or `h`.

    Args:
        precision: `ns`, `n`, `us`, `u` or its Greek letter (the micro sign too), `ms`, `s`, `m`, `h`.
        argument: what the caller calls it, for the error.

    Raises:
        ValueError: there is no such precision.
    """
    return _precision(precision, argument)[0]


def unit(precision: object, argument: str = "precision") -> int:
    """Give the nanoseconds of one unit of a precision; names and errors are those of `wire_precision`."""
    return _precision(precision, argument)[1]


def _precision(precision: object, argument: str) -> tuple[str, int]:
    known = _PRECISIONS.get(precision) if isinstance(precision, str) else None
    if known is None:
        msg = f"{argument}: must be one of ns, u, ms, s, m, h, not {precision!r}"
        raise ValueError(msg)
    return known


def to_nanoseconds(value: object, precision: str = "ns") -> int | None:
    """Turn anything that tells a time into nanoseconds since 1970 UTC.

    Args:
        value: a `datetime` (naive means UTC), a `date` (its midnight), `numpy.datetime64`, `pandas.Timestamp`, text in
            ISO 8601 down to the nanosecond (also a year or a month alone), any other date that `pandas.Timestamp` can
            read where pandas is installed and that has one reading, or an integer.
        precision: the unit of integers.

    Returns:
        None where there is no time: for None and for NaT, numpy's and pandas'.

    Raises:
        SerializationError: the value tells no time, or can be read in two ways (`11.02.2024`, `GMT+0100`), or is
            outside of what InfluxDB stores (1677-09-21 to 2262-04-11).
        ValueError: there is no such precision.
    """
    kind = type(value)
    try:
        convert = _CONVERTERS[kind]
    except KeyError:
        convert = _converter(kind)
    ns = convert(value, unit(precision))
    return None if ns is None else in_range(ns, value)


def from_nanoseconds(ns: int, precision: str) -> int:
    """Give the whole units of a precision since 1970 (so the unit that is running, also before 1970)."""
    return ns // unit(precision)


def to_rfc3339(ns: int) -> str:
    """Give a time as InfluxDB prints it: in UTC, `2009-11-10T23:00:00.0000005Z`, zeros at the end left out."""
    days, rest = divmod(ns, _DAY)
    seconds, fraction = divmod(rest, _SECOND)
    minutes, second = divmod(seconds, 60)
    day = date.fromordinal(_EPOCH_ORDINAL + days)
    text = f"{day.isoformat()}T{minutes // 60:02}:{minutes % 60:02}:{second:02}"
    return f"{text}.{fraction:09}".rstrip("0") + "Z" if fraction else text + "Z"


def in_range(ns: int, value: object) -> int:
    """Check that InfluxDB can store a time.

    Raises:
        SerializationError: it cannot; `value` is what the caller called it.
    """
    if FIRST <= ns <= LAST:
        return ns
    msg = f"the time {short_repr(value)} is outside of what InfluxDB stores, {to_rfc3339(FIRST)} to {to_rfc3339(LAST)}"
    raise SerializationError(msg)


def _from_datetime(value: datetime, _unit: int) -> int:
    # Not by `astimezone`, which cannot leave the years 1 to 9999, and is slower.
    if value.tzinfo is None:
        since = value - _EPOCH
    else:
        since = value.replace(tzinfo=None) - _EPOCH - (value.utcoffset() or timedelta())
    return (since // _MICROSECOND) * 1_000


def _from_date(value: date, _unit: int) -> int:
    return (value.toordinal() - _EPOCH_ORDINAL) * _DAY


def _from_int(value: Any, unit: int) -> int:
    return int(value) * unit


def _from_none(_value: object, _unit: int) -> None:
    return None


def _from_pandas(value: Any, _unit: int) -> int:
    try:
        return int(value.as_unit("ns").value)
    except (ValueError, OverflowError):  # pandas has no nanoseconds for it, nor has InfluxDB
        return in_range(LAST + 1, value)


def _from_numpy(value: Any, _unit: int) -> int | None:
    numpy = sys.modules["numpy"]
    if numpy.isnat(value):
        return None
    name, count = numpy.datetime_data(value.dtype)
    if name in {"Y", "M"}:
        value, name, count = value.astype("datetime64[D]"), "D", 1
    if name not in _NUMPY_UNITS:
        msg = f"{short_repr(value)} is no time: it has no unit"
        raise SerializationError(msg)
    numerator, denominator = _NUMPY_UNITS[name]
    return int(value.astype("int64")) * int(count) * numerator // denominator


@cache  # it takes long to compile, so not before it is needed
def _iso_8601() -> re.Pattern[str]:
    return re.compile(
        r"""
        (?P<month> \d{4} (?:-\d\d)? )
        | (?P<date> \d{4}-\d\d-\d\d | \d{8} | \d{4}-W\d\d-\d | \d{4}W\d{3} )
        (?: [Tt ]
            (?P<hour>\d\d) (?: :(?P<minute>\d\d) (?: :(?P<second>\d\d) (?:[.,](?P<fraction>\d+))? )?
                             | (?P<minute_>\d\d) (?: (?P<second_>\d\d) (?:[.,](?P<fraction_>\d+))? )? )?
            (?P<zone> [Zz] | (?P<sign>[+-]) (?P<zone_hour>\d\d) (?: :?(?P<zone_minute>\d\d) )? )?
        )?
        """,
        re.VERBOSE | re.ASCII,
    )


def _from_text(value: str, unit: int) -> int:
    found = _iso_8601().fullmatch(value)
    if found is None:
        return _from_other_text(value, unit)
    try:
        day = date.fromisoformat(found["date"] or f"{found['month']}-01-01"[:10])
    except ValueError as error:
        msg = f"{short_repr(value)} is no time: {error}"
        raise SerializationError(msg) from None
    hour, zone_hour, zone_minute = (int(found[name] or 0) for name in ("hour", "zone_hour", "zone_minute"))
    minute, second = (int(found[name] or found[f"{name}_"] or 0) for name in ("minute", "second"))
    if hour > 23 or minute > 59 or second > 59 or zone_hour > 23 or zone_minute > 59:
        msg = f"{short_repr(value)} is no time: there is no such hour, minute or second"
        raise SerializationError(msg)
    fraction = found["fraction"] or found["fraction_"] or "0"
    if fraction[9:].strip("0"):
        msg = f"the time {short_repr(value)} is finer than nanoseconds, which is as fine as InfluxDB stores it"
        raise SerializationError(msg)
    offset = zone_hour * 60 + zone_minute
    minutes = hour * 60 + minute - (-offset if found["sign"] == "-" else offset)
    seconds = minutes * 60 + second
    return _from_date(day, unit) + seconds * _SECOND + int(fraction[:9].ljust(9, "0"))


def _from_other_text(value: str, unit: int) -> int:
    if len(value) > _LONGEST_TEXT:
        msg = f"invalid timestamp {short_repr(value)} of {len(value)} characters; use ISO 8601"
        raise SerializationError(msg)
    ambiguity = _ambiguity(value)
    if ambiguity is not None:
        msg = f"the time {short_repr(value)} can be read in two ways: {ambiguity}; use ISO 8601: 2009-11-10T23:00:00Z"
        raise SerializationError(msg)
    # pandas would take the day, or the year, that is missing in a text from the clock of this machine.
    if _YEAR.search(_CLOCK.sub(" ", value)) and not value.isdecimal() and _has_known_words(value):
        try:
            import pandas as pd  # noqa: PLC0415 - not needed for ISO 8601, and slow to import
        except ImportError:
            msg = (
                f"{short_repr(value)} is no ISO 8601 time (2009-11-10T23:00:00Z); other forms are read where pandas is"
            )
            raise SerializationError(msg) from None
        try:
            timestamp: Any = pd.Timestamp(value)
        except Exception:  # noqa: BLE001 - of pandas, or of the parser that it uses
            timestamp = pd.NaT
        if timestamp is not pd.NaT and _has_year(value, timestamp) and not _is_completed(value):
            fraction = _FRACTION.search(value)
            ns = _from_pandas(timestamp, unit)
            if fraction is None or int(fraction[1].ljust(9, "0")) == ns % _SECOND * 10 ** max(len(fraction[1]) - 9, 0):
                return ns
            msg = f"the time {short_repr(value)} is finer than pandas reads it; ISO 8601 is read to the nanosecond"
            raise SerializationError(msg)
    msg = f"{short_repr(value)} is no time; a time as text is best written in ISO 8601: 2009-11-10T23:00:00Z"
    raise SerializationError(msg)


def _has_year(value: str, timestamp: Any) -> bool:
    """Whether pandas has read a number of four digits as the year."""
    return f"{timestamp.year:04}" in _YEAR.findall(_CLOCK.sub(" ", value))


def _has_known_words(value: str) -> bool:
    """Whether all words mean the same on every machine; the names of zones do not, nor does a `T` after a month."""
    if _MONTH_AND_CLOCK.match(value):
        return False
    words = map(str.lower, _WORD.findall(_ZONE_NAME.sub("", value)))
    return all(word in _WORDS or word[:3] in _MONTHS_AND_DAYS for word in words)


def _ambiguity(value: str) -> str | None:
    """Return what can be read in two ways in a date that is not ISO 8601, or None."""
    value = _ZONE_NAME.sub("", value)
    for found in _NAME_AND_OFFSET.finditer(value):
        name = found[1].lower()
        if name[:3] not in _MONTHS_AND_DAYS and name not in {"am", "pm", "a", "p", "m", "t"}:
            return f"the offset after {found[1]!r} may be east or west of it"
    if any(word[:3].lower() in _MONTHS for word in _WORD.findall(value)):
        return None
    numbers = _NUMBER.findall(_CLOCK.sub(" ", value))
    years = [number for number in numbers if len(number) == 4]
    if len(years) > 1:
        return "more than one number may be the year"
    if years and numbers[0] != years[0]:
        one, other, *_ = map(int, [number for number in numbers if len(number) <= 2] + ["0", "0"])
        if 1 <= one <= 12 and 1 <= other <= 12 and one != other:
            return "as day and month, or as month and day"
    elif len(numbers) > 2 and int(numbers[1]) > 12:
        return "as year, month and day, or as year, day and month"
    return None


def _is_completed(value: str) -> bool:
    """Say whether a text does not tell its day or its month, which pandas may then take from the clock."""
    if _MONTH_ALONE.fullmatch(value):
        return False
    told = _YEAR.sub(" ", _CLOCK.sub(" ", _HOUR.sub(" ", value)), count=1)
    return len(_DAY_OR_MONTH.findall(told)) < 2


_CONVERTERS: Final[dict[type, Callable[[Any, int], int | None]]] = {
    type(None): _from_none,
    int: _from_int,
    str: _from_text,
    datetime: _from_datetime,
    date: _from_date,
}


def _converter(kind: type) -> Callable[[Any, int], int | None]:
    """Find the converter for a class that is met for the first time."""
    found = _find(kind)
    if found is None:
        hint = "; a float cannot tell nanoseconds, take int(...) of it" if issubclass(kind, float) else ""
        msg = f"a value of type {kind.__qualname__} is no time{hint}"
        raise SerializationError(msg)
    if len(_CONVERTERS) > 100:  # classes made at run time must not pile up here
        return found
    return _CONVERTERS.setdefault(kind, found)


def _find(kind: type) -> Callable[[Any, int], int | None] | None:
    pandas = sys.modules.get("pandas")
    if kind in {type(getattr(pandas, name, None)) for name in ("NA", "NaT")}:
        return _from_none
    if issubclass(kind, getattr(sys.modules.get("numpy"), "generic", ())):
        return _find_numpy(kind)
    if issubclass(kind, datetime):
        # pandas.Timestamp, and subclasses of it, have nanoseconds that datetime does not know of.
        return _from_pandas if issubclass(kind, getattr(pandas, "Timestamp", ())) else _from_datetime
    if issubclass(kind, bool):
        return None
    return next((_CONVERTERS[base] for base in (int, str, date) if issubclass(kind, base)), None)


def _find_numpy(kind: type) -> Callable[[Any, int], int | None] | None:
    numpy = sys.modules["numpy"]
    if issubclass(kind, numpy.datetime64):
        return _from_numpy
    if issubclass(kind, numpy.integer) and not issubclass(kind, numpy.timedelta64):
        return _from_int
    return _from_text if issubclass(kind, str) else None
