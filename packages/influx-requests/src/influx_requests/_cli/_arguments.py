"""Arguments and help texts of the command line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from influx_requests import __version__

from ._argument_types import (
    parse_count,
    parse_json_object,
    parse_port,
    parse_seconds,
    parse_separator,
    parse_types,
    split_names,
)
from ._config import config_path, home_path
from ._console import PROGRAM
from ._parser import Parser, suggest

_DESCRIPTION = "Query InfluxDB in InfluxQL, write to it, and check line protocol."

_EPILOG = """\
examples:
  influxq ping
  influxq shell -d telegraf
  influxq query -d telegraf "SELECT mean(usage) FROM cpu WHERE time > now() - 1h GROUP BY time(1m)"
  influxq write -d telegraf cpu.lp
  influxq lint cpu.lp

configuration file:
  {config} (or INFLUXQ_CONFIG) has url, database, username, password, token, ca, insecure and timeout,
  and tables [profiles.NAME] of these for --profile NAME

environment:
  INFLUXDB_URL, INFLUXDB_DATABASE, INFLUXDB_USERNAME, INFLUXDB_PASSWORD, INFLUXDB_TOKEN, INFLUXDB_BUCKET, INFLUXDB_ORG;
  without INFLUXDB_URL also INFLUX_HOST, INFLUX_DATABASE, INFLUX_TOKEN, INFLUX_BUCKET, INFLUX_ORG

exit codes:
  0 success; 1 invalid data or an error from the server; 2 usage error; 3 server unreachable;
  4 access denied; 70 internal error; 129 and 143 ended by SIGHUP and SIGTERM; 130 interrupted; 141 broken pipe

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
  influxq write -d testdb 'cpu,host=a load=0.64'
  influxq write -d testdb cpu.lp --create-database
  influxq write -d testdb cpu.lp --resume           (continues an interrupted import)
  influxq write -d testdb cpu.csv --measurement cpu --tag-columns host,region --precision s
  influxq write -d testdb cpu.parquet --rejected rejected.lp
  tail -f cpu.lp | influxq write -d testdb --precision s    (stores lines as they arrive; Ctrl-C ends it)
"""

_WATCH_EPILOG = """\
examples:
  influxq watch -d testdb cpu
  influxq watch -d testdb cpu --where "host = 'a'" -f json | jq .fields.load

Points that are stored later than points with newer timestamps are not printed.
"""

_SHELL_EPILOG = """\
examples:
  influxq shell -d testdb
  influxq shell -d testdb < report.influxql

\\? in the shell lists its commands. Completion and history need the extra [shell].
"""

_LINT_EPILOG = """\
examples:
  influxq lint cpu.lp memory.lp
  generate | influxq lint --precision s
"""


_VERBOSE_HELP = "log every request, and print tracebacks"

#: Defaults of the options that are accepted before and after the command.
_SHARED_DEFAULTS = {
    "profile": None,
    "url": None,
    "host": None,
    "port": None,
    "database": None,
    "username": None,
    "ask_password": False,
    "ca": None,
    "insecure": False,
    "timeout": None,
    "verbose": False,
}


class _Root(Parser):
    """Parser of the whole command line."""

    def __init__(self, words: Sequence[str], **settings: Any) -> None:
        self._words = words
        super().__init__(**settings)

    def parse(self) -> argparse.Namespace:
        """Return the options of the command, or exit with an error."""
        self._check_dashes()
        options, extra = self.parse_known_args(self._words)
        if extra:
            self.commands[options.command].reject(extra)
        return options

    def error(self, message: str) -> NoReturn:
        """Print an error in one line and exit."""
        super().error(self._describe_command() or message)

    def _describe_command(self) -> str | None:
        """Return the message for a command that is missing or unknown, or None."""
        before = Parser(prog=PROGRAM, add_help=False)
        _add_connection(before)
        word = next((word for word in before.parse_known_args(self._words)[1] if word != "--"), None)
        names = ", ".join(self.commands)
        if word is None:
            return f"a command is required: {names}"
        if word in self.commands:
            return None
        if " " in word:
            return f"unknown command {word!r}; did you mean {PROGRAM} query {word!r}?"
        if not word.startswith("-"):
            return f"unknown command {word!r}{suggest(word, self.commands) or f'; the commands are {names}'}"
        if any(word.partition("=")[0] in command.option_names for command in self.commands.values()):
            return f"{word} is an option of a command; pass it after the command"
        return self.describe_option(word)

    def _check_dashes(self) -> None:
        """Reject `-database x`, the form of the client `influx`, which would mean `-d atabase`."""
        known = {name for parser in (self, *self.commands.values()) for name in parser.option_names}
        for word in self._words:
            if word == "--":
                return
            if word.startswith("-") and f"-{word.partition('=')[0]}" in known:
                self.exit_with(f"unknown option {word}; did you mean -{word}?")


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the arguments; the namespace has `run`, the function that runs the command.

    Args:
        arguments: the arguments; None for those of the process.
    """
    options = create_parser(sys.argv[1:] if arguments is None else arguments).parse()
    for name, value in _SHARED_DEFAULTS.items():
        if not hasattr(options, name):
            setattr(options, name, value)
    return options


