"""One HTTP/1.1 connection: h11 over a trio stream."""

from __future__ import annotations

import select
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager

import h11
import trio
from influx_proto.adapter import Headers, ProtocolError, Request, Response, Settings, TransportError

_PIECE = 64 * 1024

#: InfluxDB puts the text of an error into a header, up to 1024 bytes of it, and proxies add their own.
_LONGEST_HEAD = 64 * 1024


class Connection:
    """An open connection. After each exchange `is_reusable` says whether it can carry another."""

    def __init__(self, stream: trio.abc.Stream, descriptor: int, settings: Settings) -> None:
        self._stream = stream
        self._descriptor = descriptor
        self._settings = settings
        self._where = settings.server.netloc
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LONGEST_HEAD)
        self._deadline = float("inf")
        self._received = 0

    @property
    def is_reusable(self) -> bool:
        """Whether the exchange before is complete on both sides, and the server keeps the connection."""
        return self._http.our_state is h11.DONE and self._http.their_state is h11.DONE

    @property
    def is_stale(self) -> bool:
        """Whether the server has closed an idle connection, or sent what nobody asked for."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        return bool(poll.poll(0))

    async def aclose(self) -> None:
        """Close the connection at once, also when cancelled."""
        await trio.aclose_forcefully(self._stream)

    def reuse(self) -> None:
        """Make ready for another exchange."""
        self._http.start_next_cycle()

    async def exchange(self, request: Request, deadline: float) -> Response[AsyncIterator[bytes]]:
        """Send a request and wait for the head of its answer, until `deadline` on trio's clock."""
        self._deadline = deadline
        self._received = 0
        try:
            await self._send_request(request)
        except trio.BrokenResourceError:
            # A server that refuses a request answers before it has read all of it, and then closes: the answer may be
            # here already, and says more than the broken connection.
            self._http.send_failed()
        head = await self._next_event()
        while isinstance(head, h11.InformationalResponse):
            head = await self._next_event()
        if not isinstance(head, h11.Response):
            msg = f"what {self._where} answers is no HTTP answer but {head!r}"
            raise ProtocolError(msg)
        headers = Headers((name.decode(errors="replace"), value.decode(errors="replace"))
                          for name, value in head.headers.raw_items())  # fmt: skip
        return Response(head.status_code, headers, Body(self))

    async def receive(self) -> bytes:
        """Give the next piece of the body, or nothing at its end."""
        event = await self._next_event()
        return bytes(event.data) if isinstance(event, h11.Data) else b""

    async def _send_request(self, request: Request) -> None:
        headers = [("Host", self._where), *request.headers]
        if request.size is None:
            headers.append(("Transfer-Encoding", "chunked"))
        elif request.method != "GET":
            headers.append(("Content-Length", str(request.size)))
        await self._send(h11.Request(method=request.method, target=request.target, headers=headers))
        for piece in (request.body,) if isinstance(request.body, bytes) else request.body:
            if piece:
                await self._send(h11.Data(data=piece))
        await self._send(h11.EndOfMessage())

    async def _send(self, event: h11.Request | h11.Data | h11.EndOfMessage) -> None:
        # Large bodies go through h11 without being copied into one piece with their framing.
        for data in self._http.send_with_data_passthrough(event) or ():
            if data:
                with self._patience():
                    await self._stream.send_all(data)

    async def _next_event(self) -> h11.Event | type[h11.NEED_DATA | h11.PAUSED]:
        while True:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as error:
                if self._http.their_state in {h11.SEND_RESPONSE, h11.IDLE}:
                    msg = f"what {self._where} answers is no HTTP: {error}"
                    raise ProtocolError(msg) from error
                msg = f"the answer of {self._where} is cut short or garbled: {error}"
                raise ProtocolError(msg, retryable=True) from error
            if event is not h11.NEED_DATA:
                return event
            try:
                with self._patience():
                    data = await self._stream.receive_some(_PIECE)
            except trio.BrokenResourceError as error:
                msg = f"{self._where} broke the connection: {error.__cause__ or error}"
                raise TransportError(msg) from error
            if not data and not self._received:
                msg = f"{self._where} closed the connection without an answer"
                raise TransportError(msg)
            self._received += len(data)
            self._http.receive_data(bytes(data))

    @contextmanager
    def _patience(self) -> Generator[None]:
        """Bound the wait for one piece, and of the whole exchange."""
        timeout = self._settings.timeout
        idle = trio.current_time() + (float("inf") if timeout.idle is None else timeout.idle)
        try:
            with trio.fail_at(min(idle, self._deadline)):
                yield
        except trio.TooSlowError as error:
            if idle <= self._deadline:
                msg = f"{self._where} was silent for {timeout.idle} s"
            else:
                msg = f"{self._where} did not finish within {timeout.total} s"
            raise TransportError(msg) from error


class Body:
    """The pieces of an answer's body as they arrive."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        piece = await self._connection.receive()
        if not piece:
            raise StopAsyncIteration
        return piece
