"""Dates in other formats than ISO 8601, which pandas parses.

pandas completes missing parts of a date from the clock of the machine, and decides about ambiguous ones. So a date is
inspected before pandas parses it.
"""

from __future__ import annotations

import re
from typing import Any, Final

#: A time of day with its offset.
_CLOCK: Final = re.compile(r"\d{1,2}:\d\d\S*(?:\s*[+-]\d\d:?\d\d)?", re.ASCII)
#: The fraction of a second.
_FRACTION: Final = re.compile(r":\d\d[.,](\d+)", re.ASCII)
_YEAR: Final = re.compile(r"(?<!\d)\d{4}(?!\d)", re.ASCII)
#: An hour without minutes, or an offset in whole hours.
_HOUR: Final = re.compile(r"\d{1,2}\s*(?:[ap]\.?m\b|h)|(?:GMT|UTC)\s*[+-]\d{1,2}(?![\d:])", re.ASCII | re.IGNORECASE)
#: A day or a month, as a number or name.
_MONTH: Final = r"(?<!\d)\d{1,2}(?!\d)|(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_DAY_OR_MONTH: Final = re.compile(_MONTH, re.ASCII | re.IGNORECASE)
#: A month or a quarter without a day; pandas returns its first day.
_MONTH_ALONE: Final = re.compile(
    rf"\d{{4}}[-/ ](?:{_MONTH})|(?:{_MONTH})[-/ ]\d{{4}}|\d{{4}}-?Q[1-4]|[1-4]Q-?\d{{4}}", re.ASCII | re.IGNORECASE
)

#: The numbers of a date, without an offset.
_NUMBER: Final = re.compile(r"(?<![\d+])\d+", re.ASCII)
_WORD: Final = re.compile(r"[^\W\d_]+")
_MONTH_AND_CLOCK: Final = re.compile(r"\d{4}(?:-\d\d)?[Tt]", re.ASCII)
#: The name of a time zone in parentheses after its offset.
_ZONE_NAME: Final = re.compile(r"(?<=\d)\s*\([A-Za-z ]+\)\s*\Z")
#: A name before an offset. `GMT+0100` is east of Greenwich in JavaScript, and west of it in POSIX and pandas.
_NAME_AND_OFFSET: Final = re.compile(r"([^\W\d_]+)\s*[+-]\s*\d")

_MONTHS: Final = frozenset({"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"})
#: Words that a date may contain, by their first letters and whole. Other names of time zones depend on the machine.
_MONTHS_AND_DAYS: Final = _MONTHS | {"mon", "tue", "wed", "thu", "fri", "sat", "sun"}
_WORDS: Final = frozenset({"am", "pm", "a", "p", "m", "t", "z", "utc", "gmt", "st", "nd", "rd", "th", "of", "h", "s"})


def find_ambiguity(value: str) -> str | None:
    """Return why a date is ambiguous, or None."""
    value = _ZONE_NAME.sub("", value)
    for found in _NAME_AND_OFFSET.finditer(value):
        name = found[1].lower()
        if name[:3] not in _MONTHS_AND_DAYS and name not in {"am", "pm", "a", "p", "m", "t"}:
            return f"the offset after {found[1]!r} may be east or west"
    if any(word[:3].lower() in _MONTHS for word in _WORD.findall(value)):
        return None
    numbers = _NUMBER.findall(_CLOCK.sub(" ", value))
    years = [number for number in numbers if len(number) == 4]
    if len(years) > 1:
        return "more than one number may be the year"
    if years and numbers[0] != years[0]:
        one, other, *_ = map(int, [number for number in numbers if len(number) <= 2] + ["0", "0"])
        if 1 <= one <= 12 and 1 <= other <= 12 and one != other:
            return "day and month, or month and day"
    elif len(numbers) > 2 and int(numbers[1]) > 12:
        return "year, month and day, or year, day and month"
    return None


def parse_date(value: str) -> Any:
    """Return a date as a `pandas.Timestamp`, or None if it is not a date or incomplete.

    Raises:
        ImportError: pandas is not installed.
    """
    if not _YEAR.search(_CLOCK.sub(" ", value)) or value.isdecimal() or not _has_known_words(value):
        return None
    import pandas as pd  # noqa: PLC0415 - not needed for ISO 8601, and slow to import

    try:
        timestamp: Any = pd.Timestamp(value)
    except Exception:  # noqa: BLE001 - any exception of pandas or its date parser
        return None
    is_date = timestamp is not pd.NaT and _has_year(value, timestamp) and not _is_incomplete(value)
    return timestamp if is_date else None


def has_fraction(value: str, ns: int) -> bool:
    """Return whether the fraction of a second in a date is this number of nanoseconds; pandas truncates it."""
    fraction = _FRACTION.search(value)
    return fraction is None or int(fraction[1].ljust(9, "0")) == ns * 10 ** max(len(fraction[1]) - 9, 0)


def _has_year(value: str, timestamp: Any) -> bool:
    """Return whether the year that pandas parsed is a number of four digits in the string."""
    return f"{timestamp.year:04}" in _YEAR.findall(_CLOCK.sub(" ", value))


def _has_known_words(value: str) -> bool:
    """Return whether no word depends on the machine, as most names of time zones and a `T` after a month do."""
    if _MONTH_AND_CLOCK.match(value):
        return False
    words = map(str.lower, _WORD.findall(_ZONE_NAME.sub("", value)))
    return all(word in _WORDS or word[:3] in _MONTHS_AND_DAYS for word in words)


def _is_incomplete(value: str) -> bool:
    """Return whether the day or the month is missing, which pandas may complete from the clock of this machine."""
    if _MONTH_ALONE.fullmatch(value):
        return False
    day_and_month = _YEAR.sub(" ", _CLOCK.sub(" ", _HOUR.sub(" ", value)), count=1)
    return len(_DAY_OR_MONTH.findall(day_and_month)) < 2
