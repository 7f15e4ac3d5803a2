"""Terminals: colour, width, and a pager for long output."""

from __future__ import annotations

import io
import os
import shutil
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, Protocol

from ._signals import handlers

if TYPE_CHECKING:
    import subprocess

#: Escape sequences before and after a bold text, and a red one.
BOLD: Final = ("\x1b[1m", "\x1b[0m")
RED: Final = ("\x1b[31m", "\x1b[0m")


class TextOutput(Protocol):
    """A file for text output."""

    def write(self, text: str, /) -> int:
        """Write the text."""
        ...

    def isatty(self) -> bool:
        """Return whether the file is a terminal."""
        ...


def has_color(stream: TextOutput) -> bool:
    """Return whether colour and cursor movement may be used: at a terminal, without `NO_COLOR` or `TERM=dumb`."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and is_capable()


def is_capable() -> bool:
    """Return whether the terminal can move the cursor."""
    return sys.platform == "win32" or os.environ.get("TERM", "dumb") not in {"", "dumb"}


def columns() -> int:
    """Return the width of the terminal in characters."""
    return shutil.get_terminal_size((80, 24)).columns


@contextmanager
def paged(*, is_enabled: bool) -> Generator[tuple[TextOutput, bool]]:
    """Yield a file for output and whether it is a pager; otherwise it is stdout.

    The pager is `$PAGER`, or `less`. Quitting it ends the output without an error.
    """
    command = _pager() if is_enabled and sys.stdout.isatty() and is_capable() else None
    if command is None:
        yield sys.stdout, False
        return
    with _Pager(command) as pager, suppress(BrokenPipeError):  # the user quit the pager
        yield pager, True


class _Pager(io.TextIOBase):
    """Standard input of a pager, which starts at the first write.

    Ctrl-C while the server executes a query would leave the user in a pager without output.
    """

    def __init__(self, command: list[str]) -> None:
        super().__init__()
        self._command = command
        self._process: subprocess.Popen[str] | None = None

    def write(self, text: str, /) -> int:
        """Write to the pager."""
        if self._process is None:
            self._process = self._start()
        assert self._process.stdin is not None  # noqa: S101 - for the type checker
        return self._process.stdin.write(text)

    def _start(self) -> subprocess.Popen[str]:
        import subprocess  # noqa: PLC0415 - rarely needed

        environment = {"LESS": "FRSX", **os.environ}  # F: only if the output is longer than the screen; S: do not wrap
        return subprocess.Popen(  # noqa: S603 - the user's own pager
            self._command, stdin=subprocess.PIPE, encoding="utf-8", errors="replace", env=environment
        )

    def close(self) -> None:
        """Wait until the user quits the pager."""
        super().close()
        if self._process is None:
            return
        assert self._process.stdin is not None  # noqa: S101 - for the type checker
        with handlers(lambda _number, _frame: None, (signal.SIGINT,)):  # Ctrl-C is for the pager
            with suppress(BrokenPipeError):
                self._process.stdin.close()
            self._process.wait()


def _pager() -> list[str] | None:
    import shlex  # noqa: PLC0415 - rarely needed

    given = os.environ.get("PAGER")
    command = shlex.split(given) if given is not None else ["less"]
    return command if command and command[0] != "cat" and shutil.which(command[0]) else None
