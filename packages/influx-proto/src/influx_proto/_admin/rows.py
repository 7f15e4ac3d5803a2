"""Readers of the rows of SHOW results.

Columns are looked up by name, since their number and order differ between versions of InfluxDB.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, TypeVar

from .._errors import ProtocolError
from .._influxql.quote import go_duration_ns
from .._repr import short_repr
from .._result.result import QueryResult
from .._result.series import Series

T = TypeVar("T")


class Row(dict[str, Any]):
    """A row, by column. Raises `ProtocolError` for a missing column."""

    def __missing__(self, column: str) -> Any:
        raise ProtocolError(f"the response has no column {column!r}; it has {', '.join(self)}")

    def text(self, column: str) -> str:
        """Return a string of the row. Raises `ProtocolError` if it is not a string."""
        value = self[column]
        if not isinstance(value, str):
            raise invalid_value(column, value)
        return value


def invalid_value(column: str, value: object) -> ProtocolError:
    """Return the error for a value of a result that has another type or format."""
    return ProtocolError(f"invalid value {short_repr(value)} in the column {column!r} of the response")


def rows(result: QueryResult) -> Iterator[tuple[Series, Row]]:
    """Return the rows of all series, each with its series."""
    for series in result.series:
        for values in series.values:
            if len(values) != len(series.columns):
                raise ProtocolError(f"the response has a row of {len(values)} values for {len(series.columns)} columns")
            yield series, Row(zip(series.columns, values, strict=True))


def each_row(read: Callable[[Series, Row], T]) -> Callable[[QueryResult], list[T]]:
    """Return a reader of results that returns `read(series, row)` for each row."""
    return lambda result: [read(series, row) for series, row in rows(result)]


#: Returns the names in the result of SHOW DATABASES or SHOW MEASUREMENTS.
read_names: Callable[[QueryResult], list[str]] = each_row(lambda _, row: row["name"])


def read_duration(row: Row, column: str) -> timedelta:
    """Return a duration of a row, floored to microseconds."""
    try:
        return timedelta(microseconds=go_duration_ns(row.text(column)) // 1_000)
    except (ValueError, OverflowError):
        raise invalid_value(column, row[column]) from None


def read_time(row: Row, column: str) -> datetime:
    """Return a time of a row."""
    # Not converted to int64 nanoseconds: the expiry of a shard may lie beyond their range.
    try:
        return datetime.fromisoformat(row.text(column))
    except ValueError:
        raise invalid_value(column, row[column]) from None
