"""Rejected lines in error responses to writes: how servers name them, and which lines of the batch they are.

Servers name lines in four ways, of which one response has one:

- InfluxDB 3 sends the number, the first 20 bytes and the reason of each line as `data`: an array if all other lines
  are stored, an object if none is.
- Clusters of InfluxDB 3 and QuestDB send the number of the first line as `line`, and numbers and reasons in the
  message.
- InfluxDB 1.x and 2.x quote the lines in the message.
- VictoriaMetrics quotes the request from the line to the end, escaped as in Go.

The number of a line counts points: not blank lines and comments.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from .._encode.batch import Batch
from .._errors import InfluxDBError, PartialWriteError, RejectedLine, SerializationError, WriteError
from .._http.error_response import BODY_LIMIT, bounded, error_fields, error_message
from .._line_protocol.parse import parse_lines
from .._line_protocol.split import SKIPPED
from .._repr import short_repr

#: The start of the message if all other lines are stored. InfluxDB 2 adds the prefix.
_PARTIAL: Final = re.compile("(?:failure writing points to database: )?partial write")

#: The number of points dropped, at the end of the message, where InfluxDB 1.12 adds the database and the retention
#: policy. The quoted data before it may contain the same text.
_DROPPED: Final = re.compile(r".* dropped=(\d+)(?: for database: .*)?\Z", re.DOTALL)

#: The parts of the message of a field type conflict. The names between them may contain any character.
_CONFLICT: Final = 'field type conflict: input field "'
_CONFLICT_PLACE: Final = '" on measurement "'
_CONFLICT_TYPES: Final = re.compile(r'" is type (\w++), already exists as type (\w++)')

#: The text before and after a line that InfluxDB 1.x and 2.x quote without escaping, including LFs and quotes.
_UNPARSABLE: Final = "unable to parse '"
_LINE_END: Final = "': "
_REASON_END: Final = re.compile(r" dropped=\d")

#: The number and the reason of a line: of QuestDB, and of clusters of InfluxDB 3.
_NUMBERED: Final = re.compile(r"^error (?:in|parsing) line (\d{1,9})(?: \(1-based\))?: (.*)$", re.MULTILINE)

#: A line and the lines after it, quoted by VictoriaMetrics. The closing quote is missing in a truncated message.
_QUOTED_LINES: Final = re.compile(r'incorrect influx line "([^"\\]*+(?:\\.[^"\\]*+)*+)(?:": (.*))?', re.DOTALL)
_ESCAPED_LF: Final = re.compile(r"([^\\]*+(?:\\[^n][^\\]*+)*+)\\n", re.DOTALL)
_GO_ESCAPE: Final = re.compile(rb"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|(.))", re.DOTALL)
_GO_ESCAPES: Final = {b"a": b"\a", b"b": b"\b", b"f": b"\f", b"r": b"\r", b"t": b"\t", b"v": b"\v"}

_TYPES: Final[dict[type, str]] = {float: "float", int: "integer", bool: "boolean", str: "string"}

#: Characters that the server skips before a line.
_BLANK: Final = SKIPPED.decode()


class NamedLines(NamedTuple):
    """The lines of a batch that an error names."""

    #: The rejected lines, by index among the points of the batch.
    lines: Mapping[int, RejectedLine]
    #: Whether the server quotes the lines, at least their start. Otherwise only their numbers are known.
    is_quoted: bool


def with_rejected_lines(error: InfluxDBError) -> InfluxDBError:
    """Return the error of a write with the rejected lines that the response names.

    A `WriteError` whose response says that part of the write was stored is returned as a `PartialWriteError`.
    """
    if not isinstance(error, WriteError):
        return error
    fields = error_fields(error.headers, error.body)
    message = error_message(error.headers, error.body) or error.message  # that of the error is bounded
    data = fields.get("data")
    if type(error) is WriteError and (error.status == 201 or isinstance(data, list) or _PARTIAL.match(message)):
        code = error.code
        error = PartialWriteError(error.status, error.message, error.headers, error.body)
        error.code = code
        dropped = _DROPPED.match(message)
        error.dropped = int(dropped[1]) if dropped else 0
    error.rejected = tuple(_named_lines(message, fields))
    if not fields and (quote := _QUOTED_LINES.search(message)):
        # The lines after the rejected one are other data, which must not get into logs.
        _set_message(error, f"{message[: quote.start(1)]}{_first_quoted(quote[1])}{message[quote.end(1) :]}")
    elif isinstance(data, list | dict) and error.rejected:
        first = error.rejected[0]
        _set_message(error, f"{message}: line {first.number}, {short_repr(first.line)}: {first.reason}")
    if conflict := find_conflict(message):
        error.add_note(
            f"field_types={{{conflict['field']!r}: {conflict['stored']!r}}} writes the field with its stored type"
        )
    return error


def locate_lines(batch: Batch, error: WriteError) -> NamedLines | None:
    """Return the lines of a batch that an error names; None if it names none, or one that the batch does not have."""
    if not error.rejected:
        return None
    lines = [line.decode(errors="replace") for line in batch]
    indexes: dict[str, list[int]] = {}
    for index, line in enumerate(lines):
        indexes.setdefault(line.strip(_BLANK), []).append(index)
    found: dict[int, RejectedLine] = {}
    is_quoted = True
    for named in error.rejected:
        quoted = named.line.strip(_BLANK)
        if named.number is None:
            same = indexes.get(quoted)
            if not same:
                return None
            index = same.pop(0)
        else:
            index = named.number - 1
            # The server may have cut the line within a character.
            if index >= len(lines) or not lines[index].lstrip(_BLANK).startswith(quoted.rstrip("\ufffd")):
                return None
            is_quoted &= bool(quoted)
        found[index] = RejectedLine(lines[index], named.reason, named.number)
    return NamedLines(found, is_quoted)


def all_rejected(batch: Batch, error: WriteError) -> list[RejectedLine] | None:
    """Return the rejected lines if the error identifies all of them and the others are stored, otherwise None.

    InfluxDB reports the number of dropped points for one reason and one shard only, so it identifies the lines only if
    it is the number of all lines. It reports the lines that it could not parse after it has stored the others.
    """
    dropped = error.dropped if isinstance(error, PartialWriteError) else 0
    lines = [line.decode(errors="replace") for line in batch]
    if len(lines) in {1, dropped}:
        number = error.rejected[0].number if len(error.rejected) == 1 else None
        return [RejectedLine(line, reason_of(error), number) for line in lines]
    named = locate_lines(batch, error)
    if dropped or named is None:
        return None
    # A message with quoted lines is ambiguous, and a very long one is truncated, so the lines must match the batch.
    is_complete = named.is_quoted and len(named.lines) == len(error.rejected) and len(error.body) < BODY_LIMIT
    is_partial = isinstance(error, PartialWriteError)
    return list(named.lines.values()) if is_complete and (is_partial or len(named.lines) == len(lines)) else None


def conflicting_lines(batch: Batch, error: WriteError) -> tuple[list[bytes], str] | None:
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
    return (found, reason_of(error)) if found and len(found) == error.dropped else None


def reason_of(error: WriteError) -> str:
    """Return the reason in an error's message, without the count and the line."""
    if len(error.rejected) == 1:
        return error.rejected[0][1]
    message = error.message
    if (dropped := _DROPPED.match(message)) is not None:
        message = message[: dropped.start(1)].removesuffix(" dropped=")
    partial = _PARTIAL.match(message)
    return message if partial is None else message[partial.end() :].removeprefix(": ")


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


