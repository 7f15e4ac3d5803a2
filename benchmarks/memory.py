"""Peak memory of streaming millions of points: written from a generator, and queried as a stream.

    python -m benchmarks.memory [--points 5000000]

Each variant runs in a separate process, which reports its peak memory and the memory before the run.
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from influx_proto import FLOAT, INT, TAG, TIMEINT, lineprotocol
from influx_requests import InfluxDBClient

from tests.servers.influxd import Influxd

DATABASE = "benchmark"
SECOND = 10**9


@lineprotocol
class Weather(NamedTuple):
    """A point of the benchmark."""

    time: TIMEINT
    station: TAG
    a: FLOAT
    b: FLOAT
    n: INT


def points(count: int) -> Iterator[Weather]:
    for n in range(count):
        yield Weather(n * SECOND, f"s{n % 10}", n * 0.37, n / 7, n)


def write(client: InfluxDBClient, count: int) -> int:
    client.write(points(count))
    return count


def query_points(client: InfluxDBClient, _count: int) -> int:
    with client.query_points("SELECT * FROM Weather") as found:
        return sum(1 for _ in found)


def query_chunks(client: InfluxDBClient, _count: int) -> int:
    with client.query_chunks("SELECT * FROM Weather") as found:
        return sum(len(series.values) for chunk in found for series in chunk.series)


def query_dataframe_chunks(client: InfluxDBClient, _count: int) -> int:
    with client.query_dataframe_chunks("SELECT * FROM Weather") as found:
        return sum(len(frame) for frame in found)


VARIANTS: dict[str, Callable[[InfluxDBClient, int], int]] = {
    variant.__name__: variant for variant in (write, query_points, query_chunks, query_dataframe_chunks)
}


def peak() -> float:
    """Return the peak memory of this process since its start, or since `reset_peak`, in MB."""
    # Not `ru_maxrss`, which starts with the memory of the parent process.
    return _status("VmHWM")


def reset_peak() -> float:
    """Reset the peak memory, and return the current memory in MB."""
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _status(name: str) -> float:
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(f"{name}:")]
    return int(line.split()[1]) / 1024


def run(variant: str, url: str, count: int) -> None:
    with InfluxDBClient.from_url(url, database=DATABASE) as client:
        client.ping()
        before = peak()
        began = time.perf_counter()
        done = VARIANTS[variant](client, count)
        print(done / (time.perf_counter() - began), before, peak())


def measure_all(count: int) -> Iterator[tuple[str, float, float]]:
    """Yield each variant with its points per second and its peak memory in MB."""
    with Influxd() as server, InfluxDBClient.from_url(server.url) as client:
        client.create_database(DATABASE)
        for variant in VARIANTS:
            command = [sys.executable, "-m", "benchmarks.memory", "--variant", variant, "--url", server.url]
            done = subprocess.run([*command, "--points", str(count)], check=True, stdout=subprocess.PIPE, text=True)
            rate, before, most = map(float, done.stdout.split())
            print(
                f"{variant:24}{count:>11} points{rate:>11.0f} per second{before:>8.0f} MB before{most:>8.0f} MB peak",
                flush=True,
            )
            yield variant, rate, most


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=5_000_000)
    parser.add_argument("--variant", choices=VARIANTS, help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.variant:
        return run(options.variant, options.url, options.points)
    print(f"Python {platform.python_version()}, {options.points} points")
    for _ in measure_all(options.points):
        pass
    return None


if __name__ == "__main__":
    main()
