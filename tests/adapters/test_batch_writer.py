"""Batch writers of each client: cancellation, crashes, forks and concurrent use."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import influx_aiohttp
import influx_requests
import influx_trio
import pytest
import trio
from influx_proto import (
    BufferFullError,
    CallbackError,
    Exchange,
    InfluxDBError,
    Observer,
    PartialWriteError,
    RetryPolicy,
    ServerUnavailable,
    Spool,
    SpoolError,
    TransportError,
    UndeliveredError,
    WriteError,
)
from influx_proto._batch.receipt import OpenReceipt

from tests.adapters.cancelling import cancelled_when_received
from tests.adapters.interrupting import interrupt_soon
from tests.servers.influxd import Server
from tests.servers.scripted import Connection, Receive, ScriptedServer, Stall, refused_port, reply

SOON = RetryPolicy(attempts=2, backoff=0.01, max_backoff=0.05)
LINES = [f"m n={n}i {n}" for n in range(30)]
LONG = 60.0


def undelivered_count(writer: Any) -> int:
    return sum(lines.lines for lines in writer.undelivered)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_asyncio_undelivered_lines_after_cancellation() -> None:
    async def main() -> None:
        with ScriptedServer([[Receive(), Stall(60)]]) as server:
            async with influx_aiohttp.AsyncInfluxDBClient.from_url(server.url, database="db") as client:
                writer = client.batch_writer(max_lines=10)

                async def work() -> None:
                    async with writer:
                        await writer.write(LINES)
                        await asyncio.sleep(60)

                task = asyncio.create_task(work())
                await asyncio.to_thread(server.wait_for, 1)
                task.cancel()
                with pytest.raises(asyncio.CancelledError) as caught:
                    await task
                assert "30 lines were not delivered" in caught.value.__notes__[0]
                assert undelivered_count(writer) == 30

    began = time.monotonic()
    asyncio.run(main(), debug=True)
    assert time.monotonic() - began < 20  # not the length of some timeout


def test_trio_undelivered_lines_after_cancellation() -> None:
    async def main() -> None:
        with ScriptedServer([[Receive(), Stall(60)]]) as server:
            async with influx_trio.AsyncInfluxDBClient.from_url(server.url, database="db") as client:
                writer = client.batch_writer(max_lines=10)
                async with cancelled_when_received(server, 1) as scope:
                    async with writer:
                        await writer.write(LINES)
                        await trio.sleep(60)
                assert scope.cancelled_caught
                assert undelivered_count(writer) == 30

    began = time.monotonic()
    trio.run(main, strict_exception_groups=True)
    assert time.monotonic() - began < 20


def test_trio_cancelled_during_exit() -> None:
    async def main() -> None:
        with refused_port() as port:
            url = f"http://127.0.0.1:{port}"
            async with influx_trio.AsyncInfluxDBClient.from_url(url, database="db", retry=SOON) as client:
                scope = trio.CancelScope()
                writer = client.batch_writer(max_delay=60, on_error=lambda _: scope.cancel())
                with scope:
                    async with writer:
                        await writer.write(LINES)
                assert scope.cancelled_caught
                assert undelivered_count(writer) == 30

    trio.run(main)


def test_callback_that_raises() -> None:
    """The next flush raises the error itself, not an exception group, and the writer continues."""

    def fail(_: object) -> None:
        raise ZeroDivisionError

    async def over(package: Any, url: str) -> Any:
        async with package.AsyncInfluxDBClient.from_url(url, database="db", retry=SOON) as client:
            async with client.batch_writer(on_error=fail, exit_timeout=0.1) as writer:
                await writer.write(LINES)
                with pytest.raises(CallbackError, match="on_error raised ZeroDivisionError"):
                    await writer.flush()
                await writer.write(LINES)
                await writer.flush()

    with refused_port() as port:
        url = f"http://127.0.0.1:{port}"
        with pytest.raises(CallbackError) as caught:
            asyncio.run(over(influx_aiohttp, url))
        assert "60 lines were not delivered" in caught.value.__notes__[0]
        with pytest.raises(CallbackError) as caught:
            trio.run(over, influx_trio, url)
        assert "60 lines were not delivered" in caught.value.__notes__[0]
        client = influx_requests.InfluxDBClient.from_url(url, database="db", retry=SOON)
        writer = client.batch_writer(on_error=fail, exit_timeout=0.1)
        with client, pytest.raises(CallbackError) as caught, writer:
            writer.write(LINES)
            with pytest.raises(CallbackError, match="on_error raised ZeroDivisionError"):
                writer.flush()
            writer.write(LINES)
            writer.flush()
        assert "60 lines were not delivered" in caught.value.__notes__[0]
        assert undelivered_count(writer) == 60


@pytest.mark.parametrize("raising", ["on_progress", "on_error", "token", "awaited token"])
def test_cancellation_of_another_task(raising: str) -> None:
    """A function of the caller may raise it; the writer's own task is not cancelled and continues."""
    failures: list[int] = []

    def fail_once(_: object = None) -> str:
        if not failures:
            failures.append(1)
            raise asyncio.CancelledError
        return "secret"

    async def fail_once_awaited() -> str:
        if not failures:
            failures.append(1)
            cancelled = asyncio.get_running_loop().create_future()
            cancelled.cancel()
            await cancelled
        return "secret"

    async def main() -> None:
        settings = {"token": fail_once, "awaited token": fail_once_awaited}
        outage = [reply(503)] * 2 if raising == "on_error" else []
        with ScriptedServer([*outage, reply(204)]) as server:
            async with influx_aiohttp.AsyncInfluxDBClient.from_url(
                server.url, database="db", token=settings.get(raising), retry=SOON
            ) as client:
                functions: Any = {raising: fail_once} if raising.startswith("on_") else {}
                async with client.batch_writer(**functions) as writer:
                    for _ in range(3):
                        await writer.write(LINES)
                        with contextlib.suppress(CallbackError):
                            await writer.flush(timeout=20)
                    await writer.flush(timeout=20)
                assert writer.written == 90

    asyncio.run(main(), debug=True)
    assert failures


