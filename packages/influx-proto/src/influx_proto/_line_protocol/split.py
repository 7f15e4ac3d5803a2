"""Line splitting of line protocol, where not every LF ends a line.

InfluxDB splits a request into lines before it parses any of them. In that pass, a backslash escapes any byte after it.
After the first space, a double quote opens or closes a string if more `=` than `,` precede it. An LF outside of strings
ends the line. `end_of_line` repeats these steps byte by byte; `lines` is faster for lines that `_PLAIN_LINE` matches.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Iterator
from typing import Final

#: The characters that may hide an LF, as ints: Python finds an int in bytes several times faster than bytes.
QUOTE: Final = ord('"')
BACKSLASH: Final = ord("\\")

#: The bytes that determine the end of a line; all others are skipped.
_MARK: Final = re.compile(rb'[\\ =,"\n]')


def _fields(string: bytes) -> bytes:
    """Return the pattern of fields with quotes only around their values, as clients write them."""
    field = rb'[^\\" =,\n]++ = (?: "%b" | [^\\" =,\n]++ )' % string
    return rb"%b (?: , %b )*+" % (field, field)


def _compile(pattern: bytes) -> re.Pattern[bytes]:
    return re.compile(pattern, re.VERBOSE | re.DOTALL)


_TIME: Final = rb'(?: [ ] [^\\"\n]*+ )?+'

#: A line with quotes only around field values.
_PLAIN_LINE: Final = _compile(
    rb'[^\\" \n]*+ [ ]++ %b %b (?= \n | \Z )' % (_fields(rb'(?:[^"\\]++|\\.)*+'), _TIME),
)
#: Any number of complete lines that match `_PLAIN_LINE`, or have neither quotes nor backslashes.
_PLAIN_LINES: Final = _compile(rb'(?: (?: [^"\\\n]*+ | %b ) \n )*+' % _PLAIN_LINE.pattern)

#: Fields without an LF in strings.
_ONE_LINE: Final = _fields(rb'(?:[^"\\\n]++|\\[^\n])*+')
#: Any number of complete lines that have no LF in strings.
_ONE_LINE_EACH: Final = _compile(rb'(?: (?: [^"\\\n]*+ | [^\\" \n]*+ [ ]++ %b %b ) \n )*+' % (_ONE_LINE, _TIME))
#: Any number of such lines that are points with a timestamp.
_ONE_POINT_EACH: Final = _compile(
    rb'(?: [^\\" \n\#\t\0] [^\\" \n]*+ [ ]++ %b [ ] -?[0-9]++ \n )*+' % _ONE_LINE,
)

#: Reasons why a line is incomplete.
UNCLOSED: Final = "a quoted string is not closed"
ESCAPED_END: Final = "the backslash at its end escapes the end of the line"


def end_of_line(data: bytes, start: int) -> int:
    """Return the index of the LF that ends the line beginning at `start`, or the length of the data."""
    return _scan_line(data, start)[0]


def incomplete_line(data: bytes, start: int = 0) -> tuple[int, str] | None:
    """Find a last line that would continue in the bytes after the data.

    Args:
        data: line protocol.
        start: the index where a line begins; all lines before it are complete.

    Returns:
        The index at which the line begins and the reason why it is incomplete, or None if all lines are complete.
    """
    if QUOTE not in data and BACKSLASH not in data:
        return None
    size = len(data)
    at = start
    while True:
        at = _end(_PLAIN_LINES, data, at, size)
        if at >= size:
            return None
        end, reason = _scan_line(data, at)
        if reason is not None:
            return at, reason
        at = end + 1


def _scan_line(data: bytes, start: int) -> tuple[int, str | None]:
    """Return the index of the LF that ends a line, or the length of the data, and why the line is incomplete."""
    size = len(data)
    is_after_space = is_quoted = False
    surplus = 0  # number of `=` minus number of `,`
    at = start
    while mark := _MARK.search(data, at):
        at = mark.end()
        match mark[0]:
            case b"\\":
                at += 1
                if at >= size and data[at - 1 :] in {b"", b"\n"}:
                    return size, UNCLOSED if is_quoted else ESCAPED_END
            case b"\n":
                if not is_quoted:
                    return at - 1, None
            case b" ":
                is_after_space = True
            case b'"':
                if is_after_space and surplus > 0:
                    is_quoted = not is_quoted
            case character:
                if is_after_space and not is_quoted:
                    surplus += 1 if character == b"=" else -1
    return size, UNCLOSED if is_quoted else None


def split_buffer(data: bytes, is_last: bool) -> Generator[bytes, None, int]:
    """Yield each line without its LF; the last one only if it is complete, or if no data follows.

    Returns:
        The number of bytes of these lines, with their LFs.
    """
    size = len(data)
    at = 0
    while True:
        if (end := _end(_ONE_LINE_EACH, data, at, size)) > at:
            yield from data[at : end - 1].split(b"\n")
            at = end
        plain = _PLAIN_LINE.match(data, at)
        end = plain.end() if plain else end_of_line(data, at)
        if end >= size:
            break
        yield data[at:end]
        at = end + 1
    if is_last and at < size:
        yield data[at:]
    return at


def _end(pattern: re.Pattern[bytes], data: bytes, start: int, stop: int) -> int:
    """Return the end of the match of a pattern that matches the empty string."""
    found = pattern.match(data, start, stop)
    assert found is not None  # noqa: S101 - for the type checker
    return found.end()


def lines(data: bytes, begin: int = 0, end: int | None = None) -> Iterable[tuple[int, int]]:
    """Return the begin and end of each line, without its LF, including blank lines.

    Args:
        data: line protocol.
        begin: the index where the first line begins.
        end: the index where the last line ends; None for the end of the data.
    """
    size = len(data) if end is None else end
    if data.find(b"\n", begin, size) >= 0:
        return _iter_lines(data, begin, size)
    return ((begin, size),) if begin < size else ()


def _iter_lines(data: bytes, begin: int, size: int) -> Iterator[tuple[int, int]]:
    at = begin
    while at < size:
        end = data.find(b"\n", at, size)
        if end < 0:
            end = size
        # Without quotes and backslashes, every LF ends a line.
        if data.find(b'"', at, end) >= 0 or data.find(b"\\", at, end) >= 0:
            plain = _PLAIN_LINE.match(data, at)
            end = plain.end() if plain else end_of_line(data, at)
        yield at, end
        at = end + 1


def blocks(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield the begin, the end and the number of lines of blocks of lines, without the LF after each block.

    The number is 0 if the lines have to be inspected individually. Otherwise all of them are complete points with a
    timestamp.
    """
    size = len(data)
    at = 0
    if QUOTE in data or BACKSLASH in data:
        while (end := _end(_ONE_POINT_EACH, data, at, at + _BLOCK_SIZE)) > at:
            yield at, end - 1, data.count(b"\n", at, end)
            at = end
        if at < size:
            yield at, size, 0
        return
    while at < size:
        end = data.rfind(b"\n", at, at + _BLOCK_SIZE) if size - at > _BLOCK_SIZE else size
        if end < 0:
            end = data.find(b"\n", at + _BLOCK_SIZE)
        if end < 0 or end + 1 == size:
            end = size - data.endswith(b"\n")
        count = data.count(b"\n", at, end) + 1
        is_timed = data[at : at + 1] not in _UNUSUAL_STARTS and len(_TIMED_END.findall(data, at, end)) == count
        yield at, end, count if is_timed else 0
        at = end + 1


