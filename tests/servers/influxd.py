"""Real InfluxDB 1.x server for tests, examples and benchmarks: found or fetched, started on a free port, stopped.

    with Influxd() as server:
        ...  # server.url

Run as a program, `python -m tests.servers.influxd` keeps a server in the foreground until Ctrl-C; with `--install` it
only installs influxd if necessary.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeAlias

from tests.servers.debian import ProgramUnavailableError, unpack_program
from tests.servers.folders import make_data_folder
from tests.servers.leash import release_leash, start_leash
from tests.servers.ports import reserve_port

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

START_DEADLINE = 30.0
STOP_DEADLINE = 10.0
POLL = 0.01

INSTALL_HINT = (
    "Install InfluxDB 1.x so that `influxd` is on PATH (Debian: apt-get install influxdb), "
    "or set INFLUXDB_URL to a running server."
)

Option: TypeAlias = str | int | float | bool


class InfluxdError(RuntimeError):
    """influxd is not available, does not start, or rejects a statement."""


class Server(Protocol):
    """A server that is running, whether or not the tests started it."""

    @property
    def url(self) -> str: ...

    @property
    def settings(self) -> Mapping[str, Any]:
        """Return the arguments that a client needs to use the server, such as a token."""

    def create_database(self, name: str) -> None: ...

    def drop_database(self, name: str) -> None: ...


class Influxd:
    """A real influxd on a free loopback port, with its data in a temporary folder that is deleted on exit.

    The port stays reserved from `__enter__` to `__exit__`. While no influxd runs, connections are refused, and `start`
    uses the same port again.

    `https` is a certificate file and a key file. `http` overrides values in the configuration's section of that name,
    `sections` values in any other: `Influxd(http={"max-body-size": 1000}, sections={"data": {...}})`.
    """

    host = "127.0.0.1"
    settings: Mapping[str, Any] = MappingProxyType({})

    def __init__(
        self,
        *,
        auth: bool = False,
        shared_secret: str | None = None,
        https: tuple[Path, Path] | None = None,
        unix_socket: Path | None = None,
        http: Mapping[str, Option] | None = None,
        sections: Mapping[str, Mapping[str, Option]] | None = None,
    ) -> None:
        self.port = 0  # chosen in `__enter__`
        self.unix_socket = unix_socket
        self.scheme = "https" if https else "http"
        self._http: dict[str, Option] = {"log-enabled": False, "auth-enabled": auth, "flux-enabled": True}
        if shared_secret is not None:
            self._http["shared-secret"] = shared_secret
        if https is not None:
            certificate, key = map(str, https)
            Path(key).chmod(0o600)  # InfluxDB 1.13 rejects a key that others can read
            self._http |= {"https-enabled": True, "https-certificate": certificate, "https-private-key": key}
        if unix_socket is not None:
            self._http |= {"unix-socket-enabled": True, "bind-socket": str(unix_socket)}
        self._http |= http or {}
        self._sections = sections or {}
        self._process: subprocess.Popen[bytes] | None = None
        self._leash: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._reserved = reserve_port(self.host)
        self.port = self._reserved.getsockname()[1]
        self.folder = make_data_folder("influxd-")
        try:
            self.start()
        except BaseException:
            self._reserved.close()
            shutil.rmtree(self.folder)
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()
        self._reserved.close()
        shutil.rmtree(self.folder)

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"

    @property
    def log(self) -> str:
        """Return the log since the last start."""
        return self._log_file.read_text(errors="replace")

    def create_database(self, name: str) -> None:
        execute(self.url, f'CREATE DATABASE "{name}"')

    def drop_database(self, name: str) -> None:
        execute(self.url, f'DROP DATABASE "{name}"')

    def start(self) -> None:
        """Start the server and wait until it responds. After `stop` or `kill` it has the same port and data."""
        if self._process is not None:
            raise InfluxdError("influxd is already running")
        self._mend_log()
        self._launch()
        try:
            self._wait_until_ready(time.monotonic() + START_DEADLINE)
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Stop the server gracefully, without data loss."""
        if self._process is not None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_DEADLINE)
            self.kill()

    def kill(self) -> None:
        """Kill the server, as in a crash. Its folder stays."""
        if self._process is not None:
            with self._process as process:
                process.kill()
        if self._leash is not None:  # after the process, which must not outlive this one
            release_leash(self._leash)
        self._process = self._leash = None

    def _mend_log(self) -> None:
        """Remove the incomplete last entry of the write-ahead log after a kill.

        influxd skips the incomplete entry and appends new ones behind it. At its next start it stops reading there, so
        all writes that it acknowledged in between would be lost, whatever the client does.
        """
        for path in self.folder.glob("wal/**/*.wal"):
            data = path.read_bytes()
            whole = end = 0
            while end <= len(data):
                whole = end
                # One byte for the type, four for the length.
                end = whole + 5 + int.from_bytes(data[whole + 1 : whole + 5])
            os.truncate(path, whole)

    @property
    def _log_file(self) -> Path:
        return self.folder / "influxd.log"

    def _launch(self) -> None:
        command = self._command()
        # INFLUXDB_* variables would override the configuration file.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("INFLUXDB_")}
        if self.unix_socket is not None:
            self.unix_socket.unlink(missing_ok=True)
        # In a new session, so that a Ctrl-C at the terminal does not stop the server before its clients are done.
        with self._log_file.open("wb") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True
            )
        self._leash = start_leash(self._process, self.folder)

    def _command(self) -> Sequence[str | Path]:
        return [find_influxd(), "run", "-config", self._write_config()]

    def _write_config(self) -> Path:
        address: dict[str, Option] = {"bind-address": f"{self.host}:{self.port}"}
        sections: dict[str, dict[str, Option]] = {
            "meta": {"dir": str(self.folder / "meta")},
            "data": {
                "dir": str(self.folder / "data"),
                "wal-dir": str(self.folder / "wal"),
                "query-log-enabled": False,
            },
            "monitor": {"store-enabled": False},
            "http": address | self._http,
        }
        for name, values in self._sections.items():
            sections[name] = sections.get(name, {}) | dict(values)
        lines = ["reporting-disabled = true", f'bind-address = "{self.host}:0"']
        for name, values in sections.items():
            lines.append(f"[{name}]")
            # JSON strings, numbers and booleans are also valid TOML.
            lines.extend(f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items())
        path = self.folder / "influxd.conf"
        path.write_text("\n".join(lines) + "\n")
        return path

    def _wait_until_ready(self, deadline: float) -> None:
        assert self._process is not None
        while not self._is_ready():
            with contextlib.suppress(subprocess.TimeoutExpired):
                status = self._process.wait(POLL)
                raise InfluxdError(f"influxd ended with status {status} instead of starting. Its log:\n{self._tail()}")
            if time.monotonic() > deadline:
                raise InfluxdError(f"influxd did not respond within {START_DEADLINE:.0f} s. Its log:\n{self._tail()}")

    def _is_ready(self) -> bool:
        if self.unix_socket is not None and not self.unix_socket.exists():
            return False
        connection = (
            http.client.HTTPSConnection(self.host, self.port, timeout=5, context=ssl._create_unverified_context())
            if self.scheme == "https"
            else http.client.HTTPConnection(self.host, self.port, timeout=5)
        )
        with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/ping")
            return connection.getresponse().status in {200, 204, 401}  # 401 if a ping requires credentials
        return False

    def _tail(self) -> str:
        return "\n".join(self.log.splitlines()[-20:])


