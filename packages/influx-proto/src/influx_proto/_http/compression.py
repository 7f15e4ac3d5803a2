"""Content codings: gzip for what is sent, gzip and deflate for what comes back.

Nothing here is told to a transport: it sends a body as it stands, and hands on the body of an answer as it came.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Generic, Protocol, TypeVar, cast

from .._errors import ProtocolError
from .messages import Headers, Request

T = TypeVar("T")

#: Bytes from which on compressing a body pays for its own header fields and time.
THRESHOLD = 1024

#: zlib's fastest: on line protocol it gets within a third of the best at a fifth of the time.
_LEVEL = 1
_GZIP = 16 + zlib.MAX_WBITS
GZIP_MAGIC = b"\x1f\x8b"

#: A response of more than `_HARMLESS` bytes may grow by this factor. Deflate compresses by up to 1000, and a wide table
#: with many missing values by 400.
_GROWTH = 200
_HARMLESS = 256 * 1024 * 1024
#: Bytes that are decompressed in one go, and the most that are made of them before the reader receives them.
_PORTION = 16 * 1024
_PIECE = 1024 * 1024


def compressed(request: Request) -> Request:
    """Give the request with its body compressed, unless that is not worth it."""
    body: bytes | Iterable[bytes] = request.body
    if isinstance(body, bytes):
        if len(body) < THRESHOLD:
            return request
        body = b"".join(_deflated((body,)))
    else:
        body = _Compressed(body)
    return replace(request, headers=(*request.headers, ("Content-Encoding", "gzip")), body=body)


def _deflated(pieces: Iterable[bytes]) -> Iterator[bytes]:
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    for piece in pieces:
        if out := compressor.compress(piece):
            yield out
    yield compressor.flush()


class _Compressed:
    """A streamed body, compressed anew each time it is iterated."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        return _deflated(self._pieces)


class _Reader(Protocol):
    """What reads an answer: a `Receiver`, or a `Decoder`, whose items go through untouched."""

    def feed(self, data: bytes, /) -> Sequence[object] | None: ...
    def close(self) -> object: ...


ReaderT = TypeVar("ReaderT", bound=_Reader)


def decoded(reader: ReaderT, headers: Headers) -> ReaderT:
    """Give a reader of the answer's body as it came over the wire, coded as its headers say."""
    coding = headers.get("Content-Encoding", "identity").strip().lower()
    if coding in {"identity", ""}:
        return reader
    return cast("ReaderT", _Decoding(reader, coding))


def portions(reader: object, data: bytes) -> Iterable[bytes]:
    """Split bytes of a compressed response, so that its reader returns few items at a time."""
    if not isinstance(reader, _Decoding):
        return (data,)
    return (data[at : at + _PORTION] for at in range(0, len(data), _PORTION))


class _Decoding(Generic[ReaderT]):
    """Removes a content coding before its reader sees the bytes."""

    def __init__(self, reader: ReaderT, coding: str) -> None:
        if coding not in {"gzip", "x-gzip", "deflate"}:
            msg = f"the answer comes in a content coding that was not asked for: {coding[:100]}"
            raise ProtocolError(msg)
        self._reader = reader
        self._is_gzip = coding != "deflate"
        self._inflater: _Inflater | None = None
        # Since the last item that the reader returned: bytes received, and bytes passed to it.
        self._received = 0
        self._given = 0

    def feed(self, data: bytes) -> list[object]:
        """Take more bytes; give what the reader gives for them."""
        items: list[object] = []
        for portion in portions(self, data):
            self._feed(portion, items)
        return items

    def _feed(self, data: bytes, items: list[object]) -> None:
        while data:
            if self._inflater is None or self._inflater.eof:
                if self._inflater is not None and not self._is_gzip:
                    return  # deflate has no second member: ignore what follows its end
                self._inflater = self._begin(data)  # gzip allows several members, one after another
            data = self._inflate(self._inflater, data, items)

    def close(self) -> object:
        """Take the end of the answer."""
        if self._inflater is not None and not self._inflater.eof:
            msg = "the answer is cut short: it ends in the middle of its compressed data"
            raise ProtocolError(msg, retryable=True)
        return self._reader.close()

    def _begin(self, data: bytes) -> _Inflater:
        if self._is_gzip:
            return _new_inflater(_GZIP)
        # What HTTP calls "deflate" has a header of zlib; not all servers know that. The header's low bits are 8.
        return _new_inflater(zlib.MAX_WBITS if data[0] & 0x0F == 8 else -zlib.MAX_WBITS)

    def _inflate(self, inflater: _Inflater, data: bytes, items: list[object]) -> bytes:
        while True:
            try:
                piece = inflater.decompress(data, _PIECE)
            except zlib.error as error:
                msg = f"the answer is garbled: {error}"
                raise ProtocolError(msg, retryable=True) from error
            self._received += len(data) - len(inflater.unconsumed_tail) - len(inflater.unused_data)
            self._given += len(piece)
            if self._given > max(_HARMLESS, self._received * _GROWTH):
                msg = (
                    f"the response grew from {self._received} to over {self._given} bytes when decompressed; "
                    "if the server is trusted, pass gzip=False or read the result as a stream"
                )
                raise ProtocolError(msg)
            if piece and (new := self._reader.feed(piece)):
                items.extend(new)
                self._received = self._given = 0
            data = inflater.unconsumed_tail
            if inflater.eof or (not data and len(piece) < _PIECE):
                return inflater.unused_data


class _Inflater(Protocol):
    """A decompressor of zlib, whose class has no public name."""

    @property
    def eof(self) -> bool: ...
    @property
    def unconsumed_tail(self) -> bytes: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


_new_inflater: Callable[[int], _Inflater] = zlib.decompressobj
