"""Closes the connections of a client on which a server is silent for too long."""

from __future__ import annotations

import math
import os
from typing import Protocol

import trio


class Waiting(Protocol):
    """What something is awaited on."""

    def expire(self) -> None:
        """End the wait, by closing it."""
        ...


class Watchdog:
    """Closes connections on which nothing has come for too long.

    One task looks after all of them, while there are any. A cancel scope around each wait would do the same; but trio
    keeps those that are over by the thousand until their time has come, and looks through them.
    """

    def __init__(self) -> None:
        self._until: dict[Waiting, float] = {}
        #: What ends the task's sleep.
        self._sleep = trio.CancelScope()
        self._is_watching = False
        #: The run of trio to which the task belongs, and its process.
        self._run: trio.lowlevel.TrioToken | None = None
        self._process = os.getpid()

    def is_new_run(self) -> bool:
        """Say whether this is another run of trio than the last time.

        Raises:
            RuntimeError: that one goes on, in another thread.
        """
        run = trio.lowlevel.current_trio_token()
        if run is self._run:
            return False
        process = os.getpid()
        if self._is_watching and self._process == process:
            msg = "this client is in use in another run of trio; make one client for each"
            raise RuntimeError(msg)
        self._run, self._process = run, process
        self._is_watching = False  # it may have been the task of a process that was forked
        return True

    def arm(self, connection: Waiting, until: float) -> None:
        """Close a connection at a time on trio's clock, unless it is armed anew or disarmed before."""
        if until == math.inf:
            self.disarm(connection)
            return
        self._until[connection] = until
        if not self._is_watching:
            self._sleep = trio.CancelScope(deadline=until)
            trio.lowlevel.spawn_system_task(self._watch_all)
            self._is_watching = True  # not before: a run that is ending takes no more tasks
        elif until < self._sleep.deadline:
            self._sleep.deadline = until

    def disarm(self, connection: Waiting) -> None:
        """Say that nothing is awaited any more."""
        self._until.pop(connection, None)

    async def _watch_all(self) -> None:
        try:
            while self._until:
                with self._sleep:
                    await trio.sleep_forever()
                now = trio.current_time()
                for connection in [connection for connection, until in self._until.items() if until <= now]:
                    self.disarm(connection)
                    connection.expire()
                self._sleep = trio.CancelScope(deadline=min(self._until.values(), default=now))
        finally:
            self._is_watching = False
