"""Everything that requests, urllib3 and http.client can raise, as one of our errors. Mapped here and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from http.client import BadStatusLine, HTTPException, IncompleteRead

import requests
from influx_proto.adapter import InfluxDBError, ProtocolError, Settings, Timeout, TransportError, no_free_connection
from urllib3.exceptions import ConnectTimeoutError, EmptyPoolError, HTTPError, NewConnectionError, ProxyError, SSLError
from urllib3.exceptions import ProtocolError as URLLibProtocolError

from ._adapter import IdleConnectionError, NotConnectedError

#: The exceptions that `map_exception` maps.
LIBRARY_ERRORS = (requests.RequestException, HTTPError, HTTPException, OSError)


def map_exception(error: Exception, settings: Settings, timeout: Timeout) -> InfluxDBError:
    """Say the library's exception as one of ours, by what lies beneath it."""
    address = settings.address
    causes = list(_causes(error))
    reason = next((text for text in (str(cause) for cause in reversed(causes)) if text), repr(causes[-1]))

    def is_any(*kinds: type[BaseException]) -> bool:
        return any(isinstance(cause, kinds) for cause in causes)

    if is_any(EmptyPoolError):
        return no_free_connection(address, timeout)
    if is_any(NotConnectedError, NewConnectionError, ConnectTimeoutError, ProxyError):
        if is_any(TimeoutError) or not is_any(OSError):
            message = f"cannot connect to {address}: no answer within {timeout.connect} s"
            return _timeout_error(message, address, timeout, timeout.connect, maybe_received=False)
        return TransportError(f"cannot connect to {address}: {reason}", maybe_received=False)
    if is_any(SSLError):
        return TransportError(f"cannot talk TLS with {address}: {reason}", maybe_received=False)
    if is_any(TimeoutError, requests.Timeout):
        return _timeout_error(f"{address} was silent for {timeout.idle} s", address, timeout, timeout.idle)
    if is_any(ConnectionError):  # http.client's for a connection that was closed before the answer among them
        return TransportError(f"{address} broke the connection: {reason}", was_idle=is_any(IdleConnectionError))
    if is_any(IncompleteRead, requests.exceptions.ChunkedEncodingError):
        return ProtocolError(f"the answer of {address} is cut short or garbled: {reason}", retryable=True)
    if is_any(BadStatusLine, HTTPException, URLLibProtocolError):
        return ProtocolError(f"what {address} answers is no HTTP: {reason}")
    return TransportError(f"{address}: {reason}")


def _timeout_error(
    message: str, address: str, timeout: Timeout, seconds: float | None, *, maybe_received: bool = True
) -> TransportError:
    """Make the error for a wait that is over; of two that began together it was the shorter one."""
    if timeout.total is not None and (seconds is None or timeout.total < seconds):
        message = f"{address} did not finish within {timeout.total} s"
    return TransportError(message, maybe_received=maybe_received)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Walk from the library's exception down to what happened: requests and urllib3 wrap several times."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        wrapped = [argument for argument in cause.args if isinstance(argument, BaseException)]
        cause = cause.__cause__ or cause.__context__ or (wrapped[0] if wrapped else None)
