"""Slices with a limited size of strings, so that memory stays bounded for tables with long strings.

Only strings are measured. The number of cells in a slice limits numbers and short strings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeAlias

from .model import Slice

#: Maximum size of the strings in a slice of several rows, in bytes. The encoder needs about five times as much.
SLICE_BYTES: Final = 8_000_000

#: Strings up to this length are not measured individually.
SHORT_TEXT: Final = 64

#: The classes of objects that are short if encoded as strings.
_NUMBERS: Final = {int, float, bool, type(None)}

#: Number of objects that are converted to estimate the size of a column of other types.
_SAMPLE: Final = 8

#: Returns the size of the strings in a range of rows, in bytes.
Size: TypeAlias = Callable[[int, int], int]


def limit_size(part: Slice) -> Iterator[Slice]:
    """Split a slice into slices with at most `SLICE_BYTES` of strings."""
    measured = [column.size for column in part.columns if column.size is not None]
    return _split(part, measured) if measured else iter((part,))


def _split(part: Slice, sizes: Sequence[Size]) -> Iterator[Slice]:
    start, stop = part.start, part.stop
    if stop - start < 2 or sum(size(start, stop) for size in sizes) <= SLICE_BYTES:
        yield part
        return
    middle = (start + stop) // 2
    yield from _split(part._replace(stop=middle), sizes)
    yield from _split(part._replace(start=middle), sizes)


def objects_size(cells: Any) -> int:
    """Return the size of a numpy array of objects encoded as strings; an estimate for cells that are not strings."""
    cells = cells.tolist()
    if _NUMBERS.issuperset(map(type, cells)):
        return 0
    try:
        size = sum(map(len, cells))
    except Exception:  # noqa: BLE001 - a cell has no length, or its class raises; encoding the row reports an error
        size = sum(len(cell) for cell in cells if isinstance(cell, str))
    sample = cells[:: max(len(cells) // _SAMPLE, 1)]
    others = [_length(cell) for cell in sample if cell is not None and not isinstance(cell, (str, int, float))]
    return size + sum(others) * len(cells) // len(sample) if others else size


def _length(cell: object) -> int:
    try:
        return len(str(cell))
    except Exception:  # noqa: BLE001 - the class is that of the cell; encoding the row reports it
        return 0


def categories_size(categories: Sequence[Any], codes: Any) -> Size | None:
    """Return a function that measures a column of categories; None if all are short.

    Args:
        categories: the distinct cells; the last one stands for missing cells.
        codes: for each row the index of its category, as a numpy array.
    """
    import numpy as np  # noqa: PLC0415 - loaded by pandas

    lengths = [len(cell) if isinstance(cell, str) else 0 for cell in categories]
    if max(lengths) <= SHORT_TEXT:
        return None
    found = np.array(lengths)
    return lambda start, stop: int(found[codes[start:stop]].sum())
