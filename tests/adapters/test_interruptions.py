"""Interruptions at each point: accepted lines are sent or returned, and no lock or place stays held."""

from __future__ import annotations

import asyncio
import gc
import gzip
import logging
import random
import socketserver
import threading
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import influx_aiohttp
import influx_requests
import influx_trio
import pytest
import trio
import trio.testing
from influx_proto import BufferFullError, InfluxDBError, RetryPolicy, Spool, TransportError, UndeliveredError
from influx_proto._batch.options import BatchOptions
from influx_proto._batch.writer import BatchWriter
from influx_proto._runtime.settings import Settings
from influx_proto.adapter import MAX_CONNECTIONS, Headers, Request, Response, SpoolDirectory
from influx_requests._background import Threads, background

from tests.adapters.interrupting import (
    call_within,
    cancel_asyncio,
    cancel_trio,
    interrupt,
    interrupt_asyncio,
    interrupt_soon,
    interrupt_trio,
    signal_trio,
)
from tests.servers.scripted import ScriptedServer, Stall

#: Encodes lines, and is done with them before the writer sees them.
ENCODING = ("/_encode/", "/_line_protocol/", "/_write/", "/_time.py", "/_checks.py", "/signature.py", "/dataclasses.py")


class Server:
    """A transport that stores lines in memory, or is unreachable."""

    def __init__(self, *, is_reachable: bool = True) -> None:
        self.is_reachable = is_reachable
        self.lines: list[str] = []

    def now(self) -> float:
        return time.monotonic()

    def time_ns(self) -> int:
        return time.time_ns()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def close(self) -> None:
        pass

    @contextmanager
    def open(self, request: Request) -> Generator[Response[Iterator[bytes]]]:
        if not self.is_reachable:
            msg = "unreachable"
            raise TransportError(msg)
        assert isinstance(request.body, bytes)
        self.lines += request.body.decode().splitlines()
        yield Response(204, Headers(()), iter(()))


def new_writer(server: Server, spool: Path | None = None, **options: Any) -> BatchWriter:
    files = None if spool is None else SpoolDirectory(str(spool))
    kept = None if spool is None else Spool(spool)
    settings = Settings(database="d", retry=RetryPolicy(attempts=1, backoff=0.001, max_backoff=0.002))
    return BatchWriter(settings, server, BatchOptions(spool=kept, **options), Threads(), background, files)


def lines_of(error: BaseException) -> list[str]:
    undelivered = error.undelivered if isinstance(error, UndeliveredError) else ()
    return [line for some in undelivered for line in some.data.decode().splitlines()]


def until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 5
    while not (is_true := condition()) and time.monotonic() < deadline:
        time.sleep(0.0005)
    return is_true


class Run:
    """A writer that is interrupted once, at any point from its `with` statement on."""

    def __init__(self, folder: Path | None, *, catches: bool, is_reachable: bool, **options: Any) -> None:
        self.server = Server(is_reachable=is_reachable)
        self.dropped: list[str] = []
        self.writer = new_writer(self.server, folder, on_error=self._on_error, on_progress=lambda _: None, **options)
        self.folder = folder
        self.catches = catches
        self.given: list[str] = []
        self.accepted: list[str] = []
        self.where = ""

    def _on_error(self, error: InfluxDBError) -> None:
        self.dropped += lines_of(error)

    def use(self) -> None:
        self.began = time.monotonic()
        try:
            with self.writer:
                self._guarded(self._write, 1)
                self._guarded(self._write, 2, 3)
                self._guarded(self._flush)
                self._guarded(self._write, 4, 5, 6)
        except (KeyboardInterrupt, UndeliveredError) as error:
            self._note(error)

    def _guarded(self, function: Callable[..., None], *arguments: int) -> None:
        try:
            function(*arguments)
        except KeyboardInterrupt as error:
            self._note(error)
            if not self.catches:
                raise

    def _note(self, error: BaseException) -> None:
        if isinstance(error, KeyboardInterrupt):
            self.where = str(error)

    def _write(self, *numbers: int) -> None:
        lines = [f"m n={n}i {n}" for n in numbers]
        self.given += lines
        self.writer.write(lines)
        self.accepted += lines

    def _flush(self) -> None:
        if self.server.is_reachable:
            self.writer.flush()

    def check(self) -> None:
        writer = self.writer
        assert time.monotonic() < self.began + 10  # less than any timeout of the writer
        if self.where.startswith("call of __exit__") and "/writer.py" in self.where and writer._open:
            # The `with` statement had not left the writer yet, which is open as before, and can be left.
            with suppress(UndeliveredError):
                writer.__exit__(None, None, None)
        assert until(lambda: not any(thread.name == "influxdb writer" for thread in threading.enumerate()))
        held: list[bool] = []
        other = threading.Thread(target=lambda: held.append(not acquired(writer._lock)))
        other.start()
        other.join()
        assert held == [False]
        found = self.server.lines + self.dropped
        found += [line for some in writer.undelivered for line in some.data.decode().splitlines()]
        if self.folder is None:
            assert writer.pending == 0
        else:
            self.server.is_reachable = True
            already = len(self.server.lines)
            with new_writer(self.server, self.folder):  # it is not locked
                pass
            found += self.server.lines[already:]
            assert list(self.folder.glob("*.spool")) == []
        assert set(self.accepted) <= set(found) <= set(self.given)
        assert not writer._reports.is_pending


