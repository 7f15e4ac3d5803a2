"""CSV files. Types are decided per column, over the whole file, before anything is sent.

A column of integers is one of integers; of numbers that are not all integers, one of floats; of `true` and `false`, one
of booleans; of text, one of strings. A column of more than one kind is an error, and so is what a type cannot hold as
it is; `--types` says otherwise. Text is also what looks like a number and would not be written as one: `007`, `+1`.
"""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TextIO, TypeAlias

from ._console import CommandError, Exit
from ._sources import CHUNK_LINES, Chunk, Position, chunk_of_points

_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)")
_FLOAT: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?|-?\.[0-9]+(?:[eE][+-]?[0-9]+)?")
_BOOLEANS: Final = {text: text.lower() == "true" for text in ("true", "True", "TRUE", "false", "False", "FALSE")}

#: What is taken for a value of a type that the caller asks for.
_ANY_INTEGER: Final = re.compile(r"[+-]?[0-9]+")
_ANY_FLOAT: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")

_READ: Final[Mapping[str, Callable[[str], object]]] = {
    "integer": int,
    "float": float,
    "boolean": _BOOLEANS.__getitem__,
    "string": str,
}

#: A column: its place, its name, and what reads its cells.
_Read: TypeAlias = tuple[int, str, Callable[[str], object]]


@dataclass(frozen=True)
class CSVOptions:
    """How a CSV file is to be read."""

    measurement: str | None
    tag_columns: Collection[str]
    time_column: str
    types: Mapping[str, str]
    null: str
    precision: str


@dataclass
class _Field:
    """A column of fields."""

    name: str
    place: int
    #: The type that the caller asks for.
    forced: str | None
    #: Of each kind, the line and the cell where it was seen first.
    seen: dict[str, tuple[int, str]] = field(default_factory=dict)
    #: The line and the cell of the first integer that no float is equal to.
    inexact: tuple[int, str] | None = None

    @property
    def type(self) -> str:
        return self.forced or ("float" if "float" in self.seen else next(iter(self.seen), "string"))

    def look(self, line: int, cell: str) -> str | None:
        """Look at a cell; give what is wrong with it."""
        if self.forced is not None:
            return None if _is_valid(cell, self.forced) else f"{cell!r} is no {self.forced}, as --types has it"
        if _INTEGER.fullmatch(cell):
            kind = "integer"
            if len(cell) > 15:
                if not _is_valid(cell, "integer"):
                    return f"{cell!r} does not fit 64 bits; --types {self.name}=float or {self.name}=string takes it"
                if int(float(cell)) != int(cell):
                    self.inexact = self.inexact or (line, cell)
        elif _FLOAT.fullmatch(cell):
            kind = "float"
        else:
            kind = "boolean" if cell in _BOOLEANS else "string"
        if kind not in self.seen:
            self.seen[kind] = line, cell
            if len(self.seen) > 1 and not self.seen.keys() <= {"integer", "float"}:
                other, (where, first) = next(iter(self.seen.items()))
                return (
                    f"{cell!r} is {_A[kind]}, and {first!r} in line {where} {_A[other]}; --types {self.name}=string "
                    f"writes all as text, and --null {cell!r} leaves such cells out"
                )
        return None

    def check_exact(self, name: str) -> None:
        if self.forced is None and self.type == "float" and self.inexact is not None:
            line, cell = self.inexact
            _, other = self.seen["float"]
            msg = (
                f"{name}:{line}: column {self.name!r}: no float is {cell}, and the column is one of floats, with "
                f"{other!r}; --types {self.name}=float takes the next one, {self.name}=string keeps all as text"
            )
            raise CommandError(msg)


_A: Final = {"integer": "a number", "float": "a number", "boolean": "a boolean", "string": "text"}


def _is_valid(cell: str, kind: str) -> bool:
    match kind:
        case "integer":
            return bool(_ANY_INTEGER.fullmatch(cell)) and len(cell) < 100 and -(2**63) <= int(cell) < 2**63
        case "float":
            return bool(_ANY_FLOAT.fullmatch(cell))
        case "boolean":
            return cell in _BOOLEANS
        case _:
            return True


