"""Idle timeouts of all connections of a client."""

from __future__ import annotations

import math
import os
from typing import Protocol

import trio


class Expirable(Protocol):
    """Object with a wait that can time out."""

    def expire(self) -> None:
        """End the wait by closing the object."""
        ...


class Watchdog:
    """Closes connections that are idle for too long.

    One task watches all connections while any of them waits. A cancel scope around each wait would do the same, but
    trio keeps thousands of exited scopes until their deadlines have passed.
    """

    def __init__(self) -> None:
        self._until: dict[Expirable, float] = {}
        #: Scope of the task's sleep; its deadline is the earliest one.
        self._sleep = trio.CancelScope()
        self._is_watching = False
        self._is_closed = False
        #: The run of trio to which the task belongs, and its process.
        self._run: trio.lowlevel.TrioToken | None = None
        self._process = os.getpid()

    def is_new_run(self) -> bool:
        """Return whether this is another run of trio than the last time.

        Raises:
            RuntimeError: the last run goes on in another thread.
        """
        run = trio.lowlevel.current_trio_token()
        if run is self._run:
            return False
        process = os.getpid()
        if self._is_watching and self._process == process:
            raise RuntimeError("this client is in use in another run of trio; create one client for each run")
        self._run, self._process = run, process
        self._is_watching = False  # after a fork the task belongs to the parent
        return True

    def arm(self, connection: Expirable, until: float) -> None:
        """Close a connection at a time on trio's clock, unless it is armed again or disarmed before."""
        if until == math.inf:
            self.disarm(connection)
            return
        self._until[connection] = until
        if not self._is_watching:
            self._sleep = trio.CancelScope(deadline=until)
            trio.lowlevel.spawn_system_task(self._watch_all)
            self._is_watching = True  # not before: a run that is ending accepts no tasks
        elif until < self._sleep.deadline:
            self._sleep.deadline = until

    def disarm(self, connection: Expirable) -> None:
        """Remove the deadline of a connection."""
        self._until.pop(connection, None)
        if self._is_closed and not self._until:
            self._sleep.cancel()

    def close(self) -> None:
        """End the task now, or as soon as nothing is awaited any more."""
        self._is_closed = True
        if not self._until and self._run is trio.lowlevel.current_trio_token():
            self._sleep.cancel()

    async def _watch_all(self) -> None:
        try:
            while self._until:
                with self._sleep:
                    await trio.sleep_forever()
                if self._until:  # after a suspension, the tasks first receive what has arrived meanwhile
                    await trio.lowlevel.checkpoint()
                now = trio.current_time()
                for connection in [connection for connection, until in self._until.items() if until <= now]:
                    self.disarm(connection)
                    connection.expire()
                self._sleep = trio.CancelScope(deadline=min(self._until.values(), default=now))
        finally:
            self._is_watching = False
