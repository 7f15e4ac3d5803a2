"""Continuous queries and subscriptions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

from .._checks import check_choice
from .._http.timeout import TimeoutLike
from .._influxql.classify import one_statement
from .._influxql.clauses import as_list, duration_clause, identifier, name_on_db, string
from .._influxql.quote import Duration
from .._public_names import exported_by
from .._result.series import Series
from .._runtime.op import Op
from .rows import Row, each_row, invalid_value
from .statement import execute, statement_op


@exported_by("influx_proto.admin")
class ContinuousQuery(NamedTuple):
    """A query that the server runs periodically."""

    name: str
    database: str
    #: The complete CREATE CONTINUOUS QUERY statement, as the server formats it.
    query: str


@exported_by("influx_proto.admin")
class Subscription(NamedTuple):
    """Destinations to which the server forwards the writes to a retention policy."""

    name: str
    database: str
    retention_policy: str
    #: `all`: each write goes to every destination. `any`: each write goes to one of them, in turn.
    mode: str
    #: The URLs of the destinations.
    destinations: tuple[str, ...]


def _read_continuous_query(series: Series, row: Row) -> ContinuousQuery:
    return ContinuousQuery(row["name"], series.name, row["query"])


def _read_subscription(series: Series, row: Row) -> Subscription:
    urls = row["destinations"]
    if not isinstance(urls, list):
        raise invalid_value("destinations", urls)
    return Subscription(row["name"], series.name, row["retention_policy"], row.text("mode").lower(), tuple(urls))


def list_continuous_queries(*, timeout: TimeoutLike | None = None) -> Op[list[ContinuousQuery]]:
    """Return the continuous queries of all databases."""
    return statement_op("SHOW CONTINUOUS QUERIES", timeout=timeout).map(each_row(_read_continuous_query))


def create_continuous_query(
    name: str,
    db: str,
    q: str,
    *,
    resample_every: Duration | None = None,
    resample_for: Duration | None = None,
    params: Mapping[str, object] | None = None,
    timeout: TimeoutLike | None = None,
) -> Op[None]:
    """Create a continuous query, unless an identical one exists.

    Args:
        name: the name of the continuous query.
        db: the database that it belongs to.
        q: one statement `SELECT ... INTO ... GROUP BY time(...)`.
        resample_every: how often the query runs; None for once per interval of `GROUP BY time`.
        resample_for: how far back each run recomputes intervals; None for one interval of `GROUP BY time`.
        params: values for `$name` in the query. They are inserted when it is created.
        timeout: replaces the client's timeout for this call, in seconds, as `(connect, idle)` or as a `Timeout`.

    Raises:
        QueryError: a different continuous query has this name, or the server rejects the query.
        ValueError: `q` is several statements.
    """
    resample_clauses = (
        duration_clause("EVERY", "resample_every", resample_every),
        duration_clause("FOR", "resample_for", resample_for),
    )
    return execute(
        "CREATE CONTINUOUS QUERY",
        name_on_db(name, db),
        "RESAMPLE" if any(resample_clauses) else "",
        *resample_clauses,
        # END is on a separate line, so that a comment at the end of the query does not hide it.
        f"BEGIN\n{one_statement(q)}\nEND",
        params=params,
        timeout=timeout,
    )


def drop_continuous_query(name: str, db: str, *, timeout: TimeoutLike | None = None) -> Op[None]:
    """Delete a continuous query, if it exists.

    Args:
        name: the name of the continuous query.
        db: the database.
        timeout: replaces the client's timeout for this call, in seconds, as `(connect, idle)` or as a `Timeout`.
    """
    return execute("DROP CONTINUOUS QUERY", name_on_db(name, db), timeout=timeout)


def list_subscriptions(*, timeout: TimeoutLike | None = None) -> Op[list[Subscription]]:
    """Return the subscriptions of all databases."""
    return statement_op("SHOW SUBSCRIPTIONS", timeout=timeout).map(each_row(_read_subscription))


def create_subscription(
    name: str,
    db: str,
    rp: str,
    destinations: str | Iterable[str],
    *,
    mode: Literal["all", "any"] = "all",
    timeout: TimeoutLike | None = None,
) -> Op[None]:
    """Create a subscription: the server forwards a copy of all writes to other servers.

    Args:
        name: the name of the subscription.
        db: the database whose writes are forwarded.
        rp: the retention policy whose writes are forwarded.
        destinations: one or more URLs that begin with `http://`, `https://` or `udp://`.
        mode: `all` to forward each write to every destination, `any` to forward it to one of them, in turn.
        timeout: replaces the client's timeout for this call, in seconds, as `(connect, idle)` or as a `Timeout`.

    Raises:
        QueryError: the database or retention policy does not exist, the subscription exists, or the server rejects a
            URL.
    """
    urls = [string("destinations", url) for url in as_list("destinations", destinations)]
    check_choice("mode", mode, ("all", "any"))
    target = f"DESTINATIONS {mode.upper()} {', '.join(urls)}"
    return execute("CREATE SUBSCRIPTION", _name_on_policy(name, db, rp), target, timeout=timeout)


def drop_subscription(name: str, db: str, rp: str, *, timeout: TimeoutLike | None = None) -> Op[None]:
    """Delete a subscription.

    Args:
        name: the name of the subscription.
        db: the database of the subscription.
        rp: the retention policy of the subscription.
        timeout: replaces the client's timeout for this call, in seconds, as `(connect, idle)` or as a `Timeout`.

    Raises:
        QueryError: the subscription does not exist.
    """
    return execute("DROP SUBSCRIPTION", _name_on_policy(name, db, rp), timeout=timeout)


def _name_on_policy(name: str, db: str, rp: str) -> str:
    return f"{name_on_db(name, db)}.{identifier('rp', rp)}"
