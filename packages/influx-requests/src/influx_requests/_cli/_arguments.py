"""What can be said on the command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from influx_requests import __version__

from ._console import PROGRAM, Exit

_DESCRIPTION = "Ask InfluxDB 1.x, write to it, and check line protocol."

_EPILOG = """\
examples:
  influx-requests ping
  influx-requests query -d telegraf "SELECT mean(usage) FROM cpu WHERE time > now() - 1h GROUP BY time(1m)"
  influx-requests write -d telegraf cpu.lp
  influx-requests lint cpu.lp

environment:
  INFLUXDB_URL, INFLUXDB_DATABASE, INFLUXDB_USERNAME, INFLUXDB_PASSWORD, INFLUXDB_TOKEN

exit codes:
  0 done; 1 data or the server's refusal; 2 wrong usage; 3 no InfluxDB answers; 4 access denied;
  70 a mistake of this program; 130 interrupted; 141 nobody reads the output

`influx-requests COMMAND --help` tells about a command.
"""

_QUERY_EPILOG = """\
examples:
  influx-requests query -d testdb "SELECT * FROM cpu LIMIT 10"
  influx-requests query -d testdb 'SELECT * FROM cpu WHERE host = $host' --params '{"host": "a"}'
  influx-requests query -d testdb --file report.influxql -o report.csv
  influx-requests query -d testdb "SELECT * FROM cpu GROUP BY *" -f lp > cpu.lp      (a copy, with tags and types)
  influx-requests query -d testdb "SELECT load FROM cpu GROUP BY host" --plot        (in the terminal)
  influx-requests query -d testdb "SELECT load FROM cpu GROUP BY host" --plot load.png
"""

_WRITE_EPILOG = """\
examples:
  influx-requests write -d testdb cpu.lp
  influx-requests write -d testdb cpu.lp --resume           (after a failure: goes on where it ended)
  influx-requests write -d testdb cpu.csv --measurement cpu --tag-columns host,region --precision s
  influx-requests write -d testdb cpu.parquet --rejected refused.lp
  zcat cpu.lp.gz | influx-requests write -d testdb --precision s
"""

_LINT_EPILOG = """\
examples:
  influx-requests lint cpu.lp memory.lp
  generate | influx-requests lint --precision s
