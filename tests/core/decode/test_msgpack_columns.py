"""Rows of MessagePack read as columns: the same as one by one, whatever the bytes are."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, TypeVar

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from influx_proto import Headers, InfluxDBError, Op, QueryResult, ops
from influx_proto._decode.msgpack import MessagePackDocuments
from influx_proto._errors import ProtocolError
from influx_proto._result.packed import PackedRows

from tests.core.decode.conftest import PLACES, byte_by_byte, cut, exact

T = TypeVar("T")

MSGPACK = Headers({"Content-Type": "application/x-msgpack"})


@pytest.fixture(autouse=True)
def few_are_enough(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """So that small examples go the same way as large answers."""
    with monkeypatch.context() as patch:
        patch.setattr("influx_proto._decode.msgpack._LARGE", 0)
        patch.setattr("influx_proto._decode.msgpack_columns._FEWEST_ROWS", 1)
        yield


def packed(value: Any) -> bytes:
    """Encode as InfluxDB does: integers with a sign as small as they go, floats of 64 bits, nothing else."""
    match value:
        case None:
            return b"\xc0"
        case bool():
            return b"\xc3" if value else b"\xc2"
        case float():
            return b"\xcb" + struct.pack(">d", value)
        case int():
            return integer(value)
        case bytes():  # a string that need not be UTF-8
            return string(value)
        case str():
            return string(value.encode())
        case list():
            head = bytes([0x90 | len(value)]) if len(value) < 16 else b"\xdc" + struct.pack(">H", len(value))
            return head + b"".join(map(packed, value))
        case dict():
            return bytes([0x80 | len(value)]) + b"".join(packed(part) for item in value.items() for part in item)
    raise TypeError(value)


def integer(value: int) -> bytes:
    if -32 <= value < 128:
        return struct.pack(">b", value)
    for tag, kind in ((b"\xd0", ">b"), (b"\xd1", ">h"), (b"\xd2", ">i"), (b"\xd3", ">q"), (b"\xcf", ">Q")):
        try:
            return tag + struct.pack(kind, value)
        except struct.error:
            pass
    raise ValueError(value)


def string(data: bytes) -> bytes:
    if len(data) < 32:
        return bytes([0xA0 | len(data)]) + data
    if len(data) < 256:
        return b"\xd9" + bytes([len(data)]) + data
    return b"\xda" + struct.pack(">H", len(data)) + data


def document(rows: Sequence[list[Any]], columns: Sequence[str], *, more: bool = False, **tags: str) -> bytes:
    partial = {"partial": True} if more else {}
    series = {
        "name": "m",
        **({"tags": tags} if tags else {}),
        "columns": list(columns),
        "values": list(rows),
        **partial,
    }
    return packed({"results": [{"statement_id": 0, "series": [series], **partial}]})


def one_by_one(data: bytes) -> tuple[str, str, bool]:
    """Decode in the ordinary way, which is right by definition."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("influx_proto._decode.msgpack._LARGE", 1 << 60)
        return decode(data, columns=False)


def decode(data: bytes, pieces: Sequence[bytes] | None = None, *, columns: bool = True) -> tuple[str, str, bool]:
    """Give the documents, the error, and whether the rows were read as columns."""
    decoder = MessagePackDocuments(packed=columns)
    found: list[dict[str, Any]] = []
    error = ""
    try:
        for piece in [data] if pieces is None else pieces:
            found += decoder.feed(piece)
        found += decoder.close()
    except ProtocolError as raised:
        error = str(raised)
    is_packed = False
    for one in found:
        for part in one.get("results", ()):
            for series in part.get("series", ()):
                if isinstance(series.get("values"), PackedRows):
                    is_packed = True
                    series["values"] = list(series["values"])
    return exact(found), error, is_packed


def same(data: bytes, pieces: Sequence[bytes] | None = None) -> bool:
    expected, expected_error, _ = one_by_one(data)
    for columns in (False, True):  # several documents in one go as well, where they are not read as columns
        documents, error, is_packed = decode(data, pieces, columns=columns)
        assert documents == expected
        assert bool(error) == bool(expected_error)
    return is_packed


INTEGERS = st.integers(-(2**63), 2**64 - 1) | st.integers(-40, 300) | st.sampled_from([-(2**15), 2**31, 2**32])
#: Bytes that look like the beginning of a row, a document, or its values, where they are part of a string.
STRINGS = (
    st.text(max_size=10)
    | st.sampled_from([
        b"",
        b"\x92\xd3",
        b"\x93\xd3" * 5,
        b"\x81\xa7results",
        b"\xa6values\x91\x92\x00\x00",
        b"\xff\xfe",
    ])
    | st.binary(max_size=40)
    | st.sampled_from(["é" * 20, "x" * 31, "x" * 32, "x" * 33, "y" * 300, "a\0", "a", "a\0\0"])
)
KINDS = (INTEGERS, st.floats(), st.booleans(), STRINGS)
TIMES = st.integers(10**18, 2 * 10**18)


