"""Where the server is and who we are: the address, the credentials, and how both get into a request."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import SplitResult, quote, urlsplit

from .._checks import text
from .messages import HEADER_VALUE, Request, add_db
from .observer import Watch
from .timeout import Timeout

DEFAULT_PORT = 8086

_FIELD_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
#: Header fields that frame a message or concern its connection.
_NOT_OURS = {"host", "content-length", "transfer-encoding", "connection", "content-encoding"}
_NOT_IN_HOSTS = frozenset('/\\@?#<>[]^|%"` ')


def netloc(host: str, port: int) -> str:
    """Write host and port as people do, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def url_netloc(host: str, port: int) -> str:
    """Return host and port as a URL has them, where the zone of an IPv6 address follows `%25`."""
    return netloc(host.replace("%", "%25"), port)


def url_host(parts: SplitResult) -> str:
    """Return the host of a URL, with the zone of an IPv6 address after `%`."""
    host = parts.hostname or ""
    return host.replace("%25", "%", 1) if ":" in host else host


def _checked_host(host: str) -> str:
    """Give a name or address, the latter without the brackets that it has in a URL."""
    if ":" in host:
        address = host.removeprefix("[").removesuffix("]")
        try:
            ip_address(address)
        except ValueError:
            msg = (
                f"host: {host!r} is no IPv6 address; a port is an argument of its own, and a whole URL goes to from_url"
            )
            raise ValueError(msg) from None
        return address
    try:
        host.encode("idna")
    except UnicodeError:  # no name has empty parts, or parts of more than 63 characters
        is_name = False
    else:
        is_name = bool(host) and host.isprintable() and not _NOT_IN_HOSTS.intersection(host)
    if not is_name:
        msg = f"host: {host!r} is not a host name or address (a whole URL goes to from_url)"
        raise ValueError(msg)
    return host


@dataclass(frozen=True, slots=True)
class Server:
    """The address of a server and the credentials it is shown; the latter appear in no repr."""

    host: str = "localhost"
    port: int = DEFAULT_PORT
    ssl: bool = False
    #: What stands before `/write` and `/query`, for a server behind a reverse proxy; without a slash at its end.
    path: str = ""
    #: The value of the `Authorization` header.
    authorization: str | None = field(default=None, repr=False)
    #: Header fields sent with every request, credentials apart.
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "host", _checked_host(text("host", self.host)))
        if isinstance(self.port, bool) or not isinstance(self.port, int) or not 0 < self.port < 65536:
            msg = f"port: must be an integer from 1 to 65535, not {self.port!r}"
            raise ValueError(msg)
        parts = text("path", self.path).strip("/")
        path = quote(f"/{parts}" if parts else "", safe="/%~!$&'()*+,;=:@-._")
        object.__setattr__(self, "path", path)
        for name, value in self.headers:
            if not isinstance(name, str) or not _FIELD_NAME.fullmatch(name):
                msg = f"headers: {name!r} is not a header name"
                raise ValueError(msg)
            if not isinstance(value, str):
                msg = f"headers: the value of {name} must be a str, not {type(value).__name__}"
                raise TypeError(msg)
            if not HEADER_VALUE.fullmatch(value):  # it may be a secret: the message does not quote it
                msg = f"headers: the value of {name} must be printable ASCII without spaces at its ends"
                raise ValueError(msg)
            if name.lower() in _NOT_OURS:
                msg = f"headers: {name} is for the HTTP library to set"
                raise ValueError(msg)

    @property
    def netloc(self) -> str:
        """Host and port, an IPv6 address in brackets."""
        return netloc(self.host, self.port)

    @property
    def address(self) -> str:
        """The host without the zone of an IPv6 address, which only this machine knows: for `Host` and TLS."""
        return self.host.partition("%")[0]

    @property
    def origin(self) -> str:
        """Scheme, host and port: `http://localhost:8086`; a request's target follows it."""
        return f"{'https' if self.ssl else 'http'}://{url_netloc(self.host, self.port)}"

    def complete(
        self,
        request: Request,
        *,
        db: str | None = None,
        timeout: Timeout | None = None,
        token: Callable[[], str | Awaitable[str]] | None = None,
        watch: Watch | None = None,
    ) -> Request:
        """Add path prefix, credentials and header fields, and `db` where the request wants one and has none."""
        target = self.path + request.target
        if db is not None and request.wants_db:
            target = add_db(target, db)
        headers = request.headers + self.headers
        if "%" in self.host:
            headers = (("Host", netloc(self.address, self.port)), *headers)
        if self.authorization is not None:
            headers += (("Authorization", self.authorization),)
        # Made anew rather than by `replace`, which takes several times as long, with every request.
        return Request(
            request.method, target, headers, request.body, request.repeat, False, request.compressible,
            request.timeout if timeout is None else timeout, token or request.token, watch,
        )  # fmt: skip


def split_url(url: str) -> tuple[SplitResult, int | None] | None:
    """Take a URL apart, and give its port; None where it has no host, or was misunderstood because of a password."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    is_cut = parts.fragment or "@" in parts.path + parts.query  # within a password, in which it was not escaped
    return (parts, port) if parts.hostname and port != 0 and not is_cut else None


def not_of_the_form(name: str, url: str, form: str) -> str:
    """Say of a URL that it is none, and not more of one that may have a password in it."""
    if "@" not in url:
        return f"{name}: {url!r} is not of the form {form}"
    return f"{name}: is not of the form {form}; in names and passwords, / ? # @ are written %2F %3F %23 %40"
