"""Exceptions of h11, trio, ssl and the operating system, mapped to those of influx-proto."""

from __future__ import annotations

import ssl

import h11
import trio
from influx_proto.adapter import InfluxDBError, ProtocolError, Settings, Timeout, TransportError, proxy_rejected

from ._connect import ProxyClosedError, ProxyRejectedError
from ._connection import Connection

#: The exceptions that `map_exception` maps.
LIBRARY_ERRORS = (
    trio.TooSlowError, trio.BrokenResourceError, trio.ClosedResourceError, OSError, h11.ProtocolError,
    ProxyClosedError, ProxyRejectedError,
)  # fmt: skip


def map_exception(
    error: Exception, settings: Settings, timeout: Timeout, deadline: float, connection: Connection | None = None
) -> InfluxDBError:
    """Return the error for an exception of the libraries.

    Args:
        error: the exception.
        settings: the settings of the client.
        timeout: the timeout of the request.
        deadline: when the request had to be complete, on trio's clock.
        connection: the connection of the request; None while it is being opened.
    """
    address = settings.address
    is_late = isinstance(error, trio.TooSlowError) or (connection is not None and connection.is_expired)
    if is_late and trio.current_time() >= deadline:
        msg = f"the request to {address} did not complete within {timeout.total} s"
        return TransportError(msg, maybe_received=connection is not None)
    if connection is None:
        return _connect_error(error, address, timeout)
    return _exchange_error(error, address, timeout, connection)


def first_exception(group: BaseExceptionGroup) -> BaseException:
    """Return the first exception of a group, a cancellation last; callers of a client do not expect groups."""
    _, others = group.split(trio.Cancelled)
    error: BaseException = others or group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _connect_error(error: Exception, address: str, timeout: Timeout) -> InfluxDBError:
    cause = error.__cause__ or error
    if isinstance(error, ProxyRejectedError):
        return proxy_rejected(address, error.status, error.reason)
    if isinstance(error, trio.TooSlowError):
        msg = f"cannot connect to {address}: timed out after {timeout.connect} s"
    elif isinstance(cause, ssl.SSLError):
        msg = f"TLS handshake with {address} failed: {cause}"
    elif isinstance(cause, BaseExceptionGroup):  # one exception for each address
        msg = f"cannot connect to {address}: {'; '.join(map(str, cause.exceptions))}"
    else:
        msg = f"cannot connect to {address}: {cause}"
    return TransportError(msg, maybe_received=False)


def _reason(error: BaseException) -> str:
    """Return the text of the first exception in a chain of causes that has one; those of trio often have none."""
    cause: BaseException | None = error.__cause__ or error
    while cause is not None:
        if text := str(cause):
            return text
        cause = cause.__cause__
    return "the server closed it"


def _exchange_error(error: Exception, address: str, timeout: Timeout, connection: Connection) -> InfluxDBError:
    if connection.is_expired:
        return TransportError(f"{address} sent and accepted nothing for {timeout.idle} s")
    if not connection.received:
        reason = "the server closed it" if isinstance(error, h11.ProtocolError) else _reason(error)
        return TransportError(f"the connection to {address} broke: {reason}", was_idle=connection.was_used)
    if not isinstance(error, h11.ProtocolError):
        return TransportError(f"the connection to {address} broke: {_reason(error)}")
    if connection.has_head:
        return ProtocolError(f"the response from {address} is truncated or malformed: {error}", retryable=True)
    return ProtocolError(f"the response from {address} is not HTTP: {error}", retryable=connection.is_truncated)
