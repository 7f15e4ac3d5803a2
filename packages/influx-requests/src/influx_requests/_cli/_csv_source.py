"""CSV files, with a type for each column that is detected from the whole file before anything is sent.

A column is of integers, of floats (if at least one number is not an integer), of booleans (`true` and `false`), or of
strings. Numbers that would not be written back unchanged are strings: `007`, `+1`. A column of mixed types is an error,
and so is a number that its type cannot represent exactly; `--types` overrides the detected type.
"""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TextIO, TypeAlias

from ._console import CommandError, Exit, format_count
from ._sources import CHUNK_LINES, Chunk, Position, chunk_of_points

_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)")
_FLOAT: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?|-?\.[0-9]+(?:[eE][+-]?[0-9]+)?")
_BOOLEANS: Final = {text: text.lower() == "true" for text in ("true", "True", "TRUE", "false", "False", "FALSE")}

#: Values accepted for a type from `--types`.
_ANY_INTEGER: Final = re.compile(r"[+-]?[0-9]+")
_ANY_FLOAT: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")

_PARSERS: Final[Mapping[str, Callable[[str], object]]] = {
    "integer": int,
    "float": float,
    "boolean": _BOOLEANS.__getitem__,
    "string": str,
}

#: A column: its index, its name, and the function that parses its cells.
_Reader: TypeAlias = tuple[int, str, Callable[[str], object]]


@dataclass(frozen=True)
class CSVOptions:
    """Options of reading a CSV file."""

    measurement: str | None
    tag_columns: Collection[str]
    time_column: str
    types: Mapping[str, str]
    null: str
    precision: str


@dataclass
class _Field:
    """A column that is written as a field."""

    name: str
    index: int
    #: The type from `--types`.
    forced: str | None
    #: For each type, the line and the cell where it was seen first.
    seen: dict[str, tuple[int, str]] = field(default_factory=dict)
    #: The line and the cell of the first integer that a float cannot represent.
    inexact: tuple[int, str] | None = None

    @property
    def type(self) -> str:
        return self.forced or ("float" if "float" in self.seen else next(iter(self.seen), "string"))

    def inspect(self, line: int, cell: str) -> str | None:
        """Record the type of a cell; return the problem with it, if any."""
        if self.forced is not None:
            if _is_valid(cell, self.forced):
                return None
            return f"{cell!r} cannot be written as {self.forced}; correct the cell, or change --types"
        if _INTEGER.fullmatch(cell):
            cell_type = "integer"
            if len(cell) > 15:
                if not _is_valid(cell, "integer"):
                    return f"{cell!r} exceeds 64 bits; pass --types {self.name}=float or --types {self.name}=string"
                if int(float(cell)) != int(cell):
                    self.inexact = self.inexact or (line, cell)
        elif _FLOAT.fullmatch(cell):
            cell_type = "float"
        else:
            cell_type = "boolean" if cell in _BOOLEANS else "string"
        if cell_type not in self.seen:
            self.seen[cell_type] = line, cell
            if len(self.seen) > 1 and not self.seen.keys() <= {"integer", "float"}:
                other_type, (first_line, first_cell) = next(iter(self.seen.items()))
                return (
                    f"{cell!r} is {_TYPE_NAMES[cell_type]}, but {first_cell!r} in line {first_line} is "
                    f"{_TYPE_NAMES[other_type]}; pass --types {self.name}=string to write strings, or "
                    f"--null {cell!r} to omit such cells"
                )
        return None

    def check_exact(self, name: str) -> None:
        if self.forced is None and self.type == "float" and self.inexact is not None:
            line, cell = self.inexact
            _, float_cell = self.seen["float"]
            msg = (
                f"{name}:{line}: column {self.name!r}: {cell} cannot be represented as a float, and the column is "
                f"float because of {float_cell!r}; pass --types {self.name}=float to round it, or "
                f"--types {self.name}=string"
            )
            raise CommandError(msg)


_TYPE_NAMES: Final = {"integer": "a number", "float": "a number", "boolean": "a boolean", "string": "text"}


def _is_valid(cell: str, type_name: str) -> bool:
    match type_name:
        case "integer":
            return bool(_ANY_INTEGER.fullmatch(cell)) and len(cell) < 100 and -(2**63) <= int(cell) < 2**63
        case "float":
            return bool(_ANY_FLOAT.fullmatch(cell))
        case "boolean":
            return cell in _BOOLEANS
        case _:
            return True


