"""State of a request that aiohttp reports in parts: its body, its connection, and how long it has waited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextvars import ContextVar
from typing import Any, ClassVar

import aiohttp
from influx_proto.adapter import MAX_CONNECTIONS, Body

#: A body up to this size is sent in one piece with its head; a larger one in chunks of this size.
_SMALL = 64 * 1024


def is_small(body: Body) -> bool:
    """Return whether a body is sent before the server can have rejected it."""
    return isinstance(body, bytes) and len(body) <= _SMALL


class Way:
    """The way of one request, from asking for a connection to the head of the answer.

    `begin` gives the context to send it in. aiohttp waits for ever to get rid of a piece of a body, and after a
    provisional answer (1xx) for the one that should follow. Without our connectors, in a session of the caller's, it
    only counts from the first piece of a body, and nothing is known of the connection.
    """

    #: That of the request which the current task sends.
    current: ClassVar[ContextVar[Way]] = ContextVar("way")

    def __init__(self, idle: float | None) -> None:
        self._idle = idle
        self._patience: asyncio.Timeout | None = None
        self.is_being_opened = False
        self.was_used = False
        #: Whether the connector has reported the connection, which aiohttp asks it for.
        self.has_connection = False
        Way.current.set(self)

    def begin(self) -> asyncio.Timeout:
        """Give the context to send the request in."""
        self._patience = asyncio.timeout(None)
        return self._patience

    def go_on(self) -> None:
        """Begin to wait anew."""
        if self._patience is None:
            msg = "the answer has come already"  # what is left of the body need not be sent
            raise RuntimeError(msg)
        if self._idle is not None:
            self._patience.reschedule(asyncio.get_running_loop().time() + self._idle)

    def end(self) -> None:
        """Let go of the task: timers that are over, and do not go at once, know their context, and so this."""
        self._patience = None

    def data(self, body: Body) -> bytes | AsyncIterator[bytes] | None:
        """Return the body as aiohttp takes it: a small one sent with its head, and any other in chunks."""
        if not isinstance(body, bytes):
            return _Chunks(body, self.go_on)
        return (body or None) if is_small(body) else _Chunks(_sliced(body), self.go_on)


def framing(body: Body) -> tuple[tuple[str, str], ...]:
    """Return the headers without which aiohttp would send a body with another framing."""
    if isinstance(body, bytes) and not is_small(body):
        return (("Content-Length", str(len(body))),)
    return ()


class _Reporting(aiohttp.BaseConnector):
    """Connector that reports a request's connection to its `Way`; aiohttp's tracing would, at ten times the cost."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._used: set[asyncio.BaseTransport | None] = set()

    async def connect(self, *args: Any, **kwargs: Any) -> aiohttp.connector.Connection:
        """Return a kept connection or a new one."""
        way = Way.current.get()
        way.is_being_opened = True
        while (connection := await super().connect(*args, **kwargs)).transport in self._used:
            # The server may have sent a response that nobody requested: aiohttp would take it for that of the next
            # request. The attribute is not documented; without it no connection is used twice.
            if not getattr(connection.protocol, "should_close", True):
                way.was_used = True
                break
            connection.close()
        else:
            self._remember(connection.transport)
        way.is_being_opened = False
        way.has_connection = True
        way.go_on()
        return connection

    def _remember(self, transport: asyncio.BaseTransport | None) -> None:
        if len(self._used) >= 2 * MAX_CONNECTIONS:
            self._used = {each for each in self._used if each is not None and not each.is_closing()}
        self._used.add(transport)


class TCPConnector(_Reporting, aiohttp.TCPConnector):
    """Connects to a host and port."""


class UnixConnector(_Reporting, aiohttp.UnixConnector):
    """Connects to a unix socket."""


def _sliced(body: bytes) -> Iterator[bytes]:
    for at in range(0, len(body), _SMALL):
        yield body[at : at + _SMALL]


class _Chunks:
    """The chunks of a body; a request for the next one shows that the one before was sent."""

    def __init__(self, body: Iterable[bytes], go_on: Callable[[], None]) -> None:
        self._chunks = iter(body)
        self._go_on = go_on

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        self._go_on()
        for chunk in self._chunks:
            return chunk
        raise StopAsyncIteration
