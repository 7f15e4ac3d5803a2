"""The installed command-line program.

`start` runs the console script. `run` runs its entry point in a process forked from one that has imported it already:
the import takes longer than most runs, and there are hundreds. Input, output, environment and exit code are the same.
With a variable of the interpreter (`PYTHONPATH`) in the environment `run` runs the console script, too.
"""

from __future__ import annotations

import io
import multiprocessing
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

#: The console script, in the same folder as the Python that runs the tests.
PROGRAM = str(Path(sys.executable).parent / "influxq")

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload([__name__, "influx_requests._cli", "influx_requests._cli._main", "pandas", "pyarrow"])
_TIMEOUT = 120


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
    command = [PROGRAM, *map(str, arguments)]
    execute = _run_script if any(name.startswith("PYTHON") for name in env) else _run_forked
    # text mode would convert carriage returns to line feeds
    status, output, errors = execute(command, env, stdin.encode())
    result = subprocess.CompletedProcess(command, status, output.decode(), errors.decode())
    assert "Traceback" not in result.stderr or "-v" in arguments
    assert code is None or result.returncode == code, result
    return result


def _run_script(command: list[str], env: dict[str, str], stdin: bytes) -> tuple[int, bytes, bytes]:
    done = subprocess.run(command, env=env, input=stdin, capture_output=True, check=False, timeout=_TIMEOUT)
    return done.returncode, done.stdout, done.stderr


def _run_forked(command: list[str], env: dict[str, str], stdin: bytes) -> tuple[int, bytes, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ("stdin", "stdout", "stderr")]
        files[0].write_bytes(stdin)
        process = _FORKS.Process(target=_run_entry_point, args=(command, env, Path.cwd(), files))
        process.start()
        process.join(_TIMEOUT)
        if process.exitcode is None:
            process.kill()
            pytest.fail(f"{command} runs for more than {_TIMEOUT} s")
        return process.exitcode, files[1].read_bytes(), files[2].read_bytes()


def _run_entry_point(command: list[str], env: dict[str, str], folder: Path, files: list[Path]) -> None:
    os.environ.clear()
    os.environ.update(env)
    os.chdir(folder)
    for number, path in enumerate(files):
        descriptor = os.open(path, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT)
        os.dup2(descriptor, number)
        os.close(descriptor)
    # The objects in `sys` are those of the process that this one is forked from.
    sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, "rb")), encoding="utf-8")
    sys.stdout = io.TextIOWrapper(io.BufferedWriter(io.FileIO(1, "wb")), encoding="utf-8")
    sys.stderr = io.TextIOWrapper(
        io.BufferedWriter(io.FileIO(2, "wb")), encoding="utf-8", errors="backslashreplace", line_buffering=True
    )
    sys.argv = command
    from influx_requests._cli import main  # noqa: PLC0415 - after the streams are replaced

    sys.exit(main())
