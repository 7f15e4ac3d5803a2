"""Raw line protocol or mappings through a batch writer, with and without a spool, compared with explicit writes.

    python -m benchmarks.batching [--lines 500000] [--rounds 5] [--at-once 5000] [--client aiohttp|trio|requests]
        [--mappings] [--producers 64]

The variants run in turn with one server and a new database each. The report has the median throughput, the median of
the ratios in each round, and the client's CPU time in microseconds per line. `--at-once` is the number of lines per
call of `write`; explicit writes always have 5000 lines, the batch size of the batch writer. `--mappings` writes each
point as a mapping, one per call. `--producers` is the number of threads or tasks that use the batch writer.
"""

from __future__ import annotations

import argparse
import asyncio
import platform
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import influx_aiohttp
import influx_requests
import influx_trio
import trio
from influx_proto import Spool

from tests.servers.influxd import Influxd

BATCH = 5000
VARIANTS = ("write", "writer", "spool", "spool, sync")


def lines(count: int, at_once: int) -> list[bytes]:
    text = [b"cpu,host=server%02d,region=eu usage=%.3f,n=%di %d" % (n % 50, n / 7, n, n) for n in range(count)]
    return [b"\n".join(text[first : first + at_once]) for first in range(0, count, at_once)]


def mappings(count: int) -> list[dict[str, Any]]:
    return [
        {
            "measurement": "cpu",
            "time": n,
            "tags": {"host": f"server{n % 50:02d}", "region": "eu"},
            "fields": {"usage": n / 8, "n": n},
        }
        for n in range(count)
    ]


def split(data: Sequence[Any], producers: int) -> list[Sequence[Any]]:
    return [data[number::producers] for number in range(producers)]


def writer_options(variant: str, folder: str) -> dict[str, Any]:
    return {} if variant == "writer" else {"spool": Spool(folder, sync="sync" in variant)}


def with_requests(url: str, variant: str, data: Sequence[Any], folder: str, producers: int) -> None:
    with influx_requests.InfluxDBClient.from_url(url, database="db") as client:
        if variant == "write":
            for portion in data:
                client.write(portion)
            return
        with client.batch_writer(**writer_options(variant, folder)) as writer:

            def produce(portions: Sequence[Any]) -> None:
                for portion in portions:
                    writer.write(portion)

            with ThreadPoolExecutor(producers) as pool:
                list(pool.map(produce, split(data, producers)))


async def write_async(client: Any, variant: str, data: Sequence[Any], folder: str, producers: int) -> None:
    async with client:
        if variant == "write":
            for portion in data:
                await client.write(portion)
            return
        async with client.batch_writer(**writer_options(variant, folder)) as writer:

            async def produce(portions: Sequence[Any]) -> None:
                for portion in portions:
                    await writer.write(portion)

            async with anyio.create_task_group() as group:
                for portions in split(data, producers):
                    group.start_soon(produce, portions)


def with_asyncio(url: str, *rest: Any) -> None:
    asyncio.run(write_async(influx_aiohttp.AsyncInfluxDBClient.from_url(url, database="db"), *rest))


def with_trio(url: str, *rest: Any) -> None:
    async def main() -> None:
        await write_async(influx_trio.AsyncInfluxDBClient.from_url(url, database="db"), *rest)

    trio.run(main)


CLIENTS: dict[str, Callable[..., Awaitable[None] | None]] = {
    "aiohttp": with_asyncio,
    "trio": with_trio,
    "requests": with_requests,
}


def measure(name: str, url: str, variant: str, data: Sequence[Any], producers: int) -> tuple[float, float]:
    """Return the elapsed time and the CPU time in seconds."""
    with influx_requests.InfluxDBClient.from_url(url) as admin, tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        admin.drop_database("db")
        admin.create_database("db")
        began, worked = time.perf_counter(), time.process_time()
        CLIENTS[name](url, variant, data, folder, producers)
        return time.perf_counter() - began, time.process_time() - worked


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=500_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--at-once", type=int, default=BATCH)
    parser.add_argument("--client", choices=CLIENTS)
    parser.add_argument("--mappings", action="store_true")
    parser.add_argument("--producers", type=int, default=1)
    options = parser.parse_args()
    batches = lines(options.lines, BATCH)
    portions: Sequence[Any] = mappings(options.lines) if options.mappings else lines(options.lines, options.at_once)
    per_write = "one mapping" if options.mappings else f"{options.at_once} lines"
    print(f"Python {platform.python_version()}, {options.lines} lines, {per_write} per write")
    print(f"{options.producers} producers")
    print("lines per second (explicit writes = 1) and microseconds of CPU time per line")
    print("client    " + "".join(f"{variant:>24}" for variant in VARIANTS), flush=True)
    with Influxd() as server:
        for name in [options.client] if options.client else CLIENTS:
            took: dict[str, list[tuple[float, float]]] = {variant: [] for variant in VARIANTS}
            for _ in range(options.rounds):
                for variant in VARIANTS:
                    took[variant].append(
                        measure(
                            name, server.url, variant, batches if variant == "write" else portions, options.producers
                        )
                    )
            cells = []
            for variant in VARIANTS:
                ratio = statistics.median(
                    explicit[0] / own[0] for explicit, own in zip(took["write"], took[variant], strict=True)
                )
                rate = options.lines / statistics.median(seconds for seconds, _ in took[variant])
                work = statistics.median(worked for _, worked in took[variant]) / options.lines * 1e6
                cells.append(f"{rate:>12,.0f} ({ratio:.2f}) {work:.2f}")
            print(f"{name:10}" + "".join(cells), flush=True)


if __name__ == "__main__":
    main()
