"""Quoting and binding, as a real InfluxDB parses the result."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any

import numpy as np
import pandas as pd
import pytest
from influx_proto.admin import TagValue
from influx_proto.influxql import quote_identifier, quote_regex, quote_string, quote_time

HOUR = timedelta(hours=1)

CHARACTERS = "".join(map(chr, [*range(1, 13), *range(14, 256), 0x3BC, 0x2028, 0xFEFF, 0xFFFD, 0xFFFF, 0x10FFFF]))


def test_quoted_names_and_strings(client: Any) -> None:
    client.write([{"measurement": "m", "fields": {"s": CHARACTERS}, "time": 1}])
    [found] = client.query(f"SELECT s FROM m WHERE s = {quote_string(CHARACTERS)}").points()
    assert found["s"] == CHARACTERS
    [found] = client.query("SELECT s FROM m WHERE s = $s", params={"s": CHARACTERS}).points()
    name = CHARACTERS.replace("\n", "").replace("\\]", "]")  # a name cannot contain an LF
    client.write([{"measurement": "n", "tags": {"t": name}, "fields": {"v": 1}, "time": 1}])
    assert client.list_tag_values("t", tags={"t": name}) == [TagValue("n", "t", name)]
    result = client.query(f"SELECT s AS {quote_identifier(CHARACTERS)} FROM m")
    assert result.series[0].columns == ("time", CHARACTERS)


@pytest.mark.parametrize(
    "text", ["plain", "a/b", "a\\/b", "a\\\\/b", "\\", "a\\", "tab\t. *+?()[]{}^$|", "π ü", "-- /* */", "'\"`"]
)
def test_escaped_regular_expressions(client: Any, text: str) -> None:
    client.write([{"measurement": "m", "fields": {"s": text}, "time": 1}, 'm s="other" 2'])
    for pattern in (re.compile(f"^{re.escape(text)}$"), f"^{re.escape(text)}$"):
        [found] = client.query(f"SELECT s FROM m WHERE s =~ {quote_regex(pattern)}").points()
        assert found["s"] == text
    [found] = client.query("SELECT s FROM m WHERE s =~ $p", params={"p": re.compile(f"^{re.escape(text)}$")}).points()
    assert found["s"] == text


@pytest.mark.parametrize(
    ("pattern", "text"),
    [(re.compile("B.C", re.IGNORECASE | re.DOTALL), "ab\ncd"), (re.compile("^b", re.MULTILINE), "a\nb"),
     (re.compile("a\nb"), "a\nb"), (re.compile(re.escape("a\nb\r/")), "a\nb\r/")],
)  # fmt: skip
def test_flags_of_regular_expressions(client: Any, pattern: re.Pattern[str], text: str) -> None:
    client.write([{"measurement": "m", "fields": {"s": text}, "time": 1}, 'm s="other" 2'])
    [found] = client.query(f"SELECT s FROM m WHERE s =~ {quote_regex(pattern)}").points()
    assert found["s"] == text
    [found] = client.query("SELECT s FROM m WHERE s =~ $p", params={"p": pattern}).points()
    assert found["s"] == text


class Color(Enum):
    RED = 1


@pytest.mark.parametrize(
    ("field", "value", "same"),
    [("s", Color.RED, "RED"), ("s", "it's \"x\"\r\n\0", "it's \"x\"\r\n\0"), ("s", np.str_("x"), "x"),
     ("v", Decimal("0.10"), 0.1), ("v", Decimal(5), 5.0), ("v", Decimal("1e300"), 1e300), ("v", 1e-300, 1e-300),
     ("v", np.float32(0.1), 0.1), ("v", np.float64(2), 2.0), ("i", np.int16(-5), -5), ("i", 2**63 - 1, 2**63 - 1),
     ("b", np.True_, True), ("b", True, True)],
)  # fmt: skip
def test_bind_parameters(client: Any, field: str, value: object, same: object) -> None:
    client.write([{"measurement": "m", "fields": {field: same}, "time": 1}])
    [found] = client.query(f"SELECT {field} FROM m WHERE {field} = $value", params={"value": value}).points()
    assert found[field] == same


@pytest.mark.parametrize(
    ("time", "ns"),
    [(datetime.fromisoformat("2020-01-01T00:00:00.000001"), 1577836800000001000),
     (date(2020, 1, 1), 1577836800000000000),
     (datetime(2020, 1, 1, tzinfo=timezone(HOUR)), 1577833200000000000),
     (pd.Timestamp("2020-01-01T00:00:00.000000001"), 1577836800000000001),
     (np.datetime64("1677-09-21T00:12:43.145224194"), -9223372036854775806),
     (np.datetime64("2262-04-11T23:47:16.854775806"), 9223372036854775806)],
)  # fmt: skip
def test_times_are_exact(client: Any, time: object, ns: int) -> None:
    client.write(f"m v=1 {ns}")
    for condition in ("time = $t", "time >= $t AND time <= $t", f"time = {quote_time(time)}"):
        result = client.query(f"SELECT v FROM m WHERE {condition}", params={"t": time})
        assert [row[0] for series in result.series for row in series.values] == [ns]


def test_durations_are_bound(client: Any) -> None:
    client.write("m v=1 0\nm v=2 3600000000000\nm v=3 7199000000000")
    q = "SELECT sum(v) FROM m WHERE time >= 0 AND time < 0 + $all GROUP BY time($every)"
    result = client.query(q, params={"all": 2 * HOUR, "every": HOUR})
    assert [row[1] for row in result.series[0].values] == [1, 5]
