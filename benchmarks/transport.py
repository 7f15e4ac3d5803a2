"""Small writes per second of each client, compared with a loop over its HTTP library.

    python -m benchmarks.transport [writes] [rounds]

Every variant writes the same line to the same InfluxDB: sequentially over one connection, and concurrently from 32
tasks or threads. The variants are interleaved, so that other load affects all of them equally; medians are compared.
"""

from __future__ import annotations

import asyncio
import platform
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import TypeAlias
from urllib.parse import urlsplit

import aiohttp
import h11
import influx_aiohttp
import influx_requests
import influx_trio
import requests
import trio

from tests.servers.influxd import execute
from tests.servers.running import running_server

LINE = b"weather,station=s1 temperature=21.5 1577840461000000000"
TARGET = "/write?precision=ns&db=benchmark"
TASKS = 32

#: Performs a number of writes from a number of tasks, and returns the seconds.
Variant: TypeAlias = Callable[[str, int, int], float]


def counted(writes: int, tasks: int) -> list[int]:
    return [writes // tasks] * tasks


async def timed_asyncio(write: Callable[[], Awaitable[object]], writes: int, tasks: int) -> float:
    async def task(count: int) -> None:
        for _ in range(count):
            await write()

    await asyncio.gather(*(task(1) for _ in range(tasks)))  # opens the connections
    began = time.perf_counter()
    await asyncio.gather(*(task(count) for count in counted(writes, tasks)))
    return time.perf_counter() - began


def bare_aiohttp(url: str, writes: int, tasks: int) -> float:
    async def main() -> float:
        async with aiohttp.ClientSession() as session:

            async def write() -> None:
                async with session.post(url + TARGET, data=LINE) as response:
                    await response.read()
                    assert response.status == 204

            return await timed_asyncio(write, writes, tasks)

    return asyncio.run(main())


def our_aiohttp(url: str, writes: int, tasks: int) -> float:
    async def main() -> float:
        async with influx_aiohttp.AsyncInfluxDBClient.from_url(url, database="benchmark") as client:
            return await timed_asyncio(lambda: client.write(LINE), writes, tasks)

    return asyncio.run(main())


async def timed_trio(write: Callable[[int], Awaitable[object]], writes: int, tasks: int) -> float:
    async def task(number: int, count: int) -> None:
        for _ in range(count):
            await write(number)

    for counts in ([1] * tasks, counted(writes, tasks)):
        began = time.perf_counter()
        async with trio.open_nursery() as nursery:
            for number, count in enumerate(counts):
                nursery.start_soon(task, number, count)
    return time.perf_counter() - began


def bare_h11(url: str, writes: int, tasks: int) -> float:
    parts = urlsplit(url)
    headers = [("Host", parts.netloc), ("Content-Length", str(len(LINE)))]

    async def main() -> float:
        streams = [await trio.open_tcp_stream(parts.hostname or "", parts.port or 80) for _ in range(tasks)]
        connections = [h11.Connection(h11.CLIENT) for _ in range(tasks)]

        async def write(number: int) -> None:
            stream, http = streams[number], connections[number]
            data = http.send(h11.Request(method="POST", target=TARGET, headers=headers)) or b""
            data += (http.send(h11.Data(data=LINE)) or b"") + (http.send(h11.EndOfMessage()) or b"")
            await stream.send_all(data)
            while (event := http.next_event()) is not h11.EndOfMessage and not isinstance(event, h11.EndOfMessage):
                if event is h11.NEED_DATA:
                    http.receive_data(bytes(await stream.receive_some()))
                elif isinstance(event, h11.Response):
                    assert event.status_code == 204
            http.start_next_cycle()

        took = await timed_trio(write, writes, tasks)
        for stream in streams:
            await stream.aclose()
        return took

    return trio.run(main)


def our_trio(url: str, writes: int, tasks: int) -> float:
    async def main() -> float:
        async with influx_trio.AsyncInfluxDBClient.from_url(url, database="benchmark") as client:
            return await timed_trio(lambda _: client.write(LINE), writes, tasks)

    return trio.run(main)


def timed_threads(write: Callable[[], object], writes: int, tasks: int) -> float:
    def task(count: int) -> None:
        for _ in range(count):
            write()

    if tasks == 1:
        write()
        began = time.perf_counter()
        task(writes)
        return time.perf_counter() - began
    with ThreadPoolExecutor(tasks) as pool:
        list(pool.map(task, [1] * tasks))
        began = time.perf_counter()
        list(pool.map(task, counted(writes, tasks)))
        return time.perf_counter() - began


def bare_requests(url: str, writes: int, tasks: int) -> float:
    with requests.Session() as session:
        session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=TASKS))

        def write() -> None:
            assert session.post(url + TARGET, data=LINE).status_code == 204

        return timed_threads(write, writes, tasks)


def our_requests(url: str, writes: int, tasks: int) -> float:
    with influx_requests.InfluxDBClient.from_url(url, database="benchmark") as client:
        return timed_threads(lambda: client.write(LINE), writes, tasks)


PAIRS: list[tuple[str, Variant, Variant]] = [
    ("aiohttp", bare_aiohttp, our_aiohttp),
    ("h11 on trio", bare_h11, our_trio),
    ("requests", bare_requests, our_requests),
]


def main() -> None:
    writes = int(sys.argv[1]) if len(sys.argv) > 1 else 640
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 11
    names = ("influx-proto", "aiohttp", "trio", "h11", "requests", "urllib3")
    print(f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in names), sep=", ")
    found: dict[tuple[str, int, str], list[float]] = {}
    with running_server() as server:
        execute(server.url, "CREATE DATABASE benchmark")
        for number in range(rounds):
            for name, bare, ours in PAIRS:
                for tasks in (1, TASKS):
                    variants = [("bare", bare), ("ours", ours)]
                    for kind, variant in variants if number % 2 else reversed(variants):
                        found.setdefault((name, tasks, kind), []).append(variant(server.url, writes, tasks))
        execute(server.url, "DROP DATABASE benchmark")
    print(f"\n{'library':12} {'tasks':>5} {'bare writes/s':>14} {'ours writes/s':>14} {'ours/bare':>10}")
    for name, _, _ in PAIRS:
        for tasks in (1, TASKS):
            bare_rate = writes / statistics.median(found[name, tasks, "bare"])
            our_rate = writes / statistics.median(found[name, tasks, "ours"])
            print(f"{name:12} {tasks:5} {bare_rate:14.0f} {our_rate:14.0f} {our_rate / bare_rate:10.2f}")


if __name__ == "__main__":
    main()