def acquired(lock: Any) -> bool:
    is_acquired: bool = lock.acquire(timeout=1)
    if is_acquired:
        lock.release()
    return is_acquired


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize(
    ("catches", "options"),
    [
        (False, {}),
        (True, {}),
        (True, {"spool": True}),
        (False, {"is_reachable": False, "exit_timeout": 0.01}),
        (True, {"is_reachable": False, "exit_timeout": 0, "max_pending": 3, "when_full": "drop_oldest"}),
    ],
)
def test_writers_in_threads(
    tmp_path: Path, catches: bool, options: dict[str, Any], record_property: Callable[[str, object], None]
) -> None:
    is_spooled, is_reachable = options.get("spool", False), options.get("is_reachable", True)
    others = {name: value for name, value in options.items() if name not in ("spool", "is_reachable")}
    number = 0
    while True:
        number += 1
        folder = tmp_path / str(number) if is_spooled else None
        run = Run(folder, catches=catches, is_reachable=is_reachable, max_lines=2, max_delay=20.0, **others)
        is_reached = interrupt(number, run.use, without=ENCODING)
        try:
            run.check()
        except BaseException as error:
            error.add_note(f"point {number}: {run.where}")
            raise
        if not is_reached:
            break
    record_property("points", number - 1)
    assert number > 200


def test_write_in_a_signal_handler_or_finalizer() -> None:
    """It is accepted, or raises if the buffer is full: waiting would deadlock, since it interrupts the writer."""
    refused = 0
    for number in count(1, 7):
        server = Server()
        writer = new_writer(server, max_lines=2, max_delay=20.0, max_pending=2)
        accepted: list[str] = []

        def write(line: str, writer: BatchWriter = writer, accepted: list[str] = accepted) -> None:
            writer.write(line)
            accepted.append(line)

        def write_within(write: Callable[[str], None] = write) -> None:
            nonlocal refused
            try:
                write("m n=0i 0")
            except (BufferFullError, RuntimeError):
                refused += 1

        def use(writer: BatchWriter = writer, server: Server = server, write: Callable[[str], None] = write) -> None:
            try:
                with writer:
                    for n in range(1, 5):
                        write(f"m n={n}i {n}")
                    writer.flush()
                    assert writer.pending in {0, 1}
            except UndeliveredError as error:  # accepted after all lines were stored
                server.lines += lines_of(error)

        is_reached = call_within(number, use, write_within, within="/_batch/")
        assert sorted(server.lines) == sorted(accepted), f"point {number}"
        assert writer.pending == 0
        if not is_reached:
            break
    assert number > 300
    assert refused > 10


