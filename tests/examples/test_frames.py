"""Examples about frames and charts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.examples.programs import start_example
from tests.servers.influxd import Server, execute

if TYPE_CHECKING:
    from pathlib import Path


def test_dask_frames(influxd: Server, database: str, tmp_path: Path) -> None:
    with start_example("dask_frames", "--days", "2", url=influxd.url, database=database, folder=tmp_path) as program:
        printed = program.wait_for_exit()
    assert "172,800.00" in printed
    counted = execute(influxd.url, f'SELECT count(*) FROM "{database}"..reading')["results"][0]["series"][0]
    assert counted["values"][0][1:] == [172_800, 172_800]


def test_analysis(influxd: Server, database: str, tmp_path: Path) -> None:
    with start_example("analysis", url=influxd.url, database=database, folder=tmp_path) as program:
        assert "157680 points written" in program.wait_for_exit()
    for name in ("days", "months", "hours"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
