"""Input files: regular files, standard input and other streams, compressed or not."""

from __future__ import annotations

import codecs
import io
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import IO, Final

from ._compression import (
    MAGIC_SIZE,
    compression_of_data,
    decompressing,
    open_compressed,
    open_live,
    strip_suffix,
)
from ._console import CommandError, Exit, file_error, print_stderr
from ._live_input import LiveInput

STDIN: Final = "-"

#: The names of standard output.
STDOUT_PATHS: Final = {"-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"}

_STDIN_PATHS: Final = {STDIN, "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"}

_BLOCK_SIZE: Final = 1 << 18

_FORMATS: Final = {
    ".csv": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".line": "lp",
    ".lp": "lp",
    ".parquet": "parquet",
    ".pq": "parquet",
}

#: The marks at the beginning of UTF-16, which Windows programs write.
_UTF_16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def not_utf8(data: bytes) -> str:
    """Return the problem with the beginning of data that is not UTF-8, and the remedy."""
    encoding = "UTF-16" if data.startswith(_UTF_16) else "WINDOWS-1252"
    return f"not UTF-8; convert it first, for example with `iconv -f {encoding} -t UTF-8`"


def guess_format(path: str | Path) -> str | None:
    """Return the format that the suffix of a file name stands for, or None if it is unknown."""
    return _FORMATS.get(strip_suffix(path).suffix.lower())


class Input:
    """An open input.

    Args:
        name: the name in messages.
        raw: the data, which may be compressed.
        path: the path if the input can be read again, which `--resume` needs.
        live: the input, if it is not a regular file.
    """

    def __init__(self, name: str, raw: IO[bytes], path: Path | None, live: LiveInput | None) -> None:
        self.name = name
        self.path = path
        self._raw = raw
        self._live = live

    @cached_property
    def file(self) -> IO[bytes]:
        """The data, decompressed. The first access to a stream waits for its first data."""
        if self._compression is None:
            return self._raw
        if isinstance(self._raw, io.BufferedReader) and self._live is not None:
            return open_live(self._raw, self._compression)
        return open_compressed(self._raw, self._compression)

    @cached_property
    def _compression(self) -> str | None:
        return compression_of_data(self._raw.peek(MAGIC_SIZE)[:MAGIC_SIZE])  # type: ignore[attr-defined] # is buffered

    @property
    def size(self) -> int | None:
        """The size in bytes, if known."""
        if self.path is None or self._compression is not None:
            return None
        return os.fstat(self._raw.fileno()).st_size

    def read_blocks(self) -> Iterator[bytes]:
        """Yield the data from the current position: each block as soon as it is available.

        Raises:
            CommandError: the compressed data is truncated or malformed, or the data is UTF-16.
            InputInterrupted: a signal ended a live input; all data that was read has been yielded.
        """
        with self._live.interruptible() if self._live is not None else nullcontext(), decompressing(self.name):
            # `read1` returns what one read of the operating system returns.
            is_first = True
            while block := self.file.read1(_BLOCK_SIZE):  # type: ignore[attr-defined] # is buffered
                if is_first and block.startswith(_UTF_16):
                    raise CommandError(f"{self.name}: {not_utf8(block)}")
                is_first = False
                yield block

    def copy_to_temporary(self) -> IO[bytes]:
        """Return a temporary file with the whole input, for formats that are read more than once."""
        copy = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
        with decompressing(self.name):
            shutil.copyfileobj(self.file, copy)
        copy.seek(0)
        return copy


def is_line(path: str) -> bool:
    """Return whether an argument is a line of line protocol, and not the name of a file."""
    return " " in path and "=" in path.partition(" ")[2] and not Path(path).exists()


@contextmanager
def open_input(path: str, content: str) -> Generator[Input]:
    """Open a file or standard input for reading.

    Args:
        path: the file; `STDIN` for standard input.
        content: the kind of data, for a message at a terminal.

    Raises:
        CommandError: the file cannot be opened or read.
    """
    if is_line(path):
        yield Input("<argument>", io.BufferedReader(io.BytesIO(path.encode(errors="surrogateescape"))), None, None)
        return
    name = "<stdin>" if path == STDIN else path
    try:
        descriptor = _open_descriptor(path)
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            os.close(descriptor)
            raise CommandError(f"cannot read {path}: Is a directory", Exit.USAGE)
    except OSError as error:
        raise file_error(f"cannot read {path}", error) from error
    if path in _STDIN_PATHS:
        _announce_terminal(content)
    if stat.S_ISREG(status.st_mode):
        live = None
        raw: IO[bytes] = os.fdopen(descriptor, "rb")
    else:
        live = LiveInput(descriptor)
        raw = io.BufferedReader(live, _BLOCK_SIZE)
    with raw:
        # The paths below /dev and /proc are of open files, which another process cannot open.
        can_resume = live is None and path not in _STDIN_PATHS and not path.startswith(("/dev/", "/proc/"))
        yield Input(name, raw, Path(path) if can_resume else None, live)


def _open_descriptor(path: str) -> int:
    if path in _STDIN_PATHS:
        return os.dup(stdin().fileno())
    return os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))


def stdin() -> IO[bytes]:
    """Return the binary standard input.

    Raises:
        CommandError: it is closed.
    """
    if sys.stdin is None:  # as after `<&-`
        raise CommandError("standard input is closed; pass a file", Exit.USAGE)
    return sys.stdin.buffer


def read_stdin(content: str) -> str:
    """Read the text of standard input.

    Args:
        content: the kind of data, for a message at a terminal.

    Raises:
        CommandError: it is closed, or not UTF-8.
    """
    source = stdin()
    _announce_terminal(content)
    return decode(source.read(), "standard input")


def decode(data: bytes, name: str) -> str:
    """Return the text of a file or of standard input.

    Raises:
        CommandError: it is not UTF-8.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise CommandError(f"cannot read {name}: {not_utf8(data)}", Exit.USAGE) from None


def _announce_terminal(content: str) -> None:
    """Print that the program waits for standard input, if that is a terminal.

    Args:
        content: the kind of data.
    """
    if sys.stdin.isatty():
        end = "Ctrl-Z and Enter" if sys.platform == "win32" else "Ctrl-D"
        print_stderr(f"reading {content} from the terminal; end with {end}")


def is_typed(name: str) -> bool:
    """Return whether an input of this name is standard input, and that is a terminal."""
    return name in {"<stdin>", *_STDIN_PATHS} and sys.stdin is not None and sys.stdin.isatty()


def is_same_file(path: Path, other: str) -> bool:
    """Return whether a path is the same file as an input, which may be standard input."""
    try:
        status = os.fstat(stdin().fileno()) if other in _STDIN_PATHS else Path(other).stat()
        return os.path.samestat(path.stat(), status)
    except (OSError, ValueError):  # the file does not exist, or standard input is not a file
        return False
