"""Reference cycles: an operation's objects must be freed without the garbage collector, which may run late."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pandas as pd
import polars as pl
import pytest
from influx_proto import FLOAT, TAG, TIMEINT, lineprotocol
from influx_proto._line_protocol.values import FieldValueEncoder

POINT = {"measurement": "m", "tags": {"t": "a"}, "fields": {"v": 1.5}, "time": 1}


@lineprotocol
class Weather(NamedTuple):
    station: TAG
    temperature: FLOAT
    time: TIMEINT


FRAME = pd.DataFrame({"v": [1.5], "t": ["a"]}, index=pd.DatetimeIndex([1]).tz_localize("UTC"))


def streamed(client: Any) -> None:
    with client.query_points("SELECT * FROM m") as points:
        assert len(list(points)) == 1


@pytest.fixture
def garbage() -> Iterator[Callable[[], list[str]]]:
    """Return a function that lists the classes of our objects that only the garbage collector can free."""

    def found() -> list[str]:
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        gc.set_debug(0)
        classes = [type(each) for each in gc.garbage]
        gc.garbage.clear()
        # Cached encoder functions of each frame schema remain, without any of its data.
        return [
            each.__name__ for each in classes if each.__module__.startswith("influx_") and each is not FieldValueEncoder
        ]

    gc.collect()
    gc.freeze()  # exclude existing objects, which take long to traverse; for good, as in tests/conftest.py
    gc.disable()
    yield found
    gc.enable()


@pytest.mark.parametrize(
    "operation",
    [
        lambda client: client.ping(),
        lambda client: client.write(b"m,t=a v=1.5 1"),
        lambda client: client.write(POINT),
        lambda client: client.write([POINT]),
        lambda client: client.write(iter([POINT, b"m,t=a v=1.5 1"])),
        lambda client: client.write(Weather("a", 1.5, 1)),
        lambda client: client.write([Weather("a", 1.5, 1)]),
        lambda client: client.write(FRAME, "m", tag_columns=["t"]),
        lambda client: client.write(pl.DataFrame({"v": [1.5], "time": [1]}), "m"),
        lambda client: client.query("SELECT * FROM m"),
        lambda client: client.query_dataframe("SELECT * FROM m"),
        lambda client: client.list_databases(),
        streamed,
    ],
)
def test_operation_creates_no_reference_cycles(
    client: Any, garbage: Callable[[], list[str]], operation: Callable[[Any], object]
) -> None:
    client.write(b"m,t=a v=1.5 1")
    operation(client)  # fill the caches first
    gc.collect()
    operation(client)
    assert garbage() == []