def create_parser(words: Sequence[str] = ()) -> _Root:
    """Return the parser of a command line; options that it shares with its commands have no defaults."""
    path, home = config_path(), home_path()
    root = _Root(
        words,
        prog=PROGRAM,
        description=_DESCRIPTION,
        epilog=_EPILOG.format(config=Path("~") / path.relative_to(home) if path.is_relative_to(home) else path),
    )
    root.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    _add_connection(root)
    commands = root.add_subparsers(
        title="commands", metavar="COMMAND", dest="command", required=True, parser_class=Parser
    )

    def command(name: str, summary: str, epilog: str = "", run: str = "", *, connects: bool = True) -> Parser:
        added = commands.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
            epilog=epilog,
        )
        root.commands[name] = added
        module, _, function = (run or name).partition(":")
        added.set_defaults(run=_runner(module, function or "run"))
        if connects:
            _add_connection(added)
        else:
            _add_verbose(added)
        return added

    command("ping", "print the server's version and response time")
    command("databases", "list the databases", run="schema:run_databases")
    command("measurements", "list the measurements of the database", run="schema:run_measurements")
    schema = command("schema", "list the tags and the fields with their types")
    schema.add_argument("measurements", nargs="*", metavar="MEASUREMENT", help="measurements (default: all)")
    _add_query(command("query", "run an InfluxQL query and print the result", _QUERY_EPILOG))
    _add_watch(command("watch", "print the points of a measurement as they are stored", _WATCH_EPILOG))
    _add_write(command("write", "write points from files, standard input or the command line", _WRITE_EPILOG))
    lint = command("lint", "check line protocol without a server", _LINT_EPILOG, connects=False)
    lint.add_argument("files", nargs="*", metavar="FILE", help="line protocol files; - or none: standard input")
    _add_precision(lint)
    _add_shell(command("shell", "run statements interactively", _SHELL_EPILOG))
    completion = command("completion", "print a script for completion in your shell", connects=False)
    completion.add_argument("shell", choices=("bash", "zsh", "fish"), metavar="SHELL", help="bash, zsh or fish")
    return root


def _runner(module: str, function: str) -> Callable[[argparse.Namespace], int]:
    def run(options: argparse.Namespace) -> int:
        code: int = getattr(import_module(f"._{module}", __package__), function)(options)
        return code

    return run


def _add_connection(to: Parser) -> None:
    group = to.add_argument_group("connection (before or after the command)", argument_default=argparse.SUPPRESS)

    def add(group: Any, *names: str, **settings: Any) -> None:
        to.arguments.append(group.add_argument(*names, **settings))

    add(group, "--profile", metavar="NAME", help="profile of the configuration file (see influxq --help)")
    add(group, "--url", help="server URL without a password (default: INFLUXDB_URL, or http://localhost:8086)")
    add(group, "--host", metavar="NAME", help="server, instead of --url: http://NAME:PORT")
    add(group, "--port", type=parse_port, metavar="PORT", help="port of --host (default: 8086)")
    add(group, "-d", "--database", metavar="NAME", help="database (default: INFLUXDB_DATABASE)")
    add(
        group,
        "--username",
        metavar="NAME",
        help="user name (default: INFLUXDB_USERNAME); INFLUXDB_PASSWORD is the password",
    )
    add(group, "--ask-password", action="store_true", help="prompt for the password at the terminal")
    trust = group.add_mutually_exclusive_group()
    add(trust, "--ca", type=Path, metavar="FILE", help="trust only these CA certificates")
    add(trust, "--insecure", action="store_true", help="disable certificate verification")
    add(group, "--timeout", type=parse_seconds, metavar="SECONDS", help="timeout of a request")
    add(group, "-v", "--verbose", action="store_true", help=_VERBOSE_HELP)


def _add_verbose(to: Parser) -> None:
    to.add_argument("-v", "--verbose", action="store_true", default=argparse.SUPPRESS, help=_VERBOSE_HELP)


