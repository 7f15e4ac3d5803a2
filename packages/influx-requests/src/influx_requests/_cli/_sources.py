"""Sources of `write`, which are read in chunks. Every format is converted to line protocol.

Progress is saved by chunk: a chunk knows its lines of the file and the position after it. Data that cannot be encoded
is reported with its line number before any line of its chunk is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

from influx_proto import SerializationError, serialize

from ._console import CommandError
from ._files import Input

#: Most lines or points in a chunk.
CHUNK_LINES: Final = 1000

_CHUNK_BYTES: Final = 1_000_000

#: Points with the number of their line or row in the file.
Numbered: TypeAlias = Sequence[tuple[int, dict[str, Any]]]


class Position(NamedTuple):
    """A position in a file."""

    #: In the unit of the source: bytes or rows.
    offset: int = 0
    #: Number of lines or rows before it.
    lines: int = 0


START: Final = Position()


@dataclass(frozen=True, slots=True)
class Chunk:
    """Lines that are written together, after which the progress is saved."""

    data: bytes
    #: The unit of the timestamps.
    precision: str
    #: The position after the chunk.
    end: Position
    #: Return the number of each line or row in the file and its line, for the report of rejected lines.
    numbered: Callable[[], Iterable[tuple[int, bytes]]]
    #: The database and the retention policy that the file names.
    database: str | None = None
    rp: str | None = None
    #: Statements of the file that are executed before the lines are written.
    statements: tuple[str, ...] = ()


def time_warning(chunk: Chunk) -> str | None:
    """Return a warning if the first timestamp of a chunk is probably in a unit other than nanoseconds."""
    time = chunk.data.partition(b"\n")[0].rpartition(b" ")[2]
    if chunk.precision != "ns" or not time.isdigit() or not 9 <= len(time) <= 16:  # until April 1970
        return None
    unit = "s" if len(time) < 12 else "ms" if len(time) < 15 else "us"
    moment = f"{int(time) / 10**9:.9g} s after the start of 1970"
    return f"the first timestamp, {int(time)}, is {moment}; pass --precision {unit} if it is in {unit}"


def carriage_return_hint(line: str) -> str:
    """Return the remedy for a rejected line that ends in CRLF, or an empty string."""
    return r"; it ends in CRLF: convert the file first, for example with `sed 's/\r$//'`" if line.endswith("\r") else ""


class Source(Protocol):
    """A file in one of the formats that `write` accepts."""

    #: The name in messages.
    name: str
    #: The unit of offsets, for the progress bar.
    unit: str
    #: The size in this unit, if known.
    total: int | None

    def chunks(self, start: Position) -> Iterator[Chunk]:
        """Yield the chunks after a position."""
        ...


def line_groups(source: Input, offset: int, split: Callable[[bytes], list[bytes]]) -> Iterator[list[bytes]]:
    """Yield the lines after an offset, without the LF at their ends, in groups of at most `CHUNK_LINES` items.

    Args:
        source: the input; its last line needs no LF.
        offset: the position in bytes.
        split: a function that splits data that ends with an LF into its lines and the rest, which is an incomplete
            line or empty.
    """
    if offset:
        source.file.seek(offset)
    rest = b""
    min_size = 0  # avoids that a line over many blocks is searched again for each block
    for block in source.read_blocks():
        data = rest + block
        cut = data.rfind(b"\n") + 1
        if not cut or len(data) < min_size:
            rest = data
            continue
        *lines, incomplete = split(data[:cut])
        rest = incomplete + data[cut:]
        min_size = 2 * len(rest) if len(rest) > _CHUNK_BYTES else 0
        for at in range(0, len(lines), CHUNK_LINES):
            yield lines[at : at + CHUNK_LINES]
    if rest:
        lines = split(rest)
        yield lines if lines[-1] else lines[:-1]


def chunk_of_points(name: str, points: Numbered, end: Position, *, measurement: str | None, precision: str) -> Chunk:
    """Return a chunk of encoded points.

    Raises:
        CommandError: a point cannot be encoded; the message has its line number.
    """

    def line_of(point: dict[str, Any]) -> bytes:
        return serialize([point], measurement, precision=precision)

    def numbered() -> Iterator[tuple[int, bytes]]:
        return ((number, line_of(point)) for number, point in points)

    try:
        data = serialize([point for _, point in points], measurement, precision=precision)
    except SerializationError:
        for number, point in points:
            try:
                line_of(point)
            except SerializationError as error:
                raise CommandError(f"{name}:{number}: {str(error).removeprefix('row 0: ')}") from error
        raise
    return Chunk(data, "ns", end, numbered)
