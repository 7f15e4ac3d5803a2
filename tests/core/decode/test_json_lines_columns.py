"""Rows decoded as columns are equal to those decoded row by row, in values and types."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import datetime
from functools import partial
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from influx_proto import QueryResult, SerializationError
from influx_proto._decode.formats import decoder_for
from influx_proto._decode.json_lines import JSONLinesDocuments
from influx_proto._decode.json_lines_columns import decode_spans
from influx_proto._decode.timestamp_columns import read_strings
from influx_proto._decode.timestamps import read_timestamp
from influx_proto._result.packed import PackedRows
from influx_proto._result.table import Tables
from influx_proto._result.to_pandas import to_frame
from influx_proto._time import to_nanoseconds

from tests.core.decode.conftest import OFFSETS, Documents, byte_by_byte, exact, feed_until_error, split_at

PACKED = partial(JSONLinesDocuments, packed=True)


def rows_of(documents: Documents) -> list[Any]:
    """Return columns and rows of all documents, without those of later columns."""
    series = [
        each for document in documents for result in document.get("results", ()) for each in result.get("series", ())
    ]
    columns: list[str] = max((each["columns"] for each in series), key=len, default=[])
    rows = [[*row, *[None] * (len(columns) - len(row))] for each in series for row in each.get("values", ())]
    return [columns, rows, [document for document in documents if "results" not in document]]


def check(chunks: Iterable[bytes]) -> Documents:
    """Check that both decoders return the same, and return the documents with columns."""
    chunks = list(chunks)
    expected, error = feed_until_error(JSONLinesDocuments, chunks)
    documents, packed_error = feed_until_error(PACKED, chunks)
    assert str(packed_error) == str(error)
    if error is None:
        assert exact(rows_of(documents)) == exact(rows_of(expected))
    return documents


def is_packed(documents: Documents) -> list[bool]:
    return [
        isinstance(series["values"], PackedRows)
        for document in documents
        for series in document["results"][0].get("series", ())
        if "values" in series
    ]


def lines(*rows: object) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def test_columns_of_every_type() -> None:
    data = lines(*(
        {
            "s": f"h{number % 3}", "t": str(number), "time": f"2026-01-01T00:00:{number % 60:02}", "f": number / 2,
            "i": number, "u": (1 << 64) - 1, "b": number % 2 == 0, "o": [number],
        }
        for number in range(1000)
    ))  # fmt: skip
    documents = check([data])
    assert is_packed(documents) == [True]
    frames: list[pd.DataFrame] = []
    for make in (JSONLinesDocuments, PACKED):
        collector = Tables()
        for document in feed_until_error(make, [data])[0]:
            collector.add(QueryResult(document["results"]))
        frames += map(to_frame, collector.finish())
    pd.testing.assert_frame_equal(frames[0], frames[1])
    assert [str(dtype) for dtype in frames[0].dtypes] == [
        "str" if pd.__version__ >= "3" else "object", "str" if pd.__version__ >= "3" else "object",
        "float64", "int64", "uint64", "bool", "object",
    ]  # fmt: skip


def test_new_columns_and_strings() -> None:
    first = lines(*({"time": "2026-01-01T00:00:00", "a": "x"} for _ in range(8)))
    second = lines(*({"time": "2026-01-01T00:00:00.5", "a": None, "b": 1.0} for _ in range(8)))
    third = lines(*({"time": "2026-01-01T00:00:00Z", "a": name} for name in "xyxyxyxyx"))
    documents = check([first, second, second, third])
    assert is_packed(documents) == [True, False, True, True]


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":1}{"a":2}\n',
        b'{"a":1}\n{"a":\n2}\n',
        b'{"a":1}\n\n{"a":2}\n',
        b'{"a":1}\r\n{"a":2}\r\n',
        b'{"a":"\xff"}\n{"a":"x"}\n',
        b'{"a\\"":1}\n{"a\\"":2}\n',
        b'{"a":1}\n{"error":"x"}\n',
        b'{"error":"x"}\n{"error":"y"}\n',
        b'{"a":1}\nx\n',
        b"x\n",
        b"{}\n{}\n",
        b'{}\n{"a":1}\n',
        b'{"a":1,"a":2}\n',
        b'{"a":1}\n{"a":1.5}\n{"a":null}\n{"a":9007199254740993}\n{"a":"x"}\n',
        b'{"time":"2026-01-01T00:00:00"}\n{"time":5}\n{"time":null}\n{"time":"x"}\n',
        b'{"a":null}\n{"a":null}\n',
    ],
)
def test_lines_decoded_row_by_row(data: bytes) -> None:
    check([data])
    check(byte_by_byte(data))
    check(data.splitlines(keepends=True))


CELLS = st.one_of(
    st.none(),
    st.integers(-(1 << 63), (1 << 64) - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.sampled_from(["a", "b", "ä", "", "1970-01-01T00:00:00"]),
)
ROWS = st.lists(st.dictionaries(st.sampled_from(["time", "a", "b", "c"]), CELLS, max_size=4), max_size=30)


@given(ROWS, OFFSETS)
def test_any_rows(rows: list[dict[str, Any]], offsets: list[int]) -> None:
    check(split_at(lines(*rows), offsets))


#: Cells of columns that do not change their type.
TYPED_CELLS = {
    "time": st.datetimes().map(datetime.isoformat),
    "a": st.integers(-(1 << 63), (1 << 64) - 1),
    "b": st.floats(allow_nan=False, allow_infinity=False),
    "c": st.booleans(),
    "d e": st.sampled_from(["a", "b", "ä", "", ",", "{", "1970-01-01T00:00:00"]),
    "ä": CELLS,
}


@given(
    st.lists(st.fixed_dictionaries(TYPED_CELLS), min_size=1, max_size=20),
    st.permutations(sorted(TYPED_CELLS)),
    st.integers(1, len(TYPED_CELLS)),
    st.booleans(),
    OFFSETS,
)
def test_rows_with_the_same_keys(
    rows: list[dict[str, Any]], order: list[str], width: int, ascii_only: bool, offsets: list[int]
) -> None:
    data = "".join(
        json.dumps({key: row[key] for key in order[:width]}, separators=(",", ":"), ensure_ascii=ascii_only) + "\n"
        for row in rows
    ).encode()
    check([data])
    check(split_at(data, offsets))


LINE = b'{"time":"2026-01-01T00:00:00","a":1.5,"b":"x","c":true}\n'


@given(st.data())
def test_lines_with_other_bytes(data: st.DataObject) -> None:
    lines = bytearray(LINE * 3)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(lines) - 2))
        lines[at : at + data.draw(st.integers(0, 2))] = data.draw(
            st.sampled_from([
                b'"',
                b",",
                b"{",
                b"}",
                b":",
                b"\\",
                b"\n",
                b" ",
                b"1",
                b"e",
                b"-",
                b"\xff",
                b"\x00",
                b"null",
                b"",
            ])
        )
    check([bytes(lines)])


def test_lines_of_the_same_keys_need_no_rows() -> None:
    assert decode_spans(LINE * 2, ["time", "a", "b", "c"]) is not None
    assert decode_spans(LINE + LINE.replace(b'"x"', b"null"), ["time", "a", "b", "c"]) is None
    assert decode_spans(LINE, ["time", "a", "b", "c", "d"]) is None


TIMES = st.one_of(
    st.datetimes().map(lambda time: time.isoformat() + "000"[: 3 * bool(time.microsecond)]),
    st.datetimes().map(lambda time: time.isoformat() + "Z"),
    st.datetimes().map(lambda time: f"{time.isoformat(timespec='microseconds')}789Z"),
    st.datetimes().map(lambda time: time.replace(microsecond=0).isoformat()),
    st.sampled_from([
        "2026-02-29T00:00:00", "2024-02-29T23:59:59.1", "2026-01-01T24:00:00", "2026-13-01T00:00:00",
        "2026-01-01T00:00:60", "2026-01-01T00:60:00", "2026-01-01T00:00:00.", "2026-01-01T00:00:00.1234567890",
        "2026-01-01T00:00:00+01:00", "1677-09-21T00:12:43.145224194", "2262-04-11T23:47:16.854775806",
        "2026-00-01T00:00:00", "2026-01-00T00:00:00", "2026-01-01 00:00:00", "x", "", "\n", "2026-01-01T00:00:0ä",
        "2026-01-01T00:00:00Z\n",
    ]),
)  # fmt: skip


@given(st.lists(TIMES, min_size=1, max_size=8))
def test_timestamps(times: list[str]) -> None:
    expected = list(map(read_timestamp, times))
    found = read_strings(times)
    assert found is None or found.tolist() == expected


PRINTED = re.compile("[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}([.][0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})?")


def converted(value: str) -> int | str | None:
    try:
        return to_nanoseconds(value) if PRINTED.fullmatch(value) else value
    except SerializationError:
        return value


@given(TIMES, st.integers(0, 40), st.text(max_size=2) | st.sampled_from([*"+-:TZ.0W", "+01:00"]))
def test_one_timestamp(time: str, at: int, text: str) -> None:
    for value in (time, time[:at] + text + time[at + 1 :]):
        assert exact(read_timestamp(value)) == exact(converted(value))


def test_timestamps_of_different_lengths() -> None:
    times = ["2026-01-01T00:00:00", "2026-01-01T00:00:00.5Z", "2026-01-01T00:00:00.123456789", "2026-01-01T00:00:00Z"]
    times += ["2026-01-01T00:00:00.123456789Z", "2026-01-01T00:00:00.1234"]
    found = read_strings(times * 3)
    assert found is not None
    assert found.tolist() == list(map(read_timestamp, times)) * 3


def test_media_type() -> None:
    decoder = decoder_for("application/jsonl", packed=True)
    assert decoder is not None
    assert not decoder.feed(b'{"a":1}')
    [document] = decoder.feed(b"\n")
    assert isinstance(document["results"][0]["series"][0]["values"], PackedRows)
