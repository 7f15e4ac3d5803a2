"""Writes and queries of clients and calls with a bucket."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from influx_proto import SerializationError, ops
from influx_proto._batch.spool.format import encode_target
from influx_proto._client.config import settings_from_env, settings_from_url
from influx_proto._runtime.settings import Settings
from influx_proto._write.request import as_target, resolve_target
from influx_proto._write.write import write_batches

BUCKET = Settings(bucket="b", org="o")
LINE = "m v=1 1"


def sent(settings: Settings, data: object = LINE, **arguments: Any) -> tuple[str, dict[str, str]]:
    """Return the path and the parameters of a write."""
    [batch] = write_batches(data, **arguments).batches(settings, FakeClock())
    [op] = write_batches(batch.data, **arguments)
    request = settings.complete(op.request)
    parts = urlsplit(request.target)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    assert len(pairs) == len(dict(pairs))
    return parts.path, dict(pairs)


class FakeClock:
    def now(self) -> float:
        return 0.0

    def time_ns(self) -> int:
        return 1


@pytest.mark.parametrize(
    ("settings", "arguments", "path", "params"),
    [
        (BUCKET, {}, "/api/v2/write", {"bucket": "b", "org": "o", "precision": "ns"}),
        (Settings(bucket="b"), {}, "/api/v2/write", {"bucket": "b", "precision": "ns"}),
        (BUCKET, {"precision": "us"}, "/api/v2/write", {"bucket": "b", "org": "o", "precision": "us"}),
        (BUCKET, {"db": "d"}, "/write", {"db": "d", "precision": "ns"}),
        (BUCKET, {"db": "d", "precision": "us"}, "/write", {"db": "d", "precision": "u"}),
        (BUCKET, {"db": "d", "precision": "h"}, "/write", {"db": "d", "precision": "h"}),
        (BUCKET, {"rp": "r"}, "/write", {"db": "b", "rp": "r", "precision": "ns"}),
        (Settings(bucket="b/c", database="d"), {"rp": "r"}, "/write", {"db": "d", "rp": "r", "precision": "ns"}),
        (BUCKET, {"bucket": "c"}, "/api/v2/write", {"bucket": "c", "org": "o", "precision": "ns"}),
        (BUCKET, {"bucket": "c", "org": "p"}, "/api/v2/write", {"bucket": "c", "org": "p", "precision": "ns"}),
        (Settings(database="d"), {"bucket": "c/d"}, "/api/v2/write", {"bucket": "c/d", "precision": "ns"}),
        (Settings(database="d"), {}, "/write", {"db": "d", "precision": "ns"}),
        (Settings(bucket="b", database="d"), {}, "/api/v2/write", {"bucket": "b", "precision": "ns"}),
        (Settings(org="o"), {"db": "d"}, "/write", {"db": "d", "precision": "ns"}),
        (BUCKET, {"consistency": "all"}, "/api/v2/write",
         {"bucket": "b", "org": "o", "consistency": "all", "precision": "ns"}),
    ],
)  # fmt: skip
def test_target(settings: Settings, arguments: dict[str, Any], path: str, params: Mapping[str, str]) -> None:
    assert sent(settings, **arguments) == (path, params)
    lines = gzip.compress(LINE.encode())
    request = settings.complete(ops.write_compressed(lines, **arguments).request)
    parts = urlsplit(request.target)
    assert (parts.path, dict(parse_qsl(parts.query))) == (path, params)
    # A spool stores the complete target.
    names = ("db", "rp", "consistency", "bucket", "org")
    resolved, wants_db = resolve_target(as_target(*map(arguments.get, names)), settings)
    assert ({**dict(resolved), "precision": params["precision"]}, wants_db) == (params, False)
    assert encode_target((resolved, wants_db), "ns")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"bucket": "b", "db": "d"}, "bucket: cannot be combined with db or rp"),
        ({"bucket": "b", "rp": "r"}, "bucket: cannot be combined with db or rp"),
        ({"org": "o"}, "org: requires a bucket"),
        ({"bucket": ""}, "bucket: must not be empty"),
        ({"bucket": "b", "org": ""}, "org: must not be empty"),
        ({"bucket": 1}, "bucket: must be a str"),
    ],
)
def test_invalid_arguments(arguments: dict[str, Any], message: str) -> None:
    for build in (ops.write, write_batches):
        with pytest.raises((ValueError, TypeError), match=f"^{message}"):
            build(LINE, **arguments)


@pytest.mark.parametrize("unit", ["m", "h"])
@pytest.mark.parametrize(("settings", "arguments"), [(BUCKET, {}), (Settings(), {"bucket": "b"})])
def test_precision_of_raw_lines(settings: Settings, arguments: dict[str, Any], unit: str) -> None:
    """Only the precision of raw line protocol is sent: the timestamps of points are converted."""
    with pytest.raises(SerializationError, match=f"^precision: a bucket accepts ns, us, ms and s, not '{unit}'"):
        sent(settings, precision=unit, **arguments)
    point = {"measurement": "m", "fields": {"v": 1}, "time": 1}
    [batch] = write_batches(point, precision=unit, **arguments).batches(settings, FakeClock())
    assert batch.data in {b"m v=1i 60000000000", b"m v=1i 3600000000000"}
    if arguments:
        with pytest.raises(ValueError, match=r"^precision: a bucket accepts"):
            ops.write_compressed(gzip.compress(LINE.encode()), precision=unit, **arguments)


@pytest.mark.parametrize(
    ("settings", "arguments", "params"),
    [
        (BUCKET, {}, {"db": "b"}),
        (Settings(bucket="b/c"), {}, {"db": "b", "rp": "c"}),
        (Settings(bucket="b/c"), {"rp": "r"}, {"db": "b", "rp": "r"}),
        (Settings(bucket="b/c"), {"db": "d"}, {"db": "d"}),
        (Settings(bucket="b/c", database="d"), {}, {"db": "d"}),
    ],
)
@pytest.mark.parametrize("q", ["SELECT v FROM m", "DROP SERIES FROM m"])
def test_queries(settings: Settings, arguments: dict[str, Any], params: dict[str, str], q: str) -> None:
    request = settings.complete(ops.query(q, **arguments).request)
    found = dict(parse_qsl(urlsplit(request.target).query))
    assert {name: found[name] for name in ("db", "rp") if name in found} == params


def test_url() -> None:
    settings = settings_from_url("https://db.example?bucket=a%2Fb&org=my%20org&database=d")
    assert (settings["bucket"], settings["org"], settings["database"]) == ("a/b", "my org", "d")


OFFICIAL = {
    "INFLUX_HOST": "https://cloud.example", "INFLUX_TOKEN": "t", "INFLUX_ORG": "o", "INFLUX_BUCKET": "b",
    "INFLUX_DATABASE": "d",
}  # fmt: skip


def test_official_variables() -> None:
    found = settings_from_env(OFFICIAL)
    assert (found["host"], found["port"], found["ssl"]) == ("cloud.example", 443, True)
    assert [found[name] for name in ("token", "org", "bucket", "database")] == ["t", "o", "b", "d"]


def test_own_variables_take_precedence() -> None:
    found = settings_from_env(OFFICIAL | {"INFLUXDB_ORG": "p", "INFLUXDB_BUCKET": "c", "INFLUXDB_USERNAME": "u"})
    assert [found[name] for name in ("org", "bucket", "database", "username")] == ["p", "c", "d", "u"]
    assert "token" not in found


def test_official_variables_are_those_of_their_server() -> None:
    """A token must not be sent to another server."""
    found = settings_from_env(OFFICIAL | {"INFLUXDB_URL": "http://localhost"})
    assert not {"token", "org", "bucket", "database"} & found.keys()


def test_invalid_official_url() -> None:
    with pytest.raises(ValueError, match=r"^INFLUX_HOST: 'cloud.example' is not of the form"):
        settings_from_env({"INFLUX_HOST": "cloud.example"})
