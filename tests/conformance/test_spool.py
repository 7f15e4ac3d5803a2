"""Spools: lines stay in a directory until they are stored, and the next writer delivers the remaining ones."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any
from zlib import crc32

import pytest
from influx_proto import (
    BufferFullError,
    DatabaseNotFound,
    InfluxDBError,
    PartialWriteError,
    RetryPolicy,
    Spool,
    SpoolError,
    TransportError,
    UndeliveredError,
)
from influx_proto._batch.spool.format import HEADER, encode_target, lines_record, segment_name
from influx_proto._encode.batch import Batch

from tests.conformance.drivers import Driver, run_concurrently
from tests.servers.influxd import Influxd, Server
from tests.servers.scripted import ScriptedServer, refused_port, reply

pytestmark = pytest.mark.needs("spool")

SOON = RetryPolicy(attempts=2, backoff=0.01, max_backoff=0.05)
LONG = 60.0


def line(n: int, value: int | None = None) -> str:
    return f"m n={n if value is None else value}i {n}"


def stored(client: Any) -> list[int]:
    series = client.query("SELECT n FROM m").series
    return [row[1] for row in series[0].values] if series else []


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.spool*"))


def leave_lines(connect: Callable[..., Any], folder: Path, *lines: str, database: str = "db", **options: Any) -> Any:
    """Write each line separately while the server is unreachable, and leave all in the spool."""
    with refused_port() as port:
        client = connect(f"http://127.0.0.1:{port}", database=database, retry=SOON)
        with client.batch_writer(spool=Spool(folder), exit_timeout=0, **options) as writer:
            for one in lines:
                writer.write(one)
    return writer


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def deliver(client: Any, folder: Path, **options: Any) -> Any:
    with client.batch_writer(spool=Spool(folder), **options) as writer:
        pass
    return writer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "a" / "spool"


@pytest.mark.parametrize(("umask", "of_directory", "of_files"), [(0o022, 0o750, 0o640), (0o077, 0o700, 0o600)])
def test_other_users_have_no_access(
    connect: Callable[..., Any], folder: Path, umask: int, of_directory: int, of_files: int
) -> None:
    before = os.umask(umask)
    try:
        leave_lines(connect, folder, line(1))
    finally:
        os.umask(before)
    assert folder.stat().st_mode & 0o777 == of_directory
    assert {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()} == {
        "lock": of_files,
        segments(folder)[0].name: of_files,
    }


@pytest.mark.parametrize("sync", [False, True])
def test_files_are_deleted_after_delivery(client: Any, folder: Path, sync: bool) -> None:
    with client.batch_writer(spool=Spool(folder, sync=sync), max_lines=10, max_delay=LONG) as writer:
        receipts = [writer.write(line(n)) for n in range(25)]
        assert segments(folder)
        writer.flush()
        assert all(receipt.done for receipt in receipts)
        writer.write([line(n) for n in range(25, 50)])
    assert stored(client) == list(range(50))
    assert [path.name for path in folder.iterdir()] == ["lock"]
    assert (writer.written, writer.pending, writer.undelivered) == (50, 0, [])


def test_idle_writer_deletes_its_files(client: Any, folder: Path) -> None:
    with client.batch_writer(spool=Spool(folder)) as writer:
        writer.write(line(1))
        writer.flush()
        assert writer.pending == 0
    with client.batch_writer(spool=Spool(folder)):
        assert segments(folder) == []


def test_next_writer_delivers_remaining_lines(
    connect: Callable[..., Any], client: Any, database: str, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with refused_port() as port:
        unreachable = connect(f"http://127.0.0.1:{port}", database=database, retry=SOON)
        with unreachable.batch_writer(spool=Spool(folder), max_lines=10, exit_timeout=0.3) as writer:
            receipt = writer.write([line(n) for n in range(25)])
            other = writer.write("m n=25i 25", db=database, precision="ns")
    assert (writer.pending, writer.written, writer.undelivered) == (26, 0, [])
    assert not receipt.done
    assert receipt.error is None
    assert not other.done
    assert "pending" in repr(receipt)
    left = [one for one in caplog.records if " keeps " in one.message]
    assert [(one.levelno, one.message.partition(":")[0]) for one in left] == [
        (logging.WARNING, f"the spool {folder} keeps 26 lines")
    ]
    with unreachable.batch_writer(spool=Spool(folder), exit_timeout=0) as writer:
        assert writer.pending == 26
    client.db = None  # the lines keep their database, whatever the next client's database is
    with client.batch_writer(spool=Spool(folder), max_delay=LONG) as writer:
        writer.write("m n=26i 26", db=database)
        writer.flush()
    client.db = database
    assert stored(client) == list(range(27))
    assert writer.written == 27
    assert segments(folder) == []


def test_server_outage(driver: Driver, folder: Path) -> None:
    with Influxd() as server:
        with driver.client(server.url, database="db", retry=SOON) as client:
            client.create_database("db")
            with client.batch_writer(spool=Spool(folder), exit_timeout=0.2) as writer:
                writer.write([line(n) for n in range(10)])
                writer.flush()
                server.kill()
                for n in range(10, 30):
                    writer.write(line(n))
            assert writer.pending == 20
            server.start()
            assert deliver(client, folder).written == 20
            assert stored(client) == list(range(30))


@pytest.mark.needs("retention_policies")
def test_targets(connect: Callable[..., Any], client: Any, database: str, folder: Path) -> None:
    client.create_retention_policy("long", database, "INF", replication=1)
    with refused_port() as port:
        unreachable = connect(f"http://127.0.0.1:{port}", retry=SOON)
        with unreachable.batch_writer(spool=Spool(folder), exit_timeout=0) as writer:
            writer.write(line(1), db=database, rp="long")
            writer.write("m n=2i 2", db=database, precision="s")
            writer.write({"measurement": "m", "fields": {"n": 3}}, db=database)
    deliver(client, folder)
    assert client.query("SELECT n FROM long.m").series[0].values == [[1, 1]]
    assert client.query("SELECT n FROM m").series[0].values[0] == [2_000_000_000, 2]
    assert stored(client) == [2, 3]


def test_later_value_of_a_point_is_kept(connect: Callable[..., Any], client: Any, database: str, folder: Path) -> None:
    leave_lines(connect, folder, *(line(0, n) for n in range(5)), database=database, max_lines=2)
    leave_lines(connect, folder, *(line(0, n) for n in range(5, 10)), database=database, max_lines=2)
    with client.batch_writer(spool=Spool(folder), max_delay=0) as writer:
        assert writer.pending == 10
        writer.write(line(0, 10))
    assert stored(client) == [10]
    leave_lines(connect, folder, line(0, 11), line(0, 12), database=database)
    deliver(client, folder)
    assert stored(client) == [12]


def test_stored_lines_are_not_sent_again(connect: Callable[..., Any], folder: Path) -> None:
    """Lines stored before the writer exited are not sent again, although their file also has undelivered lines."""
    with ScriptedServer([reply(204), reply(204), *[reply(503)] * 2]) as server:
        client = connect(server.url, database="db", retry=RetryPolicy(attempts=1, max_backoff=60))
        with client.batch_writer(spool=Spool(folder), max_lines=10, exit_timeout=0.2, max_delay=LONG) as writer:
            writer.write([line(n) for n in range(40)])
            assert len(segments(folder)) == 1
        assert (writer.written, writer.pending) == (20, 20)
    with ScriptedServer([reply(204)] * 4) as server:
        deliver(connect(server.url, database="db"), folder, max_lines=10)
        bodies = [request.body for request in server.requests]
    assert b"\n".join(bodies).split(b"\n") == [line(n).encode() for n in range(20, 40)]


@pytest.mark.parametrize("is_lock_deleted", [False, True])
def test_second_writer_is_rejected(client: Any, folder: Path, is_lock_deleted: bool) -> None:
    with client.batch_writer(spool=Spool(folder)) as writer:
        if is_lock_deleted:
            (folder / "lock").unlink()
        with pytest.raises(SpoolError, match=r"spool is used by another batch writer$"):
            with client.batch_writer(spool=Spool(folder)):
                pass
        writer.write(line(1))
    deliver(client, folder)
    assert stored(client) == [1]


def test_invalid_directory(client: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SpoolError, match="file cannot be locked: ") as caught:
        with client.batch_writer(spool=Spool(tmp_path / "file")):
            pass
    assert isinstance(caught.value.__cause__, OSError)
    with pytest.raises(TypeError, match=r"^spool: must be an instance of Spool"):
        client.batch_writer(spool=str(tmp_path))


#: Approximate size of a file header and a record of one line.
ROOM = 140


def size_of(folder: Path) -> int:
    """Return the total size of the files, some of which may be deleted meanwhile."""
    size = 0
    for path in segments(folder):
        with contextlib.suppress(FileNotFoundError):
            size += path.stat().st_size
    return size


def test_full_spool_blocks_writers(connect: Callable[..., Any], folder: Path) -> None:
    with ScriptedServer([reply(503), *[reply(204)] * 100]) as server:
        client = connect(server.url, database="db", retry=RetryPolicy(attempts=1, max_backoff=0.1))
        with client.batch_writer(spool=Spool(folder, 10 * ROOM), max_delay=0, max_lines=3) as writer:
            for n in range(100):
                writer.write(line(n))
                # While sizes are added up, one file may be deleted and another may grow.
                assert min(size_of(folder) for _ in range(5)) <= 10 * ROOM
        bodies = [request.body for request in server.requests]
    assert b"\n".join(bodies[1:]).split(b"\n") == [line(n).encode() for n in range(100)]
    assert segments(folder) == []


def test_full_spool_raises(connect: Callable[..., Any], folder: Path) -> None:
    with refused_port() as port:
        client = connect(f"http://127.0.0.1:{port}", database="db", retry=SOON)
        spool = Spool(folder, 5 * ROOM)
        with client.batch_writer(spool=spool, when_full="raise", exit_timeout=0) as writer:
            with pytest.raises(BufferFullError, match=rf"the spool .* of at most {5 * ROOM} bytes") as full:
                for n in range(20):
                    writer.write(line(n))
            assert full.value.retryable
            assert 4 <= writer.pending <= 8


def test_full_spool_drops_the_oldest_batch(
    connect: Callable[..., Any], client: Any, database: str, folder: Path
) -> None:
    errors: list[InfluxDBError] = []
    with refused_port() as port:
        unreachable = connect(f"http://127.0.0.1:{port}", database=database, retry=SOON)
        options = {"max_lines": 2, "when_full": "drop_oldest", "exit_timeout": 0, "on_error": errors.append}
        with pytest.raises(BufferFullError, match="dropped the oldest"):
            with unreachable.batch_writer(spool=Spool(folder, 10 * ROOM), **options) as writer:
                for n in range(40):
                    writer.write(line(n))
                    assert size_of(folder) <= 10 * ROOM
    dropped = [error for error in errors if isinstance(error, UndeliveredError)]
    assert all(isinstance(error, UndeliveredError | TransportError) for error in errors)
    lines = [one for error in dropped for part in error.undelivered for one in part.data.split(b"\n")]
    deliver(client, folder)
    left = stored(client)
    assert [line(n).encode() for n in range(40 - len(left))] == lines
    assert left == list(range(40 - len(left), 40))
    assert 4 <= len(left) <= 16


PAGE = {"Content-Type": "text/html"}
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "behavior",
    [
        reply(200, PAGE, b"<html>"),
        reply(404, PAGE, b"<html>"),
        reply(500, PAGE, b"<html>"),
        reply(302, {"Location": "http://elsewhere/login"}),
        reply(401, JSON, b'{"error":"authorization failed"}'),
        reply(403, JSON, b'{"error":"not authorized"}'),
        reply(404, JSON, b'{"error":"database not found: \\"db\\""}'),
        reply(400, JSON, b'{"error":"invalid precision"}'),
        reply(407, PAGE, b"<html>Squid</html>"),
        reply(405),
    ],
    ids=lambda behavior: str(behavior[-1].data[9:12]),
)
def test_lines_stay_until_the_server_stores_or_rejects_them(
    connect: Callable[..., Any], client: Any, database: str, folder: Path, behavior: Any
) -> None:
    errors: list[InfluxDBError] = []
    with ScriptedServer([behavior]) as server:
        other = connect(server.url, database=database, retry=SOON)
        with contextlib.suppress(InfluxDBError):
            with other.batch_writer(spool=Spool(folder), exit_timeout=0.3, on_error=errors.append) as writer:
                receipt = writer.write([line(1), line(2)])
                with pytest.raises(InfluxDBError):
                    writer.flush(timeout=0.3)
                writer.write(line(3))
        assert (writer.pending, writer.undelivered, receipt.done) == (3, [], False)
        assert errors
    assert deliver(client, folder).written == 3
    assert stored(client) == [1, 2, 3]
    assert segments(folder) == []


@pytest.mark.needs("administration")
def test_lines_of_a_missing_database_do_not_hold_up_others(client: Any, database: str, folder: Path) -> None:
    began = time.monotonic()
    with pytest.raises(DatabaseNotFound) as caught:
        with client.batch_writer(spool=Spool(folder), max_delay=0.01) as writer:
            first = writer.write(line(1), db=f"{database}_later")
            second = writer.write(line(2))
            wait_until(lambda: second.done)
            with pytest.raises(DatabaseNotFound):
                writer.flush()
            third = writer.write(line(3))
            wait_until(lambda: third.done)
            assert not first.done
            assert writer.pending == 1
    assert caught.value.__notes__[-1] == f"the spool {folder} keeps 1 line"
    assert time.monotonic() - began < 10
    client.create_database(f"{database}_later")
    try:
        deliver(client, folder)
        assert segments(folder) == []
        assert client.query("SELECT n FROM m", db=f"{database}_later").series[0].values == [[1, 1]]
    finally:
        client.drop_database(f"{database}_later")
    assert stored(client) == [2, 3]


@pytest.mark.needs("administration")
def test_lines_of_an_earlier_writer_are_first_after_a_rejection(
    connect: Callable[..., Any], influxd: Server, database: str, folder: Path
) -> None:
    """The spool stores the name of the database, and `write` has none: both lines are for the client's database."""
    later = f"{database}_later"
    client = connect(influxd.url, database=later, retry=SOON)
    leave_lines(connect, folder, line(0, 1), database=later)
    try:
        with client.batch_writer(spool=Spool(folder), max_delay=0.01) as writer:
            with pytest.raises(DatabaseNotFound):
                writer.flush()
            client.create_database(later)
            writer.write(line(0, 2))
            wait_until(lambda: writer.pending == 0)
        assert stored(client) == [2]
    finally:
        client.drop_database(later)


