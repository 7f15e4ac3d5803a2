"""Installation hints: none installs our packages by name, as the names on PyPI are not ours yet (see RELEASING.md)."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
TEXTS = [
    path
    for pattern in (
        "*.md",
        "Makefile",
        ".ci/*",
        ".github/**/*.y*ml",
        "docs/**/*",
        "examples/*",
        "benchmarks/*",
        "packages/**/*",
    )
    for path in sorted(ROOT.glob(pattern))
    if path.is_file() and path.suffix in {"", ".md", ".py", ".rst", ".inc", ".toml", ".yml", ".yaml"}
]
NAME = r"influx-(?:proto|aiohttp|trio|requests)"
#: An install command with the name of one of our packages that does not end a path.
BY_NAME = re.compile(rf"(?:install|add|inject|uvx|pipx run)\b[^\n;|&)`]*?(?<![\w./*-]){NAME}\b(?!-)")
#: An extra of a named package, as in an installation hint.
EXTRA = re.compile(rf"(?<![\w./-]){NAME}\[")


def hints(text: str) -> list[str]:
    return [found[0] for pattern in (BY_NAME, EXTRA) for found in pattern.finditer(text)]


def test_texts_do_not_install_our_packages_by_name() -> None:
    found = {}
    for path in TEXTS:
        text = path.read_text()
        if path.name == "pyproject.toml":
            text = re.sub(r"^\w+ = \[.*\].*$", "", text, flags=re.MULTILINE)  # extras are requirements, not hints
        found[str(path.relative_to(ROOT))] = hints(text)
    assert {path: texts for path, texts in found.items() if texts} == {}


@pytest.mark.parametrize(
    "text",
    [
        "pip install influx-requests",
        "`pip install 'influx-aiohttp[pandas]'`",
        "pip install ./packages/influx-proto influx-trio",
        "uv add influx-trio",
        "needs pandas: influx-proto[pandas]",
    ],
)
def test_hints_are_found(text: str) -> None:
    assert hints(text)


def test_adapters_are_installed_together_with_the_core() -> None:
    """pip would otherwise look up `influx-proto` on PyPI."""
    commands = [
        line
        for path in TEXTS
        for line in path.read_text().splitlines()
        if re.search(r"pip install .*\./packages/", line)
    ]
    assert commands
    assert all("./packages/influx-proto" in command for command in commands)


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("names", ROOT / ".ci" / "names.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def project(organization: str | None = None, **roles: str) -> dict[str, Any]:
    """Return a response of PyPI's JSON API."""
    return {
        "info": {"name": "Influx_Proto"},
        "ownership": {
            "organization": organization,
            "roles": [{"user": user, "role": role} for user, role in roles.items()],
        },
    }


@pytest.mark.parametrize("ours", [project("we"), project(we="Owner"), project("we", other="Owner")])
def test_our_name_may_be_published(script: ModuleType, ours: Any) -> None:
    assert script.problem("influx-proto", ours, owner="we", new=set()) is None


@pytest.mark.parametrize(
    ("foreign", "why"),
    [
        (project(ttm="Owner"), "belongs to ttm, not to we"),
        (project(we="Maintainer"), "belongs to an unknown user"),
        (project("they"), "belongs to they"),
        (project("we") | {"info": {"name": "influx"}}, "returned influx"),
        ({"info": {"name": "influx-proto"}}, "does not contain the owners"),
        (project("we") | {"ownership": None}, "does not contain the owners"),
        ({}, "does not contain the owners"),
        ([], "does not contain the owners"),
        (None, "is not registered"),
    ],
)
def test_foreign_name_must_not_be_published(script: ModuleType, foreign: Any, why: str) -> None:
    assert why in script.problem("influx-proto", foreign, owner="we", new={"influx-trio"})


def test_new_name_passes_only_while_it_is_unregistered(script: ModuleType) -> None:
    assert script.problem("influx-proto", None, owner="we", new={"influx-proto"}) is None
    assert script.problem("influx-proto", project(ttm="Owner"), owner="we", new={"influx-proto"})


def test_names_of_distributions(script: ModuleType, built: Path) -> None:
    found = script.distributions([path.name for path in built.iterdir()])
    assert found == {"influx-proto", "influx-aiohttp", "influx-trio", "influx-requests"}
    assert script.distributions(["a_b.c-1.0rc1.tar.gz", "d-1-py3-none-any.whl"]) == {"a-b-c", "d"}
    with pytest.raises(ValueError, match=r"x\.exe is neither a wheel nor an sdist"):
        script.distributions(["x.exe"])


@pytest.mark.parametrize("failure", [OSError("no route to host"), ValueError("not JSON")])
def test_failed_request_prevents_the_release(
    script: ModuleType,
    built: Path,
    failure: Exception,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fetch(name: str) -> Any:
        raise failure

    monkeypatch.setattr(script, "fetch", fetch)
    monkeypatch.setattr(sys, "argv", ["names.py", str(built), "--owner", "we"])
    assert script.main() == 1
    assert str(failure) in capsys.readouterr().err


def test_empty_folder_and_an_empty_owner_prevent_the_release(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["names.py", str(tmp_path), "--owner", "we"])
    assert script.main() == 1
    monkeypatch.setattr(sys, "argv", ["names.py", str(tmp_path), "--owner", ""])
    with pytest.raises(SystemExit):
        script.main()
