"""Errors of every client: error responses, servers that are not InfluxDB, unreachable servers, broken connections."""

from __future__ import annotations

import gzip
import logging
import pickle
import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from influx_proto import (
    AuthenticationError,
    AuthorizationError,
    DatabaseNotFound,
    InfluxDBError,
    PartialWriteError,
    PayloadTooLarge,
    ProtocolError,
    QueryError,
    RateLimited,
    ResponseError,
    RetryPolicy,
    SerializationError,
    ServerUnavailable,
    Timeout,
    TransportError,
    UndeliveredError,
    WriteError,
)

from tests.conformance.drivers import Driver
from tests.servers.influxd import Influxd, Server
from tests.servers.scripted import (
    Behavior,
    Close,
    Receive,
    Reset,
    ScriptedServer,
    Send,
    Stall,
    chunked,
    refused_port,
    reply,
    respond,
)

ONCE = RetryPolicy(attempts=1)
SOON = RetryPolicy(attempts=3, backoff=0.001)

JSON = {"Content-Type": "application/json"}
HTML = {"Content-Type": "text/html; charset=utf-8"}
OPERATIONS: list[tuple[str, Callable[[Any], Any]]] = [
    ("ping", lambda client: client.ping()),
    ("query", lambda client: client.query("SHOW DATABASES")),
    ("write", lambda client: client.write("m v=1 1", db="db")),
]
EACH_OPERATION = pytest.mark.parametrize("do", [do for _, do in OPERATIONS], ids=[name for name, _ in OPERATIONS])


# Error responses of a real server


def test_query_that_cannot_be_parsed(client: Any) -> None:
    with pytest.raises(
        QueryError, match=r"(error parsing|failed to parse) query: found SELEC, expected SELECT"
    ) as caught:
        client.query("SELEC 1")
    assert (caught.value.status, caught.value.statement_id) == (400, None)
    assert b"query: found SELEC, expected SELECT" in caught.value.body
    if caught.value.headers["X-Influxdb-Version"].startswith("1."):
        assert "error parsing query" in caught.value.headers["X-Influxdb-Error"]


def test_statement_that_fails(client: Any) -> None:
    client.write("m v=1 1")
    with pytest.raises(QueryError, match="database not found: nope") as caught:
        client.query("SELECT v FROM m; SELECT v FROM nope..m; SELECT v FROM m")
    assert isinstance(caught.value, DatabaseNotFound)
    assert caught.value.statement_id == 1
    assert "statement 1" in str(caught.value)
    assert caught.value.partial_result is not None
    assert [row for series in caught.value.partial_result.series for row in series.values] == [[1, 1.0]]


def test_missing_database(client: Any) -> None:
    with pytest.raises(DatabaseNotFound, match=r'database not found: "nope"|no dbrp mapping found') as caught:
        client.write("m v=1 1", db="nope")
    assert caught.value.status == 404


def test_missing_retention_policy(client: Any) -> None:
    """InfluxDB 1.x responds with 500, but a retry cannot succeed."""
    began = time.monotonic()
    with pytest.raises(WriteError, match=r"retention policy not found: nope|no dbrp mapping found") as caught:
        client.write("m v=1 1", rp="nope")
    assert caught.value.retryable is False
    assert time.monotonic() - began < 5


def test_lines_that_cannot_be_parsed(client: Any) -> None:
    with pytest.raises(WriteError, match="unable to parse 'bad': missing fields") as caught:
        client.write("bad")
    assert caught.value.status == 400


def test_wrong_path(connect: Callable[..., Any], influxd: Server) -> None:
    """As with a URL of another client whose path is a database name."""
    client = connect(f"{influxd.url}/testdb", database="db")
    for do in (lambda: client.query("SHOW DATABASES"), lambda: client.write("m v=1 1"), client.ping):
        with pytest.raises(ProtocolError, match=r"404.*`database`") as caught:
            do()
        assert caught.value.retryable is False


