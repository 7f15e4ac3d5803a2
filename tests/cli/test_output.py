"""Output of `query`: files, terminals, and values that a format cannot represent."""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import pty
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from influx_proto import QueryResult
from influx_requests import InfluxDBClient
from influx_requests._cli._output_file import replace_when_complete
from influx_requests._cli._outputs import create_output, encode_json
from influx_requests._cli._table import Table, Vertical

from tests.cli.program import PROGRAM, environment, run
from tests.servers.scripted import Hold, Receive, ScriptedServer, Send, chunked, respond

HOUR = 3600 * 10**9


def test_json_has_no_infinities() -> None:
    point = {"measurement": "m", "tags": {}, "fields": {"a": float("inf"), "b": 1.5, "c": float("nan")}, "time": 1}
    assert json.loads(encode_json(point), parse_constant=pytest.fail)["fields"] == {"a": None, "b": 1.5, "c": None}


CELLS = {
    "numbers": [(1, "1"), (-2.5, "-2.5"), (1e-9, "1e-09"), (float("inf"), "inf")],
    "booleans": [(True, "true"), (False, "false")],
    "texts": [(text, text) for text in ("a", "", " b ", "a,b", 'a "b"', '"', "a\rb", "a\nb", "漢")],
    "mixed": [(None, "-"), (True, "true"), (1, "1"), (1.5, "1.5"), ("a,b", "a,b"), (["x", 1], '["x", 1]'), ("", "")],
}


@pytest.mark.parametrize("columns", [["time", "v"], ["v"]], ids=" ".join)
@pytest.mark.parametrize("cells", CELLS.values(), ids=CELLS)
def test_csv_is_read_as_it_was_written(columns: list[str], cells: list[tuple[Any, str]]) -> None:
    for name, tags in (('m,"', {"t": "x\n"}), ("", {})):
        rows = [[1, cell][-len(columns) :] for cell, _ in cells]
        file = io.StringIO()
        series = [{"name": name, "tags": tags, "columns": columns, "values": rows}]
        create_output(file, "csv", argparse.Namespace(null="-")).add(QueryResult([{"series": series}]))
        header, *found = csv.reader(io.StringIO(file.getvalue(), newline=""), strict=True)
        label = ["measurement" if "time" in columns else "name", "t"] if name else []
        assert header == label + columns
        assert [row[-1] for row in found] == [text for _, text in cells]
        assert all(row[: -len(columns)] == [name, *tags.values()][: len(label)] for row in found)


def test_tag_columns_of_lists(env: dict[str, str], client: InfluxDBClient) -> None:
    client.query(f"CREATE SUBSCRIPTION s ON {client.db}.autogen DESTINATIONS ALL 'udp://127.0.0.1:1'")
    try:
        done = run(env, "query", "SHOW SUBSCRIPTIONS", "-f", "json", "--tag-columns", "destinations,name")
        tags = [json.loads(line)["tags"] for line in done.stdout.splitlines()]
        assert {"destinations": ["udp://127.0.0.1:1"], "name": "s"} in tags
    finally:
        client.query(f"DROP SUBSCRIPTION s ON {client.db}.autogen")


def test_output_keeps_links_and_permissions(env: dict[str, str], client: InfluxDBClient, tmp_path: Path) -> None:
    client.write("m v=1 1")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "real.csv").write_text("old")
    (tmp_path / "folder" / "real.csv").chmod(0o640)
    (tmp_path / "link.csv").symlink_to("folder/real.csv")
    run(env, "query", "SELECT v FROM m", "-o", tmp_path / "link.csv")
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "folder" / "real.csv").read_text().startswith("measurement")
    assert (tmp_path / "folder" / "real.csv").stat().st_mode & 0o777 == 0o640
    assert len(list((tmp_path / "folder").iterdir())) == 1
    before = os.umask(0o027)
    try:
        run(env, "query", "SELECT v FROM m", "-o", tmp_path / "new.csv")
    finally:
        os.umask(before)
    run(env, "query", "SELECT v FROM m", "-o", tmp_path / "new.parquet")


