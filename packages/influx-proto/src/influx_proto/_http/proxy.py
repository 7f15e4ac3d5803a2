"""The HTTP proxy of a client, from its `proxy` argument or the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from urllib.parse import unquote

from .auth import basic
from .server import Server, invalid_url_message, netloc, split_url, url_host, url_netloc


@dataclass(frozen=True, slots=True)
class Proxy:
    """The address of an HTTP proxy and the credentials for it; the repr omits the credentials."""

    host: str
    port: int
    #: The value of the `Proxy-Authorization` header.
    authorization: str | None = field(default=None, repr=False)

    @property
    def netloc(self) -> str:
        """Host and port, with an IPv6 address in brackets."""
        return netloc(self.host, self.port)

    @property
    def url(self) -> str:
        """The proxy's URL, without credentials."""
        return f"http://{url_netloc(self.host, self.port)}"

    @property
    def headers(self) -> dict[str, str]:
        """The headers for the proxy, which must not reach the server."""
        return {} if self.authorization is None else {"Proxy-Authorization": self.authorization}


def proxy_for(server: Server, proxy: str | None, environ: Mapping[str, str]) -> Proxy | None:
    """Return the proxy for a server, or None to connect directly.

    Args:
        server: the server of the client.
        proxy: the URL of the proxy; empty for no proxy; None to read `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`.
        environ: the environment variables.

    Raises:
        ValueError: the URL is not that of an HTTP proxy; the message omits credentials.
    """
    if proxy is not None:
        return _parsed("proxy", proxy) if proxy else None
    name = "https_proxy" if server.ssl else "http_proxy"
    if name in environ:
        found = environ[name]
    elif name == "http_proxy" and "REQUEST_METHOD" in environ:
        return None  # in a CGI program, HTTP_PROXY is the `Proxy` header of an untrusted request
    else:
        name = name.upper()
        found = environ.get(name, "")
    if not found or _is_exempt(server, environ.get("no_proxy", environ.get("NO_PROXY", ""))):
        return None
    return _parsed(name, found)


def _parsed(name: str, url: str) -> Proxy:
    found = split_url(url if "://" in url else f"http://{url}")
    if found is None or found[0].scheme != "http":
        form = "http://[user:password@]host[:port]; only HTTP proxies are supported"
        raise ValueError(invalid_url_message(name, url, form))
    parts, port = found
    authorization = None
    if parts.username is not None:
        try:
            authorization = basic(unquote(parts.username), unquote(parts.password or ""))
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    return Proxy(url_host(parts), 80 if port is None else port, authorization)


def _is_exempt(server: Server, no_proxy: str) -> bool:
    """Return whether `NO_PROXY` matches the server by host, domain, port, network, or `*`."""
    for entry in (part.strip().lower() for part in no_proxy.split(",")):
        host, colon, port = entry.rpartition(":")
        if colon and port.isdigit() and (":" not in host or host.startswith("[")):
            if int(port) != server.port:
                continue
            entry = host  # noqa: PLW2901 - the rest of the entry
        if entry == "*" or (entry and _is_within(server.host.lower(), entry.strip("[]"))):
            return True
    return False


def _is_within(host: str, entry: str) -> bool:
    try:
        return ip_address(host) in ip_network(entry, strict=False)
    except ValueError:  # one of the two is a name
        name = entry.removeprefix("*").lstrip(".")
        return host == name or host.endswith(f".{name}")
