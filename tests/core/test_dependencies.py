"""Undocumented behavior of dependencies, which may change with any release: these tests simulate such changes."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, NamedTuple

import msgspec
import numpy as np
import orjson
import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]  # no type hints
import pyarrow.compute as pc  # type: ignore[import-untyped]  # no type hints
import pytest
from hypothesis import given
from hypothesis import strategies as st
from influx_proto import FLOAT, INT, TAG, TIMEINT, lineprotocol, serialize
from influx_proto._decode import json as _json
from influx_proto._decode import msgpack as _msgpack
from influx_proto._decode import msgpack_columns as _msgpack_columns
from influx_proto._decode.csv import CSVDocuments
from influx_proto._decode.document import DocumentDecoder
from influx_proto._decode.json import JSONDocuments
from influx_proto._decode.msgpack import MessagePackDocuments
from influx_proto._encode.classes import decorator as _lineprotocol
from influx_proto._encode.frames import vectorized_arrow as _arrow_lines
from influx_proto._encode.frames import vectorized_arrow as _arrow_texts
from influx_proto._encode.frames.check import encodes_like_rows
from influx_proto._http.error_response import error_message
from influx_proto._http.messages import Headers
from influx_proto._line_protocol import values as _values
from influx_proto._line_protocol.values import number_encoder
from influx_proto._time import to_nanoseconds

from tests.core.decode.conftest import byte_by_byte, feed

COLUMNS = {"name": "m", "columns": ["time", "t"]}


class UnknownError(Exception):
    """An exception class that the decoders do not know."""


class OtherDecoder:
    """Decoder that raises another exception class for invalid data."""

    def __init__(self, decoder: Any, raised: type[BaseException]) -> None:
        self._decode = decoder.decode
        self._raised = raised

    def decode(self, data: Any) -> Any:
        try:
            return self._decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise self._raised(str(error)) from None


@pytest.fixture(params=[None, UnknownError, RuntimeError, TypeError, msgspec.ValidationError])
def raised(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make msgspec raise this class; None stands for the class of the installed release."""
    if request.param is not None:
        for module in (_json, _msgpack, _msgpack_columns):
            monkeypatch.setattr(module, "_DECODER", OtherDecoder(module._DECODER, request.param))


def packed() -> DocumentDecoder:
    return MessagePackDocuments(packed=True)


@pytest.mark.parametrize("count", [1, 2000])
@pytest.mark.parametrize(
    ("make", "encode"),
    [
        (MessagePackDocuments, msgspec.msgpack.encode),
        (packed, msgspec.msgpack.encode),
        (JSONDocuments, lambda document: msgspec.json.encode(document) + b"\n"),
    ],
)
def test_invalid_utf8_is_read_with_replacement_characters(
    make: Callable[[], DocumentDecoder], encode: Callable[[object], bytes], count: int, raised: None
) -> None:
    good = {"results": [{"statement_id": 0, "series": [{**COLUMNS, "values": [[1, "good"]]}], "partial": True}]}
    rows = [[number, "caf?"] for number in range(count)]
    bad = {"results": [{"statement_id": 0, "series": [{**COLUMNS, "tags": {"k": "caf?"}, "values": rows}]}]}
    data = encode(good) + encode(bad).replace(b"caf?", b"caf\xe9") + encode(good)
    documents = feed(make, [data])
    assert documents[::2] == [good, good]
    series = documents[1]["results"][0]["series"][0]
    assert series["tags"] == {"k": "caf\N{REPLACEMENT CHARACTER}"}
    assert list(series["values"]) == [[number, "caf\N{REPLACEMENT CHARACTER}"] for number in range(count)]
    if count == 1:
        assert str(feed(make, byte_by_byte(data))) == str(documents)


def test_csv_with_invalid_utf8() -> None:
    [document] = feed(CSVDocuments, [b"name,tags,time,t\nm,k=caf\xe9,1,caf\xe9\n"])
    assert document["results"][0]["series"][0] == {
        **COLUMNS,
        "tags": {"k": "caf\N{REPLACEMENT CHARACTER}"},
        "values": [[1, "caf\N{REPLACEMENT CHARACTER}"]],
    }


@pytest.mark.parametrize("size", [3, 40, 300, 70_000])
@pytest.mark.parametrize("content_type", ["application/json", "application/x-msgpack"])
def test_error_messages_with_invalid_utf8(content_type: str, size: int) -> None:
    encode = msgspec.json.encode if content_type == "application/json" else msgspec.msgpack.encode
    body = encode({"error": "x" * size + "?"}).replace(b"?", b"\xe9")
    assert error_message(Headers({"Content-Type": content_type}), body) == "x" * size + "\N{REPLACEMENT CHARACTER}"


def reformat(data: bytes) -> bytes:
    """Format JSON numbers as a future release of an encoder might."""
    return data.replace(b"e", b"E").replace(b"0.0000", b"0.00000").replace(b",", b", ")


class OtherEncoder:
    """msgspec encoder with a different number format."""

    def __init__(self) -> None:
        self._encode = msgspec.json.encode

    def encode(self, value: object) -> bytes:
        return reformat(self._encode(value).replace(b"1.0", b"1.00"))


