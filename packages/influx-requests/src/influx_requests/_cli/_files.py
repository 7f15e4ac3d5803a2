"""Input files, including standard input."""

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

_CHUNK_SIZE = 1 << 18

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


def guess_format(path: str | Path) -> str | None:
    """Return the format that the suffix of a file name stands for, or None if it is unknown."""
    return _FORMATS.get(Path(path).suffix.lower())


@contextmanager
def open_input(path: str) -> Generator[tuple[str, IO[bytes]]]:
    """Open a file or standard input for reading; yield its name in messages, and the file.

    Raises:
        CommandError: the file cannot be opened or read.
    """
    if path == STDIN:
        yield "<stdin>", sys.stdin.buffer
        return
    try:
        file = Path(path).open("rb")  # noqa: SIM115 - closed below
        file.peek()  # on some systems a directory can be opened, but not read
    except OSError as error:
        msg = f"cannot read {path}: {error.strerror}"
        raise CommandError(msg, Exit.USAGE) from error
    with file:
        yield path, file


def is_same_file(path: Path, other: str) -> bool:
    """Return whether a path is the same file as an input, which may be standard input."""
    try:
        return os.path.samestat(path.stat(), os.fstat(sys.stdin.fileno()) if other == STDIN else Path(other).stat())
    except (OSError, ValueError):  # the file does not exist, or standard input is closed or not a file
        return False


def read_chunks(name: str, file: IO[bytes], *, is_start: bool = True) -> Iterator[bytes]:
    """Read line protocol in chunks from the current position to the end of the file.

    Args:
        name: the name of the file in messages.
        file: the file.
        is_start: whether the current position is the start of the file.

    Raises:
        CommandError: the file begins with a byte order mark.
    """
    chunk = file.read(_CHUNK_SIZE)
    if is_start and chunk.startswith(codecs.BOM_UTF8):
        msg = f"{name}: begins with a byte order mark, which InfluxDB would read as part of the measurement; remove it"
        raise CommandError(msg)
    while chunk:
        yield chunk
        chunk = file.read(_CHUNK_SIZE)
