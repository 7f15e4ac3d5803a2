"""A write in one or more batches, encoded while earlier ones are sent."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Iterator
from contextlib import AsyncExitStack, ExitStack, aclosing
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from .._encode.batch import Batch
from .._encode.encoder import Encoder
from .._errors import RejectedLine, SerializationError
from .._http.compression import GZIP_MAGIC
from .._http.timeout import Timeout
from .._runtime.flow import Flow, arun, run
from .._runtime.op import ConcurrentOperation, Op
from .._runtime.settings import Settings
from .._runtime.transport import AsyncTransport, Clock, Transport
from .delivery import deliver, deliver_accepted, partial_write
from .request import Target, WriteReceiver, batch_request, write_flow

if TYPE_CHECKING:
    from .._runtime.transport import AsyncSignal, Background, Threads

BackgroundT = TypeVar("BackgroundT")


class MakeEncoder(Protocol):
    """Creates the encoder of a write for a client's settings."""

    def __call__(
        self, settings: Settings, *, stamp: Callable[[], int] | None = None, eager: bool = False
    ) -> Encoder: ...


#: The settings of a client without configuration.
_DEFAULTS = Settings()
#: Types of data after which an encoder is used again: it refers to no class of the program.
_SINGLE = (dict, bytes, str)


class WriteOptions:
    """The arguments of a write except its data, already checked.

    Args:
        make_encoder: creates an encoder.
        target: the parameters of the requests, and whether the client adds its database or bucket to them.
        stamp: whether points and lines without a timestamp receive that of the client.
        find_rejected: whether to store all lines that the server accepts.
        in_flight: the maximum number of concurrent requests.
        timeout: the timeout of each request; None for that of the client.
    """

    def __init__(
        self,
        make_encoder: MakeEncoder,
        target: Target,
        *,
        stamp: bool,
        find_rejected: bool,
        in_flight: int,
        timeout: Timeout | None,
    ) -> None:
        self.make_encoder = make_encoder
        self.target = target
        self.stamp = stamp
        self.find_rejected = find_rejected
        self.in_flight = in_flight
        self.timeout = timeout
        # Create an encoder now, so that invalid options raise immediately. The write uses it if no setting differs.
        self._encoders = [make_encoder(_DEFAULTS)]

    def take_encoder(self) -> Encoder | None:
        """Return an unused encoder without settings of a client, or None if there is none."""
        try:
            return self._encoders.pop()
        except IndexError:
            return None

    def put_back(self, encoder: Encoder) -> None:
        """Keep an encoder, which must be empty, for the next write."""
        if not self._encoders:
            self._encoders.append(encoder)


class WriteOperation(ConcurrentOperation[bool]):
    """The requests of one write, created lazily. Iteration yields their `Op`s."""

    def __init__(self, data: object, options: WriteOptions) -> None:
        self._data: Any = data
        self.options = options

    def __iter__(self) -> Iterator[Op[bool]]:
        if self.options.stamp:
            raise ValueError("stamp: requires the clock of a client; call write of a client")
        return map(self._op, self.options.make_encoder(_DEFAULTS).encode(self._data))

    def single_op(self) -> Op[bool]:
        """Return the request of a write that has only one.

        Raises:
            SerializationError: the data has no points. Or it mixes points, which have nanosecond timestamps, with
                raw line protocol in another precision: a request has only one precision.
        """
        ops = list(self)
        if len(ops) != 1:
            msg = (
                "raw line protocol in another precision than ns, mixed with points, requires several requests; use "
                "write_batches"
                if ops
                else "no points to write"
            )
            raise SerializationError(msg)
        return ops[0]

    def flow(self, settings: Settings, clock: Clock) -> Flow[bool]:
        """Write the batches one after the other. An error has a note with the number of lines stored before it."""
        return self._flow(self.batches(settings, clock), settings, clock)

    def run(
        self,
        settings: Settings,
        transport: Transport,
        background: Callable[[], tuple[Threads, Callable[[Callable[[], None]], object]] | None],
    ) -> bool:
        """Write all batches. If `background` returns threads, it encodes a batch while earlier ones are sent."""
        batches = self._start_encoding(settings, transport)
        if isinstance(batches, list):
            return run(self._flow(batches, settings, transport), transport)
        concurrency = self._check_concurrency(background())
        with _Delivery(self.options, settings, transport) as delivery, ExitStack() as stack:

            def send(batch: Batch) -> None:
                run(delivery.deliver(batch), transport)

            put = send
            if concurrency is not None:
                from .concurrent import ConcurrentSender  # noqa: PLC0415 - only needed for large writes

                put = stack.enter_context(ConcurrentSender(self.options.in_flight, send, concurrency[1])).put
            for batch in batches:
                put(batch)
        return True

    async def arun(
        self,
        settings: Settings,
        transport: AsyncTransport,
        background: Callable[[], tuple[AsyncSignal, Background] | None],
    ) -> bool:
        """Write all batches over an async transport. The data may be an async iterable."""
        if hasattr(self._data, "__aiter__"):
            async_batches = encode_async(self.create_encoder(settings, transport), self._data)
        else:
            batches = self._start_encoding(settings, transport)
            if isinstance(batches, list):
                return await arun(self._flow(batches, settings, transport), transport)
            async_batches = _as_async(batches)
        concurrency = self._check_concurrency(background())
        with _Delivery(self.options, settings, transport) as delivery:

            async def send(batch: Batch) -> None:
                await arun(delivery.deliver(batch), transport)

            async with aclosing(async_batches), AsyncExitStack() as stack:
                put = send
                if concurrency is not None:
                    from .concurrent import AsyncConcurrentSender  # noqa: PLC0415 - see above

                    sender = AsyncConcurrentSender(self.options.in_flight, send, *concurrency)
                    put = (await stack.enter_async_context(sender)).put
                async for batch in async_batches:
                    await put(batch)
        return True

    def batches(self, settings: Settings, clock: Clock) -> Iterator[Batch]:
        """Return the batches, encoded lazily; the arguments are those of `create_encoder`."""
        return self.create_encoder(settings, clock).encode(self._data)

    def _start_encoding(self, settings: Settings, clock: Clock) -> list[Batch] | Iterator[Batch]:
        """Return the batches: a list for a small write that does not fill a batch, otherwise a lazy iterator."""
        encoder = self.create_encoder(settings, clock)
        full = iter(encoder.add(self._data))
        first = next(full, None)
        if first is not None:
            return chain((first,), full, _close(encoder))
        batches = encoder.close()
        if type(self._data) in _SINGLE and self._has_defaults(settings):
            self.options.put_back(encoder)
        return batches

    def _flow(self, batches: Iterable[Batch], settings: Settings, clock: Clock) -> Flow[bool]:
        with _Delivery(self.options, settings, clock) as delivery:
            for batch in batches:
                yield from delivery.deliver(batch)
        return True

    def _check_concurrency(self, background: BackgroundT | None) -> BackgroundT | None:
        if background is None and self.options.in_flight > 1:
            raise ValueError("in_flight: must be 1, since this client cannot send batches concurrently")
        return background

    def _op(self, batch: Batch) -> Op[bool]:
        return Op(batch_request(batch, self.options.target), WriteReceiver, self.options.timeout)

    def create_encoder(self, settings: Settings, clock: Clock, *, eager: bool = False) -> Encoder:
        """Return an encoder for the data.

        Args:
            settings: the settings of the client.
            clock: the clock of the client.
            eager: return each item of a lazy source, such as a generator, in a batch before the next item is requested.
        """
        if not eager and self._has_defaults(settings) and (encoder := self.options.take_encoder()) is not None:
            return encoder
        stamp = partial(settings.stamps.next, clock.time_ns) if self.options.stamp else None
        return self.options.make_encoder(settings, stamp=stamp, eager=eager)

    def _has_defaults(self, settings: Settings) -> bool:
        """Return whether the encoder depends on no setting of the client."""
        is_default = not (self.options.stamp or settings.tags or settings.bucket)
        return is_default and settings.types is _DEFAULTS.types


