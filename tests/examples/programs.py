"""The examples, run in a subprocess by the command in their docstring."""

from __future__ import annotations

import ast
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

ROOT = Path(__file__).parents[2]

#: Limit for each wait; normally a wait takes less than a tenth of it.
DEADLINE = 60.0


def documented_arguments(name: str) -> list[str]:
    """Return the arguments of the command in an example's docstring."""
    docstring = ast.get_docstring(ast.parse((ROOT / f"examples/{name}.py").read_text()))
    found = re.search(rf"^ +.*python -m examples\.{name}\b(.*)$", docstring or "", re.MULTILINE)
    assert found is not None, f"{name} does not show how to run it"
    return shlex.split(found[1])


class Program:
    """A running example, whose output is collected."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.out = ""
        self.err = ""
        self._readers = [threading.Thread(target=self._read, args=(name,)) for name in ("out", "err")]
        for reader in self._readers:
            reader.start()

    def send(self, text: str) -> None:
        """Write text to its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def close(self) -> None:
        """Close its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def wait_until(self, condition: Callable[[], Any]) -> None:
        """Wait until the condition is true."""
        deadline = time.monotonic() + DEADLINE
        while not condition():
            assert self.process.poll() is None, f"it ended with {self.process.poll()}: {self.out}{self.err}"
            assert time.monotonic() < deadline, f"it goes on: {self.out}{self.err}"
            time.sleep(0.01)

    def wait_for_exit(self, number: int | None = None, *, status: int = 0) -> str:
        """Send a signal, if one is passed, wait for the expected exit status, and return the standard output."""
        if number is not None:
            self.process.send_signal(number)
        ended = self.process.wait(DEADLINE)
        self.collect_output()
        assert ended == status, f"it ended with {ended}: {self.out}{self.err}"
        return self.out

    def collect_output(self) -> None:
        """Wait until all output has been collected."""
        for reader in self._readers:
            reader.join()

    def peak_memory(self) -> int:
        """Return the peak memory use in bytes, or 0 if the process has ended."""
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{self.process.pid}/status").read_text())
        return 1024 * int(found[1]) if found else 0

    def _read(self, name: str) -> None:
        stream = self.process.stdout if name == "out" else self.process.stderr
        assert stream is not None
        with stream:
            for line in stream:
                setattr(self, name, getattr(self, name) + line)


@contextmanager
def start_example(name: str, *more: str, url: str, database: str, folder: Path) -> Generator[Program]:
    """Start an example in a folder by its documented command with additional arguments; stop it on exit."""
    with run_command(name, [*documented_arguments(name), *more], url=url, database=database, folder=folder) as program:
        yield program


@contextmanager
def run_command(name: str, arguments: list[str], *, url: str, database: str, folder: Path) -> Generator[Program]:
    """Start an example in a folder; stop it on exit."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("INFLUXDB_")}
    environment |= {"INFLUXDB_URL": url, "INFLUXDB_DATABASE": database, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", f"examples.{name}", *arguments],
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    program = Program(process)
    try:
        yield program
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # its workers keep the pipes open, which are read until their end
        program.collect_output()
        with process:
            pass
