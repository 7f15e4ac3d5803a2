"""Real VictoriaMetrics, which accepts InfluxDB writes and stores each field as a series.

    with VictoriaMetrics() as server:
        ...  # server.url; server.samples("db") is what it has stored

`python -m tests.servers.victoriametrics --install` only installs it if necessary.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from tests.servers.debian import unpack_program
from tests.servers.folders import make_data_folder
from tests.servers.leash import release_leash, start_leash
from tests.servers.ports import reserve_port

if TYPE_CHECKING:
    from collections.abc import Mapping

START_DEADLINE = 30.0
STOP_DEADLINE = 10.0
POLL = 0.01


class Sample(NamedTuple):
    """A value of a series; `labels` are without the database and the name."""

    name: str
    labels: tuple[tuple[str, str], ...]
    time_ms: int
    value: float


class VictoriaMetrics:
    """VictoriaMetrics on a free loopback port, with its data in a temporary folder that is deleted on exit."""

    host = "127.0.0.1"
    settings: Mapping[str, Any] = MappingProxyType({})

    def __init__(self) -> None:
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def __enter__(self) -> Self:
        self._folder = make_data_folder("victoriametrics-")
        self._reserved = reserve_port(self.host)
        self.port = self._reserved.getsockname()[1]
        command: list[str | Path] = [
            find_victoriametrics(),
            f"-httpListenAddr={self.host}:{self.port}",
            f"-storageDataPath={self._folder / 'data'}",
            "-retentionPeriod=100y",
            "-memory.allowedBytes=256MB",
        ]
        log = self._folder / "log"
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True
            )
        self._leash = start_leash(self._process, self._folder)
        try:
            self._wait_until_ready(log)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        with self._process as process:
            process.terminate()
            try:
                process.wait(STOP_DEADLINE)
            except subprocess.TimeoutExpired:
                process.kill()
        release_leash(self._leash)
        self._reserved.close()
        shutil.rmtree(self._folder)

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

    def _wait_until_ready(self, log: Path) -> None:
        deadline = time.monotonic() + START_DEADLINE
        while True:
            try:
                return socket.create_connection((self.host, self.port), timeout=5).close()
            except ConnectionRefusedError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"VictoriaMetrics does not start:\n{log.read_text()}") from None
            time.sleep(POLL)


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
