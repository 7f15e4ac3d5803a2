"""Search for points that have lines in several batches, of which the last written must be stored last."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias, TypeVar

from .._encode.batch import Batch
from .._errors import SerializationError
from .._line_protocol.parse import parse_lines
from .._line_protocol.split import SKIPPED
from .._time import unit

T = TypeVar("T")

#: Measurement, tags and time.
_PointKey: TypeAlias = tuple[str, frozenset[tuple[str, str]], int | None]


def have_same_points(batches: Sequence[Batch]) -> bool:
    """Return whether two batches have lines for the same point, or for points that cannot be compared.

    Args:
        batches: batches in different precisions, of lines with timestamps.
    """
    common = _common([{time for _, time in _timed_lines(batch)} for batch in batches])
    if not common:
        return False
    try:
        return bool(_common([set(_points(batch, common)) for batch in batches]))
    except SerializationError:
        return True


def _common(sets: Sequence[set[T]]) -> set[T]:
    """Return the values that at least two of the sets contain."""
    seen: set[T] = set()
    common: set[T] = set()
    for each in sets:
        common |= seen & each
        seen |= each
    return common


def _timed_lines(batch: Batch) -> Iterator[tuple[bytes, int]]:
    """Yield each line with its time in nanoseconds."""
    nanoseconds = unit(batch.precision)
    for line in batch:
        try:
            time = int(line.rstrip(SKIPPED).rpartition(b" ")[2])
        except ValueError:
            continue  # no server stores this line
        yield line, time * nanoseconds


def _points(batch: Batch, times: set[int]) -> Iterator[_PointKey]:
    """Yield the measurement, the tags and the time of each point with one of these times."""
    lines = b"\n".join([line for line, time in _timed_lines(batch) if time in times])
    for point in parse_lines(lines, precision=batch.precision, unsigned=True):
        yield point["measurement"], frozenset(point["tags"].items()), point["time"]
