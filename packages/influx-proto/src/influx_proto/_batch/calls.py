"""Calls that one thread runs for other threads, in steps."""

from __future__ import annotations

import math
from collections.abc import Generator
from queue import Empty, SimpleQueue
from typing import TypeVar

from .waiting import Step, cannot_wait

T = TypeVar("T")

#: Maximum wait of `get` in seconds; a queue raises `OverflowError` for very long timeouts.
_LONGEST = 3600.0


class Call:
    """Steps whose end a caller waits for.

    Args:
        steps: the steps to run.
        may_wait: whether the steps may wait for the batch writer; if not, they raise `cannot_wait`.
    """

    def __init__(self, steps: Generator[Step], *, may_wait: bool = True) -> None:
        self._steps = steps
        self._may_wait = may_wait
        #: Raised in the steps where they wait.
        self.interruption: BaseException | None = None
        #: Receives the exception that ended the steps, or None.
        self.outcome: SimpleQueue[BaseException | None] = SimpleQueue()
        #: When the steps continue even if the state has not changed.
        self.due = math.inf

    def advance(self, now: float) -> bool:
        """Run the steps until they wait or end; return whether they ended."""
        try:
            step = next(self._steps) if self.interruption is None else self._steps.throw(self.interruption)
            while callable(step) or (step == 0 and not self._may_wait):
                if callable(step):
                    step()
                step = next(self._steps)
            if not self._may_wait:
                self._steps.throw(cannot_wait())
        except StopIteration:
            self.outcome.put(None)
        except BaseException as error:  # noqa: BLE001 - raised in the thread of the caller
            self._steps.close()
            self.outcome.put(error)
        else:
            self.due = math.inf if step is None else now + step
            return False
        return True


def get(queue: SimpleQueue[T], seconds: float) -> T | None:
    """Return the next item of a queue, or None after a timeout in seconds."""
    try:
        return queue.get(timeout=min(max(seconds, 0.0), _LONGEST))
    except Empty:
        return None
