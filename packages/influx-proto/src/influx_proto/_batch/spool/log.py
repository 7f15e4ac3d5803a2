"""A spool: a directory with the lines that a batch writer was given and that are not settled yet.

What is written and deleted, and in which bytes, is decided in `segments` and `format`; an adapter's
`SpoolFiles` does it. Over an event loop that is done in a thread: whatever touches files is a function here that is
yielded to those who wait (see `base`), one at a time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from contextlib import suppress
from functools import partial
from typing import Final, Protocol

from ..._encode.batch import Batch
from ..._errors import SpoolError
from ..._write.request import Target
from ..options import Spool
from .format import (
    Reading,
    SpooledBatch,
    UnknownVersion,
    encode_target,
    lines_record,
    name_of,
    number_of,
    read_segment,
    size_of_lines,
)
from .segments import Append, Cleanup, Segment, SegmentIndex

#: How large a file gets; a smaller share of a small spool, so that room is made bit by bit.
_SEGMENT_BYTES: Final = 16_000_000
_SHARE: Final = 8


class SpoolFiles(Protocol):
    """The files of one directory, by their names. Everything may raise OSError."""

    def lock(self) -> None:
        """Make the directory if there is none, and lock it; raises BlockingIOError if somebody else has."""
        ...

    def unlock(self) -> None:
        """Let go of the directory; does not block, and does nothing if it is not locked."""
        ...

    def names(self) -> list[str]:
        """List the directory."""
        ...

    def read(self, name: str) -> bytes:
        """Read a file."""
        ...

    def append(self, name: str, data: bytes, *, sync: bool) -> None:
        """Hand all bytes to the operating system, at the end of a file, which may be new; to the disk if `sync`."""
        ...

    def truncate(self, name: str, size: int) -> None:
        """Cut a file off."""
        ...

    def rename(self, name: str, to: str) -> None:
        """Give a file another name."""
        ...

    def delete(self, name: str) -> None:
        """Delete a file."""
        ...


class SpoolLog:
    """Keeps lines in the files of a spool, until they are settled."""

    def __init__(self, spool: Spool, files: SpoolFiles, database: str | None, log: Callable[..., None]) -> None:
        self._spool = spool
        self._files = files
        self._database = database
        self._log = log
        self._index = self._new_index()
        self._warned = False
        self._is_open = False
        self._is_left = False
        #: Whether something is done with the files, so that nothing else may be.
        self.busy = False

    @property
    def directory(self) -> str:
        """Where it is."""
        return str(self._spool.directory)

    @property
    def is_open(self) -> bool:
        """Whether the directory is ours."""
        return self._is_open

    @property
    def fill(self) -> str:
        """Say how full it is."""
        return f"the spool {self.directory} has {self._index.size} of at most {self._spool.max_bytes} bytes"

    def has_room(self, target: Target, batch: Batch) -> bool:
        """Whether a batch may be kept now."""
        return self._index.has_room(size_of_lines(self._encoded_target(target, batch), batch))

    def open(self) -> list[SpooledBatch]:
        """Lock the directory, and give what an earlier writer left in it; touches files.

        Raises:
            SpoolError: the directory cannot be used, another writer uses it, or it is of a later version.
        """
        try:
            self._files.lock()
        except BlockingIOError as error:
            msg = f"the spool {self.directory} is used by another batch writer"
            raise SpoolError(msg, retryable=True) from error
        except (OSError, ImportError) as error:
            raise SpoolError(f"the spool {self.directory} cannot be locked: {error}") from error
        try:
            kept = self._found()
            for work in self.clean_up():
                work()
        except OSError as error:
            self._files.unlock()
            raise SpoolError(f"the spool {self.directory} cannot be read: {error}") from error
        except BaseException:
            self._files.unlock()
            raise
        self._is_open, self._is_left = True, False
        return kept

    def keep(self, target: Target, batch: Batch, then: Callable[[int], None]) -> Generator[Callable[[], None]]:
        """Keep a batch; gives what touches files. `then` is told the record's number when it is kept, only then.

        Raises:
            SpoolError: it could not be kept, and nothing of it is.
        """
        number = self._index.next_number
        plan = self._index.write(lines_record(number, self._encoded_target(target, batch), batch), number)
        done: list[Append] = []
        self.busy = True
        try:
            yield partial(self._write, plan, done, sync=self._spool.sync, lines=batch.lines)
        finally:
            self._free()
            if done:
                self._index.written(plan)
                then(number)

    def mark_completed(self, numbers: list[int]) -> None:
        """Say that the lines of these records are stored, or that somebody was told that they are not."""
        self._index.mark_completed(numbers)

    def clean_up(self) -> Generator[Callable[[], None]]:
        """Delete what is settled; gives what touches files."""
        plan = self._index.cleanup()
        if plan is None:
            return
        deleted: list[Segment] = []
        marked: list[Append] = []
        self.busy = True
        try:
            yield partial(self._clean_up, plan, deleted, marked)
        finally:
            self._free()
            for _ in deleted:
                self._index.deleted()
            for mark in marked:
                self._index.marked(mark, plan.before)

    def close(self) -> None:
        """Let go of the directory, as soon as nothing is done with its files any more; does not block."""
        self._is_open = False
        self._is_left = True
        if not self.busy:
            self._files.unlock()

    def _free(self) -> None:
        self.busy = False
        if self._is_left:
            self._files.unlock()

    def _encoded_target(self, target: Target, batch: Batch) -> bytes:
        """Say where lines go whatever the database of the next writer's client is."""
        params, wants_db = target
        if wants_db and self._database is not None:
            params = (*params, ("db", self._database))
        return encode_target((params, False), batch.precision)

    def _write(self, plan: Append, done: list[Append], *, sync: bool, lines: int) -> None:
        try:
            self._append(plan, done, sync=sync)
        except OSError as error:
            path, why = f"{self.directory}/{plan.segment.name}", error.strerror or error
            msg = f"cannot write to {path}: {why}; these {lines} lines were not accepted"
            raise SpoolError(msg, retryable=True) from error

    def _append(self, plan: Append, done: list[Append], *, sync: bool) -> None:
        """Append, and say so in `done`; or undo what there is of it."""
        segment = plan.segment
        try:
            self._files.append(segment.name, plan.data, sync=sync)
            done.append(plan)
        except BaseException:
            done.clear()
            try:
                if segment.size:
                    self._files.truncate(segment.name, segment.size)
                else:
                    self._files.delete(segment.name)
            except FileNotFoundError:
                pass
            except OSError:
                self._index.broken(plan)
            raise

    def _clean_up(self, plan: Cleanup, deleted: list[Segment], marked: list[Append]) -> None:
        """Delete what is over; whatever fails is done another time, and until then only sent again after a crash."""
        try:
            for segment in plan.over:
                self._drop(segment)
                deleted.append(segment)
        except OSError as error:
            if not self._warned:
                self._log(logging.WARNING, "cannot delete what is settled in the spool %s: %s", self.directory, error)
                self._warned = True
        if plan.mark is not None:
            with suppress(OSError):
                self._append(plan.mark, marked, sync=False)

    def _drop(self, segment: Segment) -> None:
        with suppress(FileNotFoundError):
            if segment.damaged:
                self._files.rename(segment.name, f"{segment.name}.damaged")
            else:
                self._files.delete(segment.name)

    def _new_index(self) -> SegmentIndex:
        return SegmentIndex(self._spool.max_bytes, min(_SEGMENT_BYTES, self._spool.max_bytes // _SHARE))

    def _found(self) -> list[SpooledBatch]:
        self._index = self._new_index()
        names = self._files.names()
        numbers = [number for name in names if (number := number_of(name)) is not None]
        self._index.next_segment = max(numbers, default=0) + 1
        segments: list[Segment] = []
        kept: list[SpooledBatch] = []
        mark = 0
        for number in sorted(number for number in numbers if name_of(number) in names):
            reading = self._read(number)
            last = reading.kept[-1].number if reading.kept else -1
            segments.append(Segment(number, reading.whole, last, bool(reading.damages)))
            mark = max(mark, reading.mark)
            kept += reading.kept
        kept = [one for one in kept if one.number >= mark]
        self._index.found(segments, [one.number for one in kept], mark)
        return kept

    def _read(self, number: int) -> Reading:
        name = name_of(number)
        path = f"{self.directory}/{name}"
        data = self._files.read(name)
        try:
            reading = read_segment(data)
        except UnknownVersion as error:
            raise SpoolError(f"{path} is of version {error}, which this version does not know") from error
        if reading.damages:
            places = ", ".join(map(str, reading.damages))
            self._log(
                logging.ERROR,
                "%s is damaged at byte %s; %d intact records are delivered, and it is kept as %s.damaged",
                path, places, len(reading.kept), name,
            )  # fmt: skip
        if reading.whole < len(data):
            self._log(
                logging.WARNING, "%s ends in a record that is not whole, whose writer was killed; it is cut off", path
            )
            self._files.truncate(name, reading.whole)
        return reading
