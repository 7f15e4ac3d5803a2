"""Migration pages: every name in their tables exists, and their programs run."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import influx_aiohttp
import influx_proto
import influx_requests
import pytest

from tests.servers.influxd import Server

PAGES = {
    "aioinflux": Path("aioinflux.md"),
    "influxdb": Path("influxdb-python.md"),
    "influxdb_client": Path("influxdb-client.md"),
    "influxdb_client_3": Path("influxdb3-python.md"),
}
FOLDER = Path(__file__).parents[2] / "docs" / "migrating"
OURS = {name: getattr(influx_proto, name) for name in influx_proto.__all__} | {
    "InfluxDBClient": influx_requests.InfluxDBClient,
    "AsyncInfluxDBClient": influx_aiohttp.AsyncInfluxDBClient,
}


class Row(NamedTuple):
    package: str
    theirs: list[str]
    ours: list[str]


def rows_of(package: str) -> Iterator[Row]:
    table = (FOLDER / PAGES[package]).read_text().partition("## Names")[2].partition("\n## ")[0]
    for line in [line for line in table.splitlines() if line.startswith("|")][2:]:
        _, theirs, ours, *_ = line.split("|")
        yield Row(package, expressions(theirs), expressions(ours))


def expressions(cell: str) -> list[str]:
    """Return the expressions in a cell, which must have no other text except "none"."""
    found = re.findall(r"`([^`]+)`", cell)
    assert re.sub(r"`[^`]+`", "", cell).strip(", ") in {"", "none"}, cell
    return found


ROWS = [row for package in PAGES for row in rows_of(package)]


def check(expression: str, names: Mapping[str, object]) -> None:
    """Check that `one.other(argument=, another=)` exists."""
    path, _, arguments = expression.rstrip(")").partition("(")
    first, *rest = path.split(".")
    found: Any = names[first]
    for name in rest:
        assert hasattr(found, name), f"{path} does not exist"
        found = getattr(found, name)
    if arguments:
        known = inspect.signature(found).parameters
        documented = f"{found.__doc__} {found.__init__.__doc__}"
        for argument in re.findall(r"(\w+)=", arguments):
            # Some keyword arguments are only in the docstring: `:key bool verify_ssl: ...`
            keyword = "kwargs" in known and re.search(rf":key[^:]* {argument}:", documented)
            assert argument in known or keyword, f"{path} has no argument {argument}"


class Names(Mapping[str, object]):
    """The names in a package: its attributes, its modules, and those of its subpackage `client`."""

    def __init__(self, package: str) -> None:
        self.package = package

    def __getitem__(self, name: str) -> object:
        for package in (self.package, f"{self.package}.client"):
            module = importlib.import_module(package)
            if hasattr(module, name):
                return getattr(module, name)
            with contextlib.suppress(ModuleNotFoundError):
                return importlib.import_module(f"{package}.{name}")
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(vars(importlib.import_module(self.package)))

    def __len__(self) -> int:
        return len(list(self))


def test_all_rows_are_read() -> None:
    for package, least in {"aioinflux": 30, "influxdb": 60, "influxdb_client": 45, "influxdb_client_3": 25}.items():
        assert sum(row.package == package for row in ROWS) >= least
    assert all(row.theirs for row in ROWS)


@pytest.mark.parametrize("package", PAGES)
def test_their_names_exist(package: str) -> None:
    pytest.importorskip(package, reason="the client that this page is about is not installed")
    for row in ROWS:
        if row.package == package:
            for expression in row.theirs:
                check(expression, Names(package))


@pytest.mark.parametrize("package", PAGES)
def test_our_names_exist(package: str) -> None:
    client = influx_aiohttp.AsyncInfluxDBClient() if package == "aioinflux" else influx_requests.InfluxDBClient()
    for row in ROWS:
        if row.package == package:
            for expression in row.ours:
                check(expression, {**OURS, "client": client})


@pytest.mark.parametrize("package", ["aioinflux", "influxdb"])
def test_all_methods_of_their_client_are_listed(package: str) -> None:
    theirs = pytest.importorskip(package, reason="the client that this page is about is not installed")
    listed = {expression.partition("(")[0] for row in ROWS for expression in row.theirs if row.package == package}
    methods = inspect.getmembers(theirs.InfluxDBClient, inspect.isroutine)
    assert {f"InfluxDBClient.{name}" for name, _ in methods if not name.startswith("_")} <= listed


def test_points_of_influxdb_client(influxd: Server, database: str) -> None:
    """The page writes points of that package with our client."""
    pytest.importorskip("influxdb_client", reason="the client that this page is about is not installed")
    [program] = re.findall(
        r"^```py\n(.*?)^```", (FOLDER / PAGES["influxdb_client"]).read_text(), re.DOTALL | re.MULTILINE
    )
    address = f"InfluxDBClient(port={urlsplit(influxd.url).port}, "
    exec(program.replace("InfluxDBClient(", address).replace("testdb", database), {})
    with influx_requests.InfluxDBClient.from_url(influxd.url, database=database) as client:
        assert client.query("SELECT count(load) FROM cpu WHERE host = 'a'").scalar() == 10


AFTER = r"\*\*After\*\*:\n\n(?:````{tab} \w+\n)?```py(?:thon)?\n"


def programs_before(package: str) -> list[str]:
    page = (FOLDER / PAGES[package]).read_text()
    found = re.findall(r"\*\*Before\*\*, with [\w-]+:\n\n```python before\n(.*?)```", page, re.DOTALL)
    assert len(found) == page.count("```python before\n") == len(re.findall(AFTER, page))
    return found


@pytest.mark.parametrize("package", PAGES)
def test_programs_before(package: str, influxd: Server, database: str) -> None:
    """All programs compile. Those for InfluxDB 2 and 3 are not run, since their servers are optional."""
    blocks = programs_before(package)
    for number, block in enumerate(blocks, 1):
        compile(block, f"{PAGES[package]}, before {number}", "exec", dont_inherit=True)
    if package.startswith("influxdb_client"):
        return
    pytest.importorskip(package, reason="the client that this page is about is not installed")
    for block in blocks:
        program = block.replace("8086", str(urlsplit(influxd.url).port)).replace("testdb", database)
        # ignore the warnings of other clients
        subprocess.run([sys.executable, "-W", "ignore", "-c", program], env=os.environ, check=True, capture_output=True)
