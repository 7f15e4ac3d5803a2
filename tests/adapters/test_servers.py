"""Table of what servers lack, and the builds of `make servers`."""

from __future__ import annotations

import pytest

from tests.servers.builds import BUILDS, BuildError, make
from tests.servers.capabilities import FEATURES, LACKS, Version, lacks
from tests.servers.influxd import InfluxdError
from tests.servers.running import find_version, identify
from tests.servers.scripted import Behavior, Receive, ScriptedServer, Send, reply, respond


@pytest.mark.parametrize(
    ("version", "row"),
    [
        ((1, 5), (1, 6)), ((1, 6), (1, 6)), ((1, 7), (1, 6)), ((1, 8), (1, 8)), ((1, 11), (1, 10)), ((1, 13), (1, 12)),
        ((2, 0), (2, 7)), ((2, 7), (2, 7)), ((2, 9), (2, 7)), ((3, 0), (3, 0)), ((3, 11), (3, 0)),
    ],
)  # fmt: skip
def test_row_of_a_version(version: tuple[int, int], row: tuple[int, int]) -> None:
    assert lacks(Version("influxdb", *version)) == LACKS[Version("influxdb", *row)]


def test_every_feature_is_described() -> None:
    for version, features in LACKS.items():
        assert features <= FEATURES.keys(), version


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.6.7~rc0", (1, 6)), ("InfluxDB v1.13.2 (git: unknown unknown)", (1, 13)), ("v2.7.12", (2, 7)),
        ("victoria-metrics-20260801-000000-v1.150.0", (1, 150)), ("3.10.1", (3, 10)), ("", (1, 0)),
    ],
)  # fmt: skip
def test_versions_as_servers_print_them(text: str, expected: tuple[int, int]) -> None:
    assert find_version("influxdb", text)[1:] == expected


@pytest.mark.parametrize("name", BUILDS)
def test_missing_tools_are_named(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setattr("tests.servers.builds.CACHE", tmp_path)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BuildError, match="the build needs go"):
        make(name)


# Constructed, for InfluxDB 3 from its source; for the others as running servers respond.
PING_3 = reply(200, {"X-Influxdb-Version": "3.10.1", "X-Influxdb-Build": "Core"}, b'{"version":"3.10.1"}')
NO_VERSION: Behavior = [Receive(), Send(respond(204)), Receive()]
METRICS = respond(200, {}, b'vm_app_version{version="x", short_version="v1.150.0"} 1\n')


@pytest.mark.parametrize(
    ("behavior", "expected"),
    [
        (reply(204, {"X-Influxdb-Version": "1.8.10"}), ("influxdb", 1, 8)),
        (reply(204, {"X-Influxdb-Version": "v2.7.12"}), ("influxdb", 2, 7)),
        (PING_3, ("influxdb", 3, 10)),
        ([*NO_VERSION, Send(METRICS)], ("victoriametrics", 1, 150)),
    ],
)
def test_identification_by_ping(behavior: Behavior, expected: tuple[str, int, int]) -> None:
    with ScriptedServer([behavior]) as server:
        assert identify(server.url) == expected


def test_server_without_a_version_is_rejected() -> None:
    with ScriptedServer([[*NO_VERSION, Send(respond(404))]]) as server, pytest.raises(InfluxdError, match="204"):
        identify(server.url)
