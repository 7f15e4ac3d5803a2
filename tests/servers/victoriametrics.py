"""Real VictoriaMetrics, which accepts InfluxDB writes and stores each field as a series.

    with VictoriaMetrics() as server:
        ...  # server.url; server.samples("db") is what it has stored

`python -m tests.servers.victoriametrics --install` only installs it if necessary.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import urllib.parse
import urllib.request
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.servers.debian import unpack_program
from tests.servers.program import ServerProgram

if TYPE_CHECKING:
    from collections.abc import Mapping


class Sample(NamedTuple):
    """A value of a series; `labels` are without the database and the name."""

    name: str
    labels: tuple[tuple[str, str], ...]
    time_ms: int
    value: float


class VictoriaMetrics(ServerProgram):
    """VictoriaMetrics on a free loopback port, with its data in a temporary folder that is deleted on exit."""

    name = "VictoriaMetrics"
    settings: Mapping[str, Any] = MappingProxyType({})

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def command(self, folder: Path) -> list[str | Path]:
        return [
            find_victoriametrics(),
            f"-httpListenAddr={self.host}:{self.port}",
            f"-storageDataPath={folder / 'data'}",
            "-retentionPeriod=100y",
            "-memory.allowedBytes=256MB",
        ]

    def create_database(self, name: str) -> None:
        """Do nothing: a database is a label of the stored series."""

    def drop_database(self, name: str) -> None:
        """Do nothing: the data is deleted on exit."""

    def samples(self, database: str) -> list[Sample]:
        """Return all samples of a database, in order, from the server's export."""
        self._get("/internal/force_flush")  # makes recent writes readable
        lines = self._get("/api/v1/export?" + urllib.parse.urlencode({"match": f'{{db="{database}"}}'}))
        found: list[Sample] = []
        for line in lines.splitlines():
            series = json.loads(line)
            # All values are floats; the export writes whole ones without a decimal point.
            values = map(float, series["values"])
            name = series["metric"].pop("__name__")
            del series["metric"]["db"]
            labels = tuple(sorted(series["metric"].items()))
            found += [Sample(name, labels, *pair) for pair in zip(series["timestamps"], values, strict=True)]
        return sorted(found)

    def _get(self, target: str) -> str:
        with urllib.request.urlopen(self.url + target, timeout=30) as response:
            text: str = response.read().decode()
        return text


def find_victoriametrics() -> Path:
    """Return `victoria-metrics` from PATH, or from Debian's package in `.cache`."""
    installed = shutil.which("victoria-metrics")
    return Path(installed) if installed else unpack_program("victoria-metrics", "usr/bin/victoria-metrics")


def read_version(program: Path) -> str:
    """Return the version of a program, such as `victoria-metrics-20220512-120000-v1.79.5`."""
    done = subprocess.run([program, "-version"], capture_output=True, text=True, check=True)
    return done.stdout + done.stderr


if __name__ == "__main__":
    if sys.argv[1:] != ["--install"]:
        raise SystemExit(__doc__)
    print(f"VictoriaMetrics: {find_victoriametrics()}")  # noqa: T201 -- a program, here
