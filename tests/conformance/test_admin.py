"""Every InfluxQL administration statement, against a real InfluxDB and over every client."""

from __future__ import annotations

import contextlib
import logging
import re
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from influx_proto import AuthenticationError, DatabaseNotFound, QueryError, QueryResult
from influx_proto.admin import (
    FieldKey,
    Grant,
    Not,
    RetentionPolicy,
    SeriesKey,
    Subscription,
    TagKey,
    TagValue,
    User,
)
from influx_proto.influxql import quote_identifier, quote_string

from tests.conformance.drivers import Driver
from tests.servers.influxd import Influxd, execute

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
WEEK = timedelta(weeks=1)

HOSTILE = 'it\'s "x"; DROP DATABASE y -- /* \\ \n #π'
#: A database or policy cannot have this name, because the server creates a folder for it.
HOSTILE_FOLDER = 'it\'s "x"; DROP DATABASE y -- *π'

LINES = """\
cpu,host=a,region=eu v=1,n=1i 1500000000000000000
cpu,host=b v=2 1500000001000000000
disk,host=a,path=/var free=5i 1600000000000000000
wide\\ na\\,me,ta\\ g\\==\\ v\\,1\\=\\ ü s="text" 1
"""


def names(policies: list[RetentionPolicy]) -> list[str]:
    return [policy.name for policy in policies]


# Databases and retention policies.


@pytest.fixture
def other(client: Any) -> Iterator[str]:
    """Return the name of a database that the test may create."""
    name = f"{HOSTILE_FOLDER} {uuid.uuid4().hex}"
    yield name
    client.drop_database(name)


@pytest.mark.needs("administration")
def test_databases(client: Any, database: str, other: str) -> None:
    assert database in client.list_databases()
    assert isinstance(client.create_database(other), QueryResult)
    assert other in client.list_databases()
    assert client.list_retention_policies(other) == [RetentionPolicy("autogen", None, WEEK, 1, default=True)]


@pytest.mark.needs("administration")
def test_create_database_with_a_retention_policy(client: Any, other: str) -> None:
    client.create_database(other, duration=2 * DAY, replication=1, shard_duration="90m", name=HOSTILE_FOLDER)
    expected = RetentionPolicy(HOSTILE_FOLDER, 2 * DAY, timedelta(minutes=90), 1, default=True)
    assert client.list_retention_policies(other) == [expected]
    with pytest.raises(QueryError, match="conflicts"):
        client.create_database(other, duration="INF")


@pytest.mark.needs("administration")
@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"duration": 7200}, RetentionPolicy("autogen", 2 * HOUR, HOUR, 1, default=True)),
        ({"duration": "INF"}, RetentionPolicy("autogen", None, WEEK, 1, default=True)),
        ({"shard_duration": 3 * HOUR}, RetentionPolicy("autogen", None, 3 * HOUR, 1, default=True)),
        ({"replication": 2}, RetentionPolicy("autogen", None, WEEK, 2, default=True)),
        ({"name": "n"}, RetentionPolicy("n", None, WEEK, 1, default=True)),
    ],
)
def test_single_settings_of_a_database(
    client: Any, other: str, settings: dict[str, Any], expected: RetentionPolicy
) -> None:
    client.create_database(other, **settings)
    assert client.list_retention_policies(other) == [expected]


