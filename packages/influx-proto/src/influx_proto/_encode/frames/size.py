"""Sizes of texts in tables: slices with long texts have fewer rows, so that memory stays bounded.

Only texts are measured. Numbers and short texts are bounded by the number of cells in a slice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeAlias

from .model import Slice

#: Bytes of text in a slice, unless a single row has more. The encoder needs about five times as many.
SLICE_BYTES: Final = 8_000_000

#: Texts up to this length are not measured one by one.
SHORT_TEXT: Final = 64

#: How many objects of other types than text are converted to estimate the length of all.
_SAMPLE: Final = 8

#: Return how many bytes of text a column has from one row to before another.
Size: TypeAlias = Callable[[int, int], int]


def bounded(part: Slice) -> Iterator[Slice]:
    """Yield the rows of a slice in slices that have at most `SLICE_BYTES` of text."""
    measured = [column.size for column in part.columns if column.size is not None]
    return _halved(part, measured) if measured else iter((part,))


def _halved(part: Slice, sizes: Sequence[Size]) -> Iterator[Slice]:
    start, stop = part.start, part.stop
    if stop - start < 2 or sum(size(start, stop) for size in sizes) <= SLICE_BYTES:
        yield part
        return
    middle = (start + stop) // 2
    yield from _halved(part._replace(stop=middle), sizes)
    yield from _halved(part._replace(start=middle), sizes)


def objects_size(cells: Sequence[Any]) -> int:
    """Return the size of cells of any type as texts; an estimate for other types than text."""
    present = filter(None, cells)
    try:
        size = sum(map(len, present))
    except TypeError:  # numbers, and NaN for what is missing
        size = sum(len(cell) for cell in cells if isinstance(cell, (str, bytes)))
    sample = cells[:: max(len(cells) // _SAMPLE, 1)]
    others = [_length(cell) for cell in sample if cell is not None and not isinstance(cell, (str, int, float))]
    return size + sum(others) * len(cells) // len(sample) if others else size


def _length(cell: object) -> int:
    try:
        return len(str(cell))
    except Exception:  # noqa: BLE001 - the class is that of the cell; encoding the row reports it
        return 0


def categories_size(categories: Sequence[Any], codes: Any) -> Size | None:
    """Return how to measure a column of categories; None if all are short.

    Args:
        categories: the distinct cells; the last one is missing.
        codes: for each row the place of its category, as an array of numpy.
    """
    import numpy as np  # noqa: PLC0415 - loaded by pandas

    lengths = [len(cell) if isinstance(cell, str) else 0 for cell in categories]
    if max(lengths) <= SHORT_TEXT:
        return None
    found = np.array(lengths)
    return lambda start, stop: int(found[codes[start:stop]].sum())
