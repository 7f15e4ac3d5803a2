"""Buckets: the requests for InfluxDB 1.x and 2.x, and the results read from their responses."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from influx_proto import DatabaseNotFound, OpSequence, ProtocolError, Request, ResponseError, admin
from influx_proto._http.messages import Repeat
from influx_proto.admin import Bucket

from tests.core.admin.exchanges import TEXT, Response, execute, targets

HOUR = timedelta(hours=1)
ORG_ID = "0a1b2c3d4e5f6071"
ID = "9f8e7d6c5b4a3021"

# Recorded from InfluxDB 1.13.2.

V1_BUCKET = {
    "description": "", "name": "db1/rp1",
    "retentionRules": [{"type": "", "everySeconds": 7200, "shardGroupDurationSeconds": 3600}],
    "orgId": "", "schemaType": "implicit", "id": "db1/rp1", "type": "", "rp": "rp1",
    "createdAt": "0001-01-01T00:00:00Z", "updatedAt": "0001-01-01T00:00:00Z",
}  # fmt: skip
V1_NO_ORGS = Response(404, b"404 page not found\n", TEXT)
#: A body of two documents.
V1_NO_BUCKET = Response(
    404,
    b'{"error":"bucket not found: \\"no/no\\""}\n{"buckets":[]}',
    {"Content-Type": "application/json", "X-Influxdb-Error": 'bucket not found: "no/no"'},
)


def v2_bucket(name: str = "b", every: int = 0, shards: int = 604800, bucket_id: str = ID) -> dict[str, Any]:
    return {
        "id": bucket_id, "orgID": ORG_ID, "type": "user", "name": name, "description": "d",
        "retentionRules": [{"type": "expire", "everySeconds": every, "shardGroupDurationSeconds": shards}],
        "createdAt": "2026-11-30T12:00:00.123456789Z", "updatedAt": "2026-11-30T13:00:00Z",
        "links": {"self": f"/api/v2/buckets/{bucket_id}"}, "labels": [],
    }  # fmt: skip


def page(*buckets: dict[str, Any]) -> Response:
    return Response(200, json.dumps({"links": {"self": "/api/v2/buckets"}, "buckets": buckets}).encode())


def one(bucket: dict[str, Any], status: int = 200) -> Response:
    return Response(status, json.dumps(bucket).encode())


def orgs(*names: str) -> Response:
    return Response(200, json.dumps({"orgs": [{"id": ORG_ID, "name": name} for name in names]}).encode())


def document(request: Request) -> Any:
    assert isinstance(request.body, bytes)
    assert dict(request.headers) == {"Content-Type": "application/json"}
    assert request.repeat is Repeat.NEVER
    return json.loads(request.body)


BUCKET = Bucket(
    id=ID, name="b", retention=None, shard_duration=timedelta(weeks=1), org_id=ORG_ID, description="d",
    created_at=datetime(2026, 11, 30, 12, 0, 0, 123456, UTC), updated_at=datetime(2026, 11, 30, 13, tzinfo=UTC),
)  # fmt: skip


# list_buckets


def test_list_on_influxdb_1() -> None:
    found, requests = execute(admin.list_buckets(), page(V1_BUCKET))
    assert found == [Bucket(id="db1/rp1", name="db1/rp1", retention=2 * HOUR, shard_duration=HOUR)]
    assert targets(requests) == ["GET /api/v2/buckets?limit=100"]
    assert requests[0].repeat is Repeat.ALWAYS


def test_list_on_influxdb_2() -> None:
    found, requests = execute(admin.list_buckets(), page(v2_bucket()), org="my org")
    assert found == [BUCKET]
    assert targets(requests) == ["GET /api/v2/buckets?org=my%20org&limit=100"]


def test_system_bucket() -> None:
    found, _ = execute(admin.list_buckets(), page(v2_bucket("_tasks") | {"type": "system"}))
    assert found[0].is_system


def test_list_has_all_pages() -> None:
    names = [f"b{n:03}" for n in range(220)]
    buckets = [v2_bucket(name, bucket_id=f"{n:016x}") for n, name in enumerate(names)]
    pages = page(*buckets[:100]), page(*buckets[100:200]), page(*buckets[200:])
    found, requests = execute(admin.list_buckets(org=ORG_ID), *pages)
    assert [bucket.name for bucket in found] == names
    assert targets(requests) == [
        f"GET /api/v2/buckets?orgID={ORG_ID}&limit=100{after}"
        for after in ("", f"&after={99:016x}", f"&after={199:016x}")
    ]


def test_last_page_is_full() -> None:
    buckets = [v2_bucket(bucket_id=f"{n:016x}") for n in range(100)]
    found, _ = execute(admin.list_buckets(), page(*buckets), page())
    assert len(found) == 100


def test_server_that_ignores_after() -> None:
    full = page(*[v2_bucket(bucket_id=f"{n:016x}") for n in range(100)])
    error, _ = execute(admin.list_buckets(), full, full)
    assert isinstance(error, ProtocolError)
    assert "the server ignores the parameter `after`" in str(error)


# create_bucket


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ({}, {"everySeconds": 0}),
        ({"retention": "INF"}, {"everySeconds": 0}),
        ({"retention": "30d", "shard_duration": HOUR}, {"everySeconds": 2592000, "shardGroupDurationSeconds": 3600}),
        ({"retention": 7200, "shard_duration": "1d"}, {"everySeconds": 7200, "shardGroupDurationSeconds": 86400}),
    ],
)
def test_create(settings: dict[str, Any], rule: dict[str, Any]) -> None:
    found, requests = execute(admin.create_bucket("b", **settings), orgs("o"), one(v2_bucket(), 201), org="o")
    assert found == BUCKET
    assert targets(requests) == ["GET /api/v2/orgs?org=o", "POST /api/v2/buckets"]
    assert document(requests[1]) == {"name": "b", "orgID": ORG_ID, "retentionRules": [{"type": "expire", **rule}]}


def test_create_with_description_and_the_id_of_an_organization() -> None:
    _, requests = execute(admin.create_bucket("ü", description="d", org=ORG_ID), one(v2_bucket(), 201))
    assert targets(requests) == ["POST /api/v2/buckets"]
    assert document(requests[0])["orgID"] == ORG_ID
    assert document(requests[0])["description"] == "d"
    assert "ü".encode() in requests[0].body


def test_create_on_influxdb_1() -> None:
    found, requests = execute(admin.create_bucket("db1/rp1", retention="2h"), V1_NO_ORGS, one(V1_BUCKET, 201), org="o")
    assert found.retention == 2 * HOUR
    assert "orgID" not in document(requests[1])


def test_only_organization_is_the_default() -> None:
    _, requests = execute(admin.create_bucket("b"), orgs("o"), one(v2_bucket(), 201))
    assert targets(requests)[0] == "GET /api/v2/orgs"
    assert document(requests[1])["orgID"] == ORG_ID


def test_organization_is_ambiguous() -> None:
    error, _ = execute(admin.create_bucket("b"), orgs("one", "two"))
    assert isinstance(error, ValueError)
    assert str(error).startswith("org: the token can access 2 organizations ('one', 'two'); pass org")


def test_unknown_organization() -> None:
    body = b'{"code":"not found","message":"organization name \\"x\\" not found"}'
    error, _ = execute(admin.create_bucket("b", org="x"), Response(404, body))
    assert isinstance(error, ResponseError)
    assert error.message == 'organization name "x" not found'


def test_existing_bucket() -> None:
    body = b'{"code":"conflict","message":"bucket with name b already exists"}'
    error, _ = execute(admin.create_bucket("b"), orgs("o"), Response(422, body))
    assert isinstance(error, ResponseError)
    assert (error.message, error.code) == ("bucket with name b already exists", "conflict")


def test_retention_that_is_too_short() -> None:
    """InfluxDB 2.7.12 responds with 500; a retry would fail in the same way."""
    body = b'{"code":"internal error","message":"retention policy duration must be at least 1h0m0s"}'
    error, _ = execute(admin.create_bucket("b", retention="1m"), orgs("o"), Response(500, body))
    assert type(error) is ResponseError


# update_bucket


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ({"retention": "8d"}, {"everySeconds": 691200, "shardGroupDurationSeconds": 604800}),
        ({"retention": "1d"}, {"everySeconds": 86400, "shardGroupDurationSeconds": 0}),  # the server's default
        ({"retention": "INF"}, {"everySeconds": 0, "shardGroupDurationSeconds": 604800}),
        ({"shard_duration": "1d"}, {"everySeconds": 864000, "shardGroupDurationSeconds": 86400}),
        ({"retention": "9d", "shard_duration": "1d"}, {"everySeconds": 777600, "shardGroupDurationSeconds": 86400}),
    ],
)
def test_update(settings: dict[str, Any], rule: dict[str, Any]) -> None:
    bucket = v2_bucket(every=864000)
    _, requests = execute(admin.update_bucket("b", org="o", **settings), page(bucket), one(bucket))
    assert targets(requests) == ["GET /api/v2/buckets?name=b&org=o", f"PATCH /api/v2/buckets/{ID}"]
    assert document(requests[1]) == {"retentionRules": [{"type": "expire", **rule}]}


def test_update_of_a_bucket_without_shard_groups() -> None:
    """InfluxDB Cloud Serverless reports no shard groups."""
    bucket = v2_bucket() | {"retentionRules": [{"type": "expire", "everySeconds": 86400}]}
    found, requests = execute(admin.update_bucket("b", description="d"), page(bucket), one(bucket))
    assert document(requests[1]) == {"retentionRules": [{"type": "expire", "everySeconds": 86400}], "description": "d"}
    assert (found.retention, found.shard_duration) == (24 * HOUR, None)


def test_update_on_influxdb_1() -> None:
    _, requests = execute(admin.update_bucket("db1/rp1", retention="4h"), page(V1_BUCKET), one(V1_BUCKET))
    assert targets(requests) == ["GET /api/v2/buckets?name=db1%2Frp1", "PATCH /api/v2/buckets/db1%2Frp1"]
    # InfluxDB 1.13 resets the shard group duration if the request omits it.
    [rule] = document(requests[1])["retentionRules"]
    assert rule == {"type": "expire", "everySeconds": 14400, "shardGroupDurationSeconds": 3600}


# drop_bucket


def test_drop() -> None:
    for status in (204, 200):  # InfluxDB 2, and InfluxDB 1.x with an empty body
        found, requests = execute(admin.drop_bucket("b"), page(v2_bucket()), Response(status), org="o")
        assert found is None
        assert targets(requests) == ["GET /api/v2/buckets?name=b&org=o", f"DELETE /api/v2/buckets/{ID}"]


@pytest.mark.parametrize(
    "response",
    [
        page(),
        V1_NO_BUCKET,
        Response(404, b'{"code":"not found","message":"bucket \\"no/no\\" not found"}'),
        Response(404, b'{"code":"not found","message":"bucket not found"}'),
    ],
    ids=["2.x without org", "1.x", "2.x", "2.x without name"],
)
@pytest.mark.parametrize("operation", [admin.drop_bucket("no/no"), admin.update_bucket("no/no", retention="1d")])
def test_missing_bucket(response: Response, operation: OpSequence[Any]) -> None:
    error, _ = execute(operation, response)
    assert type(error) is DatabaseNotFound
    assert "not found" in error.message
    assert error.status == 404


def test_bucket_of_several_organizations() -> None:
    error, _ = execute(admin.drop_bucket("b"), page(v2_bucket(), v2_bucket(bucket_id="0" * 16)))
    assert isinstance(error, ValueError)
    assert str(error) == "org: 2 organizations have a bucket 'b'; pass the organization"


# All


@pytest.mark.parametrize(
    ("operation", "count"),
    [
        (admin.list_buckets(), 1),
        (admin.create_bucket("b"), 2),
        (admin.update_bucket("b", retention="1d"), 1),
        (admin.drop_bucket("b"), 1),
    ],
    ids=["list", "create", "update", "drop"],
)
@pytest.mark.parametrize(
    "response",
    [
        Response(404, b"404 page not found\n", TEXT),
        Response(404, b"Not found", {}),
        Response(405, b"", {}),
        Response(400, b"unsupported path requested: /api/v2/buckets", TEXT),
    ],
    ids=["1.8", "3", "method not allowed", "VictoriaMetrics"],
)
def test_servers_without_buckets(operation: OpSequence[Any], count: int, response: Response) -> None:
    error, _ = execute(operation, *[response] * count)
    assert type(error) is ResponseError
    assert error.status == response.status
    assert error.message.startswith("the server has no /api/v2/buckets; InfluxDB 1.10 or later, InfluxDB 2 and ")
    assert "call create_database, " in error.message
    assert "create_database_v3" in error.message


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"{}", b'{"buckets":5}', b'{"buckets":[5]}', b'{"buckets":[{}]}', b"not JSON", b'{"buckets":[',
        b'{"buckets":[{"id":"1","name":"b","retentionRules":[5]}]}',
        b'{"buckets":[{"id":"1","name":"b","retentionRules":[{"everySeconds":"x"}]}]}',
        b'{"buckets":[{"id":"1","name":"b","retentionRules":[{"everySeconds":999999999999999999}]}]}',
        b'{"buckets":[{"id":"1","name":"b","createdAt":"yesterday"}]}', b"[" * 100_000,
    ],
)  # fmt: skip
def test_malformed_responses(body: bytes) -> None:
    error, _ = execute(admin.list_buckets(), Response(200, body))
    assert isinstance(error, ProtocolError)


def test_web_page() -> None:
    error, _ = execute(admin.list_buckets(), Response(200, b"<html>", {"Content-Type": "text/html"}))
    assert isinstance(error, ProtocolError)
    assert "check the URL" in str(error)


@pytest.mark.parametrize(
    ("build", "error", "match"),
    [
        (lambda: admin.create_bucket("b", retention=1.5), TypeError, "^retention: "),  # type: ignore[arg-type]  # on purpose
        (
            lambda: admin.create_bucket("b", retention="1500ms"),
            ValueError,
            "^retention: must be a positive number of wh",
        ),
        (lambda: admin.create_bucket("b", retention=0), ValueError, "^retention: must be a positive number"),
        (lambda: admin.create_bucket("b", retention=-1), ValueError, "^retention: "),
        (lambda: admin.create_bucket("b", shard_duration="inf"), ValueError, "^shard_duration: must be finite"),
        (lambda: admin.create_bucket(5), TypeError, "^name: "),  # type: ignore[arg-type]  # on purpose
        (lambda: admin.create_bucket("b", org=5), TypeError, "^org: "),  # type: ignore[arg-type]  # on purpose
        (lambda: admin.create_bucket("b", description=5), TypeError, "^description: "),  # type: ignore[arg-type]  # on purpose
        (lambda: admin.list_buckets(org=b"o"), TypeError, "^org: "),  # type: ignore[arg-type]  # on purpose
        (lambda: admin.update_bucket("b"), ValueError, "^update_bucket: no changes; pass retention"),
        (lambda: admin.update_bucket("b", shard_duration="x"), ValueError, "^shard_duration: "),
        (lambda: admin.drop_bucket(None), TypeError, "^name: "),  # type: ignore[arg-type]  # on purpose
    ],
)
def test_wrong_arguments(build: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        build()


def test_timeout_of_each_request() -> None:
    _, requests = execute(admin.create_bucket("b", timeout=5), orgs("o"), one(v2_bucket(), 201))
    assert [request.timeout.idle for request in requests] == [5, 5]
