r"""Escaping of names, tag values and strings in line protocol; no other module escapes them.

InfluxDB 1.x reads a backslash as an escape only before the characters that are special in that position:

- measurement: `,` and space are escaped. The server also removes the backslash from `\=` and `\"`.
- tag key, tag value: `,` `=` and space are escaped. A backslash before one of them is kept: `a\,b` is `a\\,b`.
- field key: like a tag key, and the server removes the backslash from `\"`.
- value of a string field: `"` and `\` are escaped. All other characters are written unchanged, including LF.

A backslash in a name is never doubled, since the server would store both. So line protocol cannot express the following
names, which are rejected instead of changed:

- an empty name (callers omit empty tag values);
- a name with LF, which ends the line, or CR, which no query can contain: InfluxQL reads it as LF;
- a name that ends in a backslash, which would escape the separator after it;
- a measurement or field key with a backslash before a character for which the server removes it;
- a measurement that begins with `#`, which starts a comment;
- a measurement or field key that begins with TAB or NUL, which the server skips;
- a tag key or field key `time`, the name of the time column;
- a name with a lone surrogate, which UTF-8 cannot encode.

`check_line` checks two more rules, which apply to whole lines. All functions raise `SerializationError`.
"""

from __future__ import annotations

import re
from typing import Final

from .._bounded_cache import BoundedCache
from .._errors import SerializationError
from .._repr import short_repr
from .split import end_of_line

#: Maximum size in bytes of a series key with one field key, including the 4 bytes that InfluxDB puts between them.
MAX_KEY_SIZE: Final = 65535

#: Lines up to this size that do not contain these bytes need no `check_line`.
SHORT_LINE: Final = MAX_KEY_SIZE - 4
SUSPICIOUS: Final = b"\\\\ "

#: Maximum length of a cached tag value.
_MAX_CACHED_LENGTH: Final = 256

#: Characters that are escaped in a tag value, and characters that require `escape_tag_value` to check the value.
TAG_ESCAPED: Final = ",= "
TAG_UNCERTAIN: Final = "\\\n\r"

#: Characters that are escaped in the value of a string field; the backslash has to be the first.
STRING_ESCAPED: Final = '\\"'

_REMOVED_BACKSLASH: Final = re.compile(r'\\[,= "]')

_SPACE: Final = re.compile(rb"(?<!\\) ")
_FIELD: Final = re.compile(rb'((?:[^\\=]|\\.)*+)=(?:"(?:[^"\\]++|\\.)*+"|[^ ,]*+)(?=[ ,]|\Z)', re.DOTALL)


def escape_measurement(name: object) -> str:
    """Return the escaped measurement."""
    plain = _check_name(name, "measurement")
    if plain[0] == "#":
        msg = f"the measurement {short_repr(plain)} begins with '#', which InfluxDB reads as a comment"
        raise SerializationError(msg)
    _check_start(plain, "measurement")
    _check_backslashes(plain, "measurement")
    return plain.replace(",", "\\,").replace(" ", "\\ ")


def escape_tag_key(key: object) -> str:
    """Return the escaped tag key."""
    plain = _check_name(key, "tag key")
    _check_reserved(plain, "tag")
    return _escape_tag(plain)


def encode_tag_prefix(key: object) -> bytes:
    """Return the bytes before the value of a tag; raises the errors of `escape_tag_key`."""
    return b",%b=" % escape_tag_key(key).encode()


def escape_tag_value(value: str) -> str:
    """Return the escaped tag value."""
    return _escape_tag(_check_name(value, "tag value"))


def escape_field_key(key: object) -> str:
    """Return the escaped field key."""
    plain = _check_name(key, "field key")
    _check_reserved(plain, "field")
    _check_start(plain, "field key")
    _check_backslashes(plain, "field key")
    return _escape_tag(plain)


def _escape_tag(plain: str) -> str:
    # Three calls of `replace` are ten times as fast as a regular expression.
    return plain.replace(",", "\\,").replace("=", "\\=").replace(" ", "\\ ")


