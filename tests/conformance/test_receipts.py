"""Waiting for receipts of batch writers: until the lines are stored, or their failure is raised."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from influx_proto import (
    BufferFullError,
    DatabaseNotFound,
    InfluxDBError,
    PartialWriteError,
    RetryPolicy,
    Spool,
    TransportError,
    UndeliveredError,
)

from tests.conformance.drivers import Driver, run_concurrently, wait_for_receipt
from tests.servers.influxd import Server
from tests.servers.scripted import refused_port

pytestmark = pytest.mark.needs("background")

SOON = RetryPolicy(attempts=2, backoff=0.01, max_backoff=0.05)
LONG = 60.0


def lines(count: int, first: int = 0) -> Iterator[str]:
    return (f"m n={n}i {n}" for n in range(first, first + count))


def stored(client: Any) -> list[int]:
    series = client.query("SELECT n FROM m").series
    return [row[1] for row in series[0].values] if series else []


def test_the_lines_are_stored_when_the_wait_ends(client: Any) -> None:
    with client.batch_writer(max_lines=100, max_delay=0.2) as writer:
        receipt = writer.write(lines(250))  # two batches are full, the third is due after `max_delay`
        wait_for_receipt(client, receipt)
        assert receipt.done
        assert stored(client) == list(range(250))
        wait_for_receipt(client, receipt)  # returns immediately
    wait_for_receipt(client, receipt)


def test_waiting_does_not_flush(client: Any) -> None:
    with client.batch_writer(max_delay=LONG) as writer, ThreadPoolExecutor() as pool:
        receipt = writer.write(lines(1))
        waiting = pool.submit(wait_for_receipt, client, receipt)
        time.sleep(0.2)
        assert not waiting.done()
        assert writer.pending == 1
        writer.flush()
        waiting.result(timeout=20)


def test_several_wait_for_one_receipt(client: Any) -> None:
    with client.batch_writer(max_delay=0.2) as writer:
        receipt = writer.write(lines(1))
        run_concurrently(*[lambda: wait_for_receipt(client, receipt)] * 5)
        assert stored(client) == [0]


def test_a_write_without_lines_is_done(client: Any) -> None:
    with client.batch_writer(max_delay=LONG) as writer:
        wait_for_receipt(client, writer.write([]))


@pytest.mark.parametrize("waits_before", [True, False])
def test_rejected_lines_are_raised_by_every_wait_and_not_on_exit(client: Any, waits_before: bool) -> None:
    client.write("m n=0i 0")
    with client.batch_writer(max_delay=0.2 if waits_before else LONG) as writer:
        good, bad = writer.write("m n=1i 1"), writer.write(["m n=1.5 2", "m n=3i 3"])
        with contextlib.nullcontext() if waits_before else pytest.raises(PartialWriteError):
            if not waits_before:
                writer.flush()
        for _ in range(2):
            with pytest.raises(PartialWriteError, match=r"1 line was rejected.*field type conflict") as caught:
                wait_for_receipt(client, bad)
            assert [line for line, _ in caught.value.rejected] == ["m n=1.5 2"]
        wait_for_receipt(client, good)
        writer.flush()
    assert stored(client) == [0, 1, 3]


def test_each_receipt_raises_its_own_failure(client: Any) -> None:
    client.write("m n=0i 0")
    with pytest.raises(PartialWriteError) as caught, client.batch_writer(max_delay=0.2) as writer:
        first, _ = writer.write("m n=1.5 1"), writer.write("m n=2.5 2")
        with pytest.raises(PartialWriteError) as caught_first:
            wait_for_receipt(client, first)
    assert [line for line, _ in caught_first.value.rejected] == ["m n=1.5 1"]
    assert [line for line, _ in caught.value.rejected] == ["m n=2.5 2"]  # its receipt was not waited for


def test_permanent_errors(driver: Driver, influxd: Server) -> None:
    with driver.client(influxd.url, database="nowhere") as client:
        with pytest.raises(UndeliveredError) as caught, client.batch_writer(max_delay=0.05) as writer:
            receipt = writer.write(lines(3))
            for _ in range(2):
                with pytest.raises(DatabaseNotFound) as caught_by_wait:
                    wait_for_receipt(client, receipt)
                assert caught_by_wait.value is receipt.error
            writer.flush()
    assert sum(part.lines for part in caught.value.undelivered) == 3  # exit still returns the lines


def test_a_writer_that_ends_before_the_lines_are_stored(connect: Callable[..., Any]) -> None:
    with refused_port() as port, ThreadPoolExecutor() as pool:
        client = connect(f"http://127.0.0.1:{port}", database="db", retry=SOON)
        with pytest.raises(UndeliveredError), client.batch_writer(max_delay=0.01, exit_timeout=0.3) as writer:
            receipt = writer.write(lines(1))
            waiting = pool.submit(wait_for_receipt, client, receipt)
        with pytest.raises(TransportError):
            waiting.result(timeout=20)
        with pytest.raises(TransportError):
            wait_for_receipt(client, receipt)


@pytest.mark.needs("spool")
def test_lines_that_stay_in_the_spool(connect: Callable[..., Any], tmp_path: Path) -> None:
    with refused_port() as port, ThreadPoolExecutor() as pool:
        client = connect(f"http://127.0.0.1:{port}", database="db", retry=SOON)
        with client.batch_writer(spool=Spool(tmp_path), max_delay=0.01, exit_timeout=0.3) as writer:
            receipt = writer.write(lines(2))
            waiting = pool.submit(wait_for_receipt, client, receipt)
        message = r"^the batch writer was closed before all lines were stored: the spool .* keeps 2 lines$"
        with pytest.raises(InfluxDBError, match=message):
            waiting.result(timeout=20)
        with pytest.raises(InfluxDBError, match=message) as caught:
            wait_for_receipt(client, receipt)
        assert isinstance(caught.value.__cause__, TransportError)


def test_lines_that_are_dropped(connect: Callable[..., Any]) -> None:
    with refused_port() as port, ThreadPoolExecutor() as pool:
        client = connect(f"http://127.0.0.1:{port}", database="db", retry=RetryPolicy(attempts=1, max_backoff=LONG))
        with pytest.raises(UndeliveredError):
            with client.batch_writer(max_lines=5, max_pending=10, when_full="drop_oldest", exit_timeout=0) as writer:
                receipt = writer.write(lines(5))
                waiting = pool.submit(wait_for_receipt, client, receipt)
                while not receipt.done:
                    writer.write(lines(5))
                with pytest.raises(BufferFullError, match="dropped the oldest lines"):
                    waiting.result(timeout=20)
