"""Raw line protocol: lines of different objects are never merged."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from influx_proto import SerializationError, serialize, split_lines
from influx_proto._encode.batch import Batch
from influx_proto._encode.encoder import Encoder
from influx_proto._line_protocol import split
from influx_proto._line_protocol.split import end_of_line, has_time, incomplete_line, lines

POINT = {"measurement": "cpu", "time": 2, "fields": {"v": 1.0}}
INCOMPLETE = [
    "m,path=C:\\",
    "m,path=C:\\\n",
    "m v=1\nm,path=C:\\",
    'log msg="cut 1',
    'log msg="cut 1\n',
    'log msg="cut \\"',
    'log msg="cut 1\ncpu s="x"',
    'm a="b",c="d',
    'm a="b" 1\nm a="b\\\\" 1\nm a="b',
    '# a="',
    "\\",
    "\\\n",
    'm v=1 "\\',
]
COMPLETE = [
    "m,path=C:\\\\ v=1",
    'm s="a\n\nb" 1',
    'm s="a\\"" 1\n',
    'm s="C:\\\\" 1',
    "m,t=a\\ b v=1",
    'm,t="x v=1',
    "m v=1 \\ ",
    "\\\n\n",
    '# "quoted"',
    "",
    "\n",
]


@pytest.mark.parametrize("text", INCOMPLETE)
def test_incomplete_lines_are_rejected(text: str) -> None:
    several: list[Any] = [
        text, text.encode(), [text], [text, POINT], [POINT, text], ([text],), iter([text]), io.StringIO(text),
        io.BytesIO(text.encode()), bytearray(text.encode()),
    ]  # fmt: skip
    for data in several:
        with pytest.raises(SerializationError, match=r"the line .* is incomplete: "):
            serialize(data)


@pytest.mark.parametrize("text", COMPLETE)
def test_complete_lines_are_unchanged(text: str) -> None:
    assert incomplete_line(text.encode()) is None
    lines = serialize(text)
    after = serialize([text, POINT])
    assert after == (lines + b"\n" if lines else b"") + b"cpu v=1.0 2"


def test_error_names_the_line_and_the_row() -> None:
    with pytest.raises(SerializationError) as caught:
        serialize([POINT, 'm v=1\nlog msg="cut 1'])
    assert str(caught.value) == (
        "row 1: the line 'log msg=\"cut 1' is incomplete: a quoted string is not closed; pass complete lines, such as "
        "the whole text of a file or what split_lines yields"
    )


def test_incomplete_data_are_not_sent() -> None:
    encoder = Encoder()
    encoder.add("m v=1 1")
    with pytest.raises(SerializationError):
        encoder.add('m v=2 2\nm s="')
    assert [batch.data for batch in encoder.close()] == [b"m v=1 1"]


def test_file_with_line_feeds_in_strings() -> None:
    text = b'm s="a\n\nb" 1\nm s="c" 2\n'
    assert serialize(split_lines(io.BytesIO(text))) == serialize(text) == text[:-1]
    with pytest.raises(SerializationError, match=r"^row 0: the line 'm s=\"a\\n' is incomplete"):
        serialize(io.BytesIO(text))


def is_complete(data: bytes) -> bool:
    """Return whether the data are complete: a line appended to them is parsed as a separate line."""
    at = 0
    whole = data + b"\nm v=1"
    while at < len(whole):
        end = end_of_line(whole, at)
        if at == len(data) + 1:
            return True
        at = end + 1
    return False


@given(st.lists(st.sampled_from(["\\", '"', "\n", " ", "=", ",", "a", 'm s="x" 1\n', "m v=1\n"]), max_size=20))
@example(["m v=1\n", "\\"])
def test_completeness_matches_the_parser(parts: list[str]) -> None:
    data = "".join(parts).encode()
    # A backslash before the last LF hides it, although a second LF would end the line.
    hidden = re.search(rb"(?<!\\)(?:\\\\)*\\\n\Z", data) is not None
    if incomplete_line(data) is None:
        assert is_complete(data)
    elif not hidden:
        assert not is_complete(data)


def batches_line_by_line(data: bytes, max_lines: int, max_bytes: int) -> list[Batch]:
    """Return the batches that an encoder creates if it inspects every line."""
    encoder = Encoder(precision="s", max_lines=max_lines, max_bytes=max_bytes, stamp=None)
    full: list[Batch] = []
    for start, stop in lines(data):
        full += encoder.add(data[start:stop])
    return [*full, *encoder.close()]


@given(
    st.lists(
        st.sampled_from([
            "m v=1 1", "m v=1 -1", "m v=1", "m v=1 1 ", "m v=1 1\r", " m v=1 1", "\tm v=1 1", "# c 1", "", "12",
            "m v=1 --5", "m v=1 1\0", "m  v=1  1",
            'm s="\\"",v=1 1', 'm,t=" v="x" 1',
            'm s="x" 1', 'm s="x\n y 1" 1', "m,t=a\\ b v=1 1", "-", "m v=" + "1" * 50 + " 7",
        ]),
        max_size=30,
    ),
    st.integers(1, 20),
    st.integers(20, 400),
    st.sampled_from(["", "\n", "\n\n"]),
)  # fmt: skip
def test_blocks_of_lines_create_the_same_batches_as_single_lines(
    parts: list[str], max_lines: int, max_bytes: int, end: str
) -> None:
    data = ("\n".join(parts) + end).encode()
    for block_size in (1, 20, 100, 1 << 16):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(split, "_BLOCK_SIZE", block_size)
            encoder = Encoder(precision="s", max_lines=max_lines, max_bytes=max_bytes)
            found = list(encoder.encode(data))
        expected = batches_line_by_line(data, max_lines, max_bytes)
        as_lists = [[(list(batch), batch.lines, batch.timed) for batch in each] for each in (found, expected)]
        # Comments and blank lines between the points count for the size, so batches may be smaller.
        if not any(part.startswith("#") or not part.strip(" \t\0\n") for part in parts):
            assert as_lists[0] == as_lists[1]
        assert [line for batch in found for line in batch] == [line for batch in expected for line in batch]
        assert all(batch.timed == all(map(has_time, (line.strip(b" \t\0\n") for line in batch))) for batch in found)


def test_a_large_text_is_split_into_full_batches() -> None:
    data = b"\n".join(b"cpu,host=a usage=%d %d" % (n, n) for n in range(55_555))
    found = list(Encoder(max_lines=10_000).encode(data))
    assert [batch.lines for batch in found] == [10_000] * 5 + [5555]
    assert b"\n".join(batch.data for batch in found) == data
