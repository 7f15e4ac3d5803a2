"""Rows of SHOW results by column, and what their values mean.

Columns are found by name: versions of InfluxDB have more or fewer of them, in another order.
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
from .._result.result import QueryResult, Series
from .._runtime.op import Op


class Row(dict[str, Any]):
    """A row by column; one that must be there and is not is an error."""

    def __missing__(self, column: str) -> Any:
        msg = f"the answer has no column {column!r}; it has {', '.join(self)}"
        raise ProtocolError(msg)


def rows(result: QueryResult) -> Iterator[tuple[Series, Row]]:
    for series in result.series:
        for values in series.values:
            yield series, Row(zip(series.columns, values, strict=True))


def read_nothing(_result: QueryResult) -> None:
    """Read the answer of a statement that has none."""


def read_names(result: QueryResult) -> list[str]:
    """Read the answer to SHOW DATABASES and SHOW MEASUREMENTS."""
    return [row["name"] for _, row in rows(result)]


def read_duration(text: str) -> timedelta:
    """Return a duration of a result, floored to microseconds."""
    try:
        return timedelta(microseconds=go_duration_ns(text) // 1_000)
    except (ValueError, OverflowError):
        msg = f"invalid duration {text!r} in the response"
        raise ProtocolError(msg) from None


def read_time(text: str) -> datetime:
    # Not as nanoseconds: the expiry of a shard may be later than InfluxDB's last one.
    return datetime.fromisoformat(text)


def change(*parts: str, timeout: float | Timeout | None) -> Op[None]:
    """Return the operation of a statement that has no result."""
    return query(statement(*parts), timeout=timeout).map(read_nothing)
