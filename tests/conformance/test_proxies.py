"""Proxies from the argument and from the environment, and custom headers."""

from __future__ import annotations

import base64
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from influx_proto import AuthenticationError, RetryPolicy, TransportError

from tests.conformance.conftest import use
from tests.conformance.drivers import Driver
from tests.servers.influxd import Influxd, Server
from tests.servers.proxy import Proxy
from tests.servers.scripted import Close, Receive, Reset, ScriptedServer, Send, Stall, refused_port, reply, respond

ONCE = RetryPolicy(attempts=1)
CREDENTIALS = f"Basic {base64.b64encode('us er:p@ß'.encode()).decode()}"


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    folder = tmp_path_factory.mktemp("certificates")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    authority.issue_cert("localhost", "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    with Influxd(https=(folder / "server.pem", folder / "server.pem")) as server:
        yield server, folder / "ca.pem"


def heads_are_absolute(proxy: Proxy, url: str) -> bool:
    return bool(proxy.heads) and all(head.split(b" ")[1].startswith(url.encode() + b"/") for head in proxy.heads)


@pytest.mark.needs("administration")
def test_proxy(driver: Driver, connect: Callable[..., Any], influxd: Server) -> None:
    with Proxy() as proxy:
        if "proxy" in driver.lacks:
            with pytest.raises(NotImplementedError, match="proxy"):
                connect(influxd.url, proxy=proxy.url)
            return
        use(connect(influxd.url, proxy=proxy.url))
        assert heads_are_absolute(proxy, influxd.url)


@pytest.mark.needs("proxy")
def test_proxy_request_target_is_not_altered(driver: Driver, connect: Callable[..., Any]) -> None:
    with ScriptedServer([reply(204)]) as server, Proxy() as proxy:
        connect(server.url + "/in%20flux", proxy=proxy.url).write("m v=1 1", db="%aa+;#é&=?/\\ \"'~.-_")
    [request] = server.requests
    assert request.target == "/in%20flux/write?db=%25aa%2B%3B%23%C3%A9%26%3D%3F%2F%5C%20%22%27~.-_&precision=ns"
    assert request.headers["host"] == f"127.0.0.1:{server.port}"


@pytest.mark.needs("proxy")
def test_proxy_for_tls(driver: Driver, connect: Callable[..., Any], secure: tuple[Server, Path]) -> None:
    server, ca = secure
    with Proxy() as proxy:
        use(connect(server.url, verify=ca, proxy=proxy.url))
        assert all(head.startswith(b"CONNECT 127.0.0.1:") for head in proxy.heads)
        if "keep_alive" not in driver.lacks:
            assert len(proxy.heads) == 1


@pytest.mark.needs("open_to_all")
@pytest.mark.needs("proxy")
def test_proxy_that_requires_credentials(
    driver: Driver,
    connect: Callable[..., Any],
    influxd: Server,
    secure: tuple[Server, Path],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    server, ca = secure
    with Proxy(CREDENTIALS) as proxy:
        url = proxy.url.replace("://", "://us%20er:p%40%C3%9F@")
        client = connect(influxd.url, proxy=url, username="me", password="mine")
        use(client)
        use(connect(server.url, verify=ca, proxy=url, username="me", password="mine"))
        tunnels = [head for head in proxy.heads if head.startswith(b"CONNECT")]
        assert tunnels
        # These credentials are for the server only.
        assert not any(b"\r\nauthorization:" in head.lower() for head in tunnels)
        with pytest.raises(AuthenticationError) as caught:
            connect(influxd.url, proxy=proxy.url, retry=ONCE).query("SHOW USERS")
        assert caught.value.status == 407
        with pytest.raises(TransportError, match=r"\(through the proxy .*407") as refused:
            connect(server.url, verify=ca, proxy=proxy.url, retry=ONCE).query("SHOW USERS")
        assert refused.value.maybe_received is False
    for text in (repr(client), repr(client.settings), str(refused.value), caplog.text):
        assert "p%40" not in text
        assert "p@ß" not in text
        assert CREDENTIALS.removeprefix("Basic ") not in text


@pytest.mark.needs("proxy")
def test_unreachable_server_behind_a_proxy(driver: Driver, connect: Callable[..., Any]) -> None:
    with refused_port() as port, Proxy() as proxy:
        with pytest.raises(TransportError, match=r"\(through the proxy .*502") as caught:
            connect(f"https://127.0.0.1:{port}", proxy=proxy.url, retry=ONCE).ping()
        assert caught.value.maybe_received is False


@pytest.mark.parametrize("end", [Stall(30), Close(), Reset(), Send(b"SSH-2.0-x\r\n\r\n")], ids=repr)
@pytest.mark.needs("proxy")
def test_proxy_that_fails(driver: Driver, connect: Callable[..., Any], end: Any) -> None:
    with ScriptedServer([[Receive(), end]]) as proxy:
        with pytest.raises(TransportError, match=r"db\.example:8086 \(through the proxy .*\)") as caught:
            connect("https://db.example:8086", proxy=proxy.url, retry=ONCE, timeout=0.2).ping()
        assert caught.value.maybe_received is False


@pytest.mark.needs("proxy", "proxy_status")
@pytest.mark.parametrize(("status", "requests"), [(302, 2), (403, 1), (407, 1), (429, 2), (502, 2)])
def test_proxy_that_rejects_a_tunnel(connect: Callable[..., Any], status: int, requests: int) -> None:
    """Wrong credentials for the proxy are not retried."""
    with ScriptedServer([[Receive(), Send(respond(status, {"Location": "http://login.example/"}))]]) as proxy:
        client = connect("https://db.example:8086", proxy=proxy.url, retry=RetryPolicy(attempts=2, backoff=0.001))
        with pytest.raises(TransportError, match=f"the proxy responded with HTTP {status} ") as caught:
            client.write("m v=1 1", db="db")
        assert (caught.value.retryable, caught.value.maybe_received) == (requests > 1, False)
        assert len(proxy.requests) == requests


@pytest.mark.needs("proxy")
def test_unreachable_proxy(driver: Driver, connect: Callable[..., Any]) -> None:
    for scheme in ("http", "https"):
        with refused_port() as port:
            match = rf"db\.example:8086 \(through the proxy 127\.0\.0\.1:{port}\)"
            with pytest.raises(TransportError, match=match) as caught:
                connect(f"{scheme}://db.example:8086", proxy=f"http://127.0.0.1:{port}", retry=ONCE).ping()
            assert caught.value.maybe_received is False


@pytest.mark.needs("administration")
@pytest.mark.needs("proxy")
def test_proxy_from_the_environment(
    driver: Driver,
    connect: Callable[..., Any],
    influxd: Server,
    secure: tuple[Server, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server, ca = secure
    with Proxy() as proxy:
        monkeypatch.setenv("NO_PROXY", "elsewhere.example")
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("https_proxy", proxy.url)
        use(connect(influxd.url))
        assert heads_are_absolute(proxy, influxd.url)
        proxy.heads.clear()
        use(connect(server.url, verify=ca))
        assert proxy.heads[0].startswith(b"CONNECT ")
        proxy.heads.clear()
        use(connect(influxd.url, proxy=""))
        monkeypatch.setenv("NO_PROXY", "127.0.0.0/8")
        use(connect(influxd.url))
        assert proxy.heads == []


@pytest.mark.needs("session")
def test_environment_proxy_is_ignored_with_a_callers_session(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://p")
    with warnings.catch_warnings(action="error"):
        assert driver.client_class(session=_Session()).settings.proxy is None


class _Session:
    auth = None


# Custom headers


def test_custom_headers_take_precedence(connect: Callable[..., Any]) -> None:
    with ScriptedServer([reply(204)]) as server:
        connect(server.url, headers={"user-agent": "mine/1", "ACCEPT-ENCODING": "gzip", "Authorization": "X y"}).ping()
    headers = server.requests[0].headers
    assert (headers["user-agent"], headers["accept-encoding"], headers["authorization"]) == ("mine/1", "gzip", "X y")


def test_user_agent_names_versions(connect: Callable[..., Any], driver: Driver) -> None:
    with ScriptedServer([reply(204)]) as server:
        connect(server.url).ping()
    agent = server.requests[0].headers["user-agent"]
    for part in agent.split(" "):
        name, _, version = part.partition("/")
        assert name
        assert version[0].isdigit()
    assert agent == driver.client_class.user_agent


@pytest.mark.parametrize(
    "headers",
    [{"Host": "x"}, {"content-length": "1"}, {"Transfer-Encoding": "x"}, {"X": "é"}, {"X": "a\nb"}, {"X y": "z"}],
    ids=repr,
)
def test_invalid_headers(driver: Driver, headers: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"^headers: "):
        driver.client_class(headers=headers)


def test_duplicate_credentials(driver: Driver) -> None:
    for credentials in ({"username": "u"}, {"token": "t"}, {"token": lambda: "t"}):
        with pytest.raises(ValueError, match=r"^headers: Authorization"):
            driver.client_class(headers={"authorization": "X y"}, **credentials)


class _IPv6Server(ScriptedServer):
    host = "::1"


@pytest.mark.needs("ipv6_zone")
@pytest.mark.parametrize("by", ["host", "url"])
def test_ipv6_address_with_a_zone(driver: Driver, connect: Callable[..., Any], by: str) -> None:
    """The zone is local to this machine and is not sent; zone 1 is the loopback interface."""
    with _IPv6Server([reply(204)]) as server:
        url = f"http://[::1%251]:{server.port}"
        client = connect(url) if by == "url" else connect("http://localhost", host="::1%1", port=server.port)
        client.ping()
        client.write("m v=1 1", db="db")
        assert [request.headers["host"] for request in server.requests] == [f"[::1]:{server.port}"] * 2
