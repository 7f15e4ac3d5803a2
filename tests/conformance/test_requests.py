"""Requests on the wire: every client sends the same bytes, whatever its HTTP library defaults to."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from influx_proto import ops

from tests.conformance.drivers import let_event_loop_run
from tests.servers.scripted import Behavior, Close, Drip, Receive, ScriptedServer, Send, chunked, reply, respond

JSON = {"Content-Type": "application/json"}
EMPTY = b'{"results":[{"statement_id":0}]}\n'
SPECIAL_CHARACTERS = "%aa+;#é&=?/\\ \"'~.-_"
ENCODED = "%25aa%2B%3B%23%C3%A9%26%3D%3F%2F%5C%20%22%27~.-_"


def test_targets(connect: Callable[..., Any]) -> None:
    with ScriptedServer([reply(200, JSON, EMPTY)]) as server:
        client = connect(server.url, database=SPECIAL_CHARACTERS)
        client.query(f"SELECT '{SPECIAL_CHARACTERS[:5]}'", rp=SPECIAL_CHARACTERS)
        client.query("SHOW USERS", params={"p": SPECIAL_CHARACTERS}, epoch=None)
    first, second = server.requests
    assert first.method == "GET"
    assert first.target == (
        f"/query?chunked=true&chunk_size=10000&epoch=ns&rp={ENCODED}&q=SELECT%20%27%25aa%2B%3B%27&db={ENCODED}"
    )
    quoted = ENCODED.replace("%5C", "%5C%5C").replace("%22", "%5C%22")
    assert second.target == (
        f"/query?chunked=true&chunk_size=10000&q=SHOW%20USERS&params=%7B%22p%22%3A%22{quoted}%22%7D&db={ENCODED}"
    )


def test_statements_with_side_effects_are_posted(connect: Callable[..., Any]) -> None:
    with ScriptedServer([reply(200, JSON, EMPTY)]) as server:
        connect(server.url).create_database(SPECIAL_CHARACTERS)
    [request] = server.requests
    assert (request.method, request.target) == ("POST", "/query?chunked=true&chunk_size=10000&epoch=ns")
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    quoted = ENCODED.replace("%5C", "%5C%5C").replace("%22", "%5C%22")
    assert request.body == f"q=CREATE%20DATABASE%20%22{quoted}%22".encode()


def test_long_queries_are_posted(connect: Callable[..., Any]) -> None:
    with ScriptedServer([reply(200, JSON, EMPTY)]) as server:
        connect(server.url).query("SELECT v FROM m WHERE t = '" + "x" * 5000 + "'")
    [request] = server.requests
    assert request.method == "POST"
    assert len(request.target) < 100


def test_headers(connect: Callable[..., Any], driver: Any) -> None:
    with ScriptedServer([reply(200, JSON, EMPTY)]) as server:
        connect(server.url, headers={"X-Tenant": "7"}).query("SHOW USERS")
    headers = server.requests[0].headers
    assert headers["host"] == f"127.0.0.1:{server.port}"
    assert headers["accept"] == "application/x-msgpack"
    assert headers["accept-encoding"] == "identity"
    assert headers["user-agent"] == driver.client_class.user_agent
    assert headers["x-tenant"] == "7"
    assert "authorization" not in headers


@pytest.mark.parametrize(
    ("credentials", "expected"),
    [
        ({"username": "u", "password": "p:ß"}, "Basic dTpwOsOf"),
        ({"username": "u"}, "Basic dTo="),
        ({"token": "u:p"}, "Token u:p"),
        ({"token": "eyJhbGciOiJI.eyJ1c2Vy.abc-_"}, "Bearer eyJhbGciOiJI.eyJ1c2Vy.abc-_"),
        ({"token": "Bearer apiv3_x"}, "Bearer apiv3_x"),
    ],
)
def test_authorization(connect: Callable[..., Any], credentials: dict[str, str], expected: str) -> None:
    with ScriptedServer([reply(204)]) as server:
        connect(server.url, **credentials).ping()
    assert server.requests[0].headers["authorization"] == expected


def test_netrc_file_does_not_replace_the_credentials(
    connect: Callable[..., Any], tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login other password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with ScriptedServer([reply(204)]) as server:
        connect(server.url, username="u", password="p").ping()
        connect(server.url).ping()
    assert server.requests[0].headers["authorization"] == "Basic dTpw"
    assert "authorization" not in server.requests[1].headers


def test_path_prefix(connect: Callable[..., Any]) -> None:
    with ScriptedServer([reply(204)]) as server:
        connect(server.url + "/in%20flux/").write("m v=1 1", db="db")
    assert server.requests[0].target == "/in%20flux/write?db=db&precision=ns"


def test_writes(connect: Callable[..., Any]) -> None:
    with ScriptedServer([reply(204)]) as server:
        client = connect(server.url, database="db")
        client.write({"measurement": "m", "tags": {"b": "2", "a": "1"}, "fields": {"v": 0.64, "é": "x"}, "time": 5})
        client.write("m v=1 1", precision="s", rp="r p", consistency="any", db="other")
    first, second = server.requests
    assert (first.method, first.target) == ("POST", "/write?precision=ns&db=db")
    assert first.body == 'm,a=1,b=2 v=0.64,é="x" 5'.encode()
    assert first.headers["content-length"] == str(len(first.body))
    assert second.target == "/write?db=other&rp=r%20p&consistency=any&precision=s"


def test_empty_write_sends_no_request(connect: Callable[..., Any]) -> None:
    with ScriptedServer([reply(204)]) as server:
        client = connect(server.url, database="db")
        for nothing in ("", b"", "\n", [], iter(()), [{"measurement": "m", "fields": {"v": None}}], [[], ""]):
            assert client.write(nothing) is True
        assert server.requests == []


class Chunks:
    """A request body that can be iterated more than once."""

    def __iter__(self) -> Iterator[bytes]:
        yield b"m v=1 1\n"
        yield b""
        yield b"m v=2 2"


def test_streamed_body(connect: Callable[..., Any]) -> None:
    op = ops.write("-", db="db")
    with ScriptedServer([reply(503), reply(204)]) as server:
        client = connect(server.url)
        assert client.execute(replace(op, request=replace(op.request, body=Chunks()))) is True
    assert [request.body for request in server.requests] == [b"m v=1 1\nm v=2 2"] * 2
    assert server.requests[0].headers["transfer-encoding"] == "chunked"


ROWS = [[n, f'value {n} \u2028 \\ " é'] for n in range(300)]


@pytest.mark.parametrize("framing", ["length", "chunks", "close", "drip"])
def test_responses_in_any_framing(connect: Callable[..., Any], framing: str) -> None:
    series = {"name": "m", "columns": ["time", "v"], "values": ROWS}
    body = (json.dumps({"results": [{"statement_id": 0, "series": [series]}]}, ensure_ascii=False) + "\n").encode()
    chunks = [body[at : at + 7] for at in range(0, len(body), 7)]
    data = {
        "length": respond(200, JSON, body),
        "chunks": respond(200, {**JSON, "Transfer-Encoding": "chunked"}, chunked(*chunks)),
        "close": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n" + body,
        "drip": respond(200, {**JSON, "Transfer-Encoding": "chunked"}, chunked(*chunks)),
    }[framing]
    step = Drip(data[:3000], every=0) if framing == "drip" else Send(data)
    rest = [Send(data[3000:])] if framing == "drip" else []
    with ScriptedServer([[Receive(), step, *rest]]) as server:
        [found] = connect(server.url).query("SELECT v FROM m").series
    assert found.values == ROWS


def test_connection_closed_by_the_server_is_not_reused(connect: Callable[..., Any]) -> None:
    """Not even by a statement, which must not be sent twice."""
    closed = threading.Event()

    class Report:
        def run(self, connection: object) -> None:
            closed.set()

    closing: Behavior = [Receive(), Send(respond(204)), Close(), Report()]
    with ScriptedServer([closing, reply(200, JSON, EMPTY)]) as server:
        client = connect(server.url)
        client.ping()
        assert closed.wait(20)
        let_event_loop_run(client)
        client.drop_database("db")
    assert [request.method for request in server.requests] == ["GET", "POST"]


def test_connections_are_reused(connect: Callable[..., Any], driver: Any) -> None:
    if "keep_alive" in driver.lacks:
        return  # this client opens a connection for each request by design
    with ScriptedServer([[step for _ in range(20) for step in (Receive(), Send(respond(204)))]]) as server:
        client = connect(server.url, database="db")
        for _ in range(10):
            client.ping()
            client.write("m v=1 1")
        assert server.connections == 1
