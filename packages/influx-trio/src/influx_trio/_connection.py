"""One HTTP/1.1 connection: h11 over a trio stream. Fails with the exceptions of h11 and trio."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator

import h11
import trio
from influx_proto.adapter import Request

from ._socket import Socket

_PIECE = 64 * 1024

#: InfluxDB puts the text of an error into a header, up to 1024 bytes of it, and proxies add their own.
_LONGEST_HEAD = 64 * 1024

#: A body up to this size goes out in one piece with its head, before anybody can have refused it.
_SMALL = 64 * 1024

#: The states of a server that has sent the whole of its answer.
_RESPONSE_COMPLETE = {h11.DONE, h11.MUST_CLOSE, h11.CLOSED}

#: Seconds that a finished upload has to be noticed, before an answer counts as one that came early.
_GRACE = 0.05
#: How much of an early answer is read while the upload goes on; it says why it was refused.
_EARLY = 1024 * 1024


class Connection:
    """An open connection. After each exchange `is_reusable` says whether it can carry another.

    Args:
        stream: what it sends its bytes over: the socket itself, or TLS.
        socket: the socket below.
    """

    def __init__(self, stream: trio.abc.Stream, socket: Socket) -> None:
        self._stream = stream
        self._socket = socket
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LONGEST_HEAD)
        self._is_sent = True
        self._early: deque[bytes] = deque()
        #: What is wrong with the answer behind what was given of it; h11 tells it once only.
        self._failure: h11.RemoteProtocolError | None = None
        #: Whether an earlier exchange went well.
        self.was_used = False
        #: Bytes of the current answer, whether its head was among them, and whether they ended too early.
        self.received = 0
        self.has_head = self.is_cut = False
        #: Since when nothing is under way, on trio's clock.
        self.idle_since = math.inf

    @property
    def is_reusable(self) -> bool:
        """Whether the exchange before is complete on both sides, and the server keeps the connection."""
        http = self._http
        return (
            http.our_state is h11.DONE
            and http.their_state is h11.DONE
            and self._is_sent
            and not self.is_expired
            and not http.trailing_data[0]  # what nobody asked for would be taken for the next answer
        )

    @property
    def is_stale(self) -> bool:
        """Whether the server has closed an idle connection, or sent what nobody asked for."""
        return self._socket.is_readable

    def close(self) -> None:
        """Close the connection at once: without a goodbye of TLS, and without waiting, which may be cancelled."""
        self._socket.close()

    @property
    def is_expired(self) -> bool:
        """Whether it was closed because nothing came for too long."""
        return self._socket.is_expired

    def reuse(self) -> None:
        """Make ready for another exchange."""
        self._http.start_next_cycle()
        self.was_used = True

    async def exchange(self, head: h11.Request, request: Request, deadline: float) -> h11.Response:
        """Send a request and wait for the head of its answer, until `deadline` on trio's clock."""
        idle = request.timeout.idle
        self._socket.idle = math.inf if idle is None else idle
        self._socket.deadline = deadline
        self.received = 0
        self.has_head = self.is_cut = False
        if isinstance(request.body, bytes) and len(request.body) <= _SMALL:
            await self._send(head, (request.body,))
            return await self._head()
        return await self._upload(head, _pieces(request.body))

    async def receive(self) -> bytes:
        """Give what has come of the body, waiting for some if there is none; nothing at its end."""
        if self._early:
            return self._early.popleft()
        if self._failure is not None:
            raise self._failure
        http = self._http
        # InfluxDB sends chunks of a few KB: what reads the answer is told of all that are there at once.
        pieces: list[bytes] = []
        while http.their_state not in _RESPONSE_COMPLETE:
            try:
                event = http.next_event()
            except h11.RemoteProtocolError as error:
                if not pieces:
                    raise
                self._failure = error
                break
            if isinstance(event, h11.Data):
                pieces.append(event.data)
            elif event is not h11.NEED_DATA or pieces:
                break
            else:
                await self._receive_more()
        return b"".join(pieces)

    async def _upload(self, head: h11.Request, pieces: Iterator[bytes]) -> h11.Response:
        """Send a body and listen meanwhile: a server that refuses it says so before it has read all of it."""
        failures: list[Exception] = []
        responses: list[h11.Response] = []
        early: list[bytes] = []
        sent = trio.Event()

        async def send() -> None:
            try:
                await self._send(head, pieces)
            except Exception as error:  # noqa: BLE001 - raised below, without the group that a nursery makes of it
                failures.append(error)
                nursery.cancel_scope.cancel()
            sent.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            try:
                responses.append(await self._head())
                with trio.move_on_after(_GRACE):
                    await sent.wait()
                room = _EARLY
                while not self._is_sent and room > 0 and (piece := await self.receive()):
                    early.append(piece)
                    room -= len(piece)
            except Exception as error:  # noqa: BLE001 - as above
                failures.append(error)
            nursery.cancel_scope.cancel()
        if failures:
            raise failures[0]
        self._early.extend(early)
        return responses[0]

    async def _send(self, head: h11.Request, pieces: Iterable[bytes]) -> None:
        """Send a request, with its head and first piece in one."""
        self._is_sent = False
        send = self._http.send_with_data_passthrough  # large pieces are not copied into one with their framing
        waiting = list(send(head) or ())
        try:
            for number, piece in enumerate(pieces):
                if number:
                    await trio.lowlevel.checkpoint()  # a long upload is not alone
                if piece:
                    waiting += send(h11.Data(data=piece)) or ()
                    await self._stream.send_all(b"".join(waiting))
                    waiting.clear()
            waiting += send(h11.EndOfMessage()) or ()
            if any(waiting):
                await self._stream.send_all(b"".join(waiting))
            self._is_sent = True
        except trio.BrokenResourceError:
            # A server that refuses a request answers before it has read all of it, and then closes: the answer may be
            # here already, and says more than the broken connection.
            self._http.send_failed()

    async def _head(self) -> h11.Response:
        while True:
            event = await self._next_event()
            if isinstance(event, h11.Response):
                self.has_head = True
                return event
            if not isinstance(event, h11.InformationalResponse):
                msg = f"not an answer but {event!r}"
                raise h11.RemoteProtocolError(msg)

    async def _next_event(self) -> h11.Event | type[h11.PAUSED]:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            await self._receive_more()
        return event  # type: ignore[return-value]  # NEED_DATA it is not

    async def _receive_more(self) -> None:
        data = await self._stream.receive_some(_PIECE)
        self.received += len(data)
        self.is_cut = not data
        self._http.receive_data(bytes(data))


def _pieces(body: bytes | Iterable[bytes]) -> Iterator[bytes]:
    if not isinstance(body, bytes):
        yield from body
        return
    view = memoryview(body)
    for at in range(0, len(body), _PIECE):
        yield view[at : at + _PIECE]  # type: ignore[misc]  # as good as bytes to h11
