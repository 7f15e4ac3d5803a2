"""Everything that h11, trio, ssl and the system can raise, as one of our errors. Mapped here and nowhere else."""

from __future__ import annotations

import ssl

import h11
import trio
from influx_proto.adapter import InfluxDBError, ProtocolError, Settings, Timeout, TransportError

from ._connect import ProxyRejectedError
from ._connection import Connection

#: The exceptions that `map_exception` maps.
LIBRARY_ERRORS = (
    trio.TooSlowError, trio.BrokenResourceError, trio.ClosedResourceError, OSError, h11.ProtocolError,
    ProxyRejectedError,
)  # fmt: skip


def map_exception(
    error: Exception, settings: Settings, timeout: Timeout, deadline: float, connection: Connection | None = None
) -> InfluxDBError:
    """Say what failed on a connection, or without one while it was being opened, as one of our errors."""
    address = settings.address
    is_late = isinstance(error, trio.TooSlowError) or (connection is not None and connection.is_expired)
    if is_late and trio.current_time() >= deadline:
        msg = f"{address} did not finish within {timeout.total} s"
        return TransportError(msg, maybe_received=connection is not None)
    if connection is None:
        return _connect_error(error, address, timeout)
    return _exchange_error(error, address, timeout, connection)


def _connect_error(error: Exception, address: str, timeout: Timeout) -> InfluxDBError:
    cause = error.__cause__ or error
    if isinstance(error, trio.TooSlowError):
        msg = f"cannot connect to {address}: no answer within {timeout.connect} s"
    elif isinstance(cause, ssl.SSLError):
        msg = f"cannot talk TLS with {address}: {cause}"
    elif isinstance(cause, BaseExceptionGroup):  # one for each address
        msg = f"cannot connect to {address}: {'; '.join(map(str, cause.exceptions))}"
    else:
        msg = f"cannot connect to {address}: {cause}"
    return TransportError(msg, maybe_received=False)


def _exchange_error(error: Exception, address: str, timeout: Timeout, connection: Connection) -> InfluxDBError:
    if connection.is_expired:
        return TransportError(f"{address} was silent for {timeout.idle} s")
    if not connection.received:
        cause = "it closed the connection" if isinstance(error, h11.ProtocolError) else error.__cause__ or error
        return TransportError(f"no answer from {address}: {cause}", was_idle=connection.was_used)
    if not isinstance(error, h11.ProtocolError):
        return TransportError(f"{address} broke the connection: {error.__cause__ or error}")
    if connection.has_head:
        return ProtocolError(f"the answer of {address} is cut short or garbled: {error}", retryable=True)
    return ProtocolError(f"what {address} answers is no HTTP: {error}", retryable=connection.is_cut)
