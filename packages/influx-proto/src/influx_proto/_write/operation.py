"""One write: its batches, made while they are sent, and what has become of them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Iterator
from contextlib import AsyncExitStack, ExitStack, aclosing
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from .._encode.batch import Batch
from .._errors import InfluxDBError, RejectedLine, SerializationError
from .._http.timeout import Timeout
from .._runtime.flow import Flow, arun, run
from .._runtime.op import Op, Operation
from .._runtime.settings import Settings
from .._runtime.transport import AsyncTransport, Clock, Transport
from .delivery import deliver, deliver_accepted, partial_write
from .request import Target, write_op

if TYPE_CHECKING:
    from .._encode.encoder import Encoder
    from .._runtime.transport import AsyncSignal, Background, Signal

BackgroundT = TypeVar("BackgroundT")


class MakeEncoder(Protocol):
    """Makes the encoder of a write for a client's settings."""

    def __call__(
        self, settings: Settings, *, stamp: Callable[[], int] | None = None, eager: bool = False
    ) -> Encoder: ...


#: The settings of a client that was told nothing.
_DEFAULTS = Settings()


class WriteOperation(Operation[bool]):
    """The requests of one write, made one by one while they are sent; iterating it gives their `Op`s."""

    def __init__(
        self,
        data: object,
        make_encoder: MakeEncoder,
        target: Target,
        *,
        stamp: bool,
        find_rejected: bool,
        in_flight: int,
        timeout: Timeout | None = None,
    ) -> None:
        # Wrong options are told at once, not when the first batch is due; the encoder may then be the one for it.
        self._first: Encoder | None = make_encoder(_DEFAULTS)
        self._data: Any = data
        self._make_encoder = make_encoder
        #: Where it goes: the parameters of the request, and whether the client's database is one of them.
        self.target = target
        self._stamp = stamp
        self._find_rejected = find_rejected
        self._senders = in_flight
        self._timeout = timeout

    def __iter__(self) -> Iterator[Op[bool]]:
        if self._stamp:
            msg = "stamp: needs a client, which has a clock"
            raise ValueError(msg)
        return map(self._op, self._make_encoder(_DEFAULTS).encode(self._data))

    def only(self) -> Op[bool]:
        """Give the one request of a write that was not divided.

        Raises:
            SerializationError: there is nothing to write; or ready-made lines in another precision than nanoseconds
                stand beside points, whose times are in nanoseconds, and one request can have but one precision.
        """
        found = list(self)
        if len(found) != 1:
            msg = (
                "ready-made lines with a precision of their own beside points need several requests: use write_batches"
                if found
                else "there is nothing to write"
            )
            raise SerializationError(msg)
        return found[0]

    def flow(self, settings: Settings, clock: Clock) -> Flow[bool]:
        """Write batch after batch; an error says how much was stored before it."""
        return self._flow(self.batches(settings, clock), settings, clock)

    def run(
        self,
        settings: Settings,
        transport: Transport,
        background: Callable[[], tuple[Signal, Callable[[Callable[[], None]], object]] | None],
    ) -> bool:
        """Write batch after batch; where `background` gives threads, the next is made while others are on their way."""
        batches = self._begun(settings, transport)
        if isinstance(batches, list):
            return run(self._flow(batches, settings, transport), transport)
        beside = self._beside(background())
        with WriteOutcome() as account, ExitStack() as stack:
            deliver = self._deliverer(account, settings, transport)

            def send(batch: Batch) -> None:
                run(deliver(batch), transport)

            put = send
            if beside is not None:
                from .concurrent import ConcurrentSender  # noqa: PLC0415 - only needed where there is much to write

                put = stack.enter_context(ConcurrentSender(self._senders, send, *beside)).put
            for batch in batches:
                put(batch)
        return True

    async def arun(
        self,
        settings: Settings,
        transport: AsyncTransport,
        background: Callable[[], tuple[AsyncSignal, Background] | None],
    ) -> bool:
        """Do the same over an awaiting transport; the data may come from an asynchronous iterable."""
        if hasattr(self._data, "__aiter__"):
            several = _read(self._encoder(settings, transport), self._data)
        else:
            batches = self._begun(settings, transport)
            if isinstance(batches, list):
                return await arun(self._flow(batches, settings, transport), transport)
            several = _in_turn(batches)
        beside = self._beside(background())
        with WriteOutcome() as account:
            deliver = self._deliverer(account, settings, transport)

            async def send(batch: Batch) -> None:
                await arun(deliver(batch), transport)

            async with aclosing(several) as in_turn, AsyncExitStack() as stack:
                put = send
                if beside is not None:
                    from .concurrent import AsyncConcurrentSender  # noqa: PLC0415 - as above

                    put = (await stack.enter_async_context(AsyncConcurrentSender(self._senders, send, *beside))).put
                async for batch in in_turn:
                    await put(batch)
        return True

    def batches(self, settings: Settings, clock: Clock, *, eager: bool = False) -> Iterator[Batch]:
        """Give the batches, made one by one as they are taken.

        Args:
            settings: the client's.
            clock: the client's.
            eager: what a source gives that makes its values as it is read, a generator for instance, is not kept
                until a batch is full or the source ends.
        """
        return self._encoder(settings, clock, eager=eager).encode(self._data)

    async def abatches(self, settings: Settings, clock: Clock, *, eager: bool = False) -> AsyncGenerator[Batch]:
        """Give the batches of data that may come from an asynchronous iterable; the generator is to be closed."""
        if not hasattr(self._data, "__aiter__"):
            for batch in self.batches(settings, clock, eager=eager):
                yield batch
            return
        encoder = self._encoder(settings, clock, eager=eager)
        async with aclosing(_read(encoder, self._data, eager=eager)) as batches:
            async for batch in batches:
                yield batch

    def _begun(self, settings: Settings, clock: Clock) -> list[Batch] | Iterator[Batch]:
        """Give the batches: a list if no batch became full, as of a small write; otherwise made as they are taken."""
        encoder = self._encoder(settings, clock)
        full = iter(encoder.add(self._data))
        first = next(full, None)
        return encoder.close() if first is None else chain((first,), full, _rest(encoder))

    def _flow(self, batches: Iterable[Batch], settings: Settings, clock: Clock) -> Flow[bool]:
        with WriteOutcome() as account:
            deliver = self._deliverer(account, settings, clock)
            for batch in batches:
                yield from deliver(batch)
        return True

    def _beside(self, background: BackgroundT | None) -> BackgroundT | None:
        if background is None and self._senders > 1:
            msg = "in_flight: this client sends one batch after the other"
            raise ValueError(msg)
        return background

    def _deliverer(self, account: WriteOutcome, settings: Settings, clock: Clock) -> Callable[[Batch], Flow[None]]:
        # Several batches may be delivered at a time, by several threads: what is done here to the account is atomic.
        def send(batch: Batch) -> Flow[bool]:
            yield from self._op(batch).flow(settings, clock)
            account.stored.append(batch.lines)
            return True

        def deliver_and_collect(batch: Batch) -> Flow[None]:
            account.rejected += yield from deliver_accepted(batch, send)

        return deliver_and_collect if self._find_rejected else partial(deliver, send=send)

    def _op(self, batch: Batch) -> Op[bool]:
        params, wants_db = self.target
        return write_op(batch, params, wants_db=wants_db, timeout=self._timeout)

    def _encoder(self, settings: Settings, clock: Clock, *, eager: bool = False) -> Encoder:
        first, self._first = self._first, None
        as_it_is = not eager and not self._stamp and not settings.tags and settings.types is _DEFAULTS.types
        if first is not None and as_it_is:
            return first
        stamp = partial(settings.stamps.next, clock.time_ns) if self._stamp else None
        return self._make_encoder(settings, stamp=stamp, eager=eager)


