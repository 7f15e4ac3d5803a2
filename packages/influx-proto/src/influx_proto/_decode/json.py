"""Push decoder for JSON responses, whose documents define the structure that the other decoders return.

InfluxDB 1.x ends each document with a line feed, 3.x with CR LF or without any separator, and `pretty=true` writes a
document over many lines. The decoder finds documents in the raw bytes, independent of any library's definition of a
line or character.

Most responses have one document a line, so the decoder first splits at line feeds. At the first line that is not a
document, or at a `}{` in an incomplete line, which may separate two documents, it switches permanently to a scanner,
which tracks strings and braces and is correct for any layout. Both read each byte only once.
"""

from __future__ import annotations

import re
from types import GenericAlias
from typing import Annotated, Any, Final, cast

import msgspec

from .._errors import ProtocolError
from .._gc_pause import gc_paused
from .document import DocumentDecoder, decode_text, excerpt, normalize_document
from .json_columns import decode_packed

#: Number of bytes of an invalid response that an error message quotes.
_EXCERPT_SIZE: Final = 400


def _build_decoder(integer: Any) -> msgspec.json.Decoder[Any]:
    cell = integer | bool | float | str | None
    value = cell
    for _ in range(8):  # a cell is nested seven levels deep: document, results, result, series, one series, values, row
        value = cell | GenericAlias(list, value) | GenericAlias(dict, (str, value))
    return msgspec.json.Decoder(value)


#: Rejects integers beyond int64, which is cheaper than checking the decoded values.
_DECODER: Final = _build_decoder(Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)])

#: The bytes between two braces: strings, which may contain braces, and all other bytes.
#: Possessive, so that the pattern never backtracks.
_BETWEEN: Final = re.compile(rb'(?:[^"{}]++|"[^"\\]*+(?:\\.[^"\\]*+)*+")*+', re.DOTALL)
#: The rest of a string whose beginning was read before, without its closing quote.
_IN_STRING: Final = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_SPACE: Final = re.compile(rb"[ \t\r\n]*+")
_QUOTE, _OPEN, _CLOSE = b'"{}'


