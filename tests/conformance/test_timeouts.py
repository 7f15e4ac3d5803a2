"""Timeouts: for connecting, between two chunks and in total; per client and per call."""

from __future__ import annotations

import itertools
import re
import socket
import ssl
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
import trustme
from influx_proto import RetryPolicy, Timeout, TransportError

from tests.conformance.drivers import Driver, run_concurrently
from tests.servers.scripted import (
    Behavior,
    Drip,
    Hold,
    Receive,
    ScriptedServer,
    Send,
    Stall,
    Step,
    chunked,
    reply,
    respond,
)

ONCE = RetryPolicy(attempts=1)
JSON = {"Content-Type": "application/json"}
GOOD = b'{"results":[{"statement_id":0}]}\n'
NO_RESPONSE: Behavior = [Receive(), Stall(30)]
HALF_RESPONSE: Behavior = [Receive(), Send(respond(200, {**JSON, "Content-Length": "100"}, GOOD)), Stall(30)]
#: About 0.6 s of chunks in quick succession.
STEADY: Behavior = [
    Receive(),
    Send(respond(200, {**JSON, "Transfer-Encoding": "chunked"}, b"")),
    Drip(chunked(GOOD[:10], GOOD[10:]), every=0.012),
]


def test_defaults_are_finite_but_for_the_total(driver: Driver) -> None:
    timeout = driver.client_class().settings.timeout
    assert (timeout.connect, timeout.idle, timeout.total, timeout.pool) == (10, 120, None, 120)


@pytest.mark.parametrize("behavior", [NO_RESPONSE, HALF_RESPONSE], ids=["before the response", "within the body"])
def test_idle(connect: Callable[..., Any], behavior: Behavior) -> None:
    # A number also limits the time to connect, which takes longer on a loaded machine.
    with ScriptedServer([behavior]) as server:
        for client, call in (
            (connect(server.url, retry=ONCE, timeout=0.5), {}),
            (connect(server.url, retry=ONCE, timeout=Timeout(idle=0.1)), {}),
            (connect(server.url, retry=ONCE), {"timeout": 0.5}),
            (connect(server.url, retry=ONCE, timeout=60), {"timeout": Timeout(idle=0.1)}),
        ):
            with pytest.raises(TransportError, match=r"127\.0\.0\.1:\d+.*\b0\.[15] s") as caught:
                client.query("SHOW DATABASES", **call)
            assert caught.value.maybe_received is True


def test_concurrent_timeouts_of_different_lengths(connect: Callable[..., Any]) -> None:
    """A short timeout that starts during a long one expires first, and the long one continues."""
    with ScriptedServer([NO_RESPONSE, NO_RESPONSE, reply(204)]) as server, ThreadPoolExecutor() as pool:
        client = connect(server.url, retry=ONCE, timeout=60)
        long = pool.submit(client.ping, timeout=Timeout(idle=1.5))
        server.wait_for(1)
        with pytest.raises(TransportError, match=r"127\.0\.0\.1:\d+.*\b0\.1 s"):
            client.ping(timeout=Timeout(idle=0.1))  # connecting may take longer
        assert not long.done()
        assert client.ping()
        with pytest.raises(TransportError, match=r"127\.0\.0\.1:\d+.*\b1\.5 s"):
            long.result(30)
        assert client.ping()


def test_every_operation_accepts_a_timeout(connect: Callable[..., Any]) -> None:
    with ScriptedServer([NO_RESPONSE]) as server:
        client = connect(server.url, retry=ONCE, database="db")
        for call in (
            client.ping,
            client.list_databases,
            lambda **timeout: client.write("m v=1 1", **timeout),
            lambda **timeout: client.select_all("m", **timeout),
            lambda **timeout: client.query_dataframe("SELECT v FROM m", **timeout),
            lambda **timeout: client.query_points("SELECT v FROM m", **timeout).__enter__(),
        ):
            with pytest.raises(TransportError, match=r"127\.0\.0\.1:\d+.*\b0\.05 s"):
                call(timeout=Timeout(idle=0.05))
        server.wait_for(6)
        assert len(server.requests) == 6
        assert not any("timeout" in request.target for request in server.requests)


def test_invalid_timeout(connect: Callable[..., Any]) -> None:
    with ScriptedServer([reply(204)]) as server:
        client = connect(server.url)
        for wrong in (0, -1, Timeout):
            with pytest.raises((ValueError, TypeError)):
                client.ping(timeout=wrong)
        assert server.requests == []


def test_steady_response_is_not_cut_off(connect: Callable[..., Any]) -> None:
    with ScriptedServer([STEADY]) as server:
        assert connect(server.url, retry=ONCE, timeout=Timeout(idle=0.3)).query("SHOW DATABASES").series == []


