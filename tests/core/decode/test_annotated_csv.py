from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from influx_proto import QueryResult
from influx_proto._decode.annotated_csv import AnnotatedCSVDocuments
from influx_proto._decode.csv import CSVDocuments
from influx_proto._decode.formats import decoder_for
from influx_proto._errors import ProtocolError
from influx_proto._result.result import join

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

# Like the encoder of Flux (csv/result.go) prints it

TABLES = (
    b"#datatype,string,long,dateTime:RFC3339,dateTime:RFC3339,dateTime:RFC3339,double,string,string,string\r\n"
    b"#group,false,false,true,true,false,false,true,true,true\r\n"
    b"#default,_result,,,,,,,,\r\n"
    b",result,table,_start,_stop,_time,_value,_field,_measurement,host\r\n"
    b",,0,2020-01-01T00:00:00Z,2020-01-02T00:00:00Z,2020-01-01T01:00:00.5Z,1.5,usage,cpu,a\r\n"
    b",,0,2020-01-01T00:00:00Z,2020-01-02T00:00:00Z,2020-01-01T01:00:01Z,,usage,cpu,a\r\n"
    b",,1,2020-01-01T00:00:00Z,2020-01-02T00:00:00Z,2020-01-01T01:00:00Z,2,usage,cpu,b\r\n"
    b"\r\n"
)
ERROR = (
    b"#datatype,string,string\r\n#group,true,true\r\n#default,,\r\n,error,reference\r\n"
    b',"runtime error: ""x"",\r\ndivision by zero",\r\n'
)


def block(datatypes: str, groups: str, defaults: str, names: str, *rows: str) -> bytes:
    lines = [f"#datatype,{datatypes}", f"#group,{groups}", f"#default,{defaults}", f",{names}", *rows]
    return "".join(f"{line}\r\n" for line in lines).encode()


def values(datatype: str, *cells: str, default: str = "") -> list[Any]:
    rows = [f",,0,{cell}" for cell in cells]
    table = block(f"string,long,{datatype}", "false,false,false", f"_result,,{default}", "result,table,v", *rows)
    [document] = decode_fragmented(AnnotatedCSVDocuments, table + b"\r\n")
    return [row[0] for row in document["results"][0]["series"][0]["values"]]


def test_tables() -> None:
    tags = {"_start": "2020-01-01T00:00:00Z", "_stop": "2020-01-02T00:00:00Z", "_field": "usage"}
    columns = ["time", "_value"]
    begin = 1577840400_000_000_000
    first = {
        "name": "cpu",
        "tags": {**tags, "host": "a"},
        "columns": columns,
        "values": [[begin + 500_000_000, 1.5], [begin + 1_000_000_000, None]],
    }
    second = {"name": "cpu", "tags": {**tags, "host": "b"}, "columns": columns, "values": [[begin, 2.0]]}
    assert exact(decode_fragmented(AnnotatedCSVDocuments, TABLES)) == exact([
        {"results": [{"statement_id": 0, "series": [first]}]},
        {"results": [{"statement_id": 0, "series": [second]}]},
    ])


def test_frame() -> None:
    documents = feed(AnnotatedCSVDocuments, [TABLES])
    frame = join(QueryResult(document["results"]) for document in documents).to_pandas()
    assert list(frame.columns) == ["_field", "_start", "_stop", "host", "_value"]
    assert str(frame.index.dtype) == "datetime64[ns, UTC]"
    assert frame["host"].tolist() == ["a", "a", "b"]


def test_media_type() -> None:
    assert isinstance(decoder_for("text/csv; charset=utf-8", annotated=True), AnnotatedCSVDocuments)
    assert isinstance(decoder_for("text/csv; charset=utf-8"), CSVDocuments)


def test_no_tables() -> None:
    for body in (b"", b"\r\n", b"\r\n\r\n"):
        assert feed(AnnotatedCSVDocuments, [body]) == [{"results": [{"statement_id": 0}]}]


def test_datatypes() -> None:
    assert exact(values("double", "1.5", "2", "NaN", "+Inf", "-Inf", "-0", "", "1e300", "0.1")) == exact([
        1.5,
        2.0,
        float("nan"),
        float("inf"),
        float("-inf"),
        -0.0,
        None,
        1e300,
        0.1,
    ])
    assert exact(values("long", "-9223372036854775808", "", "9007199254740993")) == exact([-(1 << 63), None, 2**53 + 1])
    assert values("unsignedLong", "18446744073709551615") == [(1 << 64) - 1]
    assert exact(values("boolean", "true", "false", "")) == exact([True, False, None])
    assert values("string", "1", "true", "", '""', '" a,""b"""', '"\r\n"') == ["1", "true", None, None, ' a,"b"', "\n"]
    assert values("duration", "1h") == ["1h"]
    assert values("base64Binary", "YQ==") == ["YQ=="]
    assert values("dateTime:RFC3339Nano", "2020-01-01T00:00:00.5Z") == ["2020-01-01T00:00:00.5Z"]
    assert values("new", "x") == ["x"]


