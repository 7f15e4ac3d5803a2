"""Encoding of mappings compared with other clients, and parsing of line protocol.

    python benchmarks/points.py [points] [rounds]

The variants are interleaved in one process, so that other load affects all of them equally; medians are compared. Other
clients are included if they are installed (`pip install influxdb influxdb-client`).
"""

from __future__ import annotations

import importlib
import platform
import random
import statistics
import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any, TypeAlias

from influx_proto import parse_lines, serialize

Point: TypeAlias = dict[str, Any]
Variant: TypeAlias = Callable[[], object]

KINDS: dict[str, Callable[[random.Random], dict[str, Any]]] = {
    "4 floats of 17 digits": lambda rng: {key: rng.random() * 30 for key in "abcd"},
    "4 floats of 2 decimals": lambda rng: {key: round(rng.random() * 30, 2) for key in "abcd"},
    "2 floats, integer, string": lambda rng: {
        "a": rng.random() * 30, "b": round(rng.random(), 2), "c": rng.randrange(10**6), "d": "some text",
    },
}  # fmt: skip


def make_points(count: int, fields: Callable[[random.Random], dict[str, Any]]) -> list[Point]:
    rng = random.Random(1)
    return [
        {
            "measurement": "weather",
            "tags": {"station": f"s{number % 100}", "city": "New York"},
            "fields": fields(rng),
            "time": 1_577_840_461_000_000_000 + number * 1_000_000,
        }
        for number in range(count)
    ]


def writers(points: list[Point]) -> dict[str, Variant]:
    variants: dict[str, Variant] = {"influx_proto.serialize": lambda: serialize(points)}
    try:
        make_lines = importlib.import_module("influxdb.line_protocol").make_lines
    except ImportError:
        pass
    else:
        variants["influxdb make_lines"] = lambda: make_lines({"points": points}).encode()
    try:
        other = importlib.import_module("influxdb_client").Point
    except ImportError:
        pass
    else:
        variants["influxdb-client Point"] = lambda: "\n".join(
            other.from_dict(point).to_line_protocol() for point in points
        ).encode()
    return variants


def readers(points: list[Point]) -> dict[str, Variant]:
    data = serialize(points)
    five = data.replace(b",d=", b",e=true,d=")
    escaped = data.replace(b"New\\ York", b"Berlin")
    return {
        "parse_lines": lambda: sum(1 for _ in parse_lines(data)),
        "parse_lines, a fifth field": lambda: sum(1 for _ in parse_lines(five)),
        "parse_lines, no escapes": lambda: sum(1 for _ in parse_lines(escaped)),
    }


def measure(variants: dict[str, Variant], rounds: int) -> dict[str, float]:
    times: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(rounds):
        for name, variant in variants.items():
            begin = time.perf_counter()
            variant()
            times[name].append(time.perf_counter() - begin)
    return {name: statistics.median(taken) for name, taken in times.items()}


def main() -> None:
    count, rounds = (int(text) for text in (sys.argv[1:] + ["10000", "11"][len(sys.argv) - 1 :])[:2])
    print(f"Python {platform.python_version()}; {count} points with 2 tags and 4 fields, medians of {rounds} rounds")
    for package in ("influx-proto", "msgspec", "influxdb", "influxdb-client"):
        try:
            print(f"  {package} {version(package)}")
        except PackageNotFoundError:
            print(f"  {package} is not installed")
    for kind, fields in KINDS.items():
        points = make_points(count, fields)
        print(f"\n{kind}")
        times = measure(writers(points), rounds)
        ours = times["influx_proto.serialize"]
        for name, taken in times.items():
            print(f"  {name:28} {taken / count * 1e9:8.0f} ns per point  {taken / ours:6.2f}")
        for name, taken in measure(readers(points), rounds).items():
            print(f"  {name:28} {taken / count * 1e9:8.0f} ns per point  {count / taken:9.0f} lines/s")


if __name__ == "__main__":
    main()
