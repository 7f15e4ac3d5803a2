"""Streamed responses: results are yielded while they arrive."""

from __future__ import annotations

import itertools
import json
import logging
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from influx_proto import ProtocolError, QueryError, RetryPolicy, TransportError
from influx_proto.adapter import Client

from tests.conformance.drivers import Driver
from tests.servers.scripted import Close, Hold, Receive, ScriptedServer, Send, chunked, reply, respond

SOON = RetryPolicy(attempts=3, backoff=0.001)
JSON = {"Content-Type": "application/json"}
STREAMED = {**JSON, "Transfer-Encoding": "chunked"}


def document(first: int, count: int, *, more: bool) -> bytes:
    series: dict[str, Any] = {
        "name": "m",
        "columns": ["time", "v"],
        "values": [[n, n] for n in range(first, first + count)],
    }
    result: dict[str, Any] = {"statement_id": 0, "series": [series]}
    if more:
        series["partial"] = result["partial"] = True
    return json.dumps({"results": [result]}).encode() + b"\n"


def fill(client: Any, count: int) -> None:
    client.write([f"m,t={'ab'[n % 2]} v={n}i {n}" for n in range(count)])


def test_chunks(client: Any) -> None:
    fill(client, 2_500)
    with client.query_chunks("SELECT v FROM m", chunk_size=1000) as chunks:
        sizes = [len(chunk.series[0].values) for chunk in chunks]
    assert sizes == [1000, 1000, 500]


def test_points(client: Any) -> None:
    fill(client, 2_500)
    with client.query_points('SELECT v FROM m GROUP BY "t"', chunk_size=100) as points:
        found = list(points)
    assert len(found) == 2_500
    assert found[0] == {"time": 0, "v": 0, "t": "a"}
    assert found[-1] == {"time": 2499, "v": 2499, "t": "b"}


def test_several_statements_in_a_stream(client: Any) -> None:
    fill(client, 4)
    with client.query_chunks("SELECT v FROM m WHERE t = 'a'; SELECT v FROM nothing; SHOW MEASUREMENTS") as chunks:
        ids = [result["statement_id"] for chunk in chunks for result in chunk["results"]]
    assert ids == [0, 1, 2]


def test_bind_parameters_and_epoch_in_a_stream(client: Any, database: str) -> None:
    fill(client, 4)
    q = "SELECT v FROM m WHERE t = $tag"
    with client.query_points(q, params={"tag": "b"}, epoch="u", db=database) as points:
        assert list(points) == [{"time": 0, "v": 1}, {"time": 0, "v": 3}]


def test_client_is_usable_after_leaving_a_stream_early(client: Any) -> None:
    fill(client, 30_000)
    for _ in range(3):
        with client.query_points("SELECT v FROM m", chunk_size=1000) as points:
            assert [point["v"] for point in itertools.islice(points, 5)] == [0, 1, 2, 3, 4]
        assert client.ping().version


def test_writing_while_reading(client: Any) -> None:
    fill(client, 5_000)
    with client.query_points("SELECT v FROM m", chunk_size=1000) as points:
        for point in points:
            if point["v"] % 1000 == 0:
                client.write({"measurement": "copy", "fields": {"v": point["v"]}, "time": point["time"]})
    assert len(client.query("SELECT v FROM copy").series[0].values) == 5


def test_callers_exception_in_the_block_is_raised_unchanged(client: Any) -> None:
    fill(client, 5_000)
    for error in (KeyError("mine"), ConnectionResetError("mine"), TimeoutError("mine")):
        with pytest.raises(type(error), match="mine"), client.query_points("SELECT v FROM m") as points:
            next(iter(points))
            raise error
    assert client.ping().version


def test_rejected_query_raises_on_entry(client: Any) -> None:
    with pytest.raises(QueryError, match=r"error parsing|failed to parse"), client.query_chunks("SELEC"):
        raise AssertionError


