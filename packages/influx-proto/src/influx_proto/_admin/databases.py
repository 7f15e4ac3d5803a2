"""Databases and retention policies."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from .._http.timeout import TimeoutLike
from .._influxql.clauses import identifier, name_on_db, policy_settings, statement, words_if, write_limits
from .._influxql.quote import Duration
from .._public_names import exported_by
from .._result.result import QueryResult
from .._result.series import Series
from .._runtime.op import Op
from .rows import Row, each_row, read_duration, read_names
from .statement import execute, statement_op


@exported_by("influx_proto.admin")
class RetentionPolicy(NamedTuple):
    """A retention policy of a database. Durations are floored to microseconds."""

    name: str
    #: How long points are kept; None for indefinitely.
    duration: timedelta | None
    #: The time range that one shard group covers.
    shard_duration: timedelta
    #: The number of copies that a cluster keeps.
    replication: int
    #: Whether writes and queries without a retention policy use this one.
    default: bool
    #: How far in the future the server accepts points; None for no limit, and on servers before InfluxDB 1.12.
    future_write_limit: timedelta | None = None
    #: How far in the past the server accepts points; None for no limit, and on servers before InfluxDB 1.12.
    past_write_limit: timedelta | None = None


def _read_retention_policy(_series: Series, row: Row) -> RetentionPolicy:
    return RetentionPolicy(
        name=row["name"],
        duration=read_duration(row, "duration") or None,
        shard_duration=read_duration(row, "shardGroupDuration"),
        replication=row["replicaN"],
        default=row["default"],
        future_write_limit=_read_limit(row, "futureWriteLimit"),
        past_write_limit=_read_limit(row, "pastWriteLimit"),
    )


def _read_limit(row: Row, column: str) -> timedelta | None:
    """Return a limit that is 0 if there is none, and that older servers do not have."""
    return read_duration(row, column) or None if row.get(column) else None


def list_databases(*, timeout: TimeoutLike | None = None) -> Op[list[str]]:
    """Return the names of the databases that the user can access."""
    return statement_op("SHOW DATABASES", timeout=timeout).map(read_names)


def list_retention_policies(db: str | None = None, *, timeout: TimeoutLike | None = None) -> Op[list[RetentionPolicy]]:
    """Return the retention policies of a database.

    Args:
        db: the database; None for the client's database.
        timeout: replaces the client's timeout for this call, in seconds, as `(connect, idle)` or as a `Timeout`.
    """
    return statement_op("SHOW RETENTION POLICIES", db=db, timeout=timeout).map(each_row(_read_retention_policy))


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
    timeout: TimeoutLike | None = None,
) -> Op[None]:
    """Create a retention policy, unless it exists with the same settings.

    Args:
        name: the name of the retention policy.
        db: the database that it belongs to.
        duration: how long points are kept, at least 1 hour; None for indefinitely.
        replication: the number of copies that a cluster keeps.
        shard_duration: the time range that one shard group covers; None for the server's default.
        default: make it the retention policy of writes and queries that do not name one.
        future_write_limit: how far in the future the server accepts points; None for no limit. InfluxDB 1.12 or later.
        past_write_limit: how far in the past the server accepts points; None for no limit. InfluxDB 1.12 or later.
        timeout: replaces the client's timeout for this call, in seconds, as `(connect, idle)` or as a `Timeout`.

    Raises:
        QueryError: the database does not exist, the policy exists with other settings, or the server rejects the
            settings.
    """
    settings = policy_settings("INF" if duration is None else duration, replication, shard_duration)
    options = settings, words_if("default", default, "DEFAULT"), write_limits(future_write_limit, past_write_limit)
    return execute("CREATE RETENTION POLICY", name_on_db(name, db), *options, timeout=timeout)


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
    timeout: TimeoutLike | None = None,
) -> Op[None]:
    """Change settings of a retention policy. Settings that are None keep their value.

    Args:
        name: the name of the retention policy.
        db: the database that it belongs to.
        duration: how long points are kept; `"INF"` for indefinitely.
        replication: the number of copies that a cluster keeps.
        shard_duration: the time range that a new shard group covers.
        default: make it the retention policy of writes and queries that do not name one.
        future_write_limit: how far in the future the server accepts points; `"INF"` for no limit. InfluxDB 1.12 or
            later.
        past_write_limit: how far in the past the server accepts points; `"INF"` for no limit. InfluxDB 1.12 or later.
        timeout: replaces the client's timeout for this call, in seconds, as `(connect, idle)` or as a `Timeout`.

    Raises:
        ValueError: no setting is passed.
        QueryError: the retention policy does not exist, or the server rejects the settings.
    """
    settings = policy_settings(duration, replication, shard_duration)
    options = settings, words_if("default", default, "DEFAULT"), write_limits(future_write_limit, past_write_limit)
    if not any(options):
        raise ValueError(
            "alter_retention_policy: no changes; pass duration, replication, shard_duration, default, "
            "future_write_limit or past_write_limit"
        )
    return execute("ALTER RETENTION POLICY", name_on_db(name, db), *options, timeout=timeout)


def drop_retention_policy(name: str, db: str, *, timeout: TimeoutLike | None = None) -> Op[None]:
    """Delete a retention policy with all its points, if it exists.

    After its default retention policy is deleted, a database rejects writes that do not name a retention policy.

    Args:
        name: the name of the retention policy.
        db: the database that it belongs to.
        timeout: replaces the client's timeout for this call, in seconds, as `(connect, idle)` or as a `Timeout`.
    """
    return execute("DROP RETENTION POLICY", name_on_db(name, db), timeout=timeout)


def create_database(
    db: str,
    *,
    duration: Duration | None = None,
    replication: int | None = None,
    shard_duration: Duration | None = None,
    future_write_limit: Duration | None = None,
    past_write_limit: Duration | None = None,
    name: str | None = None,
    timeout: TimeoutLike | None = None,
) -> Op[QueryResult]:
    """Create a database, if it does not exist.

    The other arguments configure its default retention policy. The server has a default for each.

    Args:
        db: the name of the database.
        duration: how long points are kept, at least 1 hour: a `timedelta`, an int of seconds, an InfluxQL duration such
            as `"30d"`, or `"INF"` for indefinitely.
        replication: the number of copies that a cluster keeps.
        shard_duration: the time range that one shard group covers.
        future_write_limit: how far in the future the server accepts points; `"INF"` for no limit. InfluxDB 1.12 or
            later.
        past_write_limit: how far in the past the server accepts points; `"INF"` for no limit. InfluxDB 1.12 or later.
        name: the name of the retention policy; None for `autogen`.
        timeout: replaces the client's timeout for this call, in seconds, as `(connect, idle)` or as a `Timeout`.

    Raises:
        QueryError: the database exists with another retention policy, or the server rejects the settings.
    """
    settings = statement(
        policy_settings(duration, replication, shard_duration),
        write_limits(future_write_limit, past_write_limit),
        "" if name is None else f"NAME {identifier('name', name)}",
    )
    return statement_op(
        "CREATE DATABASE", identifier("db", db), f"WITH {settings}" if settings else "", timeout=timeout
    )


def drop_database(db: str, *, timeout: TimeoutLike | None = None) -> Op[QueryResult]:
    """Delete a database with all its data, if it exists.

    Args:
        db: the name of the database.
        timeout: replaces the client's timeout for this call, in seconds, as `(connect, idle)` or as a `Timeout`.
    """
    return statement_op("DROP DATABASE", identifier("db", db), timeout=timeout)


def show_databases(*, timeout: TimeoutLike | None = None) -> Op[QueryResult]:
    """Return the result of SHOW DATABASES, the databases that the user can access, as the server sends it.

    `list_databases` returns their names as a list of str.
    """
    return statement_op("SHOW DATABASES", timeout=timeout)


def show_retention_policies(db: str | None = None, *, timeout: TimeoutLike | None = None) -> Op[QueryResult]:
    """Return the result of SHOW RETENTION POLICIES as the server sends it.

    `list_retention_policies` returns the policies as a list of objects.

    Args:
        db: the database; None for the client's database.
        timeout: replaces the client's timeout for this call, in seconds, as `(connect, idle)` or as a `Timeout`.
    """
    return statement_op("SHOW RETENTION POLICIES", db=db, timeout=timeout)
