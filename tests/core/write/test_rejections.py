"""Bad lines in batches for every server: all good lines are stored, and the bad ones are reported."""

from __future__ import annotations

import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from influx_proto import DatabaseNotFound, Headers, PartialWriteError, ProtocolError, RejectedLine, WriteError, ops
from influx_proto._encode.batch import Batch
from influx_proto._runtime.flow import Flow
from influx_proto._write.delivery import deliver, deliver_accepted
from influx_proto._write.request import WriteReceiver

from tests.servers.rejecting import REASON, RESPONSES, RejectingServer

EACH_SERVER = pytest.mark.parametrize("name", RESPONSES)
GOOD = [b"m v=%d %d" % (n, n) for n in range(100)]
BAD = b'bad,t=\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4 s="a\\"b\tc",v= 5'


def batch_of(*lines: bytes) -> Batch:
    return Batch(b"\n".join(lines), len(lines), "ns", timed=True)


class Sender:
    """Sends batches to a model of a server."""

    def __init__(self, name: str) -> None:
        self.server = RejectingServer(name)
        self.requests: list[bytes] = []

    def send(self, batch: Batch) -> Flow[bool]:
        self.requests.append(batch.data)
        status, kind, body = self.server.respond(batch.data)
        receiver = WriteReceiver(status, Headers({"Content-Type": kind} if kind else {}))
        receiver.feed(body)
        return receiver.close()
        yield  # makes this a generator

    def deliver_accepted(self, *lines: bytes) -> list[RejectedLine]:
        flow = deliver_accepted(batch_of(*lines), self.send, probe=self.probe)
        try:
            next(flow)
        except StopIteration as stop:
            found: list[RejectedLine] = stop.value
            return found
        raise AssertionError

    def probe(self) -> Flow[bool]:
        return True
        yield  # makes this a generator

    def error(self, *lines: bytes) -> WriteError:
        with pytest.raises(WriteError) as caught:
            list(deliver(batch_of(*lines), self.send))
        return caught.value


@EACH_SERVER
@pytest.mark.parametrize("position", [0, 1, 50, 100])
def test_one_bad_line_among_good_ones(name: str, position: int) -> None:
    sender = Sender(name)
    rejected = sender.deliver_accepted(*GOOD[:position], BAD, *GOOD[position:])
    assert [(one.line.encode(), one.number) for one in rejected] == [(BAD, None)]
    assert sender.server.stored == {*GOOD}
    named = {"1.x": 1, "1.12": 1, "2.x": 2, "3.x /write": 2, "3.x write_lp": 1, "Dedicated 400": 2, "QuestDB": 2}
    if name in named:
        assert rejected[0].reason == REASON
        assert len(sender.requests) == named[name]
    elif name == "VictoriaMetrics":
        assert rejected[0].reason == f"{REASON}; see the docs"
        assert len(sender.requests) == 2
    assert len(sender.requests) < 30


@EACH_SERVER
@given(bad=st.sets(st.integers(0, 59), min_size=1))
def test_any_number_of_bad_lines(name: str, bad: set[int]) -> None:
    lines = [b"bad,t=0123456789012 n= %d" % n if n in bad else b"m,t=0123456789012345 n=1 %d" % n for n in range(60)]
    sender = Sender(name)
    rejected = sender.deliver_accepted(*lines)
    assert [one.line.encode() for one in rejected] == [line for n, line in enumerate(lines) if n in bad]
    assert sender.server.stored == {line for n, line in enumerate(lines) if n not in bad}
    is_bisected = name in {"2.x conflict", "3.x /api/v2/write", "GreptimeDB", "wrong number", "wrong line"}
    assert len(sender.requests) <= (14 if is_bisected else 4) * len(bad) + 10


@pytest.mark.parametrize("name", ["3.x /write", "QuestDB", "VictoriaMetrics"])
def test_many_bad_lines_do_not_multiply_the_data(name: str) -> None:
    """These servers name one line at a time."""
    lines = [b"bad n= %d" % n if n % 2 else b"m n=1 %d" % n for n in range(2000)]
    sender = Sender(name)
    assert len(sender.deliver_accepted(*lines)) == 1000
    assert sum(map(len, sender.requests)) < 30 * len(b"\n".join(lines))