def _add_precision(to: Parser) -> None:
    to.add_argument(
        "--precision",
        choices=("ns", "u", "us", "ms", "s", "m", "h"),
        help="unit of integer timestamps (default: ns; s for Telegraf's JSON)",
    )


def _add_query(to: Parser) -> None:
    to.add_argument("query", nargs="?", metavar="QUERY", help="the query; -: read it from standard input")
    to.add_argument("--file", type=Path, metavar="FILE", help="read the query from a file")
    to.add_argument(
        "--params", type=parse_json_object, metavar="JSON", help="values of $name in the query, as a JSON object"
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
    _add_epoch(to)
    to.add_argument(
        "--tag-columns",
        type=split_names,
        default=(),
        metavar="NAMES",
        help="json and lp: tag columns other than those of GROUP BY, separated by commas",
    )
    to.add_argument("--null", default="", metavar="TEXT", help="csv: text of a missing value (default: empty)")
    to.add_argument("--pretty", action="store_true", help="json: indent the points")
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


def _add_write(to: Parser) -> None:
    to.add_argument(
        "files",
        nargs="*",
        metavar="FILE",
        help="files to write, or lines of line protocol such as 'cpu,host=a load=1'; - or none: standard input",
    )
    to.add_argument("--create-database", action="store_true", help="create the database if it does not exist")
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
        type=split_names,
        default=(),
        metavar="NAMES",
        help="csv, parquet: tag columns, separated by commas; quote a name that contains a comma: '\"a,b\",c'",
    )
    to.add_argument("--time-column", metavar="NAME", help="csv, parquet: timestamps (default: time)")
    to.add_argument(
        "--types",
        type=parse_types,
        default={},
        metavar="COLUMN=TYPE,...",
        help="csv: field types (int, float, bool or string; default: detected from the whole file)",
    )
    to.add_argument(
        "--null",
        action="append",
        default=[],
        metavar="TEXT",
        help="csv: another text of a missing value than the empty cell; may be repeated",
    )
    to.add_argument(
        "--separator", type=parse_separator, default=",", metavar="CHAR", help="csv: column separator (default: ,)"
    )
    to.add_argument(
        "--decimal", choices=(".", ","), default=".", metavar="CHAR", help="csv: decimal separator, . or , (default: .)"
    )
    _add_precision(to)
    to.add_argument("--rp", metavar="NAME", help="retention policy (default: the database's)")
    to.add_argument(
        "--resume", action="store_true", help="continue after the lines stored by an earlier run (FILE.influx-progress)"
    )
    to.add_argument("--rejected", type=Path, metavar="FILE", help="collect the lines rejected by the server")
    to.add_argument(
        "--retry-for",
        type=parse_seconds,
        default=30.0,
        metavar="SECONDS",
        help="retry for this long while the server is unreachable (default: 30)",
    )
    to.add_argument(
        "--max-delay",
        type=parse_seconds,
        default=1.0,
        metavar="SECONDS",
        help="send lines of a pipe at most this long after they arrive (default: 1)",
    )


def _add_watch(to: Parser) -> None:
    to.add_argument("measurement", metavar="MEASUREMENT", help="the measurement")
    to.add_argument("--where", metavar="CONDITION", help="condition of InfluxQL, such as: host = 'a'")
    to.add_argument(
        "-n", "--lines", type=parse_count, default=10, metavar="N", help="print the last N points first (default: 10)"
    )
    to.add_argument(
        "--interval", type=parse_seconds, default=1.0, metavar="SECONDS", help="time between queries (default: 1)"
    )
    _add_format(to, "table", "vertical", "csv", "json")
    to.add_argument("--rp", metavar="NAME", help="retention policy (default: the database's)")


def _add_shell(to: Parser) -> None:
    _add_format(to, "table", "vertical", "csv", "json", "lp")
    _add_epoch(to)
    to.add_argument(
        "--no-pager", dest="pager", action="store_false", help="do not show long output with $PAGER or less"
    )


def _add_format(to: Parser, *formats: str) -> None:
    """Add the option of the output format, and the defaults of the options that only `query` has."""
    to.add_argument(
        "-f", "--format", choices=formats, help="output format (default: table at a terminal and csv otherwise)"
    )
    to.set_defaults(null="", tag_columns=(), pretty=False)


def _add_epoch(to: Parser) -> None:
    to.add_argument(
        "--epoch",
        choices=("ns", "us", "ms", "s"),
        help="return timestamps as integers of this unit (default: RFC 3339)",
    )
