"""Releases of aiohttp that work otherwise than those of today."""

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

from tests.servers.scripted import Behaviour, Hold, Receive, ScriptedServer, Send, Stall, reply, respond

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


def kept(*answers: bytes) -> Behaviour:
    return [*(step for answer in answers for step in (Receive(), Send(answer))), Hold()]


def without_connectors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulate an aiohttp that gets its connections from a connector by another method."""

    async def connect(self: Any, *args: Any, **kwargs: Any) -> Any:
        return await aiohttp.BaseConnector.connect(self, *args, **kwargs)

    monkeypatch.setattr(_tracking._TrackingConnector, "connect", connect)


def without_protocols(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulate an event loop whose connections keep their protocol to themselves."""

    def get_protocol(_: Any) -> Any:
        raise NotImplementedError

    monkeypatch.setattr(asyncio.selector_events._SelectorTransport, "get_protocol", get_protocol)  # type: ignore[attr-defined]


UNKNOWN = [without_connectors, without_protocols]


@pytest.mark.parametrize("change", UNKNOWN)
def test_connections_of_which_nothing_is_known(
    change: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """None is kept but the first, and aiohttp measures the silence."""
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
def test_silence_on_connections_of_which_nothing_is_known(
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


def test_a_connector_with_other_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of its public method, and those of the private ones below."""

    async def connect(self: Any, req: Any, timeout: Any, *, tracing: Any) -> Any:
        return await original(self, req, tracing, timeout)

    async def request(self: Any, req: Any, traces: Any, timeout: Any) -> Any:
        return await ours(self, req, timeout, tracing=traces)

    original, ours = aiohttp.BaseConnector.connect, _tracking._TrackingConnector.connect
    monkeypatch.setattr(aiohttp.BaseConnector, "connect", connect)
    monkeypatch.setattr(_tracking._TrackingConnector, "connect", request)
    with ScriptedServer([kept(*[respond(204)] * 3)]) as server:
        run(writes, server.url)
        assert server.connections == 1


@pytest.mark.parametrize("missing", ["should_close", "is_connected"])
def test_a_protocol_without_attributes(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    """Of those that are not documented none is needed; connections are still kept, and spoiled ones closed."""
    hidden = getattr(ResponseHandler, missing)

    class Hidden:
        """Present for aiohttp itself."""

        def __get__(self, instance: Any, owner: Any) -> Any:
            caller = sys._getframe(1).f_globals["__name__"]
            if caller.startswith("influx"):
                raise AttributeError(missing)
            return hidden.__get__(instance, owner)

    monkeypatch.setattr(ResponseHandler, missing, Hidden())
    spoiled: Behaviour = [*kept(respond(204), respond(204))[:-1], Stall(0.1), Send(respond(204)), Hold()]

    async def work(client: AsyncInfluxDBClient) -> None:
        for _ in range(2):
            await client.write("m v=1 1", db="db")
        await asyncio.sleep(0.3)
        await client.write("m v=2 1", db="db")

    with ScriptedServer([spoiled, kept(respond(204))]) as server:
        run(work, server.url)
        assert [request.connection for request in server.requests] == [1, 1, 2]


def test_a_protocol_without_room_for_attributes(monkeypatch: pytest.MonkeyPatch) -> None:
    def set_attribute(self: Any, name: str, value: Any) -> None:
        assert sys._getframe(1).f_globals["__name__"].startswith("aiohttp")
        original(self, name, value)

    original = ResponseHandler.__setattr__
    monkeypatch.setattr(ResponseHandler, "__setattr__", set_attribute)
    with ScriptedServer([kept(*[respond(204)] * 3)]) as server:
        run(writes, server.url)
        assert server.connections == 1


def test_the_time_to_connect_without_private_methods(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a proxy accepts the connection and says nothing more."""

    async def work(client: AsyncInfluxDBClient) -> None:
        with pytest.raises(TransportError, match=r"cannot connect to .* 0\.3 s"):
            await client.ping()

    with ScriptedServer([[Receive(), Stall(30)]]) as proxy:
        run(work, "https://db.example", proxy=proxy.url, timeout=Timeout(connect=0.3))


def test_an_error_of_the_parser_has_no_public_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an error of ours all the same."""

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


def test_a_large_body_is_sent_in_chunks_of_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """However aiohttp reads files: the idle timeout is for a chunk and not for the whole body."""

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
