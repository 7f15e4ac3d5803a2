"""Columnar reading of MessagePack rows: the same result as row by row, for any bytes."""

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
from influx_proto._decode.msgpack_cells import MessagePackCells
from influx_proto._errors import ProtocolError
from influx_proto._result.packed import PackedRows

from tests.core.decode.conftest import OFFSETS, byte_by_byte, exact, split_at

T = TypeVar("T")

MSGPACK = Headers({"Content-Type": "application/x-msgpack"})


@pytest.fixture(autouse=True)
def lower_thresholds(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let small examples take the same path as large responses."""
    with monkeypatch.context() as patch:
        patch.setattr("influx_proto._decode.msgpack._MIN_SIZE", 0)
        patch.setattr("influx_proto._decode.msgpack_columns._MIN_ROWS", 1)
        yield


def packed(value: Any) -> bytes:
    """Encode as InfluxDB does: minimal signed integers, 64-bit floats, no other number formats."""
    match value:
        case None:
            return b"\xc0"
        case bool():
            return b"\xc3" if value else b"\xc2"
        case float():
            return b"\xcb" + struct.pack(">d", value)
        case int():
            return integer(value)
        case bytes():  # a string that may be invalid UTF-8
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


def decode_row_by_row(data: bytes) -> tuple[str, str, bool]:
    """Decode row by row, which is correct by definition."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("influx_proto._decode.msgpack._MIN_SIZE", 1 << 60)
        return decode(data, columns=False)


def decode(data: bytes, parts: Sequence[bytes] | None = None, *, columns: bool = True) -> tuple[str, str, bool]:
    """Return the documents, the error, and whether the rows were read as columns."""
    decoder = MessagePackDocuments(packed=columns)
    found: list[dict[str, Any]] = []
    error = ""
    try:
        for part in [data] if parts is None else parts:
            found += decoder.feed(part)
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


def assert_same(data: bytes, parts: Sequence[bytes] | None = None) -> bool:
    expected, expected_error, _ = decode_row_by_row(data)
    for columns in (False, True):  # without columns, several documents are decoded together
        documents, error, is_packed = decode(data, parts, columns=columns)
        assert documents == expected
        assert bool(error) == bool(expected_error)
    return is_packed


INTEGERS = st.integers(-(2**63), 2**64 - 1) | st.integers(-40, 300) | st.sampled_from([-(2**15), 2**31, 2**32])
#: Strings whose bytes look like the start of a row, a document or its values.
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
CELL_TYPES = (INTEGERS, st.floats(), st.booleans(), STRINGS)
TIMES = st.integers(10**18, 2 * 10**18)


@st.composite
def documents(draw: st.DrawFn) -> bytes:
    """Columns with mostly one type, some with missing cells."""
    kinds = [draw(st.sampled_from(CELL_TYPES)) for _ in range(draw(st.sampled_from([0, 1, 2, 2, 3, 20])))]
    cells = [
        draw(st.sampled_from([kind] * 4 + [kind | st.none()] * 3 + [st.none(), st.one_of(*CELL_TYPES)]))
        for kind in kinds
    ]
    times = draw(st.sampled_from([TIMES] * 5 + [INTEGERS, st.none() | TIMES]))
    rows = draw(st.lists(st.tuples(times, *cells).map(list), min_size=1, max_size=12))
    columns = ["time", *(f"c{n}" if draw(st.booleans()) else "values" for n in range(len(kinds)))]
    tags = draw(st.dictionaries(st.sampled_from(["host", "values"]), st.text(max_size=3) | st.just("\xa6values\x91")))
    return document(rows, columns, more=draw(st.booleans()), **tags)


@given(documents(), OFFSETS)
def test_columns_equal_rows(data: bytes, offsets: list[int]) -> None:
    assert_same(data, split_at(data, offsets))
    assert_same(data, byte_by_byte(data))


@given(documents(), documents(), OFFSETS)
def test_consecutive_documents(first: bytes, second: bytes, offsets: list[int]) -> None:
    assert_same(first + second, split_at(first + second, offsets))


#: Bytes that the decoder searches for, and its placeholder for rows, as tag values.
SEARCHED_BYTES = st.sampled_from(["\xa7columns", "\xa6values", "\x92\xd3", "where rows were."]) | st.text(max_size=3)


@st.composite
def responses(draw: st.DrawFn) -> list[bytes]:
    """Chunks of a response: mostly series with the same columns and missing cells in any of them."""
    kinds = [draw(st.sampled_from(CELL_TYPES)) for _ in range(draw(st.integers(1, 3)))]
    found = []
    for _ in range(draw(st.integers(1, 6))):
        match draw(st.sampled_from(["alike"] * 6 + ["any", "none", "error"])):
            case "any":
                found.append(draw(documents()))
            case "none":
                found.append(packed({"results": [{"statement_id": 0, "series": []}]}))
            case "error":
                found.append(packed({"error": draw(SEARCHED_BYTES)}))
            case _:
                cells = [draw(st.sampled_from([kind, kind | st.none(), st.none()])) for kind in kinds]
                rows = draw(st.lists(st.tuples(TIMES, *cells).map(list), max_size=5))
                found.append(
                    document(rows, ["time", *"abc"[: len(kinds)]], more=draw(st.booleans()), host=draw(SEARCHED_BYTES))
                )
    return found


@given(responses(), OFFSETS)
def test_many_series_equal_rows(chunks: list[bytes], offsets: list[int]) -> None:
    data = b"".join(chunks)
    assert_same(data, split_at(data, offsets))
    assert_same(data, [data])
    assert_same(data, chunks)


@given(responses(), st.integers(0, 10**6), st.integers(0, 255))
def test_many_series_with_a_damaged_byte(chunks: list[bytes], at: int, byte: int) -> None:
    damaged = bytearray(b"".join(chunks))
    damaged[at % len(damaged)] = byte
    assert_same(bytes(damaged))


def test_unknown_extension_does_not_affect_other_documents() -> None:
    good = document([[1, 2.0]], ["time", "a"])
    data = good * 2 + good.replace(b"\xcb", b"\xd4", 1) + good
    assert_same(data)
    assert decode(data)[0].count("results") == 2


@given(responses(), st.integers(1, 300), OFFSETS)
def test_frames_of_many_series(chunks: list[bytes], portion: int, offsets: list[int]) -> None:
    """Series may be combined in any portions, starting and ending anywhere."""
    data = b"".join(chunks)
    outcomes: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("influx_proto._query.response._BUFFER_SIZE", portion)
        for parts, op in (
            ([data], ops.query("SELECT 1").map(QueryResult.to_pandas_list)),
            (split_at(data, offsets), ops.query_dataframes("SELECT 1")),
        ):
            try:
                outcomes.append(receive(op, parts))
            except (ValueError, InfluxDBError) as error:
                outcomes.append(str(error))
    expected, frames = outcomes
    if isinstance(expected, str):
        assert isinstance(frames, str)  # if there are several errors, either may be raised
    else:
        for frame, other in zip(frames, expected, strict=True):
            pd.testing.assert_frame_equal(frame, other, check_exact=True)


@given(documents(), st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=3))
def test_damaged_bytes(data: bytes, changes: list[tuple[int, int]]) -> None:
    damaged = bytearray(data)
    for at, byte in changes:
        damaged[at % len(damaged)] = byte
    assert_same(bytes(damaged))


