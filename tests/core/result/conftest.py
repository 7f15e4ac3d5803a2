"""Query results for tests, built by hand and at random."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from influx_proto import QueryResult

INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
TEXT = st.text(max_size=5)
NAMES = st.text(min_size=1, max_size=3)
#: The times that InfluxDB can store: int64 without three extreme values.
TIMES = st.integers(-(1 << 63) + 2, (1 << 63) - 2)
FLOATS = st.floats(allow_nan=False)
CELL_TYPES = (INT64, FLOATS, st.booleans(), TEXT)


def result(*series: dict[str, Any], epoch: str | None = "ns") -> QueryResult:
    """Return the result of one statement."""
    return QueryResult([{"statement_id": 0, **({"series": list(series)} if series else {})}], epoch=epoch)


def one(columns: str, *rows: list[Any], name: str = "m", **tags: str) -> dict[str, Any]:
    """Return a series; `columns` is separated by spaces."""
    series: dict[str, Any] = {"name": name}
    if tags:
        series["tags"] = tags
    series["columns"] = columns.split()
    if rows:
        series["values"] = list(rows)
    return series


@st.composite
def select_results(draw: st.DrawFn) -> QueryResult:
    """Results of a SELECT: series with the same columns and tags, and one type per column."""
    names = draw(st.lists(NAMES.filter(lambda name: name != "time"), max_size=4, unique=True))
    cell_types = [draw(st.sampled_from(CELL_TYPES)) for _ in names]
    cells = [draw(st.sampled_from((cell_type, st.none() | cell_type, st.none()))) for cell_type in cell_types]
    row = st.tuples(TIMES, *cells).map(list)
    keys = draw(st.lists(NAMES.filter(lambda key: key not in {*names, "time"}), max_size=2, unique=True))
    measurement = st.just("m") if draw(st.booleans()) else st.sampled_from(["m", "n"])
    all_series = []
    for _ in range(draw(st.integers(0, 4))):
        series: dict[str, Any] = {"name": draw(measurement)}
        if keys:
            series["tags"] = {key: draw(st.sampled_from(["", "a", "b", "é"])) for key in draw(st.permutations(keys))}
        series["columns"] = ["time", *names]
        if rows := draw(st.lists(row, max_size=4)):
            series["values"] = rows
        all_series.append(series)
    return result(*all_series)
