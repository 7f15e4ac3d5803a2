"""JSON and CSV decoded as columns are equal to those decoded row by row, in values and types."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from influx_proto import QueryResult
from influx_proto._decode import csv_columns, json_columns
from influx_proto._decode.csv import CSVDocuments
from influx_proto._decode.json import JSONDocuments
from influx_proto._result.packed import PackedRows
from influx_proto._result.table import Tables
from influx_proto._result.to_pandas import to_frame

from tests.core.decode.conftest import OFFSETS, Documents, exact, feed_until_error, split_at


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_columns, "_MIN_SIZE", 0)
    monkeypatch.setattr(json_columns, "_MIN_ROWS", 0)
    monkeypatch.setattr(json_columns, "_MIN_ROWS_PER_COLUMN", 0)
    monkeypatch.setattr(csv_columns, "_MIN_ROWS", 2)


def tables_of(documents: Documents) -> list[Any]:
    """Return statement, name, tags, columns and rows of each series, joined if they are in several documents."""
    tables: list[Any] = []
    for document in documents:
        for result in document.get("results", [document]):
            for series in result.get("series", [{}]):
                rows = list(series.get("values", ()))
                table = {"statement_id": result.get("statement_id"), "error": result.get("error"), **series}
                table = {key: value for key, value in table.items() if key not in {"values", "partial"}}
                if tables and exact(tables[-1][0]) == exact(table):
                    tables[-1][1].extend(rows)
                else:
                    tables.append((table, rows))
    return tables


def frames_of(documents: Documents) -> list[pd.DataFrame]:
    collector = Tables()
    for document in documents:
        collector.add(QueryResult(document["results"]))
    return list(map(to_frame, collector.finish()))


def check(make: Callable[..., Any], chunks: Iterable[bytes], *, frames: bool = False) -> int:
    """Check that both decoders return the same, also as frames, and return the number of rows in columns."""
    chunks = list(chunks)
    expected, error = feed_until_error(make, chunks)
    documents, packed_error = feed_until_error(partial(make, packed=True), chunks)
    assert str(packed_error) == str(error)
    series = [
        each for document in documents for result in document.get("results", ()) for each in result.get("series", ())
    ]
    rows = sum(len(each["values"]) for each in series if isinstance(each.get("values"), PackedRows))
    if error is None:
        assert exact(tables_of(documents)) == exact(tables_of(expected))
        if frames:
            for frame, other in zip(frames_of(documents), frames_of(expected), strict=True):
                pd.testing.assert_frame_equal(frame, other)
    return rows


def json_document(rows: object, **others: object) -> bytes:
    series = {"name": "m", "tags": {"host": "a"}, "columns": ["time", "x", "y"], "values": rows, **others}
    return json.dumps({"results": [{"statement_id": 0, "series": [series]}]}, separators=(",", ":")).encode() + b"\n"


NUMBERS = st.integers(-(1 << 65), 1 << 65) | st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.sampled_from(["a", "b", "ä", "", ",", "],[", "[", '"', "1", "true", "x y"])
JSON_COLUMNS: st.SearchStrategy[Any] = st.sampled_from([
    st.integers(-(1 << 63), (1 << 63) - 1), st.floats(allow_nan=False, allow_infinity=False), NUMBERS, st.booleans(),
    TEXTS, st.sampled_from(["a", "b"]), st.none() | TEXTS, st.none() | st.floats(0, 1), st.none() | st.booleans(),
    st.none(), st.one_of(st.none(), NUMBERS, TEXTS, st.booleans(), st.just([])), st.integers(10**16, 10**20),
])  # fmt: skip
TIMES = st.integers(10**18, (1 << 63) - 1) | st.integers(-(1 << 60), 1 << 60)


@given(st.data(), OFFSETS)
def test_json_rows(data: st.DataObject, offsets: list[int]) -> None:
    columns = [data.draw(JSON_COLUMNS), data.draw(JSON_COLUMNS)]
    rows = data.draw(st.lists(st.tuples(TIMES, *columns), min_size=1, max_size=12))
    document = json_document(rows)
    check(JSONDocuments, [document * 2], frames=True)
    check(JSONDocuments, split_at(document, offsets))


DOCUMENT = json_document([
    [1600000000000000000, 1.5, "a"],
    [1600000000000000001, 2.5, "b"],
    [1600000000000000002, 3.5, "a"],
])
ROWS = (
    b"m,host=a,1600000000000000000,1.5,a\n" * 2 + b"m,host=a,-5,,true\n"
) + b"m,host=b,1600000000000000000,-3,x\n" * 2
BLOCK = b"name,tags,time,x,y\n" + ROWS
BYTES = [
    b'"',
    b",",
    b"[",
    b"]",
    b"],[",
    b"{",
    b"\\",
    b"\n",
    b"\r",
    b" ",
    b"1",
    b"e",
    b".",
    b"-",
    b"-0",
    b"\xff",
    b"\x00",
    b"null",
    b"",
]


def mutated(data: st.DataObject, document: bytes) -> bytes:
    changed = bytearray(document)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(changed) - 2))
        changed[at : at + data.draw(st.integers(0, 2))] = data.draw(st.sampled_from(BYTES))
    return bytes(changed)


def test_usual_responses_are_packed() -> None:
    assert check(JSONDocuments, [DOCUMENT], frames=True) == 3
    assert check(JSONDocuments, [DOCUMENT.replace(b'"b"', b'"],["')]) == 0
    assert check(JSONDocuments, [DOCUMENT.replace(b'"b"', b'"b,c"')]) == 3
    assert check(JSONDocuments, [DOCUMENT.replace(b'"b"', b'"\\"c"')]) == 3
    assert check(JSONDocuments, [DOCUMENT.replace(b'"b"', b"null")]) == 3
    assert check(CSVDocuments, [BLOCK], frames=True) == 5
    assert check(CSVDocuments, [BLOCK + b"\n" + BLOCK], frames=True) == 10
    assert check(CSVDocuments, [BLOCK.replace(b"host=a", b'"host=a,b=""c"""')], frames=True) == 5
    quoted = BLOCK.replace(b",x\n", b',"x, ""y""\n"\n').replace(b",a\n", b',"1"\n')
    assert check(CSVDocuments, [quoted, quoted[:-3]]) == 5


