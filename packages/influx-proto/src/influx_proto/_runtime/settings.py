"""Everything a client was told: where the server is and how to treat it. Values only, shared by every adapter."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from ._coding import compressed
from ._observer import Observer, Watch
from ._policy import DEFAULT, TypePolicy
from ._proxy import Proxy
from ._retry import RetryPolicy
from ._server import Server
from ._stamps import Stamps
from ._timeout import Timeout
from ._tls import TLS
from ._wire import Request


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
    types: TypePolicy = DEFAULT
    #: The times of points that have none, where a write asks for the client's.
    stamps: Stamps = field(default_factory=Stamps, repr=False, compare=False)

    @property
    def where(self) -> str:
        """The server as an error message names it."""
        if self.unix_socket is not None:
            return self.unix_socket
        through = "" if self.proxy is None else f" (through the proxy {self.proxy.netloc})"
        return self.server.netloc + through

    def complete(self, request: Request) -> Request:
        """Make a request ready to be sent: all that is in it then is what goes over the wire, the token apart."""
        watch = None if self.observer is None else Watch(self.observer, self.where)
        request = self.server.complete(request, db=self.database, timeout=self.timeout, token=self.token, watch=watch)
        return compressed(request) if self.gzip and request.compressible else request
