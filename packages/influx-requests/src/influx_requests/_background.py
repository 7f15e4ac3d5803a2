"""What batch writers run in the background: threads, and their lock."""

from __future__ import annotations

import _thread  # noqa: PLC2701 - it is documented
import threading
from collections.abc import Callable


class Threads:
    """Lock and identity of the threads that share a batch writer."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._condition = threading.Condition(self.lock)

    def holds_lock(self) -> bool:
        """Return whether the current thread holds the lock."""
        try:
            self._condition.notify()  # it raises otherwise
        except RuntimeError:
            return False
        return True

    def caller(self) -> object:
        """Return the current thread."""
        return threading.current_thread()

    def has_ended(self, caller: object) -> bool:
        """Return whether a thread has ended."""
        return isinstance(caller, threading.Thread) and not caller.is_alive()


def background(function: Callable[[], None]) -> None:
    """Run a function in a daemon thread, which does not keep the program from exiting."""
    thread = threading.Thread(target=function, name="influxdb writer", daemon=True)

    def begin() -> None:
        try:
            thread.start()
        except RuntimeError:  # there cannot be another thread
            function()

    # A signal handler that raised within `Thread.start` would leave a lock of it held, so another thread calls it.
    _thread.start_new_thread(begin, ())
