"""Encoding and parsing compared with a real InfluxDB."""

from __future__ import annotations

import json
import random
import re
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from influx_proto import SerializationError, serialize
from influx_proto._line_protocol.parse import parse_lines
from influx_proto._time import to_rfc3339
from influx_proto.influxql import quote_identifier

if TYPE_CHECKING:
    from tests.servers.influxd import Server

CHARACTERS = st.sampled_from('\\,= "#\n\r\t\0ai1é') | st.characters(codec="utf-8")
NAMES = st.text(CHARACTERS, min_size=1, max_size=8)
VALUES = {
    "s": st.text(CHARACTERS, max_size=12),
    "i": st.integers(-(2**63), 2**63 - 1),
    "f": st.floats(allow_nan=False, allow_infinity=False),
    "b": st.booleans(),
}
#: Each field key ends in its type, so that no field has two types.
FIELDS = st.lists(
    st.tuples(NAMES, st.sampled_from("sifb")).flatmap(
        lambda pair: st.tuples(st.just(pair[0] + pair[1]), VALUES[pair[1]])
    ),
    min_size=1,
    max_size=4,
).map(dict)
POINTS = st.fixed_dictionaries({
    "measurement": NAMES,
    # Tags and fields have different names: a query returns them as one column.
    "tags": st.dictionaries(NAMES.map(lambda name: name + "t"), NAMES, max_size=4),
    "fields": FIELDS,
    "time": st.integers(-9223372036854775806, 9223372036854775806),
})

#: A batch of distinct points for each run, since one point would overwrite another.
BATCHES = st.lists(POINTS, min_size=1, max_size=40, unique_by=lambda point: (point["measurement"], point["time"]))


def send(url: str, path: str, body: bytes, **params: str) -> tuple[int, bytes]:
    request = urllib.request.Request(f"{url}{path}?{urllib.parse.urlencode(params)}", body)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def write(url: str, database: str, body: bytes, precision: str = "ns") -> tuple[int, str]:
    status, response = send(url, "/write", body, db=database, precision=precision)
    return status, json.loads(response)["error"] if response else ""


def stored(url: str, database: str, source: str = "/.*/") -> list[tuple[str, tuple[Any, ...], str, tuple[Any, ...]]]:
    """Return all points as measurement, tags, time and fields; fields as JSON text if decoding would lose types."""
    query = urllib.parse.urlencode({"q": f"SELECT * FROM {source} GROUP BY *", "db": database, "epoch": "ns"}).encode()
    status, response = send(url, "/query", query)
    assert status == 200
    points = []
    for series in json.loads(response, parse_float=float)["results"][0].get("series", ()):
        tags = tuple(sorted((key, value) for key, value in (series.get("tags") or {}).items() if value))
        for time, *values in series["values"]:
            fields = zip(series["columns"][1:], values, strict=True)
            points.append((series["name"], tags, time, tuple(sorted((k, v) for k, v in fields if v is not None))))
    return points


def clear(url: str, database: str) -> None:
    for verb in ("DROP", "CREATE"):
        send(url, "/query", urllib.parse.urlencode({"q": f'{verb} DATABASE "{database}"'}).encode())


with_server = settings(
    deadline=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # each example creates a database on the server
)


@with_server
@given(batch=BATCHES)
def test_written_points_are_stored(influxd: Server, database: str, batch: list[dict[str, Any]]) -> None:
    sendable = []
    for point in batch:
        try:
            serialize(point)
        except SerializationError:
            continue
        sendable.append(point)
    clear(influxd.url, database)
    assert write(influxd.url, database, serialize(sendable)) == (204, "")
    expected = [
        (
            point["measurement"],
            tuple(sorted(point["tags"].items())),
            point["time"],
            # In JSON all numbers are floats, and the server writes whole ones without a decimal point.
            tuple(sorted(point["fields"].items())),
        )
        for point in sendable
    ]
    assert Counter(map(repr, map(_comparable, stored(influxd.url, database)))) == Counter(
        map(repr, map(_comparable, expected))
    )


def _comparable(point: tuple[Any, ...]) -> tuple[Any, ...]:
    """Convert all numbers to float: a field's type is in its name, and other tests query `SHOW FIELD KEYS`."""
    name, tags, time, fields = point
    return (
        name,
        tags,
        time,
        [
            (key, float(value) + 0.0 if key.endswith("f") else value if isinstance(value, str | bool) else int(value))
            for key, value in fields
        ],
    )


def test_types_times_and_precisions(influxd: Server, database: str) -> None:
    fields = {"f": 21.0, "i": 21, "s": "21", "b": True, "d": 0.1, "big": 1e22}
    data = [
        {"measurement": "m", "tags": {"t": "x"}, "fields": fields, "time": "2009-11-10T23:00:00.123456789Z"},
        {"measurement": "m", "tags": {"t": "y"}, "fields": {"f": 5e-324, "i": 2**63 - 1}, "time": -1},
    ]
    assert write(influxd.url, database, serialize(data)) == (204, "")
    query = urllib.parse.urlencode({"q": "SHOW FIELD KEYS; SELECT i, t FROM m", "db": database}).encode()
    keys, rows = json.loads(send(influxd.url, "/query", query)[1])["results"]
    assert dict(keys["series"][0]["values"]) == {
        "f": "float", "i": "integer", "s": "string", "b": "boolean", "d": "float", "big": "float",
    }  # fmt: skip
    # Without `epoch` the server formats times in the same way as `to_rfc3339`.
    assert rows["series"][0]["values"] == [
        [to_rfc3339(-1), 2**63 - 1, "y"],
        [to_rfc3339(1257894000123456789), 21, "x"],
    ]


