"""Push decoder for MessagePack responses.

A chunked response is a sequence of maps without separators, and the decoder in C accepts exactly one whole message. So
the push decoder *guesses* the end of a document by searching for the bytes that every document begins with, and
*verifies* the guess by decoding the bytes before it: since MessagePack encodes lengths, bytes that decode as exactly
one message are that message. If a guess is wrong (the same bytes are inside a string), `ItemWalker` finds the end of
that document. It walks over the items without guessing, can pause and resume at any byte, and reads each item once.

The last document of a statement is known to be complete when the next one begins or the response ends. The other
documents end in a `partial` mark. They are decoded as soon as a chunk of the response ends with it, before the next
chunk arrives.

Timestamps in a response to a query without `epoch` are converted to the strings that JSON has for them.
"""

from __future__ import annotations

import re
from contextlib import suppress
from itertools import pairwise
from typing import Any, Final

import msgspec

from .._errors import ProtocolError
from .._gc_pause import gc_paused
from .._http.formats import UnsupportedMessagePack
from .document import TOO_DEEP, DocumentDecoder, normalize_document
from .msgpack_format import COUNT, SIZES, WIDTH, ItemWalker, decode_extension

#: First bytes of a document: a map with one key.
_RESULTS: Final = b"\x81\xa7results"
_ERROR: Final = b"\x81\xa5error"
_BEGINNING: Final = re.compile(re.escape(_RESULTS))
#: Last bytes of a document that another of the same statement follows: the result's `"partial": true`.
_CONTINUED: Final = b"\xa7partial\xc3"
#: Attempts to decode at a `partial` mark: the series has the same mark as the result, and precedes it.
_MAX_ATTEMPTS: Final = 2

#: Minimum number of bytes to decode documents together; with fewer bytes the gain is negligible.
_MIN_SIZE: Final = 8192


class MessagePackDocuments(DocumentDecoder):
    """A push decoder for MessagePack responses, chunked or not.

    Integers, floats and timestamps are exact. Bytes that are not UTF-8 are decoded as replacement characters.

    Args:
        packed: whether large numbers of rows, of one or more series that arrive together, may be decoded as
            `PackedRows`; requires numpy and pandas.
    """

    def __init__(self, *, packed: bool = False) -> None:
        super().__init__()
        self._packed = packed
        self._searched = 0  # end of the part searched for the beginning of the next document
        self._attempts = _MAX_ATTEMPTS
        self._walker: ItemWalker | None = None  # over the items of the first document, after a wrong guess

    def _finish(self) -> None:
        while self._buffer and not self._try_whole_buffer():
            count = len(self._documents)
            self._walker = self._walker or ItemWalker()
            self._decode_complete()
            if len(self._documents) == count:
                msg = f"the response is truncated inside a MessagePack document: {_excerpt(self._buffer)}"
                raise ProtocolError(msg, retryable=True)
        if self._is_empty and not self._documents:
            raise ProtocolError("the response is empty; its Content-Type announces MessagePack", retryable=True)

    def _decode_complete(self) -> None:
        buffer = self._buffer
        begin = 0
        ends = self._guess_ends()
        decoded = self._decode_together(ends)
        try:
            if decoded and len(decoded) == len(ends) and buffer.startswith(_RESULTS):
                self._documents.extend(map(normalize_document, map(decoded.__getitem__, ends)))
                begin = self._searched = ends[-1]
                self._attempts = _MAX_ATTEMPTS
            while begin < len(buffer):
                _check_beginning(bytes(buffer[begin : begin + len(_RESULTS)]))
                if self._walker is None:
                    end = buffer.find(_RESULTS, max(self._searched, begin + 1))
                    if end < 0:
                        break
                    try:
                        document = decoded.pop(end, None) or _DECODER.decode(buffer[begin:end])
                    except ProtocolError:
                        raise
                    except Exception:  # noqa: BLE001 - the class of the decoder's error depends on its version
                        self._walker = ItemWalker(begin)
                        decoded.clear()
                        continue
                else:
                    if not self._walker.advance(buffer):
                        return
                    end = self._walker.at
                    document = _decode(buffer[begin:end])
                    self._walker = None
                self._documents.append(normalize_document(document))
                begin = self._searched = end
                self._attempts = _MAX_ATTEMPTS
        finally:
            del buffer[:begin]
            if self._walker is not None:
                self._walker.at -= begin
            self._searched = max(len(buffer) - len(_RESULTS) + 1, 0)
        if self._attempts and buffer.endswith(_CONTINUED):
            self._attempts -= 1
            self._try_whole_buffer()

    def _guess_ends(self) -> list[int]:
        """Return where documents begin after the first, unless a guess about that one was wrong."""
        if self._walker is not None:
            return []
        return [match.start() for match in _BEGINNING.finditer(self._buffer, max(self._searched, 1))]

    def _decode_together(self, ends: list[int]) -> dict[int, Any]:
        """Decode consecutive documents together, if the buffer is large enough.

        Args:
            ends: the guessed ends of the documents; the first document begins with the buffer.

        Returns:
            The documents that could be decoded, by their ends.
        """
        if not ends or ends[-1] < _MIN_SIZE:
            return {}
        data = bytes(self._buffer[: ends[-1]])
        decoded = {}
        if self._packed:
            from .msgpack_columns import decode_packed  # noqa: PLC0415 - imports numpy and pandas, only if requested

            decoded = decode_packed(data, ends)
        if not decoded and _EXTENSION not in data:  # the hook for extensions is Python code
            parts = [data[begin:end] for begin, end in pairwise([0, *ends])]
            with suppress(Exception):  # raised again by the invalid document, after the documents before it
                documents = gc_paused(list, map(_DECODER.decode, parts))
                decoded = dict(zip(ends, documents, strict=True))
        return decoded

    def _try_whole_buffer(self) -> bool:
        """Decode the buffer as one document; return False if it is not exactly one."""
        end = len(self._buffer)
        try:
            document = self._decode_together([end]).get(end) or _DECODER.decode(self._buffer)
        except ProtocolError:
            raise
        except Exception:  # noqa: BLE001 - as above
            return False
        self._documents.append(normalize_document(document))
        self._buffer.clear()
        self._searched = 0
        self._attempts = _MAX_ATTEMPTS
        self._walker = None
        return True


