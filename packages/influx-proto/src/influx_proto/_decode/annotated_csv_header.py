"""Headers of annotated CSV: the meaning of its columns, and readers of their cells."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import compress
from typing import Any, Final, TypeVar

from .._result.table import distinct
from .timestamps import read_timestamp

T = TypeVar("T")

#: Columns before those of the table: the annotation, the name of the result, and the number of the table in it.
RESULT, TABLE, FIRST = 1, 2, 3

_BOOLEANS: Final = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Header:
    """The columns of tables."""

    names: list[str]
    #: The values of empty cells.
    defaults: list[str]
    #: The positions and unique names of the tags.
    tags: list[tuple[int, str]]
    #: The position of the measurement in the group key.
    measurement: int | None
    #: The positions and readers of the other columns, and their unique names. The timestamps precede the others.
    cells: list[tuple[int, Callable[[str], Any]]]
    columns: list[str]


def read_columns(names: list[str], datatypes: list[str], groups: list[bool], defaults: list[str]) -> Header:
    """Return the meaning of the columns with these names and annotations."""
    positions = range(FIRST, len(names))
    times = [at for at in positions if names[at] in {"_time", "time"} and datatypes[at].startswith("dateTime")]
    time = min(times, key=lambda at: names[at] != "_time", default=None)
    in_key = [
        at
        for at in compress(positions, groups[FIRST:])
        if at != time and (datatypes[at] == "string" or datatypes[at].startswith("dateTime"))
    ]
    measurement = next((at for at in in_key if names[at] == "_measurement"), None)
    others = [at for at in positions if at != time and at not in in_key]
    cells = [(at, _READERS.get(datatypes[at], read_string)) for at in others]
    columns = [names[at] for at in others]
    if time is not None:
        cells.insert(0, (time, read_time))
        columns = ["time", *distinct(columns, {"time"})]
    elif columns[:1] == ["time"]:
        columns = distinct(columns, {"time"})  # a first column `time` has the timestamps of the rows
    tags = [at for at in in_key if at != measurement]
    tag_names = distinct([names[at] for at in tags], ())
    return Header(names, defaults, list(zip(tags, tag_names, strict=True)), measurement, cells, columns)


def read_string(cell: str) -> str | None:
    """Return the value of a cell, None if it is empty."""
    return cell or None


def read_time(cell: str) -> int | None:
    """Return the value of a cell, None if it is empty."""
    time = read_timestamp(cell)
    if isinstance(time, int):
        return time
    if cell:
        raise ValueError
    return None


def _number_reader(pattern: re.Pattern[str], convert: Callable[[str], T]) -> Callable[[str], T | None]:
    def read(cell: str) -> T | None:
        if cell and not pattern.fullmatch(cell):
            raise ValueError
        return convert(cell) if cell else None

    return read


read_integer: Final = _number_reader(re.compile(r"-?[0-9]+"), int)
read_float: Final = _number_reader(re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?|Inf|NaN)"), float)


def read_boolean(cell: str) -> bool | None:
    """Return the value of a cell, None if it is empty."""
    return _BOOLEANS[cell] if cell else None


_READERS: Final[dict[str, Callable[[str], Any]]] = {
    "long": read_integer,
    "unsignedLong": read_integer,
    "double": read_float,
    "boolean": read_boolean,
}
