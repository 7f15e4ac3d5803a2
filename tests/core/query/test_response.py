"""Responses to queries that no InfluxDB sends: an error of this library says what is wrong with them."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from influx_proto import INT, Headers, InfluxDBError, Op, ProtocolError, QueryError, QueryResult, lineprotocol, ops

JSON = "application/json"
MSGPACK = "application/x-msgpack"

#: Where something of any depth stands in a document: of JSON, and of MessagePack.
DOCUMENTS = {
    "cell": (b'{"results":[{"series":[{"columns":["v"],"values":[[%b]]}]}]}',
             b"\x81\xa7results\x91\x81\xa6series\x91\x82\xa7columns\x91\xa1v\xa6values\x91\x91%b"),
    "results": (b'{"results":%b}', b"\x81\xa7results%b"),
    "error": (b'{"error":%b}', b"\x81\xa5error%b"),
    "error of a statement": (b'{"results":[{"error":%b}]}', b"\x81\xa7results\x91\x81\xa5error%b"),
    "number of a statement": (b'{"results":[{"statement_id":%b}]}', b"\x81\xa7results\x91\x81\xacstatement_id%b"),
    "another key": (b'{"code":%b}', b"\x81\xa7results\x91\x81\xa4code%b"),
}  # fmt: skip


def read(content_type: str, body: bytes) -> QueryResult:
    return ops.query("SELECT v FROM m").read(200, Headers({"Content-Type": content_type}), body)


def test_request_of_a_repeated_query_is_a_new_object() -> None:
    first = ops.query("SELECT v FROM m", db="d").request
    assert ops.query("SELECT v FROM m", db="d").request == first
    first.headers = (("X", "changed"),)
    assert ops.query("SELECT v FROM m", db="d").request != first
    assert ops.query("SELECT v FROM m").request.wants_db
    assert ops.query("SELECT v FROM m", db="d", format="json").request.headers == (("Accept", JSON),)


def body_of(place: str, content_type: str, depth: int, *, is_utf8: bool) -> bytes:
    in_json, in_msgpack = DOCUMENTS[place]
    if content_type == JSON:
        return in_json % (b"[" * depth + (b"1" if is_utf8 else b'"\xff"') + b"]" * depth)
    return in_msgpack % (b"\x91" * depth + (b"\x01" if is_utf8 else b"\xa1\xff"))


@pytest.mark.parametrize("is_utf8", [True, False])
@pytest.mark.parametrize("content_type", [JSON, MSGPACK])
@pytest.mark.parametrize("place", DOCUMENTS)
def test_deep_nesting(place: str, content_type: str, is_utf8: bool) -> None:
    limit = sys.getrecursionlimit()
    # Around the depths at which the decoders, and whatever else descends, exceed the recursion limit.
    for depth in [*range(0, limit, 97), *range(limit - 20, limit + 2)]:
        with contextlib.suppress(InfluxDBError):
            read(content_type, body_of(place, content_type, depth, is_utf8=is_utf8))
    with pytest.raises(ProtocolError, match="nests arrays or maps too deeply"):
        read(content_type, body_of(place, content_type, 100_000, is_utf8=is_utf8))


@pytest.mark.parametrize("number", [b'"1"', b"null", b"[]", b"1.5"])
def test_a_number_of_a_statement_that_is_none(number: bytes) -> None:
    with pytest.raises(ProtocolError, match="statement_id is "):
        read(JSON, b'{"results":[{"statement_id":%b,"series":[]}]}' % number)


@pytest.mark.parametrize(
    "response",
    [
        (400, {}, b"invalid mime type (application/x-msgpack)"),  # InfluxDB 3 up to 3.6
        (200, {"Content-Type": MSGPACK}, b"\x91\x91\x92\x00\x90"),  # InfluxDB 3.7 and later
        (200, {"Content-Type": MSGPACK}, b"\xdc\x00\x10" + b"\x92\x00\x90" * 16),
    ],
)
def test_messagepack_of_influxdb_3(response: tuple[int, dict[str, str], bytes]) -> None:
    with pytest.raises(ProtocolError, match=r"request JSON \(format='json'\)"):
        ops.query("SELECT v FROM m").read(*response)


@pytest.mark.parametrize("content_type", [JSON, MSGPACK])
def test_statement_without_a_result_on_influxdb_2(content_type: str) -> None:
    """Recorded from InfluxDB 2.7.12: the response in chunks to DELETE and DROP MEASUREMENT is empty."""
    headers = {"Content-Type": content_type, "Content-Length": "0", "X-Influxdb-Version": "v2.7.12"}
    assert ops.drop_measurement("m").read(200, headers, b"") == {"results": []}


@pytest.mark.parametrize("missing", ["Content-Length", "X-Influxdb-Version"])
def test_empty_response_of_another_server_is_truncated(missing: str) -> None:
    headers = {"Content-Type": JSON, "Content-Length": "0", "X-Influxdb-Version": "v2.7.12"}
    del headers[missing]
    with pytest.raises(ProtocolError, match="empty"):
        ops.drop_measurement("m").read(200, headers, b"")


@pytest.mark.parametrize("content_type", ["application/csv", "text/csv"])
def test_empty_csv_of_every_version_is_one_statement(content_type: str) -> None:
    for headers in ({}, {"X-Influxdb-Version": "v2.7.12"}):
        found = ops.query("SELECT v FROM m").read(
            200, {"Content-Type": content_type, "Content-Length": "0", **headers}, b""
        )
        assert found["results"] == [{"statement_id": 0}]


#: The documents of three statements, the second of them without rows.
STATEMENTS = [
    {"results": [{"statement_id": 0, "series": [{"name": "P", "columns": ["time", "x"], "values": [[0, 1]]}]}]},
    {"results": [{"statement_id": 1}]},
    {"results": [{"statement_id": 2, "series": [{"name": "P", "columns": ["time", "x"], "values": [[1, 2]]}]}]},
]
QUERY = "SELECT x FROM p; SELECT x FROM q -- ;\n; SELECT x FROM r WHERE s = ';' AND t =~ /;/"


@lineprotocol
@dataclasses.dataclass
class P:
    x: INT


@pytest.mark.parametrize("encoding", [JSON, MSGPACK])
@pytest.mark.parametrize(
    "make",
    [
        ops.query,
        ops.query_chunks,
        ops.query_points,
        ops.query_dataframes,
        ops.query_dataframe_chunks,
        lambda q: ops.query_as(P, q),
    ],
)
def test_response_that_ends_between_statements(make: Callable[[str], Any], encoding: str) -> None:
    encode = msgspec.json.encode if encoding == JSON else msgspec.msgpack.encode
    documents = [encode(document) + b"\n" * (encoding == JSON) for document in STATEMENTS]

    def read_all(parts: list[bytes], q: str = QUERY) -> None:
        op = make(q)
        decoder = (op.receiver if isinstance(op, Op) else op.decoder)(200, Headers({"Content-Type": encoding}))
        for part in parts:
            decoder.feed(part)
        decoder.close()

    read_all(documents)
    read_all(documents, "SELECT x FROM p")  # a server that counts otherwise
    for count in (1, 2):
        with pytest.raises(ProtocolError, match=f"truncated: it has the results of {count} of 3 statements") as caught:
            read_all(documents[:count])
        assert caught.value.retryable
    failed = encode({"results": [{"statement_id": 1, "error": "x"}]}) + b"\n" * (encoding == JSON)
    with pytest.raises(QueryError, match="x"):
        read_all([documents[0], failed])


def test_statements_that_csv_omits() -> None:
    result = ops.query(QUERY, format="csv").read(200, {"Content-Type": "text/csv"}, b"name,tags,time,x\np,,0,1\n")
    assert len(result["results"]) == 1