class JSONDocuments(DocumentDecoder):
    """A push decoder for JSON responses, chunked or not.

    Integers are exact within int64 and uint64. Larger integers are decoded as floats, since InfluxDB prints the float
    1e20 as `100000000000000000000`. Bytes that are not UTF-8 are decoded as replacement characters.

    Args:
        packed: whether documents of one series with many rows may be decoded as `PackedRows`.
    """

    def __init__(self, *, packed: bool = False) -> None:
        super().__init__()
        self._packed = packed
        self._scanned = 0  # number of bytes of the buffer already scanned
        self._is_by_line = True
        self._depth = 0  # nesting of braces at the scanner's position
        self._is_in_string = False

    def _decode_complete(self) -> None:
        if self._is_by_line:
            self._decode_lines()
        if not self._is_by_line:
            self._scan()

    def _finish(self) -> None:
        # The last document may end without a line feed; an added one does not change an incomplete document.
        self._buffer += b"\n"
        self._decode_complete()
        if self._buffer.strip():
            msg = f"the response is truncated inside a JSON document: {excerpt(self._buffer, _EXCERPT_SIZE)}"
            raise ProtocolError(msg, retryable=True)
        if self._is_empty and not self._documents:
            raise ProtocolError("the response is empty; its Content-Type announces JSON", retryable=True)

    def _decode_lines(self) -> None:
        buffer = self._buffer
        complete = buffer.rfind(b"\n", self._scanned) + 1
        if complete:
            try:
                self._documents += list(map(normalize_document, self._decode_together(_lines(buffer, complete))))
            except Exception:  # noqa: BLE001 - `_decode` decodes this line, or raises the error
                complete = self._decode_each_line()
        if self._is_by_line:
            # A `}{` is between documents or inside a string; only the scanner can distinguish them.
            self._is_by_line = buffer.find(b"}{", max(self._scanned - 1, complete)) < 0
        del buffer[:complete]
        self._scanned = len(buffer) if self._is_by_line else 0

    def _decode_together(self, lines: list[bytearray]) -> list[Any]:
        packed: dict[int, Any] = {}
        if self._packed:
            packed = {
                number: document
                for number, line in enumerate(lines)
                if (document := decode_packed(line, _DECODER)) is not None
            }
        rest = [line for number, line in enumerate(lines) if number not in packed] if packed else lines
        documents: list[Any] = gc_paused(list, map(_DECODER.decode, rest))
        for number, document in packed.items():  # in ascending order
            documents.insert(number, document)
        return documents

    def _decode_each_line(self) -> int:
        """Decode the lines individually until one is not a document, and return where the rest begins."""
        begin = 0
        while (end := self._buffer.find(b"\n", max(begin, self._scanned))) >= 0:
            line = self._buffer[begin:end]
            if line and not line.isspace():
                try:
                    self._documents.append(_decode(line))
                except ProtocolError:  # a document over several lines, or an error that the scanner reports
                    self._is_by_line = False
                    break
            begin = end + 1
        return begin

    def _scan(self) -> None:
        buffer = self._buffer
        begin, at = 0, self._scanned
        while at < len(buffer):
            if self._is_in_string:
                at = _match_end(_IN_STRING, buffer, at)
                if at == len(buffer) or buffer[at] != _QUOTE:  # the string, or a last escape sequence, is incomplete
                    break
                self._is_in_string = False
                at += 1
            elif self._depth == 0:
                begin = at = _match_end(_SPACE, buffer, at)
                if at == len(buffer):
                    break
                if buffer[at] != _OPEN:
                    del buffer[:begin]
                    begin = at = self._scanned = 0
                    if not self._decode_error():
                        return
                    continue
                self._depth = 1
                at += 1
            else:
                at = _match_end(_BETWEEN, buffer, at)
                if at == len(buffer):
                    break
                self._is_in_string = buffer[at] == _QUOTE
                self._depth += (buffer[at] == _OPEN) - (buffer[at] == _CLOSE)
                at += 1
                if self._depth == 0:
                    self._documents.append(_decode(buffer[begin:at]))
                    begin = at
        del buffer[:begin]
        self._scanned = at - begin

    def _decode_error(self) -> bool:
        """Decode a line of text that replaces a document with an infinite number; raise ProtocolError for other text.

        Returns False until enough bytes were received to quote them.
        """
        if len(self._buffer) < _EXCERPT_SIZE and b"\n" not in self._buffer:
            return False
        line = bytes(self._buffer).partition(b"\n")[0]
        if line.startswith(b"json: "):
            text = line.decode("utf-8", "replace").strip()
            remedy = "JSON has no infinite numbers; request MessagePack (format='msgpack')"
            self._documents.append({"error": f"{text}; {remedy}"})
            del self._buffer[: len(line)]
            return True
        raise ProtocolError(f"the response is not JSON: {excerpt(self._buffer, _EXCERPT_SIZE)}")


def _decode(data: bytearray) -> dict[str, Any]:
    """Decode a document with integers of any size; bytes that are not UTF-8 become replacement characters."""
    try:
        document = _DECODER.decode(data)
    except Exception:  # noqa: BLE001 - the class of msgspec's error for invalid UTF-8 depends on its version
        document = decode_text(_decode_huge_integers, data, "JSON", _EXCERPT_SIZE)
    return normalize_document(document)


def _decode_huge_integers(text: str) -> object:
    """Decode a document in which integers beyond int64 and uint64 are floats."""
    return _convert_huge_integers(msgspec.json.decode(text))


def _convert_huge_integers(value: object) -> object:
    """Return the value with all integers beyond int64 and uint64 as floats."""
    if isinstance(value, dict):
        return {key: _convert_huge_integers(member) for key, member in cast("dict[str, object]", value).items()}
    if isinstance(value, list):
        return [_convert_huge_integers(item) for item in cast("list[object]", value)]
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 64:
        return float(value)
    return value


def _lines(buffer: bytearray, end: int) -> list[bytearray]:
    """Return the lines up to `end`; large ones several times as fast as `split`, which reads byte by byte."""
    lines = []
    begin = 0
    while begin < end:
        stop = buffer.find(b"\n", begin)
        line = buffer[begin:stop]
        if line and not line.isspace():
            lines.append(line)
        begin = stop + 1
    return lines


def _match_end(pattern: re.Pattern[bytes], buffer: bytearray, at: int) -> int:
    match = pattern.match(buffer, at)
    return at if match is None else match.end()
