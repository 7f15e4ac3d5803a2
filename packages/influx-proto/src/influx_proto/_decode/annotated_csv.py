"""Push decoder for annotated CSV, the responses to Flux, whose documents have the structure of InfluxQL's.

A response consists of tables. Tables with the same columns share a header and three rows above it: `#datatype`,
`#group`, which marks the columns of the group key, and `#default`, the values of empty cells. A blank line follows each
result of a `yield`, so a response without it is truncated. An error after the first rows is a separate table.

CSV has no null: an empty cell without a default is one, so an empty string cannot be distinguished from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from .._errors import ProtocolError
from .._result.packed import PackedRows
from .annotated_csv_header import FIRST, RESULT, TABLE, Header, read_columns
from .csv_records import CSVPushDecoder, split_cells
from .document import MAX_ROWS, excerpt, series_document

if TYPE_CHECKING:
    from .annotated_csv_columns import Rows

#: Minimum number of rows to decode as columns; fewer rows are decoded faster row by row.
_MIN_ROWS: Final = 50

_BEGINNING: Final = ["", "result", "table"]
#: Headers of an error table, with and without the column of annotations.
_ERROR_HEADERS: Final = (["", "error", "reference"], ["error", "reference"])
#: The name of a result without a `yield`.
_UNNAMED: Final = "_result"


class AnnotatedCSVDocuments(CSVPushDecoder):
    """A push decoder for annotated CSV.

    A table becomes a series. Its name is the `_measurement` of the group key. The other strings and timestamps of the
    group key are the tags, `_field`, `_start` and `_stop` among them, with timestamps as the server prints them; a tag
    without a value is `""`. The remaining columns are the columns. `_time` becomes `time`, the first one, with integer
    nanoseconds since 1970. A column `time` of timestamps takes its place if there is no `_time`. Integers, floats and
    booleans have their types, other values are strings, as the server prints them.

    The results of several `yield` are statements, which have the name of the result as `result` unless it is
    `_result`. Each document holds rows of one table, marked like a chunk.

    Args:
        packed: whether many rows that arrive together may be decoded as `PackedRows`, in documents without marks;
            requires numpy and pandas.
        max_rows: the maximum number of rows in a document.
    """

    def __init__(self, *, packed: bool = False, max_rows: int = MAX_ROWS) -> None:
        super().__init__()
        self._packed = packed
        self._max_rows = max_rows
        self._is_returned = False  # whether a document has a part of the current table
        self._statement = -1
        self._result: str | None = None  # the name of the current result
        self._table = ""  # the number of the current table
        self._annotations: dict[str, list[str]] = {}  # above the next header
        self._header: Header | None = None
        self._series: dict[str, Any] | None = None  # of the rows in `_rows`
        self._rows: list[list[Any]] = []
        self._is_in_error = False  # whether the next record is the row of an error table
        self._is_complete = True  # whether the response may end here

    def _decode_complete(self) -> None:
        complete = self._buffer.rfind(b"\n", self._searched) + 1
        if self._packed and not self._is_quoted and complete and self._buffer.find(b'"', 0, complete) < 0:
            data = bytes(self._buffer[:complete])
            del self._buffer[:complete]
            self._searched = self._counted = 0
            self._add_lines(data)
        else:
            super()._decode_complete()

    def _add_lines(self, data: bytes) -> None:
        """Add complete lines without quotes, most rows of them as columns."""
        from .annotated_csv_columns import Lines  # noqa: PLC0415 - imports numpy and pandas, only if requested

        lines = Lines(data)
        line = 0
        while line < len(lines):
            count = 1
            rows = None
            if self._header is not None and not self._is_in_error:
                count = max(lines.row_count(line), 1)
                rows = lines.rows(self._header, line, count) if count >= _MIN_ROWS else None
            if rows is not None and self._header is not None:
                self._add_rows(self._header, rows)
            else:
                for record in lines.records(line, count):
                    self._read_record(record)
            line += count

    def _add_rows(self, header: Header, rows: Rows) -> None:
        self._finish_series(is_partial=False)
        for cells, (begin, end) in zip(rows.cells, pairwise(rows.begins), strict=True):
            result, table = cells[RESULT] or header.defaults[RESULT], cells[TABLE] or header.defaults[TABLE]
            if self._series is None or self._result != result or self._table != table:
                self._begin_table(header, cells)
            self._append_document(PackedRows(rows.block, begin, end), is_partial=False)
        self._is_complete = False

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
        if names[:FIRST] != _BEGINNING:
            raise ProtocolError(f"the response is not annotated CSV: {excerpt(','.join(names).encode())}")
        datatypes, groups, defaults = (self._annotations.get(f"#{key}", []) for key in ("datatype", "group", "default"))
        if not len(datatypes) == len(groups) == len(defaults) == len(names):
            raise ProtocolError(
                "a header of annotated CSV does not match its annotations #datatype, #group and #default; "
                f"request all of them: {excerpt(','.join(names).encode())}"
            )
        self._header = read_columns(names, datatypes, [group == "true" for group in groups], defaults)
        self._annotations = {}

    def _read_row(self, header: Header, cells: list[str]) -> None:
        if len(cells) != len(header.names):
            raise ProtocolError(f"a CSV line has {len(cells)} cells, but its header has {len(header.names)}")
        result, table = cells[RESULT] or header.defaults[RESULT], cells[TABLE] or header.defaults[TABLE]
        is_same = self._series is not None and self._result == result and self._table == table
        if not is_same or len(self._rows) == self._max_rows:
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

    def _begin_table(self, header: Header, cells: list[str]) -> None:
        values = [cell or default for cell, default in zip(cells, header.defaults, strict=True)]
        if values[RESULT] != self._result:
            self._statement += 1
            self._result = values[RESULT]
        self._table = values[TABLE]
        self._is_returned = False
        self._series = {}
        if header.measurement is not None:
            self._series["name"] = values[header.measurement]
        if header.tags:
            self._series["tags"] = {name: values[at] for at, name in header.tags}
        self._series["columns"] = [*header.columns]

    def _finish_series(self, *, is_partial: bool) -> None:
        """Append a document with the collected rows, or with a table without rows."""
        if self._series is not None and (self._rows or not self._is_returned):
            self._append_document(self._rows, is_partial=is_partial)
            self._rows = []

    def _append_document(self, rows: Sequence[list[Any]], *, is_partial: bool) -> None:
        self._is_returned = True
        result: dict[str, Any] = {"statement_id": self._statement}
        if self._result != _UNNAMED:
            result["result"] = self._result
        self._documents.append(
            series_document(result, self._series or {}, rows, is_partial=is_partial, is_result_partial=is_partial)
        )

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
