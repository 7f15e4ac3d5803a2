"""Responses that are truncated, reset, stalled or dripped at each byte, and responses with contradictory framing.

For every fault a client must return the right result or raise one of our errors, in time. It must never return a wrong
result or raise an exception of its HTTP library. Each test tries one fault at every byte of one response, concurrently;
by default over an example at every `EXAMPLE_STRIDE`-th.
"""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from influx_proto import InfluxDBError, ProtocolError, ResponseError, RetryPolicy, Timeout, TransportError, WriteError

from tests.conformance.drivers import Driver
from tests.servers.scripted import (
    Behavior,
    Close,
    Connection,
    Drip,
    Receive,
    Reset,
    ScriptedServer,
    Send,
    Stall,
    Step,
    chunked,
    respond,
)

ONCE = RetryPolicy(attempts=1)
STALL = Timeout(idle=0.2)  # connecting may take longer
JSON = {"Content-Type": "application/json", "X-Influxdb-Version": "1.6.7"}
BODY = b'{"results":[{"statement_id":0,"series":[{"name":"m","columns":["time","v"],"values":[[1,2]]}]}]}\n'
PACKED = (
    b"\x81\xa7results\x91\x82\xacstatement_id\x00\xa6series\x91\x83\xa4name\xa1m\xa7columns\x92\xa4time\xa1v"
    b"\xa6values\x91\x92\x01\x02"
)
ROWS = [[1, 2]]


def query(client: Any, db: str) -> Any:
    return [row for series in client.query("SELECT v FROM m", db=db).series for row in series.values]


def write(client: Any, db: str) -> Any:
    return client.write("m v=1 1", db=db)


def rejected_write(client: Any, db: str) -> Any:
    with pytest.raises(WriteError, match="nope") as caught:
        client.write("m v=1 1", db=db)
    assert caught.value.status == 400
    return "refused"


def streamed_query(client: Any, db: str) -> Any:
    with client.query_points("SELECT v FROM m", db=db) as points:
        return [list(point.values()) for point in points]


