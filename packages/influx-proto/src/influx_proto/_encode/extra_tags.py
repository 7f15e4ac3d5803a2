"""Check of extra tags passed as keywords.

`write(..., room="hall")` accepts any keyword as a tag, so a misspelt option, or an option of another library, could
become a tag. These keywords are rejected: the options of the client and of its methods, the options of other libraries,
and names one edit away from an option. The names in `COMMON_TAGS` are accepted. `tags={...}` accepts every name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

from .._checks import check_mapping

#: Names of options that are accepted as tags, since they are also common tag keys.
COMMON_TAGS: Final = frozenset({
    "admin", "default", "deleted", "description", "duration", "end", "exact", "host", "key", "limit",
    "mode", "module", "name", "offset", "path", "port", "start", "user",
})  # fmt: skip

#: The options of each callable.
_OPTIONS: Final = {
    "a client's `write`": (
        "bucket", "consistency", "db", "field_types", "find_rejected", "in_flight", "integers_as_floats", "max_bytes",
        "max_lines", "measurement", "nonfinite", "object_columns", "org", "precision", "rp", "stamp", "tag_columns",
        "tags", "time_column", "timeout", "unsigned",
    ),
    "`batch_writer`": (
        "exit_timeout", "max_delay", "max_pending", "max_pending_bytes", "on_error", "on_progress", "spool",
        "when_full",
    ),
    "queries": ("chunk_size", "cls", "epoch", "format", "language", "measurement_column", "params", "q"),
    "the client": (
        "cert", "gzip", "headers", "observer", "password", "proxy", "retry", "session", "ssl", "token", "unix_socket",
        "username", "verify",
    ),
    "administration": (
        "destinations", "future_write_limit", "hard_delete_at", "past_write_limit", "privilege", "qid", "replication",
        "resample_every", "resample_for", "retention", "shard_duration", "shard_id",
    ),
}  # fmt: skip

#: The remedies for options of other libraries and for the client's database.
_REMEDIES: Final = {
    "database": "`write` selects the database with db=",
    "retention_policy": "`write` selects the retention policy with rp=",
    "time_precision": "the option is precision=",
    "write_precision": "the option is precision=",
    "batch_size": "the option is max_lines=",
    "batch_lines": "the option is max_lines=",
    "batch_bytes": "the option is max_bytes=",
    "protocol": "the type of the data selects the format; str and bytes are line protocol",
    "record": "pass the data as the first argument",
    "dataframe": "pass the data as the first argument",
    "points": "pass the data as the first argument",
    "measurement_name": "the option is measurement=",
    "record_measurement_name": "the option is measurement=",
    "record_measurement_key": "the option is measurement=",
    "record_time_key": "the time of a mapping is its 'time'",
    "record_tag_keys": "the tags of a mapping are its 'tags'",
    "record_field_keys": "the fields of a mapping are its 'fields'",
    "table_name": "the option is measurement=",
    "symbols": "the option is tag_columns=",
    "field_columns": "all columns that tag_columns= does not list are fields",
    "timestamp_column": "the option is time_column=",
    "numeric_precision": "numbers are written in full",
    "global_tags": "the option is tags=",
    "default_tags": "the option is tags=",
}

#: The names of the data in other libraries.
_NAMES_OF_DATA: Final = frozenset({"record", "points", "dataframe", "df"})

#: The remedies for all names with a prefix.
_PREFIX_REMEDIES: Final = {
    "data_frame_tag": "the option is tag_columns=",
    "data_frame_measurement": "the option is measurement=",
    "data_frame_timestamp_column": "the option is time_column=",
    "data_frame": "pass the DataFrame as the first argument; the other options are tag_columns= and time_column=",
    "tag_key": "the option is tag_columns=",
}

_ADVICE: Final = {
    **{name: f"it is an option of {owner}" for owner, names in _OPTIONS.items() for name in names},
    **_REMEDIES,
}

#: Names whose misspellings are rejected. Short names are not included, since common tags such as `dc`, `ip` and `ort`
#: are one edit away from them.
_CHECKED_FOR_TYPOS: Final = tuple(
    name
    for name in _ADVICE
    if "_" in name or name in {"database", "username", "password"} or name in _OPTIONS["a client's `write`"]
    if len(name) > 3
)


def check_extra_tags(names: Iterable[str]) -> None:
    """Check that keywords are accepted as tags.

    Raises:
        TypeError: a keyword is an option or resembles one.
    """
    for name in names:
        advice = find_advice(name)
        if advice is not None:
            raise TypeError(
                f"{name}: not accepted as a tag by keyword, {advice}; "
                f"for a tag of that name pass tags={{{name!r}: ...}}"
            )


@lru_cache(maxsize=1024)
def find_advice(name: str) -> str | None:
    """Return the remedy for a keyword that is not accepted as a tag, or None if it is accepted."""
    if name in COMMON_TAGS:
        return None
    key = name.lower()
    if key in _ADVICE:
        return _ADVICE[key] if key == name else f"did you mean {key}=? {_ADVICE[key]}"
    for prefix, advice in _PREFIX_REMEDIES.items():
        if key.startswith(prefix):
            return advice
    for option in _CHECKED_FOR_TYPOS:
        if _is_one_edit(key, option):
            return f"did you mean {option}=? {_ADVICE[option]}"
    return None


def _is_one_edit(one: str, other: str) -> bool:
    """Return whether one letter added, removed or replaced, or two letters swapped, turns one name into the other."""
    if abs(len(one) - len(other)) > 1:
        return False
    shorter = min(len(one), len(other))
    begin = 0
    while begin < shorter and one[begin] == other[begin]:
        begin += 1
    end = 0
    while end < shorter - begin and one[-1 - end] == other[-1 - end]:
        end += 1
    one, other = one[begin : len(one) - end], other[begin : len(other) - end]
    return max(len(one), len(other)) <= 1 or (len(one) == 2 and one == other[::-1])


def joined_tags(tags: Mapping[str, object] | None, extra_tags: Mapping[str, object]) -> dict[str, object]:
    """Join the tags of a call, passed as a mapping and by keyword.

    Raises:
        TypeError: `tags` is not a mapping, or a keyword is not accepted as a tag.
    """
    if extra_tags:
        check_extra_tags(extra_tags)
    if tags is None:
        return {**extra_tags}
    if isinstance(tags, (list, tuple, str)):
        msg = f"tags: must be a mapping, not {type(tags).__name__}; the columns that are tags are tag_columns="
        raise TypeError(msg)
    return {**check_mapping("tags", tags), **extra_tags}


def missing_data_message(names: Iterable[str]) -> str:
    """Return the error message for a write with these keywords and without data."""
    other = next((f" instead of {name}=" for name in names if name in _NAMES_OF_DATA), "")
    return f"data: missing; pass the points as the first argument{other}"


def not_for_lines(measurement: object, tags: object, field_types: object) -> str | None:
    """Return the error message for raw line protocol if an argument is passed that it would ignore, otherwise None."""
    name = "measurement" if measurement is not None else "tags" if tags else "field_types" if field_types else None
    if name is None:
        return None
    return f"{name}: has no effect on raw line protocol; remove {name}, or write mappings instead of lines"
