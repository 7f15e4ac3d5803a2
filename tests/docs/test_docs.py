"""Python examples in the README and the docs: every block runs unchanged."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme
from influx_proto.adapter import AsyncClient

from tests.servers.influxd import Influxd, Server

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "packages").glob("*/README.md"))]


def blocks_of(page: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[[Path, Server], list[tuple[str, str]]]:
    """Return a function that runs a page and returns its blocks and the output of each."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    for variable in ("URL", "DATABASE", "USERNAME", "PASSWORD", "TOKEN"):
        monkeypatch.setenv(f"INFLUXDB_{variable}", "")  # pages may set these; the change ends with the test

    def run_page(page: Path, server: Server) -> list[tuple[str, str]]:
        # pages use the default port; the test server has another one
        port = urlsplit(server.url).port
        monkeypatch.setattr(AsyncClient.__init__, "__defaults__", ("localhost", port))
        namespace: dict[str, object] = {"__name__": "__main__"}
        found: list[tuple[str, str]] = []
        for number, block in enumerate(blocks_of(page), 1):
            code = compile(block.replace("8086", str(port)), f"{page.name}, block {number}", "exec", dont_inherit=True)
            exec(code, namespace)
            found.append((block, capsys.readouterr().out))
        return found

    return run_page


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if blocks_of(page) and page.name != "authentication.md"],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_page(page: Path, influxd: Server, run: Callable[[Path, Server], list[tuple[str, str]]]) -> None:
    """The blocks of a page run in sequence."""
    for block, printed in run(page, influxd):
        if "cpu_load_short" in block:
            assert "X-Influxdb-Version" in printed
            assert "0.64" in printed


def test_authentication(tmp_path: Path, run: Callable[[Path, Server], list[tuple[str, str]]]) -> None:
    """The page requires a server with authentication, and certificate files."""
    authority = trustme.CA()
    certificate = authority.issue_cert("client.example")
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "client.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "client.key")
    with Influxd(auth=True) as server:
        printed = "".join(printed for _, printed in run(ROOT / "docs" / "authentication.md", server))
    assert "missing privilege:" in printed
    assert "wrong credentials:" not in printed
    assert "secret" not in printed


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