@pytest.mark.needs("administration")
def test_retention_policies(client: Any, database: str) -> None:
    assert client.create_retention_policy(HOSTILE_FOLDER, database, "1d") is None
    assert client.create_retention_policy(HOSTILE_FOLDER, database, DAY) is None
    client.create_retention_policy(
        "odd", database, timedelta(hours=25, microseconds=1), replication=2, shard_duration=7260, default=True
    )
    client.create_retention_policy("keep all", database)
    assert client.list_retention_policies() == client.list_retention_policies(database)
    assert client.list_retention_policies(db=database) == [
        RetentionPolicy("autogen", None, WEEK, 1, default=False),
        RetentionPolicy(HOSTILE_FOLDER, DAY, HOUR, 1, default=False),
        RetentionPolicy("odd", timedelta(hours=25, microseconds=1), timedelta(seconds=7260), 2, default=True),
        RetentionPolicy("keep all", None, WEEK, 1, default=False),
    ]
    with pytest.raises(QueryError, match="retention policy already exists"):
        client.create_retention_policy("odd", database)
    with pytest.raises(QueryError, match="at least 1h"):
        client.create_retention_policy("short", database, 5)
    assert client.alter_retention_policy(HOSTILE_FOLDER, database, duration="INF", default=True) is None
    client.alter_retention_policy("odd", database, replication=1, shard_duration=HOUR)
    assert client.list_retention_policies(database)[1:3] == [
        RetentionPolicy(HOSTILE_FOLDER, None, HOUR, 1, default=True),
        RetentionPolicy("odd", timedelta(hours=25, microseconds=1), HOUR, 1, default=False),
    ]
    with pytest.raises(QueryError, match="retention policy not found"):
        client.alter_retention_policy("none", database, default=True)
    assert client.drop_retention_policy(HOSTILE_FOLDER, database) is None
    assert client.drop_retention_policy(HOSTILE_FOLDER, database) is None
    assert names(client.list_retention_policies(database)) == ["autogen", "odd", "keep all"]
    with pytest.raises(DatabaseNotFound):
        client.list_retention_policies("no such database")


@pytest.mark.needs("write_limits")
def test_write_limits(client: Any, other: str) -> None:
    client.create_database(other, future_write_limit=HOUR, name="n")
    client.create_retention_policy("p", other, default=True, past_write_limit=DAY)
    client.alter_retention_policy("n", other, future_write_limit="INF", past_write_limit=2 * DAY)
    limits = [(each.future_write_limit, each.past_write_limit) for each in client.list_retention_policies(other)]
    assert limits == [(None, 2 * DAY), (None, DAY)]


# Users and grants.

ADMIN = "the 'admin'"
PASSWORD = "se\"cr'et \\ \n: ü"


@pytest.fixture(scope="module")
def strict() -> Iterator[Influxd]:
    """Return a server that requires passwords, with an admin user."""
    with Influxd(auth=True) as server:
        execute(server.url, f"CREATE USER {quote_identifier(ADMIN)} WITH PASSWORD {quote_string(PASSWORD)} "
                            "WITH ALL PRIVILEGES")  # fmt: skip
        yield server


@pytest.fixture
def admin(strict: Influxd, connect: Callable[..., Any]) -> Iterator[Any]:
    client = connect(strict.url, username=ADMIN, password=PASSWORD, database=HOSTILE_FOLDER)
    client.create_database(HOSTILE_FOLDER)
    yield client
    client.drop_database(HOSTILE_FOLDER)
    for user in client.list_users():
        if user.name != ADMIN:
            client.drop_user(user.name)


def test_first_user(driver: Driver) -> None:
    with Influxd(auth=True) as server:
        with driver.client(server.url) as client:
            assert client.create_user(ADMIN, PASSWORD, admin=True) is None
        with driver.client(server.url, username=ADMIN, password=PASSWORD) as client:
            assert client.list_users() == [User(ADMIN, admin=True)]


