"""The server itself: ping, shards, running queries, statistics and plans."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from .._checks import check_str
from .._errors import ResponseError
from .._http.error_response import ErrorReceiver, not_influxdb
from .._http.messages import Headers, Request
from .._http.timeout import Timeout, as_timeout
from .._influxql.classify import statement_count
from .._influxql.clauses import number, statement, string
from .._query.query import query
from .._result.result import QueryResult
from .._runtime.op import Op
from .rows import Row, change, read_duration, read_time, rows

# Databases and retention policies. CREATE DATABASE and DROP DATABASE are in `ops`.


# Users and what they may do.


# Continuous queries and subscriptions.


# The server itself.


def list_shards(*, timeout: float | Timeout | None = None) -> Op[list[Shard]]:
    """Give the shards of all databases.

    Args:
        timeout: replaces the client's timeout for this call, in seconds or as a `Timeout`.
    """
    return query("SHOW SHARDS", timeout=timeout).map(_read_shards)


def list_shard_groups(*, timeout: float | Timeout | None = None) -> Op[list[ShardGroup]]:
    """Give the shard groups of all databases.

    Args:
        timeout: replaces the client's timeout for this call, in seconds or as a `Timeout`.
    """
    return query("SHOW SHARD GROUPS", timeout=timeout).map(_read_shard_groups)


def drop_shard(shard_id: int, *, timeout: float | Timeout | None = None) -> Op[None]:
    """Delete a shard with all its points; nothing happens if there is none.

    Args:
        shard_id: the number of the shard, from `list_shards`.
        timeout: replaces the client's timeout for this call, in seconds or as a `Timeout`.
    """
    return change("DROP SHARD", number("shard_id", shard_id, 0), timeout=timeout)


def list_queries(*, timeout: float | Timeout | None = None) -> Op[list[RunningQuery]]:
    """Give the queries that the server is executing, this one included.

    Args:
        timeout: replaces the client's timeout for this call, in seconds or as a `Timeout`.
    """
    return query("SHOW QUERIES", timeout=timeout).map(_read_running_queries)


def kill_query(qid: int, *, timeout: float | Timeout | None = None) -> Op[None]:
    """End a query that is running, by the number that `list_queries` tells.

    Args:
        qid: the number of the query, from `list_queries`.
        timeout: replaces the client's timeout for this call, in seconds or as a `Timeout`.

    Raises:
        QueryError: there is no such query.
    """
    return change("KILL QUERY", number("qid", qid, 0), timeout=timeout)


def stats(module: str | None = None, *, timeout: float | Timeout | None = None) -> Op[list[Statistics]]:
    """Give what the server has counted since it was started; of one module (`"httpd"`), or of all.

    The module `indexes`, which costs the server some time, is only given where it is named.

    Args:
        module: the module, such as `httpd`; None for all.
        timeout: replaces the client's timeout for this call, in seconds or as a `Timeout`.
    """
    return query(statement("SHOW STATS", _for(module)), timeout=timeout).map(_read_statistics)


def diagnostics(module: str | None = None, *, timeout: float | Timeout | None = None) -> Op[list[Diagnostics]]:
    """Give what the server tells about its version, settings and state; of one module (`"build"`), or of all.

    Args:
        module: the module, such as `httpd`; None for all.
        timeout: replaces the client's timeout for this call, in seconds or as a `Timeout`.
    """
    return query(statement("SHOW DIAGNOSTICS", _for(module)), timeout=timeout).map(_read_diagnostics)


def explain(
    q: str,
    *,
    db: str | None = None,
    rp: str | None = None,
    params: Mapping[str, object] | None = None,
    timeout: float | Timeout | None = None,
) -> Op[str]:
    """Give the server's plan for a query, as lines of text.

    Args:
        q: one SELECT statement.
        db: the database of measurements that name none; the client's own where it is None.
        rp: the retention policy of measurements that name none.
        params: values for `$name` in the query.
        timeout: replaces the client's timeout for this call, in seconds or as a `Timeout`.

    Raises:
        QueryError: the server refused the query.
        ValueError: these are several statements.
    """
    return query(f"EXPLAIN {_one(q)}", db=db, rp=rp, params=params, timeout=timeout).map(_read_plan)


def explain_analyze(
    q: str,
    *,
    db: str | None = None,
    rp: str | None = None,
    params: Mapping[str, object] | None = None,
    timeout: float | Timeout | None = None,
) -> Op[str]:
    """Execute a query and give what the server did for it and how long that took, as lines of text.

    Args:
        q: one SELECT statement.
        db: the database of measurements that name none; the client's own where it is None.
        rp: the retention policy of measurements that name none.
        params: values for `$name` in the query.
        timeout: replaces the client's timeout for this call, in seconds or as a `Timeout`.

    Raises:
        QueryError: the server refused the query.
        ValueError: these are several statements.
    """
    return query(f"EXPLAIN ANALYZE {_one(q)}", db=db, rp=rp, params=params, timeout=timeout).map(_read_plan)


def _one(q: str) -> str:
    if statement_count(check_str("q", q)) > 1:
        msg = "q: must be one statement, of which the plan is given; a second one would be executed"
        raise ValueError(msg)
    return q


def _for(module: str | None) -> str:
    return "" if module is None else f"FOR {string('module', module)}"


class Shard(NamedTuple):
    """The points of a span of time, in one place. All times are in UTC."""

    id: int
    database: str
    retention_policy: str
    #: The number of its group.
    shard_group: int
    #: The span of time, without its end.
    start_time: datetime
    end_time: datetime
    #: When it is deleted; None for never.
    expiry_time: datetime | None
    #: The numbers of the nodes of a cluster that have it.
    owners: tuple[int, ...]


class ShardGroup(NamedTuple):
    """The shards of one span of time. All times are in UTC."""

    id: int
    database: str
    retention_policy: str
    #: The span of time, without its end.
    start_time: datetime
    end_time: datetime
    #: When it is deleted; None for never.
    expiry_time: datetime | None


class RunningQuery(NamedTuple):
    """A query that the server is executing."""

    #: The number to end it by.
    qid: int
    query: str
    #: Empty where the query needs none.
    database: str
    #: How long it has been running.
    duration: timedelta
    #: `running` or `killed`; None of servers that do not tell.
    status: str | None


class Statistics(NamedTuple):
    """What one part of the server has counted since it was started."""

    #: The part: `httpd`, `write`, `shard`...
    module: str
    #: Which one, where there are several: the shard's database and path, for instance.
    tags: Mapping[str, str]
    values: Mapping[str, Any]


class Diagnostics(NamedTuple):
    """What one part of the server tells about its version, settings and state."""

    #: The part: `build`, `config`, `network`...
    module: str
    values: Mapping[str, Any]


def _read_shards(result: QueryResult) -> list[Shard]:
    """Read the answer to SHOW SHARDS."""
    return [
        Shard(
            id=row["id"],
            database=row["database"],
            retention_policy=row["retention_policy"],
            shard_group=row["shard_group"],
            start_time=read_time(row["start_time"]),
            end_time=read_time(row["end_time"]),
            expiry_time=_expiry(row),
            owners=tuple(int(node) for node in row["owners"].split(",") if node),
        )
        for _, row in rows(result)
    ]


def _read_shard_groups(result: QueryResult) -> list[ShardGroup]:
    """Read the answer to SHOW SHARD GROUPS."""
    return [
        ShardGroup(
            id=row["id"],
            database=row["database"],
            retention_policy=row["retention_policy"],
            start_time=read_time(row["start_time"]),
            end_time=read_time(row["end_time"]),
            expiry_time=_expiry(row),
        )
        for _, row in rows(result)
    ]


def _read_running_queries(result: QueryResult) -> list[RunningQuery]:
    """Read the answer to SHOW QUERIES."""
    return [
        RunningQuery(row["qid"], row["query"], row["database"], read_duration(row["duration"]), row.get("status"))
        for _, row in rows(result)
    ]


def _read_statistics(result: QueryResult) -> list[Statistics]:
    """Read the answer to SHOW STATS."""
    return [Statistics(series.name, series.tags, dict(row)) for series, row in rows(result)]


def _read_diagnostics(result: QueryResult) -> list[Diagnostics]:
    """Read the answer to SHOW DIAGNOSTICS."""
    return [Diagnostics(series.name, dict(row)) for series, row in rows(result)]


def _read_plan(result: QueryResult) -> str:
    """Read the answer to EXPLAIN and EXPLAIN ANALYZE: rows that are lines of text."""
    return "\n".join(str(row[0]) for series in result.series[:1] for row in series.values).strip("\n")


def _expiry(row: Row) -> datetime | None:
    """Read when a shard expires. The server adds the policy's duration to the shard's end, where 0 is for ever."""
    expiry = read_time(row["expiry_time"])
    return None if expiry == read_time(row["end_time"]) else expiry


class ServerInfo(Headers):
    """Who answered a ping: the headers of the answer."""

    __slots__ = ()

    @property
    def version(self) -> str | None:
        """The server's version as it writes it (`1.8.10`, `1.6.7~rc0`, `v2.7.1`); None where it does not say."""
        return self.get("X-Influxdb-Version")

    @property
    def build(self) -> str | None:
        """`OSS`, `ENT` or `Core`; None where the server does not say."""
        return self.get("X-Influxdb-Build")


