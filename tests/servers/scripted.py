r"""TCP server that sends scripted bytes, for responses that a real server cannot be made to send.

    with ScriptedServer([reply(503), [Receive(), Send(b"HTTP/1.1 200 OK\r\n"), Reset()]]) as server:
        ...  # server.url
    assert [request.target for request in server.requests] == ["/ping", "/ping"]

A script is a sequence of behaviors, and a behavior is a sequence of steps. Each new connection gets the next
behavior, or the last one again if there are no more. After the last step the server closes the connection.

If a client disconnects, the behavior of its connection ends without an error. Any other failure in a step (such as
bytes that are not an HTTP request) is raised on exit from the `with` block.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol, Self, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Request:
    """A received request: lower-case header names, the decoded body, and all raw bytes."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    raw: bytes = field(repr=False)
    connection: int  # counted from 1


# Steps


class Step(Protocol):
    def run(self, connection: Connection) -> None: ...


Behavior: TypeAlias = "Sequence[Step]"


@dataclass(frozen=True, slots=True)
class Receive:
    """Read one request and record it; with `body=False` only its head, and the body stays unread."""

    body: bool = True

    def run(self, connection: Connection) -> None:
        connection.receive(body=self.body)


@dataclass(frozen=True, slots=True)
class Send:
    data: bytes

    def run(self, connection: Connection) -> None:
        connection.socket.sendall(self.data)


@dataclass(frozen=True, slots=True)
class Drip:
    """Send one byte at a time."""

    data: bytes
    every: float = 0.001

    def run(self, connection: Connection) -> None:
        for byte in self.data:
            connection.socket.sendall(bytes([byte]))
            connection.pause(self.every)


@dataclass(frozen=True, slots=True)
class Stall:
    """Do nothing for `seconds`, or until the server is closed."""

    seconds: float

    def run(self, connection: Connection) -> None:
        connection.pause(self.seconds)


@dataclass(frozen=True, slots=True)
class Hold:
    """Keep the connection open until the client closes it. Data from the client is an error."""

    def run(self, connection: Connection) -> None:
        if data := connection.read():
            raise AssertionError(f"not in the script: {data!r}")


@dataclass(frozen=True, slots=True)
class Reset:
    """Close the connection with an RST: "connection reset by peer"."""

    def run(self, connection: Connection) -> None:
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.socket.close()


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection. (If bytes are unread, TCP sends an RST.)"""

    def run(self, connection: Connection) -> None:
        connection.socket.close()


# Common responses


def respond(status: int, headers: Mapping[str, str] | None = None, body: bytes = b"") -> bytes:
    """Return the bytes of a response. `Content-Length` is correct unless the headers set it or a transfer encoding."""
    headers = dict(headers or {})
    if not {"content-length", "transfer-encoding"} & {name.lower() for name in headers}:
        headers["Content-Length"] = str(len(body))
    reason = HTTPStatus(status).phrase if status in set(HTTPStatus) else ""
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in headers.items())]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1") + body


def chunked(*parts: bytes, end: bool = True) -> bytes:
    """Return the parts as a chunked body; with `end=False` the body is truncated."""
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n" * end


def reply(status: int, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Behavior:
    """Return a behavior that responds to one request and closes, so that the next request gets the next behavior."""
    return [Receive(), Send(respond(status, {"Connection": "close", **(headers or {})}, body))]


@contextlib.contextmanager
def refused_port() -> Generator[int]:
    """Yield a port of 127.0.0.1 that refuses connections and is reserved meanwhile."""
    with socket.socket() as bound:
        bound.bind((ScriptedServer.host, 0))  # bound but not listening
        yield bound.getsockname()[1]


# Server


class ScriptedServer:
    """Scripted server on a free port of 127.0.0.1, with a thread for each connection.

    With `concurrent=False` the server accepts a connection after it has closed the previous one. This takes less CPU
    time than a thread for each, and suits clients that send a request on each connection without waiting for another.
    """

    host = "127.0.0.1"

    def __init__(self, script: Sequence[Behavior], *, concurrent: bool = True) -> None:
        if not script:
            raise ValueError("a script needs at least one behavior")
        self._script = script
        self._concurrent = concurrent
        self._changed = threading.Condition()
        self._requests: list[Request] = []
        self._connections: list[Connection] = []
        self._errors: list[Exception] = []
        self._closing = threading.Event()

    def __enter__(self) -> Self:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        self._listener = socket.create_server((self.host, 0), family=family)
        self.port: int = self._listener.getsockname()[1]
        self._acceptor = threading.Thread(target=self._accept, name=f"scripted server {self.port}", daemon=True)
        self._acceptor.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._closing.set()
        with contextlib.suppress(OSError):  # already waiting to be accepted
            socket.create_connection((self.host, self.port), timeout=1).close()  # wakes `accept`
        if not self._concurrent:
            for connection in self._connections[-1:]:
                connection.end()  # the acceptor may be blocked in it
        self._acceptor.join()
        self._listener.close()
        for connection in self._connections:
            connection.end()
        if self._errors:
            raise ExceptionGroup("the script of the server failed", self._errors)

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def connections(self) -> int:
        """Return the number of connections accepted so far."""
        return len(self._connections)

    @property
    def requests(self) -> list[Request]:
        """Return the requests received so far."""
        with self._changed:
            return list(self._requests)

    def wait_for(self, count: int, timeout: float = 5) -> Request:
        """Wait until `count` requests were received, and return the last of them."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._requests) >= count, timeout):
                raise TimeoutError(f"received {len(self._requests)} requests in {timeout} s, not {count}")
            return self._requests[count - 1]

    def _accept(self) -> None:
        while True:
            accepted, _ = self._listener.accept()
            if self._closing.is_set():
                accepted.close()
                return
            number = len(self._connections) + 1
            behavior = self._script[min(number, len(self._script)) - 1]
            connection = Connection(accepted, number, behavior, self._record, self._errors.append, self._closing)
            self._connections.append(connection)
            if self._concurrent:
                connection.start()
            elif self._closing.is_set():
                accepted.close()  # `__exit__` may have missed the connection
            else:
                connection.play()

    def _record(self, request: Request) -> None:
        with self._changed:
            self._requests.append(request)
            self._changed.notify_all()


