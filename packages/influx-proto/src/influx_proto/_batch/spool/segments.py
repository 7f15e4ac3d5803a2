"""Segment index of a spool: plans appends and deletions, without touching files.

Segments are deleted in order, and only if their lines and those of all older segments are completed. A mark notes the
completed records among the others, so that the next writer does not send or report them again. After a crash, the last
marks may be missing. Then the next writer sends the records that were completed last again, in order, which never
replaces a newer value of a point with an older one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from .format import HEADER, mark_record, segment_name


@dataclass(slots=True)
class Segment:
    """A file of a spool."""

    number: int
    size: int
    #: Number of the last lines record in the segment; -1 if it has none.
    last_record: int = -1
    #: Whether parts of the segment are unreadable, so that it is renamed instead of deleted.
    is_damaged: bool = False

    @property
    def name(self) -> str:
        """Name of the file."""
        return segment_name(self.number)


@dataclass(frozen=True, slots=True)
class Append:
    """Bytes to append to a segment. If that fails, the file is truncated to its previous size."""

    segment: Segment
    data: bytes
    #: Number of the first lines record among the bytes, and how many there are; -1 and 0 for a mark.
    number: int
    count: int


@dataclass(frozen=True, slots=True)
class Cleanup:
    """Changes to the files after lines were completed, in order."""

    #: Segments to delete, or to rename if they are damaged; the oldest first.
    obsolete: Sequence[Segment]
    #: A mark that all records before `completed_before` are completed.
    mark: Append | None
    completed_before: int
    #: Numbers of the other records that the mark contains.
    marked: Sequence[int] = ()


@dataclass(slots=True)
class SegmentIndex:
    """The segments and the pending records of a spool.

    Args:
        max_bytes: maximum size of all segments together.
        segment_bytes: maximum size of a segment, unless a single record is larger.
    """

    max_bytes: int
    segment_bytes: int
    #: In order. Records are appended to the last one if this writer created it.
    segments: deque[Segment] = field(default_factory=deque[Segment])
    next_segment: int = 0
    next_number: int = 0
    _appendable: bool = False
    #: Numbers of the pending records, in order; may include some that are also in `_completed`.
    _pending: deque[int] = field(default_factory=deque[int])
    _completed: set[int] = field(default_factory=set[int])
    #: Numbers of completed records that no mark contains yet.
    _unmarked: set[int] = field(default_factory=set[int])
    _last_mark: int = 0

    @property
    def size(self) -> int:
        """Size of all segments, in bytes."""
        return sum(segment.size for segment in self.segments)

    @property
    def has_pending(self) -> bool:
        """Whether lines of any record are pending."""
        return bool(self._pending)

    @property
    def completed_before(self) -> int:
        """A record number; the lines of all records with a lower number are completed."""
        return self._pending[0] if self._pending else self.next_number

    def has_room(self, size: int, others: int = 0) -> bool:
        """Return whether a record of this size fits. A record of any size fits if no others are pending.

        Args:
            size: size of the record in bytes.
            others: size of the records that are written together with it.
        """
        return not (self._pending or others) or self.size + len(HEADER) + others + size <= self.max_bytes

    def restore(
        self, segments: Iterable[Segment], numbers: Iterable[int], mark: int, completed: Iterable[int] = ()
    ) -> None:
        """Add the segments of an earlier writer.

        Args:
            segments: the segments, in order.
            numbers: the numbers of their pending records.
            mark: the highest record number of a mark; all records before it are completed.
            completed: the numbers of other completed records. The next mark repeats them: after a power failure, it
                may exist without those of the earlier writer.
        """
        self.segments.extend(segments)
        self._pending.extend(numbers)
        self._unmarked.update(completed)
        self._last_mark = mark
        last_record = max((segment.last_record for segment in self.segments), default=-1)
        last_record = max({last_record, *self._unmarked})  # one that could not be written has a mark but no segment
        self.next_number = max(self.next_number, last_record + 1, mark)

    def plan_append(self, record: bytes, number: int = -1, count: int = 1) -> Append:
        """Return the append that writes records, to the last segment or to a new one.

        Args:
            record: the bytes of one or more lines records, or of a mark.
            number: the number of the first lines record; -1 for a mark.
            count: how many lines records there are.
        """
        count = 0 if number < 0 else count
        current = self.segments[-1] if self._appendable and self.segments else None
        if current is not None and current.size + len(record) <= self.segment_bytes:
            return Append(current, record, number, count)
        return Append(Segment(self.next_segment, 0), HEADER + record, number, count)

    def commit_append(self, done: Append) -> None:
        """Update the index after a successful append."""
        segment = done.segment
        if not segment.size:
            self.segments.append(segment)
            self.next_segment = segment.number + 1
            self._appendable = True
        segment.size += len(done.data)
        if done.count:
            self.next_number = done.number + done.count
            segment.last_record = self.next_number - 1
            self._pending.extend(range(done.number, self.next_number))

    def note_failed_append(self, failed: Append) -> None:
        """Update the index after an append that could not be undone.

        Its file is not appended to any more. Its records may be in the file, so they count as completed.
        """
        segment = failed.segment
        self._appendable = False
        if not segment.size:
            self.segments.append(segment)
            self.next_segment = segment.number + 1
        if failed.count:
            self.next_number = failed.number + failed.count
            segment.last_record = self.next_number - 1
            self._unmarked.update(range(failed.number, self.next_number))

    def mark_completed(self, numbers: Iterable[int]) -> None:
        """Note that the lines of these records are completed: stored, rejected or dropped."""
        self._completed.update(numbers)
        self._unmarked.update(numbers)
        while self._pending and self._pending[0] in self._completed:
            self._completed.remove(self._pending.popleft())

    def plan_cleanup(self) -> Cleanup | None:
        """Return the changes that completed records allow, or None if there are none."""
        before = self.completed_before
        obsolete: list[Segment] = []
        for segment in self.segments:
            if self._pending and segment.last_record >= before:
                break
            obsolete.append(segment)
        mark = None
        self._unmarked = {number for number in self._unmarked if number > before} if self._pending else set()
        is_ahead = before > self._last_mark and before > self._first_remaining(len(obsolete))
        marked = sorted(self._unmarked)
        if self._pending and (is_ahead or marked):
            mark = self.plan_append(mark_record(before, marked))
            if self.size - sum(segment.size for segment in obsolete) + len(mark.data) > self.max_bytes:
                mark = None  # a mark is optional: it only avoids sending lines twice
        return Cleanup(obsolete, mark, before, marked) if obsolete or mark else None

    def remove_oldest(self) -> None:
        """Remove the oldest segment from the index."""
        self.segments.popleft()

    def remove_lost(self, segment: Segment) -> range:
        """Remove a segment that no longer exists; return its record numbers, if some of them are pending."""
        at = self.segments.index(segment)
        first = max((self.segments[before].last_record for before in range(at)), default=-1) + 1
        if at == len(self.segments) - 1:
            self._appendable = False
        del self.segments[at]
        return range(max(first, self.completed_before), segment.last_record + 1)

    def commit_mark(self, mark: Append, plan: Cleanup) -> None:
        """Update the index after the mark of a plan was appended."""
        self.commit_append(mark)
        self._last_mark = plan.completed_before
        self._unmarked.difference_update(plan.marked)

    def _first_remaining(self, obsolete: int) -> int:
        """Return the lowest record number that remains after deletions; records before it need no mark."""
        return self.segments[obsolete - 1].last_record + 1 if obsolete else 0
