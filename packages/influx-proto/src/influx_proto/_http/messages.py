"""HTTP messages as values: `Request`, `Headers` and `Response`.

An adapter, or a program with its own HTTP library, sends `method`, `target`, `headers` and `body` unchanged. `target`
is already percent-encoded; encoding it again would alter the query.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Generic, TypeAlias, TypeVar
from urllib.parse import quote

from .observer import Watch
from .timeout import Timeout

Body: TypeAlias = bytes | Iterable[bytes]

BodyT = TypeVar("BodyT")


#: A valid value of a header: visible ASCII, with spaces and tabs in between.
HEADER_VALUE: Final = re.compile(r"(?:[!-~](?:[ \t!-~]*[!-~])?)?")


class Repeat(enum.Enum):
    """Whether a request may be sent again after a failure that leaves its outcome unknown."""

    #: The request is idempotent: reads, and points with timestamps.
    ALWAYS = enum.auto()
    #: Only if the server cannot have processed the request: points that the server stamps.
    UNLESS_RECEIVED = enum.auto()
    #: The request is a statement that changes the server.
    NEVER = enum.auto()


class Headers(Mapping[str, str]):
    """Read-only mapping of HTTP headers with case-insensitive names.

    The values of a repeated header are joined by `", "`, as HTTP specifies.

    Args:
        fields: a mapping, or pairs of name and value; bytes are decoded as UTF-8.
    """

    __slots__ = ("_by_name", "_pairs")

    def __init__(self, fields: Mapping[str, str] | Iterable[tuple[str, str] | tuple[bytes, bytes]] = ()) -> None:
        pairs: Any = fields if isinstance(fields, tuple) else fields.items() if isinstance(fields, Mapping) else fields
        self._pairs: tuple[tuple[str, str] | tuple[bytes, bytes], ...] = tuple(pairs)
        self._by_name: dict[str, tuple[str, str]] | None = None

    def _index(self) -> dict[str, tuple[str, str]]:
        """Index the fields on first use, because most responses to writes never need it."""
        fields: dict[str, tuple[str, str]] = {}
        for name, value in self._pairs:
            if isinstance(name, bytes):
                name = name.decode(errors="replace")  # noqa: PLW2901 - a call for each would take longer
            if isinstance(value, bytes):
                value = value.decode(errors="replace")  # noqa: PLW2901 - as above
            key = name.lower()
            earlier = fields.get(key)
            fields[key] = (name, value) if earlier is None else (earlier[0], f"{earlier[1]}, {value}")
        self._by_name = fields  # assigned once complete, because another thread may read it
        return fields

    def __getitem__(self, name: str) -> str:
        return (self._by_name or self._index())[name.lower()][1]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in (self._by_name or self._index())

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in (self._by_name or self._index()).values())

    def __len__(self) -> int:
        return len(self._by_name or self._index())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({dict(self)!r})"


@dataclass(slots=True, repr=False)  # treated as immutable; creating a frozen one takes several times as long
class Request:
    """One HTTP request. A client adds the path prefix of its server, its credentials and its settings."""

    method: str
    #: Path and query string, percent-encoded, ready for the request line.
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    #: The body: bytes, or an iterable of bytes that every attempt iterates from the start.
    body: Body = b""
    repeat: Repeat = Repeat.ALWAYS
    #: Whether a client adds its database (`db=`).
    wants_db: bool = False
    #: Whether the server accepts a compressed body.
    compressible: bool = False
    #: The timeouts of each attempt.
    timeout: Timeout = Timeout()
    #: Function that returns the token, called just before each attempt.
    token: Callable[[], str | Awaitable[str]] | None = None
    #: The observer that is notified of the request.
    watch: Watch | None = None
    #: Whether a client adds its database to the body, a JSON object.
    wants_db_in_body: bool = False
    #: Whether a client adds its organization (`org=`).
    wants_org: bool = False
    #: The target for a client with a bucket; the client adds its bucket and organization instead of its database.
    bucket_target: str | None = None

    @property
    def size(self) -> int | None:
        """Length of the body in bytes; None for an iterable body."""
        return len(self.body) if isinstance(self.body, bytes) else None

    def __repr__(self) -> str:
        # The repr omits headers, which carry credentials, and the body, which may be large or secret.
        size = "a streamed body" if self.size is None else f"{self.size} bytes"
        return f"<Request {self.method} {self.target}, {size}>"


@dataclass(slots=True, eq=False)
class Response(Generic[BodyT]):
    """A response whose body has not been read yet; the `open` method of a transport yields it."""

    status: int
    headers: Headers
    #: Chunks of the body as they arrive: an iterator for a sync adapter, an async iterator for an async one.
    body: BodyT


def encode_params(params: Iterable[tuple[str, str]]) -> str:
    """Return parameters encoded for a query string or form body; only RFC 3986's unreserved characters stay as is."""
    return "&".join([f"{_quoted(name)}={_quoted(value)}" for name, value in params])


def _quoted(part: str) -> str:
    return part if part.isascii() and part.isalnum() else quote(part, safe="")


def add_params(target: str, params: Iterable[tuple[str, str]]) -> str:
    """Return a request target with parameters appended."""
    encoded = encode_params(params)
    return f"{target}{'&' if '?' in target else '?'}{encoded}" if encoded else target


@lru_cache(maxsize=64)
def add_db(target: str, db: str) -> str:
    """Return a request target with the database appended; programs repeat their targets."""
    return add_params(target, [("db", db)])


#: The media types of MessagePack, CSV and JSON Lines responses.
MESSAGE_PACK: Final = frozenset({"application/x-msgpack", "application/msgpack"})
CSV: Final = frozenset({"text/csv", "application/csv"})
JSON_LINES: Final = frozenset({"application/jsonl", "application/x-ndjson"})


def media_type(content_type: str | None) -> str:
    """Return the media type of a `Content-Type` header, in lower case and without parameters."""
    return (content_type or "").partition(";")[0].strip().lower()
