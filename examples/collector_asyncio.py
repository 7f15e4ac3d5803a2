"""A service that collects what this machine does, with asyncio, and loses nothing while InfluxDB is away.

    INFLUXDB_URL=http://localhost:8086 python -m examples.collector_asyncio --every 1 --keep undelivered.lp

It takes a sample every second until it gets SIGTERM or SIGINT (Ctrl-C), writes in batches beside that, and delivers
what is there before it ends. What it cannot deliver then it leaves in a file, which is delivered after the next start;
`examples.collector_trio` has a spool instead, which does that by itself, and lets lines outlive a SIGKILL as well.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from influx_aiohttp import AsyncInfluxDBClient
from influx_proto import InfluxDBError, PartialWriteError, RetryPolicy, TransportError, UndeliveredError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from influx_proto import AsyncBatchWriter, UndeliveredLines

MAX_PENDING = 500_000  # lines that are kept in memory while the server is away, and so in the file


def sample(number: int) -> dict[str, Any]:
    """Look at the machine; `sample` counts, so that gaps can be seen."""
    memory, network = psutil.virtual_memory(), psutil.net_io_counters()
    fields = {
        "sample": number,
        "cpu": psutil.cpu_percent(),  # since the call before
        "load": psutil.getloadavg()[0],
        "memory_used": memory.used,
        "memory_available": memory.available,
        "network_in": network.bytes_recv,
        "network_out": network.bytes_sent,
    }
    return {"measurement": "machine", "tags": {"host": socket.gethostname()}, "fields": fields, "time": time.time_ns()}


async def collect(writer: AsyncBatchWriter, every: float, stop: asyncio.Event) -> int:
    """Take samples until it is time to stop; give how many they were."""
    psutil.cpu_percent()
    loop = asyncio.get_running_loop()
    due = loop.time()
    number = 0
    while not stop.is_set():
        await writer.write(sample(number))
        number += 1
        due = max(due + every, loop.time())  # without drift, and without hurry after the machine was asleep
        try:
            async with asyncio.timeout_at(due):
                await stop.wait()
        except TimeoutError:
            pass
    return number


def kept(path: Path) -> bytes:
    """Read what the run before has left."""
    return path.read_bytes() if path.exists() else b""


def keep(path: Path, undelivered: Sequence[UndeliveredLines]) -> None:
    """Leave in the file what was not delivered, and nothing else; never half of it, whatever happens meanwhile."""
    if undelivered:
        beside = path.with_name(f"{path.name}.new")
        beside.write_bytes(b"\n".join(lines.data for lines in undelivered))
        beside.replace(path)
    else:
        path.unlink(missing_ok=True)


async def run(database: str, every: float, path: Path) -> int:
    left = kept(path)  # by the run before; the file stays until it is known what became of that
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    refused: list[InfluxDBError] = []

    def on_error(error: InfluxDBError) -> None:
        if not error.retryable:  # and so it will not take them later either
            print(error, file=sys.stderr)
            refused.append(error)
            stop.set()

    retry = RetryPolicy(attempts=2, max_backoff=2)  # an agent may ask every second whether the server is back
    async with AsyncInfluxDBClient.from_env(database=database, retry=retry) as client:
        try:
            await client.create_database(database)
        except TransportError as error:
            print(f"{error}. Collecting all the same.", file=sys.stderr)
        writer = client.batch_writer(max_pending=MAX_PENDING, exit_timeout=3, on_error=on_error)
        taken = 0
        try:
            async with writer:
                await writer.write(left)
                taken = await collect(writer, every, stop)
        except UndeliveredError as error:
            print(f"{error}. They are in {path}.", file=sys.stderr)
        except PartialWriteError as error:
            print(*error.rejected, sep="\n", file=sys.stderr)
        finally:
            keep(path, writer.undelivered)
    print(f"{taken} samples taken, {writer.written} lines stored.")
    return 1 if refused else 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", default=os.environ.get("INFLUXDB_DATABASE", "examples"))
    parser.add_argument("--every", type=float, default=1.0, help="seconds from sample to sample (default: %(default)s)")
    parser.add_argument("--keep", type=Path, default=Path("undelivered.lp"), help="the file (default: %(default)s)")
    options = parser.parse_args()
    logging.basicConfig(format="%(message)s")  # the batch writer says when the server goes away, and when it is back
    sys.exit(asyncio.run(run(options.database, options.every, options.keep)))


if __name__ == "__main__":
    main()
