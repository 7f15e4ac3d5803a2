"""The exceptions of all clients, except `QueryError`, which refers to results.

They are split by cause: invalid input (`SerializationError`, `SchemaError`), the connection (`TransportError`), a
response of another server (`ProtocolError`), and an error response (`ResponseError`). `retryable` is True if the same
request may succeed later; whether it is safe to repeat depends on the request.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, Self


class InfluxDBError(Exception):
    """Base class of all exceptions of the clients."""

    #: Whether the same request may succeed if it is repeated later.
    retryable: bool = False


class Place(NamedTuple):
    """The position and the reason of an error in line protocol."""

    #: Line number from 1; LFs inside strings count, as in an editor.
    line: int
    #: Column number from 1, in characters.
    column: int
    #: The line itself, with invalid UTF-8 replaced.
    text: str
    #: The reason, in the words of the server.
    reason: str


class SerializationError(InfluxDBError, ValueError):
    """A point cannot be encoded as line protocol, or line protocol cannot be parsed; nothing of it was sent."""

    #: The position of the error, for line protocol that was parsed.
    place: Place | None = None


class SchemaError(InfluxDBError, TypeError):
    """A class decorated with `lineprotocol` does not describe a valid point."""


class TransportError(InfluxDBError):
    """The server is unreachable or the connection failed; `__cause__` is the exception of the HTTP library."""

    #: False if a proxy rejects the connection for a reason that lasts, such as wrong credentials.
    retryable = True
    #: Whether the server may have received and processed the request.
    maybe_received: bool
    #: Whether a reused connection ended before the first byte of the response, as happens when the server closes an
    #: idle connection while a request is in flight.
    was_idle: bool

    def __init__(
        self, message: str, *, maybe_received: bool = True, was_idle: bool = False, retryable: bool = True
    ) -> None:
        super().__init__(message)
        self.retryable = retryable
        self.maybe_received = maybe_received
        self.was_idle = was_idle


class ProtocolError(InfluxDBError):
    """The response is not from InfluxDB, or is malformed or truncated."""

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable


class ResponseError(InfluxDBError):
    """The server responded with an error."""

    #: Subclasses of this class that are also another error, such as `DatabaseNotFound`, by the class of that error.
    combined: ClassVar[Mapping[type[ResponseError], type[ResponseError]]] = {}
    #: Subclasses of this class for messages that a pattern matches.
    by_message: ClassVar[Sequence[tuple[re.Pattern[str], type[ResponseError]]]] = ()
    #: The HTTP status; 200 for an error that InfluxDB reports inside a successful response.
    status: int
    #: The error message of the server. The middle of a message with more than 2000 characters is omitted.
    message: str
    #: The headers of the response, such as `X-Influxdb-Error` and `Request-Id`.
    headers: Mapping[str, str]
    #: The body of the response, up to its first 4 MiB.
    body: bytes
    #: The error code in the body, such as `invalid` or `unauthorized`, from servers that send one (InfluxDB 2.x, the
    #: `/api/v2` endpoints of 3.x, QuestDB).
    code: str | None = None

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> None:
        super().__init__(status, message, headers, body)
        self.status = status
        self.message = message
        self.headers = {} if headers is None else headers
        self.body = body

    def __str__(self) -> str:
        return f"{self.message} (HTTP {self.status})"


class AuthenticationError(ResponseError):
    """The credentials are missing or wrong (401, or 407 from a proxy), or lack permission (403)."""


class AuthorizationError(AuthenticationError):
    """The credentials are valid but lack permission (403)."""


class DatabaseNotFound(ResponseError):
    """The database does not exist."""


class RateLimited(ResponseError):
    """The server limits the rate of requests (429)."""

    retryable = True


class ServerUnavailable(ResponseError):
    """The server or a proxy is temporarily unavailable (408, 425, and 5xx unless the error is permanent)."""

    retryable = True


class RejectedLine(tuple[str, str]):
    """A line that the server did not store: a tuple of the line and the reason, which has a line number as well.

    Args:
        line: the line, as it was sent.
        reason: the reason, in the words of the server.
        number: see the attribute.
    """

    #: The number of the line in the body of the request, from 1, if the server reports it. Blank lines and comments do
    #: not count. None for lines that a batch writer, or `write` with `find_rejected=True`, has found.
    number: int | None

    def __new__(cls, line: str, reason: str, number: int | None = None) -> Self:
        """Create a rejected line."""
        self = super().__new__(cls, (line, reason))
        self.number = number
        return self

    @property
    def line(self) -> str:
        """The line, as it was sent."""
        return self[0]

    @property
    def reason(self) -> str:
        """The reason, in the words of the server."""
        return self[1]

    def __getnewargs__(self) -> tuple[str, str, int | None]:
        """Return the arguments from which a copy is made."""
        return self.line, self.reason, self.number

    def __repr__(self) -> str:
        number = "" if self.number is None else f", number={self.number}"
        return f"RejectedLine(line={self.line!r}, reason={self.reason!r}{number})"


class WriteError(ResponseError):
    """The server rejected a write."""

    #: The rejected lines that the server names, each with its reason.
    rejected: Sequence[RejectedLine] = ()


class PartialWriteError(WriteError):
    """The server stored some of the points and rejected others; a retry would fail in the same way."""

    #: Number of points that the server reports as dropped, without lines that it could not parse.
    dropped: int = 0


class UndeliveredLines(NamedTuple):
    """Lines that a batch writer could not deliver.

    `client.write(it.data, db=it.db, rp=it.rp, bucket=it.bucket, org=it.org, precision=it.precision)` writes them again.
    That is safe: points that were already stored are replaced by themselves.
    """

    db: str | None
    rp: str | None
    #: The precision of their timestamps.
    precision: str
    #: The lines, separated by LF.
    data: bytes
    #: Number of lines.
    lines: int
    #: The bucket, for lines without `db` and `rp`.
    bucket: str | None = None
    #: The organization of the bucket.
    org: str | None = None


class UndeliveredError(InfluxDBError):
    """Lines of a batch writer were not delivered: it ended before, or dropped them because its buffer was full.

    For a writer that ended, `__cause__` is the error that prevented their delivery.
    """

    #: The lines, in the order in which they were written.
    undelivered: Sequence[UndeliveredLines]

    def __init__(self, undelivered: Sequence[UndeliveredLines], cause: BaseException) -> None:
        super().__init__(undelivered, cause)  # `copy` and `pickle` recreate the exception from these arguments
        self.undelivered = tuple(undelivered)

    def __str__(self) -> str:
        count = sum(batch.lines for batch in self.undelivered)
        lines_were = "line was" if count == 1 else "lines were"
        return f"{count} {lines_were} not delivered: {self.args[1]}"


class BufferFullError(InfluxDBError):
    """The buffer of a batch writer is full, and `when_full` does not allow waiting, or waiting would not make room."""

    retryable = True


class CallbackError(InfluxDBError):
    """A function that was passed to a client or batch writer raised; its exception is `__cause__`.

    The batch writer continues. `on_error`, the log and the next `flush` report the error.
    """

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable


class SpoolError(InfluxDBError):
    """The spool directory of a batch writer is unusable, or lines could not be stored in it.

    `__cause__` is the error of the operating system, if there is one. Lines that were accepted earlier stay accepted.
    The error is retryable if lines could not be written, such as to a full disk, or if another writer uses the
    directory.
    """

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable


class PayloadTooLarge(WriteError):
    """The body is larger than the server accepts (413); no point was stored."""


def define_combined(operation: type[ResponseError], names: dict[str, object]) -> None:
    """Define the errors of an operation that are also another error, such as `WriteErrorDatabaseNotFound`.

    Args:
        operation: the class of the errors of the operation.
        names: `globals()` of its module, in which `pickle` finds the classes by their names.
    """
    others = (AuthenticationError, AuthorizationError, DatabaseNotFound, RateLimited, ServerUnavailable)
    combined: dict[type[ResponseError], Any] = {}
    for other in others:
        name = f"{operation.__name__}{other.__name__}"
        members = {"__doc__": other.__doc__, "__module__": operation.__module__}
        combined[other] = names[name] = type(name, (operation, other), members)
    operation.combined = combined


define_combined(WriteError, globals())
