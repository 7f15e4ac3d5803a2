"""Single writes and small queries of influx-aiohttp, compared with aioinflux and a loop over aiohttp.

    python -m benchmarks.ancestor [calls] [rounds]

influx-aiohttp succeeds aioinflux. Every variant makes the same calls to the same InfluxDB, sequentially over one
connection or from 32 tasks. The variants are interleaved, so that other load affects all of them equally.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
import urllib.parse
import warnings
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeAlias
from unittest import mock

import aiohttp
import influx_aiohttp
import msgspec
import numpy as np
import pandas as pd

from benchmarks import transport
from benchmarks.timing import Variant, describe_machine, describe_versions, measure_interleaved, ratio
from tests.servers.influxd import execute
from tests.servers.running import running_server

DATABASE = "benchmark"
POINT = {
    "measurement": "weather",
    "time": 1_577_840_461_000_000_000,
    "tags": {"station": "s1", "country": "de"},
    "fields": {"temperature": 21.5, "humidity": 60},
}
FRAME = pd.DataFrame(
    {"station": [f"s{number % 4}" for number in range(100)], "temperature": np.linspace(0, 30, 100)},
    index=pd.DatetimeIndex((1_577_840_461_000_000_000 + np.arange(100) * 10**9).view("M8[ns]"), tz="UTC"),
)
QUERY = "SELECT temperature FROM weather LIMIT 10"
#: What each call does, given a client of either package: the two have the same names.
CALLS: dict[str, Callable[[Any], Awaitable[object]]] = {
    "mapping": lambda client: client.write(POINT),
    "DataFrame": lambda client: client.write(FRAME, "weather", tag_columns=["station"]),
    "query": lambda client: client.query(QUERY),
}
#: Makes a number of calls from a number of tasks, and returns the seconds.
Loop: TypeAlias = Callable[[str, int, int], float]


def ours(call: str, url: str, calls: int, tasks: int) -> float:
    async def main() -> float:
        async with influx_aiohttp.AsyncInfluxDBClient.from_url(url, database=DATABASE) as client:
            return await transport.timed_asyncio(partial(CALLS[call], client), calls, tasks)

    return asyncio.run(main())


def aioinflux(call: str, url: str, calls: int, tasks: int) -> float:
    parts = urllib.parse.urlsplit(url)

    async def main() -> float:
        # The alias that NumPy 1.24 removed is all that aioinflux needs to write DataFrames of current pandas.
        with warnings.catch_warnings(), mock.patch.object(np, "float", float, create=True):
            warnings.simplefilter("ignore")
            package = importlib.import_module("aioinflux")
            async with package.InfluxDBClient(parts.hostname, parts.port, db=DATABASE) as client:
                return await transport.timed_asyncio(partial(CALLS[call], client), calls, tasks)

    return asyncio.run(main())


def bare_query(url: str, calls: int, tasks: int) -> float:
    """Send the request that influx-aiohttp sends, and decode the response."""
    params = {"chunked": "true", "chunk_size": "10000", "epoch": "ns", "q": QUERY, "db": DATABASE}
    target = f"{url}/query?{urllib.parse.urlencode(params)}"
    headers = {"Accept": "application/x-msgpack", "Accept-Encoding": "identity"}

    async def main() -> float:
        async with aiohttp.ClientSession() as session:

            async def query() -> None:
                async with session.get(target, headers=headers) as response:
                    assert msgspec.msgpack.decode(await response.read())["results"]

            return await transport.timed_asyncio(query, calls, tasks)

    return asyncio.run(main())


LOOPS: dict[str, dict[str, Loop]] = {
    call: {"influx-aiohttp": partial(ours, call), "aioinflux": partial(aioinflux, call)} for call in CALLS
}
LOOPS["query"]["aiohttp, bare"] = bare_query


def variants(call: str, calls: int, tasks: int, url: str) -> dict[str, Variant]:
    """Return the variants of a call; the points that the query returns are written first."""
    ours("DataFrame", url, 1, 1)
    return {name: partial(loop, url, calls, tasks) for name, loop in LOOPS[call].items()}


def main() -> None:
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else 320
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 11
    print(f"{describe_machine()}; {describe_versions(('influx-aiohttp', 'aioinflux', 'aiohttp', 'pandas'))}.\n")
    print("| call | tasks | variant | us per call | time, influx-aiohttp = 1 |")
    print("|---|---|---|---|---|")
    with running_server() as server:
        execute(server.url, f"CREATE DATABASE {DATABASE}")
        for call in CALLS:
            for tasks in (1, transport.TASKS):
                found = variants(call, calls, tasks, server.url)
                times = measure_interleaved(found, dict.fromkeys(found, calls), rounds)
                for name, taken in times.items():
                    relative = ratio(taken, times["influx-aiohttp"])
                    print(f"| {call} | {tasks} | {name} | {taken.median * 1e6:.0f} | {relative:.2f} |", flush=True)
        execute(server.url, f"DROP DATABASE {DATABASE}")


if __name__ == "__main__":
    main()
