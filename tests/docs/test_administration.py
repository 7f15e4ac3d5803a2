"""The tables of statements say what is sent, leave none out, and are InfluxQL to a real server."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from influx_proto import Op, QueryError, admin, ops
from influx_proto.adapter import Client
from influx_requests import InfluxDBClient

from tests.servers.influxd import Influxd

PAGE = Path(__file__).parents[2] / "docs" / "administration.md"
ROWS: list[tuple[str, str, str]] = re.findall(r"^\| `(.*)` \| `(.*)` \| `(.*)` \|$", PAGE.read_text(), re.MULTILINE)
BUILDERS = {name: found for name in admin.__all__ if inspect.isfunction(found := getattr(admin, name))}
BUILDERS |= {name: getattr(ops, name) for name in ("create_database", "drop_database", "drop_measurement")}


def made(call: str) -> Op[Any]:
    op = eval(call, {**BUILDERS, "Not": admin.Not, "re": re})
    assert isinstance(op, Op)
    return op


@pytest.mark.parametrize(("call", "statement", "gives"), ROWS, ids=[call.partition("(")[0] for call, _, _ in ROWS])
def test_row(call: str, statement: str, gives: str) -> None:
    op = made(call)
    assert isinstance(op.request.body, bytes)
    sent = parse_qs(urlsplit(op.request.target).query) | parse_qs(op.request.body.decode())
    assert sent["q"][0].split() == statement.split()
    builder = BUILDERS[call.partition("(")[0]]
    assert inspect.signature(builder).return_annotation == f"Op[{gives}]"
    assert hasattr(Client, builder.__name__)


def test_none_is_left_out() -> None:
    assert {call.partition("(")[0] for call, _, _ in ROWS} == BUILDERS.keys()


@pytest.fixture(scope="module")
def client() -> Iterator[InfluxDBClient]:
    """A server of its own, since some rows say what would disturb others."""
    with Influxd() as server, InfluxDBClient.from_url(server.url, database="stored") as client:
        client.create_database("stored")
        yield client


@pytest.mark.parametrize(("call", "statement", "gives"), ROWS, ids=[call.partition("(")[0] for call, _, _ in ROWS])
def test_row_on_a_server(client: InfluxDBClient, call: str, statement: str, gives: str) -> None:
    client.create_database("db")
    client.write("cpu,host=a,region=eu load=1 1")
    result: object = None
    refusal = ""
    try:
        result = client.execute(made(call))
    except QueryError as error:
        refusal = error.message
    if refusal:  # what the row names may not be there; and limits are of InfluxDB 1.12, the server may be older
        assert "parsing" not in refusal or "found FUTURE" in refusal
        return
    kind = re.sub(r"\W.*", "", gives)
    assert type(result).__name__ == {"None": "NoneType"}.get(kind, kind)
    for one in result if isinstance(result, list) else ():
        assert type(one).__name__ == gives.removeprefix("list[").removesuffix("]")
