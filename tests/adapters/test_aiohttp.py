"""What only the client for asyncio has: event loops, tasks, sessions of one's own."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import aiohttp
import pytest
from influx_aiohttp import AsyncInfluxDBClient
from influx_proto import RetryPolicy, TransportError

from tests.servers.influxd import Server
from tests.servers.scripted import Close, Receive, ScriptedServer, Send, Stall, reply


def test_a_client_can_be_made_outside_a_running_loop(influxd: Server, database: str) -> None:
    client = AsyncInfluxDBClient.from_url(influxd.url, database=database)

    async def main() -> None:
        async with client:
            point = {"measurement": "m", "fields": {"v": 1.0}, "time": 1}
            pong, written, result = await asyncio.gather(client.ping(), client.write(point), client.query("SHOW USERS"))
            assert pong.version
            assert written is True
            assert result.series[0].columns == ("user", "admin")

    asyncio.run(main())


def test_a_client_belongs_to_one_loop(influxd: Server) -> None:
    client = AsyncInfluxDBClient.from_url(influxd.url)
    with asyncio.Runner() as one, asyncio.Runner() as other:
        one.run(client.ping())
        with pytest.raises(RuntimeError, match="another event loop; make one client for each"):
            other.run(client.ping())
        one.run(client.aclose())


def test_a_session_of_ones_own_is_not_closed(influxd: Server) -> None:
    async def main() -> None:
        async with aiohttp.ClientSession() as session:
            async with AsyncInfluxDBClient.from_url(influxd.url, session=session) as client:
                await client.ping()
            assert not session.closed

    asyncio.run(main())


def test_closing_what_was_never_used() -> None:
    async def main() -> None:
        async with AsyncInfluxDBClient():
            pass

    asyncio.run(main())


def test_a_client_from_before_a_fork_says_so(influxd: Server) -> None:
    code = """
import asyncio, os, sys
from influx_aiohttp import AsyncInfluxDBClient
from influx_proto import RetryPolicy, TransportError
client = AsyncInfluxDBClient.from_url(sys.argv[1])
with asyncio.Runner() as runner:
    runner.run(client.ping())
    child = os.fork()
    if child:
        assert os.waitpid(child, 0)[1] == 0
        runner.run(client.ping())
        runner.run(client.aclose())
    else:
        asyncio.set_event_loop(None)
        loop = asyncio.new_event_loop()
        asyncio._set_running_loop(None)
        try: loop.run_until_complete(client.ping())
        except RuntimeError as error: os._exit("another event loop" not in str(error))
        os._exit(2)
"""
    subprocess.run([sys.executable, "-W", "error", "-X", "dev", "-c", code, influxd.url], check=True, timeout=60)


def test_a_cancelled_call_leaves_the_client_usable() -> None:
    async def main(server: ScriptedServer) -> None:
        async with AsyncInfluxDBClient.from_url(server.url) as client:
            task = asyncio.create_task(client.ping())
            await asyncio.to_thread(server.wait_for, 1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await client.ping()

    with ScriptedServer([[Receive(), Stall(30)], reply(204)]) as server:
        asyncio.run(main(server), debug=True)
        assert len(server.requests) == 2


def test_an_error_does_not_repeat_the_head_that_was_cut_short() -> None:
    async def main(url: str) -> None:
        async with AsyncInfluxDBClient.from_url(url, retry=RetryPolicy(attempts=1)) as client:
            with pytest.raises(TransportError, match="broke the connection: the head of its answer is cut short"):
                await client.ping()

    with ScriptedServer([[Receive(), Send(b"HTTP/1.1 204 No Content\r\nX: y\r\n"), Close()]]) as server:
        asyncio.run(main(server.url))
