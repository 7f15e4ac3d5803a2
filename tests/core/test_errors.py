"""Errors as values: messages, pickling and copying."""

from __future__ import annotations

import copy
import pickle

import influx_proto
import pytest
from influx_proto import (
    BufferFullError,
    CallbackError,
    Headers,
    InfluxDBError,
    PartialWriteError,
    ProtocolError,
    QueryError,
    RejectedLine,
    ResponseError,
    SchemaError,
    SerializationError,
    SpoolError,
    TransportError,
    UndeliveredError,
    UndeliveredLines,
    WriteError,
    ops,
)

PARTIAL = PartialWriteError(400, "partial write: x dropped=1", Headers({"A": "b"}), b"{}")
PARTIAL.dropped = 1
PARTIAL.rejected = (RejectedLine("m v=1", "x"),)
QUERY = QueryError(200, "no", Headers({"A": "b"}), b"")
QUERY.statement_id = 1

ERRORS: list[InfluxDBError] = [
    PARTIAL,
    QUERY,
    BufferFullError("full"),
    CallbackError("token raised", retryable=True),
    ProtocolError("cut", retryable=True),
    SchemaError("no field"),
    SerializationError("row 0"),
    SpoolError("full", retryable=True),
    TransportError("gone", maybe_received=False),
    *(cls(500, "no", Headers({"A": "b"}), b"") for cls in WriteError.__subclasses__()),
    *(cls(500, "no", Headers({"A": "b"}), b"") for cls in QueryError.__subclasses__()),
    UndeliveredError([UndeliveredLines("db", None, "ns", b"a b=1\nc d=2", 2)], TransportError("gone")),
]


def plain(error: InfluxDBError) -> dict[str, object]:
    return {name: dict(value) if isinstance(value, Headers) else value for name, value in vars(error).items()}


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_errors_can_be_pickled_and_copied(error: InfluxDBError) -> None:
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert (type(other), str(other), plain(other)) == (type(error), str(error), plain(error))
        assert other.retryable is error.retryable


def test_all_error_classes_are_tested() -> None:
    classes = {cls for cls in vars(influx_proto).values() if isinstance(cls, type) and issubclass(cls, InfluxDBError)}
    assert {cls for cls in classes if not any(isinstance(error, cls) for error in ERRORS)} <= {
        cls for cls in classes if issubclass(cls, ResponseError)
    }


def test_undelivered_lines_are_counted() -> None:
    assert str(ERRORS[-1]) == "2 lines were not delivered: gone"


def test_partial_write_of_influxdb_2() -> None:
    text = b'{"code":"unprocessable entity","message":"failure writing points to database: partial write: x dropped=3"}'
    headers = {"Content-Type": "application/json"}
    with pytest.raises(PartialWriteError) as caught:
        ops.write("m v=1 1").read(422, headers, text)
    assert caught.value.dropped == 3
