from __future__ import annotations

import datetime as dt
import itertools
import struct
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from influx_proto._decode import msgpack as _msgpack
from influx_proto._decode import msgpack_format as _msgpack_format
from influx_proto._decode.msgpack import MessagePackDocuments
from influx_proto._errors import ProtocolError

from tests.core.decode.conftest import (
    DOCUMENTS,
    OFFSETS,
    Buffer,
    Documents,
    byte_by_byte,
    check_truncation,
    decode_fragmented,
    exact,
    feed,
    feed_until_error,
    split_at,
)

# Responses of InfluxDB 1.6.7

ROWS = (
    b"\x81\xa7results\x91\x82\xacstatement_id\x00\xa6series\x91\x83\xa4name\xa3odd\xa7columns\x97\xa4time\xa1b\xa1f\xa1i"
    b"\xa1s\xa3t g\xa1u\xa6values\x95\x97\xc7\x0c\x05\xff\xff\xff\xfd\xda>\x82\xfb\x08\xa7\xf2\x02\xc3\xcb\xc3\xe0z\xd8"
    b"\xf5V\xc6\xc0\xd3\x80\x00\x00\x00\x00\x00\x00\x00\xc0\xa5x,y=z\xc0\x97\xc7\x0c\x05\xff\xff\xff\xff\xff\xff\xff\xff"
    b';\x9a\xc9\xff\xc0\xcbD\x15\xaf\x1dx\xb5\x8c@\xd3\x7f\xff\xff\xff\xff\xff\xff\xff\xb0q"{}{\\ ,\xe2\x80\xa8 \n nl'
    b"\xa5x,y=z\xa1a\x97\xc7\x0c\x05\x00\x00\x00\x00Yh/\x00\x00\x00\x00\x00\xc0\xcb\x80\x00\x00\x00\x00\x00\x00\x00\xc0"
    b"\xa5\xff bad\xc0\xa1b\x97\xc7\x0c\x05\x00\x00\x00\x00Yh/\x00\x07'\x0e\x00\xc0\xcb~7\xe4<\x88\x00u\x9c\xc0\xa0\xc0"
    b"\xa1b\x97\xc7\x0c\x05\x00\x00\x00\x02%\xc1}\x042\xf2\xd7\xfe\xc0\xcb?\xb9\x99\x99\x99\x99\x99\x9a\xc0\xb3"
    b"\xe4\x81\xa7results \xe4\x81\xa5error\xc0\xa1b"
)
CHUNKS = (
    (
        b"\x81\xa7results\x91\x83\xacstatement_id\x00\xa6series\x91\x84\xa4name\xa3odd\xa7columns\x92\xa4time\xa1f\xa6values"
        b"\x91\x92\xc7\x0c\x05\xff\xff\xff\xff\xff\xff\xff\xff;\x9a\xc9\xff\xcbD\x15\xaf\x1dx\xb5\x8c@"
        b"\xa7partial\xc3\xa7partial\xc3"
    ),
    (
        b"\x81\xa7results\x91\x83\xacstatement_id\x00\xa6series\x91\x83\xa4name\xa3odd\xa7columns\x92\xa4time\xa1f\xa6values"
        b"\x91\x92\xc7\x0c\x05\x00\x00\x00\x00Yh/\x00\x07'\x0e\x00\xcb~7\xe4<\x88\x00u\x9c\xa7partial\xc3"
    ),
    (
        b"\x81\xa7results\x91\x82\xacstatement_id\x00\xa6series\x91\x84\xa4name\xa3odd\xa4tags\x82\xa3t g\xa5x,y=z\xa1u"
        b"\xa1a\xa7columns\x92\xa4time\xa1f\xa6values\x91\x92\xc7\x0c\x05\x00\x00\x00\x02%\xc1}\x042\xf2\xd7\xfe\xcb?\xb9\x99\x99"
        b"\x99\x99\x99\x9a"
    ),
    (
        b"\x81\xa7results\x91\x82\xacstatement_id\x01\xa6series\x91\x83\xa4name\xa9databases\xa7columns\x91\xa4name\xa6values"
        b"\x91\x91\xa1t"
    ),
    b"\x81\xa7results\x91\x82\xacstatement_id\x02\xa6series\x90",
    b"\x81\xa7results\x91\x81\xa5error\xb8database not found: nope",
    b"\x81\xa7results\x91\x81\xa5error\xacnot executed",
)
CHUNK_DOCUMENTS = [
    {
        "results": [
            {
                "statement_id": 0,
                "series": [
                    {
                        "name": "odd",
                        "columns": ["time", "f"],
                        "values": [["1969-12-31T23:59:59.999999999Z", 1e20]],
                        "partial": True,
                    }
                ],
                "partial": True,
            }
        ]
    },
    {
        "results": [
            {
                "statement_id": 0,
                "series": [{"name": "odd", "columns": ["time", "f"], "values": [["2017-07-14T02:40:00.12Z", 1e300]]}],
                "partial": True,
            }
        ]
    },
    {
        "results": [
            {
                "statement_id": 0,
                "series": [
                    {
                        "name": "odd",
                        "tags": {"t g": "x,y=z", "u": "a"},
                        "columns": ["time", "f"],
                        "values": [["2262-04-11T23:47:16.854775806Z", 0.1]],
                    }
                ],
            }
        ]
    },
    {"results": [{"statement_id": 1, "series": [{"name": "databases", "columns": ["name"], "values": [["t"]]}]}]},
    {"results": [{"statement_id": 2}]},
    {"results": [{"error": "database not found: nope"}]},
    {"results": [{"error": "not executed"}]},
]
WARNING = (
    b"\x81\xa7results\x91\x83\xacstatement_id\x00\xa8messages\x91\x82\xa5level\xa7warning\xa4text\xd9_deprecated use "
    b"of 'CREATE DATABASE t' in a read only context, please use a POST request instead\xa6series\x90"
)
USERS = b"\x81\xa7results\x91\x82\xacstatement_id\x00\xa6series\x91\x82\xa7columns\x92\xa4user\xa5admin\xa6values\x90"
REJECTED = b"\x81\xa5error\xd9%error parsing query: invalid duration"
INFINITE = (
    b"\x81\xa7results\x91\x82\xacstatement_id\x00\xa6series\x91\x83\xa4name\xa3odd\xa7columns\x92\xa4time\xa3f_f\xa6values"
    b"\x91\x92\xc7\x0c\x05\x00\x00\x00\x00Yh/\x00\x07'\x0e\x00\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00"
)