def test_partial_write(client: Any) -> None:
    client.write("m v=1 1")
    with pytest.raises(PartialWriteError, match="field type conflict") as caught:
        client.write("m v=2 2\nm v=3i 3\nm v=4i 4")
    assert caught.value.dropped == 2
    assert caught.value.rejected == ()
    assert caught.value.__notes__[0] == "field_types={'v': 'float'} writes the field with its stored type"
    assert caught.value.__notes__[1].startswith("lines with this field in this type: 2, the first: 'm v=3i 3'")
    assert [row[1] for row in client.query("SELECT v FROM m").series[0].values] == [1.0, 2.0]


@pytest.mark.needs("lines_stored_in_part")
def test_partial_write_names_the_lines(client: Any) -> None:
    with pytest.raises(PartialWriteError) as caught:
        client.write("m v=1 1\nbad\nm v=\nm v=2 2")
    assert caught.value.rejected == (("bad", "missing fields"), ("m v=", "missing field value"))


@pytest.mark.needs("retention_policies")
def test_rejected_lines_are_found(client: Any) -> None:
    """The client finds rejected lines that the server does not name. All others are stored, including later batches."""
    client.create_retention_policy("short", client.db, duration="1h", replication=1)
    now = time.time_ns()
    old = [{"measurement": "m", "fields": {"v": n}, "time": n} for n in (3, 50, 700)]
    good = [{"measurement": "m", "fields": {"v": n}, "time": now + n} for n in range(1000)]
    mixed = [*good[:400], *old, *good[400:], "m v=1.5 1", "m v= 5", 'm v="x" 2']
    with pytest.raises(
        PartialWriteError, match=r"^6 lines were rejected.*: (points beyond|dropped 1 points outside) retention policy"
    ) as caught:
        client.write(mixed, rp="short", find_rejected=True, max_lines=700)
    assert [line for line, _ in caught.value.rejected] == [
        "m v=3i 3", "m v=50i 50", "m v=700i 700", "m v=1.5 1", "m v= 5", 'm v="x" 2',
    ]  # fmt: skip
    assert "missing field value" in caught.value.rejected[4].reason
    [[_, count]] = client.query("SELECT count(v) FROM short.m").series[0].values
    assert count == 1000


def test_too_large_body_is_split(connect: Callable[..., Any]) -> None:
    with Influxd(http={"max-body-size": 1000}) as server:
        client = connect(server.url, database="db")
        client.create_database("db")
        client.write("\n".join(f"m v={n} {n}" for n in range(1000)))
        [series] = client.query("SELECT v FROM m").series
        assert [row[1] for row in series.values] == [float(n) for n in range(1000)]
        with pytest.raises(PayloadTooLarge, match="a single line of 2008 bytes") as caught:
            client.write(["m v=1 1", f'm s="{"x" * 2000}" 1', "m v=2 2"])
        assert caught.value.__notes__ == ["1 other line of this write was stored"]


def test_too_large_single_line(connect: Callable[..., Any]) -> None:
    with Influxd(http={"max-body-size": 1000}) as server:
        client = connect(server.url, database="db")
        client.create_database("db")
        for size in (2_000, 3_000_000):
            with pytest.raises(PayloadTooLarge, match="Request Entity Too Large") as caught:
                client.write(f'm s="{"x" * size}" 1')
            assert caught.value.status == 413
        assert client.query("SHOW MEASUREMENTS").series == []


# Bad input: no request is sent


