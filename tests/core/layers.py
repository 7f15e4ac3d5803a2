"""Layers of the core, and the imports of its modules."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import influx_proto

LAYERS = [
    {"_bounded_cache", "_checks", "_date_formats", "_errors", "_gc_pause", "_public_names", "_repr", "_version"},
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


@cache
def imports(module: str) -> frozenset[str]:
    """Return the modules of the core that a module imports anywhere."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = module.split(".")[: -node.level]
            target = ".".join([*base, node.module or ""]).strip(".")
            found |= {target} if target in MODULES else {f"{target}.{alias.name}".strip(".") for alias in node.names}
    return frozenset(found - {module})
