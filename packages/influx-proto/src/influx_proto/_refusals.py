"""From an HTTP answer that is no success to the error that says why."""

from __future__ import annotations

import re
from typing import Any, Literal

from ._documents import CSV, MESSAGE_PACK, media_type
from ._errors import (
    AuthenticationError,
    AuthorizationError,
    DatabaseNotFound,
    InfluxDBError,
    PartialWriteError,
    PayloadTooLarge,
    ProtocolError,
    QueryError,
    QueryErrorAuthenticationError,
    QueryErrorAuthorizationError,
    QueryErrorDatabaseNotFound,
    QueryErrorRateLimited,
    QueryErrorServerUnavailable,
    RateLimited,
    RejectedLine,
    ResponseError,
    ServerUnavailable,
    WriteError,
    WriteErrorAuthenticationError,
    WriteErrorAuthorizationError,
    WriteErrorDatabaseNotFound,
    WriteErrorRateLimited,
    WriteErrorServerUnavailable,
)
from ._wire import Headers

#: An error's body is kept up to this many bytes; a server's longest messages quote one line of 64 KiB.
BODY_LIMIT = 4 * 1024 * 1024
_QUOTED = 200

#: Texts of a 500 that say what will not change by waiting.
_PERMANENT = re.compile(
    "retention policy not found|(?:beyond|outside) retention policy|field type conflict|unable to parse|invalid UTF-8"
    "|database not found|gzip:"
)
#: That a field is stored in another type there; names may hold anything.
CONFLICT = re.compile(
    r'field type conflict: input field "(?P<field>.*?)" on measurement "(?P<measurement>.*?)" is type (?P<type>\w+), '
    r"already exists as type (?P<stored>\w+)",
    re.DOTALL,
)
#: InfluxDB 2 has words of its own before it.
_PARTIAL = re.compile("(?:failure writing points to database: )?partial write")
_DROPPED = re.compile(r"dropped=(\d+)")
_REJECTED_LINE = re.compile(
    r"unable to parse '(?P<line>.*?)': (?P<reason>[^\n]*?)(?= dropped=\d+|\nunable to parse '|\Z)", re.DOTALL
)

Asked = Literal["ping", "query", "write"]


def not_influxdb(status: int, headers: Headers, body: bytes) -> ProtocolError:
    """Make the error for an answer that is none of InfluxDB's, quoting its content type and first bytes."""
    content_type = headers.get("Content-Type", "no content type")
    start = body[:_QUOTED]
    shown = f"{start!r}{'...' if len(body) > _QUOTED else ''}" if body else "an empty body"
    return ProtocolError(f"this is no answer of InfluxDB: HTTP {status}, {content_type}, {shown}")


class Refusal:
    """Receives an answer that is no success; its end is always an error."""

    def __init__(self, asked: Asked, status: int, headers: Headers) -> None:
        self._asked: Asked = asked
        self._status = status
        self._headers = headers
        self._body = bytearray()

    def feed(self, data: bytes) -> tuple[()]:
        """Take more of the body."""
        room = BODY_LIMIT - len(self._body)
        self._body += data[: max(room, 0)]
        return ()

    def close(self) -> Any:
        """Raise what the answer says."""
        raise refusal(self._asked, self._status, self._headers, bytes(self._body))


def refusal(asked: Asked, status: int, headers: Headers, body: bytes) -> InfluxDBError:
    """Make the error for an answer that is no success, by its status and text."""
    kind = _kind(asked, status, headers)
    if kind is None:
        return not_influxdb(status, headers, body)
    if status == 404 and body.strip() == b"404 page not found":  # Go's own words for an address that nobody has
        msg = "there is no InfluxDB here (HTTP 404, page not found): `path` is what stands before /write and /query"
        return ProtocolError(f"{msg}, and the name of a database goes into `database`")
    message = error_message(headers, body)
    if _is_web_page(headers) and len(message) > _QUOTED:
        message = f"{message[:_QUOTED]}..."
    if 300 <= status < 400:
        message = f"the server redirects to {headers.get('Location', 'nowhere')}: give the client that address"
    elif not message:
        message = f"the server answered HTTP {status} without a text"
    if kind is ServerUnavailable and _PERMANENT.search(message):
        kind = _BY_OPERATION[asked]
    if "database not found" in message:
        kind = DatabaseNotFound
    if kind is WriteError and _PARTIAL.match(message):
        kind = PartialWriteError
    error = _for_operation(asked, kind)(status, message, headers, body)
    if isinstance(error, WriteError):
        _read_lines(error)
    return error


