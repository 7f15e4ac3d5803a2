"""Operations of every client against a real InfluxDB."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import pytest
from influx_proto import DatabaseNotFound, QueryError, QueryResult, SerializationError, WriteError, ops
from influx_proto.adapter import Client

from tests.conformance.drivers import Driver, run_concurrently

POINT = {
    "time": "2009-11-10T23:00:00Z",
    "measurement": "cpu_load_short",
    "tags": {"host": "server01", "region": "us-west"},
    "fields": {"value": 0.64},
}
POINT_TIME = 1257894000_000000000


def rows(result: QueryResult) -> list[list[Any]]:
    """Return the rows of a result with one series."""
    [series] = result.series
    return series.values


def test_ping_returns_the_version(client: Any) -> None:
    pong = client.ping()
    assert pong["x-influxdb-version"] == pong["X-Influxdb-Version"] == pong.version
    assert pong.build == "OSS"


def test_written_points_are_read_back(client: Any) -> None:
    assert client.write(POINT) is True
    result = client.query("SELECT value, host, region FROM cpu_load_short")
    assert result == {
        "results": [
            {
                "statement_id": 0,
                "series": [
                    {
                        "name": "cpu_load_short",
                        "columns": ["time", "value", "host", "region"],
                        "values": [[POINT_TIME, 0.64, "server01", "us-west"]],
                    }
                ],
            }
        ]
    }


def generated() -> Iterator[object]:
    yield 'g,kind=line n=1i,s="a b" 1'
    yield b"g,kind=bytes n=2i 2"
    yield {"measurement": "g", "tags": {"kind": "mapping"}, "fields": {"n": 3}, "time": 3}
    yield [
        {"measurement": "g", "tags": {"kind": "nested"}, "fields": {"n": 4}, "time": 4},
        iter(["g,kind=deeper n=5i 5\n"]),
    ]


@pytest.mark.parametrize(
    ("data", "types"),
    [
        ("g,kind=line n=1i 1", ["line"]),
        ("g,kind=one n=1i 1\ng,kind=two n=2i 2\n", ["one", "two"]),
        (b"g,kind=bytes n=1i 1", ["bytes"]),
        ({"measurement": "g", "tags": {"kind": "mapping"}, "fields": {"n": 1}, "time": 1}, ["mapping"]),
        ([], []),
        ((), []),
    ],
    ids=["str", "lines", "bytes", "mapping", "empty", "nested empty"],
)
def test_types_of_data(client: Any, data: object, types: list[str]) -> None:
    assert client.write(data) is True
    assert [point["kind"] for point in client.query('SELECT "kind", n FROM g').points()] == types


def test_generator_of_all_types(client: Any) -> None:
    assert client.write(generated()) is True
    types = [(point["kind"], point["n"]) for point in client.query('SELECT "kind", n FROM g').points()]
    assert types == [("line", 1), ("bytes", 2), ("mapping", 3), ("nested", 4), ("deeper", 5)]


def test_many_points_are_sent_in_several_requests(client: Any) -> None:
    points = ({"measurement": "many", "fields": {"n": n}, "time": n} for n in range(25))
    assert client.write(points, max_lines=10) is True
    assert [row[1] for row in rows(client.query("SELECT n FROM many"))] == list(range(25))


def test_measurement_tags_and_precision_of_a_write(client: Any) -> None:
    points = [{"fields": {"n": 1}, "time": -1}, {"fields": {"n": 2}, "time": 1, "tags": {"host": "own"}}]
    client.write(points, "m", precision="ms", tags={"host": "default"}, region="eu")
    assert rows(client.query('SELECT n, host, "region" FROM m')) == [
        [-1_000_000, 1, "default", "eu"],
        [1_000_000, 2, "own", "eu"],
    ]


@pytest.mark.parametrize("name", ["client", "self", "build", "args"])
def test_tags_by_keyword_may_have_any_other_name(client: Any, name: str) -> None:
    client.write({"measurement": "m", "fields": {"v": 1}}, **{name: "x"})
    [[_, value, tag]] = rows(client.query(f'SELECT v, "{name}" FROM m'))
    assert (value, tag) == (1, "x")


def test_raw_lines_keep_their_precision(client: Any) -> None:
    client.write(["m n=1i 60", "m n=2i 120"], precision="s")
    assert [row[0] for row in rows(client.query("SELECT n FROM m"))] == [60_000_000_000, 120_000_000_000]


HOSTILE = [
    "a b",
    "a,b",
    "a=b",
    'a"b',
    "a'b",
    "a\\b",
    "é",
    "%aa",
    "a+b",
    "a;b",
    "a#b",
    "a&b=c",
    "a?b",
    "a/b",
    "日本",
    "\U0001f600",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_round_trip(client: Any, name: str) -> None:
    """Names and values that are special in URLs, forms, InfluxQL or line protocol are returned unchanged."""
    client.write({"measurement": name, "tags": {name: name}, "fields": {"f" + name: name}, "time": 1})
    [series] = client.select_all(name).series
    assert series.name == name
    assert dict(zip(series.columns, series.values[0], strict=True)) == {"time": 1, name: name, "f" + name: name}
    found = client.query('SELECT * FROM "m" WHERE v = $value', params={"value": name})
    assert found.series == []
    client.write({"measurement": "m", "fields": {"v": name}, "time": 1})
    found = client.query('SELECT v FROM "m" WHERE v = $value', params={"value": name})
    assert rows(found) == [[1, name]]


@pytest.mark.needs("administration")
@pytest.mark.parametrize("name", [name for name in HOSTILE if "/" not in name and "\\" not in name])
def test_hostile_database_names(client: Any, name: str) -> None:
    client.create_database(name)
    try:
        client.db = name
        client.write(POINT)
        assert rows(client.query("SELECT value FROM cpu_load_short")) == [[POINT_TIME, 0.64]]
        assert [name] in rows(client.show_databases())
    finally:
        client.drop_database(db=name)
    assert [name] not in rows(client.show_databases())


@pytest.mark.needs("administration")
def test_shortcuts(client: Any, database: str) -> None:
    client.write([POINT, {**POINT, "measurement": "other"}])
    assert [database] in rows(client.show_databases())
    assert rows(client.show_measurements()) == [["cpu_load_short"], ["other"]]
    assert rows(client.select_all("other")) == [[POINT_TIME, "server01", "us-west", 0.64]]
    assert rows(client.show_retention_policies())[0][0] == "autogen"
    assert rows(client.show_retention_policies(db=database)) == rows(client.show_retention_policies(database))
    assert client.show_users().series[0].columns == ("user", "admin")
    client.drop_measurement("other")
    assert rows(client.show_measurements()) == [["cpu_load_short"]]


def test_database_of_shortcuts_by_position_and_by_name(client: Any, database: str) -> None:
    client.write(POINT)
    client.db = None
    measurement = "cpu_load_short"
    assert rows(client.show_measurements(database)) == rows(client.show_measurements(db=database)) == [[measurement]]
    assert rows(client.select_all(measurement, database)) == rows(client.select_all(measurement, db=database)) != []
    client.drop_measurement(measurement, database)
    assert client.show_measurements(database).series == []


def test_several_statements(client: Any) -> None:
    client.write(POINT)
    result = client.query("SELECT value FROM cpu_load_short; SELECT nothing FROM cpu_load_short; SHOW MEASUREMENTS")
    assert [entry["statement_id"] for entry in result["results"]] == [0, 1, 2]
    assert "series" not in result["results"][1]


def test_chunked_result_is_joined(client: Any) -> None:
    """The result has several series with more rows than one chunk. Each series is returned once, with all rows."""
    lines = [f"m,t={tag} v={n}i {n}" for tag in "ab" for n in range(12_000)]
    client.write(lines)
    result = client.query('SELECT v FROM m GROUP BY "t"')
    assert [(series.tags, len(series.values)) for series in result.series] == [
        ({"t": "a"}, 12_000),
        ({"t": "b"}, 12_000),
    ]
    assert [row[1] for row in result.series[1].values] == list(range(12_000))
    assert "partial" not in repr(result)


def test_types_round_trip(client: Any) -> None:
    fields = {"i": 2**63 - 1, "j": -(2**63), "f": 3.0, "g": 1e300, "t": True, "s": 'back\\slash "quote"\nline'}
    client.write({"measurement": "m", "fields": fields, "time": 1})
    [point] = client.query("SELECT * FROM m").points()
    del point["time"]
    assert point == fields
    assert {name: type(value) for name, value in point.items()} == {name: type(value) for name, value in fields.items()}


@pytest.mark.parametrize(
    ("epoch", "time"),
    [("ns", 1_500_000_000_123_456_789), ("u", 1_500_000_000_123_456), ("ms", 1_500_000_000_123), ("s", 1_500_000_000),
     ("m", 25_000_000), ("h", 416_666), (None, "2017-07-14T02:40:00.123456789Z")],
)  # fmt: skip
def test_epochs(client: Any, epoch: str | None, time: object) -> None:
    client.write("m v=1 1500000000123456789")
    assert rows(client.query("SELECT v FROM m", epoch=epoch)) == [[time, 1.0]]


def test_rfc3339_times_in_all_formats(client: Any) -> None:
    client.write(["m v=1i 1500000000123456789", "m v=2i -1"])
    for answer_format in ("msgpack", "json", "csv"):
        found = client.query("SELECT v, v AS time FROM m", epoch=None, format=answer_format)
        assert rows(found) == [["1969-12-31T23:59:59.999999999Z", 2, 2], ["2017-07-14T02:40:00.123456789Z", 1, 1]]
        assert found.epoch is None


def test_query_without_a_statement(client: Any) -> None:
    for nothing in ("", " ", ";", "-- SELECT v FROM m", " /* SELECT 1 */ ;; -- x\n;"):
        with pytest.raises(ValueError, match=r"^q: the query is empty"):
            client.query(nothing)


def test_database_selection(client: Any, database: str) -> None:
    client.write("m v=1 1")
    client.db = None
    assert client.db is None
    with pytest.raises(QueryError, match="database name required") as caught:
        client.query("SELECT v FROM m")
    assert caught.value.__notes__ == ["pass db= to the call, or database= to the client"]
    with pytest.raises(WriteError, match=r"database is required|missing db") as rejected:
        client.write("m v=1 1")
    assert "pass db= to the call, or database= to the client" in rejected.value.__notes__
    assert rows(client.query("SELECT v FROM m", db=database)) == [[1, 1.0]]
    client.write("m v=2 2", db=database)
    client.db = database
    assert len(rows(client.query("SELECT v FROM m"))) == 2


@pytest.mark.needs("retention_policies")
def test_retention_policy_selection(client: Any, database: str) -> None:
    client.query(f'CREATE RETENTION POLICY "long" ON "{database}" DURATION INF REPLICATION 1')
    client.write("m v=1 1", rp="long")
    assert client.query("SELECT v FROM m").series == []
    assert rows(client.query("SELECT v FROM m", rp="long")) == [[1, 1.0]]


def test_consistency_is_accepted(client: Any) -> None:
    assert client.write("m v=1 1", consistency="all") is True
    with pytest.raises(ValueError, match=r"^consistency: must be one of any, one, quorum, all, not 'most'"):
        client.write("m v=1 1", consistency="most")


def test_concurrent_operations_on_one_client(client: Any) -> None:
    """The calls run concurrently, and each gets its own response."""
    client.write(POINT)
    calls = [
        client.ping,
        lambda: client.write("m v=1 1"),
        lambda: client.query("SELECT value FROM cpu_load_short"),
        client.show_databases,
    ] * 5
    for pong, written, result, databases in zip(*[iter(run_concurrently(*calls))] * 4, strict=True):
        assert pong.version
        assert written is True
        assert rows(result) == [[POINT_TIME, 0.64]]
        assert databases.series[0].name == "databases"


def test_errors_leave_the_client_usable(client: Any) -> None:
    for _ in range(3):
        with pytest.raises(QueryError):
            client.query("SELEC")
        with pytest.raises(SerializationError):
            client.write({"measurement": "m", "fields": {}})
        with pytest.raises(DatabaseNotFound):
            client.write("m v=1 1", db="no such database")
    assert client.write(POINT) is True


def test_custom_operation(client: Any, database: str) -> None:
    assert client.execute(ops.query("SHOW MEASUREMENTS")).series == []
    assert client.execute(ops.write("m v=1 1", db=database)) is True


def test_closed_client_raises(client: Any) -> None:
    client.ping()
    client.close()
    client.close()
    with pytest.raises(RuntimeError, match="is closed"):
        client.ping()
    assert "closed" in repr(client)


def test_operations_show_their_signature(driver: Driver) -> None:
    client = driver.client_class()
    base = "Client" if isinstance(client, Client) else "AsyncClient"
    assert repr(client.write) == f"<bound method {base}.write of {client!r}>"
    assert inspect.iscoroutinefunction(client.write) is not isinstance(client, Client)
    signature = inspect.signature(client.show_retention_policies)
    assert str(signature.replace(return_annotation=inspect.Signature.empty)) == (
        "(db: str | None = None, *, "
        "timeout: float | tuple[float | None, float | None] | influx_proto.Timeout | None = None)"
    )
    assert signature.return_annotation is QueryResult
    assert inspect.signature(client.write).return_annotation is bool
    assert "one or more InfluxQL statements" in (client.query.__doc__ or "")


def test_streams_show_their_signature(driver: Driver) -> None:
    client = driver.client_class()
    signature = inspect.signature(client.query_points)
    stream = (
        "AbstractContextManager[collections.abc.Iterator"
        if isinstance(client, Client)
        else ("AbstractAsyncContextManager[collections.abc.AsyncIterator")
    )
    assert str(signature.return_annotation) == f"contextlib.{stream}[dict[str, typing.Any]]]"
    assert str(signature.parameters["q"]) == "q: str"
    assert "timeout" in signature.parameters
    assert "DataFrame" in str(inspect.signature(client.query_dataframe_chunks).return_annotation)


def test_batch_writers_show_their_signature(driver: Driver) -> None:
    client = driver.client_class()
    signature = inspect.signature(client.batch_writer)
    assert signature.return_annotation == ("BatchWriter" if isinstance(client, Client) else "AsyncBatchWriter")
    assert "wait" in str(signature.parameters["when_full"])


def test_unsupported_features_raise(driver: Driver, client: Any) -> None:
    if "background" in driver.lacks:
        with pytest.raises(TypeError, match="InfluxDBClient does not support batch writers"):
            client.batch_writer()
    else:
        with client.batch_writer() as writer:
            assert "0 pending" in repr(writer)
