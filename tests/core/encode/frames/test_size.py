"""Slices with long texts: how many bytes of text each has, on every path."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa  # type: ignore[import-untyped]  # it has no type hints
import pytest
from influx_proto import serialize, serialize_batches
from influx_proto._encode.frames import encoder
from influx_proto._encode.frames.model import Slice
from influx_proto._encode.frames.size import SLICE_BYTES, limit_size

ROWS = 2_000
LONG = 10_000
INDEX = pd.date_range("2024", periods=ROWS, freq="s")


CODES = pd.ArrowDtype(pa.dictionary(pa.int32(), pa.string()))


def texts(length: int) -> list[str]:
    return [f"{n:06}" + "x" * (length - 6) for n in range(ROWS)]


def frame(values: Any) -> pd.DataFrame:
    return pd.DataFrame({"n": np.arange(ROWS), "s": values}, index=INDEX)


def arrow(values: Any) -> pa.Table:
    return pa.table({"time": INDEX.to_numpy(), "n": np.arange(ROWS), "s": values})


def polars(values: pl.Series) -> pl.DataFrame:
    return pl.DataFrame({"time": INDEX.to_numpy(), "n": np.arange(ROWS), "s": values})


KINDS: dict[str, Callable[[list[str]], Any]] = {
    "objects": lambda found: frame(np.array(found, object)),
    "objects, some missing": lambda found: frame(np.array([None, *found[1:]], object)),
    "objects, some NaN": lambda found: frame(np.array([float("nan"), *found[1:]], object)),
    "dicts": lambda found: frame([{"key": text} for text in found]),
    "str": lambda found: frame(pd.array(found, "str")),
    "str of Python": lambda found: frame(pd.array(found, pd.StringDtype("python"))),
    "category": lambda found: frame(pd.Categorical(found)),
    "category, some missing": lambda found: frame(pd.Categorical([None, *found[1:]])),
    "pandas, Arrow": lambda found: frame(pd.Series(found, dtype=pd.ArrowDtype(pa.string())).array),
    "pandas, Arrow dictionary": lambda found: frame(pd.Series(pa.array(found).dictionary_encode(), dtype=CODES).array),
    "Arrow": lambda found: arrow(pa.array(found)),
    "Arrow, large": lambda found: arrow(pa.array(found, pa.large_string())),
    "Arrow, view": lambda found: arrow(pa.array(found, pa.string_view())),
    "Arrow, dictionary": lambda found: arrow(pa.array(found).dictionary_encode()),
    "polars": lambda found: polars(pl.Series(found)),
    "polars, categorical": lambda found: polars(pl.Series(found, dtype=pl.Categorical)),
    "polars, enum": lambda found: polars(pl.Series(found, dtype=pl.Enum(found))),
}


@pytest.fixture
def slices(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Rows of each slice that is encoded."""
    found: list[int] = []

    def record(part: Slice) -> Any:
        for each in limit_size(part):
            found.append(each.stop - each.start)
            yield each

    monkeypatch.setattr(encoder, "limit_size", record)
    return found


@pytest.mark.parametrize("tag_columns", [[], ["s"]], ids=["field", "tag"])
@pytest.mark.parametrize("kind", KINDS)
def test_slices_have_bounded_text(slices: list[int], kind: str, tag_columns: list[str]) -> None:
    data = KINDS[kind](texts(LONG))
    count = sum(batch.count(b"\n") + 1 for batch in serialize_batches(data, "m", tag_columns=tag_columns))
    assert count == sum(slices) == ROWS
    most = SLICE_BYTES // LONG
    assert most // 3 < max(slices) <= most


@pytest.mark.parametrize("kind", KINDS)
def test_short_texts_leave_slices_whole(slices: list[int], kind: str) -> None:
    serialize(KINDS[kind](texts(60)), "m")
    assert slices == [ROWS]


@pytest.mark.parametrize("path", ["arrow", "numpy", "rows"])
def test_every_path_writes_the_same_lines(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    data = frame(np.array(texts(LONG), object))
    expected = serialize(iter([{"measurement": "m", "time": time, "fields": {"n": n, "s": text}}
                               for n, (time, text) in enumerate(zip(INDEX, texts(LONG), strict=True))]))  # fmt: skip
    if path != "arrow":
        monkeypatch.setitem(sys.modules, "influx_proto._encode.frames.vectorized_arrow", None)
    if path == "rows":
        monkeypatch.setattr(encoder, "_find_encoder_class", lambda: None)
    assert serialize(data, "m") == expected


class NoLength:
    """A cell that neither `len` nor `bool` accepts."""

    def __len__(self) -> int:
        raise RuntimeError

    def __bool__(self) -> bool:
        raise RuntimeError

    def __str__(self) -> str:
        return "x"


@pytest.mark.parametrize(
    ("cell", "encoded"),
    [
        (NoLength(), b'"x"'),
        (np.array([1, 2]), b'"[1 2]"'),
        ([1, 2], b'"[1, 2]"'),
        (b"x", b"\"b'x'\""),
        (dt.date(2024, 1, 1), b'"2024-01-01"'),
    ],
    ids=["no length", "array", "list", "bytes", "date"],
)
@pytest.mark.parametrize("rows", [1, 200])
def test_measuring_object_cells_does_not_raise(cell: object, encoded: bytes, rows: int) -> None:
    cells = np.empty(rows + 2, object)
    for row in range(rows):  # an assignment to a slice would distribute the items of a list
        cells[row] = cell
    cells[rows:] = [None, float("nan")]
    data = pd.DataFrame({"v": cells}, index=pd.to_datetime(range(rows + 2)))
    assert serialize(data, "m").split(b"\n") == [b"m v=%b %d" % (encoded, row) for row in range(rows)]


def test_a_few_long_texts_among_short_ones(slices: list[int]) -> None:
    found = texts(20)
    for at in (3, 1_500, 1_501):
        found[at] = "x" * (SLICE_BYTES - 100_000)
    assert serialize(frame(np.array(found, object)), "m").count(b"\n") == ROWS - 1
    assert sum(slices) == ROWS
    assert max(slices) >= ROWS // 8
    assert len(slices) < 30


def test_a_row_that_is_too_long_is_a_slice(slices: list[int]) -> None:
    found = texts(20)
    found[7] = "x" * (SLICE_BYTES + 1)
    assert serialize(frame(pd.array(found, "string")), "m").count(b"\n") == ROWS - 1
    assert 1 in slices