@given(documents(), st.integers(0, 10**6), st.binary(max_size=3))
def test_truncated_or_trailing_bytes(data: bytes, at: int, more: bytes) -> None:
    assert_same(data[: at % len(data)] + more)


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
        [[*row[:-1], "\x96\xd3\x16" * 20] for row in ORDINARY],  # looks like the start of a row
        [[*row[:-1], packed(row)] for row in ORDINARY],  # a whole row in a string
        [[*row[:-1], None] for row in ORDINARY],
        [[*row[:-1], ""] for row in ORDINARY],
        [[*row, *row[1:], *row[1:]] for row in ORDINARY],  # more than 15 columns
    ],
)
def test_rows_are_read_as_columns(rows: list[list[Any]]) -> None:
    """Both paths return the same values, so only this test checks which one is taken."""
    columns = [f"c{n}" for n in range(len(rows[0]))]
    for more in (False, True):
        assert assert_same(document(rows, columns, more=more, host="a"))


@pytest.mark.parametrize("at", [1, 100, 199])
@pytest.mark.parametrize("cell", [7, None, 2**63, "x", 1.5, True])
def test_mixed_types_are_not_read_as_columns(at: int, cell: Any) -> None:
    rows = [list(row) for row in ORDINARY]
    rows[at][1] = cell
    assert assert_same(document(rows, COLUMNS)) == (cell is None or isinstance(cell, float))


