"""Cancellation or interruption of a large write: it exits at once and leaves no tasks or threads behind."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence

import influx_aiohttp
import influx_requests
import influx_trio
import pytest
import trio

from tests.adapters.cancelling import cancelled_when_received
from tests.servers.scripted import Behavior, Receive, ScriptedServer, Stall, reply

STALLED: Sequence[Behavior] = [reply(204), [Receive(), Stall(60)]]


def lines() -> Iterator[str]:
    for n in range(1_000_000):
        yield f"m n={n}i {n}"


def test_asyncio_cancelled() -> None:
    async def main() -> None:
        with ScriptedServer(STALLED) as server:
            async with influx_aiohttp.AsyncInfluxDBClient.from_url(server.url, database="db") as client:
                task = asyncio.create_task(client.write(lines(), max_lines=10, in_flight=2))
                await asyncio.to_thread(server.wait_for, 3)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                assert asyncio.all_tasks() == {asyncio.current_task()}

    began = time.monotonic()
    asyncio.run(main(), debug=True)
    assert time.monotonic() - began < 20  # not the length of some timeout


@pytest.mark.parametrize("in_flight", [1, 2])
@pytest.mark.parametrize("failing", [1, 2, 5])
def test_cancellation_of_another_task(in_flight: int, failing: int) -> None:
    """The token function may raise it: the write raises it as well, although its own task is not cancelled."""

    async def main() -> None:
        calls = 0

        async def token() -> str:
            nonlocal calls
            calls += 1
            if calls == failing:
                cancelled = asyncio.get_running_loop().create_future()
                cancelled.cancel()
                await cancelled
            return "secret"

        with ScriptedServer([reply(204)]) as server:
            async with influx_aiohttp.AsyncInfluxDBClient.from_url(server.url, database="db", token=token) as client:
                with pytest.raises(asyncio.CancelledError):
                    async with asyncio.timeout(20):
                        await client.write([f"m n={n}i {n}" for n in range(50)], max_lines=10, in_flight=in_flight)

    asyncio.run(main(), debug=True)


def test_trio_cancelled() -> None:
    async def main() -> None:
        with ScriptedServer(STALLED) as server:
            async with influx_trio.AsyncInfluxDBClient.from_url(server.url, database="db") as client:
                async with cancelled_when_received(server, 3) as scope:
                    await client.write(lines(), max_lines=10, in_flight=2)
                assert scope.cancelled_caught

    began = time.monotonic()
    trio.run(main)
    assert time.monotonic() - began < 20


def test_interrupted_threads() -> None:
    def interrupted() -> Iterator[str]:
        for n, line in enumerate(lines()):
            if n == 25:
                server.wait_for(2)
                raise KeyboardInterrupt
            yield line

    with ScriptedServer(STALLED) as server:
        with influx_requests.InfluxDBClient.from_url(server.url, database="db") as client:
            with pytest.raises(KeyboardInterrupt):
                client.write(interrupted(), max_lines=10)
        assert len(server.requests) == 2
    for thread in threading.enumerate():
        if thread.name == "influxdb writer":
            thread.join(20)
            assert not thread.is_alive()
