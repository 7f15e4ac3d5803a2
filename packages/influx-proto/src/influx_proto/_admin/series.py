"""Statements about what is stored: listing, counting and deleting it. See `admin` on the arguments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from .._errors import ProtocolError
from .._http.timeout import Timeout
from .._influxql.clauses import (
    Name,
    Not,
    Tags,
    flag,
    from_,
    identifier,
    matches,
    page,
    statement,
    where,
    which,
    with_key,
)
from .._influxql.quote import quote_identifier
from .._line_protocol.scan import ScanError, scan_series
from .._query.query import (
    query,
)
from .._result.result import QueryResult
from .._runtime.op import Op
from .rows import read_names, read_nothing, rows


def list_measurements(
    measurement: Name | None = None,
    *,
    db: str | None = None,
    tags: Tags | None = None,
    limit: int | None = None,
    offset: int | None = None,
    timeout: float | Timeout | None = None,
) -> Op[list[str]]:
    """Give the names of measurements; `influx_proto.admin` tells the arguments.

    Of a database that does not exist it gives none.
    """
    only = "" if measurement is None else f"WITH MEASUREMENT {matches('measurement', measurement, quote_identifier)}"
    return _ask("SHOW MEASUREMENTS", only, where(tags), page(limit, offset), db=db, timeout=timeout).map(read_names)


def list_series(
    measurement: Name | None = None,
    *,
    db: str | None = None,
    tags: Tags | None = None,
    start: object = None,
    end: object = None,
    limit: int | None = None,
    offset: int | None = None,
    timeout: float | Timeout | None = None,
) -> Op[list[SeriesKey]]:
    """Give series; `influx_proto.admin` tells the arguments.

    A span of time is rounded to shards: series that have points in one of these.
    """
    clauses = from_(measurement), where(tags, start, end), page(limit, offset)
    return _ask("SHOW SERIES", *clauses, db=db, timeout=timeout).map(_read_series_keys)


def list_tag_keys(
    measurement: Name | None = None,
    *,
    db: str | None = None,
    tags: Tags | None = None,
    start: object = None,
    end: object = None,
    limit: int | None = None,
    offset: int | None = None,
    timeout: float | Timeout | None = None,
) -> Op[list[TagKey]]:
    """Give the tags that series have, by measurement; `influx_proto.admin` tells the arguments.

    A span of time is rounded to shards, and ignored where the server keeps its index of series in memory.
    """
    clauses = from_(measurement), where(tags, start, end), page(limit, offset)
    return _ask("SHOW TAG KEYS", *clauses, db=db, timeout=timeout).map(_read_tag_keys)


def list_tag_values(
    key: Name | Not | Iterable[str],
    measurement: Name | None = None,
    *,
    db: str | None = None,
    tags: Tags | None = None,
    start: object = None,
    end: object = None,
    limit: int | None = None,
    offset: int | None = None,
    timeout: float | Timeout | None = None,
) -> Op[list[TagValue]]:
    """Give the values that tags have, by measurement; `influx_proto.admin` tells the other arguments.

    A span of time is rounded to shards, and ignored where the server keeps its index of series in memory.

    Args:
        key: the tag, or several, or a pattern for all tags in whose name it finds something, or `Not(...)` for all but
            one or those of a pattern.
        measurement: see `influx_proto.admin`.
        db: see `influx_proto.admin`.
        tags: see `influx_proto.admin`.
        start: see `influx_proto.admin`.
        end: see `influx_proto.admin`.
        limit: see `influx_proto.admin`.
        offset: see `influx_proto.admin`.
        timeout: replaces the client's timeout for this call, in seconds or as a `Timeout`.
    """
    clauses = from_(measurement), with_key(key), where(tags, start, end), page(limit, offset)
    return _ask("SHOW TAG VALUES", *clauses, db=db, timeout=timeout).map(_read_tag_values)


def list_field_keys(
    measurement: Name | None = None,
    *,
    db: str | None = None,
    limit: int | None = None,
    offset: int | None = None,
    timeout: float | Timeout | None = None,
) -> Op[list[FieldKey]]:
    """Give the fields that points have, by measurement; `influx_proto.admin` tells the arguments."""
    return _ask("SHOW FIELD KEYS", from_(measurement), page(limit, offset), db=db, timeout=timeout).map(
        _read_field_keys
    )


# How much of it there is.


def series_cardinality(
    measurement: Name | None = None,
    *,
    db: str | None = None,
    tags: Tags | None = None,
    exact: bool = False,
    timeout: float | Timeout | None = None,
) -> Op[int]:
    """Count series; `influx_proto.admin` tells the arguments.

    Without `exact` the number of all series of a database is an estimate, which takes far less of the server's time.
    """
    return _cardinality("SERIES", exact, from_(measurement), where(tags), db=db, timeout=timeout)


def measurement_cardinality(
    measurement: Name | None = None,
    *,
    db: str | None = None,
    tags: Tags | None = None,
    exact: bool = False,
    timeout: float | Timeout | None = None,
) -> Op[int]:
    """Count measurements; `influx_proto.admin` tells the arguments.

    Without `exact` the number of all measurements of a database is an estimate.
    """
    return _cardinality("MEASUREMENT", exact, from_(measurement), where(tags), db=db, timeout=timeout)


def tag_key_cardinality(
    measurement: Name | None = None,
    *,
    db: str | None = None,
    tags: Tags | None = None,
    exact: bool = False,
    timeout: float | Timeout | None = None,
) -> Op[int]:
    """Count the tags that series have; `influx_proto.admin` tells the arguments.

    A tag counts once for each measurement that has it.
    """
    return _cardinality("TAG KEY", exact, from_(measurement), where(tags), db=db, timeout=timeout)


def tag_values_cardinality(
    key: Name | Not | Iterable[str],
    measurement: Name | None = None,
    *,
    db: str | None = None,
    tags: Tags | None = None,
    exact: bool = False,
    timeout: float | Timeout | None = None,
) -> Op[int]:
    """Count the values that tags have; see `list_tag_values` for the arguments.

    A value counts once for each measurement and tag that have it.
    """
    return _cardinality("TAG VALUES", exact, from_(measurement), with_key(key), where(tags), db=db, timeout=timeout)


def field_key_cardinality(
    measurement: Name | None = None,
    *,
    db: str | None = None,
    exact: bool = False,
    timeout: float | Timeout | None = None,
) -> Op[int]:
    """Count the fields that points have; `influx_proto.admin` tells the arguments.

    A field counts once for each measurement that has it.
    """
    return _cardinality("FIELD KEY", exact, from_(measurement), db=db, timeout=timeout)


# Deleting.


def delete(
    measurement: Name | None = None,
    *,
    tags: Tags | None = None,
    start: object = None,
    end: object = None,
    db: str | None = None,
    timeout: float | Timeout | None = None,
) -> Op[None]:
    """Delete points from all retention policies of a database; `influx_proto.admin` tells the arguments.

    Raises:
        ValueError: nothing says which. All points of a database are those of `re.compile("")`.
    """
    return _ask("DELETE", *which("delete", measurement, tags, start, end), db=db, timeout=timeout).map(read_nothing)


def drop_series(
    measurement: Name | None = None,
    *,
    tags: Tags | None = None,
    db: str | None = None,
    timeout: float | Timeout | None = None,
) -> Op[None]:
    """Delete series with all their points; `influx_proto.admin` tells the arguments.

    Raises:
        ValueError: nothing says which. All series of a database are those of `re.compile("")`.
    """
    return _ask("DROP SERIES", *which("drop_series", measurement, tags), db=db, timeout=timeout).map(read_nothing)


def _cardinality(what: str, exact: object, *clauses: str, db: str | None, timeout: float | Timeout | None) -> Op[int]:
    return _ask("SHOW", what, flag("exact", exact, "EXACT"), "CARDINALITY", *clauses, db=db, timeout=timeout).map(
        _read_cardinality
    )


def _ask(*clauses: str, db: str | None, timeout: float | Timeout | None) -> Op[QueryResult]:
    return query(statement(*clauses), db=db, timeout=timeout)


class SeriesKey(NamedTuple):
    """What makes a series: a measurement and tags."""

    measurement: str
    tags: Mapping[str, str]


class TagKey(NamedTuple):
    """A tag that points of a measurement have."""

    measurement: str
    key: str


class TagValue(NamedTuple):
    """A value that a tag has in a measurement."""

    measurement: str
    key: str
    value: str


class FieldKey(NamedTuple):
    """A field that points of a measurement have. With different types in several shards it comes once for each."""

    measurement: str
    key: str
    #: `float`, `integer`, `unsigned`, `string` or `boolean`.
    type: str


def _read_series_keys(result: QueryResult) -> list[SeriesKey]:
    """Read the answer to SHOW SERIES, which has the keys as line protocol writes them."""
    return [_series_key(row["key"]) for _, row in rows(result)]


def _read_tag_keys(result: QueryResult) -> list[TagKey]:
    """Read the answer to SHOW TAG KEYS."""
    return [TagKey(series.name, row["tagKey"]) for series, row in rows(result)]


def _read_tag_values(result: QueryResult) -> list[TagValue]:
    """Read the answer to SHOW TAG VALUES."""
    return [TagValue(series.name, row["key"], row["value"]) for series, row in rows(result)]


def _read_field_keys(result: QueryResult) -> list[FieldKey]:
    """Read the answer to SHOW FIELD KEYS."""
    return [FieldKey(series.name, row["fieldKey"], row["fieldType"]) for series, row in rows(result)]


def _read_cardinality(result: QueryResult) -> int:
    """Read the answer to SHOW ... CARDINALITY: one number, or one for each measurement."""
    total = 0
    for _, row in rows(result):
        total += row["cardinality estimation"] if "cardinality estimation" in row else row["count"]
    return total


def _series_key(text: str) -> SeriesKey:
    try:
        measurement, tags, _ = scan_series(text.encode() + b" ", 0)
    except ScanError as error:
        msg = f"{text!r} is no key of a series: {error.reason}"
        raise ProtocolError(msg) from None
    return SeriesKey(measurement, tags)


def drop_measurement(
    measurement: str, db: str | None = None, *, timeout: float | Timeout | None = None
) -> Op[QueryResult]:
    """Delete a measurement with all its points; nothing happens if there is none.

    Args:
        measurement: the measurement.
        db: the database; the client's own if None.
        timeout: replaces the client's timeout for this call, in seconds or as a `Timeout`.
    """
    return query(f"DROP MEASUREMENT {identifier('measurement', measurement)}", db=db, timeout=timeout)


def show_measurements(db: str | None = None, *, timeout: float | Timeout | None = None) -> Op[QueryResult]:
    """List the measurements of a database.

    Args:
        db: the database; the client's own if None.
        timeout: replaces the client's timeout for this call, in seconds or as a `Timeout`.
    """
    return query("SHOW MEASUREMENTS", db=db, timeout=timeout)


def select_all(measurement: str, db: str | None = None, *, timeout: float | Timeout | None = None) -> Op[QueryResult]:
    """Get all points of a measurement.

    Args:
        measurement: the measurement.
        db: the database; the client's own if None.
        timeout: replaces the client's timeout for this call, in seconds or as a `Timeout`.
    """
    return query(f"SELECT * FROM {identifier('measurement', measurement)}", db=db, timeout=timeout)  # noqa: S608 - it is quoted
