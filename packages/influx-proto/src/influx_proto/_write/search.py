"""Search for the lines of a batch that the server rejects, while it stores all others.

The status and the structure of a response decide, not its wording:

- Partial write: all other lines are stored. InfluxDB 1.x quotes the lines that it could not parse; of the points that
  it dropped for other reasons it only reports the number, and the first reason.
- Any other 400 or 422: none of the lines counts as stored. If the response names lines, the others are sent again
  without them. Otherwise, halves of the batch are sent.
- 5xx: some servers fail on a line, without mentioning it. A line is rejected because of such an error, or of a 400 or
  422 that names no line, if it fails in a request alone while the server accepts other lines.

Sending lines again stores nothing twice, since a point with a timestamp replaces itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from .._encode.batch import Batch
from .._errors import (
    AuthenticationError,
    DatabaseNotFound,
    PartialWriteError,
    PayloadTooLarge,
    RejectedLine,
    ServerUnavailable,
    WriteError,
)
from .._line_protocol.split import BACKSLASH, QUOTE, lines
from .._repr import short_repr
from .._runtime.flow import Flow
from .rejections import NamedLines, all_rejected, conflicting_lines, locate_lines, reason_of

#: Sends a batch, with retries.
Send: TypeAlias = Callable[[Batch], Flow[bool]]

#: Messages of InfluxDB 1.x about lines that it does not name.
_ABOUT_LINES: Final = re.compile("field type conflict|unable to parse|invalid UTF-8|max key length|time outside range")

#: Messages about the request as a whole, unless the server accepts other lines.
_ABOUT_REQUEST: Final = re.compile(
    "precision|database (?:is )?required|retention policy not found|soft-deleted database"
    "|gzip|content.?(?:encoding|type)|bucket|organi[sz]ation|orgID|query param|`db`|authorization|unsupported path",
    re.IGNORECASE,
)

#: Text in quotes, which may be a line.
_QUOTED: Final = re.compile("'.*'|\".*\"", re.DOTALL)

#: The maximum number of requests to find the rejected lines of partial writes. After them, all remaining lines of a
#: partial write count as rejected; the accepted ones are stored anyway.
_MAX_SEARCH_REQUESTS: Final = 200

#: How often a line that failed alone with a 5xx is sent again after other lines were accepted. Of two servers behind a
#: load balancer, one may be failing; two consecutive requests reach both.
_RECHECKS: Final = 2

#: The number of consecutive lines that may fail alone before a check that the server accepts other lines.
_MAX_SUSPECTS: Final = 3


class WrongLineNamedError(Exception):
    """The server named a line that it accepts, which may have replaced a later value in the batch."""


class Search:
    """Finds the lines that the server rejects.

    Args:
        send: sends a batch, with retries.
        once: sends a batch without retries.
        probe: sends other lines, and returns whether the server accepts them.
        trusts_names: whether the lines that an error names may be omitted at first.
    """

    def __init__(
        self, send: Send, once: Send, probe: Callable[[], Flow[bool]] | None, *, trusts_names: bool = True
    ) -> None:
        self._send = send
        self._once = once
        self._probe = probe
        self._trusts_names = trusts_names
        self._requests = 0
        self._has_unexplained_error = False
        #: The last part that the server accepted.
        self._accepted: Batch | None = None
        #: Single lines that failed after the last successful request.
        self._suspects: list[tuple[Batch, WriteError]] = []
        self._rejected: list[RejectedLine] = []

    def run(self, batch: Batch) -> Flow[list[RejectedLine]]:
        """Send a batch and return its rejected lines.

        Raises:
            WrongLineNamedError: some lines may be stored in another order than that of the batch.
        """
        yield from self._send_parts(batch)
        if self._suspects:
            yield from self._check_suspects()
        return self._rejected

    def _send_parts(self, batch: Batch, *, is_rest: bool = False) -> Flow[bool]:
        """Send a batch, or its parts if it fails. Return whether the server accepted it as a whole.

        Args:
            batch: the lines to send.
            is_rest: whether these are the remaining lines of a batch that failed with an error that named lines.
        """
        failure = yield from self._try(batch)
        if failure is not None:
            yield from self._send_split(batch, failure, is_rest=is_rest)
        return failure is None

    def _try(self, batch: Batch) -> Flow[WriteError | None]:
        """Send a batch and return the error."""
        try:
            yield from self._attempt(batch)
        except WriteError as error:
            return error
        self._accepted = batch
        yield from self._recheck_suspects()
        return None

    def _send_split(self, batch: Batch, error: WriteError, *, is_rest: bool) -> Flow[None]:
        """Send the parts of a batch that failed."""
        for part in (yield from self._split_failed(batch, error, is_rest=is_rest)):
            yield from self._send_parts(part)

    def _split_failed(self, batch: Batch, error: WriteError, *, is_rest: bool) -> Flow[Sequence[Batch]]:
        """Return the parts to send after a batch failed. Raises the error if its lines are not the reason."""
        if isinstance(error, PayloadTooLarge):
            halves = batch.halves()
            if halves is None:
                self._rejected.append(RejectedLine(_only_line(batch), line_too_large(error, batch).message))
            return halves or ()
        if isinstance(error, PartialWriteError) or (_may_be_about_lines(error) and _names_lines(error)):
            return (yield from self._split_explained(batch, error, is_rest=is_rest))
        if not (batch.timed and _may_be_about_lines(error)):
            add_details(error, batch)
            raise error
        if self._accepted is None and _names_request(error):
            return (yield from self._send_halves(batch, error))
        self._has_unexplained_error = True
        halves = batch.halves()
        if halves is None:
            yield from self._suspect(batch, error)
        return halves or ()

    def _split_explained(self, batch: Batch, error: WriteError, *, is_rest: bool) -> Flow[Sequence[Batch]]:
        """Return the parts to send after an error that says that lines are the reason."""
        separated = _split_incomplete(batch) if batch.timed else []
        if separated:
            return separated
        rejected = all_rejected(batch, error)
        if rejected is not None:
            self._rejected += rejected
            bad = {one.line for one in rejected}
            if batch.timed and (stored := [line for line in batch if _decode(line) not in bad]):
                self._accepted = _sub_batch(batch, stored)  # an earlier part would replace these values
            return ()
        if not batch.timed:
            add_details(error, batch)
            raise error
        is_partial = isinstance(error, PartialWriteError)
        has_others = isinstance(error, PartialWriteError) and error.dropped > 0
        named = None if has_others or not self._trusts_names else locate_lines(batch, error)
        if named is not None:
            yield from self._send_rest(batch, named, is_rest=is_rest)
            return ()
        if is_partial and self._requests >= _MAX_SEARCH_REQUESTS:
            self._rejected += _possibly_rejected(batch, error)
            return ()
        conflicting = conflicting_lines(batch, error)
        if conflicting is not None and (yield from self._send_without(batch, *conflicting)):
            return ()
        return batch.halves() or ()

    def _send_rest(self, batch: Batch, named: NamedLines, *, is_rest: bool) -> Flow[None]:
        """Send the lines that an error does not name, and reject the named ones.

        The server may have named a wrong line. It is reliable that it accepts all others, or rejects a line alone.

        Raises:
            WrongLineNamedError: the server accepts a line that it named.
        """
        rest = _sub_batch(batch, [line for index, line in enumerate(batch) if index not in named.lines])
        parts: Sequence[Batch] = (rest,) if rest.lines else ()
        if is_rest:  # a server that names one line at a time would receive the last lines once per rejected line
            parts = rest.halves() or parts
        is_accepted = True
        for part in parts:
            failure = yield from self._try(part)
            if failure is not None:
                if is_accepted:
                    yield from self._check_named(batch, named)
                is_accepted = False
                yield from self._send_split(part, failure, is_rest=True)
        if is_accepted:
            self._rejected += named.lines.values()

    def _check_named(self, batch: Batch, named: NamedLines) -> Flow[None]:
        """Send each line that an error names alone, and reject it if the server does."""
        for line in [line for index, line in enumerate(batch) if index in named.lines]:
            if (yield from self._send_parts(_sub_batch(batch, [line]))):
                raise WrongLineNamedError

    def _send_halves(self, batch: Batch, error: WriteError) -> Flow[Sequence[Batch]]:
        """Send both halves of a batch, and return the parts to send again. Raises the error if both fail.

        If disjoint parts fail alike, the request is the reason, not a line. The second half is sent again after a first
        one that failed, so that the server keeps the later of two values for the same time.
        """
        halves = batch.halves() or ()
        failed: list[int] = []
        for index, part in enumerate(halves):
            failure = yield from self._try(part)
            if failure is not None:
                failed.append(index)
                error = failure if failure.retryable and not error.retryable else error
        if self._accepted is None:
            raise error
        return halves[failed[0] :] if failed else ()

    def _suspect(self, batch: Batch, error: WriteError) -> Flow[None]:
        """Record that a line failed alone, maybe for a reason other than the line."""
        if error.status < 500 and self._requests == 1:
            # No other line was sent, and 400 and 422 mean that the client sent invalid data.
            self._rejected.append(RejectedLine(_only_line(batch), error.message))
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
            except WriteError as failure:
                raise (failure if failure.retryable else error) from None
        elif self._probe is None or not (yield from self._probe()):
            raise error
        yield from self._recheck_suspects()

    def _recheck_suspects(self) -> Flow[None]:
        """Reject the suspects, which failed before other lines were accepted, if they fail again now."""
        suspects, self._suspects = self._suspects, []
        for batch, error in suspects:
            reason = error.message
            for _ in range(_RECHECKS if error.status >= 500 else 0):
                try:
                    yield from self._attempt(batch)
                except PayloadTooLarge as too_large:  # of a proxy, which may respond before the server does
                    reason = line_too_large(too_large, batch).message
                    break
                except WriteError as again:
                    if again.status < 500 and _may_be_about_lines(again):  # now the server identifies the problem
                        reason = reason_of(again)
                        break
                    if (again.status, again.message) != (error.status, error.message):
                        raise
                else:
                    raise error  # the outage was temporary: the caller must send all lines again, in order
            self._rejected.append(RejectedLine(_only_line(batch), reason))

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
        self._rejected += [RejectedLine(_decode(line), reason) for line in suspects]
        rejected_lines = set(suspects)
        yield from self._send_parts(_sub_batch(batch, [line for line in batch if line not in rejected_lines]))
        return True

    def _attempt(self, batch: Batch) -> Flow[bool]:
        self._requests += 1
        return (self._once if self._has_unexplained_error else self._send)(batch)


def add_details(error: WriteError, batch: Batch) -> None:
    """Complete the rejected lines of an error, and note whether the other lines are stored."""
    is_partial = isinstance(error, PartialWriteError)
    if not is_partial and (error.status not in {400, 422} or isinstance(error, DatabaseNotFound)):
        return
    if _names_lines(error) and b"\r\n" in batch.data:
        error.add_note("some lines end in CR LF; InfluxDB reads the CR as part of the line")
    named = locate_lines(batch, error)
    rejected = all_rejected(batch, error)
    remedy = "find_rejected=True" if batch.timed else "find_rejected=True with timestamps (stamp=True adds them)"
    if rejected is not None:
        error.rejected = tuple(rejected)
    elif named is not None:
        error.rejected = tuple(named.lines.values())
    elif (conflicting := conflicting_lines(batch, error)) is not None:
        lines, _ = conflicting
        first = short_repr(_decode(lines[0]))
        found = f"lines with this field in this type: {len(lines)}, the first: {first}"
        error.add_note(f"{found}; {remedy} finds all rejected lines")
    if len(error.rejected) == batch.lines:
        return
    if is_partial:
        error.add_note("all other lines of this request were stored")
    elif named is not None and not named.is_quoted:  # a cluster of InfluxDB 3 stores them, QuestDB does not
        error.add_note(f"the other lines of this request may not be stored; {remedy} stores them")
    elif _names_lines(error) or not _names_request(error):
        error.add_note(f"no line of this request was stored; {remedy} stores all lines but the rejected ones")


def _names_lines(error: WriteError) -> bool:
    """Return whether an error says that single lines are the reason."""
    return bool(error.rejected or _ABOUT_LINES.search(_QUOTED.sub("", error.message)))


def _names_request(error: WriteError) -> bool:
    """Return whether the words of an error suggest that the request is the reason, not its lines."""
    return _ABOUT_REQUEST.search(_QUOTED.sub("", error.message)) is not None


def _may_be_about_lines(error: WriteError) -> bool:
    """Return whether single lines may be the reason of an error.

    InfluxDB 1.6 responds to a point with exactly 100 tags with a 500 without a message, and a proxy responds with a 502
    if the server crashes.
    """
    if isinstance(error, DatabaseNotFound | AuthenticationError):
        return False
    if isinstance(error, ServerUnavailable):
        return error.status >= 500 and error.status != 503
    return error.status in {400, 422} or _names_lines(error)


def line_too_large(error: PayloadTooLarge, batch: Batch) -> PayloadTooLarge:
    """Return the error for a single line that is too large."""
    line = _only_line(batch)
    message = f"{error.message}: a single line of {len(batch.data)} bytes is too large, {short_repr(line)}"
    return PayloadTooLarge(error.status, message, error.headers, error.body)


def _only_line(batch: Batch) -> str:
    return _decode(next(iter(batch), batch.data))


def ends_complete(data: bytes) -> bool:
    """Return whether the last line is complete: it ends outside of a quoted string and of an escape sequence."""
    if QUOTE not in data and BACKSLASH not in data:
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


def _sub_batch(batch: Batch, lines: Sequence[bytes]) -> Batch:
    """Return a batch of some lines of another batch."""
    return Batch(b"\n".join(lines), len(lines), batch.precision, batch.timed)


def _possibly_rejected(batch: Batch, error: WriteError) -> list[RejectedLine]:
    """Return all lines of a batch with an unknown subset of rejected lines."""
    dropped = error.dropped if isinstance(error, PartialWriteError) else 0
    note = f"one of {batch.lines} lines, of which {dropped or 'some'} were rejected"
    return [RejectedLine(_decode(line), f"{reason_of(error)} ({note})") for line in batch]


def _decode(line: bytes) -> str:
    return line.decode(errors="replace")
