"""Adjacent columns of numbers that are encoded together: the same bytes and errors as column by column, row by row."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from influx_proto import SerializationError, serialize
from influx_proto._encode.frames import encoder as _table
from influx_proto._encode.frames import read_pandas
from influx_proto._encode.frames.vectorized_arrow import ArrowLineBuilder
from influx_proto._encode.frames.vectorized_numpy import _JsonLineBuilder

CELLS: dict[str, st.SearchStrategy[Any]] = {
    "float64": st.floats(allow_infinity=False),
    "float32": st.floats(width=32, allow_infinity=False),
    "Float64": st.none() | st.floats(),
    "double[pyarrow]": st.none() | st.floats(),
    ">f8": st.floats(),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "int8": st.integers(-128, 127),
    "uint64": st.integers(0, 2**63 + 1),
    "uint16": st.integers(0, 2**16 - 1),
    "bool": st.booleans(),
    "str": st.sampled_from(["a", 'b "c"', "d\n"]),
}


@st.composite
def frames(draw: st.DrawFn) -> tuple[pd.DataFrame, dict[str, Any]]:
    """A frame with blocks of columns of one type, and the options of its write."""
    rows = draw(st.integers(1, 4))
    columns: list[pd.Series[Any]] = []
    for dtype in draw(st.lists(st.sampled_from(["float64", "float64", "int64", *CELLS]), min_size=1, max_size=4)):
        cells = CELLS[dtype]
        if dtype == "float64":
            cells = draw(st.sampled_from([cells, cells | st.just(math.nan), st.just(math.nan), st.floats()]))
        block = draw(st.lists(st.lists(cells, min_size=rows, max_size=rows), min_size=1, max_size=4))
        columns += [pd.Series(column, dtype=dtype) for column in block]
    data = pd.concat(columns, axis=1)
    data.columns = [f"c {n}" for n in range(len(columns))]
    data.index = pd.DatetimeIndex(np.arange(1, rows + 1).view("M8[ns]"))
    names = st.sampled_from(list(data.columns))
    options: dict[str, Any] = {
        "tag_columns": draw(st.lists(names, max_size=2)),
        "unsigned": draw(st.booleans()),
        "integers_as_floats": draw(st.booleans()),
        "nonfinite": draw(st.sampled_from(["raise", "omit"])),
    }
    if draw(st.booleans()):
        options["field_types"] = {draw(names): draw(st.sampled_from(["float", "integer", "unsigned", "string"]))}
    return data, options


def encode(data: pd.DataFrame, options: dict[str, Any]) -> bytes | str:
    try:
        return serialize(data, "m", **options)
    except SerializationError as error:
        return str(error)


@pytest.mark.parametrize("without_extra", [False, True])
@settings(deadline=None)  # the first use imports libraries
@given(frames())
def test_same_bytes_and_errors(without_extra: bool, case: tuple[pd.DataFrame, dict[str, Any]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(read_pandas, "_MIN_BLOCK", 1000)
        patch.setattr(_table, "_MIN_COLUMNAR", 1000)
        expected = encode(*case)
        patch.setattr(read_pandas, "_MIN_BLOCK", 2)
        assert encode(*case) == expected
        patch.setattr(_table, "_FEW", 1)
        if without_extra:
            patch.setitem(sys.modules, "influx_proto._encode.frames.vectorized_arrow", None)
        assert encode(*case) == expected


@pytest.mark.parametrize("builder", [ArrowLineBuilder, _JsonLineBuilder])
@pytest.mark.parametrize("missing", [0, 3, 1])
def test_wide_frames_are_encoded_in_blocks(builder: Any, missing: int, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[tuple[int, ...]] = []
    add_block = builder.add_block

    def watch(self: Any, keys: Any, block: Any, earlier: Any) -> None:
        sizes.append(block.values.shape)
        add_block(self, keys, block, earlier)

    monkeypatch.setattr(builder, "add_block", watch)
    if builder is _JsonLineBuilder:
        monkeypatch.setitem(sys.modules, "influx_proto._encode.frames.vectorized_arrow", None)
    matrix = np.arange(400 * 1200).reshape(400, 1200)
    values = np.where(matrix % 7 < missing, np.nan, matrix / 8)
    data = pd.DataFrame(values, columns=[f"v{n}" for n in range(1200)])
    data = pd.concat([data, pd.DataFrame(matrix[:, :20], columns=[f"n{n}" for n in range(20)])], axis=1)
    data.insert(600, "host", "a")
    data.index = pd.DatetimeIndex(np.arange(1, 401).view("M8[ns]"))
    found = serialize(data, "m", tag_columns=["host"])
    assert sizes == [(400, 600), (400, 600), (400, 20)]
    monkeypatch.setattr(_table, "_FEW", 100_000)
    monkeypatch.setattr(_table, "_MIN_COLUMNAR", 1000)
    assert serialize(data, "m", tag_columns=["host"]) == found
