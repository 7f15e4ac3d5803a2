"""Administration over HTTP APIs: buckets, databases of InfluxDB 3, health, and deletion from a bucket.

The first part uses scripted servers, the second the server of the session.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from influx_proto import AuthenticationError, DatabaseNotFound, QueryError, ResponseError, ServerUnavailable
from influx_proto.admin import Bucket, Database, Health, Not

from tests.servers.influxd import Server
from tests.servers.scripted import Behavior, ScriptedServer, reply

JSON = {"Content-Type": "application/json; charset=utf-8"}
TEXT = {"Content-Type": "text/plain; charset=utf-8"}
V2 = {**JSON, "X-Influxdb-Version": "v2.7.12", "X-Influxdb-Build": "OSS"}

Connect = Callable[..., Any]


def json_reply(document: object, status: int = 200, headers: dict[str, str] = V2) -> Behavior:
    return reply(status, headers, json.dumps(document).encode())


# InfluxDB 2: recorded from 2.7.12.

ORG_ID, ID = "0a1b2c3d4e5f6071", "9f8e7d6c5b4a3021"
ORGS = {"links": {"self": "/api/v2/orgs"}, "orgs": [{"id": ORG_ID, "name": "o", "description": ""}]}
BUCKET_2: dict[str, Any] = {
    "id": ID, "orgID": ORG_ID, "type": "user", "name": "b",
    "retentionRules": [{"type": "expire", "everySeconds": 86400, "shardGroupDurationSeconds": 3600}],
    "createdAt": "2026-11-30T12:00:00.123456789Z", "updatedAt": "2026-11-30T12:00:00.123456789Z",
    "links": {"self": f"/api/v2/buckets/{ID}"}, "labels": [],
}  # fmt: skip
PAGE_2 = {"links": {"self": "/api/v2/buckets?limit=100"}, "buckets": [BUCKET_2]}

# InfluxDB 1.x: recorded from 1.13.2.

BUCKET_1: dict[str, Any] = {
    "description": "", "name": "db1/rp1",
    "retentionRules": [{"type": "", "everySeconds": 7200, "shardGroupDurationSeconds": 3600}],
    "orgId": "", "schemaType": "implicit", "id": "db1/rp1", "type": "", "rp": "rp1",
    "createdAt": "0001-01-01T00:00:00Z", "updatedAt": "0001-01-01T00:00:00Z",
}  # fmt: skip
NO_SUCH_PATH_1 = reply(404, TEXT, b"404 page not found\n")
DELETED_1 = reply(200, {"Content-Type": "application/json"})


def sent(server: ScriptedServer) -> list[str]:
    return [f"{request.method} {request.target}" for request in server.requests]


# Buckets


def test_buckets_of_influxdb_2(connect: Connect) -> None:
    script = [
        json_reply(ORGS),
        json_reply(BUCKET_2, 201),
        json_reply(PAGE_2),
        json_reply(PAGE_2),
        json_reply(BUCKET_2),
        json_reply(PAGE_2),
        reply(204, V2),
    ]
    with ScriptedServer(script) as server:
        client = connect(server.url, org="o", token="t")
        bucket = client.create_bucket("b", retention="1d")
        assert isinstance(bucket, Bucket)
        assert (bucket.retention, bucket.shard_duration) == (timedelta(days=1), timedelta(hours=1))
        assert client.list_buckets() == [bucket]
        assert client.update_bucket("b", retention="INF") == bucket
        assert client.drop_bucket("b") is None
    assert sent(server) == [
        "GET /api/v2/orgs?org=o", "POST /api/v2/buckets",
        "GET /api/v2/buckets?org=o&limit=100",
        "GET /api/v2/buckets?name=b&org=o", f"PATCH /api/v2/buckets/{ID}",
        "GET /api/v2/buckets?name=b&org=o", f"DELETE /api/v2/buckets/{ID}",
    ]  # fmt: skip
    assert {request.headers["authorization"] for request in server.requests} == {"Token t"}
    assert json.loads(server.requests[1].body) == {
        "name": "b", "orgID": ORG_ID, "retentionRules": [{"type": "expire", "everySeconds": 86400}],
    }  # fmt: skip


def test_buckets_of_influxdb_1(connect: Connect) -> None:
    script = [
        NO_SUCH_PATH_1,
        json_reply(BUCKET_1, 201, JSON),
        json_reply({"buckets": [BUCKET_1]}, 200, JSON),
        DELETED_1,
    ]
    with ScriptedServer(script) as server:
        client = connect(server.url)
        assert client.create_bucket("db1/rp1", retention="2h").retention == timedelta(hours=2)
        assert client.drop_bucket("db1/rp1") is None
    assert sent(server)[2:] == ["GET /api/v2/buckets?name=db1%2Frp1", "DELETE /api/v2/buckets/db1%2Frp1"]


def test_bucket_that_does_not_exist(connect: Connect) -> None:
    missing = json_reply({"code": "not found", "message": 'bucket "b" not found'}, 404)
    with ScriptedServer([missing]) as server, pytest.raises(DatabaseNotFound, match=r'^bucket "b" not found'):
        connect(server.url).drop_bucket("b")


def test_server_without_buckets(connect: Connect) -> None:
    with ScriptedServer([NO_SUCH_PATH_1]) as server:
        client = connect(server.url)
        with pytest.raises(ResponseError, match="call create_database, drop_database and list_databases"):
            client.create_bucket("b")


def test_changes_are_not_retried(connect: Connect) -> None:
    with ScriptedServer([reply(503, V2)]) as server:
        client = connect(server.url)
        with pytest.raises(ServerUnavailable):
            client.create_bucket("b", org=ORG_ID)
        with pytest.raises(ServerUnavailable):
            client.drop_database_v3("d")
        with pytest.raises(ServerUnavailable):
            client.delete("m", bucket="b")
    assert len(server.requests) == 3


# Deletion of points


def test_delete_from_a_bucket_of_influxdb_2(connect: Connect) -> None:
    with ScriptedServer([reply(204, V2)]) as server:
        client = connect(server.url, bucket="b", org="o")
        assert client.delete("m", tags={"t": "x"}, start="2020-01-01", end="2020-02-01") is None
    assert sent(server) == ["POST /api/v2/delete?bucket=b&org=o"]
    assert json.loads(server.requests[0].body) == {
        "start": "2020-01-01T00:00:00Z",
        "stop": "2020-01-31T23:59:59.999999999Z",
        "predicate": '"_measurement"="m" AND "t"="x"',
    }


def test_delete_from_a_bucket_of_influxdb_1(connect: Connect) -> None:
    with ScriptedServer([DELETED_1]) as server:
        assert connect(server.url, bucket="db/rp").delete("m", end="2020-02-01") is None
    first, second = (json.loads(request.body) for request in server.requests)
    assert first["stop"] == second["start"] == "2020-01-31T23:59:59.999999999Z"
    assert second["stop"] == "2020-02-01T00:00:00Z"


def test_delete_that_a_bucket_does_not_support(connect: Connect) -> None:
    with ScriptedServer([reply(204, V2)]) as server:
        client = connect(server.url, bucket="b")
        with pytest.raises(ValueError, match=r"^tags: 't': a bucket supports only equality"):
            client.delete("m", tags={"t": Not("x")})
        assert server.requests == []


# Databases of InfluxDB 3: the statuses are from influxdb3/tests/server/configure.rs of InfluxDB 3.10.


def test_databases_of_influxdb_3(connect: Connect) -> None:
    script = [reply(200), json_reply([{"iox::database": "d"}]), reply(200), reply(200), reply(409, {}, b"exists")]
    with ScriptedServer(script) as server:
        client = connect(server.url, token="apiv3_t", database="other")
        assert client.create_database_v3("d", retention="30d") is None
        assert client.list_databases_v3() == [Database(name="d")]
        assert client.update_database_v3("d", retention="INF") is None
        assert client.drop_database_v3("d") is None
        with pytest.raises(ResponseError, match=r"^exists"):
            client.create_database_v3("d")
    path = "/api/v3/configure/database"
    assert sent(server)[:4] == [f"POST {path}", f"GET {path}?format=json", f"PUT {path}", f"DELETE {path}?db=d"]
    assert server.requests[0].headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("call", "headers", "message", "note"),
    [
        # From v1/coordinator/statement_executor.go of InfluxDB 2.
        (lambda client: client.create_database("d"), V2, "not implemented: CREATE DATABASE",
         "InfluxDB 2 does not execute CREATE DATABASE; call create_bucket"),
        (lambda client: client.list_users(), V2, "not implemented: SHOW USERS",
         "only InfluxDB 1.x executes this statement"),
        # From the planner of InfluxDB 3 (iox_query_influxql).
        (lambda client: client.create_database("d"), {**JSON, "cluster-uuid": "1"},
         "error while planning query: This feature is not implemented: CREATE DATABASE",
         "InfluxDB 3 does not execute CREATE DATABASE; call create_database_v3"),
    ],
    ids=["2 create_database", "2 list_users", "3 create_database"],
)  # fmt: skip
def test_statement_that_a_server_does_not_execute(
    connect: Connect, call: Callable[[Any], Any], headers: dict[str, str], message: str, note: str
) -> None:
    response = json_reply({"results": [{"statement_id": 0, "error": message}]}, headers=headers)
    with ScriptedServer([response]) as server, pytest.raises(QueryError) as raised:
        call(connect(server.url))
    assert raised.value.__notes__ == [note]


# Health


def test_health(connect: Connect) -> None:
    # From http/health.go of InfluxDB 2.9, and health() of influxdb3_server/src/http.rs.
    script = [
        json_reply({"name": "influxdb", "status": "fail", "message": "", "checks": []}, 503),
        reply(200, {}, b"OK"),
    ]
    with ScriptedServer(script) as server:
        client = connect(server.url)
        assert client.health() == Health(status="fail", name="influxdb")
        assert client.health().ok
    assert sent(server) == ["GET /health"] * 2  # the failure is not retried


def test_readiness(connect: Connect) -> None:
    # The first from the release notes of InfluxDB 2.9, the second recorded from 2.7.12.
    script = [
        json_reply({"status": "starting"}, 503),
        json_reply({"status": "ready", "started": "2026-11-30T12:00:00.123456789Z", "up": "1m0.5s"}),
        NO_SUCH_PATH_1,
    ]
    with ScriptedServer(script) as server:
        client = connect(server.url)
        assert not client.ready().ok
        found = client.ready()
        assert (found.ok, found.up) == (True, timedelta(seconds=60.5))
        with pytest.raises(ResponseError, match=r"^the server has no /ready; .* call health"):
            client.ready()


def test_ping_of_influxdb_3(connect: Connect) -> None:
    # From ping() of influxdb3_server/src/http.rs and PingResponse of influxdb3_types.
    body = {"product_name": "InfluxDB 3 Core", "version": "3.9.0", "revision": "a", "process_id": "b"}
    script = [
        json_reply(body, headers={"X-Influxdb-Version": "3.9.0", "X-Influxdb-Build": "Core"}),
        reply(401, {}, b'{"error": "the request was not authenticated"}'),
    ]
    with ScriptedServer(script) as server:
        client = connect(server.url)
        pong = client.ping()
        assert (pong.product, pong.version, pong.build) == ("InfluxDB 3 Core", "3.9.0", "Core")
        with pytest.raises(AuthenticationError, match=r"^the request was not authenticated"):
            client.ping()


# The server of the session


@pytest.fixture
def bucket(client: Any, database: str) -> Iterator[str]:
    """Return a bucket that the test may change; on InfluxDB 1.x it is a retention policy."""
    name = f"{database}/rp"
    client.create_bucket(name, retention="30d", shard_duration="2d")
    yield name
    client.drop_bucket(name)


def find(client: Any, name: str) -> Bucket:
    [found] = [bucket for bucket in client.list_buckets() if bucket.name == name]
    assert isinstance(found, Bucket)
    return found


@pytest.mark.needs("buckets")
def test_bucket_on_a_server(client: Any, bucket: str) -> None:
    days = timedelta(days=1)
    found = find(client, bucket)
    assert (found.retention, found.shard_duration, found.is_system) == (30 * days, 2 * days, False)
    client.update_bucket(bucket, retention="INF")
    found = find(client, bucket)
    assert (found.retention, found.shard_duration) == (None, 2 * days)
    client.update_bucket(bucket, shard_duration="6h")
    assert find(client, bucket).shard_duration == timedelta(hours=6)
    client.update_bucket(bucket, retention="5h")  # shorter than the shard groups
    assert find(client, bucket).retention == timedelta(hours=5)
    with pytest.raises(ResponseError, match=r"already exists"):
        client.create_bucket(bucket, retention="90d")
    with pytest.raises(ResponseError, match=r"must be at least 1h0m0s"):
        client.update_bucket(bucket, retention="1m", shard_duration="1m")


@pytest.mark.needs("buckets")
def test_missing_bucket_on_a_server(client: Any, database: str) -> None:
    changes: list[Callable[[], object]] = [
        lambda: client.drop_bucket(f"{database}/none"),
        lambda: client.update_bucket(f"{database}/none", retention="1d"),
        lambda: client.delete("m", bucket=f"{uuid.uuid4().hex}/none"),
    ]
    for change in changes:
        with pytest.raises(DatabaseNotFound, match=r"not found"):
            change()


@pytest.mark.needs("buckets")
def test_all_pages_of_buckets_on_a_server(client: Any, database: str) -> None:
    names = [f"{database}/{n:03}" for n in range(101)]
    try:
        for name in names:
            client.create_bucket(name)
        found = [bucket.name for bucket in client.list_buckets()]
    finally:
        for name in names:
            client.drop_bucket(name)
    assert [name for name in found if name in names] == names


@pytest.mark.needs("buckets")
@pytest.mark.parametrize(
    ("conditions", "left"),
    [
        ({"measurement": "m"}, [3, 4, 5]),
        ({"measurement": "m m"}, [1, 2, 3, 5]),
        ({"tags": {"a": "5s"}}, [1, 2, 4, 5]),
        ({"tags": {"b": "it's \\ ü"}}, [2, 3, 4, 5]),
        ({"measurement": "m", "tags": {"a": "x", "b": 'q"u'}}, [1, 3, 4, 5]),
        ({"tags": {"name": "x"}}, [1, 2, 3, 4]),
        ({"start": 2, "end": 4}, [1, 4, 5]),
        ({"start": 3, "end": 4}, [1, 2, 4, 5]),
        ({"end": 3, "tags": {"a": "x"}}, [3, 4, 5]),
        ({"start": 3, "end": 3}, [1, 2, 3, 4, 5]),
        ({"measurement": re.compile("")}, []),
        ({"measurement": "nothing"}, [1, 2, 3, 4, 5]),
    ],
)
def test_delete_from_a_bucket_on_a_server(
    client: Any, connect: Connect, influxd: Server, bucket: str, conditions: dict[str, Any], left: list[int]
) -> None:
    client.update_bucket(bucket, retention="INF")
    in_bucket = connect(influxd.url, bucket=bucket)
    in_bucket.write([
        {"measurement": "m", "tags": {"a": "x", "b": "it's \\ ü"}, "fields": {"v": 1}, "time": 1},
        {"measurement": "m", "tags": {"a": "x", "b": 'q"u'}, "fields": {"v": 1}, "time": 2},
        {"measurement": "n", "tags": {"a": "5s"}, "fields": {"v": 1}, "time": 3},
        {"measurement": "m m", "fields": {"v": 1}, "time": 4},
        {"measurement": "t", "tags": {"name": "x"}, "fields": {"v": 1}, "time": 5},
    ])  # fmt: skip
    assert in_bucket.delete(**conditions) is None
    assert sorted(point["time"] for point in in_bucket.query("SELECT v FROM /.*/").points()) == left


@pytest.mark.needs("health")
def test_health_of_a_server(client: Any) -> None:
    assert client.health().ok
    assert client.health().version in {client.ping().version, None}


@pytest.mark.needs("ready")
def test_readiness_of_a_server(client: Any) -> None:
    found = client.ready()
    assert found.ok
    assert found.up is not None
    assert found.up > timedelta(0)


def test_product_of_a_server(client: Any) -> None:
    assert client.ping().product.startswith("InfluxDB")


@pytest.mark.needs("databases_v3")
def test_database_on_a_server(client: Any) -> None:
    name = f"test_{uuid.uuid4().hex}"
    client.create_database_v3(name, retention="30d")
    assert Database(name=name) in client.list_databases_v3()
    client.update_database_v3(name, retention="INF")
    client.drop_database_v3(name, hard_delete_at="now")
    assert name not in [database.name for database in client.list_databases_v3()]