def document(*row: Any, **more: Any) -> dict[str, Any]:
    return {"results": [{"statement_id": 0, "series": [{"columns": ["v"] * len(row), "values": [list(row)]}], **more}]}


def test_rows() -> None:
    (only,) = decode_fragmented(MessagePackDocuments, ROWS)
    assert exact(only["results"][0]["series"][0]["values"]) == exact([
        ["1677-09-21T00:12:43.145224194Z", True, -9.5e18, -(1 << 63), None, "x,y=z", None],
        ["1969-12-31T23:59:59.999999999Z", None, 1e20, (1 << 63) - 1, 'q"{}{\\ ,\u2028 \n nl', "x,y=z", "a"],
        ["2017-07-14T02:40:00Z", None, -0.0, None, "\ufffd bad", None, "b"],
        ["2017-07-14T02:40:00.12Z", None, 1e300, None, "", None, "b"],
        ["2262-04-11T23:47:16.854775806Z", None, 0.1, None, "\u4067results \u4065error", None, "b"],
    ])


def test_chunks() -> None:
    assert decode_fragmented(MessagePackDocuments, b"".join(CHUNKS)) == CHUNK_DOCUMENTS


def test_partial_chunks_are_returned_immediately() -> None:
    decoder = MessagePackDocuments()
    assert decoder.feed(CHUNKS[0]) == CHUNK_DOCUMENTS[:1]
    assert decoder.feed(CHUNKS[1][:50]) == []
    assert decoder.feed(CHUNKS[1][50:]) == CHUNK_DOCUMENTS[1:2]
    assert decoder.feed(CHUNKS[2]) == []  # the end of its statement shows only with the next document or the end
    assert decoder.feed(CHUNKS[3]) == CHUNK_DOCUMENTS[2:3]
    assert decoder.close() == CHUNK_DOCUMENTS[3:4]


