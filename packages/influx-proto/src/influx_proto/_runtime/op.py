"""An operation is a value: a request, and how to read its answer.

Someone with an HTTP stack of their own needs no more: send `op.request`, hand status, headers and bytes to `op.read`.
Those who read the answer as it arrives use `op.receiver(status, headers)` and feed it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from .._http.messages import Headers, Request
from .._http.timeout import Timeout
from .flow import Flow, attempts
from .transport import Clock

if TYPE_CHECKING:
    from .settings import Settings

S = TypeVar("S")
T = TypeVar("T")
U = TypeVar("U")
T_co = TypeVar("T_co", covariant=True)


class Decoder(Protocol[T_co]):
    """Takes the bytes of an answer in any fragmentation, and gives items as soon as they are whole."""

    def feed(self, data: bytes, /) -> Sequence[T_co]:
        """Take more bytes; give the items they complete."""
        ...

    def close(self) -> Sequence[T_co]:
        """Take the end of the answer; give the last items, or raise if it came too early."""
        ...


class Receiver(Protocol[T_co]):
    """Takes the bytes of an answer in any fragmentation, and gives one result at its end."""

    def feed(self, data: bytes, /) -> None:
        """Take more bytes."""
        ...

    def close(self) -> T_co:
        """Take the end of the answer; give the result, or raise what went wrong."""
        ...


class _Mapped(Generic[S, T]):
    """A receiver whose result is made of another's."""

    def __init__(self, receiver: Receiver[S], function: Callable[[S], T]) -> None:
        self._receiver = receiver
        self._function = function
        self.feed = receiver.feed

    def close(self) -> T:
        return self._function(self._receiver.close())


class FlatMap(Generic[S, T]):
    """A decoder whose items are made of another's, any number of each."""

    def __init__(self, decoder: Decoder[S], function: Callable[[S], Iterable[T]]) -> None:
        self._decoder = decoder
        self._function = function

    def feed(self, data: bytes) -> list[T]:
        """Take more bytes; give the items they complete."""
        return [item for source in self._decoder.feed(data) for item in self._function(source)]

    def close(self) -> list[T]:
        """Take the end of the answer; give the last items, or raise if it came too early."""
        return [item for source in self._decoder.close() for item in self._function(source)]


@dataclass(frozen=True, slots=True)
class Op(Generic[T]):
    """One exchange with the server: the request to send and how to read the answer."""

    request: Request
    #: Makes the receiver of an answer, given its status and headers.
    receiver: Callable[[int, Headers], Receiver[T]]
    #: Replaces the client's timeout; None for the client's.
    timeout: Timeout | None = None

    def read(self, status: int, headers: Mapping[str, str] | Iterable[tuple[str, str]], body: bytes) -> T:
        """Read a whole answer.

        Args:
            status: the HTTP status.
            headers: the header fields, as a mapping or as pairs.
            body: the body, transfer and content codings already removed.

        Raises:
            ResponseError: the server said no.
            ProtocolError: this is no answer of InfluxDB, or not the whole of it.
        """
        receiver = self.receiver(status, headers if isinstance(headers, Headers) else Headers(headers))
        receiver.feed(body)
        return receiver.close()

    def map(self, function: Callable[[T], U]) -> Op[U]:
        """Give the same operation with another result: what `function` makes of this one's."""
        receiver = self.receiver
        return Op(self.request, lambda status, headers: _Mapped(receiver(status, headers), function), self.timeout)

    def flow(self, settings: Settings, clock: Clock) -> Flow[T]:
        """Say how a client with these settings does this: the request completed, with retries."""
        return attempts(
            settings.with_timeout(self.timeout).complete(self.request), self.receiver, settings.retry, clock.now
        )


class Operation(Protocol[T_co]):
    """What a client can execute: one `Op`, or several that belong together."""

    def flow(self, settings: Settings, clock: Clock, /) -> Flow[T_co]:
        """Say how a client with these settings and clocks does this."""
        ...
