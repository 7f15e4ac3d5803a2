"""Credentials, against a real InfluxDB that demands them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

import influx_requests
import pytest
from influx_proto import AuthenticationError

from tests.servers.influxd import Influxd, Server

SECRET = "shared secret"
PASSWORD = "pass:wörd 'quoted'"


@pytest.fixture(scope="module")
def guarded() -> Iterator[Server]:
    """A server with an administrator called `admin`, and a user called `reader` without any rights."""
    with Influxd(auth=True, shared_secret=SECRET) as server:
        with influx_requests.InfluxDBClient.from_url(server.url) as client:
            client.query("CREATE USER admin WITH PASSWORD 'pass:wörd \\'quoted\\'' WITH ALL PRIVILEGES")
        with influx_requests.InfluxDBClient.from_url(server.url, username="admin", password=PASSWORD) as client:
            client.query("CREATE USER reader WITH PASSWORD 'reader'")
            client.create_database("db")
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


def test_credentials_in_a_url_are_taken_out_of_it(connect: Callable[..., Any], guarded: Server) -> None:
    url = guarded.url.replace("http://", "http://admin:pass%3Aw%C3%B6rd%20'quoted'@")
    client = connect(f"{url}?database=db")
    assert client.write("m v=1 1") is True
    assert "pass" not in repr(client)


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
def test_refused(
    connect: Callable[..., Any], guarded: Server, credentials: dict[str, str], status: int, text: str
) -> None:
    client = connect(guarded.url, **credentials, database="db")
    for operation, text_sent in ((client.query, "SELECT v FROM m"), (client.write, "m v=1 1")):
        with pytest.raises(AuthenticationError, match=text) as caught:
            operation(text_sent)
        assert caught.value.status == status
        assert caught.value.retryable is False
        assert caught.value.body


def test_no_secret_is_shown(connect: Callable[..., Any], guarded: Server, caplog: pytest.LogCaptureFixture) -> None:
    """Not in a log at any level, nor in a repr, nor in the text of an error."""
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
