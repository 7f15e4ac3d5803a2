"""A process that writes through a batch writer with a spool and tells how far it is, and one that kills it.

    python -m tests.conformance.spooler MODULE:DRIVER URL DIRECTORY FIRST COUNT

The points are numbered from FIRST on, and carry no time: one that was sent twice under different times would be there
twice. After each `write` the number of the next point is printed: all before it were taken over.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import anyio
from influx_proto import InfluxDBError, RetryPolicy, Spool
from influx_proto.adapter import Client

from tests.conformance.drivers import load
from tests.servers.influxd import Influxd

ROOT = Path(__file__).parents[2]
DATABASE = "db"
AT_ONCE = 20
RETRY = RetryPolicy(attempts=2, backoff=0.02, max_backoff=0.1)


def point(n: int) -> dict[str, Any]:
    return {"measurement": "m", "tags": {"t": f"t {n % 7}"}, "fields": {"n": n, "f": n / 3, "s": f'"{n}"'}}


def portions(first: int, count: int) -> Iterator[list[dict[str, Any]]]:
    for begin in range(first, first + count, AT_ONCE):
        yield [point(n) for n in range(begin, begin + AT_ONCE)]
        os.write(1, b"%d\n" % (begin + AT_ONCE))


def tell(error: InfluxDBError) -> None:
    """Say what loses lines for good: nobody is told at the end, since this process is killed."""
    if not error.retryable:
        sys.stderr.write(f"{error!r}\n")


def options(folder: str) -> dict[str, Any]:
    return {
        "spool": Spool(folder, 800_000),  # files small enough for several
        "max_lines": 1000,
        "max_delay": 0.02,
        "max_pending": 5000,
        "exit_timeout": 60,
        "on_error": tell,
    }


def write(client: Client[Any], folder: str, first: int, count: int) -> None:
    with client, client.batch_writer(**options(folder)) as writer:
        for portion in portions(first, count):
            writer.write(portion)


async def awrite(client: Any, folder: str, first: int, count: int) -> None:
    async with client, client.batch_writer(**options(folder)) as writer:
        for portion in portions(first, count):
            await writer.write(portion)


def run(spec: str, url: str, folder: str, first: int, count: int) -> None:
    driver = load(spec)
    client = driver.client_class.from_url(url, database=DATABASE, retry=RETRY)
    if isinstance(client, Client):
        write(client, folder, first, count)
    else:
        anyio.run(awrite, client, folder, first, count, backend=driver.backend or "asyncio")


class Outcome(NamedTuple):
    """What is in the server, against what was taken over."""

    #: Points that were taken over.
    taken: int
    #: Points that were taken over and are not there.
    lost: int
    #: Points that are there several times, or that nobody wrote.
    more: int
    #: Points that are not as they were written.
    altered: int


class Life:
    """One process, from its start to its end."""

    def __init__(self, spec: str, url: str, folder: Path, first: int, count: int) -> None:
        command = [sys.executable, "-m", "tests.conformance.spooler", spec, url, str(folder), str(first), str(count)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
        self.told = first
        self._began = threading.Event()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for told in self.process.stdout:
            self.told = int(told)
            self._began.set()
        self._began.set()

    def wait_until_it_writes(self) -> None:
        assert self._began.wait(30)

    def end(self) -> int:
        """Wait for its end; give its status."""
        with self.process:
            status = self.process.wait(120)
            self._reader.join()
        return status


def torture(spec: str, server: Influxd, folder: Path, *, lives: int, seconds: float) -> Outcome:
    """Kill the process as often, after so many seconds each time, in every other life the server before it."""
    taken: list[range] = []
    first = 0
    for number in range(lives):
        life = Life(spec, server.url, folder, first, 10**9)
        life.wait_until_it_writes()
        time.sleep(seconds / 2)
        if number % 2:
            server.kill()
        time.sleep(seconds / 2)
        life.process.kill()
        assert life.end() < 0
        if number % 2:
            server.start()
        taken.append(range(first, life.told))
        first = life.told + AT_ONCE  # it was killed in a write, of which nobody knows
    life = Life(spec, server.url, folder, first, 5 * AT_ONCE)
    assert life.end() == 0
    taken.append(range(first, life.told))
    return compared(spec, server, taken)


def compared(spec: str, server: Influxd, taken: list[range]) -> Outcome:
    attempted = taken[-1].stop
    found = bytearray(attempted)
    altered = more = 0
    with load(spec).client(server.url, database=DATABASE) as client:
        with client.query_points("SELECT f, n, s, t FROM m") as points:
            for row in points:
                n = row["n"]
                altered += {**row} != {**point(n)["fields"], "t": f"t {n % 7}", "time": row["time"]}
                if 0 <= n < attempted and not found[n]:
                    found[n] = 1
                else:
                    more += 1
    lost = sum(len(some) - sum(found[some.start : some.stop]) for some in taken)
    return Outcome(sum(map(len, taken)), lost, more, altered)


if __name__ == "__main__":
    logging.getLogger("influx_proto").setLevel(logging.ERROR)  # that the server goes away is the point
    run(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
