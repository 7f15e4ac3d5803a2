"""Write line protocol from standard input as it arrives: the output of `tail -f`, an agent or a script.

    tail -f metrics.lp | INFLUXDB_URL=http://localhost:8086 python -m examples.tail_stdin --max-delay 1 --max-lines 5000

A batch is flushed when it is full, after the delay, and when the input ends. Rejected lines are printed to stderr, and
undelivered lines to stdout. In both cases the exit status is 1.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

from influx_aiohttp import AsyncInfluxDBClient
from influx_proto import InfluxDBError, PartialWriteError, UndeliveredError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CHUNK_SIZE = 65536


async def read_chunks() -> AsyncIterator[bytes]:
    """Read standard input, which can be a file, a pipe or a terminal, without blocking the event loop.

    A thread reads, since an event loop cannot wait for a file. It is a daemon thread, so it does not delay the exit.
    """
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[bytes] = asyncio.Queue(maxsize=4)  # limits how far the thread reads ahead

    def read() -> None:
        while True:
            chunk = os.read(sys.stdin.fileno(), CHUNK_SIZE)  # returns available data, and b"" at the end
            asyncio.run_coroutine_threadsafe(queue.put(chunk), loop).result()
            if not chunk:
                return

    threading.Thread(target=read, daemon=True).start()
    while chunk := await queue.get():
        yield chunk


async def read_lines() -> AsyncIterator[bytes]:
    """Yield the chunks, split at the end of a line."""
    rest = b""
    async for chunk in read_chunks():
        lines, end, after = chunk.rpartition(b"\n")
        if end:
            yield rest + lines
            rest = b""
        rest += after
    yield rest


def report(error: InfluxDBError) -> None:
    """Print an error of the batch writer."""
    if isinstance(error, PartialWriteError):
        for line, reason in error.rejected:
            print(f"rejected: {line}\n    {reason}", file=sys.stderr)
    else:
        print(error, file=sys.stderr)


async def run(options: argparse.Namespace) -> int:
    async with AsyncInfluxDBClient.from_env(database=options.database) as client:
        await client.create_database(options.database)
        writer = client.batch_writer(max_lines=options.max_lines, max_delay=options.max_delay, on_error=report)
        try:
            async with writer:
                # The items of an async iterable are accepted individually, so the first lines are sent while others
                # are still read.
                writing = asyncio.ensure_future(writer.write(read_lines(), precision=options.precision))
                for number in (signal.SIGTERM, signal.SIGINT):
                    asyncio.get_running_loop().add_signal_handler(number, writing.cancel)
                with contextlib.suppress(asyncio.CancelledError):  # a signal ends reading; accepted lines are delivered
                    await writing
        except UndeliveredError as error:
            for lines in error.undelivered:
                sys.stdout.buffer.write(lines.data + b"\n")
        except PartialWriteError:
            pass  # `report` has printed it
    print(f"{writer.written} lines stored, {writer.rejected} rejected", file=sys.stderr)
    return 1 if writer.rejected or writer.undelivered else 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", default=os.environ.get("INFLUXDB_DATABASE", "examples"))
    parser.add_argument("--precision", default="ns", choices=["ns", "u", "ms", "s", "m", "h"],
                        help="unit of the timestamps (default: %(default)s)")  # fmt: skip
    parser.add_argument("--max-lines", type=int, default=5000, help="most lines of a batch (default: %(default)s)")
    parser.add_argument("--max-delay", type=float, default=1.0, help="most seconds to buffer (default: %(default)s)")
    try:
        sys.exit(asyncio.run(run(parser.parse_args())))
    except InfluxDBError as error:  # before any input was read
        sys.exit(str(error))


if __name__ == "__main__":
    main()
