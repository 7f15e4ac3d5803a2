"""The benchmarks: their variants, their goals, and checks that all variants have equal results."""

from __future__ import annotations

import asyncio
import importlib
import subprocess
import tempfile
import urllib.parse
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import influx_aiohttp
import influx_requests
import influx_trio
import numpy as np
import pandas as pd
import trio
from influx_proto import parse_lines, serialize_batches

from benchmarks import ancestor, classes, frames, points, queries, transport
from benchmarks.timing import Variant
from tests.servers.influxd import execute

DATABASE = "benchmark"
FRAME_ROWS, QUERY_ROWS, WRITE_ROWS, SMALL_WRITES = 200_000, 500_000, 500_000, 640
SMALL_CALLS = 320
#: Other clients written in Python process a tenth of the rows, since they are slow.
PART = 10
LINES = 10_000
TAGS = frames.TAGS


@dataclass(frozen=True)
class Goal:
    """Goal of a variant: at most `at_most` times the time of another."""

    variant: str
    other: str
    at_most: float


@dataclass(frozen=True)
class Benchmark:
    """A benchmark with several variants."""

    title: str
    unit: str
    rows: int
    #: Returns the variants for the URL of a server.
    variants: Callable[[str], dict[str, Variant]]
    goals: Sequence[Goal] = ()
    #: Number of rows of the variants that process fewer rows.
    fewer: Mapping[str, int] = field(default_factory=dict)
    #: Raises unless the results of all variants are equal.
    check: Callable[[Mapping[str, Variant]], None] | None = None
    rounds: int = 5


def prepare(url: str) -> None:
    """Write the points that the benchmarks query."""
    execute(url, f"CREATE DATABASE {DATABASE}")
    with influx_requests.InfluxDBClient.from_url(url, database=DATABASE) as client:
        client.write(queries.lines(QUERY_ROWS), in_flight=2)


# DataFrames to line protocol


def indexed(frame: pd.DataFrame) -> pd.DataFrame:
    moments = 1_700_000_000_000_000_000 + np.arange(len(frame)) * 1_000_000_007
    frame.index = pd.DatetimeIndex(moments.view("M8[ns]"))
    return frame


def encoded(frame: pd.DataFrame, tags: Sequence[str]) -> list[bytes]:
    return list(serialize_batches(frame, "m", tag_columns=tags))


def encoded_without_extra(frame: pd.DataFrame, tags: Sequence[str]) -> list[bytes]:
    with frames.without_extra():
        return encoded(frame, tags)


