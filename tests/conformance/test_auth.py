"""Credentials, against a real InfluxDB that requires them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import logging
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import anyio.lowlevel
import pytest
from influx_proto import (
    AuthenticationError,
    AuthorizationError,
    InfluxDBError,
    ResponseError,
    RetryPolicy,
    TransportError,
    ops,
)

from tests.conformance.drivers import Driver
from tests.servers.influxd import Influxd, Server, execute
from tests.servers.scripted import Behavior, Close, Receive, Reset, ScriptedServer, Send, reply

SECRET = "shared secret"
PASSWORD = "pass:wörd 'quoted'"


@pytest.fixture(scope="module")
def guarded() -> Iterator[Server]:
    """Return a server with an administrator `admin` and a user `reader` without any privileges."""
    with Influxd(auth=True, shared_secret=SECRET) as server:
        execute(server.url, "CREATE USER admin WITH PASSWORD 'pass:wörd \\'quoted\\'' WITH ALL PRIVILEGES")
        url = server.url.replace("://", f"://admin:{quote(PASSWORD)}@")
        execute(url, "CREATE USER reader WITH PASSWORD 'reader'")
        execute(url, "CREATE DATABASE db")
        yield server


def json_web_token(username: str, secret: str = SECRET) -> str:
    def encode(part: bytes) -> str:
        return base64.urlsafe_b64encode(part).rstrip(b"=").decode()

    head = encode(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    claims = encode(json.dumps({"username": username, "exp": int(time.time()) + 600}).encode())
    signature = hmac.new(secret.encode(), f"{head}.{claims}".encode(), hashlib.sha256).digest()
    return f"{head}.{claims}.{encode(signature)}"


def test_basic(connect: Callable[..., Any], guarded: Server) -> None:
    client = connect(guarded.url, username="admin", password=PASSWORD, database="db")
    assert client.write("m v=1 1") is True
    assert client.show_users().series[0].values == [["admin", True], ["reader", False]]


def test_credentials_are_removed_from_the_url(connect: Callable[..., Any], guarded: Server) -> None:
    url = guarded.url.replace("http://", "http://admin:pass%3Aw%C3%B6rd%20'quoted'@")
    client = connect(f"{url}?database=db")
    assert client.write("m v=1 1") is True
    assert "pass" not in repr(client)


@pytest.mark.parametrize("secret", ["user:p%40ss@", "user@", "p:p@"])
def test_credentials_of_a_url_are_not_disclosed(
    connect: Callable[..., Any], caplog: pytest.LogCaptureFixture, secret: str
) -> None:
    """They do not appear in the request line, a redirect's target or a message."""
    caplog.set_level(logging.DEBUG)
    with ScriptedServer([reply(204)]) as elsewhere:
        with ScriptedServer([reply(307, {"Location": f"{elsewhere.url}/write?db=db"})]) as server:
            client = connect(server.url.replace("://", f"://{secret}"), database="db")
            with pytest.raises(ResponseError) as caught:
                client.write("m v=1 1")
        assert elsewhere.requests == []
    [request] = server.requests
    assert request.target == "/write?precision=ns&db=db"
    assert request.headers["host"] == f"127.0.0.1:{server.port}"
    for shown in (repr(client), repr(client.settings), str(caught.value), repr(caught.value), caplog.text):
        assert "p%40ss" not in shown
        assert "p@ss" not in shown
        assert secret not in shown


def test_token_function_is_called_for_each_request(connect: Callable[..., Any]) -> None:
    with ScriptedServer([reply(204), reply(503), reply(204), reply(204)]) as server:
        numbers = itertools.count()
        client = connect(server.url, token=lambda: f"t{next(numbers)}", retry=RetryPolicy(backoff=0))
        client.ping()
        client.write(["m v=1 1", "m v=2 2"], db="db")
        client.execute(ops.ping())
    sent = [request.headers["authorization"] for request in server.requests]
    assert sent == ["Token t0", "Token t1", "Token t2", "Token t3"]


def test_token_function_against_a_real_server(connect: Callable[..., Any], guarded: Server) -> None:
    client = connect(guarded.url, token=lambda: json_web_token("admin"), database="db")
    assert client.write("m v=1 1") is True
    with client.query_points("SELECT v FROM m") as points:
        assert next(iter(points))["v"] == 1


def test_async_token_function(connect: Callable[..., Any], driver: Driver) -> None:
    async def token() -> str:
        await anyio.lowlevel.checkpoint()
        return "abc"

    with ScriptedServer([reply(204)]) as server:
        client = connect(server.url, token=token)
        if driver.backend is None:
            with pytest.raises(TypeError, match=r"token: .* coroutine"):
                client.ping()
        else:
            client.ping()
            assert server.requests[0].headers["authorization"] == "Token abc"


def test_temporary_token_failure_is_retried(connect: Callable[..., Any]) -> None:
    """For example while the token's file is being replaced."""
    tokens: list[Any] = [FileNotFoundError("token"), "t1"]

    def token() -> str:
        found = tokens.pop(0)
        if isinstance(found, Exception):
            raise found
        return str(found)

    with ScriptedServer([reply(204)]) as server:
        client = connect(server.url, token=token, retry=RetryPolicy(backoff=0))
        client.write("m v=1", db="db")
        assert [request.headers["authorization"] for request in server.requests] == ["Token t1"]
        tokens[:] = [FileNotFoundError("token")]
        with pytest.raises(TransportError, match=r"token function failed: FileNotFoundError\('token'\)") as caught:
            client.query("DROP DATABASE db")  # statements are not retried
        assert caught.value.maybe_received is False


