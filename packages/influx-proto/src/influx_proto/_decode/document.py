"""Base class of the push decoders, which split responses of /query into documents."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from .._errors import ProtocolError
from .._repr import short_repr

T = TypeVar("T")

#: Reason why a document cannot be decoded if it exceeds the interpreter's recursion limit.
TOO_DEEP: Final = "the response nests arrays or maps too deeply; InfluxDB nests 7 levels"

#: Maximum number of rows in a document of a format without chunks; InfluxDB's default chunk size.
MAX_ROWS: Final = 10_000


class DocumentDecoder:
    """A push decoder: accepts bytes in chunks of any size, returns complete documents structured like InfluxDB's JSON.

    A document is one `{"results": [...]}` or `{"error": ...}` mapping; a chunked response is a sequence of them. The
    decoder returns other mappings in an error response (`{"code": ..., "message": ...}`) unchanged. It does not check
    whether all documents of a response were received; the caller sees that from their `partial` flags.
    """

    def __init__(self) -> None:
        self._buffer: bytearray = bytearray()  # begins with the first incomplete document
        self._documents: list[dict[str, Any]] = []  # complete, not returned yet
        self._is_empty = True  # whether no document was returned so far
        self._error: ProtocolError | None = None

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """Decode the next bytes of the response and return the documents that are now known to be complete.

        Raises:
            ProtocolError: the response is not in this format. If documents precede the error, they are returned first,
                and the next call raises.
        """
        if self._error is not None:
            raise self._error
        self._buffer += data
        try:
            self._decode_complete()
        except ProtocolError as error:
            self._error = error
            if not self._documents:
                raise
        self._is_empty = self._is_empty and not self._documents
        return self._pop_documents()

    def close(self) -> list[dict[str, Any]]:
        """Return the documents that are known to be complete only at the end of the response.

        Raises:
            ProtocolError: the response is truncated, or not in this format.
        """
        if self._error is not None:
            raise self._error
        self._finish()
        return self._pop_documents()

    def _pop_documents(self) -> list[dict[str, Any]]:
        documents, self._documents = self._documents, []  # not kept in memory until the next call
        return documents

    @abstractmethod
    def _decode_complete(self) -> None:
        """Move the complete documents from the buffer to `_documents`."""

    @abstractmethod
    def _finish(self) -> None:
        """Append the documents that the rest of the buffer contains to `_documents`."""


def excerpt(data: bytes | bytearray, size: int = 200) -> str:
    """Return the beginning of an invalid response in a text format, for an error message."""
    return repr(data[:size].decode("utf-8", "replace"))


def decode_text(decode: Callable[[str], T], data: bytes | bytearray, format_name: str, size: int = 200) -> T:
    """Decode data with bytes that are not UTF-8, or raise the error for malformed data.

    Args:
        decode: decodes the data as a str, in which these bytes are replacement characters.
        data: the data.
        format_name: the name of the format.
        size: the number of bytes that an error message quotes.

    Raises:
        ProtocolError: the data is malformed.
    """
    try:
        return decode(data.decode("utf-8", "replace"))
    except RecursionError:
        raise ProtocolError(f"{TOO_DEEP}: {excerpt(data, size)}") from None
    except Exception as error:
        raise ProtocolError(f"the response is not {format_name} ({error}): {excerpt(data, size)}") from error


def series_document(
    result: Mapping[str, Any],
    series: Mapping[str, Any],
    rows: Sequence[Any],
    *,
    is_partial: bool,
    is_result_partial: bool,
) -> dict[str, Any]:
    """Return a document with rows of one series.

    Args:
        result: the keys of the result before its series.
        series: the keys of the series before its values.
        rows: the rows.
        is_partial: whether the series continues in the next document.
        is_result_partial: whether the result does.
    """
    values = {"values": rows} if rows else {}
    mark, result_mark = ({"partial": True} if is_set else {} for is_set in (is_partial, is_result_partial))
    return {"results": [{**result, "series": [{**series, **values, **mark}], **result_mark}]}


def normalize_document(document: Any) -> dict[str, Any]:
    """Return a decoded document, changed in place to the structure that all formats share.

    Empty `series` and `values` are omitted, as InfluxDB omits them in JSON but not in MessagePack. A response without
    statements, which is `{}` in JSON, gets an empty `results`.

    Raises:
        ProtocolError: the document is not a mapping, or its results are not lists of mappings.
    """
    try:
        if not document:
            document["results"] = []
        for result in document.get("results", ()):
            if not result.get("series", True):
                del result["series"]
            for series in result.get("series", ()):
                if not series.get("values", True):
                    del series["values"]
    except (AttributeError, TypeError):
        raise ProtocolError(f"the response is not structured like InfluxDB's: {short_repr(document)}") from None
    return document  # type: ignore[no-any-return]  # it has the methods of a dict, see above
