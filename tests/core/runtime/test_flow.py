"""Flows without a socket or a clock: values in, attempts out. Also the sync and async drivers."""

from __future__ import annotations

import asyncio
import calendar
import gc
import gzip
import importlib
import weakref
from collections.abc import Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from influx_proto import Headers, InfluxDBError, Op, ProtocolError, RetryPolicy, ServerUnavailable, TransportError, ops
from influx_proto._http.messages import Repeat, Response
from influx_proto._runtime.flow import Attempt, Flow, arun, attempts, run
from influx_proto._runtime.retry import retry_after


class Clock:
    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time


def unavailable(**headers: str) -> ServerUnavailable:
    return ServerUnavailable(503, "later", Headers(headers))


PING = ops.ping()
READ = ops.query("SELECT v FROM m")
CHANGE = ops.query("DROP DATABASE x")
TIMED = ops.write("m v=1 1")
UNTIMED = ops.write("m v=1")


def half() -> float:
    """Return a constant instead of a random number."""
    return 0.5


def schedule(op: Op[Any], policy: RetryPolicy, errors: list[Exception]) -> list[float]:
    """Return the waits of a flow whose attempts fail with these errors and then succeed, and -1 if it gave up."""
    clock = Clock()
    flow = attempts(op.request, op.receiver, policy, clock)
    attempt = next(flow)
    waits: list[float] = []
    for error in errors:
        assert attempt.request is op.request
        try:
            attempt = flow.throw(error)
        except type(error):
            return [*waits, -1]
        waits.append(attempt.delay)
        clock.time += attempt.delay
    with pytest.raises(StopIteration) as stop:
        flow.send("done")
    assert stop.value.value == "done"
    return waits


def test_success_on_the_first_attempt() -> None:
    assert schedule(READ, RetryPolicy(), []) == []


def test_backoff_doubles_with_full_jitter_up_to_its_bound() -> None:
    policy = RetryPolicy(attempts=7, backoff=1, max_backoff=8, max_total=None, random=half)
    assert schedule(READ, policy, [unavailable()] * 6) == [0.5, 1, 2, 4, 4, 4]


def test_number_of_attempts() -> None:
    assert schedule(READ, RetryPolicy(attempts=3, backoff=1, random=half), [unavailable()] * 3) == [0.5, 1, -1]
    assert schedule(READ, RetryPolicy(attempts=1), [unavailable()]) == [-1]


def test_total_time_includes_backoff() -> None:
    policy = RetryPolicy(attempts=99, backoff=1, max_backoff=4, max_total=10, random=half)
    assert schedule(READ, policy, [unavailable()] * 99) == [0.5, 1, 2, 2, 2, 2, -1]


def test_backoff_does_not_overflow() -> None:
    policy = RetryPolicy(attempts=3000, backoff=0.001, max_backoff=2, max_total=None, random=half)
    assert schedule(READ, policy, [unavailable()] * 2500)[-1] == 1


def test_retry_after_takes_precedence_over_backoff() -> None:
    seconds = unavailable(**{"Retry-After": "7"})
    date = unavailable(**{"Date": "Mon, 23 Nov 2026 20:00:00 GMT", "Retry-After": "Mon, 23 Nov 2026 20:00:09 GMT"})
    past = unavailable(**{"Date": "Mon, 23 Nov 2026 20:00:00 GMT", "Retry-After": "Mon, 23 Nov 2026 19:00:00 GMT"})
    nonsense = unavailable(**{"Retry-After": "soon"})
    # The delay needs a Date header.
    assert retry_after(Headers({"Retry-After": "Mon, 23 Nov 2026 20:00:09 GMT"})) is None
    policy = RetryPolicy(attempts=9, backoff=1, random=half)
    assert schedule(READ, policy, [seconds, date, past, nonsense]) == [7, 9, 0, 4]


@pytest.mark.parametrize("value", ["1700000000000", "9" * 5000, "86400", "Mon, 23 Nov 9999 20:00:00 GMT"])
def test_retry_after_is_capped(value: str) -> None:
    error = unavailable(**{"Date": "Mon, 23 Nov 2026 20:00:00 GMT", "Retry-After": value})
    assert schedule(READ, RetryPolicy(attempts=2, max_total=None), [error]) == [300]
    assert schedule(READ, RetryPolicy(attempts=2, max_retry_after=7), [error]) == [7]
    with pytest.raises(ValueError, match=r"^max_retry_after: "):
        RetryPolicy(max_retry_after=-1)


