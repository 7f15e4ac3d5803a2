"""One signature and docstring for `write` of the sync and the async batch writer."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import update_wrapper
from typing import Any, Concatenate, Literal, ParamSpec, Protocol, TypeVar

from .._encode.extra_tags import joined_tags
from .._line_protocol.options import FieldType, ObjectColumns
from .._write.operation import WriteOperation
from .._write.write import write_batches
from .options import BatchOptions

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


class HasOptions(Protocol):
    """A batch writer, as far as its options go."""

    @property
    def options(self) -> BatchOptions: ...


def as_write_operation(
    writer: HasOptions,
    /,
    data: object,
    measurement: str | None = None,
    *,
    db: str | None = None,
    rp: str | None = None,
    precision: str | None = None,
    tag_columns: Iterable[str] = (),
    time_column: str | None = None,
    object_columns: ObjectColumns = "str",
    tags: Mapping[str, object] | None = None,
    unsigned: bool | None = None,
    nonfinite: Literal["raise", "omit"] | None = None,
    field_types: Mapping[str, FieldType] | None = None,
    integers_as_floats: bool | None = None,
    **extra_tags: object,
) -> WriteOperation:
    """Take over anything that a client's `write` takes, waiting while the buffer is full.

    Points and lines without a time get the client's when they are accepted. The arguments are those of `write`,
    those apart that are about how it is sent.

    Returns:
        What will have become of it; `flush` waits for that.

    Raises:
        SerializationError: something cannot be written as it is; what came before it is accepted.
        SpoolError: lines could not be kept in the spool, and were not accepted.
        RuntimeError: the writer is closed, or was not entered.
    """
    return write_batches(
        data,
        measurement,
        db=db,
        rp=rp,
        precision=precision,
        tag_columns=tag_columns,
        time_column=time_column,
        object_columns=object_columns,
        tags=joined_tags(tags, extra_tags),
        unsigned=unsigned,
        nonfinite=nonfinite,
        field_types=field_types,
        integers_as_floats=integers_as_floats,
        batch_lines=min(writer.options.max_lines, writer.options.max_pending),
        batch_bytes=writer.options.max_bytes,
        # A batch may be sent again at any time, which must not make other points of its lines.
        stamp=True,
    )
