"""Line protocol to points: what InfluxDB 1.x accepts is accepted, what it refuses is refused, for the same reason.

There are two ways through a line. The short one takes lines as clients write them and gives up on any other; `_scan`
takes all of them, and follows the server step by step where the grammar does not tell what the server does.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Iterator
from typing import Any, Final, TypeAlias

import msgspec

from ._errors import SerializationError
from ._lines import end_of_line
from ._scan import LONGEST_KEY, ScanError, scan_line, scan_series
from ._time import FIRST, LAST, unit
from ._values import FIRST_INTEGER, LAST_INTEGER

__all__ = ["parse_lines"]

Point: TypeAlias = dict[str, Any]

#: Longer lines could have a key that is too long.
_LONG: Final = LONGEST_KEY // 4 - 4

_PLAIN_TIME: Final = re.compile(r"-?[0-9]{1,19}").fullmatch

#: Bytes that are looked at in one go.
_WINDOW: Final = 1 << 18

#: Measurement and tags whose backslashes each hide something else than a backslash.
_PLAIN_SERIES: Final = re.compile(r"[^\\ ]*+(?:\\[^\\][^\\ ]*+)*+(?= )")

_decode: Final = msgspec.json.Decoder(dict[str, int | float | bool | str]).decode

#: Series that are remembered: points come again and again from the same.
_REMEMBERED: Final = 4096


def parse_lines(
    data: bytes | str | Iterable[bytes], *, precision: str = "ns", unsigned: bool = False
) -> Iterator[Point]:
    """Read line protocol as InfluxDB 1.x reads it.

    Args:
        data: the lines: whole, or in pieces that are cut anywhere, such as the parts of a file. Blank lines and
            comments are skipped.
        precision: the unit of the times.
        unsigned: whether unsigned integers (`5u`) are accepted, which InfluxDB 1.x as it is released does not know.

    Yields:
        One dict for a line: `measurement`, `tags`, `fields` and `time`. Fields are `float`, `int`, `bool` and `str`;
        the time is in nanoseconds since 1970 UTC, None for a line without. Of a field that comes twice in a line the
        last value counts; a field called `time` is left out if there are others, as it is by the server.

    Raises:
        SerializationError: the server would refuse a line; says which line and column, and why. One difference:
            InfluxDB 1.x takes any bytes for text; here, those that are no UTF-8 are refused.
        ValueError: there is no such precision.
    """
    return _parse(_pieces(data), unit(precision), unsigned=unsigned)


def _pieces(data: bytes | str | Iterable[bytes]) -> Iterable[bytes]:
    if isinstance(data, str):
        try:
            data = data.encode()
        except UnicodeEncodeError as error:
            before = error.object[: error.start]
            line, column = before.count("\n") + 1, error.start - before.rfind("\n")
            msg = f"line {line}, column {column}: a lone surrogate, which UTF-8 cannot encode"
            raise SerializationError(msg) from None
    if isinstance(data, bytes | bytearray | memoryview):
        whole = memoryview(data).cast("B")
        return (bytes(whole[at : at + _WINDOW]) for at in range(0, len(whole), _WINDOW))
    return data


def _parse(pieces: Iterable[bytes], unit: int, *, unsigned: bool) -> Iterator[Point]:
    reader = _Reader(unit, unsigned=unsigned)
    rest = b""
    for piece in pieces:
        rest += piece
        rest = rest[(yield from reader.read(rest, last=False)) :]
    yield from reader.read(rest, last=True)


class _Reader:
    """Reads lines from a buffer, and knows how many were before it."""

    def __init__(self, unit: int, *, unsigned: bool) -> None:
        self._unit = unit
        self._unsigned = unsigned
        self._series: dict[str, tuple[str, dict[str, str]]] = {}
        self._lines_before = 0

    def read(self, data: bytes, *, last: bool) -> Generator[Point, None, int]:
        """Yield the points of all lines that are complete; return how many bytes these have."""
        size = len(data)
        end = size if last else data.rfind(b"\n")  # without an LF there is no complete line
        done = at = 0  # where the next line begins, and the next of those that the LFs make
        # Decoded in one go if a byte is a character, since that is how positions are counted.
        lines = data[:end].decode().split("\n") if data.isascii() else data[:end].split(b"\n")
        for line in lines if end >= 0 else ():
            begin = at
            at += len(line) + 1
            if begin < done:  # it is the rest of a line with LFs in it
                continue
            try:
                point = self._read_plain(line if isinstance(line, str) else line.decode())
            except (ValueError, OverflowError):  # no UTF-8, or no number: the long way tells what it is
                point = None
            done = at
            if point is None:
                done = end_of_line(data, begin) + 1
                if done > size and not last:
                    done = begin
                    break
                point = self._read_any(data, begin, done - 1)
            if point is not None:
                yield point
        self._lines_before += data.count(b"\n", 0, done)
        return done

    def _read_any(self, data: bytes, begin: int, end: int) -> Point | None:
        try:
            return scan_line(data[begin:end], self._unit, unsigned=self._unsigned)
        except ScanError as error:
            place = begin + error.at
            line = self._lines_before + data.count(b"\n", 0, place) + 1
            column = len(data[data.rfind(b"\n", 0, place) + 1 : place].decode(errors="replace")) + 1
            msg = f"line {line}, column {column}: {error.reason}"
            raise SerializationError(msg) from None

    def _read_plain(self, line: str) -> Point | None:
        """Read a line without surprises; None, or a ValueError, for any other.

        Nothing may be accepted here that `scan_line` would refuse, or read otherwise: whatever looks odd is left to it.
        """
        if len(line) > _LONG:
            return None
        series, _, rest = _partition_escaped(line) if "\\" in line else line.partition(" ")
        known = self._series.get(series) or self._learn(series)
        if known is None:
            return None
        strings: list[str] = []
        if '"' in rest:
            # Every other part is the text of a string; in what is left, two quotes stand for it.
            parts = rest.split('"')
            if len(parts) % 2 == 0:
                return None
            strings = parts[-2::-2]
            rest = '""'.join(parts[::2])
        text, _, time = rest.partition(" ")
        fields = _plain_fields(text, strings)
        if fields is None:
            return None
        ns = None
        if time:
            if not _PLAIN_TIME(time):
                return None
            ns = int(time) * self._unit
            if not FIRST <= ns <= LAST:
                return None
        measurement, tags = known
        return {"measurement": measurement, "tags": tags.copy(), "fields": fields, "time": ns}

    def _learn(self, series: str) -> tuple[str, dict[str, str]] | None:
        if series[:1] in {"", "#", " ", "\t", "\0"}:
            return None
        try:
            measurement, tags, _ = scan_series(series.encode() + b" ", 0)
        except ScanError:
            return None
        if "time" in tags:
            return None
        if len(self._series) >= _REMEMBERED:
            self._series.clear()
        self._series[series] = measurement, tags
        return measurement, tags


def _partition_escaped(line: str) -> tuple[str, str, str]:
    """Divide a line after the tags, if these are all that has backslashes, and no backslash is before another."""
    found = _PLAIN_SERIES.match(line)
    if found is None or "\\" in line[found.end() :]:
        return "", "", ""
    return found[0], " ", line[found.end() + 1 :]


def _plain_fields(text: str, strings: list[str]) -> dict[str, Any] | None:
    """Read a field set, the texts of its strings apart, of which the first is last.

    With its keys in quotes and without the `i` of integers it is JSON, which is decoded many times faster than by any
    code here. JSON's numbers, `true` and `false` are all the server's as well, and what it has beyond JSON is rare.
    """
    if "\t" in text or "\r" in text:  # white space to JSON, data to the server
        return None
    framed = f",{text},"
    integers = framed.count("i,")
    if integers:
        text = framed.replace("i,", ",")[1:-1]
    fields = _decode('{"' + text.replace(",", ',"').replace("=", '":') + "}")
    if len(fields) <= text.count(",") or "time" in fields or "" in fields:
        return None
    for key, value in fields.items():
        if type(value) is int:
            # Only fields that had the `i` behind the very digits are integers.
            if integers and f",{key}={value}i," in framed:
                if not FIRST_INTEGER <= value <= LAST_INTEGER:
                    return None
                integers -= 1
            elif value:
                fields[key] = float(value)
            else:
                return None  # it may be -0
        elif type(value) is str:
            fields[key] = strings.pop()
    return None if integers or strings else fields
