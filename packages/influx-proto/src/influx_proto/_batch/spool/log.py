"""Spool log: stores the pending lines of a batch writer in a directory.

`segments` plans writes and deletions, `format` encodes records, and an adapter's `SpoolFiles` accesses the files.
Generators yield each function that touches files to their caller (see `base`), one at a time, so that an async client
can call it in a thread.
"""

from __future__ import annotations

import logging
from _thread import allocate_lock  # noqa: PLC2701 - as functools does, without the whole of `threading`
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import AbstractContextManager, suppress
from functools import partial
from typing import Final

from ..._encode.batch import Batch
from ..._errors import SpoolError
from ..._repr import counted
from ..._runtime.settings import Settings
from ..._runtime.transport import SpoolFiles
from ..._write.request import Target, resolve_target
from ..options import Spool
from .format import (
    Reading,
    SpooledBatch,
    UnknownVersion,
    encode_target,
    lines_record,
    lines_record_size,
    read_segment,
    segment_name,
    segment_number,
)
from .segments import Append, Cleanup, Segment, SegmentIndex

#: Maximum size of a segment. In a small spool it is a share of `max_bytes`, so that space is freed in small steps.
_SEGMENT_BYTES: Final = 16_000_000
_SHARE: Final = 8


class QueuedBatch:
    """A batch that is not written yet.

    Args:
        batch: the lines.
        encoded_target: their target, as `encode_target` returns it.
        on_written: called with the number of the record, after it was written.
    """

    def __init__(self, batch: Batch, encoded_target: bytes, on_written: Callable[[int], None]) -> None:
        self.batch = batch
        self.encoded_target = encoded_target
        self.on_written = on_written
        #: Size of the record, in bytes.
        self.size = lines_record_size(encoded_target, batch)
        self.is_written = False
        #: Whether it is written separately, since it could not be written together with others.
        self.is_separate = False
        #: Whether its caller no longer waits for it.
        self.is_withdrawn = False
        #: Blocks until the write in which it is included has ended; None if it is not being written.
        self.wait_until_written: Callable[[], None] | None = None


