from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from influx_proto import QueryResult
from influx_proto._decode.formats import decoder_for
from influx_proto._decode.json_lines import JSONLinesDocuments
from influx_proto._errors import ProtocolError
from influx_proto._result.result import join
from influx_proto._result.table import Tables
from influx_proto._result.to_pandas import to_frame

from tests.core.decode.conftest import (
    OFFSETS,
    byte_by_byte,
    decode_fragmented,
    exact,
    feed,
    feed_until_error,
    fragmentations,
    split_at,
)

# Like the encoder of InfluxDB 3 Core prints it: keys in the order of the schema, without those of null values.

ROWS = (
    b'{"host":"a","time":"2065-01-07T17:28:51","usage":82.0,"n":82}\n'
    b'{"time":"2065-01-07T17:28:51.5","usage":1e-7,"n":9007199254740993,"later":"x"}\n'
    b'{"host":"\xc3\xa4\\"\\n}{","time":"1969-12-31T23:59:59.999999999","n":18446744073709551615,"ok":true}\n'
)


def series_of(documents: list[dict[str, Any]]) -> dict[str, Any]:
    [result] = join(QueryResult(document["results"]) for document in documents)["results"]
    assert result["statement_id"] == 0
    [series] = result["series"]
    return dict(series)


def test_rows() -> None:
    assert exact(decode_fragmented(JSONLinesDocuments, ROWS)) == exact([{"results": [{"statement_id": 0, "series": [{
        "columns": ["time", "host", "usage", "n", "later", "ok"],
        "values": [
            [2998574931000000000, "a", 82.0, 82, None, None],
            [2998574931500000000, None, 1e-07, (1 << 53) + 1, "x", None],
            [-1, 'ä"\n}{', None, (1 << 64) - 1, None, True],
        ],
    }]}]}])  # fmt: skip


def test_media_type() -> None:
    assert isinstance(decoder_for("application/jsonl; charset=utf-8"), JSONLinesDocuments)


def test_no_rows() -> None:
    for body in (b"", b"\n", b" \r\n\n"):
        assert feed(JSONLinesDocuments, [body]) == [{"results": [{"statement_id": 0}]}]


@pytest.mark.parametrize(
    ("printed", "nanoseconds"),
    [
        ("1970-01-01T00:00:00", 0),
        ("1970-01-01T00:00:00.001", 1_000_000),
        ("1970-01-01T00:00:00.000001", 1000),
        ("1970-01-01T00:00:00.000000001Z", 1),
        ("1970-01-01T02:00:00+02:00", 0),
        ("1969-12-31T19:00:00-05:00", 0),
        ("2262-04-11T23:47:16.854775806", (1 << 63) - 2),
        ("1677-09-21T00:12:43.145224194", -(1 << 63) + 2),
    ],
)
def test_timestamps(printed: str, nanoseconds: int) -> None:
    line = json.dumps({"other": printed, "time": printed}).encode()
    [document] = feed(JSONLinesDocuments, [line])
    assert document["results"][0]["series"][0]["values"] == [[nanoseconds, printed]]


@pytest.mark.parametrize("value", ["2020-01-01", "now", "2020-01-01 00:00:00", "9999-01-01T00:00:00", 1.5, 5, None, []])
def test_other_values_of_time_are_unchanged(value: object) -> None:
    [document] = feed(JSONLinesDocuments, [json.dumps({"time": value}).encode()])
    assert exact(document["results"][0]["series"][0]["values"]) == exact([[value]])


def test_time_is_first_only_if_the_first_row_has_it() -> None:
    rows = b'{}\n{"a":1}\n{"time":"1970-01-01T00:00:00.1","a":2}\n'
    series = series_of(decode_fragmented(JSONLinesDocuments, rows))
    assert series == {"columns": ["a", "time"], "values": [[None, None], [1, None], [2, 100_000_000]]}
    rows = b'{}\n{"a":1,"time":"1970-01-01T00:00:00.1"}\n{"a":2}\n'
    series = series_of(decode_fragmented(JSONLinesDocuments, rows))
    assert series == {"columns": ["time", "a"], "values": [[None, None], [100_000_000, 1], [None, 2]]}


def test_nulls_nested_values_and_duplicate_keys() -> None:
    rows = b'{"a":null,"b":[1,{"c":2.0}],"d":1,"d":2}\n\r\n{"e":100000000000000000000000}\r\n'
    series = series_of(decode_fragmented(JSONLinesDocuments, rows))
    assert exact(series["values"]) == exact([[None, [1, {"c": 2.0}], 2, None], [None, None, None, 10**23]])
    assert series["columns"] == ["a", "b", "d", "e"]


def test_invalid_utf_8_is_replaced() -> None:
    series = series_of(decode_fragmented(JSONLinesDocuments, b'{"\xff":1}\n{"b":"\xfe x"}\n'))
    assert series == {"columns": ["\ufffd", "b"], "values": [[1, None], [None, "\ufffd x"]]}


