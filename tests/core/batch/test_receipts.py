"""Rejected lines that are kept for `flush`: which, how many, and for whom."""

from __future__ import annotations

import gc
import weakref

import pytest
from influx_proto import InfluxDBError, PartialWriteError, RejectedLine, TransportError
from influx_proto._batch.receipt import OpenReceipt
from influx_proto._batch.receipts import Receipts


class Caller:
    """A task or thread."""

    has_ended = False


def make() -> Receipts:
    return Receipts(lambda caller: isinstance(caller, Caller) and caller.has_ended)


def reject(receipts: Receipts, caller: Caller | None, *lines: str) -> OpenReceipt:
    receipt = OpenReceipt()
    receipts.begin(receipt, caller)
    receipt.lines = len(lines)
    receipt.is_complete = True
    for line in lines:
        receipt.add_rejected(RejectedLine(line, "no"))
    receipt.complete_lines(len(lines))
    receipts.check(receipt)
    return receipt


def reported(receipts: Receipts, caller: Caller | None) -> tuple[int, int]:
    """Return how many lines an error has, and how many it counts."""
    with pytest.raises(PartialWriteError) as caught:
        receipts.report(caller)
    kept, count = len(caught.value.rejected), caught.value.dropped
    assert str(caught.value).startswith(f"{count} lines were rejected")
    assert (f"{count - kept} of them are not kept" in str(caught.value)) is (count > kept)
    return kept, count


def test_lines_that_are_never_flushed_take_bounded_memory() -> None:
    receipts = make()
    for n in range(30_000):
        reject(receipts, None, f"m n={n} {n}" + "x" * (10_000 if n < 5000 else 10))
        if not n % 1000:
            assert sum(len(line) for one in receipts._failed for line, _ in one.rejected) < 10_100_000
    with pytest.raises(PartialWriteError, match=r"^30000 lines were rejected.*; 20000 of them are not kept") as caught:
        receipts.report_all()
    assert (len(caught.value.rejected), caught.value.dropped) == (10_000, 30_000)
    assert caught.value.rejected[-1].line.startswith("m n=29999 ")
    receipts.report_all()


@pytest.mark.parametrize(("line", "kept"), [("m v=1 1", 10_000), (99_998 * "x", 100), (20_000_000 * "x", 1)])
def test_the_lines_of_one_write_take_bounded_memory(line: str, kept: int) -> None:
    receipts, caller = make(), Caller()
    receipt = reject(receipts, caller, *[line] * 15_000)
    assert (len(receipt.rejected), receipt.rejected_count) == (kept, 15_000)
    assert reported(receipts, caller) == (kept, 15_000)


def test_each_caller_gets_the_number_of_its_own_lines() -> None:
    receipts, first, second, supervisor = make(), Caller(), Caller(), Caller()
    for _ in range(3):
        reject(receipts, first, *["m v=1 1"] * 3_000)
    for _ in range(5):
        reject(receipts, second, *["m v=2 2"] * 3_000)
    assert reported(receipts, first) == (0, 9_000)
    receipts.report(first)
    assert reported(receipts, second) == (9_000, 15_000)
    receipts.report(second)
    receipts.report(supervisor)


def test_lines_that_a_flush_has_reported_are_not_counted_again() -> None:
    receipts, caller, supervisor = make(), Caller(), Caller()
    reject(receipts, caller, *["m v=1 1"] * 9_000)
    assert reported(receipts, supervisor) == (9_000, 9_000)
    reject(receipts, caller, *["m v=1 1"] * 9_000)
    assert reported(receipts, caller) == (9_000, 9_000)


def test_a_supervisor_gets_the_number_of_all_lines() -> None:
    receipts, caller = make(), Caller()
    for _ in range(5):
        reject(receipts, caller, *["m v=1 1"] * 3_000)
    assert reported(receipts, Caller()) == (9_000, 15_000)


def test_callers_that_have_ended_are_not_kept() -> None:
    """A task for each write, for instance."""
    receipts, supervisor = make(), Caller()
    callers: list[weakref.ref[Caller]] = []
    for _ in range(200):
        caller = Caller()
        callers.append(weakref.ref(caller))
        reject(receipts, caller, *["m v=1 1"] * 1_000)
        caller.has_ended = True
        del caller
    gc.collect()
    assert sum(ref() is not None for ref in callers) <= 11
    assert reported(receipts, supervisor) == (10_000, 200_000)


def test_callers_that_end_later_are_not_kept() -> None:
    receipts = make()
    callers = [Caller() for _ in range(200)]
    for caller in callers:
        reject(receipts, caller, *["m v=1 1"] * 1_000)
    alive = [weakref.ref(caller) for caller in callers]
    for caller in callers:
        caller.has_ended = True
    del callers, caller
    reject(receipts, None, *["m v=1 1"] * 10_000)
    gc.collect()
    assert sum(ref() is not None for ref in alive) == 0
    assert reported(receipts, Caller()) == (10_000, 210_000)


