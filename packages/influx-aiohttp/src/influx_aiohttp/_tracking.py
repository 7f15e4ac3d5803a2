"""State of a request that aiohttp reports in parts: its body, its connection, and how long it has waited."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextvars import ContextVar
from typing import Any, ClassVar, cast

import aiohttp
from influx_proto.adapter import Body

#: A body up to this size is sent in one piece with its head; a larger one in chunks of this size.
_SMALL = 64 * 1024
#: The whole head of a response without a body, and what proxies may send behind it.
_NO_BODY = re.compile(rb"HTTP/1\.\d 204 (?:(?!\r\n\r\n).)*\r\n\r\n0\r\n\r\n", re.DOTALL)


def is_small(body: Body) -> bool:
    """Return whether a body is sent before the server can have rejected it."""
    return isinstance(body, bytes) and len(body) <= _SMALL


class RequestTracker:
    """The way of one request, from asking for a connection to the head of the answer.

    `begin` gives the context to send it in. aiohttp waits for ever to get rid of a piece of a body, and after a
    provisional answer (1xx) for the one that should follow. Without our connectors, in a session of the caller's, it
    only counts from the first piece of a body, and nothing is known of the connection.
    """

    #: That of the request which the current task sends.
    current: ClassVar[ContextVar[RequestTracker]] = ContextVar("way")

    def __init__(self, idle: float | None) -> None:
        self._idle = idle
        self._timeout_scope: asyncio.Timeout | None = None
        self.is_being_opened = False
        self._receiver: _Receiver | None = None
        self._received = -1  # so that a connection that is new is not taken for an idle one
        #: Whether the connector has reported the connection, which aiohttp asks it for.
        self.has_connection = False
        RequestTracker.current.set(self)

    def begin(self) -> asyncio.Timeout:
        """Give the context to send the request in."""
        self._timeout_scope = asyncio.timeout(None)
        return self._timeout_scope

    @property
    def was_idle(self) -> bool:
        """Whether the connection was used before, and nothing has come for this request."""
        return self._receiver is not None and self._receiver.received == self._received

    def connected(self, receiver: _Receiver) -> None:
        """Note the connection, and wait for the response from now on."""
        if receiver.is_used:
            self._received = receiver.received
        self._receiver = receiver
        self.is_being_opened = False
        self.has_connection = True
        self.go_on()

    def done(self) -> None:
        """Note that the exchange has ended: whatever comes now was not requested."""
        if self._receiver is not None:
            self._receiver.rest()

    def go_on(self) -> None:
        """Begin to wait anew."""
        if self._timeout_scope is None:
            msg = "the answer has come already"  # what is left of the body need not be sent
            raise RuntimeError(msg)
        if self._idle is not None:
            self._timeout_scope.reschedule(asyncio.get_running_loop().time() + self._idle)

    def end(self) -> None:
        """Let go of the task: timers that are over, and do not go at once, know their context, and so this."""
        self._timeout_scope = None

    def parts(self, body: Body) -> tuple[tuple[tuple[str, str], ...], bytes | AsyncIterator[bytes] | None]:
        """Return the headers that frame a body, and the body as aiohttp takes it: sent with the head, or in chunks."""
        if not isinstance(body, bytes):
            return (), _Chunks(body, self.go_on)
        if len(body) <= _SMALL:
            return (), body or None
        return (("Content-Length", str(len(body))),), _Chunks(_sliced(body), self.go_on)


class _Receiver(asyncio.Protocol):
    """Protocol between a connection and aiohttp's own protocol: it notices when something is received."""

    def __init__(self, protocol: asyncio.Protocol) -> None:
        self._protocol = protocol
        #: How many times something was received, at all and until the last exchange ended.
        self.received = 0
        self._expected = 0
        self.is_used = False
        self.connection_lost = protocol.connection_lost  # type: ignore[method-assign]
        self.eof_received = protocol.eof_received  # type: ignore[method-assign]
        self.pause_writing = protocol.pause_writing  # type: ignore[method-assign]
        self.resume_writing = protocol.resume_writing  # type: ignore[method-assign]

    @property
    def has_unrequested(self) -> bool:
        """Whether something came after the last exchange."""
        return self.received != self._expected

    def rest(self) -> None:
        """Note that an exchange has ended."""
        self.is_used = True
        self._expected = self.received

    def data_received(self, data: bytes) -> None:
        """Pass on what was received, without an end of chunks after a response that has no body."""
        self.received += 1
        if data.endswith(b"\r\n\r\n0\r\n\r\n") and _NO_BODY.fullmatch(data):
            data = data[: -len(b"0\r\n\r\n")]  # aiohttp would take it for the next response
        self._protocol.data_received(data)


class _Reporting(aiohttp.BaseConnector):
    """Connector that reports a request's connection to its `RequestTracker`.

    aiohttp's tracing reports it too, at ten times the cost.
    """

    async def connect(self, *args: Any, **kwargs: Any) -> aiohttp.connector.Connection:
        """Return a kept connection or a new one."""
        tracker = RequestTracker.current.get()
        tracker.is_being_opened = True
        while True:
            connection = await super().connect(*args, **kwargs)
            transport = connection.transport
            if transport is None:  # it was closed in this moment
                connection.close()
                raise aiohttp.ServerDisconnectedError
            receiver = _receiver(transport)
            if receiver is None:
                tracker.is_being_opened = False
                tracker.go_on()
                return connection
            # What nobody requested would be taken for the response to the next request. aiohttp's own (undocumented)
            # attribute also knows of what came between the end of a response and the end of its exchange.
            if not receiver.has_unrequested and not getattr(connection.protocol, "should_close", False):
                tracker.connected(receiver)
                return connection
            connection.close()


def _receiver(transport: asyncio.BaseTransport) -> _Receiver | None:
    """Return the receiver of a connection, and insert it into a new one; None if its event loop cannot do that."""
    try:
        protocol = transport.get_protocol()
        if isinstance(protocol, _Receiver):
            return protocol
        receiver = _Receiver(cast("asyncio.Protocol", protocol))
        transport.set_protocol(receiver)
        return receiver if transport.get_protocol() is receiver else None
    except (NotImplementedError, AttributeError):
        return None


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
