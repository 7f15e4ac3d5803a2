"""Python examples in the README and the docs: every block runs as sync code, with asyncio and with trio."""

from __future__ import annotations

import ast
import asyncio
import codeop
import inspect
import re
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import prometheus_client
import pytest
import requests
import trio
import trustme
from influx_proto.adapter import AsyncClient
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from docs.examples_in_tabs import FORMS, Form, code_of
from tests.servers.influxd import Influxd, Server, execute

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "packages").glob("*/README.md"))]

#: Runs a page in one form with a server, and returns its blocks and the output of each.
Run = Callable[[Path, Form, Server], list[tuple[str, str]]]

#: Pages that need a server with authentication or a notebook. Each has its own test below.
WITH_OWN_TEST = {"authentication.md", "grafana.md", "notebooks.md"}


@cache
def blocks_of(page: Path, form: Form = "Sync") -> list[str]:
    return code_of(page.read_text(), form)


def forms_of(page: Path) -> list[Form]:
    """Return the forms in which the site shows a page's examples."""
    if "docs" not in page.parts:
        return ["Sync"]
    return [form for form in FORMS if form == "Sync" or blocks_of(page, form) != blocks_of(page)]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    for variable in ("URL", "DATABASE", "USERNAME", "PASSWORD", "TOKEN"):
        monkeypatch.setenv(f"INFLUXDB_{variable}", "")  # pages may set these; the change ends with the test

    def run_page(page: Path, form: Form, server: Server) -> list[tuple[str, str]]:
        # pages use the default port; the test server has another one
        port = urlsplit(server.url).port
        monkeypatch.setattr(inspect.unwrap(AsyncClient.__init__), "__defaults__", ("localhost", port))
        namespace: dict[str, object] = {"__name__": "__main__"}
        blocks = blocks_of(page, form)
        codes = [
            compile(
                re.sub(r"\b(8086|8428)\b", str(port), block),  # 8428 is the port of VictoriaMetrics
                f"{page.name}, {form}, block {number}",
                "exec",
                ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
                dont_inherit=True,
            )
            for number, block in enumerate(blocks, 1)
        ]
        printed: list[str] = []

        async def run_blocks() -> None:
            for code in codes:
                result = eval(code, namespace)
                if inspect.iscoroutine(result):
                    await result
                printed.append(capsys.readouterr().out)

        if not any(code.co_flags & inspect.CO_COROUTINE for code in codes):  # sync code, or programs with their own run
            for code in codes:
                exec(code, namespace)
                printed.append(capsys.readouterr().out)
        elif form == "trio":
            trio.run(run_blocks)
        else:
            asyncio.run(run_blocks())
        return list(zip(blocks, printed, strict=True))

    return run_page


