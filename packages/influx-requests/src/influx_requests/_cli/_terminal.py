"""Terminals: colour, width, and a pager for long output."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import IO, Final

from ._signals import handlers

#: Escape sequences before and after a bold text, and a red one.
BOLD: Final = ("\x1b[1m", "\x1b[0m")
RED: Final = ("\x1b[31m", "\x1b[0m")


def has_color(stream: IO[str]) -> bool:
    """Return whether colour and cursor movement may be used: at a terminal, without `NO_COLOR` or `TERM=dumb`."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and is_capable()


def is_capable() -> bool:
    """Return whether the terminal can move the cursor."""
    return sys.platform == "win32" or os.environ.get("TERM", "dumb") not in {"", "dumb"}


def columns() -> int:
    """Return the width of the terminal in characters."""
    return shutil.get_terminal_size((80, 24)).columns


@contextmanager
def paged(*, is_enabled: bool) -> Generator[tuple[IO[str], bool]]:
    """Yield a file for output and whether it is a pager; otherwise it is stdout.

    The pager is `$PAGER`, or `less`. Quitting it ends the output without an error.
    """
    command = _pager() if is_enabled and sys.stdout.isatty() and is_capable() else None
    if command is None:
        yield sys.stdout, False
        return
    import subprocess  # noqa: PLC0415 - rarely needed

    environment = {"LESS": "FRSX", **os.environ}  # F: only if the output is longer than the screen; S: do not wrap
    process = subprocess.Popen(  # noqa: S603 - the user's own pager
        command, stdin=subprocess.PIPE, encoding="utf-8", errors="replace", env=environment
    )
    assert process.stdin is not None  # noqa: S101 - for the type checker
    try:
        with suppress(BrokenPipeError):  # the user quit the pager
            yield process.stdin, True
    finally:
        with handlers(lambda _number, _frame: None, (signal.SIGINT,)):  # Ctrl-C is for the pager
            with suppress(BrokenPipeError):
                process.stdin.close()
            process.wait()


def _pager() -> list[str] | None:
    import shlex  # noqa: PLC0415 - rarely needed

    given = os.environ.get("PAGER")
    command = shlex.split(given) if given is not None else ["less"]
    return command if command and command[0] != "cat" and shutil.which(command[0]) else None