@pytest.mark.parametrize("exists", [False, True])
def test_temporary_file_that_another_user_has_linked(tmp_path: Path, exists: bool) -> None:
    other, output = tmp_path / "other", tmp_path / "out.csv"
    other.write_text("unchanged")
    if exists:
        output.write_text("old")
    (tmp_path / f"out.csv.{os.getpid()}.part").symlink_to(other)
    with replace_when_complete(output) as path:
        path.write_text("new")
    assert other.read_text() == "unchanged"
    assert output.read_text() == "new"
    assert not output.is_symlink()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)], ids=str
)
def test_signals_remove_unfinished_files(tmp_path: Path, number: int, code: int) -> None:
    """The server sends a part of the response and then nothing."""
    headers = {"Content-Type": "application/json", "X-Influxdb-Version": "1.8", "Transfer-Encoding": "chunked"}
    start = respond(200, headers) + chunked(b'{"res', end=False)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with ScriptedServer([[Receive(), Send(start), Hold()]]) as server:
            process = subprocess.Popen(
                [PROGRAM, "query", "SELECT v FROM m", "-o", str(tmp_path / "out.csv")],
                env=environment(server.url, "db"),
                stderr=subprocess.PIPE,
                encoding="utf-8",
            )
            while not list(tmp_path.iterdir()):
                time.sleep(0.01)
            process.send_signal(number)
            _, stderr = process.communicate(timeout=60)
    finally:
        signal.signal(signal.SIGINT, before)
    assert process.returncode == code
    assert stderr == ("influxq: interrupted\n" if number == signal.SIGINT else "influxq: terminated\n")
    assert list(tmp_path.iterdir()) == []


def test_fields_with_several_types_are_reported(env: dict[str, str], client: InfluxDBClient, tmp_path: Path) -> None:
    client.write(f'm v=1,w=1 1\nm v="x",w=2i {10**6 * HOUR}')
    done = run(env, "query", "SELECT * FROM m GROUP BY *", "-f", "lp")
    assert done.stdout.count("\n") == 2
    assert done.stderr == (
        "warning: field 'v' of 'm' has the types float, string, and a query returns the values of only one; "
        'select the others with "v"::string\n'
    )
    done = run(env, "query", "SELECT v::string FROM m", "-f", "lp")
    assert done.stdout == f'm v="x" {10**6 * HOUR}\n'


WIDE = [{"series": [{"name": "m", "columns": ["time", "a", "längere"], "values": [[1, "x" * 30, 2.5], [2, None, 3]]}]}]
BLOCKS = f"""\
-- m --
time     1
a        {"x" * 30}
längere  2.5

-- m --
time     2
a
längere  3
"""


def test_wide_tables_are_vertical() -> None:
    for output, expected in ((Table, None), (Vertical, BLOCKS)):
        file = io.StringIO()
        output(file).add(QueryResult(WIDE))
        assert expected is None or file.getvalue() == expected
    file = io.StringIO()
    Table(file, 30).add(QueryResult(WIDE))
    assert file.getvalue() == BLOCKS
    file = io.StringIO()
    Table(file, 50).add(QueryResult(WIDE))
    assert file.getvalue().startswith("m\ntime  a")


def at_terminal(env: dict[str, str], *arguments: str, **more: str) -> str:
    """Return what the program prints at a terminal, without carriage returns."""
    master, terminal = pty.openpty()
    process = subprocess.Popen(
        [PROGRAM, *arguments], env={**env, **more}, stdin=subprocess.DEVNULL, stdout=terminal, stderr=terminal
    )
    os.close(terminal)
    output = b""
    while True:
        try:
            data = os.read(master, 4096)
        except OSError:  # the end, on Linux
            break
        if not data:
            break
        output += data
    os.close(master)
    assert process.wait(60) == 0
    return output.decode().replace("\r", "")


