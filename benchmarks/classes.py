"""Encoding of objects of decorated classes, compared with `Point` of influxdb-client and `row()` of QuestDB.

    python benchmarks/classes.py [points] [rounds]

The variants are interleaved in one process, so that other load affects all of them equally; medians are compared.
Points have 2 tags and 4 fields. All variants start with the same values in memory, QuestDB with dicts. Other clients
are included if they are installed (`pip install influxdb-client questdb`).
"""

from __future__ import annotations

import dataclasses
import importlib
import platform
import random
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple, TypeAlias

import msgspec
from influx_proto import FLOAT, INT, TAG, TIMEINT, lineprotocol, serialize

Variant: TypeAlias = Callable[[], object]


@lineprotocol
class Weather(NamedTuple):
    """A named tuple, the fastest class to encode."""

    station: TAG
    city: TAG
    a: FLOAT
    b: FLOAT
    c: FLOAT
    n: INT
    time: TIMEINT


@lineprotocol
@dataclasses.dataclass(slots=True)
class Data:
    """A dataclass."""

    station: TAG
    city: TAG
    a: FLOAT
    b: FLOAT
    c: FLOAT
    n: INT
    time: TIMEINT


@lineprotocol
class Struct(msgspec.Struct):
    """A struct of msgspec."""

    station: TAG
    city: TAG
    a: FLOAT
    b: FLOAT
    c: FLOAT
    n: INT
    time: TIMEINT


@lineprotocol
class Optional(NamedTuple):
    """A named tuple with optional attributes."""

    station: TAG | None
    city: TAG | None
    a: FLOAT | None
    b: FLOAT | None
    c: FLOAT | None
    n: INT | None
    time: TIMEINT | None


KINDS: dict[str, Callable[[random.Random], float]] = {
    "floats of 17 digits": lambda rng: rng.random() * 30,
    "floats of 2 decimals": lambda rng: round(rng.random() * 30, 2),
}


def make_rows(count: int, number: Callable[[random.Random], float]) -> list[Any]:
    rng = random.Random(1)
    return [
        Weather(
            f"s{row % 100}",
            "New York",
            number(rng),
            number(rng),
            number(rng),
            row,
            1_577_840_461 * 10**9 + row,
        )
        for row in range(count)
    ]


def variants(rows: list[Any]) -> dict[str, Variant]:
    found: dict[str, Variant] = {}
    for cls in (Weather, Data, Struct, Optional):
        objects = [cls(*row) for row in rows]
        found[f"serialize, {cls.__name__}"] = lambda objects=objects: serialize(objects)  # type: ignore[misc]  # bound now
    found["to_lineprotocol, Weather"] = lambda: [row.to_lineprotocol() for row in rows]
    gaps = [Optional(*row)._replace(**({"b": None} if n % 2 else {})) for n, row in enumerate(rows)]
    found["serialize, Optional, half lack one"] = lambda: serialize(gaps)
    mappings = [
        {
            "measurement": "Weather",
            "tags": {"station": row.station, "city": row.city},
            "fields": {"a": row.a, "b": row.b, "c": row.c, "n": row.n},
            "time": row.time,
        }
        for row in rows
    ]
    found["serialize, mappings"] = lambda: serialize(mappings)
    return found | peers(rows)


def peers(rows: list[Any]) -> dict[str, Variant]:
    found: dict[str, Variant] = {}
    try:
        point = importlib.import_module("influxdb_client").Point
    except ImportError:
        pass
    else:
        found["influxdb-client Point"] = lambda: [
            point("Weather").tag("station", row.station).tag("city", row.city)
            .field("a", row.a).field("b", row.b).field("c", row.c).field("n", row.n)
            .time(row.time).to_line_protocol()
            for row in rows
        ]  # fmt: skip
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # the module announces a move
            questdb = importlib.import_module("questdb.ingress")
    except ImportError:
        return found
    moment = questdb.TimestampNanos

    def row_by_row() -> bytes:
        buffer = questdb.Buffer(protocol_version=1)
        for row in rows:
            buffer.row(
                "Weather",
                symbols={"station": row.station, "city": row.city},
                columns={"a": row.a, "b": row.b, "c": row.c, "n": row.n},
                at=moment(row.time),
            )
        return bytes(buffer)

    ready = [
        (
            {"station": row.station, "city": row.city},
            {"a": row.a, "b": row.b, "c": row.c, "n": row.n},
            moment(row.time),
        )
        for row in rows
    ]

    def ready_made() -> bytes:
        buffer = questdb.Buffer(protocol_version=1)
        for symbols, columns, at in ready:
            buffer.row("Weather", symbols=symbols, columns=columns, at=at)
        return bytes(buffer)

    found["QuestDB row()"] = row_by_row
    found["QuestDB row(), dicts ready made"] = ready_made
    return found


def measure(found: dict[str, Variant], rounds: int) -> dict[str, float]:
    seconds: dict[str, list[float]] = {name: [] for name in found}
    for variant in found.values():
        variant()
    for _ in range(rounds):
        for name, variant in found.items():
            begin = time.perf_counter()
            variant()
            seconds[name].append(time.perf_counter() - begin)
    return {name: statistics.median(times) for name, times in seconds.items()}


def versions() -> str:
    found = [f"Python {platform.python_version()}"]
    for name in ("influx-proto", "msgspec", "influxdb-client", "questdb"):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"{name} absent")
    return ", ".join(found)


def main() -> None:
    count, rounds = (int(argument) for argument in (*sys.argv[1:], *("20000", "9")[len(sys.argv) - 1 :]))
    print(versions())
    for kind, number in KINDS.items():
        print(f"\n{kind}; {count} points, medians of {rounds}, time relative to the first")
        results = measure(variants(make_rows(count, number)), rounds)
        first = next(iter(results.values()))
        for name, seconds in results.items():
            print(f"  {name:36} {seconds / count * 1e9:8.0f} ns per point {seconds / first:6.2f}")


if __name__ == "__main__":
    main()
