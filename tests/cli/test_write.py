"""The `write` command: input formats, type inference, and errors before any data is sent."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]  # no type hints
import pyarrow.parquet as pq  # type: ignore[import-untyped]  # no type hints
import pytest
from influx_requests import InfluxDBClient
from influx_requests._cli import main

from tests.cli.program import PROGRAM, run


@pytest.fixture
def here(env: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return a new working directory, with the environment set for in-process calls."""
    for name in ("INFLUXDB_URL", "INFLUXDB_DATABASE"):
        monkeypatch.setenv(name, env[name])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rows(client: InfluxDBClient, q: str = "SELECT * FROM m") -> list[dict[str, Any]]:
    return list(client.query(q).points())


def test_types_of_csv_columns(here: Path, client: InfluxDBClient) -> None:
    (here / "m.csv").write_text(
        "\ufefftime,host,int,float,mixed,bool,text,none,code\r\n"
        "2017-07-14T02:40:00.000000001Z,a,5,1.5,1,true,x,,007\r\n"
        '1,b,-6,1e3,2.5,FALSE,"a\nb",,+8\r\n'
        "\r\n"
        "2,,,,,,z,,\r\n"
    )
    assert main(["write", "m.csv", "--measurement", "m", "--tag-columns", "host"]) == 0
    none = {"float": None, "int": None, "mixed": None, "bool": None, "code": None}
    assert rows(client) == [
        {"time": 1, "bool": False, "code": "+8", "float": 1000.0, "host": "b", "int": -6, "mixed": 2.5, "text": "a\nb"},
        {"time": 2, "host": None, "text": "z", **none},
        {"time": 1500000000000000001, "bool": True, "code": "007", "float": 1.5, "host": "a", "int": 5, "mixed": 1.0,
         "text": "x"},
    ]  # fmt: skip
    assert repr([row["int"] for row in rows(client)]) == "[-6, None, 5]"
    assert repr([row["mixed"] for row in rows(client)]) == "[2.5, None, 1.0]"


def test_requested_types(here: Path, client: InfluxDBClient) -> None:
    (here / "m.csv").write_text("t,measurement,a,b,c,d\n1,m,1,+007,17,true\n2,m,2,8,n/a,NONE\n3,m,,9,x,false\n")
    command = ["write", "m.csv", "--time-column", "t", "--precision", "s", "--null", "NONE"]
    assert main([*command, "--types", "a=float,b=int,c=string,d=bool"]) == 0
    assert repr(rows(client)) == repr([
        {"time": 10**9, "a": 1.0, "b": 7, "c": "17", "d": True},
        {"time": 2 * 10**9, "a": 2.0, "b": 8, "c": "n/a", "d": None},
        {"time": 3 * 10**9, "a": None, "b": 9, "c": "x", "d": False},
    ])


