"""Databases and retention policies."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from .._http.timeout import Timeout
from .._influxql.clauses import flag, identifier, policy, statement, write_limits
from .._influxql.quote import Duration
from .._query.query import query
from .._result.result import QueryResult
from .._runtime.op import Op
from .rows import change, read_duration, read_names, rows


class RetentionPolicy(NamedTuple):
    """How long a database keeps points, and in what portions it stores them. Durations are floored to microseconds."""

    name: str
    #: How long points are kept; None for ever.
    duration: timedelta | None
    #: The span of time of one shard group.
    shard_duration: timedelta
    #: How many copies a cluster keeps.
    replication: int
    #: Whether it is the one for writes and queries that name none.
    default: bool
    #: How far ahead of now points may be; None for no limit, and of servers before InfluxDB 1.12.
    future_write_limit: timedelta | None = None
    #: How far behind now points may be; None for no limit, and of servers before InfluxDB 1.12.
    past_write_limit: timedelta | None = None


def _read_retention_policies(result: QueryResult) -> list[RetentionPolicy]:
    """Read the answer to SHOW RETENTION POLICIES."""
    return [
        RetentionPolicy(
            name=row["name"],
            duration=read_duration(row["duration"]) or None,
            shard_duration=read_duration(row["shardGroupDuration"]),
            replication=row["replicaN"],
            default=row["default"],
            future_write_limit=read_duration(row.get("futureWriteLimit") or "0s") or None,
            past_write_limit=read_duration(row.get("pastWriteLimit") or "0s") or None,
        )
        for _, row in rows(result)
    ]


def list_databases(*, timeout: float | Timeout | None = None) -> Op[list[str]]:
    """Give the names of the databases that this user may see.

    Args:
        timeout: replaces the client's timeout for this call, in seconds or as a `Timeout`.
    """
    return query("SHOW DATABASES", timeout=timeout).map(read_names)


def list_retention_policies(
    db: str | None = None, *, timeout: float | Timeout | None = None
) -> Op[list[RetentionPolicy]]:
    """Give the retention policies of a database.

    Args:
        db: the database; the client's own if None.
        timeout: replaces the client's timeout for this call, in seconds or as a `Timeout`.
    """
    return query("SHOW RETENTION POLICIES", db=db, timeout=timeout).map(_read_retention_policies)


def create_retention_policy(
    name: str,
    db: str,
    duration: Duration | None = None,
    *,
    replication: int = 1,
    shard_duration: Duration | None = None,
    default: bool = False,
    future_write_limit: Duration | None = None,
    past_write_limit: Duration | None = None,
    timeout: float | Timeout | None = None,
) -> Op[None]:
    """Create a retention policy; nothing happens if it exists with the same settings.

    Args:
        name: its name.
        db: the database that it is for.
        duration: how long points are kept, at least an hour; None for ever.
        replication: how many copies a cluster keeps.
        shard_duration: the span of time of one shard group; None to let the server choose.
        default: make it the one for writes and queries that name none.
        future_write_limit: how far ahead of now points may be; None for any. InfluxDB knows it from 1.12 on.
        past_write_limit: how far behind now points may be; None for any. InfluxDB knows it from 1.12 on.
        timeout: replaces the client's timeout for this call, in seconds or as a `Timeout`.

    Raises:
        QueryError: there is no such database, the policy exists with other settings, or the server refuses these.
    """
    settings = policy("INF" if duration is None else duration, replication, shard_duration)
    options = settings, flag("default", default, "DEFAULT"), write_limits(future_write_limit, past_write_limit)
    return change(
        "CREATE RETENTION POLICY", identifier("name", name), "ON", identifier("db", db), *options, timeout=timeout
    )


def alter_retention_policy(
    name: str,
    db: str,
    *,
    duration: Duration | None = None,
    replication: int | None = None,
    shard_duration: Duration | None = None,
    default: bool = False,
    future_write_limit: Duration | None = None,
    past_write_limit: Duration | None = None,
    timeout: float | Timeout | None = None,
) -> Op[None]:
    """Change the settings of a retention policy that are given, and leave the others.

    Args:
        name: its name.
        db: the database that it is for.
        duration: how long points are kept; `"INF"` for ever.
        replication: how many copies a cluster keeps.
        shard_duration: the span of time of shard groups that are made from now on.
        default: make it the one for writes and queries that name none.
        future_write_limit: how far ahead of now points may be, `"INF"` for any. InfluxDB knows it from 1.12 on.
        past_write_limit: how far behind now points may be, `"INF"` for any. InfluxDB knows it from 1.12 on.
        timeout: replaces the client's timeout for this call, in seconds or as a `Timeout`.

    Raises:
        ValueError: nothing is to be changed.
        QueryError: there is no such policy, or the server refuses the settings.
    """
    settings = policy(duration, replication, shard_duration)
    options = settings, flag("default", default, "DEFAULT"), write_limits(future_write_limit, past_write_limit)
    if not any(options):
        msg = "alter_retention_policy: say what to change: duration, replication, shard_duration, default or a limit"
        raise ValueError(msg)
    return change(
        "ALTER RETENTION POLICY", identifier("name", name), "ON", identifier("db", db), *options, timeout=timeout
    )


def drop_retention_policy(name: str, db: str, *, timeout: float | Timeout | None = None) -> Op[None]:
    """Delete a retention policy with all its points; nothing happens if there is none.

    Without its default policy a database takes no writes that name none.

    Args:
        name: the name.
        db: the database.
        timeout: replaces the client's timeout for this call, in seconds or as a `Timeout`.
    """
    return change("DROP RETENTION POLICY", identifier("name", name), "ON", identifier("db", db), timeout=timeout)


def create_database(
    db: str,
    *,
    duration: Duration | None = None,
    replication: int | None = None,
    shard_duration: Duration | None = None,
    future_write_limit: Duration | None = None,
    past_write_limit: Duration | None = None,
    name: str | None = None,
    timeout: float | Timeout | None = None,
) -> Op[QueryResult]:
    """Create a database; nothing happens if it exists.

    The other arguments are about its first retention policy; the server has defaults for them.

    Args:
        db: its name.
        duration: how long points are kept, at least an hour: a `timedelta`, seconds, InfluxQL's text (`"30d"`), or
            `"INF"` for ever.
        replication: how many copies a cluster keeps.
        shard_duration: the span of time of one shard group.
        future_write_limit: how far ahead of now points may be, `"INF"` for any; of InfluxDB 1.12 and later.
        past_write_limit: how far behind now points may be, `"INF"` for any; of InfluxDB 1.12 and later.
        name: the policy's name, `autogen` otherwise.
        timeout: replaces the client's timeout for this call, in seconds or as a `Timeout`.

    Raises:
        QueryError: the database exists with another policy, or the server refuses the settings.
    """
    settings = statement(
        policy(duration, replication, shard_duration),
        write_limits(future_write_limit, past_write_limit),
        "" if name is None else f"NAME {identifier('name', name)}",
    )
    return query(
        statement("CREATE DATABASE", identifier("db", db), f"WITH {settings}" if settings else ""), timeout=timeout
    )


def drop_database(db: str, *, timeout: float | Timeout | None = None) -> Op[QueryResult]:
    """Delete a database with all that is in it; nothing happens if there is none.

    Args:
        db: the database.
        timeout: replaces the client's timeout for this call, in seconds or as a `Timeout`.
    """
    return query(f"DROP DATABASE {identifier('db', db)}", timeout=timeout)


def show_databases(*, timeout: float | Timeout | None = None) -> Op[QueryResult]:
    """List the databases that this user may see.

    Args:
        timeout: replaces the client's timeout for this call, in seconds or as a `Timeout`.
    """
    return query("SHOW DATABASES", timeout=timeout)


def show_retention_policies(db: str | None = None, *, timeout: float | Timeout | None = None) -> Op[QueryResult]:
    """List the retention policies of a database.

    Args:
        db: the database; the client's own if None.
        timeout: replaces the client's timeout for this call, in seconds or as a `Timeout`.
    """
    return query("SHOW RETENTION POLICIES", db=db, timeout=timeout)
