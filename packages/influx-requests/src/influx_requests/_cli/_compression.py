"""Compressed files: gzip, and Zstandard with Python 3.14 or the package backports.zstd."""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from ._console import CommandError, import_optional

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_SUFFIXES: Final = {".gz": "gzip", ".zst": "zstd"}
_MAGIC: Final = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}

_ZSTD_LIBRARY: Final = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"

#: The number of bytes that tell the compression.
MAGIC_SIZE: Final = 4

#: Compressed bytes that are decompressed at once; gzip expands them at most 1032 times.
_LIVE_BLOCK_SIZE: Final = 1 << 14

#: The argument of zlib for data with the header of gzip.
_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS


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
    return _import_zstd().ZstdFile(file, mode=mode)  # type: ignore[no-any-return] # optional library


def open_live(file: io.BufferedReader, compression: str) -> IO[bytes]:
    """Return a file that decompresses a stream: its `read1` returns data as soon as it can be decompressed.

    Raises:
        CommandError: the library is not installed.
    """
    if compression == "gzip":
        return io.BufferedReader(_LiveDecompression(file, partial(zlib.decompressobj, _GZIP_WINDOW)))
    return io.BufferedReader(_LiveDecompression(file, _import_zstd().ZstdDecompressor))


def _import_zstd() -> Any:
    return import_optional(_ZSTD_LIBRARY, "Zstandard", install="backports.zstd")


class _LiveDecompression(io.RawIOBase):
    """The decompressed data of a stream of gzip members or Zstandard frames.

    Args:
        file: the compressed stream.
        create: returns a decompressor for a member or frame.
    """

    def __init__(self, file: io.BufferedReader, create: Callable[[], Any]) -> None:
        super().__init__()
        self._file = file
        self._create = create
        #: The decompressor of the current member; None between members.
        self._decompressor: Any = None
        #: Compressed data after the last member.
        self._compressed = b""
        #: Decompressed data that no read has returned.
        self._data = memoryview(b"")

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Wait until data can be decompressed, write it to the buffer and return its size.

        Raises:
            EOFError: the stream ends within a member or frame.
        """
        while not self._data:
            if not (compressed := self._compressed or self._file.read1(_LIVE_BLOCK_SIZE)):
                if self._decompressor is not None:
                    raise EOFError("the stream ends before its end-of-stream marker")
                return 0
            self._data = memoryview(self._decompress(compressed))
        view = memoryview(buffer).cast("B")
        size = min(len(view), len(self._data))
        view[:size] = self._data[:size]
        self._data = self._data[size:]
        return size

    def _decompress(self, compressed: bytes) -> bytes:
        self._compressed = b""
        if self._decompressor is None:
            compressed = compressed.lstrip(b"\0")  # padding between members
            if not compressed:
                return b""
            self._decompressor = self._create()
        data: bytes = self._decompressor.decompress(compressed)
        if self._decompressor.eof:
            self._compressed = self._decompressor.unused_data
            self._decompressor = None
        return data


@contextmanager
def decompressing(name: str) -> Generator[None]:
    """Raise `CommandError` with the name of the file if compressed data is truncated or malformed."""
    try:
        yield
    except _decompression_errors() as error:
        raise CommandError(f"{name}: the compressed data is truncated or malformed: {error}") from error


def _decompression_errors() -> tuple[type[Exception], ...]:
    library = sys.modules.get(_ZSTD_LIBRARY)  # not imported if no file is compressed with it
    return (EOFError, gzip.BadGzipFile, zlib.error, *([library.ZstdError] if library else []))
