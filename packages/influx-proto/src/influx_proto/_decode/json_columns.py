"""Columnar decoder for JSON documents of one series with many rows, which creates no list per row.

The rest of the document is decoded with an empty array instead of the rows. If there are many rows and no string has a
comma, the commas locate all cells, since each row has the same number of them. Otherwise all rows are decoded as one
flat list: an empty array takes the place of the brackets and the comma between two rows. The decoder verifies that
these are at regular places. If a check fails, the row-by-row decoder decodes the document.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec

from .._gc_pause import gc_paused
from .._result.column import Fragment, make_fragment
from .._result.packed import PackedRows

if TYPE_CHECKING:
    from .cells import Offsets
    from .text_cells import TextCells

_VALUES: Final = b'"values":[['
_COMMA, _QUOTE, _OPEN, _CLOSE, _SPACE, _NULL = b',"[] n'
#: Minimum number of bytes of a document; smaller ones are decoded faster row by row.
_MIN_SIZE: Final = 8192
#: Minimum number of rows, and of rows per column, to locate the cells; each column then takes a fixed time, and the
#: cells of a column are far apart in wide rows.
_MIN_ROWS: Final = 500
_MIN_ROWS_PER_COLUMN: Final = 10

_CELLS: Final = msgspec.json.Decoder(
    list[Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)] | float | bool | str | list[None] | None]
)


def decode_packed(line: bytes | bytearray, decoder: msgspec.json.Decoder[Any]) -> Any:
    """Return a document with `PackedRows`, or None if it has to be decoded row by row.

    Args:
        line: a presumed document.
        decoder: decodes the document without its rows.
    """
    begin, end = line.find(_VALUES) + len(_VALUES), line.rfind(b"]]")
    if len(line) < _MIN_SIZE or begin < len(_VALUES) or end < begin:
        return None
    rows = memoryview(line)[begin:end]
    try:
        document = decoder.decode(line[: begin - 1] + line[end + 1 :])
        [result] = document["results"]
        [series] = result["series"]
        width = len(series["columns"])
        block = _read_spans(rows, width) or _read_flat(bytes(rows), width)
        if series["values"] != [] or block is None:
            return None
    except Exception:  # noqa: BLE001 - the row-by-row decoder raises the error
        return None
    series["values"] = PackedRows(block, 0, block[0].rows)
    return document


def _read_spans(data: memoryview, width: int) -> list[Fragment] | None:
    """Return the columns of rows, separated by `],[`, or None if the commas do not locate the cells."""
    import numpy as np  # noqa: PLC0415 - only needed for DataFrames

    from .cells import read_present  # noqa: PLC0415 - see above
    from .text_cells import TextCells  # noqa: PLC0415 - see above

    cells = TextCells(data)
    characters = cells.bytes[: len(data)]
    separators = np.append(np.flatnonzero(characters == _COMMA), len(data) + 1)
    is_few = len(separators) < max(_MIN_ROWS, _MIN_ROWS_PER_COLUMN * width) * width
    if is_few or len(separators) % width or characters.min() < _SPACE or b"\\" in cells.padded:
        return None
    begins, ends = cells.spans(separators, width, gap=1)
    ends[-1] -= 1  # the bracket before the comma
    if (characters[ends[-1, :-1]] != _CLOSE).any() or (characters[begins[0, 1:] - 1] != _OPEN).any():
        return None
    firsts, lengths = cells.bytes[begins], ends - begins
    if lengths.min() < 1 or np.count_nonzero(characters == _QUOTE) != 2 * np.count_nonzero(firsts == _QUOTE):
        return None
    block = []
    for at, is_missing in enumerate(firsts == _NULL):
        if not cells.are(begins[at, is_missing], lengths[at, is_missing], b"null").all():
            return None
        fragment = read_present(begins[at], lengths[at], is_missing, partial(_read_column, cells))
        if fragment is None:
            return None
        block.append(fragment)
    return block


def _read_column(cells: TextCells, begins: Offsets, lengths: Offsets) -> Fragment | None:
    """Return cells without null, or None if one is not a string or a number or boolean."""
    are_strings = cells.bytes[begins] == _QUOTE
    if not are_strings.any():
        return cells.scalars(begins, lengths, _CELLS)
    are_closed = (cells.bytes[begins + lengths - 1] == _QUOTE) & (lengths > 1)
    return cells.strings(begins + 1, lengths - 2) if (are_strings & are_closed).all() else None


def _read_flat(data: bytes, width: int) -> list[Fragment] | None:
    count = data.count(b"],[") + 1
    flat: list[Any] = gc_paused(_CELLS.decode, b"[%b]" % data.replace(b"],[", b",[],"))
    if len(flat) != count * (width + 1) - 1 or flat[width :: width + 1].count([]) != count - 1:
        return None
    return [make_fragment(flat[at :: width + 1]) for at in range(width)]
