"""Shared signature and docstring of `write` of the sync and the async batch writer."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import update_wrapper
from typing import Any, Concatenate, Literal, ParamSpec, Protocol, TypeVar

from .._encode.extra_tags import joined_tags, missing_data_message
from .._line_protocol.options import FieldType, ObjectColumns
from .._write.keys import Key, key_of
from .._write.operation import WriteOperation
from .._write.write import write_batches
from .encoding import BatchEncoding, BatchEncodings
from .options import BatchOptions

P = ParamSpec("P")
ResultT = TypeVar("ResultT")
WriterT = TypeVar("WriterT")


def with_arguments_of(
    build: Callable[Concatenate[Any, P], WriteOperation],
) -> Callable[[Callable[[WriterT, object, BatchEncoding], ResultT]], Callable[Concatenate[WriterT, P], ResultT]]:
    """Return a decorator that makes a method accept the arguments of `build`, and receive its data and an encoder.

    The method has the signature and the docstring of `build`. A coroutine function remains one.

    Args:
        build: a method that accepts the arguments.
    """

    def decorate(
        method: Callable[[WriterT, object, BatchEncoding], ResultT],
    ) -> Callable[Concatenate[WriterT, P], ResultT]:
        receive: Callable[[WriterT, object, BatchEncoding], Any] = method
        create: Callable[..., WriteOperation] = build

        def take(writer: Any, args: Any, kwargs: Any) -> tuple[Key | None, BatchEncoding]:
            if not args and "data" not in kwargs:
                raise TypeError(missing_data_message(kwargs))
            key = key_of(args[1:], kwargs) if args else None
            encodings: BatchEncodings = writer._encodings  # noqa: SLF001 - this creates a method of the writer
            return key, encodings.take(key) or encodings.create(create(writer, *args, **kwargs))

        def call(self: Any, /, *args: Any, **kwargs: Any) -> Any:
            key, encoding = take(self, args, kwargs)
            result = receive(self, args[0] if args else kwargs["data"], encoding)
            self._encodings.put_back(key, encoding)
            return result

        async def acall(self: Any, /, *args: Any, **kwargs: Any) -> Any:
            key, encoding = take(self, args, kwargs)
            result = await receive(self, args[0] if args else kwargs["data"], encoding)
            self._encodings.put_back(key, encoding)
            return result

        wrapper: Any = acall if inspect.iscoroutinefunction(method) else call
        update_wrapper(wrapper, method)
        del wrapper.__wrapped__
        result = inspect.signature(method).return_annotation
        wrapper.__doc__ = build.__doc__
        wrapper.__annotations__ = {**build.__annotations__, "return": result}
        wrapper.__signature__ = inspect.signature(build).replace(return_annotation=result)
        decorated: Callable[Concatenate[WriterT, P], ResultT] = wrapper
        return decorated

    return decorate


class HasOptions(Protocol):
    """A batch writer, or another object with its options."""

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
    bucket: str | None = None,
    org: str | None = None,
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
    """Accept any data that the client's `write` accepts; wait if the buffer is full.

    The client stamps points and lines without a timestamp when it accepts them. The arguments are those of the client's
    `write`, except those that control the request.

    Returns:
        A receipt that is updated with the outcome of the lines. `flush` sends them immediately and waits for it;
        `receipt.wait()`, or `await receipt` in async code, only waits.

    Raises:
        SerializationError: a value cannot be written; the lines before it are accepted.
        BufferFullError: the buffer is full and `when_full` is `raise`, or waiting would not make room.
        SpoolError: lines could not be written to the spool, and were not accepted.
        RuntimeError: the writer is closed, or was not entered.
    """
    return write_batches(
        data,
        measurement,
        db=db,
        rp=rp,
        bucket=bucket,
        org=org,
        precision=precision,
        tag_columns=tag_columns,
        time_column=time_column,
        object_columns=object_columns,
        tags=joined_tags(tags, extra_tags),
        unsigned=unsigned,
        nonfinite=nonfinite,
        field_types=field_types,
        integers_as_floats=integers_as_floats,
        max_lines=min(writer.options.max_lines, writer.options.max_pending),
        max_bytes=writer.options.max_bytes,
        # A batch may be sent again, which must not create other points.
        stamp=True,
    )
