"""Choice of the proxy for a server."""

from __future__ import annotations

import pytest
from influx_proto import Server
from influx_proto._http.proxy import Proxy, proxy_for

HTTP = Server("db.example.com", 8086)
HTTPS = Server("db.example.com", 8086, ssl=True)


@pytest.mark.parametrize(
    ("server", "proxy", "environ", "expected"),
    [
        (HTTP, None, {}, None),
        (HTTP, "http://p:3128", {}, "http://p:3128"),
        (HTTP, "p:3128", {}, "http://p:3128"),
        (HTTP, "http://p", {}, "http://p:80"),
        (HTTP, "http://[::1]:3128/", {}, "http://[::1]:3128"),
        (HTTP, "http://p", {"NO_PROXY": "*", "HTTP_PROXY": "http://q"}, "http://p:80"),
        (HTTP, "", {"HTTP_PROXY": "http://q"}, None),
        (HTTP, None, {"HTTP_PROXY": "http://q:1"}, "http://q:1"),
        (HTTP, None, {"http_proxy": "http://q:1", "HTTP_PROXY": "http://r"}, "http://q:1"),
        (HTTP, None, {"http_proxy": "", "HTTP_PROXY": "http://r"}, None),
        (HTTP, None, {"HTTPS_PROXY": "http://q:1"}, None),
        (HTTPS, None, {"HTTPS_PROXY": "http://q:1"}, "http://q:1"),
        (HTTPS, None, {"HTTP_PROXY": "http://q:1"}, None),
        # A CGI server passes a client's header `Proxy` as HTTP_PROXY, so that variable must be ignored there.
        (HTTP, None, {"HTTP_PROXY": "http://q", "REQUEST_METHOD": "GET"}, None),
        (HTTPS, None, {"HTTPS_PROXY": "http://q", "REQUEST_METHOD": "GET"}, "http://q:80"),
    ],
)
def test_proxy(server: Server, proxy: str | None, environ: dict[str, str], expected: str | None) -> None:
    found = proxy_for(server, proxy, environ)
    assert (found and found.url) == expected


@pytest.mark.parametrize(
    ("host", "no_proxy", "exempt"),
    [
        ("db.example.com", "db.example.com", True),
        ("DB.example.com", "db.EXAMPLE.com", True),
        ("db.example.com", "example.com", True),
        ("db.example.com", ".example.com", True),
        ("db.example.com", "*.example.com", True),
        ("db.example.com", "other, example.com ,", True),
        ("db.example.com", "*", True),
        ("db.example.com", "example.com:8086", True),
        ("db.example.com", "example.com:80", False),
        ("db.example.com", "ample.com", False),
        ("db.example.com", "db", False),
        ("db.example.com", "", False),
        ("db.example.com", ",", False),
        ("10.1.2.3", "10.0.0.0/8", True),
        ("10.1.2.3", "10.1.2.3", True),
        ("10.1.2.3", "11.0.0.0/8", False),
        ("10.1.2.3", "10.1.2.3:8086", True),
        ("::1", "::1", True),
        ("::1", "[::1]", True),
        ("::1", "[::1]:8086", True),
        ("::1", "[::1]:80", False),
        ("fd00::5", "fd00::/8", True),
        ("localhost", "127.0.0.1", False),
    ],
)
def test_no_proxy(host: str, no_proxy: str, exempt: bool) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        found = proxy_for(Server(host), None, {"HTTP_PROXY": "http://q", name: no_proxy})
        assert (found is None) is exempt


@pytest.mark.parametrize(
    "url",
    [
        "socks5://p:1080",
        "https://p",
        "http://",
        "http://p:port",
        "http://p:0",
        "http://u:secret@",
        "http://u:secret@p:x",
        "http://u:sec\uff1fsecret@p",
        "http://u:12/secret@p",
    ],
)
def test_invalid_proxies(url: str) -> None:
    for name, given, environ in (("proxy", url, {}), ("HTTP_PROXY", None, {"HTTP_PROXY": url})):
        with pytest.raises(ValueError, match=f"^{name}: .*only HTTP proxies") as caught:
            proxy_for(HTTP, given, environ)
        assert "secret" not in str(caught.value)


def test_credentials() -> None:
    proxy = proxy_for(HTTP, "http://us%20er:p%40ss@p:1", {})
    assert proxy == Proxy("p", 1, "Basic dXMgZXI6cEBzcw==")
    assert proxy.headers == {"Proxy-Authorization": "Basic dXMgZXI6cEBzcw=="}
    assert "dXMg" not in repr(proxy)
    assert Proxy("p", 1).headers == {}
