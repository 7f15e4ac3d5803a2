"""Rows of SHOW results by column, and what their values mean.

Columns are found by name: versions of InfluxDB have more or fewer of them, in another order.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from .._errors import ProtocolError
from .._http.timeout import Timeout
from .._influxql.clauses import statement
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


#: Go's units in nanoseconds.
_UNITS: Final = {
    "h": 3_600_000_000_000,
    "m": 60_000_000_000,
    "s": 1_000_000_000,
    "ms": 1_000_000,
    "us": 1_000,
    "\N{MICRO SIGN}s": 1_000,
    "ns": 1,
}
_DURATION: Final = re.compile(r"([0-9]+)(?:\.([0-9]+))?(h|ms|m|s|[u\N{MICRO SIGN}]s|ns)")


def read_duration(text: str) -> timedelta:
    """Read a duration as Go prints it: `168h0m0s`, `1m0.5s`, `12.345ms`."""
    if not re.fullmatch(f"(?:{_DURATION.pattern})+", text):
        msg = f"{text!r} is no duration as the server prints it"
        raise ProtocolError(msg)
    ns = 0
    for whole, fraction, unit in _DURATION.findall(text):
        ns += int(whole + fraction) * _UNITS[unit] // 10 ** len(fraction)
    return timedelta(microseconds=ns // 1_000)


def read_time(text: str) -> datetime:
    # Not as nanoseconds: the expiry of a shard may be later than InfluxDB's last one.
    return datetime.fromisoformat(text)


def change(*parts: str, timeout: float | Timeout | None) -> Op[None]:
    """Return the operation of a statement that has no result."""
    return query(statement(*parts), timeout=timeout).map(read_nothing)
