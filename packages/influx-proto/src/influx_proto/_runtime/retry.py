"""Retry policy: which errors are retried, after which backoff, and for how long."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from .._checks import check_int, check_seconds
from .._errors import InfluxDBError, RateLimited, ResponseError, ServerUnavailable, TransportError
from .._http.messages import Repeat

#: Messages of a 503 of Envoy and Varnish after the server broke the connection, maybe while it handled the request.
_MAYBE_FORWARDED = re.compile(
    rb"reset before headers(?!.{0,40}reset reason: (?:overflow|(?:remote |local )?connection failure))"
    rb"|Backend fetch failed",
    re.DOTALL,
)


def _uniform() -> float:
    import random  # noqa: PLC0415 - slow to import, and only retries need it

    return random.random()  # noqa: S311 - jitter needs no cryptographic randomness


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Policy for retrying idempotent requests after temporary failures; all durations are in seconds.

    Reads, and points with timestamps, are retried after connection failures and after responses with status 408, 425,
    429 and 5xx (unless the error is permanent). Points without timestamps are retried only if the server cannot have
    stored them. Statements that change the server are never retried. `docs/failures.md` has the complete table.

    The backoff before the n-th retry is random between 0 and `backoff * 2**(n-1)` ("full jitter"), at most
    `max_backoff`. A `Retry-After` header takes precedence, up to `max_retry_after`.
    """

    #: Maximum number of attempts; 1 disables retries.
    attempts: int = 5
    #: No retry starts later than this after the first attempt; None sets no limit.
    max_total: float | None = 60.0
    #: Upper bound of the first backoff.
    backoff: float = 0.1
    #: Upper bound of every backoff.
    max_backoff: float = 15.0
    #: Upper bound of the wait that a `Retry-After` header asks for.
    max_retry_after: float = 300.0
    #: Called before each retry with the error, the number of the attempt that failed, and the backoff. If it returns
    #: False, the request is not retried.
    on_retry: Callable[[InfluxDBError, int, float], object] | None = field(default=None, repr=False)
    #: Returns a random number from 0 up to 1.
    random: Callable[[], float] = field(default=_uniform, repr=False)

    def __post_init__(self) -> None:
        check_int("attempts", self.attempts, 1)
        for name in ("backoff", "max_backoff", "max_retry_after", "max_total"):
            if name != "max_total" or self.max_total is not None:
                check_seconds(name, getattr(self, name))

    def wait(self, error: InfluxDBError, repeat: Repeat, attempt: int, elapsed: float) -> float | None:
        """Return the backoff in seconds after the failure of attempt number `attempt`, or None to give up."""
        if not error.retryable or attempt >= self.attempts or not _is_safe(error, repeat):
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
        """Return the seconds of a `Retry-After` header, at most `max_retry_after`; None without one."""
        wait = retry_after(error.headers) if isinstance(error, ResponseError) else None
        return None if wait is None else min(wait, self.max_retry_after)


def _is_safe(error: InfluxDBError, repeat: Repeat) -> bool:
    """Return whether repeating a request after this error cannot apply it twice."""
    if repeat is Repeat.ALWAYS:
        return True
    if repeat is Repeat.NEVER:
        return False
    if isinstance(error, TransportError):
        return not error.maybe_received
    # A server or proxy that asks for a later retry has not stored the points; after other failures it may have.
    if isinstance(error, ServerUnavailable) and error.status == 503:
        return _MAYBE_FORWARDED.search(error.body) is None
    return isinstance(error, RateLimited)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of a `Retry-After` header; a date counts from the `Date` header of the response."""
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - slow to import, and rarely needed

    try:
        wait = parsedate_to_datetime(value) - parsedate_to_datetime(headers.get("Date", ""))
    except (ValueError, TypeError, OverflowError):  # an invalid date, or a date without a time zone
        return None
    return max(0.0, wait.total_seconds())


def as_retry_policy(retry: RetryPolicy | int | None) -> RetryPolicy:
    """Return the policy that an argument stands for: a number is the maximum number of attempts.

    Raises:
        TypeError: the argument is neither.
        ValueError: the number is below 1.
    """
    if retry is None:
        return RetryPolicy()
    return retry if isinstance(retry, RetryPolicy) else RetryPolicy(attempts=check_int("retry", retry, 1))