@pytest.mark.parametrize("error", [asyncio.CancelledError(), SystemExit(1), GeneratorExit()])
def test_base_exception_in_the_thread_of_a_writer(error: BaseException) -> None:
    """No signal handler raises in that thread, so the exception belongs to the callback, and the writer continues."""
    failures: list[BaseException] = [error]

    def fail_once(_: object) -> None:
        if failures:
            raise failures.pop()

    with (
        ScriptedServer([reply(204)]) as server,
        influx_requests.InfluxDBClient.from_url(server.url, database="db") as client,
        client.batch_writer(on_progress=fail_once) as writer,
    ):
        writer.write(LINES)
        with contextlib.suppress(CallbackError):
            writer.flush(timeout=20)  # may return before the callback is called
        wait_until(lambda: not failures)
        writer.write(LINES)
        with contextlib.suppress(CallbackError):
            writer.flush(timeout=20)
        writer.flush(timeout=20)
        assert writer.written == 60


@pytest.mark.parametrize(
    ("backend", "client_class"),
    [("asyncio", influx_aiohttp.AsyncInfluxDBClient), ("trio", influx_trio.AsyncInfluxDBClient)],
)
def test_async_writer_in_another_event_loop(backend: str, client_class: Any) -> None:
    """Its tasks cannot be woken from there: accepted lines would not be sent, and the loops would fail."""

    async def main() -> None:
        with ScriptedServer([reply(204)]) as server:
            async with client_class.from_url(server.url, database="db") as client:
                async with client.batch_writer(max_delay=60) as writer:
                    receipt = await writer.write(LINES)

                    async def other() -> None:
                        async def wait() -> None:
                            await receipt

                        for function in (lambda: writer.write(LINES), writer.flush, wait):
                            with pytest.raises(RuntimeError, match="entered in another event loop; create one in each"):
                                await function()

                    await anyio.to_thread.run_sync(lambda: anyio.run(other, backend=backend))
                    assert writer.pending == 30
                    await writer.flush()
                    await anyio.to_thread.run_sync(lambda: anyio.run(done, receipt, backend=backend))

    async def done(receipt: Any) -> None:
        await receipt

    anyio.run(main, backend=backend)