def _named_lines(message: str, fields: Mapping[str, Any]) -> Iterator[RejectedLine]:
    """Return the lines that a response names, with what it says about them."""
    data, first = fields.get("data"), _as_number(fields.get("line"))
    if isinstance(data, list | dict):
        for item in data if isinstance(data, list) else (data,):
            if isinstance(item, dict) and (number := _as_number(item.get("line_number"))) is not None:
                line, reason = str(item.get("original_line") or ""), str(item.get("error_message") or message)
                yield RejectedLine(line, bounded(reason), number)
    elif first is not None:
        numbered = {int(number): reason for number, reason in _NUMBERED.findall(message)} or {first: message}
        for number, reason in numbered.items():
            yield RejectedLine("", bounded(reason), number)
    elif not fields and (quote := _QUOTED_LINES.search(message)):
        yield RejectedLine(_unescape(_first_quoted(quote[1])), bounded(quote[2] or message[: quote.start()]))
    else:
        yield from unparsable_lines(message)


def _as_number(value: object) -> int | None:
    return value if isinstance(value, int) and value > 0 and value is not True else None


def _first_quoted(quoted: str) -> str:
    """Return the first of the lines that Go quoted."""
    escaped = _ESCAPED_LF.match(quoted)
    return quoted if escaped is None else escaped[1]


def _unescape(quoted: str) -> str:
    """Return the text that Go quoted, with invalid UTF-8 replaced."""
    return _GO_ESCAPE.sub(_unescaped_bytes, quoted.encode()).decode(errors="replace")


def _unescaped_bytes(escape: re.Match[bytes]) -> bytes:
    byte, short, long, other = escape.groups()
    if byte is not None:
        return bytes([int(byte, 16)])
    if other is not None:
        return _GO_ESCAPES.get(other, other)
    return chr(int(short or long, 16)).encode(errors="replace")


def _set_message(error: WriteError, message: str) -> None:
    """Replace the message, also in the arguments from which the error is pickled."""
    error.message = bounded(message)
    error.args = (error.args[0], error.message, *error.args[2:])


def unparsable_lines(message: str) -> Iterator[RejectedLine]:
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
            yield RejectedLine(message[line:end], bounded(message[reason:position]))
            break
