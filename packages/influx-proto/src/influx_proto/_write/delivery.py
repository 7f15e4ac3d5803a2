"""Getting a batch to a server that does not take all of it at once: too large a body, or lines that it refuses.

A body that is too large (413) goes in halves, their order kept. Of a batch with bad lines InfluxDB 1.x stores the good
ones, and says about the others, in a text, what it can:

- which lines it could not parse, each with a reason;
- how many points it dropped for another reason, of which it tells only the first, and not which points these were.

Other servers store none of the lines, and some crash on a line, which is a 5xx without a word about it. A line is
rejected for such an error if it fails by itself, then the server accepts other lines, then it fails again.

What the text does not tell is found by writing the batch again in halves. That stores nothing twice, since a point with
a time replaces itself.
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

#: Says how a batch is sent, tried again where that may help.
Send: TypeAlias = Callable[[Batch], Flow[bool]]

#: What refuses single lines; any other refusal is about the request as a whole.
_ABOUT_LINES: Final = re.compile(
    # A batch that is the first to have a field, and has it with two types, is refused as a whole in these bare words.
    "partial write|^field type conflict|unable to parse|invalid UTF-8|max key length exceeded|time outside range"
)

#: What a 400 says about the request as a whole.
_ABOUT_REQUEST: Final = re.compile(
    "precision|database (?:is )?(?:required|not found)|retention policy not found"
    "|gzip|content.encoding|bucket|organi[sz]ation",
    re.IGNORECASE,
)

_TYPES: Final[dict[type, str]] = {float: "float", int: "integer", bool: "boolean", str: "string"}

_AROUND_REASON: Final = re.compile(r"^partial write: | dropped=\d+.*$", re.DOTALL)

#: What the server skips before a line.
_BLANK: Final = SKIPPED.decode()

#: How many requests may be made to find the rejected lines of a batch before the rest is handed back as it is.
_SEARCH: Final = 200

#: How many lines in a row may fail by themselves before it is checked that the server accepts others.
_ALIKE: Final = 3


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
        if not _names_lines(error):
            raise
        if b"\r\n" in batch.data:
            error.add_note("there are lines that end in CR LF; InfluxDB takes the CR for a part of the line")
        rejected = _named(batch, error)
        if rejected is not None:
            error.rejected = tuple(rejected)
        elif (conflicting := _conflicting(batch, error)) is not None:
            lines, _ = conflicting
            some = f"lines with this field in this type: {len(lines)}, the first: {short_repr(_text(lines[0]))}"
            error.add_note(f"{some}; find_rejected=True finds all that are rejected")
        raise
    for half in halves or ():
        yield from deliver(half, send)


def deliver_accepted(
    batch: Batch, send: Send, *, once: Send | None = None, probe: Callable[[], Flow[bool]] | None = None
) -> Flow[list[RejectedLine]]:
    """Send a batch so that all lines are stored that the server accepts; return the others, in their order.

    Args:
        batch: the lines.
        send: sends a batch, with retries.
        once: sends a batch without retries, to find lines that make the server fail. Defaults to `send`.
        probe: sends other lines, and returns whether the server accepts them. Without it, a server that accepts no
            part of the batch is taken to be unavailable.

    Raises:
        WriteError: the request was refused as a whole, for a reason that is not in its lines; or lines of it were that
            cannot be told from the others, and there are lines without a time, which must not be sent again.
    """
    search = _Search(send, once or send, probe)
    yield from search.over(batch)
    yield from search.finish()
    return _in_order(search.rejected, batch)


def partial_write(rejected: Sequence[RejectedLine]) -> PartialWriteError:
    """Make the error for a write of which these lines were rejected, and all others stored."""
    message = f"{len(rejected)} lines were rejected and all others stored; the first: {rejected[0].reason}"
    error = PartialWriteError(400, message)
    error.dropped = len(rejected)
    error.rejected = tuple(rejected)
    return error


def _in_order(rejected: list[RejectedLine], batch: Batch) -> list[RejectedLine]:
    """Give them in the order of their lines in the batch."""
    if len(rejected) < 2:
        return rejected
    found: dict[str, list[RejectedLine]] = {}
    for one in rejected:
        found.setdefault(one.line, []).append(one)
    in_order = [left.pop(0) for line in batch if (left := found.get(_text(line)))]
    # What remains are parts of an incomplete line, which the batch has as one line.
    return in_order + [one for left in found.values() for one in left]


def ends_complete(data: bytes) -> bool:
    """Return whether the last line ends where the data ends: no quoted string is open, no escape is unfinished."""
    if b'"' not in data and b"\\" not in data:
        return True
    end = 0
    for _, end in lines(data + b"\n"):  # noqa: B007 - the last one counts
        pass
    return end == len(data)


def _separated(batch: Batch) -> list[Batch]:
    """Divide a batch so that its incomplete last line cannot continue into lines after it; empty if it is complete.

    The server reads an incomplete line to the end of the request. What was meant as its continuation cannot be known,
    so it is cut at every LF. Each part that is incomplete by itself is sent by itself.
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
    """Finds the lines that the server refuses."""

    def __init__(self, send: Send, once: Send, probe: Callable[[], Flow[bool]] | None) -> None:
        self._send = send
        self._once = once
        self._probe = probe
        self._requests = 0
        self._is_unexplained = False
        #: The part that was the last to be accepted.
        self._accepted: Batch | None = None
        #: Single lines that failed since a request last succeeded.
        self._suspects: list[tuple[Batch, WriteError]] = []
        self.rejected: list[RejectedLine] = []

    def over(self, batch: Batch) -> Flow[None]:
        try:
            yield from self._try(batch)
        except WriteError as error:
            failure = error
        else:
            self._accepted = batch
            yield from self._confirm()
            return
        for part in (yield from self._divided(batch, failure)):
            yield from self.over(part)

    def finish(self) -> Flow[None]:
        """Decide about the lines that failed since a request last succeeded."""
        if self._suspects:
            yield from self._prove()

    def _divided(self, batch: Batch, error: WriteError) -> Flow[Sequence[Batch]]:
        """Return the parts to send after a batch failed; raises where its lines are not the reason."""
        if isinstance(error, PayloadTooLarge):
            halves = batch.halves()
            if halves is None:
                self.rejected.append(RejectedLine(_only_line(batch), _line_too_large(error, batch).message))
            return halves or ()
        if _names_lines(error):
            return (yield from self._explained(batch, error))
        if not (batch.timed and _may_be_about_lines(error)):
            raise error
        self._is_unexplained = True
        halves = batch.halves()
        if halves is None:
            yield from self._suspect(batch, error)
        return halves or ()

    def _explained(self, batch: Batch, error: WriteError) -> Flow[Sequence[Batch]]:
        separated = _separated(batch) if batch.timed else []
        if separated:
            return separated
        rejected = _named(batch, error)
        if rejected is not None:
            self.rejected += rejected
            return ()
        if not batch.timed:
            raise error
        if self._requests >= _SEARCH:
            self.rejected += _suspected(batch, error)
            return ()
        conflicting = _conflicting(batch, error)
        if conflicting is not None and (yield from self._without(batch, *conflicting)):
            return ()
        return batch.halves() or ()

    def _suspect(self, batch: Batch, error: WriteError) -> Flow[None]:
        """Note that a line failed by itself, for a reason that may not be in the line."""
        if error.status < 500 and self._requests == 1:
            # There is nothing to compare it with, and 400 and 422 say that it is about what was sent.
            self.rejected.append(RejectedLine(_only_line(batch), error.message))
            return
        self._suspects.append((batch, error))
        if len(self._suspects) >= _ALIKE:
            yield from self._prove()

    def _prove(self) -> Flow[None]:
        """Raise the error of the suspected lines unless the server accepts others now."""
        _, error = self._suspects[0]
        if self._accepted is not None:
            try:
                # It was the last to be accepted, so that sending it again does not replace later values.
                yield from self._try(self._accepted)
            except WriteError:
                raise error from None
        elif self._probe is None or not (yield from self._probe()):
            raise error
        yield from self._confirm()

    def _confirm(self) -> Flow[None]:
        """Reject the suspected lines, which failed before others were accepted, if they fail again now."""
        suspects, self._suspects = self._suspects, []
        for batch, error in suspects:
            if error.status >= 500:
                try:
                    yield from self._try(batch)
                except WriteError as again:
                    if (again.status, again.message) != (error.status, error.message):
                        raise
                else:
                    raise error  # the server failed for a while: all is to be sent again in its order
            self.rejected.append(RejectedLine(_only_line(batch), error.message))

    def _without(self, batch: Batch, suspects: list[bytes], reason: str) -> Flow[bool]:
        """Look whether it is these lines that the server refuses, and if so, send the others by themselves.

        It is certain where it refuses all of them once more, since then none of them was stored. Otherwise those that
        were may have replaced what comes later in the batch, and all of it has to be sent again in its order.
        """
        refused = 0
        try:
            yield from self._try(_part(batch, suspects))
        except PartialWriteError as error:
            refused = error.dropped
        except WriteError:
            pass
        if refused != len(suspects):
            return False
        self.rejected += [RejectedLine(_text(line), reason) for line in suspects]
        refused_lines = set(suspects)
        yield from self.over(_part(batch, [line for line in batch if line not in refused_lines]))
        return True

    def _try(self, batch: Batch) -> Flow[bool]:
        self._requests += 1
        return (self._once if self._is_unexplained else self._send)(batch)


