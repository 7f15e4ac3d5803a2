"""Spools with file system errors, and with cancelled or interrupted callers."""

from __future__ import annotations

import _thread
import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import influx_aiohttp
import influx_requests
import influx_trio
import pytest
import trio
import trio.testing
from influx_proto import InfluxDBError, RetryPolicy, Spool, SpoolError
from influx_proto._batch.spool.format import mark_record, read_segment
from influx_proto.adapter import SpoolDirectory

from examples.bring_your_own_http import InfluxDBClient as HTTPClientInfluxDBClient
from tests.adapters.cancelling import cancelled_when_received
from tests.adapters.interrupting import interrupt_soon
from tests.conformance.drivers import DRIVERS, Driver, load
from tests.servers.influxd import Server
from tests.servers.scripted import Receive, ScriptedServer, Stall, refused_port

ROOT = Path(__file__).parents[2]
SOON = RetryPolicy(attempts=2, backoff=0.01, max_backoff=0.05)
LINES = [f"m n={n}i {n}" for n in range(30)]

adapters = pytest.mark.parametrize("driver", [load(spec) for spec in DRIVERS], ids=lambda driver: driver.name)


def stored(influxd: Server, database: str, folder: Path) -> list[int]:
    """Deliver the spooled lines and return all stored values."""
    with influx_requests.InfluxDBClient.from_url(influxd.url, database=database) as client:
        with client.batch_writer(spool=Spool(folder)):
            pass
        series = client.query("SELECT n FROM m").series
        return [row[1] for row in series[0].values] if series else []


