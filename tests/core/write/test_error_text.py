"""Error messages of the server: rejected lines and field conflicts are found in one pass."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from influx_proto._http.error_response import error_message
from influx_proto._http.messages import Headers
from influx_proto._write.rejections import find_conflict, unparsable_lines

# Reference patterns, which take quadratic time or more.
CONFLICT = re.compile(
    r'field type conflict: input field "(?P<field>.*?)" on measurement "(?P<measurement>.*?)" is type (?P<type>\w+), '
    r"already exists as type (?P<stored>\w+)",
    re.DOTALL,
)
LINE = re.compile(
    r"unable to parse '(?P<line>.*?)': (?P<reason>[^\n]*?)(?= dropped=\d+|\nunable to parse '|\Z)", re.DOTALL
)
PARTS = [
    "unable to parse '", "': ", "\n", " dropped=", "1", "x", 'field type conflict: input field "', '" on measurement "',
    '" is type ', ", already exists as type ", "float",
]  # fmt: skip


@given(st.lists(st.sampled_from(PARTS), max_size=20))
def test_results_equal_those_of_the_reference_patterns(parts: list[str]) -> None:
    text = "".join(parts)
    assert [(one.line, one.reason) for one in unparsable_lines(text)] == LINE.findall(text)
    found = CONFLICT.search(text)
    assert find_conflict(text) == (None if found is None else found.groupdict())


class Counted(str):
    """Text that counts the characters that are searched."""

    searched = 0

    def find(self, *args: Any) -> int:
        found = super().find(*args)
        Counted.searched += (len(self) if found < 0 else found) - (args[1] if len(args) > 1 else 0)
        return found


def read(text: str) -> None:
    list(unparsable_lines(text))
    find_conflict(text)


@pytest.mark.parametrize("part", [*PARTS, "': \n", "unable to parse 'm': x\n", "unable to parse '': \n", "': ': x\n"])
def test_search_takes_linear_time(part: str) -> None:
    for begin in ("", "unable to parse '", 'field type conflict: input field "'):
        text = Counted(begin + part * 5_000 + "!\n!")
        Counted.searched = 0
        read(text)
        assert Counted.searched <= 6 * len(text)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [("application/json", b'{"error":' + b"[" * 100_000), ("application/x-msgpack", b"\x91" * 100_000)],
)
def test_deep_nesting_does_not_hide_the_error(content_type: str, body: bytes) -> None:
    headers = Headers([("Content-Type", content_type), ("X-Influxdb-Error", "no")])
    assert error_message(headers, body) == "no"


@pytest.mark.parametrize("part", ["<script", "<", "&", "&#1", "<style></style", "<!--", "<p>x", "<a>y</a>&amp"])
def test_text_of_a_hostile_page_is_bounded(part: str) -> None:
    page = b"<p>begin</p>" + part.encode() * 100_000
    began = time.process_time()
    assert len(error_message(Headers([("Content-Type", "text/html")]), page)) <= 203
    assert time.process_time() - began < 1