@pytest.mark.parametrize(
    ("text", "options", "code", "expected"),
    [
        (
            "time,v\n1,5\n2,n/a\n",
            "",
            1,
            "m.csv:3: column 'v': 'n/a' is text, but '5' in line 2 is a number; pass --types v=str",
        ),
        ("time,v\n1,x\n2,5\n", "", 1, "m.csv:3: column 'v': '5' is a number, but 'x' in line 2 is text"),
        ("time,v\n1,true\n2,1\n", "", 1, "m.csv:3: column 'v': '1' is a number, but 'true' in line 2 is a boolean"),
        ("time,v\n1,1\n2,1.5\n3,007\n", "", 1, "m.csv:4: column 'v': '007' is text, but '1' in line 2 is a number"),
        ("time,v\n1,9223372036854775808\n", "", 1, "m.csv:2: column 'v': '9223372036854775808' exceeds 64 bits"),
        (
            "time,v\n1,9007199254740993\n2,1.5\n",
            "",
            1,
            "m.csv:2: column 'v': 9007199254740993 cannot be represented as a float",
        ),
        ("time,v\n1,1.5\n", "--types v=int", 1, "m.csv:2: column 'v': '1.5' cannot be written as integer"),
        ("time,v\n1,1_0\n", "--types v=int", 1, "m.csv:2: column 'v': '1_0' cannot be written as integer"),
        ("time,v\n1,nan\n", "--types v=float", 1, "m.csv:2: column 'v': 'nan' cannot be written as float"),
        ("time,v\n1,1e999\n", "", 1, "m.csv:2: measurement 'm', field 'v': "),
        ("time,v\n1,yes\n", "--types v=bool", 1, "m.csv:2: column 'v': 'yes' cannot be written as boolean"),
        ("time,v\n1,1\n", "--types w=bool", 2, "field 'w' not found; the columns are time, v"),
        ("time,v\n1,1\n", "--tag-columns host", 2, "column 'host' not found in time, v; pass --tag-columns"),
        ("ts,v\n1,1\n", "", 2, "column 'time' not found in ts, v; pass --time-column"),
        ("time,v\n,1\n", "", 1, "m.csv:2: column 'time': the timestamp is missing"),
        ("time,v\n1,1\nnever,1\n", "", 1, "m.csv:3: measurement 'm'"),
        ("time,v\n1\n", "", 1, "m.csv:2: 1 cell, but the header has 2"),
        ("time,v,v\n1,1,1\n", "", 1, "m.csv:1: column 3 is a second 'v'"),
        ("time,,v\n1,1,1\n", "", 1, "m.csv:1: column 2 has no name"),
        ("", "", 1, "m.csv: the file is empty"),
        ('time,v\n1,"x\n', "", 1, "malformed CSV"),
        ("time,v\n1,\udcff\n", "", 1, "not UTF-8"),
    ],
)
def test_invalid_csv(
    here: Path,
    client: InfluxDBClient,
    capsys: pytest.CaptureFixture[str],
    text: str,
    options: str,
    code: int,
    expected: str,
) -> None:
    (here / "m.csv").write_bytes(text.encode(errors="surrogateescape"))
    assert main(["write", "m.csv", "--measurement", "m", *options.split()]) == code
    messages = capsys.readouterr().err
    assert expected in messages
    assert messages.count("\n") == 1
    assert rows(client) == []


def test_all_files_are_checked_before_any_data_is_sent(here: Path, client: InfluxDBClient) -> None:
    (here / "good.lp").write_text("m v=1 1")
    (here / "bad.csv").write_text("time,v\n1,5\n2,x\n")
    # --measurement does not apply to line protocol.
    assert main(["write", "good.lp", "bad.csv", "--measurement", "m"]) == 2
    assert main(["write", "good.lp", "bad.csv"]) == 2
    assert main(["write", "good.lp", "missing.lp"]) == 2
    assert rows(client) == []


def test_csv_from_standard_input(env: dict[str, str], client: InfluxDBClient) -> None:
    done = run(env, "write", "-f", "csv", "--measurement", "m", "-", stdin="time,v\n1,5\n")
    assert done.stderr == "<stdin>: 1 line stored\n"
    assert rows(client) == [{"time": 1, "v": 5}]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{", "m.json:2: invalid JSON"),
        ("[]", "m.json:2: expected a point"),
        ('{"measurement": "m", "fields": {"v": NaN}}', "m.json:2: invalid JSON: NaN"),
        ('{"measurement": "m", "fields": {"v": []}}', "m.json:2: measurement 'm', field 'v': unsupported field type"),
        ('{"fields": {"v": 1}}', "m.json:2: "),
    ],
)
def test_invalid_json(
    here: Path, client: InfluxDBClient, capsys: pytest.CaptureFixture[str], text: str, expected: str
) -> None:
    """The error names the line, and the chunk of that line is not sent."""
    (here / "m.json").write_text('{"measurement": "m", "fields": {"v": 1}, "time": 1}\n' + text)
    assert main(["write", "m.json"]) == 1
    assert expected in capsys.readouterr().err
    assert rows(client) == []


def test_json_points_without_a_measurement(here: Path, client: InfluxDBClient) -> None:
    points = [{"fields": {"v": 1}, "time": 1, "tags": {"a": "b"}}, {"fields": {"v": None}}, {"fields": {}}]
    (here / "m.json").write_text("\n\n".join(map(json.dumps, points)))
    assert main(["write", "m.json", "--measurement", "m", "--precision", "s"]) == 0
    assert rows(client) == [{"time": 10**9, "a": "b", "v": 1}]