@pytest.mark.parametrize(
    "point",
    [
        {"measurement": "m", "fields": {}},
        {"measurement": "m"},
        {"fields": {"v": 1}},
        {"measurement": "", "fields": {"v": 1}},
        {"measurement": "m\\", "fields": {"v": 1}},
        {"measurement": "two\nlines", "fields": {"v": 1}},
        {"measurement": "m", "tags": {"t": "two\nlines"}, "fields": {"v": 1}},
        {"measurement": "m", "fields": {"time": 1}},
        {"measurement": "m", "fields": {"v": object()}},
        {"measurement": "m", "fields": {"v": float("inf")}},
        {"measurement": "m", "fields": {"v": 2**63}},
        {"measurement": "m", "fields": {"v": 1}, "time": 1.5},
        {"measurement": "m", "fields": {"v": 1}, "time": "yesterday-ish"},
        {"measurement": "m", "tags": {"t": "\udc80"}, "fields": {"v": 1}},
        5,
        None,
        object(),
    ],
    ids=lambda point: re.sub(r" at 0x\w+", "", repr(point)),
)
def test_unwritable_data_is_not_sent(connect: Callable[..., Any], point: object) -> None:
    with ScriptedServer([reply(204)]) as server:
        client = connect(server.url, database="db")
        for data in (point, [{"measurement": "m", "fields": {"v": 1}}, point]):
            if isinstance(data, list) and isinstance(point, dict) and not point.get("fields"):
                continue  # bulk input skips a row without any field
            with pytest.raises(SerializationError):
                client.write(data)
        assert server.requests == []


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda client: client.query(""), "q"),
        (lambda client: client.query(5), "q"),
        (lambda client: client.query("SHOW USERS", epoch="d"), "epoch"),
        (lambda client: client.query("SHOW USERS", db=5), "db"),
        (lambda client: client.query("SHOW USERS", params={"a": object()}), "params"),
        (lambda client: client.create_database(""), "db"),
        (lambda client: client.create_database(5), "db"),
        (lambda client: client.write("m v=1", precision="fortnight"), "precision"),
        (lambda client: client.write("m v=1", consistency="most"), "consistency"),
        (lambda client: client.write("m v=1", max_lines=0), "max_lines"),
        (lambda client: setattr(client, "db", ""), "database"),
    ],
)
def test_error_names_the_wrong_argument(connect: Callable[..., Any], call: Callable[[Any], Any], argument: str) -> None:
    with ScriptedServer([reply(204)]) as server:
        with pytest.raises((ValueError, TypeError), match=f"^{argument}: "):
            call(connect(server.url, database="db"))
        assert server.requests == []


# Unreachable servers and other servers


@EACH_OPERATION
def test_no_server(connect: Callable[..., Any], do: Callable[[Any], Any]) -> None:
    with refused_port() as port:
        client = connect(f"http://127.0.0.1:{port}", retry=SOON)
        with pytest.raises(TransportError, match=rf"127\.0\.0\.1:{port}") as caught:
            do(client)
    assert caught.value.retryable is True
    assert caught.value.maybe_received is False
    assert caught.value.__cause__ is not None
    assert "gave up after 3 attempts" in caught.value.__notes__[0]


def test_no_such_host(connect: Callable[..., Any]) -> None:
    client = connect("http://no-such-host.invalid:8086", retry=ONCE)
    with pytest.raises(TransportError, match=r"no-such-host\.invalid:8086") as caught:
        client.ping()
    assert caught.value.maybe_received is False


@EACH_OPERATION
@pytest.mark.parametrize("status", [200, 404], ids=str)
def test_web_page(connect: Callable[..., Any], do: Callable[[Any], Any], status: int) -> None:
    with ScriptedServer([reply(status, HTML, b"<html>Welcome to nginx!</html>")]) as server:
        with pytest.raises(ProtocolError, match=r"text/html.*<html>Welcome to nginx!") as caught:
            do(connect(server.url, retry=SOON))
        assert caught.value.retryable is False
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    "data",
    [b"SSH-2.0-OpenSSH_9.2p1\r\nnothing else\r\n\r\n", bytes.fromhex("000012040000000000000300000080000400010000")],
    ids=["SSH", "HTTP/2"],
)
@EACH_OPERATION
def test_response_that_is_not_http(connect: Callable[..., Any], do: Callable[[Any], Any], data: bytes) -> None:
    with ScriptedServer([[Receive(), Send(data)]]) as server:
        with pytest.raises(ProtocolError, match=rf"127\.0\.0\.1:{server.port} is .*(?:not HTTP|BadStatusLine)"):
            do(connect(server.url, retry=ONCE))