def test_users(admin: Any, strict: Influxd, connect: Callable[..., Any]) -> None:
    assert admin.create_user(HOSTILE, PASSWORD) is None
    assert admin.create_user(HOSTILE, PASSWORD) is None
    with pytest.raises(QueryError, match="user already exists"):
        admin.create_user(HOSTILE, "other")
    admin.create_user("second", "x", admin=True)
    assert set(admin.list_users()) == {User(ADMIN, admin=True), User(HOSTILE, admin=False), User("second", admin=True)}
    assert connect(strict.url, username=HOSTILE, password=PASSWORD).list_databases() == []
    assert admin.set_password(HOSTILE, "new'") is None
    with pytest.raises(AuthenticationError):
        connect(strict.url, username=HOSTILE, password=PASSWORD).list_databases()
    connect(strict.url, username=HOSTILE, password="new'").list_databases()
    assert admin.drop_user(HOSTILE) is None
    calls: list[Callable[[], object]] = [
        lambda: admin.drop_user(HOSTILE),
        lambda: admin.set_password(HOSTILE, "p"),
        lambda: admin.list_grants(HOSTILE),
        lambda: admin.grant_admin(HOSTILE),
    ]
    for call in calls:
        with pytest.raises(QueryError, match="user not found"):
            call()


def test_grants(admin: Any, strict: Influxd, connect: Callable[..., Any]) -> None:
    db = HOSTILE_FOLDER
    admin.create_user(HOSTILE, "p")
    user = connect(strict.url, username=HOSTILE, password="p", database=db)
    assert admin.list_grants(HOSTILE) == []
    with pytest.raises(AuthenticationError):
        user.write("m v=1 1")
    assert admin.grant("write", db, HOSTILE) is None
    assert admin.list_grants(HOSTILE) == [Grant(db, "write")]
    user.write("m v=1 1")
    with pytest.raises(AuthenticationError):
        user.list_measurements()
    admin.grant("all", db, HOSTILE)
    assert admin.list_grants(HOSTILE) == [Grant(db, "all")]
    assert user.list_measurements() == ["m"]
    assert user.list_databases() == [db]
    assert user.delete("m") is None
    assert admin.revoke("write", db, HOSTILE) is None
    assert admin.list_grants(HOSTILE) == [Grant(db, "read")]
    assert user.list_measurements() == []
    admin.revoke("all", db, HOSTILE)
    assert admin.list_grants(HOSTILE) == [Grant(db, "none")]
    with pytest.raises(AuthenticationError):
        user.list_users()
    assert admin.grant_admin(HOSTILE) is None
    assert User(HOSTILE, admin=True) in user.list_users()
    assert user.revoke_admin(HOSTILE) is None
    with pytest.raises(AuthenticationError):
        user.list_users()
    with pytest.raises(DatabaseNotFound):
        admin.grant("read", "no such database", HOSTILE)