class FakeClock:
    """A clock that stands still until the test sets it."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    def time_ns(self) -> int:
        return int(self.time * 1e9)


def test_a_failure_that_a_wait_raised_is_not_raised_again() -> None:
    receipts, caller = make(), Caller()
    waited, other = reject(receipts, caller, "m v=1"), reject(receipts, caller, "m v=2")
    for _ in range(2):
        with pytest.raises(PartialWriteError) as caught:
            list(receipts.wait_for(waited, FakeClock()))
        assert [line for line, _ in caught.value.rejected] == ["m v=1"]
    with pytest.raises(PartialWriteError) as caught:
        receipts.report(caller)
    assert caught.value.rejected == tuple(other.rejected)
    receipts.report(caller)
    receipts.report_all()


def test_a_failure_that_a_flush_raised_is_raised_by_a_wait() -> None:
    receipts = make()
    receipt = reject(receipts, None, "m v=1")
    with pytest.raises(PartialWriteError):
        receipts.report_all()
    with pytest.raises(PartialWriteError):
        list(receipts.wait_for(receipt, FakeClock()))


def test_a_wait_ends_when_the_receipt_is_done() -> None:
    receipts, receipt = make(), OpenReceipt()
    receipts.begin(receipt, None)
    receipt.lines = 2
    waiting = receipts.wait_for(receipt, FakeClock())
    assert [next(waiting), next(waiting)] == [None, None]
    receipt.is_complete = True
    receipt.complete_lines(2)
    assert list(waiting) == []


def test_a_wait_with_a_timeout() -> None:
    receipts, receipt, clock = make(), OpenReceipt(), FakeClock()
    receipt.lines = 1
    waiting = receipts.wait_for(receipt, clock, 5.0)
    assert next(waiting) == 5.0
    clock.time = 2.0
    assert next(waiting) == 3.0
    clock.time = 5.0
    with pytest.raises(TransportError, match=r"^the outcome of 1 line was not known within 5.0 s$"):
        next(waiting)


def test_a_wait_for_lines_that_the_writer_leaves_in_the_spool() -> None:
    receipts, receipt = make(), OpenReceipt()
    waiting = receipts.wait_for(receipt, FakeClock())
    next(waiting)
    receipts.closed = InfluxDBError("closed")
    for each in (waiting, receipts.wait_for(receipt, FakeClock())):
        with pytest.raises(InfluxDBError, match=r"^closed$"):
            next(each)


class Clock:
    """A clock that is not used."""

    def now(self) -> float:
        return 0.0

    def time_ns(self) -> int:
        return 0


def wait_for(receipts: Receipts, receipt: OpenReceipt) -> None:
    with pytest.raises(PartialWriteError):
        list(receipts.wait_for(receipt, Clock()))


@pytest.mark.parametrize("has_ended", [False, True])
@pytest.mark.parametrize("callers", [1, 300])
def test_lines_that_are_not_kept_are_raised_once(callers: int, has_ended: bool) -> None:
    """Waiting for the receipt of omitted lines raises them, and no `flush` counts them afterwards."""
    receipts = make()
    tasks = [Caller() for _ in range(callers)]
    waiting = [reject(receipts, task, "m n=1 1", "m n=2 2") for task in tasks]
    others = [reject(receipts, tasks[n % callers], f"m n={n} {n}") for n in range(15_000)]
    for task in tasks:
        task.has_ended = has_ended
    reject(receipts, Caller(), *["m n=1 1"] * 10_000)  # all of the others are omitted
    for receipt in waiting:
        wait_for(receipts, receipt)
        wait_for(receipts, receipt)
    wait_for(receipts, others[0])
    with pytest.raises(PartialWriteError) as caught:
        receipts.report_all()
    assert caught.value.dropped == 15_000 - 1 + 10_000
    wait_for(receipts, others[1])
    receipts.report_all()


def test_lines_that_a_flush_counted_are_not_subtracted_from_later_ones() -> None:
    receipts, task = make(), Caller()
    early = reject(receipts, task, "m n=1 1")
    for _ in range(2):
        reject(receipts, task, *["m n=1 1"] * 10_001)
        reject(receipts, task, "m n=1 1")
        with pytest.raises(PartialWriteError):
            receipts.report(task)
    reject(receipts, task, "m n=1 1")
    reject(receipts, task, *["m n=1 1"] * 10_000)
    wait_for(receipts, early)
    assert reported(receipts, task) == (10_000, 10_001)
