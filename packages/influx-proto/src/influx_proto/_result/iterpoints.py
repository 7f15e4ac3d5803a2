"""Points of a result one by one, through a parser of the caller's."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterable, Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar, cast, overload

from .._repr import short_repr

T = TypeVar("T")

#: A `QueryResult`, or what it is a mapping of.
Result = Mapping[str, Any]


@overload
def iterpoints(result: Result | Iterable[Result], parser: None = None) -> Iterator[list[Any]]: ...
@overload
def iterpoints(result: Result | Iterable[Result], parser: Callable[..., T]) -> Iterator[T]: ...
def iterpoints(result: Result | Iterable[Result], parser: Callable[..., Any] | None = None) -> Iterator[Any]:
    """Give the points of a result one after the other, each as a list of values or as what a parser makes of it.

    Args:
        result: a `QueryResult`, a mapping shaped as InfluxDB's JSON, or an iterable of them, such as chunks, which is
            read as the points are.
        parser: called with the values of a point as positional arguments, in the order of the columns. A parser that
            has a parameter `meta` is also given, by that name, a dict with the `columns`, `name` and `tags` of the
            point's series and the `statement_id` of its statement. A namedtuple class is a parser as it stands.

    Raises:
        TypeError: the result is an asynchronous iterable, whose items are results.
        ValueError: something is not shaped as an answer of InfluxDB, or is one that reports an error.
    """
    if isinstance(result, AsyncIterable):
        msg = "this is read with `async for`: async for chunk in chunks: for point in iterpoints(chunk): ..."
        raise TypeError(msg)
    results = cast("Iterable[Result]", (result,) if isinstance(result, Mapping) else result)
    wants_meta = parser is not None and _wants_meta(parser)
    for part in results:
        for series, meta in _series(part):
            rows = series.get("values", ())
            if parser is None:
                yield from rows
            elif wants_meta:
                for row in rows:
                    yield parser(*row, meta=meta)
            else:
                for row in rows:
                    yield parser(*row)


def _series(result: Result) -> Iterator[tuple[Mapping[str, Any], dict[str, Any]]]:
    if not isinstance(result, Mapping) or (result and "results" not in result):
        msg = f"not a result of InfluxDB, which is a mapping with `results`, but {short_repr(result)}"
        raise ValueError(msg)
    for position, statement in enumerate(result.get("results", ())):
        number = statement.get("statement_id", position)
        if "error" in statement:
            msg = f"statement {number} failed: {statement['error']}"
            raise ValueError(msg)
        for series in statement.get("series", ()):
            yield (
                series,
                {
                    "columns": series["columns"],
                    "name": series.get("name", ""),
                    "tags": series.get("tags", {}),
                    "statement_id": number,
                },
            )


def _wants_meta(parser: Callable[..., Any]) -> bool:
    if isinstance(parser, type) and hasattr(parser, "_fields"):
        return False  # `meta` is a column here
    try:
        parameter = inspect.signature(parser).parameters.get("meta")
    except (ValueError, TypeError):  # some callables in C do not tell
        return False
    return parameter is not None and parameter.kind in {parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY}
