"""The works that are compared: what is done, in which ways, and that all of them come to the same."""

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

from benchmarks import classes, frames, points, queries, transport
from benchmarks.turns import Way
from tests.servers.influxd import execute

DATABASE = "benchmark"
FRAME_ROWS, QUERY_ROWS, WRITE_ROWS, SMALL_WRITES = 200_000, 500_000, 500_000, 640
#: Other clients that are written in Python get a tenth of the rows, or nobody would wait for them.
PART = 10
LINES = 10_000
TAGS = frames.TAGS


@dataclass(frozen=True)
class Aim:
    """How one way is to compare with another: `at_most` so many times its time."""

    way: str
    other: str
    at_most: float


@dataclass(frozen=True)
class Work:
    """Something that can be done in several ways."""

    title: str
    unit: str
    rows: int
    #: Makes the ways, for a server.
    ways: Callable[[str], dict[str, Way]]
    aims: Sequence[Aim] = ()
    #: How many rows some ways do, where that is not all.
    fewer: Mapping[str, int] = field(default_factory=dict)
    #: Raises unless what the ways have made is the same.
    check: Callable[[Mapping[str, Way]], None] | None = None
    rounds: int = 5


def prepare(url: str) -> None:
    """Write what is queried."""
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
    with frames.without_the_extra():
        return encoded(frame, tags)


