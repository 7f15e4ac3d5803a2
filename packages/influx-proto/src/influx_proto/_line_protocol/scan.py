r"""Scanner for one line of line protocol, which repeats the steps of InfluxDB 1.x.

The server uses several scanners that interpret a backslash differently: names end at a separator *without a backslash
before it*, but the passes over the field set skip *the byte after a backslash*. Few lines are affected, but for these
only the server's own steps show which points it stores, so each step in this module corresponds to one of them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from .._time import FIRST, LAST
from .escape import MAX_KEY_SIZE

BOOLEANS: Final = {word: word in {"t", "T", "true", "True", "TRUE"} for word in (
    "t", "T", "true", "True", "TRUE", "f", "F", "false", "False", "FALSE",
)}  # fmt: skip

_END_OF_MEASUREMENT: Final = re.compile(rb"(?<!\\)[, ]")
_END_OF_TAG_PART: Final = re.compile(rb"(?<!\\)[=, ]")
_END_OF_FIELD_KEY: Final = re.compile(rb"(?<!\\)=")
_NOT_BLANK: Final = re.compile(rb"[^ \t\0]")

#: Special characters of the field set, before its fields are separated.
_FIELD_MARK: Final = re.compile(rb'[\\"=, ]')
_VALUE: Final = re.compile(rb"[^, ]*+")
#: The value of a field, up to the comma: in a value, a backslash escapes only a quote or a backslash.
_FIELD_VALUE: Final = re.compile(rb'(?:\\["\\]|"(?:\\["\\]|[^"])*+(?:"|\Z)|[^",])*+', re.DOTALL)

_CLOSED: Final = re.compile(rb'"(?:\\["\\]|[^"])*+"', re.DOTALL)

_INTEGER: Final = re.compile(rb"-?[0-9]+i")
_UNSIGNED: Final = re.compile(rb"[0-9]+u")
_FLOAT: Final = re.compile(rb"-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
#: Characters that the server's first check accepts as a float; it parses them in a second step.
_LIKE_FLOAT: Final = re.compile(rb"-?(?:[0-9]|(?<!^)[eE]|(?<=[eE])[+-])*+(?:\.(?:[0-9]|[eE]|(?<=[eE])[+-])*+)?")

_TYPES: Final = {float: "float", int: "integer", bool: "boolean", str: "string"}

#: Reason why a line is rejected that the server accepts.
UNREACHABLE: Final = 'measurement has two backslashes before one of ,= " or a space; no query finds such points'

_ESCAPED_IN_NAME: Final = re.compile(rb'\\([,= "])')
_ESCAPED_IN_MEASUREMENT: Final = re.compile(rb"\\([, ])")
_ESCAPED_IN_TAG: Final = re.compile(rb"\\([,= ])")
_ESCAPED_IN_STRING: Final = re.compile(rb'\\(["\\])')


class ScanError(Exception):
    """A line is rejected, with the reason in the server's words and the index of the byte."""

    def __init__(self, reason: str, at: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.at = at


class _Field(NamedTuple):
    """A field of a line, with its key and value as they are escaped, and the index of each."""

    key: bytes
    at: int
    value: bytes
    value_at: int


class Series(NamedTuple):
    """The part of a line before its fields."""

    measurement: str
    tags: dict[str, str]
    #: Index of the space after it.
    end: int


def scan_line(line: bytes, unit: int, *, unsigned: bool) -> dict[str, Any] | None:
    """Return the point of a line, or None if the line is blank or a comment.

    Raises:
        ScanError: the server would reject the line.
    """
    begin = _skip_blank(line, 0)
    if line[begin : begin + 1] in {b"", b"#"}:
        return None
    if line.endswith(b"\n"):  # after a backslash, so that it does not end the line
        line = line[:-1]
    measurement, tags, end = scan_series(line, begin)
    if end - begin > MAX_KEY_SIZE:
        raise ScanError(_too_long(end - begin), begin)
    fields_begin = _skip_blank(line, end)
    fields_end = _scan_fields(line, fields_begin, unsigned=unsigned)
    separated = list(_separate_fields(line, (fields_begin, fields_end), end - begin))
    time = _scan_time(line, fields_end, unit)  # the server reads the values later
    if "time" in tags:
        raise ScanError(f'invalid tag key: input tag "time" on measurement "{measurement}" is invalid', begin)
    fields = _read_fields(separated, measurement, unsigned=unsigned)
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
    """Return whether the server stores the line in a series that no query finds.

    The server's index unescapes the measurement once more than its storage. The two names differ if a backslash remains
    before a character that can be escaped.
    """
    found = _END_OF_MEASUREMENT.search(line, begin + 1)
    assert found is not None  # noqa: S101 - the line was scanned before
    return _ESCAPED_IN_NAME.search(_ESCAPED_IN_NAME.sub(rb"\1", line[begin : found.start()])) is not None


def scan_series(line: bytes, begin: int) -> Series:
    """Return the measurement and tags of a line.

    Raises:
        ScanError: the server would reject them.
    """
    if line[begin : begin + 1] in {b"", b","}:
        raise ScanError("missing measurement", begin)
    found = _END_OF_MEASUREMENT.search(line, begin + 1)
    if found is None:
        raise ScanError("missing fields", len(line))
    # The server unescapes the measurement twice when it stores the series key.
    name = _ESCAPED_IN_MEASUREMENT.sub(rb"\1", _ESCAPED_IN_NAME.sub(rb"\1", line[begin : found.start()]))
    measurement = _decode(name, begin)
    tags: dict[str, str] = {}
    duplicates: list[int] = []
    while found[0] == b",":
        at = found.end()
        if line[at : at + 1] in {b"", b" ", b",", b"="}:
            raise ScanError("missing tag key", at)
        found = _END_OF_TAG_PART.search(line, at + 1)
        if found is None or found[0] != b"=":
            raise ScanError("missing tag value", found.start() if found else len(line))
        key = _decode(_ESCAPED_IN_TAG.sub(rb"\1", line[at : found.start()]), at)
        at = found.end()
        if line[at : at + 1] in {b"", b" ", b","}:
            raise ScanError("missing tag value", at)
        # The first byte may be any other character: `t==` is a tag with the value `=`.
        found = _END_OF_TAG_PART.search(line, at + 1)
        if found is None:
            raise ScanError("missing fields", len(line))
        if found[0] == b"=":
            raise ScanError("invalid tag format", found.start())
        duplicates += [at] if key in tags else []
        tags[key] = _decode(_ESCAPED_IN_TAG.sub(rb"\1", line[at : found.start()]), at)
    if duplicates:  # the server looks for duplicates after it has scanned all tags
        raise ScanError("duplicate tags", duplicates[0])
    return Series(measurement, tags, found.start())


def _scan_fields(line: bytes, begin: int, *, unsigned: bool) -> int:
    """Check all values that are not strings, and return the end of the field set."""
    end = len(line)
    is_quoted = False
    equals = commas = 0
    at = begin
    while mark := _FIELD_MARK.search(line, at):
        at = mark.end()
        character = mark[0]
        if character == b"\\":
            at += at < end
        elif character == b'"':
            if equals > commas:
                is_quoted = not is_quoted
        elif is_quoted:
            pass
        elif character == b"=":
            equals += 1
            at = _scan_value(line, mark.start(), unsigned=unsigned)
        elif character == b",":
            commas += 1
        else:
            end = mark.start()
            break
    if is_quoted:
        raise ScanError("unbalanced quotes", len(line))
    if equals == 0 or commas != equals - 1:
        raise ScanError("invalid field format", begin)
    return end


def _scan_value(line: bytes, equals: int, *, unsigned: bool) -> int:
    """Check the key and value around a `=`; return the end of the value, or the index of its opening quote."""
    if line[equals - 1 : equals] in {b" ", b","} and line[equals - 2 : equals - 1] != b"\\":
        raise ScanError("missing field key", equals)
    at = equals + 1
    first = line[at : at + 1]
    if first in {b"", b",", b" "}:
        raise ScanError("missing field value", at)
    if first == b'"':
        return at
    value = _VALUE.match(line, at)
    assert value is not None  # noqa: S101 - the pattern matches the empty string
    if first in b"0123456789.-Nn":
        _check_number(value[0], at, unsigned=unsigned)
    elif value[0].decode("latin-1") not in BOOLEANS:
        raise ScanError("invalid boolean", at)
    return value.end()


def _check_number(encoded: bytes, at: int, *, unsigned: bool) -> None:
    if _INTEGER.fullmatch(encoded):
        if not -(2**63) <= _int(encoded[:-1]) < 2**63:
            raise ScanError(_out_of_range("integer", "ParseInt", encoded), at)
    elif unsigned and _UNSIGNED.fullmatch(encoded):
        if _int(encoded[:-1]) >= 2**64:
            raise ScanError(_out_of_range("unsigned", "ParseUint", encoded), at)
    elif not _FLOAT.fullmatch(encoded):
        is_scientific = _LIKE_FLOAT.fullmatch(encoded) and b"e" in encoded.lower()
        raise ScanError("invalid float" if is_scientific else "invalid number", at)
    elif math.isinf(float(encoded)):
        raise ScanError("invalid float", at)


def _separate_fields(line: bytes, span: tuple[int, int], series_size: int) -> Iterator[_Field]:
    """Yield the fields of a field set that `_scan_fields` has checked."""
    at, end = span
    while at < end:
        found = _END_OF_FIELD_KEY.search(line, at, end)
        # A byte before the key cannot escape the first byte of the key.
        equals = at if line[at : at + 1] == b"=" else found.start() if found else end
        key = line[at:equals]
        if equals > end - 2:
            raise ScanError(f"invalid value: field-key={key.decode(errors='replace')}", at)
        if series_size + 4 + len(key) > MAX_KEY_SIZE:
            raise ScanError(_too_long(series_size + 4 + len(key)), at)
        value = _FIELD_VALUE.match(line, equals + 1, end)
        assert value is not None  # noqa: S101 - as above
        yield _Field(key, at, value[0], equals + 1)
        at = value.end() + 1


def _read_fields(separated: list[_Field], measurement: str, *, unsigned: bool) -> dict[str, Any]:
    """Return the fields by their keys."""
    fields: dict[str, Any] = {}
    for raw, at, encoded, value_at in separated:
        key = _decode(_ESCAPED_IN_NAME.sub(rb"\1", raw), at)
        value = _read_value(encoded, value_at, unsigned=unsigned)
        if key in fields and key != "time" and type(fields[key]) is not type(value):
            new, old = _TYPES[type(value)], _TYPES[type(fields[key])]
            msg = f'input field "{key}" on measurement "{measurement}" is type {new}, already exists as type {old}'
            raise ScanError(f"field type conflict: {msg}", at)
        fields[key] = value
    return fields


def _read_value(encoded: bytes, at: int, *, unsigned: bool) -> Any:
    first = encoded[:1]
    if first == b'"':
        if _CLOSED.match(encoded) is None:  # the server panics
            raise ScanError("unbalanced quotes", at)
        # Like the server, remove the last byte without checking that it is the closing quote.
        return _decode(_ESCAPED_IN_STRING.sub(rb"\1", encoded[1:-1]), at + 1)
    if (boolean := BOOLEANS.get(encoded.decode("latin-1"))) is not None:
        return boolean
    # Checked again: after a backslash before a `=`, the scanners disagree and may have checked other bytes.
    _check_number(encoded, at, unsigned=unsigned)
    return _int(encoded[:-1]) if encoded.endswith((b"i", b"u")) else float(encoded)


def _scan_time(line: bytes, begin: int, unit: int) -> int | None:
    at = _skip_blank(line, begin)
    encoded, _, rest = line[at:].partition(b" ")
    if not encoded:
        return None
    digits = encoded.removeprefix(b"-")
    if digits and not digits.isdigit():
        raise ScanError("bad timestamp", at)
    if not digits:
        raise ScanError('strconv.ParseInt: parsing "-": invalid syntax', at)
    number = _int(encoded)
    if not -(2**63) <= number < 2**63:
        raise ScanError(f'strconv.ParseInt: parsing "{encoded.decode()}": value out of range', at)
    ns = number * unit
    if not FIRST <= ns <= LAST:
        raise ScanError(f"time outside range {FIRST} - {LAST}", at)
    if rest.strip(b" "):
        raise ScanError("point is invalid", at + len(encoded))
    return ns


def _skip_blank(line: bytes, at: int) -> int:
    found = _NOT_BLANK.search(line, at)
    return found.start() if found else len(line)


def _int(encoded: bytes) -> int:
    digits = encoded.lstrip(b"-").lstrip(b"0")
    # Python rejects integers of more than some thousand digits; 21 digits are enough to be out of range.
    number = int(digits[:21] or b"0")
    return -number if encoded.startswith(b"-") else number


def _decode(data: bytes, at: int) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise ScanError("invalid UTF-8", at + error.start) from None


def _too_long(size: int) -> str:
    return f"max key length exceeded: {size} > {MAX_KEY_SIZE}"


def _out_of_range(number_type: str, function: str, encoded: bytes) -> str:
    number = encoded[:-1].decode()
    return f'unable to parse {number_type} {number}: strconv.{function}: parsing "{number}": value out of range'