@pytest.mark.needs("cut_head", "malformed_head")
def test_contradictory_lengths(connect: Callable[..., Any]) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5\r\nContent-Length: 33\r\n\r\n"
    with ScriptedServer([[Receive(), Send(head + GOOD)]]) as server:
        with pytest.raises(ProtocolError, match=r"is not HTTP: .*Content-Length") as caught:
            connect(server.url, retry=SOON).query("SHOW DATABASES")
        assert len(server.requests) == 1
        assert "SHOW" not in str(caught.value)  # the URL of the request


@pytest.mark.parametrize(
    ("headers", "body", "text"),
    [
        (JSON, b"", "response is empty"),
        (JSON, b'{"results":[{"statement_id":0', "truncated inside"),
        (JSON, b"[1, 2]", "not JSON"),
        (JSON, b'{"hello":"world"}', "InfluxDB.*hello"),
        ({"Content-Type": "application/x-msgpack"}, b"\x81\xa7results\x91", "truncated inside"),
        ({}, b'{"results":[]}', "no content type"),
        ({"Content-Type": "text/plain"}, b"hello", "text/plain.*hello"),
    ],
    ids=["empty", "cut", "a list", "another mapping", "cut messagepack", "no content type", "text"],
)
def test_response_that_is_not_from_influxdb(
    connect: Callable[..., Any], headers: dict[str, str], body: bytes, text: str
) -> None:
    with ScriptedServer([reply(200, headers, body)]) as server:
        client = connect(server.url, retry=ONCE)
        with pytest.raises(ProtocolError, match=f"(?s){text}"):
            client.query("SHOW DATABASES")


def test_response_marked_as_incomplete(connect: Callable[..., Any]) -> None:
    series = b'{"name":"m","columns":["time"],"values":[[1]],"partial":true}'
    body = b'{"results":[{"statement_id":0,"series":[%b],"partial":true}]}\n' % series
    with ScriptedServer([reply(200, JSON, body)]) as server, pytest.raises(ProtocolError, match="statement 0"):
        connect(server.url, retry=ONCE).query("SELECT * FROM m")


def test_result_truncated_by_the_server(connect: Callable[..., Any]) -> None:
    body = (
        b'{"results":[{"statement_id":0,"series":[{"name":"m","columns":["time"],"values":[[1]],"partial":true}]}]}\n'
    )
    with ScriptedServer([reply(200, JSON, body)]) as server:
        with pytest.raises(ProtocolError, match="max-row-limit"):
            connect(server.url, retry=SOON).query("SELECT * FROM m")
        assert len(server.requests) == 1


GOOD = b'{"results":[{"statement_id":0}]}\n'
TRUNCATIONS: dict[str, Behavior] = {
    "before the response": [Receive(), Close()],
    "within the body": [Receive(), Send(respond(200, {**JSON, "Content-Length": "100"}, GOOD)), Close()],
    "within a chunk": [
        Receive(),
        Send(respond(200, {**JSON, "Transfer-Encoding": "chunked"}, b"64\r\n" + GOOD)),
        Close(),
    ],
    "between chunks": [
        Receive(),
        Send(respond(200, {**JSON, "Transfer-Encoding": "chunked"}, chunked(GOOD, end=False))),
        Close(),
    ],
    "reset before the response": [Receive(), Reset()],
    "reset within the body": [Receive(), Send(respond(200, {**JSON, "Content-Length": "100"}, GOOD)), Reset()],
}


@pytest.mark.parametrize("cut", TRUNCATIONS)
def test_truncated_response(connect: Callable[..., Any], cut: str) -> None:
    expected = ProtocolError if cut in {"within the body", "within a chunk", "between chunks"} else InfluxDBError
    with ScriptedServer([TRUNCATIONS[cut]]) as server:
        client = connect(server.url, retry=ONCE)
        with pytest.raises(expected) as caught:
            client.query("SHOW DATABASES")
        assert isinstance(caught.value, (ProtocolError, TransportError))
        assert caught.value.retryable is True


