"""Administration: the text of every statement, and the results read from the responses of several versions."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pandas as pd
import pytest
from influx_proto import Op, ProtocolError, QueryError, admin, ops
from influx_proto._admin.rows import Row, read_duration
from influx_proto._http.messages import Repeat
from influx_proto.adapter import AsyncClient, Client
from influx_proto.admin import (
    ContinuousQuery,
    Diagnostics,
    FieldKey,
    Grant,
    Not,
    RetentionPolicy,
    RunningQuery,
    SeriesKey,
    Shard,
    ShardGroup,
    Statistics,
    Subscription,
    TagKey,
    TagValue,
    User,
)

#: A name: unquoted, in double quotes and in single quotes.
NAME = "a\"b'c\\d\ne; DROP DATABASE x --"
ID = '"a\\"b\'c\\\\d\\ne; DROP DATABASE x --"'
TEXT = "'a\"b\\'c\\\\d\\ne; DROP DATABASE x --'"

BOUNDS = r'"b"::tag =~ /(?i)\// AND time >= 1 AND time < 86400'

HOUR = timedelta(hours=1)


def parameters(op: Op[Any]) -> dict[str, str]:
    """Return the parameters that are sent, in the target or in the body."""
    body = op.request.body
    assert isinstance(body, bytes)
    query = f"{urlsplit(op.request.target).query}&{body.decode()}"
    return {name: value for name, [value] in parse_qs(query, strict_parsing=False).items()}


def text(op: Op[Any]) -> str:
    return parameters(op)["q"]


STATEMENTS: list[tuple[Op[Any], str]] = [
    (ops.create_database(NAME), f"CREATE DATABASE {ID}"),
    (ops.create_database(NAME, duration="30d"), f"CREATE DATABASE {ID} WITH DURATION 30d"),
    (ops.create_database(NAME, duration=7200, replication=2, shard_duration=HOUR, name=NAME),
     f"CREATE DATABASE {ID} WITH DURATION 2h REPLICATION 2 SHARD DURATION 1h NAME {ID}"),
    (ops.create_database("d", duration=3600, future_write_limit=HOUR, past_write_limit="INF", name="p"),
     'CREATE DATABASE "d" WITH DURATION 1h FUTURE LIMIT 1h PAST LIMIT INF NAME "p"'),
    (ops.create_database("d", past_write_limit="30m"), 'CREATE DATABASE "d" WITH PAST LIMIT 30m'),
    (admin.list_databases(), "SHOW DATABASES"),
    (admin.list_retention_policies(), "SHOW RETENTION POLICIES"),
    (admin.create_retention_policy(NAME, NAME), f"CREATE RETENTION POLICY {ID} ON {ID} DURATION INF REPLICATION 1"),
    (admin.create_retention_policy("p", "d", "1w2d", replication=3, shard_duration=timedelta(days=1), default=True),
     'CREATE RETENTION POLICY "p" ON "d" DURATION 9d REPLICATION 3 SHARD DURATION 1d DEFAULT'),
    (admin.create_retention_policy("p", "d", default=True, future_write_limit="1h", past_write_limit=7200),
     'CREATE RETENTION POLICY "p" ON "d" DURATION INF REPLICATION 1 DEFAULT FUTURE LIMIT 1h PAST LIMIT 2h'),
    (admin.alter_retention_policy("p", "d", future_write_limit="INF", past_write_limit=HOUR),
     'ALTER RETENTION POLICY "p" ON "d" FUTURE LIMIT INF PAST LIMIT 1h'),
    (admin.alter_retention_policy(NAME, NAME, default=True), f"ALTER RETENTION POLICY {ID} ON {ID} DEFAULT"),
    (admin.alter_retention_policy("p", "d", duration="inf", replication=1, shard_duration=7200),
     'ALTER RETENTION POLICY "p" ON "d" DURATION INF REPLICATION 1 SHARD DURATION 2h'),
    (admin.drop_retention_policy(NAME, NAME), f"DROP RETENTION POLICY {ID} ON {ID}"),

    (admin.list_users(), "SHOW USERS"),
    (admin.create_user(NAME, NAME), f"CREATE USER {ID} WITH PASSWORD {TEXT}"),
    (admin.create_user("u", "p", admin=True), "CREATE USER \"u\" WITH PASSWORD 'p' WITH ALL PRIVILEGES"),
    (admin.set_password(NAME, NAME), f"SET PASSWORD FOR {ID} = {TEXT}"),
    (admin.drop_user(NAME), f"DROP USER {ID}"),
    (admin.list_grants(NAME), f"SHOW GRANTS FOR {ID}"),
    (admin.grant("read", NAME, NAME), f"GRANT READ ON {ID} TO {ID}"),
    (admin.revoke("all", NAME, NAME), f"REVOKE ALL ON {ID} FROM {ID}"),
    (admin.grant_admin(NAME), f"GRANT ALL PRIVILEGES TO {ID}"),
    (admin.revoke_admin(NAME), f"REVOKE ALL PRIVILEGES FROM {ID}"),

    (admin.list_continuous_queries(), "SHOW CONTINUOUS QUERIES"),
    (admin.create_continuous_query(NAME, NAME, "SELECT 1 -- x"),
     f"CREATE CONTINUOUS QUERY {ID} ON {ID} BEGIN\nSELECT 1 -- x\nEND"),
    (admin.create_continuous_query("c", "d", "SELECT 1", resample_every="30m", resample_for=2 * HOUR),
     'CREATE CONTINUOUS QUERY "c" ON "d" RESAMPLE EVERY 30m FOR 2h BEGIN\nSELECT 1\nEND'),
    (admin.drop_continuous_query(NAME, NAME), f"DROP CONTINUOUS QUERY {ID} ON {ID}"),
    (admin.list_subscriptions(), "SHOW SUBSCRIPTIONS"),
    (admin.create_subscription(NAME, NAME, NAME, NAME),
     f"CREATE SUBSCRIPTION {ID} ON {ID}.{ID} DESTINATIONS ALL {TEXT}"),
    (admin.create_subscription("s", "d", "p", (url for url in ("a", "b")), mode="any"),
     "CREATE SUBSCRIPTION \"s\" ON \"d\".\"p\" DESTINATIONS ANY 'a', 'b'"),
    (admin.drop_subscription(NAME, NAME, NAME), f"DROP SUBSCRIPTION {ID} ON {ID}.{ID}"),

    (admin.list_measurements(), "SHOW MEASUREMENTS"),
    (admin.list_measurements(NAME, tags={NAME: NAME}, limit=1, offset=0),
     f"SHOW MEASUREMENTS WITH MEASUREMENT = {ID} WHERE {ID}::tag = {TEXT} LIMIT 1 OFFSET 0"),
    (admin.list_measurements(re.compile("a/b")), r"SHOW MEASUREMENTS WITH MEASUREMENT =~ /a\/b/"),
    (admin.list_series(), "SHOW SERIES"),
    (admin.list_series(NAME, tags={NAME: NAME, "b": re.compile("/", re.IGNORECASE)},
                       start=1, end="1970-01-01T00:00:00.0000864Z",
                       limit=5, offset=6),
     f"SHOW SERIES FROM {ID} WHERE {ID}::tag = {TEXT} AND {BOUNDS} LIMIT 5 OFFSET 6"),
    (admin.list_tag_keys(re.compile("c"), tags={"a": ""}, start=0, limit=1),
     "SHOW TAG KEYS FROM /c/ WHERE \"a\"::tag = '' AND time >= 0 LIMIT 1"),
    (admin.list_tag_values(NAME), f"SHOW TAG VALUES WITH KEY = {ID}"),
    (admin.list_tag_values([NAME, "b"], NAME, tags={"a": "b"}, end=5, offset=1),
     f"SHOW TAG VALUES FROM {ID} WITH KEY IN ({ID}, \"b\") WHERE \"a\"::tag = 'b' AND time < 5 OFFSET 1"),
    (admin.list_tag_values(re.compile("^a")), "SHOW TAG VALUES WITH KEY =~ /^a/"),
    (admin.list_tag_values(Not(NAME), tags={NAME: Not(NAME), "b": Not(re.compile("c"))}),
     f"SHOW TAG VALUES WITH KEY != {ID} WHERE {ID}::tag != {TEXT} AND \"b\"::tag !~ /c/"),
    (admin.tag_values_cardinality(Not(re.compile("^a"))), "SHOW TAG VALUES CARDINALITY WITH KEY !~ /^a/"),
    (admin.list_field_keys(NAME, limit=2), f"SHOW FIELD KEYS FROM {ID} LIMIT 2"),
    (admin.series_cardinality(), "SHOW SERIES CARDINALITY"),
    (admin.series_cardinality(NAME, tags={"a": "b"}, exact=True),
     f"SHOW SERIES EXACT CARDINALITY FROM {ID} WHERE \"a\"::tag = 'b'"),
    (admin.measurement_cardinality(re.compile("m"), exact=True), "SHOW MEASUREMENT EXACT CARDINALITY FROM /m/"),
    (admin.tag_key_cardinality(NAME), f"SHOW TAG KEY CARDINALITY FROM {ID}"),
    (admin.tag_values_cardinality({NAME: 1}.keys(), "m", tags={"a": "b"}, exact=True),
     f"SHOW TAG VALUES EXACT CARDINALITY FROM \"m\" WITH KEY IN ({ID}) WHERE \"a\"::tag = 'b'"),
    (admin.field_key_cardinality(exact=True), "SHOW FIELD KEY EXACT CARDINALITY"),
    (admin.delete(NAME), f"DELETE FROM {ID}"),
    (admin.delete(re.compile(""), tags={NAME: NAME}, start=-5, end=5),
     f"DELETE FROM // WHERE {ID}::tag = {TEXT} AND time >= -5 AND time < 5"),
    (admin.delete(end=0), "DELETE WHERE time < 0"),
    (admin.drop_series(NAME, tags={"a": re.compile("b")}), f'DROP SERIES FROM {ID} WHERE "a"::tag =~ /b/'),

    (admin.list_shards(), "SHOW SHARDS"),
    (admin.list_shard_groups(), "SHOW SHARD GROUPS"),
    (admin.drop_shard(5), "DROP SHARD 5"),
    (admin.list_queries(), "SHOW QUERIES"),
    (admin.kill_query(5), "KILL QUERY 5"),
    (admin.stats(), "SHOW STATS"),
    (admin.stats(NAME), f"SHOW STATS FOR {TEXT}"),
    (admin.diagnostics(), "SHOW DIAGNOSTICS"),
    (admin.diagnostics(NAME), f"SHOW DIAGNOSTICS FOR {TEXT}"),
    (admin.explain("SELECT 1"), "EXPLAIN SELECT 1"),
    (admin.explain_analyze("SELECT 1"), "EXPLAIN ANALYZE SELECT 1"),
]  # fmt: skip


@pytest.mark.parametrize(("op", "expected"), STATEMENTS, ids=[expected[:50] for _, expected in STATEMENTS])
def test_statements(op: Op[Any], expected: str) -> None:
    assert text(op) == expected
    if not expected.startswith(("SHOW", "EXPLAIN")):
        assert op.request.method == "POST"
        assert op.request.repeat is Repeat.NEVER


def test_clients_have_every_operation() -> None:
    for name in (name for name in admin.__all__ if name.islower()):
        build = getattr(admin, name)
        assert getattr(Client, name).__doc__ == getattr(AsyncClient, name).__doc__ == build.__doc__, name
        returned = str(inspect.signature(build, eval_str=True).return_annotation)
        assert returned.startswith(("influx_proto.Op[", "influx_proto.OpSequence[")), name


@pytest.mark.parametrize(
    "build",
    [admin.list_retention_policies, admin.list_measurements, admin.list_series, admin.list_tag_keys,
     admin.list_field_keys, admin.series_cardinality, admin.measurement_cardinality, admin.tag_key_cardinality,
     admin.field_key_cardinality],
)  # fmt: skip
def test_database_parameter(build: Callable[..., Op[Any]]) -> None:
    assert parameters(build(db=NAME))["db"] == NAME
    assert not build(db=NAME).request.wants_db
    assert build().request.wants_db


def test_more_parameters() -> None:
    for build in (admin.explain, admin.explain_analyze):
        sent = parameters(build("SELECT 1", db="d", rp="p", params={"a": 1}))
        assert (sent["db"], sent["rp"], sent["params"]) == ("d", "p", '{"a":1}')
    assert parameters(admin.create_continuous_query("c", "d", "SELECT 1", params={"a": 1}))["params"] == '{"a":1}'
    assert parameters(admin.list_tag_values("k", db="d"))["db"] == "d"
    assert parameters(admin.tag_values_cardinality("k", db="d"))["db"] == "d"
    assert parameters(admin.delete("m", db="d"))["db"] == "d"
    assert parameters(admin.drop_series("m", db="d"))["db"] == "d"


@pytest.mark.parametrize("op", [admin.create_user("u", "hush hush"), admin.set_password("u", "hush hush")])
def test_passwords_are_not_shown(op: Op[None]) -> None:
    assert "hush" in text(op)
    assert "hush" not in repr(op) + repr(op.request) + str(op) + op.request.target
    assert op.request.method == "POST"


@pytest.mark.parametrize("password", ["hush\r", "hush\0", "hush\ud800"])
@pytest.mark.parametrize("build", [admin.create_user, admin.set_password])
def test_invalid_passwords_are_not_shown(build: Callable[..., Op[Any]], password: str) -> None:
    with pytest.raises(ValueError, match=r"^password: an InfluxQL string must not contain") as raised:
        build("u", password)
    assert "hush" not in str(raised.value)


@pytest.mark.parametrize(
    ("build", "error", "match"),
    [
        (lambda: ops.create_database("d", duration=1.5), TypeError, "^duration: "),  # type: ignore[arg-type]  # on purpose
        (lambda: ops.create_database("d", replication=0), ValueError, "^replication: "),
        (lambda: ops.create_database("d", shard_duration="inf"), ValueError, "^shard_duration: must be finite"),
        (lambda: ops.create_database("d", name=""), ValueError, "^name: "),
        (lambda: admin.create_retention_policy("", "d"), ValueError, "^name: "),
        (lambda: admin.create_retention_policy("p", "d", "1 h"), ValueError, "^duration: '1 h' is not a duration"),
        (lambda: admin.create_retention_policy("p", "d", replication=True), TypeError, "^replication: "),
        (lambda: admin.create_retention_policy("p", "d", default=1), TypeError, "^default: "),  # type: ignore[arg-type]  # on purpose
        (lambda: admin.alter_retention_policy("p", "d"), ValueError, "^alter_retention_policy: no changes; pass"),
        (lambda: admin.list_retention_policies(5), TypeError, "^db: "),  # type: ignore[arg-type]  # on purpose
        (lambda: admin.create_user(5, "p"), TypeError, "^username: "),  # type: ignore[arg-type]  # on purpose
        (lambda: admin.create_user("u", None), TypeError, "^password: "),  # type: ignore[arg-type]  # on purpose
        (lambda: admin.create_user("u", "p", admin="no"), TypeError, "^admin: "),  # type: ignore[arg-type]  # on purpose
        (lambda: admin.grant("READ; --", "d", "u"), ValueError, "^privilege: "),  # type: ignore[arg-type]  # on purpose
        (lambda: admin.revoke("none", "d", "u"), ValueError, "^privilege: "),  # type: ignore[arg-type]  # on purpose
        (lambda: admin.create_continuous_query("c", "d", 5), TypeError, "^q: "),  # type: ignore[arg-type]  # on purpose
        (lambda: admin.create_continuous_query("c", "d", "q", resample_every="x"), ValueError, "^resample_every: "),
        (lambda: admin.create_subscription("s", "d", "p", []), ValueError, "^destinations: "),
        (lambda: admin.create_subscription("s", "d", "p", 5), TypeError, "^destinations: "),  # type: ignore[arg-type]  # on purpose
        (lambda: admin.create_subscription("s", "d", "p", "u", mode="x"), ValueError, "^mode: "),  # type: ignore[arg-type]  # on purpose
        (lambda: admin.list_measurements(5), TypeError, "^measurement: "),  # type: ignore[arg-type]  # on purpose
        (lambda: admin.list_measurements(limit=0), ValueError, "^limit: "),
        (lambda: admin.list_measurements(offset=-1), ValueError, "^offset: "),
        (lambda: admin.list_series(re.compile("(?x)a")), ValueError, "^measurement: "),
        (lambda: admin.list_series(tags=["a"]), TypeError, "^tags: must be a mapping"),  # type: ignore[arg-type]  # on purpose
        (lambda: admin.list_series(tags={"": "a"}), ValueError, "^tags: "),
        (lambda: admin.list_series(tags={"a": 5}), TypeError, "^tags: 'a': "),  # type: ignore[dict-item]  # on purpose
        (lambda: admin.delete(tags={"Time": "1970-01-01"}), ValueError, "^tags: 'Time' means the time"),
        (lambda: admin.drop_series(tags={"_name": "m"}), ValueError, "'_name' means the measurement"),
        (lambda: admin.list_tag_keys(tags={"_tagKey": "m"}), ValueError, "'_tagKey' means the name of a tag"),
        (lambda: admin.list_series(start=1.5), ValueError, "^start: "),
        (lambda: admin.delete("m", end=pd.NaT), ValueError, "^end: "),
        (lambda: admin.list_tag_values([]), ValueError, "^key: "),
        (lambda: admin.list_tag_values(Not(["a"])), TypeError, "^key: "),  # type: ignore[arg-type]  # on purpose
        (lambda: admin.list_series(Not("a")), TypeError, "^measurement: "),  # type: ignore[arg-type]  # on purpose
        (lambda: admin.create_retention_policy("p", "d", past_write_limit="x"), ValueError, "^past_write_limit: "),
        (lambda: admin.list_tag_values(b"k"), TypeError, "^key: "),  # type: ignore[arg-type]  # on purpose
        (lambda: admin.list_tag_values(None), TypeError, "^key: "),  # type: ignore[arg-type]  # on purpose
        (lambda: admin.series_cardinality(exact="no"), TypeError, "^exact: "),  # type: ignore[arg-type]  # on purpose
        (admin.delete, ValueError, "^delete: no condition"),
        (lambda: admin.delete(tags={}), ValueError, "^delete: no condition"),
        (admin.drop_series, ValueError, "^drop_series: no condition"),
        (lambda: admin.drop_shard("5"), TypeError, "^shard_id: "),  # type: ignore[arg-type]  # on purpose
        (lambda: admin.kill_query(1.0), TypeError, "^qid: "),  # type: ignore[arg-type]  # on purpose
        (lambda: admin.stats(5), TypeError, "^module: "),  # type: ignore[arg-type]  # on purpose
        (lambda: admin.explain(5), TypeError, "^q: "),  # type: ignore[arg-type]  # on purpose
    ],
)
def test_wrong_arguments(build: Callable[[], Op[Any]], error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        build()


# Responses.


def read_response(op: Op[Any], *series: dict[str, Any]) -> Any:
    body = {"results": [{"statement_id": 0, **({"series": series} if series else {})}]}
    return op.read(200, {"Content-Type": "application/json"}, json.dumps(body).encode())


POLICY = ["name", "duration", "shardGroupDuration", "replicaN", "default"]
SHARD = ["id", "database", "retention_policy", "shard_group", "start_time", "end_time", "expiry_time", "owners"]


@pytest.mark.parametrize(
    "op",
    [admin.list_databases(), admin.list_users(), admin.list_series(), admin.list_shards(), admin.stats(),
     admin.list_retention_policies(), admin.list_grants("u"), admin.list_queries(), admin.diagnostics()],
)  # fmt: skip
def test_empty_lists(op: Op[list[Any]]) -> None:
    assert read_response(op) == []
    assert read_response(op, {"columns": ["name"]}) == []


def test_empty_counts_and_diagnostics() -> None:
    assert read_response(admin.series_cardinality()) == 0
    assert read_response(admin.explain("SELECT 1")) == ""
    assert read_response(admin.drop_user("u")) is None


def test_retention_policies_of_all_versions() -> None:
    columns = ["default", "added", "futureWriteLimit", "pastWriteLimit", *POLICY[:4]]
    row = [True, "x", "2h0m0s", "0s", "autogen", "0s", "168h0m0s", 1]
    newer = RetentionPolicy("autogen", None, timedelta(weeks=1), 1, True, timedelta(hours=2), None)
    assert read_response(admin.list_retention_policies(), {"columns": columns, "values": [row]}) == [newer]
    [older] = read_response(
        admin.list_retention_policies(), {"columns": POLICY, "values": [["p", "1h0m0s", "1h0m0s", 2, False]]}
    )
    assert older == RetentionPolicy("p", HOUR, HOUR, 2, default=False)


@pytest.mark.parametrize(
    ("duration", "expected"),
    [("1m0.5s", timedelta(seconds=60.5)), ("25h1m1.001s", timedelta(hours=25, seconds=61, milliseconds=1)),
     ("8\N{MICRO SIGN}s", timedelta(microseconds=8)), ("1.5ms", timedelta(microseconds=1500)),
     ("966ns", timedelta(0)), ("12.3456us", timedelta(microseconds=12)), ("0s", timedelta(0)),
     ("2562047h47m16.854775807s", timedelta(microseconds=(2**63 - 1) // 1000))],
)  # fmt: skip
def test_durations_in_gos_format(duration: str, expected: timedelta) -> None:
    columns = ["qid", "query", "database", "duration"]
    values = [[1, "SELECT 1", "", duration]]
    assert read_response(admin.list_queries(), {"columns": columns, "values": values}) == [
        RunningQuery(1, "SELECT 1", "", expected, None)
    ]


@pytest.mark.parametrize("duration", ["", "5", "h", "1h ", "-1s", "1d", "9" * 20 + "h"])
def test_malformed_durations_of_a_server(duration: str) -> None:
    with pytest.raises(ProtocolError, match=r"invalid value .* in the column 'duration'"):
        read_response(admin.list_retention_policies(), {"columns": POLICY, "values": [["p", duration, "0s", 1, True]]})


def test_missing_column() -> None:
    with pytest.raises(ProtocolError, match="has no column 'admin'; it has user, role"):
        read_response(admin.list_users(), {"columns": ["user", "role"], "values": [["u", "r"]]})


def test_error_response() -> None:
    body = b'{"results":[{"statement_id":0,"error":"user not found"}]}'
    with pytest.raises(QueryError, match="user not found"):
        admin.drop_user("u").read(200, {"Content-Type": "application/json"}, body)


def test_lists() -> None:
    assert read_response(admin.list_users(), {"columns": ["user", "admin"], "values": [["u", True]]}) == [
        User("u", admin=True)
    ]
    privileges = [["a", "READ"], ["b", "WRITE"], ["c", "ALL PRIVILEGES"], ["d", "NO PRIVILEGES"]]
    assert read_response(admin.list_grants("u"), {"columns": ["database", "privilege"], "values": privileges}) == [
        Grant("a", "read"), Grant("b", "write"), Grant("c", "all"), Grant("d", "none"),
    ]  # fmt: skip
    assert read_response(
        admin.list_continuous_queries(),
        {"name": "d", "columns": ["name", "query"], "values": [["c", "CREATE ..."]]},
        {"name": "e", "columns": ["name", "query"]},
    ) == [ContinuousQuery("c", "d", "CREATE ...")]
    columns = ["retention_policy", "name", "mode", "destinations"]
    assert read_response(
        admin.list_subscriptions(), {"name": "d", "columns": columns, "values": [["p", "s", "ANY", ["u", "v"]]]}
    ) == [Subscription("s", "d", "p", "any", ("u", "v"))]
    assert read_response(admin.list_tag_keys(), {"name": "m", "columns": ["tagKey"], "values": [["k"]]}) == [
        TagKey("m", "k")
    ]
    assert read_response(
        admin.list_tag_values("k"), {"name": "m", "columns": ["key", "value"], "values": [["k", "v"]]}
    ) == [TagValue("m", "k", "v")]
    columns = ["fieldKey", "fieldType"]
    assert read_response(admin.list_field_keys(), {"name": "m", "columns": columns, "values": [["k", "float"]]}) == [
        FieldKey("m", "k", "float")
    ]


def test_shards() -> None:
    start, end, later = (datetime(year, 1, 2, tzinfo=UTC) for year in (2000, 2001, 2400))
    row = [1, "d", "p", 2, "2000-01-02T00:00:00Z", "2001-01-02T00:00:00Z", "2400-01-02T00:00:00Z", "3,4"]
    assert read_response(admin.list_shards(), {"name": "d", "columns": SHARD, "values": [row]}) == [
        Shard(1, "d", "p", 2, start, end, later, (3, 4))
    ]
    row[6:] = [row[5], ""]
    assert read_response(admin.list_shards(), {"name": "d", "columns": SHARD, "values": [row]}) == [
        Shard(1, "d", "p", 2, start, end, None, ())
    ]
    endless = [*row[:6], "", ""]  # InfluxDB 1.12 and later
    assert read_response(admin.list_shards(), {"name": "d", "columns": SHARD, "values": [endless]}) == [
        Shard(1, "d", "p", 2, start, end, None, ())
    ]
    del row[3], row[-1]
    columns = [column for column in SHARD if column not in {"shard_group", "owners"}]
    assert read_response(admin.list_shard_groups(), {"name": "shard groups", "columns": columns, "values": [row]}) == [
        ShardGroup(1, "d", "p", start, end, None)
    ]


def test_series_keys() -> None:
    keys = [["m"], ["m,a=b"], ["m\\ n\\,o,a\\ b\\=c=d\\,e\\ f\\=g,h=i\\j"]]
    assert read_response(admin.list_series(), {"columns": ["key"], "values": keys}) == [
        SeriesKey("m", {}),
        SeriesKey("m", {"a": "b"}),
        SeriesKey("m n,o", {"a b=c": "d,e f=g", "h": "i\\j"}),
    ]
    with pytest.raises(ProtocolError, match=r"series key ',a=b' .*: missing measurement"):
        read_response(admin.list_series(), {"columns": ["key"], "values": [[",a=b"]]})


def test_cardinalities() -> None:
    assert read_response(admin.series_cardinality(), {"columns": ["cardinality estimation"], "values": [[5]]}) == 5
    assert read_response(admin.series_cardinality(), {"columns": ["count"], "values": [[5]]}) == 5
    by_measurement = [{"name": name, "columns": ["count"], "values": [[2]]} for name in "abc"]
    assert read_response(admin.series_cardinality(), *by_measurement) == 6


def test_statistics_and_diagnostics() -> None:
    series = {"name": "shard", "tags": {"id": "1"}, "columns": ["a", "b"], "values": [[1, 2]]}
    assert read_response(admin.stats(), series) == [Statistics("shard", {"id": "1"}, {"a": 1, "b": 2})]
    assert read_response(admin.diagnostics(), {"name": "tcp", "columns": ["a"], "values": [["x"], ["y"]]}) == [
        Diagnostics("tcp", {"a": "x"}),
        Diagnostics("tcp", {"a": "y"}),
    ]
    without_values = {"name": "cq"}  # InfluxDB 1.13
    assert read_response(admin.diagnostics(), without_values) == []
    assert read_response(ops.query("SHOW DIAGNOSTICS"), without_values).series[0].columns == ()


def test_plans() -> None:
    lines = [["EXPRESSION: <nil>"], [""], ["NUMBER OF SHARDS: 1"], [""]]
    assert read_response(admin.explain("SELECT 1"), {"columns": ["QUERY PLAN"], "values": lines}) == (
        "EXPRESSION: <nil>\n\nNUMBER OF SHARDS: 1"
    )


def test_map() -> None:
    op = ops.query("SELECT 1").map(len).map(str)
    assert op.request == ops.query("SELECT 1").request
    assert read_response(op) == "1"


@pytest.mark.parametrize("explain", [admin.explain, admin.explain_analyze])
def test_explain_accepts_one_statement(explain: Any) -> None:
    with pytest.raises(ValueError, match=r"^q: must be one statement"):
        explain("SELECT v FROM m; DROP DATABASE victim")
    assert explain("SELECT v FROM m WHERE t = ';' -- ;\n;")


def test_a_continuous_query_is_one_statement() -> None:
    with pytest.raises(ValueError, match=r"^q: must be one statement"):
        admin.create_continuous_query(
            "c", "d", "SELECT mean(v) INTO n FROM m GROUP BY time(1h) END; DROP DATABASE victim --"
        )


@pytest.mark.parametrize("text", ["1" * 100_000 + "s", "1" * 100_000, "h", "999999999h" * 30])
def test_durations_that_no_server_prints(text: str) -> None:
    with pytest.raises(ProtocolError, match=r"invalid value .* in the column 'duration'"):
        read_duration(Row({"duration": text}), "duration")
