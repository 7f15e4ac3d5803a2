"""Timestamps: exact integers of nanoseconds within the range, from every type of input."""
# ruff: noqa: DTZ001, DTZ901 - naive datetimes are part of the tests

from __future__ import annotations

import builtins
import sys
import time as clock_module
import warnings
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from influx_proto import SerializationError
from influx_proto._runtime.settings import Stamps
from influx_proto._time import to_datetime, to_nanoseconds, to_rfc3339, unit, wire_precision

S = 1_000_000_000
FIRST, LAST = -9223372036854775806, 9223372036854775806
T = 1257894000 * S  # 2009-11-10T23:00:00Z


@pytest.mark.parametrize(
    ("value", "ns"),
    [
        (None, None),
        (0, 0),
        (-1, -1),
        (LAST, LAST),
        (FIRST, FIRST),
        (np.int64(T), T),
        (np.uint8(5), 5),
        (datetime(2009, 11, 10, 23), T),
        (datetime(2009, 11, 10, 23, tzinfo=UTC), T),
        (datetime(2009, 11, 10, 23, 0, 0, 1), T + 1000),
        (datetime(1969, 12, 31, 23, 59, 59, 999999), -1000),
        (datetime(2009, 11, 11, 1, tzinfo=timezone(timedelta(hours=2))), T),
        (datetime(2024, 7, 1, tzinfo=ZoneInfo("Europe/Berlin")), 1719784800 * S),
        (datetime(2024, 10, 27, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1), 1729992600 * S),
        (date(1970, 1, 2), 86400 * S),
        (date(1969, 12, 31), -86400 * S),
        (np.datetime64("NaT", "ns"), None),
        (np.datetime64("1970-01-01T00:00:01", "s"), S),
        (np.datetime64(-1, "ns"), -1),
        (np.datetime64(7, "us"), 7000),
        (np.datetime64(3, "D"), 3 * 86400 * S),
        (np.datetime64(1, "W"), 7 * 86400 * S),
        (np.datetime64("2009-11", "M"), 1257033600 * S),
        (np.datetime64("1969", "Y"), -365 * 86400 * S),
        (np.datetime64(-1, "ps"), -1),
        (np.datetime64(1999, "ps"), 1),
        (np.datetime64(3, ("s", 25)), 75 * S),
        (pd.Timestamp("2009-11-10T23:00:00.123456789Z"), T + 123456789),
        (pd.Timestamp("2009-11-10T23:00:00.123456789", tz="Europe/Berlin"), T - 3600 * S + 123456789),
        (pd.Timestamp("2009-11-10T23:00:00").as_unit("s"), T),
        (pd.NaT, None),
        (pd.NA, None),
        (np.str_("1970-01-01"), 0),
    ],
)
def test_times(value: object, ns: int | None) -> None:
    assert to_nanoseconds(value) == ns


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("2009-11-10T23:00:00Z", T),
        ("2009-11-10t23:00:00z", T),
        ("2009-11-10 23:00:00", T),
        ("2009-11-10T23:00:00.000000001Z", T + 1),
        ("2009-11-10T23:00:00.5", T + S // 2),
        ("2009-11-10T23:00:00,5", T + S // 2),
        ("2009-11-10T23:00:00.123456789000Z", T + 123456789),
        ("2009-11-11T00:00:00+01:00", T),
        ("2009-11-10T21:30:00-0130", T),
        ("2009-11-11 01:00:00+02", T),
        ("2009-11-10T23:00Z", T),
        ("2009-11-10T23", T),
        ("2009-11-10", T - 23 * 3600 * S),
        ("20091110T230000Z", T),
        ("20091110T230000.25", T + S // 4),
        ("20091110T2300", T),
        ("20091110", T - 23 * 3600 * S),
        ("2009-W46-2T23:00:00Z", T),
        ("2009W462", T - 23 * 3600 * S),
        ("1969-12-31T23:59:59.999999999Z", -1),
        ("1677-09-21T00:12:43.145224194Z", FIRST),
        ("2262-04-11T23:47:16.854775806Z", LAST),
        ("0001-01-01T00:00:00Z", "outside"),
        ("9999-12-31T23:59:59-23:59", "outside"),
        ("1677-09-21T00:12:43.145224193Z", "outside"),
        ("2262-04-11T23:47:16.854775807Z", "outside"),
        ("2009-11-10T23:00:00.1234567891Z", "finer than nanoseconds"),
        ("2009-11-10T24:00:00Z", "invalid timestamp"),
        ("2009-11-10T23:60:00Z", "invalid timestamp"),
        ("2009-11-10T23:00:60Z", "invalid timestamp"),
        ("2009-11-10T23:00:00+24:00", "invalid timestamp"),
        ("2009-11-10T23:00:00+01:60", "invalid timestamp"),
        ("2009-13-10T23:00:00Z", "invalid timestamp"),
        ("2009-02-29", "invalid timestamp"),
        ("2009-W60-1", "invalid timestamp"),
        ("", "invalid timestamp"),
        ("now", "invalid timestamp"),
        ("today", "invalid timestamp"),
        ("NaT", "invalid timestamp"),
        ("nan", "invalid timestamp"),
        ("23:00:00", "invalid timestamp"),
        ("10:00 +0100", "invalid timestamp"),
        ("23:00:00.1234", "invalid timestamp"),
        ("Nov 10", "invalid timestamp"),
        ("1257894000", "invalid timestamp"),
        ("2009", 1230768000 * S),
        ("2009-11", 1257033600 * S),
        ("2009-13", "invalid timestamp"),
        ("2009-11T23", "invalid timestamp"),
        ("yesterday 2009", "invalid timestamp"),
        ("٢٠٠٩-11-10", "invalid timestamp"),
        ("\ud800", "invalid timestamp"),
        ("Nov 10 2009 11:00 PM", T),
        ("10 November 2009 23:00:00.000000007", T + 7),
        ("2009/11/10 23:00", T),
        ("Tue, 10 Nov 2009 23:00:00 GMT", T),
    ],
)
def test_strings(text: str, ns: int | str) -> None:
    if isinstance(ns, int):
        assert to_nanoseconds(text) == ns
    else:
        with pytest.raises(SerializationError, match=ns):
            to_nanoseconds(text)


def test_strings_without_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    imported = builtins.__import__

    def without_pandas(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "pandas":
            raise ImportError
        return imported(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_pandas)
    assert to_nanoseconds("2009-11-10T23:00:00Z") == T
    with pytest.raises(SerializationError, match="install pandas"):
        to_nanoseconds("Nov 10 2009 23:00")


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (True, "bool"),
        (np.True_, "bool"),
        (1.5, "float"),
        (np.float64(1), "float64"),
        (Decimal(1), "Decimal"),
        (time(1), "time"),
        (timedelta(1), "timedelta"),
        (np.timedelta64(1, "s"), "timedelta64"),
        (b"2009-11-10", "bytes"),
        ([1], "list"),
    ],
)
def test_invalid_times(value: object, name: str) -> None:
    with pytest.raises(SerializationError, match=f"timestamp.*{name}"):
        to_nanoseconds(value)


