"""The way to a server over trio's streams."""

from __future__ import annotations

import logging
import math
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import h11
import trio
from influx_proto.adapter import Headers, Request, Response, Settings, Timeout

from ._connect import connect
from ._connection import Connection
from ._errors import FOREIGN, translated
from ._pool import Pool

_log = logging.getLogger("influx_trio")


class TrioTransport:
    """Sends requests over connections of its own, which are reused."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._context = settings.tls.context(ssl.create_default_context) if settings.server.ssl else None
        self._pool = Pool()

    @asynccontextmanager
    async def open(self, request: Request) -> AsyncGenerator[Response[AsyncIterator[bytes]]]:
        """Send a request; give its answer as it arrives."""
        settings, timeout = self._settings, request.timeout
        deadline = math.inf if timeout.total is None else trio.current_time() + timeout.total

        async def opened() -> Connection:
            patience = math.inf if timeout.connect is None else trio.current_time() + timeout.connect
            with trio.fail_at(min(patience, deadline)):
                connection = await connect(settings, self._context)
            _log.debug("connected to %s", settings.where)
            return connection

        try:
            connection = await self._pool.take(opened, deadline)
        except FOREIGN as error:
            raise translated(error, settings, timeout, deadline) from error
        try:
            try:
                answer = await connection.exchange(self._head(request), request, deadline)
            except FOREIGN as error:
                raise translated(error, settings, timeout, deadline, connection) from error
            headers = Headers((name.decode(errors="replace"), value.decode(errors="replace"))
                              for name, value in answer.headers.raw_items())  # fmt: skip
            yield Response(answer.status_code, headers, _Body(connection, settings, timeout, deadline))
        finally:
            self._pool.give_back(connection)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await trio.sleep(seconds)

    def now(self) -> float:
        """Read trio's clock."""
        return trio.current_time()

    def time_ns(self) -> int:
        """Read the time of day."""
        return time.time_ns()

    async def aclose(self) -> None:
        """Close the idle connections; those in use close when their exchange ends."""
        self._pool.close()
        await trio.lowlevel.checkpoint()

    def _head(self, request: Request) -> h11.Request:
        server, proxy = self._settings.server, self._settings.proxy
        target = request.target
        headers = [("Host", server.netloc), *request.headers]
        if proxy is not None and not server.ssl:  # which has to be told where the request goes
            target = server.origin + target
            headers += proxy.headers.items()
        if request.size is None:
            headers.append(("Transfer-Encoding", "chunked"))
        elif request.method != "GET":
            headers.append(("Content-Length", str(request.size)))
        return h11.Request(method=request.method, target=target, headers=headers)


class _Body:
    """The pieces of an answer's body as they arrive; no generator, so that leaving it early leaks nothing."""

    def __init__(self, connection: Connection, settings: Settings, timeout: Timeout, deadline: float) -> None:
        self._connection = connection
        self._known = (settings, timeout, deadline)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            piece = await self._connection.receive()
        except FOREIGN as error:
            raise translated(error, *self._known, self._connection) from error
        if not piece:
            raise StopAsyncIteration
        return piece
