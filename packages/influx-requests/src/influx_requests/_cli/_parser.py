"""Parser of the command line: an error is one line, and suggests the nearest command or option."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import Any, Final, NoReturn

from ._console import PROGRAM, Exit, print_error

#: Options of similar programs, and what replaces them.
_REPLACEMENTS: Final = {
    "--password": "set INFLUXDB_PASSWORD, or pass --ask-password",
    "--token": "set INFLUXDB_TOKEN",
    "--bucket": "set INFLUXDB_BUCKET",
    "--org": "set INFLUXDB_ORG",
    "--ssl": "pass --url https://...",
    "--execute": f"run {PROGRAM} query 'SELECT ...'",
    "--import": f"run {PROGRAM} write FILE",
    "--path": f"run {PROGRAM} write FILE",
}


class Parser(argparse.ArgumentParser):
    """Parser that lists its options and commands, for the completion scripts and for suggestions."""

    def __init__(self, **settings: Any) -> None:
        #: The options and positional arguments.
        self.arguments: list[argparse.Action] = []
        self.commands: dict[str, Parser] = {}
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **settings)

    def add_argument(self, *names: Any, **settings: Any) -> argparse.Action:
        """Add an argument."""
        action = super().add_argument(*names, **settings)
        self.arguments.append(action)
        return action

    @property
    def option_names(self) -> list[str]:
        """The names of the options."""
        return [name for argument in self.arguments for name in argument.option_strings]

    def error(self, message: str) -> NoReturn:
        """Print an error in one line and exit."""
        self.exit_with(message)

    def exit_with(self, message: str) -> NoReturn:
        """Print a message in one line and exit with the code of a usage error."""
        print_error(message if message.endswith("?") else f"{message}; see {self.prog} --help")
        raise SystemExit(int(Exit.USAGE))

    def reject(self, extra: Sequence[str]) -> NoReturn:
        """Report the first of the arguments that the parser does not know, and exit."""
        [word, *_] = extra
        hint = "; quote the query" if self.prog.endswith(" query") else ""
        self.exit_with(self.describe_option(word) if word.startswith("-") else f"unexpected argument {word!r}{hint}")

    def describe_option(self, word: str) -> str:
        """Return the message for an unknown option."""
        name = word.partition("=")[0]
        if replacement := _REPLACEMENTS.get(f"--{name.lstrip('-')}"):
            return f"unknown option {name}; {replacement}"
        return f"unknown option {name}{suggest(name, self.option_names)}"


def suggest(word: str, known: Iterable[str]) -> str:
    """Return the question for the known word that resembles a word most, or an empty string."""
    from difflib import get_close_matches  # noqa: PLC0415 - only after an error

    close = get_close_matches(word, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""
