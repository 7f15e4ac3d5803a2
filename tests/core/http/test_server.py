"""Server addresses and credentials."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from typing import Any

import pytest
from influx_proto import Request, RetryPolicy, Server, Timeout
from influx_proto._client.config import settings_from_env, settings_from_url
from influx_proto._http.auth import authorization, authorized, basic

from examples.bring_your_own_http import InfluxDBClient


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://localhost", {"host": "localhost", "port": 8086, "ssl": False, "path": ""}),
        ("http://h:80/", {"host": "h", "port": 80, "ssl": False, "path": "/"}),
        ("https://h", {"host": "h", "port": 443, "ssl": True, "path": ""}),
        ("http://[fe80::1%25Eth0]:9", {"host": "fe80::1%Eth0", "port": 9, "ssl": False, "path": ""}),
        ("http://[::1]:9", {"host": "::1", "port": 9, "ssl": False, "path": ""}),
        (
            "https://us%40er:p%3Ass@db.example:8086/prefix?database=test%20db",
            {"host": "db.example", "port": 8086, "ssl": True, "path": "/prefix", "username": "us@er",
             "password": "p:ss", "database": "test db"},
        ),
        ("http://u@h?db=x", {"host": "h", "port": 8086, "ssl": False, "path": "", "username": "u", "password": "",
                             "database": "x"}),
    ],
)  # fmt: skip
def test_urls(url: str, expected: dict[str, Any]) -> None:
    assert settings_from_url(url) == expected


@pytest.mark.parametrize(
    "url",
    ["localhost:8086", "ftp://h", "http://", "", "http://h:port", "http://h:99999", "http://h?databse=x",
     "http://u:secret@h:port", "http://u:secret@", "http://u:secret#x@h", "http://u:secret/x@h", "http://u:secret?x@h",
     "http://u:12/secret@h", "http://u:12?secret@h", "http://u:12#secret@h", "http://u:\uff1fsecret@h", "http://h#there",
     "http://u:12?secret=x@h",
     "http://[::1:8086"],
)  # fmt: skip
def test_invalid_urls(url: str) -> None:
    with pytest.raises(ValueError, match=r"^url: ") as caught:
        settings_from_url(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "environ", "arguments", "expected"),
    [
        ("http://u:p@h", {}, {"token": "Token t"}, "Token t"),
        ("http://u:p@h", {"TOKEN": "Token t"}, {}, "Token t"),
        ("http://h", {"USERNAME": "u", "PASSWORD": "p"}, {"token": "Token t"}, "Token t"),
        ("http://h", {"TOKEN": "Token t"}, {"username": "u", "password": "p"}, basic("u", "p")),
        # A password is never combined with another user name.
        ("http://a:secret@h", {}, {"username": "b"}, basic("b", "")),
        ("http://a:secret@h", {"USERNAME": "b", "PASSWORD": "p"}, {}, basic("b", "p")),
        ("http://a@h", {"PASSWORD": "p"}, {}, basic("a", "p")),
        ("http://h", {"PASSWORD": "p"}, {"username": "u"}, basic("u", "p")),
        ("http://:p@h", {}, {}, basic("", "p")),
        ("http://u:p@h", {}, {"username": None, "password": None, "token": None}, basic("u", "p")),
    ],
)
def test_later_credentials_replace_earlier_ones(
    url: str, environ: dict[str, str], arguments: dict[str, Any], expected: str
) -> None:
    environ = {"INFLUXDB_URL": url} | {f"INFLUXDB_{name}": value for name, value in environ.items()}
    assert InfluxDBClient.from_env(environ, **arguments).settings.server.authorization == expected


@pytest.mark.parametrize(
    ("host", "netloc"),
    [("[::1]", "[::1]:8086"), ("::1", "[::1]:8086"), ("fe80::1%eth0", "[fe80::1%eth0]:8086"),
     ("my_db", "my_db:8086"), ("db.example.", "db.example.:8086"), ("bücher.example", "bücher.example:8086")],
)  # fmt: skip
def test_hosts(host: str, netloc: str) -> None:
    assert Server(host).netloc == netloc


@pytest.mark.parametrize(
    "host", ["localhost:8086", "http://h:1", "::g", "[h]", "a..b", ".", "x" * 64, "a\\b", "a\tb", "h/p", "u@h", ""]
)
def test_invalid_hosts(host: str) -> None:
    with pytest.raises(ValueError, match=r"^host: "):
        Server(host)


def test_from_url() -> None:
    client = InfluxDBClient.from_url("http://u:secret@h:1/p?database=d", database="other")
    assert (client.settings.server.origin, client.settings.server.path, client.db) == ("http://h:1", "/p", "other")
    assert "secret" not in repr(client) + repr(client.settings)


def test_env() -> None:
    assert settings_from_env({}) == {}
    found = settings_from_env({"INFLUXDB_URL": "http://a:b@h?db=x", "INFLUXDB_DATABASE": "y", "INFLUXDB_TOKEN": ""})
    assert (found["database"], found["username"], found["host"]) == ("y", "a", "h")
    assert settings_from_env({"INFLUXDB_USERNAME": "u", "INFLUXDB_PASSWORD": "p"}) == {"username": "u", "password": "p"}


def test_from_env(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFLUXDB_URL", "http://example:1")
    assert InfluxDBClient.from_env().settings.server.origin == "http://example:1"
    other = {"INFLUXDB_URL": "http://other:2", "INFLUXDB_DATABASE": "x"}
    client = InfluxDBClient.from_env(other, database="y")
    assert (client.settings.server.origin, client.db) == ("http://other:2", "y")


@pytest.mark.parametrize(
    ("credentials", "message"),
    [
        (("u", "p", "t"), "token: .*not both"),
        ((None, "p", None), "password: .*username"),
        (("a:b", "p", None), "username: contains ':'"),
        ((None, None, ""), "token: .*printable ASCII"),
        ((None, None, "a\nb"), "token: .*printable ASCII"),
    ],
)
def test_contradictory_credentials(credentials: tuple[Any, Any, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        authorization(*credentials)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"host": ""}, "host"),
        ({"host": "http://localhost"}, "host"),
        ({"host": "a b"}, "host"),
        ({"port": 0}, "port"),
        ({"port": 65536}, "port"),
        ({"username": "\ud800"}, "username"),
        ({"headers": {"a b": "c"}}, "headers"),
        ({"headers": {"a": "c\r\nd: e"}}, "headers"),
        ({"timeout": 0}, "timeout"),
        ({"database": ""}, "database"),
        ({"timeout": float("nan")}, "timeout"),
        ({"cert": "client.pem"}, "cert"),
        ({"timeout": (1, 2, 3)}, "timeout"),
        ({"timeout": (0, 2)}, "connect"),
        ({"retry": 0}, "retry"),
    ],
)
def test_error_names_the_invalid_argument(arguments: dict[str, Any], name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name}: "):
        InfluxDBClient(**arguments)


@pytest.mark.parametrize(
    "arguments",
    [{"host": 5}, {"username": 5}, {"username": "u", "password": b"p"}, {"token": b"t"}, {"proxy": 5}, {"path": None},
     {"headers": "A: b"}, {"tags": "a"}, {"retry": "3"}, {"retry": True}, {"observer": print},
     {"ssl": "false"}, {"gzip": "no"}, {"port": "8086"}, {"port": True}, {"port": 8086.0}, {"database": 5},
     {"timeout": "5"}, {"timeout": True}, {"verify": 5}, {"unix_socket": b"/tmp/socket"}],
)  # fmt: skip
def test_error_names_the_argument_of_a_wrong_type(arguments: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=f"^{next(reversed(arguments))}: must be "):
        InfluxDBClient(**arguments)


def test_complete() -> None:
    server = Server("::1", 1, ssl=True, path="a b/", authorization="Basic x", headers=(("H", "1"),))
    assert server.origin == "https://[::1]:1"
    request = server.complete(Request("GET", "/query?q=1", wants_db=True), db="d&b")
    assert request.target == "/a%20b/query?q=1&db=d%26b"
    assert request.headers == (("H", "1"), ("Authorization", "Basic x"))
    assert server.complete(Request("GET", "/ping"), db="d").target == "/a%20b/ping"
    assert "Basic" not in repr(server) + repr(request)


def test_client_cannot_be_pickled() -> None:
    with pytest.raises(TypeError, match="cannot be copied or pickled"):
        pickle.dumps(InfluxDBClient())


def test_warning_points_at_the_callers_line() -> None:
    makers: list[Callable[[], object]] = [
        lambda: InfluxDBClient(ssl=True, verify=False),
        lambda: InfluxDBClient.from_url("https://h", verify=False),
        lambda: InfluxDBClient.from_env({"INFLUXDB_URL": "https://h"}, verify=False),
    ]
    for make in makers:
        with pytest.warns(UserWarning, match=r"^verify=False: ") as caught:
            make()
        assert caught[0].filename == __file__


SECRET = "s3cr3t"


@pytest.mark.parametrize(
    "arguments",
    [
        *({"token": token} for token in (
            f"{SECRET} ", f" {SECRET}", f"{SECRET}\n", f"{SECRET}\r\nX: y", f"{SECRET}\t", f"{SECRET}ä",
            f"{SECRET}\ud800", f"Bearer {SECRET}\n", f"Token {SECRET} ", f"{SECRET}\0", f"{SECRET}€", b"s3cr3t",
        )),
        *({"headers": {"Authorization": value}} for value in (
            f"Bearer {SECRET} ", f"Bearer {SECRET}\n", f" {SECRET}", f"Bearer {SECRET}ä", f"{SECRET}\ud800",
            f"{SECRET}\t", [SECRET], SECRET.encode(),
        )),
        {"username": f"u:{SECRET}"},
        {"username": "u", "password": f"{SECRET}\ud800"},
        {"username": f"{SECRET}\ud800"},
        {"username": "u", "password": SECRET, "token": SECRET},
        {"password": SECRET},
        {"username": "u", "password": SECRET.encode()},
        {"token": SECRET, "headers": {"Authorization": SECRET}},
        *({"proxy": proxy} for proxy in (
            f"http://u:{SECRET}/@p:3128", f"http://u:{SECRET}\ud800@p:3128", f"socks5://u:{SECRET}@p:1080",
            f"http://u:{SECRET}@p:99999", f"http://u:{SECRET}@[p:3128", f"http://u:{SECRET}#@p:3128",
        )),
    ],
    ids=repr,
)  # fmt: skip
def test_errors_do_not_quote_secrets(arguments: dict[str, Any]) -> None:
    """Neither the message nor the chained errors contain it."""
    with pytest.raises((ValueError, TypeError)) as caught:
        InfluxDBClient(**arguments)
    error: BaseException | None = caught.value
    assert str(error).startswith(tuple(arguments))
    while error is not None:
        assert SECRET not in repr(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


@pytest.mark.parametrize("url", [
    f"http://u:{SECRET}\ud800@h", f"http://u:{SECRET}/@h", f"http://u:{SECRET}@h:99999", f"http://u:{SECRET}@[h",
    f"u:{SECRET}@h",
])  # fmt: skip
def test_url_errors_do_not_quote_secrets(url: str) -> None:
    with pytest.raises(ValueError, match=r"^url: ") as caught:
        InfluxDBClient.from_url(url)
    assert SECRET not in repr(caught.value)


@pytest.mark.parametrize("token", [f"{SECRET} ", f" {SECRET}", f"{SECRET}\n", f"{SECRET}ä"])
def test_token_from_a_function_is_validated(token: str) -> None:
    request = Server().complete(Request("GET", "/ping"), token=lambda: token)
    with pytest.raises(ValueError, match=r"token: .*printable ASCII") as caught:
        authorized(request)
    assert SECRET not in repr(caught.value)


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"X": None}, "value of X: must be a str, not NoneType"),
        ({"X": 5}, "value of X: must be a str, not int"),
        ({None: "x"}, "name None: must be a str"),
        ({5: "x"}, "name 5: must be a str"),
        ({"": "x"}, "'' is not a valid header name"),
        ({"X": "a "}, "value of X: must be printable ASCII"),
        ({"X": "\ud800"}, "value of X: .* surrogate"),
    ],
)
def test_invalid_headers(headers: Any, message: str) -> None:
    with pytest.raises(TypeError if "must be a str" in message else ValueError, match=f"^headers: {message}"):
        InfluxDBClient(headers=headers)


@pytest.mark.parametrize("name", ["connect", "idle", "total"])
@pytest.mark.parametrize(
    ("value", "error"),
    [(0, ValueError), (-1.5, ValueError), (float("nan"), ValueError), ("5", TypeError), (True, TypeError)],
)
def test_a_wrong_timeout_names_its_argument(name: str, value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=f"^{name}: must be "):
        Timeout(**{name: value})


def test_an_environment_that_is_not_a_mapping() -> None:
    with pytest.raises(TypeError, match=r"^environ: must be a mapping, not str"):
        InfluxDBClient.from_env("INFLUXDB_URL=http://localhost")  # type: ignore[arg-type]  # on purpose


def test_valid_headers() -> None:
    headers = (("X", ""), ("Y", "a\tb  c"), ("Z", "a"))
    assert Server(headers=headers).headers == headers


def test_ipv6_zone() -> None:
    """URLs have their own form of it, and it is not sent to the server."""
    server = Server("fe80::1%eth0", 1, ssl=True)
    assert (server.netloc, server.address) == ("[fe80::1%eth0]:1", "fe80::1")
    assert server.origin == "https://[fe80::1%25eth0]:1"
    assert InfluxDBClient.from_url(server.origin).settings.server.host == server.host
    assert server.complete(Request("GET", "/ping")).headers == (("Host", "[fe80::1]:1"),)


def test_short_forms_of_timeouts_and_retries() -> None:
    settings = InfluxDBClient(timeout=(3, None), retry=2).settings
    assert settings.timeout == Timeout(connect=3, idle=None)
    assert settings.retry == RetryPolicy(attempts=2)
    assert InfluxDBClient(timeout=5).settings.timeout == Timeout(connect=5, idle=5, pool=5)


@pytest.mark.parametrize(
    ("host", "advice"),
    [
        ("localhost:8086", "use host='localhost', port=8086"),
        ("http://localhost:8086", "from_url"),
        ("user:secret@localhost", "username="),
        ("::1:x", "from_url"),
    ],
)
def test_error_for_a_host_says_what_to_write(host: str, advice: str) -> None:
    with pytest.raises(ValueError, match=re.escape(advice)) as caught:
        InfluxDBClient(host)
    assert "secret" not in str(caught.value)
