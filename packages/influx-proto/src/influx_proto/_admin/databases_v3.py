"""Databases of InfluxDB 3, which its InfluxQL cannot create or delete."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from .._checks import check_bool, check_str
from .._http.timeout import TimeoutLike
from .._influxql.quote import Duration, quote_time, quoted
from .._public_names import exported_by
from .._runtime.op import Op
from .._time import to_rfc3339
from .http_api import api_op, expect, ignore_body, whole_seconds

_DATABASE: Final = "/api/v3/configure/database"
_SERVERS: Final = (
    "InfluxDB 3 Core and Enterprise have it; for InfluxDB 1.x call create_database, drop_database and list_databases, "
    "for InfluxDB 2 and InfluxDB Cloud Serverless create_bucket, update_bucket, drop_bucket and list_buckets"
)


@exported_by("influx_proto.admin")
@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A database of InfluxDB 3."""

    name: str
    #: Whether it is deleted, but its data still exists.
    deleted: bool = False


def list_databases_v3(*, deleted: bool = False, timeout: TimeoutLike | None = None) -> Op[list[Database]]:
    """Return the databases of InfluxDB 3 Core or Enterprise.

    Args:
        deleted: whether to include deleted databases whose data still exists.
        timeout: replaces the client's timeout for this call, in seconds, as `(connect, idle)` or as a `Timeout`.

    Raises:
        ResponseError: the server is not InfluxDB 3.
    """
    params = [("format", "json"), *([("show_deleted", "true")] if check_bool("deleted", deleted) else [])]
    return api_op("GET", _DATABASE, _read_databases, servers=_SERVERS, params=params, timeout=timeout)


def create_database_v3(db: str, *, retention: Duration | None = None, timeout: TimeoutLike | None = None) -> Op[None]:
    """Create a database of InfluxDB 3 Core or Enterprise. Writes also create it, without a retention period.

    Args:
        db: the name of the database: ASCII letters, digits, `_` and `-`.
        retention: how long points are kept: a `timedelta`, an int of seconds, or an InfluxQL duration such as `"30d"`;
            None or `"INF"` for indefinitely.
        timeout: replaces the client's timeout for this call, in seconds, as `(connect, idle)` or as a `Timeout`.

    Raises:
        ResponseError: the database exists, the name is invalid, the server has as many databases as it allows, or it
            is not InfluxDB 3.
    """
    return _configure("POST", db, 0 if retention is None else whole_seconds("retention", retention), timeout)


def update_database_v3(db: str, *, retention: Duration, timeout: TimeoutLike | None = None) -> Op[None]:
    """Change the retention period of a database of InfluxDB 3 Core or Enterprise.

    Args:
        db: the name of the database.
        retention: how long points are kept: a `timedelta`, an int of seconds, or an InfluxQL duration such as `"30d"`;
            `"INF"` for indefinitely.
        timeout: replaces the client's timeout for this call, in seconds, as `(connect, idle)` or as a `Timeout`.

    Raises:
        ResponseError: the database does not exist, or the server is not InfluxDB 3.
    """
    return _configure("PUT", db, whole_seconds("retention", retention), timeout)


def drop_database_v3(
    db: str,
    *,
    hard_delete_at: object = None,
    timeout: TimeoutLike | None = None,
) -> Op[None]:
    """Delete a database of InfluxDB 3 Core or Enterprise.

    The server renames the database, so that the name can be used again, and removes the data later.

    Args:
        db: the name of the database.
        hard_delete_at: when the server removes the data: `"now"`, `"never"`, `"default"` for the delay that the server
            is configured with, or any timestamp; None omits the setting.
        timeout: replaces the client's timeout for this call, in seconds, as `(connect, idle)` or as a `Timeout`.

    Raises:
        ResponseError: the database does not exist, or the server is not InfluxDB 3.
    """
    params = [("db", check_str("db", db))]
    if hard_delete_at is not None:
        params.append(("hard_delete_at", _deletion_time(hard_delete_at)))
    return api_op("DELETE", _DATABASE, ignore_body, servers=_SERVERS, params=params, timeout=timeout)


def _configure(method: str, db: str, retention: int, timeout: TimeoutLike | None) -> Op[None]:
    document: dict[str, Any] = {"db": check_str("db", db)}
    if retention:
        document["retention_period"] = f"{retention}s"
    return api_op(method, _DATABASE, ignore_body, servers=_SERVERS, document=document, timeout=timeout)


def _deletion_time(value: object) -> str:
    if isinstance(value, str) and value in {"default", "now", "never"}:
        return value
    ns = quoted("hard_delete_at", quote_time, value)
    return to_rfc3339(int(ns))


def _read_databases(body: bytes) -> list[Database]:
    return [
        Database(
            name=expect(expect(each, dict, "a database").get("iox::database"), str, "the name of a database"),
            deleted=expect(each.get("deleted", False), bool, "a bool"),
        )
        for each in expect(json.loads(body), list, "a list of databases")
    ]
