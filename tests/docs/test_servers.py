"""The programs for InfluxDB 2 and 3 in the docs, on a real InfluxDB 2 if it is installed, and on a stand-in for 3."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import pytest
from influx_proto.influxql import quote_identifier
from influx_requests import InfluxDBClient

from tests.servers.influxd import Server
from tests.servers.influxd2 import ORG, TOKEN, Influxd2

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "migrating" / "influxdb-2-3.md"
QUERYING = DOCS / "querying.md"
ADMINISTRATION = DOCS / "administration.md"


def programs(page: Path = PAGE) -> list[str]:
    return re.findall(r"^```py\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


class Influx3(BaseHTTPRequestHandler):
    """Stand-in for InfluxDB 3, whose responses are constructed from its documentation."""

    RESPONSES: ClassVar[dict[str, tuple[int, str, bytes]]] = {
        "/write": (204, "", b""),
        "/query": (
            200,
            "application/json",
            b'{"results":[{"series":[{"columns":["time","celsius"],"values":[[1700000000000000000,21.5]]}]}]}',
        ),
        "/api/v3/query_sql": (
            200,
            "application/jsonl",
            b'{"time":"2023-11-14T22:13:20","celsius":21.5,"load":0.64}\n',
        ),
    }

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
        """Write no log."""

    def do_GET(self) -> None:
        self._respond()

    def do_POST(self) -> None:
        self._respond()

    def _respond(self) -> None:
        assert self.headers["Authorization"] == "Token apiv3_..."
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, media_type, body = self.RESPONSES[urlsplit(self.path).path]
        self.send_response(status)
        if body:
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.mark.parametrize(
    ("page", "number", "expected"),
    [(PAGE, 1, "21.5"), (PAGE.with_name("influxdb3-python.md"), 0, "2023-11-14 22:13:20+00:00 0.64")],
    ids=["influxdb-2-3", "influxdb3-python"],
)
def test_program_for_influxdb_3(page: Path, number: int, expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Influx3) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        namespace: dict[str, Any] = {}
        try:
            exec(programs(page)[number].replace("8181", str(server.server_port)), namespace)
        finally:
            server.shutdown()
            thread.join()
    assert expected in capsys.readouterr().out
    assert str(namespace["frame"].index[0]) == "2023-11-14 22:13:20+00:00"


def test_sql() -> None:
    """The program of the guide to queries."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Influx3) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            with InfluxDBClient(port=server.server_port, token="apiv3_...", database="db") as client:
                namespace: dict[str, Any] = {"client": client, "host": "a"}
                exec(programs(QUERYING)[0], namespace)
        finally:
            server.shutdown()
            thread.join()
    assert namespace["result"].first()["load"] == 0.64
    assert namespace["point"]["load"] == 0.64


@pytest.fixture(scope="module")
def influxd2() -> Iterator[Influxd2]:
    with Influxd2() as server:
        yield server


@pytest.mark.needs("2.7")
def test_program_for_influxdb_2(influxd2: Influxd2, capsys: pytest.CaptureFixture[str]) -> None:
    program = programs()[0].replace("8086", str(urlsplit(influxd2.url).port))
    exec(program.replace("my token", TOKEN).replace("my org", ORG), {})
    assert "21.5" in capsys.readouterr().out


@pytest.mark.needs("2.7")
def test_flux(influxd2: Influxd2) -> None:
    """The program of the guide to queries."""
    with InfluxDBClient.from_url(influxd2.url, token=TOKEN, org=ORG, bucket="db") as client:
        client.create_bucket("db")
        client.write([{"measurement": "cpu", "tags": {"host": host}, "fields": {"load": 0.5}} for host in "abc"])
        namespace: dict[str, Any] = {"client": client}
        exec(programs(QUERYING)[1], namespace)
    assert {series.tags["host"] for series in namespace["result"].series} == {"a", "b"}
    assert len(namespace["frame"]) == 2


@pytest.mark.needs("2.7")
def test_buckets(influxd2: Influxd2) -> None:
    """The program of the page about administration."""
    [program] = programs(ADMINISTRATION)
    program = program.replace('token="..."', f"port={urlsplit(influxd2.url).port}, token={TOKEN!r}")
    namespace: dict[str, Any] = {}
    exec(program.replace("acme", ORG), namespace)
    with namespace["client"] as client:
        assert {bucket.name: bucket.retention for bucket in client.list_buckets()}["metrics"] is None


@pytest.mark.needs("2.7")
def test_copying_to_another_server(influxd: Server, database: str, influxd2: Influxd2) -> None:
    """The page copies to InfluxDB 3; here to InfluxDB 2, which has the same arguments."""
    influxd2.create_database("copy")
    new = {"token": TOKEN, "database": "copy"}
    with (
        InfluxDBClient.from_url(influxd.url, database=database) as source,
        InfluxDBClient.from_url(influxd2.url, **new) as target,
    ):
        source.write(["cpu,host=a,rack=x load=0.5,n=1i 1", "cpu,host=b load=2 2", "disk free=true 3", 'say"so v=1 4'])
        program = programs()[2]
        loop = program[program.index("for measurement in") :]
        exec(loop, {"old": source, "new": target, "quote_identifier": quote_identifier})
        for query in ("SELECT * FROM cpu GROUP BY *", "SELECT * FROM disk", r'SELECT * FROM "say\"so"'):
            assert target.query(query) == source.query(query)
        assert [key.key for key in target.list_tag_keys("cpu")] == ["host", "rack"]
