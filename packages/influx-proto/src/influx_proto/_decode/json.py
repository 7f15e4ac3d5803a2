"""JSON answers: bytes in any fragmentation to whole documents.

InfluxDB 1.x ends every document with a line feed, 3.x with CR LF or with nothing at all, and `pretty=true` spreads one
over many lines. Documents are found on the raw bytes: no library's idea of a line or of a character comes between.

Two ways lead to the end of a document. Most answers are one document a line, so the line feed is looked for and the
line decoded. The first line that is no document, or a `}{` that may be two documents in one line, hands over for good
to the scanner, which knows strings and braces and so is right about everything. Neither looks at a byte again that it
has seen.

The shape of these documents is the norm that the other formats are brought to.
"""

from __future__ import annotations

import re
from types import GenericAlias
from typing import Annotated, Any, Final, cast

import msgspec

from .._errors import ProtocolError
from .._gc_pause import gc_paused
from .document import TOO_DEEP, PushDecoder, in_json_shape

#: How much of an answer that is none is quoted.
_EXCERPT: Final = 400


def _decoder(integer: Any) -> msgspec.json.Decoder[Any]:
    cell = integer | bool | float | str | None
    value = cell
    for _ in range(8):  # a cell lies seven deep: document, results, result, series, one series, values, row
        value = cell | GenericAlias(list, value) | GenericAlias(dict, (str, value))
    return msgspec.json.Decoder(value)


#: Refuses integers beyond int64, which no look at the decoded values could do as cheaply.
_DECODER: Final = _decoder(Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)])

#: What lies between two braces: strings, which may hold braces themselves, and all the rest.
#: Possessive, so that nothing is tried twice.
_BETWEEN: Final = re.compile(rb'(?:[^"{}]++|"[^"\\]*+(?:\\.[^"\\]*+)*+")*+', re.DOTALL)
#: The rest of a string whose beginning was seen before, without its closing quote.
_IN_STRING: Final = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_SPACE: Final = re.compile(rb"[ \t\r\n]*+")
_QUOTE, _OPEN, _CLOSE = b'"{}'


class JSONDocuments(PushDecoder):
    """A push decoder of JSON answers, chunked or not (`DocumentDecoder`).

    Integers are exact within int64 and uint64; beyond them they are floats, since InfluxDB prints the float 1e20 as
    `100000000000000000000`. Text that is not UTF-8 gets replacement characters.
    """

    def __init__(self) -> None:
        super().__init__()
        self._seen = 0  # so many bytes of it were looked at
        self._by_line = True
        self._depth = 0  # of braces, where the scanner stands
        self._in_string = False

    def _take(self, documents: list[dict[str, Any]]) -> None:
        if self._by_line:
            self._take_lines(documents)
        if not self._by_line:
            self._scan(documents)

    def _finish(self, documents: list[dict[str, Any]]) -> None:
        # What ends the answer without a line feed ends as if there were one; it changes nothing inside a document.
        self._buffer += b"\n"
        self._take(documents)
        if self._buffer.strip():
            raise ProtocolError(f"the answer was cut inside a JSON document: {_excerpt(self._buffer)}", retryable=True)
        if self._empty and not documents:
            raise ProtocolError("the answer is empty where JSON was announced", retryable=True)

    def _take_lines(self, documents: list[dict[str, Any]]) -> None:
        buffer = self._buffer
        # Between documents, or in a string: the scanner can tell.
        self._by_line = buffer.find(b"}{", max(self._seen - 1, 0)) < 0
        complete = buffer.rfind(b"\n", self._seen) + 1 if self._by_line else 0
        if complete:
            lines = [line for line in buffer[: complete - 1].split(b"\n") if line and not line.isspace()]
            try:
                documents += list(map(in_json_shape, gc_paused(list, map(_DECODER.decode, lines))))
            except Exception:  # noqa: BLE001 - one document differs from most; `_decode` says how
                complete = self._take_each_line(documents)
        del buffer[:complete]
        self._seen = len(buffer) if self._by_line else 0

    def _take_each_line(self, documents: list[dict[str, Any]]) -> int:
        """Take the documents off the lines one by one; give where the rest begins, for the scanner if it is none."""
        begin = 0
        while (end := self._buffer.find(b"\n", max(begin, self._seen))) >= 0:
            line = self._buffer[begin:end]
            if line and not line.isspace():
                try:
                    documents.append(_decode(line))
                except ProtocolError:  # a document over several lines, or none: the scanner can tell
                    self._by_line = False
                    break
            begin = end + 1
        return begin

    def _scan(self, documents: list[dict[str, Any]]) -> None:
        buffer = self._buffer
        begin, at = 0, self._seen
        while at < len(buffer):
            if self._in_string:
                at = _end(_IN_STRING, buffer, at)
                if at == len(buffer) or buffer[at] != _QUOTE:  # more is to come, if only what a last backslash escapes
                    break
                self._in_string = False
                at += 1
            elif self._depth == 0:
                begin = at = _end(_SPACE, buffer, at)
                if at == len(buffer):
                    break
                if buffer[at] != _OPEN:
                    del buffer[:begin]
                    self._seen = 0
                    self._reject()
                    return
                self._depth = 1
                at += 1
            else:
                at = _end(_BETWEEN, buffer, at)
                if at == len(buffer):
                    break
                self._in_string = buffer[at] == _QUOTE
                self._depth += (buffer[at] == _OPEN) - (buffer[at] == _CLOSE)
                at += 1
                if self._depth == 0:
                    documents.append(_decode(buffer[begin:at]))
                    begin = at
        del buffer[:begin]
        self._seen = at - begin

    def _reject(self) -> None:
        """Raise what is wrong, once enough of the text is there to quote it."""
        text = self._buffer
        if len(text) < _EXCERPT and b"\n" not in text:
            return
        line = bytes(text).partition(b"\n")[0]
        if line.startswith(b"json: "):
            raise ProtocolError(
                "the server could not put its answer into JSON, which has no infinite numbers; "
                f"ask for MessagePack: {_excerpt(line)}"
            )
        raise ProtocolError(f"the answer is not JSON: {_excerpt(text)}")


def _decode(data: bytearray) -> dict[str, Any]:
    """Decode one document with any integers; text that is not UTF-8 gets replacement characters."""
    try:
        document = _DECODER.decode(data)
    except Exception:  # noqa: BLE001 - msgspec's versions raise different classes for text that is not UTF-8
        try:
            document = _floats_for_huge(msgspec.json.decode(data.decode("utf-8", "replace")))
        except RecursionError:
            raise ProtocolError(f"{TOO_DEEP}: {_excerpt(data)}") from None
        except Exception as error:
            raise ProtocolError(f"the answer is not JSON ({error}): {_excerpt(data)}") from error
    return in_json_shape(document)


def _floats_for_huge(value: object) -> object:
    if isinstance(value, dict):
        return {key: _floats_for_huge(member) for key, member in cast("dict[str, object]", value).items()}
    if isinstance(value, list):
        return [_floats_for_huge(item) for item in cast("list[object]", value)]
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 64:
        return float(value)
    return value


def _end(pattern: re.Pattern[bytes], buffer: bytearray, at: int) -> int:
    match = pattern.match(buffer, at)
    return at if match is None else match.end()


def _excerpt(data: bytes | bytearray) -> str:
    return repr(data[:_EXCERPT].decode("utf-8", "replace"))
