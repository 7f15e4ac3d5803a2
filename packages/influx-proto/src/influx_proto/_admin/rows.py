"""Readers of the rows of SHOW results.

Columns are looked up by name, since their number and order differ between versions of InfluxDB.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from .._errors import ProtocolError
from .._http.timeout import Timeout
from .._influxql.clauses import statement
from .._influxql.quote import go_duration_ns
from .._query.query import query
from .._repr import short_repr
from .._result.result import QueryResult
from .._result.series import Series
from .._runtime.op import Op


class Row(dict[str, Any]):
    """A row, by column. Raises `ProtocolError` for a missing column."""

    def __missing__(self, column: str) -> Any:
        msg = f"the response has no column {column!r}; it has {', '.join(self)}"
        raise ProtocolError(msg)


def rows(result: QueryResult) -> Iterator[tuple[Series, Row]]:
    """Return the rows of all series, each with its series."""
    for series in result.series:
        for values in series.values:
            yield series, Row(zip(series.columns, values, strict=True))


def ignore_result(_result: QueryResult) -> None:
    """Return None, for statements without a result."""


def read_names(result: QueryResult) -> list[str]:
    """Return the names in the result of SHOW DATABASES or SHOW MEASUREMENTS."""
    return [row["name"] for _, row in rows(result)]


def read_duration(text: str) -> timedelta:
    """Return a duration of a result, floored to microseconds."""
    try:
        return timedelta(microseconds=go_duration_ns(text) // 1_000)
    except (ValueError, OverflowError):
        msg = f"invalid duration {short_repr(text)} in the response"
        raise ProtocolError(msg) from None


def read_time(text: str) -> datetime:
    """Return a time of a result."""
    # Not converted to int64 nanoseconds: the expiry of a shard may lie beyond their range.
    return datetime.fromisoformat(text)


def execute(*parts: str, timeout: float | Timeout | None) -> Op[None]:
    """Return an operation that executes a statement without a result."""
    return query(statement(*parts), timeout=timeout).map(ignore_result)
