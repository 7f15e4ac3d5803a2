"""Statements about what is stored: listing, counting and deleting it. See `admin` on the arguments."""

from __future__ import annotations

from collections.abc import Iterable

from . import _admin_objects as objects
from ._admin_objects import FieldKey, SeriesKey, TagKey, TagValue
from ._clauses import Name, Not, Tags, flag, from_, matches, page, statement, where, which, with_key
from ._op import Op
from ._query import query
from ._result import QueryResult
from .influxql import quote_identifier


def list_measurements(
    measurement: Name | None = None,
    *,
    db: str | None = None,
    tags: Tags | None = None,
    limit: int | None = None,
    offset: int | None = None,
) -> Op[list[str]]:
    """Give the names of measurements; `influx_proto.admin` tells the arguments.

    Of a database that does not exist it gives none.
    """
    only = "" if measurement is None else f"WITH MEASUREMENT {matches('measurement', measurement, quote_identifier)}"
    return _ask("SHOW MEASUREMENTS", only, where(tags), page(limit, offset), db=db).map(objects.names)


def list_series(
    measurement: Name | None = None,
    *,
    db: str | None = None,
    tags: Tags | None = None,
    start: object = None,
    end: object = None,
    limit: int | None = None,
    offset: int | None = None,
) -> Op[list[SeriesKey]]:
    """Give series; `influx_proto.admin` tells the arguments.

    A span of time is rounded to shards: series that have points in one of these.
    """
    clauses = from_(measurement), where(tags, start, end), page(limit, offset)
    return _ask("SHOW SERIES", *clauses, db=db).map(objects.series_keys)


def list_tag_keys(
    measurement: Name | None = None,
    *,
    db: str | None = None,
    tags: Tags | None = None,
    start: object = None,
    end: object = None,
    limit: int | None = None,
    offset: int | None = None,
) -> Op[list[TagKey]]:
    """Give the tags that series have, by measurement; `influx_proto.admin` tells the arguments.

    A span of time is rounded to shards, and ignored where the server keeps its index of series in memory.
    """
    clauses = from_(measurement), where(tags, start, end), page(limit, offset)
    return _ask("SHOW TAG KEYS", *clauses, db=db).map(objects.tag_keys)


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
    """
    clauses = from_(measurement), with_key(key), where(tags, start, end), page(limit, offset)
    return _ask("SHOW TAG VALUES", *clauses, db=db).map(objects.tag_values)


def list_field_keys(
    measurement: Name | None = None, *, db: str | None = None, limit: int | None = None, offset: int | None = None
) -> Op[list[FieldKey]]:
    """Give the fields that points have, by measurement; `influx_proto.admin` tells the arguments."""
    return _ask("SHOW FIELD KEYS", from_(measurement), page(limit, offset), db=db).map(objects.field_keys)


# How much of it there is.


def series_cardinality(
    measurement: Name | None = None, *, db: str | None = None, tags: Tags | None = None, exact: bool = False
) -> Op[int]:
    """Count series; `influx_proto.admin` tells the arguments.

    Without `exact` the number of all series of a database is an estimate, which takes far less of the server's time.
    """
    return _cardinality("SERIES", exact, from_(measurement), where(tags), db=db)


def measurement_cardinality(
    measurement: Name | None = None, *, db: str | None = None, tags: Tags | None = None, exact: bool = False
) -> Op[int]:
    """Count measurements; `influx_proto.admin` tells the arguments.

    Without `exact` the number of all measurements of a database is an estimate.
    """
    return _cardinality("MEASUREMENT", exact, from_(measurement), where(tags), db=db)


def tag_key_cardinality(
    measurement: Name | None = None, *, db: str | None = None, tags: Tags | None = None, exact: bool = False
) -> Op[int]:
    """Count the tags that series have; `influx_proto.admin` tells the arguments.

    A tag counts once for each measurement that has it.
    """
    return _cardinality("TAG KEY", exact, from_(measurement), where(tags), db=db)


def tag_values_cardinality(
    key: Name | Not | Iterable[str],
    measurement: Name | None = None,
    *,
    db: str | None = None,
    tags: Tags | None = None,
    exact: bool = False,
) -> Op[int]:
    """Count the values that tags have; see `list_tag_values` for the arguments.

    A value counts once for each measurement and tag that have it.
    """
    return _cardinality("TAG VALUES", exact, from_(measurement), with_key(key), where(tags), db=db)


def field_key_cardinality(measurement: Name | None = None, *, db: str | None = None, exact: bool = False) -> Op[int]:
    """Count the fields that points have; `influx_proto.admin` tells the arguments.

    A field counts once for each measurement that has it.
    """
    return _cardinality("FIELD KEY", exact, from_(measurement), db=db)


# Deleting.


def delete(
    measurement: Name | None = None,
    *,
    tags: Tags | None = None,
    start: object = None,
    end: object = None,
    db: str | None = None,
) -> Op[None]:
    """Delete points from all retention policies of a database; `influx_proto.admin` tells the arguments.

    Raises:
        ValueError: nothing says which. All points of a database are those of `re.compile("")`.
    """
    return _ask("DELETE", *which("delete", measurement, tags, start, end), db=db).map(objects.nothing)


def drop_series(measurement: Name | None = None, *, tags: Tags | None = None, db: str | None = None) -> Op[None]:
    """Delete series with all their points; `influx_proto.admin` tells the arguments.

    Raises:
        ValueError: nothing says which. All series of a database are those of `re.compile("")`.
    """
    return _ask("DROP SERIES", *which("drop_series", measurement, tags), db=db).map(objects.nothing)


def _cardinality(what: str, exact: object, *clauses: str, db: str | None) -> Op[int]:
    return _ask("SHOW", what, flag("exact", exact, "EXACT"), "CARDINALITY", *clauses, db=db).map(objects.cardinality)


def _ask(*clauses: str, db: str | None) -> Op[QueryResult]:
    return query(statement(*clauses), db=db)
