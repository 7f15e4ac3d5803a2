"""The examples that carry over what others have: standard input, and files."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pyarrow as pa  # type: ignore[import-untyped]  # it has no types
import pyarrow.parquet as pq  # type: ignore[import-untyped]  # see above

from tests.examples.programs import running, started
from tests.servers.influxd import Server, execute

if TYPE_CHECKING:
    from pathlib import Path


def values(server: Server, database: str, query: str) -> list[object]:
    """The values of the last column of a query."""
    series = execute(server.url, query.replace("..", f'"{database}"..'))["results"][0].get("series", [])
    return [row[-1] for one in series for row in one["values"]]


def test_tail_stdin_stores_lines_as_they_come(influxd: Server, database: str, tmp_path: Path) -> None:
    with started("tail_stdin", url=influxd.url, database=database, folder=tmp_path) as program:
        program.send("m v=1 1\nm v=2 2\nm v=")
        program.until(lambda: values(influxd, database, "SELECT v FROM ..m") == [1, 2])
        program.send("3 3\nm v=4")
        program.until(lambda: len(values(influxd, database, "SELECT v FROM ..m")) == 3)
        program.close()
        program.end()
    assert values(influxd, database, "SELECT v FROM ..m") == [1, 2, 3, 4]
    assert "4 lines stored, 0 rejected" in program.err


def test_tail_stdin_tells_what_is_refused(influxd: Server, database: str, tmp_path: Path) -> None:
    with started("tail_stdin", url=influxd.url, database=database, folder=tmp_path) as program:
        program.send("".join(f"m v={n} {n}\n" for n in range(20_000)))
        program.send('m v="text" 20000\nthis is wrong\n\n# a comment\nm v=20001 20001\n')
        program.close()
        program.end(status=1)
    assert 'rejected: m v="text" 20000' in program.err
    assert "rejected: this is wrong" in program.err
    assert "20001 lines stored, 2 rejected" in program.err
    assert values(influxd, database, "SELECT count(v) FROM ..m") == [20_001]


def test_tail_stdin_gives_back_what_it_could_not_deliver(influxd: Server, database: str, tmp_path: Path) -> None:
    """And does not wait for the end of its input where it is asked to end."""
    with started("tail_stdin", "--max-delay", "0", url=influxd.url, database=database, folder=tmp_path) as program:
        program.send("m v=1 1\n")
        program.until(lambda: values(influxd, database, "SELECT v FROM ..m"))
        execute(influxd.url, f'DROP DATABASE "{database}"')
        program.send("m v=2 2\n")
        program.until(lambda: "database not found" in program.err)
        program.send("m v=3 3\n")
        printed = program.end(signal.SIGTERM, status=1)
    assert printed.splitlines()[0] == "m v=2 2"


def test_tail_stdin_in_milliseconds(influxd: Server, database: str, tmp_path: Path) -> None:
    given = ["--precision", "ms", "--max-lines", "1"]
    with running("tail_stdin", given, url=influxd.url, database=database, folder=tmp_path) as program:
        program.send("m v=1 1\n\nm v=2 1714557600000")
        program.close()
        program.end()
    series = execute(influxd.url, f'SELECT v FROM "{database}"..m')["results"][0]["series"]
    assert series[0]["values"] == [[10**6, 1], [1_714_557_600 * 10**9, 2]]


def test_import_file_of_csv(influxd: Server, database: str, tmp_path: Path) -> None:
    """Of a file with all that its first rows would not have told."""
    (tmp_path / "trips.csv").write_text(
        "started,vehicle,fare,note\n"
        "2024-05-01T10:00:00Z,007,12,\n"
        '2024-05-01T10:00:00.000000001Z,008,12.5,"NA, two"\n'
        "2024-05-01T10:00:01Z,,,x\n"
    )
    with started("import_file", url=influxd.url, database=database, folder=tmp_path) as program:
        assert "3 points of trips.csv" in program.end()
    [found] = execute(influxd.url, f'SELECT vehicle, fare, note FROM "{database}"..trip')["results"][0]["series"]
    midnight = 1_714_557_600 * 10**9
    assert found["values"] == [
        [midnight, "007", 12, None],
        [midnight + 1, "008", 12.5, "NA, two"],
        [midnight + 10**9, None, None, "x"],
    ]
    types = execute(influxd.url, f'SHOW FIELD KEYS ON "{database}"')["results"][0]["series"][0]["values"]
    assert types == [["fare", "float"], ["note", "string"]]


def test_import_file_says_what_is_wrong(influxd: Server, database: str, tmp_path: Path) -> None:
    (tmp_path / "trips.csv").write_text("when,vehicle,fare\n1,a,2\n")
    with started("import_file", url=influxd.url, database=database, folder=tmp_path) as program:
        program.end(status=1)
    assert "trips.csv: measurement 'trip': there is no column 'time' among 'when', 'vehicle', 'fare'" in program.err


def test_import_file_tells_which_row_is_wrong(influxd: Server, database: str, tmp_path: Path) -> None:
    rows = [{"time": n, "load": float(n)} for n in range(12_000)]
    rows[11_000]["load"] = float("inf")
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "cpu.parquet")
    with running("import_file", ["cpu.parquet"], url=influxd.url, database=database, folder=tmp_path) as program:
        program.end(status=1)
    assert "row 11000" in program.err


def test_import_file_of_parquet(influxd: Server, database: str, tmp_path: Path) -> None:
    count = 30_000
    table = pa.table({"ms": range(count), "host": ["a", "b"] * (count // 2), "load": range(count)})
    pq.write_table(table, tmp_path / "cpu.parquet")
    given = ["cpu.parquet", "--time", "ms", "--precision", "ms", "--tag", "host", "--type", "load=float"]
    with running("import_file", given, url=influxd.url, database=database, folder=tmp_path) as program:
        assert f"{count} points of cpu.parquet stored in {database} as cpu." in program.end()
    assert "100%" in program.err
    assert values(influxd, database, "SELECT sum(load) FROM ..cpu GROUP BY host") == [
        sum(range(0, count, 2)),
        sum(range(1, count, 2)),
    ]
    assert values(influxd, database, "SELECT last(load) FROM ..cpu") == [count - 1]


def test_import_file_in_little_memory(influxd: Server, database: str, tmp_path: Path) -> None:
    """It is about the same for 20 MB of text and for 120, which are as many of line protocol again."""
    peaks: list[int] = []
    for count in (20_000, 120_000):
        path = tmp_path / f"{count}.csv"
        path.write_text("time,text\n" + "".join(f"{n},{n:01000}\n" for n in range(count)))
        given = [str(path), "--measurement", "log", "--type", "text=string"]
        with running("import_file", given, url=influxd.url, database=database, folder=tmp_path) as program:
            peak = 0
            while program.process.poll() is None:
                peak = program.peak() or peak
                time.sleep(0.01)
            assert f"{count} points" in program.end()
        peaks.append(peak)
    assert values(influxd, database, "SELECT count(text) FROM ..log") == [120_000]
    assert peaks[1] - peaks[0] < 50 * 2**20, peaks