@pytest.mark.needs("administration")
def test_database_that_is_created_later(client: Any, database: str, folder: Path) -> None:
    with client.batch_writer(spool=Spool(folder)) as writer:
        writer.write(line(1), db=f"{database}_later")
        with pytest.raises(DatabaseNotFound):
            writer.flush()
        client.create_database(f"{database}_later")
        writer.flush()  # does not wait for the next attempt
        assert writer.pending == 0
    client.drop_database(f"{database}_later")


def test_spool_full_of_lines_for_a_missing_database(connect: Callable[..., Any], influxd: Server, folder: Path) -> None:
    client = connect(influxd.url, database="nowhere")
    with pytest.raises(DatabaseNotFound):
        with client.batch_writer(spool=Spool(folder), max_pending=10, max_lines=5) as writer:
            with pytest.raises(BufferFullError, match=r"database not found|no dbrp mapping found"):
                for n in range(20):
                    writer.write(line(n))


def test_rejected_lines_do_not_stay(connect: Callable[..., Any], client: Any, database: str, folder: Path) -> None:
    client.write("m n=1i 0")
    leave_lines(connect, folder, "m n=1.5 1", line(2), database=database)
    with pytest.raises(PartialWriteError, match="field type conflict") as caught:
        deliver(client, folder)
    assert [line for line, _ in caught.value.rejected] == ["m n=1.5 1"]
    assert segments(folder) == []
    assert stored(client) == [1, 2]


