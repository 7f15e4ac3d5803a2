from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from influx_proto._decode import csv_cells
from influx_proto._decode.csv import CSVDocuments
from influx_proto._decode.formats import decoder_for
from influx_proto._decode.json import JSONDocuments
from influx_proto._decode.msgpack import MessagePackDocuments
from influx_proto._errors import ProtocolError

from tests.core.decode.conftest import (
    OFFSETS,
    Buffer,
    byte_by_byte,
    decode_fragmented,
    exact,
    feed,
    feed_until_error,
    split_at,
)

# Responses of InfluxDB 1.6.7

ROWS = (
    b"name,tags,time,b,f,i,s,t g,u\n"
    b'odd,,-9223372036854775806,true,-9500000000000000000,-9223372036854775808,,"x,y=z",\n'
    b'odd,,-1,,100000000000000000000,9223372036854775807,"q""{}{\\ ,\xe2\x80\xa8 \n nl","x,y=z",a\n'
    b"odd,,1500000000000000000,,-0,,\xff bad,,b\n"
    b"odd,,1500000000120000000,,1" + b"0" * 300 + b",,,,b\n"
)
GROUPS = (
    b'name,tags,time,f\nodd,u=b,1,0.5\nodd,u=b,2,+Inf\nodd,"t\\ g=x\\,y\\=z",3,-Inf\nodd,"t\\ g=x\\,y\\=z,u=a",4,\n'
)
SEVERAL = b"name,tags,user,admin\n\nname,tags,name\nmeasurements,,big\nmeasurements,,odd\n"
SERIES = b'name,tags,key\n,,"big,host=h0"\n,,"odd,t\\ g=x\\,y\\=z,u=a"\n'
REJECTED = b'error\n"error parsing query: found BAD, expected SELECT"\n'


def quoted(cell: str) -> str:
    """Return the cell as InfluxDB quotes it."""
    return '"' + cell.replace('"', '""') + '"' if set(cell) & set('",\r\n') or cell[:1].isspace() else cell


def test_rows() -> None:
    assert exact(decode_fragmented(CSVDocuments, ROWS)) == exact([{"results": [{"statement_id": 0, "series": [{
        "name": "odd",
        "columns": ["time", "b", "f", "i", "s", "t g", "u"],
        "values": [
            [-9223372036854775806, True, -9.5e18, -(1 << 63), None, "x,y=z", None],
            [-1, None, 1e20, (1 << 63) - 1, 'q"{}{\\ ,\u2028 \n nl', "x,y=z", "a"],
            [1500000000000000000, None, -0.0, None, "\ufffd bad", None, "b"],
            [1500000000120000000, None, 1e300, None, None, None, "b"],
        ],
    }]}]}])  # fmt: skip


def test_series() -> None:
    first, second, third = (document["results"][0] for document in decode_fragmented(CSVDocuments, GROUPS))
    columns = ["time", "f"]
    assert first == {
        "statement_id": 0,
        "series": [{"name": "odd", "tags": {"u": "b"}, "columns": columns, "values": [[1, 0.5], [2, float("inf")]]}],
        "partial": True,
    }
    assert second == {
        "statement_id": 0,
        "series": [{"name": "odd", "tags": {"t g": "x,y=z"}, "columns": columns, "values": [[3, float("-inf")]]}],
        "partial": True,
    }
    assert third == {
        "statement_id": 0,
        "series": [{"name": "odd", "tags": {"t g": "x,y=z", "u": "a"}, "columns": columns, "values": [[4, None]]}],
    }


def test_blocks() -> None:
    users = {"statement_id": 0, "series": [{"columns": ["user", "admin"]}]}
    measurements = {"name": "measurements", "columns": ["name"], "values": [["big"], ["odd"]]}
    assert decode_fragmented(CSVDocuments, SEVERAL) == [
        {"results": [users]},
        {"results": [{"statement_id": 1, "series": [measurements]}]},
    ]
    assert decode_fragmented(CSVDocuments, SEVERAL.replace(b"\n", b"\r\n")) == feed(CSVDocuments, [SEVERAL])
    assert feed(CSVDocuments, [SEVERAL + b"\n"]) == feed(CSVDocuments, [SEVERAL])


def test_series_without_a_name() -> None:
    (document,) = decode_fragmented(CSVDocuments, SERIES)
    assert document["results"][0]["series"] == [
        {"columns": ["key"], "values": [["big,host=h0"], ["odd,t\\ g=x\\,y\\=z,u=a"]]}
    ]


