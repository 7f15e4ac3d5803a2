"""Which lines leave together, and when: the state of a batch writer. It is told the time; it never waits or sends.

Lines are collected by where they go. A batch is sealed when it is full, when its first line is old enough, when
somebody asks for it, and when the buffer is full; sealed batches leave one after the other, in the order in which they
were sealed. Every line is pending until it is acknowledged as stored, rejected by the server, or handed back.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from .._encode.batch import Batch
from .._errors import InfluxDBError, RejectedLine
from .._write.request import Target
from .receipt import OpenReceipt


@dataclass(slots=True)
class Sealed:
    """A batch that is ready to be sent."""

    target: Target
    batch: Batch
    #: The receipts of its lines in their order, each with a number of lines and of bytes.
    parts: list[tuple[OpenReceipt, int, int]]
    #: The records of a spool that have them, if there is one.
    records: list[int]
    #: Whether it is known of its lines what has become of them.
    completed: bool = False
    #: How often the server refused it for a reason that is not in its lines, and the last such error.
    failed_attempts: int = 0
    last_error: InfluxDBError | None = None


@dataclass(slots=True)
class _Open:
    """A batch that is being filled."""

    #: When it leaves at the latest.
    due: float
    precision: str
    pieces: list[bytes] = field(default_factory=list)
    lines: int = 0
    size: int = 0
    parts: list[tuple[OpenReceipt, int, int]] = field(default_factory=list)
    records: list[int] = field(default_factory=list)


class _Added(NamedTuple):
    """What one `add` added; all that follows from it can be derived later."""

    #: Lines and bytes that were added up to here.
    total: int
    size: int
    target: Target
    batch: Batch
    receipt: OpenReceipt
    #: The receipt's number of lines up to here.
    lines: int
    now: float
    record: int | None
    is_complete: bool


class Batcher:
    """Collects lines and gives them away in batches.

    `add` changes one thing, in one step: an exception that a signal handler raises within it leaves all of the lines or
    none of them. Other methods collect what was added, and must not be interrupted.

    Args:
        max_lines: lines in a batch at the most.
        max_bytes: bytes in a batch at the most, unless a single line is longer.
        max_delay: seconds for which a line waits for others at the most.
        max_pending: lines that may be pending; further ones have to wait.
        max_pending_bytes: bytes that may be pending, each line with its LF.
        random: gives a number from 0 up to 1, by which delays are shortened, up to a tenth: many writers that were
            started together do not send together then.
    """

    def __init__(
        self,
        *,
        max_lines: int,
        max_bytes: int,
        max_delay: float,
        max_pending: int,
        max_pending_bytes: int,
        random: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._max_lines = max_lines
        self._max_bytes = max_bytes
        self._max_delay = max_delay
        self._max_pending = max_pending
        self._max_pending_bytes = max_pending_bytes
        self._random = random
        self._added: deque[_Added] = deque()
        #: Lines and bytes that were collected.
        self._collected = (0, 0)
        #: Up to how many lines and bytes can be added before a batch or the buffer may be full.
        self._limits = (0, 0)
        #: Lines and bytes of which it is known what has become of them.
        self._completed = (0, 0)
        self._open: dict[tuple[Target, str], _Open] = {}
        self._sealed: deque[Sealed] = deque()
        self._in_flight: Sealed | None = None
        self._not_before = -math.inf
        #: Targets that the server refuses, and when the next attempt is due.
        self._held: dict[Target, float] = {}
        #: Lines that were stored.
        self.written = 0
        #: Lines that the server does not store.
        self.rejected = 0
        #: Batches that were put back because they could not be sent.
        self.retried = 0

    @property
    def _totals(self) -> tuple[int, int]:
        """Lines and bytes that were added."""
        try:
            return self._added[-1][:2]
        except IndexError:
            return self._collected

    @property
    def pending(self) -> int:
        """Lines of which it is not known yet what becomes of them."""
        return self._totals[0] - self._completed[0]

    @property
    def pending_bytes(self) -> int:
        """Bytes of these lines."""
        return self._totals[1] - self._completed[1]

    def may_fill(self, batch: Batch) -> bool:
        """Return whether adding the lines of a batch may make a batch to send, or the buffer, full."""
        lines, size = self._totals
        return lines + batch.lines >= self._limits[0] or size + _size(batch) >= self._limits[1]

    def has_room(self, batch: Batch) -> bool:
        """Return whether the lines of a batch may be added now; any may if nothing is pending."""
        return not self.pending or (
            self.pending + batch.lines <= self._max_pending
            and self.pending_bytes + _size(batch) <= self._max_pending_bytes
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
        """Add the lines of a batch that does not exceed the bounds of a batch.

        Args:
            target: where the lines go.
            batch: the lines.
            receipt: counts the lines and their outcome.
            now: the current time.
            record: the number of the spool's record that holds these lines.
            is_complete: whether the last line ends where the data ends. An incomplete line would continue into the
                lines after it, so a batch with one is sealed by itself.
        """
        total, size = self._totals
        lines = receipt.lines + batch.lines
        total, size = total + batch.lines, size + _size(batch)
        self._added.append(_Added(total, size, target, batch, receipt, lines, now, record, is_complete))
        receipt.lines = lines

    def _collect(self) -> None:
        """Put what was added into batches."""
        added = self._added
        if not added:
            return
        while added:
            one = added[0]
            self._put(one)
            self._collected = one.total, one.size
            added.popleft()
        if self.pending >= self._max_pending or self.pending_bytes >= self._max_pending_bytes:
            self._seal_all()  # those who wait for room must not have to wait for time as well
        lines, size = self._collected
        fullest = max((found.lines for found in self._open.values()), default=0)
        largest = max((found.size for found in self._open.values()), default=0)
        self._limits = (
            min(lines + self._max_lines - fullest, self._completed[0] + self._max_pending),
            min(size + self._max_bytes - largest, self._completed[1] + self._max_pending_bytes),
        )

    def _put(self, one: _Added) -> None:
        batch, receipt = one.batch, one.receipt
        key = (one.target, batch.precision)
        is_complete = one.is_complete and not batch.data.endswith(b"\\")
        found = self._open.get(key)
        if found is not None and not is_complete:
            self._seal(key)
            found = None
        size = _size(batch)
        if found is not None and (
            found.lines + batch.lines > self._max_lines or found.size + size > self._max_bytes + 1
        ):
            self._seal(key)
            found = None
        if found is None:
            due = one.now + self._max_delay * (1 - self._random() / 10)
            found = self._open[key] = _Open(due, batch.precision)
        found.pieces.append(batch.data)
        found.lines += batch.lines
        found.size += size
        if found.parts and found.parts[-1][0] is receipt:
            _, lines, before = found.parts[-1]
            found.parts[-1] = (receipt, lines + batch.lines, before + size)
        else:
            found.parts.append((receipt, batch.lines, size))
        if one.record is not None:
            found.records.append(one.record)
        receipt.lines = max(receipt.lines, one.lines)  # `add` may have been interrupted before it counted them
        if found.lines >= self._max_lines or found.size > self._max_bytes or not is_complete:
            self._seal(key)

    def seal(self) -> list[Sealed]:
        """Let all lines leave that are there, and give the batches in which they do."""
        self._collect()
        self._seal_all()
        return [*([self._in_flight] if self._in_flight else []), *self._sealed]

    @property
    def due(self) -> float:
        """When there is something to take; infinite while there is not."""
        self._collect()
        if self._in_flight is not None:
            return math.inf
        first = math.inf
        if not self._held:
            first = -math.inf if self._sealed else first
        else:
            first = min((self._held.get(sealed.target, first) for sealed in self._sealed), default=first)
            if any(sealed.target not in self._held for sealed in self._sealed):
                first = -math.inf
        first = min(first, min((found.due for found in self._open.values()), default=math.inf))
        return max(first, self._not_before)

    def take(self, now: float) -> Sealed | None:
        """Give the next batch to send, if it is time; it must be acknowledged, failed or put back before another."""
        self._collect()
        if self._in_flight is not None or now < self._not_before:
            return None
        for key, found in list(self._open.items()):
            if now >= found.due:
                self._seal(key)
        if not self._held:
            self._in_flight = self._sealed.popleft() if self._sealed else None
            return self._in_flight
        for index, sealed in enumerate(self._sealed):
            if now >= self._held.get(sealed.target, now):
                del self._sealed[index]
                self._in_flight = sealed
                return sealed
        return None

    def acknowledge(self, sealed: Sealed, rejected: Sequence[RejectedLine] = ()) -> None:
        """Say that the lines of a batch were stored, but for some that the server rejected."""
        self._in_flight = None
        self._held.pop(sealed.target, None)
        sealed.completed = True
        for receipt, one in _attributed(sealed, rejected):
            receipt.add_rejected(one)
        for receipt, count, _ in sealed.parts:
            receipt.complete_lines(count)
        self.rejected += len(rejected)
        # An incomplete line counts as one, and may be rejected as several.
        self.written += max(0, sealed.batch.lines - len(rejected))
        self._complete(sealed)

    @property
    def next(self) -> tuple[Target, Batch] | None:
        """The oldest lines that are not in flight; they stay where they are."""
        self._collect()
        for sealed in self._sealed:
            return sealed.target, sealed.batch
        for (target, precision), found in self._open.items():
            return target, Batch(b"\n".join(found.pieces), found.lines, precision, timed=True)
        return None

    def put_back(self, sealed: Sealed, not_before: float) -> None:
        """Keep a batch that could not be sent, to be the next one again; nothing leaves before that time."""
        self._in_flight = None
        self._sealed.appendleft(sealed)
        self._not_before = not_before
        self.retried += 1

    def hold(self, sealed: Sealed, error: InfluxDBError, not_before: float) -> None:
        """Keep a batch whose target the server refuses; until that time only lines for other targets are sent."""
        self._in_flight = None
        sealed.failed_attempts += 1
        sealed.last_error = error
        self._sealed.appendleft(sealed)
        self._held[sealed.target] = not_before

    def release(self) -> None:
        """Send to every target again."""
        self._held.clear()

    @property
    def last_error(self) -> InfluxDBError | None:
        """The error for which lines are held; None if there are none."""
        return next((sealed.last_error for sealed in self._sealed if sealed.last_error is not None), None)

    def fail(self, sealed: Sealed, error: InfluxDBError) -> None:
        """Give up a batch; it is no longer pending, and its lines belong to the caller."""
        self._in_flight = None
        self._return_undelivered(sealed, error)

    def make_room(self, batch: Batch, error: InfluxDBError) -> list[Sealed]:
        """Give up the oldest batches until there is room for another one; the one that is in flight stays."""
        self.seal()
        given_up: list[Sealed] = []
        while not self.has_room(batch) and self._sealed:
            given_up.append(self._sealed.popleft())
            self._return_undelivered(given_up[-1], error)
        return given_up

    def drop_oldest(self, error: InfluxDBError) -> list[Sealed]:
        """Give up the oldest batch; none while one is on its way, since that is older."""
        self.seal()
        if self._in_flight is not None or not self._sealed:
            return []
        oldest = self._sealed.popleft()
        self._return_undelivered(oldest, error)
        return [oldest]

    def return_undelivered(self, error: InfluxDBError) -> list[Sealed]:
        """Give up all that is pending, and hand it over."""
        given_up = self.seal()
        self._in_flight = None
        self._sealed.clear()
        for sealed in given_up:
            self._return_undelivered(sealed, error)
        return given_up

    def _return_undelivered(self, sealed: Sealed, error: InfluxDBError) -> None:
        sealed.completed = True
        for receipt, count, _ in sealed.parts:
            receipt.error = receipt.error or error
            receipt.complete_lines(count)
        self._complete(sealed)

    def _complete(self, sealed: Sealed) -> None:
        lines, size = self._completed
        self._completed = lines + sealed.batch.lines, size + _size(sealed.batch)

    def _seal_all(self) -> None:
        for key in list(self._open):
            self._seal(key)

    def _seal(self, key: tuple[Target, str]) -> None:
        found = self._open.pop(key)
        batch = Batch(b"\n".join(found.pieces), found.lines, found.precision, timed=True)
        self._sealed.append(Sealed(key[0], batch, found.parts, found.records))


def _size(batch: Batch) -> int:
    """Return the number of bytes of a batch, with an LF after each line."""
    return len(batch.data) + 1


def _attributed(sealed: Sealed, rejected: Sequence[RejectedLine]) -> Iterator[tuple[OpenReceipt, RejectedLine]]:
    """Yield each rejected line with the receipt of the write that it came with."""
    if not rejected:
        return
    left: dict[str, list[RejectedLine]] = {}
    for one in rejected:
        left.setdefault(one.line, []).append(one)
    parts = iter(sealed.parts)
    receipt, _, end = next(parts)
    for begin, line in sealed.batch.placed():
        while begin >= end:
            receipt, _, size = next(parts)
            end += size
        if found := left.get(line.decode(errors="replace")):
            yield receipt, found.pop(0)
    for one in (one for found in left.values() for one in found):  # parts of an incomplete line
        yield _receipt_at(sealed, max(sealed.batch.data.find(one.line.encode()), 0)), one


def _receipt_at(sealed: Sealed, at: int) -> OpenReceipt:
    """Return the receipt of the write that the byte at an index came with."""
    for receipt, _, size in sealed.parts:
        if at < size:
            return receipt
        at -= size
    return sealed.parts[-1][0]
