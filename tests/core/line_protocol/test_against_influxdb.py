"""A real InfluxDB stores what we write, and we read what it reads."""

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
from influx_proto._line_protocol.scan import UNREACHABLE
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
#: Each field key ends in its type, so that no two points give one field different types.
FIELDS = st.lists(
    st.tuples(NAMES, st.sampled_from("sifb")).flatmap(
        lambda pair: st.tuples(st.just(pair[0] + pair[1]), VALUES[pair[1]])
    ),
    min_size=1,
    max_size=4,
).map(dict)
POINTS = st.fixed_dictionaries({
    "measurement": NAMES,
    # No tag is called like a field: a query shows them as one column.
    "tags": st.dictionaries(NAMES.map(lambda name: name + "t"), NAMES, max_size=4),
    "fields": FIELDS,
    "time": st.integers(-9223372036854775806, 9223372036854775806),
})

#: A batch of points for each run, all distinct: what one overwrites would not come back.
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
    status, answer = send(url, "/write", body, db=database, precision=precision)
    return status, json.loads(answer)["error"] if answer else ""


def stored(url: str, database: str, source: str = "/.*/") -> list[tuple[str, tuple[Any, ...], str, tuple[Any, ...]]]:
    """All points: measurement, tags, time and fields, the latter as text where that keeps what JSON would not."""
    query = urllib.parse.urlencode({"q": f"SELECT * FROM {source} GROUP BY *", "db": database, "epoch": "ns"}).encode()
    status, answer = send(url, "/query", query)
    assert status == 200
    points = []
    for series in json.loads(answer, parse_float=float)["results"][0].get("series", ()):
        tags = tuple(sorted((key, value) for key, value in (series.get("tags") or {}).items() if value))
        for time, *values in series["values"]:
            fields = zip(series["columns"][1:], values, strict=True)
            points.append((series["name"], tags, time, tuple(sorted((k, v) for k, v in fields if v is not None))))
    return points


def clear(url: str, database: str) -> None:
    for verb in ("DROP", "CREATE"):
        send(url, "/query", urllib.parse.urlencode({"q": f'{verb} DATABASE "{database}"'}).encode())


live = settings(
    deadline=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # each example costs the server a database
)


@live
@given(batch=BATCHES)
def test_what_is_written_is_stored(influxd: Server, database: str, batch: list[dict[str, Any]]) -> None:
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
            # JSON has no other numbers than floats that are whole, and the server writes these without a point.
            tuple(sorted(point["fields"].items())),
        )
        for point in sendable
    ]
    assert Counter(map(repr, map(_comparable, stored(influxd.url, database)))) == Counter(
        map(repr, map(_comparable, expected))
    )


def _comparable(point: tuple[Any, ...]) -> tuple[Any, ...]:
    """With all numbers alike: a field's type is in its name, and `SHOW FIELD KEYS` is asked elsewhere."""
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
    # Without `epoch` the server prints times itself, which is how `to_rfc3339` prints them.
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
def test_what_we_refuse_to_write_is_not_stored_as_it_was_meant(influxd: Server, database: str, line: str) -> None:
    """Each of these is how a name that is refused would look on the wire."""
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


#: As in the tests of parsing: pieces of lines, legal and not.
PIECES = (
    ["\\", "\\\\", ",", " ", "=", '"', "a", "v", "1", "1i", "1.5", "-", "e", "+", ".", "i", "u", "t", "true", '"x"',
     "#", ' v="x y"', ",a=b", "\\ ", "\\,", "\\=", '\\"', "\t", "\0", "\r", "time", "=1", "01", "1_0", "nan", "null",
     "-0", " 1", "  ", "5u", "9223372036854775808i", "1e400"]
)  # fmt: skip
PLAIN = ["m,t=a v=1 1", 'm v="x" 2', 'm,a=b,c=d v=1i,w=2.5,s="q\\"z" 3', "m v=t,w=1e5"]


#: How many lines are compared for each seed: more with `--hypothesis-profile random`, and other ones each time.
COUNT, SALT = (400, 0) if settings.default is None or settings.default.derandomize else (4000, random.getrandbits(64))


#: Lines that were once read in another way, or rejected for another reason.
FOUND = [
    'x1000000,a=b v=1i,w=2.5,v="q" 3',
    "x1000001 v=t,v=1e5",
    "x1000002,time=1 v=1i,v=2",
    'x1000003 time=1,time="x"',
    'x1000004\\\\,t= .9223372036854775808i\0="01",\\\\=" v="x y"\t9223372036854775808i" 1',
]


