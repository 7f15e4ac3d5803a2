"""Operations of several exchanges, without a socket: responses in, requests and result out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from influx_proto import Headers, InfluxDBError, Request, RetryPolicy
from influx_proto._runtime.op import Operation
from influx_proto._runtime.settings import Settings

JSON = {"Content-Type": "application/json; charset=utf-8"}
TEXT = {"Content-Type": "text/plain; charset=utf-8"}


@dataclass(frozen=True)
class Response:
    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=lambda: JSON)


class Clock:
    """Clock that stands still."""

    def now(self) -> float:
        return 0.0

    def time_ns(self) -> int:
        return 0


def execute(operation: Operation[Any], *responses: Response, **settings: Any) -> tuple[Any, list[Request]]:
    """Return the result of an operation, or its error, and the requests for which the server sends these responses."""
    flow = operation.flow(Settings(retry=RetryPolicy(attempts=1), **settings), Clock())
    requests: list[Request] = []
    remaining = list(responses)
    reply: Any = None
    error: InfluxDBError | None = None
    try:
        while True:
            try:
                attempt = flow.send(reply) if error is None else flow.throw(error)
            except StopIteration as stop:
                return stop.value, requests
            requests.append(attempt.request)
            response = remaining.pop(0)
            reply = error = None
            receiver = attempt.receiver(response.status, Headers(response.headers))
            try:
                receiver.feed(response.body)
                reply = receiver.close()
            except InfluxDBError as raised:
                error = raised
    except (InfluxDBError, ValueError) as raised:
        return raised, requests
    finally:
        assert not remaining, f"the operation did not request {remaining}"


def targets(requests: list[Request]) -> list[str]:
    """Return the methods and targets of requests."""
    return [f"{request.method} {request.target}" for request in requests]
