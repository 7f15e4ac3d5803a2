"""Arguments and help texts of the command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from influx_requests import __version__

from ._console import PROGRAM, Exit

_DESCRIPTION = "Query InfluxDB 1.x, write to it, and check line protocol."

_EPILOG = """\
examples:
  influxq ping
  influxq query -d telegraf "SELECT mean(usage) FROM cpu WHERE time > now() - 1h GROUP BY time(1m)"
  influxq write -d telegraf cpu.lp
  influxq lint cpu.lp

environment:
  INFLUXDB_URL, INFLUXDB_DATABASE, INFLUXDB_USERNAME, INFLUXDB_PASSWORD, INFLUXDB_TOKEN

exit codes:
  0 success; 1 invalid data or an error from the server; 2 usage error; 3 server unreachable;
  4 access denied; 70 internal error; 130 interrupted; 141 broken pipe

See `influxq COMMAND --help` for the options of a command.
"""

_QUERY_EPILOG = """\
examples:
  influxq query -d testdb "SELECT * FROM cpu LIMIT 10"
  influxq query -d testdb 'SELECT * FROM cpu WHERE host = $host' --params '{"host": "a"}'
  influxq query -d testdb --file report.influxql -o report.csv
  influxq query -d testdb "SELECT * FROM cpu GROUP BY *" -f lp > cpu.lp      (export with tags and types)
  influxq query -d testdb "SELECT load FROM cpu GROUP BY host" --plot        (plot in the terminal)
  influxq query -d testdb "SELECT load FROM cpu GROUP BY host" --plot load.png
"""

_WRITE_EPILOG = """\
examples:
  influxq write -d testdb cpu.lp
  influxq write -d testdb cpu.lp --resume           (continues an interrupted import)
  influxq write -d testdb cpu.csv --measurement cpu --tag-columns host,region --precision s
  influxq write -d testdb cpu.parquet --rejected rejected.lp
  tail -f cpu.lp | influxq write -d testdb --precision s    (stores lines as they arrive; Ctrl-C ends it)
"""

_LINT_EPILOG = """\
examples:
  influxq lint cpu.lp memory.lp
  generate | influxq lint --precision s
