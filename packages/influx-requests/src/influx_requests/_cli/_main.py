"""Runs a command, and ends as it should: with one line that says what is wrong, and an exit code."""

from __future__ import annotations

import argparse
import io
import logging
import os
import sys
import traceback
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from influx_proto import (
    AuthenticationError,
    AuthorizationError,
    DatabaseNotFound,
    InfluxDBError,
    ProtocolError,
    RateLimited,
    ServerUnavailable,
    TransportError,
)

from ._arguments import parser
from ._console import PROGRAM, CommandError, Exit, say

#: What to do about an error: the first kind that it is of counts.
_ADVICE: tuple[tuple[type[InfluxDBError], Exit, str], ...] = (
    (TransportError, Exit.UNREACHABLE, "is the server running, and --url (or INFLUXDB_URL) right?"),
    (ProtocolError, Exit.UNREACHABLE, "is that InfluxDB? See --url (or INFLUXDB_URL)"),
    (ServerUnavailable, Exit.UNREACHABLE, "try again later"),
    (RateLimited, Exit.UNREACHABLE, "try again later"),
    (AuthorizationError, Exit.DENIED, "an administrator can GRANT it"),
    (AuthenticationError, Exit.DENIED, "see --username and INFLUXDB_PASSWORD, or INFLUXDB_TOKEN"),
    (DatabaseNotFound, Exit.REFUSED, f"see --database, or create it: {PROGRAM} query 'CREATE DATABASE ...'"),
    (InfluxDBError, Exit.REFUSED, ""),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program.

    Args:
        arguments: those of the command line; None for the process's own.

    Returns:
        The exit code; see `docs/command-line.md`.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # as after `>&-`
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - to the end
    options = parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):  # what is stored is UTF-8, wherever this runs
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        with _log(verbose=options.verbose):
            return _run(options)
    except BrokenPipeError:
        _drop_output()
        return Exit.BROKEN_PIPE


def _run(options: argparse.Namespace) -> Exit:
    try:
        code: Exit = options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except KeyboardInterrupt:
        say(f"{PROGRAM}: interrupted")
        return Exit.INTERRUPTED
    except Exception as error:  # noqa: BLE001 - whatever it is, it is said in one line
        if options.verbose:
            traceback.print_exc()
        message, code = _told(error)
        try:
            say(f"{PROGRAM}: {message}")
        except BrokenPipeError:
            raise
        except OSError:  # the disk that the output goes to is full
            _drop_output()
            say(f"{PROGRAM}: {message}")
    return code


def _drop_output() -> None:
    """Forget what is not written yet: Python would try once more at the end, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _told(error: Exception) -> tuple[str, Exit]:
    match error:
        case CommandError():
            return str(error), error.code
        case InfluxDBError():
            code, advice = next((code, advice) for kind, code, advice in _ADVICE if isinstance(error, kind))
            if str(error).startswith(("database name required", "database is required")):  # of a query, and a write
                advice = "name it with --database (or INFLUXDB_DATABASE)"
            return f"{error}; {advice}" if advice else str(error), code
        case OSError():
            return str(error), Exit.REFUSED
        case _:
            return f"{type(error).__name__}: {error}; this should not happen, -v shows where it did", Exit.INTERNAL


@contextmanager
def _log(*, verbose: bool) -> Generator[None]:
    """Tell on the standard error stream what the libraries have to say; what ends the program is said anyway."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    loggers = [logging.getLogger(name) for name in ("influx_proto",)]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG if verbose else logging.ERROR)
    try:
        yield
    finally:  # for those who call `main` from a program of theirs
        for logger, level in zip(loggers, levels, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)