def test_integers_beyond_int64_are_not_read_as_columns() -> None:
    assert not assert_same(document([[row[0], 2**63 + n] for n, row in enumerate(ORDINARY)], ["time", "u"]))


def test_packed_rows_are_a_sequence() -> None:
    [found] = MessagePackDocuments(packed=True).feed(document(ORDINARY, COLUMNS, more=True))
    rows = found["results"][0]["series"][0]["values"]
    assert isinstance(rows, PackedRows)
    assert (len(rows), rows[3], rows[-2:], list(rows)) == (200, ORDINARY[3], ORDINARY[-2:], ORDINARY)


def test_series_with_few_rows_are_combined() -> None:
    """Only this test checks that the rows are combined, as above."""
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
def test_mismatching_series_does_not_affect_the_others(bad: int) -> None:
    chunks = [document(ORDINARY, COLUMNS, host=f"h{n}") for n in range(4)]
    chunks[bad] = document([[row[0], "text", *row[2:]] for row in ORDINARY], COLUMNS, host="bad")
    found = MessagePackDocuments(packed=True).feed(b"".join([*chunks, chunks[0]]))
    assert [isinstance(one["results"][0]["series"][0]["values"], PackedRows) for one in found] == [True] * 4
    assert assert_same(b"".join(chunks))


def receive(op: Op[T], parts: Iterable[bytes]) -> T:
    receiver = op.receiver(200, MSGPACK)
    for data in parts:
        receiver.feed(data)
    return receiver.close()


def frame(*documents: bytes) -> pd.DataFrame:
    return receive(ops.query_dataframe("SELECT 1"), documents)


def test_frames_are_the_same() -> None:
    """Chunks of one series, then others: packed, and with types that change between chunks."""
    floats = [[row[0], None if n % 5 else row[2], *row[2:]] for n, row in enumerate(ORDINARY)]
    response = [
        document(ORDINARY, COLUMNS, more=True, host="a"),
        document(ORDINARY[:3], COLUMNS, host="a"),
        document(floats, COLUMNS, host="b"),
        document([[*row[:2], None, *row[3:]] for row in ORDINARY], COLUMNS, host="c"),
    ]
    whole = ops.query("SELECT 1").read(200, MSGPACK, b"".join(response))
    pd.testing.assert_frame_equal(frame(*response), whole.to_pandas(), check_exact=True)


def _with_rows(rows: bytes) -> bytes:
    document = packed({"results": [{"statement_id": 0, "series": [{"columns": ["v"], "values": "rows"}]}]})
    return document.replace(packed("rows"), rows)


_LIKE_A_ROW = b"\xdc\x00\xc8\x01\x01"


@pytest.mark.parametrize(
    ("rows", "is_whole"),
    [
        (b"\xdc\x01\x00" + (b"\xdd\xff\xff\xff\xff\xcb" + bytes(8)) * 300, False),
        (b"\xdd\xff\xff\xff\xff" + b"\x91\xcb" + bytes(8), False),
        (b"\xdc\x00\x64" + (b"\xdc\x00\xc8" + b"\x01" * 199 + b"\xd9\xc8" + _LIKE_A_ROW * 40) * 100, True),
        (b"\xdc\x00\x64" + (b"\xdc\x00\xc8" + b"\x01" * 199 + b"\xaf" + _LIKE_A_ROW * 3) * 100, True),
    ],
    ids=["wide rows", "many rows", "many lookalikes", "some lookalikes"],
)
def test_work_is_linear(rows: bytes, is_whole: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that promise 2**32 cells, and strings that look like the beginnings of rows."""
    data = _with_rows(rows)
    work = 0
    sizes = MessagePackCells._sizes

    def counted(source: MessagePackCells, offsets: Any, tags: Any) -> Any:
        nonlocal work
        work += len(offsets)
        if work > 12 * len(data):
            pytest.fail("more places were looked at than the document has bytes")
        return sizes(source, offsets, tags)

    monkeypatch.setattr(MessagePackCells, "_sizes", counted)
    documents, failed = [], False
    decoder = MessagePackDocuments(packed=True)
    try:
        documents = decoder.feed(data) + decoder.close()
    except ProtocolError as error:
        failed = "truncated inside" in str(error)
    assert failed is not is_whole
    if is_whole:
        ordinary = MessagePackDocuments()
        assert exact(documents) == exact(ordinary.feed(data) + ordinary.close())
