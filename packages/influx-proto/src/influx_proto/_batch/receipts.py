"""Open receipts of a batch writer, and the failures that `flush` raises.

A failure belongs to the task or thread that wrote the lines. `flush` raises the failures of its caller, and those of
tasks and threads that have ended. If its caller has not written any lines, such as a supervisor or a timer, it raises
all failures that were not raised before; each is still raised in the task or thread that it belongs to. A failure that
was raised to a task or thread that waited for the receipt itself is not raised by any `flush` afterwards.

Memory is bounded if `flush` is never called: the last 10 000 rejected lines, or 10 MB of them, are kept. Earlier ones
were reported to `on_error`; the next error has their number.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from weakref import WeakSet, ref

from .._errors import InfluxDBError, TransportError
from .._repr import counted
from .._runtime.transport import Clock
from .._write.delivery import partial_write
from .receipt import KEPT_LINES, KEPT_SIZE, Omitted, OpenReceipt

#: How many callers are counted separately before those that have ended are merged.
_CALLERS = 100


class Receipts:
    """Receipts of one batch writer.

    Args:
        has_ended: returns whether a task or thread has ended.
    """

    def __init__(self, has_ended: Callable[[object], bool]) -> None:
        self._has_ended = has_ended
        #: Why the receipts that are not done will never be; None while the writer is open.
        self.closed: InfluxDBError | None = None
        #: Receipts that are not done, in order.
        self.open: dict[OpenReceipt, None] = {}
        self._callers: WeakSet[object] = WeakSet()
        #: Returns the last caller that was added, if it still exists.
        self._last_caller: Callable[[], object] = lambda: None
        #: Receipts with a failure that no `flush` of their caller has raised.
        self._failed: deque[OpenReceipt] = deque()
        #: Rejected lines of unreported receipts that were not kept, by caller; None for callers that have ended.
        self._omitted: dict[object, Omitted] = {}
        self._lines = 0
        self._size = 0

    def begin(self, receipt: OpenReceipt, caller: object) -> None:
        """Add the receipt of a `write` by a task or thread."""
        receipt.caller = caller
        if caller is not None and caller is not self._last_caller():
            self._callers.add(caller)
            self._last_caller = ref(caller)
        self.open[receipt] = None

    def check(self, receipt: OpenReceipt) -> None:
        """If a receipt is done, remove it from the open ones and keep its failure."""
        if not receipt.done or receipt not in self.open:
            return
        del self.open[receipt]
        if not (receipt.error or receipt.rejected):
            receipt.caller = None
            return
        self._failed.append(receipt)
        self._count(receipt, 1)
        while len(self._failed) > 1 and (self._lines > KEPT_LINES or self._size > KEPT_SIZE):
            oldest = self._failed.popleft()
            self._count(oldest, -1)
            if not oldest.is_reported:
                self._omit(oldest)

    def check_all(self) -> None:
        """Check all open receipts, including those whose `write` was interrupted before its own check."""
        for receipt in tuple(self.open):
            self.check(receipt)

    def wait_for(self, receipt: OpenReceipt, clock: Clock, timeout: float | None = None) -> Iterator[float | None]:
        """Yield the seconds to wait at most, or None, until a receipt is done. Then raise its failure."""
        deadline = math.inf if timeout is None else clock.now() + timeout
        while not receipt.done:
            if self.closed is not None:
                raise self.closed
            left = deadline - clock.now()
            if left <= 0:
                msg = f"the outcome of {counted(receipt.lines, 'line')} was not known within {timeout} s"
                raise TransportError(msg)
            yield None if left == math.inf else left
        if receipt.error or receipt.rejected:
            receipt.caller = None  # so that a `flush` of the caller does not raise it again
            if receipt.omitted is not None:
                receipt.omitted.remove(receipt.rejected_count)
                receipt.omitted = None
            self._raise([receipt], 0)

    def report(self, caller: object) -> None:
        """Raise the failures that a `flush` by this caller raises."""
        found: list[OpenReceipt] = []
        remaining: list[OpenReceipt] = []
        for receipt in self._failed:
            is_own = receipt.caller is caller or receipt.caller is None or self._has_ended(receipt.caller)
            (found if is_own else remaining).append(receipt)
        found = [receipt for receipt in found if receipt.caller is caller or not receipt.is_reported]
        others = [] if caller in self._callers else [receipt for receipt in remaining if not receipt.is_reported]
        self._keep(remaining)
        has_written = caller in self._callers
        omitted = sum(
            self._omitted.pop(each).lines
            for each in list(self._omitted)
            if not has_written or each is caller or each is None or self._has_ended(each)
        )
        self._raise([*found, *others], omitted)

    def report_all(self) -> None:
        """Raise all failures that were not raised before."""
        found = [receipt for receipt in self._failed if not receipt.is_reported]
        self._keep([])
        omitted = sum(each.lines for each in self._omitted.values())
        self._omitted.clear()
        self._raise(found, omitted)

    def _raise(self, receipts: list[OpenReceipt], omitted: int) -> None:
        for receipt in receipts:
            receipt.is_reported = True
        for receipt in receipts:
            if receipt.error is not None:
                raise receipt.error
        rejected = [line for receipt in receipts for line in receipt.rejected]
        omitted += sum(receipt.rejected_count - len(receipt.rejected) for receipt in receipts)
        if rejected or omitted:
            raise partial_write(rejected, omitted)

    def _omit(self, receipt: OpenReceipt) -> None:
        caller = receipt.caller
        if len(self._omitted) > _CALLERS:
            for each in [each for each in self._omitted if each is not None and self._has_ended(each)]:
                self._omitted.pop(each).move_to(self._omitted.setdefault(None, Omitted()))
        if caller is not None and self._has_ended(caller):
            caller = None
        receipt.omitted = self._omitted.setdefault(caller, Omitted())
        receipt.omitted.lines += receipt.rejected_count

    def _keep(self, receipts: Iterable[OpenReceipt]) -> None:
        self._failed.clear()
        self._lines = self._size = 0
        for receipt in receipts:
            self._failed.append(receipt)
            self._count(receipt, 1)

    def _count(self, receipt: OpenReceipt, sign: int) -> None:
        self._lines += sign * max(1, len(receipt.rejected))
        self._size += sign * receipt.rejected_size
