"""Calls that one thread makes for others, in steps."""

from __future__ import annotations

import math
from collections.abc import Generator
from queue import Empty, SimpleQueue
from typing import TypeVar

from .._errors import BufferFullError
from .base import Step

T = TypeVar("T")

#: For how many seconds `get` waits at most; longer waits than a queue supports are of no use.
_LONGEST = 3600.0


class Call:
    """Steps for which a caller waits.

    Args:
        steps: are made until they end.
        may_wait: whether they may wait for what a batch writer does; a callback of the writer may not.
    """

    def __init__(self, steps: Generator[Step], *, may_wait: bool = True) -> None:
        self._steps = steps
        self._may_wait = may_wait
        #: Is raised in the steps where they wait.
        self.interruption: BaseException | None = None
        #: Receives the exception that ended the steps, or None.
        self.outcome: SimpleQueue[BaseException | None] = SimpleQueue()
        #: When the steps go on though nothing has changed.
        self.due = math.inf

    def advance(self, now: float) -> bool:
        """Make the next steps; return whether they have ended."""
        try:
            step = next(self._steps) if self.interruption is None else self._steps.throw(self.interruption)
            while callable(step):
                step()
                step = next(self._steps)
            if not self._may_wait:
                msg = "a callback or log handler of the batch writer cannot wait for the writer, which waits for it"
                self._steps.throw(BufferFullError(msg))
        except StopIteration:
            self.outcome.put(None)
        except BaseException as error:  # noqa: BLE001 - it is raised to the caller, in its thread
            self._steps.close()
            self.outcome.put(error)
        else:
            self.due = math.inf if step is None else now + step
            return False
        return True


def get(queue: SimpleQueue[T], seconds: float) -> T | None:
    """Return the next item of a queue, or None if there is none for so many seconds."""
    try:
        return queue.get(timeout=min(max(seconds, 0.0), _LONGEST))
    except Empty:
        return None
