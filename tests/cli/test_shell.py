"""The interactive shell, at a terminal and with a script as standard input."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import io
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from pathlib import Path

import pytest
from influx_requests import InfluxDBClient
from influx_requests._cli import main
from influx_requests._cli._shell import Session, is_incomplete, split_pasted
from influx_requests._cli._shell_prompt import Names, _prepare_history, completions

from tests.cli.program import PROGRAM, environment, run
from tests.servers.influxd import Server
from tests.servers.scripted import Hold, Receive, ScriptedServer, Send, respond

LINES = "cpu,host=a load=0.5,cores=8i 1500000000000000001\nmem\\ x,rack=r free=1 1"


class Terminal:
    """A terminal with the shell: sends keys and reads what the screen shows, without escape sequences."""

    def __init__(self, env: dict[str, str], *arguments: str) -> None:
        self._master, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
        env = {name: value for name, value in env.items() if name != "COLUMNS"} | {"TERM": "xterm"}
        self.process = subprocess.Popen(
            [PROGRAM, "shell", *arguments],
            env=env,
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
        )
        os.close(terminal)
        self._output = ""
        self._read = 0

    def expect(self, text: str) -> str:
        """Wait until the screen shows a text after the last one, and return everything up to it."""
        end = time.monotonic() + 60
        while (at := self._output.find(text, self._read)) < 0:
            assert time.monotonic() < end, f"{text!r} is not in {self._output[self._read :]!r}"
            if select.select([self._master], [], [], 0.1)[0]:
                with contextlib.suppress(OSError):  # the program has ended
                    self._add(os.read(self._master, 65536))
        before = self._output[self._read : at]
        self._read = at + len(text)
        return before

    def _add(self, data: bytes) -> None:
        if b"\x1b[6n" in data:  # the program asks for the position of the cursor
            self.send("\x1b[1;1R")
        self._output += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\r", "", data.decode())

    def send(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def close(self) -> int:
        code = self.process.wait(60)
        os.close(self._master)
        return code


def test_session(env: dict[str, str], client: InfluxDBClient, tmp_path: Path) -> None:
    client.write(LINES)
    env = {**env, "XDG_STATE_HOME": str(tmp_path), "PAGER": "cat"}
    terminal = Terminal(env)
    terminal.expect(f"{client.db}>")
    terminal.send("SELECT load FROM c\t")
    terminal.expect("pu")
    terminal.send(" WHERE (host = 'a'\r")
    terminal.expect("...")
    terminal.send(")\r")
    assert "2017-07-14T02:40:00.000000001Z   0.5" in terminal.expect("(1 row)")
    terminal.expect(">")
    terminal.send("SELECT cores FROM cpu\\G\r")
    assert "cores  8" in terminal.expect("(1 row)")
    terminal.expect(">")
    terminal.send("\\timing\r")
    terminal.expect("timing: on")
    terminal.send("SELECT nothing FROM cpu\r")
    terminal.expect("(0 rows; 0.")
    terminal.expect(">")
    terminal.send("SELECT\r")
    terminal.expect("error: error parsing query")
    terminal.expect(">")
    terminal.send("SELECT x\x03")  # Ctrl-C discards the line
    terminal.expect(">")
    terminal.send("CREATE USER u WITH PASSWORD 's3cret'\r")
    terminal.expect("(0 rows")
    terminal.expect(">")
    pasted = "\n".join(f"INSERT pasted v={n} {n}" for n in range(100))
    terminal.send(f"\x1b[200~{pasted}\nUSE none\nINSERT pasted v=1 1000\x1b[201~\r")
    terminal.expect("database 'none' not found")
    terminal.expect("1 statement after it not executed")
    terminal.expect(">")
    assert client.query("SELECT count(v) FROM pasted").series[0].values[0][1] == 100
    terminal.send("\x04")
    assert terminal.close() == 0
    client.query("DROP USER u")
    history = (tmp_path / "influxq_history").read_text()
    assert "SELECT cores FROM cpu" in history
    assert "s3cret" not in history


def test_interrupted_query_starts_no_pager(tmp_path: Path) -> None:
    pager = tmp_path / "pager"
    pager.write_text("#!/bin/sh\necho paged; cat\n")
    pager.chmod(0o755)
    pong = Send(respond(204, {"X-Influxdb-Version": "1.8"}))
    with ScriptedServer([[Receive(), pong, Receive(), Hold()]]) as server:
        env = environment(server.url, XDG_STATE_HOME=str(tmp_path), PAGER=str(pager))
        terminal = Terminal(env)
        terminal.expect("(no database)>")
        terminal.send("SELECT v FROM m\r")
        server.wait_for(2, timeout=60)
        terminal.process.send_signal(signal.SIGINT)
        assert "paged" not in terminal.expect("interrupted")
        terminal.expect(">")
        terminal.send("\x04")
        assert terminal.close() == 0


def test_script(influxd: Server, client: InfluxDBClient) -> None:
    client.write(LINES)
    script = (
        f'USE "{client.db}"\n\\d\n\\d cpu\nINSERT cpu,host=b load=2 1500000000000000002\n'
        "\\epoch ns\n\\format csv\nSELECT load, host FROM \\\n cpu;\n\nSELECT (load\n + 1) FROM cpu\n"
        "\\format lp\nSELECT load FROM cpu GROUP BY *\nSELECT load FROM cpu LIMIT 1\\G\n"
    )
    assert (
        run(environment(influxd.url), "shell", stdin=script).stdout
        == """\
