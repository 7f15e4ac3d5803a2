"""Files by name, the standard input among them."""

from __future__ import annotations

import codecs
import os
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


def is_same_file(path: Path, other: str) -> bool:
    """Say whether a path leads to a file that is read, be it as the standard input."""
    try:
        return os.path.samestat(path.stat(), os.fstat(sys.stdin.fileno()) if other == STDIN else Path(other).stat())
    except (OSError, ValueError):  # there is none yet; or the standard input is no file
        return False


def pieces(name: str, file: IO[bytes], *, begins: bool = True) -> Iterator[bytes]:
    """Read line protocol piece by piece, from where the file stands to its end; `begins` says that this is its begin.

    Raises:
        CommandError: it begins with a byte order mark.
    """
    piece = file.read(_PIECE)
    if begins and piece.startswith(codecs.BOM_UTF8):
        msg = f"{name}: begins with a byte order mark, which InfluxDB would take for a part of the measurement"
        raise CommandError(msg, Exit.REFUSED)
    while piece:
        yield piece
        piece = file.read(_PIECE)
