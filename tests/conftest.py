"""What every test may ask for: a real InfluxDB, and a database of its own in it."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.servers.influxd import Server, execute, running_server

if TYPE_CHECKING:
    from collections.abc import Iterator

# How fast a machine is, and what else it does meanwhile, is no property of ours.
settings.register_profile("whatever the speed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("whatever the speed")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the conformance suite run over an adapter from outside this repository."""
    parser.addoption(
        "--driver",
        action="append",
        metavar="MODULE:NAME",
        help="a Driver to run tests/conformance over, instead of the repository's own; see docs/adapter.md",
    )


@pytest.fixture(scope="session")
def influxd() -> Iterator[Server]:
    """One server for the whole session: the one of `INFLUXDB_URL`, or one started for it."""
    with running_server() as server:
        yield server


@pytest.fixture
def database(influxd: Server) -> Iterator[str]:
    """The name of a fresh database, gone after the test."""
    name = f"test_{uuid.uuid4().hex}"
    execute(influxd.url, f'CREATE DATABASE "{name}"')
    yield name
    execute(influxd.url, f'DROP DATABASE "{name}"')
