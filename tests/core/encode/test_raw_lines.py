"""Raw line protocol: lines of different objects are never merged."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from influx_proto import SerializationError, serialize, split_lines
from influx_proto._encode.encoder import Encoder
from influx_proto._line_protocol.split import end_of_line, incomplete_line

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
