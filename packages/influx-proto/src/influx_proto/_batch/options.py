"""Options of batch writers."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from .._checks import check_choice, check_instance, check_int, check_path, check_seconds
from .._encode.batch import BATCH_BYTES
from .._errors import InfluxDBError
from .._public_names import exported_by

#: What `write` does when the buffer is full.
WhenFull: TypeAlias = Literal["wait", "raise", "drop_oldest"]


@exported_by("influx_proto")
@dataclass(frozen=True, slots=True)
class Spool:
    """A directory that also stores pending lines: `batch_writer(spool=Spool("/var/spool/metrics"))`.

    Accepted lines survive a restart of the process. The next batch writer with the same directory delivers them first,
    in order. Only one writer at a time may use a directory.

    Args:
        directory: path of the directory; it is created if it does not exist.
        max_bytes: maximum size of the files in bytes; `when_full` handles a full spool. A batch of any size is accepted
            if the spool is empty.
        sync: False: `write` returns after the lines were passed to the operating system, so they survive the end of the
            process, including SIGKILL. True: `write` returns after `fsync`, so they also survive a power failure.

    Raises:
        ValueError: an argument has an invalid value; the message begins with its name.
        TypeError: an argument has the wrong type; the message begins with its name.
    """

    directory: str | os.PathLike[str]
    max_bytes: int = 1_000_000_000
    sync: bool = False

    def __post_init__(self) -> None:
        if not check_path("directory", self.directory):
            raise ValueError("directory: must not be empty")
        check_int("max_bytes", self.max_bytes, 1)


# The fields and the docstring are the parameters and the docstring of the method `batch_writer` of a client.
@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOptions:
    """Write in batches, in the background: `with client.batch_writer() as writer: ...`, or `async with`.

    No line is lost silently. While the server is unreachable, the writer keeps lines and retries. If the buffer is
    full, `write` waits. Exiting the `with` block delivers the pending lines, or raises an error that contains them.
    A sync client delivers in a thread, an async client in a task.

    Args:
        max_lines: maximum number of lines in a batch.
        max_bytes: maximum size of a batch in bytes, unless a single line is longer.
        max_delay: maximum number of seconds before a batch is sent after its first line.
        max_pending: maximum number of pending lines. The writer keeps up to as many undelivered lines, for which the
            server rejects requests. Remove them from its `undelivered`, or `write` raises a `BufferFullError`, or drops
            the oldest if `when_full` is `drop_oldest`.
        max_pending_bytes: the same limit in bytes of line protocol. A larger batch is accepted if no lines are pending.
        when_full: what `write` does if the buffer is full: `wait`; `raise` a `BufferFullError`; or `drop_oldest` lines,
            which `on_error` receives in an `UndeliveredError`.
        exit_timeout: maximum number of seconds to deliver the pending lines on exit.
        on_error: called with each error, while the writer continues: lines that the server rejected, and failures after
            all attempts of the client's retry policy.
        on_progress: called after each batch with the writer, which has `pending`, `written`, `rejected` and `retried`.
        spool: a directory that also stores pending lines, so that they survive a restart; see `Spool`. Lines that are
            still pending on exit stay in it.

    Raises:
        ValueError: an option has an invalid value; the message begins with its name.
        TypeError: an option has the wrong type; the message begins with its name.
        UndeliveredError: on exit: some lines were not delivered; the error contains them.
        SpoolError: on enter: the spool cannot be used, or another writer uses it.
    """

    max_lines: int = 5_000
    max_bytes: int = BATCH_BYTES
    max_delay: float = 1.0
    max_pending: int = 100_000
    max_pending_bytes: int = 100_000_000
    when_full: WhenFull = "wait"
    exit_timeout: float = 30.0
    on_error: Callable[[InfluxDBError], object] | None = None
    on_progress: Callable[[Any], object] | None = None
    spool: Spool | None = None

    def __post_init__(self) -> None:
        for name in ("max_lines", "max_bytes", "max_pending", "max_pending_bytes"):
            check_int(name, getattr(self, name), 1)
        for name in ("max_delay", "exit_timeout"):
            check_seconds(name, getattr(self, name))
        for name in ("on_error", "on_progress"):
            function = getattr(self, name)
            if function is not None and not callable(function):
                raise TypeError(f"{name}: must be a function, not {function!r}")
        if self.spool is not None:
            check_instance("spool", self.spool, Spool)
        check_choice("when_full", self.when_full, get_args(WhenFull))

    def is_full(self, lines: int, size: int) -> bool:
        """Return whether lines of this number and size in bytes reach a limit of the buffer."""
        return lines >= self.max_pending or size >= self.max_pending_bytes
