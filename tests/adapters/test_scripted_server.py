"""The scripted server itself, over bare sockets, since the fault tests depend on it."""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.servers.scripted import (
    Behavior,
    Close,
    Drip,
    Hold,
    Receive,
    Reset,
    ScriptedServer,
    Send,
    Stall,
    chunked,
    refused_port,
    reply,
    respond,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

GET = b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n"


def connect(server: ScriptedServer) -> socket.socket:
    return socket.create_connection((server.host, server.port), timeout=5)


def read_all(connection: socket.socket) -> bytes:
    with connection.makefile("rb") as file:
        return file.read()


def exchange(server: ScriptedServer, *sent: bytes) -> bytes:
    """Open a connection, send the data, and read until the server closes it."""
    with connect(server) as connection:
        for data in sent:
            connection.sendall(data)
        return read_all(connection)


def test_records_a_request_and_responds() -> None:
    post = b"POST /write?db=x HTTP/1.1\r\nHost: x\r\nX-A: 1\r\nx-a:  2 \r\nContent-Length: 5\r\n\r\nm v=1"
    with ScriptedServer([reply(204, {"X-Influxdb-Version": "1.6.7"})]) as server:
        response = exchange(server, post)
    assert response == (
        b"HTTP/1.1 204 No Content\r\nConnection: close\r\nX-Influxdb-Version: 1.6.7\r\nContent-Length: 0\r\n\r\n"
    )
    (request,) = server.requests
    assert (request.method, request.target, request.body) == ("POST", "/write?db=x", b"m v=1")
    assert request.headers == {"host": "x", "x-a": "1, 2", "content-length": "5"}
    assert (request.raw, request.connection) == (post, 1)


@pytest.mark.parametrize("end", [b"0\r\n\r\n", b"000;x=y\r\n\r\n", b"0\r\nTrailer: 1\r\nOther: 2\r\n\r\n"])
def test_reads_a_chunked_body(end: bytes) -> None:
    body = chunked(b"m v=1\n", b"x" * 300, end=False) + end
    raw = b"POST /write HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + body
    with ScriptedServer([reply(204)]) as server:
        exchange(server, *(bytes([byte]) for byte in raw))
    (request,) = server.requests
    assert (request.body, request.raw) == (b"m v=1\n" + b"x" * 300, raw)


def test_pipelined_requests_are_received_separately() -> None:
    behavior: Behavior = [Receive(), Send(b"one"), Receive(), Send(b"two")]
    with ScriptedServer([behavior]) as server:
        assert exchange(server, GET + GET) == b"onetwo"
    assert [(request.raw, request.connection) for request in server.requests] == [(GET, 1), (GET, 1)]


def test_receive_without_reading_the_body() -> None:
    head = b"POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n"
    with ScriptedServer([[Receive(body=False), Send(respond(413))]]) as server:
        assert exchange(server, head).startswith(b"HTTP/1.1 413 ")
    (request,) = server.requests
    assert (request.body, request.raw) == (b"", head)


def test_last_behavior_is_repeated() -> None:
    with ScriptedServer([[Send(b"one")], [Send(b"two")]]) as server:
        responses = [exchange(server) for _ in range(4)]
        assert server.connections == 4
    assert responses == [b"one", b"two", b"two", b"two"]


def test_connections_are_served_concurrently() -> None:
    with ScriptedServer([[Hold()], [Send(b"two")]]) as server, connect(server):
        assert exchange(server) == b"two"


def test_drip_sends_byte_by_byte() -> None:
    received: list[bytes] = []
    with ScriptedServer([[Drip(b"slowly", every=0.02)]]) as server, connect(server) as connection:
        while data := connection.recv(100):
            received.append(data)
    assert b"".join(received) == b"slowly"
    assert len(received) > 1


def test_reset_is_seen_as_a_reset() -> None:
    with (
        ScriptedServer([[Receive(), Send(b"cut"), Reset()]]) as server,
        connect(server) as connection,
    ):
        connection.sendall(GET)
        server.wait_for(1)
        with pytest.raises(ConnectionResetError):
            read_all(connection)


def test_close_is_seen_as_end_of_file() -> None:
    with ScriptedServer([[Receive(), Close()]]) as server:
        assert exchange(server, GET) == b""


def test_stall_does_not_delay_the_exit() -> None:
    start = time.monotonic()
    with ScriptedServer([[Receive(), Stall(60), Send(b"never")]]) as server, connect(server) as connection:
        connection.sendall(GET)
        server.wait_for(1)
    assert time.monotonic() - start < 5


@pytest.mark.parametrize(
    "behavior",
    [[Receive(), Hold()], [Hold()], [Send(b"x" * 100_000_000)], [Drip(b"x" * 100_000)]],
    ids=["waiting for a request", "holding", "sending to a client that does not read", "dripping"],
)
def test_exit_interrupts(behavior: Behavior) -> None:
    with ScriptedServer([behavior]) as server, connect(server) as connection:
        if isinstance(behavior[0], Send | Drip):
            connection.recv(1)


@pytest.mark.parametrize("sent", [b"", b"POST /write HTTP/1.1\r\nContent-Le", GET])
def test_client_may_disconnect(sent: bytes) -> None:
    with ScriptedServer([[Receive(), Drip(b"x" * 1000), Hold()]]) as server, connect(server) as connection:
        connection.sendall(sent)


@pytest.mark.parametrize(
    ("behavior", "sent", "message"),
    [
        ([Receive()], b"nonsense\r\n\r\n", "not an HTTP request: b'nonsense"),
        ([Receive()], b"GET / HTTP/1.1\r\nnonsense\r\n\r\n", "not an HTTP request: b'GET /"),
        ([Receive()], b"POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n", "invalid literal for int"),
        ([Receive()], b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxx\r\n", "longer than its size"),
        ([Receive(), Hold()], GET + b"again", "not in the script: b'again'"),
        ([Receive(), Close(), Send(b"more")], GET, "Bad file descriptor"),
    ],
)
def test_script_error_is_raised_on_exit(behavior: Behavior, sent: bytes, message: str) -> None:
    server = ScriptedServer([behavior])
    server.__enter__()
    exchange(server, sent)
    with pytest.raises(ExceptionGroup) as caught:
        server.__exit__()
    (error,) = caught.value.exceptions
    assert message in str(error)


def test_wait_for_returns_the_request_or_lists_those_received() -> None:
    with ScriptedServer([[Receive(), Hold()]]) as server, connect(server) as connection:
        later = threading.Timer(0.05, connection.sendall, [GET])
        later.start()
        assert server.wait_for(1).target == "/ping"
        later.join()
        with pytest.raises(TimeoutError, match="received 1 requests"):
            server.wait_for(2, timeout=0.01)


def test_threads_and_sockets_are_released() -> None:
    before = threading.active_count()
    with ScriptedServer([[Receive(), Hold()]]) as server, connect(server) as one, connect(server) as two:
        one.sendall(GET)
        two.sendall(GET)
        server.wait_for(2)
    assert threading.active_count() == before
    with pytest.raises(ConnectionRefusedError):
        connect(server)


def test_server_closes_without_any_connection() -> None:
    with ScriptedServer([[Hold()]]) as server:
        pass
    assert (server.connections, server.requests) == (0, [])


def test_empty_script_is_rejected() -> None:
    with pytest.raises(ValueError, match="at least one"):
        ScriptedServer([])


def test_refused_port() -> None:
    with refused_port() as port, pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)


@pytest.mark.parametrize(
    ("built", "expected"),
    [
        (respond(200, body=b"{}"), b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"),
        (respond(200, {"content-length": "9"}, b"{}"), b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}"),
        (
            respond(200, {"Transfer-Encoding": "chunked"}, chunked(b"{}")),
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        ),
        (respond(599), b"HTTP/1.1 599 \r\nContent-Length: 0\r\n\r\n"),
        (chunked(b"a" * 16, b"b", end=False), b"10\r\naaaaaaaaaaaaaaaa\r\n1\r\nb\r\n"),
        (chunked(), b"0\r\n\r\n"),
    ],
)
def test_response_builders(built: bytes, expected: bytes) -> None:
    assert built == expected


def test_script_is_any_sequence_of_behaviors() -> None:
    script: Sequence[Behavior] = ((Receive(), Send(b"one")), reply(200))
    with ScriptedServer(script) as server:
        assert exchange(server, GET) == b"one"


def test_connections_in_sequence() -> None:
    """A connection is accepted after the previous one was closed. One that sends nothing does not block the exit."""
    with ScriptedServer([[Receive(), Send(b"one")], [Receive(), Send(b"two")]], concurrent=False) as server:
        first, second = connect(server), connect(server)
        with first, second:
            second.sendall(GET)
            assert server.requests == []
            first.sendall(GET)
            assert read_all(first) == b"one"
            assert read_all(second) == b"two"
        with connect(server):
            pass
        silent = connect(server)
    silent.close()
    assert [request.connection for request in server.requests] == [1, 2]