@dataclass(frozen=True)
class Response:
    """A complete response, the call that requests it, and the expected result."""

    do: Callable[[Any, str], Any]
    result: Any
    data: bytes
    #: From this size on a truncated response may be accepted as complete: the rest cannot change the result.
    whole: int = field(default=0)

    @property
    def head(self) -> int:
        """Return the offset of the body."""
        return self.data.index(b"\r\n\r\n", len(self.data) // 2 if b" 100 " in self.data else 0) + 4

    def is_whole(self, size: int) -> bool:
        return size >= (self.whole or len(self.data))


def _with_length(do: Any, result: Any, status: int, headers: dict[str, str], body: bytes = b"") -> Response:
    return Response(do, result, respond(status, headers, body))


def _in_chunks(do: Any, result: Any, status: int, headers: dict[str, str], *parts: bytes) -> Response:
    data = respond(status, {**headers, "Transfer-Encoding": "chunked"}, chunked(*parts))
    return Response(do, result, data, whole=len(data) - len(b"\r\n\r\n"))


RESPONSES = {
    "a write": Response(
        write, True, b"HTTP/1.1 204 No Content\r\nX-Influxdb-Version: 1.6.7\r\nRequest-Id: abc\r\n\r\n"
    ),
    "JSON in chunks": _in_chunks(query, ROWS, 200, JSON, BODY[:40], BODY[40:]),
    "a stream": _in_chunks(streamed_query, ROWS, 200, JSON, BODY[:40], BODY[40:]),
    "MessagePack": _with_length(query, ROWS, 200, {"Content-Type": "application/x-msgpack"}, PACKED),
    "JSON in gzip": _with_length(query, ROWS, 200, {**JSON, "Content-Encoding": "gzip"}, gzip.compress(BODY)),
    "a refusal": _in_chunks(rejected_write, "refused", 400, {**JSON, "X-Influxdb-Error": "nope"}, b'{"error":"nope"}'),
    "JSON up to the end": Response(
        query,
        ROWS,
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n" + BODY,
        whole=len(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n") + len(BODY) - 1,
    ),
    "after a 100": Response(write, True, b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"),
}
EACH_RESPONSE = pytest.mark.parametrize("response", RESPONSES.values(), ids=RESPONSES)


@dataclass(frozen=True)
class Play:
    """Send the behavior whose number is the database name of the request."""

    behaviors: Sequence[Behavior]

    def run(self, connection: Connection) -> None:
        assert connection.request is not None
        number = parse_qs(urlsplit(connection.request.target).query)["db"][0]
        for step in self.behaviors[int(number)]:
            step.run(connection)


def outcomes(
    connect: Callable[..., Any],
    do: Callable[[Any, str], Any],
    behaviors: Sequence[Behavior],
    *,
    keep_alive: bool = False,
    concurrent: bool = True,
    **settings: Any,
) -> list[Any]:
    """Return the result, or the exception, of each behavior.

    With `keep_alive` a connection plays any number of behaviors, otherwise one. The requests are concurrent. The server
    plays the behaviors concurrently as well, or with `concurrent=False`, for those that do not wait, in sequence.
    """

    def outcome(number: int) -> Any:
        try:
            return do(client, str(number))
        except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001 - the test checks the exception's type
            return error

    exchange: list[Step] = [Receive(), Play(behaviors)]
    script = [exchange * (len(behaviors) if keep_alive else 1)]
    with ScriptedServer(script, concurrent=concurrent) as server, ThreadPoolExecutor(48) as pool:
        client = connect(server.url, retry=ONCE, **settings)
        return list(pool.map(outcome, range(len(behaviors))))


@pytest.fixture
def connect_plain(driver: Driver) -> Iterator[Callable[..., Any]]:
    """Return a function like `connect` without asyncio's debug mode, which halves the time of thousands of requests."""
    with ExitStack() as clients:
        yield lambda url, **settings: clients.enter_context(driver.client(url, debug=False, **settings))


def positions(driver: Driver, span: range) -> list[int]:
    """Return the positions to try: every one, or some and the last."""
    return sorted({*span[:: driver.stride], *span[-1:]})


def check(response: Response, sizes: Sequence[int], found: Sequence[Any]) -> None:
    """Check that each truncated response raised the right error and the complete one returned the right result."""
    wrong = []
    for size, outcome in zip(sizes, found, strict=True):
        is_right = outcome == response.result
        is_failure = type(outcome) in {TransportError, ProtocolError} and outcome.retryable
        if not (is_right if size == len(response.data) else is_failure or (is_right and response.is_whole(size))):
            wrong.append((response.data[:size], outcome))
    assert not wrong, f"{len(wrong)} of {len(found)}, the first: {wrong[0]!r}"


@EACH_RESPONSE
@pytest.mark.parametrize("end", [Close(), Reset()], ids=["closed", "reset"])
def test_cut_at_every_byte(connect_plain: Callable[..., Any], driver: Driver, response: Response, end: Step) -> None:
    # A reset may discard response data that was sent before it.
    first = response.head if "cut_head" in driver.lacks else 0
    sizes = positions(driver, range(first, len(response.data) + (end == Close())))
    behaviors = [(Send(response.data[:size]), end) for size in sizes]
    found = outcomes(connect_plain, response.do, behaviors, concurrent=False, timeout=20)
    check(response, sizes, found)


@EACH_RESPONSE
def test_stalled_at_every_byte(connect_plain: Callable[..., Any], driver: Driver, response: Response) -> None:
    sizes = positions(driver, range(len(response.data)))
    began = time.monotonic()
    found = outcomes(
        connect_plain, response.do, [(Send(response.data[:size]), Stall(20)) for size in sizes], timeout=STALL
    )
    assert time.monotonic() - began < 20
    check(response, sizes, found)


@EACH_RESPONSE
def test_split_in_two_at_every_byte(connect_plain: Callable[..., Any], driver: Driver, response: Response) -> None:
    splits = positions(driver, range(1, len(response.data)))
    behaviors = [(Send(response.data[:at]), Stall(0.001), Send(response.data[at:])) for at in splits]
    keep_alive = b"Connection: close" not in response.data
    found = outcomes(connect_plain, response.do, behaviors, keep_alive=keep_alive, timeout=20)
    assert found == [response.result] * len(splits)


@EACH_RESPONSE
def test_dripped(connect_plain: Callable[..., Any], response: Response) -> None:
    assert outcomes(connect_plain, response.do, [[Drip(response.data, every=0)]], timeout=20) == [response.result]


@pytest.mark.parametrize("byte", [b"\x00", b"\n", b"9"], ids=repr)
@pytest.mark.parametrize("name", ["a write", "JSON in chunks", "MessagePack", "JSON in gzip"])
def test_malformed_at_every_byte(connect_plain: Callable[..., Any], driver: Driver, name: str, byte: bytes) -> None:
    """One byte is replaced: a different status or number is a valid response, and anything else must raise an error."""
    response = RESPONSES[name]
    data = response.data
    places = positions(driver, range(len(data)))
    behaviors = [(Send(data[:at] + byte + data[at + 1 :]), Close()) for at in places]
    found = outcomes(connect_plain, response.do, behaviors, concurrent=False, timeout=20)
    wrong = [
        (behavior[0], outcome)
        for behavior, outcome in zip(behaviors, found, strict=True)
        if isinstance(outcome, BaseException) and not isinstance(outcome, InfluxDBError)
    ]
    assert not wrong, f"{len(wrong)} of {len(found)}, the first: {wrong[0]!r}"


LONG = 200_000
TWO_HUNDRED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = TWO_HUNDRED + b"Transfer-Encoding: chunked\r\n\r\n"
RIGHT = (list,)
NO_HTTP = (ProtocolError, TransportError)
EITHER = (InfluxDBError, list)  # the right result or one of our errors, depending on the library
CONTRADICTIONS: dict[str, tuple[bytes, tuple[type, ...]]] = {
    # name: (bytes sent before the connection is closed, allowed outcomes)
    "length too large": (respond(200, {**JSON, "Content-Length": "1000"}, BODY), (ProtocolError,)),
    "length too small": (respond(200, {**JSON, "Content-Length": "50"}, BODY), (ProtocolError,)),
    "length negative": (respond(200, {**JSON, "Content-Length": "-5"}, BODY), EITHER),
    "length no number": (respond(200, {**JSON, "Content-Length": "many"}, BODY), EITHER),
    "length beyond all": (respond(200, {**JSON, "Content-Length": "9" * 30}, BODY), (InfluxDBError,)),
    "two lengths": (TWO_HUNDRED + b"Content-Length: 5\r\nContent-Length: 97\r\n\r\n" + BODY, (InfluxDBError,)),
    "length and chunks": (
        respond(200, {**JSON, "Content-Length": "5", "Transfer-Encoding": "chunked"}, chunked(BODY)),
        EITHER,
    ),
    "chunk size no number": (CHUNKED + b"zz\r\n" + BODY, (ProtocolError,)),
    "chunk size negative": (CHUNKED + b"-5\r\n" + BODY, (ProtocolError,)),
    "chunk size too small": (CHUNKED + b"5\r\n" + BODY + b"\r\n0\r\n\r\n", (ProtocolError,)),
    "chunk size too large": (CHUNKED + b"ffff\r\n" + BODY + b"\r\n0\r\n\r\n", (ProtocolError,)),
    "chunk size beyond all": (CHUNKED + b"f" * 40 + b"\r\n" + BODY, (ProtocolError,)),
    "chunk size endless": (CHUNKED + b"0" * LONG, (ProtocolError,)),
    "chunk extension": (CHUNKED + b"61;a=b\r\n" + BODY + b"\r\n0;c\r\nTrailer: x\r\n\r\n", RIGHT),
    "gzip that is none": (respond(200, {**JSON, "Content-Encoding": "gzip"}, BODY), (ProtocolError,)),
    "gzip with a wrong sum": (
        respond(200, {**JSON, "Content-Encoding": "gzip"}, gzip.compress(BODY)[:-8] + b"\0" * 8),
        (ProtocolError,),
    ),
    "many 1xx": (b"HTTP/1.1 102 Processing\r\n\r\n" * 50 + respond(200, JSON, BODY), RIGHT),
    "only 1xx": (b"HTTP/1.1 102 Processing\r\n\r\n" * 50, NO_HTTP),
    "101": (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", (InfluxDBError,)),
    "one long header": (TWO_HUNDRED + b"X: " + b"y" * LONG + b"\r\n\r\n", (ProtocolError,)),
    "many headers": (TWO_HUNDRED + b"X: y\r\n" * LONG, NO_HTTP),  # not every library limits the number of headers
    "a long status": (b"HTTP/1.1 200 " + b"O" * LONG + b"\r\n\r\n", (ProtocolError,)),
    "an endless line": (b"x" * LONG, (ProtocolError,)),
    "a header of 8 KiB": (respond(200, {**JSON, "X-Influxdb-Error": "y" * 8192}, BODY), RIGHT),
    "a header that is none": (TWO_HUNDRED + b"nonsense\r\n\r\n" + BODY, EITHER),
    "a header in Latin-1": (respond(200, {**JSON, "X-Y": "caf\xe9"}, BODY), RIGHT),
    "status no number": (b"HTTP/1.1 abc OK\r\n\r\n", (ProtocolError,)),
    "status too large": (b"HTTP/1.1 1000 OK\r\n\r\n", (ProtocolError,)),
    "another version": (b"HTTP/3.7 200 OK\r\n\r\n", (InfluxDBError,)),
    "HTTP 1.0": (b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + BODY, RIGHT),
    "no HTTP": (b"SSH-2.0-OpenSSH_9.2p1\r\nnothing else\r\n\r\n", (ProtocolError,)),
    "TLS": (b"\x15\x03\x01\x00\x02\x02\x46", NO_HTTP),
    "nothing": (b"", (TransportError,)),
    "a web page": (respond(200, {"Content-Type": "text/html"}, b"<html>"), (ProtocolError,)),
    "no content type": (respond(200, {}, BODY), (ProtocolError,)),
    "an image": (respond(200, {"Content-Type": "image/png"}, b"\x89PNG"), (ProtocolError,)),
    "MessagePack that is JSON": (respond(200, {"Content-Type": "application/x-msgpack"}, BODY), (ProtocolError,)),
    "JSON that is MessagePack": (respond(200, JSON, PACKED), (ProtocolError,)),
    "an empty body": (respond(200, JSON), (ProtocolError,)),
    "204 to a query": (respond(204), (InfluxDBError,)),
    "redirect": (respond(302, {"Location": "http://elsewhere.example/query"}), (ResponseError,)),
    "redirect to nowhere": (respond(302, {}), (ResponseError,)),
    "redirect to nonsense": (respond(307, {"Location": "http://[::1"}), (ResponseError,)),
    "redirect beyond ASCII": (respond(307, {"Location": "http://\xe9\xff/"}), (ResponseError,)),
    "cookie": (respond(200, {**JSON, "Set-Cookie": "a=b; Domain=.example; Max-Age=x"}, BODY), RIGHT),
}


@pytest.mark.parametrize("ask", [query, streamed_query], ids=["query", "stream"])
def test_contradictory_framing(connect: Callable[..., Any], driver: Driver, ask: Callable[[Any, str], Any]) -> None:
    found = outcomes(connect, ask, [(Send(data), Close()) for data, _ in CONTRADICTIONS.values()], timeout=20)
    foreign = (TransportError,) if "malformed_head" in driver.lacks else ()
    wrong = {
        name: outcome
        for (name, (_, expected)), outcome in zip(CONTRADICTIONS.items(), found, strict=True)
        if not isinstance(outcome, (*expected, *foreign)) or (isinstance(outcome, list) and outcome != ROWS)
    }
    if "provisional" in driver.lacks:
        wrong.pop("many 1xx")
    assert not wrong, wrong
