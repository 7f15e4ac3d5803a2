"""Entry point: runs a command, reports an error in one line, and returns the exit code."""

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

from ._arguments import create_parser
from ._console import PROGRAM, CommandError, Exit, print_stderr
from ._signals import ENDING, Terminated, handlers, raise_terminated

#: Exit code and remedy for each exception class; the first match is used.
_ADVICE: tuple[tuple[type[InfluxDBError], Exit, str], ...] = (
    (TransportError, Exit.UNREACHABLE, "check that the server is running, and --url (or INFLUXDB_URL)"),
    (ProtocolError, Exit.UNREACHABLE, "check that --url (or INFLUXDB_URL) is the address of InfluxDB"),
    (ServerUnavailable, Exit.UNREACHABLE, "retry later"),
    (RateLimited, Exit.UNREACHABLE, "retry later"),
    (AuthorizationError, Exit.DENIED, "ask an administrator to GRANT the privilege"),
    (AuthenticationError, Exit.DENIED, "check --username and INFLUXDB_PASSWORD, or INFLUXDB_TOKEN"),
    (DatabaseNotFound, Exit.FAILED, f"check --database, or create it: {PROGRAM} query 'CREATE DATABASE ...'"),
    (InfluxDBError, Exit.FAILED, ""),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code.

    Args:
        arguments: the command-line arguments; None for those of the process.

    Returns:
        The exit code; see `docs/command-line.md`.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # as after `>&-`
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - stays open until exit
    options = create_parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):  # InfluxDB stores UTF-8, whatever the locale
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        with _logging(verbose=options.verbose), handlers(raise_terminated, ENDING[1:]):
            return _run(options)
    except BrokenPipeError:
        _discard_output()
        return Exit.BROKEN_PIPE


def _run(options: argparse.Namespace) -> int:
    try:
        code: int = options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except KeyboardInterrupt:
        print_stderr(f"{PROGRAM}: interrupted")
        return Exit.INTERRUPTED
    except Terminated as end:
        print_stderr(f"{PROGRAM}: terminated")
        return end.exit_code
    except Exception as error:  # noqa: BLE001 - every error is reported in one line
        if options.verbose:
            traceback.print_exc()
        message, code = _describe(error)
        try:
            print_stderr(f"{PROGRAM}: {message}")
        except BrokenPipeError:
            raise
        except OSError:  # flushing stdout failed, for example on a full disk
            _discard_output()
            print_stderr(f"{PROGRAM}: {message}")
    return code


def _discard_output() -> None:
    """Discard buffered output, since Python would flush it again at exit and print an error."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _describe(error: Exception) -> tuple[str, Exit]:
    match error:
        case CommandError():
            return str(error), error.code
        case InfluxDBError():
            code, advice = next((code, advice) for kind, code, advice in _ADVICE if isinstance(error, kind))
            # InfluxDB's messages for a query and for a write.
            if str(error).startswith(("database name required", "database is required")):
                advice = "pass --database (or set INFLUXDB_DATABASE)"
            return f"{error}; {advice}" if advice else str(error), code
        case OSError():
            return str(error), Exit.FAILED
        case _:
            return f"internal error: {type(error).__name__}: {error}; pass -v for the traceback", Exit.INTERNAL


@contextmanager
def _logging(*, verbose: bool) -> Generator[None]:
    """Log the library's messages to stderr: all if `verbose`, otherwise only errors."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    loggers = [logging.getLogger(name) for name in ("influx_proto",)]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG if verbose else logging.ERROR)
    try:
        yield
    finally:  # a program that calls `main` keeps its logging configuration
        for logger, level in zip(loggers, levels, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)