@pytest.mark.parametrize("cut", TRUNCATIONS)
def test_query_is_retried_after_a_truncated_response(connect: Callable[..., Any], cut: str) -> None:
    with ScriptedServer([TRUNCATIONS[cut], reply(200, JSON, GOOD)]) as server:
        assert connect(server.url, retry=SOON).query("SHOW DATABASES").series == []
        assert len(server.requests) == 2


@pytest.mark.parametrize("cut", TRUNCATIONS)
def test_statement_that_changes_the_server_is_not_retried(connect: Callable[..., Any], cut: str) -> None:
    with ScriptedServer([TRUNCATIONS[cut], reply(200, JSON, GOOD)]) as server:
        with pytest.raises((ProtocolError, TransportError)):
            connect(server.url, retry=SOON).drop_database("db")
        assert len(server.requests) == 1


def test_server_that_never_responds(connect: Callable[..., Any]) -> None:
    with ScriptedServer([[Receive(), Stall(30)]]) as server:
        client = connect(server.url, retry=ONCE, timeout=Timeout(idle=0.2))
        began = time.monotonic()
        with pytest.raises(TransportError, match=rf"127.0.0.1:{server.port}.*0\.2"):
            client.ping()
        assert time.monotonic() - began < 10


def test_server_that_stalls_within_a_response(connect: Callable[..., Any]) -> None:
    head = respond(200, {**JSON, "Content-Length": "100"}, b'{"results"')
    with ScriptedServer([[Receive(), Send(head), Stall(30)]]) as server:
        client = connect(server.url, retry=ONCE, timeout=Timeout(idle=0.2))
        with pytest.raises(TransportError):
            client.query("SHOW DATABASES")


# Mapping of a status to an error


#: Classes that an error may have in addition to `WriteError` or `QueryError`.
EXTRA_CLASSES = {AuthenticationError, AuthorizationError, DatabaseNotFound, RateLimited, ServerUnavailable}


@pytest.mark.parametrize(
    ("status", "headers", "body", "error", "text"),
    [
        (400, JSON, b'{"error":"nope"}', WriteError, "nope"),
        (400, JSON, b'{"code":"invalid","message":"nope"}', WriteError, "nope"),
        (400, {"Content-Type": "application/x-msgpack"}, b"\x81\xa5error\xa4nope", WriteError, "nope"),
        (400, {"Content-Type": "text/csv"}, b"error\nnope\n", WriteError, "nope"),
        (400, {"X-Influxdb-Error": "nope"}, b"", WriteError, "nope"),
        (400, {**JSON, "X-Influxdb-Error": "nope"}, b'{"err', WriteError, "nope"),
        (400, {"Content-Type": "text/plain"}, b"nope\n", WriteError, "nope"),
        (400, {}, b"", WriteError, "HTTP 400"),
        (401, HTML, b"<html>", AuthenticationError, "HTTP 401"),
        (403, JSON, b'{"error":"nope"}', AuthorizationError, "nope"),
        (407, HTML, b"<html>Squid</html>", AuthenticationError, "Squid"),
        (404, JSON, b'{"error":"database not found: \\"x\\""}', DatabaseNotFound, "database not found"),
        (413, HTML, b"<html>too large</html>", PayloadTooLarge, "too large"),
        (429, JSON, b'{"code":"too many requests","message":"slow"}', RateLimited, "slow"),
        (500, JSON, b'{"error":"timeout"}', ServerUnavailable, "timeout"),
        (500, JSON, b'{"error":"retention policy not found: x"}', WriteError, "retention policy"),
        (502, HTML, b"<html>Bad Gateway</html>", ServerUnavailable, "Bad Gateway"),
        (503, {"Content-Type": "text/plain"}, b"request throttled, queue full\n", ServerUnavailable, "queue full"),
        (301, {"Location": "https://elsewhere/write"}, b"", ResponseError, "redirects to https://elsewhere/write"),
        (301, {**HTML, "Location": "https://elsewhere/"}, b"<html>", ResponseError, "redirects to https://elsewhere/"),
    ],
)
def test_statuses(
    connect: Callable[..., Any],
    status: int,
    headers: dict[str, str],
    body: bytes,
    error: type[ResponseError],
    text: str,
) -> None:
    with ScriptedServer([reply(status, headers, body)] * 2) as server:
        client = connect(server.url, retry=ONCE)
        with pytest.raises(error, match=text) as caught:
            client.write("m v=1 1", db="db")
        assert isinstance(caught.value, WriteError)
        assert {cls for cls in EXTRA_CLASSES if isinstance(caught.value, cls)} == {
            cls for cls in EXTRA_CLASSES if issubclass(error, cls)
        }
        assert caught.value.status == status
        assert caught.value.body == body
        assert caught.value.retryable is (status == 429 or error is ServerUnavailable)
        again = pickle.loads(pickle.dumps(caught.value))
        assert (type(again), str(again), again.body) == (type(caught.value), str(caught.value), body)
        with pytest.raises((QueryError, ProtocolError)) as asked:
            client.query("SHOW DATABASES")
        for cls in EXTRA_CLASSES & {*error.__mro__}:
            assert isinstance(asked.value, cls)


