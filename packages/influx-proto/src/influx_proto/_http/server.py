"""The address, credentials and headers of a server, and how a request is completed with them."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import SplitResult, quote, urlsplit

from .._checks import check_int, check_str
from .messages import HEADER_VALUE, Body, Request, add_db
from .observer import Watch
from .timeout import Timeout

DEFAULT_PORT = 8086

_FIELD_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
#: Headers that the HTTP library or the core sets.
_RESERVED_HEADERS = {"host", "content-length", "transfer-encoding", "connection", "content-encoding"}
_FORBIDDEN_IN_HOSTS = frozenset('/\\@?#<>[]^|%"` ')


def netloc(host: str, port: int) -> str:
    """Return `host:port`, with an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def url_netloc(host: str, port: int) -> str:
    """Return `host:port` as in a URL, where the zone of an IPv6 address follows `%25`."""
    return netloc(host.replace("%", "%25"), port)


def url_host(parts: SplitResult) -> str:
    """Return the host of a URL, with the zone of an IPv6 address after `%`."""
    host = parts.hostname or ""
    return host.replace("%25", "%", 1) if ":" in host else host


def _checked_host(host: str) -> str:
    """Return a valid host name or address, the latter without the brackets of a URL."""
    address = host.removeprefix("[").removesuffix("]") if ":" in host else None
    try:
        if address is not None:
            ip_address(address)
        else:
            host.encode("idna")  # fails if a label is empty or longer than 63 characters
    except ValueError:
        is_valid = False
    else:
        is_valid = address is not None or (
            bool(host) and host.isprintable() and not _FORBIDDEN_IN_HOSTS.intersection(host)
        )
    if not is_valid:
        raise ValueError(_invalid_host_message(host))
    return host if address is None else address


def _invalid_host_message(host: str) -> str:
    if "@" in host:  # may contain a password, which no message quotes
        return (
            "host: must be a host name or address, without credentials; pass username= and password=, or use from_url()"
        )
    name, _, port = host.rpartition(":")
    if "/" not in host and port.isdecimal() and ":" not in name:
        return f"host: {host!r} contains a port; use host={name!r}, port={int(port)}"
    return f"host: {host!r} is not a host name or address; pass a URL to from_url()"


@dataclass(frozen=True, slots=True)
class Server:
    """The address of a server and the credentials for it; the repr omits the credentials."""

    host: str = "localhost"
    port: int = DEFAULT_PORT
    ssl: bool = False
    #: Path prefix of `/write` and `/query` for a server behind a reverse proxy, without a trailing slash.
    path: str = ""
    #: The value of the `Authorization` header.
    authorization: str | None = field(default=None, repr=False)
    #: Headers of every request, except credentials.
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "host", _checked_host(check_str("host", self.host)))
        check_int("port", self.port, 1, 65535)
        parts = check_str("path", self.path).strip("/")
        path = quote(f"/{parts}" if parts else "", safe="/%~!$&'()*+,;=:@-._")
        object.__setattr__(self, "path", path)
        for name, value in self.headers:
            if not _FIELD_NAME.fullmatch(check_str(f"headers: name {name!r}", name)):
                raise ValueError(f"headers: {name!r} is not a valid header name")
            # The value may be a secret, so the message does not quote it.
            if not HEADER_VALUE.fullmatch(check_str(f"headers: value of {name}", value)):
                msg = f"headers: value of {name}: must be printable ASCII without leading or trailing spaces"
                raise ValueError(msg)
            if name.lower() in _RESERVED_HEADERS:
                raise ValueError(f"headers: {name} is set by the HTTP library; remove it")

    @property
    def netloc(self) -> str:
        """Host and port, with an IPv6 address in brackets."""
        return netloc(self.host, self.port)

    @property
    def address(self) -> str:
        """The host for `Host` and TLS: without the zone of an IPv6 address, which is local to this machine."""
        return self.host.partition("%")[0]

    @property
    def origin(self) -> str:
        """Scheme, host and port: `http://localhost:8086`; the target of a request follows it in a URL."""
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
        """Return the request with path prefix, credentials and headers, and with `db` if it wants a database."""
        target = self.path + request.target
        if db is not None and request.wants_db:
            target = add_db(target, db)
        body = request.body
        if db is not None and request.wants_db_in_body:
            body = _with_db(body, db)
        headers = request.headers + self.headers
        if "%" in self.host:
            headers = (("Host", netloc(self.address, self.port)), *headers)
        if self.authorization is not None:
            headers += (("Authorization", self.authorization),)
        # Not `dataclasses.replace`, which takes several times as long.
        return Request(
            request.method, target, headers, body, request.repeat, False, request.compressible,
            request.timeout if timeout is None else timeout, token or request.token, watch,
        )  # fmt: skip


def _with_db(body: Body, db: str) -> bytes:
    """Return a body, a JSON object, with the database."""
    import msgspec  # noqa: PLC0415 - slow to import, and only queries in SQL need it

    assert isinstance(body, bytes)  # noqa: S101 - for type checkers
    return msgspec.json.encode({"db": db, **msgspec.json.decode(body, type=dict[str, msgspec.Raw])})


def split_url(url: str) -> tuple[SplitResult, int | None] | None:
    """Return the parts and the port of a URL, or None if it has no host or an unescaped character in its password."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    # An unescaped / ? or # in a password ends the host early, and moves the @ into the path, query or fragment.
    is_split_in_password = parts.fragment or "@" in parts.path + parts.query
    return (parts, port) if parts.hostname and port != 0 and not is_split_in_password else None


def invalid_url_message(name: str, url: str, form: str) -> str:
    """Return the message of the error for an invalid URL; it omits a URL that may contain a password."""
    if "@" not in url:
        return f"{name}: {url!r} is not of the form {form}"
    return f"{name}: must be of the form {form}; in usernames and passwords, write / ? # @ as %2F %3F %23 %40"
