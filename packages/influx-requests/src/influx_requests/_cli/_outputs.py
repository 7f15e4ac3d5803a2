"""Streaming output of query results as CSV, JSON lines, line protocol or a table."""

from __future__ import annotations

import argparse
import io
import json
import re
from collections.abc import Collection, Iterator, Sequence
from math import isfinite
from typing import Any, Final, Protocol

from influx_proto import QueryResult, Series, serialize

from ._console import CommandError
from ._table import Table, Vertical
from ._terminal import TextOutput

_NUMBERS: Final = frozenset({int, float})
_BOOLEANS: Final = {True: "true", False: "false"}
#: The characters that a cell of CSV contains only in quotes. `csv.reader` reads a carriage return as the end of a row.
_QUOTED: Final = ',"\r\n'
#: Characters that change how a terminal shows other text. A tab and an LF are part of the formats.
_EXECUTED: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


class Output(Protocol):
    """Output format of a query result."""

    def add(self, chunk: QueryResult) -> None:
        """Write a chunk of the result, which has rows of one series."""
        ...


def create_output(
    file: TextOutput, output_format: str, options: argparse.Namespace, *, max_width: int | None = None
) -> Output:
    """Return the output of a format.

    Args:
        file: where the output is written.
        output_format: the format.
        options: the options of the command.
        max_width: the width in characters above which a table is written vertically; None: unlimited.
    """
    if file.isatty() and output_format in {"csv", "json", "lp"}:
        file = _Terminal(file)
    match output_format:
        case "csv":
            return _CSV(file, options.null)
        case "json":
            return _JSON(file, options.tag_columns, indent=2 if options.pretty else None)
        case "lp":
            return _LineProtocol(file, options.tag_columns)
        case "vertical":
            return Vertical(file)
        case _:
            return Table(file, max_width)


class _Terminal(io.TextIOBase):
    """A terminal, to which control characters and bidirectional ones are written as JSON escapes them.

    A terminal executes the escape sequences in data: they change its title, its colours and the text on the screen.
    """

    def __init__(self, file: TextOutput) -> None:
        super().__init__()
        self._file = file

    def write(self, text: str, /) -> int:
        """Write the text."""
        return self._file.write(_EXECUTED.sub(lambda match: f"\\u{ord(match.group()):04x}", text))


class _CSV:
    """One table with the measurement, the tags of GROUP BY and the columns.

    For `SHOW` statements the server returns the name of the listed object as the measurement. So the first column is
    called `name` without timestamps, and is omitted if the only column is `name`.

    It is written by columns, since most have cells of one type; `csv.writer` takes twice the time.
    """

    def __init__(self, file: TextOutput, null: str) -> None:
        self._file = file
        self._null = null
        self._heading: tuple[int, list[str]] | None = None

    def add(self, chunk: QueryResult) -> None:
        for series in chunk.series:
            label = "measurement" if series.columns[:1] == ("time",) else "name"
            labels = [] if not series.name or series.columns == ("name",) else [(label, series.name)]
            labels += series.tags.items()
            self._write_heading(series.statement_id, _unique_names([*(name for name, _ in labels), *series.columns]))
            rows = series.values
            columns = map(self._encode_column, zip(*rows, strict=True))
            self._write([*([_quote(value)] * len(rows) for _, value in labels), *columns])

    def _write_heading(self, statement: int, columns: list[str]) -> None:
        if self._heading is None:
            self._heading = statement, columns
            self._write([[_quote(column)] for column in columns])
        elif self._heading != (statement, columns):
            remedy = "pass" if self._heading[0] == statement else "run the statements separately, or pass"
            msg = (
                f"csv holds one table, but the result has a second one with the columns {', '.join(columns)}; {remedy} "
                "--format table or json"
            )
            raise CommandError(msg)

    def _write(self, columns: Sequence[Sequence[str]]) -> None:
        if len(columns) == 1:  # an empty line is not a row
            columns = [[cell or '""' for cell in columns[0]]]
        if columns and columns[0]:
            self._file.write("\n".join(map(",".join, zip(*columns, strict=True))) + "\n")

    def _encode_column(self, cells: Sequence[Any]) -> Sequence[str]:
        types = set(map(type, cells))
        if types <= _NUMBERS:
            return list(map(repr, cells))
        if types == {bool}:
            return list(map(_BOOLEANS.__getitem__, cells))
        texts: Sequence[str] = cells if types == {str} else list(map(self._encode_cell, cells))
        joined = "".join(texts)
        has_quoted = any(character in joined for character in _QUOTED)
        return list(map(_quote, texts)) if has_quoted else texts

    def _encode_cell(self, cell: Any) -> str:
        if cell is None:
            return self._null
        if isinstance(cell, bool):
            return _BOOLEANS[cell]
        if isinstance(cell, (int, float)):
            return repr(cell)
        return cell if isinstance(cell, str) else json.dumps(cell, ensure_ascii=False)


