"""Tables decoded as columns are equal to those decoded row by row, in values and types."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from influx_proto import QueryResult
from influx_proto._decode import annotated_csv
from influx_proto._decode.annotated_csv import AnnotatedCSVDocuments
from influx_proto._decode.formats import decoder_for
from influx_proto._result.packed import PackedRows
from influx_proto._result.table import Tables
from influx_proto._result.to_pandas import to_frame

from tests.core.decode.conftest import OFFSETS, Documents, byte_by_byte, exact, feed_until_error, split_at
from tests.core.decode.test_annotated_csv import ERROR, TABLES, block

PACKED = partial(AnnotatedCSVDocuments, packed=True)

DATATYPES = "string,long,string,string,dateTime:RFC3339,double,long,unsignedLong,boolean,string"
GROUPS = "false,false,true,true,false,false,false,false,false,false"
DEFAULTS = "_result,,,,,,,,,"
NAMES = "result,table,_measurement,host,_time,f,i,u,b,s"


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(annotated_csv, "_MIN_ROWS", 2)


def tables_of(documents: Documents) -> list[Any]:
    """Return statement, name, tags, columns and rows of each table, joined if they are in several documents."""
    tables: list[Any] = []
    for document in documents:
        for result in document.get("results", [document]):
            for series in result.get("series", [None]):
                if series is None:
                    tables.append(([result], []))
                    continue
                table = [result["statement_id"], result.get("result"), {**series, "values": None, "partial": None}]
                rows = list(series.get("values", ()))
                if tables and exact(tables[-1][0]) == exact(table) and rows:
                    tables[-1][1].extend(rows)
                else:
                    tables.append((table, rows))
    return tables


def check(chunks: Iterable[bytes]) -> Documents:
    """Check that both decoders return the same, and return the documents with columns."""
    chunks = list(chunks)
    expected, error = feed_until_error(AnnotatedCSVDocuments, chunks)
    documents, packed_error = feed_until_error(PACKED, chunks)
    assert str(packed_error) == str(error)
    if error is None:
        assert exact(tables_of(documents)) == exact(tables_of(expected))
    return documents


def packed_rows(documents: Documents) -> int:
    series = [
        each for document in documents for result in document.get("results", ()) for each in result.get("series", ())
    ]
    return sum(len(each["values"]) for each in series if isinstance(each.get("values"), PackedRows))


def row(number: int, **cells: str) -> str:
    values = {
        "table": str(number // 4),
        "measurement": "cpu",
        "host": f"h{number // 4}",
        "time": f"2026-01-01T00:00:{number % 60:02}Z",
        "f": repr(number / 3),
        "i": str(-number),
        "u": str((1 << 64) - 1 - number),
        "b": "true" if number % 3 else "false",
        "s": f"s{number % 2}",
    }
    return ",," + ",".join((values | cells).values())


def data_of(*rows: str) -> bytes:
    return block(DATATYPES, GROUPS, DEFAULTS, NAMES, *rows) + b"\r\n"


def test_columns_of_every_type() -> None:
    data = data_of(*map(row, range(200)))
    for chunks in ([data], split_at(data, [3000, 3001, 7000]), byte_by_byte(data)):
        documents = check(chunks)
    documents = check([data])
    assert packed_rows(documents) == 200
    frames: list[pd.DataFrame] = []
    for make in (AnnotatedCSVDocuments, PACKED):
        collector = Tables()
        for document in feed_until_error(make, [data])[0]:
            collector.add(QueryResult(document["results"]))
        frames += map(to_frame, collector.finish())
    pd.testing.assert_frame_equal(frames[0], frames[1])
    assert [str(dtype) for dtype in frames[0].dtypes[:5]] == ["category", "float64", "int64", "uint64", "bool"]
    assert frames[0]["host"].tolist() == [f"h{number // 4}" for number in range(200)]


@pytest.mark.parametrize(
    "cells",
    [
        {"f": ""}, {"f": "NaN"}, {"f": "+Inf"}, {"f": "-Inf"}, {"f": "-0"}, {"f": "5"}, {"f": "1e-05"}, {"f": "007"},
        {"f": "1" + "0" * 300}, {"f": "x"}, {"f": "1_0"}, {"f": "+1"}, {"f": "1."}, {"f": "1e999"},
        {"i": ""}, {"i": "-0"}, {"i": "007"}, {"i": "9007199254740993"}, {"i": "18446744073709551615"}, {"i": "1.5"},
        {"i": "1" + "0" * 30}, {"i": "1e2"}, {"u": ""}, {"b": ""}, {"b": "tru"}, {"b": "falsy"}, {"b": "truest"},
        {"s": ""}, {"s": "x" * 100}, {"s": "\xe4"}, {"s": '"a,b"'}, {"s": '"\r\n"'}, {"s": "a,b"}, {"s": "\r"},
        {"time": ""}, {"time": "2026-01-01T00:00:00.123456789Z"}, {"time": "2026-01-01T00:00:00+01:00"},
        {"time": "2026-02-30T00:00:00Z"}, {"time": "x"}, {"time": "9999-01-01T00:00:00Z"}, {"host": ""},
        {"table": ""}, {"table": "100000000000"}, {"measurement": ""},
    ],
)  # fmt: skip
def test_unusual_cells(cells: dict[str, str]) -> None:
    rows = list(map(row, range(12)))
    for at in (0, 5, 11):
        data = data_of(*rows[:at], row(at, **cells), *rows[at + 1 :])
        check([data])
        check(data.splitlines(keepends=True))
    data = data_of(*(row(number, **cells) for number in range(12)))
    check([data])


@pytest.mark.parametrize(
    "data",
    [
        TABLES,
        TABLES + TABLES,
        TABLES.replace(b"\r\n", b"\n"),
        TABLES[:-2] + ERROR,
        TABLES[:-2] + b",error,reference\r\n,broken,\r\n",
        TABLES + ERROR,
        TABLES[:-2],
        TABLES.replace(b"#default,_result,", b"#default,x,7"),
        TABLES.replace(b",,1,", b",other,1,"),
        TABLES.replace(b",2,usage", b",\xff,usage"),
        TABLES.replace(b"cpu,b", b"cpu,\xff"),
        TABLES.replace(b"_result,,,,,,", b"_result,,,,,3.5,"),
        block("string,long", "false,false", "_result,", "result,table", ",,0", ",,0", ",,1") + b"\r\n",
        b"x" * 100 + b"\r\n",
        b"\r\n" * 5,
        data_of(*map(row, range(9))) + data_of(*map(row, range(9))).replace(b"_result", b"second"),
    ],
)
def test_responses(data: bytes) -> None:
    check([data])
    check(byte_by_byte(data))
    check(data.splitlines(keepends=True))


ROW = st.builds(
    row,
    st.integers(0, 12),
    f=st.floats().map(lambda value: {"nan": "NaN", "inf": "+Inf", "-inf": "-Inf"}.get(repr(value), repr(value)))
    | st.just(""),
    i=st.integers(-(1 << 63), (1 << 63) - 1).map(str) | st.just(""),
    u=st.integers(0, (1 << 64) - 1).map(str) | st.just(""),
    b=st.sampled_from(["true", "false", ""]),
    s=st.sampled_from(["", "a", "ab", "ab\0", "\u4067", "abcdefgh", "abcdefghi"]),
)


@given(st.lists(st.lists(ROW, max_size=12), max_size=3), OFFSETS)
def test_any_rows(blocks: list[list[str]], offsets: list[int]) -> None:
    data = b"".join(data_of(*rows) for rows in blocks if rows)
    check(split_at(data, offsets))


def test_media_type() -> None:
    decoder = decoder_for("text/csv", packed=True, annotated=True)
    assert decoder is not None
    assert packed_rows(decoder.feed(data_of(*map(row, range(9))))) == 9
