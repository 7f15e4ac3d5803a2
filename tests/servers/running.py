"""Server that tests, examples and benchmarks use.

It is, in this order, the installed one with the name of pytest's `--server`, the one at `INFLUXDB_URL`, or a local
InfluxDB 1.x that is started and stopped. `INFLUXDB_TOKEN` and `INFLUXDB_ORG` belong to `INFLUXDB_URL`.

The tests create and drop databases (buckets of 2.x) whose names begin with `test_`.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import urllib.parse
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.servers import api2
from tests.servers.builds import BUILDS, find_build
from tests.servers.capabilities import Version
from tests.servers.influxd import Influxd, InfluxdError, Server, execute, find_influxd, read_version
from tests.servers.influxd2 import Influxd2
from tests.servers.victoriametrics import VictoriaMetrics

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping


_settings: dict[str, Mapping[str, Any]] = {}


def settings_for(url: str) -> Mapping[str, Any]:
    """Return the arguments that a client needs to use the server of `running_server`, if the URL is that server's."""
    return next((settings for server, settings in _settings.items() if url.startswith(server)), {})


@contextlib.contextmanager
def running_server(name: str | None = None) -> Generator[Server]:
    """Yield the server of that name, the one at `INFLUXDB_URL`, or a local InfluxDB 1.x, which ends with the block."""
    with _running_server(name) as server:
        _settings[server.url] = server.settings
        try:
            yield server
        finally:
            del _settings[server.url]


@contextlib.contextmanager
def _running_server(name: str | None) -> Generator[Server]:
    if name is None and (url := os.environ.get("INFLUXDB_URL")):
        yield _existing_server(url)
        return
    if name == "victoriametrics":
        with VictoriaMetrics() as server:
            yield server
        return
    with Influxd2() if name == "2.7" else Influxd() as influxd:
        yield influxd


def use_build(name: str) -> None:
    """Let this process and its children find a built server before any other of its kind."""
    os.environ["PATH"] = f"{find_build(name).parent}{os.pathsep}{os.environ['PATH']}"
    os.environ.pop("INFLUXDB_URL", None)


def version_of(name: str | None) -> Version:
    """Return the version of the server that `running_server` yields, without starting one."""
    if name is not None:
        product = name if name == "victoriametrics" else "influxdb"
        return find_version(product, BUILDS[name].version)
    if url := os.environ.get("INFLUXDB_URL"):
        return identify(url, os.environ.get("INFLUXDB_TOKEN"))
    return find_version("influxdb", read_version(find_influxd()))


def find_version(product: str, text: str) -> Version:
    """Return the version in a text such as `v1.13.2`; 1.0 if there is none, as in Debian's VictoriaMetrics."""
    found = re.search(r"v?(\d+)\.(\d+)\.", text)
    return Version(product, int(found[1]), int(found[2])) if found else Version(product, 1, 0)


def identify(url: str, token: str | None = None) -> Version:
    """Return product and version of a running server from its response to a ping."""
    parts = urllib.parse.urlsplit(url)
    connect = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = connect(parts.hostname or "localhost", parts.port, timeout=30)
    with contextlib.closing(connection):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        connection.request("GET", f"{parts.path.rstrip('/')}/ping", headers=headers)
        response = connection.getresponse()
        response.read()
        if version := response.headers.get("X-Influxdb-Version"):
            return find_version("influxdb", version)
        connection.request("GET", f"{parts.path.rstrip('/')}/metrics")
        metrics = connection.getresponse().read().decode(errors="replace")
    if found := re.search(r'^vm_app_version\{.*short_version="v?([^"]*)"', metrics, re.MULTILINE):
        return find_version("victoriametrics", found[1])
    msg = f"INFLUXDB_URL: {parts.hostname} responds to a ping with {response.status} and without a version"
    raise InfluxdError(msg)


def _existing_server(url: str) -> Server:
    version = identify(url, token := os.environ.get("INFLUXDB_TOKEN"))
    if version.product == "victoriametrics":
        raise InfluxdError("INFLUXDB_URL: the tests read back in InfluxQL; use --server victoriametrics")
    if version.major == 1:
        return _Existing1(url)
    if version.major > 2:
        return _Existing3(url, {"token": token} if token else {})
    settings = {"token": token, "org": os.environ.get("INFLUXDB_ORG")}
    if missing := [f"INFLUXDB_{name.upper()}" for name, value in settings.items() if not value]:
        raise InfluxdError(f"the tests of {version} create buckets; set {' and '.join(missing)}")
    return _Existing2(url, settings)


@dataclass(frozen=True)
class _Existing:
    """A server where databases need not be created."""

    url: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    def create_database(self, name: str) -> None: ...

    def drop_database(self, name: str) -> None: ...


class _Existing1(_Existing):
    def create_database(self, name: str) -> None:
        execute(self.url, f'CREATE DATABASE "{name}"')

    def drop_database(self, name: str) -> None:
        execute(self.url, f'DROP DATABASE "{name}"')


class _Existing2(_Existing):
    def create_database(self, name: str) -> None:
        api2.create_bucket(self.url, **self.settings, name=name)

    def drop_database(self, name: str) -> None:
        api2.drop_bucket(self.url, **self.settings, name=name)


class _Existing3(_Existing):
    def create_database(self, name: str) -> None:
        api2.call(self.url, "POST", "/api/v3/configure/database", {"db": name}, token=self.settings.get("token"))

    def drop_database(self, name: str) -> None:
        query = urllib.parse.urlencode({"db": name})
        api2.call(self.url, "DELETE", f"/api/v3/configure/database?{query}", token=self.settings.get("token"))
