"""The client for asyncio and trio, over `httpx.AsyncHTTPTransport` and anyio."""

from __future__ import annotations

import asyncio
import inspect
import math
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Generator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, suppress
from typing import Any, Self

import anyio
import httpx
from influx_proto.adapter import AsyncClient, Background, Request, Response, Settings, TransportError

from .shared import (
    LIBRARY_ERRORS,
    USER_AGENT,
    ConcurrentSender,
    RequestTracker,
    httpx_request,
    map_exception,
    pool_options,
    response_headers,
)


class AsyncHTTPXTransport:
    """Sends requests through an async pool of httpx, without its redirects, cookies and logging."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pool = httpx.AsyncHTTPTransport(**pool_options(settings))
        self._in_flight = ConcurrentSender()

    @asynccontextmanager
    async def open(self, request: Request) -> AsyncGenerator[Response[AsyncIterator[bytes]]]:
        """Send a request; yield its response as soon as status and headers have arrived."""
        timeout = request.timeout
        deadline = math.inf if timeout.total is None else anyio.current_time() + timeout.total
        tracker = RequestTracker(self._settings)

        # Entered for each step: a stream may be read from another task than the one that opened it.
        @contextmanager
        def limited() -> Generator[None]:
            try:
                with anyio.fail_after(deadline - anyio.current_time()):
                    yield
            except LIBRARY_ERRORS as error:
                if anyio.current_time() < deadline:
                    raise map_exception(error, self._settings, timeout, tracker) from error
                msg = f"the request to {self._settings.address} did not complete within {timeout.total} s"
                raise TransportError(msg, maybe_received=not tracker.is_connecting) from error

        self._in_flight.begin()
        try:
            with limited():
                sent = httpx_request(request, self._settings, _RequestBody(request), tracker.atrace)
                response = await self._pool.handle_async_request(sent)
            tracker.has_response = True
            chunks = response.aiter_raw()
            try:
                yield Response(response.status_code, response_headers(response), _ResponseBody(chunks, limited))
            finally:
                await response.aclose()  # keeps the connection if the body was read to its end
                # httpx reads through several async generators; each has to finish within the event loop.
                with suppress(httpx.HTTPError, httpx.StreamError):
                    async for _ in chunks:
                        pass
        finally:
            if self._in_flight.end():
                await self._close()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await anyio.sleep(seconds)

    def now(self) -> float:
        """Read the event loop's monotonic clock."""
        return anyio.current_time()

    def time_ns(self) -> int:
        """Read the time of day."""
        return time.time_ns()

    async def aclose(self) -> None:
        """Close the pool, when the requests in flight in other tasks have ended."""
        if self._in_flight.close():
            await self._close()

    async def _close(self) -> None:
        with anyio.CancelScope(shield=True):
            await self._pool.aclose()


class _RequestBody(httpx.AsyncByteStream):
    """The chunks of a request's body; no generator, so that an aborted request leaves none unfinished."""

    def __init__(self, request: Request) -> None:
        self._chunks = iter([request.body] if isinstance(request.body, bytes) else request.body)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        for chunk in self._chunks:
            return chunk
        raise StopAsyncIteration


class _ResponseBody:
    """The chunks of a response's body as they arrive."""

    def __init__(self, chunks: AsyncIterator[bytes], limited: Callable[[], AbstractContextManager[None]]) -> None:
        self._chunks = chunks
        self._limited = limited

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        with self._limited():
            return await anext(self._chunks)


class AsyncSignal:
    """An event that wakes all tasks that wait for it."""

    def __init__(self) -> None:
        self._event = anyio.Event()

    def notify(self) -> None:
        """Wake all waiting tasks."""
        self._event.set()
        self._event = anyio.Event()

    async def wait(self, seconds: float | None) -> None:
        """Wait for `notify`, or for so many seconds."""
        with anyio.move_on_after(seconds):
            await self._event.wait()

    def caller(self) -> object:
        """Return the current task of asyncio or trio."""
        trio = sys.modules.get("trio")
        return trio.lowlevel.current_task() if trio and trio.lowlevel.in_trio_task() else asyncio.current_task()

    def has_ended(self, caller: object) -> bool:
        """Return whether a task has ended."""
        if isinstance(caller, asyncio.Task):
            return caller.done()
        return inspect.getcoroutinestate(getattr(caller, "coro")) == inspect.CORO_CLOSED  # noqa: B009 - of trio

    def is_cancelled(self) -> bool:
        """Return whether the current task is being cancelled."""
        task = self.caller()
        return (isinstance(task, asyncio.Task) and task.cancelling() > 0) or (
            anyio.current_effective_deadline() == -math.inf
        )

    def loop(self) -> object:
        """Return the running event loop of asyncio, or a token of trio's."""
        trio = sys.modules.get("trio")
        if trio and trio.lowlevel.in_trio_task():
            return trio.lowlevel.current_trio_token()
        return asyncio.get_running_loop()


@asynccontextmanager
async def background(function: Callable[[], Coroutine[Any, Any, None]]) -> AsyncGenerator[None]:
    """Run a coroutine function in a task while the context is open."""
    async with anyio.create_task_group() as group:
        group.start_soon(function)
        try:
            yield
        finally:
            group.cancel_scope.cancel()


class AsyncInfluxDBClient(AsyncClient[None]):
    """A client for InfluxDB in asyncio and trio programs, over httpx."""

    user_agent = USER_AGENT

    def _make_transport(self, settings: Settings, session: None) -> AsyncHTTPXTransport:
        if session is not None:
            raise TypeError("session: this client keeps its own connections")
        return AsyncHTTPXTransport(settings)

    def _background(self) -> tuple[AsyncSignal, Background]:
        return AsyncSignal(), background
