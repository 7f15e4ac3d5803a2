"""Columnar decoder for JSON documents of one series with many rows, which creates no list per row.

The rest of the document is decoded with an empty array instead of the rows. If no string has a comma, the commas locate
all cells of the rows, since each row has the same number of them. Otherwise all rows are decoded as one flat list: an
empty array takes the place of the brackets and the comma between two rows. The decoder verifies that these are at
regular places. If a check fails, the row-by-row decoder decodes the document.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec

from .._gc_pause import gc_paused
from .._result.column import Fragment, make_fragment
from .._result.packed import PackedRows

_VALUES: Final = b'"values":[['
_COMMA, _QUOTE, _OPEN, _CLOSE, _SPACE = b',"[] '
#: Minimum number of bytes of a document; smaller ones are decoded faster row by row.
_MIN_SIZE: Final = 8192

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
    cells = bytes(line[begin:end])
    try:
        document = decoder.decode(line[: begin - 1] + line[end + 1 :])
        [result] = document["results"]
        [series] = result["series"]
        width = len(series["columns"])
        block = _read_spans(cells, width) or _read_flat(cells, width)
        if series["values"] != [] or block is None:
            return None
    except Exception:  # noqa: BLE001 - the row-by-row decoder raises the error
        return None
    series["values"] = PackedRows(block, 0, block[0].rows)
    return document


def _read_spans(data: bytes, width: int) -> list[Fragment] | None:
    """Return the columns of rows, separated by `],[`, or None if the commas do not locate the cells."""
    if b"\\" in data:
        return None
    import numpy as np  # noqa: PLC0415 - only needed for DataFrames

    from .text_cells import TextCells  # noqa: PLC0415 - see above

    cells = TextCells(data)
    characters = cells.bytes[: len(data)]
    separators = np.append(np.flatnonzero(characters == _COMMA), len(data) + 1)
    if len(separators) % width:
        return None
    begins, ends = cells.spans(separators, width, gap=1)
    ends[-1] -= 1  # the bracket before the comma
    if (characters[ends[-1, :-1]] != _CLOSE).any() or (characters[begins[0, 1:] - 1] != _OPEN).any():
        return None
    lengths = ends - begins
    are_strings = cells.bytes[begins] == _QUOTE
    is_closed = (cells.bytes[ends - 1] == _QUOTE) & (lengths > 1)
    controls = np.count_nonzero(characters < _SPACE)
    if controls or lengths.min() < 1 or not is_closed[are_strings].all():
        return None
    if np.count_nonzero(characters == _QUOTE) != 2 * np.count_nonzero(are_strings):
        return None
    block = []
    for at in range(width):
        fragment: Fragment | None
        if not are_strings[at].any():
            fragment = cells.scalars(begins[at], lengths[at], _CELLS)
        else:
            missing = None if are_strings[at].all() else ~are_strings[at]
            if missing is not None and not (
                (lengths[at][missing] == len(b"null")).all() and cells.are_at(b"null", begins[at][missing])
            ):
                return None
            fragment = cells.strings(begins[at] + 1, lengths[at] - 2, missing)
        if fragment is None:
            return None
        block.append(fragment)
    return block


def _read_flat(data: bytes, width: int) -> list[Fragment] | None:
    count = data.count(b"],[") + 1
    flat: list[Any] = gc_paused(_CELLS.decode, b"[" + data.replace(b"],[", b",[],") + b"]")
    if len(flat) != count * (width + 1) - 1 or flat[width :: width + 1].count([]) != count - 1:
        return None
    return [make_fragment(flat[at :: width + 1]) for at in range(width)]
