"""What crosses to an HTTP stack and back: `Request` out; status, `Headers` and bytes in.

These are values. An adapter, or someone with an HTTP stack of their own, sends `method`, `target`, `headers` and
`body` as they stand: everything in `target` is percent-encoded already, and encoding it again would alter the query.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Generic, TypeAlias, TypeVar, cast
from urllib.parse import quote

from .observer import Watch
from .timeout import Timeout

Body: TypeAlias = bytes | Iterable[bytes]

BodyT = TypeVar("BodyT")


#: A value that a header can have: visible ASCII, with spaces or tabs only between it.
HEADER_VALUE: Final = re.compile(r"(?:[!-~](?:[ \t!-~]*[!-~])?)?")


class Repeat(enum.Enum):
    """Whether a request may be sent a second time when it is not known what became of the first."""

    #: Twice is the same as once: reads, and points that carry their time.
    ALWAYS = enum.auto()
    #: Only if the server cannot have acted on it: points that the server stamps with its own time.
    UNLESS_RECEIVED = enum.auto()
    #: Statements that change the server.
    NEVER = enum.auto()


class Headers(Mapping[str, str]):
    """HTTP header fields, read-only, found by name in any case.

    Several fields of one name are joined by `", "`, which HTTP defines to mean the same.

    Args:
        fields: a mapping, or pairs of name and value; bytes, as they come over the wire, are read as UTF-8.
    """

    __slots__ = ("_found", "_pairs")

    def __init__(self, fields: Mapping[str, str] | Iterable[tuple[str, str] | tuple[bytes, bytes]] = ()) -> None:
        pairs = fields if isinstance(fields, tuple) else fields.items() if isinstance(fields, Mapping) else fields
        self._pairs = cast("tuple[tuple[str, str] | tuple[bytes, bytes], ...]", tuple(pairs))
        self._found: dict[str, tuple[str, str]] | None = None

    @property
    def _fields(self) -> dict[str, tuple[str, str]]:
        if self._found is None:  # made when it is needed, which for most answers to a write is never
            found: dict[str, tuple[str, str]] = {}
            for pair in self._pairs:
                name, value = map(_text, pair)
                key = name.lower()
                before = found.get(key)
                found[key] = (name, value) if before is None else (before[0], f"{before[1]}, {value}")
            self._found = found  # as a whole: another thread may look at it meanwhile
        return self._found

    def __getitem__(self, name: str) -> str:
        return self._fields[name.lower()][1]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._fields

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._fields.values())

    def __len__(self) -> int:
        return len(self._fields)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({dict(self)!r})"


def _text(raw: str | bytes) -> str:
    return raw if isinstance(raw, str) else raw.decode(errors="replace")


@dataclass(slots=True, repr=False)  # never altered; but a frozen one takes several times as long to make
class Request:
    """One HTTP request, complete but for what a client adds: its server's path, its credentials, its settings."""

    method: str
    #: Path and query string, percent-encoded, ready for the request line.
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    #: The body: bytes, or an iterable of bytes that can be iterated anew for every attempt.
    body: Body = b""
    repeat: Repeat = Repeat.ALWAYS
    #: Whether a client with a database of its own adds it (`db=`).
    wants_db: bool = False
    #: Whether the server understands the body also when it is compressed.
    compressible: bool = False
    #: How long to wait for the server.
    timeout: Timeout = Timeout()
    #: Gives the token to send with it, asked for as late as possible.
    token: Callable[[], str | Awaitable[str]] | None = None
    #: Who is told what becomes of it.
    watch: Watch | None = None

    @property
    def size(self) -> int | None:
        """Length of the body in bytes; None where it is only known after it was sent."""
        return len(self.body) if isinstance(self.body, bytes) else None

    def __repr__(self) -> str:
        # Headers carry credentials and bodies may be large or secret: neither is shown.
        size = "a streamed body" if self.size is None else f"{self.size} bytes"
        return f"<Request {self.method} {self.target}, {size}>"


@dataclass(slots=True)
class Response(Generic[BodyT]):
    """An answer whose body is still to be read: what an adapter's `open` gives."""

    status: int
    headers: Headers
    #: Pieces of the body as they arrive: an iterator for a blocking adapter, an asynchronous one otherwise.
    body: BodyT


def encode_params(params: Iterable[tuple[str, str]]) -> str:
    """Encode parameters for a query string or a form body; everything but RFC 3986's unreserved characters is %XX."""
    return "&".join([f"{_quoted(name)}={_quoted(value)}" for name, value in params])


def _quoted(text: str) -> str:
    return text if text.isascii() and text.isalnum() else quote(text, safe="")


def add_params(target: str, params: Iterable[tuple[str, str]]) -> str:
    """Append parameters to a request target."""
    return _with_encoded(target, encode_params(params))


def add_db(target: str, name: str) -> str:
    """Append the database to a request target."""
    return _with_encoded(target, _encoded_db(name))


@lru_cache(maxsize=64)  # a client has but few databases, and names one of them in every request
def _encoded_db(name: str) -> str:
    return encode_params([("db", name)])


def _with_encoded(target: str, params: str) -> str:
    return f"{target}{'&' if '?' in target else '?'}{params}" if params else target


#: The media types of two of the forms that answers have; the third is JSON.
MESSAGE_PACK: Final = frozenset({"application/x-msgpack", "application/msgpack"})
CSV: Final = frozenset({"text/csv", "application/csv"})


def media_type(content_type: str | None) -> str:
    """Give the type that a `Content-Type` names, in lower case and without its parameters."""
    return (content_type or "").partition(";")[0].strip().lower()