@pytest.mark.parametrize(
    ("name", "number", "stored"),
    [
        ("1.x", None, "all other lines of this request were stored"),
        ("1.12", None, "all other lines of this request were stored"),
        ("2.x", None, "no line of this request was stored"),
        ("3.x /write", 51, "no line of this request was stored"),
        ("3.x write_lp", 51, "all other lines of this request were stored"),
        ("Dedicated 400", 51, "the other lines of this request may not be stored"),
        ("Dedicated 201", 51, "all other lines of this request were stored"),
        ("QuestDB", 51, "the other lines of this request may not be stored"),
        ("VictoriaMetrics", None, "no line of this request was stored"),
    ],
)
def test_error_of_a_plain_write(name: str, number: int | None, stored: str) -> None:
    """It names the line, and says whether the server stored the others. No other line is in its message."""
    sender = Sender(name)
    error = sender.error(*GOOD[:50], BAD, *GOOD[50:])
    [rejected] = error.rejected
    assert (rejected.line.encode(), rejected.number) == (BAD, number)
    assert REASON in rejected.reason
    assert REASON in str(error)
    assert error.__notes__[-1].startswith(stored)
    assert isinstance(error, PartialWriteError) is stored.startswith("all")
    assert GOOD[60].decode() not in str(error)
    assert len(str(error)) < 2100
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert len(sender.requests) == 1


@pytest.mark.parametrize("name", ["3.x /write", "QuestDB", "GreptimeDB"])
def test_lines_without_a_timestamp_are_not_sent_again(name: str) -> None:
    sender = Sender(name)
    batch = batch_of(*GOOD, BAD)
    batch.timed = False
    with pytest.raises(WriteError) as caught:
        list(deliver_accepted(batch, sender.send))
    assert len(sender.requests) == 1
    assert [one.line.encode() for one in caught.value.rejected] == ([] if name == "GreptimeDB" else [BAD])
    assert "stamp=True" in caught.value.__notes__[0]


@pytest.mark.parametrize("name", ["3.x /api/v2/write", "GreptimeDB"])
def test_error_that_names_no_line(name: str) -> None:
    error = Sender(name).error(*GOOD, BAD)
    assert (error.rejected, error.code) == ((), "invalid" if name.startswith("3") else None)
    assert error.__notes__ == [
        "no line of this request was stored; find_rejected=True stores all lines but the rejected ones"
    ]


OUTSIDE = (
    "partial write: dropped 3 points outside retention policy of duration 48h0m0s and 1 points outside write window "
    "(-12h0m0s to 24h0m0s) - oldest point m,a=x\\ dropped\\=9 at 2026-11-25T13:18:20Z dropped because it violates a "
    "Retention Policy Lower Bound at 2026-11-28T13:18:20Z, newest point m,a=\\ dropped=7 for database: x at "
    "2026-12-30T13:18:20Z dropped because it violates a Write Window Upper Bound at 2026-12-01T13:18:20Z dropped=4"
)


@pytest.mark.parametrize("suffix", ["", " for database: db", " for database: db for retention policy: rp"])
def test_points_that_1_12_drops(suffix: str) -> None:
    """As 1.13.2 words it. The names of series may contain what follows the number."""

    def send(_batch: Batch) -> Flow[bool]:
        return ops.write(b"m v=1 1").read(400, {}, json.dumps({"error": OUTSIDE + suffix}).encode())
        yield  # makes this a generator

    with pytest.raises(PartialWriteError) as caught:
        list(deliver(batch_of(*GOOD), send))
    assert (caught.value.dropped, caught.value.rejected) == (4, ())
    flow = deliver_accepted(batch_of(*GOOD[:4]), send)
    with pytest.raises(StopIteration) as stop:
        next(flow)
    assert [one.line.encode() for one in stop.value.value] == GOOD[:4]
    assert {f"partial write: {one.reason} dropped=4" for one in stop.value.value} == {OUTSIDE}


def test_code_is_kept_in_partial_writes() -> None:
    assert Sender("Dedicated 201").error(*GOOD, BAD).code == "invalid"


def test_very_long_messages_are_bounded() -> None:
    lines = [b"bad n=%d %b" % (n, b"x" * 100) for n in range(1000)]
    error = Sender("2.x").error(*lines)
    assert len(error.message) < 2100
    assert "characters omitted" in error.message
    assert len(error.rejected) == 1000
    assert len(error.body) > 100_000


