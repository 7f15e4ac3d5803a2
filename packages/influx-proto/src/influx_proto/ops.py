"""Every operation of the HTTP API, one builder each: arguments in, an `Op` out. Nothing is sent here."""

from __future__ import annotations

from ._clauses import identifier, policy, statement, write_limits
from ._op import Op
from ._ping import PingReceiver, ServerInfo
from ._public_names import set_public_module
from ._query import (
    query,
    query_as,
    query_chunks,
    query_dataframe,
    query_dataframe_chunks,
    query_dataframes,
    query_points,
)
from ._result import QueryResult
from ._wire import Request
from ._write import write, write_batches, write_compressed
from .influxql import Duration

__all__ = [
    "create_database",
    "drop_database",
    "drop_measurement",
    "ping",
    "query",
    "query_as",
    "query_chunks",
    "query_dataframe",
    "query_dataframe_chunks",
    "query_dataframes",
    "query_points",
    "select_all",
    "show_databases",
    "show_measurements",
    "show_retention_policies",
    "show_users",
    "write",
    "write_batches",
    "write_compressed",
]

set_public_module(__name__, globals())


def ping() -> Op[ServerInfo]:
    """Ask the server whether it is there and who it is.

    Returns:
        The headers of the answer, with `.version` and `.build`.
    """
    return Op(Request("GET", "/ping"), PingReceiver)


def create_database(
    db: str,
    *,
    duration: Duration | None = None,
    replication: int | None = None,
    shard_duration: Duration | None = None,
    future_write_limit: Duration | None = None,
    past_write_limit: Duration | None = None,
    name: str | None = None,
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

    Raises:
        QueryError: the database exists with another policy, or the server refuses the settings.
    """
    settings = statement(
        policy(duration, replication, shard_duration),
        write_limits(future_write_limit, past_write_limit),
        "" if name is None else f"NAME {identifier('name', name)}",
    )
    return query(statement("CREATE DATABASE", identifier("db", db), f"WITH {settings}" if settings else ""))


def drop_database(db: str) -> Op[QueryResult]:
    """Delete a database with all that is in it; nothing happens if there is none."""
    return query(f"DROP DATABASE {identifier('db', db)}")


def drop_measurement(measurement: str, db: str | None = None) -> Op[QueryResult]:
    """Delete a measurement with all its points; nothing happens if there is none."""
    return query(f"DROP MEASUREMENT {identifier('measurement', measurement)}", db=db)


def show_databases() -> Op[QueryResult]:
    """List the databases that this user may see."""
    return query("SHOW DATABASES")


def show_measurements(db: str | None = None) -> Op[QueryResult]:
    """List the measurements of a database."""
    return query("SHOW MEASUREMENTS", db=db)


def show_retention_policies(db: str | None = None) -> Op[QueryResult]:
    """List the retention policies of a database."""
    return query("SHOW RETENTION POLICIES", db=db)


def show_users() -> Op[QueryResult]:
    """List the users."""
    return query("SHOW USERS")


def select_all(measurement: str, db: str | None = None) -> Op[QueryResult]:
    """Get all points of a measurement."""
    return query(f"SELECT * FROM {identifier('measurement', measurement)}", db=db)  # noqa: S608 - it is quoted
