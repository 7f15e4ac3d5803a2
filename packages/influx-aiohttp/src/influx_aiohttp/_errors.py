"""Everything that aiohttp can raise, as one of our errors. Mapped here and nowhere else."""

from __future__ import annotations

from typing import Any

import aiohttp
from aiohttp.http import HttpProcessingError
from influx_proto.adapter import InfluxDBError, ProtocolError, Settings, Timeout, TransportError

#: What is translated.
FOREIGN = (TimeoutError, aiohttp.ClientError, HttpProcessingError, OSError)


class Way:
    """What is known of the connection that a request goes over; nothing, with a session of the caller's."""

    is_being_opened = False
    was_used = False
    #: Whether the server stopped to take the body in.
    is_stuck = False


def tracing() -> aiohttp.TraceConfig:
    """Have a session note what becomes of a request's connection in the `Way` that the request has with it."""

    async def opening(_session: aiohttp.ClientSession, trace: Any, _params: object) -> None:
        trace.trace_request_ctx.is_being_opened = True
        trace.trace_request_ctx.was_used = False

    async def opened(_session: aiohttp.ClientSession, trace: Any, _params: object) -> None:
        trace.trace_request_ctx.is_being_opened = False

    async def reused(_session: aiohttp.ClientSession, trace: Any, _params: object) -> None:
        trace.trace_request_ctx.was_used = True

    config = aiohttp.TraceConfig()
    config.on_connection_create_start.append(opening)
    config.on_connection_create_end.append(opened)
    config.on_connection_reuseconn.append(reused)
    return config


def translated(error: Exception, settings: Settings, timeout: Timeout, way: Way | None = None) -> InfluxDBError:
    """Say the library's exception as one of ours."""
    where = settings.where
    way = way or Way()
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        msg = f"cannot connect to {where}: no answer within {timeout.connect} s"
        return TransportError(msg, maybe_received=False)
    if isinstance(error, aiohttp.ClientSSLError):
        cause = error.__cause__ or error.__context__ or error
        return TransportError(f"cannot talk TLS with {where}: {_line(cause)}", maybe_received=False)
    if isinstance(error, aiohttp.ClientConnectorError):
        return TransportError(f"cannot connect to {where}: {error.os_error}", maybe_received=False)
    if isinstance(error, aiohttp.ClientHttpProxyError):
        msg = f"cannot connect to {where}: it answers HTTP {error.status} {error.message}"
        return TransportError(msg, maybe_received=False)
    if way.is_being_opened:  # by a proxy, in the end
        return TransportError(f"cannot connect to {where}: {_line(error)}", maybe_received=False)
    if isinstance(error, aiohttp.SocketTimeoutError) or way.is_stuck:
        return TransportError(f"{where} was silent for {timeout.idle} s")
    if isinstance(error, TimeoutError):
        return TransportError(f"{where} did not finish within {timeout.total} s")
    if isinstance(error, aiohttp.ClientPayloadError):
        return ProtocolError(f"the answer of {where} is cut short or garbled: {_line(error)}", retryable=True)
    if isinstance(error, (aiohttp.ClientResponseError, HttpProcessingError)):
        return ProtocolError(f"what {where} answers is no HTTP: {_line(error)}")
    return TransportError(f"{where} broke the connection: {_line(error)}", was_idle=way.was_used)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or repr(error)
