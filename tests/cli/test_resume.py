"""Interrupted writes: after a kill of the server or the program, or a Ctrl-C, `--resume` continues where it stopped."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]  # no type hints
import pyarrow.parquet as pq  # type: ignore[import-untyped]  # no type hints
import pytest
from influx_requests import InfluxDBClient

from tests.cli.program import PROGRAM, environment, run, start
from tests.servers.influxd import Influxd

LINES = 60_000


@pytest.fixture(scope="module")
def server() -> Iterator[Influxd]:
    """Return a server that the test may kill."""
    with Influxd() as server, InfluxDBClient.from_url(server.url) as client:
        client.create_database("resumed")
        yield server


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return files with the same points in all formats."""
    folder = tmp_path_factory.mktemp("files")
    found = {file_format: folder / f"m.{file_format}" for file_format in ("lp", "json", "csv", "parquet")}
    found["lp"].write_text("".join(f'm,host=h{n % 7} v={n}i,s="{n}\n" {n}\n' for n in range(LINES)))
    with found["json"].open("w") as file:
        for n in range(LINES):
            point = {"measurement": "m", "tags": {"host": f"h{n % 7}"}, "fields": {"v": n, "s": f"{n}\n"}, "time": n}
            file.write(json.dumps(point) + "\n")
    found["csv"].write_text("time,host,v,s\n" + "".join(f'{n},h{n % 7},{n},"{n}\n"\n' for n in range(LINES)))
    numbers = range(LINES)
    hosts, texts = [f"h{n % 7}" for n in numbers], [f"{n}\n" for n in numbers]
    pq.write_table(pa.table({"time": numbers, "host": hosts, "v": numbers, "s": texts}), found["parquet"])
    return found


@pytest.fixture
def fresh(server: Influxd) -> Iterator[InfluxDBClient]:
    with InfluxDBClient.from_url(server.url, database="resumed") as client:
        client.create_database("resumed")
        yield client
        client.drop_database("resumed")


def read_progress(file: Path) -> dict[str, Any]:
    """Return the saved progress, as soon as there is one."""
    remembered = file.with_name(f"{file.name}.influx-progress")
    while not remembered.exists():
        time.sleep(0.002)
    found: dict[str, Any] = json.loads(remembered.read_text())
    return found


def check_all(client: InfluxDBClient) -> None:
    """Check that every point is stored and that no others are."""
    [series] = client.query("SELECT v, s, host FROM m").series
    assert len(series.values) == LINES
    assert all(row == [n, n, f"{n}\n", f"h{n % 7}"] for n, row in enumerate(series.values))


def stored_since_start(client: InfluxDBClient) -> int:
    [series] = [one for one in client.query("SHOW STATS FOR 'write'").series if one.name == "write"]
    count: int = series.values[0][series.columns.index("pointReq")]
    return count


OPTIONS = {"csv": ["--measurement", "m", "--tag-columns", "host", "--types", "s=string"],
           "parquet": ["--measurement", "m", "--tag-columns", "host"]}  # fmt: skip


@pytest.mark.parametrize("file_format", ["lp", "json", "csv", "parquet"])
def test_killed_server(server: Influxd, fresh: InfluxDBClient, files: dict[str, Path], file_format: str) -> None:
    env = environment(server.url, "resumed")
    command = ["write", str(files[file_format]), *OPTIONS.get(file_format, [])]
    process = start(env, *command, "--retry-for", "0")
    read_progress(files[file_format])
    server.kill()
    _, stderr = process.communicate(timeout=60)
    try:
        assert process.returncode == 3, stderr
    finally:
        server.start()
    stored = read_progress(files[file_format])["stored"]
    assert 0 < stored < LINES
    assert f"m.{file_format}: {stored:,} lines stored, up to line " in stderr
    assert "with --resume to continue" in stderr
    assert stderr.count("\n") == 2

    done = run(env, *command, "--resume")
    assert done.stderr.splitlines()[0].endswith(f"resuming after line {reached_lines(file_format, stored):,}")
    assert done.stderr.endswith(f"m.{file_format}: {LINES:,} lines stored\n")
    assert stored_since_start(fresh) == LINES - stored
    check_all(fresh)
    assert not list(files[file_format].parent.glob("*influx-progress*"))


def reached_lines(file_format: str, stored: int) -> int:
    """Convert a number of stored points to lines of the file: each point's text contains an LF."""
    return 2 * stored if file_format == "lp" else 2 * stored + 1 if file_format == "csv" else stored


def test_killed_program(server: Influxd, fresh: InfluxDBClient, files: dict[str, Path]) -> None:
    env = environment(server.url, "resumed")
    process = start(env, "write", files["lp"])
    read_progress(files["lp"])
    process.kill()
    process.communicate()
    assert 0 < read_progress(files["lp"])["stored"] < LINES
    assert run(env, "write", files["lp"], "--resume").stderr.endswith(f"m.lp: {LINES:,} lines stored\n")
    check_all(fresh)


