"""Extra tags by keyword: a misspelt or foreign option never becomes a tag."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import influx_aiohttp
import influx_requests
import influx_trio
import pytest
from influx_proto import SerializationError, serialize, serialize_batches
from influx_proto._client.operations import Operations
from influx_proto._encode.extra_tags import COMMON_TAGS, find_advice
from influx_proto.adapter import Client
from influx_proto.ops import write, write_batches

POINT = {"measurement": "m", "fields": {"v": 1}, "time": 1}
WRITERS = [serialize, serialize_batches, write, write_batches]
TAGS = [
    "room", "region", "site", "asset_class", "sensor", "device", "dc", "ip", "env", "location", "host", "port",
    "path", "name", "user", "unit", "date", "rate", "state", "symbol", "source", "type", "station", "region_id",
    "cpu", "interface", "city", "country", "server", "application", "rack_id", "exchange", "currency", "status",
    "id",
]  # fmt: skip


def options_of_ours() -> set[str]:
    """Return every parameter of the clients, their methods and the encoding functions."""
    functions: list[Callable[..., Any]] = [
        influx_aiohttp.AsyncInfluxDBClient.__init__,
        influx_trio.AsyncInfluxDBClient.__init__,
        influx_requests.InfluxDBClient.__init__,
        serialize,
        serialize_batches,
        *(function for name, function in inspect.getmembers(Client, inspect.isfunction) if name in vars(Operations)),
    ]
    names = {name for function in functions for name in inspect.signature(function).parameters}
    return names - {"self", "data", "extra_tags", "settings"}


def test_client_options_do_not_become_tags() -> None:
    for name in sorted(options_of_ours()):
        assert (find_advice(name) is None) == (name in COMMON_TAGS), name


PEERS = [
    "database", "time_precision", "retention_policy", "batch_size", "protocol", "field_columns", "bucket", "org",
    "write_precision", "record", "data_frame_measurement_name", "data_frame_tag_columns",
    "data_frame_timestamp_column", "data_frame_timestamp_timezone", "tag_keys", "tag_key", "tag_key_columns",
    "dataframe", "points", "numeric_precision", "record_tag_keys", "measurement_name",
]  # fmt: skip

MISSPELLED = {
    "precison": "precision",
    "presicion": None,
    "precisoin": "precision",
    "measurment": "measurement",
    "tag": "tags",
    "tag_column": "tag_columns",
    "tagcolumns": "tag_columns",
    "databse": "db",
    "unsined": "unsigned",
    "nonfinit": "nonfinite",
    "field_type": "field_types",
    "Precision": "precision",
    "DB": "db",
    "RP": "rp",
    "batch_line": "batch_lines",
    "max_line": "max_lines",
    "chunksize": "chunk_size",
    "on_eror": "on_error",
}


def error_of(build: Callable[..., object], name: str) -> str:
    """Return the message of the TypeError for a keyword argument, or an empty string."""
    try:
        build(POINT, **{name: "x"})
    except TypeError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("build", WRITERS)
def test_foreign_options_are_rejected(build: Callable[..., object]) -> None:
    for name in (*PEERS, "chunk_size", "epoch", "username", "password", "token", "max_delay"):
        if name not in inspect.signature(build).parameters:
            assert re.search(rf"^{name}: .*tags={{'{name}': \.\.\.}}$", error_of(build, name)), name


@pytest.mark.parametrize("build", WRITERS)
def test_misspelled_options_are_rejected(build: Callable[..., object]) -> None:
    for name, right in MISSPELLED.items():
        pattern = "^$" if right is None else rf"^{name}: .*\b{right}\b.*tags={{"  # None: two edits away
        assert re.search(pattern, error_of(build, name)), name


def test_common_tags_are_accepted() -> None:
    for name in TAGS:
        options: dict[str, Any] = {name: "x"}
        assert serialize(POINT, **options) == f"m,{name}=x v=1i 1".encode()


def test_tags_accepts_every_name() -> None:
    for name in (*PEERS, *MISSPELLED, "db", "timeout"):
        assert serialize(POINT, tags={name: "x"}) == f"m,{name}=x v=1i 1".encode()


def test_error_messages() -> None:
    with pytest.raises(TypeError) as caught:
        serialize(POINT, time_precision="s")
    assert str(caught.value) == (
        "time_precision: not accepted as a tag by keyword, the option is precision=; "
        "for a tag of that name pass tags={'time_precision': ...}"
    )


@pytest.mark.parametrize(
    "data", ["m v=1", b"m v=1", bytearray(b"m v=1"), ["m v=1"], [POINT, "m v=1"], {"a": b"m v=1"}.values()]
)
@pytest.mark.parametrize(
    ("argument", "options"),
    [
        ("measurement", {"measurement": "n"}),
        ("tags", {"tags": {"room": "hall"}}),
        ("tags", {"room": "hall"}),
        ("field_types", {"field_types": {"v": "float"}}),
    ],
)
def test_arguments_for_points_are_rejected_with_raw_lines(data: object, argument: str, options: dict[str, Any]) -> None:
    with pytest.raises(SerializationError, match=rf"(^|: ){argument}: has no effect on raw line protocol"):
        serialize(data, **options)


def test_empty_arguments_with_raw_lines() -> None:
    assert serialize("m v=1", None, tags={}, field_types={}) == b"m v=1"
