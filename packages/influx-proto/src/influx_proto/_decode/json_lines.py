"""Push decoder for JSON Lines, the responses of InfluxDB 3 to SQL, whose documents have the structure of InfluxQL's.

Each line is an object, a row. The server omits the keys of null values, so the columns are the union of all keys.
JSON has no timestamps: the server prints them like `2065-01-07T17:28:51.5`, without a zone, in UTC. The decoder reads
only the column `time` as timestamps. Other timestamps stay strings, since they cannot be distinguished from strings.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import msgspec

from .._errors import ProtocolError
from .._gc_pause import gc_paused
from .._result.packed import PackedRows
from .document import MAX_ROWS, DocumentDecoder, decode_text, excerpt, series_document
from .timestamps import read_timestamp

if TYPE_CHECKING:
    from .json_lines_columns import ColumnDecoder

_DECODER: Final[msgspec.json.Decoder[dict[str, Any]]] = msgspec.json.Decoder(dict[str, Any])


class JSONLinesDocuments(DocumentDecoder):
    """A push decoder for JSON Lines: one statement, of one series without a name or tags.

    Each document is marked like a chunk. The columns are the keys so far, in the order in which
    they first occur, with `time` before the others if the first row has it. Later documents may have further columns,
    after these. A row without a key has None there.

    Integers of any size and floats are exact: the server prints `82.0` for a float and `82` for an integer. Values of
    `time` are nanoseconds since 1970; a value that is not a timestamp is returned unchanged. Bytes that are not UTF-8
    are decoded as replacement characters. The last of several columns with the same name takes precedence.

    A line `{"error": "..."}` becomes an error document if it cannot be a row: after rows without a column `error`, or
    without a line feed at the end of the response.

    Args:
        packed: whether lines that arrive together may be decoded as `PackedRows`; requires numpy.
        max_rows: the maximum number of rows in a document.
    """

    def __init__(self, *, packed: bool = False, max_rows: int = MAX_ROWS) -> None:
        super().__init__()
        self._packed = packed
        self._max_rows = max_rows
        self._column_decoder: ColumnDecoder | None = None
        self._decoded_columns = 0  # number of the columns that `_column_decoder` decodes
        self._searched = 0  # end of the part searched for line feeds
        self._columns: dict[str, None] = {}
        self._rows: list[dict[str, Any]] = []  # not yet in a document

    def _decode_complete(self) -> None:
        complete = self._buffer.rfind(b"\n", self._searched) + 1
        if complete:
            data = self._buffer[:complete]
            del self._buffer[:complete]
            if not (self._packed and self._add_packed_lines(bytes(data))):
                self._add_lines(data)
        self._searched = len(self._buffer)

    def _finish(self) -> None:
        if self._buffer.strip():
            try:
                row = _decode_line(self._buffer)
            except ProtocolError:
                msg = f"the response is truncated inside a JSON line: {excerpt(self._buffer)}"
                raise ProtocolError(msg, retryable=True) from None
            if _is_error(row):
                self._add_error(row)
                return
            self._add_rows([row])
        self._finish_rows(is_partial=False)

    def _add_packed_lines(self, data: bytes) -> bool:
        """Add lines as columns; return False if they have to be decoded row by row."""
        from .json_lines_columns import ColumnDecoder, decode_spans  # noqa: PLC0415 - only needed for DataFrames

        if not self._columns:  # begin with those of the first row
            try:
                self._add_columns([_decode_line(data[: data.index(b"\n")])])
            except ProtocolError:
                return False
        columns = decode_spans(data, list(self._columns))
        if columns is None:
            if self._decoded_columns != len(self._columns):
                self._decoded_columns = len(self._columns)
                try:
                    self._column_decoder = ColumnDecoder(list(self._columns))
                except ValueError:
                    self._column_decoder = None
            columns = None if self._column_decoder is None else self._column_decoder.decode(data)
        if columns is None:
            return False
        if self._rows:
            self._finish_rows(is_partial=True)
        self._append_document(PackedRows(columns, 0, columns[0].rows), is_partial=True)
        return True

    def _add_columns(self, rows: Sequence[dict[str, Any]]) -> None:
        if not self._columns and "time" in next(filter(None, rows), ()):
            self._columns["time"] = None
        self._columns.update(dict.fromkeys(chain.from_iterable(rows)))

    def _add_lines(self, data: bytearray) -> None:
        lines = [line for line in data.split(b"\n") if line and not line.isspace()]
        try:
            rows = gc_paused(list, map(_DECODER.decode, lines))
        except Exception:  # noqa: BLE001 - `_decode_line` decodes this line, or raises the error
            for line in lines:
                self._add_rows([_decode_line(line)])
        else:
            self._add_rows(rows)

    def _add_rows(self, rows: Sequence[dict[str, Any]]) -> None:
        if "error" not in self._columns and any("error" in row for row in rows):
            if len(rows) > 1:
                for row in rows:
                    self._add_rows([row])
                return
            if self._columns and _is_error(rows[0]):
                self._add_error(rows[0])
                return
        while rows:
            if len(self._rows) == self._max_rows:
                self._finish_rows(is_partial=True)
            part = rows[: self._max_rows - len(self._rows)]
            rows = rows[len(part) :]
            self._add_columns(part)
            self._rows += part

    def _add_error(self, row: dict[str, Any]) -> None:
        if self._rows:
            self._finish_rows(is_partial=True)
        self._documents.append(row)

    def _finish_rows(self, *, is_partial: bool) -> None:
        """Append a document with the collected rows."""
        if self._columns:
            columns = list(self._columns)
            rows = [list(map(row.get, columns)) for row in self._rows]
            if "time" in self._columns:
                _convert_times(rows, columns.index("time"))
            self._append_document(rows, is_partial=is_partial)
        else:
            self._documents.append({"results": [{"statement_id": 0} | ({"partial": True} if is_partial else {})]})
        self._rows = []

    def _append_document(self, rows: Sequence[list[Any]], *, is_partial: bool) -> None:
        series = {"columns": list(self._columns)}
        self._documents.append(
            series_document({"statement_id": 0}, series, rows, is_partial=is_partial, is_result_partial=is_partial)
        )


def _decode_line(line: bytes | bytearray) -> dict[str, Any]:
    """Decode a row; bytes that are not UTF-8 become replacement characters."""
    try:
        return _DECODER.decode(line)
    except Exception:  # noqa: BLE001 - the class of msgspec's error for invalid UTF-8 depends on its version
        return decode_text(_DECODER.decode, line, "JSON Lines")


def _is_error(row: dict[str, Any]) -> bool:
    return row.keys() == {"error"} and isinstance(row["error"], str)


def _convert_times(rows: list[list[Any]], column: int) -> None:
    for row in rows:
        row[column] = read_timestamp(row[column])
