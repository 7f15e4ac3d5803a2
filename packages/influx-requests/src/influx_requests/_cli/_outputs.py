"""Streaming output of query results as CSV, JSON lines, line protocol or a table."""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from math import isfinite
from typing import IO, Any, Final, Protocol

from influx_proto import QueryResult, Series, serialize

from ._console import CommandError
from ._table import Table, Vertical

#: The types that `csv.writer` formats as this output does.
_PLAIN_TYPES: Final = frozenset({str, int, float})


class Output(Protocol):
    """Output format of a query result."""

    def add(self, chunk: QueryResult) -> None:
        """Write a chunk of the result, which has rows of one series."""
        ...


def create_output(
    file: IO[str], output_format: str, options: argparse.Namespace, *, max_width: int | None = None
) -> Output:
    """Return the output of a format.

    Args:
        file: where the output is written.
        output_format: the format.
        options: the options of the command.
        max_width: the width in characters above which a table is written vertically; None: unlimited.
    """
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


class _CSV:
    """One table with the measurement, the tags of GROUP BY and the columns.

    For `SHOW` statements the server returns the name of the listed object as the measurement. So the first column is
    called `name` without timestamps, and is omitted if the only column is `name`.
    """

    def __init__(self, file: IO[str], null: str) -> None:
        self._plain = csv.writer(file, lineterminator="\n")
        # The plain writer does not quote a carriage return, which `csv.reader` reads as the end of a row.
        self._quoting = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
        self._null = null
        self._heading: tuple[int, list[str]] | None = None

    def add(self, chunk: QueryResult) -> None:
        for series in chunk.series:
            label = "measurement" if series.columns[:1] == ("time",) else "name"
            labels = [] if not series.name or series.columns == ("name",) else [(label, series.name)]
            labels += series.tags.items()
            self._write_heading(series.statement_id, _unique_names([*(name for name, _ in labels), *series.columns]))
            rows = series.values
            # By columns, since most have cells of one type.
            columns = map(self._encode_column, zip(*rows, strict=True))
            self._write([*([value] * len(rows) for _, value in labels), *columns])

    def _write_heading(self, statement: int, columns: list[str]) -> None:
        if self._heading is None:
            self._heading = statement, columns
            self._write([[column] for column in columns])
        elif self._heading != (statement, columns):
            msg = (
                f"csv holds one table, but the result has a second one with the columns {', '.join(columns)}; run the "
                "statements separately, or pass --format json"
            )
            raise CommandError(msg)

    def _write(self, columns: Sequence[Sequence[Any]]) -> None:
        rows = zip(*columns, strict=True)
        if any(map(_has_return, columns)):
            for row in rows:
                (self._quoting if _has_return(row) else self._plain).writerow(row)
        else:
            self._plain.writerows(rows)

    def _encode_column(self, cells: Sequence[Any]) -> Sequence[Any]:
        return cells if _PLAIN_TYPES.issuperset(map(type, cells)) else list(map(self._encode_cell, cells))

    def _encode_cell(self, cell: Any) -> Any:
        if cell is None:
            return self._null
        if isinstance(cell, bool):
            return "true" if cell else "false"
        return cell if isinstance(cell, (str, int, float)) else json.dumps(cell, ensure_ascii=False)


class _JSON:
    """One point per line, in the form that `write` accepts."""

    def __init__(self, file: IO[str], tag_columns: Collection[str], indent: int | None) -> None:
        self._file = file
        self._tag_columns = tag_columns
        self._indent = indent

    def add(self, chunk: QueryResult) -> None:
        for series in chunk.series:
            for point in points(series, self._tag_columns):
                self._file.write(f"{encode_json(point, self._indent)}\n")


class _LineProtocol:
    def __init__(self, file: IO[str], tag_columns: Collection[str]) -> None:
        self._file = file
        self._tag_columns = tag_columns

    def add(self, chunk: QueryResult) -> None:
        for series in chunk.series:
            if series.columns[:1] != ("time",):
                msg = "line protocol needs timestamps, which this result does not have; pass another --format"
                raise CommandError(msg)
            if lines := serialize(points(series, self._tag_columns)):
                self._file.write(f"{lines.decode()}\n")


def _has_return(cells: Iterable[object]) -> bool:
    return any(isinstance(cell, str) and "\r" in cell for cell in cells)


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
