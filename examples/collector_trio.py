"""Several producers and one batch writer, with trio: each producer measures a part of this machine at its own interval.

    INFLUXDB_URL=http://localhost:8086 python -m examples.collector_trio --seconds 10 --spool collected

It runs for that time, or until SIGTERM or SIGINT (Ctrl-C), and reports its progress after each batch. While InfluxDB is
unreachable, the producers continue. Lines that are pending at the end, even after SIGKILL, stay in the spool directory
and are delivered after the next start.
"""

from __future__ import annotations

import argparse
import logging
import math
import os
import signal
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import trio
from influx_proto import FLOAT, INT, TAG, TIMEINT, InfluxDBError, RetryPolicy, Spool, lineprotocol
from influx_trio import AsyncInfluxDBClient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from influx_proto import AsyncBatchWriter


@lineprotocol
@dataclass(frozen=True, slots=True)
class Core:
    """CPU usage of a core since the previous point."""

    time: TIMEINT
    core: TAG
    percent: FLOAT


@lineprotocol
@dataclass(frozen=True, slots=True)
class Memory:
    """Used and available memory in bytes."""

    time: TIMEINT
    used: INT
    available: INT


@lineprotocol
@dataclass(frozen=True, slots=True)
class Traffic:
    """Bytes received and sent through an interface since boot."""

    time: TIMEINT
    interface: TAG
    received: INT
    sent: INT


def cores() -> Iterator[Core]:
    now = time.time_ns()
    for number, percent in enumerate(psutil.cpu_percent(percpu=True)):
        yield Core(now, str(number), percent)


def memory() -> Iterator[Memory]:
    usage = psutil.virtual_memory()
    yield Memory(time.time_ns(), usage.used, usage.available)


def traffic() -> Iterator[Traffic]:
    now = time.time_ns()
    for interface, counters in psutil.net_io_counters(pernic=True).items():
        yield Traffic(now, interface, counters.bytes_recv, counters.bytes_sent)


#: Functions that measure, with their intervals in seconds.
PRODUCERS: dict[Callable[[], Iterator[object]], float] = {cores: 0.25, memory: 1.0, traffic: 2.0}


async def produce(measure: Callable[[], Iterator[object]], every: float, writer: AsyncBatchWriter) -> None:
    due = trio.current_time()
    while True:
        await writer.write(measure(), host=socket.gethostname())  # accepts a generator of points
        due = max(due + every, trio.current_time())
        await trio.sleep_until(due)


async def cancel_on_signal(scope: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            scope.cancel()


def show(writer: AsyncBatchWriter) -> None:
    print(f"\r{writer.written} points stored, {writer.pending} pending", end=" ", file=sys.stderr, flush=True)


async def run(database: str, seconds: float, directory: Path) -> None:
    async with AsyncInfluxDBClient.from_env(database=database, retry=RetryPolicy(max_backoff=2)) as client:
        await client.create_database(database)
        async with client.batch_writer(spool=Spool(directory), exit_timeout=5, on_progress=show) as writer:
            # The producers end with the nursery; then the batch writer flushes the pending lines on exit.
            with trio.move_on_after(seconds) as scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(cancel_on_signal, scope)
                    for measure, every in PRODUCERS.items():
                        nursery.start_soon(produce, measure, every, writer)
    print(f"\n{writer.written} points stored in {database}.")
    if writer.pending:
        print(f"{writer.pending} points pending in {directory}.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", default=os.environ.get("INFLUXDB_DATABASE", "examples"))
    parser.add_argument("--seconds", type=float, default=math.inf, help="duration (default: until a signal)")
    parser.add_argument("--spool", type=Path, default=Path("collected"), help="spool directory (default: %(default)s)")
    options = parser.parse_args()
    logging.basicConfig(
        format="\n%(message)s"
    )  # the batch writer logs when the server becomes unreachable and when it recovers
    psutil.cpu_percent(percpu=True)  # each call measures the time since the previous one
    try:
        trio.run(run, options.database, options.seconds, options.spool)
    except (
        InfluxDBError
    ) as error:  # the server is unreachable or rejects the request, or another process uses the spool
        sys.exit(f"\n{error}")


if __name__ == "__main__":
    main()