"""


def parser() -> argparse.ArgumentParser:
    """Make the parser; what it reads has `run`, the command."""
    whole = argparse.ArgumentParser(
        prog=PROGRAM,
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    whole.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    commands = whole.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(name: str, summary: str, epilog: str = "") -> argparse.ArgumentParser:
        found = commands.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        found.set_defaults(run=_runner(name))
        return found

    _add_connection(command("ping", "tell the server's version and how fast it answers"))
    query = command("query", "run InfluxQL and give the answer", _QUERY_EPILOG)
    _add_query(query)
    _add_connection(query)
    write = command("write", "write points from files or the standard input", _WRITE_EPILOG)
    _add_write(write)
    _add_connection(write)
    lint = command("lint", "check line protocol, without a server", _LINT_EPILOG)
    lint.add_argument("files", nargs="*", metavar="FILE", help="files of line protocol; - or none: standard input")
    _add_precision(lint)
    _add_verbose(lint)
    return whole


def _runner(name: str) -> Callable[[argparse.Namespace], Exit]:
    def run(options: argparse.Namespace) -> Exit:
        code: Exit = import_module(f"._{name}", __package__).run(options)
        return code

    return run


def _add_connection(to: argparse.ArgumentParser) -> None:
    group = to.add_argument_group("connection")
    group.add_argument("--url", help="the server (default: INFLUXDB_URL, or http://localhost:8086); without password")
    group.add_argument("-d", "--database", metavar="NAME", help="the database (default: INFLUXDB_DATABASE)")
    group.add_argument(
        "--username", metavar="NAME", help="the user (default: INFLUXDB_USERNAME); the password is INFLUXDB_PASSWORD"
    )
    group.add_argument("--ask-password", action="store_true", help="ask for the password at the terminal")
    trust = group.add_mutually_exclusive_group()
    trust.add_argument("--ca", type=Path, metavar="FILE", help="trust these CA certificates, and no others")
    trust.add_argument("--insecure", action="store_true", help="trust any certificate")
    group.add_argument("--timeout", type=_seconds, metavar="SECONDS", help="how long to wait for the server")
    _add_verbose(group)


def _add_verbose(to: Any) -> None:
    to.add_argument("-v", "--verbose", action="store_true", help="log every request, and show where errors come from")


def _add_precision(to: argparse.ArgumentParser) -> None:
    to.add_argument(
        "--precision",
        choices=("ns", "u", "us", "ms", "s", "m", "h"),
        default="ns",
        help="the unit of times that are integers (default: ns)",
    )


def _add_query(to: argparse.ArgumentParser) -> None:
    to.add_argument("query", nargs="?", metavar="QUERY", help="the query; -: read it from the standard input")
    to.add_argument("--file", type=Path, metavar="FILE", help="read the query from a file")
    to.add_argument("--params", type=_json_object, metavar="JSON", help="values for $name in the query, a JSON object")
    to.add_argument(
        "-f",
        "--format",
        choices=("table", "csv", "json", "lp", "parquet"),
        help="default: by the name of the output; else table on a terminal, and csv",
    )
    to.add_argument("-o", "--output", type=Path, metavar="FILE", help="write the answer to a file, once it is whole")
    to.add_argument(
        "--epoch", choices=("ns", "us", "ms", "s"), help="times as integers of this unit (default: as RFC 3339)"
    )
    to.add_argument(
        "--tag-columns",
        type=_names,
        default=(),
        metavar="NAMES",
        help="json and lp: columns that are tags, besides those of GROUP BY; separated by commas",
    )
    to.add_argument(
        "--null", default="", metavar="TEXT", help="csv: what stands for a missing value (default: nothing)"
    )
    to.add_argument(
        "--plot",
        nargs="?",
        const=True,
        metavar="IMAGE",
        help="draw the numbers over time, into an image (.png, .svg, .pdf) or the terminal, instead of giving rows",
    )
    to.add_argument("--rp", metavar="NAME", help="the retention policy of measurements that name none")


def _add_write(to: argparse.ArgumentParser) -> None:
    to.add_argument("files", nargs="*", metavar="FILE", help="what to write; - or none: the standard input")
    to.add_argument(
        "-f",
        "--format",
        choices=("lp", "csv", "json", "parquet"),
        help="line protocol, CSV, JSON lines, Parquet (default: by the name of the file; standard input: lp)",
    )
    to.add_argument("--measurement", metavar="NAME", help="of what names none; default: a column called measurement")
    to.add_argument(
        "--tag-columns", type=_names, default=(), metavar="NAMES", help="csv, parquet: columns that are tags"
    )
    to.add_argument("--time-column", default="time", metavar="NAME", help="csv, parquet (default: time)")
    to.add_argument(
        "--types", type=_types, default={}, metavar="COLUMN=TYPE,...", help="csv: int, float, bool or string"
    )
    to.add_argument(
        "--null", default="", metavar="TEXT", help="csv: what stands for a missing value (default: nothing)"
    )
    _add_precision(to)
    to.add_argument("--rp", metavar="NAME", help="the retention policy (default: the database's)")
    to.add_argument("--resume", action="store_true", help="go on where an earlier run ended, see FILE.influx-progress")
    to.add_argument("--rejected", type=Path, metavar="FILE", help="collect the lines that the server rejects")
    to.add_argument(
        "--retry-for",
        type=_seconds,
        default=30.0,
        metavar="SECONDS",
        help="how long to try again while the server is away (default: 30)",
    )


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _types(text: str) -> dict[str, str]:
    known = {"int": "integer", "float": "float", "bool": "boolean", "string": "string", "integer": "integer",
             "boolean": "boolean", "str": "string"}  # fmt: skip
    found: dict[str, str] = {}
    for part in _names(text):
        name, equals, kind = part.rpartition("=")
        if not equals or kind not in known:
            msg = f"{part!r} is not COLUMN=TYPE, with int, float, bool or string for the type"
            raise argparse.ArgumentTypeError(msg)
        found[name] = known[kind]
    return found


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < 1e9:
        msg = f"{text!r} is no number of seconds"
        raise argparse.ArgumentTypeError(msg)
    return seconds


def _json_object(text: str) -> dict[str, Any]:
    import json  # noqa: PLC0415 - seldom needed

    try:
        found = json.loads(text)
    except ValueError as error:
        msg = f"no JSON: {error}"
        raise argparse.ArgumentTypeError(msg) from None
    if not isinstance(found, dict):
        msg = 'must be a JSON object, such as {"host": "a"}'
        raise argparse.ArgumentTypeError(msg)
    return found
