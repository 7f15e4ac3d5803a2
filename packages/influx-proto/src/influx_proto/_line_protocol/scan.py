r"""One line of line protocol, read step by step as InfluxDB 1.x does.

The server reads with several scanners that do not agree in all cases on what a backslash hides: names end at a
separator *without a backslash before it*, while the passes over the field set skip *the byte after a backslash*. Lines
that come out differently are rare, and nobody writes them on purpose; but what the server stores then is what it says,
so each step here is one of its steps.
"""

from __future__ import annotations

import math
import re
from typing import Any, Final, NamedTuple

from .._time import FIRST, LAST
from .escape import LONGEST_KEY

BOOLEANS: Final = {text: text in {"t", "T", "true", "True", "TRUE"} for text in (
    "t", "T", "true", "True", "TRUE", "f", "F", "false", "False", "FALSE",
)}  # fmt: skip

_END_OF_MEASUREMENT: Final = re.compile(rb"(?<!\\)[, ]")
_END_OF_TAG_KEY: Final = re.compile(rb"(?<!\\)[=, ]")
_END_OF_TAG_VALUE: Final = re.compile(rb"(?<!\\)[=, ]")
_END_OF_FIELD_KEY: Final = re.compile(rb"(?<!\\)=")
_NO_BLANK: Final = re.compile(rb"[^ \t\0]")

#: What matters in the field set, before it is known where its fields begin and end.
_FIELD_MARK: Final = re.compile(rb'[\\"=, ]')
_VALUE: Final = re.compile(rb"[^, ]*+")
#: The value of a field, up to the comma: here a backslash hides a quote or a backslash and nothing else.
_FIELD_VALUE: Final = re.compile(rb'(?:\\["\\]|"(?:\\["\\]|[^"])*+(?:"|\Z)|[^",])*+', re.DOTALL)

_CLOSED: Final = re.compile(rb'"(?:\\["\\]|[^"])*+"', re.DOTALL)

