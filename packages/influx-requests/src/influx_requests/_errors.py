"""Exceptions of requests, urllib3, http.client and the operating system, mapped to those of influx-proto."""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Iterator
from http.client import BadStatusLine, HTTPException, IncompleteRead

import requests
from influx_proto.adapter import InfluxDBError, ProtocolError, Settings, Timeout, TransportError, proxy_rejected
from urllib3.exceptions import ConnectTimeoutError, HTTPError, InvalidHeader, NewConnectionError, ProxyError, SSLError
from urllib3.exceptions import ProtocolError as URLLibProtocolError

from ._connection import HandshakeError, IdleConnectionError, NotConnectedError

#: The exceptions that `map_exception` maps.
LIBRARY_ERRORS = (requests.RequestException, HTTPError, HTTPException, OSError)

#: How http.client reports the response of a proxy that rejects a tunnel.
_TUNNEL = re.compile(r"Tunnel connection failed: (\d{3}) ?(.*)", re.DOTALL)


def map_exception(error: Exception, settings: Settings, timeout: Timeout, deadline: float) -> InfluxDBError:
    """Return the error for an exception of the libraries, by the exceptions that it wraps.

    Args:
        error: the exception.
        settings: the settings of the client.
        timeout: the timeout of the request.
        deadline: when the exchange had to be complete, on the monotonic clock.
    """
    address = settings.address
    causes = list(_causes(error))
    reason = next((text for text in (str(cause) for cause in reversed(causes)) if text), repr(causes[-1]))

    def has_cause(*classes: type[BaseException]) -> bool:
        return any(isinstance(cause, classes) for cause in causes)

    if has_cause(NotConnectedError, NewConnectionError, ConnectTimeoutError, ProxyError):
        if has_cause(TimeoutError) or not has_cause(OSError):
            message = f"cannot connect to {address}: timed out after {timeout.connect} s"
            return _timeout_error(message, address, timeout, timeout.connect, deadline, maybe_received=False)
        if (rejected := _TUNNEL.fullmatch(reason)) is not None:
            return proxy_rejected(address, int(rejected[1]), rejected[2])
        return TransportError(f"cannot connect to {address}: {reason}", maybe_received=False)
    if has_cause(HandshakeError, ssl.SSLCertVerificationError):
        return TransportError(f"TLS handshake with {address} failed: {reason}", maybe_received=False)
    if has_cause(TimeoutError, requests.Timeout):
        return _timeout_error(
            f"{address} sent and accepted nothing for {timeout.idle} s", address, timeout, timeout.idle, deadline
        )
    if has_cause(
        ConnectionError, SSLError
    ):  # includes http.client's for a connection that was closed before the response
        return TransportError(f"the connection to {address} broke: {reason}", was_idle=has_cause(IdleConnectionError))
    if has_cause(IncompleteRead, requests.exceptions.ChunkedEncodingError):
        return ProtocolError(f"the response from {address} is truncated or malformed: {reason}", retryable=True)
    if has_cause(BadStatusLine, HTTPException, InvalidHeader, URLLibProtocolError):
        return ProtocolError(f"the response from {address} is not HTTP: {reason}")
    return TransportError(f"{address}: {reason}")


def _timeout_error(
    message: str,
    address: str,
    timeout: Timeout,
    seconds: float | None,
    deadline: float,
    *,
    maybe_received: bool = True,
) -> TransportError:
    """Return the error for a wait that timed out: with the message, unless the total timeout has expired."""
    if timeout.total is not None and (seconds is None or timeout.total < seconds or time.monotonic() >= deadline):
        message = f"the request to {address} did not complete within {timeout.total} s"
    return TransportError(message, maybe_received=maybe_received)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and its causes; requests and urllib3 wrap exceptions several times."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        wrapped = [argument for argument in cause.args if isinstance(argument, BaseException)]
        cause = cause.__cause__ or cause.__context__ or (wrapped[0] if wrapped else None)
