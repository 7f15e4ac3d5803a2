"""A service that collects metrics of this machine, with asyncio, and loses no points while InfluxDB is unreachable.

    INFLUXDB_URL=http://localhost:8086 python -m examples.collector_asyncio --every 1 --keep undelivered.lp

It takes a sample every second until SIGTERM or SIGINT (Ctrl-C), writes in batches in the background, and flushes them
before it exits. Lines that cannot be delivered are saved in a file, which is written after the next start. A spool does
this automatically, and its lines survive SIGKILL too: see `examples.collector_trio`.
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

MAX_PENDING = 500_000  # most lines that are buffered in memory while the server is unreachable, and saved in the file


def sample(number: int) -> dict[str, Any]:
    """Return a sample; the field `sample` is its number, so that gaps are visible."""
    memory, network = psutil.virtual_memory(), psutil.net_io_counters()
    fields = {
        "sample": number,
        "cpu": psutil.cpu_percent(),  # since the previous call
        "load": psutil.getloadavg()[0],
        "memory_used": memory.used,
        "memory_available": memory.available,
        "network_in": network.bytes_recv,
        "network_out": network.bytes_sent,
    }
    return {"measurement": "machine", "tags": {"host": socket.gethostname()}, "fields": fields, "time": time.time_ns()}


async def collect(writer: AsyncBatchWriter, every: float, stop: asyncio.Event) -> int:
    """Write samples until `stop` is set; return their number."""
    psutil.cpu_percent()
    loop = asyncio.get_running_loop()
    due = loop.time()
    number = 0
    while not stop.is_set():
        await writer.write(sample(number))
        number += 1
        due = max(due + every, loop.time())  # no drift, and no burst after a suspend
        try:
            async with asyncio.timeout_at(due):
                await stop.wait()
        except TimeoutError:
            pass
    return number


def read_undelivered(path: Path) -> bytes:
    """Return the lines that an earlier run did not deliver."""
    return path.read_bytes() if path.exists() else b""


def save_undelivered(path: Path, undelivered: Sequence[UndeliveredLines]) -> None:
    """Replace the file by the undelivered lines, atomically; delete it if there are none."""
    if undelivered:
        new = path.with_name(f"{path.name}.new")
        new.write_bytes(b"\n".join(lines.data for lines in undelivered))
        new.replace(path)
    else:
        path.unlink(missing_ok=True)


async def run(database: str, every: float, path: Path) -> int:
    undelivered = read_undelivered(path)  # the file is kept until these lines are completed
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    permanent_errors: list[InfluxDBError] = []

    def on_error(error: InfluxDBError) -> None:
        if not error.retryable:
            print(error, file=sys.stderr)
            permanent_errors.append(error)
            stop.set()

    retry = RetryPolicy(attempts=2, max_backoff=2)  # retry at least every 2 s while the server is unreachable
    async with AsyncInfluxDBClient.from_env(database=database, retry=retry) as client:
        try:
            await client.create_database(database)
        except TransportError as error:
            print(f"{error}; collecting samples until the server is reachable", file=sys.stderr)
        writer = client.batch_writer(max_pending=MAX_PENDING, exit_timeout=3, on_error=on_error)
        taken = 0
        try:
            async with writer:
                await writer.write(undelivered)
                taken = await collect(writer, every, stop)
        except UndeliveredError as error:
            print(f"{error}; saved in {path}", file=sys.stderr)
        except PartialWriteError as error:
            print(*error.rejected, sep="\n", file=sys.stderr)
        finally:
            save_undelivered(path, writer.undelivered)
    print(f"{taken} samples taken, {writer.written} lines stored.")
    return 1 if permanent_errors else 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", default=os.environ.get("INFLUXDB_DATABASE", "examples"))
    parser.add_argument("--every", type=float, default=1.0, help="seconds between samples (default: %(default)s)")
    parser.add_argument(
        "--keep", type=Path, default=Path("undelivered.lp"), help="file of undelivered lines (default: %(default)s)"
    )
    options = parser.parse_args()
    logging.basicConfig(
        format="%(message)s"
    )  # the batch writer logs when the server becomes unreachable and when it recovers
    sys.exit(asyncio.run(run(options.database, options.every, options.keep)))


if __name__ == "__main__":
    main()
