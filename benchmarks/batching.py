"""Ready-made lines through a batch writer, with and without a spool, against posting the same batches by hand.

    python -m benchmarks.batching [--lines 500000] [--rounds 5] [--at-once 5000] [--client aiohttp|trio|requests]

All of a round go to one real server, one after the other, each into a database of its own; what is shown is the median
of the rounds, the median of the ratios within the rounds, and the microseconds of processor time that the client takes
for a line. `--at-once` says how many lines are handed over at a time; by hand they are posted in batches of 5000 in any
case, as the batch writer does.
"""

from __future__ import annotations

import argparse
import asyncio
import platform
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import influx_aiohttp
import influx_requests
import influx_trio
import trio
from influx_proto import Spool

from tests.servers.influxd import Influxd

BATCH = 5000
WAYS = ("by hand", "writer", "spool", "spool, sync")


def lines(count: int, at_once: int) -> list[bytes]:
    text = [b"cpu,host=server%02d,region=eu usage=%.3f,n=%di %d" % (n % 50, n / 7, n, n) for n in range(count)]
    return [b"\n".join(text[first : first + at_once]) for first in range(0, count, at_once)]


def options(way: str, folder: str) -> dict[str, Any]:
    return {} if way == "writer" else {"spool": Spool(folder, sync="sync" in way)}


def with_requests(url: str, way: str, data: Sequence[bytes], folder: str) -> None:
    with influx_requests.InfluxDBClient.from_url(url, database="db") as client:
        if way == "by hand":
            for portion in data:
                client.write(portion)
            return
        with client.batch_writer(**options(way, folder)) as writer:
            for portion in data:
                writer.write(portion)


async def over(client: Any, way: str, data: Sequence[bytes], folder: str) -> None:
    async with client:
        if way == "by hand":
            for portion in data:
                await client.write(portion)
            return
        async with client.batch_writer(**options(way, folder)) as writer:
            for portion in data:
                await writer.write(portion)


def with_asyncio(url: str, *rest: Any) -> None:
    asyncio.run(over(influx_aiohttp.AsyncInfluxDBClient.from_url(url, database="db"), *rest))


def with_trio(url: str, *rest: Any) -> None:
    async def main() -> None:
        await over(influx_trio.AsyncInfluxDBClient.from_url(url, database="db"), *rest)

    trio.run(main)


CLIENTS: dict[str, Callable[..., Awaitable[None] | None]] = {
    "aiohttp": with_asyncio,
    "trio": with_trio,
    "requests": with_requests,
}


def measure(name: str, url: str, way: str, data: Sequence[bytes]) -> tuple[float, float]:
    """Give the seconds that it takes to write everything, and those on the processor."""
    with influx_requests.InfluxDBClient.from_url(url) as admin, tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        admin.drop_database("db")
        admin.create_database("db")
        began, worked = time.perf_counter(), time.process_time()
        CLIENTS[name](url, way, data, folder)
        return time.perf_counter() - began, time.process_time() - worked


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=500_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--at-once", type=int, default=BATCH)
    parser.add_argument("--client", choices=CLIENTS)
    given = parser.parse_args()
    by_hand, handed_over = lines(given.lines, BATCH), lines(given.lines, given.at_once)
    print(f"Python {platform.python_version()}, {given.lines} lines, {given.at_once} at once")
    print("lines a second (by hand = 1) and microseconds of processor time a line")
    print("client    " + "".join(f"{way:>24}" for way in WAYS), flush=True)
    with Influxd() as server:
        for name in [given.client] if given.client else CLIENTS:
            took: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
            for _ in range(given.rounds):
                for way in WAYS:
                    took[way].append(measure(name, server.url, way, by_hand if way == "by hand" else handed_over))
            cells = []
            for way in WAYS:
                ratio = statistics.median(
                    hand[0] / own[0] for hand, own in zip(took["by hand"], took[way], strict=True)
                )
                a_second = given.lines / statistics.median(seconds for seconds, _ in took[way])
                work = statistics.median(worked for _, worked in took[way]) / given.lines * 1e6
                cells.append(f"{a_second:>12,.0f} ({ratio:.2f}) {work:.2f}")
            print(f"{name:10}" + "".join(cells), flush=True)


if __name__ == "__main__":
    main()
