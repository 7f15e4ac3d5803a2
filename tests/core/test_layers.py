"""Imports within the core run downwards: from a layer to those below it, never up, never in a circle.

Imports inside functions and for type checkers count as well.
"""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import influx_proto
import pytest

LAYERS = [
    {"_bounded_cache", "_checks", "_errors", "_gc_pause", "_public_names", "_repr", "_version"},
    {"_http", "_time"},
    {"_line_protocol", "_result"},
    {"_decode", "_encode", "_influxql", "_runtime"},
    {"_query", "_write"},
    {"_admin", "_batch"},
    {"_client", "admin", "influxql", "ops"},
    {"__init__", "adapter"},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
ROOT = Path(influx_proto.__file__).parent
MODULES = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in ROOT.rglob("*.py")}


def imports(module: str) -> set[str]:
    """Return the modules of the core that a module imports anywhere."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = module.split(".")[: -node.level]
            target = ".".join([*base, node.module or ""]).strip(".")
            found |= {target} if target in MODULES else {f"{target}.{alias.name}".strip(".") for alias in node.names}
    return found - {module}


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_run_down(module: str) -> None:
    package = module.partition(".")[0]
    for target in imports(module):
        other = target.partition(".")[0]
        assert package == other or LEVEL[other] < LEVEL[package], f"{module} imports {target}"


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*/__init__.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_package_holds_a_docstring_alone(path: Path) -> None:
    # So that importing a module does not import its neighbours.
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree)
    assert len(tree.body) == 1


def test_there_are_no_circles() -> None:
    # `prepare` raises CycleError, which names the circle.
    TopologicalSorter({module: imports(module) for module in MODULES}).prepare()
