"""What batch writers run in the background: a thread, and a condition to wait for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Self


class Signal:
    """Lock, and condition that wakes all threads waiting for it."""

    def __init__(self) -> None:
        self._condition = threading.Condition()

    def __enter__(self) -> Self:
        self._condition.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self._condition.release()

    def notify(self) -> None:
        """Wake all waiting threads; the caller holds the lock."""
        self._condition.notify_all()

    def wait(self, seconds: float | None) -> None:
        """Release the lock, wait for `notify`, at most for the given seconds, and acquire it again."""
        self._condition.wait(seconds if seconds is None else min(seconds, threading.TIMEOUT_MAX))

    def caller(self) -> object:
        """Return the current thread."""
        return threading.current_thread()

    def has_ended(self, caller: object) -> bool:
        """Return whether a thread has ended."""
        return isinstance(caller, threading.Thread) and not caller.is_alive()


def background(function: Callable[[], None]) -> None:
    """Run a function in a daemon thread, which does not keep the program from exiting."""
    threading.Thread(target=function, name="influxdb writer", daemon=True).start()