class PingReceiver:
    """Receives the answer to a ping: 204, or from InfluxDB 3 a 200 with JSON."""

    def __init__(self, status: int, headers: Headers) -> None:
        self._status = status
        self._headers = headers
        self._refusal = None if status in {200, 204} else ErrorReceiver(ResponseError, status, headers)
        self._start = b""

    def feed(self, data: bytes) -> None:
        """Take more bytes."""
        if self._refusal is not None:
            self._refusal.feed(data)
        elif len(self._start) < 1024:
            self._start += data[:1024]

    def close(self) -> ServerInfo:
        """Take the end of the answer."""
        if self._refusal is not None:
            self._refusal.close()
        # VictoriaMetrics answers 204 without a version; a web server in its place answers 200 with a page.
        if self._status == 200 and "X-Influxdb-Version" not in self._headers:
            raise not_influxdb(self._status, self._headers, self._start)
        return ServerInfo(self._headers)


def ping(*, timeout: float | Timeout | None = None) -> Op[ServerInfo]:
    """Ask the server whether it is there and who it is.

    Args:
        timeout: replaces the client's timeout for this call, in seconds or as a `Timeout`.

    Returns:
        The headers of the answer, with `.version` and `.build`.
    """
    return Op(Request("GET", "/ping"), PingReceiver, as_timeout(timeout))
