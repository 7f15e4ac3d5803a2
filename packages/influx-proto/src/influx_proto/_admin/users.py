"""Users and their privileges."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

from .._checks import check_choice
from .._http.timeout import TimeoutLike
from .._influxql.clauses import identifier, string, words_if
from .._public_names import exported_by
from .._result.result import QueryResult
from .._result.series import Series
from .._runtime.op import Op
from .rows import Row, each_row
from .statement import execute, statement_op


@exported_by("influx_proto.admin")
class User(NamedTuple):
    """A user of the server."""

    name: str
    #: Whether the user has all privileges.
    admin: bool


@exported_by("influx_proto.admin")
class Grant(NamedTuple):
    """A user's privilege on a database."""

    database: str
    #: `read`, `write`, `all`, or `none` if it has been revoked.
    privilege: str


def _read_grant(_series: Series, row: Row) -> Grant:
    return Grant(row["database"], _read_privilege(row.text("privilege")))


def _read_privilege(text: str) -> str:
    return {"ALL PRIVILEGES": "all", "NO PRIVILEGES": "none"}.get(text, text.lower())


#: A privilege on a database.
Privilege: TypeAlias = Literal["read", "write", "all"]


def list_users(*, timeout: TimeoutLike | None = None) -> Op[list[User]]:
    """Return the users."""
    return statement_op("SHOW USERS", timeout=timeout).map(each_row(lambda _, row: User(row["user"], row["admin"])))


def create_user(username: str, password: str, *, admin: bool = False, timeout: TimeoutLike | None = None) -> Op[None]:
    """Create a user, unless it exists with this password.

    Args:
        username: the name of the user.
        password: the password, in plain text.
        admin: grant all privileges. The first user of a server with authentication enabled must be an admin.
        timeout: replaces the client's timeout for this call, in seconds, as `(connect, idle)` or as a `Timeout`.

    Raises:
        QueryError: the user exists with another password.
    """
    privileges = words_if("admin", admin, "WITH ALL PRIVILEGES")
    return execute(
        "CREATE USER",
        identifier("username", username),
        "WITH PASSWORD",
        string("password", password),
        privileges,
        timeout=timeout,
    )


def set_password(username: str, password: str, *, timeout: TimeoutLike | None = None) -> Op[None]:
    """Change the password of a user. Requires an admin.

    Args:
        username: the name of the user.
        password: the new password.
        timeout: replaces the client's timeout for this call, in seconds, as `(connect, idle)` or as a `Timeout`.

    Raises:
        QueryError: the user does not exist.
    """
    return execute(
        "SET PASSWORD FOR", identifier("username", username), "=", string("password", password), timeout=timeout
    )


def drop_user(username: str, *, timeout: TimeoutLike | None = None) -> Op[None]:
    """Delete a user.

    Args:
        username: the name of the user.
        timeout: replaces the client's timeout for this call, in seconds, as `(connect, idle)` or as a `Timeout`.

    Raises:
        QueryError: the user does not exist.
    """
    return execute("DROP USER", identifier("username", username), timeout=timeout)


def list_grants(username: str, *, timeout: TimeoutLike | None = None) -> Op[list[Grant]]:
    """Return the privileges of a user, by database. An admin needs no grants.

    Args:
        username: the name of the user.
        timeout: replaces the client's timeout for this call, in seconds, as `(connect, idle)` or as a `Timeout`.

    Raises:
        QueryError: the user does not exist.
    """
    return statement_op("SHOW GRANTS FOR", identifier("username", username), timeout=timeout).map(each_row(_read_grant))


def grant(privilege: Privilege, db: str, username: str, *, timeout: TimeoutLike | None = None) -> Op[None]:
    """Grant a user a privilege on a database.

    It replaces an earlier grant: after `read` and then `write`, the user has `write` only.

    Args:
        privilege: `read`, `write` or `all`.
        db: the database.
        username: the user.
        timeout: replaces the client's timeout for this call, in seconds, as `(connect, idle)` or as a `Timeout`.

    Raises:
        QueryError: the database or user does not exist.
    """
    return execute("GRANT", *_privilege_on(privilege, db), "TO", identifier("username", username), timeout=timeout)


def revoke(privilege: Privilege, db: str, username: str, *, timeout: TimeoutLike | None = None) -> Op[None]:
    """Revoke a user's privilege on a database. Revoking `write` from `all` leaves `read`.

    Args:
        privilege: `read`, `write` or `all`.
        db: the database.
        username: the user.
        timeout: replaces the client's timeout for this call, in seconds, as `(connect, idle)` or as a `Timeout`.

    Raises:
        QueryError: the database or user does not exist.
    """
    return execute("REVOKE", *_privilege_on(privilege, db), "FROM", identifier("username", username), timeout=timeout)


def grant_admin(username: str, *, timeout: TimeoutLike | None = None) -> Op[None]:
    """Grant a user all privileges: make the user an admin.

    Args:
        username: the name of the user.
        timeout: replaces the client's timeout for this call, in seconds, as `(connect, idle)` or as a `Timeout`.

    Raises:
        QueryError: the user does not exist.
    """
    return execute("GRANT ALL PRIVILEGES TO", identifier("username", username), timeout=timeout)


def revoke_admin(username: str, *, timeout: TimeoutLike | None = None) -> Op[None]:
    """Revoke the admin privileges of a user. Grants on databases stay.

    Args:
        username: the name of the user.
        timeout: replaces the client's timeout for this call, in seconds, as `(connect, idle)` or as a `Timeout`.

    Raises:
        QueryError: the user does not exist.
    """
    return execute("REVOKE ALL PRIVILEGES FROM", identifier("username", username), timeout=timeout)


def _privilege_on(privilege: str, db: str) -> tuple[str, str, str]:
    check_choice("privilege", privilege, ("read", "write", "all"))
    return privilege.upper(), "ON", identifier("db", db)


def show_users(*, timeout: TimeoutLike | None = None) -> Op[QueryResult]:
    """Return the result of SHOW USERS as the server sends it.

    `list_users` returns the users as a list of objects.
    """
    return statement_op("SHOW USERS", timeout=timeout)
