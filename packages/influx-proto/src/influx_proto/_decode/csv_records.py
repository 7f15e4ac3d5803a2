"""Records of CSV: base class of the push decoders for CSV, which splits a response into records and cells."""

from __future__ import annotations

import re
from abc import abstractmethod
from typing import Final

from .._errors import ProtocolError
from .document import DocumentDecoder, excerpt

_CELL: Final = re.compile(r'(?:"((?:[^"]|"")*+)"|([^",]*+))(,|\Z)', re.DOTALL)


class CSVPushDecoder(DocumentDecoder):
    """Base class of the push decoders for CSV."""

    def __init__(self) -> None:
        super().__init__()
        self._searched = 0  # end of the part searched for line feeds
        self._counted = 0  # end of the part whose quotes were counted
        self._is_quoted = False  # whether the counted part ends inside a quoted cell

    def _decode_complete(self) -> None:
        for record in self._pop_records():
            self._read_record(record.removesuffix("\r"))  # InfluxDB 1.x quotes a cell that ends with CR

    def _finish(self) -> None:
        if self._buffer:
            raise ProtocolError(f"the response is truncated inside a CSV line: {excerpt(self._buffer)}", retryable=True)
        self._finish_records()

    @abstractmethod
    def _read_record(self, record: str) -> None:
        """Receive the next complete record, without its line end."""

    @abstractmethod
    def _finish_records(self) -> None:
        """Append the documents that are complete at the end of the response."""

    def _pop_records(self) -> list[str]:
        """Remove the complete records from the buffer and return them; a line feed inside quotes is part of a cell."""
        buffer = self._buffer
        last = buffer.rfind(b"\n", self._searched)
        if last >= 0 and not self._is_quoted and buffer.find(b'"', self._counted, last) < 0:  # the usual case
            records = buffer[:last].decode("utf-8", "replace").split("\n")
            del buffer[: last + 1]
            self._searched, self._counted = len(buffer), 0
            return records
        records = []
        begin = 0
        while (end := buffer.find(b"\n", self._searched)) >= 0:
            self._is_quoted ^= bool(buffer.count(b'"', self._counted, end) & 1)
            self._searched = self._counted = end + 1
            if not self._is_quoted:
                records.append(buffer[begin:end].decode("utf-8", "replace"))
                begin = end + 1
        del buffer[:begin]
        self._searched = len(buffer)
        self._counted -= begin
        return records


def split_cells(record: str) -> list[str]:
    """Return the cells of a record, without quotes.

    Raises:
        ProtocolError: the record is not CSV.
    """
    if '"' not in record:
        return record.split(",")
    cells: list[str] = []
    at = 0
    while True:
        match = _CELL.match(record, at)
        if match is None:
            raise ProtocolError(f"the response is not CSV: {excerpt(record.encode())}")
        quoted, bare, separator = match.groups()
        cells.append(bare if quoted is None else quoted.replace('""', '"'))
        if not separator:
            return cells
        at = match.end()
