"""Files of other programs: dumps, CSV dialects, Telegraf's JSON, pandas' CSV, and compressed files."""

from __future__ import annotations

import gzip
import subprocess
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]  # no type hints
import pyarrow.parquet as pq  # type: ignore[import-untyped]  # no type hints
import pytest
from hypothesis import given
from hypothesis import strategies as st
from influx_proto import split_lines
from influx_requests import InfluxDBClient
from influx_requests._cli import main
from influx_requests._cli._line_protocol_source import _split_complete

from tests.cli.program import PROGRAM, run

DUMP = """\
# INFLUXDB EXPORT: 1677-09-21T00:12:43Z - 2262-04-11T23:47:16Z
# DDL
CREATE DATABASE {database}_one WITH NAME autogen
CREATE DATABASE {database}_two
CREATE RETENTION POLICY "long" ON {database}_two DURATION INF REPLICATION 1

# DML
# CONTEXT-DATABASE:{database}_one
# CONTEXT-RETENTION-POLICY:autogen
# writing tsm data
m,t=a v=1i 1
m,t=a s="
# CONTEXT-DATABASE:nowhere
" 2
# CONTEXT-DATABASE: {database}_two
# CONTEXT-RETENTION-POLICY: long
m v=3i 3
m v=x 4
"""


