"""The clauses that statements are made of. Whatever the user gave is quoted; errors name its argument."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

from .._checks import check_bool, check_int, check_limit, check_mapping
from .quote import Duration, quote_duration, quote_identifier, quote_regex, quote_string, quote_time, quoted

#: A name, or a pattern for all that it finds something in.
Name: TypeAlias = str | re.Pattern[str]


class Not(NamedTuple):
    """All but this name or value, or but those that a pattern finds something in; what has none is not it, either."""

    value: str | re.Pattern[str]


#: What InfluxQL takes for something else than a tag.
_NO_TAGS: Final = {"time": "the time", "_name": "the measurement", "_tagKey": "the name of a tag"}

Tags: TypeAlias = Mapping[str, str | re.Pattern[str] | Not]


def statement(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def identifier(argument: str, name: str) -> str:
    return quoted(argument, quote_identifier, name)


def string(argument: str, value: str) -> str:
    return quoted(argument, quote_string, value)


def number(argument: str, value: object, least: int) -> str:
    return str(int(check_int(argument, value, least)))


def option(words: str, argument: str, duration: Duration | None) -> str:
    return "" if duration is None else f"{words} {quoted(argument, quote_duration, duration)}"


def policy(duration: Duration | None, replication: int | None, shard_duration: Duration | None) -> str:
    shards = option("SHARD DURATION", "shard_duration", shard_duration)
    if shards.endswith("INF"):  # which CREATE DATABASE would pass over
        msg = "shard_duration: must have an end"
        raise ValueError(msg)
    return statement(
        option("DURATION", "duration", duration),
        "" if replication is None else f"REPLICATION {number('replication', replication, 1)}",
        shards,
    )


def write_limits(future: Duration | None, past: Duration | None) -> str:
    return statement(
        option("FUTURE LIMIT", "future_write_limit", future),
        option("PAST LIMIT", "past_write_limit", past),
    )


def flag(argument: str, value: object, words: str) -> str:
    return words if check_bool(argument, value) else ""


def several(argument: str, values: str | Iterable[str]) -> list[str]:
    if isinstance(values, str):
        return [values]
    if not isinstance(values, Iterable):
        msg = f"{argument}: must be a str or several, not {type(values).__name__}"
        raise TypeError(msg)
    found = list(values)
    if not found:
        msg = f"{argument}: must not be empty"
        raise ValueError(msg)
    return found


def matches(argument: str, value: Name | Not, quote: Callable[[str], str]) -> str:
    sign, value = ("!", value.value) if isinstance(value, Not) else ("", value)
    if isinstance(value, re.Pattern):
        return f"{sign or '='}~ {quoted(argument, quote_regex, value)}"
    return f"{sign}= {quoted(argument, quote, value)}"


def from_(measurement: Name | None) -> str:
    if measurement is None:
        return ""
    if isinstance(measurement, re.Pattern):
        return f"FROM {quoted('measurement', quote_regex, measurement)}"
    return f"FROM {identifier('measurement', measurement)}"


def with_key(key: Name | Not | Iterable[str]) -> str:
    if isinstance(key, str | re.Pattern | Not):
        return f"WITH KEY {matches('key', key, quote_identifier)}"
    return f"WITH KEY IN ({', '.join(identifier('key', one) for one in several('key', key))})"


def where(tags: Tags | None, start: object = None, end: object = None) -> str:
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
    # DELETE would take a date for a time, and a `_name` for a measurement to delete as a whole.
    if (other := _NO_TAGS.get("time" if key.lower() == "time" else key)) is not None:
        msg = f"tags: InfluxQL cannot name the tag {key!r}, quoted or not: to it that is {other}"
        raise ValueError(msg)
    # Without `::tag` the name is a field's where there is one of this name, and the condition is nonsense.
    return f"{name}::tag {matches(f'tags: {key!r}', value, quote_string)}"


def which(operation: str, measurement: Name | None, *conditions: Any) -> tuple[str, str]:
    clauses = from_(measurement), where(*conditions)
    if not any(clauses):
        msg = f"{operation}: say what to delete; everything is re.compile('')"
        raise ValueError(msg)
    return clauses


def page(limit: int | None, offset: int | None) -> str:
    most = "" if check_limit("limit", limit) is None else f"LIMIT {limit}"
    return statement(most, "" if offset is None else f"OFFSET {number('offset', offset, 0)}")
