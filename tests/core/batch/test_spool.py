"""Spool files: what is written, what is read back after truncation or damage, and when files are deleted."""

from __future__ import annotations

from typing import Any
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st
from influx_proto import Spool
from influx_proto._batch.spool.format import (
    HEADER,
    SpooledBatch,
    UnknownVersion,
    encode_target,
    lines_record,
    lines_record_size,
    mark_record,
    read_segment,
    segment_name,
    segment_number,
)
from influx_proto._batch.spool.segments import Append, Segment, SegmentIndex
from influx_proto._encode.batch import Batch

TARGETS: st.SearchStrategy[Any] = st.tuples(
    st.lists(st.tuples(st.sampled_from(["db", "rp", "consistency"]), st.text())).map(tuple), st.booleans()
)
KEPT = st.builds(
    SpooledBatch,
    st.integers(0, 2**64 - 1),
    TARGETS,
    st.builds(Batch, st.binary(), st.integers(0, 2**32 - 1), st.sampled_from(["ns", "u", "ms", "s"]), st.just(True)),
)


def record(kept: SpooledBatch) -> bytes:
    encoded_target = encode_target(kept.target, kept.batch.precision)
    data = lines_record(kept.number, encoded_target, kept.batch)
    assert len(data) == lines_record_size(encoded_target, kept.batch)
    return data


@given(st.lists(st.one_of(KEPT, st.integers(0, 2**64 - 1))))
def test_round_trip(written: list[Any]) -> None:
    data = HEADER + b"".join(record(one) if isinstance(one, SpooledBatch) else mark_record(one) for one in written)
    reading = read_segment(data)
    assert reading.batches == [one for one in written if isinstance(one, SpooledBatch)]
    assert reading.mark == max((one for one in written if isinstance(one, int)), default=0)
    assert (reading.complete_bytes, reading.damaged_offsets) == (len(data), [])


SMALL = [
    SpooledBatch(n, ((("db", "d"), ("rp", "é")), False), Batch(b"m v=%d 1\nm v=%d 2" % (n, n), 2, "ns", timed=True))
    for n in range(3)
]
RECORDS = [HEADER, record(SMALL[0]), mark_record(1), record(SMALL[1]), record(SMALL[2])]
DATA = b"".join(RECORDS)
#: Offset of each record's end, with the number of batches of `SMALL` up to there.
ENDS = [(sum(map(len, RECORDS[:count])), kept) for count, kept in [(1, 0), (2, 1), (3, 1), (4, 2), (5, 3)]]


def test_every_truncation() -> None:
    """All complete records are read. An incomplete one is reported, with the end of the last complete one."""
    for size in range(len(DATA) + 1):
        end, kept = max(((end, kept) for end, kept in ENDS if end <= size), default=(0, 0))
        reading = read_segment(DATA[:size])
        assert reading.batches == SMALL[:kept]
        assert (reading.complete_bytes, reading.damaged_offsets) == (end, [])


@pytest.mark.parametrize("change", [0x01, 0x80, 0xFF])
def test_every_damaged_byte(change: int) -> None:
    """No line is altered. All records before the damage are read, and those after it if its length field is intact."""
    for at in range(len(DATA)):
        damaged = bytearray(DATA)
        damaged[at] ^= change
        reading = read_segment(bytes(damaged))
        before = max((kept for end, kept in ENDS if end <= at), default=0)
        assert reading.damaged_offsets or reading.complete_bytes < len(DATA)
        assert all(kept in SMALL for kept in reading.batches)
        assert reading.batches[:before] == SMALL[:before]
        begin = max((end for end, _ in ENDS if end <= at), default=0)
        if not begin <= at < begin + 12 or not begin:
            assert len(reading.batches) >= len(SMALL) - 1


def test_other_versions_and_files() -> None:
    later = HEADER[:15] + b"\x02"
    with pytest.raises(UnknownVersion, match="2"):
        read_segment(later + crc32(later).to_bytes(4) + DATA[len(HEADER) :])
    for data in (b"something else", b"x" * 100, b"\0" * 100):
        reading = read_segment(data)
        assert reading.batches == []
        assert reading.damaged_offsets


