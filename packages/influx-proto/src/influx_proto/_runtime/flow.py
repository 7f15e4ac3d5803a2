"""What is done, as generators, and the two loops that drive them.

A flow yields an `Attempt` (an exchange, and how long to wait before it), is sent the result of the exchange or has
its error thrown into it, and returns the result of the whole. Retries, the batches of a large write and whatever
else takes several exchanges are ordinary code with `try` and `yield from`, tested without a socket or a clock.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from .._errors import InfluxDBError, TransportError
from .._http.auth import aauthorized, authorized
from .._http.compression import decoded
from .._http.messages import Repeat
from .._http.observer import Exchange, Retry, logger, operation
from .transport import AsyncTransport, Transport

if TYPE_CHECKING:
    from .._http.messages import Headers, Request
    from .retry import RetryPolicy

T = TypeVar("T")


@dataclass(slots=True)  # never altered; but a frozen one takes several times as long to make, for every exchange
class Attempt:
    """What a flow asks of its driver: wait, then do this exchange once."""

    request: Request
    #: Makes what reads the answer, given its status and headers.
    receiver: Callable[[int, Headers], Any]
    #: Seconds to wait before it.
    after: float = 0.0
    #: Which attempt at this exchange it is.
    number: int = 1


#: One effect, one kind of reply: yields `Attempt`s, is sent what each one's receiver gave, returns a `T`.
Flow: TypeAlias = Generator[Attempt, object, T]


def attempts(
    request: Request, receiver: Callable[[int, Headers], Any], policy: RetryPolicy, now: Callable[[], float]
) -> Flow[Any]:
    """Try until it succeeds, fails for good, or the policy's budget is spent; `now` is a monotonic clock."""
    began = now()
    after = 0.0
    may_replace = request.repeat is Repeat.ALWAYS
    attempt = number = 1
    while True:
        try:
            return (yield Attempt(request, receiver, after, number))
        except InfluxDBError as error:
            if may_replace and isinstance(error, TransportError) and error.was_idle:
                may_replace = False  # a server may close what is idle: over another connection, at once, and once
                after = 0.0
                number += 1
                continue
            elapsed = now() - began
            wait = policy.wait(error, request.repeat, attempt, elapsed)
            if wait is None:
                if attempt > 1:
                    error.add_note(f"gave up after {attempt} attempts in {elapsed:.1f} s")
                raise
            if (watch := request.watch) is not None:
                watch.notify("retrying", Retry(watch.server, operation(request.target), error, number, wait))
            if (log := logger()) is not None:
                log.info("%r failed: %s; attempt %d follows in %.2f s", request, error, number + 1, wait)
            after = wait
            attempt += 1
            number += 1


def exchange_of(request: Request, now: Callable[[], float], attempt: int) -> Exchange:
    """Return the record of one attempt at a request."""
    return Exchange(request.method, request.target, request.size, request.watch, now, attempt)


def _exchange(step: Attempt, transport: Transport) -> Any:
    request = step.request
    with exchange_of(request, transport.now, step.number) as record, transport.open(authorized(request)) as response:
        record.status = response.status
        receiver = step.receiver(response.status, response.headers)
        for data in response.body:
            if data and not record.received:
                receiver = decoded(receiver, response.headers)
            record.received += len(data)
            receiver.feed(data)
        return receiver.close()


async def _aexchange(step: Attempt, transport: AsyncTransport) -> Any:
    request = step.request
    with exchange_of(request, transport.now, step.number) as record:
        if request.token is not None:
            request = await aauthorized(request)
        async with transport.open(request) as response:
            record.status = response.status
            receiver = step.receiver(response.status, response.headers)
            async for data in response.body:
                if data and not record.received:
                    receiver = decoded(receiver, response.headers)
                record.received += len(data)
                receiver.feed(data)
            return receiver.close()


def run(flow: Flow[T], transport: Transport, exchange: Callable[[Attempt, Transport], object] = _exchange) -> T:
    """Drive a flow over a blocking transport.

    Args:
        flow: yields the attempts.
        transport: where requests are sent.
        exchange: makes one attempt, and returns what the flow receives for it.
    """
    reply: object = None
    error: InfluxDBError | None = None
    try:
        while True:
            # Only the flow's own step stands inside this `try`: a StopIteration of a transport is no result.
            try:
                step = flow.send(reply) if error is None else flow.throw(error)
            except StopIteration as stop:
                result: T = stop.value
                return result
            if step.after:
                transport.sleep(step.after)
            reply = error = None
            try:
                reply = exchange(step, transport)
            except InfluxDBError as raised:
                error = raised
    finally:
        error = None  # whose traceback leads here: a cycle, which would hold on to the data until it is collected
        flow.close()


async def arun(
    flow: Flow[T],
    transport: AsyncTransport,
    exchange: Callable[[Attempt, AsyncTransport], Awaitable[object]] = _aexchange,
) -> T:
    """Drive a flow over an async transport; the arguments are those of `run`."""
    reply: object = None
    error: InfluxDBError | None = None
    try:
        while True:
            try:  # as above
                step = flow.send(reply) if error is None else flow.throw(error)
            except StopIteration as stop:
                result: T = stop.value
                return result
            if step.after:
                await transport.sleep(step.after)
            reply = error = None
            try:
                reply = await exchange(step, transport)
            except InfluxDBError as raised:
                error = raised
    finally:
        error = None
        flow.close()
