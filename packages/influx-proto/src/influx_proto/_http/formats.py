"""Choice between MessagePack and JSON, by what the server has responded so far."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from .._errors import ProtocolError
from .messages import Request

_MESSAGE_PACK: Final = ("Accept", "application/x-msgpack")
_JSON: Final = ("Accept", "application/json")


class UnsupportedMessagePack(ProtocolError):
    """The server has no MessagePack, or its MessagePack differs from that of InfluxDB 1.x and 2.x.

    A client requests JSON instead. Only programs with their own HTTP library see this error.
    """


class Formats:
    """Whether the server sends the MessagePack of InfluxDB 1.x, shared by all requests of a client.

    InfluxDB 1.x and 2.x do. InfluxDB 3 up to 3.6 rejects the request; later versions send arrays without names.
    """

    __slots__ = ("has_messagepack",)

    def __init__(self) -> None:
        #: None until the first response.
        self.has_messagepack: bool | None = None


def requests_messagepack(request: Request) -> bool:
    """Return whether a request asks for a response in MessagePack."""
    return _MESSAGE_PACK in request.headers


def as_json(request: Request) -> Request:
    """Return a request for MessagePack as a request for JSON."""
    headers = tuple(_JSON if header == _MESSAGE_PACK else header for header in request.headers)
    return replace(request, headers=headers)