def _mutants(seed: int, count: int) -> list[str]:
    """Lines with distinct measurements, so that they cannot conflict with each other."""
    chance = random.Random(seed + SALT)
    lines = []
    for number in range(count):
        if chance.random() < 0.3:
            parts = [_odd_line(chance)]
        else:
            parts = list(chance.choice(PLAIN)) if chance.random() < 0.7 else []
            for _ in range(chance.randint(1, 3 if parts else 9)):
                at = chance.randint(0, len(parts))
                parts[at : at + chance.randint(0, 1)] = [chance.choice(PIECES)]
        line = f"x{number}{''.join(parts)}"
        # At the end of a body a backslash makes InfluxDB 1.6 read a byte that is not there.
        lines.append(line + " 1" if line.endswith("\\") else line)
    return lines


def _odd_line(chance: random.Random) -> str:
    """A line with all its parts, any of which may have any characters."""

    def text(length: int = 4) -> str:
        return "".join(chance.choices(PIECES, k=chance.randint(0, length)))

    tags = f",{text()}={text()}" if chance.random() < 0.5 else ""
    value = chance.choice(["1", '"x"', "1i", "t", f'"{text()}"', text()])
    more = f',{text()}="{text()}"' if chance.random() < 0.4 else ""
    return f"{text()}{tags} {text()}={value}{more} {chance.choice(['1', '', text(2)])}"


@pytest.mark.parametrize("seed", range(5))
def test_we_read_what_the_server_reads_and_refuse_what_it_refuses(influxd: Server, database: str, seed: int) -> None:
    accepted: list[dict[str, Any]] = []
    unreachable = []
    refused = 0
    # One by one: two in one body could run into each other, where quotes are open at the end of the first.
    for line in (*FOUND, *_mutants(seed, COUNT)):
        reason, points = _parsed(line)
        if reason == "unbalanced quotes" and "\\=" in line:
            continue  # some of these lines end the server's process
        status, error = write(influxd.url, database, line.encode())
        if reason is None:
            assert (status, error) == (204, ""), line
            accepted += points
        elif status == 204:
            # A string that is not closed makes the server panic, or is stored without its last character.
            assert reason in {UNREACHABLE, "unbalanced quotes"}, line
            unreachable += [line] if reason == UNREACHABLE else []
        else:
            assert status in {400, 500}, line
            found = re.fullmatch(
                r"(?:partial write: |unable to parse '.*': |engine: )?(.*?)(?: dropped=\d+)?", error, re.DOTALL
            )
            assert found is not None, line
            # The first conflict in a database may come without details.
            is_brief = found[1] == "field type conflict" and reason.startswith(f"{found[1]}: ")
            assert status == 500 or reason == found[1] or is_brief, line
            refused += 1
    assert refused > 20
    assert len(accepted) > 20
    assert _check_stored(influxd.url, database, accepted) > 20
    numbers = {re.match(r"x\d+", line)[0] for line in unreachable}  # type: ignore[index]  # it matches
    names = {re.match(r"x\d*", name)[0] for name, *_ in stored(influxd.url, database) if name[0] == "x"}  # type: ignore[index]  # it matches
    assert not numbers & names


@pytest.mark.parametrize("line", ["x\\\\= v=1", 'x\\\\" v=1', "x\\\\, v=1", "x\\\\\\  v=1", "x\\\\,=,t=a v=1"])
def test_points_that_no_query_finds_are_rejected(influxd: Server, database: str, line: str) -> None:
    assert write(influxd.url, database, line.encode()) == (204, "")
    assert stored(influxd.url, database) == []
    assert _parsed(line) == (UNREACHABLE, [])


def _parsed(line: str) -> tuple[str | None, list[dict[str, Any]]]:
    try:
        return None, list(parse_lines(line))
    except SerializationError as refusal:
        return str(refusal).partition(": ")[2], []


def _check_stored(url: str, database: str, points: list[dict[str, Any]]) -> int:
    """Check that points are stored as they were read here; return how many of them a query can name and show."""
    shown = [
        point
        for point in points
        if point["measurement"].isprintable()
        and "" not in point["fields"]
        and not point["tags"].keys() & point["fields"]
        and all(point["tags"].values())
    ]
    for first in range(0, len(shown), 100):
        some = shown[first : first + 100]
        q = "; ".join(f"SELECT * FROM {quote_identifier(point['measurement'])} GROUP BY *" for point in some)
        status, answer = send(url, "/query", urllib.parse.urlencode({"q": q, "db": database, "epoch": "ns"}).encode())
        assert status == 200
        for point, result in zip(some, json.loads(answer)["results"], strict=True):
            [series] = result.get("series", [{}])
            assert series, point
            assert {key: value for key, value in series.get("tags", {}).items() if value} == point["tags"]
            [[time, *values]] = series["values"]
            fields = dict(zip(series["columns"][1:], map(_number, values), strict=True))
            assert fields == {key: _number(value) for key, value in point["fields"].items()}
            assert point["time"] in {time, None}
    return len(shown)


def _number(value: object) -> object:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
