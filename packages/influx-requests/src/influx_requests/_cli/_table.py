"""Output of a query result as text tables: a heading for each series, aligned columns."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from influx_proto import QueryResult, Series

from ._console import to_printable, width
from ._terminal import BOLD, TextOutput, has_color


class Table:
    """Writes text tables; the column widths are those of the rows of one chunk.

    Args:
        file: where the tables are written.
        max_width: the width in characters above which the rows are written vertically; None: unlimited.
    """

    def __init__(self, file: TextOutput, max_width: int | None = None) -> None:
        self._file = file
        self._max_width = max_width
        self._bold = BOLD if has_color(file) else ("", "")
        self._before: tuple[object, ...] | None = None
        self._vertical: Vertical | None = None

    def add(self, chunk: QueryResult) -> None:
        """Write the rows of a chunk."""
        if self._vertical is not None:
            self._vertical.add(chunk)
            return
        for number, series in enumerate(chunk.series):
            rows = [[_encode_cell(cell) for cell in row] for row in series.values]
            numeric = [all(_is_number(row[index]) for row in series.values) for index in range(len(series.columns))]
            names = [to_printable(name) for name in series.columns]
            widths = [max(map(width, cells)) for cells in zip(names, *rows, strict=True)]
            if self._max_width is not None and sum(widths) + 2 * len(widths) - 2 > self._max_width:
                self._vertical = Vertical(self._file, is_first=self._before is None)
                self._vertical.add_series(chunk.series[number:])
                return
            this = (series.statement_id, series.name, series.tags, series.columns)
            lines: list[list[str]] = []
            if this != self._before:
                self._write_heading(series)
                lines += [names, ["-" * each for each in widths]]
                self._before = this
            for cells in [*lines, *rows]:
                self._file.write(_line(cells, widths, numeric))

    def _write_heading(self, series: Series) -> None:
        if self._before is not None:
            self._file.write("\n")
        title = _title(series)
        if title and series.columns != ("name",):
            self._file.write(f"{self._bold[0]}{to_printable(title)}{self._bold[1]}\n")


class Vertical:
    """Writes each row as a block, with a line for each column.

    Args:
        file: where the rows are written.
        is_first: whether nothing was written before.
    """

    def __init__(self, file: TextOutput, *, is_first: bool = True) -> None:
        self._file = file
        self._is_first = is_first

    def add(self, chunk: QueryResult) -> None:
        """Write the rows of a chunk."""
        self.add_series(chunk.series)

    def add_series(self, all_series: Sequence[Series]) -> None:
        """Write the rows of series."""
        for series in all_series:
            title = to_printable(_title(series))
            names = [to_printable(name) for name in series.columns]
            wide = max(map(width, names))
            for row in series.values:
                lines = [] if self._is_first else [""]
                self._is_first = False
                lines += [f"-- {title} --"] if title else ["--"]
                for name, cell in zip(names, row, strict=True):
                    lines.append(f"{name}{' ' * (wide - width(name))}  {_encode_cell(cell)}".rstrip())
                self._file.write("\n".join(lines) + "\n")


def _title(series: Series) -> str:
    tags = ", ".join(f"{key}={value}" for key, value in series.tags.items())
    return f"{series.name} ({tags})" if tags else series.name


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
