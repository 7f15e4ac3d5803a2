"""Messages on stderr, exit codes, and the error that ends a command."""

from __future__ import annotations

import sys
from enum import IntEnum
from importlib import import_module
from typing import Any

from ._terminal import RED, has_color

PROGRAM = "influxq"


class Exit(IntEnum):
    """The program's exit codes."""

    OK = 0
    #: The server returned an error, or the data is invalid.
    FAILED = 1
    #: Usage error; the code that argparse uses.
    USAGE = 2
    #: The server is unreachable, unavailable, or not InfluxDB.
    UNREACHABLE = 3
    #: The credentials are missing or wrong, or lack the privilege.
    DENIED = 4
    #: Internal error.
    INTERNAL = 70
    #: The code that a shell reports for SIGINT.
    INTERRUPTED = 130
    #: The code that a shell reports for SIGPIPE.
    BROKEN_PIPE = 141


class CommandError(Exception):
    """Error that ends the program with a message and an exit code."""

    def __init__(self, message: str, code: Exit = Exit.FAILED) -> None:
        super().__init__(message)
        self.code = code


def file_error(problem: str, error: OSError) -> CommandError:
    """Return the error for a file that cannot be read or written, with the reason of the operating system."""
    return CommandError(f"{problem}: {error.strerror}", Exit.USAGE)


def print_stderr(text: str) -> None:
    """Write a line to stderr, after flushing stdout."""
    sys.stdout.flush()
    sys.stderr.write(f"{to_printable(text)}\n")
    sys.stderr.flush()


def print_error(message: str, prefix: str = PROGRAM) -> None:
    """Write the message of an error to stderr, with a prefix that is red at a terminal."""
    before, after = RED if has_color(sys.stderr) else ("", "")
    sys.stdout.flush()
    sys.stderr.write(f"{before}{prefix}:{after} {to_printable(message)}\n")
    sys.stderr.flush()


def to_printable(text: str) -> str:
    """Return the text on one line, with control characters escaped."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def width(text: str) -> int:
    """Return the number of terminal cells that printable text occupies."""
    if text.isascii():
        return len(text)
    from wcwidth import wcswidth  # noqa: PLC0415 - has large tables, and most text is ASCII

    return wcswidth(text)


def format_count(number: int, noun: str) -> str:
    """Return a number with its noun: "1 line", "2 lines"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def import_optional(module: str, feature: str, install: str | None = None) -> Any:
    """Import a module of an optional dependency.

    Args:
        module: the module.
        feature: what needs it, for the message.
        install: the name of the package; by default that of the module.

    Raises:
        CommandError: the package is not installed.
    """
    try:
        return import_module(module)
    except ImportError:
        package = install or module.partition(".")[0]
        raise CommandError(f"{feature} needs {package}; install {package}", Exit.USAGE) from None