def test_total(driver: Driver, connect: Callable[..., Any]) -> None:
    with ScriptedServer([STEADY]) as server:
        client = connect(server.url, retry=ONCE)
        if "total" in driver.lacks:
            with pytest.raises(NotImplementedError, match="timeout"):
                client.query("SHOW DATABASES", timeout=Timeout(total=1))
            return
        with pytest.raises(TransportError, match=r"127\.0\.0\.1:\d+.*\b0\.3 s"):
            client.query("SHOW DATABASES", timeout=Timeout(total=0.3))
        assert client.query("SHOW DATABASES", timeout=Timeout(total=30)).series == []


@pytest.mark.needs("total")
def test_total_without_a_response(connect: Callable[..., Any]) -> None:
    with ScriptedServer([[Receive(), Stall(30)]]) as server:
        client = connect(server.url, retry=ONCE)
        with pytest.raises(TransportError, match=r"127\.0\.0\.1:\d+.*\b0\.2 s"):
            client.query("SHOW DATABASES", timeout=Timeout(total=0.2))


@pytest.mark.needs("total")
def test_total_while_the_head_arrives_slowly(connect: Callable[..., Any]) -> None:
    head = respond(200, {**JSON, "Padding": "x" * 1000}, GOOD)
    with ScriptedServer([[Receive(), Drip(head, every=0.02)]]) as server:
        client = connect(server.url, retry=ONCE, timeout=Timeout(idle=10, total=0.3))
        began = time.monotonic()
        with pytest.raises(TransportError, match=r"127\.0\.0\.1:\d+.*\b0\.3 s"):
            client.query("SHOW DATABASES")
        assert time.monotonic() - began < 5  # the head takes 20 s


