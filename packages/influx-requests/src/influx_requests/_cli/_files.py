"""Files by name, the standard input among them."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ._console import CommandError, Exit

STDIN = "-"

_PIECE = 1 << 18

_FORMATS = {
    ".csv": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".line": "lp",
    ".lp": "lp",
    ".parquet": "parquet",
    ".pq": "parquet",
}


def format_of(path: str | Path) -> str | None:
    """Guess the format of a file by its name; None where it does not tell."""
    return _FORMATS.get(Path(path).suffix.lower())


@contextmanager
def opened(path: str) -> Generator[tuple[str, IO[bytes]]]:
    """Open a file, or the standard input, to be read; give what to call it as well.

    Raises:
        CommandError: it cannot be opened.
    """
    if path == STDIN:
        yield "<stdin>", sys.stdin.buffer
        return
    try:
        file = Path(path).open("rb")  # noqa: SIM115 - closed below
        file.peek()  # a folder can be opened, but not read
    except OSError as error:
        msg = f"cannot read {path}: {error.strerror}"
        raise CommandError(msg, Exit.USAGE) from error
    with file:
        yield path, file


def pieces(file: IO[bytes]) -> Iterator[bytes]:
    """Read a file piece by piece, to its end."""
    while piece := file.read(_PIECE):
        yield piece
