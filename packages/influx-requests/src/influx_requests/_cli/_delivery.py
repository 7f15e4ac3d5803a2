"""Delivering a source through the batch writer, and knowing how far what is stored reaches."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import TextIO

from influx_proto import InfluxDBError, PartialWriteError, Receipt, RejectedLine

from influx_requests import InfluxDBClient

from ._bar import Bar
from ._console import printable
from ._progress import ProgressFile, Reached
from ._sources import Chunk, Source

#: Lines that wait to be stored before more of the source is read: half of what the writer holds.
_MOST_PENDING = 50_000

#: Rejected lines that are told one by one where they are not collected in a file.
_MOST_TOLD = 20


class Delivery:
    """Delivers a source.

    Args:
        client: where to.
        source: what.
        begin: how far it came before.
        rp: the retention policy.
        progress: where to remember how far it came; None where that is of no use.
        rejected: where rejected lines are collected.
    """

    def __init__(
        self,
        client: InfluxDBClient,
        source: Source,
        begin: Reached,
        *,
        rp: str | None,
        progress: ProgressFile | None,
        rejected: TextIO | None,
    ) -> None:
        self._client = client
        self._source = source
        self._rp = rp
        self._progress = progress
        self._rejected = rejected
        self._bar = Bar(source, begin.position.offset)
        self._under_way: deque[tuple[Receipt, Chunk]] = deque()
        self._told = 0
        self._failure: InfluxDBError | None = None
        #: Set after each batch and each failure.
        self._changed = threading.Event()
        #: For `_advance`, which the thread of the writer calls too.
        self._lock = threading.Lock()
        self._is_over = False
        #: How far it came, whatever happens.
        self.reached = begin

    def run(self) -> None:
        """Write all that is there.

        Raises:
            InfluxDBError: it could not be delivered.
            CommandError: the source cannot be read.
        """
        writer = self._client.batch_writer(
            exit_timeout=0.0,  # all is delivered before the exit, or an error has ended it
            on_error=self._failed,
            on_progress=self._progressed,
        )
        try:
            with writer:
                for chunk in self._source.chunks(self.reached.position):
                    while writer.pending > _MOST_PENDING:  # so that `write` never waits, and errors end the loop
                        self._wait()
                    self._check()
                    receipt = writer.write(chunk.data, rp=self._rp, precision=chunk.precision)
                    self._under_way.append((receipt, chunk))
                while writer.pending:
                    self._check()
                    with suppress(InfluxDBError):  # receipts have the rejected lines, `_failed` gets the rest
                        writer.flush(timeout=0.5)
                self._check()
        except PartialWriteError:
            pass
        finally:
            with self._lock:
                self._is_over = True
                self._advance()
            self._bar.close()

    def _failed(self, error: InfluxDBError) -> None:
        """Remember what ends the delivery: every retry has been made by now. Rejected lines do not end it."""
        if not isinstance(error, PartialWriteError):
            self._failure = self._failure or error
            self._changed.set()

    def _progressed(self, _: object) -> None:
        with self._lock:
            if not self._is_over:  # a late call would save the progress of what is completed
                self._advance()
        self._changed.set()

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _wait(self) -> None:
        self._check()
        self._changed.wait(0.5)
        self._changed.clear()

    def _advance(self) -> None:
        """See how far what is stored reaches now: all before it is stored, or rejected and told."""
        before = self.reached
        stored, rejected, position = before.stored, before.rejected, before.position
        while self._under_way:
            receipt, chunk = self._under_way[0]
            if not receipt.done or receipt.error is not None:
                break
            self._under_way.popleft()
            stored += receipt.lines - len(receipt.rejected)
            rejected += len(receipt.rejected)
            position = chunk.end
            if receipt.rejected:
                self._tell(chunk, receipt.rejected)
        self.reached = Reached(position, stored, rejected)
        if self.reached != before:
            self._bar.update(position.offset, rejected)
            if self._progress is not None:
                self._progress.save(self.reached)

    def _tell(self, chunk: Chunk, rejected: Sequence[RejectedLine]) -> None:
        """Tell which lines were rejected, and why."""
        waiting: dict[str, list[RejectedLine]] = {}
        for one in rejected:
            waiting.setdefault(one.line, []).append(one)
        for number, line in chunk.numbered():
            text = line.decode(errors="replace")
            found = waiting.get(text)
            if found is None:  # perhaps it had no time, and was given one
                found = next((some for key, some in waiting.items() if key.rpartition(" ")[0] == text), None)
            if found:
                self._tell_one(f"{self._source.name}:{number}", text, found.pop())
                waiting = {key: some for key, some in waiting.items() if some}
                if not waiting:
                    return
        for one in (one for some in waiting.values() for one in some):
            self._tell_one(self._source.name, one.line, one)

    def _tell_one(self, where: str, line: str, rejected: RejectedLine) -> None:
        if self._rejected is not None:
            self._rejected.write(f"# {printable(where)}: {printable(rejected.reason)}\n{line}\n")
            self._rejected.flush()
            return
        self._told += 1
        if self._told <= _MOST_TOLD:
            self._bar.say(f"{where}: {rejected.reason}")
        elif self._told == _MOST_TOLD + 1:
            self._bar.say("more lines were rejected; --rejected FILE collects them")