@pytest.fixture
def here(env: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return a new working directory, with the environment set for in-process calls."""
    for name in ("INFLUXDB_URL", "INFLUXDB_DATABASE"):
        monkeypatch.setenv(name, env[name])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rows(client: InfluxDBClient, q: str = "SELECT * FROM m", **options: Any) -> list[dict[str, Any]]:
    return list(client.query(q, **options).points())


def test_dump(here: Path, client: InfluxDBClient, capsys: pytest.CaptureFixture[str]) -> None:
    database = client.db or ""
    (here / "dump.lp").write_text(DUMP.format(database=database))
    try:
        assert main(["write", "dump.lp"]) == 1
        assert capsys.readouterr().err.startswith("dump.lp:18: invalid boolean\n")
        assert rows(client) == []
        one = rows(client, db=f"{database}_one")
        assert [(row["time"], row["v"], row["s"]) for row in one] == [
            (1, 1, None),
            (2, None, "\n# CONTEXT-DATABASE:nowhere\n"),
        ]
        assert rows(client, "SELECT * FROM long.m", db=f"{database}_two") == [{"time": 3, "v": 3}]
        assert main(["write", "dump.lp", "-d", database]) == 2
        assert f"dump.lp:8: the file names '{database}_one', but --database is" in capsys.readouterr().err
    finally:
        client.query(f'DROP DATABASE "{database}_one"; DROP DATABASE "{database}_two"')


def test_resumed_dump(env: dict[str, str], client: InfluxDBClient, tmp_path: Path) -> None:
    """The comments before the position of the resumed file determine the database."""
    other = f"{client.db}_other"
    file = tmp_path / "dump.lp"
    lines = "".join(f"m v={n}i {n}\n" for n in range(3000))
    file.write_text(f"# DDL\nCREATE DATABASE {other}\n# DML\n# CONTEXT-DATABASE: {other}\n{lines}")
    try:
        process = subprocess.Popen(
            [PROGRAM, "write", file, "--retry-for", "0"], env=env, stderr=subprocess.PIPE, encoding="utf-8"
        )
        progress = tmp_path / "dump.lp.influx-progress"
        while process.poll() is None and not progress.exists():
            pass
        process.kill()
        process.communicate()
        run(env, "write", file, "--resume")
        assert len(rows(client, db=other)) == 3000
        assert rows(client) == []
    finally:
        client.query(f'DROP DATABASE "{other}"')


def test_statements_of_a_dump_must_create(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "dump.lp").write_text("# DDL\nDROP DATABASE x\n# DML\n")
    assert main(["write", "dump.lp"]) == 1
    assert "dump.lp:2: only CREATE statements" in capsys.readouterr().err


INFLUX_CSV = """\
name,tags,time,load,up,s
cpu,host=a,1500000000000000000,0.64,,
cpu,host=a,1500000000000000001,1,true,"a, ""b"
name,tags,time,load,up,s
cpu,"host=b,r=",1500000060000000001,12,,
"""

ANNOTATED_CSV = """\
#group,false,false,true,true,false,false,true,true,true
#datatype,string,long,dateTime:RFC3339,dateTime:RFC3339,dateTime:RFC3339,double,string,string,string
#default,_result,,,,,,,,
,result,table,_start,_stop,_time,_value,_field,_measurement,host
,,0,2020-01-01T00:00:00Z,2020-01-02T00:00:00Z,2020-01-01T00:00:01Z,1,load,cpu,a
,,0,2020-01-01T00:00:00Z,2020-01-02T00:00:00Z,2020-01-01T00:00:02Z,,load,cpu,a

#group,false,false,true,true,false,false,true,true,true
#datatype,string,long,dateTime:RFC3339,dateTime:RFC3339,dateTime:RFC3339,long,string,string,string
#default,_result,,,,,,,,
,result,table,_start,_stop,_time,_value,_field,_measurement,host
,,1,2020-01-01T00:00:00Z,2020-01-02T00:00:00Z,2020-01-01T00:00:03Z,8,cores,cpu,a
"""

ANNOTATED_WIDE = """\
#datatype measurement,tag,double,string,ignored,dateTime:RFC3339
#default ,z,,,,
m,host,load,note,x,time
cpu,a,1,hi,,2020-01-01T00:00:01Z
cpu,,2,7,,2020-01-01T00:00:02Z
"""


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        (
            INFLUX_CSV,
            "",
            """\
cpu,host=a load=0.64 1500000000000000000
cpu,host=a load=1.0,s="a, \\"b",up=true 1500000000000000001
cpu,host=b load=12.0 1500000060000000001
""",
        ),
        (
            ANNOTATED_CSV,
            "",
            "cpu,host=a load=1.0 1577836801000000000\ncpu,host=a cores=8i 1577836803000000000\n",
        ),
        (
            ANNOTATED_WIDE,
            "",
            'cpu,host=a load=1.0,note="hi" 1577836801000000000\ncpu,host=z load=2.0,note="7" 1577836802000000000\n',
        ),
        ("time;v;n\n1;1,5;7\n2;-2;8\n", "--separator ; --decimal , --measurement cpu",
         "cpu n=7i,v=1.5 1\ncpu n=8i,v=-2.0 2\n"),
        ("time\tv\n1\t1.5\n", "--separator tab --measurement cpu", "cpu v=1.5 1\n"),
        ('time, v, s\n1, 5, "a, b"\n2, 6, c d\n', "--measurement cpu", 'cpu s="a, b",v=5i 1\ncpu s="c d",v=6i 2\n'),
        ("time,v,s\n1, 5 , x\n", "--measurement cpu", 'cpu s=" x",v=5i 1\n'),
        ("time,v,w\n1,NA,\n2,-,5\n3,7,NA\n", "--measurement cpu --null NA --null -", "cpu w=5i 2\ncpu v=7i 3\n"),
        ('time,"a,b","v,w"\n1,x,5\n', '--measurement cpu --tag-columns "a,b"', "cpu,a\\,b=x v\\,w=5i 1\n"),
        (",v\n2020-01-01,5\n", "--measurement cpu", "cpu v=5i 1577836800000000000\n"),
        (",time,v\n0,1,5\n1,2,6\n", "--measurement cpu", "cpu v=5i 1\ncpu v=6i 2\n"),
        # The line that Excel writes before the header.
        ("sep=;\r\ntime;v\r\n1;1,5\r\n", "--decimal , --measurement cpu", "cpu v=1.5 1\n"),
        ("\ufeffsep=\t\ntime;v\n1;5\n", "--separator ; --measurement cpu", "cpu v=5i 1\n"),
        ("time,v\n1,\"0,5\"\n2,1.2.3\n", "--measurement cpu", 'cpu v="0,5" 1\ncpu v="1.2.3" 2\n'),
        ("time,v\n1,\"0,5\"\n", "--measurement cpu --types v=string", 'cpu v="0,5" 1\n'),
    ],
)  # fmt: skip
def test_csv(here: Path, client: InfluxDBClient, text: str, options: str, expected: str) -> None:
    (here / "m.csv").write_text(text, newline="")
    assert main(["write", "m.csv", *options.split()]) == 0
    assert main(["query", "SELECT * FROM /.*/ GROUP BY *", "-o", "out.lp"]) == 0
    assert sorted((here / "out.lp").read_text().splitlines()) == sorted(expected.splitlines())


@pytest.mark.parametrize(
    ("text", "options", "code", "expected"),
    [
        (",v\n0,5\n1,6\n", "--measurement m", 2, "column 'time' not found in , v; pass --time-column"),
        ("time;v\n1;5\n", "--measurement m", 2,
         "column 'time' not found in time;v; pass --time-column, or --separator ';'"),
        ("time,v\n1,1,5\n", "--measurement m --decimal ,", 1, "m.csv:2: 3 cells, but the header has 2"),
        ("#datatype,long\n,x,y\n1,2,3\n", "", 1, "m.csv:3: the header has 3 columns, but #datatype has 2"),
        ("time;v\n1;0,5\n2;1,25\n", "--measurement m --separator ;", 1,
         "m.csv:2: column 'v': '0,5' looks like a number; remove thousands separators, or pass --decimal , or --types"),
        ("time,v\n1,\n2,\"1,234,567.8\"\n", "--measurement m", 1, "m.csv:3: column 'v': '1,234,567.8' looks like a"),
        ("time;v\n1;-1.234,5\n", "--measurement m --separator ; --decimal ,", 1,
         "'-1.234,5' looks like a number; remove thousands separators, or pass --types v=string"),
        ("sep=;\ntime;v\n1;5\n2;x\n", "--measurement m", 1, "m.csv:4: column 'v': 'x' is text, but '5' in line 3"),
        ("#constant,x\n", "", 1, "m.csv:1: the annotation #constant is not supported"),
        ("#datatype measurement,long,dateTime\nm,v,time\nm,x,2020-01-01\n", "", 1,
         "m.csv:3: field 'v': 'x' is not of the type integer"),
        ("#datatype,string,string\n#group,true,true\n#default,,\n,error,reference\n,no such bucket,897\n", "", 1,
         "m.csv:5: the file is the error response of a query: no such bucket"),
    ],
)  # fmt: skip
def test_invalid_csv(
    here: Path, client: InfluxDBClient, capsys: pytest.CaptureFixture[str], text: str, options: str, code: int,
    expected: str,
) -> None:  # fmt: skip
    (here / "m.csv").write_text(text)
    assert main(["write", "m.csv", *options.split()]) == code
    assert expected in capsys.readouterr().err
    assert rows(client) == []


FRAGMENTS = [
    "m v=1",
    'm,t=a s="x y"',
    's="',
    '"',
    ",",
    " ",
    "=",
    "\\",
    "# c",
    "\n",
    "m ",
    "a=1",
    " 5\n",
    'm,t="b s="',
    "\ufeff",
]


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=12).map("".join))
def test_joined_lines_are_complete_lines(text: str) -> None:
    data = f"{text}\n".encode()
    *lines, rest = _split_complete(data)
    *expected, last = split_lines(data + b"#")
    assert [line for joined in lines for line in split_lines(joined + b"\n")] == expected
    assert rest == last[:-1]


@pytest.mark.parametrize(
    ("encoding", "shown"), [("utf-16", "UTF-16"), ("cp1252", "WINDOWS-1252")], ids=["utf-16", "cp1252"]
)
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("m.csv", "time,v\n1,\N{LATIN SMALL LETTER U WITH DIAERESIS}\n"),
        ("m.json", '{"measurement":"\N{LATIN SMALL LETTER U WITH DIAERESIS}","fields":{"v":1}}'),
        ("m.lp", "m v=1\n"),
    ],
)
def test_other_encodings(
    here: Path, capsys: pytest.CaptureFixture[str], name: str, text: str, encoding: str, shown: str
) -> None:
    (here / name).write_bytes(text.encode(encoding))
    is_accepted = name == "m.lp" and encoding == "cp1252"
    arguments = ["--measurement", "m"] if name == "m.csv" else []
    assert main(["write", name, *arguments]) == (0 if is_accepted else 1)
    error = capsys.readouterr().err
    assert is_accepted or f": not UTF-8; convert it first, for example with `iconv -f {shown} -t UTF-8`\n" in error
    if name == "m.lp" and not is_accepted:
        assert main(["lint", name]) == 1
        assert "not UTF-8; convert it first" in capsys.readouterr().err


@pytest.mark.parametrize("text", ['[{"measurement":"m","fields":{"v":1}}]', "[\n]", '{\n"measurement":"m"}'])
def test_json_of_several_lines(here: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    (here / "m.json").write_text(text)
    assert main(["write", "m.json"]) == 1
    assert capsys.readouterr().err.endswith("; each line holds one point, as `jq -c .` writes it, or `jq -c '.[]'` "
                                            "from an array\n")  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text", "unit"),
    [
        ("m.lp", "m v=1 1500000000\nm v=2 1500000001\n", "s"),
        ("m.csv", "measurement,time,v\nm,1500000000000,5\n", "ms"),
        ("m.json", '{"measurement":"m","fields":{"v":1},"time":1500000000000000}', "us"),
        ("m.lp", "m v=1 1500000000000000000\n", None),
        ("m.lp", "m v=1 1\n", None),
        ("m.lp", "m v=1\n", None),
    ],
)
def test_timestamps_in_another_unit(
    here: Path, capsys: pytest.CaptureFixture[str], name: str, text: str, unit: str | None
) -> None:
    (here / name).write_text(text)
    assert main(["write", name]) == 0
    warning, *_ = capsys.readouterr().err.splitlines()
    assert warning.startswith(f"warning: {name}: the first timestamp, 15") is (unit is not None)
    assert warning.endswith(f"; pass --precision {unit} if it is in {unit}") is (unit is not None)
    assert main(["write", name, "--precision", unit or "ns"]) == 0
    assert "warning" not in capsys.readouterr().err


def test_separator_is_one_character(here: Path) -> None:
    (here / "m.csv").write_text("time,v\n1,5\n")
    for separator in ("", "ab", '"'):
        with pytest.raises(SystemExit):
            main(["write", "m.csv", "--measurement", "m", "--separator", separator])


def test_csv_of_pandas(here: Path, client: InfluxDBClient) -> None:
    frame = pd.DataFrame({"v": [1.5, 2.5]}, index=pd.date_range("2020-01-01", periods=2, freq="s", tz="UTC"))
    frame.to_csv(here / "m.csv")
    assert main(["write", "m.csv", "--measurement", "m"]) == 0
    assert [row["v"] for row in rows(client)] == [1.5, 2.5]
    assert rows(client)[1]["time"] == frame.index[1].value


def test_json_of_telegraf(here: Path, client: InfluxDBClient, capsys: pytest.CaptureFixture[str]) -> None:
    metric = '{"fields":{"v":1},"name":"m","tags":{"host":"a"},"timestamp":1458229140}'
    point = '{"measurement":"n","fields":{"v":1},"time":5}'
    (here / "m.json").write_text(f'{metric}\n{point}\n{{"metrics":[{metric.replace("140", "141")}]}}\n')
    assert main(["write", "m.json"]) == 0
    assert [row["time"] for row in rows(client)] == [1458229140 * 10**9, 1458229141 * 10**9]
    assert [row["time"] for row in rows(client, "SELECT v FROM n")] == [5]
    (here / "m.json").write_text(metric.replace("140}", "142000}"))
    assert main(["write", "m.json"]) == 1  # in seconds it is out of range
    assert main(["write", "m.json", "--precision", "ms"]) == 0
    assert rows(client)[2]["time"] == 1458229142 * 10**9
    for text, expected in (
        ('{"name":"m","fields":{"v":1}}', "m.json:1: the metric has no timestamp"),
        ('{"measurement":"m","fields":{"v":1},"timestamp":1}', "m.json:1: unknown key 'measurement'"),
        ('{"measurement":"m","fields":{"v":1},"ts":1}', "m.json:1: unknown key 'ts'; a point has fields"),
        ('{"metrics":[5]}', "m.json:1: expected a point"),
    ):
        (here / "m.json").write_text(text)
        assert main(["write", "m.json"]) == 1
        assert expected in capsys.readouterr().err


def test_time_beside_the_time_column(here: Path, client: InfluxDBClient, capsys: pytest.CaptureFixture[str]) -> None:
    pq.write_table(pa.table({"time": ["x", "y"], "when": [1, 2], "v": [5, 6]}), here / "m.parquet")
    (here / "m.csv").write_text("time,when,v\nx,1,5\ny,2,6\n")
    for name in ("m.parquet", "m.csv"):
        assert main(["write", name, "--measurement", "m", "--time-column", "when"]) == 0
        assert "warning: " + name + ": the column 'time' is omitted" in capsys.readouterr().err
        assert rows(client) == [{"time": 1, "v": 5}, {"time": 2, "v": 6}]


@pytest.mark.parametrize("suffix", ["gz", "zst"])
def test_compressed_files(env: dict[str, str], client: InfluxDBClient, tmp_path: Path, suffix: str) -> None:
    client.write(f"m v={n}i {n}" for n in range(5000))
    for file_format in ("lp", "csv", "json"):
        file = tmp_path / f"m.{file_format}.{suffix}"
        run(env, "query", "SELECT * FROM m", "-o", file)
        assert file.read_bytes()[:2] == (b"\x1f\x8b" if suffix == "gz" else b"\x28\xb5")
        client.query("DROP MEASUREMENT m")
        assert run(env, "write", file).stderr == f"{file}: 5,000 lines stored\n"
        assert len(rows(client)) == 5000
        if file_format == "lp":
            run(env, "lint", file)
            plain = tmp_path / "renamed.lp"
            plain.write_bytes(file.read_bytes())  # the data tells the compression, not the name
            assert "5,000 lines stored" in run(env, "write", plain).stderr
    assert gzip.decompress(file.read_bytes()).count(b"\n") == 5000 if suffix == "gz" else True
