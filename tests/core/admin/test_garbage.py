"""Results of SHOW statements with arbitrary values: readers return a result or raise `InfluxDBError`."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from influx_proto import InfluxDBError, Op, ProtocolError, admin, ops
from influx_proto._runtime.retry import retry_after as retry_after_seconds

READERS: list[tuple[Op[Any], list[str]]] = [
    (admin.list_databases(), ["name"]),
    (admin.list_measurements(), ["name"]),
    (
        admin.list_retention_policies(),
        ["name", "duration", "shardGroupDuration", "replicaN", "default", "futureWriteLimit", "pastWriteLimit"],
    ),
    (admin.list_users(), ["user", "admin"]),
    (admin.list_grants("u"), ["database", "privilege"]),
    (admin.list_series(), ["key"]),
    (admin.list_tag_keys(), ["tagKey"]),
    (admin.list_tag_values("k"), ["key", "value"]),
    (admin.list_field_keys(), ["fieldKey", "fieldType"]),
    (admin.series_cardinality(), ["cardinality estimation"]),
    (admin.series_cardinality(), ["count"]),
    (admin.list_continuous_queries(), ["name", "query"]),
    (admin.list_subscriptions(), ["name", "retention_policy", "mode", "destinations"]),
    (
        admin.list_shards(),
        ["id", "database", "retention_policy", "shard_group", "start_time", "end_time", "expiry_time", "owners"],
    ),
    (
        admin.list_shard_groups(),
        ["id", "database", "retention_policy", "start_time", "end_time", "expiry_time"],
    ),
    (admin.list_queries(), ["qid", "query", "database", "duration", "status"]),
    (admin.stats(), ["a"]),
    (admin.diagnostics(), ["a"]),
    (admin.explain("SELECT 1"), ["QUERY PLAN"]),
]

TEXTS = st.one_of(
    st.text(st.characters(), max_size=12),
    st.from_regex(r"[0-9]{1,5}-[0-9]{1,3}-[0-9]{1,3}T[0-9]{1,2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,12})?(Z|[+-][0-9:]{1,9})?"),
    st.from_regex(r"-?([0-9.]{1,30}(h|m|s|ms|us|ns|d))+"),
    st.from_regex(r"[0-9, \-]{0,30}"),
    st.sampled_from(["2024-01-01T00:00:00Z", "1h0m0s", "1,2", "9999-12-31T23:59:59-14:00", "m,a=b", "m,a", "\ud800"]),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS),
    lambda items: st.lists(items, max_size=3) | st.dictionaries(st.text(max_size=3), items, max_size=2),
    max_leaves=4,
)


def read(op: Op[Any], columns: list[str], *values: list[Any]) -> Any:
    body = {"results": [{"statement_id": 0, "series": [{"name": "x", "columns": columns, "values": list(values)}]}]}
    return op.read(200, {"Content-Type": "application/json"}, json.dumps(body).encode())


MOST = max(len(columns) for _, columns in READERS)


# Hypothesis takes longer to draw values than all readers take to read them.
@given(values=st.lists(VALUES, min_size=4 + MOST, max_size=4 + MOST), size=st.integers(0, 4 + MOST))
def test_only_errors_of_influxdb(values: list[Any], size: int) -> None:
    for op, columns in READERS:
        width = len(columns)
        rows = [values[at : at + width] for at in range(0, len(values) - width + 1, width)]
        for row in (*rows, values[:size]):
            with suppress(InfluxDBError):
                read(op, columns, row, row)


@pytest.mark.parametrize(
    ("column", "value"),
    [("start_time", "yesterday"), ("start_time", ""), ("end_time", None), ("expiry_time", 5), ("owners", "1,x"),
     ("owners", ["1"])],
)  # fmt: skip
def test_the_error_names_the_column(column: str, value: object) -> None:
    time = "2024-01-01T00:00:00Z"
    row = {"id": 1, "database": "d", "retention_policy": "p", "shard_group": 1, "start_time": time, "end_time": time,
           "expiry_time": time, "owners": "1"}  # fmt: skip
    assert read(admin.list_shards(), list(row), list(row.values()))[0].owners == (1,)
    with pytest.raises(ProtocolError, match=f"in the column '{column}' of the response"):
        read(admin.list_shards(), list(row), list({**row, column: value}.values()))


HEADERS = st.one_of(
    TEXTS,
    st.from_regex(r"[0-9]{1,400}"),
    st.from_regex(r"(Mon, )?[0-9]{1,12} Jan [0-9]{1,12} [0-9]{1,12}:[0-9]{1,3}:[0-9]{1,3} (GMT|UTC|[+-][0-9]{1,12})?"),
)


@given(retry_after=HEADERS, date=HEADERS, error=HEADERS, status=st.sampled_from([400, 401, 404, 429, 500, 503]))
@example(retry_after="Fri, 31 Dec 9999 23:59:59 -2359", date="Mon, 01 Jan 0001 00:00:00 +2359", error="", status=503)
def test_headers_of_error_responses(retry_after: str, date: str, error: str, status: int) -> None:
    headers = {"Retry-After": retry_after, "Date": date, "X-Influxdb-Error": error, "Content-Length": retry_after}
    with pytest.raises(InfluxDBError) as raised:
        ops.write("m v=1 1").read(status, headers, b"")
    wait = retry_after_seconds(headers)
    assert wait is None or wait >= 0
    assert str(raised.value)