class BrokenEncoder:
    """Encoder that rejects all input."""

    def encode(self, value: object) -> bytes:
        raise NotImplementedError


@pytest.fixture
def clear_caches() -> Iterator[None]:
    """Clear the cached results of encoder checks before and after the test."""
    for cached in (number_encoder, encodes_like_rows, _lineprotocol._compiled):
        cached.cache_clear()
    yield
    for cached in (number_encoder, encodes_like_rows, _lineprotocol._compiled):
        cached.cache_clear()


class Reading(NamedTuple):
    host: TAG
    v: FLOAT
    n: INT
    time: TIMEINT


FLOATS = [0.1, 1.0, 1e16, 1e-5, -1.5e-7, 1e22, 123456.789, -0.0, 5e-324]


def every_input() -> dict[str, bytes]:
    """Encode the same rows from every type of input, in small and large numbers."""
    found = {}
    for count in (1, 5, 300):
        rows = [(f"h {row % 3}", FLOATS[row % len(FLOATS)], row - 1, 10**18 + row) for row in range(count)]
        index = pd.DatetimeIndex([row[3] for row in rows])
        frame = pd.DataFrame(rows, columns=["host", "v", "n", "time"], index=index).drop(columns="time")
        points = [
            {"measurement": "Reading", "tags": {"host": host}, "fields": {"v": v, "n": n}, "time": time}
            for host, v, n, time in rows
        ]
        found[f"mappings {count}"] = serialize(points)
        found[f"mapping by mapping {count}"] = b"\n".join(map(serialize, points))
        found[f"objects {count}"] = serialize([lineprotocol(Reading)(*row) for row in rows])
        found[f"frame {count}"] = serialize(frame, "Reading", tag_columns=["host"])
        found[f"narrow frame {count}"] = serialize(frame.astype({"v": "float32"}), "Reading", tag_columns=["host"])
    return found


EXPECTED = every_input()


@pytest.mark.parametrize("encoder", [OtherEncoder, BrokenEncoder])
def test_other_number_format_of_msgspec(encoder: type, clear_caches: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(msgspec.json, "Encoder", encoder)
    assert number_encoder() is _values._encode_numbers
    assert every_input() == EXPECTED
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "influx_proto._arrow_lines", None)
        assert every_input() == EXPECTED


def reformatted_dumps(*args: Any, **options: Any) -> bytes:
    return reformat(orjson.dumps(*args, **options))


def failing_dumps(*args: Any, **options: Any) -> bytes:
    raise NotImplementedError


def test_other_number_format_of_orjson(clear_caches: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for dumps in (reformatted_dumps, failing_dumps):
        encodes_like_rows.cache_clear()
        monkeypatch.setattr(_arrow_texts, "orjson", SimpleNamespace(**{**vars(orjson), "dumps": dumps}))
        assert every_input() == EXPECTED
        assert not encodes_like_rows(_arrow_lines.ArrowSliceEncoder, strings=True)


@pytest.mark.parametrize("padding", [0, 1, 64])
def test_string_buffer_may_have_trailing_bytes(
    padding: int, clear_caches: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def take(*args: Any, **options: Any) -> Any:
        taken = pc.take(*args, **options)
        _, offsets, data = taken.buffers()
        longer = pa.py_buffer(data.to_pybytes() + b"garbage!"[: padding % 8 or 8] * padding)
        return pa.Array.from_buffers(taken.type, len(taken), [None, offsets, longer])

    monkeypatch.setattr(_arrow_texts, "compute", SimpleNamespace(**{**vars(pc), "take": take}))
    assert every_input() == EXPECTED
    assert encodes_like_rows(_arrow_lines.ArrowSliceEncoder, strings=True)


def test_other_exception_class_of_pyarrow(clear_caches: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert encodes_like_rows(_arrow_lines.ArrowSliceEncoder, strings=True)

    def concat_arrays(arrays: object) -> None:
        raise UnknownError

    monkeypatch.setattr(_arrow_texts.ArrowLineBuilder, "_join", concat_arrays)
    assert every_input() == EXPECTED


@given(st.floats() | st.floats(width=32) | st.integers(-(2**63), 2**64 - 1))
def test_numbers_without_msgspec(number: float) -> None:
    assert _values._encode_numbers(number) == number_encoder()(number)
    assert _values._encode_numbers([number, number]) == number_encoder()([number, number])


def test_types_are_not_identified_by_name(clear_caches: None) -> None:
    class Float(np.float32):
        pass

    class Stamp(pd.Timestamp):
        pass

    assert serialize({"measurement": "m", "fields": {"v": Float(0.1)}}) == b"m v=0.1"
    assert to_nanoseconds(Stamp(1, unit="ns")) == 1
    assert to_nanoseconds(pd.NaT) is None

    class NAType(str):
        __module__ = "pandas"

    class NaTType(dt.datetime):
        __module__ = "pandas"

        def as_unit(self, unit: str) -> None:
            raise NotImplementedError

    assert serialize({"measurement": "m", "fields": {"v": NAType("text")}}) == b'm v="text"'
    assert to_nanoseconds(NaTType(1970, 1, 2)) == 86_400 * 10**9
