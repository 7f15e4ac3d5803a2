"""Columnar decoder for annotated CSV, which reads many rows at a time without creating an object per cell.

It finds all separators of lines without quotes at once. All rows under a header have the same number of cells, so each
column has its separators at regular places. Where that does not hold, or a cell does not match its datatype, the
row-by-row decoder reads these lines.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from .._gc_pause import gc_paused
from .._result.column import Fragment, make_fragment
from .annotated_csv_header import RESULT, TABLE, Header, read_boolean, read_float, read_integer, read_string, read_time
from .text_cells import FLOATS, INTEGERS, NEGATIVE_ZERO, TextCells

if TYPE_CHECKING:
    from .cells import Flags, Offsets

_COMMA, _LF, _CR = b",\n\r"


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
        is_new = np.zeros(count, np.bool_)
        is_new[0] = True
        for at in (RESULT, TABLE):
            _, codes = self._cells.decode_strings(begins[at], lengths[at])
            is_new[1:] |= codes[1:] != codes[:-1]
        block = []
        for at, read in header.cells:
            fragment = self._column(begins[at], lengths[at], read, header.defaults[at])
            if fragment is None:
                return None
            block.append(fragment)
        tables = np.flatnonzero(is_new).tolist()
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
        is_missing: Flags | None = lengths == 0
        if is_missing is not None and not is_missing.any():
            is_missing = None
        elif default:
            return None
        missing = None if is_missing is None else bytearray(is_missing.tobytes())
        if missing is not None and 0 not in missing:
            return Fragment(len(begins), None, None, missing)
        if read is read_string:
            return self._cells.strings(begins, lengths, is_missing)
        present = slice(None) if is_missing is None else ~is_missing
        found = self._values(begins[present], lengths[present], read)
        if found is None:
            try:
                return make_fragment(list(map(read, self._cells.cells(begins, lengths))))
            except (ValueError, KeyError):
                return None
        dtype, values = found
        if is_missing is not None:
            all_values: Any = np.full(len(begins), np.nan if dtype == "float" else 0, values.dtype)
            all_values[present] = values
            values = all_values
        return Fragment(len(begins), dtype, memoryview(values), missing)

    def _values(self, begins: Offsets, lengths: Offsets, read: Callable[[str], Any]) -> tuple[Any, Any] | None:
        """Return the dtype and values of cells that are not empty, or None if they have to be read one at a time."""
        if read is read_time:
            times = self._cells.times(begins, lengths)
            return None if times is None else ("int", times)
        if read is read_boolean:
            booleans = self._cells.booleans(begins, lengths)
            return None if booleans is None else ("bool", booleans)
        numbers = self._cells.joined(begins, lengths)
        if numbers is None or self._cells.have_spaces(numbers, lengths):
            return None
        with suppress(msgspec.MsgspecError, OverflowError):  # NaN, infinity, integers beyond int64, malformed numbers
            # With only these characters, a number in JSON is the same number in CSV, apart from `-0`.
            if (
                read is read_float
                and not numbers.translate(None, b"0123456789.,-+eE []")
                and not NEGATIVE_ZERO.search(numbers)
            ):
                return "float", np.frombuffer(array("d", gc_paused(FLOATS.decode, numbers)))
            if read is read_integer and not numbers.translate(None, b"0123456789,- []"):
                return "int", np.frombuffer(array("q", gc_paused(INTEGERS.decode, numbers)), np.int64)
        return None
