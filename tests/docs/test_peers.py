"""Differences in behavior that the migration pages state: each is shown with the other client and with ours."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import influx_proto
import numpy as np
import pandas as pd
import pytest
import urllib3
from influx_proto import RetryPolicy, SerializationError, TransportError, serialize
from influx_requests import InfluxDBClient

from tests.servers.influxd import Server
from tests.servers.influxd2 import ORG, TOKEN, Influxd2

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    aioinflux = pytest.importorskip("aioinflux", reason="the client that a page is about is not installed")
    influxdb = pytest.importorskip("influxdb", reason="the client that a page is about is not installed")
    influxdb_client = pytest.importorskip("influxdb_client", reason="the client that a page is about is not installed")
    influxdb3 = pytest.importorskip("influxdb_client_3", reason="the client that a page is about is not installed")
    mapping = pytest.importorskip("aioinflux.serialization.mapping")
    line_protocol = pytest.importorskip("influxdb.line_protocol")
    frames = pytest.importorskip("influxdb_client.client.write.dataframe_serializer")
    frames3 = pytest.importorskip("influxdb_client_3.write_client.client.write.dataframe_serializer")
    files3 = pytest.importorskip("influxdb_client_3.read_file")

pytestmark = pytest.mark.filterwarnings("ignore")  # of the other clients

NOON = 1_735_732_800_000_000_000
FRAME = pd.DataFrame(
    {"host": ["a", "b"], "load": [0.5, 0.25], "n": [1, 2]},
    index=pd.to_datetime(["2025-01-01", "2025-01-02"]).as_unit("ns"),
)


@pytest.fixture
def ours(influxd: Server, database: str) -> Iterator[InfluxDBClient]:
    with InfluxDBClient.from_url(influxd.url) as client:
        client.db = database
        yield client


@pytest.fixture
def theirs(influxd: Server, database: str) -> Iterator[Any]:
    """Return a client of influxdb-python, which also has the methods of its `InfluxDBClient`."""
    parts = urlsplit(influxd.url)
    client = influxdb.DataFrameClient(parts.hostname, parts.port, database=database)
    yield client
    client.close()


def rows_of(client: Any, query: str) -> Any:
    return influxdb.InfluxDBClient.query(client, query)


class TestInfluxDBPython:
    """docs/migrating/influxdb-python.md."""

    def test_idioms_of_result_sets(self, ours: InfluxDBClient, theirs: Any) -> None:
        ours.write("cpu,host=a v=1 1\ncpu,host=b v=2 2")
        query = "SELECT v FROM cpu GROUP BY host"
        result = ours.query(query, epoch=None)
        result_set = rows_of(theirs, query)
        assert len(result_set) == len(result.series) == 2
        assert not rows_of(theirs, "SELECT v FROM nothing")
        assert ours.query("SELECT v FROM nothing").is_empty
        assert ours.query("SELECT v FROM nothing")  # always true
        assert [[point["v"] for point in points] for points in result_set] == [[1], [2]]
        assert [[row[1] for row in series.values] for series in result.series] == [[1], [2]]
        assert [point["v"] for point in result_set["cpu"]] == [1, 2]
        assert [row[1] for series in result.series["cpu"] for row in series.values] == [1, 2]
        [theirs_of_a] = result_set.get_points("cpu", {"host": "a"})
        [ours_of_a] = [point for point in result.points() if point["host"] == "a"]
        assert [row[1] for row in result_set.raw["series"][0]["values"]] == [row[1] for row in result.series[0].values]
        assert theirs_of_a == {"time": "1970-01-01T00:00:00Z", "v": 1}  # without the nanosecond
        assert ours_of_a == {"time": "1970-01-01T00:00:00.000000001Z", "v": 1, "host": "a"}

    def test_precision_truncates_there(self, ours: InfluxDBClient, theirs: Any) -> None:
        point = {"fields": {"v": 1.0}, "time": "2025-01-01T12:00:00.9Z"}
        influxdb.InfluxDBClient.write_points(theirs, [point | {"measurement": "theirs"}], time_precision="s")
        ours.write(point, "ours", precision="s")
        assert ours.query("SELECT v FROM theirs").series[0].values == [[NOON, 1.0]]
        assert ours.query("SELECT v FROM ours").series[0].values == [[NOON + 900_000_000, 1.0]]

    def test_nanoseconds_are_lost_there(self) -> None:
        for time in ("2025-01-01T12:00:00.123456789Z", pd.Timestamp("2025-01-01T12:00:00.123456789Z")):
            point = {"measurement": "m", "fields": {"v": 1.5}, "time": time}
            assert line_protocol.make_lines({"points": [point]}) == f"m v=1.5 {NOON + 123_456_000}\n"
            assert serialize(point) == b"m v=1.5 %d" % (NOON + 123_456_789)

    def test_numpy_scalars(self) -> None:
        fields = {"b": np.bool_(True), "f": np.float32(0.1), "i": np.int64(3)}
        point = {"measurement": "m", "fields": fields, "time": 1}
        assert line_protocol.make_lines({"points": [point]}) == "m b=1.0,f=0.10000000149011612,i=3.0 1\n"
        assert serialize(point) == b"m b=true,f=0.1,i=3i 1"

    def test_tags_that_are_no_strings(self, theirs: Any) -> None:
        point = {"measurement": "m", "tags": {"i": 1, "b": True}, "fields": {"v": 1.5}, "time": 1}
        assert line_protocol.make_lines({"points": [point]}).encode() == serialize(point) + b"\n"
        for tag, text in ((1.5, "1.5"), (b"x", "x")):
            line = line_protocol.make_lines({"points": [point | {"tags": {"t": tag}}]})
            assert line == f"m,t={text} v=1.5 1\n"
            with pytest.raises(SerializationError, match="convert it to str"):
                serialize(point | {"tags": {"t": tag}})
        assert theirs._convert_dataframe_to_lines(FRAME, "m", tag_columns=["load", "host"])[0].startswith(
            "m,host=a,load=0.5"
        )

    def test_infinite_floats(self, theirs: Any) -> None:
        frame = FRAME.assign(load=[np.inf, 0.25])[["load", "n"]]
        lines = theirs._convert_dataframe_to_lines(frame, "m")
        with pytest.raises(SerializationError, match="nonfinite='omit'"):
            serialize(frame, "m")
        assert serialize(frame, "m", nonfinite="omit").decode().splitlines() == lines
        assert "inf" in line_protocol.make_lines({"points": [{"measurement": "m", "fields": {"v": np.inf}}]})

    def test_field_columns_make_the_others_tags_there(self, theirs: Any) -> None:
        lines = theirs._convert_dataframe_to_lines(FRAME, "m", field_columns=["load", "n"])
        assert lines == serialize(FRAME, "m", tag_columns=["host"]).decode().splitlines()
        selected = serialize(FRAME[["load", "n"]], "m").decode()
        assert "host" not in selected

    def test_make_lines(self) -> None:
        point = {"measurement": "m", "fields": {"v": 1.5}, "time": "2025-01-01T12:00:00Z"}
        assert line_protocol.make_lines({"points": [point]}, "s") == "m v=1.5 1735732800\n"
        assert serialize([point], precision="s") == b"m v=1.5 1735732800000000000"

    def test_types_of_lists(self, ours: InfluxDBClient, theirs: Any, database: str) -> None:
        ours.write("cpu,host=a v=1 1")
        assert {"name": database} in theirs.get_list_database()
        assert database in ours.list_databases()
        assert theirs.get_list_measurements() == [{"name": "cpu"}]
        assert ours.list_measurements() == ["cpu"]
        assert theirs.get_list_series() == ["cpu,host=a"]
        assert [(each.measurement, each.tags) for each in ours.list_series()] == [("cpu", {"host": "a"})]
        assert theirs.get_list_retention_policies()[0]["shardGroupDuration"] == "168h0m0s"
        assert ours.list_retention_policies()[0].shard_duration == pd.Timedelta(days=7)
        assert {database: []} in theirs.get_list_continuous_queries()
        assert [each for each in ours.list_continuous_queries() if each.database == database] == []

    def test_dropna(self, ours: InfluxDBClient, theirs: Any) -> None:
        ours.write("m a=1 1\nm b=2 2")
        query = "SELECT a, nothing FROM m"
        assert list(theirs.query(query)["m"].columns) == ["a"]
        frame = ours.query_dataframe(query)
        assert list(frame.columns) == ["a", "nothing"]
        assert list(frame.dropna(how="all", axis=1).columns) == ["a"]

    def test_continuous_query(self, ours: InfluxDBClient, theirs: Any, database: str) -> None:
        select = "SELECT mean(v) INTO m_mean FROM m GROUP BY time(1m)"
        theirs.create_continuous_query("theirs", select, database, "EVERY 10s FOR 2m")
        ours.create_continuous_query("ours", database, select, resample_every="10s", resample_for="2m")
        first, second = [each for each in ours.list_continuous_queries() if each.database == database]
        assert first.query.replace("theirs", "ours") == second.query

    def test_object_columns(self, ours: InfluxDBClient, theirs: Any) -> None:
        frame = pd.DataFrame(
            {"n": np.array([1, 2], dtype=object), "b": np.array([True, False], dtype=object)}, index=FRAME.index
        )
        theirs.write_points(frame, "lines")
        theirs.write_points(frame, "theirs", protocol="json")
        ours.write(frame, "ours")
        ours.write(frame, "inferred", object_columns="infer")
        keys: dict[str, dict[str, str]] = {}
        for key in ours.list_field_keys():
            keys.setdefault(key.measurement, {})[key.key] = key.type
        assert keys["theirs"] == keys["inferred"] == {"n": "integer", "b": "boolean"}
        assert keys["ours"] == {"n": "string", "b": "string"}
        assert keys["lines"] == keys["theirs" if int(pd.__version__.partition(".")[0]) < 3 else "ours"]

    def test_params_are_parameters_of_the_url_there(self, ours: InfluxDBClient, theirs: Any) -> None:
        ours.write("cpu,host=a v=1 1500000000000000000")
        theirs_points = influxdb.InfluxDBClient.query(theirs, "SELECT v FROM cpu", params={"epoch": "s"}).get_points()
        assert next(theirs_points)["time"] == 1_500_000_000
        assert next(ours.query("SELECT v FROM cpu", epoch="s").points())["time"] == 1_500_000_000
        result = ours.query("SELECT v FROM cpu WHERE host = $host", params={"host": "a"})
        assert not result.is_empty

    def test_integer_names_of_columns_and_periods(self, theirs: Any) -> None:
        frame = pd.DataFrame({0: [1.0]}, index=FRAME.index[:1])
        assert theirs._convert_dataframe_to_lines(frame, "m") == ["m 0=1.0 1735689600000000000"]
        with pytest.raises(SerializationError, match="a column name must be a str"):
            serialize(frame, "m")
        assert serialize(frame.rename(columns=str), "m") == b"m 0=1.0 1735689600000000000"
        months = pd.DataFrame({"v": [1.0]}, index=pd.period_range("2025-01", periods=1, freq="M"))
        assert len(theirs._convert_dataframe_to_lines(months, "m")) == 1
        with pytest.raises(SerializationError, match="to_timestamp"):
            serialize(months, "m")
        assert serialize(months.to_timestamp(), "m") == b"m v=1.0 1735689600000000000"

    def test_backslashes_and_line_breaks(self) -> None:
        point = {"measurement": "m", "tags": {"path": "a\\b"}, "fields": {"s": "x\ny"}, "time": 1}
        assert line_protocol.make_lines({"points": [point]}) == 'm,path=a\\\\b s="x\\ny" 1\n'
        assert serialize(point) == b'm,path=a\\b s="x\ny" 1'
        doubled = point | {"tags": {"path": "a\\b".replace("\\", "\\\\")}}
        assert serialize(doubled).startswith(b"m,path=a\\\\b ")


def write_api_of(package: Any, point_settings: Any) -> Any:
    """Return the `WriteApi` of a client that does not connect."""
    if package is influxdb3:
        client = influxdb3.InfluxDBClient3(
            host="http://localhost:1", database="d", token="t", point_settings=point_settings
        )
        return client._write_api
    return package.InfluxDBClient(url="http://localhost:1", token="t", org="o").write_api(point_settings=point_settings)


class TestInfluxDBClient:
    """docs/migrating/influxdb-client.md."""

    def test_nanoseconds_of_strings(self) -> None:
        text = "2025-01-01T12:00:00.123456789Z"
        line = influxdb_client.Point("m").field("v", 1.5).time(text).to_line_protocol()
        assert line == f"m v=1.5 {NOON + 123_456_000}"
        assert serialize({"measurement": "m", "fields": {"v": 1.5}, "time": text}) == b"m v=1.5 %d" % (
            NOON + 123_456_789
        )

    def test_points_without_fields(self, ours: InfluxDBClient) -> None:
        empty = influxdb_client.Point("m").tag("host", "a")
        assert not empty.to_line_protocol()
        with pytest.raises(SerializationError, match="no field"):
            ours.write({"measurement": "m", "tags": {"host": "a"}, "fields": {}})
        assert ours.write([{"measurement": "m", "fields": {}}, {"measurement": "m", "fields": {"v": 1}}])
        assert ours.write(empty.to_line_protocol())

    def test_points_as_line_protocol(self, ours: InfluxDBClient) -> None:
        point = influxdb_client.Point("m").tag("host", "a").field("v", 1.5).time(1)
        with pytest.raises(SerializationError, match="cannot write a Point"):
            ours.write(point)
        ours.write(point.to_line_protocol())
        with ours.batch_writer() as writer:
            writer.write(each.to_line_protocol() for each in [point.time(2), point.time(3)])
        assert ours.query("SELECT v FROM m").series[0].values[0] == [1, 1.5]

    def test_precision_of_points(self, ours: InfluxDBClient) -> None:
        second = NOON // 1_000_000_000
        point = influxdb_client.Point("m").field("v", 1.5).time(second, influxdb_client.WritePrecision.S)
        assert point.to_line_protocol() == f"m v=1.5 {second}"
        ours.write(point.to_line_protocol(), precision=point.write_precision)
        assert ours.query("SELECT v FROM m").series[0].values == [[NOON, 1.5]]
        when = datetime(2025, 1, 1, 12, 0, 0, 500_000)  # noqa: DTZ001 - both use UTC
        assert point.time(when, "s").to_line_protocol() == f"m v=1.5 {second}"
        mapping = {"measurement": "m", "fields": {"v": 1.5}, "time": when}
        assert serialize(mapping, precision="s") == b"m v=1.5 %d" % (NOON + 500_000_000)

    def test_default_tags_take_precedence_there(self) -> None:
        for package in (influxdb_client, influxdb3):
            settings = package.client.write_api.PointSettings if package is influxdb_client else package.PointSettings
            point = package.Point("m").tag("host", "own").field("v", 1.5).time(1)
            mapping = {"measurement": "m", "tags": {"host": "own"}, "fields": {"v": 1.5}, "time": 1}
            with write_api_of(package, settings(host="default")) as api:
                api._append_default_tags(point)
                api._append_default_tags(changed := mapping | {"tags": {"host": "own"}})
            assert point.to_line_protocol() == "m,host=default v=1.5 1"
            assert changed["tags"] == {"host": "default"}
            assert serialize(mapping, tags={"host": "default"}) == b"m,host=own v=1.5 1"

    @pytest.mark.parametrize("module", [frames, frames3], ids=["influxdb-client", "influxdb3-python"])
    def test_columns(self, module: Any) -> None:
        def lines(frame: pd.DataFrame, **options: Any) -> list[str]:
            settings = influxdb_client.client.write_api.PointSettings()
            options = {f"data_frame_{name}": value for name, value in options.items()}
            return list(
                module.data_frame_to_list_of_points(frame, settings, data_frame_measurement_name="m", **options)
            )

        row = FRAME[:1]
        assert lines(row, tag_columns=["host"])[0].encode() == serialize(row, "m", tag_columns=["host"])
        assert lines(row, tag_columns=["load"])[0].startswith("m,load=0.5 ")
        with pytest.raises(SerializationError, match="convert it to str"):
            serialize(row, "m", tag_columns=["load"])
        single = row[["load"]].assign(load=np.array([0.1], dtype="float32"))
        assert lines(single) == ["m load=0.10000000149011612 1735689600000000000"]
        assert serialize(single, "m") == b"m load=0.1 1735689600000000000"
        times = row[["load"]].assign(load=row.index)
        assert lines(times) == ['m load="2025-01-01 00:00:00" 1735689600000000000']
        numbered = row[["load"]].rename(columns={"load": 0})
        assert lines(numbered) == ["m 0=0.5 1735689600000000000"]
        texts = pd.DataFrame({"when": ["2025-01-01"], "load": [0.5]})
        assert lines(texts, timestamp_column="when") == ["m load=0.5 1735689600000000000"]
        for frame, message in (
            (times, "unsupported dtype"),
            (numbered, "a column name must be a str"),
            (row[["load"]].set_axis(["2025-01-01"]), "to_datetime"),
        ):
            with pytest.raises(SerializationError, match=message):
                serialize(frame, "m")
        with pytest.raises(SerializationError, match="to_datetime"):
            serialize(texts, "m", time_column="when")
        converted = texts.assign(when=pd.to_datetime(texts.when, utc=True))
        assert serialize(converted, "m", time_column="when") == b"m load=0.5 1735689600000000000"

    @pytest.mark.needs("2.7")
    def test_results_of_flux(self) -> None:
        with Influxd2() as server:
            server.create_database("db")
            theirs = influxdb_client.InfluxDBClient(url=server.url, token=TOKEN, org=ORG)
            with theirs, InfluxDBClient.from_url(server.url, token=TOKEN, org=ORG, bucket="db") as ours:
                ours.write("m,host=a load=0.5 1735732800000000000")
                flux = 'from(bucket: "db") |> range(start: 2025-01-01T00:00:00Z)'
                [table] = theirs.query_api().query(flux)
                [record] = table.records
                [series] = ours.query_flux(flux).series
                point = ours.query_flux(flux).first()
                assert point is not None
                assert (point["time"], point["_field"], point["_value"]) == (NOON, "load", 0.5)
                assert (record.get_field(), record.get_value()) == ("load", 0.5)
                assert record.get_measurement() == series.name == "m"
                assert "_measurement" not in point
                assert record["host"] == point["host"] == "a"
                frame = ours.query_dataframe(flux, language="flux")
                assert list(frame.index) == list(theirs.query_api().query_data_frame(flux)["_time"])

    def test_last_of_each_series(self, ours: InfluxDBClient) -> None:
        """`last()` of Flux returns a row for each series."""
        ours.write("m,host=a v=1 1\nm,host=a v=2 2\nm,host=b v=3 1")
        assert [point["last"] for point in ours.query("SELECT last(v) FROM m").points()] == [2]
        assert [point["last"] for point in ours.query("SELECT last(v) FROM m GROUP BY *").points()] == [2, 3]


class TestInfluxDB3Python:
    """docs/migrating/influxdb3-python.md."""

    def test_nanoseconds_of_strings_and_points_without_fields(self) -> None:
        point = influxdb3.Point("m").tag("host", "a")
        assert not point.to_line_protocol()
        point = point.field("v", 1.5).time("2025-01-01T12:00:00.123456789Z")
        assert point.to_line_protocol() == f"m,host=a v=1.5 {NOON + 123_456_000}"

    def test_address(self) -> None:
        for host, url in (
            ("db.example", "https://db.example:443"),
            ("http://db.example", "http://db.example:443"),
            ("http://db.example:8181", "http://db.example:8181"),
        ):
            with influxdb3.InfluxDBClient3(host=host, database="d", token="t") as client:
                assert client.base_url == url
        with InfluxDBClient.from_url("http://db.example") as ours:
            assert ours.settings.server.port == 8086

    def test_precision_of_points(self) -> None:
        point = influxdb3.Point("m").field("v", 1.5).time(1_735_732_800, "s")
        assert point.to_line_protocol() == "m v=1.5 1735732800"
        assert point.write_precision == "s"

    def test_empty_cells_of_files(self, tmp_path: Path) -> None:
        path = tmp_path / "cpu.csv"
        path.write_text("time,host,load,state\n2025-01-01T12:00:00Z,a,0.5,ok\n2025-01-01T12:00:00Z,b,,\n")
        table = files3.UploadFile(str(path)).load_file().to_pandas()
        theirs = frames3.data_frame_to_list_of_points(
            table,
            influxdb3.PointSettings(),
            data_frame_measurement_name="cpu",
            data_frame_tag_columns=["host"],
            data_frame_timestamp_column="time",
        )
        assert list(theirs) == [f'cpu,host=a load=0.5,state="ok" {NOON}', f'cpu,host=b state="" {NOON}']
        frame = pd.read_csv(path, parse_dates=["time"])
        ours = serialize(frame, "cpu", time_column="time", tag_columns=["host"])
        assert ours.decode().splitlines() == list(theirs)[:1]  # the other row has no value

    def test_failed_connections(self) -> None:
        with influxdb3.InfluxDBClient3(host="http://localhost:1", database="d", token="t") as client:
            with pytest.raises(urllib3.exceptions.HTTPError):
                client.write("m v=1")
        with InfluxDBClient("localhost", 1, database="d", retry=RetryPolicy(attempts=1)) as ours:
            with pytest.raises(TransportError):
                ours.write("m v=1")


def classes(**options: bool) -> tuple[Any, Any]:
    """Return the same class for aioinflux and for this project."""
    found = []
    for package in (aioinflux, influx_proto):
        schema = {"host": package.TAG, "v": package.FLOAT}
        found.append(package.lineprotocol(NamedTuple("Data", [("host", str), ("v", float)]), schema=schema, **options))
    return found[0], found[1]


class TestAioinflux:
    """docs/migrating/aioinflux.md."""

    def test_backslashes_are_doubled_there(self) -> None:
        point = {"measurement": "m\\x", "tags": {"a\\k": "x\\y"}, "fields": {"k\\l": 1}, "time": 1}
        assert mapping.serialize(point) == rb"m\\x,a\\k=x\\y k\\l=1i 1"
        assert serialize(point) == rb"m\x,a\k=x\y k\l=1i 1"

    def test_placeholder(self) -> None:
        theirs, ours = classes(placeholder=True)
        assert theirs("a", 1.5).to_lineprotocol() == b"Data,host=a _=true,v=1.5"
        assert serialize(ours("a", 1.5)) == b"Data,host=a v=1.5"

    def test_measurement_and_tags_of_a_write_apply_to_objects(self) -> None:
        theirs, ours = classes()
        assert aioinflux.serialization.serialize(theirs("a", 1.5), "other", site="x") == b"Data,host=a v=1.5"
        assert serialize(ours("a", 1.5), "other", tags={"site": "x"}) == b"other,host=a,site=x v=1.5"

    def test_tags_of_a_write_take_precedence_there(self) -> None:
        point = {"measurement": "m", "tags": {"host": "own"}, "fields": {"v": 1.5}, "time": 1}
        assert mapping.serialize(point, host="call") == b"m,host=call v=1.5 1"
        assert serialize(point, host="call") == b"m,host=own v=1.5 1"
        assert mapping.serialize(point | {"tags": {"t": 1.5}}) == b"m,t=1.5 v=1.5 1"
        with pytest.raises(SerializationError, match="convert it to str"):
            serialize(point | {"tags": {"t": 1.5}})

    def test_line_breaks_are_removed_there(self) -> None:
        point = {"measurement": "m", "fields": {"s": "x\ny"}, "time": 1}
        assert mapping.serialize(point) == b'm s="xy" 1'
        assert serialize(point) == b'm s="x\ny" 1'

    def test_truth_of_results(self, ours: InfluxDBClient) -> None:
        """aioinflux returns the document of the server, which is a dict that is not empty."""
        result = ours.query("SELECT v FROM nothing")
        assert result
        assert dict(result)
        assert result.is_empty