def test_other_responses() -> None:
    assert decode_fragmented(MessagePackDocuments, WARNING)[0]["results"][0]["messages"][0]["level"] == "warning"
    assert "series" not in decode_fragmented(MessagePackDocuments, WARNING)[0]["results"][0]
    assert decode_fragmented(MessagePackDocuments, USERS) == [
        {"results": [{"statement_id": 0, "series": [{"columns": ["user", "admin"]}]}]}
    ]
    assert decode_fragmented(MessagePackDocuments, REJECTED) == [{"error": "error parsing query: invalid duration"}]
    assert decode_fragmented(MessagePackDocuments, b"\x81\xa7results\x90") == [{"results": []}]
    assert decode_fragmented(MessagePackDocuments, INFINITE)[0]["results"][0]["series"][0]["values"][0][1] == float(
        "inf"
    )


def test_error_response_after_documents() -> None:
    response = b"".join(CHUNKS) + REJECTED + CHUNKS[0]
    rejection = [{"error": "error parsing query: invalid duration"}]
    assert decode_fragmented(MessagePackDocuments, response) == CHUNK_DOCUMENTS + rejection + CHUNK_DOCUMENTS[:1]


@pytest.mark.parametrize("length", [0, 31, 32, 255, 256, 65535, 65536])
def test_every_width(length: int) -> None:
    """Invalid UTF-8 sends all other items through the slow path, which must return the same values."""
    items: list[Any] = [
        "x" * length, b"y" * length, list(range(length % 70_000)), {str(key): key for key in range(length // 4)},
        1.5, float("-inf"), None, True, False, msgspec.msgpack.Ext(5, struct.pack(">qi", -1, 999_999_999)),
        *(sign * (1 << bits) + more for sign in (1, -1) for bits in range(63) for more in (-1, 0, 1)), (1 << 64) - 1,
    ]  # fmt: skip
    good = msgspec.msgpack.encode(document(*items, "z" * 4))
    bad = good.replace(b"\xa4zzzz", b"\xa4z\xffzz")
    assert bad != good
    (expected,) = feed(MessagePackDocuments, [good])
    expected["results"][0]["series"][0]["values"][0][-1] = "z\ufffdzz"
    for chunks in ([bad], [bad, bad], split_at(bad + bad, range(0, 2 * len(bad), 999))):
        for got in feed(MessagePackDocuments, chunks):
            assert exact([got]) == exact([expected])


def test_float32_and_extensions_of_fixed_size() -> None:
    response = b"\x81\xa7results\x91\x81\xa1a\x92\xca\x3f\x80\x00\x00\xa1%s"
    assert decode_fragmented(MessagePackDocuments, response % b"b") == [{"results": [{"a": [1.0, "b"]}]}]
    assert decode_fragmented(MessagePackDocuments, response % b"\xff") == [{"results": [{"a": [1.0, "\ufffd"]}]}]
    for extension in (b"\xd4\x07.", b"\xd8\x07" + b"." * 16, b"\xc7\x03\x05...", b"\xc9\x00\x00\x00\x01\x05."):
        for text in (b"b", b"\xff"):
            with pytest.raises(ProtocolError, match="extension"):
                feed(MessagePackDocuments, [b"\x81\xa7results\x92%s\xa1%s" % (extension, text)])


@pytest.mark.parametrize("seconds", [-(1 << 63), -(1 << 40), 1 << 40, (1 << 63) - 1])
@pytest.mark.parametrize("text", [b"b", b"\xff"])
def test_times_outside_the_calendar(seconds: int, text: bytes) -> None:
    response = b"\x81\xa7results\x92\xc7\x0c\x05%s\xa1%s" % (struct.pack(">qi", seconds, 0), text)
    for chunks in ([response], byte_by_byte(response)):
        with pytest.raises(ProtocolError, match="not InfluxDB's MessagePack"):
            feed(MessagePackDocuments, chunks)


@given(st.integers(-(1 << 63), (1 << 63) - 1))
def test_times(ns: int) -> None:
    seconds, nanoseconds = divmod(ns, 1_000_000_000)
    time = msgspec.msgpack.Ext(5, struct.pack(">qi", seconds, nanoseconds))
    (got,) = feed(MessagePackDocuments, [msgspec.msgpack.encode(document(time))])
    (text,) = got["results"][0]["series"][0]["values"][0]
    stamp, _, fraction = text.removesuffix("Z").partition(".")
    assert not fraction.endswith("0")
    assert int(fraction.ljust(9, "0")) == nanoseconds
    since = dt.datetime.fromisoformat(stamp + "+00:00") - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    assert since // dt.timedelta(seconds=1) == seconds


@given(DOCUMENTS, OFFSETS)
def test_round_trip(documents: Documents, offsets: list[int]) -> None:
    response = b"".join(map(msgspec.msgpack.encode, documents))
    assert exact(feed(MessagePackDocuments, split_at(response, offsets))) == exact(documents)
    assert exact(feed(MessagePackDocuments, byte_by_byte(response))) == exact(documents)


@given(DOCUMENTS, OFFSETS)
def test_round_trip_on_the_slow_path(documents: Documents, offsets: list[int]) -> None:
    broken = {"results": [{"error": "\u4067results !?"}]}
    # Only the last `?`, since the documents may contain others.
    response = b"".join(
        b"\xff".join(msgspec.msgpack.encode({"results": [item, broken]}).rsplit(b"?", 1)) for item in documents
    )
    broken = {"results": [{"error": "\u4067results !\ufffd"}]}
    expected = [{"results": [item, broken]} for item in documents]
    assert exact(feed(MessagePackDocuments, split_at(response, offsets))) == exact(expected)
    assert exact(feed(MessagePackDocuments, byte_by_byte(response))) == exact(expected)


def test_strings_that_look_like_documents() -> None:
    texts = ["\u4067results", "\u4065error", "\u4067results" * 50, "xpartial\u00c3", *map(chr, (0x4067, 0x81, 0xA7))]
    documents = [document(a, b, a + b) for a, b in itertools.product(texts, texts)]
    response = b"".join(map(msgspec.msgpack.encode, documents))
    assert decode_fragmented(MessagePackDocuments, response) == documents


def test_documents_inside_documents() -> None:
    inner = document("x", partial=True)
    documents = [document(inner, [inner, {"error": inner}], partial=True), document(inner)]
    response = b"".join(map(msgspec.msgpack.encode, documents))
    assert decode_fragmented(MessagePackDocuments, response) == documents


def test_truncation() -> None:
    check_truncation(MessagePackDocuments, b"".join(CHUNKS), itertools.accumulate(map(len, CHUNKS)))
    for response in (ROWS, WARNING, USERS, REJECTED, INFINITE):
        check_truncation(MessagePackDocuments, response, ())
    check_truncation(MessagePackDocuments, ROWS + ROWS, {len(ROWS)})


@pytest.mark.parametrize(
    ("response", "message"),
    [
        (b"", "empty"),
        (b"\x91\x91\x91\x00", "format='json'"),
        (b"\x91\x93\x00\x91\x93\xa1m\x91\xa4time\x90", "format='json'"),
        (b'{"results":[]}', "not InfluxDB's MessagePack"),
        (b"<html>", "not InfluxDB's MessagePack"),
        (b"\x80", "not InfluxDB's MessagePack"),
        (b"\x81\xa7resultx\x90", "not InfluxDB's MessagePack"),
        (b"\x81\xa7results\xc1", "0xc1"),
        (b"\x81\xa7results\x05", "not structured like"),
        (b"\x81\xa7results\x91\x05", "not structured like"),
        (b"\x81\xa7results\x91\x81\x81\x01\x02\x03", "not InfluxDB's MessagePack"),
        (b"\x81\xa7results\x91\x81\x81\x01\x02\xa1\xff", "not InfluxDB's MessagePack"),
        (b"\x81\xa7results" + b"\x91" * 100_000 + b"\x00", "too deeply"),
        (b"\x81\xa7results" + b"\x91" * 100_000 + b"\xa1\xff", "too deeply"),
        (b"\x81\xa7results\xdd\xff\xff\xff\xff", "truncated"),
        (b"\x81\xa7results\xdb\xff\xff\xff\xff", "truncated"),
    ],
)
def test_invalid_responses(response: bytes, message: str) -> None:
    for chunks in ([response], split_at(response, range(0, len(response), 1 + len(response) // 100))):
        for before in ([], [b"".join(CHUNKS)]):
            if not response and before:
                continue
            documents, error = feed_until_error(MessagePackDocuments, before + chunks)
            assert documents == CHUNK_DOCUMENTS[: len(documents)]
            assert len(documents) >= len(CHUNK_DOCUMENTS) - 1 or not before
            assert error is not None
            assert message in str(error)


def test_error_is_raised_again() -> None:
    decoder = MessagePackDocuments()
    for _ in range(2):
        with pytest.raises(ProtocolError, match="not InfluxDB's"):
            decoder.feed(b"<html>")
    with pytest.raises(ProtocolError, match="not InfluxDB's"):
        decoder.close()


class Counted(list[int]):
    """Bytes that count how many items are read."""

    work = 0

    def __getitem__(self, index: Any) -> Any:
        self.work += 1
        return super().__getitem__(index)


class Decoder:
    """Decoder that counts all decoded bytes, including those of failed attempts."""

    work = 0

    def __init__(self, real: Any) -> None:
        self.real = real

    def decode(self, data: bytearray) -> Any:
        self.work += len(data)
        return self.real.decode(data)


@pytest.mark.parametrize("size", [1, 7, 1000, 1 << 20])
@pytest.mark.parametrize("layout", ["many", "one", "strings", "not UTF-8"])
def test_work_is_linear(layout: str, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    row = [1600000000000000000, 0.5, "text"]
    if layout == "many":
        documents = [document(*row, partial=True)] * 300
    elif layout == "one":
        documents = [document(*row * 1000, partial=True)]
    elif layout == "strings":
        documents = [document(*["\u4067results", "\u4065error", "xpartial\u00c3"] * 100, partial=True)] * 10
    else:
        documents = [document(*row * 20, "!?", partial=True)] * 20
    response = b"".join(map(msgspec.msgpack.encode, documents)).replace(b"!?", b"!\xff")

    decoder = MessagePackDocuments()
    buffer = decoder._buffer = Buffer()
    sizes = Counted(_msgpack_format.SIZES)
    decodes = Decoder(_msgpack._DECODER)
    monkeypatch.setattr(_msgpack, "SIZES", sizes)
    monkeypatch.setattr(_msgpack_format, "SIZES", sizes)
    monkeypatch.setattr(_msgpack, "_DECODER", decodes)
    got = [item for at in range(0, len(response), size) for item in decoder.feed(response[at : at + size])]
    assert len(got + decoder.close()) == len(documents)
    assert buffer.work < 12 * len(response)
    assert decodes.work < 4 * len(response)
    assert sizes.work < 4 * len(response)
