"""Delivery of a source through the batch writer, with the position up to which every line is completed."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import TextIO

from influx_proto import BatchWriter, InfluxDBError, PartialWriteError, Receipt, RejectedLine

from influx_requests import InfluxDBClient

from ._bar import Bar
from ._console import CommandError, to_printable
from ._progress import Progress, ProgressFile
from ._signals import InputInterrupted
from ._sources import Chunk, Source, carriage_return_hint, time_warning

#: Pending lines before reading of the source pauses: half of the writer's default `max_pending`.
_MAX_PENDING = 50_000

#: Maximum number of lines in a request: those of several chunks.
_BATCH_LINES = 10_000

#: Rejected lines that are reported individually if they are not collected in a file.
_MAX_REPORTED = 20


class Delivery:
    """Writes a source to the server.

    Args:
        client: the client.
        source: the source.
        start: the progress of an earlier run.
        rp: the retention policy.
        max_delay: maximum number of seconds before a line is sent after it was read.
        progress_file: where the progress is saved; None if the source cannot be resumed.
        rejected: where rejected lines are collected.
        has_precision: whether the user has specified the unit of the timestamps.
    """

    def __init__(
        self,
        client: InfluxDBClient,
        source: Source,
        start: Progress,
        *,
        rp: str | None,
        max_delay: float,
        progress_file: ProgressFile | None,
        rejected: TextIO | None,
        has_precision: bool,
    ) -> None:
        self._client = client
        self._source = source
        self._rp = rp
        self._max_delay = max_delay
        self._progress_file = progress_file
        self._rejected = rejected
        self._has_precision = has_precision
        self._bar = Bar(source, start.position.offset)
        self._pending: deque[tuple[Receipt, Chunk]] = deque()
        #: The number of lines of an earlier run.
        self._start_lines = start.stored + start.rejected
        self._reported = 0
        self._failure: InfluxDBError | CommandError | None = None
        #: Set after each batch and each failure.
        self._changed = threading.Event()
        #: Guards `_update_progress`, which the writer's thread calls too.
        self._lock = threading.Lock()
        self._is_finished = False
        #: The progress made so far, also after an error.
        self.progress = start

    @property
    def pending(self) -> int:
        """The number of lines that were read and neither stored nor rejected."""
        return sum(receipt.lines for receipt, _ in self._pending)

    def run(self) -> None:
        """Write the rest of the source.

        Raises:
            InfluxDBError: a line could not be delivered.
            CommandError: the source cannot be read; if it is a stream, all lines that were read are completed.
            BaseException: the interruption that ended a live input, after all lines that were read are completed.
        """
        writer = self._client.batch_writer(
            max_lines=_BATCH_LINES,
            max_delay=self._max_delay,
            exit_timeout=0.0,  # the loops below deliver everything, or an error has ended them
            on_error=self._on_error,
            on_progress=self._on_progress,
        )
        interruption: BaseException | None = None
        try:
            with writer:
                try:
                    self._write_chunks(writer)
                except InputInterrupted as end:
                    interruption = end.interruption
                except CommandError as error:
                    if self._progress_file is not None:
                        raise
                    interruption = error  # a stream cannot be read again, so the lines before are stored
                while writer.pending:
                    self._check()
                    with suppress(InfluxDBError):  # receipts have the rejected lines; `_on_error` receives other errors
                        writer.flush(timeout=0.5)
                self._check()
        except PartialWriteError:
            pass
        finally:
            with self._lock:
                self._is_finished = True
                self._update_progress()
            self._bar.close()
        if interruption is not None:
            raise interruption
        self._check()  # the last rejected lines may not have been written to their file

    def _write_chunks(self, writer: BatchWriter) -> None:
        for chunk in self._source.chunks(self.progress.position):
            while writer.pending > _MAX_PENDING:  # so `write` never blocks, and errors end the loop
                self._wait_for_change()
            self._check()
            if not self._has_precision and chunk.data:
                self._has_precision = True
                if warning := time_warning(chunk):
                    self._bar.write_line(f"warning: {self._source.name}: {warning}")
            for statement in chunk.statements:
                self._client.query(statement)
            receipt = writer.write(chunk.data, db=chunk.database, rp=chunk.rp or self._rp, precision=chunk.precision)
            self._pending.append((receipt, chunk))

    def _on_error(self, error: InfluxDBError) -> None:
        """Record an error that ends the delivery, after all retries. Rejected lines do not end it."""
        if not isinstance(error, PartialWriteError):
            self._failure = self._failure or error
            self._changed.set()

    def _on_progress(self, _: object) -> None:
        with self._lock:
            if not self._is_finished:  # a late call would recreate a removed progress file
                self._update_progress()
        self._changed.set()

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _wait_for_change(self) -> None:
        self._check()
        self._changed.wait(0.5)
        self._changed.clear()

    def _update_progress(self) -> None:
        """Advance the position up to which every line is stored, or rejected and reported."""
        before = self.progress
        stored, rejected, position = before.stored, before.rejected, before.position
        while self._pending:
            receipt, chunk = self._pending[0]
            if not receipt.done or receipt.error is not None:
                break
            self._pending.popleft()
            stored += receipt.lines - len(receipt.rejected)
            rejected += len(receipt.rejected)
            position = chunk.end
            if receipt.rejected:
                self._report(chunk, receipt.rejected)
        self.progress = Progress(position, stored, rejected)
        if self.progress != before:
            self._bar.update(position.offset, stored + rejected - self._start_lines, rejected)
            if self._progress_file is not None:
                self._progress_file.save(self.progress)

    def _report(self, chunk: Chunk, rejected: Sequence[RejectedLine]) -> None:
        """Report the rejected lines of a chunk with their numbers and reasons."""
        remaining: dict[str, list[RejectedLine]] = {}
        for one in rejected:
            remaining.setdefault(one.line, []).append(one)
        for number, line in chunk.numbered():
            text = line.decode(errors="replace")
            matches = remaining.get(text)
            if matches is None:  # a line without a timestamp was stamped by the client
                matches = next((some for key, some in remaining.items() if key.rpartition(" ")[0] == text), None)
            if matches:
                self._report_line(f"{self._source.name}:{number}", text, matches.pop())
                remaining = {key: some for key, some in remaining.items() if some}
                if not remaining:
                    return
        for one in (one for some in remaining.values() for one in some):
            self._report_line(self._source.name, one.line, one)

    def _report_line(self, location: str, line: str, rejected: RejectedLine) -> None:
        if self._rejected is not None:
            self._collect_line(self._rejected, f"# {to_printable(location)}: {to_printable(rejected.reason)}", line)
            return
        self._reported += 1
        if self._reported <= _MAX_REPORTED:
            self._bar.write_line(f"{location}: {rejected.reason}{carriage_return_hint(line)}")
        elif self._reported == _MAX_REPORTED + 1:
            self._bar.write_line("more lines were rejected; pass --rejected FILE to collect them")

    def _collect_line(self, file: TextIO, comment: str, line: str) -> None:
        """Write a rejected line to the file, or to stderr if the file cannot be written."""
        try:
            if not file.closed:
                file.write(f"{comment}\n{line}\n")
                file.flush()
                return
        except OSError as error:  # of a full disk, for example
            problem = f"cannot write {file.name}: {error.strerror}"
            self._failure = CommandError(f"{problem}; the rejected lines that it lacks were written to stderr")
            with suppress(OSError):  # the same error
                file.close()
        self._bar.write_line(comment)
        self._bar.write_line(line)
