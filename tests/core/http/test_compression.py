"""Content encodings of requests and responses."""

from __future__ import annotations

import gzip
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from influx_proto import Headers, ProtocolError, Request
from influx_proto._http.compression import THRESHOLD, compress_request, with_decompression


class Reader:
    def __init__(self) -> None:
        self.data = b""

    def feed(self, data: bytes) -> list[int]:
        self.data += data
        return [len(data)]

    def close(self) -> bytes:
        return self.data


def read(encoding: str, chunks: list[bytes]) -> bytes:
    reader = with_decompression(Reader(), Headers({"Content-Encoding": encoding}))
    for chunk in chunks:
        reader.feed(chunk)
    return reader.close()


@given(data=st.binary(max_size=300), size=st.integers(1, 50), trailing=st.binary(max_size=3))
def test_any_data_in_any_chunks(data: bytes, size: int, trailing: bytes) -> None:
    cases: list[tuple[str, bytes]] = [
        ("gzip", gzip.compress(data)),
        ("gzip", gzip.compress(data[:7]) + gzip.compress(data[7:])),
        ("deflate", zlib.compress(data)),
        ("deflate", zlib.compress(data) + trailing),
        ("identity", data),
        ("", data),
    ]
    for encoding, coded in cases:
        assert read(encoding, [coded[at : at + size] for at in range(0, len(coded), size)]) == data


@given(data=st.binary(max_size=100), size=st.integers(0, 200))
def test_truncated_data_raises(data: bytes, size: int) -> None:
    whole = gzip.compress(data)
    if 0 < size < len(whole):
        with pytest.raises(ProtocolError, match="truncated") as caught:
            read("gzip", [whole[:size]])
        assert caught.value.retryable


def test_empty_body() -> None:
    assert read("gzip", []) == b""


def test_plain_responses_bypass_decompression() -> None:
    reader = Reader()
    assert with_decompression(reader, Headers()) is reader


class Counting(Reader):
    """Returns an item for each chunk, or none before the end of the response."""

    def __init__(self, *, items: bool) -> None:
        super().__init__()
        self.sizes: list[int] = []
        self._items = items

    def feed(self, data: bytes) -> list[int]:
        self.sizes.append(len(data))
        return [len(data)] if self._items else []


@pytest.mark.parametrize("items", [True, False])
def test_memory_is_bounded(items: bool) -> None:
    counting = Counting(items=items)
    reader: Any = with_decompression(counting, Headers({"Content-Encoding": "gzip"}))
    body = gzip.compress(bytes(30_000_000)) * 10
    if items:  # the limit applies to each item
        reader.feed(body)
        assert sum(counting.sizes) == 300_000_000
    else:
        with pytest.raises(ProtocolError, match="grew from"):
            reader.feed(body)
        assert 250_000_000 < sum(counting.sizes) <= 256 * 1024 * 1024
    assert max(counting.sizes) <= 1024 * 1024


def test_work_is_linear(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that wait to be decompressed are not copied again for each chunk."""
    work = 0

    class Inflater:
        def __init__(self, window: int) -> None:
            self._real = zlib.decompressobj(window)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._real, name)

        def decompress(self, data: bytes, length: int) -> bytes:
            nonlocal work
            work += len(data)
            return self._real.decompress(data, length)

    monkeypatch.setattr("influx_proto._http.compression._new_inflater", Inflater)
    body = gzip.compress(bytes(10_000_000)) * 5
    reader: Any = with_decompression(Counting(items=True), Headers({"Content-Encoding": "gzip"}))
    reader.feed(body)
    assert work < 16 * len(body)


def test_body_is_compressed_if_that_is_smaller() -> None:
    small = Request("POST", "/write", body=b"x" * (THRESHOLD - 1))
    assert compress_request(small) is small
    large = compress_request(Request("POST", "/write", (("A", "b"),), b"x" * THRESHOLD))
    assert large.headers == (("A", "b"), ("Content-Encoding", "gzip"))
    assert isinstance(large.body, bytes)
    assert gzip.decompress(large.body) == b"x" * THRESHOLD


def test_streamed_body_is_compressed_on_each_attempt() -> None:
    request = compress_request(Request("POST", "/write", body=[b"a", b"", b"b" * 5000]))
    assert not isinstance(request.body, bytes)
    for _ in range(2):
        assert gzip.decompress(b"".join(request.body)) == b"a" + b"b" * 5000
