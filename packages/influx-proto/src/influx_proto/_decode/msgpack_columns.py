"""Columnar decoder for MessagePack documents, which reads many rows at a time without creating an object per cell.

It reads consecutive documents with the same columns together: a chunk of many rows, or many series of few rows. Each
document has one series, whose rows are consecutive arrays. The decoder guesses where rows begin by searching for a few
bytes: the head of the array and the first bytes of its first cell, which are the same in all rows if the cell is a
timestamp. From there it reads all rows at once, column by column.

It then verifies the guess:

- the last cell of each row ends where the next row begins;
- the number of rows is the one that the document declares;
- the document is valid with a placeholder instead of the rows, and the placeholder is the `values` of its only series;
- all cells of a column have the same type.

If a check fails, the row-by-row decoder decodes the document.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any, Final

import msgspec
import numpy as np

from .._result.packed import PackedRows
from .cells import Offsets
from .msgpack_cells import MessagePackCells
from .msgpack_format import decode_extension

#: Minimum number of rows; fewer rows are decoded faster row by row.
_MIN_ROWS: Final = 500

#: Maximum number of possible row starts per row; with more of them, row-by-row decoding is faster.
_MAX_CANDIDATES: Final = 4

_COLUMNS: Final = b"\xa7columns"
_VALUES: Final = b"\xa6values"

#: Encoded placeholder, which replaces the rows while the rest of the document is decoded; no response contains it.
_PLACEHOLDER_BYTES: Final = b"\xd8\x7fwhere rows were."


@dataclass(frozen=True, slots=True, eq=False)
class _Document:
    """Offsets of the parts of a presumed document, which has one series with rows."""

    begin: int
    end: int
    #: Offset of the array of rows, and of the first row.
    values: int
    rows: int
    #: Number of rows, first bytes of each row, and number of its cells.
    count: int
    head: bytes
    width: int
    #: Column names, head of a row and type of its first cell; documents with the same key are decoded together.
    key: bytes


def decode_packed(data: bytes, ends: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Decode documents that together have many rows.

    Args:
        data: consecutive bytes that are presumed to be documents of one series each.
        ends: the presumed ends of the documents; the first document begins at 0.

    Returns:
        The documents that could be decoded by columns, by their ends, with `PackedRows` as `values`. The caller has to
        decode the others row by row.
    """
    source = MessagePackCells(data)
    decoded: dict[int, dict[str, Any]] = {}
    documents = [_locate_rows(data, begin, end) for begin, end in pairwise([0, *ends])]
    for _, similar in groupby(documents, lambda document: document and document.key):
        group = [document for document in similar if document is not None]
        if not _decode_group(source, data, group, decoded):
            for document in group:  # a single document may have failed the checks, or have different types
                _decode_group(source, data, [document], decoded)
    return decoded


def _locate_rows(data: bytes, begin: int, end: int) -> _Document | None:
    """Guess where the rows of a document are; the guess is verified later."""
    columns = data.find(_COLUMNS, begin, end)
    values = data.find(_VALUES, columns, end) + len(_VALUES)
    if columns < 0 or values < columns or values + 12 > end:
        return None
    count, rows = _read_array_head(data, values)
    width, first_cell = _read_array_head(data, rows)
    # Each cell has at least 1 byte, so the declared rows and cells must fit into the rest of the document.
    if not count or not width or count * (first_cell - rows + width) > end - rows:
        return None
    key = data[columns:values] + data[rows : first_cell + 1]
    return _Document(begin, end, values, rows, count, data[rows:first_cell], width, key)


def _read_array_head(data: bytes, at: int) -> tuple[int, int]:
    """Return the number of items of an array, 0 if it is not an array, and the offset of the first item."""
    head = data[at]
    if 0x90 <= head <= 0x9F:
        return head & 0x0F, at + 1
    size = {0xDC: 2, 0xDD: 4}.get(head, 0)
    return int.from_bytes(data[at + 1 : at + 1 + size], "big"), at + 1 + size


