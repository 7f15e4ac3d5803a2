"""No text tells users to install one of our packages by name: the names on PyPI are not ours yet; see RELEASING.md."""

from __future__ import annotations

import re
from pathlib import Path

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
#: A command that installs, with a name of ours that is not the end of a path.
BY_NAME = re.compile(rf"(?:install|add|inject|uvx|pipx run)\b[^\n;|&)`]*?(?<![\w./*-]){NAME}\b(?!-)")
#: An extra of a named package, as in an installation hint.
EXTRA = re.compile(rf"(?<![\w./-]){NAME}\[")


def hints(text: str) -> list[str]:
    return [found[0] for pattern in (BY_NAME, EXTRA) for found in pattern.finditer(text)]


def test_no_text_installs_our_packages_by_name() -> None:
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


def test_an_adapter_is_installed_together_with_the_core() -> None:
    """pip would otherwise look up `influx-proto` on PyPI."""
    commands = [
        line
        for path in TEXTS
        for line in path.read_text().splitlines()
        if re.search(r"pip install .*\./packages/", line)
    ]
    assert commands
    assert all("./packages/influx-proto" in command for command in commands)