cpu
mem x
cpu
  host   tag
  cores  integer
  load   float
measurement,time,load,host
cpu,1500000000000000001,0.5,a
cpu,1500000000000000002,2.0,b
measurement,time,load
cpu,1500000000000000001,1.5
cpu,1500000000000000002,3.0
cpu,host=a load=0.5 1500000000000000001
cpu,host=b load=2.0 1500000000000000002
-- cpu --
time  1500000000000000001
load  0.5
"""
    )
    assert str(client.db) in run(environment(influxd.url), "shell", stdin="\\l\n").stdout.splitlines()


@pytest.mark.parametrize(
    ("script", "code", "expected"),
    [
        ("\\nothing\nSHOW DATABASES\n", 2, "error: unknown command \\nothing; \\? lists the commands\n"),
        ("\\format x", 2, "error: unknown format 'x'; the formats are table"),
        ("\\epoch d", 2, "error: unknown unit 'd'"),
        ("\\timing x", 2, "error: \\timing: got 'x'; pass on or off, or nothing to switch\n"),
        ("\\use 'x", 2, "error: No closing quotation\n"),
        ("precision rfc3339", 2, "error: unknown statement 'precision'; did you mean \\epoch?\n"),
        (
            "SELECT v FROM nowhere..m",
            1,
            "error: database not found: nowhere (statement 0); select a database with USE;",
        ),
        ("USE", 2, "error: pass one database: USE name"),
        ("USE nowhere", 1, "error: database 'nowhere' not found; \\l lists the databases"),
        ("SELECT", 1, "error: error parsing query"),
        ("INSERT m v=x", 1, "error: "),
        ("SELECT 'x", 1, "error: error parsing query"),
        ("\\q\nSELECT\n", 0, ""),
        ("exit\nSELECT\n", 0, ""),
        ("\\?\n", 0, ""),
        ("help\n", 0, ""),
    ],
)
def test_errors_end_a_script(env: dict[str, str], script: str, code: int, expected: str) -> None:
    done = run(env, "shell", stdin=script, code=code)
    assert done.stderr.startswith(expected)
    assert done.stderr.count("\n") == (1 if expected else 0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT v FROM m", False),
        ("SELECT (v", True),
        ("SELECT v \\", True),
        ("SELECT v \\\n", True),
        ("SELECT 'a\\'", True),
        ('SELECT "a\'b"', False),
        ("SELECT ')('", False),
        ("SELECT v)", False),
        ("\\d", False),
        ("SELECT v FROM m\\G", False),
        # Quotes and parentheses in regular expressions, comments and line protocol.
        ("SELECT v FROM m WHERE host =~ /it's (/", False),
        ("SELECT v FROM /it's|\\/(/", False),
        ("SELECT mean(/it's/) FROM (SELECT v FROM m", True),
        ("SELECT (a / 2, b / 2) FROM m WHERE h = '/'", False),
        ("SELECT a / 'x", True),
        ("SELECT v -- it's (\n", False),
        ("SELECT v /* it's\n ( */", False),
        ("SELECT v /* x", True),
        ("INSERT m,host=it's\\ ( v=1", False),
        ('INSERT m text="it\'s (\\"",v=1', False),
        ('INSERT m text="two', True),
        ('INSERT m text="back\\\\" 1', False),
        ('INSERT INTO rp m,host=q" text="two"', False),
        ("SELECT v \\\r\n", True),
        ("\\use 'x", False),
    ],
)
def test_statements_of_several_lines(text: str, expected: bool) -> None:
    assert is_incomplete(text) is expected


def test_pasted_statements() -> None:
    text = 'USE a\nINSERT m v=1\nn v=2\n\\d m\nSELECT v\nFROM m\n\ninsert m s="\nINSERT x v=1"\n \\q'
    assert [statement.strip() for statement in split_pasted(text)] == [
        "USE a",
        "INSERT m v=1\nn v=2",
        "\\d m",
        "SELECT v\nFROM m",
        'insert m s="\nINSERT x v=1"',
        "\\q",
    ]
    assert split_pasted("SELECT (\nv\n)\nFROM \\\nm") == ["SELECT (\nv\n)\nFROM \nm"]
    assert split_pasted(" \n") == []


def test_script_keeps_strings(env: dict[str, str], client: InfluxDBClient) -> None:
    """Also line separators other than LF, and a backslash at the end of a line."""
    texts = ["a\u2028b", "a\x0b\x1cb", "a\r\nb\rc", "a\\\nb", "a;\nb", "back\\\\", "end"]
    run(env, "shell", stdin="".join(f'INSERT m v="{text}" {n}\n' for n, text in enumerate(texts)))
    found = [row["v"] for row in client.query("SELECT v FROM m").points()]
    assert found == [text.replace("\\\\", "\\") for text in texts]


def test_script_that_is_not_utf8(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for command in (["shell"], ["query", "-"]):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"SELECT '\xff'")))
        assert main(command) == 2
        assert capsys.readouterr().err.startswith("influxq: cannot read standard input: not UTF-8; convert it first")


def test_unwritable_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    assert _prepare_history() is None
    assert "influxq_history, so the history is not kept: " in capsys.readouterr().err


def test_timing_on_and_off(env: dict[str, str], client: InfluxDBClient) -> None:
    client.write("m v=1 1")
    script = "\\timing off\nSELECT v FROM m\n\\timing on\nSELECT v FROM m\n\\timing on\n\\timing\nSELECT v FROM m\n"
    shown = run(env, "shell", "--epoch", "ns", stdin=script).stdout
    assert [line.partition(";")[0] for line in shown.splitlines()] == [
        *("measurement,time,v", "m,1,1.0"),
        *("measurement,time,v", "m,1,1.0", "(1 row"),
        *("measurement,time,v", "m,1,1.0"),
    ]


def test_missing_database(influxd: Server, database: str, tmp_path: Path) -> None:
    terminal = Terminal(environment(influxd.url, XDG_STATE_HOME=str(tmp_path)), "-d", f"{database}_none")
    terminal.expect(f"warning: database '{database}_none' not found; \\l lists the databases")
    terminal.expect(">")
    terminal.send("\x04")
    assert terminal.close() == 0
    done = run(environment(influxd.url), "shell", stdin="SELECT v FROM m\n", code=1)
    assert done.stderr.endswith("; select a database with USE; \\l lists them\n")


def test_completions(client: InfluxDBClient) -> None:
    client.write(LINES)
    options = argparse.Namespace(format="csv", epoch=None, pager=False, null="", tag_columns=(), pretty=False)
    session = Session(client, options, is_interactive=True)
    names = Names(session)

    def found(text: str) -> list[str]:
        return [new for new, _, _ in completions(text, names)]

    assert found("sel") == ["SELECT"]
    assert found("\\ti") == ["timing"]
    assert found("\\format v") == ["vertical"]
    assert found("SELECT lo") == ["load"]
    assert found("SELECT load FROM ") == ["cpu", '"mem x"']
    assert found('SELECT load FROM "m') == ['"mem x"']
    assert found("\\d c") == ["cpu"]
    assert found("SELECT load FROM cpu WHERE ho") == ["host"]
    assert found("SELECT load FROM cpu GROUP BY ra") == ["rack"]
    assert client.db in found("USE ")
    assert found("SHOW TAG KEYS FROM c") == ["cpu"]
    session.execute("INSERT disk free=1")
    assert "disk" in found("SELECT free FROM ")
    client.db = None
    session.on_change()
    assert found("SELECT load FROM ") == []