def check_not_compressed(data: object) -> None:
    """Raise `SerializationError` for data that is compressed with gzip."""
    if isinstance(data, (bytes, bytearray, memoryview)) and bytes(data[:2]) == GZIP_MAGIC:
        raise SerializationError("data: is compressed with gzip; use write_compressed")


def _close(encoder: Encoder) -> Iterator[Batch]:
    """Yield the remaining batches; unlike `encoder.close`, lazily."""
    yield from encoder.close()


async def _as_async(batches: Iterable[Batch]) -> AsyncGenerator[Batch]:
    for batch in batches:
        yield batch


async def encode_async(encoder: Encoder, data: AsyncIterable[object], *, eager: bool = False) -> AsyncGenerator[Batch]:
    """Yield the batches of an async iterable as they become full, and the last ones at its end."""
    async with AsyncExitStack() as stack:
        if isinstance(data, AsyncGenerator):
            # An async generator that is not exhausted would otherwise be finalized by the event loop, later.
            await stack.enter_async_context(aclosing(data))
        async for item in data:
            for batch in encoder.add(item, bulk=True):
                yield batch
            for batch in encoder.seal() if eager else ():
                yield batch
    for batch in encoder.close():
        yield batch


class _Delivery:
    """Delivers the batches of one write, from several threads if it is concurrent: all its changes are atomic.

    On exit, it adds notes about stored and rejected lines to an error; without one, it raises an error for rejected
    lines.
    """

    def __init__(self, options: WriteOptions, settings: Settings, clock: Clock) -> None:
        self._options = options
        self._settings = settings.with_timeout(options.timeout)
        self._clock = clock
        #: The number of lines of each successful request.
        self._stored: list[int] = []
        self._rejected: list[RejectedLine] = []

    def deliver(self, batch: Batch) -> Flow[None]:
        """Return the flow that delivers a batch."""
        return self._deliver_accepted(batch) if self._options.find_rejected else deliver(batch, self._send)

    def _deliver_accepted(self, batch: Batch) -> Flow[None]:
        self._rejected += yield from deliver_accepted(batch, self._send)

    def _send(self, batch: Batch) -> Flow[bool]:
        yield from write_flow(batch, self._options.target, self._settings, self._clock)
        self._stored.append(batch.lines)
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, Exception):  # also one that the iterable or token() of the caller raised
            if self._stored:
                error.add_note(f"{_other_lines(sum(self._stored))} stored")
            if self._rejected:
                error.add_note(f"{_other_lines(len(self._rejected))} rejected, the first: {self._rejected[0]}")
        elif error is None and self._rejected:
            raise partial_write(self._rejected)


def _other_lines(count: int) -> str:
    return f"{count} other line{' of this write was' if count == 1 else 's of this write were'}"