class CSVSource:
    """A CSV file with a header row. The constructor reads the whole file once to detect the types.

    Raises:
        CommandError: the file is malformed, or a column has mixed types; the message has the line number.
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
        self._time = self._index_of(options.time_column, "--time-column")
        self._tags = [(self._index_of(tag, "--tag-columns"), tag) for tag in options.tag_columns]
        self._measurement: int | None = None
        if options.measurement is None:
            self._measurement = self._index_of("measurement", "--measurement")
        not_fields = {self._time, self._measurement, *(index for index, _ in self._tags)}
        self._fields = [
            _Field(column, index, options.types.get(column))
            for index, column in enumerate(self._header)
            if index not in not_fields
        ]
        for column in options.types.keys() - {each.name for each in self._fields}:
            msg = f"{name}: --types: field {column!r} not found; the columns are {', '.join(self._header)}"
            raise CommandError(msg, Exit.USAGE)
        self.total: int | None = 0
        for line, row in rows:
            self.total += 1
            self._inspect(line, row)
        for each in self._fields:
            each.check_exact(name)

    def chunks(self, start: Position) -> Iterator[Chunk]:
        """Yield the chunks after a position."""
        rows = self._rows()
        next(rows)
        readers: list[_Reader] = [(each.index, each.name, _PARSERS[each.type]) for each in self._fields]
        points: list[tuple[int, dict[str, Any]]] = []
        end = start
        for number, (line, row) in enumerate(rows, 1):
            if number <= start.offset:
                continue
            points.append((line, self._point(row, readers)))
            end = Position(number, line)
            if len(points) >= CHUNK_LINES:
                yield self._chunk(points, end)
                points = []
        yield self._chunk(points, end)

    def _chunk(self, points: list[tuple[int, dict[str, Any]]], end: Position) -> Chunk:
        options = self._options
        return chunk_of_points(self.name, points, end, measurement=options.measurement, precision=options.precision)

    def _point(self, row: list[str], readers: list[_Reader]) -> dict[str, Any]:
        null = self._options.null
        time = row[self._time]
        point: dict[str, Any] = {
            "time": int(time) if _ANY_INTEGER.fullmatch(time) else time,
            "tags": {name: row[index] for index, name in self._tags if row[index] != null},
            "fields": {name: parse(cell) for index, name, parse in readers if (cell := row[index]) != null},
        }
        if self._measurement is not None:
            point["measurement"] = row[self._measurement]
        return point

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield each row that is not blank, from the start of the file, with the number of its last line."""
        self._file.seek(0)
        reader = csv.reader(self._file, strict=True)
        try:
            for row in reader:
                if row:
                    yield reader.line_num, row
        except csv.Error as error:
            msg = f"{self.name}:{reader.line_num}: malformed CSV: {error}"
            raise CommandError(msg) from None
        except UnicodeDecodeError as error:
            msg = f"{self.name}: after line {reader.line_num}: not UTF-8: {error.reason}"
            raise CommandError(msg) from None

    def _inspect(self, line: int, row: list[str]) -> None:
        null = self._options.null
        if len(row) != len(self._header):
            msg = f"{self.name}:{line}: {format_count(len(row), 'cell')}, but the header has {len(self._header)}"
            raise CommandError(msg)
        if row[self._time] == null:
            msg = f"{self.name}:{line}: column {self._options.time_column!r}: the timestamp is missing"
            raise CommandError(msg)
        for each in self._fields:
            cell = row[each.index]
            if cell != null and (problem := each.inspect(line, cell)):
                msg = f"{self.name}:{line}: column {each.name!r}: {problem}"
                raise CommandError(msg)

    def _check_header(self) -> None:
        if not self._header:
            msg = f"{self.name}: the file is empty; the first line must name the columns"
            raise CommandError(msg)
        for index, column in enumerate(self._header):
            if not column or column in self._header[:index]:
                msg = f"{self.name}:1: column {index + 1} {f'is a second {column!r}' if column else 'has no name'}"
                raise CommandError(msg)

    def _index_of(self, column: str, option: str) -> int:
        if column not in self._header:
            msg = f"{self.name}: column {column!r} not found in {', '.join(self._header)}; pass {option}"
            raise CommandError(msg, Exit.USAGE)
        return self._header.index(column)
