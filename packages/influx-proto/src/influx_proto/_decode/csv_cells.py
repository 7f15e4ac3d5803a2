"""Values of cells of InfluxDB's CSV, which has no types."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, Any, Final

import msgspec

#: Numbers as InfluxDB prints them: without an exponent, so the largest float has 309 digits.
_NUMBER: Final = re.compile(r"(-?(?:0|[1-9][0-9]{0,308}))(\.[0-9]++)?|[+-]Inf")
_KEYWORDS: Final[dict[str, bool | None]] = {"": None, "true": True, "false": False}
#: Rejects integers beyond int64, some of which are floats.
NUMBERS_DECODER: Final = msgspec.json.Decoder(
    list[Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)] | float | None]
)


def read_cell(cell: str) -> Any:
    if cell in _KEYWORDS:
        return _KEYWORDS[cell]
    number = _NUMBER.fullmatch(cell)
    if number is None:
        return cell
    digits, fraction = number.groups()
    # InfluxDB prints a minus before zero, or more digits than a 64-bit integer has, only for a float.
    if digits is None or fraction is not None or digits == "-0" or len(digits) > 20:
        return float(cell)
    integer = int(digits)
    return integer if -(1 << 63) <= integer < 1 << 64 else float(integer)


def read_column(cells: Sequence[str]) -> list[Any]:
    """Return the same values as `read_cell`, but decode numbers together and repeated cells once."""
    joined = ",".join(cells).encode()
    if not joined.translate(None, b"0123456789.,-") and b"-0," not in joined + b",":
        # With only these characters, a number in JSON is the same number in CSV.
        if "" in cells:
            joined = ",".join([cell or "null" for cell in cells]).encode()
        with suppress(Exception):  # the cells are then decoded individually
            numbers: list[Any] = NUMBERS_DECODER.decode(b"[" + joined + b"]")
            if len(numbers) == len(cells):  # no cell has a comma
                return numbers
    values = {cell: read_cell(cell) for cell in set(cells)}
    return list(map(values.__getitem__, cells))
