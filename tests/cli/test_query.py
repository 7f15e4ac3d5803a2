"""The `query` and `ping` commands: output formats and errors."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path

import pytest
from influx_requests import InfluxDBClient

from tests.cli.program import PROGRAM, environment, run
from tests.servers.influxd import Server

LINES = """\
cpu,host=a load=0.5,cores=8i,up=t,note="x, y" 1500000000000000001
cpu,host=b load=12.25,cores=16i,note="漢字" 1500000000000000000
cpu,host=b note="\x1b[31m" 1500000060000000000
"""


@pytest.fixture
def lines(client: InfluxDBClient) -> None:
    client.write(LINES)


def test_ping(env: dict[str, str]) -> None:
    names = [line.split()[0] for line in run(env, "ping").stdout.splitlines()]
    assert names == ["server", "version", "build", "time"]


@pytest.mark.usefixtures("lines")
def test_table(env: dict[str, str]) -> None:
    """Wide characters occupy two columns, and control characters are escaped."""
    assert run(env, "query", "SELECT * FROM cpu GROUP BY host; SHOW DATABASES", "-f", "table").stdout.startswith("""\
cpu (host=a)
time                            cores  load  note  up
------------------------------  -----  ----  ----  ----
2017-07-14T02:40:00.000000001Z      8   0.5  x, y  true

cpu (host=b)
time                  cores   load  note      up
--------------------  -----  -----  --------  --
2017-07-14T02:40:00Z     16  12.25  漢字
2017-07-14T02:41:00Z                \\x1b[31m

name
""")


@pytest.mark.usefixtures("lines")
def test_terminal_output_is_a_table(env: dict[str, str]) -> None:
    master, terminal = pty.openpty()
    command = [PROGRAM, "query", "SELECT load FROM cpu"]
    dumb = {**env, "TERM": "dumb"}
    process = subprocess.Popen(command, env=dumb, stdin=subprocess.DEVNULL, stdout=terminal, stderr=subprocess.DEVNULL)
    os.close(terminal)
    assert process.wait(60) == 0
    assert os.read(master, 10_000).decode().splitlines()[:2] == ["cpu", "time                             load"]
    os.close(master)


@pytest.mark.usefixtures("lines")
def test_piped_output_is_csv(env: dict[str, str], tmp_path: Path) -> None:
    text = "SELECT load, up FROM cpu GROUP BY host"
    expected = """\
measurement,host,time,load,up
cpu,a,1500000000000000,0.5,true
cpu,b,1500000000000000,12.25,
"""
    assert run(env, "query", text, "--epoch", "us").stdout == expected
    assert run(env, "query", "-", "--epoch", "us", stdin=text).stdout == expected
    (tmp_path / "q").write_text(text)
    assert run(env, "query", text, "--epoch", "us", "-o", "-").stdout == expected
    (tmp_path / "log").write_text("before\n")
    command = f"{PROGRAM} query '{text}' --epoch us -o /dev/stdout >> log"
    subprocess.run(["bash", "-c", command], env=env, cwd=tmp_path, check=True)
    assert (tmp_path / "log").read_text() == f"before\n{expected}"
    run(env, "query", "--file", tmp_path / "q", "--epoch", "us", "-o", tmp_path / "out")
    assert (tmp_path / "out").read_text() == expected


@pytest.mark.usefixtures("lines")
def test_json_output_has_one_point_per_line(env: dict[str, str]) -> None:
    done = run(env, "query", "SELECT * FROM cpu WHERE host = $it", "-f", "json", "--params", '{"it": "a"}')
    assert done.stdout == (
        '{"measurement": "cpu", "tags": {}, "fields": {"cores": 8, "host": "a", "load": 0.5, "note": "x, y", '
        '"up": true}, "time": "2017-07-14T02:40:00.000000001Z"}\n'
    )


def test_lists_have_a_column_name(env: dict[str, str], client: InfluxDBClient) -> None:
    client.write(LINES)
    assert run(env, "query", "SHOW MEASUREMENTS").stdout == "name\ncpu\n"
    assert run(env, "query", "SHOW TAG KEYS").stdout == "name,tagKey\ncpu,host\n"
    assert run(env, "query", "SHOW TAG KEYS", "-f", "table").stdout == "cpu\ntagKey\n------\nhost\n"


@pytest.mark.usefixtures("lines")
def test_csv_output_allows_only_one_table(env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "out.csv").write_text("as it was")
    for file_format in ("csv", "parquet"):
        text = "SELECT load FROM cpu; SELECT cores FROM cpu"
        done = run(env, "query", text, "-f", file_format, "-o", tmp_path / "out.csv", code=1)
        assert "run the statements separately" in done.stderr
        assert (tmp_path / "out.csv").read_text() == "as it was"
        assert len(list(tmp_path.iterdir())) == 1


def test_csv_of_a_statement_with_several_tables(env: dict[str, str]) -> None:
    error = run(env, "query", "SHOW STATS", "-f", "csv", code=1).stderr
    assert error.endswith("; pass --format table or json\n")
    assert "separately" not in error


def test_line_protocol_of_another_database(influxd: Server, env: dict[str, str], client: InfluxDBClient) -> None:
    """The types of fields, which a warning is about, cannot be looked up without a database."""
    client.write("m v=1 1")
    done = run(environment(influxd.url), "query", f'SELECT * FROM "{client.db}"..m', "-f", "lp")
    assert (done.stdout, done.stderr) == ("m v=1.0 1\n", "")


@pytest.mark.usefixtures("lines")
def test_error_follows_the_preceding_results(env: dict[str, str]) -> None:
    done = run(env, "query", "SELECT load FROM cpu; SELECT load FROM nowhere..cpu", code=1)
    assert done.stdout.count("\n") == 3
    assert "database not found: nowhere" in done.stderr
    assert done.stderr.count("\n") == 1


def test_empty_results(env: dict[str, str], tmp_path: Path) -> None:
    assert run(env, "query", "SELECT v FROM nothing").stdout == ""
    assert (
        "result has no rows" in run(env, "query", "SELECT v FROM nothing", "-o", tmp_path / "a.parquet", code=1).stderr
    )
    assert "needs timestamps" in run(env, "query", "SHOW DATABASES", "-f", "lp", code=1).stderr
    assert "has no timestamps" in run(env, "query", "SHOW DATABASES", "--plot", code=1).stderr


@pytest.mark.usefixtures("lines")
def test_plots(env: dict[str, str], client: InfluxDBClient, tmp_path: Path) -> None:
    text = "SELECT load, cores, up FROM cpu GROUP BY host"
    for name, begin in (("a.png", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.pdf", b"%PDF")):
        assert run(env, "query", text, "--plot", tmp_path / name).stdout == ""
        assert (tmp_path / name).read_bytes().startswith(begin)
    drawn = run(env, "query", text, "--plot").stdout
    assert "cpu: load (times in UTC)" in drawn
    assert "cpu: cores (times in UTC)" in drawn
    assert "up" not in drawn
    assert "\x1b" not in drawn
    assert max(map(len, drawn.splitlines())) <= 120
    client.write(f"many,host=h{n} v={n} 1" for n in range(13))
    drawn = run(env, "query", "SELECT v FROM many GROUP BY host", "--plot").stdout
    assert "many: v, 13 series (times in UTC)" in drawn
    assert "no numbers" in run(env, "query", "SELECT up FROM cpu", "--plot", code=1).stderr
