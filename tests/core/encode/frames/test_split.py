"""Batches of tables: the limits, and the same batches as for lines whose ends are unknown."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from influx_proto import serialize, serialize_batches
from influx_proto._encode import encoder as _encoder
from influx_proto._encode.frames import encoder as _table
from influx_proto._encode.frames.split import Lines, find_ends, split_table_lines

TEXTS = st.text(st.sampled_from('ab"\\ ,=\né'), max_size=12)


def table(columns: dict[str, list[Any]]) -> pd.DataFrame:
    rows = len(next(iter(columns.values())))
    return pd.DataFrame(columns, pd.DatetimeIndex(np.arange(1, rows + 1).view("M8[ns]")))


@settings(deadline=None)  # the first use imports libraries
@given(
    st.lists(st.none() | TEXTS, min_size=1, max_size=30),
    st.integers(1, 100),
    st.integers(1, 8),
    st.sampled_from(["columns", "points", "rows"]),
    st.integers(1, 40),
)
def test_batches_are_full_and_equal_on_all_paths(
    texts: list[str | None], max_bytes: int, max_lines: int, path: str, slice_rows: int
) -> None:
    data = table({"s": texts})
    limits: dict[str, Any] = {"max_bytes": max_bytes, "max_lines": max_lines}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_table.TableEncoder, "_slice", lambda *_: slice_rows)
        patch.setattr(_table, "_FEW", 1 if path == "columns" else 100)
        patch.setattr(_table, "_MIN_COLUMNAR", 100 if path == "rows" else 1)
        found = list(serialize_batches(data, "m", **limits))
        patch.setattr(_encoder, "split_table_lines", lambda lines, *_: [lines[:2]] if lines.number else [])
        expected = list(serialize_batches(data, "m", **limits))
    assert found == expected
    assert b"\n".join(found) == serialize(data, "m")


@pytest.mark.parametrize("text", ["x" * 400, 'x\n"y", z=\\' * 30])
def test_the_ends_of_lines_are_not_searched(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = table({"s": [f"{text}{n}" for n in range(30_000)]})
    whole = serialize(data, "m")

    def unexpected(*_: object) -> None:
        raise AssertionError

    for name in ("blocks", "points"):
        monkeypatch.setattr(_encoder, name, unexpected)
    cases: list[dict[str, Any]] = [
        {"max_bytes": 100_000},
        {"max_lines": 700},
        {"max_bytes": 1_000_000, "max_lines": 1700},
    ]
    for limits in cases:
        batches = list(serialize_batches(data, "m", **limits))
        assert b"\n".join(batches) == whole
        assert max(map(len, batches)) <= limits.get("max_bytes", len(whole))
        assert len(batches) <= 1.2 * max(
            len(whole) / limits.get("max_bytes", 1e9), 30_000 / limits.get("max_lines", 1e9)
        )


def test_lines_without_known_ends() -> None:
    data = b"aaa\nb\ncc\ndddddd\ne"
    for ends in (None, find_ends(data.split(b"\n")), np.array([3, 5, 8, 15, 17])):
        parts = list(split_table_lines(Lines(data, 5, ends), 2, 6, lambda: (2, 6)))
        assert parts == [(b"aaa\nb", 2), (b"cc", 1), (b"dddddd", 1), (b"e", 1)]
        assert list(split_table_lines(Lines(data, 5, ends), 5, 17, lambda: (0, -1))) == [(data, 5)]
    assert list(split_table_lines(Lines(b'm s="\n"\nm s="\n"', 2), 1, 6, lambda: (1, 6))) == [
        (b'm s="\n"\nm s="\n"', 2)
    ]
    assert list(split_table_lines(Lines(b"", 0), 1, 6, lambda: (1, 6))) == []
