"""Encoding of DataFrames, compared with other clients: QuestDB (Rust), influxdb-client and influxdb.

    python benchmarks/frames.py [rows] [rounds]

The variants are interleaved in one process, so that other load affects all of them equally; medians of CPU time are
compared. Other clients are included if they are installed (`pip install questdb influxdb influxdb-client`). Those
written in Python encode a tenth of the rows, and their time is extrapolated.
"""

from __future__ import annotations

import importlib
import platform
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
from influx_proto import serialize_batches

Variant: TypeAlias = Callable[[], object]

TAGS = ["host", "region"]
ARROW = "influx_proto._encode.frames.vectorized_arrow"


def mixed(count: int, rng: Any) -> pd.DataFrame:
    return pd.DataFrame({
        "host": pd.Categorical.from_codes(rng.integers(0, 100, count), [f"host-{n:03}" for n in range(100)]),
        "region": pd.Categorical.from_codes(rng.integers(0, 4, count), ["eu-west", "eu-east", "us-west", "us-east"]),
        "load": rng.random(count) * 30,
        "temperature": rng.random(count) * 100 - 20,
        "requests": rng.integers(0, 10**6, count),
        "ok": rng.integers(0, 2, count).astype(bool),
    })  # fmt: skip


def with_missing(frame: pd.DataFrame, part: float, rng: Any) -> pd.DataFrame:
    for name in frame:
        column = frame[name].convert_dtypes() if frame[name].dtype in {np.dtype(int), np.dtype(bool)} else frame[name]
        frame[name] = column.mask(rng.random(len(frame)) < part)
    return frame


def floats_missing(frame: pd.DataFrame, rng: Any) -> pd.DataFrame:
    for name in ("load", "temperature"):
        frame[name] = frame[name].mask(rng.random(len(frame)) < 0.1)
    return frame


