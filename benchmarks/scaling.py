"""How the time for a row grows with what is written and read: rows, columns, missing cells, tag values.

    python -m benchmarks.scaling

Frames are turned to line protocol, and made of answers in memory (the MessagePack of InfluxDB, made here, so that the
server's own time is not in it). One thing is varied at a time; all else is as in the middle.
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

#: What is varied: over which values, and the frame of each.
AXES: dict[str, tuple[Sequence[float], Callable[[Any], dict[str, Any]]]] = {
    "rows": ((1e3, 1e4, 1e5, 1e6, 1e7), lambda value: {"rows": int(value)}),
    "columns": ((1, 3, 10, 30, 100), lambda value: {"columns": int(value)}),
    "missing cells": ((0, 0.01, 0.1, 0.25, 0.5), lambda value: {"missing": value}),
    "values of a tag": ((1, 1e2, 1e4, 1e5, 1e6), lambda value: {"tag_values": int(value), "rows": 1_000_000}),
}


def frame_of(
    rows: int = ROWS, columns: int = COLUMNS, missing: float = MISSING, tag_values: int = TAG_VALUES
) -> pd.DataFrame:
    """Make a frame of one tag and columns of floats."""
    chance = np.random.default_rng(1)
    names = [f"host-{number}" for number in range(tag_values)]
    data: dict[str, Any] = {"host": pd.Categorical.from_codes(chance.integers(0, tag_values, rows), names)}
    for number in range(columns):
        values = chance.random(rows)
        data[f"f{number}"] = np.where(chance.random(rows) < missing, np.nan, values) if missing else values
    moments = 1_700_000_000_000_000_000 + np.arange(rows) * 1_000_000_007
    return pd.DataFrame(data, index=pd.DatetimeIndex(moments.view("M8[ns]")))


def answer_of(frame: pd.DataFrame) -> list[bytes]:
    """Make the answer to a query for a frame, in chunks of one series each as the server sends them."""
    columns = ["time", *frame.columns]
    pieces = []
    cells = [
        frame.index.asi8.tolist(),
        *(frame[name].astype(object).where(frame[name].notna(), None).tolist() for name in frame),
    ]
    rows = zip(*cells, strict=True)
    left = len(frame)
    while chunk := [list(row) for row in islice(rows, CHUNK)]:
        left -= len(chunk)
        more = {"partial": True} if left else {}
        series = {"name": "m", "columns": columns, "values": chunk, **more}
        pieces.append(msgspec.msgpack.encode({"results": [{"statement_id": 0, "series": [series], **more}]}))
    return pieces


def written(frame: pd.DataFrame) -> None:
    for _ in serialize_batches(frame, "m", tag_columns=["host"]):
        pass


def read(pieces: Sequence[bytes]) -> pd.DataFrame:
    receiver = ops.query_dataframe("SELECT * FROM m").receiver(200, MSGPACK)
    for piece in pieces:
        receiver.feed(piece)
    return receiver.close()


def ns_a_row(way: Callable[[], object], rows: int) -> float:
    """Give the median of some rounds, fewer where one takes long."""
    taken: list[float] = []
    while len(taken) < 3 or (sum(taken) < 1.0 and len(taken) < 15):
        begin = time.perf_counter()
        way()
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken) / rows * 1e9


def measured() -> Iterator[tuple[str, float, float, float | None]]:
    """Give for each value of each axis the nanoseconds a row of writing and of reading."""
    for axis, (values, options) in AXES.items():
        for value in values:
            frame = frame_of(**options(value))
            rows = len(frame)
            encode = ns_a_row(lambda frame=frame: written(frame), rows)  # type: ignore[misc]  # bound now
            decode = None
            if rows <= 1_000_000:  # the answer of more would be made here for minutes
                pieces = answer_of(frame)
                decode = ns_a_row(lambda pieces=pieces: read(pieces), rows)  # type: ignore[misc]  # bound now
            print(f"{axis:16} {value:>10g} {encode:8.0f} {decode or float('nan'):8.0f}", flush=True)
            yield axis, value, encode, decode


def results(picture: Path) -> list[str]:
    """Measure, draw, and give a part of the results."""
    found = list(measured())
    figure, axes = plt.subplots(1, len(AXES), figsize=(13, 3.4), layout="constrained", sharey=True)
    for axis, name in zip(axes, AXES, strict=True):
        rows = [row[1:] for row in found if row[0] == name]
        axis.plot([x for x, _, _ in rows], [ns for _, ns, _ in rows], "o-", label="frame to line protocol")
        read_rows = [(x, ns) for x, _, ns in rows if ns is not None]
        axis.plot(*zip(*read_rows, strict=True), "s--", label="MessagePack to frame")
        axis.set_xscale("symlog", linthresh=0.01) if name == "missing cells" else axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_xlabel(name)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("ns a row")
    axes[0].legend(fontsize=8)
    figure.savefig(picture, dpi=110)
    plt.close(figure)
    text = [
        "## Scaling",
        "",
        f"One tag and {COLUMNS} floats, none missing, {ROWS:,} rows, {TAG_VALUES} values of the tag, where nothing",
        "else is said (values of a tag: 1,000,000 rows). Nanoseconds a row, in memory.",
        "",
        f"![Nanoseconds a row]({picture.name})",
        "",
        "| varied | value | frame to line protocol | MessagePack to frame |",
        "|---|---|---|---|",
    ]
    for axis, value, encode, decode in found:
        text.append(f"| {axis} | {value:,g} | {encode:,.0f} | {'' if decode is None else f'{decode:,.0f}'} |")
    return [*text, ""]


if __name__ == "__main__":
    print("\n".join(results(Path("scaling.png"))))
