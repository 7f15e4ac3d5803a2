"""Cancellation of trio code at a known point rather than after a delay."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
import trio.testing

from tests.servers.scripted import ScriptedServer


@asynccontextmanager
async def cancelled_when_received(server: ScriptedServer, count: int) -> AsyncIterator[trio.CancelScope]:
    """Cancel the block once the server has received `count` requests and every task is blocked."""

    async def cancel() -> None:
        await trio.to_thread.run_sync(server.wait_for, count, 20)
        await trio.testing.wait_all_tasks_blocked()
        scope.cancel()

    async with trio.open_nursery() as nursery:
        with trio.CancelScope() as scope:
            nursery.start_soon(cancel)
            yield scope