@pytest.mark.parametrize(
    "value",
    [LAST + 1, FIRST - 1, 10**5000, np.uint64(2**64 - 1), datetime(2300, 1, 1), date(1, 1, 1), date(9999, 12, 31),
     datetime.max, datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))), np.datetime64(10**10, "D"),
     pd.Timestamp("2300-01-01").as_unit("s"), pd.Timestamp("2262-04-12 23:47:16").as_unit("s"),
     np.datetime64(-(2**63) + 1, "ns")],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_out_of_range(value: object) -> None:
    with pytest.raises(SerializationError, match="outside the range of InfluxDB"):
        to_nanoseconds(value)


@pytest.mark.parametrize(
    ("names", "wire", "ns"),
    [
        (("ns", "n"), "ns", 1),
        (("u", "us", "\N{MICRO SIGN}", "\N{GREEK SMALL LETTER MU}"), "u", 1000),
        (("ms",), "ms", 1_000_000),
        (("s",), "s", S),
        (("m",), "m", 60 * S),
        (("h",), "h", 3600 * S),
    ],
)
def test_precisions(names: tuple[str, ...], wire: str, ns: int) -> None:
    for name in names:
        assert wire_precision(name) == wire
        assert unit(name) == ns
        assert to_nanoseconds(-7, name) == -7 * ns
        # The precision applies only to bare integers.
        assert to_nanoseconds("2009-11-10T23:00:00.000000001Z", name) == T + 1


def test_datetimes_are_rounded_down_to_microseconds() -> None:
    assert to_datetime(T + 1_999) == datetime(2009, 11, 10, 23, 0, 0, 1, tzinfo=UTC)
    assert to_datetime(-1) == datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)


@pytest.mark.parametrize("precision", ["", "sec", "S", "d", "rfc3339", None, 1, ["s"]])
def test_invalid_precisions(precision: Any) -> None:
    with pytest.raises(ValueError, match=r"^precision: must be one of"):
        to_nanoseconds(1, precision)
    with pytest.raises(ValueError, match=r"^epoch: must be one of"):
        wire_precision(precision, "epoch")


