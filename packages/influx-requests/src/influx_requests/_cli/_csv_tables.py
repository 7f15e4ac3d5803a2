"""Tables of CSV files, and the roles of their columns.

A file has one table, with a header row, or several: the `influx` client repeats the header for each series, and
annotated CSV has annotations (`#datatype`, `#group`, `#default`) and a header for each table.
"""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final, TextIO

from ._console import CommandError, Exit, format_count
from ._csv_annotations import ANNOTATIONS, annotated_table
from ._csv_roles import CSVOptions, Table
from ._csv_types import ANY_INTEGER
from ._files import not_utf8

#: The line that Excel writes and reads before the header.
_SEPARATOR: Final = re.compile(r"sep=([^\r\n\"])[\r\n]*")
_DATE: Final = re.compile(r"\s*[0-9]{4}-[0-9]{2}-[0-9]{2}")


class TableReader:
    """Reads the rows of a CSV file with their tables.

    Raises:
        CommandError: the file is malformed; the message has the line number.
    """

    def __init__(self, name: str, file: TextIO, options: CSVOptions) -> None:
        self._name = name
        self._file = file
        self._options = options
        csv.field_size_limit(sys.maxsize)
        self._skips_blanks = False
        _, header = next(self._lines(), (0, [""]))
        # `a, b, c`: the blanks do not belong to the names and values.
        self._skips_blanks = len(header) > 1 and all(cell.startswith(" ") for cell in header[1:])

    def rows(self) -> Iterator[tuple[int, Table, list[str]]]:
        """Yield each row, from the start of the file, with the number of its last line and its table."""
        table: Table | None = None
        header: list[str] | None = None
        annotations: dict[str, list[str]] = {}
        for line, row in self._lines():
            if row[0].startswith("#") and row[0].split(" ")[0] in {*ANNOTATIONS, "#constant", "#timezone", "#concat"}:
                self._add_annotation(line, row, annotations if header is None else (annotations := {}))
                header = table = None
            elif header is None:
                header = row
            elif _is_influx_header(header) and _is_influx_header(row):
                header, table = row, None
            else:
                if table is None:
                    table = self._create_table(line, header, row, annotations)
                if len(row) != len(table.header):
                    msg = (
                        f"{self._name}:{line}: {format_count(len(row), 'cell')}, but the header has {len(table.header)}"
                    )
                    raise CommandError(msg)
                yield line, table, row if not table.defaults else self._with_defaults(row, table.defaults)
        if header is None:
            raise CommandError(f"{self._name}: the file is empty; the first line must name the columns")
        if table is None:
            self._create_table(1, header, [], annotations)  # checks the header

    def _lines(self) -> Iterator[tuple[int, list[str]]]:
        """Yield each row that is not blank, from the start of the file, with the number of its last line."""
        create = partial(csv.reader, self._file, strict=True, skipinitialspace=self._skips_blanks)
        separator = self._options.separator
        reader = create(delimiter=separator)
        before = line = 0
        try:
            self._file.seek(0)
            if mark := _SEPARATOR.fullmatch(self._file.readline()):
                before = line = 1
                reader = create(delimiter=mark[1]) if separator == "," else reader
            else:
                self._file.seek(0)
            for row in reader:
                line = before + reader.line_num
                if row:
                    yield line, row
        except csv.Error as error:
            raise CommandError(f"{self._name}:{before + reader.line_num}: malformed CSV: {error}") from None
        except UnicodeDecodeError as error:
            raise CommandError(f"{self._name}: after line {line}: {not_utf8(error.object)}") from None

    def _add_annotation(self, line: int, row: list[str], annotations: dict[str, list[str]]) -> None:
        """Add an annotation; that of the first column may follow the name: `#datatype measurement`."""
        name, _, first = row[0].partition(" ")
        if name not in ANNOTATIONS:
            raise CommandError(f"{self._name}:{line}: the annotation {name} is not supported; add a column instead")
        annotations[name] = [first, *row[1:]]

    @staticmethod
    def _with_defaults(row: list[str], defaults: Sequence[str]) -> list[str]:
        return [cell or default for cell, default in zip(row, defaults, strict=False)]

    def _create_table(self, line: int, header: list[str], row: list[str], annotations: dict[str, list[str]]) -> Table:
        header = [name.strip() for name in header]
        options = self._options
        if annotations:
            return annotated_table(f"{self._name}:{line}", header, row, annotations, options)
        for index, column in enumerate(header):
            if (not column and index) or column in header[:index]:
                problem = f"is a second {column!r}" if column else "has no name"
                raise CommandError(f"{self._name}:1: column {index + 1} {problem}")
        time = self._find_time(header, row)
        tag_set = None
        if options.measurement is not None:
            measurement = None
        elif _is_influx_header(header) and "measurement" not in header:
            measurement = 0
            tag_set = 1 if header[1] == "tags" else None
        else:
            measurement = self._index_of("measurement", header, "--measurement")
        tags = [(self._index_of(tag, header, "--tag-columns"), tag) for tag in options.tag_columns]
        not_fields = {time, measurement, tag_set, *(index for index, _ in tags)}
        # An unnamed column that is not the time has the row numbers of a DataFrame. InfluxDB has no field `time`.
        fields = [
            (index, name) for index, name in enumerate(header) if index not in not_fields and name and name != "time"
        ]
        return Table(header, time, measurement, tags, tag_set, fields)

    def _find_time(self, header: list[str], row: list[str]) -> int:
        column = self._options.time_column
        if column is None and "time" not in header and not header[0] and row and _DATE.match(row[0]):
            return 0  # the index of a DataFrame, as `to_csv` writes it
        return self._index_of("time" if column is None else column, header, "--time-column")

    def _index_of(self, column: str, header: list[str], option: str) -> int:
        if column in header:
            return header.index(column)
        hint = ""
        if len(header) == 1:
            hint = next((f", or --separator {mark!r}" for mark in ";\t|" if mark in header[0]), "")
        msg = f"{self._name}: column {column!r} not found in {', '.join(header)}; pass {option}{hint}"
        raise CommandError(msg, Exit.USAGE)


def _is_influx_header(header: list[str]) -> bool:
    """Return whether a row is a header of `influx -format csv`."""
    return header[:2] == ["name", "time"] or header[:3] == ["name", "tags", "time"]


def parse_time(cell: str) -> int | str:
    """Return the timestamp of a cell as an integer, or as text."""
    cell = cell.strip()
    return int(cell) if ANY_INTEGER.fullmatch(cell) else cell
