"""One signature and docstring for methods of the sync and the async batch writer."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import update_wrapper
from typing import Any, Concatenate, ParamSpec, TypeVar

P = ParamSpec("P")
ValueT = TypeVar("ValueT")
ResultT = TypeVar("ResultT")
WriterT = TypeVar("WriterT")


def with_arguments_of(
    build: Callable[Concatenate[Any, P], ValueT],
) -> Callable[[Callable[[WriterT, ValueT], ResultT]], Callable[Concatenate[WriterT, P], ResultT]]:
    """Decorate a method so that it takes the arguments of another, whose result it receives.

    The method gets the signature and the docstring of `build`; a coroutine function remains one.

    Args:
        build: the method that takes the arguments.
    """

    def decorate(method: Callable[[WriterT, ValueT], ResultT]) -> Callable[Concatenate[WriterT, P], ResultT]:
        receive: Callable[[WriterT, ValueT], Any] = method

        def call(self: WriterT, /, *args: P.args, **kwargs: P.kwargs) -> Any:
            return receive(self, build(self, *args, **kwargs))

        async def acall(self: WriterT, /, *args: P.args, **kwargs: P.kwargs) -> Any:
            return await receive(self, build(self, *args, **kwargs))

        made: Any = acall if inspect.iscoroutinefunction(method) else call
        update_wrapper(made, method)
        del made.__wrapped__
        result = inspect.signature(method).return_annotation
        made.__doc__ = build.__doc__
        made.__annotations__ = {**build.__annotations__, "return": result}
        made.__signature__ = inspect.signature(build).replace(return_annotation=result)
        decorated: Callable[Concatenate[WriterT, P], ResultT] = made
        return decorated

    return decorate
