"""Output of a query result as text tables: a heading for each series, aligned columns."""

from __future__ import annotations

import json
from typing import Any, TextIO

from influx_proto import QueryResult, Series

from ._console import to_printable, width


class Table:
    """Writes text tables; the column widths are those of the rows of one chunk."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._before: tuple[object, ...] | None = None

    def add(self, chunk: QueryResult) -> None:
        """Write the rows of a chunk."""
        for series in chunk.series:
            rows = [[_encode_cell(cell) for cell in row] for row in series.values]
            numeric = [all(_is_number(row[index]) for row in series.values) for index in range(len(series.columns))]
            names = [to_printable(name) for name in series.columns]
            widths = [max(map(width, cells)) for cells in zip(names, *rows, strict=True)]
            this = (series.statement_id, series.name, series.tags, series.columns)
            lines: list[list[str]] = []
            if this != self._before:
                self._write_heading(series)
                lines += [names, ["-" * each for each in widths]]
                self._before = this
            for cells in [*lines, *rows]:
                self._file.write(_line(cells, widths, numeric))

    def close(self) -> None:
        """Do nothing."""

    def _write_heading(self, series: Series) -> None:
        if self._before is not None:
            self._file.write("\n")
        tags = ", ".join(f"{key}={value}" for key, value in series.tags.items())
        title = f"{series.name} ({tags})" if tags else series.name
        if title and series.columns != ("name",):
            self._file.write(f"{to_printable(title)}\n")


def _line(cells: list[str], widths: list[int], numeric: list[bool]) -> str:
    padded = []
    for cell, wide, right in zip(cells, widths, numeric, strict=True):
        space = " " * (wide - width(cell))
        padded.append(space + cell if right else cell + space)
    return "  ".join(padded).rstrip() + "\n"


def _is_number(cell: object) -> bool:
    return cell is None or (isinstance(cell, (int, float)) and not isinstance(cell, bool))


def _encode_cell(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return to_printable(cell if isinstance(cell, str) else json.dumps(cell, ensure_ascii=False))
