"""Entry point: runs a command, reports an error in one line, and returns the exit code."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ._arguments import parse_arguments
from ._console import PROGRAM, CommandError, Exit, print_error, print_stderr
from ._signals import ENDING, Terminated, handlers, raise_terminated


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code.

    Args:
        arguments: the command-line arguments; None for those of the process.

    Returns:
        The exit code; see `docs/command-line.md`.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # as after `>&-`
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - stays open until exit
    options = parse_arguments(arguments)
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
            import traceback  # noqa: PLC0415 - rarely needed

            traceback.print_exc()
        message, code = _describe(error)
        try:
            print_error(message)
        except BrokenPipeError:
            raise
        except OSError:  # flushing stdout failed, for example on a full disk
            _discard_output()
            print_error(message)
    return code


def _describe(error: Exception) -> tuple[str, Exit]:
    if isinstance(error, CommandError):
        return str(error), error.code
    from ._errors import describe  # noqa: PLC0415 - imports the library, which is not needed for usage errors

    return describe(error)


def _discard_output() -> None:
    """Discard buffered output, since Python would flush it again at exit and print an error."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _logging(*, verbose: bool) -> Generator[None]:
    """Log the library's messages to stderr: all if `verbose`, otherwise only errors."""
    import logging  # noqa: PLC0415 - takes longer to import than the rest of the standard library that is used

    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("influx_proto")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG if verbose else logging.ERROR)
    try:
        yield
    finally:  # a program that calls `main` keeps its logging configuration
        logger.removeHandler(handler)
        logger.setLevel(level)
