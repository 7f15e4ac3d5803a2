"""Output files, which are replaced when they are complete."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TextIO

from ._compression import compression_of_name, open_compressed
from ._console import CommandError, file_error

#: Errors of a write to a full disk, beyond a quota or a size limit, and to a disk that is damaged. They name no file.
_FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


@contextmanager
def replace_when_complete(path: Path) -> Generator[Path]:
    """Yield a temporary path that replaces `path` on success; a device is written to directly.

    A symbolic link stays, and its target is replaced. The new file has the permissions and the owner of the old one.

    Raises:
        CommandError: the temporary file cannot be created, or the disk is full.
    """
    is_device = path.exists() and not path.is_file()
    target = path.resolve()
    new = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        if is_device:
            yield path
        else:
            _create_like(new, target)
            yield new
            new.replace(target)
    except OSError as error:
        if error.errno in _FULL and error.filename is None:
            raise CommandError(f"cannot write {path}: {os.strerror(error.errno)}") from error
        if error.filename != str(new):
            raise
        raise file_error(f"cannot write {path}", error) from error
    finally:
        if not is_device:
            new.unlink(missing_ok=True)


def _create_like(new: Path, old: Path) -> None:
    """Create an empty file with the permissions of another one, if that exists.

    The name can be guessed, so another user may have created it as a link to a third file.
    """
    new.unlink(missing_ok=True)  # also left by a process with the same number that was killed
    try:
        status = old.stat()
    except FileNotFoundError:
        new.touch(exist_ok=False)
        return
    os.close(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    if hasattr(os, "chown"):
        with suppress(OSError):  # only root may change the owner
            os.chown(new, status.st_uid, status.st_gid)
    new.chmod(status.st_mode & 0o777)


@contextmanager
def open_text(path: Path, name: Path) -> Generator[TextIO]:
    """Open a text file for writing; it is compressed if `name` ends in `.gz` or `.zst`.

    Raises:
        CommandError: the file cannot be opened, or the library for the compression is not installed.
    """
    try:
        file = path.open("wb")
    except OSError as error:
        raise file_error(f"cannot write {name}", error) from error
    with file:
        compression = compression_of_name(name)
        data = open_compressed(file, compression, "wb") if compression else file
        with io.TextIOWrapper(data, encoding="utf-8", newline="") as text:
            yield text
