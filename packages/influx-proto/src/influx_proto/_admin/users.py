"""Users and what they are allowed to do."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

from .._checks import choice
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


def list_users() -> Op[list[User]]:
    """Give the users."""
    return query("SHOW USERS").map(_read_users)


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
    return change("CREATE USER", identifier("user", user), "WITH PASSWORD", string("password", password), privileges)


def set_password(user: str, password: str) -> Op[None]:
    """Give a user another password, which only an admin may.

    Raises:
        QueryError: there is no such user.
    """
    return change("SET PASSWORD FOR", identifier("user", user), "=", string("password", password))


def drop_user(user: str) -> Op[None]:
    """Delete a user.

    Raises:
        QueryError: there is no such user.
    """
    return change("DROP USER", identifier("user", user))


def list_grants(user: str) -> Op[list[Grant]]:
    """Give what a user may do, by database. An admin may do everything without any.

    Raises:
        QueryError: there is no such user.
    """
    return query(f"SHOW GRANTS FOR {identifier('user', user)}").map(_read_grants)


def grant(privilege: Privilege, db: str, user: str) -> Op[None]:
    """Allow a user to use a database. It replaces what was granted before: after `read`, `write` is `write` alone.

    Args:
        privilege: `read`, `write` or `all`.
        db: the database.
        user: the user.

    Raises:
        QueryError: there is no such database or user.
    """
    return change("GRANT", _privilege(privilege), "ON", identifier("db", db), "TO", identifier("user", user))


def revoke(privilege: Privilege, db: str, user: str) -> Op[None]:
    """Take from a user what was granted on a database: of `all`, `write` leaves `read`.

    Args:
        privilege: `read`, `write` or `all`.
        db: the database.
        user: the user.

    Raises:
        QueryError: there is no such database or user.
    """
    return change("REVOKE", _privilege(privilege), "ON", identifier("db", db), "FROM", identifier("user", user))


def grant_admin(user: str) -> Op[None]:
    """Make a user an admin.

    Raises:
        QueryError: there is no such user.
    """
    return change("GRANT ALL PRIVILEGES TO", identifier("user", user))


def revoke_admin(user: str) -> Op[None]:
    """Make an admin a user like others, with what was granted by database.

    Raises:
        QueryError: there is no such user.
    """
    return change("REVOKE ALL PRIVILEGES FROM", identifier("user", user))


def _privilege(privilege: str) -> str:
    choice("privilege", privilege, ("read", "write", "all"))
    return privilege.upper()


def show_users() -> Op[QueryResult]:
    """List the users."""
    return query("SHOW USERS")
