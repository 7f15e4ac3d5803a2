"""Sources of `write`, read in chunks: line protocol and JSON lines. Every format is converted to line protocol.

Progress is saved by chunk: a chunk knows its lines of the file and the position after it. Data that cannot be encoded
is reported with its line number before any line of its chunk is sent.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any, Final, NamedTuple, Protocol, TypeAlias

from influx_proto import SerializationError, serialize, split_lines

from ._console import CommandError
from ._files import read_chunks

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


class LineProtocol:
    """A line protocol file."""

    unit = "B"

    def __init__(self, name: str, file: IO[bytes], total: int | None, precision: str) -> None:
        self.name = name
        self.total = total
        self._file = file
        self._precision = precision

    def chunks(self, start: Position) -> Iterator[Chunk]:
        """Yield the chunks after a position."""
        if start.offset:
            self._file.seek(start.offset)
        offset, number = start
        lines: list[bytes] = []
        size = 0
        for line in split_lines(read_chunks(self.name, self._file, is_start=not start.offset)):
            lines.append(line)
            size += len(line) + 1
            if len(lines) >= CHUNK_LINES or size >= _CHUNK_BYTES:
                yield (chunk := self._chunk(lines, offset, number))
                offset, number = chunk.end
                lines, size = [], 0
        if lines:
            yield self._chunk(lines, offset, number)

    def _chunk(self, lines: list[bytes], offset: int, number: int) -> Chunk:
        data = b"\n".join(lines)
        end = offset + len(data) + 1  # one too many if the last line of the file has no LF
        end = end if self.total is None else min(end, self.total)

        def numbered() -> Iterator[tuple[int, bytes]]:
            at = number + 1
            for line in lines:
                yield at, line
                at += 1 + line.count(b"\n")

        return Chunk(data, self._precision, Position(end, number + data.count(b"\n") + 1), numbered)


class JSONLines:
    """A file with one point per line, each a mapping that `InfluxDBClient.write` accepts."""

    unit = "B"

    def __init__(
        self, name: str, file: IO[bytes], total: int | None, *, measurement: str | None, precision: str
    ) -> None:
        self.name = name
        self.total = total
        self._file = file
        self._measurement = measurement
        self._precision = precision

    def chunks(self, start: Position) -> Iterator[Chunk]:
        """Yield the chunks after a position."""
        if start.offset:
            self._file.seek(start.offset)
        offset, number = start
        points: list[tuple[int, dict[str, Any]]] = []
        for line in self._file:
            number += 1
            offset += len(line)
            if text := line.strip():
                points.append((number, self._point(number, text)))
            if len(points) >= CHUNK_LINES:
                yield self._chunk(points, Position(offset, number))
                points = []
        yield self._chunk(points, Position(offset, number))

    def _chunk(self, points: Numbered, end: Position) -> Chunk:
        return chunk_of_points(self.name, points, end, measurement=self._measurement, precision=self._precision)

    def _point(self, number: int, text: bytes) -> dict[str, Any]:
        try:
            point = json.loads(text, parse_constant=_reject_constant)
        except ValueError as error:  # invalid JSON or invalid UTF-8
            msg = f"{self.name}:{number}: invalid JSON: {error}"
            raise CommandError(msg) from None
        if not isinstance(point, dict):
            msg = f'{self.name}:{number}: expected a point, such as {{"measurement": "cpu", "fields": {{"load": 0.5}}}}'
            raise CommandError(msg)
        return point


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
                msg = f"{name}:{number}: {str(error).removeprefix('row 0: ')}"
                raise CommandError(msg) from error
        raise
    return Chunk(data, "ns", end, numbered)


def _reject_constant(constant: str) -> float:
    msg = f"{constant} is not a JSON number"
    raise ValueError(msg)
