"""Encoding of tables of every shape: the cost of a cell, relative to the usual shape and to other clients.

    python benchmarks/shapes.py [text]

Measures only the shapes whose name contains the text. The figures are minimums of CPU time. A cell is a tag, a field or
a timestamp. Texts are compared per byte. Other clients are included if they are installed (dependency group `bench`)
and can encode the table.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
from influx_proto import serialize_batches

from benchmarks.frames import TAGS, Variant, mixed, other_clients, supported
from benchmarks.timing import describe_machine, describe_versions

CLIENTS = ("QuestDB (Rust)", "influxdb-client")
RNG = np.random.default_rng(1)
NULLABLE = {"load": "Float64", "temperature": "Float64", "requests": "Int64", "ok": "boolean"}
ARROW = {
    "load": "double[pyarrow]", "temperature": "double[pyarrow]", "requests": "int64[pyarrow]", "ok": "bool[pyarrow]"
}  # fmt: skip


@dataclass(frozen=True)
class Shape:
    """A table, its tag columns and the options of its write."""

    data: Any
    tags: list[str] = field(default_factory=list)
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def cells(self) -> int:
        """The number of cells, with the timestamps in the index of a frame."""
        rows, columns = self.data.shape
        return int(rows * (columns + isinstance(self.data, pd.DataFrame)))

    def encode(self) -> int:
        """Encode the table; return the size in bytes."""
        return sum(map(len, serialize_batches(self.data, "m", tag_columns=self.tags, **self.options)))


def timed(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.set_index(pd.DatetimeIndex((1_700_000_000_000_000_000 + np.arange(len(frame)) * 10**9).view("M8[ns]")))


def usual(rows: int = 50_000, **options: Any) -> Shape:
    return Shape(timed(mixed(rows, RNG)), TAGS, options)


def typed(dtypes: Any) -> Shape:
    return Shape(usual().data.astype(dtypes), TAGS)


def arrow(rows: int) -> Shape:
    table = pa.Table.from_pandas(usual().data.reset_index(names="time"), preserve_index=False)
    return Shape(pa.Table.from_batches(table.to_batches(max_chunksize=rows)), TAGS)


def wide(columns: int, rows: int, missing: float = 0) -> Shape:
    values = RNG.random((rows, columns))
    values[RNG.random(values.shape) < missing] = np.nan
    return Shape(timed(pd.DataFrame(values, columns=[f"v{n}" for n in range(columns)])))


def columns_of(dtype: Any) -> Shape:
    values = RNG.integers(0, 10**6, (5000, 100))
    return Shape(timed(pd.DataFrame(values, columns=[f"v{n}" for n in range(100)]).astype(dtype)))


def texts(length: int, rows: int, text: str = "x") -> Shape:
    return Shape(timed(pd.DataFrame({"s": [f"{text * (length // len(text) - 8)}{n:08}" for n in range(rows)]})))


def distinct(dtype: Any, missing: int = 0) -> Shape:
    cells = [None if missing and n % missing == 0 else f"host {n}, rack={n % 7}" for n in range(50_000)]
    hosts = pd.Series(cells, dtype=dtype)
    return Shape(timed(pd.DataFrame({"host": hosts, "load": RNG.random(len(hosts))})), ["host"])


def few_of_many_categories() -> Shape:
    hosts = pd.Categorical.from_codes(RNG.integers(0, 10**6, 100), [f"host{n}" for n in range(10**6)])
    return Shape(timed(pd.DataFrame({"host": hosts, "load": RNG.random(100)})), ["host"])


def decimals() -> Shape:
    load = pa.array(range(50_000)).cast(pa.decimal128(19, 0)).cast(pa.decimal128(38, 3))
    return Shape(pa.table({"time": pa.array(range(50_000), pa.timestamp("s")), "load": load}))


def objects(values: Any) -> Shape:
    frame = pd.DataFrame({"a": values, "b": values}).astype(object)
    return Shape(timed(frame), options={"object_columns": "infer"})


SHAPES: dict[str, Callable[[], Shape]] = {
    "usual: 2 tags, 2 floats, integer, boolean": usual,
    "usual, batches of 700 lines": lambda: usual(max_lines=700),
    "usual, batches of 1 MB": lambda: usual(max_bytes=1_000_000),
    "nullable dtypes": lambda: typed(NULLABLE),
    "nullable dtypes: 100 Float64": lambda: columns_of("Float64"),
    "nullable dtypes: 100 Int64": lambda: columns_of("Int64"),
    "Arrow dtypes": lambda: typed(ARROW),
    "polars": lambda: Shape(pl.from_pandas(usual().data.reset_index(names="time")), TAGS),
    "pyarrow": lambda: arrow(50_000),
    "pyarrow, record batches of 100 rows": lambda: arrow(100),
    "duckdb": lambda: Shape(duckdb.from_arrow(arrow(50_000).data), TAGS),
    "narrow: 1 float": lambda: wide(1, 100_000),
    "wide: 100 floats": lambda: wide(100, 5000),
    "wide: 100 floats, 1 row": lambda: wide(100, 1),
    "wide: 1 000 floats": lambda: wide(1000, 1000),
    "wide: 1 000 floats, 10 % missing": lambda: wide(1000, 1000, 0.1),
    "wide: 5 000 floats": lambda: wide(5000, 500),
    "tiny: 1 row": lambda: usual(1),
    "tiny: 10 rows": lambda: usual(10),
    "tiny: 100 rows": lambda: usual(100),
    "texts of 1 590 characters": lambda: texts(1590, 10_000),
    "texts of 2 000 characters": lambda: texts(2000, 10_000),
    "texts of 2 000 characters with LFs and quotes": lambda: texts(2000, 10_000, 'abcd "efgh"\n'),
    "texts of 30 000 characters": lambda: texts(30_000, 500),
    "texts of 70 000 characters": lambda: texts(70_000, 250),
    "distinct tags with escapes, str": lambda: distinct("str"),
    "distinct tags with escapes, object": lambda: distinct(object),
    "distinct tags with escapes, 10 % missing": lambda: distinct("str", 10),
    "100 rows of 1 000 000 categories": few_of_many_categories,
    "float32": lambda: Shape(timed(pd.DataFrame(RNG.random((20_000, 10), "f4"), columns=list("abcdefghij")))),
    "Arrow decimals": decimals,
    "objects: floats": lambda: objects(RNG.random(20_000)),
    "objects: integers": lambda: objects(RNG.integers(0, 10**6, 20_000)),
    "objects: decimals": lambda: objects([Decimal(n) / 1000 for n in range(20_000)]),
    "objects: dictionaries as strings": lambda: Shape(objects([{"n": n} for n in range(20_000)]).data),
}  # fmt: skip


def measure(variant: Variant) -> float:
    """Return the minimum of the CPU times of all runs in half a second, in seconds."""
    found: list[float] = []
    stop = time.monotonic() + 0.5
    while not found or time.monotonic() < stop:
        begin = time.process_time()
        variant()
        found.append(time.process_time() - begin)
    return min(found)


def compare(shape: Shape) -> dict[str, float]:
    """Return the ratio of our time to that of each other client that can encode the table."""
    if not isinstance(shape.data, pd.DataFrame):
        return {}
    fewer = 10 if len(shape.data) >= 1000 else 1
    with redirect_stdout(sys.stderr):
        others = supported(other_clients(shape.data, shape.tags, fewer))
    took = measure(shape.encode)
    return {name: took / (measure(variant) * factor) for name, (variant, factor) in others.items()}


def main() -> None:
    only = " ".join(sys.argv[1:])
    warnings.simplefilter("ignore")  # warnings of other clients
    print(f"{describe_machine()}; {describe_versions(('influx-proto', 'pandas', 'questdb', 'influxdb-client'))}.\n")
    print("| shape | ns per cell | usual = 1 | ns per byte | usual = 1 | QuestDB = 1 | influxdb-client = 1 |")
    print("|---|---|---|---|---|---|---|")
    base = usual()
    base_took = measure(base.encode) * 1e9
    base_cell, base_byte = base_took / base.cells, base_took / base.encode()
    for name, make in SHAPES.items():
        if only not in name:
            continue
        shape = make()
        took, size = measure(shape.encode), shape.encode()
        cell, byte = took / shape.cells * 1e9, took / size * 1e9
        others = compare(shape)
        ratios = [f"{others[client]:.2f}" if client in others else "-" for client in CLIENTS]
        row = [name, f"{cell:.0f}", f"{cell / base_cell:.2f}", f"{byte:.2f}", f"{byte / base_byte:.2f}", *ratios]
        print("|", " | ".join(row), "|", flush=True)


if __name__ == "__main__":
    main()
