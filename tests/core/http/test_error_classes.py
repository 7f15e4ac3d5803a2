"""Classes and codes of error responses; each response names the section of the servers' wire facts it follows."""

from __future__ import annotations

import json
import pickle

import pytest
from influx_proto import (
    DatabaseNotFound,
    Headers,
    QueryError,
    QueryTooLarge,
    RejectedLine,
    ResponseError,
    ServerUnavailable,
    WriteError,
)
from influx_proto._http.error_response import class_for_message, error_from_response

TEXT = Headers({"Content-Type": "text/plain"})


def error_of(error_class: type[ResponseError], status: int, body: bytes) -> ResponseError:
    error = error_from_response(error_class, status, TEXT, body)
    assert isinstance(error, ResponseError)
    return error


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, {"error": 'database not found: "x"'}),  # 1.x
        (404, {"code": "not found", "message": "no dbrp mapping found"}),  # 2.x /write: 3.2
        (404, {"code": "not found", "message": 'bucket "x" not found'}),  # 2.x /api/v2/write
        (404, {"error": "query error: database not found: x"}),  # 3.x: 4.3
        (404, {"error": "Database x not found"}),  # 3.x /query: 4.6
    ],
)
def test_database_not_found(status: int, body: dict[str, str]) -> None:
    for error_class in (WriteError, QueryError):
        error = error_of(error_class, status, json.dumps(body).encode())
        assert isinstance(error, DatabaseNotFound)
        assert isinstance(error, error_class)
        assert error.code == body.get("code")


def test_quoted_lines_do_not_determine_the_class() -> None:
    message = "unable to parse 'log m=\"database not found\"': invalid field format"
    assert type(error_of(WriteError, 400, json.dumps({"error": message}).encode())) is WriteError


@pytest.mark.parametrize(
    "message",
    [  # 3.x, 4.3: as 500 up to 3.9, and these two afterwards
        "error while planning query: Error during planning: table 'public.iox.x' not found",
        "Schema error: No field named nope.",
        "SQL error: ParserError",
        "This feature is not implemented: INSERT",
    ],
)
def test_permanent_errors_with_status_500(message: str) -> None:
    error = error_of(QueryError, 500, message.encode())
    assert (type(error), error.retryable) == (QueryError, False)
    assert isinstance(error_of(QueryError, 500, b"internal error"), ServerUnavailable)


@pytest.mark.parametrize(
    "message",
    [  # 3.x, 4.3, as 500 of /api/v3; Cloud Dedicated and Serverless, 5
        "External error: Query would scan 500 Parquet files, exceeding the file limit. Try a narrower time range.",
        "Query would exceed file limit of 432 parquet files. Please specify a smaller time range for your query.",
        "query would process more than 200 partitions",
    ],
)
def test_query_too_large(message: str) -> None:
    error = error_of(QueryError, 500, message.encode())
    assert (type(error), error.retryable) == (QueryTooLarge, False)
    assert class_for_message(QueryError, message) is QueryTooLarge  # also a statement's error
    assert class_for_message(WriteError, message) is None


def test_code_is_a_string_or_none() -> None:
    assert error_of(WriteError, 400, b'{"code":"invalid","message":"no"}').code == "invalid"
    assert error_of(WriteError, 400, b'{"code":7,"error":"no"}').code is None
    assert error_of(WriteError, 400, b"no").code is None


def test_rejected_line_is_a_pair_with_a_number() -> None:
    line = RejectedLine("m v=", "missing field value", 3)
    assert (*line,) == ("m v=", "missing field value")
    assert (line.number, RejectedLine("a", "b").number) == (3, None)
    assert pickle.loads(pickle.dumps(line)).number == 3
