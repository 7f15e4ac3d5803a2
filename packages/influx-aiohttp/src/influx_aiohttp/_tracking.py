"""State of a request that aiohttp reports in parts: its body, its connection, and how long it has waited."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextvars import ContextVar
from typing import Any, ClassVar, cast

import aiohttp
from influx_proto.adapter import Body

#: A body up to this size is sent together with its head; a larger one in chunks of this size.
_SMALL = 64 * 1024
#: How many chunks of this size are read from a broken connection.
_MAX_UNREAD = 16
#: Seconds after an idle timeout in which the event loop receives what has arrived: it may have been blocked until then.
_GRACE = 0.01
#: The start of a response without a body.
_NO_CONTENT = (b"HTTP/1.1 204", b"HTTP/1.0 204")
_HEAD_END = b"\r\n\r\n"
#: The end of a chunked body, which some proxies append to such a response.
_CHUNKS_END = b"0\r\n\r\n"


def is_small(body: Body) -> bool:
    """Return whether a body is sent before the server can have rejected it."""
    return isinstance(body, bytes) and len(body) <= _SMALL


class RequestTracker:
    """Tracks one request from the wait for a connection to the head of the response.

    aiohttp has no limit for the time to send a chunk, nor for the time between a provisional (1xx) and the final
    response. In a session of the caller, without our connectors, the idle time only counts from the first chunk of a
    body, and the connection stays unknown.

    Args:
        idle: the seconds after which the idle timeout expires, or None for no limit.
        timeout_scope: the timeout scope that the request is sent in.
    """

    #: The tracker of the request that the current task sends.
    current: ClassVar[ContextVar[RequestTracker]] = ContextVar("request_tracker")

    def __init__(self, idle: float | None, timeout_scope: asyncio.Timeout) -> None:
        self._idle = idle
        #: None once the head of the response has arrived: an expired timer keeps the context of its task, and with it
        #: this object, alive.
        self.timeout_scope: asyncio.Timeout | None = timeout_scope
        self._timer: asyncio.TimerHandle | None = None
        #: Whether the connector is opening a connection.
        self.is_connecting = False
        self._receiver: _Receiver | None = None
        self._received_before = -1  # a new connection is not an idle one
        #: Whether the connector has reported the connection.
        self.has_connection = False
        RequestTracker.current.set(self)

    @property
    def was_idle(self) -> bool:
        """Whether the connection was used before, and has received nothing for this request."""
        return self._receiver is not None and self._receiver.received == self._received_before

    def set_connection(self, receiver: _Receiver) -> None:
        """Store the connection and start the idle timeout."""
        if receiver.is_used:
            self._received_before = receiver.received
        self._receiver = receiver
        self.is_connecting = False
        self.has_connection = True
        self.restart_idle_timeout()

    def complete(self) -> None:
        """Mark the exchange as completed: bytes that arrive from now on were not requested."""
        if self._receiver is not None:
            self._receiver.complete()

    def restart_idle_timeout(self) -> None:
        """Restart the idle timeout."""
        if self.timeout_scope is None:
            msg = "the response has arrived"  # the rest of the body need not be sent
            raise RuntimeError(msg)
        if self._idle is not None:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_later(self._idle, self._expire)

    def stop_idle_timeout(self) -> None:
        """Stop the idle timeout when the head of the response has arrived."""
        self.timeout_scope = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        if self.timeout_scope is not None:
            self.timeout_scope.reschedule(asyncio.get_running_loop().time() + _GRACE)

    async def before_chunk(self) -> None:
        """Restart the idle timeout, and receive a response that has arrived, before sending to a closed connection."""
        self.restart_idle_timeout()
        receiver = self._receiver
        if receiver is not None and (receiver.has_tls or receiver.is_closing):
            await asyncio.sleep(0)  # runs `connection_lost`, or lets the event loop find the socket readable
            await asyncio.sleep(0)  # reads from the socket

    def encode_body(self, body: Body) -> tuple[tuple[tuple[str, str], ...], bytes | AsyncIterator[bytes] | None]:
        """Return the headers that frame a body, and the body for aiohttp: sent with the head, or in chunks."""
        if not isinstance(body, bytes):
            return (), _Chunks(body, self.before_chunk)
        if len(body) <= _SMALL:
            return (), body or None
        return (("Content-Length", str(len(body))),), _Chunks(_split(body), self.before_chunk)


class _Receiver(asyncio.Protocol):
    """Protocol between a connection and aiohttp's own protocol that counts what is received."""

    def __init__(self, protocol: asyncio.Protocol, transport: asyncio.BaseTransport, generation: int) -> None:
        self._protocol = protocol
        self._transport = transport
        self.has_tls = transport.get_extra_info("sslcontext") is not None
        #: The generation of connections that this one belongs to.
        self.generation = generation
        #: How many times bytes were received: in total, and until the last exchange completed.
        self.received = 0
        self._expected = 0
        self._has_trailing = False
        self.is_used = False
        # Without its own method for each of these, asyncio calls aiohttp's protocol directly.
        self.eof_received = protocol.eof_received  # type: ignore[method-assign]  # see above
        self.pause_writing = protocol.pause_writing  # type: ignore[method-assign]  # see above
        self.resume_writing = protocol.resume_writing  # type: ignore[method-assign]  # see above

    @property
    def is_closing(self) -> bool:
        """Whether the connection is closed or about to be."""
        return self._transport.is_closing()

    @property
    def has_unrequested(self) -> bool:
        """Whether bytes were received after the last exchange, or after a response without a body."""
        return self.received != self._expected or self._has_trailing

    def complete(self) -> None:
        """Mark the exchange as completed."""
        self.is_used = True
        self._expected = self.received

    def data_received(self, data: bytes) -> None:
        """Pass bytes to aiohttp, except those after a response without a body: it would parse them as the next one."""
        self.received += 1
        if data.startswith(_NO_CONTENT) and self.received == self._expected + 1:
            end = data.find(_HEAD_END) + len(_HEAD_END)
            if len(_HEAD_END) <= end < len(data):
                self._has_trailing = data[end:] != _CHUNKS_END
                data = data[:end]
        self._protocol.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass the bytes that arrived before the connection broke, and then the error, to aiohttp.

        A server that rejects a request responds before it has read all of it, and then closes. If sending fails because
        of that, asyncio does not read the response, which says more than the broken connection.
        """
        if exc is not None and not self.has_tls:  # what TLS has received is encrypted
            for data in _unread_data(self._transport):
                self.data_received(data)
        self._protocol.connection_lost(exc)


def _unread_data(transport: asyncio.BaseTransport) -> Iterator[bytes]:
    """Yield the bytes that the socket of a transport has received."""
    shared = transport.get_extra_info("socket")
    if shared is None:
        return
    with contextlib.suppress(OSError), shared.dup() as sock:
        sock.setblocking(False)
        for _ in range(_MAX_UNREAD):
            if not (data := sock.recv(_SMALL)):
                return
            yield data


class _TrackingConnector(aiohttp.BaseConnector):
    """Connector that reports a request's connection to its `RequestTracker`.

    aiohttp's tracing reports it too, at ten times the cost.
    """

    #: Connections of earlier generations are not used again.
    _generation = 0

    def replace_connections(self) -> None:
        """Use no connection again that is open now."""
        self._generation += 1

    async def connect(self, *args: Any, **kwargs: Any) -> aiohttp.connector.Connection:
        """Return an idle connection or a new one."""
        tracker = RequestTracker.current.get()
        tracker.is_connecting = True
        while True:
            connection = await super().connect(*args, **kwargs)
            transport = connection.transport
            if transport is None:  # it was closed in this moment
                connection.close()
                raise aiohttp.ServerDisconnectedError
            receiver = _receiver_of(transport, self._generation)
            if receiver is None:
                tracker.is_connecting = False
                tracker.restart_idle_timeout()
                return connection
            # Bytes that were not requested would be parsed as the response to the next request. An undocumented
            # attribute of aiohttp also reports bytes between the end of a response and the end of its exchange.
            is_broken = receiver.has_unrequested or receiver.generation < self._generation
            if not is_broken and not getattr(connection.protocol, "should_close", False):
                tracker.set_connection(receiver)
                return connection
            connection.close()


def _receiver_of(transport: asyncio.BaseTransport, generation: int) -> _Receiver | None:
    """Return the receiver of a connection, inserted if it is new; None if the event loop does not support that."""
    try:
        protocol = transport.get_protocol()
        if isinstance(protocol, _Receiver):
            return protocol
        receiver = _Receiver(cast("asyncio.Protocol", protocol), transport, generation)
        transport.set_protocol(receiver)
        return receiver if transport.get_protocol() is receiver else None
    except (NotImplementedError, AttributeError):
        return None


class TCPConnector(_TrackingConnector, aiohttp.TCPConnector):
    """Connects to a host and port."""


class UnixConnector(_TrackingConnector, aiohttp.UnixConnector):
    """Connects to a unix socket."""


def _split(body: bytes) -> Iterator[bytes]:
    for at in range(0, len(body), _SMALL):
        yield body[at : at + _SMALL]


class _Chunks:
    """Iterator over the chunks of a body; asking for the next chunk shows that the one before was sent."""

    def __init__(self, body: Iterable[bytes], before_chunk: Callable[[], Awaitable[None]]) -> None:
        self._chunks = iter(body)
        self._before_chunk = before_chunk

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        await self._before_chunk()
        for chunk in self._chunks:
            return chunk
        raise StopAsyncIteration
