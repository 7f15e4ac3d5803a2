"""Where a line of line protocol ends, which is not at every LF.

InfluxDB cuts a request into lines before it reads any of them. In that pass a backslash hides the byte after it,
whatever that is; from the first space on, double quotes open and close text while there are more `=` than `,` before
them; and an LF outside of such text ends the line. `end_of_line` does the same byte for byte, `lines` does it faster
where text is not out of the ordinary.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

#: The bytes that matter to the cutting; what is between them is skipped.
_MARK: Final = re.compile(rb'[\\ =,"\n]')

#: A line whose quotes all stand around field values, where they are expected: everybody's lines.
_PLAIN_LINE: Final = re.compile(
    rb"""
    [^\\" \n]*+ [ ]++                                    # measurement and tags
    [^\\" =,\n]++ = (?: "(?:[^"\\]|\\.)*+" | [^\\" =,\n]++ )
    (?: , [^\\" =,\n]++ = (?: "(?:[^"\\]|\\.)*+" | [^\\" =,\n]++ ) )*+
    (?: [ ] [^\\"\n]*+ )?+                               # the time
    (?= \n | \Z )
    """,
    re.VERBOSE | re.DOTALL,
)


#: Any number of complete lines that are plain, or have neither quote nor backslash.
_PLAIN_LINES: Final = re.compile(rb"(?: (?: [^\"\\\n]*+ | %b ) \n )*+" % _PLAIN_LINE.pattern, re.VERBOSE | re.DOTALL)

#: Why text is incomplete.
UNCLOSED: Final = "a quoted string is not closed"
ESCAPED_END: Final = "the backslash at its end escapes the end of the line"


def end_of_line(data: bytes, start: int) -> int:
    """Give the index of the LF that ends the line which begins at `start`, or the length of the data."""
    return _scan_line(data, start)[0]


def incomplete_line(data: bytes) -> tuple[int, str] | None:
    """Find a last line that would go on in whatever follows the data.

    Returns:
        Where the line begins, and why it is incomplete; None if all lines are complete.
    """
    if b'"' not in data and b"\\" not in data:
        return None
    size = len(data)
    at = 0
    while True:
        found = _PLAIN_LINES.match(data, at)
        assert found is not None  # noqa: S101 - it matches anything, and be it nothing
        at = found.end()
        if at >= size:
            return None
        end, reason = _scan_line(data, at)
        if reason is not None:
            return at, reason
        at = end + 1


def _scan_line(data: bytes, start: int) -> tuple[int, str | None]:
    """Return the index of the LF that ends a line, or the length of the data, and why the line is incomplete."""
    size = len(data)
    fields = quoted = False
    ahead = 0  # how many more `=` than `,`
    at = start
    while mark := _MARK.search(data, at):
        at = mark.end()
        match mark[0]:
            case b"\\":
                at += 1
                if at >= size and data[at - 1 :] in {b"", b"\n"}:
                    return size, UNCLOSED if quoted else ESCAPED_END
            case b"\n":
                if not quoted:
                    return at - 1, None
            case b" ":
                fields = True
            case b'"':
                if fields and ahead > 0:
                    quoted = not quoted
            case sign:
                if fields and not quoted:
                    ahead += 1 if sign == b"=" else -1
    return size, UNCLOSED if quoted else None


def lines(data: bytes) -> Iterable[tuple[int, int]]:
    """Give begin and end of each line, its LF apart; blank lines are among them."""
    if b"\n" in data:
        return _several(data)
    return ((0, len(data)),) if data else ()


def _several(data: bytes) -> Iterator[tuple[int, int]]:
    size = len(data)
    at = 0
    while at < size:
        end = data.find(b"\n", at)
        if end < 0:
            end = size
        # Without quotes and backslashes nothing can hide an LF.
        if data.find(b'"', at, end) >= 0 or data.find(b"\\", at, end) >= 0:
            plain = _PLAIN_LINE.match(data, at)
            end = plain.end() if plain else end_of_line(data, at)
        yield at, end
        at = end + 1


#: What the server skips at the beginning of a line, and a space at its end.
SKIPPED: Final = b" \t\0\n"


def is_point(line: bytes) -> bool:
    """Whether a line is one that the server reads: neither blank nor a comment."""
    line = line.strip(SKIPPED)
    return bool(line) and not line.startswith(b"#")


def has_time(line: bytes) -> bool:
    r"""Whether a line ends in a time; for a line with LFs in its strings, the same is true of its last piece.

    A string field ends in a quote, so digits after the last space are the time. What is no valid line is refused by the
    server whatever is said here.
    """
    return line.rpartition(b" ")[2].removeprefix(b"-").isdigit()
