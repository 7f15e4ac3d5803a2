"""Connections that are reused, shared, closed by the server at a bad moment, and closed by the client."""

from __future__ import annotations

import contextlib
import gc
import logging
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from influx_proto import PayloadTooLarge, RetryPolicy, ServerUnavailable, Timeout, TransportError, ops

from tests.conformance.drivers import Driver, run_concurrently
from tests.servers.influxd import Server
from tests.servers.scripted import (
    Behavior,
    Close,
    Hold,
    Receive,
    Reset,
    ScriptedServer,
    Send,
    Stall,
    Step,
    reply,
    respond,
)

ONCE = RetryPolicy(attempts=1)
JSON = {"Content-Type": "application/json"}
GOOD = b'{"results":[{"statement_id":0}]}\n'

# Keep-alive connections that end while a request is in flight

ENDS: dict[str, Step] = {"closed": Close(), "reset": Reset()}


def respond_then_end(end: Step) -> Behavior:
    """Respond to one request, and end the connection after reading the next one."""
    return [Receive(), Send(respond(204)), Receive(), end]


@pytest.fixture(params=ENDS)
def dying(request: pytest.FixtureRequest) -> Behavior:
    return respond_then_end(ENDS[request.param])


def streamed(client: Any) -> None:
    with client.query_points("SELECT v FROM m") as points:
        assert list(points) == []


@pytest.mark.parametrize(
    ("idempotent", "response"),
    [
        (lambda client: client.write("m v=1 1", db="db"), reply(204)),
        (lambda client: client.write(f'm s="{"x" * 1_000_000}" 1', db="db"), reply(204)),
        (lambda client: client.ping(), reply(204)),
        (lambda client: client.query("SHOW DATABASES"), reply(200, JSON, GOOD)),
        (streamed, reply(200, JSON, GOOD)),
    ],
    ids=["write", "large write", "ping", "query", "stream"],
)
@pytest.mark.needs("keep_alive")
def test_closed_keep_alive_connection_is_replaced(
    driver: Driver,
    connect: Callable[..., Any],
    dying: Behavior,
    idempotent: Callable[[Any], Any],
    response: Behavior,
) -> None:
    """The replacement is not reported and does not count as an attempt."""
    with ScriptedServer([dying, response]) as server:
        client = connect(server.url, retry=ONCE)
        client.ping()
        idempotent(client)
        assert (server.connections, len(server.requests)) == (2, 3)


@pytest.mark.parametrize(
    "not_idempotent",
    [lambda client: client.drop_database("db"), lambda client: client.write("m v=1", db="db")],
    ids=["statement", "points without a time"],
)
@pytest.mark.needs("keep_alive")
def test_operations_that_are_not_idempotent_are_not_repeated(
    driver: Driver, connect: Callable[..., Any], dying: Behavior, not_idempotent: Callable[[Any], Any]
) -> None:
    with ScriptedServer([dying, reply(204)]) as server:
        client = connect(server.url)
        client.ping()
        with pytest.raises(TransportError) as caught:
            not_idempotent(client)
        assert caught.value.maybe_received is True
        assert len(server.requests) == 2


@pytest.mark.needs("keep_alive")
def test_connection_is_replaced_only_once(driver: Driver, connect: Callable[..., Any]) -> None:
    with ScriptedServer([respond_then_end(Close()), [Receive(), Close()]]) as server:
        client = connect(server.url, retry=ONCE)
        client.ping()
        with pytest.raises(TransportError):
            client.write("m v=1 1", db="db")
        assert len(server.requests) == 3


@pytest.mark.parametrize(("end", "attempts"), [(Reset(), 1), (Stall(30), 2)], ids=["reset", "no response"])
@pytest.mark.needs("keep_alive", "pool", "stale_pool")
def test_other_idle_connections_are_not_used_after_a_failure(
    driver: Driver, connect: Callable[..., Any], end: Step, attempts: int
) -> None:
    """After a restart of a proxy, a failover or a suspension all of them are broken, without the client's notice."""
    opened = threading.Barrier(8)

    class WaitForOthers:
        def run(self, connection: Any) -> None:
            opened.wait(10)

    idle: Behavior = [Receive(), WaitForOthers(), Send(respond(204)), Receive(), end]
    with ScriptedServer([*[idle] * 8, [Receive(), Send(respond(204))]]) as server:
        client = connect(server.url, retry=RetryPolicy(attempts=attempts, backoff=0.01), timeout=5)
        run_concurrently(*[client.ping] * 8)
        assert client.write("m v=1 1", db="db", timeout=0.5) is True
        assert (server.connections, len(server.requests)) == (9, 10)


