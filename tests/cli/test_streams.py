"""Input that is not a regular file: pipes, FIFOs, sockets and terminals."""

from __future__ import annotations

import contextlib
import fcntl
import gzip
import io
import json
import os
import pty
import select
import signal
import socket
import subprocess
import sys
import termios
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]  # no type hints
import pyarrow.parquet as pq  # type: ignore[import-untyped]  # no type hints
import pytest
from influx_requests import InfluxDBClient
from influx_requests._cli._bar import Bar
from influx_requests._cli._files import Input
from influx_requests._cli._line_protocol_source import LineProtocol
from influx_requests._cli._live_input import LiveInput
from influx_requests._cli._signals import InputInterrupted

from tests.cli.program import PROGRAM, environment, run
from tests.servers.scripted import ScriptedServer, reply

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def values(client: InfluxDBClient) -> list[float]:
    return [row["v"] for row in client.query("SELECT v FROM m").points()]


def wait_for(client: InfluxDBClient, count: int) -> None:
    end = time.monotonic() + 60
    while len(values(client)) < count:
        assert time.monotonic() < end
        time.sleep(0.05)


@contextlib.contextmanager
def writing(env: dict[str, str], *arguments: str, command: str = "write") -> Iterator[subprocess.Popen[str]]:
    """Run a command with a pipe as standard input; Ctrl-C is not ignored, as it is in background jobs of a shell."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen(
            [PROGRAM, command, *arguments],
            env=env,
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
    finally:
        signal.signal(signal.SIGINT, before)
    with process:
        try:
            yield process
        finally:
            process.kill()  # a failure would wait for it indefinitely


def feed(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdin is not None
    process.stdin.write(text)
    process.stdin.flush()


def wait_until_read(process: subprocess.Popen[str]) -> None:
    """Wait until the program has read all data of the pipe."""
    assert process.stdin is not None
    unread = bytearray(4)
    while fcntl.ioctl(process.stdin, termios.FIONREAD, unread) or any(unread):
        assert process.poll() is None
        time.sleep(0.01)


def stderr(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    return process.stderr.read()


@pytest.mark.parametrize(
    "command",
    [
        "influxq write <(cat m.lp) -f lp",
        "influxq write -f lp /dev/stdin < m.lp",
        "cat m.lp | influxq write /dev/stdin -f lp",
        "mkfifo fifo.lp; cat m.lp > fifo.lp & influxq write fifo.lp",
        "influxq write < m.lp",
        "influxq write <(gzip -c m.lp) -f lp",
        "influxq write <(cat m.csv) -f csv --measurement m",
        "cat m.parquet | influxq write -f parquet --measurement m",
    ],
)
def test_forms_of_streams(env: dict[str, str], client: InfluxDBClient, tmp_path: Path, command: str) -> None:
    (tmp_path / "m.lp").write_text("m v=1i 1\nm v=2i 2")
    (tmp_path / "m.csv").write_text("time,v\n1,1\n2,2\n")
    pq.write_table(pa.table({"time": [1, 2], "v": [1, 2]}), tmp_path / "m.parquet")
    before = set(tmp_path.iterdir())
    folder = str(Path(PROGRAM).parent)
    done = subprocess.run(
        ["bash", "-c", command],
        env={**env, "PATH": f"{folder}:/usr/bin:/bin"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.endswith(": 2 lines stored\n")
    assert values(client) == [1, 2]
    assert {path for path in tmp_path.iterdir() if path.suffix != ".lp" or path.is_file()} == before


def test_socket_as_standard_input(env: dict[str, str], client: InfluxDBClient) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = subprocess.Popen([PROGRAM, "write", "/dev/stdin", "-f", "lp"], env=env, stdin=theirs.fileno())
        ours.sendall(b"m v=1 1\nm v=2 2")
        ours.shutdown(socket.SHUT_WR)
        assert process.wait(60) == 0
    assert values(client) == [1, 2]


def test_streams_cannot_be_resumed(env: dict[str, str], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "m.lp")
    both_ends = os.open(tmp_path / "m.lp", os.O_RDWR)  # so that opening it does not wait
    done = run(env, "write", tmp_path / "m.lp", "--resume", code=2)
    os.close(both_ends)
    assert "m.lp cannot be read again" in done.stderr


def test_lines_of_a_pipe_are_stored_as_they_arrive(env: dict[str, str], client: InfluxDBClient) -> None:
    with writing(env, "--max-delay", "0.05") as process:
        feed(process, "m v=1 1\nm v=")
        wait_for(client, 1)
        feed(process, '2 2\nm v=3,s="a\n')
        wait_for(client, 2)
        feed(process, 'b" 3\n')
        wait_for(client, 3)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        assert stderr(process) == "<stdin>: 3 lines stored\ninfluxq: interrupted\n"


def test_json_lines_of_a_pipe_are_stored_as_they_arrive(env: dict[str, str], client: InfluxDBClient) -> None:
    with writing(env, "--max-delay", "0.05", "-f", "json") as process:
        feed(process, '{"measurement": "m", "fields": {"v": 1.5}, "time": 1}\n{"measurement"')
        wait_for(client, 1)
        feed(process, ': "m", "fields": {"v": 2.5}, "time": 2}\n')
        wait_for(client, 2)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 143
        assert stderr(process) == "<stdin>: 2 lines stored\ninfluxq: terminated\n"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_lines_that_were_read_are_stored_on_interruption(
    env: dict[str, str], client: InfluxDBClient, number: int, code: int
) -> None:
    with writing(env, "--max-delay", "3600", "-v") as process:
        feed(process, "m v=1 1\nm v=2 2\nm v=3")  # the last line is incomplete
        wait_until_read(process)
        assert values(client) == []
        process.send_signal(number)
        assert process.wait(60) == code
        assert "<stdin>: 2 lines stored\n" in stderr(process)
    assert values(client) == [1, 2]


def test_lines_that_cannot_be_stored_on_interruption_are_counted() -> None:
    arguments = ["--max-delay", "1000", "--retry-for", "1000"]
    with ScriptedServer([reply(503)]) as server, writing(environment(server.url, "db"), *arguments) as process:
        feed(process, "m v=1 1\nm v=2 2\n")
        wait_until_read(process)
        process.send_signal(signal.SIGINT)  # ends the input, so that its lines are sent
        assert server.wait_for(1, timeout=60).body == b"m v=1 1\nm v=2 2"
        process.send_signal(signal.SIGINT)  # ends the retries
        assert process.wait(60) == 130
        assert stderr(process) == "<stdin>: 0 lines stored, 2 not stored\ninfluxq: interrupted\n"


def test_signal_that_does_not_interrupt_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """It arrives just before the wait begins, or in another thread, as here."""
    reading, writing = os.pipe()
    begins = threading.Event()
    wait = select.select

    def select_(*arguments: Any) -> Any:
        begins.set()
        return wait(*arguments)

    def interrupt() -> None:
        begins.wait()
        signal.pthread_kill(threading.get_ident(), signal.SIGWINCH)  # does not end the input
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)

    monkeypatch.setattr(select, "select", select_)
    thread = threading.Thread(target=interrupt)
    end = threading.Timer(10, os.write, (writing, b"the wait was not interrupted"))
    source = LiveInput(reading)
    before = signal.signal(signal.SIGWINCH, lambda *_: None)
    try:
        thread.start()
        end.start()
        with pytest.raises(InputInterrupted), source.interruptible():
            source.readinto(bytearray(100))
        assert end.is_alive()
    finally:
        signal.signal(signal.SIGWINCH, before)
        end.cancel()
        thread.join()
        source.close()
        os.close(writing)


def test_one_ctrl_d_ends_the_input_at_a_terminal(env: dict[str, str], client: InfluxDBClient) -> None:
    for command, data, content, expected in (
        ("write", "m v=1 1", "line protocol", "<stdin>: 1 line stored\n"),
        ("write -f csv --measurement m", "time,v\n2,2.0", "CSV", "<stdin>: 1 line stored\n"),
        ("write /dev/stdin -f json", json.dumps({"measurement": "m", "fields": {"v": 3.0}, "time": 3}), "JSON lines",
         "/dev/stdin: 1 line stored\n"),
        ("query -", "SHOW MEASUREMENTS", "the query", ""),
        ("lint", "m v=1 1", "line protocol", ""),
        ("shell", "SHOW MEASUREMENTS", "statements", ""),
    ):  # fmt: skip
        master, terminal = pty.openpty()
        process = subprocess.Popen(
            [PROGRAM, *command.split()], env=env, stdin=terminal, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        os.close(terminal)
        os.write(master, f"{data}\n\x04".encode())
        _, stderr = process.communicate(timeout=60)
        assert process.returncode == 0, command
        os.close(master)
        assert stderr.decode() == f"reading {content} from the terminal; end with Ctrl-D\n{expected}"
    assert values(client) == [1, 2, 3]


@pytest.mark.parametrize(("name", "is_shown"), [("<stdin>", False), ("/dev/stdin", False), ("fifo", True)])
def test_progress_bar_does_not_overwrite_typed_lines(
    monkeypatch: pytest.MonkeyPatch, name: str, is_shown: bool
) -> None:
    screen = io.StringIO()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(screen, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", screen)
    monkeypatch.setattr(sys, "stderr", screen)
    bar = Bar(LineProtocol(Input(name, io.BytesIO(), None, None), "ns", lambda *_: None), 0)
    bar.update(9, 1, 0)
    bar.close()
    assert bool(screen.getvalue()) == is_shown


def test_closed_standard_input(env: dict[str, str]) -> None:
    for command in ("write -", "query -", "lint", "write /dev/stdin -f lp"):
        done = subprocess.run(
            ["bash", "-c", f"{PROGRAM} {command} <&-"], env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 2, done
        assert done.stderr == "influxq: standard input is closed; pass a file\n"


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_lines_of_a_compressed_stream_are_stored_as_they_arrive(
    env: dict[str, str], client: InfluxDBClient, tmp_path: Path, compression: str
) -> None:
    """The compressor flushes each line; the stream ends much later, and has two members."""
    path = tmp_path / "slow.lp"
    os.mkfifo(path)
    with (
        subprocess.Popen([PROGRAM, "write", "--max-delay", "0.05", path], env=env, stderr=subprocess.PIPE) as process,
        path.open("wb", buffering=0) as pipe,
    ):
        for member in range(2):
            gzip_compressor = zlib.compressobj(wbits=31)
            compress, flush, end = gzip_compressor.compress, zlib.Z_SYNC_FLUSH, zlib.Z_FINISH
            zstd_compressor = zstd.ZstdCompressor()
            for n in range(2):
                line = f"m v={member * 2 + n} {member * 2 + n}\n".encode()
                if compression == "gzip":
                    pipe.write(compress(line) + gzip_compressor.flush(flush))
                else:
                    pipe.write(zstd_compressor.compress(line, mode=zstd_compressor.FLUSH_BLOCK))
                wait_for(client, member * 2 + n + 1)
            pipe.write(gzip_compressor.flush(end) if compression == "gzip" else zstd_compressor.flush())
        pipe.close()
        assert process.wait(60) == 0


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
@pytest.mark.parametrize("end", [b"", b"garbage", None])
def test_ends_of_a_compressed_stream(
    env: dict[str, str], client: InfluxDBClient, compression: str, end: bytes | None
) -> None:
    lines = "".join(f"m v={n} {n}\n" for n in range(8_000)).encode()
    data = gzip.compress(lines) if compression == "gzip" else zstd.compress(lines)
    data = data[: len(data) // 2] if end is None else data * 2 + bytes(10) + end
    process = subprocess.run([PROGRAM, "write"], env=env, input=data, capture_output=True, check=False)
    errors = process.stderr.decode()
    assert process.returncode == (end != b""), errors
    assert ("<stdin>: the compressed data is truncated or malformed: " in errors) == (end != b"")
    assert "Traceback" not in errors
    if end is not None:
        assert len(values(client)) == 8_000


def test_truncated_gzip_stream(env: dict[str, str], client: InfluxDBClient, tmp_path: Path) -> None:
    data = gzip.compress("".join(f"m v={n} {n}\n" for n in range(3000)).encode())
    (tmp_path / "m.lp").write_bytes(data[: len(data) // 2])
    done = run(env, "write", tmp_path / "m.lp", code=1)
    assert "m.lp: the compressed data is truncated or malformed" in done.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_check(number: int, code: int) -> None:
    with writing(environment(None), command="lint") as process:
        feed(process, "m v=1 1\nm v= 2\nm v=1")
        wait_until_read(process)
        process.send_signal(number)
        assert process.wait(60) == code
        end = "interrupted" if number == signal.SIGINT else "terminated"
        assert stderr(process) == f"1 problem in 1 file\ninfluxq: {end}\n"