def test_token_functions_exception_is_raised_unchanged(connect: Callable[..., Any]) -> None:
    def no_token() -> str:
        raise LookupError("the vault is closed")

    with ScriptedServer([reply(204)]) as server:
        with pytest.raises(LookupError, match="vault"):
            connect(server.url, token=no_token).ping()
        with pytest.raises(TypeError, match=r"token: .* NoneType"):
            connect(server.url, token=lambda: None).ping()
        with pytest.raises(ValueError, match=r"token: .*printable ASCII"):
            connect(server.url, token=lambda: "a\nb").ping()
        with pytest.raises(ValueError, match=r"token: .*not both"):
            connect(server.url, token=no_token, username="u")
        assert server.requests == []


def test_bearer(connect: Callable[..., Any], guarded: Server) -> None:
    client = connect(guarded.url, token=json_web_token("admin"), database="db")
    assert client.write("m v=1 1") is True
    assert client.query("SELECT v FROM m").series


@pytest.mark.parametrize(
    ("credentials", "status", "text"),
    [
        ({}, 401, "unable to parse authentication credentials"),
        ({"username": "admin", "password": "wrong"}, 401, "authorization failed"),
        ({"token": json_web_token("admin", "another secret")}, 401, "signature is invalid"),
        ({"username": "reader", "password": "reader"}, 403, "not authorized"),
    ],
    ids=["none", "wrong password", "wrong token", "no rights"],
)
def test_rejected_credentials(
    connect: Callable[..., Any], guarded: Server, credentials: dict[str, str], status: int, text: str
) -> None:
    client = connect(guarded.url, **credentials, database="db")
    for operation, text_sent in ((client.query, "SELECT v FROM m"), (client.write, "m v=1 1")):
        with pytest.raises(AuthenticationError, match=text) as caught:
            operation(text_sent)
        assert caught.value.status == status
        assert isinstance(caught.value, AuthenticationError)
        assert isinstance(caught.value, AuthorizationError) is (status == 403)
        assert caught.value.retryable is False
        assert caught.value.body


def test_secrets_are_not_shown(connect: Callable[..., Any], guarded: Server, caplog: pytest.LogCaptureFixture) -> None:
    """Secrets must not appear in logs at any level, in reprs or in error messages."""
    caplog.set_level(logging.DEBUG)
    token = json_web_token("admin", "another secret")
    shown = []
    for credentials in ({"username": "admin", "password": "hunter2"}, {"token": token}):
        client = connect(guarded.url, **credentials, database="db")
        shown += [repr(client), repr(client.settings)]
        for q in ("SHOW USERS", "CREATE USER x WITH PASSWORD 'hunter2'"):
            with pytest.raises(AuthenticationError) as caught:
                client.query(q)
            shown += [str(caught.value), repr(caught.value)]
    encoded = base64.b64encode(b"admin:hunter2").decode()
    for text in (*shown, caplog.text):
        for secret in ("hunter2", token, encoded):
            assert secret not in text
    assert "/query" in caplog.text


@pytest.mark.parametrize(
    "through",
    ["server", *[pytest.param(through, marks=pytest.mark.needs("proxy")) for through in ("proxy", "tunnel")]],
)
def test_secrets_are_not_in_causes(connect: Callable[..., Any], through: str) -> None:
    """Exceptions of an HTTP library may hold the request, and their reprs its headers."""
    secret = "hunter2"
    faults: list[Behavior] = [
        [Receive(), Send(b"not HTTP\r\n\r\n")],
        [Receive(), Send(b"HTTP/1.1 200 OK\r\nnot a header\r\n\r\n"), Close()],
        [Receive(), Send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnot a size\r\n"), Close()],
        [Receive(), Reset()],
        reply(407),
    ]
    given: list[dict[str, Any]] = [
        {"username": "u", "password": secret},
        {"token": secret},
        {"headers": {"X-Api-Key": secret}},
    ]
    with ScriptedServer([fault for fault in faults for _ in given]) as server:
        options: dict[str, Any] = {"retry": RetryPolicy(attempts=1), "timeout": 5}
        url = server.url
        if through != "server":
            options["proxy"] = url.replace("://", f"://p:{secret}@")
            url = "http://influxdb.invalid" if through == "proxy" else "https://influxdb.invalid"
        for _ in faults:
            for credentials in given:
                with pytest.raises(InfluxDBError) as caught:
                    connect(url, **credentials, **options).ping()
                shown = "".join(f"{error!r} {error.args!r}" for error in causes(caught.value))
                for user in ("u", "p"):
                    assert base64.b64encode(f"{user}:{secret}".encode()).decode() not in shown
                assert secret not in shown


def causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def test_ping_behind_a_token(connect: Callable[..., Any]) -> None:
    """InfluxDB 3 requires a token for every path, and names the scheme that it expects in no message."""
    json_type = {"Content-Type": "application/json"}
    refused = reply(401, json_type, b'{"error": "the request was not authenticated"}')
    malformed = reply(400, json_type, b'{"error":"Authorization header was malformed"}')
    accepted = reply(200, {**json_type, "X-Influxdb-Version": "3.9.1"}, b'{"product_name":"InfluxDB 3 Core"}')
    with ScriptedServer([refused, malformed, accepted]) as server:
        with pytest.raises(AuthenticationError, match="not authenticated") as caught:
            connect(server.url).ping()
        assert caught.value.__notes__ == ["the client sent no credentials; pass token=, or username= and password="]
        with pytest.raises(ResponseError, match="malformed") as malformed_error:
            connect(server.url, token="a b").ping()
        assert "pass token= without spaces" in malformed_error.value.__notes__[0]
        assert connect(server.url, token="bearer abc").ping().version == "3.9.1"
        assert server.requests[-1].headers["authorization"] == "Bearer abc"
