"""Everything that h11, trio, ssl and the system can raise, as one of our errors. Mapped here and nowhere else."""

from __future__ import annotations

import ssl
from collections.abc import Generator
from contextlib import contextmanager

import h11
import trio
from influx_proto.adapter import InfluxDBError, ProtocolError, Settings, Timeout, TransportError

from ._connect import RefusedByProxyError
from ._connection import Connection


@contextmanager
def translated(
    settings: Settings, timeout: Timeout, deadline: float, connection: Connection | None = None
) -> Generator[None]:
    """Translate what fails in this block: on a connection, or without one while it is being opened."""
    try:
        yield
    except (
        trio.TooSlowError, trio.BrokenResourceError, trio.ClosedResourceError, OSError, h11.ProtocolError,
        RefusedByProxyError,
    ) as error:  # fmt: skip
        where = settings.where
        if isinstance(error, trio.TooSlowError) and trio.current_time() >= deadline:
            msg = f"{where} did not finish within {timeout.total} s"
            raise TransportError(msg, maybe_received=connection is not None) from error
        if connection is None:
            raise _opening(error, where, timeout) from error
        raise _exchanging(error, where, timeout, connection) from error


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
    if isinstance(error, trio.TooSlowError):
        return TransportError(f"{where} was silent for {timeout.idle} s")
    if not connection.received:
        cause = "it closed the connection" if isinstance(error, h11.ProtocolError) else error.__cause__ or error
        return TransportError(f"no answer from {where}: {cause}", was_idle=connection.was_used)
    if not isinstance(error, h11.ProtocolError):
        return TransportError(f"{where} broke the connection: {error.__cause__ or error}")
    if connection.has_head:
        return ProtocolError(f"the answer of {where} is cut short or garbled: {error}", retryable=True)
    return ProtocolError(f"what {where} answers is no HTTP: {error}", retryable=connection.is_cut)
