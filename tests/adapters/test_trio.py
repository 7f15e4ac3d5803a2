"""Features that only the trio client has: nurseries, cancellation, its own connection pool."""

from __future__ import annotations

import itertools
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path

import pytest
import trio
import trio.testing
from influx_proto import ProtocolError, RetryPolicy, Timeout, TransportError, WriteError, ops
from influx_proto.adapter import MAX_CONNECTIONS
from influx_trio import AsyncInfluxDBClient
from influx_trio._connection import Connection
from influx_trio._pool import Pool

from tests.adapters.cancelling import cancelled_when_received
from tests.servers import scripted
from tests.servers.influxd import Server
from tests.servers.scripted import Behavior, Hold, Receive, ScriptedServer, Send, Stall, chunked, reply, respond

ONCE = RetryPolicy(attempts=1)


def test_concurrent_calls_in_a_nursery(influxd: Server) -> None:
    versions = []

    async def main() -> None:
        async with AsyncInfluxDBClient.from_url(influxd.url) as client, trio.open_nursery() as nursery:

            async def ping() -> None:
                versions.append((await client.ping()).version)

            for _ in range(20):
                nursery.start_soon(ping)

    trio.run(main)
    assert len(versions) == 20


def test_session_is_rejected() -> None:
    with pytest.raises(TypeError, match="session"):
        AsyncInfluxDBClient(session=object())  # type: ignore[arg-type]  # on purpose


@pytest.mark.parametrize("start", [[], [Send(respond(200)[:10])]], ids=["before the response", "within its head"])
def test_cancelled_call_closes_its_socket(start: Behavior) -> None:
    async def main(server: ScriptedServer) -> None:
        async with AsyncInfluxDBClient.from_url(server.url) as client, trio.open_nursery() as nursery:
            nursery.start_soon(client.ping)
            await trio.to_thread.run_sync(server.wait_for, 1)
            nursery.cancel_scope.cancel()
        async with AsyncInfluxDBClient.from_url(server.url) as client:
            async with cancelled_when_received(server, 2) as scope:
                await client.ping()
            assert scope.cancelled_caught
            assert await client.ping()

    stalled: Behavior = [Receive(), *start, Stall(30)]
    with ScriptedServer([stalled, stalled, reply(204)]) as server:
        trio.run(main, server)
        assert server.connections == 3


def test_data_before_a_malformed_chunk_is_yielded_before_the_error() -> None:
    """Including data that arrives together with the malformed chunk."""
    head = {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}
    part = b'{"results":[{"statement_id":0,"series":[{"name":"m","columns":["time","v"],"values":[[%d,1]]}]}]}\n'
    found = []

    async def main(server: ScriptedServer) -> None:
        async with (
            AsyncInfluxDBClient.from_url(server.url, retry=ONCE) as client,
            client.query_points("SELECT v FROM m") as points,
        ):
            async for point in points:
                found.append(point["time"])  # noqa: PERF401 - a comprehension would lose its points on an error

    response = respond(200, head, chunked(part % 1, part % 2, end=False) + b"no size\r\n")
    with ScriptedServer([[Receive(), Send(response)]]) as server, pytest.raises(ProtocolError, match="chunk header"):
        trio.run(main, server)
    assert found == [1, 2]


class CancelAtStep(trio.abc.Instrument):
    """Cancel a scope before the n-th step of any task; immediately for 0."""

    def __init__(self, scope: trio.CancelScope, steps: int) -> None:
        self.scope, self.left = scope, steps
        if not steps:
            scope.cancel()

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.left -= 1
        if self.left == 0:
            self.scope.cancel()


def open_sockets() -> int:
    return sum(1 for path in Path("/proc/self/fd").iterdir() if _is_socket(path))


def _is_socket(path: Path) -> bool:
    try:
        return str(path.readlink()).startswith("socket:")
    except FileNotFoundError:  # the descriptor of the folder itself
        return False


async def small(client: AsyncInfluxDBClient) -> None:
    await client.write("m v=1 1")


async def large(client: AsyncInfluxDBClient) -> None:
    await client.write(f'm s="{"x" * 300_000}" 1')


async def streamed(client: AsyncInfluxDBClient) -> None:
    async with client.query_points("SELECT v FROM m", chunk_size=10) as points:
        async for _ in points:
            pass