def _decode_group(
    source: MessagePackCells, data: bytes, group: list[_Document], decoded: dict[int, dict[str, Any]]
) -> bool:
    """Decode documents with the same key into `decoded`; return False if decoding them separately may succeed."""
    counts = np.array([document.count for document in group])
    if counts.sum() < _MIN_ROWS:
        return True
    starts = _find_row_starts(source, data, group, counts)
    if starts is None:
        return False
    block = []
    offsets = starts + len(group[0].head)
    for _ in range(group[0].width):
        column = source.column(offsets)
        if column is None:
            return False
        fragment, sizes = column
        block.append(fragment)
        offsets = offsets + sizes
    firsts = counts.cumsum() - counts
    is_adjacent = offsets[:-1] == starts[1:]
    is_adjacent[firsts[1:] - 1] = True  # no row follows the last row of a document
    if not is_adjacent.all():
        return False
    for document, first, end in zip(group, firsts.tolist(), offsets[firsts + counts - 1].tolist(), strict=True):
        whole = _decode_with_rows(data, document, end, PackedRows(block, first, first + document.count))
        if whole is not None:
            decoded[document.end] = whole
    return True


def _find_row_starts(source: MessagePackCells, data: bytes, group: list[_Document], counts: Offsets) -> Offsets | None:
    """Return the row starts of documents, as many as each declares, or None if they cannot be found."""
    head = group[0].head
    first_cell = group[0].rows + len(head)
    firsts = np.array([document.rows for document in group])
    for length in (2, 1):  # 2 bytes of a timestamp rarely occur in other cells, but may differ between rows
        pattern = head + data[first_cell : first_cell + length]
        starts = source.find(pattern, group[0].rows, group[-1].end)
        if len(starts) == counts.sum() and (starts[counts.cumsum() - counts] == firsts).all():
            return starts
    parts = []
    edges = np.searchsorted(starts, [(document.rows, document.end) for document in group])
    for document, (low, high) in zip(group, edges.tolist(), strict=True):
        part = starts[low:high]
        if len(part) > _MAX_CANDIDATES * document.count:
            return None
        if len(part) != document.count:  # cells contain the pattern as well
            part = _adjacent_starts(part, source.ends(part + len(head), document.width))[: document.count]
        if len(part) != document.count or part[0] != document.rows:
            return None
        parts.append(part)
    return np.concatenate(parts)


def _adjacent_starts(starts: Offsets, ends: Offsets) -> Offsets:
    """Return the starts of rows that begin at the end of the row before, without those inside a row."""
    following = np.searchsorted(starts, ends)
    # Most rows end at the next start; only those with starts inside them are processed in the loop.
    jumps = np.flatnonzero(following != np.arange(1, len(starts) + 1))
    is_row = np.ones(len(starts), np.bool_)
    at = 0
    for jump, after in zip(jumps.tolist(), following[jumps].tolist(), strict=True):
        if jump >= at:
            at = max(after, jump + 1)
            is_row[jump + 1 : at] = False
    return starts[is_row]


def _decode_with_rows(data: bytes, document: _Document, end: int, rows: PackedRows) -> dict[str, Any] | None:
    """Return the document with these rows, which end at `end`, or None if the guess about the document was wrong."""
    around = data[document.begin : document.values] + _PLACEHOLDER_BYTES + data[end : document.end]
    if end > document.end or around.count(_PLACEHOLDER_BYTES) != 1:
        return None
    try:
        whole: dict[str, Any] = _DECODER.decode(around)
        series: dict[str, Any] = whole["results"][0]["series"][0]
        if series["values"] is not _PLACEHOLDER or len(series["columns"]) != document.width:
            return None
    except Exception:  # noqa: BLE001 - the row-by-row decoder raises the error
        return None
    series["values"] = rows
    return whole


def _decode_extension(code: int, data: memoryview) -> object:
    return _PLACEHOLDER if code == _PLACEHOLDER_BYTES[1] else decode_extension(code, data)


#: The decoded placeholder.
_PLACEHOLDER: Final = object()
_DECODER: Final[msgspec.msgpack.Decoder[Any]] = msgspec.msgpack.Decoder(ext_hook=_decode_extension)
