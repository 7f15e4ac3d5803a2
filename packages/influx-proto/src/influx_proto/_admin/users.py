"""Users and what they are allowed to do."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

from .._checks import check_choice
from .._http.timeout import Timeout
from .._influxql.clauses import flag, identifier, string
from .._query.query import query
from .._result.result import QueryResult
from .._runtime.op import Op
from .rows import change, rows


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


def _read_users(result: QueryResult) -> list[User]:
    """Read the answer to SHOW USERS."""
    return [User(row["user"], row["admin"]) for _, row in rows(result)]


def _read_grants(result: QueryResult) -> list[Grant]:
    """Read the answer to SHOW GRANTS."""
    return [Grant(row["database"], _read_privilege(row["privilege"])) for _, row in rows(result)]


def _read_privilege(text: str) -> str:
    return {"ALL PRIVILEGES": "all", "NO PRIVILEGES": "none"}.get(text, text.lower())


#: What a user may be allowed to do with a database.
Privilege: TypeAlias = Literal["read", "write", "all"]


def list_users(*, timeout: float | Timeout | None = None) -> Op[list[User]]:
    """Give the users.

    Args:
        timeout: replaces the client's timeout for this call, in seconds or as a `Timeout`.
    """
    return query("SHOW USERS", timeout=timeout).map(_read_users)


def create_user(user: str, password: str, *, admin: bool = False, timeout: float | Timeout | None = None) -> Op[None]:
    """Create a user; nothing happens if there is one with this password.

    Args:
        user: the name.
        password: the password, in the clear.
        admin: whether the user may do everything. The first user of a server that asks for passwords must.
        timeout: replaces the client's timeout for this call, in seconds or as a `Timeout`.

    Raises:
        QueryError: the user exists with another password.
    """
    privileges = flag("admin", admin, "WITH ALL PRIVILEGES")
    return change(
        "CREATE USER",
        identifier("user", user),
        "WITH PASSWORD",
        string("password", password),
        privileges,
        timeout=timeout,
    )


def set_password(user: str, password: str, *, timeout: float | Timeout | None = None) -> Op[None]:
    """Give a user another password, which only an admin may.

    Args:
        user: the name of the user.
        password: the new password.
        timeout: replaces the client's timeout for this call, in seconds or as a `Timeout`.

    Raises:
        QueryError: there is no such user.
    """
    return change("SET PASSWORD FOR", identifier("user", user), "=", string("password", password), timeout=timeout)


def drop_user(user: str, *, timeout: float | Timeout | None = None) -> Op[None]:
    """Delete a user.

    Args:
        user: the name of the user.
        timeout: replaces the client's timeout for this call, in seconds or as a `Timeout`.

    Raises:
        QueryError: there is no such user.
    """
    return change("DROP USER", identifier("user", user), timeout=timeout)


def list_grants(user: str, *, timeout: float | Timeout | None = None) -> Op[list[Grant]]:
    """Give what a user may do, by database. An admin may do everything without any.

    Args:
        user: the name of the user.
        timeout: replaces the client's timeout for this call, in seconds or as a `Timeout`.

    Raises:
        QueryError: there is no such user.
    """
    return query(f"SHOW GRANTS FOR {identifier('user', user)}", timeout=timeout).map(_read_grants)


def grant(privilege: Privilege, db: str, user: str, *, timeout: float | Timeout | None = None) -> Op[None]:
    """Allow a user to use a database. It replaces what was granted before: after `read`, `write` is `write` alone.

    Args:
        privilege: `read`, `write` or `all`.
        db: the database.
        user: the user.
        timeout: replaces the client's timeout for this call, in seconds or as a `Timeout`.

    Raises:
        QueryError: there is no such database or user.
    """
    return change(
        "GRANT", _privilege(privilege), "ON", identifier("db", db), "TO", identifier("user", user), timeout=timeout
    )


def revoke(privilege: Privilege, db: str, user: str, *, timeout: float | Timeout | None = None) -> Op[None]:
    """Take from a user what was granted on a database: of `all`, `write` leaves `read`.

    Args:
        privilege: `read`, `write` or `all`.
        db: the database.
        user: the user.
        timeout: replaces the client's timeout for this call, in seconds or as a `Timeout`.

    Raises:
        QueryError: there is no such database or user.
    """
    return change(
        "REVOKE", _privilege(privilege), "ON", identifier("db", db), "FROM", identifier("user", user), timeout=timeout
    )


def grant_admin(user: str, *, timeout: float | Timeout | None = None) -> Op[None]:
    """Make a user an admin.

    Args:
        user: the name of the user.
        timeout: replaces the client's timeout for this call, in seconds or as a `Timeout`.

    Raises:
        QueryError: there is no such user.
    """
    return change("GRANT ALL PRIVILEGES TO", identifier("user", user), timeout=timeout)


def revoke_admin(user: str, *, timeout: float | Timeout | None = None) -> Op[None]:
    """Make an admin a user like others, with what was granted by database.

    Args:
        user: the name of the user.
        timeout: replaces the client's timeout for this call, in seconds or as a `Timeout`.

    Raises:
        QueryError: there is no such user.
    """
    return change("REVOKE ALL PRIVILEGES FROM", identifier("user", user), timeout=timeout)


def _privilege(privilege: str) -> str:
    check_choice("privilege", privilege, ("read", "write", "all"))
    return privilege.upper()


def show_users(*, timeout: float | Timeout | None = None) -> Op[QueryResult]:
    """List the users.

    Args:
        timeout: replaces the client's timeout for this call, in seconds or as a `Timeout`.
    """
    return query("SHOW USERS", timeout=timeout)
