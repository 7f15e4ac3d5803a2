"""One HTTP/1.1 connection: h11 over a trio stream. Raises the exceptions of h11 and trio."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator

import h11
import trio
from influx_proto.adapter import Request

from ._socket import Socket

_CHUNK = 64 * 1024

#: InfluxDB puts the text of an error into a header, up to 1024 bytes of it, and proxies add their own.
_MAX_HEAD = 64 * 1024

#: A body up to this size is sent together with its head, before the server can have rejected it.
_SMALL = 64 * 1024

#: The states of a server that has sent its whole response.
_RESPONSE_COMPLETE = {h11.DONE, h11.MUST_CLOSE, h11.CLOSED}

#: Seconds to wait for the end of the upload before a response counts as early.
_GRACE = 0.05
#: Bytes of an early response that are read while the upload goes on; it has the reason of the rejection.
_EARLY = 1024 * 1024


class Connection:
    """An open connection. After each exchange `is_reusable` says whether it can be used for another.

    Args:
        stream: the stream that it sends over: the socket itself, or TLS.
        socket: the underlying socket.
    """

    def __init__(self, stream: trio.abc.Stream, socket: Socket) -> None:
        self._stream = stream
        self._socket = socket
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_HEAD)
        self._is_sent = True
        self._early: deque[bytes] = deque()
        #: The error after the chunks that were returned; h11 raises it only once.
        self._failure: h11.RemoteProtocolError | None = None
        #: Whether an earlier exchange was successful.
        self.was_used = False
        #: Bytes of the current response, whether its head was among them, and whether it was truncated.
        self.received = 0
        self.has_head = self.is_truncated = False
        #: Since when the connection is idle, on trio's clock.
        self.idle_since = math.inf

    @property
    def is_reusable(self) -> bool:
        """Whether both sides have completed the last exchange, and the server keeps the connection open."""
        http = self._http
        return (
            http.our_state is h11.DONE
            and http.their_state is h11.DONE
            and self._is_sent
            and not self.is_expired
            and not http.trailing_data[0]  # unsolicited bytes would be read as the next response
        )

    @property
    def is_stale(self) -> bool:
        """Whether the server has closed an idle connection, or sent unsolicited bytes."""
        return self._socket.is_readable

    def close(self) -> None:
        """Close the connection now: without close_notify, and without waiting, which could be cancelled."""
        self._socket.close()

    @property
    def is_expired(self) -> bool:
        """Whether a timeout closed the connection."""
        return self._socket.is_expired

    def reuse(self) -> None:
        """Prepare for another exchange."""
        self._http.start_next_cycle()
        self.was_used = True

    async def exchange(self, head: h11.Request, request: Request, deadline: float) -> h11.Response:
        """Send a request and return the head of its response; wait until `deadline` on trio's clock."""
        idle = request.timeout.idle
        self._socket.idle = math.inf if idle is None else idle
        self._socket.deadline = deadline
        self.received = 0
        self.has_head = self.is_truncated = False
        if isinstance(request.body, bytes) and len(request.body) <= _SMALL:
            await self._send(head, (request.body,))
            return await self._receive_head()
        return await self._upload(head, _chunks(request.body))

    async def receive(self) -> bytes:
        """Return the bytes of the body that have arrived, waiting for some if there are none; none at its end."""
        if self._early:
            return self._early.popleft()
        if self._failure is not None:
            raise self._failure
        http = self._http
        # InfluxDB sends chunks of a few KB: all that have arrived are returned together.
        chunks: list[bytes] = []
        while http.their_state not in _RESPONSE_COMPLETE:
            try:
                event = http.next_event()
            except h11.RemoteProtocolError as error:
                if not chunks:
                    raise
                self._failure = error
                break
            if isinstance(event, h11.Data):
                chunks.append(event.data)
            elif event is not h11.NEED_DATA or chunks:
                break
            else:
                await self._receive_more()
        return b"".join(chunks)

    async def _upload(self, head: h11.Request, chunks: Iterator[bytes]) -> h11.Response:
        """Send a body and receive meanwhile: a server that rejects it responds before it has read all of it."""
        failures: list[Exception] = []
        responses: list[h11.Response] = []
        early: list[bytes] = []
        sent = trio.Event()

        @trio.lowlevel.enable_ki_protection  # otherwise trio could raise KeyboardInterrupt in this task
        async def send() -> None:
            try:
                await self._send(head, chunks)
            except Exception as error:  # noqa: BLE001 - raised below, without the group that a nursery makes of it
                failures.append(error)
                nursery.cancel_scope.cancel()
            sent.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            try:
                responses.append(await self._receive_head())
                with trio.move_on_after(_GRACE):
                    await sent.wait()
                left = _EARLY
                while not self._is_sent and left > 0 and (chunk := await self.receive()):
                    early.append(chunk)
                    left -= len(chunk)
            except Exception as error:  # noqa: BLE001 - as above
                failures.append(error)
            nursery.cancel_scope.cancel()
        if failures:
            raise failures[0]
        self._early.extend(early)
        return responses[0]

    async def _send(self, head: h11.Request, chunks: Iterable[bytes]) -> None:
        """Send a request; its head and first chunk are sent together."""
        self._is_sent = False
        send = self._http.send_with_data_passthrough  # large chunks are not copied
        waiting = list(send(head) or ())
        try:
            for number, chunk in enumerate(chunks):
                if number:
                    await trio.lowlevel.checkpoint()  # other tasks run during a long upload
                if chunk:
                    waiting += send(h11.Data(data=chunk)) or ()
                    await self._stream.send_all(b"".join(waiting))
                    waiting.clear()
            waiting += send(h11.EndOfMessage()) or ()
            if any(waiting):
                await self._stream.send_all(b"".join(waiting))
            self._is_sent = True
        except trio.BrokenResourceError:
            # A server that rejects a request responds before it has read all of it, and then closes: the response may
            # have arrived, and says more than the broken connection.
            self._http.send_failed()

    async def _receive_head(self) -> h11.Response:
        while True:
            event = await self._next_event()
            if isinstance(event, h11.Response):
                self.has_head = True
                return event
            if not isinstance(event, h11.InformationalResponse):
                raise h11.RemoteProtocolError(f"not a response but {event!r}")

    async def _next_event(self) -> h11.Event | type[h11.PAUSED]:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            await self._receive_more()
        return event  # type: ignore[return-value]  # NEED_DATA it is not

    async def _receive_more(self) -> None:
        data = await self._stream.receive_some(_CHUNK)
        self.received += len(data)
        self.is_truncated = not data
        self._http.receive_data(bytes(data))


def _chunks(body: bytes | Iterable[bytes]) -> Iterator[bytes]:
    if not isinstance(body, bytes):
        yield from body
        return
    view = memoryview(body)
    for at in range(0, len(body), _CHUNK):
        yield view[at : at + _CHUNK]  # type: ignore[misc]  # h11 accepts it like bytes
