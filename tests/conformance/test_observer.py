"""Observers: notified of every request, response and retry."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from influx_proto import (
    DatabaseNotFound,
    Exchange,
    Observer,
    ProtocolError,
    QueryError,
    Retry,
    RetryPolicy,
    ServerUnavailable,
    TransportError,
)

from tests.servers.influxd import Server
from tests.servers.scripted import Receive, ScriptedServer, Send, refused_port, reply

SOON = RetryPolicy(attempts=3, backoff=0.001)


class Recorder(Observer):
    """Observer that records its notifications."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Any]] = []
        self.exchanges: list[Exchange] = []
        self.retries: list[Retry] = []

    def started(self, exchange: Exchange) -> None:
        assert exchange.status is None
        exchange.note = len(self.events)
        self.events.append(("started", exchange.operation))

    def ended(self, exchange: Exchange) -> None:
        assert self.events[exchange.note] == ("started", exchange.operation)
        self.events.append(("ended", exchange.operation))
        self.exchanges.append(exchange)

    def retrying(self, retry: Retry) -> None:
        self.events.append(("retrying", retry.operation))
        self.retries.append(retry)


@pytest.fixture
def observer() -> Recorder:
    return Recorder()


def test_successful_requests(connect: Callable[..., Any], influxd: Server, database: str, observer: Recorder) -> None:
    client = connect(influxd.url, database=database, observer=observer)
    client.ping()
    client.write("m v=1 1")
    client.query("SELECT v FROM m")
    assert observer.events == [
        (what, operation) for operation in ("ping", "write", "query") for what in ("started", "ended")
    ]
    ping, write, query = observer.exchanges
    assert (write.method, write.status, write.sent, write.received, write.attempt) == ("POST", 204, 7, 0, 1)
    assert write.target == f"/write?precision=ns&db={database}"
    assert query.status == 200
    assert query.received > 0
    assert all(exchange.seconds > 0 and exchange.error is None for exchange in observer.exchanges)
    assert {exchange.server for exchange in observer.exchanges} == {influxd.url.removeprefix("http://")}
    assert repr(ping).startswith("GET /ping: HTTP 204 in ")
    assert not observer.retries


def test_retried_requests(connect: Callable[..., Any], observer: Recorder) -> None:
    with ScriptedServer([reply(503), reply(204)]) as server:
        connect(server.url, database="db", observer=observer, retry=SOON).write("m v=1 1")
    failed, done = observer.exchanges
    assert (failed.status, failed.attempt) == (503, 1)
    assert isinstance(failed.error, ServerUnavailable)
    assert (done.status, done.attempt, done.error) == (204, 2, None)
    [retry] = observer.retries
    assert (retry.operation, retry.error, retry.attempt) == ("write", failed.error, 1)
    assert 0 <= retry.wait <= 0.001
    assert [what for what, _ in observer.events] == ["started", "ended", "retrying", "started", "ended"]


def test_requests_without_a_response(connect: Callable[..., Any], observer: Recorder) -> None:
    with refused_port() as port:
        client = connect(f"http://127.0.0.1:{port}", database="db", observer=observer, retry=RetryPolicy(attempts=2))
        with pytest.raises(TransportError):
            client.query("SELECT v FROM m")
        with pytest.raises(TransportError), client.query_points("SELECT v FROM m"):
            pass
    assert [exchange.status for exchange in observer.exchanges] == [None] * 4
    assert all(isinstance(exchange.error, TransportError) for exchange in observer.exchanges)
    assert "no response (TransportError)" in repr(observer.exchanges[0])
    assert len(observer.retries) == 2


def test_error_responses(connect: Callable[..., Any], influxd: Server) -> None:
    observer = Recorder()
    client = connect(influxd.url, database="there is none", observer=observer)
    with pytest.raises(DatabaseNotFound) as caught:
        client.write("m v=1 1")
    with pytest.raises(QueryError) as query_error:
        client.query("SELECT nothing FROM")
    with pytest.raises(QueryError) as of_stream, client.query_points("SELECT nothing FROM"):
        pass
    write, query, stream = observer.exchanges
    assert (write.status, write.error) == (404, caught.value)
    assert (query.status, query.error) == (400, query_error.value)
    assert (stream.status, stream.error) == (400, of_stream.value)


def test_truncated_response(connect: Callable[..., Any], observer: Recorder) -> None:
    cut = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n" + b'{"results":['
    with ScriptedServer([[Receive(), Send(cut)]]) as server:
        client = connect(server.url, database="db", observer=observer, retry=RetryPolicy(attempts=1))
        with pytest.raises(ProtocolError) as caught:
            client.query("SELECT v FROM m")
    [exchange] = observer.exchanges
    assert (exchange.status, exchange.error) == (200, caught.value)


def test_stream_ends_on_exit(connect: Callable[..., Any], influxd: Server, database: str, observer: Recorder) -> None:
    client = connect(influxd.url, database=database, observer=observer)
    client.write(f"m v={n} {n}" for n in range(1000))
    with client.query_points("SELECT v FROM m", chunk_size=10) as points:
        assert next(iter(points))["v"] == 0
        assert observer.events[-1] == ("started", "query")
    assert observer.events[-1] == ("ended", "query")
    assert observer.exchanges[-1].received > 0


@pytest.mark.needs("background")
def test_batch_writer(connect: Callable[..., Any], influxd: Server, database: str, observer: Recorder) -> None:
    client = connect(influxd.url, database=database, observer=observer)
    with client.batch_writer(max_lines=10) as writer:
        writer.write(f"m v={n} {n}" for n in range(25))
    assert [exchange.operation for exchange in observer.exchanges] == ["write"] * 3


def test_observer_exception_is_logged(
    connect: Callable[..., Any], influxd: Server, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Observer):
        def started(self, exchange: Exchange) -> None:
            raise LookupError("mine")

    client = connect(influxd.url, database=database, observer=Broken())
    with caplog.at_level(logging.ERROR, "influx_proto"):
        client.write("m v=1 1")
    assert client.query("SELECT v FROM m").series[0].values == [[1, 1.0]]
    assert "Broken object" in caplog.text
    assert "LookupError: mine" in caplog.text
