"""Round trips: written output of `query` reads back with equal values, types and nanosecond timestamps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from influx_proto import QueryResult
from influx_requests import InfluxDBClient

from tests.cli.program import run
from tests.servers.influxd import Server, execute

SELECT_ALL = "SELECT * FROM /.*/ GROUP BY *"

TIME = 1_735_689_600_000_000_001
TEXTS = [
    "plain",
    "héllo 漢字 😀",
    'a "quote", a comma',
    "a\nline\r\nfeed",
    "a\rreturn",
    "back\\slash\\",
    "\ttab ",
    "007",
]
TAGS = ["a", "with space", "a,b=c", 'q"uote', "ü漢", "back\\slash"]
POINTS: list[dict[str, Any]] = [
    {
        "measurement": measurement,
        "tags": {"host": TAGS[n % len(TAGS)], "tag, key=": "x"} if n % 4 else {},
        "fields": {
            "text": TEXTS[n % len(TEXTS)],
            "float field": [1.0, -0.5, 1e16, 5e-324, 1.7976931348623157e308, 0.1, -2.0, 1e-7][n % 8],
            "int": [0, 2**63 - 1, -(2**63), 1, 2, 3, 4, 5][n % 8],
            **({"bool,=": n % 3 == 0} if n % 5 else {}),
        },
        "time": TIME + n * 60_000_000_001 - (10**18 if n == 7 else 4 * 10**18 if n == 8 else 0),
    }
    for n in range(24)
    for measurement in ("cpu", "mem, free")
]


@pytest.fixture
def copy(influxd: Server, database: str) -> Iterator[str]:
    """Return the name of another database."""
    name = f"{database}_copy"
    execute(influxd.url, f'CREATE DATABASE "{name}"')
    yield name
    execute(influxd.url, f'DROP DATABASE "{name}"')


def exact(result: QueryResult) -> str:
    """Return values with their types and the sign of zero."""
    return repr([(series.name, series.tags, series.columns, series.values) for series in result.series])


@pytest.mark.parametrize(
    ("file_format", "epoch"),
    [("lp", None), ("json", None), ("json", "us"), ("csv", None), ("csv", "ns"), ("csv", "us"), ("parquet", None)],
)
def test_round_trip(
    client: InfluxDBClient, env: dict[str, str], copy: str, tmp_path: Path, file_format: str, epoch: str | None
) -> None:
    points = POINTS if epoch != "us" else [{**point, "time": point["time"] // 1000 * 1000} for point in POINTS]
    client.write(points)
    file = tmp_path / f"data.{file_format}"
    given = [] if epoch is None else ["--epoch", epoch]
    run(env, "query", SELECT_ALL, "-o", file, *given)
    tags = ["--tag-columns", 'host,"tag, key="']
    options = {"csv": [*tags, "--types", "text=string"], "parquet": tags}
    precision = ["--precision", epoch] if epoch else []
    done = run(env, "write", file, "-d", copy, *options.get(file_format, []), *precision)
    assert done.stderr == f"{file}: 48 lines stored\n"
    before, after = client.query(SELECT_ALL), client.query(SELECT_ALL, db=copy)
    assert exact(before) == exact(after)
    assert len(list(after.points())) == 48
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("file_format", ["lp", "json", "csv"])
def test_through_a_pipe(client: InfluxDBClient, env: dict[str, str], copy: str, file_format: str) -> None:
    client.write('m,host=a v=1,n=2i,s="x",b=t 5\nm,host=b v=2 6')
    out = run(
        env, "query", "SELECT * FROM m", "-f", file_format, *(["--tag-columns", "host"] if file_format != "csv" else [])
    ).stdout
    options = ["--tag-columns", "host"] if file_format == "csv" else []
    run(env, "write", "-f", file_format, "-d", copy, *options, stdin=out)
    assert exact(client.query(SELECT_ALL)) == exact(client.query(SELECT_ALL, db=copy))


def test_null_texts_and_empty_cells_of_csv_are_missing_values(
    client: InfluxDBClient, env: dict[str, str], copy: str, tmp_path: Path
) -> None:
    client.write('m s="",t="x" 1\nm t="y" 2\nm s="NULL?",t="" 3')
    file = tmp_path / "data.csv"
    run(env, "query", "SELECT * FROM m", "-o", file, "--null", "NULL")
    assert file.read_text() == (
        "measurement,time,s,t\n"
        "m,1970-01-01T00:00:00.000000001Z,,x\n"
        "m,1970-01-01T00:00:00.000000002Z,NULL,y\n"
        "m,1970-01-01T00:00:00.000000003Z,NULL?,\n"
    )
    run(env, "write", file, "-d", copy, "--null", "NULL")
    [series] = client.query("SELECT s, t FROM m", db=copy).series
    assert series.values == [[1, None, "x"], [2, None, "y"], [3, "NULL?", None]]


def test_large_results_in_parts(client: InfluxDBClient, env: dict[str, str], copy: str, tmp_path: Path) -> None:
    """Some parts have a column without any value."""
    client.write(f"m,host={'ab'[n % 2]} v={n}i,late={n / 2} {n}" if n > 11_000 else f"m,host=c v={n}i {n}"
                 for n in range(12_000))  # fmt: skip
    for file_format in ("parquet", "csv", "lp", "json"):
        file = tmp_path / f"data.{file_format}"
        run(env, "query", "SELECT * FROM m GROUP BY *", "-o", file)
        client.query(f'DROP DATABASE "{copy}"; CREATE DATABASE "{copy}"')
        options = ["--tag-columns", "host"] if file_format in {"csv", "parquet"} else []
        assert "12,000 lines stored" in run(env, "write", file, "-d", copy, *options).stderr
        assert exact(client.query(SELECT_ALL)) == exact(client.query(SELECT_ALL, db=copy))
