"""Selection of the decoder by media type."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from .._http.messages import CSV, JSON_LINES, MESSAGE_PACK, media_type
from .document import DocumentDecoder


def decoder_for(content_type: str | None, *, packed: bool = False, annotated: bool = False) -> DocumentDecoder | None:
    """Return a new decoder for a response, or None if its type is missing or not JSON, JSON Lines, MessagePack or CSV.

    Args:
        content_type: the `Content-Type` of the response; its parameters and letter case are ignored.
        packed: whether large numbers of rows may be decoded into columns, which is faster.
        annotated: whether CSV is annotated, as in responses to Flux; its media type is the same.
    """
    create = _find_decoder(media_type(content_type), annotated=annotated)
    return None if create is None else create(packed=packed)


@lru_cache(maxsize=16)  # an import statement takes longer than a small response
def _find_decoder(response_type: str, *, annotated: bool) -> Callable[..., DocumentDecoder] | None:
    """Return the class of decoders for a media type; it is imported at its first response."""
    if response_type in MESSAGE_PACK:
        from .msgpack import MessagePackDocuments  # noqa: PLC0415 - programs that only write import none of them

        return MessagePackDocuments
    if response_type == "application/json":
        from .json import JSONDocuments  # noqa: PLC0415 - see above

        return JSONDocuments
    if response_type in JSON_LINES:
        from .json_lines import JSONLinesDocuments  # noqa: PLC0415 - see above

        return JSONLinesDocuments
    if response_type in CSV and annotated:
        from .annotated_csv import AnnotatedCSVDocuments  # noqa: PLC0415 - see above

        return AnnotatedCSVDocuments
    if response_type in CSV:
        from .csv import CSVDocuments  # noqa: PLC0415 - see above

        return CSVDocuments
    return None
