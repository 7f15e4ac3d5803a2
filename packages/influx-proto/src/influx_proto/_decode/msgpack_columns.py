"""The rows of MessagePack documents as columns, many rows at a time, without an object for each cell.

Documents of one series each stand one behind the other, as the chunks of an answer do, and those that are alike are
read together: a chunk of many rows, or many series of few. Within a document the rows stand one behind the other, and a
row is an array. Where each begins is proposed by a few bytes: the head of the array, and the first bytes of its first
cell, which are alike in all rows if it is a time. From there all rows are walked at once, a column after the other.

The walk proves the proposal: the last column of each row must end where the next row begins, and there must be as many
rows as the document says; the document around the rows must be whole with something else in their place, and have that
for the values of its only series; and a column must be of one type. What is not so is left to the ordinary decoder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from .._result.packed import PackedRows
from .msgpack_cells import CellSource
from .msgpack_format import extension

if TYPE_CHECKING:
    from .msgpack_cells import Places

#: Fewer are decoded faster one by one.
_FEWEST_ROWS: Final = 500

#: Places that look like the start of a row, for each row. With more, to walk them all would take longer than to decode.
_MOST_LOOKALIKES: Final = 4

_COLUMNS: Final = b"\xa7columns"
_VALUES: Final = b"\xa6values"

#: An item that no answer has: what stands in for the rows while the document around them is decoded.
_GAP: Final = b"\xd8\x7fwhere rows were."


@dataclass(frozen=True, slots=True, eq=False)
class _Document:
    """What is thought to be a document of one series with rows, and where in the bytes its parts are."""

    begin: int
    end: int
    #: Where the array of rows begins, and where the first row.
    values: int
    rows: int
    #: How many rows there are, how each begins, and of how many cells it is.
    count: int
    head: bytes
    width: int
    #: The names of the columns, a row's head and the type of its first cell: what is alike in this is read together.
    kind: bytes


def read_packed(data: bytes, ends: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Decode documents whose rows are many together.

    Args:
        data: what is thought to be documents of one series each, one behind the other.
        ends: where each is thought to end; the first begins with the bytes.

    Returns:
        Those that could be read so, by where they end, their `values` as `PackedRows`. The others have to be decoded in
        the ordinary way, if they are documents.
    """
    source = CellSource(data)
    found: dict[int, dict[str, Any]] = {}
    documents = [_document(data, begin, end) for begin, end in pairwise([0, *ends])]
    for _, alike in groupby(documents, lambda document: document and document.kind):
        group = [document for document in alike if document is not None]
        if not _read(source, data, group, found):
            for document in group:  # one may have been what it is not, or of other types than the rest
                _read(source, data, [document], found)
    return found


def _document(data: bytes, begin: int, end: int) -> _Document | None:
    """Look where the rows of a document are; wherever it seems, since it is proven later."""
    columns = data.find(_COLUMNS, begin, end)
    values = data.find(_VALUES, columns, end) + len(_VALUES)
    if columns < 0 or values < columns or values + 12 > end:
        return None
    count, rows = _array(data, values)
    width, first_cell = _array(data, rows)
    # Each cell has at least one byte: a row cannot be wider than what follows, whatever its head promises.
    if not count or not width or count * (first_cell - rows + width) > end - rows:
        return None
    kind = data[columns:values] + data[rows : first_cell + 1]
    return _Document(begin, end, values, rows, count, data[rows:first_cell], width, kind)


def _array(data: bytes, at: int) -> tuple[int, int]:
    """Give how many items an array has and where they begin; 0 if there is none."""
    head = data[at]
    if 0x90 <= head <= 0x9F:
        return head & 0x0F, at + 1
    size = {0xDC: 2, 0xDD: 4}.get(head, 0)
    return int.from_bytes(data[at + 1 : at + 1 + size], "big"), at + 1 + size


def _read(source: CellSource, data: bytes, group: list[_Document], found: dict[int, dict[str, Any]]) -> bool:
    """Read documents that look alike; say whether their rows are what they look like, or too few to be read so."""
    counts = np.array([document.count for document in group])
    if counts.sum() < _FEWEST_ROWS:
        return True
    starts = _starts(source, data, group, counts)
    if starts is None:
        return False
    block = []
    offsets = starts + len(group[0].head)
    for _ in range(group[0].width):
        column = source.column(offsets)
        if column is None:
            return False
        piece, sizes = column
        block.append(piece)
        offsets = offsets + sizes
    firsts = counts.cumsum() - counts
    closed = offsets[:-1] == starts[1:]
    closed[firsts[1:] - 1] = True  # a document's last row is followed by something else
    if not closed.all():
        return False
    for document, first, end in zip(group, firsts.tolist(), offsets[firsts + counts - 1].tolist(), strict=True):
        whole = _with_rows(data, document, end, PackedRows(block, first, first + document.count))
        if whole is not None:
            found[document.end] = whole
    return True


def _starts(source: CellSource, data: bytes, group: list[_Document], counts: Places) -> Places | None:
    """Give where the rows of some documents begin, as many as each is said to have."""
    head = group[0].head
    first_cell = group[0].rows + len(head)
    firsts = np.array([document.rows for document in group])
    for length in (2, 1):  # two bytes of a time are seldom within something else, but not always the same
        pattern = head + data[first_cell : first_cell + length]
        starts = source.find(pattern, group[0].rows, group[-1].end)
        if len(starts) == counts.sum() and (starts[counts.cumsum() - counts] == firsts).all():
            return starts
    parts = []
    edges = np.searchsorted(starts, [(document.rows, document.end) for document in group])
    for document, (low, high) in zip(group, edges.tolist(), strict=True):
        part = starts[low:high]
        if len(part) > _MOST_LOOKALIKES * document.count:
            return None
        if len(part) != document.count:  # there are bytes that look like it within cells
            part = _chained(part, source.ends(part + len(head), document.width))[: document.count]
        if len(part) != document.count or part[0] != document.rows:
            return None
        parts.append(part)
    return np.concatenate(parts)


def _chained(starts: Places, ends: Places) -> Places:
    """Give the starts of rows each of which begins where the one before ends; what lies within a row is none."""
    following = np.searchsorted(starts, ends)
    # Most rows are followed by the next start; where it is another one, those between are jumped over.
    jumps = np.flatnonzero(following != np.arange(1, len(starts) + 1))
    kept = np.ones(len(starts), np.bool_)
    at = 0
    for jump, after in zip(jumps.tolist(), following[jumps].tolist(), strict=True):
        if jump >= at:
            at = max(after, jump + 1)
            kept[jump + 1 : at] = False
    return starts[kept]


def _with_rows(data: bytes, document: _Document, end: int, rows: PackedRows) -> dict[str, Any] | None:
    """Decode what is around the rows, which end here, and give the whole; None if it is not what it is taken for."""
    around = data[document.begin : document.values] + _GAP + data[end : document.end]
    if end > document.end or around.count(_GAP) != 1:
        return None
    try:
        whole: dict[str, Any] = _DECODER.decode(around)
        series: dict[str, Any] = whole["results"][0]["series"][0]
        if series["values"] is not _MARK or len(series["columns"]) != document.width:
            return None
    except Exception:  # noqa: BLE001 - the ordinary decoder says what is wrong
        return None
    series["values"] = rows
    return whole


def _extension_or_gap(code: int, data: memoryview) -> object:
    return _MARK if code == _GAP[1] else extension(code, data)


#: What the gap is decoded as.
_MARK: Final = object()
_DECODER: Final[msgspec.msgpack.Decoder[Any]] = msgspec.msgpack.Decoder(ext_hook=_extension_or_gap)
