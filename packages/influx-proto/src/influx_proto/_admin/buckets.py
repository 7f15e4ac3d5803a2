"""Buckets: those of InfluxDB 2, and the retention policies of InfluxDB 1.10 or later, named `db/rp`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

from .._checks import check_optional_str, check_str, given_params
from .._errors import DatabaseNotFound, ProtocolError, ResponseError
from .._http.timeout import TimeoutLike, as_timeout
from .._influxql.quote import Duration
from .._public_names import exported_by
from .._runtime.flow import Flow
from .._runtime.op import Op, OpSequence
from .._runtime.settings import Settings
from .._runtime.transport import Clock
from .http_api import (
    api_op,
    expect,
    ignore_body,
    is_unknown_path,
    read_object,
    read_seconds,
    read_timestamp,
    whole_seconds,
)

_BUCKETS: Final = "/api/v2/buckets"
_ORGS: Final = "/api/v2/orgs"
_SERVERS: Final = (
    "InfluxDB 1.10 or later, InfluxDB 2 and InfluxDB Cloud Serverless have it; for databases call create_database, "
    "drop_database and list_databases (InfluxDB 1.x), or create_database_v3, drop_database_v3 and list_databases_v3 "
    "(InfluxDB 3)"
)
#: The largest page that InfluxDB 2 returns.
_PAGE_SIZE: Final = 100
#: The id of an organization, which InfluxDB 2 accepts as another parameter than its name.
_ID: Final = re.compile("[0-9a-f]{16}")


@exported_by("influx_proto.admin")
@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """A bucket, or a retention policy of InfluxDB 1.10 or later."""

    #: The id; on InfluxDB 1.x the name.
    id: str
    #: The name; on InfluxDB 1.x `db/rp`.
    name: str
    #: How long points are kept; None for indefinitely.
    retention: timedelta | None
    #: The time range that one shard group covers; None if the server does not report it.
    shard_duration: timedelta | None = None
    #: The id of the organization; None on InfluxDB 1.x.
    org_id: str | None = None
    #: Whether the server itself uses the bucket.
    is_system: bool = False
    description: str = ""
    #: None on InfluxDB 1.x.
    created_at: datetime | None = None
    #: None on InfluxDB 1.x.
    updated_at: datetime | None = None


def list_buckets(*, org: str | None = None, timeout: TimeoutLike | None = None) -> OpSequence[list[Bucket]]:
    """Return all buckets, also those of the server itself.

    Args:
        org: the name or id of the organization; None for the client's `org`, or else for all organizations that the
            token can access. InfluxDB 1.x ignores it.
        timeout: replaces the client's timeout for each request, in seconds, as `(connect, idle)` or as a `Timeout`.

    Raises:
        ResponseError: the organization does not exist, or the server has no buckets.
    """
    check_optional_str("org", org)

    def steps(settings: Settings, clock: Clock) -> Flow[list[Bucket]]:
        # By id, since several organizations may have buckets of one name.
        found: dict[str, Bucket] = {}
        params = [*_org_params(org, settings), ("limit", str(_PAGE_SIZE))]
        after: list[tuple[str, str]] = []
        while True:
            page = yield from _list_op([*params, *after]).flow(settings, clock)
            known = len(found)
            found |= {bucket.id: bucket for bucket in page}
            if len(page) < _PAGE_SIZE:
                return list(found.values())
            if len(found) == known:
                msg = f"{_BUCKETS} returned the same page again; the server ignores the parameter `after`"
                raise ProtocolError(msg)
            after = [("after", page[-1].id)]

    return OpSequence(steps, as_timeout(timeout))


def create_bucket(
    name: str,
    *,
    retention: Duration | None = None,
    shard_duration: Duration | None = None,
    description: str | None = None,
    org: str | None = None,
    timeout: TimeoutLike | None = None,
) -> OpSequence[Bucket]:
    """Create a bucket and return it.

    InfluxDB 1.10 or later creates the database and its retention policy, unless they exist with the same settings.

    Args:
        name: the name of the bucket; on InfluxDB 1.x `db/rp`.
        retention: how long points are kept, at least 1 hour: a `timedelta`, an int of seconds, or an InfluxQL duration
            such as `"30d"`; None or `"INF"` for indefinitely.
        shard_duration: the time range that one shard group covers; None for the server's default.
        description: a description; InfluxDB 1.x ignores it.
        org: the name or id of the organization; None for the client's `org`, or else for the only organization that
            the token can access. InfluxDB 1.x ignores it.
        timeout: replaces the client's timeout for each request, in seconds, as `(connect, idle)` or as a `Timeout`.

    Raises:
        ResponseError: the bucket exists, the organization does not exist, the server rejects the settings, or it has
            no buckets.
        ValueError: `org` is required, since the token can access several organizations.
    """
    check_optional_str("org", org)
    rule = {"type": "expire", "everySeconds": 0 if retention is None else whole_seconds("retention", retention)}
    if shard_duration is not None:
        rule["shardGroupDurationSeconds"] = _shard_seconds(shard_duration)
    document: dict[str, Any] = {"name": check_str("name", name), "retentionRules": [rule]}
    if check_optional_str("description", description) is not None:
        document["description"] = description

    def steps(settings: Settings, clock: Clock) -> Flow[Bucket]:
        org_id = yield from _find_org_id(org, settings, clock)
        org_field = {} if org_id is None else {"orgID": org_id}
        return (yield from _bucket_op("POST", _BUCKETS, document | org_field).flow(settings, clock))

    return OpSequence(steps, as_timeout(timeout))


def update_bucket(
    name: str,
    *,
    retention: Duration | None = None,
    shard_duration: Duration | None = None,
    description: str | None = None,
    org: str | None = None,
    timeout: TimeoutLike | None = None,
) -> OpSequence[Bucket]:
    """Change settings of a bucket and return it. Settings that are None keep their value.

    Args:
        name: the name of the bucket; on InfluxDB 1.x `db/rp`.
        retention: how long points are kept, at least 1 hour: a `timedelta`, an int of seconds, or an InfluxQL duration
            such as `"30d"`; `"INF"` for indefinitely.
        shard_duration: the time range that a new shard group covers. If it is None and the present one is longer than
            `retention`, the server chooses its default for the retention.
        description: a description; InfluxDB 1.x ignores it.
        org: the name or id of the organization; None for the client's `org`. InfluxDB 1.x ignores it.
        timeout: replaces the client's timeout for each request, in seconds, as `(connect, idle)` or as a `Timeout`.

    Raises:
        DatabaseNotFound: the bucket does not exist.
        ResponseError: the organization does not exist, the server rejects the settings, or it has no buckets.
        ValueError: no setting is passed, or several organizations have a bucket of this name.
    """
    check_str("name", name)
    check_optional_str("org", org)
    if retention is None and shard_duration is None and check_optional_str("description", description) is None:
        raise ValueError("update_bucket: no changes; pass retention, shard_duration or description")
    retention_seconds = None if retention is None else whole_seconds("retention", retention)
    shard_seconds = None if shard_duration is None else _shard_seconds(shard_duration)

    def steps(settings: Settings, clock: Clock) -> Flow[Bucket]:
        bucket = yield from _find_bucket(name, org, settings, clock)
        # InfluxDB 1.x resets settings that a request omits, so each request has all of them.
        seconds = _seconds(bucket.retention) if retention_seconds is None else retention_seconds
        shards = _seconds(bucket.shard_duration) if shard_seconds is None else shard_seconds
        if shard_seconds is None and 0 < seconds < shards:
            shards = 0  # the server's default
        rule = {"type": "expire", "everySeconds": seconds}
        if shards or bucket.shard_duration is not None:
            rule["shardGroupDurationSeconds"] = shards
        document: dict[str, Any] = {"retentionRules": [rule]}
        if description is not None:
            document["description"] = description
        return (yield from _bucket_op("PATCH", _path_of(bucket), document).flow(settings, clock))

    return OpSequence(steps, as_timeout(timeout))


def drop_bucket(name: str, *, org: str | None = None, timeout: TimeoutLike | None = None) -> OpSequence[None]:
    """Delete a bucket with all its points.

    On InfluxDB 1.10 or later this deletes the retention policy; the database remains.

    Args:
        name: the name of the bucket; on InfluxDB 1.x `db/rp`.
        org: the name or id of the organization; None for the client's `org`. InfluxDB 1.x ignores it.
        timeout: replaces the client's timeout for each request, in seconds, as `(connect, idle)` or as a `Timeout`.

    Raises:
        DatabaseNotFound: the bucket does not exist.
        ResponseError: the organization does not exist, or the server has no buckets.
        ValueError: several organizations have a bucket of this name.
    """
    check_str("name", name)
    check_optional_str("org", org)

    def steps(settings: Settings, clock: Clock) -> Flow[None]:
        bucket = yield from _find_bucket(name, org, settings, clock)
        yield from api_op("DELETE", _path_of(bucket), ignore_body, servers=_SERVERS).flow(settings, clock)

    return OpSequence(steps, as_timeout(timeout))


def _find_bucket(name: str, org: str | None, settings: Settings, clock: Clock) -> Flow[Bucket]:
    found = yield from _list_op([("name", name), *_org_params(org, settings)]).flow(settings, clock)
    if not found:
        raise DatabaseNotFound(404, f"bucket {name!r} not found")
    if len(found) > 1:
        raise ValueError(f"org: {len(found)} organizations have a bucket {name!r}; pass the organization")
    return found[0]


def _find_org_id(org: str | None, settings: Settings, clock: Clock) -> Flow[str | None]:
    """Return the id of the organization, or None if the server has no organizations."""
    name = settings.org if org is None else org
    if name is not None and _ID.fullmatch(name):
        return name
    op = api_op("GET", _ORGS, _read_orgs, servers=_SERVERS, params=given_params(org=name))
    try:
        orgs = yield from op.flow(settings, clock)
    except ResponseError as error:
        if is_unknown_path(_ORGS, error.status, error.headers, error.body):
            return None  # InfluxDB 1.x; a server without buckets rejects the next request
        raise
    if len(orgs) == 1:
        return orgs[0][0]
    if name is not None:
        raise ResponseError(404, f"organization name {name!r} not found")
    names = ", ".join(repr(each) for _, each in orgs[:10])
    msg = f"org: the token can access {len(orgs)} organizations ({names or 'none'}); pass org to the call or the client"
    raise ValueError(msg)


def _org_params(org: str | None, settings: Settings) -> list[tuple[str, str]]:
    name = settings.org if org is None else org
    return [] if name is None else [("orgID" if _ID.fullmatch(name) else "org", name)]


def _list_op(params: list[tuple[str, str]]) -> Op[list[Bucket]]:
    return api_op("GET", _BUCKETS, _read_buckets, servers=_SERVERS, params=params)


def _bucket_op(method: str, path: str, document: Mapping[str, Any]) -> Op[Bucket]:
    return api_op(method, path, lambda body: _read_bucket(read_object(body)), servers=_SERVERS, document=document)


def _path_of(bucket: Bucket) -> str:
    return f"{_BUCKETS}/{quote(bucket.id, safe='')}"


def _shard_seconds(duration: Duration) -> int:
    seconds = whole_seconds("shard_duration", duration)
    if not seconds:
        raise ValueError("shard_duration: must be finite")
    return seconds


def _seconds(duration: timedelta | None) -> int:
    return 0 if duration is None else duration // timedelta(seconds=1)


def _read_buckets(body: bytes) -> list[Bucket]:
    return [_read_bucket(each) for each in expect(read_object(body).get("buckets"), list, "a list of buckets")]


def _read_bucket(found: object) -> Bucket:
    fields = expect(found, dict, "a bucket")
    rules = expect(fields.get("retentionRules") or [], list, "a list of retention rules")
    rule = expect(rules[0] if rules else {}, dict, "a retention rule")
    return Bucket(
        id=expect(fields.get("id"), str, "the id of a bucket"),
        name=expect(fields.get("name"), str, "the name of a bucket"),
        retention=read_seconds(rule.get("everySeconds")),
        shard_duration=read_seconds(rule.get("shardGroupDurationSeconds")),
        org_id=expect(fields.get("orgID") or "", str, "the id of an organization") or None,
        is_system=fields.get("type") == "system",
        description=expect(fields.get("description") or "", str, "a description"),
        created_at=read_timestamp(fields.get("createdAt")),
        updated_at=read_timestamp(fields.get("updatedAt")),
    )


def _read_orgs(body: bytes) -> list[tuple[str, str]]:
    """Return the ids and names of organizations."""
    return [
        (
            expect(expect(each, dict, "an organization").get("id"), str, "the id of an organization"),
            expect(each.get("name"), str, "the name of an organization"),
        )
        for each in expect(read_object(body).get("orgs"), list, "a list of organizations")
    ]
