"""Descriptors that bind the builder of an operation to the sync and the async client as a method."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from importlib import import_module
from typing import TYPE_CHECKING, Any, Concatenate, ForwardRef, Generic, ParamSpec, TypeVar, get_args, overload

from .._runtime.op import Operation
from .._runtime.stream import StreamOp
from .keywords import explains_keywords

if TYPE_CHECKING:
    from .._batch.async_writer import AsyncBatchWriter
    from .._batch.options import BatchOptions
    from .._batch.writer import BatchWriter

P = ParamSpec("P")
T = TypeVar("T")


class BoundClient:
    """Base of `Client`, by which the overloads below recognize it."""


class BoundAsyncClient:
    """Base of `AsyncClient`, by which the overloads below recognize it."""


SyncT = TypeVar("SyncT", bound=BoundClient)
AsyncT = TypeVar("AsyncT", bound=BoundAsyncClient)


class ModuleOnFirstUse:
    """Stands for a module of builders: its attributes are functions that import it and return a builder.

    Args:
        name: the name of the module in this package.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Callable[[], Any]:
        package = __name__.partition(".")[0]
        return lambda: getattr(import_module(f"{package}.{self._name}"), name)


class _Binding(Generic[P, T]):
    """Base of the descriptors.

    The first access adds an ordinary function to `Client` or `AsyncClient`, which hides the descriptor. So the classes
    have functions, as `help`, `inspect` and `unittest.mock.create_autospec` expect, and importing creates none.

    Args:
        build: for type checkers the builder, whose parameters and docstring the method has; at run time a function that
            returns it, see `ModuleOnFirstUse`.
    """

    def __init__(self, build: Callable[P, T]) -> None:
        self._load: Any = build
        self._name = ""

    @property
    def _build(self) -> Callable[P, T]:
        builder: Callable[P, T] = self._load()
        return builder

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def _get(self, client: object, owner: type | None) -> Any:
        owner = type(client) if owner is None else owner
        for base in owner.__mro__:
            if BoundClient in base.__bases__ or BoundAsyncClient in base.__bases__:
                function = vars(base).get(self._name)
                if function is None:
                    function = self._function_for(base)
                    setattr(base, self._name, function)
                return function.__get__(client, owner)
        return self  # accessed on a base of both clients, as `inspect` does

    def _function_for(self, base: type) -> Callable[..., object]:
        """Create the method of `Client` or `AsyncClient`."""
        is_async = issubclass(base, BoundAsyncClient)
        function = self._function(is_async=is_async)
        signature = inspect.signature(self._build, eval_str=True)
        client = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
        function.__name__ = self._name
        function.__qualname__ = f"{base.__qualname__}.{self._name}"
        function.__module__ = base.__module__
        function.__doc__ = self._build.__doc__
        returned = self._returned(signature.return_annotation, is_async=is_async)
        function.__signature__ = signature.replace(  # type: ignore[attr-defined]  # functions may have one
            parameters=[client, *signature.parameters.values()], return_annotation=returned
        )
        function.__annotations__ = {name: each.annotation for name, each in signature.parameters.items()}
        function.__annotations__["return"] = returned
        return function

    def _function(self, *, is_async: bool) -> Callable[..., object]:
        raise NotImplementedError

    def _returned(self, built: object, *, is_async: bool) -> object:
        """Return the type that the method returns, or that awaiting it returns, from the type the builder returns."""
        raise NotImplementedError


def _parameter_of(built: Any) -> Any:
    """Return `T` of an `Op[T]`, a `StreamOp[T]` or a subclass of `Operation[T]`."""
    (parameter,) = get_args(built) or get_args(built.__orig_bases__[0])
    # A type of an optional library is a forward reference: return its name, without importing the library.
    return parameter.__forward_arg__ if isinstance(parameter, ForwardRef) else parameter


