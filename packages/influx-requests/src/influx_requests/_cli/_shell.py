"""Command `shell`: an interactive session. The statements of a file are executed without a prompt."""

from __future__ import annotations

import argparse
import re
import shlex
import sys
import time
from collections.abc import Callable, Iterable
from typing import Final

from influx_proto import InfluxDBError, split_lines

from influx_requests import InfluxDBClient

from ._connection import create_client
from ._console import CommandError, Exit, format_count, print_error, print_stderr, to_printable
from ._errors import describe
from ._files import read_stdin
from ._outputs import create_output
from ._schema import format_schema, names_of
from ._terminal import columns, paged

FORMATS: Final = ("table", "vertical", "csv", "json", "lp")

_HELP: Final = """\
SELECT ...             execute a statement; end it with \\G for one line for each value
INSERT cpu,host=a v=1  write a line of line protocol
USE name               select a database
\\l                     list the databases
\\d [MEASUREMENT...]    list the measurements, or the tags and fields of some
\\use NAME              select a database
\\format [NAME]         show or set the output format: table, vertical, csv, json or lp
\\epoch [UNIT]          timestamps as integers (ns, us, ms, s), or as RFC 3339 without UNIT
\\timing [on|off]       show or hide the time of each statement
\\pager [on|off]        use a pager for long output, or do not
\\q                     exit; so does Ctrl-D

A statement continues on the next line while a quote or parenthesis is open, or after a backslash.
"""

#: Commands that users of `influx` may type without a backslash.
_WITHOUT_BACKSLASH: Final = {
    "epoch": "epoch", "format": "format", "pager": "pager", "precision": "epoch", "timing": "timing",
}  # fmt: skip

