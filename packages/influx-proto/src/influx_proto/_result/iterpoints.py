"""Iteration over the points of a result, with an optional parser."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterable, Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar, cast, overload

from .._repr import short_repr

T = TypeVar("T")

#: A `QueryResult`, or another mapping with the structure of InfluxDB's JSON.
Result = Mapping[str, Any]


@overload
def iterpoints(result: Result | Iterable[Result], parser: None = None) -> Iterator[list[Any]]: ...
@overload
def iterpoints(result: Result | Iterable[Result], parser: Callable[..., T]) -> Iterator[T]: ...
def iterpoints(result: Result | Iterable[Result], parser: Callable[..., Any] | None = None) -> Iterator[Any]:
    """Yield the points of a result, each as a list of values or as the return value of the parser.

    Args:
        result: a `QueryResult`, a mapping with the structure of InfluxDB's JSON, or an iterable of these, such as
            chunks, which is read lazily.
        parser: called with the values of a point as positional arguments, in the order of the columns. A parser with
            a parameter `meta` also receives a dict with the `columns`, `name` and `tags` of the series and the
            `statement_id` of the statement. A namedtuple class can be used as a parser.

    Raises:
        TypeError: the result is an async iterable. Call `iterpoints` for each of its items.
        ValueError: a result does not have the structure of InfluxDB's JSON, or reports an error.
    """
    if isinstance(result, AsyncIterable):
        raise TypeError(
            "result: must not be an async iterable; use "
            "`async for chunk in chunks: for point in iterpoints(chunk): ...`"
        )
    results = cast("Iterable[Result]", (result,) if isinstance(result, Mapping) else result)
    accepts_meta = parser is not None and _accepts_meta(parser)
    for part in results:
        for series, meta in _series(part):
            rows = series.get("values", ())
            if parser is None:
                yield from rows
            elif accepts_meta:
                for row in rows:
                    yield parser(*row, meta=meta)
            else:
                for row in rows:
                    yield parser(*row)


def _series(result: Result) -> Iterator[tuple[Mapping[str, Any], dict[str, Any]]]:
    if not isinstance(result, Mapping) or (result and "results" not in result):
        raise ValueError(f"result: must be a mapping with the key 'results', not {short_repr(result)}")
    for position, statement in enumerate(result.get("results", ())):
        number = statement.get("statement_id", position)
        if "error" in statement:
            raise ValueError(f"statement {number} failed: {statement['error']}")
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


def _accepts_meta(parser: Callable[..., Any]) -> bool:
    if isinstance(parser, type) and hasattr(parser, "_fields"):
        return False  # a field `meta` is a column
    try:
        parameter = inspect.signature(parser).parameters.get("meta")
    except (ValueError, TypeError):  # some callables in C have no signature
        return False
    return parameter is not None and parameter.kind in {parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY}