def test_failure_of_a_new_connection_counts_as_an_attempt(connect: Callable[..., Any]) -> None:
    with ScriptedServer([[Receive(), Close()]]) as server:
        with pytest.raises(TransportError):
            connect(server.url, retry=ONCE).write("m v=1 1", db="db")
        assert len(server.requests) == 1


@pytest.mark.needs("keep_alive", "partial_head")
def test_failure_within_a_response_counts_as_an_attempt(connect: Callable[..., Any]) -> None:
    behavior: Behavior = [Receive(), Send(respond(204)), Receive(), Send(b"HTTP/1.1 2"), Close()]
    with ScriptedServer([behavior, reply(204)]) as server:
        client = connect(server.url, retry=ONCE)
        client.ping()
        with pytest.raises(Exception, match=r"127\.0\.0\.1"):
            client.write("m v=1 1", db="db")
        assert len(server.requests) == 2


@pytest.mark.needs("trailing_bytes")
def test_trailing_bytes_are_not_used_as_the_next_response(driver: Driver, connect: Callable[..., Any]) -> None:
    spoiled = respond(204) + respond(200, JSON, b'{"results":[{"statement_id":0,"error":"of another request"}]}\n')
    good: Behavior = [Receive(), Send(respond(200, JSON, GOOD))]
    with ScriptedServer([[Receive(), Send(spoiled), *good], good]) as server:
        client = connect(server.url, retry=ONCE)
        client.ping()  # both responses arrived in one segment
        assert client.query("SHOW DATABASES").series == []


_END = b"0\r\n\r\n"


@pytest.mark.needs("trailing_bytes")
@pytest.mark.parametrize("steps", [[], [Send(_END)], [Stall(0.1), Send(_END)]], ids=["never", "at once", "later"])
def test_chunked_response_without_a_body(connect: Callable[..., Any], steps: list[Step]) -> None:
    """Some proxies frame every response like this. The write was stored and is acknowledged."""
    head = b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n"
    if steps == [Send(_END)]:  # in the same segment as the head
        head, steps = head + _END, []
    exchange: Behavior = [Receive(), Send(head), *steps]
    with ScriptedServer([[*exchange, *exchange, *exchange]]) as server:
        client = connect(server.url, retry=ONCE, timeout=2)
        for _ in range(3):
            assert client.write("m v=1 1", db="db") is True
            time.sleep(0.2)
        assert len(server.requests) == 3


@pytest.mark.needs("trailing_bytes")
@pytest.mark.parametrize("body", [b"null", b"2\r\n{}\r\n0\r\n\r\n", respond(400, JSON, b'{"error":"no"}')])
def test_body_of_a_response_that_has_none(connect: Callable[..., Any], body: bytes) -> None:
    """The write was stored and is acknowledged; the connection is not used again."""
    good: Behavior = [Receive(), Send(respond(204))]
    head = respond(204, {"Content-Length": str(len(body))})
    with ScriptedServer([[Receive(), Send(head + body), *good], good]) as server:
        client = connect(server.url, retry=ONCE)
        for _ in range(2):
            assert client.write("m v=1 1", db="db") is True
        assert len(server.requests) == 2


UNREQUESTED = {
    "whole": respond(204),
    "two": respond(204) * 2,
    "with a body": respond(200, JSON, b'{"results":[{"statement_id":0,"error":"of another request"}]}\n'),
    "rejection": respond(400, JSON, b'{"error":"of another request"}\n'),
    "no HTTP": b"\0" * 100,
    "a part": respond(204)[:20],
}


@pytest.mark.needs("keep_alive")
@pytest.mark.parametrize("unrequested", UNREQUESTED)
def test_unrequested_response_on_an_idle_connection(connect: Callable[..., Any], unrequested: str) -> None:
    """The client closes the connection instead of reusing it, so the server receives no further request on it."""
    idle: Behavior = [Receive(), Send(respond(204)), Stall(0.1), Send(UNREQUESTED[unrequested]), Stall(30)]
    with ScriptedServer([idle, reply(204)]) as server:
        client = connect(server.url, retry=ONCE, timeout=1)
        client.ping()
        time.sleep(0.3)
        assert client.write("m v=1 1", db="db") is True
        assert (server.connections, len(server.requests)) == (2, 2)