def test_terminal_layouts(env: dict[str, str], client: InfluxDBClient, tmp_path: Path) -> None:
    client.write(f'm s="{"x" * 60}",v=1 1')
    query: Any = ("query", "SELECT * FROM m", "--epoch", "ns")
    narrow = {"COLUMNS": "40", "TERM": "dumb"}
    vertical = f"-- m --\ntime  1\ns     {'x' * 60}\nv     1.0\n"
    assert at_terminal(env, *query, **narrow) == vertical
    assert at_terminal(env, *query, "--no-pager", COLUMNS="40", TERM="xterm") == vertical
    assert at_terminal(env, *query, "--wide", **narrow).startswith("m\ntime  s")
    assert at_terminal(env, *query, "-f", "vertical", TERM="dumb") == vertical
    pager = tmp_path / "pager"
    pager.write_text("#!/bin/sh\nsed 's/^/| /'\n")
    pager.chmod(0o755)
    paged = at_terminal(env, *query, COLUMNS="40", TERM="xterm", PAGER=str(pager))
    assert paged.startswith("| m\n| time  s")  # the pager scrolls
    assert at_terminal(env, *query, TERM="xterm", PAGER="head -c 3") == "m\nt"
    master, terminal = pty.openpty()
    env |= narrow
    with subprocess.Popen([PROGRAM, "watch", "m"], env=env, stdin=subprocess.DEVNULL, stdout=terminal) as watch:
        os.close(terminal)
        with os.fdopen(master) as lines:
            shown = "".join(next(lines) for _ in range(4))
        watch.kill()
    assert shown == vertical.replace("1\n", "1970-01-01T00:00:00.000000001Z\n", 1)


class Screen(io.StringIO):
    """A file that is a terminal."""

    def isatty(self) -> bool:
        return True


def test_terminals_receive_no_control_characters(
    env: dict[str, str], client: InfluxDBClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An escape sequence in data would change the title, the colours or the text of the terminal."""
    monkeypatch.setenv("NO_COLOR", "1")
    text = "\x1b]0;x\x07\x7f\x9b31m\u202e\u2066\r|\t|\n|\u00e4\u65e5"
    client.write({"measurement": "m\x1b[2J", "tags": {"t\x9b": "a\x1b[31m"}, "fields": {"f": text}, "time": -1})
    result = client.query("SELECT f FROM /m/ GROUP BY *")
    options = argparse.Namespace(null="", tag_columns=(), pretty=False)
    executed = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\u2066]")
    for output_format in ("csv", "json", "lp", "table", "vertical"):
        screen, file = Screen(), io.StringIO()
        create_output(screen, output_format, options).add(result)
        create_output(file, output_format, options).add(result)
        shown = screen.getvalue()
        assert not executed.search(shown)
        assert "\\u202e\\u2066" in shown
        assert "|\u00e4\u65e5" in shown
        if output_format in {"csv", "json", "lp"}:
            assert "\u202e\u2066" in file.getvalue()
        if output_format == "json":
            assert json.loads(shown)["fields"] == {"f": text}
    shown = at_terminal(env, "query", "SELECT f FROM /m/ GROUP BY *", "-f", "csv")
    assert shown.startswith("measurement,t\\u009b,time,f\nm\\u001b[2J,a\\u001b[31m,")
    assert run(env, "shell", stdin="\\d").stdout == "m\\x1b[2J\n"


def test_output_on_a_full_disk(env: dict[str, str], client: InfluxDBClient, tmp_path: Path) -> None:
    client.write(f"m v={n} {n}" for n in range(5000))
    command = f"ulimit -f 8; exec {PROGRAM} query 'SELECT * FROM m' -o {tmp_path}/out.csv"
    limited = subprocess.run(["bash", "-c", command], env=env, capture_output=True, text=True, check=False)
    assert (limited.returncode, limited.stderr) == (1, f"influxq: cannot write {tmp_path}/out.csv: File too large\n")
    assert not [*tmp_path.iterdir()]
    full = run(env, "query", "SELECT * FROM m", "-o", "/dev/full", "-f", "lp", code=1).stderr
    assert full == "influxq: cannot write /dev/full: No space left on device\n"


def test_colour_of_plots(env: dict[str, str], client: InfluxDBClient) -> None:
    client.write("m v=1 1\nm v=2 2")
    query = ("query", "SELECT v FROM m", "--plot")
    assert "\x1b[" in at_terminal(env, *query, TERM="xterm")
    for more in ({"TERM": "dumb"}, {"TERM": "xterm", "NO_COLOR": "1"}):
        assert "\x1b[" not in at_terminal(env, *query, **more)
