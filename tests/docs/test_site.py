"""Documentation site: builds without warnings, and its reference covers every public name."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
import zlib
from importlib import import_module
from pathlib import Path

import influx_aiohttp
import influx_requests
import influx_trio
import pytest
from influx_proto._client.operations import Operations
from influx_proto.adapter import Client

from docs.search_words import WORDS
from tests.once import build_once

ROOT = Path(__file__).parents[2]
PUBLIC_MODULES = (
    "influx_proto",
    "influx_proto.admin",
    "influx_proto.influxql",
    "influx_proto.ops",
    "influx_proto.adapter",
)
CLIENTS = (influx_requests.InfluxDBClient, influx_aiohttp.AsyncInfluxDBClient, influx_trio.AsyncInfluxDBClient)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the site as `make docs` builds it."""
    return build_once(tmp_path_factory, "site", build_site) / "html"


def build_site(folder: Path) -> None:
    command = ["-m", "sphinx", "--fail-on-warning", "--quiet", "-b", "html", "-d", str(folder / "doctrees")]
    run = subprocess.run(
        [sys.executable, *command, str(ROOT / "docs"), str(folder / "html")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert not run.stderr + run.stdout
    assert run.returncode == 0


@pytest.fixture(scope="module")
def documented(site: Path) -> set[str]:
    *_, entries = (site / "objects.inv").read_bytes().split(b"\n", 4)  # after four lines of a header
    lines = (line.split() for line in zlib.decompress(entries).decode().splitlines())
    return {name for name, kind, *_ in lines if kind.startswith("py:")}


def test_every_public_name_is_in_the_reference(documented: set[str]) -> None:
    seen = {name.rpartition(".")[2] for name in documented}
    for module in PUBLIC_MODULES:
        missing = {name for name in import_module(module).__all__ if name not in seen}
        assert missing - {"admin", "influxql", "ops", "__version__"} == set()


@pytest.mark.parametrize("client_class", CLIENTS, ids=lambda found: found.__module__.partition(".")[0])
def test_every_operation_is_in_the_reference_of_each_client(documented: set[str], client_class: type) -> None:
    package = client_class.__module__.partition(".")[0]
    operations = {name for name in vars(Operations) if not name.startswith("_")}
    assert {f"{package}.{client_class.__name__}.{name}" for name in operations} <= documented


def test_reference_shows_bound_signatures(site: Path) -> None:
    """Signatures are those of the bound methods: with `timeout`, and returning the result."""
    text = (site / "api" / "requests.html").read_text()
    entry = text.partition('id="influx_requests.InfluxDBClient.query"')[2].partition("</dt>")[0]
    for expected in (">q</span>", ">timeout</span>", ">QueryResult</span>"):
        assert expected in entry
    assert "async" not in entry
    text = (site / "api" / "trio.html").read_text()
    assert "async" in text.partition('id="influx_trio.AsyncInfluxDBClient.query"')[2].partition("</dt>")[0]


def test_search_finds_the_section_of_a_word(site: Path) -> None:
    """The search ranks a main entry of the index first if it equals the query."""
    index = json.loads((site / "searchindex.js").read_text().removeprefix("Search.setIndex(").removesuffix(")"))
    all_words = [word.lower() for words in WORDS.values() for word in words]
    assert len(set(all_words)) == len(all_words)  # each word has one section
    for target, words in WORDS.items():
        page, _, section = target.partition("#")
        for word in words:
            [entry] = [entry for entry in index["indexentries"][word.lower()] if entry[2]]
            assert index["docnames"][entry[0]] == page
            assert entry[1] == section or not section


def test_all_clients_have_the_same_operations() -> None:
    assert all(inspect.isroutine(getattr(Client, name)) for name in vars(Operations) if not name.startswith("_"))
