"""All types of input, encoded whole and in batches."""

from __future__ import annotations

import math
import sys
from collections import UserString, deque
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from influx_proto import SerializationError, serialize, serialize_batches
from influx_proto._encode.batch import Batch
from influx_proto._encode.encoder import Encoder


def point(number: int, **more: Any) -> dict[str, Any]:
    return {"measurement": "m", "time": number, "fields": {"v": number}, **more}


def numbers(data: bytes) -> list[int]:
    return [int(line.rpartition(b" ")[2]) for line in data.split(b"\n") if line]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("m v=1 1", b"m v=1 1"),
        ("m v=1 1\n", b"m v=1 1"),
        (b"\n\nm v=1 1\n\n", b"m v=1 1"),
        (bytearray(b"m v=1"), b"m v=1"),
        (memoryview(b"m v=1"), b"m v=1"),
        ("m v=1\nm v=2", b"m v=1\nm v=2"),
        ("é v=1", "é v=1".encode()),
        (b"\xff v=1", b"\xff v=1"),
        ("m v=1\r\n", b"m v=1\r"),
        ("", b""),
        ("\n \t\n", b""),
        ("# a comment\n", b""),
        ("m v=1\n# a comment\n\nm v=2", b"m v=1\n# a comment\n\nm v=2"),
        ([], b""),
        ([[], (), ["", b"\n"]], b""),
        (point(1), b"m v=1i 1"),
        ([point(1), point(2)], b"m v=1i 1\nm v=2i 2"),
        ((point(n) for n in range(2)), b"m v=0i 0\nm v=1i 1"),
        ([point(1), "m v=2\n", [b"m v=3", deque([point(4)])]], b"m v=1i 1\nm v=2\nm v=3\nm v=4i 4"),
        ({"a": point(1)}.values(), b"m v=1i 1"),
        ([point(1, fields={}), point(2)], b"m v=2i 2"),
        ([point(1, fields={"v": math.nan})], b""),
        (["m v=1\n", "m v=2\n", "\n", "m v=3"], b"m v=1\nm v=2\nm v=3"),
    ],
)  # fmt: skip
def test_types_of_input(data: object, expected: bytes) -> None:
    assert serialize(data) == expected


def test_options() -> None:
    data = {"time": 1, "fields": {"a": 1, "b": math.inf, "c": 2**63, "d": 2}}
    text = serialize(data, "m", precision="s", tags={"x": "1", "y": "1"}, nonfinite="omit", unsigned=True,
                     field_types={"d": "integer"}, integers_as_floats=True, y="2", z="3")  # fmt: skip
    assert text == b"m,x=1,y=2,z=3 a=1.0,c=9.223372036854776e18,d=2i 1000000000"
    assert list(serialize_batches(data, "m", nonfinite="omit", unsigned=True)) == [
        b"m a=1i,c=9223372036854775808u,d=2i 1"
    ]


class Row(NamedTuple):
    a: str
    b: str


async def agenerator() -> AsyncIterator[str]:
    yield "m v=1"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (None, "cannot write a NoneType"),
        (5, "cannot write an int"),
        (1.5, "cannot write a float"),
        ({1}, "row 0: cannot write an int"),
        ([point(1), None], "row 1: cannot write a NoneType"),
        ([[point(1)], [point(2), {"measurement": "m"}]], "row 2: .*without 'fields'"),
        ([point(1), point(2, fields={"v": math.inf})], "row 1: measurement 'm', field 'v': .*infinite"),
        ([point(1), point(2, tags={"t": "a\n"})], "row 1: measurement 'm', tag 't': .*line feed"),
        (["m v=1", "m v=\ud800"], "row 1: .*surrogate"),
        ("\ud800", "surrogate"),
        ({}, "without 'fields'"),
        (point(1, fields={}), "no field with a value"),
        (point(1, fields={"v": None}), "no field with a value"),
        (Row("m v=1", "m v=2"), "cannot write a Row"),
        (pd.Series(["m v=1"]), "the Series has no name"),
        (pl.Series(["m v=1"]), "cannot write a Series"),
        (np.float64(1), "cannot write a float64"),
        (object(), "cannot write an object"),
        (len, "cannot write a builtin_function"),
    ],
)  # fmt: skip
def test_error_names_the_invalid_input(data: object, why: str) -> None:
    with pytest.raises(SerializationError, match=f"^{why}" if why.startswith("row") else why):
        serialize(data)


def test_async_iterable_is_rejected() -> None:
    data = agenerator()
    with pytest.raises(SerializationError, match=r"async_generator here; .*async client"):
        serialize(data)


def test_generators_exception_is_raised() -> None:
    def failing() -> Iterator[str]:
        yield "m v=1"
        raise LookupError

    with pytest.raises(LookupError):
        serialize(failing())