@pytest.mark.parametrize("spooled", [False, True])
@pytest.mark.parametrize(
    ("backend", "client_class"),
    [("asyncio", influx_aiohttp.AsyncInfluxDBClient), ("trio", influx_trio.AsyncInfluxDBClient)],
)
def test_cancelled_writes_do_not_change_the_order_of_others(
    backend: str, client_class: Any, spooled: bool, tmp_path: Path
) -> None:
    cancelled = threading.Event()

    class WaitForCancellations:
        def run(self, connection: Connection) -> None:
            cancelled.wait(20)

    async def main() -> None:
        with ScriptedServer([[Receive(), WaitForCancellations(), *reply(204)[1:]], reply(204)]) as server:
            async with client_class.from_url(server.url, database="db") as client:
                spool = Spool(tmp_path) if spooled else None
                async with (
                    client.batch_writer(max_delay=0.01, max_pending=5, max_lines=1, spool=spool) as writer,
                    anyio.create_task_group() as tasks,
                ):
                    for n in range(5):
                        await writer.write(f"m n={n}i {n}")
                    scopes = [anyio.CancelScope() for _ in range(20)]

                    async def write(n: int) -> None:
                        with scopes[n]:
                            await writer.write(f"m n={5 + n}i {5 + n}")

                    for n in range(20):
                        tasks.start_soon(write, n)
                        await anyio.wait_all_tasks_blocked()
                    for n in (0, 3, 4, 19):
                        scopes[n].cancel()
                    await anyio.wait_all_tasks_blocked()
                    cancelled.set()
            stored = [int(line.split()[-1]) for request in server.requests for line in request.body.split(b"\n")]
            assert stored == [n for n in range(25) if n not in {5, 8, 9, 24}]

    anyio.run(main, backend=backend)


def test_generator_that_is_closed_in_the_block() -> None:
    def numbers(client: influx_requests.InfluxDBClient) -> Generator[int]:
        with client.batch_writer(max_delay=60) as writer:
            for n in range(30):
                writer.write(LINES[n])
                yield n

    with (
        ScriptedServer([reply(204)]) as server,
        influx_requests.InfluxDBClient.from_url(server.url, database="db") as client,
    ):
        generator = numbers(client)
        next(generator)
        generator.close()
        assert [request.body for request in server.requests] == [LINES[0].encode()]


AT_EXIT = """
import sys
import influx_requests

class Keeper:
    def __init__(self, last):
        self.client = influx_requests.InfluxDBClient.from_url(sys.argv[1], database="db", retry=1)
        self.writer = self.client.batch_writer(max_delay=60).__enter__()
        self.last = last

    def __del__(self):
        self.writer.write("m v=1 1")
        self.last(self.writer)

def generate():
    with influx_requests.InfluxDBClient.from_url(sys.argv[1], database="db").batch_writer() as writer:
        yield writer.write("m v=1 1")

flushing, closing, generator = Keeper(lambda w: w.flush()), Keeper(lambda w: w.__exit__(None, None, None)), generate()
next(generator)
"""


def test_interpreter_shutdown_ends_no_wait() -> None:
    """Code that runs after the last thread, such as `__del__` of a global object, raises instead of waiting for it."""
    with ScriptedServer([[Receive(), Stall(60)]]) as server:
        ended = subprocess.run(
            [sys.executable, "-c", AT_EXIT, server.url], capture_output=True, text=True, timeout=30, check=False
        )
    assert ended.stderr.count("RuntimeError: the interpreter is shutting down") == 3


def test_interrupted_in_a_thread() -> None:
    with refused_port() as port:
        client = influx_requests.InfluxDBClient.from_url(f"http://127.0.0.1:{port}", database="db", retry=SOON)
        writer = client.batch_writer()
        with client, pytest.raises(KeyboardInterrupt) as caught, writer:
            writer.write(LINES)
            interrupt_soon()
    assert "30 lines were not delivered" in caught.value.__notes__[0]
    assert undelivered_count(writer) == 30


