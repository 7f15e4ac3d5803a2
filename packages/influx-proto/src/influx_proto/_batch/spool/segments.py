"""Which records of a spool are in which segment, and which lines are settled: says what is written and deleted next.

Segments are deleted in their order only, each when its lines and those of all older ones are settled. What is left is
then always the end of what was written, in its order; sent again from there, no older value of a point stays over a
newer one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from .format import HEADER, mark_record, name_of


@dataclass(slots=True)
class Segment:
    """A file of a spool."""

    number: int
    size: int
    #: The number of the last record of lines in it; -1 where there is none.
    last: int = -1
    #: Whether something in it could not be read, so that it is put aside and not deleted.
    damaged: bool = False

    @property
    def name(self) -> str:
        """Its file."""
        return name_of(self.number)


@dataclass(frozen=True, slots=True)
class Append:
    """Bytes to be appended to a file; if that fails, it gets its size back."""

    segment: Segment
    data: bytes
    #: The record of lines among them; -1 for a mark.
    number: int


@dataclass(frozen=True, slots=True)
class Cleanup:
    """What is to be done after lines were settled, in this order."""

    #: To be deleted, or put aside, the oldest first.
    over: Sequence[Segment]
    #: Says that all records before a number are settled.
    mark: Append | None
    before: int


@dataclass(slots=True)
class SegmentIndex:
    """The books of a spool.

    Args:
        max_bytes: how large all segments may be together.
        segment_bytes: how large one may be, unless a single record is larger.
    """

    max_bytes: int
    segment_bytes: int
    #: In their order; the last is appended to if it was begun here.
    segments: deque[Segment] = field(default_factory=deque[Segment])
    next_segment: int = 0
    next_number: int = 0
    _appendable: bool = False
    #: The records that are not settled, in their order; some that are stand among them, and in `_settled`.
    _order: deque[int] = field(default_factory=deque[int])
    _settled: set[int] = field(default_factory=set[int])
    _marked: int = 0

    @property
    def size(self) -> int:
        """How many bytes there are."""
        return sum(segment.size for segment in self.segments)

    @property
    def completed_before(self) -> int:
        """The lines of all records with a lower number are settled."""
        return self._order[0] if self._order else self.next_number

    def has_room(self, size: int) -> bool:
        """Whether a record of so many bytes may be written; one of any size if nothing else has to be kept."""
        return not self._order or self.size + len(HEADER) + size <= self.max_bytes

    def found(self, segments: Iterable[Segment], numbers: Iterable[int], mark: int) -> None:
        """Take up what an earlier writer left: its segments, its records that are not settled, and its last mark."""
        self.segments.extend(segments)
        self._order.extend(numbers)
        self._marked = mark
        last = max((segment.last for segment in self.segments), default=-1)
        self.next_number = max(self.next_number, last + 1, mark)

    def write(self, record: bytes, number: int = -1) -> Append:
        """Say where a record goes."""
        current = self.segments[-1] if self._appendable and self.segments else None
        if current is not None and current.size + len(record) <= self.segment_bytes:
            return Append(current, record, number)
        return Append(Segment(self.next_segment, 0), HEADER + record, number)

    def written(self, done: Append) -> None:
        """Say that it is there."""
        segment = done.segment
        if not segment.size:
            self.segments.append(segment)
            self.next_segment = segment.number + 1
            self._appendable = True
        segment.size += len(done.data)
        if done.number >= 0:
            segment.last = done.number
            self.next_number = done.number + 1
            self._order.append(done.number)

    def broken(self, failed: Append) -> None:
        """Say that it is not there, and that the file may have anything at its end: nothing is appended to it."""
        if failed.segment.size:
            self._appendable = False
        else:
            self.next_segment = failed.segment.number + 1

    def mark_completed(self, numbers: Iterable[int]) -> None:
        """Say that the lines of these records are stored, or that their writer was told that they are not."""
        self._settled.update(numbers)
        while self._order and self._order[0] in self._settled:
            self._settled.remove(self._order.popleft())

    def cleanup(self) -> Cleanup | None:
        """Say what is to be done now, if there is anything."""
        before = self.completed_before
        over: list[Segment] = []
        for segment in self.segments:
            if self._order and segment.last >= before:
                break
            over.append(segment)
        mark = None
        if self._order and before > self._marked and before > self._first_left(len(over)):
            mark = self.write(mark_record(before))
            if self.size - sum(segment.size for segment in over) + len(mark.data) > self.max_bytes:
                mark = None  # it only saves sending something again
        return Cleanup(over, mark, before) if over or mark else None

    def deleted(self) -> None:
        """Say that the oldest segment is gone."""
        self.segments.popleft()

    def marked(self, mark: Append, before: int) -> None:
        """Say that a mark is there."""
        self.written(mark)
        self._marked = before

    def _first_left(self, over: int) -> int:
        """Give the lowest number that may be left; whatever lies before it needs no mark."""
        return self.segments[over - 1].last + 1 if over else 0
