"""Batches of a large write: the next is encoded while others are in flight, in order or several at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from influx_proto import RetryPolicy, SerializationError, ServerUnavailable, TransportError, WriteError

from tests.conformance.drivers import Driver
from tests.servers.scripted import Connection, Receive, ScriptedServer, Send, Step, refused_port, reply, respond

NO_RETRY = RetryPolicy(attempts=1)


@dataclass(frozen=True)
class Call:
    """A script step that calls a function."""

    function: Callable[[], object]

    def run(self, connection: Connection) -> None:
        self.function()


@dataclass
class ConcurrencyCounter:
    """Count the requests that are being served concurrently."""

    now: int = 0
    most: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def enter(self) -> None:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)

    def leave(self) -> None:
        with self.lock:
            self.now -= 1


def lines(count: int) -> Iterator[str]:
    for n in range(count):
        yield f"m n={n}i {n}"


def responding(*before: Step) -> Sequence[Step]:
    return [Receive(), *before, Send(respond(204, {"Connection": "close"}))]


@pytest.mark.needs("background")
def test_next_batch_is_encoded_while_one_is_in_flight(connect: Callable[..., Any]) -> None:
    encoded = threading.Event()
    counted = ConcurrencyCounter()

    def watched() -> Iterator[str]:
        for number, line in enumerate(lines(40)):
            if number == 19:
                encoded.set()
            yield line

    def wait() -> None:
        assert encoded.wait(20)

    with ScriptedServer([responding(Call(counted.enter), Call(wait), Call(counted.leave))]) as server:
        connect(server.url, database="db").write(watched(), max_lines=10)
        assert b"\n".join(request.body for request in server.requests).decode().split("\n") == list(lines(40))
    assert counted.most == 1


@pytest.mark.needs("background")
def test_several_batches_in_flight(connect: Callable[..., Any]) -> None:
    """Each of three requests gets its response only after all three have arrived."""
    barrier = threading.Barrier(3, timeout=20)
    with ScriptedServer([responding(Call(barrier.wait))]) as server:
        connect(server.url, database="db").write(lines(60), max_lines=10, in_flight=3)
        bodies = [request.body.decode().split("\n") for request in server.requests]
    assert sorted(bodies) == sorted(list(lines(60))[at : at + 10] for at in range(0, 60, 10))


@pytest.mark.needs("background")
def test_limit_of_batches_in_flight(connect: Callable[..., Any]) -> None:
    counted = ConcurrencyCounter()
    pause = threading.Event()
    step = Call(lambda: pause.wait(0.01))
    with ScriptedServer([responding(Call(counted.enter), step, Call(counted.leave))]) as server:
        connect(server.url, database="db").write(lines(200), max_lines=10, in_flight=2)
    assert counted.most == 2


def test_later_value_of_a_point_is_kept(client: Any) -> None:
    client.write((f"m n={n}i 0" for n in range(300)), max_lines=7)
    assert client.query("SELECT n FROM m").series[0].values == [[0, 299]]


@pytest.mark.parametrize("in_flight", [pytest.param(1), pytest.param(3, marks=pytest.mark.needs("background"))])
def test_all_lines_are_stored(client: Any, in_flight: int) -> None:
    client.write(lines(5000), max_lines=137, in_flight=in_flight)
    assert client.query("SELECT n FROM m").series[0].values == [[n, n] for n in range(5000)]


@pytest.mark.parametrize("in_flight", [pytest.param(1), pytest.param(3, marks=pytest.mark.needs("background"))])
def test_sending_stops_after_a_failure(connect: Callable[..., Any], in_flight: int) -> None:
    read: list[str] = []

    def watched() -> Iterator[str]:
        for line in lines(1000):
            read.append(line)
            yield line

    with ScriptedServer([reply(204), reply(204), reply(503)]) as server:
        client = connect(server.url, database="db", retry=NO_RETRY)
        with pytest.raises(ServerUnavailable) as caught:
            client.write(watched(), max_lines=10, in_flight=in_flight)
        sent = len(server.requests)
    assert sent <= 2 + in_flight
    assert len(read) <= (sent + 3) * 10
    assert caught.value.__notes__ == ["20 other lines of this write were stored"]


@pytest.mark.parametrize("in_flight", [pytest.param(1), pytest.param(2, marks=pytest.mark.needs("background"))])
def test_encoding_error_between_batches(client: Any, in_flight: int) -> None:
    def broken() -> Iterator[object]:
        yield from lines(25)
        yield object()

    with pytest.raises(SerializationError, match="row 25") as caught:
        client.write(broken(), max_lines=10, in_flight=in_flight)
    assert caught.value.__notes__ == ["20 other lines of this write were stored"]
    assert client.query("SELECT count(n) FROM m").series[0].values == [[0, 20]]


def test_callers_exception_between_batches(client: Any) -> None:
    def broken() -> Iterator[object]:
        yield from lines(25)
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        client.write(broken(), max_lines=10)
    assert client.query("SELECT count(n) FROM m").series[0].values == [[0, 20]]


@pytest.mark.needs("background")
def test_rejected_lines_of_several_batches(client: Any) -> None:
    client.write("m n=1i 0")
    mixed = [f"m n={n}i {n}" if n % 50 else f"m n={n}.5 {n}" for n in range(1, 1001)]
    with pytest.raises(WriteError) as caught:
        client.write(mixed, max_lines=100, in_flight=3, find_rejected=True)
    assert sorted(line for line, _ in caught.value.rejected) == sorted(f"m n={n}.5 {n}" for n in range(50, 1001, 50))
    assert client.query("SELECT count(n) FROM m").series[0].values == [[0, 981]]


def test_unsupported_client_raises(driver: Driver, client: Any) -> None:
    if "background" in driver.lacks:
        with pytest.raises(ValueError, match="in_flight: must be 1, since this client"):
            client.write(lines(30), max_lines=10, in_flight=2)
    for wrong, error in ((0, ValueError), (-1, ValueError), (1.5, TypeError), (True, TypeError)):
        with pytest.raises(error, match=r"^in_flight: must be "):
            client.write(lines(1), in_flight=wrong)


@pytest.mark.needs("background")
def test_callers_exception_takes_precedence_over_a_batchs(connect: Callable[..., Any]) -> None:
    raised = threading.Event()

    def broken() -> Iterator[object]:
        yield from lines(21)
        raised.set()
        raise LookupError("mine")

    def wait() -> None:
        assert raised.wait(20)

    refused: Sequence[Step] = [Receive(), Call(wait), Send(respond(503, {"Connection": "close"}))]
    with ScriptedServer([refused]) as server:
        client = connect(server.url, database="db", retry=NO_RETRY)
        with pytest.raises(LookupError, match="mine") as caught:
            client.write(broken(), max_lines=10, in_flight=2)
    assert caught.value.__notes__[0].startswith("an earlier batch failed as well: ")


def test_unreachable_server(connect: Callable[..., Any]) -> None:
    with refused_port() as port:
        client = connect(f"http://127.0.0.1:{port}", database="db", retry=NO_RETRY)
        with pytest.raises(TransportError, match=rf"127\.0\.0\.1:{port}"):
            client.write(lines(1000), max_lines=10)