def test_defaults() -> None:
    assert values("long", "", "2", "", default="1") == [1, 2, 1]
    assert values("string", "", "b", default="a") == ["a", "b"]


@pytest.mark.parametrize(
    ("datatype", "cell"),
    [("long", "1.5"), ("long", "1_0"), ("long", " 1"), ("double", "x"), ("double", "1_0"), ("boolean", "True")],
)
def test_invalid_cells(datatype: str, cell: str) -> None:
    with pytest.raises(ProtocolError, match="does not match its datatype"):
        values(datatype, cell)


def test_time() -> None:
    datatypes, groups, defaults = (
        "string,long,string,dateTime:RFC3339,long",
        "false,false,false,false,true",
        "_result,,,,",
    )
    row = ",,0,x,1970-01-01T00:00:00.000000001Z,5"
    for names, columns in {
        "result,table,v,_time,n": ["time", "v", "n"],
        "result,table,v,time,n": ["time", "v", "n"],
        "result,table,time,_time,n": ["time", "time_1", "n"],
    }.items():
        table = block(datatypes, groups, defaults, names, row) + b"\r\n"
        [document] = decode_fragmented(AnnotatedCSVDocuments, table)
        assert document["results"][0]["series"] == [{"columns": columns, "values": [[1, "x", 5]]}]


def test_a_time_that_is_not_a_timestamp_is_not_the_index() -> None:
    table = block("string,long,long", "false,false,false", "_result,,", "result,table,time", ",,0,5") + b"\r\n"
    [document] = decode_fragmented(AnnotatedCSVDocuments, table)
    assert document["results"][0]["series"] == [{"columns": ["time_1"], "values": [[5]]}]


def test_group_keys_without_values() -> None:
    table = block(
        "string,long,string,string,boolean,long",
        "false,false,true,true,true,false",
        "_result,,,,,",
        "result,table,_measurement,host,ok,_value",
        ",,0,,,true,1",
    )
    [document] = decode_fragmented(AnnotatedCSVDocuments, table + b"\r\n")
    assert document["results"][0]["series"] == [
        {"name": "", "tags": {"host": ""}, "columns": ["ok", "_value"], "values": [[True, 1]]}
    ]


def test_table_without_rows() -> None:
    empty = block(
        "string,long,dateTime:RFC3339,double,string",
        "false,false,false,false,true",
        "_result,0,,,a",
        "result,table,_time,_value,host",
    )
    series = {"tags": {"host": "a"}, "columns": ["time", "_value"]}
    expected = [{"results": [{"statement_id": 0, "series": [series]}]}]
    assert decode_fragmented(AnnotatedCSVDocuments, empty + b"\r\n") == expected
    for separator in (b"", b"\r\n"):
        documents = decode_fragmented(AnnotatedCSVDocuments, empty + separator + TABLES)
        assert documents == expected + feed(AnnotatedCSVDocuments, [TABLES])


def test_several_yields() -> None:
    long = "string,long,long", "false,false,false"
    data = (
        block(*long, "first,,", "result,table,a", ",,0,1", ",,1,2")
        + b"\r\n"
        + block(*long, "second,,", "result,table,b", ",,0,3")
        + b"\r\n"
        + block(*long, ",,", "result,table,b", ",_result,0,4", ",third,0,5")
        + b"\r\n"
    )
    documents = decode_fragmented(AnnotatedCSVDocuments, data)
    results = join(QueryResult(document["results"]) for document in documents)["results"]
    assert [(result["statement_id"], result.get("result")) for result in results] == [
        (0, "first"), (1, "second"), (2, None), (3, "third"),
    ]  # fmt: skip
    assert [[series["values"] for series in result["series"]] for result in results] == [
        [[[1]], [[2]]], [[[3]]], [[[4]]], [[[5]]],
    ]  # fmt: skip


