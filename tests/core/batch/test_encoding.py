"""Encoders of a batch writer: kept for equal arguments, and never shared or used again after an error."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from influx_proto import SerializationError
from influx_proto._batch.encoding import BatchEncoding, BatchEncodings
from influx_proto._runtime.settings import Settings
from influx_proto._write.keys import Key, key_of
from influx_proto._write.write import write_batches

POINT = {"measurement": "m", "fields": {"v": 1}, "time": 1}


class FakeClock:
    def now(self) -> float:
        return 0.0

    def time_ns(self) -> int:
        return 1


def key(*positional: Any, **named: Any) -> Key | None:
    return key_of(positional, named)


def test_equal_arguments_have_equal_keys() -> None:
    assert key() == key()
    assert key("m", precision="s", tags={"a": "b"}, tag_columns=["a"]) == key(
        "m", precision="s", tags={"a": "b"}, tag_columns=("a",)
    )


def test_different_arguments_have_different_keys() -> None:
    keys = [
        key(),
        key("m"),
        key("n"),
        key(db="m"),
        key(rp="m"),
        key(tag_columns="ab"),
        key(tag_columns=["ab"]),
        key(tag_columns=["a", "b"]),
        key(tags={}),
        key(tags=()),
        key(tags={"a": "b"}),
        key(tags={"a": "b", "c": "d"}),
        key(unsigned=True),
        key(unsigned=False),
        key(unsigned=None),
    ]
    assert None not in keys
    assert len(set(keys)) == len(keys)


class Text(str):
    """Equal to a str, but may be encoded differently."""

    __slots__ = ()


@pytest.mark.parametrize(
    "named",
    [{"n": 1}, {"n": 1.0}, {"tags": {"n": 1}}, {"n": Text("a")}, {"tags": {Text("a"): "b"}}, {"tag_columns": {"a"}}],
)
def test_arguments_that_equal_others_of_another_type_have_no_key(named: dict[str, Any]) -> None:
    assert key(**named) is None


def test_an_encoder_is_used_by_one_call_at_a_time() -> None:
    encodings = BatchEncodings(Settings(), FakeClock())
    first = encodings.create(write_batches(b""))
    encodings.put_back((), first)
    assert encodings.take(()) is first
    assert encodings.take(()) is None
    assert encodings.take(None) is None


def test_rows_of_an_error_are_counted_in_each_call() -> None:
    encoding = BatchEncodings(Settings(), FakeClock()).create(write_batches(b""))
    for _ in range(2):
        assert [batch.data for batch in encoding.batches([POINT, POINT])] == [b"m v=1i 1\nm v=1i 1"]
    with pytest.raises(SerializationError, match=r"^row 1: "):
        list(encoding.batches([POINT, {"measurement": "m", "fields": {"v": object()}}]))


def test_rows_of_an_error_are_counted_in_each_async_call() -> None:
    encoding = BatchEncodings(Settings(), FakeClock()).create(write_batches(b""))

    async def points(*values: object) -> AsyncGenerator[object]:
        for value in values:
            yield {"measurement": "m", "fields": {"v": value}}

    async def encode(data: AsyncGenerator[object]) -> list[bytes]:
        return [batch.data async for batch in encoding.abatches(data)]

    for _ in range(2):
        assert asyncio.run(encode(points(1, 1))) == [b"m v=1i", b"m v=1i"]
    with pytest.raises(SerializationError, match=r"^row 1: "):
        asyncio.run(encode(points(1, object())))


def test_a_retention_policy_has_one_target() -> None:
    """Its lines stay in order, whether a call or the client names the database."""
    settings = Settings(database="db")
    targets = {BatchEncoding(write_batches(None, rp="rp", db=db), settings, FakeClock()).target for db in (None, "db")}
    assert len(targets) == 1