def test_parquet_with_timestamps(here: Path, client: InfluxDBClient, capsys: pytest.CaptureFixture[str]) -> None:
    table = pa.table({
        "when": pa.array([1, 2, 3], pa.timestamp("ms")),
        "host": pa.array(["a", None, "b"]).dictionary_encode(),
        "v": pa.array([0.1, 0.2, None], pa.float32()),
    })
    pq.write_table(table, here / "m.parquet")
    command = ["write", "m.parquet", "--measurement", "m", "--tag-columns", "host"]
    assert main(command) == 2
    assert "column 'time' not found" in capsys.readouterr().err
    assert main([*command, "--time-column", "when"]) == 0
    assert rows(client) == [{"time": 10**6, "host": "a", "v": 0.1}, {"time": 2 * 10**6, "host": None, "v": 0.2}]
    pq.write_table(table.drop_columns(["when"]).append_column("time", pa.array([1, None, 3])), here / "m.parquet")
    assert main([*command]) == 1
    assert "row 2: measurement 'm': a row has no timestamp" in capsys.readouterr().err
    invalid = pa.array([b"a", b"\xff", b"c"], pa.binary())
    texts = pa.Array.from_buffers(pa.string(), 3, invalid.buffers())
    for column in ("host", "measurement"):
        pq.write_table(pa.table({"time": [1, 2, 3], column: texts, "v": [1, 2, 3]}), here / "m.parquet")
        tags = ["--measurement", "m", "--tag-columns", "host"] if column == "host" else []
        assert main(["write", "m.parquet", *tags]) == 1
        error = capsys.readouterr().err
        assert "m.parquet: row 2: " in error
        assert "b'\\xff' is not valid UTF-8" in error
    (here / "m.parquet").write_bytes(b"x")
    assert main([*command]) == 1
    assert "not a Parquet file" in capsys.readouterr().err


BAD = 'm v=1 1\nm s="a\nb" 2\nm v=x 3\n# c\nm v=5i 4\nm v=6 5\nm v=7x 6\n'


def test_rejected_lines_are_reported_with_their_line_numbers(
    env: dict[str, str], client: InfluxDBClient, tmp_path: Path
) -> None:
    (tmp_path / "m.lp").write_text(BAD)
    done = run({**env, "LANG": "C"}, "write", tmp_path / "m.lp", code=1)
    *messages, last = done.stderr.replace(str(tmp_path) + "/", "").splitlines()
    assert [line.split(": ")[0] for line in messages] == ["m.lp:4", "m.lp:6", "m.lp:8"]
    assert "invalid boolean" in messages[0]
    assert "field type conflict" in messages[1]
    assert last == "m.lp: 3 lines stored, 3 rejected"
    assert len(rows(client)) == 3
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("other", ["m.lp", "./m.lp", "link.lp"])
def test_rejected_lines_do_not_overwrite_an_input_file(
    here: Path, capsys: pytest.CaptureFixture[str], other: str
) -> None:
    (here / "m.lp").write_text(BAD)
    (here / "link.lp").symlink_to(here / "m.lp")
    assert main(["write", "m.lp", "--rejected", other]) == 2
    assert "is also an input file" in capsys.readouterr().err
    assert (here / "m.lp").read_text() == BAD


def test_rejected_lines_do_not_overwrite_standard_input(env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "m.lp").write_text(BAD)
    with (tmp_path / "m.lp").open() as file:
        done = subprocess.run(
            [PROGRAM, "write", "-", "--rejected", tmp_path / "m.lp"],
            env=env,
            stdin=file,
            capture_output=True,
            check=False,
        )
    assert done.returncode == 2
    assert (tmp_path / "m.lp").read_text() == BAD


def test_rejected_lines_if_the_disk_is_full(env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "m.lp").write_text("".join(f"m v=x {n}\nm v=1 {n}\n" for n in range(30)))
    done = run(env, "write", tmp_path / "m.lp", "--rejected", "/dev/full", code=1)
    lines = done.stderr.splitlines()
    assert lines[1:60:2] == [f"m v=x {n}" for n in range(30)]
    assert lines[0].startswith(f"# {tmp_path / 'm.lp'}:1: ")
    assert "30 lines stored, 30 rejected" in lines[60]
    assert "cannot write /dev/full: No space left on device; the rejected lines that it lacks" in lines[61]


