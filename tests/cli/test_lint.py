"""The `lint` command: checks line protocol without a server and reports the position of each problem."""

from __future__ import annotations

from pathlib import Path

import pytest
from influx_requests._cli import main

from tests.cli.program import environment, run


def test_positions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.lp").write_text('m v=1 1\n\tm,t=漢é v= 1\n# c\nm s="a\nb",v=x 2\nm v=1 1\x1b\n')
    Path("b.lp").write_text("m v=1 1\n")
    assert main(["lint", "a.lp", "b.lp"]) == 1
    out, err = capsys.readouterr()
    assert (
        out
        == """\
a.lp:2:11: missing field value
   m,t=漢é v= 1
             ^
a.lp:5:6: invalid boolean
  b",v=x 2
       ^
a.lp:6:7: bad timestamp
  m v=1 1\N{REPLACEMENT CHARACTER}
        ^
"""
    )
    assert err == "3 problems in 2 files\n"
    assert main(["lint", "b.lp"]) == 0
    assert capsys.readouterr() == ("", "")
    assert main(["lint", "b.lp", "--precision", "h"]) == 0
    assert main(["lint", "c.lp"]) == 2


def test_long_lines_are_truncated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.lp").write_text(f"m,t={'x' * 300} v=1,w=?,{'y' * 300}=1 1\n")
    assert main(["lint", str(tmp_path / "a.lp")]) == 1
    _, line, caret = capsys.readouterr().out.splitlines()
    assert line[caret.index("^")] == "?"
    assert len(line) < 125


def test_standard_input_without_a_server(tmp_path: Path) -> None:
    env = environment("http://localhost:1")
    assert run(env, "lint", stdin="m v=1 1\r\n", code=1).stdout.startswith(
        "<stdin>:1:7: bad timestamp; it ends in CRLF"
    )
    assert run(env, "lint", "-", stdin="m v=1 1\n").stdout == ""
