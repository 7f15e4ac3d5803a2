"""Shards, running queries, statistics, diagnostics and query plans."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from .._http.timeout import TimeoutLike
from .._influxql.classify import one_statement
from .._influxql.clauses import number, string
from .._public_names import exported_by
from .._query.query import query
from .._result.result import QueryResult
from .._result.series import Series
from .._runtime.op import Op
from .rows import Row, each_row, invalid_value, read_duration, read_time
from .statement import execute, statement_op


def list_shards(*, timeout: TimeoutLike | None = None) -> Op[list[Shard]]:
    """Return the shards of all databases."""
    return statement_op("SHOW SHARDS", timeout=timeout).map(each_row(_read_shard))


def list_shard_groups(*, timeout: TimeoutLike | None = None) -> Op[list[ShardGroup]]:
    """Return the shard groups of all databases."""
    return statement_op("SHOW SHARD GROUPS", timeout=timeout).map(each_row(_read_shard_group))


def drop_shard(shard_id: int, *, timeout: TimeoutLike | None = None) -> Op[None]:
    """Delete a shard with all its points.

    If the shard does not exist, InfluxDB 1.6 accepts the statement, and 1.13 rejects it.

    Args:
        shard_id: the id of the shard, from `list_shards`.
        timeout: replaces the client's timeout for this call, in seconds, as `(connect, idle)` or as a `Timeout`.
    """
    return execute("DROP SHARD", number("shard_id", shard_id, 0), timeout=timeout)


def list_queries(*, timeout: TimeoutLike | None = None) -> Op[list[RunningQuery]]:
    """Return the queries that the server is executing, including this one."""
    return statement_op("SHOW QUERIES", timeout=timeout).map(each_row(_read_running_query))


def kill_query(qid: int, *, timeout: TimeoutLike | None = None) -> Op[None]:
    """Kill a running query.

    Args:
        qid: the id of the query, from `list_queries`.
        timeout: replaces the client's timeout for this call, in seconds, as `(connect, idle)` or as a `Timeout`.

    Raises:
        QueryError: the query does not exist.
    """
    return execute("KILL QUERY", number("qid", qid, 0), timeout=timeout)


def stats(module: str | None = None, *, timeout: TimeoutLike | None = None) -> Op[list[Statistics]]:
    """Return the server's statistics since its start.

    Args:
        module: the module, such as `httpd`; None for all modules except `indexes`, which is expensive for the server.
        timeout: replaces the client's timeout for this call, in seconds, as `(connect, idle)` or as a `Timeout`.
    """
    return statement_op("SHOW STATS", _for_clause(module), timeout=timeout).map(
        each_row(lambda series, row: Statistics(series.name, series.tags, dict(row)))
    )


def diagnostics(module: str | None = None, *, timeout: TimeoutLike | None = None) -> Op[list[Diagnostics]]:
    """Return the server's diagnostics: its version, settings and state.

    Args:
        module: the module, such as `build`; None for all.
        timeout: replaces the client's timeout for this call, in seconds, as `(connect, idle)` or as a `Timeout`.
    """
    return statement_op("SHOW DIAGNOSTICS", _for_clause(module), timeout=timeout).map(
        each_row(lambda series, row: Diagnostics(series.name, dict(row)))
    )


def explain(
    q: str,
    *,
    db: str | None = None,
    rp: str | None = None,
    params: Mapping[str, object] | None = None,
    timeout: TimeoutLike | None = None,
) -> Op[str]:
    """Return the server's plan for a query, as lines of text.

    Args:
        q: one SELECT statement.
        db: the default database of the query; None for the client's database.
        rp: the default retention policy of the query; None for the database's default.
        params: values for `$name` in the query.
        timeout: replaces the client's timeout for this call, in seconds, as `(connect, idle)` or as a `Timeout`.

    Raises:
        QueryError: the server rejects the query.
        ValueError: `q` has several statements.
    """
    return query(f"EXPLAIN {one_statement(q)}", db=db, rp=rp, params=params, timeout=timeout).map(_read_plan)


def explain_analyze(
    q: str,
    *,
    db: str | None = None,
    rp: str | None = None,
    params: Mapping[str, object] | None = None,
    timeout: TimeoutLike | None = None,
) -> Op[str]:
    """Execute a query and return the server's execution plan with timings, as lines of text.

    The arguments and errors are those of `explain`.
    """
    return query(f"EXPLAIN ANALYZE {one_statement(q)}", db=db, rp=rp, params=params, timeout=timeout).map(_read_plan)


def _for_clause(module: str | None) -> str:
    return "" if module is None else f"FOR {string('module', module)}"


@exported_by("influx_proto.admin")
class Shard(NamedTuple):
    """A shard: the points of a time range. All times are in UTC."""

    id: int
    database: str
    retention_policy: str
    #: The id of its shard group.
    shard_group: int
    #: The time range; `end_time` is exclusive.
    start_time: datetime
    end_time: datetime
    #: When the server deletes it; None for never.
    expiry_time: datetime | None
    #: The ids of the cluster nodes that store it.
    owners: tuple[int, ...]


@exported_by("influx_proto.admin")
class ShardGroup(NamedTuple):
    """The shards of a time range. All times are in UTC."""

    id: int
    database: str
    retention_policy: str
    #: The time range; `end_time` is exclusive.
    start_time: datetime
    end_time: datetime
    #: When the server deletes it; None for never.
    expiry_time: datetime | None


@exported_by("influx_proto.admin")
class RunningQuery(NamedTuple):
    """A query that the server is executing."""

    #: The id for `kill_query`.
    qid: int
    query: str
    #: Empty if the query needs no database.
    database: str
    #: How long it has been running.
    duration: timedelta
    #: `running` or `killed`; None if the server does not report it.
    status: str | None


@exported_by("influx_proto.admin")
class Statistics(NamedTuple):
    """Statistics of a module of the server since its start."""

    #: Such as `httpd`, `write` or `shard`.
    module: str
    #: Identify one of several instances of the module, such as the database and path of a shard.
    tags: Mapping[str, str]
    values: Mapping[str, Any]


@exported_by("influx_proto.admin")
class Diagnostics(NamedTuple):
    """Version, settings or state of a module of the server."""

    #: Such as `build`, `config` or `network`.
    module: str
    values: Mapping[str, Any]


def _read_shard(_series: Series, row: Row) -> Shard:
    return Shard(shard_group=row["shard_group"], owners=_read_owners(row), **_read_shard_fields(row))


def _read_shard_group(_series: Series, row: Row) -> ShardGroup:
    return ShardGroup(**_read_shard_fields(row))


def _read_shard_fields(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "database": row["database"],
        "retention_policy": row["retention_policy"],
        "start_time": read_time(row, "start_time"),
        "end_time": read_time(row, "end_time"),
        "expiry_time": _expiry(row),
    }


def _read_owners(row: Row) -> tuple[int, ...]:
    nodes = [node for node in row.text("owners").split(",") if node]
    try:
        return tuple(map(int, nodes))
    except ValueError:
        raise invalid_value("owners", row["owners"]) from None


def _read_running_query(_series: Series, row: Row) -> RunningQuery:
    return RunningQuery(row["qid"], row["query"], row["database"], read_duration(row, "duration"), row.get("status"))


def _read_plan(result: QueryResult) -> str:
    """Read the result of EXPLAIN or EXPLAIN ANALYZE: each row is a line of text."""
    return "\n".join(str(row[0]) for series in result.series[:1] for row in series.values if row).strip("\n")


def _expiry(row: Row) -> datetime | None:
    """Return the expiry of a shard: its end plus the retention policy's duration, where 0 means indefinitely.

    InfluxDB 1.12 and later report an empty string for an indefinite duration.
    """
    if row["expiry_time"] == "":
        return None
    expiry = read_time(row, "expiry_time")
    return None if expiry == read_time(row, "end_time") else expiry
