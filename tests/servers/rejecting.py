"""Responses of servers to writes with bad lines: models of one request, from the servers' sources and documents.

The responses are not recorded: each follows the source file or the document that `RESPONSES` names. The real servers
1.13.2, 2.7.12 and VictoriaMetrics 1.150 respond in the same way.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from tests.servers.scripted import Connection, respond

#: Status, content type and body of a response, and the stored lines.
Answer: TypeAlias = tuple[int, str, bytes, list[bytes]]

REASON = "missing field value"


def is_bad(line: bytes) -> bool:
    """Return whether the servers reject a line."""
    return line.startswith(b"bad")


def _json(value: object) -> tuple[str, bytes]:
    return "application/json", json.dumps(value).encode()


def _split(lines: Sequence[bytes]) -> tuple[list[bytes], list[int]]:
    """Return the good lines and the numbers of the bad ones."""
    return [line for line in lines if not is_bad(line)], [n for n, line in enumerate(lines, 1) if is_bad(line)]


def _item(lines: Sequence[bytes], number: int) -> dict[str, object]:
    line = lines[number - 1][:20].decode(errors="replace")
    return {"error_message": REASON, "line_number": number, "original_line": line}


def influxdb_1(lines: Sequence[bytes]) -> Answer:
    good, bad = _split(lines)
    texts = "\n".join(f"unable to parse '{lines[n - 1].decode()}': {REASON}" for n in bad)
    return 400, *_json({"error": f"partial write: {texts} dropped=0" if good else texts}), good


def influxdb_1_12(lines: Sequence[bytes]) -> Answer:
    status, kind, body, good = influxdb_1(lines)
    return status, kind, body.replace(b"dropped=0", b"dropped=0 for database: db"), good


def influxdb_2(lines: Sequence[bytes]) -> Answer:
    texts = "\n".join(f"unable to parse '{lines[n - 1].decode()}': {REASON}" for n in _split(lines)[1])
    return 400, *_json({"code": "invalid", "message": texts}), []


def influxdb_2_conflict(lines: Sequence[bytes]) -> Answer:
    good, bad = _split(lines)
    text = 'partial write: field type conflict: input field "v" on measurement "m" is type string, already exists as'
    message = f"failure writing points to database: {text} type float dropped={len(bad)}"
    return 422, *_json({"code": "unprocessable entity", "message": message}), good


def influxdb_3(lines: Sequence[bytes]) -> Answer:
    item = _item(lines, _split(lines)[1][0])
    return 400, *_json({"error": "parsing failed for write_lp endpoint", "data": item}), []


def influxdb_3_api_v2(lines: Sequence[bytes]) -> Answer:
    message = f"write buffer error: line protocol parse failed: {REASON}"
    return 400, *_json({"code": "invalid", "message": message}), []


def influxdb_3_partial(lines: Sequence[bytes]) -> Answer:
    good, bad = _split(lines)
    data = [_item(lines, n) for n in bad]
    return 400, *_json({"error": "partial write of line protocol occurred", "data": data}), good


def _cluster(lines: Sequence[bytes]) -> dict[str, object]:
    bad = _split(lines)[1]
    texts = "".join(f"\nerror parsing line {n} (1-based): {REASON}" for n in bad[:100])
    message = f"failed to parse line protocol: errors encountered on line(s):{texts}"
    return {"code": "invalid", "line": bad[0], "message": message}


def dedicated(lines: Sequence[bytes]) -> Answer:
    return 400, *_json(_cluster(lines)), []


def dedicated_partial(lines: Sequence[bytes]) -> Answer:
    return 201, *_json(_cluster(lines)), _split(lines)[0]


def questdb(lines: Sequence[bytes]) -> Answer:
    first = _split(lines)[1][0]
    message = f"failed to parse line protocol:errors encountered on line(s):\nerror in line {first}: {REASON}"
    return 400, *_json({"code": "invalid", "message": message, "line": first, "errorId": "a-1"}), []


def greptimedb(lines: Sequence[bytes]) -> Answer:
    del lines
    return 400, *_json({"error": "Failed to parse InfluxDB line protocol"}), []


def victoriametrics(lines: Sequence[bytes]) -> Answer:
    first = _split(lines)[1][0]
    rest = b"\n".join(lines[first - 1 :]).decode()
    quoted = rest.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    text = f'cannot process influx line protocol data: incorrect influx line "{quoted}": {REASON}; see the docs'
    return 400, "text/plain; charset=utf-8", text.encode(), []


def wrong_number(lines: Sequence[bytes]) -> Answer:
    """A server that counts lines in another way."""
    first = _split(lines)[1][0] % len(lines) + 1
    return 400, *_json({"code": "invalid", "message": "no", "line": first}), []


def wrong_line(lines: Sequence[bytes]) -> Answer:
    """A server that names and quotes a good line."""
    number = _split(lines)[1][0] % len(lines) + 1
    return 400, *_json({"error": "line protocol parsing error", "data": _item(lines, number)}), []


#: The responses by server, with their sources.
RESPONSES: dict[str, tuple[Callable[[Sequence[bytes]], Answer], str]] = {
    "1.x": (influxdb_1, "influxdb v1.8.10: services/httpd/handler.go, tsdb/store.go"),
    "1.12": (influxdb_1_12, "influxdb v1.12.4: tsdb/shard.go PartialWriteError.Error"),
    "2.x": (influxdb_2, "influxdb v2.7.12: http/points/points_parser.go"),
    "2.x conflict": (influxdb_2_conflict, "influxdb v2.7.12: http/write_handler.go"),
    "3.x /write": (influxdb_3, "influxdb v3.9.1: influxdb3_server/src/http.rs"),
    "3.x /api/v2/write": (influxdb_3_api_v2, "influxdb v3.9.1: influxdb3_server/src/http.rs V2WriteApiError"),
    "3.x write_lp": (influxdb_3_partial, "influxdb v3.9.1: influxdb3_server/src/http.rs, accept_partial=true"),
    "Dedicated 400": (dedicated, "docs of InfluxDB Cloud Dedicated: troubleshoot issues writing data"),
    "Dedicated 201": (dedicated_partial, "OpenAPI file of InfluxDB Cloud Dedicated: POST /api/v2/write"),
    "QuestDB": (questdb, "questdb: cutlass/http/processors/LineHttpProcessorState.java formatError"),
    "GreptimeDB": (greptimedb, "greptimedb: src/servers/src/error.rs"),
    "VictoriaMetrics": (victoriametrics, "VictoriaMetrics 1.105+: lib/protoparser/influx"),
    "wrong number": (wrong_number, "none: a server that misreports the line"),
    "wrong line": (wrong_line, "none: a server that misreports the line"),
}


@dataclass
class RejectingServer:
    """A step of a scripted server: it serves all requests of a connection, and rejects bad lines like a server."""

    name: str
    stored: set[bytes] = field(default_factory=set)
    targets: list[str] = field(default_factory=list)

    def respond(self, body: bytes) -> tuple[int, str, bytes]:
        """Return the response to a write of lines without LFs in strings, and store lines."""
        lines = body.rstrip(b"\n").split(b"\n")
        if not any(map(is_bad, lines)):
            self.stored.update(lines)
            return 204, "", b""
        status, kind, text, stored = RESPONSES[self.name][0](lines)
        self.stored.update(stored)
        return status, kind, text

    def run(self, connection: Connection) -> None:
        while True:
            connection.receive(body=True)
            assert connection.request is not None
            self.targets.append(connection.request.target)
            status, kind, body = self.respond(connection.request.body)
            headers = {"Content-Type": kind} if kind else {}
            connection.socket.sendall(respond(status, headers, body))
