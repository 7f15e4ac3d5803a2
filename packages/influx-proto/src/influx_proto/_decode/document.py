"""Answers of /query as a sequence of documents, whatever format they come in."""

from __future__ import annotations

from typing import Any, Final, Protocol

__all__ = ["CSV", "MESSAGE_PACK", "DocumentDecoder", "can_be_packed", "decoder_for", "media_type"]

#: The media types of two of the forms that answers have; the third is JSON.
MESSAGE_PACK: Final = frozenset({"application/x-msgpack", "application/msgpack"})
CSV: Final = frozenset({"text/csv", "application/csv"})


def media_type(content_type: str | None) -> str:
    """Give the type that a `Content-Type` names, in lower case and without its parameters."""
    return (content_type or "").partition(";")[0].strip().lower()


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


def decoder_for(content_type: str | None, *, packed: bool = False) -> DocumentDecoder | None:
    """Make a decoder for an answer.

    Args:
        content_type: the answer's `Content-Type`; its parameters and letter case do not matter.
        packed: whether rows may be packed into columns, where there are many and it can be done fast.

    Returns:
        A fresh decoder, or None where the type is missing or none of JSON, MessagePack and CSV.
    """
    # Each decoder is imported when the first of its answers comes: who only writes needs none of them.
    kind = media_type(content_type)
    if kind in MESSAGE_PACK:
        from ._msgpack import MessagePackDocuments  # noqa: PLC0415 - see above

        return MessagePackDocuments(packed=packed)
    if kind == "application/json":
        from ._json import JSONDocuments  # noqa: PLC0415 - see above

        return JSONDocuments()
    if kind in CSV:
        from ._csv import CSVDocuments  # noqa: PLC0415 - see above

        return CSVDocuments()
    return None


def can_be_packed(content_type: str | None) -> bool:
    """Say whether the rows of such an answer are packed into columns where they may be: those of MessagePack."""
    return media_type(content_type) in MESSAGE_PACK
