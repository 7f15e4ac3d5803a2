"""Releases of aiohttp whose internals differ from those of the current one."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp.client_proto import ResponseHandler
from influx_aiohttp import AsyncInfluxDBClient, _tracking
from influx_proto import ProtocolError, RetryPolicy, Timeout, TransportError

from tests.servers.scripted import Behavior, Hold, Receive, ScriptedServer, Send, Stall, reply, respond

ONCE = RetryPolicy(attempts=1)
LARGE = f'm s="{"x" * 500_000}" 1'


def run(work: Callable[[AsyncInfluxDBClient], Awaitable[None]], url: str, **settings: Any) -> None:
    async def main() -> None:
        async with AsyncInfluxDBClient.from_url(url, retry=ONCE, **settings) as client:
            await work(client)

    asyncio.run(main())


async def writes(client: AsyncInfluxDBClient) -> None:
    for data in ("m v=1 1", LARGE, "m v=1 1"):
        assert await client.write(data, db="db") is True


def keep_alive_behavior(*responses: bytes) -> Behavior:
    return [*(step for response in responses for step in (Receive(), Send(response))), Hold()]


def without_connectors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulate an aiohttp that obtains connections from a connector by another method."""

    async def connect(self: Any, *args: Any, **kwargs: Any) -> Any:
        return await aiohttp.BaseConnector.connect(self, *args, **kwargs)

    monkeypatch.setattr(_tracking._TrackingConnector, "connect", connect)


def without_protocols(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulate an event loop whose transports do not expose their protocol."""

    def get_protocol(_: Any) -> Any:
        raise NotImplementedError

    monkeypatch.setattr(asyncio.selector_events._SelectorTransport, "get_protocol", get_protocol)  # type: ignore[attr-defined]  # asyncio hides the class


UNKNOWN = [without_connectors, without_protocols]


@pytest.mark.parametrize("change", UNKNOWN)
def test_unwatchable_connections_are_not_reused(
    change: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Only the first connection is kept, and aiohttp measures the idle timeout."""
    change(monkeypatch)
    caplog.set_level(logging.WARNING, "influx_aiohttp")
    with ScriptedServer([[step for _ in range(3) for step in (Receive(), Send(respond(204)))]]) as server:
        run(writes, server.url)
        assert [request.headers.get("connection") for request in server.requests] == [None, "close", "close"]
        assert [len(request.body) for request in server.requests] == [7, len(LARGE), 7]
    (message,) = caplog.messages
    assert "does not let influx-aiohttp watch connections" in message


@pytest.mark.parametrize("change", UNKNOWN)
@pytest.mark.parametrize("before", [0, 1], ids=["first request", "second request"])
def test_idle_timeout_on_unwatchable_connections(
    change: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch, before: int
) -> None:
    async def work(client: AsyncInfluxDBClient) -> None:
        for _ in range(before):
            await client.ping()
        with pytest.raises(TransportError, match=r"0\.2 s"):
            await client.ping(timeout=0.2)

    change(monkeypatch)
    with ScriptedServer([*[reply(204)] * before, [Receive(), Stall(30)]]) as server:
        run(work, server.url)


def test_connector_with_different_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    """The parameters of the public method and of the private methods below it differ."""

    async def connect(self: Any, req: Any, timeout: Any, *, tracing: Any) -> Any:
        return await original(self, req, tracing, timeout)

    async def request(self: Any, req: Any, traces: Any, timeout: Any) -> Any:
        return await ours(self, req, timeout, tracing=traces)

    original, ours = aiohttp.BaseConnector.connect, _tracking._TrackingConnector.connect
    monkeypatch.setattr(aiohttp.BaseConnector, "connect", connect)
    monkeypatch.setattr(_tracking._TrackingConnector, "connect", request)
    with ScriptedServer([keep_alive_behavior(*[respond(204)] * 3)]) as server:
        run(writes, server.url)
        assert server.connections == 1


@pytest.mark.parametrize("missing", ["should_close", "is_connected"])
def test_protocol_without_undocumented_attributes(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    """No undocumented attribute is required: connections are kept, and unusable ones closed."""
    hidden = getattr(ResponseHandler, missing)

    class Hidden:
        """Attribute that only aiohttp itself can read."""

        def __get__(self, instance: Any, owner: Any) -> Any:
            caller = sys._getframe(1).f_globals["__name__"]
            if caller.startswith("influx"):
                raise AttributeError(missing)
            return hidden.__get__(instance, owner)

    monkeypatch.setattr(ResponseHandler, missing, Hidden())
    spoiled: Behavior = [*keep_alive_behavior(respond(204), respond(204))[:-1], Stall(0.1), Send(respond(204)), Hold()]

    async def work(client: AsyncInfluxDBClient) -> None:
        for _ in range(2):
            await client.write("m v=1 1", db="db")
        await asyncio.sleep(0.3)
        await client.write("m v=2 1", db="db")

    with ScriptedServer([spoiled, keep_alive_behavior(respond(204))]) as server:
        run(work, server.url)
        assert [request.connection for request in server.requests] == [1, 1, 2]


def test_protocol_that_rejects_new_attributes(monkeypatch: pytest.MonkeyPatch) -> None:
    def set_attribute(self: Any, name: str, value: Any) -> None:
        assert sys._getframe(1).f_globals["__name__"].startswith("aiohttp")
        original(self, name, value)

    original = ResponseHandler.__setattr__
    monkeypatch.setattr(ResponseHandler, "__setattr__", set_attribute)
    with ScriptedServer([keep_alive_behavior(*[respond(204)] * 3)]) as server:
        run(writes, server.url)
        assert server.connections == 1


def test_connect_timeout_without_private_methods(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connect timeout also applies if a proxy accepts the connection and sends nothing more."""

    async def work(client: AsyncInfluxDBClient) -> None:
        with pytest.raises(TransportError, match=r"cannot connect to .* 0\.3 s"):
            await client.ping()

    with ScriptedServer([[Receive(), Stall(30)]]) as proxy:
        run(work, "https://db.example", proxy=proxy.url, timeout=Timeout(connect=0.3))


def test_parser_error_without_a_public_class(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client raises its own error without knowing the parser's exception class."""

    class InvalidChunkError(Exception):
        pass

    InvalidChunkError.__module__ = "aiohttp.http_exceptions"

    async def request(*_: Any, **__: Any) -> Any:
        raise InvalidChunkError("no size")

    async def main() -> None:
        async with aiohttp.ClientSession() as session, AsyncInfluxDBClient(session=session, retry=ONCE) as client:
            monkeypatch.setattr(session, "request", request)
            with pytest.raises(ProtocolError, match="not HTTP: no size"):
                await client.ping()

    asyncio.run(main())


def test_large_body_is_sent_in_our_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The idle timeout applies to each chunk and not to the whole body, however aiohttp reads files."""

    async def counted(self: Any) -> bytes:
        chunk = await original(self)
        sizes.append(len(chunk))
        return chunk

    async def work(client: AsyncInfluxDBClient) -> None:
        await client.write(LARGE, db="db")

    sizes: list[int] = []
    original = _tracking._Chunks.__anext__
    monkeypatch.setattr(_tracking._Chunks, "__anext__", counted)
    with ScriptedServer([reply(204)]) as server:
        run(work, server.url)
        (request,) = server.requests
    assert request.body.decode() == LARGE
    assert request.headers["content-length"] == str(len(LARGE))
    assert "transfer-encoding" not in request.headers
    assert max(sizes) == 64 * 1024
