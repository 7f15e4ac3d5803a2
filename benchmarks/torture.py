"""Lost, duplicated and altered points of batch writers while the server is killed, for each client.

    python -m benchmarks.torture [--points 1000000] [--kills 10] [--client aiohttp|trio|requests]
    python -m benchmarks.torture --spool [--kills 10] [--seconds 2] [--client aiohttp|trio|requests]

Each client has a separate server and process. The server is killed by SIGKILL at equal intervals, and restarted. With
`--spool`, the writing process is killed after some seconds and restarted with the same spool, repeatedly; every other
time, the server is killed first.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import platform
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import influx_aiohttp
import influx_requests
import influx_trio
import trio
from influx_proto import FLOAT, INT, STR, TAG, TIMEINT, RetryPolicy, lineprotocol

from tests.conformance import spooler
from tests.servers.influxd import Influxd

DATABASE = "torture"
AT_ONCE = 1000
RETRY = RetryPolicy(attempts=3, backoff=0.05, max_backoff=0.5)


@lineprotocol
class Point(NamedTuple):
    """A point whose values all depend on its number."""

    time: TIMEINT
    kind: TAG
    n: INT
    f: FLOAT
    s: STR


def point(n: int) -> Point:
    return Point(n, f"t {n % 7}", n, n / 3, f'"{n}"')


def portions(count: int, progress: list[int]) -> Iterator[list[Point]]:
    for first in range(0, count, AT_ONCE):
        progress[0] = first
        yield [point(n) for n in range(first, min(first + AT_ONCE, count))]
    progress[0] = count


def with_requests(url: str, count: int, progress: list[int]) -> Any:
    with influx_requests.InfluxDBClient.from_url(url, database=DATABASE, retry=RETRY) as client:
        with client.batch_writer(max_delay=0.1) as writer:
            for portion in portions(count, progress):
                writer.write(portion)
    return writer


async def write_async(client: Any, count: int, progress: list[int]) -> Any:
    async with client:
        async with client.batch_writer(max_delay=0.1) as writer:
            for portion in portions(count, progress):
                await writer.write(portion)
    return writer


def with_asyncio(url: str, count: int, progress: list[int]) -> Any:
    client = influx_aiohttp.AsyncInfluxDBClient.from_url(url, database=DATABASE, retry=RETRY)
    return asyncio.run(write_async(client, count, progress))


def with_trio(url: str, count: int, progress: list[int]) -> Any:
    client = influx_trio.AsyncInfluxDBClient.from_url(url, database=DATABASE, retry=RETRY)
    return trio.run(write_async, client, count, progress)


CLIENTS: dict[str, Callable[[str, int, list[int]], Any]] = {
    "aiohttp": with_asyncio,
    "trio": with_trio,
    "requests": with_requests,
}


def kill_at(server: Influxd, places: list[int], progress: list[int], killed: list[int]) -> None:
    for place in places:
        while progress[0] < place:
            time.sleep(0.005)
        server.kill()
        time.sleep(0.1)
        server.start()
        killed[0] += 1


def torture(name: str, count: int, kills: int) -> None:
    logging.getLogger("influx_proto").setLevel(logging.ERROR)  # no warnings about the unreachable server
    progress, killed = [0], [0]
    with Influxd() as server:
        with influx_requests.InfluxDBClient.from_url(server.url, database=DATABASE) as client:
            client.create_database(DATABASE)
        places = [count * (kill + 1) // (kills + 1) for kill in range(kills)]
        killer = threading.Thread(target=kill_at, args=(server, places, progress, killed))
        killer.start()
        began = time.perf_counter()
        writer = CLIENTS[name](server.url, count, progress)
        took = time.perf_counter() - began
        killer.join()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        with influx_requests.InfluxDBClient.from_url(server.url, database=DATABASE) as client:
            lost, altered, more = compare_points(client, count)
    print(
        f"{name:10}{writer.written:>10}{killed[0]:>7}{writer.retried:>9}{lost:>7}{more:>12}{altered:>9}"
        f"{count / took:>12.0f}{peak:>9.0f}",
        flush=True,
    )


def torture_spool(name: str, kills: int, seconds: float) -> None:
    with Influxd() as server, tempfile.TemporaryDirectory() as folder:
        with influx_requests.InfluxDBClient.from_url(server.url) as client:
            client.create_database(spooler.DATABASE)
        began = time.perf_counter()
        driver = f"tests.conformance.adapters.{name}:DRIVER"
        found = spooler.kill_repeatedly(driver, server, Path(folder), lives=kills, seconds=seconds)
        took = time.perf_counter() - began
        left = sum(path.name != "lock" for path in Path(folder).iterdir())
    print(
        f"{name:10}{found.accepted:>10}{kills:>7}{found.lost:>7}{found.more:>12}{found.altered:>9}{left:>7}{took:>9.1f}",
        flush=True,
    )


def compare_points(client: influx_requests.InfluxDBClient, count: int) -> tuple[int, int, int]:
    """Return the numbers of lost, altered and duplicated or unexpected points."""
    found = altered = more = 0
    expected = 0
    with client.query_points("SELECT f, n, s, kind FROM Point") as points:
        for row in points:
            n = row["time"]
            found += n == expected
            more += n < expected or n >= count
            altered += {**row} != {"time": n, "f": n / 3, "n": n, "s": f'"{n}"', "kind": f"t {n % 7}"}
            expected = n + 1
    return count - found, altered, more


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=1_000_000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--client", choices=CLIENTS)
    parser.add_argument("--spool", action="store_true")
    parser.add_argument("--seconds", type=float, default=2.0)
    options = parser.parse_args()
    if options.spool:
        print(f"Python {platform.python_version()}, killed after {options.seconds} s")
        print("client      accepted  kills   lost  duplicated  altered  files  seconds", flush=True)
        for name in [options.client] if options.client else CLIENTS:
            torture_spool(name, options.kills, options.seconds)
        return None
    if options.client:
        return torture(options.client, options.points, options.kills)
    print(f"Python {platform.python_version()}, {options.points} points")
    print("client       stored  kills  retries   lost  duplicated  altered  points/s    MB peak", flush=True)
    for name in CLIENTS:
        command = [sys.executable, "-m", "benchmarks.torture", "--client", name]
        subprocess.run([*command, "--points", str(options.points), "--kills", str(options.kills)], check=True)
    return None


if __name__ == "__main__":
    main()
