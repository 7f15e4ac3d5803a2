"""Deletion of points from a bucket: the requests for InfluxDB 1.x and 2.x."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from influx_proto import DatabaseNotFound, Request, ResponseError, admin
from influx_proto._http.messages import Repeat
from influx_proto.admin import Not

from tests.core.admin.exchanges import TEXT, Response, execute, targets

V1 = Response(200, b"", {"Content-Type": "application/json"})
V2 = Response(204, b"", {})
EVERYTHING = re.compile("")
MIN = "1677-09-21T00:12:43.145224195Z"
MAX = "2262-04-11T23:47:16.854775806Z"
#: A name: unquoted and in double quotes.
NAME = "a\"b'c\\d\ne"
ID = '"a\\"b\'c\\\\d\\ne"'


def document(request: Request) -> Any:
    assert isinstance(request.body, bytes)
    return json.loads(request.body)


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({"measurement": "m"}, (MIN, MAX, '"_measurement"="m"')),
        ({"measurement": EVERYTHING}, (MIN, MAX, "")),
        ({"measurement": NAME, "tags": {NAME: NAME, "b": "5s"}},
         (MIN, MAX, f'"_measurement"={ID} AND {ID}={ID} AND "b"="5s"')),
        ({"start": "2020-01-01", "end": 1}, ("2020-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "")),
        ({"end": "2020-01-01", "tags": {"t": "x"}}, (MIN, "2019-12-31T23:59:59.999999999Z", '"t"="x"')),
    ],
)  # fmt: skip
def test_request(conditions: dict[str, Any], expected: tuple[str, str, str]) -> None:
    found, requests = execute(admin.delete(**conditions), V2, bucket="b", org="o")
    assert found is None
    assert targets(requests) == ["POST /api/v2/delete?bucket=b&org=o"]
    assert tuple(document(requests[0])[name] for name in ("start", "stop", "predicate")) == expected
    assert dict(requests[0].headers) == {"Content-Type": "application/json"}
    assert requests[0].repeat is Repeat.NEVER


def test_end_is_excluded_on_influxdb_1() -> None:
    """InfluxDB 2 includes the time `stop`, InfluxDB 1.x does not, which then receives a second request."""
    _, requests = execute(admin.delete("m", start=5, end=9), V1, V1, bucket="b")
    ranges = [(document(request)["start"][-4:], document(request)["stop"][-4:]) for request in requests]
    assert ranges == [("005Z", "008Z"), ("008Z", "009Z")]
    _, requests = execute(admin.delete("m", start=5), V1, bucket="b")
    assert len(requests) == 1


@pytest.mark.parametrize(
    ("arguments", "settings", "target"),
    [
        ({"bucket": "c/d"}, {"bucket": "b", "org": "o"}, "/api/v2/delete?bucket=c%2Fd&org=o"),
        ({"bucket": "c", "org": "p"}, {"bucket": "b", "org": "o"}, "/api/v2/delete?bucket=c&org=p"),
        ({"org": "p"}, {"bucket": "b", "org": "o"}, "/api/v2/delete?bucket=b&org=p"),
        ({"bucket": "c"}, {"database": "d"}, "/api/v2/delete?bucket=c"),
        ({}, {"bucket": "b", "database": "d"}, "/api/v2/delete?bucket=b"),
    ],
)
def test_bucket_of_the_call_and_of_the_client(arguments: dict[str, Any], settings: dict[str, Any], target: str) -> None:
    _, requests = execute(admin.delete("m", **arguments), V2, **settings)
    assert targets(requests) == [f"POST {target}"]


@pytest.mark.parametrize(
    ("arguments", "settings"),
    [({"db": "d"}, {"bucket": "b", "org": "o"}), ({}, {"database": "d"})],
)
def test_database_of_the_call_and_of_the_client(arguments: dict[str, Any], settings: dict[str, Any]) -> None:
    response = Response(200, b'{"results":[{"statement_id":0}]}')
    operation = admin.delete(re.compile("m"), tags={"t": Not("x")}, **arguments)
    found, [request] = execute(operation, response, **settings)
    assert found is None
    assert request.target.startswith("/query")
    sent = request.target.encode() + (request.body if isinstance(request.body, bytes) else b"")
    assert b"DELETE%20FROM%20%2Fm%2F" in sent
    assert b"db=d" in sent


def test_request_of_the_op() -> None:
    assert admin.delete("m").request.target.startswith("/query")
    op = admin.delete("m", bucket="b", org="o", timeout=5)
    assert op.request.target == "/api/v2/delete?bucket=b&org=o"
    assert op.read(204, {}, b"") is None
    _, [request] = execute(op, V2)
    assert request.timeout.idle == 5


@pytest.mark.parametrize(
    ("conditions", "match"),
    [
        (
            {"measurement": re.compile("m")},
            "measurement: a bucket supports only equality with a str; pass db to delete",
        ),
        (
            {"measurement": re.compile("", re.IGNORECASE), "tags": {"a": Not("b")}},
            "tags: 'a': a bucket supports only eq",
        ),
        ({"tags": {"a": re.compile("b")}}, "tags: 'a': a bucket supports only equality"),
        # InfluxDB 2.7.12 deletes nothing for an empty value and responds with 204.
        ({"tags": {"a": ""}}, "tags: 'a': a bucket cannot be searched for points without the tag; pass db"),
        ({"tags": {"_measurement": "b"}}, "tags: '_measurement' means the measurement in a bucket; pass db"),
        ({"tags": {"_field": "b"}}, "tags: '_field' means the field in a bucket"),
    ],
)
def test_conditions_that_a_bucket_does_not_support(conditions: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=f"^{match}"):
        admin.delete(**conditions, bucket="b")
    error, requests = execute(admin.delete(**conditions), bucket="b")
    assert isinstance(error, ValueError)
    assert re.match(match, str(error))
    assert requests == []


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"db": "d", "bucket": "b"}, ValueError, "^bucket: conflicts with db"),
        ({"db": "d", "org": "o"}, ValueError, "^org: conflicts with db"),
        ({"bucket": 5}, TypeError, "^bucket: "),
        ({"bucket": "b", "org": 5}, TypeError, "^org: "),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        admin.delete("m", **arguments)


@pytest.mark.parametrize(
    ("response", "error_class", "match"),
    [
        (Response(404, b'{"code":"not found","message":"bucket \\"b\\" not found"}'), DatabaseNotFound, "^bucket"),
        (Response(404, b'{"error":"delete - database not found: \\"b\\""}'), DatabaseNotFound, "database not found"),
        (Response(400, b'{"error":"delete - predicate only supports equality operators and conjunctions. "}'),
         ResponseError, "predicate only supports"),
        (Response(404, b"404 page not found\n", TEXT), ResponseError, "^the server has no /api/v2/delete; Inf"),
        (Response(404, b"Not found", {}), ResponseError, "InfluxDB 3 Core cannot delete points"),
    ],
    ids=["2.x", "1.x", "1.x predicate", "1.8", "3"],
)  # fmt: skip
def test_errors(response: Response, error_class: type[Exception], match: str) -> None:
    error, _ = execute(admin.delete("m"), response, bucket="b")
    assert type(error) is error_class
    assert re.search(match, str(error))