@pytest.mark.parametrize(
    "line",
    [
        '#m v="a"',
        "\tm v=1",
        "\0m v=1",
        "m\\ v=1",
        "m,t=a\\ v=1",
        "m v\\=1",
        "m,t= v=1",
        "m,time=1 v=1",
        "m time=1",
        "m \tv=1",
        "m\\\\,a v=1",
        'm a\\"b=1',
        "m" * 65531 + " v=1",
        'm,a\\\\ b="x v=1 1\nn v=1',
    ],
)
def test_rejected_names_would_not_be_stored_correctly(influxd: Server, database: str, line: str) -> None:
    """Each line is the encoding that a rejected name would have."""
    meant = {
        '#m v="a"': "#m", "\tm v=1": "\tm", "\0m v=1": "\0m", "m\\ v=1": "m\\", "m\\\\,a v=1": "m\\,a",
    }  # fmt: skip
    status, _ = write(influxd.url, database, line.encode())
    points = stored(influxd.url, database)
    if status == 204:
        assert not any(point[0] == meant.get(line) for point in points)
        assert not any(key in {"\tv", 'a\\"b'} for point in points for key, _ in point[3])
    else:
        assert len(points) == 0


#: Fragments of lines, valid and invalid, as in the parser's tests.
FRAGMENTS = (
    ["\\", "\\\\", ",", " ", "=", '"', "a", "v", "1", "1i", "1.5", "-", "e", "+", ".", "i", "u", "t", "true", '"x"',
     "#", ' v="x y"', ",a=b", "\\ ", "\\,", "\\=", '\\"', "\t", "\0", "\r", "time", "=1", "01", "1_0", "nan", "null",
     "-0", " 1", "  ", "5u", "9223372036854775808i", "1e400"]
)  # fmt: skip
PLAIN = ["m,t=a v=1 1", 'm v="x" 2', 'm,a=b,c=d v=1i,w=2.5,s="q\\"z" 3', "m v=t,w=1e5"]


def _mutants(seed: int, count: int) -> list[str]:
    """Return lines with distinct measurements, so that they cannot conflict with each other."""
    chance = random.Random(seed)
    lines = []
    for number in range(count):
        parts = list(chance.choice(PLAIN)) if chance.random() < 0.7 else []
        for _ in range(chance.randint(1, 3 if parts else 9)):
            at = chance.randint(0, len(parts))
            parts[at : at + chance.randint(0, 1)] = [chance.choice(FRAGMENTS)]
        line = f"x{number}{''.join(parts)}"
        # With a backslash at the end of a body, InfluxDB 1.6 reads one byte too many.
        lines.append(line + " 1" if line.endswith("\\") else line)
    return lines


@pytest.mark.parametrize("seed", range(5))
def test_parser_agrees_with_the_server(influxd: Server, database: str, seed: int) -> None:
    accepted = []
    rejected = 0
    # One line per request, since an open quote would join two lines.
    for line in _mutants(seed, 400):
        status, error = write(influxd.url, database, line.encode())
        reason, points = _parsed(line)
        if reason is None:
            assert (status, error) == (204, ""), line
            accepted += points
        else:
            assert status == 400, line
            found = re.fullmatch(r"(?:partial write: |unable to parse '.*': )(.*?)(?: dropped=\d+)?", error, re.DOTALL)
            assert found is not None
            assert reason == found[1], line
            rejected += 1
    assert rejected > 20
    assert len(accepted) > 20
    checked = sum(_is_stored(influxd.url, database, point) for point in accepted)
    assert checked > 20


def _parsed(line: str) -> tuple[str | None, list[dict[str, Any]]]:
    try:
        return None, list(parse_lines(line))
    except SerializationError as error:
        return str(error).partition(": ")[2], []


def _is_stored(url: str, database: str, point: dict[str, Any]) -> bool:
    """Check that a point is stored as it was parsed, if a query can name and return it."""
    name, tags, fields = point["measurement"], point["tags"], point["fields"]
    # The server cannot find a name with a comma after two backslashes.
    if not name.isprintable() or "," in name or "" in fields or tags.keys() & fields or not all(tags.values()):
        return False
    ((_, got_tags, time, got_fields),) = stored(url, database, quote_identifier(name))
    assert dict(got_tags) == tags
    assert {key: _number(value) for key, value in got_fields} == {key: _number(value) for key, value in fields.items()}
    assert point["time"] in {time, None}
    return True


def _number(value: object) -> object:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
