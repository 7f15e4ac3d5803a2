"""Spool directory of a batch writer on the file system.

This is the only module of the core that touches files. `adapter` exports it; no other module of the core imports it.
"""

from __future__ import annotations

import os
from io import FileIO
from pathlib import Path
from weakref import WeakSet


class SpoolDirectory:
    """A `SpoolFiles` that uses a directory, and locks it with an `flock` on the file `lock`.

    Args:
        directory: the path of the directory.
    """

    def __init__(self, directory: str) -> None:
        self._directory = Path(directory).absolute()  # the program may change its working directory later
        self._lock: FileIO | None = None
        #: The file that was appended to last stays open for further appends.
        self._name = ""
        self._file: FileIO | None = None
        _instances.add(self)

    def lock(self) -> None:
        """Create the directory if it does not exist, and lock it.

        Raises:
            BlockingIOError: the directory is already locked.
        """
        import fcntl  # noqa: PLC0415 - does not exist on Windows, where only the spool is unavailable

        created = [folder for folder in (self._directory, *self._directory.parents) if not folder.exists()]
        self._directory.mkdir(parents=True, exist_ok=True)
        for folder in created:
            _sync_directory(folder.parent)
        lock = FileIO(self._directory / "lock", "a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException:
            lock.close()
            raise
        self._lock = lock

    def unlock(self) -> None:
        """Unlock the directory."""
        self._close()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def leave_to_parent(self) -> None:
        """Close the files in a forked process. The directory stays locked by the parent."""
        self.unlock()  # an flock is released only when all copies of the descriptor are closed

    def names(self) -> list[str]:
        """Return the names of the files in the directory."""
        return [path.name for path in self._directory.iterdir()]

    def read(self, name: str) -> bytes:
        """Return the contents of a file."""
        return (self._directory / name).read_bytes()

    def append(self, name: str, data: bytes, *, sync: bool) -> None:
        """Append all bytes to a file, and create it if it does not exist; with `sync`, call `fsync`."""
        if self._file is None or self._name != name:
            self._close()
            self._file, self._name = FileIO(self._directory / name, "a"), name
        is_new = not self._file.tell()
        remaining = memoryview(data)
        while remaining:
            remaining = remaining[self._file.write(remaining) :]
        if sync:
            os.fsync(self._file)
        if sync and is_new:
            _sync_directory(self._directory)

    def truncate(self, name: str, size: int) -> None:
        """Truncate a file to a size in bytes."""
        os.truncate(self._directory / name, size)

    def rename(self, name: str, to: str) -> None:
        """Rename a file."""
        (self._directory / name).rename(self._directory / to)

    def delete(self, name: str) -> None:
        """Delete a file."""
        if self._name == name:
            self._close()
        (self._directory / name).unlink()

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