def test_documents_have_a_bounded_number_of_rows() -> None:
    rows = b'{"a":1}\n{"a":2}\n{"a":3,"time":"1970-01-01T00:00:00"}\n{"a":4}\n{"b":5}\n'
    documents = decode_fragmented(partial(JSONLinesDocuments, max_rows=2), rows)
    assert [document["results"][0].get("partial") for document in documents] == [True, True, None]
    assert [document["results"][0]["series"][0].get("partial") for document in documents] == [True, True, None]
    columns = [document["results"][0]["series"][0]["columns"] for document in documents]
    assert columns == [["a"], ["a", "time"], ["a", "time", "b"]]
    assert series_of(documents) == {
        "columns": ["a", "time", "b"],
        "values": [[1, None, None], [2, None, None], [3, 0, None], [4, None, None], [None, None, 5]],
    }
    collector = Tables()
    for document in documents:
        collector.add(QueryResult(document["results"]))
    [frame] = map(to_frame, collector.finish())
    assert frame["a"].tolist()[:4] == [1, 2, 3, 4]
    assert list(frame.columns) == ["a", "time", "b"]


def test_truncation() -> None:
    data = b'{"a":1}\n{"a":{"b":"}"}}\n'
    for length in range(len(data)):
        for chunks in ([data[:length]], byte_by_byte(data[:length])):
            documents, error = feed_until_error(JSONLinesDocuments, chunks)
            assert (error is None) == (length in {0, 7, 8, 23})
            if error is not None:
                assert not documents
                assert error.retryable
                assert "truncated" in str(error)


@pytest.mark.parametrize("line", [b"[1]", b"null", b'"x"', b"1", b"Internal error", b'{"a":1}{"a":2}', b'{"a":NaN}'])
def test_other_lines_are_errors(line: bytes) -> None:
    for body in (line + b"\n", b'{"a":1}\n' + line + b'\n{"a":1}\n', b'{"a":1}\n' + line):
        for chunks in fragmentations(body):
            _, error = feed_until_error(JSONLinesDocuments, chunks)
            assert error is not None


@pytest.mark.parametrize(
    ("data", "is_error"),
    [
        (b'{"error":"broken"}', True),
        (b'{"a":1}\n{"error":"broken"}\n', True),
        (b'{"a":1}\n{"error":"broken"}', True),
        (b'{"error":"row"}\n', False),
        (b'{"a":1,"error":"row"}\n{"error":"row"}\n', False),
        (b'{"a":1}\n{"error":5}\n', False),
        (b'{"a":1}\n{"error":"x","code":1}\n', False),
    ],
)
def test_error_objects(data: bytes, is_error: bool) -> None:
    expected = feed(JSONLinesDocuments, [data])
    for chunks in fragmentations(data):
        documents = feed(JSONLinesDocuments, chunks)
        assert documents == expected
        assert ({"error": "broken"} in documents) == is_error
    if is_error and data.startswith(b'{"a"'):
        assert expected[0]["results"][0]["series"][0]["values"] == [[1]]


CELLS = st.one_of(
    st.integers(-(1 << 63), (1 << 64) - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.text(max_size=8),
    st.sampled_from(["}{", "\n", "1970-01-01T00:00:00"]),
)
NAMES = st.sampled_from(["host", "usage", "a b", "ä", ""])
RESPONSES = st.lists(st.dictionaries(NAMES, CELLS, max_size=4), max_size=12)


@given(RESPONSES, OFFSETS, st.booleans())
def test_any_rows_in_any_fragmentation(rows: list[dict[str, Any]], offsets: list[int], is_ascii: bool) -> None:
    data = "".join(json.dumps(row, ensure_ascii=is_ascii) + "\n" for row in rows).encode("utf-8", "surrogatepass")
    expected = feed(JSONLinesDocuments, [data])
    assert exact(feed(JSONLinesDocuments, byte_by_byte(data))) == exact(expected)
    assert exact(feed(JSONLinesDocuments, split_at(data, offsets))) == exact(expected)
    if any(rows):
        series = series_of(expected)
        found = [
            {name: cell for name, cell in zip(series["columns"], row, strict=True) if cell is not None}
            for row in series["values"]
        ]
        assert exact([dict(sorted(row.items())) for row in found]) == exact([dict(sorted(row.items())) for row in rows])


def test_error_after_many_documents_is_raised_last() -> None:
    decoder = JSONLinesDocuments()
    assert not decoder.feed(b'{"a":1}\n')
    with pytest.raises(ProtocolError, match="not JSON Lines"):
        decoder.feed(b"oops\n")
    with pytest.raises(ProtocolError, match="not JSON Lines"):
        decoder.close()
