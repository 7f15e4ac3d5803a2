"""Prompt of the interactive shell: history, completion, and statements of several lines."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from influx_proto import InfluxDBError

from ._config import home_path
from ._console import Exit, format_count, import_optional, print_stderr
from ._schema import names_of
from ._shell import FORMATS, Session, is_incomplete, split_pasted
from ._terminal import has_color

if TYPE_CHECKING:
    from prompt_toolkit.completion import CompleteEvent, Completion
    from prompt_toolkit.document import Document

_KEYWORDS: Final = re.findall(
    r"\S+",
    """
    ALL ALTER ANALYZE AND AS ASC BY CARDINALITY CREATE DATABASE DATABASES DELETE DESC DROP DURATION EXPLAIN FIELD FILL
    FROM GRANT GROUP IN INSERT INTO KEY KEYS LIMIT MEASUREMENT MEASUREMENTS NOT OFFSET ON OR ORDER POLICIES POLICY
    PRIVILEGES QUERIES REPLICATION RETENTION REVOKE SELECT SERIES SET SHARD SHARDS SHOW SLIMIT SOFFSET STATS
    SUBSCRIPTIONS TAG TO USE USER USERS VALUES WHERE WITH time now() count() distinct() integral() mean() median()
    mode() spread() stddev() sum() bottom() first() last() max() min() percentile() sample() top() cumulative_sum()
    derivative() difference() elapsed() moving_average() non_negative_derivative()
    """,
)
_COMMANDS: Final = ["l", "d", "use", "format", "epoch", "timing", "pager", "q", "?"]

_WORD: Final = re.compile(r'"(?:[^"\\]|\\.)*$|[\w.]+$')
_IDENTIFIER: Final = re.compile(r"[A-Za-z_]\w*")
_SOURCE: Final = re.compile(r"\b(?:FROM|MEASUREMENT|INSERT)\s+\S*$|^\s*\\d\s.*$", re.IGNORECASE)
_DATABASE: Final = re.compile(r"(?:^\s*(?:USE|\\use)|\b(?:ON|DATABASE))\s+\S*$", re.IGNORECASE)


class Names:
    """Names for completion, which are fetched when they are first needed and after a change."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._cached: dict[str, list[str]] = {}
        session.on_change = self._cached.clear

    def databases(self) -> list[str]:
        """Return the names of the databases."""
        return self._get("SHOW DATABASES")

    def measurements(self) -> list[str]:
        """Return the names of the measurements."""
        return self._get("SHOW MEASUREMENTS")

    def columns(self) -> list[str]:
        """Return the names of tags and fields."""
        return [*self._get("SHOW TAG KEYS"), *self._get("SHOW FIELD KEYS")]

    def _get(self, query: str) -> list[str]:
        if query not in self._cached:
            try:
                names = names_of(self._session.client.query(query))
            except InfluxDBError:  # for example without a database; the next statement reports it
                names = []
            self._cached[query] = sorted(set(names))
        return self._cached[query]


def completions(text: str, names: Names) -> Iterator[tuple[str, int, str]]:
    """Yield the completions of the text before the cursor: the new word, the length of the old one, and its kind."""
    match = _WORD.search(text)
    word = match.group() if match else ""
    before = text[: len(text) - len(word)]
    if before == "\\" or text == "\\":
        candidates = [(name, "command") for name in _COMMANDS]
    elif before.strip() == "\\format":
        candidates = [(name, "format") for name in FORMATS]
    elif _DATABASE.search(text):
        candidates = [(name, "database") for name in names.databases()]
    elif _SOURCE.search(text):
        candidates = [(name, "measurement") for name in names.measurements()]
    else:
        candidates = [(name, "column") for name in names.columns()] if before.strip() else []
        candidates += [(keyword, "keyword") for keyword in _KEYWORDS]
    bare = word.strip('"').lower()
    for name, kind in candidates:
        if name.lower().startswith(bare):
            is_plain = kind in {"keyword", "command", "format"} or (
                _IDENTIFIER.fullmatch(name) and not word.startswith('"')
            )
            quoted = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
            yield (name if is_plain else quoted), len(word), kind


def history_path() -> Path:
    """Return the path of the history file, in the directory of the operating system for such data."""
    if sys.platform == "win32":
        folder = Path(os.environ.get("LOCALAPPDATA") or home_path() / "AppData" / "Local")
    else:
        folder = Path(os.environ.get("XDG_STATE_HOME") or home_path() / ".local" / "state")
    return folder / "influxq_history"


def run_prompt(session: Session) -> Exit:
    """Read statements at the terminal until the user exits.

    Raises:
        CommandError: the library prompt_toolkit is not installed.
    """
    prompt_session = _create_prompt(session)
    sys.stdout.write(
        f"InfluxDB {session.client.ping().version or ''} at {session.client.settings.address}; \\? for help\n"
    )
    _check_database(session)
    while True:
        try:
            text = prompt_session.prompt(lambda: session.prompt)
        except KeyboardInterrupt:  # Ctrl-C discards the line
            continue
        except EOFError:  # Ctrl-D
            return Exit.OK
        statements = split_pasted(text)
        for number, statement in enumerate(statements, 1):
            if (code := session.execute(statement)) is Exit.OK:
                return Exit.OK
            if code is not None:
                if remaining := len(statements) - number:
                    print_stderr(f"{format_count(remaining, 'statement')} after it not executed")
                break


def _check_database(session: Session) -> None:
    """Warn of a database that does not exist: the server lists nothing in it without an error."""
    database = session.client.db
    with suppress(InfluxDBError):  # the user may have no privilege to list databases
        if database and database not in names_of(session.client.show_databases()):
            print_stderr(f"warning: database {database!r} not found; \\l lists the databases")


def _create_prompt(session: Session) -> Any:
    library = import_optional("prompt_toolkit", "influxq shell")
    completion = import_optional("prompt_toolkit.completion", "influxq shell")
    history = import_optional("prompt_toolkit.history", "influxq shell")
    filters = import_optional("prompt_toolkit.filters", "influxq shell")
    output = import_optional("prompt_toolkit.output", "influxq shell")
    names = Names(session)

    class Completer(completion.Completer):  # type: ignore[misc, name-defined] # an optional library
        def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
            del complete_event
            for text, length, kind in completions(document.text_before_cursor, names):
                yield completion.Completion(text, start_position=-length, display_meta=kind)

    class History(history.FileHistory):  # type: ignore[misc, name-defined] # an optional library
        def store_string(self, string: str) -> None:
            if "password" not in string.lower():  # CREATE USER ... WITH PASSWORD
                with suppress(OSError):  # for example on a full disk
                    super().store_string(string)

    prompt_session: Any = library.PromptSession(
        completer=Completer(),
        complete_in_thread=True,
        complete_while_typing=False,
        history=History(str(path)) if (path := _prepare_history()) else history.InMemoryHistory(),
        enable_history_search=True,
        enable_suspend=True,
        multiline=filters.Condition(lambda: is_incomplete(prompt_session.default_buffer.text)),
        prompt_continuation=_continuation,
        color_depth=None if has_color(sys.stdout) else output.ColorDepth.DEPTH_1_BIT,
    )
    return prompt_session


def _continuation(width: int, _line: int, _wraps: int) -> str:
    return "... ".rjust(width)


def _prepare_history() -> Path | None:
    """Create the history file and return its path, or print a warning and return None if that is not possible."""
    path = history_path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600))
    except OSError as error:
        print_stderr(f"warning: cannot write {path}, so the history is not kept: {error.strerror}")
        return None
    return path