class CSVSource:
    """A CSV file with a heading; it is read through once when this is made.

    Raises:
        CommandError: it is not such a file, or a column is of no single type; says in which line.
    """

    unit = " rows"

    def __init__(self, name: str, file: TextIO, options: CSVOptions) -> None:
        self.name = name
        self._file = file
        self._options = options
        csv.field_size_limit(sys.maxsize)
        rows = self._rows()
        _, self._header = next(rows, (0, []))
        self._check_header()
        self._time = self._place(options.time_column, "--time-column")
        self._tags = [(self._place(tag, "--tag-columns"), tag) for tag in options.tag_columns]
        self._measurement: int | None = None
        if options.measurement is None:
            self._measurement = self._place("measurement", "--measurement")
        taken = {self._time, self._measurement, *(place for place, _ in self._tags)}
        self._fields = [
            _Field(column, place, options.types.get(column))
            for place, column in enumerate(self._header)
            if place not in taken
        ]
        for column in options.types.keys() - {each.name for each in self._fields}:
            msg = f"{name}: --types: there is no field {column!r} in {', '.join(self._header)}"
            raise CommandError(msg, Exit.USAGE)
        self.total: int | None = 0
        for line, row in rows:
            self.total += 1
            self._look(line, row)
        for each in self._fields:
            each.check_exact(name)

    def chunks(self, begin: Position) -> Iterator[Chunk]:
        """Give the chunks from a position on."""
        rows = self._rows()
        next(rows)
        reads: list[_Read] = [(each.place, each.name, _READ[each.type]) for each in self._fields]
        points: list[tuple[int, dict[str, Any]]] = []
        end = begin
        for number, (line, row) in enumerate(rows, 1):
            if number <= begin.offset:
                continue
            points.append((line, self._point(row, reads)))
            end = Position(number, line)
            if len(points) >= CHUNK_LINES:
                yield self._chunk(points, end)
                points = []
        yield self._chunk(points, end)

    def _chunk(self, points: list[tuple[int, dict[str, Any]]], end: Position) -> Chunk:
        options = self._options
        return chunk_of_points(self.name, points, end, measurement=options.measurement, precision=options.precision)

    def _point(self, row: list[str], reads: list[_Read]) -> dict[str, Any]:
        null = self._options.null
        time = row[self._time]
        point: dict[str, Any] = {
            "time": int(time) if _ANY_INTEGER.fullmatch(time) else time,
            "tags": {name: row[place] for place, name in self._tags if row[place] != null},
            "fields": {name: read(cell) for place, name, read in reads if (cell := row[place]) != null},
        }
        if self._measurement is not None:
            point["measurement"] = row[self._measurement]
        return point

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        """Give each row that is not blank, from the beginning of the file, with the line that it ends in."""
        self._file.seek(0)
        reader = csv.reader(self._file, strict=True)
        try:
            for row in reader:
                if row:
                    yield reader.line_num, row
        except csv.Error as error:
            msg = f"{self.name}:{reader.line_num}: no CSV: {error}"
            raise CommandError(msg) from None
        except UnicodeDecodeError as error:
            msg = f"{self.name}: after line {reader.line_num}: is no UTF-8: {error.reason}"
            raise CommandError(msg) from None

    def _look(self, line: int, row: list[str]) -> None:
        null = self._options.null
        if len(row) != len(self._header):
            msg = f"{self.name}:{line}: {len(row)} cells, and the heading has {len(self._header)}"
            raise CommandError(msg)
        if row[self._time] == null:
            msg = f"{self.name}:{line}: column {self._options.time_column!r}: the time is missing"
            raise CommandError(msg)
        for each in self._fields:
            cell = row[each.place]
            if cell != null and (problem := each.look(line, cell)):
                msg = f"{self.name}:{line}: column {each.name!r}: {problem}"
                raise CommandError(msg)

    def _check_header(self) -> None:
        if not self._header:
            msg = f"{self.name}: is empty; the first line names the columns"
            raise CommandError(msg)
        for place, column in enumerate(self._header):
            if not column or column in self._header[:place]:
                msg = f"{self.name}:1: column {place + 1} {f'is a second {column!r}' if column else 'has no name'}"
                raise CommandError(msg)

    def _place(self, column: str, option: str) -> int:
        if column not in self._header:
            msg = f"{self.name}: there is no column {column!r} in {', '.join(self._header)}; see {option}"
            raise CommandError(msg, Exit.USAGE)
        return self._header.index(column)
