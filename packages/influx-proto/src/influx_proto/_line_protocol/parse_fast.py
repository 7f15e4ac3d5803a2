"""Fast parser for many lines of line protocol at a time, if they have the layout that clients write.

A field set becomes JSON if its keys are quoted, and msgspec decodes JSON many times faster than Python code. Strings
and integers, whose syntax differs from JSON, are replaced before decoding and restored afterwards. All numbers and
booleans of JSON are valid in line protocol; the additional forms that InfluxDB accepts are rare.

The fast parser must not accept a line that `scan_line` would reject, or parse it differently. So it leaves all lines
that are not eligible to `scan_line`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeAlias

import msgspec

from .._bounded_cache import BoundedCache
from .._time import FIRST, LAST
from .escape import MAX_KEY_SIZE
from .scan import ScanError, scan_series
from .values import FIRST_INTEGER, LAST_INTEGER

Point: TypeAlias = dict[str, Any]

#: Maximum number of characters of a line whose key cannot be too long.
_MAX_LINE_LENGTH: Final = MAX_KEY_SIZE // 4 - 4

_INTEGER: Final = re.compile(r"=(-?[0-9]{1,19})i(?=[,\n])")

#: Field sets, joined by LFs, are not eligible if they contain a backslash, the reserved key `time`, an empty key, the
#: placeholder of an integer, or a negative zero, whose sign would be lost.
_NOT_ELIGIBLE: Final = ("\\", "\ntime=", ",time=", "\n=", ",=", "null", "=-0,", "=-0\n")

_decode_fields: Final = msgspec.json.Decoder(list[dict[str, float | bool | str | None]]).decode
_decode_times: Final = msgspec.json.Decoder(list[int | None]).decode

#: Maximum number of cached series.
_CACHE_SIZE: Final = 4096


class FastReader:
    """Parses lines that are eligible for the fast path.

    Args:
        unit: the unit of the timestamps, in nanoseconds.
    """

    def __init__(self, unit: int) -> None:
        self._unit = unit
        self._series = _SeriesCache()

    def read(self, lines: str) -> list[Point] | None:
        """Return the points of lines that are separated by LFs, or None if a line is not eligible."""
        try:
            return self._read(lines)
        except Exception:  # noqa: BLE001 - for any error of the decoder, the scanner reports the reason
            return None

    def _read(self, lines: str) -> list[Point] | None:
        strings: list[str] = []
        if '"' in lines:
            parts = lines.split('"')
            strings = parts[1::2]
            lines = '""'.join(parts[::2])
            if not _are_string_values(strings, lines):
                return None
        if "\t" in lines or "\r" in lines:  # whitespace in JSON, data in line protocol
            return None
        rows = [line.rsplit(" ", 2) for line in lines.split("\n")]
        missing_count = 0  # number of lines without a timestamp
        if set(map(len, rows)) != {3}:
            missing_count = sum(len(row) == 2 for row in rows)
            rows = [[*row, "null"] if len(row) == 2 else row for row in rows]
        series_keys, field_sets, times = zip(*rows, strict=True)
        if strings and '"' in "".join(series_keys):
            return None
        if len(lines) > _MAX_LINE_LENGTH and max(map(len, lines.split("\n"))) > _MAX_LINE_LENGTH:
            return None
        all_series = [self._series[key] for key in series_keys]
        all_fields = _read_fields(field_sets, strings)
        nanoseconds = self._read_times(times, missing_count)
        if all_fields is None or nanoseconds is None:
            return None
        return [
            {"measurement": measurement, "tags": tags.copy(), "fields": fields, "time": time}
            for (measurement, tags), fields, time in zip(all_series, all_fields, nanoseconds, strict=True)
        ]

    def _read_times(self, encoded: Sequence[str], missing_count: int) -> list[int | None] | None:
        times = _decode_times(f"[{','.join(encoded)}]")
        if len(times) != len(encoded) or times.count(None) != missing_count:
            return None
        if self._unit != 1:
            times = [None if time is None else time * self._unit for time in times]
        present = [time for time in times if time is not None]
        return None if present and (min(present) < FIRST or max(present) > LAST) else times


class _SeriesCache(BoundedCache[str, tuple[str, dict[str, str]]]):
    """Cache of measurements and tags by series key, as encoded in a line."""

    def __init__(self) -> None:
        super().__init__(_CACHE_SIZE)

    def __missing__(self, key: str) -> tuple[str, dict[str, str]]:
        # The server's scanners disagree about the end of a line that has two consecutive backslashes.
        if key[:1] in {"", "#", " ", "\t", "\0"} or "\\\\" in key:
            raise ValueError(key)
        try:
            measurement, tags, end = scan_series(key.encode() + b" ", 0)
        except ScanError as error:
            raise ValueError(key) from error
        if end != len(key.encode()) or "time" in tags:
            raise ValueError(key)
        return self.remember(key, (measurement, tags))


def _are_string_values(strings: Sequence[str], rest: str) -> bool:
    """Return whether all quoted parts are field values: after a `=`, before a separator, and without escapes or LFs."""
    count = len(strings)
    after = rest.count('"",') + rest.count('"" ') + rest.count('""\n') + rest.endswith('""')
    inside = "".join(strings)
    return rest.count('""') == rest.count('=""') == after == count and "\\" not in inside and "\n" not in inside


def _read_fields(field_sets: Sequence[str], strings: Sequence[str]) -> list[dict[str, Any]] | None:
    """Return the fields of encoded field sets, whose strings were replaced by empty ones; None if not eligible."""
    joined = "\n" + "\n".join(field_sets) + "\n"
    if any(part in joined for part in _NOT_ELIGIBLE):
        return None
    integers: list[int] = []
    if "i," in joined or "i\n" in joined:
        parts = _INTEGER.split(joined)
        integers = list(map(int, parts[1::2]))
        joined = "=null".join(parts[::2])
        if integers and (min(integers) < FIRST_INTEGER or max(integers) > LAST_INTEGER):
            return None
    json = joined[1:-1].replace(",", ',"').replace("=", '":').replace("\n", '},{"')
    all_fields: list[dict[str, Any]] = _decode_fields('[{"' + json + "}]")
    if len(all_fields) != len(field_sets) or sum(map(len, all_fields)) != len(field_sets) + joined.count(","):
        return None
    if integers or strings:
        _restore_values(all_fields, integers, strings)
    return all_fields


def _restore_values(all_fields: Iterable[dict[str, Any]], integers: Iterable[int], strings: Iterable[str]) -> None:
    """Replace the placeholders of integers and strings by their values, in place."""
    next_integer, next_string = iter(integers).__next__, iter(strings).__next__
    for fields in all_fields:
        for key, value in fields.items():
            if value is None:
                fields[key] = next_integer()
            elif type(value) is str:
                fields[key] = next_string()