_INTEGER: Final = re.compile(rb"-?[0-9]+i")
_UNSIGNED: Final = re.compile(rb"[0-9]+u")
_FLOAT: Final = re.compile(rb"-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
#: What the server takes for a float at first sight, and only then tries to read.
_LIKE_FLOAT: Final = re.compile(rb"-?(?:[0-9]|(?<!^)[eE]|(?<=[eE])[+-])*+(?:\.(?:[0-9]|[eE]|(?<=[eE])[+-])*+)?")

_TYPES: Final = {float: "float", int: "integer", bool: "boolean", str: "string"}

#: Why a line is rejected that the server accepts.
UNREACHABLE: Final = 'measurement has two backslashes before one of ,= " or a space; no query finds such points'

_ESCAPED_IN_NAME: Final = re.compile(rb'\\([,= "])')
_ESCAPED_IN_MEASUREMENT: Final = re.compile(rb"\\([, ])")
_ESCAPED_IN_TAG: Final = re.compile(rb"\\([,= ])")
_ESCAPED_IN_STRING: Final = re.compile(rb'\\(["\\])')


class ScanError(Exception):
    """A line is refused: why, in the server's words, and at which byte."""

    def __init__(self, reason: str, at: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.at = at


class Series(NamedTuple):
    """What a line has before its fields."""

    measurement: str
    tags: dict[str, str]
    #: Where it ends: at the space.
    end: int


def scan_line(line: bytes, unit: int, *, unsigned: bool) -> dict[str, Any] | None:
    """Read a line; None for a blank one and for a comment.

    Raises:
        ScanError: the server would refuse it.
    """
    begin = _skip_blank(line, 0)
    if line[begin : begin + 1] in {b"", b"#"}:
        return None
    if line.endswith(b"\n"):  # after a backslash, which hid it
        line = line[:-1]
    measurement, tags, end = scan_series(line, begin)
    if end - begin > LONGEST_KEY:
        raise ScanError(_too_long(end - begin), begin)
    fields_begin = _skip_blank(line, end)
    fields_end = _scan_fields(line, fields_begin, unsigned=unsigned)
    fields = _read_fields(line, (fields_begin, fields_end), end - begin, unsigned=unsigned)
    time = _scan_time(line, fields_end, unit)
    if "time" in tags:
        raise ScanError(f'invalid tag key: input tag "time" on measurement "{measurement}" is invalid', begin)
    if "time" in fields:
        del fields["time"]
        if not fields:
            raise ScanError(
                f'invalid field name: input field "time" on measurement "{measurement}" is invalid', fields_begin
            )
    if b"\\\\" in line[begin:end] and _is_unreachable(line, begin):
        raise ScanError(UNREACHABLE, begin)
    return {"measurement": measurement, "tags": tags, "fields": fields, "time": time}


def _is_unreachable(line: bytes, begin: int) -> bool:
    """Whether the server stores the line, but in a series that no query finds.

    Its index unescapes the measurement once more than its storage: their names differ if a backslash is left before a
    character that can be escaped.
    """
    found = _END_OF_MEASUREMENT.search(line, begin + 1)
    assert found is not None  # noqa: S101 - the line was read before
    return _ESCAPED_IN_NAME.search(_ESCAPED_IN_NAME.sub(rb"\1", line[begin : found.start()])) is not None


def scan_series(line: bytes, begin: int) -> Series:
    """Read measurement and tags.

    Raises:
        ScanError: the server would refuse them.
    """
    if line[begin : begin + 1] in {b"", b","}:
        raise ScanError("missing measurement", begin)
    found = _END_OF_MEASUREMENT.search(line, begin + 1)
    if found is None:
        raise ScanError("missing fields", len(line))
    # The server does this twice where it keeps the name of a series.
    name = _ESCAPED_IN_MEASUREMENT.sub(rb"\1", _ESCAPED_IN_NAME.sub(rb"\1", line[begin : found.start()]))
    measurement = _text(name, begin)
    tags: dict[str, str] = {}
    while found[0] == b",":
        at = found.end()
        if line[at : at + 1] in {b"", b" ", b",", b"="}:
            raise ScanError("missing tag key", at)
        found = _END_OF_TAG_KEY.search(line, at + 1)
        if found is None or found[0] != b"=":
            raise ScanError("missing tag value", found.start() if found else len(line))
        key = _text(_ESCAPED_IN_TAG.sub(rb"\1", line[at : found.start()]), at)
        at = found.end()
        if line[at : at + 1] in {b"", b" ", b","}:
            raise ScanError("missing tag value", at)
        # The first byte may be anything else: `t==` is a tag with the value `=`.
        found = _END_OF_TAG_VALUE.search(line, at + 1)
        if found is None:
            raise ScanError("missing fields", len(line))
        if found[0] == b"=":
            raise ScanError("invalid tag format", found.start())
        if key in tags:
            raise ScanError("duplicate tags", at)
        tags[key] = _text(_ESCAPED_IN_TAG.sub(rb"\1", line[at : found.start()]), at)
    return Series(measurement, tags, found.start())


def _scan_fields(line: bytes, begin: int, *, unsigned: bool) -> int:
    """Find the end of the field set, checking the values that are not strings on the way."""
    size = len(line)
    quoted = False
    equals = commas = 0
    at = begin
    while mark := _FIELD_MARK.search(line, at):
        at = mark.end()
        sign = mark[0]
        if sign == b"\\":
            at += at < size
        elif sign == b'"':
            if equals > commas:
                quoted = not quoted
        elif quoted:
            pass
        elif sign == b"=":
            equals += 1
            at = _scan_value(line, mark.start(), unsigned=unsigned)
        elif sign == b",":
            commas += 1
        else:
            size = mark.start()
            break
    if quoted:
        raise ScanError("unbalanced quotes", len(line))
    if equals == 0 or commas != equals - 1:
        raise ScanError("invalid field format", begin)
    return size


def _scan_value(line: bytes, equals: int, *, unsigned: bool) -> int:
    """Look at what is around a `=`; give the index after the value, or of the quote that opens it."""
    if line[equals - 1 : equals] in {b" ", b","} and line[equals - 2 : equals - 1] != b"\\":
        raise ScanError("missing field key", equals)
    at = equals + 1
    first = line[at : at + 1]
    if first in {b"", b",", b" "}:
        raise ScanError("missing field value", at)
    if first == b'"':
        return at
    value = _VALUE.match(line, at)
    assert value is not None  # noqa: S101 - it matches anything, and be it nothing
    if first in b"0123456789.-Nn":
        _check_number(value[0], at, unsigned=unsigned)
    elif value[0].decode("latin-1") not in BOOLEANS:
        raise ScanError("invalid boolean", at)
    return value.end()


def _check_number(text: bytes, at: int, *, unsigned: bool) -> None:
    if _INTEGER.fullmatch(text):
        if not -(2**63) <= _int(text[:-1]) < 2**63:
            raise ScanError(_out_of_range("integer", "ParseInt", text), at)
    elif unsigned and _UNSIGNED.fullmatch(text):
        if _int(text[:-1]) >= 2**64:
            raise ScanError(_out_of_range("unsigned", "ParseUint", text), at)
    elif not _FLOAT.fullmatch(text):
        scientific = _LIKE_FLOAT.fullmatch(text) and b"e" in text.lower()
        raise ScanError("invalid float" if scientific else "invalid number", at)
    elif math.isinf(float(text)):
        raise ScanError("invalid float", at)


def _read_fields(line: bytes, between: tuple[int, int], series: int, *, unsigned: bool) -> dict[str, Any]:
    """Take the field set apart, of which it is known by now that its values are well formed."""
    fields: dict[str, Any] = {}
    at, end = between
    while at < end:
        found = _END_OF_FIELD_KEY.search(line, at, end)
        # What is before the first byte of the key hides nothing.
        equals = at if line[at : at + 1] == b"=" else found.start() if found else end
        raw = line[at:equals]
        if equals > end - 2:
            raise ScanError(f"invalid value: field-key={raw.decode(errors='replace')}", at)
        if series + 4 + len(raw) > LONGEST_KEY:
            raise ScanError(_too_long(series + 4 + len(raw)), at)
        key = _text(_ESCAPED_IN_NAME.sub(rb"\1", raw), at)
        value = _FIELD_VALUE.match(line, equals + 1, end)
        assert value is not None  # noqa: S101 - as above
        read = _read_value(value[0], equals + 1, unsigned=unsigned)
        if key in fields and type(fields[key]) is not type(read):
            one, other = _TYPES[type(read)], _TYPES[type(fields[key])]
            raise ScanError(
                f'field type conflict: input field "{key}" is type {one}, already exists as type {other}', at
            )
        fields[key] = read
        at = value.end() + 1
    return fields


def _read_value(text: bytes, at: int, *, unsigned: bool) -> Any:
    first = text[:1]
    if first == b'"':
        if _CLOSED.match(text) is None:  # the server panics
            raise ScanError("unbalanced quotes", at)
        # Whatever comes last is taken for the closing quote.
        return _text(_ESCAPED_IN_STRING.sub(rb"\1", text[1:-1]), at + 1)
    if (boolean := BOOLEANS.get(text.decode("latin-1"))) is not None:
        return boolean
    # Looked at once more: where a backslash before a `=` makes the scanners disagree, this may be another text.
    _check_number(text, at, unsigned=unsigned)
    return _int(text[:-1]) if text.endswith((b"i", b"u")) else float(text)


def _scan_time(line: bytes, begin: int, unit: int) -> int | None:
    at = _skip_blank(line, begin)
    text, _, rest = line[at:].partition(b" ")
    if not text:
        return None
    digits = text.removeprefix(b"-")
    if digits and not digits.isdigit():
        raise ScanError("bad timestamp", at)
    if not digits:
        raise ScanError('strconv.ParseInt: parsing "-": invalid syntax', at)
    number = _int(text)
    if not -(2**63) <= number < 2**63:
        raise ScanError(f'strconv.ParseInt: parsing "{text.decode()}": value out of range', at)
    ns = number * unit
    if not FIRST <= ns <= LAST:
        raise ScanError(f"time outside range {FIRST} - {LAST}", at)
    if rest.strip(b" "):
        raise ScanError("point is invalid", at + len(text))
    return ns


def _skip_blank(line: bytes, at: int) -> int:
    found = _NO_BLANK.search(line, at)
    return found.start() if found else len(line)


def _int(text: bytes) -> int:
    digits = text.lstrip(b"-").lstrip(b"0")
    # Python refuses to read integers of more than some thousand digits; of these, 21 are as good.
    number = int(digits[:21] or b"0")
    return -number if text.startswith(b"-") else number


def _text(data: bytes, at: int) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise ScanError("invalid UTF-8", at + error.start) from None


def _too_long(length: int) -> str:
    return f"max key length exceeded: {length} > {LONGEST_KEY}"


def _out_of_range(kind: str, function: str, text: bytes) -> str:
    number = text[:-1].decode()
    return f'unable to parse {kind} {number}: strconv.{function}: parsing "{number}": value out of range'
