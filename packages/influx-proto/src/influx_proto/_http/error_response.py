"""Mapping of non-2xx responses to exceptions."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from .._errors import (
    AuthenticationError,
    AuthorizationError,
    DatabaseNotFound,
    InfluxDBError,
    PayloadTooLarge,
    ProtocolError,
    RateLimited,
    ResponseError,
    ServerUnavailable,
    TransportError,
    WriteError,
)
from .messages import CSV, MESSAGE_PACK, Headers, media_type

#: Number of bytes of an error response's body that are kept; the longest messages of a server quote a line of 64 KiB.
BODY_LIMIT = 4 * 1024 * 1024
_QUOTED_LENGTH = 200
#: Number of bytes of a web page that are searched for its text.
_PAGE_LENGTH = 16 * 1024
#: Maximum number of characters of a message. A server may quote all lines of a batch.
_MESSAGE_LENGTH = 2000

#: Messages of a 500 response whose cause is permanent, so a retry cannot succeed. The last two lines are messages of
#: InfluxDB 3.
_PERMANENT = re.compile(
    "retention policy not found|(?:beyond|outside) retention policy|field type conflict|unable to parse|invalid UTF-8"
    "|retention policy duration must|database not found|gzip:"
    "|error while planning query|Schema error|SQL error|This feature is not implemented"
    "|file limit|would process more than"
)

#: Messages of a missing database: of InfluxDB 1.x and 2.x, 3.x, and of `/write` and `/api/v2/write` of 2.x. Only words
#: and colons, or the operation of `/api/v2/delete` of 1.x, precede them, so that a quoted line cannot match.
_NO_DATABASE = re.compile(
    r"(?:delete - |[\w ]+: )*(?:database not found|(?:database|bucket) \S.{0,600} not found|no dbrp mapping found"
    r"|bucket not found)",
    re.IGNORECASE,
)
#: Statuses whose error does not depend on the body.
_DECIDED_BY_STATUS = frozenset({401, 403, 407, 408, 413, 425, 429})

#: The target of a redirect to the same endpoint elsewhere. Some proxies add a slash.
_ENDPOINT = re.compile(r"(.*)/(?:write|query|ping|health|ready|api/v[23]/.+)/?", re.DOTALL)


def not_influxdb(status: int, headers: Headers, body: bytes) -> ProtocolError:
    """Return the error for a response of another server; it quotes the content type and the start of the body."""
    content_type = headers.get("Content-Type", "no content type")
    start = body[:_QUOTED_LENGTH]
    quoted = f"{start!r}{'...' if len(body) > _QUOTED_LENGTH else ''}" if body else "an empty body"
    return ProtocolError(f"the response is not from InfluxDB: HTTP {status}, {content_type}, {quoted}; check the URL")


class ErrorReceiver:
    """Receives a non-2xx response; `close` always raises."""

    def __init__(self, error_class: type[ResponseError], status: int, headers: Headers) -> None:
        self._error_class = error_class
        self._status = status
        self._headers = headers
        self._body = bytearray()

    def feed(self, data: bytes) -> tuple[()]:
        """Append a chunk of the body."""
        room = BODY_LIMIT - len(self._body)
        self._body += data[: max(room, 0)]
        return ()

    def close(self) -> Any:
        """Raise the error that the response describes."""
        raise self.error()

    def error(self) -> InfluxDBError:
        """Return the error that the response describes."""
        return error_from_response(self._error_class, self._status, self._headers, bytes(self._body))


def raise_if_decided(status: int, close: Callable[[], object], error: InfluxDBError) -> None:
    """Raise the error of a response whose status decides it, although another error interrupted the body.

    A proxy that rejects a request before it has read all of it resets the connection, often before the client has read
    the whole page. The page of a proxy may also have a content encoding that the client did not request.

    Args:
        status: the status of the response.
        close: ends the response; it raises the error of a response with such a status.
        error: the error that interrupted the body.
    """
    if isinstance(error, TransportError | ProtocolError) and (
        status in _DECIDED_BY_STATUS
        or (status >= 500 and not error.retryable)  # the body is unreadable: the server may still recover
    ):
        close()


def error_from_response(error_class: type[ResponseError], status: int, headers: Headers, body: bytes) -> InfluxDBError:
    """Return the error for a non-2xx response, by its status and message.

    Args:
        error_class: the class of errors that concern the operation itself.
        status: the HTTP status.
        headers: the headers of the response.
        body: the body of the response.
    """
    found = _class_for_status(error_class, status, headers)
    if status == 201 and issubclass(error_class, WriteError) and error_fields(headers, body):
        found = error_class  # a cluster of InfluxDB 3 stored some of the lines
    if found is None:
        return not_influxdb(status, headers, body)
    if status == 404 and body.strip() == b"404 page not found":  # the default response of Go for an unknown path
        msg = "InfluxDB not found at this URL (HTTP 404, page not found): `path` is the prefix of /write and /query"
        return ProtocolError(f"{msg}; pass the name of a database as `database`")
    message = error_message(headers, body)
    if 300 <= status < 400:
        message = _redirect_message(headers.get("Location", "an unknown URL"))
    elif not message:
        message = f"the server responded with HTTP {status} without a message"
    if found is ServerUnavailable and _PERMANENT.search(message):
        found = error_class
    found = error_class if found is ResponseError else error_class.combined.get(found, found)
    error = (class_for_message(error_class, message) or found)(status, bounded(message), headers, body)
    code = error_fields(headers, body).get("code")
    error.code = code if isinstance(code, str) else None
    note_missing_database(error)
    return error


def note_missing_database(error: ResponseError) -> None:
    """Add how to select a database to the error of a request that needs one.

    The client cannot check it before: some statements and some servers need none.
    """
    if error.message.startswith(("database name required", "database is required", "missing db")):
        error.add_note("pass db= to the call, or database= to the client")


def bounded(message: str) -> str:
    """Return a message with its middle omitted if it is very long."""
    omitted = len(message) - _MESSAGE_LENGTH
    if omitted <= 0:
        return message
    half = _MESSAGE_LENGTH // 2
    return f"{message[:half]} ... ({omitted} characters omitted) ... {message[-half:]}"


def class_for_message(error_class: type[ResponseError], message: str) -> type[ResponseError] | None:
    """Return the class of the error with this message, or None if the message does not determine it.

    Args:
        error_class: the class of errors that concern the operation itself.
        message: the message of the server.
    """
    if _NO_DATABASE.match(message):
        return error_class.combined.get(DatabaseNotFound, DatabaseNotFound)
    return next((found for pattern, found in error_class.by_message if pattern.search(message)), None)


def _class_for_status(error_class: type[ResponseError], status: int, headers: Headers) -> type[ResponseError] | None:
    """Return the class of the error for a status, or None if the response is not from InfluxDB."""
    match status:
        case 401 | 407:
            return AuthenticationError
        case 403:
            return AuthorizationError
        case 413 if issubclass(error_class, WriteError):
            return PayloadTooLarge
        case 429:
            return RateLimited
        case _ if status in {408, 425} or status >= 500:  # also for an HTML page of a proxy
            return ServerUnavailable
        case _ if 300 <= status < 400 and ("Location" in headers or not is_web_page(headers)):
            return ResponseError  # also with the HTML page that most proxies add
        case _ if is_web_page(headers):
            return None
        case _ if status >= 400:
            return error_class
        case _:
            return None


def _redirect_message(location: str) -> str:
    """Return the message for a redirect, with the setting that makes it unnecessary. It omits the parameters."""
    location = location.partition("?")[0]
    message = f"the server redirects to {location}, and the client does not follow redirects"
    found = _ENDPOINT.fullmatch(location)
    if found is None:
        return f"{message}; check the URL of the client"  # a login page, for example
    setting = f"the URL {found[1]}" if "://" in location else f"path={found[1]!r}"
    return f"{message}; configure it with {setting}"


def is_web_page(headers: Mapping[str, str]) -> bool:
    """Return whether a response is a web page: of a proxy, or of the server's own user interface."""
    return media_type(headers.get("Content-Type")) == "text/html"


