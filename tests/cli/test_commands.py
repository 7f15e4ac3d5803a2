"""The small commands, options of the connection and profiles."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import subprocess
import sys
import urllib.parse
from pathlib import Path

import pytest
from influx_requests import InfluxDBClient
from influx_requests._cli import main
from influx_requests._cli._arguments import parse_arguments
from influx_requests._cli._config import config_path
from influx_requests._cli._connection import create_client
from influx_requests._cli._shell_prompt import history_path

from tests.cli.program import PROGRAM, environment, run
from tests.servers.influxd import Influxd, Server


def test_lists(env: dict[str, str], client: InfluxDBClient) -> None:
    client.write('cpu,host=a,region=x load=1,n=2i 1\nmem free=true,"a b"="x" 2'.replace('"a b"', "a\\ b"))
    client.write(f"cpu n=2.5 {10**18}")
    assert client.db in run(env, "databases").stdout.splitlines()
    assert run(env, "measurements").stdout == "cpu\nmem\n"
    assert (
        run(env, "schema").stdout
        == """\
cpu
  host    tag
  region  tag
  load    float
  n       float, integer

mem
  a b   string
  free  boolean
"""
    )
    assert run(env, "schema", "mem").stdout == "mem\n  a b   string\n  free  boolean\n"
    assert "database not found" in run(env, "measurements", "-d", f"{client.db}_none", code=1).stderr
    assert run(env, "schema", "none", code=1).stderr == "influxq: no such measurement\n"


def test_watch(env: dict[str, str], client: InfluxDBClient) -> None:
    client.write(f"m,host={'ab'[n % 2]} v={n} {n + 1}" for n in range(9))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen(
            [PROGRAM, "watch", "m", "--where", "host = 'a'", "-n", "2", "--interval", "0.05"],
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
    finally:
        signal.signal(signal.SIGINT, before)
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(3)]
    assert lines[0] == "measurement,time,host,v\n"
    assert [line.strip().rpartition(",")[2] for line in lines[1:]] == ["6.0", "8.0"]
    client.write("m,host=a v=10 11\nm,host=b v=11 12\nm,host=a v=12 13")
    assert process.stdout.readline() == "m,1970-01-01T00:00:00.000000011Z,a,10.0\n"
    assert process.stdout.readline() == "m,1970-01-01T00:00:00.000000013Z,a,12.0\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60) == ("", "influxq: interrupted\n")
    assert process.returncode == 130


def test_watch_in_csv_keeps_its_columns(env: dict[str, str], client: InfluxDBClient) -> None:
    """The columns of `SELECT *` are the fields of the shards that it reads."""
    client.write("m,host=a v=1,w=1 1")
    with subprocess.Popen(
        [PROGRAM, "watch", "m", "--interval", "0.05"],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "measurement,time,host,v,w\n"
        assert process.stdout.readline() == "m,1970-01-01T00:00:00.000000001Z,a,1.0,1.0\n"
        day = 24 * 3600 * 10**9
        client.write(f"m x=5,v=2 {30 * day}")
        assert process.stdout.readline() == "m,1970-01-31T00:00:00Z,,2.0,\n"
        warning = "warning: the new column 'x' is omitted; pass --format json, or start again\n"
        assert process.stderr.readline() == warning
        process.kill()


def test_watch_survives_a_restart_of_the_server() -> None:
    with Influxd() as server, InfluxDBClient.from_url(server.url, database="db") as client:
        client.create_database("db")
        client.write("m v=1 1")
        with subprocess.Popen(
            [PROGRAM, "watch", "m", "--interval", "0.05"],
            env=environment(server.url, "db"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            assert [process.stdout.readline() for _ in range(2)][1] == "m,1970-01-01T00:00:00.000000001Z,1.0\n"
            server.stop()
            assert process.stderr.readline().startswith("warning: cannot connect to ")
            server.start()
            client.write("m v=2 2")
            assert process.stdout.readline() == "m,1970-01-01T00:00:00.000000002Z,2.0\n"
            process.kill()


def test_watch_needs_a_database(influxd: Server) -> None:
    assert "pass --database" in run(environment(influxd.url), "watch", "m", code=2).stderr


def test_watch_needs_a_measurement(env: dict[str, str]) -> None:
    errors = run(env, "watch", "SELECT v FROM m", code=2).stderr
    assert errors.startswith("influxq: watch requires the name of a measurement, got a query")


def test_watch_before_the_first_point(env: dict[str, str], client: InfluxDBClient) -> None:
    with subprocess.Popen(
        [PROGRAM, "watch", "m", "--interval", "0.05"],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stderr.readline() == f"no points of 'm' in {client.db!r} yet; waiting for new ones\n"
        client.write("m v=1", stamp=True)
        assert process.stdout.readline() == "measurement,time,v\n"
        process.kill()


def test_lines_as_arguments(env: dict[str, str], client: InfluxDBClient, tmp_path: Path) -> None:
    done = run(env, "write", "m,host=a b=1 1", "-", "m,host=a v=2 2", "--tag-columns", "", stdin="m v=3 3")
    assert done.stderr == "<argument>: 1 line stored\n<stdin>: 1 line stored\n<argument>: 1 line stored\n"
    assert len(list(client.query("SELECT * FROM m").points())) == 3
    assert run(env, "write", "m v=x", code=1).stderr.startswith("<argument>:1: invalid boolean\n")
    (tmp_path / "a b=1.lp").write_text("n v=1 1")
    assert run(env, "write", tmp_path / "a b=1.lp").stderr.endswith("a b=1.lp: 1 line stored\n")


def test_create_database(influxd: Server, database: str, client: InfluxDBClient) -> None:
    name = f"{database} new"
    env = environment(influxd.url)
    try:
        assert "write with --create-database" in run(env, "write", "-d", name, stdin="m v=1", code=1).stderr
        run(env, "write", "-d", name, "--create-database", stdin="m v=1 1")
        assert len(client.query("SELECT * FROM m", db=name).series) == 1
        assert "requires --database" in run(env, "write", "--create-database", stdin="m v=1", code=2).stderr
    finally:
        client.drop_database(name)


def test_connection_options(influxd: Server, database: str) -> None:
    env = environment(None)
    address = urllib.parse.urlsplit(influxd.url)
    server = ["--host", address.hostname or "", "--port", str(address.port)]
    for arguments in (
        ["-d", database, *server, "query", "SHOW MEASUREMENTS"],
        ["query", "-d", database, *server, "SHOW MEASUREMENTS"],
        [*server, "query", "SHOW MEASUREMENTS", "--database", database],
        ["-d", "other", *server, "query", "SHOW MEASUREMENTS", "-d", database],  # the last one counts
    ):
        assert run(env, *arguments).stdout == ""
    assert 'database not found: "other"' in run(env, "-d", "other", *server, "write", "m v=1", code=1).stderr
    for given, expected in (
        (["--url", influxd.url, "--host", "x"], "pass --url, or --host and --port, not both"),
        (["--host", "http://x"], "--host: got 'http://x'; pass the name without a scheme"),
        (["--host", "x:80"], "--host: got 'x:80'"),
        (["--port", "0"], "got '0'; pass a port"),
    ):
        assert expected in run(env, "ping", *given, code=2).stderr
    assert "cannot connect to [::1]:1" in run(env, "ping", "--host", "::1", "--port", "1", code=3).stderr


def test_messages_name_options(capsys: pytest.CaptureFixture[str]) -> None:
    env = environment(None)
    assert run(env, "ping", "--url", "localhost", code=2).stderr.startswith("influxq: --url: 'local")
    assert "--database: must not be empty" in run(env, "query", "x", "-d", "", code=2).stderr
    assert "QUERY: the query is empty" in run(env, "query", "", code=2).stderr
    assert run(environment("local"), "ping", code=2).stderr.startswith("influxq: INFLUXDB_URL: 'local' is not of the")


def test_profiles(influxd: Server, database: str, tmp_path: Path) -> None:
    config = tmp_path / "influxq.toml"
    env = environment(None, XDG_CONFIG_HOME=str(tmp_path))
    config.write_text(
        f'url = "{influxd.url}"\ndatabase = "{database}"\n'
        '[profiles.far]\nurl = "http://127.0.0.1:1"\nusername = "u"\npassword = "p"\n'
    )
    config.chmod(0o600)
    run(env, "write", "m v=1")
    assert run(env, "measurements").stdout == "m\n"
    assert "127.0.0.1:1" in run(env, "--profile", "far", "ping", code=3).stderr
    # Options take precedence over a profile, a named profile over the environment, and that over the rest of the file.
    assert run(env, "--profile", "far", "ping", "--url", influxd.url).stdout
    assert run({**env, "INFLUXDB_DATABASE": "none"}, "measurements", "-d", database).stdout == "m\n"
    run({**env, "INFLUXDB_DATABASE": f"{database}_none"}, "measurements", code=1)
    assert "127.0.0.1:1" in run({**env, "INFLUXDB_URL": influxd.url}, "--profile", "far", "ping", code=3).stderr
    config.chmod(0o644)
    warned = run(env, "--profile", "far", "ping", code=3).stderr
    assert warned.startswith(f"warning: {config} has a password and can be read by other users; run: chmod 600")
    config.write_text('[profiles.far]\nurl = "http://u:p@127.0.0.1:1"')
    assert run(env, "--profile", "far", "ping", code=3).stderr.startswith(f"warning: {config} has a password")
    for text, arguments, expected in (
        ("x = 1", [], "unknown setting 'x'; the settings are url, database"),
        ("url = 1", [], "url must be a string, got 1"),
        ("timeout = true", [], "timeout must be a number, got True"),
        ("password = 12345", [], "password must be a string, got a value of type int\n"),
        ("url =", [], f"influxq: {config}: "),
        ('url = "local"', [], f"influxq: {config}: url: 'local' is not of the form http[s]://[user:password@]host"),
        ('[profiles.p]\nca = "no.pem"\nurl = "https://h"', ["--profile", "p"], f"{config}: ca: cannot use no.pem"),
        ("", ["--profile", "far"], "--profile far: not found in"),
        ("[profiles.far]\nport = 1", ["--profile", "far"], "profile 'far': unknown setting 'port'"),
        ("profiles = 1", [], "profiles must be tables"),
    ):
        config.write_text(text)
        assert expected in run(env, "ping", *arguments, code=2).stderr
    config.write_bytes(f'\ufeffurl = "{influxd.url}"\r\n'.encode())  # as editors on Windows save it
    run(env, "ping")
    config.write_text('database = "t"', encoding="utf-16")
    assert f"cannot read {config}: not UTF-8; convert it first" in run(env, "ping", code=2).stderr
    config.unlink()
    config.mkdir()  # a file that cannot be read
    warned = run({**env, "INFLUXDB_URL": influxd.url}, "ping").stderr
    assert warned == f"warning: cannot read {config}, so its settings are not used: Is a directory\n"
    config.rmdir()
    message = f"influxq: --profile far: {config} does not exist; create it with the settings\n"
    assert run(env, "ping", "--profile", "far", code=2).stderr == message
    missing = {**environment(influxd.url), "INFLUXQ_CONFIG": str(tmp_path / "none.toml")}
    assert "INFLUXQ_CONFIG: " in run(missing, "ping", code=2).stderr


def test_home_directory(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A user of a container may have no account, and `/` as the home directory."""
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "INFLUXQ_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 1 << 30)
    for home in ("/", None):
        monkeypatch.delenv("HOME", raising=False)
        if home is not None:
            monkeypatch.setenv("HOME", home)
        assert config_path() == Path("/.config/influxq.toml")
        assert history_path() == Path("/.local/state/influxq_history")
        with pytest.raises(SystemExit):
            main(["--help"])
        assert "~/.config/influxq.toml" in capsys.readouterr().out
    monkeypatch.setenv("HOME", "/home/user")
    monkeypatch.setenv("XDG_CONFIG_HOME", "/etc")
    with pytest.raises(SystemExit):
        main(["--help"])
    assert " /etc/influxq.toml" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("config", "variables", "arguments", "expected", "warned"),
    [
        # One source names a server and its credentials, and an option, a profile or the environment another server.
        ("", "URL=A USERNAME=u PASSWORD=p", "--url B", None, "INFLUXDB_USERNAME, INFLUXDB_PASSWORD not sent to B:"),
        ("", "URL=A TOKEN=t", "--url B", None, "INFLUXDB_TOKEN not sent to B: INFLUXDB_URL is another server"),
        (
            'url="A" username="u" password="p"',
            "",
            "--url B",
            None,
            "influxq.toml: username, password not sent to B: url is",
        ),
        ('url="A" username="u" password="p"', "URL=B", "", None, "username, password not sent"),
        ('url="A" token="t"', "URL=B", "", None, "token not sent"),
        ('[profiles.b] url="B"', "URL=A TOKEN=t", "--profile b", None, "INFLUXDB_TOKEN not sent"),
        ('url="A" password="p"', "", "--url B --username v", "v:", "password not sent"),
        (
            "",
            "URL=A USERNAME=u PASSWORD=p TOKEN=t",
            "--url B --username v",
            "v:p",
            "INFLUXDB_USERNAME, INFLUXDB_TOKEN not",
        ),
        ('[profiles.b] url="B" username="v"', "URL=A PASSWORD=p", "--profile b", "v:p", ""),
        ("", "URL=http://[ TOKEN=t", "--url B", None, "INFLUXDB_TOKEN not sent to B: INFLUXDB_URL is another server"),
        ("", "URL=http://[::1] TOKEN=t", "--url B", None, "INFLUXDB_TOKEN not sent to B: INFLUXDB_URL is another"),
        # They are sent to their own server, and to any if none is named beside them.
        ("", "URL=A USERNAME=u PASSWORD=p", "--url A/", "u:p", ""),
        ("", "URL=B USERNAME=u PASSWORD=p", "", "u:p", ""),
        ("", "USERNAME=u PASSWORD=p", "--url B", "u:p", ""),
        ('url="B"', "USERNAME=u PASSWORD=p", "", "u:p", ""),
        ('username="u" password="p"', "URL=B", "", "u:p", ""),
        ('url="B" username="u" password="p"', "", "", "u:p", ""),
        ('[profiles.a] url="A" username="u" password="p"', "", "--profile a --url B", "u:p", ""),
    ],
)
def test_credentials_belong_to_a_server(
    config: str,
    variables: str,
    arguments: str,
    expected: str | None,
    warned: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def named(text: str) -> str:
        return re.sub(r"\b[AB]\b", lambda match: f"http://{match[0].lower()}.example:8086", text)

    for name in [name for name in os.environ if name.startswith("INFLUX")]:
        monkeypatch.delenv(name)
    file = tmp_path / "influxq.toml"
    file.write_text("\n".join(named(config).split()))
    file.chmod(0o600)
    monkeypatch.setenv("INFLUXQ_CONFIG", str(file))
    for variable in named(variables).split():
        name, _, value = variable.partition("=")
        monkeypatch.setenv(f"INFLUXDB_{name}", value)
    with create_client(parse_arguments([*named(arguments).split(), "ping"])) as client:
        authorization = client.settings.server.authorization
    basic = None if expected is None else f"Basic {base64.b64encode(expected.encode()).decode()}"
    assert authorization == basic
    stderr = capsys.readouterr().err
    assert named(warned) in stderr
    assert stderr.count("warning: ") == bool(warned)


def test_pretty_json(env: dict[str, str], client: InfluxDBClient) -> None:
    client.write("m v=1 1")
    done = run(env, "query", "SELECT v FROM m", "-f", "json", "--pretty", "--epoch", "ns")
    point = {"measurement": "m", "tags": {}, "fields": {"v": 1.0}, "time": 1}
    assert done.stdout == f"{json.dumps(point, indent=2)}\n"
    assert "--pretty requires --format json" in run(env, "query", "SELECT v FROM m", "--pretty", code=2).stderr


@pytest.mark.parametrize("module", ["gettext", "requests"])
def test_interruption_while_modules_are_imported(module: str, tmp_path: Path) -> None:
    """argparse imports gettext, and the client requests."""
    (tmp_path / f"{module}.py").write_text("raise KeyboardInterrupt")
    done = run(environment("http://localhost", PYTHONPATH=str(tmp_path)), "ping", code=130)
    assert done.stderr == "influxq: interrupted\n"


def test_entry_point_imports_nothing() -> None:
    """Ctrl-C is handled as soon as the entry point is imported."""
    code = "import sys; before = {*sys.modules}; import influx_requests._cli; print(*{*sys.modules} - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    expected = {"__future__", "influx_requests", "influx_requests._cli", "influx_requests._version"}
    assert {*done.stdout.split()} <= expected


@pytest.mark.parametrize("arguments", ["--help", "qurey", "query x --fromat csv", "write --help"])
def test_help_and_usage_errors_do_not_import_the_client(arguments: str) -> None:
    assert not {"requests", "influx_proto", "logging", "msgspec"} & imported_modules(arguments)


def test_ping_imports_no_optional_library(influxd: Server) -> None:
    modules = imported_modules(f"ping --url {influxd.url}")
    assert "requests" in modules
    assert not {"pandas", "numpy", "pyarrow", "polars", "prompt_toolkit", "matplotlib", "tqdm", "wcwidth"} & modules


def imported_modules(arguments: str) -> set[str]:
    code = (
        "import sys\nfrom influx_requests._cli import main\n"
        f"try: main({arguments.split()})\nexcept SystemExit: pass\nprint(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stderr.split())
