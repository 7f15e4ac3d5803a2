"""Quoting, binding, and telling reads from changes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from influx_proto.influxql import encode_bind_parameters, is_read, quote_identifier, quote_string


def test_quoting() -> None:
    assert quote_identifier("a\"b\\c\nd'e") == '"a\\"b\\\\c\\nd\'e"'
    assert quote_string("a'b\\c\nd\"e") == "'a\\'b\\\\c\\nd\"e'"
    assert quote_string("") == "''"


@pytest.mark.parametrize(("name", "error"), [("", ValueError), (5, TypeError), (None, TypeError), (b"x", TypeError)])
def test_wrong_identifiers(name: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="identifier must"):
        quote_identifier(name)


def test_wrong_strings() -> None:
    with pytest.raises(TypeError, match="must be a str, not int"):
        quote_string(5)  # type: ignore[arg-type]


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


@given(st.text())
def test_whatever_is_quoted_changes_nothing(text: str) -> None:
    assert is_read(f"SELECT v FROM m WHERE t = {quote_string(text)}") or "/" in text
    assert not is_read(f"SELECT v INTO x FROM m WHERE t = {quote_string(text)}")


def test_bind_parameters() -> None:
    params = {"s": 'a"b\n', "i": -5, "f": 1.5, "whole": 2.0, "big": 1e22, "small": 5e-324, "t": True}
    assert encode_bind_parameters(params) == (
        '{"s":"a\\"b\\n","i":-5,"f":1.5,"whole":2.0,"big":1.0e+22,"small":5.0e-324,"t":true}'
    )


@pytest.mark.parametrize(
    ("value", "error"),
    [(None, TypeError), ([1], TypeError), (float("nan"), ValueError), (float("inf"), ValueError), (2**63, ValueError)],
)
def test_what_cannot_be_bound(value: object, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"^params: 'p' is"):
        encode_bind_parameters({"p": value})
