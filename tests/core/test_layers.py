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


def test_imports_run_downwards() -> None:
    wrong = []
    for module in sorted(MODULES):
        package = module.partition(".")[0]
        for target in imports(module):
            other = target.partition(".")[0]
            if package != other and LEVEL[other] >= LEVEL[package]:
                wrong.append(f"{module} imports {target}")
    assert not wrong


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*/__init__.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_package_init_contains_only_a_docstring(path: Path) -> None:
    # Importing a module must not import its siblings.
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree)
    assert len(tree.body) == 1


def test_imports_have_no_cycles() -> None:
    # `prepare` raises CycleError, which names the cycle.
    TopologicalSorter({module: imports(module) for module in MODULES}).prepare()


def test_only_the_package_itself_imports_public_modules() -> None:
    public = {"__init__", "adapter", "admin", "influxql", "ops"}
    found = {module: imports(module) & public for module in MODULES.keys() - {"__init__"}}
    assert {module: targets for module, targets in found.items() if targets} == {}


def test_modules_are_short() -> None:
    lengths = {module: len(path.read_text().splitlines()) for module, path in MODULES.items()}
    assert {module: length for module, length in lengths.items() if length > 420} == {}


def test_layer_diagram_is_up_to_date() -> None:
    picture = Path(__file__).parents[2] / "docs" / "images" / "layers.svg"
    assert draw() == picture.read_text(), "run `make layers`"