@pytest.mark.parametrize("status", [401, 403, 407, 408, 413, 429])
@pytest.mark.parametrize(
    "encoding", [{}, {"Content-Encoding": "gzip"}, {"Content-Encoding": "br"}], ids=["plain", "gzip", "not requested"]
)
def test_status_is_known_if_the_body_is_truncated(
    connect: Callable[..., Any], status: int, encoding: dict[str, str]
) -> None:
    """A proxy that rejects a request before it has read it resets the connection, which loses a part of the page."""
    page = b"<html>" + b"x" * 1000
    body = gzip.compress(page) if encoding else page
    cut: Behavior = [Receive(), Send(respond(status, {**HTML, **encoding}, body)[:-10]), Close()]
    lines = [f"m v={n} {n}" for n in range(2)]
    with ScriptedServer([cut, reply(204)]) as server:
        client = connect(server.url, database="db", retry=SOON if status in {408, 413, 429} else ONCE)
        if status in {408, 413, 429}:
            assert client.write(lines) is True
            assert [request.body for request in server.requests[1:]] == [
                *([b"m v=0 0", b"m v=1 1"] if status == 413 else [b"m v=0 0\nm v=1 1"])
            ]
        else:
            with pytest.raises(AuthenticationError):
                client.write(lines)
    with ScriptedServer([cut]) as server:
        client = connect(server.url, database="db", retry=ONCE)
        for read in () if status == 413 else (client.query, lambda q: list(client.query_points(q).__enter__())):
            with pytest.raises(QueryError) as caught:
                read("SHOW DATABASES")
            assert caught.value.status == status


def test_redirects_are_not_followed(connect: Callable[..., Any]) -> None:
    with ScriptedServer([reply(204)]) as elsewhere:
        with ScriptedServer([reply(307, {"Location": elsewhere.url + "/write"})]) as server:
            with pytest.raises(ResponseError):
                connect(server.url, username="u", password="p").write("m v=1 1", db="db")
        assert elsewhere.requests == []


@pytest.mark.parametrize(
    ("location", "remedy"),
    [
        ("https://db.example/influx/write?db=db&precision=ns", "configure it with the URL https://db.example/influx"),
        ("https://db.example:8086/write/", "configure it with the URL https://db.example:8086"),
        ("/influx/write?db=db", "configure it with path='/influx'"),
        ("https://db.example/login?next=%2Fwrite", "check the URL of the client"),
    ],
)
@pytest.mark.parametrize("headers", [{}, HTML], ids=["no page", "page"])
def test_redirect_names_the_setting(
    driver: Driver, connect: Callable[..., Any], location: str, remedy: str, headers: dict[str, str]
) -> None:
    """Most proxies send an HTML page with a redirect. The lines are not rejected."""
    with ScriptedServer([reply(308, {**headers, "Location": location}, b"<html>Moved</html>")]) as server:
        client = connect(server.url, database="db", retry=ONCE)
        with pytest.raises(ResponseError) as caught:
            client.write("m v=1 1")
        assert caught.value.message.endswith(f"; {remedy}")
        assert location.partition("?")[0] in caught.value.message
        assert "next=" not in caught.value.message
        if "background" not in driver.lacks:
            with pytest.raises(UndeliveredError) as undelivered, client.batch_writer(exit_timeout=0.1) as writer:
                writer.write("m v=1 1")
            assert [lines.data for lines in undelivered.value.undelivered] == [b"m v=1 1"]