def execute(url: str, statement: str) -> Any:
    """Run an InfluxQL statement with only the standard library, for fixtures and for checks of clients."""
    parts = urllib.parse.urlsplit(url)
    headers: dict[str, str] = {}
    if parts.username is not None:
        credentials = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
        headers["Authorization"] = "Basic " + base64.b64encode(credentials.encode()).decode()
    address = parts._replace(netloc=parts.netloc.rpartition("@")[2], path=parts.path.rstrip("/") + "/query", query="")
    form = urllib.parse.urlencode({"q": statement, "epoch": "ns"}).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(address.geturl(), form, headers), timeout=30) as response:
            document = json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            raise InfluxdError(f"{statement}: {error.code} {error.read().decode(errors='replace')}") from None
    for result in document["results"]:
        if "error" in result:
            raise InfluxdError(f"{statement}: {result['error']}")
    return document


def find_influxd() -> Path:
    """Return influxd 1.x from PATH, or from Debian's package in `.cache`, which is unpacked there if necessary."""
    if (installed := shutil.which("influxd")) and _is_version_1(installed):
        return Path(installed)
    try:
        return unpack_program("influxdb", "usr/bin/influxd")
    except ProgramUnavailableError as error:
        raise InfluxdError(f"influxd is not on PATH. {error}\n{INSTALL_HINT}") from None


def read_version(influxd: str | Path) -> str:
    """Return what influxd says of its version, such as `InfluxDB v1.13.2 (git: unknown unknown)`."""
    return subprocess.run([influxd, "version"], capture_output=True, text=True, check=False).stdout


def _is_version_1(influxd: str) -> bool:
    return re.match(r"InfluxDB v?1\.", read_version(influxd)) is not None


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.servers.influxd", description="Run an InfluxDB 1.x in the foreground."
    )
    parser.add_argument("--install", action="store_true", help="only make sure that there is one to start")
    try:
        if parser.parse_args().install:
            print(_found())  # noqa: T201 -- a program, here
        else:
            _run_in_foreground()
    except InfluxdError as error:
        parser.exit(1, f"{error}\n")


def _found() -> str:
    if url := os.environ.get("INFLUXDB_URL"):
        return f"InfluxDB: the server at {urllib.parse.urlsplit(url).netloc.rpartition('@')[2]} (INFLUXDB_URL)"
    return f"InfluxDB: {find_influxd()}"


def _run_in_foreground() -> None:
    done = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: done.set())
    with Influxd() as server:
        print(server.url, flush=True)  # noqa: T201 -- a program, here
        done.wait()


if __name__ == "__main__":
    main()
