"""Answers of /query as a sequence of documents, whatever format they come in."""

from __future__ import annotations

from typing import Any, Protocol

from .._errors import ProtocolError


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
        raise ProtocolError(f"not the shape of an InfluxDB answer: {str(document)[:200]}") from None
    return document  # type: ignore[no-any-return]  # it behaved like one above