def test_byte_order_mark_is_skipped(here: Path, client: InfluxDBClient, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "m.lp").write_text("m v=1 1\nm v=x 2\n", encoding="utf-8-sig")
    (here / "m.json").write_text('{"measurement": "m", "fields": {"v": 3}, "time": 3}\n', encoding="utf-8-sig")
    (here / "q").write_text("SELECT v FROM m", encoding="utf-8-sig")
    assert main(["write", "m.lp"]) == 1
    assert "m.lp:2: " in capsys.readouterr().err
    assert main(["write", "m.json"]) == 1  # an integer, but the field is a float
    assert "m.json:1: " in capsys.readouterr().err
    assert main(["query", "--file", "q", "--epoch", "ns", "-f", "csv"]) == 0
    assert capsys.readouterr().out == "measurement,time,v\nm,1,1.0\n"
    assert main(["lint", "m.lp"]) == 1  # the server does not skip it
    assert "m.lp: begins with a byte order mark" in capsys.readouterr().err


@pytest.mark.parametrize("file_format", ["csv", "json", "parquet"])
def test_rejected_lines_of_other_formats(
    here: Path, client: InfluxDBClient, capsys: pytest.CaptureFixture[str], file_format: str
) -> None:
    client.write("m v=1.5 1")
    points = [{"measurement": "m", "tags": {}, "fields": {f"w{n}" if n % 2 else "v": n}, "time": n} for n in range(5)]
    if file_format == "json":
        (here / "m.json").write_text("\n".join(map(json.dumps, points)))
    elif file_format == "csv":
        (here / "m.csv").write_text("time,v,w1,w3\n0,0,,\n1,,1,\n2,2,,\n3,,,3\n4,4,,\n")
    else:
        pq.write_table(pa.table({"time": range(5), "v": [0, None, 2, None, 4], "w1": [None, 1, None, 3, None]}),
                       here / "m.parquet")  # fmt: skip
    options = ["--measurement", "m"] if file_format != "json" else []
    assert main(["write", f"m.{file_format}", *options, "--rejected", "bad.lp"]) == 1
    first = 2 if file_format == "csv" else 1
    messages = (here / "bad.lp").read_text().splitlines()
    assert [line.split(": ")[0] for line in messages[::2]] == [f"# m.{file_format}:{first + n}" for n in (0, 2, 4)]
    assert messages[1::2] == ["m v=0i 0", "m v=2i 2", "m v=4i 4"]
    assert "2 lines stored, 3 rejected" in capsys.readouterr().err


def test_reported_rejected_lines_are_limited(env: dict[str, str]) -> None:
    done = run(env, "write", "-", stdin="".join(f"m v=x {n}\n" for n in range(50)), code=1)
    assert len(done.stderr.splitlines()) == 22
    assert done.stderr.endswith("more lines were rejected; pass --rejected FILE to collect them\n"
                                "<stdin>: 0 lines stored, 50 rejected\n")  # fmt: skip


def test_rejected_lines_that_end_in_crlf(env: dict[str, str]) -> None:
    hint = r"; it ends in CRLF: convert the file first, for example with `sed 's/\r$//'`"
    assert run(env, "write", stdin="m v=1 1\r\n", code=1).stderr.startswith(f"<stdin>:1: bad timestamp{hint}\n")
    assert run(env, "lint", stdin="m v=1 1\r\n", code=1).stdout.startswith(f"<stdin>:1:7: bad timestamp{hint}\n")


def test_lines_without_a_timestamp_are_stamped_by_the_client(env: dict[str, str], client: InfluxDBClient) -> None:
    run(env, "write", stdin="m v=1\nm v=2\n")
    assert [row["v"] for row in rows(client)] == [1, 2]
    done = run(env, "write", stdin="m v=1\nm v=x\n", code=1)
    assert done.stderr.startswith("<stdin>:2: ")


def test_precision_and_retention_policy(env: dict[str, str], client: InfluxDBClient) -> None:
    client.create_retention_policy("other", client.db or "", duration="INF")
    run(env, "write", "--precision", "s", "--rp", "other", stdin="m v=1 5")
    assert (
        run(env, "query", "SELECT * FROM m", "--rp", "other", "--epoch", "s").stdout == "measurement,time,v\nm,5,1.0\n"
    )
    assert rows(client) == []
