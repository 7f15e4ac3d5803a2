"""The rows of an answer as CSV, JSON lines, line protocol or a table, while they arrive."""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Protocol, TextIO

from influx_proto import QueryResult, Series, serialize

from ._console import CommandError
from ._table import Table


class Output(Protocol):
    """Where the parts of an answer go."""

    def add(self, chunk: QueryResult) -> None:
        """Take a part, which has rows of one series."""
        ...

    def close(self) -> None:
        """Take the end."""
        ...


def output_to(file: TextIO, kind: str, options: argparse.Namespace) -> Output:
    """Make the output of a format."""
    match kind:
        case "csv":
            return _CSV(file, options.null)
        case "json":
            return _JSON(file, options.tag_columns)
        case "lp":
            return _LineProtocol(file, options.tag_columns)
        case _:
            return Table(file)


class _CSV:
    """One table: measurement, tags of GROUP BY, columns.

    The server says the name of what it lists as if it was a measurement: where there are no times, it is `name`, and
    left out where there is nothing but names.
    """

    def __init__(self, file: TextIO, null: str) -> None:
        self._plain = csv.writer(file, lineterminator="\n")
        # The other leaves a carriage return as it is, which csv's own reader takes for the end of a row.
        self._quoting = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
        self._null = null
        self._heading: tuple[int, list[str]] | None = None

    def add(self, chunk: QueryResult) -> None:
        for series in chunk.series:
            label = "measurement" if series.columns[:1] == ("time",) else "name"
            labels = [] if not series.name or series.columns == ("name",) else [(label, series.name)]
            labels += series.tags.items()
            self._head(series.statement_id, _distinct([*(name for name, _ in labels), *series.columns]))
            left = [value for _, value in labels]
            for row in series.values:
                self._write([*left, *map(self._text, row)])

    def _head(self, statement: int, columns: list[str]) -> None:
        if self._heading is None:
            self._heading = statement, columns
            self._write(columns)
        elif self._heading != (statement, columns):
            msg = (
                f"csv is one table, and the answer has a second one, with the columns {', '.join(columns)}; run the "
                "statements one by one, or take --format json"
            )
            raise CommandError(msg)

    def _write(self, cells: Sequence[Any]) -> None:
        has_return = any("\r" in cell for cell in cells if isinstance(cell, str))
        (self._quoting if has_return else self._plain).writerow(cells)

    def _text(self, cell: Any) -> Any:
        if cell is None:
            return self._null
        if isinstance(cell, bool):
            return "true" if cell else "false"
        return cell if isinstance(cell, (str, int, float)) else json.dumps(cell, ensure_ascii=False)

    def close(self) -> None:
        """Do nothing."""


class _JSON:
    """A point a line, as `write` takes them."""

    def __init__(self, file: TextIO, tag_columns: Collection[str]) -> None:
        self._file = file
        self._tag_columns = tag_columns

    def add(self, chunk: QueryResult) -> None:
        for series in chunk.series:
            for point in points(series, self._tag_columns):
                self._file.write(f"{json.dumps(point, ensure_ascii=False)}\n")

    def close(self) -> None:
        """Do nothing."""


class _LineProtocol:
    def __init__(self, file: TextIO, tag_columns: Collection[str]) -> None:
        self._file = file
        self._tag_columns = tag_columns

    def add(self, chunk: QueryResult) -> None:
        for series in chunk.series:
            if series.columns[:1] != ("time",):
                msg = "line protocol needs times, which this answer has not; take another --format"
                raise CommandError(msg)
            if lines := serialize(points(series, self._tag_columns)):
                self._file.write(f"{lines.decode()}\n")

    def close(self) -> None:
        """Do nothing."""


def points(series: Series, tag_columns: Collection[str]) -> Iterator[dict[str, Any]]:
    """Give each row as a point; what is missing is left out."""
    timed = series.columns[:1] == ("time",)
    rest = list(enumerate(series.columns))[1 if timed else 0 :]
    tag_places = [(place, name) for place, name in rest if name in tag_columns]
    field_places = [(place, name) for place, name in rest if name not in tag_columns]
    group = {name: value for name, value in series.tags.items() if value}
    for row in series.values:
        tags = group | {name: row[place] for place, name in tag_places if row[place] not in {None, ""}}
        fields = {name: row[place] for place, name in field_places if row[place] is not None}
        point: dict[str, Any] = {"measurement": series.name, "tags": tags, "fields": fields}
        if timed:
            point["time"] = row[0]
        yield point


def _distinct(names: Sequence[str]) -> list[str]:
    """Tell apart what has the same name, as the server does it: `v`, `v_1`."""
    found: list[str] = []
    for name in names:
        free, number = name, 0
        while free in found or (number and free in names):
            number += 1
            free = f"{name}_{number}"
        found.append(free)
    return found