def test_out_of_range_by_precision() -> None:
    assert to_nanoseconds(9223372036, "s") == 9223372036 * S
    with pytest.raises(SerializationError, match="9223372037 is outside"):
        to_nanoseconds(9223372037, "s")


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (T, "2009-11-10T23:00:00Z"),
        (T + 1, "2009-11-10T23:00:00.000000001Z"),
        (T + 500, "2009-11-10T23:00:00.0000005Z"),
        (-1, "1969-12-31T23:59:59.999999999Z"),
        (FIRST, "1677-09-21T00:12:43.145224194Z"),
        (LAST, "2262-04-11T23:47:16.854775806Z"),
    ],
)
def test_rfc3339(ns: int, text: str) -> None:
    assert to_rfc3339(ns) == text


@given(st.integers(FIRST, LAST))
def test_nanoseconds_round_trip(ns: int) -> None:
    assert to_nanoseconds(to_rfc3339(ns)) == ns
    assert to_nanoseconds(np.datetime64(ns, "ns")) == ns
    assert to_nanoseconds(pd.Timestamp(ns)) == ns


@given(st.datetimes(datetime(1678, 1, 1), datetime(2262, 1, 1), timezones=st.one_of(st.none(), st.timezones())))
def test_datetimes_are_exact(value: datetime) -> None:
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    since = aware.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    ns = (since.days * 86400 + since.seconds) * S + since.microseconds * 1000
    assert to_nanoseconds(value) == ns
    assert to_nanoseconds(aware.astimezone(UTC).isoformat()) == ns


def test_time_zone_without_an_offset() -> None:
    class Nowhere(tzinfo):
        def utcoffset(self, moment: datetime | None) -> None:
            return None

        def dst(self, moment: datetime | None) -> None:
            return None

        def tzname(self, moment: datetime | None) -> None:
            return None

    assert to_nanoseconds(datetime(2009, 11, 10, 23, tzinfo=Nowhere())) == T


def test_subclasses() -> None:
    class MyDatetime(datetime):
        pass

    class MyTimestamp(pd.Timestamp):
        pass

    class MyInt(int):
        pass

    assert to_nanoseconds(MyDatetime(2009, 11, 10, 23)) == T
    assert to_nanoseconds(MyTimestamp("2009-11-10T23:00:00.000000001Z")) == T + 1
    assert to_nanoseconds(MyInt(5), "s") == 5 * S
    for _ in range(200):
        assert to_nanoseconds(type("Made", (int,), {})(1)) == 1


# Timestamps of the client


def test_stamps_strictly_increase() -> None:
    stamps = Stamps()
    clock = [5, 5, 5, 6, 100, 99, 100, 50, 200]
    assert [stamps.next(partial(int, time)) for time in clock] == [5, 6, 7, 8, 100, 101, 102, 103, 200]


def test_stamps_recover_from_a_wrong_clock() -> None:
    stamps = Stamps()
    year = 365 * 86400 * 10**9
    assert [stamps.next(partial(int, time)) for time in (2 * year, year, year + 1)] == [2 * year, year, year + 1]


def test_stamps_of_several_threads_are_unique() -> None:
    stamps = Stamps()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: stamps.next(lambda: 7), range(2000)))
    assert sorted(found) == list(range(7, 2007))


# Formats that only pandas can parse


@pytest.mark.parametrize(
    "text",
    [
        "2009-11-10 11:00:00.123456789 PM", "10-Nov-2009 23:00:00.123456789", "Nov 10 2009 23:00:00.1234567",
        "13/11/2009 23:00:00.123456001", "2009/11/10 23:00:00.1234567891",
    ],
)  # fmt: skip
def test_digits_that_pandas_would_drop(text: str) -> None:
    with pytest.raises(SerializationError, match="finer than pandas"):
        to_nanoseconds(text)


@pytest.mark.parametrize("text", ["2009/11/10 23:00:00.123456789", "2009/11/10 23:00:00.12345678900"])
def test_digits_that_pandas_keeps(text: str) -> None:
    assert to_nanoseconds(text) == to_nanoseconds("2009-11-10T23:00:00.123456789Z")
    assert to_nanoseconds("Nov 10 1969 23:00:00.25") == to_nanoseconds("1969-11-10T23:00:00.25Z")


