"""Delivery of batches that the server does not accept as a whole: too large bodies and rejected lines.

A body that is too large (413) is split in two, in order. Of a batch with bad lines InfluxDB 1.x stores the good lines,
and reports the others in its message:

- the lines that it could not parse, each with a reason;
- the number of points that it dropped for other reasons, with only the first reason, and without the points.

Other servers store none of the lines. Some fail on a line with a 5xx that does not mention it. A line is rejected
because of such an error if it fails in a request alone, the server then accepts other lines, and the line fails again.

Lines that the message does not name are found by bisection: by writing halves of the batch again. That stores nothing
twice, since a point with a timestamp replaces itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from .._encode.batch import Batch
from .._errors import (
    PartialWriteError,
    PayloadTooLarge,
    RejectedLine,
    SerializationError,
    ServerUnavailable,
    WriteError,
)
from .._http.error_response import BODY_LIMIT
from .._line_protocol.parse import parse_lines
from .._line_protocol.split import SKIPPED, lines
from .._repr import short_repr
from .._runtime.flow import Flow
from .request import find_conflict

#: Sends a batch, with retries.
Send: TypeAlias = Callable[[Batch], Flow[bool]]

#: Messages about single lines. All other messages are about the request as a whole.
_ABOUT_LINES: Final = re.compile(
    # InfluxDB rejects a batch that creates a field with two types as a whole, and the message has no other prefix.
    "partial write|^field type conflict|unable to parse|invalid UTF-8|max key length exceeded|time outside range"
)

#: Messages of a 400 about the request as a whole.
_ABOUT_REQUEST: Final = re.compile(
    "precision|database (?:is )?(?:required|not found)|retention policy not found"
    "|gzip|content.encoding|bucket|organi[sz]ation",
    re.IGNORECASE,
)

_TYPES: Final[dict[type, str]] = {float: "float", int: "integer", bool: "boolean", str: "string"}

_AROUND_REASON: Final = re.compile(r"^partial write: | dropped=\d+.*$", re.DOTALL)

#: Characters that the server skips before a line.
_BLANK: Final = SKIPPED.decode()

#: The maximum number of requests to find the rejected lines of a batch. After them, all remaining lines count as
#: rejected.
_MAX_SEARCH_REQUESTS: Final = 200

#: The number of consecutive lines that may fail alone before a check that the server accepts other lines.
_MAX_SUSPECTS: Final = 3


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
            raise _line_too_large(error, batch) from None
    except WriteError as error:
        if not _names_lines(error):
            raise
        if b"\r\n" in batch.data:
            error.add_note("some lines end in CR LF; InfluxDB reads the CR as part of the line")
        rejected = _identified_lines(batch, error)
        if rejected is not None:
            error.rejected = tuple(rejected)
        elif (conflicting := _conflicting_lines(batch, error)) is not None:
            lines, _ = conflicting
            found = f"lines with this field in this type: {len(lines)}, the first: {short_repr(_decode(lines[0]))}"
            error.add_note(f"{found}; find_rejected=True finds all rejected lines")
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
    search = _Search(send, once or send, probe)
    yield from search.send(batch)
    yield from search.finish()
    return _sort_like_batch(search.rejected, batch)


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
    """Return rejected lines in the order of the batch."""
    if len(rejected) < 2:
        return rejected
    found: dict[str, list[RejectedLine]] = {}
    for rejected_line in rejected:
        found.setdefault(rejected_line.line, []).append(rejected_line)
    in_order = [left.pop(0) for line in batch if (left := found.get(_decode(line)))]
    # The rest are parts of an incomplete line, which is one line of the batch.
    return in_order + [rejected_line for left in found.values() for rejected_line in left]


def ends_complete(data: bytes) -> bool:
    """Return whether the last line is complete: it ends outside of a quoted string and of an escape sequence."""
    if b'"' not in data and b"\\" not in data:
        return True
    end = 0
    for _, end in lines(data + b"\n"):  # noqa: B007 - only the last value is used
        pass
    return end == len(data)


def _split_incomplete(batch: Batch) -> list[Batch]:
    """Split a batch so that its incomplete last line cannot absorb the lines after it. Empty if it is complete.

    The server reads an incomplete line up to the end of the request. Its intended continuation is unknown, so it is
    split at every LF. Each part that is incomplete itself becomes the end of a batch.
    """
    if ends_complete(batch.data):
        return []
    *_, (begin, _) = lines(batch.data)
    groups: list[list[bytes]] = [[batch.data[:begin]]] if begin else []
    is_open = bool(begin)
    for line in batch.data[begin:].split(b"\n"):
        is_complete = ends_complete(line)
        if is_complete and is_open:
            groups[-1].append(line)
        elif line:
            groups.append([line])
        is_open = is_complete and bool(groups)
    parts = [Batch(b"\n".join(group), 0, batch.precision, batch.timed) for group in groups]
    for part in parts:
        part.lines = sum(1 for _ in part)
    return [part for part in parts if part.lines] if len(parts) > 1 else []


class _Search:
    """Finds the lines that the server rejects."""

    def __init__(self, send: Send, once: Send, probe: Callable[[], Flow[bool]] | None) -> None:
        self._send = send
        self._once = once
        self._probe = probe
        self._requests = 0
        self._has_unexplained_error = False
        #: The last part that the server accepted.
        self._accepted: Batch | None = None
        #: Single lines that failed after the last successful request.
        self._suspects: list[tuple[Batch, WriteError]] = []
        self.rejected: list[RejectedLine] = []

    def send(self, batch: Batch) -> Flow[None]:
        """Send a batch, or its parts if it fails."""
        try:
            yield from self._attempt(batch)
        except WriteError as error:
            failure = error
        else:
            self._accepted = batch
            yield from self._recheck_suspects()
            return
        for part in (yield from self._split_failed(batch, failure)):
            yield from self.send(part)

    def finish(self) -> Flow[None]:
        """Check the lines that failed after the last successful request."""
        if self._suspects:
            yield from self._check_suspects()

    def _split_failed(self, batch: Batch, error: WriteError) -> Flow[Sequence[Batch]]:
        """Return the parts to send after a batch failed. Raises the error if its lines are not the reason."""
        if isinstance(error, PayloadTooLarge):
            halves = batch.halves()
            if halves is None:
                self.rejected.append(RejectedLine(_only_line(batch), _line_too_large(error, batch).message))
            return halves or ()
        if _names_lines(error):
            return (yield from self._split_explained(batch, error))
        if not (batch.timed and _may_be_about_lines(error)):
            raise error
        self._has_unexplained_error = True
        halves = batch.halves()
        if halves is None:
            yield from self._suspect(batch, error)
        return halves or ()

    def _split_explained(self, batch: Batch, error: WriteError) -> Flow[Sequence[Batch]]:
        """Return the parts to send after an error that says that lines are the reason."""
        separated = _split_incomplete(batch) if batch.timed else []
        if separated:
            return separated
        rejected = _identified_lines(batch, error)
        if rejected is not None:
            self.rejected += rejected
            return ()
        if not batch.timed:
            raise error
        if self._requests >= _MAX_SEARCH_REQUESTS:
            self.rejected += _possibly_rejected(batch, error)
            return ()
        conflicting = _conflicting_lines(batch, error)
        if conflicting is not None and (yield from self._send_without(batch, *conflicting)):
            return ()
        return batch.halves() or ()

    def _suspect(self, batch: Batch, error: WriteError) -> Flow[None]:
        """Record that a line failed alone, maybe for a reason other than the line."""
        if error.status < 500 and self._requests == 1:
            # No other line was sent, and 400 and 422 mean that the client sent invalid data.
            self.rejected.append(RejectedLine(_only_line(batch), error.message))
            return
        self._suspects.append((batch, error))
        if len(self._suspects) >= _MAX_SUSPECTS:
            yield from self._check_suspects()

    def _check_suspects(self) -> Flow[None]:
        """Raise the error of the suspects unless the server now accepts other lines."""
        _, error = self._suspects[0]
        if self._accepted is not None:
            try:
                # It was accepted last, so sending it again does not replace later values.
                yield from self._attempt(self._accepted)
            except WriteError:
                raise error from None
        elif self._probe is None or not (yield from self._probe()):
            raise error
        yield from self._recheck_suspects()

    def _recheck_suspects(self) -> Flow[None]:
        """Reject the suspects, which failed before other lines were accepted, if they fail again now."""
        suspects, self._suspects = self._suspects, []
        for batch, error in suspects:
            if error.status >= 500:
                try:
                    yield from self._attempt(batch)
                except WriteError as again:
                    if (again.status, again.message) != (error.status, error.message):
                        raise
                else:
                    raise error  # the outage was temporary: the caller must send all lines again, in order
            self.rejected.append(RejectedLine(_only_line(batch), error.message))

    def _send_without(self, batch: Batch, suspects: list[bytes], reason: str) -> Flow[bool]:
        """Return whether the server rejects exactly these lines, and if so, send the others.

        That is certain if it rejects all of them again, since then none of them is stored. Otherwise the stored ones
        may have replaced points later in the batch, and the whole batch must be sent again in order.
        """
        rejected_count = 0
        try:
            yield from self._attempt(_sub_batch(batch, suspects))
        except PartialWriteError as error:
            rejected_count = error.dropped
        except WriteError:
            pass
        if rejected_count != len(suspects):
            return False
        self.rejected += [RejectedLine(_decode(line), reason) for line in suspects]
        rejected_lines = set(suspects)
        yield from self.send(_sub_batch(batch, [line for line in batch if line not in rejected_lines]))
        return True

    def _attempt(self, batch: Batch) -> Flow[bool]:
        self._requests += 1
        return (self._once if self._has_unexplained_error else self._send)(batch)


def _names_lines(error: WriteError) -> bool:
    """Return whether the message of an error says that single lines are the reason."""
    return bool(_ABOUT_LINES.search(error.message))


def _may_be_about_lines(error: WriteError) -> bool:
    """Return whether single lines may be the reason of an error that does not say so.

    InfluxDB 1.6 responds to a point with exactly 100 tags with a 500 without a message, and a proxy responds with a 502
    if the server crashes.
    """
    if isinstance(error, ServerUnavailable):
        return error.status >= 500 and error.status != 503
    return error.status in {400, 422} and not _ABOUT_REQUEST.search(error.message)


def _line_too_large(error: PayloadTooLarge, batch: Batch) -> PayloadTooLarge:
    line = _only_line(batch)
    message = f"{error.message}: a single line of {len(batch.data)} bytes is too large, {short_repr(line)}"
    return PayloadTooLarge(error.status, message, error.headers, error.body)


def _only_line(batch: Batch) -> str:
    return _decode(next(iter(batch), batch.data))


def _identified_lines(batch: Batch, error: WriteError) -> list[RejectedLine] | None:
    """Return the rejected lines if the error identifies them and all others are stored, otherwise None.

    The server reports the number of dropped points for one reason and one shard only, so it identifies the lines only
    if it is the number of all lines. It reports the lines that it could not parse after it has stored the others.
    """
    lines = [_decode(line) for line in batch]
    dropped = error.dropped if isinstance(error, PartialWriteError) else 0
    if len(lines) in {1, dropped}:
        return [RejectedLine(line, _reason(error)) for line in lines]
    if dropped:
        return None
    reasons: dict[str, list[str]] = {}
    for line, reason in error.rejected:
        reasons.setdefault(line.strip(_BLANK), []).append(reason)
    found = [RejectedLine(line, left.pop(0)) for line in lines if (left := reasons.get(line.strip(_BLANK)))]
    # A message with quoted lines is ambiguous, and a very long one is truncated, so the lines must match the batch.
    is_complete = bool(found) and len(found) == len(error.rejected) and len(error.body) < BODY_LIMIT
    return found if is_complete and (isinstance(error, PartialWriteError) or len(found) == len(lines)) else None


def _conflicting_lines(batch: Batch, error: WriteError) -> tuple[list[bytes], str] | None:
    """Return the lines with the conflicting field and type and the reason, if their number is the one of the error."""
    conflict = find_conflict(error.message)
    if conflict is None or not isinstance(error, PartialWriteError):
        return None
    found: list[bytes] = []
    for line in batch:
        try:
            [point] = parse_lines(line, precision=batch.precision)
        except SerializationError:  # the server reports unparsable lines separately
            continue
        value = point["fields"].get(conflict["field"])
        if point["measurement"] == conflict["measurement"] and _TYPES.get(type(value)) == conflict["type"]:
            found.append(line)
    return (found, _reason(error)) if found and len(found) == error.dropped else None


def _sub_batch(batch: Batch, lines: Sequence[bytes]) -> Batch:
    """Return a batch of some lines of another batch."""
    return Batch(b"\n".join(lines), len(lines), batch.precision, batch.timed)


def _possibly_rejected(batch: Batch, error: WriteError) -> list[RejectedLine]:
    """Return all lines of a batch with an unknown subset of rejected lines."""
    dropped = error.dropped if isinstance(error, PartialWriteError) else 0
    note = f"one of {batch.lines} lines, of which {dropped or 'some'} were rejected"
    return [RejectedLine(_decode(line), f"{_reason(error)} ({note})") for line in batch]


def _reason(error: WriteError) -> str:
    """Return the reason in an error's message, without the count and the line."""
    if len(error.rejected) == 1:
        return error.rejected[0][1]
    return _AROUND_REASON.sub("", error.message)


def _decode(line: bytes) -> str:
    return line.decode(errors="replace")
