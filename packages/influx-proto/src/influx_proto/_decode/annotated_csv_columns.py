"""Columnar decoder for annotated CSV, which reads many rows at a time without creating an object per cell.

It finds all separators of lines without quotes at once. All rows under a header have the same number of cells, so each
column has its separators at regular places. Where that does not hold, or a cell does not match its datatype, the
row-by-row decoder reads these lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import msgspec
import numpy as np

from .._gc_pause import gc_paused
from .._result.column import Fragment, make_fragment
from .annotated_csv_header import RESULT, TABLE, Header, read_boolean, read_float, read_integer, read_string, read_time
from .cells import Offsets, read_present
from .text_cells import FLOATS, TextCells, pack_floats

_COMMA, _LF, _CR = b",\n\r"
#: The dtypes of columns, by the readers of their cells.
_DTYPES: Final[dict[Callable[[str], Any], str]] = {read_boolean: "bool", read_integer: "int"}


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of consecutive tables."""

    block: list[Fragment]
    #: The first row of each table, and the end of the last one.
    begins: list[int]
    #: The cells of each of these rows, including those of the group key.
    cells: list[list[str]]


class Lines:
    """Complete lines of a response, without quotes."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._cells = TextCells(data)
        self._bytes = self._cells.bytes[: len(data)]
        self._ends = np.flatnonzero(self._bytes == _LF) + 1
        self._begins = np.concatenate(([0], self._ends[:-1]))
        #: The numbers of the lines that are not rows.
        self._others = np.flatnonzero(self._bytes[self._begins] != _COMMA)

    def __len__(self) -> int:
        return len(self._ends)

    def row_count(self, line: int) -> int:
        """Return the number of rows, from a line on, before the next line that is not a row."""
        following = int(np.searchsorted(self._others, line))
        return (int(self._others[following]) if following < len(self._others) else len(self)) - line

    def records(self, line: int, count: int) -> Iterator[str]:
        """Return the lines, without their ends."""
        begin, end = int(self._begins[line]), int(self._ends[line + count - 1])
        lines = self._data[begin : end - 1].decode("utf-8", "replace").split("\n")
        return (record.removesuffix("\r") for record in lines)

    def rows(self, header: Header, line: int, count: int) -> Rows | None:
        """Return lines as rows, or None if they have to be read row by row."""
        first, end = int(self._begins[line]), int(self._ends[line + count - 1])
        characters = self._bytes[first:end]
        separators = np.flatnonzero((characters == _COMMA) | (characters == _LF)) + first
        width = len(header.names)
        if len(separators) != count * width or not header.cells:
            return None
        begins = np.empty((width, count), np.intp)
        ends = np.ascontiguousarray(separators.reshape(count, width).T)
        begins[0], begins[1:] = self._begins[line : line + count], ends[:-1] + 1
        if (ends[-1] + 1 != self._ends[line : line + count]).any():
            return None
        ends[-1] -= self._bytes[ends[-1] - 1] == _CR
        lengths = ends - begins
        block = []
        for at, read in header.cells:
            fragment = self._column(begins[at], lengths[at], read, header.defaults[at])
            if fragment is None:
                return None
            block.append(fragment)
        tables = self._cells.group_begins(*((begins[at], lengths[at]) for at in (RESULT, TABLE)))
        cells = [
            [
                self._data[begin:end].decode("utf-8", "replace")
                for begin, end in zip(begins[:, row].tolist(), ends[:, row].tolist(), strict=True)
            ]
            for row in tables
        ]
        return Rows(block, [*tables, count], cells)

    def _column(self, begins: Offsets, lengths: Offsets, read: Callable[[str], Any], default: str) -> Fragment | None:
        """Return the cells of a column, or None if one does not match its datatype."""
        is_missing = lengths == 0
        if default and is_missing.any():
            return None
        return read_present(begins, lengths, is_missing, partial(self._read, read=read))

    def _read(self, begins: Offsets, lengths: Offsets, read: Callable[[str], Any]) -> Fragment | None:
        """Return cells that are not empty, or None if one does not match its datatype."""
        if read is read_string:
            return self._cells.strings(begins, lengths)
        found = self._read_together(begins, lengths, read)
        if found is None:
            with suppress(ValueError, KeyError):
                found = make_fragment(list(map(read, self._cells.cells(begins, lengths))))
        return found

    def _read_together(self, begins: Offsets, lengths: Offsets, read: Callable[[str], Any]) -> Fragment | None:
        """Return cells of a type, or None if they have to be read one at a time."""
        if read is read_time:
            return self._cells.times(begins, lengths)
        if read is not read_float:
            found = self._cells.integers_or_booleans(begins, lengths)
            return found if found is not None and found.dtype == _DTYPES[read] else None
        numbers = self._cells.joined(begins, lengths)
        # A number in JSON is the same number in annotated CSV, apart from `-0`.
        if (
            numbers is None
            or self._cells.have_spaces(numbers, lengths)
            or self._cells.are(begins, lengths, b"-0").any()
        ):
            return None
        with suppress(msgspec.MsgspecError):  # NaN, infinity, malformed numbers
            return Fragment(len(begins), "float", pack_floats(gc_paused(FLOATS.decode, numbers)), None)
        return None
