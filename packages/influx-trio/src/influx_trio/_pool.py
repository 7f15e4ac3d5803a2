"""Connection pool with a limit, serving waiting requests in their order."""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Awaitable, Callable

import trio
from influx_proto.adapter import MAX_CONNECTIONS

from ._connection import Connection

#: Seconds after which the next request closes an idle connection: before most servers and firewalls close it.
_KEEP_ALIVE = 60.0


class NoFreeConnectionError(Exception):
    """All connections that a client may open were in use for too long."""


class Pool:
    """Pool of the connections of a client; each serves one exchange at a time."""

    def __init__(self) -> None:
        self._slots = trio.Semaphore(MAX_CONNECTIONS)
        self._idle: deque[Connection] = deque()  # the most recently used one is the last
        self._closed = False
        self._process = os.getpid()

    async def acquire(self, connect: Callable[[], Awaitable[Connection]], wait: float) -> Connection:
        """Return an idle connection or a new one; wait for the given number of seconds if all are in use."""
        try:
            self._slots.acquire_nowait()
        except trio.WouldBlock:
            with trio.move_on_after(wait) as waiting:
                await self._slots.acquire()
            if waiting.cancelled_caught:
                raise NoFreeConnectionError from None
        try:
            return self._idle_connection() or await connect()
        except BaseException:
            self._slots.release()
            raise

    def release(self, connection: Connection) -> None:
        """Keep a connection for the next exchange if it is reusable, or close it."""
        self._slots.release()
        if self._closed or not connection.is_reusable:
            connection.close()
        else:
            connection.reuse()
            connection.idle_since = trio.current_time()
            self._idle.append(connection)

    def close(self) -> None:
        """Close the idle connections; those in use are closed when they are released."""
        self._closed = True
        self.close_idle()

    def close_idle(self) -> None:
        """Close the idle connections."""
        self._close_idle(since=math.inf)

    def _idle_connection(self) -> Connection | None:
        if self._closed:
            raise RuntimeError("this client is closed; create a new one")
        if self._process != os.getpid():
            # In a fork the parent still uses the sockets, which are only closed here.
            self._process = os.getpid()
            self.close_idle()
        self._close_idle(since=trio.current_time() - _KEEP_ALIVE)
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_stale:
                return connection
            connection.close()
        return None

    def _close_idle(self, *, since: float) -> None:
        while self._idle and self._idle[0].idle_since < since:
            self._idle.popleft().close()
