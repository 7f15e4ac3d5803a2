"""Compressed request and response bodies."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from influx_proto import ProtocolError, Request, RetryPolicy, SerializationError, StreamOp, ops

from tests.servers.scripted import Drip, Receive, ScriptedServer, Send, chunked, reply, respond

ONCE = RetryPolicy(attempts=1)
JSON = {"Content-Type": "application/json"}
LINES = b"\n".join(b"m,t=a v=%d %d" % (n, n) for n in range(500))
ROWS = [[n, n] for n in range(3000)]
ANSWER = json.dumps({
    "results": [{"statement_id": 0, "series": [{"name": "m", "columns": ["time", "v"], "values": ROWS}]}]
}).encode()


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


def test_compression_with_a_real_server(connect: Callable[..., Any], client: Any, database: str) -> None:
    compressing = connect(client.settings.server.origin, database=database, gzip=True)
    assert compressing.write(LINES) is True
    for each in (client, compressing):
        assert [row[1] for row in each.query("SELECT v FROM m").series[0].values] == list(range(500))
    with compressing.query_points("SELECT v FROM m", chunk_size=100) as points:
        assert [point["v"] for point in points] == list(range(500))
    assert compressing.write_compressed(gzip.compress(b"n v=1 1")) is True
    assert client.query("SELECT v FROM n").series[0].values == [[1, 1.0]]


def test_large_bodies_are_compressed(connect: Callable[..., Any]) -> None:
    with ScriptedServer([reply(503), reply(204)]) as server:
        client = connect(server.url, gzip=True, database="db")
        client.write(LINES)
        client.write("m v=1 1")
    first, again, small = server.requests
    for request in (first, again):
        assert request.headers["content-encoding"] == "gzip"
        assert request.headers["accept-encoding"] == "gzip"
        assert gzip.decompress(request.body) == LINES
        assert len(request.body) < len(LINES) / 2
    assert "content-encoding" not in small.headers
    assert small.body == b"m v=1 1"


def test_only_bodies_that_influxdb_decompresses_are_compressed(connect: Callable[..., Any]) -> None:
    """influxd does not decompress the form of a query."""
    with ScriptedServer([reply(200, JSON, b'{"results":[{"statement_id":0}]}\n')]) as server:
        connect(server.url, gzip=True).query("SELECT v FROM m WHERE t = '" + "x" * 6000 + "'")
    assert "content-encoding" not in server.requests[0].headers
    assert server.requests[0].body.startswith(b"q=SELECT")


class Chunks:
    def __iter__(self) -> Any:
        return (LINES[at : at + 100] for at in range(0, len(LINES), 100))


def test_streamed_body_is_compressed(connect: Callable[..., Any]) -> None:
    op = ops.write("-", db="db")
    with ScriptedServer([reply(503), reply(204)]) as server:
        client = connect(server.url, gzip=True)
        assert client.execute(replace(op, request=replace(op.request, body=Chunks()))) is True
    assert [gzip.decompress(request.body) for request in server.requests] == [LINES] * 2


def test_precompressed_data(connect: Callable[..., Any]) -> None:
    data = gzip.compress(LINES)
    with ScriptedServer([reply(204)]) as server:
        for compressing in (False, True):
            client = connect(server.url, gzip=compressing, database="db")
            with pytest.raises(SerializationError, match="write_compressed"):
                client.write(data)
            with pytest.raises(SerializationError, match="must be compressed with gzip"):
                client.write_compressed(LINES)
            assert client.write_compressed(bytearray(data), rp="r", precision="s", consistency="any") is True
    for request in server.requests:
        assert request.body == data
        assert request.headers["content-encoding"] == "gzip"
        assert request.target == "/write?rp=r&consistency=any&precision=s&db=db"


@pytest.mark.parametrize("step", [Send, lambda data: Drip(data, every=0)], ids=["at once", "byte by byte"])
@pytest.mark.parametrize(
    ("encoding", "encode"),
    [
        ("gzip", gzip.compress),
        ("GZip", gzip.compress),
        ("x-gzip", gzip.compress),
        ("gzip", lambda data: gzip.compress(data[:1000]) + gzip.compress(data[1000:])),
        ("deflate", zlib.compress),
        ("deflate", raw_deflate),
        ("identity", lambda data: data),
    ],
    ids=["gzip", "GZip", "x-gzip", "members", "deflate", "raw deflate", "identity"],
)
def test_compressed_responses(
    connect: Callable[..., Any], encoding: str, encode: Callable[[bytes], bytes], step: Any
) -> None:
    body = encode(ANSWER)
    headers = {**JSON, "Content-Encoding": encoding}
    for response in (
        respond(200, headers, body),
        respond(
            200,
            {**headers, "Transfer-Encoding": "chunked"},
            chunked(*(body[at : at + 50] for at in range(0, len(body), 50))),
        ),
    ):
        with ScriptedServer([[Receive(), step(response[:3000]), Send(response[3000:])]]) as server:
            [series] = connect(server.url, gzip=True).query("SELECT v FROM m").series
            assert series.values == ROWS


@pytest.mark.parametrize("status", [400, 503])
def test_errors_are_decompressed(connect: Callable[..., Any], status: int) -> None:
    body = gzip.compress(b'{"error":"nope"}')
    with ScriptedServer([reply(status, {**JSON, "Content-Encoding": "gzip"}, body)]) as server:
        with pytest.raises(Exception, match="nope") as caught:
            connect(server.url, gzip=True, retry=ONCE).write("m v=1 1", db="db")
    assert caught.value.body == b'{"error":"nope"}'  # type: ignore[attr-defined]  # an attribute of ResponseError


@pytest.mark.parametrize(
    ("encoding", "body", "text"),
    [
        ("gzip", gzip.compress(ANSWER)[:-9], "truncated"),
        ("gzip", gzip.compress(ANSWER)[:-2], "truncated"),
        ("gzip", ANSWER, "malformed"),
        ("gzip", gzip.compress(ANSWER)[:-8] + b"\0" * 8, "malformed"),
        ("deflate", zlib.compress(ANSWER)[:-1], "truncated"),
        ("br", ANSWER, "not requested: br"),
        ("gzip, gzip", ANSWER, "not requested"),
    ],
    ids=["cut", "no end", "plain", "wrong sum", "deflate cut", "br", "twice"],
)
def test_malformed_compressed_responses(connect: Callable[..., Any], encoding: str, body: bytes, text: str) -> None:
    with ScriptedServer([reply(200, {**JSON, "Content-Encoding": encoding}, body)]) as server:
        client = connect(server.url, gzip=True, retry=ONCE)
        with pytest.raises(ProtocolError, match=text):
            client.query("SELECT v FROM m")
        with pytest.raises(ProtocolError, match=text), client.query_points("SELECT v FROM m") as points:
            list(points)


def test_decompression_bomb(connect: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The client rejects 1 GB of blanks, compressed to 1 MB, long before it has decompressed all of it."""
    monkeypatch.setattr("influx_proto._http.compression._UNLIMITED_SIZE", 16 * 1024 * 1024)
    member = gzip.compress(b" " * 50_000_000)
    with ScriptedServer([reply(200, {**JSON, "Content-Encoding": "gzip"}, member * 20)]) as server:
        with pytest.raises(ProtocolError, match=r"grew from \d+ to over \d+ bytes.*gzip=False") as caught:
            connect(server.url, gzip=True, retry=ONCE).query("SELECT v FROM m")
    assert int(str(caught.value).split(" over ")[1].split()[0]) < 60_000_000


