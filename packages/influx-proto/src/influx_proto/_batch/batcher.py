"""Buffer of a batch writer: groups lines into batches and schedules them, without I/O or a clock.

Lines are collected by target and precision. A batch is sealed when it is full, when its first line reaches `max_delay`,
on request, and when the buffer is full. Sealed batches are sent one at a time, in the order in which they were sealed.
A line is pending until it is stored, rejected by the server, or returned as undelivered.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from heapq import merge
from itertools import groupby, islice
from typing import NamedTuple

from .._encode.batch import Batch
from .._errors import InfluxDBError, RejectedLine
from .._write.request import Target
from .attribution import attribute
from .options import BatchOptions
from .ordering import have_same_points
from .receipt import OpenReceipt


@dataclass(slots=True)
class Sealed:
    """A batch that is ready to send."""

    target: Target
    batch: Batch
    #: The receipts of its lines, in order, each with a number of lines and of bytes.
    parts: list[tuple[OpenReceipt, int, int]]
    #: Numbers of the spool's records that hold the lines; empty without a spool.
    records: list[int]
    #: Whether the outcome of its lines is known.
    completed: bool = False
    is_undelivered: bool = False
    #: How often the server rejected the request for a reason other than its lines, and the last such error.
    failed_attempts: int = 0
    last_error: InfluxDBError | None = None


@dataclass(slots=True)
class _OpenBatch:
    """A batch that is not sealed yet."""

    #: When it is sealed at the latest.
    due: float
    added: list[_Added] = field(default_factory=list["_Added"])
    lines: int = 0
    size: int = 0


class _Added(NamedTuple):
    """Arguments and totals of one `add`, which is processed later."""

    #: Lines and bytes that were added so far, including these.
    total: int
    size: int
    target: Target
    batch: Batch
    receipt: OpenReceipt
    #: The receipt's number of lines, including these.
    lines: int
    now: float
    record: int | None
    is_complete: bool


class Batcher:
    """Collects lines and returns them in batches.

    `add` appends to one queue: if a signal handler raises within it, either all of the lines are added or none. Other
    methods process this queue first. If one of them is interrupted, lines may be sent or returned twice, since they are
    removed from one place only after they were added to the next.

    Args:
        options: the limits of batches and of the buffer.
        random: returns a number from 0 to 1, which shortens a delay by up to a tenth, so that writers that start
            together do not send together.
    """

    def __init__(self, options: BatchOptions, random: Callable[[], float]) -> None:
        self._max_lines = options.max_lines
        self._max_bytes = options.max_bytes
        self._max_delay = options.max_delay
        self._max_pending = options.max_pending
        self._max_pending_bytes = options.max_pending_bytes
        self._random = random
        self._added: deque[_Added] = deque()
        #: Lines and bytes that were moved from `_added` into batches.
        self._collected = (0, 0)
        #: Totals of lines and bytes at which a batch or the buffer may become full.
        self._limits = (0, 0)
        #: Lines and bytes that are completed.
        self._completed = (0, 0)
        self._open: dict[tuple[Target, str], _OpenBatch] = {}
        self._sealed: deque[Sealed] = deque()
        self._in_flight: Sealed | None = None
        self._not_before = -math.inf
        #: Targets for which the server rejects requests, and when their next attempt is due.
        self._held: dict[Target, float] = {}
        #: Number of lines that were stored.
        self.written = 0
        #: Number of lines that the server rejected.
        self.rejected = 0
        #: How often a batch was put back because sending it failed.
        self.retried = 0

    @property
    def _totals(self) -> tuple[int, int]:
        """Lines and bytes that were added in total."""
        try:
            return self._added[-1][:2]
        except IndexError:
            return self._collected

    @property
    def pending(self) -> int:
        """Number of pending lines."""
        return self._totals[0] - self._completed[0]

    @property
    def pending_bytes(self) -> int:
        """Size of the pending lines, in bytes."""
        return self._totals[1] - self._completed[1]

    def may_fill(self, batch: Batch) -> bool:
        """Return whether adding this batch may make a batch to send, or the buffer, full."""
        lines, size = self._totals
        return lines + batch.lines >= self._limits[0] or size + _size(batch) >= self._limits[1]

    def has_room(self, batch: Batch, others: Sequence[Batch] = ()) -> bool:
        """Return whether a batch fits into the buffer, after others. Any batch fits if no lines are pending."""
        lines, size = self._totals
        lines -= self._completed[0]
        if others:
            lines, size = lines + sum(other.lines for other in others), size + sum(map(_size, others))
        return not lines or (
            lines + batch.lines <= self._max_pending
            and size - self._completed[1] + _size(batch) <= self._max_pending_bytes
        )

    def add(
        self,
        target: Target,
        batch: Batch,
        receipt: OpenReceipt,
        now: float,
        record: int | None = None,
        *,
        is_complete: bool = True,
    ) -> None:
        """Add the lines of a batch that does not exceed `max_lines` and `max_bytes`.

        Args:
            target: target of the lines.
            batch: the lines.
            receipt: counts the lines and their outcome.
            now: the current time.
            record: the number of the spool's record that holds these lines.
            is_complete: whether the last line ends where the data ends. An incomplete line would continue into the
                lines after it, so a batch with one is sealed by itself.
        """
        lines = receipt.lines + batch.lines
        added, size = self._added, _size(batch)
        while True:
            last = added[-1] if added else None
            total, total_size = self._totals
            totals = total + batch.lines, total_size + size
            entry = _Added(*totals, target, batch, receipt, lines, now, record, is_complete)
            if last is (added[-1] if added else None):  # otherwise a signal handler has added lines
                break
        added.append(entry)
        receipt.lines = lines

    def _collect(self) -> None:
        """Move added lines into batches."""
        added = self._added
        if not added:
            return
        while added:
            entry = added[0]
            self._put(entry)
            self._collected = entry.total, entry.size
            added.popleft()
        if self.pending >= self._max_pending or self.pending_bytes >= self._max_pending_bytes:
            self._seal_all()  # tasks and threads that wait for room must not have to wait for `max_delay`
        lines, size = self._collected
        fullest = max((filling.lines for filling in self._open.values()), default=0)
        largest = max((filling.size for filling in self._open.values()), default=0)
        self._limits = (
            min(lines + self._max_lines - fullest, self._completed[0] + self._max_pending),
            min(size + self._max_bytes - largest, self._completed[1] + self._max_pending_bytes),
        )

    def _put(self, entry: _Added) -> None:
        batch, receipt = entry.batch, entry.receipt
        key = (entry.target, batch.precision)
        is_complete = entry.is_complete and not batch.data.endswith(b"\\")
        filling = self._open.get(key)
        if filling is not None and not is_complete:
            self._seal(key)
            filling = None
        size = _size(batch)
        if filling is not None and (
            filling.lines + batch.lines > self._max_lines or filling.size + size > self._max_bytes + 1
        ):
            self._seal(key)
            filling = None
        if filling is None:
            due = entry.now + self._max_delay * (1 - self._random() / 10)
            filling = self._open[key] = _OpenBatch(due)
        filling.added.append(entry)
        filling.lines += batch.lines
        filling.size += size
        receipt.lines = max(receipt.lines, entry.lines)  # `add` may have been interrupted before it updated the receipt
        if filling.lines >= self._max_lines or filling.size > self._max_bytes or not is_complete:
            self._seal(key)

    def seal(self) -> list[Sealed]:
        """Seal all pending lines, and return their batches."""
        self._collect()
        self._seal_all()
        return [*([self._in_flight] if self._in_flight else []), *self._sealed]

    @property
    def due(self) -> float:
        """Time at which `take` next returns a batch; infinite if no batch is scheduled."""
        self._collect()
        if self._in_flight is not None:
            return math.inf
        if self._sealed and not self._held:
            return self._not_before
        dues = [self._held.get(sealed.target, -math.inf) for sealed in self._sealed]
        dues += [filling.due for filling in self._open.values()]
        return max(min(dues, default=math.inf), self._not_before)

    def take(self, now: float) -> Sealed | None:
        """Return the next batch to send, or None if none is due.

        The batch must be acknowledged, failed, held or put back before the next one is taken.
        """
        self._collect()
        if self._in_flight is not None or now < self._not_before:
            return None
        for key, filling in list(self._open.items()):
            if now >= filling.due and key in self._open:
                self._seal(key)
        for index, sealed in enumerate(self._sealed):
            if now >= self._held.get(sealed.target, now):
                self._in_flight = sealed
                del self._sealed[index]
                return sealed
        return None

    def acknowledge(self, sealed: Sealed, rejected: Sequence[RejectedLine] = ()) -> None:
        """Complete a batch whose lines were stored, except those that the server rejected."""
        self._in_flight = None
        self._held.pop(sealed.target, None)
        sealed.completed = True
        for receipt, one in attribute(sealed.batch, sealed.parts, rejected):
            receipt.add_rejected(one)
        for receipt, count, _ in sealed.parts:
            receipt.complete_lines(count)
        self.rejected += len(rejected)
        # An incomplete line counts as one, and may be rejected as several.
        self.written += max(0, sealed.batch.lines - len(rejected))
        self._complete(sealed)

    def peek_next(self, number: int) -> tuple[Target, Batch] | None:
        """Return lines that are not in flight; they remain in the buffer.

        Args:
            number: 0 for the first batch, n for the n-th line of all batches.

        Returns:
            The target and the lines; None if there are not as many.
        """
        self._collect()
        for sealed in (*self._sealed, *(_join(filling.added) for filling in self._open.values())):
            batch = sealed.batch
            if not number:
                return sealed.target, batch
            if number <= batch.lines:
                line = next(islice(batch, number - 1, None), b"")
                return sealed.target, Batch(line, 1, batch.precision, batch.timed)
            number -= batch.lines
        return None

    def put_back(self, sealed: Sealed, not_before: float) -> None:
        """Put a batch that could not be sent first in the queue; no batch is sent before that time."""
        self._in_flight = None
        self._sealed.appendleft(sealed)
        self._not_before = not_before
        self.retried += 1

    def hold(self, sealed: Sealed, error: InfluxDBError, not_before: float) -> None:
        """Keep a batch whose request was rejected; until that time, only lines for other targets are sent."""
        self._in_flight = None
        sealed.failed_attempts += 1
        sealed.last_error = error
        self._sealed.appendleft(sealed)
        self._held[sealed.target] = not_before

    def release(self) -> None:
        """Make the held targets due again."""
        self._held.clear()

    @property
    def last_error(self) -> InfluxDBError | None:
        """The error of the first held batch; None if no batches are held."""
        return next((sealed.last_error for sealed in self._sealed if sealed.last_error is not None), None)

    def fail(self, sealed: Sealed, error: InfluxDBError) -> None:
        """Return a batch as undelivered; its lines are no longer pending."""
        self._in_flight = None
        self._return_undelivered(sealed, error)

    def make_room(self, batch: Batch, error: InfluxDBError) -> list[Sealed]:
        """Drop the oldest batches until another one fits, but not the one in flight; return the dropped ones."""
        self.seal()
        dropped: list[Sealed] = []
        while not self.has_room(batch) and self._sealed:
            dropped.append(self._sealed.popleft())
            self._return_undelivered(dropped[-1], error)
        return dropped

    def drop_oldest(self, error: InfluxDBError) -> list[Sealed]:
        """Drop and return the oldest batch; return an empty list if the oldest batch is in flight."""
        self.seal()
        if self._in_flight is not None or not self._sealed:
            return []
        oldest = self._sealed.popleft()
        self._return_undelivered(oldest, error)
        return [oldest]

    def return_undelivered(self, error: InfluxDBError, returned: Sequence[Sealed]) -> None:
        """Return pending batches as undelivered.

        Args:
            error: why they are undelivered.
            returned: some of the batches that `seal` returned.
        """
        for sealed in returned:
            if not sealed.completed:
                self._return_undelivered(sealed, error)
        self._sealed = deque(sealed for sealed in self._sealed if not sealed.completed)
        if self._in_flight is not None and self._in_flight.completed:
            self._in_flight = None
        if not self._sealed and self._in_flight is None:
            self._completed = self._totals  # an interruption may have prevented that lines were counted

    def _return_undelivered(self, sealed: Sealed, error: InfluxDBError) -> None:
        sealed.completed = sealed.is_undelivered = True
        for receipt, count, _ in sealed.parts:
            receipt.error = receipt.error or error
            receipt.complete_lines(count)
        self._complete(sealed)

    def _complete(self, sealed: Sealed) -> None:
        lines, size = self._completed
        self._completed = lines + sealed.batch.lines, size + _size(sealed.batch)

    def _seal_all(self) -> None:
        for key in list(self._open):
            if key in self._open:
                self._seal(key)

    def _seal(self, key: tuple[Target, str]) -> None:
        """Seal a batch after the older ones of its target, of whose points it may have later values.

        If a point has lines in several precisions, the batches overlap: they are split where the precision changes.
        """
        same = [each for each in self._open if each[0] == key[0]]
        if len(same) > 1 and have_same_points([_join(self._open[each].added).batch for each in same]):
            in_order = merge(*(self._open[each].added for each in same), key=lambda entry: entry.total)
            self._sealed += [_join(list(run)) for _, run in groupby(in_order, lambda entry: entry.batch.precision)]
        else:
            same = same[: same.index(key) + 1]
            self._sealed += [_join(self._open[each].added) for each in same]
        for each in same:
            del self._open[each]


def _join(added: Sequence[_Added]) -> Sealed:
    """Return a batch with the lines of several `add`, which have the same target and precision."""
    parts: list[tuple[OpenReceipt, int, int]] = []
    last: OpenReceipt | None = None
    for entry in added:
        lines, size = entry.batch.lines, _size(entry.batch)
        if entry.receipt is last:
            _, before, size_before = parts.pop()
            lines, size = before + lines, size_before + size
        last = entry.receipt
        parts.append((last, lines, size))
    data = b"\n".join([entry.batch.data for entry in added])
    count = sum(lines for _, lines, _ in parts)
    records = [entry.record for entry in added if entry.record is not None]
    return Sealed(added[0].target, Batch(data, count, added[0].batch.precision, timed=True), parts, records)


def _size(batch: Batch) -> int:
    """Return the number of bytes of a batch, with an LF after each line."""
    return len(batch.data) + 1
