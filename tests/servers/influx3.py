"""Stand-in for the query endpoints of InfluxDB 3, which checks requests as strictly as the server does.

Its responses are not recorded. Each is constructed from the section of SERVERS.md that its comment names.
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Self
from urllib.parse import parse_qs, urlsplit

DATABASE = "mydb"
NS = 1_700_000_000_123_456_789

# 4.6: documents follow one another without separator. Whole floats are printed as integers.
_CHUNKS = [
    {"columns": ["time", "host", "load"], "values": [[NS, "a", 0.5], [NS + 1, "b", 82]]},
    {"columns": ["time", "host", "load"], "values": [[NS + 2, "a", None]]},
]


def _document(number: int, series: dict[str, Any], *, is_partial: bool) -> str:
    end: dict[str, Any] = {"partial": True} if is_partial else {}
    result = {"statement_id": number, "series": [{"name": "cpu", **series, **end}], **end}
    return json.dumps({"results": [result]}, separators=(",", ":"))


def _error(message: str) -> str:
    return json.dumps({"results": [{"statement_id": 0, "error": message}]}, separators=(",", ":"))


# 4.3
FILE_LIMIT = (
    "External error: Query would scan 500 Parquet files, exceeding the file limit. Please specify a smaller time range"
)
PARTITIONS = "would process more than 1000 partitions"  # 5

INFLUXQL = {
    "SELECT * FROM cpu": _document(0, _CHUNKS[0], is_partial=True) + _document(0, _CHUNKS[1], is_partial=False),
    "SELECT * FROM infinite": _document(0, _CHUNKS[0], is_partial=True)
    + '{"error":"json: unsupported value: +Inf"}',  # 4.6
    "SELECT * FROM many_files": _error(FILE_LIMIT),  # 4.3
    "SELECT * FROM many_partitions": _error(PARTITIONS),  # 5
    "CREATE DATABASE db": _error("unsupported statement: CREATE DATABASE"),  # 4.6: fails as a statement error
}
#: 4.6: arrays by position instead of maps (3.7 and later).
POSITIONAL = b"\x91\x91\x93\x00\x91\x92\xa3cpu\x92\x92\xa4time\xa1v\x91\x92\xb42065-01-07T17:28:51Z\x01"


class Influx3:
    """A server in a thread. `requests` holds method, target, headers and body of each received request.

    Args:
        version: `3.6`, or `3.10`.
        sql: the responses to SQL queries: status, Content-Type and chunks of the body.
    """

    def __init__(self, version: str = "3.10", sql: dict[str, tuple[int, str, list[bytes]]] | None = None) -> None:
        self.version = version
        self.sql = sql or {}
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        handler = type("Handler", (_Handler,), {"server_state": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def accepts(self) -> list[str]:
        """The `Accept` headers of the requests, in order."""
        return [headers["accept"].rpartition("/")[2] for _, _, headers, _ in self.requests]


class _Handler(BaseHTTPRequestHandler):
    server_state: ClassVar[Influx3]
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
        """Write no log."""

    def do_GET(self) -> None:
        self._respond()

    def do_POST(self) -> None:
        self._respond()

    def _respond(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server_state.requests.append((self.command, self.path, headers, body))
        parts = urlsplit(self.path)
        params = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        if parts.path == "/query":
            if headers.get("content-type") == "application/x-www-form-urlencoded":
                params |= {name: values[-1] for name, values in parse_qs(body.decode()).items()}
            status, content_type, chunks = self._influxql(params, headers.get("accept", "*/*"))
        elif parts.path == "/api/v3/query_sql":
            status, content_type, chunks = self._sql(body)
        else:
            status, content_type, chunks = 404, None, [b"Not found"]  # PROTOCOL.md 5.1
        self.send_response(status)
        if content_type is not None:  # 4.3: often missing in errors
            self.send_header("Content-Type", content_type)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for chunk in filter(None, chunks):
            if chunk == ABORT:
                self.close_connection = True
                return
            self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        self.wfile.write(b"0\r\n\r\n")

    def _influxql(self, params: dict[str, str], accept: str) -> tuple[int, str | None, list[bytes]]:
        is_old = self.server_state.version == "3.6"
        accepted = {"*/*", "application/json", "application/csv", "text/csv"} | (set() if is_old else {_MSGPACK})
        # 4.6: text up to 3.6, later JSON.
        if accept not in accepted:
            message = f"invalid mime type ({accept})"
            return (400, None, [message.encode()]) if is_old else _bad_request(message)
        if params.get("epoch", "ns") not in {"ns", "u", "ms", "s", "m", "h", "d", "w"}:
            return _bad_request(f"invalid epoch ({params['epoch']})")
        if params.get("chunked", "false") not in {"true", "false"} or not params.get("chunk_size", "1").isdigit():
            return _bad_request("invalid chunked or chunk_size")
        if "q" not in params:
            return _bad_request("missing query parameter q")
        if params.get("db") != DATABASE:
            if is_old:  # 4.6: 404 up to 3.6
                return (
                    404,
                    "application/json",
                    [b'{"error":"query error: database not found: %b"}' % params["db"].encode()],
                )
            return 200, "application/json", [_error(f"Database {params['db']} not found").encode()]
        if accept == _MSGPACK:
            return 200, _MSGPACK, [POSITIONAL]
        return 200, "application/json", [INFLUXQL[params["q"]].encode()]

    def _sql(self, body: bytes) -> tuple[int, str | None, list[bytes]]:
        sent = json.loads(body)
        if sent["db"] != DATABASE:  # 4.3
            return 404, "application/json", [b'{"error":"query error: database not found: %b"}' % sent["db"].encode()]
        assert sent["format"] == "jsonl"
        assert all(isinstance(value, str | bool | float | int | None) for value in sent.get("params", {}).values())
        return self.server_state.sql[sent["q"]]


_MSGPACK = "application/x-msgpack"
#: A chunk after which the server closes the connection without the last chunk (4.3: an error after streaming began).
ABORT = b"abort"


def _bad_request(message: str) -> tuple[int, str, list[bytes]]:
    return 400, "application/json", [json.dumps({"error": message}).encode()]  # 4.3