@pytest.mark.parametrize(
    ("page", "form"),
    [
        (page, form)
        for page in PAGES
        if page.name not in WITH_OWN_TEST
        for form in forms_of(page)
        if blocks_of(page, form)
    ],
    ids=lambda value: str(value.relative_to(ROOT)) if isinstance(value, Path) else value,
)
def test_page(page: Path, form: Form, influxd: Server, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The blocks of a page run in sequence."""
    monkeypatch.setattr(prometheus_client, "REGISTRY", prometheus_client.CollectorRegistry())
    for database in ("testdb", "house"):
        execute(influxd.url, f'DROP DATABASE "{database}"')
    if page.name == "servers.md":  # whose servers create it on the first write
        execute(influxd.url, "CREATE DATABASE testdb")
    for block, printed in run(page, form, influxd):
        if "cpu_load_short" in block:
            assert "X-Influxdb-Version" in printed
            assert "0.64" in printed


@pytest.mark.parametrize("form", FORMS)
def test_authentication(form: Form, tmp_path: Path, run: Run) -> None:
    """The page requires a server with authentication, and certificate files."""
    authority = trustme.CA()
    certificate = authority.issue_cert("client.example")
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "client.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "client.key")
    with Influxd(auth=True) as server:
        printed = "".join(printed for _, printed in run(ROOT / "docs" / "authentication.md", form, server))
    assert "missing privilege:" in printed
    assert "wrong credentials:" not in printed
    assert "secret" not in printed


def test_grafana(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user of the page may send the requests of Grafana's InfluxDB data source."""
    page = ROOT / "docs" / "recipes" / "grafana.md"
    [source] = re.findall(r"^```yaml\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
    [panel] = re.findall(r"^```text\n(.*?)\n```", page.read_text(), re.DOTALL | re.MULTILINE)
    settings = dict(re.findall(r"^ *(?:- )?(\w+): (.+)$", source, re.MULTILINE))
    start = 1_735_689_600_000  # 2025-01-01 in the milliseconds that Grafana uses
    panel = panel.replace("$timeFilter", f"time >= {start}ms and time <= {start + 3_600_000}ms")
    panel = panel.replace("$__interval", "10m")

    def grafana_get(server: Server, statement: str, password: str) -> Any:
        url = settings["url"].replace("8086", str(urlsplit(server.url).port)) + "/query"
        assert (settings["type"], settings["access"], settings["httpMode"]) == ("influxdb", "proxy", "GET")
        parameters = {"db": settings["dbName"], "epoch": "ms", "q": statement}
        return requests.get(url, params=parameters, auth=(settings["user"], password), timeout=30)

    with Influxd(auth=True) as server:
        execute(server.url, "CREATE USER root WITH PASSWORD 'secret' WITH ALL PRIVILEGES")
        monkeypatch.setenv("INFLUXDB_URL", server.url.replace("//", "//root:secret@"))
        for form in FORMS:
            run(page, form, server)
        measurements = grafana_get(server, "SHOW MEASUREMENTS", settings["password"]).json()
        assert measurements["results"][0]["series"][0]["values"] == [["room"]]
        [series] = grafana_get(server, panel, settings["password"]).json()["results"][0]["series"]
        assert series["tags"] == {"room": "hall"}
        assert series["values"][:2] == [[start, 21.5], [start + 600_000, None]]
        assert grafana_get(server, "SHOW MEASUREMENTS", "wrong").status_code == 401
        assert grafana_get(server, "DROP DATABASE testdb", settings["password"]).status_code == 403


@pytest.mark.parametrize("form", FORMS)
def test_notebook(form: Form, influxd: Server, tmp_path: Path) -> None:
    """The cells of the page run in IPython, which runs each cell as Jupyter does, and show HTML."""
    execute(influxd.url, "DROP DATABASE testdb")
    new_shell: Any = InteractiveShell  # its methods have no type hints
    shell = new_shell(ipython_dir=str(tmp_path), config=Config(HistoryManager={"enabled": False}))
    address = f"InfluxDBClient('localhost', {urlsplit(influxd.url).port}, "
    shown = []
    try:
        shell.run_cell(f"%autoawait {'asyncio' if form == 'Sync' else form}")
        for cell in blocks_of(ROOT / "docs" / "recipes" / "notebooks.md", form):
            result = shell.run_cell(cell.replace("InfluxDBClient(", address))
            result.raise_error()
            shown.append(shell.display_formatter.format(result.result)[0].get("text/html", ""))
    finally:
        shell.restore_sys_module_state()
    assert "<p>room: 3 rows</p>" in shown[1]
    assert "<td>1970-01-01T00:01:00Z</td>" in shown[1]
    assert "<td>attic</td>" in shown[2]
    assert "<th>attic</th>" in shown[3]


@pytest.mark.parametrize(
    ("form", "option"), [("Sync", ["-i"]), ("asyncio", ["-m", "asyncio"]), ("trio", ["-m", "trio"])]
)
def test_tutorial_can_be_pasted(form: Form, option: list[str], influxd: Server, tmp_path: Path) -> None:
    """The page says so, of the interactive interpreters of Python, asyncio and trio."""
    execute(influxd.url, 'DROP DATABASE "house"')
    text = "\n\n".join(blocks_of(ROOT / "docs" / "tutorial.md", form)).replace("8086", str(urlsplit(influxd.url).port))
    run = subprocess.run(
        [sys.executable, *(["-i"] if form == "Sync" else ["-m", form])],
        input=text + "\n",
        cwd=tmp_path,
        env={"MPLBACKEND": "agg", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Error" not in run.stderr
    assert (tmp_path / "rooms.png").exists()


def test_async_examples_are_in_tabs() -> None:
    """Nearly all examples of the guides use a client, so they have async forms."""
    pages = [page for page in PAGES if len(forms_of(page)) == 3]
    assert len(pages) >= 12
    for page in pages:
        for form in FORMS[1:]:
            code = "".join(blocks_of(page, form))
            assert "await " in code or not code


def test_code_fits_the_site() -> None:
    """The column of the site shows 92 characters without scrolling on a laptop."""
    for page in (page for page in PAGES if "docs" in page.parts):
        for block in [
            *(block for form in FORMS for block in blocks_of(page, form)),
            *re.findall(r"^```py(?:thon before)?\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE),
        ]:
            assert [line for line in block.splitlines() if len(line) > 92] == [], page


def error_in_shell(block: str) -> str | None:
    """Return the error of a shell that reads a block line by line, as those of Python up to 3.12 do."""
    compiler = codeop.CommandCompiler()
    compiler.compiler.flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    pending: list[str] = []
    for line in [*block.splitlines(), ""]:
        pending.append(line)
        try:
            if compiler("\n".join(pending)) is not None:
                pending = []
        except SyntaxError as error:
            return f"{error.msg}: {line}"
    return f"incomplete: {pending}" if any(pending) else None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_examples_can_be_pasted(page: Path) -> None:
    """A shell reads a compound statement up to an empty line. A page with others says to save them to a file."""
    errors = [
        f"{form}, block {number}: {error}"
        for form in forms_of(page)
        for number, block in enumerate(blocks_of(page, form), 1)
        if (error := error_in_shell(block)) is not None
    ]
    assert bool(errors) <= bool(re.search(r"[Ss]ave [^.]*to a file", page.read_text())), errors


def test_client_in_a_plain_function_is_not_converted() -> None:
    page = "```python\nclient = InfluxDBClient()\ndef f():\n    client.ping()\n```\n"
    with pytest.raises(ValueError, match="line 3 uses a client in a plain function"):
        code_of(page, "trio")


def test_first_example_is_in_the_readme() -> None:
    first = blocks_of(ROOT / "README.md")[0]
    assert "from influx_aiohttp import AsyncInfluxDBClient" in first
    assert "dict(time='2009-11-10T23:00:00Z', measurement='cpu_load_short'," in first


def test_bring_your_own_http(influxd: Server) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "examples.bring_your_own_http"],
        cwd=ROOT,
        env={"INFLUXDB_URL": influxd.url, "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "X-Influxdb-Version" in run.stdout
    assert "databases" in run.stdout


def test_conformance_suite_runs_as_documented(influxd: Server, tmp_path: Path) -> None:
    """One module of the suite suffices: tests/conformance runs all of it over this client."""
    for block in blocks_of(ROOT / "docs" / "adapter.md"):
        name = block.partition("# ")[2].partition(".py")[0]
        (tmp_path / f"{name}.py").write_text(block)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--driver", "mine:DRIVER"]
    command.append("tests/conformance/test_operations.py")
    env = {"PYTHONPATH": str(tmp_path), "INFLUXDB_URL": influxd.url, "PATH": ""}
    run = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout
    assert re.search(r"\d\d passed", run.stdout)


def test_charts(influxd: Server, tmp_path: Path) -> None:
    picture = tmp_path / "charts.png"
    command = [sys.executable, "-m", "examples.charts", "--url", influxd.url, "--out", str(picture)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert str(picture) in run.stdout
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_bring_your_own_http_is_short() -> None:
    assert len((ROOT / "examples/bring_your_own_http.py").read_text().splitlines()) < 100
