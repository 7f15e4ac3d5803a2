"""Every Python block of the README and the docs runs as it stands."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from influx_proto.adapter import AsyncClient

from tests.servers.influxd import Server

ROOT = Path(__file__).parents[2]
FILES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "packages").glob("*/README.md")),
]
BLOCKS = [
    pytest.param(block, id=f"{path.relative_to(ROOT)}:{number}")
    for path in FILES
    for number, block in enumerate(re.findall(r"```python\n(.*?)```", path.read_text(), re.DOTALL), 1)
]


@pytest.mark.parametrize("block", BLOCKS)
def test_block(
    block: str, influxd: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # The blocks speak of a server at its usual port; the one of the tests is at another.
    port = urlsplit(influxd.url).port
    monkeypatch.setattr(AsyncClient.__init__, "__defaults__", ("localhost", port))
    exec(compile(block.replace("8086", str(port)), "block", "exec"), {"__name__": "__main__"})
    if "cpu_load_short" in block:
        printed = capsys.readouterr().out
        assert "X-Influxdb-Version" in printed
        assert "0.64" in printed


def test_the_first_example_stands_in_the_readme() -> None:
    blocks: list[Any] = [param.values[0] for param in BLOCKS]
    assert "from influx_aiohttp import AsyncInfluxDBClient" in blocks[0]
    assert "dict(time='2009-11-10T23:00:00Z', measurement='cpu_load_short'," in blocks[0]


def test_bring_your_own_http(influxd: Server) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "examples.bring_your_own_http"],
        cwd=ROOT,
        env={"INFLUXDB_URL": influxd.url, "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "X-Influxdb-Version" in run.stdout
    assert "databases" in run.stdout


def test_bring_your_own_http_is_short() -> None:
    assert len((ROOT / "examples/bring_your_own_http.py").read_text().splitlines()) < 100
