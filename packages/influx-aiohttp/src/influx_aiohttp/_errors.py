"""Everything that aiohttp can raise, as one of our errors. Mapped here and nowhere else."""

from __future__ import annotations

import asyncio

import aiohttp
from influx_proto.adapter import InfluxDBError, ProtocolError, Settings, Timeout, TransportError

from ._way import Way


def is_library_error(error: BaseException) -> bool:
    """Return whether aiohttp or the system raised it; aiohttp's parser has exceptions without a documented name."""
    return isinstance(error, (TimeoutError, aiohttp.ClientError, OSError)) or _is_of_parser(error)


def _is_of_parser(error: BaseException) -> bool:
    is_of_aiohttp = isinstance(error, Exception) and type(error).__module__.partition(".")[0] == "aiohttp"
    return is_of_aiohttp and not isinstance(error, (aiohttp.ClientError, OSError))


def translated(
    error: Exception, settings: Settings, timeout: Timeout, patience: asyncio.Timeout | None, way: Way | None = None
) -> InfluxDBError:
    """Say the library's exception as one of ours; `way` is that of a request which has no answer yet."""
    where = settings.where
    opening = _opening(error, where, timeout, way)
    if opening is not None:
        return TransportError(opening, maybe_received=False)
    if isinstance(error, aiohttp.SocketTimeoutError) or (patience is not None and patience.expired()):
        return TransportError(f"{where} was silent for {timeout.idle} s")
    if isinstance(error, TimeoutError):
        return TransportError(f"{where} did not finish within {timeout.total} s")
    if isinstance(error, aiohttp.ClientPayloadError):
        return ProtocolError(f"the answer of {where} is cut short or garbled: {_line(error)}", retryable=True)
    if isinstance(error, aiohttp.ClientResponseError) or _is_of_parser(error):
        return ProtocolError(f"what {where} answers is no HTTP: {_line(error)}")
    return TransportError(f"{where} broke the connection: {_line(error)}", was_idle=way is not None and way.was_idle)


def _opening(error: Exception, where: str, timeout: Timeout, way: Way | None) -> str | None:
    """Say what failed before there was a connection; None if there was one."""
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return f"cannot connect to {where}: no answer within {timeout.connect} s"
    if isinstance(error, aiohttp.ClientSSLError):
        return f"cannot talk TLS with {where}: {_line(error.__cause__ or error.__context__ or error)}"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"cannot connect to {where}: {error.os_error}"
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f"cannot connect to {where}: it answers HTTP {error.status} {error.message}"
    if way is None or not way.is_being_opened:
        return None
    if isinstance(error, TimeoutError):
        return f"{where} did not finish within {timeout.total} s"
    return f"cannot connect to {where}: {_line(error)}"  # by a proxy, in the end


def _line(error: BaseException) -> str:
    if isinstance(error, aiohttp.ServerDisconnectedError) and not isinstance(error.message, str):
        return "the head of its answer is cut short"  # of which it has all that came, which may be megabytes
    return " ".join(str(error).split()) or repr(error)