@pytest.mark.parametrize("kept", [False, True], ids=["new", "kept"])
@pytest.mark.parametrize("work", [small, large, streamed])
def test_cancelled_at_every_checkpoint(
    influxd: Server, database: str, work: Callable[[AsyncInfluxDBClient], Awaitable[None]], *, kept: bool
) -> None:
    """After any cancellation only pooled connections stay open, and the client remains usable."""

    async def main() -> int:
        async with AsyncInfluxDBClient.from_url(influxd.url, database=database) as client:
            await client.write([f"m v={n} {n}" for n in range(50)])
        await trio.testing.wait_all_tasks_blocked()  # name lookups run in threads, which are kept
        before = open_sockets()
        for steps in count():
            async with AsyncInfluxDBClient.from_url(influxd.url, database=database) as client:
                if kept:
                    await client.ping()
                with trio.CancelScope() as scope:
                    instrument = CancelAtStep(scope, steps)
                    trio.lowlevel.add_instrument(instrument)
                    try:
                        await work(client)
                    finally:
                        trio.lowlevel.remove_instrument(instrument)
                assert open_sockets() - before <= 1  # an idle pooled connection
                await work(client)
                assert open_sockets() - before == 1
            assert open_sockets() == before
            if not scope.cancelled_caught:
                return steps
        raise AssertionError

    assert trio.run(main) > 0


def test_cancelled_scope_sends_nothing(influxd: Server, database: str) -> None:
    async def main() -> None:
        async with AsyncInfluxDBClient.from_url(influxd.url, database=database) as client:
            await client.ping()
            with trio.move_on_after(0):
                await client.write("m v=1 1")
            assert await client.list_measurements() == []

    trio.run(main)


def test_cancelled_while_waiting_for_a_connection() -> None:
    """Cancelling a queued task does not lose a slot of the pool."""

    async def main(server: ScriptedServer) -> None:
        async with AsyncInfluxDBClient.from_url(server.url) as client:
            async with cancelled_when_received(server, MAX_CONNECTIONS):
                async with trio.open_nursery() as nursery:
                    for _ in range(MAX_CONNECTIONS + 50):
                        nursery.start_soon(client.ping)
            async with trio.open_nursery() as nursery:
                for _ in range(MAX_CONNECTIONS):
                    nursery.start_soon(client.ping)

    silent: Behavior = [Receive(), Stall(30)]
    with ScriptedServer([*[silent] * MAX_CONNECTIONS, reply(204)]) as server:
        trio.run(main, server)


def test_idle_timeout_in_each_run_of_trio() -> None:
    """The task that expires connections ends with the run."""
    with ScriptedServer([reply(204), [Receive(), Stall(30)]]) as server:
        client = AsyncInfluxDBClient.from_url(server.url, retry=ONCE)
        trio.run(client.ping)
        with pytest.raises(TransportError, match=r"0\.1 s"):
            trio.run(partial(client.ping, timeout=Timeout(idle=0.1)))


def test_background_task_ends_when_idle(influxd: Server) -> None:
    def count_background_tasks() -> int:
        root = trio.lowlevel.current_root_task()
        assert root is not None
        return sum("_watch_all" in task.name for nursery in root.child_nurseries for task in nursery.child_tasks)

    async def main() -> None:
        async with AsyncInfluxDBClient.from_url(influxd.url, timeout=100) as client:
            for _ in range(3):
                await client.ping()
            assert count_background_tasks() == 1
            await trio.sleep(150)
            assert count_background_tasks() == 0
            await client.ping()

    trio.run(main, clock=trio.testing.MockClock(rate=100))


def test_concurrent_runs_are_rejected() -> None:
    """The error is raised before anything is sent, and the other run continues."""

    async def call_from_another_run(client: AsyncInfluxDBClient) -> None:
        with pytest.raises(RuntimeError, match="another run of trio"):
            await client.ping()

    async def main(server: ScriptedServer) -> None:
        async with AsyncInfluxDBClient.from_url(server.url) as client, trio.open_nursery() as nursery:
            nursery.start_soon(client.ping)
            await trio.to_thread.run_sync(server.wait_for, 1)
            await trio.to_thread.run_sync(trio.run, call_from_another_run, client)
        assert len(server.requests) == 1

    with ScriptedServer([[Receive(), Stall(0.3), Send(respond(204))]]) as server:
        trio.run(main, server)


