"""Check of the column-wise encoders of tables against the row encoder.

The column-wise encoders rely on undocumented details: how orjson and msgspec format and separate numbers, and how Arrow
lays out its buffers. A release that changes them would silently alter lines. So an encoder first encodes known rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import numpy as np

from ..._line_protocol.options import FieldOptions
from ..points import PointEncoder
from .model import Reader, Slice, Times
from .split import find_ends
from .vectorized import SliceEncoder

_FLOATS: Final = (
    0.1, -0.0, 1.0, 1 / 3, 1e15, 1e16, -1.5e16, 1e21, 1e-4, 1e-5, -1.5e-5, 1e-6, 1.5e-7, 5e-324, 1.7976931348623157e308,
)  # fmt: skip
_INTEGERS: Final = (0, 7, -1, 10, 1_600_000_000_000_000_000, -(2**63), 2**63 - 1)
_STRINGS: Final = ("", "a", 'quote"', "back\\slash", "a, b=c", "\N{LATIN SMALL LETTER E WITH ACUTE}")
_TAGS: Final = ("a", "comma,", "equals=", "space ", "\N{LATIN SMALL LETTER E WITH ACUTE}", "x" * 40)
_TIMES: Final = (0, -1, 1_600_000_000_000_000_000, -9223372036854775806, 9223372036854775806)

#: Number of rows in which all cells are present, and number of all rows; the others have missing cells.
_COMPLETE: Final = len(_FLOATS)
_ALL: Final = 3 * _COMPLETE


@cache
def encodes_like_rows(encoder_class: type[SliceEncoder], *, strings: bool) -> bool:
    """Return whether a column-wise encoder encodes known rows exactly as the row encoder does.

    Args:
        encoder_class: the class of the column-wise encoder.
        strings: whether the encoder supports string fields and 32-bit floats.
    """
    tags = {"plain": _cell_reader(_TAGS[:1] * _ALL), "tag": _cell_reader(_with_gaps(_TAGS, 2))}
    fields = {
        "float": _array_reader(_FLOATS, np.float64, 3),
        "integer": _array_reader(_INTEGERS, np.int64, 4),
        "small": _array_reader((0, 1, 127), np.uint8, 5),
        "boolean": _array_reader((True, False), np.bool_, 6),
    }
    if strings:
        fields["string"] = _cell_reader(_with_gaps(_STRINGS, 7))
        fields["usual narrow"] = _array_reader((0.1, -0.0, 1e-4, 123.456, 16777216.0, 9.9e11), np.float32, 9)
        fields["narrow"] = _array_reader((0.1, 1e16, 1.5e-7, 3.4028235e38, 1e-45), np.float32, 8)
    points = PointEncoder("m", {}, "ns", FieldOptions())
    try:
        readers = [*tags.values(), *fields.values()]
        positions = {name: at for at, name in enumerate([*tags, *fields])}
        tag_positions, field_positions = ({name: positions[name] for name in names} for names in (tags, fields))
        encoder = encoder_class(points, "m", tag_positions, field_positions)
        times = _times()
        for stop in (_COMPLETE, _ALL):
            lines = _encode_rows(points, tags, fields, times.cells(0, stop))
            found = encoder.encode(Slice(0, stop, times, readers))
            if found is None or found[:2] != (b"\n".join(lines), len(lines)):
                return False
            if found.ends is not None and list(found.ends) != find_ends(lines):
                return False
    except Exception:  # noqa: BLE001 - an encoder that raises any error is not used
        return False
    return True


def _encode_rows(
    points: PointEncoder, tags: dict[str, Reader], fields: dict[str, Reader], times: Sequence[Any]
) -> list[bytes]:
    """Return the lines of the rows that have a field, each encoded individually."""
    tag_cells, field_cells = (
        [reader.cells(0, len(times)) for reader in readers.values()] for readers in (tags, fields)
    )
    lines = [
        points.line({
            "time": time,
            "tags": {name: cells[row] for name, cells in zip(tags, tag_cells, strict=True)},
            "fields": {name: cells[row] for name, cells in zip(fields, field_cells, strict=True)},
        })
        for row, time in enumerate(times)
    ]
    return [line for line in lines if line is not None]


def _with_gaps(values: Sequence[Any], every: int) -> list[Any]:
    """Return the values, repeated for all rows; after the complete rows, every nth and the last are missing."""
    return [
        None if row == _ALL - 1 or (row >= _COMPLETE and row % every == 0) else values[row % len(values)]
        for row in range(_ALL)
    ]


def _cell_reader(cells: Sequence[Any]) -> Reader:
    return Reader(lambda start, stop: cells[start:stop], lambda _start, _stop: None)


def _array_reader(values: Sequence[Any], dtype: Any, every: int) -> Reader:
    cells = _with_gaps(values, every)
    mask = np.array([cell is None for cell in cells])
    filled = np.array([values[0] if cell is None else cell for cell in cells], dtype)
    if filled.dtype.kind == "f":
        filled[mask] = np.nan

    def array(start: int, stop: int) -> Any:
        selected = filled[start:stop]
        missing = mask[start:stop]
        return np.ma.array(selected, mask=missing) if selected.dtype.kind != "f" and missing.any() else selected

    scalars = [None if missing else value for missing, value in zip(mask, filled, strict=True)]
    return Reader(lambda start, stop: scalars[start:stop], array)


def _times() -> Times:
    times = np.array([_TIMES[row % len(_TIMES)] for row in range(_ALL)], np.int64)
    return Times(lambda start, stop: times[start:stop].tolist(), lambda start, stop: (times[start:stop], 1))
