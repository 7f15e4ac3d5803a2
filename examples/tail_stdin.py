"""Line protocol from standard input to InfluxDB, as it comes: what a `tail -f`, an agent or a script prints.

    tail -f metrics.lp | INFLUXDB_URL=http://localhost:8086 python -m examples.tail_stdin --max-delay 1 --max-lines 5000

A line is a point. Lines leave in batches when these are full or old enough, and all are stored when the input ends.
Lines that the server refuses are told on standard error; those that could not be delivered come out of standard output.
Either makes the exit status 1.
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

PIECE = 65536


async def pieces() -> AsyncIterator[bytes]:
    """Read standard input without keeping the event loop from anything else, be it a file, a pipe or a terminal.

    A thread reads: an event loop cannot wait for a file. It is a daemon, which does not keep the program from ending.
    """
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[bytes] = asyncio.Queue(maxsize=4)  # so that the thread does not run ahead

    def read() -> None:
        piece = b"some"
        while piece:
            piece = os.read(sys.stdin.fileno(), PIECE)  # what is there; nothing at the end
            asyncio.run_coroutine_threadsafe(queue.put(piece), loop).result()

    threading.Thread(target=read, daemon=True).start()
    while piece := await queue.get():
        yield piece


async def whole_lines() -> AsyncIterator[bytes]:
    """Cut the pieces where lines end."""
    rest = b""
    async for piece in pieces():
        lines, end, after = piece.rpartition(b"\n")
        if end:
            yield rest + lines
            rest = b""
        rest += after
    yield rest


def tell(error: InfluxDBError) -> None:
    """Say what goes wrong while it goes on."""
    if isinstance(error, PartialWriteError):
        for line, reason in error.rejected:
            print(f"refused: {line}\n    {reason}", file=sys.stderr)
    else:
        print(error, file=sys.stderr)


async def run(options: argparse.Namespace) -> int:
    async with AsyncInfluxDBClient.from_env(database=options.database) as client:
        await client.create_database(options.database)
        writer = client.batch_writer(max_lines=options.max_lines, max_delay=options.max_delay, on_error=tell)
        try:
            async with writer:
                # An asynchronous iterable is taken over item by item: its first lines leave while others have to come.
                writing = asyncio.ensure_future(writer.write(whole_lines(), precision=options.precision))
                for number in (signal.SIGTERM, signal.SIGINT):
                    asyncio.get_running_loop().add_signal_handler(number, writing.cancel)
                with contextlib.suppress(asyncio.CancelledError):  # no more is read then, and what was is delivered
                    await writing
        except UndeliveredError as error:
            for lines in error.undelivered:
                sys.stdout.buffer.write(lines.data + b"\n")
        except PartialWriteError:
            pass  # it was told
    print(f"{writer.written} lines stored, {writer.rejected} refused", file=sys.stderr)
    return 1 if writer.rejected or writer.undelivered else 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", default=os.environ.get("INFLUXDB_DATABASE", "examples"))
    parser.add_argument("--precision", default="ns", choices=["ns", "u", "ms", "s", "m", "h"],
                        help="the unit of the lines' times (default: %(default)s)")  # fmt: skip
    parser.add_argument("--max-lines", type=int, default=5000, help="lines of a batch (default: %(default)s)")
    parser.add_argument("--max-delay", type=float, default=1.0, help="seconds a line waits (default: %(default)s)")
    try:
        sys.exit(asyncio.run(run(parser.parse_args())))
    except InfluxDBError as error:  # nothing was read yet
        sys.exit(str(error))


if __name__ == "__main__":
    main()
