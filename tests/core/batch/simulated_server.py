"""Simulated server, and simulated files, for an async batch writer in a simulated event loop."""

from __future__ import annotations

import errno
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from urllib.parse import parse_qsl, urlsplit

from influx_proto import TransportError
from influx_proto._http.messages import Headers, Request, Response

from tests.core.batch.event_loop import Loop, Stopped

_NANOSECONDS = {"ns": 1, "u": 10**3, "ms": 10**6, "s": 10**9}

#: A point: database, retention policy, series and time.
Point = tuple[str, str, str, int]


@dataclass
class Outage:
    """A period during which the server, or a proxy before it, fails."""

    begin: float
    end: float
    kind: str
    message: str


@dataclass
class Server:
    """A server that stores points, with the behavior of one of the products.

    Lines are `good,k=K v=Ni TIME`. The measurement decides how the server handles a line: it rejects `unparsable` and
    `conflict`, and fails on `crash`. A line longer than the limit of the body is too large.
    """

    loop: Loop
    product: str
    max_body: int
    outages: list[Outage] = field(default_factory=list)
    stored: dict[Point, int] = field(default_factory=dict)
    #: The values of all lines that were ever stored.
    ever_stored: set[int] = field(default_factory=set)
    requests: int = 0

    def now(self) -> float:
        return self.loop.time

    def time_ns(self) -> int:
        return int(self.loop.time * 1e9)

    async def sleep(self, seconds: float) -> None:
        await self.loop.sleep(seconds)

    async def aclose(self) -> None: ...

    @asynccontextmanager
    async def open(self, request: Request) -> AsyncIterator[Response[AsyncIterator[bytes]]]:
        await self.loop.sleep(self.loop.random.choice([0.0, 0.01, 0.2]))
        self.requests += 1
        assert isinstance(request.body, bytes)
        params = dict(parse_qsl(urlsplit(request.target).query))
        status, body, headers = self.handle(params, request.body)
        await self.loop.sleep(self.loop.random.choice([0.0, 0.01, 0.2]))
        if status == 0:
            raise TransportError(body, maybe_received=True)

        async def chunks() -> AsyncIterator[bytes]:
            yield body.encode()

        yield Response(status, Headers({"Content-Type": "application/json", **headers}), chunks())

    def handle(self, params: dict[str, str], body: bytes) -> tuple[int, str, dict[str, str]]:
        outage = next((each for each in self.outages if each.begin <= self.loop.time < each.end), None)
        kind, message = (outage.kind, outage.message) if outage else ("", "")
        if kind == "unreachable":
            return 0, message, {}
        if kind.isdigit():
            return int(kind), json.dumps({"error": message}), {"Retry-After": "1"} if kind == "429" else {}
        if kind == "page":
            return 200, "<html>welcome</html>", {"Content-Type": "text/html"}
        if kind == "missing database" and params["db"] == "db1":
            return 404, json.dumps({"error": 'database not found: "db1"'}), {}
        if len(body) > self.max_body:
            return 413, json.dumps({"error": "Request Entity Too Large"}), {}
        status, text = self.write(params, body.decode().split("\n"))
        if kind == "lost":
            return 0, message, {}
        return status, text, {}

    def write(self, params: dict[str, str], lines: list[str]) -> tuple[int, str]:
        kinds = [line.partition(",")[0] for line in lines]
        if "crash" in kinds:
            if self.product == "v1":  # the points before are stored
                self._store(params, lines[: kinds.index("crash")])
            return 500, ""
        good = [line for line, kind in zip(lines, kinds, strict=True) if kind == "good"]
        unparsable = [line for line, kind in zip(lines, kinds, strict=True) if kind == "unparsable"]
        conflicts = kinds.count("conflict")
        if len(good) == len(lines):
            self._store(params, good)
            return 204, ""
        quoted = "\n".join(f"unable to parse '{line}': bad number" for line in unparsable)
        conflict = (
            'partial write: field type conflict: input field "v" on measurement "conflict" is type integer, '
            f"already exists as type float dropped={conflicts}"
        )
        match self.product:
            case "v1":
                self._store(params, good)
                return 400, json.dumps({"error": conflict if conflicts else f"partial write: {quoted} dropped=0"})
            case "v2":
                if unparsable:
                    return 400, json.dumps({"code": "invalid", "message": quoted})
                self._store(params, good)
                message = f"failure writing points to database: {conflict}"
                return 422, json.dumps({"code": "unprocessable entity", "message": message})
            case "v3":
                self._store(params, good)
                data = [
                    {"original_line": line[:20], "line_number": number, "error_message": "bad"}
                    for number, (line, kind) in enumerate(zip(lines, kinds, strict=True), 1)
                    if kind != "good"
                ]
                return 400, json.dumps({"error": "partial write of line protocol occurred", "data": data})
            case _:
                return 400, json.dumps({"error": "invalid"})

    def _store(self, params: dict[str, str], lines: Iterable[str]) -> None:
        for line in lines:
            if line.startswith("good"):
                series, fields, time = line.split(" ")
                value = int(fields[2:].partition("i")[0])
                point = params["db"], params.get("rp", ""), series, int(time) * _NANOSECONDS[params["precision"]]
                self.stored[point] = value
                self.ever_stored.add(value)


class Files:
    """`SpoolFiles` in memory. Operations fail at random, also halfway, or end the process.

    Args:
        random: decides which operations fail.
        files: the contents, which outlive a process.
    """

    def __init__(self, random: Random, files: dict[str, bytes]) -> None:
        self._random = random
        self.files = files
        #: Probabilities that an append fails, and that the process ends in an operation.
        self.failing = 0.0
        self.ending = 0.0

    def lock(self) -> None: ...

    def unlock(self) -> None: ...

    def names(self) -> list[str]:
        return list(self.files)

    def sizes(self, names: Iterable[str]) -> dict[str, int]:
        self._maybe_fail()
        return {name: len(self.files[name]) for name in names if name in self.files}

    def read(self, name: str) -> bytes:
        return self.files[name]

    def append(self, name: str, data: bytes, *, sync: bool) -> None:
        before = self.files.get(name, b"")
        self._maybe_fail(self.failing)
        size = self._random.choice([0, len(data), self._random.randrange(len(data))])
        self.files[name] = before + data[:size]
        self._maybe_fail(self.failing)
        self.files[name] = before + data

    def truncate(self, name: str, size: int) -> None:
        self._maybe_fail()
        self.files[name] = self.files[name][:size]

    def rename(self, name: str, to: str) -> None:
        self._maybe_fail()
        self.files[to] = self.files.pop(name)

    def delete(self, name: str) -> None:
        self._maybe_fail()
        if name not in self.files:
            raise FileNotFoundError(name)
        del self.files[name]

    def _maybe_fail(self, probability: float = 0.0) -> None:
        if self._random.random() < probability:
            raise OSError(errno.ENOSPC, "No space left on device")
        if self._random.random() < self.ending:
            raise Stopped
