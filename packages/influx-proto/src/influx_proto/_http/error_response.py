"""From an HTTP answer that is no success to the error that says why."""

from __future__ import annotations

import re
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
    WriteError,
)
from .messages import CSV, MESSAGE_PACK, Headers, media_type

#: An error's body is kept up to this many bytes; a server's longest messages quote one line of 64 KiB.
BODY_LIMIT = 4 * 1024 * 1024
_QUOTED = 200

#: Texts of a 500 that say what will not change by waiting.
_PERMANENT = re.compile(
    "retention policy not found|(?:beyond|outside) retention policy|field type conflict|unable to parse|invalid UTF-8"
    "|database not found|gzip:"
)


def not_influxdb(status: int, headers: Headers, body: bytes) -> ProtocolError:
    """Make the error for an answer that is none of InfluxDB's, quoting its content type and first bytes."""
    content_type = headers.get("Content-Type", "no content type")
    start = body[:_QUOTED]
    shown = f"{start!r}{'...' if len(body) > _QUOTED else ''}" if body else "an empty body"
    return ProtocolError(f"this is no answer of InfluxDB: HTTP {status}, {content_type}, {shown}")


class ErrorReceiver:
    """Receives an answer that is no success; its end is always an error."""

    def __init__(self, error_class: type[ResponseError], status: int, headers: Headers) -> None:
        self._error_class = error_class
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
        raise self.error()

    def error(self) -> InfluxDBError:
        """Return the error that the response describes."""
        return error_from_response(self._error_class, self._status, self._headers, bytes(self._body))


def error_from_response(error_class: type[ResponseError], status: int, headers: Headers, body: bytes) -> InfluxDBError:
    """Return the error for a non-2xx response, by its status and text.

    Args:
        error_class: the class for errors that concern the operation itself.
        status: the HTTP status.
        headers: the headers of the response.
        body: the body of the response.
    """
    kind = _kind(error_class, status, headers)
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
        kind = error_class
    if "database not found" in message:
        kind = DatabaseNotFound
    kind = error_class if kind is ResponseError else error_class.combined.get(kind, kind)
    return kind(status, message, headers, body)


def _kind(error_class: type[ResponseError], status: int, headers: Headers) -> type[ResponseError] | None:
    match status:
        case 401 | 407:
            return AuthenticationError
        case 403:
            return AuthorizationError
        case 413 if issubclass(error_class, WriteError):
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
            return error_class
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
            found = msgspec.msgpack.decode(body, type=dict[str, msgspec.Raw])
            found = {key: _string(bytes(value)) for key, value in found.items()}
        elif body.lstrip()[:1] == b"{":
            found = msgspec.json.decode(body.decode("utf-8", "replace"))
    except Exception:  # noqa: BLE001, S110 - truncated or malformed: the header has the text too, the error the body
        pass
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


def _string(item: bytes) -> str | None:
    """Decode a MessagePack string, with replacement characters where it is not UTF-8; None for any other item."""
    first = item[0]
    head = 1 if 0xA0 <= first <= 0xBF else {0xD9: 2, 0xDA: 3, 0xDB: 5}.get(first)
    return None if head is None else item[head:].decode("utf-8", "replace")
