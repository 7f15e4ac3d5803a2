"""Imports of the core: no I/O, and low cost."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import influx_proto

FORBIDDEN = {
    "socket", "ssl", "asyncio", "trio", "selectors", "select", "subprocess", "threading", "concurrent",
    "multiprocessing",     "http", "aiohttp", "requests", "urllib3", "h11", "httpx", "anyio", "time",
}  # fmt: skip
#: The only module that accesses files. Adapters import it from `influx_proto.adapter`.
FILES = {"fcntl", "glob", "io", "mmap", "pathlib", "shutil", "tempfile"}
FILE_MODULE = "_batch/spool/directory.py"
#: Libraries that are imported only when a caller passes or requests one of their objects.
OPTIONAL = {"msgspec", "orjson", "pandas", "numpy", "pyarrow", "polars"}
FOLDER = Path(influx_proto.__file__).parent


def test_modules_do_not_import_io() -> None:
    """Neither at module level nor in functions; imports for type checkers do not count."""
    paths = sorted(FOLDER.glob("**/*.py"))
    assert FOLDER / FILE_MODULE in paths
    found = {str(path.relative_to(FOLDER)): io_of(path) for path in paths}
    assert {path: names for path, names in found.items() if names} == {}


def io_of(path: Path) -> set[str]:
    """Return the forbidden names that a module imports, and `open` if it uses that."""
    tree = ast.parse(path.read_text())
    is_open_used = any(isinstance(node, ast.Name) and node.id == "open" for node in ast.walk(tree))
    tree.body = [
        node for node in tree.body if not isinstance(node, ast.If) or ast.unparse(node.test) != "TYPE_CHECKING"
    ]
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            imported.add((node.module or "").partition(".")[0])
    forbidden = FORBIDDEN if path == FOLDER / FILE_MODULE else FORBIDDEN | FILES
    return (imported & forbidden) | ({"open"} if is_open_used else set())


def test_only_adapters_import_file_access() -> None:
    name = FILE_MODULE.removesuffix(".py").replace("/", ".")
    assert f"influx_proto.{name}" not in loaded_by("influx_proto", "influx_proto._batch.writer")
    assert f"influx_proto.{name}" in loaded_by("influx_proto.adapter")


def loaded_by(*modules: str) -> set[str]:
    code = f"import {', '.join(modules)}, sys; print(*sorted(sys.modules))"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_importing_the_core_does_not_import_io() -> None:
    # Every Python process has imported `time` from the start.
    assert not loaded_by("influx_proto") & ((FORBIDDEN | OPTIONAL | {"http.client", "logging"}) - {"time"})


def test_importing_the_adapter_module_does_not_import_io() -> None:
    # The standard library's `logging` imports `threading`.
    loaded = loaded_by("influx_proto", "influx_proto.adapter")
    assert not loaded & ((FORBIDDEN | OPTIONAL | {"http.client"}) - {"time", "threading"})


def test_importing_the_adapter_module_does_not_import_administration() -> None:
    loaded = loaded_by("influx_proto", "influx_proto.adapter")
    assert not {name for name in loaded if name.startswith(("influx_proto._admin.", "influx_proto.admin"))}


def test_classes_of_administration_have_their_public_module_before_it_is_imported() -> None:
    program = (
        "from influx_proto.adapter import Client\n"
        "import inspect, sys\n"
        "(user,) = inspect.signature(Client.list_users).return_annotation.__args__\n"
        "assert 'influx_proto.admin' not in sys.modules\n"
        "print(user.__module__, inspect.signature(Client.ping).return_annotation.__module__)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "influx_proto.admin influx_proto\n"
