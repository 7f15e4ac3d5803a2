"""Sources of `write`, read in chunks: line protocol and JSON lines. Every format is converted to line protocol.

Progress is saved by chunk: a chunk knows its lines of the file and the position after it. Data that cannot be encoded
is reported with its line number before any line of its chunk is sent.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

from influx_proto import SerializationError, serialize, split_lines

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
    """A line protocol file or stream."""

    unit = "B"

    def __init__(self, source: Input, precision: str) -> None:
        self.name = source.name
        self.total = source.size
        self._source = source
        self._precision = precision

    def chunks(self, start: Position) -> Iterator[Chunk]:
        """Yield the chunks after a position; those of a stream as soon as their lines are complete."""
        offset, number = start
        for lines in _line_groups(self._source, start.offset, _split_complete):
            yield (chunk := self._chunk(lines, offset, number))
            offset, number = chunk.end

    def _chunk(self, lines: list[bytes], offset: int, number: int) -> Chunk:
        data = b"\n".join(lines)
        end = offset + len(data) + 1  # one too many if the last line of the file has no LF
        end = end if self.total is None else min(end, self.total)
        count = data.count(b"\n") + 1
        if not offset:
            data = data.removeprefix(codecs.BOM_UTF8)
            lines = [lines[0].removeprefix(codecs.BOM_UTF8), *lines[1:]]

        def numbered() -> Iterator[tuple[int, bytes]]:
            at = number + 1
            for line in lines:
                yield at, line
                at += 1 + line.count(b"\n")

        return Chunk(data, self._precision, Position(end, number + count), numbered)


class JSONLines:
    """A file or stream with one point per line, each a mapping that `InfluxDBClient.write` accepts."""

    unit = "B"

    def __init__(self, source: Input, *, measurement: str | None, precision: str) -> None:
        self.name = source.name
        self.total = source.size
        self._source = source
        self._measurement = measurement
        self._precision = precision

    def chunks(self, start: Position) -> Iterator[Chunk]:
        """Yield the chunks after a position; those of a stream as soon as their lines are complete."""
        offset, number = start
        for lines in _line_groups(self._source, start.offset, lambda data: data.split(b"\n")):
            points: list[tuple[int, dict[str, Any]]] = []
            for line in lines:
                number += 1
                text = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
                if text := text.strip():
                    points.append((number, self._point(number, text)))
            offset += sum(map(len, lines)) + len(lines)
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


def _line_groups(source: Input, offset: int, split: Callable[[bytes], list[bytes]]) -> Iterator[list[bytes]]:
    """Yield the lines after an offset, without the LF at their ends, in groups of at most `CHUNK_LINES`.

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


def _split_complete(data: bytes) -> list[bytes]:
    """Split line protocol that ends with an LF into its lines and the rest, which is a line in a string or empty."""
    *lines, last = split_lines(data + b"#")
    return [*lines, last[:-1]]


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
