"""What becomes of a request on its way, which aiohttp tells in parts: its body, its connection, and for how long."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Iterable
from contextvars import ContextVar
from typing import Any, ClassVar

import aiohttp
from influx_proto.adapter import Body

#: A body up to this size is the kernel's as soon as it is sent.
_SMALL = 64 * 1024


def is_small(body: Body) -> bool:
    """Whether a body is sent before anybody can have refused it."""
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

    def data(self, body: Body) -> bytes | io.BytesIO | AsyncIterator[bytes] | None:
        """Give the body in a form that aiohttp sends piece after piece if it is large, and with its head otherwise."""
        if not isinstance(body, bytes):
            return _Pieces(body, self.go_on)
        return (body or None) if is_small(body) else _Watched(body, self.go_on)


class _Telling(aiohttp.BaseConnector):
    """Tells the way of a request what becomes of its connection; aiohttp's tracing would, at ten times the cost."""

    async def connect(self, *args: Any, **kwargs: Any) -> Any:
        """Give a kept connection or a new one."""
        way = Way.current.get()
        way.is_being_opened = True
        connection = await super().connect(*args, **kwargs)
        way.is_being_opened = False
        protocol: Any = connection.protocol
        way.was_used = getattr(protocol, "was_used", False)
        protocol.was_used = True
        way.go_on()
        return connection

    async def _create_connection(self, req: Any, traces: Any, timeout: aiohttp.ClientTimeout) -> Any:
        # aiohttp bounds each of a name's addresses, and neither the lookup before nor a proxy's consent behind.
        try:
            async with asyncio.timeout(timeout.sock_connect):
                return await super()._create_connection(req, traces, timeout)
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError from error


class TCPConnector(_Telling, aiohttp.TCPConnector):
    """Connects to a host and port."""


class UnixConnector(_Telling, aiohttp.UnixConnector):
    """Connects to a unix socket."""


class _Watched(io.BytesIO):
    def __init__(self, body: bytes, go_on: Callable[[], None]) -> None:
        super().__init__(body)
        self._go_on = go_on

    def read(self, size: int | None = -1, /) -> bytes:
        """Read a piece: the one before is gone."""
        self._go_on()
        return super().read(size)


class _Pieces:
    def __init__(self, body: Iterable[bytes], go_on: Callable[[], None]) -> None:
        self._pieces = iter(body)
        self._go_on = go_on

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        self._go_on()
        for piece in self._pieces:
            return piece
        raise StopAsyncIteration
