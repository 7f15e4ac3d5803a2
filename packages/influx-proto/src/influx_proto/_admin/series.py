"""Listing, counting and deleting of series. The docstring of `admin` describes the arguments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from .._errors import ProtocolError
from .._http.timeout import TimeoutLike
from .._influxql.clauses import (
    Name,
    Not,
    Tags,
    comparison,
    delete_conditions,
    from_clause,
    identifier,
    key_clause,
    paging_clause,
    where_clause,
    words_if,
)
from .._influxql.quote import quote_identifier
from .._line_protocol.scan import ScanError, scan_series
from .._public_names import exported_by
from .._query.query import query
from .._repr import short_repr
from .._result.result import QueryResult
from .._runtime.op import Op
from .rows import each_row, invalid_value, read_names, rows
from .statement import execute, statement_op


def list_measurements(
    measurement: Name | None = None,
    *,
    db: str | None = None,
    tags: Tags | None = None,
    limit: int | None = None,
    offset: int | None = None,
    timeout: TimeoutLike | None = None,
) -> Op[list[str]]:
    """Return the names of measurements. The docstring of `influx_proto.admin` describes the arguments.

    The list is empty if the database does not exist.
    """
    name_clause = (
        "" if measurement is None else f"WITH MEASUREMENT {comparison('measurement', measurement, quote_identifier)}"
    )
    return statement_op(
        "SHOW MEASUREMENTS", name_clause, where_clause(tags), paging_clause(limit, offset), db=db, timeout=timeout
    ).map(read_names)


def list_series(
    measurement: Name | None = None,
    *,
    db: str | None = None,
    tags: Tags | None = None,
    start: object = None,
    end: object = None,
    limit: int | None = None,
    offset: int | None = None,
    timeout: TimeoutLike | None = None,
) -> Op[list[SeriesKey]]:
    """Return series. The docstring of `influx_proto.admin` describes the arguments.

    `start` and `end` select whole shards: the list holds each series with points in one of these shards.
    """
    clauses = from_clause(measurement), where_clause(tags, start, end), paging_clause(limit, offset)
    return statement_op("SHOW SERIES", *clauses, db=db, timeout=timeout).map(
        each_row(lambda _, row: _series_key(row.text("key")))
    )


def list_tag_keys(
    measurement: Name | None = None,
    *,
    db: str | None = None,
    tags: Tags | None = None,
    start: object = None,
    end: object = None,
    limit: int | None = None,
    offset: int | None = None,
    timeout: TimeoutLike | None = None,
) -> Op[list[TagKey]]:
    """Return the tag keys of each measurement. The docstring of `influx_proto.admin` describes the arguments.

    `start` and `end` select whole shards. A server with an in-memory index of series ignores them.
    """
    clauses = from_clause(measurement), where_clause(tags, start, end), paging_clause(limit, offset)
    return statement_op("SHOW TAG KEYS", *clauses, db=db, timeout=timeout).map(
        each_row(lambda series, row: TagKey(series.name, row["tagKey"]))
    )


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
    timeout: TimeoutLike | None = None,
) -> Op[list[TagValue]]:
    """Return the values of tags, by measurement. The docstring of `influx_proto.admin` describes the other arguments.

    `key` is a tag key, several tag keys, a pattern that tag keys must match, or `Not(...)` of a tag key or pattern to
    exclude. `start` and `end` select whole shards. A server with an in-memory index of series ignores them.
    """
    clauses = from_clause(measurement), key_clause(key), where_clause(tags, start, end), paging_clause(limit, offset)
    return statement_op("SHOW TAG VALUES", *clauses, db=db, timeout=timeout).map(
        each_row(lambda series, row: TagValue(series.name, row["key"], row["value"]))
    )


def list_field_keys(
    measurement: Name | None = None,
    *,
    db: str | None = None,
    limit: int | None = None,
    offset: int | None = None,
    timeout: TimeoutLike | None = None,
) -> Op[list[FieldKey]]:
    """Return the field keys of each measurement. The docstring of `influx_proto.admin` describes the arguments."""
    return statement_op(
        "SHOW FIELD KEYS", from_clause(measurement), paging_clause(limit, offset), db=db, timeout=timeout
    ).map(each_row(lambda series, row: FieldKey(series.name, row["fieldKey"], row["fieldType"])))


# Counting.


def series_cardinality(
    measurement: Name | None = None,
    *,
    db: str | None = None,
    tags: Tags | None = None,
    exact: bool = False,
    timeout: TimeoutLike | None = None,
) -> Op[int]:
    """Count series. The docstring of `influx_proto.admin` describes the arguments.

    Without `exact` the count of all series of a database is an estimate, which is much cheaper for the server.
    """
    return _cardinality("SERIES", exact, from_clause(measurement), where_clause(tags), db=db, timeout=timeout)


def measurement_cardinality(
    measurement: Name | None = None,
    *,
    db: str | None = None,
    tags: Tags | None = None,
    exact: bool = False,
    timeout: TimeoutLike | None = None,
) -> Op[int]:
    """Count measurements. The docstring of `influx_proto.admin` describes the arguments.

    Without `exact` the count of all measurements of a database is an estimate.
    """
    return _cardinality("MEASUREMENT", exact, from_clause(measurement), where_clause(tags), db=db, timeout=timeout)


def tag_key_cardinality(
    measurement: Name | None = None,
    *,
    db: str | None = None,
    tags: Tags | None = None,
    exact: bool = False,
    timeout: TimeoutLike | None = None,
) -> Op[int]:
    """Count tag keys. The docstring of `influx_proto.admin` describes the arguments.

    A tag key counts once for each measurement that has it.
    """
    return _cardinality("TAG KEY", exact, from_clause(measurement), where_clause(tags), db=db, timeout=timeout)


def tag_values_cardinality(
    key: Name | Not | Iterable[str],
    measurement: Name | None = None,
    *,
    db: str | None = None,
    tags: Tags | None = None,
    exact: bool = False,
    timeout: TimeoutLike | None = None,
) -> Op[int]:
    """Count the values of tags; see `list_tag_values` for the arguments.

    A value counts once for each measurement and tag key that have it.
    """
    return _cardinality(
        "TAG VALUES", exact, from_clause(measurement), key_clause(key), where_clause(tags), db=db, timeout=timeout
    )


def field_key_cardinality(
    measurement: Name | None = None,
    *,
    db: str | None = None,
    exact: bool = False,
    timeout: TimeoutLike | None = None,
) -> Op[int]:
    """Count field keys. The docstring of `influx_proto.admin` describes the arguments.

    A field key counts once for each measurement that has it.
    """
    return _cardinality("FIELD KEY", exact, from_clause(measurement), db=db, timeout=timeout)


# Deleting.


def drop_series(
    measurement: Name | None = None,
    *,
    tags: Tags | None = None,
    db: str | None = None,
    timeout: TimeoutLike | None = None,
) -> Op[None]:
    """Delete series with all their points. The docstring of `influx_proto.admin` describes the arguments.

    Raises:
        ValueError: all conditions are None. To delete all series of a database, pass `re.compile("")` as `measurement`.
    """
    return execute("DROP SERIES", *delete_conditions("drop_series", measurement, tags), db=db, timeout=timeout)


def _cardinality(subject: str, exact: object, *clauses: str, db: str | None, timeout: TimeoutLike | None) -> Op[int]:
    return statement_op(
        "SHOW", subject, words_if("exact", exact, "EXACT"), "CARDINALITY", *clauses, db=db, timeout=timeout
    ).map(_read_cardinality)


@exported_by("influx_proto.admin")
class SeriesKey(NamedTuple):
    """The key of a series: measurement and tags."""

    measurement: str
    tags: Mapping[str, str]


@exported_by("influx_proto.admin")
class TagKey(NamedTuple):
    """A tag key of a measurement."""

    measurement: str
    key: str


@exported_by("influx_proto.admin")
class TagValue(NamedTuple):
    """A value of a tag in a measurement."""

    measurement: str
    key: str
    value: str


@exported_by("influx_proto.admin")
class FieldKey(NamedTuple):
    """A field key of a measurement. A field with different types in different shards has one `FieldKey` per type."""

    measurement: str
    key: str
    #: `float`, `integer`, `unsigned`, `string` or `boolean`.
    type: str


def _read_cardinality(result: QueryResult) -> int:
    """Read the result of SHOW ... CARDINALITY: one count, or one per measurement."""
    total = 0
    for _, row in rows(result):
        column = "cardinality estimation" if "cardinality estimation" in row else "count"
        if not isinstance(row[column], int):
            raise invalid_value(column, row[column])
        total += row[column]
    return total


def _series_key(text: str) -> SeriesKey:
    """Return the series of a key in line protocol."""
    try:
        measurement, tags, _ = scan_series(text.encode() + b" ", 0)
    except UnicodeEncodeError:
        raise invalid_value("key", text) from None
    except ScanError as error:
        raise ProtocolError(f"invalid series key {short_repr(text)} in the response: {error.reason}") from None
    return SeriesKey(measurement, tags)


def drop_measurement(measurement: str, db: str | None = None, *, timeout: TimeoutLike | None = None) -> Op[QueryResult]:
    """Delete a measurement with all its points, if it exists.

    Args:
        measurement: the name of the measurement.
        db: the database; None for the client's database.
        timeout: replaces the client's timeout for this call, in seconds, as `(connect, idle)` or as a `Timeout`.
    """
    return statement_op("DROP MEASUREMENT", identifier("measurement", measurement), db=db, timeout=timeout)


def show_measurements(db: str | None = None, *, timeout: TimeoutLike | None = None) -> Op[QueryResult]:
    """Return the result of SHOW MEASUREMENTS as the server sends it.

    `list_measurements` returns their names as a list of str, and can filter them.

    Args:
        db: the database; None for the client's database.
        timeout: replaces the client's timeout for this call, in seconds, as `(connect, idle)` or as a `Timeout`.
    """
    return statement_op("SHOW MEASUREMENTS", db=db, timeout=timeout)


def select_all(measurement: str, db: str | None = None, *, timeout: TimeoutLike | None = None) -> Op[QueryResult]:
    """Return all points of a measurement.

    Args:
        measurement: the name of the measurement.
        db: the database; None for the client's database.
        timeout: replaces the client's timeout for this call, in seconds, as `(connect, idle)` or as a `Timeout`.
    """
    return query(f"SELECT * FROM {identifier('measurement', measurement)}", db=db, timeout=timeout)  # noqa: S608 - the name is quoted
