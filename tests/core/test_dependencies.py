"""Behaviour that a dependency does not document may change with any release of it; these tests change it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from influx_proto import _json, _msgpack, _msgpack_columns
from influx_proto._csv import CSVDocuments
from influx_proto._documents import DocumentDecoder
from influx_proto._json import JSONDocuments
from influx_proto._msgpack import MessagePackDocuments
from influx_proto._refusals import error_message
from influx_proto._wire import Headers

from .feeding import byte_by_byte, feed

COLUMNS = {"name": "m", "columns": ["time", "t"]}


class TextError(Exception):
    """An error of no class that the decoders know."""


class OtherDecoder:
    """A decoder that raises another class for text that is not UTF-8; malformed data still raise its own."""

    def __init__(self, decoder: Any, raised: type[BaseException]) -> None:
        self._decode = decoder.decode
        self._raised = raised

    def decode(self, data: Any) -> Any:
        try:
            return self._decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise self._raised(str(error)) from None


@pytest.fixture(params=[None, TextError, RuntimeError, TypeError, msgspec.ValidationError])
def raised(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make msgspec raise this class; None for the class of the installed release."""
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
def test_text_that_is_not_utf_8_reads_with_replacement_characters(
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


def test_csv_needs_no_decoder_for_text() -> None:
    [document] = feed(CSVDocuments, [b"name,tags,time,t\nm,k=caf\xe9,1,caf\xe9\n"])
    assert document["results"][0]["series"][0] == {
        **COLUMNS,
        "tags": {"k": "caf\N{REPLACEMENT CHARACTER}"},
        "values": [[1, "caf\N{REPLACEMENT CHARACTER}"]],
    }


@pytest.mark.parametrize("size", [3, 40, 300, 70_000])
@pytest.mark.parametrize("kind", ["application/json", "application/x-msgpack"])
def test_error_texts_that_are_not_utf_8(kind: str, size: int) -> None:
    encode = msgspec.json.encode if kind == "application/json" else msgspec.msgpack.encode
    body = encode({"error": "x" * size + "?"}).replace(b"?", b"\xe9")
    assert error_message(Headers({"Content-Type": kind}), body) == "x" * size + "\N{REPLACEMENT CHARACTER}"