def frame_ways(make: Callable[[], pd.DataFrame], _url: str) -> dict[str, Way]:
    frame = indexed(make())
    tags = [name for name in TAGS if name in frame]
    part = frame[: len(frame) // PART]
    found: dict[str, Way] = {
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
    to_lines = client._convert_dataframe_to_lines  # noqa: SLF001 - there is no public way to only encode
    found["influxdb"] = partial(to_lines, part, "m", tag_columns=tags)
    return found


def missing_ways(_url: str) -> dict[str, Way]:
    def made() -> pd.DataFrame:
        return frames.mixed(FRAME_ROWS, np.random.default_rng(1))

    chance = np.random.default_rng(2)
    return {
        "all there": partial(encoded, indexed(made()), TAGS),
        "10 % missing in the floats": partial(encoded, indexed(frames.floats_missing(made(), chance)), TAGS),
        "10 % missing in every column": partial(encoded, indexed(frames.with_missing(made(), 0.1, chance)), TAGS),
    }


def numbers() -> pd.DataFrame:
    chance = np.random.default_rng(1)
    floats = {name: chance.random(FRAME_ROWS) for name in "abcd"}
    return pd.DataFrame(floats | {name: chance.integers(0, 10**6, FRAME_ROWS) for name in "ef"})


def first_points(made: Any) -> Iterator[tuple[Any, ...]]:
    """Give the first points of lines in any form."""
    pieces = [made] if isinstance(made, (bytes, str)) else made
    text = b"\n".join(piece.encode() if isinstance(piece, str) else piece for piece in pieces[:2000])
    for point in parse_lines(b"\n".join(text.split(b"\n", 2000)[:2000])):
        yield point["measurement"], point.get("tags", {}), point["fields"], point["time"]


def same_points(ways: Mapping[str, Way]) -> None:
    """Check that all ways write the same points: names, types, values and times."""
    (first, way), *others = ways.items()
    expected = list(first_points(way()))
    for name, other in others:
        for number, (mine, theirs) in enumerate(zip(expected, first_points(other()), strict=True)):
            assert mine == theirs, f"line {number}: {name} writes {theirs}, and {first} {mine}"


# Points one by one


def class_ways(_url: str) -> dict[str, Way]:
    found = classes.ways(classes.make_rows(20_000, classes.KINDS["floats of 17 digits"]))
    ours = ("serialize, Weather", "serialize, Data", "serialize, Struct")
    return {name: found[name] for name in (*ours, "influxdb-client Point", "QuestDB row()")}


def mapping_ways(_url: str) -> dict[str, Way]:
    return points.writers(points.make_points(10_000, points.KINDS["2 floats, integer, string"]))


# Queries and writes over HTTP


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


def their_client(url: str) -> Any:
    parts = urllib.parse.urlsplit(url)
    return importlib.import_module("influxdb").DataFrameClient(parts.hostname, parts.port, database=DATABASE)


def query_ways(statement: str, url: str) -> dict[str, Way]:
    def ask(client: Any) -> Any:
        return client.query_dataframe(statement)

    return {
        "curl": lambda: queries.curl(url, statement, "application/x-msgpack"),
        **{name: partial(over, url, ask) for name, over in CLIENTS.items()},
        "influxdb": partial(their_client(url).query, statement),
    }


def same_rows(ways: Mapping[str, Way]) -> None:
    """Check that all frames have the same rows; influxdb gives one frame for each series."""
    expected: Any = ways["influx-requests"]()
    for name in ("influx-aiohttp", "influx-trio"):
        pd.testing.assert_frame_equal(ways[name](), expected)
    theirs: Any = pd.concat(list(dict(ways["influxdb"]()).values()))  # type: ignore[call-overload]  # frames by series
    for name in theirs:
        assert sorted(theirs[name]) == sorted(expected[name]), f"influxdb's {name} is another"
    assert len(theirs) == len(expected)


def write_ways(url: str) -> dict[str, Way]:
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
        "influxdb": lambda: their_client(url).write_points(
            part, "m", tag_columns=TAGS, batch_size=LINES, protocol="line"
        ),
    }


def small_write_ways(tasks: int, url: str) -> dict[str, Way]:
    return {
        f"{name}, {kind}": partial(way, url, SMALL_WRITES, tasks)
        for name, bare, ours in transport.PAIRS
        for kind, way in (("bare", bare), ("ours", ours))
    }


def small_writes(tasks: int, title: str) -> Work:
    aims = [Aim(f"{name}, ours", f"{name}, bare", 1 / 0.85) for name, _, _ in transport.PAIRS]
    return Work(title, "write", SMALL_WRITES, partial(small_write_ways, tasks), aims, rounds=15)


TENTH = dict.fromkeys(("influxdb-client", "influxdb3-python", "influxdb"), FRAME_ROWS // PART)
PEERS = ("influxdb-client", "influxdb")

WORKS = [
    Work(
        "DataFrame to line protocol: 2 tags, 2 floats, an integer, a boolean",
        "row",
        FRAME_ROWS,
        partial(frame_ways, lambda: frames.mixed(FRAME_ROWS, np.random.default_rng(1))),
        [Aim("influx-proto", "questdb", 1), *(Aim("influx-proto", peer, 1 / 15) for peer in PEERS)],
        TENTH,
        same_points,
    ),
    Work(
        "The same with missing cells",
        "row",
        FRAME_ROWS,
        missing_ways,
        [Aim(f"10 % missing in {where}", "all there", 1.3) for where in ("the floats", "every column")],
    ),
    Work(
        "DataFrame of numbers: 4 floats, 2 integers",
        "row",
        FRAME_ROWS,
        partial(frame_ways, numbers),
        [Aim("influx-proto, no extra", "influxdb-client", 1 / 6)],
        TENTH,
        same_points,
    ),
    Work(
        "Objects of a class: 2 tags, 3 floats, an integer",
        "point",
        20_000,
        class_ways,
        [
            Aim("serialize, Weather", "influxdb-client Point", 1 / 8),
            Aim("serialize, Weather", "QuestDB row()", 1 / 1.3),
        ],
    ),
    Work(
        "Mappings: 2 tags, 2 floats, an integer, a string",
        "point",
        10_000,
        mapping_ways,
        [Aim("influx_proto.serialize", "influxdb make_lines", 1 / 3)],
        check=same_points,
    ),
    Work(
        "query_dataframe, one series",
        "row",
        QUERY_ROWS,
        partial(query_ways, queries.ONE),
        [Aim(name, "curl", 1.15) for name in CLIENTS],
        check=same_rows,
    ),
    Work(
        "query_dataframe, 10 000 series",
        "row",
        QUERY_ROWS,
        partial(query_ways, queries.MANY),
        check=same_rows,
        rounds=3,
    ),
    Work(
        "A DataFrame to a server",
        "row",
        WRITE_ROWS,
        write_ways,
        [Aim(f"{name}, 2 in flight", "curl", 0.8) for name in CLIENTS],
        {"influxdb": WRITE_ROWS // PART},
    ),
    small_writes(1, "Small writes, one after the other"),
    small_writes(transport.TASKS, f"Small writes, {transport.TASKS} at a time"),
]
