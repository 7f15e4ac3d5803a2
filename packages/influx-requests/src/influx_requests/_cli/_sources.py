"""What is written, chunk by chunk: line protocol and JSON lines. Every kind of file becomes lines of line protocol.

A chunk is what is remembered as one: which lines of the file it has, and where the file goes on after it. What cannot
be written is told, with its line, before anything of its chunk is sent.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any, Final, NamedTuple, Protocol, TypeAlias

from influx_proto import SerializationError, serialize, split_lines

from ._console import CommandError
from ._files import pieces

#: Lines, or points, in a chunk.
CHUNK_LINES: Final = 1000

_CHUNK_BYTES: Final = 1_000_000

#: Points, each with its line in the file, or its row.
Numbered: TypeAlias = Sequence[tuple[int, dict[str, Any]]]


class Position(NamedTuple):
    """A place in a file."""

    #: In the source's own unit: bytes, or rows.
    offset: int = 0
    #: How many lines, or rows, are before it.
    lines: int = 0


BEGIN: Final = Position()


@dataclass(frozen=True, slots=True)
class Chunk:
    """Lines that are written, and remembered, as one."""

    data: bytes
    #: The unit of their times.
    precision: str
    #: Where the file goes on after it.
    end: Position
    #: Give each line, and the number of its line or row in the file; where lines were rejected, to say which.
    numbered: Callable[[], Iterable[tuple[int, bytes]]]


class Source(Protocol):
    """Something that is written."""

    #: What to call it in messages.
    name: str
    #: What offsets count, for a progress bar; and how much there is, where that is known.
    unit: str
    total: int | None

    def chunks(self, begin: Position) -> Iterator[Chunk]:
        """Give the chunks from a position on."""
        ...


class LineProtocol:
    """A file of line protocol."""

    unit = "B"

    def __init__(self, name: str, file: IO[bytes], total: int | None, precision: str) -> None:
        self.name = name
        self.total = total
        self._file = file
        self._precision = precision

    def chunks(self, begin: Position) -> Iterator[Chunk]:
        """Give the chunks from a position on."""
        if begin.offset:
            self._file.seek(begin.offset)
        offset, number = begin
        lines: list[bytes] = []
        size = 0
        for line in split_lines(pieces(self.name, self._file, begins=not begin.offset)):
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
        end = offset + len(data) + 1  # one too many where the last line of a file has no LF
        end = end if self.total is None else min(end, self.total)

        def numbered() -> Iterator[tuple[int, bytes]]:
            at = number + 1
            for line in lines:
                yield at, line
                at += 1 + line.count(b"\n")

        return Chunk(data, self._precision, Position(end, number + data.count(b"\n") + 1), numbered)


class JSONLines:
    """A file with a point a line, each as `write` of a client takes them."""

    unit = "B"

    def __init__(
        self, name: str, file: IO[bytes], total: int | None, *, measurement: str | None, precision: str
    ) -> None:
        self.name = name
        self.total = total
        self._file = file
        self._measurement = measurement
        self._precision = precision

    def chunks(self, begin: Position) -> Iterator[Chunk]:
        """Give the chunks from a position on."""
        if begin.offset:
            self._file.seek(begin.offset)
        offset, number = begin
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
            point = json.loads(text, parse_constant=_refused)
        except ValueError as error:  # of JSON and of UTF-8
            msg = f"{self.name}:{number}: no JSON: {error}"
            raise CommandError(msg) from None
        if not isinstance(point, dict):
            msg = f'{self.name}:{number}: not a point, such as {{"measurement": "cpu", "fields": {{"load": 0.5}}}}'
            raise CommandError(msg)
        return point


def chunk_of_points(name: str, points: Numbered, end: Position, *, measurement: str | None, precision: str) -> Chunk:
    """Make a chunk of points.

    Raises:
        CommandError: one cannot be written; says in which line it is.
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


def _refused(constant: str) -> float:
    msg = f"{constant} is none of its numbers"
    raise ValueError(msg)
