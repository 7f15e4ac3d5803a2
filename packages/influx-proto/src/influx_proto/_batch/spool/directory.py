"""Spool directory of a batch writer on the file system.

This is the only module of the core that touches files. `adapter` exports it; no other module of the core imports it.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Final
from weakref import WeakSet

#: Permissions of new files: the lines may be confidential, so other users have none. The umask may remove more.
_MODE: Final = 0o660


class SpoolDirectory:
    """A `SpoolFiles` that uses a directory, and locks it with an `flock` on it and on the file `lock`.

    The directory stays open while it is locked. If it is moved meanwhile, its files are still used.

    Args:
        directory: the path of the directory.
    """

    def __init__(self, directory: str) -> None:
        self._directory = Path(directory).absolute()  # the program may change its working directory later
        #: Descriptor of the open directory.
        self._descriptor: int | None = None
        self._lock: FileIO | None = None
        #: The file that was appended to last stays open for further appends.
        self._name = ""
        self._file: FileIO | None = None
        _instances.add(self)

    def lock(self) -> None:
        """Create the directory if it does not exist, not accessible to other users, and lock it.

        Raises:
            BlockingIOError: the directory is already locked.
        """
        import fcntl  # noqa: PLC0415 - does not exist on Windows, where only the spool is unavailable

        created = [folder for folder in (self._directory, *self._directory.parents) if not folder.exists()]
        self._directory.mkdir(mode=_MODE | 0o110, parents=True, exist_ok=True)
        for folder in created:
            _sync_directory(folder.parent)
        self._descriptor = os.open(self._directory, os.O_RDONLY)
        try:
            self._lock = self._open("lock", "a")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            try:  # also the directory, since another program may delete the file
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise
            except OSError:  # network file systems only lock files
                pass
        except BaseException:
            self.unlock()
            raise

    def unlock(self) -> None:
        """Unlock the directory."""
        self._close()
        if self._lock is not None:
            self._lock.close()
            self._lock = None
        if self._descriptor is not None:
            # Forgotten first: after an interruption the number may belong to another file.
            descriptor, self._descriptor = self._descriptor, None
            os.close(descriptor)

    def leave_to_parent(self) -> None:
        """Close the files in a forked process. The directory stays locked by the parent."""
        self.unlock()  # an flock is released only when all copies of the descriptor are closed

    def names(self) -> list[str]:
        """Return the names of the files in the directory."""
        return os.listdir(self._descriptor)  # noqa: PTH208 - a Path cannot be a descriptor

    def sizes(self, names: Iterable[str]) -> dict[str, int]:
        """Return the sizes of those of the files that exist, in bytes; none if another directory has the path."""
        sizes: dict[str, int] = {}
        if self._is_replaced():
            return sizes
        for name in names:
            with suppress(FileNotFoundError):
                sizes[name] = os.stat(name, dir_fd=self._descriptor).st_size
        return sizes

    def read(self, name: str) -> bytes:
        """Return the contents of a file."""
        with self._open(name, "r") as file:
            return file.readall()

    def append(self, name: str, data: bytes, *, sync: bool) -> None:
        """Append all bytes to a file, and create it if it does not exist; with `sync`, call `fsync`.

        Raises:
            FileNotFoundError: with `sync`, if the file was deleted after an earlier append.
        """
        if self._file is None or self._name != name:
            if self._file is not None:
                with suppress(OSError):  # its lines were synced before
                    os.fsync(self._file)  # after a power failure, a mark must not exist without the marks before it
            self._close()
            if self._is_replaced():
                raise OSError(errno.ESTALE, "the directory was replaced by another one")
            self._file, self._name = self._open(name, "a"), name
        is_new = not self._file.tell()
        remaining = memoryview(data)
        while remaining:
            remaining = remaining[self._file.write(remaining) :]
        if sync:
            os.fsync(self._file)
            if not os.fstat(self._file.fileno()).st_nlink:
                raise FileNotFoundError(errno.ENOENT, "the file was deleted")
        if sync and is_new and self._descriptor is not None:
            os.fsync(self._descriptor)

    def truncate(self, name: str, size: int) -> None:
        """Truncate a file to a size in bytes."""
        with self._open(name, "r+") as file:
            file.truncate(size)

    def rename(self, name: str, to: str) -> None:
        """Rename a file."""
        os.rename(name, to, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)

    def delete(self, name: str) -> None:
        """Delete a file."""
        if self._name == name:
            self._close()
        os.unlink(name, dir_fd=self._descriptor)

    def _open(self, name: str, mode: str) -> FileIO:
        return FileIO(name, mode, opener=lambda path, flags: os.open(path, flags, _MODE, dir_fd=self._descriptor))

    def _is_replaced(self) -> bool:
        """Return whether another directory has the path; the next writer would not find the files of this one."""
        if self._descriptor is None:
            return False
        try:
            return not os.path.samestat(self._directory.stat(), os.fstat(self._descriptor))
        except FileNotFoundError:  # the directory was moved or deleted
            return False

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


#: Closed in a forked process, which would otherwise keep directories locked after its parent exits.
_instances: WeakSet[SpoolDirectory] = WeakSet()


def _after_fork() -> None:
    for directory in _instances:
        directory.leave_to_parent()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork)


def _sync_directory(directory: Path) -> None:
    """Write the entries of a directory to disk, so that new files in it survive a power failure."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
