"""The decoder of each media type."""

from __future__ import annotations

from .._http.messages import CSV, MESSAGE_PACK, media_type
from .document import DocumentDecoder


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
        from .msgpack import MessagePackDocuments  # noqa: PLC0415 - see above

        return MessagePackDocuments(packed=packed)
    if kind == "application/json":
        from .json import JSONDocuments  # noqa: PLC0415 - see above

        return JSONDocuments()
    if kind in CSV:
        from .csv import CSVDocuments  # noqa: PLC0415 - see above

        return CSVDocuments()
    return None


def can_be_packed(content_type: str | None) -> bool:
    """Say whether the rows of such an answer are packed into columns where they may be: those of MessagePack."""
    return media_type(content_type) in MESSAGE_PACK
