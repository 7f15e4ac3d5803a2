"""The services that collect: nothing is lost while the server is away, or nobody is there."""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING

import pytest

from tests.examples.programs import started
from tests.servers.influxd import Influxd, execute

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OFTEN = ("--every", "0.02")
AWAY, BACK = "takes no lines", "takes lines again"


@pytest.fixture
def server() -> Iterator[Influxd]:
    """One that may be killed."""
    with Influxd() as server:
        execute(server.url, "CREATE DATABASE d")
        yield server


def rows(server: Influxd, query: str) -> list[list[int]]:
    """The rows of a query of one series, without their times."""
    series = execute(server.url, query)["results"][0].get("series", [{"values": []}])
    return [row[1:] for row in series[0]["values"]]


def samples(server: Influxd) -> list[int]:
    return [number for (number,) in rows(server, "SELECT sample FROM d..machine")]


def said(pattern: str, printed: str) -> int:
    """The number in what was printed."""
    found = re.search(pattern, printed, re.MULTILINE)
    assert found is not None, printed
    return int(found[1])


def test_collector_asyncio_outlives_a_crash_of_the_server(server: Influxd, tmp_path: Path) -> None:
    with started("collector_asyncio", *OFTEN, url=server.url, database="d", folder=tmp_path) as program:
        program.until(lambda: samples(server))
        server.kill()
        program.until(lambda: AWAY in program.err)
        server.start()
        program.until(lambda: BACK in program.err)
        taken = said(r"^(\d+) samples taken", program.end(signal.SIGTERM))
    assert samples(server) == list(range(taken))
    assert not (tmp_path / "undelivered.lp").exists()


def test_collector_asyncio_keeps_what_it_cannot_deliver(server: Influxd, tmp_path: Path) -> None:
    kept = tmp_path / "undelivered.lp"
    with started("collector_asyncio", *OFTEN, url=server.url, database="d", folder=tmp_path) as program:
        program.until(lambda: samples(server))
        server.kill()
        program.until(lambda: AWAY in program.err)
        first = said(r"^(\d+) samples taken", program.end(signal.SIGINT))
    assert f"saved in {kept.name}" in program.err
    assert kept.stat().st_size

    with started("collector_asyncio", *OFTEN, url=server.url, database="d", folder=tmp_path) as program:
        program.until(lambda: AWAY in program.err)
        server.start()
        program.until(lambda: BACK in program.err)
        second = said(r"^(\d+) samples taken", program.end(signal.SIGTERM))
    assert "collecting samples until the server is reachable" in program.err
    assert samples(server) == [*range(first), *range(second)]
    assert not kept.exists()


def test_collector_asyncio_ends_where_the_server_will_not_take_its_lines(server: Influxd, tmp_path: Path) -> None:
    with started("collector_asyncio", *OFTEN, url=server.url, database="d", folder=tmp_path) as program:
        program.until(lambda: samples(server))
        execute(server.url, "DROP DATABASE d")
        program.end(status=1)
    assert "database not found" in program.err
    lines = (tmp_path / "undelivered.lp").read_text().splitlines()
    execute(server.url, "CREATE DATABASE d")
    with started("collector_asyncio", *OFTEN, url=server.url, database="d", folder=tmp_path) as program:
        program.until(lambda: len(samples(server)) > len(lines))
        taken = said(r"^(\d+) samples taken", program.end(signal.SIGTERM))
    assert len(samples(server)) == len(lines) + taken


def memory_points(server: Influxd) -> list[list[int]]:
    return rows(server, 'SELECT used FROM d.."Memory"')


def all_points(server: Influxd) -> int:
    fields = {"Core": "percent", "Memory": "used", "Traffic": "sent"}
    return sum(rows(server, f'SELECT count({field}) FROM d.."{name}"')[0][0] for name, field in fields.items())


def test_collector_trio(server: Influxd, tmp_path: Path) -> None:
    with started("collector_trio", "--seconds", "100", url=server.url, database="d", folder=tmp_path) as program:
        program.until(lambda: memory_points(server))
        server.kill()
        server.start()
        before = len(memory_points(server))
        program.until(lambda: len(memory_points(server)) > before)
        told = said(r"^(\d+) points stored in d\.", program.end(signal.SIGTERM))
    assert f"{told} points stored, 0 pending" in program.err
    assert told == all_points(server)


def test_collector_trio_is_killed_while_the_server_is_away(server: Influxd, tmp_path: Path) -> None:
    with started("collector_trio", "--seconds", "100", url=server.url, database="d", folder=tmp_path) as program:
        program.until(lambda: memory_points(server))
        server.kill()
        program.until(lambda: AWAY in program.err)
        lines = said(r"(\d+) are pending", program.err)
        program.process.kill()
    server.start()
    before = all_points(server)
    with started("collector_trio", "--seconds", "2", url=server.url, database="d", folder=tmp_path) as program:
        told = said(r"^(\d+) points stored in d\.", program.end())
    # What was stored before is sent again where that was not noted in the spool, and replaces itself.
    assert before + lines < all_points(server) <= before + told
    assert [path.name for path in (tmp_path / "collected").iterdir()] == ["lock"]
