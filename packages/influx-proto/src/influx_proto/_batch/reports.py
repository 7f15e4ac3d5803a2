"""Queue of calls to user code: callbacks and log handlers of a batch writer.

User code may be slow, raise, acquire locks of the program and write to the writer. So the writer queues the calls while
it holds its lock, and makes them afterwards, one at a time and in order. A signal may interrupt a callback or the code
around it; then another thread or task makes the remaining calls.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from dataclasses import replace
from functools import partial
from typing import Any, Final

from .._errors import CallbackError, InfluxDBError
from .._http.observer import Exchange, Observer, Retry
from .._runtime.settings import Settings

_log = logging.getLogger("influx_proto")

#: How many exceptions of callbacks are kept for the next `flush`.
_MAX_FAILURES: Final = 100

#: The queue whose call is running in this thread or task.
_current: ContextVar[Reports | None] = ContextVar("influx_proto_reports", default=None)


class Reports:
    """Queued calls of a batch writer.

    Args:
        on_error: called with each error.
        on_progress: called with the writer after each batch.
        is_interruption: returns whether an exception in a callback interrupts the thread or task that calls it. All
            others are failures of the callback.
        is_sender: returns whether the current thread or task is delivering a batch. It also calls user code: the
            `token` function, the observer and log handlers.
    """

    def __init__(
        self,
        on_error: Callable[[InfluxDBError], object] | None,
        on_progress: Callable[[Any], object] | None,
        is_interruption: Callable[[BaseException], bool],
        is_sender: Callable[[], bool],
    ) -> None:
        self.is_interruption = is_interruption
        self._is_sender = is_sender
        self._on_error = on_error
        self._on_progress = on_progress
        self._calls: deque[tuple[str, Callable[[], object]]] = deque()
        #: A token for each running `make_calls`; only the first one makes the calls.
        self._callers: dict[object, None] = {}
        #: Exceptions of callbacks, and errors of the spool, that no `flush` has raised.
        self.failures: deque[InfluxDBError] = deque(maxlen=_MAX_FAILURES)

    @property
    def is_pending(self) -> bool:
        """Whether calls are queued or running."""
        return bool(self._calls or self._callers)

    @property
    def is_in_callback(self) -> bool:
        """Whether the current code runs in a callback or in delivery, where waiting for the writer would deadlock."""
        return _current.get() is self or self._is_sender()

    def log(self, level: int, message: str, *args: object) -> None:
        """Queue a log message."""
        self._calls.append(("a log handler", partial(_log.log, level, message, *args)))

    def error(self, error: InfluxDBError) -> None:
        """Queue a call of `on_error`."""
        if self._on_error is not None:
            self._calls.append(("on_error", partial(self._on_error, error)))

    def progress(self, writer: object) -> None:
        """Queue a call of `on_progress`."""
        if self._on_progress is not None:
            self._calls.append(("on_progress", partial(self._on_progress, writer)))

    def add_note(self, error: BaseException, note: str) -> None:
        """Add a note to the exception with which the block of the writer ends."""
        error.add_note(note)
        if not isinstance(error, Exception | KeyboardInterrupt):  # usually not displayed
            self.log(logging.WARNING, "%s", note)

    def add_failure(self, name: str, error: BaseException) -> None:
        """Keep an exception of a callback or log handler for `flush`, and report it to the log and `on_error`."""
        failure = CallbackError(f"{name} raised {error!r}; the batch writer continues")
        failure.__cause__ = error
        self.failures.append(failure)
        if name != "a log handler":
            self.log(logging.ERROR, "%s", failure)
        if name != "on_error":
            self.error(failure)

    def raise_failure(self) -> None:
        """Raise the first of the failures, and forget the others."""
        if self.failures:
            failure = self.failures[0]
            self.failures.clear()
            raise failure

    def make_calls(self) -> None:
        """Make the queued calls; the lock must not be held."""
        token = object()
        while self._calls:
            try:
                self._callers[token] = None
                if tuple(self._callers)[0] is not token:  # noqa: RUF015 - other threads may change the dict during an iteration
                    return  # another thread makes the calls, or a callback called this
                if self._calls:
                    self._make_next_call()
            finally:
                self._callers.pop(token, None)  # no signal handler runs before this call

    def _make_next_call(self) -> None:
        name, call = self._calls[0]
        try:
            copy_context().run(self._call_marked, call)
        except BaseException as error:
            if self.is_interruption(error):
                raise
            self.add_failure(name, error)
        self._calls.popleft()  # after the call, so that an interrupted call is made again

    def _call_marked(self, call: Callable[[], object]) -> None:
        _current.set(self)  # the context is a copy, so an interruption needs no reset
        call()


class _GuardedObserver(Observer):
    """Observer whose exceptions do not end delivery. An `Exception` is only logged, as for all requests of a client."""

    def __init__(self, observer: Observer, reports: Reports) -> None:
        self._observer = observer
        self._reports = reports

    def started(self, exchange: Exchange, /) -> None:
        self._call("started", exchange)

    def ended(self, exchange: Exchange, /) -> None:
        self._call("ended", exchange)

    def retrying(self, retry: Retry, /) -> None:
        self._call("retrying", retry)

    def _call(self, method: str, event: Exchange | Retry) -> None:
        try:
            getattr(self._observer, method)(event)
        except BaseException as error:
            if isinstance(error, Exception) or self._reports.is_interruption(error):
                raise
            self._reports.add_failure(f"the observer's {method}", error)

    def __repr__(self) -> str:
        return repr(self._observer)


def guard_callbacks(settings: Settings, reports: Reports) -> Settings:
    """Return settings whose `token` and `on_retry` functions and observer report their exceptions to the writer."""
    token, on_retry = settings.token, settings.retry.on_retry

    async def await_token(awaitable: Awaitable[str]) -> str:
        with _token_failures(reports):
            return await awaitable

    def guarded_token() -> str | Awaitable[str]:
        with _token_failures(reports):
            found = token() if token is not None else ""
        return await_token(found) if isinstance(found, Awaitable) else found

    def guarded_on_retry(error: InfluxDBError, attempt: int, wait: float) -> object:
        try:
            return on_retry(error, attempt, wait) if on_retry is not None else None
        except BaseException as raised:
            if reports.is_interruption(raised):
                raise
            reports.add_failure("on_retry", raised)
            return None

    return replace(
        settings,
        token=None if token is None else guarded_token,
        retry=settings.retry if on_retry is None else replace(settings.retry, on_retry=guarded_on_retry),
        observer=None if settings.observer is None else _GuardedObserver(settings.observer, reports),
    )


@contextmanager
def _token_failures(reports: Reports) -> Generator[None]:
    """Raise the exceptions of a token function as a `CallbackError`."""
    try:
        yield
    except BaseException as error:
        if isinstance(error, OSError) or reports.is_interruption(error):  # an OSError counts as a failed connection
            raise
        raise CallbackError(f"token raised {error!r}; the batch writer continues", retryable=True) from error
