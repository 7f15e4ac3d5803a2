"""Process that writes through a batch writer with a spool and reports its progress, and functions that kill it.

    python -m tests.conformance.spooler MODULE:DRIVER URL DIRECTORY FIRST COUNT

The points are numbered from FIRST on and have no timestamp, so a point that was sent twice with different timestamps
would be stored twice. After each `write` the process prints the number of the next point: all before it were accepted.
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


def batches(first: int, count: int) -> Iterator[list[dict[str, Any]]]:
    for begin in range(first, first + count, AT_ONCE):
        yield [point(n) for n in range(begin, begin + AT_ONCE)]
        os.write(1, b"%d\n" % (begin + AT_ONCE))


def report_permanent_error(error: InfluxDBError) -> None:
    """Report an error that loses lines for good: no exception is raised on exit, since this process is killed."""
    if not error.retryable:
        sys.stderr.write(f"{error!r}\n")


def options(folder: str) -> dict[str, Any]:
    return {
        "spool": Spool(folder, 800_000),  # small enough for several files
        "max_lines": 1000,
        "max_delay": 0.02,
        "max_pending": 5000,
        "exit_timeout": 60,
        "on_error": report_permanent_error,
    }


def write(client: Client[Any], folder: str, first: int, count: int) -> None:
    with client, client.batch_writer(**options(folder)) as writer:
        for batch in batches(first, count):
            writer.write(batch)


async def write_async(client: Any, folder: str, first: int, count: int) -> None:
    async with client, client.batch_writer(**options(folder)) as writer:
        for batch in batches(first, count):
            await writer.write(batch)


def run(spec: str, url: str, folder: str, first: int, count: int) -> None:
    driver = load(spec)
    client = driver.client_class.from_url(url, database=DATABASE, retry=RETRY)
    if isinstance(client, Client):
        write(client, folder, first, count)
    else:
        anyio.run(write_async, client, folder, first, count, backend=driver.backend or "asyncio")


class Outcome(NamedTuple):
    """The stored points compared with the accepted points."""

    #: Number of accepted points.
    accepted: int
    #: Number of accepted points that are not stored.
    lost: int
    #: Number of points that are stored more than once or were never written.
    more: int
    #: Number of points whose values were altered.
    altered: int


class Run:
    """One run of the writing process."""

    def __init__(self, spec: str, url: str, folder: Path, first: int, count: int) -> None:
        command = [sys.executable, "-m", "tests.conformance.spooler", spec, url, str(folder), str(first), str(count)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
        self.acknowledged = first
        self._began = threading.Event()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for acknowledged in self.process.stdout:
            self.acknowledged = int(acknowledged)
            self._began.set()
        self._began.set()

    def wait_for_first_write(self) -> None:
        assert self._began.wait(30)

    def wait_for_exit(self) -> int:
        """Wait for the process to exit and return its status."""
        with self.process:
            status = self.process.wait(120)
            self._reader.join()
        return status


def kill_repeatedly(spec: str, server: Influxd, folder: Path, *, lives: int, seconds: float) -> Outcome:
    """Kill the process `lives` times, `seconds` after each start, and in every other run the server before it."""
    accepted: list[range] = []
    first = 0
    for number in range(lives):
        current = Run(spec, server.url, folder, first, 10**9)
        current.wait_for_first_write()
        time.sleep(seconds / 2)
        if number % 2:
            server.kill()
        time.sleep(seconds / 2)
        current.process.kill()
        assert current.wait_for_exit() < 0
        if number % 2:
            server.start()
        accepted.append(range(first, current.acknowledged))
        first = current.acknowledged + AT_ONCE  # the process was killed during a write whose outcome is unknown
    current = Run(spec, server.url, folder, first, 5 * AT_ONCE)
    assert current.wait_for_exit() == 0
    accepted.append(range(first, current.acknowledged))
    return compare_with_server(spec, server, accepted)


def compare_with_server(spec: str, server: Influxd, accepted: list[range]) -> Outcome:
    attempted = accepted[-1].stop
    found = bytearray(attempted)
    altered = more = 0
    # One call for all points: iterating a stream of an async client changes threads for each.
    with load(spec).client(server.url, database=DATABASE) as client:
        rows = client.query("SELECT f, n, s, t FROM m").points()
    for row in rows:
        n = row["n"]
        altered += {**row} != {**point(n)["fields"], "t": f"t {n % 7}", "time": row["time"]}
        if 0 <= n < attempted and not found[n]:
            found[n] = 1
        else:
            more += 1
    lost = sum(len(some) - sum(found[some.start : some.stop]) for some in accepted)
    return Outcome(sum(map(len, accepted)), lost, more, altered)


if __name__ == "__main__":
    logging.getLogger("influx_proto").setLevel(logging.ERROR)  # the server's outages are expected
    run(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
