from __future__ import annotations

import datetime as dt
from collections import namedtuple
from collections.abc import AsyncIterator, Iterator
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from influx_proto import QueryResult
from influx_proto._result.iterpoints import iterpoints

from tests.core.result.conftest import one, result, select_results

RESULT = QueryResult([
    {"statement_id": 0, "series": [one("time v", [1, 1.5], [2, None], host="a"), one("time v", [3, 2.5], host="b")]},
    {"statement_id": 1},
    {"statement_id": 2, "series": [{"columns": ["user", "admin"], "values": [["u", False]]}, one("time v")]},
])
ROWS: list[Any] = [[1, 1.5], [2, None], [3, 2.5], ["u", False]]


class Point(NamedTuple):
    time: int
    v: float | None


class MetaPoint(NamedTuple):
    time: int
    meta: float | None


@pytest.mark.parametrize(
    "same",
    [
        RESULT,
        dict(RESULT),
        [RESULT],
        (QueryResult([part]) for part in RESULT["results"]),
        iter([{"results": [part]} for part in RESULT["results"]]),
    ],
    ids=["result", "dict", "list", "generator", "dicts"],
)
def test_values(same: Any) -> None:
    assert list(iterpoints(same)) == ROWS


def test_empty_results() -> None:
    empty: list[Any] = [{}, {"results": []}, [], QueryResult([{"statement_id": 0}])]
    for nothing in empty:
        assert list(iterpoints(nothing)) == []


def test_parser() -> None:
    assert list(iterpoints(RESULT, lambda time, v: (v, time))) == [(v, time) for time, v in ROWS]
    assert list(iterpoints(RESULT, Point)) == [Point(*row) for row in ROWS]


@pytest.mark.parametrize("parser_class", [MetaPoint, namedtuple("MetaPoint", ["time", "meta"])])  # noqa: PYI024 - one without types
def test_namedtuple_with_a_field_meta(parser_class: Any) -> None:
    assert list(iterpoints(RESULT, parser_class)) == [parser_class(*row) for row in ROWS]


def keyword_only(*values: Any, meta: dict[str, Any]) -> Any:
    return values, meta


def last(time: Any, v: Any, meta: dict[str, Any]) -> Any:
    return (time, v), meta


class Parser:
    def __call__(self, time: Any, v: Any, *, meta: Any = None) -> Any:
        return (time, v), meta


@pytest.mark.parametrize("parser", [keyword_only, last, Parser()])
def test_meta(parser: Any) -> None:
    points = list(iterpoints(RESULT, parser))
    assert [list(values) for values, _ in points] == ROWS
    assert [meta for _, meta in points] == [
        {"columns": ["time", "v"], "name": "m", "tags": {"host": "a"}, "statement_id": 0},
        {"columns": ["time", "v"], "name": "m", "tags": {"host": "a"}, "statement_id": 0},
        {"columns": ["time", "v"], "name": "m", "tags": {"host": "b"}, "statement_id": 0},
        {"columns": ["user", "admin"], "name": "", "tags": {}, "statement_id": 2},
    ]


def test_parsers_without_a_meta_parameter() -> None:
    def positional_only(time: Any, meta: Any, /) -> Any:
        return time, meta

    def anything(*meta: Any) -> Any:
        return meta

    def keywords(*values: Any, **meta: Any) -> Any:
        assert not meta
        return values

    for parser in (positional_only, anything, keywords):
        assert [list(point) for point in iterpoints(RESULT, parser)] == ROWS


def test_parsers_without_a_signature() -> None:
    class NoSignature:
        __signature__ = "none at all"

        def __call__(self, time: Any, v: Any) -> Any:
            return [time, v]

    assert list(iterpoints(RESULT, NoSignature())) == ROWS
    times = result(one("a b", [2, 3], [3, 4]))
    assert list(iterpoints(times, max)) == [3, 4]
    assert list(iterpoints(result(one("y m d", [2020, 1, 2])), dt.date)) == [dt.date(2020, 1, 2)]


def test_results_without_statement_ids() -> None:
    old = {"results": [{"series": [one("time", [1])]}, {"series": [one("time", [2])]}]}
    assert [meta["statement_id"] for _, meta in iterpoints(old, keyword_only)] == [0, 1]


def test_iteration_is_lazy() -> None:
    def chunks() -> Iterator[QueryResult]:
        yield result(one("time v", [1, 2]))
        raise AssertionError("not asked for yet")

    assert next(iterpoints(chunks())) == [1, 2]


@pytest.mark.parametrize("wrong", [{"error": "no"}, [[1]], [RESULT, "x"]])
def test_invalid_results(wrong: Any) -> None:
    with pytest.raises(ValueError, match="must be a mapping with the key 'results'"):
        list(iterpoints(wrong))


def test_points_before_an_error_are_yielded() -> None:
    points = iterpoints({"results": [dict(RESULT["results"][0]), {"statement_id": 1, "error": "timeout"}]})
    assert [next(points) for _ in range(3)] == ROWS[:3]
    with pytest.raises(ValueError, match="statement 1 failed: timeout"):
        next(points)


@given(select_results())
def test_same_points_as_points_method(some: QueryResult) -> None:
    made = iterpoints(some, lambda *values, meta: {**meta["tags"], **dict(zip(meta["columns"], values, strict=True))})
    assert list(made) == list(some.points())


def test_chunks_of_an_async_client() -> None:
    async def chunks() -> AsyncIterator[QueryResult]:
        yield result(one("time v", [1, 2]))

    with pytest.raises(TypeError, match="async for chunk in chunks: for point in iterpoints"):
        list(iterpoints(chunks()))  # type: ignore[call-overload]  # wrong on purpose
