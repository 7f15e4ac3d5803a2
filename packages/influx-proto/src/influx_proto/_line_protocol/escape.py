r"""Names, tag values and texts as line protocol writes them, and which it cannot write. Nowhere else is escaped.

InfluxDB 1.x takes a backslash for an escape only before the characters that mean something where it stands:

- measurement: `,` and space are escaped. Reading it back, the server also takes the backslash from `\=` and `\"`.
- tag key, tag value: `,` `=` and space are escaped. A backslash before one of them keeps its own: `a\,b` is `a\\,b`.
- field key: as a tag key; and the server takes the backslash from `\"`.
- text of a string field: `"` and `\` are escaped, anything else stands for itself, LF included.

A backslash is never doubled in a name: it would be stored twice. So these cannot be written, and are refused instead
of being repaired:

- nothing at all, which is no name (tag values that are empty are left out by those who call);
- LF, which ends the line, and CR, which no query can name: InfluxQL reads it as LF, which a name cannot have;
- a backslash at the end, which would swallow the separator after it;
- in a measurement or field key: a backslash before a character from whose front the server would take it;
- a measurement that begins with `#`, which is a comment; or with TAB or NUL, which the server skips as it does before
  a field key;
- a tag or field called `time`, the name of the time column;
- lone surrogates, which no encoding can hold.

Beyond single names, `check_line` knows two rules on whole lines.
"""

from __future__ import annotations

import re
from typing import Final

from .._bounded_cache import BoundedCache
from .._errors import SerializationError
from .._repr import short_repr
from .split import end_of_line

#: The longest series key with one field key that InfluxDB stores, four bytes between them.
LONGEST_KEY: Final = 65535

#: Lines up to this length, without this in them, need no `check_line`.
SHORT_LINE: Final = LONGEST_KEY - 4
SUSPICIOUS: Final = b"\\\\ "

#: How many distinct tag values are remembered, and of what length.
_REMEMBERED: Final = 65536
_LONGEST_REMEMBERED: Final = 256

#: The signs that get a backslash before them in a tag value, and those for which it has to be looked at by itself.
TAG_ESCAPED: Final = ",= "
TAG_UNCERTAIN: Final = "\\\n\r"

#: The signs that get a backslash before them in the text of a string field; the backslash itself first.
STRING_ESCAPED: Final = '\\"'

_MEASUREMENT_SPECIAL: Final = re.compile(r"[, ]")
_TAG_SPECIAL: Final = re.compile(rf"[{TAG_ESCAPED}]")
_SWALLOWED: Final = re.compile(r'\\[,= "]')

_SPACE: Final = re.compile(rb"(?<!\\) ")
_FIELD: Final = re.compile(rb'((?:[^\\=]|\\.)*+)=(?:"(?:[^"\\]|\\.)*+"|[^ ,]*+)(?=[ ,]|\Z)', re.DOTALL)


def measurement(name: object) -> str:
    """Escape a measurement.

    Raises:
        SerializationError: it is no text, or cannot be written as it is.
    """
    text = _name(name, "measurement")
    if text[0] == "#":
        msg = f"the measurement {short_repr(text)} begins with '#', which InfluxDB takes for a comment"
        raise SerializationError(msg)
    _check_start(text, "measurement")
    _check_swallowed(text, "measurement")
    return _MEASUREMENT_SPECIAL.sub(r"\\\g<0>", text)


def tag_key(key: object) -> str:
    """Escape a tag key.

    Raises:
        SerializationError: it is no text, or cannot be written as it is.
    """
    text = _name(key, "tag key")
    _check_reserved(text, "tag")
    return _TAG_SPECIAL.sub(r"\\\g<0>", text)


def before_tag(key: object) -> bytes:
    """Give what stands before a tag's value; errors are those of `tag_key`."""
    return b",%b=" % tag_key(key).encode()


def tag_value(value: str) -> str:
    """Escape a tag value that is text already, and not empty.

    Raises:
        SerializationError: it cannot be written as it is.
    """
    return _TAG_SPECIAL.sub(r"\\\g<0>", _name(value, "tag value"))


def field_key(key: object) -> str:
    """Escape a field key.

    Raises:
        SerializationError: it is no text, or cannot be written as it is.
    """
    text = _name(key, "field key")
    _check_reserved(text, "field")
    _check_start(text, "field key")
    _check_swallowed(text, "field key")
    return _TAG_SPECIAL.sub(r"\\\g<0>", text)


