"""The servers of `make servers` that are installed: the least that a client must be able to do with each of them.

`make conformance SERVER=2.7` runs the other tests on one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from influx_proto import PartialWriteError

from tests.servers.builds import BUILDS, find_build
from tests.servers.influxd import Server
from tests.servers.running import running_server
from tests.servers.victoriametrics import VictoriaMetrics

GOOD = [f"m,t=a v={n} {1_700_000_000_000_000_000 + n * 1_000_000}" for n in range(100)]
BAD = "m,t=a v= 1"


@pytest.fixture(scope="module", params=[pytest.param(name, marks=pytest.mark.needs(name)) for name in BUILDS])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{find_build(request.param).parent}{os.pathsep}{os.environ['PATH']}")
        with running_server(request.param) as server:
            server.create_database("db")
            yield server


@pytest.fixture
def client(connect: Callable[..., Any], server: Server) -> Any:
    return connect(server.url, database="db")


def stored(client: Any, server: Server) -> list[float]:
    if isinstance(server, VictoriaMetrics):
        return sorted({sample.value for sample in server.samples("db")})
    return [value for _, value in client.query("SELECT v FROM m").series[0].values]


def test_ping(client: Any, server: Server) -> None:
    version = client.ping().version
    assert version is None if isinstance(server, VictoriaMetrics) else version.startswith(("v1.", "v2."))


def test_write(client: Any, server: Server) -> None:
    assert client.write(GOOD)
    assert stored(client, server) == list(range(100))


@pytest.mark.needs("background")
def test_only_the_invalid_line_is_rejected(client: Any, server: Server) -> None:
    with client.batch_writer() as writer:
        receipt = writer.write([*GOOD[:70], BAD, *GOOD[70:]])
        with pytest.raises(PartialWriteError):
            writer.flush()
    assert [line for line, _ in receipt.rejected] == [BAD]
    assert (writer.rejected, writer.undelivered) == (1, [])
    assert stored(client, server) == list(range(100))