def _read_lines(error: WriteError) -> None:
    """Take out of its text what the server says of single lines."""
    message = error.message
    error.rejected = tuple(RejectedLine(match["line"], match["reason"]) for match in _REJECTED_LINE.finditer(message))
    if conflict := CONFLICT.search(message):
        error.add_note(
            f"field_types={{{conflict['field']!r}: {conflict['stored']!r}}} writes it as the type that it has"
        )
    if isinstance(error, PartialWriteError):
        dropped = _DROPPED.findall(message)  # the last is the server's own, others may be data that it quotes
        error.dropped = int(dropped[-1]) if dropped else 0


_BY_OPERATION: dict[Asked, type[ResponseError]] = {"ping": ResponseError, "query": QueryError, "write": WriteError}

#: The class that is also that of the operation's errors; each other kind belongs to one operation.
_ALSO_BY_OPERATION: dict[tuple[Asked, type[ResponseError]], type[ResponseError]] = {
    ("write", AuthenticationError): WriteErrorAuthenticationError,
    ("write", AuthorizationError): WriteErrorAuthorizationError,
    ("write", DatabaseNotFound): WriteErrorDatabaseNotFound,
    ("write", RateLimited): WriteErrorRateLimited,
    ("write", ServerUnavailable): WriteErrorServerUnavailable,
    ("query", AuthenticationError): QueryErrorAuthenticationError,
    ("query", AuthorizationError): QueryErrorAuthorizationError,
    ("query", DatabaseNotFound): QueryErrorDatabaseNotFound,
    ("query", RateLimited): QueryErrorRateLimited,
    ("query", ServerUnavailable): QueryErrorServerUnavailable,
}


def _for_operation(asked: Asked, kind: type[ResponseError]) -> type[ResponseError]:
    """Return the class of errors of a kind that an operation raises."""
    return _BY_OPERATION[asked] if kind is ResponseError else _ALSO_BY_OPERATION.get((asked, kind), kind)


def _kind(asked: Asked, status: int, headers: Headers) -> type[ResponseError] | None:
    match status:
        case 401 | 407:
            return AuthenticationError
        case 403:
            return AuthorizationError
        case 413 if asked == "write":
            return PayloadTooLarge
        case 429:
            return RateLimited
        case 408 | 425 | 502 | 503 | 504:
            return ServerUnavailable
        case _ if status >= 500:  # also a proxy's web page
            return ServerUnavailable
        case _ if _is_web_page(headers):
            return None
        case _ if 300 <= status < 400:
            return ResponseError
        case _ if status >= 400:
            return _BY_OPERATION[asked]
        case _:
            return None


def _is_web_page(headers: Headers) -> bool:
    return headers.get("Content-Type", "").lower().startswith("text/html")


def error_message(headers: Headers, body: bytes) -> str:
    """Find the server's text: in the body as JSON, MessagePack or CSV, else in `X-Influxdb-Error`, else plain text."""
    import msgspec  # noqa: PLC0415 - not needed where nothing fails, and slow to import

    content_type = media_type(headers.get("Content-Type"))
    found: object = None
    try:
        if content_type in MESSAGE_PACK:
            found = msgspec.msgpack.decode(body)
        elif body.lstrip()[:1] == b"{":
            found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass  # cut or garbled: the header has the text too, and the body stays with the error
    if isinstance(found, dict):
        for key in ("error", "message"):
            if isinstance(found.get(key), str) and found[key]:
                return str(found[key])
    text = body.decode("utf-8", "replace").strip()
    if content_type in CSV:
        heading, _, text = text.partition("\n")
        if heading == "error" and text:
            return text.strip('"').replace('""', '"')
    return headers.get("X-Influxdb-Error") or text
