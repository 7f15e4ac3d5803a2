from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from influx_proto._decode import json as _json
from influx_proto._decode.json import JSONDocuments
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
    rb'{"results":[{"statement_id":0,"series":[{"name":"odd","columns":["time","b","f","i","s","t g","u"],"values":['
    rb'["1677-09-21T00:12:43.145224194Z",true,-9500000000000000000,-9223372036854775808,null,"x,y=z",null],'
    rb'["1969-12-31T23:59:59.999999999Z",null,100000000000000000000,9223372036854775807,'
    rb'"q\"{}{\\ ,\u2028 \n nl","x,y=z","a"],'
    rb'["2017-07-14T02:40:00Z",null,-0,null,"\ufffd bad",null,"b"],'
    rb'["2017-07-14T02:40:00.12Z",null,1e+300,null,"",null,"b"]]}]}]}' + b"\n"
)
CHUNKS = (
    (
        b'{"results":[{"statement_id":0,"series":[{"name":"odd","columns":["time","f"],"values":'
        b'[["1969-12-31T23:59:59.999999999Z",1.5]],"partial":true}],"partial":true}]}\n'
    ),
    (
        b'{"results":[{"statement_id":0,"series":[{"name":"odd","columns":["time","f"],"values":'
        b'[["2262-04-11T23:47:16.854775806Z",0.1]]}]}]}\n'
    ),
    b'{"results":[{"statement_id":1,"series":[{"name":"databases","columns":["name"],"values":[["t"]]}]}]}\n',
    b'{"results":[{"statement_id":2}]}\n',
    b'{"results":[{"statement_id":3,"error":"database not found: nope"}]}\n',
    b'{"results":[{"statement_id":3,"error":"not executed"}]}\n',
)
PRETTY = b"""{
    "results": [
        {
            "statement_id": 0,
            "series": [
                {
                    "name": "odd",
                    "columns": [
                        "time",
                        "s"
                    ],
                    "values": [
                        [
                            1,
                            "q\\"{}{\\\\ ,\\u2028 \\n nl"
                        ]
                    ],
                    "partial": true
                }
            ],
            "partial": true
        }
    ]
}
{
    "results": [
        {
            "statement_id": 0
        }
    ]
}
"""
INFINITE = (
    b"json: error calling MarshalJSON for type httpd.Response: json: error calling MarshalJSON for type *query.Result: "
    b"json: unsupported value: +Inf\n"
)
WARNING = (
    b'{"results":[{"statement_id":0,"messages":[{"level":"warning","text":"deprecated use of \'CREATE DATABASE t\' in '
    b'a read only context, please use a POST request instead"}]}]}\n'
)
CHUNK_DOCUMENTS = [json.loads(chunk) for chunk in CHUNKS]


def values(documents: Documents) -> list[Any]:
    return [row for document in documents for row in document["results"][0]["series"][0]["values"]]


def cells(text: bytes) -> Any:
    response = b'{"results":[{"series":[{"columns":["v"],"values":[[%s]]}]}]}\n' % text
    return values(decode_fragmented(JSONDocuments, response))[0][0]


def test_rows() -> None:
    documents = decode_fragmented(JSONDocuments, ROWS)
    assert exact(values(documents)) == exact([
        ["1677-09-21T00:12:43.145224194Z", True, -9.5e18, -(1 << 63), None, "x,y=z", None],
        ["1969-12-31T23:59:59.999999999Z", None, 1e20, (1 << 63) - 1, 'q"{}{\\ ,\u2028 \n nl', "x,y=z", "a"],
        ["2017-07-14T02:40:00Z", None, 0, None, "\ufffd bad", None, "b"],
        ["2017-07-14T02:40:00.12Z", None, 1e300, None, "", None, "b"],
    ])


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"", b"\n\n", b"\t\r\n "])
def test_chunks(end: bytes) -> None:
    response = b"".join(chunk.strip() + end for chunk in CHUNKS)
    assert decode_fragmented(JSONDocuments, response) == CHUNK_DOCUMENTS


def test_chunks_are_returned_once_they_are_complete() -> None:
    for end in (b"\n", b""):
        decoder = JSONDocuments()
        late = 0
        for chunk, document in zip(CHUNKS, CHUNK_DOCUMENTS, strict=True):
            got = decoder.feed(chunk.strip() + end)
            late += document not in got
        assert late <= (1 if end else 2)  # without line feeds, only the first `}{` shows the end of a document


