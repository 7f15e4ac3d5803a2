"""Features that only the aiohttp client has: event loops, tasks, caller's sessions."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import subprocess
import sys
import threading
import time
import weakref
from typing import Any

import aiohttp
import pytest
from influx_aiohttp import AsyncInfluxDBClient
from influx_proto import QueryError, RetryPolicy, Timeout, TransportError
from influx_proto.adapter import MAX_CONNECTIONS

from tests.servers.influxd import Server
from tests.servers.scripted import Close, Receive, ScriptedServer, Send, Stall, reply, respond

ONCE = RetryPolicy(attempts=1)


def test_client_can_be_created_outside_a_running_loop(influxd: Server, database: str) -> None:
    client = AsyncInfluxDBClient.from_url(influxd.url, database=database)

    async def main() -> None:
        async with client:
            point = {"measurement": "m", "fields": {"v": 1.0}, "time": 1}
            pong, written, result = await asyncio.gather(client.ping(), client.write(point), client.query("SHOW USERS"))
            assert pong.version
            assert written is True
            assert result.series[0].columns == ("user", "admin")

    asyncio.run(main())


def test_client_is_bound_to_one_loop(influxd: Server) -> None:
    client = AsyncInfluxDBClient.from_url(influxd.url)
    with asyncio.Runner() as one, asyncio.Runner() as other:
        one.run(client.ping())
        with pytest.raises(RuntimeError, match="another event loop; create one client for each"):
            other.run(client.ping())
        one.run(client.aclose())


def test_callers_session_is_not_closed(influxd: Server) -> None:
    async def main() -> None:
        async with aiohttp.ClientSession() as session:
            async with AsyncInfluxDBClient.from_url(influxd.url, session=session) as client:
                await client.ping()
            assert not session.closed

    asyncio.run(main())


def test_closing_an_unused_client() -> None:
    async def main() -> None:
        async with AsyncInfluxDBClient():
            pass

    asyncio.run(main())


def test_client_created_before_a_fork_raises(influxd: Server) -> None:
    code = """
import asyncio, os, sys
from influx_aiohttp import AsyncInfluxDBClient
from influx_proto import QueryError, RetryPolicy, Timeout, TransportError
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


def test_client_is_usable_after_a_cancelled_call() -> None:
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


def test_error_does_not_quote_a_truncated_response_head() -> None:
    async def main(url: str) -> None:
        async with AsyncInfluxDBClient.from_url(url, retry=RetryPolicy(attempts=1)) as client:
            with pytest.raises(TransportError, match="broke: the head of the response is truncated"):
                await client.ping()

    with ScriptedServer([[Receive(), Send(b"HTTP/1.1 204 No Content\r\nX: y\r\n"), Close()]]) as server:
        asyncio.run(main(server.url))


def test_session_with_raise_for_status(influxd: Server, database: str) -> None:
    """The client reads the error response itself: the session's exception would lack the server's message."""

    async def main() -> None:
        async with (
            aiohttp.ClientSession(raise_for_status=True) as session,
            AsyncInfluxDBClient.from_url(influxd.url, database=database, session=session) as client,
        ):
            with pytest.raises(QueryError, match="found SELEC"):
                await client.query("SELEC")

    asyncio.run(main())


def test_finished_task_is_garbage_collected(influxd: Server, database: str) -> None:
    """A timer that outlives its request would keep the task alive."""

    class Result:
        pass

    async def work(client: AsyncInfluxDBClient) -> Result:
        await client.ping()
        await client.write("m v=1 1")
        return Result()

    async def main() -> None:
        async with AsyncInfluxDBClient.from_url(influxd.url, database=database) as client:
            gc.collect()
            gc.disable()
            try:
                kept = [weakref.ref(result) for result in await asyncio.gather(*(work(client) for _ in range(20)))]
                await asyncio.sleep(0)
                assert [each() for each in kept] == [None] * 20
            finally:
                gc.enable()

    asyncio.run(main())


@pytest.mark.parametrize("addresses", [1, 20])
def test_connect_timeout_covers_lookup_and_all_addresses(monkeypatch: pytest.MonkeyPatch, addresses: int) -> None:
    """The limit covers the name lookup and the attempts on all addresses."""

    def look_up(*_: object, **__: object) -> list[Any]:
        if addresses == 1:
            assert measured.wait(30)
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"127.0.0.{n + 1}", listener.getsockname()[1]))
            for n in range(addresses)
        ]

    measured = threading.Event()

    async def main() -> None:
        began = time.monotonic()
        async with AsyncInfluxDBClient("db.example", 1, retry=ONCE, timeout=Timeout(connect=0.3)) as client:
            with pytest.raises(TransportError, match=r"cannot connect to .* 0\.3 s"):
                await client.ping()
        assert time.monotonic() - began < 3  # not the 10 s of the lookup, nor 6 s for all addresses
        measured.set()

    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.bind(("0.0.0.0", 0))
        listener.listen(0)
        for _ in range(3):  # fill the listen queue
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", listener.getsockname()[1]))
        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        asyncio.run(main())


def test_waiting_for_a_connection_of_the_callers_session() -> None:
    async def main(server: ScriptedServer) -> None:
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=2)) as session,
            AsyncInfluxDBClient.from_url(server.url, session=session, retry=ONCE) as client,
            client.query_chunks("SELECT 1"),
            client.query_chunks("SELECT 1"),
        ):
            with pytest.raises(TransportError, match=r"within 0\.2 s: 2 of 2 connections are in use") as caught:
                await client.ping(timeout=Timeout(connect=0.1, pool=0.2))
            assert caught.value.maybe_received is False

    head = respond(200, {"Content-Type": "application/json", "Content-Length": "100"}, b"")
    with ScriptedServer([[Receive(), Send(head), Stall(30)]]) as server:
        asyncio.run(main(server))


def test_waiting_for_a_connection_counts_in_the_total() -> None:
    async def main(server: ScriptedServer) -> None:
        async with AsyncInfluxDBClient.from_url(server.url, retry=ONCE) as client, asyncio.TaskGroup() as group:
            tasks = [group.create_task(client.ping()) for _ in range(MAX_CONNECTIONS + 1)]
            await asyncio.to_thread(server.wait_for, MAX_CONNECTIONS)
            with pytest.raises(TransportError, match=r"no free connection .* within 0\.5 s") as caught:
                await client.ping(timeout=Timeout(total=0.5))
            assert caught.value.maybe_received is False
            for task in tasks:
                task.cancel()

    with ScriptedServer([[Receive(), Stall(30)]]) as server:
        asyncio.run(main(server))
