"""The connections of a client: a bounded number of them, each used by one exchange at a time, and kept for the next."""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Awaitable, Callable

import trio
from influx_proto.adapter import MAX_CONNECTIONS

from ._connection import Connection

#: Seconds after which an idle connection is not used again, but closed by the next request: before most servers, and
#: firewalls on the way, would close it.
_KEEP = 60.0


class NoFreeConnectionError(Exception):
    """As many connections as a client may open were in use for too long."""


class Pool:
    """Lends connections; whoever asks first is served first."""

    def __init__(self) -> None:
        self._places = trio.Semaphore(MAX_CONNECTIONS)
        self._idle: deque[Connection] = deque()  # the one that was used last stands at the right
        self._closed = False
        self._process = os.getpid()

    async def take(self, connect: Callable[[], Awaitable[Connection]], until: float) -> Connection:
        """Lend an idle connection or a new one; wait for a free place until then, on trio's clock."""
        try:
            self._places.acquire_nowait()
        except trio.WouldBlock:
            with trio.move_on_at(until) as waiting:
                await self._places.acquire()
            if waiting.cancelled_caught:
                raise NoFreeConnectionError from None
        try:
            return self._idle_connection() or await connect()
        except BaseException:
            self._places.release()
            raise

    def release(self, connection: Connection) -> None:
        """Keep a connection for the next exchange if it can carry one, and close it otherwise."""
        self._places.release()
        if self._closed or not connection.is_reusable:
            connection.close()
        else:
            connection.reuse()
            connection.idle_since = trio.current_time()
            self._idle.append(connection)

    def close(self) -> None:
        """Close the idle connections; those in use are closed when they are given back."""
        self._closed = True
        self.close_idle()

    def close_idle(self) -> None:
        """Close the connections that nobody uses."""
        self._close_idle(since=math.inf)

    def _idle_connection(self) -> Connection | None:
        if self._closed:
            msg = "this client is closed; make a new one"
            raise RuntimeError(msg)
        if self._process != os.getpid():
            # This is a fork: the parent goes on talking over the sockets, which are only closed here.
            self._process = os.getpid()
            self.close_idle()
        self._close_idle(since=trio.current_time() - _KEEP)
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_stale:
                return connection
            connection.close()
        return None

    def _close_idle(self, *, since: float) -> None:
        while self._idle and self._idle[0].idle_since < since:
            self._idle.popleft().close()