@pytest.mark.parametrize("split", [1, 100, 10_000])
def test_documents_in_one_line_and_braces_in_strings(split: int) -> None:
    braces = DOCUMENT.replace(b'"b"', b'"}{"')
    two = DOCUMENT.strip() + DOCUMENT
    numbers = json_document([[1, 2, 3], [4, 5, 6]]).strip() * 2
    for response, rows in ((braces + DOCUMENT, 6), (DOCUMENT + two, 0), (two.strip(), 0), (numbers + b"\n", 0)):
        chunks = [response[at : at + split] for at in range(0, len(response), split)]
        found = check(JSONDocuments, chunks)
        assert split < len(response) or found == rows


def test_several_series_and_messages() -> None:
    two = json.loads(DOCUMENT)
    two["results"][0]["series"] *= 2
    check(JSONDocuments, [json.dumps(two, separators=(",", ":")).encode()])
    two["results"] *= 2
    check(JSONDocuments, [json.dumps(two, separators=(",", ":")).encode()])
    messages = json.loads(DOCUMENT)
    messages["results"][0]["messages"] = [{"level": "warning", "text": "]]"}]
    check(JSONDocuments, [json.dumps(messages, separators=(",", ":")).encode()])
    check(JSONDocuments, [json_document([[1, 2, 3], [1, 2, 3, 4], [1, 2]])])
    check(JSONDocuments, [json_document([[1, 2, 3], [[], 2, 3, 4]])])


@given(st.data())
def test_json_with_other_bytes(data: st.DataObject) -> None:
    check(JSONDocuments, [mutated(data, DOCUMENT)])


CSV_CELLS = st.sampled_from([
    "", "a", "ä", "1", "-1", "1.5", "0.000001", "-0", "-0.5", "true", "false", "+Inf", "-Inf", " 1", "01", "1e5", ".5",
    "1600000000000000000", "9223372036854775807", "9223372036854775808", "99999999999999999999", "x y", "True", "5.",
    '"a,b"', '"a""b"', '"\n\nname,tags,"', '""', '"1"', 'a"b"', '"a"b',
    "-", "--1", "00", "-01", "null", "1E5", "-9223372036854775808", "1_0", "\u0661",
])  # fmt: skip
#: Integers of every number of digits, with one sign or both.
CSV_INTEGERS = st.sampled_from([(-1, 0), (0, 1), (-1, 1)]).flatmap(
    lambda signs: st.integers(0, 65).flatmap(lambda bits: st.integers(signs[0] << bits, signs[1] << bits))
)


@given(st.data(), OFFSETS)
def test_csv_rows(data: st.DataObject, offsets: list[int]) -> None:
    kinds = st.sampled_from([CSV_CELLS, CSV_INTEGERS.map(str), CSV_INTEGERS.map(str) | st.just("")])
    columns = [data.draw(st.lists(data.draw(kinds), min_size=1, max_size=3).map(st.sampled_from)) for _ in range(3)]
    columns[0] = data.draw(st.sampled_from([columns[0], st.integers(0, (1 << 63) - 1).map(str)]))
    rows = data.draw(
        st.lists(
            st.tuples(st.sampled_from(["m,", "m,h=a", "n,h=a", 'm,"h=a,i=b"', '"m,n",', f"m,h={'a' * 40}"]), *columns),
            min_size=1,
            max_size=12,
        )
    )
    block = b"name,tags,time,x,y\n" + "".join(",".join(row) + "\n" for row in rows).encode()
    are_times = all(re.fullmatch("0|[1-9][0-9]{0,17}", row[1]) for row in rows)
    for chunks in ([block], split_at(block, offsets), [block, b"\n", block]):
        check(CSVDocuments, chunks, frames=are_times)


@given(st.data())
def test_csv_with_other_bytes(data: st.DataObject) -> None:
    check(CSVDocuments, [mutated(data, BLOCK)])
