"""What only the client for trio has: nurseries, cancellation, connections of its own."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from influx_trio import AsyncInfluxDBClient

from tests.servers.influxd import Server
from tests.servers.scripted import Behaviour, Receive, ScriptedServer, Send, Stall, reply, respond


def test_a_nursery_of_calls(influxd: Server) -> None:
    versions = []

    async def main() -> None:
        async with AsyncInfluxDBClient.from_url(influxd.url) as client, trio.open_nursery() as nursery:

            async def ping() -> None:
                versions.append((await client.ping()).version)

            for _ in range(20):
                nursery.start_soon(ping)

    trio.run(main)
    assert len(versions) == 20


def test_it_takes_no_session() -> None:
    with pytest.raises(TypeError, match="session"):
        AsyncInfluxDBClient(session=object())  # type: ignore[arg-type]


@pytest.mark.parametrize("answer", [[], [Send(respond(200)[:10])]], ids=["before the answer", "within its head"])
def test_a_cancelled_call_leaves_no_socket_and_a_usable_client(answer: Behaviour) -> None:
    async def main(server: ScriptedServer) -> None:
        async with AsyncInfluxDBClient.from_url(server.url) as client, trio.open_nursery() as nursery:
            nursery.start_soon(client.ping)
            await trio.to_thread.run_sync(server.wait_for, 1)
            nursery.cancel_scope.cancel()
        async with AsyncInfluxDBClient.from_url(server.url) as client:
            with trio.move_on_after(0.2) as scope:
                await client.ping()
            assert scope.cancelled_caught
            assert await client.ping()

    stalled: Behaviour = [Receive(), *answer, Stall(30)]
    with ScriptedServer([stalled, stalled, reply(204)]) as server:
        trio.run(main, server)
        assert server.connections == 3


def test_waits_follow_trios_clock() -> None:
    """Retries and timeouts are virtual under a mock clock: an hour of them passes at once."""

    async def main(url: str) -> None:
        async with AsyncInfluxDBClient.from_url(url) as client:
            assert await client.ping()

    with ScriptedServer([reply(503, {"Retry-After": "50"}), reply(204)]) as server:
        trio.run(main, server.url, clock=trio.testing.MockClock(rate=1000))
