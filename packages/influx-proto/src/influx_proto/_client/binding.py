"""Operations bound to a client: each is written once, as a builder, and called on both faces."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from types import MethodType
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Protocol, TypeVar, overload

from .._http.timeout import Timeout
from .._runtime.op import Operation
from .._runtime.stream import StreamOp

if TYPE_CHECKING:
    from .._batch.async_writer import AsyncBatchWriter
    from .._batch.options import BatchOptions
    from .._batch.writer import BatchWriter

P = ParamSpec("P")
T = TypeVar("T")
R_co = TypeVar("R_co", covariant=True)


class BoundClient:
    """Base of clients whose operations block."""


class BoundAsyncClient:
    """Base of clients whose operations are coroutines."""


class Bound(Protocol[P, R_co]):
    """An operation of a client: its builder's arguments, and `timeout` for this call alone.

    (Types have no way to add a keyword to the arguments of another function. So that those of calls without `timeout`
    are checked all the same, calls with one are a case of their own.)
    """

    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...
    @overload
    def __call__(self, *args: Any, timeout: float | Timeout | None, **kwargs: Any) -> R_co: ...


class _Binding(Generic[P, T]):
    """Gives a builder on the class, and a method on a client, as functions do."""

    def __init__(self, build: Callable[P, T]) -> None:
        self.build = build
        self.__doc__ = build.__doc__
        #: The function behind the method: of the blocking face and of the awaiting one.
        self._functions: dict[bool, Callable[..., object]] = {}
        self._name = build.__name__
        self._qualname = build.__qualname__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name
        self._qualname = f"{owner.__qualname__}.{name}"

    def _bound(self, client: BoundClient | BoundAsyncClient | None) -> object:
        if client is None:
            return self.build
        awaiting = hasattr(client, "__aenter__")
        function = self._functions.get(awaiting)
        if function is None:  # made when it is first used, since most programs use few of them
            function = functools.wraps(self.build)(self._function(awaiting=awaiting))
            function.__name__, function.__qualname__ = self._name, self._qualname
            function.__signature__ = self._signature(awaiting=awaiting)  # type: ignore[attr-defined]  # how functions carry one
            self._functions[awaiting] = function
        return MethodType(function, client)

    def _function(self, *, awaiting: bool) -> Callable[..., object]:
        raise NotImplementedError

    def _signature(self, *, awaiting: bool) -> inspect.Signature:
        raise NotImplementedError


class method(_Binding[P, Operation[T]], Generic[P, T]):  # noqa: N801 - reads as the decorators `property` and `classmethod` do
    """Binds a builder of operations to both faces.

    On a blocking client it is a method that returns the result, on an awaiting client a coroutine method of it, and on
    the class the builder itself.
    """

    @overload
    def __get__(self, client: None, owner: type, /) -> Callable[P, Operation[T]]: ...
    @overload
    def __get__(self, client: BoundClient, owner: type | None = None, /) -> Bound[P, T]: ...
    @overload
    def __get__(self, client: BoundAsyncClient, owner: type | None = None, /) -> Bound[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, client: BoundClient | BoundAsyncClient | None, owner: type | None = None, /) -> object:
        return self._bound(client)

    def _function(self, *, awaiting: bool) -> Callable[..., object]:
        build: Callable[..., Operation[T]] = self.build

        def call(client: Any, /, *args: Any, timeout: float | Timeout | None = None, **kwargs: Any) -> T:
            result: T = client.execute(build(*args, **kwargs), timeout=timeout)
            return result

        async def acall(client: Any, /, *args: Any, timeout: float | Timeout | None = None, **kwargs: Any) -> T:
            result: T = await client.execute(build(*args, **kwargs), timeout=timeout)
            return result

        return acall if awaiting else call

    def _signature(self, *, awaiting: bool) -> inspect.Signature:
        del awaiting  # both faces give the same, one of them as a coroutine
        return _signature_of(self.build, _result(self.build), has_timeout=True)


class stream(_Binding[P, StreamOp[T]], Generic[P, T]):  # noqa: N801 - as above
    """Binds a builder of streams to both faces: a method that gives a context manager of an iterator.

    On a blocking client that is `with ... as items: for item in items`, on an awaiting client `async with` and
    `async for`; on the class it is the builder itself.
    """

    @overload
    def __get__(self, client: None, owner: type, /) -> Callable[P, StreamOp[T]]: ...
    @overload
    def __get__(
        self, client: BoundClient, owner: type | None = None, /
    ) -> Bound[P, AbstractContextManager[Iterator[T]]]: ...
    @overload
    def __get__(
        self, client: BoundAsyncClient, owner: type | None = None, /
    ) -> Bound[P, AbstractAsyncContextManager[AsyncIterator[T]]]: ...
    def __get__(self, client: BoundClient | BoundAsyncClient | None, owner: type | None = None, /) -> object:
        return self._bound(client)

    def _function(self, *, awaiting: bool) -> Callable[..., object]:
        del awaiting  # each face has a `stream` of its own
        build: Callable[..., StreamOp[T]] = self.build

        def call(client: Any, /, *args: Any, timeout: float | Timeout | None = None, **kwargs: Any) -> object:
            return client.stream(build(*args, **kwargs), timeout=timeout)

        return call

    def _signature(self, *, awaiting: bool) -> inspect.Signature:
        item: Any = _result(self.build)
        context: Any = (
            AbstractAsyncContextManager[AsyncIterator[item]] if awaiting else AbstractContextManager[Iterator[item]]
        )
        return _signature_of(self.build, context, has_timeout=True)


class writer(_Binding[P, "BatchOptions"], Generic[P]):  # noqa: N801 - as above
    """Binds what makes the options of a batch writer to both faces: a method that gives their batch writer."""

    @overload
    def __get__(self, client: None, owner: type, /) -> Callable[P, BatchOptions]: ...
    @overload
    def __get__(self, client: BoundClient, owner: type | None = None, /) -> Callable[P, BatchWriter]: ...
    @overload
    def __get__(self, client: BoundAsyncClient, owner: type | None = None, /) -> Callable[P, AsyncBatchWriter]: ...
    def __get__(self, client: BoundClient | BoundAsyncClient | None, owner: type | None = None, /) -> object:
        return self._bound(client)

    def _function(self, *, awaiting: bool) -> Callable[..., object]:
        del awaiting  # as above
        build: Callable[..., BatchOptions] = self.build

        def call(client: Any, /, *args: Any, **kwargs: Any) -> object:
            return client.write_in_batches(build(*args, **kwargs))

        return call

    def _signature(self, *, awaiting: bool) -> inspect.Signature:
        return _signature_of(self.build, "AsyncBatchWriter" if awaiting else "BatchWriter", has_timeout=False)


def _signature_of(build: Callable[..., Any], result: object, *, has_timeout: bool) -> inspect.Signature:
    """Give the signature of a method: the builder's, but of a client, and returning what the client makes of it."""
    parameters = [
        parameter.replace(annotation=_resolved(parameter.annotation, build))
        for parameter in inspect.signature(build).parameters.values()
    ]
    if has_timeout:
        at = sum(parameter.kind is not inspect.Parameter.VAR_KEYWORD for parameter in parameters)
        timeout = inspect.Parameter(
            "timeout", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=float | Timeout | None
        )
        parameters.insert(at, timeout)
    client = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    return inspect.Signature([client, *parameters], return_annotation=result)


def _result(build: Callable[..., Any]) -> object:
    """Give the type of what an operation results in."""
    result = re.sub(r"^(?:Op|Operation|StreamOp)\[(.*)\]$", r"\1", inspect.signature(build).return_annotation)
    return _resolved("bool" if result == "Writes" else result, build)


def _resolved(annotation: str, build: Callable[..., Any]) -> object:
    try:
        return eval(annotation, build.__globals__)  # noqa: S307 - an annotation of this package
    except NameError:  # a type of pandas, which is not imported for it
        return annotation