_COMMAND: Final = re.compile(r"\s*\\\S")
#: A command of the shell that ends with its line.
_ONE_LINE: Final = re.compile(r"\s*(?:\\\S|USE\s)", re.IGNORECASE)
_INSERT: Final = re.compile(r"\s*INSERT\s+(?:INTO\s+\S+\s+)?", re.IGNORECASE)
#: A backslash at the end of a line, or a string or identifier, in which it has another meaning.
_CONTINUATION: Final = re.compile(r"""(?P<continuation>\\\r?\n)|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'""", re.DOTALL)
#: The parts of a statement that may contain quotes and parentheses, and parentheses.
_TOKEN: Final = re.compile(
    r"""
    "(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*' | --[^\n]* | /\*.*?\*/
    | (?:[=!]~ | , | \b(?:SELECT|FROM|BY|MEASUREMENT)\b) \s* /(?:[^/\\\n]|\\.)+/    # a regular expression
    | (?P<parenthesis>\( (?:\s* /(?:[^/\\\n]|\\.)+/)?) | \)
    | (?P<open>["'] | /\*)
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)


class Session:
    """State of an interactive session.

    Args:
        client: the client.
        options: the options of the command.
        is_interactive: whether a user types the statements.
    """

    def __init__(self, client: InfluxDBClient, options: argparse.Namespace, *, is_interactive: bool) -> None:
        self.client = client
        self._options = options
        self._is_interactive = is_interactive
        self._format: str = options.format or ("table" if sys.stdout.isatty() else "csv")
        self._epoch: str | None = options.epoch
        self._has_timing = False
        self._has_pager: bool = options.pager
        #: Called when measurements, tags, fields or databases may have changed.
        self.on_change: Callable[[], object] = bool
        self._commands: dict[str, Callable[[list[str]], None]] = {
            "l": lambda _: self._write_names(names_of(client.show_databases())),
            "d": self._describe,
            "use": self._use,
            "format": self._set_format,
            "epoch": self._set_epoch,
            "timing": self._set_timing,
            "pager": self._set_pager,
            "?": lambda _: self._write(_HELP),
            "help": lambda _: self._write(_HELP),
        }

    @property
    def prompt(self) -> str:
        """The prompt: the selected database."""
        return f"{self.client.db or '(no database)'}> "

    def execute(self, text: str) -> Exit | int | None:
        """Execute a command or a statement and report an error of it.

        Returns:
            None: the session goes on, without an error. `Exit.OK`: it ends. Otherwise the exit code of the error.
        """
        text = text.strip().removesuffix(";").strip()
        if not text:
            return None
        if text.lower() in {"exit", "quit", "\\q"}:
            return Exit.OK
        try:
            self._execute(text)
        except KeyboardInterrupt:
            if not self._is_interactive:
                raise
            print_stderr("interrupted")
            return Exit.INTERRUPTED
        except (InfluxDBError, CommandError, ValueError, TypeError, OSError) as error:
            if isinstance(error, BrokenPipeError):
                raise
            is_usage = isinstance(error, (ValueError, TypeError)) and not isinstance(error, InfluxDBError)
            message, code = (str(error), Exit.USAGE) if is_usage else describe(error, in_shell=True)
            print_error(message, "error")
            return code
        return None

    def _execute(self, text: str) -> None:
        word = text.split(maxsplit=1)[0].lower()
        if text.startswith("\\"):
            self._run_command(text)
        elif text.lower() in {"help", "?"}:
            self._write(_HELP)
        elif word == "use":
            self._use(shlex.split(text)[1:])
        elif word == "insert":
            self._insert(text[len("insert") :].strip())
        elif command := _WITHOUT_BACKSLASH.get(word):
            raise CommandError(f"unknown statement {word!r}; did you mean \\{command}?", Exit.USAGE)
        else:
            self._query(text)

    def _run_command(self, text: str) -> None:
        name, *arguments = shlex.split(text[1:]) or [""]
        if name not in self._commands:
            raise CommandError(f"unknown command \\{name}; \\? lists the commands", Exit.USAGE)
        self._commands[name](arguments)

    def _query(self, text: str) -> None:
        output_format = self._format
        if text.endswith("\\G"):
            text, output_format = text[:-2].rstrip(), "vertical"
        start = time.perf_counter()
        epoch = "ns" if output_format == "lp" else self._epoch
        rows = 0
        is_layout = output_format in {"table", "vertical"}
        with (
            paged(is_enabled=self._has_pager and is_layout and self._is_interactive) as (file, is_pager),
            self.client.query_chunks(text, epoch=epoch) as chunks,
        ):
            limit = None if is_pager or not file.isatty() else columns()
            output = create_output(file, output_format, self._options, max_width=limit)
            for chunk in chunks:
                rows += sum(len(series.values) for series in chunk.series)
                output.add(chunk)
        elapsed = time.perf_counter() - start
        timing = f"; {elapsed:.3f} s" if self._has_timing else ""
        if self._is_interactive or self._has_timing:
            self._write(f"({format_count(rows, 'row')}{timing})\n")
        if not text.lower().startswith(("select", "show", "explain")):
            self.on_change()

    def _insert(self, line: str) -> None:
        rp = None
        if line.lower().startswith("into "):
            _, rp, line = [*line.split(maxsplit=2), "", ""][:3]
        self.client.write(line, rp=rp)
        self.on_change()

    def _describe(self, measurements: list[str]) -> None:
        if measurements:
            self._write(format_schema(self.client, measurements) or "no such measurement\n")
        else:
            self._write_names(names_of(self.client.show_measurements()))

    def _use(self, arguments: list[str]) -> None:
        if len(arguments) != 1:
            raise CommandError("pass one database: USE name", Exit.USAGE)
        [name] = arguments
        if name not in names_of(self.client.show_databases()):
            raise CommandError(f"database {name!r} not found; \\l lists the databases")
        self.client.db = name
        self.on_change()

    def _set_format(self, arguments: list[str]) -> None:
        if arguments and arguments[0] not in FORMATS:
            raise CommandError(f"unknown format {arguments[0]!r}; the formats are {', '.join(FORMATS)}", Exit.USAGE)
        if arguments:
            self._format = arguments[0]
        self._note(f"output format: {self._format}")

    def _set_epoch(self, arguments: list[str]) -> None:
        if arguments and arguments[0] not in {"ns", "us", "ms", "s"}:
            msg = f"unknown unit {arguments[0]!r}; the units are ns, us, ms and s; omit it for RFC 3339"
            raise CommandError(msg, Exit.USAGE)
        self._epoch = arguments[0] if arguments else None
        self._note(f"timestamps: {self._epoch or 'RFC 3339'}")

    def _set_timing(self, arguments: list[str]) -> None:
        self._has_timing = self._switch("timing", arguments, is_on=self._has_timing)

    def _set_pager(self, arguments: list[str]) -> None:
        self._has_pager = self._switch("pager", arguments, is_on=self._has_pager)

    def _switch(self, name: str, arguments: list[str], *, is_on: bool) -> bool:
        """Return the new state of a setting: the other one, or that of the argument."""
        if arguments not in ([], ["on"], ["off"]):
            msg = f"\\{name}: got {' '.join(arguments)!r}; pass on or off, or nothing to switch"
            raise CommandError(msg, Exit.USAGE)
        is_on = arguments == ["on"] if arguments else not is_on
        self._note(f"{name}: {'on' if is_on else 'off'}")
        return is_on

    def _note(self, text: str) -> None:
        if self._is_interactive:
            self._write(f"{text}\n")

    def _write_names(self, names: Iterable[str]) -> None:
        self._write("".join(f"{to_printable(name)}\n" for name in names))

    @staticmethod
    def _write(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()


def run(options: argparse.Namespace) -> Exit | int:
    """Run a session: interactive at a terminal, otherwise the statements of standard input until an error."""
    is_interactive = sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()
    with create_client(options) as client:
        session = Session(client, options, is_interactive=is_interactive)
        if is_interactive:
            from ._shell_prompt import run_prompt  # noqa: PLC0415 - optional dependency

            return run_prompt(session)
        for statement in _statements(read_stdin("statements")):
            if (code := session.execute(statement)) is not None:
                return code
    return Exit.OK


def _statements(text: str) -> Iterable[str]:
    """Yield statements that may extend over several lines."""
    pending = ""
    for line in text.splitlines(keepends=True):
        pending += line
        if not line.endswith("\n"):  # Python also splits at characters that may be in strings
            continue
        if not is_incomplete(pending):
            yield without_continuations(pending)
            pending = ""
    if pending:
        yield pending


def split_pasted(text: str) -> list[str]:
    r"""Split typed or pasted text before each line with INSERT, and around each line with USE or a `\` command.

    The other lines remain together, since a pasted statement may extend over several lines.
    """
    statements = [""]
    for line in text.splitlines(keepends=True):
        is_boundary = _ONE_LINE.match(line) or _INSERT.match(line) or _ONE_LINE.match(statements[-1])
        if is_boundary and not is_incomplete(statements[-1]):
            statements.append("")
        statements[-1] += line
    return [without_continuations(statement) for statement in statements if statement.strip()]


def without_continuations(text: str) -> str:
    """Return the text without the backslashes at the ends of lines, except in strings."""
    return _CONTINUATION.sub(lambda match: "\n" if match["continuation"] else match.group(), text)


def is_incomplete(text: str) -> bool:
    """Return whether a statement continues on the next line: an open quote or parenthesis, or a final backslash."""
    if _COMMAND.match(text):
        return False
    if text.rstrip(" \t").rstrip("\r\n").endswith("\\"):
        return True
    if match := _INSERT.match(text):
        *_, last = split_lines(f"{text[match.end() :]}\n#".encode(errors="replace"))
        return last != b"#"
    depth = 0
    for match in _TOKEN.finditer(text):
        if match["open"]:
            return True
        depth += bool(match["parenthesis"]) - (match.group() == ")")
    return depth > 0
