"""Conversion of timestamps to and from integers of nanoseconds since 1970-01-01T00:00:00 UTC, without leap seconds.

No conversion uses floats. Finer values are floored, so that times before and after 1970 are rounded alike.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache
from typing import Any, Final

from ._errors import SerializationError
from ._repr import short_repr

#: The range of timestamps that InfluxDB stores: int64 without its three extremes.
FIRST: Final = -9223372036854775806
LAST: Final = 9223372036854775806

_SECOND: Final = 1_000_000_000
_DAY: Final = 86_400 * _SECOND

#: Precisions by name, each with its name in requests and its nanoseconds. InfluxDB 1.x does not know `us`, and treats
#: unknown names as `ns`. Two Unicode characters look like a micro sign.
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

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - UTC by definition; subtracting naive datetimes is faster
_EPOCH_UTC: Final = _EPOCH.replace(tzinfo=UTC)
_EPOCH_ORDINAL: Final = _EPOCH.toordinal()
_MICROSECOND: Final = timedelta(microseconds=1)

#: Units of numpy's datetime64 as a ratio to nanoseconds. Years and months vary in length and are converted to days.
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

#: Longer text is rejected: the search for the words of a date takes time that grows with the square of its length.
_LONGEST_TEXT: Final = 200


def wire_precision(precision: object, argument: str = "precision") -> str:
    """Return the name of a precision in requests: `ns`, `u`, `ms`, `s`, `m` or `h`.

    Args:
        precision: `ns`, `n`, `us`, `u` (also as the Greek letter or the micro sign), `ms`, `s`, `m` or `h`.
        argument: the name of the argument in the error message.

    Raises:
        ValueError: the precision is unknown.
    """
    return _precision(precision, argument)[0]


def unit(precision: object, argument: str = "precision") -> int:
    """Return the nanoseconds of one unit of a precision; names and errors are those of `wire_precision`."""
    return _precision(precision, argument)[1]


def _precision(precision: object, argument: str) -> tuple[str, int]:
    known = _PRECISIONS.get(precision) if isinstance(precision, str) else None
    if known is None:
        raise ValueError(f"{argument}: must be one of ns, u, ms, s, m, h, not {precision!r}")
    return known


def to_nanoseconds(value: object, precision: str = "ns") -> int | None:
    """Return a timestamp as nanoseconds since 1970 UTC, or None for None and NaT.

    Args:
        value: a `datetime` (naive means UTC), a `date` (midnight UTC), `numpy.datetime64`, `pandas.Timestamp`, an
            ISO 8601 string down to nanoseconds (also a year or a month), an integer, or, if pandas is installed, any
            other unambiguous date string that `pandas.Timestamp` parses.
        precision: the unit of integers.

    Raises:
        SerializationError: the value is not a timestamp, is ambiguous (`11.02.2024`, `GMT+0100`), or is outside the
            range of InfluxDB (1677-09-21 to 2262-04-11).
        ValueError: the precision is unknown.
    """
    value_type = type(value)
    try:
        convert = _CONVERTERS[value_type]
    except KeyError:
        convert = _converter(value_type)
    ns = convert(value, unit(precision))
    return None if ns is None else in_range(ns, value)


def point_nanoseconds(time: object, precision: str) -> int:
    """Return the timestamp of a point, which is not None; the arguments and errors are those of `to_nanoseconds`."""
    ns = to_nanoseconds(time, precision)
    if ns is None:
        # Without a timestamp the point would silently be stored with the time of the server.
        raise SerializationError("the time is NaT; use None for a point that the server stamps")
    return ns


def to_datetime(ns: int) -> datetime:
    """Return a timestamp as a `datetime` in UTC, rounded down to microseconds."""
    return _EPOCH_UTC + timedelta(microseconds=ns // 1_000)


def to_rfc3339(ns: int) -> str:
    """Return a timestamp as InfluxDB formats it: `2009-11-10T23:00:00.0000005Z`, without trailing zeros."""
    return format_seconds(*divmod(ns, _SECOND))


def format_seconds(seconds: int, fraction: int) -> str:
    """Return a timestamp as InfluxDB formats it.

    Args:
        seconds: whole seconds since 1970.
        fraction: the nanoseconds after them, less than a second.
    """
    minutes, second = divmod(seconds, 60)
    if not fraction:
        return _format_minute(minutes) + _SECOND_TEXTS[second]
    return f"{_format_minute(minutes)}:{second:02}.{fraction:09}".rstrip("0") + "Z"


_SECOND_TEXTS: Final = [f":{second:02}Z" for second in range(60)]


@lru_cache(maxsize=1440)  # the timestamps of a result are often close together
def _format_minute(minutes: int) -> str:
    days, minute = divmod(minutes, 1440)
    day = date.fromordinal(_EPOCH_ORDINAL + days)
    return f"{day.isoformat()}T{minute // 60:02}:{minute % 60:02}"


def in_range(ns: int, value: object) -> int:
    """Return the nanoseconds if InfluxDB can store them.

    Raises:
        SerializationError: they are outside the range of InfluxDB; the message quotes `value`, the original timestamp.
    """
    if FIRST <= ns <= LAST:
        return ns
    msg = f"timestamp {short_repr(value)} is outside the range of InfluxDB, {to_rfc3339(FIRST)} to {to_rfc3339(LAST)}"
    raise SerializationError(msg)


def _from_datetime(value: datetime, _unit: int) -> int:
    # Not `astimezone`, which fails outside the years 1 to 9999 and is slower.
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
    except (ValueError, OverflowError):  # outside the range of nanoseconds in pandas, and so in InfluxDB
        return in_range(LAST + 1, value)


def _from_numpy(value: Any, _unit: int) -> int | None:
    numpy = sys.modules["numpy"]
    if numpy.isnat(value):
        return None
    name, count = numpy.datetime_data(value.dtype)
    if name in {"Y", "M"}:
        value, name, count = value.astype("datetime64[D]"), "D", 1
    if name not in _NUMPY_UNITS:
        raise SerializationError(f"timestamp {short_repr(value)} has no unit; convert it to datetime64[ns]")
    numerator, denominator = _NUMPY_UNITS[name]
    return int(value.astype("int64")) * int(count) * numerator // denominator


@cache  # compiling is slow, so it happens on first use
def _iso_8601() -> re.Pattern[str]:
    return re.compile(
        r"""
        (?P<date> \d{4}-\d\d-\d\d | \d{8} | \d{4}-W\d\d-\d | \d{4}W\d{3} )
        (?: [Tt ]
            (?P<hour>\d\d) (?: :(?P<minute>\d\d) (?: :(?P<second>\d\d) (?:[.,](?P<fraction>\d+))? )?
                             | (?P<minute_>\d\d) (?: (?P<second_>\d\d) (?:[.,](?P<fraction_>\d+))? )? )?
            (?: [Zz] | (?P<sign>[+-]) (?P<zone_hour>\d\d) (?: :?(?P<zone_minute>\d\d) )? )?
        )?
        | (?P<month> \d{4} (?:-\d\d)? )
        """,
        re.VERBOSE | re.ASCII,
    )


def _from_string(value: str, unit: int) -> int:
    found = _iso_8601().fullmatch(value)
    if found is None:
        return _from_other_format(value, unit)
    # Unpacking all groups at once takes half of the time of looking up each by name.
    text, hour, minute, second, fraction, minute_, second_, fraction_, sign, zone_hour, zone_minute, month = (
        found.groups()
    )
    try:
        day = date.fromisoformat(text or f"{month}-01-01"[:10])
    except ValueError as error:
        raise SerializationError(f"invalid timestamp {short_repr(value)}: {error}") from None
    hours, zone_hours, zone_minutes = int(hour or 0), int(zone_hour or 0), int(zone_minute or 0)
    minutes, seconds = int(minute or minute_ or 0), int(second or second_ or 0)
    if hours > 23 or minutes > 59 or seconds > 59 or zone_hours > 23 or zone_minutes > 59:
        raise SerializationError(f"invalid timestamp {short_repr(value)}: hour, minute or second is out of range")
    fraction = fraction or fraction_ or "0"
    if fraction[9:].strip("0"):
        msg = f"timestamp {short_repr(value)} is finer than nanoseconds, the resolution of InfluxDB; round it"
        raise SerializationError(msg)
    offset = zone_hours * 60 + zone_minutes
    minutes += hours * 60 - (-offset if sign == "-" else offset)
    seconds += minutes * 60
    return _from_date(day, unit) + seconds * _SECOND + int(fraction[:9].ljust(9, "0"))


def _from_other_format(value: str, unit: int) -> int:
    if len(value) > _LONGEST_TEXT:
        raise SerializationError(f"invalid timestamp {short_repr(value)} of {len(value)} characters; use ISO 8601")
    from . import _date_formats as formats  # noqa: PLC0415 - has many patterns, and most dates are ISO 8601

    if (ambiguity := formats.find_ambiguity(value)) is not None:
        msg = f"ambiguous timestamp {short_repr(value)}: {ambiguity}; use ISO 8601: 2009-11-10T23:00:00Z"
        raise SerializationError(msg)
    try:
        timestamp = formats.parse_date(value)
    except ImportError:
        raise SerializationError(
            f"timestamp {short_repr(value)} is not ISO 8601 (2009-11-10T23:00:00Z); "
            "install pandas to parse other formats"
        ) from None
    if timestamp is None:
        raise SerializationError(f"invalid timestamp {short_repr(value)}; use ISO 8601: 2009-11-10T23:00:00Z")
    ns = _from_pandas(timestamp, unit)
    if not formats.has_fraction(value, ns % _SECOND):
        msg = f"timestamp {short_repr(value)} is finer than pandas parses; use ISO 8601: 2009-11-10T23:00:00Z"
        raise SerializationError(msg)
    return ns


_CONVERTERS: Final[dict[type, Callable[[Any, int], int | None]]] = {
    type(None): _from_none,
    int: _from_int,
    str: _from_string,
    datetime: _from_datetime,
    date: _from_date,
}


def _converter(value_type: type) -> Callable[[Any, int], int | None]:
    """Return the converter for a type, and remember it for the next value."""
    found = _find_converter(value_type)
    if found is None:
        if issubclass(value_type, float):
            msg = f"timestamps cannot be {value_type.__qualname__} (nanoseconds would be lost); convert to int"
        else:
            msg = f"unsupported timestamp type {value_type.__qualname__!r}; pass a datetime, an int or an ISO 8601 str"
        raise SerializationError(msg)
    if len(_CONVERTERS) > 100:  # types created at run time must not accumulate
        return found
    return _CONVERTERS.setdefault(value_type, found)


def _find_converter(value_type: type) -> Callable[[Any, int], int | None] | None:
    pandas = sys.modules.get("pandas")
    if value_type in {type(getattr(pandas, name, None)) for name in ("NA", "NaT")}:
        return _from_none
    if issubclass(value_type, getattr(sys.modules.get("numpy"), "generic", ())):
        return _find_numpy_converter(value_type)
    if issubclass(value_type, datetime):
        # pandas.Timestamp and its subclasses have nanoseconds, which datetime lacks.
        return _from_pandas if issubclass(value_type, getattr(pandas, "Timestamp", ())) else _from_datetime
    if issubclass(value_type, bool):
        return None
    return next((_CONVERTERS[base] for base in (int, str, date) if issubclass(value_type, base)), None)


def _find_numpy_converter(value_type: type) -> Callable[[Any, int], int | None] | None:
    numpy = sys.modules["numpy"]
    if issubclass(value_type, numpy.datetime64):
        return _from_numpy
    if issubclass(value_type, numpy.integer) and not issubclass(value_type, numpy.timedelta64):
        return _from_int
    return _from_string if issubclass(value_type, str) else None
