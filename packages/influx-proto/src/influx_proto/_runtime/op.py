"""Operations as values: a request, and the receiver of its response.

With your own HTTP library, send `op.request` and pass status, headers and body to `op.read`. To read the response while
it arrives, call `op.receiver(status, headers)` and feed it the chunks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from .._http.messages import Headers, Request
from .._http.timeout import Timeout
from .flow import Flow, request_flow
from .settings import Settings
from .transport import AsyncSignal, AsyncTransport, Background, Clock, Threads, Transport

S = TypeVar("S")
T = TypeVar("T")
U = TypeVar("U")
T_co = TypeVar("T_co", covariant=True)


class Decoder(Protocol[T_co]):
    """Decodes a response, fed in chunks of any size, into items."""

    def feed(self, data: bytes, /) -> Sequence[T_co]:
        """Return the items that are complete with this chunk."""
        ...

    def close(self) -> Sequence[T_co]:
        """Return the last items at the end of the response; raise if it is truncated."""
        ...


class Receiver(Protocol[T_co]):
    """Decodes a response, fed in chunks of any size, into one result."""

    def feed(self, data: bytes, /) -> None:
        """Decode a chunk."""
        ...

    def close(self) -> T_co:
        """Return the result at the end of the response, or raise the error that the response describes."""
        ...


class _Mapped(Generic[S, T]):
    """Receiver that applies a function to the result of another receiver."""

    def __init__(self, receiver: Receiver[S], function: Callable[[S], T]) -> None:
        self._receiver = receiver
        self._function = function
        self.feed = receiver.feed

    def close(self) -> T:
        return self._function(self._receiver.close())


class FlatMap(Generic[S, T]):
    """Decoder that applies a function to each item of another decoder and returns the items of its results."""

    def __init__(self, decoder: Decoder[S], function: Callable[[S], Iterable[T]]) -> None:
        self._decoder = decoder
        self._function = function

    def feed(self, data: bytes) -> list[T]:
        """Return the items that are complete with this chunk."""
        return [item for source in self._decoder.feed(data) for item in self._function(source)]

    def close(self) -> list[T]:
        """Return the last items at the end of the response; raise if it is truncated."""
        return [item for source in self._decoder.close() for item in self._function(source)]


@dataclass(frozen=True, slots=True)
class Op(Generic[T]):
    """An operation of one exchange: the request to send and the receiver of its response."""

    request: Request
    #: Creates the receiver of a response from its status and headers.
    receiver: Callable[[int, Headers], Receiver[T]]
    #: Overrides the client's timeout; None keeps it.
    timeout: Timeout | None = None

    def read(self, status: int, headers: Mapping[str, str] | Iterable[tuple[str, str]], body: bytes) -> T:
        """Return the result of a complete response.

        Args:
            status: the HTTP status.
            headers: the headers, as a mapping or as pairs.
            body: the body, without transfer encoding and content encoding.

        Raises:
            ResponseError: the server responded with an error.
            ProtocolError: the response is not from InfluxDB, or is truncated.
        """
        receiver = self.receiver(status, headers if isinstance(headers, Headers) else Headers(headers))
        receiver.feed(body)
        return receiver.close()

    def map(self, function: Callable[[T], U]) -> Op[U]:
        """Return the same operation with `function` applied to its result."""
        receiver = self.receiver
        return Op(self.request, lambda status, headers: _Mapped(receiver(status, headers), function), self.timeout)

    def flow(self, settings: Settings, clock: Clock) -> Flow[T]:
        """Return the flow of this operation for a client with these settings, including retries."""
        request = settings.with_timeout(self.timeout).complete(self.request)
        return request_flow(request, self.receiver, settings, clock.now)


@dataclass(frozen=True, slots=True)
class OpSequence(Generic[T]):
    """An operation of several exchanges, of which a later one depends on the results of earlier ones."""

    #: Returns the flow of the operation for a client with these settings and clocks.
    steps: Callable[[Settings, Clock], Flow[T]]
    #: Overrides the client's timeout; None keeps it.
    timeout: Timeout | None = None

    def flow(self, settings: Settings, clock: Clock) -> Flow[T]:
        """Return the flow of this operation for a client with these settings, including retries."""
        return self.steps(settings.with_timeout(self.timeout), clock)


class Operation(Protocol[T_co]):
    """Anything a client can execute: an `Op`, or an operation of several exchanges."""

    def flow(self, settings: Settings, clock: Clock, /) -> Flow[T_co]:
        """Return the flow of this operation for a client with these settings and clocks."""
        ...


class ConcurrentOperation(Generic[T]):
    """An `Operation` that a client lets run itself, since it may send several requests at a time."""

    def run(
        self,
        settings: Settings,
        transport: Transport,
        background: Callable[[], tuple[Threads, Callable[[Callable[[], None]], object]] | None],
    ) -> T:
        """Run the operation over a sync transport; `background` returns a function that starts threads, or None."""
        raise NotImplementedError

    async def arun(
        self,
        settings: Settings,
        transport: AsyncTransport,
        background: Callable[[], tuple[AsyncSignal, Background] | None],
    ) -> T:
        """Run the operation over an async transport; `background` returns a function that starts tasks, or None."""
        raise NotImplementedError
