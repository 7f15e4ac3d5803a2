"""Batch writers of each kind of client: cancelled, crashed, and used by several."""

from __future__ import annotations

import asyncio
import inspect
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import influx_aiohttp
import influx_requests
import influx_trio
import pytest
import trio
from influx_proto import RetryPolicy, TransportError, UndeliveredError
from influx_proto._batch.batcher import Receipt

from tests.adapters.cancelling import cancelled_when_received
from tests.servers.influxd import Server
from tests.servers.scripted import Receive, ScriptedServer, Stall, refused_port

SOON = RetryPolicy(attempts=2, backoff=0.01, max_backoff=0.05)
LINES = [f"m n={n}i {n}" for n in range(30)]


def given(writer: Any) -> int:
    return sum(lines.lines for lines in writer.undelivered)


def test_asyncio() -> None:
    async def main() -> None:
        with ScriptedServer([[Receive(), Stall(60)]]) as server:
            async with influx_aiohttp.AsyncInfluxDBClient.from_url(server.url, database="db") as client:
                writer = client.batch_writer(max_lines=10)

                async def work() -> None:
                    async with writer:
                        await writer.write(LINES)
                        await asyncio.sleep(60)

                task = asyncio.create_task(work())
                await asyncio.to_thread(server.wait_for, 1)
                task.cancel()
                with pytest.raises(asyncio.CancelledError) as caught:
                    await task
                assert "30 lines were not delivered" in caught.value.__notes__[0]
                assert given(writer) == 30

    began = time.monotonic()
    asyncio.run(main(), debug=True)
    assert time.monotonic() - began < 20  # and not the timeout of anything


def test_trio() -> None:
    async def main() -> None:
        with ScriptedServer([[Receive(), Stall(60)]]) as server:
            async with influx_trio.AsyncInfluxDBClient.from_url(server.url, database="db") as client:
                writer = client.batch_writer(max_lines=10)
                async with cancelled_when_received(server, 1) as scope:
                    async with writer:
                        await writer.write(LINES)
                        await trio.sleep(60)
                assert scope.cancelled_caught
                assert given(writer) == 30

    began = time.monotonic()
    trio.run(main, strict_exception_groups=True)
    assert time.monotonic() - began < 20


def test_trio_cancelled_while_leaving() -> None:
    async def main() -> None:
        with refused_port() as port:
            url = f"http://127.0.0.1:{port}"
            async with influx_trio.AsyncInfluxDBClient.from_url(url, database="db", retry=SOON) as client:
                scope = trio.CancelScope()
                writer = client.batch_writer(max_delay=60, on_error=lambda _: scope.cancel())
                with scope:
                    async with writer:
                        await writer.write(LINES)
                assert scope.cancelled_caught
                assert given(writer) == 30

    trio.run(main)


def test_a_callback_that_fails_is_not_lost() -> None:
    def fail(_: object) -> None:
        raise ZeroDivisionError

    async def with_asyncio(url: str) -> None:
        async with influx_aiohttp.AsyncInfluxDBClient.from_url(url, database="db", retry=SOON) as client:
            async with client.batch_writer(on_error=fail) as writer:
                await writer.write(LINES)
                await writer.flush()

    async def with_trio(url: str) -> None:
        async with influx_trio.AsyncInfluxDBClient.from_url(url, database="db", retry=SOON) as client:
            async with client.batch_writer(on_error=fail) as writer:
                await writer.write(LINES)
                await writer.flush()

    with refused_port() as port:
        url = f"http://127.0.0.1:{port}"
        with pytest.raises(ExceptionGroup) as caught:
            asyncio.run(with_asyncio(url))
        assert caught.group_contains(ZeroDivisionError)
        with pytest.raises(ExceptionGroup) as caught:
            trio.run(with_trio, url)
        assert caught.group_contains(ZeroDivisionError)


def test_a_callback_that_fails_in_a_thread() -> None:
    """It is told to all who write, and what is not delivered is handed back."""

    def fail(_: object) -> None:
        raise ZeroDivisionError

    with refused_port() as port:
        client = influx_requests.InfluxDBClient.from_url(f"http://127.0.0.1:{port}", database="db", retry=SOON)
        writer = client.batch_writer(on_error=fail)
        with client, pytest.raises(ZeroDivisionError) as caught, writer:
            writer.write(LINES)
            for _ in range(2):
                with pytest.raises(ZeroDivisionError):
                    writer.flush()
            with pytest.raises(ZeroDivisionError):
                writer.write(LINES)
    assert "30 lines were not delivered" in caught.value.__notes__[0]
    assert given(writer) == 30


def test_interrupted_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with refused_port() as port:
        client = influx_requests.InfluxDBClient.from_url(f"http://127.0.0.1:{port}", database="db", retry=SOON)
        writer = client.batch_writer()
        with client, pytest.raises(KeyboardInterrupt) as caught, writer:
            writer.write(LINES)
            monkeypatch.setattr(writer, "_wait", interrupted)
    assert "30 lines were not delivered" in caught.value.__notes__[0]
    assert given(writer) == 30


