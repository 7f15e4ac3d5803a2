"""MessagePack answers: bytes in any fragmentation to whole documents.

A chunked answer is one map after the other with nothing between, and the decoder in C takes exactly one whole message.
So ends of documents are *proposed* by looking for the bytes that every document begins with, and *proven* by decoding
what lies before: a MessagePack message tells its own length, so what decodes as exactly one message is that message.
A proposal that fails (the same bytes inside a string) leaves that document to a walk over its items, which needs no
proposals, stops and goes on at any byte, and never looks at an item twice.

The last document of a statement is known to be complete when the next one begins or the answer ends. The others end in
their `partial` mark: they are tried as soon as a piece of the answer ends with it, and not held back for the next.

Times of an answer that was asked for without `epoch` are turned into the text that JSON has for them.
"""

from __future__ import annotations

import re
from contextlib import suppress
from itertools import pairwise
from typing import Any, Final

import msgspec

from .._errors import ProtocolError
from .._gc_pause import gc_paused
from .document import TOO_DEEP, PushDecoder, in_json_shape
from .msgpack_format import COUNT, SIZES, WIDTH, Walk, extension

#: How a document begins: a map of one key.
_RESULTS: Final = b"\x81\xa7results"
_ERROR: Final = b"\x81\xa5error"
_BEGINNING: Final = re.compile(re.escape(_RESULTS))
#: How a document ends that is followed by another of its statement: the result's `"partial": true`.
_CONTINUED: Final = b"\xa7partial\xc3"
#: A series' own mark is the same and stands before the result's; more tries than that are not worth it.
_TRIES: Final = 2

#: Fewer bytes have so few rows that it does not matter how they are decoded.
_LARGE: Final = 8192


class MessagePackDocuments(PushDecoder):
    """A push decoder of MessagePack answers, chunked or not (`DocumentDecoder`).

    Integers, floats and times are exact. Text that is not UTF-8 gets replacement characters.

    Args:
        packed: whether rows may be `PackedRows` where there are many, of one series or of several that come together;
            numpy and pandas are needed for it.
    """

    def __init__(self, *, packed: bool = False) -> None:
        super().__init__()
        self._packed = packed
        self._seen = 0  # from here on the next document's beginning is looked for
        self._tries = _TRIES
        self._walk: Walk | None = None  # over the items of the first document, once a proposal has failed

    def _finish(self, documents: list[dict[str, Any]]) -> None:
        while self._buffer and not self._try_whole(documents):
            before = len(documents)
            self._walk = self._walk or Walk()
            self._take(documents)
            if len(documents) == before:
                raise ProtocolError(f"the answer was cut inside a MessagePack document: {_excerpt(self._buffer)}")
        if self._empty and not documents:
            raise ProtocolError("the answer is empty where MessagePack was announced")

    def _take(self, documents: list[dict[str, Any]]) -> None:
        """Take the complete documents off the buffer."""
        buffer = self._buffer
        begin = 0
        ready = {}
        if self._walk is None:
            ready = self._read_together([match.start() for match in _BEGINNING.finditer(buffer, max(self._seen, 1))])
        try:
            while begin < len(buffer):
                _check_beginning(bytes(buffer[begin : begin + len(_RESULTS)]))
                if self._walk is None:
                    end = buffer.find(_RESULTS, max(self._seen, begin + 1))
                    if end < 0:
                        break
                    try:
                        document = ready.pop(end, None) or _DECODER.decode(buffer[begin:end])
                    except ProtocolError:
                        raise
                    except Exception:  # noqa: BLE001 - the class of the decoder's error depends on its version
                        self._walk = Walk(begin)
                        ready.clear()
                        continue
                else:
                    if not self._walk.over(buffer):
                        return
                    end = self._walk.at
                    document = _decode(buffer[begin:end])
                    self._walk = None
                documents.append(in_json_shape(document))
                begin = self._seen = end
                self._tries = _TRIES
        finally:
            del buffer[:begin]
            if self._walk is not None:
                self._walk.at -= begin
            self._seen = max(len(buffer) - len(_RESULTS) + 1, 0)
        if self._tries and buffer.endswith(_CONTINUED):
            self._tries -= 1
            self._try_whole(documents)

    def _read_together(self, ends: list[int]) -> dict[int, Any]:
        """Decode what is thought to be documents, one behind the other, in one go if that is worth it.

        Returns:
            Those that could be decoded, by where they end.
        """
        if not ends or ends[-1] < _LARGE:
            return {}
        data = bytes(self._buffer[: ends[-1]])
        found = {}
        if self._packed:
            from .msgpack_columns import read_packed  # noqa: PLC0415 - imports numpy and pandas, for who asked for it

            found = read_packed(data, ends)
        if not found and _EXTENSION not in data:  # which would need Python
            parts = [data[begin:end] for begin, end in pairwise([0, *ends])]
            with suppress(Exception):  # raised again by the document at fault, after those before it
                documents = gc_paused(list, map(_DECODER.decode, parts))
                found = dict(zip(ends, documents, strict=True))
        return found

    def _try_whole(self, documents: list[dict[str, Any]]) -> bool:
        """Take the buffer as one document, if it is exactly that."""
        try:
            document = self._read_together([len(self._buffer)]).get(len(self._buffer)) or _DECODER.decode(self._buffer)
        except ProtocolError:
            raise
        except Exception:  # noqa: BLE001 - as above
            return False
        documents.append(in_json_shape(document))
        self._buffer.clear()
        self._seen = 0
        self._tries = _TRIES
        self._walk = None
        return True