@pytest.mark.parametrize(
    "value", ["-1", "1e3", "\u0663", "Mon, 23 Nov 99999 20:00:00 GMT", "Mon, 00 Xxx 2026 99:99:99 GMT", "inf", "nan"]
)
def test_invalid_retry_after(value: str) -> None:
    assert retry_after({"Date": "Mon, 23 Nov 2026 20:00:00 GMT", "Retry-After": value}) is None


def test_http_dates_are_independent_of_the_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulates a German locale, which need not be installed."""
    date = "Wed, 21 Oct 2026 07:28:10 GMT"
    monkeypatch.setattr(calendar, "month_abbr", ["", *"Jan Feb Mär Apr Mai Jun Jul Aug Sep Okt Nov Dez".split()])  # noqa: SIM905 - easier to read
    monkeypatch.setattr(calendar, "day_abbr", "Mo Di Mi Do Fr Sa So".split())  # noqa: SIM905 - easier to read
    parser = importlib.import_module("_strptime")
    monkeypatch.setattr(parser, "_TimeRE_cache", parser.TimeRE())
    with pytest.raises(ValueError, match="does not match"):
        datetime.strptime(date, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)
    assert retry_after({"Date": "Wed, 21 Oct 2026 07:28:00 GMT", "Retry-After": date}) == 10


@pytest.mark.parametrize(
    ("error", "read", "change", "timed", "untimed"),
    [
        (TransportError("refused", maybe_received=False), True, False, True, True),
        (TransportError("reset"), True, False, True, False),
        (ServerUnavailable(503, "throttled"), True, False, True, True),
        (ServerUnavailable(500, "timeout"), True, False, True, False),
        (ServerUnavailable(502, "gateway"), True, False, True, False),
        (ProtocolError("cut", retryable=True), True, False, True, False),
        (ProtocolError("a web page"), False, False, False, False),
    ],
    ids=lambda value: repr(value) if isinstance(value, Exception) else "",
)
def test_which_errors_are_retried(error: Exception, read: bool, change: bool, timed: bool, untimed: bool) -> None:
    for op, repeated in ((READ, read), (CHANGE, change), (TIMED, timed), (UNTIMED, untimed)):
        assert (schedule(op, RetryPolicy(backoff=0), [error]) == [0]) is repeated


def test_closed_keep_alive_connection_is_replaced_once_without_backoff() -> None:
    died = TransportError("closed", was_idle=True)
    policy = RetryPolicy(attempts=2, backoff=1, random=half)
    for op in (READ, TIMED):
        assert schedule(op, policy, [died]) == [0]
        assert schedule(op, policy, [died, died]) == [0, 0.5]
        assert schedule(op, policy, [died, died, died]) == [0, 0.5, -1]
        assert schedule(op, policy, [unavailable(), died]) == [0.5, 0]
        assert schedule(op, RetryPolicy(attempts=1), [died]) == [0]
    for op in (CHANGE, UNTIMED):
        assert schedule(op, policy, [died]) == [-1]


def test_on_retry_can_stop_the_retries() -> None:
    retries: list[tuple[str, int, float]] = []

    def record(error: InfluxDBError, attempt: int, wait: float) -> bool:
        retries.append((str(error), attempt, wait))
        return attempt < 2

    policy = RetryPolicy(backoff=1.0, random=lambda: 0.5, on_retry=record)
    waits = [policy.wait(TransportError(f"failure {n}"), Repeat.ALWAYS, n, 0.0) for n in (1, 2)]
    assert waits == [0.5, None]
    assert retries == [("failure 1", 1, 0.5), ("failure 2", 2, 1.0)]
    assert policy.wait(TransportError("x"), Repeat.NEVER, 1, 0.0) is None
    assert len(retries) == 2  # errors that are never retried are not reported


@pytest.mark.parametrize(
    ("wrong", "error"),
    [({"attempts": 0}, ValueError), ({"max_total": -1}, ValueError), ({"backoff": -1}, ValueError),
     ({"max_backoff": -1}, ValueError), ({"backoff": float("nan")}, ValueError), ({"attempts": "3"}, TypeError),
     ({"attempts": 1.5}, TypeError), ({"backoff": "1"}, TypeError), ({"max_total": True}, TypeError)],
)  # fmt: skip
def test_invalid_policies(wrong: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match=f"^{next(iter(wrong))}: "):
        RetryPolicy(**wrong)


# Drivers


class ScriptedTransport:
    """Base of the sync and async transports: returns scripted responses and records its calls."""

    def __init__(self, *responses: Any, status: int = 204, **headers: str) -> None:
        self.responses = list(responses)
        self.calls: list[Any] = []
        self.status = status
        self.headers = Headers({"X-Influxdb-Version": "1", **headers})

    def _next_response(self) -> Any:
        response = self.responses.pop(0)
        if isinstance(response, BaseException):
            raise response
        return response

    def now(self) -> float:
        return 0.0

    def time_ns(self) -> int:
        return 0

    def close(self) -> None: ...


class SyncTransport(ScriptedTransport):
    @contextmanager
    def open(self, request: Any) -> Iterator[Response[Iterator[bytes]]]:
        self.calls.append(request)
        yield Response(self.status, self.headers, iter(self._next_response()))

    def sleep(self, seconds: float) -> None:
        self.calls.append(seconds)


class AsyncChunks:
    def __init__(self, chunks: list[bytes]) -> None:
        self.chunks = chunks

    def __aiter__(self) -> AsyncChunks:
        return self

    async def __anext__(self) -> bytes:
        if not self.chunks:
            raise StopAsyncIteration
        return self.chunks.pop(0)


class AsyncTransport(ScriptedTransport):
    @asynccontextmanager
    async def open(self, request: Any) -> Any:
        self.calls.append(request)
        yield Response(self.status, self.headers, AsyncChunks(self._next_response()))

    async def sleep(self, seconds: float) -> None:
        self.calls.append(seconds)

    async def aclose(self) -> None: ...


def drive(flow: Flow[Any], *responses: Any, is_async: bool, status: int = 204, **headers: str) -> tuple[Any, list[Any]]:
    if is_async:
        transport = AsyncTransport(*responses, status=status, **headers)
        return asyncio.run(arun(flow, transport)), transport.calls
    sync_transport = SyncTransport(*responses, status=status, **headers)
    return run(flow, sync_transport), sync_transport.calls


BOTH = pytest.mark.parametrize("is_async", [False, True], ids=["run", "arun"])


@BOTH
def test_driver_runs_the_attempts_of_a_flow(is_async: bool) -> None:
    policy = RetryPolicy(backoff=1, random=half)
    result, calls = drive(
        attempts(PING.request, PING.receiver, policy, lambda: 0.0), TransportError("x"), [], is_async=is_async
    )
    assert result.version == "1"
    assert calls == [PING.request, 0.5, PING.request]


@BOTH
def test_empty_chunks_before_a_compressed_response(is_async: bool) -> None:
    query = ops.query("SHOW DATABASES")
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    chunks = [b"", b"", gzip.compress(b'{"results":[{"statement_id":0}]}')]
    flow = attempts(query.request, query.receiver, RetryPolicy(), lambda: 0.0)
    result, _ = drive(flow, chunks, is_async=is_async, status=200, **headers)
    assert result.series == []


@BOTH
def test_flow_without_attempts(is_async: bool) -> None:
    def flow() -> Flow[int]:
        return 7
        yield Attempt(PING.request, PING.receiver)

    assert drive(flow(), is_async=is_async) == (7, [])


@BOTH
def test_stop_iteration_of_a_transport_is_not_a_result(is_async: bool) -> None:
    with pytest.raises(RuntimeError, match="StopIteration"):
        drive(
            attempts(PING.request, PING.receiver, RetryPolicy(), lambda: 0.0), StopIteration("bug"), is_async=is_async
        )


@BOTH
def test_flow_is_closed_when_the_driver_is_interrupted(is_async: bool) -> None:
    closed = []

    def flow() -> Flow[None]:
        try:
            yield Attempt(PING.request, PING.receiver)
        finally:
            closed.append(True)

    with pytest.raises(KeyboardInterrupt):
        drive(flow(), KeyboardInterrupt(), is_async=is_async)
    assert closed == [True]


class FailingTransport(ScriptedTransport):
    def open(self, request: Any) -> Any:
        raise TransportError("no way")

    def sleep(self, seconds: float) -> None: ...


@BOTH
def test_handled_error_and_its_traceback_are_freed(is_async: bool) -> None:
    transport: Any = FailingTransport()

    def handled() -> weakref.ref[TransportError] | None:
        flow = attempts(PING.request, PING.receiver, RetryPolicy(attempts=1), transport.now)
        try:
            arun(flow, transport).send(None) if is_async else run(flow, transport)
        except TransportError as error:
            return weakref.ref(error)
        return None

    gc.disable()
    try:
        found = handled()
        assert found is not None
        assert found() is None
    finally:
        gc.enable()
