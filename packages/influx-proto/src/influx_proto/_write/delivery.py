"""Delivery of batches that the server does not accept as a whole: too large bodies and rejected lines.

A body that is too large (413) is split in two, in order. `search` finds rejected lines.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .._encode.batch import Batch
from .._errors import PartialWriteError, PayloadTooLarge, RejectedLine, WriteError
from .._runtime.flow import Flow
from .search import Search, Send, WrongLineNamedError, add_details, line_too_large


def deliver(batch: Batch, send: Send) -> Flow[None]:
    """Send a batch, split in two if it is too large for the server.

    Raises:
        PayloadTooLarge: a single line is too large. The message quotes it.
        WriteError: the server rejects lines. The error's `rejected` holds those that can be identified.
    """
    parts = None
    try:
        yield from send(batch)
    except PayloadTooLarge as error:
        parts = batch.halves()
        if parts is None:
            raise line_too_large(error, batch) from None
    except WriteError as error:
        add_details(error, batch)
        raise
    for part in parts or ():
        yield from deliver(part, send)


def deliver_accepted(
    batch: Batch, send: Send, *, once: Send | None = None, probe: Callable[[], Flow[bool]] | None = None
) -> Flow[list[RejectedLine]]:
    """Send a batch so that the server stores all lines that it accepts, and return the rejected lines in order.

    Args:
        batch: the lines to send.
        send: sends a batch, with retries.
        once: sends a batch without retries, to find lines that make the server fail. Defaults to `send`.
        probe: sends other lines, and returns whether the server accepts them. Without it, a server that accepts no
            part of the batch counts as unavailable.

    Raises:
        WriteError: the server rejects the request for a reason other than its lines. Or it rejects lines that the error
            does not identify, and the batch has lines without a timestamp, which must not be sent again.
    """
    once = once or send
    try:
        rejected = yield from Search(send, once, probe).run(batch)
    except WrongLineNamedError:  # send all lines again, in order
        rejected = yield from Search(send, once, probe, trusts_names=False).run(batch)
    return _sort_like_batch(rejected, batch)


def partial_write(rejected: Sequence[RejectedLine], omitted: int = 0) -> PartialWriteError:
    """Return the error for a write of which lines were rejected, and all others stored.

    Args:
        rejected: the rejected lines.
        omitted: how many more lines were rejected, but are not kept.
    """
    count = len(rejected) + omitted
    message = f"{'1 line was' if count == 1 else f'{count} lines were'} rejected, and all others were stored"
    if rejected:
        message += f"; the first: {rejected[0].reason}"
    if omitted:
        message += f"; {omitted} of them are not kept for this error, but `on_error` receives all"
    error = PartialWriteError(400, message)
    error.dropped = count
    error.rejected = tuple(rejected)
    return error


def _sort_like_batch(rejected: list[RejectedLine], batch: Batch) -> list[RejectedLine]:
    """Return rejected lines in the order of the batch, without their numbers in the parts that were sent."""
    if len(rejected) < 2:
        return [RejectedLine(line, reason) for line, reason in rejected]
    found: dict[str, list[RejectedLine]] = {}
    for line, reason in rejected:
        found.setdefault(line, []).append(RejectedLine(line, reason))
    in_order = [left.pop(0) for line in batch if (left := found.get(line.decode(errors="replace")))]
    # The rest are parts of an incomplete line, which is one line of the batch.
    return in_order + [rejected_line for left in found.values() for rejected_line in left]