# Retries


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_write_is_retried(connect: Callable[..., Any], status: int) -> None:
    with ScriptedServer([reply(status), reply(status), reply(204)]) as server:
        assert connect(server.url, retry=SOON).write("m v=1 1", db="db") is True
        assert [request.body for request in server.requests] == [b"m v=1 1"] * 3


def test_points_without_a_timestamp_are_retried_only_if_not_received(connect: Callable[..., Any]) -> None:
    with ScriptedServer([reply(503), reply(500), reply(204)]) as server:
        with pytest.raises(ServerUnavailable):
            connect(server.url, retry=SOON).write("m v=1", db="db")
        assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("body", "is_retried"),
    [
        (b"no healthy upstream", True),
        (b"upstream connect error or disconnect/reset before headers. reset reason: connection failure", True),
        (b"upstream connect error or disconnect/reset before headers. reset reason: connection termination", False),
        (b"<html><head><title>503 Backend fetch failed</title></head></html>", False),
        (b"<html><body><h1>503 Service Unavailable</h1>\nNo server is available</body></html>", True),
    ],
)
def test_points_without_a_timestamp_after_a_503_of_a_proxy(
    connect: Callable[..., Any], body: bytes, *, is_retried: bool
) -> None:
    """Envoy and Varnish also respond with 503 if the server received the request, and may have stored the points."""
    with ScriptedServer([reply(503, {"Content-Type": "text/plain"}, body), reply(204)]) as server:
        client = connect(server.url, retry=SOON)
        if is_retried:
            assert client.write("m v=1", db="db") is True
        else:
            with pytest.raises(ServerUnavailable):
                client.write("m v=1", db="db")
        assert len(server.requests) == 1 + is_retried


@pytest.mark.parametrize("value", ["1700000000000", "86400"])
def test_retry_after_is_capped(connect: Callable[..., Any], value: str) -> None:
    policy = RetryPolicy(attempts=2, max_total=None, max_retry_after=0.1)
    with ScriptedServer([reply(503, {"Retry-After": value}), reply(204)]) as server:
        connect(server.url, retry=policy).write("m v=1 1", db="db")


@pytest.mark.parametrize("status", [500, 502, 520, 599])
def test_web_page_with_a_5xx_is_retried(connect: Callable[..., Any], status: int) -> None:
    page = b"<html>" + b"x" * 10_000
    with ScriptedServer([reply(status, HTML, page), reply(204)]) as server:
        assert connect(server.url, retry=SOON).write("m v=1 1", db="db")
    with ScriptedServer([reply(status, HTML, page)]) as server:
        with pytest.raises(ServerUnavailable) as caught:
            connect(server.url, retry=ONCE).write("m v=1 1", db="db")
    assert len(str(caught.value)) < 250


#: Error pages of proxies.
PAGES = {
    "nginx": (
        b"""<html>\r
<head><title>502 Bad Gateway</title></head>\r
<body>\r
<center><h1>502 Bad Gateway</h1></center>\r
<hr><center>nginx/1.24.0</center>\r
</body>\r
</html>\r
<!-- a padding to disable MSIE and Chrome friendly error page -->\r
""",
        "502 Bad Gateway nginx/1.24.0 (HTTP 502)",
    ),
    "HAProxy": (
        b"<html><body><h1>502 Bad Gateway</h1>\nThe server returned an invalid response.\n</body></html>\n",
        "502 Bad Gateway The server returned an invalid response. (HTTP 502)",
    ),
    "Cloudflare": (
        b"""<!DOCTYPE html>
<!--[if lt IE 7]> <html class="no-js ie6 oldie" lang="en-US"> <![endif]-->
<head><title>db | 521: Web server is down</title>
<style>h1 > b { color: red }</style><SCRIPT>if (a<b) { f('<p>no') }</SCRIPT></head>
<body><h1>Error&nbsp;code 521</h1> &lt;b&gt;
""",
        "db | 521: Web server is down Error code 521 <b> (HTTP 502)",
    ),
    "no text": (b"<html><style>body {}", "the server responded with HTTP 502 without a message (HTTP 502)"),
}