@pytest.mark.needs("total")
def test_total_while_the_body_is_read_slowly(connect: Callable[..., Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, ThreadPoolExecutor() as pool:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)

        def read_slowly() -> None:
            with listening.accept()[0] as accepted, suppress(OSError):
                while accepted.recv(4096):
                    time.sleep(0.02)

        ended = pool.submit(read_slowly)
        client = connect(
            f"http://127.0.0.1:{listening.getsockname()[1]}", retry=ONCE, timeout=Timeout(idle=10, total=0.5)
        )
        began = time.monotonic()
        with pytest.raises(TransportError, match=r"127\.0\.0\.1:\d+.*\b0\.5 s"):
            client.write(f'm s="{"x" * 20_000_000}" 1', db="db", max_bytes=None)
        assert time.monotonic() - began < 10
        client.close()
        ended.result(60)


@pytest.mark.needs("total")
def test_total_of_a_stream(driver: Driver, connect: Callable[..., Any]) -> None:
    endless: list[Step] = [Receive(), Send(respond(200, {**JSON, "Transfer-Encoding": "chunked"}, b""))]
    line = b'{"results":[{"statement_id":0,"series":[{"name":"m","columns":["time"],"values":[[1]],"partial":true}],'
    endless += itertools.chain.from_iterable(
        [Send(chunked(line + b'"partial":true}]}\n', end=False)), Stall(0.03)] for _ in range(300)
    )
    with ScriptedServer([endless]) as server:
        with pytest.raises(TransportError, match=r"127\.0\.0\.1:\d+.*\b0\.3 s"):
            with connect(server.url, retry=ONCE).query_points("SELECT 1", timeout=Timeout(total=0.3)) as points:
                for _ in points:
                    pass


#: A response that is never complete: its stream holds the connection.
OPEN: Behavior = [Receive(), Send(respond(200, {**JSON, "Content-Length": "100"}, GOOD)), Hold()]
IN_USE = r"127\.0\.0\.1:\d+ within {} s: 100 of 100 connections are in use; exit streams .*Timeout\.{}$"


@pytest.mark.needs("pool")
def test_waiting_for_a_connection(driver: Driver, connect: Callable[..., Any]) -> None:
    """Calls by tasks that each hold a stream fail instead of waiting for each other."""
    with ScriptedServer([*[OPEN] * 100, reply(204)]) as server, ExitStack() as streams:
        client = connect(server.url, retry=ONCE, timeout=Timeout(pool=0.4))
        opened = [streams.enter_context(ExitStack()) for _ in range(100)]
        for stream in opened:
            stream.enter_context(client.query_chunks("SELECT v FROM m"))

        def write(**timeout: Any) -> TransportError:
            with pytest.raises(TransportError) as caught:
                client.write("m v=1 1", db="db", **timeout)
            return caught.value

        for error in run_concurrently(*[write] * 100):
            assert re.search(IN_USE.format(r"0\.4", "pool"), str(error))
            assert (error.retryable, error.maybe_received) == (True, False)
        assert re.search(IN_USE.format(r"0\.1", "pool"), str(write(timeout=0.1)))
        if "total" not in driver.lacks:
            error = write(timeout=Timeout(pool=60, total=0.2))
            assert re.search(r"127\.0\.0\.1:\d+.*\b0\.2 s", str(error))
            assert error.maybe_received is False
        assert len(server.requests) == 100
        opened[50].close()
        assert client.write("m v=1 1", db="db")


@pytest.mark.needs("pool")
def test_a_connection_that_becomes_free_is_used(connect: Callable[..., Any]) -> None:
    with ScriptedServer([*[OPEN] * 100, reply(204)]) as server, ExitStack() as streams, ThreadPoolExecutor() as pool:
        client = connect(server.url, retry=ONCE, timeout=Timeout(pool=30))
        for _ in range(99):
            streams.enter_context(client.query_chunks("SELECT v FROM m"))
        with client.query_chunks("SELECT v FROM m"):
            waiting = pool.submit(client.ping)
            with suppress(FutureTimeout):
                waiting.result(0.2)
            assert not waiting.done()
        assert waiting.result(30)


def test_connecting(driver: Driver, connect: Callable[..., Any]) -> None:
    """A listener with a full queue accepts no connection."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        waiting = [socket.socket() for _ in range(3)]
        try:
            for each in waiting:
                each.setblocking(False)
                each.connect_ex(address)
            with pytest.raises(TransportError, match=r"127\.0\.0\.1:\d+.*(\b0\.2 s|timed out)") as caught:
                connect(f"http://127.0.0.1:{address[1]}", retry=ONCE, timeout=Timeout(connect=0.2)).ping()
            assert caught.value.maybe_received is False
            if "total" not in driver.lacks:
                with pytest.raises(TransportError, match=r"127\.0\.0\.1:\d+.*\b0\.2 s") as caught:
                    connect(f"http://127.0.0.1:{address[1]}", retry=ONCE, timeout=Timeout(total=0.2)).ping()
                assert caught.value.maybe_received is False
        finally:
            for each in waiting:
                each.close()


def test_server_that_never_starts_the_tls_handshake(connect: Callable[..., Any]) -> None:
    with ScriptedServer([[Stall(30)]]) as server:
        url = server.url.replace("http:", "https:")
        with pytest.raises(TransportError, match=r"127\.0\.0\.1:\d+") as caught:
            connect(url, retry=ONCE, timeout=Timeout(connect=0.2)).ping()
        assert caught.value.maybe_received is False


def _server_context(files: Path) -> ssl.SSLContext:
    """Return the context of a server for TLS; the file `ca.pem` has its CA."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(files / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


def test_server_that_never_responds_over_tls(connect: Callable[..., Any], tmp_path: Path) -> None:
    context = _server_context(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as listening, ThreadPoolExecutor() as pool:

        def shake_hands() -> None:
            with listening.accept()[0] as accepted, context.wrap_socket(accepted, server_side=True) as secured:
                while secured.recv(1024):
                    pass

        ended = pool.submit(shake_hands)
        client = connect(
            f"https://127.0.0.1:{listening.getsockname()[1]}",
            retry=ONCE,
            verify=tmp_path / "ca.pem",
            timeout=Timeout(idle=0.2),
        )
        with pytest.raises(TransportError, match=r"127\.0\.0\.1:\d+.*\b0\.2 s"):
            client.ping()
        with suppress(OSError):  # do not wait for close_notify
            ended.result(30)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_steady_upload_is_not_cut_off(connect: Callable[..., Any], tmp_path: Path, scheme: str) -> None:
    """The upload takes longer than the timeout for connecting, which does not apply any more."""
    context = _server_context(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as listening, ThreadPoolExecutor() as pool:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)

        def receive_slowly() -> None:
            with ExitStack() as stack:
                accepted = stack.enter_context(listening.accept()[0])
                if scheme == "https":
                    accepted = stack.enter_context(context.wrap_socket(accepted, server_side=True))
                end = b""
                while not end.endswith(b'" 1'):
                    if not (data := accepted.recv(64 * 1024)):
                        return
                    end = (end + data)[-3:]
                    time.sleep(0.01)
                accepted.sendall(respond(204, {"Connection": "close"}))

        ended = pool.submit(receive_slowly)
        client = connect(
            f"{scheme}://127.0.0.1:{listening.getsockname()[1]}",
            retry=ONCE,
            gzip=False,
            verify=tmp_path / "ca.pem",
            timeout=Timeout(connect=0.5, idle=20),
        )
        assert client.write(f'm s="{"x" * 5_000_000}" 1', db="db", max_bytes=None) is True
        ended.result(30)


def test_stalled_upload(connect: Callable[..., Any]) -> None:
    with ScriptedServer([[Receive(body=False), Stall(30)]]) as server:
        with pytest.raises(TransportError, match=f"127.0.0.1:{server.port}"):
            connect(server.url, retry=ONCE, timeout=Timeout(idle=0.3)).write(
                f'm s="{"x" * 20_000_000}" 1', db="db", max_bytes=None
            )