def _check_beginning(head: bytes) -> None:
    if head.startswith(_ERROR) or _ERROR.startswith(head) or _RESULTS.startswith(head):
        return
    if 0x90 <= head[0] <= 0x9F:
        raise ProtocolError(
            "this server's MessagePack is not that of InfluxDB 1.x (arrays without names, as InfluxDB 3 sends them); "
            "ask for JSON"
        )
    raise ProtocolError(f"the answer is not InfluxDB's MessagePack: {_excerpt(head)}")


_EXTENSION: Final = b"\xc7\x0c\x05"
_DECODER: Final[msgspec.msgpack.Decoder[Any]] = msgspec.msgpack.Decoder(ext_hook=extension)


def _decode(data: bytearray) -> Any:
    """Decode one complete message; text that is not UTF-8 gets replacement characters.

    msgspec rejects such text, with a class of exception that depends on its version. So any failure leads to the slow
    way, which fails for every other reason that the decoder has.
    """
    try:
        return _DECODER.decode(data)
    except ProtocolError:
        raise
    except RecursionError:
        raise ProtocolError(f"{TOO_DEEP}: {_excerpt(data)}") from None
    except Exception as error:
        try:
            return _value(data, 0)[0]
        except RecursionError:
            raise ProtocolError(f"{TOO_DEEP}: {_excerpt(data)}") from None
        except Exception:  # noqa: BLE001, S110 - the decoder's error says more
            pass
        raise ProtocolError(f"the answer is not InfluxDB's MessagePack ({error}): {_excerpt(data)}") from error


def _value(data: bytearray, at: int) -> tuple[Any, int]:
    """Decode the item at `at` of a complete message; the slow way, which takes text that is not UTF-8.

    Returns:
        The value, and where the next item begins.
    """
    first = data[at]
    if size := SIZES[first]:
        end, number = at + size, COUNT[first]
    else:
        end = at + 1 + WIDTH[first]
        number = int.from_bytes(data[at + 1 : end], "big")
    if 0xA0 <= first <= 0xBF:
        return data[at + 1 : end].decode("utf-8", "replace"), end
    if 0xD9 <= first <= 0xDB:
        return data[end : end + number].decode("utf-8", "replace"), end + number
    if 0x90 <= first <= 0x9F or 0xDC <= first <= 0xDD:
        return _values(data, end, number)
    if 0x80 <= first <= 0x8F or 0xDE <= first <= 0xDF:
        count = number if SIZES[first] else 2 * number
        flat, end = _values(data, end, count)
        return dict(zip(flat[::2], flat[1::2], strict=True)), end
    if not size:  # bytes, extensions: there is no text in them
        end += number + (0xC7 <= first <= 0xC9)
    return _DECODER.decode(data[at:end]), end


def _values(data: bytearray, at: int, count: int) -> tuple[list[Any], int]:
    values: list[Any] = []
    for _ in range(count):
        value, at = _value(data, at)
        values.append(value)
    return values, at


def _excerpt(data: bytes | bytearray) -> str:
    return repr(bytes(data[:200]))