def test_errors() -> None:
    text = 'runtime error: "x",\ndivision by zero'
    assert decode_fragmented(AnnotatedCSVDocuments, ERROR) == [{"error": text}]
    tables = feed(AnnotatedCSVDocuments, [TABLES])
    for separator in (b"", b"\r\n"):
        data = TABLES.removesuffix(b"\r\n") + separator + ERROR
        assert decode_fragmented(AnnotatedCSVDocuments, data) == [*tables, {"error": text}]
    for header in (b",error,reference\r\n,broken,897\r\n", b"error,reference\r\nbroken,897\r\n"):
        assert decode_fragmented(AnnotatedCSVDocuments, TABLES + header) == [*tables, {"error": "broken"}]
        data = TABLES.removesuffix(b"\r\n") + header
        assert decode_fragmented(AnnotatedCSVDocuments, data) == [*tables, {"error": "broken"}]


def test_documents_have_a_bounded_number_of_rows() -> None:
    rows = [f",,{table},{number}" for table, number in ((0, 1), (0, 2), (1, 3), (1, 4), (1, 5))]
    data = block("string,long,long", "false,false,false", "_result,,", "result,table,v", *rows) + b"\r\n"
    documents = decode_fragmented(partial(AnnotatedCSVDocuments, max_rows=2), data)
    assert [document["results"][0].get("partial") for document in documents] == [None, True, None]
    series = join(QueryResult(document["results"]) for document in documents).series
    assert [each.values for each in series] == [[[1], [2]], [[3], [4], [5]]]


def test_truncation() -> None:
    for data in (TABLES, ERROR):
        for length in range(1, len(data)):
            for chunks in ([data[:length]], byte_by_byte(data[:length])):
                documents, error = feed_until_error(AnnotatedCSVDocuments, chunks)
                assert error is not None
                assert error.retryable
                assert documents == feed(AnnotatedCSVDocuments, [data])[: len(documents)]


@pytest.mark.parametrize(
    "data",
    [
        b"oops\r\n",
        b'{"code":"internal error"}\n',
        b"name,tags,time,v\ncpu,,1,2\n",
        b",result,table,_value\r\n,_result,0,1\r\n\r\n",
        TABLES.replace(b"#group,false,", b"#group,"),
        TABLES.replace(b"cpu,a\r\n", b"cpu\r\n"),
        TABLES.replace(b"#default", b"#other"),
    ],
)
def test_other_responses_are_errors(data: bytes) -> None:
    for chunks in fragmentations(data):
        _, error = feed_until_error(AnnotatedCSVDocuments, chunks)
        assert error is not None


def test_invalid_utf_8_is_replaced() -> None:
    data = TABLES.replace(b"usage,cpu,a", b"usage,cpu,\xff")
    series = feed(AnnotatedCSVDocuments, [data])[0]["results"][0]["series"][0]
    assert series["tags"]["host"] == "\ufffd"


def quoted(cell: str) -> str:
    """Return the cell as Go's writer quotes it, with CR LF as line ends: it drops CR, and writes LF as CR LF."""
    if set(cell) & set('",\r\n') or cell[:1].isspace():
        return '"' + cell.replace('"', '""').replace("\r", "").replace("\n", "\r\n") + '"'
    return cell


TEXTS = st.text(max_size=6) | st.sampled_from(["a,b", '"', "\n", "#x", " a", "a\n\nb"])
ROW = st.tuples(st.integers(-(1 << 63), (1 << 63) - 1) | st.none(), st.floats(allow_nan=False) | st.none(), TEXTS)


@given(st.lists(st.tuples(TEXTS, st.lists(ROW, min_size=1, max_size=4)), max_size=4), OFFSETS)
def test_any_tables_in_any_fragmentation(tables: list[tuple[str, list[Any]]], offsets: list[int]) -> None:
    def number(cell: float | None) -> str:
        return "" if cell is None else {"inf": "+Inf", "-inf": "-Inf"}.get(repr(cell), repr(cell))

    rows = [
        f",,{table},{quoted(tag)},{number(integer)},{number(float_)},{quoted(string)}"
        for table, (tag, cells) in enumerate(tables)
        for integer, float_, string in cells
    ]
    data = b"\r\n"
    if tables:
        data = block(
            "string,long,string,long,double,string",
            "false,false,true,false,false,false",
            "_result,,,,,",
            "result,table,t,i,f,s",
            *rows,
        ) + data  # fmt: skip
    expected = feed(AnnotatedCSVDocuments, [data])
    assert exact(feed(AnnotatedCSVDocuments, byte_by_byte(data))) == exact(expected)
    assert exact(feed(AnnotatedCSVDocuments, split_at(data, offsets))) == exact(expected)
    found = [series for document in expected for result in document["results"] for series in result.get("series", ())]
    assert exact([(series["tags"], series["values"]) for series in found]) == exact([
        (
            {"t": tag.replace("\r", "")},
            [[integer, float_, string.replace("\r", "") or None] for integer, float_, string in cells],
        )
        for tag, cells in tables
    ])
