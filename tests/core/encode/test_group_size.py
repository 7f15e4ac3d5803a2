"""Memory of encoding many points with long strings, for each type that is encoded in groups."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
from influx_proto import INT, STR, TAG, TIMEINT, lineprotocol, serialize, serialize_batches

POINTS = 60
LONG = 500_000


@lineprotocol
class Tuple(NamedTuple):
    """A tuple with a string."""

    time: TIMEINT
    kind: TAG
    n: INT
    s: STR | None


@lineprotocol
@dataclass
class Object:
    """The same as an object."""

    time: TIMEINT
    kind: TAG
    n: INT
    s: STR | None


class Text(str):
    """A string of another class."""

    __slots__ = ()


def mapping(n: int, text: str | None, key: str = "s", tag: str = "a") -> dict[str, Any]:
    return {"time": n, "tags": {"kind": tag}, "fields": {"n": n, key: text}}


TYPES: dict[str, Callable[[int, str], Any]] = {
    "mappings": mapping,
    "mappings, some missing": lambda n, text: mapping(n, text if n % 3 else None),
    "mappings of several key sets": lambda n, text: mapping(n, text, f"s{n % 5}"),
    "mappings of str subclasses": lambda n, text: mapping(n, Text(text)),
    "tuples": lambda n, text: Tuple(n, "a", n, text),
    "objects": lambda n, text: Object(n, "a", n, text),
    "objects, some missing": lambda n, text: Object(n, "a", n, text if n % 3 else None),
}


def measure_peak(points: Iterable[Any]) -> int:
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for _ in serialize_batches(points, "m", max_bytes=2_000_000):
            pass
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", TYPES)
def test_memory_does_not_depend_on_the_number_of_points(name: str) -> None:
    text = 'é"' + "x" * LONG
    points = [TYPES[name](n, text) for n in range(POINTS)]
    assert measure_peak(points) < 14_000_000


def test_a_generator_of_tuples_is_not_read_far_ahead() -> None:
    assert measure_peak(Tuple(n, "a", n, "x" * LONG) for n in range(POINTS)) < 14_000_000


@pytest.mark.parametrize("cls", [mapping, Tuple])
def test_series_with_long_tags_are_not_kept(cls: Any) -> None:
    tags = [f"{n:06}" + "x" * 60_000 for n in range(1000)]
    points = [mapping(n, "a", tag=tag) if cls is mapping else Tuple(n, tag, n, "a") for n, tag in enumerate(tags)]
    assert measure_peak(points) < 45_000_000  # a group has at most 500 series of 64 KB


@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize("lengths", [(1, 20_000), (1, 200_000), (30_000, 1)])
def test_lines_are_the_same_as_of_single_points(name: str, lengths: tuple[int, int]) -> None:
    points = [TYPES[name](n, f'{n}"\\' + "x" * lengths[n % 40 == 7]) for n in range(100)]
    expected = b"\n".join(serialize(point, "m") for point in points)
    assert serialize(points, "m") == expected
    assert serialize(iter(points), "m") == expected
    batches = serialize_batches(points, "m", max_bytes=100_000)
    assert b"\n".join(batches) == expected


@pytest.mark.parametrize("name", TYPES)
def test_batches_are_filled_up_to_their_limit(name: str) -> None:
    points = [TYPES[name](n, "x" * 50_000) for n in range(200)]
    sizes = [len(batch) for batch in serialize_batches(points, "m", max_bytes=4_000_000)]
    assert max(sizes) <= 4_000_000
    assert min(sizes[:-1]) > 2_900_000  # a group is at most 1 MB
