"""Builders of InfluxQL clauses. They quote all user input. Errors name the argument."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

from .._checks import check_bool, check_int, check_limit, check_mapping
from .._public_names import exported_by
from .quote import Duration, quote_duration, quote_identifier, quote_regex, quote_string, quote_time, quoted

#: A name, or a pattern that names must match (with `re.search`).
Name: TypeAlias = str | re.Pattern[str]


@exported_by("influx_proto.admin")
class Not(NamedTuple):
    """Exclude a name or value, or all that match a pattern. Series without the tag are not excluded."""

    value: str | re.Pattern[str]


#: Names that InfluxQL does not read as a tag, even quoted.
_RESERVED_NAMES: Final = {"time": "the time", "_name": "the measurement", "_tagKey": "the name of a tag"}

Tags: TypeAlias = Mapping[str, str | re.Pattern[str] | Not]


def statement(*parts: str) -> str:
    """Return the parts that are not empty, separated by spaces."""
    return " ".join(part for part in parts if part)


def identifier(argument: str, name: str) -> str:
    return quoted(argument, quote_identifier, name)


def name_on_db(name: str, db: str) -> str:
    return f"{identifier('name', name)} ON {identifier('db', db)}"


def string(argument: str, value: str) -> str:
    return quoted(argument, quote_string, value)


def number(argument: str, value: object, least: int) -> str:
    return str(int(check_int(argument, value, least)))


def duration_clause(words: str, argument: str, duration: Duration | None) -> str:
    return "" if duration is None else f"{words} {quoted(argument, quote_duration, duration)}"


def policy_settings(duration: Duration | None, replication: int | None, shard_duration: Duration | None) -> str:
    shards = duration_clause("SHARD DURATION", "shard_duration", shard_duration)
    if shards.endswith("INF"):  # CREATE DATABASE would ignore it
        raise ValueError("shard_duration: must be finite")
    return statement(
        duration_clause("DURATION", "duration", duration),
        "" if replication is None else f"REPLICATION {number('replication', replication, 1)}",
        shards,
    )


def write_limits(future: Duration | None, past: Duration | None) -> str:
    return statement(
        duration_clause("FUTURE LIMIT", "future_write_limit", future),
        duration_clause("PAST LIMIT", "past_write_limit", past),
    )


def words_if(argument: str, value: object, words: str) -> str:
    """Return the words if a flag is True, and an empty string if it is False."""
    return words if check_bool(argument, value) else ""


def as_list(argument: str, values: str | Iterable[str]) -> list[str]:
    if isinstance(values, str):
        return [values]
    if not isinstance(values, Iterable):
        raise TypeError(f"{argument}: must be a str or an iterable of str, not {type(values).__name__}")
    found = list(values)
    if not found:
        raise ValueError(f"{argument}: must not be empty")
    return found


def comparison(argument: str, value: Name | Not, quote: Callable[[str], str]) -> str:
    negation, value = ("!", value.value) if isinstance(value, Not) else ("", value)
    if isinstance(value, re.Pattern):
        return f"{negation or '='}~ {quoted(argument, quote_regex, value)}"
    return f"{negation}= {quoted(argument, quote, value)}"


def from_clause(measurement: Name | None) -> str:
    if measurement is None:
        return ""
    if isinstance(measurement, re.Pattern):
        return f"FROM {quoted('measurement', quote_regex, measurement)}"
    return f"FROM {identifier('measurement', measurement)}"


def key_clause(key: Name | Not | Iterable[str]) -> str:
    if isinstance(key, str | re.Pattern | Not):
        return f"WITH KEY {comparison('key', key, quote_identifier)}"
    return f"WITH KEY IN ({', '.join(identifier('key', name) for name in as_list('key', key))})"


def where_clause(tags: Tags | None, start: object = None, end: object = None) -> str:
    conditions = (
        [] if tags is None else [_tag_condition(key, value) for key, value in check_mapping("tags", tags).items()]
    )
    if start is not None:
        conditions.append(f"time >= {quoted('start', quote_time, start)}")
    if end is not None:
        conditions.append(f"time < {quoted('end', quote_time, end)}")
    return f"WHERE {' AND '.join(conditions)}" if conditions else ""


def _tag_condition(key: str, value: Name | Not) -> str:
    name = identifier("tags", key)
    # DELETE would compare `time` with the timestamp, and for `_name` delete a whole measurement.
    if (meaning := _RESERVED_NAMES.get("time" if key.lower() == "time" else key)) is not None:
        raise ValueError(f"tags: {key!r} means {meaning} in InfluxQL, even quoted, so the tag cannot be selected")
    # `::tag` is required if a field has the same name: without it the condition would compare the field.
    return f"{name}::tag {comparison(f'tags: {key!r}', value, quote_string)}"


def delete_conditions(operation: str, measurement: Name | None, *conditions: Any) -> tuple[str, str]:
    clauses = from_clause(measurement), where_clause(*conditions)
    if not any(clauses):
        raise ValueError(f"{operation}: no condition; to delete everything, pass measurement=re.compile('')")
    return clauses


def paging_clause(limit: int | None, offset: int | None) -> str:
    limit_clause = "" if check_limit("limit", limit) is None else f"LIMIT {limit}"
    return statement(limit_clause, "" if offset is None else f"OFFSET {number('offset', offset, 0)}")