@given(st.binary(max_size=200))
def test_garbage_at_the_end(garbage: bytes) -> None:
    reading = read_segment(DATA + garbage)
    assert reading.batches == SMALL


def test_names() -> None:
    assert segment_number(segment_name(7)) == 7
    assert segment_number(segment_name(7) + ".damaged") == 7
    assert sorted(map(segment_name, (2, 10, 1))) == [segment_name(1), segment_name(2), segment_name(10)]
    others = ("lock", "7.spool", segment_name(7) + "x", "x" + segment_name(7))
    assert [segment_number(name) for name in others] == [None] * 4


@pytest.mark.parametrize(
    ("wrong", "name", "error"),
    [
        (("",), "directory", ValueError),
        ((7,), "directory", TypeError),
        (("d", 0), "max_bytes", ValueError),
        (("d", 1.5), "max_bytes", TypeError),
    ],
)
def test_invalid_options(wrong: Any, name: str, error: type[Exception]) -> None:
    with pytest.raises(error, match=f"^{name}: "):
        Spool(*wrong)


def keep(ledger: SegmentIndex, size: int = 100) -> int:
    number = ledger.next_number
    plan = ledger.plan_append(b"x" * size, number)
    ledger.commit_append(plan)
    return number


def clean_up(ledger: SegmentIndex) -> tuple[list[int], int | None]:
    """Delete completed segments; return the deleted ones and the value of the mark."""
    plan = ledger.plan_cleanup()
    if plan is None:
        return [], None
    for _ in plan.obsolete:
        ledger.remove_oldest()
    if plan.mark is not None:
        ledger.commit_mark(plan.mark, plan)
    return [segment.number for segment in plan.obsolete], None if plan.mark is None else plan.completed_before


def test_segments_are_deleted_in_order() -> None:
    ledger = SegmentIndex(10_000, 150)
    numbers = [keep(ledger) for _ in range(4)]
    assert [segment.number for segment in ledger.segments] == [0, 1, 2, 3]
    ledger.mark_completed([numbers[1], numbers[2]])
    assert clean_up(ledger) == ([], 0)  # the mark contains both
    assert clean_up(ledger) == ([], None)
    ledger.mark_completed([numbers[0]])
    assert clean_up(ledger) == ([0, 1, 2], None)  # no mark: the next segment begins where it would point
    ledger.mark_completed([numbers[3]])
    assert clean_up(ledger) == ([3, 4], None)  # the last one has the mark
    assert ledger.size == 0
    assert keep(ledger) == 4
    assert [segment.number for segment in ledger.segments] == [5]


def test_marks() -> None:
    ledger = SegmentIndex(10_000, 1000)
    numbers = [keep(ledger) for _ in range(3)]
    ledger.mark_completed(numbers[:1])
    assert clean_up(ledger) == ([], 1)
    assert clean_up(ledger) == ([], None)
    ledger.mark_completed(numbers[1:2])
    assert clean_up(ledger) == ([], 2)
    ledger.mark_completed(numbers[2:])
    assert clean_up(ledger) == ([0], None)


def test_room() -> None:
    ledger = SegmentIndex(500, 60)
    assert ledger.has_room(10_000)  # an empty spool accepts any size
    first = [keep(ledger) for _ in range(3)]
    assert ledger.has_room(100)
    keep(ledger)
    assert not ledger.has_room(100)
    ledger.mark_completed(first[:1])
    assert not ledger.has_room(100)
    clean_up(ledger)
    assert ledger.has_room(100)


def test_segment_with_a_failed_rollback_is_not_appended_to() -> None:
    ledger = SegmentIndex(10_000, 1000)
    keep(ledger)
    ledger.note_failed_append(ledger.plan_append(b"x", 1))
    assert keep(ledger) == 2
    assert [segment.number for segment in ledger.segments] == [0, 1]
    ledger.note_failed_append(Append(Segment(2, 0), b"x", 3, 2))
    assert keep(ledger) == 5
    assert [segment.number for segment in ledger.segments] == [0, 1, 2, 3]