@pytest.mark.parametrize("name", PAGES)
def test_message_of_a_web_page_is_its_text(connect: Callable[..., Any], name: str) -> None:
    page, message = PAGES[name]
    with ScriptedServer([reply(502, HTML, page)] * 2) as server:
        client = connect(server.url, retry=ONCE)
        for call, argument in ((client.write, "m v=1 1"), (client.query, "SHOW DATABASES")):
            with pytest.raises(ServerUnavailable) as caught:
                call(argument, db="db")
            assert str(caught.value) == message
            assert caught.value.body == page


@pytest.mark.parametrize(
    ("encoding", "body"),
    [("br", b"\x0b\x02\x80<p>\x03"), ("gzip", b"<html>"), ("gzip", gzip.compress(bytes(50_000_000)))],
    ids=["not requested", "not gzip", "a gzip bomb"],
)
def test_unreadable_page_with_a_5xx_is_retried(connect: Callable[..., Any], encoding: str, body: bytes) -> None:
    failure = reply(503, {**HTML, "Content-Encoding": encoding}, body)
    good = reply(200, JSON, GOOD)
    with ScriptedServer([failure, reply(204), failure, good, failure, good]) as server:
        client = connect(server.url, retry=SOON)
        assert client.write("m v=1 1", db="db")
        assert client.query("SHOW DATABASES").series == []
        with client.query_points("SHOW DATABASES") as points:
            assert list(points) == []
    with ScriptedServer([failure]) as server, pytest.raises(InfluxDBError) as caught:
        connect(server.url, retry=ONCE).write("m v=1 1", db="db")
    assert caught.value.retryable is True


def test_error_in_deep_json(connect: Callable[..., Any]) -> None:
    with ScriptedServer([reply(400, JSON, b'{"error":' + b"[" * 100_000)]) as server:
        with pytest.raises(WriteError):
            connect(server.url, retry=ONCE).write("m v=1 1", db="db")


def test_retry_after_is_obeyed(connect: Callable[..., Any]) -> None:
    with ScriptedServer([reply(503, {"Retry-After": "1"}), reply(204)]) as server:
        began = time.monotonic()
        connect(server.url, retry=RetryPolicy(attempts=2, backoff=0)).write("m v=1 1", db="db")
        assert time.monotonic() - began >= 1


def test_error_reports_lines_stored_before_it(connect: Callable[..., Any]) -> None:
    with ScriptedServer([reply(204), reply(204), reply(400, JSON, b'{"error":"nope"}')]) as server:
        points = ({"measurement": "m", "fields": {"n": n}, "time": n} for n in range(30))
        with pytest.raises(WriteError) as caught:
            connect(server.url).write(points, max_lines=10, db="db")
        assert "20 other lines" in caught.value.__notes__[-1]


# Logging


def test_logging_is_silent_by_default(client: Any, capfd: pytest.CaptureFixture[str]) -> None:
    client.write("m v=1 1")
    with pytest.raises(QueryError):
        client.query("SELEC")
    assert capfd.readouterr() == ("", "")


def test_debug_log(client: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="influx_proto")
    client.write("m v=1 1")
    client.query("SHOW MEASUREMENTS")
    write, query = [record.getMessage() for record in caplog.records if record.name == "influx_proto"]
    assert write.startswith("POST /write?precision=ns&db=")
    assert "HTTP 204" in write
    assert "bytes sent: 7, received: 0" in write
    assert " ms" in write
    assert query.startswith("GET /query?")
    assert "SHOW%20MEASUREMENTS" in query
