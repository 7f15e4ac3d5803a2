"""The table of failures in the docs: each row's exception and retry behavior is correct."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Literal

import pytest
from influx_proto import Headers, InfluxDBError, QueryError, RetryPolicy, WriteError, ops
from influx_proto._http.messages import Repeat

PAGE = Path(__file__).parents[2] / "docs" / "failures.md"
ROWS: list[tuple[str, ...]] = re.findall(
    r"^\| (\d+) \| `(.+?)` \| `?([\w-]+)`? \| `?([\w-]+)`? \| (\S+) \| (\S+) \|$", PAGE.read_text(), re.MULTILINE
)
JSON = Headers({"Content-Type": "application/json"})


def error_of(asked: Literal["write", "query"], status: int, text: str) -> InfluxDBError:
    read = ops.query("SELECT v FROM m").read if asked == "query" else ops.write("m v=1").read
    document = {"error": text} if status != 200 else {"results": [{"statement_id": 0, "error": text}]}
    with pytest.raises(InfluxDBError) as caught:
        read(status, JSON, json.dumps(document).encode())
    return caught.value


def is_repeated(error: InfluxDBError, repeat: Repeat) -> str:
    return "no" if RetryPolicy().wait(error, repeat, 1, 0.0) is None else "yes"


def name_of(error: InfluxDBError) -> str:
    """Return the name of the public class. An internal subclass has its operation (write or query) as a prefix."""
    name = type(error).__name__
    return re.sub("^(?:Write|Query)Error(?=.)", "", name)


@pytest.mark.parametrize(("status", "text", "write", "query", "repeated", "untimed"), ROWS)
def test_row(status: str, text: str, write: str, query: str, repeated: str, untimed: str) -> None:
    error = error_of("query", int(status), text)
    assert name_of(error) == query
    assert isinstance(error, QueryError)
    assert is_repeated(error, Repeat.ALWAYS) == repeated
    assert is_repeated(error, Repeat.NEVER) == "no"
    if write != "-":
        error = error_of("write", int(status), text)
        assert name_of(error) == write
        assert isinstance(error, WriteError)
        assert is_repeated(error, Repeat.ALWAYS) == repeated
        assert is_repeated(error, Repeat.UNLESS_RECEIVED) == untimed


def test_all_rows_are_read() -> None:
    assert len(ROWS) == len(re.findall(r"^\| \d", PAGE.read_text(), re.MULTILINE)) == 24
