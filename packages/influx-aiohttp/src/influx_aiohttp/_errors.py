"""Exceptions of aiohttp and the operating system, mapped to those of influx-proto."""

from __future__ import annotations

import asyncio

import aiohttp
from influx_proto.adapter import InfluxDBError, ProtocolError, Settings, Timeout, TransportError, proxy_rejected
from multidict import CIMultiDict, CIMultiDictProxy

from ._tracking import RequestTracker

_NO_HEADERS: CIMultiDictProxy[str] = CIMultiDictProxy(CIMultiDict())

#: The exceptions that `map_exception` maps; see also `is_parser_error`.
LIBRARY_ERRORS = (TimeoutError, aiohttp.ClientError, OSError)


def is_parser_error(error: BaseException) -> bool:
    """Return whether aiohttp's parser raised the exception; those classes have no documented name."""
    is_of_aiohttp = isinstance(error, Exception) and type(error).__module__.partition(".")[0] == "aiohttp"
    return is_of_aiohttp and not isinstance(error, LIBRARY_ERRORS)


def map_exception(
    error: Exception,
    settings: Settings,
    timeout: Timeout,
    timeout_scope: asyncio.Timeout | None,
    tracker: RequestTracker | None = None,
) -> InfluxDBError:
    """Return the error for an exception of the library.

    Args:
        error: the exception.
        settings: the settings of the client.
        timeout: the timeout of the request.
        timeout_scope: the scope that limited the wait for the server.
        tracker: the tracker of a request that has no response yet.
    """
    if isinstance(error, aiohttp.ClientResponseError):
        _remove_headers(error)
    address = settings.address
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return proxy_rejected(address, error.status, error.message)
    reason = _connect_error(error, address, timeout, tracker)
    if reason is not None:
        return TransportError(reason, maybe_received=False)
    if isinstance(error, aiohttp.SocketTimeoutError) or (timeout_scope is not None and timeout_scope.expired()):
        return TransportError(f"{address} sent and accepted nothing for {timeout.idle} s")
    if isinstance(error, TimeoutError):
        return TransportError(f"the request to {address} did not complete within {timeout.total} s")
    if isinstance(error, aiohttp.ClientPayloadError):
        msg = f"the response from {address} is truncated or malformed: {_one_line(error)}"
        return ProtocolError(msg, retryable=True)
    if isinstance(error, aiohttp.ClientResponseError) or is_parser_error(error):
        return ProtocolError(f"the response from {address} is not HTTP: {_one_line(error)}")
    was_idle = tracker is not None and tracker.was_idle
    return TransportError(f"the connection to {address} broke: {_one_line(error)}", was_idle=was_idle)


def _remove_headers(error: aiohttp.ClientResponseError) -> None:
    """Remove the headers of the request, which have credentials, from an exception: its repr would show them."""
    info = error.request_info
    error.request_info = aiohttp.RequestInfo(info.url, info.method, _NO_HEADERS, info.real_url)
    error.args = (error.request_info, error.history)


def _connect_error(error: Exception, address: str, timeout: Timeout, tracker: RequestTracker | None) -> str | None:
    """Return why no connection could be opened; None if there was a connection."""
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return f"cannot connect to {address}: timed out after {timeout.connect} s"
    if isinstance(error, aiohttp.ClientSSLError):
        return f"TLS handshake with {address} failed: {_one_line(error.__cause__ or error.__context__ or error)}"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"cannot connect to {address}: {_one_line(error.os_error)}"
    if tracker is None or not tracker.is_connecting:
        return None
    if isinstance(error, TimeoutError):
        return f"the request to {address} did not complete within {timeout.total} s"
    return f"cannot connect to {address}: {_one_line(error)}"  # the proxy closed the connection


def _one_line(error: BaseException) -> str:
    if isinstance(error, aiohttp.ServerDisconnectedError) and not isinstance(error.message, str):
        return "the head of the response is truncated"  # the exception quotes all that came, which may be megabytes
    if isinstance(error, ConnectionError) and not str(error):
        return "the server closed it"
    # The text of a response error adds the URL, and a status that the server did not send.
    text = error.message if isinstance(error, aiohttp.ClientResponseError) else str(error)
    return " ".join(text.split()) or repr(error)
