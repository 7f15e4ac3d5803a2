"""Where the server is and who we are: the address, the credentials, and how both get into a request."""

from __future__ import annotations

import base64
import re
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from typing import Any
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from ._arguments import text
from ._errors import TransportError
from ._observer import Watch
from ._timeout import Timeout
from ._wire import Request, add_db

DEFAULT_PORT = 8086

_JWT = re.compile(r"eyJ[\w-]*\.[\w-]+\.[\w-]*")
_SCHEMED_TOKEN = re.compile(r"(?:Bearer|Token) \S+")
#: A value that HTTP can carry: visible ASCII, with spaces or tabs only between it.
_FIELD_VALUE = re.compile(r"(?:[!-~](?:[ \t!-~]*[!-~])?)?")
_FIELD_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
#: Header fields that frame a message or concern its connection.
_NOT_OURS = {"host", "content-length", "transfer-encoding", "connection", "content-encoding"}
_URL_SETTINGS = {"database": "database", "db": "database"}
_NOT_IN_HOSTS = frozenset('/\\@?#<>[]^|%"` ')
_CREDENTIALS = ("username", "password", "token")


def authorization(username: str | None, password: str | None, token: str | Callable[[], object] | None) -> str | None:
    """Give the value of the `Authorization` header, or None without credentials, or where a function gives the token.

    A token that is a JSON web token goes out as `Bearer`, which is what InfluxDB 1.x verifies with its shared secret;
    any other as `Token`, which is what 1.8 and later take (`Token user:password`, or a 2.x or 3.x API token). A token
    that names its scheme (`"Bearer abc"`) is sent as it is.

    Raises:
        ValueError: the credentials contradict each other or cannot be carried by HTTP.
    """
    if token is not None:
        if username is not None or password is not None:
            msg = "token: give either a token or a username and password, not both"
            raise ValueError(msg)
        if callable(token):
            return None
        if not token or not _FIELD_VALUE.fullmatch(token):
            msg = "token: must be printable ASCII without spaces at its ends, and not empty; strip() it"
            raise ValueError(msg)
        if _SCHEMED_TOKEN.fullmatch(token):
            return token
        return f"{'Bearer' if _JWT.fullmatch(token) else 'Token'} {token}"
    if username is None:
        if password is not None:
            msg = "password: given without a username"
            raise ValueError(msg)
        return None
    if ":" in username:
        # It may be a password that was appended: the message does not quote it.
        msg = "username: contains ':', which HTTP's basic authentication cannot carry; pass password= separately"
        raise ValueError(msg)
    return basic(username, password or "")


def basic(username: str, password: str) -> str:
    """Return a header's value for HTTP's basic authentication.

    Raises:
        ValueError: the username or password has a lone surrogate; the message quotes neither.
    """
    try:
        credentials = f"{username}:{password}".encode()
    except UnicodeEncodeError:  # which would quote them
        msg = "username, password: contain a lone surrogate, which UTF-8 cannot encode"
        raise ValueError(msg) from None
    return f"Basic {base64.b64encode(credentials).decode('ascii')}"


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


def authorized(request: Request) -> Request:
    """Add the token that a client was told to ask for anew, over a blocking transport.

    Raises:
        TransportError: there is none to be had now: the function raised an OSError. Whatever else it raises is left.
    """
    if request.token is None:
        return request
    try:
        token = request.token()
    except OSError as error:
        raise _no_token(error) from error
    return _with_token(request, token)


async def aauthorized(request: Request) -> Request:
    """Add the token that a client was told to ask for anew, over an awaiting transport; errors are the same."""
    if request.token is None:
        return request
    try:
        token = request.token()
        if isinstance(token, Awaitable):
            token = await token
    except OSError as error:
        raise _no_token(error) from error
    return _with_token(request, token)


def _no_token(error: Exception) -> TransportError:
    return TransportError(f"the function that gives the token failed: {error!r}", maybe_received=False)


def _with_token(request: Request, token: object) -> Request:
    if isinstance(token, Coroutine):
        token.close()  # nobody will await it
    if not isinstance(token, str):
        msg = f"token: the function has to give text, not a {type(token).__name__}"
        raise TypeError(msg)
    header = ("Authorization", authorization(None, None, token) or "")
    return replace(request, headers=(*request.headers, header), token=None)


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
            if not _FIELD_VALUE.fullmatch(value):  # it may be a secret: the message does not quote it
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


def settings_from_url(url: str) -> dict[str, Any]:
    """Read `https://user:password@host:port/prefix?database=name` as keyword arguments of a client.

    A URL without a port means its scheme's own: 443 for https, and InfluxDB's 8086 for http.

    Raises:
        ValueError: this is no such URL; credentials are not repeated in the message.
    """
    found = split_url(text("url", url))
    if found is None or found[0].scheme not in {"http", "https"}:
        form = "http[s]://[user:password@]host[:port][/prefix][?database=name]"
        raise ValueError(not_of_the_form("url", url, form))
    parts, port = found
    ssl = parts.scheme == "https"
    settings: dict[str, Any] = {
        "host": url_host(parts),
        "port": port if port is not None else (443 if ssl else DEFAULT_PORT),
        "ssl": ssl,
        "path": parts.path,
    }
    if parts.username or parts.password:
        settings["username"] = unquote(parts.username or "")
        settings["password"] = unquote(parts.password or "")
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name not in _URL_SETTINGS:
            msg = f"url: unknown parameter {name!r}; known are {', '.join(_URL_SETTINGS)}"
            raise ValueError(msg)
        settings[_URL_SETTINGS[name]] = value
    return settings


def settings_from_env(environ: Mapping[str, str]) -> dict[str, Any]:
    """Read `INFLUXDB_URL`, `INFLUXDB_DATABASE`, `INFLUXDB_USERNAME`, `INFLUXDB_PASSWORD` and `INFLUXDB_TOKEN`.

    The single variables win over what the URL says; without any of them the server is `http://localhost:8086`.
    """
    settings = settings_from_url(environ["INFLUXDB_URL"]) if environ.get("INFLUXDB_URL") else {}
    single = {name: environ.get(f"INFLUXDB_{name.upper()}") for name in ("database", *_CREDENTIALS)}
    return settings_joined(settings, {name: value for name, value in single.items() if value})


def settings_joined(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Join the settings of two sources, of which the later wins: its credentials replace those of the other.

    A password without a user is for the user of the other source.
    """
    after = {name: value for name, value in after.items() if value is not None or name not in _CREDENTIALS}
    replaced: set[str] = set()
    if "token" in after:
        replaced = {"username", "password"}
    elif "username" in after:
        replaced = {"token", "password"} if "username" in before else {"token"}
    return {**{name: value for name, value in before.items() if name not in replaced}, **after}
