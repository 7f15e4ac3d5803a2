"""Fixtures: a client for a fresh database, and the program's environment for the same database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from influx_requests import InfluxDBClient

from tests.cli.program import environment
from tests.servers.influxd import Server


@pytest.fixture
def client(influxd: Server, database: str) -> Iterator[InfluxDBClient]:
    with InfluxDBClient.from_url(influxd.url, database=database) as client:
        yield client


@pytest.fixture
def env(influxd: Server, database: str) -> dict[str, str]:
    return environment(influxd.url, database)