def test_unopened_stream_raises(client: Any, driver: Driver) -> None:
    async def read(stream: Any) -> None:
        async for _ in stream:
            pass

    unopened = driver.client_class(database="db")
    stream: Any = unopened.query_points("SELECT v FROM m")
    if isinstance(unopened, Client):
        with pytest.raises(TypeError, match=r"`with`: with client\."):
            list(stream)
    else:
        with pytest.raises(TypeError, match=r"`async with`: async with client\."):
            anyio.run(read, stream, backend=driver.backend or "")


def test_invalid_chunk_size(client: Any) -> None:
    for wrong, error in ((0, ValueError), (-1, ValueError), ("5", TypeError), (True, TypeError), (1.5, TypeError)):
        with pytest.raises(error, match=r"^chunk_size: "):
            client.query_chunks("SELECT v FROM m", chunk_size=wrong)


def test_chunks_before_an_error_are_yielded(connect: Callable[..., Any]) -> None:
    failure = b'{"results":[{"statement_id":0,"error":"query interrupted"}]}\n'
    for body in (
        chunked(document(0, 3, more=True), failure),
        chunked(document(0, 3, more=True) + failure),
    ):
        with ScriptedServer([[Receive(), Send(respond(200, STREAMED, body))]]) as server:
            found: list[int] = []
            with (
                pytest.raises(QueryError, match="query interrupted") as caught,
                connect(server.url).query_points("SELECT v FROM m") as points,
            ):
                found.extend(point["v"] for point in points)
            assert found == [0, 1, 2]
            assert caught.value.statement_id == 0


@pytest.mark.parametrize("end", ["cut", "between", "partial"])
def test_truncated_stream_raises(connect: Callable[..., Any], end: str) -> None:
    body = {
        "cut": chunked(document(0, 3, more=True), document(3, 3, more=False)[:20], end=False),
        "between": chunked(document(0, 3, more=True), end=False),
        "partial": chunked(document(0, 3, more=True)),
    }[end]
    with ScriptedServer([[Receive(), Send(respond(200, STREAMED, body)), Close()]]) as server:
        found: list[int] = []
        with pytest.raises((ProtocolError, TransportError)) as caught:
            with connect(server.url, retry=SOON).query_points("SELECT v FROM m") as points:
                found.extend(point["v"] for point in points)
        assert found == [0, 1, 2][: len(found)]  # aiohttp discards data that it has not returned yet
        assert caught.value.retryable
        assert len(server.requests) == 1  # yielded chunks cannot be taken back, so the query is not retried


def test_opening_is_retried(connect: Callable[..., Any]) -> None:
    good = respond(200, STREAMED, chunked(document(0, 3, more=False)))
    with ScriptedServer([reply(503), [Receive(), Close()], [Receive(), Send(good)]]) as server:
        with connect(server.url, retry=SOON).query_points("SELECT v FROM m") as points:
            assert [point["v"] for point in points] == [0, 1, 2]
        assert len(server.requests) == 3


def test_chunks_are_yielded_on_arrival_and_exit_disconnects(connect: Callable[..., Any]) -> None:
    """The server sends one chunk and then stalls: the chunk is yielded, and exiting the block closes the connection."""
    head = respond(200, STREAMED, chunked(document(0, 3, more=True) + document(3, 1, more=True), end=False))
    with ScriptedServer([[Receive(), Send(head), Hold()]]) as server:
        with connect(server.url).query_chunks("SELECT v FROM m") as chunks:
            assert next(iter(chunks)).series[0].values == [[0, 0], [1, 1], [2, 2]]


def test_stream_is_logged_when_it_ends(client: Any, caplog: pytest.LogCaptureFixture) -> None:
    fill(client, 10)
    caplog.set_level(logging.DEBUG, logger="influx_proto")
    caplog.clear()
    with client.query_chunks("SELECT v FROM m") as chunks:
        assert not caplog.messages
        list(chunks)
    [message] = [record.getMessage() for record in caplog.records if record.name == "influx_proto"]
    assert "HTTP 200" in message
    assert "received: 0" not in message


def test_closed_client_raises(client: Any) -> None:
    client.close()
    with pytest.raises(RuntimeError, match="is closed"):
        client.query_chunks("SELECT v FROM m")