@pytest.mark.parametrize(
    ("argument", "value"),
    [("max_lines", 0), ("max_lines", True), ("max_bytes", -1), ("max_bytes", 1.5), ("precision", "d"),
     ("nonfinite", "x"), ("field_types", {"a": 1}), ("unsigned", "yes")],
)  # fmt: skip
def test_invalid_arguments_are_rejected_immediately(argument: str, value: Any) -> None:
    is_wrong_type = argument == "unsigned" or (argument.startswith("max_") and type(value) is not int)
    with pytest.raises(TypeError if is_wrong_type else ValueError, match=f"^{argument}: "):
        serialize_batches([], **{argument: value})


def test_nesting_beyond_the_recursion_limit() -> None:
    data: Any = point(1)
    for _ in range(sys.getrecursionlimit() * 2):
        data = [data]
    assert serialize(data) == b"m v=1i 1"


def itself_in_a_list() -> Any:
    data: list[Any] = [point(1)]
    data.append((data,))
    return data


def itself_in_a_generator() -> Any:
    def generate() -> Iterator[Any]:
        while True:
            yield generator

    generator = generate()
    return generator


def endless_generators() -> Iterator[Any]:
    yield endless_generators()


@pytest.mark.parametrize(
    ("data", "problem"),
    [(itself_in_a_list(), "row 1: a list contains itself; pass"), (itself_in_a_generator(), "a generator contains"),
     (endless_generators(), "nested in more than"), (UserString("m v=1"), "UserString is nested in more than")],
)  # fmt: skip
def test_endless_nesting_is_rejected(data: object, problem: str) -> None:
    with pytest.raises(SerializationError, match=problem):
        serialize(data)


def test_iterable_that_occurs_several_times() -> None:
    data = [point(1)]
    assert serialize([data, [data, data]]) == b"\n".join([b"m v=1i 1"] * 3)


def test_batches_are_yielded_lazily() -> None:
    taken = 0

    def endless() -> Iterator[Any]:
        nonlocal taken
        while True:
            yield [point(taken)]
            taken += 1

    batches = serialize_batches(endless(), max_lines=10)
    assert taken == 0
    assert numbers(next(batches)) == list(range(10))
    assert taken == 10
    assert numbers(next(batches)) == list(range(10, 20))


@pytest.mark.parametrize("make", [point, lambda n: f"m v={n}i {n}", lambda n: [f"m v={n}i {n}\n".encode()]])
def test_lines_and_bytes_in_a_batch_are_bounded(make: Callable[[int], object]) -> None:
    data = [make(n) for n in range(1000)]
    batches = list(serialize_batches(data, max_lines=7))
    assert [len(numbers(batch)) for batch in batches] == [7] * 142 + [6]
    batches = list(serialize_batches(data, max_lines=None, max_bytes=100))
    assert all(80 < len(batch) <= 100 for batch in batches[:-1])
    assert numbers(b"\n".join(batches)) == list(range(1000))


def test_line_beyond_the_limit_gets_its_own_batch() -> None:
    long = {"measurement": "m", "fields": {"s": "x" * 100}}
    assert [len(batch) for batch in serialize_batches([point(1), long, point(2)], max_bytes=20)] == [8, 106, 8]
    text = f'm v=1i 1\nm s="{"x" * 100}"\nm v=2i 2'
    assert [len(batch) for batch in serialize_batches(text, max_bytes=20)] == [8, 106, 8]
    assert [len(batch) for batch in serialize_batches(["n v=1", text], max_bytes=20)] == [14, 106, 8]


def test_raw_lines_are_split_only_at_line_ends() -> None:
    lines = [b'm s="a\nb \\" 5\nc" 1', b"m\\ n v=1 2", b'm "s=1,t="x\n\ny" 3', b"m v=4"]
    assert list(serialize_batches(b"\n".join(lines), max_lines=1)) == lines
    assert list(serialize_batches(b"\n".join(lines), max_bytes=1)) == lines
    assert list(serialize_batches(b"\n".join(lines), max_lines=2)) == [b"\n".join(lines[:2]), b"\n".join(lines[2:])]


def test_raw_lines_that_fit_are_not_copied() -> None:
    data = b"m v=1 1\n" * 1000 + b"m v=2 2"
    (batch,) = serialize_batches(data)
    assert batch is data


