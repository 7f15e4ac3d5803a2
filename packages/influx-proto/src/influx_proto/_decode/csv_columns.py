"""Columnar decoder for the rows of a block of CSV, which creates neither a list nor a cell per row.

All rows have the same number of cells, so each column has its separators at regular places. If that does not hold, the
row-by-row decoder reads these lines.
"""

from __future__ import annotations

from functools import partial
from itertools import chain, pairwise
from typing import Any, Final

import numpy as np

from .._errors import ProtocolError
from .._result.column import DictionaryStrings, Fragment, make_fragment
from .._result.packed import PackedRows
from .cells import Offsets, read_present
from .csv_cells import NUMBERS_DECODER, read_cell, read_column
from .csv_records import split_cells
from .text_cells import TextCells, read_numbers

#: Minimum number of rows; fewer rows are decoded faster row by row.
_MIN_ROWS: Final = 100

_COMMA, _LF, _QUOTE = b',\n"'


def read_rows(data: bytes, width: int) -> list[tuple[tuple[str, str], PackedRows]] | None:
    """Return the rows of each series with its name and tags cell, or None if they have to be read row by row.

    Args:
        data: presumably complete lines; a line feed in quotes is part of a cell.
        width: the number of cells of a row: name, tags and the columns.
    """
    cells = TextCells(data)
    characters = cells.bytes[: len(data)]
    is_end, is_comma, is_quote = characters == _LF, characters == _COMMA, characters == _QUOTE
    quotes: Any = None
    if is_quote.any():
        quotes = np.append(0, np.cumsum(is_quote))  # the number of quotes before each byte
        is_bare = quotes[1:] % 2 == 0
        is_end, is_comma = is_end & is_bare, is_comma & is_bare
    count = np.count_nonzero(is_end)
    separators = np.flatnonzero(is_end | is_comma)
    if count < _MIN_ROWS or len(separators) != count * width or not is_end[-1] or b"\r" in data:
        return None
    begins, ends = cells.spans(separators, width, gap=0)
    if not is_end[ends[-1]].all():
        return None
    if quotes is not None and (quotes[ends] > quotes[begins])[cells.bytes[begins] != _QUOTE].any():
        return None
    lengths = ends - begins
    read = partial(_read_column, cells)
    found = []
    try:
        block: list[Any] = [read_present(begins[at], lengths[at], lengths[at] == 0, read) for at in range(2, width)]
        for begin, end in pairwise([*_series_begins(cells, begins, lengths), int(count)]):
            name, tags = (_unquote(cells.decode(int(begins[at, begin]), int(ends[at, begin]))) for at in (0, 1))
            found.append(((name, tags), PackedRows(block, begin, end)))
    except ProtocolError:  # raised again by the row-by-row decoder, after the rows before it
        return None
    return found


def _series_begins(cells: TextCells, begins: Offsets, lengths: Offsets) -> list[int]:
    """Return the first row of each series."""
    if cells.are_at(cells.bytes[: begins[2, 0]].tobytes(), begins[0]):
        return [0]
    return cells.group_begins(*zip(begins[:2], lengths[:2], strict=True))


def _read_column(cells: TextCells, begins: Offsets, lengths: Offsets) -> Fragment:
    """Return the same values as `read_cell` for each cell, none of which is empty."""
    found = cells.integers_or_booleans(begins, lengths) or _read_numbers(cells, begins, lengths)
    if found is not None:
        return found
    are_quoted = cells.bytes[begins] == _QUOTE
    strings = cells.strings(begins + are_quoted, lengths - 2 * are_quoted)
    is_dictionary = isinstance(strings.values, DictionaryStrings)
    distinct = set(chain.from_iterable(part for part, _ in strings.values.parts) if is_dictionary else strings.values)
    if all(type(read_cell(string)) is str and '"' not in string for string in distinct):
        return strings
    return make_fragment(read_column(list(map(_unquote, cells.cells(begins, lengths)))))


def _unquote(cell: str) -> str:
    [content] = split_cells(cell)
    return content


def _read_numbers(cells: TextCells, begins: Offsets, lengths: Offsets) -> Fragment | None:
    joined = cells.joined(begins, lengths) if cells.bytes[begins[0]] in b"-0123456789" else None
    # Without these letters, a number in JSON is the same number in CSV, apart from `-0`.
    if joined is None or any(letter in joined for letter in b"eEl") or cells.have_spaces(joined, lengths):
        return None
    if cells.are(begins, lengths, b"-0").any():
        return None
    return read_numbers(joined, len(begins), NUMBERS_DECODER)
