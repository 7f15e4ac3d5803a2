"""Schemes of the `Authorization` header, and the advice of errors about it."""

from __future__ import annotations

import pytest
from influx_proto import ResponseError
from influx_proto._http.auth import authorization, authorization_advice
from influx_proto._http.messages import Request

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VybmFtZSI6ImEifQ.c2ln"


@pytest.mark.parametrize(
    ("token", "header"),
    [
        ("abc==", "Token abc=="),
        ("user:password", "Token user:password"),  # 1.8 and later
        (JWT, f"Bearer {JWT}"),
        (f"Token {JWT}", f"Token {JWT}"),
        ("Bearer abc", "Bearer abc"),
        ("bearer  abc", "Bearer abc"),  # 1.x and 3.x compare the case, and require one space
        ("TOKEN user:pass", "Token user:pass"),
        ("Basic dTp0", "Basic dTp0"),
        ("user:pass word", "Token user:pass word"),
        ("token", "Token token"),
    ],
)
def test_scheme_of_a_token(token: str, header: str) -> None:
    assert authorization(None, None, token) == header


@pytest.mark.parametrize(
    ("status", "message", "scheme", "target", "version", "advice"),
    [
        (400, "Authorization header was malformed", "Token a b", "/query", "", "InfluxDB 3 requires `Bearer <token>`"),
        (401, "the request was not authenticated", None, "/ping", "", "the client sent no credentials"),
        (401, "unauthorized access", "Bearer a", "/write?db=d", "v2.7.12", "InfluxDB 2 rejects the scheme Bearer"),
        (401, "unauthorized access", "Bearer a", "/query", "", "InfluxDB 2 rejects the scheme Bearer"),
        (401, "unauthorized access", "Bearer a", "/api/v2/write", "v2.7.12", None),
        (401, "unauthorized access", "Basic a", "/api/v2/write", "v2.7.12", "InfluxDB 2 rejects a username"),
        (401, "unauthorized access", "Token a", "/query", "v2.7.12", None),
        (401, "authorization failed", "Bearer a", "/write", "1.8.10", None),
        (400, "no", None, "/write", "", None),
        (403, "no", None, "/write", "", None),
    ],
)
def test_advice(status: int, message: str, scheme: str | None, target: str, version: str, advice: str | None) -> None:
    headers = () if scheme is None else (("Authorization", scheme),)
    error = ResponseError(status, message, {"X-Influxdb-Version": version})
    found = authorization_advice(error, Request("GET", target, headers))
    assert found is None if advice is None else found is not None and found.startswith(advice)
