"""Everything that aiohttp can raise, as one of our errors. Mapped here and nowhere else."""

from __future__ import annotations

import asyncio

import aiohttp
from influx_proto.adapter import InfluxDBError, ProtocolError, Settings, Timeout, TransportError

from ._tracking import RequestTracker


def is_library_error(error: BaseException) -> bool:
    """Return whether aiohttp or the system raised it; aiohttp's parser has exceptions without a documented name."""
    return isinstance(error, (TimeoutError, aiohttp.ClientError, OSError)) or _is_of_parser(error)


def _is_of_parser(error: BaseException) -> bool:
    is_of_aiohttp = isinstance(error, Exception) and type(error).__module__.partition(".")[0] == "aiohttp"
    return is_of_aiohttp and not isinstance(error, (aiohttp.ClientError, OSError))


def map_exception(
    error: Exception,
    settings: Settings,
    timeout: Timeout,
    timeout_scope: asyncio.Timeout | None,
    tracker: RequestTracker | None = None,
) -> InfluxDBError:
    """Say the library's exception as one of ours; `tracker` is that of a request which has no answer yet."""
    address = settings.address
    opening = _connect_error(error, address, timeout, tracker)
    if opening is not None:
        return TransportError(opening, maybe_received=False)
    if isinstance(error, aiohttp.SocketTimeoutError) or (timeout_scope is not None and timeout_scope.expired()):
        return TransportError(f"{address} was silent for {timeout.idle} s")
    if isinstance(error, TimeoutError):
        return TransportError(f"{address} did not finish within {timeout.total} s")
    if isinstance(error, aiohttp.ClientPayloadError):
        return ProtocolError(f"the answer of {address} is cut short or garbled: {_line(error)}", retryable=True)
    if isinstance(error, aiohttp.ClientResponseError) or _is_of_parser(error):
        return ProtocolError(f"what {address} answers is no HTTP: {_line(error)}")
    return TransportError(
        f"{address} broke the connection: {_line(error)}", was_idle=tracker is not None and tracker.was_idle
    )


def _connect_error(error: Exception, address: str, timeout: Timeout, tracker: RequestTracker | None) -> str | None:
    """Say what failed before there was a connection; None if there was one."""
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return f"cannot connect to {address}: no answer within {timeout.connect} s"
    if isinstance(error, aiohttp.ClientSSLError):
        return f"cannot talk TLS with {address}: {_line(error.__cause__ or error.__context__ or error)}"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"cannot connect to {address}: {error.os_error}"
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f"cannot connect to {address}: it answers HTTP {error.status} {error.message}"
    if tracker is None or not tracker.is_being_opened:
        return None
    if isinstance(error, TimeoutError):
        return f"{address} did not finish within {timeout.total} s"
    return f"cannot connect to {address}: {_line(error)}"  # by a proxy, in the end


def _line(error: BaseException) -> str:
    if isinstance(error, aiohttp.ServerDisconnectedError) and not isinstance(error.message, str):
        return "the head of its answer is cut short"  # of which it has all that came, which may be megabytes
    return " ".join(str(error).split()) or repr(error)
