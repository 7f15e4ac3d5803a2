"""CSV answers: bytes in any fragmentation to documents in the shape of InfluxDB's JSON.

CSV is what the server can write and no more than that. It tells neither an empty string from a missing value, nor the
string `1` from the number, nor where a statement begins; and errors, messages and statements without rows are not in it
at all. A cell that reads as a number or as `true` or `false` is taken for one. Each block of rows under a header is
counted as a statement of its own, so a `statement_id` is not to be relied upon. Where errors matter, and types, ask for
MessagePack or JSON.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, Any, Final

import msgspec

from .._errors import ProtocolError
from .document import PushDecoder

#: Rows in one document; as many as InfluxDB puts into a chunk.
_ROWS: Final = 10_000

_CELL: Final = re.compile(r'(?:"((?:[^"]|"")*+)"|([^",]*+))(,|\Z)', re.DOTALL)
#: Numbers as InfluxDB prints them: the largest float has 309 digits, and never an exponent.
_NUMBER: Final = re.compile(r"(-?(?:0|[1-9][0-9]{0,308}))(\.[0-9]++)?|[+-]Inf")
_WORDS: Final[dict[str, bool | None]] = {"": None, "true": True, "false": False}
_ESCAPED: Final = re.compile(r"\\([,= ])")
#: Refuses integers beyond int64, some of which are floats.
_NUMBERS: Final = msgspec.json.Decoder(
    list[Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)] | float | None]
)
#: One `key=value` of a tags cell, whose commas, equals signs and spaces are escaped with a backslash.
_TAG: Final = re.compile(r"((?:[^\\,=]|\\[,= ]|\\)*+)=((?:\\[,= ]|[^,])*+)(?:,|\Z)", re.DOTALL)


class CSVDocuments(PushDecoder):
    """A push decoder of CSV answers, chunked or not (`DocumentDecoder`).

    Every document holds rows of one series, at most 10 000 of them, marked like a chunk: `partial` in the series where
    it goes on in the next document, `partial` in the result where its block of rows does. An empty answer is taken for
    one statement that found nothing.

    Tags are unescaped as InfluxDB up to 1.10 writes them. From 1.11.5 on they are not escaped, and a comma or an equals
    sign inside a tag cannot be told from one between them.
    """

    def __init__(self) -> None:
        super().__init__()
        self._seen = 0  # line feeds were looked for up to here
        self._counted = 0  # quotes were counted up to here
        self._quoted = False  # whether what was counted ends inside a quoted cell
        self._block = -1
        self._header: list[str] = []  # of the block; empty where the next record is one
        self._series: tuple[str, str] | None = None  # name and tags cell of the rows below
        self._rows: list[list[str]] = []
        self._documents: list[dict[str, Any]] = []

    def _take(self, documents: list[dict[str, Any]]) -> None:
        self._documents = documents
        for record in self._records():
            self._take_record(record)

    def _finish(self, documents: list[dict[str, Any]]) -> None:
        self._documents = documents
        if self._buffer or self._header == ["error"]:
            raise ProtocolError(f"the answer was cut inside a line of CSV: {_excerpt(self._buffer)}", retryable=True)
        if self._block < 0:
            documents.append({"results": [{"statement_id": 0}]})
        else:
            self._finish_block()

    def _records(self) -> list[str]:
        """Take the complete records off the buffer; a line feed inside quotes is part of a cell."""
        buffer = self._buffer
        last = buffer.rfind(b"\n", self._seen)
        if last >= 0 and not self._quoted and buffer.find(b'"', self._counted, last) < 0:  # as it nearly always is
            found = buffer[:last].decode("utf-8", "replace").split("\n")
            del buffer[: last + 1]
            self._seen, self._counted = len(buffer), 0
            return found
        records: list[str] = []
        begin = 0
        while (end := buffer.find(b"\n", self._seen)) >= 0:
            self._quoted ^= bool(buffer.count(b'"', self._counted, end) & 1)
            self._seen = self._counted = end + 1
            if not self._quoted:
                records.append(buffer[begin:end].decode("utf-8", "replace"))
                begin = end + 1
        del buffer[:begin]
        self._seen = len(buffer)
        self._counted -= begin
        return records

    def _take_record(self, record: str) -> None:
        record = record.removesuffix("\r")  # InfluxDB 3; a cell of 1.x that ends with one is in quotes
        cells = _cells(record)
        if self._header == ["error"]:
            self._documents.append({"error": ",".join(cells)})
            self._header = []
        elif not record:
            self._finish_block()
        elif not self._header:
            self._header = cells
            self._block += 1
            if cells[:2] != ["name", "tags"] and cells != ["error"]:
                raise ProtocolError(f"the answer is not InfluxDB's CSV: {_excerpt(record.encode())}")
        elif len(cells) != len(self._header):
            raise ProtocolError(f"a line of CSV has {len(cells)} cells under {len(self._header)} columns")
        else:
            series = cells[0], cells[1]
            if self._series != series or len(self._rows) == _ROWS:
                self._finish_series(continued=self._series == series)
                self._series = series
            self._rows.append(cells[2:])

    def _finish_series(self, *, continued: bool, block_continued: bool = True) -> None:
        """Make a document of the rows so far, if there are any."""
        if self._series is None:
            return
        name, tags = self._series
        series: dict[str, Any] = {}
        if name:
            series["name"] = name
        if tags:
            series["tags"] = _tags(tags)
        series["columns"] = self._header[2:]
        columns = map(_values, zip(*self._rows, strict=True))
        series["values"] = list(map(list, zip(*columns, strict=True))) if series["columns"] else self._rows
        if continued:
            series["partial"] = True
        result: dict[str, Any] = {"statement_id": self._block, "series": [series]}
        if block_continued:
            result["partial"] = True
        self._documents.append({"results": [result]})
        self._rows = []

    def _finish_block(self) -> None:
        if self._header and self._series is None:  # columns without rows
            result = {"statement_id": self._block, "series": [{"columns": self._header[2:]}]}
            self._documents.append({"results": [result]})
        self._finish_series(continued=False, block_continued=False)
        self._header = []
        self._series = None


def _cells(record: str) -> list[str]:
    if '"' not in record:
        return record.split(",")
    cells: list[str] = []
    at = 0
    while True:
        match = _CELL.match(record, at)
        if match is None:
            raise ProtocolError(f"the answer is not CSV: {_excerpt(record.encode())}")
        quoted, bare, after = match.groups()
        cells.append(bare if quoted is None else quoted.replace('""', '"'))
        if not after:
            return cells
        at = match.end()


def _value(cell: str) -> Any:
    if cell in _WORDS:
        return _WORDS[cell]
    number = _NUMBER.fullmatch(cell)
    if number is None:
        return cell
    digits, fraction = number.groups()
    # Only a float is printed with a minus before zero, or with more digits than a 64 bit integer has.
    if digits is None or fraction is not None or digits == "-0" or len(digits) > 20:
        return float(cell)
    integer = int(digits)
    return integer if -(1 << 63) <= integer < 1 << 64 else float(integer)


def _values(cells: Sequence[str]) -> list[Any]:
    """Read the cells of a column, each as `_value` does, but many at a time where they are numbers or repeat."""
    text = ",".join(cells).encode()
    if not text.translate(None, b"0123456789.,-") and b"-0," not in text + b",":
        # What is made of these characters and is a number in JSON is the same number here.
        if "" in cells:
            text = ",".join([cell or "null" for cell in cells]).encode()
        with suppress(Exception):  # the cells are read one by one instead
            numbers: list[Any] = _NUMBERS.decode(b"[" + text + b"]")
            if len(numbers) == len(cells):  # no cell has a comma
                return numbers
    value = {cell: _value(cell) for cell in set(cells)}
    return list(map(value.__getitem__, cells))


def _tags(cell: str) -> dict[str, str]:
    tags: dict[str, str] = {}
    at = 0
    while at < len(cell):
        match = _TAG.match(cell, at)
        if match is None:
            raise ProtocolError(f"no tags of a series: {_excerpt(cell.encode())}")
        key, value = match.groups()
        tags[_ESCAPED.sub(r"\1", key)] = _ESCAPED.sub(r"\1", value)
        at = match.end()
    return tags


def _excerpt(data: bytes | bytearray) -> str:
    return repr(data[:200].decode("utf-8", "replace"))
