"""Recipes that are whole programs: each runs in a process, with a real InfluxDB."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery  # type: ignore[import-untyped]  # no type hints

from tests.servers.influxd import Influxd, execute

RECIPES = Path(__file__).parents[2] / "docs" / "recipes"
DEADLINE = 60.0


def programs(page: str) -> list[str]:
    return re.findall(r"^```py\n(.*?)^```", (RECIPES / page).read_text(), re.DOTALL | re.MULTILINE)


def write_files(page: str, folder: Path) -> None:
    """Write the programs of a page that start with a file name, as `# tasks.py`."""
    for program in programs(page):
        if name := re.match(r"# (\S+\.py)\n", program):
            (folder / name[1]).write_text(program)


@pytest.fixture
def server() -> Iterator[Influxd]:
    """Return a separate, empty server."""
    with Influxd() as server:
        yield server


def environment(server: Influxd) -> dict[str, str]:
    return os.environ | {"INFLUXDB_URL": f"{server.url}?database=testdb"}


def count(server: Influxd, measurement: str) -> int:
    [statement] = execute(server.url, f"SELECT count(*) FROM testdb..{measurement}")["results"]
    return sum(series["values"][0][1] for series in statement.get("series", []))


@pytest.mark.parametrize(
    ("number", "form"), list(enumerate(["Sync", "asyncio", "trio"])), ids=["Sync", "asyncio", "trio"]
)
def test_shutdown_on_sigterm(number: int, form: str, server: Influxd) -> None:
    program = programs("services.md")[number]
    assert form == "Sync" or form in program
    command = [sys.executable, "-W", "error", "-c", program]
    with subprocess.Popen(command, env=environment(server), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "alive\n"
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=DEADLINE)
        assert process.returncode == 0
    stored = re.search(r"stopped: (\d+) lines stored", out)
    assert stored is not None
    assert count(server, "service") == int(stored[1]) >= 1


def test_multiprocessing(server: Influxd, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(programs("processes.md")[0])
    run = subprocess.run(
        [sys.executable, "program.py"],
        cwd=tmp_path,
        env=environment(server),
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout == "45 runs\n"


def test_gunicorn(server: Influxd, tmp_path: Path) -> None:
    """The workers write through one batch writer each, and flush it when they are stopped."""
    write_files("processes.md", tmp_path)
    command = [sys.executable, "-m", "gunicorn", "--bind", "127.0.0.1:0", "shop:app"]
    with subprocess.Popen(command, cwd=tmp_path, env=environment(server), stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        address = next(found[0] for line in process.stderr if (found := re.search(r"http://[\d.:]+", line)))
        for _ in range(5):
            with urllib.request.urlopen(f"{address}/tea", timeout=DEADLINE) as response:
                assert response.status == 204
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=DEADLINE)
        assert process.returncode == 0, err
    assert count(server, "visits") == 5


def test_celery(server: Influxd, tmp_path: Path) -> None:
    """A process flushes its batch writer when another replaces it, after two tasks, and when the worker is stopped."""
    write_files("processes.md", tmp_path)
    queue, control = tmp_path / "queue", tmp_path / "control"
    queue.mkdir()
    control.mkdir()
    folders = {"data_folder_in": str(queue), "data_folder_out": str(queue), "control_folder": str(control)}
    options = folders | {"polling_interval": 0.05}
    (tmp_path / "celeryconfig.py").write_text(f"broker_url = 'filesystem://'\nbroker_transport_options = {options!r}\n")
    execute(server.url, "CREATE DATABASE testdb")
    with Celery(broker="filesystem://", broker_transport_options=options) as sender:
        for path in ("/tea", "/coffee", "/milk"):
            sender.send_task("tasks.visit", [path])
    command = [sys.executable, "-m", "celery", "-A", "tasks", "worker", "-c", "1", "--max-tasks-per-child", "2"]
    command += ["--loglevel", "info", "--without-gossip", "--without-mingle", "--without-heartbeat"]
    with subprocess.Popen(command, cwd=tmp_path, env=environment(server), stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        done: set[str] = set()
        for line in process.stderr:
            if found := re.search(r"(ForkPoolWorker-\d+)\] Task tasks.visit\[(\S+)\] succeeded", line):
                done |= {found[1], found[2]}
                if len(done) == 5:  # three tasks in two processes
                    process.send_signal(signal.SIGTERM)
    assert process.returncode == 0
    assert count(server, "visits") == 3


def test_pytest_fixture(server: Influxd, tmp_path: Path) -> None:
    write_files("testing.md", tmp_path)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    env = environment(server) | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # the recipe needs no plugin
    run = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=DEADLINE)
    assert run.returncode == 0, run.stdout
    [names] = execute(server.url, "SHOW DATABASES")["results"][0]["series"]
    assert [name for (name,) in names.get("values", []) if name.startswith("test_")] == []
