"""Answers of /query as a sequence of documents, whatever format they come in."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Final, Protocol

from .._errors import ProtocolError
from .._repr import short_repr

#: Why a document cannot be decoded: it exceeds the interpreter's recursion limit.
TOO_DEEP: Final = "the response nests arrays or maps too deeply; InfluxDB nests 7 levels"


class DocumentDecoder(Protocol):
    """A push decoder: bytes in any fragmentation go in, whole documents in the shape of InfluxDB's JSON come out.

    A document is one `{"results": [...]}` or `{"error": ...}` mapping; a chunked answer is a sequence of them. Other
    mappings that a server may answer a failed request with (`{"code": ..., "message": ...}`) are passed on as they are.
    Whether all documents of an answer have come is told by their `partial` flags, and not judged here.
    """

    def feed(self, data: bytes, /) -> list[dict[str, Any]]:
        """Take the next bytes of the answer.

        Returns:
            The documents that are now known to be complete.

        Raises:
            ProtocolError: the answer is not in this format. Documents before the fault are returned first; the error
                then comes with the next call.
        """
        ...

    def close(self) -> list[dict[str, Any]]:
        """Take the end of the answer; the decoder is of no use afterwards.

        Returns:
            The documents that only the end could show to be complete.

        Raises:
            ProtocolError: the answer stops inside a document, or is not in this format.
        """
        ...


class PushDecoder:
    """Base of the push decoders: a buffer, and an error that waits until the documents before it were returned."""

    def __init__(self) -> None:
        self._buffer: bytearray = bytearray()  # begins with a document that is not complete yet
        self._empty = True  # whether no document was returned so far
        self._failure: ProtocolError | None = None

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """Take the next bytes of the response.

        Returns:
            The documents that are now known to be complete.

        Raises:
            ProtocolError: the response is not in this format. Documents before the error are returned first.
        """
        if self._failure is not None:
            raise self._failure
        self._buffer += data
        documents: list[dict[str, Any]] = []
        try:
            self._take(documents)
        except ProtocolError as error:
            self._failure = error
            if not documents:
                raise
        self._empty = self._empty and not documents
        return documents

    def close(self) -> list[dict[str, Any]]:
        """Take the end of the response.

        Returns:
            The documents that only the end could show to be complete.

        Raises:
            ProtocolError: the response is truncated, or not in this format.
        """
        if self._failure is not None:
            raise self._failure
        documents: list[dict[str, Any]] = []
        self._finish(documents)
        return documents

    @abstractmethod
    def _take(self, documents: list[dict[str, Any]]) -> None:
        """Move the complete documents from the buffer to the list."""

    @abstractmethod
    def _finish(self, documents: list[dict[str, Any]]) -> None:
        """Move what is left in the buffer to the list."""


def in_json_shape(document: Any) -> dict[str, Any]:
    """Bring a decoded document to the one shape that all formats share, in place.

    Empty `series` and `values` are left out, as InfluxDB does in JSON and not in MessagePack. An answer without any
    statement, `{}` in JSON, gets its empty `results`.

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
        raise ProtocolError(f"not the shape of an InfluxDB answer: {short_repr(document)}") from None
    return document  # type: ignore[no-any-return]  # it behaved like one above
