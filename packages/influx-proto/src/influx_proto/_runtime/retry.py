"""Trying again: what may be tried again, after how long, and when to stop. Decisions only; `_flow` acts on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from .._checks import integer, seconds
from .._errors import InfluxDBError, RateLimited, ResponseError, ServerUnavailable, TransportError
from .._http.messages import Repeat


def _uniform() -> float:
    import random  # noqa: PLC0415 - not needed where nothing fails, and slow to import

    return random.random()  # noqa: S311 - it spreads load and hides nothing


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how long to try again what can succeed later and is safe to repeat.

    Reads, and points that carry their time, are repeated after connection failures and after answers of 429, 500 (of
    a moment), 502, 503 and 504. Points without a time are repeated only where the server cannot have stored them.
    Statements that change the server are never repeated. `docs/failures.md` has the whole table.

    The wait before the n-th repetition is random between 0 and `backoff * 2**(n-1)` ("full jitter"), at most
    `max_backoff`; a `Retry-After` of the server, up to `max_retry_after`, takes precedence. All figures are in seconds.
    """

    #: Number of attempts in all; 1 never repeats.
    attempts: int = 5
    #: Once this much time has passed, waits included, nothing is tried again; None sets no bound.
    max_total: float | None = 60.0
    backoff: float = 0.1
    max_backoff: float = 15.0
    #: The longest `Retry-After` of a server that is obeyed; a longer one counts as this.
    max_retry_after: float = 300.0
    #: Called before something is tried again, with the error, the number of the attempt that failed with it, and how
    #: many seconds the next one waits. Where it returns False, nothing is tried again.
    on_retry: Callable[[InfluxDBError, int, float], object] | None = field(default=None, repr=False)
    #: Gives a number from 0 up to 1.
    random: Callable[[], float] = field(default=_uniform, repr=False)

    def __post_init__(self) -> None:
        integer("attempts", self.attempts, 1)
        for name in ("backoff", "max_backoff", "max_retry_after", "max_total"):
            if name != "max_total" or self.max_total is not None:
                seconds(name, getattr(self, name))

    def wait(self, error: InfluxDBError, repeat: Repeat, attempt: int, elapsed: float) -> float | None:
        """Say how many seconds to wait before trying again after `attempt` attempts, or None to give up."""
        if not error.retryable or attempt >= self.attempts or not _safe(error, repeat):
            return None
        server_delay = self.server_delay(error)
        if server_delay is not None:
            wait = server_delay
        else:
            wait = self.random() * min(self.max_backoff, self.backoff * 2.0 ** min(attempt - 1, 64))
        if self.max_total is not None and elapsed + wait > self.max_total:
            return None
        if self.on_retry is not None and self.on_retry(error, attempt, wait) is False:
            return None
        return wait

    def server_delay(self, error: InfluxDBError) -> float | None:
        """Return how many seconds the server asks to wait, at most `max_retry_after`; None if it does not ask."""
        found = retry_after(error.headers) if isinstance(error, ResponseError) else None
        return None if found is None else min(found, self.max_retry_after)


def _safe(error: InfluxDBError, repeat: Repeat) -> bool:
    if repeat is Repeat.ALWAYS:
        return True
    if repeat is Repeat.NEVER:
        return False
    if isinstance(error, TransportError):
        return not error.maybe_received
    # A server or proxy that asks to come back later has not stored anything; one that failed may have.
    return isinstance(error, RateLimited) or (isinstance(error, ServerUnavailable) and error.status == 503)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Read `Retry-After` as seconds: a number of them, or a date, which is taken against the answer's own `Date`."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - slow to import, and seldom needed

    try:
        wait = parsedate_to_datetime(text) - parsedate_to_datetime(headers.get("Date", ""))
    except (ValueError, TypeError, OverflowError):  # one is no date, or without a zone
        return None
    return max(0.0, wait.total_seconds())