def test_incomplete_lines_of_an_earlier_version(client: Any, database: str, folder: Path) -> None:
    """An earlier version accepted them. They neither stop the writer nor lose other lines."""
    kept = [b'm s="cut 1', line(1).encode(), b"m,path=C:\\", line(2).encode(), b'm s="x\nm n=3i 3\nm n=4i 4', b"#\n"]
    records = [
        lines_record(n, encode_target(((("db", database),), False), "ns"), Batch(data, 1, "ns", timed=True))
        for n, data in enumerate([*kept, line(5).encode()])
    ]
    folder.mkdir(parents=True)
    (folder / segment_name(1)).write_bytes(HEADER + b"".join(records))
    with pytest.raises(PartialWriteError) as caught:
        deliver(client, folder)
    assert [one.line for one in caught.value.rejected] == ['m s="cut 1', "m,path=C:\\", 'm s="x']
    assert stored(client) == [1, 2, 3, 4, 5]
    assert segments(folder) == []


def test_remaining_lines_of_a_dropped_database_stay(connect: Callable[..., Any], client: Any, folder: Path) -> None:
    leave_lines(connect, folder, line(1), line(2), database="gone")
    for _ in range(2):
        with pytest.raises(DatabaseNotFound):
            deliver(client, folder)
        assert segments(folder) != []


