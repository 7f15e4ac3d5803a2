"""Statements about databases, users, what runs on the server, and the server itself. See `admin`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias

from . import _admin_objects as objects
from ._admin_objects import (
    ContinuousQuery,
    Diagnostics,
    Grant,
    RetentionPolicy,
    RunningQuery,
    Shard,
    ShardGroup,
    Statistics,
    Subscription,
    User,
)
from ._arguments import text
from ._clauses import flag, identifier, number, option, policy, several, statement, string, write_limits
from ._op import Op
from ._query import query
from .influxql import Duration, is_several

#: What a user may be allowed to do with a database.
Privilege: TypeAlias = Literal["read", "write", "all"]

# Databases and retention policies. CREATE DATABASE and DROP DATABASE are in `ops`.


def list_databases() -> Op[list[str]]:
    """Give the names of the databases that this user may see."""
    return query("SHOW DATABASES").map(objects.names)


def list_retention_policies(db: str | None = None) -> Op[list[RetentionPolicy]]:
    """Give the retention policies of a database."""
    return query("SHOW RETENTION POLICIES", db=db).map(objects.retention_policies)


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

    Raises:
        QueryError: there is no such database, the policy exists with other settings, or the server refuses these.
    """
    settings = policy("INF" if duration is None else duration, replication, shard_duration)
    options = settings, flag("default", default, "DEFAULT"), write_limits(future_write_limit, past_write_limit)
    return _do("CREATE RETENTION POLICY", identifier("name", name), "ON", identifier("db", db), *options)


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

    Raises:
        ValueError: nothing is to be changed.
        QueryError: there is no such policy, or the server refuses the settings.
    """
    settings = policy(duration, replication, shard_duration)
    options = settings, flag("default", default, "DEFAULT"), write_limits(future_write_limit, past_write_limit)
    if not any(options):
        msg = "alter_retention_policy: say what to change: duration, replication, shard_duration, default or a limit"
        raise ValueError(msg)
    return _do("ALTER RETENTION POLICY", identifier("name", name), "ON", identifier("db", db), *options)


def drop_retention_policy(name: str, db: str) -> Op[None]:
    """Delete a retention policy with all its points; nothing happens if there is none.

    Without its default policy a database takes no writes that name none.
    """
    return _do("DROP RETENTION POLICY", identifier("name", name), "ON", identifier("db", db))


# Users and what they may do.


def list_users() -> Op[list[User]]:
    """Give the users."""
    return query("SHOW USERS").map(objects.users)


def create_user(user: str, password: str, *, admin: bool = False) -> Op[None]:
    """Create a user; nothing happens if there is one with this password.

    Args:
        user: the name.
        password: the password, in the clear.
        admin: whether the user may do everything. The first user of a server that asks for passwords must.

    Raises:
        QueryError: the user exists with another password.
    """
    privileges = flag("admin", admin, "WITH ALL PRIVILEGES")
    return _do("CREATE USER", identifier("user", user), "WITH PASSWORD", string("password", password), privileges)


def set_password(user: str, password: str) -> Op[None]:
    """Give a user another password, which only an admin may.

    Raises:
        QueryError: there is no such user.
    """
    return _do("SET PASSWORD FOR", identifier("user", user), "=", string("password", password))


def drop_user(user: str) -> Op[None]:
    """Delete a user.

    Raises:
        QueryError: there is no such user.
    """
    return _do("DROP USER", identifier("user", user))


def list_grants(user: str) -> Op[list[Grant]]:
    """Give what a user may do, by database. An admin may do everything without any.

    Raises:
        QueryError: there is no such user.
    """
    return query(f"SHOW GRANTS FOR {identifier('user', user)}").map(objects.grants)


def grant(privilege: Privilege, db: str, user: str) -> Op[None]:
    """Allow a user to use a database. It replaces what was granted before: after `read`, `write` is `write` alone.

    Args:
        privilege: `read`, `write` or `all`.
        db: the database.
        user: the user.

    Raises:
        QueryError: there is no such database or user.
    """
    return _do("GRANT", _privilege(privilege), "ON", identifier("db", db), "TO", identifier("user", user))


def revoke(privilege: Privilege, db: str, user: str) -> Op[None]:
    """Take from a user what was granted on a database: of `all`, `write` leaves `read`.

    Args:
        privilege: `read`, `write` or `all`.
        db: the database.
        user: the user.

    Raises:
        QueryError: there is no such database or user.
    """
    return _do("REVOKE", _privilege(privilege), "ON", identifier("db", db), "FROM", identifier("user", user))


def grant_admin(user: str) -> Op[None]:
    """Make a user an admin.

    Raises:
        QueryError: there is no such user.
    """
    return _do("GRANT ALL PRIVILEGES TO", identifier("user", user))


def revoke_admin(user: str) -> Op[None]:
    """Make an admin a user like others, with what was granted by database.

    Raises:
        QueryError: there is no such user.
    """
    return _do("REVOKE ALL PRIVILEGES FROM", identifier("user", user))


# Continuous queries and subscriptions.


def list_continuous_queries() -> Op[list[ContinuousQuery]]:
    """Give the continuous queries of all databases."""
    return query("SHOW CONTINUOUS QUERIES").map(objects.continuous_queries)


def create_continuous_query(
    name: str,
    db: str,
    q: str,
    *,
    resample_every: Duration | None = None,
    resample_for: Duration | None = None,
    params: Mapping[str, object] | None = None,
) -> Op[None]:
    """Have the server run a query again and again; nothing happens if the same exists.

    Args:
        name: its name.
        db: the database that it belongs to.
        q: one statement `SELECT ... INTO ... GROUP BY time(...)`.
        resample_every: how often it is run; None for as often as a new interval of `GROUP BY time` begins.
        resample_for: for how long an interval is computed again after it began; None for its own length.
        params: values for `$name` in the query, which are fixed with it.

    Raises:
        QueryError: it exists otherwise, or the server refuses the query.
    """
    every = option("EVERY", "resample_every", resample_every)
    length = option("FOR", "resample_for", resample_for)
    # On lines of their own, so that a comment at the end of the query ends there.
    begin = f"BEGIN\n{text('q', q)}\nEND"
    resample = "RESAMPLE" if every or length else ""
    head = ("CREATE CONTINUOUS QUERY", identifier("name", name), "ON", identifier("db", db))
    return query(statement(*head, resample, every, length, begin), params=params).map(objects.nothing)


def drop_continuous_query(name: str, db: str) -> Op[None]:
    """Delete a continuous query; nothing happens if there is none."""
    return _do("DROP CONTINUOUS QUERY", identifier("name", name), "ON", identifier("db", db))


def list_subscriptions() -> Op[list[Subscription]]:
    """Give the subscriptions of all databases."""
    return query("SHOW SUBSCRIPTIONS").map(objects.subscriptions)


def create_subscription(
    name: str, db: str, rp: str, destinations: str | Iterable[str], *, mode: Literal["all", "any"] = "all"
) -> Op[None]:
    """Have the server send a copy of what is written somewhere else, too.

    Args:
        name: its name.
        db: the database whose writes are copied.
        rp: the retention policy of it.
        destinations: URLs that begin with `http://`, `https://` or `udp://`.
        mode: whether `all` of them get it, or in turns `any` one.

    Raises:
        QueryError: there is no such database or policy, or a subscription of this name, or the server refuses a URL.
    """
    urls = [string("destinations", url) for url in several("destinations", destinations)]
    if mode not in {"all", "any"}:
        msg = f"mode: must be 'all' or 'any', not {mode!r}"
        raise ValueError(msg)
    policy = f"{identifier('db', db)}.{identifier('rp', rp)}"
    target = f"DESTINATIONS {mode.upper()} {', '.join(urls)}"
    return _do("CREATE SUBSCRIPTION", identifier("name", name), "ON", policy, target)


def drop_subscription(name: str, db: str, rp: str) -> Op[None]:
    """Delete a subscription.

    Raises:
        QueryError: there is none.
    """
    return _do("DROP SUBSCRIPTION", identifier("name", name), "ON", f"{identifier('db', db)}.{identifier('rp', rp)}")


# The server itself.


def list_shards() -> Op[list[Shard]]:
    """Give the shards of all databases."""
    return query("SHOW SHARDS").map(objects.shards)


def list_shard_groups() -> Op[list[ShardGroup]]:
    """Give the shard groups of all databases."""
    return query("SHOW SHARD GROUPS").map(objects.shard_groups)


def drop_shard(shard_id: int) -> Op[None]:
    """Delete a shard with all its points; nothing happens if there is none."""
    return _do("DROP SHARD", number("shard_id", shard_id, 0))


def list_queries() -> Op[list[RunningQuery]]:
    """Give the queries that the server is executing, this one included."""
    return query("SHOW QUERIES").map(objects.running_queries)


def kill_query(qid: int) -> Op[None]:
    """End a query that is running, by the number that `list_queries` tells.

    Raises:
        QueryError: there is no such query.
    """
    return _do("KILL QUERY", number("qid", qid, 0))


def stats(module: str | None = None) -> Op[list[Statistics]]:
    """Give what the server has counted since it was started; of one module (`"httpd"`), or of all.

    The module `indexes`, which costs the server some time, is only given where it is named.
    """
    return query(statement("SHOW STATS", _for(module))).map(objects.statistics)


def diagnostics(module: str | None = None) -> Op[list[Diagnostics]]:
    """Give what the server tells about its version, settings and state; of one module (`"build"`), or of all."""
    return query(statement("SHOW DIAGNOSTICS", _for(module))).map(objects.diagnostics)


def explain(
    q: str, *, db: str | None = None, rp: str | None = None, params: Mapping[str, object] | None = None
) -> Op[str]:
    """Give the server's plan for a query, as lines of text.

    Args:
        q: one SELECT statement.
        db: the database of measurements that name none; the client's own where it is None.
        rp: the retention policy of measurements that name none.
        params: values for `$name` in the query.

    Raises:
        QueryError: the server refused the query.
        ValueError: these are several statements.
    """
    return query(f"EXPLAIN {_one(q)}", db=db, rp=rp, params=params).map(objects.plan)


def explain_analyze(
    q: str, *, db: str | None = None, rp: str | None = None, params: Mapping[str, object] | None = None
) -> Op[str]:
    """Execute a query and give what the server did for it and how long that took, as lines of text.

    Args:
        q: one SELECT statement.
        db: the database of measurements that name none; the client's own where it is None.
        rp: the retention policy of measurements that name none.
        params: values for `$name` in the query.

    Raises:
        QueryError: the server refused the query.
        ValueError: these are several statements.
    """
    return query(f"EXPLAIN ANALYZE {_one(q)}", db=db, rp=rp, params=params).map(objects.plan)


def _one(q: str) -> str:
    if is_several(text("q", q)):
        msg = "q: must be one statement, of which the plan is given; a second one would be executed"
        raise ValueError(msg)
    return q


def _do(*parts: str) -> Op[None]:
    return query(statement(*parts)).map(objects.nothing)


def _for(module: str | None) -> str:
    return "" if module is None else f"FOR {string('module', module)}"


def _privilege(privilege: str) -> str:
    if privilege not in {"read", "write", "all"}:
        msg = f"privilege: must be 'read', 'write' or 'all', not {privilege!r}"
        raise ValueError(msg)
    return privilege.upper()
