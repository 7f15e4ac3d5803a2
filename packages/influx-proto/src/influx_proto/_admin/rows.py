"""What the server tells about itself, as objects, and reading them out of the answers to SHOW statements.

Columns are found by name: versions of InfluxDB have more or fewer of them, in another order.
"""

# Without `from __future__ import annotations`, which would make classes of NamedTuple several times slower to import.

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from ._errors import ProtocolError
from ._result import QueryResult, Series
from ._scan import ScanError, scan_series

__all__ = [
    "ContinuousQuery",
    "Diagnostics",
    "FieldKey",
    "Grant",
    "RetentionPolicy",
    "RunningQuery",
    "SeriesKey",
    "Shard",
    "ShardGroup",
    "Statistics",
    "Subscription",
    "TagKey",
    "TagValue",
    "User",
]


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


class User(NamedTuple):
    """A user of the server."""

    name: str
    #: Whether the user may do everything.
    admin: bool


class Grant(NamedTuple):
    """What a user may do with a database."""

    database: str
    #: `read`, `write`, `all`, or `none` where it has been revoked.
    privilege: str


class ContinuousQuery(NamedTuple):
    """A query that the server runs again and again."""

    name: str
    database: str
    #: The whole statement that creates it, as the server understood it.
    query: str


class SeriesKey(NamedTuple):
    """What makes a series: a measurement and tags."""

    measurement: str
    tags: Mapping[str, str]


class TagKey(NamedTuple):
    """A tag that points of a measurement have."""

    measurement: str
    key: str


class TagValue(NamedTuple):
    """A value that a tag has in a measurement."""

    measurement: str
    key: str
    value: str


class FieldKey(NamedTuple):
    """A field that points of a measurement have. With different types in several shards it comes once for each."""

    measurement: str
    key: str
    #: `float`, `integer`, `unsigned`, `string` or `boolean`.
    type: str


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


class Subscription(NamedTuple):
    """Where the server sends a copy of what is written to it."""

    name: str
    database: str
    retention_policy: str
    #: `all` for every destination, `any` for one after the other.
    mode: str
    #: Their URLs.
    destinations: tuple[str, ...]


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


class _Row(dict[str, Any]):
    """A row by column; one that must be there and is not is an error."""

    def __missing__(self, column: str) -> Any:
        msg = f"the answer has no column {column!r}; it has {', '.join(self)}"
        raise ProtocolError(msg)


def _rows(result: QueryResult) -> Iterator[tuple[Series, _Row]]:
    for series in result.series:
        for values in series.values:
            yield series, _Row(zip(series.columns, values, strict=True))


def nothing(_result: QueryResult) -> None:
    """Read the answer of a statement that has none."""


def names(result: QueryResult) -> list[str]:
    """Read the answer to SHOW DATABASES and SHOW MEASUREMENTS."""
    return [row["name"] for _, row in _rows(result)]


def retention_policies(result: QueryResult) -> list[RetentionPolicy]:
    """Read the answer to SHOW RETENTION POLICIES."""
    return [
        RetentionPolicy(
            name=row["name"],
            duration=_duration(row["duration"]) or None,
            shard_duration=_duration(row["shardGroupDuration"]),
            replication=row["replicaN"],
            default=row["default"],
            future_write_limit=_duration(row.get("futureWriteLimit") or "0s") or None,
            past_write_limit=_duration(row.get("pastWriteLimit") or "0s") or None,
        )
        for _, row in _rows(result)
    ]


def users(result: QueryResult) -> list[User]:
    """Read the answer to SHOW USERS."""
    return [User(row["user"], row["admin"]) for _, row in _rows(result)]


def grants(result: QueryResult) -> list[Grant]:
    """Read the answer to SHOW GRANTS."""
    return [Grant(row["database"], _privilege(row["privilege"])) for _, row in _rows(result)]


def continuous_queries(result: QueryResult) -> list[ContinuousQuery]:
    """Read the answer to SHOW CONTINUOUS QUERIES."""
    return [ContinuousQuery(row["name"], series.name, row["query"]) for series, row in _rows(result)]


def series_keys(result: QueryResult) -> list[SeriesKey]:
    """Read the answer to SHOW SERIES, which has the keys as line protocol writes them."""
    return [_series_key(row["key"]) for _, row in _rows(result)]


def tag_keys(result: QueryResult) -> list[TagKey]:
    """Read the answer to SHOW TAG KEYS."""
    return [TagKey(series.name, row["tagKey"]) for series, row in _rows(result)]


def tag_values(result: QueryResult) -> list[TagValue]:
    """Read the answer to SHOW TAG VALUES."""
    return [TagValue(series.name, row["key"], row["value"]) for series, row in _rows(result)]


