"""The programs for InfluxDB 2 and 3 in the docs, on a real InfluxDB 2 if it is installed, or on a stand-in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from influx_requests import InfluxDBClient

from tests.servers.builds import BuildError, find_build
from tests.servers.influxd import Server
from tests.servers.influxd2 import ORG, TOKEN, Influxd2

PAGE = Path(__file__).parents[2] / "docs" / "migrating" / "influxdb-2-3.md"


def programs() -> list[str]:
    return re.findall(r"^```py\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def influxd2() -> Iterator[Influxd2]:
    try:
        find_build("2.7")
    except BuildError as error:
        pytest.skip(str(error))
    with Influxd2() as server:
        yield server


def test_program_for_influxdb_2(influxd2: Influxd2, capsys: pytest.CaptureFixture[str]) -> None:
    program = programs()[0].replace("8086", str(urlsplit(influxd2.url).port))
    exec(program.replace("my token", TOKEN).replace("my org", ORG), {})
    assert "21.5" in capsys.readouterr().out


def test_copying_to_another_server(influxd: Server, database: str, influxd2: Influxd2) -> None:
    """The page copies to InfluxDB 3; here to InfluxDB 2, which has the same arguments."""
    influxd2.create_database("copy")
    new = {"token": TOKEN, "database": "copy"}
    with (
        InfluxDBClient.from_url(influxd.url, database=database) as source,
        InfluxDBClient.from_url(influxd2.url, **new) as target,
    ):
        source.write(["cpu,host=a,rack=x load=0.5,n=1i 1", "cpu,host=b load=2 2", "disk free=true 3"])
        program = programs()[2]
        loop = program[program.index("for measurement in") :]
        exec(loop, {"old": source, "new": target})
        for query in ("SELECT * FROM cpu GROUP BY *", "SELECT * FROM disk"):
            assert target.query(query) == source.query(query)
        assert [key.key for key in target.list_tag_keys("cpu")] == ["host", "rack"]
