"""InfluxQL quoting, parameter binding, and detection of statements with side effects."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from enum import IntEnum
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from influx_proto import SerializationError
from influx_proto._influxql import classify
from influx_proto._influxql.classify import _LEXEME, _QUOTED_OR_COMMENT, is_about_diagnostics, is_empty, statement_count
from influx_proto.influxql import (
    Duration,
    encode_bind_parameters,
    is_read,
    quote_duration,
    quote_identifier,
    quote_regex,
    quote_string,
    quote_time,
)


def test_quoting() -> None:
    assert quote_identifier("a\"b\\c\nd'e") == '"a\\"b\\\\c\\nd\'e"'
    assert quote_string("a'b\\c\nd\"e") == "'a\\'b\\\\c\\nd\"e'"
    assert quote_string("") == "''"


@pytest.mark.parametrize(("name", "error"), [("", ValueError), (5, TypeError), (None, TypeError), (b"x", TypeError)])
def test_invalid_identifiers(name: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="identifier must"):
        quote_identifier(name)


def test_invalid_strings() -> None:
    with pytest.raises(TypeError, match="must be a str, not int"):
        quote_string(5)  # type: ignore[arg-type]  # on purpose


@pytest.mark.parametrize("character", ["\0", "\r", "\ud800"])
@pytest.mark.parametrize("quote", [quote_identifier, quote_string])
def test_characters_that_cannot_be_quoted(quote: Callable[[str], str], character: str) -> None:
    with pytest.raises(ValueError, match=r"must not contain .* at index 6") as raised:
        quote(f"secret{character}")
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("pattern", "quoted"),
    [("", "//"), ("^/var", r"/^\/var/"), (r"a\/b", r"/a\/b/"), (r"a\\/b", r"/a\\\/b/"), (r"\d\.", r"/\d\./"),
     ("a\nb\r\0", r"/a\nb\r\x00/"), (re.escape("a\n/ b"), r"/a\n\/\ b/"), ("'\"", "/'\"/"), (r"\*a*/", r"/\*a*\//"),
     (re.compile("a/b"), r"/a\/b/"), (re.compile("a", re.ASCII), "/a/"),
     (re.compile("a", re.IGNORECASE | re.MULTILINE | re.DOTALL), "/(?ims)a/")],
)  # fmt: skip
def test_regexes(pattern: str | re.Pattern[str], quoted: str) -> None:
    assert quote_regex(pattern) == quoted


@pytest.mark.parametrize(
    ("pattern", "error", "match"),
    [(5, TypeError, "not int"), (re.compile(b"a"), TypeError, "not a pattern of bytes"),
     ("a\\", ValueError, "backslash"), ("\\\\\\", ValueError, "backslash"),
     ("*/; DROP DATABASE x; /*", ValueError, "must not begin"),
     (re.compile("a # b", re.VERBOSE), ValueError, "VERBOSE"), ("\ud800", ValueError, "lone surrogate")],
)  # fmt: skip
def test_invalid_regexes(pattern: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        quote_regex(pattern)


@given(st.text())
def test_regex_ends_at_its_last_slash(text: str) -> None:
    try:
        quoted = quote_regex(text)
    except ValueError:
        return
    # As in InfluxDB's scanner, a backslash escapes the next character, and a slash is the end.
    assert re.fullmatch(r"/(?!\*)(?:[^/\\\n\r\0]|\\[^\n\r\0])*/", quoted)


@pytest.mark.parametrize(
    ("duration", "quoted"),
    [(0, "0s"), (5, "5s"), (3600, "1h"), (86400 * 7, "7d"), (timedelta(hours=36), "36h"), (timedelta(0), "0s"),
     (timedelta(days=1, microseconds=1), "86400000001u"), (timedelta(milliseconds=1500), "1500ms"),
     (pd.Timedelta(90_000_000_001), "90000000001ns"), ("1h30m", "90m"), ("2w", "14d"), ("5\N{MICRO SIGN}", "5u"),
     ("1d2h3m4s5ms6u7ns", "93784005006007ns"), ("INF", "INF"), ("inf", "INF"), (f"{2**63 - 1}ns", f"{2**63 - 1}ns")],
)  # fmt: skip
def test_durations(duration: Duration, quoted: str) -> None:
    assert quote_duration(duration) == quoted


@pytest.mark.parametrize(
    ("duration", "error", "match"),
    [(True, TypeError, "not bool"), (1.5, TypeError, "not float"), (None, TypeError, "not NoneType"),
     (-1, ValueError, "negative"), (timedelta(seconds=-1), ValueError, "negative"), (2**63, ValueError, "longer"),
     ("106752d", ValueError, "longer"), (timedelta.max, ValueError, "longer")]
    + [(text, ValueError, "is not a duration") for text in
       ("", "5", "1.5h", "-1h", "1h ", "1h; DROP DATABASE x", "h", "1y", "1us", "\N{ARABIC-INDIC DIGIT ONE}h", "1H")],
)  # fmt: skip
def test_invalid_durations(duration: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        quote_duration(duration)


@given(st.timedeltas(timedelta(0), timedelta(days=106_000)))
def test_durations_are_exact(duration: timedelta) -> None:
    number, unit = re.fullmatch(r"(\d+)(\w+)", quote_duration(duration)).groups()  # type: ignore[union-attr]  # fails
    micro = {"d": 86_400_000_000, "h": 3_600_000_000, "m": 60_000_000, "s": 1_000_000, "ms": 1_000, "u": 1}
    assert int(number) * micro[unit] == duration // timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("time", "quoted"),
    [(5, "5"), (-5, "-5"), ("1970-01-01T00:00:00.000000001Z", "1"),
     (datetime.fromisoformat("1970-01-02"), "86400000000000"),
     (date(1969, 12, 31), "-86400000000000"), (pd.Timestamp(7), "7"), (np.datetime64(7, "us"), "7000"),
     (datetime(1970, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))), "0")],
)  # fmt: skip
def test_times(time: object, quoted: str) -> None:
    assert quote_time(time) == quoted


def test_times_in_another_precision() -> None:
    assert quote_time(5, "s") == "5000000000"
    with pytest.raises(ValueError, match="precision: must be"):
        quote_time(5, "y")


@pytest.mark.parametrize("time", [None, pd.NaT, 1.5, True, "yesterday", 2**63, b"1"])
def test_invalid_times(time: object) -> None:
    with pytest.raises(SerializationError):
        quote_time(time)


@pytest.mark.parametrize(
    "q",
    ["SELECT 1", "  select v from m", "SHOW DATABASES; SELECT v FROM m", "EXPLAIN ANALYZE SELECT v FROM m",
     ";SHOW USERS;",
     "SELECT 'DROP' FROM \"set\"", "SELECT v -- DROP it\nFROM m", "SELECT v FROM /cpu.*/ WHERE a =~ /b/",
     "SELECT a / b FROM m"],
)  # fmt: skip
def test_reads(q: str) -> None:
    assert is_read(q) is True


@pytest.mark.parametrize(
    "q",
    ["", "CREATE DATABASE x", "drop database x", "SELECT v INTO m2 FROM m", "SHOW USERS; DROP USER x", "KILL QUERY 1",
     "SET PASSWORD FOR x = 'y'", "GRANT ALL TO x", "BACKUP everything",
     "SELECT v FROM /a'b/; DROP MEASUREMENT x; SELECT 'c'",
     "SELECT v FROM m WHERE a = 'x\\'; SELECT b'; DROP USER y", "-- a comment'\nDELETE FROM m -- '"],
)  # fmt: skip
def test_changes(q: str) -> None:
    assert is_read(q) is False


@pytest.mark.parametrize("q", ["", " \n\t", ";;", "-- SELECT 1", "/* SELECT 1 */;", "-- a\n/* b */ ; --"])
def test_empty_queries(q: str) -> None:
    assert is_empty(q)


@pytest.mark.parametrize("q", ["x", "''", '""', "SELECT 1", "/* a */ x", "'-- x'", "/x/"])
def test_non_empty_queries(q: str) -> None:
    assert not is_empty(q)


def test_queries_about_diagnostics() -> None:
    for q in (
        "SHOW DIAGNOSTICS",
        ";show  diagnostics;",
        "SHOW/**/DIAGNOSTICS -- all",
        "SHOW DIAGNOSTICS FOR 'a;b'",
        "SHOW STATS; SHOW DIAGNOSTICS;; show users -- all\n;",
    ):
        assert is_about_diagnostics(q)
    for q in (
        "SHOW DIAGNOSTICS; SELECT 1",
        "SELECT 1; SHOW DIAGNOSTICS",
        "SHOW STATS; SHOW USERS",
        "SHOW STATS FOR 'SHOW DIAGNOSTICS'",
        "SELECT 'SHOW DIAGNOSTICS'",
        "SHOW DIAGNOSTICSX",
        "SELECT v FROM diagnostics",
    ):
        assert not is_about_diagnostics(q)


#: Text that can be quoted.
expressible = st.text(st.characters(exclude_characters="\0\r", exclude_categories=["Cs"]))


@given(expressible)
def test_quoted_text_has_no_side_effects(text: str) -> None:
    assert is_read(f"SELECT v FROM m WHERE t = {quote_string(text)}") or "/" in text
    assert not is_read(f"SELECT v INTO x FROM m WHERE t = {quote_string(text)}")


@given(expressible, st.sampled_from("'\""))
def test_quotes_end_correctly(text: str, quote: str) -> None:
    text = text or "x"
    quoted = quote_string(text) if quote == "'" else quote_identifier(text)
    # InfluxDB's scanner knows only these escapes, and no LF.
    assert re.fullmatch(rf"{quote}(?:[^\\\n{quote}]|\\[\\n{quote}])*{quote}", quoted)
    escapes = {f"\\{quote}": quote, r"\\": "\\", r"\n": "\n"}
    assert re.sub(r"\\.", lambda found: escapes[found[0]], quoted[1:-1]) == text


class Color(IntEnum):
    RED = 1


def test_bind_parameters() -> None:
    params = {"s": 'a"b\n', "i": -5, "f": 1.5, "whole": 2.0, "big": 1e22, "small": 5e-324, "t": True}
    assert encode_bind_parameters(params) == (
        '{"s":"a\\"b\\n","i":-5,"f":1.5,"whole":2.0,"big":1.0e22,"small":5.0e-324,"t":true}'
    )


@pytest.mark.parametrize(
    ("value", "encoded"),
    [(Color.RED, '1'), (Decimal("0.10"), "0.10"), (Decimal(5), "5.0"), (Decimal("1E+50"), "1.0e50"),
     (Decimal("-1E-30"), "-1.0e-30"), (np.str_("a"), '"a"'), (np.int8(-5), "-5"), (np.uint64(5), "5"),
     (np.float64(2), "2.0"), (np.float32(0.1), "0.1"), (np.float16(3), "3.0"), (np.False_, "false"), (-0.0, "-0.0"),
     (datetime.fromisoformat("1970-01-01T00:00:00.000001"), "1000"), (date(1970, 1, 2), "86400000000000"),
     (pd.Timestamp(1), "1"), (np.datetime64(-1, "ns"), "-1"), (timedelta(seconds=1), '{"duration":1000000000}'),
     (pd.Timedelta(1), '{"duration":1}'), (re.compile('a"/b', re.IGNORECASE), '{"regex":"(?i)a\\"/b"}')],
)  # fmt: skip
def test_bindable_types(value: object, encoded: str) -> None:
    assert encode_bind_parameters({"p": value}) == f'{{"p":{encoded}}}'


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_are_exact_and_have_a_decimal_point(value: float) -> None:
    text = encode_bind_parameters({"p": value}).removeprefix('{"p":').removesuffix("}")
    assert "." in text
    assert float(text) == value


@pytest.mark.parametrize(
    ("value", "error"),
    [(None, TypeError), ([1], TypeError), (b"x", TypeError), ({"identifier": "x"}, TypeError), (1j, TypeError),
     (np.timedelta64(1, "s"), TypeError), (np.complex64(1), TypeError), (np.array([1]), TypeError), (pd.NA, TypeError),
     (float("nan"), ValueError), (float("inf"), ValueError), (Decimal("NaN"), ValueError),
     (np.float32("inf"), ValueError), (Decimal("1e400"), ValueError), (2**63, ValueError), (-(2**63) - 1, ValueError),
     (np.uint64(2**63), ValueError), (pd.NaT, ValueError), (np.datetime64("NaT", "ns"), ValueError),
     (date(1, 1, 1), ValueError), ("\ud800", ValueError),
     (timedelta(-1), ValueError), (re.compile("(?x)a"), ValueError), (re.compile(b"a"), TypeError)],
)  # fmt: skip
def test_unbindable_values(value: object, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"^params: 'p': "):
        encode_bind_parameters({"p": value})


def test_invalid_parameter_names() -> None:
    with pytest.raises(TypeError, match=r"^params: must be a mapping, not list"):
        encode_bind_parameters(["a"])  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(TypeError, match=r"^params: names must be str, not int"):
        encode_bind_parameters({1: 2})  # type: ignore[dict-item]  # on purpose
    with pytest.raises(ValueError, match=r"^params: .* lone surrogate"):
        encode_bind_parameters({"\ud800": 2})


@pytest.mark.parametrize("pattern", [r"\\", r"a\\", r"\\\\", r"C:\\"])
def test_backslash_does_not_escape_the_closing_slash(pattern: str) -> None:
    assert quote_regex(pattern) == f"/{pattern}(?:)/"


@pytest.mark.parametrize(
    ("q", "count"),
    [
        ("SELECT 1", 1),
        ("SELECT 1;", 1),
        (";;SELECT 1 ; ; -- ;\n", 1),
        ("SELECT 1; SELECT 2", 2),
        ("SELECT 1;SELECT 2;SELECT 3;", 3),
        ("SELECT ';' FROM \"a;b\" /* ; */ -- ;", 1),
        ("SELECT v FROM m WHERE h =~ /a;b/", 1),
        ('SELECT v FROM m WHERE h =~ /\\/;"/; DROP MEASUREMENT m', 2),
        ("SELECT /a;b/, /c;d/ FROM /e;f/, db.rp./g;h/ GROUP BY /i;j/", 1),
        ("SELECT a / 2 FROM m; SELECT b / 2 FROM m", 2),
        ('SELECT (a) / 2 FROM m; SELECT "b" / 2 FROM m', 2),
        ("SELECT ';", 1),
        ("; /* ; */ ;", 0),
    ],
)
def test_statements_are_counted(q: str, count: int) -> None:
    assert statement_count(q) == count


@given(
    st.lists(st.sampled_from(["/*", "*/", "/", "*", "--", "\\", '"', "'", "\n", ";", "a", "SELECT ", " "]), max_size=30)
)
def test_scanning_takes_linear_time(parts: list[str]) -> None:
    """A quote or comment is matched up to the end of the query at most, so no character is scanned twice."""
    q = "".join(parts)
    for pattern in (_QUOTED_OR_COMMENT, _LEXEME):
        matches = list(pattern.finditer(q))
        assert all(one.end() <= other.start() for one, other in itertools.pairwise(matches))
        unfinished = [found for found in matches if found[0][:2] == "/*" or found[0][0] in "\"'"]
        assert all(found.lastindex is not None or found.end() == len(q) for found in unfinished)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1" * 100_000, "is not a duration"),
        ("1s" * 50_000 + "x", "is not a duration"),
        ("1" * 100_000 + "s", "longer than"),
    ],
)
def test_long_durations_are_refused_at_once(text: str, message: str) -> None:
    """A search from each digit would take minutes; Python does not read integers of this length."""
    with pytest.raises(ValueError, match=message):
        quote_duration(text)


def test_leading_zeros_of_a_duration() -> None:
    assert quote_duration("0" * 5000 + "90m") == "90m"


@pytest.mark.parametrize("part", ["/\\", "\\/", "/a\\", "/ ", "= /\\/", "/\n"])
def test_statements_are_counted_in_linear_time(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    work = 0
    literal = classify._REGEX_LITERAL

    class Counted:
        @staticmethod
        def match(q: str, at: int) -> re.Match[str] | None:
            nonlocal work
            found = literal.match(q, at)
            work += found.end() - at if found else len(q) - at
            return found

    monkeypatch.setattr(classify, "_REGEX_LITERAL", Counted)
    q = "SELECT v FROM m WHERE t =~ " + part * 1000 + ";"
    statement_count(q)
    assert work < 3 * len(q)