@given(
    st.lists(
        st.sampled_from(["m v=1 1", 'm s="a\nb" 2', 'm s="a 3\nb"', "m v=1", "", "# c", "m,t=a\\ b v=1 4"]) | st.none(),
        max_size=20,
    ),
    st.integers(1, 5) | st.none(),
    st.integers(1, 40) | st.none(),
)  # fmt: skip
def test_batches_hold_all_lines_in_order(parts: list[str | None], max_lines: int | None, max_bytes: int | None) -> None:
    own = {"measurement": "p", "time": 9, "fields": {"v": True}}
    encoder = Encoder(max_lines=max_lines, max_bytes=max_bytes)
    batches = list(encoder.encode([own if part is None else part for part in parts]))
    sent = [part or "p v=true 9" for part in parts if part not in {"", "# c"}]
    assert b"\n".join(batch.data for batch in batches).decode() == "\n".join(sent)
    assert sum(batch.lines for batch in batches) == len(sent)
    for batch in batches:
        assert max_lines is None or batch.lines <= max_lines
        assert max_bytes is None or batch.lines == 1 or len(batch.data) <= max_bytes
    timed = [not line.endswith(("v=1", '"')) for line in sent]
    at = 0
    for batch in batches:
        assert batch.timed == all(timed[at : at + batch.lines])
        at += batch.lines


def test_points_are_in_nanoseconds_and_raw_lines_unchanged() -> None:
    encoder = Encoder(precision="ms")
    data = [point(1), "m v=1 1", "m v=2 2", point(2), point(3)]
    assert list(encoder.encode(data)) == [
        Batch(b"m v=1i 1000000", 1, "ns", timed=True),
        Batch(b"m v=1 1\nm v=2 2", 2, "ms", timed=True),
        Batch(b"m v=2i 2000000\nm v=3i 3000000", 2, "ns", timed=True),
    ]
    assert serialize(["m v=1 1"], precision="us") == b"m v=1 1"
    assert len(list(Encoder(precision="n").encode(data))) == 1
    with pytest.raises(SerializationError, match="'ms' and points in 'ns'"):
        serialize(data, precision="ms")


@pytest.mark.parametrize(
    ("line", "timed"),
    [
        ("m v=1 1", True),
        ("m v=1 -1", True),
        ("m v=1 1  ", True),
        ("m v=1", False),
        ("m v=1 ", False),
        ('m v="a 1"', False),
        ('m v="a 1\nb"', False),
        ('m v="a\nb" 1', True),
        ("m v=1 1\nm v=2", False),
        ("m v=1 1\n# no time\n\nm v=2 2", True),
        ("m v=1 x", False),
        ("m v=1 --1", False),
    ],
)
def test_whether_all_lines_have_a_timestamp(line: str, timed: bool) -> None:
    (batch,) = Encoder().encode(line)
    assert batch.timed == timed


def test_push_encoder() -> None:
    encoder = Encoder(max_lines=2)
    assert list(encoder.add(point(1))) == []
    assert list(encoder.add([point(2), point(3), point(4), point(5)])) == [
        Batch(b"m v=1i 1\nm v=2i 2", 2, "ns", timed=True),
        Batch(b"m v=3i 3\nm v=4i 4", 2, "ns", timed=True),
    ]
    assert encoder.close() == [Batch(b"m v=5i 5", 1, "ns", timed=True)]
    assert encoder.close() == []
    assert list(encoder.add(point(6, time=None))) == []
    assert encoder.close() == [Batch(b"m v=6i", 1, "ns", timed=False)]


def test_single_value_and_bulk_input() -> None:
    encoder = Encoder()
    with pytest.raises(SerializationError, match=r"^measurement 'm': the point has no field"):
        encoder.add(point(1, fields={}))
    assert list(encoder.add(point(1, fields={}), bulk=True)) == []
    with pytest.raises(SerializationError, match=r"^row 1: "):
        encoder.add(None, bulk=True)


def test_add_batch() -> None:
    encoder = Encoder(max_lines=2, precision="s")
    batch = Batch(b"m v=1 1\nm v=2 2\nm v=3 3", 3, "ms", timed=True)
    assert list(encoder.encode([batch, Batch(b"m v=4 4", 1, "ms", timed=True), "m v=5 5"])) == [
        Batch(b"m v=1 1\nm v=2 2", 2, "ms", timed=True),
        Batch(b"m v=3 3\nm v=4 4", 2, "ms", timed=True),
        Batch(b"m v=5 5", 1, "s", timed=True),
    ]


@pytest.mark.parametrize("option", ["db", "find_rejected", "timeout", "stamp"])
@pytest.mark.parametrize("function", [serialize, serialize_batches])
def test_client_options_do_not_become_tags(function: Callable[..., Any], option: str) -> None:
    point = {"measurement": "m", "fields": {"v": 1}, "time": 1}
    with pytest.raises(TypeError, match=f"^{option}: .*is an option of a client's `write`"):
        function(point, **{option: "a"})
    assert serialize(point, tags={option: "a"}) == f"m,{option}=a v=1i 1".encode()