def _rest(encoder: Encoder) -> Iterator[Batch]:
    """Give what is left when all was added."""
    yield from encoder.close()


async def _in_turn(batches: Iterable[Batch]) -> AsyncGenerator[Batch]:
    for batch in batches:
        yield batch


async def _read(encoder: Encoder, data: AsyncIterable[object], *, eager: bool = False) -> AsyncGenerator[Batch]:
    """Give the batches of an asynchronous iterable as they become full, and what is left in the end."""
    async with AsyncExitStack() as stack:
        if isinstance(data, AsyncGenerator):
            # A generator that is left half-way would be finished by nobody knows whom.
            await stack.enter_async_context(aclosing(data))
        async for item in data:
            for batch in encoder.add(item, bulk=True):
                yield batch
            for batch in encoder.close() if eager else ():
                yield batch
    for batch in encoder.close():
        yield batch


class WriteOutcome:
    """Notes on an error what was stored before it; and raises one in the end where lines were rejected."""

    def __init__(self) -> None:
        #: The lines of each request that succeeded.
        self.stored: list[int] = []
        self.rejected: list[RejectedLine] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, InfluxDBError):
            if self.stored:
                error.add_note(f"{sum(self.stored)} other lines of this write were stored")
            if self.rejected:
                count = len(self.rejected)
                error.add_note(f"{count} other lines of this write were rejected, the first: {self.rejected[0]}")
        elif error is None and self.rejected:
            raise partial_write(self.rejected)