def test_pretty() -> None:
    documents = decode_fragmented(JSONDocuments, PRETTY)
    assert values(documents[:1]) == [[1, 'q"{}{\\ ,\u2028 \n nl']]
    assert documents[1] == {"results": [{"statement_id": 0}]}
    assert decode_fragmented(JSONDocuments, PRETTY.replace(b"\n", b"\r\n")) == documents
    assert decode_fragmented(JSONDocuments, PRETTY.strip()) == documents


def test_warning_and_errors() -> None:
    assert decode_fragmented(JSONDocuments, WARNING)[0]["results"][0]["messages"][0]["level"] == "warning"
    assert decode_fragmented(JSONDocuments, b'{"error":"a{"}\n') == [{"error": "a{"}]
    assert decode_fragmented(JSONDocuments, b'{"code":"unauthorized","message":"no"}') == [
        {"code": "unauthorized", "message": "no"}
    ]


def test_no_statement_and_empty_series() -> None:
    assert decode_fragmented(JSONDocuments, b"{}\n") == [{"results": []}]
    assert decode_fragmented(JSONDocuments, b'{"results":[{"statement_id":0,"series":[]}]}') == [
        {"results": [{"statement_id": 0}]}
    ]
    assert decode_fragmented(JSONDocuments, b'{"results":[{"series":[{"columns":["a"],"values":[]}]}]}') == [
        {"results": [{"series": [{"columns": ["a"]}]}]}
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"9223372036854775807", (1 << 63) - 1),
        (b"9223372036854775808", 1 << 63),
        (b"18446744073709551615", (1 << 64) - 1),
        (b"18446744073709551616", 18446744073709551616.0),
        (b"100000000000000000000", 1e20),
        (b"-9223372036854775808", -(1 << 63)),
        (b"-9223372036854775809", -9223372036854775808.0),
        (b"9007199254740993", 9007199254740993),
        (b"1e+21", 1e21),
        (b"5e-324", 5e-324),
        (b"0.1", 0.1),
        (b"1.7976931348623157e+308", 1.7976931348623157e308),
        (b'"\xe4\x81\xa7}{"', "\u4067}{"),
        (b'"\xe2\x80\xa8"', "\u2028"),
        (b'"\xff\xfe"', "\ufffd\ufffd"),
        (b'"\\\\"', "\\"),
        (b'"\\\\\\"}]}{"', '\\"}]}{'),
        (b"[[[[[[[[[[1]]]]]]]]]]", [[[[[[[[[[1]]]]]]]]]]),
    ],
)
def test_cells(text: bytes, value: Any) -> None:
    assert exact(cells(text)) == exact(value)


def test_huge_integer_with_invalid_utf8() -> None:
    assert cells(b'[100000000000000000000,"\xff"]') == [1e20, "\ufffd"]


def test_strings_that_look_like_ends_of_documents() -> None:
    texts = ["}{", "}\n{", '}{"results":[]}', '"}{"', "\\", '\\"', "}]}]}", "{" * 50, "}" * 50, "\\" * 7 + '"']
    documents = [
        {"results": [{"statement_id": 0, "series": [{"columns": [a], "values": [[a + b]]}]}]}
        for a, b in itertools.product(texts, texts)
    ]
    for end in ("\n", "", "\r\n"):
        for indent in (None, 4):
            response = "".join(json.dumps(document, indent=indent) + end for document in documents).encode()
            assert feed(JSONDocuments, [response]) == documents
            assert feed(JSONDocuments, byte_by_byte(response)) == documents


@given(DOCUMENTS, st.sampled_from(["\n", "\r\n", "", " "]), st.booleans(), st.sampled_from([None, 4]), OFFSETS)
def test_round_trip(documents: Documents, end: str, ascii_only: bool, indent: int | None, offsets: list[int]) -> None:
    response = "".join(json.dumps(item, ensure_ascii=ascii_only, indent=indent) + end for item in documents).encode()
    assert exact(feed(JSONDocuments, split_at(response, offsets))) == exact(documents)
    assert exact(feed(JSONDocuments, byte_by_byte(response))) == exact(documents)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
def test_truncation(end: bytes) -> None:
    chunks = [chunk.strip() + end for chunk in CHUNKS[:4]]
    ends = set(itertools.accumulate(map(len, chunks)))
    check_truncation(
        JSONDocuments, b"".join(chunks), {place - cut_off for place in ends for cut_off in range(len(end) + 1)}
    )
    check_truncation(JSONDocuments, ROWS, {len(ROWS) - 1})


