"""Exit codes and error messages of the program: one line with a remedy, no secrets, no traceback."""

from __future__ import annotations

import logging
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from influx_proto import __version__
from influx_requests import InfluxDBClient
from influx_requests._cli import main

from tests.cli.program import PROGRAM, environment, run
from tests.servers.influxd import Influxd, Server
from tests.servers.scripted import ScriptedServer, chunked, reply

SECRET = "s3cr3t-p4ss"


def test_version() -> None:
    for command in ([PROGRAM], [sys.executable, "-m", "influx_requests"]):
        done = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True)
        assert done.stdout == f"influxq {__version__}\n"


def test_importing_the_client_does_not_import_the_command_line() -> None:
    names = "(name for name in sys.modules if name.startswith('influx_requests.'))"
    code = f"import sys; from influx_requests import InfluxDBClient; print(*{names})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "influx_requests._client" in loaded
    assert "influx_requests._cli." not in loaded.replace("\n", " ").replace(" ", ". ")


def test_logging_configuration_is_unchanged(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    logger = logging.getLogger("influx_proto")
    before = logger.level, list(logger.handlers)
    (tmp_path / "a.lp").write_text("m v=1 1")
    assert main(["lint", "-v", str(tmp_path / "a.lp")]) == 0
    assert (logger.level, logger.handlers) == before


def test_missing_extras_affect_only_their_features(env: dict[str, str], client: InfluxDBClient, tmp_path: Path) -> None:
    """Simulate missing packages by modules that raise `ModuleNotFoundError`."""
    missing = ("pyarrow", "matplotlib", "uniplot", "tqdm", "pandas", "numpy", "polars", "backports", "prompt_toolkit")
    for name in missing:
        (tmp_path / f"{name}.py").write_text(f"raise ModuleNotFoundError('no {name}', name='{name}')")
    env = {**env, "PYTHONPATH": str(tmp_path)}
    client.write("m v=1 1")
    for kind in ("lp", "csv", "json"):
        done = run(env, "query", "SELECT * FROM m", "-f", kind)
        assert "1 line stored" in run(env, "write", "-f", kind, "-", stdin=done.stdout).stderr
    run(env, "lint", stdin="m v=1")
    for arguments, library in (
        (["--plot"], "uniplot"),
        (["--plot", "a.png"], "matplotlib"),
        (["-o", "a.parquet"], "pyarrow"),
        *([(["-o", "a.csv.zst"], "backports.zstd")] if sys.version_info < (3, 14) else []),
    ):
        done = run(env, "query", "SELECT * FROM m", *arguments, code=2)
        assert f"needs {library}; install {library}" in done.stderr
    (tmp_path / "x.parquet").write_text("")
    assert (
        "Parquet needs pyarrow; install pyarrow"
        in run(env, "write", tmp_path / "x.parquet", "--measurement", "m", code=2).stderr
    )


@pytest.mark.parametrize(
    "command",
    [[], ["ping"], ["query"], ["watch"], ["write"], ["shell"], ["lint"], ["schema"]],
    ids=lambda command: command,
)
def test_help(command: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    with pytest.raises(SystemExit) as end:
        main([*command, "--help"])
    assert end.value.code == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 120
    if command not in (["ping"], ["schema"]):
        assert "examples:" in text
    if command and command != ["lint"]:
        assert "INFLUXDB_PASSWORD" in text


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "influxq: a command is required: ping, databases, "),
        (["nothing"], "influxq: unknown command 'nothing'; the commands are ping, databases, "),
        (["qurey"], "influxq: unknown command 'qurey'; did you mean query?\n"),
        (["-d", "x", "-v", "qurey", "SHOW DATABASES", "--help"], "unknown command 'qurey'; did you mean query?\n"),
        (["SHOW DATABASES"], "did you mean influxq query 'SHOW DATABASES'?\n"),
        (["--format", "csv", "query", "x"], "--format is an option of a command; pass it after the command; see"),
        (["--databse", "x", "ping"], "unknown option --databse; did you mean --database?\n"),
        (["--port", "0", "ping"], "argument --port: got '0'; pass a port between 1 and 65535; see influxq --help\n"),
        (["query", "x", "--fromat=csv"], "unknown option --fromat; did you mean --format?\n"),
        (["write", "a.lp", "--tag-column", "host"], "unknown option --tag-column; did you mean --tag-columns?\n"),
        (["query", "x", "--zzz"], "unknown option --zzz; see influxq query --help\n"),
        (["query", "SELECT", "v", "FROM", "m"], "unexpected argument 'v'; quote the query; see influxq query --help\n"),
        (["ping", "now"], "unexpected argument 'now'; see influxq ping --help\n"),
        (["query", "x", "--password", "y"], "unknown option --password; set INFLUXDB_PASSWORD, or pass --ask-password"),
        # The form of the client `influx`, which argparse reads as `-d atabase`.
        (["query", "-database", "x", "SHOW SERIES"], "unknown option -database; did you mean --database?\n"),
        (
            ["-d", "x", "query", "SELECT v FROM m", "-format=csv"],
            "did you mean --format=csv?\n",
        ),
        (["query", "insert m v=1"], "INSERT is a command of the shell; run influxq write 'cpu,host=a load=1'"),
        (["query", "USE db"], "USE is a command of the shell; pass --database NAME"),
        (["query", "SELECT 1", "-o", "a.xlsx"], "a.xlsx: unknown suffix; pass --format"),
        (["query", "SELECT 1", "-o", "a.tsv.gz"], "a.tsv.gz: unknown suffix; pass --format"),
        (["query", "SELECT 1", "-o", "a.parquet.gz"], "a.parquet.gz: Parquet compresses its data itself"),
        (["query", "SELECT 1", "-f", "json", "--null", "NA"], "--null requires --format csv, not json"),
        (["query", "SELECT v FROM m", "--plot", "--pretty"], "--pretty requires --format json, not plot"),
        (["write", "missing"], "cannot read missing: No such file"),
        (["write", "missing.txt"], "cannot read missing.txt: No such file"),
        (["completion"], "the following arguments are required: SHELL"),
        (["query"], "query required"),
        (["query", "--plot", "SELECT v FROM m"], "pass it last"),
        (["query", "SELECT v FROM m", "--plot", "x.gif"], "the image must end in .png, .svg or .pdf"),
        (
            ["query", "SELECT v FROM m", "--plot", "x.png", "-f", "csv"],
            "--plot cannot be combined with --format or --output",
        ),
        (["query", "SELECT v FROM m", "--plot", "--epoch", "s"], "--epoch does not apply to --plot"),
        (["query", ""], "QUERY: the query is empty"),
        (["query", "SELECT 1", "--file", "x"], "pass the query or --file, not both"),
        (["query", "--file", "x"], "cannot read x: No such file"),
        (["query", "SELECT 1", "--params", "[]"], "must be a JSON object"),
        (["query", "SELECT 1", "--params", '{"a": []}'], "a"),
        (["query", "SELECT 1", "-f", "parquet"], "--format parquet requires --output"),
        (["query", "SELECT 1", "-f", "lp", "--epoch", "s"], "--epoch does not apply to --format lp"),
        (
            ["query", "SELECT 1", "-f", "csv", "--tag-columns", "a"],
            "--tag-columns requires --format json or lp, not csv",
        ),
        (["query", "SELECT 1", "-o", "no/such/x"], "cannot write no/such/x"),
        (["write", "missing.lp"], "cannot read missing.lp: No such file"),
        (["write", "."], ".: unknown suffix"),
        (["write", "-f", "lp", "."], "cannot read .: Is a directory"),
        (["write", "-f", "csv", "--types", "a"], "got 'a'; pass COLUMN=TYPE"),
        (["write", "--types", "a=int"], "--types requires --format csv, not lp"),
        (["ping", "--url", "localhost"], "--url: 'localhost' is not of the form http[s]://host[:port]"),
        (["ping", "--timeout", "soon"], "got 'soon'; pass a number of seconds"),
        (["ping", "--ca", "missing.pem", "--url", "https://localhost"], "missing.pem"),
        (["ping", "--ca", "x", "--insecure"], "not allowed with argument"),
        (["lint", "--precision", "d"], "invalid choice: 'd'"),
        (
            ["query", "SELECT 1", "-d", ""],
            "--database: must not be empty; omit it",
        ),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "",
)
def test_usage_errors(
    arguments: list[str],
    expected: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("INFLUXDB_URL", raising=False)
    try:
        code = main(arguments)
    except SystemExit as end:  # argparse exits by itself
        code = int(end.code or 0)
    stderr = capsys.readouterr().err
    assert code == 2, stderr
    assert expected in stderr
    assert stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_unreachable_server() -> None:
    env = environment("http://127.0.0.1:1", "db")
    for arguments in (["ping"], ["query", "SELECT v FROM m"], ["write", "--retry-for", "0"]):
        done = run(env, *arguments, stdin="m v=1 1", code=3)
        assert done.stdout == ""
        assert done.stderr.startswith("influxq: cannot connect to 127.0.0.1:1: ")
        assert "--url (or INFLUXDB_URL)" in done.stderr
        assert done.stderr.count("\n") == 1


def test_server_without_tls(influxd: Server) -> None:
    done = run(environment(influxd.url.replace("http:", "https:")), "ping", code=3)
    assert "TLS handshake with" in done.stderr
    assert done.stderr.endswith("private CA, or --url http://... for no TLS\n")


def test_server_that_is_not_influxdb() -> None:
    with ScriptedServer([reply(200, {"Content-Type": "text/html"}, b"<html>")]) as server:
        done = run(environment(server.url), "ping", code=3)
    assert "address of InfluxDB" in done.stderr


def test_server_that_restarts_in_a_response() -> None:
    headers = {"Content-Type": "application/json", "X-Influxdb-Version": "1.8", "Transfer-Encoding": "chunked"}
    with ScriptedServer([reply(200, headers, chunked(b'{"res', end=False))]) as server:
        done = run(environment(server.url), "query", "SELECT v FROM d..m", code=3)
    assert done.stdout == ""
    assert "truncated" in done.stderr
    assert "; retry, and check --url (or INFLUXDB_URL) if it fails again\n" in done.stderr


def test_error_responses(env: dict[str, str], influxd: Server) -> None:
    done = run(env, "query", "SELECT", code=1)
    assert done.stderr.startswith("influxq: error parsing query: ")
    done = run(env, "write", "-d", "nowhere", stdin="m v=1 1", code=1)
    assert "database not found" in done.stderr
    assert "CREATE DATABASE" in done.stderr
    done = run(environment(influxd.url), "query", "SELECT v FROM m", code=1)
    assert "pass --database" in done.stderr
    done = run(environment(influxd.url), "write", stdin="m v=1 1", code=1)
    assert "pass --database" in done.stderr
    done = run(env, "query", "SELECT v FROM m WHERE host = $host", code=1)
    assert done.stderr.endswith("missing parameter: host (HTTP 400); pass --params '{\"host\": ...}'\n")
    assert "RETENTION POLICIES" in run(env, "query", "SELECT v FROM m", "--rp", "none", code=1).stderr
    done = run(env, "query", "SELECT * FROM m; \x1b[31m", code=1)
    assert "\x1b" not in done.stderr


def test_broken_pipe_prints_no_error(env: dict[str, str], client: InfluxDBClient) -> None:
    client.write(f"m v={n} {n}" for n in range(30_000))
    for kind in ("csv", "table", "lp", "json"):
        command = f"{PROGRAM} query 'SELECT * FROM m' -f {kind} | head -n 1; echo ${{PIPESTATUS[0]}}"
        done = subprocess.run(["bash", "-c", command], env=env, capture_output=True, text=True, check=True)
        assert done.stdout.splitlines()[-1] == "141"
        assert len(done.stdout.splitlines()) == 2
        assert done.stderr == ""


@pytest.mark.parametrize("more", [{}, {"PYTHONUNBUFFERED": "1"}], ids=["buffered", "unbuffered"])
def test_unwritable_output(env: dict[str, str], more: dict[str, str], client: InfluxDBClient) -> None:
    client.write("m v=1 1")

    def outcome(query: str, redirection: str) -> tuple[str, str]:
        command = f"{PROGRAM} query '{query}' -f json {redirection}; echo ${{PIPESTATUS[0]}}"
        done = subprocess.run(["bash", "-c", command], env=env | more, capture_output=True, text=True, check=True)
        return done.stdout, done.stderr

    full = "influxq: [Errno 28] No space left on device\n"
    for redirection, expected in ((">/dev/full", ("1\n", full)), (">&-", ("0\n", "")), ("| true", ("141\n", ""))):
        assert outcome("SELECT v FROM m", redirection) == expected
        _, stderr = outcome("SELECT v FROM m; SELECT v FROM nowhere..m", redirection)
        assert not set(stderr.split()) & {"Exception", "Traceback"}


@pytest.fixture(scope="module")
def guarded() -> Iterator[Influxd]:
    """Return a server that requires credentials."""
    with Influxd(auth=True) as server:
        url = server.url.replace("http://", f"http://admin:{SECRET}@")
        with InfluxDBClient.from_url(server.url) as client:
            client.query(f"CREATE USER admin WITH PASSWORD '{SECRET}' WITH ALL PRIVILEGES")
        with InfluxDBClient.from_url(url) as client:
            client.create_database("db")
            client.query(f"CREATE USER reader WITH PASSWORD '{SECRET}'")
            client.query("GRANT READ ON db TO reader")
        yield server


def test_credentials(guarded: Influxd) -> None:
    env = environment(guarded.url, "db")
    password = {"INFLUXDB_PASSWORD": SECRET}
    assert "INFLUXDB_PASSWORD" in run(env, "query", "SHOW DATABASES", code=4).stderr
    assert "db" in run(env | password, "query", "SHOW DATABASES", "--username", "admin").stdout
    token = {"INFLUXDB_TOKEN": "other", "INFLUXDB_USERNAME": "admin"}
    assert "token" in run(env | password | token, "query", "SHOW DATABASES", code=2).stderr
    token = {"INFLUXDB_TOKEN": "other"}
    assert "db" in run(env | password | token, "query", "SHOW DATABASES", "--username", "admin").stdout
    done = run(env | password, "write", "--username", "reader", stdin="m v=1 1", code=4)
    assert "GRANT" in done.stderr
    done = run(env, "ping", "--url", guarded.url.replace("http://", f"http://admin:{SECRET}@"), code=2)
    assert "INFLUXDB_PASSWORD" in done.stderr
    assert SECRET not in done.stderr


def test_password_prompt(guarded: Influxd) -> None:
    env = environment(guarded.url)
    command = [PROGRAM, "query", "SHOW DATABASES", "--username", "admin", "--ask-password"]
    process, terminal = pty.fork()
    if process == 0:
        os.execve(PROGRAM, command, env)
    shown = b""
    while b"Password:" not in shown:
        shown += os.read(terminal, 1000)
    os.write(terminal, f"{SECRET}\n".encode())
    while b"db" not in shown:
        shown += os.read(terminal, 1000)
    assert os.waitpid(process, 0)[1] == 0
    os.close(terminal)
    assert SECRET.encode() not in shown
    done = subprocess.run(
        command, env=env, input="", capture_output=True, text=True, start_new_session=True, check=False
    )
    assert done.returncode == 2
    assert "--ask-password requires a terminal" in done.stderr


@pytest.mark.parametrize("right", [True, False])
def test_secrets_are_not_shown(guarded: Influxd, right: bool) -> None:
    secret = SECRET if right else "wr0ng-one"
    in_url = guarded.url.replace("http://", f"http://admin:{secret}@")
    unreachable = f"http://admin:{secret}@127.0.0.1:1"
    for url, more in (
        (in_url, {}),
        (guarded.url, {"INFLUXDB_USERNAME": "admin", "INFLUXDB_PASSWORD": secret}),
        (guarded.url, {"INFLUXDB_TOKEN": secret}),
        (unreachable, {}),
        (f"htp://admin:{secret}@h", {}),
    ):
        env = environment(url, "db", **more)
        done = run(env, "write", "-v", "--retry-for", "0", stdin="m v=1 1", code=None)
        assert secret not in done.stdout + done.stderr
        assert "YWRtaW46" not in done.stdout + done.stderr  # "admin:" in Base64


def test_verbose_shows_requests_and_tracebacks(env: dict[str, str]) -> None:
    done = run(env, "query", "SELECT", "-v", code=1)
    assert "DEBUG influx_proto: GET /query" in done.stderr or "DEBUG influx_proto: POST /query" in done.stderr
    assert "Traceback" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("influxq: error parsing query")
