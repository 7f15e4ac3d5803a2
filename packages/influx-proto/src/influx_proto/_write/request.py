"""The request that writes a batch, and how its response is read."""

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

#: Where lines go: the parameters of their request, and whether the client's database is one of them.
Target: TypeAlias = tuple[tuple[tuple[str, str], ...], bool]

#: The parts of the message that a field is stored in another type; names may contain anything.
_CONFLICT: Final = 'field type conflict: input field "'
_CONFLICT_PLACE: Final = '" on measurement "'
_CONFLICT_TYPES: Final = re.compile(r'" is type (\w++), already exists as type (\w++)')
#: InfluxDB 2 has words of its own before it.
_PARTIAL = re.compile("(?:failure writing points to database: )?partial write")
_DROPPED = re.compile(r"dropped=(\d+)")
#: What begins and ends a rejected line in a message, which quotes it as it is, line feeds and quotes included.
_UNPARSABLE: Final = "unable to parse '"
_LINE_END: Final = "': "
_REASON_END: Final = re.compile(r" dropped=\d")


@lru_cache(maxsize=64)
def write_target(params: tuple[tuple[str, str], ...], precision: str) -> str:
    """Give the target of a write with these parameters."""
    return add_params("/write", [*params, ("precision", precision)])


def write_op(
    batch: Batch, params: tuple[tuple[str, str], ...], *, wants_db: bool, timeout: Timeout | None = None
) -> Op[bool]:
    """Return the operation that writes a batch."""
    target = write_target(params, batch.precision)
    repeat = Repeat.ALWAYS if batch.timed else Repeat.UNLESS_RECEIVED
    return Op(Request("POST", target, (), batch.data, repeat, wants_db, compressible=True), WriteReceiver, timeout)


#: Of InfluxDB Enterprise, and of clusters made of 1.x.
_QUEUED: Final = "hinted handoff queue not empty"


class WriteReceiver:
    """Receives the answer to a write, of which 204 is the only one that says that all is stored.

    One error says that all will be. A node of a cluster that has to send points on to another, for which some are
    waiting already, puts these behind them, in its queue on disk ("hinted handoff"), and tells of that as an error.
    What is sent again then is queued again, and keeps the queue from becoming empty. So it is logged, and counts as
    stored.
    """

    def __init__(self, status: int, headers: Headers) -> None:
        self._status = status
        self._refusal = ErrorReceiver(WriteError, status, headers)

    def feed(self, data: bytes) -> None:
        """Take more bytes."""
        self._refusal.feed(data)

    def close(self) -> bool:
        """Take the end of the answer."""
        if self._status == 204:
            return True
        error = with_rejected_lines(self._refusal.error())
        if not isinstance(error, ServerUnavailable) or _QUEUED not in error.message or "dropped=" in error.message:
            raise error
        if (log := logger()) is not None:
            log.warning("a cluster's node keeps a write for another: %s", error.message)
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
            f"field_types={{{conflict['field']!r}: {conflict['stored']!r}}} writes it as the type that it has"
        )
    if isinstance(error, PartialWriteError):
        dropped = _DROPPED.findall(message)  # the last is the server's own, others may be data that it quotes
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
    """Find the lines that a message quotes, each with the reason.

    The line may hold what ends it. So the first end counts after which a reason is complete: it ends at `dropped=`, at
    the next rejected line or with the message. No part of the message is read twice.
    """
    at = 0
    while (start := message.find(_UNPARSABLE, at)) >= 0:
        line = row = start + len(_UNPARSABLE)
        while True:
            end = message.find(_LINE_END, row)
            if end < 0:
                return  # nor is there a complete reason for any line that begins later
            reason = end + len(_LINE_END)
            stop = message.find("\n", reason)
            row_end = len(message) if stop < 0 else stop
            if found := _REASON_END.search(message, reason, row_end):
                at = found.start()
            elif stop < 0 or message.startswith(_UNPARSABLE, stop + 1):
                at = row_end
            else:
                row = stop  # all ends in this row have the same incomplete reason
                continue
            yield RejectedLine(message[line:end], message[reason:at])
            break
