"""Which receipts of a batch writer are open, and which failures a flush reports to whom.

A failure belongs to the task or thread that wrote the lines. `flush` raises the failures of its caller, and those of
tasks and threads that have ended. A caller that has written nothing itself, such as a supervisor or a timer, gets the
failures of all others that were not raised anywhere yet; each of them is still raised to the one that it belongs to.

Memory is bounded if `flush` is never called: the last 10 000 rejected lines, or 10 MB of them, are kept. Earlier ones
were reported to `on_error`; the next error has their number.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from weakref import WeakSet

from .._write.delivery import partial_write
from .receipt import KEPT_LINES, KEPT_SIZE, OpenReceipt

#: How many callers are kept before those that have ended are joined.
_CALLERS = 100


class Receipts:
    """The receipts of one batch writer.

    Args:
        has_ended: returns whether a task or thread has ended.
    """

    def __init__(self, has_ended: Callable[[object], bool]) -> None:
        self._has_ended = has_ended
        #: Receipts that are not done, in their order.
        self.open: dict[OpenReceipt, None] = {}
        self._callers: WeakSet[object] = WeakSet()
        #: Receipts with a failure that was not reported to their caller.
        self._failed: deque[OpenReceipt] = deque()
        #: By caller, how many rejected lines of unreported receipts were not kept; None stands for all who have ended.
        self._omitted: dict[object, int] = {}
        self._lines = 0
        self._size = 0

    def begin(self, receipt: OpenReceipt, caller: object) -> None:
        """Note the receipt of lines that a task or thread writes."""
        receipt.caller = caller
        if caller is not None:
            self._callers.add(caller)
        self.open[receipt] = None

    def check(self, receipt: OpenReceipt) -> None:
        """Note a failure of a receipt that is done."""
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
        """Note failures of receipts that are done, also of those whose `write` was interrupted before its own check."""
        for receipt in tuple(self.open):
            self.check(receipt)

    def report(self, caller: object) -> None:
        """Raise the failures that concern a caller of `flush`."""
        found: list[OpenReceipt] = []
        left: list[OpenReceipt] = []
        for receipt in self._failed:
            is_own = receipt.caller is caller or receipt.caller is None or self._has_ended(receipt.caller)
            (found if is_own else left).append(receipt)
        found = [receipt for receipt in found if receipt.caller is caller or not receipt.is_reported]
        others = [] if caller in self._callers else [receipt for receipt in left if not receipt.is_reported]
        self._keep(left)
        is_stranger = caller not in self._callers
        omitted = sum(
            self._omitted.pop(each)
            for each in list(self._omitted)
            if is_stranger or each is caller or each is None or self._has_ended(each)
        )
        self._raise([*found, *others], omitted)

    def report_all(self) -> None:
        """Raise the failures that were not raised anywhere yet."""
        found = [receipt for receipt in self._failed if not receipt.is_reported]
        self._keep([])
        omitted = sum(self._omitted.values())
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
                self._omitted[None] = self._omitted.get(None, 0) + self._omitted.pop(each)
        if caller is not None and self._has_ended(caller):
            caller = None
        self._omitted[caller] = self._omitted.get(caller, 0) + receipt.rejected_count

    def _keep(self, receipts: Iterable[OpenReceipt]) -> None:
        self._failed.clear()
        self._lines = self._size = 0
        for receipt in receipts:
            self._failed.append(receipt)
            self._count(receipt, 1)

    def _count(self, receipt: OpenReceipt, sign: int) -> None:
        self._lines += sign * max(1, len(receipt.rejected))
        self._size += sign * receipt.rejected_size
