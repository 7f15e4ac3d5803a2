"""Calls to the caller's own code: callbacks and log handlers of a batch writer.

They may take any time, raise, take locks of the program and write to the writer. So the writer collects the calls while
it holds its lock and makes them afterwards, one at a time and in their order. A callback may also be interrupted by a
signal, as may the code around it: then others continue with the calls that are left.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Awaitable, Callable
from contextvars import ContextVar, copy_context
from dataclasses import replace
from functools import partial
from typing import Any, Final

from .._errors import CallbackError, InfluxDBError
from .._runtime.settings import Settings

__all__ = ["Reports", "guarded"]

_log = logging.getLogger("influx_proto")

#: How many exceptions of callbacks are kept for the next flush.
_KEPT: Final = 100

#: The reports that are being made in this thread or task.
_current: ContextVar[Reports | None] = ContextVar("influx_proto_reports", default=None)


class Reports:
    """The calls that a batch writer has to make.

    Args:
        on_error: called with each error.
        on_progress: called with the writer after each batch.
    """

    def __init__(
        self,
        on_error: Callable[[InfluxDBError], object] | None,
        on_progress: Callable[[Any], object] | None,
    ) -> None:
        self._on_error = on_error
        self._on_progress = on_progress
        self._calls: deque[tuple[str, Callable[[], object]]] = deque()
        #: Tokens of those who want to make the calls; the first of them does.
        self._callers: dict[object, None] = {}
        #: What callbacks raised since the last flush that reported it.
        self.failures: deque[CallbackError] = deque(maxlen=_KEPT)

    @property
    def is_pending(self) -> bool:
        """Whether there are calls to make, or one is being made."""
        return bool(self._calls or self._callers)

    @property
    def is_within(self) -> bool:
        """Whether the current code was called by a report, so that waiting for the writer would not end."""
        return _current.get() is self

    def log(self, level: int, message: str, *args: object) -> None:
        """Log a message."""
        self._calls.append(("a log handler", partial(_log.log, level, message, *args)))

    def error(self, error: InfluxDBError) -> None:
        """Call `on_error`."""
        if self._on_error is not None:
            self._calls.append(("on_error", partial(self._on_error, error)))

    def progress(self, writer: object) -> None:
        """Call `on_progress`."""
        if self._on_progress is not None:
            self._calls.append(("on_progress", partial(self._on_progress, writer)))

    def failed(self, name: str, error: Exception) -> None:
        """Report that a function of the caller's raised."""
        failure = CallbackError(f"{name} raised {error!r}; the batch writer continues")
        failure.__cause__ = error
        self.failures.append(failure)
        if name != "a log handler":
            self.log(logging.ERROR, "%s", failure)
        if name != "on_error":
            self.error(failure)

    def raise_failure(self) -> None:
        """Raise what callbacks raised since the last report."""
        if self.failures:
            failure = self.failures[0]
            self.failures.clear()
            raise failure

    def make(self) -> None:
        """Make the calls; the lock is not held."""
        me = object()
        while self._calls:
            try:
                self._callers[me] = None
                if tuple(self._callers)[0] is not me:  # noqa: RUF015 - other threads may change it during an iteration
                    return  # another thread makes them, or this is called by one
                if self._calls:
                    self._make_next()
            finally:
                self._callers.pop(me, None)  # no signal handler runs before this is done

    def _make_next(self) -> None:
        name, call = self._calls[0]
        try:
            copy_context().run(self._within, call)
        except Exception as error:  # noqa: BLE001 - it is reported
            self.failed(name, error)
        self._calls.popleft()  # only now: a call that was interrupted, perhaps before it began, is made again

    def _within(self, call: Callable[[], object]) -> None:
        _current.set(self)  # in a context of its own, which no interruption can leave in effect
        call()


def guarded(settings: Settings, reports: Reports) -> Settings:
    """Return the settings with functions that report what the caller's functions raise."""
    token, on_retry = settings.token, settings.retry.on_retry

    def failure(error: Exception) -> CallbackError:
        return CallbackError(f"token raised {error!r}; the batch writer continues", retryable=True)

    async def awaited(found: Awaitable[str]) -> str:
        try:
            return await found
        except OSError:
            raise
        except Exception as error:
            raise failure(error) from error

    def guarded_token() -> str | Awaitable[str]:
        try:
            found = token() if token is not None else ""
        except OSError:  # which is a failure to connect
            raise
        except Exception as error:
            raise failure(error) from error
        return awaited(found) if isinstance(found, Awaitable) else found

    def guarded_on_retry(error: InfluxDBError, attempt: int, wait: float) -> object:
        try:
            return on_retry(error, attempt, wait) if on_retry is not None else None
        except Exception as raised:  # noqa: BLE001 - it is reported
            reports.failed("on_retry", raised)
            return None

    return replace(
        settings,
        token=None if token is None else guarded_token,
        retry=settings.retry if on_retry is None else replace(settings.retry, on_retry=guarded_on_retry),
    )
