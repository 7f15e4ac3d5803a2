"""What runs beside the caller: a thread, and a signal to wait for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Self


class Signal:
    """A lock, and a bell that wakes all threads that wait for it."""

    def __init__(self) -> None:
        self._condition = threading.Condition()

    def __enter__(self) -> Self:
        self._condition.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self._condition.release()

    def notify(self) -> None:
        """Wake all who wait; the lock is held."""
        self._condition.notify_all()

    def wait(self, seconds: float | None) -> None:
        """Let go of the lock until somebody notifies, or for so many seconds; take it again."""
        self._condition.wait(seconds if seconds is None else min(seconds, threading.TIMEOUT_MAX))

    def caller(self) -> object:
        """Return the current thread."""
        return threading.current_thread()

    def has_ended(self, caller: object) -> bool:
        """Return whether a thread has ended."""
        return isinstance(caller, threading.Thread) and not caller.is_alive()


def start(function: Callable[[], None]) -> None:
    """Run a function in a thread, which does not keep the program from ending."""
    threading.Thread(target=function, name="influxdb writer", daemon=True).start()