@st.composite
def documents(draw: st.DrawFn) -> bytes:
    """Columns of one kind, most of them, with cells missing in some."""
    kinds = [draw(st.sampled_from(KINDS)) for _ in range(draw(st.sampled_from([0, 1, 2, 2, 3, 20])))]
    cells = [
        draw(st.sampled_from([kind] * 4 + [kind | st.none()] * 3 + [st.none(), st.one_of(*KINDS)])) for kind in kinds
    ]
    times = draw(st.sampled_from([TIMES] * 5 + [INTEGERS, st.none() | TIMES]))
    rows = draw(st.lists(st.tuples(times, *cells).map(list), min_size=1, max_size=12))
    columns = ["time", *(f"c{n}" if draw(st.booleans()) else "values" for n in range(len(kinds)))]
    tags = draw(st.dictionaries(st.sampled_from(["host", "values"]), st.text(max_size=3) | st.just("\xa6values\x91")))
    return document(rows, columns, more=draw(st.booleans()), **tags)


@given(documents(), PLACES)
def test_the_same_as_one_by_one(data: bytes, places: list[int]) -> None:
    same(data, cut(data, places))
    same(data, byte_by_byte(data))


@given(documents(), documents(), PLACES)
def test_one_after_the_other(first: bytes, second: bytes, places: list[int]) -> None:
    same(first + second, cut(first + second, places))


#: What is looked for in the bytes, and what stands in for rows meanwhile, where it is part of a tag.
LOOKED_FOR = st.sampled_from(["\xa7columns", "\xa6values", "\x92\xd3", "where rows were."]) | st.text(max_size=3)


@st.composite
def answers(draw: st.DrawFn) -> list[bytes]:
    """Give the chunks of an answer: series of the same columns, in which any cells may be missing, and others."""
    kinds = [draw(st.sampled_from(KINDS)) for _ in range(draw(st.integers(1, 3)))]
    found = []
    for _ in range(draw(st.integers(1, 6))):
        match draw(st.sampled_from(["alike"] * 6 + ["any", "none", "error"])):
            case "any":
                found.append(draw(documents()))
            case "none":
                found.append(packed({"results": [{"statement_id": 0, "series": []}]}))
            case "error":
                found.append(packed({"error": draw(LOOKED_FOR)}))
            case _:
                cells = [draw(st.sampled_from([kind, kind | st.none(), st.none()])) for kind in kinds]
                rows = draw(st.lists(st.tuples(TIMES, *cells).map(list), max_size=5))
                found.append(
                    document(rows, ["time", *"abc"[: len(kinds)]], more=draw(st.booleans()), host=draw(LOOKED_FOR))
                )
    return found


@given(answers(), PLACES)
def test_many_series_as_one_by_one(chunks: list[bytes], places: list[int]) -> None:
    data = b"".join(chunks)
    same(data, cut(data, places))
    same(data, [data])
    same(data, chunks)


@given(answers(), st.integers(0, 10**6), st.integers(0, 255))
def test_many_series_garbled(chunks: list[bytes], at: int, byte: int) -> None:
    garbled = bytearray(b"".join(chunks))
    garbled[at % len(garbled)] = byte
    same(bytes(garbled))


def test_an_extension_that_there_is_not_takes_nothing_with_it() -> None:
    good = document([[1, 2.0]], ["time", "a"])
    data = good * 2 + good.replace(b"\xcb", b"\xd4", 1) + good
    same(data)
    assert decode(data)[0].count("results") == 2


@given(answers(), st.integers(1, 300), PLACES)
def test_frames_of_many_series(chunks: list[bytes], portion: int, places: list[int]) -> None:
    """Whatever is read together, and wherever it begins and ends."""
    data = b"".join(chunks)
    outcomes: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("influx_proto._query.response._BUFFER_SIZE", portion)
        for pieces, op in (
            ([data], ops.query("SELECT 1").map(QueryResult.to_pandas_list)),
            (cut(data, places), ops.query_dataframes("SELECT 1")),
        ):
            try:
                outcomes.append(receive(op, pieces))
            except (ValueError, InfluxDBError) as error:
                outcomes.append(str(error))
    expected, frames = outcomes
    if isinstance(expected, str):
        assert isinstance(frames, str)  # of several errors another one may come first
    else:
        for frame, other in zip(frames, expected, strict=True):
            pd.testing.assert_frame_equal(frame, other, check_exact=True)


@given(documents(), st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=3))
def test_garbled(data: bytes, changes: list[tuple[int, int]]) -> None:
    garbled = bytearray(data)
    for at, byte in changes:
        garbled[at % len(garbled)] = byte
    same(bytes(garbled))


@given(documents(), st.integers(0, 10**6), st.binary(max_size=3))
def test_cut_short_or_with_bytes_too_many(data: bytes, at: int, more: bytes) -> None:
    same(data[: at % len(data)] + more)


