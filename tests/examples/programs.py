"""The examples as their users run them: by the command that stands in the docstring, in a process of its own."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

ROOT = Path(__file__).parents[2]

#: For all that is waited for; nothing here takes a tenth of it.
DEADLINE = 60.0


def shown_arguments(name: str) -> list[str]:
    """The arguments in the command that the docstring of an example shows."""
    docstring = ast.get_docstring(ast.parse((ROOT / f"examples/{name}.py").read_text()))
    found = re.search(rf"^ +.*python -m examples\.{name}\b(.*)$", docstring or "", re.MULTILINE)
    assert found is not None, f"{name} does not show how to run it"
    return shlex.split(found[1])


class Program:
    """An example that runs; what it prints is collected."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.out = ""
        self.err = ""
        self._readers = [threading.Thread(target=self._read, args=(name,)) for name in ("out", "err")]
        for reader in self._readers:
            reader.start()

    def send(self, text: str) -> None:
        """Give it something to read."""
        assert self.process.stdin is not None
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def close(self) -> None:
        """Tell it that there is nothing more to read."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def until(self, condition: Callable[[], Any]) -> None:
        """Wait until something is so."""
        deadline = time.monotonic() + DEADLINE
        while not condition():
            assert self.process.poll() is None, f"it ended with {self.process.poll()}: {self.out}{self.err}"
            assert time.monotonic() < deadline, f"it goes on: {self.out}{self.err}"
            time.sleep(0.01)

    def end(self, number: int | None = None, *, status: int = 0) -> str:
        """Send it a signal, if one is given, and wait for its end with this status; gives what it printed."""
        if number is not None:
            self.process.send_signal(number)
        ended = self.process.wait(DEADLINE)
        self.read_to_the_end()
        assert ended == status, f"it ended with {ended}: {self.out}{self.err}"
        return self.out

    def read_to_the_end(self) -> None:
        """Wait until all is collected that it has printed."""
        for reader in self._readers:
            reader.join()

    def peak(self) -> int:
        """How many bytes of memory it has had at the most until now; 0 where it is over."""
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{self.process.pid}/status").read_text())
        return 1024 * int(found[1]) if found else 0

    def _read(self, name: str) -> None:
        stream = self.process.stdout if name == "out" else self.process.stderr
        assert stream is not None
        with stream:
            for line in stream:
                setattr(self, name, getattr(self, name) + line)


@contextmanager
def started(name: str, *more: str, url: str, database: str, folder: Path) -> Generator[Program]:
    """Start an example in a folder by the command that it shows, and more arguments; it does not outlive the block."""
    with running(name, [*shown_arguments(name), *more], url=url, database=database, folder=folder) as program:
        yield program


@contextmanager
def running(name: str, arguments: list[str], *, url: str, database: str, folder: Path) -> Generator[Program]:
    """Start an example in a folder; it does not outlive the block."""
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
    )
    program = Program(process)
    try:
        yield program
    finally:
        process.kill()
        program.read_to_the_end()
        with process:
            pass
