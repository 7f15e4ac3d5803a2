"""Event loop with a simulated clock for an async batch writer; a seed determines the order of the tasks."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

_MAX_STEPS = 200_000


class Cancelled(BaseException):
    """Raised in a task that is cancelled."""


class Stopped(KeyboardInterrupt):
    """Raised to stop the loop in the middle of a task, like the end of the process."""


class _Pause:
    """Wait of a task for an event or a time, whichever comes first."""

    def __init__(self, until: float, event: list[bool] | None = None, *, is_shielded: bool = False) -> None:
        self.until = until
        self.event = event
        self.is_shielded = is_shielded

    def __await__(self) -> Generator[_Pause]:
        yield self


class Task:
    """A coroutine that the loop runs."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self.coroutine = coroutine
        self.pause = _Pause(-math.inf)
        self.is_cancelled = False
        self.must_raise = False
        self.has_ended = False
        self.error: BaseException | None = None

    def cancel(self) -> None:
        """Raise `Cancelled` in the task, once."""
        self.must_raise = self.must_raise or not self.is_cancelled
        self.is_cancelled = True


class Loop:
    """Runs tasks one step at a time, in a random order."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.time = 0.0
        self.tasks: list[Task] = []
        self.current: Any = None
        self.ended = [False]

    def start(self, coroutine: Coroutine[Any, Any, Any]) -> Task:
        task = Task(coroutine)
        self.tasks.append(task)
        return task

    def run(self, main: Task) -> None:
        """Run all tasks until the main one has ended."""
        steps = 0
        while not main.has_ended:
            steps += 1
            assert steps < _MAX_STEPS, "the tasks run indefinitely"
            ready = [task for task in self.tasks if self._is_ready(task)]
            if ready:
                self._step(self.random.choice(ready))
                continue
            self.time = max(self.time, min(task.pause.until for task in self.tasks))
            assert self.time < 1e6, "all tasks wait indefinitely"

    def stop(self) -> None:
        """Forget all tasks, like the end of the process; their `finally` blocks have no effect."""
        for task in self.tasks:
            task.has_ended = True
        for task in self.tasks:
            for _ in range(100):
                try:
                    task.coroutine.throw(Stopped())
                except BaseException:  # noqa: BLE001 - nothing observes the process after its end
                    break
        self.tasks.clear()

    def _is_ready(self, task: Task) -> bool:
        pause = task.pause
        is_woken = pause.event is not None and pause.event[0]
        return is_woken or pause.until <= self.time or (task.must_raise and not pause.is_shielded)

    def _step(self, task: Task) -> None:
        self.current = task
        try:
            if task.must_raise and not task.pause.is_shielded:
                task.must_raise = False
                task.pause = task.coroutine.throw(Cancelled())
            else:
                task.pause = task.coroutine.send(None)
        except StopIteration:
            self._end(task)
        except Stopped:
            raise
        except BaseException as error:  # noqa: BLE001 - raised by `join`
            task.error = error
            self._end(task)

    def _end(self, task: Task) -> None:
        task.has_ended = True
        self.tasks.remove(task)
        self.ended[0] = True
        self.ended = [False]

    async def sleep(self, seconds: float) -> None:
        await _Pause(self.time + seconds)

    async def join(self, task: Task) -> None:
        """Wait until a task has ended, and raise its error unless it was cancelled."""
        while not task.has_ended:
            await _Pause(math.inf, self.ended, is_shielded=True)
        if task.error is not None and not (task.is_cancelled and isinstance(task.error, Cancelled)):
            raise task.error

    async def in_thread(self, function: Callable[[], None]) -> None:
        """Implement `InThread`."""
        await _Pause(self.time + self.random.choice([0.0, 0.0, 0.3]), is_shielded=True)
        error: Exception | None = None
        lock: Any = next(iter(getattr(function, "args", ())), None)
        while hasattr(lock, "locked") and lock.locked():  # the function would block the whole loop
            await _Pause(self.time + 0.1, is_shielded=True)
        try:
            function()
        except Exception as raised:  # noqa: BLE001 - raised below
            error = raised
        await _Pause(self.time + self.random.choice([0.0, 0.0, 0.3]), is_shielded=True)
        if self.current.must_raise:
            self.current.must_raise = False
            raise Cancelled
        if error is not None:
            raise error

    @asynccontextmanager
    async def background(self, function: Callable[[], Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
        """Implement `Background`."""
        task = self.start(function())
        try:
            yield
        finally:
            task.cancel()
            await self.join(task)


class Signal:
    """An `AsyncSignal` of a loop."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._event = [False]

    def notify(self) -> None:
        self._event[0] = True
        self._event = [False]

    async def wait(self, seconds: float | None) -> None:
        await _Pause(math.inf if seconds is None else self._loop.time + seconds, self._event)

    def caller(self) -> object:
        return self._loop.current

    def has_ended(self, caller: Any) -> bool:
        ended: bool = caller.has_ended
        return ended

    def is_cancelled(self) -> bool:
        cancelled: bool = self._loop.current.is_cancelled
        return cancelled

    def loop(self) -> object:
        return self._loop