def error_fields(headers: Mapping[str, str], body: bytes) -> Mapping[str, Any]:
    """Return the fields of a JSON or MessagePack body; empty for any other body."""
    import msgspec  # noqa: PLC0415 - slow to import, and only errors need it

    found: object = None
    try:
        if media_type(headers.get("Content-Type")) in MESSAGE_PACK:
            found = msgspec.msgpack.decode(body, type=dict[str, msgspec.Raw])
            found = {key: _string(bytes(value)) for key, value in found.items()}
        elif body.lstrip()[:1] == b"{":
            found = msgspec.json.decode(body.decode("utf-8", "replace"))
    except Exception:  # noqa: BLE001, S110 - a truncated or malformed body: the header has the message too
        pass
    return found if isinstance(found, dict) else {}


def error_message(headers: Mapping[str, str], body: bytes) -> str:
    """Return the server's message: from a JSON, MessagePack or CSV body, else `X-Influxdb-Error`, else the body.

    Of a web page, it is the start of the text.
    """
    found = error_fields(headers, body)
    for key in ("error", "message"):
        if isinstance(found.get(key), str) and found[key]:
            return str(found[key])
    text = body.decode("utf-8", "replace").strip()
    if media_type(headers.get("Content-Type")) in CSV:
        header, _, text = text.partition("\n")
        if header == "error" and text:
            return text.strip('"').replace('""', '"')
    return headers.get("X-Influxdb-Error") or (_page_text(body) if is_web_page(headers) else text)


def _page_text(body: bytes) -> str:
    """Return the start of the text of a web page in one line; a heading that repeats the title is omitted."""
    import html  # noqa: PLC0415 - few errors need it

    texts: dict[str, None] = {}  # in their order
    hidden = ""
    for part in f">{body[:_PAGE_LENGTH].decode('utf-8', 'replace')}".split("<"):
        tag, _, text = part.partition(">")
        name = tag.lower()
        if hidden:
            if name.startswith(f"/{hidden}"):
                hidden = ""
            else:
                continue
        hidden = next((element for element in ("script", "style") if name.startswith(element)), "")
        if not hidden and (words := " ".join(html.unescape(text).split())):
            texts[words] = None
    message = " ".join(texts)
    return message if len(message) <= _QUOTED_LENGTH else f"{message[:_QUOTED_LENGTH]}..."


def _string(item: bytes) -> str | None:
    """Return a MessagePack string with invalid UTF-8 replaced, or None for any other type of item."""
    first = item[0]
    start = 1 if 0xA0 <= first <= 0xBF else {0xD9: 2, 0xDA: 3, 0xDB: 5}.get(first)
    return None if start is None else item[start:].decode("utf-8", "replace")
