"""The request that writes a batch, and the receiver of its response."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeAlias

from .._checks import check_choice, given_params
from .._encode.batch import Batch
from .._errors import ServerUnavailable, WriteError
from .._http.error_response import ErrorReceiver
from .._http.messages import Headers, Repeat, Request, add_params
from .._http.observer import logger
from .._runtime.flow import Flow, attempts
from .rejections import with_rejected_lines

if TYPE_CHECKING:
    from .._runtime.settings import Settings
    from .._runtime.transport import Clock

#: The parameters of a write request, and whether the client adds its database or bucket to them.
Target: TypeAlias = tuple[tuple[tuple[str, str], ...], bool]


#: The precisions of `/api/v2/write`, by those of `/write`.
_BUCKET_PRECISIONS: Final = {"ns": "ns", "u": "us", "ms": "ms", "s": "s"}


def bucket_precision_error(precision: str) -> str | None:
    """Return the message of the error if `/api/v2/write` does not support a precision, otherwise None."""
    if precision in _BUCKET_PRECISIONS:
        return None
    return f"precision: a bucket accepts ns, us, ms and s, not {precision!r}; convert the timestamps, or pass db="


def as_target(db: str | None, rp: str | None, consistency: str | None, bucket: str | None, org: str | None) -> Target:
    """Return the target of a write with these arguments.

    Raises:
        ValueError: an argument is invalid, or they contradict each other; the message begins with its name.
    """
    if db is rp is consistency is bucket is org is None:
        return (), True
    if consistency is not None:
        check_choice("consistency", consistency, ("any", "one", "quorum", "all"))
    if bucket is not None and not (db is rp is None):
        raise ValueError("bucket: cannot be combined with db or rp; pass either bucket= and org=, or db= and rp=")
    if bucket is None and org is not None:
        raise ValueError("org: requires a bucket; pass bucket= too")
    if "" in {bucket, org}:
        raise ValueError(f"{'org' if bucket else 'bucket'}: must not be empty")
    params = given_params(db=db, rp=rp, consistency=consistency, bucket=bucket, org=org)
    return tuple(params), db is bucket is None


def resolve_target(target: Target, settings: Settings) -> Target:
    """Return the target with the database, or the bucket and organization, that a client adds to it.

    The parameters are in alphabetical order, so that equal ones are the same target, whether a call names them or the
    client.
    """
    params, wants_db = target
    names = {name for name, _ in params}
    if wants_db and settings.bucket is not None and "rp" not in names:
        params += tuple(given_params(bucket=settings.bucket, org=settings.org))
    elif wants_db:
        params += tuple(given_params(db=settings.default_db))
    elif "bucket" in names and "org" not in names:
        params += tuple(given_params(org=settings.org))
    return tuple(sorted(params)), False


def write_request(
    target: Target,
    precision: str,
    body: bytes,
    headers: tuple[tuple[str, str], ...] = (),
    *,
    repeat: Repeat,
    compressible: bool = False,
) -> Request:
    """Return the request of a write."""
    path, wants_db, wants_org, bucket_target = _request_target(target, precision)
    return Request(
        "POST", path, headers, body, repeat,
        wants_db=wants_db, wants_org=wants_org, bucket_target=bucket_target, compressible=compressible,
    )  # fmt: skip


@lru_cache(maxsize=64)
def _request_target(target: Target, precision: str) -> tuple[str, bool, bool, str | None]:
    """Return the target, whether the client adds a database or an organization, and the target for its bucket."""
    params, wants_db = target
    names = {name for name, _ in params}
    for_bucket = add_params("/api/v2/write", [*params, ("precision", _BUCKET_PRECISIONS.get(precision, precision))])
    if "bucket" in names:
        return for_bucket, False, "org" not in names, None
    path = add_params("/write", [*params, ("precision", precision)])
    return path, wants_db, False, for_bucket if wants_db and "rp" not in names else None


def batch_request(batch: Batch, target: Target) -> Request:
    """Return the request that writes a batch."""
    repeat = Repeat.ALWAYS if batch.timed else Repeat.UNLESS_RECEIVED
    return write_request(target, batch.precision, batch.data, repeat=repeat, compressible=True)


def write_flow(batch: Batch, target: Target, settings: Settings, clock: Clock) -> Flow[bool]:
    """Return the flow that writes a batch."""
    return attempts(settings.complete(batch_request(batch, target)), WriteReceiver, settings.retry, clock.now)


#: Message of InfluxDB Enterprise and of other clusters based on 1.x.
_QUEUED: Final = "hinted handoff queue not empty"


class WriteReceiver:
    """Receives the response to a write. Only 204 means that all points are stored.

    One error response is also a success. If a node of a cluster must forward points to another node, for which points
    are already queued on disk ("hinted handoff"), it queues the new points as well, and responds with an error. A retry
    would queue them again and keep the queue from draining, so the receiver logs a warning and reports success.
    """

    def __init__(self, status: int, headers: Headers) -> None:
        self._error_receiver = None if status == 204 else ErrorReceiver(WriteError, status, headers)

    def feed(self, data: bytes) -> None:
        """Receive body bytes."""
        if self._error_receiver is not None:
            self._error_receiver.feed(data)

    def close(self) -> bool:
        """Return True at the end of a successful response. Raises the error of any other response."""
        if self._error_receiver is None:
            return True
        error = with_rejected_lines(self._error_receiver.error())
        if not isinstance(error, ServerUnavailable) or _QUEUED not in error.message or "dropped=" in error.message:
            raise error
        if (log := logger()) is not None:
            log.warning("a cluster node queued a write for another node: %s", error.message)
        return True
