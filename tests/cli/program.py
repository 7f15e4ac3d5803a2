"""The installed command-line program, run in a subprocess."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

#: The console script, in the same folder as the Python that runs the tests.
PROGRAM = str(Path(sys.executable).parent / "influx-requests")


def environment(url: str | None, database: str | None = None, **more: str) -> dict[str, str]:
    """Return the environment of the tests, with only the given InfluxDB settings."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("INFLUXDB_", "PYTHON"))}
    given = {"INFLUXDB_URL": url, "INFLUXDB_DATABASE": database, "COLUMNS": "120", **more}
    return clean | {name: value for name, value in given.items() if value is not None}


def start(env: dict[str, str], *arguments: str | Path, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [PROGRAM, *map(str, arguments)],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        **options,
    )


def run(
    env: dict[str, str], *arguments: str | Path, stdin: str = "", code: int | None = 0
) -> subprocess.CompletedProcess[str]:
    """Run the program and return its output; check its exit code unless `code` is None."""
    done = subprocess.run(
        [PROGRAM, *map(str, arguments)],
        env=env,
        input=stdin.encode(),
        capture_output=True,
        check=False,
        timeout=120,
    )
    # text mode would convert carriage returns to line feeds
    result = subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())
    assert "Traceback" not in result.stderr
    assert code is None or result.returncode == code, result
    return result