def test_blank_lines_and_comments_do_not_count() -> None:
    """The numbers of InfluxDB 3 count points."""
    data = b"# comment\n\nm v=1 1\n\n# comment\nbad v= 2\nm v=3 3"
    item = {"error_message": "no", "line_number": 2, "original_line": "bad v= 2"}

    def send(batch: Batch) -> Flow[bool]:
        body = json.dumps({"error": "line protocol parsing error", "data": item}).encode()
        return ops.write(batch.data).read(400, {"Content-Type": "application/json"}, body)
        yield  # makes this a generator

    with pytest.raises(WriteError) as caught:
        list(deliver(Batch(data, 3, "ns", timed=True), send))
    assert caught.value.rejected == (RejectedLine("bad v= 2", "no"),)
    assert caught.value.rejected[0].number == 2


@pytest.mark.parametrize(
    "data",
    [
        [],
        {},
        [None],
        {"line_number": True},
        [{"line_number": -1}],
        [{"line_number": "x"}],
        "no",
        {"line_number": 10**30},
    ],
    ids=str,
)
@pytest.mark.parametrize("line", [None, True, 0, 10**30, "x"])
def test_malformed_names_of_lines(data: object, line: object) -> None:
    body = json.dumps({"error": "no", "data": data, "line": line}).encode()

    def send(_batch: Batch) -> Flow[bool]:
        return ops.write(b"m v=1 1").read(400, {}, body)
        yield  # makes this a generator

    with pytest.raises(WriteError, match="no"):
        list(deliver(batch_of(*GOOD), send))


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{"])
def test_201_without_a_json_object_is_not_influxdb(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        ops.write(b"m v=1 1").read(201, {}, body)


@pytest.mark.parametrize(
    "text",
    [
        'invalid precision "x" (use n, u, ms, s, m or h)',  # 1.10+, 2.2 of the servers' wire facts
        "Please provide either orgID or org",  # 2.7.12, of a write without org=
        "cannot write to soft-deleted database 'x'",  # 3.x, 4.4
        "unsupported contentType: foo",  # VictoriaMetrics, 6.1
        "Authorization header was malformed",  # 3.x, 4.2
    ],
)
@pytest.mark.parametrize("count", [1, 2, 100])
def test_bad_requests_are_not_bisected(text: str, count: int) -> None:
    requests = 0

    def send(_batch: Batch) -> Flow[bool]:
        nonlocal requests
        requests += 1
        return ops.write(b"m v=1 1").read(400, {}, text.encode())
        yield  # makes this a generator

    with pytest.raises(WriteError, match=text[:20]):
        list(deliver_accepted(batch_of(*GOOD[:count]), send))
    assert requests <= 3


@pytest.mark.parametrize("status", [401, 403, 404, 405, 415])
def test_statuses_about_the_request(status: int) -> None:
    requests = 0

    def send(_batch: Batch) -> Flow[bool]:
        nonlocal requests
        requests += 1
        return ops.write(b"m v=1 1").read(status, {}, b"no")
        yield  # makes this a generator

    with pytest.raises(WriteError):
        list(deliver_accepted(batch_of(*GOOD), send))
    assert requests == 1


@pytest.mark.parametrize("word", ["precision", "gzip", "bucket", "unable to parse"])
def test_words_in_quoted_lines_decide_nothing(word: str) -> None:
    """A line whose text resembles an error about the request is isolated like any other."""
    bad = b'm s="%b" 1' % word.encode()
    stored: list[bytes] = []

    def send(batch: Batch) -> Flow[bool]:
        if bad not in list(batch):
            stored.extend(batch)
            return True
        text = f"cannot parse '{bad.decode()}'" if batch.lines == 1 else f"invalid {word}"
        return ops.write(b"m v=1 1").read(400, {}, text.encode())
        yield  # makes this a generator

    with pytest.raises(StopIteration) as stop:
        next(deliver_accepted(batch_of(*GOOD, bad), send))
    assert [one.line.encode() for one in stop.value.value] == [bad]
    assert {*stored} == {*GOOD}


def test_missing_database_is_not_bisected() -> None:
    with pytest.raises(DatabaseNotFound):
        ops.write(b"m v=1 1").read(404, {}, b'{"error":"query error: database not found: x"}')
