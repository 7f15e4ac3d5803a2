"""CSV files, with a type for each field that is detected from the whole file before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TextIO

from ._console import CommandError, Exit, print_stderr
from ._csv_roles import CSVOptions, Table
from ._csv_tables import TableReader, parse_time
from ._csv_types import PARSERS, FieldType
from ._sources import CHUNK_LINES, Chunk, Position, chunk_of_points


class CSVSource:
    """A CSV file. The constructor reads the whole file once to detect the types.

    Raises:
        CommandError: the file is malformed, or a field has mixed types; the message has the line number.
    """

    unit = " rows"

    def __init__(self, name: str, file: TextIO, options: CSVOptions) -> None:
        self.name = name
        self._options = options
        self._reader = TableReader(name, file, options)
        #: Types of the fields that have no annotation. Tables of one file share them.
        self._types: dict[str, FieldType] = {}
        self.total: int | None = 0
        before: Table | None = None
        header: list[str] = []
        for line, table, row in self._reader.rows():
            if table is not before:
                before, header = table, table.header
                self._add_types(table)
            self.total += 1
            self._inspect(line, table, row)
        for column in options.types.keys() - self._types.keys():
            if header:
                msg = f"{name}: --types: field {column!r} not found; the columns are {', '.join(header)}"
                raise CommandError(msg, Exit.USAGE)
        for each in self._types.values():
            each.check(name)
        if before is not None and "time" in header and header[before.time] != "time":
            print_stderr(f"warning: {name}: the column 'time' is omitted, since InfluxDB has no field of that name")

    def chunks(self, start: Position) -> Iterator[Chunk]:
        """Yield the chunks after a position."""
        points: list[tuple[int, dict[str, Any]]] = []
        end = start
        before: Table | None = None
        create: Callable[[list[str]], dict[str, Any]] | None = None
        for number, (line, table, row) in enumerate(self._reader.rows(), 1):
            if number <= start.offset:
                continue
            if create is None or table is not before:
                before, create = table, self._point_builder(table)
            points.append((line, create(row)))
            end = Position(number, line)
            if len(points) >= CHUNK_LINES:
                yield self._chunk(points, end)
                points = []
        yield self._chunk(points, end)

    def _chunk(self, points: list[tuple[int, dict[str, Any]]], end: Position) -> Chunk:
        options = self._options
        return chunk_of_points(self.name, points, end, measurement=options.measurement, precision=options.precision)

    def _add_types(self, table: Table) -> None:
        for index, name in table.fields:
            if name in self._options.types or index not in table.types:
                self._types.setdefault(name, FieldType(name, self._options.types.get(name), self._options.decimal))

    def _inspect(self, line: int, table: Table, row: list[str]) -> None:
        null = self._options.null
        if row[table.time] in null:
            raise CommandError(f"{self.name}:{line}: column {table.header[table.time]!r}: the timestamp is missing")
        for index, name in table.fields:
            cell = row[index]
            if cell not in null and name in self._types and (problem := self._types[name].inspect(line, cell)):
                raise CommandError(f"{self.name}:{line}: column {name!r}: {problem}")
            if cell not in null and name not in self._types:
                self._check_annotated(line, name, cell, table.types[index])
        if table.field_name is not None and row[table.value] not in null:
            name = row[table.field_name]
            self._check_annotated(line, name, row[table.value], self._value_type(table, name))

    def _check_annotated(self, line: int, name: str, cell: str, type_name: str) -> None:
        try:
            PARSERS[type_name](cell)
        except (ValueError, KeyError):
            msg = f"{self.name}:{line}: field {name!r}: {cell!r} is not of the type {type_name}, which #datatype names"
            raise CommandError(msg) from None

    def _value_type(self, table: Table, name: str) -> str:
        return self._options.types.get(name) or table.types.get(table.value, "string")

    def _point_builder(self, table: Table) -> Callable[[list[str]], dict[str, Any]]:
        """Return the function that makes a point of a row."""
        null = self._options.null
        fields = [
            (index, name, self._types[name].parser if name in self._types else PARSERS[table.types[index]])
            for index, name in table.fields
        ]
        time, tags, measurement = table.time, table.tags, table.measurement

        def create(row: list[str]) -> dict[str, Any]:
            point: dict[str, Any] = {
                "time": parse_time(row[time]),
                "tags": {name: cell for index, name in tags if (cell := row[index]) not in null},
                "fields": {name: parse(cell) for index, name, parse in fields if (cell := row[index]) not in null},
            }
            if measurement is not None:
                point["measurement"] = row[measurement]
            if table.tag_set is not None:
                pairs = (pair.partition("=") for pair in row[table.tag_set].split(","))
                point["tags"] |= {key: value for key, _, value in pairs if value}
            if table.field_name is not None and (cell := row[table.value]) not in null:
                name = row[table.field_name]
                point["fields"][name] = PARSERS[self._value_type(table, name)](cell)
            return point

        return create
