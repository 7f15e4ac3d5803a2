"""The request that writes a batch, and the receiver of its response."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, TypeAlias

from .._encode.batch import Batch
from .._errors import ServerUnavailable, WriteError
from .._http.error_response import ErrorReceiver
from .._http.messages import Headers, Repeat, Request, add_params
from .._http.observer import logger
from .._http.timeout import Timeout
from .._runtime.op import Op
from .rejections import with_rejected_lines

#: The parameters of a write request, and whether the client adds its database to them.
Target: TypeAlias = tuple[tuple[tuple[str, str], ...], bool]


@lru_cache(maxsize=64)
def write_target(params: tuple[tuple[str, str], ...], precision: str) -> str:
    """Return the request target of a write."""
    return add_params("/write", [*params, ("precision", precision)])


def write_op(
    batch: Batch, params: tuple[tuple[str, str], ...], *, wants_db: bool, timeout: Timeout | None = None
) -> Op[bool]:
    """Return the operation that writes a batch."""
    target = write_target(params, batch.precision)
    repeat = Repeat.ALWAYS if batch.timed else Repeat.UNLESS_RECEIVED
    return Op(Request("POST", target, (), batch.data, repeat, wants_db, compressible=True), WriteReceiver, timeout)


#: Message of InfluxDB Enterprise and of other clusters based on 1.x.
_QUEUED: Final = "hinted handoff queue not empty"


class WriteReceiver:
    """Receives the response to a write. Only 204 means that all points are stored.

    One error response is also a success. If a node of a cluster must forward points to another node, for which points
    are already queued on disk ("hinted handoff"), it queues the new points as well, and responds with an error. A retry
    would queue them again and keep the queue from draining, so the receiver logs a warning and reports success.
    """

    def __init__(self, status: int, headers: Headers) -> None:
        self._status = status
        self._error_receiver = ErrorReceiver(WriteError, status, headers)

    def feed(self, data: bytes) -> None:
        """Receive body bytes."""
        self._error_receiver.feed(data)

    def close(self) -> bool:
        """Return True at the end of a successful response. Raises the error of any other response."""
        if self._status == 204:
            return True
        error = with_rejected_lines(self._error_receiver.error())
        if not isinstance(error, ServerUnavailable) or _QUEUED not in error.message or "dropped=" in error.message:
            raise error
        if (log := logger()) is not None:
            log.warning("a cluster node queued a write for another node: %s", error.message)
        return True
