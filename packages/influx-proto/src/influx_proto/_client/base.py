"""Base of the sync and async clients, free of any event loop or HTTP library.

`operations` binds each operation once for both. An adapter subclasses `Client` or `AsyncClient` and implements
`_make_transport`.
"""

from __future__ import annotations

import inspect
import os
import warnings
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, Literal, NoReturn, Self, TypeVar

from .._checks import check_bool, check_instance, check_mapping, check_optional_str, check_path
from .._http.auth import authorization
from .._http.observer import Observer
from .._http.proxy import proxy_for
from .._http.server import DEFAULT_PORT, Server
from .._http.timeout import Timeout, TimeoutLike, as_timeout
from .._http.tls import TLS, Cert
from .._line_protocol.options import DEFAULT, FieldType
from .._runtime.retry import RetryPolicy, as_retry_policy
from .._runtime.settings import Settings
from .._version import __version__
from .config import merge_settings, settings_from_env, settings_from_url
from .keywords import explains_keywords
from .operations import Operations

if TYPE_CHECKING:
    from ssl import SSLContext


T = TypeVar("T")
SessionT = TypeVar("SessionT")


def _caller_stacklevel() -> int:
    """Return the stack level of the first caller outside these packages, for `warnings.warn`."""
    level = 0
    frame = inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0].startswith("influx_"):
        frame = frame.f_back
        level += 1
    return level