def test_callers_exception(connect: Callable[..., Any], client: Any, database: str, folder: Path) -> None:
    with refused_port() as port:
        unreachable = connect(f"http://127.0.0.1:{port}", database=database, retry=SOON)
        with pytest.raises(KeyError) as caught:
            with unreachable.batch_writer(spool=Spool(folder), exit_timeout=0.1) as writer:
                writer.write(line(1))
                raise KeyError("mine")
    assert not hasattr(caught.value, "__notes__")
    deliver(client, folder)
    assert stored(client) == [1]


def test_truncated_last_record(
    connect: Callable[..., Any], client: Any, database: str, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    leave_lines(connect, folder, line(1), line(2), line(3), database=database)
    [segment] = segments(folder)
    segment.write_bytes(segment.read_bytes()[:-3])
    leave_lines(connect, folder, line(4), database=database)
    assert [one.levelno for one in caplog.records if "truncated record" in one.message] == [logging.WARNING]
    caplog.clear()
    deliver(client, folder)
    assert not [one for one in caplog.records if "truncated record" in one.message or "damaged" in one.message]
    assert stored(client) == [1, 2, 4]
    assert segments(folder) == []


def test_corrupt_record_in_the_middle(
    connect: Callable[..., Any], client: Any, database: str, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    leave_lines(connect, folder, line(1), line(2), line(3), database=database)
    leave_lines(connect, folder, line(4), database=database)
    first, _ = segments(folder)
    data = first.read_bytes().replace(line(2).encode(), line(7).encode())
    first.write_bytes(data)
    deliver(client, folder)
    [record] = [one for one in caplog.records if "damaged" in one.message]
    assert record.levelno == logging.ERROR
    assert str(first) in record.message
    assert stored(client) == [1, 3, 4]
    assert [path.name for path in segments(folder)] == [f"{first.name}.damaged"]
    assert segments(folder)[0].read_bytes() == data
    leave_lines(connect, folder, line(5), database=database)
    deliver(client, folder)
    assert stored(client) == [1, 3, 4, 5]
    assert segments(folder)[0].read_bytes() == data  # the damaged file is neither overwritten nor read again


def test_unrelated_files_are_kept(client: Any, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "notes.txt").write_text("mine")
    with client.batch_writer(spool=Spool(folder)) as writer:
        writer.write(line(1))
    assert sorted(path.name for path in folder.iterdir()) == ["lock", "notes.txt"]


def test_file_of_a_later_version_is_kept(client: Any, folder: Path) -> None:
    folder.mkdir(parents=True)
    later = folder / f"{3:016d}.spool"
    data = b"influxdb spool\n\x02"
    data += crc32(data).to_bytes(4) + b"unknown"
    later.write_bytes(data)
    for _ in range(2):
        with pytest.raises(SpoolError, match=r"spool has version 2 "):
            deliver(client, folder)
    assert later.read_bytes() == data


def test_concurrent_writers(connect: Callable[..., Any], client: Any, database: str, folder: Path) -> None:
    with client.batch_writer(spool=Spool(folder), max_lines=50, max_delay=0.01) as writer:
        run_concurrently(*(lambda k=k: [writer.write(line(n)) for n in range(50 * k, 50 * k + 50)] for k in range(8)))
        run_concurrently(writer.flush, writer.flush)
        assert stored(client) == list(range(400))
    assert segments(folder) == []
    with refused_port() as port:
        unreachable = connect(f"http://127.0.0.1:{port}", database=database, retry=SOON)
        with unreachable.batch_writer(spool=Spool(folder), exit_timeout=0) as writer:
            run_concurrently(
                *(lambda k=k: [writer.write(line(n)) for n in range(50 * k, 50 * k + 50)] for k in range(8, 12))
            )
        assert writer.pending == 200
    deliver(client, folder)
    assert stored(client) == list(range(600))


def remove_segment(folder: Path) -> None:
    segments(folder)[-1].unlink()


def truncate_segment(folder: Path) -> None:
    segments(folder)[-1].write_bytes(b"")


def remove_directory(folder: Path) -> None:
    shutil.rmtree(folder)


def replace_directory(folder: Path) -> None:
    folder.rename(folder.with_name("moved"))
    folder.mkdir()


LOSSES = [remove_segment, truncate_segment, remove_directory, replace_directory]


@pytest.mark.parametrize("lose", LOSSES)
def test_deleted_files_are_reported_on_flush(client: Any, folder: Path, lose: Callable[[Path], None]) -> None:
    """The pending lines are delivered from memory."""
    errors: list[InfluxDBError] = []
    with client.batch_writer(spool=Spool(folder), max_delay=LONG, on_error=errors.append) as writer:
        writer.write(line(1))
        lose(folder)
        with pytest.raises(SpoolError, match=r"another program deleted, moved or truncated 0+1\.spool in the spool"):
            writer.flush()
        writer.flush()
        assert stored(client) == [1]
    assert [type(error) for error in errors] == [SpoolError]


@pytest.mark.parametrize("lose", LOSSES)
def test_lines_of_deleted_files_are_returned_on_exit(
    connect: Callable[..., Any], client: Any, folder: Path, lose: Callable[[Path], None]
) -> None:
    with refused_port() as port:
        unreachable = connect(f"http://127.0.0.1:{port}", database="db", retry=SOON)
        with pytest.raises(UndeliveredError, match="do not survive") as caught:
            with unreachable.batch_writer(spool=Spool(folder), max_delay=LONG, exit_timeout=0) as writer:
                writer.write([line(1), line(2)])
                lose(folder)
    assert [lines.data.decode().split("\n") for lines in caught.value.undelivered] == [[line(1), line(2)]]
    assert writer.pending == 0
    assert deliver(client, folder).written == 0


def test_write_to_a_deleted_file_with_sync(client: Any, folder: Path) -> None:
    """It is noticed at once. Further lines go to another file."""
    errors: SimpleQueue[InfluxDBError] = SimpleQueue()  # a thread of the writer may report them
    options = {"spool": Spool(folder, sync=True), "max_delay": LONG, "on_error": errors.put}
    with client.batch_writer(**options) as writer:
        writer.write(line(1))
        remove_segment(folder)
        with pytest.raises(SpoolError, match="the file was deleted; the spool did not accept 1 line"):
            writer.write(line(2))
        writer.write(line(3))
        assert len(segments(folder)) == 1
        assert isinstance(errors.get(timeout=20), SpoolError)
        assert errors.empty()
        with contextlib.suppress(SpoolError):
            writer.flush()
    assert stored(client) == [1, 3]


@pytest.mark.parametrize("lose", [remove_directory, replace_directory])
def test_new_file_in_a_deleted_directory(client: Any, folder: Path, lose: Callable[[Path], None]) -> None:
    """Files are small, so that each write needs a new one. Later lines cannot be stored; earlier ones are delivered."""
    errors: SimpleQueue[InfluxDBError] = SimpleQueue()  # a thread of the writer may report them
    with (
        pytest.raises(SpoolError),
        client.batch_writer(spool=Spool(folder, 800), max_delay=LONG, on_error=errors.put) as writer,
    ):
        writer.write(line(1))
        lose(folder)
        with pytest.raises(SpoolError, match="the spool did not accept 1 line"):
            writer.write(line(2))
        assert isinstance(errors.get(timeout=20), SpoolError)
        assert errors.empty()
    assert stored(client) == [1]


def test_moved_directory(connect: Callable[..., Any], client: Any, folder: Path) -> None:
    """The writer keeps using it."""
    moved = folder.with_name("moved")
    with client.batch_writer(spool=Spool(folder, 800), max_delay=LONG) as writer:
        writer.write(line(1))
        folder.rename(moved)
        writer.flush()
        writer.write(line(2))
        writer.write(line(3))
    assert segments(moved) == []
    assert not folder.exists()
    assert stored(client) == [1, 2, 3]
