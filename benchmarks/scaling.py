"""Time per row by number of rows, columns, missing cells and tag values.

    python -m benchmarks.scaling

DataFrames are encoded as line protocol, and decoded from responses in memory (MessagePack as InfluxDB sends it,
without the time of a server). One parameter is varied at a time; the others have their default.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import matplotlib as mpl
import msgspec
import numpy as np
import pandas as pd
from influx_proto import Headers, ops, serialize_batches

mpl.use("agg")
import matplotlib.pyplot as plt

ROWS, COLUMNS, MISSING, TAG_VALUES = 100_000, 4, 0.0, 100
CHUNK = 10_000
MSGPACK = Headers({"Content-Type": "application/x-msgpack"})

#: Parameters that are varied: their values, and the arguments of `make_frame`.
AXES: dict[str, tuple[Sequence[float], Callable[[Any], dict[str, Any]]]] = {
    "rows": ((1e3, 1e4, 1e5, 1e6, 1e7), lambda value: {"rows": int(value)}),
    "columns": ((1, 3, 10, 30, 100), lambda value: {"columns": int(value)}),
    "missing cells": ((0, 0.01, 0.1, 0.25, 0.5), lambda value: {"missing": value}),
    "tag values": ((1, 1e2, 1e4, 1e5, 1e6), lambda value: {"tag_values": int(value), "rows": 1_000_000}),
}


def make_frame(
    rows: int = ROWS, columns: int = COLUMNS, missing: float = MISSING, tag_values: int = TAG_VALUES
) -> pd.DataFrame:
    """Return a DataFrame of one tag and columns of floats."""
    rng = np.random.default_rng(1)
    names = [f"host-{number}" for number in range(tag_values)]
    data: dict[str, Any] = {"host": pd.Categorical.from_codes(rng.integers(0, tag_values, rows), names)}
    for number in range(columns):
        values = rng.random(rows)
        data[f"f{number}"] = np.where(rng.random(rows) < missing, np.nan, values) if missing else values
    moments = 1_700_000_000_000_000_000 + np.arange(rows) * 1_000_000_007
    return pd.DataFrame(data, index=pd.DatetimeIndex(moments.view("M8[ns]")))


def make_response(frame: pd.DataFrame) -> list[bytes]:
    """Return the response to a query for the DataFrame, in chunks of one series as the server sends them."""
    columns = ["time", *frame.columns]
    chunks = []
    cells = [
        frame.index.asi8.tolist(),
        *(frame[name].astype(object).where(frame[name].notna(), None).tolist() for name in frame),
    ]
    rows = zip(*cells, strict=True)
    left = len(frame)
    while values := [list(row) for row in islice(rows, CHUNK)]:
        left -= len(values)
        more = {"partial": True} if left else {}
        series = {"name": "m", "columns": columns, "values": values, **more}
        chunks.append(msgspec.msgpack.encode({"results": [{"statement_id": 0, "series": [series], **more}]}))
    return chunks


def encode_frame(frame: pd.DataFrame) -> None:
    for _ in serialize_batches(frame, "m", tag_columns=["host"]):
        pass


def decode_frame(chunks: Sequence[bytes]) -> pd.DataFrame:
    receiver = ops.query_dataframe("SELECT * FROM m").receiver(200, MSGPACK)
    for chunk in chunks:
        receiver.feed(chunk)
    return receiver.close()


def ns_per_row(variant: Callable[[], object], rows: int) -> float:
    """Return the median of up to 15 rounds, fewer if they take more than a second."""
    taken: list[float] = []
    while len(taken) < 3 or (sum(taken) < 1.0 and len(taken) < 15):
        begin = time.perf_counter()
        variant()
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken) / rows * 1e9


def measure_all() -> Iterator[tuple[str, float, float, float | None]]:
    """Yield the nanoseconds per row of encoding and decoding for each value of each parameter."""
    for axis, (values, options) in AXES.items():
        for value in values:
            frame = make_frame(**options(value))
            rows = len(frame)
            encode = ns_per_row(lambda frame=frame: encode_frame(frame), rows)  # type: ignore[misc]  # bound now
            decode = None
            if rows <= 1_000_000:  # creating larger responses takes minutes
                chunks = make_response(frame)
                decode = ns_per_row(lambda chunks=chunks: decode_frame(chunks), rows)  # type: ignore[misc]  # bound now
            print(f"{axis:16} {value:>10g} {encode:8.0f} {decode or float('nan'):8.0f}", flush=True)
            yield axis, value, encode, decode


def results(picture: Path) -> list[str]:
    """Measure, plot, and return the section of the report."""
    found = list(measure_all())
    figure, axes = plt.subplots(1, len(AXES), figsize=(13, 3.4), layout="constrained", sharey=True)
    for axis, name in zip(axes, AXES, strict=True):
        rows = [row[1:] for row in found if row[0] == name]
        axis.plot([x for x, _, _ in rows], [ns for _, ns, _ in rows], "o-", label="DataFrame to line protocol")
        read_rows = [(x, ns) for x, _, ns in rows if ns is not None]
        axis.plot(*zip(*read_rows, strict=True), "s--", label="MessagePack to DataFrame")
        axis.set_xscale("symlog", linthresh=0.01) if name == "missing cells" else axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_xlabel(name)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("ns per row")
    axes[0].legend(fontsize=8)
    figure.savefig(picture, dpi=110)
    plt.close(figure)
    text = [
        "## Scaling",
        "",
        f"Nanoseconds per row, in memory. Defaults: one tag with {TAG_VALUES} values, {COLUMNS} floats,",
        f"no missing cells, {ROWS:,} rows (1,000,000 rows for tag values).",
        "",
        f"![Nanoseconds per row]({picture.name})",
        "",
        "| parameter | value | DataFrame to line protocol | MessagePack to DataFrame |",
        "|---|---|---|---|",
    ]
    for axis, value, encode, decode in found:
        text.append(f"| {axis} | {value:,g} | {encode:,.0f} | {'' if decode is None else f'{decode:,.0f}'} |")
    return [*text, ""]


if __name__ == "__main__":
    print("\n".join(results(Path("scaling.png"))))