# Responses that arrive before the request is sent

#: More than the buffers hold of a client and of a server with `ReceiveLittle`: Linux limits the former to 4 MB.
UPLOAD = 8_000_000


class ReceiveLittle:
    """Let the kernel hold little unread data for the server."""

    def run(self, connection: Any) -> None:
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)


@pytest.mark.parametrize("end", [[Close()], [Reset()], [Stall(30)]], ids=["close", "reset", "keep"])
@pytest.mark.parametrize("framing", ["length", "chunks"])
@pytest.mark.parametrize("announced", [True, False], ids=["announced", "unannounced"])
@pytest.mark.needs("early_answer")
def test_early_response_is_read(
    driver: Driver, connect: Callable[..., Any], end: Behavior, framing: str, influxd: Server, *, announced: bool
) -> None:
    """The response is read however the connection ends and whether or not the server announces the close."""
    body = b'{"error":"Request Entity Too Large"}\n'
    rejection = respond(413, {**JSON, **({"Connection": "close"} if announced else {})}, body)
    with ScriptedServer([[ReceiveLittle(), Receive(body=False), Send(rejection), Stall(0.4), *end]]) as server:
        client = connect(server.url, retry=ONCE, timeout=5, gzip=False)
        with pytest.raises(PayloadTooLarge, match="Request Entity Too Large"):
            if framing == "length":
                client.write(f'm s="{"x" * UPLOAD}" 1', db="db", max_bytes=None)
            else:
                client.execute(_streamed(UPLOAD))


@pytest.mark.parametrize("size", [200_000, 2_000_000])
@pytest.mark.needs("early_answer")
def test_early_response_before_a_reset(driver: Driver, connect: Callable[..., Any], size: int) -> None:
    """The server closes the connection at once, so that a reset follows the response while the client sends."""
    rejection = respond(413, {**JSON, "Connection": "close"}, b'{"error":"Request Entity Too Large"}\n')
    with ScriptedServer([[Receive(body=False), Send(rejection), Close()]]) as server:
        client = connect(server.url, retry=ONCE, timeout=5, gzip=False)
        for _ in range(20):
            with pytest.raises(PayloadTooLarge, match="Request Entity Too Large"):
                client.write(f'm s="{"x" * size}" 1', db="db", max_bytes=None)


