"""The tables in docs/administration.md: each row is what is sent, and a real server accepts the statements."""

from __future__ import annotations

import contextlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from influx_proto import Op, QueryError, admin, ops
from influx_proto._runtime.settings import Settings
from influx_proto.adapter import Client
from influx_proto.admin import Bucket
from influx_requests import InfluxDBClient

from tests.core.admin.exchanges import Clock
from tests.servers.influxd import Influxd

PAGE = Path(__file__).parents[2] / "docs" / "administration.md"
METHODS = ("GET /", "POST /", "PUT /", "PATCH /", "DELETE /")
ROWS: list[tuple[str, str, str]] = re.findall(r"^\| `(.*)` \| `(.*)` \| `(.*)` \|$", PAGE.read_text(), re.MULTILINE)
#: The rows of HTTP APIs: call, methods and paths, and return type.
REQUESTS = [(call, sent.split("`, `"), returns) for call, sent, returns in ROWS if sent.startswith(METHODS)]
ROWS = [row for row in ROWS if not row[1].startswith(METHODS)]
BUILDERS = {name: found for name in admin.__all__ if inspect.isfunction(found := getattr(admin, name))}
BUILDERS |= {name: getattr(ops, name) for name in ("create_database", "drop_database", "drop_measurement")}


def build_op(call: str) -> Op[Any]:
    op = eval(call, {**BUILDERS, "Not": admin.Not, "re": re})
    assert isinstance(op, Op)
    return op


@pytest.mark.parametrize(("call", "statement", "returns"), ROWS, ids=[call.partition("(")[0] for call, _, _ in ROWS])
def test_row(call: str, statement: str, returns: str) -> None:
    op = build_op(call)
    assert isinstance(op.request.body, bytes)
    sent = parse_qs(urlsplit(op.request.target).query) | parse_qs(op.request.body.decode())
    assert sent["q"][0].split() == statement.split()
    builder = BUILDERS[call.partition("(")[0]]
    assert inspect.signature(builder).return_annotation == f"Op[{returns}]"
    assert hasattr(Client, builder.__name__)


@pytest.mark.parametrize(("call", "sent", "returns"), REQUESTS, ids=[call.partition("(")[0] for call, _, _ in REQUESTS])
def test_requests(call: str, sent: list[str], returns: str) -> None:
    operation = eval(call, dict(BUILDERS))
    replies = {"GET /api/v2/orgs": [("ID", "o")], "GET /api/v2/buckets": [Bucket(id="ID", name="b", retention=None)]}
    flow = operation.flow(Settings(), Clock())
    reply: object = None
    found: list[str] = []
    with contextlib.suppress(StopIteration):
        while True:
            attempt = flow.send(reply)
            found.append(f"{attempt.request.method} {urlsplit(attempt.request.target).path}")
            reply = replies.get(found[-1])
    assert found == sent
    builder = BUILDERS[call.partition("(")[0]]
    assert inspect.signature(builder).return_annotation in {f"Op[{returns}]", f"OpSequence[{returns}]"}


def test_all_builders_are_listed() -> None:
    assert {call.partition("(")[0] for call, *_ in [*ROWS, *REQUESTS]} == BUILDERS.keys()


@pytest.fixture(scope="module")
def client() -> Iterator[InfluxDBClient]:
    """Return a separate server, since some rows would disturb other tests."""
    with Influxd() as server, InfluxDBClient.from_url(server.url, database="stored") as client:
        client.create_database("stored")
        yield client


@pytest.mark.parametrize(("call", "statement", "returns"), ROWS, ids=[call.partition("(")[0] for call, _, _ in ROWS])
def test_row_on_a_server(client: InfluxDBClient, call: str, statement: str, returns: str) -> None:
    client.create_database("db")
    client.write("cpu,host=a,region=eu load=1 1")
    result: object = None
    rejection = ""
    try:
        result = client.execute(build_op(call))
    except QueryError as error:
        rejection = error.message
    if rejection:  # the object in the row may not exist, and an older server lacks the limits of InfluxDB 1.12
        assert "parsing" not in rejection or "found FUTURE" in rejection
        return
    type_name = re.sub(r"\W.*", "", returns)
    assert type(result).__name__ == {"None": "NoneType"}.get(type_name, type_name)
    for one in result if isinstance(result, list) else ():
        assert type(one).__name__ == returns.removeprefix("list[").removesuffix("]")
