"""Receivers of responses to queries that have no result: error responses, and responses of other servers."""

from __future__ import annotations

import re
from typing import Final

from .._errors import DatabaseNotFound, InfluxDBError, ProtocolError
from .._http.error_response import ErrorReceiver, error_fields, is_web_page, not_influxdb
from .._http.formats import UnsupportedMessagePack
from .._http.messages import Headers
from .._result.errors import QueryError
from .request import Language

#: The response of InfluxDB 3 up to 3.6 to a request for MessagePack.
_NO_MESSAGE_PACK: Final = re.compile("invalid mime type.*msgpack", re.DOTALL)
#: The response of VictoriaMetrics to an unknown path.
_NO_PATH: Final = b"unsupported path requested"
#: The response of InfluxDB 1.7 and later to Flux that is not enabled. It explains how to enable it.
_FLUX_DISABLED: Final = "Flux query service disabled"

#: The responses of InfluxDB 1.x and 2.x to a script that reads from a bucket that does not exist.
_NO_BUCKET: Final = re.compile(r"failed to initialize execute state: (?:no database|could not find bucket)")

#: The servers with the languages that not all servers have.
_SERVERS: Final[dict[Language, str]] = {
    "sql": "SQL needs InfluxDB 3 Core or Enterprise; use query() for InfluxQL",
    "flux": (
        "Flux needs InfluxDB 2.x, or 1.8 and later with flux-enabled=true; use query() for InfluxQL, or query_sql() on "
        "InfluxDB 3"
    ),
}


class QueryErrorReceiver(ErrorReceiver):
    """Receives a non-2xx response to a query.

    Args:
        language: the language of the query.
        status: the status of the response.
        headers: the headers of the response.
    """

    def __init__(self, language: Language, status: int, headers: Headers) -> None:
        super().__init__(QueryError, status, headers)
        self._language: Language = language

    def error(self) -> InfluxDBError:
        """Return the error that the response describes, or `UnsupportedMessagePack` if the server rejects it."""
        error = super().error()
        status, headers, body = self._status, self._headers, bytes(self._body)
        if self._language == "influxql":
            if isinstance(error, QueryError) and status == 400 and _NO_MESSAGE_PACK.match(error.message):
                msg = f"this server has no MessagePack ({error.message}); request JSON (format='json')"
                return UnsupportedMessagePack(msg)
            return error
        fields = error_fields(headers, body)
        if (status == 404 and not fields and not is_web_page(headers)) or (status == 400 and _NO_PATH in body):
            text = body[:200].decode("utf-8", "replace").strip()
            return QueryError(status, f"{_SERVERS[self._language]} (the server responded: {text!r})", headers, body)
        if self._language == "flux" and isinstance(error, QueryError):
            if _NO_BUCKET.search(error.message):
                return QueryError.combined[DatabaseNotFound](status, error.message, headers, body)
            # The Flux engine of 1.x reports every error with status 500, without the `code` of 2.x.
            is_permanent = status == 500 and ("error" in fields or "X-Influxdb-Error" in headers)
            if is_permanent or (status == 403 and error.message.startswith(_FLUX_DISABLED)):
                return QueryError(status, error.message, headers, body)
        return error


class NotInfluxDB(QueryErrorReceiver):
    """Receives a response that is not from InfluxDB, and raises an error that quotes its start."""

    def feed(self, data: bytes) -> tuple[()]:
        """Append a chunk of the body; raise the error once there are enough bytes."""
        super().feed(data)
        if len(self._body) > 1024:
            self.close()
        return ()

    def error(self) -> InfluxDBError:
        """Return the error that the response describes."""
        error = not_influxdb(self._status, self._headers, bytes(self._body))
        if self._language != "influxql" and is_web_page(self._headers):
            # InfluxDB 2.x responds to unknown paths with the page of its web interface.
            return ProtocolError(f"{error}. {_SERVERS[self._language]}")
        return error
