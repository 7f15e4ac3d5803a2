"""Releases of requests, urllib3 and http.client whose internals differ from those of the current ones."""

from __future__ import annotations

import http.client
import logging
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import requests
import urllib3
import urllib3.connection
from influx_proto import ProtocolError, RetryPolicy
from influx_requests import InfluxDBClient, _connection
from requests.adapters import HTTPAdapter

from tests.servers.scripted import Behavior, Close, Receive, ScriptedServer, Send, reply, respond

ONCE = RetryPolicy(attempts=1)


@pytest.fixture(autouse=True)
def _unchecked() -> Iterator[None]:
    """Check the dependencies again in each test and after it."""
    checks = (_connection._are_connections_supported, _connection._warn)
    for check in checks:
        check.cache_clear()
    yield
    for check in checks:
        check.cache_clear()


def truncated(url: str) -> None:
    with InfluxDBClient.from_url(url, retry=ONCE) as client:
        assert client.ping()
        client.query("SHOW DATABASES")


def test_begin_with_an_unknown_parameter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python 3.15 limits the number of headers by this parameter; response heads are still read by our own rules."""
    original = http.client.HTTPResponse.begin

    def begin(self: http.client.HTTPResponse, *, _max_headers: int) -> None:
        assert _max_headers == 200
        original(self)

    def getresponse(self: Any) -> http.client.HTTPResponse:
        response: http.client.HTTPResponse = self.response_class(self.sock, method=self._method)
        try:
            response.begin(_max_headers=200)  # type: ignore[call-arg]  # a parameter of Python 3.15
        except BaseException:
            response.close()
            raise
        self._HTTPConnection__state = "Idle"
        if response.will_close:
            self.close()
        return response

    monkeypatch.setattr(http.client.HTTPResponse, "begin", begin)
    monkeypatch.setattr(http.client.HTTPConnection, "getresponse", getresponse)
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\n"
    cut: Behavior = [Receive(), Send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"), Close()]
    with ScriptedServer([[Receive(), Send(hints + respond(204, {"Connection": "close"}))], cut]) as server:
        with pytest.raises(ProtocolError, match="truncated or malformed"):
            truncated(server.url)
        assert len(server.requests) == 2


def unread_class(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulate connections that ignore their response class."""

    def getresponse(self: Any) -> http.client.HTTPResponse:
        self.response_class = http.client.HTTPResponse
        return original(self)

    original = http.client.HTTPConnection.getresponse
    monkeypatch.setattr(http.client.HTTPConnection, "getresponse", getresponse)


def head_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulate response heads that are not read line by line."""

    def read_status(self: Any) -> Any:
        self.fp = _Plain(self.fp)
        return original(self)

    class _Plain:
        def __init__(self, file: Any) -> None:
            self.file = file

        def readline(self, size: int) -> bytes:
            line = b""
            while not line.endswith(b"\n") and len(line) < size and (byte := self.file.read(1)):
                line += byte
            return line

        def __getattr__(self, name: str) -> Any:
            return getattr(self.file, name)

    original = http.client.HTTPResponse._read_status  # type: ignore[attr-defined]  # undocumented, so that typeshed omits it
    monkeypatch.setattr(http.client.HTTPResponse, "_read_status", read_status)


def other_constructor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulate a connection parameter that our subclass sets differently, so that it cannot be instantiated."""

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        if type(self).__module__.startswith("influx"):
            raise TypeError("missing a required argument: 'loop'")
        original(self, *args, **kwargs)

    original = urllib3.connection.HTTPConnection.__init__
    monkeypatch.setattr(urllib3.connection.HTTPConnection, "__init__", init)


def fixed_pools(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulate a pool manager with fixed pool classes."""

    def new_pool(self: Any, scheme: str, host: str, port: int, request_context: Any = None) -> Any:
        self.pool_classes_by_scheme = {"http": urllib3.HTTPConnectionPool, "https": urllib3.HTTPSConnectionPool}
        return original(self, scheme, host, port, request_context)

    original = urllib3.PoolManager._new_pool
    monkeypatch.setattr(urllib3.PoolManager, "_new_pool", new_pool)


def frozen_pools(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulate pool classes that cannot be set."""

    def set_classes(_: Any, value: Any) -> None:
        if value is not classes:
            raise AttributeError("can't set attribute")

    classes = urllib3.poolmanager.pool_classes_by_scheme
    monkeypatch.setattr(
        urllib3.PoolManager, "pool_classes_by_scheme", property(lambda _: classes, set_classes), raising=False
    )


CHANGES = [unread_class, head_in_one, other_constructor, fixed_pools, frozen_pools]


@pytest.mark.parametrize("change", CHANGES)
def test_falls_back_to_urllib3s_connections(
    change: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The fallback is logged once."""
    change(monkeypatch)
    caplog.set_level(logging.WARNING, "influx_requests")
    with ScriptedServer([[step for _ in range(2) for step in (Receive(), Send(respond(204)))]]) as server:
        for _ in range(2):
            with InfluxDBClient.from_url(server.url, retry=ONCE) as client:
                assert client.write("m v=1 1", db="db") is True
                assert client.write(f'm s="{"x" * 500_000}" 1', db="db") is True
        assert len(server.requests) == 4
    (message,) = caplog.messages
    assert message.startswith(f"urllib3 {version('urllib3')} does not work with the connections of influx-requests")


@pytest.mark.parametrize("change", CHANGES)
def test_unix_socket_never_falls_back_to_a_host(
    change: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    change(monkeypatch)
    with pytest.raises(NotImplementedError, match=r"unix_socket is not supported with urllib3 \d"):
        InfluxDBClient(unix_socket=str(tmp_path / "socket"))


def test_session_whose_responses_lack_read1() -> None:
    """Another transport adapter of the session may return such responses."""

    class Raw:
        def __init__(self, raw: Any) -> None:
            self._raw = raw

        def read(self, size: int, **options: Any) -> Any:
            return self._raw.read(size, **options)

        def __getattr__(self, name: str) -> Any:
            if name == "read1":
                raise AttributeError(name)
            return getattr(self._raw, name)

    class Adapter(HTTPAdapter):
        def send(self, *args: Any, **kwargs: Any) -> requests.Response:
            response = super().send(*args, **kwargs)
            response.raw = Raw(response.raw)
            return response

    body = b'{"results":[{"statement_id":0}]}\n'
    behavior = reply(200, {"Content-Type": "application/json"}, body)
    with ScriptedServer([behavior]) as server, requests.Session() as session:
        session.mount("http://", Adapter())
        with InfluxDBClient.from_url(server.url, session=session) as client:
            assert client.query("SHOW DATABASES").series == []