ORDINARY = [
    [1_600_000_000_000_000_000 + n * 10**9, n / 3, n * 1000 - 70_000, n % 2 == 0, f"host {n % 7}", "é" * (n % 50)]
    for n in range(200)
]
COLUMNS = ["time", "f", "i", "b", "s", "t"]


@pytest.mark.parametrize(
    "rows",
    [
        ORDINARY,
        [[time, *(None if n % 3 == 0 else cell for cell in row)] for n, (time, *row) in enumerate(ORDINARY)],
        [[*row[:-1], "\x96\xd3\x16" * 20] for row in ORDINARY],  # as it looks like the beginning of a row
        [[*row[:-1], packed(row)] for row in ORDINARY],  # a whole row in a string
        [[*row[:-1], None] for row in ORDINARY],
        [[*row[:-1], ""] for row in ORDINARY],
        [[*row, *row[1:], *row[1:]] for row in ORDINARY],  # more than 15 columns
    ],
)
def test_it_is_done(rows: list[list[Any]]) -> None:
    """No other test would see it: both ways give the same."""
    columns = [f"c{n}" for n in range(len(rows[0]))]
    for more in (False, True):
        assert same(document(rows, columns, more=more, host="a"))


@pytest.mark.parametrize("at", [1, 100, 199])
@pytest.mark.parametrize("cell", [7, None, 2**63, "x", 1.5, True])
def test_a_column_of_several_types_is_not(at: int, cell: Any) -> None:
    rows = [list(row) for row in ORDINARY]
    rows[at][1] = cell
    assert same(document(rows, COLUMNS)) == (cell is None or isinstance(cell, float))


def test_unsigned_integers_beyond_int64_are_not() -> None:
    assert not same(document([[row[0], 2**63 + n] for n, row in enumerate(ORDINARY)], ["time", "u"]))


def test_rows_of_columns_are_a_sequence() -> None:
    [found] = MessagePackDocuments(packed=True).feed(document(ORDINARY, COLUMNS, more=True))
    rows = found["results"][0]["series"][0]["values"]
    assert isinstance(rows, PackedRows)
    assert (len(rows), rows[3], rows[-2:], list(rows)) == (200, ORDINARY[3], ORDINARY[-2:], ORDINARY)


def test_series_of_few_rows_are_read_together() -> None:
    """No other test would see it, as above."""
    chunks = [document([[*row, None] for row in ORDINARY[:50]], [*COLUMNS, "n"], host=f"h{n}") for n in range(4)]
    different = document([row[:3] for row in ORDINARY], ["time", "f", "i"])
    found = MessagePackDocuments(packed=True).feed(b"".join([*chunks, different, *chunks, chunks[0]]))
    rows = [one["results"][0]["series"][0]["values"] for one in found]
    assert all(isinstance(each, PackedRows) for each in rows)
    assert [before.joined(after) is not None for before, after in pairwise(rows)] == ([
        True,
        True,
        True,
        False,
        False,
        True,
        True,
        True,
    ])
    whole = rows[0].joined(rows[1]).joined(rows[2])
    assert list(whole) == [row for each in rows[:3] for row in each]
    assert rows[0].joined(rows[2]) is None


@pytest.mark.parametrize("bad", [0, 2, 3])
def test_a_series_that_does_not_fit_leaves_the_others_as_they_are(bad: int) -> None:
    chunks = [document(ORDINARY, COLUMNS, host=f"h{n}") for n in range(4)]
    chunks[bad] = document([[row[0], "text", *row[2:]] for row in ORDINARY], COLUMNS, host="bad")
    found = MessagePackDocuments(packed=True).feed(b"".join([*chunks, chunks[0]]))
    assert [isinstance(one["results"][0]["series"][0]["values"], PackedRows) for one in found] == [True] * 4
    assert same(b"".join(chunks))


def receive(op: Op[T], pieces: Iterable[bytes]) -> T:
    receiver = op.receiver(200, MSGPACK)
    for data in pieces:
        receiver.feed(data)
    return receiver.close()


def frame(*documents: bytes) -> pd.DataFrame:
    return receive(ops.query_dataframe("SELECT 1"), documents)


def test_frames_are_the_same() -> None:
    """Chunks of one series, then others; packed, and in which types change from one to the next."""
    floats = [[row[0], None if n % 5 else row[2], *row[2:]] for n, row in enumerate(ORDINARY)]
    answer = [
        document(ORDINARY, COLUMNS, more=True, host="a"),
        document(ORDINARY[:3], COLUMNS, host="a"),
        document(floats, COLUMNS, host="b"),
        document([[*row[:2], None, *row[3:]] for row in ORDINARY], COLUMNS, host="c"),
    ]
    whole = ops.query("SELECT 1").read(200, MSGPACK, b"".join(answer))
    pd.testing.assert_frame_equal(frame(*answer), whole.to_pandas(), check_exact=True)
