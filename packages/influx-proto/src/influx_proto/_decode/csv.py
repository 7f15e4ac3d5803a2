"""Push decoder for CSV responses, whose documents have the structure of InfluxDB's JSON.

CSV loses information. It does not distinguish an empty string from a missing value, or the string `1` from the number,
and does not mark where a statement begins. It omits errors, messages and statements without rows. The decoder reads a
cell as a number or boolean if it looks like one. It counts each block of rows under a header as a separate statement,
so the `statement_id` is unreliable. Request MessagePack or JSON if errors and types matter.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from .._errors import ProtocolError
from .csv_cells import read_column
from .csv_records import CSVPushDecoder, split_cells
from .document import MAX_ROWS, excerpt, series_document

#: The end of a block and the begin of the next header. Python finds it in a third of the time of two line feeds.
_NEXT_BLOCK: Final = b"\n\nname,tags,"

_ESCAPED: Final = re.compile(r"\\([,= ])")
#: One `key=value` of a tags cell, with commas, equals signs and spaces escaped by a backslash.
_TAG: Final = re.compile(r"((?:[^\\,=]|\\[,= ]|\\)*+)=((?:\\[,= ]|[^,])*+)(?:,|\Z)", re.DOTALL)


class CSVDocuments(CSVPushDecoder):
    """A push decoder for CSV responses, chunked or not.

    Each document holds rows of one series, marked like a chunk: `partial` in the series if the series
    continues in the next document, `partial` in the result if its block of rows does. An empty response is decoded as
    one statement without rows.

    Tags are unescaped, as InfluxDB up to 1.10 escapes them. From 1.11.5 on InfluxDB does not escape them, so commas and
    equals signs inside a tag cannot be distinguished from separators.

    Args:
        packed: whether rows that arrive together may be decoded as `PackedRows`, without a limit of rows. Each block
            then ends in a document without rows.
        max_rows: the maximum number of rows in a document.
    """

    def __init__(self, *, packed: bool = False, max_rows: int = MAX_ROWS) -> None:
        super().__init__()
        self._packed = packed
        self._max_rows = max_rows
        self._block = -1
        self._header: list[str] = []  # of the block; empty if the next record is a header
        self._series: tuple[str, str] | None = None  # name and tags cell of the rows in `_rows`
        self._rows: list[list[str]] = []

    def _decode_complete(self) -> None:
        if self._packed:
            self._decode_blocks()
        super()._decode_complete()

    def _decode_blocks(self) -> None:
        """Decode complete lines, the rows of a block together, up to a line that has to be decoded as a record."""
        from .csv_columns import read_rows  # noqa: PLC0415 - imports numpy and pandas, only if requested

        buffer = self._buffer
        while (end := buffer.find(b"\n") + 1) > 0:
            rows = None
            if end > 1 and len(self._header) > 2:
                end = buffer.find(_NEXT_BLOCK) + 1 or buffer.rfind(b"\n") + 1
                rows = read_rows(bytes(memoryview(buffer)[:end]), len(self._header))
            if rows is None and buffer.find(b'"', 0, end) >= 0:  # a line feed may be part of a cell
                break
            lines = buffer[: end - 1].decode("utf-8", "replace").split("\n") if rows is None else []
            del buffer[:end]
            for record in lines:
                self._read_record(record.removesuffix("\r"))
            for series, packed in rows or ():
                self._finish_series(is_partial=self._series == series)
                self._series = series
                self._append_document(packed, is_partial=True, is_block_partial=True)
        self._searched = self._counted = 0
        self._is_quoted = False

    def _finish_records(self) -> None:
        if self._header == ["error"]:
            raise ProtocolError("the response is truncated before the text of an error", retryable=True)
        if self._block < 0:
            self._documents.append({"results": [{"statement_id": 0}]})
        else:
            self._finish_block()

    def _read_record(self, record: str) -> None:
        cells = split_cells(record)
        if self._header == ["error"]:
            self._documents.append({"error": ",".join(cells)})
            self._header = []
        elif not record:
            self._finish_block()
        elif not self._header:
            self._header = cells
            self._block += 1
            if cells[:2] != ["name", "tags"] and cells != ["error"]:
                raise ProtocolError(f"the response is not InfluxDB's CSV: {excerpt(record.encode())}")
        elif len(cells) != len(self._header):
            raise ProtocolError(f"a CSV line has {len(cells)} cells, but its header has {len(self._header)}")
        else:
            series = cells[0], cells[1]
            if self._series != series or len(self._rows) == self._max_rows:
                self._finish_series(is_partial=self._series == series)
                self._series = series
            self._rows.append(cells[2:])

    def _finish_series(self, *, is_partial: bool, is_block_partial: bool = True) -> None:
        """Append a document with the collected rows; without rows only at the end of the block."""
        if self._series is None or not (self._rows or (self._packed and not is_block_partial)):
            return
        columns = map(read_column, zip(*self._rows, strict=True))
        rows = list(map(list, zip(*columns, strict=True))) if len(self._header) > 2 else self._rows
        self._append_document(rows, is_partial=is_partial, is_block_partial=is_block_partial)
        self._rows = []

    def _append_document(self, rows: Sequence[Any], *, is_partial: bool, is_block_partial: bool) -> None:
        assert self._series is not None  # noqa: S101 - for type checkers
        name, tags = self._series
        series: dict[str, Any] = {}
        if name:
            series["name"] = name
        if tags:
            series["tags"] = _read_tags(tags)
        series["columns"] = self._header[2:]
        result = {"statement_id": self._block}
        self._documents.append(
            series_document(result, series, rows, is_partial=is_partial, is_result_partial=is_block_partial)
        )

    def _finish_block(self) -> None:
        if self._header and self._series is None:  # columns without rows
            result = {"statement_id": self._block, "series": [{"columns": self._header[2:]}]}
            self._documents.append({"results": [result]})
        self._finish_series(is_partial=False, is_block_partial=False)
        self._header = []
        self._series = None


def _read_tags(cell: str) -> dict[str, str]:
    tags: dict[str, str] = {}
    is_plain = "\\" not in cell
    at = 0
    while at < len(cell):
        match = _TAG.match(cell, at)
        if match is None:
            raise ProtocolError(f"invalid tags in a CSV cell: {excerpt(cell.encode())}")
        key, value = match.groups() if is_plain else (_ESCAPED.sub(r"\1", part) for part in match.groups())
        tags[key] = value
        at = match.end()
    return tags
