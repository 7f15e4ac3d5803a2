"""Every exception that reaches a caller, except `QueryError`, which refers to results.

They are split by whose fault it is: bad input (`SerializationError`, `SchemaError`), the way to the server
(`TransportError`), something that is not InfluxDB (`ProtocolError`), and a server that said no (`ResponseError`).
`retryable` says whether the same request may succeed later; whether it is safe to repeat is the request's own affair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple


class InfluxDBError(Exception):
    """The base of all errors of this client family."""

    #: Whether the same request may succeed if it is sent again later.
    retryable: bool = False


class Place(NamedTuple):
    """Where in line protocol something is wrong, and what."""

    #: Counted from 1; LFs within strings count as well, as they do in an editor.
    line: int
    #: Counted from 1, in characters.
    column: int
    #: The text between the LFs around it; bytes that are no UTF-8 are replaced.
    text: str
    #: In the server's words.
    reason: str


class SerializationError(InfluxDBError, ValueError):
    """A point cannot be carried by line protocol as it is; nothing of it was sent."""

    #: Where that is, if it is line protocol that was read.
    place: Place | None = None


class SchemaError(InfluxDBError, TypeError):
    """A class cannot describe a point."""


class TransportError(InfluxDBError):
    """The server could not be reached, or the connection failed; the HTTP library's exception is `__cause__`."""

    retryable = True
    #: Whether the server may have received the request, and so may have acted on it.
    maybe_received: bool
    #: Whether the connection was kept from an earlier request, and ended before the first byte of an answer: as it
    #: does where the server closes an idle connection while a request is on its way.
    was_idle: bool

    def __init__(self, message: str, *, maybe_received: bool = True, was_idle: bool = False) -> None:
        super().__init__(message)
        self.maybe_received = maybe_received
        self.was_idle = was_idle


class ProtocolError(InfluxDBError):
    """What answered is not InfluxDB, or its answer was cut short."""

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable


class ResponseError(InfluxDBError):
    """The server said no."""

    #: Classes of this operation's errors that are also of another kind, such as `DatabaseNotFound`, by that kind.
    combined: ClassVar[Mapping[type[ResponseError], type[ResponseError]]] = {}
    #: HTTP status; 200 for an error that InfluxDB reports inside a successful answer.
    status: int
    #: The server's own text.
    message: str
    #: The headers of the answer, `X-Influxdb-Error` and `Request-Id` among them.
    headers: Mapping[str, str]
    #: The body of the answer as it came.
    body: bytes

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> None:
        super().__init__(status, message, headers, body)
        self.status = status
        self.message = message
        self.headers = {} if headers is None else headers
        self.body = body

    def __str__(self) -> str:
        return f"{self.message} (HTTP {self.status})"


class AuthenticationError(ResponseError):
    """The credentials are missing or wrong (401; 407 where a proxy says so), or do not allow this (403)."""


class AuthorizationError(AuthenticationError):
    """The credentials are right, and do not allow this (403)."""


class DatabaseNotFound(ResponseError):
    """The database does not exist."""


class RateLimited(ResponseError):
    """The server asks for fewer requests (429)."""

    retryable = True


class ServerUnavailable(ResponseError):
    """The server, or a proxy before it, cannot serve this now (502, 503, 504, and failures of a moment under 500)."""

    retryable = True


class RejectedLine(NamedTuple):
    """A line that the server did not store."""

    #: The line, as it was sent.
    line: str
    #: In the server's words.
    reason: str


class WriteError(ResponseError):
    """The server refused points."""

    #: The rejected lines that the server names, each with its reason.
    rejected: Sequence[RejectedLine] = ()


class PartialWriteError(WriteError):
    """The server stored some of the points and refused others; sending all of them again gives the same answer."""

    #: How many points the server says it dropped; lines it could not parse are not among them.
    dropped: int = 0


class UndeliveredLines(NamedTuple):
    """Lines that a batch writer hands back; `client.write(it.data, db=it.db, rp=it.rp, precision=it.precision)`."""

    db: str | None
    rp: str | None
    #: The unit of their times.
    precision: str
    #: The lines, an LF between them; they may be written to a file. Whatever was stored of them replaces itself.
    data: bytes
    #: How many they are.
    lines: int


class UndeliveredError(InfluxDBError):
    """A batch writer was left with lines that it could not deliver; what prevented that is `__cause__`."""

    #: The lines, in the order in which they were to be sent.
    undelivered: Sequence[UndeliveredLines]

    def __init__(self, undelivered: Sequence[UndeliveredLines], cause: BaseException) -> None:
        super().__init__(undelivered, cause)  # of which it is made anew where it is copied or pickled
        self.undelivered = tuple(undelivered)

    def __str__(self) -> str:
        count = sum(some.lines for some in self.undelivered)
        were = "line was" if count == 1 else "lines were"
        return f"{count} {were} not delivered: {self.args[1]}"


class BufferFullError(InfluxDBError):
    """A batch writer keeps as many lines as it may, and was told not to wait."""

    retryable = True


class CallbackError(InfluxDBError):
    """A function that was passed to a client or batch writer raised; its exception is `__cause__`.

    The batch writer continues. `on_error`, the log and the next `flush` report the error.
    """

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable


class SpoolError(InfluxDBError):
    """The directory of a batch writer's spool cannot be used, or lines could not be kept in it.

    Where the operating system says why, that is `__cause__`. Lines that were accepted before stay so. It is retryable
    where there may be room, or the other writer gone, later.
    """

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable


class PayloadTooLarge(WriteError):
    """The body is larger than the server accepts (413); nothing of it was stored."""


# Every error response to a write is also a `WriteError`.


class WriteErrorAuthenticationError(WriteError, AuthenticationError):
    """A write failed: the credentials are missing or wrong."""


class WriteErrorAuthorizationError(WriteError, AuthorizationError):
    """A write failed: the credentials do not allow it."""


class WriteErrorDatabaseNotFound(WriteError, DatabaseNotFound):
    """A write failed: the database does not exist."""


class WriteErrorRateLimited(WriteError, RateLimited):
    """A write failed: the server asks for fewer requests."""


class WriteErrorServerUnavailable(WriteError, ServerUnavailable):
    """A write failed: the server is unavailable."""


WriteError.combined = {
    AuthenticationError: WriteErrorAuthenticationError,
    AuthorizationError: WriteErrorAuthorizationError,
    DatabaseNotFound: WriteErrorDatabaseNotFound,
    RateLimited: WriteErrorRateLimited,
    ServerUnavailable: WriteErrorServerUnavailable,
}
