"""Both faces of a client, blocking and awaiting. Neither knows an event loop or an HTTP library.

Each operation is bound to both of them once, in `Operations`. An adapter subclasses the face it needs and says how
its transport is made.
"""

from __future__ import annotations

import functools
import inspect
import os
import re
from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, Literal, ParamSpec, Self, TypeVar, cast, overload

from . import admin, ops
from ._flow import AsyncTransport, Transport, arun, run
from ._op import Operation
from ._policy import FieldType, TypePolicy
from ._retry import RetryPolicy
from ._server import DEFAULT_PORT, Server, authorization, settings_from_env, settings_from_url
from ._settings import Settings, Timeout
from ._stream import StreamOp, aopen_stream, open_stream
from ._write import Writes

if TYPE_CHECKING:
    from types import TracebackType

P = ParamSpec("P")
T = TypeVar("T")
SessionT = TypeVar("SessionT")

__version__ = "0.1.0"


class method(Generic[P, T]):  # noqa: N801 - reads as the decorators `property` and `classmethod` do
    """Binds a builder of operations to both faces.

    On a blocking client it is a function that returns the result, on an awaiting client a coroutine function of it,
    and on the class the builder itself.
    """

    def __init__(self, build: Callable[P, Operation[T]]) -> None:
        self.build = build
        self.__doc__ = build.__doc__

    @overload
    def __get__(self, client: None, owner: type, /) -> Callable[P, Operation[T]]: ...
    @overload
    def __get__(self, client: Client[Any], owner: type | None = None, /) -> Callable[P, T]: ...
    @overload
    def __get__(
        self, client: AsyncClient[Any], owner: type | None = None, /
    ) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, client: Client[Any] | AsyncClient[Any] | None, owner: type | None = None, /) -> object:
        return self.build if client is None else client.bind(self.build)


class stream(Generic[P, T]):  # noqa: N801 - as above
    """Binds a builder of streams to both faces: a function that gives a context manager of an iterator.

    On a blocking client that is `with ... as items: for item in items`, on an awaiting client `async with` and
    `async for`; on the class it is the builder itself.
    """

    def __init__(self, build: Callable[P, StreamOp[T]]) -> None:
        self.build = build
        self.__doc__ = build.__doc__

    @overload
    def __get__(self, client: None, owner: type, /) -> Callable[P, StreamOp[T]]: ...
    @overload
    def __get__(
        self, client: Client[Any], owner: type | None = None, /
    ) -> Callable[P, AbstractContextManager[Iterator[T]]]: ...
    @overload
    def __get__(
        self, client: AsyncClient[Any], owner: type | None = None, /
    ) -> Callable[P, AbstractAsyncContextManager[AsyncIterator[T]]]: ...
    def __get__(self, client: Client[Any] | AsyncClient[Any] | None, owner: type | None = None, /) -> object:
        if client is None:
            return self.build

        @functools.wraps(self.build)
        def call(*args: P.args, **kwargs: P.kwargs) -> object:
            return client.stream(self.build(*args, **kwargs))

        return call


@functools.cache
def _result_signature(build: Callable[..., Any]) -> inspect.Signature:
    """Give the signature of a bound operation: the builder's, but returning the result and not the operation."""
    signature = inspect.signature(build)
    result = re.sub(r"^(?:Op|Operation)\[(.*)\]$", r"\1", signature.return_annotation)
    return signature.replace(
        parameters=[
            parameter.replace(annotation=_resolved(parameter.annotation, build))
            for parameter in signature.parameters.values()
        ],
        return_annotation=_resolved("bool" if result == "Writes" else result, build),
    )


def _resolved(annotation: str, build: Callable[..., Any]) -> object:
    try:
        return eval(annotation, build.__globals__)  # noqa: S307 - an annotation of this package
    except NameError:  # a type of pandas, which is not imported for it
        return annotation


