"""Errors for unknown keyword arguments: they say what to write instead."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest
from influx_aiohttp import AsyncInfluxDBClient
from influx_requests import InfluxDBClient

CLIENT = InfluxDBClient()


@pytest.mark.parametrize(
    ("call", "keyword", "advice"),
    [
        (InfluxDBClient, "url", "use from_url(url)"),
        (AsyncInfluxDBClient, "url", "use from_url(url)"),
        (InfluxDBClient, "verify_ssl", "use verify="),
        (InfluxDBClient, "user", "use username="),
        (InfluxDBClient, "db", "use database="),
        (InfluxDBClient, "retries", "use retry="),
        (InfluxDBClient, "databse", "use database="),
        (InfluxDBClient, "output", "use query_dataframe for DataFrames"),
        (CLIENT.query, "database", "use db="),
        (CLIENT.query, "bind_params", "use params="),
        (CLIENT.query, "chunked", "use query_chunks"),
        (CLIENT.query, "language", "use query_sql or query_flux"),
        (CLIENT.query, "method", "the client selects GET or POST"),
        (CLIENT.query, "raise_errors", "errors are always raised"),
        (InfluxDBClient, "pool_size", "a client opens up to 100 connections, on demand"),
        (CLIENT.query_points, "chunk_sise", "use chunk_size="),
        (CLIENT.query_dataframe, "measurement", "use measurement_column="),
        (CLIENT.batch_writer, "flush_interval", "use max_delay="),
        (CLIENT.batch_writer, "batch_size", "use max_lines="),
        (CLIENT.create_user, "user", "use username="),
    ],
)
def test_unknown_keyword(call: Callable[..., Any], keyword: str, advice: str) -> None:
    with pytest.raises(TypeError) as caught:
        call(**{keyword: 1})
    assert str(caught.value) == f"{keyword}: unexpected keyword argument; {advice}"


def test_unknown_keyword_without_advice() -> None:
    with pytest.raises(TypeError, match=r"^xyzzy: unexpected keyword argument$"):
        CLIENT.query("SELECT v FROM m", xyzzy=1)  # type: ignore[call-arg]  # on purpose


@pytest.mark.parametrize(
    ("options", "other"),
    [
        ({"record": "m v=1"}, " instead of record="),
        ({"bucket": "b", "points": []}, " instead of points="),
        ({"df": 1, "measurement": "m"}, " instead of df="),
        ({"host": "a"}, ""),
        ({}, ""),
    ],
)
def test_write_without_data(options: dict[str, Any], other: str) -> None:
    expected = f"data: missing; pass the points as the first argument{other}"
    with pytest.raises(TypeError) as caught:
        CLIENT.write(**options)
    assert str(caught.value) == expected
    with CLIENT.batch_writer() as writer, pytest.raises(TypeError) as caught:
        writer.write(**options)
    assert str(caught.value) == expected


def test_columns_as_tags() -> None:
    for tags in (["host"], ("host",), "host"):
        with pytest.raises(
            TypeError, match=r"^tags: must be a mapping, not \w+; the columns that are tags are tag_columns="
        ):
            CLIENT.write("m v=1", tags=tags)  # type: ignore[arg-type]  # on purpose


def test_positional_arguments() -> None:
    with pytest.raises(TypeError, match="pass the arguments after 'port' by keyword"):
        InfluxDBClient("localhost", 8086, "user", "password")  # type: ignore[call-arg]  # on purpose
    with pytest.raises(TypeError, match="pass the arguments after 'q' by keyword"):
        CLIENT.query("SELECT v FROM m", "db")  # type: ignore[call-arg]  # on purpose


def test_other_errors_are_unchanged() -> None:
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'q'"):
        CLIENT.query()  # type: ignore[call-arg]  # on purpose
    with pytest.raises(TypeError, match=r"^timeout: must be "):
        InfluxDBClient(timeout="5")  # type: ignore[arg-type]  # on purpose


def test_signature_of_the_client_is_unchanged() -> None:
    assert list(inspect.signature(InfluxDBClient).parameters)[:3] == ["host", "port", "database"]