def test_sparse_table_with_many_columns(connect: Callable[..., Any]) -> None:
    """gzip compresses the JSON of InfluxDB for 1000 fields to a 300th."""
    columns = ",".join(f'"f{number}"' for number in range(1000)).encode()
    rows = b",".join(b"[%d%b]" % (number, b",null" * 1000) for number in range(4000))
    body = b'{"results":[{"series":[{"columns":["time",%b],"values":[%b]}]}]}' % (columns, rows)
    coded = gzip.compress(body)
    assert len(coded) < len(body) / 200
    with ScriptedServer([reply(200, {**JSON, "Content-Encoding": "gzip"}, coded)]) as server:
        result = connect(server.url, gzip=True, retry=ONCE).query("SELECT * FROM m")
    assert len(result.series[0].values) == 4000


class Sizes:
    """Decoder that returns the size of each chunk."""

    def __init__(self) -> None:
        self.received = 0

    def feed(self, data: bytes) -> list[int]:
        self.received += len(data)
        return [len(data)]

    def close(self) -> list[int]:
        return []


def test_compressed_stream_is_read_in_chunks(connect: Callable[..., Any]) -> None:
    """Memory is bounded for any size of the decompressed response."""
    sizes = Sizes()
    op = StreamOp(Request("GET", "/query"), lambda _status, _headers: sizes)
    body = gzip.compress(bytes(10_000_000)) * 10
    with ScriptedServer([reply(200, {**JSON, "Content-Encoding": "gzip"}, body)]) as server:
        with connect(server.url, retry=ONCE).stream(op) as items:
            total = seen = 0
            for size in items:
                total += size
                seen = max(seen, sizes.received - total)
    assert total == 100_000_000
    assert seen < 20_000_000