class Operations:
    """What both faces can do."""

    ping = method(ops.ping)
    write = method(ops.write_batches)
    query = method(ops.query)
    query_chunks = stream(ops.query_chunks)
    query_points = stream(ops.query_points)
    query_dataframe = method(ops.query_dataframe)
    query_dataframes = method(ops.query_dataframes)
    query_dataframe_chunks = stream(ops.query_dataframe_chunks)
    query_as = method(ops.query_as)

    create_database = method(ops.create_database)
    drop_database = method(ops.drop_database)
    drop_measurement = method(ops.drop_measurement)
    show_databases = method(ops.show_databases)
    show_measurements = method(ops.show_measurements)
    show_retention_policies = method(ops.show_retention_policies)
    show_users = method(ops.show_users)
    select_all = method(ops.select_all)

    # Databases and retention policies.
    list_databases = method(admin.list_databases)
    list_retention_policies = method(admin.list_retention_policies)
    create_retention_policy = method(admin.create_retention_policy)
    alter_retention_policy = method(admin.alter_retention_policy)
    drop_retention_policy = method(admin.drop_retention_policy)

    # Users and what they may do.
    list_users = method(admin.list_users)
    create_user = method(admin.create_user)
    set_password = method(admin.set_password)
    drop_user = method(admin.drop_user)
    list_grants = method(admin.list_grants)
    grant = method(admin.grant)
    revoke = method(admin.revoke)
    grant_admin = method(admin.grant_admin)
    revoke_admin = method(admin.revoke_admin)

    # Continuous queries and subscriptions.
    list_continuous_queries = method(admin.list_continuous_queries)
    create_continuous_query = method(admin.create_continuous_query)
    drop_continuous_query = method(admin.drop_continuous_query)
    list_subscriptions = method(admin.list_subscriptions)
    create_subscription = method(admin.create_subscription)
    drop_subscription = method(admin.drop_subscription)

    # What is stored.
    list_measurements = method(admin.list_measurements)
    list_series = method(admin.list_series)
    list_tag_keys = method(admin.list_tag_keys)
    list_tag_values = method(admin.list_tag_values)
    list_field_keys = method(admin.list_field_keys)
    series_cardinality = method(admin.series_cardinality)
    measurement_cardinality = method(admin.measurement_cardinality)
    tag_key_cardinality = method(admin.tag_key_cardinality)
    tag_values_cardinality = method(admin.tag_values_cardinality)
    field_key_cardinality = method(admin.field_key_cardinality)
    delete = method(admin.delete)
    drop_series = method(admin.drop_series)

    # The server itself.
    list_shards = method(admin.list_shards)
    list_shard_groups = method(admin.list_shard_groups)
    drop_shard = method(admin.drop_shard)
    list_queries = method(admin.list_queries)
    kill_query = method(admin.kill_query)
    stats = method(admin.stats)
    diagnostics = method(admin.diagnostics)
    explain = method(admin.explain)
    explain_analyze = method(admin.explain_analyze)


