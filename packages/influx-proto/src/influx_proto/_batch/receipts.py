"""Which receipts of a batch writer are open, and which failures a flush reports to whom.

A failure belongs to the task or thread that wrote the lines. `flush` raises the failures of its caller, and those of
tasks and threads that have ended. A caller that has written nothing itself, such as a supervisor or a timer, gets the
failures of all others that were not raised anywhere yet; each of them is still raised to the one that it belongs to.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Final
from weakref import WeakSet

from .._write.delivery import partial_write
from .receipt import Receipt

__all__ = ["Receipts"]

#: How many rejected lines, and how many characters of them, are kept to be reported.
_KEPT_LINES: Final = 10_000
_KEPT_SIZE: Final = 10_000_000


class Receipts:
    """The receipts of one batch writer.

    Args:
        has_ended: returns whether a task or thread has ended.
    """

    def __init__(self, has_ended: Callable[[object], bool]) -> None:
        self._has_ended = has_ended
        #: Receipts that are not done, in their order.
        self.open: dict[Receipt, None] = {}
        self._callers: WeakSet[object] = WeakSet()
        #: Receipts with a failure that was not reported to their caller.
        self._failed: deque[Receipt] = deque()
        self._lines = 0
        self._size = 0

    def begin(self, receipt: Receipt, caller: object) -> None:
        """Note the receipt of lines that a task or thread writes."""
        receipt.caller = caller
        if caller is not None:
            self._callers.add(caller)
        self.open[receipt] = None

    def check(self, receipt: Receipt) -> None:
        """Note a failure of a receipt that is done."""
        if not receipt.done or receipt not in self.open:
            return
        del self.open[receipt]
        if not (receipt.error or receipt.rejected):
            receipt.caller = None
            return
        self._failed.append(receipt)
        self._count(receipt, 1)
        while len(self._failed) > 1 and (self._lines > _KEPT_LINES or self._size > _KEPT_SIZE):
            # They were reported to `on_error`, and memory is bounded where `flush` is never called.
            self._count(self._failed.popleft(), -1)

    def check_all(self) -> None:
        """Note failures of receipts that are done, also of those whose `write` was interrupted before its own check."""
        for receipt in tuple(self.open):
            self.check(receipt)

    def report(self, caller: object) -> None:
        """Raise the failures that concern a caller of `flush`."""
        found: list[Receipt] = []
        left: list[Receipt] = []
        for receipt in self._failed:
            is_own = receipt.caller is caller or receipt.caller is None or self._has_ended(receipt.caller)
            (found if is_own else left).append(receipt)
        found = [receipt for receipt in found if receipt.caller is caller or not receipt.is_reported]
        others = [] if caller in self._callers else [receipt for receipt in left if not receipt.is_reported]
        self._keep(left)
        self._raise([*found, *others])

    def report_all(self) -> None:
        """Raise the failures that were not raised anywhere yet."""
        found = [receipt for receipt in self._failed if not receipt.is_reported]
        self._keep([])
        self._raise(found)

    def _raise(self, receipts: list[Receipt]) -> None:
        for receipt in receipts:
            receipt.is_reported = True
        for receipt in receipts:
            if receipt.error is not None:
                raise receipt.error
        rejected = [line for receipt in receipts for line in receipt.rejected]
        if rejected:
            raise partial_write(rejected)

    def _keep(self, receipts: Iterable[Receipt]) -> None:
        self._failed.clear()
        self._lines = self._size = 0
        for receipt in receipts:
            self._failed.append(receipt)
            self._count(receipt, 1)

    def _count(self, receipt: Receipt, sign: int) -> None:
        self._lines += sign * max(1, len(receipt.rejected))
        self._size += sign * sum(len(line) + len(reason) for line, reason in receipt.rejected)
