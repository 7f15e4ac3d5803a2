"""Operations as observers see them."""

from __future__ import annotations

import pytest
from influx_proto._http.observer import operation


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/ping", "ping"),
        ("/prefix/write?db=a/b", "write"),
        ("/api/v2/write?bucket=b", "write"),
        ("/api/v3/query_sql", "query_sql"),
        ("/api/v2/buckets?name=b", "buckets"),
        ("/prefix/api/v2/buckets/0a1b2c3d", "buckets"),  # metrics have one label for all buckets
    ],
)
def test_operation_of_a_target(target: str, expected: str) -> None:
    assert operation(target) == expected