def test_records_with_a_failed_rollback_are_completed() -> None:
    """The next writer may find them in the file, but their `write` has raised."""
    ledger = SegmentIndex(10_000, 1000)
    keep(ledger)
    ledger.note_failed_append(ledger.plan_append(b"x", 1, 2))
    plan = ledger.plan_cleanup()
    assert plan is not None
    assert plan.mark is not None
    assert read_segment(plan.mark.data).completed == {1, 2}
    ledger.mark_completed([0])
    assert clean_up(ledger) == ([0], None)


def test_segments_of_an_earlier_process() -> None:
    """A segment from an earlier process is never appended to, and is deleted like a new one."""
    ledger = SegmentIndex(10_000, 1000, next_segment=9)
    ledger.restore([Segment(7, 100, last_record=3), Segment(8, 100, last_record=5)], [3, 5], 3)
    assert keep(ledger) == 6
    assert [segment.number for segment in ledger.segments] == [7, 8, 9]
    ledger.mark_completed([5])
    assert clean_up(ledger) == ([], 3)
    ledger.mark_completed([3])
    assert clean_up(ledger) == ([7, 8], None)


def test_marks_of_an_earlier_process_are_repeated() -> None:
    """After a power failure, a new mark may exist without the older ones."""
    ledger = SegmentIndex(10_000, 1000, next_segment=9)
    ledger.restore([Segment(7, 100, last_record=6)], [4, 6], 4, {5})
    plan = ledger.plan_cleanup()
    assert plan is not None
    assert plan.mark is not None
    assert plan.mark.segment.number == 9
    assert read_segment(plan.mark.data).completed == {5}


def test_numbers_of_marked_records_are_not_used_again() -> None:
    """A record that could not be written has a mark; another one of its number would count as completed."""
    ledger = SegmentIndex(10_000, 1000)
    ledger.restore([Segment(0, 100, last_record=6), Segment(1, 100)], [4, 5, 6], 4, {7})
    assert keep(ledger) == 8


def test_completed_segments_of_an_earlier_process() -> None:
    ledger = SegmentIndex(10_000, 1000, next_segment=9)
    ledger.restore([Segment(7, 100, last_record=3), Segment(8, 100)], [], 4)
    assert clean_up(ledger) == ([7, 8], None)


@given(
    st.lists(
        st.one_of(st.tuples(st.just("append"), st.integers(1, 300)), st.tuples(st.just("complete"), st.integers(0)))
    )
)
def test_next_writer_finds_the_pending_records(actions: list[tuple[str, int]]) -> None:
    """The files hold all incomplete batches, in order, and marks of the completed ones."""
    ledger = SegmentIndex(100_000, 400)
    files: dict[int, list[tuple[int, bytes]]] = {}  # number of each record, or -1 and a mark
    pending: list[int] = []
    count = 0
    for action, value in actions:
        if action == "append":
            plan = ledger.plan_append(b"x" * value, count)
            ledger.commit_append(plan)
            files.setdefault(plan.segment.number, []).append((count, b""))
            pending.append(count)
            count += 1
        elif pending:
            done = pending.pop(value % len(pending))
            ledger.mark_completed([done])
            todo = ledger.plan_cleanup()
            if todo is not None:
                for segment in todo.obsolete:
                    assert segment.number == min(files)
                    del files[segment.number]
                    ledger.remove_oldest()
                if todo.mark is not None:
                    files.setdefault(todo.mark.segment.number, []).append((-1, todo.mark.data))
                    ledger.commit_mark(todo.mark, todo)
        records = [one for number in sorted(files) for one in files[number]]
        marks = [read_segment(HEADER + data.removeprefix(HEADER)) for number, data in records if number < 0]
        before = max((mark.mark for mark in marks), default=0)
        completed = {number for mark in marks for number in mark.completed}
        left = [number for number, _ in records if number >= before and number not in completed]
        assert left == sorted(pending)
