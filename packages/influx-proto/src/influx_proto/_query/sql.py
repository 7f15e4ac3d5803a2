"""Queries in SQL, for InfluxDB 3 Core and Enterprise."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from .._http.timeout import TimeoutLike, as_timeout
from .._result.result import QueryResult
from .._runtime.op import Op
from .request import sql_request
from .response import WholeResult


def query_sql(
    q: str,
    *,
    db: str | None = None,
    params: Mapping[str, object] | None = None,
    timeout: TimeoutLike | None = None,
) -> Op[QueryResult]:
    """Execute a query in SQL and return its result: one series without a name or tags. InfluxDB 3 Core or Enterprise.

    The column `time` is the first one, in integer nanoseconds since 1970, and becomes the index of a DataFrame. Give
    other timestamps this name (`date_bin(...) AS time`); otherwise they are strings, in UTC without a zone. Integers
    and floats keep their types. `query_points`, `query_dataframe` and the other queries accept `language="sql"`.

    Args:
        q: one SQL statement.
        db: the database of the query; None for the client's database, or else its bucket.
        params: the values for `$name` in the query: None, str, bool, numbers, Enum members and times. The server binds
            a time as a string in RFC 3339 format. Pass user input here instead of formatting it into `q`.
        timeout: replaces the client's timeout for this call, in seconds, as `(connect, idle)` or as a `Timeout`.

    Raises:
        ValueError: the query is empty, or neither the call nor the client has a database; it is not sent.
        TypeError: a parameter has an unsupported type.
        QueryError: the server rejects the query, or has no SQL.
        QueryTooLarge: the query reads more files than the server allows; query a shorter time range.
        DatabaseNotFound: the database does not exist.
        AuthenticationError: the credentials are invalid or do not permit the query.
        ProtocolError: the response is not from InfluxDB, or is truncated.
    """
    request = sql_request(q, db=db, params=params)
    return Op(request, partial(WholeResult, epoch="ns", language="sql"), as_timeout(timeout))
