"""Kills of the server and of the writing process: a batch writer loses none of its accepted points."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from influx_proto import RetryPolicy

from tests.conformance import spooler
from tests.conformance.drivers import Driver
from tests.servers.influxd import Influxd

pytestmark = pytest.mark.needs("background")

#: Multiplies the test's duration; the nightly job sets it.
FACTOR = int(os.environ.get("TORTURE_FACTOR", "1"))
KILLS = 4 * FACTOR
POINTS = 40_000 * FACTOR
AT_ONCE = 500


def point(n: int) -> dict[str, Any]:
    return {"measurement": "m", "tags": {"t": f"t {n % 7}"}, "fields": {"n": n, "f": n / 3, "s": f'"{n}"'}, "time": n}


def test_kills_while_points_are_written(driver: Driver) -> None:
    """Each point is stored exactly once and unaltered."""
    retry = RetryPolicy(attempts=3, backoff=0.02, max_backoff=0.1)
    with Influxd() as server, driver.client(server.url, database="db", retry=retry) as client:
        client.create_database("db")
        kills_done = threading.Event()

        def kill() -> None:
            for _ in range(KILLS):
                time.sleep(0.2)
                server.kill()
                time.sleep(0.1)
                server.start()
            kills_done.set()

        killer = threading.Thread(target=kill)
        with client.batch_writer(max_lines=1000, max_delay=0.01, max_pending=5000) as writer:
            killer.start()
            receipts = []
            number = 0
            # Write until the last kill has happened, so that points follow it.
            while number < POINTS or not kills_done.is_set():
                receipts.append(writer.write([point(n) for n in range(number, number + AT_ONCE)]))
                number += AT_ONCE
                time.sleep(0.005)
            killer.join()
            writer.flush(timeout=60)
        assert all(receipt.done and receipt.error is None and not receipt.rejected for receipt in receipts)
        assert (writer.written, writer.pending) == (number, 0)
        assert writer.retried
        rows = client.query("SELECT f, n, s, t FROM m").series[0].values
        assert len(rows) == number
        assert all(row == [n, n / 3, n, f'"{n}"', f"t {n % 7}"] for n, row in enumerate(rows))


@pytest.mark.needs("spool")
def test_kills_of_the_process_that_writes(driver: Driver, tmp_path: Path) -> None:
    """Each point for which `write` returned is stored exactly once and unaltered, although the server is killed too."""
    with Influxd() as server, driver.client(server.url) as client:
        client.create_database(spooler.DATABASE)
        outcome = spooler.kill_repeatedly(driver.spec, server, tmp_path, lives=4 * FACTOR, seconds=0.3)
        assert (outcome.lost, outcome.more, outcome.altered) == (0, 0, 0)
        assert outcome.accepted > 4 * FACTOR * spooler.AT_ONCE
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]
