"""Flows, the generators that implement operations, and the two drivers that run them over a transport.

A flow yields an `Attempt`: an exchange, and the delay before it. The driver sends the result of the exchange into the
flow, or throws its error, and the flow returns the result of the operation. So retries, the batches of a large write
and other operations of several exchanges are ordinary code with `try` and `yield from`, tested without sockets.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from .._errors import InfluxDBError, ResponseError, TransportError
from .._http.auth import aauthorized, authorization_advice, authorized
from .._http.compression import with_decompression
from .._http.error_response import raise_if_decided
from .._http.formats import UnsupportedMessagePack, as_json, requests_messagepack
from .._http.messages import Headers, Repeat, Request
from .._http.observer import Exchange, Retry, logger, operation
from .._http.tls import tls_advice
from .retry import RetryPolicy
from .settings import Settings
from .transport import AsyncTransport, Clock, Transport

T = TypeVar("T")


@dataclass(slots=True, eq=False)  # treated as immutable; creating a frozen one takes several times as long
class Attempt:
    """Instruction of a flow to its driver: wait, then execute this exchange once."""

    request: Request
    #: Creates the receiver of the response from its status and headers.
    receiver: Callable[[int, Headers], Any]
    #: Seconds to wait before the exchange.
    delay: float = 0.0
    #: The number of this attempt at the request, starting at 1.
    number: int = 1


#: Generator that yields `Attempt`s, receives the result of each one's receiver, and returns a `T`.
Flow: TypeAlias = Generator[Attempt, object, T]


def attempts(
    request: Request, receiver: Callable[[int, Headers], Any], policy: RetryPolicy, now: Callable[[], float]
) -> Flow[Any]:
    """Repeat the request until it succeeds, fails permanently, or exhausts the policy; `now` is a monotonic clock."""
    started_at = now()
    delay = 0.0
    can_replace_connection = request.repeat is Repeat.ALWAYS
    attempt = number = 1
    while True:
        try:
            return (yield Attempt(request, receiver, delay, number))
        except InfluxDBError as error:
            if can_replace_connection and isinstance(error, TransportError) and error.was_idle:
                # Servers close idle connections in normal operation: retry once, immediately, over another one.
                can_replace_connection = False
                delay = 0.0
                number += 1
                continue
            elapsed = now() - started_at
            wait = policy.wait(error, request.repeat, attempt, elapsed)
            if wait is None:
                if isinstance(error, ResponseError) and (advice := authorization_advice(error, request)) is not None:
                    error.add_note(advice)
                if isinstance(error, TransportError) and (advice := tls_advice(error)) is not None:
                    error.add_note(advice)
                if attempt > 1:
                    error.add_note(f"gave up after {attempt} attempts in {elapsed:.1f} s")
                raise
            if (watch := request.watch) is not None:
                watch.notify("retrying", Retry(watch.server, operation(request.target), error, number, wait))
            if (log := logger()) is not None:
                log.info("%r failed: %s; retrying in %.2f s (attempt %d)", request, error, wait, number + 1)
            delay = wait
            attempt += 1
            number += 1


def request_flow(
    request: Request, receiver: Callable[[int, Headers], Any], settings: Settings, now: Callable[[], float]
) -> Flow[Any]:
    """Return the flow of a request: in JSON if the server does not send the MessagePack of InfluxDB 1.x."""
    if not requests_messagepack(request):
        return attempts(request, receiver, settings.retry, now)
    if settings.formats.has_messagepack is False:
        return attempts(as_json(request), receiver, settings.retry, now)
    return _messagepack_attempts(request, receiver, settings, now)


def _messagepack_attempts(
    request: Request, receiver: Callable[[int, Headers], Any], settings: Settings, now: Callable[[], float]
) -> Flow[Any]:
    """Repeat a request for MessagePack, and then in JSON if the server sends another MessagePack.

    Repeating any statement is safe: on servers with another MessagePack, InfluxQL changes no data.
    """
    formats = settings.formats
    try:
        result = yield from attempts(request, receiver, settings.retry, now)
    except UnsupportedMessagePack:
        formats.has_messagepack = False
    else:
        if formats.has_messagepack is None:
            formats.has_messagepack = True
        return result
    return (yield from attempts(as_json(request), receiver, settings.retry, now))


def exchange_of(attempt: Attempt, clock: Clock) -> Exchange:
    """Return the record of an attempt."""
    request = attempt.request
    return Exchange(request.method, request.target, request.size, request.watch, clock.now, attempt.number)


def execute(attempt: Attempt, transport: Transport) -> Any:
    """Execute one attempt and return the result for the flow."""
    with exchange_of(attempt, transport) as record, transport.open(authorized(attempt.request)) as response:
        record.status = response.status
        receiver = reader = attempt.receiver(response.status, response.headers)
        try:
            for data in response.body:
                if data and not record.received:
                    reader = with_decompression(receiver, response.headers)
                record.received += len(data)
                reader.feed(data)
        except InfluxDBError as error:
            raise_if_decided(response.status, receiver.close, error)
            raise
        return reader.close()


async def _aexchange(attempt: Attempt, transport: AsyncTransport) -> Any:
    with exchange_of(attempt, transport) as record:
        async with transport.open(await aauthorized(attempt.request)) as response:
            record.status = response.status
            receiver = reader = attempt.receiver(response.status, response.headers)
            try:
                async for data in response.body:
                    if data and not record.received:
                        reader = with_decompression(receiver, response.headers)
                    record.received += len(data)
                    reader.feed(data)
            except InfluxDBError as error:
                raise_if_decided(response.status, receiver.close, error)
                raise
            return reader.close()


def run(flow: Flow[T], transport: Transport, exchange: Callable[[Attempt, Transport], object] = execute) -> T:
    """Run a flow over a sync transport and return its result.

    Args:
        flow: the flow of an operation.
        transport: sends the requests.
        exchange: executes one attempt and returns the result for the flow.
    """
    reply: object = None
    error: InfluxDBError | None = None
    try:
        while True:
            # This `try` contains only the step of the flow, so that a StopIteration of the transport is not a result.
            try:
                attempt = flow.send(reply) if error is None else flow.throw(error)
            except StopIteration as stop:
                result: T = stop.value
                return result
            if attempt.delay:
                transport.sleep(attempt.delay)
            reply = error = None
            try:
                reply = exchange(attempt, transport)
            except InfluxDBError as raised:
                error = raised
    finally:
        error = None  # breaks the cycle through its traceback, which would keep the data in memory
        flow.close()


async def arun(
    flow: Flow[T],
    transport: AsyncTransport,
    exchange: Callable[[Attempt, AsyncTransport], Awaitable[object]] = _aexchange,
) -> T:
    """Run a flow over an async transport and return its result; the arguments are those of `run`."""
    reply: object = None
    error: InfluxDBError | None = None
    try:
        while True:
            try:  # as in `run`
                attempt = flow.send(reply) if error is None else flow.throw(error)
            except StopIteration as stop:
                result: T = stop.value
                return result
            if attempt.delay:
                await transport.sleep(attempt.delay)
            reply = error = None
            try:
                reply = await exchange(attempt, transport)
            except InfluxDBError as raised:
                error = raised
    finally:
        error = None
        flow.close()