class method(_Binding[P, Operation[T]], Generic[P, T]):  # noqa: N801 - reads like `property` and `classmethod`
    """Binds a builder of operations: a method of `Client` and a coroutine method of `AsyncClient`."""

    @overload
    def __get__(self, client: None, owner: type[SyncT], /) -> Callable[Concatenate[SyncT, P], T]: ...
    @overload
    def __get__(
        self, client: None, owner: type[AsyncT], /
    ) -> Callable[Concatenate[AsyncT, P], Coroutine[Any, Any, T]]: ...
    @overload
    def __get__(self, client: BoundClient, owner: type | None = None, /) -> Callable[P, T]: ...
    @overload
    def __get__(
        self, client: BoundAsyncClient, owner: type | None = None, /
    ) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, client: object, owner: type | None = None, /) -> object:
        return self._get(client, owner)

    def _function(self, *, is_async: bool) -> Callable[..., object]:
        build: Callable[..., Operation[T]] = explains_keywords(self._build)

        def call(self: Any, /, *args: Any, **kwargs: Any) -> Any:
            return self.execute(build(*args, **kwargs))

        async def call_async(self: Any, /, *args: Any, **kwargs: Any) -> Any:
            return await self.execute(build(*args, **kwargs))

        return call_async if is_async else call

    def _returned(self, built: object, *, is_async: bool) -> object:
        del is_async  # the signature of a coroutine function has the awaited type
        return _parameter_of(built)


class stream(_Binding[P, StreamOp[T]], Generic[P, T]):  # noqa: N801 - as above
    """Binds a builder of streams: a method that returns a context manager, of an iterator or an async iterator."""

    @overload
    def __get__(
        self, client: None, owner: type[SyncT], /
    ) -> Callable[Concatenate[SyncT, P], AbstractContextManager[Iterator[T]]]: ...
    @overload
    def __get__(
        self, client: None, owner: type[AsyncT], /
    ) -> Callable[Concatenate[AsyncT, P], AbstractAsyncContextManager[AsyncIterator[T]]]: ...
    @overload
    def __get__(
        self, client: BoundClient, owner: type | None = None, /
    ) -> Callable[P, AbstractContextManager[Iterator[T]]]: ...
    @overload
    def __get__(
        self, client: BoundAsyncClient, owner: type | None = None, /
    ) -> Callable[P, AbstractAsyncContextManager[AsyncIterator[T]]]: ...
    def __get__(self, client: object, owner: type | None = None, /) -> object:
        return self._get(client, owner)

    def _function(self, *, is_async: bool) -> Callable[..., object]:
        del is_async  # each client has its own `stream`
        build: Callable[..., StreamOp[T]] = explains_keywords(self._build)

        def call(self: Any, /, *args: Any, **kwargs: Any) -> Any:
            return self.stream(build(*args, **kwargs))

        return call

    def _returned(self, built: object, *, is_async: bool) -> object:
        item: Any = _parameter_of(built)
        return AbstractAsyncContextManager[AsyncIterator[item]] if is_async else AbstractContextManager[Iterator[item]]


class writer(_Binding[P, "BatchOptions"], Generic[P]):  # noqa: N801 - as above
    """Binds the options of a batch writer: a method that returns a `BatchWriter` or an `AsyncBatchWriter`."""

    @overload
    def __get__(self, client: None, owner: type[SyncT], /) -> Callable[Concatenate[SyncT, P], BatchWriter]: ...
    @overload
    def __get__(self, client: None, owner: type[AsyncT], /) -> Callable[Concatenate[AsyncT, P], AsyncBatchWriter]: ...
    @overload
    def __get__(self, client: BoundClient, owner: type | None = None, /) -> Callable[P, BatchWriter]: ...
    @overload
    def __get__(self, client: BoundAsyncClient, owner: type | None = None, /) -> Callable[P, AsyncBatchWriter]: ...
    def __get__(self, client: object, owner: type | None = None, /) -> object:
        return self._get(client, owner)

    def _function(self, *, is_async: bool) -> Callable[..., object]:
        del is_async  # each client creates its own writer
        build: Callable[..., BatchOptions] = explains_keywords(self._build)

        def call(self: Any, /, **options: Any) -> Any:
            return self._new_batch_writer(build(**options))

        return call

    def _returned(self, built: object, *, is_async: bool) -> object:
        del built
        return "AsyncBatchWriter" if is_async else "BatchWriter"