def _names_lines(error: WriteError) -> bool:
    """Return whether the text of an error says that single lines are the reason."""
    return bool(_ABOUT_LINES.search(error.message))


def _may_be_about_lines(error: WriteError) -> bool:
    """Return whether single lines may be the reason of an error that does not say so.

    InfluxDB 1.6 answers a point with exactly 100 tags with a bare 500; a proxy makes a 502 of a server that crashes.
    """
    if isinstance(error, ServerUnavailable):
        return error.status >= 500 and error.status != 503
    return error.status in {400, 422} and not _ABOUT_REQUEST.search(error.message)


def _line_too_large(error: PayloadTooLarge, batch: Batch) -> PayloadTooLarge:
    line = _only_line(batch)
    message = f"{error.message}: a single line of {len(batch.data)} bytes is too large, {short_repr(line)}"
    return PayloadTooLarge(error.status, message, error.headers, error.body)


def _only_line(batch: Batch) -> str:
    return _text(next(iter(batch), batch.data))


def _named(batch: Batch, error: WriteError) -> list[RejectedLine] | None:
    """Give the lines that were refused, if it is certain which these are and that all others were stored.

    How many points were dropped is said of one reason, and of one shard. It is certain if these are all there are. And
    the server tells which lines it could not parse once it has stored all that it could.
    """
    lines = [_text(line) for line in batch]
    dropped = error.dropped if isinstance(error, PartialWriteError) else 0
    if len(lines) in {1, dropped}:
        return [RejectedLine(line, _reason(error)) for line in lines]
    if dropped:
        return None
    reasons: dict[str, list[str]] = {}
    for line, reason in error.rejected:
        reasons.setdefault(line.strip(_BLANK), []).append(reason)
    found = [RejectedLine(line, left.pop(0)) for line in lines if (left := reasons.get(line.strip(_BLANK)))]
    # A text that quotes lines is not easily taken apart, and a very long one is cut.
    is_all = bool(found) and len(found) == len(error.rejected) and len(error.body) < BODY_LIMIT
    return found if is_all and (isinstance(error, PartialWriteError) or len(found) == len(lines)) else None


def _conflicting(batch: Batch, error: WriteError) -> tuple[list[bytes], str] | None:
    """Give the lines that have a field with the type that the error complains of, if these are as many as it says."""
    conflict = find_conflict(error.message)
    if conflict is None or not isinstance(error, PartialWriteError):
        return None
    found: list[bytes] = []
    for line in batch:
        try:
            [point] = parse_lines(line, precision=batch.precision)
        except SerializationError:  # which the server would say by itself
            continue
        value = point["fields"].get(conflict["field"])
        if point["measurement"] == conflict["measurement"] and _TYPES.get(type(value)) == conflict["type"]:
            found.append(line)
    return (found, _reason(error)) if found and len(found) == error.dropped else None


def _part(batch: Batch, lines: Sequence[bytes]) -> Batch:
    """Make a batch of some lines of another."""
    return Batch(b"\n".join(lines), len(lines), batch.precision, batch.timed)


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
