"""Queue of a spool: batches of several callers are written together, and each is written, rejected or withdrawn."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable

import pytest
from influx_proto import Spool, SpoolError
from influx_proto._batch.spool.format import read_segment
from influx_proto._batch.spool.log import QueuedBatch, SpoolLog
from influx_proto._encode.batch import Batch
from influx_proto._runtime.settings import Settings


class MemoryFiles:
    """`SpoolFiles` in memory, whose appends fail beyond a number of bytes."""

    def __init__(self, capacity: int = 10_000) -> None:
        self.files: dict[str, bytes] = {}
        self.capacity = capacity
        self.syncs: list[bool] = []

    def lock(self) -> None: ...

    def unlock(self) -> None: ...

    def names(self) -> list[str]:
        return list(self.files)

    def sizes(self, names: Iterable[str]) -> dict[str, int]:
        return {name: len(self.files[name]) for name in names if name in self.files}

    def read(self, name: str) -> bytes:
        return self.files[name]

    def append(self, name: str, data: bytes, *, sync: bool) -> None:
        self.syncs.append(sync)
        self.files[name] = self.files.get(name, b"") + data
        if len(self.files[name]) > self.capacity:
            raise OSError(28, "No space left on device")

    def truncate(self, name: str, size: int) -> None:
        self.files[name] = self.files[name][:size]

    def rename(self, name: str, to: str) -> None:
        self.files[to] = self.files.pop(name)

    def delete(self, name: str) -> None:
        del self.files[name]


def opened(files: MemoryFiles, **options: bool) -> SpoolLog:
    log = SpoolLog(Spool("folder", **options), files, Settings(database="db"), lambda *_: None)
    log.open()
    return log


def run(steps: Generator[Callable[[], None]]) -> None:
    try:
        for step in steps:
            step()
    finally:
        steps.close()


def has_room(limit: int) -> Callable[[Batch, object], bool]:
    return lambda _, others: len(others) < limit  # type: ignore[arg-type]  # a sequence


def queue(log: SpoolLog, number: int, written: list[tuple[int, int]], size: int = 1) -> QueuedBatch:
    batch = Batch(b"m v=1 %0*d" % (size, number), 1, "ns", timed=True)
    return log.queue(((), True), batch, lambda record: written.append((number, record)))


def stored(files: MemoryFiles) -> list[bytes]:
    return [each.batch.data for name in sorted(files.files) for each in read_segment(files.files[name]).batches]


def test_queued_batches_are_written_and_synchronized_once() -> None:
    files, written = MemoryFiles(), list[tuple[int, int]]()
    log = opened(files, sync=True)
    queued = [queue(log, number, written) for number in range(4)]
    run(log.write(queued[2], has_room(100)))
    assert files.syncs == [True]
    assert written == [(2, 0), (0, 1), (1, 2), (3, 3)]
    assert all(each.is_written for each in queued)
    assert stored(files) == [b"m v=1 2", b"m v=1 0", b"m v=1 1", b"m v=1 3"]
    log.mark_completed([0, 1, 3])
    run(log.clean_up())
    assert [each.batch.data for each in opened(files).open()] == [b"m v=1 1"]


def test_batches_without_room_stay_queued() -> None:
    files, written = MemoryFiles(), list[tuple[int, int]]()
    log = opened(files)
    queued = [queue(log, number, written) for number in range(4)]
    run(log.write(queued[0], has_room(2)))
    assert written == [(0, 0), (1, 1)]
    assert [each.is_written for each in queued] == [True, True, False, False]
    log.withdraw(queued[2])
    log.withdraw(queued[0])  # has no effect
    run(log.write(queued[3], has_room(2)))
    assert written == [(0, 0), (1, 1), (3, 2)]


def test_after_an_error_the_other_batches_are_written_separately() -> None:
    files, written = MemoryFiles(capacity=150), list[tuple[int, int]]()
    log = opened(files)
    queued = [queue(log, number, written, size) for number, size in enumerate((1, 500, 1))]
    run(log.write(queued[0], has_room(100)))
    assert not written
    assert not files.files
    assert not log.is_busy
    run(log.write(queued[0], has_room(100)))
    run(log.write(queued[2], has_room(100)))
    with pytest.raises(SpoolError, match="the spool did not accept 1 line"):
        run(log.write(queued[1], has_room(100)))
    assert written == [(0, 0), (2, 1)]
    assert stored(files) == [b"m v=1 0", b"m v=1 2"]


def test_a_withdrawn_batch_that_is_being_written_is_accepted() -> None:
    files, written = MemoryFiles(), list[tuple[int, int]]()
    log = opened(files)
    first, other = queue(log, 0, written), queue(log, 1, written)
    steps = log.write(first, has_room(100))
    next(steps)()
    log.withdraw(other)
    steps.close()
    assert written == [(0, 0), (1, 1)]
    assert stored(files) == [b"m v=1 0", b"m v=1 1"]


def test_a_withdrawn_batch_is_not_queued_again() -> None:
    """It would stay in the queue indefinitely, and no later batches would be written together."""
    files, written = MemoryFiles(capacity=400), list[tuple[int, int]]()
    log = opened(files)
    first, other = queue(log, 0, written), queue(log, 1, written, 500)
    steps = log.write(first, has_room(100))
    next(steps)()
    log.withdraw(other)
    steps.close()
    run(log.write(first, has_room(100)))
    later = [queue(log, number, written) for number in (2, 3)]
    run(log.write(later[0], has_room(100)))
    assert written == [(0, 0), (2, 1), (3, 2)]
