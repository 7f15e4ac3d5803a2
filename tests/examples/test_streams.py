"""Examples that transfer existing data: standard input and files."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pyarrow as pa  # type: ignore[import-untyped]  # no type hints
import pyarrow.parquet as pq  # type: ignore[import-untyped]  # no type hints

from tests.examples.programs import run_command, start_example
from tests.servers.influxd import Server, execute

if TYPE_CHECKING:
    from pathlib import Path


def values(server: Server, database: str, query: str) -> list[object]:
    """Return the values of the last column of a query."""
    series = execute(server.url, query.replace("..", f'"{database}"..'))["results"][0].get("series", [])
    return [row[-1] for one in series for row in one["values"]]


def test_tail_stdin_stores_lines_on_arrival(influxd: Server, database: str, tmp_path: Path) -> None:
    with start_example("tail_stdin", url=influxd.url, database=database, folder=tmp_path) as program:
        program.send("m v=1 1\nm v=2 2\nm v=")
        program.wait_until(lambda: values(influxd, database, "SELECT v FROM ..m") == [1, 2])
        program.send("3 3\nm v=4")
        program.wait_until(lambda: len(values(influxd, database, "SELECT v FROM ..m")) == 3)
        program.close()
        program.wait_for_exit()
    assert values(influxd, database, "SELECT v FROM ..m") == [1, 2, 3, 4]
    assert "4 lines stored, 0 rejected" in program.err


def test_tail_stdin_reports_rejected_lines(influxd: Server, database: str, tmp_path: Path) -> None:
    with start_example("tail_stdin", url=influxd.url, database=database, folder=tmp_path) as program:
        program.send("".join(f"m v={n} {n}\n" for n in range(20_000)))
        program.send('m v="text" 20000\nthis is wrong\n\n# a comment\nm v=20001 20001\n')
        program.close()
        program.wait_for_exit(status=1)
    assert 'rejected: m v="text" 20000' in program.err
    assert "rejected: this is wrong" in program.err
    assert "20001 lines stored, 2 rejected" in program.err
    assert values(influxd, database, "SELECT count(v) FROM ..m") == [20_001]


def test_tail_stdin_prints_undelivered_lines(influxd: Server, database: str, tmp_path: Path) -> None:
    """On a signal it exits without waiting for the end of its input."""
    with start_example(
        "tail_stdin", "--max-delay", "0", url=influxd.url, database=database, folder=tmp_path
    ) as program:
        program.send("m v=1 1\n")
        program.wait_until(lambda: values(influxd, database, "SELECT v FROM ..m"))
        execute(influxd.url, f'DROP DATABASE "{database}"')
        program.send("m v=2 2\n")
        program.wait_until(lambda: "database not found" in program.err)
        program.send("m v=3 3\n")
        printed = program.wait_for_exit(signal.SIGTERM, status=1)
    assert printed.splitlines()[0] == "m v=2 2"


def test_tail_stdin_in_milliseconds(influxd: Server, database: str, tmp_path: Path) -> None:
    given = ["--precision", "ms", "--max-lines", "1"]
    with run_command("tail_stdin", given, url=influxd.url, database=database, folder=tmp_path) as program:
        program.send("m v=1 1\n\nm v=2 1714557600000")
        program.close()
        program.wait_for_exit()
    series = execute(influxd.url, f'SELECT v FROM "{database}"..m')["results"][0]["series"]
    assert series[0]["values"] == [[10**6, 1], [1_714_557_600 * 10**9, 2]]


def test_import_file_of_csv(influxd: Server, database: str, tmp_path: Path) -> None:
    """The first rows do not show all types of the file."""
    (tmp_path / "trips.csv").write_text(
        "started,vehicle,fare,note\n"
        "2024-05-01T10:00:00Z,007,12,\n"
        '2024-05-01T10:00:00.000000001Z,008,12.5,"NA, two"\n'
        "2024-05-01T10:00:01Z,,,x\n"
    )
    with start_example("import_file", url=influxd.url, database=database, folder=tmp_path) as program:
        assert "3 points of trips.csv" in program.wait_for_exit()
    [found] = execute(influxd.url, f'SELECT vehicle, fare, note FROM "{database}"..trip')["results"][0]["series"]
    midnight = 1_714_557_600 * 10**9
    assert found["values"] == [
        [midnight, "007", 12, None],
        [midnight + 1, "008", 12.5, "NA, two"],
        [midnight + 10**9, None, None, "x"],
    ]
    types = execute(influxd.url, f'SHOW FIELD KEYS ON "{database}"')["results"][0]["series"][0]["values"]
    assert types == [["fare", "float"], ["note", "string"]]


def test_import_file_reports_wrong_arguments(influxd: Server, database: str, tmp_path: Path) -> None:
    (tmp_path / "trips.csv").write_text("when,vehicle,fare\n1,a,2\n")
    with start_example("import_file", url=influxd.url, database=database, folder=tmp_path) as program:
        program.wait_for_exit(status=1)
    reason = "missing time column 'started'; the columns are 'when', 'vehicle', 'fare'"
    assert f"trips.csv: measurement 'trip': {reason}" in program.err


def test_import_file_reports_the_wrong_row(influxd: Server, database: str, tmp_path: Path) -> None:
    rows = [{"time": n, "load": float(n)} for n in range(12_000)]
    rows[11_000]["load"] = float("inf")
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "cpu.parquet")
    with run_command("import_file", ["cpu.parquet"], url=influxd.url, database=database, folder=tmp_path) as program:
        program.wait_for_exit(status=1)
    assert "row 11000" in program.err


def test_import_file_of_parquet(influxd: Server, database: str, tmp_path: Path) -> None:
    count = 30_000
    table = pa.table({"ms": range(count), "host": ["a", "b"] * (count // 2), "load": range(count)})
    pq.write_table(table, tmp_path / "cpu.parquet")
    given = ["cpu.parquet", "--time", "ms", "--precision", "ms", "--tag", "host", "--type", "load=float"]
    with run_command("import_file", given, url=influxd.url, database=database, folder=tmp_path) as program:
        assert f"{count} points of cpu.parquet stored in {database} as cpu." in program.wait_for_exit()
    assert "100%" in program.err
    assert values(influxd, database, "SELECT sum(load) FROM ..cpu GROUP BY host") == [
        sum(range(0, count, 2)),
        sum(range(1, count, 2)),
    ]
    assert values(influxd, database, "SELECT last(load) FROM ..cpu") == [count - 1]


def test_import_file_in_little_memory(influxd: Server, database: str, tmp_path: Path) -> None:
    """Memory use is about the same for 20 MB and 120 MB of text, which produce as much line protocol."""
    peaks: list[int] = []
    for count in (20_000, 120_000):
        path = tmp_path / f"{count}.csv"
        path.write_text("time,text\n" + "".join(f"{n},{n:01000}\n" for n in range(count)))
        given = [str(path), "--measurement", "log", "--type", "text=string"]
        with run_command("import_file", given, url=influxd.url, database=database, folder=tmp_path) as program:
            peak_memory = 0
            while program.process.poll() is None:
                peak_memory = program.peak_memory() or peak_memory
                time.sleep(0.01)
            assert f"{count} points" in program.wait_for_exit()
        peaks.append(peak_memory)
    assert values(influxd, database, "SELECT count(text) FROM ..log") == [120_000]
    assert peaks[1] - peaks[0] < 50 * 2**20, peaks
