"""Command `query`: runs InfluxQL and writes the result as rows or as a plot."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from influx_proto import InfluxDBError
from influx_proto.influxql import quote_identifier

from influx_requests import InfluxDBClient

from ._compression import compression_of_name, strip_suffix
from ._connection import create_client
from ._console import PROGRAM, CommandError, Exit, file_error, print_stderr
from ._errors import name_option
from ._files import STDIN, STDOUT_PATHS, decode, guess_format, read_stdin
from ._output_file import open_text, replace_when_complete
from ._outputs import Output, create_output
from ._schema import field_types
from ._terminal import columns, paged

#: Formats with a timestamp type, to which --epoch does not apply.
_TYPED_TIME_FORMATS = {"lp", "parquet", "plot"}


def run(options: argparse.Namespace) -> Exit:
    """Run a query."""
    if options.output is not None and str(options.output) in STDOUT_PATHS:
        options.output = None
    text = _read_query(options)
    _check_statement(text)
    output_format = "plot" if options.plot else _choose_format(options)
    _check_options(output_format, options)
    if options.epoch and output_format in _TYPED_TIME_FORMATS:
        name = "--plot" if output_format == "plot" else f"--format {output_format}"
        raise CommandError(f"--epoch does not apply to {name}; omit it", Exit.USAGE)
    epoch = "ns" if output_format in _TYPED_TIME_FORMATS else options.epoch
    with create_client(options) as client:
        try:
            stream = client.query_chunks(text, rp=options.rp, params=options.params, epoch=epoch)
        except InfluxDBError:
            raise
        except (ValueError, TypeError) as error:
            raise CommandError(name_option(str(error)), Exit.USAGE) from error
        rows = 0
        exported: set[str] = set()
        with _open_output(output_format, options) as output, stream as chunks:
            for chunk in chunks:
                for result in chunk["results"]:
                    for message in result.get("messages", ()):
                        print_stderr(f"{message.get('level', 'message')}: {message.get('text', '')}")
                rows += sum(len(series.values) for series in chunk.series)
                output.add(chunk)
                if output_format == "lp":
                    exported |= {series.name for series in chunk.series}
        with suppress(InfluxDBError):  # the query may read another database, and the result is complete
            _warn_of_mixed_types(client, sorted(exported), options.rp)
        if not rows and sys.stderr.isatty():
            print_stderr("no rows")
    return Exit.OK


def _warn_of_mixed_types(client: InfluxDBClient, measurements: list[str], rp: str | None) -> None:
    """Warn of fields with several types, of which a query returns only the values of one."""
    prefix = f"{quote_identifier(rp)}." if rp else ""
    for name in measurements:
        types = field_types(client, f" FROM {prefix}{quote_identifier(name)}")
        for field, found in types.get(name, {}).items():
            if len(found) > 1 and set(found) != {"float", "integer"}:  # integers are converted to floats
                print_stderr(
                    f"warning: field {field!r} of {name!r} has the types {', '.join(found)}, and a query returns the "
                    f"values of only one; select the others with {quote_identifier(field)}::{found[-1]}"
                )


def _read_query(options: argparse.Namespace) -> str:
    if options.query is not None and options.file is not None:
        raise CommandError("pass the query or --file, not both", Exit.USAGE)
    if options.query is not None and options.query != STDIN:
        return str(options.query)
    if options.query is None and options.file is None:
        hint = " (--plot reads the argument after it as an image name: pass it last)" if options.plot else ""
        raise CommandError(f"query required; pass QUERY, --file FILE, or - for standard input{hint}", Exit.USAGE)
    if options.file is None:
        return read_stdin("the query")
    try:
        data: bytes = options.file.read_bytes()
    except OSError as error:
        raise file_error(f"cannot read {options.file}", error) from error
    return decode(data, options.file)


def _check_statement(text: str) -> None:
    """Reject the commands of the shell, which the server does not know."""
    match text.split(maxsplit=1)[:1]:
        case [word] if word.upper() == "INSERT":
            msg = f"INSERT is a command of the shell; run {PROGRAM} write 'cpu,host=a load=1'"
        case [word] if word.upper() == "USE":
            msg = "USE is a command of the shell; pass --database NAME"
        case _:
            return
    raise CommandError(msg, Exit.USAGE)


def _choose_format(options: argparse.Namespace) -> str:
    if options.format is not None:
        output_format = str(options.format)
    elif options.output is not None:
        output_format = guess_format(options.output) or "csv"
        if output_format == "csv" and strip_suffix(options.output).suffix.lower() not in {"", ".csv"}:
            raise CommandError(f"{options.output}: unknown suffix; pass --format", Exit.USAGE)
    else:
        output_format = "table" if sys.stdout.isatty() else "csv"
    if output_format == "parquet":
        if options.output is None:
            raise CommandError("--format parquet requires --output FILE", Exit.USAGE)
        if compression_of_name(options.output):
            msg = f"{options.output}: Parquet compresses its data itself; omit the last suffix"
            raise CommandError(msg, Exit.USAGE)
    return output_format


def _check_options(output_format: str, options: argparse.Namespace) -> None:
    for is_given, option, formats in (
        (options.pretty, "--pretty", ["json"]),
        (options.tag_columns, "--tag-columns", ["json", "lp"]),
        (options.null, "--null", ["csv"]),
    ):
        if is_given and output_format not in formats:
            raise CommandError(f"{option} requires --format {' or '.join(formats)}, not {output_format}", Exit.USAGE)


@contextmanager
def _open_output(output_format: str, options: argparse.Namespace) -> Generator[Output]:
    if output_format == "plot":
        from ._plot import Plot  # noqa: PLC0415 - optional dependencies

        if options.output is not None or options.format is not None:
            msg = "--plot cannot be combined with --format or --output; pass --plot IMAGE to write an image"
            raise CommandError(msg, Exit.USAGE)
        plot = Plot(None if options.plot is True else Path(options.plot))
        yield plot
        plot.close()
    elif output_format == "parquet":
        from ._parquet_output import ParquetOutput  # noqa: PLC0415 - optional dependencies

        with replace_when_complete(options.output) as path:
            parquet = ParquetOutput(path)
            yield parquet
            parquet.close()
    elif options.output is None:
        with paged(is_enabled=options.pager and output_format in {"table", "vertical"}) as (file, is_pager):
            fits = is_pager or options.wide or not file.isatty()
            yield create_output(file, output_format, options, max_width=None if fits else columns())
    else:
        with replace_when_complete(options.output) as path, open_text(path, options.output) as file:
            yield create_output(file, output_format, options)