def test_writing_does_not_take_longer_the_more_is_pending(
    influxd: Server, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0
    done = inspect.getattr_static(Receipt, "done").fget

    def counted(receipt: Receipt) -> bool:
        nonlocal looks
        looks += 1
        return bool(done(receipt))

    monkeypatch.setattr(Receipt, "done", property(counted))
    with influx_requests.InfluxDBClient.from_url(influxd.url, database=database) as client:
        with client.batch_writer(max_delay=60.0) as writer:
            for n in range(1000):
                writer.write(f"m n={n}i {n}")
            writer.flush()
        assert client.query("SELECT count(n) FROM m").series[0].values == [[0, 1000]]
    assert looks < 5000


def test_an_asynchronous_source(influxd: Server, database: str) -> None:
    async def source() -> Any:
        for line in LINES:
            await trio.lowlevel.checkpoint()
            yield line

    async def main() -> None:
        async with influx_trio.AsyncInfluxDBClient.from_url(influxd.url, database=database) as client:
            async with client.batch_writer() as writer:
                receipt = await writer.write(source())
                await writer.flush()
            assert receipt.lines == 30
            result = await client.query("SELECT count(n) FROM m")
            assert result.series[0].values == [[0, 30]]
            with pytest.raises(TransportError):
                async with influx_trio.AsyncInfluxDBClient("localhost", 1, database="db", retry=SOON) as nowhere:
                    async with nowhere.batch_writer(exit_timeout=0):
                        await nowhere.ping()

    trio.run(main)


# Used outside of its block, and left while others use it

AWAITING = pytest.mark.parametrize(
    ("backend", "kind"),
    [("asyncio", influx_aiohttp.AsyncInfluxDBClient), ("trio", influx_trio.AsyncInfluxDBClient)],
    ids=["aiohttp", "trio"],
)


def test_it_takes_lines_only_in_its_block(influxd: Server, database: str) -> None:
    with influx_requests.InfluxDBClient.from_url(influxd.url, database=database) as client:
        writer = client.batch_writer()
        with pytest.raises(RuntimeError, match="must be entered"):
            writer.write("m n=1 1")
        with writer:
            writer.write("m n=1 1")
            with pytest.raises(RuntimeError, match="entered already"):
                writer.__enter__()
        for use in (writer.__enter__, lambda: writer.write("m n=2 2")):
            with pytest.raises(RuntimeError, match="closed"):
                use()
        assert [point["n"] for point in client.query("SELECT n FROM m").points()] == [1]


@AWAITING
def test_it_takes_lines_only_in_its_block_awaiting(influxd: Server, database: str, backend: str, kind: Any) -> None:
    async def main() -> None:
        async with kind.from_url(influxd.url, database=database) as client:
            writer = client.batch_writer()
            with pytest.raises(RuntimeError, match="must be entered"):
                await writer.write("m n=1 1")
            async with writer:
                await writer.write("m n=1 1")
                with pytest.raises(RuntimeError, match="entered already"):
                    await writer.__aenter__()
            with pytest.raises(RuntimeError, match="closed"):
                await writer.__aenter__()
            with pytest.raises(RuntimeError, match="closed"):
                await writer.write("m n=2 2")
            assert [point["n"] for point in (await client.query("SELECT n FROM m")).points()] == [1]

    anyio.run(main, backend=backend)


@pytest.mark.parametrize("what", ["write", "flush"])
@AWAITING
def test_whoever_waits_is_told_when_it_is_left(backend: str, kind: Any, what: str) -> None:
    async def use(writer: Any) -> None:
        with pytest.raises(RuntimeError, match="closed"):
            for n in range(20 if what == "write" else 1):
                await writer.write(f"m n={n} {n}")
            await writer.flush()

    async def main() -> None:
        with refused_port() as port, anyio.fail_after(20):
            async with (
                kind("127.0.0.1", port, database="db", retry=SOON) as client,
                anyio.create_task_group() as others,
            ):
                with pytest.raises(UndeliveredError):
                    async with client.batch_writer(max_pending=5, exit_timeout=0.1) as writer:
                        others.start_soon(use, writer)
                        await anyio.wait_all_tasks_blocked()
                        assert writer.pending

    anyio.run(main, backend=backend)


def waits(thread: int) -> bool:
    """Whether a thread waits for a lock or a condition."""
    return sys._current_frames()[thread].f_code.co_filename == threading.__file__


@pytest.mark.parametrize("what", ["write", "flush"])
def test_whoever_waits_in_a_thread_is_told_when_it_is_left(what: str) -> None:
    threads: list[int] = []

    def use(writer: Any) -> None:
        threads.append(threading.get_ident())
        with pytest.raises(RuntimeError, match="closed"):
            for n in range(20 if what == "write" else 1):
                writer.write(f"m n={n} {n}")
            writer.flush()

    with (
        refused_port() as port,
        influx_requests.InfluxDBClient("127.0.0.1", port, database="db", retry=SOON) as client,
        ThreadPoolExecutor() as pool,
    ):
        with pytest.raises(UndeliveredError):
            with client.batch_writer(max_pending=5, exit_timeout=0.1) as writer:
                other = pool.submit(use, writer)
                deadline = time.monotonic() + 20
                while not (writer.pending and waits(threads[0])):
                    assert time.monotonic() < deadline
                    time.sleep(0.001)
        other.result(20)
