"""Data frames to line protocol, beside other clients: the Rust one of QuestDB, influxdb-client and influxdb.

    python benchmarks/frames.py [rows] [rounds]

All ways run in turns in one process, and the median of each is compared, so that a busy machine disturbs all alike;
time is that of the processor, which other processes are not part of.
Other clients are compared with where they are installed (`pip install questdb influxdb influxdb-client`); those that
are written in Python write a tenth of the rows, and what they took is given for all of them.
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

Way: TypeAlias = Callable[[], object]

TAGS = ["host", "region"]
ARROW = "influx_proto._encode.frames.vectorized_arrow"


def mixed(count: int, chance: Any) -> pd.DataFrame:
    return pd.DataFrame({
        "host": pd.Categorical.from_codes(chance.integers(0, 100, count), [f"host-{n:03}" for n in range(100)]),
        "region": pd.Categorical.from_codes(chance.integers(0, 4, count), ["eu-west", "eu-east", "us-west", "us-east"]),
        "load": chance.random(count) * 30,
        "temperature": chance.random(count) * 100 - 20,
        "requests": chance.integers(0, 10**6, count),
        "ok": chance.integers(0, 2, count).astype(bool),
    })  # fmt: skip


def with_missing(frame: pd.DataFrame, part: float, chance: Any) -> pd.DataFrame:
    for name in frame:
        column = frame[name].convert_dtypes() if frame[name].dtype in {np.dtype(int), np.dtype(bool)} else frame[name]
        frame[name] = column.mask(chance.random(len(frame)) < part)
    return frame


def floats_missing(frame: pd.DataFrame, chance: Any) -> pd.DataFrame:
    for name in ("load", "temperature"):
        frame[name] = frame[name].mask(chance.random(len(frame)) < 0.1)
    return frame


def frames(count: int) -> dict[str, Callable[[], pd.DataFrame]]:
    chance = np.random.default_rng(1)

    def strings() -> pd.DataFrame:
        return mixed(count, chance).astype({"host": "str", "region": "str"})

    def objects() -> pd.DataFrame:
        return mixed(count, chance).astype({"host": object, "region": object})

    def wide(missing: float) -> pd.DataFrame:
        values = chance.random((50, count // 10))
        return pd.DataFrame({
            f"v{n}": np.where(chance.random(count // 10) < missing, np.nan, values[n]) for n in range(50)
        })

    def distinct() -> pd.DataFrame:
        return pd.DataFrame({"host": [f"host {n}, rack={n % 7}" for n in range(count)], "load": chance.random(count)})

    def texts() -> pd.DataFrame:
        return pd.DataFrame({
            "host": mixed(count, chance)["host"],
            "message": [f"request {n} took long" for n in range(count)],
            "path": [f'/a/"{n % 50}"/b' for n in range(count)],
        })  # fmt: skip

    return {
        "mixed: 2 tags (categories), 2 floats, integer, boolean": lambda: mixed(count, chance),
        "mixed, 10 % missing in the floats": lambda: floats_missing(mixed(count, chance), chance),
        "mixed, 10 % missing in every column": lambda: with_missing(mixed(count, chance), 0.1, chance),
        "mixed, tags of str": strings,
        "mixed, tags of object": objects,
        "numbers: 4 floats, 2 integers": lambda: pd.DataFrame(
            {name: chance.random(count) for name in "abcd"} | {name: chance.integers(0, 10**6, count) for name in "ef"}
        ),
        "one float": lambda: pd.DataFrame({"v": chance.random(count)}),
        "50 floats": lambda: wide(0),
        "50 floats, 20 % missing": lambda: wide(0.2),
        "distinct tags with escapes, float": distinct,
        "2 strings": texts,
    }


@contextmanager
def without_the_extra() -> Iterator[None]:
    """Make the import of what needs pyarrow and orjson fail, as it does where these are not installed."""
    modules: dict[str, Any] = sys.modules
    known = importlib.import_module(ARROW)
    modules[ARROW] = None
    try:
        yield
    finally:
        modules[ARROW] = known


def ours(data: object, tags: list[str]) -> int:
    return sum(len(batch) for batch in serialize_batches(data, "m", tag_columns=tags))


def ours_without(data: object, tags: list[str]) -> int:
    with without_the_extra():
        return ours(data, tags)


def ways(frame: pd.DataFrame) -> dict[str, tuple[Way, int]]:
    """Give ways to write a frame, and for how many times the rows their time stands."""
    tags = [name for name in TAGS if name in frame]
    table = pl.DataFrame({"time": frame.index.to_numpy(), **{name: pl.Series(frame[name]) for name in frame}})
    arrow = pa.Table.from_pandas(frame.reset_index(names="time"), preserve_index=False)
    found: dict[str, tuple[Way, int]] = {
        "influx_proto": (lambda: ours(frame, tags), 1),
        "influx_proto, polars": (lambda: ours(table, tags), 1),
        "influx_proto, pyarrow": (lambda: ours(arrow, tags), 1),
        "influx_proto, no extra": (lambda: ours_without(frame, tags), 1),
    }
    part = frame[: len(frame) // 10]
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
            10,
        )
    try:
        client = importlib.import_module("influxdb").DataFrameClient()
        to_lines = client._convert_dataframe_to_lines  # noqa: SLF001 - there is no public way to only encode
    except ImportError:
        pass
    else:
        found["influxdb"] = (
            lambda: "\n".join(to_lines(part, "m", tag_columns=tags)).encode(), 10
        )  # fmt: skip
    return found


def measure(ways: dict[str, tuple[Way, int]], rounds: int) -> dict[str, float]:
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, (way, part) in ways.items():
            begin = time.thread_time()
            way()
            times[name].append((time.thread_time() - begin) * part)
    return {name: statistics.median(taken) for name, taken in times.items()}


def able(ways: dict[str, tuple[Way, int]]) -> dict[str, tuple[Way, int]]:
    """Leave out other clients that cannot write a frame."""
    found = {}
    for name, (way, part) in ways.items():
        try:
            way()
        except Exception as error:
            if name.startswith("influx_proto"):
                raise
            print(f"  {name} cannot: {type(error).__name__}: {str(error)[:60]}")
        else:
            found[name] = way, part
    return found


def main() -> None:
    count, rounds = (int(text) for text in (sys.argv[1:] + ["200000", "5"][len(sys.argv) - 1 :])[:2])
    warnings.simplefilter("ignore")  # of other clients
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
        print(f"\n{kind}; {ours(frame, [name for name in TAGS if name in frame]) / len(frame):.0f} bytes a row")
        found = measure(able(ways(frame)), rounds)
        ours_took = found["influx_proto"]
        for name, taken in found.items():
            print(f"  {name:24} {taken / len(frame) * 1e9:8.0f} ns a row  {taken / ours_took:7.2f}")


if __name__ == "__main__":
    main()
