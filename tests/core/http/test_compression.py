"""Content codings."""

from __future__ import annotations

import gzip
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from influx_proto import Headers, ProtocolError, Request
from influx_proto._http.compression import THRESHOLD, compressed, decoded


class Reader:
    def __init__(self) -> None:
        self.data = b""

    def feed(self, data: bytes) -> list[int]:
        self.data += data
        return [len(data)]

    def close(self) -> bytes:
        return self.data


def read(coding: str, pieces: list[bytes]) -> bytes:
    reader = decoded(Reader(), Headers({"Content-Encoding": coding}))
    for piece in pieces:
        reader.feed(piece)
    return reader.close()


@given(data=st.binary(max_size=300), size=st.integers(1, 50), trailing=st.binary(max_size=3))
def test_any_data_in_any_pieces(data: bytes, size: int, trailing: bytes) -> None:
    cases: list[tuple[str, bytes]] = [
        ("gzip", gzip.compress(data)),
        ("gzip", gzip.compress(data[:7]) + gzip.compress(data[7:])),
        ("deflate", zlib.compress(data)),
        ("deflate", zlib.compress(data) + trailing),
        ("identity", data),
        ("", data),
    ]
    for coding, coded in cases:
        assert read(coding, [coded[at : at + size] for at in range(0, len(coded), size)]) == data


@given(data=st.binary(max_size=100), size=st.integers(0, 200))
def test_what_is_cut_is_not_passed_off(data: bytes, size: int) -> None:
    whole = gzip.compress(data)
    if 0 < size < len(whole):
        with pytest.raises(ProtocolError, match="cut short") as caught:
            read("gzip", [whole[:size]])
        assert caught.value.retryable


def test_no_body_is_no_failure() -> None:
    assert read("gzip", []) == b""


def test_plain_answers_are_read_by_the_reader_itself() -> None:
    reader = Reader()
    assert decoded(reader, Headers()) is reader


def test_memory_is_bounded_whatever_grows() -> None:
    pieces: list[int] = []

    class Counting(Reader):
        def feed(self, data: bytes) -> list[int]:
            pieces.append(len(data))
            return []

    reader: Any = decoded(Counting(), Headers({"Content-Encoding": "gzip"}))
    with pytest.raises(ProtocolError, match="grew from"):
        reader.feed(gzip.compress(b"\0" * 40_000_000))
    assert max(pieces) <= 1024 * 1024
    assert sum(pieces) < 20_000_000


def test_a_body_is_compressed_if_it_pays() -> None:
    small = Request("POST", "/write", body=b"x" * (THRESHOLD - 1))
    assert compressed(small) is small
    large = compressed(Request("POST", "/write", (("A", "b"),), b"x" * THRESHOLD))
    assert large.headers == (("A", "b"), ("Content-Encoding", "gzip"))
    assert isinstance(large.body, bytes)
    assert gzip.decompress(large.body) == b"x" * THRESHOLD


def test_a_streamed_body_is_compressed_each_time_anew() -> None:
    request = compressed(Request("POST", "/write", body=[b"a", b"", b"b" * 5000]))
    assert not isinstance(request.body, bytes)
    for _ in range(2):
        assert gzip.decompress(b"".join(request.body)) == b"a" + b"b" * 5000
