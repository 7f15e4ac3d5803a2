"""Settings of a client, and the clock of its timestamps."""

from __future__ import annotations

import re
from _thread import allocate_lock  # noqa: PLC2701 - as functools does, without the whole of `threading`
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from .._checks import given_params
from .._http.compression import compress_request
from .._http.formats import Formats
from .._http.messages import Request, add_params
from .._http.observer import Observer, Watch
from .._http.proxy import Proxy
from .._http.server import Server
from .._http.timeout import Timeout
from .._http.tls import TLS
from .._line_protocol.options import DEFAULT, FieldOptions
from .retry import RetryPolicy

#: Nanoseconds by which the clock may be behind the last timestamp before timestamps follow it back.
_MAX_BEHIND: Final = 1_000_000_000
_LOCK: Final = allocate_lock()


class Stamps:
    """Strictly increasing timestamps from a clock: InfluxDB keeps one of two points of a series at the same time.

    The clock may not advance between many points, or may be set back a little: the timestamps still increase. If it is
    set back by more than a second, it was wrong before, and the timestamps follow it.
    """

    def __init__(self) -> None:
        self._last = 0

    def next(self, clock: Callable[[], int]) -> int:
        """Return the next timestamp, in nanoseconds since 1970."""
        now = clock()
        with _LOCK:
            self._last = self._last + 1 if 0 <= self._last - now < _MAX_BEHIND else now
            return self._last


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a client."""

    server: Server = Server()
    #: The default database of operations.
    database: str | None = None
    #: The bucket of writes, and of queries without a database: `/api/v2/write` receives it instead of a database.
    bucket: str | None = None
    #: The organization of the bucket.
    org: str | None = None
    timeout: Timeout = Timeout()
    retry: RetryPolicy = RetryPolicy()
    tls: TLS = TLS()
    #: The path of a Unix socket to connect to instead of the server's host and port.
    unix_socket: str | None = None
    #: The HTTP proxy.
    proxy: Proxy | None = None
    #: Token function, called before each attempt.
    token: Callable[[], str | Awaitable[str]] | None = field(default=None, repr=False)
    #: Receives notifications of requests.
    observer: Observer | None = None
    #: Whether large bodies are compressed.
    gzip: bool = False
    #: Tags added to all points, except in raw line protocol; tags of a write and of a point take precedence.
    tags: Mapping[str, object] = field(default_factory=dict)
    #: Default options for encoding field values.
    types: FieldOptions = DEFAULT
    #: The timestamps of a write with `stamp=True`.
    stamps: Stamps = field(default_factory=Stamps, repr=False, compare=False)
    #: The response formats of the server.
    formats: Formats = field(default_factory=Formats, repr=False, compare=False)

    @property
    def address(self) -> str:
        """The server as error messages name it."""
        if self.unix_socket is not None:
            return self.unix_socket
        through = "" if self.proxy is None else f" (through the proxy {self.proxy.netloc})"
        return self.server.netloc + through

    def with_timeout(self, timeout: Timeout | None) -> Settings:
        """Return the settings with another timeout; None keeps the current one."""
        return self if timeout is None else replace(self, timeout=timeout)

    def complete(self, request: Request) -> Request:
        """Return the request ready to be sent; only the token of a token function is still missing.

        Raises:
            ValueError: the request requires a database, and the settings have none.
        """
        watch = None if self.observer is None else Watch(self.observer, self.address)
        if request.wants_org or (request.wants_db and self.bucket is not None):
            request = self._with_bucket(request)
        db = self.database
        if request.wants_db_in_body and (db := db or self.bucket) is None:
            raise ValueError("db: the query needs a database; pass db= here, or database= to the client")
        request = self.server.complete(request, db=db, timeout=self.timeout, token=self.token, watch=watch)
        return compress_request(request) if self.gzip and request.compressible else request

    @property
    def default_db(self) -> str | None:
        """The database of operations without one: that of the client, or of its bucket."""
        return self.database if self.bucket is None or self.database is not None else self.bucket.partition("/")[0]

    def _with_bucket(self, request: Request) -> Request:
        """Return the request with the bucket and the organization in its target.

        InfluxQL addresses a bucket as a database and a retention policy, which its name separates with "/".
        """
        if request.wants_db and self.bucket is not None:
            if request.bucket_target is not None:
                params = given_params(bucket=self.bucket, org=self.org)
                return replace(request, target=add_params(request.bucket_target, params), wants_db=False)
            if self.database is None:
                has_rp = re.search("[?&]rp=", request.target) is not None
                rp = None if has_rp else self.bucket.partition("/")[2] or None
                params = given_params(db=self.default_db, rp=rp)
                request = replace(request, target=add_params(request.target, params), wants_db=False)
        if request.wants_org and self.org is not None:
            request = replace(request, target=add_params(request.target, [("org", self.org)]), wants_org=False)
        return request