def _streamed(size: int) -> Any:
    class Chunks:
        def __iter__(self) -> Iterator[bytes]:
            yield b'm s="'
            for _ in range(size // 200_000):
                yield b"x" * 200_000
            yield b'" 1'

    op = ops.write("m v=1 1", db="db")
    return replace(op, request=replace(op.request, body=Chunks()))


@pytest.mark.needs("provisional")
@pytest.mark.parametrize("size", [10, 3_000_000], ids=["small", "large"])
@pytest.mark.parametrize("cut", [0, 5, 20, 40], ids=["whole", "in its version", "before its header", "in its header"])
def test_provisional_response_does_not_end_an_upload(connect: Callable[..., Any], size: int, cut: int) -> None:
    """The 1xx responses arrive whole, or their end arrives after the request."""
    hints = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\n"

    class ReceiveBody:
        def run(self, connection: Any) -> None:
            connection._read_exactly(int(connection.request.headers["content-length"]))

    def exchange() -> Behavior:
        first, last = (hints, b"") if not cut else (hints[:cut], hints[cut:])
        return [Receive(body=False), Send(first), ReceiveBody(), Send(last + respond(204))]

    with ScriptedServer([[*exchange(), *exchange()]]) as server:
        client = connect(server.url, retry=ONCE, timeout=10, gzip=False)
        for _ in range(2):
            assert client.write(f'm s="{"x" * size}" 1', db="db", max_bytes=None) is True
        assert server.connections == 1


def test_expect_100_continue(connect: Callable[..., Any], influxd: Server, database: str) -> None:
    client = connect(influxd.url, database=database, headers={"Expect": "100-continue"}, retry=ONCE)
    for n in range(6):
        assert client.write(f'm s="{"x" * 60_000}" {n}\n' * 10) is True
    assert len(client.query("SELECT s FROM m").series[0].values) == 6


# Concurrent operations


def test_hundreds_of_concurrent_operations(connect: Callable[..., Any], influxd: Server, database: str) -> None:
    client = connect(influxd.url, database=database)

    def work(n: int) -> Any:
        if n % 3:
            return client.write({"measurement": "m", "fields": {"n": n}, "time": n})
        return len(client.query("SHOW MEASUREMENTS")["results"]) == 1

    with ThreadPoolExecutor(300) as pool:
        assert all(pool.map(work, range(600)))
    assert len(client.query("SELECT n FROM m").series[0].values) == 400


@pytest.mark.needs("keep_alive")
def test_connection_limit_is_shared_fairly(driver: Driver, connect: Callable[..., Any]) -> None:
    arrived = threading.Semaphore(0)
    go_on = threading.Event()

    class Gate:
        def run(self, connection: Any) -> None:
            arrived.release()
            go_on.wait(30)

    each: Behavior = [step for _ in range(250) for step in (Receive(), Gate(), Send(respond(204)))]
    with ScriptedServer([each]) as server:
        client = connect(server.url, retry=ONCE)
        with ThreadPoolExecutor(250) as pool:
            pings = [pool.submit(client.ping) for _ in range(250)]
            for _ in range(100):
                assert arrived.acquire(timeout=30)
            time.sleep(0.1)
            assert server.connections == 100
            go_on.set()
            for ping in pings:
                ping.result(30)
        if "exact_pool" not in driver.lacks:  # the queued requests reuse these connections
            assert server.connections == 100


# Closing


def test_closed_client_raises(client: Any) -> None:
    client.ping()
    client.close()
    client.close()
    for call in (client.ping, lambda: client.write("m v=1 1"), lambda: client.query_points("SELECT 1")):
        with pytest.raises(RuntimeError, match="is closed"):
            call()


def test_requests_in_flight_finish_after_close(driver: Driver, connect: Callable[..., Any]) -> None:
    slow: Behavior = [Receive(), Stall(0.3), Send(respond(204)), Hold()]
    with ScriptedServer([slow]) as server:
        client = connect(server.url, retry=ONCE)
        with ThreadPoolExecutor() as pool:
            in_flight = pool.submit(client.ping)
            server.wait_for(1)
            client.close()
            with pytest.raises(RuntimeError, match="is closed"):
                client.ping()
            assert in_flight.result(10) is not None


@pytest.mark.needs("keep_alive")
def test_close_ends_retries(driver: Driver, connect: Callable[..., Any]) -> None:
    with ScriptedServer([reply(503)]) as server:
        client = connect(server.url, retry=RetryPolicy(attempts=1000, backoff=0.05, random=lambda: 1.0))
        with ThreadPoolExecutor() as pool:
            in_flight = pool.submit(client.ping)
            server.wait_for(2)
            client.close()
            with pytest.raises((RuntimeError, ServerUnavailable)):
                in_flight.result(10)


def test_sockets_are_closed(driver: Driver, influxd: Server, database: str) -> None:
    """Unclosed sockets emit a ResourceWarning when they are collected."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with driver.client(influxd.url, database=database) as client:
            assert all(run_concurrently(*[client.ping] * 20))
            with pytest.raises(KeyError), client.query_points("SHOW DATABASES"):
                raise KeyError
            with contextlib.suppress(Exception):
                client.query("SELEC")
        with ScriptedServer([
            [Receive(), Close()],
            [Receive(), Reset()],
            [Receive(), Send(b"HTTP/1.1 2"), Stall(9)],
        ]) as server:
            with driver.client(server.url, retry=ONCE, timeout=Timeout(idle=0.1)) as client:
                for _ in range(3):
                    with pytest.raises(Exception, match=r"127\.0\.0\.1"):
                        client.write("m v=1 1", db="db")
        gc.collect()
    assert [str(each.message) for each in caught if issubclass(each.category, ResourceWarning)] == []


def test_failures_are_reported_only_to_the_caller(
    connect: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    """The library's own logs of failed tasks and connections stay empty."""
    caplog.set_level(logging.WARNING)
    with ScriptedServer([[Receive(body=False), Reset()], [Receive(), Send(respond(413)), Close()]]) as server:
        client = connect(server.url, retry=ONCE)
        for _ in range(2):
            with pytest.raises(Exception, match=r"127\.0\.0\.1|413"):
                client.write(f'm s="{"x" * 3_000_000}" 1', db="db")
    # asyncio's debug mode logs slow steps, which a busy machine may cause.
    assert [message for message in caplog.messages if not message.startswith("Executing ")] == []
