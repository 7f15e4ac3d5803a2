"""Command `write`: writes points from files or standard input."""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO

from influx_proto import RetryPolicy

from influx_requests import InfluxDBClient

from ._connection import create_client
from ._console import CommandError, Exit, file_error, format_count, print_stderr
from ._csv_roles import CSVOptions
from ._csv_source import CSVSource
from ._delivery import Delivery
from ._files import STDIN, Input, guess_format, is_line, is_same_file, open_input
from ._json_source import JSONLines
from ._line_protocol_source import LineProtocol
from ._parquet_source import ParquetSource
from ._progress import Progress, ProgressFile
from ._sources import Source

_CONTENTS: Final = {"lp": "line protocol", "csv": "CSV", "json": "JSON lines", "parquet": "Parquet"}


@dataclass(frozen=True)
class _Job:
    source: Source
    progress_file: ProgressFile | None
    start: Progress


def run(options: argparse.Namespace) -> Exit:
    """Write the files in order."""
    files: list[str] = options.files or [STDIN]
    retry = RetryPolicy(attempts=1_000_000, max_total=options.retry_for, max_backoff=2.0)
    with ExitStack() as stack:
        client = stack.enter_context(create_client(options, retry))
        # All files are checked before anything is sent.
        jobs = [_create_job(path, options, client, stack) for path in files]
        rejected_file = _open_rejected_file(options, files, stack)
        if options.create_database:
            if not client.db:
                raise CommandError("--create-database requires --database (or INFLUXDB_DATABASE)", Exit.USAGE)
            client.create_database(client.db)
        rejected_count = sum(_write(job, client, options, rejected_file) for job in jobs)
        for job in jobs:
            if job.progress_file is not None:
                job.progress_file.remove()
    return Exit.FAILED if rejected_count else Exit.OK


def _write(job: _Job, client: InfluxDBClient, options: argparse.Namespace, rejected_file: TextIO | None) -> int:
    """Write a source and return the number of rejected lines."""
    name = job.source.name
    if job.start.position.offset:
        print_stderr(f"{name}: resuming after line {job.start.position.lines:,}")
    delivery = Delivery(
        client,
        job.source,
        job.start,
        rp=options.rp,
        max_delay=options.max_delay,
        progress_file=job.progress_file,
        rejected=rejected_file,
        has_precision=options.precision is not None,
    )
    try:
        delivery.run()
    except BaseException as error:
        is_interruption = not isinstance(error, Exception)
        if delivery.progress.stored or (is_interruption and job.progress_file is None):
            hint = ""
            if job.progress_file is None:
                pending = delivery.pending
                hint = f", {pending:,} not stored" if pending else ""
            elif job.progress_file.exists:
                line = delivery.progress.position.lines
                hint = f", up to line {line:,}; repeat the command with --resume to continue"
            print_stderr(f"{name}: {_summary(delivery.progress)}{hint}")
        raise
    print_stderr(f"{name}: {_summary(delivery.progress)}")
    return delivery.progress.rejected


def _summary(progress: Progress) -> str:
    rejected = f", {progress.rejected:,} rejected" if progress.rejected else ""
    return f"{format_count(progress.stored, 'line')} stored{rejected}"


def _create_job(path: str, options: argparse.Namespace, client: InfluxDBClient, stack: ExitStack) -> _Job:
    input_format = options.format or ("lp" if path == STDIN or is_line(path) else guess_format(path))
    if input_format is None:
        if not Path(path).exists():
            raise CommandError(f"cannot read {path}: No such file or directory", Exit.USAGE)
        raise CommandError(f"{path}: unknown suffix; pass --format lp, csv, json or parquet", Exit.USAGE)
    _check_options(input_format, options)
    opened = stack.enter_context(open_input(path, _CONTENTS[input_format]))
    if options.resume and opened.path is None:
        raise CommandError(f"--resume requires files; {opened.name} cannot be read again", Exit.USAGE)
    source = _open_source(input_format, opened, options, stack)
    if opened.path is None:
        return _Job(source, None, Progress())
    server = client.settings.server
    progress_file = ProgressFile(
        opened.path,
        [server.origin + server.path, client.db, options.rp],
        {
            "format": input_format,
            "measurement": options.measurement,
            "tag_columns": list(options.tag_columns),
            "time_column": options.time_column,
            "types": options.types,
            "null": sorted(options.null),
            "precision": options.precision,
            "separator": options.separator,
            "decimal": options.decimal,
        },
    )
    return _Job(source, progress_file, progress_file.load() if options.resume else Progress())


def _check_options(input_format: str, options: argparse.Namespace) -> None:
    tables = {"csv", "parquet"}
    for is_given, option, formats in (
        (options.types, "--types", {"csv"}),
        (options.null, "--null", {"csv"}),
        (options.separator != ",", "--separator", {"csv"}),
        (options.decimal != ".", "--decimal", {"csv"}),
        (options.tag_columns, "--tag-columns", tables),
        (options.time_column is not None, "--time-column", tables),
        (options.measurement is not None, "--measurement", tables | {"json"}),
    ):
        if is_given and input_format not in formats:
            msg = f"{option} requires --format {' or '.join(sorted(formats))}, not {input_format}"
            raise CommandError(msg, Exit.USAGE)


def _open_source(input_format: str, opened: Input, options: argparse.Namespace, stack: ExitStack) -> Source:
    if input_format == "lp":
        return LineProtocol(opened, options.precision or "ns", _target_check(opened.name, options))
    if input_format == "json":
        return JSONLines(opened, measurement=options.measurement, precision=options.precision)
    # The other formats are read more than once.
    file = opened.file if opened.path is not None else stack.enter_context(opened.copy_to_temporary())
    if input_format == "csv":
        # `utf-8-sig` skips a byte order mark.
        text = stack.enter_context(io.TextIOWrapper(file, encoding="utf-8-sig", newline=""))
        csv_options = CSVOptions(
            measurement=options.measurement,
            tag_columns=options.tag_columns,
            time_column=options.time_column,
            types=options.types,
            null=frozenset(["", *options.null]),
            precision=options.precision or "ns",
            separator=options.separator,
            decimal=options.decimal,
        )
        return CSVSource(opened.name, text, csv_options)
    return ParquetSource(
        opened.name,
        file,
        measurement=options.measurement,
        tag_columns=options.tag_columns,
        time_column=options.time_column or "time",
        precision=options.precision or "ns",
    )


def _target_check(name: str, options: argparse.Namespace) -> Callable[[int, str | None, str | None], None]:
    """Return a function that raises `CommandError` if a file names another target than the options."""

    def check(number: int, database: str | None, rp: str | None) -> None:
        for option, given, named in (("--database", options.database, database), ("--rp", options.rp, rp)):
            if None not in {given, named} and given != named:
                msg = (
                    f"{name}:{number}: the file names {named!r}, but {option} is {given!r}; omit {option} to write to "
                    f"{named!r}, or remove the comments `# CONTEXT-...` from the file"
                )
                raise CommandError(msg, Exit.USAGE)

    return check


def _open_rejected_file(options: argparse.Namespace, files: Sequence[str], stack: ExitStack) -> TextIO | None:
    if options.rejected is None:
        return None
    path: Path = options.rejected
    if any(is_same_file(path, file) for file in files):
        msg = f"--rejected {path} is also an input file and would be overwritten; pass another file"
        raise CommandError(msg, Exit.USAGE)
    try:
        return stack.enter_context(path.open("a" if options.resume else "w", encoding="utf-8", newline=""))
    except OSError as error:
        raise file_error(f"cannot write {path}", error) from error
