"""Shell examples in the docs: their commands print what is shown."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.influxd import Influxd

ROOT = Path(__file__).parents[2]
PAGES = [*sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "packages").glob("*/README.md"))]
#: Separates the output of commands, which run in one shell and share its variables.
MARK = "--- the next command ---"


def commands_of(page: Path) -> list[tuple[str, str]]:
    """Yield each command of the page's consoles with the output shown below it."""
    found = []
    for block in re.findall(r"^```console\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE):
        for command, shown in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE):
            found.append((command, shown))
    return found


@pytest.fixture
def server() -> Iterator[Influxd]:
    """Return a separate, empty server."""
    with Influxd() as server:
        yield server


@pytest.mark.parametrize("page", [page for page in PAGES if commands_of(page)], ids=lambda page: page.name)
def test_page(page: Path, server: Influxd, tmp_path: Path) -> None:
    """The commands run in sequence in one shell; `...` matches any output."""
    commands = commands_of(page)
    script = "".join(f"{command}\necho '{MARK}'\n" for command, _ in commands)
    folder = Path(sys.executable).parent
    env = {"PATH": f"{folder}:/usr/bin:/bin", "INFLUXDB_URL": server.url, "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        ["bash", "-c", script],
        stdin=subprocess.DEVNULL,
        cwd=tmp_path,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=True,
        timeout=120,
    )
    outputs = done.stdout.replace(server.url, "http://localhost:8086").split(f"{MARK}\n")
    assert len(outputs) == len(commands) + 1
    checker = doctest.OutputChecker()
    for (command, shown), output in zip(commands, outputs, strict=False):
        example = doctest.Example(command, shown)
        assert checker.check_output(shown, output, doctest.ELLIPSIS), checker.output_difference(
            example, output, doctest.ELLIPSIS
        )


def test_there_are_consoles() -> None:
    assert sum(len(commands_of(page)) for page in PAGES) > 30