AMBIGUOUS = [
    "11.02.2024", "05/03/2024", "1/2/2024 3:04:05", "11-02-2024", "11 02 2024", "2.11.2024 5:00 PM",
    "11.02.2024T23:00:00+01:00", "Mon 11.02.2024", "11.02.2024 2023", "2024/13/02", "02 2024 11",
    "Sat Mar 30 2019 21:00:00 GMT+0100", "Sat Mar 30 2019 21:00:00 GMT+0100 (CET)", "2019-03-30 21:00:00 UTC+1",
    "Nov 2009 12:00 UTC+3",
    "2019-03-30 21:00:00 EST-5", "30 Mar 2019 21:00 UTC +01:00", "2019-03-30T21:00:00Z+01:00",
]  # fmt: skip


@pytest.mark.parametrize("text", AMBIGUOUS)
def test_ambiguous_strings(text: str) -> None:
    with pytest.raises(SerializationError, match=r"ambiguous timestamp .*ISO 8601"):
        to_nanoseconds(text)


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("13.02.2024", "2024-02-13"),
        ("02/13/2024", "2024-02-13"),
        ("02.02.2024", "2024-02-02"),
        ("2024/02/11", "2024-02-11"),
        ("2024.2.11 10:00", "2024-02-11T10:00"),
        ("11 Feb 2024", "2024-02-11"),
        ("Feb 11, 2024 11:00 PM +0100", "2024-02-11T22:00"),
        ("11-Feb-2024 10:00", "2024-02-11T10:00"),
        ("Sat Mar 30 2019 21:00:00 +0100 (CET)", "2019-03-30T20:00"),
        ("Sat Mar 30 21:00:00 +0100 2019", "2019-03-30T20:00"),
    ],
)
def test_unambiguous_strings(text: str, iso: str) -> None:
    assert to_nanoseconds(text) == to_nanoseconds(iso)


@pytest.mark.parametrize("text", ["2019-03-30 21:00 CET", "30 Mar 2019 21:00 EST", "02.2024", "2024 at 5"])
def test_strings_that_depend_on_the_machine(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock_module, "tzname", ("CET", "EST"))
    with pytest.raises(SerializationError, match="invalid timestamp"):
        to_nanoseconds(text)


@given(st.integers(1, 28), st.integers(1, 12), st.sampled_from("./- "), st.sampled_from(["", " 10:11", " 10:11:12Z"]))
def test_numeric_day_and_month(day: int, month: int, separator: str, clock: str) -> None:
    for text in (f"{day}{separator}{month}{separator}2024", f"{month:02}{separator}{day:02}{separator}2024"):
        if day <= 12 and day != month:
            with pytest.raises(SerializationError, match="ambiguous"):
                to_nanoseconds(text + clock)
        else:
            with warnings.catch_warnings(action="ignore"):  # pandas warns about the day and month order
                assert to_nanoseconds(text + clock) == to_nanoseconds(f"2024-{month:02}-{day:02}{clock}")


@pytest.mark.parametrize(
    "text",
    [
        "12:00 2009", "12:00 Nov 2009", "12:00 10 2009", "2009 10pm", "Nov 2009 10 pm",
        "2009.11", "11.2009", "12:00 November 2009", "Friday 2009 12:00",
    ],
)  # fmt: skip
def test_missing_parts_are_not_taken_from_the_clock(text: str) -> None:
    with pytest.raises(SerializationError, match="invalid timestamp"):
        to_nanoseconds(text)


@pytest.mark.parametrize("text", ["2009/11", "11/2009", "11-2009", "Nov 2009", "2009 November", "Nov-2009"])
def test_month_without_a_day(text: str) -> None:
    assert to_nanoseconds(text) == to_nanoseconds("2009-11-01T00:00:00Z")


@pytest.mark.parametrize(
    "text", ["10 Nov 2009", "10th of November, 2009", "Nov 10 2009", "Tue, 10 Nov 2009", "10Nov2009", "2009/11/10"]
)
def test_days_are_recognized_without_dateutil(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dateutil.parser", None)  # other pandas releases may not import it
    assert to_nanoseconds(f"{text} 11 PM") == to_nanoseconds("2009-11-10T23:00:00Z")


def test_datetime64_without_a_unit() -> None:
    with pytest.raises(SerializationError, match="has no unit"):
        to_nanoseconds(np.int64(5).view("M8"))


@pytest.mark.parametrize("text", ["a" * 100_000, "2009 " + "a " * 50_000, "1" * 100_000, "2009-11-10 " + " " * 100_000])
def test_text_that_is_too_long_is_refused_at_once(text: str) -> None:
    with pytest.raises(SerializationError, match="characters"):
        to_nanoseconds(text)
