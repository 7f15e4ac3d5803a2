"""Batch writing in the background: every line is stored, rejected or returned as undelivered, whatever fails."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import pytest
from influx_proto import (
    BufferFullError,
    CallbackError,
    DatabaseNotFound,
    Exchange,
    InfluxDBError,
    Observer,
    PartialWriteError,
    Retry,
    RetryPolicy,
    SerializationError,
    TransportError,
    UndeliveredError,
)

from tests.conformance.drivers import Driver, run_concurrently
from tests.servers.influxd import Influxd, Server
from tests.servers.scripted import Receive, Reset, ScriptedServer, Stall, refused_port, reply

pytestmark = pytest.mark.needs("background")

SOON = RetryPolicy(attempts=2, backoff=0.01, max_backoff=0.05)
LONG = 60.0
NOT_FOUND = "(database not found|no dbrp mapping found)"  # 1.x or 2.x


def points(count: int, first: int = 0) -> Iterator[dict[str, Any]]:
    for n in range(first, first + count):
        yield {"measurement": "m", "tags": {"t": "a"}, "fields": {"n": n}, "time": n}


def stored(client: Any, measurement: str = "m") -> list[int]:
    series = client.query(f"SELECT n FROM {measurement}").series
    return [row[1] for row in series[0].values] if series else []


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def slowly(driver: Driver, items: Any, may_continue: Callable[[], bool]) -> Any:
    """Yield each item once `may_continue` allows it, from an async iterator for an async client."""

    async def async_items() -> AsyncIterator[Any]:
        for item in items:
            with anyio.fail_after(20):
                while not may_continue():  # noqa: ASYNC110 - polls state of the server
                    await anyio.sleep(0.01)
            yield item

    def sync_items() -> Iterator[Any]:
        for item in items:
            wait_until(may_continue)
            yield item

    return async_items() if driver.backend else sync_items()


def test_exit_stores_all_lines(client: Any) -> None:
    states: list[tuple[int, int]] = []
    progress = lambda writer: states.append((writer.written, writer.pending))  # noqa: E731 - the test is about a lambda
    with client.batch_writer(max_lines=100, max_delay=LONG, on_progress=progress) as writer:
        receipts = [writer.write(points(250)), writer.write("m,t=a n=250i 250"), writer.write(points(3, 251))]
        assert [receipt.lines for receipt in receipts] == [250, 1, 3]
        assert not receipts[-1].done
    assert stored(client) == list(range(254))
    assert all(receipt.done and not receipt.error and not receipt.rejected for receipt in receipts)
    assert (writer.written, writer.pending, writer.rejected, writer.retried) == (254, 0, 0, 0)
    assert states[-1] == (254, 0)
    assert "closed" in repr(writer)
    with pytest.raises(RuntimeError, match="closed"):
        writer.write("m n=1i 1")


def test_calls_with_different_arguments(client: Any) -> None:
    with client.batch_writer(max_delay=LONG) as writer:
        for n in range(3):
            writer.write({"fields": {"n": n}, "time": n}, "first")
            writer.write({"fields": {"n": n}, "time": n}, "second", room="a")
            with pytest.raises(SerializationError, match="no field"):
                writer.write({"fields": {}}, "first")
            writer.write({"fields": {"n": 10 + n}, "time": n}, "second", tags={"room": "b"})
            writer.write(data=points(1, n), extra="x")
    assert stored(client, "first") == [0, 1, 2]
    assert sorted(stored(client, "second")) == [0, 1, 2, 10, 11, 12]
    assert stored(client, "second WHERE room='b'") == [10, 11, 12]
    assert stored(client, "m WHERE extra='x'") == [0, 1, 2]


def test_data_within_itself(client: Any) -> None:
    data: list[Any] = [*points(3)]
    data.append(data)
    with pytest.raises(SerializationError, match="row 3: a list contains itself"):
        client.write(data)
    with client.batch_writer(max_delay=LONG) as writer, pytest.raises(SerializationError, match="itself") as raised:
        writer.write(data)
    assert raised.value.__notes__ == ["lines that were accepted before: 3"]
    assert stored(client) == [0, 1, 2]


def test_flush(client: Any) -> None:
    with client.batch_writer(max_delay=LONG) as writer:
        writer.flush()
        receipt = writer.write(points(10))
        writer.flush()
        assert receipt.done
        assert stored(client) == list(range(10))
        writer.write(points(5, 10))  # the writer stays usable
        writer.flush(timeout=20)
        assert stored(client) == list(range(15))


def test_last_value_of_a_point_in_two_precisions(client: Any) -> None:
    with client.batch_writer(max_delay=LONG) as writer:
        writer.write("m,t=a n=1i 1000000000")
        writer.write("m,t=a n=2i 1", precision="s")
        writer.write({"measurement": "m", "tags": {"t": "a"}, "fields": {"n": 3}, "time": 1}, precision="s")
    assert stored(client) == [3]


def test_flush_by_age(client: Any) -> None:
    """No further write is needed."""
    with client.batch_writer(max_delay=0.05) as writer:
        receipt = writer.write(points(3))
        wait_until(lambda: receipt.done)
        assert stored(client) == [0, 1, 2]


@pytest.mark.parametrize("nested", [False, True])
def test_flush_by_age_with_a_slow_source(driver: Driver, client: Any, nested: bool) -> None:
    """They are accepted as they arrive and do not wait for points that the source has not produced yet."""
    produced: list[Any] = []

    def items() -> Iterator[Any]:
        for point in points(4):
            produced.append(point)
            yield [point] if nested else point

    with client.batch_writer(max_delay=0.01) as writer:
        # Each point is yielded once all points before it are stored, and was counted as accepted by then.
        receipt = writer.write(slowly(driver, items(), lambda: writer.written >= len(produced) - 1))
        writer.flush()
        assert receipt.lines == 4
    assert stored(client) == [0, 1, 2, 3]


def test_slow_source_does_not_delay_other_writers(driver: Driver, client: Any) -> None:
    stalled, released = threading.Event(), threading.Event()

    def may_continue() -> bool:
        stalled.set()
        return released.is_set()

    with client.batch_writer(max_delay=LONG) as writer:

        def others() -> list[int]:
            assert stalled.wait(20)
            writer.write(points(3))
            writer.flush()
            found = stored(client)
            released.set()
            return found

        assert run_concurrently(others, lambda: writer.write(slowly(driver, points(1, 3), may_continue)))[0] == [
            0,
            1,
            2,
        ]
    assert stored(client) == [0, 1, 2, 3]


def test_exit_waits_for_a_running_write(driver: Driver, client: Any) -> None:
    stalled = threading.Event()
    writers: list[Any] = []
    left: list[float] = []

    def may_continue() -> bool:
        stalled.set()
        return bool(left) and time.monotonic() > left[0] + 0.2

    def leave() -> None:
        with client.batch_writer(max_delay=LONG) as entered:
            writers.append(entered)
            assert stalled.wait(20)
            left.append(time.monotonic())

    def write() -> None:
        wait_until(lambda: bool(writers))
        writers[0].write(slowly(driver, points(3), may_continue))

    run_concurrently(leave, write)
    assert stored(client) == [0, 1, 2]


def test_flush_by_size(client: Any) -> None:
    with client.batch_writer(max_lines=10, max_delay=LONG) as writer:
        receipt = writer.write(points(10))
        wait_until(lambda: receipt.done)
    with client.batch_writer(max_bytes=100, max_delay=LONG) as writer:
        receipt = writer.write("m,t=a n=11i 11\n" * 50)
        wait_until(lambda: writer.written > 40)


def test_points_without_a_timestamp_are_stamped(client: Any) -> None:
    with client.batch_writer() as writer:
        writer.write([{"measurement": "m", "fields": {"n": n}} for n in range(20)])
        writer.write("m n=20i\nm n=21i")
    assert sorted(stored(client)) == list(range(22))


@pytest.mark.needs("retention_policies")
def test_several_targets_through_one_writer(client: Any, database: str) -> None:
    client.create_retention_policy("short", database, "1h", replication=1)
    now = time.time_ns()
    with client.batch_writer() as writer:
        writer.write([{"measurement": "m", "fields": {"n": 1}, "time": now}], rp="short")
        writer.write("m n=2i 2", precision="s")
        writer.write({"measurement": "m", "fields": {"n": 3}, "time": 3}, db=database, host="x")
        writer.write(7 * [{"measurement": "other", "fields": {"n": 1}, "time": 1}])
    assert stored(client, "short.m") == [1]
    assert client.query("SELECT n, host FROM m").series[0].values == [[3, 3, "x"], [2_000_000_000, 2, None]]


@pytest.mark.parametrize("options", [{"precision": "s"}, {"db": "the client's"}], ids=["precision", "database"])
def test_later_value_of_a_point_is_kept(client: Any, database: str, options: dict[str, str]) -> None:
    options = {**options, **({"db": database} if "db" in options else {})}
    second = 1 if "precision" in options else 1_000_000_000
    with client.batch_writer(max_lines=3, max_delay=LONG) as writer:
        writer.write("m n=1i 1000000000")
        for value in (2, 3, 4):
            writer.write(f"m n={value}i {second}", **options)
    assert stored(client) == [4]


def test_rejected_lines_do_not_hold_up_the_others(client: Any) -> None:
    errors: list[InfluxDBError] = []
    client.write("m n=1i 0")
    with pytest.raises(PartialWriteError) as caught:
        with client.batch_writer(max_delay=LONG, on_error=errors.append) as writer:
            good = writer.write(points(50, 1))
            bad = writer.write(["m n=1.5 1000", "m n= 5", *points(50, 51)])
    assert stored(client) == [1, *range(1, 101)]
    assert not good.rejected
    assert [line for line, _ in bad.rejected] == ["m n=1.5 1000", "m n= 5"]
    assert caught.value.rejected == tuple(bad.rejected)
    assert (writer.written, writer.rejected, writer.pending) == (100, 2, 0)
    assert [type(error) for error in errors] == [PartialWriteError]
    assert writer.undelivered == []


def test_field_type_conflict_within_an_empty_database(client: Any) -> None:
    """If no field exists yet, the server rejects all points and reports only that there is a conflict."""
    with pytest.raises(PartialWriteError) as caught:
        with client.batch_writer(max_delay=LONG) as writer:
            writer.write([*points(20), "m,t=a n=1.5 1000", *points(20, 20)])
    assert stored(client) == list(range(40))
    assert [(line, "field type conflict" in reason) for line, reason in caught.value.rejected] == [
        ("m,t=a n=1.5 1000", True)
    ]
    assert writer.undelivered == []


@pytest.mark.parametrize("incomplete", ['m s="cut', "m,path=C:\\", 'm s="\\'])
def test_incomplete_line_does_not_lose_others(client: Any, incomplete: str) -> None:
    with client.batch_writer(max_delay=LONG) as writer:
        writer.write(points(5))
        with contextlib.suppress(SerializationError):  # adapters may reject it at once
            writer.write(incomplete)
        good = writer.write(points(5, 5))
        with contextlib.suppress(PartialWriteError):
            writer.flush()
        assert stored(client) == list(range(10))
        writer.write(points(5, 10))
    assert stored(client) == list(range(15))
    assert (good.done, good.rejected, good.error) == (True, [], None)
    assert (writer.written, writer.pending, writer.undelivered) == (15, 0, [])


@pytest.mark.needs("crash_by_tags")
@pytest.mark.parametrize("tags", [100, 200])
@pytest.mark.parametrize("poison", [{7}, {0, 1}, {3, 4, 5, 6, 7, 8, 19}, set(range(1, 20))], ids=str)
def test_lines_on_which_the_server_crashes(
    driver: Driver, influxd: Server, database: str, tags: int, poison: set[int]
) -> None:
    """InfluxDB 1.6 responds to a point with exactly 100 tags with a bare 500 and stores no line of the request."""
    bad = "p," + ",".join(f"t{n:04}=a" for n in range(tags)) + " n={0}i {0}"
    lines = [bad.format(n) if n in poison else f"m n={n}i {n}" for n in range(20)]
    with driver.client(influxd.url, database=database, retry=SOON) as client:
        with client.batch_writer(max_delay=LONG, exit_timeout=60) as writer:
            receipt = writer.write(lines)
            with pytest.raises(PartialWriteError):
                writer.flush()
            writer.write(points(1, 20))
        assert [int(line.split()[-1]) for line, _ in receipt.rejected] == sorted(poison)
        assert stored(client) == [n for n in range(21) if n not in poison]
    assert (writer.rejected, writer.undelivered) == (len(poison), [])


@pytest.mark.needs("crash_by_tags")
def test_single_lines_on_which_the_server_crashes(driver: Driver, influxd: Server, database: str) -> None:
    """Each line forms its own batch, so only the lines behind it show that the server accepts others."""
    bad = "p," + ",".join(f"t{n:04}=a" for n in range(100)) + " n=1i 1"
    with driver.client(influxd.url, database=database, retry=SOON) as client:
        with client.batch_writer(max_lines=1) as writer:
            refused = writer.write(bad)
            wait_until(lambda: writer.retried > 0)
            assert not refused.done
            writer.write(points(3))
            with pytest.raises(PartialWriteError):
                writer.flush()
            assert stored(client) == [0, 1, 2]
    assert len(refused.rejected) == 1


class Once:
    """A function that raises on its first call."""

    def __init__(self, result: Any = None, error: Exception | None = None) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self._result = result
        self._error = error or LookupError("mine")

    def __call__(self, *arguments: Any) -> Any:
        self.calls.append(arguments)
        if len(self.calls) == 1:
            raise self._error
        return self._result


def test_on_progress_that_raises(client: Any, caplog: pytest.LogCaptureFixture) -> None:
    errors: list[InfluxDBError] = []
    with client.batch_writer(on_progress=Once(), on_error=errors.append, max_delay=0.01) as writer:
        writer.write(points(3))
        wait_until(lambda: bool(errors))
        with pytest.raises(CallbackError, match=r"^on_progress raised LookupError\('mine'\)") as caught:
            writer.flush()
        assert isinstance(caught.value.__cause__, LookupError)
        assert errors == [caught.value]
        writer.write(points(3, 3))
        writer.flush()
    assert stored(client) == list(range(6))
    assert [one.levelname for one in caplog.records if "on_progress raised" in one.message] == ["ERROR"]


def test_on_error_that_raises(client: Any) -> None:
    on_error = Once()
    client.write("m n=1i 0")
    with pytest.raises(CallbackError, match=r"^on_error raised LookupError"):
        with client.batch_writer(on_error=on_error) as writer:
            writer.write(["m n=1.5 1", "m n=2i 2"])
            with pytest.raises(PartialWriteError):
                writer.flush()
            writer.write("m n=3i 3")
    assert stored(client) == [1, 2, 3]
    assert len(on_error.calls) == 1


@pytest.mark.needs("open_to_all")
@pytest.mark.parametrize("error", [LookupError("mine"), OSError("mine")])
def test_token_that_raises(connect: Callable[..., Any], influxd: Server, database: str, error: Exception) -> None:
    client = connect(
        influxd.url,
        database=database,
        token=Once("t", error),
        retry=RetryPolicy(attempts=1, backoff=0.01, max_backoff=0.05),
    )
    errors: list[InfluxDBError] = []
    with contextlib.suppress(CallbackError):
        with client.batch_writer(on_error=errors.append) as writer:
            writer.write(points(3))
            with contextlib.suppress(CallbackError):
                writer.flush()
            writer.write(points(3, 3))
    assert stored(client) == list(range(6))
    assert (writer.pending, writer.undelivered) == (0, [])
    assert [one.__cause__ for one in errors] == [error]


def test_on_retry_that_raises(connect: Callable[..., Any]) -> None:
    policy = RetryPolicy(attempts=2, backoff=0.01, on_retry=Once(), max_backoff=0.05)
    with ScriptedServer([reply(503), reply(204)]) as server:
        with pytest.raises(CallbackError, match=r"^on_retry raised"):
            with connect(server.url, database="db", retry=policy).batch_writer() as writer:
                writer.write("m n=1i 1")
        assert (writer.written, writer.undelivered) == (1, [])


class CancellingObserver(Observer):
    """Raises, once in each method, the cancellation of another task whose result it wanted."""

    def __init__(self) -> None:
        self.remaining = {"started", "ended", "retrying"}

    def _raise_once(self, method: str) -> None:
        if method in self.remaining:
            self.remaining.remove(method)
            raise asyncio.CancelledError

    def started(self, exchange: Exchange, /) -> None:
        self._raise_once("started")

    def ended(self, exchange: Exchange, /) -> None:
        self._raise_once("ended")

    def retrying(self, retry: Retry, /) -> None:
        self._raise_once("retrying")


def test_observer_that_raises(connect: Callable[..., Any]) -> None:
    errors: list[InfluxDBError] = []
    observer = CancellingObserver()
    with ScriptedServer([reply(503), reply(204)]) as server:
        with pytest.raises(CallbackError, match=r"^the observer's started raised"):
            with connect(server.url, database="db", retry=SOON, observer=observer).batch_writer(
                on_error=errors.append
            ) as writer:
                writer.write("m n=1i 1")
        assert len(server.requests) == 2
    assert (writer.written, writer.undelivered) == (1, [])
    assert [type(error) for error in errors] == [CallbackError] * 3


def test_rejected_lines_are_reported_once(client: Any) -> None:
    client.write("m n=1i 0")
    with client.batch_writer() as writer:
        writer.write("m n=1.5 1")
        with pytest.raises(PartialWriteError, match="field type conflict"):
            writer.flush()
        writer.flush()


def test_server_outage(driver: Driver) -> None:
    """The outage is much longer than the retries of a single write."""
    errors: list[InfluxDBError] = []
    with Influxd() as server:
        with driver.client(server.url, database="db", retry=SOON) as client:
            client.create_database("db")
            with client.batch_writer(max_lines=100, max_delay=0.01, on_error=errors.append) as writer:
                writer.write(points(300))
                writer.flush()
                server.kill()
                writer.write(points(1000, 300))
                wait_until(lambda: writer.retried >= 3)
                server.start()
                writer.flush()
                assert stored(client) == list(range(1300))
            assert (writer.written, writer.pending) == (1300, 0)
    assert errors
    assert all(isinstance(error, TransportError) for error in errors)


def test_log_of_an_outage(driver: Driver, caplog: pytest.LogCaptureFixture) -> None:
    with Influxd() as server:
        server.create_database("db")
        server.kill()
        with driver.client(server.url, database="db", retry=SOON) as client, client.batch_writer(max_delay=0) as writer:
            writer.write(points(1))
            wait_until(lambda: writer.retried >= 1)
            server.start()
            writer.flush()
    failing, recovered = (one.message for one in caplog.records if one.levelname == "WARNING")
    assert re.fullmatch(r"writes to \S+ are failing: .+; 1 line pending", failing)
    assert re.fullmatch(r"writes to \S+ recovered; 0 lines pending", recovered)


def test_exit_while_the_server_is_unreachable(driver: Driver, influxd: Server, database: str) -> None:
    with refused_port() as port, driver.client(f"http://127.0.0.1:{port}", database=database, retry=SOON) as client:
        with pytest.raises(UndeliveredError, match=rf"^25 lines were not delivered: .*127\.0\.0\.1:{port}") as caught:
            with client.batch_writer(max_lines=10, exit_timeout=0.3) as writer:
                receipt = writer.write(points(25))
        assert isinstance(caught.value.__cause__, TransportError)
        assert isinstance(receipt.error, TransportError)
        assert caught.value.undelivered == tuple(writer.undelivered)
    with driver.client(influxd.url, database=database) as client:
        for lines in caught.value.undelivered:
            client.write(lines.data, db=lines.db, rp=lines.rp, precision=lines.precision)
        assert stored(client) == list(range(25))


def test_no_requests_after_exit(connect: Callable[..., Any]) -> None:
    """The caller may write the undelivered lines again; a late retry would replace newer values of the points."""
    with ScriptedServer([[Receive(), Stall(0.6), Reset()], reply(204)]) as server:
        client = connect(server.url, database="db", retry=RetryPolicy(attempts=5, backoff=0.05, max_backoff=0.05))
        with pytest.raises(UndeliveredError), client.batch_writer(max_delay=0.01, exit_timeout=0.3) as writer:
            writer.write("m n=1i 1")
        time.sleep(0.8)
        assert len(server.requests) == 1
        client.write("m n=2i 1")
        assert [request.body for request in server.requests] == [b"m n=1i 1", b"m n=2i 1"]


def test_callers_exception_is_not_replaced(driver: Driver, client: Any) -> None:
    with pytest.raises(KeyError) as caught:
        with client.batch_writer(max_delay=LONG) as writer:
            writer.write(points(3))
            raise KeyError("mine")
    assert stored(client) == [0, 1, 2]
    assert not hasattr(caught.value, "__notes__")
    with refused_port() as port, driver.client(f"http://127.0.0.1:{port}", database="db", retry=SOON) as other:
        with pytest.raises(KeyError) as caught:
            with other.batch_writer(exit_timeout=0.1) as writer:
                writer.write(points(3))
                raise KeyError("mine")
    assert "3 lines were not delivered" in caught.value.__notes__[0]
    assert sum(lines.lines for lines in writer.undelivered) == 3


def test_rejected_lines_are_noted_on_the_callers_exception(client: Any) -> None:
    client.write("m n=0i 0")
    with pytest.raises(KeyError) as caught, client.batch_writer(max_delay=LONG) as writer:
        writer.write(["m n=1.5 1", "m n=2i 2"])
        raise KeyError("mine")
    assert "the batch writer raised on exit: 1 line was rejected" in caught.value.__notes__[0]
    assert stored(client) == [0, 2]


def test_end_of_the_program(driver: Driver, client: Any, caplog: pytest.LogCaptureFixture) -> None:
    """`sys.exit` in the block ends the program without a message, so the lines are stored first, or logged."""
    with pytest.raises(SystemExit) as caught, client.batch_writer(max_delay=LONG) as writer:
        writer.write(points(3))
        sys.exit(3)
    assert caught.value.code == 3
    assert stored(client) == [0, 1, 2]
    assert not caplog.messages
    with refused_port() as port, driver.client(f"http://127.0.0.1:{port}", database="db", retry=SOON) as other:
        with pytest.raises(SystemExit), other.batch_writer(exit_timeout=0.1) as writer:
            writer.write(points(3))
            sys.exit(3)
    assert sum(lines.lines for lines in writer.undelivered) == 3
    assert "3 lines were not delivered" in caplog.messages[-1]


def test_permanently_rejected_lines_are_returned_as_undelivered(driver: Driver, influxd: Server) -> None:
    with driver.client(influxd.url, database="nowhere") as client:
        with pytest.raises(UndeliveredError, match=NOT_FOUND) as caught:
            with client.batch_writer(max_delay=LONG) as writer:
                receipt = writer.write(points(3))
                with pytest.raises(DatabaseNotFound):
                    writer.flush()
                assert isinstance(receipt.error, DatabaseNotFound)
                assert writer.pending == 0
    assert [(lines.db, lines.rp, lines.lines) for lines in caught.value.undelivered] == [("nowhere", None, 3)]


def test_undelivered_lines_are_bounded(driver: Driver, influxd: Server, caplog: pytest.LogCaptureFixture) -> None:
    with driver.client(influxd.url, database="nowhere", retry=SOON) as client, pytest.raises(UndeliveredError):
        with client.batch_writer(max_lines=10, max_pending=100) as writer:
            with pytest.raises(BufferFullError, match=rf"100 lines \(\d+ bytes\) are undelivered.*{NOT_FOUND}"):
                for n in range(1000):
                    writer.write(f"m n={n} {n}")
                    wait_until(lambda: writer.pending < 10)
            assert sum(some.lines for some in writer.undelivered) == 100
            writer.undelivered.clear()
            writer.write("m n=1 1")
    assert re.search(f"returned as undelivered: {NOT_FOUND}", caplog.text)


def test_oldest_undelivered_lines_are_dropped(driver: Driver, influxd: Server) -> None:
    errors: list[InfluxDBError] = []
    with (
        driver.client(influxd.url, database="nowhere", retry=SOON) as client,
        pytest.raises(UndeliveredError) as caught,
    ):
        with client.batch_writer(
            max_lines=10, max_pending=100, when_full="drop_oldest", on_error=errors.append
        ) as writer:
            for n in range(150):
                writer.write(f"m n={n} {n}")
                wait_until(lambda: writer.pending < 10)
    dropped = [lines for error in errors if isinstance(error, UndeliveredError) for lines in error.undelivered]
    returned = [line for lines in (*dropped, *caught.value.undelivered) for line in lines.data.split(b"\n")]
    assert returned == [f"m n={n} {n}".encode() for n in range(150)]
    assert 50 <= sum(lines.lines for lines in dropped) < 100


@pytest.mark.parametrize("asked", [{"Retry-After": "1"}, {}])
def test_retry_after_is_obeyed(connect: Callable[..., Any], asked: dict[str, str]) -> None:
    policy = RetryPolicy(attempts=1, max_backoff=0.01 if asked else 1.0, random=lambda: 1.0)
    with ScriptedServer([reply(429, asked), reply(204)]) as server:
        client = connect(server.url, database="db", retry=policy)
        began = time.monotonic()
        with client.batch_writer(max_delay=0) as writer:
            writer.write("m n=1 1")
        assert time.monotonic() - began >= 1
        assert len(server.requests) == 2


def test_retry_after_54_000_years(connect: Callable[..., Any]) -> None:
    policy = RetryPolicy(attempts=1, max_retry_after=0.1)
    with ScriptedServer([reply(429, {"Retry-After": "1700000000000"}), reply(204)]) as server:
        with connect(server.url, database="db", retry=policy).batch_writer(max_delay=0) as writer:
            writer.write("m n=1 1")
        assert len(server.requests) == 2


def test_delays_beyond_the_operating_systems_limit(client: Any) -> None:
    with client.batch_writer(max_delay=1e15, exit_timeout=1e15) as writer:
        writer.write(points(3))
        writer.flush(timeout=1e15)
    assert stored(client) == [0, 1, 2]


@pytest.mark.parametrize(
    ("option", "value"), [("consistency", "all"), ("stamp", True), ("timeout", 5), ("find_rejected", True)]
)
def test_client_options_do_not_become_tags(client: Any, option: str, value: Any) -> None:
    with client.batch_writer() as writer:
        with pytest.raises(TypeError, match=f"^{option}: .*is an option of a client's `write`"):
            writer.write("m n=1 1", **{option: value})
        writer.write({"measurement": "m", "fields": {"n": 1}, "time": 1}, tags={option: "a"})
    assert client.query("SHOW SERIES").series[0].values == [[f"m,{option}=a"]]


def test_options_for_lines(client: Any) -> None:
    with client.batch_writer() as writer:
        writer.write(
            {"measurement": "m", "fields": {"n": 1, "x": float("inf"), "s": 1}, "time": 1},
            nonfinite="omit",
            field_types={"s": "string"},
            integers_as_floats=True,
        )
    assert list(client.query("SELECT * FROM m").points()) == [{"time": 1, "n": 1.0, "s": "1"}]


def test_full_buffer_blocks_writers(connect: Callable[..., Any]) -> None:
    with ScriptedServer([reply(503), reply(204)]) as server:
        client = connect(server.url, database="db", retry=RetryPolicy(attempts=1, max_backoff=0.2))
        with client.batch_writer(max_lines=10, max_pending=20, max_delay=LONG) as writer:
            writer.write(points(100))
            assert writer.pending <= 20
        bodies = [request.body for request in server.requests]
    assert [int(line.split()[-1]) for body in bodies[1:] for line in body.split(b"\n")] == list(range(100))
    assert all(body.count(b"\n") < 10 for body in bodies)


def test_writes_wait_for_room_in_order(connect: Callable[..., Any]) -> None:
    """Small writes do not take the room that a large one waits for, which would wait indefinitely."""
    with ScriptedServer([[Receive(), Stall(0.5), *reply(204)[1:]], reply(204)]) as server, ThreadPoolExecutor() as pool:
        client = connect(server.url, database="db")
        with client.batch_writer(max_lines=5, max_pending=10, max_delay=0.01) as writer:
            writer.write(f"m n={n}i {n}" for n in range(10))
            server.wait_for(1)
            waiting = []
            for first, count in ((10, 5), (15, 1), (16, 5), (21, 1)):
                batch = [f"m n={n}i {n}" for n in range(first, first + count)]
                waiting.append(pool.submit(writer.write, batch))
                time.sleep(0.05)
            for write in waiting:
                write.result(timeout=20)
    stored = [int(line.split()[-1]) for request in server.requests for line in request.body.split(b"\n")]
    assert stored == list(range(22))


def test_full_buffer_raises(connect: Callable[..., Any]) -> None:
    with refused_port() as port:
        client = connect(f"http://127.0.0.1:{port}", database="db", retry=SOON)
        with pytest.raises(UndeliveredError, match=r"^10 lines"):
            with client.batch_writer(max_lines=5, max_pending=10, when_full="raise", exit_timeout=0) as writer:
                writer.write(points(5))
                with pytest.raises(BufferFullError, match=r"keeps 10 lines .* has no room for 5 more") as full:
                    writer.write(list(points(10, 5)))
                assert full.value.__notes__ == ["lines that were accepted before: 5"]
                with pytest.raises(BufferFullError, match=r"keeps 10 lines .* has no room for 1 more") as full:
                    writer.write(points(10, 15))
                assert not hasattr(full.value, "__notes__")
                assert writer.pending == 10


def test_full_buffer_drops_the_oldest_batch(connect: Callable[..., Any]) -> None:
    errors: list[InfluxDBError] = []
    with refused_port() as port:
        client = connect(f"http://127.0.0.1:{port}", database="db", retry=SOON)
        with pytest.raises(UndeliveredError) as caught:
            with client.batch_writer(
                max_lines=5, max_pending=10, when_full="drop_oldest", exit_timeout=0, on_error=errors.append
            ) as writer:
                for n in range(40):
                    receipt = writer.write(points(1, n))
                    assert writer.pending <= 10
                assert not receipt.done
    dropped = [error for error in errors if isinstance(error, UndeliveredError)]
    assert all(isinstance(error, UndeliveredError | TransportError) for error in errors)
    parts = [lines for error in [*dropped, caught.value] for lines in error.undelivered]
    found = [int(line.split()[-1]) for lines in parts for line in lines.data.split(b"\n")]
    assert sorted(found) == list(range(40))  # each line was returned exactly once
    assert max(found[-5:]) == 39


#: 1000 bytes with its LF.
LONG_LINE = 'm s="{:0>991}" {}'


def long_lines(count: int) -> list[str]:
    return [LONG_LINE.format(n, n) for n in range(count)]


def test_bytes_that_fill_the_buffer_make_writers_wait(connect: Callable[..., Any]) -> None:
    sizes: list[int] = []
    with ScriptedServer([reply(503), reply(204)]) as server:
        client = connect(server.url, database="db", retry=RetryPolicy(attempts=1, max_backoff=0.2))
        with client.batch_writer(max_lines=4, max_pending_bytes=10_000, max_delay=LONG) as writer:
            for line in long_lines(50):
                writer.write(line)
                sizes.append(writer.pending_bytes)
        assert writer.pending_bytes == 0
        bodies = [request.body for request in server.requests]
    assert 9_000 < max(sizes) <= 10_000
    assert [int(line.split()[-1]) for body in bodies[1:] for line in body.split(b"\n")] == list(range(50))


def test_a_batch_that_does_not_fit_does_not_wait_for_others(connect: Callable[..., Any]) -> None:
    """A batch that is still filled is sent if its bytes leave no room for the next write."""
    with ScriptedServer([reply(204)]) as server:
        client = connect(server.url, database="db")
        with client.batch_writer(max_pending_bytes=10_000, max_delay=LONG) as writer:
            writer.write(long_lines(6))
            writer.write(long_lines(6))
            assert writer.pending_bytes <= 10_000
            writer.write([LONG_LINE.format(1, 1), 'm s="' + 20_000 * "x" + '" 1'])  # nothing else is pending
        assert sum(len(request.body.split(b"\n")) for request in server.requests) == 14


def test_bytes_that_fill_the_buffer_raise(connect: Callable[..., Any]) -> None:
    with refused_port() as port:
        client = connect(f"http://127.0.0.1:{port}", database="db", retry=SOON)
        with pytest.raises(UndeliveredError, match=r"^10 lines"):
            with client.batch_writer(max_pending_bytes=10_000, when_full="raise", exit_timeout=0) as writer:
                writer.write(long_lines(10))
                with pytest.raises(BufferFullError, match=r"keeps 10 lines \(\d+ bytes\) and has no room for 1 more"):
                    writer.write("m n=1 1")
                assert writer.pending == 10


def test_bytes_that_fill_the_buffer_drop_the_oldest(connect: Callable[..., Any]) -> None:
    errors: list[InfluxDBError] = []
    with refused_port() as port:
        client = connect(f"http://127.0.0.1:{port}", database="db", retry=SOON)
        with pytest.raises(UndeliveredError) as caught:
            with client.batch_writer(
                max_lines=4, max_pending_bytes=10_000, when_full="drop_oldest", exit_timeout=0, on_error=errors.append
            ) as writer:
                for line in long_lines(40):
                    writer.write(line)
                    assert writer.pending_bytes <= 10_000
    dropped = [error for error in errors if isinstance(error, UndeliveredError)]
    parts = [lines for error in [*dropped, caught.value] for lines in error.undelivered]
    found = [int(line.split()[-1]) for lines in parts for line in lines.data.split(b"\n")]
    assert sorted(found) == list(range(40))
    assert sum(lines.lines for lines in caught.value.undelivered) <= 10


def test_undelivered_bytes_are_bounded(driver: Driver, influxd: Server) -> None:
    with driver.client(influxd.url, database="nowhere", retry=SOON) as client, pytest.raises(UndeliveredError):
        with client.batch_writer(max_lines=1, max_pending_bytes=10_000) as writer:
            with pytest.raises(BufferFullError, match=r"11 lines \(10\d+ bytes\) are undelivered"):
                for line in long_lines(100):
                    writer.write(line)
                    wait_until(lambda: not writer.pending)
            assert len(writer.undelivered) == 11


def test_flush_during_exit(connect: Callable[..., Any]) -> None:
    """It returns if its lines were stored, although the writer is closed by then."""
    with ScriptedServer([[Receive(), Stall(0.5), *reply(204)[1:]]]) as server, ThreadPoolExecutor() as pool:
        client = connect(server.url, database="db")
        with client.batch_writer(max_delay=LONG) as writer:
            writer.write("m n=1i 1")

            def flush() -> None:
                server.wait_for(1)  # the writer is exiting
                time.sleep(0.1)
                writer.flush()

            flushing = pool.submit(flush)
        flushing.result(timeout=20)


def test_flush_with_a_deadline(connect: Callable[..., Any]) -> None:
    with refused_port() as port:
        client = connect(f"http://127.0.0.1:{port}", database="db", retry=SOON)
        with pytest.raises(UndeliveredError):
            with client.batch_writer(exit_timeout=0) as writer:
                writer.write(points(3))
                with pytest.raises(TransportError, match=r"not all lines were stored within 0.2 s; 3 are pending"):
                    writer.flush(timeout=0.2)


def test_bad_input_is_rejected_immediately(client: Any) -> None:
    with client.batch_writer() as writer:
        with pytest.raises(ValueError, match="precision"):
            writer.write("m n=1i 1", precision="d")
        writer.write(points(1, 5))
    assert stored(client) == [5]


def bad_points() -> Iterator[Any]:
    yield from points(2)
    yield {"measurement": "m", "fields": {"n": object()}}


def failing_source() -> Iterator[Any]:
    yield from points(2)
    raise KeyError("mine")


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (bad_points, SerializationError),
        (lambda: [*bad_points()], SerializationError),
        (lambda: [[*bad_points()]], SerializationError),
        (lambda: ([[*bad_points()]] for _ in range(1)), SerializationError),
        (failing_source, KeyError),
        (lambda: [failing_source()], KeyError),
    ],
)
def test_lines_before_an_error_are_accepted(client: Any, data: Callable[[], Any], error: type[Exception]) -> None:
    with client.batch_writer() as writer:
        with pytest.raises(error, match=r"row 2|mine") as caught:
            writer.write(data())
        assert caught.value.__notes__ == ["lines that were accepted before: 2"]
        writer.write(points(1, 5))
    assert stored(client) == [0, 1, 5]


def test_write_that_is_still_running_after_exit(driver: Driver, client: Any) -> None:
    stalled, left = threading.Event(), threading.Event()
    writers: list[Any] = []

    def may_continue() -> bool:
        stalled.set()
        return left.is_set()

    def leave() -> None:
        with client.batch_writer(exit_timeout=0.1) as entered:
            writers.append(entered)
            assert stalled.wait(20)
        left.set()

    def write() -> None:
        wait_until(lambda: bool(writers))
        with pytest.raises(RuntimeError, match="closed"):
            writers[0].write(slowly(driver, points(3), may_continue))

    run_concurrently(leave, write)
    assert stored(client) == []


def test_concurrent_writers(client: Any) -> None:
    with client.batch_writer(max_lines=50, max_delay=0.01) as writer:
        run_concurrently(*(lambda k=k: writer.write(points(200, 200 * k)) for k in range(8)))
        run_concurrently(writer.flush, writer.flush)
        assert stored(client) == list(range(1600))


def test_threads_end_with_the_writer(client: Any) -> None:
    before = threading.active_count()
    for _ in range(3):
        with client.batch_writer() as writer:
            writer.write(points(1))
    wait_until(lambda: threading.active_count() <= before)


@pytest.mark.parametrize(
    "option",
    [
        {"when_full": "block"},
        {"max_lines": 0},
        {"max_delay": -1},
        {"max_pending_bytes": 0},
        {"exit_timeout": float("nan")},
    ],
)
def test_invalid_options(client: Any, option: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"^{next(iter(option))}: "):
        client.batch_writer(**option)


@pytest.mark.parametrize(
    "option",
    [{"max_bytes": 1.5}, {"max_pending": True}, {"max_pending_bytes": 1e6}, {"max_delay": "1"}, {"spool": "directory"}],
)
def test_options_of_a_wrong_type(client: Any, option: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=f"^{next(iter(option))}: "):
        client.batch_writer(**option)