def encode_string(value: str) -> bytes:
    """Return the escaped value of a string field, with quotes."""
    if "\\" in value:
        value = value.replace("\\", "\\\\")
    if '"' in value:
        value = value.replace('"', '\\"')
    try:
        return f'"{value}"'.encode()
    except UnicodeEncodeError:
        return encode_utf8(value, "string")


def check_line(line: bytes) -> None:
    r"""Check the rules for a whole line: the size of its key, and that the server reads it as one line.

    The second check fails only if a tag has a backslash before a space. InfluxDB's tag parser looks back one byte, but
    its line splitter skips the byte after a backslash. So `\\ ` is an escaped space for the parser, but the end of the
    tags for the splitter, and a quote in a tag or field key may then open a string that hides the end of the line.

    Raises:
        SerializationError: the server would reject the line or read it differently.
    """
    if len(line) > SHORT_LINE:
        _check_key_size(line)
    # The LF after the line has to be the first LF that the server reads as an end of line.
    if SUSPICIOUS in line and end_of_line(line + b"\n", 0) != len(line):
        msg = "a backslash before a space in a tag, together with its quotes, would hide the end of the line"
        raise SerializationError(msg)


def _check_key_size(line: bytes) -> None:
    # The line was encoded by this package, so names contain separators only after a backslash.
    separator = _SPACE.search(line)
    series = at = separator.start() if separator else 0
    longest = 0
    while found := _FIELD.match(line, at + 1):
        longest = max(longest, len(found[1]))
        at = found.end()
    size = series + 4 + longest
    if size > MAX_KEY_SIZE:
        msg = f"measurement, tags and field key together have {size} bytes; InfluxDB allows at most {MAX_KEY_SIZE}"
        raise SerializationError(msg)


def _check_name(name: object, role: str) -> str:
    """Check the rules for all names, and return the name as a `str`."""
    if not isinstance(name, str):
        raise SerializationError(f"a {role} must be a str, not {type(name).__name__} ({short_repr(name)})")
    plain = str.__str__(name)  # subclasses may override `__str__`
    if not plain:
        raise SerializationError(f"the {role} is empty")
    if "\n" in plain or "\r" in plain:
        character = "a line feed" if "\n" in plain else "a carriage return"
        msg = f"the {role} {short_repr(plain)} contains {character}, which line protocol allows only in string fields"
        raise SerializationError(msg)
    if plain[-1] == "\\":
        msg = f"the {role} {short_repr(plain)} ends in a backslash, which would escape the separator after it"
        raise SerializationError(msg)
    if not plain.isascii():
        encode_utf8(plain, role)
    return plain


def _check_start(name: str, role: str) -> None:
    if name[0] in "\t\0":
        character = "a tab" if name[0] == "\t" else "NUL"
        raise SerializationError(f"the {role} {short_repr(name)} begins with {character}, which InfluxDB skips")


def _check_backslashes(name: str, role: str) -> None:
    if "\\" in name and (found := _REMOVED_BACKSLASH.search(name)):
        msg = f"the {role} {short_repr(name)} has a backslash before {found[0][1]!r}, which InfluxDB would drop"
        raise SerializationError(msg)


def _check_reserved(key: str, role: str) -> None:
    if key == "time":
        raise SerializationError(f"a {role} cannot be called 'time', the name of the timestamp column; rename it")


def encode_utf8(value: str, role: str) -> bytes:
    """Return a string encoded in UTF-8."""
    try:
        return value.encode()
    except UnicodeEncodeError as error:
        msg = f"the {role} {short_repr(value)} has a lone surrogate at index {error.start}, which UTF-8 cannot encode"
        raise SerializationError(msg) from None


class TagValues(BoundedCache[str, bytes]):
    """Cache of encoded tag values.

    Only values whose type is exactly `str` may be looked up: an instance of a subclass may equal a cached value, but
    have a different encoding.
    """

    def __init__(self, capacity: int = 65536) -> None:
        super().__init__(capacity)

    def __missing__(self, value: str) -> bytes:
        escaped = escape_tag_value(value).encode()
        return self.remember(value, escaped) if len(value) <= _MAX_CACHED_LENGTH else escaped


#: The cache that all encoders of the process share.
TAG_VALUES: Final = TagValues()