class _Face(Operations, Generic[SessionT]):
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
        token: str | None = None,
        ssl: bool = False,
        verify: bool | str = True,
        cert: str | tuple[str, str] | None = None,
        path: str = "",
        headers: Mapping[str, str] | None = None,
        timeout: float | Timeout | None = None,
        retry: RetryPolicy | None = None,
        tags: Mapping[str, object] | None = None,
        unsigned: bool = False,
        nonfinite: Literal["raise", "omit"] = "raise",
        field_types: Mapping[str, FieldType] | None = None,
        integers_as_floats: bool = False,
        session: SessionT | None = None,
    ) -> None:
        """Make a client. Nothing is opened until it is first used.

        Args:
            host: the server's name or address.
            port: the server's port.
            database: the database of operations that name none; also `client.db`.
            username: the user, for basic authentication.
            password: the user's password.
            token: a JSON web token, or an API token, instead of a user; `"<scheme> <token>"` is sent as it is.
            ssl: whether to talk TLS.
            verify: True to trust what the system trusts, the path of a file of CA certificates, or False
                to trust everybody.
            cert: a client certificate: the path of a PEM file with its key, or the paths of both.
            path: what stands before `/write` and `/query` on a server behind a reverse proxy.
            headers: header fields to send with every request.
            timeout: how long to wait; a number of seconds means to connect and between two pieces of an answer.
            retry: how often and how long to try again.
            tags: tags of all points that are written, ready-made lines apart. This and what follows is for every
                `write` that does not say otherwise.
            unsigned: see `write`, as for the next three.
            nonfinite: see `write`.
            field_types: see `write`.
            integers_as_floats: see `write`.
            session: the HTTP library's own session to use, which is then not closed with the client.

        Raises:
            ValueError: an argument is wrong; the message begins with its name.
        """
        server = Server(
            host=host,
            port=port,
            ssl=ssl,
            path=path,
            authorization=authorization(username, password, token),
            # Compressed answers take influxd longer to make than a fast network takes to carry them plain.
            headers=(("User-Agent", self.user_agent), ("Accept-Encoding", "identity"), *(headers or {}).items()),
        )
        if timeout is None:
            timeout = Timeout()
        elif not isinstance(timeout, Timeout):
            timeout = Timeout(connect=timeout, idle=timeout)
        self.settings = Settings(
            server=server,
            timeout=timeout,
            retry=RetryPolicy() if retry is None else retry,
            verify=verify,
            cert=cert,
            tags=dict(tags or {}),
            types=TypePolicy().but(unsigned, nonfinite, field_types, integers_as_floats),
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
        return cls(**{**settings_from_url(url), **settings})

    @classmethod
    def from_env(cls, **settings: Any) -> Self:
        """Make a client from the environment.

        `INFLUXDB_URL` is read as by `from_url`; `INFLUXDB_DATABASE`, `INFLUXDB_USERNAME`, `INFLUXDB_PASSWORD` and
        `INFLUXDB_TOKEN` win over it, and the constructor's arguments given here over both.

        Raises:
            ValueError: one of them is wrong.
        """
        return cls(**{**settings_from_env(os.environ), **settings})

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

    def __repr__(self) -> str:
        state = ", closed" if self._closed else ""
        return (
            f"<{type(self).__name__} {self.settings.server.origin}{self.settings.server.path}, db={self.db!r}{state}>"
        )

    def _check_open(self) -> None:
        if self._closed:
            msg = f"{self!r} is closed; make a new one"
            raise RuntimeError(msg)


class Client(_Face[SessionT]):
    """The blocking face. An adapter says how its transport is made."""

    _transport: Transport

    @abstractmethod
    def _make_transport(self, settings: Settings, session: SessionT | None) -> Transport:
        """Make the transport, which opens nothing yet."""

    def execute(self, operation: Operation[T]) -> T:
        """Do an operation, such as an `Op` of one's own."""
        self._check_open()
        return run(operation.flow(self.settings, self._transport), self._transport)

    def stream(self, op: StreamOp[T]) -> AbstractContextManager[Iterator[T]]:
        """Open a stream, such as a `StreamOp` of one's own."""
        self._check_open()
        return open_stream(op, self.settings, self._transport)

    def bind(self, build: Callable[P, Operation[T]]) -> Callable[P, T]:
        """Make a function of a builder: it does what the builder says, and returns the result."""

        @functools.wraps(build)
        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            return self.execute(build(*args, **kwargs))

        call.__signature__ = _result_signature(build)  # type: ignore[attr-defined]  # how functions carry one
        return call

    def close(self) -> None:
        """Close the connections; afterwards every operation raises RuntimeError. Closing again does nothing."""
        if not self._closed:
            self._closed = True
            self._transport.close()

    def __enter__(self) -> Self:
        self._check_open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class AsyncClient(_Face[SessionT]):
    """The awaiting face. An adapter says how its transport is made."""

    _transport: AsyncTransport

    @abstractmethod
    def _make_transport(self, settings: Settings, session: SessionT | None) -> AsyncTransport:
        """Make the transport, which opens nothing yet; there may be no event loop."""

    async def execute(self, operation: Operation[T]) -> T:
        """Do an operation, such as an `Op` of one's own."""
        self._check_open()
        if isinstance(operation, Writes):  # which may have to wait for its data
            return cast("T", await operation.arun(self.settings, self._transport))
        return await arun(operation.flow(self.settings, self._transport), self._transport)

    def stream(self, op: StreamOp[T]) -> AbstractAsyncContextManager[AsyncIterator[T]]:
        """Open a stream, such as a `StreamOp` of one's own."""
        self._check_open()
        return aopen_stream(op, self.settings, self._transport)

    def bind(self, build: Callable[P, Operation[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
        """Make a coroutine function of a builder: it does what the builder says, and returns the result."""

        @functools.wraps(build)
        async def call(*args: P.args, **kwargs: P.kwargs) -> T:
            return await self.execute(build(*args, **kwargs))

        call.__signature__ = _result_signature(build)  # type: ignore[attr-defined]  # how functions carry one
        return call

    async def aclose(self) -> None:
        """Close the connections; afterwards every operation raises RuntimeError. Closing again does nothing."""
        if not self._closed:
            self._closed = True
            await self._transport.aclose()

    async def __aenter__(self) -> Self:
        self._check_open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()
