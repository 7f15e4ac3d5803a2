"""Live input: pipes, FIFOs, sockets and terminals, whose data is read as soon as it arrives."""

from __future__ import annotations

import io
import os
import select
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from ._signals import ENDING, InputInterrupted, handlers, interruption_of

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class LiveInput(io.RawIOBase):
    """Input that is not a regular file.

    A read returns the data that is available. After the end of the input, every read returns no data, so that one
    Ctrl-D at a terminal ends it.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._has_ended = False
        self._is_waiting = False
        self._signal: int | None = None
        #: A descriptor that is readable after a signal.
        self._woken: int | None = None

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Wait for data, read it into the buffer and return its size.

        Raises:
            InputInterrupted: a signal arrived; see `interruptible`.
        """
        if self._has_ended:
            return 0
        self._wait()
        view = memoryview(buffer).cast("B")
        data = os.read(self._descriptor, len(view))
        view[: len(data)] = data
        self._has_ended = not data
        return len(data)

    def close(self) -> None:
        """Close the descriptor."""
        if not self.closed:
            os.close(self._descriptor)
        super().close()

    @contextmanager
    def interruptible(self) -> Generator[None]:
        """Let Ctrl-C, SIGTERM and SIGHUP end the input; a second signal interrupts the program as usual.

        The input ends when the program waits for data, so that no data is lost that was read.
        """
        with handlers(self._handle_signal, ENDING), _wakeup() as self._woken:
            yield

    def _wait(self) -> None:
        if sys.platform == "win32":  # `select` accepts only sockets
            return
        woken = [] if self._woken is None else [self._woken]
        self._is_waiting = True
        try:
            if self._signal is not None:
                raise InputInterrupted(interruption_of(self._signal))
            while self._descriptor not in (ready := select.select([self._descriptor, *woken], [], [])[0]):
                os.read(ready[0], 4096)  # the signal did not end the input: a change of the window's size, for example
        finally:
            self._is_waiting = False

    def _handle_signal(self, number: int, _frame: FrameType | None) -> None:
        interruption = interruption_of(number)
        if self._is_waiting:
            raise InputInterrupted(interruption)
        if self._signal is not None:
            raise interruption
        self._signal = number


@contextmanager
def _wakeup() -> Generator[int | None]:
    """Return a descriptor that is readable after a signal, so that `select` also ends if it arrived just before.

    Returns None outside the main thread, which receives all signals, and on Windows, where nothing is awaited.
    """
    if sys.platform == "win32":
        yield None
        return
    readable, writable = os.pipe()
    os.set_blocking(writable, False)
    try:
        try:
            previous = signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
        except ValueError:
            yield None
            return
        try:
            yield readable
        finally:
            signal.set_wakeup_fd(previous)
    finally:
        os.close(readable)
        os.close(writable)
