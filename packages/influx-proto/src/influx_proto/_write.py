"""Writing: which requests a write consists of, and reading their answers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, aclosing
from typing import Self, TypeAlias

from ._errors import InfluxDBError, SerializationError
from ._flow import AsyncTransport, Clock, Flow, arun
from ._op import Op
from ._refusals import Refusal
from ._serialize import Batch, Encoder
from ._settings import Settings
from ._wire import Headers, Repeat, Request, add_params

#: Makes the encoder of a write, with a clock for points without a time or without one.
MakeEncoder: TypeAlias = Callable[[Callable[[], int] | None], Encoder]


def write_op(batch: Batch, params: Sequence[tuple[str, str]], *, wants_db: bool) -> Op[bool]:
    """Make the request that writes a batch."""
    target = add_params("/write", [*params, ("precision", batch.precision)])
    repeat = Repeat.ALWAYS if batch.timed else Repeat.UNLESS_RECEIVED
    return Op(Request("POST", target, body=batch.data, repeat=repeat, wants_db=wants_db), WriteReceiver)


class WriteReceiver:
    """Receives the answer to a write, of which 204 is the only one that says that all is stored."""

    def __init__(self, status: int, headers: Headers) -> None:
        self._status = status
        self._refusal = Refusal("write", status, headers)

    def feed(self, data: bytes) -> None:
        """Take more bytes."""
        self._refusal.feed(data)

    def close(self) -> bool:
        """Take the end of the answer."""
        if self._status != 204:
            self._refusal.close()
        return True


class Writes:
    """The requests of one write, made one by one while they are sent; iterating it gives their `Op`s."""

    def __init__(
        self, data: object, make_encoder: MakeEncoder, make_op: Callable[[Batch], Op[bool]], *, stamp: bool
    ) -> None:
        make_encoder(None)  # wrong options are told at once, not when the first batch is due
        self._data = data
        self._make_encoder = make_encoder
        self._make_op = make_op
        self._stamp = stamp

    def __iter__(self) -> Iterator[Op[bool]]:
        if self._stamp:
            msg = "stamp: needs a client, which has a clock"
            raise ValueError(msg)
        return map(self._make_op, self._make_encoder(None).encode(self._data))

    def only(self) -> Op[bool]:
        """Give the one request of a write that was not divided.

        Raises:
            SerializationError: there is nothing to write.
        """
        for op in self:
            return op
        msg = "there is nothing to write"
        raise SerializationError(msg)

    def flow(self, settings: Settings, clock: Clock) -> Flow[bool]:
        """Write batch after batch; an error says how much was stored before it."""
        with _Account() as account:
            for batch in self._encoder(clock).encode(self._data):
                yield from self._make_op(batch).flow(settings, clock)
                account.stored += batch.lines
        return True

    async def arun(self, settings: Settings, transport: AsyncTransport) -> bool:
        """Do what `flow` says, over data that may come from an asynchronous iterable."""
        if not isinstance(self._data, AsyncIterable):
            return await arun(self.flow(settings, transport), transport)
        encoder = self._encoder(transport)
        with _Account() as account:

            async def send(batches: Iterable[Batch]) -> None:
                for batch in batches:
                    await arun(self._make_op(batch).flow(settings, transport), transport)
                    account.stored += batch.lines

            async with AsyncExitStack() as stack:
                if isinstance(self._data, AsyncGenerator):
                    # A generator that is left half-way would be finished by nobody knows whom.
                    await stack.enter_async_context(aclosing(self._data))
                async for item in self._data:
                    await send(encoder.add(item, bulk=True))
            await send(encoder.close())
        return True

    def _encoder(self, clock: Clock) -> Encoder:
        return self._make_encoder(clock.time_ns if self._stamp else None)


class _Account:
    """Notes on an error what was stored before it."""

    def __init__(self) -> None:
        self.stored = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, InfluxDBError) and self.stored:
            error.add_note(f"the {self.stored} lines before this request were stored")