def test_ctrl_c(server: Influxd, fresh: InfluxDBClient, files: dict[str, Path]) -> None:
    env = environment(server.url, "resumed")
    # Shells start background commands with SIGINT ignored, which the program would inherit.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = start(env, "write", files["lp"])
    finally:
        signal.signal(signal.SIGINT, before)
    read_progress(files["lp"])
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    stored = read_progress(files["lp"])["stored"]
    first, last = stderr.splitlines()
    assert first.endswith(
        f"{stored:,} lines stored, up to line {2 * stored:,}; repeat the command with --resume to continue"
    )
    assert last == "influxq: interrupted"
    assert run(env, "write", files["lp"], "--resume").stderr.endswith(f"m.lp: {LINES:,} lines stored\n")
    check_all(fresh)


def write_and_kill(server: Influxd, file: Path, *more: str | Path) -> None:
    """Kill the program while it writes a file."""
    env = environment(server.url, "resumed")
    process = start(env, "write", file, *more)
    read_progress(file)
    process.kill()
    process.communicate()


@pytest.mark.usefixtures("fresh")
def test_progress_is_ignored_for_another_file_or_database(server: Influxd, tmp_path: Path) -> None:
    file = tmp_path / "a.lp"
    file.write_text("".join(f"m v={n}i {n}\n" for n in range(LINES)))
    write_and_kill(server, file)
    env = environment(server.url, "resumed")
    command = ["write", str(file), "--resume"]
    for arguments, expected in (
        ([*command, "-d", "other"], "was being written to"),
        ([*command, "--rp", "autogen"], "was being written to"),
        ([*command, "--precision", "s"], "was being written with other options"),
    ):
        assert expected in run(env, *arguments, code=1).stderr
    file.write_text(file.read_text().replace("m v=0i 0", "m v=7i 0"))
    assert "has changed" in run(env, *command, code=1).stderr
    remembered = tmp_path / "a.lp.influx-progress"
    remembered.write_text("{}")
    assert "is malformed" in run(env, *command, code=1).stderr
    assert run(env, "write", file).stderr.endswith(f"{LINES:,} lines stored\n")
    assert not remembered.exists()


def test_earlier_rejected_lines_are_kept_and_counted(server: Influxd, fresh: InfluxDBClient, tmp_path: Path) -> None:
    file, refused = tmp_path / "a.lp", tmp_path / "refused.lp"
    file.write_text("m v=bad 1\n" + "".join(f"m v={n}i {n}\n" for n in range(LINES)) + "m v=worse 1")
    write_and_kill(server, file, "--rejected", refused)
    assert refused.read_text() == f"# {file}:1: invalid boolean\nm v=bad 1\n"
    env = environment(server.url, "resumed")
    done = run(env, "write", file, "--rejected", refused, "--resume", code=1)
    assert done.stderr.endswith(f"{LINES:,} lines stored, 2 rejected\n")
    assert refused.read_text().splitlines()[2:] == [f"# {file}:{LINES + 2}: invalid boolean", "m v=worse 1"]
    assert fresh.query("SELECT count(v) FROM m").series[0].values == [[0, LINES]]


def test_completed_files_are_not_written_again(server: Influxd, fresh: InfluxDBClient, tmp_path: Path) -> None:
    (tmp_path / "a.lp").write_text("m v=1i 1\n")
    (tmp_path / "b.json").write_text('{"measurement": "m", "fields": {"v": 2}, "time": 2}\n{')
    env = environment(server.url, "resumed")
    command = ["write", str(tmp_path / "a.lp"), str(tmp_path / "b.json")]
    run(env, *command, code=1)
    (tmp_path / "b.json").write_text('{"measurement": "m", "fields": {"v": 2}, "time": 2}\n')
    before = stored_since_start(fresh)
    done = run(env, *command, "--resume")
    assert stored_since_start(fresh) == before + 1
    assert done.stderr.splitlines()[0].endswith("a.lp: resuming after line 1")
    assert {path.name for path in tmp_path.iterdir()} == {"a.lp", "b.json"}


def test_unwritable_progress_file_is_reported(server: Influxd, fresh: InfluxDBClient, tmp_path: Path) -> None:
    (tmp_path / "a.lp").write_text("m v=1i 1\n")
    (tmp_path / "a.lp.influx-progress.new").mkdir()
    done = run(environment(server.url, "resumed"), "write", tmp_path / "a.lp")
    assert "warning: cannot write" in done.stderr
    assert done.stderr.endswith("1 line stored\n")
    assert fresh.query("SELECT v FROM m").series[0].values == [[1, 1]]


def test_standard_input_cannot_be_resumed(server: Influxd) -> None:
    done = run(environment(server.url, "resumed"), "write", "--resume", code=2)
    assert "--resume requires files" in done.stderr


def test_server_outage(server: Influxd, fresh: InfluxDBClient, files: dict[str, Path]) -> None:
    """The outage ends within the time for retries, so it is not visible to the user."""
    process = start(environment(server.url, "resumed"), "write", files["lp"], "--retry-for", "60")
    read_progress(files["lp"])
    server.kill()
    server.start()
    _, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (0, f"{files['lp']}: {LINES:,} lines stored\n")
    check_all(fresh)


def test_lines_through_a_pipe(server: Influxd, fresh: InfluxDBClient, files: dict[str, Path]) -> None:
    with files["lp"].open("rb") as file:
        command = [PROGRAM, "write"]
        subprocess.run(command, stdin=file, env=environment(server.url, "resumed"), check=True, timeout=60)
    check_all(fresh)
