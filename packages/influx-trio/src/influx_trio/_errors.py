"""Everything that h11, trio, ssl and the system can raise, as one of our errors. Mapped here and nowhere else."""

from __future__ import annotations

import ssl

import h11
import trio
from influx_proto.adapter import InfluxDBError, ProtocolError, Settings, Timeout, TransportError

from ._connect import RefusedByProxyError
from ._connection import Connection

#: What is translated.
FOREIGN = (
    trio.TooSlowError, trio.BrokenResourceError, trio.ClosedResourceError, OSError, h11.ProtocolError,
    RefusedByProxyError,
)  # fmt: skip


def translated(
    error: Exception, settings: Settings, timeout: Timeout, deadline: float, connection: Connection | None = None
) -> InfluxDBError:
    """Say what failed on a connection, or without one while it was being opened, as one of our errors."""
    where = settings.where
    is_late = isinstance(error, trio.TooSlowError) or (connection is not None and connection.is_expired)
    if is_late and trio.current_time() >= deadline:
        msg = f"{where} did not finish within {timeout.total} s"
        return TransportError(msg, maybe_received=connection is not None)
    if connection is None:
        return _opening(error, where, timeout)
    return _exchanging(error, where, timeout, connection)


def _opening(error: Exception, where: str, timeout: Timeout) -> InfluxDBError:
    cause = error.__cause__ or error
    if isinstance(error, trio.TooSlowError):
        msg = f"cannot connect to {where}: no answer within {timeout.connect} s"
    elif isinstance(cause, ssl.SSLError):
        msg = f"cannot talk TLS with {where}: {cause}"
    elif isinstance(cause, BaseExceptionGroup):  # one for each address
        msg = f"cannot connect to {where}: {'; '.join(map(str, cause.exceptions))}"
    else:
        msg = f"cannot connect to {where}: {cause}"
    return TransportError(msg, maybe_received=False)


def _exchanging(error: Exception, where: str, timeout: Timeout, connection: Connection) -> InfluxDBError:
    if connection.is_expired:
        return TransportError(f"{where} was silent for {timeout.idle} s")
    if not connection.received:
        cause = "it closed the connection" if isinstance(error, h11.ProtocolError) else error.__cause__ or error
        return TransportError(f"no answer from {where}: {cause}", was_idle=connection.was_used)
    if not isinstance(error, h11.ProtocolError):
        return TransportError(f"{where} broke the connection: {error.__cause__ or error}")
    if connection.has_head:
        return ProtocolError(f"the answer of {where} is cut short or garbled: {error}", retryable=True)
    return ProtocolError(f"what {where} answers is no HTTP: {error}", retryable=connection.is_cut)
