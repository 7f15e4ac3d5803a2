"""Connections over Unix domain sockets."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from influx_proto import RetryPolicy, TransportError

from tests.conformance.conftest import use
from tests.conformance.drivers import Driver
from tests.servers.influxd import Influxd

ONCE = RetryPolicy(attempts=1)
CREDENTIALS = f"Basic {base64.b64encode('us er:p@ß'.encode()).decode()}"


@pytest.fixture(scope="module")
def socket_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influxd]:
    with Influxd(unix_socket=tmp_path_factory.mktemp("socket") / "influx d.sock") as server:
        yield server


def test_unix_socket(driver: Driver, connect: Callable[..., Any], socket_server: Influxd) -> None:
    if "unix_socket" in driver.lacks:
        with pytest.raises(NotImplementedError, match="unix_socket"):
            connect("http://localhost", unix_socket=socket_server.unix_socket)
        return
    use(connect("http://localhost:1", unix_socket=socket_server.unix_socket))
    use(connect("http://localhost:1", unix_socket=str(socket_server.unix_socket)))


@pytest.mark.needs("unix_socket")
def test_missing_unix_socket(driver: Driver, connect: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "none", tmp_path / "file"):
        with pytest.raises(TransportError, match=re.escape(str(path))) as caught:
            connect("http://localhost", unix_socket=path, retry=ONCE).ping()
        assert caught.value.maybe_received is False


def test_host_is_rejected_with_a_unix_socket(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    for other in ({"ssl": True}, {"proxy": "http://p"}):
        with pytest.raises(ValueError, match=r"^unix_socket: "):
            driver.client_class(unix_socket="/s", **other)
    if "unix_socket" not in driver.lacks:
        monkeypatch.setenv("HTTP_PROXY", "http://p")
        assert driver.client_class(unix_socket="/s").settings.proxy is None