def string_value(text: str) -> bytes:
    """Give the text of a string field with the quotes around it.

    Raises:
        SerializationError: it contains a lone surrogate.
    """
    if "\\" in text:
        text = text.replace("\\", "\\\\")
    if '"' in text:
        text = text.replace('"', '\\"')
    try:
        return f'"{text}"'.encode()
    except UnicodeEncodeError:
        return encoded(text, "text")


def check_line(line: bytes) -> None:
    r"""Check what no single name shows: how long the key is, and that the server will see one line.

    The latter fails only where a tag has a backslash before a space. InfluxDB reads tags by looking back one byte, but
    cuts lines by skipping the byte after a backslash; so `\\ ` is an escaped space to the one and the end of the tags
    to the other, for which a quote in a tag or field key may then open a text that hides the end of the line.

    Raises:
        SerializationError: the server would not read this line as it is meant.
    """
    if len(line) > SHORT_LINE:
        _check_key_length(line)
    # Followed by an LF, as it may be: that has to be found, and no earlier one.
    if SUSPICIOUS in line and end_of_line(line + b"\n", 0) != len(line):
        msg = "a backslash before a space in a tag, together with its quotes, would hide the end of the line"
        raise SerializationError(msg)


def _check_key_length(line: bytes) -> None:
    # Only lines of our own come here: in names, an escape is before every sign that would separate.
    separator = _SPACE.search(line)
    series = at = separator.start() if separator else 0
    longest = 0
    while found := _FIELD.match(line, at + 1):
        longest = max(longest, len(found[1]))
        at = found.end()
    length = series + 4 + longest
    if length > LONGEST_KEY:
        msg = f"measurement, tags and field key together have {length} bytes, and InfluxDB stores {LONGEST_KEY} at most"
        raise SerializationError(msg)


def _name(name: object, what: str) -> str:
    """Check what is true for all names, and give the text of one."""
    if not isinstance(name, str):
        msg = f"a {what} must be a str, not {type(name).__name__} ({short_repr(name)})"
        raise SerializationError(msg)
    text = str.__str__(name)  # of subclasses, the text itself
    if not text:
        msg = f"the {what} is empty"
        raise SerializationError(msg)
    if "\n" in text or "\r" in text:
        sign = "a line feed" if "\n" in text else "a carriage return"
        msg = f"the {what} {short_repr(text)} contains {sign}, which line protocol can hold only in string fields"
        raise SerializationError(msg)
    if text[-1] == "\\":
        msg = f"the {what} {short_repr(text)} ends in a backslash, which would swallow the separator after it"
        raise SerializationError(msg)
    if not text.isascii():
        encoded(text, what)
    return text


def _check_start(name: str, what: str) -> None:
    if name[0] in "\t\0":
        sign = "a tab" if name[0] == "\t" else "NUL"
        msg = f"the {what} {short_repr(name)} begins with {sign}, which InfluxDB skips"
        raise SerializationError(msg)


def _check_swallowed(name: str, what: str) -> None:
    if "\\" in name and (found := _SWALLOWED.search(name)):
        msg = f"the {what} {short_repr(name)} has a backslash before {found[0][1]!r}, which InfluxDB would drop"
        raise SerializationError(msg)


def _check_reserved(key: str, what: str) -> None:
    if key == "time":
        msg = f"a {what} cannot be called 'time': that is the name of the time itself"
        raise SerializationError(msg)


def encoded(text: str, what: str) -> bytes:
    """Encode a text in UTF-8.

    Raises:
        SerializationError: it contains a lone surrogate.
    """
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        msg = f"the {what} {short_repr(text)} has a lone surrogate at index {error.start}, which UTF-8 cannot encode"
        raise SerializationError(msg) from None


class TagValues(BoundedCache[str, bytes]):
    """Escaped tag values by plain ones.

    A value that is no `str` exactly must not be looked up: it could equal one and yet be written otherwise.
    """

    def __init__(self) -> None:
        super().__init__(_REMEMBERED)

    def __missing__(self, value: str) -> bytes:
        escaped = tag_value(value).encode()
        return self.remember(value, escaped) if len(value) <= _LONGEST_REMEMBERED else escaped


#: Those of the whole process.
TAG_VALUES: Final = TagValues()
