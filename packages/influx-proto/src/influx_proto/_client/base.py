"""Both faces of a client, blocking and awaiting. Neither knows an event loop or an HTTP library.

Each operation is bound to both of them once, in `operations`. An adapter subclasses the face it needs and says how
its transport is made.
"""

from __future__ import annotations

import inspect
import os
import warnings
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, Literal, NoReturn, Self, TypeVar

from .._checks import flag
from .._http.auth import authorization
from .._http.observer import Observer
from .._http.proxy import proxy_for
from .._http.server import DEFAULT_PORT, Server
from .._http.timeout import Timeout, as_timeout
from .._http.tls import TLS, Cert
from .._line_protocol.options import DEFAULT, FieldType
from .._runtime.retry import RetryPolicy
from .._runtime.settings import Settings
from .._version import __version__
from .config import settings_from_env, settings_from_url, settings_joined
from .operations import Operations

if TYPE_CHECKING:
    from ssl import SSLContext


T = TypeVar("T")
SessionT = TypeVar("SessionT")


def _outside() -> int:
    """Give the stack level of the first caller that is not of these packages."""
    level = 0
    frame = inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0].startswith("influx_"):
        frame = frame.f_back
        level += 1
    return level


class BaseClient(Operations, Generic[SessionT]):
    """What both faces are told, and remember."""

    #: Names the adapter and its HTTP library in the `User-Agent` header.
    user_agent: str = f"influx-proto/{__version__}"

    def __init__(
        self,
        host: str = "localhost",
        port: int = DEFAULT_PORT,
        *,
        database: str | None = None,
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
        timeout: float | Timeout | None = None,
        retry: RetryPolicy | None = None,
        gzip: bool = False,
        tags: Mapping[str, object] | None = None,
        unsigned: bool = False,
        nonfinite: Literal["raise", "omit"] = "raise",
        field_types: Mapping[str, FieldType] | None = None,
        integers_as_floats: bool = False,
        observer: Observer | None = None,
        session: SessionT | None = None,
    ) -> None:
        """Make a client. Nothing is opened until it is first used.

        Args:
            host: the server's name or address.
            port: the server's port.
            database: the database of operations that name none; also `client.db`.
            username: the user, for basic authentication.
            password: the user's password.
            token: a JSON web token, or an API token, instead of a user; `"<scheme> <token>"` is sent as it is. A
                function is called for each request and gives the token anew (over an awaiting client also a
                coroutine function).
            ssl: whether to talk TLS.
            verify: True to trust whom the system trusts; the path of a file of CA certificates to trust these alone;
                an `ssl.SSLContext` that says all about TLS; or False to trust everybody, which is warned about.
            cert: a client certificate: the path of a PEM file with its key, the paths of both, or these and the key's
                password.
            path: what stands before `/write` and `/query` on a server behind a reverse proxy.
            unix_socket: the path of a socket to connect to, instead of host and port.
            headers: header fields to send with every request.
            proxy: the URL of an HTTP proxy; empty for none, whatever the environment says. Otherwise `HTTP_PROXY`,
                `HTTPS_PROXY` and `NO_PROXY` are followed.
            timeout: how long to wait; a number of seconds means to connect and between two pieces of an answer.
            retry: how often and how long to try again.
            gzip: whether to compress what is written, if it is 1 KiB or more, and to ask for compressed answers.
            tags: tags of all points that are written, ready-made lines apart. This and what follows is for every
                `write` that does not say otherwise.
            unsigned: see `write`, as for the next three.
            nonfinite: see `write`.
            field_types: see `write`.
            integers_as_floats: see `write`.
            observer: is told of every request, its answer, and what is tried again.
            session: the HTTP library's own session to use, which is then not closed with the client. It brings its
                own TLS, proxies and sockets.

        Raises:
            ValueError: an argument is wrong; the message begins with its name.
            TypeError: the same, where it is of another type.
        """
        for name, value, kind in (
            ("retry", retry, RetryPolicy), ("observer", observer, Observer), ("headers", headers, Mapping),
            ("tags", tags, Mapping), ("username", username, str), ("password", password, str), ("proxy", proxy, str),
            ("path", path, str), ("token", None if callable(token) else token, str),
        ):  # fmt: skip
            if value is not None and not isinstance(value, kind):
                msg = f"{name}: must be a {kind.__name__}, not {type(value).__name__}"
                raise TypeError(msg)
        flag("ssl", ssl)
        flag("gzip", gzip)
        ask_for_token = token if callable(token) else None
        # Compressed answers take influxd longer to make than a fast network takes to carry them plain.
        own = {"User-Agent": self.user_agent, "Accept-Encoding": "gzip" if gzip else "identity"}
        given = {str(name).lower() for name in headers or ()}
        server = Server(
            host=host,
            port=port,
            ssl=ssl,
            path=path,
            authorization=authorization(username, password, token),
            headers=(*((name, own[name]) for name in own if name.lower() not in given), *(headers or {}).items()),
        )
        if "authorization" in given and (server.authorization is not None or ask_for_token):
            msg = "headers: Authorization is given beside a username or token, which would be another"
            raise ValueError(msg)
        if unix_socket is not None and (ssl or proxy):
            msg = "unix_socket: leads to this machine, without TLS and proxies"
            raise ValueError(msg)
        if session is not None and (unix_socket is not None or proxy or cert is not None or verify is not True):
            msg = "session: brings its own connections; set verify, cert, proxy and unix_socket there"
            raise ValueError(msg)
        if cert is not None and not ssl and session is None:
            msg = "cert: is for TLS, and the server is spoken to without; ssl=True, or https:// in a URL"
            raise ValueError(msg)
        if verify is False and ssl:
            warnings.warn("verify=False: whoever gets between can read and change everything", stacklevel=_outside())
        has_proxy = unix_socket is None and session is None
        self.settings = Settings(
            server=server,
            timeout=Timeout() if timeout is None else as_timeout(timeout),
            retry=RetryPolicy() if retry is None else retry,
            tls=TLS(verify, cert),
            unix_socket=None if unix_socket is None else os.fspath(unix_socket),
            proxy=proxy_for(server, proxy, os.environ) if has_proxy else None,
            token=ask_for_token,
            gzip=gzip,
            observer=observer,
            tags=dict(tags or {}),
            types=DEFAULT.with_overrides(unsigned, nonfinite, field_types, integers_as_floats),
        )
        self.db = database
        self._closed = False
        self._transport: Any = self._make_transport(self.settings, session)

    @abstractmethod
    def _make_transport(self, settings: Settings, session: SessionT | None) -> Any:
        """Make the transport, which opens nothing yet."""

    @classmethod
    def from_url(cls, url: str, **settings: Any) -> Self:
        """Make a client for `https://user:password@host:8086/prefix?database=name`.

        Further arguments are the constructor's, and win over what the URL says. Without a port the URL means 443 for
        https and 8086 for http.

        Raises:
            ValueError: this is no such URL.
        """
        return cls(**settings_joined(settings_from_url(url), settings))

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, /, **settings: Any) -> Self:
        """Make a client from the environment.

        `INFLUXDB_URL` is read as by `from_url`; `INFLUXDB_DATABASE`, `INFLUXDB_USERNAME`, `INFLUXDB_PASSWORD` and
        `INFLUXDB_TOKEN` win over it, and the constructor's arguments given here over both.

        Args:
            environ: what to read instead of the process's environment.
            settings: arguments of the constructor.

        Raises:
            ValueError: one of them is wrong.
        """
        return cls(**settings_joined(settings_from_env(os.environ if environ is None else environ), settings))

    @property
    def db(self) -> str | None:
        """The database of operations that name none. Assigning it selects another for what is called from then on."""
        return self.settings.database

    @db.setter
    def db(self, name: str | None) -> None:
        if name is not None and (not isinstance(name, str) or not name):
            msg = f"database: must be a name or None, not {name!r}"
            raise ValueError(msg)
        self.settings = replace(self.settings, database=name)

    def __reduce__(self) -> NoReturn:
        msg = f"a {type(self).__name__} has connections, and cannot be copied or pickled; make one in each process"
        raise TypeError(msg)

    def __repr__(self) -> str:
        state = ", closed" if self._closed else ""
        return (
            f"<{type(self).__name__} {self.settings.server.origin}{self.settings.server.path}, db={self.db!r}{state}>"
        )

    def _settings_for(self, timeout: float | Timeout | None) -> Settings:
        """Give the settings of one call."""
        if self._closed:
            msg = f"{self!r} is closed; make a new one"
            raise RuntimeError(msg)
        return self.settings.with_timeout(as_timeout(timeout))

    def _needed(self, background: T | None) -> T:
        if background is None:
            msg = f"{type(self).__name__} has no batch writer"
            raise TypeError(msg)
        return background