def test_run_that_accepts_no_more_tasks(influxd: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A generator may be closed after the main task. The client can be used in the next run."""

    def reject(*_: object) -> None:
        raise RuntimeError("Nursery is closed to new arrivals")

    client = AsyncInfluxDBClient.from_url(influxd.url)
    with monkeypatch.context() as patch:
        patch.setattr(trio.lowlevel, "spawn_system_task", reject)
        with pytest.raises(RuntimeError, match="closed to new arrivals"):
            trio.run(client.ping)
    assert trio.run(client.ping).version
    trio.run(client.aclose)


def test_total_timeout_during_an_upload_after_an_early_response() -> None:
    """The response starts early, and the total timeout expires during the upload."""

    class Trickle:
        def __iter__(self) -> Iterator[bytes]:
            for _ in range(100_000):
                time.sleep(0.001)
                yield b"x" * 100

    class AnswerLate:
        def run(self, connection: scripted.Connection) -> None:
            until = time.monotonic() + 0.28
            while time.monotonic() < until:
                connection.read()
            connection.socket.sendall(respond(503, {"Content-Length": "100"}))
            while connection.read():
                pass

    async def main(url: str) -> None:
        op = ops.write("m v=1 1", db="db")
        async with AsyncInfluxDBClient.from_url(url, retry=ONCE) as client:
            with pytest.raises(TransportError, match=r"0\.3 s"):
                await client.execute(
                    replace(op, request=replace(op.request, body=Trickle())), timeout=Timeout(total=0.3)
                )

    with ScriptedServer([[Receive(body=False), AnswerLate()]]) as server:
        trio.run(main, server.url)


def test_closed_connection_is_not_returned_to_the_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection closed at the moment when the response completed."""

    def release(pool: Pool, connection: Connection) -> None:
        connection._socket.expire()
        original(pool, connection)

    original = Pool.release

    async def main(server: ScriptedServer) -> None:
        async with AsyncInfluxDBClient.from_url(server.url, retry=ONCE) as client:
            with monkeypatch.context() as patch:
                patch.setattr(Pool, "release", release)
                await client.ping()
            # Another file may have its descriptor now.
            streams = [socket.socketpair() for _ in range(3)]
            await client.create_database("db")
            for stream in itertools.chain.from_iterable(streams):
                stream.close()

    done = respond(200, {"Content-Type": "application/json"}, b'{"results":[{"statement_id":0}]}\n')
    with ScriptedServer([[Receive(), Send(respond(204)), Hold()], [Receive(), Send(done)]]) as server:
        trio.run(main, server)


def test_total_timeout_includes_waiting_for_a_connection() -> None:
    async def main(server: ScriptedServer) -> None:
        async with AsyncInfluxDBClient.from_url(server.url, retry=ONCE) as client, trio.open_nursery() as nursery:
            for _ in range(MAX_CONNECTIONS):
                nursery.start_soon(client.ping)
            await trio.to_thread.run_sync(server.wait_for, MAX_CONNECTIONS)
            with pytest.raises(TransportError, match=r"no free connection .* within 0\.1 s") as caught:
                await client.ping(timeout=Timeout(total=0.1))
            assert caught.value.maybe_received is False
            nursery.cancel_scope.cancel()

    with ScriptedServer([[Receive(), Stall(30)]]) as server:
        trio.run(main, server)


def system_tasks() -> int:
    root = trio.lowlevel.current_root_task()
    assert root is not None
    return sum(len(nursery.child_tasks) for nursery in root.child_nurseries)


def test_no_task_stays_behind_a_closed_client() -> None:
    """The task that watches connections ends with its client, long before the idle timeout."""

    async def main(server: ScriptedServer) -> None:
        before = system_tasks()
        for _ in range(20):
            async with AsyncInfluxDBClient.from_url(server.url, retry=ONCE) as client:
                await client.ping()
        await trio.testing.wait_all_tasks_blocked()
        assert system_tasks() == before

    with ScriptedServer([reply(204)]) as server:
        trio.run(main, server)


def test_the_task_of_a_closed_client_ends_with_its_last_request() -> None:
    async def main(server: ScriptedServer) -> None:
        before = system_tasks()
        client = AsyncInfluxDBClient.from_url(server.url, retry=ONCE, timeout=Timeout(idle=0.3))
        async with client.query_chunks("SHOW DATABASES") as complete, client.query_chunks("SELECT 1") as stalled:
            await client.aclose()
            await trio.testing.wait_all_tasks_blocked()
            assert [chunk async for chunk in complete]
            with pytest.raises(TransportError, match=r"for 0\.3 s"):  # it is still watched
                _ = [chunk async for chunk in stalled]
        await trio.testing.wait_all_tasks_blocked()
        assert system_tasks() == before

    body = b'{"results":[{"statement_id":0}]}\n'
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    slow: Behavior = [Receive(), Send(respond(200, headers, body[:5])), Stall(0.1), Send(body[5:]), Hold()]
    silent: Behavior = [Receive(), Send(respond(200, headers, body[:5])), Hold()]
    with ScriptedServer([slow, silent]) as server:
        trio.run(main, server)


def test_idle_connections_expire() -> None:
    """A mock clock skips one minute."""

    async def main(server: ScriptedServer) -> None:
        clock = trio.lowlevel.current_clock()
        assert isinstance(clock, trio.testing.MockClock)
        async with AsyncInfluxDBClient.from_url(server.url) as client:
            await client.ping()
            clock.jump(59)
            await client.ping()
            assert server.connections == 1
            clock.jump(61)
            await client.ping()
            assert server.connections == 2

    with ScriptedServer([[step for _ in range(3) for step in (Receive(), Send(respond(204)))]]) as server:
        trio.run(main, server, clock=trio.testing.MockClock(rate=1))


def test_error_in_a_streamed_body_is_raised_unchanged(influxd: Server) -> None:
    """The error is not wrapped in a group, although a nursery would do so."""

    class Chunks:
        def __iter__(self) -> Iterator[bytes]:
            yield b"m v=1 1"
            raise LookupError("mine")

    async def main() -> None:
        op = ops.write("m v=1 1", db="db")
        async with AsyncInfluxDBClient.from_url(influxd.url) as client:
            with pytest.raises(LookupError, match="mine"):
                await client.execute(replace(op, request=replace(op.request, body=Chunks())))
            await client.ping()

    trio.run(main)


def test_early_response_does_not_end_the_upload() -> None:
    """The server completes the response only after the whole request, so stopping the upload would deadlock."""
    size = 20_000_000
    response = respond(400, {"Content-Type": "application/json"}, b'{"error":"unable to parse"}\n')

    class ReadRest:
        def run(self, connection: scripted.Connection) -> None:
            rest = size
            while rest > 0:
                data = connection.read()
                assert data
                rest -= len(data)

    async def main(url: str) -> None:
        async with AsyncInfluxDBClient.from_url(url, retry=ONCE, timeout=5) as client:
            with pytest.raises(WriteError, match="unable to parse"):
                await client.write(f'm s="{"x" * size}" 1', db="db", max_bytes=None)

    with ScriptedServer([[Receive(body=False), Send(response[:-10]), ReadRest(), Send(response[-10:])]]) as server:
        trio.run(main, server.url)


def test_too_long_response_head_is_rejected() -> None:
    async def main(url: str) -> None:
        async with AsyncInfluxDBClient.from_url(url, retry=ONCE) as client:
            with pytest.raises(ProtocolError, match="not HTTP"):
                await client.ping()

    with ScriptedServer([[Receive(), Send(b"HTTP/1.1 204 No Content\r\n" + b"X: y\r\n" * 20_000)]]) as server:
        trio.run(main, server.url)


def test_fork_leaves_the_connections_of_the_parent_alone(influxd: Server) -> None:
    """The child opens new connections; the parent's stay usable."""
    code = """
import os, sys, trio
from influx_trio import AsyncInfluxDBClient
client = AsyncInfluxDBClient.from_url(sys.argv[1])
async def ping(): assert (await client.ping()).version
trio.run(ping)
child = os.fork()
for _ in range(20): trio.run(ping)
if child:
    assert os.waitpid(child, 0)[1] == 0
    for _ in range(20): trio.run(ping)
    trio.run(client.aclose)
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code, influxd.url], check=True, timeout=60)


def test_waits_use_trios_clock() -> None:
    """Retries and timeouts are virtual under a mock clock, which skips an hour."""

    async def main(url: str) -> None:
        retry, timeout = RetryPolicy(max_total=None), Timeout(connect=None)  # the mock clock makes connecting seem slow
        async with AsyncInfluxDBClient.from_url(url, retry=retry, timeout=timeout) as client:
            assert await client.ping()

    with ScriptedServer([reply(503, {"Retry-After": "50"}), reply(204)]) as server:
        trio.run(main, server.url, clock=trio.testing.MockClock(rate=100))


def test_import_reads_no_package_metadata() -> None:
    """Reading the metadata takes as long as importing all modules of the client."""
    code = "import influx_trio, sys; assert 'importlib.metadata' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