class BaseClient(Operations, Generic[SessionT]):
    """The settings and the life cycle of `Client` and `AsyncClient`."""

    #: The `User-Agent` header: the adapter and its HTTP library.
    user_agent: str = f"influx-proto/{__version__}"

    @explains_keywords
    def __init__(
        self,
        host: str = "localhost",
        port: int = DEFAULT_PORT,
        *,
        database: str | None = None,
        bucket: str | None = None,
        org: str | None = None,
        username: str | None = None,
        password: str | None = None,
        token: str | Callable[[], str | Awaitable[str]] | None = None,
        ssl: bool = False,
        verify: bool | str | os.PathLike[str] | SSLContext = True,
        cert: Cert | None = None,
        path: str = "",
        unix_socket: str | os.PathLike[str] | None = None,
        headers: Mapping[str, str] | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike | None = None,
        retry: RetryPolicy | int | None = None,
        gzip: bool = False,
        tags: Mapping[str, object] | None = None,
        unsigned: bool = False,
        nonfinite: Literal["raise", "omit"] = "raise",
        field_types: Mapping[str, FieldType] | None = None,
        integers_as_floats: bool = False,
        observer: Observer | None = None,
        session: SessionT | None = None,
    ) -> None:
        """Create a client. It opens the first connection when it sends the first request.

        Args:
            host: the name or address of the server.
            port: the port of the server.
            database: the default database of operations; also `client.db`.
            bucket: the bucket of InfluxDB 2.x, or of another server with `/api/v2/write`, that receives all writes
                without `db=`. Without a database, queries in InfluxQL use it as well: as the database, or, in the form
                `database/retention-policy`, as both.
            org: the organization of the bucket.
            username: the username for basic authentication.
            password: the password for basic authentication.
            token: a JSON Web Token or an API token, instead of username and password. `"Bearer <token>"` selects a
                scheme; otherwise it is `Bearer` for a JSON Web Token, and `Token`. A function is called before each
                attempt and returns the token; an async client accepts a coroutine function too.
            ssl: whether to use TLS.
            verify: certificate verification. True uses the system trust store; a path names a file of the only trusted
                CA certificates; an `ssl.SSLContext` replaces all TLS settings; False disables verification, with a
                warning.
            cert: the client certificate: the path of a PEM file with certificate and key, a tuple of both paths, or a
                tuple of both paths and the password of the key.
            path: path prefix of `/write` and `/query` for a server behind a reverse proxy.
            unix_socket: the path of a Unix socket to connect to, instead of host and port.
            headers: headers to send with every request.
            proxy: the URL of an HTTP proxy; empty for no proxy. By default the client reads `HTTP_PROXY`,
                `HTTPS_PROXY` and `NO_PROXY`.
            timeout: the timeouts of requests: a `Timeout`, a number of seconds for `connect`, `idle` and `pool`, or a
                tuple `(connect, idle)`.
            retry: the policy for retries; a number is the maximum number of attempts.
            gzip: whether to compress write bodies of 1 KiB or more, and to request compressed responses.
            tags: tags added to all points, except in raw line protocol. This and the next four arguments are the
                defaults of `write`.
            unsigned: see `write`.
            nonfinite: see `write`.
            field_types: see `write`.
            integers_as_floats: see `write`.
            observer: receives notifications of every request, response and retry.
            session: an existing session of the HTTP library, with its own TLS, proxies and sockets. The client does
                not close it.

        Raises:
            ValueError: an argument has an invalid value; the message begins with its name.
            TypeError: an argument has the wrong type; the message begins with its name.
        """
        token_function = token if callable(token) else None
        for name, value in (
            ("username", username), ("password", password), ("proxy", proxy), ("bucket", bucket), ("org", org),
            ("token", token if token_function is None else None),
        ):  # fmt: skip
            check_optional_str(name, value)
        for name, value in (("bucket", bucket), ("org", org)):
            if value == "":
                raise ValueError(f"{name}: must not be empty; pass None for no {name}")
        check_bool("ssl", ssl)
        check_bool("gzip", gzip)
        headers = {} if headers is None else check_mapping("headers", headers)
        tags = {} if tags is None else check_mapping("tags", tags)
        unix_socket = None if unix_socket is None else check_path("unix_socket", unix_socket)
        if observer is not None:
            check_instance("observer", observer, Observer)
        # influxd needs longer to compress a response than a fast network needs to transfer it uncompressed.
        defaults = {"User-Agent": self.user_agent, "Accept-Encoding": "gzip" if gzip else "identity"}
        header_names = {str(name).lower() for name in headers}
        server = Server(
            host=host,
            port=port,
            ssl=ssl,
            path=path,
            authorization=authorization(username, password, token),
            headers=(
                *((name, value) for name, value in defaults.items() if name.lower() not in header_names),
                *headers.items(),
            ),
        )
        if "authorization" in header_names and (server.authorization is not None or token_function is not None):
            raise ValueError("headers: Authorization conflicts with username or token; pass one of them")
        if unix_socket is not None and (ssl or proxy):
            raise ValueError("unix_socket: cannot be combined with ssl or proxy; remove them")
        if session is not None and (unix_socket is not None or proxy or cert is not None or verify is not True):
            raise ValueError("session: has its own connections; set verify, cert, proxy and unix_socket there")
        if cert is not None and not ssl and session is None:
            raise ValueError("cert: requires TLS; pass ssl=True or use an https:// URL")
        if verify is False and ssl:
            msg = "verify=False: certificates are not verified; anyone on the network path can read and alter all data"
            warnings.warn(msg, stacklevel=_caller_stacklevel())
        uses_proxy = unix_socket is None and session is None
        self.settings = Settings(
            server=server,
            bucket=bucket,
            org=org,
            timeout=Timeout() if timeout is None else as_timeout(timeout),
            retry=as_retry_policy(retry),
            tls=TLS(verify, cert),
            unix_socket=unix_socket,
            proxy=proxy_for(server, proxy, os.environ) if uses_proxy else None,
            token=token_function,
            gzip=gzip,
            observer=observer,
            tags=dict(tags),
            types=DEFAULT.with_overrides(unsigned, nonfinite, field_types, integers_as_floats),
        )
        self.db = database
        self._closed = False
        self._transport: Any = self._make_transport(self.settings, session)

    @abstractmethod
    def _make_transport(self, settings: Settings, session: SessionT | None) -> Any:
        """Return the transport, which opens no connection yet."""

    @classmethod
    def from_url(cls, url: str, **settings: Any) -> Self:
        """Create a client for `https://user:password@host:8086/prefix?database=name`.

        `?bucket=name&org=name` sets the bucket and the organization. The default port is 443 for https, and 8086 for
        http.

        Args:
            url: the URL of the server.
            settings: arguments of the constructor, which take precedence over the URL.

        Raises:
            ValueError: the URL is not of that form, or an argument has an invalid value.
            TypeError: an argument has the wrong type.
        """
        return cls(**merge_settings(settings_from_url(url), settings))

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, /, **settings: Any) -> Self:
        """Create a client from environment variables.

        `INFLUXDB_URL` has the form described at `from_url`. `INFLUXDB_DATABASE`, `INFLUXDB_BUCKET`, `INFLUXDB_ORG`,
        `INFLUXDB_USERNAME`, `INFLUXDB_PASSWORD` and `INFLUXDB_TOKEN` take precedence over it. Without `INFLUXDB_URL`,
        the variables of the official tools apply as well: `INFLUX_HOST`, which is a URL, `INFLUX_TOKEN`, `INFLUX_ORG`,
        `INFLUX_BUCKET` and `INFLUX_DATABASE`.

        Args:
            environ: a mapping to read instead of the environment of the process.
            settings: arguments of the constructor, which take precedence over the variables.

        Raises:
            ValueError: a variable or argument has an invalid value.
            TypeError: an argument has the wrong type.
        """
        return cls(**merge_settings(settings_from_env(os.environ if environ is None else environ), settings))

    @property
    def db(self) -> str | None:
        """The default database of operations. Assign to it to change the database of later calls."""
        return self.settings.database

    @db.setter
    def db(self, name: str | None) -> None:
        if check_optional_str("database", name) == "":
            raise ValueError("database: must not be empty; pass None for no default database")
        self.settings = replace(self.settings, database=name)

    def __reduce__(self) -> NoReturn:
        msg = f"{type(self).__name__} has connections and cannot be copied or pickled; create one in each process"
        raise TypeError(msg)

    def __repr__(self) -> str:
        bucket = "" if self.settings.bucket is None else f", bucket={self.settings.bucket!r}"
        state = ", closed" if self._closed else ""
        url = self.settings.server.origin + self.settings.server.path
        return f"<{type(self).__name__} {url}, db={self.db!r}{bucket}{state}>"

    def _settings_for(self, timeout: TimeoutLike | None) -> Settings:
        """Return the settings of one call."""
        if self._closed:
            raise RuntimeError(f"{self!r} is closed; create a new client")
        return self.settings if timeout is None else self.settings.with_timeout(as_timeout(timeout))

    def _required(self, background: T | None) -> T:
        if background is None:
            raise TypeError(f"{type(self).__name__} does not support batch writers; use write()")
        return background