class SpoolLog:
    """Stores lines in the files of a spool until they are completed."""

    def __init__(self, spool: Spool, files: SpoolFiles, settings: Settings, log: Callable[..., None]) -> None:
        self._spool = spool
        self._files = files
        self._settings = settings
        self._log = log
        self._index = self._create_index()
        self._has_warned = False
        self._is_open = False
        self._is_closed = False
        #: Whether a function is using the files; no other may use them meanwhile.
        self.is_busy = False
        #: Batches whose callers wait until they are written.
        self._queue: deque[QueuedBatch] = deque()
        #: The last error for lost segments, and the same until `take_error` has returned it.
        self.last_error: SpoolError | None = None
        self._error: SpoolError | None = None
        #: Record numbers of the lines in lost segments.
        self._lost: list[range] = []

    @property
    def directory(self) -> str:
        """Path of the directory."""
        return str(self._spool.directory)

    @property
    def is_open(self) -> bool:
        """Whether this log has locked the directory."""
        return self._is_open

    @property
    def usage(self) -> str:
        """Current and maximum size of the spool, for error messages."""
        return f"the spool {self.directory} uses {self._index.size} of at most {self._spool.max_bytes} bytes"

    def has_room(self, queued: QueuedBatch) -> bool:
        """Return whether a batch fits."""
        return self._index.has_room(queued.size)

    def open(self) -> list[SpooledBatch]:
        """Lock the directory, and return the pending batches of an earlier writer; touches files.

        Raises:
            SpoolError: the directory cannot be used, another writer uses it, or its format is not supported.
        """
        try:
            self._files.lock()
        except BlockingIOError as error:
            raise SpoolError(f"the spool {self.directory} is used by another batch writer", retryable=True) from error
        except (OSError, ImportError) as error:
            raise SpoolError(f"the spool {self.directory} cannot be locked: {error}") from error
        try:
            pending = self._read_segments()
            for step in self.clean_up():
                step()
        except OSError as error:
            self._files.unlock()
            raise SpoolError(f"the spool {self.directory} cannot be read: {error}") from error
        except BaseException:
            self._files.unlock()
            raise
        self._is_open, self._is_closed = True, False
        return pending

    def queue(self, target: Target, batch: Batch, on_written: Callable[[int], None]) -> QueuedBatch:
        """Queue a batch, which `write` writes, also one for another batch; `on_written` then gets its number."""
        queued = QueuedBatch(batch, self._encode_target(target, batch), on_written)
        self._queue.append(queued)
        return queued

    def withdraw(self, queued: QueuedBatch) -> None:
        """Remove a batch from the queue. If it is being written, it stays in the spool if that succeeds."""
        queued.is_withdrawn = True
        with suppress(ValueError):
            self._queue.remove(queued)

    def write(
        self, first: QueuedBatch, has_room: Callable[[Batch, Sequence[Batch]], bool]
    ) -> Generator[Callable[[], None]]:
        """Write a queued batch together with others, for the cost of one; yields functions that touch files.

        Args:
            first: a batch that fits.
            has_room: returns whether the buffer has room for another batch after a number of them.

        If several batches could not be written together, all are queued again, to be written separately.

        Raises:
            SpoolError: a single batch could not be written; no part of it is in the spool.
        """
        group = self._take_group(first, has_room)
        number = self._index.next_number
        records = [lines_record(number + at, each.encoded_target, each.batch) for at, each in enumerate(group)]
        plan = self._index.plan_append(b"".join(records), number, len(group))
        done: list[Append] = []
        lost: list[Segment] = []
        self.is_busy = True
        lock = allocate_lock()
        lock.acquire()
        for each in group:
            each.wait_until_written = partial(_wait_for, lock)
        try:
            yield partial(self._write_group, plan, done, group, lost)
        finally:
            self.is_busy = False
            for each in group:
                each.wait_until_written = None
            self._unlock_if_closed()
            self._note_lost(lost)
            if done:
                self._index.commit_append(plan)
                for at, each in enumerate(group):
                    each.is_written = True
                    each.on_written(number + at)
            elif len(group) > 1:
                for each in group:
                    each.is_separate = True
                self._queue.extendleft(each for each in reversed(group) if not each.is_withdrawn)
            lock.release()

    def _take_group(self, first: QueuedBatch, has_room: Callable[[Batch, Sequence[Batch]], bool]) -> list[QueuedBatch]:
        """Remove batches from the queue that are written together."""
        self._queue.remove(first)
        group, size = [first], first.size
        while self._queue and not first.is_separate:
            following = self._queue[0]
            if (
                following.is_separate
                or size + following.size > self._index.segment_bytes
                or not self._index.has_room(following.size, size)
                or not has_room(following.batch, [each.batch for each in group])
            ):
                break
            group.append(self._queue.popleft())
            size += following.size
        return group

    def check(self) -> Generator[Callable[[], None]]:
        """Find segments that another program has deleted or truncated; yields a function that touches files."""
        if not self._index.has_pending:
            return
        lost: list[Segment] = []
        self.is_busy = True
        try:
            yield partial(self._find_lost, lost)
        finally:
            self.is_busy = False
            self._unlock_if_closed()
            self._note_lost(lost)

    def take_error(self) -> SpoolError | None:
        """Return an error for the segments that were lost since the last call, or None."""
        error, self._error = self._error, None
        return error

    def is_lost(self, numbers: Iterable[int]) -> bool:
        """Return whether any of these records was in a lost segment."""
        return any(number in lost for number in numbers for lost in self._lost)

    def mark_completed(self, numbers: list[int]) -> None:
        """Note that the lines of these records are completed: stored, rejected or dropped."""
        self._index.mark_completed(numbers)

    def clean_up(self) -> Generator[Callable[[], None]]:
        """Delete completed segments; yields functions that touch files."""
        plan = self._index.plan_cleanup()
        if plan is None:
            return
        deleted: list[Segment] = []
        marked: list[Append] = []
        self.is_busy = True
        try:
            yield partial(self._clean_up, plan, deleted, marked)
        finally:
            self.is_busy = False
            self._unlock_if_closed()
            for _ in deleted:
                self._index.remove_oldest()
            for mark in marked:
                self._index.commit_mark(mark, plan)

    def close(self) -> None:
        """Unlock the directory, or let the function that is using its files do so afterwards; does not block."""
        self._is_open = False
        self._is_closed = True
        if not self.is_busy:
            self._files.unlock()

    def _unlock_if_closed(self) -> None:
        if self._is_closed:
            self._files.unlock()

    def _encode_target(self, target: Target, batch: Batch) -> bytes:
        """Return the target with its database or bucket, so that the next writer's client may use another one."""
        return encode_target(resolve_target(target, self._settings), batch.precision)

    def _write_group(self, plan: Append, done: list[Append], group: Sequence[QueuedBatch], lost: list[Segment]) -> None:
        try:
            self._append(plan, done, sync=self._spool.sync)
        except OSError as error:
            if len(group) == 1:
                path, reason = f"{self.directory}/{plan.segment.name}", error.strerror or error
                lines = counted(group[0].batch.lines, "line")
                msg = f"cannot write to {path}: {reason}; the spool did not accept {lines}"
                raise SpoolError(msg, retryable=True) from error
        finally:
            if not (done and plan.segment.size):  # a new segment, or a failure
                self._find_lost(lost)

    def _find_lost(self, lost: list[Segment]) -> None:
        try:
            sizes = self._files.sizes([segment.name for segment in self._index.segments])
        except OSError:
            return  # whether segments were lost is unknown; the next check is at the next flush
        lost += [segment for segment in self._index.segments if sizes.get(segment.name, -1) < segment.size]

    def _note_lost(self, lost: Sequence[Segment]) -> None:
        """Forget lost segments; their lines remain pending in memory."""
        numbers = [each for each in map(self._index.remove_lost, lost) if each]
        if numbers:
            self._lost += numbers
            names = ", ".join(segment.name for segment in lost)
            self._error = self.last_error = SpoolError(
                f"another program deleted, moved or truncated {names} in the spool {self.directory}; its pending lines "
                "are still delivered, but they do not survive the end of this process"
            )

    def _append(self, plan: Append, done: list[Append], *, sync: bool) -> None:
        """Append the bytes and add the plan to `done`, or undo a partial append and raise."""
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
                if segment.size:  # another program deleted it
                    self._index.note_failed_append(plan)
            except OSError:
                self._index.note_failed_append(plan)
            raise

    def _clean_up(self, plan: Cleanup, deleted: list[Segment], marked: list[Append]) -> None:
        """Delete obsolete segments. Failures are retried later; after a crash, their lines would be sent again."""
        try:
            for segment in plan.obsolete:
                self._remove_segment(segment)
                deleted.append(segment)
        except OSError as error:
            if not self._has_warned:
                self._log(
                    logging.WARNING, "cannot delete completed segments of the spool %s: %s", self.directory, error
                )
                self._has_warned = True
        if plan.mark is not None:
            with suppress(OSError):
                self._append(plan.mark, marked, sync=False)

    def _remove_segment(self, segment: Segment) -> None:
        with suppress(FileNotFoundError):
            if segment.is_damaged:
                self._files.rename(segment.name, f"{segment.name}.damaged")
            else:
                self._files.delete(segment.name)

    def _create_index(self) -> SegmentIndex:
        return SegmentIndex(self._spool.max_bytes, min(_SEGMENT_BYTES, self._spool.max_bytes // _SHARE))

    def _read_segments(self) -> list[SpooledBatch]:
        self._index = self._create_index()
        names = self._files.names()
        numbers = [number for name in names if (number := segment_number(name)) is not None]
        self._index.next_segment = max(numbers, default=0) + 1
        segments: list[Segment] = []
        records: list[SpooledBatch] = []
        mark = 0
        completed: set[int] = set()
        for number in sorted(number for number in numbers if segment_name(number) in names):
            reading = self._read_segment(number)
            last = reading.batches[-1].number if reading.batches else -1
            segments.append(Segment(number, reading.complete_bytes, last, bool(reading.damaged_offsets)))
            mark = max(mark, reading.mark)
            completed |= reading.completed
            records += reading.batches
        pending = [record for record in records if record.number >= mark and record.number not in completed]
        self._index.restore(segments, [record.number for record in pending], mark, completed)
        return pending

    def _read_segment(self, number: int) -> Reading:
        name = segment_name(number)
        path = f"{self.directory}/{name}"
        data = self._files.read(name)
        try:
            reading = read_segment(data)
        except UnknownVersion as error:
            raise SpoolError(
                f"{path} has version {error} of the spool format, which is not supported; update influx-proto"
            ) from error
        if reading.damaged_offsets:
            offsets = ", ".join(map(str, reading.damaged_offsets))
            self._log(
                logging.ERROR,
                "%s is damaged at byte %s; %d intact records are delivered, and the file is kept as %s.damaged",
                path, offsets, len(reading.batches), name,
            )  # fmt: skip
        if reading.complete_bytes < len(data):
            self._log(
                logging.WARNING,
                "%s ends with a truncated record, because its writer was killed; the record is dropped",
                path,
            )
            self._files.truncate(name, reading.complete_bytes)
        return reading


def _wait_for(lock: AbstractContextManager[object]) -> None:
    """Wait until a lock is released."""
    with lock:
        pass
