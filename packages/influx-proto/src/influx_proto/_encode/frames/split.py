"""Encoded lines of a table, and how they are split into batches: at the ends of lines that their encoder knows."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Any, NamedTuple


class Lines(NamedTuple):
    """Encoded lines."""

    data: bytes
    number: int
    #: The index after each line, as a sequence or a numpy array; None if it is unknown.
    ends: Any = None


def split_table_lines(
    lines: Lines, max_lines: int, max_bytes: int, get_room: Callable[[], tuple[int, int]]
) -> Iterator[tuple[bytes, int]]:
    """Yield the lines in parts that fit into batches, each with its number of lines.

    Lines that exceed no limit are yielded together. A single line that exceeds a limit is yielded alone. All lines are
    yielded together if the end of a line is unknown.

    Args:
        lines: the lines.
        max_lines: maximum number of lines in a batch.
        max_bytes: maximum size of a batch in bytes.
        get_room: returns the number of lines and the number of bytes that still fit into the current batch.
    """
    data, count, ends = lines
    begin = first = 0
    if count > max_lines or len(data) > max_bytes:
        ends = _find_ends(data, count) if ends is None else ends
        while ends is not None and first < count:
            more_lines, more_bytes = get_room()
            fitting = bisect_right(ends, begin + more_bytes, first, min(first + max(more_lines, 0), count))
            stop = max(fitting, first + 1)
            end = int(ends[stop - 1])
            yield data[begin:end], stop - first
            begin, first = end + 1, stop
    if first < count:
        yield data, count


def _find_ends(data: bytes, count: int) -> Sequence[int] | None:
    """Return the index after each line, or None if a string contains an LF."""
    return find_ends(data.split(b"\n")) if data.count(b"\n") == count - 1 else None


def find_ends(lines: Sequence[bytes]) -> Sequence[int]:
    """Return the index after each of several lines that are separated by LFs."""
    return [end - 1 for end in accumulate(len(line) + 1 for line in lines)]