def _quote(cell: str) -> str:
    """Return a cell of CSV, in quotes if necessary."""
    if any(character in cell for character in _QUOTED):
        return '"' + cell.replace('"', '""') + '"'
    return cell


class _JSON:
    """One point per line, in the form that `write` accepts."""

    def __init__(self, file: TextOutput, tag_columns: Collection[str], indent: int | None) -> None:
        self._file = file
        self._tag_columns = tag_columns
        self._indent = indent

    def add(self, chunk: QueryResult) -> None:
        for series in chunk.series:
            for point in points(series, self._tag_columns):
                self._file.write(f"{encode_json(point, self._indent)}\n")


class _LineProtocol:
    def __init__(self, file: TextOutput, tag_columns: Collection[str]) -> None:
        self._file = file
        self._tag_columns = tag_columns

    def add(self, chunk: QueryResult) -> None:
        for series in chunk.series:
            if series.columns[:1] != ("time",):
                msg = "line protocol needs timestamps, which this result does not have; pass another --format"
                raise CommandError(msg)
            if lines := serialize(points(series, self._tag_columns)):
                self._file.write(f"{lines.decode()}\n")


def encode_json(point: dict[str, Any], indent: int | None = None) -> str:
    """Return a point as JSON, where numbers that are not finite are null."""
    try:
        return json.dumps(point, ensure_ascii=False, allow_nan=False, indent=indent)
    except ValueError:
        fields = {
            name: None if isinstance(value, float) and not isfinite(value) else value
            for name, value in point["fields"].items()
        }
        return json.dumps({**point, "fields": fields}, ensure_ascii=False, allow_nan=False, indent=indent)


def points(series: Series, tag_columns: Collection[str]) -> Iterator[dict[str, Any]]:
    """Yield each row as a point without its missing values."""
    has_time = series.columns[:1] == ("time",)
    columns = list(enumerate(series.columns))[1 if has_time else 0 :]
    tag_indexes = [(index, name) for index, name in columns if name in tag_columns]
    field_indexes = [(index, name) for index, name in columns if name not in tag_columns]
    group_tags = {name: value for name, value in series.tags.items() if value}
    for row in series.values:
        tags = group_tags | {
            name: row[index] for index, name in tag_indexes if row[index] is not None and row[index] != ""
        }
        fields = {name: row[index] for index, name in field_indexes if row[index] is not None}
        point: dict[str, Any] = {"measurement": series.name, "tags": tags, "fields": fields}
        if has_time:
            point["time"] = row[0]
        yield point


def _unique_names(names: Sequence[str]) -> list[str]:
    """Number repeated names, as the server does: `v`, `v_1`."""
    unique: list[str] = []
    for name in names:
        candidate, number = name, 0
        while candidate in unique or (number and candidate in names):
            number += 1
            candidate = f"{name}_{number}"
        unique.append(candidate)
    return unique
