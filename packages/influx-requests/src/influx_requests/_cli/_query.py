"""`query`: InfluxQL, and its answer as rows of several formats or as a picture."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from influx_proto import InfluxDBError

from ._connection import client_for
from ._console import CommandError, Exit, say
from ._files import STDIN, format_of
from ._outputs import Output, output_to

#: Formats that have times of a type of their own.
_TIMED = {"lp", "parquet"}


def run(options: argparse.Namespace) -> Exit:
    """Run a query."""
    text = _text(options)
    kind = "plot" if options.plot else _format(options)
    if options.epoch and (kind in _TIMED or kind == "plot"):
        msg = f"--epoch: {'a plot' if kind == 'plot' else f'the format {kind}'} has times of its own kind"
        raise CommandError(msg, Exit.USAGE)
    epoch = "ns" if kind in _TIMED or kind == "plot" else options.epoch
    with client_for(options) as client:
        try:
            stream = client.query_chunks(text, rp=options.rp, params=options.params, epoch=epoch)
        except InfluxDBError:
            raise
        except (ValueError, TypeError) as error:
            raise CommandError(str(error), Exit.USAGE) from error
        rows = 0
        with _output(kind, options) as output, stream as chunks:
            for chunk in chunks:
                for result in chunk["results"]:
                    for message in result.get("messages", ()):
                        say(f"{message.get('level', 'message')}: {message.get('text', '')}")
                rows += sum(len(series.values) for series in chunk.series)
                output.add(chunk)
            output.close()
        if not rows and sys.stderr.isatty():
            say("no rows")
    return Exit.OK


def _text(options: argparse.Namespace) -> str:
    if options.query is not None and options.file is not None:
        msg = "give the query or --file, not both"
        raise CommandError(msg, Exit.USAGE)
    if options.query == STDIN:
        return sys.stdin.read()
    if options.query is not None:
        return str(options.query)
    if options.file is None:
        after = " (--plot takes what follows it for the name of an image: put it last)" if options.plot else ""
        msg = f"no query: give one, or --file FILE, or - to read it from the standard input{after}"
        raise CommandError(msg, Exit.USAGE)
    try:
        return str(options.file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        msg = f"cannot read {options.file}: {error.strerror if isinstance(error, OSError) else 'it is no UTF-8'}"
        raise CommandError(msg, Exit.USAGE) from error


def _format(options: argparse.Namespace) -> str:
    if options.format is not None:
        kind = str(options.format)
    elif options.output is not None:
        kind = format_of(options.output) or "csv"
    else:
        kind = "table" if sys.stdout.isatty() else "csv"
    if kind == "parquet" and options.output is None:
        msg = "--format parquet needs a file: --output FILE"
        raise CommandError(msg, Exit.USAGE)
    if options.tag_columns and kind not in {"json", "lp"}:
        msg = f"--tag-columns: is for the formats json and lp, not {kind}"
        raise CommandError(msg, Exit.USAGE)
    return kind


@contextmanager
def _output(kind: str, options: argparse.Namespace) -> Generator[Output]:
    if kind == "plot":
        from ._plot import Plot  # noqa: PLC0415 - loads what others need not have

        if options.output is not None or options.format is not None:
            msg = "--plot: draws instead of giving rows; --plot IMAGE names its file, and --format and --output are not"
            raise CommandError(f"{msg} for it", Exit.USAGE)
        yield Plot(None if options.plot is True else Path(options.plot))
    elif kind == "parquet":
        from ._parquet_output import ParquetOutput  # noqa: PLC0415 - see above

        with _replaced(options.output) as path:
            yield ParquetOutput(path)
    elif options.output is None:
        yield output_to(sys.stdout, kind, options)
    else:
        with _replaced(options.output) as path, _written(path) as file:
            yield output_to(file, kind, options)


@contextmanager
def _replaced(path: Path) -> Generator[Path]:
    """Give a file to write to, which takes the place of another once it is whole; devices are written to directly."""
    if path.exists() and not path.is_file():
        yield path
        return
    new = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        yield new
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


@contextmanager
def _written(path: Path) -> Generator[TextIO]:
    try:
        file = path.open("w", encoding="utf-8", newline="")
    except OSError as error:
        msg = f"cannot write {error.filename}: {error.strerror}"
        raise CommandError(msg, Exit.USAGE) from error
    with file:
        yield file
