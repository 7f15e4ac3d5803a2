"""Encoders of a batch writer, which are kept for further calls of `write` with the same arguments."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Iterator, Mapping
from typing import Final, TypeAlias

from .._bounded_cache import BoundedCache
from .._encode.batch import Batch
from .._runtime.settings import Settings
from .._runtime.transport import Clock
from .._write.operation import WriteOperation, check_not_compressed, encode_async
from .._write.request import resolve_target

#: Arguments of `write`, if equal ones are encoded in the same way: None, bool, str, and collections of str.
Key: TypeAlias = tuple[object, ...]

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
        self.target = resolve_target(writes.target, settings)
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


def key_of(positional: tuple[object, ...], named: Mapping[str, object]) -> Key | None:
    """Return a key for the arguments of `write` except the data, or None if equal ones may be encoded differently."""
    if not positional and not named:
        return ()
    if not all(_is_plain(value) for value in positional):
        return None
    key: list[object] = [*positional]
    for name, value in named.items():
        if _is_plain(value):
            key.append((name, value))
        elif type(value) is dict and all(type(each) is type(tag) is str for tag, each in value.items()):
            key.append((name, dict, *value.items()))
        elif (type(value) is list or type(value) is tuple) and all(type(each) is str for each in value):
            key.append((name, list, *value))
        else:
            return None
    return tuple(key)


_PLAIN: Final = (str, bool, type(None))


def _is_plain(value: object) -> bool:
    """Return whether only equal values of the same class are equal to a value."""
    return type(value) in _PLAIN
