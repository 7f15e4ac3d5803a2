"""Encoders of a batch writer, which are kept for further calls of `write` with the same arguments."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Iterator
from typing import Final

from .._bounded_cache import BoundedCache
from .._encode.batch import Batch
from .._runtime.settings import Settings
from .._runtime.transport import Clock
from .._write.keys import Key
from .._write.operation import WriteOperation, check_not_compressed, encode_async
from .._write.request import resolve_target

#: How many encoders are kept.
_CAPACITY: Final = 64


class BatchEncoding:
    """The target and the encoder of a call of `write`.

    Args:
        writes: the arguments of the call; its data is not used.
        settings: settings of the client.
        clock: clock of the client.
    """

    def __init__(self, writes: WriteOperation, settings: Settings, clock: Clock) -> None:
        #: The target of the lines, with the client's database or bucket. A database has one target, whether a call or
        #: the client names it, so that its lines stay in order.
        self.target = resolve_target(writes.options.target, settings)
        self._encoder = writes.create_encoder(settings, clock, eager=True)

    def batches(self, data: object) -> Iterator[Batch]:
        """Return the batches, encoded lazily: each item of a generator is one before the next item is requested."""
        check_not_compressed(data)
        return self._encoder.encode(data)

    def abatches(self, data: AsyncIterable[object]) -> AsyncGenerator[Batch]:
        """Return the batches of an async iterable. The caller must close the generator."""
        return encode_async(self._encoder, data, eager=True)


class BatchEncodings:
    """The unused encoders of a batch writer, by the arguments of `write`.

    A call of `write` takes an encoder, and returns it only if it succeeds. So concurrent and nested calls have
    different ones, and an encoder with partial data is not used again.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._unused: BoundedCache[Key, BatchEncoding] = BoundedCache(_CAPACITY)

    def create(self, writes: WriteOperation) -> BatchEncoding:
        """Create an encoder for the arguments of an operation."""
        return BatchEncoding(writes, self._settings, self._clock)

    def take(self, key: Key | None) -> BatchEncoding | None:
        """Return an unused encoder, or None if there is none."""
        return None if key is None else self._unused.pop(key, None)

    def put_back(self, key: Key | None, encoding: BatchEncoding) -> None:
        """Keep an encoder for further calls with the same arguments."""
        if key is not None:
            self._unused.remember(key, encoding)
