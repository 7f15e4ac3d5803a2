"""Everything a client was told: where the server is and how to treat it. Values only, shared by every adapter."""

from __future__ import annotations

from _thread import allocate_lock  # noqa: PLC2701 - as functools does, without the whole of `threading`
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from .._http.compression import compressed
from .._http.messages import Request
from .._http.observer import Observer, Watch
from .._http.proxy import Proxy
from .._http.server import Server
from .._http.timeout import Timeout
from .._http.tls import TLS
from .._line_protocol.options import DEFAULT, FieldOptions
from .retry import RetryPolicy

#: Nanoseconds by which a clock may be behind the last time and still be gone ahead of.
_BEHIND: Final = 1_000_000_000
_LOCK: Final = allocate_lock()


class Stamps:
    """The times of a client's clock, each later than all before: of two points of a series at one time, one is lost.

    A clock may stand for some milliseconds, or be set back by as much, and many points come meanwhile. One that is set
    back by more was wrong before.
    """

    def __init__(self) -> None:
        self._last = 0

    def next(self, clock: Callable[[], int]) -> int:
        """Give the next time, in nanoseconds since 1970."""
        now = clock()
        with _LOCK:
            self._last = self._last + 1 if 0 <= self._last - now < _BEHIND else now
            return self._last


@dataclass(frozen=True, slots=True)
class Settings:
    """What a client was told."""

    server: Server = Server()
    #: The database of operations that name none.
    database: str | None = None
    timeout: Timeout = Timeout()
    retry: RetryPolicy = RetryPolicy()
    tls: TLS = TLS()
    #: The path of a socket to connect to instead of the server's host and port.
    unix_socket: str | None = None
    #: The proxy through which the server is reached.
    proxy: Proxy | None = None
    #: Gives the token of each request anew.
    token: Callable[[], str | Awaitable[str]] | None = field(default=None, repr=False)
    #: Who is told of every exchange.
    observer: Observer | None = None
    #: Whether large bodies are compressed.
    gzip: bool = False
    #: Tags of all points that are written, ready-made lines apart; those of a single write, and a point's own, win.
    tags: Mapping[str, object] = field(default_factory=dict)
    #: How the values of fields are written, where a single write does not say otherwise.
    types: FieldOptions = DEFAULT
    #: The times of points that have none, where a write asks for the client's.
    stamps: Stamps = field(default_factory=Stamps, repr=False, compare=False)

    @property
    def address(self) -> str:
        """The server as an error message names it."""
        if self.unix_socket is not None:
            return self.unix_socket
        through = "" if self.proxy is None else f" (through the proxy {self.proxy.netloc})"
        return self.server.netloc + through

    def with_timeout(self, timeout: Timeout | None) -> Settings:
        """Return the settings with another timeout; None changes nothing."""
        return self if timeout is None else replace(self, timeout=timeout)

    def complete(self, request: Request) -> Request:
        """Make a request ready to be sent: all that is in it then is what goes over the wire, the token apart."""
        watch = None if self.observer is None else Watch(self.observer, self.address)
        request = self.server.complete(request, db=self.database, timeout=self.timeout, token=self.token, watch=watch)
        return compressed(request) if self.gzip and request.compressible else request
