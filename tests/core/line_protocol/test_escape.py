"""Escaping of names, tag values and strings, and rejection of those that InfluxDB would read differently."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from influx_proto import SerializationError
from influx_proto._line_protocol.escape import (
    TagValues,
    check_line,
    encode_string,
    escape_field_key,
    escape_measurement,
    escape_tag_key,
    escape_tag_value,
)
from influx_proto._line_protocol.split import end_of_line, lines

NAMES = [escape_measurement, escape_tag_key, escape_tag_value, escape_field_key]
#: Strings in which special characters of line protocol are common.
TEXTS = st.text(st.sampled_from('\\,= "#\t\0\n\rtime\ud800é') | st.characters(codec=None), max_size=8)


@pytest.mark.parametrize(
    ("escape", "plain", "escaped"),
    [
        (escape_measurement, "a,b c=d\"e'f", "a\\,b\\ c=d\"e'f"),
        (escape_measurement, " a", "\\ a"),
        (escape_measurement, ",a", "\\,a"),
        (escape_measurement, "a#", "a#"),
        (escape_measurement, "a\\b\\\\c", "a\\b\\\\c"),
        (escape_measurement, "m\tn\0", "m\tn\0"),
        (escape_measurement, "time", "time"),
        (escape_tag_key, 'a,b c=d"e', 'a\\,b\\ c\\=d"e'),
        (escape_tag_key, "#\ta", "#\ta"),
        (escape_tag_key, "\0", "\0"),
        (escape_tag_value, "a\\,b", "a\\\\,b"),
        (escape_tag_value, 'C:\\a b="c"', 'C:\\a\\ b\\="c"'),
        (escape_tag_value, "time", "time"),
        (escape_field_key, 'a,b c=d"e', 'a\\,b\\ c\\=d"e'),
        (escape_field_key, "a\\b\\\\c", "a\\b\\\\c"),
        (escape_field_key, "#", "#"),
        (escape_field_key, "Zeit °C", "Zeit\\ °C"),
    ],
)
def test_names(escape: object, plain: str, escaped: str) -> None:
    assert callable(escape)
    assert escape(plain) == escaped


@pytest.mark.parametrize(("escape", "special"), [(escape_measurement, "[, ]"), (escape_tag_value, "[,= ]")])
@given(text=st.text(st.sampled_from("\\,= ab"), min_size=1).map("{}x".format))
def test_backslash_before_each_special_character(escape: Callable[[str], str], special: str, text: str) -> None:
    with contextlib.suppress(SerializationError):
        assert escape(text) == re.sub(special, lambda found: "\\" + found[0], text)


@pytest.mark.parametrize("escape", NAMES)
@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "is empty"),
        ("a\nb", "line feed"),
        ("a\r", "carriage return"),
        ("a\\", "ends in a backslash"),
        ("\\", "ends in a backslash"),
        ("a\ud800", "lone surrogate at index 1"),
        (5, "must be a str, not int"),
        (b"a", "must be a str, not bytes"),
    ],
)
def test_invalid_names(escape: object, name: object, why: str) -> None:
    assert callable(escape)
    with pytest.raises(SerializationError, match=why):
        escape(name)


@pytest.mark.parametrize(
    ("escape", "name", "why"),
    [
        (escape_measurement, "#a", "comment"),
        (escape_measurement, "\ta", "begins with a tab"),
        (escape_measurement, "\0a", "begins with NUL"),
        *((escape_measurement, f"a\\{sign}b", "which InfluxDB would drop") for sign in ',= "'),
        (escape_field_key, "\ta", "begins with a tab"),
        (escape_field_key, "\0a", "begins with NUL"),
        *((escape_field_key, f"a\\{sign}b", "which InfluxDB would drop") for sign in ',= "'),
        (escape_field_key, "time", "called 'time'"),
        (escape_tag_key, "time", "called 'time'"),
    ],
)
def test_names_that_the_server_would_read_differently(escape: object, name: str, why: str) -> None:
    assert callable(escape)
    with pytest.raises(SerializationError, match=why):
        escape(name)


@pytest.mark.parametrize("escape", NAMES)
@given(text=TEXTS)
def test_only_documented_errors(escape: object, text: str) -> None:
    assert callable(escape)
    with contextlib.suppress(SerializationError):
        assert isinstance(escape(text), str)


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("", b'""'),
        ('a"b', b'"a\\"b"'),
        ("a\\", b'"a\\\\"'),
        ("a\nb\r\t\0", b'"a\nb\r\t\0"'),
        ("a, b=c", b'"a, b=c"'),
        ("é", '"é"'.encode()),
    ],
)
def test_strings(text: str, escaped: bytes) -> None:
    assert encode_string(text) == escaped


def test_string_with_a_lone_surrogate() -> None:
    with pytest.raises(SerializationError, match="index 1"):
        encode_string("a\udcff")


def test_errors_truncate_long_names() -> None:
    with pytest.raises(SerializationError) as raised:
        escape_measurement("x" * 100_000 + "\\")
    assert len(str(raised.value)) < 300


def test_tag_value_cache_is_bounded() -> None:
    values = TagValues(capacity=3)
    for number in range(10):
        assert values[f"a {number}"] == f"a\\ {number}".encode()
        assert len(values) <= 3
    values["x" * 10_000]
    assert "x" * 10_000 not in values
    with pytest.raises(SerializationError):
        values["a\\"]


@pytest.mark.parametrize("fields", ["v=1i", "é=1i", 'v="a\\\\ b",é=2.0', 'a="x=,y",v=t'])
@pytest.mark.parametrize("over", [0, 1])
def test_longest_key(fields: str, over: int) -> None:
    # Lengths count in bytes, and the longest key is decisive: é has 2 bytes, v has 1.
    longest = 2 if "é" in fields else 1
    name = b"m" * (65535 - 4 - longest - 4 + over)
    line = name + b",a=b " + fields.encode() + b" 1"
    if over:
        with pytest.raises(SerializationError, match="have 65536 bytes"):
            check_line(line)
    else:
        check_line(line)


def test_long_line_with_a_short_key() -> None:
    check_line(b'm,a=b v="' + b"x, = \\\\" * 50_000 + b'" 1')


@pytest.mark.parametrize("line", [b'm,t=a\\\\ b,u="x v="1" 1', b"m,a\\\\ b=1 v=1 1", b'm v="C:\\\\ " 1'])
def test_backslash_before_a_space_within_a_line(line: bytes) -> None:
    check_line(line)


@pytest.mark.parametrize("line", [b'm,a\\\\ b="x v=1 1', b'm,t=\\\\ \\\\=" v=1 2', b'm,a\\\\ b=1 v=1,"w=2 1'])
def test_backslash_that_would_escape_the_line_end(line: bytes) -> None:
    with pytest.raises(SerializationError, match="hide the end of the line"):
        check_line(line)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"m v=1 1\nm v=2 2",
        b"m v=1 1\n\nm v=2 2\n",
        b'm v="a\nb" 1\nm v=2 2',
        b'm v="a\\"\nb" 1\nm v=2 2',
        b'm,a="x v=1 1\nm v=2 2',
        b'm "a=1,b"=2 1\nm v=2 2',
        b"m\\\n v=1\nn v=2",
        b' m,a="b v=1\n"\nn',
        b'm v="unended\nm v=1',
        b"m v=1\\",
    ],
)
def test_line_ends_match_the_server(data: bytes) -> None:
    _check_lines(data)


@given(data=st.lists(st.sampled_from([*b'\\," =\n', b"av", b'="', b" v="]), max_size=25))
def test_line_ends_of_random_data_match_the_server(data: list[int | bytes]) -> None:
    _check_lines(b"".join(bytes([part]) if isinstance(part, int) else part for part in data))


def _check_lines(data: bytes) -> None:
    expected = []
    at = 0
    while at < len(data):
        end = end_of_line(data, at)
        expected.append((at, end))
        at = end + 1
    assert list(lines(data)) == expected
