"""Streams: context managers that yield the items of a response while it arrives.

Opening a stream is retried until the server begins a 200 response. Later failures are raised to the reader, who has
already received some items. On exit the connection is released.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    AsyncExitStack,
    ExitStack,
    asynccontextmanager,
    contextmanager,
)
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Generic, NoReturn, TypeVar

from .._errors import InfluxDBError
from .._http.auth import aauthorized, authorized
from .._http.compression import split_compressed, with_decompression
from .._http.error_response import raise_if_decided
from .._http.formats import UnsupportedMessagePack, requests_messagepack
from .._http.messages import MESSAGE_PACK, BodyT, Headers, Request, media_type
from .._http.observer import Exchange
from .._http.timeout import Timeout
from .._repr import counted
from .flow import Attempt, arun, exchange_of, request_flow, run
from .op import Decoder
from .settings import Settings
from .transport import AsyncTransport, Transport

if TYPE_CHECKING:
    from types import TracebackType

T = TypeVar("T")

#: Number of bytes of a compressed body that certainly contain its first uncompressed byte.
_COMPRESSED_BYTES: Final = 64


@dataclass(frozen=True, slots=True)
class StreamOp(Generic[T]):
    """An operation whose response is a stream of items: the request to send and the decoder of the response.

    With your own HTTP library: create the decoder from status and headers, feed it the chunks of the body, use the
    items that each `feed` returns, and call `close` at the end, which returns the last items.
    """

    request: Request
    #: Creates the decoder of a response from its status and headers.
    decoder: Callable[[int, Headers], Decoder[T]]
    #: Overrides the client's timeout; None keeps it.
    timeout: Timeout | None = None

    def completed(self, settings: Settings) -> StreamOp[T]:
        """Return the operation with its request completed for a client with these settings."""
        return replace(self, request=settings.with_timeout(self.timeout).complete(self.request))


class StreamContext(AbstractContextManager[Iterator[T]]):
    """Context manager of a stream over a sync transport; iterating it without `with` raises `TypeError`."""

    def __init__(self, op: StreamOp[T], settings: Settings, transport: Transport) -> None:
        self._opening = _opened(op, settings, transport)

    def __enter__(self) -> Iterator[T]:
        return self._opening.__enter__()

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        return self._opening.__exit__(error_type, error, traceback)

    def __iter__(self) -> NoReturn:
        raise TypeError("open a stream by `with`: with client.query_points(...) as points: for point in points: ...")


class AsyncStreamContext(AbstractAsyncContextManager[AsyncIterator[T]]):
    """Async counterpart of `StreamContext`."""

    def __init__(self, op: StreamOp[T], settings: Settings, transport: AsyncTransport) -> None:
        self._opening = _aopened(op, settings, transport)

    async def __aenter__(self) -> AsyncIterator[T]:
        return await self._opening.__aenter__()

    async def __aexit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        return await self._opening.__aexit__(error_type, error, traceback)

    def __aiter__(self) -> NoReturn:
        raise TypeError(
            "open a stream by `async with`: "
            "async with client.query_points(...) as points: async for point in points: ..."
        )


@contextmanager
def _opened(op: StreamOp[T], settings: Settings, transport: Transport) -> Generator[Iterator[T]]:
    op = op.completed(settings)
    with ExitStack() as stack:

        def exchange(attempt: Attempt, transport: Transport) -> _Items[T]:
            with ExitStack() as opening:
                record = opening.enter_context(exchange_of(attempt, transport))
                response = opening.enter_context(transport.open(authorized(attempt.request)))
                record.status = response.status
                decoder = op.decoder(response.status, response.headers)
                items = _Items(response.body, with_decompression(decoder, response.headers), record)
                if response.status != 200:
                    items.read_error(response.status, decoder)
                elif settings.formats.has_messagepack is None and requests_messagepack(attempt.request):
                    items.begin(response.headers)
                stack.enter_context(opening.pop_all())  # the response stays open
            return items

        items = run(request_flow(op.request, op.decoder, settings, transport.now), transport, exchange)
        try:
            yield items
        except UnsupportedMessagePack:  # the server was replaced since an earlier response
            settings.formats.has_messagepack = False
            raise


@asynccontextmanager
async def _aopened(op: StreamOp[T], settings: Settings, transport: AsyncTransport) -> AsyncGenerator[AsyncIterator[T]]:
    op = op.completed(settings)
    async with AsyncExitStack() as stack:

        async def exchange(attempt: Attempt, transport: AsyncTransport) -> _AsyncItems[T]:
            async with AsyncExitStack() as opening:
                record = opening.enter_context(exchange_of(attempt, transport))
                response = await opening.enter_async_context(transport.open(await aauthorized(attempt.request)))
                record.status = response.status
                decoder = op.decoder(response.status, response.headers)
                items = _AsyncItems(response.body, with_decompression(decoder, response.headers), record)
                if response.status != 200:
                    await items.read_error(response.status, decoder)
                elif settings.formats.has_messagepack is None and requests_messagepack(attempt.request):
                    await items.begin(response.headers)
                await stack.enter_async_context(opening.pop_all())  # the response stays open
            return items

        items = await arun(request_flow(op.request, op.decoder, settings, transport.now), transport, exchange)
        try:
            yield items
        except UnsupportedMessagePack:  # the server was replaced since an earlier response
            settings.formats.has_messagepack = False
            raise


def _first_bytes(headers: Headers) -> int:
    """Return the number of bytes of a body from which the decoder sees whether it supports its MessagePack."""
    if media_type(headers.get("Content-Type")) not in MESSAGE_PACK:
        return 0
    return _COMPRESSED_BYTES if "Content-Encoding" in headers else 1


class _ItemsBase(Generic[BodyT, T]):
    """Items of a response, decoded as its chunks arrive."""

    def __init__(self, body: BodyT, decoder: Decoder[T], record: Exchange) -> None:
        self._body = body
        self._decoder = decoder
        self._record = record
        self._portions: deque[bytes] = deque()
        self._ready: deque[T] = deque()
        self._ended = False

    def __repr__(self) -> str:
        received = counted(self._record.received, "byte")
        return f"<stream of a query: {received} received{', ended' if self._ended else ''}>"

    def _has_begun(self, headers: Headers) -> bool:
        """Return whether the decoder has read the first bytes of the body."""
        if self._ready or self._ended:
            return True
        return not self._portions and self._record.received >= _first_bytes(headers)

    def _decode_portion(self) -> bool:
        """Decode the next portion of the chunk that was received last; return False if there is none."""
        if not self._portions:
            return False
        self._ready.extend(self._decoder.feed(self._portions.popleft()))
        return True

    def _receive(self, data: bytes) -> None:
        self._record.received += len(data)
        self._portions.extend(split_compressed(self._decoder, data))

    def _finish(self) -> None:
        self._ended = True
        self._ready.extend(self._decoder.close())


class _Items(_ItemsBase[Iterator[bytes], T]):
    """Iterator over the items of a response."""

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        while not self._ready:
            if self._ended:
                raise StopIteration
            self._advance()
        return self._ready.popleft()

    def read_error(self, status: int, receiver: Decoder[T]) -> None:
        """Read the body of an error response, whose receiver raises at its end."""
        try:
            for _ in self:
                pass
        except InfluxDBError as error:
            raise_if_decided(status, receiver.close, error)
            raise

    def begin(self, headers: Headers) -> None:
        """Decode the first bytes of the body, which raises if the server's MessagePack is unsupported."""
        while not self._has_begun(headers):
            self._advance()

    def _advance(self) -> None:
        """Receive or decode the next portion of the body."""
        if self._decode_portion():
            return
        for data in self._body:
            self._receive(data)
            return
        self._finish()


class _AsyncItems(_ItemsBase[AsyncIterator[bytes], T]):
    """Async iterator over the items of a response."""

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        while not self._ready:
            if self._ended:
                raise StopAsyncIteration
            await self._advance()
        return self._ready.popleft()

    async def read_error(self, status: int, receiver: Decoder[T]) -> None:
        """Read the body of an error response, whose receiver raises at its end."""
        try:
            async for _ in self:
                pass
        except InfluxDBError as error:
            raise_if_decided(status, receiver.close, error)
            raise

    async def begin(self, headers: Headers) -> None:
        """Decode the first bytes of the body, which raises if the server's MessagePack is unsupported."""
        while not self._has_begun(headers):
            await self._advance()

    async def _advance(self) -> None:
        """Receive or decode the next portion of the body."""
        if self._decode_portion():
            return
        async for data in self._body:
            self._receive(data)
            return
        self._finish()
