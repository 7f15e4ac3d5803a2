"""Waiting for receipts: timeouts and callbacks of sync writers, cancellation in each event loop."""

from __future__ import annotations

from typing import Any

import anyio
import influx_aiohttp
import influx_requests
import influx_trio
import pytest
from influx_proto import CallbackError, TransportError

from tests.servers.scripted import ScriptedServer, reply

LONG = 60.0


def test_waiting_in_a_callback() -> None:
    """A callback that waits for pending lines would deadlock."""
    receipts: list[Any] = []

    def wait(_: object) -> None:
        receipts[-1].wait()

    with (
        ScriptedServer([reply(204)] * 4) as server,
        influx_requests.InfluxDBClient.from_url(server.url, database="db") as client,
    ):
        with client.batch_writer(max_delay=LONG, on_progress=wait) as writer:
            receipts += [writer.write("m n=0i 0")]
            writer.flush()  # the receipt is done
        with pytest.raises(CallbackError, match="cannot wait for the writer: it would deadlock"):
            with client.batch_writer(max_lines=2, max_delay=0.2, on_progress=wait) as writer:
                receipts += [writer.write("m n=0i 0"), writer.write(["m n=1i 1", "m n=2i 2"])]


def test_waiting_with_a_timeout() -> None:
    with (
        ScriptedServer([reply(204)]) as server,
        influx_requests.InfluxDBClient.from_url(server.url, database="db") as client,
        client.batch_writer(max_delay=LONG) as writer,
    ):
        receipt = writer.write(["m n=1i 1", "m n=2i 2"])
        for timeout in (0.1, 0, -1):
            with pytest.raises(TransportError, match=f"outcome of 2 lines was not known within {timeout} s"):
                receipt.wait(timeout)
        assert writer.pending == 2
        writer.flush()
        receipt.wait(0)


@pytest.mark.parametrize(
    ("backend", "client_class"),
    [("asyncio", influx_aiohttp.AsyncInfluxDBClient), ("trio", influx_trio.AsyncInfluxDBClient)],
)
def test_cancelling_a_wait_does_not_affect_the_writer(backend: str, client_class: Any) -> None:
    async def main() -> None:
        with ScriptedServer([reply(204)]) as server:
            async with client_class.from_url(server.url, database="db") as client:
                async with client.batch_writer(max_delay=LONG) as writer:
                    receipt = await writer.write("m n=1i 1")
                    with anyio.move_on_after(0.1) as scope:
                        await receipt
                    assert scope.cancelled_caught
                    assert writer.pending == 1
                    await writer.flush()
                    await receipt
                assert writer.written == 1

    anyio.run(main, backend=backend)