"""


def create_parser() -> argparse.ArgumentParser:
    """Return the parser; its namespace has `run`, the function that runs the command."""
    root = argparse.ArgumentParser(
        prog=PROGRAM,
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    root.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    commands = root.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(name: str, summary: str, epilog: str = "") -> argparse.ArgumentParser:
        added = commands.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        added.set_defaults(run=_runner(name))
        return added

    _add_connection(command("ping", "print the server's version and response time"))
    query = command("query", "run an InfluxQL query and print the result", _QUERY_EPILOG)
    _add_query(query)
    _add_connection(query)
    write = command("write", "write points from files or standard input", _WRITE_EPILOG)
    _add_write(write)
    _add_connection(write)
    lint = command("lint", "check line protocol without a server", _LINT_EPILOG)
    lint.add_argument("files", nargs="*", metavar="FILE", help="line protocol files; - or none: standard input")
    _add_precision(lint)
    _add_verbose(lint)
    return root


def _runner(name: str) -> Callable[[argparse.Namespace], Exit]:
    def run(options: argparse.Namespace) -> Exit:
        code: Exit = import_module(f"._{name}", __package__).run(options)
        return code

    return run


def _add_connection(to: argparse.ArgumentParser) -> None:
    group = to.add_argument_group("connection")
    group.add_argument("--url", help="server URL without a password (default: INFLUXDB_URL, or http://localhost:8086)")
    group.add_argument("-d", "--database", metavar="NAME", help="database (default: INFLUXDB_DATABASE)")
    group.add_argument(
        "--username", metavar="NAME", help="user name (default: INFLUXDB_USERNAME); INFLUXDB_PASSWORD is the password"
    )
    group.add_argument("--ask-password", action="store_true", help="prompt for the password at the terminal")
    trust = group.add_mutually_exclusive_group()
    trust.add_argument("--ca", type=Path, metavar="FILE", help="trust only these CA certificates")
    trust.add_argument("--insecure", action="store_true", help="disable certificate verification")
    group.add_argument("--timeout", type=_parse_seconds, metavar="SECONDS", help="timeout of a request")
    _add_verbose(group)


def _add_verbose(to: Any) -> None:
    to.add_argument("-v", "--verbose", action="store_true", help="log every request, and print tracebacks")


def _add_precision(to: argparse.ArgumentParser) -> None:
    to.add_argument(
        "--precision",
        choices=("ns", "u", "us", "ms", "s", "m", "h"),
        help="unit of integer timestamps (default: ns; s for Telegraf's JSON)",
    )


def _add_query(to: argparse.ArgumentParser) -> None:
    to.add_argument("query", nargs="?", metavar="QUERY", help="the query; -: read it from standard input")
    to.add_argument("--file", type=Path, metavar="FILE", help="read the query from a file")
    to.add_argument(
        "--params", type=_parse_json_object, metavar="JSON", help="values of $name in the query, as a JSON object"
    )
    to.add_argument(
        "-f",
        "--format",
        choices=("table", "vertical", "csv", "json", "lp", "parquet"),
        help="output format (default: by the suffix of --output, else table at a terminal and csv otherwise)",
    )
    to.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="write the result to a file, which is replaced when complete"
    )
    to.add_argument(
        "--wide",
        action="store_true",
        help="table: keep the layout of a table that is wider than the terminal (default: one line for each value)",
    )
    to.add_argument(
        "--no-pager", dest="pager", action="store_false", help="table: do not show long output with $PAGER or less"
    )
    to.add_argument(
        "--epoch",
        choices=("ns", "us", "ms", "s"),
        help="return timestamps as integers of this unit (default: RFC 3339)",
    )
    to.add_argument(
        "--tag-columns",
        type=_split_names,
        default=(),
        metavar="NAMES",
        help="json and lp: tag columns other than those of GROUP BY, separated by commas",
    )
    to.add_argument("--null", default="", metavar="TEXT", help="csv: text of a missing value (default: empty)")
    to.add_argument(
        "--plot",
        nargs="?",
        const=True,
        metavar="IMAGE",
        help="plot numeric fields over time, in an image (.png, .svg, .pdf) or in the terminal, instead of rows",
    )
    to.add_argument(
        "--rp", metavar="NAME", help="retention policy of measurements without one (default: the database's)"
    )


def _add_write(to: argparse.ArgumentParser) -> None:
    to.add_argument("files", nargs="*", metavar="FILE", help="files to write; - or none: standard input")
    to.add_argument(
        "-f",
        "--format",
        choices=("lp", "csv", "json", "parquet"),
        help="line protocol, CSV, JSON lines or Parquet (default: by the suffix of the file; standard input: lp)",
    )
    to.add_argument(
        "--measurement", metavar="NAME", help="measurement of points without one (default: the column measurement)"
    )
    to.add_argument(
        "--tag-columns",
        type=_split_names,
        default=(),
        metavar="NAMES",
        help="csv, parquet: tag columns, separated by commas; quote a name that contains a comma: '\"a,b\",c'",
    )
    to.add_argument("--time-column", metavar="NAME", help="csv, parquet: timestamps (default: time)")
    to.add_argument(
        "--types",
        type=_parse_types,
        default={},
        metavar="COLUMN=TYPE,...",
        help="csv: field types (int, float, bool or string; default: detected from the whole file)",
    )
    to.add_argument(
        "--null",
        action="append",
        default=[],
        metavar="TEXT",
        help="csv: text of a missing value besides the empty cell; may be repeated",
    )
    to.add_argument(
        "--separator", type=_parse_separator, default=",", metavar="CHAR", help="csv: column separator (default: ,)"
    )
    to.add_argument("--decimal", choices=(".", ","), default=".", help="csv: decimal separator (default: .)")
    _add_precision(to)
    to.add_argument("--rp", metavar="NAME", help="retention policy (default: the database's)")
    to.add_argument(
        "--resume", action="store_true", help="continue after the lines stored by an earlier run (FILE.influx-progress)"
    )
    to.add_argument("--rejected", type=Path, metavar="FILE", help="collect the lines rejected by the server")
    to.add_argument(
        "--retry-for",
        type=_parse_seconds,
        default=30.0,
        metavar="SECONDS",
        help="retry for this long while the server is unreachable (default: 30)",
    )
    to.add_argument(
        "--max-delay",
        type=_parse_seconds,
        default=1.0,
        metavar="SECONDS",
        help="send lines of a pipe at most this long after they arrive (default: 1)",
    )


def _split_names(text: str) -> tuple[str, ...]:
    """Split names at commas; a quoted name may contain commas, as in CSV."""
    import csv  # noqa: PLC0415 - rarely needed

    [row] = csv.reader([text.replace("\n", " ")], skipinitialspace=True) if text else [[]]
    return tuple(name.strip() for name in row if name.strip())


def _parse_separator(text: str) -> str:
    separator = {"\\t": "\t", "tab": "\t"}.get(text, text)
    if len(separator) != 1 or separator in '"\r\n':
        msg = f"got {text!r}; pass one character, or tab"
        raise argparse.ArgumentTypeError(msg)
    return separator


def _parse_types(text: str) -> dict[str, str]:
    known = {"int": "integer", "float": "float", "bool": "boolean", "string": "string", "integer": "integer",
             "boolean": "boolean", "str": "string"}  # fmt: skip
    types: dict[str, str] = {}
    for part in _split_names(text):
        name, equals, type_name = part.rpartition("=")
        if not equals or type_name not in known:
            msg = f"got {part!r}; pass COLUMN=TYPE, where TYPE is int, float, bool or string"
            raise argparse.ArgumentTypeError(msg)
        types[name] = known[type_name]
    return types


def _parse_seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < 1e9:
        msg = f"got {text!r}; pass a number of seconds, 0 or more"
        raise argparse.ArgumentTypeError(msg)
    return seconds


def _parse_json_object(text: str) -> dict[str, Any]:
    import json  # noqa: PLC0415 - rarely needed

    try:
        value = json.loads(text)
    except ValueError as error:
        msg = f"invalid JSON: {error}"
        raise argparse.ArgumentTypeError(msg) from None
    if not isinstance(value, dict):
        msg = 'must be a JSON object, such as {"host": "a"}'
        raise argparse.ArgumentTypeError(msg)
    return value
