"""Delivery of batches that a server rejects or splits, against a model of InfluxDB 1.x's response to one request."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from influx_proto import (
    DatabaseNotFound,
    Headers,
    InfluxDBError,
    PartialWriteError,
    PayloadTooLarge,
    RejectedLine,
    ServerUnavailable,
    TransportError,
    WriteError,
)
from influx_proto._encode.batch import Batch
from influx_proto._http.error_response import error_from_response
from influx_proto._runtime.flow import Flow
from influx_proto._write.delivery import deliver, deliver_accepted
from influx_proto._write.rejections import with_rejected_lines

JSON = Headers({"Content-Type": "application/json"})
CONFLICT = 'field type conflict: input field "v" on measurement "m" is type string, already exists as type float'


def write_error(status: int, body: bytes) -> InfluxDBError:
    return with_rejected_lines(error_from_response(WriteError, status, JSON, body))


def batch_of(*lines: bytes, timed: bool = True) -> Batch:
    return Batch(b"\n".join(lines), len(lines), "ns", timed)


@dataclass
class Model:
    """Model server: stores lines and rejects the configured ones, with the error messages of InfluxDB 1.6."""

    unparsable: frozenset[bytes] = frozenset()
    conflicting: frozenset[bytes] = frozenset()
    too_old: frozenset[bytes] = frozenset()
    max_body: int = 10**9
    stored: list[bytes] = field(default_factory=list)
    requests: int = 0

    def send(self, batch: Batch) -> Flow[bool]:
        self.requests += 1
        if len(batch.data) > self.max_body:
            raise write_error(413, b'{"error":"Request Entity Too Large"}')
        message = self._write(list(batch))
        if message:
            raise write_error(400, json.dumps({"error": message}).encode())
        return True
        yield  # makes this a generator

    def _write(self, lines: list[bytes]) -> str:
        parsed = [line for line in lines if line not in self.unparsable]
        self.stored += [line for line in parsed if line not in self.conflicting | self.too_old]
        refused = "\n".join(
            f"unable to parse '{line.decode()}': missing fields" for line in lines if line in self.unparsable
        )
        if not parsed:
            return refused
        for dropped, text in ((self.conflicting, CONFLICT), (self.too_old, "points beyond retention policy")):
            count = sum(line in dropped for line in parsed)
            if count:
                return f"partial write: {text} dropped={count}"
        return f"partial write: {refused} dropped=0" if refused else ""


def run(flow: Flow[list[RejectedLine]]) -> list[RejectedLine]:
    """Run a flow without attempts."""
    try:
        next(flow)
    except StopIteration as stop:
        found: list[RejectedLine] = stop.value
        return found
    raise AssertionError


GOOD = [b"m v=%d %d" % (n, n) for n in range(100)]
LINE_TYPES = {"good": b"m v=%d %d", "unparsable": b"bad%d-%d", "conflicting": b'm v="%d" %d'}


@given(
    line_types=st.lists(st.sampled_from(["good"] * 4 + ["unparsable", "conflicting"]), min_size=1, max_size=60),
    max_body=st.sampled_from([10**9, 200, 60]),
)
def test_all_acceptable_lines_are_stored(line_types: list[str], max_body: int) -> None:
    lines = [LINE_TYPES[line_type] % (n, n) for n, line_type in enumerate(line_types)]
    of = {
        name: frozenset(line for line, line_type in zip(lines, line_types, strict=True) if line_type == name)
        for name in LINE_TYPES
    }
    model = Model(of["unparsable"], of["conflicting"], max_body=max_body)
    rejected = run(deliver_accepted(batch_of(*lines), model.send))
    assert [one.line.encode() for one in rejected] == [line for line in lines if line not in of["good"]]
    assert set(model.stored) == of["good"]
    for one in rejected:
        # If there is also a conflict, the server does not report why a line cannot be parsed.
        assert "missing fields" in one.reason if one.line.startswith("bad") else one.reason == CONFLICT


def test_lines_named_by_the_error_are_not_searched() -> None:
    model = Model(frozenset({b"bad"}))
    rejected = run(deliver_accepted(batch_of(*GOOD[:50], b"bad", *GOOD[50:]), model.send))
    assert [one.line for one in rejected] == ["bad"]
    assert (model.requests, model.stored) == (1, GOOD)


@pytest.mark.parametrize("incomplete", [b'log msg="cut 1', b'log a="\\', b'log a="\nb=\\'])
def test_incomplete_line_does_not_lose_others(incomplete: bytes) -> None:
    """The server reads it up to the end of the request and rejects all lines in it."""
    model = Model()

    def send(batch: Batch) -> Flow[bool]:
        for line in batch:
            if line.startswith((b"log", b"b=")):
                model.unparsable |= {line}
        return (yield from model.send(batch))

    rejected = run(deliver_accepted(batch_of(*GOOD[:50], incomplete, *GOOD[50:]), send))
    assert [one.line.encode() for one in rejected] == incomplete.split(b"\n")
    assert set(model.stored) == set(GOOD)


def test_too_large_body_without_a_line() -> None:
    model = Model(max_body=10)
    [rejected] = run(deliver_accepted(Batch(b"# only a comment", 1, "ns", timed=True), model.send))
    assert rejected.line == "# only a comment"


@pytest.mark.parametrize("bad", [b'm v="x" 5', b'm w=1,v="x" 5'])
def test_suspected_conflicts_are_sent_once_more(bad: bytes) -> None:
    """The others are sent once more as well: the server reports one reason and how many lines it dropped for it."""
    model = Model(conflicting=frozenset({bad}))
    rejected = run(deliver_accepted(batch_of(*GOOD[:50], bad, *GOOD[50:]), model.send))
    assert [one.line for one in rejected] == [bad.decode()]
    assert (model.requests, model.stored) == (3, GOOD * 2)


def test_several_reasons_with_only_one_reported() -> None:
    bad, old = b'm v="x" 5', GOOD[7]
    model = Model(conflicting=frozenset({bad}), too_old=frozenset({old}))
    rejected = run(deliver_accepted(batch_of(*GOOD[:50], bad, *GOOD[50:]), model.send))
    assert [one.line.encode() for one in rejected] == [old, bad]
    assert set(model.stored) == {*GOOD} - {old}


def test_partial_write_without_a_count() -> None:
    def send(batch: Batch) -> Flow[bool]:
        if GOOD[3] in list(batch):
            raise write_error(500, b'{"error":"partial write: points beyond retention policy"}')
        return True
        yield  # makes this a generator

    rejected = run(deliver_accepted(batch_of(*GOOD), send))
    assert [one.line.encode() for one in rejected] == [GOOD[3]]


def test_new_field_with_two_types() -> None:
    """InfluxDB rejects the first batch with the new field as a whole, and keeps the first type."""
    model = Model(conflicting=frozenset({b'm v="x" 5'}))

    def send(batch: Batch) -> Flow[bool]:
        if not model.requests:
            model.requests = 1
            raise write_error(400, b'{"error":"field type conflict"}')
        return (yield from model.send(batch))

    rejected = run(deliver_accepted(batch_of(*GOOD[:50], b'm v="x" 5', *GOOD[50:]), send))
    assert rejected == [RejectedLine('m v="x" 5', CONFLICT)]
    assert set(model.stored) == set(GOOD)


def test_search_takes_few_requests() -> None:
    model = Model(too_old=frozenset(GOOD[:30]))
    rejected = run(deliver_accepted(batch_of(*GOOD), model.send))
    assert [one.line.encode() for one in rejected] == GOOD[:30]
    assert {one.reason for one in rejected} == {"points beyond retention policy"}
    assert set(model.stored) == set(GOOD[30:])
    assert model.requests < 20


def test_search_is_bounded() -> None:
    """Every other line is rejected. Lines not isolated by the end of the search are rejected together, as suspects."""
    lines = [b"m v=%d %d" % (n, n) for n in range(10_000)]
    model = Model(too_old=frozenset(lines[::2]))
    rejected = run(deliver_accepted(batch_of(*lines), model.send))
    assert {one.line.encode() for one in rejected} >= {*lines[::2]}
    assert set(model.stored) == {*lines[1::2]}
    assert model.requests < 500
    assert any("one of " in one.reason for one in rejected)


BARE = error_from_response(WriteError, 500, Headers({"Content-Type": "text/plain"}), b"Internal Server Error\n")
UNKNOWN = error_from_response(WriteError, 400, JSON, b'{"error":"no"}')


@given(
    poison=st.sets(st.integers(0, 99), max_size=100),
    failure=st.sampled_from([BARE, UNKNOWN]),
    others=st.sampled_from(["none", "accepted", "failing"]),
)
def test_failing_lines_without_a_reason(poison: set[int], failure: WriteError, others: str) -> None:
    stored: list[bytes] = []
    bad = {GOOD[n] for n in poison}

    def send(batch: Batch) -> Flow[bool]:
        if bad & {*batch}:
            raise failure
        stored.extend(batch)
        return True
        yield  # makes this a generator

    def probe() -> Flow[bool]:
        return others == "accepted"
        yield  # makes this a generator

    rejected: list[RejectedLine] | None = None
    with contextlib.suppress(WriteError):
        rejected = run(
            deliver_accepted(batch_of(*GOOD), send, probe=None if others == "none" else probe),
        )
    if rejected is None:  # no line was accepted among the first ones, or anywhere
        assert others != "accepted"
        assert {*GOOD[:3]} <= bad
        assert stored == []
    else:
        assert [one.line.encode() for one in rejected] == [line for line in GOOD if line in bad]
        assert {*stored} == {*GOOD} - bad


@pytest.mark.parametrize("begin", range(12))
@pytest.mark.parametrize("length", [1, 2, 5, 20, 1000])
def test_temporary_outage(begin: int, length: int) -> None:
    """The outage causes no rejected line, whenever it begins and however long it lasts."""
    requests = 0

    def send(batch: Batch) -> Flow[bool]:
        nonlocal requests
        requests += 1
        if GOOD[40] in list(batch) or begin <= requests < begin + length:
            raise BARE
        return True
        yield  # makes this a generator

    rejected: list[RejectedLine] = []
    with contextlib.suppress(ServerUnavailable):  # the batch is sent again later
        rejected = run(deliver_accepted(batch_of(*GOOD), send))
    assert {one.line.encode() for one in rejected} <= {GOOD[40]}


def error_naming(number: int) -> InfluxDBError:
    """Return the error of QuestDB, which names the first line that it rejects, and stores none."""
    message = f"failed to parse line protocol:errors encountered on line(s):\nerror in line {number}: no"
    return bad_request(json.dumps({"message": message, "line": number}))


def error_quoting(line: bytes) -> InfluxDBError:
    return bad_request(json.dumps({"error": f"unable to parse '{line.decode()}': no"}))


def bad_request(text: str) -> InfluxDBError:
    return write_error(400, text.encode())


#: Errors for a request with rejected lines, none of which is stored: from the lines and the index of the first bad one.
REJECTIONS: dict[str, Callable[[list[bytes], int], InfluxDBError]] = {
    "without a reason": lambda lines, bad: UNKNOWN,
    "status 500": lambda lines, bad: BARE,
    "about the request": lambda lines, bad: bad_request('{"error":"invalid precision"}'),
    "names the first": lambda lines, bad: error_naming(bad + 1),
    "names a wrong one": lambda lines, bad: error_naming((bad + 1) % len(lines) + 1),
    "quotes the first": lambda lines, bad: error_quoting(lines[bad]),
    "quotes a wrong one": lambda lines, bad: error_quoting(lines[bad - 1]),
}


@given(
    points=st.lists(st.tuples(st.integers(0, 1), st.sampled_from([False] * 4 + [True])), min_size=2, max_size=12),
    reject=st.sampled_from(list(REJECTIONS)),
    outages=st.sets(st.integers(1, 12), max_size=2),
)
def test_later_values_replace_earlier_ones(points: list[tuple[int, bool]], reject: str, outages: set[int]) -> None:
    """Whatever is sent again, the stored values are those of the last accepted line of each series."""
    lines = [b"%s,k=%d v=%d 1" % (b"bad" if bad else b"m", key, n) for n, (key, bad) in enumerate(points)]
    stored: dict[bytes, bytes] = {}
    requests = 0

    def send(batch: Batch) -> Flow[bool]:
        nonlocal requests
        requests += 1
        if requests in outages:
            raise BARE
        sent = list(batch)
        bad = next((index for index, line in enumerate(sent) if line.startswith(b"bad")), None)
        if bad is not None:
            raise REJECTIONS[reject](sent, bad)
        stored.update((line.split()[0], line) for line in sent)
        return True
        yield  # makes this a generator

    try:
        rejected = {one.line.encode() for one in run(deliver_accepted(batch_of(*lines), send))}
    except WriteError:  # the batch is sent again later
        return
    assert rejected >= {line for line in lines if line.startswith(b"bad")}
    assert stored == {line.split()[0]: line for line in lines if line not in rejected}
    if not outages:
        assert not any(line.startswith(b"m") for line in rejected)


@pytest.mark.parametrize("parity", [0, 1])
def test_one_of_two_servers_fails(parity: int) -> None:
    """A load balancer that alternates between them sends some lines only to the failing one."""
    requests = 0

    def send(_: Batch) -> Flow[bool]:
        nonlocal requests
        requests += 1
        if requests % 2 == parity:
            raise BARE
        return True
        yield  # makes this a generator

    for size in range(1, 20):
        with contextlib.suppress(ServerUnavailable):  # the batch is sent again later
            assert run(deliver_accepted(batch_of(*GOOD[:size]), send, probe=lambda: send(batch_of(b"m v=1 1")))) == []


def test_line_that_is_rejected_after_an_outage() -> None:
    """The server fails on a line, then accepts others, and then identifies the line."""
    rejection = write_error(400, b'{"error":"partial write: unable to parse \'bad\': invalid dropped=0"}')
    failures = iter([BARE, rejection])

    def send(batch: Batch) -> Flow[bool]:
        if batch.data == b"bad":
            raise next(failures)
        return True
        yield  # makes this a generator

    rejected = run(deliver_accepted(batch_of(b"bad"), send, probe=lambda: send(batch_of(b"m v=1 1"))))
    assert rejected == [RejectedLine("bad", "invalid")]


def test_failing_line_that_is_then_too_large() -> None:
    """A proxy rejects the size of a line after the server failed on it; only this line is affected."""
    failures = iter([BARE, write_error(413, b'{"error":"Request Entity Too Large"}')])

    def send(batch: Batch) -> Flow[bool]:
        if b"bad" in batch.data:
            raise BARE if batch.lines > 1 else next(failures)
        return True
        yield  # makes this a generator

    [rejected] = run(deliver_accepted(batch_of(b"m v=1 1", b"bad"), send))
    assert rejected.line == "bad"
    assert "a single line of 3 bytes is too large" in rejected.reason


@pytest.mark.parametrize("message", [b"invalid", b"precision"])
def test_temporary_failure_after_a_rejection_is_retryable(message: bytes) -> None:
    """The batch is sent again after the outage, instead of being returned as undelivered."""
    requests: list[bytes] = []
    outage = write_error(503, b'{"error":"unavailable"}')

    def send(batch: Batch) -> Flow[bool]:
        requests.append(batch.data)
        if requests.count(b"m v=1 1") > (1 if message == b"invalid" else 0) and batch.data == b"m v=1 1":
            raise outage
        if b"bad" in batch.data:
            raise write_error(400, b'{"error":"%s"}' % message)
        return True
        yield  # makes this a generator

    with pytest.raises(ServerUnavailable) as caught:
        run(deliver_accepted(batch_of(b"m v=1 1", b"bad"), send))
    assert caught.value.retryable


def test_failure_unrelated_to_lines_takes_few_requests() -> None:
    requests = []

    def send(batch: Batch) -> Flow[bool]:
        requests.append(batch)
        raise UNKNOWN
        yield  # makes this a generator

    with pytest.raises(WriteError):
        run(deliver_accepted(batch_of(*(b"m v=%d %d" % (n, n) for n in range(5000))), send))
    assert len(requests) < 25


def test_points_without_a_timestamp_are_not_sent_again() -> None:
    model = Model(too_old=frozenset(GOOD[:3]))
    with pytest.raises(PartialWriteError, match="beyond retention"):
        run(deliver_accepted(batch_of(*GOOD, timed=False), model.send))
    assert model.requests == 1


def test_too_large_body_is_split_in_order() -> None:
    model = Model(max_body=100)
    data = b"# comment\n" + b"\n\n".join(GOOD) + b"\n"
    list(deliver(Batch(data, len(GOOD), "ns", timed=True), model.send))
    assert model.stored == GOOD
    assert model.requests > 10


def test_line_feeds_in_strings_do_not_split_lines() -> None:
    lines = [b'm s="%b\n\n" %d' % (b"x\n" * n, n) for n in range(20)]
    model = Model(max_body=60)
    list(deliver(batch_of(*lines), model.send))
    assert model.stored == lines


def test_single_line_that_is_too_large() -> None:
    long = b'm s="%b" 1' % (b"x" * 200)
    batch = batch_of(*GOOD[:5], long, *GOOD[5:])
    model = Model(max_body=100)
    with pytest.raises(PayloadTooLarge, match=r"a single line of 208 bytes is too large, 'm s=\"xxx") as caught:
        list(deliver(batch, model.send))
    assert caught.value.status == 413
    assert model.stored == GOOD[:5]
    model = Model(max_body=100)
    [rejected] = run(deliver_accepted(batch, model.send))
    assert rejected.line == long.decode()
    assert "a single line of 208 bytes" in rejected.reason
    assert model.stored == GOOD


@pytest.mark.parametrize(
    "make",
    [
        lambda: DatabaseNotFound(404, "database not found"),
        lambda: WriteError(500, "retention policy not found: x"),
        lambda: TransportError("gone"),
    ],
)
def test_other_errors_apply_to_the_whole_request(make: Callable[[], Exception]) -> None:
    requests = []

    def send(batch: Batch) -> Flow[bool]:
        requests.append(batch)
        raise make()
        yield True  # makes this a generator

    with pytest.raises(type(make())):
        run(deliver_accepted(batch_of(*GOOD), send))
    assert len(requests) == 1


def test_error_reports_the_conflicting_lines() -> None:
    """Also without a search for rejected lines."""
    model = Model(conflicting=frozenset({b'm v="x" 9'}))
    with pytest.raises(PartialWriteError) as caught:
        list(deliver(batch_of(*GOOD, b'm v="x" 9'), model.send))
    assert caught.value.rejected == ()
    of_type, of_lines, stored = caught.value.__notes__
    assert stored == "all other lines of this request were stored"
    assert of_type == "field_types={'v': 'float'} writes the field with its stored type"
    assert of_lines.startswith("lines with this field in this type: 1, the first: 'm v=\"x\" 9'; ")
    with pytest.raises(PartialWriteError) as caught:
        list(deliver(batch_of(b'm v="x" 9'), model.send))
    assert caught.value.rejected == (RejectedLine('m v="x" 9', CONFLICT),)


def test_error_for_lines_without_timestamps_says_that_the_search_needs_them() -> None:
    model = Model(conflicting=frozenset({b'm v="x"'}))
    batch = batch_of(b"m v=1", b'm v="x"', timed=False)
    with pytest.raises(PartialWriteError) as caught:
        run(deliver_accepted(batch, model.send))
    [of_lines] = [note for note in caught.value.__notes__ if note.startswith("lines with this field")]
    assert of_lines.endswith("find_rejected=True with timestamps (stamp=True adds them) finds all rejected lines")


def test_lines_that_end_in_cr_lf() -> None:
    """The server quotes lines in its error without a visible CR."""
    lines = [b"m v=1 1\r", b"m v=2 2\r"]
    with pytest.raises(WriteError) as caught:
        list(deliver(batch_of(*lines), Model(unparsable=frozenset(lines)).send))
    assert "CR LF" in caught.value.__notes__[0]


def test_quoted_lines_that_resemble_the_error_message() -> None:
    unusual = b"x': missing fields unable to parse 'y dropped=3"
    model = Model(unparsable=frozenset({unusual, b"bad"}))
    rejected = run(deliver_accepted(batch_of(*GOOD, unusual, b"bad"), model.send))
    assert [one.line.encode() for one in rejected] == [unusual, b"bad"]
    assert set(model.stored) == set(GOOD)
