"""Interruptions at each point: accepted lines are sent or returned, and no lock or place stays held."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from influx_proto import InfluxDBError, RetryPolicy, Spool, TransportError, UndeliveredError
from influx_proto._batch.options import batch_options
from influx_proto._batch.writer import BatchWriter
from influx_proto._runtime.settings import Settings
from influx_proto.adapter import Headers, Request, Response, SpoolDirectory
from influx_requests._background import Signal, background

from tests.adapters.interrupting import interrupt

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
    return BatchWriter(settings, server, batch_options(spool=kept, **options), Signal(), background, files)


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
