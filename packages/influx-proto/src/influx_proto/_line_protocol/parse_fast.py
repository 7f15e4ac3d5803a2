"""Many lines of line protocol at a time, as long as they are such as clients write.

A field set with its keys in quotes is JSON, which is decoded many times faster than by any code here; the texts of
strings and the integers, which JSON has not, are taken out before and put back after. JSON's numbers, `true` and
`false` are all the server's as well, and what the server has beyond them is rare.

Nothing may be accepted here that `scan_line` would refuse, or read otherwise: whatever looks odd is left to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeAlias

import msgspec

from .._bounded_cache import BoundedCache
from .._time import FIRST, LAST
from .escape import LONGEST_KEY
from .scan import ScanError, scan_series
from .values import FIRST_INTEGER, LAST_INTEGER

Point: TypeAlias = dict[str, Any]

#: Longer lines could have a key that is too long.
_LONG: Final = LONGEST_KEY // 4 - 4

_INTEGER: Final = re.compile(r"=(-?[0-9]{1,19})i(?=[,\n])")

#: In a list of field sets, each between LFs: a reserved key, an empty one, what a backslash may hide, what stands for
#: an integer here, and a zero whose sign would be lost.
_ODD: Final = ("\\", "\ntime=", ",time=", "\n=", ",=", "null", "=-0,", "=-0\n")

_decode_fields: Final = msgspec.json.Decoder(list[dict[str, float | bool | str | None]]).decode
_decode_times: Final = msgspec.json.Decoder(list[int | None]).decode

#: Series that are remembered: points come again and again from the same.
_REMEMBERED: Final = 4096


class PlainReader:
    """Reads plain lines.

    Args:
        unit: the unit of the times, in nanoseconds.
    """

    def __init__(self, unit: int) -> None:
        self._unit = unit
        self._series = _Series()

    def read(self, lines: str) -> list[Point] | None:
        """Read lines with LFs between them; give None if one has to be read step by step."""
        try:
            return self._read(lines)
        except Exception:  # noqa: BLE001 - whatever the decoder raises, the scanner says what is wrong
            return None

    def _read(self, lines: str) -> list[Point] | None:
        strings: list[str] = []
        if '"' in lines:
            parts = lines.split('"')
            strings = parts[1::2]
            lines = '""'.join(parts[::2])
            if not _are_values(strings, lines):
                return None
        if "\t" in lines or "\r" in lines:  # white space to JSON, data to the server
            return None
        rows = [line.rsplit(" ", 2) for line in lines.split("\n")]
        untimed = 0
        if set(map(len, rows)) != {3}:
            untimed = sum(len(row) == 2 for row in rows)
            rows = [[*row, "null"] if len(row) == 2 else row for row in rows]
        all_series, field_sets, times = zip(*rows, strict=True)
        if strings and '"' in "".join(all_series):
            return None
        if len(lines) > _LONG and max(map(len, lines.split("\n"))) > _LONG:
            return None
        known = [self._series[series] for series in all_series]
        all_fields = _read_fields(field_sets, strings)
        nanoseconds = self._read_times(times, untimed)
        if all_fields is None or nanoseconds is None:
            return None
        return [
            {"measurement": measurement, "tags": tags.copy(), "fields": fields, "time": time}
            for (measurement, tags), fields, time in zip(known, all_fields, nanoseconds, strict=True)
        ]

    def _read_times(self, texts: Sequence[str], untimed: int) -> list[int | None] | None:
        times = _decode_times(f"[{','.join(texts)}]")
        if len(times) != len(texts) or times.count(None) != untimed:
            return None
        if self._unit != 1:
            times = [None if time is None else time * self._unit for time in times]
        known = [time for time in times if time is not None]
        return None if known and (min(known) < FIRST or max(known) > LAST) else times


class _Series(BoundedCache[str, tuple[str, dict[str, str]]]):
    """Measurement and tags by the text that they have in lines."""

    def __init__(self) -> None:
        super().__init__(_REMEMBERED)

    def __missing__(self, text: str) -> tuple[str, dict[str, str]]:
        # A backslash before another makes the server's scanners disagree about where a line ends.
        if text[:1] in {"", "#", " ", "\t", "\0"} or "\\\\" in text:
            raise ValueError(text)
        try:
            measurement, tags, end = scan_series(text.encode() + b" ", 0)
        except ScanError as error:
            raise ValueError(text) from error
        if end != len(text.encode()) or "time" in tags:
            raise ValueError(text)
        return self.remember(text, (measurement, tags))


def _are_values(strings: Sequence[str], rest: str) -> bool:
    """Say whether what stood in quotes are strings: after a `=`, before a separator, and without escapes or LFs."""
    count = len(strings)
    after = rest.count('"",') + rest.count('"" ') + rest.count('""\n') + rest.endswith('""')
    inside = "".join(strings)
    return rest.count('""') == rest.count('=""') == after == count and "\\" not in inside and "\n" not in inside


def _read_fields(texts: Sequence[str], strings: Sequence[str]) -> list[dict[str, Any]] | None:
    """Read field sets, the texts of whose strings are taken out."""
    framed = "\n" + "\n".join(texts) + "\n"
    if any(odd in framed for odd in _ODD):
        return None
    integers: list[int] = []
    if "i," in framed or "i\n" in framed:
        parts = _INTEGER.split(framed)
        integers = list(map(int, parts[1::2]))
        framed = "=null".join(parts[::2])
        if integers and (min(integers) < FIRST_INTEGER or max(integers) > LAST_INTEGER):
            return None
    json = framed[1:-1].replace(",", ',"').replace("=", '":').replace("\n", '},{"')
    found: list[dict[str, Any]] = _decode_fields('[{"' + json + "}]")
    if len(found) != len(texts) or sum(map(len, found)) != len(texts) + framed.count(","):
        return None
    if integers or strings:
        _put_back(found, integers, strings)
    return found


def _put_back(found: Iterable[dict[str, Any]], integers: Iterable[int], strings: Iterable[str]) -> None:
    next_integer, next_string = iter(integers).__next__, iter(strings).__next__
    for fields in found:
        for key, value in fields.items():
            if value is None:
                fields[key] = next_integer()
            elif type(value) is str:
                fields[key] = next_string()
