"""Completion in bash, zsh and fish."""

from __future__ import annotations

import json
import re
import shlex
import subprocess

import pytest

from tests.cli.program import environment, run


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["influxq", "da"], {"databases"}),
        (["influxq", "query", "--for"], {"--format"}),
        (["influxq", "-d", "x", "query", "--format", "v"], {"vertical"}),
        (["influxq", "query", "--format", "=", "v"], {"vertical"}),  # bash splits --format=v
        (["influxq", "query", "--epoch", "="], {"ns", "us", "ms", "s"}),
        (["influxq", "write", "--precision", "m"], {"ms", "m"}),
        (["influxq", "completion", "z"], {"zsh"}),
        (["influxq", "write", "a"], set()),  # then bash completes file names
    ],
)
def test_bash(words: list[str], expected: set[str]) -> None:
    script = run(environment(None), "completion", "bash").stdout
    line = " ".join(map(json.dumps, words))
    script += f'\nCOMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _influxq; printf "%s\\n" "${{COMPREPLY[@]}}"'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert set(done.stdout.split()) == expected


#: An argument of zsh's `_arguments`: `*--option=[help]:label:values` or `*:label:values`.
_ZSH_ARGUMENT = re.compile(
    r"""
    \*
    (?: (?P<option> --[a-z-]+ | -[a-z]) (?P<sign> [=+]?) \[ (?: [^]\[\\:] | \\. )+ \] )?
    (?: ::?[a-z,=.]+:(?P<values> _files | \([^()]*\) ) )?
    """,
    re.VERBOSE,
)


@pytest.mark.parametrize("command", ["ping", "query", "write", "lint", "completion"])
def test_zsh(command: str) -> None:
    """The suite has no zsh: its quotes are those of `shlex`, and its arguments have a form."""
    script = run(environment(None), "completion", "zsh").stdout
    assert shlex.split(script)[-3:] == ["compdef", "_influxq", "influxq"]
    [case] = re.findall(rf"^        {command}\) _arguments : (.*);;$", script, re.MULTILINE)
    found = [_ZSH_ARGUMENT.fullmatch(argument) for argument in shlex.split(case)]
    options = {match["option"]: (match["sign"], match["values"]) for match in found if match is not None}
    assert None not in found
    text = run(environment(None), command, "--help").stdout
    assert {option for option in options if option} == {*re.findall(r"(?<![^ (\[])-[a-z]\b|--[a-z-]+(?=[ =,])", text)}
    if command == "query":
        assert options["-f"] == ("+", "(table vertical csv json lp parquet)")
        assert options["--format"] == ("=", "(table vertical csv json lp parquet)")
        assert options["--wide"] == ("", None)


def test_fish() -> None:
    """The suite has no fish; options before the command are not its name."""
    script = run(environment(None), "completion", "fish").stdout
    lines = script.splitlines()
    description = "'Run an InfluxQL query and print the result.'"
    assert f"complete -c influxq -n __influxq_command_is -f -a query -d {description}" in lines
    query = [shlex.split(line.replace("\\'", "")) for line in lines if "'__influxq_command_is query'" in line]
    assert query[0][-1] == "-f"  # no names of files
    values = {line[line.index("-l") + 1]: line[line.index("-l") + 2 : -2] for line in query[1:]}
    assert values["format"] == ["-x", "-a", "table vertical csv json lp parquet"]
    assert values["output"] == ["-r", "-F"]
    assert values["database"] == ["-x"]
    assert values["wide"] == []
    assert not any(line.endswith(" -f") for line in lines if "'__influxq_command_is write'" in line)