def test_empty_and_error_responses() -> None:
    assert feed(CSVDocuments, []) == feed(CSVDocuments, [b""]) == [{"results": [{"statement_id": 0}]}]
    assert decode_fragmented(CSVDocuments, REJECTED) == [{"error": "error parsing query: found BAD, expected SELECT"}]
    assert decode_fragmented(CSVDocuments, b"error\na, b\n") == [{"error": "a, b"}]
    assert feed(CSVDocuments, [b'error\n"a\nb"\n']) == [{"error": "a\nb"}]


def test_long_series_are_returned_in_parts() -> None:
    for rows in range(1, 10):
        response = b"name,tags,time\n" + b"".join(b"m,,%d\n" % row for row in range(rows))
        documents = decode_fragmented(partial(CSVDocuments, max_rows=3), response + b"\n" + response)
        assert [row for item in documents for row in item["results"][0]["series"][0]["values"]] == [
            [row] for row in range(rows)
        ] * 2
        assert all(len(item["results"][0]["series"][0]["values"]) <= 3 for item in documents)
        marks = [
            (item["results"][0].get("partial"), item["results"][0]["series"][0].get("partial")) for item in documents
        ]
        assert marks == ([(True, True)] * ((rows - 1) // 3) + [(None, None)]) * 2


def test_rows_are_not_buffered() -> None:
    decoder = CSVDocuments(max_rows=10)
    decoder.feed(b"name,tags,time\n")
    for row in range(1000):
        decoder.feed(b"m,,%d\n" % row)
        assert len(decoder._rows) <= 10
        assert not decoder._buffer


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("0", 0),
        ("-1", -1),
        ("18446744073709551615", (1 << 64) - 1),
        ("18446744073709551616", 18446744073709551616.0),
        ("-9223372036854775808", -(1 << 63)),
        ("-9223372036854775809", -9223372036854775808.0),
        ("0.1", 0.1),
        ("-0", -0.0),
        ("-0.000000001", -1e-9),
        ("true", True),
        ("false", False),
        ("True", "True"),
        ("", None),
        ("007", "007"),
        ("+1", "+1"),
        ("1.", "1."),
        (".5", ".5"),
        ("1e5", "1e5"),
        ("1_0", "1_0"),
        ("\u0661", "\u0661"),
        ("NaN", "NaN"),
        ("9" * 5000, "9" * 5000),
        (" x", " x"),
        ("a\rb\r\nc\n", "a\rb\r\nc\n"),
        ('"', '"'),
        ('","', '","'),
        ("x" * 200_000, "x" * 200_000),
        ("\u2028\x85\x0b\x0c\x1c", "\u2028\x85\x0b\x0c\x1c"),
    ],
)
def test_cells(cell: str, value: Any) -> None:
    response = f"name,tags,v,w\nm,,{quoted(cell)},{quoted(cell)}\n".encode()
    for chunks in ([response], split_at(response, range(0, len(response), 1 + len(response) // 100))):
        (document,) = feed(CSVDocuments, chunks)
        assert exact(document["results"][0]["series"][0]["values"]) == exact([[value, value]])


@pytest.mark.parametrize(
    ("cell", "tags"),
    [
        ("a=b", {"a": "b"}),
        ("a=b,c=d", {"a": "b", "c": "d"}),
        (r"a\,b=c\,d,e\=f=g\=h,i\ j=k\ l", {"a,b": "c,d", "e=f": "g=h", "i j": "k l"}),
        (r"a=b\c,d\e=\\f", {"a": r"b\c", r"d\e": r"\\f"}),
        ("a=b=c", {"a": "b=c"}),  # not escaped from 1.11.5 on
        ("a b=c d", {"a b": "c d"}),
        ("a=line\nfeed", {"a": "line\nfeed"}),
    ],
)
def test_tags(cell: str, tags: dict[str, str]) -> None:
    response = f'name,tags,v\nm,"{cell}",1\n'.encode()
    (document,) = decode_fragmented(CSVDocuments, response)
    assert document["results"][0]["series"][0]["tags"] == tags


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=6)


@given(st.lists(st.lists(TEXT.map(lambda text: "s" + text), min_size=3, max_size=3), min_size=1), OFFSETS)
def test_any_string_round_trips(rows: list[list[str]], offsets: list[int]) -> None:
    lines = ["name,tags,a,b,c", *("m,," + ",".join(map(quoted, row)) for row in rows)]
    response = "".join(line + "\n" for line in lines).encode()
    for chunks in (split_at(response, offsets), byte_by_byte(response)):
        (document,) = feed(CSVDocuments, chunks)
        assert document["results"][0]["series"][0]["values"] == rows


NUMBERS = (
    st.integers(-(2**65), 2**65).map(str)
    | st.floats(allow_nan=False, allow_infinity=False).map(lambda value: f"{value:f}")
    | st.sampled_from([
        "",
        "",
        "-0",
        "0",
        "-0.0",
        "01",
        "1.",
        ".5",
        "-",
        "1,2",
        ",",
        "1e5",
        "+Inf",
        "null",
        "true",
        "x",
    ])
    | st.sampled_from(["9" * 309, "1" + "0" * 308, "1" + "0" * 309, "1" * 20, "-" + "1" * 20, "9" * 309 + ".5"])
    | st.text("0123456789.,-", max_size=4)
)


@given(st.sampled_from([st.integers(-99, 99).map(str), NUMBERS]).flatmap(lambda cell: st.lists(cell, min_size=1)))
def test_columns_are_read_like_single_cells(cells: list[str]) -> None:
    assert exact(csv_cells.read_column(cells)) == exact([csv_cells.read_cell(cell) for cell in cells])


def test_truncation_within_a_line() -> None:
    for response in (GROUPS, SEVERAL, ROWS[:-310]):
        lines = [
            at + 1
            for at in range(len(response))
            if response[at : at + 1] == b"\n" and response[:at].count(b'"') % 2 == 0
        ]
        for length in range(len(response)):
            _, error = feed_until_error(CSVDocuments, [response[:length]])
            assert (error is None) == (length in {0, *lines})
            assert error is None or error.retryable
    for length in range(1, len(REJECTED)):
        _, error = feed_until_error(CSVDocuments, [REJECTED[:length]])
        assert error is not None
        assert error.retryable


@pytest.mark.parametrize(
    "response",
    [
        b"<!DOCTYPE html>\n<html></html>\n",
        b"404 page not found\n",
        b"a,b,c\n1,2,3\n",
        b"name,tags,time\nm,,1,2\n",
        b"name,tags,time\nm,\n",
        b"name,tags,time\nm,novalue,1\n",
        b'name,tags,time\nm,,"a"b"c"\n',
        b'name,tags,time\nm,,a""\n',
        b"error\n",
    ],
)
def test_invalid_responses(response: bytes) -> None:
    for chunks in ([response], byte_by_byte(response)):
        with pytest.raises(ProtocolError):
            feed(CSVDocuments, chunks)


def test_documents_before_an_error_are_returned() -> None:
    response = GROUPS + b"odd,u=b,1,1,1\n"
    for chunks in ([response], byte_by_byte(response)):
        documents, error = feed_until_error(CSVDocuments, chunks)
        assert documents == feed(CSVDocuments, [GROUPS])[:2]
        assert error is not None
        assert "5 cells" in str(error)


def test_error_is_raised_again() -> None:
    decoder = CSVDocuments()
    for _ in range(2):
        with pytest.raises(ProtocolError, match="not InfluxDB's"):
            decoder.feed(b"<html>\n")
    with pytest.raises(ProtocolError, match="not InfluxDB's"):
        decoder.close()


@pytest.mark.parametrize("size", [1, 7, 1000, 1 << 20])
@pytest.mark.parametrize("row", [b"m,,1,2\n", b'm,,"%s",2\n' % (b'a""b\n' * 5000)])
def test_work_is_linear(row: bytes, size: int) -> None:
    response = b"name,tags,a,b\n" + row * (30_000 // len(row) + 1)
    decoder = CSVDocuments()
    buffer = decoder._buffer = Buffer()
    for at in range(0, len(response), size):
        decoder.feed(response[at : at + size])
    decoder.close()
    assert buffer.work < 4 * len(response)


@pytest.mark.parametrize(
    ("content_type", "decoder"),
    [
        ("application/json", JSONDocuments),
        ("Application/JSON; charset=utf-8", JSONDocuments),
        ("application/x-msgpack", MessagePackDocuments),
        ("text/csv", CSVDocuments),
        (" text/csv ;header=present", CSVDocuments),
        ("application/csv", CSVDocuments),
        ("text/html; charset=utf-8", type(None)),
        ("text/plain", type(None)),
        ("", type(None)),
        (None, type(None)),
    ],
)
def test_decoder_for_a_content_type(content_type: str | None, decoder: type) -> None:
    assert type(decoder_for(content_type)) is decoder
