"""Administration statements, with the note on the error of a server that does not execute them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Final

from .._http.messages import Headers
from .._http.timeout import TimeoutLike
from .._influxql.clauses import statement
from .._query.query import query
from .._result.errors import QueryError
from .._result.result import QueryResult
from .._runtime.op import Op, Receiver

#: Messages of servers that know a statement but do not execute it (InfluxDB 2 and 3), or cannot parse it (InfluxDB 3).
_UNSUPPORTED: Final = re.compile("not implemented: |^invalid query$| at pos [0-9]+$")

#: The operations of InfluxDB 2 and of InfluxDB 3 that replace a statement, by its first words.
_REPLACEMENTS: Final = {
    "CREATE DATABASE": ("create_bucket", "create_database_v3"),
    "DROP DATABASE": ("drop_bucket", "drop_database_v3"),
    "CREATE RETENTION POLICY": ("create_bucket", "create_database_v3"),
    "ALTER RETENTION POLICY": ("update_bucket", "update_database_v3"),
    "DROP RETENTION POLICY": ("drop_bucket", "drop_database_v3"),
}
#: The first words of the statements that InfluxDB 2 executes too.
_EXECUTED_BY_2: Final = re.compile(
    "DELETE|DROP MEASUREMENT|EXPLAIN|SHOW (?:DATABASES|FIELD KEYS|MEASUREMENTS|RETENTION POLICIES|TAG KEYS)"
    "|SHOW (?:SERIES|TAG VALUES)(?! CARDINALITY| EXACT)"
)


def statement_op(
    *parts: str,
    db: str | None = None,
    params: Mapping[str, object] | None = None,
    timeout: TimeoutLike | None,
) -> Op[QueryResult]:
    """Return an operation that executes a statement; its error says which servers execute it, and what replaces it.

    The statement consists of the parts that are not empty.
    """
    q = statement(*parts)
    op = query(q, db=db, params=params, timeout=timeout)
    return replace(op, receiver=partial(_Explained, op.receiver, q))


def execute(
    *parts: str,
    db: str | None = None,
    params: Mapping[str, object] | None = None,
    timeout: TimeoutLike | None,
) -> Op[None]:
    """Return an operation that executes a statement without a result; see `statement_op`."""
    return statement_op(*parts, db=db, params=params, timeout=timeout).map(lambda _result: None)


class _Explained:
    """Receiver that adds a note to the error of a server that does not execute the statement."""

    def __init__(
        self, receiver: Callable[[int, Headers], Receiver[QueryResult]], q: str, status: int, headers: Headers
    ) -> None:
        self._receiver = receiver(status, headers)
        self._statement = q

    def feed(self, data: bytes) -> None:
        try:
            self._receiver.feed(data)
        except QueryError as error:
            self._explain(error)
            raise

    def close(self) -> QueryResult:
        try:
            return self._receiver.close()
        except QueryError as error:
            self._explain(error)
            raise

    def _explain(self, error: QueryError) -> None:
        version = _major_version(error)
        if version is not None and _UNSUPPORTED.search(error.message):
            error.add_note(_note(self._statement, version))


def _major_version(error: QueryError) -> int | None:
    """Return 2 or 3 for the version of the server that does not execute a statement, or None."""
    headers = Headers(error.headers)
    version = headers.get("X-Influxdb-Version", "").removeprefix("v")
    if version.startswith("2.") or error.message.startswith("not implemented: "):
        return 2
    if version.startswith("3.") or "cluster-uuid" in headers or "This feature is not implemented" in error.message:
        return 3
    return None


def _note(q: str, version: int) -> str:
    for name, replacements in _REPLACEMENTS.items():
        if q.startswith(name):
            return f"InfluxDB {version} does not execute {name}; call {replacements[version - 2]}"
    servers = "1.x and 2 execute" if _EXECUTED_BY_2.match(q) else "1.x executes"
    return f"only InfluxDB {servers} this statement"