class _DisconnectedError(Exception):
    """The client disconnected, or the server is being closed."""


class Connection:
    """An accepted connection that plays a behavior: `start` does so in a new thread."""

    def __init__(
        self,
        accepted: socket.socket,
        number: int,
        behavior: Behavior,
        record: Callable[[Request], None],
        fail: Callable[[Exception], None],
        closing: threading.Event,
    ) -> None:
        self.socket = accepted
        self.request: Request | None = None  # the last one received
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # send each step's data at once
        self._number = number
        self._behavior = behavior
        self._record = record
        self._fail = fail
        self._closing = closing
        self._received = bytearray()  # not yet read by a step
        self._raw = bytearray()  # bytes of the current request so far
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self.play, name=f"scripted connection {self._number}", daemon=True)
        self._thread.start()

    def end(self) -> None:
        with contextlib.suppress(OSError):  # already closed by the script
            self.socket.shutdown(socket.SHUT_RDWR)  # wakes the thread if it is blocked
        if self._thread is not None:
            self._thread.join()

    def pause(self, seconds: float) -> None:
        if self._closing.wait(seconds):
            raise _DisconnectedError

    def receive(self, *, body: bool) -> None:
        self._raw.clear()
        request_line, *lines = self._read_until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        try:
            method, target, _ = request_line.split(" ")
            fields = [line.split(":", 1) for line in lines]
            headers: dict[str, str] = {}
            for name, value in fields:
                key = name.lower()
                headers[key] = f"{headers[key]}, {value.strip()}" if key in headers else value.strip()
        except ValueError:
            raise AssertionError(f"not an HTTP request: {bytes(self._raw)!r}") from None
        content = self._read_body(headers) if body else b""
        self.request = Request(method, target, headers, content, bytes(self._raw), self._number)
        self._record(self.request)

    def read(self) -> bytes:
        """Return unread data of the client. Blocks if there is none yet; returns empty bytes at end of file."""
        return self._take(len(self._received)) or self.socket.recv(65536)

    def play(self) -> None:
        with self.socket, contextlib.suppress(_DisconnectedError, ConnectionError):
            try:
                for step in self._behavior:
                    step.run(self)
            except (_DisconnectedError, ConnectionError):
                raise
            except Exception as error:  # noqa: BLE001 - raised on exit
                self._fail(error)

    def _read_body(self, headers: Mapping[str, str]) -> bytes:
        if headers.get("transfer-encoding", "").lower() != "chunked":
            return self._read_exactly(int(headers.get("content-length", "0")))
        body = bytearray()
        while size := int(self._read_until(b"\r\n").partition(b";")[0], 16):
            body += self._read_exactly(size)
            self._expect_line_end()
        while self._read_until(b"\r\n"):  # trailers
            pass
        return bytes(body)

    def _expect_line_end(self) -> None:
        if (end := self._read_exactly(2)) != b"\r\n":
            raise AssertionError(f"a chunk is longer than its size: {end!r}")

    def _read_until(self, mark: bytes) -> bytes:
        while (end := self._received.find(mark)) < 0:
            self._read_more()
        return self._take(end + len(mark))[:end]

    def _read_exactly(self, size: int) -> bytes:
        while len(self._received) < size:
            self._read_more()
        return self._take(size)

    def _read_more(self) -> None:
        if not (data := self.socket.recv(65536)):
            raise _DisconnectedError
        self._received += data

    def _take(self, size: int) -> bytes:
        taken = bytes(self._received[:size])
        del self._received[:size]
        self._raw += taken
        return taken
