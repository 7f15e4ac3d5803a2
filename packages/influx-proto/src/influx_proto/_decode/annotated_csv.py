"""Push decoder for annotated CSV, the responses to Flux, whose documents have the structure of InfluxQL's.

A response consists of tables. Tables with the same columns share a header and three rows above it: `#datatype`,
`#group`, which marks the columns of the group key, and `#default`, the values of empty cells. A blank line follows each
result of a `yield`, so a response without it is truncated. An error after the first rows is a table of its own.

CSV has no null: an empty cell without a default is one, so an empty string cannot be distinguished from it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import compress
from typing import Any, Final

from .._errors import ProtocolError
from .._result.table import distinct
from .csv_records import CSVPushDecoder, excerpt, split_cells
from .timestamps import read_timestamp

#: Maximum number of rows in a document; the chunk size of the other formats.
_MAX_ROWS: Final = 10_000

#: Columns before those of the table: the annotation, the name of the result, and the number of the table in it.
_RESULT, _TABLE, _FIRST = 1, 2, 3
_BEGINNING: Final = ["", "result", "table"]
#: Headers of an error table, with and without the column of annotations.
_ERROR_HEADERS: Final = (["", "error", "reference"], ["error", "reference"])
#: The name of a result without a `yield`.
_UNNAMED: Final = "_result"

_INTEGER: Final = re.compile(r"-?[0-9]+")
_FLOAT: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?|Inf|NaN)")
_BOOLEANS: Final = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class _Header:
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


class AnnotatedCSVDocuments(CSVPushDecoder):
    """A push decoder (`DocumentDecoder`) for annotated CSV.

    A table becomes a series. Its name is the `_measurement` of the group key. The other strings and timestamps of the
    group key are the tags, `_field`, `_start` and `_stop` among them, with timestamps as the server prints them; a tag
    without a value is `""`. The remaining columns are the columns. `_time` becomes `time`, the first one, with integer
    nanoseconds since 1970. A column `time` of timestamps takes its place if there is no `_time`. Integers, floats and
    booleans have their types, other values are strings, as the server prints them.

    The results of several `yield` are statements, which have the name of the result as `result` unless it is
    `_result`. Each document holds at most 10 000 rows of one table, marked like a chunk.
    """

    def __init__(self) -> None:
        super().__init__()
        self._statement = -1
        self._result: str | None = None  # the name of the current result
        self._table = ""  # the number of the current table
        self._annotations: dict[str, list[str]] = {}  # above the next header
        self._header: _Header | None = None
        self._series: dict[str, Any] | None = None  # of the rows in `_rows`
        self._rows: list[list[Any]] = []
        self._is_in_error = False  # whether the next record is the row of an error table
        self._is_complete = True  # whether the response may end here

    def _read_record(self, record: str) -> None:
        cells = split_cells(record)
        if '"' in record:
            cells = [cell.replace("\r\n", "\n") for cell in cells]  # the server prints a line feed as CR LF
        if self._is_in_error:
            self._documents.append({"error": next(filter(None, cells), "")})
            self._is_in_error, self._is_complete = False, True
        elif not record:
            self._finish_block()
            self._is_complete = True
        elif cells[0].startswith("#"):
            if self._header is not None:
                self._finish_block()
            self._annotations[cells[0]] = cells
            self._is_complete = False
        elif self._header is None or cells in _ERROR_HEADERS:
            self._read_header(cells)
        else:
            self._read_row(self._header, cells)

    def _read_header(self, names: list[str]) -> None:
        self._is_complete = False
        if names in _ERROR_HEADERS:
            self._finish_block()
            self._is_in_error = True
            return
        if names[:_FIRST] != _BEGINNING:
            raise ProtocolError(f"the response is not annotated CSV: {excerpt(','.join(names).encode())}")
        datatypes, groups, defaults = (self._annotations.get(f"#{key}", []) for key in ("datatype", "group", "default"))
        if not len(datatypes) == len(groups) == len(defaults) == len(names):
            raise ProtocolError(
                "a header of annotated CSV does not match its annotations #datatype, #group and #default; "
                f"request all of them: {excerpt(','.join(names).encode())}"
            )
        self._header = _read_columns(names, datatypes, [group == "true" for group in groups], defaults)
        self._annotations = {}

    def _read_row(self, header: _Header, cells: list[str]) -> None:
        if len(cells) != len(header.names):
            raise ProtocolError(f"a CSV line has {len(cells)} cells, but its header has {len(header.names)}")
        result, table = cells[_RESULT] or header.defaults[_RESULT], cells[_TABLE] or header.defaults[_TABLE]
        is_same = self._series is not None and self._result == result and self._table == table
        if not is_same or len(self._rows) == _MAX_ROWS:
            self._finish_series(is_partial=is_same)
            if not is_same:
                self._begin_table(header, cells)
        defaults = header.defaults
        try:
            self._rows.append([read(cells[at] or defaults[at]) for at, read in header.cells])
        except (ValueError, KeyError):
            msg = f"a cell of annotated CSV does not match its datatype: {excerpt(','.join(cells).encode())}"
            raise ProtocolError(msg) from None
        self._is_complete = False

    def _begin_table(self, header: _Header, cells: list[str]) -> None:
        values = [cell or default for cell, default in zip(cells, header.defaults, strict=True)]
        if values[_RESULT] != self._result:
            self._statement += 1
            self._result = values[_RESULT]
        self._table = values[_TABLE]
        self._series = {}
        if header.measurement is not None:
            self._series["name"] = values[header.measurement]
        if header.tags:
            self._series["tags"] = {name: values[at] for at, name in header.tags}
        self._series["columns"] = [*header.columns]

    def _finish_series(self, *, is_partial: bool) -> None:
        """Append a document with the collected rows, if there are any."""
        if self._series is None:
            return
        series = dict(self._series)
        if self._rows:
            series["values"] = self._rows
        if is_partial:
            series["partial"] = True
        result: dict[str, Any] = {"statement_id": self._statement}
        if self._result != _UNNAMED:
            result["result"] = self._result
        result["series"] = [series]
        if is_partial:
            result["partial"] = True
        self._documents.append({"results": [result]})
        self._rows = []

    def _finish_block(self) -> None:
        """Append the rows of the last table under the current header, or the table without rows."""
        if self._header is not None and self._series is None:
            self._begin_table(self._header, [""] * len(self._header.names))
        self._finish_series(is_partial=False)
        self._header = self._series = None

    def _finish_records(self) -> None:
        if not self._is_complete:
            raise ProtocolError("the response is truncated: annotated CSV ends in a blank line", retryable=True)
        if self._is_empty and not self._documents:
            self._documents.append({"results": [{"statement_id": 0}]})


def _read_columns(names: list[str], datatypes: list[str], groups: list[bool], defaults: list[str]) -> _Header:
    """Return the meaning of the columns with these names and annotations."""
    positions = range(_FIRST, len(names))
    times = [at for at in positions if names[at] in {"_time", "time"} and datatypes[at].startswith("dateTime")]
    time = min(times, key=lambda at: names[at] != "_time", default=None)
    in_key = [
        at
        for at in compress(positions, groups[_FIRST:])
        if at != time and (datatypes[at] == "string" or datatypes[at].startswith("dateTime"))
    ]
    measurement = next((at for at in in_key if names[at] == "_measurement"), None)
    others = [at for at in positions if at != time and at not in in_key]
    cells = [(at, _READERS.get(datatypes[at], _read_string)) for at in others]
    columns = [names[at] for at in others]
    if time is not None:
        cells.insert(0, (time, _read_time))
        columns = ["time", *distinct(columns, {"time"})]
    elif columns[:1] == ["time"]:
        columns = distinct(columns, {"time"})  # a first column `time` has the timestamps of the rows
    tags = [at for at in in_key if at != measurement]
    tag_names = distinct([names[at] for at in tags], ())
    return _Header(names, defaults, list(zip(tags, tag_names, strict=True)), measurement, cells, columns)


def _read_string(cell: str) -> str | None:
    return cell or None


def _read_time(cell: str) -> int | None:
    time = read_timestamp(cell)
    if isinstance(time, int):
        return time
    if cell:
        raise ValueError
    return None


def _read_integer(cell: str) -> int | None:
    if not cell:
        return None
    if not _INTEGER.fullmatch(cell):
        raise ValueError
    return int(cell)


def _read_float(cell: str) -> float | None:
    if not cell:
        return None
    if not _FLOAT.fullmatch(cell):
        raise ValueError
    return float(cell)


def _read_boolean(cell: str) -> bool | None:
    return _BOOLEANS[cell] if cell else None


_READERS: Final[dict[str, Callable[[str], Any]]] = {
    "long": _read_integer,
    "unsignedLong": _read_integer,
    "double": _read_float,
    "boolean": _read_boolean,
}
