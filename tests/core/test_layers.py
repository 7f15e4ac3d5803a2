"""Imports within the core: only from lower layers, and without cycles.

Imports inside functions and for type checkers also count.
"""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from docs.layers import draw
from tests.core.layers import LEVEL, MODULES, ROOT, imports


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_run_downwards(module: str) -> None:
    package = module.partition(".")[0]
    for target in imports(module):
        other = target.partition(".")[0]
        assert package == other or LEVEL[other] < LEVEL[package], f"{module} imports {target}"


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*/__init__.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_package_init_contains_only_a_docstring(path: Path) -> None:
    # Importing a module must not import its siblings.
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree)
    assert len(tree.body) == 1


def test_imports_have_no_cycles() -> None:
    # `prepare` raises CycleError, which names the cycle.
    TopologicalSorter({module: imports(module) for module in MODULES}).prepare()


@pytest.mark.parametrize("module", sorted(MODULES.keys() - {"__init__"}))
def test_only_the_package_itself_imports_public_modules(module: str) -> None:
    assert not imports(module) & {"__init__", "adapter", "admin", "influxql", "ops"}


@pytest.mark.parametrize("module", sorted(MODULES))
def test_modules_are_short(module: str) -> None:
    assert len(MODULES[module].read_text().splitlines()) <= 420


def test_layer_diagram_is_up_to_date() -> None:
    picture = Path(__file__).parents[2] / "docs" / "images" / "layers.svg"
    assert draw() == picture.read_text(), "run `make layers`"
