"""The directory of a batch writer's spool, on the file system.

The one module of the core that touches files. No other imports it: `adapter` exports it for adapters.
"""

from __future__ import annotations

import os
from io import FileIO
from pathlib import Path
from weakref import WeakSet


class SpoolDirectory:
    """Reads and writes the files of a directory, and locks it by an flock of `lock` in it: a `SpoolFiles`.

    Args:
        directory: the path of the directory.
    """

    def __init__(self, directory: str) -> None:
        self._directory = Path(directory).absolute()  # also for a program that goes elsewhere later
        self._lock: FileIO | None = None
        #: What is appended to stays open, since many appends come one after the other.
        self._name = ""
        self._file: FileIO | None = None
        _all.add(self)

    def lock(self) -> None:
        """Make the directory if there is none, and lock it; raises BlockingIOError if somebody else has."""
        import fcntl  # noqa: PLC0415 - there is none on Windows, where only the spool is missing for that

        made = [folder for folder in (self._directory, *self._directory.parents) if not folder.exists()]
        self._directory.mkdir(parents=True, exist_ok=True)
        for folder in made:
            _to_disk(folder.parent)
        lock = FileIO(self._directory / "lock", "a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException:
            lock.close()
            raise
        self._lock = lock

    def unlock(self) -> None:
        """Let go of the directory."""
        self._close()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def leave_to_parent(self) -> None:
        """Close the files in a forked process, without unlocking the directory for the parent."""
        self.unlock()  # an flock belongs to all copies of the descriptor; closing one of them keeps it

    def names(self) -> list[str]:
        """List the directory."""
        return [path.name for path in self._directory.iterdir()]

    def read(self, name: str) -> bytes:
        """Read a file."""
        return (self._directory / name).read_bytes()

    def append(self, name: str, data: bytes, *, sync: bool) -> None:
        """Hand all bytes to the operating system, or to the disk."""
        if self._file is None or self._name != name:
            self._close()
            self._file, self._name = FileIO(self._directory / name, "a"), name
        is_new = not self._file.tell()
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) :]
        if sync:
            os.fsync(self._file)
        if sync and is_new:
            _to_disk(self._directory)

    def truncate(self, name: str, size: int) -> None:
        """Cut a file off."""
        os.truncate(self._directory / name, size)

    def rename(self, name: str, to: str) -> None:
        """Give a file another name."""
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


#: What a forked process closes, so that it does not keep directories locked longer than its parent.
_all: WeakSet[SpoolDirectory] = WeakSet()


def _after_fork() -> None:
    for files in _all:
        files.leave_to_parent()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork)


def _to_disk(directory: Path) -> None:
    """Make sure that a file that is new in a directory is there after a power cut."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