def test_exit_by_the_garbage_collector() -> None:
    """A writer in a generator may be closed in one of the threads of this writer."""
    for number in count(1, 3):
        server = Server()
        writer = new_writer(server, max_lines=2, max_delay=20.0, exit_timeout=5)
        generators: list[Iterator[None]] = []

        def use(writer: BatchWriter = writer, generators: list[Iterator[None]] = generators) -> None:
            generator = writing(writer)
            next(generator)
            generators.append(generator)
            del generator
            with suppress(RuntimeError):
                writer.flush()

        is_reached = call_within(number, use, generators.clear, within="/_batch/")
        generators.clear()
        assert until(partial(lambda writer: "closed" in repr(writer), writer)), f"point {number}"
        assert sorted(server.lines) == ["m n=1i 1", "m n=2i 2"]
        if not is_reached:
            break
    assert number > 30


def writing(writer: BatchWriter) -> Iterator[None]:
    with writer:
        writer.write(["m n=1i 1", "m n=2i 2"])
        yield


class Handler(socketserver.StreamRequestHandler):
    """Stores the lines of each request."""

    disable_nagle_algorithm = True
    server: LineServer

    def handle(self) -> None:
        while line := self.rfile.readline():
            size = 0
            while line.strip():
                name, _, value = line.partition(b":")
                size = int(value) if name.lower() == b"content-length" else size
                line = self.rfile.readline()
            body = self.rfile.read(size)
            self.server.lines += (gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body).decode().splitlines()
            self.wfile.write(b"HTTP/1.1 204 No Content\r\n\r\n")


