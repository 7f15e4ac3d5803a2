"""Repeated writes with equal arguments: their options are checked once, and their encoder is used again."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from influx_proto import SerializationError
from influx_proto._encode.batch import Batch
from influx_proto._runtime.settings import Settings
from influx_proto._write.operation import WriteOperation
from influx_proto._write.write import write_batches

POINT = {"measurement": "m", "fields": {"v": 1}, "time": 1}
SETTINGS = Settings()


class FakeClock:
    def now(self) -> float:
        return 0.0

    def time_ns(self) -> int:
        return 1


def encoded(operation: WriteOperation, settings: Settings = SETTINGS) -> list[Batch]:
    return list(operation._start_encoding(settings, FakeClock()))


def test_equal_arguments_are_prepared_once() -> None:
    first = write_batches(POINT, tags={"a": "b"}, precision="s", tag_columns=["x"])
    second = write_batches(POINT, tags={"a": "b"}, precision="s", tag_columns=["x"])
    assert second is not first
    assert second.options is first.options


@pytest.mark.parametrize("arguments", [{"max_lines": 1}, {"timeout": 1.0}, {"tags": {"a": 1}}, {"in_flight": True}])
def test_arguments_that_may_be_equal_to_others_are_checked_each_time(arguments: dict[str, Any]) -> None:
    def build() -> WriteOperation:
        return write_batches(POINT, **arguments)

    if "in_flight" in arguments:
        write_batches(POINT, in_flight=1)
        with pytest.raises(TypeError, match="in_flight"):
            build()
    else:
        assert build().options is not build().options


def test_invalid_arguments_raise_each_time() -> None:
    for _ in range(3):
        with pytest.raises(ValueError, match="precision"):
            write_batches(POINT, precision="x")
        with pytest.raises(SerializationError, match="write_compressed"):
            write_batches(b"\x1f\x8b")
        write_batches(POINT)


def test_later_changes_of_arguments_have_no_effect() -> None:
    field_types: dict[str, Any] = {"v": "float"}
    tags = {"a": "b"}
    first = write_batches(POINT, field_types=field_types, tags=tags)
    field_types["v"] = "string"
    tags["a"] = "c"
    second = write_batches(POINT, field_types={"v": "float"}, tags={"a": "b"})
    client = Settings(tags={"t": "u"})  # creates the encoder when the data is encoded
    for operation in (first, second):
        assert [batch.data for batch in encoded(operation, client)] == [b"m,a=b,t=u v=1.0 1"]
        assert [batch.data for batch in encoded(operation)] == [b"m,a=b v=1.0 1"]


def test_an_encoder_is_used_again_after_every_kind_of_single_value() -> None:
    values: list[tuple[object, bytes, bool]] = [
        (POINT, b"m v=1i 1000000000", True),
        (b"m v=2", b"m v=2", False),
        ("m v=3 3", b"m v=3 3", True),
        ({"measurement": "m", "fields": {"v": 4}}, b"m v=4i", False),
    ]
    options = write_batches(POINT, precision="s").options
    encoder = options.take_encoder()
    assert encoder is not None
    options.put_back(encoder)
    for value, line, is_timed in values * 2:
        (batch,) = encoded(write_batches(value, precision="s"))
        precision = "ns" if isinstance(value, Mapping) else "s"
        assert batch == Batch(line, 1, precision, is_timed)
        assert options.take_encoder() is encoder
        options.put_back(encoder)


def test_rows_of_an_error_are_counted_in_each_call() -> None:
    for _ in range(3):
        encoded(write_batches(POINT, rp="rows"))
    with pytest.raises(SerializationError, match=r"^row 1: "):
        encoded(write_batches([POINT, {"measurement": "m", "fields": {"v": object()}}], rp="rows"))


@pytest.mark.parametrize("value", [[POINT], iter([POINT]), {"measurement": "m", "fields": {"v": object()}}])
def test_an_encoder_is_not_used_again_after_other_data_or_an_error(value: object) -> None:
    options = write_batches(POINT, db="other").options
    if (encoder := options.take_encoder()) is not None:
        options.put_back(encoder)
    with contextlib.suppress(SerializationError):
        encoded(write_batches(value, db="other"))
    assert options.take_encoder() is None
    assert [batch.data for batch in encoded(write_batches(POINT, db="other"))] == [b"m v=1i 1"]


def test_nested_writes_use_different_encoders() -> None:
    class Fields(dict[str, Any]):
        def items(self) -> Any:
            assert [batch.data for batch in encoded(write_batches(POINT, rp="nested"))] == [b"m v=1i 1"]
            return super().items()

    outer = {"measurement": "outer", "fields": Fields(v=2), "time": 2}
    for _ in range(2):
        assert [batch.data for batch in encoded(write_batches(outer, rp="nested"))] == [b"outer v=2i 2"]


def test_concurrent_writes_use_different_encoders() -> None:
    first, second = write_batches(iter([POINT]), rp="concurrent"), write_batches(POINT, rp="concurrent")
    batches: Iterator[Batch] = first.batches(SETTINGS, FakeClock())
    assert [batch.data for batch in encoded(second)] == [b"m v=1i 1"]
    assert [batch.data for batch in batches] == [b"m v=1i 1"]