def _check_beginning(head: bytes) -> None:
    if head.startswith(_ERROR) or _ERROR.startswith(head) or _RESULTS.startswith(head):
        return
    if 0x90 <= head[0] <= 0x9F or 0xDC <= head[0] <= 0xDD:
        raise UnsupportedMessagePack(
            "this server's MessagePack differs from that of InfluxDB 1.x (arrays without names, as InfluxDB 3 sends); "
            "request JSON (format='json')"
        )
    raise ProtocolError(f"the response is not InfluxDB's MessagePack: {_excerpt(head)}")


_EXTENSION: Final = b"\xc7\x0c\x05"
_DECODER: Final[msgspec.msgpack.Decoder[Any]] = msgspec.msgpack.Decoder(ext_hook=decode_extension)


def _decode(data: bytearray) -> Any:
    """Decode a complete message; bytes that are not UTF-8 become replacement characters.

    msgspec rejects such bytes, with an exception whose class depends on its version. So any exception leads to the slow
    path, which fails if the message is invalid for another reason.
    """
    try:
        return _DECODER.decode(data)
    except ProtocolError:
        raise
    except Exception as error:
        try:
            return _decode_item(data, 0)[0]
        except RecursionError:
            raise ProtocolError(f"{TOO_DEEP}: {_excerpt(data)}") from None
        except Exception:  # noqa: BLE001, S110 - the decoder's error is more specific
            pass
        raise ProtocolError(f"the response is not InfluxDB's MessagePack ({error}): {_excerpt(data)}") from error


def _decode_item(data: bytearray, at: int) -> tuple[Any, int]:
    """Decode the item at `at` of a complete message: the slow path, which accepts bytes that are not UTF-8.

    Returns:
        The value, and the index of the next item.
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
        return _decode_items(data, end, number)
    if 0x80 <= first <= 0x8F or 0xDE <= first <= 0xDF:
        count = number if SIZES[first] else 2 * number
        flat, end = _decode_items(data, end, count)
        return dict(zip(flat[::2], flat[1::2], strict=True)), end
    if not size:  # bytes and extensions, which contain no strings
        end += number + (0xC7 <= first <= 0xC9)
    return _DECODER.decode(data[at:end]), end


def _decode_items(data: bytearray, at: int, count: int) -> tuple[list[Any], int]:
    values: list[Any] = []
    for _ in range(count):
        value, at = _decode_item(data, at)
        values.append(value)
    return values, at


def _excerpt(data: bytes | bytearray) -> str:
    return repr(bytes(data[:200]))
