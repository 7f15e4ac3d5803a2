"""What is said beside the output, and how the program ends."""

from __future__ import annotations

import sys
from enum import IntEnum
from importlib import import_module
from typing import Any

PROGRAM = "influx-requests"


class Exit(IntEnum):
    """The program's exit codes."""

    OK = 0
    #: The server refuses something, or data are wrong.
    REFUSED = 1
    #: The program was called in a wrong way; argparse's own code.
    USAGE = 2
    #: No server, or nothing that is InfluxDB, answers.
    UNREACHABLE = 3
    #: The credentials are missing, wrong, or do not allow this.
    DENIED = 4
    #: What should not happen.
    INTERNAL = 70
    #: As the shell has it for whoever is ended by Ctrl-C, and by a pipe that nobody reads.
    INTERRUPTED = 130
    BROKEN_PIPE = 141


class CommandError(Exception):
    """Something that ends the program, with what to say about it."""

    def __init__(self, message: str, code: Exit = Exit.REFUSED) -> None:
        super().__init__(message)
        self.code = code


def say(text: str) -> None:
    """Write a line to the standard error stream, after what was written to the other."""
    sys.stdout.flush()
    sys.stderr.write(f"{printable(text)}\n")
    sys.stderr.flush()


def printable(text: str) -> str:
    """Give text on one line, without what a terminal would take for orders."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def width(text: str) -> int:
    """Return the number of terminal cells that printable text occupies."""
    if text.isascii():
        return len(text)
    from wcwidth import wcswidth  # noqa: PLC0415 - has large tables, and most text is ASCII

    return wcswidth(text)


def count(number: int, noun: str) -> str:
    """Give a number of things in words."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def needed(module: str, what: str) -> Any:
    """Import an optional dependency of `what`."""
    try:
        return import_module(module)
    except ImportError:
        package = module.partition(".")[0]
        msg = f"{what} needs {package}; install {package}"
        raise CommandError(msg, Exit.USAGE) from None
