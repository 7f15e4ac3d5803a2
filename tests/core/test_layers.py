"""Imports within the core never form a circle; imports inside functions and for type checkers count."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import influx_proto

ROOT = Path(influx_proto.__file__).parent
MODULES = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in ROOT.rglob("*.py")}


def imports(module: str) -> set[str]:
    """Return the modules of the core that a module imports anywhere."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = module.split(".")[: -node.level]
            target = ".".join([*base, *(node.module or "").split(".")]).strip(".")
            found |= {target} if target in MODULES else {".".join([*base, alias.name]) for alias in node.names}
    return found - {module}


def test_there_are_no_circles() -> None:
    # `prepare` raises CycleError, which names the circle.
    TopologicalSorter({module: imports(module) for module in MODULES}).prepare()