def field_keys(result: QueryResult) -> list[FieldKey]:
    """Read the answer to SHOW FIELD KEYS."""
    return [FieldKey(series.name, row["fieldKey"], row["fieldType"]) for series, row in _rows(result)]


def cardinality(result: QueryResult) -> int:
    """Read the answer to SHOW ... CARDINALITY: one number, or one for each measurement."""
    total = 0
    for _, row in _rows(result):
        total += row["cardinality estimation"] if "cardinality estimation" in row else row["count"]
    return total


def shards(result: QueryResult) -> list[Shard]:
    """Read the answer to SHOW SHARDS."""
    return [
        Shard(
            id=row["id"],
            database=row["database"],
            retention_policy=row["retention_policy"],
            shard_group=row["shard_group"],
            start_time=_time(row["start_time"]),
            end_time=_time(row["end_time"]),
            expiry_time=_expiry(row),
            owners=tuple(int(node) for node in row["owners"].split(",") if node),
        )
        for _, row in _rows(result)
    ]


def shard_groups(result: QueryResult) -> list[ShardGroup]:
    """Read the answer to SHOW SHARD GROUPS."""
    return [
        ShardGroup(
            id=row["id"],
            database=row["database"],
            retention_policy=row["retention_policy"],
            start_time=_time(row["start_time"]),
            end_time=_time(row["end_time"]),
            expiry_time=_expiry(row),
        )
        for _, row in _rows(result)
    ]


def subscriptions(result: QueryResult) -> list[Subscription]:
    """Read the answer to SHOW SUBSCRIPTIONS."""
    return [
        Subscription(
            name=row["name"],
            database=series.name,
            retention_policy=row["retention_policy"],
            mode=row["mode"].lower(),
            destinations=tuple(row["destinations"]),
        )
        for series, row in _rows(result)
    ]


def running_queries(result: QueryResult) -> list[RunningQuery]:
    """Read the answer to SHOW QUERIES."""
    return [
        RunningQuery(row["qid"], row["query"], row["database"], _duration(row["duration"]), row.get("status"))
        for _, row in _rows(result)
    ]


def statistics(result: QueryResult) -> list[Statistics]:
    """Read the answer to SHOW STATS."""
    return [Statistics(series.name, series.tags, dict(row)) for series, row in _rows(result)]


def diagnostics(result: QueryResult) -> list[Diagnostics]:
    """Read the answer to SHOW DIAGNOSTICS."""
    return [Diagnostics(series.name, dict(row)) for series, row in _rows(result)]


def plan(result: QueryResult) -> str:
    """Read the answer to EXPLAIN and EXPLAIN ANALYZE: rows that are lines of text."""
    return "\n".join(str(row[0]) for series in result.series[:1] for row in series.values).strip("\n")


def _privilege(text: str) -> str:
    return {"ALL PRIVILEGES": "all", "NO PRIVILEGES": "none"}.get(text, text.lower())


def _series_key(text: str) -> SeriesKey:
    try:
        measurement, tags, _ = scan_series(text.encode() + b" ", 0)
    except ScanError as error:
        msg = f"{text!r} is no key of a series: {error.reason}"
        raise ProtocolError(msg) from None
    return SeriesKey(measurement, tags)


#: Go's units in nanoseconds.
_UNITS: Final = {
    "h": 3_600_000_000_000,
    "m": 60_000_000_000,
    "s": 1_000_000_000,
    "ms": 1_000_000,
    "us": 1_000,
    "\N{MICRO SIGN}s": 1_000,
    "ns": 1,
}
_DURATION: Final = re.compile(r"([0-9]+)(?:\.([0-9]+))?(h|ms|m|s|[u\N{MICRO SIGN}]s|ns)")


def _duration(text: str) -> timedelta:
    """Read a duration as Go prints it: `168h0m0s`, `1m0.5s`, `12.345ms`."""
    if not re.fullmatch(f"(?:{_DURATION.pattern})+", text):
        msg = f"{text!r} is no duration as the server prints it"
        raise ProtocolError(msg)
    ns = 0
    for whole, fraction, unit in _DURATION.findall(text):
        ns += int(whole + fraction) * _UNITS[unit] // 10 ** len(fraction)
    return timedelta(microseconds=ns // 1_000)


def _expiry(row: _Row) -> datetime | None:
    """Read when a shard expires. The server adds the policy's duration to the shard's end, where 0 is for ever."""
    expiry = _time(row["expiry_time"])
    return None if expiry == _time(row["end_time"]) else expiry


def _time(text: str) -> datetime:
    # Not as nanoseconds: the expiry of a shard may be later than InfluxDB's last one.
    return datetime.fromisoformat(text)