def frame_variants(make: Callable[[], pd.DataFrame], _url: str) -> dict[str, Variant]:
    frame = indexed(make())
    tags = [name for name in TAGS if name in frame]
    part = frame[: len(frame) // PART]
    found: dict[str, Variant] = {
        "influx-proto": partial(encoded, frame, tags),
        "influx-proto, no extra": partial(encoded_without_extra, frame, tags),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        questdb = importlib.import_module("questdb.ingress")
    columns = frame.reset_index(names="time")
    found["questdb"] = lambda: bytes(
        questdb.Buffer(protocol_version=1).dataframe(columns, table_name="m", symbols=tags, at="time")
    )
    for name, module in (
        ("influxdb-client", "influxdb_client.client"),
        ("influxdb3-python", "influxdb_client_3.write_client.client"),
    ):
        to_lines = importlib.import_module(f"{module}.write.dataframe_serializer").data_frame_to_list_of_points
        settings = importlib.import_module(f"{module}.write_api").PointSettings()
        options = {"data_frame_measurement_name": "m", "data_frame_tag_columns": tags}
        found[name] = partial(to_lines, part, settings, **options)
    client = importlib.import_module("influxdb").DataFrameClient()
    to_lines = client._convert_dataframe_to_lines  # noqa: SLF001 - influxdb-client has no public function that only encodes
    found["influxdb"] = partial(to_lines, part, "m", tag_columns=tags)
    return found


def missing_variants(_url: str) -> dict[str, Variant]:
    def made() -> pd.DataFrame:
        return frames.mixed(FRAME_ROWS, np.random.default_rng(1))

    rng = np.random.default_rng(2)
    return {
        "no missing cells": partial(encoded, indexed(made()), TAGS),
        "10 % missing in the floats": partial(encoded, indexed(frames.floats_missing(made(), rng)), TAGS),
        "10 % missing in every column": partial(encoded, indexed(frames.with_missing(made(), 0.1, rng)), TAGS),
    }


def numbers() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    floats = {name: rng.random(FRAME_ROWS) for name in "abcd"}
    return pd.DataFrame(floats | {name: rng.integers(0, 10**6, FRAME_ROWS) for name in "ef"})


def first_points(made: Any) -> Iterator[tuple[Any, ...]]:
    """Yield the first points of encoded lines."""
    chunks = [made] if isinstance(made, (bytes, str)) else made
    text = b"\n".join(chunk.encode() if isinstance(chunk, str) else chunk for chunk in chunks[:2000])
    for point in parse_lines(b"\n".join(text.split(b"\n", 2000)[:2000])):
        yield point["measurement"], point.get("tags", {}), point["fields"], point["time"]


def same_points(variants: Mapping[str, Variant]) -> None:
    """Check that all variants write equal points: names, types, values and timestamps."""
    (first, variant), *others = variants.items()
    expected = list(first_points(variant()))
    for name, other in others:
        for number, (mine, theirs) in enumerate(zip(expected, first_points(other()), strict=True)):
            assert mine == theirs, f"line {number}: {name} writes {theirs}, and {first} {mine}"


# Points


def class_variants(_url: str) -> dict[str, Variant]:
    found = classes.variants(classes.make_rows(20_000, classes.KINDS["floats of 17 digits"]))
    ours = ("serialize, Weather", "serialize, Data", "serialize, Struct")
    return {name: found[name] for name in (*ours, "influxdb-client Point", "QuestDB row()")}


def mapping_variants(_url: str) -> dict[str, Variant]:
    return points.writers(points.make_points(10_000, points.KINDS["2 floats, integer, string"]))


# Queries and writes


def over_requests(url: str, do: Callable[[Any], Any]) -> Any:
    with influx_requests.InfluxDBClient.from_url(url, database=DATABASE) as client:
        return do(client)


def over_aiohttp(url: str, do: Callable[[Any], Any]) -> Any:
    async def main() -> Any:
        async with influx_aiohttp.AsyncInfluxDBClient.from_url(url, database=DATABASE) as client:
            return await do(client)

    return asyncio.run(main())


def over_trio(url: str, do: Callable[[Any], Any]) -> Any:
    async def main() -> Any:
        async with influx_trio.AsyncInfluxDBClient.from_url(url, database=DATABASE) as client:
            return await do(client)

    return trio.run(main)


CLIENTS = {"influx-requests": over_requests, "influx-aiohttp": over_aiohttp, "influx-trio": over_trio}


def influxdb_client(url: str) -> Any:
    parts = urllib.parse.urlsplit(url)
    return importlib.import_module("influxdb").DataFrameClient(parts.hostname, parts.port, database=DATABASE)


def query_variants(statement: str, url: str) -> dict[str, Variant]:
    def ask(client: Any) -> Any:
        return client.query_dataframe(statement)

    return {
        "curl": lambda: queries.curl(url, statement, "application/x-msgpack"),
        **{name: partial(over, url, ask) for name, over in CLIENTS.items()},
        "influxdb": partial(influxdb_client(url).query, statement),
    }


def same_rows(variants: Mapping[str, Variant]) -> None:
    """Check that all DataFrames have equal rows; influxdb returns one for each series."""
    expected: Any = variants["influx-requests"]()
    for name in ("influx-aiohttp", "influx-trio"):
        pd.testing.assert_frame_equal(variants[name](), expected)
    theirs: Any = pd.concat(list(dict(variants["influxdb"]()).values()))  # type: ignore[call-overload]  # frames by series
    for name in theirs:
        assert sorted(theirs[name]) == sorted(expected[name]), f"column {name} of influxdb differs"
    assert len(theirs) == len(expected)


def write_variants(url: str) -> dict[str, Variant]:
    frame = indexed(frames.mixed(WRITE_ROWS, np.random.default_rng(1)))
    folder = Path(tempfile.mkdtemp())
    arguments: list[str] = []
    for number, batch in enumerate(serialize_batches(frame, "m", tag_columns=TAGS, max_lines=LINES)):
        file = folder / f"{number:04}"
        file.write_bytes(batch)
        arguments += ["--next"] if arguments else []
        arguments += ["-sf", "--data-binary", f"@{file}", f"{url}/write?db={DATABASE}&precision=ns"]
    part = frame[: WRITE_ROWS // PART]

    def write(client: Any, in_flight: int) -> Any:
        return client.write(frame, "m", tag_columns=TAGS, in_flight=in_flight)

    return {
        "curl": lambda: subprocess.run(["curl", *arguments], check=True),
        **{
            f"{name}, {count} in flight": partial(over, url, partial(write, in_flight=count))
            for name, over in CLIENTS.items()
            for count in (1, 2)
        },
        "influxdb": lambda: influxdb_client(url).write_points(
            part, "m", tag_columns=TAGS, batch_size=LINES, protocol="line"
        ),
    }


def small_write_variants(tasks: int, url: str) -> dict[str, Variant]:
    return {
        f"{name}, {kind}": partial(variant, url, SMALL_WRITES, tasks)
        for name, bare, ours in transport.PAIRS
        for kind, variant in (("bare", bare), ("ours", ours))
    }


def small_writes(tasks: int, title: str, goal: float) -> Benchmark:
    goals = [Goal(f"{name}, ours", f"{name}, bare", goal) for name, _, _ in transport.PAIRS]
    return Benchmark(title, "write", SMALL_WRITES, partial(small_write_variants, tasks), goals, rounds=15)


def small_calls(call: str, tasks: int, title: str, goals: Sequence[Goal]) -> Benchmark:
    return Benchmark(title, "call", SMALL_CALLS, partial(ancestor.variants, call, SMALL_CALLS, tasks), goals, rounds=15)


TENTH = dict.fromkeys(("influxdb-client", "influxdb3-python", "influxdb"), FRAME_ROWS // PART)
PEERS = ("influxdb-client", "influxdb")

BENCHMARKS = [
    Benchmark(
        "DataFrame to line protocol: 2 tags, 2 floats, an integer, a boolean",
        "row",
        FRAME_ROWS,
        partial(frame_variants, lambda: frames.mixed(FRAME_ROWS, np.random.default_rng(1))),
        [Goal("influx-proto", "questdb", 0.7), *(Goal("influx-proto", peer, 1 / 15) for peer in PEERS)],
        TENTH,
        same_points,
    ),
    Benchmark(
        "DataFrame with missing cells",
        "row",
        FRAME_ROWS,
        missing_variants,
        [Goal(f"10 % missing in {where}", "no missing cells", 1.3) for where in ("the floats", "every column")],
    ),
    Benchmark(
        "DataFrame of numbers: 4 floats, 2 integers",
        "row",
        FRAME_ROWS,
        partial(frame_variants, numbers),
        [Goal("influx-proto, no extra", "influxdb-client", 1 / 6)],
        TENTH,
        same_points,
    ),
    Benchmark(
        "Objects of a class: 2 tags, 3 floats, an integer",
        "point",
        20_000,
        class_variants,
        [
            Goal("serialize, Weather", "influxdb-client Point", 1 / 8),
            Goal("serialize, Weather", "QuestDB row()", 1 / 1.3),
        ],
    ),
    Benchmark(
        "Mappings: 2 tags, 2 floats, an integer, a string",
        "point",
        10_000,
        mapping_variants,
        [Goal("influx_proto.serialize", "influxdb make_lines", 1 / 3)],
        check=same_points,
    ),
    Benchmark(
        "query_dataframe, one series",
        "row",
        QUERY_ROWS,
        partial(query_variants, queries.ONE),
        [Goal(name, "curl", 1.1) for name in CLIENTS],
        check=same_rows,
    ),
    Benchmark(
        "query_dataframe, 10 000 series",
        "row",
        QUERY_ROWS,
        partial(query_variants, queries.MANY),
        check=same_rows,
        rounds=3,
    ),
    Benchmark(
        "A DataFrame to a server",
        "row",
        WRITE_ROWS,
        write_variants,
        [Goal(f"{name}, 2 in flight", "curl", 0.8) for name in CLIENTS],
        {"influxdb": WRITE_ROWS // PART},
    ),
    small_writes(1, "Small writes, sequential", 1.18),
    small_writes(transport.TASKS, f"Small writes, {transport.TASKS} concurrent", 1.3),
    small_calls("mapping", 1, "Writes of one mapping", [Goal("influx-aiohttp", "aioinflux", 0.9)]),
    small_calls("DataFrame", 1, "Writes of a DataFrame of 100 rows", [Goal("influx-aiohttp", "aioinflux", 0.9)]),
    small_calls("query", 1, "Queries of 10 rows, sequential", [Goal("influx-aiohttp", "aioinflux", 1)]),
    small_calls(
        "query",
        transport.TASKS,
        f"Queries of 10 rows, {transport.TASKS} concurrent",
        [Goal("influx-aiohttp", "aiohttp, bare", 1.3)],
    ),
]
