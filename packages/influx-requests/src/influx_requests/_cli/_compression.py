"""Compressed files: gzip, and Zstandard with Python 3.14 or the package backports.zstd."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path
from typing import IO, Any, Final

from ._console import CommandError, import_optional

_SUFFIXES: Final = {".gz": "gzip", ".zst": "zstd"}
_MAGIC: Final = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}

#: The number of bytes that tell the compression.
MAGIC_SIZE: Final = 4


def compression_of_name(path: str | Path) -> str | None:
    """Return the compression that the suffix of a file name stands for, or None."""
    return _SUFFIXES.get(Path(path).suffix.lower())


def compression_of_data(start: bytes) -> str | None:
    """Return the compression of data that starts with these bytes, or None."""
    return next((name for magic, name in _MAGIC.items() if start.startswith(magic)), None)


def strip_suffix(path: str | Path) -> Path:
    """Return the path without `.gz` or `.zst`."""
    path = Path(path)
    return path.with_suffix("") if compression_of_name(path) else path


def open_compressed(file: IO[bytes], compression: str, mode: str = "rb") -> IO[bytes]:
    """Return a file that decompresses another one, or compresses into it.

    Raises:
        CommandError: the library is not installed.
    """
    if compression == "gzip":
        level = {} if mode == "rb" else {"compresslevel": 6, "mtime": 0}
        opened: Any = gzip.GzipFile(filename="", fileobj=file, mode=mode, **level)
        return opened  # type: ignore[no-any-return] # GzipFile is not an IO in typeshed
    name = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
    library = import_optional(name, "Zstandard", install="backports.zstd")
    return library.ZstdFile(file, mode=mode)  # type: ignore[no-any-return] # optional library


def decompression_error(name: str, error: Exception) -> CommandError:
    """Return the error for a compressed file that is truncated or malformed."""
    return CommandError(f"{name}: the compressed data is truncated or malformed: {error}")


def is_decompression_error(error: Exception) -> bool:
    """Return whether an exception means that compressed data is truncated or malformed."""
    return isinstance(error, (EOFError, gzip.BadGzipFile)) or type(error).__name__ in {"ZstdError", "error"}