def test_truncation_of_pretty() -> None:
    first = PRETTY.index(b"\n}\n") + 2
    check_truncation(JSONDocuments, PRETTY, {first, first + 1, len(PRETTY) - 1})


@pytest.mark.parametrize("before", [b"", b"".join(CHUNKS)])
def test_infinite_number(before: bytes) -> None:
    for chunks in ([before + INFINITE], byte_by_byte(before + INFINITE), [before + INFINITE.strip()]):
        documents, error = feed_until_error(JSONDocuments, chunks)
        assert documents[:-1] == (CHUNK_DOCUMENTS if before else [])
        assert "unsupported value: +Inf" in documents[-1]["error"]
        assert "MessagePack" in documents[-1]["error"]
        assert error is None
    documents, error = feed_until_error(JSONDocuments, [before + INFINITE + CHUNKS[0]])
    assert documents[-1] == CHUNK_DOCUMENTS[0]
    assert error is None


@pytest.mark.parametrize(
    "response",
    [
        b"<!DOCTYPE html>\n<html>{}</html>\n",
        b"404 page not found\n",
        b"[]\n",
        b"[{}]\n",
        b"null",
        b'"text"\n',
        b"1\n",
        b'{"results":5}\n',
        b'{"results":[5]}\n',
        b'{"results":[{"series":[5]}]}\n',
        b'{"results":[}]\n',
        b'{"results":[]]}',
        b"{'results':[]}",
        b'{"results":[NaN]}',
        b'{"results":[1e999]}',
        b'{"results":[1' + b"0" * 400 + b"]}",
        b'{"results":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n",
        b"x" * 100_000,
        b"\xff\xfe\n",
    ],
)
def test_invalid_responses(response: bytes) -> None:
    for chunks in ([response], split_at(response, range(0, len(response), 1 + len(response) // 100))):
        with pytest.raises(ProtocolError) as caught:
            feed(JSONDocuments, chunks)
        assert len(str(caught.value)) < 1500


@pytest.mark.parametrize("response", [b"", b"\n", b" \r\n"])
def test_empty(response: bytes) -> None:
    with pytest.raises(ProtocolError, match="empty"):
        feed(JSONDocuments, [response])


@pytest.mark.parametrize("last", [b"[1,2]", b'"results"', b"1", b"{", b"nonsense"])
def test_documents_before_an_invalid_line(last: bytes) -> None:
    data = b'{"results":[]}\n' * 3 + last + b"\n"
    for chunks in ([data], byte_by_byte(data)):
        documents, error = feed_until_error(JSONDocuments, chunks)
        assert documents == [{"results": []}] * 3
        assert error is not None
        assert "JSON" in str(error)


def test_error_is_raised_again() -> None:
    decoder = JSONDocuments()
    for _ in range(2):
        with pytest.raises(ProtocolError, match="not JSON"):
            decoder.feed(b"<html>\n")
    with pytest.raises(ProtocolError, match="not JSON"):
        decoder.close()


@pytest.mark.parametrize("size", [1, 7, 1000, 1 << 20])
@pytest.mark.parametrize("layout", ["lines", "joined", "pretty", "one line", "one string"])
def test_work_is_linear(layout: str, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    row = [1600000000000000000, 'text }{ "', 0.5]
    documents = [{"results": [{"series": [{"values": [row] * 20}]}]}] * 20
    if layout == "one line":
        documents = [{"results": [{"series": [{"values": [row] * 400}]}]}]
    elif layout == "one string":
        documents = [{"results": [{"series": [{"values": [['"\\' * 10_000]]}]}]}]
    end = "" if layout in {"joined", "one string"} else "\n"
    response = "".join(json.dumps(item, indent=4 if layout == "pretty" else None) + end for item in documents).encode()

    decoder = JSONDocuments()
    buffer = decoder._buffer = Buffer()
    work = 0

    def end_of(pattern: Any, data: bytearray, at: int, real: Any = _json._match_end) -> int:
        nonlocal work
        end: int = real(pattern, data, at)
        work += end - at + 1
        return end

    def decode(data: bytearray, real: Any = _json._decode) -> Any:
        nonlocal work
        work += len(data)
        return real(data)

    monkeypatch.setattr(_json, "_match_end", end_of)
    monkeypatch.setattr(_json, "_decode", decode)
    got = [item for at in range(0, len(response), size) for item in decoder.feed(response[at : at + size])]
    assert got + decoder.close() == documents
    assert work + buffer.work < 8 * len(response)
