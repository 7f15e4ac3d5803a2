"""Continuous queries and subscriptions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

from .._checks import check_choice, check_str
from .._http.timeout import Timeout
from .._influxql.clauses import identifier, option, several, statement, string
from .._influxql.quote import Duration
from .._query.query import query
from .._result.result import QueryResult
from .._runtime.op import Op
from .rows import change, read_nothing, rows


class ContinuousQuery(NamedTuple):
    """A query that the server runs again and again."""

    name: str
    database: str
    #: The whole statement that creates it, as the server understood it.
    query: str


class Subscription(NamedTuple):
    """Where the server sends a copy of what is written to it."""

    name: str
    database: str
    retention_policy: str
    #: `all` for every destination, `any` for one after the other.
    mode: str
    #: Their URLs.
    destinations: tuple[str, ...]


def _read_continuous_queries(result: QueryResult) -> list[ContinuousQuery]:
    """Read the answer to SHOW CONTINUOUS QUERIES."""
    return [ContinuousQuery(row["name"], series.name, row["query"]) for series, row in rows(result)]


def _read_subscriptions(result: QueryResult) -> list[Subscription]:
    """Read the answer to SHOW SUBSCRIPTIONS."""
    return [
        Subscription(
            name=row["name"],
            database=series.name,
            retention_policy=row["retention_policy"],
            mode=row["mode"].lower(),
            destinations=tuple(row["destinations"]),
        )
        for series, row in rows(result)
    ]


def list_continuous_queries(*, timeout: float | Timeout | None = None) -> Op[list[ContinuousQuery]]:
    """Give the continuous queries of all databases.

    Args:
        timeout: replaces the client's timeout for this call, in seconds or as a `Timeout`.
    """
    return query("SHOW CONTINUOUS QUERIES", timeout=timeout).map(_read_continuous_queries)


def create_continuous_query(
    name: str,
    db: str,
    q: str,
    *,
    resample_every: Duration | None = None,
    resample_for: Duration | None = None,
    params: Mapping[str, object] | None = None,
    timeout: float | Timeout | None = None,
) -> Op[None]:
    """Have the server run a query again and again; nothing happens if the same exists.

    Args:
        name: its name.
        db: the database that it belongs to.
        q: one statement `SELECT ... INTO ... GROUP BY time(...)`.
        resample_every: how often it is run; None for as often as a new interval of `GROUP BY time` begins.
        resample_for: for how long an interval is computed again after it began; None for its own length.
        params: values for `$name` in the query, which are fixed with it.
        timeout: replaces the client's timeout for this call, in seconds or as a `Timeout`.

    Raises:
        QueryError: it exists otherwise, or the server refuses the query.
    """
    every = option("EVERY", "resample_every", resample_every)
    length = option("FOR", "resample_for", resample_for)
    # On lines of their own, so that a comment at the end of the query ends there.
    begin = f"BEGIN\n{check_str('q', q)}\nEND"
    resample = "RESAMPLE" if every or length else ""
    head = ("CREATE CONTINUOUS QUERY", identifier("name", name), "ON", identifier("db", db))
    return query(statement(*head, resample, every, length, begin), params=params, timeout=timeout).map(read_nothing)


def drop_continuous_query(name: str, db: str, *, timeout: float | Timeout | None = None) -> Op[None]:
    """Delete a continuous query; nothing happens if there is none.

    Args:
        name: the name.
        db: the database.
        timeout: replaces the client's timeout for this call, in seconds or as a `Timeout`.
    """
    return change("DROP CONTINUOUS QUERY", identifier("name", name), "ON", identifier("db", db), timeout=timeout)


def list_subscriptions(*, timeout: float | Timeout | None = None) -> Op[list[Subscription]]:
    """Give the subscriptions of all databases.

    Args:
        timeout: replaces the client's timeout for this call, in seconds or as a `Timeout`.
    """
    return query("SHOW SUBSCRIPTIONS", timeout=timeout).map(_read_subscriptions)


def create_subscription(
    name: str,
    db: str,
    rp: str,
    destinations: str | Iterable[str],
    *,
    mode: Literal["all", "any"] = "all",
    timeout: float | Timeout | None = None,
) -> Op[None]:
    """Have the server send a copy of what is written somewhere else, too.

    Args:
        name: its name.
        db: the database whose writes are copied.
        rp: the retention policy of it.
        destinations: URLs that begin with `http://`, `https://` or `udp://`.
        mode: whether `all` of them get it, or in turns `any` one.
        timeout: replaces the client's timeout for this call, in seconds or as a `Timeout`.

    Raises:
        QueryError: there is no such database or policy, or a subscription of this name, or the server refuses a URL.
    """
    urls = [string("destinations", url) for url in several("destinations", destinations)]
    check_choice("mode", mode, ("all", "any"))
    policy = f"{identifier('db', db)}.{identifier('rp', rp)}"
    target = f"DESTINATIONS {mode.upper()} {', '.join(urls)}"
    return change("CREATE SUBSCRIPTION", identifier("name", name), "ON", policy, target, timeout=timeout)


def drop_subscription(name: str, db: str, rp: str, *, timeout: float | Timeout | None = None) -> Op[None]:
    """Delete a subscription.

    Args:
        name: the name.
        db: the database.
        rp: the retention policy.
        timeout: replaces the client's timeout for this call, in seconds or as a `Timeout`.

    Raises:
        QueryError: there is none.
    """
    return change(
        "DROP SUBSCRIPTION",
        identifier("name", name),
        "ON",
        f"{identifier('db', db)}.{identifier('rp', rp)}",
        timeout=timeout,
    )
