"""Content encodings: gzip for request bodies, gzip and deflate for response bodies.

Transports do not compress or decompress: they send and return bodies unchanged.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Generic, Protocol, TypeVar, cast

from .._errors import ProtocolError
from .messages import Headers, Request

T = TypeVar("T")

#: Minimum size of a compressed body in bytes; for smaller ones, the header and the time cost more than they save.
THRESHOLD = 1024

#: zlib's fastest level: for line protocol, at most a third larger than the best level, in a fifth of the time.
_LEVEL = 1
_GZIP = 16 + zlib.MAX_WBITS
GZIP_MAGIC = b"\x1f\x8b"

#: Maximum growth factor of a response that has more than `_UNLIMITED_SIZE` bytes when decompressed. Deflate reaches a
#: factor of 1000, and a wide table with many missing values 400.
_MAX_GROWTH = 200
_UNLIMITED_SIZE = 256 * 1024 * 1024
#: Number of bytes that are decompressed at once, and maximum size of a decompressed chunk that the reader receives.
_INPUT_CHUNK = 16 * 1024
_OUTPUT_CHUNK = 1024 * 1024


def compress_request(request: Request) -> Request:
    """Return the request with its body compressed, or unchanged if the body is smaller than `THRESHOLD`."""
    body: bytes | Iterable[bytes] = request.body
    if isinstance(body, bytes):
        if len(body) < THRESHOLD:
            return request
        body = b"".join(_compress((body,)))
    else:
        body = _CompressedBody(body)
    return replace(request, headers=(*request.headers, ("Content-Encoding", "gzip")), body=body)


def _compress(chunks: Iterable[bytes]) -> Iterator[bytes]:
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    for chunk in chunks:
        if compressed_chunk := compressor.compress(chunk):
            yield compressed_chunk
    yield compressor.flush()


class _CompressedBody:
    """A streamed body, compressed anew each time it is iterated."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        return _compress(self._chunks)


class _Reader(Protocol):
    """Reader of a response body: a `Receiver`, or a `Decoder`, whose items are returned unchanged."""

    def feed(self, data: bytes, /) -> Sequence[object] | None: ...
    def close(self) -> object: ...


ReaderT = TypeVar("ReaderT", bound=_Reader)


def with_decompression(reader: ReaderT, headers: Headers) -> ReaderT:
    """Return a reader that decompresses the response body according to its headers and passes it to `reader`."""
    if "Content-Encoding" not in headers:
        return reader
    content_encoding = headers["Content-Encoding"].strip().lower()
    if content_encoding in {"identity", ""}:
        return reader
    return cast("ReaderT", _DecompressingReader(reader, content_encoding))


def split_compressed(reader: object, data: bytes) -> Iterable[bytes]:
    """Split bytes of a compressed response into chunks, so that its reader returns few items at a time."""
    if not isinstance(reader, _DecompressingReader):
        return (data,)
    return (data[at : at + _INPUT_CHUNK] for at in range(0, len(data), _INPUT_CHUNK))


class _DecompressingReader(Generic[ReaderT]):
    """Decompresses a response body and passes it to another reader."""

    def __init__(self, reader: ReaderT, content_encoding: str) -> None:
        self._reader = reader
        self._content_encoding = content_encoding
        self._is_gzip = content_encoding != "deflate"
        self._inflater: _Inflater | None = None
        # Number of bytes received, and bytes passed to the reader, since the last item that it returned.
        self._received = 0
        self._passed = 0

    def feed(self, data: bytes) -> list[object]:
        """Decompress the next bytes and return the items that the reader returns for them."""
        items: list[object] = []
        for chunk in split_compressed(self, data):
            self._feed(chunk, items)
        return items

    def _feed(self, data: bytes, items: list[object]) -> None:
        while data:
            if self._inflater is None or self._inflater.eof:
                if self._inflater is not None and not self._is_gzip:
                    return  # deflate has no second member, so the bytes after its end are ignored
                self._inflater = self._new_inflater_for(data)  # gzip allows several consecutive members
            data = self._inflate(self._inflater, data, items)

    def close(self) -> object:
        """Close the reader at the end of the response and return its result."""
        if self._inflater is not None and not self._inflater.eof:
            raise ProtocolError("the response is truncated: it ends inside the compressed data", retryable=True)
        return self._reader.close()

    def _new_inflater_for(self, data: bytes) -> _Inflater:
        if self._content_encoding not in {"gzip", "x-gzip", "deflate"}:
            encoding = self._content_encoding[:100]
            raise ProtocolError(f"the response has a content encoding that was not requested: {encoding}")
        if self._is_gzip:
            return _new_inflater(_GZIP)
        # HTTP's "deflate" begins with a zlib header, whose low bits are 8, but some servers omit the header.
        return _new_inflater(zlib.MAX_WBITS if data[0] & 0x0F == 8 else -zlib.MAX_WBITS)

    def _inflate(self, inflater: _Inflater, data: bytes, items: list[object]) -> bytes:
        while True:
            try:
                chunk = inflater.decompress(data, _OUTPUT_CHUNK)
            except zlib.error as error:
                raise ProtocolError(f"the response is malformed: {error}", retryable=True) from error
            self._received += len(data) - len(inflater.unconsumed_tail) - len(inflater.unused_data)
            self._passed += len(chunk)
            if self._passed > max(_UNLIMITED_SIZE, self._received * _MAX_GROWTH):
                raise ProtocolError(
                    f"the response grew from {self._received} to over {self._passed} bytes when decompressed; "
                    "if the server is trusted, pass gzip=False or read the result as a stream"
                )
            if chunk and (new := self._reader.feed(chunk)):
                items.extend(new)
                self._received = self._passed = 0
            data = inflater.unconsumed_tail
            if inflater.eof or (not data and len(chunk) < _OUTPUT_CHUNK):
                return inflater.unused_data


class _Inflater(Protocol):
    """Interface of zlib's decompressor, whose class has no public name."""

    @property
    def eof(self) -> bool: ...
    @property
    def unconsumed_tail(self) -> bytes: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


_new_inflater: Callable[[int], _Inflater] = zlib.decompressobj
