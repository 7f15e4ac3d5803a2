"""Drivers of the conformance suite, and fixtures for clients of the adapter under test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.conformance.drivers import Driver, load, load_defaults
from tests.servers.influxd import Server


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test that uses a client over every driver: those of `--driver`, or the default ones."""
    if "driver" in metafunc.fixturenames:
        specs = metafunc.config.getoption("--driver")
        drivers = (
            [load(spec) for spec in specs] if specs else load_defaults(metafunc.module.__name__.rpartition(".")[2])
        )
        metafunc.parametrize("driver", drivers, ids=[driver.name for driver in drivers])


@pytest.fixture
def connect(driver: Driver) -> Iterator[Callable[..., Any]]:
    """Return a function `connect(url, **settings)` whose clients of the adapter under test are closed at the end."""
    with ExitStack() as clients:
        yield lambda url, **settings: clients.enter_context(driver.client(url, **settings))


@pytest.fixture
def client(connect: Callable[..., Any], influxd: Server, database: str) -> Any:
    """Return a client for the real server, with a fresh database selected."""
    return connect(influxd.url, database=database)


def use(client: Any) -> None:
    """Ping, write and read over a client."""
    assert client.ping().version
    client.create_database("db")
    assert client.write([f"m v={n}i {n}" for n in range(500)], db="db") is True
    with client.query_points("SELECT v FROM m", db="db", chunk_size=100) as points:
        assert [point["v"] for point in points] == list(range(500))
    client.drop_database("db")
