"""Getting a batch to a server that does not take all of it at once: too large a body, or lines that it refuses.

A body that is too large (413) goes in halves, their order kept. Of a batch with bad lines InfluxDB 1.x stores the good
ones, and says about the others, in a text, what it can:

- which lines it could not parse, each with a reason;
- how many points it dropped for another reason, of which it tells only the first, and not which points these were.

What the text does not tell is found by writing the batch again in halves. That stores nothing twice, since a point with
a time replaces itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeAlias

from ._batch import Batch
from ._errors import PartialWriteError, PayloadTooLarge, RejectedLine, SerializationError, WriteError
from ._flow import Flow
from ._parse import parse_lines
from ._refusals import BODY_LIMIT
from ._shown import shown

__all__ = ["deliver", "deliver_accepted", "partial_write"]


#: Says how a batch is sent, tried again where that may help.
Send: TypeAlias = Callable[[Batch], Flow[bool]]

#: What refuses single lines; any other refusal is about the request as a whole.
_ABOUT_LINES: Final = re.compile(
    # A batch that is the first to have a field, and has it with two types, is refused as a whole in these bare words.
    "partial write|^field type conflict|unable to parse|invalid UTF-8|max key length exceeded|time outside range"
)

_CONFLICT: Final = re.compile(
    r'field type conflict: input field "(?P<field>.*?)" on measurement "(?P<measurement>.*?)" is type (?P<type>\w+), ',
    re.DOTALL,
)

_TYPES: Final[dict[type, str]] = {float: "float", int: "integer", bool: "boolean", str: "string"}

_AROUND_REASON: Final = re.compile(r"^partial write: | dropped=\d+.*$", re.DOTALL)

#: What the server skips before a line.
_BLANK: Final = " \t\0"

#: How many requests may be made to find the rejected lines of a batch before the rest is handed back as it is.
_SEARCH: Final = 200


def deliver(batch: Batch, send: Send) -> Flow[None]:
    """Send a batch, in halves where it is too large for the server.

    Raises:
        PayloadTooLarge: a single line is too large; the message says which.
        WriteError: lines were refused; those that can be told from the others are with the error.
    """
    halves = None
    try:
        yield from send(batch)
    except PayloadTooLarge as error:
        halves = batch.halves()
        if halves is None:
            raise _line_too_large(error, batch) from None
    except WriteError as error:
        error.rejected = tuple(_named(batch, error) or error.rejected)
        raise
    for half in halves or ():
        yield from deliver(half, send)


def deliver_accepted(batch: Batch, send: Send) -> Flow[list[RejectedLine]]:
    """Send a batch so that all lines are stored that the server accepts; give the others, in their order.

    Raises:
        WriteError: the request was refused as a whole, for a reason that is not in its lines; or lines of it were that
            cannot be told from the others, and there are lines without a time, which must not be sent again.
    """
    search = _Search(send)
    yield from search.over(batch)
    return search.rejected


def partial_write(rejected: Sequence[RejectedLine]) -> PartialWriteError:
    """Make the error for a write of which these lines were rejected, and all others stored."""
    message = f"{len(rejected)} lines were rejected and all others stored; the first: {rejected[0].reason}"
    error = PartialWriteError(400, message)
    error.dropped = len(rejected)
    error.rejected = tuple(rejected)
    return error


class _Search:
    """Finds the lines that the server refuses."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._requests = 0
        self.rejected: list[RejectedLine] = []

    def over(self, batch: Batch) -> Flow[None]:
        self._requests += 1
        halves = None
        try:
            yield from self._send(batch)
        except PayloadTooLarge as error:
            halves = batch.halves()
            if halves is None:
                self.rejected.append(RejectedLine(_only_line(batch), _line_too_large(error, batch).message))
        except WriteError as error:
            if not _ABOUT_LINES.search(error.message):
                raise
            rejected = _named(batch, error)
            if rejected is None and not batch.timed:
                raise
            if rejected is None and self._requests >= _SEARCH:
                rejected = _suspected(batch, error)
            if rejected is None:
                halves = batch.halves()
            else:
                self.rejected += rejected
        for half in halves or ():
            yield from self.over(half)


def _line_too_large(error: PayloadTooLarge, batch: Batch) -> PayloadTooLarge:
    line = _only_line(batch)
    message = f"{error.message}: a single line of {len(batch.data)} bytes is too large, {shown(line)}"
    return PayloadTooLarge(error.status, message, error.headers, error.body)


def _only_line(batch: Batch) -> str:
    [line] = batch
    return _text(line)


def _named(batch: Batch, error: WriteError) -> list[RejectedLine] | None:
    """Give the lines that an error is about, if it tells which these are."""
    lines = [_text(line) for line in batch]
    dropped = error.dropped if isinstance(error, PartialWriteError) else 0
    if len(lines) in {1, dropped}:
        return [RejectedLine(line, _reason(error)) for line in lines]
    if dropped:
        return _in_conflict(lines, batch.precision, error, dropped)
    reasons: dict[str, list[str]] = {}
    for line, reason in error.rejected:
        reasons.setdefault(line.strip(_BLANK), []).append(reason)
    found = [RejectedLine(line, left.pop(0)) for line in lines if (left := reasons.get(line.strip(_BLANK)))]
    # A text that quotes lines is not easily taken apart, and a very long one is cut.
    is_all = len(found) == len(error.rejected) and len(error.body) < BODY_LIMIT
    return found if is_all and (isinstance(error, PartialWriteError) or len(found) == len(lines)) else None


def _in_conflict(lines: Iterable[str], precision: str, error: WriteError, dropped: int) -> list[RejectedLine] | None:
    """Give the lines that are in conflict with the type of a field, if these are as many as the server dropped.

    Lines that it cannot parse are refused as well, and not mentioned where there is a conflict.
    """
    conflict = _CONFLICT.search(error.message)
    if conflict is None:
        return None
    rejected: list[RejectedLine] = []
    for line in lines:
        try:
            [point] = parse_lines(line, precision=precision)
        except SerializationError as refusal:
            rejected.append(RejectedLine(line, refusal.place.reason if refusal.place else str(refusal)))
            continue
        value = point["fields"].get(conflict["field"])
        if point["measurement"] == conflict["measurement"] and _TYPES.get(type(value)) == conflict["type"]:
            rejected.append(RejectedLine(line, _reason(error)))
            dropped -= 1
    return None if dropped else rejected


def _suspected(batch: Batch, error: WriteError) -> list[RejectedLine]:
    """Give all lines of a batch of which the server refused some that cannot be told from the others."""
    dropped = error.dropped if isinstance(error, PartialWriteError) else 0
    some = f"{dropped or 'some'} of {batch.lines} lines, of which this is one"
    return [RejectedLine(_text(line), f"{_reason(error)} ({some})") for line in batch]


def _reason(error: WriteError) -> str:
    """Give what the error says about a line, without the count and the line itself."""
    if len(error.rejected) == 1:
        return error.rejected[0][1]
    return _AROUND_REASON.sub("", error.message)


def _text(line: bytes) -> str:
    return line.decode(errors="replace")
