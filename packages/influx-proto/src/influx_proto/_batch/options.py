"""How a batch writer collects and keeps lines: what a caller may decide."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from .._checks import check_choice, check_instance, check_int, check_path, check_seconds
from .._encode.batch import BATCH_BYTES
from .._errors import InfluxDBError

#: What is done with further lines when the buffer is full.
WhenFull: TypeAlias = Literal["wait", "raise", "drop_oldest"]


@dataclass(frozen=True, slots=True)
class Spool:
    """Keep lines in a directory as well, until they are stored: `batch_writer(spool=Spool("/var/spool/metrics"))`.

    Lines that were accepted outlive the process. The next batch writer with the same directory delivers them, before
    any others and in their order. Only one writer at a time may use a directory.

    Args:
        directory: where; it is made if there is none.
        max_bytes: how large its files may be together, unless there is but one batch; beyond, `when_full` decides.
        sync: False: `write` returns when the lines were handed to the operating system, so that they outlive the end of
            the process, by SIGKILL say. True: when they are on the disk (`fsync`), so that they outlive a power cut.

    Raises:
        ValueError: an argument has an invalid value; the message begins with its name.
        TypeError: an argument has the wrong type; the message begins with its name.
    """

    directory: str | os.PathLike[str]
    max_bytes: int = 1_000_000_000
    sync: bool = False

    def __post_init__(self) -> None:
        if not check_path("directory", self.directory):
            msg = "directory: must not be empty"
            raise ValueError(msg)
        check_int("max_bytes", self.max_bytes, 1)


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """See `batch_options`, which makes them."""

    max_lines: int
    max_bytes: int
    max_delay: float
    max_pending: int
    max_pending_bytes: int
    when_full: WhenFull
    exit_timeout: float
    on_error: Callable[[InfluxDBError], object] | None
    on_progress: Callable[[Any], object] | None
    spool: Spool | None = None

    def __post_init__(self) -> None:
        for name in ("max_lines", "max_bytes", "max_pending", "max_pending_bytes"):
            check_int(name, getattr(self, name), 1)
        for name in ("max_delay", "exit_timeout"):
            check_seconds(name, getattr(self, name))
        for name in ("on_error", "on_progress"):
            function = getattr(self, name)
            if function is not None and not callable(function):
                msg = f"{name}: must be a function, not {function!r}"
                raise TypeError(msg)
        if self.spool is not None:
            check_instance("spool", self.spool, Spool)
        check_choice("when_full", self.when_full, get_args(WhenFull))

    def is_full(self, lines: int, size: int) -> bool:
        """Return whether so many lines, of so many bytes, are as many as may be kept."""
        return lines >= self.max_pending or size >= self.max_pending_bytes


def batch_options(
    *,
    max_lines: int = 5_000,
    max_bytes: int = BATCH_BYTES,
    max_delay: float = 1.0,
    max_pending: int = 100_000,
    max_pending_bytes: int = 100_000_000,
    when_full: WhenFull = "wait",
    exit_timeout: float = 30.0,
    on_error: Callable[[InfluxDBError], object] | None = None,
    on_progress: Callable[[Any], object] | None = None,
    spool: Spool | None = None,
) -> BatchOptions:
    """Write in batches, beside the caller: `with client.batch_writer() as writer: ...`, awaiting `async with`.

    Nothing is lost silently: lines are kept and tried again while the server is away, a full buffer makes `write`
    wait, and leaving the block delivers what is there, or raises with it. A blocking client does it in a thread, an
    awaiting one in a task.

    Args:
        max_lines: lines in a batch at the most.
        max_bytes: bytes in a batch at the most, unless a single line is longer.
        max_delay: seconds for which a line waits for others at the most.
        max_pending: lines that may be kept. As many more may have been handed back, because the server will not take
            them; if nobody takes these out of the writer's `undelivered`, `write` raises a `BufferFullError`.
        max_pending_bytes: the same in bytes of line protocol. A batch that is larger is accepted if nothing is pending.
        when_full: what `write` does when there are more: `wait`; `raise` a `BufferFullError`; or `drop_oldest` lines,
            which `on_error` is handed in an `UndeliveredError`.
        exit_timeout: seconds that leaving the block may take to deliver what is there.
        on_error: called with each error, while the writer goes on: lines that the server rejects, and failures after
            all attempts of the client's retry policy.
        on_progress: called with the writer after each batch; it tells `pending`, `written`, `rejected`, `retried`.
        spool: a directory in which lines are kept as well until they are stored, so that they outlive this process;
            see `Spool`. On leaving, what is not delivered yet stays there.

    Raises:
        ValueError: an option has an invalid value; the message begins with its name.
        TypeError: an option has the wrong type; the message begins with its name.
        UndeliveredError: on leaving: some lines were not delivered; the error has them.
        SpoolError: on entering: the spool cannot be used, or another writer uses it.
    """
    return BatchOptions(
        max_lines,
        max_bytes,
        max_delay,
        max_pending,
        max_pending_bytes,
        when_full,
        exit_timeout,
        on_error,
        on_progress,
        spool,
    )
