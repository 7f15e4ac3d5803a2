"""State of a batch writer: given a time, it returns the batch to send. Nothing here waits."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from influx_proto import InfluxDBError, RejectedLine, TransportError
from influx_proto._batch.batcher import Batcher, Sealed
from influx_proto._batch.options import BatchOptions
from influx_proto._batch.receipt import OpenReceipt
from influx_proto._encode.batch import Batch

HERE = ((("rp", "a"),), True)
THERE = ((("db", "b"),), False)


def make(random: float = 0.0, **options: Any) -> Batcher:
    limits = {"max_lines": 10, "max_bytes": 1000, "max_delay": 1.0, "max_pending": 100, "max_pending_bytes": 100_000}
    return Batcher(BatchOptions(**{**limits, **options}), lambda: random)


def batch(*numbers: int, precision: str = "ns") -> Batch:
    return Batch(b"\n".join(b"m v=%d %d" % (n, n) for n in numbers), len(numbers), precision, timed=True)


def lines(count: int) -> Batch:
    return batch(*range(count))


def numbers(sealed: Sealed | None) -> list[int]:
    assert sealed is not None
    return [int(line.rpartition(b" ")[2]) for line in sealed.batch]


def add(batcher: Batcher, *values: int, now: float = 0.0, target: Any = HERE, **options: Any) -> OpenReceipt:
    receipt = OpenReceipt()
    batcher.add(target, batch(*values, **options), receipt, now)
    receipt.is_complete = True
    return receipt


def taken(batcher: Batcher, now: float) -> Iterator[Sealed]:
    while (sealed := batcher.take(now)) is not None:
        yield sealed
        batcher.acknowledge(sealed)


def test_empty_batcher_is_never_due() -> None:
    batcher = make()
    assert batcher.due == math.inf
    assert batcher.take(1e9) is None
    batcher.seal()
    assert batcher.take(1e9) is None


def test_age() -> None:
    batcher = make()
    add(batcher, 1, now=5.0)
    add(batcher, 2, now=5.9)
    assert batcher.due == 6.0
    assert batcher.take(5.99) is None
    assert numbers(batcher.take(6.0)) == [1, 2]


def test_age_with_jitter() -> None:
    batcher = make(random=0.5)
    add(batcher, 1, now=5.0)
    assert batcher.due == 5.95


def test_make_room_drops_the_oldest_batch() -> None:
    batcher = make(max_lines=4, max_pending=12)
    receipts = [add(batcher, *range(4 * n, 4 * n + 4)) for n in range(3)]
    in_flight = batcher.take(0.0)
    assert numbers(in_flight) == [0, 1, 2, 3]
    error = InfluxDBError("full")
    assert [numbers(sealed) for sealed in batcher.make_room(lines(3), error)] == [[4, 5, 6, 7]]
    assert [receipt.error for receipt in receipts] == [None, error, None]
    # The batch in flight is not dropped.
    assert [numbers(sealed) for sealed in batcher.make_room(lines(12), error)] == [
        [8, 9, 10, 11]
    ]  # the batch in flight stays
    assert batcher.pending == 4


def test_lines() -> None:
    batcher = make()
    for n in range(12):
        add(batcher, n)
    assert batcher.due == -math.inf
    assert numbers(batcher.take(0.0)) == list(range(10))
    assert batcher.due == math.inf  # only one batch in flight at a time
    assert batcher.take(1e9) is None


def test_lines_that_do_not_fit_start_the_next_batch() -> None:
    batcher = make()
    add(batcher, *range(6))
    add(batcher, *range(6, 12))
    sealed = batcher.take(0.0)
    assert numbers(sealed) == list(range(6))


def test_bytes() -> None:
    batcher = make(max_bytes=20)
    add(batcher, 1)
    add(batcher, 2)
    add(batcher, 3)
    sealed = batcher.take(0.0)
    assert numbers(sealed) == [1, 2]
    assert sealed is not None
    assert len(sealed.batch.data) <= 20


def test_full_buffer_is_due_immediately() -> None:
    """A writer that waits for room must not also wait for `max_delay`."""
    batcher = make(max_pending=5, max_delay=1000.0)
    add(batcher, 1, 2, 3)
    assert batcher.has_room(lines(2))
    assert not batcher.has_room(lines(3))
    assert batcher.due == 1000.0
    add(batcher, 4, 5)
    assert not batcher.has_room(lines(1))
    sealed = batcher.take(0.0)
    assert numbers(sealed) == [1, 2, 3, 4, 5]
    assert sealed is not None
    batcher.acknowledge(sealed)
    assert batcher.has_room(lines(1000))  # an empty buffer accepts any number of lines


def test_room_in_bytes() -> None:
    size = len(b"m v=1 1\n")
    batcher = make(max_pending_bytes=4 * size, max_delay=1000.0)
    add(batcher, 1, 2)
    assert batcher.pending_bytes == 2 * size
    assert batcher.has_room(batch(3, 4))
    assert not batcher.has_room(batch(3, 4, 5))
    add(batcher, 3, 4)
    assert not batcher.has_room(batch(5))
    sealed = batcher.take(0.0)  # a full buffer is due at once
    assert numbers(sealed) == [1, 2, 3, 4]
    assert sealed is not None
    batcher.put_back(sealed, 0.0)
    assert batcher.pending_bytes == 4 * size
    assert [numbers(sealed) for sealed in batcher.make_room(batch(5), InfluxDBError("full"))] == [[1, 2, 3, 4]]
    assert batcher.pending_bytes == 0
    assert batcher.has_room(lines(1000))


def test_targets_and_precisions_are_kept_apart() -> None:
    batcher = make()
    add(batcher, 1)
    add(batcher, 2, target=THERE)
    add(batcher, 3, precision="s")
    add(batcher, 4)
    batcher.seal()
    found = []
    while (sealed := batcher.take(0.0)) is not None:
        found.append((sealed.target, sealed.batch.precision, numbers(sealed)))
        batcher.acknowledge(sealed)
    assert found == [(HERE, "ns", [1, 4]), (THERE, "ns", [2]), (HERE, "s", [3])]


def test_a_batch_follows_the_older_ones_of_its_target() -> None:
    """A point may have an earlier value in another precision, which must not replace the later one."""
    batcher = make(max_lines=3)
    add(batcher, 1)
    add(batcher, 2, target=THERE)
    add(batcher, 3, 4, 5, precision="s")  # a full batch
    assert [(numbers(sealed), sealed.batch.precision) for sealed in taken(batcher, 0.0)] == [
        ([1], "ns"),
        ([3, 4, 5], "s"),
    ]
    jitter = iter([0.0, 1.0])
    limits = BatchOptions(max_lines=10, max_bytes=1000, max_delay=1.0, max_pending=100, max_pending_bytes=100_000)
    batcher = Batcher(limits, lambda: next(jitter))
    add(batcher, 1)
    add(batcher, 2, precision="s")
    assert batcher.due == 0.9
    assert [numbers(sealed) for sealed in taken(batcher, 0.9)] == [[1], [2]]


def add_line(batcher: Batcher, line: str, precision: str) -> OpenReceipt:
    receipt = OpenReceipt()
    batcher.add(HERE, Batch(line.encode(), 1, precision, timed=True), receipt, 0.0)
    receipt.is_complete = True
    return receipt


def sent(batcher: Batcher) -> list[tuple[str, str]]:
    batcher.seal()
    return [(sealed.batch.precision, sealed.batch.data.decode()) for sealed in taken(batcher, 0.0)]


def test_a_point_in_two_precisions_keeps_its_last_value() -> None:
    batcher = make()
    receipts = [
        add_line(batcher, "m,b=1,a=2 v=0 1000000000", "ns"),
        add_line(batcher, "m,a=2,b=1 v=1 1", "s"),
        add_line(batcher, 'm,b=1,a=2 v=2,w="\n" 1000000000', "ns"),
        add_line(batcher, "other v=3 3", "ns"),
        add_line(batcher, "m,a=2,b=1 v=4 1000", "ms"),
    ]
    assert sent(batcher) == [
        ("ns", "m,b=1,a=2 v=0 1000000000"),
        ("s", "m,a=2,b=1 v=1 1"),
        ("ns", 'm,b=1,a=2 v=2,w="\n" 1000000000\nother v=3 3'),
        ("ms", "m,a=2,b=1 v=4 1000"),
    ]
    assert all(receipt.done for receipt in receipts)
    assert batcher.pending == batcher.pending_bytes == 0


def test_different_points_in_two_precisions_need_two_requests() -> None:
    batcher = make(max_bytes=100_000)
    for line, precision in [
        ("m,a=1 v=0 1000000000", "ns"), ("m,a=2 v=1 1", "s"), ("m,a=1 v=2 1000000001", "ns"), ("m,a=1 v=3 2", "s"),
        ("# m,a=2 v=4 1000000000", "ns"), ("m v=5 " + "9" * 5000, "s"), ("m v=6 x", "s"),
    ]:  # fmt: skip
        add_line(batcher, line, precision)
    assert [precision for precision, _ in sent(batcher)] == ["ns", "s"]
    add_line(batcher, "m v=1 0", "s")
    add_line(batcher, "m v=2 0", "ns")
    add_line(batcher, "m v=invalid 0", "s")  # it cannot be compared
    assert [precision for precision, _ in sent(batcher)] == ["s", "ns", "s"]


@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.integers(0, 2), st.sampled_from([("ns", 10**9), ("s", 1), ("ms", 1000)]))
    ),
    st.integers(1, 6),
    st.lists(st.booleans(), max_size=30),
)
def test_last_value_of_each_point_is_sent_last(
    lines: list[tuple[str, int, tuple[str, int]]], max_lines: int, takes: list[bool]
) -> None:
    batcher = make(max_lines=max_lines)
    last_values: dict[tuple[str, int], int] = {}
    found: dict[tuple[str, int], int] = {}

    def receive() -> None:
        for sealed in taken(batcher, 0.0):
            factor = {"ns": 10**9, "s": 1, "ms": 1000}[sealed.batch.precision]
            for line in sealed.batch.data.decode().split("\n"):
                name, value, time = line.split(" ")
                found[name, int(time) // factor] = int(value[2:])

    for value, (name, time, (precision, factor)) in enumerate(lines):
        add_line(batcher, f"{name} v={value} {time * factor}", precision)
        last_values[name, time] = value
        if value < len(takes) and takes[value]:
            receive()
    batcher.seal()
    receive()
    assert found == last_values
    assert batcher.pending == 0


def test_returned_batch_is_next_after_its_backoff() -> None:
    batcher = make()
    add(batcher, 1)
    batcher.seal()
    add(batcher, 2)
    batcher.seal()
    sealed = batcher.take(0.0)
    assert sealed is not None
    batcher.put_back(sealed, 7.0)
    assert (batcher.due, batcher.retried, batcher.pending) == (7.0, 1, 2)
    assert batcher.take(6.9) is None
    assert numbers(batcher.take(7.0)) == [1]


def test_receipts_report_the_outcome_of_their_lines() -> None:
    batcher = make(max_lines=4)
    receipts = [add(batcher, 1, 2), add(batcher, 3), add(batcher, 3), add(batcher, 5)]
    first = batcher.take(0.0)
    assert numbers(first) == [1, 2, 3, 3]
    assert first is not None
    batcher.acknowledge(first, [RejectedLine("m v=2 2", "no"), RejectedLine("m v=3 3", "neither")])
    assert [receipt.done for receipt in receipts] == [True, True, True, False]
    assert [[line for line, _ in receipt.rejected] for receipt in receipts[:3]] == [["m v=2 2"], ["m v=3 3"], []]
    batcher.seal()
    last = batcher.take(0.0)
    assert last is not None
    error = TransportError("gone")
    batcher.fail(last, error)
    assert receipts[3].done
    assert receipts[3].error is error
    assert (batcher.written, batcher.rejected, batcher.pending) == (2, 2, 0)
    assert "failed" in repr(receipts[3])
    assert "rejected" in repr(receipts[0])


def test_lines_for_probes() -> None:
    batcher = make()
    add(batcher, 1)
    assert numbers(batcher.seal()[0]) == [1]
    assert batcher.take(0.0) is not None
    assert batcher.peek_next(0) is None
    add(batcher, 2, 3, target=THERE)
    batcher.seal()
    add(batcher, 4)
    found = [batcher.peek_next(number) for number in range(5)]
    assert [each and (each[0], [bytes(line) for line in each[1]]) for each in found] == [
        (THERE, list(batch(2, 3))), (THERE, list(batch(2))), (THERE, list(batch(3))), (HERE, list(batch(4))), None
    ]  # fmt: skip


def test_incomplete_line_gets_its_own_batch() -> None:
    batcher = make()
    add(batcher, 1)
    escaped = OpenReceipt()
    batcher.add(HERE, Batch(b"m,path=C:\\", 1, "ns", timed=True), escaped, 0.0)
    quoted = OpenReceipt()
    batcher.add(HERE, Batch(b'm v="a', 1, "ns", timed=True), quoted, 0.0, is_complete=False)
    add(batcher, 2)
    batcher.seal()
    found = []
    while (sealed := batcher.take(0.0)) is not None:
        found.append(sealed.batch.data)
        batcher.acknowledge(sealed)
    assert found == [b"m v=1 1", b"m,path=C:\\", b'm v="a', b"m v=2 2"]


@given(
    st.lists(st.sampled_from([b'm v="a', b"m v=1 1", b'm v="x\ny" 1', b"a\\", b"", b"#c", b"\xff v=1"]), min_size=1),
    st.lists(st.tuples(st.integers(0, 8), st.text())),
)
def test_any_lines_are_acknowledged(parts: list[bytes], rejected: list[tuple[int, str]]) -> None:
    """For any lines, and any of them rejected by the server."""
    batcher = make(max_lines=1000)
    receipts = [OpenReceipt() for _ in parts]
    for receipt, part in zip(receipts, parts, strict=True):
        batcher.add(HERE, Batch(part, 1, "ns", timed=True), receipt, 0.0)
        receipt.is_complete = True
    rejections = [
        RejectedLine((parts[n] if n < len(parts) else b"?").decode(errors="replace"), text) for n, text in rejected
    ]
    batcher.seal()
    while (sealed := batcher.take(0.0)) is not None:
        batcher.acknowledge(sealed, rejections)
        assert sum(len(receipt.rejected) for receipt, *_ in {id(one[0]): one for one in sealed.parts}.values()) == len(
            rejections
        )
    assert batcher.pending == 0
    assert batcher.written >= 0
    assert all(receipt.done for receipt in receipts)


def test_receipt_is_not_done_before_all_its_lines_are_added() -> None:
    batcher = make()
    receipt = OpenReceipt()
    batcher.add(HERE, batch(1), receipt, 0.0)
    batcher.seal()
    sealed = batcher.take(0.0)
    assert sealed is not None
    batcher.acknowledge(sealed)
    assert not receipt.done
    receipt.is_complete = True
    assert receipt.done
    assert "stored" in repr(receipt)


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(1, 8), st.sampled_from([HERE, THERE])),
        st.tuples(st.sampled_from(["take", "acknowledge", "put_back", "fail", "seal"]), st.just(0), st.just(HERE)),
    ),
    max_size=60,
)


@given(ACTIONS, st.integers(0, 3))
def test_every_line_is_stored_rejected_or_undelivered(actions: list[tuple[str, int, Any]], step: int) -> None:
    batcher = make()
    now, number = 0.0, 0
    in_flight: Sealed | None = None
    stored: list[int] = []
    failed: list[int] = []
    receipts = []
    for action, count, target in actions:
        now += step
        if action == "add":
            receipts.append(add(batcher, *range(number, number + count), now=now, target=target))
            number += count
        elif action == "seal":
            batcher.seal()
        elif action == "take" or in_flight is None:
            in_flight = in_flight or batcher.take(now)
        elif action == "acknowledge":
            stored += numbers(in_flight)
            batcher.acknowledge(in_flight)
            in_flight = None
        elif action == "put_back":
            batcher.put_back(in_flight, now + 1)
            in_flight = None
        elif action == "fail":
            failed += numbers(in_flight)
            batcher.fail(in_flight, TransportError("no"))
            in_flight = None
    assert batcher.pending == number - len(stored) - len(failed)
    returned = batcher.seal()
    batcher.return_undelivered(InfluxDBError("over"), returned)
    undelivered = [n for sealed in returned for n in numbers(sealed)]
    assert sorted(stored + failed + undelivered) == list(range(number))
    assert batcher.pending == 0
    assert all(receipt.done for receipt in receipts)