def frames(count: int) -> dict[str, Callable[[], pd.DataFrame]]:
    rng = np.random.default_rng(1)

    def strings() -> pd.DataFrame:
        return mixed(count, rng).astype({"host": "str", "region": "str"})

    def objects() -> pd.DataFrame:
        return mixed(count, rng).astype({"host": object, "region": object})

    def wide(missing: float) -> pd.DataFrame:
        values = rng.random((50, count // 10))
        return pd.DataFrame({
            f"v{n}": np.where(rng.random(count // 10) < missing, np.nan, values[n]) for n in range(50)
        })

    def distinct() -> pd.DataFrame:
        return pd.DataFrame({"host": [f"host {n}, rack={n % 7}" for n in range(count)], "load": rng.random(count)})

    def texts() -> pd.DataFrame:
        return pd.DataFrame({
            "host": mixed(count, rng)["host"],
            "message": [f"request {n} took long" for n in range(count)],
            "path": [f'/a/"{n % 50}"/b' for n in range(count)],
        })  # fmt: skip

    return {
        "mixed: 2 tags (categories), 2 floats, integer, boolean": lambda: mixed(count, rng),
        "mixed, 10 % missing in the floats": lambda: floats_missing(mixed(count, rng), rng),
        "mixed, 10 % missing in every column": lambda: with_missing(mixed(count, rng), 0.1, rng),
        "mixed, tags of str": strings,
        "mixed, tags of object": objects,
        "numbers: 4 floats, 2 integers": lambda: pd.DataFrame(
            {name: rng.random(count) for name in "abcd"} | {name: rng.integers(0, 10**6, count) for name in "ef"}
        ),
        "one float": lambda: pd.DataFrame({"v": rng.random(count)}),
        "50 floats": lambda: wide(0),
        "50 floats, 20 % missing": lambda: wide(0.2),
        "distinct tags with escapes, float": distinct,
        "2 strings": texts,
    }


@contextmanager
def without_extra() -> Iterator[None]:
    """Make the import of the module that needs pyarrow and orjson fail, as if these are not installed."""
    modules: dict[str, Any] = sys.modules
    known = importlib.import_module(ARROW)
    modules[ARROW] = None
    try:
        yield
    finally:
        modules[ARROW] = known


def ours(data: object, tags: list[str]) -> int:
    return sum(len(batch) for batch in serialize_batches(data, "m", tag_columns=tags))


def encode_without_extra(data: object, tags: list[str]) -> int:
    with without_extra():
        return ours(data, tags)


def variants(frame: pd.DataFrame) -> dict[str, tuple[Variant, int]]:
    """Return the variants, each with the factor by which its time is extrapolated."""
    tags = [name for name in TAGS if name in frame]
    table = pl.DataFrame({"time": frame.index.to_numpy(), **{name: pl.Series(frame[name]) for name in frame}})
    arrow = pa.Table.from_pandas(frame.reset_index(names="time"), preserve_index=False)
    found: dict[str, tuple[Variant, int]] = {
        "influx_proto": (lambda: ours(frame, tags), 1),
        "influx_proto, polars": (lambda: ours(table, tags), 1),
        "influx_proto, pyarrow": (lambda: ours(arrow, tags), 1),
        "influx_proto, no extra": (lambda: encode_without_extra(frame, tags), 1),
    }
    return {**found, **other_clients(frame, tags, 10)}


def other_clients(frame: pd.DataFrame, tags: list[str], fewer: int) -> dict[str, tuple[Variant, int]]:
    """Return the variants of other clients; those written in Python encode the number of rows divided by `fewer`."""
    found: dict[str, tuple[Variant, int]] = {}
    part = frame[: len(frame) // fewer]
    try:
        questdb = importlib.import_module("questdb.ingress")
    except ImportError:
        pass
    else:
        columns = frame.reset_index(names="time")

        def rust() -> object:
            buffer = questdb.Buffer(protocol_version=1)
            return bytes(buffer.dataframe(columns, table_name="m", symbols=tags, at="time"))

        found["QuestDB (Rust)"] = rust, 1
    try:
        serializer = importlib.import_module("influxdb_client.client.write.dataframe_serializer")
    except ImportError:
        pass
    else:
        settings = importlib.import_module("influxdb_client.client.write_api").PointSettings()
        found["influxdb-client"] = (
            lambda: "\n".join(
                serializer.data_frame_to_list_of_points(
                    part, settings, data_frame_measurement_name="m", data_frame_tag_columns=tags
                )
            ).encode(),
            fewer,
        )
    try:
        client = importlib.import_module("influxdb").DataFrameClient()
        to_lines = client._convert_dataframe_to_lines  # noqa: SLF001 - influxdb-client has no public function that only encodes
    except ImportError:
        pass
    else:
        found["influxdb"] = (
            lambda: "\n".join(to_lines(part, "m", tag_columns=tags)).encode(), fewer
        )  # fmt: skip
    return found


def measure(variants: dict[str, tuple[Variant, int]], rounds: int) -> dict[str, float]:
    times: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(rounds):
        for name, (variant, part) in variants.items():
            begin = time.thread_time()
            variant()
            times[name].append((time.thread_time() - begin) * part)
    return {name: statistics.median(taken) for name, taken in times.items()}


def supported(variants: dict[str, tuple[Variant, int]]) -> dict[str, tuple[Variant, int]]:
    """Return the variants without those of other clients that cannot encode the DataFrame."""
    found = {}
    for name, (variant, part) in variants.items():
        try:
            variant()
        except Exception as error:
            if name.startswith("influx_proto"):
                raise
            print(f"  {name} fails: {type(error).__name__}: {str(error)[:60]}")
        else:
            found[name] = variant, part
    return found


def main() -> None:
    count, rounds = (int(text) for text in (sys.argv[1:] + ["200000", "5"][len(sys.argv) - 1 :])[:2])
    warnings.simplefilter("ignore")  # warnings of other clients
    print(f"Python {platform.python_version()}; {count} rows, medians of {rounds} rounds")
    for package in (
        "influx-proto", "pandas", "numpy", "pyarrow", "orjson", "polars", "msgspec", "questdb", "influxdb-client",
        "influxdb",
    ):  # fmt: skip
        try:
            print(f"  {package} {version(package)}")
        except PackageNotFoundError:
            print(f"  {package} is not installed")
    for kind, make in frames(count).items():
        frame = make()
        frame.index = pd.DatetimeIndex(
            (1_700_000_000_000_000_000 + np.arange(len(frame)) * 1_000_000_007).view("M8[ns]")
        )
        print(f"\n{kind}; {ours(frame, [name for name in TAGS if name in frame]) / len(frame):.0f} bytes per row")
        found = measure(supported(variants(frame)), rounds)
        ours_took = found["influx_proto"]
        for name, taken in found.items():
            print(f"  {name:24} {taken / len(frame) * 1e9:8.0f} ns per row  {taken / ours_took:7.2f}")


if __name__ == "__main__":
    main()