class LineServer(socketserver.ThreadingTCPServer):
    """A server on a loopback port that stores lines in memory."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.lines: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *_: object) -> None:
        """Ignore connections that clients reset."""


@pytest.fixture
def server() -> Iterator[LineServer]:
    with LineServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


#: Code of requests and urllib3 that runs around the use of a connection.
MESSAGES = (
    "/_client/", "/_http/", "/_runtime/", "/site-packages/requests/", "/urllib3/util/",
    "/urllib3/poolmanager.py", "/urllib3/_", "/urllib3/connection.py", "/http/", "/urllib/", "/email/",
    "/re/", "/encodings/", "/logging/", "_collections_abc", "/enum.py", "/typing.py", "/socket.py",
    "/selectors.py", "/_early_response.py", "importlib", "<string>",
)  # fmt: skip


def test_the_pool_of_requests(server: LineServer, record_property: Callable[[str, object], None]) -> None:
    with influx_requests.InfluxDBClient.from_url(server.url, database="db", timeout=5) as client:
        interruptions: list[str] = []

        def use() -> None:
            try:
                client.write("m n=1i 1")
            except KeyboardInterrupt as error:
                interruptions.append(str(error))

        use()
        number = 1
        while interrupt(number, use, without=(*ENCODING, *MESSAGES)):
            number += 1
            assert client._transport._slots.qsize() == MAX_CONNECTIONS  # type: ignore[attr-defined]  # an attribute of RequestsTransport
            if number % 10 == 0:
                client.write("m n=2i 2")  # no lock of the pool stays held
    record_property("points", number - 1)
    assert number > 100


#: Code that runs around the use of a connection.
USING = ("/influx_trio/", "/_client/", "/_runtime/", "/contextlib.py", "/_query/response.py")


async def read_stream(client: Any) -> None:
    async with client.query_chunks("SELECT v FROM m") as results:
        async for _ in results:
            pass


async def interrupt_everywhere(
    client: Any, function: Callable[[], Any], *, within: tuple[str, ...] = (), prepare: Any = trio.lowlevel.checkpoint
) -> int:
    """Call a function again and again, interrupted at one point after the other; return their number.

    These are the lines where trio raises KeyboardInterrupt, and, for protected code, the steps of all tasks.
    """
    transport = client._transport
    outcomes: list[str] = []

    async def use() -> None:
        try:
            await function()
        except KeyboardInterrupt as error:
            outcomes.append(str(error))
        except InfluxDBError:
            pass  # the server only stores lines

    await use()  # fills the caches
    points = 0
    for act in (partial(interrupt_trio, within=(*USING, *within)), signal_trio):
        number = 0
        is_reached = True
        while is_reached:
            number += 1 if number < 30 or act is not signal_trio else 17
            await prepare()
            outcomes.clear()
            is_reached = await act(number, use)
            await trio.testing.wait_all_tasks_blocked()  # abandoned async generators have ended
            assert transport._pool._slots.value == MAX_CONNECTIONS, outcomes
            assert not transport._watchdog._until, outcomes
            points += is_reached
    return points


@pytest.mark.parametrize("is_idle", [False, True])
@pytest.mark.parametrize("operation", ["write", "stream"])
def test_interruptions_of_trio(
    server: LineServer, operation: str, is_idle: bool, record_property: Callable[[str, object], None]
) -> None:
    function = {"write": use_client, "stream": read_stream}[operation]

    async def main() -> int:
        async with influx_trio.AsyncInfluxDBClient.from_url(server.url, database="db", timeout=5) as client:
            pool = client._transport._pool  # type: ignore[attr-defined]  # an attribute of TrioTransport

            async def prepare() -> None:
                if is_idle:
                    await client.write("m n=2i 2")
                else:
                    pool.close_idle()

            return await interrupt_everywhere(client, partial(function, client), prepare=prepare)

    points = trio.run(main)
    record_property("points", points)
    assert points >= 3


POINTS = [{"measurement": "m", "time": n, "fields": {"v": random.Random(n).randbytes(3000).hex()}} for n in range(40)]


async def points_in_turn() -> AsyncIterator[dict[str, object]]:
    for point in POINTS:
        await trio.lowlevel.checkpoint()
        yield point


UPLOADS: dict[str, Callable[[Any], Any]] = {
    "large": lambda client: client.write(POINTS * 4, max_lines=1000),
    "generator": lambda client: client.write(iter(POINTS), max_lines=5, in_flight=3),
    "async generator": lambda client: client.write(points_in_turn(), max_lines=5, in_flight=2),
}


@pytest.mark.parametrize("is_compressed", [False, True])
@pytest.mark.parametrize("upload", UPLOADS)
def test_interrupted_uploads_of_trio(
    server: LineServer, upload: str, is_compressed: bool, record_property: Callable[[str, object], None]
) -> None:
    """Bodies larger than the buffers of the socket, and several requests at a time."""

    async def main() -> int:
        url = server.url
        async with influx_trio.AsyncInfluxDBClient.from_url(
            url, database="db", timeout=5, gzip=is_compressed
        ) as client:
            return await interrupt_everywhere(client, partial(UPLOADS[upload], client), within=("/_write/",))

    points = trio.run(main)
    record_property("points", points)
    assert points >= 3


def test_an_interrupted_wait_of_trio() -> None:
    """Protected code is interrupted where it waits."""

    async def main() -> None:
        with ScriptedServer([[Stall(5)]]) as stalling:
            async with influx_trio.AsyncInfluxDBClient.from_url(stalling.url, database="db") as client:
                interrupt_soon()
                await client.write("m n=1i 1")

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        trio.run(main)
    assert time.monotonic() < began + 5


async def use_client(client: Any) -> None:
    await client.write("m n=1i 1")


class Cancelled:
    """A batch writer that is used by a task which is cancelled or interrupted once."""

    def __init__(self, client: Any, server: LineServer, spool: Path | None, *, catches: bool = False) -> None:
        self.server = server
        self.before = len(server.lines)
        self.writer = client.batch_writer(max_lines=2, max_delay=20, spool=None if spool is None else Spool(spool))
        self.spool = spool
        self.catches = catches
        self.accepted: list[str] = []

    async def use(self) -> None:
        async with self.writer:
            await self._guarded(self._write, 1, 2, 3)
            await self._guarded(self.writer.flush)
            await self._guarded(self._write, 4, 5)
            await self._guarded(self._write, 6)

    async def _guarded(self, function: Callable[..., Any], *arguments: int) -> None:
        try:
            await function(*arguments)
        except KeyboardInterrupt:
            if not self.catches:
                raise

    async def _write(self, *numbers: int) -> None:
        lines = [f"m n={n}i {n}" for n in numbers]
        await self.writer.write(lines)
        self.accepted += lines

    async def deliver_spooled(self, client: Any) -> None:
        if self.spool is None:
            assert self.writer.pending == 0
        else:
            async with client.batch_writer(spool=Spool(self.spool)):
                pass
            assert list(self.spool.glob("*.spool")) == []

    def check(self) -> None:
        found = self.server.lines[self.before :]
        found += [line for some in self.writer.undelivered for line in some.data.decode().splitlines()]
        assert set(self.accepted) <= set(found)


@pytest.mark.parametrize("package", [influx_aiohttp, influx_trio])
@pytest.mark.parametrize("is_spooled", [False, True])
def test_cancellation(
    package: Any,
    server: LineServer,
    is_spooled: bool,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    cancel = cancel_asyncio if package is influx_aiohttp else cancel_trio
    points = 0

    async def main() -> None:
        nonlocal points
        async with package.AsyncInfluxDBClient.from_url(server.url, database="db", timeout=5) as client:
            for is_idle in (False, True):
                number = 1
                while await cancel(number, partial(use_client, client)):
                    number += 1
                    check_slots(client)
                    if is_idle:
                        await client.write("m n=2i 2")
                points += number - 1
            number = 0
            is_reached = True
            while is_reached:
                number += 1
                folder = tmp_path / str(number) if is_spooled else None
                run = Cancelled(client, server, folder)
                is_reached = await cancel(number, run.use)
                await run.deliver_spooled(client)
                run.check()
                check_slots(client)
            points += number - 1

    asyncio.run(main()) if package is influx_aiohttp else trio.run(main)
    record_property("points", points)
    assert points > 5


@pytest.mark.parametrize("is_spooled", [False, True])
@pytest.mark.parametrize("catches", [False, True])
def test_interrupted_batch_writers_of_trio(
    server: LineServer, is_spooled: bool, catches: bool, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    numbers = count()

    async def main() -> int:
        async with influx_trio.AsyncInfluxDBClient.from_url(server.url, database="db", timeout=5) as client:
            runs: list[Cancelled] = []

            async def prepare() -> None:
                if runs:
                    run = runs.pop()
                    await run.deliver_spooled(client)
                    run.check()
                folder = tmp_path / str(next(numbers)) if is_spooled else None
                runs.append(Cancelled(client, server, folder, catches=catches))

            async def use() -> None:
                await runs[-1].use()

            await prepare()
            points = await interrupt_everywhere(client, use, within=("/_batch/",), prepare=prepare)
            await prepare()
            return points

    points = trio.run(main)
    record_property("points", points)
    assert points >= 8


@pytest.mark.parametrize("is_spooled", [False, True])
@pytest.mark.parametrize("catches", [False, True])
def test_interrupted_batch_writers_of_asyncio(
    server: LineServer, is_spooled: bool, catches: bool, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """After a second Ctrl-C, at each 29th point: all take 40 seconds."""

    async def use(folder: Path | None, number: int, runs: list[Cancelled], reached: list[str]) -> None:
        async with influx_aiohttp.AsyncInfluxDBClient.from_url(server.url, database="db", timeout=5) as client:
            runs.append(Cancelled(client, server, folder, catches=catches))
            with interrupt_asyncio(number, ("/_batch/", "/influx_aiohttp/_background")) as found:
                try:
                    await runs[0].use()
                finally:
                    reached += found

    async def finish(run: Cancelled) -> None:
        async with influx_aiohttp.AsyncInfluxDBClient.from_url(server.url, database="db", timeout=5) as client:
            await run.deliver_spooled(client)

    number = 1
    reached = [""]
    while reached:
        reached = []
        runs: list[Cancelled] = []
        with suppress(KeyboardInterrupt):
            asyncio.run(use(tmp_path / str(number) if is_spooled else None, number, runs, reached))
        try:
            asyncio.run(finish(runs[0]))
            runs[0].check()
        except BaseException as error:
            error.add_note(f"point {number}: {reached}")
            raise
        number += 29
    gc.collect()  # asyncio logs exceptions of tasks when they are deleted, and `quiet` suppresses that
    record_property("points", number // 29)
    assert number > 300


def check_slots(client: Any) -> None:
    transport = client._transport
    slots = transport._slots if hasattr(transport, "_slots") else transport._pool._slots
    assert getattr(slots, "value", None) in (None, MAX_CONNECTIONS)
    assert getattr(slots, "_value", None) in (None, MAX_CONNECTIONS)