def points(data: bytes, begin: int, end: int) -> Iterator[tuple[int, int, bool]]:
    """Yield the begin and end of each line with a point, and whether it has a timestamp."""
    for start, stop in lines(data, begin, end):
        line = data[start:stop].strip(SKIPPED)
        if line and not line.startswith(b"#"):
            yield start, stop, has_time(line)


#: Maximum size of a block in bytes, unless a line is longer.
_BLOCK_SIZE: Final = 1 << 16

#: Bytes that the server skips at the beginning of a line; it also skips a space at the end.
SKIPPED: Final = b" \t\0\n"

#: Beginnings of lines that are not points, or have bytes that the server skips.
_UNUSUAL_STARTS: Final = {b"#", b"", *(SKIPPED[at : at + 1] for at in range(len(SKIPPED)))}
#: A timestamp at the end of a line, and the LF after it if the next line does not begin in one of these ways.
_TIMED_END: Final = re.compile(rb" -?[0-9]+(?:\n(?![# \t\0\n])|\Z)")


def is_point(line: bytes) -> bool:
    """Return whether a line contains a point, so is neither blank nor a comment."""
    line = line.strip(SKIPPED)
    return bool(line) and not line.startswith(b"#")


def has_time(line: bytes) -> bool:
    r"""Return whether a line ends in a timestamp; of a line with LFs in strings, the part after the last LF suffices.

    A string field ends in a quote, so digits after the last space are a timestamp. The result is arbitrary for an
    invalid line, which the server rejects.
    """
    return line.rpartition(b" ")[2].removeprefix(b"-").isdigit()
