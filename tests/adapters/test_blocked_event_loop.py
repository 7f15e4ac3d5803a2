"""Idle timeouts of a program that was suspended, or whose event loop was blocked."""

from __future__ import annotations

import time
from typing import Any

import anyio
import influx_aiohttp
import influx_trio
import pytest
from influx_proto import Timeout

from tests.servers.scripted import Behavior, Receive, ScriptedServer, Send, Stall, respond

JSON = {"Content-Type": "application/json"}
GOOD = b'{"results":[{"statement_id":0}]}\n'


@pytest.mark.parametrize(
    "behavior",
    [
        [Receive(), Stall(0.3), Send(respond(200, JSON, GOOD))],
        [Receive(), Send(respond(200, {**JSON, "Content-Length": str(len(GOOD))})), Stall(0.3), Send(GOOD)],
    ],
    ids=["head", "body"],
)
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_response_that_arrives_while_the_event_loop_is_blocked(behavior: Behavior, backend: str) -> None:
    """The idle timeout expires meanwhile, but the server has responded in time."""
    client_class: Any = influx_aiohttp.AsyncInfluxDBClient if backend == "asyncio" else influx_trio.AsyncInfluxDBClient

    async def main(url: str) -> None:
        async with client_class.from_url(url, retry=1, timeout=Timeout(idle=0.6)) as client:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(client.query, "SHOW DATABASES")
                await anyio.to_thread.run_sync(server.wait_for, 1)
                await anyio.sleep(0.05)
                time.sleep(1)  # noqa: ASYNC251 - blocks the loop

    with ScriptedServer([behavior]) as server:
        anyio.run(main, server.url, backend=backend)