@adapters
def test_full_disk(driver: Driver, influxd: Server, database: str, tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    command = [sys.executable, "-B", "-m", "tests.adapters.full_disk", driver.spec, influxd.url, database, str(folder)]
    run = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    *errors, total = run.stdout.splitlines()
    assert len(errors) == 3
    for output in errors:
        taken, cause, error = output.split("|")
        assert int(taken) > 100
        assert cause == "OSError(27, 'File too large')"
        assert f"cannot write to {folder}/" in error
        assert error.endswith("File too large; the spool did not accept 10 lines")
    assert stored(influxd, database, folder) == list(range(int(total)))
    assert [path.name for path in folder.iterdir()] == ["lock"]


@adapters
def test_files_that_cannot_be_written_or_deleted(
    driver: Driver, influxd: Server, database: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Directories occupy two file names: new lines go to another file, and the completed file is deleted later."""
    first, second = tmp_path / f"{1:016d}.spool", tmp_path / f"{2:016d}.spool"
    with driver.client(influxd.url, database=database) as client:
        with client.batch_writer(spool=Spool(tmp_path, 800), max_delay=60.0) as writer:
            writer.write(LINES[0])
            second.mkdir()
            with pytest.raises(SpoolError, match="Is a directory; the spool did not accept 1 line") as caught:
                writer.write(LINES[1])
            assert f"cannot write to {second}: " in str(caught.value)
            assert isinstance(caught.value, InfluxDBError)
            assert isinstance(caught.value.__cause__, IsADirectoryError)
            assert caught.value.retryable
            writer.write(LINES[2])  # goes into another file
            first.unlink()
            first.mkdir()
            for n in range(3, 20):
                writer.write(LINES[n])
                writer.flush()
            assert writer.pending == 0
    messages = [record.message for record in caplog.records if "cannot delete" in record.message]
    assert len(messages) == 1
    first.rmdir()
    second.rmdir()
    assert stored(influxd, database, tmp_path) == [0, *range(2, 20)]
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def stalled(is_on: threading.Event) -> Callable[..., int]:
    """Return an `fsync` that blocks until the event is set, as on a slow disk."""
    write = os.fsync
    begun = threading.Event()

    def wait(descriptor: Any) -> Any:
        begun.set()
        assert is_on.wait(20)
        return write(descriptor)

    wait.begun = begun  # type: ignore[attr-defined]  # for the test to wait for
    return wait


def test_asyncio_cancelled_during_a_spool_write(
    influxd: Server, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lines were accepted, and the cancelled task's error says so."""
    goes_on = threading.Event()

    async def main() -> None:
        with refused_port() as port:
            url = f"http://127.0.0.1:{port}"
            async with influx_aiohttp.AsyncInfluxDBClient.from_url(url, database=database, retry=SOON) as client:
                async with client.batch_writer(spool=Spool(tmp_path, sync=True), exit_timeout=0) as writer:
                    slow: Any = stalled(goes_on)
                    monkeypatch.setattr(os, "fsync", slow)
                    task = asyncio.create_task(writer.write(LINES))
                    await asyncio.to_thread(slow.begun.wait, 20)
                    for _ in range(2):
                        task.cancel()
                        await asyncio.sleep(0.05)
                        assert not task.done()
                    goes_on.set()
                    with pytest.raises(asyncio.CancelledError) as caught:
                        await task
                    assert caught.value.__notes__ == ["lines that were accepted before: 30"]
                    assert writer.pending == 30

    asyncio.run(main(), debug=True)
    assert stored(influxd, database, tmp_path) == list(range(30))


def test_trio_cancelled_during_a_spool_write(
    influxd: Server, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = threading.Event()

    async def main() -> None:
        with refused_port() as port:
            url = f"http://127.0.0.1:{port}"
            async with influx_trio.AsyncInfluxDBClient.from_url(url, database=database, retry=SOON) as client:
                async with client.batch_writer(spool=Spool(tmp_path, sync=True), exit_timeout=0) as writer:
                    slow: Any = stalled(goes_on)
                    monkeypatch.setattr(os, "fsync", slow)
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(writer.write, LINES)
                        await trio.to_thread.run_sync(slow.begun.wait, 20)
                        nursery.cancel_scope.cancel()
                        with trio.CancelScope(shield=True):
                            await trio.testing.wait_all_tasks_blocked()
                        goes_on.set()
                    assert writer.pending == 30

    trio.run(main)
    assert stored(influxd, database, tmp_path) == list(range(30))


def test_exit_during_a_spool_write(
    influxd: Server, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lines are kept, and the directory is unlocked only afterwards."""
    goes_on = threading.Event()

    async def main() -> None:
        with refused_port() as port:
            url = f"http://127.0.0.1:{port}"
            async with influx_aiohttp.AsyncInfluxDBClient.from_url(url, database=database, retry=SOON) as client:
                slow: Any = stalled(goes_on)
                monkeypatch.setattr(os, "fsync", slow)
                async with client.batch_writer(spool=Spool(tmp_path, sync=True), exit_timeout=0) as writer:
                    task = asyncio.create_task(writer.write(LINES))
                    await asyncio.to_thread(slow.begun.wait, 20)
                with pytest.raises(SpoolError, match="is used by another"):
                    async with client.batch_writer(spool=Spool(tmp_path)):
                        pass
                goes_on.set()
                receipt = await task
                assert (receipt.lines, receipt.done) == (30, False)
                assert writer.pending == 30

    asyncio.run(main(), debug=True)
    assert stored(influxd, database, tmp_path) == list(range(30))


def test_asyncio_cancelled_during_delivery(influxd: Server, database: str, tmp_path: Path) -> None:
    """Lines in flight and pending lines are both in the spool."""

    async def main() -> None:
        with ScriptedServer([[Receive(), Stall(60)]]) as server:
            async with influx_aiohttp.AsyncInfluxDBClient.from_url(server.url, database=database) as client:
                writer = client.batch_writer(spool=Spool(tmp_path), max_lines=10)

                async def work() -> None:
                    async with writer:
                        await writer.write(LINES)
                        await asyncio.sleep(60)

                task = asyncio.create_task(work())
                await asyncio.to_thread(server.wait_for, 1)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                assert (writer.pending, writer.undelivered) == (30, [])

    asyncio.run(main(), debug=True)
    assert stored(influxd, database, tmp_path) == list(range(30))


def test_trio_cancelled_during_delivery(influxd: Server, database: str, tmp_path: Path) -> None:
    async def main() -> None:
        with ScriptedServer([[Receive(), Stall(60)]]) as server:
            async with influx_trio.AsyncInfluxDBClient.from_url(server.url, database=database) as client:
                writer = client.batch_writer(spool=Spool(tmp_path), max_lines=10)
                async with cancelled_when_received(server, 1) as scope:
                    async with writer:
                        await writer.write(LINES)
                        await trio.sleep(60)
                assert scope.cancelled_caught
                assert (writer.pending, writer.undelivered) == (30, [])

    trio.run(main)
    assert stored(influxd, database, tmp_path) == list(range(30))


def test_interrupted_during_delivery(influxd: Server, database: str, tmp_path: Path) -> None:
    with refused_port() as port:
        client = influx_requests.InfluxDBClient.from_url(f"http://127.0.0.1:{port}", database=database, retry=SOON)
        writer = client.batch_writer(spool=Spool(tmp_path))
        with client, pytest.raises(KeyboardInterrupt) as caught, writer:
            writer.write(LINES)
            interrupt_soon()
    assert not hasattr(caught.value, "__notes__")
    assert (writer.pending, writer.undelivered) == (30, [])
    assert stored(influxd, database, tmp_path) == list(range(30))


def test_interrupted_during_a_spool_write(
    influxd: Server, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a Ctrl-C during the write, none of its lines is kept."""

    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    with influx_requests.InfluxDBClient.from_url(influxd.url, database=database) as client:
        with client.batch_writer(spool=Spool(tmp_path, sync=True), max_delay=60) as writer:
            writer.write(LINES[0])
            [segment] = tmp_path.glob("*.spool")
            before = segment.read_bytes()
            with monkeypatch.context() as patch:
                patch.setattr(os, "fsync", interrupted)
                with pytest.raises(KeyboardInterrupt) as caught:
                    writer.write(LINES[1])
            assert not hasattr(caught.value, "__notes__")
            assert segment.read_bytes() == before
            assert writer.pending == 1
            writer.write(LINES[2])
    assert stored(influxd, database, tmp_path) == [0, 2]


def test_writer_must_be_entered(influxd: Server, database: str, tmp_path: Path) -> None:
    with influx_requests.InfluxDBClient.from_url(influxd.url, database=database) as client:
        writer = client.batch_writer(spool=Spool(tmp_path / "spool"))
        assert not list(tmp_path.iterdir())
        with pytest.raises(RuntimeError, match="must be entered"):
            writer.write(LINES)
        with writer:
            pass
        with pytest.raises(RuntimeError, match="closed"), writer:
            pass


def test_interrupted_while_unlocking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = SpoolDirectory(str(tmp_path / "spool"))
    directory.lock()
    close = os.close

    def interrupted_close(descriptor: int) -> None:
        close(descriptor)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "close", interrupted_close)
        with pytest.raises(KeyboardInterrupt):
            directory.unlock()
    directory.unlock()  # does not close the same descriptor again
    directory.lock()
    directory.unlock()


def test_relative_directory_after_chdir(
    influxd: Server, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with influx_requests.InfluxDBClient.from_url(influxd.url, database=database) as client:
        with client.batch_writer(spool=Spool("spool"), max_delay=60) as writer:
            monkeypatch.chdir("/")
            writer.write(LINES)
            assert len(list(tmp_path.glob("spool/*.spool"))) == 1
    assert [path.name for path in tmp_path.glob("spool/*")] == ["lock"]


def test_asyncio_cancelled_while_entering(
    influxd: Server, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The directory is unlocked."""
    goes_on = threading.Event()

    async def main() -> None:
        async with influx_aiohttp.AsyncInfluxDBClient.from_url(influxd.url, database=database) as client:
            slow: Any = stalled(goes_on)
            monkeypatch.setattr(os, "fsync", slow)
            task = asyncio.create_task(client.batch_writer(spool=Spool(tmp_path / "new")).__aenter__())
            await asyncio.to_thread(slow.begun.wait, 20)
            task.cancel()
            goes_on.set()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(main(), debug=True)
    assert stored(influxd, database, tmp_path / "new") == []


def test_writer_can_be_entered_after_a_failed_attempt(influxd: Server, database: str, tmp_path: Path) -> None:
    with refused_port() as port:
        unreachable = influx_requests.InfluxDBClient.from_url(f"http://127.0.0.1:{port}", database=database, retry=SOON)
        with unreachable, unreachable.batch_writer(spool=Spool(tmp_path), exit_timeout=0) as writer:
            writer.write(LINES[0])
    with influx_requests.InfluxDBClient.from_url(influxd.url, database=database) as client:
        again = client.batch_writer(spool=Spool(tmp_path))
        with client.batch_writer(spool=Spool(tmp_path)):
            with pytest.raises(SpoolError, match="is used by another"), again:
                pass
        with again:
            again.write(LINES[1])
            again.flush()
            with pytest.raises(SpoolError, match="is used by another"), client.batch_writer(spool=Spool(tmp_path)):
                pass
            again.write(LINES[2])
    assert stored(influxd, database, tmp_path) == [0, 1, 2]


def test_completed_file_that_was_not_deleted_yet(influxd: Server, database: str, tmp_path: Path) -> None:
    """The process was killed after it had marked all lines as completed."""
    with refused_port() as port:
        unreachable = influx_requests.InfluxDBClient.from_url(f"http://127.0.0.1:{port}", database=database, retry=SOON)
        with unreachable, unreachable.batch_writer(spool=Spool(tmp_path), exit_timeout=0) as writer:
            writer.write(LINES)
    [segment] = tmp_path.glob("*.spool")
    data = segment.read_bytes()
    segment.write_bytes(data + mark_record(read_segment(data).batches[-1].number + 1))
    with influx_requests.InfluxDBClient.from_url(influxd.url, database=database) as client:
        with client.batch_writer(spool=Spool(tmp_path)) as writer:
            assert writer.pending == 0
            assert not list(tmp_path.glob("*.spool"))


def test_client_that_does_not_support_a_spool(influxd: Server, tmp_path: Path) -> None:
    with HTTPClientInfluxDBClient.from_url(influxd.url) as client:
        with pytest.raises(TypeError, match=f"does not support a spool .*{tmp_path}"):
            client.batch_writer(spool=Spool(tmp_path))


def test_thread_that_cannot_be_started(
    influxd: Server, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The spool stays usable, for example for a writer that is created after other threads have ended."""
    start = _thread.start_new_thread
    remaining = [None]  # the call thread starts, and the sender does not

    def start_one(*arguments: Any) -> int:
        if not remaining:
            raise RuntimeError("can't start new thread")
        remaining.pop()
        return start(*arguments)

    with influx_requests.InfluxDBClient.from_url(influxd.url, database=database) as client:
        writer = client.batch_writer(spool=Spool(tmp_path))
        with monkeypatch.context() as patch:
            patch.setattr(_thread, "start_new_thread", start_one)
            with pytest.raises(RuntimeError, match="new thread"):
                writer.__enter__()
        with pytest.raises(RuntimeError, match="closed"):
            writer.write(LINES)
        with client.batch_writer(spool=Spool(tmp_path)) as other:
            other.write(LINES)
    assert stored(influxd, database, tmp_path) == list(range(30))
