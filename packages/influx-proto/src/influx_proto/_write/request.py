"""The request that writes a batch, and the receiver of its response."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, TypeAlias

from .._encode.batch import Batch
from .._errors import InfluxDBError, PartialWriteError, RejectedLine, ServerUnavailable, WriteError
from .._http.error_response import ErrorReceiver
from .._http.messages import Headers, Repeat, Request, add_params
from .._http.observer import logger
from .._http.timeout import Timeout
from .._runtime.op import Op

#: The parameters of a write request, and whether the client adds its database to them.
Target: TypeAlias = tuple[tuple[tuple[str, str], ...], bool]

#: The parts of the message of a field type conflict. The names between them may contain any character.
_CONFLICT: Final = 'field type conflict: input field "'
_CONFLICT_PLACE: Final = '" on measurement "'
_CONFLICT_TYPES: Final = re.compile(r'" is type (\w++), already exists as type (\w++)')
#: InfluxDB 2 adds a prefix.
_PARTIAL = re.compile("(?:failure writing points to database: )?partial write")
_DROPPED = re.compile(r"dropped=(\d+)")
#: The text before and after a rejected line in a message. The message quotes the line without escaping, including line
#: feeds and quotes.
_UNPARSABLE: Final = "unable to parse '"
_LINE_END: Final = "': "
_REASON_END: Final = re.compile(r" dropped=\d")


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


def with_rejected_lines(error: InfluxDBError) -> InfluxDBError:
    """Return the error of a write with the rejected lines that its message names.

    A `WriteError` whose message says that part of the write was stored is returned as a `PartialWriteError`.
    """
    if not isinstance(error, WriteError):
        return error
    message = error.message
    if type(error) is WriteError and _PARTIAL.match(message):
        error = PartialWriteError(error.status, message, error.headers, error.body)
    error.rejected = tuple(rejected_lines(message))
    if conflict := find_conflict(message):
        error.add_note(
            f"field_types={{{conflict['field']!r}: {conflict['stored']!r}}} writes the field with its stored type"
        )
    if isinstance(error, PartialWriteError):
        dropped = _DROPPED.findall(message)  # only the last is the server's count, others may be quoted data
        error.dropped = int(dropped[-1]) if dropped else 0
    return error


def find_conflict(message: str) -> dict[str, str] | None:
    """Return `field`, `measurement`, `type` and `stored` of the first field type conflict in a message."""
    begin = message.find(_CONFLICT)
    field = begin + len(_CONFLICT)
    end = message.find(_CONFLICT_PLACE, field)
    if begin < 0 or end < 0:
        return None
    measurement = end + len(_CONFLICT_PLACE)
    types = _CONFLICT_TYPES.search(message, measurement)
    if types is None:
        return None
    return {
        "field": message[field:end],
        "measurement": message[measurement : types.start()],
        "type": types[1],
        "stored": types[2],
    }


def rejected_lines(message: str) -> Iterator[RejectedLine]:
    """Return the lines that a message quotes, each with its reason.

    A line may contain the text that ends it. So it ends at the first such text that precedes a complete reason, which
    ends at `dropped=`, at the next rejected line or at the end of the message. The scan is linear.
    """
    position = 0
    while (start := message.find(_UNPARSABLE, position)) >= 0:
        line = row = start + len(_UNPARSABLE)
        while True:
            end = message.find(_LINE_END, row)
            if end < 0:
                return  # no later line has a complete reason either
            reason = end + len(_LINE_END)
            stop = message.find("\n", reason)
            row_end = len(message) if stop < 0 else stop
            if found := _REASON_END.search(message, reason, row_end):
                position = found.start()
            elif stop < 0 or message.startswith(_UNPARSABLE, stop + 1):
                position = row_end
            else:
                row = stop  # every possible end in this row has the same incomplete reason
                continue
            yield RejectedLine(message[line:end], message[reason:position])
            break
