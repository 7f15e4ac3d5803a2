"""Operations bound to a client: each is written once, as a builder, and called on both faces."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Protocol, TypeVar, overload

from ._op import Operation
from ._stream import StreamOp
from ._timeout import Timeout

if TYPE_CHECKING:
    from ._batch_options import BatchOptions
    from ._batch_writer import AsyncBatchWriter, BatchWriter
    from ._client import AsyncClient, Client

P = ParamSpec("P")
T = TypeVar("T")
R_co = TypeVar("R_co", covariant=True)


class Bound(Protocol[P, R_co]):
    """An operation of a client: its builder's arguments, and `timeout` for this call alone.

    (Types have no way to add a keyword to the arguments of another function. So that those of calls without `timeout`
    are checked all the same, calls with one are a case of their own.)
    """

    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...
    @overload
    def __call__(self, *args: Any, timeout: float | Timeout | None, **kwargs: Any) -> R_co: ...


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
    def __get__(self, client: Client[Any], owner: type | None = None, /) -> Bound[P, T]: ...
    @overload
    def __get__(self, client: AsyncClient[Any], owner: type | None = None, /) -> Bound[P, Coroutine[Any, Any, T]]: ...
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
    ) -> Bound[P, AbstractContextManager[Iterator[T]]]: ...
    @overload
    def __get__(
        self, client: AsyncClient[Any], owner: type | None = None, /
    ) -> Bound[P, AbstractAsyncContextManager[AsyncIterator[T]]]: ...
    def __get__(self, client: Client[Any] | AsyncClient[Any] | None, owner: type | None = None, /) -> object:
        if client is None:
            return self.build

        @functools.wraps(self.build)
        def call(*args: Any, timeout: float | Timeout | None = None, **kwargs: Any) -> object:
            return client.stream(self.build(*args, **kwargs), timeout=timeout)

        call.__signature__ = _stream_signature(self.build, awaiting=hasattr(client, "__aenter__"))  # type: ignore[attr-defined]  # how functions carry one
        return call


class writer(Generic[P]):  # noqa: N801 - as above
    """Binds what makes the options of a batch writer to both faces: a function that gives their batch writer."""

    def __init__(self, build: Callable[P, BatchOptions]) -> None:
        self.build = build
        self.__doc__ = build.__doc__

    @overload
    def __get__(self, client: None, owner: type, /) -> Callable[P, BatchOptions]: ...
    @overload
    def __get__(self, client: Client[Any], owner: type | None = None, /) -> Callable[P, BatchWriter]: ...
    @overload
    def __get__(self, client: AsyncClient[Any], owner: type | None = None, /) -> Callable[P, AsyncBatchWriter]: ...
    def __get__(self, client: Client[Any] | AsyncClient[Any] | None, owner: type | None = None, /) -> object:
        if client is None:
            return self.build

        @functools.wraps(self.build)
        def call(*args: P.args, **kwargs: P.kwargs) -> object:
            return client.write_in_batches(self.build(*args, **kwargs))

        call.__signature__ = _writer_signature(self.build, awaiting=hasattr(client, "__aenter__"))  # type: ignore[attr-defined]  # how functions carry one
        return call


@functools.cache
def result_signature(build: Callable[..., Any]) -> inspect.Signature:
    """Give the signature of a bound operation: the builder's, but returning the result and not the operation."""
    signature = inspect.signature(build)
    result = re.sub(r"^(?:Op|Operation|StreamOp)\[(.*)\]$", r"\1", signature.return_annotation)
    parameters = _parameters(build)
    timeout = inspect.Parameter(
        "timeout", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=float | Timeout | None
    )
    at = sum(parameter.kind is not inspect.Parameter.VAR_KEYWORD for parameter in parameters)
    return signature.replace(
        parameters=[*parameters[:at], timeout, *parameters[at:]],
        return_annotation=_resolved("bool" if result == "Writes" else result, build),
    )


@functools.cache
def _stream_signature(build: Callable[..., Any], *, awaiting: bool) -> inspect.Signature:
    signature = result_signature(build)
    item: Any = signature.return_annotation
    stream_of = AbstractAsyncContextManager[AsyncIterator[item]] if awaiting else AbstractContextManager[Iterator[item]]
    return signature.replace(return_annotation=stream_of)


@functools.cache
def _writer_signature(build: Callable[..., Any], *, awaiting: bool) -> inspect.Signature:
    return inspect.Signature(_parameters(build), return_annotation="AsyncBatchWriter" if awaiting else "BatchWriter")


def _parameters(build: Callable[..., Any]) -> list[inspect.Parameter]:
    return [
        parameter.replace(annotation=_resolved(parameter.annotation, build))
        for parameter in inspect.signature(build).parameters.values()
    ]


def _resolved(annotation: str, build: Callable[..., Any]) -> object:
    try:
        return eval(annotation, build.__globals__)  # noqa: S307 - an annotation of this package
    except NameError:  # a type of pandas, which is not imported for it
        return annotation