def test_passwords_are_not_logged(admin: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    admin.create_user("u", "hush'hush")
    admin.set_password("u", "hush'hush")
    with pytest.raises(QueryError) as raised:
        admin.set_password("unknown", "hush'hush")
    assert "POST /query" in caplog.text
    assert "hush" not in caplog.text + repr(raised.value) + str(raised.value)


# Continuous queries and subscriptions.


@pytest.mark.needs("administration")
def test_continuous_queries(client: Any, database: str) -> None:
    def listed() -> list[tuple[str, str]]:
        return [(each.name, each.query) for each in client.list_continuous_queries() if each.database == database]

    q = "SELECT mean(v) INTO hourly FROM cpu WHERE host = $host GROUP BY time(1h) -- a comment"
    assert client.create_continuous_query(HOSTILE, database, q, params={"host": "it's"}) is None
    select = f"SELECT mean(v) INTO {database}.autogen.hourly FROM {database}.autogen.cpu GROUP BY time(1h)"
    client.create_continuous_query("c", database, select, resample_every=1800, resample_for="2h")
    client.create_continuous_query("d", database, select, resample_every=HOUR / 2)
    client.create_continuous_query("e", database, select, resample_for=2 * HOUR)
    [(name, query), *others] = listed()
    assert name == HOSTILE
    assert r"WHERE host = 'it\'s' GROUP BY" in query
    head = f"CREATE CONTINUOUS QUERY {{}} ON {database} RESAMPLE {{}} BEGIN {select} END"
    assert others == [
        ("c", head.format("c", "EVERY 30m FOR 2h")),
        ("d", head.format("d", "EVERY 30m")),
        ("e", head.format("e", "FOR 2h")),
    ]
    with pytest.raises(QueryError, match="continuous query already exists"):
        client.create_continuous_query("c", database, select)
    with pytest.raises(QueryError, match="database not found"):
        client.create_continuous_query("c", "no such database", select)
    for name in (HOSTILE, "c", "d", "e", "e"):
        assert client.drop_continuous_query(name, database) is None
    assert listed() == []


@pytest.mark.needs("administration")
def test_subscriptions(client: Any, database: str) -> None:
    def listed() -> list[Subscription]:
        return [each for each in client.list_subscriptions() if each.database == database]

    urls = ("http://127.0.0.1:1", "udp://127.0.0.1:2")
    assert client.create_subscription(HOSTILE, database, "autogen", urls) is None
    client.create_subscription("s", database, "autogen", urls[1], mode="any")
    assert listed() == [
        Subscription(HOSTILE, database, "autogen", "all", urls),
        Subscription("s", database, "autogen", "any", urls[1:]),
    ]
    with pytest.raises(QueryError, match="already exists"):
        client.create_subscription("s", database, "autogen", urls)
    with pytest.raises(QueryError):
        client.create_subscription("t", database, "autogen", "it's no URL")
    for name in (HOSTILE, "s"):
        assert client.drop_subscription(name, database, "autogen") is None
    assert listed() == []
    with pytest.raises(QueryError, match="subscription not found"):
        client.drop_subscription("s", database, "autogen")


# Stored data.


def test_measurements(client: Any) -> None:
    client.write(LINES)
    assert client.list_measurements() == ["cpu", "disk", "wide na,me"]
    assert client.list_measurements("cpu") == ["cpu"]
    assert client.list_measurements(re.compile("^C|, ME$", re.IGNORECASE)) == ["cpu"]
    assert client.list_measurements(re.compile(",M", re.IGNORECASE)) == ["wide na,me"]
    assert client.list_measurements(tags={"host": "a"}) == ["cpu", "disk"]
    assert client.list_measurements(tags={"host": re.compile("a"), "path": re.compile("/v")}) == ["disk"]
    assert client.list_measurements(limit=1, offset=1) == ["disk"]
    assert client.list_measurements("nothing") == client.list_measurements(db="no such database") == []


def test_series(client: Any) -> None:
    client.write(LINES)
    a, b = SeriesKey("cpu", {"host": "a", "region": "eu"}), SeriesKey("cpu", {"host": "b"})
    disk, wide = SeriesKey("disk", {"host": "a", "path": "/var"}), SeriesKey("wide na,me", {"ta g=": " v,1= ü"})
    assert client.list_series() == [a, b, disk, wide]
    assert client.list_series("wide na,me") == [wide]
    assert client.list_series(re.compile("^[cd]")) == [a, b, disk]
    assert client.list_series("cpu", tags={"region": ""}) == [b]
    assert client.list_series(tags={"ta g=": " v,1= ü"}) == [wide]
    assert client.list_series(limit=2, offset=1) == [b, disk]
    assert client.list_series(start="2020-01-01") == [disk]
    assert client.list_series(start=datetime(2000, 1, 1, tzinfo=UTC), end=1_550_000_000 * 10**9) == [a, b]
    assert client.list_series("cpu", start=pd.Timestamp("2020-01-01"), tags={"host": "a"}) == []
    with pytest.raises(DatabaseNotFound):
        client.list_series(db="no such database")


def test_tag_keys(client: Any) -> None:
    client.write(LINES)
    host, region = TagKey("cpu", "host"), TagKey("cpu", "region")
    assert client.list_tag_keys("cpu") == [host, region]
    assert client.list_tag_keys() == [host, region, TagKey("disk", "host"), TagKey("disk", "path"),
                                      TagKey("wide na,me", "ta g=")]  # fmt: skip
    assert client.list_tag_keys("cpu", tags={"host": "b"}) == [host]
    assert client.list_tag_keys(re.compile("c|d"), limit=1, offset=1) == [region, TagKey("disk", "path")]
    assert client.list_tag_keys("cpu", start=0, end="2030-01-01") == [host, region]


def test_tag_values(client: Any) -> None:
    client.write(LINES)
    a, b = TagValue("cpu", "host", "a"), TagValue("cpu", "host", "b")
    disk = TagValue("disk", "host", "a")
    assert client.list_tag_values("host") == [a, b, disk]
    assert client.list_tag_values("host", "cpu", limit=1, offset=1) == [b]
    assert client.list_tag_values(["host", "region"], "cpu") == [a, b, TagValue("cpu", "region", "eu")]
    assert client.list_tag_values("ta g=") == [TagValue("wide na,me", "ta g=", " v,1= ü")]
    assert client.list_tag_values(re.compile("^p")) == [TagValue("disk", "path", "/var")]
    assert client.list_tag_values("host", tags={"path": "/var"}) == [disk]
    assert client.list_tag_values("host", tags={"path": re.compile("^/v")}) == [disk]
    assert client.list_tag_values("host", "cpu", start=0, end="2030-01-01") == [a, b]
    region, path = TagValue("cpu", "region", "eu"), TagValue("disk", "path", "/var")
    assert client.list_tag_values(Not("host"), re.compile("^[cd]")) == [region, path]
    assert client.list_tag_values(Not(re.compile("^(h|p|ta )"))) == [region]


def test_field_keys(client: Any) -> None:
    client.write(LINES + 'types f=1,i=1i,b=true,s="s" 1')
    assert client.list_field_keys("types") == [
        FieldKey("types", "b", "boolean"),
        FieldKey("types", "f", "float"),
        FieldKey("types", "i", "integer"),
        FieldKey("types", "s", "string"),
    ]
    assert client.list_field_keys(re.compile("^cpu$|disk")) == [
        FieldKey("cpu", "n", "integer"),
        FieldKey("cpu", "v", "float"),
        FieldKey("disk", "free", "integer"),
    ]
    assert client.list_field_keys("types", limit=1, offset=2) == [FieldKey("types", "i", "integer")]


@pytest.mark.parametrize("exact", [pytest.param(False, marks=pytest.mark.needs("administration")), True])
def test_cardinalities(client: Any, exact: bool) -> None:
    assert client.series_cardinality(exact=exact) == 0
    client.write(LINES)
    assert client.series_cardinality(exact=exact) == 4
    assert client.series_cardinality("cpu", exact=exact) == 2
    assert client.series_cardinality(tags={"host": "a"}, exact=exact) == 2
    assert client.measurement_cardinality(exact=exact) == 3
    assert client.measurement_cardinality(re.compile("c|d"), tags={"host": "b"}, exact=exact) == 1
    assert client.tag_key_cardinality(exact=exact) == 5
    assert client.tag_key_cardinality("disk", exact=exact) == 2
    assert client.tag_values_cardinality("host", exact=exact) == 3
    assert client.tag_values_cardinality(["host", "region"], "cpu", exact=exact) == 3
    assert client.tag_values_cardinality(re.compile("^h"), tags={"host": "b"}, exact=exact) == 1
    assert client.field_key_cardinality(exact=exact) == 4
    assert client.field_key_cardinality("cpu", exact=exact) == 2
    assert client.field_key_cardinality("nothing", exact=exact) == 0


def test_delete(client: Any, database: str) -> None:
    def points() -> list[tuple[str, int]]:
        result = client.query("SELECT * FROM m, n")
        return sorted((series.name, row[0]) for series in result.series for row in series.values)

    client.write("m,t=it's v=1 1\nm,t=it's v=1 2\nm,t=it's v=1 3\nm,t=b v=1 2\nn v=1 2\nn v=1 5")
    assert client.delete("m", tags={"t": "it's"}, start=1, end=2) is None
    assert points() == [("m", 2), ("m", 2), ("m", 3), ("n", 2), ("n", 5)]
    client.delete(tags={"t": re.compile("^b$")})
    assert points() == [("m", 2), ("m", 3), ("n", 2), ("n", 5)]
    client.delete("n", tags={"t": ""}, end=5)
    assert points() == [("m", 2), ("m", 3), ("n", 5)]
    client.delete(end="1970-01-01T00:00:00.000000003Z")
    assert points() == [("m", 3), ("n", 5)]
    client.delete(re.compile("^m"), db=database)
    assert points() == [("n", 5)]
    client.delete(re.compile(""))
    assert points() == []
    client.delete("nothing")
    with pytest.raises(QueryError, match=r"database not found|default retention policy not set for"):  # 1.x or 2.x
        client.delete("m", db="no such database")


#: A name that the server can store for measurements, tags and fields.
HOSTILE_NAME = HOSTILE.replace("\n", "/").replace("\\ ", "")


def test_hostile_names_of_stored_data(client: Any) -> None:
    name = HOSTILE_NAME
    client.write([{"measurement": name, "tags": {name: name, "t": "x"}, "fields": {name: 1}, "time": 1}, "m,t=x v=1 1"])
    assert client.list_measurements(name, tags={name: name}) == [name]
    assert client.list_series(name) == [SeriesKey(name, {name: name, "t": "x"})]
    assert client.list_tag_keys(name, tags={name: name}) == [TagKey(name, name), TagKey(name, "t")]
    assert client.list_tag_values([name], name, tags={name: name}) == [TagValue(name, name, name)]
    assert client.list_tag_values(Not(name), tags={name: Not("")}) == [TagValue(name, "t", "x")]
    assert client.list_field_keys(name) == [FieldKey(name, name, "integer")]
    for exact in (False, True):
        assert client.series_cardinality(name, tags={name: name}, exact=exact) == 1
        assert client.measurement_cardinality(name, tags={name: name}, exact=exact) == 1
        assert client.tag_key_cardinality(name, tags={name: name}, exact=exact) == 2
        assert client.tag_values_cardinality(name, name, tags={name: name}, exact=exact) == 1
        assert client.field_key_cardinality(name, exact=exact) == 1
    assert client.select_all(name).series[0].values == [[1, 1, name, "x"]]
    plan = client.explain(f"SELECT {quote_identifier(name)} FROM {quote_identifier(name)}")
    assert name in plan.replace('\\"', '"')
    client.drop_measurement(name)
    assert client.list_measurements() == ["m"]


@pytest.mark.needs("administration")
def test_delete_from_a_hostile_name(client: Any) -> None:
    name = HOSTILE_NAME
    client.write([{"measurement": name, "tags": {name: name}, "fields": {"v": 1}, "time": t} for t in (1, 2)])
    client.write("m v=1 1")
    client.delete(name, tags={name: name}, end=2)
    assert client.series_cardinality(exact=True) == 2
    assert client.list_series(name, tags={name: name}) == [SeriesKey(name, {name: name})]
    assert client.list_series(re.compile(f"^{re.escape(name)}$")) == [SeriesKey(name, {name: name})]
    assert client.list_tag_values(name, name) == [TagValue(name, name, name)]
    client.drop_series(name)
    assert client.list_measurements() == ["m"]


@pytest.mark.needs("administration")
def test_negated_conditions(client: Any) -> None:
    """Series without the tag are included, except for measurements, for which the server tests all series together."""
    client.write("cpu,host=a v=1 1\ncpu,host=it's v=1 1\ncpu v=1 1\ndisk,host=b v=1 1\nmem v=1 1")
    a, its, none = (SeriesKey("cpu", tags) for tags in ({"host": "a"}, {"host": "it's"}, {}))
    disk, mem = SeriesKey("disk", {"host": "b"}), SeriesKey("mem", {})
    assert client.list_series(tags={"host": Not("it's")}) == [none, a, disk, mem]
    assert client.list_series("cpu", tags={"host": Not(re.compile("^i"))}) == [none, a]
    assert client.list_series(tags={"host": Not("")}) == [a, its, disk]
    assert client.list_measurements(tags={"host": Not("a")}) == ["disk"]
    assert client.list_tag_values("host", tags={"host": Not("a")}) == [
        TagValue("cpu", "host", "it's"), TagValue("disk", "host", "b"),
    ]  # fmt: skip
    assert client.tag_values_cardinality(Not("region"), "cpu") == 2
    assert client.series_cardinality(tags={"host": Not("a")}, exact=True) == 4
    client.delete("cpu", tags={"host": Not("it's")})
    assert client.list_series() == [its, disk, mem]
    client.drop_series(tags={"host": Not(re.compile("^b$"))})
    assert client.list_series() == [disk]


@pytest.mark.needs("administration")
def test_tag_and_field_with_the_same_name(client: Any) -> None:
    lines = "m,k=x,_x=1 k=1i 1\nm,k=y k=1i 1\nn v=1 1"
    x, y, n = SeriesKey("m", {"_x": "1", "k": "x"}), SeriesKey("m", {"k": "y"}), SeriesKey("n", {})
    client.write(lines)
    assert client.list_series(tags={"k": "x"}) == client.list_series(tags={"_x": "1"}) == [x]
    assert client.list_series(tags={"k": Not("x")}) == [y, n]
    assert client.list_tag_values("k", tags={"k": re.compile("x")}) == [TagValue("m", "k", "x")]
    assert client.series_cardinality(tags={"k": "x"}) == client.measurement_cardinality(tags={"k": "x"}) == 1
    client.delete(tags={"k": "x"})
    assert client.list_series() == [y, n]
    client.drop_series("m", tags={"k": "y"})
    assert client.list_series() == [n]


@pytest.mark.needs("administration")
def test_drop_series(client: Any) -> None:
    client.write(LINES)
    assert client.drop_series("cpu", tags={"host": "a"}) is None
    assert [series.measurement for series in client.list_series()] == ["cpu", "disk", "wide na,me"]
    client.drop_series(tags={"path": re.compile("^/var$")})
    client.drop_series(re.compile("^cp"))
    assert client.list_measurements() == ["wide na,me"]
    client.drop_series(re.compile(""))
    assert client.list_series() == []


# The server itself.


@pytest.mark.needs("administration")
def test_shards(client: Any, database: str) -> None:
    client.create_retention_policy("short", database, 2 * HOUR, shard_duration=HOUR)
    client.write("m v=1 1500000000000000000")
    client.write([{"measurement": "m", "fields": {"v": 1}}], rp="short")
    old, new = [shard for shard in client.list_shards() if shard.database == database]
    assert (old.retention_policy, new.retention_policy) == ("autogen", "short")
    assert old.start_time == datetime(2017, 7, 10, tzinfo=UTC)
    assert old.end_time == datetime(2017, 7, 17, tzinfo=UTC)
    assert old.expiry_time is None
    assert old.owners == ()
    assert new.end_time - new.start_time == HOUR
    assert new.expiry_time == new.end_time + 2 * HOUR
    group_old, group_new = [group for group in client.list_shard_groups() if group.database == database]
    assert (group_old.id, group_new.id) == (old.shard_group, new.shard_group)
    assert (group_new.retention_policy, group_new.start_time, group_new.end_time, group_new.expiry_time) == (
        "short", new.start_time, new.end_time, new.expiry_time,
    )  # fmt: skip
    assert client.drop_shard(old.id) is None
    with contextlib.suppress(QueryError):  # InfluxDB 1.13: shard not found
        assert client.drop_shard(old.id) is None
    assert [shard.id for shard in client.list_shards() if shard.database == database] == [new.id]


@pytest.mark.needs("administration")
def test_queries(client: Any, database: str) -> None:
    mine = [query for query in client.list_queries() if query.database == database]
    assert [query.query for query in mine] == ["SHOW QUERIES"]
    assert mine[0].status == "running"
    assert timedelta() <= mine[0].duration
    with pytest.raises(QueryError, match=f"no such query id: {2**40}"):
        client.kill_query(2**40)


@pytest.mark.needs("administration")
def test_kill_query(client: Any, database: str) -> None:
    client.write(b"\n".join(b'm v="%b" %d' % (b"x" * 1000, n) for n in range(5_000)))
    # The client reads no rows, and the buffers hold few of 45 MB, so the query runs until it is killed.
    with client.query_chunks("SELECT v FROM m, m, m, m, m, m, m, m, m", chunk_size=1) as chunks:
        next(chunks)
        [running] = [query for query in client.list_queries() if "FROM" in query.query and query.database == database]
        assert client.kill_query(running.qid) is None
        with pytest.raises(QueryError, match=r"^query interrupted \(statement 0\)$"):
            list(chunks)
    assert client.query("SELECT count(v) FROM m").series[0].values == [[0, 5_000]]


@pytest.mark.needs("administration")
def test_stats_and_diagnostics(client: Any, database: str) -> None:
    client.write("m v=1 1")
    [httpd] = client.stats("httpd")
    assert httpd.module == "httpd"
    assert "bind" in httpd.tags
    assert httpd.values["writeReq"] >= 1
    assert {each.module for each in client.stats()} >= {"httpd", "runtime", "database", "shard"}
    [mine] = [each for each in client.stats("database") if each.tags["database"] == database]
    assert mine.values == {"numMeasurements": 1, "numSeries": 1}
    assert client.stats("it's none") == client.diagnostics("it's none") == []
    [build] = client.diagnostics("build")
    assert build.module == "build"
    assert build.values["Version"] == client.ping().version
    assert {each.module for each in client.diagnostics()} >= {"build", "runtime", "network", "system"}


@pytest.mark.needs("administration")
def test_diagnostics_through_query(client: Any) -> None:
    """influxd's MessagePack response to it is malformed."""
    for q in ("SHOW DIAGNOSTICS", " show\n/* all */diagnostics -- of them\n;", "SHOW DIAGNOSTICS FOR 'config'"):
        assert "config" in {series.name for series in client.query(q).series}
    *modules, users = client.query("SHOW DIAGNOSTICS; SHOW USERS").series
    assert "config" in {series.name for series in modules}
    assert (users.columns, users.statement_id) == (("user", "admin"), 1)
    [frame] = client.query_dataframes("SHOW DIAGNOSTICS FOR 'build'")
    assert frame["Version"].tolist() == [client.ping().version]
    client.write("diagnostics v=1 1")
    assert client.query('SELECT v FROM "diagnostics"').series[0].values == [[1, 1.0]]
    assert type(client.query('SELECT v FROM "diagnostics"').series[0].values[0][1]) is float


@pytest.mark.needs("administration")
def test_explain(client: Any, database: str) -> None:
    client.write(LINES)
    plan = client.explain("SELECT mean(v) FROM cpu WHERE host = $host", params={"host": "a"})
    assert "EXPRESSION: mean(v::float)" in plan.splitlines()
    analyzed = client.explain_analyze("SELECT v FROM cpu WHERE host = 'a'", db=database)
    assert "execution_time" in analyzed
    assert "└── select" in analyzed.splitlines()
    client.create_retention_policy("other", database)
    assert f"{database}.other.cpu" in client.explain_analyze("SELECT v FROM cpu", rp="other")
    with pytest.raises(QueryError):
        client.explain("SELEC")
