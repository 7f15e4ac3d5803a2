"""Signals that end the program, as exceptions: the program removes temporary files before it ends."""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

#: SIGINT, and those of SIGTERM and SIGHUP that the operating system has.
ENDING: Final = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)  # Windows has no SIGHUP

Handler = Callable[[int, FrameType | None], Any]


class Terminated(BaseException):
    """Raised when the program receives SIGTERM or SIGHUP."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    @property
    def exit_code(self) -> int:
        """The code that a shell reports for the signal."""
        return 128 + self.number


class InputInterrupted(BaseException):
    """Raised by a live input instead of an interruption: all data that was read has been yielded."""

    def __init__(self, interruption: BaseException) -> None:
        super().__init__(interruption)
        self.interruption = interruption


def interruption_of(number: int) -> BaseException:
    """Return the exception for a signal."""
    return KeyboardInterrupt() if number == signal.SIGINT else Terminated(number)


@contextmanager
def handlers(handler: Handler, numbers: tuple[int, ...]) -> Generator[None]:
    """Install a handler for signals that the parent process does not ignore, and restore the handlers at the end.

    Nothing changes outside the main thread, where Python installs no handlers.
    """
    replaced: dict[int, Any] = {}
    try:
        for number in numbers:
            if signal.getsignal(number) not in {signal.SIG_IGN, None}:
                replaced[number] = signal.signal(number, handler)
    except ValueError:  # not the main thread
        pass
    try:
        yield
    finally:
        for number, previous in replaced.items():
            signal.signal(number, previous)


def raise_terminated(number: int, _frame: FrameType | None) -> None:
    """Raise `Terminated`; the handler of SIGTERM and SIGHUP."""
    raise Terminated(number)
