"""The core does no I/O and costs little to import."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import influx_proto
import pytest

FORBIDDEN = {
    "socket", "ssl", "asyncio", "trio", "selectors", "select", "subprocess", "threading", "concurrent",
    "multiprocessing",     "http", "aiohttp", "requests", "urllib3", "h11", "httpx", "anyio", "time",
}  # fmt: skip
#: What touches files, and the one module that does. Adapters get it from `influx_proto.adapter`.
FILES = {"fcntl", "glob", "io", "mmap", "pathlib", "shutil", "tempfile"}
TOUCHES_FILES = "_batch/spool/directory.py"
#: What is imported when somebody reads or writes, or hands over or asks for something of it.
OPTIONAL = {"msgspec", "orjson", "pandas", "numpy", "pyarrow", "polars"}
FOLDER = Path(influx_proto.__file__).parent


@pytest.mark.parametrize("path", sorted(FOLDER.glob("**/*.py")), ids=lambda path: path.name)
def test_no_module_imports_io(path: Path) -> None:
    """Neither at its head nor inside of functions; what only type checkers read is not imported."""
    tree = ast.parse(path.read_text())
    tree.body = [
        node for node in tree.body if not isinstance(node, ast.If) or ast.unparse(node.test) != "TYPE_CHECKING"
    ]
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            imported.add((node.module or "").partition(".")[0])
    assert not imported & FORBIDDEN
    if path != FOLDER / TOUCHES_FILES:
        assert not imported & FILES
    names = {node.id for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Name)}
    assert "open" not in names


def test_only_adapters_get_what_touches_files() -> None:
    name = TOUCHES_FILES.removesuffix(".py").replace("/", ".")
    assert f"influx_proto.{name}" not in loaded_by("influx_proto", "influx_proto._batch.writer")
    assert f"influx_proto.{name}" in loaded_by("influx_proto.adapter")


def loaded_by(*modules: str) -> set[str]:
    code = f"import {', '.join(modules)}, sys; print(*sorted(sys.modules))"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_importing_the_core_loads_no_io() -> None:
    # `time` is there from the start of every Python.
    assert not loaded_by("influx_proto") & ((FORBIDDEN | OPTIONAL | {"http.client", "logging"}) - {"time"})


def test_importing_what_adapters_need_loads_no_io() -> None:
    # `threading` comes with the standard library's own `logging`.
    loaded = loaded_by("influx_proto", "influx_proto.adapter")
    assert not loaded & ((FORBIDDEN | OPTIONAL | {"http.client"}) - {"time", "threading"})
