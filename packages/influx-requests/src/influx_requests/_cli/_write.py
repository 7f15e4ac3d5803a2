"""`write`: points from files or the standard input."""

from __future__ import annotations

import argparse
import io
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TextIO

from influx_proto import RetryPolicy

from influx_requests import InfluxDBClient

from ._connection import client_for
from ._console import CommandError, Exit, count, say
from ._csv_source import CSVOptions, CSVSource
from ._delivery import Delivery
from ._files import STDIN, format_of, is_same_file, opened
from ._parquet_source import ParquetSource
from ._progress import ProgressFile, Reached
from ._sources import JSONLines, LineProtocol, Source


@dataclass(frozen=True)
class _Job:
    source: Source
    progress: ProgressFile | None
    begin: Reached


def run(options: argparse.Namespace) -> Exit:
    """Write files, one after the other."""
    files: list[str] = options.files or [STDIN]
    if options.resume and STDIN in files:
        msg = "--resume: is for files; what came before on the standard input is gone"
        raise CommandError(msg, Exit.USAGE)
    retry = RetryPolicy(attempts=1_000_000, max_total=options.retry_for, max_backoff=2.0)
    with ExitStack() as stack:
        client = stack.enter_context(client_for(options, retry))
        # All are looked at before anything is sent.
        jobs = [_job(path, options, client, stack) for path in files]
        rejected = _rejected_file(options, files, stack)
        refused = sum(_write(job, client, options.rp, rejected) for job in jobs)
        for job in jobs:
            if job.progress is not None:
                job.progress.remove()
    return Exit.REFUSED if refused else Exit.OK


def _write(job: _Job, client: InfluxDBClient, rp: str | None, refused: TextIO | None) -> int:
    """Write a source; give how many of its lines were rejected."""
    name = job.source.name
    if job.begin.position.offset:
        say(f"{name}: goes on after line {job.begin.position.lines:,}")
    delivery = Delivery(client, job.source, job.begin, rp=rp, progress=job.progress, rejected=refused)
    try:
        delivery.run()
    except BaseException:
        again = ""
        if job.progress is not None and job.progress.exists:
            again = f", up to line {delivery.reached.position.lines:,}; the same command with --resume goes on there"
        if delivery.reached.stored:
            say(f"{name}: {count(delivery.reached.stored, 'line')} stored{again}")
        raise
    rejected = delivery.reached.rejected
    say(f"{name}: {count(delivery.reached.stored, 'line')} stored{f', {rejected:,} rejected' if rejected else ''}")
    return rejected


def _job(path: str, options: argparse.Namespace, client: InfluxDBClient, stack: ExitStack) -> _Job:
    kind = options.format or ("lp" if path == STDIN else format_of(path))
    if kind is None:
        msg = f"{path}: the name does not tell the format; give --format lp, csv, json or parquet"
        raise CommandError(msg, Exit.USAGE)
    _check_options(kind, options)
    name, file = stack.enter_context(opened(path))
    source = _source(kind, name, file, options, stack)
    if path == STDIN:
        return _Job(source, None, Reached())
    server = client.settings.server
    progress = ProgressFile(
        Path(path),
        [server.origin + server.path, client.db, options.rp],
        {
            "format": kind,
            "measurement": options.measurement,
            "tag_columns": list(options.tag_columns),
            "time_column": options.time_column,
            "types": options.types,
            "null": options.null,
            "precision": options.precision,
        },
    )
    return _Job(source, progress, progress.load() if options.resume else Reached())


def _check_options(kind: str, options: argparse.Namespace) -> None:
    tables = {"csv", "parquet"}
    for given, option, kinds in (
        (options.types, "--types", {"csv"}),
        (options.null, "--null", {"csv"}),
        (options.tag_columns, "--tag-columns", tables),
        (options.time_column != "time", "--time-column", tables),
        (options.measurement is not None, "--measurement", tables | {"json"}),
    ):
        if given and kind not in kinds:
            msg = f"{option}: is for {' and '.join(sorted(kinds))}, not for {kind}"
            raise CommandError(msg, Exit.USAGE)


def _source(kind: str, name: str, file: IO[bytes], options: argparse.Namespace, stack: ExitStack) -> Source:
    total = Path(name).stat().st_size if Path(name).is_file() else None
    match kind:
        case "lp":
            return LineProtocol(name, file, total, options.precision)
        case "json":
            return JSONLines(name, file, total, measurement=options.measurement, precision=options.precision)
        case "csv":
            if not file.seekable():  # it is read twice
                file = stack.enter_context(_copy(file))
            # The text is closed with its file; a mark of byte order is none of it.
            text = stack.enter_context(io.TextIOWrapper(file, encoding="utf-8-sig", newline=""))
            csv_options = CSVOptions(
                options.measurement,
                options.tag_columns,
                options.time_column,
                options.types,
                options.null,
                options.precision,
            )
            return CSVSource(name, text, csv_options)
        case _:
            if total is None:
                msg = f"{name}: Parquet is read from files only"
                raise CommandError(msg, Exit.USAGE)
            return ParquetSource(
                name,
                measurement=options.measurement,
                tag_columns=options.tag_columns,
                time_column=options.time_column,
                precision=options.precision,
            )


def _copy(file: IO[bytes]) -> IO[bytes]:
    copy = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    shutil.copyfileobj(file, copy)
    return copy


def _rejected_file(options: argparse.Namespace, files: Sequence[str], stack: ExitStack) -> TextIO | None:
    if options.rejected is None:
        return None
    path: Path = options.rejected
    if any(is_same_file(path, file) for file in files):
        msg = f"--rejected {path}: is a file that is to be written; it would be emptied"
        raise CommandError(msg, Exit.USAGE)
    try:
        return stack.enter_context(path.open("a" if options.resume else "w", encoding="utf-8", newline=""))
    except OSError as error:
        msg = f"cannot write {path}: {error.strerror}"
        raise CommandError(msg, Exit.USAGE) from error
