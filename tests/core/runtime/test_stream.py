"""Streams: their representation."""

from __future__ import annotations

import io
import time
from typing import Any

import pytest
from influx_proto._http.observer import Exchange
from influx_proto._runtime.stream import _AsyncItems, _Items


class Lines:
    """Decoder of lines that keeps no state."""

    def feed(self, data: bytes) -> list[bytes]:
        return data.splitlines()

    def close(self) -> list[bytes]:
        return []


@pytest.mark.parametrize("stream_class", [_Items, _AsyncItems], ids=["sync", "async"])
def test_repr_counts_the_bytes(stream_class: Any) -> None:
    record = Exchange("POST", "/query", None, None, time.monotonic, 1)
    stream = stream_class(io.BytesIO(), Lines(), record)
    assert repr(stream) == "<stream of a query: 0 bytes received>"
    record.received = 1
    assert repr(stream) == "<stream of a query: 1 byte received>"


def test_repr_shows_the_end() -> None:
    stream = _Items(iter([b"one\ntwo\n"]), Lines(), Exchange("POST", "/query", None, None, time.monotonic, 1))
    assert list(stream) == [b"one", b"two"]
    assert repr(stream) == "<stream of a query: 8 bytes received, ended>"