def test_write_time_does_not_grow_with_pending_lines(
    influxd: Server, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0
    done = inspect.getattr_static(OpenReceipt, "done").fget

    def counted(receipt: OpenReceipt) -> bool:
        nonlocal looks
        looks += 1
        return bool(done(receipt))

    monkeypatch.setattr(OpenReceipt, "done", property(counted))
    with influx_requests.InfluxDBClient.from_url(influxd.url, database=database) as client:
        with client.batch_writer(max_delay=60.0) as writer:
            for n in range(1000):
                writer.write(f"m n={n}i {n}")
            writer.flush()
        assert client.query("SELECT count(n) FROM m").series[0].values == [[0, 1000]]
    assert looks < 5000


def test_async_source(influxd: Server, database: str) -> None:
    async def source() -> Any:
        for line in LINES:
            await trio.lowlevel.checkpoint()
            yield line

    async def main() -> None:
        async with influx_trio.AsyncInfluxDBClient.from_url(influxd.url, database=database) as client:
            async with client.batch_writer() as writer:
                receipt = await writer.write(source())
                await writer.flush()
            assert receipt.lines == 30
            result = await client.query("SELECT count(n) FROM m")
            assert result.series[0].values == [[0, 30]]
            with pytest.raises(TransportError):
                async with influx_trio.AsyncInfluxDBClient("localhost", 1, database="db", retry=SOON) as nowhere:
                    async with nowhere.batch_writer(exit_timeout=0):
                        await nowhere.ping()

    trio.run(main)


# Use outside the block, and exit while others use the writer

ASYNC_CLIENTS = pytest.mark.parametrize(
    ("backend", "client_class"),
    [("asyncio", influx_aiohttp.AsyncInfluxDBClient), ("trio", influx_trio.AsyncInfluxDBClient)],
    ids=["aiohttp", "trio"],
)


def test_sync_writer_accepts_lines_only_in_its_block(influxd: Server, database: str) -> None:
    with influx_requests.InfluxDBClient.from_url(influxd.url, database=database) as client:
        writer = client.batch_writer()
        with pytest.raises(RuntimeError, match="must be entered"):
            writer.write("m n=1 1")
        with writer:
            writer.write("m n=1 1")
            with pytest.raises(RuntimeError, match="already entered"):
                writer.__enter__()
        for use in (writer.__enter__, lambda: writer.write("m n=2 2")):
            with pytest.raises(RuntimeError, match="closed"):
                use()
        assert [point["n"] for point in client.query("SELECT n FROM m").points()] == [1]


@ASYNC_CLIENTS
def test_async_writer_accepts_lines_only_in_its_block(
    influxd: Server, database: str, backend: str, client_class: Any
) -> None:
    async def main() -> None:
        async with client_class.from_url(influxd.url, database=database) as client:
            writer = client.batch_writer()
            with pytest.raises(RuntimeError, match="must be entered"):
                await writer.write("m n=1 1")
            async with writer:
                await writer.write("m n=1 1")
                with pytest.raises(RuntimeError, match="already entered"):
                    await writer.__aenter__()
            with pytest.raises(RuntimeError, match="closed"):
                await writer.__aenter__()
            with pytest.raises(RuntimeError, match="closed"):
                await writer.write("m n=2 2")
            assert [point["n"] for point in (await client.query("SELECT n FROM m")).points()] == [1]

    anyio.run(main, backend=backend)


@pytest.mark.parametrize("operation", ["write", "flush"])
@ASYNC_CLIENTS
def test_waiting_tasks_raise_when_the_writer_is_closed(backend: str, client_class: Any, operation: str) -> None:
    async def use(writer: Any) -> None:
        with pytest.raises(RuntimeError, match="closed"):
            for n in range(20 if operation == "write" else 1):
                await writer.write(f"m n={n} {n}")
            await writer.flush()

    async def main() -> None:
        with refused_port() as port, anyio.fail_after(20):
            async with (
                client_class("127.0.0.1", port, database="db", retry=SOON) as client,
                anyio.create_task_group() as others,
            ):
                with pytest.raises(UndeliveredError):
                    async with client.batch_writer(max_pending=5, exit_timeout=0.1) as writer:
                        others.start_soon(use, writer)
                        await anyio.wait_all_tasks_blocked()
                        assert writer.pending

    anyio.run(main, backend=backend)


def is_blocked(thread: int) -> bool:
    """Return whether a thread is blocked on the writer."""
    return sys._current_frames()[thread].f_code.co_name == "_call"


@pytest.mark.parametrize("operation", ["write", "flush"])
def test_waiting_threads_raise_when_the_writer_is_closed(operation: str) -> None:
    threads: list[int] = []

    def use(writer: Any) -> None:
        threads.append(threading.get_ident())
        with pytest.raises(RuntimeError, match="closed"):
            for n in range(20 if operation == "write" else 1):
                writer.write(f"m n={n} {n}")
            writer.flush()

    with (
        refused_port() as port,
        influx_requests.InfluxDBClient("127.0.0.1", port, database="db", retry=SOON) as client,
        ThreadPoolExecutor() as pool,
    ):
        with pytest.raises(UndeliveredError):
            with client.batch_writer(max_pending=5, exit_timeout=0.1) as writer:
                other = pool.submit(use, writer)
                deadline = time.monotonic() + 20
                while not (writer.pending and is_blocked(threads[0])):
                    assert time.monotonic() < deadline
                    time.sleep(0.001)
        other.result(20)


def test_callback_that_acquires_a_lock_of_the_program() -> None:
    lock = threading.Lock()
    called: list[Any] = []

    def on_error(error: InfluxDBError) -> None:
        with lock:
            called.append(error)

    def on_progress(_: object) -> None:
        with lock:
            called.append(None)

    with ScriptedServer([reply(503), reply(503), reply(204)]) as server:
        with influx_requests.InfluxDBClient.from_url(server.url, database="db", retry=SOON) as client:
            with client.batch_writer(max_delay=0.01, on_error=on_error, on_progress=on_progress) as writer:
                with lock:
                    writer.write(LINES)
                    wait_until(lambda: server.requests != [])
                    writer.write(LINES)  # while a callback waits for the lock
                    with pytest.raises(TransportError):
                        writer.flush(timeout=0.5)
    assert [type(one) for one in called] == [WriteError.combined[ServerUnavailable], *[type(None)] * (len(called) - 1)]
    assert writer.written == 60


class Handler(logging.Handler):
    """Log handler that writes log records to InfluxDB."""

    writer: Any
    errors: list[Exception]

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self.writer.write({"measurement": "log", "fields": {"message": record.getMessage()}})
        except BufferFullError as error:
            self.errors.append(error)


@pytest.mark.parametrize("max_pending", [100, 30])
def test_log_handler_that_uses_the_writer(max_pending: int) -> None:
    handler = Handler()
    handler.errors = []
    log = logging.getLogger("influx_proto")
    with ScriptedServer([reply(503), reply(503), reply(204)]) as server:
        with influx_requests.InfluxDBClient.from_url(server.url, database="db", retry=SOON) as client:
            with client.batch_writer(max_delay=0.01, max_pending=max_pending) as writer:
                handler.writer = writer
                log.addHandler(handler)
                try:
                    writer.write(LINES)
                    wait_until(lambda: writer.written >= 30)
                finally:
                    log.removeHandler(handler)
        bodies = b"\n".join(request.body for request in server.requests)
    # Waiting for room in the thread that makes room would deadlock.
    assert [type(error) for error in handler.errors] == ([] if max_pending == 100 else [BufferFullError])
    assert (b"are failing" in bodies) is (max_pending == 100)


def test_callback_that_flushes() -> None:
    errors: list[InfluxDBError] = []
    with ScriptedServer([reply(204)]) as server:
        with influx_requests.InfluxDBClient.from_url(server.url, database="db", retry=SOON) as client:

            def on_progress(writer: Any) -> None:
                if not errors:
                    writer.write("m n=1i 1")
                    writer.flush()

            with pytest.raises(CallbackError, match="cannot wait for the writer"):
                with client.batch_writer(max_delay=0.01, on_progress=on_progress, on_error=errors.append) as writer:
                    writer.write(LINES)
    assert len(errors) == 1


class Recorder(Observer):
    """Runs a function at each request."""

    def __init__(self, function: Callable[[], object]) -> None:
        self._function = function

    def started(self, exchange: Exchange, /) -> None:
        self._function()


@pytest.mark.parametrize("place", ["observer", "token", "log handler"])
def test_delivery_that_uses_the_full_writer(
    place: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Delivery makes room, so code that it calls cannot wait for room."""
    errors: list[BaseException] = []
    is_written = threading.Event()

    def use() -> str:
        assert is_written.wait(20)
        for call in (partial(writer.write, "m n=99i 99"), writer.flush, receipt.wait):
            try:
                call()
            except BufferFullError as error:
                errors.append(error)
        return "token"

    options: dict[str, Any] = {"observer": Recorder(use)} if place == "observer" else {}
    if place == "token":
        options["token"] = use
    filtered = logging.Filter()
    if place == "log handler":
        caplog.set_level(logging.DEBUG, "influx_proto")
        monkeypatch.setattr(filtered, "filter", lambda record: "/write" in record.getMessage() and bool(use()))
    with ScriptedServer([reply(204)]) as server, caplog.filtering(filtered):
        with influx_requests.InfluxDBClient.from_url(server.url, database="db", retry=SOON, **options) as client:
            with client.batch_writer(max_pending=len(LINES), max_delay=LONG) as writer:
                receipt = writer.write(LINES)
                is_written.set()
                receipt.wait(timeout=20)
    assert [type(error) for error in errors] == [BufferFullError] * 3
    assert "observer" in str(errors[0])
    assert len(server.requests) == 1


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_token_function_that_uses_the_full_async_writer(backend: str) -> None:
    errors: list[BaseException] = []
    writer: Any = None
    receipt: Any = None

    async def token() -> str:
        async def wait_for_receipt() -> None:
            await receipt

        for call in (partial(writer.write, "m n=99i 99"), writer.flush, wait_for_receipt):
            try:
                await call()
            except BufferFullError as error:
                errors.append(error)
        return "token"

    async def main() -> None:
        nonlocal writer, receipt
        async with client_class.from_url(server.url, database="db", retry=SOON, token=token) as client:
            async with client.batch_writer(max_pending=len(LINES), max_delay=LONG) as writer:
                receipt = await writer.write(LINES)
                with anyio.fail_after(20):
                    await receipt

    client_class = {"asyncio": influx_aiohttp, "trio": influx_trio}[backend].AsyncInfluxDBClient
    with ScriptedServer([reply(204)]) as server:
        anyio.run(main, backend=backend)
    assert [type(error) for error in errors] == [BufferFullError] * 3
    assert len(server.requests) == 1


def run_in_fork(function: Callable[[], None]) -> int:
    """Call a function in a forked process and return its exit code."""
    child = os.fork()
    if not child:
        code = 1
        try:
            signal.alarm(20)
            function()
            code = 0
        except BaseException:  # noqa: BLE001 - the child prints it and exits
            traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("holds_lock", [False, True])
def test_forked_child_cannot_use_the_writer(influxd: Server, database: str, tmp_path: Path, holds_lock: bool) -> None:
    spool = Spool(tmp_path / "spool")
    with influx_requests.InfluxDBClient.from_url(influxd.url, database=database) as client:
        with client.batch_writer(max_delay=60, spool=spool) as writer:
            writer.write(LINES)

            def child() -> None:
                with pytest.raises(RuntimeError, match="before a fork; create one in each process"):
                    writer.write(LINES)
                with pytest.raises(RuntimeError, match="before a fork"):
                    writer.flush()
                writer.__exit__(None, None, None)

            if holds_lock:
                with writer._lock:  # the writer's thread sometimes holds this lock
                    assert run_in_fork(child) == 0
            else:
                assert run_in_fork(child) == 0
            assert len(list((tmp_path / "spool").glob("*.spool"))) == 1
            writer.write(LINES[:1])
        assert (writer.pending, writer.written) == (0, 31)
        assert len(client.query("SELECT n FROM m").series[0].values) == 30


def test_async_writer_in_a_forked_child(influxd: Server, database: str, tmp_path: Path) -> None:
    async def over(package: Any) -> None:
        async with package.AsyncInfluxDBClient.from_url(influxd.url, database=database) as client:
            async with client.batch_writer(max_delay=60, spool=Spool(tmp_path)) as writer:
                await writer.write(LINES)

                def child() -> None:
                    for coroutine in (writer.write(LINES), writer.flush()):
                        with pytest.raises(RuntimeError, match="before a fork"):
                            coroutine.send(None)
                    with pytest.raises(StopIteration):
                        writer.__aexit__(None, None, None).send(None)

                assert run_in_fork(child) == 0
            assert writer.written == 30

    asyncio.run(over(influx_aiohttp))
    trio.run(over, influx_trio)


def test_forked_child_does_not_keep_the_spool_locked(influxd: Server, database: str, tmp_path: Path) -> None:
    """The child may outlive the writer. The directory stays locked while the writer exists."""
    with influx_requests.InfluxDBClient.from_url(influxd.url, database=database) as client:
        reading, writing = os.pipe()
        with client.batch_writer(spool=Spool(tmp_path)) as writer:
            child = os.fork()
            if not child:
                os.close(writing)
                os.read(reading, 1)  # blocks until the parent closes the pipe
                os._exit(0)
            with pytest.raises(SpoolError, match="used by another"):
                with client.batch_writer(spool=Spool(tmp_path)):
                    pass
            writer.write(LINES)
        with client.batch_writer(spool=Spool(tmp_path)):
            pass
        os.close(writing)
        os.close(reading)
        os.waitpid(child, 0)


BAD = ["m n=1.5 100", "m n=2.5 200"]


def rejected_in(error: PartialWriteError) -> list[str]:
    return [line for line, _ in error.rejected]


def test_errors_reach_the_task_that_wrote_the_lines(influxd: Server, database: str) -> None:
    async def over(package: Any) -> None:
        async with package.AsyncInfluxDBClient.from_url(influxd.url, database=database) as client:
            await client.write("m n=1i 0")
            with pytest.raises(PartialWriteError) as at_exit:
                async with client.batch_writer() as writer:
                    written, flushed = anyio.Event(), anyio.Event()

                    async def first() -> None:
                        await writer.write(BAD[0])
                        written.set()
                        await flushed.wait()
                        with pytest.raises(PartialWriteError) as caught:
                            await writer.flush()
                        assert rejected_in(caught.value) == [BAD[0]]
                        await writer.flush()
                        await writer.write(BAD[1])

                    async def second() -> None:
                        await written.wait()
                        await writer.write(LINES)
                        await writer.flush()
                        flushed.set()

                    async with anyio.create_task_group() as group:
                        group.start_soon(first)
                        group.start_soon(second)
            assert rejected_in(at_exit.value) == [BAD[1]]

            async with client.batch_writer() as writer:
                await writer.write(LINES)
                async with anyio.create_task_group() as group:
                    group.start_soon(writer.write, BAD[0])
                with pytest.raises(PartialWriteError):  # written by a task that has ended
                    await writer.flush()

            async with client.batch_writer() as writer:

                async def write_and_stay() -> None:
                    await writer.write(BAD[0])
                    written.set()
                    await flushed.wait()
                    with pytest.raises(PartialWriteError):
                        await writer.flush()

                written, flushed = anyio.Event(), anyio.Event()
                async with anyio.create_task_group() as group:
                    group.start_soon(write_and_stay)
                    await written.wait()
                    with pytest.raises(PartialWriteError):  # raised in a task that has written nothing itself
                        await writer.flush()
                    await writer.flush()
                    flushed.set()

    asyncio.run(over(influx_aiohttp))
    trio.run(over, influx_trio)


def test_errors_reach_the_thread_that_wrote_the_lines(influxd: Server, database: str) -> None:
    with influx_requests.InfluxDBClient.from_url(influxd.url, database=database) as client:
        client.write("m n=1i 0")
        with pytest.raises(PartialWriteError) as at_exit, client.batch_writer() as writer:
            written, flushed = threading.Event(), threading.Event()

            def first() -> None:
                writer.write(BAD[0])
                written.set()
                flushed.wait(20)
                with pytest.raises(PartialWriteError) as caught:
                    writer.flush()
                assert rejected_in(caught.value) == [BAD[0]]
                writer.flush()
                writer.write(BAD[1])

            def second() -> None:
                written.wait(20)
                writer.write(LINES)
                writer.flush()
                flushed.set()

            with ThreadPoolExecutor(2) as pool:
                for call in [pool.submit(first), pool.submit(second)]:
                    call.result()
        assert rejected_in(at_exit.value) == [BAD[1]]
